"""Measures and first places by language and pair of languages, and the answers of one query by their languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from hybridnb.report.figures import look


def pair_heatmaps(pairs: Mapping[str, pd.DataFrame]) -> Figure:
    """mAP, query language x candidate language: of the first strategy, then what the others have more or less."""
    return _heatmaps({name: 100 * table for name, table in pairs.items()}, "mAP x 100")


def language_shares(shares: Mapping[str, pd.DataFrame]) -> Figure:
    """Whose passages fill the first ten, likewise; an equal share of each language is marked on the scale."""
    few = {name: 100 * table for name, table in shares.items()}
    equal = 100 / max((len(table.columns) for table in few.values()), default=1)
    return _heatmaps(few, "% of the first ten", equal)


def _heatmaps(tables: Mapping[str, pd.DataFrame], label: str, equal: float | None = None) -> Figure:
    """The first table as it is, the others as differences from it; query language x candidate language."""
    if not tables:
        return look.nothing(f"{label}: there are no such pairs of languages.")
    first, start = next(iter(tables.items()))
    apart = {name: table - start for name, table in tables.items() if name != first}
    most = max(max(table.shape) for table in tables.values())
    size = 4.3 if most <= look.FEW else 1.2 + 0.19 * most
    figure, panels = look.panels_of(len(tables), size + 0.9, size)
    axes = {"rows": "query language", "columns": "candidate language"}
    look.cells(panels[0], start, **axes, cmap=look.LEVELS, vmin=0, vmax=100)
    panels[0].set_title(first)
    bar = figure.colorbar(panels[0].collections[0], ax=panels[0], label=label, shrink=0.75)
    if equal is not None:
        bar.ax.axhline(equal, color=look.INK, linewidth=3)
        bar.ax.set_yticks([0, equal, 50, 100], ["0", f"{equal:.0f} = equal", "50", "100"])
    reach = max((np.nanmax(table.abs()) for table in apart.values()), default=0) or 1
    told = []
    for panel, (name, table) in zip(panels[1:], apart.items(), strict=True):
        look.cells(panel, table, **axes, form="+", cmap=look.DIFFERENCES, vmin=-reach, vmax=reach)
        panel.set_title(f"{name} minus {first}")
        figure.colorbar(panel.collections[0], ax=panel, label=f"difference in {label}", shrink=0.75)
        told.append(f"{name} minus {first} from {np.nanmin(table):+.0f} to {np.nanmax(table):+.0f}")
    told.insert(0, f"{first} from {np.nanmin(start):.0f} to {np.nanmax(start):.0f}")
    return look.described(
        figure, f"{label}, query language by candidate language, heat maps: {'; '.join(told)}."
    )


def language_points(
    table: pd.DataFrame,
    label: str,
    title: str,
    unseen: Sequence[str] = (),
    mark: tuple[float, str] | None = None,
    of: str = "query",
) -> Figure:
    """A measure by query language and strategy (`tables.languages.by_language`): mean over seeds, bars their range.

    Args:
        table: strategy, seed, query_language, value.
        label: of the values.
        title: of the figure.
        unseen: languages that are starred.
        mark: a value to compare with, drawn as a line, and what it is.
        of: whose languages they are.
    """
    if table.empty:
        return look.nothing(f"{title}: {label} is not defined on this benchmark.")
    codes, strategies = sorted(table["query_language"].unique()), list(dict.fromkeys(table["strategy"]))
    colours, shapes = look.palette(strategies), look.markers(strategies)
    figure, axes = plt.subplots(figsize=(max(11, 4 + 0.45 * len(codes)), 4), layout="constrained")
    told = []
    for n, name in enumerate(strategies):
        of_language = table[table["strategy"] == name].groupby("query_language")["value"]
        values = look.spread(of_language).reindex(codes)
        mean = values["mean"]
        places = np.arange(len(codes)) + 0.7 * (n - (len(strategies) - 1) / 2) / len(strategies)
        look.ranges(axes, places, values, fmt=shapes[name], color=colours[name], markersize=7, label=name)
        told.append(f"{name} from {mean.min():.3g} in {mean.idxmin()} to {mean.max():.3g} in {mean.idxmax()}")
    axes.set_xticks(range(len(codes)), [f"{code}*" if code in unseen else code for code in codes])
    axes.set_xlim(-0.5, len(codes) - 0.5)
    axes.grid(axis="x", visible=False)
    for place in range(len(codes) - 1):
        axes.axvline(place + 0.5, color="0.88", linewidth=1)
    if len(codes) > look.FEW:
        axes.tick_params(axis="x", rotation=90, labelsize=9)
    if mark is not None:
        axes.axhline(mark[0], color=look.INK, linestyle=":", linewidth=2)
        look.write(axes, mark[1], (1, mark[0]), (4, 0), xycoords=("axes fraction", "data"), va="center")
    axes.set_ylim(bottom=0)
    note = "   (* not trained on)" if unseen else ""
    axes.set(xlabel=f"{of} language{note}", ylabel=label, title=title)
    entries = [look.handle(name, colours[name], shapes[name], markersize=8) for name in strategies]
    if table.groupby("strategy")["seed"].nunique().max() > 1:
        entries.append(look.handle("range of the seeds", look.INK, "|", markersize=12))
    look.legend(figure, entries)
    sns.despine(figure)
    return look.described(figure, f"{title}, points by {of} language: {'; '.join(told)}.")


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
        axes.plot(ranks, [row] * len(ranks), "|", color=look.INK, markersize=9, zorder=2)
        for n, (language, rank) in enumerate(ranks.items()):
            # neighbours at four heights, so that none is written over another
            up = (8, -18, 20, -30)[n % 4]
            look.write(axes, str(language), (rank, row), (0, up), ha="center", fontsize=10)
        apart = f"{ranks.iloc[-1] - ranks.iloc[0]:,}"
        look.write(axes, apart, (1, row), (6, 0), xycoords=("axes fraction", "data"), va="center")
        told.append(f"{strategy} from {ranks.iloc[0]:,} to {ranks.iloc[-1]:,}, {apart} apart")
    look.write(axes, "rank distance", (1, 1), (6, 2), xycoords="axes fraction")
    axes.set_xscale("log")
    ticks = [10**power for power in range(len(str(pool)))]
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.set(xlim=(0.8, pool), ylim=(len(positions) - 0.4, -0.65))
    axes.set_xlabel(f"rank among {pool:,} candidates (log scale)")
    axes.set_yticks(range(len(positions)), list(positions))
    axes.grid(axis="y", visible=False)
    sns.despine(figure, left=True)
    return look.described(
        figure, f"The answers of one query on a scale of ranks, a row a strategy: {'; '.join(told)}."
    )
