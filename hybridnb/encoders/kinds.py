"""The two kinds of texts, which encoders may treat differently."""

from __future__ import annotations

from typing import Literal, get_args

Kind = Literal["query", "passage"]
KINDS: tuple[Kind, ...] = get_args(Kind)

TASKS: dict[Kind, str] = {"query": "query", "passage": "document"}
"""What sentence-transformers calls the kinds."""
