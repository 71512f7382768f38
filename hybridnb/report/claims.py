"""The paper's claims, each with a verdict computed from the runs: held, not held, or cannot be said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from hybridnb.measures import significance
from hybridnb.report import published, tables
from hybridnb.study.runs import Run
from hybridnb.study.settings import Study

MONO, CROSS, HYBRID = published.STRATEGIES.values()
MARGIN = 0.005
"""mAP within which two strategies are "level"."""
HELD, NOT_HELD, OPEN = "held", "not held", "cannot be said"

Contributions = Mapping[str, Sequence[pd.DataFrame]]
"""strategy -> `significance.question_values` of its runs."""


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
    unseen_languages = {
        benchmark: languages
        for benchmark in study.benchmarks
        if (languages := tables.unseen_languages(finished, benchmark))
    }
    unseen = {
        benchmark: contributions(finished, benchmark, languages)
        for benchmark, languages in unseen_languages.items()
    }
    level = ["Mo mAP", "Cr mAP"]
    made = {
        "hybrid is best in multilingual retrieval": ahead(added, ["Mul mAP"]),
        "hybrid is at least level in monolingual and cross-lingual retrieval": ahead(
            added, level, margin=MARGIN
        ),
        "hybrid beats both baselines in all three tasks, from either initialisation": one_encoder(
            ahead(added, [*level, "Mul mAP"])
        ),
        "hybrid has much less language bias than monolingual batches": less_bias(added),
        **{
            f"hybrid is ahead of {other} in multilingual retrieval for languages unseen in fine-tuning": ahead(
                unseen, ["Mul mAP"], [other], languages=unseen_languages
            )
            for other in (MONO, CROSS)
        },
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
        result.setdefault(run.strategy, []).append(significance.question_values(ranks))
    return result


def verdict(low: float, high: float, margin: float = 0.0) -> str:
    """Whether a difference with this interval is above -margin: surely, surely not, or neither."""
    return HELD if low > -margin else NOT_HELD if high < -margin else OPEN


def where_it_pays(runs: Sequence[Run], benchmark: str, seed: int = 0) -> pd.DataFrame:
    """Hybrid minus X-X-mono and X-Y at every share of the data, of one seed, as text with 95 % intervals.

    Index (share, against); a column a figure. The intervals are over questions: of these encoders.
    """
    of_share: dict[float, list[Run]] = {}
    for run in runs:
        if run.seed == seed:
            of_share.setdefault(run.share, []).append(run)
    rows = {}
    for share, trained in sorted(of_share.items()):
        added = contributions(trained, benchmark)
        for other in (MONO, CROSS):
            if {HYBRID, other} <= set(added):
                texts = {}
                for figure in ("Mo mAP", "Cr mAP", "Mul mAP", "rank distance"):
                    ends = significance.interval(added[HYBRID], added[other], figure)
                    digits = 0 if figure == "rank distance" else 3
                    texts[figure] = "{:+.{d}f} [{:+.{d}f}, {:+.{d}f}]".format(*ends, d=digits)
                rows[f"{share:g}", other] = texts
    table = pd.DataFrame.from_dict(rows, orient="index")
    return table.rename_axis(["share", "against"])


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
    languages: Mapping[str, Sequence[str]] | None = None,
) -> tuple[str, str]:
    """(verdict, evidence) of: hybrid is ahead of these strategies, or behind by less than the margin, everywhere.

    Held if every 95 % interval says so (intersection-union test); not held if one says the contrary at a confidence
    corrected for the number of comparisons (Bonferroni). The evidence is the comparison that is worst for hybrid,
    with the paper's differences there. languages: benchmark -> query languages, where it is about these only.
    """
    rows = []
    compared = [(b, o, f) for b in by_benchmark for o in against for f in figures]
    for benchmark, other, figure in compared:
        runs = by_benchmark[benchmark][HYBRID], by_benchmark[benchmark][other]
        difference, low, high = significance.interval(*runs, figure)
        _, _, corrected_high = significance.interval(*runs, figure, comparisons=len(compared))
        found = verdict(low, corrected_high, margin)
        text = f"{benchmark}, {figure} against {other}: {difference:+.3f} [{low:+.3f}, {high:+.3f}]"
        rows.append(
            (difference, found, text + printed(benchmark, figure, other, (languages or {}).get(benchmark)))
        )
    if not rows:
        return OPEN, "no such languages"
    verdicts = [verdict for _, verdict, _ in rows]
    count = f"{verdicts.count(HELD)} of {len(rows)} surely so, {verdicts.count(NOT_HELD)} surely not; least: "
    _, _, least = min(rows)
    return overall(verdicts), (count if len(rows) > 1 else "") + least


def printed(benchmark: str, figure: str, other: str, languages: Sequence[str] | None = None) -> str:
    """What the paper printed for hybrid minus another strategy, for each of its encoders."""
    table = published.headline(benchmark, languages)
    if figure not in table:
        return ""
    by_encoder = table[figure].unstack()
    differences = by_encoder[published.PRINTED_AS[HYBRID]] - by_encoder[published.PRINTED_AS[other]]
    shown = ", ".join(f"{str(encoder).split()[0]} {value:+.3f}" for encoder, value in differences.items())
    return f" (the paper: {shown})"


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
        runs = of_strategy[HYBRID], of_strategy[MONO]
        mono = pd.concat([table["rank distance"] for table in of_strategy[MONO]]).mean()
        lower, high, low = (-end / mono for end in significance.interval(*runs, "rank distance"))
        _, corrected, _ = significance.interval(*runs, "rank distance", comparisons=len(by_benchmark))
        verdicts.append(verdict(low - much, -corrected / mono - much))
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
    before = f"what {encoder} was trained on before cannot be checked here"
    return (NOT_HELD if leaked else OPEN), f"{counts or 'not searched'}; {before}"


def alphas(runs: Sequence[Run], benchmark: str) -> tuple[str, str]:
    """(verdict, evidence) of: alpha .4 to .6 about equal, in multilingual mAP.

    Held if the intervals of .4 and .6 against .5 lie within the margin, not held if one lies outside; open with
    fewer than two seeds of them, for seeds differ too.
    """
    by_alpha = tables.by_alpha(runs, benchmark).groupby("alpha")["Mul mAP"].mean()
    shown = ", ".join(f"{alpha:g}: {value:.3f}" for alpha, value in by_alpha.items())
    evidence = f"{benchmark}, multilingual mAP at alpha {shown} (means over seeds)"
    seeds = {
        alpha: {run.seed: run for run in runs if run.strategy == f"hybrid({alpha})" and run.share == 1}
        for alpha in (0.4, 0.5, 0.6)
    }
    shared = sorted(set.intersection(*map(set, seeds.values())))
    if len(shared) < 2:
        return OPEN, f"{evidence}; {len(shared) or 'no'} seed of .4, .5 and .6"
    added = {a: contributions([seeds[a][s] for s in shared], benchmark)[f"hybrid({a})"] for a in seeds}
    ends = [significance.interval(added[a], added[0.5], "Mul mAP", 2)[1:] for a in (0.4, 0.6)]
    if all(low > -MARGIN and high < MARGIN for low, high in ends):
        return HELD, evidence
    return (NOT_HELD if any(low > MARGIN or high < -MARGIN for low, high in ends) else OPEN), evidence
