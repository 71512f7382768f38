"""The settings of what is done to a study's encoders without training."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from hybridnb.corpora import SENTENCES, is_path
from hybridnb.corpora.languages import canonical
from hybridnb.debiasing import METHODS
from hybridnb.settings import Settings

TRAINING = "training"
"""In the place of a set of sentences: the queries and passages of the training corpus."""


def _methods(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        METHODS[name]
    return tuple(dict.fromkeys(names))


def _sets(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name != TRAINING and not is_path(name):
            SENTENCES[name]
    return tuple(dict.fromkeys(names))


class CurveSettings(Settings):
    """What is also tried with one run of a study: methods fitted to fewer sentences, and without some languages.

    Args:
        counts: numbers of sentences, 100 or more, which a choice of strength needs; none: nothing is tried.
        unseen: languages that methods are also fitted without.
        sentences: sets of parallel sentences; empty means those of the debiasing, without its limit.
        benchmarks: of the study's; empty means the first.
    """

    counts: tuple[Annotated[int, Field(ge=100)], ...] = ()
    unseen: tuple[Annotated[str, AfterValidator(canonical)], ...] = ()
    sentences: Annotated[tuple[str, ...], AfterValidator(_sets)] = ()
    benchmarks: tuple[str, ...] = ()


class DebiasingSettings(Settings):
    """Which debiasings are put on the vectors of every run, and what they are fitted to.

    Args:
        methods: of `METHODS`; none: nothing is done.
        sentences: sets of parallel sentences, by name or path, or "training".
        languages: that they are fitted on; empty means all that the sets have in common.
        limit: at most so many sentences of each set, evenly spaced; left out, all.
        of_trained: those of the methods that are also put on main runs; left out, all of them.
        curve: what is also tried with one run.
    """

    methods: Annotated[tuple[str, ...], AfterValidator(_methods)] = ()
    sentences: Annotated[tuple[str, ...], AfterValidator(_sets)] = ()
    languages: tuple[Annotated[str, AfterValidator(canonical)], ...] = ()
    limit: int | None = Field(None, ge=2)
    of_trained: Annotated[tuple[str, ...], AfterValidator(_methods)] | None = None
    curve: CurveSettings = CurveSettings()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.methods and not self.sentences:
            raise ValueError("debiasing.sentences is empty; name what the methods are to be fitted to")
        if more := sorted(set(self.of_trained or ()) - set(self.methods)):
            raise ValueError(f"debiasing.of_trained names {more[0]}, which is none of debiasing.methods")
        return self
