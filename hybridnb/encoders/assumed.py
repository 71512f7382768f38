"""What is assumed of a model whose files are silent: a table keyed by what the files say the model is.

A directory's own name is never asked: the same files are the same model wherever they lie.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

QUERY_LENGTH, PASSAGE_LENGTH = 64, 256
"""Tokens, of a model whose files name no length that a text is to be cut to."""


@dataclass(frozen=True)
class Assumed:
    """How a model wants its texts, and who says so."""

    pooling: str
    query_prefix: str
    passage_prefix: str
    source: str


TABLE = {
    r"(intfloat/)?(multilingual-)?e5-(small|base|large)(-v2)?": Assumed(
        "mean", "query: ", "passage: ", "E5, arXiv 2212.03533"
    ),
    r"((sentence-transformers|setu4993|pvl)/)?LaBSE": Assumed("pooler", "", "", "LaBSE, arXiv 2007.01852"),
}
"""By a model's name on the hub, as its files or the user give it."""

PIPELINE = Assumed("mean", "", "", "sentence-transformers' default")
PRETRAINED = Assumed("mean", "Query: ", "Passage: ", "only pre-trained, used as in arXiv 2408.10536")


def assumed(directory: Path, config: dict[str, Any], hub_name: str | None, *, pipeline: bool) -> Assumed:
    """What is assumed of a model where its files are silent.

    Args:
        directory: Of the model; the model card in it is read.
        config: The content of its config.json.
        hub_name: What it was loaded from the hub as, if it was.
        pipeline: Whether it has the files of a sentence-transformers model.

    Example:
        >>> assumed(Path("anywhere"), {"_name_or_path": "intfloat/e5-small"}, None, pipeline=False).query_prefix
        'query: '
        >>> assumed(Path("e5-small"), {}, None, pipeline=False).query_prefix
        'Query: '
    """
    for name in filter(None, (hub_name, config.get("_name_or_path"), *_card_names(directory / "README.md"))):
        for pattern, entry in TABLE.items():
            if re.fullmatch(pattern, str(name), re.IGNORECASE):
                return entry
    return PIPELINE if pipeline else PRETRAINED


def _card_names(card: Path) -> list[str]:
    """The names that a model card gives its model, and the model that this was made from."""
    from huggingface_hub import metadata_load  # a second to import

    try:
        said = (metadata_load(card) if card.is_file() else None) or {}
    except Exception:  # prose for people, in whatever state: it names nothing
        return []
    base = said.get("base_model") or []
    index = said.get("model-index") or []
    names = (
        [entry.get("name") for entry in index if isinstance(entry, dict)] if isinstance(index, list) else []
    )
    return [*names, *([base] if isinstance(base, str) else base)]
