"""Languages on a plane, and pairs by their distance: every one is shown."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from hybridnb.report.figures.gains import gain_scatter, language_map
from hybridnb.report.typology import distances, gains

CODES = ("de", "en", "hi", "ru", "th", "vi")
TRAINED = ("de", "en", "hi", "ru", "th")


def test_figures_show_every_language_and_every_pair() -> None:
    found, _ = distances.predictors(CODES, TRAINED)
    distance = pd.DataFrame(np.subtract.outer(range(6), range(6)) ** 2.0, CODES, CODES)
    rng = np.random.default_rng(0)
    rows = [(asked, answered, rng.random()) for asked, answered in permutations(CODES, 2)]
    gained = pd.DataFrame(rows, columns=["query_language", "answer_language", "gain"])
    table = gains.unordered(gained, distance=distance, unseen=found["unseen"])
    assert len(table) == 15
    one = table[(table["one"] == "hi") & (table["other"] == "vi")].iloc[0]
    both = gains.matrix(gained, "gain")
    assert one["gain"] == pytest.approx((both.at["hi", "vi"] + both.at["vi", "hi"]) / 2)
    assert (one["distance"], one["unseen"]) == (9, 1)
    figure = gain_scatter({"X-Y": table}, {"X-Y": "r = 1"}, "apart", "gain")
    (panel,) = figure.axes
    assert panel.get_title() == "X-Y\nr = 1"
    assert [len(np.asarray(dots.get_offsets())) for dots in panel.collections] == [10, 5]
    places = distances.plane(distance**0.5)
    gain = gained.groupby("query_language")["gain"].mean()
    drawn = language_map(places, {"X-Y": gain}, "gain", ["vi"])
    assert [text.get_text() for text in drawn.axes[0].texts] == ["de", "en", "hi", "ru", "th", "vi*"]
    sizes = drawn.axes[0].collections[0].get_sizes()
    assert np.argsort(sizes).tolist() == np.argsort(gain.to_numpy()).tolist()


def test_where_there_is_nothing_to_draw_figures_say_so() -> None:
    for figure in (
        gain_scatter({}, {}, "apart", "mAP"),
        language_map(pd.DataFrame(), {}, "mAP"),
    ):
        assert figure.axes[0].texts[0].get_text().startswith("mAP: there are no distances of languages")
