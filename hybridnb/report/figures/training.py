"""Losses over the steps of training."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from hybridnb.report.figures.look import (
    INK,
    LINES,
    described,
    handle,
    legend,
    markers,
    nothing,
    palette,
    row_of,
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
        histories: of `tables.training.histories`; step 0 is the encoder before it was trained.
        guess: the validation loss of one that cannot tell passages apart, the logarithm of the batch size.
    """
    kinds = {column: title for column, title in KINDS.items() if column in histories}
    if not kinds:
        return nothing("There are no losses: nothing was trained.")
    figure, panels = row_of(len(kinds), (4.2 * len(kinds), 3.8), sharey=True)
    strategies = list(dict.fromkeys(histories["strategy"]))
    colours, shapes = palette(strategies), markers(strategies)
    told = []
    for panel, (column, title) in zip(panels, kinds.items(), strict=True):
        for n, (name, rows) in enumerate(histories.dropna(subset=column).groupby("strategy", sort=False)):
            of_step = rows.groupby("step")[column]
            mean, low, high = of_step.mean(), of_step.min(), of_step.max()
            colour = colours[str(name)]
            if column == "loss":
                panel.plot(mean.index, mean, color=colour, linestyle=LINES[n % len(LINES)])
                panel.fill_between(mean.index, low, high, color=colour, alpha=0.25, linewidth=0)
            else:
                # between two points there may be anything: a line would say that there is a trend
                line = "-" if len(mean) > 2 else "none"
                places = mean.index + 0.015 * histories["step"].max() * (n - (len(strategies) - 1) / 2)
                panel.errorbar(
                    places, mean, [mean - low, high - mean], color=colour, linestyle=line,
                    marker=shapes[str(name)], ecolor=INK, markeredgecolor=INK, markersize=7, elinewidth=1.2,
                )  # fmt: skip
        if guess is not None and column != "loss":
            panel.axhline(guess, color=INK, linestyle=":", linewidth=1.5)
            panel.annotate("a guess", (1, guess), xycoords=("axes fraction", "data"), ha="right", va="bottom")
        panel.set(title=title, xlabel="training step")
        last = histories.dropna(subset=column).groupby("strategy", sort=False)[column].last()
        told.append(f"{title}: " + ", ".join(f"{name} ends at {value:.2f}" for name, value in last.items()))
    panels[0].set_ylabel("InfoNCE (nats)")
    panels[0].set_ylim(bottom=0)  # of all panels, now that all is drawn
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
