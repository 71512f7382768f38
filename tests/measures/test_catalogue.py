"""The table of measures is what metrics.json, tables and tests of significance follow."""

from __future__ import annotations

import numpy as np
import pytest

from hybridnb.measures.catalogue import MEASURES, Measure
from hybridnb.retrieval.ranks_table import TASKS

HEADLINE = ["Mo mAP", "Cr mAP", "Mul mAP", "Mo R@1", "Cr R@1", "Mul R@10", "rank distance"]


def test_the_papers_figures_in_their_order():
    assert [label for label, measure in MEASURES.items() if measure.headline] == HEADLINE


def test_labels_and_keys_are_one_to_one():
    assert all(measure.label == label for label, measure in MEASURES.items())
    assert len({(measure.task, measure.name) for measure in MEASURES.values()}) == len(MEASURES)
    assert {measure.task for measure in MEASURES.values()} == set(TASKS)


def test_only_distances_are_better_when_low():
    assert [label for label, measure in MEASURES.items() if not measure.higher_is_better] == ["rank distance"]


@pytest.mark.parametrize("measure", MEASURES.values(), ids=lambda measure: measure.label)
def test_a_better_ranking_has_the_better_value(measure: Measure):
    good, bad = measure.per_query(np.array([[1, 2, 3], [200, 300, 900]], dtype=float))
    assert good > bad if measure.higher_is_better else good < bad


@pytest.mark.parametrize(
    ("label", "form", "text"),
    [
        ("Mo mAP", "", "0.123"),
        ("Cr R@1", "+", "+0.123"),
        ("rank distance", "", "0"),
        ("Mul MRR", ">7", "  0.123"),
    ],
)
def test_digits(label: str, form: str, text: str):
    assert MEASURES[label].format(0.1234, form) == text


def test_a_value_alone_has_its_digits() -> None:
    assert MEASURES["Mo mAP"].format(0.1234) == "0.123"
