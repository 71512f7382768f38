"""Differences between systems as text with 95 % intervals: hybrid batches against others, and where they pay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from hybridnb.corpora import benchmark_name
from hybridnb.measures.catalogue import MAIN, MEASURES
from hybridnb.measures.significance import interval
from hybridnb.report.claims.hypotheses import debiased
from hybridnb.report.claims.matching import Systems
from hybridnb.report.paragraphs import paragraphs
from hybridnb.report.published import HYBRID
from hybridnb.report.tables.headline import CROSS, MONO
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED


def question_values(runs: Sequence[Run], benchmark: str) -> Mapping[str, Sequence[pd.DataFrame]]:
    """Strategy -> what each question adds to the main measures (`Run.question_values`), a table a run."""
    result: dict[str, list[pd.DataFrame]] = {}
    for run in runs:
        result.setdefault(run.strategy, []).append(run.question_values(benchmark))
    return result


def against(runs: Sequence[Run], benchmark: str, first: str = HYBRID) -> pd.DataFrame:
    """A system minus batches of one language, X-Y, the encoder as it is and one matrix: as text with 95 % intervals.

    With one seed the intervals are over questions alone: of these encoders.

    Args:
        runs, benchmark: as of `deciding.claims`.
        first: the system, by its name.

    Returns:
        Index (against, seeds), a column a measure of `catalogue.MAIN`; what has no runs is left out.
    """
    others = MONO, CROSS, NOT_TRAINED, debiased(NOT_TRAINED)
    return _table(list(_rows(Systems(runs), benchmark, first, others)), ["against", "seeds"])


def where_it_pays(runs: Sequence[Run], benchmark: str) -> pd.DataFrame:
    """Hybrid minus X-X-mono and X-Y at every fraction of the data, over matched seeds, as text with 95 % intervals.

    With one seed the intervals are over questions alone: of these encoders.

    Returns:
        Index (fraction, against, seeds), a column a measure of `catalogue.MAIN`; fractions without hybrid are left out.
    """
    rows = [
        {"fraction": f"{fraction:g}", **row}
        for fraction in sorted({run.fraction for run in runs})
        for row in _rows(Systems(runs, fraction), benchmark, HYBRID, (MONO, CROSS))
    ]
    return _table(rows, ["fraction", "against", "seeds"])


def _rows(systems: Systems, benchmark: str, first: str, others: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Against each other system that there are runs of: how many seeds, and a difference for each measure."""
    clusters = paragraphs(benchmark_name(benchmark))
    for other in others:
        of_first, of_other = (
            [systems.values(run, benchmark, unseen=False) for run in side]
            for side in systems.matched(first, other, benchmark)
        )
        if of_first and of_other:
            labels = [label for label in MAIN if label in of_first[0]]
            shown = {
                label: MEASURES[label].with_interval(*interval(of_first, of_other, label, clusters))
                for label in labels
            }
            yield {"against": other, "seeds": len(of_first), **shown}


def _table(rows: Sequence[Mapping[str, Any]], keys: list[str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=None if rows else keys).set_index(keys)
