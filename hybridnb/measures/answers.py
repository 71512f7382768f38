"""The answers to each query in the merged pool, and what their ranks and languages say of it: a number a query.

`catalogue.BIAS` says which of them are reported, and how. In what the functions return, NaN is a query that says
nothing of the matter, and infinite one of which it is not known because an answer is not retrieved.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from hybridnb.measures.formulas import Values
from hybridnb.retrieval.ranks_table import of_task


@dataclass(frozen=True)
class Answers:
    """The answers to the queries of the multilingual task, one query after the other, the best answer first.

    Args:
        asked, question: [queries], the language of each query, and the id that it shares with its translations.
        pool: [queries], how many candidates there are.
        starts: [queries], where its answers begin.
        language, rank: [answers]; infinite: not retrieved.
    """

    asked: NDArray[np.str_]
    question: NDArray[np.str_]
    pool: Values
    starts: NDArray[np.int64]
    language: NDArray[np.str_]
    rank: Values

    @classmethod
    def of(cls, ranks: pd.DataFrame) -> Answers:
        """The answers in a ranks table of one data set; none where it lacks the task.

        Raises:
            ValueError: it is no ranks table.
        """
        rows = of_task(ranks, "multilingual")
        keys = ["query_language", "query_id"]
        query = rows.groupby(keys, observed=True, sort=False).ngroup().to_numpy()
        rank = rows["rank"].to_numpy(dtype=np.float64, na_value=np.inf)
        order = np.lexsort([rank, query])
        starts = np.flatnonzero(np.diff(query[order], prepend=-1))
        first = rows.iloc[order[starts]]
        return cls(
            first["query_language"].to_numpy(dtype=str),
            first["query_id"].to_numpy(dtype=str),
            first["pool_size"].to_numpy(dtype=np.float64),
            starts,
            rows["relevant_language"].to_numpy(dtype=str)[order],
            rank[order],
        )

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """[queries]: how many answers each has."""
        return np.diff(self.starts, append=len(self.rank))

    @cached_property
    def query(self) -> NDArray[np.int64]:
        """[answers]: the number of the query."""
        return np.repeat(np.arange(len(self.starts)), self.counts)

    @cached_property
    def place(self) -> NDArray[np.int64]:
        """[answers]: 1 for a query's best answer, 2 for the next."""
        return np.arange(len(self.rank)) - self.starts[self.query] + 1

    @cached_property
    def own(self) -> NDArray[np.bool_]:
        """[answers]: whether it is in the language of the query."""
        return self.language == self.asked[self.query]

    @cached_property
    def own_count(self) -> NDArray[np.int64]:
        """[queries]: how many answers are in its language."""
        return np.bincount(self.query, self.own, minlength=len(self.starts)).astype(np.int64)

    @cached_property
    def has_choice(self) -> NDArray[np.bool_]:
        """[queries]: whether there are answers in its language and in others."""
        return (self.own_count > 0) & (self.own_count < self.counts)

    @cached_property
    def languages(self) -> NDArray[np.int64]:
        """[queries]: in how many languages there are answers."""
        seen = pd.DataFrame({"query": self.query, "language": self.language}).drop_duplicates()
        return np.bincount(seen["query"], minlength=len(self.starts))

    def total(self, values: Values) -> Values:
        """[answers] -> [queries]: the sum over a query's answers."""
        return np.add.reduceat(values, self.starts) if len(self.starts) else values


def first_rank(answers: Answers) -> Values:
    """The rank of the best answer."""
    return answers.rank[answers.starts]


def worst_rank(answers: Answers) -> Values:
    """The rank of the worst answer: how far one has to read to have them all.

    Source: coverage, Tsoumakas, Katakis and Vlahavas, Mining multi-label data (2010).
    """
    return answers.rank[answers.starts + answers.counts - 1]


def rank_distance(answers: Answers) -> Values:
    """Rank of the worst minus rank of the best answer (arXiv 2408.10536)."""
    worst = worst_rank(answers)
    # nothing retrieved at all: not known either, where inf - inf would be NaN
    return np.where(np.isinf(worst), np.inf, worst - np.where(np.isinf(worst), 0, first_rank(answers)))


def distance_in_pool(answers: Answers) -> Values:
    """The rank distance as a share of the candidates, so that pools of other sizes compare."""
    return rank_distance(answers) / answers.pool


def complete_at(answers: Answers, k: int) -> Values:
    """1 where all answers are among the first k, else 0."""
    return (worst_rank(answers) <= k).astype(np.float64)


def own_first(answers: Answers) -> Values:
    """1 where the best answer is in the language of the query, else 0; of queries with answers in theirs and others."""
    known = answers.has_choice & np.isfinite(first_rank(answers))
    return np.where(known, answers.own[answers.starts], np.nan)


def own_share(answers: Answers) -> Values:
    """The share of answers in the language of the query: what `own_first` would be on average without preference."""
    return np.where(answers.has_choice, answers.own_count / answers.counts, np.nan)


def reciprocal_first(answers: Answers) -> Values:
    """Reciprocal rank of the queries that are answered in their language and in others."""
    return np.where(answers.has_choice, 1 / first_rank(answers), np.nan)


def precision_with_own(answers: Answers) -> Values:
    """Average precision of the queries that are answered in their language and in others."""
    found = answers.total(answers.place / answers.rank) / answers.counts
    return np.where(answers.has_choice, found, np.nan)


def precision_without_own(answers: Answers) -> Values:
    """Average precision once the answers in the query's language are taken out of the pool.

    The others move up by as many as stood before them: with b_i of those before the i-th answer of rank r_i,
    AP = 1/R' * sum over the R' others of (i - b_i) / (r_i - b_i). LAReQA (arXiv 2004.05484) removes one target from
    the pool to see how much of a score is owed to the query's own language.
    """
    until: NDArray[np.int64] = np.cumsum(answers.own)
    before = until - (until - answers.own)[answers.starts][answers.query]
    terms = np.where(answers.own, 0.0, (answers.place - before) / (answers.rank - before * ~answers.own))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = answers.total(terms) / (answers.counts - answers.own_count)
    return np.where(answers.has_choice, found, np.nan)


def equal_expected_rank(answers: Answers) -> Values:
    """PEER: the p-value of answers in all languages having the same expected rank, by the test of Kruskal and Wallis.

    With N answers in G languages, the n_g answers in language g of summed places R_g (1 to N, equal ranks sharing
    theirs), H = (12 / (N (N + 1)) * sum R_g^2 / n_g - 3 (N + 1)) / (1 - sum (t^3 - t) / (N^3 - N)), t the sizes of
    groups of equal ranks, and p = P(chi^2 of G - 1 degrees of freedom >= H); 1 with one language. Of the relevant
    candidates only, for those are what a ranks table has.
    Source: Yang, Jänich, Mayfield and Lawrie, Language fairness in multilingual information retrieval (SIGIR 2024,
    arXiv 2405.00978).

    Warns:
        UserWarning: no language has two answers to any query. Then H is N - 1 whatever the ranking.
    """
    rows = pd.DataFrame({"query": answers.query, "rank": answers.rank, "language": answers.language})
    rows["place"] = rows.groupby("query")["rank"].rank()
    groups = rows.groupby(["query", "language"])["place"].agg(["sum", "size"])
    if len(groups) and (groups["size"] == 1).all():
        warnings.warn(
            "PEER is the same for every ranking here: it needs queries with several answers in a language",
            stacklevel=2,
        )
    size = answers.counts.astype(np.float64)
    squares = (groups["sum"] ** 2 / groups["size"]).groupby("query").sum().to_numpy()
    ties = rows.groupby(["query", "rank"]).size()
    tied = (ties**3 - ties).groupby("query").sum().to_numpy()
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = (12 / (size * (size + 1)) * squares - 3 * (size + 1)) / (1 - tied / (size**3 - size))
        p = stats.chi2.sf(statistic, answers.languages - 1)
    return np.where((answers.languages < 2) | ~np.isfinite(statistic), 1.0, p)


def consistency(answers: Answers) -> Values:
    """How alike a question's translations order its answers: Spearman's correlation, mean over pairs of translations.

    Ordered are the answers' languages, by the best answer in each. With m translations whose orders, made zero in mean
    and one in length, are z_1 .. z_m, it is (|z_1 + .. + z_m|^2 - m) / (m (m - 1)): 1 where all order alike, and then
    so does Kendall's W = (1 + (m - 1) * it) / m. Every translation gets its question's value.
    Mean rank correlation (MRC, arXiv 2509.06195) compares the first k candidates of parallel queries; a ranks table
    knows the answers' ranks only, so this is ours and its values are not that paper's.
    """
    if not len(answers.rank):
        return np.empty(0)
    rows = pd.DataFrame({"query": answers.query, "language": answers.language, "rank": answers.rank})
    order = rows.pivot_table(index="query", columns="language", values="rank", aggfunc="min").rank(axis=1)
    centred = order.sub(order.mean(axis=1), axis=0).fillna(0).to_numpy()
    length = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    unit = np.divide(centred, length, out=np.zeros_like(centred), where=length > 0)
    by_question = pd.Series(answers.question)
    number = pd.factorize(by_question)[0]
    together = np.zeros((number.max() + 1, unit.shape[1]))
    np.add.at(together, number, unit)
    alone = np.bincount(number, (unit**2).sum(axis=1))
    asked = np.bincount(number).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = ((together**2).sum(axis=1) - alone) / (asked * (asked - 1))
    # an order of one language is no order
    return np.where(answers.languages > 1, found[number], np.nan)


def by_place(ranks: pd.DataFrame) -> pd.Series[float]:
    """What the best, the second best .. answer adds to multilingual mAP, averaged as that is.

    The i-th of R answers adds i / (R r_i); the first one's part is the reciprocal rank over R.

    Args:
        ranks: the ranks table of one data set.

    Returns:
        Index place, from 1; the sum is the mAP.
    """
    answers = Answers.of(ranks)
    weight = dict(pd.Series(answers.asked).value_counts())
    each: dict[Hashable, int] = {language: count * len(weight) for language, count in weight.items()}
    shares = answers.place / answers.rank / answers.counts[answers.query]
    weighted = shares / pd.Series(answers.asked).map(each).to_numpy()[answers.query]
    return pd.Series(weighted).groupby(answers.place).sum().rename_axis("place")
