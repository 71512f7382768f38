"""Measures by language and by pair of languages, and over those that were trained on and the others."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from hybridnb.measures.catalogue import MAIN, MEASURES
from hybridnb.measures.metrics_file import unpack
from hybridnb.report.tables.headline import of_run, results_on
from hybridnb.study.runs import Run


def by_language(runs: Sequence[Run], benchmark: str, label: str) -> pd.DataFrame:
    """A measure by language of the query and, in the cross-lingual task, of the candidates.

    Args:
        label: of the measure, "Cr mAP".

    Returns:
        strategy, seed, query_language, candidate_language ("*" for the pool of all) and value; no rows where the
        measure is not defined on the benchmark.
    """
    measure = MEASURES[label]
    parts = [
        unpack({measure.task: results_on(run, benchmark).get(measure.task, {})}).assign(**of_run(run))
        for run in runs
    ]
    table = pd.concat(parts)
    columns = ["strategy", "seed", "query_language", "candidate_language", "value"]
    return table.loc[table["metric"] == measure.name, columns].reset_index(drop=True)


def language_pairs(runs: Sequence[Run], benchmark: str) -> dict[str, pd.DataFrame]:
    """mAP of each strategy for every pair of languages; the diagonal is the monolingual task.

    Returns:
        Strategy -> query language x candidate language, means over seeds; NaN for pairs that are not asked. Empty
        where the benchmark has neither task.
    """
    table = pd.concat([by_language(runs, benchmark, f"{task} mAP") for task in ("Mo", "Cr")])
    return {
        str(strategy): rows.astype({"value": float}).pivot_table(
            index="query_language", columns="candidate_language", values="value", aggfunc="mean"
        )
        for strategy, rows in table.groupby("strategy", sort=False)
    }


def seen_table(runs: Sequence[Run], benchmark: str) -> pd.DataFrame:
    """mAP over the languages that any of the runs was trained on (seen) and the others, for each task there is.

    A pair counts as unseen when either of its languages is.

    Returns:
        Index strategy, columns (label, "seen" or "unseen"): means over languages (pairs) and seeds.
    """
    trained = {"*", *_trained_languages(runs)}
    parts = {}
    for label in (label for label, measure in MAIN.items() if measure.name == "map"):
        table = by_language(runs, benchmark, label)
        pairs = zip(table["query_language"], table["candidate_language"], strict=True)
        table["part"] = ["seen" if {*pair} <= trained else "unseen" for pair in pairs]
        means = table.groupby(["strategy", "part"], sort=False)["value"].mean().unstack("part")
        for part in sorted(means.columns):
            parts[label, str(part)] = means[part].reindex(table["strategy"].unique())
    return pd.DataFrame(parts)


def unseen_languages(runs: Sequence[Run], benchmark: str) -> list[str]:
    """Query languages of a benchmark that none of the runs was trained on."""
    asked = set(unpack(results_on(runs[0], benchmark))["query_language"])
    return sorted(asked - _trained_languages(runs))


def _trained_languages(runs: Sequence[Run]) -> set[str]:
    return {code for run in runs for code in run.info["languages"]}
