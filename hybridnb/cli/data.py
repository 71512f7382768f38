"""Commands on what there is: describe, fetch, notebooks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from hybridnb.cli.options import Data, SkipBad


def describe(
    name: Annotated[str | None, typer.Argument(help="a benchmark or corpus, by name or path")] = None,
    data: Data = None,
    show: Annotated[int, typer.Option(metavar="N", min=0, help="so many examples, too")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
    skip_bad: SkipBad = False,
) -> None:
    """What is in a benchmark, a corpus or parallel sentences; without a name: what there is."""
    from hybridnb import corpora
    from hybridnb.corpora.describe import as_lines, describe, examples, load, to_dict

    if name is None:
        trained = {**corpora.TRAINING, **corpora.VALIDATION}
        kinds: dict[str, Mapping[str, corpora.DataSet[Any]]] = {
            "Benchmarks": corpora.BENCHMARKS,
            "Corpora": trained,
            "Parallel sentences": corpora.SENTENCES,
        }
        for title, names in kinds.items():
            print(f"{title}:")
            for known, data_set in names.items():
                print(f"  {known:<16} {data_set.about}")
        return
    read = load(name, directory=data, skip_bad=skip_bad)
    values, shown = to_dict(read), examples(read, show)
    if as_json:
        more = {"examples": shown} if show else {}
        print(json.dumps({**values, **more}, ensure_ascii=False, indent=1))
        return
    print(f"{values['name']} ({values['kind']}), sha256 {values['sha256']}\n")
    print(describe(read).round(1).to_string())
    for example in shown:
        print("", *as_lines(example), sep="\n")


def fetch(
    name: Annotated[str, typer.Argument(help="see `hybridnb describe`")],
    to: Annotated[Path | None, typer.Option(metavar="DIR", help="directory; the cache by default")] = None,
) -> None:
    """Fetch a data set from its public home: for a machine that reaches it, or to have it beforehand."""
    from hybridnb import corpora
    from hybridnb.corpora.source import fetch
    from hybridnb.places import cache_directory

    target = to or cache_directory()
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(f"--to {to} is no directory")
    fetch(corpora.source_of(name), target)
    print(f"{name} is in {target}")


def notebooks(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="gets them; made where it is not there")],
) -> None:
    """Copy the notebooks to a directory, to be read and changed; `run` goes on executing those of the package."""
    from hybridnb.notebooks import copy_notebooks

    print(f"{len(copy_notebooks(directory))} notebooks are in {directory}: jupyter lab {directory}")
