"""The strength is chosen on held-out sentences, and what chooses it is mean average precision."""

from __future__ import annotations

import numpy as np
import pytest
from debiasing.vectors import offset, turned, unit
from scipy.stats import sem
from sklearn.metrics import average_precision_score

from hybridnb.debiasing import METHODS, SentenceVectors, fit
from hybridnb.debiasing.fitting import translation_map
from hybridnb.debiasing.ridge import STRENGTHS


def rows_of(sentences: SentenceVectors, rows: np.ndarray) -> SentenceVectors:
    return SentenceVectors(
        *({code: v[rows] for code, v in sentences.side(kind).items()} for kind in ("query", "passage"))
    )


def test_it_is_mean_average_precision() -> None:
    draw = np.random.default_rng(0)
    queries, passages = ([unit(draw.normal(size=(6, 4))) for _ in range(3)] for _ in range(2))
    pool = np.concatenate(passages)
    expected = [
        [
            average_precision_score([other % 6 == row for other in range(18)], pool @ vectors[row])
            for row in range(6)
        ]
        for vectors in queries
    ]
    assert translation_map(queries, passages) == pytest.approx(np.mean(expected, axis=0), abs=1e-6)


def test_ties_count_as_ranked_before() -> None:
    same = [np.ones((2, 1), dtype=np.float32)] * 2
    assert translation_map(same, same) == pytest.approx([(1 / 3 + 2 / 4) / 2] * 2)


def test_the_gentlest_strength_within_a_standard_error_of_the_best_is_taken() -> None:
    sentences = turned(noise=0.5)
    chosen = fit("language-maps", sentences)
    held_out = np.arange(0, 120, 10)
    others, asked = rows_of(sentences, np.delete(np.arange(120), held_out)), rows_of(sentences, held_out)
    found = {}
    for strength in STRENGTHS:
        debiasing = fit("language-maps", others, strength)
        found[strength] = translation_map(
            *(
                [debiasing.apply(vectors, kind, language) for language, vectors in asked.side(kind).items()]
                for kind in ("query", "passage")
            )
        )
    means = {strength: values.mean() for strength, values in found.items()}
    best = max(STRENGTHS, key=lambda strength: means[strength])
    enough = means[best] - sem(found[best])
    gentlest = max(strength for strength in STRENGTHS if means[strength] >= enough)
    assert len(set(means.values())) > 2 and gentlest > best
    assert chosen.made_of == {
        "method": "language-maps",
        "strength": gentlest,
        "languages": ["de", "en", "th"],
        "sentences": 120,
        "dimension": 12,
        "held_out": {
            "sentences": 12,
            "enough": pytest.approx(enough, abs=1e-5),
            "map": {str(strength): pytest.approx(value, abs=1e-5) for strength, value in means.items()},
        },
    }
    # and then all sentences are used
    assert chosen.sha256 == fit("language-maps", sentences, gentlest).sha256


def test_what_has_one_strength_holds_nothing_out() -> None:
    assert fit("means", offset()).made_of["strength"] == 1
    assert "held_out" not in fit("means", offset()).made_of


@pytest.mark.parametrize("method", [method for method in METHODS if method != "means"])
def test_a_choice_needs_a_hundred_sentences(method: str) -> None:
    few = offset(count=99)
    with pytest.raises(
        ValueError, match=f"{method} cannot choose its strength on 99 sentences: give 100 or more"
    ):
        fit(method, few)
    assert fit(method, few, 1).made_of["sentences"] == 99
    assert fit(method, offset(count=100)).made_of["held_out"]["sentences"] == 10


def test_one_sentence_is_not_enough() -> None:
    with pytest.raises(ValueError, match="means cannot be fitted to 1 sentence: give 2 or more"):
        fit("means", offset(count=1))


def test_a_method_that_there_is_not_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"is named 'one_map'\. Did you mean 'one-map'"):
        fit("one_map", offset())
