"""Ridge regression that is shrunk to the identity instead of to nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hybridnb.debiasing.maps import Affine
from hybridnb.debiasing.sentences import Moments

Matrix = NDArray[np.float64]

STRENGTHS = (100.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01)
"""What is tried on held-out sentences, the gentlest first."""


class TowardsIdentity:
    """The affine map x -> (x - E x) W whose W minimises, over vectors x and their targets t,

        E || (t - E t) - (x - E x) W ||^2 + strength * s * || W - I ||^2,    s = trace(C) / d,  C = cov(x)

    for every strength: W = (C + strength s I)^-1 (cov(x, t) + strength s I). s is the mean variance along an axis, so
    the strength does not depend on how long or how many the vectors are; at 0 it is least squares, at infinity W is the
    identity, and the map takes the mean away. One decomposition of C serves all strengths.

    Args:
        moments: of x and t.

    Example:
        >>> moments = Moments(np.ones(2), np.diag([1.0, 3.0]), np.diag([0.5, 3.0]))
        >>> TowardsIdentity(moments).at(0.5)
        Affine(matrix=array([[0.75, 0.  ],
               [0.  , 1.  ]]), offset=array([-0.75, -1.  ]))
    """

    def __init__(self, moments: Moments) -> None:
        self.moments = moments
        self.values, self.axes = np.linalg.eigh(moments.covariance)
        self.scale = max(float(self.values.mean()), np.finfo(np.float64).tiny)
        # W - I = (C + strength s I)^-1 (cov(x, t) - C)
        self.change = self.axes.T @ (moments.cross - moments.covariance)

    def at(self, strength: float) -> Affine:
        """The map. ValueError: the strength is not a positive number."""
        if not 0 < strength < np.inf:
            raise ValueError(f"the strength of a map is a number above 0, not {strength}")
        # rounding may leave a value of 0 a little below it
        shrunk = self.change / (np.maximum(self.values, 0) + strength * self.scale)[:, None]
        matrix = np.eye(len(self.values)) + self.axes @ shrunk
        return Affine(matrix, -self.moments.mean @ matrix)
