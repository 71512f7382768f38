"""Verdicts: every claim with what the runs say of it, and what more seeds would find."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from hybridnb.corpora import benchmark_name
from hybridnb.measures import significance
from hybridnb.measures.catalogue import MEASURES
from hybridnb.measures.crossed import Components, Estimate, estimate
from hybridnb.measures.significance import LEVEL
from hybridnb.report.claims.hypotheses import HYPOTHESES, Hypothesis
from hybridnb.report.claims.matching import Systems
from hybridnb.report.paragraphs import paragraphs
from hybridnb.study.runs import Run

HELD, REFUTED, EQUIVALENT, UNDECIDED = "held", "refuted", "equivalent", "undecided"
NO_RUNS, TOO_FEW, NO_MARGIN = "no runs yet", "too few seeds", "no margin yet"


@dataclass(frozen=True)
class Claim:
    """A hypothesis about one measure on one benchmark, and what the runs say of it.

    Args:
        estimate: first minus second, in the measure's unit; None where there are no runs.
        components: what makes the differences vary.
        margin: the smallest effect of interest.
        lacking: why there is no verdict, if there is none.
    """

    hypothesis: Hypothesis
    label: str
    benchmark: str
    estimate: Estimate | None = None
    components: Components | None = None
    margin: float | None = None
    lacking: str = ""

    @property
    def sign(self) -> int:
        """1 where more of the measure is better, else -1."""
        return 1 if MEASURES[self.label].higher_is_better else -1

    @property
    def threshold(self) -> float:
        """What the difference must be beyond, in the measure's unit."""
        if self.hypothesis.kind == "better":
            return 0.0
        assert self.margin is not None
        return -self.sign * self.margin

    @property
    def p(self) -> float:
        """Two-sided, of the difference being at the threshold."""
        assert self.estimate is not None
        return self.estimate.p(self.threshold)

    def resolved(self, seeds: int = 0) -> float:
        """The smallest difference that so many seeds (left out, those there are) find with a power of .8, by itself."""
        assert self.estimate is not None and self.components is not None
        return self.components.smallest(seeds or self.estimate.seeds, self.estimate.clusters)

    def verdict(self, p_holm: float) -> str:
        """What the runs say.

        Args:
            p_holm: its p, corrected for all claims that are counted.

        Returns:
            "held": the 95 % interval is beyond the threshold in the direction of the claim and the corrected p below
            `LEVEL`; "refuted": likewise on the other side of it; "equivalent": neither, and the 90 % interval is
            within the smallest effect of interest (two one-sided tests: Schuirmann, J. Pharmacokinet. Biopharm. 15,
            1987); else "undecided".
        """
        assert self.estimate is not None
        low, high = sorted(self.sign * (end - self.threshold) for end in self.estimate.interval())
        if p_holm < LEVEL and (low > 0 or high < 0):
            return HELD if low > 0 else REFUTED
        within = self.margin is not None and max(map(abs, self.estimate.interval(0.9))) < self.margin
        return EQUIVALENT if within else UNDECIDED


def claims(runs: Sequence[Run], benchmarks: Sequence[str]) -> Iterator[Claim]:
    """Every claim of `HYPOTHESES` on each benchmark on which its measure is defined.

    Args:
        runs: main runs and sweeps, trained and ranked or not.
        benchmarks: by name or path.
    """
    systems = Systems(runs)
    for benchmark in benchmarks:
        clusters = paragraphs(benchmark_name(benchmark))
        for hypothesis in HYPOTHESES:
            matched = systems.matched(hypothesis.first, hypothesis.second, benchmark)
            first, second = (
                [systems.values(run, benchmark, hypothesis.unseen) for run in side] for side in matched
            )
            defined = systems.defined(benchmark, hypothesis.unseen)
            for label in hypothesis.labels:
                if label not in defined or any(label not in table for table in (*first, *second)):
                    continue
                made = Claim(
                    hypothesis, label, benchmark_name(benchmark), margin=systems.margin(label, benchmark)
                )
                if not first or not second:
                    yield replace(made, lacking=NO_RUNS)
                elif max(len(first), len(second)) < 2:  # one seed says nothing of others
                    yield replace(made, lacking=TOO_FEW)
                elif hypothesis.kind == "not worse" and made.margin is None:
                    yield replace(made, lacking=NO_MARGIN)
                else:
                    found = estimate(first, second, label, clusters)
                    parts = Components.of(first, second, label, clusters)
                    yield replace(made, estimate=found, components=parts)


def verdicts(runs: Sequence[Run], benchmarks: Sequence[str]) -> pd.DataFrame:
    """Every claim with its verdict and the numbers that it follows from.

    Args:
        runs, benchmarks: as of `claims`.

    Returns:
        claim, benchmark, hypothesis, measure, seeds, clusters (of questions), difference, low, high (of 95 %), p,
        p_holm (Holm, over all claims that have an estimate), margin (the smallest effect of interest), resolved (see
        `Claim.resolved`), verdict. Where there are no runs, or too few seeds, the verdict says so, and the claim is not
        counted.
    """
    made = list(claims(runs, benchmarks))
    p = np.array([np.nan if claim.estimate is None else claim.p for claim in made])
    p_holm = np.full(len(p), np.nan)
    p_holm[~np.isnan(p)] = significance.holm(p[~np.isnan(p)])
    rows = []
    for claim, own, corrected in zip(made, p, p_holm, strict=True):
        row: dict[str, Any] = {"claim": claim.hypothesis.key, "benchmark": claim.benchmark}
        row |= {"hypothesis": claim.hypothesis.text, "measure": claim.label}
        if claim.estimate is not None:
            low, high = claim.estimate.interval()
            row |= {"seeds": claim.estimate.seeds, "clusters": claim.estimate.clusters}
            row |= {"difference": claim.estimate.difference, "low": low, "high": high}
            row |= {"resolved": claim.resolved()}
        row |= {"p": own, "p_holm": corrected, "margin": claim.margin}
        rows.append(row | {"verdict": claim.lacking or claim.verdict(corrected)})
    columns = [
        "claim",
        "benchmark",
        "hypothesis",
        "measure",
        "seeds",
        "clusters",
        "difference",
        "low",
        "high",
    ]
    table = pd.DataFrame(rows, columns=[*columns, "p", "p_holm", "margin", "resolved", "verdict"])
    return table.astype({"margin": float, "resolved": float, "seeds": "Int64", "clusters": "Int64"})


def power(
    runs: Sequence[Run], benchmarks: Sequence[str], seeds: Sequence[int] = (4, 6, 12, 16)
) -> pd.DataFrame:
    """The smallest difference that so many seeds would find four times of five, by what the runs here vary by.

    Args:
        runs, benchmarks: as of `claims`; a pilot's will do, two seeds or more.
        seeds: how many.

    Returns:
        Index (benchmark, contrast, measure), a column a number of seeds, as text; a row for each contrast whose claims
        are of all languages.
    """
    rows = {}
    for claim in claims(runs, benchmarks):
        if claim.estimate is not None and not claim.hypothesis.unseen:
            contrast = " - ".join(sorted((claim.hypothesis.first, claim.hypothesis.second)))
            shown = {n: MEASURES[claim.label].format(claim.resolved(n)) for n in seeds}
            rows[claim.benchmark, contrast, claim.label] = shown
    index = pd.MultiIndex.from_tuples(rows, names=["benchmark", "contrast", "measure"]) if rows else None
    return pd.DataFrame(list(rows.values()), index).rename_axis(columns="seeds")
