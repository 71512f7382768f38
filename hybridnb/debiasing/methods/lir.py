"""Language information removal (LIR): the first principal components of a language's vectors are projected out.

    x -> x - x V V^T,   V [d, strength]: the first right singular vectors of the matrix of the language's vectors

The strength is how many go. The matrix is not centred, as in the authors' own program, so that the first component is
near the language's mean; queries and passages have components of their own. Needs the language of a text: one that it
was not fitted on loses the components of all languages together.

Source: Yang, Yang, Cer and Darve, A simple and effective method to eliminate the self language bias in multilingual
representations (EMNLP 2021, arXiv 2109.04727).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hybridnb.debiasing.maps import ANY, Maps, without
from hybridnb.debiasing.method import METHODS, Method, whole
from hybridnb.debiasing.sentences import Statistics
from hybridnb.encoders.kinds import KINDS

STRENGTHS = (1, 2, 3, 4, 6, 8, 12, 16, 24)
"""What is tried on held-out sentences, as far as there are dimensions."""


def fit(statistics: Statistics) -> Callable[[float], Maps]:
    """strength: how many components, from 1 to one below the dimension."""
    components = {}
    for kind in KINDS:
        products = {
            language: moments.covariance + np.outer(moments.mean, moments.mean)
            for language, moments in statistics.moments(kind).items()
        }
        products[ANY] = np.mean(list(products.values()), axis=0)
        # of the least first: the right singular vectors of X are the eigenvectors of X^T X
        components[kind] = {language: np.linalg.eigh(product)[1] for language, product in products.items()}

    def at(strength: float) -> Maps:
        count = whole("lir", "components", strength, statistics.dimension - 1)
        return {
            kind: {language: without(axes[:, -count:]) for language, axes in by_language.items()}
            for kind, by_language in components.items()
        }

    return at


METHODS.register("lir", Method(fit, lambda statistics: [k for k in STRENGTHS if k < statistics.dimension]))
