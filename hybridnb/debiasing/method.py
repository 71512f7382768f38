"""What a method is, and the registry of methods; each module of `methods` registers one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hybridnb.debiasing.maps import Maps
from hybridnb.debiasing.sentences import Statistics
from hybridnb.registry import Registry


@dataclass(frozen=True)
class Method:
    """A way to take the language out of vectors.

    fit: statistics of the sentences -> (strength -> maps); what no strength changes is computed once. The inner
        function raises ValueError for a strength that there is not, and says which there are.
    strengths: statistics -> what `fit` tries on held-out sentences where no strength is given, the gentlest first; one
        alone is taken untried.
    """

    fit: Callable[[Statistics], Callable[[float], Maps]]
    strengths: Callable[[Statistics], Sequence[float]]


METHODS: Registry[Method] = Registry("debiasing method")


def whole(method: str, what: str, strength: float, most: int) -> int:
    """A strength that is a count. ValueError: it is not a whole number from 1 to `most`."""
    if not (float(strength).is_integer() and 1 <= strength <= most):
        raise ValueError(f"{method}: the strength is a number of {what}, 1 to {most} here, not {strength}")
    return int(strength)
