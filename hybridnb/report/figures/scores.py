"""Measures of strategies side by side: over seeds, over the values of a setting, and their differences."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from hybridnb.measures.catalogue import MAIN, MEASURES, TASK_NAMES
from hybridnb.measures.significance import LEVEL
from hybridnb.report.figures.look import (
    COLOURS,
    INK,
    described,
    handle,
    legend,
    markers,
    nothing,
    palette,
    row_of,
)
from hybridnb.report.tables.headline import by_strategy
from hybridnb.study.settings import NOT_TRAINED


def strategies_by_task(scores: pd.DataFrame, pool: int) -> Figure:
    """mAP of the tasks there are and the measures of language bias, a panel each, a row a strategy.

    Args:
        scores: of `headline.scores`.
        pool: candidates in all.
    """
    shown = [label for label in MAIN if label in scores]
    colours, shapes = palette(scores["strategy"].tolist()), markers(scores["strategy"].tolist())
    names = list(dict.fromkeys(scores["strategy"]))
    seeds = scores["seed"].nunique()
    figure, panels = row_of(len(shown), (3.3 * len(shown) + 1, 1.3 + 0.6 * len(names)), sharey=True)
    means = by_strategy(scores)
    for axes, label in zip(panels, shown, strict=True):
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
    figure, panels = row_of(len(shown), (3.3 * len(shown), 3.8))
    table = table if "strategy" in table else table.assign(strategy="")
    ticks, strategies = sorted(table[x].unique()), list(dict.fromkeys(table["strategy"]))
    colours, shapes = {**palette(strategies), "": INK}, {**markers(strategies), "": "o"}
    for panel, label in zip(panels, shown, strict=True):
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
    size = 3.2 * len(names), 1.5 + 0.55 * table["against"].nunique()
    figure, panels = row_of(len(names), size, sharey=True)
    told = []
    for panel, name in zip(panels, names, strict=True):
        rows = table[table["measure"] == name].iloc[::-1]
        panel.axvline(0, color=INK, linewidth=1)
        for y, (_, row) in enumerate(rows.iterrows()):
            panel.plot([row["low"], row["high"]], [y, y], color=COLOURS[0], linewidth=2)
            sure = row["p_holm"] < LEVEL and not row["low"] <= 0 <= row["high"]
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
