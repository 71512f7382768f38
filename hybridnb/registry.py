"""Registries: what there is of a kind (benchmarks, corpora, encoders), by name; each entry registers itself."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterator, Mapping
from typing import TypeVar

Entry = TypeVar("Entry")


class Registry(Mapping[str, Entry]):
    """Name -> entry, in the order of registration; an unknown name is an error that tells the nearest one.

    kind: what the entries are, for the message.

    Example:
        >>> colours = Registry[int]("colour")
        >>> colours.register("red", 1)
        >>> colours["rde"]
        Traceback (most recent call last):
        ValueError: no colour is named 'rde'. Did you mean 'red'? Known: red
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, Entry] = {}

    def register(self, name: str, entry: Entry) -> None:
        """Add an entry. ValueError: the name is taken."""
        if name in self._entries:
            raise ValueError(f"a {self.kind} named {name!r} is registered already")
        self._entries[name] = entry

    def __getitem__(self, name: str) -> Entry:
        if name in self._entries:
            return self._entries[name]
        near = difflib.get_close_matches(name, self._entries, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        more = f" ... ({len(self)} in all)"
        known = textwrap.shorten(", ".join(self._entries), 200, placeholder=more, break_on_hyphens=False)
        raise ValueError(f"no {self.kind} is named {name!r}.{hint} Known: {known}")

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
