"""A run: one encoder fine-tuned under one strategy and seed, read from what it left on disk. No model is needed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from hybridnb.files import read_json
from hybridnb.measures.metrics_file import read_metrics
from hybridnb.retrieval.ranks_table import read_ranks
from hybridnb.study.settings import NOT_TRAINED

INFO = {
    "study": str, "strategy": str, "seed": int, "languages": list, "settings": dict, "corpora": dict, "model": dict,
    "steps": int, "best_step": int, "pairs_seen": int, "seconds": (int, float), "resumed_at_step": int, "code": str,
    "device": str, "versions": dict,
}  # fmt: skip
"""Fields of run.json -> their types."""


@dataclass(frozen=True)
class Run:
    """What a run left: run.json, history.csv, encoder/, ranks/, metrics.json. Every file is checked when it is read.

    Args:
        directory: where it is, or will be.
        fraction: of the training documents.
    """

    directory: Path
    strategy: str
    seed: int
    fraction: float = 1.0

    @property
    def label(self) -> str:
        """As tables and progress name it: "hybrid(0.5) seed 0"."""
        if self.strategy == NOT_TRAINED:
            return NOT_TRAINED
        part = "" if self.fraction == 1 else f" on {self.fraction:g} of the data"
        return f"{self.strategy} seed {self.seed}{part}"

    @property
    def slug(self) -> str:
        """The label as a file name: hybrid-0.5-seed0."""
        name = self.strategy.replace("(", "-").replace(")", "").replace(" ", "-")
        if self.strategy == NOT_TRAINED:
            return name
        return f"{name}-seed{self.seed}" + ("" if self.fraction == 1 else f"-fraction{self.fraction:g}")

    @property
    def encoder_directory(self) -> Path:
        return self.directory / "encoder"

    @property
    def is_trained(self) -> bool:
        """run.json is written last."""
        return (self.directory / "run.json").is_file()

    def is_evaluated(self, benchmark: str) -> bool:
        return (self.directory / "metrics.json").is_file() and benchmark in self.metrics

    @property
    def info(self) -> dict[str, Any]:
        """run.json: what made the run."""
        file = self.directory / "run.json"
        content = _object(file)
        for name, kind in INFO.items():
            if not isinstance(content.get(name), kind):  # type: ignore[arg-type]
                raise ValueError(
                    f"{file}: {name} is {content.get(name)!r}; it is no run.json of a finished run"
                )
        return content

    @property
    def metrics(self) -> dict[str, Any]:
        return read_metrics(self.directory)

    @property
    def history(self) -> pd.DataFrame:
        """The training log: step, loss, learning_rate, grad_norm, validation, ... by logged step."""
        file = self.directory / "history.csv"
        table = _table(file, pd.read_csv)
        if "step" not in table:
            raise ValueError(f"{file} has no column step: it is no training log")
        return table

    def ranks(self, benchmark: str) -> pd.DataFrame:
        """The ranks table of a benchmark."""
        return read_ranks(self.directory / "ranks" / f"{benchmark}.parquet", benchmark)

    def pool(self, benchmark: str) -> int:
        """How many candidates the largest pool of a benchmark has: those of all languages."""
        return int(self.ranks(benchmark)["pool_size"].max())

    def top_languages(self, benchmark: str) -> pd.DataFrame:
        """query_language, candidate_language, share of the first ten."""
        return _table(self.directory / "ranks" / f"{benchmark}.top10.csv", pd.read_csv)

    def answers(self, benchmark: str) -> pd.DataFrame:
        """Vectors of a few parallel answers, float32 [texts, d], indexed by (answer, language)."""
        return _table(self.directory / "ranks" / f"{benchmark}.answers.parquet", pd.read_parquet)


def _object(file: Path) -> dict[str, Any]:
    content = read_json(file)
    if not isinstance(content, dict):
        raise ValueError(f"{file} holds a {type(content).__name__}, not an object: it is damaged")
    return content


def _table(file: Path, read: Any) -> pd.DataFrame:
    try:
        table: pd.DataFrame = read(file)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{file} is missing: the run was not evaluated whole; evaluate it again"
        ) from None
    except (ValueError, OSError) as error:  # pyarrow's and pandas' errors of a damaged file are of these
        raise ValueError(
            f"{file} is damaged ({str(error).splitlines()[0]}): delete it and evaluate again"
        ) from None
    return table
