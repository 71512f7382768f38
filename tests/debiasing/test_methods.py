"""Each method against another implementation, and what must hold of all."""

from __future__ import annotations

import numpy as np
import pytest
from debiasing.vectors import LANGUAGES, offset, parallel, rotation, turned, unit
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import Ridge

from hybridnb.debiasing import METHODS, SentenceVectors, fit
from hybridnb.debiasing.fitting import translation_map

STRENGTH = {"means": 1, "lir": 2, "lsar": 2, "shift": 0.7, "one-map": 0.5, "language-maps": 0.5}
every_method = pytest.mark.parametrize("method", METHODS)


def quality(sentences: SentenceVectors, method: str = "", strength: float | None = None) -> float:
    """How well translations are found among all sentences."""
    debiasing = fit(method, sentences, strength) if method else None
    queries, passages = (
        [
            debiasing.apply(vectors, kind, language) if debiasing else vectors
            for language, vectors in sentences.side(kind).items()
        ]
        for kind in ("query", "passage")
    )
    return float(translation_map(queries, passages).mean())


def mean(vectors: np.ndarray) -> np.ndarray:
    return vectors.astype(float).mean(axis=0)


def targets(sentences: SentenceVectors) -> np.ndarray:
    both = [*sentences.query.values(), *sentences.passage.values()]
    return np.mean([vectors.astype(float) for vectors in both], axis=0)


def ridge_of_sklearn(x: np.ndarray, t: np.ndarray, strength: float) -> np.ndarray:
    """W that is shrunk to I: the difference to I is a common ridge regression of t - x."""
    penalty = strength * len(x) * np.trace(np.cov(x.T, bias=True)) / x.shape[1]
    return np.eye(x.shape[1]) + Ridge(alpha=penalty, solver="svd").fit(x, t - x).coef_.T


def by_least_squares(x: np.ndarray, t: np.ndarray, strength: float) -> np.ndarray:
    """The same W by appending a row for each axis that says W is I."""
    x, t = x - x.mean(axis=0), t - t.mean(axis=0)
    weight = np.sqrt(strength * len(x) * (x**2).mean())
    identity = weight * np.eye(x.shape[1])
    return np.linalg.lstsq(np.concatenate([x, identity]), np.concatenate([t, identity]), rcond=None)[0]


def test_means_are_subtracted() -> None:
    sentences = offset()
    debiasing = fit("means", sentences)
    for kind in ("query", "passage"):
        side = sentences.side(kind)
        for language, vectors in side.items():
            expected = unit(vectors - mean(vectors))
            np.testing.assert_allclose(debiasing.apply(vectors, kind, language), expected, atol=1e-5)
        common = np.mean([mean(vectors) for vectors in side.values()], axis=0)
        np.testing.assert_allclose(debiasing.apply(side["de"], kind), unit(side["de"] - common), atol=1e-5)


def test_lir_takes_out_the_singular_vectors_of_a_language() -> None:
    sentences = offset()
    debiasing = fit("lir", sentences, 3)
    for kind in ("query", "passage"):
        for language, vectors in sentences.side(kind).items():
            axes = np.linalg.svd(vectors.astype(float))[2][:3]
            expected = unit(vectors - vectors @ axes.T @ axes)
            np.testing.assert_allclose(debiasing.apply(vectors, kind, language), expected, atol=1e-4)
    everything = np.concatenate(list(sentences.query.values()))
    axes = TruncatedSVD(3, algorithm="arpack").fit(everything.astype(float)).components_
    vectors = sentences.query["de"]
    np.testing.assert_allclose(
        debiasing.apply(vectors, "query", "sw"), unit(vectors - vectors @ axes.T @ axes), atol=1e-4
    )


@pytest.mark.parametrize("rank", [1, 2])
def test_lsar_follows_its_paper(rank: int) -> None:
    sentences = offset()
    debiasing = fit("lsar", sentences, rank)
    for kind in ("query", "passage"):
        side = sentences.side(kind)
        # algorithm 1, written column by column
        columns = np.array([mean(vectors) for vectors in side.values()]).T
        one = np.ones((len(side), 1))
        centre = columns @ one / len(side)
        u, s, vt = np.linalg.svd(columns - centre @ one.T)
        near = centre @ one.T + u[:, :rank] @ np.diag(s[:rank]) @ vt[:rank]
        shared = np.linalg.pinv(near).T @ one
        shared = shared / np.linalg.norm(shared) ** 2
        basis = np.linalg.svd(near - shared @ one.T)[0][:, :rank]
        np.testing.assert_allclose(basis.T @ shared, 0, atol=1e-9)
        expected = unit(side["de"] - side["de"] @ basis @ basis.T)
        np.testing.assert_allclose(debiasing.apply(side["de"], kind), expected, atol=1e-5)


def test_at_full_rank_lsar_leaves_one_mean_to_all() -> None:
    sentences = offset()
    matrix, bias = fit("lsar", sentences, len(LANGUAGES) - 1).matrix("query")
    left = [mean(vectors) @ matrix + bias for vectors in sentences.query.values()]
    np.testing.assert_allclose(left, np.tile(left[0], (len(left), 1)), atol=1e-6)


def test_shift_moves_passages_to_english_and_leaves_queries() -> None:
    sentences = offset()
    debiasing = fit("shift", sentences, 0.7)
    for language, vectors in sentences.query.items():
        np.testing.assert_allclose(debiasing.apply(vectors, "query", language), vectors, atol=1e-6)
    for language, vectors in sentences.passage.items():
        way = mean(vectors.astype(float) - sentences.passage["en"])
        np.testing.assert_allclose(
            debiasing.apply(vectors, "passage", language), unit(vectors - 0.7 * way), atol=1e-5
        )
    vectors = sentences.passage["th"]
    np.testing.assert_allclose(debiasing.apply(vectors, "passage", "sw"), vectors, atol=1e-6)


@pytest.mark.parametrize("strength", [0.02, 0.5, 20.0])
def test_the_maps_are_ridge_regressions_to_the_centroid(strength: float) -> None:
    sentences = turned(noise=0.3)
    one, each = fit("one-map", sentences, strength), fit("language-maps", sentences, strength)
    t = targets(sentences)
    for kind in ("query", "passage"):
        side = {language: vectors.astype(float) for language, vectors in sentences.side(kind).items()}
        everything, all_targets = np.concatenate(list(side.values())), np.tile(t, (len(side), 1))
        for regression in (ridge_of_sklearn, by_least_squares):
            expected = regression(everything, all_targets, strength)
            for debiasing in (one, each):  # what serves an unknown language is the one map
                matrix, offset_ = debiasing.matrix(kind, "sw")
                np.testing.assert_allclose(matrix, expected, atol=1e-5)
                np.testing.assert_allclose(offset_, -everything.mean(axis=0) @ expected, atol=1e-5)
            for language, vectors in side.items():
                matrix, offset_ = each.matrix(kind, language)
                expected = regression(vectors, t, strength)
                np.testing.assert_allclose(matrix, expected, atol=1e-5)
                np.testing.assert_allclose(offset_, -vectors.mean(axis=0) @ expected, atol=1e-5)


def test_at_infinite_strength_a_map_only_centres() -> None:
    sentences = turned()
    means = fit("means", sentences)
    for method, language in (("one-map", None), ("language-maps", "th"), ("language-maps", "sw")):
        matrix, bias = fit(method, sentences, 1e12).matrix("passage", language)
        np.testing.assert_allclose(matrix, np.eye(12), atol=1e-6)
        np.testing.assert_allclose(bias, means.matrix("passage", language or "sw")[1], atol=1e-6)


@every_method
def test_what_differs_by_a_constant_is_found_again(method: str) -> None:
    sentences = offset()
    assert quality(sentences, method) > quality(sentences) + 0.05


def test_a_constant_in_exact_vectors_goes_without_rest() -> None:
    """Where languages differ by a constant alone, their vectors are the same once it is gone."""
    draw = np.random.default_rng(0)
    # meanings of one length in the first axes, constants of one length in the others: unit vectors without scaling
    meaning = np.sqrt(0.5) * unit(draw.normal(size=(60, 6)))
    side = {
        language: np.concatenate([meaning, np.tile(np.sqrt(0.5) * np.eye(3)[n], (60, 1))], axis=1).astype(
            np.float32
        )
        for n, language in enumerate(LANGUAGES)
    }
    sentences = SentenceVectors(query=side, passage=side)
    for method, strength in (("means", None), ("lsar", 2), ("one-map", 1e-6), ("language-maps", 1e-6)):
        debiasing = fit(method, sentences, strength)
        mapped = [debiasing.apply(vectors, "query", language) for language, vectors in side.items()]
        for other in mapped[1:]:
            np.testing.assert_allclose(other, mapped[0], atol=1e-3)
    moved = fit("shift", sentences, 1)
    for language in LANGUAGES:
        np.testing.assert_allclose(moved.apply(side[language], "passage", language), side["en"], atol=1e-5)


def test_a_rotation_goes_with_a_map_for_each_language_only() -> None:
    sentences = turned(noise=0)
    assert quality(sentences) < 0.6
    assert quality(sentences, "language-maps", 1e-4) > 0.99
    assert quality(sentences, "means") < 0.6


@every_method
@settings(max_examples=5)
@given(seed=st.integers(0, 2**16))
def test_in_turned_axes_it_does_the_same(method: str, seed: int) -> None:
    sentences, turn = offset(), rotation(12, seed)
    there = SentenceVectors(
        *({code: unit(v @ turn) for code, v in sentences.side(kind).items()} for kind in ("query", "passage"))
    )
    here, turned_fit = fit(method, sentences, STRENGTH[method]), fit(method, there, STRENGTH[method])
    for kind in ("query", "passage"):
        for language in ("th", "sw"):
            expected = here.apply(sentences.side(kind)["th"], kind, language) @ turn
            found = turned_fit.apply(there.side(kind)["th"], kind, language)
            np.testing.assert_allclose(found, expected, atol=1e-4)


@every_method
def test_the_order_of_languages_does_not_matter(method: str) -> None:
    sentences = offset()
    backwards = SentenceVectors(
        query=dict(reversed(sentences.query.items())), passage=dict(sorted(sentences.passage.items()))
    )
    assert fit(method, backwards).sha256 == fit(method, sentences).sha256


@pytest.mark.parametrize(
    ("method", "strength", "message"),
    [
        ("means", 0, "the part of a mean"),
        ("means", 1.5, "the part of a mean"),
        ("shift", np.nan, "the part of the way"),
        ("lir", 12, "lir: the strength is a number of components, 1 to 11 here, not 12"),
        ("lir", 0, "a number of components"),
        ("lir", 1.5, "a number of components"),
        ("lsar", 3, "lsar: the strength is a number of directions, 1 to 2 here, not 3"),
        ("lsar", np.inf, "a number of directions"),
        ("one-map", 0, "a number above 0"),
        ("one-map", -1, "a number above 0"),
        ("language-maps", np.inf, "a number above 0"),
        ("language-maps", np.nan, "a number above 0"),
    ],
)
def test_a_strength_that_there_is_not_is_an_error(method: str, strength: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit(method, offset(), strength)


def test_fewer_sentences_than_dimensions_are_enough() -> None:
    few = parallel(lambda meaning, _: meaning, count=5, dimension=16)
    for method in METHODS:
        debiasing = fit(method, few, STRENGTH[method])
        assert np.isfinite(debiasing.apply(few.query["de"], "query", "de")).all()
