"""Recorded results: what a study's runs left, without encoders, kept in the repository under data/results."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from hybridnb.corpora import benchmark_name, load_benchmark
from hybridnb.corpora.leaks import leaks
from hybridnb.files import atomic, read_json, write_json, write_text
from hybridnb.places import RESULTS, RUNS, shipped
from hybridnb.study.data import training_data
from hybridnb.study.plan import curve_runs, methods_by_run, planned, run_here, study_runs
from hybridnb.study.runs import DEBIASED, Run, curves_file
from hybridnb.study.settings import NOT_TRAINED, Study
from hybridnb.study.tuning import TABLE as TRIALS

LEAKS = "leaks.json"
FILES = ("run.json", "history.csv", "evaluations.json", "metrics.json")
BY_BENCHMARK = ("evaluations.json", "metrics.json")
"""Files with an entry for each benchmark; those that the study asks for are kept."""


def record(study: Study) -> Iterator[str]:
    """Copy every finished run of a study to data/results/STUDY; says of each run what became of it.

    A run's directory there has run.json, history.csv, evaluations.json, metrics.json and, of each of the study's
    benchmarks, what each question adds to the main measures and, of main runs, the languages of the first ten;
    debiased/METHOD, of main runs, all of these but the last. Where the study's [recording] says so, the ranks tables
    are there too and, of the first run of a main strategy, the vectors of a few answers, which are drawn. Runs that are
    not finished are left out; what is recorded of others stays. The table of the trials by which settings were chosen
    is kept as trials.csv.

    Args:
        study: whose runs.

    Yields:
        A line for each run.
    """
    by_run = methods_by_run(study)
    for run, benchmarks in planned(study).items():
        made = run_here(study.with_fraction(run.fraction), run.strategy, run.seed)
        methods = by_run.get(run, ())
        if not made.is_trained:
            there = " (recorded before)" if run.is_trained else ""
            yield f"{run.label}: not trained here{there}"
        elif missing := _missing(made, benchmarks, methods):
            yield f"{run.label}: not recorded, for it is not evaluated on {', '.join(missing)}"
        else:
            files = list(_files(study, run, made, benchmarks, methods))
            _copy(made, files, RESULTS / study.name, set(map(benchmark_name, benchmarks)))
            yield f"{run.label}: recorded"
    if (trials := RUNS / study.name / TRIALS).is_file():
        write_text(RESULTS / study.name / TRIALS, trials.read_text(encoding="utf-8"))


def _missing(made: Run, benchmarks: Sequence[str], methods: Sequence[str]) -> list[str]:
    """What a run is not evaluated on: benchmarks, and benchmarks with a debiasing."""
    debiased = (
        f"{name} with {one}" for name in benchmarks for one in methods if not made.is_debiased(name, one)
    )
    return [*(name for name in benchmarks if not made.is_evaluated(name)), *debiased]


def _files(
    study: Study, run: Run, made: Run, benchmarks: Sequence[str], methods: Sequence[str]
) -> Iterator[str]:
    """The files of a run that are kept, of `run` as it was planned and `made` here."""
    yield from FILES
    yield from (f"{DEBIASED}/{method}/{file}" for method in methods for file in BY_BENCHMARK)
    main = study_runs(study)
    first = next((one.seed for one in main if one.strategy == run.strategy), None)
    for benchmark in benchmarks:
        name, keeps = benchmark_name(benchmark), _keeps_ranks(study, run, benchmark)
        yield from _results(made, name, keeps)
        if run in main:
            yield f"ranks/{name}.top10.csv"
        if keeps and run.seed == first and run.fraction == study.corpus.fraction:
            yield f"ranks/{name}.answers.parquet"
        for method in methods:
            keeps_debiased = _keeps_ranks(study, run, benchmark, method)
            for file in _results(made.debiased(method), name, keeps_debiased):
                yield f"{DEBIASED}/{method}/{file}"
    for name in (name for of, name in curve_runs(study) if of == run):
        curve = curves_file(made.directory, name).relative_to(made.directory)
        yield from (str(curve), str(curve.with_suffix(".json")))


def _copy(made: Run, files: Sequence[str], to: Path, names: Collection[str]) -> None:
    """Copy files of a run, whole or not at all; of those that hold several benchmarks these."""
    with atomic(to / made.directory.name) as part:
        for file in files:
            (part / file).parent.mkdir(parents=True, exist_ok=True)
            if Path(file).name in BY_BENCHMARK:
                whole = read_json(made.directory / file)
                write_json(part / file, {name: whole[name] for name in whole if name in names})
            else:
                shutil.copyfile(made.directory / file, part / file)


def _keeps_ranks(study: Study, run: Run, benchmark: str, method: str = "") -> bool:
    """Whether the ranks tables of a run are recorded: as it is, or with a debiasing."""
    seeds, is_baseline = study.recording.ranks_of_seeds, run.strategy == NOT_TRAINED
    names = study.benchmarks if study.recording.ranks_of is None else study.recording.ranks_of
    if is_baseline and names and not method:  # what examples are shown with
        return True
    of_seed = not method and seeds is not None and run.seed in seeds and run in study_runs(study)
    of_run = seeds is None or is_baseline or of_seed
    return of_run and benchmark in names


def _results(made: Run, name: str, ranks: bool) -> list[str]:
    """What is kept of a system on a benchmark beside its metrics: what each question adds, or what it follows from."""
    questions, table = (f"{kind}/{name}.parquet" for kind in ("questions", "ranks"))
    kept = [questions] if (made.directory / questions).is_file() else []
    instead = not kept and (made.directory / table).is_file()
    return [*kept, table] if ranks or instead else kept


def record_leaks(study: Study, *, skip_bad: bool = False) -> dict[str, dict[str, int]]:
    """How many texts of each benchmark stand in the training corpus, exactly and nearly; kept as leaks.json."""
    corpus, _ = training_data(study, skip_bad=skip_bad)
    found = {}
    for name in study.benchmarks:
        pairs = leaks(corpus, load_benchmark(name, skip_bad=skip_bad)).drop_duplicates(
            ["part", "language", "benchmark_id"]
        )
        found[benchmark_name(name)] = {kind: int((pairs["kind"] == kind).sum()) for kind in ("exact", "near")}
    write_json(RESULTS / study.name / LEAKS, found)
    return found


def recorded_leaks(study: Study) -> dict[str, dict[str, int]]:
    """What `record_leaks` found; empty where it was not run. ValueError: leaks.json is damaged."""
    file = RESULTS / study.name / LEAKS
    if not file.is_file():
        file = shipped(file)
    found: Any = read_json(file) if file.is_file() else {}
    if not (isinstance(found, dict) and all(map(_are_counts, found.values()))):
        raise ValueError(
            f"{file} is damaged: it must hold, for each benchmark, how many exact and near duplicates there are; "
            f"run `hybridnb record {study.name}` again"
        )
    return found


def _are_counts(counts: Any) -> bool:
    return (
        isinstance(counts, dict)
        and sorted(counts) == ["exact", "near"]
        and all(type(count) is int and count >= 0 for count in counts.values())
    )
