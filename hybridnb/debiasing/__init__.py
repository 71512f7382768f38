"""Vectors -> vectors that say less of their language, with no training: fitted to parallel sentences in seconds.

SentenceVectors   unit vectors of parallel sentences, as queries and as passages
METHODS           what there is, by name
fit               a method and sentences -> a Debiasing
Debiasing         apply, matrix, save, load
"""

from hybridnb.debiasing import methods  # noqa: F401 (each registers itself)
from hybridnb.debiasing.fitting import fit
from hybridnb.debiasing.maps import Debiasing
from hybridnb.debiasing.method import METHODS
from hybridnb.debiasing.sentences import SentenceVectors

__all__ = ["METHODS", "Debiasing", "SentenceVectors", "fit"]
