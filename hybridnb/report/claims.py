"""What the study asks, each question with a verdict computed from the runs; and facts, which are checked.

The hypotheses and the smallest effects of interest are data, `HYPOTHESES` and `SMALLEST`: they stand before the runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd

from hybridnb.corpora import benchmark_name
from hybridnb.measures import significance
from hybridnb.measures.catalogue import MAIN, MEASURES
from hybridnb.measures.crossed import Components, Estimate, estimate
from hybridnb.measures.metrics_file import pools
from hybridnb.report.paragraphs import paragraphs
from hybridnb.report.published import HYBRID
from hybridnb.report.tables.headline import CROSS, MONO
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED
from hybridnb.training.strategies import Strategy

LEVEL = 0.05
"""Of the corrected p below which a claim is held or refuted."""

MAP, DISTANCE = ("Mo mAP", "Cr mAP", "Mul mAP"), "rank distance"

SMALLEST = dict.fromkeys(MAP, 0.01)
"""The smallest effect of interest in mAP."""

SMALLEST_DISTANCE = 0.05
"""The same in rank distance, as a share of that of the encoder as it is."""

METHOD = "one-map"
"""The debiasing without training that stands against training."""

HELD, REFUTED, EQUIVALENT, UNDECIDED = "held", "refuted", "equivalent", "undecided"
NO_RUNS, TOO_FEW, NO_MARGIN = "no runs yet", "too few seeds", "no margin yet"

SETTINGS = {"xquad-r": (110, 11), "mlqa-r": (42, 7)}
"""Benchmark -> ordered pairs of languages, merged pools, as the paper counts them."""

Values = Mapping[str, Sequence[pd.DataFrame]]
"""Strategy -> `Run.question_values` of its runs, a table a run."""


def debiased(strategy: str, method: str = METHOD) -> str:
    """The name of a strategy's encoders with a debiasing applied: "X-Y + one-map"."""
    return f"{strategy} + {method}"


@dataclass(frozen=True)
class Hypothesis:
    """One system is better than another, or not worse.

    Args:
        key: by which the plan of a study names it.
        first, second: the systems: a strategy, or one with a debiasing (see `debiased`).
        kind: "better": the difference is on the good side of 0; "not worse": on the good side of the smallest effect of
            interest on the bad side.
        labels: of the measures; each is a claim of its own.
        unseen: whether it is about languages alone that no run was trained on; a pair counts when either of its
            languages is one.
    """

    key: str
    first: str
    second: str
    kind: Literal["better", "not worse"]
    labels: tuple[str, ...]
    unseen: bool = False

    @property
    def text(self) -> str:
        """In words."""
        where = ", in languages unseen in fine-tuning" if self.unseen else ""
        return f"{self.first} is {self.kind} than {self.second}{where}"


_OF_BATCHES = (
    Hypothesis("a1", MONO, CROSS, "better", ("Mo mAP",)),
    Hypothesis("a2", HYBRID, MONO, "not worse", ("Mo mAP",)),
    Hypothesis("b1", CROSS, MONO, "better", ("Cr mAP",)),
    Hypothesis("b2", HYBRID, CROSS, "not worse", ("Cr mAP",)),
    Hypothesis("c1", CROSS, MONO, "better", ("Mul mAP",)),
    Hypothesis("c2", HYBRID, CROSS, "not worse", ("Mul mAP",)),
    Hypothesis("d1", HYBRID, MONO, "better", (DISTANCE,)),
    Hypothesis("d2", HYBRID, CROSS, "not worse", (DISTANCE,)),
)

HYPOTHESES: tuple[Hypothesis, ...] = (
    *_OF_BATCHES,
    *(replace(one, key=f"e-{one.key}", unseen=True) for one in _OF_BATCHES),
    # what the study is for: is hybrid training better than monolingual training, and than one matrix?
    Hypothesis("f1", HYBRID, MONO, "better", MAP),
    Hypothesis("f2", HYBRID, debiased(NOT_TRAINED), "better", MAP),
    Hypothesis("g1", debiased(HYBRID), debiased(NOT_TRAINED), "better", (*MAP, DISTANCE)),
    Hypothesis("g2", debiased(HYBRID), HYBRID, "better", ("Cr mAP", "Mul mAP", DISTANCE)),
    Hypothesis("g3", debiased(HYBRID), HYBRID, "not worse", ("Mo mAP",)),
    *(
        Hypothesis(f"h{alpha:g}", HYBRID, str(Strategy("hybrid", alpha)), "better", ("Mo mAP", "Mul mAP"))
        for alpha in (0.25, 0.4, 0.6, 0.75)
    ),
)


def planned(benchmarks: Sequence[str]) -> pd.DataFrame:
    """The claims as they stand before any run: what is asked, of which measure, and what is too small to matter.

    Returns:
        claim, hypothesis, measure, benchmarks, direction, smallest (as text); a row a measure of `HYPOTHESES`.
    """
    of_mapping = {label: f"{SMALLEST[label]:g}" for label in MAP}
    of_mapping[DISTANCE] = f"{SMALLEST_DISTANCE:.0%} of that of {NOT_TRAINED}"
    rows = [
        {
            "claim": one.key,
            "hypothesis": one.text,
            "measure": label,
            "benchmarks": " ".join(map(benchmark_name, benchmarks)),
            "direction": "higher" if MEASURES[label].higher_is_better else "lower",
            "smallest": of_mapping[label],
        }
        for one in HYPOTHESES
        for label in one.labels
    ]
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Systems:
    """The runs on all of the data as systems on benchmarks, each of several seeds, with and without debiasing.

    Args:
        runs: of any strategies; those on a fraction of the data are left out.
    """

    runs: Sequence[Run]
    _values: dict[tuple[Run, str, bool], pd.DataFrame] = field(default_factory=dict, repr=False)

    @cached_property
    def by_name(self) -> dict[str, dict[int, Run]]:
        """Name -> seed -> what its results are read from."""
        found: dict[str, dict[int, Run]] = {}
        for run in self.runs:
            if run.fraction == 1:
                found.setdefault(run.strategy, {})[run.seed] = run
                found.setdefault(debiased(run.strategy), {})[run.seed] = run.debiased(METHOD)
        return found

    @cached_property
    def trained_languages(self) -> set[str]:
        """Languages that any run was trained on."""
        return {code for run in self.runs for code in run.info["languages"]}

    def of(self, name: str, benchmark: str) -> dict[int, Run]:
        """Seed -> run, of a system's runs whose questions have values on a benchmark."""
        return {seed: run for seed, run in self.by_name.get(name, {}).items() if run.is_compared(benchmark)}

    def matched(self, first: str, second: str, benchmark: str) -> tuple[list[Run], list[Run]]:
        """The runs of two systems, seed by seed; an encoder that is not trained stands against every seed."""
        one, other = self.of(first, benchmark), self.of(second, benchmark)
        seeds = sorted(one.keys() & other.keys())
        alone = [name.partition(" + ")[0] == NOT_TRAINED for name in (first, second)]
        if alone == [True, False]:
            return list(one.values())[:1], [other[seed] for seed in sorted(other)]
        if alone == [False, True]:
            return [one[seed] for seed in sorted(one)], list(other.values())[:1]
        return [one[seed] for seed in seeds], [other[seed] for seed in seeds]

    def values(self, run: Run, benchmark: str, unseen: bool) -> pd.DataFrame:
        """`Run.question_values`; unseen: of queries and pairs with a language that no run was trained on."""
        key = run, benchmark, unseen
        if key not in self._values:
            self._values[key] = run.question_values(benchmark, self.trained_languages if unseen else ())
        return self._values[key]

    def defined(self, benchmark: str, unseen: bool) -> set[str]:
        """The measures that are defined on a benchmark, as far as a run says: there, or in unseen languages there."""
        run = next((run for run in self.runs if run.is_compared(benchmark)), None)
        return set(self.values(run, benchmark, unseen).columns) if run else set(MEASURES)

    def margin(self, label: str, benchmark: str) -> float | None:
        """The smallest effect of interest of a measure on a benchmark; None where it is not known yet."""
        if label != DISTANCE:
            return SMALLEST[label]
        for run in self.of(NOT_TRAINED, benchmark).values():
            values = self.values(run, benchmark, unseen=False)
            return SMALLEST_DISTANCE * float(values[DISTANCE].mean()) if DISTANCE in values else None
        return None


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


def claims(runs: Sequence[Run], benchmarks: Sequence[str], fewest: int = 2) -> Iterator[Claim]:
    """Every claim of `HYPOTHESES` on each benchmark on which its measure is defined.

    Args:
        runs: main runs and sweeps, trained and ranked or not.
        benchmarks: by name or path.
        fewest: matched seeds with which there is a verdict; one seed says nothing of others.
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
                elif max(len(first), len(second)) < max(fewest, 2):
                    yield replace(made, lacking=TOO_FEW)
                elif hypothesis.kind == "not worse" and made.margin is None:
                    yield replace(made, lacking=NO_MARGIN)
                else:
                    found = estimate(first, second, label, clusters)
                    parts = Components.of(first, second, label, clusters)
                    yield replace(made, estimate=found, components=parts)


def verdicts(runs: Sequence[Run], benchmarks: Sequence[str], fewest: int = 2) -> pd.DataFrame:
    """Every claim with its verdict and the numbers that it follows from.

    Args:
        runs, benchmarks, fewest: as of `claims`.

    Returns:
        claim, benchmark, hypothesis, measure, seeds, clusters (of questions), difference, low, high (of 95 %), p,
        p_holm (Holm, over all claims that have an estimate), margin (the smallest effect of interest), resolved (see
        `Claim.resolved`), verdict. Where there are no runs, or too few seeds, the verdict says so, and the claim is not
        counted.
    """
    made = list(claims(runs, benchmarks, fewest))
    p = np.array([np.nan if claim.estimate is None else claim.p for claim in made])
    p_holm = np.full(len(p), np.nan)
    p_holm[~np.isnan(p)] = significance.holm(p[~np.isnan(p)])
    rows = []
    for claim, own, corrected in zip(made, p, p_holm, strict=True):
        row: dict[str, Any] = {
            "claim": claim.hypothesis.key,
            "benchmark": claim.benchmark,
            "hypothesis": claim.hypothesis.text,
            "measure": claim.label,
        }
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


def as_text(table: pd.DataFrame) -> pd.DataFrame:
    """`verdicts` for the screen, as far as there are estimates; numbers with the digits of their measures.

    Returns:
        Index (hypothesis, measure); benchmark, difference with its interval, p (Holm), smallest of interest, resolved,
        seeds, verdict.
    """
    counted = table[table["difference"].notna()]

    def shown(column: str, form: str = "") -> list[str]:
        return [
            "" if pd.isna(value) else MEASURES[label].format(value, form)
            for label, value in zip(counted["measure"], counted[column], strict=True)
        ]

    ends = zip(*(shown(column, "+") for column in ("difference", "low", "high")), strict=True)
    text = pd.DataFrame(
        {
            "hypothesis": counted["hypothesis"].to_numpy(),
            "measure": counted["measure"].to_numpy(),
            "benchmark": counted["benchmark"].to_numpy(),
            "difference": [f"{difference} [{low}, {high}]" for difference, low, high in ends],
            "p (Holm)": counted["p_holm"].map("{:.4f}".format).to_numpy(),
            "smallest of interest": shown("margin"),
            "resolved": shown("resolved"),
            "seeds": counted["seeds"].to_numpy(),
            "verdict": counted["verdict"].to_numpy(),
        }
    )
    return text.set_index(["hypothesis", "measure"])


def checks(
    runs: Sequence[Run], benchmarks: Sequence[str], leaked: Mapping[str, Mapping[str, int]]
) -> pd.DataFrame:
    """Facts about the data, which are so or not, with no statistics.

    Args:
        runs: evaluated on the benchmarks.
        benchmarks: by name or path.
        leaked: benchmark -> exact and near duplicates of it in the training corpus (`recording.recorded_leaks`).

    Returns:
        Index fact; holds ("yes", "no" or "not checked") and evidence.
    """
    rows = []
    for benchmark in benchmarks:
        name = benchmark_name(benchmark)
        run = next((run for run in runs if run.is_measured(benchmark)), None)
        if run and name in SETTINGS:
            asked = pools(run.metrics[name])
            found = len(asked.get("crosslingual", ())), len(asked.get("multilingual", ()))
            pairs, merged = SETTINGS[name]
            fact = f"{name}: {pairs} ordered pairs of languages and {merged} merged pools, as in the paper"
            rows.append((fact, "yes" if found == (pairs, merged) else "no", f"{found[0]} and {found[1]}"))
        duplicates = leaked.get(name)
        fact = f"{name}: no text of it stands in the training corpus"
        evidence = (
            f"{duplicates['exact']} exact and {duplicates['near']} near duplicates" if duplicates else ""
        )
        holds = "not checked" if duplicates is None else "no" if duplicates["exact"] else "yes"
        rows.append((fact, holds, evidence))
    return pd.DataFrame(rows, columns=["fact", "holds", "evidence"]).set_index("fact")


def question_values(runs: Sequence[Run], benchmark: str) -> Values:
    """What each question adds to the main measures, a table a run."""
    result: dict[str, list[pd.DataFrame]] = {}
    for run in runs:
        result.setdefault(run.strategy, []).append(run.question_values(benchmark))
    return result


def against(runs: Sequence[Run], benchmark: str, first: str = HYBRID) -> pd.DataFrame:
    """A system minus batches of one language, X-Y, the encoder as it is and one matrix: as text with 95 % intervals.

    With one seed the intervals are over questions alone: of these encoders.

    Args:
        runs, benchmark: as of `claims`.
        first: the system, by its name.

    Returns:
        Index (against, seeds), a column a measure of `catalogue.MAIN`; what has no runs is left out.
    """
    systems, clusters, rows = Systems(runs), paragraphs(benchmark_name(benchmark)), []
    for other in (MONO, CROSS, NOT_TRAINED, debiased(NOT_TRAINED)):
        of_first, of_other = (
            [systems.values(run, benchmark, unseen=False) for run in side]
            for side in systems.matched(first, other, benchmark)
        )
        if of_first and of_other:
            labels = [label for label in MAIN if label in of_first[0]]
            shown = {label: _with_interval(label, of_first, of_other, clusters) for label in labels}
            rows.append({"against": other, "seeds": len(of_first), **shown})
    keys = ["against", "seeds"]
    return pd.DataFrame(rows, columns=None if rows else keys).set_index(keys)


def where_it_pays(runs: Sequence[Run], benchmark: str) -> pd.DataFrame:
    """Hybrid minus X-X-mono and X-Y at every fraction of the data, over matched seeds, as text with 95 % intervals.

    With one seed the intervals are over questions alone: of these encoders.

    Returns:
        Index (fraction, against, seeds), a column a measure of `catalogue.MAIN`; fractions without hybrid are left out.
    """
    clusters = paragraphs(benchmark_name(benchmark))
    made: dict[float, dict[str, dict[int, Run]]] = {}
    for run in runs:
        made.setdefault(run.fraction, {}).setdefault(run.strategy, {})[run.seed] = run
    rows = []
    for fraction, by_strategy in sorted(made.items()):
        for other in (MONO, CROSS):
            seeds = sorted(by_strategy.get(HYBRID, {}).keys() & by_strategy.get(other, {}).keys())
            if not seeds:
                continue
            first, second = (
                [by_strategy[name][seed].question_values(benchmark) for seed in seeds]
                for name in (HYBRID, other)
            )
            labels = [label for label in MAIN if label in first[0]]
            shown = {label: _with_interval(label, first, second, clusters) for label in labels}
            rows.append({"fraction": f"{fraction:g}", "against": other, "seeds": len(seeds), **shown})
    keys = ["fraction", "against", "seeds"]
    return pd.DataFrame(rows, columns=None if rows else keys).set_index(keys)


def _with_interval(
    label: str, first: Sequence[pd.DataFrame], second: Sequence[pd.DataFrame], clusters: Mapping[str, str]
) -> str:
    """ "-0.004 [-0.013, +0.005]" """
    ends = significance.interval(first, second, label, clusters)
    difference, low, high = (MEASURES[label].format(end, "+") for end in ends)
    return f"{difference} [{low}, {high}]"
