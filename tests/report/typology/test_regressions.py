"""What explains gains, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from hybridnb.measures.mantel import regression
from hybridnb.report.typology import distances, gains, regressions, values
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED

CODES = ("de", "en", "hi", "ru", "th", "vi")


def test_what_explains_a_gain_is_corrected_and_told_from_where_pairs_began(
    named: dict[str, values.System],
) -> None:
    places = np.random.default_rng(0).normal(size=(2, len(CODES), 2))
    x = {
        name: pd.DataFrame(np.linalg.norm(p[:, None] - p, axis=2), CODES, CODES)
        for name, p in zip(("one", "two"), places, strict=True)
    }
    gained = {"X-Y": gains.gains(named[NOT_TRAINED], named["X-Y"], "Cr mAP")}
    table = regressions.explained(gained, x)
    assert table.index.names == ["system", "of", "predictor"]
    assert len(table) == 4 * 2 and (table["p_holm"] >= table["p"]).all()
    response = gains.matrix(gained["X-Y"], "gain")
    alone = regression(response, {"two": x["two"]}).loc["two"]
    pd.testing.assert_series_equal(table.loc[("X-Y", "gain", "two")].drop("p_holm"), alone, check_names=False)
    began = gains.matrix(gained["X-Y"], "before")
    beside = regression(response, {"two": x["two"], "began": (began + began.T) / 2}).loc["two", "slope"]
    assert table.loc[("X-Y", "gain, given before", "two"), "slope"] == pytest.approx(beside)
    both = regression(response, x)["slope"]
    together = regressions.explained(gained, x, ["one", "two", "not known"]).xs(("X-Y", "gain"))["slope"]
    assert together.tolist() == pytest.approx(both.tolist())


def test_what_was_found_is_told_in_words(named: dict[str, values.System]) -> None:
    gained = {"X-Y": gains.all_gains(named, "Cr mAP")["X-Y"]}
    response = gains.matrix(gained["X-Y"], "gain")
    both = (response + response.T) / 2
    noise = pd.DataFrame(np.random.default_rng(0).normal(size=(6, 6)), CODES, CODES)
    x = {"same": both, "noise": noise + noise.T}
    explained = regressions.explained(gained, x)
    grouped = gains.group_gains(named, "Cr mAP", {"all": values.pairs_of(named["X-Y"], "Cr mAP")})
    told = regressions.findings(explained, "Cr mAP", grouped)
    assert told[0].startswith("X-Y, mean gain in Cr mAP: +0.")
    assert told[1].startswith("X-Y, what goes along with the gain: 1 of 2 are sure: same (slope +1.00, p 0.0")
    assert told[2].startswith("X-Y, what goes along with the gain, given before: ")
    assert told[3].startswith("one-map, mean gain")
    assert "15 pairs, but no more than 6 independent units" in regressions.power(gained, x, "noise")
    assert regressions.power(gained, x, "not known") == ""
    wide = explained.assign(low=-1.0)
    assert "none is sure; the nearest is same" in regressions.findings(wide, "Cr mAP", grouped)[1]
    assert not regressions.as_text(wide)["X-Y"].str.contains("*", regex=False).any()
    text = regressions.as_text(explained)
    assert text.at[("gain", "same"), "X-Y"].startswith("+1.00 [+1.00, +1.00] p 0.0")
    drawn, notes = regressions.scatter(gained, x, "same", explained)
    assert notes["X-Y"].startswith("r = +1.00, p = 0.0") and len(drawn["X-Y"]) == 15
    assert regressions.scatter(gained, x, "not known", explained) == ({}, {})


def test_of_few_languages_nothing_is_told(draw_run: Callable[..., Run]) -> None:
    runs = [draw_run(name, spread=n, languages=("de", "en")) for name, n in ((NOT_TRAINED, 90), ("X-Y", 9))]
    gained = gains.all_gains(values.systems(runs, "toy", ["X-Y"]), "halvings")
    found, _ = distances.predictors(["de", "en"], ["de"])
    explained = regressions.explained(gained, found)
    assert len(explained) == 0 == len(regressions.as_text(explained))
    assert regressions.findings(explained, "halvings", pd.DataFrame(columns=["system", "group"])) == []
    assert regressions.power(gained, found, "geo") == ""
    assert regressions.scatter(gained, found, "geo", explained)[1] == {"X-Y": ""} or "geo" not in found
