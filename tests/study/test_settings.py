"""Study files: read strictly, overridden without touching what was made."""

from __future__ import annotations

import json
import re

import pytest

from hybridnb.study.settings import BUILT_IN, Study, changed_name


@pytest.mark.parametrize("name", sorted(path.stem for path in BUILT_IN.glob("*.toml")))
def test_every_built_in_study_loads_and_survives_a_round_trip(name, tmp_path):
    study = Study.load(name)
    assert study.name == name
    copy = tmp_path / "study.json"
    copy.write_text(study.to_json(), encoding="utf-8")
    assert Study.load(copy) == study


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("training.stepz", 3, "unknown setting training.stepz; did you mean training.steps"),
        ("trainings", {}, "did you mean training"),
        ("training.steps", "3", "training.steps is '3'; it must be a whole number"),
        ("training.steps", True, "training.steps is True; it must be a whole number"),
        ("training.steps", 0, "training.steps is 0; it must be at least 1"),
        ("training.temperature", 0.0, "training.temperature is 0.0"),
        ("training.warmup", 1.0, "training.warmup is 1.0"),
        ("strategies", "X-Y", "strategies is 'X-Y'; it must be a list"),
        ("strategies", ["XY"], "no strategy is named 'XY'"),
        ("strategies", ["hybrid(2)"], "alpha is 2.0"),
        ("seeds", [], "seeds is []; it must be a list of at least 1"),
        ("corpus", "opendocs", "corpus is 'opendocs'; it must be a table"),
    ],
)
def test_bad_settings_are_named(setting, value, message):
    with pytest.raises(ValueError, match=r"quick\.toml: ") as error:
        Study.load("quick", {"name": "quick", setting: value})
    assert message in str(error.value)


def test_a_file_that_is_not_toml_or_lacks_settings(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("title = ", encoding="utf-8")
    with pytest.raises(ValueError, match=r"mine\.toml"):
        Study.load(path)
    path.write_text('title = "t"', encoding="utf-8")
    with pytest.raises(ValueError, match="strategies, seeds, benchmarks is missing"):
        Study.load(path)
    with pytest.raises(FileNotFoundError, match=r"other\.toml"):
        Study.load(tmp_path / "other.toml")
    with pytest.raises(ValueError, match="no study 'slow': name one of"):
        Study.load("slow")


def test_overrides_move_the_study_to_directories_of_its_own():
    plain = Study.load("quick")
    other = Study.load("quick", {"corpus.training": "data/my pairs.jsonl.gz", "benchmarks": ["xquad-r"]})
    assert other.name == "quick-my_pairs-xquad-r"
    assert Study.load("quick", {"training.steps": 100}).name == "quick-steps=100"
    assert Study.load("quick", {"seeds": [3, 4]}).name == "quick-seeds=3-4"
    assert (
        changed_name("quick", {"corpus.validation": "", "benchmarks": ["a/faq.jsonl", "cldr"]})
        == "quick-faq-cldr"
    )
    assert plain.only(seeds=[5]).name == "quick"


def test_what_is_drawn_of_a_part_of_a_study_is_named_after_the_part():
    plain = Study.load("quick")
    assert plain.only(strategies=["hybrid(.5)", "X-X"], seeds=[5]).output_name == "quick+hybrid-0.5+X-X+seed5"
    assert plain.only(strategies=["X-Y"]).output_name == "quick+X-Y"
    with pytest.raises(ValueError, match=r"^study quick: seeds"):
        plain.only(seeds=[-1])


def test_the_name_of_a_part_is_never_long():
    """60 characters are written out; of more, a hash, which differs as the parts do."""
    plain = Study.load("quick")
    written = plain.only(seeds=[*range(9), 10]).part
    assert written.startswith("seed0+seed1+") and len(written) == 60
    hashes = [plain.only(seeds=[*range(9), last]).part for last in (100, 101)]
    assert all(re.fullmatch("[0-9a-f]{8}", part) for part in hashes) and len(set(hashes)) == 2


def test_json_written_by_hand_is_checked_like_toml(tmp_path):
    table = json.loads(Study.load("quick").to_json())
    table["training"]["batchsize"] = 3
    path = tmp_path / "study.json"
    path.write_text(json.dumps(table), encoding="utf-8")
    with pytest.raises(ValueError, match=r"did you mean training\.batch_size"):
        Study.load(path)


@pytest.mark.parametrize("name", ["pairs.jsonl", "pairs.jsonl.gz", "there/pairs"])
def test_paths_do_not_depend_on_where_a_notebook_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    assert Study.load("quick", {"corpus.training": name}).corpus.training == name  # it is not there
    (tmp_path / name).touch()
    assert Study.load("quick", {"corpus.training": name}).corpus.training == str(tmp_path / name)
