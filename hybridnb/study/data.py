"""What the runs of a study are made from: its corpora, their batches, the sentences that debiasings are fitted to."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridnb import corpora
from hybridnb.corpora.parallel import ParallelCorpus
from hybridnb.corpora.sentences import Sides
from hybridnb.debiasing.settings import TRAINING
from hybridnb.study.settings import Study
from hybridnb.training.batching import BatchSampler
from hybridnb.training.strategies import Strategy


def training_data(study: Study, *, skip_bad: bool = False) -> tuple[ParallelCorpus, ParallelCorpus]:
    """The corpora of a study.

    Args:
        study: whose settings say what is trained on.
        skip_bad: leave bad rows of data files out, counted and listed, instead of stopping.

    Returns:
        (training, validation); the fraction is of the former alone.

    Raises:
        ValueError: an unknown name, a bad row, or nothing is left of a corpus.
        OSError: a file that is not there, or cannot be read.

    Example:
        >>> corpus, held_out = training_data(Study.load("quick"))
        >>> corpus.name, held_out.name
        ('cldr:train', 'cldr:validation')
    """
    settings = study.corpus
    reading: dict[str, Any] = {"skip_bad": skip_bad}
    if settings.exclude_sources:
        reading["exclude_sources"] = settings.exclude_sources
    if settings.context != "never":
        reading["context"] = settings.context
    corpus = corpora.training_corpus(settings.training, **reading)
    if settings.validation:
        held_out = corpora.validation_corpus(settings.validation, skip_bad=skip_bad)
    else:
        corpus, held_out = corpus.split(settings.held_out)
    if settings.fraction < 1:
        # by another seed than what is held out; a smaller fraction is part of a larger one
        corpus, _ = corpus.split(1 - settings.fraction, seed=1)
    return corpus, held_out


def batches(
    study: Study, corpus: ParallelCorpus, strategy: str, seed: int, groups: NDArray[np.int64] | None = None
) -> BatchSampler:
    """The batches of a study under a strategy.

    Args:
        groups: as of `BatchSampler`.

    Raises:
        ValueError: the corpus cannot serve the strategy.
    """
    return BatchSampler(
        corpus,
        Strategy.parse(strategy),
        batch_size=study.training.batch_size,
        seed=seed,
        languages=study.languages or None,
        weights=study.corpus.weights,
        groups=groups,
        draws=study.training.draws,
    )


def debiasing_sentences(study: Study, *, skip_bad: bool = False, of_curve: bool = False) -> list[Sides]:
    """What the debiasings of a study are fitted to, or those of its curve; nothing where it has none.

    Args:
        study, skip_bad: as of `training_data`.
        of_curve: whether the curve's are meant.

    Raises:
        ValueError, OSError: as `debiased.read_sets` and `training_data`.
    """
    settings = study.debiasing
    if not settings.methods or (of_curve and not settings.curve.counts):
        return []
    from hybridnb.study.debiased import read_sets

    names = (of_curve and settings.curve.sentences) or settings.sentences
    corpus = training_data(study, skip_bad=skip_bad)[0] if TRAINING in names else None
    limit = None if of_curve else settings.limit
    return read_sets(names, corpus=corpus, languages=settings.languages, limit=limit, skip_bad=skip_bad)
