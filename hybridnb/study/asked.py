"""The study that a command line asks for: a study, and what is to be different in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hybridnb.corpora import BENCHMARKS, existing, is_path
from hybridnb.study.settings import BUILT_IN, Study


def asked_for(
    study: str,
    *,
    corpus: str | None = None,
    benchmark: Sequence[str] | None = None,
    model: str | None = None,
    setting: Sequence[str] | None = None,
    skip_bad: bool | None = None,
) -> Study:
    """The study that is meant; on one's own data, what there is to say of it is printed.

    Args:
        study: as of `Study.load`.
        corpus: to train on instead; a built-in study of a file of one's own is one of `own.on_own_data`.
        benchmark: to evaluate on instead.
        model: to fine-tune instead.
        setting: "NAME=VALUE" each, the value as in JSON or else a text.
        skip_bad: leave bad rows of data files out.

    Raises:
        ValueError: a setting is not written so, is given twice, or is not one of a study.
        FileNotFoundError: a benchmark's file is not there.

    Example:
        >>> asked_for("quick", setting=["training.steps=7"]).training.steps
        7
    """
    overrides: dict[str, Any] = {}
    if corpus is not None:
        overrides["corpus.training"] = corpus
    if benchmark:
        overrides["benchmarks"] = benchmark
    if model is not None:
        overrides["encoder.model"] = model
    for text in setting or ():
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise ValueError(f"--set {text}: write NAME=VALUE, such as training.steps=1000")
        if name in overrides:
            raise ValueError(f"--set {text}: {name} is given more than once")
        overrides[name] = _value(value)
    if corpus is None:
        corpus = overrides.get("corpus.training")
    is_own = isinstance(corpus, str) and is_path(corpus) and "benchmarks" not in overrides
    if is_own and (BUILT_IN / f"{study}.toml").is_file():
        from hybridnb.study.own import on_own_data  # torch: a finished study is found finished in a second

        own = on_own_data(study, overrides.pop("corpus.training"), overrides, skip_bad=bool(skip_bad))
        print(f"{own}\n", flush=True)
        return own.study
    if "corpus.training" in overrides:
        # validation goes with the corpus: a share of its documents, unless another is named
        overrides.setdefault("corpus.validation", "")
    chosen = Study.load(study, overrides)
    for spec in filter(is_path, chosen.benchmarks):
        existing(spec, BENCHMARKS)  # a missing one is an error before anything is done
    return chosen


def _value(text: str) -> Any:
    """A number, true, a list... as in JSON; anything else is a text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
