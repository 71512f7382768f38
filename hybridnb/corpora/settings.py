"""The settings of what is trained on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CorpusSettings:
    """What is trained on.

    training, validation: names or JSONL files (see `hybridnb describe`); validation may be empty: then the
        share `held_out` of the training documents is kept for it.
    weights: "proportional", a temperature, or a weight for each source.
    context: how often a section heading is prefixed by its page title: never, half or always.
    share: of the training documents that is used; what is held out for validation stays the same.
    """

    training: str = "cldr"
    validation: str = ""
    held_out: float = 0.05
    weights: str | float | dict[str, float] = "proportional"
    exclude_sources: tuple[str, ...] = ()
    context: str = "never"
    share: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"corpus.share is {self.share}; it must be above 0 and at most 1")
