"""Tables of a study, rebuilt from what its runs left on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from hybridnb.measures import bias
from hybridnb.study.runs import Run
from hybridnb.training.batching import Strategy

HEADLINE = {
    "Mo mAP": ("monolingual", "map"),
    "Cr mAP": ("crosslingual", "map"),
    "Mul mAP": ("multilingual", "map"),
    "Mo R@1": ("monolingual", "recall@1"),
    "Cr R@1": ("crosslingual", "recall@1"),
    "Mul R@10": ("multilingual", "recall@10"),
    "rank distance": ("multilingual", "rank_distance"),
}
"""The paper's figures: column -> (task, metric). Mo, Cr, Mul: monolingual, cross-lingual, multilingual."""


def headline(metrics: dict[str, dict[str, float]]) -> dict[str, float]:
    """The paper's figures of one benchmark, from its part of metrics.json."""
    return {
        column: metrics[task][metric]
        for column, (task, metric) in HEADLINE.items()
        if metric in metrics.get(task, {})
    }


def headline_table(metrics: dict[str, dict[str, dict[str, float]]]) -> pd.DataFrame:
    """The paper's figures, one row a benchmark, as text for the screen."""
    rows = {name: headline(values) for name, values in metrics.items()}
    table = pd.DataFrame.from_dict(rows, orient="index")
    text = table.map("{:.4f}".format, na_action="ignore")
    if "rank distance" in table:
        text["rank distance"] = table["rank distance"].map("{:.1f}".format, na_action="ignore")
    return text.fillna("")


def scores(runs: Sequence[Run], benchmark: str) -> pd.DataFrame:
    """One row a run: strategy, seed and the paper's figures."""
    rows = [{"strategy": run.strategy, "seed": run.seed, **headline(run.metrics[benchmark])} for run in runs]
    return pd.DataFrame(rows)


def by_strategy(table: pd.DataFrame, statistic: str = "mean") -> pd.DataFrame:
    """Mean (or another statistic) over seeds of `scores`, strategies in their order of appearance."""
    grouped = table.drop(columns="seed").groupby("strategy", sort=False)
    return grouped.agg(statistic)


def with_spread(table: pd.DataFrame) -> pd.DataFrame:
    """`scores` as text: mean over seeds, and half the range between seeds where there are several."""
    mean = by_strategy(table)
    half = (by_strategy(table, "max") - by_strategy(table, "min")) / 2
    several = table.groupby("strategy", sort=False)["seed"].nunique() > 1
    text = as_text(mean)
    for column in mean:
        text[column] += as_text(half)[column].radd(" ± ").where(several, "")
    return text


def as_text(figures: pd.DataFrame) -> pd.DataFrame:
    """Figures (columns of `HEADLINE`, or pairs that begin with one): three digits, the rank distance in whole ranks."""

    def text(column: pd.Series) -> pd.Series:
        figure = column.name[0] if isinstance(column.name, tuple) else column.name
        return column.map(f"{{:.{0 if figure == 'rank distance' else 3}f}}".format)

    return figures.apply(text)


def by_language(runs: Sequence[Run], benchmark: str, task: str, metric: str) -> pd.DataFrame:
    """strategy, seed, query_language, candidate_language and value of a metric; the latter "*" or a language."""
    rows = []
    for run in runs:
        for key, values in run.metrics[benchmark].get(task, {}).get("by_language", {}).items():
            if metric not in values:
                continue
            query, _, candidate = key.partition(">")
            rows.append(
                {
                    "strategy": run.strategy,
                    "seed": run.seed,
                    "query_language": query,
                    "candidate_language": candidate or (query if task == "monolingual" else "*"),
                    "value": values[metric],
                }
            )
    return pd.DataFrame(rows, columns=["strategy", "seed", "query_language", "candidate_language", "value"])


def language_pairs(runs: Sequence[Run], benchmark: str, metric: str = "map") -> dict[str, pd.DataFrame]:
    """strategy -> query language x candidate language, mean over seeds; the diagonal is monolingual."""
    table = pd.concat(
        [by_language(runs, benchmark, task, metric) for task in ("monolingual", "crosslingual")]
    )
    return {
        str(strategy): rows.pivot_table(
            index="query_language", columns="candidate_language", values="value", aggfunc="mean"
        )
        for strategy, rows in table.groupby("strategy", sort=False)
    }


def seen_table(runs: Sequence[Run], benchmark: str) -> pd.DataFrame:
    """mAP by strategy over the languages that the runs were trained on (seen) and the others, for each task.

    A pair counts as unseen when either of its languages is.
    """
    trained = {"*", *_trained_languages(runs)}
    parts = {}
    for column, (task, metric) in list(HEADLINE.items())[:3]:
        table = by_language(runs, benchmark, task, metric)
        if table.empty:
            continue
        pairs = zip(table["query_language"], table["candidate_language"], strict=True)
        seen = [set(pair) <= trained for pair in pairs]
        table["part"] = ["seen" if of_pair else "unseen" for of_pair in seen]
        means = table.groupby(["strategy", "part"], sort=False)["value"].mean().unstack("part")
        for name in sorted(means.columns):
            parts[column, str(name)] = means[name].reindex(table["strategy"].unique())
    return pd.DataFrame(parts)


def unseen_languages(runs: Sequence[Run], benchmark: str) -> list[str]:
    """Query languages of a benchmark that none of the runs was trained on."""
    tasks = runs[0].metrics[benchmark].values()
    asked = {key.partition(">")[0] for task in tasks for key in task.get("by_language", {})}
    return sorted(asked - _trained_languages(runs))


def _trained_languages(runs: Sequence[Run]) -> set[str]:
    return {code for run in runs for code in run.info["languages"]}


def bias_table(runs: Sequence[Run], benchmark: str) -> pd.DataFrame:
    """One row a run: rank distance, and Friedman's test of the answers' ranks (mean W over query languages)."""
    rows = []
    for run in runs:
        ranks = run.ranks(benchmark)
        tested = bias.friedman(ranks)
        rows.append(
            {
                "strategy": run.strategy,
                "seed": run.seed,
                "rank distance": run.metrics[benchmark]["multilingual"].get("rank_distance"),
                "Kendall's W": tested["kendalls_w"].mean(),
                "languages with p < 0.001": f"{(tested['p_value'] < 0.001).sum()} of {len(tested)}",
            }
        )
    return pd.DataFrame(rows).set_index("strategy")


def by_alpha(runs: Sequence[Run], benchmark: str) -> pd.DataFrame:
    """The paper's figures by alpha, a row a run on all data; X-Y is alpha 0 and X-X-mono 1."""
    rows = []
    for run in runs:
        alpha = {"X-Y": 0.0, "X-X-mono": 1.0}.get(run.strategy)
        if run.strategy.startswith("hybrid"):
            alpha = Strategy.parse(run.strategy).alpha
        if alpha is not None and run.share == 1:
            rows.append({"alpha": alpha, "seed": run.seed, **headline(run.metrics[benchmark])})
    return pd.DataFrame(rows).sort_values(["alpha", "seed"], ignore_index=True)


def by_share(runs: Sequence[Run], benchmark: str) -> pd.DataFrame:
    """The paper's figures by share of the training documents, a row a run of a strategy trained on several shares."""
    shares: dict[str, set[float]] = {}
    for run in runs:
        shares.setdefault(run.strategy, set()).add(run.share)
    rows = [
        {"strategy": run.strategy, "share": run.share, "seed": run.seed, **headline(run.metrics[benchmark])}
        for run in runs
        if len(shares[run.strategy]) > 1
    ]
    return pd.DataFrame(rows)


def own_language_share(shares: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    """strategy -> share of the first ten in the query's own language, mean over query languages."""
    return {
        strategy: float(pd.Series({code: table.loc[code, code] for code in table.index}).mean())
        for strategy, table in shares.items()
    }


def runs_table(runs: Sequence[Run]) -> pd.DataFrame:
    """How many seeds of which strategy on how much data, how long a run took, and with what."""
    rows = [
        {
            "strategy": run.strategy,
            "share of the data": f"{run.share:g}",
            "seed": run.seed,
            "pairs seen": run.info["pairs_seen"],
            "device": run.info["device"],
            "code": run.info["code"][:12],
            "minutes": run.info["seconds"] / 60,
        }
        for run in runs
    ]
    keys = ["strategy", "share of the data", "pairs seen", "device", "code"]
    grouped = pd.DataFrame(rows).groupby(keys, sort=False)
    table = grouped.agg(seeds=("seed", "size"), minutes=("minutes", "mean")).round(1).reset_index()
    return table.rename(columns={"minutes": "minutes of training"}).set_index("strategy")


def tests_table(compared: pd.DataFrame) -> pd.DataFrame:
    """`significance.against` as text: difference, its interval, effect and corrected p."""
    distance = compared["figure"] == "rank distance"

    def text(column: str) -> pd.Series:
        return compared[column].map("{:+.3f}".format).where(~distance, compared[column].map("{:+.0f}".format))

    return pd.DataFrame(
        {
            "against": compared["against"],
            "figure": compared["figure"],
            "difference": text("difference"),
            "95 % interval": "[" + text("low") + ", " + text("high") + "]",
            "effect (d)": compared["effect"].map("{:+.2f}".format),
            "p (Holm)": compared["p_holm"].map("{:.4f}".format),
        }
    ).set_index("against")


def settings_table(run: Run) -> pd.DataFrame:
    """What a run was made with, one setting a row."""
    info = run.info
    corpora = {f"sha256 of {name}": values["sha256"][:16] for name, values in info["corpora"].items()}
    training = {name: info["settings"]["training"][name] for name in ("steps", "batch_size", "temperature")}
    rate = {"learning_rate": info["settings"]["training"]["learning_rate"]}
    values = {
        "strategy": info["strategy"],
        "seed": info["seed"],
        "languages": " ".join(info["languages"]),
        "encoder": info["model"]["name"],
        **training,
        **rate,
        "pairs seen": info["pairs_seen"],
        **corpora,
    }
    return pd.DataFrame({"value": {name: str(value) for name, value in values.items()}})


def top_languages(runs: Sequence[Run], benchmark: str) -> dict[str, pd.DataFrame]:
    """strategy -> query language x candidate language: share of the first ten candidates, mean over seeds."""
    shares: dict[str, list[pd.DataFrame]] = {}
    for run in runs:
        table = run.top_languages(benchmark)
        pivot = table.pivot(index="query_language", columns="candidate_language", values="share")
        shares.setdefault(run.strategy, []).append(pivot)
    return {strategy: sum(tables[1:], tables[0]) / len(tables) for strategy, tables in shares.items()}


def answers(runs: Sequence[Run], benchmark: str) -> dict[str, pd.DataFrame]:
    """strategy -> vectors of a few parallel answers by its first run (see `evaluation.parallel_answers`)."""
    first: dict[str, Run] = {}
    for run in runs:
        first.setdefault(run.strategy, run)
    return {strategy: run.answers(benchmark) for strategy, run in first.items()}


def histories(runs: Sequence[Run]) -> pd.DataFrame:
    """The training logs of all runs, one below the other."""
    return pd.concat([run.history.assign(strategy=run.strategy, seed=run.seed) for run in runs])
