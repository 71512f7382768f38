"""What all figures share: colours and markers of strategies, legends, panels, heat maps, and how they are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from hybridnb.places import FIGURES
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
HALO = [withStroke(linewidth=3, foreground="white")]
"""Of words that stand on lines."""

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


def nothing(why: str) -> Figure:
    """A figure of one line, in the place of one that cannot be drawn."""
    figure, axes = plt.subplots(figsize=(11, 0.6))  # IPython shows no figure without axes
    axes.set_axis_off()
    axes.text(0, 0.5, why, va="center")
    return described(figure, why)


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


def write(axes: Axes, text: str, at: tuple[float, float], off: tuple[float, float], **more: Any) -> None:
    """Words beside a point, so many points (1/72 inch) off it."""
    axes.annotate(text, at, xytext=off, textcoords="offset points", **more)


def spread(grouped: Any) -> pd.DataFrame:
    """Mean, min and max of each group of a column."""
    table: pd.DataFrame = grouped.agg(["mean", "min", "max"])
    return table


def ranges(axes: Axes, places: Any, values: pd.DataFrame, **more: Any) -> None:
    """Means as points, with bars from the least to the greatest: of `spread`."""
    mean = values["mean"]
    ends = [mean - values["min"], values["max"] - mean]
    axes.errorbar(places, mean, ends, ecolor=INK, markeredgecolor=INK, elinewidth=1.2, **more)


def row_of(count: int, size: tuple[float, float], **more: Any) -> tuple[Figure, list[Axes]]:
    """A figure of this size with panels side by side."""
    figure, grid = plt.subplots(1, count, figsize=size, layout="constrained", squeeze=False, **more)
    return figure, list(grid[0])


def panels_of(count: int, width: float, height: float, sharey: bool = False) -> tuple[Figure, list[Axes]]:
    """A figure of panels of this size: up to three in a row, more or wider ones in rows of two."""
    columns = count if count <= (3 if width < 6 else 2) else 2
    rows = -(-count // columns)
    size = width * columns + 0.8, height * rows
    figure, grid = plt.subplots(
        rows, columns, figsize=size, layout="constrained", squeeze=False, sharey=sharey
    )
    panels: list[Axes] = list(grid.flat)
    for unused in panels[count:]:
        unused.remove()
    return figure, panels[:count]


def cells(panel: Axes, table: pd.DataFrame, rows: str, columns: str, form: str = "", **colours: Any) -> None:
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
