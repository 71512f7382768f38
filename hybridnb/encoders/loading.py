"""A model's files -> the SentenceTransformer that they describe, with what they leave open settled and said."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling

from hybridnb.encoders.assumed import PASSAGE_LENGTH, QUERY_LENGTH, Assumed, assumed
from hybridnb.encoders.gate import LOCAL, ModelFiles, blame, check_network, longest_input, read_model
from hybridnb.encoders.locate import locate
from hybridnb.encoders.pipeline import (
    POOLINGS,
    WEIGHTS,
    drop_unused_pooler,
    pipeline,
    quiet_transformers,
    set_conventions,
)


class Loaded(NamedTuple):
    """A network in evaluation mode on the CPU, where it was read from, the hub's commit, who said each convention."""

    network: SentenceTransformer
    directory: Path
    commit: str | None
    sources: dict[str, str]


def load_network(name: str, revision: str | None, given: dict[str, Any]) -> Loaded:
    """Load what `DualEncoder.load` is asked for.

    Args:
        name: Of the model.
        revision: Of the hub.
        given: Each of `settings.CONVENTIONS`; None is left open.
    """
    pooling = given["pooling"]
    if pooling is not None and pooling not in POOLINGS:
        raise ValueError(f"pooling is {pooling!r}; it must be one of {', '.join(POOLINGS)}")
    directory, commit = locate(name, revision)
    files = read_model(directory)
    guess = assumed(directory, files.config, name if commit else None, pipeline=files.pipeline is not None)
    with quiet_transformers():
        try:
            network = _network(files, pooling or guess.pooling, chosen=pooling is not None)
        except Exception as error:  # whatever a library makes of a damaged file
            raise blame(files, error) from error
        check_network(network, files)
    return Loaded(network, directory, commit, _settle(network, files, guess, given))


def say_what_is_assumed(conventions: dict[str, Any], *, from_hub: bool) -> None:
    """Print, once, what of an encoder's conventions neither its files nor the user said."""
    guessed: dict[str, list[str]] = {}
    for key, source in conventions["sources"].items():
        if source not in ("files", "user"):
            guessed.setdefault(source, []).append(f"{key} {conventions[key]!r}")
    if guessed:
        hint = ", and files of it that were never fetched may" if from_hub else ""
        words = "; ".join(f"{', '.join(values)} ({source})" for source, values in guessed.items())
        _say(f"{conventions['model']}: assumed, as its files do not say{hint}: {words}")


@cache
def _say(line: str) -> None:
    """Print a line, once."""
    print(line, file=sys.stderr, flush=True)


def _network(files: ModelFiles, pooling: str, *, chosen: bool) -> Any:
    """The SentenceTransformer of a directory; `pooling` for one that names none, or where it is the user's choice."""
    if files.pipeline is None:
        return pipeline(files.transformer, pooling, query_length=QUERY_LENGTH, passage_length=PASSAGE_LENGTH)
    network: Any = SentenceTransformer(
        str(files.directory), device="cpu", model_kwargs=dict(WEIGHTS), **LOCAL
    )
    if chosen:
        if pooling == "pooler":
            raise ValueError("pooling 'pooler' is for plain transformers models, and this is a pipeline")
        for position, module in enumerate(network):
            if isinstance(module, Pooling):
                network[position] = Pooling(network[0].get_embedding_dimension(), pooling)
    drop_unused_pooler(network)
    return network.eval()


def _settle(network: Any, files: ModelFiles, guess: Assumed, given: dict[str, Any]) -> dict[str, str]:
    """Set a loaded network's prefixes and lengths: given, else its files', else assumed. Returns who said each."""
    sources = {"pooling": "files" if files.pipeline is not None else guess.source}
    prompts = _file_prompts(files.pipeline or {})
    prefixes, lengths = {}, {}
    longest = longest_input(network.transformers_model) or sys.maxsize
    for kind, own, default in (
        ("query", "query_length", QUERY_LENGTH),
        ("passage", "document_length", PASSAGE_LENGTH),
    ):
        key = f"{kind}_prefix"
        prefixes[kind] = getattr(guess, key) if prompts is None else prompts[kind]
        sources[key] = guess.source if prompts is None else "files"
        said = None
        if files.pipeline is not None:
            # a tokenizer that knows no length says 10 ** 30
            said = getattr(network[0], own) or min(network.max_seq_length or sys.maxsize, sys.maxsize)
            said = None if said == sys.maxsize else int(said)
        lengths[kind] = min(said or default, longest)
        sources[f"max_{kind}_length"] = "files" if said else f"{default} tokens, or as many as it takes"
        if given[key] is not None:
            prefixes[kind] = given[key]
        if given[f"max_{kind}_length"] is not None:
            lengths[kind] = given[f"max_{kind}_length"]
    set_conventions(network, prefixes, lengths)
    return sources | {key: "user" for key, value in given.items() if value is not None}


def _file_prompts(settings: dict[str, Any]) -> dict[str, str] | None:
    """The prompts of a pipeline's files, by kind; None where they say nothing."""
    prompts = {name: text or "" for name, text in (settings.get("prompts") or {}).items()}
    # since version 5 every model is saved with an empty "query" and "document": these say nothing
    if not any(prompts.values()) and set(prompts) <= {"query", "document"}:
        return None
    default = prompts.get(settings.get("default_prompt_name") or "", "")
    passage = next(
        (prompts[name] for name in ("document", "passage", "corpus") if prompts.get(name)), default
    )
    return {"query": prompts.get("query") or default, "passage": passage}
