"""An affine map for each language: as `one_map`, fitted to the language's own vectors.

    x -> (x - E x) W,   E x and W as there, of the vectors x of the language alone

At infinite strength W is the identity, and this is `means`. Needs the language of a text; one that it was not fitted
on, or that is not known, is served by the one map of all languages, of the same strength. Sources: see `one_map`; arXiv
2305.14256 has a map for each ordered pair of languages instead.
"""

from __future__ import annotations

from collections.abc import Callable

from hybridnb.debiasing.maps import ANY, Maps
from hybridnb.debiasing.method import METHODS, Method
from hybridnb.debiasing.methods.one_map import pooled
from hybridnb.debiasing.ridge import STRENGTHS, TowardsIdentity
from hybridnb.debiasing.sentences import Statistics
from hybridnb.encoders.kinds import KINDS


def fit(statistics: Statistics) -> Callable[[float], Maps]:
    """strength: above 0; the more, the nearer each map is to the identity."""
    regressions = {
        kind: {
            language: TowardsIdentity(moments)
            for language, moments in {**statistics.moments(kind), ANY: pooled(statistics, kind)}.items()
        }
        for kind in KINDS
    }
    return lambda strength: {
        kind: {language: regression.at(strength) for language, regression in by_language.items()}
        for kind, by_language in regressions.items()
    }


METHODS.register("language-maps", Method(fit, strengths=lambda _: STRENGTHS))
