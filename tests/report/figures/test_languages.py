"""Measures by language: what is drawn is what the tables say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from report.figures.drawn import heights

from hybridnb.report.figures import look
from hybridnb.report.figures.data import coverage
from hybridnb.report.figures.languages import language_points, language_shares, pair_heatmaps, placed
from hybridnb.report.tables import languages
from hybridnb.study.runs import Run

LANGUAGES = ("de", "en", "sw")


def test_heatmaps_are_the_first_strategy_and_differences_from_it(runs: list[Run]) -> None:
    pairs = languages.language_pairs(runs, "toy")
    first, second = (axes for axes in pair_heatmaps(pairs).axes if axes.get_title())
    assert (first.get_title(), second.get_title()) == ("X-X-mono", "X-Y minus X-X-mono")
    for axes, table in ((first, pairs["X-X-mono"]), (second, pairs["X-Y"] - pairs["X-X-mono"])):
        drawn = np.asarray(axes.collections[0].get_array()).reshape(3, 3)
        assert drawn == pytest.approx(100 * table.to_numpy())
        assert [label.get_text() for label in axes.get_xticklabels()] == list(LANGUAGES)
    assert [text.get_text() for text in second.texts][1] == "+20"
    shares = {name: table / 2 for name, table in pairs.items()}
    figure = language_shares(shares)
    assert np.asarray(figure.axes[0].collections[0].get_array()).reshape(3, 3) == pytest.approx(
        50 * pairs["X-X-mono"].to_numpy()
    )
    marked = [tick.get_text() for axes in figure.axes for tick in axes.get_yticklabels()]
    assert "33 = equal" in marked


def test_many_languages_have_every_label_and_no_numbers() -> None:
    codes = [f"x{number:02d}" for number in range(36)]
    tables = {name: pd.DataFrame(0.5, codes, codes) for name in ("X-X-mono", "X-Y")}
    for figure in (pair_heatmaps(tables), coverage(tables["X-Y"], "items")):
        panel = figure.axes[0]
        assert [label.get_text() for label in panel.get_xticklabels()] == codes
        assert [label.get_text() for label in panel.get_yticklabels()] == codes
        assert not panel.texts
    few = pair_heatmaps({name: table.iloc[:11, :11] for name, table in tables.items()})
    assert len(few.axes[0].texts) == 121


def test_unseen_languages_are_starred(runs: list[Run]) -> None:
    table = languages.by_language(runs, "toy", "Mul mAP")
    figure = language_points(table, "mAP", "title", unseen=["sw"], mark=(0.1, "a mark"))
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["de", "en", "sw*"]
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named == ["X-X-mono", "X-Y", "range of the seeds"]
    shapes = look.markers(["X-X-mono", "X-Y"])
    assert heights(axes, shapes["X-X-mono"]) == pytest.approx([0.22, 0.22, 0.12])
    assert heights(axes, shapes["X-Y"]) == pytest.approx([0.31, 0.31, 0.21])
    assert "not trained on" in axes.get_xlabel() and axes.texts[0].get_text() == "a mark"
    plain = language_points(table, "mAP", "title").axes[0]
    assert plain.get_xlabel() == "query language"


def test_answers_are_placed_by_rank_and_none_is_written_over_another() -> None:
    ranks = pd.Series({"de": 1, "en": 40, "th": 1500, "ru": 41, "tr": 42, "el": 43})
    figure = placed({"X-Y": ranks, "X-X-mono": 2 * ranks}, 13_014)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts if text.get_text()[-1].isdigit()] == ["1,499", "2,998"]
    figure.canvas.draw()
    for row in range(2):
        named = [text for text in axes.texts if text.xy[1] == row and text.get_text() in ranks]
        boxes = [text.get_window_extent() for text in named]
        assert len(boxes) == 6
        assert not any(a.overlaps(b) for n, a in enumerate(boxes) for b in boxes[:n])
