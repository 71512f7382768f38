"""Debiasings fitted to an encoder's own vectors of parallel sentences: a user's, and that of every run of a study."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridnb.corpora import load_sentences
from hybridnb.corpora.benchmark import Benchmark, Queries
from hybridnb.corpora.parallel import ParallelCorpus
from hybridnb.corpora.sentences import Sides
from hybridnb.debiasing import METHODS, Debiasing, SentenceVectors, fit
from hybridnb.debiasing.baking import bake
from hybridnb.debiasing.settings import TRAINING
from hybridnb.encoders.encoder import DualEncoder, encoder_sha256
from hybridnb.encoders.foreign import ForeignEncoder
from hybridnb.files import atomic, sha256_of
from hybridnb.measures.metrics_file import pack
from hybridnb.retrieval.embeddings import encode_sentences
from hybridnb.retrieval.mapped import mapped
from hybridnb.retrieval.ranking import exact_ranks

HELD_OUT, MOST = 10, 500
"""Every tenth sentence is held out to measure on, and of many no more than so many."""


def read_sets(
    sentences: Iterable[str],
    *,
    corpus: ParallelCorpus | None = None,
    languages: Collection[str] = (),
    limit: int | None = None,
    directory: str | Path | None = None,
    skip_bad: bool = False,
) -> list[Sides]:
    """Sets of parallel sentences, all in the same languages.

    Args:
        sentences: names and paths as `load_sentences` takes them, or "training".
        corpus: what "training" stands for.
        languages: which; left out, those that all sets have.
        limit: at most so many sentences of each.
        directory, skip_bad: as of `load_sentences`.

    Raises:
        ValueError, OSError: as `load_sentences`; or the sets have fewer than two languages in common.
    """
    sets = []
    for name in sentences:
        if name == TRAINING and corpus is not None:
            sets.append(Sides.of_corpus(corpus, languages))
        else:
            loaded = load_sentences(name, directory=directory, languages=languages or None, skip_bad=skip_bad)
            sets.append(Sides(loaded, loaded))
    names = [of_set.queries.name for of_set in sets]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"two sets of sentences are named {twice[0]}: rename one of them")
    shared = set.intersection(*(set(of_set.queries.languages) for of_set in sets))
    if len(shared) < 2:
        raise ValueError(
            f"{', '.join(names)} have {len(shared)} languages in common: give sets that share two or more"
        )
    return [of_set.cut(shared, limit) for of_set in sets]


def fit_and_measure(
    encoder: DualEncoder | ForeignEncoder, sets: Sequence[Sides], method: str, cache: Path | None
) -> tuple[Debiasing, dict[str, Any]]:
    """A debiasing of an encoder, and what it does to sentences that it was not fitted to.

    Every tenth sentence (no more than 500, evenly spaced) is held out to measure on: as a query in each language it
    looks for itself and its translations among those that are held out.

    Args:
        encoder: whose vectors.
        sets: what `read_sets` gives.
        method: one of `METHODS`.
        cache: as of `encode_sentences`.

    Returns:
        The debiasing, fitted to the other sentences; and "as it is" and the method -> what metrics.json keeps.

    Raises:
        ValueError: there are too few sentences, or the encoder is not compared by cosine.
    """
    if (similarity := encoder.conventions["similarity"]) != "cosine":
        raise ValueError(
            f"{encoder.conventions['model']} is compared by {similarity!r}; debiasings are for cosine"
        )
    METHODS[method]  # an unknown one must not cost an hour
    vectors = encode_sentences(encoder, sets, cache=cache)
    count = min(len(vectors) // HELD_OUT, MOST)
    if count < 1:
        raise ValueError(
            f"there are {len(vectors)} sentences: give {HELD_OUT} or more, one in {HELD_OUT} is held out"
        )
    rows = np.arange(count) * len(vectors) // count
    others = np.delete(np.arange(len(vectors)), rows)
    debiasing = _stating(fit(method, _rows(vectors, others)), encoder, sets)
    ids = list(map(str, rows))
    benchmark = Benchmark(
        "held-out sentences",
        {code: Queries(ids, ids) for code in vectors.languages},
        dict.fromkeys(vectors.languages, ids),
        {name: {code: [row] for code in vectors.languages} for row, name in enumerate(ids)},
    )
    held_out = _rows(vectors, rows)
    sides = held_out.query, held_out.passage
    debiased = mapped(held_out.query, debiasing, "query"), mapped(held_out.passage, debiasing, "passage")
    return debiasing, {
        "as it is": pack(exact_ranks(benchmark, *sides)),
        method: pack(exact_ranks(benchmark, *debiased)),
    }


def save(encoder: DualEncoder | ForeignEncoder, debiasing: Debiasing, out: Path) -> None:
    """Write an encoder with a debiasing behind it as a directory of sentence-transformers, safetensors only.

    The debiasing itself is kept in out/debiasing. Of one that needs the language of a text only that can be written,
    to `out`.

    Args:
        encoder: gets the maps behind it, too.
        debiasing: fitted to its vectors.
        out: the directory; what it holds is replaced.
    """
    with atomic(out) as part:
        if debiasing.needs_language:
            debiasing.save(part)
            return
        network = encoder.network
        bake(network, debiasing)
        if isinstance(encoder, DualEncoder):
            encoder.save(part)
        else:
            network.save(str(part), create_model_card=False)
        debiasing.save(part / "debiasing")


def of_run(
    encoder: DualEncoder, sets: Sequence[Sides], methods: Sequence[str], directory: Path, cache: Path
) -> list[Debiasing]:
    """The debiasings of a run: those that lie in its directory, or fitted now to all sentences and kept there.

    Args:
        encoder: the run's.
        sets: what `read_sets` gives.
        methods: of `METHODS`.
        directory: gets METHOD/debiasing.json and the maps of each.
        cache: as of `encode_sentences`.

    Raises:
        ValueError: there are results with a debiasing that was fitted to other sentences.
    """
    vectors: SentenceVectors | None = None
    found, wanted = [], stated(encoder, sets)
    for method in methods:
        place = directory / method
        made = Debiasing.load(place) if (place / "debiasing.json").is_file() else None
        if made and (place / "metrics.json").is_file() and made.made_of.get("sets") != wanted["sets"]:
            raise ValueError(
                f"{place} holds results of {method} fitted to other sentences than the settings debiasing.sentences, "
                "languages and limit give: give the study another name, --set name=NEW, or remove that directory"
            )
        if made is None or {key: made.made_of.get(key) for key in wanted} != wanted:
            vectors = vectors or encode_sentences(encoder, sets, cache=cache)
            made = _stating(fit(method, vectors), encoder, sets)
            made.save(place)
        found.append(made)
    return found


def _rows(vectors: SentenceVectors, rows: NDArray[np.int64]) -> SentenceVectors:
    return SentenceVectors(
        query={code: of_code[rows] for code, of_code in vectors.query.items()},
        passage={code: of_code[rows] for code, of_code in vectors.passage.items()},
    )


def _stating(debiasing: Debiasing, encoder: DualEncoder | ForeignEncoder, sets: Sequence[Sides]) -> Debiasing:
    """The same, saying what the vectors are of that it was fitted to."""
    return replace(debiasing, made_of={**debiasing.made_of, **stated(encoder, sets)})


def stated(encoder: DualEncoder | ForeignEncoder, sets: Sequence[Sides]) -> dict[str, Any]:
    """What was fitted to: the encoder, and each set by the hash of its content."""
    return {
        "encoder_sha256": encoder.sha256 if isinstance(encoder, ForeignEncoder) else encoder_sha256(encoder),
        "sets": {of_set.queries.name: sha256_of([side.sha256 for side in of_set]) for of_set in sets},
    }
