"""Centring: the mean of a language's vectors is subtracted from each of them.

    x -> x - strength * mean(language, side)

The strength is 1; a smaller one leaves a part of the mean. Needs the language of a text: one that it was not fitted on
gets the mean of the known languages' means.

Source: Libovický, Rosa and Fraser, How language-neutral is multilingual BERT? (arXiv 1911.03310), and On the language
neutrality of pre-trained multilingual representations (arXiv 2004.05160).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hybridnb.debiasing.maps import ANY, Affine, Maps
from hybridnb.debiasing.method import METHODS, Method
from hybridnb.debiasing.sentences import Statistics
from hybridnb.encoders.kinds import KINDS


def fit(statistics: Statistics) -> Callable[[float], Maps]:
    """strength: 0 < strength <= 1, the part of the mean that is subtracted."""

    def at(strength: float) -> Maps:
        if not 0 < strength <= 1:
            raise ValueError(
                f"means: the strength is the part of a mean that goes, above 0 and up to 1, not {strength}"
            )
        return {
            kind: {
                language: Affine(None, -strength * mean)
                for language, mean in {**means, ANY: np.mean(list(means.values()), axis=0)}.items()
            }
            for kind, means in ((kind, statistics.means(kind)) for kind in KINDS)
        }

    return at


METHODS.register("means", Method(fit, strengths=lambda _: (1.0,)))
