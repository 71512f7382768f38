"""Encoders that are evaluated, never trained: what else sentence-transformers loads, any object with `encode`."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from hybridnb.encoders.encoder import DualEncoder
from hybridnb.encoders.gate import LOCAL, NotTrainable, one_line
from hybridnb.encoders.kinds import Kind
from hybridnb.encoders.locate import locate
from hybridnb.encoders.pipeline import quiet_transformers
from hybridnb.encoders.settings import Precision

METHODS: dict[Kind, str] = {"query": "encode_query", "passage": "encode_document"}
"""What is asked for vectors of a kind, as sentence-transformers calls it; an object without it is asked by `encode`."""

PICKLES = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")

_SENTENCES = (
    "Who wrote the first letter?",
    "Wer schrieb den ersten Brief?",
    "Кто написал первое письмо?",
    "من كتب الرسالة الأولى؟",
    "पहला पत्र किसने लिखा?",
    "ใครเขียนจดหมายฉบับแรก",
    "谁写了第一封信？",
)
PROBES = (*_SENTENCES, " ".join(_SENTENCES * 20))
"""Texts by whose vectors an encoder is known; the last is longer than most take, so that where it is cut counts."""


class ForeignEncoder:
    """Any object that makes vectors of texts, as `DualEncoder` is used where texts are evaluated.

    It is known by its name and by the vectors that it gives for `PROBES`.

    Args:
        model: has `encode(texts) -> array [texts, d]`, or `encode_query` and `encode_document`; a SentenceTransformer
            adds its own prompts.
        name: what results call it.

    Raises:
        ValueError: no name, no such method, a similarity that ranks here are not by, or vectors that are none.

    Example:
        >>> class Lengths:
        ...     def encode(self, texts):
        ...         return [[len(text), 1.0] for text in texts]
        >>> ForeignEncoder(Lengths(), "lengths").encode(["four"], "query").round(3)
        array([[0.97 , 0.243]], dtype=float32)
    """

    def __init__(self, model: Any, name: str) -> None:
        self.network, self.name = model, name
        own = getattr(model, "similarity_fn_name", None)
        if own not in (None, "cosine", "dot"):
            raise ValueError(f"{name} is compared by {own!r}; ranks here are by 'cosine' or 'dot'")
        self.similarity = own or "cosine"
        self.dimension = 0  # of no vector yet
        digest = hashlib.sha256(json.dumps([name, self.similarity]).encode())
        longest = []
        for kind in METHODS:
            vectors = self._raw(PROBES, kind)
            self.dimension = vectors.shape[1]
            longest.append(np.linalg.norm(vectors, axis=1))
            digest.update(vectors.tobytes())
        self.sha256 = digest.hexdigest()
        if self.similarity == "cosine" and not np.allclose(longest, 1, atol=1e-3):
            print(
                f"{name}: its vectors are not of length 1 ({np.min(longest):.3g} to {np.max(longest):.3g} for trial "
                "texts): compared by cosine",
                file=sys.stderr,
            )

    @property
    def conventions(self) -> dict[str, Any]:
        """What it is, for evaluations.json."""
        kind = type(self.network)
        prompts = getattr(self.network, "prompts", None)
        return {
            "model": self.name,
            "class": f"{kind.__module__}.{kind.__qualname__}",
            **(
                {"prompts": dict(prompts)}
                if isinstance(self.network, SentenceTransformer) and prompts
                else {}
            ),
            "similarity": self.similarity,
        }

    def encode(self, texts: Sequence[str], kind: Kind, *, progress: bool = False) -> NDArray[np.float32]:
        """Vectors of texts, float32 [texts, dimension], of length 1 unless compared by "dot".

        Args:
            texts: without prompt.
            kind: "query" or "passage".
            progress: for the form's sake: how it shows itself is left to the object.

        Raises:
            ValueError: what the object gives is no array of numbers, a row a text.
        """
        vectors = self._raw(texts, kind)
        return vectors if self.similarity == "dot" else unit(vectors)

    def _raw(self, texts: Sequence[str], kind: Kind) -> NDArray[np.float32]:
        method = next((name for name in (METHODS[kind], "encode") if hasattr(self.network, name)), None)
        if method is None:
            raise ValueError(
                f"{self.name}: a {type(self.network).__name__} has neither {METHODS[kind]} nor encode, which makes "
                "vectors of a list of texts"
            )
        given = getattr(self.network, method)(list(texts))
        try:
            vectors = given.detach().float().cpu().numpy() if torch.is_tensor(given) else np.asarray(given)
            vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self.name}: {method} gave no array of numbers: {one_line(error)}") from None
        expected = (len(texts), self.dimension or (vectors.shape[1] if vectors.ndim == 2 else "d"))
        if vectors.shape != expected or not all(vectors.shape):
            raise ValueError(
                f"{self.name}: {method} of {len(texts)} texts gave an array of shape {vectors.shape}; it must be "
                f"({expected[0]}, {expected[1]}), one row a text"
            )
        return vectors


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors [n, d] divided by their lengths; one that is not finite becomes NaN.

    One of zeros stays as it is, and one of length 1, bit by bit: what was written down as unit vectors gives the
    same ranks again.

    Example:
        >>> unit(np.array([[3, 4], [0, 0]], dtype=np.float32)).tolist()
        [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    with np.errstate(invalid="ignore", over="ignore"):
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        stays = (length == 0) | (np.abs(length - 1) < 1e-6)
        return np.divide(vectors, np.where(stays, 1, length), dtype=np.float32)


def load_encoder(
    model: str | Path,
    *,
    name: str | None = None,
    precision: Precision | None = None,
    query_prefix: str | None = None,
    passage_prefix: str | None = None,
    revision: str | None = None,
    **conventions: Any,
) -> DualEncoder | ForeignEncoder:
    """An encoder for evaluation: a `DualEncoder` where the model can be one, else as sentence-transformers loads it.

    Args:
        model: as `DualEncoder.load` takes it.
        name: what results call it; its own by default.
        precision: of the matrix products.
        query_prefix, passage_prefix, revision, conventions: of `DualEncoder.load`.

    Raises:
        FileNotFoundError: there is no such model, or a file of it is missing.
        ValueError: the model cannot be used, or does not take what was asked of it.
    """
    try:
        encoder = DualEncoder.load(
            model, query_prefix=query_prefix, passage_prefix=passage_prefix, revision=revision, **conventions
        )
    except NotTrainable as refused:
        given = {"precision": precision, **conventions}
        if foreign := [option for option, value in given.items() if value is not None]:
            raise ValueError(f"{foreign[0]} cannot be set here: {refused}") from None
        directory, _ = locate(str(model), revision)
        network = _sentence_transformer(directory)
        for key, prefix in {"query": query_prefix, "document": passage_prefix}.items():
            if prefix is not None:
                network.prompts = {**network.prompts, key: prefix}
        return ForeignEncoder(network, name or str(model))
    encoder.precision = precision
    return encoder


def _sentence_transformer(directory: Path) -> SentenceTransformer:
    pickled = [path for pattern in PICKLES for path in directory.rglob(pattern)]
    if bad := [path for path in pickled if not list(path.parent.glob("*.safetensors"))]:
        raise ValueError(f"{bad[0]} is a pickle; only safetensors weights are read: save the model again")
    try:
        with quiet_transformers():
            network: Any = SentenceTransformer(
                str(directory), model_kwargs={"use_safetensors": True}, **LOCAL
            )
    except Exception as error:  # whatever a library makes of a damaged file
        raise ValueError(f"{directory}: sentence-transformers cannot load it: {one_line(error)}") from None
    return network.eval()
