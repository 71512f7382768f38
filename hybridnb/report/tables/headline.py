"""The paper's measures of runs, a row a run: by strategy, with the spread of seeds; and whether its effect shows.

In every function `runs` were evaluated on `benchmark`, a name or path, and `scores` is what `scores` returns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from hybridnb.corpora import benchmark_name
from hybridnb.measures.catalogue import HEADLINE, MAIN, MEASURES, TASK_NAMES
from hybridnb.report.tables.text import as_text
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED
from hybridnb.training.strategies import Strategy

MONO, CROSS = "X-X-mono", "X-Y"
"""The two strategies that hybrid batches mix, as the paper (arXiv 2408.10536) names them."""


def headline(metrics: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The paper's measures of one benchmark, as far as they are defined on it.

    Args:
        metrics: the benchmark's part of metrics.json, task -> name -> value.

    Returns:
        Label -> value.

    Example:
        >>> headline({"monolingual": {"map": 0.75, "mrr": 0.8}})
        {'Mo mAP': 0.75}
    """
    return {
        label: metrics[measure.task][measure.name]
        for label, measure in HEADLINE.items()
        if measure.name in metrics.get(measure.task, {})
    }


def headline_table(metrics: Mapping[str, Mapping[str, Mapping[str, float]]]) -> pd.DataFrame:
    """The paper's measures as text for the screen, one row a benchmark, with a decimal more than elsewhere.

    Args:
        metrics: metrics.json, benchmark -> task -> name -> value.

    Returns:
        Index benchmark, a column for each measure that is defined on any of them.

    Example:
        >>> headline_table({"toy": {"monolingual": {"map": 0.75}}}).loc["toy"].to_dict()
        {'Mo mAP': '0.7500'}
    """
    rows = {name: headline(values) for name, values in metrics.items()}
    return as_text(pd.DataFrame.from_dict(rows, orient="index").rename_axis("benchmark"), more=1)


def scores(runs: Sequence[Run], benchmark: str) -> pd.DataFrame:
    """One row a run: strategy, seed and the labels of `HEADLINE` that are defined on the benchmark.

    Raises:
        ValueError: a run has no results on the benchmark.
    """
    rows = [{**of_run(run), **headline(results_on(run, benchmark))} for run in runs]
    return pd.DataFrame(rows, columns=None if rows else ["strategy", "seed"])


def results_on(run: Run, benchmark: str) -> dict[str, Any]:
    """The benchmark's part of a run's metrics.json. ValueError: it has none."""
    if not run.is_measured(benchmark):
        raise ValueError(
            f"{run.label} has no results on {benchmark} ({run.directory}): "
            "train and evaluate it, or leave it out of the study"
        )
    of_benchmark: dict[str, Any] = run.metrics[benchmark_name(benchmark)]
    return of_benchmark


def of_run(run: Run) -> dict[str, str | int]:
    """By what a table tells runs apart: strategy and seed."""
    return {"strategy": run.strategy, "seed": run.seed}


def by_strategy(scores: pd.DataFrame, statistic: str = "mean") -> pd.DataFrame:
    """Mean (or another statistic of pandas) over seeds of `scores`, strategies in their order of appearance."""
    return scores.drop(columns="seed").groupby("strategy", sort=False).agg(statistic)


def with_spread(scores: pd.DataFrame) -> pd.DataFrame:
    """`scores` as text: the mean over seeds and, where there are several, half the range between them.

    Example:
        >>> table = pd.DataFrame({"strategy": ["X-Y", "X-Y"], "seed": [0, 1], "Mo mAP": [0.66, 0.74]})
        >>> with_spread(table).loc["X-Y", "Mo mAP"]
        '0.700 ± 0.040'
    """
    mean = by_strategy(scores)
    half = (by_strategy(scores, "max") - by_strategy(scores, "min")) / 2
    several = scores.groupby("strategy", sort=False)["seed"].nunique() > 1
    text = as_text(mean)
    for label in mean:
        text[label] += as_text(half)[label].radd(" ± ").where(several & mean[label].notna(), "")
    return text


def undefined(scores: pd.DataFrame, benchmark: str) -> str:
    """Which of the paper's measures a benchmark does not have, in a sentence.

    Example:
        >>> made = pd.DataFrame({"Cr mAP": [0.3], "Mul mAP": [0.2], "Cr R@1": [0.2], "Mul R@10": [0.3]})
        >>> undefined(made, "ntrex")
        'Not defined on ntrex: Mo mAP, Mo R@1, rank distance (it has no monolingual task).'
    """
    absent = [label for label in HEADLINE if label not in scores]
    tasks = {measure.task for label, measure in HEADLINE.items() if label in scores}
    missing = [name for task, name in TASK_NAMES.items() if task not in tasks]
    note = f" (it has no {' and no '.join(missing)} task)" if missing else ""
    return f"Not defined on {benchmark_name(benchmark)}: {', '.join(absent) or 'none'}{note}."


def effects(scores: pd.DataFrame) -> pd.DataFrame:
    """Does the paper's effect show? Each of its claims about X-X-mono, and in how many seeds it holds.

    Claims (arXiv 2408.10536): batches that mix languages are better between languages, X-Y alone is worse within one.

    Returns:
        claim, held ("2 of 2 seeds"); no rows without X-X-mono, or without a strategy that mixes languages.

    Example:
        >>> made = [("X-X-mono", 0, 0.8, 400.0), ("X-Y", 0, 0.7, 100.0)]
        >>> table = effects(pd.DataFrame(made, columns=["strategy", "seed", "Mo mAP", "rank distance"]))
        >>> table.iloc[0].tolist()
        ['X-Y has lower rank distance than X-X-mono', '1 of 1 seeds']
    """
    present = list(dict.fromkeys(scores["strategy"]))
    between = [label for label, measure in MAIN.items() if measure.task != "monolingual"]
    claims = [(other, label, True) for other in present if _mixes_languages(other) for label in between]
    if CROSS in present:
        claims.append((CROSS, "Mo mAP", False))
    by_seed = scores.set_index(["strategy", "seed"])
    rows = []
    for other, label, is_better in claims if MONO in present else ():
        if label not in scores:
            continue
        # only seeds that both have
        apart = (by_seed.loc[other, label] - by_seed.loc[MONO, label]).dropna()
        is_higher = is_better == MEASURES[label].higher_is_better
        held = (apart > 0) if is_higher else (apart < 0)
        claim = f"{other} has {'higher' if is_higher else 'lower'} {label} than {MONO}"
        rows.append({"claim": claim, "held": f"{held.sum()} of {len(apart)} seeds"})
    return pd.DataFrame(rows, columns=["claim", "held"])


def _mixes_languages(strategy: str) -> bool:
    """Whether a query and its passage may differ in language."""
    if strategy == NOT_TRAINED:
        return False
    parsed = Strategy.parse(strategy)
    return parsed.mono_share < 1 and parsed.recipe.within_pair == "different"
