"""What sentences must be like, and their moments against numpy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from debiasing.vectors import offset, unit

from hybridnb.debiasing import SentenceVectors
from hybridnb.debiasing import sentences as module
from hybridnb.debiasing.methods.one_map import pooled
from hybridnb.debiasing.sentences import Statistics

GOOD = unit(np.random.default_rng(0).normal(size=(5, 3)))
LONG, HOLE = GOOD.copy(), GOOD.copy()
LONG[2] *= 2
HOLE[4, 1] = np.nan


@pytest.mark.parametrize(
    ("query", "passage", "message"),
    [
        ({"de": GOOD, "en": GOOD}, {"de": GOOD}, "queries are in de, en, passages in de: give both in every"),
        ({"de": GOOD}, {"de": GOOD}, "two languages or more"),
        ({}, {}, "two languages or more"),
        ({"de": GOOD, "eng": GOOD}, {"de": GOOD, "eng": GOOD}, "'eng' is written 'en' here"),
        ({"de": GOOD, "x y": GOOD}, {"de": GOOD, "x y": GOOD}, "'x y' is no language code"),
        (
            {"de": GOOD, "en": GOOD},
            {"de": GOOD, "en": GOOD[:4]},
            r"passage vectors of 'en' have shape \(4, 3\)",
        ),
        (
            {"de": GOOD, "en": GOOD[:, :2]},
            {"de": GOOD, "en": GOOD},
            r"query vectors of 'en' have shape \(5, 2\)",
        ),
        ({"de": GOOD[0], "en": GOOD[0]}, {"de": GOOD[0], "en": GOOD[0]}, r"have shape \(3,\)"),
        ({"de": GOOD[:0], "en": GOOD[:0]}, {"de": GOOD[:0], "en": GOOD[:0]}, r"have shape \(0, 3\)"),
        (
            {"de": GOOD, "en": LONG},
            {"de": GOOD, "en": GOOD},
            "query vectors of 'en': row 2 has length 2, not 1",
        ),
        ({"de": GOOD, "en": GOOD}, {"de": HOLE, "en": GOOD}, "passage vectors of 'de': row 4 is not finite"),
    ],
)
def test_what_cannot_be_fitted_to_is_named(query: Any, passage: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SentenceVectors(query=query, passage=passage)


def test_moments_are_those_of_numpy_whatever_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 7)
    sentences = offset(count=40, dimension=5)
    rows = np.arange(1, 40, 2)
    statistics = Statistics(sentences, rows)
    sides = {kind: sentences.side(kind) for kind in ("query", "passage")}
    targets = np.mean([v[rows].astype(float) for side in sides.values() for v in side.values()], axis=0)
    for kind, side in sides.items():
        for language, vectors in side.items():
            moments = statistics.moments(kind)[language]
            x = vectors[rows].astype(float)
            both = np.cov(x.T, targets.T, bias=True)
            np.testing.assert_allclose(moments.mean, x.mean(axis=0), atol=1e-7)
            np.testing.assert_allclose(moments.covariance, both[:5, :5], atol=1e-7)
            np.testing.assert_allclose(moments.cross, both[:5, 5:], atol=1e-7)
            np.testing.assert_allclose(statistics.means(kind)[language], x.mean(axis=0), atol=1e-7)
        together = np.concatenate([vectors[rows] for vectors in side.values()]).astype(float)
        both = np.cov(together.T, np.tile(targets, (len(side), 1)).T, bias=True)
        moments = pooled(statistics, kind)
        np.testing.assert_allclose(moments.mean, together.mean(axis=0), atol=1e-7)
        np.testing.assert_allclose(moments.covariance, both[:5, :5], atol=1e-7)
        np.testing.assert_allclose(moments.cross, both[:5, 5:], atol=1e-7)
