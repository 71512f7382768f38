"""Losses over the steps of training."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from hybridnb.report.figures import look

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
        return look.nothing("There are no losses: nothing was trained.")
    figure, panels = look.row_of(len(kinds), (4.2 * len(kinds), 3.8), sharey=True)
    strategies = list(dict.fromkeys(histories["strategy"]))
    colours, shapes = look.palette(strategies), look.markers(strategies)
    told = []
    for panel, (column, title) in zip(panels, kinds.items(), strict=True):
        for n, (name, rows) in enumerate(histories.dropna(subset=column).groupby("strategy", sort=False)):
            values, colour = look.spread(rows.groupby("step")[column]), colours[str(name)]
            steps = values.index
            if column == "loss":
                panel.plot(steps, values["mean"], color=colour, linestyle=look.LINES[n % len(look.LINES)])
                panel.fill_between(steps, values["min"], values["max"], color=colour, alpha=0.25, linewidth=0)
            else:
                # between two points there may be anything: a line would say that there is a trend
                marks = {"linestyle": "-" if len(steps) > 2 else "none", "marker": shapes[str(name)]}
                places = steps + 0.015 * histories["step"].max() * (n - (len(strategies) - 1) / 2)
                look.ranges(panel, places, values, color=colour, **marks, markersize=7)
        if guess is not None and column != "loss":
            panel.axhline(guess, color=look.INK, linestyle=":", linewidth=1.5)
            panel.annotate("a guess", (1, guess), xycoords=("axes fraction", "data"), ha="right", va="bottom")
        panel.set(title=title, xlabel="training step")
        last = histories.dropna(subset=column).groupby("strategy", sort=False)[column].last()
        told.append(f"{title}: " + ", ".join(f"{name} ends at {value:.2f}" for name, value in last.items()))
    panels[0].set_ylabel("InfoNCE (nats)")
    panels[0].set_ylim(bottom=0)  # of all panels, now that all is drawn
    entries = [
        look.handle(
            name, colours[name], shapes[name], linestyle=look.LINES[n % len(look.LINES)], markersize=8
        )
        for n, name in enumerate(strategies)
    ]
    several = histories["seed"].nunique() > 1
    spread = "mean of the seeds; band, bar: from least to greatest" if several else "one seed"
    look.legend(figure, [*entries, look.handle(spread)])
    sns.despine(figure)
    return look.described(figure, f"Loss over training steps. {'; '.join(told)}.")
