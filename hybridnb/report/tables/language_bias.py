"""Language bias: how far apart the answers to a query stand, whose passages come first, and what that does to measures.

In every function `runs` were evaluated on `benchmark`, a name or path.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from itertools import permutations

import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist

from hybridnb.corpora import benchmark_name
from hybridnb.measures import bias
from hybridnb.measures.answers import by_place
from hybridnb.measures.catalogue import BIAS
from hybridnb.report.tables.headline import by_strategy, of_run
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED


def ranked(runs: Sequence[Run], benchmark: str) -> list[Run]:
    """The runs that have ranks tables of a benchmark: of large studies they are recorded of some seeds alone."""
    return [run for run in runs if run.is_ranked(benchmark) or not run.is_compared(benchmark)]


def ranked_seeds(runs: Sequence[Run], benchmark: str) -> str:
    """Of how many seeds there are ranks tables, in a sentence; "" where it is all."""
    trained = [run for run in runs if run.strategy != NOT_TRAINED]
    kept, seeds = ({run.seed for run in part} for part in (ranked(trained, benchmark), trained))
    if len(ranked(runs, benchmark)) == len(runs):
        return ""
    return (
        f"What follows is of ranks tables, which are recorded of {len(kept)} of {len(seeds)} seeds "
        f"on {benchmark_name(benchmark)}."
    )


def bias_table(runs: Sequence[Run], benchmark: str) -> pd.DataFrame:
    """One row a run that has its ranks table: what that says of language bias, means over query languages, and a test.

    Returns:
        Index strategy; seed, the labels of `catalogue.BIAS` (NaN where one says nothing), Kendall's W (of
        `bias.friedman`: whether a language's queries prefer the same languages) and in how many query languages its p
        is below 0.001.
    """
    rows = []
    for run in ranked(runs, benchmark):
        ranks = run.ranks(benchmark)
        with warnings.catch_warnings(action="ignore"):  # that PEER is constant is seen in the table
            means = bias.by_query_language(ranks).mean(skipna=False)
        test = bias.friedman(ranks)
        sure = f"{(test['p_value'] < 0.001).sum()} of {len(test)}"
        found = {"Kendall's W": test["kendalls_w"].mean(), "languages with p < 0.001": sure}
        rows.append({**of_run(run), **means, **found})
    columns = ["strategy", "seed", *BIAS, "Kendall's W", "languages with p < 0.001"]
    return pd.DataFrame(rows, columns=columns).set_index("strategy")


def places(runs: Sequence[Run], benchmark: str) -> pd.DataFrame:
    """What the best, the second best .. answer adds to multilingual mAP (see `answers.by_place`), means over the seeds
    that have ranks tables.

    Returns:
        Index place, a column a strategy; a column's sum is the mAP.
    """
    parts: dict[str, list[pd.Series[float]]] = {}
    for run in ranked(runs, benchmark):
        parts.setdefault(run.strategy, []).append(by_place(run.ranks(benchmark)))
    return pd.DataFrame({strategy: pd.concat(part, axis=1).mean(axis=1) for strategy, part in parts.items()})


def where_mrr_misleads(places: pd.DataFrame, bias: pd.DataFrame) -> list[str]:
    """Where MRR prefers one strategy and mAP the other, in the merged pool, and why.

    MRR sees a query's best answer alone, mAP all of them; the best answer mostly is in the query's own language.

    Args:
        places: of `places`.
        bias: of `bias_table`, of the same runs.

    Returns:
        A sentence for each such pair of strategies.
    """
    means = bias.groupby(level="strategy", sort=False)[["MRR", "own language first"]].mean()
    said = []
    for one, other in permutations(places.columns, 2):
        apart, mrr = places[one] - places[other], means["MRR"][one] - means["MRR"][other]
        if mrr > 0 > apart.sum():
            own = means["own language first"][[one, other]]
            said.append(
                f"{one} is ahead of {other} in MRR ({mrr:+.3f}) and behind in mAP ({apart.sum():+.3f}): the best "
                f"answer of a query adds {apart.iloc[0]:+.4f} to mAP, the others {apart.iloc[1:].sum():+.4f}. It is in "
                f"the query's own language in {own[one]:.0%} of the queries, with {other} in {own[other]:.0%}."
            )
    return said


def top_languages(runs: Sequence[Run], benchmark: str) -> dict[str, pd.DataFrame]:
    """Whose candidates come first.

    Returns:
        Strategy -> query language x candidate language: share of the first ten candidates, mean over seeds.
    """
    shares: dict[str, list[pd.DataFrame]] = {}
    for run in runs:
        table = run.top_languages(benchmark)
        pivot = table.pivot(index="query_language", columns="candidate_language", values="share")
        shares.setdefault(run.strategy, []).append(pivot)
    return {strategy: sum(tables[1:], tables[0]) / len(tables) for strategy, tables in shares.items()}


def own_shares(runs: Sequence[Run], benchmark: str) -> pd.DataFrame:
    """How many of the first ten candidates are in the language of the query.

    Returns:
        strategy, seed, query_language and value, in %.
    """
    parts = []
    for run in runs:
        table = run.top_languages(benchmark)
        own = table[table["query_language"] == table["candidate_language"]]
        parts.append(own.assign(value=100 * own["share"], **of_run(run)))
    return pd.concat(parts, ignore_index=True)[["strategy", "seed", "query_language", "value"]]


def first_languages(runs: Sequence[Run], benchmark: str) -> pd.DataFrame:
    """How mixed the first ten candidates are, against the pool: means over query languages and seeds.

    Returns:
        Index strategy; the columns of `bias.first_languages`.
    """
    parts = [
        bias.first_languages(run.top_languages(benchmark), run.pools(benchmark))
        .mean(skipna=False)
        .rename(run.strategy)
        for run in runs
    ]
    table = pd.DataFrame(parts).rename_axis("strategy")
    return table.groupby(level="strategy", sort=False).mean()


def bias_in_short(scores: pd.DataFrame, pool: int, shares: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """How far apart a query's answers stand, and how many of the first ten are in its own language.

    Args:
        pool: candidates in all.
        shares: of `top_languages`.

    Returns:
        Index strategy; rank distance, the same in % of the pool, and the % of the query's language among the first
        ten candidates, mean over query languages; NaN where a value is not defined.
    """
    distance = by_strategy(scores).reindex(columns=["rank distance"])["rank distance"]
    own = {
        strategy: pd.Series([table.at[code, code] for code in table.index if code in table]).mean()
        for strategy, table in shares.items()
    }
    return pd.DataFrame(
        {
            "rank distance": distance,
            "% of the pool": 100 * distance / pool,
            "% own language among the first ten": 100 * pd.Series(own).reindex(distance.index),
        }
    )


def apart(runs: Sequence[Run], benchmark: str) -> pd.DataFrame:
    """How far passages lie from the middle of their translations, in the vectors of a few parallel answers.

    With m(a) the mean of the unit vectors of answer a in all its languages: |v - m(a)|, mean over the answers of a
    language, divided by the mean of |m(a) - m(b)| over pairs of answers. 0: as near as can be; 1: as far as another
    answer.

    Returns:
        strategy, seed, query_language (of the passage) and value, of each strategy's first run, where its answers
        are kept (see `results.parallel_answers`): they are recorded where ranks tables are.
    """
    parts = []
    first = {run.strategy: run for run in reversed(runs)}
    for run in (run for run in ranked(runs, benchmark) if first[run.strategy] is run):
        vectors = run.answers(benchmark).astype(float)
        middles = vectors.groupby(level="answer").transform("mean")
        to_middle = pd.Series(np.linalg.norm(vectors - middles, axis=1), vectors.index)
        between = pdist(middles.groupby(level="answer").first())
        of_language = (to_middle.groupby(level="language").mean() / between.mean()).rename("value")
        parts.append(of_language.rename_axis("query_language").reset_index().assign(**of_run(run)))
    columns = ["strategy", "seed", "query_language", "value"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
