"""Batches as pictures: who is whose negative, in which language, and how alike an encoder finds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from hybridnb.report.figures import look
from hybridnb.training.batching import BatchSampler, Pair

RELATIONS = {
    "negative in another language": "white",
    "negative in the query's language": "#f0a500",
    "the query's own passage": "#1f4a86",
}
"""What a passage of a batch is to a query of it, and its colour."""


def relations(pairs: Sequence[Pair]) -> NDArray[np.int64]:
    """What each passage of a batch is to each query.

    Args:
        pairs: n of them.

    Returns:
        [n, n], row a query, column a passage: positions in `RELATIONS`.

    Example:
        >>> relations([Pair(0, "de", "en"), Pair(1, "en", "de")]).tolist()
        [[2, 1], [1, 2]]
    """
    queries = np.array([pair.query_language for pair in pairs])
    passages = np.array([pair.passage_language for pair in pairs])
    kinds = (queries[:, None] == passages).astype(np.int64)
    np.fill_diagonal(kinds, 2)
    return kinds


def in_own_language(samplers: Mapping[str, BatchSampler], steps: int = 200) -> pd.DataFrame:
    """How often the own passage, and a negative, is in the query's language, over the first batches.

    Args:
        samplers: strategy -> its batches.
        steps: batches that are counted.

    Returns:
        Index strategy; own passage, negatives (fractions), languages (of passages in a batch, mean).
    """
    rows = {}
    for strategy, sampler in samplers.items():
        batches = [sampler.batch(step) for step in range(steps)]
        positives = [pair.query_language == pair.passage_language for batch in batches for pair in batch]
        kinds = [relations(batch) for batch in batches]
        rows[strategy] = {
            "own passage": np.mean(positives),
            "negatives": np.mean([kind[kind < 2].mean() for kind in kinds]),
            "languages": np.mean([len({pair.passage_language for pair in batch}) for batch in batches]),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("strategy")


def picture(batches: Mapping[str, Sequence[Sequence[Pair]]], most: int = 12) -> Figure:
    """The first pairs of batches, a column a strategy: rows queries, columns passages, both named by their languages.

    Args:
        batches: strategy -> batches, as many of each.
        most: pairs that are drawn of a batch.
    """
    rows = max(map(len, batches.values()))
    figure, grid = plt.subplots(
        rows, len(batches), figsize=(4.2 * len(batches), 4.2 * rows), layout="constrained", squeeze=False
    )
    colours = ListedColormap(list(RELATIONS.values()))
    for column, (strategy, drawn) in zip(grid.T, batches.items(), strict=True):
        for step, (axes, batch) in enumerate(zip(column, drawn, strict=True)):
            pairs = batch[:most]
            axes.pcolormesh(relations(pairs), cmap=colours, vmin=0, vmax=2, edgecolor="0.75", linewidth=0.8)
            places = np.arange(len(pairs)) + 0.5
            axes.set_xticks(places, [pair.passage_language for pair in pairs], fontsize=10)
            axes.set_yticks(places, [pair.query_language for pair in pairs], fontsize=10)
            axes.tick_params(length=0, labeltop=True, labelbottom=False)
            axes.grid(False)
            axes.set(aspect="equal", xlabel="passages", ylabel="queries")
            axes.invert_yaxis()
            axes.set_title(f"{strategy}, batch {step}")
    figure.legend(
        handles=[Patch(facecolor=colour, edgecolor=look.INK, label=name) for name, colour in RELATIONS.items()],
        loc="outside lower center", ncols=3, frameon=False,
    )  # fmt: skip
    told = "; ".join(
        f"{strategy}, batch {step}: queries in {', '.join(sorted({pair.query_language for pair in batch[:most]}))}, "
        f"{(relations(batch[:most]) == 1).sum()} of {most * (most - 1)} negatives in the query's language"
        for strategy, drawn in batches.items()
        for step, batch in enumerate(drawn)
    )
    return look.described(figure, f"Batches as matrices, rows queries, columns passages. {told}.")


def scores(matrices: Mapping[str, NDArray[np.floating]], pairs: Sequence[Pair]) -> Figure:
    """How alike an encoder finds each query and each passage of a batch, on one scale; the diagonal belongs together.

    Args:
        matrices: title -> cosines [n, n], row a query, column a passage.
        pairs: whose they are.
    """
    figure, panels = look.row_of(len(matrices), (5 * len(matrices) + 1, 4.8))
    least = min(float(matrix.min()) for matrix in matrices.values())
    most = max(float(matrix.max()) for matrix in matrices.values())
    told = []
    for axes, (title, matrix) in zip(panels, matrices.items(), strict=True):
        sns.heatmap(
            matrix, ax=axes, cmap=look.LEVELS, vmin=least, vmax=most, square=True, cbar=False,
            xticklabels=[pair.passage_language for pair in pairs], yticklabels=[pair.query_language for pair in pairs],
        )  # fmt: skip
        axes.tick_params(axis="y", rotation=0, labelsize=10)
        axes.tick_params(axis="x", rotation=0, labelsize=10)
        axes.set(title=title, xlabel="passages", ylabel="queries")
        own, others = matrix.diagonal().mean(), matrix[~np.eye(len(matrix), dtype=bool)].mean()
        told.append(f"{title}: own passages {own:.2f}, others {others:.2f}")
    figure.colorbar(panels[-1].collections[0], ax=panels, label="cosine", shrink=0.75)
    return look.described(figure, f"Cosines of queries and passages of a batch, means: {'; '.join(told)}.")
