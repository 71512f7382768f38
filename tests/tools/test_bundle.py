"""A bundle is a data directory: what was found before is found there, with the same content."""

from __future__ import annotations

import gzip
import json
import tarfile
from pathlib import Path

import pytest
from toy import TOY_ITEMS, write_xquad_r

from hybridnb.corpora import load_benchmark
from hybridnb.corpora.settings import CorpusSettings
from hybridnb.debiasing.settings import DebiasingSettings
from hybridnb.encoders.settings import EncoderSettings
from hybridnb.study.data import debiasing_sentences, training_data
from hybridnb.study.settings import Study
from tools.bundle import bundle


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    data = write_xquad_r(tmp_path / "data")
    (data / "opendocs").mkdir()
    rows = [{"id": i.id, "src": i.source, "q": i.queries, "p": i.passages} for i in TOY_ITEMS]
    with gzip.open(data / "opendocs" / "train.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    monkeypatch.setenv("HYBRIDNB_DATA", str(data))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (data / "flores").mkdir()
    sentences = ({"id": i.id, "t": i.queries} for i in TOY_ITEMS)
    with gzip.open(data / "flores" / "sentences.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in sentences)
    return Study(
        name="toy",
        title="Toy",
        strategies=("X-Y",),
        seeds=(0,),
        benchmarks=("xquad-r",),
        corpus=CorpusSettings(training="opendocs", held_out=0.35),
        debiasing=DebiasingSettings(methods=("means",), sentences=("flores", "training")),
    )


def test_the_unpacked_bundle_stands_in_for_the_data_directory(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def content() -> list[str]:
        sides = [side for of_set in debiasing_sentences(study) for side in of_set]
        return [part.sha256 for part in (*training_data(study), load_benchmark("xquad-r"), *sides)]

    before = content()
    file = bundle(study, tmp_path / "out" / "toy.tar.gz")
    assert [path.name for path in file.parent.iterdir()] == ["toy.tar.gz"]
    with tarfile.open(file) as archive:
        archive.extractall(tmp_path / "there", filter="data")
    monkeypatch.setenv("HYBRIDNB_DATA", str(tmp_path / "there"))
    assert content() == before


def test_models_of_a_name_are_not_bundled(study: Study, tmp_path: Path) -> None:
    hub = study.model_copy(update={"encoder": EncoderSettings(model="xlm-roberta-base")})
    with pytest.raises(ValueError, match=r"encoder.model is 'xlm-roberta-base'.*take the model's directory"):
        bundle(hub, tmp_path / "toy.tar.gz")
