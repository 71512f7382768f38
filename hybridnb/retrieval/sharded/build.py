"""What is made of a shard: its vectors, by an encoder, and its FAISS index, by a factory string."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import faiss
import numpy as np

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.encoders.encoder import DualEncoder
from hybridnb.encoders.foreign import ForeignEncoder
from hybridnb.files import atomic
from hybridnb.retrieval.embeddings import encode_candidates
from hybridnb.retrieval.sharded.layout import Index, Shard
from hybridnb.retrieval.sharded.store import BLOCK, is_written, read_vectors, write_vectors

FLAT = "Flat"
"""The factory string of exact search, for which the vectors themselves are searched: it needs no file."""

SMALL = 10_000
"""Candidates from which a shard has an index; fewer are searched exactly, in no time, and could not train one."""

TRAINED_ON = 16_384
"""Vectors of a shard that an index is trained on: 64 for each of the 256 centroids of a product quantiser."""


def encode_shard(
    encoder: DualEncoder | ForeignEncoder, texts: Sequence[str], index: Index, shard: Shard
) -> None:
    """Write the vectors of a shard, unless they are there.

    After a kill it goes on from the parts of `embeddings.PART` texts that are encoded; they are taken away at the end.

    Args:
        encoder: Of the passages; a `DualEncoder` is moved to the accelerator where there is one.
        texts: All candidates of the shard's language.
        index, shard: Where they go.

    Raises:
        ValueError: a vector is not finite, or too large for the index's storage.
        OSError: there is no room.
    """
    path = index.vectors(shard)
    if is_written(path, (len(shard), index.layout.dimension), index.layout.storage):
        return
    parts = path.with_suffix(".parts")
    alone = Benchmark(shard.name, {}, {shard.language: texts[shard.start : shard.stop]}, {})
    vectors = encode_candidates(encoder, alone, cache=parts)
    write_vectors(path, vectors[shard.language], index.layout.storage)
    shutil.rmtree(parts, ignore_errors=True)


def check_factory(factory: str, dimension: int) -> None:
    """ValueError: it is no factory string of FAISS, or not for vectors of this dimension."""
    try:
        faiss.index_factory(dimension, factory, faiss.METRIC_INNER_PRODUCT)
    except RuntimeError as error:
        why = str(error).splitlines()[-1].strip()
        raise ValueError(
            f"{factory!r} is no FAISS factory string for {dimension} dimensions ({why}): write one such as Flat, "
            "SQ8, IVF256,PQ48 or HNSW32"
        ) from None


def has_index(shard: Shard, factory: str) -> bool:
    """Whether a shard is searched by an index; else exactly, by its vectors.

    Example:
        >>> has_index(Shard("en", 0, 20_000), "SQ8"), has_index(Shard("sw", 0, 500), "SQ8")
        (True, False)
    """
    return factory != FLAT and len(shard) >= SMALL


def build_index(index: Index, shard: Shard, factory: str) -> None:
    """Write the FAISS index of a shard, trained on some of its vectors, unless it is there or none is needed.

    Args:
        index, shard: Whose vectors are written.
        factory: As `faiss.index_factory` takes it; compared by inner product.

    Raises:
        FileNotFoundError: the vectors are missing.
        ValueError: FAISS refuses to train it on so few vectors.
    """
    path = index.faiss(shard, factory)
    if not has_index(shard, factory) or path.is_file():
        return
    vectors = read_vectors(index.vectors(shard))
    made = faiss.index_factory(index.layout.dimension, factory, faiss.METRIC_INNER_PRODUCT)
    if not made.is_trained:
        drawn = np.random.default_rng(shard.start).permutation(len(vectors))[:TRAINED_ON]
        try:
            with _one_core():
                made.train(vectors[np.sort(drawn)])
        except RuntimeError as error:
            why = str(error).splitlines()[-1].strip()
            raise ValueError(f"{factory} cannot be trained on {len(drawn):,} vectors: {why}") from None
    for start in range(0, len(vectors), BLOCK):
        made.add(vectors[start : start + BLOCK])
    with atomic(path) as part:
        faiss.write_index(made, str(part))


@contextmanager
def _one_core() -> Iterator[None]:
    """While it lasts, FAISS uses one core.

    Training takes thousands of operations of a millisecond, which wait for each other when they are divided: on two
    cores of a busy machine 48 quantisers of 256 centroids took 191 s, 79 of them at work, for 16,384 vectors.
    """
    cores = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(cores)
