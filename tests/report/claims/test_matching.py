"""Runs of two systems stand side by side."""

from __future__ import annotations

from collections.abc import Callable

from hybridnb.report.claims import hypotheses, matching
from hybridnb.report.published import HYBRID
from hybridnb.report.tables.headline import CROSS
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED

LANGUAGES = ("de", "en", "vi")
"""Runs are trained on de and en."""

Draw = Callable[..., Run]


def test_seeds_are_matched_and_the_encoder_as_it_is_stands_against_all(
    runs: list[Run], draw_run: Draw
) -> None:
    more = draw_run(HYBRID, 7, spread=10, draw=3, languages=LANGUAGES)
    systems = matching.Systems([*runs, more])
    first, second = systems.matched(HYBRID, CROSS, "toy")
    assert [run.seed for run in first] == [run.seed for run in second] == [0, 1]
    first, second = systems.matched(HYBRID, hypotheses.debiased(NOT_TRAINED), "toy")
    assert [run.seed for run in first] == [0, 1, 7] and len(second) == 1
    small = draw_run(CROSS, 7, spread=10, fraction=0.5)
    assert matching.Systems([*runs, small]).by_name[CROSS].keys() == {0, 1}
