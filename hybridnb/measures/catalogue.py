"""The one table of measures: what is computed of ranks, what it is called, how it is printed and read.

To add a metric, add a row to `_METRICS`; a measure of one task only is a row of `MEASURES` itself. metrics.json,
tables, tests of significance and figures follow. What else is said of language bias, computed of a ranks table and
not kept in metrics.json, is a row of `BIAS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import pandas as pd

from hybridnb.measures import answers
from hybridnb.measures.answers import Answers
from hybridnb.measures.formulas import (
    Values,
    average_precision,
    ndcg_at,
    rank_distance,
    recall_at,
    reciprocal_rank,
)
from hybridnb.retrieval.ranks_table import Task

TASK_LABELS: dict[Task, str] = {"monolingual": "Mo", "crosslingual": "Cr", "multilingual": "Mul"}
TASK_NAMES = {"monolingual": "monolingual", "crosslingual": "cross-lingual", "multilingual": "multilingual"}


@dataclass(frozen=True)
class Measure:
    """One row of `MEASURES`.

    Args:
        label: the name in tables and figures, "Mo mAP".
        task: the task whose ranks it is computed of.
        name: the key in metrics.json, "map".
        per_query: ranks [queries, R] of the relevant candidates -> one value per query, NaN where it is not known.
        digits: decimals in print.
        higher_is_better: the direction.
        source: where it is defined.
        bounds: the least and the greatest value there can be.
        headline: whether it is one of the paper's figures, which tables show unless they are told otherwise.
        between_languages: whether it compares a query's answers in several languages, and so says nothing of a data
            set where no query has answers in two (MIRACL).
    """

    label: str
    task: Task
    name: str
    per_query: Callable[[Values], Values]
    digits: int
    higher_is_better: bool
    source: str
    bounds: tuple[float, float] = (0, 1)
    headline: bool = False
    between_languages: bool = False

    def format(self, value: float, form: str = "") -> str:
        """A value as text.

        Args:
            value: of this measure, or a difference of two.
            form: what stands before the digits in Python's format: "+" for a sign, "," for thousands.

        Returns:
            The text, with `digits` decimals.

        Example:
            >>> MEASURES["Mo mAP"].format(0.7364), MEASURES["rank distance"].format(-1203.4, "+,")
            ('0.736', '-1,203')
        """
        return f"{value:{form}.{self.digits}f}"

    def rows(self, table: pd.DataFrame) -> pd.DataFrame:
        """What a table with the columns task and metric holds of this measure."""
        return table[(table["task"] == self.task) & (table["metric"] == self.name)]

    def with_interval(self, difference: float, low: float, high: float) -> str:
        """A difference and its interval as text.

        Example:
            >>> MEASURES["Mo mAP"].with_interval(0.02, -0.001, 0.041)
            '+0.020 [-0.001, +0.041]'
        """
        return f"{self.format(difference, '+')} [{self.format(low, '+')}, {self.format(high, '+')}]"


_METRICS: tuple[tuple[str, str, Callable[[Values], Values], str, tuple[str, ...]], ...] = (
    # label, name in metrics.json, formula, source, tasks in which it is one of the paper's figures
    ("mAP", "map", average_precision, "Buckley and Voorhees (SIGIR 2000)", ("Mo", "Cr", "Mul")),
    ("R@1", "recall@1", partial(recall_at, k=1), "recall of trec_eval", ("Mo", "Cr")),
    ("R@10", "recall@10", partial(recall_at, k=10), "recall of trec_eval", ("Mul",)),
    ("R@100", "recall@100", partial(recall_at, k=100), "recall of trec_eval", ()),
    ("nDCG@10", "ndcg@10", partial(ndcg_at, k=10), "Järvelin and Kekäläinen (TOIS 2002)", ()),
    ("MRR", "mrr", reciprocal_rank, "Voorhees (TREC-8, 1999)", ()),
)

MEASURES: dict[str, Measure] = {
    measure.label: measure
    for measure in (
        *(
            Measure(f"{of_task} {label}", task, name, formula, 3, True, source, headline=of_task in headline)
            for label, name, formula, source, headline in _METRICS
            for task, of_task in TASK_LABELS.items()
        ),
        Measure(
            "rank distance", "multilingual", "rank_distance", rank_distance, 0, False, "arXiv 2408.10536",
            bounds=(0, math.inf), headline=True, between_languages=True,
        ),
    )
}  # fmt: skip
"""Label -> measure, in the order of metrics.json and of columns. Mo, Cr, Mul: the three tasks."""

HEADLINE: dict[str, Measure] = {label: measure for label, measure in MEASURES.items() if measure.headline}
"""The paper's measures."""

MAIN: dict[str, Measure] = {
    label: measure
    for label, measure in HEADLINE.items()
    if measure.name == "map" or measure.between_languages
}
"""Those that tests and figures go by, and of which each question's value is kept: mAP of each task, language bias."""


@dataclass(frozen=True)
class BiasMeasure:
    """One row of `BIAS`.

    Args:
        per_query: a number for each query (see `answers`).
        digits: decimals in print.
        better: which way is fairer, or better.
        source: where it is defined.
        over_queries: how a language's queries are averaged; its languages always by the mean.
    """

    per_query: Callable[[Answers], Values]
    digits: int
    better: Literal["higher", "lower", ""]
    source: str
    over_queries: Literal["mean", "median"] = "mean"


BIAS: dict[str, BiasMeasure] = {
    "rank distance": BiasMeasure(answers.rank_distance, 0, "lower", "arXiv 2408.10536"),
    "rank distance, median": BiasMeasure(answers.rank_distance, 0, "lower", "arXiv 2408.10536", "median"),
    "rank distance / pool": BiasMeasure(answers.distance_in_pool, 4, "lower", "ours, of arXiv 2408.10536"),
    "worst rank": BiasMeasure(answers.worst_rank, 0, "lower", "Tsoumakas et al. (2010), coverage"),
    "complete@20": BiasMeasure(partial(answers.complete_at, k=20), 3, "higher", "ours"),
    "complete@100": BiasMeasure(partial(answers.complete_at, k=100), 3, "higher", "ours"),
    "own language first": BiasMeasure(answers.own_first, 3, "lower", "ours"),
    "own language first, by chance": BiasMeasure(answers.own_share, 3, "", "ours"),
    "MRR": BiasMeasure(answers.reciprocal_first, 3, "higher", "Voorhees (TREC-8, 1999)"),
    "mAP": BiasMeasure(answers.precision_with_own, 3, "higher", "Buckley and Voorhees (SIGIR 2000)"),
    "mAP without own language": BiasMeasure(
        answers.precision_without_own, 3, "higher", "after LAReQA, arXiv 2004.05484"
    ),
    "consistency": BiasMeasure(answers.consistency, 3, "higher", "ours, after arXiv 2509.06195"),
    "PEER": BiasMeasure(answers.equal_expected_rank, 3, "higher", "arXiv 2405.00978"),
}
"""Label -> what a ranks table says of language bias in the merged pool."""
