"""How the make-up of a training batch decides whether a multilingual dense retriever is fair to languages.

What a user of the package calls; everything else is a part of it (hybridnb/README.md draws the house):

    Strategy         how batches are made up: Strategy.parse("hybrid(0.5)")
    BatchSampler     batches of pairs of a corpus under a strategy; batch(step) is a pure function
    ParallelCorpus   items with a query and a passage in each language, to train on
    Benchmark        queries, candidates and relevance in each language, to test on
    training_corpus  a corpus to train on by its name or path: training_corpus("cldr")
    load_benchmark   a benchmark by its name or path: load_benchmark("xquad-r")
    DualEncoder      text -> unit vectors: DualEncoder.load(MODEL).encode(texts, "query")
    exact_ranks      the exact rank of every relevant candidate, from vectors
    evaluate         any system on a benchmark: ranks and metrics, kept in a directory
    metrics          ranks -> MAP, recall and the like, in the three tasks
    bias             ranks -> rank distance and the other measures of language bias
    significance     whether two systems differ: the randomisation test, intervals
    PairDataset            the pairs of a corpus as a data set for any training loop
    StrategyBatches        which of them make a batch: for sentence-transformers' Trainer or a DataLoader
    LanguageBiasEvaluator  evaluate, as an evaluator of sentence-transformers

Importing hybridnb changes nothing and loads nothing: each of these is imported when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hybridnb.corpora import load_benchmark, training_corpus
    from hybridnb.corpora.benchmark import Benchmark
    from hybridnb.corpora.parallel import ParallelCorpus
    from hybridnb.encoders.encoder import DualEncoder
    from hybridnb.measures import bias, metrics, significance
    from hybridnb.retrieval.ranking import exact_ranks
    from hybridnb.study.evaluation import evaluate
    from hybridnb.study.evaluator import LanguageBiasEvaluator
    from hybridnb.training.batching import BatchSampler
    from hybridnb.training.elsewhere import PairDataset, StrategyBatches
    from hybridnb.training.strategies import Strategy

__version__ = "0.1.0"

_HOME = {
    "Strategy": "training.strategies",
    "BatchSampler": "training.batching",
    "ParallelCorpus": "corpora.parallel",
    "Benchmark": "corpora.benchmark",
    "training_corpus": "corpora",
    "load_benchmark": "corpora",
    "DualEncoder": "encoders.encoder",
    "exact_ranks": "retrieval.ranking",
    "evaluate": "study.evaluation",
    "metrics": "measures",
    "bias": "measures",
    "significance": "measures",
    "PairDataset": "training.elsewhere",
    "StrategyBatches": "training.elsewhere",
    "LanguageBiasEvaluator": "study.evaluator",
}
__all__ = [
    "BatchSampler",
    "Benchmark",
    "DualEncoder",
    "LanguageBiasEvaluator",
    "PairDataset",
    "ParallelCorpus",
    "Strategy",
    "StrategyBatches",
    "bias",
    "evaluate",
    "exact_ranks",
    "load_benchmark",
    "metrics",
    "significance",
    "training_corpus",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'hybridnb' has no attribute {name!r}")
    home = f"{__name__}.{_HOME[name]}"
    if home.endswith(".measures"):
        return import_module(f"{home}.{name}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
