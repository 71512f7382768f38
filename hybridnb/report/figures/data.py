"""What is trained and tested on: pairs of languages, lengths of texts."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from hybridnb.report.figures import look


def coverage(table: pd.DataFrame, title: str) -> Figure:
    """Items by query language and passage language, as counts."""
    few = len(table) <= look.FEW
    figure, axes = plt.subplots(figsize=(6, 4.8) if few else (9, 8), layout="constrained")
    look.cells(axes, table, "query language", "passage language", ",", cmap=look.LEVELS, vmin=0)
    figure.colorbar(axes.collections[0], ax=axes, label="items")
    axes.set_title(title)
    least, most = table.to_numpy().min(), table.to_numpy().max()
    return look.described(figure, f"{title}, heat map: from {least:,.0f} to {most:,.0f} items a pair.")


def lengths(table: pd.DataFrame) -> Figure:
    """Lengths in characters by language: columns language, part, characters."""
    parts = list(dict.fromkeys(table["part"]))
    figure, panels = look.row_of(len(parts), (5.5 * len(parts), 3.6))
    told = []
    for panel, part in zip(panels, parts, strict=True):
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
    return look.described(figure, f"Lengths of texts by language, box plots. {'; '.join(told)}.")
