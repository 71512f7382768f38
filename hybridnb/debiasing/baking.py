"""A debiasing as a part of an encoder: Dense modules behind a SentenceTransformer, which then needs nothing else."""

from __future__ import annotations

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Module
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Router

from hybridnb.debiasing.maps import Debiasing
from hybridnb.encoders.kinds import TASKS


def bake(network: SentenceTransformer, debiasing: Debiasing) -> None:
    """Put the maps of a debiasing behind a SentenceTransformer, in place.

    `encode_query` then gives what `debiasing.apply` makes of its vectors as queries, `encode_document` and `encode`
    as passages, to the precision of float32.

    Args:
        network: Compared by cosine.
        debiasing: One that needs no language; fitted to vectors of the network.

    Raises:
        ValueError: The maps need the language of a text, or do not fit the network.

    Example:
        >>> from hybridnb.debiasing.maps import Affine
        >>> from hybridnb.encoders.models.small import build_small_encoder
        >>> encoder = build_small_encoder(["wo wohnt ana", "ana wohnt am see"], vocabulary=60, hidden=4)
        >>> before = encoder.encode(["ana"], "query")
        >>> mirror = Affine(-torch.eye(4).double().numpy(), torch.zeros(4).double().numpy())
        >>> maps = {"query": {"*": mirror}, "passage": {"*": mirror}}
        >>> bake(encoder.network, Debiasing("one-map", ("de", "en"), maps, {}))
        >>> bool(abs(encoder.encode(["ana"], "query") + before).max() < 1e-6)
        True
    """
    if debiasing.needs_language:
        raise ValueError(
            f"{debiasing.method} needs the language of every text, which an encoder does not know: evaluate with "
            "--debias DIR, or choose another method"
        )
    if network.truncate_dim or network.similarity_fn_name != "cosine":
        raise ValueError(
            "a debiasing maps whole vectors that are compared by cosine; this encoder's are not such"
        )
    if (width := network.get_embedding_dimension()) != debiasing.dimension:
        raise ValueError(
            f"the debiasing is for vectors of {debiasing.dimension} numbers, the encoder's have {width}"
        )
    routes: dict[str, list[Module]] = {}
    for kind, task in TASKS.items():
        matrix, offset = debiasing.matrix(kind)
        weight, bias = torch.from_numpy(matrix.T.copy()), torch.from_numpy(offset)
        routes[task] = [Dense(width, width, activation_function=None, init_weight=weight, init_bias=bias)]
    if not isinstance(list(network)[-1], Normalize):
        network.add_module("unit", Normalize())
    network.add_module("debiasing", Router(routes, default_route=TASKS["passage"]).to(network.device))
    network.add_module("debiased", Normalize())
