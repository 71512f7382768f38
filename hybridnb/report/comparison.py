"""Systems side by side, from what their evaluations left on disk: scores by task and language bias, and differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from hybridnb.measures.catalogue import HEADLINE, MAIN, MEASURES, TASK_NAMES
from hybridnb.measures.metrics_file import pools
from hybridnb.measures.significance import compare, holm
from hybridnb.report.tables.headline import headline, undefined
from hybridnb.report.tables.text import as_text, tests_table
from hybridnb.study.runs import Evaluation, Run, read_evaluations

NOTE = (
    "Each system is one encoder or run: intervals (95 %, of each difference by itself) and p (randomisation test) are "
    "over questions, and say nothing of other seeds; p is corrected (Holm) for all differences shown."
)


@dataclass(frozen=True)
class Results:
    """A directory of results: a run's, or what `evaluate` wrote.

    Args:
        name: what tables call it.
        run: what reads it.
        evaluations: what made the results, by benchmark.
    """

    name: str
    run: Run
    evaluations: Mapping[str, Evaluation]

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """Its metrics.json."""
        return self.run.metrics

    def depth(self, benchmark: str) -> str:
        """A sentence for what came from TREC runs or a search of an index, which end somewhere; else nothing."""
        made = self.evaluations[benchmark].model_dump()
        if index := made["encoder"].get("index"):
            return (
                f"{self.name} is a search of an index to depth {index['k']:,}; what stands beyond counts as not "
                "retrieved."
            )
        depths = {part["task"]: part["depth"] for part in made.get("runs", ())}
        words = ", ".join(f"{task} {depth:,}" for task, depth in depths.items())
        return (
            f"{self.name} is TREC runs (depth: {words}); what stands beyond counts as not retrieved."
            if depths
            else ""
        )


def read_results(directories: Sequence[Path]) -> list[Results]:
    """The results in directories, each under a name of its own: a run's strategy and seed, else its model's name.

    Raises:
        FileNotFoundError: a directory has no results.
        ValueError: less than two directories, one twice, damaged results, or other data under the same name.
    """
    if len(directories) < 2:
        raise ValueError("give two directories of results or more")
    resolved = [directory.resolve() for directory in directories]
    if len(set(resolved)) < len(resolved):
        twice = next(path for n, path in enumerate(resolved) if path in resolved[:n])
        raise ValueError(f"{twice} is given twice")
    evaluations = [read_evaluations(directory) for directory in directories]
    for directory, made in zip(directories, evaluations, strict=True):
        if not made or not (directory / "metrics.json").is_file():
            raise FileNotFoundError(f"{directory} holds no results: evaluate something into it first")
    plain = [_name(directory, made) for directory, made in zip(directories, evaluations, strict=True)]
    short = [f"{name} ({directory.name})" for name, directory in zip(plain, directories, strict=True)]
    long = [f"{name} ({directory})" for name, directory in zip(plain, directories, strict=True)]
    found = []
    for n, directory in enumerate(directories):
        name = next(names[n] for names in (plain, short, long) if names.count(names[n]) == 1)
        found.append(Results(name, Run(directory, "", 0), evaluations[n]))
    _check_same_data(found)
    return found


def shared(systems: Sequence[Results]) -> list[str]:
    """The benchmarks that two or more systems have results on, in the order in which they come.

    Raises:
        ValueError: there is none.
    """
    names = [name for results in systems for name in results.metrics if name in results.evaluations]
    several = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if not several:
        held = "; ".join(f"{results.name}: {', '.join(results.metrics)}" for results in systems)
        raise ValueError(f"no benchmark has results of two systems ({held}): evaluate them on one")
    return several


def scores(systems: Sequence[Results], benchmark: str) -> pd.DataFrame:
    """The paper's measures of every system that has results on a benchmark; NaN where its task was not done.

    Returns:
        Index system, a column for each label of `catalogue.HEADLINE` that any of them has.
    """
    rows = {
        results.name: headline(results.metrics[benchmark])
        for results in systems
        if benchmark in results.metrics
    }
    table = pd.DataFrame.from_dict(rows, orient="index")
    return table[[label for label in HEADLINE if label in table]].rename_axis("system")


def notes(systems: Sequence[Results], benchmark: str) -> list[str]:
    """What is not defined on a benchmark, what a system does not have, and where a TREC run ends; a sentence each."""
    table = scores(systems, benchmark)
    said = [undefined(table, benchmark)] if any(label not in table for label in HEADLINE) else []
    for results in systems:
        if benchmark not in results.metrics:
            said.append(f"{results.name} has no results on {benchmark}.")
            continue
        lacking = [str(label) for label, value in table.loc[results.name].items() if pd.isna(value)]
        if lacking:
            tasks = [name for task, name in TASK_NAMES.items() if task not in results.metrics[benchmark]]
            why = f" (it has no {' and no '.join(tasks)} task)" if tasks else ""
            said.append(f"Not known of {results.name}: {', '.join(lacking)}{why}.")
        if depth := results.depth(benchmark):
            said.append(depth)
    return said


def differences(
    systems: Sequence[Results], benchmarks: Sequence[str], reference: str
) -> tuple[pd.DataFrame, list[str]]:
    """How far every system is from the reference, over the questions of each benchmark that both have.

    Args:
        systems: of `read_results`.
        benchmarks: of `shared`.
        reference: the name of one of them; its values are subtracted.

    Returns:
        (a row a benchmark, system and measure of `catalogue.MAIN`: those of `significance.compare`, and p_holm over all
        rows; what could not be compared, a sentence each).

    Raises:
        ValueError: there is no such system.
    """
    named = {results.name: results for results in systems}
    if reference not in named:
        raise ValueError(f"no system {reference!r} here: there are {', '.join(named)}")
    parts, said = [], []
    for benchmark in benchmarks:
        if benchmark not in named[reference].metrics:
            said.append(f"{reference} has no results on {benchmark}: no differences there.")
            continue
        base = pools(named[reference].metrics[benchmark])
        base_values = named[reference].run.question_values(benchmark)
        for other in systems:
            if other.name == reference or benchmark not in other.metrics:
                continue
            asked, values = pools(other.metrics[benchmark]), other.run.question_values(benchmark)
            apart = {task for task in TASK_NAMES if asked.get(task) != base.get(task)}
            labels = [
                label
                for label, measure in MAIN.items()
                if label in values and label in base_values and measure.task not in apart
            ]
            uneven = [
                TASK_NAMES[task] for task in TASK_NAMES if task in apart and task in asked and task in base
            ]
            if uneven:
                said.append(
                    f"{other.name} and {reference} were not asked in the same languages on {benchmark} "
                    f"({', '.join(uneven)}): not compared."
                )
            if len(values) < 2:
                said.append(f"{benchmark} has one question, which gives no interval.")
            elif labels:
                table = compare([values[labels]], [base_values[labels]], labels)
                parts.append(table.assign(benchmark=benchmark, system=other.name))
    if not parts:
        return pd.DataFrame(), [*said, f"Nothing can be compared with {reference}."]
    table = pd.concat(parts).rename_axis("measure").reset_index()
    return table.assign(p_holm=holm(table["p"].to_numpy())), said


def as_tables(
    systems: Sequence[Results], benchmarks: Sequence[str], reference: str
) -> list[tuple[str, pd.DataFrame, list[str]]]:
    """A comparison as text in parts of (title, table, sentences): scores on each benchmark, then differences."""
    parts = [
        (benchmark, as_text(scores(systems, benchmark)), notes(systems, benchmark))
        for benchmark in benchmarks
    ]
    table, said = differences(systems, benchmarks, reference)
    if table.empty:
        return [*parts, ("differences", table, said)]
    made = tests_table(table.rename(columns={"system": "against"})).rename_axis("system").reset_index()
    if len(benchmarks) > 1:
        made.insert(0, "benchmark", table["benchmark"])
    better = ", ".join(label for label in MAIN if not MEASURES[label].higher_is_better)
    said.append(f"{NOTE} Less is better of: {better}.")
    title = f"differences: each system minus {reference}"
    return [*parts, (title, made.set_index(list(made.columns[: made.columns.get_loc("measure")])), said)]


def _name(directory: Path, evaluations: Mapping[str, Evaluation]) -> str:
    if (directory / "run.json").is_file():
        info = Run(directory, "", 0).info
        return Run(directory, info["strategy"], info["seed"]).label
    model = str(next(iter(evaluations.values())).encoder.get("model") or directory.name)
    path = Path(model)
    # a directory of a model; the encoder of a run lies in one of that name
    return path.parent.name if path.name == "encoder" and path.parent.name else path.name or model


def _check_same_data(systems: Sequence[Results]) -> None:
    first: dict[str, Results] = {}
    for results in systems:
        for benchmark, made in results.evaluations.items():
            other = first.setdefault(benchmark, results)
            theirs = other.evaluations[benchmark].benchmark_sha256
            if theirs != made.benchmark_sha256:
                raise ValueError(
                    f"{other.run.directory} and {results.run.directory} hold results on different data under the name "
                    f"{benchmark} (sha256 {theirs[:12]} and {made.benchmark_sha256[:12]}): evaluate both on the same"
                )
