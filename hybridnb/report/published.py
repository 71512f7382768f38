"""The figures of the paper (arXiv 2408.10536, Tables 3-8, 12 and 13), to stand beside ours."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from hybridnb.places import HOME
from hybridnb.report.tables import HEADLINE, as_text, by_language, scores, with_spread
from hybridnb.study.runs import Run
from hybridnb.study.settings import Study

FILE = HOME / "data" / "published.csv"
STRATEGIES = {"X-X-mono": "X-X-mono", "X-Y": "X-Y", "hybrid": "hybrid(0.5)"}
"""The paper's names -> ours."""

PRINTED_AS = {ours: theirs for theirs, ours in STRATEGIES.items()}

ENCODERS = {"xlm-r": "XLM-R (paper)", "labse": "LaBSE (paper)"}


def results() -> pd.DataFrame:
    """dataset, model, strategy, task, language, metric, value; language `mean` is the printed mean."""
    return pd.read_csv(FILE)


def headline(benchmark: str, languages: Sequence[str] | None = None) -> pd.DataFrame:
    """The paper's figures on a benchmark: a row an (encoder, strategy), the columns of `tables.HEADLINE`.

    Empty for a benchmark that the paper does not have. languages: of the queries; left out, all (its printed means).
    """
    table = results()
    table = table[(table["dataset"] == benchmark) & table["language"].isin(languages or ["mean"])]
    named = {f"{task} {metric}": name for name, (task, metric) in HEADLINE.items()}
    figure = (table["task"] + " " + table["metric"]).map(named)
    table = table.assign(figure=figure, encoder=table["model"].map(ENCODERS)).dropna(subset="figure")
    rows = table.pivot_table(index=["encoder", "strategy"], columns="figure", values="value")
    order = [name for name in HEADLINE if name in rows]
    return rows.sort_index(level="encoder", ascending=False, sort_remaining=False)[order]


def compares_with(study: Study) -> bool:
    """Whether a study has what the report shows: the paper's strategies beside the encoder as it is, sweeps, and
    only benchmarks of which the paper printed the rank distance.
    """
    return (
        {*STRATEGIES.values()} <= {*study.strategies}
        and study.baseline
        and bool(study.sweeps)
        and all("rank distance" in headline(benchmark) for benchmark in study.benchmarks)
    )


def beside_ours(runs: Sequence[Run], benchmark: str) -> pd.DataFrame:
    """The runs' figures on a benchmark and the paper's below them, as text; index (encoder, strategy)."""
    ours = with_spread(scores(runs, benchmark))
    name = f"{runs[0].info['model']['name']} (ours)"
    parts = [pd.concat({name: ours}, names=["encoder"]), as_text(headline(benchmark))]
    return pd.concat(parts).fillna("")


def by_query_language(runs: Sequence[Run], benchmark: str, strategy: str) -> pd.DataFrame:
    """One strategy by language of the query, ours (mean over seeds) beside the paper's.

    strategy: by our name, one of `STRATEGIES`. Index language; columns (figure, encoder): mAP of the three tasks,
    cross-lingual ones averaged over candidate languages, and the rank distance.
    """
    ours = f"{runs[0].info['model']['name']} (ours)"
    of_strategy = [run for run in runs if run.strategy == strategy]
    table = results()
    table = table[(table["dataset"] == benchmark) & (table["strategy"] == PRINTED_AS[strategy])]
    columns = {}
    for figure in ("Mo mAP", "Cr mAP", "Mul mAP", "rank distance"):
        task, metric = HEADLINE[figure]
        rows = by_language(of_strategy, benchmark, task, metric)
        columns[figure, ours] = rows.groupby("query_language")["value"].mean()
        printed = table[(table["task"] == task) & (table["metric"] == metric)]
        for model, encoder in ENCODERS.items():
            values = printed[printed["model"] == model].set_index("language")["value"]
            columns[figure, encoder] = values.drop("mean")
    return pd.DataFrame(columns).rename_axis("language")
