"""A run: one encoder fine-tuned under one strategy and seed, read from what it left on disk. No model is needed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from hybridnb.corpora import benchmark_name
from hybridnb.files import file_sha256, read_json
from hybridnb.measures.bias import pool_sizes
from hybridnb.measures.metrics_file import read_metrics
from hybridnb.measures.questions_file import ALL, UNSEEN, check_questions, main_values, of_scope
from hybridnb.retrieval.ranks_table import WHOLE_POOL, read_ranks
from hybridnb.settings import Settings
from hybridnb.study.settings import NOT_TRAINED

DEBIASED = "debiased"
"""The folder of a system's directory that holds one for each debiasing put on its vectors."""

CURVES = ("method", "sentences", "left_out", "scope", "task", "metric", "value")
"""The columns of a run's curves; see `curves.curves`."""

Count = Annotated[int, Field(ge=0)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Corpus(Settings):
    """What run.json says of a corpus."""

    items: Count
    sha256: Sha256


class RunInfo(Settings):
    """The fields of run.json that are read; it may have more."""

    model_config = ConfigDict(extra="allow")

    study: str
    strategy: str
    seed: Count
    languages: tuple[str, ...]
    settings: dict[Literal["corpus", "encoder", "training"], dict[str, Any]]
    identity: dict[str, Any] | None = None
    corpora: dict[str, Corpus]
    model: dict[str, Any]
    steps: Count
    best_step: Count
    pairs_seen: Count
    seconds: Annotated[float, Field(ge=0)]
    resumed_at_step: Count
    code: str
    device: str
    versions: dict[str, str | None]

    @field_validator("best_step", "resumed_at_step")
    @classmethod
    def _within(cls, step: int, others: ValidationInfo) -> int:
        if step > others.data.get("steps", step):
            raise ValueError(f"{others.field_name} is {step}, after the last step {others.data['steps']}")
        return step


class Evaluation(Settings):
    """The fields of an entry of evaluations.json that are read; it may have more.

    Args:
        ranks_sha256: of the file of the ranks table; earlier records lack it, and all of the following.
        questions_sha256: of the file of what each question adds.
        trained: languages outside of which that file has values, too; none: it has not.
        pools: candidates of each language whose pool is ranked, and under "*" of the largest pool.
    """

    model_config = ConfigDict(extra="allow")

    encoder: dict[str, Any]
    encoder_sha256: str
    benchmark_sha256: Sha256
    ranks_sha256: Sha256 | None = None
    questions_sha256: Sha256 | None = None
    trained: tuple[str, ...] = ()
    pools: dict[str, Count] = Field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """What a run left: run.json, history.csv, encoder/, ranks/, questions/, metrics.json.

    Every file is checked when it is read.
    What is damaged, or does not belong together, is a ValueError of one line that names the file and what to do.
    Benchmarks are named as studies ask for them: by name or path.

    Args:
        directory: where it is, or will be.
        strategy: as `Strategy` writes it, or NOT_TRAINED.
        seed: of its batches, and of an encoder from scratch.
        fraction: of the training documents.

    Example:
        >>> run = Run(Path("runs/quick/x"), "hybrid(0.5)", 0, 0.25)
        >>> run.label, run.slug, run.is_trained
        ('hybrid(0.5) seed 0 on 0.25 of the data', 'hybrid-0.5-seed0-fraction0.25', False)
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
        """The label as a file name: "hybrid-0.5-seed0"."""
        name = self.strategy.replace("(", "-").replace(")", "").replace(" ", "-")
        if self.strategy == NOT_TRAINED:
            return name
        return f"{name}-seed{self.seed}" + ("" if self.fraction == 1 else f"-fraction{self.fraction:g}")

    @property
    def encoder_directory(self) -> Path:
        """What `DualEncoder.load` takes; a recorded run has none."""
        return self.directory / "encoder"

    @property
    def is_trained(self) -> bool:
        """Whether it is finished: run.json is written last."""
        return (self.directory / "run.json").is_file()

    def is_evaluated(self, benchmark: str) -> bool:
        """Whether all is there that comparisons need; metrics.json is written last."""
        return self.is_compared(benchmark) and self.is_measured(benchmark)

    def debiased(self, method: str) -> Run:
        """The same with a debiasing put on its vectors, to be asked for `ranks` and `metrics`."""
        return replace(self, directory=self.directory / DEBIASED / method)

    def is_debiased(self, benchmark: str, method: str) -> bool:
        """Whether all is there that an evaluation with a debiasing writes; metrics.json is written last."""
        return self.debiased(method).is_measured(benchmark)

    def is_measured(self, benchmark: str) -> bool:
        """Whether metrics.json is there and holds a benchmark."""
        return (self.directory / "metrics.json").is_file() and benchmark_name(benchmark) in self.metrics

    def is_ranked(self, benchmark: str) -> bool:
        """Whether there is a ranks table of a benchmark, from which all measures can be computed."""
        return self._ranks(benchmark, "parquet").is_file()

    def is_compared(self, benchmark: str) -> bool:
        """Whether `question_values` of a benchmark are there, by which systems are compared, or can be computed."""
        return self._questions(benchmark).is_file() or self.is_ranked(benchmark)

    @property
    def info(self) -> dict[str, Any]:
        """run.json: what made the run; see `RunInfo`."""
        file = self.directory / "run.json"
        content: dict[str, Any] = read_json(file)
        RunInfo.read(content, str(file))
        return content

    @property
    def metrics(self) -> dict[str, Any]:
        """metrics.json: benchmark -> task -> metric -> value; see `measures.metrics_file`."""
        return read_metrics(self.directory)

    @property
    def history(self) -> pd.DataFrame:
        """The training log: step, loss, learning_rate, grad_norm, validation, ... by logged step; 0 is before it."""
        file = self.directory / "history.csv"
        return _table(file, pd.read_csv, _check_history, "train the run again")

    def ranks(self, benchmark: str) -> pd.DataFrame:
        """The ranks table of a benchmark, which must be the one that evaluations.json tells of."""
        file = self._ranks(benchmark, "parquet")
        if not file.is_file():
            if self._questions(benchmark).is_file():
                raise FileNotFoundError(
                    f"{file} is missing: the run was recorded without its ranks table; name a run that has it "
                    "(setting recording), or make this one again"
                )
            raise _missing(file)
        made = self._made(benchmark)
        if made and made.ranks_sha256 not in (None, file_sha256(file)):
            raise _not_the(file, "ranks table")
        return read_ranks(file, benchmark_name(benchmark))

    def question_values(self, benchmark: str, trained: Collection[str] = ()) -> pd.DataFrame:
        """What each question adds to the main measures, as it was kept, or else from the ranks table: the same.

        Args:
            benchmark: name or path.
            trained: as of `questions_file.main_values`; kept are the values outside of the study's languages.

        Raises:
            FileNotFoundError: neither is there.
            ValueError: a file is damaged, or not the one that evaluations.json tells of.
        """
        file, made = self._questions(benchmark), self._made(benchmark)
        if not file.exists() or (trained and not (made and set(made.trained) == set(trained))):
            return main_values(self.ranks(benchmark), trained)
        if made and made.questions_sha256 not in (None, file_sha256(file)):
            raise _not_the(file, "table of questions")
        return of_scope(_table(file, pd.read_parquet, check_questions), UNSEEN if trained else ALL)

    def pools(self, benchmark: str) -> dict[str, int]:
        """How many candidates each language has whose pool is ranked, and under "*" the largest pool."""
        made = self._made(benchmark)
        return made.pools if made and made.pools else pool_sizes(self.ranks(benchmark))

    def pool(self, benchmark: str) -> int:
        """How many candidates the largest pool of a benchmark has: those of all languages."""
        return self.pools(benchmark)[WHOLE_POOL]

    def top_languages(self, benchmark: str) -> pd.DataFrame:
        """query_language, candidate_language, share of the first ten."""
        return _table(self._ranks(benchmark, "top10.csv"), pd.read_csv, _check_shares)

    def curves(self, benchmark: str) -> pd.DataFrame:
        """Debiasings by number of sentences and languages; of a run that nothing was tried with, no rows."""
        file = curves_file(self.directory, benchmark)
        if not file.is_file():
            return pd.DataFrame(columns=list(CURVES))
        return _table(file, lambda path: pd.read_csv(path, keep_default_na=False), _check_curves)

    def answers(self, benchmark: str) -> pd.DataFrame:
        """Vectors of a few parallel answers, float32 [texts, d], indexed by (answer, language)."""
        return _table(self._ranks(benchmark, "answers.parquet"), pd.read_parquet, _check_answers)

    def _made(self, benchmark: str) -> Evaluation | None:
        return read_evaluations(self.directory).get(benchmark_name(benchmark))

    def _ranks(self, benchmark: str, kind: str) -> Path:
        return self.directory / "ranks" / f"{benchmark_name(benchmark)}.{kind}"

    def _questions(self, benchmark: str) -> Path:
        return self.directory / "questions" / f"{benchmark_name(benchmark)}.parquet"


def curves_file(directory: Path, benchmark: str) -> Path:
    """Where a run's `curves` on a benchmark are."""
    return directory / DEBIASED / f"{benchmark_name(benchmark)}.curves.csv"


def read_evaluations(out: Path) -> dict[str, Evaluation]:
    """What made the results in a directory: out/evaluations.json, by benchmark; nothing without one.

    Raises:
        ValueError: it is damaged; the file and the field are named.
    """
    file = out / "evaluations.json"
    content = read_json(file) if file.is_file() else {}
    if not isinstance(content, dict):
        raise ValueError(f"{file} holds {str(content)[:40]!r}, not entries by benchmark: it is damaged")
    return {name: Evaluation.read(entry, f"{file}, {name}") for name, entry in content.items()}


def _table(
    file: Path,
    read: Callable[..., pd.DataFrame],
    check: Callable[[pd.DataFrame], None],
    remedy: str = "evaluate again",
) -> pd.DataFrame:
    if not file.is_file():
        raise _missing(file)
    try:
        table = read(file)
        check(table)
    except (ValueError, OSError) as error:  # pyarrow's and pandas' errors of a damaged file are of these
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{file} is damaged ({why}): delete it and {remedy}") from None
    return table


def _not_the(file: Path, what: str) -> ValueError:
    return ValueError(
        f"{file} is not the {what} that evaluations.json tells of: delete it and evaluate again"
    )


def _missing(file: Path) -> FileNotFoundError:
    return FileNotFoundError(f"{file} is missing: the run was not evaluated whole; evaluate it again")


def _check_history(table: pd.DataFrame) -> None:
    _check_columns(table, {"step"})
    for column in table:
        # NaN stands where a value was not logged
        if len(table) and (not pd.api.types.is_numeric_dtype(table[column]) or np.isinf(table[column]).any()):
            raise ValueError(f"column {column} holds what is no finite number")
    steps = table["step"].to_list()
    if any(step != int(step) or step < 0 for step in steps) or steps != sorted(set(steps)):
        raise ValueError("column step does not count upwards from 0 or more")


def _check_shares(table: pd.DataFrame) -> None:
    _check_columns(table, {"query_language", "candidate_language", "share"})
    if len(table) == 0:
        raise ValueError("it has no rows")
    if not pd.api.types.is_numeric_dtype(table["share"]) or not table["share"].between(0, 1).all():
        raise ValueError("a share is from 0 to 1")
    if (abs(table.groupby("query_language")["share"].sum() - 1) > 1e-6).any():
        raise ValueError("the shares of a language's queries do not add up to 1")


def _check_answers(table: pd.DataFrame) -> None:
    if table.index.names != ["answer", "language"]:
        raise ValueError("it is not indexed by answer and language")
    if not all(kind == "float32" for kind in table.dtypes) or not table.notna().all(axis=None):
        raise ValueError("a vector is not of finite float32")


def _check_curves(table: pd.DataFrame) -> None:
    _check_columns(table, set(CURVES))
    if not pd.api.types.is_numeric_dtype(table["value"]) or not np.isfinite(table["value"]).all():
        raise ValueError("column value holds what is no finite number")


def _check_columns(table: pd.DataFrame, columns: set[str]) -> None:
    if missing := sorted(columns - set(table.columns)):
        raise ValueError(f"column {missing[0]} is missing")
