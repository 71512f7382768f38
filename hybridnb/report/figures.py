"""Every figure, one function each. They draw what `report.tables` makes and return a matplotlib figure.

Where there is nothing to draw, because a benchmark lacks a task or a study the runs, the figure says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from hybridnb.measures.catalogue import MEASURES
from hybridnb.places import FIGURES
from hybridnb.report.tables import MAIN, TASK_NAMES
from hybridnb.study.settings import NOT_TRAINED

COLOURS = sns.color_palette("colorblind")
GREY = (0.6, 0.6, 0.6)
FEW = 18
"""Languages up to which cells hold numbers."""


def style() -> None:
    """The look that all figures share; tables in notebooks show their texts whole."""
    pd.set_option("display.max_colwidth", None)
    sns.set_theme(
        style="whitegrid",
        context="notebook",
        palette="colorblind",
        rc={"figure.dpi": 100, "savefig.dpi": 150},
    )


def save(figure: Figure, study: str, name: str) -> Figure:
    """Write figures/STUDY/NAME.png; returns the figure for the notebook to show."""
    directory = FIGURES / study
    directory.mkdir(parents=True, exist_ok=True)
    # no metadata: the same figure is the same file
    figure.savefig(directory / f"{name}.png", bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)
    return figure


def palette(strategies: Sequence[str]) -> dict[str, tuple[float, float, float]]:
    """A colour for each strategy, the same in every figure of a study."""
    trained = [strategy for strategy in dict.fromkeys(strategies) if strategy != NOT_TRAINED]
    colours = {strategy: COLOURS[n % len(COLOURS)] for n, strategy in enumerate(trained)}
    return {NOT_TRAINED: GREY, **colours} if NOT_TRAINED in strategies else colours


def nothing(why: str) -> Figure:
    """A figure of one line, in the place of one that cannot be drawn."""
    figure, axes = plt.subplots(figsize=(11, 0.6))  # IPython shows no figure without axes
    axes.set_axis_off()
    axes.text(0, 0.5, why, va="center")
    return figure


def strategies_by_task(scores: pd.DataFrame, pool: int) -> Figure:
    """mAP of the tasks there are, and a panel for each measure of language bias, by strategy; dots are seeds.

    Args:
        scores: of `tables.scores`.
        pool: candidates in all.
    """
    colours = palette(scores["strategy"].tolist())
    several = scores["seed"].nunique() > 1
    shown = {label: measure for label, measure in MAIN.items() if label in scores}
    tasks = {label: TASK_NAMES[m.task] for label, m in shown.items() if m.name == "map"}
    bias = [label for label, measure in shown.items() if measure.between_languages]
    figure, grid = plt.subplots(
        1, 1 + len(bias), figsize=(7.6 + 3.4 * len(bias), 4), width_ratios=[3, *[1.35] * len(bias)],
        layout="constrained", squeeze=False,
    )  # fmt: skip
    long = scores.melt(["strategy", "seed"], list(tasks), "task", "mAP").replace({"task": tasks})
    panels = [(long, "task", "mAP"), *((scores.assign(all=""), "all", label) for label in bias)]
    for axes, (table, x, y) in zip(grid[0], panels, strict=True):
        is_left = axes is grid[0][0]
        sns.barplot(table, x=x, y=y, hue="strategy", ax=axes, palette=colours, errorbar=None, legend=is_left)
        if several:
            sns.stripplot(
                table, x=x, y=y, hue="strategy", dodge=True, ax=axes, legend=False,
                palette=["0.15"] * len(colours), size=4, jitter=False,
            )  # fmt: skip
        digits = MEASURES[next(iter(tasks), y) if is_left else y].digits
        for bars in axes.containers:
            axes.bar_label(bars, fmt=f"%.{digits}f", fontsize=9, padding=8 if several else 3)
        axes.set_xlabel("")
        if not is_left:
            better = "higher" if MEASURES[y].higher_is_better else "lower"
            axes.set(title=f"Language bias: {better} is better", ylabel=f"{y} (of {pool:,} candidates)")
            axes.margins(y=0.12)
    left = grid[0][0]
    left.set(ylim=(0, 1.08), title="Retrieval: higher is better")
    handles, labels = left.get_legend_handles_labels()
    left.get_legend().remove()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(colours), frameon=False)
    sns.despine(figure)
    return figure


def curves(table: pd.DataFrame, x: str, title: str, reference: pd.Series[float] | None) -> Figure:
    """mAP of the tasks, and language bias, over a setting; one line a strategy where there is such a column.

    Args:
        table: columns `x`, seed, labels of measures, a row a run; a bar is the range between seeds.
        x: "alpha" or "fraction".
        title: of the figure.
        reference: label -> value of the encoder without fine-tuning, if it is there: named above each panel, for it may
            lie far outside.
    """
    shown = [label for label in MAIN if label in table]
    if table.empty or not shown:
        return nothing(f"{title}: there are no runs at several values of {x}.")
    figure, axes = plt.subplots(
        1, len(shown), figsize=(3.25 * len(shown), 3.6), layout="constrained", squeeze=False
    )
    colours = palette(table["strategy"].tolist()) if "strategy" in table else None
    ticks = sorted(table[x].unique())
    for panel, label in zip(axes[0], shown, strict=True):
        measure = MEASURES[label]
        is_last = panel is axes[0][-1]
        sns.lineplot(
            table, x=x, y=label, hue="strategy" if colours else None, palette=colours, marker="o", ax=panel,
            errorbar=("pi", 100), err_style="bars", err_kws={"capsize": 3}, legend=bool(colours) and is_last,
        )  # fmt: skip
        if x == "fraction":
            panel.set_xscale("log", base=2)
        panel.set_xticks(ticks, [f"{value:g}" for value in ticks], rotation=45 if len(ticks) > 5 else 0)
        name = TASK_NAMES[measure.task] if measure.name == "map" else label
        panel.set(xlabel="", ylabel="mAP" if panel is axes[0][0] and measure.name == "map" else "")
        known = "" if reference is None else f"\n({NOT_TRAINED}: {measure.format(reference[label], ',')})"
        panel.set_title(name + known, fontsize=11)
    if colours:
        sns.move_legend(axes[0][-1], "center left", bbox_to_anchor=(1, 0.5), title="", frameon=False)
    figure.suptitle(title)
    figure.supxlabel("fraction of the training documents" if x == "fraction" else x, fontsize=12)
    sns.despine(figure)
    return figure


def differences(table: pd.DataFrame, title: str) -> Figure:
    """Differences with their intervals (`significance.against`), a panel a measure, a row a strategy.

    Filled: p (corrected) below .05, and 0 outside the interval. The encoder without fine-tuning is left out: it
    lies so far away that no other difference could be seen.
    """
    table = table[table["against"] != NOT_TRAINED]
    if table.empty:
        return nothing(f"{title}: there are no others.")
    names = list(dict.fromkeys(table["measure"]))
    figure, axes = plt.subplots(
        1, len(names), figsize=(3.2 * len(names), 1 + 0.55 * table["against"].nunique()),
        layout="constrained", squeeze=False, sharey=True,
    )  # fmt: skip
    for panel, name in zip(axes[0], names, strict=True):
        rows = table[table["measure"] == name].iloc[::-1]
        panel.axvline(0, color=GREY, linewidth=1)
        for y, (_, row) in enumerate(rows.iterrows()):
            panel.plot([row["low"], row["high"]], [y, y], color=COLOURS[0], linewidth=2)
            sure = row["p_holm"] < 0.05 and not row["low"] <= 0 <= row["high"]
            panel.plot(
                row["difference"], y, "o", color=COLOURS[0], markerfacecolor=COLOURS[0] if sure else "white"
            )
        panel.set_yticks(range(len(rows)), rows["against"])
        panel.margins(y=0.35)
        panel.locator_params(axis="x", nbins=4)
        panel.set(title=name)
    figure.suptitle(title)
    sns.despine(figure)
    return figure


def _panels(count: int, width: float, height: float, sharey: bool = False) -> tuple[Figure, list[Axes]]:
    """A figure of panels of this size: up to three in a row, more or wider ones in rows of two."""
    columns = count if count <= (3 if width < 6 else 2) else 2
    rows = -(-count // columns)
    figure, grid = plt.subplots(
        rows,
        columns,
        figsize=(width * columns + 0.8, height * rows),
        layout="constrained",
        squeeze=False,
        sharey=sharey,
    )
    panels: list[Axes] = list(grid.flat)
    for unused in panels[count:]:
        unused.remove()
    return figure, panels[:count]


def pair_heatmaps(pairs: Mapping[str, pd.DataFrame], metric: str = "mAP") -> Figure:
    """One query language x candidate language heatmap a strategy, on one colour scale."""
    return _heatmaps({name: 100 * table for name, table in pairs.items()}, f"{metric} x 100", "viridis")


def _heatmaps(tables: Mapping[str, pd.DataFrame], label: str, colours: str) -> Figure:
    """Query language x candidate language, values from 0 to 100; one panel a strategy, one colour bar."""
    if not tables:
        return nothing(f"{label}: there are no such pairs of languages.")
    most = max(max(table.shape) for table in tables.values())
    size = 4.6 if most <= FEW else 1.2 + 0.19 * most
    figure, panels = _panels(len(tables), size, size, sharey=True)
    for panel, (strategy, table) in zip(panels, tables.items(), strict=True):
        sns.heatmap(
            table, ax=panel, vmin=0, vmax=100, cmap=colours, annot=most <= FEW, fmt=".0f", annot_kws={"size": 7.5},
            square=True, cbar=False, xticklabels=True, yticklabels=True,
        )  # fmt: skip
        cell = panel.get_subplotspec()
        is_first = cell is not None and cell.is_first_col()
        panel.set(title=strategy, xlabel="candidate language", ylabel="query language" if is_first else "")
        panel.grid(False)  # which would show where there is no value
        panel.tick_params(axis="y", rotation=0)
        if most > 12:
            panel.tick_params(axis="x", rotation=90)
        if most > FEW:
            panel.tick_params(labelsize=8)
    figure.colorbar(panels[-1].collections[0], ax=panels, label=label, shrink=0.6)
    return figure


def language_bars(table: pd.DataFrame, ylabel: str, title: str, unseen: Sequence[str] = ()) -> Figure:
    """A measure by query language and strategy (`tables.by_language`), mean over seeds; unseen ones starred."""
    if table.empty:
        return nothing(f"{title}: {ylabel} is not defined on this benchmark.")
    table = table.assign(
        language=[f"{code}*" if code in unseen else code for code in table["query_language"]]
    )
    count = table["language"].nunique()
    figure, axes = plt.subplots(figsize=(max(11, 4 + 0.35 * count), 3.6), layout="constrained")
    if count > FEW:
        axes.tick_params(axis="x", rotation=90, labelsize=9)
    sns.barplot(
        table, x="language", y="value", hue="strategy", palette=palette(table["strategy"].tolist()), ax=axes,
        errorbar=("pi", 100) if table["seed"].nunique() > 1 else None, err_kws={"linewidth": 1},
        order=sorted(table["language"].unique()),
    )  # fmt: skip
    note = "   (* not trained on)" if unseen else ""
    axes.set(xlabel=f"query language{note}", ylabel=ylabel, title=title)
    sns.move_legend(axes, "upper left", bbox_to_anchor=(1, 1), title="", frameon=False)
    sns.despine(figure)
    return figure


def validation_curves(histories: pd.DataFrame) -> Figure:
    """Training loss, and validation loss by kind of batch, over steps."""
    kinds = {
        "loss": "training batches",
        "validation_mono": "validation, monolingual batches",
        "validation_cross": "validation, cross-lingual batches",
    }
    kinds = {column: title for column, title in kinds.items() if column in histories}
    if not kinds:
        return nothing("There are no losses: nothing was trained.")
    figure, axes = plt.subplots(
        1, len(kinds), figsize=(4 * len(kinds), 3.4), layout="constrained", squeeze=False
    )
    colours = palette(histories["strategy"].tolist())
    for n, (panel, (column, title)) in enumerate(zip(axes[0], kinds.items(), strict=True)):
        sns.lineplot(
            histories.dropna(subset=column), x="step", y=column, hue="strategy", palette=colours, ax=panel,
            errorbar=("pi", 100), legend=n == 0, marker="o" if column != "loss" else None,
        )  # fmt: skip
        panel.set(title=title, ylabel="InfoNCE (nats)" if n == 0 else "")
    axes[0][0].legend(title="", frameon=False)
    sns.despine(figure)
    return figure


def language_shares(shares: Mapping[str, pd.DataFrame]) -> Figure:
    """Whose passages fill the first ten: query language x candidate language, one panel a strategy."""
    return _heatmaps({name: 100 * table for name, table in shares.items()}, "% of the first ten", "rocket_r")


def projections(answers: Mapping[str, pd.DataFrame]) -> Figure:
    """Passage vectors on their first two principal axes, coloured by language, one panel a strategy.

    answers: strategy -> vectors [texts, d], indexed by (answer, language). A grey line leads from each passage
    to the middle of its translations.
    """
    if min(map(len, answers.values()), default=0) < 3:
        return nothing("There are too few answers to lay them on a plane.")
    figure, panels = _panels(len(answers), 4.2, 4)
    languages = next(iter(answers.values())).index.get_level_values("language")
    codes = sorted(set(languages))
    colours = dict(zip(codes, sns.color_palette("husl", len(codes)), strict=True))
    for n, (panel, (strategy, table)) in enumerate(zip(panels, answers.items(), strict=True)):
        plane, explained = principal_plane(table.to_numpy())
        middle = pd.DataFrame(plane, table.index).groupby("answer").transform("mean").to_numpy()
        for point, centre in zip(plane, middle, strict=True):
            panel.plot(*zip(point, centre, strict=True), color="0.8", linewidth=0.7, zorder=0)
        sns.scatterplot(
            x=plane[:, 0], y=plane[:, 1], hue=table.index.get_level_values("language"), hue_order=codes,
            palette=colours, s=22, linewidth=0, ax=panel, legend=n == len(answers) - 1,
        )  # fmt: skip
        panel.grid(False)
        panel.set(
            title=strategy, xlabel=f"first axis ({explained[0]:.0%} of variance)",
            ylabel=f"second axis ({explained[1]:.0%})", xticks=[], yticks=[],
        )  # fmt: skip
    columns = -(-len(codes) // FEW)
    sns.move_legend(
        panels[-1], "center left", bbox_to_anchor=(1, 0.5), title="", frameon=False, ncols=columns
    )
    sns.despine(figure)
    return figure


def principal_plane(matrix: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(coordinates [n, 2], shares of variance [2]) of the two principal axes."""
    centred = matrix.astype(np.float64) - matrix.mean(0, dtype=np.float64)
    u, s, axes = np.linalg.svd(centred, full_matrices=False)
    # an axis has no direction of its own: make its largest loading positive
    signs = np.sign(axes[np.arange(2), np.abs(axes[:2]).argmax(1)])
    return u[:, :2] * s[:2] * signs, (s**2 / (s**2).sum())[:2]


def language_map(
    places: pd.DataFrame, gains: Mapping[str, pd.Series[float]], label: str, unseen: Sequence[str] = ()
) -> Figure:
    """Languages on a plane, what is near being alike; the larger and darker, the more a language gains.

    Args:
        places: of `typology.plane`: index language, x, y.
        gains: system -> language -> gain; a panel each, on one scale.
        label: what is gained.
        unseen: languages that are starred.
    """
    if places.empty or not gains:
        return nothing(f"{label}: there are no distances of languages, or no gains, to draw.")
    figure, panels = _panels(len(gains), 4.4, 4)
    points, values = places[["x", "y"]].to_numpy(), pd.concat(gains.values())
    low, high = min(float(values.min()), 0.0), float(values.max())
    for panel, (system, gain) in zip(panels, gains.items(), strict=True):
        of_place = gain.reindex(places.index)
        drawn = panel.scatter(
            places["x"], places["y"], c=of_place, s=60 + 540 * (of_place - low) / ((high - low) or 1), cmap="Greys",
            vmin=low - 0.15 * (high - low), vmax=high, edgecolor="0.3", linewidth=0.8,
        )  # fmt: skip
        for code, (x, y), (right, up) in zip(
            places.index, points.tolist(), _away(points).tolist(), strict=True
        ):
            panel.annotate(
                f"{code}*" if code in unseen else str(code), (x, y), xytext=(20 * right, 20 * up),
                textcoords="offset points", ha="center", va="center", fontsize=12,
                path_effects=[withStroke(linewidth=3, foreground="white")],
            )  # fmt: skip
        panel.set(title=system, xticks=[], yticks=[])
        panel.margins(0.25)
        panel.set_aspect("equal", adjustable="datalim")
    figure.colorbar(drawn, ax=panels, label=label, shrink=0.7)
    if unseen:
        figure.supxlabel("* not trained on", fontsize=11)
    return figure


def _away(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Directions of length 1 from each point's nearest other."""
    apart = points[:, None] - points
    length = np.linalg.norm(apart, axis=2) + np.where(np.eye(len(points)), np.inf, 1e-9)
    nearest = length.argmin(axis=1)
    rows = np.arange(len(points))
    return apart[rows, nearest] / length[rows, nearest, None]


def gain_scatter(
    tables: Mapping[str, pd.DataFrame], notes: Mapping[str, str], xlabel: str, ylabel: str
) -> Figure:
    """What pairs of languages gain against how far apart they are: one point a pair, one panel a system.

    Args:
        tables: system -> a row a pair: one, other, distance, gain, unseen (0 or 1).
        notes: system -> what its title says below the name.
        xlabel, ylabel: of the distance and the gain.
    """
    if not tables:
        return nothing(f"{ylabel}: there are no distances of languages, or no gains, to draw.")
    figure, panels = _panels(len(tables), 4.4, 4.2, sharey=True)
    kinds = {0: ("both languages seen", "o", "0.25"), 1: ("one or both unseen", "^", "white")}
    for panel, (system, table) in zip(panels, tables.items(), strict=True):
        for value, (name, marker, face) in kinds.items():
            rows = table[table["unseen"] == value]
            if len(rows):
                panel.scatter(
                    rows["distance"], rows["gain"], marker=marker, s=46 if len(table) < 200 else 16, facecolor=face,
                    edgecolor="0.1", linewidth=1, label=name, zorder=2 - value,
                )  # fmt: skip
        slope, start = np.polyfit(table["distance"], table["gain"], 1)
        ends = np.array([table["distance"].min(), table["distance"].max()])
        panel.plot(ends, start + slope * ends, color="0.5", linewidth=2, zorder=0)
        table = table.sort_values("gain")
        middle, lowest = table["distance"].median(), set(table.index[:2])
        size = table[["distance", "gain"]].max() - table[["distance", "gain"]].min()
        named: list[pd.Series[float]] = []
        for index, row in pd.concat([table.head(2), table.tail(3).iloc[::-1]]).iterrows():
            place = row[["distance", "gain"]].astype(float) / size
            if any(abs(place - other).max() < 0.08 for other in named):
                continue  # its name would lie on another
            named.append(place)
            left = row["distance"] < middle
            panel.annotate(
                f"{row['one']}-{row['other']}", (row["distance"], row["gain"]), fontsize=10,
                xytext=(-5 if left else 5, -12 if index in lowest else 5), textcoords="offset points",
                ha="right" if left else "left",
            )  # fmt: skip
        panel.axhline(0, color=GREY, linewidth=1, zorder=0)
        panel.set_title(f"{system}\n{notes.get(system, '')}", fontsize=12)
        panel.set(xlabel=xlabel)
        panel.margins(0.1)
        cell = panel.get_subplotspec()
        panel.set_ylabel(ylabel if cell is not None and cell.is_first_col() else "")
    handles, labels = panels[0].get_legend_handles_labels()
    if len(labels) > 1:
        figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    sns.despine(figure)
    return figure


def coverage(table: pd.DataFrame, title: str) -> Figure:
    """Items by query language and passage language, as counts."""
    few = len(table) <= FEW
    figure, axes = plt.subplots(figsize=(6, 4.8) if few else (9, 8), layout="constrained")
    sns.heatmap(
        table, ax=axes, cmap="crest", vmin=0, annot=few, fmt=",", annot_kws={"size": 7.5}, square=True,
        xticklabels=True, yticklabels=True,
    )  # fmt: skip
    axes.set(title=title, xlabel="passage language", ylabel="query language")
    axes.tick_params(axis="y", rotation=0)
    return figure


def lengths(table: pd.DataFrame) -> Figure:
    """Lengths in characters by language: columns language, part, characters."""
    parts = list(dict.fromkeys(table["part"]))
    figure, axes = plt.subplots(
        1, len(parts), figsize=(5.5 * len(parts), 3.4), layout="constrained", squeeze=False
    )
    for panel, part in zip(axes[0], parts, strict=True):
        rows: pd.DataFrame = table[table["part"] == part]
        sns.boxplot(
            rows, x="language", y="characters", ax=panel, color=COLOURS[0], fliersize=1.5, linewidth=1
        )
        panel.set(title=part, xlabel="", ylabel="characters")
        _from_zero(panel)
    sns.despine(figure)
    return figure


def _from_zero(axes: Axes) -> None:
    axes.set_ylim(bottom=0)
