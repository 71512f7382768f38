"""An exported encoder: what sentence-transformers loads of it, silently; its card, whose example runs; as ONNX."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch
from huggingface_hub import ModelCard
from numpy.testing import assert_allclose
from sentence_transformers import SentenceTransformer
from toy import NAMES, TEMPLATES, TEXTS, tiny_labse, tiny_xlmr, write_study, write_xquad_r

from hybridnb import corpora
from hybridnb.cli import main
from hybridnb.encoders.encoder import DualEncoder
from hybridnb.report.card import model_card
from hybridnb.report.export import export
from hybridnb.study import making
from hybridnb.study.named import named_run
from hybridnb.study.settings import Study

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with runs/toy: two runs, evaluated on XQuAD-R as they are and with two debiasings."""
    home = tmp_path_factory.mktemp("home")
    places = [f"{one} {other}" for one in NAMES[:12] for other in NAMES[12:]]
    rows = [{code: query.format(place) for code, (query, _) in TEMPLATES.items()} for place in places]
    (home / "places.csv").write_text(pd.DataFrame(rows).to_csv(index=False))
    settings = {
        "name": "toy",
        "debiasing.methods": ["one-map", "means"],
        "debiasing.sentences": [str(home / "places.csv")],
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hybridnb.study.plan.RUNS", home / "runs")
        patch.setattr("hybridnb.study.named.RUNS", home / "runs")
        patch.setenv("HYBRIDNB_DATA", str(write_xquad_r(home / "data")))
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        making.complete(Study.load(write_study(home), settings))
        yield home


def test_a_run_s_encoder_and_all_that_is_exported_load_silently_and_the_card_s_example_runs(
    home: Path, tmp_path: Path
) -> None:
    run = named_run("toy/X-X-mono-seed0")
    export(run, tmp_path / "plain")
    export(run, tmp_path / "fair", debias="one-map")
    directories = [run.encoder_directory, tmp_path / "plain"]
    # with a pooler in the files and without one, used or not
    for make, pooling in ((tiny_labse, "mean"), (tiny_labse, "pooler"), (tiny_xlmr, "mean")):
        directories.append(tmp_path / f"{make.__name__}-{pooling}")
        DualEncoder.load(make(tmp_path / make.__name__), pooling=pooling).save(directories[-1])
    card = (tmp_path / "fair" / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    load = "import sys\nfor path in sys.argv[1:]: SentenceTransformer(path, device='cpu').encode_query(['a'])"
    # a process with nothing of this package
    command = [sys.executable, "-W", "error", "-c", f"{example}\n{load}", *map(str, directories)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if not line.startswith("Loading weights: ")]
    assert list(filter(None, said)) == []
    assert re.fullmatch(r"tensor\(\[\[-?[\d.]+, +-?[\d.]+\]\]\)\n", done.stdout)


def test_the_vectors_are_the_run_s_and_with_a_map_those_that_were_measured(
    home: Path, tmp_path: Path
) -> None:
    run = named_run("toy/hybrid(0.5) seed 0")
    encoder = DualEncoder.load(run.encoder_directory)
    export(run, tmp_path / "plain")
    export(run, tmp_path / "fair", debias="one-map")
    plain, fair = (SentenceTransformer(str(tmp_path / name), device="cpu") for name in ("plain", "fair"))
    assert_allclose(plain.encode_query(TEXTS), encoder.encode(TEXTS, "query"), atol=1e-5)
    evaluate = ["evaluate", str(tmp_path / "fair"), "--benchmark", "xquad-r", "--out", str(tmp_path / "out")]
    assert main(evaluate) == 0
    measured = json.loads((tmp_path / "out" / "metrics.json").read_text())["xquad-r"]["multilingual"]["map"]
    assert measured == pytest.approx(
        run.debiased("one-map").metrics["xquad-r"]["multilingual"]["map"], abs=1e-3
    )
    assert np.abs(fair.encode_query(TEXTS) - plain.encode_query(TEXTS)).max() > 1e-3


def test_the_card_s_header_is_what_the_hub_reads(home: Path, tmp_path: Path) -> None:
    export(named_run("toy/X-X-mono-seed0"), tmp_path / "mine")
    data = ModelCard.load(tmp_path / "mine" / "README.md").data.to_dict()
    assert data["library_name"] == "sentence-transformers"
    assert data["language"] == ["de", "en", "es"]
    assert "base_model" not in data and "datasets" not in data and "license" not in data
    assert {"sentence-transformers", "multilingual"} <= set(data["tags"])


def test_the_card_of_a_recorded_run_names_its_base_its_data_and_their_licences() -> None:
    run = named_run("e5/X-Y seed 0")
    conventions = {**run.info["model"], "similarity": "cosine"}
    text = model_card(run, "mine", conventions)
    data = ModelCard(text).data.to_dict()
    assert (data["base_model"], data["license"]) == ("intfloat/multilingual-e5-small", "mit")
    assert corpora.TRAINING["opendocs"].licence in text and "CC-BY-SA-4.0" in text
    for code, values in run.metrics["xquad-r"]["monolingual"]["by_language"].items():
        assert re.search(rf"\| {code} +\| {values['map']:.3f}", text)
    assert run.info["code"] in text and "put `query: ` before queries" in text


@pytest.mark.parametrize("registry", corpora.REGISTRIES, ids=lambda registry: registry.kind)
def test_every_data_set_states_a_licence(registry: Any) -> None:
    assert [name for name, data_set in registry.items() if data_set.licence == "not stated"] == []


def test_the_card_s_numbers_are_those_of_metrics_json(home: Path, tmp_path: Path) -> None:
    run = named_run("toy/X-X-mono-seed0")
    export(run, tmp_path / "mine", debias="one-map")
    text = (tmp_path / "mine" / "README.md").read_text(encoding="utf-8")
    for system in (run, run.debiased("one-map")):
        assert f"{system.metrics['xquad-r']['multilingual']['map']:.4f}" in text
        assert f"{system.metrics['xquad-r']['multilingual']['rank_distance']:.1f}" in text
    by_language = run.debiased("one-map").metrics["xquad-r"]["monolingual"]["by_language"]
    for code, values in by_language.items():
        assert re.search(rf"\| {code} +\| {values['map']:.3f}", text)
    assert "X-X-mono" in text and "seed 0" in text and run.info["code"] in text
    assert str(home) not in text  # where one's own data lies


def test_as_onnx_the_vectors_are_the_same_for_any_number_and_length_of_texts(
    home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(["export", "toy/X-X-mono-seed0", str(tmp_path / "mine"), "--debias", "one-map", "--onnx"]) == 0
    )
    said = capfd.readouterr()
    assert said.err == "" and len(said.out.splitlines()) == 1
    encoder = DualEncoder.load(tmp_path / "mine")  # what lies in onnx/ is in nobody's way
    session = onnxruntime.InferenceSession(str(tmp_path / "mine" / "onnx" / "model.onnx"))
    behind = SentenceTransformer(modules=list(encoder.network)[1:])
    for texts in (TEXTS, TEXTS[:1], ["a", "b", "c"]):
        features = encoder.tokenize(texts, "query")
        (states,) = session.run(["last_hidden_state"], {name: of.numpy() for name, of in features.items()})
        found = behind({**features, "token_embeddings": torch.from_numpy(states)}, task="query")
        expected = encoder.encode(texts, "query", progress=False)
        assert_allclose(found["sentence_embedding"].detach().numpy(), expected, atol=1e-4)


def test_without_what_writes_onnx_nothing_is_left(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ValueError, match=r"pip install 'hybridnb\[onnx\]'"):
        export(named_run("toy/X-X-mono-seed0"), tmp_path / "out", onnx=True)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_exported_is_said(home: Path, tmp_path: Path) -> None:
    run = named_run("toy/X-X-mono-seed0")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(FileExistsError, match="full is there already"):
        export(run, tmp_path / "full")
    with pytest.raises(
        FileNotFoundError, match=r"no debiasing 'lsar': the run has means, one-map; `hybridnb debias"
    ):
        export(run, tmp_path / "out", debias="lsar")
    with pytest.raises(ValueError, match="means needs the language of every text"):
        export(run, tmp_path / "out", debias="means")
    other = named_run("toy/hybrid-0.5-seed0").debiased("one-map").directory
    with pytest.warns(UserWarning, match="fitted to the vectors of another encoder"):
        export(run, tmp_path / "other", debias=str(other))
    # what the run's own map does is not said of another
    text = (tmp_path / "other" / "README.md").read_text(encoding="utf-8")
    assert "Not evaluated with `one-map`." in text and "xquad-r, one-map" not in text
    with pytest.raises(
        FileNotFoundError,
        match=r"`hybridnb train e5 --strategy 'X-Y' --seed 0 --set name=mine` trains it, as mine/X-Y-seed0",
    ):
        export(named_run("e5/X-Y-seed0"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
