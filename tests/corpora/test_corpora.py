"""Corpora and benchmarks by name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hybridnb import corpora
from hybridnb.corpora.__main__ import main
from hybridnb.corpora.parallel import ParallelCorpus

ROOT = Path(__file__).parents[2]


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "mine.jsonl"
    rows = [
        {"id": str(n), "src": "s", "q": {"en": "q", "de": "f"}, "p": {"en": f"p{n}", "de": f"a{n}"}}
        for n in "12"
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {}]))
    return path


@pytest.mark.parametrize("load", [corpora.training_corpus, corpora.validation_corpus])
def test_path_to_one_s_own_pairs(pairs: Path, load: type[ParallelCorpus]) -> None:
    with pytest.raises(ValueError, match="line 3, field id: missing"):
        load(str(pairs))
    with pytest.warns(UserWarning, match="1 bad row skipped"):
        corpus = load(pairs, languages=["de"], skip_bad=True)
    assert (corpus.name, corpus.languages, len(corpus)) == ("mine", ("de",), 2)
    with pytest.raises(
        FileNotFoundError, match=r"other\.jsonl: no such file; give a JSONL file or one of cldr"
    ):
        load("other.jsonl")


def test_opendocs_takes_the_options_of_its_reader(real_data: Path) -> None:
    corpus = corpora.training_corpus(
        "opendocs", directory=real_data, languages=["en", "tr"], exclude_sources=["ddtp"], context="half"
    )
    assert (corpus.name, corpus.languages) == ("opendocs", ("en", "tr"))
    assert "ddtp" not in corpus.index.sources
    assert any(item.queries["en"].count(": ") for item in corpus.items[:50])


def test_named_sets_come_from_the_directory(real_data: Path) -> None:
    assert corpora.validation_corpus("squadshifts", directory=real_data).name == "squadshifts"
    for name, pool in {"xquad-r": 13_014, "mlqa-r": 20_534, "ntrex": 21_967}.items():
        benchmark = corpora.load_benchmark(name, directory=real_data)
        assert benchmark.name == name
        assert sum(map(len, benchmark.candidates.values())) == pool


@pytest.mark.parametrize(
    ("load", "name", "message"),
    [
        (
            corpora.load_benchmark,
            "xquadr",
            r"no benchmark is named 'xquadr'\. Did you mean 'xquad-r'\?.*miracl-zh",
        ),
        (corpora.load_benchmark, "miracl-xx", r"Did you mean 'miracl-.."),
        (corpora.training_corpus, "opendoc", r"Did you mean 'opendocs'\? Known: cldr, opendocs, mmarco$"),
        (
            corpora.validation_corpus,
            "opendocs",
            r"no validation corpus is named 'opendocs'\. Known: cldr, squad",
        ),
        (corpora.home_of, "cldr", "no data set with files is named 'cldr'"),
    ],
)
def test_unknown_name_lists_the_known(load: type, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(name)


def test_option_that_does_not_apply(real_data: Path) -> None:
    with pytest.raises(ValueError, match="xquad-r takes no 'skip_bad'"):
        corpora.load_benchmark("xquad-r", directory=real_data, skip_bad=True)
    corpora.load_benchmark("xquad-r", directory=real_data, skip_bad=False)


def test_importing_the_names_costs_nothing() -> None:
    code = "import sys, hybridnb.corpora; print(*sorted(m for m in sys.modules if 'numpy' in m or 'hybridnb' in m))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["hybridnb", "hybridnb.corpora"]


@pytest.mark.parametrize("name", sorted({*corpora.CORPORA, *corpora.BENCHMARKS} - {"cldr"}))
def test_every_set_with_files_has_a_home(name: str) -> None:
    if (module := name.split("-")[0]) in ("miracl", "xm3600"):
        pytest.importorskip(f"hybridnb.corpora.{module}")
    home = corpora.home_of(name)
    assert home.name == name
    assert home.files
    assert all(not Path(file.path).is_absolute() for file in home.files)


def test_fetching_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in corpora.home_of("mlqa-r").files:
        path = tmp_path / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert main(["mlqa-r", "--to", str(tmp_path)]) == 0  # all there: nothing is fetched
    assert f"mlqa-r is in {tmp_path}" in capsys.readouterr().out
    assert main(["opendocs", "--to", str(tmp_path)]) == 1
    assert "opendocs/train.jsonl.gz has no public home" in capsys.readouterr().err
    assert main(["squadshift", "--to", str(tmp_path)]) == 1
    assert "Did you mean 'squadshifts'?" in capsys.readouterr().err
