"""Our evaluation as an evaluator of sentence-transformers."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from sentence_transformers import SentenceTransformer
from toy import TOY_BENCHMARK, static_model

from hybridnb.study.evaluation import evaluate
from hybridnb.study.evaluator import LanguageBiasEvaluator

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def model(tmp_path: Path) -> SentenceTransformer:
    return SentenceTransformer(str(static_model(tmp_path / "model")), device="cpu")


def test_it_gives_what_evaluate_gives(model: SentenceTransformer, tmp_path: Path) -> None:
    evaluator = LanguageBiasEvaluator(TOY_BENCHMARK)
    metrics = evaluator(model)
    kept = evaluate(model, TOY_BENCHMARK, tmp_path / "out", name="static")
    assert metrics == {
        f"toy_{task}_{metric}": value
        for task, values in kept.items()
        for metric, value in values.items()
        if metric != "by_language"
    }
    assert 0 < metrics[evaluator.primary_metric] < 1 and evaluator.greater_is_better
    assert model.model_card_data.eval_results_dict[evaluator] == metrics


def test_other_weights_give_other_numbers(model: SentenceTransformer) -> None:
    evaluator = LanguageBiasEvaluator(TOY_BENCHMARK, "multilingual_rank_distance")
    before = evaluator(model)
    model[0].embedding.weight.data[::2] = 1.0
    assert evaluator(model) != before
    assert not evaluator.greater_is_better
    assert evaluator.primary_metric == "toy_multilingual_rank_distance"


def test_a_table_grows_by_a_line_when_asked(model: SentenceTransformer, tmp_path: Path) -> None:
    LanguageBiasEvaluator(TOY_BENCHMARK, write_csv=False)(model, str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()
    evaluator = LanguageBiasEvaluator(TOY_BENCHMARK)
    for step in (5, 10):
        metrics = evaluator(model, str(tmp_path / "eval"), epoch=0.5, steps=step)
    with (tmp_path / "eval" / evaluator.csv_file).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["steps"] for row in rows] == ["5", "10"] and rows[0]["epoch"] == "0.5"
    assert float(rows[1]["crosslingual_recall@1"]) == metrics["toy_crosslingual_recall@1"]


def test_a_metric_that_there_is_not_is_an_error(model: SentenceTransformer) -> None:
    with pytest.raises(ValueError, match="no metric is named 'map'; there are monolingual_map,"):
        LanguageBiasEvaluator(TOY_BENCHMARK, "map")
    one = TOY_BENCHMARK.in_languages(["de"])
    with pytest.raises(ValueError, match="toy-de_crosslingual_map is not known on toy-de: choose another"):
        LanguageBiasEvaluator(one, "crosslingual_map")(model)
    assert "toy-de_monolingual_map" in LanguageBiasEvaluator(one)(model)
