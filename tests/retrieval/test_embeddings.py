"""A benchmark's vectors, and the parts in which they are kept."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from toy import SENTENCES, tiny_xlmr

from hybridnb.corpora.benchmark import Benchmark, Queries
from hybridnb.corpora.sentences import ParallelSentences, Sides
from hybridnb.encoders.encoder import DualEncoder
from hybridnb.encoders.kinds import Kind
from hybridnb.retrieval import embeddings
from hybridnb.retrieval.embeddings import encode_benchmark, encode_sentences, encode_share
from hybridnb.retrieval.nearest import top_languages
from hybridnb.retrieval.ranking import exact_ranks
from hybridnb.retrieval.vectors import Parted, Vectors


def benchmark(extra: str = "") -> Benchmark:
    """Two languages with different numbers of candidates; a query's text is a candidate too."""
    en, de = SENTENCES["en"] + extra, SENTENCES["de"]
    return Benchmark(
        "toy",
        queries={"en": Queries(["a", "b"], [en, "dignity"]), "de": Queries(["a"], [de])},
        candidates={"en": [en, "rights", "free"], "de": [de, en]},
        relevance={"a": {"en": [0], "de": [0]}, "b": {"en": [1]}},
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_xlmr(tmp_path_factory.mktemp("models") / "xlm-roberta-tiny")


@pytest.fixture
def encoder(model: Path) -> DualEncoder:
    return DualEncoder.load(model)


def test_vectors_by_language_with_each_sides_prefix(encoder: DualEncoder) -> None:
    toy = benchmark()
    queries, candidates = encode_benchmark(encoder, toy, cache=None)
    assert {k: v.shape for k, v in queries.items()} == {"en": (2, 32), "de": (1, 32)}
    assert {k: v.shape for k, v in candidates.items()} == {"en": (3, 32), "de": (2, 32)}
    for language in ("en", "de"):
        alone = encoder.encode(toy.queries[language].texts, "query", progress=False)
        np.testing.assert_allclose(queries[language], alone, atol=2e-6)
        alone = encoder.encode(toy.candidates[language], "passage", progress=False)
        np.testing.assert_allclose(candidates[language], alone, atol=2e-6)
    assert np.abs(queries["en"][0] - candidates["en"][0]).max() > 1e-3


def refuses(*_: object, **__: object) -> None:
    pytest.fail("encoded again")


def test_the_cache_gives_the_same_without_encoding(
    encoder: DualEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = encode_benchmark(encoder, benchmark(), cache=tmp_path / "cache")
    plain = encode_benchmark(encoder, benchmark(), cache=None)
    monkeypatch.setattr(encoder, "encode", refuses)
    second = encode_benchmark(encoder, benchmark(), cache=tmp_path / "cache")
    assert_same(first, second)
    assert_same(first, plain)
    assert {path.name.partition("-")[0] for path in kept(tmp_path)} == {"query", "passage"}


def assert_same(one: tuple[Vectors, Vectors], other: tuple[Vectors, Vectors]) -> None:
    for mine, theirs in zip(one, other, strict=True):
        assert mine.keys() == theirs.keys()
        for language in mine:
            assert_array_equal(mine[language][:], theirs[language][:])
            assert theirs[language][:].dtype == np.float32


def kept(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


def test_a_part_belongs_to_an_encoder_and_its_texts(encoder: DualEncoder, tmp_path: Path) -> None:
    encode_benchmark(encoder, benchmark(), cache=tmp_path)
    assert len(kept(tmp_path)) == 2
    renamed = replace(benchmark(), name="other", relevance={"a": {"de": [1]}, "b": {"en": [2]}})
    encode_benchmark(encoder, renamed, cache=tmp_path)
    assert len(kept(tmp_path)) == 2, "the same texts"
    encode_benchmark(encoder, benchmark(extra=" And more."), cache=tmp_path)
    assert len(kept(tmp_path)) == 4
    with torch.no_grad():
        next(encoder.parameters())[7, 0] += 0.5
    encode_benchmark(encoder, benchmark(), cache=tmp_path)
    assert len(kept(tmp_path)) == 6


@pytest.mark.parametrize("while_it_is", ["encoded", "written"])
def test_a_kill_costs_the_part_that_was_begun(
    encoder: DualEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, while_it_is: str
) -> None:
    monkeypatch.setattr(embeddings, "PART", 2)
    whole = encode_benchmark(encoder, benchmark(), cache=None)
    encode, save, encoded = encoder.encode, embeddings.save_file, []

    def encode_until_killed(texts: Sequence[str], kind: Kind, **options: bool) -> np.ndarray:
        if while_it_is == "encoded" and len(encoded) == 2:
            raise KeyboardInterrupt
        encoded.append(texts)
        return encode(texts, kind, **options)

    def save_until_killed(tensors: dict[str, np.ndarray], file: Path, metadata: dict[str, str]) -> None:
        if len(encoded) == 3:
            file.write_bytes(b"half")
            raise KeyboardInterrupt
        save(tensors, file, metadata)

    with monkeypatch.context() as patch:
        patch.setattr(encoder, "encode", encode_until_killed)
        patch.setattr(embeddings, "save_file", save_until_killed)
        with pytest.raises(KeyboardInterrupt):
            encode_benchmark(encoder, benchmark(), cache=tmp_path)
    assert len(kept(tmp_path)) == 2
    assert_same(encode_benchmark(encoder, benchmark(), cache=tmp_path), whole)
    assert len(kept(tmp_path)) == 4, "two parts of the queries, two of the candidates"
    monkeypatch.setattr(encoder, "encode", refuses)
    assert_same(encode_benchmark(encoder, benchmark(), cache=tmp_path), whole)


DAMAGE = {
    "cut off": lambda data: data[:-50],
    "empty": lambda data: b"",
    "a bit": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "foreign": lambda data: safetensors.numpy.save({"vectors": np.zeros((3, 32), np.float32)}),
    "no json": lambda data: data[:9] + b"?" + data[10:],
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_what_is_damaged_or_foreign_is_named_and_made_anew(
    encoder: DualEncoder, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    first = encode_benchmark(encoder, benchmark(), cache=tmp_path)
    part, _ = kept(tmp_path)
    part.write_bytes(damage(part.read_bytes()))
    with pytest.warns(UserWarning, match=rf"{part.name} is damaged .*encoding its texts again"):
        assert_same(encode_benchmark(encoder, benchmark(), cache=tmp_path), first)
    with warnings.catch_warnings(action="error"):
        assert_same(encode_benchmark(encoder, benchmark(), cache=tmp_path), first)


def test_another_texts_part_under_this_name_is_not_taken(encoder: DualEncoder, tmp_path: Path) -> None:
    encode_benchmark(encoder, benchmark(), cache=tmp_path)
    mine = kept(tmp_path)
    encode_benchmark(encoder, benchmark(extra="!"), cache=tmp_path)
    other = next(path for path in kept(tmp_path) if path not in mine and path.name.startswith("passage"))
    mine[0].write_bytes(other.read_bytes())
    with pytest.warns(UserWarning, match="made by something else"):
        encode_benchmark(encoder, benchmark(), cache=tmp_path)


def test_a_cache_that_cannot_be_written_is_a_warning(encoder: DualEncoder, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.warns(UserWarning, match=r"cannot be kept in .*file") as caught:
        vectors = encode_benchmark(encoder, benchmark(), cache=tmp_path / "file" / "cache")
    assert_same(vectors, encode_benchmark(encoder, benchmark(), cache=None))
    assert len(caught) == 1


def test_vectors_that_are_not_finite_are_not_kept(encoder: DualEncoder, tmp_path: Path) -> None:
    with torch.no_grad():
        next(encoder.parameters()).fill_(np.nan)
    encode_benchmark(encoder, benchmark(), cache=tmp_path)
    assert kept(tmp_path) == []


def test_two_processes_fill_one_cache(encoder: DualEncoder, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as two:
        one, other = two.map(lambda _: encode_benchmark(encoder, benchmark(), cache=tmp_path), range(2))
    assert_same(one, other)
    assert len(kept(tmp_path)) == 2


def test_processes_make_each_part_once_and_the_first_finds_them_all(
    encoder: DualEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "PART", 2)
    sentences = ParallelSentences(
        "few", {code: ["eins 1", "zwei 2", "drei 3"] for code in ("de", "en")}, ["a", "b", "c"]
    )
    sets = [Sides(sentences, sentences)]
    made: list[set[Path]] = []
    for process in range(3):
        before = set(kept(tmp_path))
        encode_share(encoder, benchmark(), sets, cache=tmp_path, process=process, processes=3)
        made.append(set(kept(tmp_path)) - before)
    assert all(made) and max(map(len, made)) - min(map(len, made)) <= 1
    monkeypatch.setattr(encoder, "encode", None)  # nothing is left to encode
    vectors = encode_benchmark(encoder, benchmark(), cache=tmp_path)
    encode_sentences(encoder, sets, cache=tmp_path)
    monkeypatch.undo()
    assert set(kept(tmp_path)) == set.union(*made)
    for mine, whole in zip(vectors, encode_benchmark(encoder, benchmark(), cache=None), strict=True):
        for language in whole:
            np.testing.assert_allclose(mine[language], whole[language], atol=2e-6)


def by_letters(texts: Sequence[str], kind: Kind, **_: bool) -> np.ndarray:
    """Vectors that do not depend on what is encoded together."""
    return np.array([[text.count(letter) for letter in "ab"] + [len(kind)] for text in texts], np.float32)


SIDES = st.dictionaries(st.sampled_from(["de", "en", "zh"]), st.lists(st.text("ab", max_size=4), max_size=12))


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=SIDES, part=st.integers(1, 3), parts=st.integers(1, 3))
def test_windows_change_no_vector(
    encoder: DualEncoder, texts: dict[str, list[str]], part: int, parts: int
) -> None:
    given_texts: list[list[str]] = []

    def encode(texts: list[str], kind: Kind, **_: bool) -> np.ndarray:
        given_texts.append(texts)
        return by_letters(texts, kind)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoder, "encode", encode)
        patch.setattr(type(encoder), "dimension", 3)
        patch.setattr(embeddings, "PART", part)
        patch.setattr(embeddings, "WINDOW", part * parts)
        with tempfile.TemporaryDirectory() as cache:
            vectors = embeddings._Parts(encoder, Path(cache)).encode(texts, "passage")
            for language, of_language in texts.items():
                assert vectors[language].shape == (len(of_language), 3)
                want = by_letters(of_language, "passage").reshape(-1, 3)
                assert_array_equal(vectors[language][:], want)
                some = np.arange(len(of_language))[::-2]
                assert_array_equal(vectors[language][some], want[some])
    unique = list(dict.fromkeys(text for of_language in texts.values() for text in of_language))
    windows = [unique[start : start + part * parts] for start in range(0, len(unique), part * parts)]
    sorted_windows = [sorted(window, key=lambda text: -len(text)) for window in windows]
    assert given_texts == [
        w[start : start + part] for w in sorted_windows for start in range(0, len(w), part)
    ]


def test_of_many_texts_the_vectors_stay_on_disk(
    encoder: DualEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = encode_benchmark(encoder, benchmark(), cache=None)
    monkeypatch.setattr(embeddings, "PART", 1)
    monkeypatch.setattr(embeddings, "WINDOW", 2)
    for cache in (tmp_path, tmp_path, None):
        queries, candidates = encode_benchmark(encoder, benchmark(), cache=cache)
        for mine, whole in ((queries, plain[0]), (candidates, plain[1])):
            for language in whole:
                assert isinstance(mine[language], Parted)
                np.testing.assert_allclose(mine[language][:], whole[language][:], atol=2e-6)
        # "en" stands in both languages, in two windows, and is encoded once
        assert_array_equal(candidates["en"][0], candidates["de"][1])
        ranks = exact_ranks(benchmark(), queries, candidates)
        pd.testing.assert_frame_equal(ranks, exact_ranks(benchmark(), *plain))
        shares = top_languages(benchmark(), queries, candidates, k=2)
        pd.testing.assert_frame_equal(shares, top_languages(benchmark(), *plain, k=2))
    assert len(kept(tmp_path)) == 3 + 4


def test_vectors_that_another_evaluation_took_away_are_made_again(
    encoder: DualEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "PART", 1)
    monkeypatch.setattr(embeddings, "WINDOW", 1)
    _, candidates = encode_benchmark(encoder, benchmark(), cache=tmp_path / "cache")
    before = {language: rows[:] for language, rows in candidates.items()}
    shutil.rmtree(tmp_path / "cache")
    for language, rows in candidates.items():
        assert_array_equal(rows[:], before[language])


def test_parts_of_up_to_one_window_are_named_by_all_texts_longest_first(
    encoder: DualEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So are the parts that caches hold already."""
    monkeypatch.setattr(embeddings, "PART", 2)
    encode_benchmark(encoder, benchmark(), cache=tmp_path)
    toy = benchmark()
    queries = {code: queries.texts for code, queries in toy.queries.items()}
    names = set()
    for kind, sides in (("query", queries), ("passage", toy.candidates)):
        unique = dict.fromkeys(text for side in sides.values() for text in side)
        longest_first = sorted(unique, key=len, reverse=True)
        for start in range(0, len(longest_first), 2):
            text = json.dumps(longest_first[start : start + 2], ensure_ascii=False)
            names.add(f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:20]}.safetensors")
    assert {path.name for path in kept(tmp_path)} == names
