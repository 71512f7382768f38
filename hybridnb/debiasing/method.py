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
    strengths: statistics -> what `fit` tries on held-out sentences where no strength is given, in ascending order; one
        alone is taken untried.
    """

    fit: Callable[[Statistics], Callable[[float], Maps]]
    strengths: Callable[[Statistics], Sequence[float]]


METHODS: Registry[Method] = Registry("debiasing method")
