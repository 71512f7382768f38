"""How far apart languages are, which may explain what they gain: typology, script, tokens; and on a plane."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hybridnb.corpora import uriel
from hybridnb.corpora.scripts import script
from hybridnb.corpora.source import MissingData
from hybridnb.places import RESULTS, shipped

TOKENS = shipped(RESULTS / "typology" / "tokens.csv")
"""model, language, tokens (of all sentences), relative (to English), and which sentences they are."""


def predictors(
    languages: Collection[str], trained: Collection[str] = (), model: str = ""
) -> tuple[dict[str, pd.DataFrame], str]:
    """What may explain a gain, of every pair of languages.

    Args:
        languages: of the benchmark.
        trained: those of fine-tuning.
        model: whose tokenizer is asked.

    Returns:
        (name -> languages x languages, note). The sets of features of `uriel.distances`; "other script" and "unseen"
        (whether fine-tuning lacked either of the two), 0 or 1; "tokens", the mean over both of log2 of the tokens
        that a sentence takes relative to English. What does not vary or is not known is left out; the note says why
        URIEL is, if it is, or that there are no pairs.
    """
    codes, note = sorted(languages), ""
    if len(codes) < 2:
        return {}, "There are no pairs of languages, or no other systems, to compare."
    try:
        found = uriel.distances(codes)
    except (MissingData, ValueError) as error:
        found, note = {}, f"No typological distances: {error}"
    scripts = np.array([script(code) for code in codes])
    found["other script"] = _table(codes, scripts[:, None] != scripts)
    taken = tokens(model).reindex(codes).to_numpy(np.float64)
    found["tokens"] = _table(codes, (np.log2(taken)[:, None] + np.log2(taken)) / 2)
    unseen = np.array([code not in trained for code in codes])
    found["unseen"] = _table(codes, unseen[:, None] | unseen)
    apart = ~np.eye(len(codes), dtype=bool)
    varying = {name: len(set(table.to_numpy()[apart])) > 1 for name, table in found.items()}
    known = {name: table.notna().all(axis=None) for name, table in found.items()}
    return {name: table for name, table in found.items() if varying[name] and known[name]}, note


def tokens(model: str) -> pd.Series[float]:
    """How many tokens a sentence takes with a model's tokenizer, relative to English, by language; empty if unknown."""
    table = pd.read_csv(TOKENS)
    return table[table["model"] == model].set_index("language")["relative"]


def _table(codes: Sequence[str], values: NDArray[np.generic]) -> pd.DataFrame:
    return pd.DataFrame(values.astype(np.float64), index=list(codes), columns=list(codes))


def plane(distances: pd.DataFrame) -> pd.DataFrame:
    """Languages on a plane, as near to their distances as two axes allow: classical multidimensional scaling.

    With J = I - 1/n, the two leading eigenvectors of -1/2 J D^2 J, times the square roots of their eigenvalues.
    Source: Torgerson, Multidimensional scaling: I. Theory and method (Psychometrika 17, 1952).

    Args:
        distances: languages x languages, symmetric.

    Returns:
        Index language; x, y.

    Example:
        >>> line = pd.DataFrame([[0.0, 1.0, 3.0], [1.0, 0.0, 2.0], [3.0, 2.0, 0.0]], list("abc"), list("abc"))
        >>> plane(line)["x"].round(3).abs().tolist()
        [1.333, 0.333, 1.667]
    """
    squares = distances.to_numpy(np.float64) ** 2
    centred = squares - squares.mean(axis=0) - squares.mean(axis=1)[:, None] + squares.mean()
    values, axes = np.linalg.eigh(-centred / 2)
    places = axes[:, [-1, -2]] * np.sqrt(np.maximum(values[[-1, -2]], 0))
    # an axis has no direction of its own: its farthest language lies in the positive
    places *= np.sign(places[np.abs(places).argmax(axis=0), [0, 1]])
    return pd.DataFrame(places, distances.index, ["x", "y"])
