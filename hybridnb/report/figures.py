"""Every figure, one function each. They draw what `report.tables` makes and return a matplotlib figure.

Where there is nothing to draw, because a benchmark lacks a task or a study the runs, the figure says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from hybridnb.measures.catalogue import MEASURES
from hybridnb.places import FIGURES
from hybridnb.report.tables import MAIN, TASK_NAMES, by_strategy
from hybridnb.study.settings import NOT_TRAINED

if TYPE_CHECKING:
    from IPython.display import Image

COLOURS = [
    to_rgb(name) for name in ("#1f4a86", "#f0a500", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "0.35")
]
"""Of strategies, apart in lightness too: they stay apart in greyscale and for the colour-blind."""

MARKERS, LINES = "sDo^vPX*", ("-", "--", "-.", ":")
"""Of strategies, beside their colours."""

GREY = (0.88, 0.88, 0.88)
FEW = 18
"""Languages up to which cells hold numbers."""

INK = "0.15"
LEVELS = LinearSegmentedColormap.from_list("levels", ["white", "#7a8fb5", "#16264a"])
DIFFERENCES = LinearSegmentedColormap.from_list("differences", ["#16264a", "white", "#e08a00"])
"""White is 0; less is darker than more, in greyscale too, and signs stand in the cells."""


def style() -> None:
    """The look that all figures share, on white in a dark theme too; tables in notebooks show their texts whole."""
    pd.set_option("display.max_colwidth", None)
    sns.set_theme(
        style="whitegrid",
        context="notebook",
        palette=COLOURS,
        rc={"figure.dpi": 100, "savefig.dpi": 160, "axes.titlesize": 12, "grid.color": "0.88"},
    )


def save(figure: Figure, study: str, name: str) -> Image:
    """Write figures/STUDY/NAME.png and NAME.svg, with what the figure shows in words (`described`) in both.

    Returns:
        The picture for the notebook to show, with the words as `alt` in its metadata; nbconvert's classic template
        reads them there, its lab template and JupyterLab do not.
    """
    from IPython.display import Image

    directory = FIGURES / study
    directory.mkdir(parents=True, exist_ok=True)
    words = str(figure.get_label())
    # no date, no version: the same figure is the same file
    metadata: dict[str, dict[str, str | None]] = {
        "png": {"Software": None, "Description": words},
        "svg": {"Date": None, "Creator": None, "Description": words},
    }
    with plt.rc_context({"svg.hashsalt": "hybridnb"}):
        for kind, about in metadata.items():
            file = directory / f"{name}.{kind}"
            figure.savefig(file, bbox_inches="tight", facecolor="white", metadata=about)
    plt.close(figure)
    return Image(filename=directory / f"{name}.png", alt=words, retina=True)


def described(figure: Figure, words: str) -> Figure:
    """A figure with its alternative text, for those who do not see it."""
    figure.set_label(" ".join(words.split()))
    return figure


def palette(strategies: Sequence[str]) -> dict[str, tuple[float, float, float]]:
    """A colour for each strategy, the same in every figure of a study."""
    return {name: GREY if n is None else COLOURS[n % len(COLOURS)] for name, n in _numbered(strategies)}


def markers(strategies: Sequence[str]) -> dict[str, str]:
    """A marker for each strategy, the same in every figure of a study.

    Example:
        >>> markers(["no fine-tuning", "X-X-mono", "X-Y"])
        {'no fine-tuning': 'X', 'X-X-mono': 's', 'X-Y': 'D'}
    """
    return {name: "X" if n is None else MARKERS[n % len(MARKERS)] for name, n in _numbered(strategies)}


def _numbered(strategies: Sequence[str]) -> list[tuple[str, int | None]]:
    """Strategies, the encoder as it is before the others and without a number."""
    trained = [strategy for strategy in dict.fromkeys(strategies) if strategy != NOT_TRAINED]
    numbered: list[tuple[str, int | None]] = [(name, n) for n, name in enumerate(trained)]
    return [(NOT_TRAINED, None), *numbered] if NOT_TRAINED in strategies else numbered


def nothing(why: str) -> Figure:
    """A figure of one line, in the place of one that cannot be drawn."""
    figure, axes = plt.subplots(figsize=(11, 0.6))  # IPython shows no figure without axes
    axes.set_axis_off()
    axes.text(0, 0.5, why, va="center")
    return described(figure, why)


def _named(label: str) -> str:
    """A measure as a panel's title: "monolingual mAP"."""
    measure = MEASURES[label]
    return f"{TASK_NAMES[measure.task]} mAP" if measure.name == "map" else label


def _say_better(axes: Axes, label: str, *, upright: bool = False) -> None:
    """Which way along an axis is better."""
    higher = MEASURES[label].higher_is_better
    text = "better \N{RIGHTWARDS ARROW}" if higher else "\N{LEFTWARDS ARROW} better"
    if upright:
        axes.set_ylabel(text, fontsize=11)
    else:
        axes.set_xlabel(text, fontsize=11)


def legend(figure: Figure, handles: Sequence[Line2D], columns: int = 6) -> None:
    """What marks mean, below a figure."""
    figure.legend(
        handles=list(handles), loc="outside lower center", ncols=min(columns, len(handles)), frameon=False
    )


def handle(label: str, colour: Any = INK, marker: str = "", **more: Any) -> Line2D:
    """An entry of a legend; without a marker and a line, words alone."""
    return Line2D(
        [], [], label=label, color=colour, marker=marker, markeredgecolor=INK, **{"linestyle": "", **more}
    )


def strategies_by_task(scores: pd.DataFrame, pool: int) -> Figure:
    """mAP of the tasks there are and the measures of language bias, a panel each, a row a strategy.

    Args:
        scores: of `tables.scores`.
        pool: candidates in all.
    """
    shown = [label for label in MAIN if label in scores]
    colours, shapes = palette(scores["strategy"].tolist()), markers(scores["strategy"].tolist())
    names = list(dict.fromkeys(scores["strategy"]))
    seeds = scores["seed"].nunique()
    figure, panels = plt.subplots(
        1, len(shown), figsize=(3.3 * len(shown) + 1, 1.3 + 0.6 * len(names)), layout="constrained",
        squeeze=False, sharey=True,
    )  # fmt: skip
    means = by_strategy(scores)
    for axes, label in zip(panels[0], shown, strict=True):
        measure = MEASURES[label]
        for y, name in enumerate(names):
            of_seeds, mean = scores.loc[scores["strategy"] == name, label], float(means.loc[name, label])
            if len(of_seeds) > 1:
                axes.plot(of_seeds, [y + 0.25] * len(of_seeds), "|", color=INK, markersize=8)
            axes.plot(mean, y, shapes[name], color=colours[name], markeredgecolor=INK, markersize=10)
            axes.annotate(
                measure.format(mean, ","),
                (mean, y),
                xytext=(0, 8),
                textcoords="offset points",
                ha="center",
                fontsize=11,
                path_effects=[withStroke(linewidth=3, foreground="white")],
            )
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.45, -0.75)
        axes.margins(x=0.2)
        axes.locator_params(axis="x", nbins=4)
        axes.grid(axis="y")
        axes.set_title(
            _named(label) if not measure.between_languages else f"{label} (of {pool:,} candidates)"
        )
        _say_better(axes, label)
    entries = [handle("mean over seeds" if seeds > 1 else "one seed", "white", "o", markersize=9)]
    if seeds > 1:
        entries.append(handle("each seed", INK, "|", markersize=8))
    legend(figure, entries)
    sns.despine(figure, left=True)
    told = [
        f"{_named(label)}: "
        + ", ".join(f"{name} {MEASURES[label].format(means.loc[name, label])}" for name in names)
        for label in shown
    ]
    return described(figure, f"Dots, a row a batch strategy. {'; '.join(told)}.")


def curves(table: pd.DataFrame, x: str, title: str, reference: pd.Series[float] | None) -> Figure:
    """mAP of the tasks, and language bias, at the values of a setting; strategies side by side where there are several.

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
        1, len(shown), figsize=(3.3 * len(shown), 3.8), layout="constrained", squeeze=False
    )
    table = table if "strategy" in table else table.assign(strategy="")
    ticks, strategies = sorted(table[x].unique()), list(dict.fromkeys(table["strategy"]))
    colours, shapes = {**palette(strategies), "": to_rgb(INK)}, {**markers(strategies), "": "o"}
    for panel, label in zip(axes[0], shown, strict=True):
        measure = MEASURES[label]
        for n, name in enumerate(strategies):
            of_value = table[table["strategy"] == name].groupby(x)[label]
            mean = of_value.mean()
            places = [ticks.index(value) + 0.2 * (n - (len(strategies) - 1) / 2) for value in mean.index]
            panel.errorbar(
                places, mean, [mean - of_value.min(), of_value.max() - mean], fmt=shapes[name], color=colours[name],
                ecolor=INK, markeredgecolor=INK, markersize=8, elinewidth=1.2, capsize=3, label=name,
            )  # fmt: skip
        panel.set_xticks(range(len(ticks)), [f"{value:g}" for value in ticks])
        panel.set_xlim(-0.5, len(ticks) - 0.5)
        panel.grid(axis="x", visible=False)
        panel.set_xlabel("fraction of the documents" if x == "fraction" else x)
        known = "" if reference is None else f"\n({NOT_TRAINED}: {measure.format(reference[label], ',')})"
        panel.set_title(_named(label) + known, fontsize=11)
        _say_better(panel, label, upright=True)
    seeds = table["seed"].nunique()
    entries = [handle(name, colours[name], shapes[name], markersize=8) for name in strategies if name]
    spread = "one seed" if seeds == 1 else f"mean of {seeds} seeds, bar from the least to the greatest"
    legend(figure, [*entries, handle(spread)])
    figure.suptitle(title)
    sns.despine(figure)
    least, most = (f"{x} {value:g}" for value in (ticks[0], ticks[-1]))
    ends = table.groupby(["strategy", x], sort=False)[shown].mean()
    told = [
        f"{name} from {least} to {most}: "
        + ", ".join(
            f"{_named(label)} {MEASURES[label].format(ends.loc[(name, ticks[0]), label])} to "
            f"{MEASURES[label].format(ends.loc[(name, ticks[-1]), label])}"
            for label in shown
        )
        for name in strategies
    ]
    return described(figure, f"{title}: points over {x}. {'; '.join(told)}.")


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
        1, len(names), figsize=(3.2 * len(names), 1.5 + 0.55 * table["against"].nunique()),
        layout="constrained", squeeze=False, sharey=True,
    )  # fmt: skip
    told = []
    for panel, name in zip(axes[0], names, strict=True):
        rows = table[table["measure"] == name].iloc[::-1]
        panel.axvline(0, color=INK, linewidth=1)
        for y, (_, row) in enumerate(rows.iterrows()):
            panel.plot([row["low"], row["high"]], [y, y], color=COLOURS[0], linewidth=2)
            sure = row["p_holm"] < 0.05 and not row["low"] <= 0 <= row["high"]
            panel.plot(
                row["difference"],
                y,
                "o",
                color=COLOURS[0],
                markerfacecolor=COLOURS[0] if sure else "white",
                markersize=8,
            )
            told.append(
                f"{name} against {row['against']} {MEASURES[name].format(row['difference'], '+')} "
                f"({'sure' if sure else 'may be chance'})"
            )
        panel.set_yticks(range(len(rows)), rows["against"])
        panel.margins(y=0.35)
        panel.locator_params(axis="x", nbins=4)
        panel.set(title=name)
        _say_better(panel, name)
    legend(
        figure,
        [
            handle("95 % interval", COLOURS[0], linestyle="-", linewidth=2),
            handle("more than chance", COLOURS[0], "o", markersize=8),
            handle("may be chance", "white", "o", markersize=8),
        ],
    )
    figure.suptitle(title)
    sns.despine(figure)
    return described(figure, f"{title}, differences with intervals: {'; '.join(told)}.")


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
    """Query language x candidate language, first the first strategy, then what the others have more or less than it."""
    return _heatmaps({name: 100 * table for name, table in pairs.items()}, f"{metric} x 100")


def language_shares(shares: Mapping[str, pd.DataFrame]) -> Figure:
    """Whose passages fill the first ten, likewise; an equal share of each language is marked on the scale."""
    few = {name: 100 * table for name, table in shares.items()}
    equal = 100 / max((len(table.columns) for table in few.values()), default=1)
    return _heatmaps(few, "% of the first ten", equal)


def _heatmaps(tables: Mapping[str, pd.DataFrame], label: str, equal: float | None = None) -> Figure:
    """The first table as it is, the others as differences from it; query language x candidate language."""
    if not tables:
        return nothing(f"{label}: there are no such pairs of languages.")
    first, start = next(iter(tables.items()))
    apart = {name: table - start for name, table in tables.items() if name != first}
    most = max(max(table.shape) for table in tables.values())
    size = 4.3 if most <= FEW else 1.2 + 0.19 * most
    figure, panels = _panels(len(tables), size + 0.9, size)
    axes = {"rows": "query language", "columns": "candidate language"}
    _cells(panels[0], start, **axes, cmap=LEVELS, vmin=0, vmax=100)
    panels[0].set_title(first)
    bar = figure.colorbar(panels[0].collections[0], ax=panels[0], label=label, shrink=0.75)
    if equal is not None:
        bar.ax.axhline(equal, color=INK, linewidth=3)
        bar.ax.set_yticks([0, equal, 50, 100], ["0", f"{equal:.0f} = equal", "50", "100"])
    reach = max((np.nanmax(table.abs()) for table in apart.values()), default=0) or 1
    told = []
    for panel, (name, table) in zip(panels[1:], apart.items(), strict=True):
        _cells(panel, table, **axes, form="+", cmap=DIFFERENCES, vmin=-reach, vmax=reach)
        panel.set_title(f"{name} minus {first}")
        figure.colorbar(panel.collections[0], ax=panel, label=f"difference in {label}", shrink=0.75)
        told.append(f"{name} minus {first} from {np.nanmin(table):+.0f} to {np.nanmax(table):+.0f}")
    levels = f"{first} from {np.nanmin(start):.0f} to {np.nanmax(start):.0f}"
    return described(
        figure, f"{label}, query language by candidate language, heat maps: {'; '.join([levels, *told])}."
    )


def _cells(panel: Axes, table: pd.DataFrame, rows: str, columns: str, form: str = "", **colours: Any) -> None:
    """A table as coloured cells, each with its number where there are few."""
    most = max(table.shape)
    sns.heatmap(
        table, ax=panel, annot=table.round() + 0.0 if most <= FEW else False,  # no -0
        fmt=f"{form}.0f", annot_kws={"size": 7.5}, square=True, cbar=False,
        xticklabels=True, yticklabels=True, **colours,
    )  # fmt: skip
    panel.set(xlabel=columns, ylabel=rows)
    panel.grid(False)  # which would show where there is no value
    panel.tick_params(axis="y", rotation=0)
    if most > 12:
        panel.tick_params(axis="x", rotation=90)
    if most > FEW:
        panel.tick_params(labelsize=8)


def language_points(
    table: pd.DataFrame,
    label: str,
    title: str,
    unseen: Sequence[str] = (),
    mark: tuple[float, str] | None = None,
    of: str = "query",
) -> Figure:
    """A measure by query language and strategy (`tables.by_language`): mean over seeds, bars their range.

    Args:
        table: strategy, seed, query_language, value.
        label: of the values.
        title: of the figure.
        unseen: languages that are starred.
        mark: a value to compare with, drawn as a line, and what it is.
        of: whose languages they are.
    """
    if table.empty:
        return nothing(f"{title}: {label} is not defined on this benchmark.")
    codes, strategies = sorted(table["query_language"].unique()), list(dict.fromkeys(table["strategy"]))
    colours, shapes = palette(strategies), markers(strategies)
    figure, axes = plt.subplots(figsize=(max(11, 4 + 0.45 * len(codes)), 4), layout="constrained")
    told = []
    for n, name in enumerate(strategies):
        of_language = table[table["strategy"] == name].groupby("query_language")["value"]
        mean = of_language.mean().reindex(codes)
        low, high = of_language.min().reindex(codes), of_language.max().reindex(codes)
        places = np.arange(len(codes)) + 0.7 * (n - (len(strategies) - 1) / 2) / len(strategies)
        axes.errorbar(
            places, mean, [mean - low, high - mean], fmt=shapes[name], color=colours[name], ecolor=INK,
            markeredgecolor=INK, markersize=7, elinewidth=1.2, label=name,
        )  # fmt: skip
        told.append(f"{name} from {mean.min():.3g} in {mean.idxmin()} to {mean.max():.3g} in {mean.idxmax()}")
    axes.set_xticks(range(len(codes)), [f"{code}*" if code in unseen else code for code in codes])
    axes.set_xlim(-0.5, len(codes) - 0.5)
    axes.grid(axis="x", visible=False)
    for place in range(len(codes) - 1):
        axes.axvline(place + 0.5, color="0.88", linewidth=1)
    if len(codes) > FEW:
        axes.tick_params(axis="x", rotation=90, labelsize=9)
    if mark is not None:
        axes.axhline(mark[0], color=INK, linestyle=":", linewidth=2)
        axes.annotate(
            mark[1], (1, mark[0]), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points",
            va="center",
        )  # fmt: skip
    axes.set_ylim(bottom=0)
    note = "   (* not trained on)" if unseen else ""
    axes.set(xlabel=f"{of} language{note}", ylabel=label, title=title)
    entries = [handle(name, colours[name], shapes[name], markersize=8) for name in strategies]
    if table.groupby("strategy")["seed"].nunique().max() > 1:
        entries.append(handle("range of the seeds", INK, "|", markersize=12))
    legend(figure, entries)
    sns.despine(figure)
    return described(figure, f"{title}, points by {of} language: {'; '.join(told)}.")


def placed(positions: Mapping[str, pd.Series[int]], pool: int) -> Figure:
    """Where the answers of one query stand in the merged pool, written as their languages: a row a strategy.

    Args:
        positions: strategy -> language -> rank.
        pool: candidates in all.
    """
    figure, axes = plt.subplots(figsize=(11, 0.9 + 0.95 * len(positions)), layout="constrained")
    told = []
    for row, (strategy, ranks) in enumerate(positions.items()):
        ranks = ranks.sort_values()
        axes.plot(ranks.iloc[[0, -1]], [row, row], color="0.7", linewidth=3, zorder=1)
        axes.plot(ranks, [row] * len(ranks), "|", color=INK, markersize=9, zorder=2)
        for n, (language, rank) in enumerate(ranks.items()):
            # neighbours at four heights, so that none is written over another
            up = (8, -18, 20, -30)[n % 4]
            axes.annotate(
                str(language),
                (rank, row),
                xytext=(0, up),
                textcoords="offset points",
                ha="center",
                fontsize=10,
            )
        apart = f"{ranks.iloc[-1] - ranks.iloc[0]:,}"
        axes.annotate(
            apart,
            (1, row),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
        )
        told.append(f"{strategy} from {ranks.iloc[0]:,} to {ranks.iloc[-1]:,}, {apart} apart")
    axes.annotate(
        "rank distance", (1, 1), xycoords="axes fraction", xytext=(6, 2), textcoords="offset points"
    )
    axes.set_xscale("log")
    ticks = [10**power for power in range(len(str(pool)))]
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.set(
        xlim=(0.8, pool),
        ylim=(len(positions) - 0.4, -0.65),
        xlabel=f"rank among {pool:,} candidates (log scale)",
    )
    axes.set_yticks(range(len(positions)), list(positions))
    axes.grid(axis="y", visible=False)
    sns.despine(figure, left=True)
    return described(
        figure, f"The answers of one query on a scale of ranks, a row a strategy: {'; '.join(told)}."
    )


KINDS = {
    "loss": "training batches",
    "validation_mono": "validation, monolingual batches",
    "validation_cross": "validation, cross-lingual batches",
}
"""Columns of a run's history, and what they are losses of."""


def validation_curves(histories: pd.DataFrame, guess: float | None = None) -> Figure:
    """Training loss, and validation loss by kind of batch, over steps, on one scale: a line a run, a colour a strategy.

    Args:
        histories: of `tables.histories`; step 0 is the encoder before it was trained.
        guess: the validation loss of one that cannot tell passages apart, the logarithm of the batch size.
    """
    kinds = {column: title for column, title in KINDS.items() if column in histories}
    if not kinds:
        return nothing("There are no losses: nothing was trained.")
    figure, axes = plt.subplots(
        1, len(kinds), figsize=(4.2 * len(kinds), 3.8), layout="constrained", squeeze=False, sharey=True
    )
    strategies = list(dict.fromkeys(histories["strategy"]))
    colours, shapes = palette(strategies), markers(strategies)
    told = []
    for panel, (column, title) in zip(axes[0], kinds.items(), strict=True):
        for n, (name, rows) in enumerate(histories.dropna(subset=column).groupby("strategy", sort=False)):
            of_step = rows.groupby("step")[column]
            mean, low, high = of_step.mean(), of_step.min(), of_step.max()
            # between two points there may be anything: a line would say that there is a trend
            look = {"color": colours[str(name)], "linestyle": "-" if len(mean) > 2 else "none"}
            if column == "loss":
                panel.plot(mean.index, mean, **{**look, "linestyle": LINES[n % len(LINES)]})
                panel.fill_between(mean.index, low, high, color=colours[str(name)], alpha=0.25, linewidth=0)
            else:
                places = mean.index + 0.015 * histories["step"].max() * (n - (len(strategies) - 1) / 2)
                panel.errorbar(
                    places, mean, [mean - low, high - mean], **look, marker=shapes[str(name)], ecolor=INK,
                    markeredgecolor=INK, markersize=7, elinewidth=1.2,
                )  # fmt: skip
        if guess is not None and column != "loss":
            panel.axhline(guess, color=INK, linestyle=":", linewidth=1.5)
            panel.annotate("a guess", (1, guess), xycoords=("axes fraction", "data"), ha="right", va="bottom")
        panel.set(title=title, xlabel="training step")
        last = histories.dropna(subset=column).groupby("strategy", sort=False)[column].last()
        told.append(f"{title}: " + ", ".join(f"{name} ends at {value:.2f}" for name, value in last.items()))
    axes[0][0].set_ylabel("InfoNCE (nats)")
    axes[0][0].set_ylim(bottom=0)  # of all panels, now that all is drawn
    entries = [
        handle(name, colours[name], shapes[name], linestyle=LINES[n % len(LINES)], markersize=8)
        for n, name in enumerate(strategies)
    ]
    several = histories["seed"].nunique() > 1
    legend(
        figure,
        [*entries, handle("mean of the seeds; band, bar: from least to greatest" if several else "one seed")],
    )
    sns.despine(figure)
    return described(figure, f"Loss over training steps. {'; '.join(told)}.")


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
    told = []
    for panel, (system, gain) in zip(panels, gains.items(), strict=True):
        of_place = gain.reindex(places.index)
        sizes = 40 + 260 * (of_place - low) / ((high - low) or 1)
        drawn = panel.scatter(
            places["x"], places["y"], c=of_place, s=sizes, cmap="Greys", vmin=low - 0.15 * (high - low), vmax=high,
            edgecolor="0.3", linewidth=0.8,
        )  # fmt: skip
        told.append(
            f"{system}: most {gain.idxmax()} {gain.max():.3g}, least {gain.idxmin()} {gain.min():.3g}"
        )
        for code, size, (x, y), (right, up) in zip(
            places.index, sizes.fillna(0), points.tolist(), _away(points).tolist(), strict=True
        ):
            off = size**0.5 / 2 + 9  # beside its dot
            panel.annotate(
                f"{code}*" if code in unseen else str(code), (x, y), xytext=(off * right, off * up),
                textcoords="offset points", ha="center", va="center", fontsize=12,
                path_effects=[withStroke(linewidth=3, foreground="white")],
            )  # fmt: skip
        panel.set(title=system, xticks=[], yticks=[])
        panel.margins(0.25)
        panel.set_aspect("equal", adjustable="datalim")
    figure.colorbar(drawn, ax=panels, label=label, shrink=0.7)
    if unseen:
        figure.supxlabel("* not trained on", fontsize=11)
    return described(
        figure, f"Languages on a plane by typology, larger and darker dots: more {label}. {'; '.join(told)}."
    )


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
        panel.plot(ends, start + slope * ends, color="0.5", linewidth=2, zorder=0, label="least squares")
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
        panel.axhline(0, color="0.6", linewidth=1, zorder=0)
        panel.set_title(f"{system}\n{notes.get(system, '')}", fontsize=12)
        panel.set(xlabel=xlabel)
        panel.margins(0.1)
        cell = panel.get_subplotspec()
        panel.set_ylabel(ylabel if cell is not None and cell.is_first_col() else "")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    sns.despine(figure)
    told = (f"{system} {' '.join(notes.get(system, '').split())}" for system in tables)
    return described(figure, f"{ylabel} over {xlabel}, a point a pair of languages. {'; '.join(told)}.")


def coverage(table: pd.DataFrame, title: str) -> Figure:
    """Items by query language and passage language, as counts."""
    few = len(table) <= FEW
    figure, axes = plt.subplots(figsize=(6, 4.8) if few else (9, 8), layout="constrained")
    _cells(axes, table, "query language", "passage language", ",", cmap=LEVELS, vmin=0)
    figure.colorbar(axes.collections[0], ax=axes, label="items")
    axes.set_title(title)
    least, most = table.to_numpy().min(), table.to_numpy().max()
    return described(figure, f"{title}, heat map: from {least:,.0f} to {most:,.0f} items a pair.")


def lengths(table: pd.DataFrame) -> Figure:
    """Lengths in characters by language: columns language, part, characters."""
    parts = list(dict.fromkeys(table["part"]))
    figure, axes = plt.subplots(
        1, len(parts), figsize=(5.5 * len(parts), 3.6), layout="constrained", squeeze=False
    )
    told = []
    for panel, part in zip(axes[0], parts, strict=True):
        rows: pd.DataFrame = table[table["part"] == part]
        sns.boxplot(rows, x="language", y="characters", ax=panel, color="#a9bbdb", fliersize=1.5, linewidth=1)
        panel.set(title=part, xlabel="", ylabel="characters", ylim=(0, None))
        median = rows.groupby("language")["characters"].median()
        told.append(
            f"{part}: medians from {median.min():.0f} in {median.idxmin()} to {median.max():.0f} in {median.idxmax()}"
        )
    figure.supxlabel(
        "box: quartiles and median; whiskers: up to 1.5 times its height; dots: beyond", fontsize=11
    )
    sns.despine(figure)
    return described(figure, f"Lengths of texts by language, box plots. {'; '.join(told)}.")
