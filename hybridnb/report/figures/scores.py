"""Measures of strategies side by side: over seeds, over the values of a setting, and their differences."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hybridnb.measures.catalogue import MAIN, MEASURES, TASK_NAMES
from hybridnb.measures.significance import LEVEL
from hybridnb.report.figures import look
from hybridnb.report.tables.headline import by_strategy
from hybridnb.study.settings import NOT_TRAINED


def strategies_by_task(scores: pd.DataFrame, pool: int) -> Figure:
    """mAP of the tasks there are and the measures of language bias, a panel each, a row a strategy.

    Args:
        scores: of `headline.scores`.
        pool: candidates in all.
    """
    shown = [label for label in MAIN if label in scores]
    colours, shapes = look.palette(scores["strategy"].tolist()), look.markers(scores["strategy"].tolist())
    names = list(dict.fromkeys(scores["strategy"]))
    seeds = scores["seed"].nunique()
    figure, panels = look.row_of(len(shown), (3.3 * len(shown) + 1, 1.3 + 0.6 * len(names)), sharey=True)
    means = by_strategy(scores)
    for axes, label in zip(panels, shown, strict=True):
        measure = MEASURES[label]
        for y, name in enumerate(names):
            of_seeds, mean = scores.loc[scores["strategy"] == name, label], float(means.loc[name, label])
            if len(of_seeds) > 1:
                axes.plot(of_seeds, [y + 0.25] * len(of_seeds), "|", color=look.INK, markersize=8)
            axes.plot(mean, y, shapes[name], color=colours[name], markeredgecolor=look.INK, markersize=10)
            look.write(
                axes,
                measure.format(mean, ","),
                (mean, y),
                (0, 8),
                ha="center",
                fontsize=11,
                path_effects=look.HALO,
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
    entries = [look.handle("mean over seeds" if seeds > 1 else "one seed", "white", "o", markersize=9)]
    if seeds > 1:
        entries.append(look.handle("each seed", look.INK, "|", markersize=8))
    look.legend(figure, entries)
    sns.despine(figure, left=True)
    told = [
        f"{_named(label)}: "
        + ", ".join(f"{name} {MEASURES[label].format(means.loc[name, label])}" for name in names)
        for label in shown
    ]
    return look.described(figure, f"Dots, a row a batch strategy. {'; '.join(told)}.")


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
        return look.nothing(f"{title}: there are no runs at several values of {x}.")
    figure, panels = look.row_of(len(shown), (3.3 * len(shown), 3.8))
    table = table if "strategy" in table else table.assign(strategy="")
    ticks, strategies = sorted(table[x].unique()), list(dict.fromkeys(table["strategy"]))
    colours, shapes = {**look.palette(strategies), "": look.INK}, {**look.markers(strategies), "": "o"}
    for panel, label in zip(panels, shown, strict=True):
        measure = MEASURES[label]
        for n, name in enumerate(strategies):
            values = look.spread(table[table["strategy"] == name].groupby(x)[label])
            places = [ticks.index(value) + 0.2 * (n - (len(strategies) - 1) / 2) for value in values.index]
            marks = {"fmt": shapes[name], "color": colours[name], "markersize": 8, "capsize": 3}
            look.ranges(panel, places, values, **marks, label=name)
        panel.set_xticks(range(len(ticks)), [f"{value:g}" for value in ticks])
        panel.set_xlim(-0.5, len(ticks) - 0.5)
        panel.grid(axis="x", visible=False)
        panel.set_xlabel("fraction of the documents" if x == "fraction" else x)
        known = "" if reference is None else f"\n({NOT_TRAINED}: {measure.format(reference[label], ',')})"
        panel.set_title(_named(label) + known, fontsize=11)
        _say_better(panel, label, upright=True)
    seeds = table["seed"].nunique()
    entries = [look.handle(name, colours[name], shapes[name], markersize=8) for name in strategies if name]
    spread = "one seed" if seeds == 1 else f"mean of {seeds} seeds, bar from the least to the greatest"
    look.legend(figure, [*entries, look.handle(spread)])
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
    return look.described(figure, f"{title}: points over {x}. {'; '.join(told)}.")


def differences(table: pd.DataFrame, title: str) -> Figure:
    """Differences with their intervals (`significance.against`), a panel a measure, a row a strategy.

    Filled: p (corrected) below .05, and 0 outside the interval. The encoder without fine-tuning is left out: it
    lies so far away that no other difference could be seen.
    """
    table = table[table["against"] != NOT_TRAINED]
    if table.empty:
        return look.nothing(f"{title}: there are no others.")
    names = list(dict.fromkeys(table["measure"]))
    size = 3.2 * len(names), 1.5 + 0.55 * table["against"].nunique()
    figure, panels = look.row_of(len(names), size, sharey=True)
    told = []
    for panel, name in zip(panels, names, strict=True):
        rows = table[table["measure"] == name].iloc[::-1]
        panel.axvline(0, color=look.INK, linewidth=1)
        for y, (_, row) in enumerate(rows.iterrows()):
            panel.plot([row["low"], row["high"]], [y, y], color=look.COLOURS[0], linewidth=2)
            sure = row["p_holm"] < LEVEL and not row["low"] <= 0 <= row["high"]
            face = look.COLOURS[0] if sure else "white"
            panel.plot(row["difference"], y, "o", color=look.COLOURS[0], markerfacecolor=face, markersize=8)
            told.append(
                f"{name} against {row['against']} {MEASURES[name].format(row['difference'], '+')} "
                f"({'sure' if sure else 'may be chance'})"
            )
        panel.set_yticks(range(len(rows)), rows["against"])
        panel.margins(y=0.35)
        panel.locator_params(axis="x", nbins=4)
        panel.set(title=name)
        _say_better(panel, name)
    interval = look.handle("95 % interval", look.COLOURS[0], linestyle="-", linewidth=2)
    kinds = {"more than chance": look.COLOURS[0], "may be chance": "white"}
    look.legend(
        figure, [interval, *(look.handle(kind, face, "o", markersize=8) for kind, face in kinds.items())]
    )
    figure.suptitle(title)
    sns.despine(figure)
    return look.described(figure, f"{title}, differences with intervals: {'; '.join(told)}.")


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
