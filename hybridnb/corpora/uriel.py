"""How far apart languages are by their typology: cosine distances over the features of URIEL.

Source: Littell et al., URIEL and lang2vec (EACL 2017). Features are looked up by lang2vec (CC BY-SA 4.0, the package
on PyPI); for eleven languages the distances also lie in a file, so that it is not needed.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hybridnb.corpora.source import MissingData, RemoteFile, Source, locate
from hybridnb.files import read_json

FEATURES = {
    "syntax_knn": ("feature_predictions.npz", "S_"),
    "phonology_knn": ("feature_predictions.npz", "P_"),
    "inventory_knn": ("feature_predictions.npz", "INV_"),
    "geo": ("geocoord_features.npz", ""),
    "fam": ("family_features.npz", ""),
    "syntax_average": ("feature_averages.npz", "S_"),
}
"""Set of features -> its file in lang2vec, and what the names of its features begin with.

_knn: gaps filled from the nearest languages; syntax_average: mean of the sources, with gaps; geo: distances to fixed
points of the globe; fam: families and branches.
"""

SOURCE = Source(
    "uriel",
    "none in this form (made by PyPI lang2vec 1.1.2)",
    (
        RemoteFile(
            "uriel/lang_distances.json",
            size=6_284,
            digest="sha256:b5c5798a5c5ae8baffa636b48ff5120cb6e6e99daa9862ec7168853dc37a2bce",
        ),
    ),
)

DIGITS = 4
"""Of the file, and so of all distances: they are the same wherever they come from."""


def distances(languages: Collection[str], directory: str | Path | None = None) -> dict[str, pd.DataFrame]:
    """The distance of every two languages, in each set of features.

    d(a, b) = 1 - cos(f_a, f_b) over the features that are known of both; 0 alike, 1 nothing in common.

    Args:
        languages: canonical codes (see `languages.canonical`).
        directory: where to look for the file before HYBRIDNB_DATA and the cache.

    Returns:
        Set of features (see `FEATURES`) -> languages x languages, in their alphabetical order; NaN where nothing is
        known of both.

    Raises:
        MissingData: there is neither the file nor lang2vec, or the file lacks a language and there is no lang2vec.
        ValueError: URIEL does not know a language, or the file is damaged.
    """
    codes = sorted(languages)
    try:
        (path,) = locate(SOURCE, directory)
    except MissingData as error:
        if (data := _lang2vec()) is None:
            raise MissingData(f"{error} Or `pip install 'hybridnb[typology]'`.") from None
        return _computed(codes, data)
    kept = _read(path)
    others = [code for code in codes if code not in next(iter(kept.values())).index]
    if not others:
        return {name: table.loc[codes, codes] for name, table in kept.items()}
    if (data := _lang2vec()) is None:
        raise MissingData(f"{path} has no {', '.join(others)}: `pip install 'hybridnb[typology]'` for them")
    return _computed(codes, data)


def _read(path: Path) -> dict[str, pd.DataFrame]:
    content = read_json(path)
    try:
        return {
            name: _table(content[name]["langs"], np.array(content[name]["cosine_distance"], dtype=np.float64))
            for name in FEATURES
        }
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is damaged ({type(error).__name__}: {error}): take it from its source again"
        ) from None


def _table(codes: Sequence[str], values: NDArray[np.float64]) -> pd.DataFrame:
    return pd.DataFrame(np.abs(values.round(DIGITS)), index=list(codes), columns=list(codes))


def _lang2vec() -> Path | None:
    """The folder of lang2vec's data, without importing it: that needs a setuptools of before 2025."""
    try:
        installed = importlib.metadata.distribution("lang2vec")
    except importlib.metadata.PackageNotFoundError:
        return None
    return Path(str(installed.locate_file("lang2vec/data")))


def _computed(codes: Sequence[str], data: Path) -> dict[str, pd.DataFrame]:
    tables: dict[str, pd.DataFrame] = {}
    opened: dict[str, dict[str, NDArray[Any]]] = {}
    for name, (file, prefix) in FEATURES.items():
        if file not in opened:
            with np.load(data / file, allow_pickle=False) as stored:
                opened[file] = {key: stored[key] for key in ("langs", "feats", "data")}
        stored = opened[file]
        row = {str(code): n for n, code in enumerate(stored["langs"])}
        names = {code: _iso639_3(code) for code in codes}
        if unknown := [code for code, iso in names.items() if iso not in row]:
            raise ValueError(f"URIEL does not know {', '.join(unknown)}: leave that out")
        columns = np.char.startswith(stored["feats"].astype(str), prefix)
        features = stored["data"][[row[iso] for iso in names.values()]][:, columns, 0].astype(np.float64)
        tables[name] = _table(codes, _cosine_distances(features))
    return tables


def _iso639_3(code: str) -> str:
    """As URIEL names a language; Quechua, which is many there, by the one of Ayacucho."""
    from langcodes import Language

    return {"qu": "quy"}.get(code) or Language.get(code).to_alpha3()


def _cosine_distances(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n, n] from features [n, f], below 0 where one is not known."""
    known = features >= 0
    values = np.where(known, features, 0)
    # of a pair, lengths are over what both have
    lengths = np.sqrt(values**2 @ known.T)
    product = lengths * lengths.T
    return 1 - values @ values.T / np.where(product > 0, product, np.nan)
