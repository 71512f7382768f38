"""What all figures share: colours, markers, panels, and how they are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from report.figures.drawn import note

from hybridnb.measures.catalogue import MAIN, TASK_NAMES
from hybridnb.report.figures import look
from hybridnb.report.figures.languages import language_points, language_shares, pair_heatmaps
from hybridnb.report.figures.scores import curves, differences, strategies_by_task
from hybridnb.report.figures.training import validation_curves
from hybridnb.report.tables import headline, language_bias, languages, sweeps
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED


def test_strategies_differ_in_lightness_and_marker() -> None:
    names = [NOT_TRAINED, "X-X-mono", "X-Y", "hybrid(0.5)"]
    lightness = sorted(np.dot(colour, (0.299, 0.587, 0.114)) for colour in look.palette(names).values())
    assert np.diff(lightness).min() > 0.14
    assert len(set(look.markers(names).values())) == 4


def test_a_strategy_keeps_its_colour() -> None:
    colours = look.palette(["X-Y", "X-Y", "X-X-mono"])
    assert list(colours) == ["X-Y", "X-X-mono"]
    assert colours["X-Y"] != colours["X-X-mono"]
    with_baseline = look.palette([NOT_TRAINED, "X-Y", "X-X-mono"])
    assert with_baseline == {NOT_TRAINED: look.GREY, **colours}


def test_many_panels_stand_in_rows_of_two() -> None:
    table = pd.DataFrame(np.eye(2), index=["de", "en"], columns=["de", "en"])
    panels = pair_heatmaps({f"s{n}": table for n in range(5)}).axes[:5]
    assert [panel.get_title() for panel in panels] == ["s0", *(f"s{n} minus s0" for n in range(1, 5))]
    grid = [panel.get_subplotspec() for panel in panels]
    assert [(cell.rowspan.start, cell.colspan.start) for cell in grid] == [
        (0, 0), (0, 1), (1, 0), (1, 1), (2, 0),
    ]  # fmt: skip


def test_every_figure_says_in_words_what_it_shows(
    scores: pd.DataFrame, runs: list[Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "FIGURES", tmp_path)
    shown = look.save(strategies_by_task(scores, 2000), "study", "strategies")
    _, metadata = shown._repr_mimebundle_()
    assert "rank distance: X-X-mono 410, X-Y 110" in metadata["image/png"]["alt"]
    assert metadata["image/png"]["alt"] in (tmp_path / "study" / "strategies.svg").read_text(encoding="utf-8")
    pairs = pair_heatmaps(languages.language_pairs(runs, "toy")).get_label()
    assert pairs == (
        "mAP x 100, query language by candidate language, heat maps: X-X-mono from 21 to 71; "
        "X-Y minus X-X-mono from -1 to +20."
    )


def test_a_saved_figure_is_the_same_file_again(
    scores: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "FIGURES", tmp_path)
    content = []
    for _ in range(2):
        look.save(strategies_by_task(scores, 2000), "study", "strategies")
        content.append([path.read_bytes() for path in sorted((tmp_path / "study").iterdir())])
    assert content[0][0].startswith(b"\x89PNG") and b"<svg" in content[0][1]
    assert content[0] == content[1]
    assert plt.get_fignums() == []


def test_what_cannot_be_drawn_is_said(scores: pd.DataFrame, runs: list[Run]) -> None:
    nowhere = languages.by_language(runs, "toy", "Mo nDCG@10")
    assert note(language_points(nowhere, "mAP", "By language")) == (
        "By language: mAP is not defined on this benchmark."
    )
    assert "no such pairs of languages" in note(pair_heatmaps({}))
    assert "no such pairs of languages" in note(language_shares({}))
    reference = scores.iloc[0]
    assert note(curves(sweeps.by_fraction(runs, "toy"), "fraction", "toy", reference)) == (
        "toy: there are no runs at several values of fraction."
    )
    assert "nothing was trained" in note(validation_curves(pd.DataFrame({"step": []})))
    compared = pd.DataFrame({"against": [NOT_TRAINED], "measure": ["Mo mAP"]})
    assert note(differences(compared, "toy")) == "toy: there are no others."


@pytest.mark.parametrize("tasks", [["monolingual"], ["crosslingual", "multilingual"], ["multilingual"]])
@pytest.mark.parametrize("strategies", [["X-Y"], [NOT_TRAINED, "X-X-mono", "hybrid(0.5)"]])
def test_a_study_of_any_tasks_and_one_seed_has_all_figures(
    tasks: Sequence[str], strategies: Sequence[str], draw_run: Callable[..., Run]
) -> None:
    drawn = [draw_run(name, spread=20 + n, tasks=tasks) for n, name in enumerate(strategies)]
    scores = headline.scores(drawn, "toy")
    panels = [axes.get_title() for axes in strategies_by_task(scores, 3000).axes]
    assert panels[: len(tasks)] == [f"{TASK_NAMES[task]} mAP" for task in tasks]
    assert len(panels) == len(tasks) + ("multilingual" in tasks)
    pairs = pair_heatmaps(languages.language_pairs(drawn, "toy"))
    titles = [axes.get_title() for axes in pairs.axes if axes.get_title()]
    others = [f"{name} minus {strategies[0]}" for name in strategies[1:]]
    assert titles == ([] if tasks == ["multilingual"] else [strategies[0], *others])
    for label in ("Mul mAP", "rank distance"):
        (axes,) = language_points(languages.by_language(drawn, "toy", label), label, "title").axes
        assert len(axes.containers) == (len(strategies) if "multilingual" in tasks else 0)
    reference = headline.by_strategy(scores).iloc[0]
    alpha = curves(sweeps.by_alpha(drawn, "toy"), "alpha", "title", reference)
    assert len(alpha.axes) == len([label for label in MAIN if label in scores])
    (axes,) = language_points(language_bias.apart(drawn, "toy"), "distance", "title", of="passage").axes
    assert len(axes.containers) == len(strategies) and axes.get_xlabel() == "passage language"
