"""Typological distances: from the file or from lang2vec the same, and what is said where there is neither."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hybridnb.corpora import uriel
from hybridnb.corpora.scripts import script
from hybridnb.corpora.source import ForeignDataWarning, MissingData

ELEVEN = ["ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh"]


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data directory, and an empty cache."""
    monkeypatch.setenv("HYBRIDNB_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_the_file_and_lang2vec_say_the_same(real_data: Path, nowhere: Path) -> None:
    kept, computed = uriel.distances(ELEVEN, real_data), uriel.distances(ELEVEN)
    assert list(kept) == list(computed) == list(uriel.FEATURES)
    for name, table in kept.items():
        pd.testing.assert_frame_equal(table, computed[name])


def test_of_other_languages_they_are_computed(nowhere: Path) -> None:
    tables = uriel.distances({"fi", "sw", "hu", "qu", "no"})
    for table in tables.values():
        values = table.to_numpy()
        assert list(table.index) == list(table.columns) == ["fi", "hu", "no", "qu", "sw"]
        assert (values == values.T).all() and (np.diag(values) == 0).all()
        assert (values[~np.eye(5, dtype=bool)] > 0).all() and (values <= 1).all()
    assert tables["fam"].at["fi", "hu"] < tables["fam"].at["fi", "sw"] == 1


def test_a_distance_is_over_what_is_known_of_both() -> None:
    features = np.array([[1.0, 0.0, 1.0, -1.0], [1.0, 1.0, -1.0, 1.0], [0.5, 1.0, 1.0, 1.0]])
    naive = np.zeros((3, 3))
    for i, a in enumerate(features):
        for j, b in enumerate(features):
            known = [(x, y) for x, y in zip(a, b, strict=True) if x >= 0 and y >= 0]
            dot = sum(x * y for x, y in known)
            naive[i, j] = 1 - dot / (sum(x * x for x, _ in known) * sum(y * y for _, y in known)) ** 0.5
    assert uriel._cosine_distances(features) == pytest.approx(naive)


def test_without_either_both_remedies_are_named(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uriel, "_lang2vec", lambda: None)
    with pytest.raises(MissingData, match=r"HYBRIDNB_DATA.*uriel/lang_distances.json.*hybridnb\[typology\]"):
        uriel.distances(["de", "en"])


def test_a_language_that_the_file_lacks_needs_lang2vec(
    real_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uriel, "_lang2vec", lambda: None)
    with pytest.raises(MissingData, match=r"has no sw: `pip install 'hybridnb\[typology\]'`"):
        uriel.distances(["de", "sw"], real_data)


def test_an_unknown_language_is_named(nowhere: Path) -> None:
    with pytest.raises(ValueError, match="URIEL does not know qqq: leave that out"):
        uriel.distances(["de", "qqq"])


def test_what_is_not_known_of_a_language_is_nan(nowhere: Path) -> None:
    tables = uriel.distances(["de", "fil", "fr"])
    assert tables["syntax_average"]["fil"].isna().all()
    assert tables["syntax_average"].at["de", "fr"] > 0
    assert tables["syntax_knn"].notna().all(axis=None)


def test_a_damaged_file_is_named(nowhere: Path) -> None:
    file = nowhere / "uriel" / "lang_distances.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"geo": {"langs": ["de"]}}))
    with (
        pytest.warns(ForeignDataWarning, match="uriel is not the published one"),
        pytest.raises(ValueError, match=r"lang_distances.json is damaged \(KeyError"),
    ):
        uriel.distances(["de"])


def test_scripts() -> None:
    assert [script(code) for code in ELEVEN] == [
        *("Arab", "Latn", "Grek", "Latn", "Latn", "Deva", "Cyrl", "Thai", "Latn", "Latn", "Hans")
    ]
