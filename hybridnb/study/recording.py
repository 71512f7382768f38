"""Recorded results: what a study's runs left, without encoders, kept in the repository under data/results."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from hybridnb.corpora import load_benchmark
from hybridnb.corpora.leaks import leaks
from hybridnb.files import write_text
from hybridnb.places import RESULTS, RUNS
from hybridnb.study.runs import planned, study_runs, training_data
from hybridnb.study.settings import Study

LEAKS = "leaks.json"
FILES = ("run.json", "history.csv", "evaluations.json", "metrics.json")


def record(study: Study) -> Iterator[str]:
    """Copy every finished run of a study to data/results/STUDY; says of each run what became of it.

    A run's directory there has run.json, history.csv, evaluations.json, metrics.json and, of each of the study's
    benchmarks, the ranks table and the languages of the first ten; the first run of a main strategy also has the
    vectors of a few answers, which are drawn. Runs that are not finished are left out; what is recorded of others
    stays.
    """
    drawn = {run.strategy: run.directory.name for run in reversed(study_runs(study))}.values()
    for run, benchmarks in planned(study).items():
        source = RUNS / study.name / run.directory.name
        made = replace(run, directory=source)
        if not made.is_trained:
            there = " (recorded before)" if run.is_trained else ""
            yield f"{run.label}: not trained here{there}"
        elif missing := [name for name in benchmarks if not made.is_evaluated(name)]:
            yield f"{run.label}: not recorded, for it is not evaluated on {', '.join(missing)}"
        else:
            kinds = ["parquet", "top10.csv", *(["answers.parquet"] if source.name in drawn else [])]
            names = [f"ranks/{benchmark}.{kind}" for benchmark in benchmarks for kind in kinds]
            _copy(source, RESULTS / study.name / source.name, [*FILES, *names])
            yield f"{run.label}: recorded"


def record_leaks(study: Study) -> dict[str, dict[str, int]]:
    """How many texts of each benchmark stand in the training corpus, exactly and nearly; kept as leaks.json."""
    corpus, _ = training_data(study)
    found = {}
    for name in study.benchmarks:
        kinds = leaks(corpus, load_benchmark(name)).drop_duplicates(["part", "language", "benchmark_id"])[
            "kind"
        ]
        found[name] = {kind: int((kinds == kind).sum()) for kind in ("exact", "near")}
    write_text(RESULTS / study.name / LEAKS, json.dumps(found, indent=1))
    return found


def recorded_leaks(study: Study) -> dict[str, dict[str, int]]:
    """What `record_leaks` found; empty where it was not run."""
    file = RESULTS / study.name / LEAKS
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def _copy(source: Path, target: Path, names: Sequence[str]) -> None:
    """Whole or not at all."""
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    (part / "ranks").mkdir(parents=True)
    for name in names:
        shutil.copyfile(source / name, part / name)
    shutil.rmtree(target, ignore_errors=True)
    part.replace(target)
