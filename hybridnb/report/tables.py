"""Tables of a study, rebuilt from what its runs left on disk. No model is needed, and none is loaded.

Which measures there are, how they are called and printed, and which way is better: `measures.catalogue.MEASURES`. In
every function `runs` were evaluated on `benchmark`, a name or path, and `scores` is what `scores` returns.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from html import escape
from itertools import permutations
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist

from hybridnb.corpora import benchmark_name
from hybridnb.measures import bias
from hybridnb.measures.answers import by_place
from hybridnb.measures.catalogue import BIAS, MEASURES
from hybridnb.measures.catalogue import MAIN as MAIN
from hybridnb.measures.metrics_file import unpack
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED
from hybridnb.training.strategies import Strategy

MONO, CROSS = "X-X-mono", "X-Y"
"""The two strategies that hybrid batches mix, as the paper (arXiv 2408.10536) names them."""

HEADLINE = {label: measure for label, measure in MEASURES.items() if measure.headline}
"""The paper's measures."""

Format = Literal["text", "markdown", "latex", "csv"]

TASK_NAMES = {"monolingual": "monolingual", "crosslingual": "cross-lingual", "multilingual": "multilingual"}


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
    rows = [{**_named(run), **headline(_results(run, benchmark))} for run in runs]
    return pd.DataFrame(rows, columns=None if rows else ["strategy", "seed"])


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


def as_text(values: pd.DataFrame, more: int = 0) -> pd.DataFrame:
    """Values as text with the digits of their measures; nothing where there is no value.

    Args:
        values: columns are labels of `MEASURES`, or tuples that begin with one.
        more: decimals beyond `Measure.digits`.
    """

    def text(column: pd.Series[float]) -> pd.Series[str]:
        label = column.name[0] if isinstance(column.name, tuple) else column.name
        digits = MEASURES[str(label)].digits + more
        return column.map(f"{{:.{digits}f}}".format, na_action="ignore").fillna("")

    return values.apply(text)


def render(table: pd.DataFrame, form: Format) -> str:
    """A table of text, with its index, as what is asked for.

    Args:
        table: as `as_text` gives it.
        form: "text" for the screen, "markdown", "latex" (with the package booktabs) or "csv".

    Example:
        >>> print(render(pd.DataFrame({"Mo mAP": ["0.750"]}, pd.Index(["X_Y"], name="system")), "latex"))
        \\begin{tabular}{ll}
        \\toprule
        system & Mo mAP \\\\
        \\midrule
        X\\_Y & 0.750 \\\\
        \\bottomrule
        \\end{tabular}
        <BLANKLINE>
    """
    if form == "text":
        return table.to_string()
    columns = table.reset_index()
    if form == "markdown":
        # numbers as they were written, with the noughts at their end
        return columns.to_markdown(index=False, disable_numparse=True)
    if form == "latex":
        return columns.to_latex(index=False, escape=True)
    return columns.to_csv(index=False)


def as_html(table: pd.DataFrame) -> str:
    """A table of texts for a notebook: each cell begins on the side from which its script is read.

    Args:
        table: of texts, with one index.

    Example:
        >>> row = as_html(pd.DataFrame({"query": ["<Ana>?"]}, pd.Index(["de"], name="language"))).splitlines()[2]
        >>> row.split("</td>")[1]
        '<td dir="auto" style="text-align: start">&lt;Ana&gt;?'
    """
    aligned = 'style="text-align: start"'
    head = "".join(f"<th {aligned}>{escape(str(name))}</th>" for name in [table.index.name, *table.columns])
    rows = (
        "".join(f'<td dir="auto" {aligned}>{escape(str(text))}</td>' for text in row)
        for row in table.itertuples()
    )
    return "\n".join(["<table>", f"<tr>{head}</tr>", *(f"<tr>{row}</tr>" for row in rows), "</table>"])


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
        unpack({measure.task: _results(run, benchmark).get(measure.task, {})}).assign(**_named(run))
        for run in runs
    ]
    table = pd.concat(parts)
    columns = ["strategy", "seed", "query_language", "candidate_language", "value"]
    return table.loc[table["metric"] == measure.name, columns].reset_index(drop=True)


def language_pairs(runs: Sequence[Run], benchmark: str, metric: str = "mAP") -> dict[str, pd.DataFrame]:
    """A metric of each strategy for every pair of languages; the diagonal is the monolingual task.

    Args:
        metric: a label without its task.

    Returns:
        Strategy -> query language x candidate language, means over seeds; NaN for pairs that are not asked. Empty
        where the benchmark has neither task.
    """
    table = pd.concat([by_language(runs, benchmark, f"{task} {metric}") for task in ("Mo", "Cr")])
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
    asked = set(unpack(_results(runs[0], benchmark))["query_language"])
    return sorted(asked - _trained_languages(runs))


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


def bias_table(runs: Sequence[Run], benchmark: str) -> pd.DataFrame:
    """One row a run that has its ranks table: what that says of language bias, means over query languages, and a test.

    Returns:
        Index strategy; seed, the labels of `catalogue.BIAS` (NaN where one says nothing), Kendall's W (of
        `bias.friedman`: whether a language's queries prefer the same languages) and in how many query languages its p
        is below 0.001.
    """
    rows = []
    for run in ranked(runs, benchmark):
        ranks = run.ranks(benchmark)
        with warnings.catch_warnings(action="ignore"):  # that PEER is constant is seen in the table
            means = bias.by_query_language(ranks).mean(skipna=False)
        test = bias.friedman(ranks)
        sure = f"{(test['p_value'] < 0.001).sum()} of {len(test)}"
        found = {"Kendall's W": test["kendalls_w"].mean(), "languages with p < 0.001": sure}
        rows.append({**_named(run), **means, **found})
    columns = ["strategy", "seed", *BIAS, "Kendall's W", "languages with p < 0.001"]
    return pd.DataFrame(rows, columns=columns).set_index("strategy")


def ranked(runs: Sequence[Run], benchmark: str) -> list[Run]:
    """The runs that have ranks tables of a benchmark: of large studies they are recorded of some seeds alone."""
    return [run for run in runs if run.is_ranked(benchmark) or not run.is_compared(benchmark)]


def ranked_seeds(runs: Sequence[Run], benchmark: str) -> str:
    """Of how many seeds there are ranks tables, in a sentence; "" where it is all."""
    trained = [run for run in runs if run.strategy != NOT_TRAINED]
    kept, seeds = ({run.seed for run in part} for part in (ranked(trained, benchmark), trained))
    if len(ranked(runs, benchmark)) == len(runs):
        return ""
    return (
        f"What follows is of ranks tables, which are recorded of {len(kept)} of {len(seeds)} seeds "
        f"on {benchmark_name(benchmark)}."
    )


def typical_query(ranks: pd.DataFrame) -> tuple[str, str]:
    """The query in the middle by rank distance: as many have their answers closer together as further apart.

    Args:
        ranks: one run's ranks table, of one data set, with the multilingual task.

    Returns:
        Its language and id.
    """
    merged = ranks[ranks["task"] == "multilingual"]
    by_query = merged.groupby(["query_language", "query_id"], observed=True)["rank"]
    apart = (by_query.max() - by_query.min()).sort_values(kind="stable")
    language, query = apart.index[len(apart) // 2]
    return str(language), str(query)


def one_query(ranks: pd.DataFrame, language: str, query: str) -> pd.DataFrame:
    """Where the answers of one query stand, the best placed first.

    Args:
        ranks: one run's ranks table, of one data set.
        language: of the query.
        query: its id.

    Returns:
        Index language (of the answer); "rank in its own pool", of that language alone, "candidates there", "rank in the
        merged pool", of all languages.
    """
    rows = ranks[(ranks["query_language"] == language) & (ranks["query_id"] == query)]
    is_merged = rows["task"] == "multilingual"
    alone = rows[~is_merged].set_index("relevant_language")
    merged = rows[is_merged].set_index("relevant_language")
    table = pd.DataFrame(
        {
            "rank in its own pool": alone["rank"],
            "candidates there": alone["pool_size"],
            "rank in the merged pool": merged["rank"],
        }
    )
    return table.rename_axis("language").sort_values("rank in the merged pool")


def places(runs: Sequence[Run], benchmark: str) -> pd.DataFrame:
    """What the best, the second best .. answer adds to multilingual mAP (see `answers.by_place`), means over the seeds
    that have ranks tables.

    Returns:
        Index place, a column a strategy; a column's sum is the mAP.
    """
    parts: dict[str, list[pd.Series[float]]] = {}
    for run in ranked(runs, benchmark):
        parts.setdefault(run.strategy, []).append(by_place(run.ranks(benchmark)))
    return pd.DataFrame({strategy: pd.concat(part, axis=1).mean(axis=1) for strategy, part in parts.items()})


def where_mrr_misleads(places: pd.DataFrame, bias: pd.DataFrame) -> list[str]:
    """Where MRR prefers one strategy and mAP the other, in the merged pool, and why.

    MRR sees a query's best answer alone, mAP all of them; the best answer mostly is in the query's own language.

    Args:
        places: of `places`.
        bias: of `bias_table`, of the same runs.

    Returns:
        A sentence for each such pair of strategies.
    """
    means = bias.groupby(level="strategy", sort=False)[["MRR", "own language first"]].mean()
    said = []
    for one, other in permutations(places.columns, 2):
        apart, mrr = places[one] - places[other], means["MRR"][one] - means["MRR"][other]
        if mrr > 0 > apart.sum():
            own = means["own language first"][[one, other]]
            said.append(
                f"{one} is ahead of {other} in MRR ({mrr:+.3f}) and behind in mAP ({apart.sum():+.3f}): the best "
                f"answer of a query adds {apart.iloc[0]:+.4f} to mAP, the others {apart.iloc[1:].sum():+.4f}. It is in "
                f"the query's own language in {own[one]:.0%} of the queries, with {other} in {own[other]:.0%}."
            )
    return said


def first_languages(runs: Sequence[Run], benchmark: str) -> pd.DataFrame:
    """How mixed the first ten candidates are, against the pool: means over query languages and seeds.

    Returns:
        Index strategy; the columns of `bias.first_languages`.
    """
    parts = [
        bias.first_languages(run.top_languages(benchmark), run.pools(benchmark))
        .mean(skipna=False)
        .rename(run.strategy)
        for run in runs
    ]
    table = pd.DataFrame(parts).rename_axis("strategy")
    return table.groupby(level="strategy", sort=False).mean()


def bias_in_short(scores: pd.DataFrame, pool: int, shares: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """How far apart a query's answers stand, and how many of the first ten are in its own language.

    Args:
        pool: candidates in all.
        shares: of `top_languages`.

    Returns:
        Index strategy; rank distance, the same in % of the pool, and the % of the query's language among the first
        ten candidates, mean over query languages; NaN where a value is not defined.
    """
    distance = by_strategy(scores).reindex(columns=["rank distance"])["rank distance"]
    own = {
        strategy: pd.Series([table.at[code, code] for code in table.index if code in table]).mean()
        for strategy, table in shares.items()
    }
    return pd.DataFrame(
        {
            "rank distance": distance,
            "% of the pool": 100 * distance / pool,
            "% own language among the first ten": 100 * pd.Series(own).reindex(distance.index),
        }
    )


def by_alpha(runs: Sequence[Run], benchmark: str) -> pd.DataFrame:
    """The paper's measures by alpha, a row a run on all data; X-Y is alpha 0 and X-X-mono 1.

    Returns:
        alpha, seed and the labels of `HEADLINE`; runs of other strategies are left out, and seeds that not every alpha
        has: the means of other seeds beside them would show what seeds do.
    """
    table = scores([run for run in runs if run.fraction == 1], benchmark)
    table.insert(0, "alpha", table.pop("strategy").map(_alpha))
    table = table.dropna(subset="alpha").sort_values(["alpha", "seed"], ignore_index=True)
    return _matched(table, ["alpha"])


def _matched(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """The rows of the seeds that are there with every value of some columns."""
    with_seed = table.drop_duplicates([*by, "seed"])["seed"].value_counts()
    values = len(table.drop_duplicates(by))
    return table[table["seed"].map(with_seed) == values].reset_index(drop=True)


def by_fraction(runs: Sequence[Run], benchmark: str) -> pd.DataFrame:
    """The paper's measures by fraction of the training documents, of strategies trained on several.

    Returns:
        strategy, fraction, seed and the labels of `HEADLINE`, a row a run, of the seeds that are there throughout.
    """
    fractions: dict[str, set[float]] = {}
    for run in runs:
        fractions.setdefault(run.strategy, set()).add(run.fraction)
    several = [run for run in runs if len(fractions[run.strategy]) > 1]
    table = scores(several, benchmark)
    table.insert(1, "fraction", [run.fraction for run in several])
    return _matched(table, ["strategy", "fraction"])


def runs_table(runs: Sequence[Run]) -> pd.DataFrame:
    """How many seeds of which strategy on how much data, how long a run took, and with what."""
    rows = [
        {
            "strategy": run.strategy,
            "fraction of the data": f"{run.fraction:g}",
            "seed": run.seed,
            "pairs seen": run.info["pairs_seen"],
            "device": run.info["device"],
            "code": run.info["code"][:12],
            "minutes": run.info["seconds"] / 60,
        }
        for run in runs
    ]
    keys = ["strategy", "fraction of the data", "pairs seen", "device", "code"]
    grouped = pd.DataFrame(rows).groupby(keys, sort=False)
    table = grouped.agg(seeds=("seed", "size"), minutes=("minutes", "mean")).round(1).reset_index()
    return table.rename(columns={"minutes": "minutes of training"}).set_index("strategy")


def tests_table(compared: pd.DataFrame) -> pd.DataFrame:
    """`significance.against` as text: difference, its interval, effect and corrected p."""
    measures = [MEASURES[label] for label in compared["measure"]]

    def text(column: str) -> list[str]:
        return [measure.format(v, "+") for measure, v in zip(measures, compared[column], strict=True)]

    intervals = [f"[{low}, {high}]" for low, high in zip(text("low"), text("high"), strict=True)]
    return pd.DataFrame(
        {
            "against": compared["against"],
            "measure": compared["measure"],
            "difference": text("difference"),
            "95 % interval": intervals,
            "effect (d)": compared["effect"].map("{:+.2f}".format),
            "p (Holm)": compared["p_holm"].map("{:.4f}".format),
        }
    ).set_index("against")


def settings_table(run: Run) -> pd.DataFrame:
    """What a run was made with, one setting a row."""
    info = run.info
    training = info["settings"]["training"]
    values = {
        "strategy": info["strategy"],
        "seed": info["seed"],
        "languages": " ".join(info["languages"]),
        "encoder": info["model"]["name"],
        **{name: training[name] for name in ("steps", "batch_size", "temperature", "learning_rate")},
        "pairs seen": info["pairs_seen"],
        **{f"sha256 of {name}": corpus["sha256"][:16] for name, corpus in info["corpora"].items()},
    }
    return pd.DataFrame({"value": {name: str(value) for name, value in values.items()}})


def losses(run: Run) -> pd.DataFrame:
    """The validation losses of a run (InfoNCE, nats): first (at step 0 untrained), last, of the weights kept.

    Returns:
        Index step; validation, and validation_mono and validation_cross where there are batches of both kinds.
    """
    measured = run.history.dropna(subset="validation").set_index("step")
    steps = sorted({measured.index[0], run.info["best_step"], measured.index[-1]})
    return measured.loc[steps].filter(like="validation")


def top_languages(runs: Sequence[Run], benchmark: str) -> dict[str, pd.DataFrame]:
    """Whose candidates come first.

    Returns:
        Strategy -> query language x candidate language: share of the first ten candidates, mean over seeds.
    """
    shares: dict[str, list[pd.DataFrame]] = {}
    for run in runs:
        table = run.top_languages(benchmark)
        pivot = table.pivot(index="query_language", columns="candidate_language", values="share")
        shares.setdefault(run.strategy, []).append(pivot)
    return {strategy: sum(tables[1:], tables[0]) / len(tables) for strategy, tables in shares.items()}


def own_shares(runs: Sequence[Run], benchmark: str) -> pd.DataFrame:
    """How many of the first ten candidates are in the language of the query.

    Returns:
        strategy, seed, query_language and value, in %.
    """
    parts = []
    for run in runs:
        table = run.top_languages(benchmark)
        own = table[table["query_language"] == table["candidate_language"]]
        parts.append(own.assign(value=100 * own["share"], **_named(run)))
    return pd.concat(parts, ignore_index=True)[["strategy", "seed", "query_language", "value"]]


def apart(runs: Sequence[Run], benchmark: str) -> pd.DataFrame:
    """How far passages lie from the middle of their translations, in the vectors of a few parallel answers.

    With m(a) the mean of the unit vectors of answer a in all its languages: |v - m(a)|, mean over the answers of a
    language, divided by the mean of |m(a) - m(b)| over pairs of answers. 0: as near as can be; 1: as far as another
    answer.

    Returns:
        strategy, seed, query_language (of the passage) and value, of each strategy's first run, where its answers
        are kept (see `results.parallel_answers`): they are recorded where ranks tables are.
    """
    parts = []
    first = {run.strategy: run for run in reversed(runs)}
    for run in (run for run in ranked(runs, benchmark) if first[run.strategy] is run):
        vectors = run.answers(benchmark).astype(float)
        middles = vectors.groupby(level="answer").transform("mean")
        to_middle = pd.Series(np.linalg.norm(vectors - middles, axis=1), vectors.index)
        between = pdist(middles.groupby(level="answer").first())
        of_language = (to_middle.groupby(level="language").mean() / between.mean()).rename("value")
        parts.append(of_language.rename_axis("query_language").reset_index().assign(**_named(run)))
    columns = ["strategy", "seed", "query_language", "value"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def histories(runs: Sequence[Run]) -> pd.DataFrame:
    """The training logs of all runs, one below the other."""
    return pd.concat([run.history.assign(**_named(run)) for run in runs])


def _results(run: Run, benchmark: str) -> dict[str, Any]:
    """The benchmark's part of a run's metrics.json."""
    if not run.is_measured(benchmark):
        raise ValueError(
            f"{run.label} has no results on {benchmark} ({run.directory}): "
            "train and evaluate it, or leave it out of the study"
        )
    of_benchmark: dict[str, Any] = run.metrics[benchmark_name(benchmark)]
    return of_benchmark


def _named(run: Run) -> dict[str, str | int]:
    return {"strategy": run.strategy, "seed": run.seed}


def _trained_languages(runs: Sequence[Run]) -> set[str]:
    return {code for run in runs for code in run.info["languages"]}


def _alpha(strategy: str) -> float | None:
    return None if strategy == NOT_TRAINED else Strategy.parse(strategy).alpha_equivalent


def _mixes_languages(strategy: str) -> bool:
    """Whether a query and its passage may differ in language."""
    if strategy == NOT_TRAINED:
        return False
    parsed = Strategy.parse(strategy)
    return parsed.mono_share < 1 and parsed.recipe.within_pair == "different"
