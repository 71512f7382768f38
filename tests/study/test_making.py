"""Runs on disk: complete, found again by their settings, the same however often they were cut."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from toy import TOY_ITEMS, stopped_at, tiny_xlmr, write_study, write_xquad_r
from transformers import AutoModel

from hybridnb.corpora import load_benchmark
from hybridnb.corpora.jsonl import read_jsonl
from hybridnb.encoders.encoder import DualEncoder
from hybridnb.encoders.settings import EncoderSettings
from hybridnb.measures.questions_file import main_values
from hybridnb.retrieval.ranks_table import read_ranks
from hybridnb.study import making, plan
from hybridnb.study import recording as record
from hybridnb.study.evaluation import evaluate
from hybridnb.study.provenance import code_revision
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED, Recording, Study, Sweep
from hybridnb.training.strategies import Strategy
from hybridnb.training.watching import Progress

pytestmark = pytest.mark.usefixtures("one_thread")

HYBRID = Strategy("hybrid", 0.5)


def changed(settings: Any, **values: Any) -> Any:
    return settings.model_copy(update=values)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a study, its benchmark and one finished run, which no test changes."""
    directory = tmp_path_factory.mktemp("toy")
    write_xquad_r(directory / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hybridnb.study.plan.RUNS", directory / "runs")
        making.finetune(Study.load(write_study(directory)), str(HYBRID), 0)
    return directory


@pytest.fixture
def study(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """The study, with runs of its own to change: a copy of the finished one."""
    shutil.copytree(trained / "runs", tmp_path / "runs")
    monkeypatch.setattr("hybridnb.study.plan.RUNS", tmp_path / "runs")
    monkeypatch.setenv("HYBRIDNB_DATA", str(trained / "data"))
    return Study.load(trained / "toy.toml")


@pytest.fixture
def run(study: Study) -> Run:
    return plan.run_of(study, str(HYBRID), 0)


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
    assert making.finetune(study, str(HYBRID), 0) == run
    assert modified(run.directory) == before


def test_a_run_that_was_cut_ends_the_same(
    run: Run, study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "RUNS", tmp_path / "anew")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Progress, "on_step_end", stopped_at(5))
        making.finetune(study, str(HYBRID), 0)
    cut = plan.run_of(study, "hybrid(0.5)", 0)
    assert not cut.is_trained and (cut.directory / "checkpoints" / "checkpoint-3").is_dir()
    again = making.finetune(study, str(HYBRID), 0)
    assert again.info["resumed_at_step"] == 3
    weights = [(r.encoder_directory / "model.safetensors").read_bytes() for r in (run, again)]
    assert weights[0] == weights[1]
    assert_frame_equal(again.history, run.history)


def test_completing_a_study_makes_what_is_missing_and_no_more(
    run: Run, study: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = run.encoder_directory / "model.safetensors"
    before = weights.stat().st_mtime_ns
    made = making.complete(study)
    assert "1 of 2 runs are not trained yet" in capsys.readouterr().out
    assert [r.strategy for r in made] == ["X-X-mono", "hybrid(0.5)"]
    assert all(r.is_trained and r.is_evaluated("xquad-r") and not r.is_evaluated("cldr") for r in made)
    assert weights.stat().st_mtime_ns == before
    assert len(made[0].ranks("xquad-r")) == 24 * 11 * 11 * 2
    assert len(made[0].top_languages("xquad-r")) == 11 * 11
    after = modified(plan.RUNS)
    assert making.complete(study) == made
    assert capsys.readouterr().out == ""
    assert modified(plan.RUNS) == after


def test_what_cannot_be_read_costs_no_training(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "RUNS", tmp_path / "anew")
    english = changed(study, strategies=("X-X-mono", "X-Y"), languages=("en",))  # X-Y needs two
    with pytest.raises(ValueError, match="in two different languages"):
        making.complete(english)
    broken = tmp_path / "broken" / "lareqa" / "xquad-r" / "en.json"
    write_xquad_r(tmp_path / "broken")
    broken.write_text("{", encoding="utf-8")
    monkeypatch.setenv("HYBRIDNB_DATA", str(tmp_path / "broken"))
    with pytest.raises(ValueError, match=r"en\.json"):
        making.complete(study)
    assert not (tmp_path / "anew").exists()


def test_a_recorded_run_stands_in_for_one_that_is_not_there(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = making.complete(study)
    results, elsewhere = tmp_path / "results", tmp_path / "elsewhere"
    for module in (plan, record):
        monkeypatch.setattr(module, "RESULTS", results)
    more = changed(study, sweeps=(Sweep(strategies=("X-Y",)),))
    lines = [f"{r.label}: recorded" for r in made] + ["X-Y seed 0: not trained here"]
    assert list(record.record(more)) == lines
    assert list(record.record(study)) == lines[:2]  # again, over what is there
    monkeypatch.setattr(plan, "RUNS", elsewhere)
    found = making.complete(study)
    assert [r.directory for r in found] == [results / "toy" / r.directory.name for r in made]
    assert not elsewhere.exists()
    for ours, recorded in zip(made, found, strict=True):
        assert recorded.metrics == ours.metrics and recorded.info == ours.info
        assert_frame_equal(recorded.ranks("xquad-r"), ours.ranks("xquad-r"))
        assert_frame_equal(recorded.answers("xquad-r"), ours.answers("xquad-r"))
    assert not list(results.glob("toy/*/encoder"))
    with pytest.raises(
        FileNotFoundError, match=r"recorded run: it has no results on mlqa-r.*--set name=mine"
    ):
        making.evaluate_run(found[0], "mlqa-r")


def test_only_the_answers_that_are_drawn_are_recorded(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    twice = study.only(strategies=["X-X-mono"], seeds=[0, 1])
    first, second = making.complete(twice)
    assert len(list(record.record(twice))) == 2
    kept = {
        run.seed: {p.name for p in (tmp_path / "toy" / run.directory.name / "ranks").iterdir()}
        for run in (first, second)
    }
    assert kept[0] - kept[1] == {"xquad-r.answers.parquet"} and len(kept[1]) == 2


def test_of_some_seeds_and_benchmarks_no_ranks_are_recorded_and_they_are_evaluated_all_the_same(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (plan, record):
        monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
    twice = changed(study, name="two", seeds=(0, 1), strategies=("X-Y",), languages=("de", "en"))
    made = making.complete(twice)
    kept_as = changed(twice, recording=Recording(ranks_of_seeds=(1,)))
    assert list(record.record(kept_as)) == ["X-Y seed 0: recorded", "X-Y seed 1: recorded"]
    monkeypatch.setattr(plan, "RUNS", tmp_path / "elsewhere")
    found = making.complete(kept_as)
    assert [run.is_ranked("xquad-r") for run in found] == [False, True]
    assert all(run.is_evaluated("xquad-r") for run in found) and not (tmp_path / "elsewhere").exists()
    for ours, recorded in zip(made, found, strict=True):
        for trained in ((), twice.languages):
            wanted = main_values(ours.ranks("xquad-r"), trained)
            assert_frame_equal(recorded.question_values("xquad-r", trained), wanted, check_exact=True)
        assert recorded.pools("xquad-r") == ours.pools("xquad-r")
    with pytest.raises(FileNotFoundError, match="recorded without its ranks table"):
        found[0].ranks("xquad-r")
    # whatever part of the study is asked for; of a run evaluated earlier the ranks are kept, for all is in them
    monkeypatch.setattr(plan, "RUNS", tmp_path / "runs")
    (made[0].directory / "questions" / "xquad-r.parquet").unlink()
    list(record.record(kept_as.only(seeds=[0])))
    assert found[0].is_ranked("xquad-r") and not (found[0].directory / "questions").exists()
    other = changed(twice, benchmarks=("xquad-r", "cldr"), recording=Recording(ranks_of=("cldr",)))
    assert not record._keeps_ranks(other, made[0], "xquad-r") and record._keeps_ranks(other, made[0], "cldr")
    untrained = Run(Path(), NOT_TRAINED, 0)
    assert record._keeps_ranks(other, untrained, "xquad-r")
    assert not record._keeps_ranks(other, untrained, "xquad-r", "means")


def test_a_run_is_trained_and_evaluated_in_the_precision_that_is_asked_for(
    study: Study, tmp_path: Path
) -> None:
    halved = changed(study, name="halved", encoder=changed(study.encoder, precision="bfloat16"))
    run, plain = (making.finetune(s, "X-X-mono", 0) for s in (halved, study))
    assert run.directory != plain.directory
    assert run.info["settings"]["encoder"]["precision"] == "bfloat16"
    losses = run.history["loss"][1:].to_numpy(), plain.history["loss"][1:].to_numpy()
    assert np.abs(losses[0] - losses[1]).max() > 0
    np.testing.assert_allclose(*losses, rtol=0.05)
    weights = load_file(run.encoder_directory / "model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.float32}
    making.evaluate_run(run, "xquad-r")
    in_float32 = evaluate(DualEncoder.load(run.directory), load_benchmark("xquad-r"), tmp_path / "float32")
    sha256 = [
        json.loads((directory / "evaluations.json").read_text())["xquad-r"]["encoder_sha256"]
        for directory in (run.directory, tmp_path / "float32")
    ]
    assert sha256[0] != sha256[1]
    assert run.metrics["xquad-r"]["monolingual"]["map"] == pytest.approx(
        in_float32["monolingual"]["map"], abs=0.05
    )


def test_results_on_what_lay_at_a_path_are_not_those_on_what_lies_there_now(
    study: Study, run: Run, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.jsonl"
    rows = (tmp_path.joinpath(study.corpus.training)).read_text().splitlines(keepends=True)
    mine.write_text("".join(rows[:9]))
    for _ in range(2):
        making.make(study, {run: [str(mine)]})
    assert run.is_evaluated(str(mine))
    assert read_ranks(run.directory / "ranks/mine.parquet", "mine")["query_id"].nunique() == 9
    mine.write_text("".join(rows[1:]))
    with pytest.raises(ValueError, match="holds results on another mine than lies there now: give the study"):
        making.make(study, {run: [str(mine)]})
    mine.unlink()
    making.make(study, {run: [str(mine)]})  # what was found is still there to be shown


def test_leaks_of_the_training_corpus_are_recorded(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    assert record.recorded_leaks(study) == {}
    found = record.record_leaks(study)
    assert found["xquad-r"]["exact"] > 0  # the toy pairs are the toy benchmark's
    assert record.recorded_leaks(study) == found


def test_a_share_of_the_data_is_of_training_documents_alone(study: Study) -> None:
    (whole, held_out), (half, same) = (making.training_data(study.with_fraction(s)) for s in (1, 0.5))
    assert same.sha256 == held_out.sha256
    ids = {item.id for item in whole.items}
    assert 0 < len(half) < len(whole) and {item.id for item in half.items} < ids


def test_the_baseline_is_the_encoder_as_it_was(study: Study) -> None:
    run = making.finetune(study, NOT_TRAINED, 0)
    assert (run.label, run.info["steps"], run.info["pairs_seen"], len(run.history)) == (NOT_TRAINED, 0, 0, 0)
    corpus, _ = making.training_data(study)
    untrained = making.base_encoder(study, corpus, 0)
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
    run = making.finetune(changed(study, name="upper", encoder=encoder, training=training), "hybrid(0.5)", 0)
    assert run.info["model"]["trained"] < run.info["model"]["parameters"]
    assert run.info["best_step"] == 6
    before, after = (
        dict(DualEncoder.load(d, pooling="mean").model.named_parameters()) for d in (base, run.directory)
    )
    differ = {name for name in before if not torch.equal(before[name], after[name])}
    assert differ and all(name.startswith("encoder.layer.1.") for name in differ)
    making.evaluate_run(run, "xquad-r")
    plain = evaluate(DualEncoder.load(run.directory), load_benchmark("xquad-r"), tmp_path / "plain")
    assert run.metrics["xquad-r"]["multilingual"]["map"] == pytest.approx(
        plain["multilingual"]["map"], abs=1e-3
    )


def test_reading_options_reach_the_reader(study: Study) -> None:
    with pytest.raises(ValueError, match="has no items"):
        making.training_data(changed(study, corpus=changed(study.corpus, exclude_sources=("toy",))))


def test_a_run_can_be_fine_tuned_further(run: Run, study: Study) -> None:
    settings = changed(study.encoder, model=str(run.directory), query_prefix="? ")
    corpus, _ = making.training_data(study)
    encoder = making.base_encoder(changed(study, encoder=settings), corpus, 0)
    assert encoder.conventions["query_prefix"] == "? "
    saved = load_file(run.encoder_directory / "model.safetensors")
    assert_array_equal(
        encoder.model.get_input_embeddings().weight.detach(), saved["embeddings.word_embeddings.weight"]
    )


def test_a_run_is_evaluated_before_the_next_is_trained(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def noting(name: str) -> Any:
        real = getattr(making, name)

        def call(*arguments: Any, **options: Any) -> Any:
            of = arguments[0] if isinstance(arguments[0], Run) else arguments[1]
            done.append(f"{name} {of.strategy if isinstance(of, Run) else of}")
            return real(*arguments, **options)

        return call

    for name in ("finetune", "evaluate_run"):
        monkeypatch.setattr(making, name, noting(name))
    making.make(study, plan.planned(study))
    assert done == [
        "finetune X-X-mono",
        "evaluate_run X-X-mono",
        "finetune hybrid(0.5)",
        "evaluate_run hybrid(0.5)",
    ]
