"""Sentences and verdicts computed from tables: what a notebook ends with is never typed."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.corpora.parallel import ParallelCorpus
from hybridnb.report import published
from hybridnb.report.tables import by_strategy, scores
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED
from hybridnb.training.batching import Strategy

LOWER_IS_BETTER = {"rank distance"}


def effects(scores: pd.DataFrame) -> pd.DataFrame:
    """Does the paper's effect show? One row a claim about X-X-mono against each strategy with mixed batches.

    Claims (arXiv 2408.10536): mixed batches raise cross-lingual and multilingual mAP and lower the rank distance;
    X-X-mono stays ahead of pure X-Y in the monolingual task. Values are means over seeds; "held" says whether the
    claim held in how many of the seeds.
    """
    present = list(dict.fromkeys(scores["strategy"]))
    if "X-X-mono" not in present:
        return pd.DataFrame(columns=["claim", "X-X-mono", "other", "held"])
    claims = [
        (column, other, column not in LOWER_IS_BETTER)
        for other in present
        if other not in (NOT_TRAINED, "X-X") and Strategy.parse(other).mono_share < 1
        for column in ("Cr mAP", "Mul mAP", "rank distance")
    ]
    if "X-Y" in present:
        claims.append(("Mo mAP", "X-Y", False))
    claims = [claim for claim in claims if claim[0] in scores]
    by_seed = scores.set_index(["strategy", "seed"])
    rows = []
    for column, other, higher in claims:
        mono, mixed = by_seed[column].xs("X-X-mono"), by_seed[column].xs(other)
        seeds = mono.index.intersection(mixed.index)
        held = (mixed[seeds] > mono[seeds]) if higher else (mixed[seeds] < mono[seeds])
        rows.append(
            {
                "claim": f"{other} has {'higher' if higher else 'lower'} {column} than X-X-mono",
                "X-X-mono": mono[seeds].mean(),
                "other": mixed[seeds].mean(),
                "held": f"{held.sum()} of {len(seeds)} seeds",
            }
        )
    return pd.DataFrame(rows, columns=["claim", "X-X-mono", "other", "held"])


def retrieval(scores: pd.DataFrame, benchmark: str) -> str:
    """Which strategy leads each task, and by how much, as Markdown."""
    mean = by_strategy(scores)
    seeds = scores["seed"].nunique()
    over = f"means over {seeds} seeds of what was trained" if seeds > 1 else "one seed"
    lines = [f"On **{benchmark}** ({over}):", ""]
    for column, task in (("Mo mAP", "monolingual"), ("Cr mAP", "cross-lingual"), ("Mul mAP", "multilingual")):
        if column in mean:
            ranking = mean[column].sort_values(ascending=False)
            text = ", ".join(f"{strategy} {value:.3f}" for strategy, value in ranking.items())
            lines.append(f"- {task} retrieval, mAP: {text}.")
    if seeds > 1 and "Mul mAP" in scores:
        spread = scores.groupby("strategy")["Mul mAP"].agg(lambda v: v.max() - v.min()).max()
        lines.append(f"- seeds of one strategy differ by up to {spread:.3f} in multilingual mAP.")
    return "\n".join(lines)


def bias(scores: pd.DataFrame, pool: int, own_share: Mapping[str, float]) -> str:
    """How far apart the answers of a query stand, and whose passages fill the first ten, as Markdown."""
    mean = by_strategy(scores).get("rank distance", pd.Series(dtype=float)).sort_values()

    lines = [
        f"- the best and the worst placed answer of a query are {value:,.0f} ranks apart with {strategy} "
        f"({value / pool:.1%} of the pool of {pool:,});"
        for strategy, value in mean.items()
    ]
    shares = ", ".join(f"{share:.0%} with {strategy}" for strategy, share in own_share.items())
    lines.append(f"- of the first ten candidates, {shares} are in the query's own language.")
    return "\n".join(lines)


def training(run: Run, history: pd.DataFrame) -> str:
    """What one fine-tuning run did, as Markdown."""
    info = run.info
    validation = history.dropna(subset="validation").set_index("step")
    best = validation.loc[info["best_step"]]
    lowest = "and lowest, " if info["settings"]["training"]["keep_best"] else "and at the last one "
    kinds = [
        (k, t)
        for k, t in (("validation_mono", "monolingual"), ("validation_cross", "cross-lingual"))
        if k in best
    ]
    parts = ", ".join(f"{title} {best[kind]:.3f}" for kind, title in kinds)
    since = f" since step {info['resumed_at_step']}" if info["resumed_at_step"] else ""
    return (
        f"**{run.label}**: {info['steps']} batches, {info['pairs_seen']:,} pairs, {info['seconds']:.0f} s{since}. The "
        f"validation loss was {validation['validation'].iloc[0]:.3f} at step {validation.index[0]} {lowest}"
        f"{best['validation']:.3f}, at step {info['best_step']}, whose weights are kept: {parts}."
    )


def corpus(corpus: ParallelCorpus, benchmark: Benchmark, leaks: pd.DataFrame) -> str:
    """What a corpus is good for, and what of the benchmark stands in it, as Markdown."""
    index = corpus.index
    everywhere = int((index.has_query & index.has_passage).all(1).sum())
    exact = leaks[leaks["kind"] == "exact"].drop_duplicates(["part", "language", "benchmark_id"])
    found = exact["part"].value_counts()
    asked = sum(len(queries) for queries in benchmark.queries.values())
    pool = sum(len(texts) for texts in benchmark.candidates.values())
    return (
        f"**{corpus.name}** has {len(corpus):,} items in {len(corpus.languages)} languages, {everywhere:,} of them in "
        f"all ({everywhere / len(corpus):.0%}). Of **{benchmark.name}**, {found.get('query', 0):,} of {asked:,} "
        f"questions and {found.get('passage', 0):,} of {pool:,} candidates stand in it word for word."
    )


def beside_paper(runs: Sequence[Run], benchmarks: Sequence[str], strategy: str) -> str:
    """In which figures a strategy is better here than the paper's encoders are with the same, as Markdown."""
    lines = []
    for benchmark in benchmarks:
        mine = by_strategy(scores(runs, benchmark)).loc[strategy].to_dict()
        printed = published.headline(benchmark).xs(published.PRINTED_AS[strategy], level="strategy")
        for encoder, theirs in printed.iterrows():
            parts: dict[str, list[str]] = {"better": [], "not better": []}
            for figure, value in theirs.dropna().to_dict().items():
                lower = figure in LOWER_IS_BETTER
                better = mine[figure] < value if lower else mine[figure] > value
                digits = 0 if lower else 3
                shown = f"{figure} ({mine[figure]:.{digits}f}, {value:.{digits}f})"
                parts["better" if better else "not better"].append(shown)
            told = "; ".join(f"{how} in {', '.join(shown)}" for how, shown in parts.items() if shown)
            lines.append(f"- **{benchmark}**, {strategy} here against {encoder}: {told}.")
    return "\n".join(lines)


def conclusion(
    runs: Sequence[Run], tested: Mapping[str, pd.DataFrame], hybrid: str, verdicts: Sequence[str]
) -> str:
    """How much bias the strategies remove, at what cost, and how sure that is: three sentences, as Markdown.

    tested: benchmark -> `significance.against` of the hybrid strategy with the others. verdicts: of the claims.
    """
    means = {benchmark: by_strategy(scores(runs, benchmark)) for benchmark in tested}
    lines = []
    for what, figure in (("Language bias", "rank distance"), ("Its price within a language", "Mo mAP")):
        digits = 0 if figure in LOWER_IS_BETTER else 3
        parts = []
        for benchmark, mean in means.items():
            values = mean[figure].drop(NOT_TRAINED, errors="ignore")
            shown = ", ".join(f"{value:,.{digits}f} ({strategy})" for strategy, value in values.items())
            before = mean[figure].get(NOT_TRAINED)
            start = "" if before is None else f" from {before:,.{digits}f} without fine-tuning"
            parts.append(f"on {benchmark}{start} to {shown}")
        lines.append(f"1. {what}: {figure} goes {'; '.join(parts)}.")
    seeds = sum(run.strategy == hybrid for run in runs)
    differences = []
    for benchmark, table in tested.items():
        for other, rows in table[table["against"] != NOT_TRAINED].groupby("against", sort=False):
            shown = ", ".join(map(_with_interval, rows.to_dict("records")))
            differences.append(f"{other} on {benchmark}: {shown}")
    count = pd.Series(verdicts).value_counts()
    told = ", ".join(f"{n} {verdict}" for verdict, n in count.items())
    lines.append(
        f"1. How sure that is: {hybrid} over {seeds} seeds, against {'; against '.join(differences)} (95 % intervals). "
        f"Of {len(verdicts)} claims of the paper, {told}."
    )
    return "\n".join(lines)


def _with_interval(row: Mapping[Hashable, Any]) -> str:
    digits = 0 if row["figure"] in LOWER_IS_BETTER else 3
    difference, low, high = (f"{row[end]:+,.{digits}f}" for end in ("difference", "low", "high"))
    return f"{row['figure']} {difference} [{low}, {high}]"
