"""All systems of a study side by side."""

from __future__ import annotations

import pandas as pd
import pytest

from hybridnb.measures.catalogue import MAIN
from hybridnb.measures.metrics_file import pack
from hybridnb.report.tables import headline, systems
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED


def test_systems_are_runs_with_and_without_what_was_put_on_them(ranked_runs: list[Run]) -> None:
    of = systems.systems(ranked_runs, "toy", ["means", "one-map"])
    assert list(of) == [(NOT_TRAINED, ""), (NOT_TRAINED, "one-map"), ("X-Y", "")]
    table = headline.by_strategy(systems.systems_table(of, "toy"))
    assert list(table.index) == [NOT_TRAINED, "one-map", "X-Y"]
    assert table.loc["one-map", "Mul mAP"] > table.loc[NOT_TRAINED, "Mul mAP"]


def test_levels_are_the_measures_with_intervals_around_them(ranked_runs: list[Run]) -> None:
    of = systems.systems(ranked_runs, "toy")
    table = systems.levels(of, "toy")
    for (strategy, _), runs in of.items():
        rows = table[table["strategy"] == strategy].set_index("measure")
        for label, measure in MAIN.items():
            values = [pack(run.ranks("toy"))[measure.task][measure.name] for run in runs]
            assert rows.loc[label, "value"] == pytest.approx(sum(values) / len(values))
            assert rows.loc[label, "low"] <= rows.loc[label, "value"] <= rows.loc[label, "high"]


def test_unseen_languages_are_read_off_the_most_sentences(tried: pd.DataFrame) -> None:
    table = systems.unseen_table(tried)
    assert table.loc["means", "Mul mAP"].to_dict() == {"fitted with them": 0.3, "without": 0.25}
