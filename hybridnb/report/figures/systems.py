"""Every system of a study in one figure, and methods without training by the sentences that they are fitted to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hybridnb.measures.catalogue import MAIN, MEASURES
from hybridnb.report.figures import look
from hybridnb.report.tables.systems import named

MARKERS = "osD^vPX*"
"""Of methods without training, the first of none."""


def landscape(table: pd.DataFrame, title: str) -> Figure:
    """Language bias against quality, a point a system: left and up is better.

    Args:
        table: of `tables.systems.levels`.
        title: of the figure.
    """
    qualities = [label for label in ("Mo mAP", "Cr mAP", "Mul mAP") if label in set(table["measure"])]
    bias = next(
        (label for label in MAIN if MEASURES[label].between_languages and label in set(table["measure"])), ""
    )
    if not bias or not qualities:
        return look.nothing(f"{title}: its tasks measure no language bias.")
    wide = table.pivot_table(
        index=["strategy", "method"], columns="measure", values=["value", "low", "high"], sort=False
    )
    colours = look.palette(list(dict.fromkeys(table["strategy"])))
    methods = list(dict.fromkeys(table["method"]))
    figure, panels = look.row_of(len(qualities), (4.6 * len(qualities), 4.6), sharex=True)
    for axes, quality in zip(panels, qualities, strict=True):
        for place, row in wide.iterrows():
            strategy, method = cast(tuple[str, str], place)
            x, y = row["value", bias], row["value", quality]
            marker = MARKERS[methods.index(method) % len(MARKERS)]
            axes.errorbar(
                x, y, xerr=[[x - row["low", bias]], [row["high", bias] - x]],
                yerr=[[y - row["low", quality]], [row["high", quality] - y]],
                fmt=marker, color=colours[strategy], ecolor="0.6", markeredgecolor=look.INK, markersize=8,
                elinewidth=0.8,
            )  # fmt: skip
        axes.set_xscale("log")
        ticks = _round_ticks(wide["value", bias].to_numpy())
        axes.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
        axes.minorticks_off()
        axes.set(xlabel=f"{bias} (log scale, lower is fairer)", title=f"{quality}, higher is better")
        _better(axes)
    entries = [look.handle(name, colours[name], "o", markersize=8) for name in colours]
    entries += [
        look.handle(name, look.GREY, MARKERS[n % len(MARKERS)], markersize=8)
        for n, name in enumerate(methods)
        if name
    ]
    look.legend(figure, [*entries, look.handle("95 % interval", "0.6", linestyle="-")], 5)
    figure.suptitle(title)
    sns.despine(figure)
    told = "; ".join(
        f"{named(*cast(tuple[str, str], place))} {MEASURES[bias].format(row['value', bias])}, "
        + ", ".join(MEASURES[label].format(row["value", label]) for label in qualities)
        for place, row in wide.iterrows()
    )
    return look.described(figure, f"{title}: {bias}, then {', '.join(qualities)}, a point a system: {told}.")


def _round_ticks(values: np.ndarray) -> list[float]:
    """Numbers 1, 2 and 5 times a power of ten that span the values."""
    low, high = float(values.min()) / 1.6, float(values.max()) * 1.6
    candidates = [digit * 10.0**power for power in range(-3, 9) for digit in (1, 2, 5)]
    return [tick for tick in candidates if low <= tick <= high]


def _better(axes: Axes) -> None:
    axes.annotate(
        "better", xy=(0.66, 0.56), xytext=(0.76, 0.46), xycoords="axes fraction", fontsize=10, color="0.35",
        arrowprops={"arrowstyle": "->", "color": "0.35"},
    )  # fmt: skip


def by_count(table: pd.DataFrame, reference: Mapping[str, float], title: str) -> Figure:
    """A method's measures by the number of sentences that it was fitted to.

    Args:
        table: of `Run.curves`.
        reference: label -> value of the run without a method.
        title: of the figure.
    """
    table = table[(table["scope"] == "all") & (table["left_out"] == "")]
    shown = [label for label, measure in MAIN.items() if len(measure.rows(table))]
    if table.empty or not shown:
        return look.nothing(f"{title}: nothing was fitted to fewer sentences.")
    figure, panels = look.row_of(len(shown), (3.3 * len(shown), 3.6))
    for axes, label in zip(panels, shown, strict=True):
        measure = MAIN[label]
        way = "higher is better" if measure.higher_is_better else "lower is better"
        part = measure.rows(table)
        sns.lineplot(
            part, x="sentences", y="value", hue="method", style="method", markers=True, dashes=False, ax=axes,
            legend=axes is panels[-1], errorbar=None,
        )  # fmt: skip
        axes.set_xscale("log")
        ticks = _apart(sorted(part["sentences"].unique()))
        axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks], rotation=45)
        axes.minorticks_off()
        axes.set(
            xlabel="", ylabel="", title=f"{label}, {way}\n(without: {measure.format(reference[label], ',')})"
        )
    sns.move_legend(panels[-1], "center left", bbox_to_anchor=(1, 0.5), title="", frameon=False)
    figure.supxlabel("sentences fitted to", fontsize=12)
    figure.suptitle(title)
    sns.despine(figure)
    most = table[table["sentences"] == table["sentences"].max()]
    told = []
    for label in shown:
        of_methods = MAIN[label].rows(most).set_index("method")["value"]
        values = (f"{method} {MAIN[label].format(value)}" for method, value in of_methods.items())
        told.append(f"{label}: {', '.join(values)}")
    said = f"lines over the number of sentences; at the most of them {'; '.join(told)}"
    return look.described(figure, f"{title}: {said}.")


def _apart(counts: Sequence[int]) -> list[int]:
    """The largest, and of the others those that lie well below the next on a log axis."""
    chosen = [counts[-1]]
    for count in reversed(counts[:-1]):
        if count * 1.6 < chosen[-1]:
            chosen.append(count)
    return chosen[::-1]
