"""DualEncoder: a SentenceTransformer that turns queries and passages into vectors; load, encode, save."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Router
from torch import Tensor
from torch.nn import functional

from hybridnb.cores import one_core_each
from hybridnb.encoders.frozen import Trunk, frozen_layers
from hybridnb.encoders.gate import longest_input, one_line
from hybridnb.encoders.kinds import KINDS, TASKS, Kind
from hybridnb.encoders.loading import load_network, say_what_is_assumed
from hybridnb.encoders.pipeline import save_pipeline
from hybridnb.encoders.settings import Precision
from hybridnb.encoders.tokens import (
    ACCELERATOR_TOKENS,
    CPU_TOKENS,
    TOKENIZE_BLOCK,
    check_texts,
    token_batches,
)
from hybridnb.progress import progress as progress_bar


class DualEncoder(torch.nn.Module):
    """A SentenceTransformer with shared weights for queries and passages.

    Prefixes and maximum lengths are the SentenceTransformer's own (`prompts`, `query_length`, `document_length`), so
    that its `encode_query` and `encode_document` give the vectors that `encode` gives here.

    Args:
        network: Its first module is a Transformer; without an own similarity it is compared by cosine.
        name: Where it came from, for people.
        revision: The hub's commit.
        sources: Who said each convention: "files", "user", or the entry of the table that was assumed.

    Raises:
        ValueError: a maximum length leaves no room for text, or is beyond the model's positions.
    """

    precision: Precision | None = None
    """Of the matrix products; None is bfloat16 on a GPU that has it and float32 elsewhere. Weights are float32."""

    def __init__(
        self,
        network: SentenceTransformer,
        *,
        name: str,
        revision: str | None = None,
        sources: dict[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.network: Any = network
        self._name, self._revision, self._sources = name, revision, sources or {}
        self._trunk: Trunk | None = None
        for kind in KINDS:
            self.check_length(kind, self.max_length(kind))

    @classmethod
    def load(
        cls,
        model: str | Path,
        *,
        pooling: str | None = None,
        query_prefix: str | None = None,
        passage_prefix: str | None = None,
        max_query_length: int | None = None,
        max_passage_length: int | None = None,
        revision: str | None = None,
    ) -> DualEncoder:
        """Load an encoder in float32 on the CPU, in evaluation mode; no code of the model's own is run.

        What is not given is what the model's files say; where they are silent it is assumed (see `assumed`), which
        is printed once and recorded in `conventions`.

        Args:
            model: Hub name, transformers or sentence-transformers directory, run of ours, or a registered name.
            pooling: One of `pipeline.POOLINGS`.
            query_prefix: Put before every query.
            passage_prefix: Put before every passage.
            max_query_length: In tokens, the prefix and the special tokens included.
            max_passage_length: In tokens, likewise.
            revision: Of the hub.

        Raises:
            FileNotFoundError: there is no such model, or a file of it is missing.
            ValueError: the model cannot be used, and why.
        """
        given: dict[str, Any] = {
            "pooling": pooling,
            "query_prefix": query_prefix,
            "passage_prefix": passage_prefix,
            "max_query_length": max_query_length,
            "max_passage_length": max_passage_length,
        }
        network, directory, commit, sources = load_network(str(model), revision, given)
        encoder = cls(network, name=str(model), revision=commit, sources=sources).eval()
        _try(encoder, directory)
        say_what_is_assumed(encoder.conventions, from_hub=commit is not None)
        return encoder

    @property
    def model(self) -> Any:
        """The transformers model."""
        return self.network.transformers_model

    @property
    def tokenizer(self) -> Any:
        """Its fast tokenizer."""
        return self.network.tokenizer

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return int(self.network.truncate_dim or self.network.get_embedding_dimension())

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.network.parameters()).device

    @property
    def vocabulary_size(self) -> int:
        """Rows of the embedding table."""
        return int(self.model.get_input_embeddings().weight.shape[0])

    @property
    def conventions(self) -> dict[str, Any]:
        """Where it came from and how texts become vectors, each with its source, for run.json."""
        pooling = next((m.pooling_mode for m in self.network if isinstance(m, Pooling)), "pooler")
        return {
            "model": self._name,
            "revision": self._revision,
            "pooling": pooling if isinstance(pooling, str) else "+".join(pooling),
            "query_prefix": self.prefix("query"),
            "passage_prefix": self.prefix("passage"),
            "max_query_length": self.max_length("query"),
            "max_passage_length": self.max_length("passage"),
            "similarity": self.network.similarity_fn_name,
            "sources": self._sources,
        }

    def set_dropout(self, probability: float) -> None:
        """Give every dropout in the encoder this probability."""
        for module in self.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = probability

    def prefix(self, kind: Kind) -> str:
        """What is put before every text of this kind."""
        return self.network.prompts[kind]

    def max_length(self, kind: Kind) -> int:
        """Tokens that a text of this kind is cut to, prefix and special tokens included."""
        first = self.network[0]
        return int(first.query_length if kind == "query" else first.document_length)

    def check_length(self, kind: Kind, length: int) -> None:
        """Whether texts of this kind can be cut to so many tokens.

        Raises:
            ValueError: the model has fewer positions, or prefix and special tokens leave no room for text.
        """
        taken = len(self.tokenizer(self.prefix(kind))["input_ids"])
        longest = longest_input(self.model)
        if longest is not None and not 0 < length <= longest:
            raise ValueError(f"max_{kind}_length is {length}; {self._name} takes 1 to {longest} tokens")
        if taken >= length:
            raise ValueError(
                f"max_{kind}_length is {length}; in {self._name} the prefix {self.prefix(kind)!r} with the special "
                f"tokens takes {taken}: nothing of the text would be left"
            )

    def check_trainable(self) -> None:
        """Whether it can be trained, and checkpoints of the weights written; asked before the first step.

        Raises:
            ValueError: it is debiased, or two weights share their memory, which safetensors does not store.
        """
        if any(isinstance(module, Router) for module in self.network):
            raise ValueError(
                f"{self._name} is debiased, with a map for queries and one for passages: train the model that it was "
                "made from, and debias that"
            )
        places: dict[int, str] = {}
        for name, weight in self.state_dict().items():
            other = places.setdefault(weight.data_ptr(), name)
            if other != name and weight.numel():
                raise ValueError(
                    f"{self._name} cannot be trained here: {other} and {name} are one weight, which a checkpoint in "
                    "safetensors cannot hold"
                )

    def reuse_frozen(self, trained_layers: int, cache: Path) -> None:
        """Keep in `cache` what the layers below the trained ones make of texts, for every encoder that shares them.

        For evaluation: `encode` starts from what it finds there. The weights may not change after this.
        """
        below = frozen_layers(self.model, trained_layers)
        self._trunk = Trunk(self.model, below, cache) if below else None

    def token_ids(self, texts: Sequence[str], kind: Kind, max_length: int | None = None) -> list[list[int]]:
        """Token ids of each text: prefix added, special tokens added, cut to `max_length` or the encoder's own."""
        check_texts(texts, kind)
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

    def forward(self, features: dict[str, Tensor], kind: Kind = "passage") -> Tensor:
        """Vectors, float32 [texts, dimension], of tokenized texts; of length 1 unless compared by "dot".

        The kind acts on an encoder that is debiased, and has a map for each.
        """
        states = self.network[0](dict(features))
        # pooled and mapped in float32 whatever autocast made of the states
        states = {
            k: v.float() if torch.is_tensor(v) and v.is_floating_point() else v for k, v in states.items()
        }
        with torch.autocast(self.device.type, enabled=False):
            for module in list(self.network)[1:]:
                routed = {"task": TASKS[kind]} if isinstance(module, Router) else {}
                states = module(states, **routed)
        vectors = states["sentence_embedding"].float()[:, : self.network.truncate_dim]
        return vectors if self.network.similarity_fn_name == "dot" else functional.normalize(vectors, dim=-1)

    def encode(
        self, texts: Sequence[str], kind: Kind, *, batch_size: int = 64, progress: bool = True
    ) -> NDArray[np.float32]:
        """Vectors of texts, in their order.

        Repeated texts are encoded once. Batches go from the longest texts to the shortest and hold a number
        of tokens, not of texts. Runs on the model's device, on a CPU a batch on each core, in the encoder's
        `precision`.

        Args:
            texts: Without prefix.
            kind: "query" or "passage".
            batch_size: In units of 16 tokens on a CPU, of 256 on an accelerator.
            progress: Whether what takes long shows itself.

        Returns:
            float32 [texts, dimension], of length 1 unless the model is compared by "dot".

        Raises:
            ValueError: something else than a list of texts.

        Example:
            >>> from hybridnb.encoders.models.small import build_small_encoder
            >>> encoder = build_small_encoder(["wo wohnt ana", "ana wohnt am see"], vocabulary=60, hidden=16)
            >>> encoder.encode(["ana", "wo"], "query").shape
            (2, 16)
        """
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; it must be at least 1")
        check_texts(texts, kind)
        row_of = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        unique = list(row_of)
        vectors = np.empty((len(unique), self.dimension), dtype=np.float32)
        longest_first = sorted(range(len(unique)), key=lambda row: -len(unique[row]))
        budget = self.token_budget(batch_size)
        bar = progress_bar(len(unique), f"encode {kind}", "text", show=progress)
        with bar, _evaluating(self), one_core_each(self.device) as workers:
            for start in range(0, len(unique), TOKENIZE_BLOCK):
                block = longest_first[start : start + TOKENIZE_BLOCK]
                ids = self.token_ids([unique[row] for row in block], kind)
                batches = list(token_batches([len(row) for row in ids], budget))
                # a trunk takes the model apart meanwhile
                each = workers.map if self._trunk is None else map
                of_batches = each(partial(self._embed_some, ids, kind), batches)
                for batch, of_batch in zip(batches, of_batches, strict=True):
                    vectors[[block[position] for position in batch]] = of_batch
                    bar.update(len(batch))
        return vectors[[row_of[text] for text in texts]]

    def save(self, directory: str | Path) -> None:
        """Write a directory that SentenceTransformer, AutoModel, AutoTokenizer and `load` read; safetensors only.

        SentenceTransformer's `encode_query` and `encode_document` give the same vectors.
        """
        save_pipeline(self.network, Path(directory))

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

    def _embed_some(self, ids: list[list[int]], kind: Kind, batch: list[int]) -> NDArray[np.float32]:
        return self.embed(self.pad([ids[position] for position in batch]), kind)

    def embed(self, features: dict[str, Tensor], kind: Kind) -> NDArray[np.float32]:
        """`forward` on the encoder's device, in its `precision`."""
        device = self.device
        features = {key: value.to(device) for key, value in features.items()}
        bfloat16 = self.uses_bfloat16(device.type)
        autocast = torch.autocast(device.type, dtype=torch.bfloat16, enabled=bfloat16)
        with torch.inference_mode(), autocast:
            if self._trunk is None:
                return self(features, kind).cpu().numpy()
            states = self._trunk.states(features, "bfloat16" if bfloat16 else "float32")
            with self._trunk.above():
                above = {"inputs_embeds": states, "attention_mask": features["attention_mask"]}
                return self(above, kind).cpu().numpy()


def encoder_sha256(encoder: DualEncoder) -> str:
    """Hash of what an encoder's vectors depend on: weights, configuration, tokenizer, conventions, precision.

    Not its name or where it was loaded from.
    """
    conventions = {k: v for k, v in encoder.conventions.items() if k not in ("model", "revision", "sources")}
    config = encoder.model.config.to_diff_dict()
    # what saving adds, and what of the config has no part in a vector
    for key in ("_name_or_path", "transformers_version", "dtype", "architectures", "use_cache"):
        config.pop(key, None)
    tokenizer = json.loads(encoder.tokenizer.backend_tokenizer.to_str())
    # what a tokenizer remembers of the last call
    tokenizer["truncation"] = tokenizer["padding"] = None
    first, *others = encoder.network
    modules = [
        first.modality_config["text"],
        *([type(m).__name__, getattr(m, "get_config_dict", dict)()] for m in others),
    ]
    bfloat16 = encoder.uses_bfloat16(encoder.device.type)
    digest = hashlib.sha256()
    for part in (conventions, encoder.dimension, config, modules, bfloat16, tokenizer):
        digest.update(json.dumps(part, sort_keys=True, default=str).encode())
    for name, weight in sorted(encoder.network.state_dict().items()):
        digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
        digest.update(weight.cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _try(encoder: DualEncoder, directory: Path) -> None:
    """Encode a text alone and beside a longer one. ValueError: it fails, is not finite, or padding changes it."""
    short, long = "a", "one two three four five six seven eight"
    try:
        encoder.encode([short], "query", progress=False)
        (alone,) = encoder.encode([short], "passage", progress=False)
        beside = encoder.encode([short, long], "passage", progress=False)[0]
    except Exception as error:  # whatever a model makes of what it does not expect
        raise ValueError(f"{directory}: a trial text could not be encoded: {one_line(error)}") from error
    if not np.isfinite([alone, beside]).all():
        raise ValueError(f"{directory}: the vector of a trial text is NaN or infinite")
    if not np.allclose(alone, beside, atol=1e-3 * max(1.0, float(np.abs(alone).max()))):
        raise ValueError(
            f"{directory}: padding changes the vectors of {type(encoder.model).__name__}; it cannot be used in batches"
        )


@contextmanager
def _evaluating(module: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode (no dropout) for a while."""
    training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(training)
