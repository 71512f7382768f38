"""What a run is known by: every setting that acts and the content of its files, no name and no path."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from toy import tiny_xlmr, write_study

from hybridnb.study.identity import differences, fingerprint, identity, recorded_identity
from hybridnb.study.settings import NOT_TRAINED, Study


def of(study: Study, strategy: str = "X-Y", seed: int = 0) -> str:
    return fingerprint(identity(study, strategy, seed))


def with_training(study: Study, **values: Any) -> Study:
    return study.model_copy(update={"training": study.training.model_copy(update=values)})


def test_strategy_and_seed_act_but_what_else_a_study_holds_does_not() -> None:
    study = Study.load("quick")
    assert (
        len(
            {of(s) for s in (study, study.only(seeds=[1, 2]), Study.load("quick", {"benchmarks": ["ntrex"]}))}
        )
        == 1
    )
    assert len({of(study), of(study, seed=1), of(study, "X-X")}) == 3


OTHER = {
    "corpus": {"training": "opendocs", "validation": "", "held_out": 0.06, "weights": 2.0, "exclude_sources": ["a"],
               "context": "half", "fraction": 0.5},
    "encoder": {"vocabulary": 900, "layers": 3, "hidden": 160, "heads": 2, "trained_layers": 1, "dropout": 0.1,
                "precision": "bfloat16"},
    "training": {"steps": 401, "batch_size": 99, "draws": "paired", "temperature": 0.06, "learning_rate": 3e-3,
                 "weight_decay": 0.02, "warmup": 0.2, "schedule": "cosine", "max_gradient_norm": 2.0,
                 "evaluate_every": 50, "patience": 1, "chunk": 8, "hard_negatives": True,
                 "validation_batches": 3, "validation_batch_size": 32, "keep_best": False,
                 "sort_by_length": True, "max_query_length": 20, "max_passage_length": 20},
}  # fmt: skip


def test_every_setting_of_corpus_encoder_and_training_acts() -> None:
    plain = Study.load("quick")
    for section, values in OTHER.items():
        for key, value in values.items():
            other = Study.load("quick", {"name": "quick", f"{section}.{key}": value})
            assert of(other) != of(plain), f"{section}.{key}"
        its_own = {
            "model",
            "pooling",
            "query_prefix",
            "passage_prefix",
            "max_query_length",
            "max_passage_length",
        }
        known = set(type(getattr(plain, section)).model_fields)
        assert known - set(values) <= (its_own if section == "encoder" else set())


def test_another_default_is_another_run(monkeypatch: pytest.MonkeyPatch) -> None:
    before = of(Study.load("quick"))
    from hybridnb.training.settings import TrainingSettings

    class Other(TrainingSettings):
        warmup: float = 0.3

    study = Study.load("quick")
    assert "warmup" not in study.training.model_fields_set
    values = study.training.model_dump(exclude_unset=True)
    assert of(study.model_copy(update={"training": Other(**values)})) != before


def test_the_content_of_files_acts_and_their_place_does_not(tmp_path: Path) -> None:
    places = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        shutil.copytree(
            tiny_xlmr(tmp_path / "base") if name == "a" else tmp_path / "base", tmp_path / name / "model"
        )
        file = write_study(tmp_path / name)
        places.append(Study.load(file, {"name": "toy", "encoder.model": str(tmp_path / name / "model")}))
    assert of(places[0]) == of(places[1])
    pairs = tmp_path / "b" / "pairs.jsonl"
    whole = pairs.read_text(encoding="utf-8")
    pairs.write_text(whole.replace("wohnt", "lebt", 1), encoding="utf-8")
    assert of(places[0]) != of(places[1])
    pairs.write_text(whole, encoding="utf-8")
    assert of(places[0]) == of(places[1])
    weights = tmp_path / "b" / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"abcd")
    assert of(places[0]) != of(places[1])


def test_the_version_of_babel_acts(monkeypatch: pytest.MonkeyPatch) -> None:
    before = of(Study.load("quick"))
    monkeypatch.setattr("importlib.metadata.version", lambda name: "1.0")
    assert of(Study.load("quick")) != before


def test_training_does_not_act_on_an_encoder_that_is_not_trained() -> None:
    study = Study.load("quick")
    assert of(study, NOT_TRAINED) == of(with_training(study, steps=7), NOT_TRAINED)
    assert of(study) != of(with_training(study, steps=7))


def test_a_run_json_of_earlier_days_is_understood() -> None:
    study = Study.load("e5")
    wanted = identity(study, "X-Y", 3)
    settings = {section: dict(values) for section, values in wanted["settings"].items()}
    settings["corpus"]["share"] = settings["corpus"].pop("fraction")
    settings["training"]["mined_negatives"] = settings["training"].pop("hard_negatives")
    del settings["training"]["chunk"]  # not known then
    info = {"strategy": "X-Y", "seed": 3, "languages": list(study.languages), "settings": settings}
    assert differences(recorded_identity(info), wanted) == []
    assert differences(recorded_identity(info), identity(study, "X-Y", 2)) == ["seed: 3 and 2"]
    chunked = identity(with_training(study, chunk=4), "X-Y", 3)
    assert differences(recorded_identity(info), chunked) == ["settings.training.chunk: 0 and 4"]
    assert recorded_identity({"identity": wanted}) == wanted
    settings["corpus"]["share"], settings["training"]["mined_negatives"] = 0.5, True
    assert differences(recorded_identity(info), wanted) == [
        "settings.corpus.fraction: 0.5 and 1.0",
        "settings.training.hard_negatives: True and False",
    ]
