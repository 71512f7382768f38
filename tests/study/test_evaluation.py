"""What an evaluation writes, and that its numbers are those of the ranks it wrote."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose
from toy import NAMES, TEMPLATES, TOY_BENCHMARK, TOY_ITEMS, toy_encoder

from hybridnb.corpora.benchmark import Queries
from hybridnb.encoders.encoder import DualEncoder
from hybridnb.files import file_sha256
from hybridnb.measures import metrics
from hybridnb.retrieval.ranks_table import COLUMNS
from hybridnb.study.evaluation import evaluate
from hybridnb.study.runs import read_evaluations

PAIRS = {f"{one}>{other}" for one in TEMPLATES for other in TEMPLATES if one != other}


@pytest.fixture(scope="module")
def encoder() -> DualEncoder:
    return toy_encoder()


@pytest.fixture(scope="module")
def evaluated(encoder: DualEncoder, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("evaluated")
    return out, evaluate(encoder, TOY_BENCHMARK, out)


def test_the_files_it_writes(evaluated: tuple[Path, dict[str, Any]]) -> None:
    out, _ = evaluated
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    ranks = {f"ranks/toy{kind}" for kind in (".parquet", ".top10.csv", ".answers.parquet")}
    assert files == {"metrics.json", "evaluations.json", "questions/toy.parquet", *ranks}
    table = pd.read_parquet(out / "ranks" / "toy.parquet")
    assert list(table.columns) == COLUMNS
    # 24 queries in 3 languages: 3 answers each in the pool of their own language, and in the merged one
    assert len(table) == 24 * 3 * 3 * 2


def test_the_metrics_are_those_of_the_ranks(evaluated: tuple[Path, dict[str, Any]]) -> None:
    out, returned = evaluated
    ranks = pd.read_parquet(out / "ranks" / "toy.parquet")
    written = json.loads((out / "metrics.json").read_text())
    assert written == {"toy": returned}
    summary = metrics.summary(ranks)
    for task, values in returned.items():
        assert {name: value for name, value in values.items() if name != "by_language"} == summary[task]
        keys = PAIRS if task == "crosslingual" else set(TEMPLATES)
        assert set(values["by_language"]) == keys
        for name, value in summary[task].items():
            assert np.mean([part[name] for part in values["by_language"].values()]) == pytest.approx(value)
    assert "rank_distance" in returned["multilingual"] and "rank_distance" not in returned["monolingual"]
    one = ranks[(ranks["task"] == "crosslingual") & (ranks["query_language"] == "de")]
    one = one[one["candidate_language"] == "es"]
    assert returned["crosslingual"]["by_language"]["de>es"]["mrr"] == pytest.approx((1 / one["rank"]).mean())


def test_the_first_ten_are_those_of_the_scores(
    encoder: DualEncoder, evaluated: tuple[Path, dict[str, Any]]
) -> None:
    table = pd.read_csv(evaluated[0] / "ranks" / "toy.top10.csv")
    candidates = [text for code in TEMPLATES for text in TOY_BENCHMARK.candidates[code]]
    language = np.repeat(list(TEMPLATES), 24)
    vectors = encoder.encode(candidates, "passage", progress=False)
    for code in TEMPLATES:
        queries = encoder.encode(list(TOY_BENCHMARK.queries[code].texts), "query", progress=False)
        first = language[np.argsort(-queries @ vectors.T, axis=1)[:, :10]]
        shares = table[table["query_language"] == code].set_index("candidate_language")["share"]
        for other in TEMPLATES:
            # a tie at the tenth place may fall either way
            assert shares[other] == pytest.approx((first == other).mean(), abs=0.01)
        assert shares.sum() == pytest.approx(1)


def test_bm25_is_a_system_like_any_other(evaluated: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    before = (evaluated[0] / "metrics.json").read_bytes()
    with pytest.raises(ValueError, match="another encoder"):
        evaluate("bm25", TOY_BENCHMARK, evaluated[0])
    assert (evaluated[0] / "metrics.json").read_bytes() == before
    assert evaluate("bm25", TOY_BENCHMARK, tmp_path)["monolingual"]["map"] > 0.5
    with pytest.raises(ValueError, match=r"results of another encoder .bm25, on toy"):
        evaluate(toy_encoder(), TOY_BENCHMARK, tmp_path)


def test_other_data_under_the_same_name_is_refused(tmp_path: Path) -> None:
    evaluate("bm25", TOY_BENCHMARK, tmp_path)
    queries = {
        code: Queries(q.ids, [f"{text}!" for text in q.texts]) for code, q in TOY_BENCHMARK.queries.items()
    }
    with pytest.raises(ValueError, match="another toy"):
        evaluate("bm25", replace(TOY_BENCHMARK, queries=queries), tmp_path)


def test_what_made_the_results_is_recorded_and_not_mixed(evaluated: tuple[Path, dict[str, Any]]) -> None:
    out = evaluated[0]
    made = json.loads((out / "evaluations.json").read_text())["toy"]
    assert made["benchmark_sha256"] == TOY_BENCHMARK.sha256
    assert {"encoder", "encoder_sha256", "code", "device", "versions"} <= set(made)
    before = (out / "metrics.json").read_bytes()
    other = toy_encoder()
    with torch.no_grad():
        next(other.parameters()).add_(1.0)
    with pytest.raises(ValueError, match="another encoder"):
        evaluate(other, TOY_BENCHMARK, out)
    assert (out / "metrics.json").read_bytes() == before


def test_vectors_of_parallel_answers_are_kept(evaluated: tuple[Path, Any], encoder: DualEncoder) -> None:
    kept = pd.read_parquet(evaluated[0] / "ranks" / "toy.answers.parquet")
    assert kept.index.to_list() == [(n, code) for n in range(12) for code in TEMPLATES]
    names = [NAMES[position] for position in np.linspace(0, len(NAMES) - 1, 12).astype(int)]
    items = [TOY_ITEMS[NAMES.index(name)] for name in names]
    texts = [item.passages[code] for item in items for code in TEMPLATES]
    assert_allclose(kept.to_numpy(), encoder.encode(texts, "passage", progress=False), atol=1e-6)


def test_a_killed_evaluation_encodes_nothing_twice(
    evaluated: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    encoder = toy_encoder()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("hybridnb.study.systems.relevant_ranks", killed)
        evaluate(encoder, TOY_BENCHMARK, tmp_path)
    monkeypatch.setattr(encoder, "encode", lambda *_, **__: pytest.fail("encoded again"))
    assert evaluate(encoder, TOY_BENCHMARK, tmp_path) == evaluated[1]
    assert not (tmp_path / "vectors").exists()


class Prefixed:
    """The toy encoder as an object of somebody else's, its vectors of any length."""

    def __init__(self, encoder: DualEncoder) -> None:
        self.encoder = encoder

    def encode_query(self, texts: list[str]) -> torch.Tensor:
        return 3 * torch.from_numpy(self.encoder.encode(texts, "query", progress=False))

    def encode_document(self, texts: list[str]) -> np.ndarray[Any, Any]:
        return self.encoder.encode(texts, "passage", progress=False).astype(np.float64)


def test_an_object_and_its_vectors_give_what_the_encoder_does(
    evaluated: tuple[Path, dict[str, Any]], encoder: DualEncoder, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="a Prefixed needs a name"):
        evaluate(Prefixed(encoder), TOY_BENCHMARK, tmp_path / "object")
    assert evaluate(Prefixed(encoder), TOY_BENCHMARK, tmp_path / "object", name="mine") == evaluated[1]
    assert not (tmp_path / "object" / "vectors").exists()
    made = read_evaluations(tmp_path / "object")["toy"]
    assert made.encoder["model"] == "mine" and made.encoder["similarity"] == "cosine"

    arrays = {f"queries/{c}": encoder.encode(q.texts, "query") for c, q in TOY_BENCHMARK.queries.items()}
    arrays |= {
        f"candidates/{c}": encoder.encode(texts, "passage") for c, texts in TOY_BENCHMARK.candidates.items()
    }
    file = tmp_path / "vectors.npz"
    np.savez(file, **arrays)
    out = tmp_path / "given"
    assert evaluate(file, TOY_BENCHMARK, out) == evaluate(str(file), TOY_BENCHMARK, out) == evaluated[1]
    made = read_evaluations(out)["toy"]
    assert made.encoder == {
        "model": "vectors",
        "made_of": "vectors",
        "files": {"vectors.npz": file_sha256(file)},
    }
    assert {path.name for path in (out / "ranks").iterdir()} == {
        "toy.parquet",
        "toy.top10.csv",
        "toy.answers.parquet",
    }
    np.savez(file, **{key: vectors[:, ::-1] + 1 for key, vectors in arrays.items()})
    with pytest.raises(ValueError, match=r"given holds what vectors.npz gave on toy; .* choose another"):
        evaluate(file, TOY_BENCHMARK, out)
    with pytest.raises(ValueError, match="model: vectors and other"):
        evaluate(file, replace(TOY_BENCHMARK, name="b"), out, name="other")
    # the same system on another benchmark is other files
    evaluate(file, replace(TOY_BENCHMARK, name="b"), out)


def test_another_object_of_the_same_name_is_refused(encoder: DualEncoder, tmp_path: Path) -> None:
    evaluate(Prefixed(encoder), TOY_BENCHMARK, tmp_path, name="mine")
    other = toy_encoder()
    with torch.no_grad():
        next(other.parameters()).add_(1.0)
    with pytest.raises(ValueError, match=r"another encoder .mine, on toy; different: .*vectors"):
        evaluate(Prefixed(other), TOY_BENCHMARK, tmp_path, name="mine")


def test_vectors_that_are_not_finite_name_language_and_row(encoder: DualEncoder, tmp_path: Path) -> None:
    class Broken(Prefixed):
        def encode_document(self, texts: list[str]) -> np.ndarray[Any, Any]:
            vectors = super().encode_document(texts)
            vectors[[text == TOY_BENCHMARK.candidates["es"][5] for text in texts]] = np.nan
            return vectors

    with pytest.raises(ValueError, match="candidate vectors of 'es': row 5 is not finite"):
        evaluate(Broken(encoder), TOY_BENCHMARK, tmp_path, name="broken")


def test_what_is_no_system_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a dict is no system: give a model, an object with encode"):
        evaluate({}, TOY_BENCHMARK, tmp_path, name="x")


def test_a_name_is_what_results_call_a_system(encoder: DualEncoder, tmp_path: Path) -> None:
    evaluate(encoder, TOY_BENCHMARK, tmp_path, name="the toy")
    assert read_evaluations(tmp_path)["toy"].encoder["model"] == "the toy"
