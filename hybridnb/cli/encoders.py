"""Commands that write an encoder for others: debias, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hybridnb.cli.options import OF_A_MODEL, Data, Form, SkipBad
from hybridnb.terminal import taking


@taking(OF_A_MODEL)
def debias(
    model: Annotated[
        str, typer.Argument(help="hub name, transformers or sentence-transformers directory, a run")
    ],
    sentences: Annotated[
        list[str],
        typer.Option(
            metavar="FILE",
            help="parallel sentences, JSONL, CSV or Parquet, or ntrex, flores, xnli; repeatable",
        ),
    ],
    out: Annotated[Path, typer.Option(help="gets the debiased encoder, or the maps alone")],
    method: Annotated[
        str, typer.Option(help="one-map, lsar, ...; those that need a text's language give maps alone")
    ] = "one-map",
    language: Annotated[
        list[str] | None, typer.Option(metavar="CODE", help="fit to these languages alone; repeatable")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=2, help="so many sentences of each set")
    ] = None,
    data: Data = None,
    form: Form = "text",
    skip_bad: SkipBad = False,
    **conventions: Any,
) -> None:
    """Make an encoder fairer to languages without training: fit a map to its vectors of parallel sentences."""
    from hybridnb.debiasing import METHODS
    from hybridnb.places import cache_directory

    METHODS[method]
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise FileExistsError(f"{out} is there already: choose another directory")
    from hybridnb.encoders.foreign import load_encoder
    from hybridnb.report.tables.headline import headline_table
    from hybridnb.report.tables.text import render
    from hybridnb.study import debiased

    sets = debiased.read_sets(
        sentences, languages=language or (), limit=limit, directory=data, skip_bad=skip_bad
    )
    encoder = load_encoder(model, **conventions)
    made, measured = debiased.fit_and_measure(encoder, sets, method, cache_directory() / "embeddings")
    debiased.save(encoder, made, out)
    print(f"{made.made_of['sentences']} sentences in {', '.join(made.languages)}; on others, held out:\n")
    print(render(headline_table(measured).rename_axis(None), form))
    if made.needs_language:
        print(f"\nmaps: {out}, for `hybridnb evaluate {model} --benchmark NAME --debias {out} --out DIR`")
    else:
        print(f"\ndebiased encoder: {out}, for SentenceTransformer(...).encode_query and .encode_document")


def export(
    run: Annotated[
        str, typer.Argument(help="a run's directory, or its study and name, such as quick/hybrid-0.5-seed0")
    ],
    out: Annotated[Path, typer.Argument(metavar="DIR", help="gets the encoder, its model card and its maps")],
    debias: Annotated[
        str | None,
        typer.Option(metavar="METHOD", help="with this debiasing of the run, or a directory of `debias`"),
    ] = None,
    onnx: Annotated[bool, typer.Option("--onnx", help="also its transformer as ONNX, to DIR/onnx")] = False,
) -> None:
    """Write a run's encoder for others: what SentenceTransformer loads, with a model card ready for the hub."""
    from hybridnb.report.export import export
    from hybridnb.study.named import named_run

    export(named_run(run), out, debias=debias, onnx=onnx)
    print(
        f"encoder: {out}, for SentenceTransformer(...).encode_query and .encode_document; card: {out / 'README.md'}"
    )
