"""The paper's claims, each with a verdict computed from the runs: held, not held, or cannot be said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from hybridnb import published, significance, tables
from hybridnb.runs import Run
from hybridnb.settings import Study

MONO, CROSS, HYBRID = published.STRATEGIES.values()
MARGIN = 0.005
"""mAP within which two strategies are "level"."""
HELD, NOT_HELD, OPEN = "held", "not held", "cannot be said"

Contributions = Mapping[str, Sequence[pd.DataFrame]]
"""strategy -> `significance.contributions` of its runs."""


def table(
    study: Study,
    finished: Sequence[Run],
    swept: Sequence[Run],
    added: Mapping[str, Contributions],
    leaked: Mapping[str, Mapping[str, int]],
) -> pd.DataFrame:
    """Every claim with its verdict and evidence, one a row.

    finished, swept: the study's main runs, and those of its sweeps on its first benchmark. added: benchmark ->
    `contributions` of the main runs. leaked: see `leaks`.
    """
    first = study.benchmarks[0]
    unseen = {
        benchmark: contributions(finished, benchmark, languages)
        for benchmark in study.benchmarks
        if (languages := tables.unseen_languages(finished, benchmark))
    }
    level = ["Mo mAP", "Cr mAP"]
    best = ["Cr mAP", "Mul mAP"]
    made = {
        "hybrid is best in multilingual retrieval": ahead(added, ["Mul mAP"]),
        "hybrid is at least level in monolingual and cross-lingual retrieval": ahead(
            added, level, margin=MARGIN
        ),
        "hybrid beats both baselines from either initialisation": one_encoder(ahead(added, best)),
        "hybrid has much less language bias than monolingual batches": less_bias(added),
        "the gain holds for languages unseen in training": ahead(unseen, ["Mul mAP"]),
        "alpha from .4 to .6 makes little difference": alphas([*finished, *swept], first),
        "110 and 11 settings on XQuAD-R, 42 and 7 on MLQA-R": settings(dict.fromkeys(added, finished[0])),
        "evaluation data is never seen in training": leaks(leaked, study.encoder.model),
    }
    rows = [(claim, verdict, evidence) for claim, (verdict, evidence) in made.items()]
    return pd.DataFrame(rows, columns=["claim", "verdict", "evidence"]).set_index("claim")


def one_encoder(judged: tuple[str, str]) -> tuple[str, str]:
    """A claim about two encoders, judged on one: it can fail, but not hold."""
    found, evidence = judged
    return (found if found == NOT_HELD else OPEN), f"one encoder only: {evidence}"


def contributions(
    runs: Sequence[Run], benchmark: str, query_languages: Sequence[str] | None = None
) -> Contributions:
    """strategy -> what each question adds to the figures, a table a run; of queries in these languages only."""
    result: dict[str, list[pd.DataFrame]] = {}
    for run in runs:
        ranks = run.ranks(benchmark)
        if query_languages is not None:
            ranks = ranks[ranks["query_language"].isin(query_languages)]
        result.setdefault(run.strategy, []).append(significance.contributions(ranks))
    return result


def verdict(low: float, high: float, margin: float = 0.0) -> str:
    """Whether a difference with this interval is above -margin: surely, surely not, or neither."""
    return HELD if low > -margin else NOT_HELD if high < -margin else OPEN


def overall(verdicts: Sequence[str]) -> str:
    """Held if all held, not held if any did not, else open."""
    if NOT_HELD in verdicts:
        return NOT_HELD
    return HELD if verdicts and set(verdicts) == {HELD} else OPEN


def ahead(
    by_benchmark: Mapping[str, Contributions],
    figures: Sequence[str],
    against: Sequence[str] = (MONO, CROSS),
    margin: float = 0.0,
) -> tuple[str, str]:
    """(verdict, evidence) of: hybrid is ahead of these strategies, or behind by less than the margin."""
    verdicts, evidence = [], []
    for benchmark, of_strategy in by_benchmark.items():
        for other in against:
            for figure in figures:
                difference, low, high = significance.interval(of_strategy[HYBRID], of_strategy[other], figure)
                verdicts.append(verdict(low, high, margin))
                evidence.append(
                    f"{benchmark}, {figure} against {other}: {difference:+.3f} [{low:+.3f}, {high:+.3f}]"
                )
    return overall(verdicts), "; ".join(evidence)


def less_bias(by_benchmark: Mapping[str, Contributions]) -> tuple[str, str]:
    """(verdict, evidence) of: much less language bias than monolingual batches.

    Much: a lower rank distance by at least the smallest share that the paper printed on any of its encoders
    and these benchmarks.
    """
    shares: list[float] = []
    for benchmark in by_benchmark:
        printed = published.headline(benchmark)["rank distance"].unstack()
        shares.extend(1 - printed["hybrid"] / printed[MONO])
    much = min(shares)
    verdicts, evidence = [], []
    for benchmark, of_strategy in by_benchmark.items():
        ends = significance.interval(of_strategy[HYBRID], of_strategy[MONO], "rank distance")
        mono = pd.concat([table["rank distance"] for table in of_strategy[MONO]]).mean()
        lower, high, low = (-end / mono for end in ends)
        verdicts.append(verdict(low - much, high - much))
        evidence.append(f"{benchmark}: {lower:.0%} lower [{low:.0%}, {high:.0%}]")
    return overall(verdicts), "; ".join(evidence) + f"; the paper's smallest is {much:.0%}"


def settings(runs: Mapping[str, Run]) -> tuple[str, str]:
    """(verdict, evidence) of: 110 cross-lingual and 11 multilingual settings on XQuAD-R, 42 and 7 on MLQA-R."""
    wanted = {"xquad-r": (110, 11), "mlqa-r": (42, 7)}
    found = {}
    for benchmark, run in runs.items():
        pools = run.ranks(benchmark)[["task", "query_language", "candidate_language"]].drop_duplicates()
        count = pools["task"].value_counts()
        found[benchmark] = (int(count["crosslingual"]), int(count["multilingual"]))
    same = all(found[benchmark] == wanted[benchmark] for benchmark in found)
    missing = OPEN if set(found) != set(wanted) else HELD
    evidence = "; ".join(f"{benchmark}: {pairs} and {merged}" for benchmark, (pairs, merged) in found.items())
    return (missing if same else NOT_HELD), evidence


def leaks(found: Mapping[str, Mapping[str, int]], encoder: str) -> tuple[str, str]:
    """(verdict, evidence) of: evaluation data was never seen in training.

    found: benchmark -> exact and near duplicates of it in the training corpus (recorded by `record`). Of what an
    encoder saw before it was fine-tuned nothing is known, so the claim is never more than open.
    """
    counts = "; ".join(
        f"{benchmark}: {values['exact']} exact and {values['near']} near duplicates in the training corpus"
        for benchmark, values in found.items()
    )
    leaked = any(values["exact"] for values in found.values())
    return (NOT_HELD if leaked else OPEN), f"{counts}; what {encoder} was tuned on before is not known here"


def alphas(runs: Sequence[Run], benchmark: str) -> tuple[str, str]:
    """(verdict, evidence) of: alpha .4 to .6 about equal. Open unless the ends of that range were run."""
    table = tables.alpha_table(runs, benchmark)
    inside = table[(table.index >= 0.4) & (table.index <= 0.6)]
    shown = ", ".join(f"{alpha:g}: {value:.3f}" for alpha, value in table["Mul mAP"].items())
    evidence = f"{benchmark}, multilingual mAP at alpha {shown} (seed 0)"
    if {0.4, 0.6} - set(inside.index):
        return OPEN, f"{evidence}; .4 and .6 were not run"
    spread = inside["Mul mAP"].max() - inside["Mul mAP"].min()
    return (HELD if spread <= MARGIN else NOT_HELD), evidence
