"""The one table of measures: what is computed of ranks, what it is called, how it is printed and read.

To add a metric, add a row to `_METRICS`; a measure of one task only, such as one of language bias, is a row of
`MEASURES` itself. metrics.json, tables, tests of significance and figures follow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

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
