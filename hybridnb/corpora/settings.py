"""The settings of what is trained on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hybridnb.settings import Settings


class CorpusSettings(Settings):
    """What is trained on.

    Args:
        training, validation: names or files (see `hybridnb describe`); validation may be empty: then the
            fraction `held_out` of the training documents is kept for it.
        weights: "proportional", a temperature, or a weight for each source.
        exclude_sources: left out of a corpus.
        context: how often a section heading is prefixed by its page title.
        fraction: of the training documents that is used; what is held out for validation stays the same.
    """

    training: str = "cldr"
    validation: str = ""
    held_out: float = Field(0.05, gt=0, lt=1)
    weights: (
        Literal["proportional"] | Annotated[float, Field(gt=0)] | dict[str, Annotated[float, Field(ge=0)]]
    ) = "proportional"
    exclude_sources: tuple[str, ...] = ()
    context: Literal["never", "half", "always"] = "never"
    fraction: float = Field(1.0, gt=0, le=1)
