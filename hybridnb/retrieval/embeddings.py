"""The vectors of a benchmark's queries and candidates, kept on disk by what made them, part by part.

A kept part is a file named by the hash of the encoder and of the texts in it, so it is found again by any benchmark
with these texts, after a kill, and by a second process, and never by another encoder. Memory holds a window of texts
and of vectors at most, however many there are.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.corpora.sentences import ParallelSentences, Sides
from hybridnb.debiasing.sentences import SentenceVectors
from hybridnb.encoders.encoder import DualEncoder, encoder_sha256
from hybridnb.encoders.foreign import ForeignEncoder
from hybridnb.encoders.kinds import Kind
from hybridnb.files import atomic, sha256_of
from hybridnb.progress import progress
from hybridnb.retrieval.vectors import Parted, Vectors

PART = 2048
"""Texts that are encoded between two writes."""

WINDOW = 32 * PART
"""Texts that are held, and sorted by length, at a time; of a side with more the vectors stay on disk."""


def encode_benchmark(
    encoder: DualEncoder | ForeignEncoder, benchmark: Benchmark, *, cache: Path | None
) -> tuple[Vectors, Vectors]:
    """The vectors of a benchmark's queries, with the query prefix, and candidates, with the passage prefix.

    Moves a `DualEncoder` to the accelerator where there is one.

    Args:
        encoder: what encodes.
        benchmark: whose texts; one that stands several times is encoded once a side.
        cache: directory in which the vectors are kept, None for nowhere. What is damaged there, or was made by
            something else, is made anew with a warning; so is everything, where the directory cannot be written.

    Returns:
        (query vectors, candidate vectors): language -> float32 [texts, dimension], rows in the benchmark's order;
        of a side with more than `WINDOW` different texts read from the cache when asked for.

    Warns:
        UserWarning: the cache is damaged or cannot be written; the file is named.
    """
    if isinstance(encoder, DualEncoder):
        to_accelerator(encoder)
    parts = _Parts(encoder, cache)
    queries = {language: queries.texts for language, queries in benchmark.queries.items()}
    return parts.encode(queries, "query"), parts.encode(benchmark.candidates, "passage")


def encode_candidates(
    encoder: DualEncoder | ForeignEncoder, benchmark: Benchmark, *, cache: Path | None
) -> Vectors:
    """The vectors of a benchmark's candidates alone; arguments and cache as of `encode_benchmark`."""
    if isinstance(encoder, DualEncoder):
        to_accelerator(encoder)
    return _Parts(encoder, cache).encode(benchmark.candidates, "passage")


def encode_queries(
    encoder: DualEncoder | ForeignEncoder, benchmark: Benchmark, *, cache: Path | None
) -> Vectors:
    """The vectors of a benchmark's queries alone; arguments and cache as of `encode_benchmark`."""
    if isinstance(encoder, DualEncoder):
        to_accelerator(encoder)
    texts = {language: queries.texts for language, queries in benchmark.queries.items()}
    return _Parts(encoder, cache).encode(texts, "query")


def encode_sentences(
    encoder: DualEncoder | ForeignEncoder, sets: Sequence[Sides], *, cache: Path | None
) -> SentenceVectors:
    """The vectors of parallel sentences under both prefixes, the sets one below the other.

    Moves a `DualEncoder` to the accelerator where there is one.

    Args:
        encoder: what encodes; its vectors are compared by cosine.
        sets: of each what is encoded as queries and what as passages, usually the same; all in the same languages.
        cache: as of `encode_benchmark`; each set has parts of its own.

    Raises:
        ValueError: a vector is not finite or not of length 1, or the sets are in different languages.
    """
    if isinstance(encoder, DualEncoder):
        to_accelerator(encoder)
    parts = _Parts(encoder, cache)
    languages = sets[0].queries.languages
    if others := [side.name for pair in sets for side in pair if side.languages != languages]:
        raise ValueError(
            f"{others[0]} is in other languages than {sets[0].queries.name}: cut both to the same"
        )

    def encoded(texts: Iterable[ParallelSentences], kind: Kind) -> dict[str, NDArray[np.float32]]:
        vectors = [parts.encode(of_set.texts, kind) for of_set in texts]
        return {code: np.concatenate([part[code][:] for part in vectors]) for code in languages}

    return SentenceVectors(
        query=encoded((pair.queries for pair in sets), "query"),
        passage=encoded((pair.passages for pair in sets), "passage"),
    )


def encode_share(
    encoder: DualEncoder | ForeignEncoder,
    benchmark: Benchmark,
    sets: Sequence[Sides] = (),
    *,
    cache: Path,
    process: int,
    processes: int,
) -> None:
    """Encode one process' share of the parts that `encode_benchmark` and `encode_sentences` will look for.

    Moves a `DualEncoder` to the accelerator where there is one.

    Args:
        encoder: what encodes, the same in all processes.
        benchmark: whose queries and candidates.
        sets: as of `encode_sentences`.
        cache: gets the parts; of what `processes` make, all of them and each once.
        process: which one this is, from 0.
        processes: how many there are.
    """
    if isinstance(encoder, DualEncoder):
        to_accelerator(encoder)
    parts = _Parts(encoder, cache)
    queries = {language: queries.texts for language, queries in benchmark.queries.items()}
    sides: list[tuple[Mapping[str, Sequence[str]], Kind]] = [
        (queries, "query"),
        (benchmark.candidates, "passage"),
    ]
    for pair in sets:
        sides += [(pair.queries.texts, "query"), (pair.passages.texts, "passage")]
    number = 0
    for texts, kind in sides:
        columns = list(texts.values())
        first, _ = distinct(chain.from_iterable(columns))
        with progress(len(first), f"encode {kind}", "texts", show=process == 0) as bar:
            for rows in _cut(columns, first):
                if number % processes == process:
                    parts.part(columns, first[rows], kind)
                number += 1
                bar.update(len(rows))


def to_accelerator(encoder: DualEncoder) -> None:
    """Move an encoder to the accelerator where there is one; its precision, and so its hash, may go by that."""
    if torch.accelerator.is_available():
        encoder.to(torch.accelerator.current_accelerator())


class _Parts:
    """Encodes texts part by part, and keeps each part."""

    def __init__(self, encoder: DualEncoder | ForeignEncoder, cache: Path | None) -> None:
        self.encoder = encoder
        self.sha256 = ""
        if cache:
            self.sha256 = encoder_sha256(encoder) if isinstance(encoder, DualEncoder) else encoder.sha256
        self.directory = cache / self.sha256[:20] if cache else None

    def encode(self, texts: Mapping[str, Sequence[str]], kind: Kind) -> Vectors:
        """language -> vectors; all languages in one go, a text that stands several times once."""
        sides = list(texts.values())
        first, number = distinct(chain.from_iterable(sides))
        parts, place = list[Callable[[], NDArray[np.float32]]](), np.empty(len(first), dtype=np.int64)
        with progress(len(first), f"encode {kind}", "texts") as bar:
            for rows in _cut(sides, first):
                place[rows] = len(parts) * PART + np.arange(len(rows))
                parts.append(self.part(sides, first[rows], kind))
                bar.update(len(rows))
        vectors, start = {}, 0
        for language, of_language in texts.items():
            rows = place[number[start : start + len(of_language)]]
            vectors[language] = Parted(parts, rows, PART, self.encoder.dimension)
            start += len(of_language)
        return vectors if len(first) > WINDOW else {language: rows[:] for language, rows in vectors.items()}

    def part(
        self, sides: Sequence[Sequence[str]], positions: NDArray[np.int64], kind: Kind
    ) -> Callable[[], NDArray[np.float32]]:
        """What gives the vectors of the texts at some positions: from the cache, if they could be kept there."""
        texts = _at(sides, positions)
        made_of = {"encoder": self.sha256, "kind": kind, "texts": sha256_of(texts)}
        path = self.directory / f"{kind}-{made_of['texts'][:20]}.safetensors" if self.directory else None
        if path and _is_kept(path, made_of, (len(texts), self.encoder.dimension)):
            return partial(self._kept, path, sides, positions, kind)
        vectors = self.encoder.encode(texts, kind, progress=False)
        # what is not finite is refused where it is ranked, and must not be found again
        if path and np.isfinite(vectors).all():
            if _write(path, made_of, vectors):
                return partial(self._kept, path, sides, positions, kind)
            self.directory = None
        return lambda: vectors

    def _kept(
        self, path: Path, sides: Sequence[Sequence[str]], positions: NDArray[np.int64], kind: Kind
    ) -> NDArray[np.float32]:
        """The vectors in a part that was checked or written; the file is mapped for as long as they are held."""
        try:
            with safe_open(path, "pt") as stored:
                rows: NDArray[np.float32] = stored.get_tensor("vectors").numpy()
        except FileNotFoundError:  # another evaluation ended, and took it away
            rows = self.part(sides, positions, kind)()
        return rows


def _cut(sides: Sequence[Sequence[str]], positions: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Which of the texts at some positions make each part: a window's from the longest to the shortest, so that the
    batches of a part hold little padding."""
    for start in range(0, len(positions), WINDOW):
        lengths = np.array([len(text) for text in _at(sides, positions[start : start + WINDOW])])
        longest_first = start + np.argsort(-lengths, kind="stable")
        yield from (longest_first[begin : begin + PART] for begin in range(0, len(lengths), PART))


def _at(sides: Sequence[Sequence[str]], positions: NDArray[np.int64]) -> list[str]:
    """The texts at positions that are counted through all sides, one below the other."""
    starts = np.cumsum([0, *map(len, sides)])
    side = np.searchsorted(starts, positions, side="right") - 1
    return [sides[n][row] for n, row in zip(side.tolist(), (positions - starts[side]).tolist(), strict=True)]


def distinct(texts: Iterable[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which texts are equal, told from 128 bits of their hashes so that no text is held.

    Args:
        texts: read once.

    Returns:
        positions [distinct] where each text stands first, rising; number [texts], which of these each text equals.

    Example:
        >>> distinct(["b", "a", "b", "c"])
        (array([0, 1, 3]), array([0, 1, 0, 2]))
    """
    hashes = bytearray()
    for text in texts:
        hashes += hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    _, first, number = np.unique(np.frombuffer(hashes, dtype="V16"), return_index=True, return_inverse=True)
    order = np.argsort(first)
    return first[order], np.argsort(order)[number]


def _is_kept(path: Path, made_of: Mapping[str, str], shape: tuple[int, int]) -> bool:
    """Whether there is a part that is whole and made of just this."""
    try:
        # as "pt" it is mapped, and no file stays open; as "numpy" it would be in memory
        with safe_open(path, "pt") as stored:
            kept, vectors = stored.metadata() or {}, stored.get_tensor("vectors")
    except FileNotFoundError:
        return False
    except (SafetensorError, OSError) as error:
        warnings.warn(f"{path} is damaged ({error}): encoding its texts again", stacklevel=2)
        return False
    fits = vectors.dtype == torch.float32 and vectors.shape == shape
    if fits and kept == {**made_of, "vectors": _sha256(vectors.numpy())}:
        return True
    warnings.warn(f"{path} is damaged or was made by something else: encoding its texts again", stacklevel=2)
    return False


def _write(path: Path, made_of: Mapping[str, str], vectors: NDArray[np.float32]) -> bool:
    """Whether a part could be kept."""
    try:
        with atomic(path) as scratch:
            save_file({"vectors": vectors}, scratch, {**made_of, "vectors": _sha256(vectors)})
    except (OSError, SafetensorError) as error:
        warnings.warn(
            f"the vectors cannot be kept in {path.parent} ({error}): goes on without, and encodes again next time",
            stacklevel=2,
        )
        return False
    return True


def _sha256(vectors: NDArray[np.float32]) -> str:
    return hashlib.sha256(np.ascontiguousarray(vectors).data).hexdigest()
