"""Corpora and benchmarks by name."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridnb import corpora
from hybridnb.corpora.cldr.corpus import PHRASINGS
from hybridnb.corpora.parallel import ParallelCorpus
from hybridnb.corpora.sets import cldr
from hybridnb.corpora.source import MissingData, RemoteFile, Source

ROOT = Path(__file__).parents[2]
REGISTRIES = (corpora.BENCHMARKS, corpora.TRAINING, corpora.VALIDATION, corpora.SENTENCES)


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
        FileNotFoundError, match=r"other\.jsonl: no such file; give a file or folder, or one of cldr"
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


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.kind)
def test_a_registered_name_loads_its_own_set(
    registry: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its files are nowhere the error names the set; what is made here bears its name."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("HYBRIDNB_DATA", raising=False)
    for name, data_set in registry.items():
        if data_set.source is None:
            assert data_set.load(None).name.split(":")[0] == name
        else:
            assert data_set.source.name == name
            assert corpora.source_of(name) is data_set.source
            # of miracl the languages are sets of their own, which can be fetched alone
            with pytest.raises(MissingData, match=f"^{name}(-ar)?: no {data_set.source.files[0].path}"):
                data_set.load(None)


def test_every_module_of_the_sets_registers_something() -> None:
    for path in (ROOT / "hybridnb/corpora/sets").glob("[!_]*.py"):
        module = f"hybridnb.corpora.sets.{path.stem}"
        loaders = [data_set.load for registry in REGISTRIES for data_set in registry.values()]
        assert module in {getattr(load, "func", load).__module__ for load in loaders}


def test_every_loader_takes_a_directory_first() -> None:
    for registry in REGISTRIES:
        for name, data_set in registry.items():
            assert next(iter(inspect.signature(data_set.load).parameters)) == "directory", name
            for file in data_set.source.files if data_set.source else ():
                assert not Path(file.path).is_absolute()


@pytest.mark.parametrize(
    ("load", "name", "message"),
    [
        (
            corpora.load_benchmark,
            "xquadr",
            r"no benchmark is named 'xquadr'\. Did you mean 'xquad-r'\?.*miracl-ar.* in all",
        ),
        (corpora.load_benchmark, "miracl-xx", r"Did you mean 'miracl'"),
        (
            corpora.training_corpus,
            "opendoc",
            r"Did you mean 'opendocs'\? Known: cldr, humandocs, mmarco, opendocs$",
        ),
        (
            corpora.validation_corpus,
            "opendocs",
            r"no validation corpus is named 'opendocs'\. Known: cldr, humandocs, squad",
        ),
        (corpora.source_of, "cldr", "cldr is made here: it has no files to fetch"),
        (corpora.source_of, "squadshift", "no data set is named 'squadshift'. Did you mean 'squadshifts'?"),
    ],
)
def test_unknown_name_lists_the_known(load: Any, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(name)


def test_option_that_does_not_apply() -> None:
    with pytest.raises(ValueError, match="ntrex takes no 'context'; it takes skip_bad"):
        corpora.load_benchmark("ntrex", context="half")
    for skip_bad in (False, True):  # of what is made here there are no bad rows
        assert corpora.load_benchmark("cldr", skip_bad=skip_bad).name == "cldr"


def test_importing_the_names_costs_little() -> None:
    heavy = "{'torch', 'pandas', 'scipy', 'datasets', 'pyarrow', 'pooch', 'huggingface_hub'}"
    code = f"import sys, hybridnb.corpora; print(*{heavy} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_content_of_a_path_is_its_bytes(pairs: Path) -> None:
    before = corpora.content_sha256(pairs)
    assert corpora.content_sha256(str(pairs)) == before
    moved = pairs.rename(pairs.with_name("other.jsonl"))
    assert corpora.content_sha256(moved) == before
    times = moved.stat()
    moved.write_bytes(moved.read_bytes().replace(b"q", b"Q"))
    import os

    os.utime(moved, ns=(times.st_atime_ns, times.st_mtime_ns))  # same path, size and time of change
    assert corpora.content_sha256(moved) != before
    with pytest.raises(FileNotFoundError, match="no such file"):
        corpora.content_sha256("nowhere.jsonl")


def test_content_of_cldr_is_babel_and_the_phrasings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = corpora.content_sha256("cldr")
    with monkeypatch.context() as patch:
        patch.setattr(cldr.metadata, "version", lambda name: "0")
        assert corpora.content_sha256("cldr") != before
    for file in Path(str(PHRASINGS)).iterdir():
        (tmp_path / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(cldr, "PHRASINGS", tmp_path)
        assert corpora.content_sha256("cldr") == before
        (tmp_path / "tr.toml").write_text("")
        assert corpora.content_sha256("cldr") != before


def test_content_of_a_named_set_is_the_pinned_one_until_another_lies_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("HYBRIDNB_DATA", raising=False)
    names = [name for registry in REGISTRIES for name in registry]
    digests = {name: corpora.content_sha256(name) for name in names}
    assert len(set(digests.values())) == len(set(names))
    changed = tmp_path / corpora.source_of("xquad-r").files[3].path
    changed.parent.mkdir(parents=True)
    changed.write_text("another")
    assert corpora.content_sha256("xquad-r", tmp_path) != digests["xquad-r"]
    assert corpora.content_sha256("xquad-r") == digests["xquad-r"]


def test_content_is_the_same_in_every_form(real_data: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("HYBRIDNB_DATA", raising=False)
    for name in ("xquad-r", "ntrex", "squadshifts", "miracl-sw", "opendocs", "flores", "xnli", "humandocs"):
        assert corpora.content_sha256(name, real_data) == corpora.content_sha256(name)


@given(st.sets(st.sampled_from(sorted(corpora.BENCHMARKS)), min_size=2, max_size=2))
def test_no_two_sets_share_a_file(names: set[str]) -> None:
    """But for the pools of all languages and those they are made of."""
    files = [
        {file.path for file in data_set.source.files} if data_set.source else set()
        for data_set in (corpora.BENCHMARKS[name] for name in names)
    ]
    assert not set.intersection(*files) or names & {"miracl", "miracl-judged"}


def test_registering_asks_for_a_source_or_what_it_is_made_of() -> None:
    source = Source("a", "here", (RemoteFile("a"),))
    with pytest.raises(ValueError, match="give either a source or what it is made of"):
        corpora.DataSet("a", lambda directory: None, None)
    with pytest.raises(ValueError, match="give either a source or what it is made of"):
        corpora.DataSet("a", lambda directory: None, source, lambda: 1)


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("mlqa-r", "mlqa-r"),
        ("faq", "faq"),
        ("faq.jsonl", "faq"),
        (Path("data/faq.v2.jsonl.gz"), "faq.v2"),
        ("my beir/", "my_beir"),
        ("a/b/..", "a"),
        ("/data/häuser?", "häuser_"),
    ],
)
def test_the_name_of_a_benchmark(spec: str | Path, name: str) -> None:
    assert corpora.benchmark_name(spec) == name
    assert corpora.benchmark_name(name) == name
