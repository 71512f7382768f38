"""The vectors of a benchmark's queries and candidates, kept on disk by what made them."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.encoders.encoder import DualEncoder, Kind
from hybridnb.encoders.trunk import encode_above

Vectors = dict[str, NDArray[np.float32]]
"""language -> unit vectors, float32 [texts, dimension]."""


def encode_benchmark(
    encoder: DualEncoder, benchmark: Benchmark, *, cache: Path | None, frozen: int = 0
) -> tuple[Vectors, Vectors]:
    """(query vectors, candidate vectors) by language, rows in the benchmark's order.

    Moves the encoder to the accelerator where there is one. Queries get the query prefix and candidates the
    passage prefix, also where a text is both. cache: directory in which the vectors are kept under the hash
    of the encoder and of the data, None for nowhere. frozen: how many of the lower layers other encoders share;
    what these make of the benchmark is then kept in place of the vectors. ValueError: a damaged file, by name.
    """
    if torch.accelerator.is_available():
        encoder.to(torch.accelerator.current_accelerator())
    queries = {language: q.texts for language, q in benchmark.queries.items()}
    if frozen and cache is not None:

        def encode(texts: Sequence[str], kind: Kind) -> NDArray[np.float32]:
            return encode_above(encoder, texts, kind, frozen, cache)

        return _by_language(encode, queries, "query"), _by_language(encode, benchmark.candidates, "passage")
    file = None
    if cache is not None:
        file = cache / f"{encoder_sha256(encoder)[:20]}-{benchmark.sha256[:20]}.safetensors"
        if file.is_file():
            return _read(file)
    vectors = (
        _by_language(encoder.encode, queries, "query"),
        _by_language(encoder.encode, benchmark.candidates, "passage"),
    )
    if file is not None:
        _write(file, *vectors)
    return vectors


def encoder_sha256(encoder: DualEncoder) -> str:
    """Hash of what its vectors depend on: weights, configuration, tokenizer, conventions, precision.

    Not its name or where it was loaded from.
    """
    conventions = {k: v for k, v in encoder.conventions.items() if k not in ("model", "revision")}
    config = encoder.model.config.to_diff_dict()
    for key in ("_name_or_path", "transformers_version", "dtype"):
        config.pop(key, None)
    digest = hashlib.sha256()
    for part in (conventions, config, encoder.uses_bfloat16(encoder.device.type)):
        digest.update(json.dumps(part, sort_keys=True).encode())
    tokenizer = json.loads(encoder.tokenizer.backend_tokenizer.to_str())
    # what a tokenizer remembers of the last call
    tokenizer["truncation"] = tokenizer["padding"] = None
    digest.update(json.dumps(tokenizer).encode())
    for name, weight in sorted(encoder.model.state_dict().items()):
        digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
        digest.update(weight.cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _by_language(
    encode: Callable[[Sequence[str], Kind], NDArray[np.float32]],
    texts: Mapping[str, Sequence[str]],
    kind: Kind,
) -> Vectors:
    """All languages in one go: batches of one length, repeated texts once."""
    together = encode([text for part in texts.values() for text in part], kind)
    ends = np.cumsum([len(part) for part in texts.values()])
    return dict(zip(texts, np.split(together, ends[:-1]), strict=True))


def _read(file: Path) -> tuple[Vectors, Vectors]:
    try:
        stored = load_file(file)
    except SafetensorError as error:
        raise ValueError(f"{file} is damaged ({error}); delete it and run again") from error
    queries: Vectors = {}
    candidates: Vectors = {}
    for key, vectors in stored.items():
        side, _, language = key.partition("/")
        (queries if side == "query" else candidates)[language] = vectors
    return queries, candidates


def _write(file: Path, queries: Vectors, candidates: Vectors) -> None:
    """Write under another name and rename, so that a file of this name is whole."""
    stored = {f"query/{language}": vectors for language, vectors in queries.items()}
    stored |= {f"candidate/{language}": vectors for language, vectors in candidates.items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".writing-") as scratch:
        part = Path(scratch) / file.name
        save_file({key: np.ascontiguousarray(vectors) for key, vectors in stored.items()}, part)
        part.replace(file)
