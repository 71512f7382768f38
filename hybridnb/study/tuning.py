"""Choosing training settings on validation sets: every combination of a grid, for every strategy alike.

A trial is a run like any other, of a study of its own name, ranked on sets that are no benchmark.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hybridnb import corpora
from hybridnb.corpora import load_sentences
from hybridnb.corpora.benchmark import Benchmark
from hybridnb.corpora.pairs import benchmark_of
from hybridnb.corpora.parallel import Item, ParallelCorpus
from hybridnb.files import write_text
from hybridnb.places import RUNS
from hybridnb.study.data import training_data
from hybridnb.study.finetuning import finetune
from hybridnb.study.plan import run_here
from hybridnb.study.run_evaluation import evaluate_run
from hybridnb.study.runs import Run, read_evaluations
from hybridnb.study.settings import NOT_TRAINED, Study

HELD_OUT = "held-out"
"""In the place of a validation set: the documents that the study holds out of its own training corpus."""

TABLE = "trials.csv"

TASKS = {"monolingual": "mono", "crosslingual": "cross", "multilingual": "multi"}


@dataclass(frozen=True)
class Trial:
    """One combination of the grid, under one strategy and seed.

    study: the settings it is made with, under a name of its own; changed: those that the grid gave.
    """

    study: Study
    changed: Mapping[str, Any]
    strategy: str
    seed: int

    @property
    def run(self) -> Run:
        return run_here(self.study, self.strategy, self.seed)


def trials(study: Study) -> list[Trial]:
    """Every trial of a study's [tuning], the encoder before training first.

    Raises:
        ValueError: the study has no such section, or its grid names a setting that there is not.

    Example:
        >>> grid = [{"learning_rate": [1e-3, 3e-3], "temperature": [0.05]}, {"learning_rate": [1e-3], "steps": [36]}]
        >>> quick = Study.load("quick", {"tuning": {"grid": grid, "sets": ["held-out"]}, "name": "quick"})
        >>> for trial in trials(quick)[:3]:
        ...     print(trial.strategy, trial.study.name, trial.changed)
        no fine-tuning quick-tuning {}
        X-X-mono quick-tuning-learning_rate=0.001-temperature=0.05 {'learning_rate': 0.001, 'temperature': 0.05}
        X-Y quick-tuning-learning_rate=0.001-temperature=0.05 {'learning_rate': 0.001, 'temperature': 0.05}
    """
    if study.tuning is None:
        raise ValueError(f"study {study.name} has no [tuning]: give it a grid and validation sets")
    base = f"{study.name}-tuning"
    found = [Trial(study.model_copy(update={"name": base}), {}, NOT_TRAINED, 0)]
    combinations: dict[tuple[tuple[str, Any], ...], None] = {}
    for part in study.tuning.grid:
        for values in itertools.product(*part.values()):
            combinations[tuple(zip(part, values, strict=True))] = None
    for combination in combinations:
        changed = dict(combination)
        table = study.model_dump(exclude_none=True)
        table["training"] |= changed
        table["name"] = "-".join([base, *(f"{name}={value}" for name, value in combination)])
        other = Study.read(table, f"study {study.name}, tuning.grid")
        found += [Trial(other, changed, s, seed) for seed in study.tuning.seeds for s in study.strategies]
    return found


def tune(study: Study, part: slice = slice(None)) -> Iterator[str]:
    """Make every trial that is not there yet; the table is written anew after each.

    An encoder is deleted once it is ranked on every set: a grid of them would fill a disk. A trial that was ranked on
    other sets than there are now is made anew.

    Args:
        study: with a [tuning].
        part: which of the trials.

    Yields:
        A line for each trial.

    Raises:
        ValueError, OSError: of a set that cannot be read, before the first trial; as `finetune`.
    """
    todo = trials(study)[part]
    sets = validation_sets(study)
    for number, trial in enumerate(todo, start=1):
        run = trial.run
        if not _is_ranked(run, sets):
            if run.is_trained and (_of_others(run, sets) or not run.encoder_directory.is_dir()):
                shutil.rmtree(run.directory)
            run = finetune(trial.study, trial.strategy, trial.seed)
            for benchmark in sets.values():
                evaluate_run(run, benchmark)
            shutil.rmtree(run.encoder_directory)
        write_text(RUNS / study.name / TABLE, trial_table(study, sets).to_csv(index=False))
        score = _score(trial.run, sets)
        yield f"{number} of {len(todo)}: {trial.strategy} {dict(trial.changed)}: {score:.4f}"


def _is_ranked(run: Run, sets: Mapping[str, Benchmark]) -> bool:
    """Whether a trial has results on just these sets."""
    return run.is_trained and all(map(run.is_evaluated, sets)) and not _of_others(run, sets)


def _of_others(run: Run, sets: Mapping[str, Benchmark]) -> bool:
    """Whether a trial has results on another set of the name of one of these."""
    made = read_evaluations(run.directory)
    return any(name in made and made[name].benchmark_sha256 != of.sha256 for name, of in sets.items())


def validation_sets(study: Study) -> dict[str, Benchmark]:
    """Name -> the validation sets of a study, in its languages of training alone.

    Of each at most `tuning.limit` items are kept, evenly spaced, so that the same ones are whatever the strategy.

    Raises:
        ValueError, OSError: a set that there is not, or that cannot be read.
    """
    assert study.tuning is not None
    sets = {}
    for name in study.tuning.sets:
        if name == HELD_OUT:
            _, corpus = training_data(study)
        elif name in corpora.VALIDATION or corpora.is_path(name):
            corpus = corpora.validation_corpus(name)
        else:
            corpus = _sentences(name)
        if study.languages:
            corpus = corpus.in_languages(set(study.languages) & set(corpus.languages))
        count = min(len(corpus), study.tuning.limit)
        chosen = np.linspace(0, len(corpus) - 1, count).astype(int)
        known_as = corpora.benchmark_name(name)
        sets[known_as] = benchmark_of(known_as, [corpus[n] for n in chosen.tolist()])
    return sets


def _sentences(name: str) -> ParallelCorpus:
    """Parallel sentences as items: a sentence is asked for by itself and its translations."""
    sentences = load_sentences(name)
    rows = zip(sentences.ids, zip(*sentences.texts.values(), strict=True), strict=True)
    return ParallelCorpus(
        name,
        [
            Item(row, name, row, of := dict(zip(sentences.languages, texts, strict=True)), of)
            for row, texts in rows
        ],
    )


def trial_table(study: Study, sets: Mapping[str, Benchmark]) -> pd.DataFrame:
    """A row a trial that is ranked on the sets: what the grid gave, mAP by set and task, rank distance, seconds, score.

    The score is the mean over monolingual, cross-lingual and multilingual retrieval of the mean mAP over the sets.

    Args:
        study: with a [tuning].
        sets: its `validation_sets`.
    """
    rows = []
    for trial in trials(study):
        run = trial.run
        if not _is_ranked(run, sets):
            continue
        row = {
            "strategy": trial.strategy,
            "seed": trial.seed,
            **trial.changed,
            "seconds": run.info["seconds"],
        }
        for name in sets:
            for task, short in TASKS.items():
                if task in run.metrics[name]:
                    row[f"{name} {short}"] = round(run.metrics[name][task]["map"], 4)
            distance = run.metrics[name].get("multilingual", {}).get("rank_distance")
            if distance is not None:
                row[f"{name} rank distance"] = round(distance, 1)
        rows.append(row | {"score": round(_score(run, sets), 4)})
    return pd.DataFrame(rows)


def _score(run: Run, names: Iterable[str]) -> float:
    of_sets = [run.metrics[name] for name in names]
    by_task = [[tasks[task]["map"] for tasks in of_sets if task in tasks] for task in TASKS]
    return float(np.mean([np.mean(of_task) for of_task in by_task if of_task]))
