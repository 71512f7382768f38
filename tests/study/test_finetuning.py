"""One run on disk: complete, found again by its settings, the same however often it was cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from toy import TOY_ITEMS, stopped_at, tiny_xlmr
from transformers import AutoModel

from hybridnb.corpora import load_benchmark
from hybridnb.corpora.jsonl import read_jsonl
from hybridnb.encoders.encoder import DualEncoder
from hybridnb.encoders.settings import EncoderSettings
from hybridnb.study import plan
from hybridnb.study.data import training_data
from hybridnb.study.evaluation import evaluate
from hybridnb.study.finetuning import base_encoder, finetune
from hybridnb.study.provenance import code_revision
from hybridnb.study.run_evaluation import evaluate_run
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED, Study
from hybridnb.training.strategies import Strategy
from hybridnb.training.watching import Progress

pytestmark = pytest.mark.usefixtures("one_thread")

HYBRID = Strategy("hybrid", 0.5)


def changed(settings: Any, **values: Any) -> Any:
    return settings.model_copy(update=values)


def modified(directory: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in directory.rglob("*")}


def test_a_run_is_whole_and_nothing_is_left_over(run: Run) -> None:
    assert run.is_trained and run.label == "hybrid(0.5) seed 0"
    assert run.directory.parent == plan.RUNS / "toy"
    assert run.directory.name.startswith("hybrid-0.5-seed0-")
    assert {path.name for path in run.directory.iterdir()} == {"run.json", "history.csv", "encoder"}
    assert run.history["step"].tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert run.history["validation"].notna().tolist() == [True] + [False, False, True] * 2


def test_run_json_says_what_made_it(run: Run, study: Study) -> None:
    info = run.info
    assert (info["study"], info["strategy"], info["seed"]) == ("toy", "hybrid(0.5)", 0)
    assert info["code"] == code_revision()
    assert info["languages"] == ["de", "en", "es"]
    settings = study.model_dump(mode="json", include={"corpus", "encoder", "training"})
    assert info["settings"] == json.loads(json.dumps(settings))
    train, held_out = read_jsonl(study.corpus.training).split(0.35)
    assert info["corpora"] == {
        corpus.name: {"items": len(corpus), "sha256": corpus.sha256} for corpus in (train, held_out)
    }
    encoder = AutoModel.from_pretrained(run.encoder_directory, add_pooling_layer=False)
    assert info["model"]["name"] == "small" and info["model"]["pooling"] == "mean"
    assert info["model"]["parameters"] == encoder.num_parameters()
    assert (info["steps"], info["pairs_seen"], info["resumed_at_step"]) == (6, 24, 0)
    by_step = run.history.set_index("step")["validation"]
    assert info["best_step"] == by_step.loc[1:].idxmin()
    assert info["seconds"] > 0 and info["device"] and info["speed"]["pairs_per_second"] > 0
    assert (
        info["versions"]["torch"] == torch.__version__.split("+")[0]
        or info["versions"]["torch"] == torch.__version__
    )


def test_the_encoder_is_read_by_the_libraries_people_use(run: Run) -> None:
    texts = [TOY_ITEMS[0].queries["de"], TOY_ITEMS[5].passages["en"]]
    ours = DualEncoder.load(run.directory).encode(texts, "query", progress=False)
    theirs = SentenceTransformer(str(run.encoder_directory), device="cpu").encode(texts, prompt_name="query")
    assert_allclose(theirs, ours, atol=1e-6)
    assert AutoModel.from_pretrained(run.encoder_directory).config.hidden_size == ours.shape[1] == 16


def test_a_finished_run_is_left_alone(run: Run, study: Study) -> None:
    before = modified(run.directory)
    assert finetune(study, str(HYBRID), 0) == run
    assert modified(run.directory) == before


def test_a_run_that_was_cut_ends_the_same(
    run: Run, study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "RUNS", tmp_path / "anew")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Progress, "on_step_end", stopped_at(5))
        finetune(study, str(HYBRID), 0)
    cut = plan.run_of(study, "hybrid(0.5)", 0)
    assert not cut.is_trained and (cut.directory / "checkpoints" / "checkpoint-3").is_dir()
    again = finetune(study, str(HYBRID), 0)
    assert again.info["resumed_at_step"] == 3
    weights = [(r.encoder_directory / "model.safetensors").read_bytes() for r in (run, again)]
    assert weights[0] == weights[1]
    assert_frame_equal(again.history, run.history)


def test_a_run_is_trained_and_evaluated_in_the_precision_that_is_asked_for(
    study: Study, tmp_path: Path
) -> None:
    halved = changed(study, name="halved", encoder=changed(study.encoder, precision="bfloat16"))
    run, plain = (finetune(s, "X-X-mono", 0) for s in (halved, study))
    assert run.directory != plain.directory
    assert run.info["settings"]["encoder"]["precision"] == "bfloat16"
    losses = run.history["loss"][1:].to_numpy(), plain.history["loss"][1:].to_numpy()
    assert np.abs(losses[0] - losses[1]).max() > 0
    np.testing.assert_allclose(*losses, rtol=0.05)
    weights = load_file(run.encoder_directory / "model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.float32}
    evaluate_run(run, "xquad-r")
    in_float32 = evaluate(DualEncoder.load(run.directory), load_benchmark("xquad-r"), tmp_path / "float32")
    sha256 = [
        json.loads((directory / "evaluations.json").read_text())["xquad-r"]["encoder_sha256"]
        for directory in (run.directory, tmp_path / "float32")
    ]
    assert sha256[0] != sha256[1]
    assert run.metrics["xquad-r"]["monolingual"]["map"] == pytest.approx(
        in_float32["monolingual"]["map"], abs=0.05
    )


def test_the_baseline_is_the_encoder_as_it_was(study: Study) -> None:
    run = finetune(study, NOT_TRAINED, 0)
    assert (run.label, run.info["steps"], run.info["pairs_seen"], len(run.history)) == (NOT_TRAINED, 0, 0, 0)
    corpus, _ = training_data(study)
    untrained = base_encoder(study, corpus, 0)
    texts = list(TOY_ITEMS[0].passages.values())
    kept = DualEncoder.load(run.directory)
    assert_array_equal(*(e.encode(texts, "passage", progress=False) for e in (kept, untrained)))
    longer = changed(study, training=changed(study.training, steps=7))
    assert plan.run_of(longer, NOT_TRAINED, 0) == run


def test_upper_layers_are_trained_from_shared_lower_ones(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a base model on disk, dropout off, upper layer only; evaluated above the frozen one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    base = tiny_xlmr(tmp_path / "base")
    encoder = EncoderSettings(model=str(base), trained_layers=1, dropout=0.0)
    training = changed(study.training, sort_by_length=True, max_query_length=28, keep_best=False)
    run = finetune(changed(study, name="upper", encoder=encoder, training=training), "hybrid(0.5)", 0)
    assert run.info["model"]["trained"] < run.info["model"]["parameters"]
    assert run.info["best_step"] == 6
    before, after = (
        dict(DualEncoder.load(d, pooling="mean").model.named_parameters()) for d in (base, run.directory)
    )
    differ = {name for name in before if not torch.equal(before[name], after[name])}
    assert differ and all(name.startswith("encoder.layer.1.") for name in differ)
    evaluate_run(run, "xquad-r")
    plain = evaluate(DualEncoder.load(run.directory), load_benchmark("xquad-r"), tmp_path / "plain")
    assert run.metrics["xquad-r"]["multilingual"]["map"] == pytest.approx(
        plain["multilingual"]["map"], abs=1e-3
    )


def test_a_run_can_be_fine_tuned_further(run: Run, study: Study) -> None:
    settings = changed(study.encoder, model=str(run.directory), query_prefix="? ")
    corpus, _ = training_data(study)
    encoder = base_encoder(changed(study, encoder=settings), corpus, 0)
    assert encoder.conventions["query_prefix"] == "? "
    saved = load_file(run.encoder_directory / "model.safetensors")
    assert_array_equal(
        encoder.model.get_input_embeddings().weight.detach(), saved["embeddings.word_embeddings.weight"]
    )
