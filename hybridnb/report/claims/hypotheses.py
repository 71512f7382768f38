"""What is claimed, and what is too small to matter: data, `HYPOTHESES` and `SMALLEST`, that stand before the runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from hybridnb.corpora import benchmark_name
from hybridnb.measures.catalogue import MEASURES
from hybridnb.report.published import HYBRID
from hybridnb.report.tables.headline import CROSS, MONO
from hybridnb.study.settings import NOT_TRAINED
from hybridnb.training.strategies import Strategy

MAP, DISTANCE = ("Mo mAP", "Cr mAP", "Mul mAP"), "rank distance"

SMALLEST = dict.fromkeys(MAP, 0.01)
"""The smallest effect of interest in mAP."""

SMALLEST_DISTANCE = 0.05
"""The same in rank distance, as a share of that of the encoder as it is."""

METHOD = "one-map"
"""The debiasing without training that stands against training."""


def debiased(strategy: str) -> str:
    """The name of a strategy's encoders with `METHOD` applied: "X-Y + one-map"."""
    return f"{strategy} + {METHOD}"


@dataclass(frozen=True)
class Hypothesis:
    """One system is better than another, or not worse.

    Args:
        key: by which the plan of a study names it.
        first, second: the systems: a strategy, or one with a debiasing (see `debiased`).
        kind: "better": the difference is on the good side of 0; "not worse": on the good side of the smallest effect of
            interest on the bad side.
        labels: of the measures; each is a claim of its own.
        unseen: whether it is about languages alone that no run was trained on; a pair counts when either of its
            languages is one.
    """

    key: str
    first: str
    second: str
    kind: Literal["better", "not worse"]
    labels: tuple[str, ...]
    unseen: bool = False

    @property
    def text(self) -> str:
        """In words."""
        where = ", in languages unseen in fine-tuning" if self.unseen else ""
        return f"{self.first} is {self.kind} than {self.second}{where}"


_OF_BATCHES = (
    Hypothesis("a1", MONO, CROSS, "better", ("Mo mAP",)),
    Hypothesis("a2", HYBRID, MONO, "not worse", ("Mo mAP",)),
    Hypothesis("b1", CROSS, MONO, "better", ("Cr mAP",)),
    Hypothesis("b2", HYBRID, CROSS, "not worse", ("Cr mAP",)),
    Hypothesis("c1", CROSS, MONO, "better", ("Mul mAP",)),
    Hypothesis("c2", HYBRID, CROSS, "not worse", ("Mul mAP",)),
    Hypothesis("d1", HYBRID, MONO, "better", (DISTANCE,)),
    Hypothesis("d2", HYBRID, CROSS, "not worse", (DISTANCE,)),
)

HYPOTHESES: tuple[Hypothesis, ...] = (
    *_OF_BATCHES,
    *(replace(one, key=f"e-{one.key}", unseen=True) for one in _OF_BATCHES),
    # what the study is for: is hybrid training better than monolingual training, and than one matrix?
    Hypothesis("f1", HYBRID, MONO, "better", MAP),
    Hypothesis("f2", HYBRID, debiased(NOT_TRAINED), "better", MAP),
    Hypothesis("g1", debiased(HYBRID), debiased(NOT_TRAINED), "better", (*MAP, DISTANCE)),
    Hypothesis("g2", debiased(HYBRID), HYBRID, "better", ("Cr mAP", "Mul mAP", DISTANCE)),
    Hypothesis("g3", debiased(HYBRID), HYBRID, "not worse", ("Mo mAP",)),
    *(
        Hypothesis(f"h{alpha:g}", HYBRID, str(Strategy("hybrid", alpha)), "better", ("Mo mAP", "Mul mAP"))
        for alpha in (0.25, 0.4, 0.6, 0.75)
    ),
)


def planned(benchmarks: Sequence[str]) -> pd.DataFrame:
    """The claims as they stand before any run: what is asked, of which measure, and what is too small to matter.

    Returns:
        claim, hypothesis, measure, benchmarks, direction, smallest (as text); a row a measure of `HYPOTHESES`.
    """
    smallest = {label: f"{SMALLEST[label]:g}" for label in MAP}
    smallest[DISTANCE] = f"{SMALLEST_DISTANCE:.0%} of that of {NOT_TRAINED}"
    rows = [
        {
            "claim": one.key,
            "hypothesis": one.text,
            "measure": label,
            "benchmarks": " ".join(map(benchmark_name, benchmarks)),
            "direction": "higher" if MEASURES[label].higher_is_better else "lower",
            "smallest": smallest[label],
        }
        for one in HYPOTHESES
        for label in one.labels
    ]
    return pd.DataFrame(rows)
