"""Batch strategies and language bias of multilingual dense retrievers: run studies, train, evaluate, describe."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from hybridnb import __version__
from hybridnb.cli import data, encoders, evaluating, searching, studies
from hybridnb.terminal import Strict, guarded

# heavy modules are imported in the commands that need them: `hybridnb run` of a finished study takes a second

app = typer.Typer(
    help=__doc__,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    *(studies.run, studies.train, studies.tune, studies.record),
    *(evaluating.evaluate, encoders.debias, encoders.export),
    *(searching.search, searching.index, searching.search_index, evaluating.compare),
    *(data.describe, data.fetch, data.notebooks),
):
    app.command(cls=Strict)(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of `hybridnb`; returns the exit status."""
    if arguments is None and os.name == "posix" and sys.getfilesystemencoding() != "utf-8":
        # paths, files and streams are UTF-8 whatever the locale; that can only be said when Python starts
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])
    return guarded(app, "hybridnb", arguments)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"hybridnb {__version__}")
        raise typer.Exit


@app.callback()
def _every_command(
    version: Annotated[
        bool,
        typer.Option("--version", help="show the version and end", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    pass
