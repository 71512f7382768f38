"""SHIFT: passages are moved by what their language's mean is away from the source language's; queries stay.

    passage x -> x - strength * mean(y - z) over parallel sentences,   y in its language, z in the source language

The strength is the authors' alpha, up to 1. The source language is English, without it the first in the order of the
codes; its passages stay, and so do those of a language that it was not fitted on. Needs the language of a passage.

Source: Jang, Hong, Moon and Lim, SHIFT: Semantic harmonization via index-side feature transformation for multilingual
information retrieval (arXiv 2606.18801), equation 1 and algorithm 1. The authors ask in one language, the source;
here queries are in all.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hybridnb.debiasing.maps import ANY, Affine, Maps
from hybridnb.debiasing.method import METHODS, Method
from hybridnb.debiasing.sentences import Statistics

STRENGTHS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""What is tried on held-out sentences, as by the authors."""

SOURCE = "en"


def fit(statistics: Statistics) -> Callable[[float], Maps]:
    """strength: 0 < strength <= 1, the part of the way that a passage is moved."""
    means = statistics.means("passage")
    source = means.get(SOURCE, next(iter(means.values())))

    def at(strength: float) -> Maps:
        if not 0 < strength <= 1:
            raise ValueError(
                f"shift: the strength is the part of the way, above 0 and up to 1, not {strength}"
            )
        stays = {ANY: Affine(None, np.zeros(statistics.dimension))}
        moved = {language: Affine(None, -strength * (mean - source)) for language, mean in means.items()}
        return {"query": stays, "passage": {**moved, **stays}}

    return at


METHODS.register("shift", Method(fit, strengths=lambda _: STRENGTHS))
