"""The paper's measures by the value of a setting that was swept: alpha, or the fraction of the training documents."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from hybridnb.report.tables.headline import scores
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED
from hybridnb.training.strategies import Strategy


def by_alpha(runs: Sequence[Run], benchmark: str) -> pd.DataFrame:
    """The paper's measures by alpha, a row a run on all data; X-Y is alpha 0 and X-X-mono 1.

    Returns:
        alpha, seed and the labels of `HEADLINE`; runs of other strategies are left out, and seeds that not every alpha
        has: the means of other seeds beside them would show what seeds do.
    """
    table = scores([run for run in runs if run.fraction == 1], benchmark)
    table.insert(0, "alpha", table.pop("strategy").map(_alpha))
    table = table.dropna(subset="alpha").sort_values(["alpha", "seed"], ignore_index=True)
    return _matched(table, ["alpha"])


def _alpha(strategy: str) -> float | None:
    return None if strategy == NOT_TRAINED else Strategy.parse(strategy).alpha_equivalent


def by_fraction(runs: Sequence[Run], benchmark: str) -> pd.DataFrame:
    """The paper's measures by fraction of the training documents, of strategies trained on several.

    Returns:
        strategy, fraction, seed and the labels of `HEADLINE`, a row a run, of the seeds that are there throughout.
    """
    fractions: dict[str, set[float]] = {}
    for run in runs:
        fractions.setdefault(run.strategy, set()).add(run.fraction)
    several = [run for run in runs if len(fractions[run.strategy]) > 1]
    table = scores(several, benchmark)
    table.insert(1, "fraction", [run.fraction for run in several])
    return _matched(table, ["strategy", "fraction"])


def _matched(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """The rows of the seeds that are there with every value of some columns."""
    with_seed = table.drop_duplicates([*by, "seed"])["seed"].value_counts()
    values = len(table.drop_duplicates(by))
    return table[table["seed"].map(with_seed) == values].reset_index(drop=True)
