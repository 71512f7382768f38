"""Which languages gain: on a plane by typology, and pairs of them by their distance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hybridnb.report.figures import look


def language_map(
    places: pd.DataFrame, gains: Mapping[str, pd.Series[float]], label: str, unseen: Sequence[str] = ()
) -> Figure:
    """Languages on a plane, what is near being alike; the larger and darker, the more a language gains.

    Args:
        places: of `distances.plane`: index language, x, y.
        gains: system -> language -> gain; a panel each, on one scale.
        label: what is gained.
        unseen: languages that are starred.
    """
    if places.empty or not gains:
        return look.nothing(f"{label}: there are no distances of languages, or no gains, to draw.")
    figure, panels = look.panels_of(len(gains), 4.4, 4)
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
            name, beside = f"{code}*" if code in unseen else str(code), (off * right, off * up)
            look.write(
                panel, name, (x, y), beside, ha="center", va="center", fontsize=12, path_effects=look.HALO
            )
        panel.set(title=system, xticks=[], yticks=[])
        panel.margins(0.25)
        panel.set_aspect("equal", adjustable="datalim")
    figure.colorbar(drawn, ax=panels, label=label, shrink=0.7)
    if unseen:
        figure.supxlabel("* not trained on", fontsize=11)
    return look.described(
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
        return look.nothing(f"{ylabel}: there are no distances of languages, or no gains, to draw.")
    figure, panels = look.panels_of(len(tables), 4.4, 4.2, sharey=True)
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
            pair, off = f"{row['one']}-{row['other']}", (-5 if left else 5, -12 if index in lowest else 5)
            look.write(
                panel, pair, (row["distance"], row["gain"]), off, fontsize=10, ha="right" if left else "left"
            )
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
    return look.described(figure, f"{ylabel} over {xlabel}, a point a pair of languages. {'; '.join(told)}.")
