"""What a figure shows: its points and its words."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure


def points(axes: Axes, marker: str) -> list[list[float]]:
    """(x, y) of the points with a marker."""
    lines = [line for line in axes.get_lines() if line.get_marker() == marker]
    return [[float(x), float(y)] for line in lines for x, y in zip(*line.get_data(), strict=True)]


def heights(axes: Axes, marker: str) -> list[float]:
    return [y for _, y in points(axes, marker)]


def note(figure: Figure) -> str:
    """What a figure says in the place of what it cannot draw."""
    (axes,) = figure.axes
    assert not axes.axison
    return axes.texts[0].get_text()
