"""A method fitted to parallel sentences, its strength chosen on some that are held out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridnb.debiasing.maps import Debiasing
from hybridnb.debiasing.method import METHODS, Method
from hybridnb.debiasing.sentences import SentenceVectors, Statistics

LEAST = 2
"""Sentences that a method can be fitted to."""

HELD_OUT, LEAST_HELD_OUT, POOL = 0.1, 10, 3000
"""Share of the sentences that choose a strength, how many must be, and how many passages they may be in all."""


def fit(method: str, sentences: SentenceVectors, strength: float | None = None) -> Debiasing:
    """Fit a method.

    Where no strength is given, every tenth sentence (fewer of many, evenly spaced) is held out, the method is fitted
    to the others at every strength of its grid, and each held-out sentence as a query looks for its translations and
    itself among the held-out passages of all languages. Of the strengths whose mean average precision is within one
    standard error (over sentences) of the best, the gentlest is taken; with it the method is fitted to all sentences.

    Translations are found all but always, so the best by a hair is chance. The rule of one standard error is Breiman,
    Friedman, Olshen and Stone's (Classification and Regression Trees, 1984). Checked with multilingual-e5-small on
    held-out `opendocs` and `humandocs`, headings and passages: from 300 sentences on, what it takes is within .003
    of the best mean of the three tasks' mAP, with 100 within .011; the best by a hair lost up to .027.

    Args:
        method: its name in `METHODS`.
        sentences: their vectors; see `SentenceVectors`.
        strength: in the method's own sense (its module says); None to choose.

    Returns:
        The debiasing, which records in `made_of` how it was made. The order of languages does not act on it.

    Raises:
        ValueError: there is no such method or strength, or there are too few sentences; the message says what to give.

    Example:
        >>> vectors = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
        >>> vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        >>> sides = {"de": vectors, "en": vectors[:, ::-1]}
        >>> debiasing = fit("means", SentenceVectors(query=sides, passage=sides))
        >>> debiasing.needs_language, debiasing.apply(vectors, "query", "de").shape
        (True, (30, 4))
    """
    chosen, count = METHODS[method], len(sentences)
    if count < LEAST:
        raise ValueError(f"{method} cannot be fitted to {count} sentence: give {LEAST} or more")
    everything = Statistics(sentences, np.arange(count))
    made_of: dict[str, Any] = {}
    if strength is None:
        strength, made_of = _choose(method, chosen, everything)
    maps = {
        kind: {language: affine.single() for language, affine in by_language.items()}
        for kind, by_language in chosen.fit(everything)(strength).items()
    }
    stated = {
        "method": method,
        "strength": strength,
        "languages": list(sentences.languages),
        "sentences": count,
        "dimension": sentences.dimension,
    }
    return Debiasing(method, sentences.languages, maps, {**stated, **made_of})


def _choose(name: str, method: Method, everything: Statistics) -> tuple[float, dict[str, Any]]:
    """The best strength on held-out sentences, and what `made_of` says of the choice."""
    grid, sentences = method.strengths(everything), everything.sentences
    if len(grid) == 1:
        return float(grid[0]), {}
    count = len(sentences)
    held_out = min(int(HELD_OUT * count), max(LEAST_HELD_OUT, POOL // len(sentences.languages)))
    if held_out < LEAST_HELD_OUT:
        raise ValueError(
            f"{name} cannot choose its strength on {count} sentences: give {round(LEAST_HELD_OUT / HELD_OUT)} or "
            "more, or a strength"
        )
    rows = (np.arange(held_out) * count) // held_out
    at = method.fit(Statistics(sentences, np.delete(np.arange(count), rows)))
    found = {}
    for strength in grid:
        debiasing = Debiasing(name, sentences.languages, at(strength), {})
        found[float(strength)] = translation_map(
            *(
                [
                    debiasing.apply(vectors[rows], kind, language)
                    for language, vectors in sentences.side(kind).items()
                ]
                for kind in ("query", "passage")
            )
        )
    best = max(found.values(), key=np.mean)
    enough = float(best.mean() - best.std(ddof=1) / held_out**0.5)
    gentlest = next(strength for strength, precision in found.items() if precision.mean() >= enough)
    tried = {str(strength): round(float(precision.mean()), 6) for strength, precision in found.items()}
    return gentlest, {"held_out": {"sentences": held_out, "enough": round(enough, 6), "map": tried}}


def translation_map(
    queries: list[NDArray[np.float32]], passages: list[NDArray[np.float32]]
) -> NDArray[np.float64]:
    """Average precision of sentences that look for their translations and themselves in one pool.

    Args:
        queries, passages: of each language, float32 [sentences, d]; row i is one sentence. Relevant to a query are
            the passages of its row; where another has the same score, it counts as ranked before them.

    Returns:
        [sentences], each the mean over its languages.

    Example:
        >>> same = np.eye(2, dtype=np.float32)
        >>> translation_map([same, same], [same, same])
        array([1., 1.])
    """
    pool, count, found_so_far = np.concatenate(passages), len(passages[0]), np.arange(1, len(passages) + 1)
    relevant = np.arange(count)[:, None] + count * np.arange(len(passages))
    precision = []
    for of_language in queries:
        scores = of_language @ pool.T
        best_first = -np.sort(-np.take_along_axis(scores, relevant, axis=1), axis=1)
        np.put_along_axis(scores, relevant, -np.inf, axis=1)
        before = np.stack([(scores >= one[:, None]).sum(axis=1) for one in best_first.T], axis=1)
        precision.append((found_so_far / (found_so_far + before)).mean(axis=1))
    of_sentence: NDArray[np.float64] = np.mean(precision, axis=0)
    return of_sentence
