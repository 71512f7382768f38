"""The paper's claims, each with a verdict computed from the runs: held, not held, or cannot be said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

import pandas as pd

from hybridnb.measures import significance
from hybridnb.measures.catalogue import MEASURES
from hybridnb.report import published, tables
from hybridnb.report.published import HYBRID
from hybridnb.report.tables import CROSS, MONO
from hybridnb.study.runs import Run
from hybridnb.study.settings import Study
from hybridnb.training.strategies import Strategy

MARGIN = 0.005
"""mAP within which two strategies are "level"."""
HELD, NOT_HELD, OPEN = "held", "not held", "cannot be said"
SETTINGS = {"xquad-r": (110, 11), "mlqa-r": (42, 7)}
"""Benchmark -> ordered pairs of languages, merged pools, as the paper counts them."""

Values = Mapping[str, Sequence[pd.DataFrame]]
"""Strategy -> `significance.question_values` of its runs, a table a run."""


@dataclass(frozen=True)
class Claim:
    """A claim of the paper, what the runs say of it, and the numbers that say so."""

    text: str
    verdict: str
    evidence: str


def table(
    study: Study,
    finished: Sequence[Run],
    swept: Sequence[Run],
    values: Mapping[str, Values],
    leaked: Mapping[str, Mapping[str, int]],
) -> pd.DataFrame:
    """Every claim with its verdict and evidence.

    Args:
        study: whose runs they are.
        finished: its main runs, evaluated on all of its benchmarks.
        swept: those of its sweeps on its first benchmark.
        values: benchmark -> `question_values` of the main runs.
        leaked: see `leaks`.

    Returns:
        Index claim; verdict, evidence.
    """
    unseen = {
        benchmark: languages
        for benchmark in study.benchmarks
        if (languages := tables.unseen_languages(finished, benchmark))
    }
    of_unseen = {
        benchmark: question_values(finished, benchmark, languages) for benchmark, languages in unseen.items()
    }
    level = ["Mo mAP", "Cr mAP"]
    claims = [
        ahead("hybrid is best in multilingual retrieval", values, ["Mul mAP"]),
        ahead(
            "hybrid is at least level in monolingual and cross-lingual retrieval",
            values,
            level,
            margin=MARGIN,
        ),
        one_encoder(
            ahead(
                "hybrid beats both baselines in all three tasks, from either initialisation",
                values,
                [*level, "Mul mAP"],
            )
        ),
        less_bias("hybrid has much less language bias than monolingual batches", values),
        *(
            ahead(
                f"hybrid is ahead of {other} in multilingual retrieval for languages unseen in fine-tuning",
                of_unseen,
                ["Mul mAP"],
                [other],
                languages=unseen,
            )
            for other in (MONO, CROSS)
        ),
        alphas("alpha from .4 to .6 makes little difference", [*finished, *swept], study.benchmarks[0]),
        settings("110 and 11 settings on XQuAD-R, 42 and 7 on MLQA-R", dict.fromkeys(values, finished[0])),
        leaks("evaluation data is never seen in training", leaked, study.encoder.model),
    ]
    return pd.DataFrame(map(asdict, claims)).rename(columns={"text": "claim"}).set_index("claim")


def question_values(
    runs: Sequence[Run], benchmark: str, query_languages: Sequence[str] | None = None
) -> Values:
    """What each question adds to every measure, of queries in these languages only (left out: all)."""
    result: dict[str, list[pd.DataFrame]] = {}
    for run in runs:
        ranks = run.ranks(benchmark)
        if query_languages is not None:
            ranks = ranks[ranks["query_language"].isin(query_languages)]
        result.setdefault(run.strategy, []).append(significance.question_values(ranks))
    return result


def verdict(low: float, high: float, margin: float = 0.0) -> str:
    """Whether a difference with this interval is above -margin: surely, surely not, or neither.

    Example:
        >>> verdict(0.01, 0.02), verdict(-0.02, -0.01), verdict(-0.01, 0.01)
        ('held', 'not held', 'cannot be said')
    """
    return HELD if low > -margin else NOT_HELD if high < -margin else OPEN


def overall(verdicts: Sequence[str]) -> str:
    """Held if all held, not held if any did not, else open."""
    if NOT_HELD in verdicts:
        return NOT_HELD
    return HELD if verdicts and set(verdicts) == {HELD} else OPEN


class _Comparison(NamedTuple):
    """Hybrid minus another strategy; sorted, what is worst for hybrid comes first."""

    difference: float
    verdict: str
    shown: str


def ahead(
    text: str,
    by_benchmark: Mapping[str, Values],
    labels: Sequence[str],
    against: Sequence[str] = (MONO, CROSS),
    margin: float = 0.0,
    languages: Mapping[str, Sequence[str]] | None = None,
) -> Claim:
    """Hybrid is ahead of these strategies, or behind by less than the margin, everywhere.

    Held if every 95 % interval says so (intersection-union test); not held if one says the contrary at a confidence
    corrected for the number of comparisons (Bonferroni). The evidence is the comparison that is worst for hybrid,
    with the paper's differences there.

    Args:
        text: of the claim.
        by_benchmark: benchmark -> `question_values`.
        labels: of measures of which more is better.
        against: the other strategies.
        margin: how far behind is still level.
        languages: benchmark -> query languages, where it is about these only.
    """
    compared = [
        (benchmark, other, label) for benchmark in by_benchmark for other in against for label in labels
    ]
    rows = []
    for benchmark, other, label in compared:
        hybrid, others = by_benchmark[benchmark][HYBRID], by_benchmark[benchmark][other]
        difference, low, high = significance.interval(hybrid, others, label)
        _, _, corrected_high = significance.interval(hybrid, others, label, comparisons=len(compared))
        shown = f"{benchmark}, {label} against {other}: {difference:+.3f} [{low:+.3f}, {high:+.3f}]"
        shown += printed(benchmark, label, other, (languages or {}).get(benchmark))
        rows.append(_Comparison(difference, verdict(low, corrected_high, margin), shown))
    if not rows:
        return Claim(text, OPEN, "no such languages")
    verdicts = [row.verdict for row in rows]
    count = f"{verdicts.count(HELD)} of {len(rows)} surely so, {verdicts.count(NOT_HELD)} surely not; least: "
    return Claim(text, overall(verdicts), (count if len(rows) > 1 else "") + min(rows).shown)


def printed(benchmark: str, label: str, other: str, languages: Sequence[str] | None = None) -> str:
    """What the paper printed for hybrid minus another strategy, for each of its encoders."""
    table = published.headline(benchmark, languages)
    if label not in table:
        return ""
    by_encoder = table[label].unstack()
    differences = by_encoder[published.PRINTED_AS[HYBRID]] - by_encoder[published.PRINTED_AS[other]]
    shown = ", ".join(f"{str(encoder).split()[0]} {value:+.3f}" for encoder, value in differences.items())
    return f" (the paper: {shown})"


def one_encoder(claim: Claim) -> Claim:
    """A claim about two encoders, judged on one: it can fail, but not hold."""
    found = NOT_HELD if claim.verdict == NOT_HELD else OPEN
    return replace(claim, verdict=found, evidence=f"one encoder only: {claim.evidence}")


def less_bias(text: str, by_benchmark: Mapping[str, Values]) -> Claim:
    """Hybrid has much less language bias than monolingual batches.

    Much: a lower rank distance by at least the smallest share that the paper printed on any of its encoders
    and these benchmarks.
    """
    label = "rank distance"
    reductions: list[float] = []
    for benchmark in by_benchmark:
        distance = published.headline(benchmark)[label].unstack()
        reductions.extend(1 - distance[published.PRINTED_AS[HYBRID]] / distance[published.PRINTED_AS[MONO]])
    much = min(reductions)
    verdicts, evidence = [], []
    for benchmark, values in by_benchmark.items():
        hybrid, mono = values[HYBRID], values[MONO]
        level = pd.concat([of_run[label] for of_run in mono]).mean()
        # a change is of ranks and negative; a reduction is a share of X-X-mono's distance, so its ends swap
        change, low, high = significance.interval(hybrid, mono, label)
        least, most = -high / level, -low / level
        _, corrected_low, _ = significance.interval(hybrid, mono, label, comparisons=len(by_benchmark))
        verdicts.append(verdict(least - much, -corrected_low / level - much))
        evidence.append(f"{benchmark}: {-change / level:.0%} lower [{least:.0%}, {most:.0%}]")
    return Claim(text, overall(verdicts), f"{'; '.join(evidence)}; the paper's smallest is {much:.0%}")


def alphas(text: str, runs: Sequence[Run], benchmark: str) -> Claim:
    """Alpha .4 to .6 is about equal, in multilingual mAP.

    Held if the intervals of .4 and .6 against .5 lie within the margin, not held if one lies outside; open with
    fewer than two seeds of them, for seeds differ too.
    """
    label = "Mul mAP"
    by_alpha = tables.by_alpha(runs, benchmark).groupby("alpha")[label].mean()
    shown = ", ".join(f"{alpha:g}: {value:.3f}" for alpha, value in by_alpha.items())
    evidence = f"{benchmark}, multilingual mAP at alpha {shown} (means over seeds)"
    names = {alpha: str(Strategy("hybrid", alpha)) for alpha in (0.4, 0.5, 0.6)}
    of_alpha = {
        alpha: {run.seed: run for run in runs if run.strategy == name and run.fraction == 1}
        for alpha, name in names.items()
    }
    seeds = sorted(set.intersection(*map(set, of_alpha.values())))
    if len(seeds) < 2:
        return Claim(text, OPEN, f"{evidence}; {len(seeds) or 'no'} seed of .4, .5 and .6")
    values = {
        alpha: question_values([by_seed[seed] for seed in seeds], benchmark)[names[alpha]]
        for alpha, by_seed in of_alpha.items()
    }
    found = []
    for alpha in (0.4, 0.6):
        _, low, high = significance.interval(values[alpha], values[0.5], label, comparisons=2)
        is_outside = low > MARGIN or high < -MARGIN
        found.append(NOT_HELD if is_outside else HELD if low > -MARGIN and high < MARGIN else OPEN)
    return Claim(text, overall(found), evidence)


def settings(text: str, runs: Mapping[str, Run]) -> Claim:
    """The benchmarks have as many cross-lingual and multilingual settings as the paper counts.

    Args:
        text: of the claim.
        runs: benchmark -> any run evaluated on it.
    """
    found = {}
    for benchmark, run in runs.items():
        pools = run.ranks(benchmark)[["task", "query_language", "candidate_language"]].drop_duplicates()
        found[benchmark] = (
            int((pools["task"] == "crosslingual").sum()),
            int((pools["task"] == "multilingual").sum()),
        )
    same = all(counts == SETTINGS.get(benchmark) for benchmark, counts in found.items())
    evidence = "; ".join(f"{benchmark}: {pairs} and {merged}" for benchmark, (pairs, merged) in found.items())
    return Claim(text, NOT_HELD if not same else HELD if set(found) == set(SETTINGS) else OPEN, evidence)


def leaks(text: str, found: Mapping[str, Mapping[str, int]], encoder: str) -> Claim:
    """Evaluation data was never seen in training.

    Of what an encoder saw before it was fine-tuned nothing is known, so the claim is never more than open.

    Args:
        text: of the claim.
        found: benchmark -> exact and near duplicates of it in the training corpus (`recording.recorded_leaks`).
        encoder: its name.
    """
    counts = "; ".join(
        f"{benchmark}: {values['exact']} exact and {values['near']} near duplicates in the training corpus"
        for benchmark, values in found.items()
    )
    leaked = any(values["exact"] for values in found.values())
    before = f"what {encoder} was trained on before cannot be checked here"
    return Claim(text, NOT_HELD if leaked else OPEN, f"{counts or 'not searched'}; {before}")


def where_it_pays(runs: Sequence[Run], benchmark: str, seed: int = 0) -> pd.DataFrame:
    """Hybrid minus X-X-mono and X-Y at every fraction of the data, of one seed, as text with 95 % intervals.

    The intervals are over questions: of these encoders.

    Returns:
        Index (fraction, against), a column a measure of `tables.MAIN`; fractions without hybrid are left out.
    """
    of_fraction: dict[float, list[Run]] = {}
    for run in runs:
        if run.seed == seed:
            of_fraction.setdefault(run.fraction, []).append(run)
    rows = []
    for fraction, trained in sorted(of_fraction.items()):
        values = question_values(trained, benchmark)
        for other in (MONO, CROSS):
            if {HYBRID, other} <= set(values):
                labels = [label for label in tables.MAIN if label in values[HYBRID][0]]
                shown = {label: _with_interval(label, values[HYBRID], values[other]) for label in labels}
                rows.append({"fraction": f"{fraction:g}", "against": other, **shown})
    keys = ["fraction", "against"]
    return pd.DataFrame(rows, columns=None if rows else keys).set_index(keys)


def _with_interval(label: str, first: Sequence[pd.DataFrame], second: Sequence[pd.DataFrame]) -> str:
    """ "-0.004 [-0.013, +0.005]" """
    ends = significance.interval(first, second, label)
    difference, low, high = (MEASURES[label].format(end, "+") for end in ends)
    return f"{difference} [{low}, {high}]"
