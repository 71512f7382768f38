"""How texts are cut into batches when they are encoded: by their tokens, not by their number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hybridnb.encoders.kinds import KINDS

TOKENIZE_BLOCK = 16_384
"""Texts tokenized at a time when encoding: enough to sort by length, little enough to hold."""

CPU_TOKENS, ACCELERATOR_TOKENS = 16, 256
"""Tokens that a batch may hold, padding included, per unit of `batch_size`. A CPU is fastest with about 1,000
tokens at a time, which stay in its caches; an accelerator wants many."""


def token_batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Positions of texts, longest first, in batches of at most `budget` tokens with their padding.

    Example:
        >>> list(token_batches([2, 5, 3], budget=10))
        [[1, 2], [0]]
    """
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


def check_texts(texts: Sequence[str], kind: str) -> None:
    """ValueError: it is no list of texts, or there is no such kind."""
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; it must be 'query' or 'passage'")
    if isinstance(texts, str):
        raise ValueError("texts is one string; give a list of strings")
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"texts[{position}] is {text!r}, not a string")
