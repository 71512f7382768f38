"""Debiasings by number of sentences and in languages that they were not fitted on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pandas.testing import assert_frame_equal
from toy import TOY_BENCHMARK, toy_encoder, write_study, write_xquad_r

from hybridnb.debiasing import SentenceVectors, fit
from hybridnb.encoders.encoder import DualEncoder
from hybridnb.measures.metrics import summary
from hybridnb.retrieval.embeddings import encode_benchmark
from hybridnb.retrieval.mapped import mapped
from hybridnb.retrieval.ranking import exact_ranks
from hybridnb.study import making, plan, recording
from hybridnb.study.curves import curves
from hybridnb.study.runs import CURVES, Run, curves_file
from hybridnb.study.settings import Study

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def encoder() -> DualEncoder:
    return toy_encoder()


@pytest.fixture(scope="module")
def sentences(encoder: DualEncoder) -> SentenceVectors:
    random = np.random.default_rng(0)

    def side() -> dict[str, np.ndarray]:
        found = {}
        for code in ("de", "en"):
            vectors = random.normal(size=(120, encoder.dimension)).astype(np.float32)
            found[code] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return found

    return SentenceVectors(query=side(), passage=side())


def test_a_point_of_the_curve_is_the_method_on_so_many_sentences(
    encoder: DualEncoder, sentences: SentenceVectors
) -> None:
    vectors = encode_benchmark(encoder, TOY_BENCHMARK, cache=None)
    table = curves(TOY_BENCHMARK, vectors, sentences, ["means", "lsar"], [60, 500])
    assert list(table) == list(CURVES) and sorted(set(table["sentences"])) == [60, 120]
    rows = np.arange(60) * 2
    few = SentenceVectors(
        query={code: of[rows] for code, of in sentences.query.items()},
        passage={code: of[rows] for code, of in sentences.passage.items()},
    )
    means = fit("means", few)
    ranks = exact_ranks(
        TOY_BENCHMARK, mapped(vectors[0], means, "query"), mapped(vectors[1], means, "passage")
    )
    expected = summary(ranks)["multilingual"]["map"]
    found = table.query(
        "method == 'means' and sentences == 60 and task == 'multilingual' and metric == 'map'"
    )
    assert found["value"].to_list() == [pytest.approx(expected)]


def test_a_study_keeps_the_curves_of_its_first_run_and_records_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("plan", "recording"):
        monkeypatch.setattr(f"hybridnb.study.{module}.RESULTS", tmp_path / "results")
    monkeypatch.setattr("hybridnb.study.plan.RUNS", tmp_path / "runs")
    write_xquad_r(tmp_path / "data")
    monkeypatch.setenv("HYBRIDNB_DATA", str(tmp_path / "data"))
    debiasing = {
        "methods": ["means"],
        "sentences": ["training"],
        "curve": {"counts": [100], "unseen": ["de"]},
    }
    overrides = {"debiasing": debiasing, "name": "toy"}
    sweep = [{"strategies": ["X-X"]}]
    study = Study.load(write_study(tmp_path), overrides | {"sweeps": sweep})
    runs = plan.planned(study)
    making.make(study, runs)
    first, *others = runs
    table = first.curves("xquad-r")
    assert set(table["scope"]) == {"all", "seen", "unseen"} and set(table["left_out"]) == {"", "de"}
    assert not any(curves_file(run.directory, "xquad-r").exists() for run in others)
    assert [run.is_debiased("xquad-r", "means") for run in runs] == [True, True, False]
    assert list(recording.record(study)) == [f"{run.label}: recorded" for run in runs]
    recorded = tmp_path / "results" / "toy" / first.directory.name
    assert_frame_equal(Run(recorded, "", 0).curves("xquad-r"), table)
    assert curves_file(recorded, "xquad-r").with_suffix(".json").is_file()


def test_damaged_curves_are_named(tmp_path: Path) -> None:
    file = curves_file(tmp_path, "xquad-r")
    file.parent.mkdir()
    file.write_text("method,sentences\nmeans,4\n")
    with pytest.raises(ValueError, match=r"curves\.csv is damaged"):
        Run(tmp_path, "X-Y", 0).curves("xquad-r")
    assert Run(tmp_path, "X-Y", 0).curves("mlqa-r").empty
