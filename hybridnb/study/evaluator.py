"""Our evaluation as an evaluator of sentence-transformers: three tasks and rank distance while a model is trained."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from sentence_transformers.base.model import BaseModel
from sentence_transformers.sentence_transformer.evaluation import SentenceEvaluator

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.encoders.foreign import ForeignEncoder
from hybridnb.measures.catalogue import MEASURES
from hybridnb.measures.metrics import summary
from hybridnb.retrieval.embeddings import encode_benchmark
from hybridnb.retrieval.ranking import exact_ranks

DIRECTIONS = {f"{measure.task}_{measure.name}": measure.higher_is_better for measure in MEASURES.values()}
"""Name of a metric -> whether higher is better."""


class LanguageBiasEvaluator(SentenceEvaluator):
    """Retrieval within a language, across two and from all at once, and rank distance, from exact ranks.

    It gives what `evaluate(model, benchmark, ...)` gives, averaged over languages or pairs of them, each under the
    benchmark's name, the task's and its own ("cldr_multilingual_map", "cldr_multilingual_rank_distance"). Queries are
    encoded by `encode_query`, candidates by `encode_document`.

    Args:
        benchmark: the data.
        primary_metric: by which the best checkpoint is chosen, without the benchmark's name; `greater_is_better` goes
            by it, and is False for "multilingual_rank_distance". For the Trainer's `metric_for_best_model` write
            f"eval_{evaluator.primary_metric}".
        write_csv: add a line to Language-Bias_evaluation_NAME_results.csv where there is an `output_path`.

    Raises:
        ValueError: no metric is named so.

    Example:
        >>> from hybridnb.corpora.benchmark import Queries
        >>> queries = {"en": Queries(["q1"], ["Who?"]), "de": Queries(["q1"], ["Wer?"])}
        >>> toy = Benchmark("toy", queries, {"en": ["She."], "de": ["Er.", "Sie."]}, {"q1": {"en": [0], "de": [1]}})
        >>> evaluator = LanguageBiasEvaluator(toy, "multilingual_rank_distance")
        >>> evaluator.primary_metric, evaluator.greater_is_better
        ('toy_multilingual_rank_distance', False)
    """

    def __init__(
        self, benchmark: Benchmark, primary_metric: str = "multilingual_map", *, write_csv: bool = True
    ) -> None:
        super().__init__()
        if primary_metric not in DIRECTIONS:
            raise ValueError(f"no metric is named {primary_metric!r}; there are {', '.join(DIRECTIONS)}")
        self.benchmark, self.name, self.write_csv = benchmark, benchmark.name, write_csv
        self.primary_metric = f"{self.name}_{primary_metric}"
        self.greater_is_better = DIRECTIONS[primary_metric]
        self.csv_file = f"Language-Bias_evaluation_{self.name}_results.csv"
        self._encoder: ForeignEncoder | None = None

    def __call__(
        self, model: BaseModel, output_path: str | None = None, epoch: int = -1, steps: int = -1
    ) -> dict[str, float]:
        """All metrics of a model.

        Args:
            model: is put into evaluation mode.
            output_path: directory of the table; None for no table.
            epoch, steps: where training is, -1 for nowhere.

        Raises:
            ValueError: vectors that are none or not finite, or a benchmark on which the primary metric is not known.
        """
        if self._encoder is None or self._encoder.network is not model:
            self._encoder = ForeignEncoder(model, "model")
        queries, candidates = encode_benchmark(self._encoder, self.benchmark, cache=None)
        metrics = {
            f"{task}_{metric}": value
            for task, of_task in summary(exact_ranks(self.benchmark, queries, candidates)).items()
            for metric, value in of_task.items()
        }
        named: dict[str, float] = self.prefix_name_to_metrics(metrics, self.name)
        if self.primary_metric not in named:
            raise ValueError(
                f"{self.primary_metric} is not known on {self.name}: choose another primary_metric"
            )
        if output_path is not None and self.write_csv:
            self._add_line(Path(output_path) / self.csv_file, {"epoch": epoch, "steps": steps, **metrics})
        self.store_metrics_in_model_card_data(model, named, epoch, steps)
        return named

    def get_config_dict(self) -> dict[str, Any]:
        """What the model card says of the evaluation."""
        return {"languages": list(self.benchmark.languages), "benchmark_sha256": self.benchmark.sha256}

    def _add_line(self, path: Path, values: dict[str, float]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        begun = path.exists()
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, values)
            if not begun:
                writer.writeheader()
            writer.writerow(values)
