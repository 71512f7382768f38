"""Shards: their ranks are those of whole pools as far as they go, however they are cut, stored and searched."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from toy import random_benchmark, score_vectors

from hybridnb.corpora.benchmark import Benchmark, Queries
from hybridnb.measures.bounds import bounds
from hybridnb.measures.metrics import summary
from hybridnb.retrieval import embeddings
from hybridnb.retrieval.pool import Pool
from hybridnb.retrieval.ranking import exact_ranks
from hybridnb.retrieval.sharded import build, store
from hybridnb.retrieval.sharded import search as searching
from hybridnb.retrieval.sharded.build import build_index, check_factory, encode_shard
from hybridnb.retrieval.sharded.cut import Cut, cut_ranks
from hybridnb.retrieval.sharded.layout import Index, Layout
from hybridnb.retrieval.sharded.search import Search, merged, relevant_scores, search_shard, set_parameters
from hybridnb.retrieval.sharded.store import read_vectors, write_vectors
from hybridnb.retrieval.vectors import query_matrix

Vectors = dict[str, Any]


def written(place: Path, candidates: Vectors, shard: int, storage: Any = "float16") -> Index:
    """An index of some vectors."""
    dimension = next(iter(candidates.values())).shape[1]
    sizes = {language: len(rows) for language, rows in candidates.items()}
    index = Index.create(place, Layout(sizes, dimension, storage, shard, {}))
    for one in index.shards:
        write_vectors(index.vectors(one), candidates[one.language][one.start : one.stop], storage)
    return index


def found(search: Search, benchmark: Benchmark, queries: Vectors) -> Cut:
    pool = Pool.of(benchmark)
    matrix = query_matrix(queries, sorted(benchmark.queries))
    for shard in search.index.shards:
        search_shard(search, pool, matrix, shard)
    scores = relevant_scores(search, pool)
    return cut_ranks(pool, merged(search, pool), scores, search.k, search.sampled(len(matrix)))


def as_floats(ranks: pd.DataFrame) -> pd.DataFrame:
    return ranks.astype({"rank": np.float64})


@pytest.mark.filterwarnings("ignore:.*tie with a relevant one")
@given(
    seed=st.integers(0, 2**32),
    k=st.integers(1, 60),
    shard=st.integers(4, 13),
    several=st.booleans(),
    excluded=st.booleans(),
    levels=st.sampled_from([3, 20, 2000]),
)
@example(seed=0, k=9, shard=1, several=True, excluded=True, levels=3)
@settings(max_examples=20)
def test_exact_search_of_shards_gives_the_ranks_of_whole_pools_up_to_k(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    k: int,
    shard: int,
    several: bool,
    excluded: bool,
    levels: int,
) -> None:
    rng = np.random.default_rng(seed)
    benchmark = random_benchmark(rng, partly=True, several=several, excluded=excluded)
    queries, candidates = score_vectors(benchmark, rng)
    # values that float16 holds; with few of them most scores are tied
    candidates = {code: np.round(of * levels).astype(np.float32) / 64 for code, of in candidates.items()}
    exact = exact_ranks(benchmark, queries, candidates)
    index = written(tmp_path_factory.mktemp("index"), candidates, shard)
    cut = found(Search(index, "Flat", "", k, sample=4), benchmark, queries)
    wanted = exact.assign(rank=exact["rank"].where(exact["rank"] <= k))
    pd.testing.assert_frame_equal(as_floats(cut.ranks), as_floats(wanted))
    assert (cut.best["rank"] <= exact["rank"]).all()
    known = cut.ranks["rank"].notna()
    assert (cut.best["rank"] == exact["rank"])[known].all()
    assert {value for of_pool in cut.recall.values() for value in of_pool.values()} == {1.0}
    assert not any(cut.missed.values())
    # what the cut leaves open has the truth in it
    truth = summary(exact)
    between = bounds(cut.ranks, cut.best)
    assert {(task, metric) for task, of_task in truth.items() for metric in of_task} == {
        (task, metric) for task, metric in zip(between["task"], between["metric"], strict=True)
    }
    for row in between.itertuples():
        value = truth[str(row.task)][str(row.metric)]
        assert row.least - 1e-9 <= value <= row.greatest + 1e-9, row


@pytest.fixture(scope="module")
def clustered() -> tuple[Benchmark, Vectors, Vectors]:
    """600 and 300 unit vectors in clumps, 40 questions near a candidate in each of two languages."""
    rng = np.random.default_rng(5)
    sizes, ids = {"aa": 600, "bb": 300}, [f"q{n}" for n in range(40)]
    centres = rng.standard_normal((20, 16))

    def unit(vectors: Any) -> Any:
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)

    candidates = {
        code: unit(centres[rng.integers(20, size=size)] + 0.5 * rng.standard_normal((size, 16)))
        for code, size in sizes.items()
    }
    relevance = {i: {code: [int(rng.integers(size))] for code, size in sizes.items()} for i in ids}
    near = np.stack([candidates["aa"][relevance[i]["aa"][0]] for i in ids])
    queries = unit(near.astype(np.float32) + 0.1 * rng.standard_normal((40, 16))).astype(np.float32)
    texts = {code: [f"{code} {n}" for n in range(size)] for code, size in sizes.items()}
    benchmark = Benchmark("clumps", {"aa": Queries(ids, ids)}, texts, relevance)
    return benchmark, {"aa": queries}, candidates


@pytest.mark.parametrize(
    ("factory", "parameters"),
    [("SQ8", ""), ("IVF8,Flat", "nprobe=2"), ("IVF8,PQ4x4", "nprobe=4"), ("HNSW8", "efSearch=64")],
)
def test_an_index_finds_most_and_what_it_finds_is_told_against_exact_search(
    tmp_path: Path, clustered: Any, monkeypatch: pytest.MonkeyPatch, factory: str, parameters: str
) -> None:
    monkeypatch.setattr(build, "SMALL", 100)
    benchmark, queries, candidates = clustered
    index = written(tmp_path, candidates, 250)  # the last shards, of 100 and 50: one is searched exactly
    for shard in index.shards:
        build_index(index, shard, factory)
    assert sorted(path.name for path in tmp_path.glob("faiss/*/*")) == [
        f"{name}.faiss" for name in ("aa-000000000", "aa-000000250", "aa-000000500", "bb-000000000")
    ]
    k = 20
    cut = found(Search(index, factory, parameters, k, sample=10), benchmark, queries)
    exact = exact_ranks(benchmark, queries, candidates)
    # the share of exact search's first k, recomputed with numpy alone
    whole = np.concatenate([candidates[code].astype(np.float32) for code in ("aa", "bb")])
    first = np.argsort(-(queries["aa"] @ whole.T), axis=1, kind="stable")[:, :k]
    sampled = np.unique(np.linspace(0, 39, 10).astype(int))
    pools = list(merged(Search(index, factory, parameters, k, sample=10), Pool.of(benchmark)))
    shares = [len({*first[n]} & {*pools[-1].positions[n]}) / k for n in sampled]
    assert cut.recall["*"][k] == pytest.approx(np.mean(shares))
    assert 0.5 < cut.recall["*"][k] <= 1
    # ranks are among what was found: never worse than exact ones, and missing where those are beyond k
    both = as_floats(cut.ranks)["rank"], as_floats(exact)["rank"]
    assert (both[0].isna() | (both[0] <= both[1])).all()
    assert both[0][both[1] > 2 * k].isna().all()
    lost = int((both[0].isna() & (both[1] <= k))[exact["task"] == "multilingual"].sum())
    assert cut.missed["*"] >= lost
    assert (cut.best["rank"] <= both[1]).all()
    assert set(summary(cut.ranks)) == {"monolingual", "crosslingual", "multilingual"}


def test_one_index_finds_what_its_shards_find(tmp_path: Path, clustered: Any) -> None:
    """Merged first candidates against those of one faiss.IndexFlatIP over everything."""
    benchmark, queries, candidates = clustered
    search = Search(written(tmp_path, candidates, 70), "Flat", "", 15, sample=5)
    found(search, benchmark, queries)
    one = faiss.IndexFlatIP(16)
    one.add(np.concatenate([candidates[code].astype(np.float32) for code in ("aa", "bb")]))
    scores, positions = one.search(queries["aa"], 15)
    merged_pool = list(merged(search, Pool.of(benchmark)))[-1]
    np.testing.assert_array_equal(merged_pool.positions, positions)
    np.testing.assert_allclose(merged_pool.scores, scores, rtol=1e-5)


def test_int8_keeps_each_dimension_to_half_a_step(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal((50, 6), dtype=np.float32) * np.array([1, 5, 0.01, 0, 1, 1], np.float32)
    write_vectors(tmp_path / "a.safetensors", vectors, "int8")
    kept = read_vectors(tmp_path / "a.safetensors")
    assert kept.shape == (50, 6) and len(kept) == 50
    step = np.abs(vectors).max(axis=0) / 127
    assert (np.abs(kept[:] - vectors) <= step / 2 + 1e-6).all()
    np.testing.assert_array_equal(kept[[7, 3]], kept[:][[7, 3]])
    assert (tmp_path / "a.safetensors").stat().st_size < 50 * 6 + 300


def test_what_cannot_be_kept_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="too large for float16: keep them as int8"):
        write_vectors(tmp_path / "a.safetensors", np.full((2, 2), 1e6), "float16")
    with pytest.raises(ValueError, match="row 1 is not finite"):
        write_vectors(tmp_path / "a.safetensors", np.array([[0.0], [np.nan]]), "int8")
    assert list(tmp_path.iterdir()) == []


class Hashed:
    """Vectors that follow from the digits of a text; counts the texts, and kills its process before too many."""

    dimension = 8
    sha256 = "0" * 64

    def __init__(self, killed_after: int = 10**9) -> None:
        self.asked, self.killed_after = 0, killed_after

    def encode(self, texts: list[str], kind: str, *, progress: bool = False) -> Any:
        if self.asked + len(texts) > self.killed_after:
            os.kill(os.getpid(), signal.SIGKILL)
        self.asked += len(texts)
        counts = [[text.count(letter) + 1 for letter in "01234567"] for text in texts]
        vectors = np.array(counts, dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process that is killed is forked here")
def test_what_was_encoded_before_a_kill_is_not_encoded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "PART", 4)
    texts = [f"text {n}" for n in range(30)]
    index = Index.create(tmp_path, Layout({"aa": 30}, 8, "float16", 20, {}))

    def encode(encoder: Any) -> None:
        for shard in index.shards:
            encode_shard(encoder, texts, index, shard)

    killed = multiprocessing.get_context("fork").Process(target=encode, args=[Hashed(killed_after=14)])
    killed.start()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    assert list((tmp_path / "vectors").glob("*.safetensors")) == []
    going_on = Hashed()
    encode(going_on)
    assert going_on.asked == 30 - 12
    again = Hashed()
    encode(again)
    assert again.asked == 0
    assert sorted(path.name for path in (tmp_path / "vectors").iterdir()) == [
        "aa-000000000.safetensors",
        "aa-000000020.safetensors",
    ]
    kept = np.concatenate([read_vectors(index.vectors(shard))[:] for shard in index.shards])
    np.testing.assert_allclose(kept, Hashed().encode(texts, "passage"), atol=1e-3)


def test_a_damaged_shard_is_encoded_again_and_said(tmp_path: Path) -> None:
    index = Index.create(tmp_path, Layout({"aa": 3}, 8, "float16", 20, {}))
    (shard,) = index.shards
    encode_shard(Hashed(), ["1", "2", "3"], index, shard)  # type: ignore[arg-type]
    file = index.vectors(shard)
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(ValueError, match=r"is damaged .*: delete it and index again"):
        read_vectors(file)
    with pytest.warns(UserWarning, match="encoding its texts again"):
        encode_shard(Hashed(), ["1", "2", "3"], index, shard)  # type: ignore[arg-type]
    assert read_vectors(file).shape == (3, 8)


def test_each_shard_is_searched_once_and_by_whichever_part(
    tmp_path: Path, clustered: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    benchmark, queries, candidates = clustered
    search = Search(written(tmp_path, candidates, 200), "Flat", "", 10, sample=5)
    pool = Pool.of(benchmark)
    shards = search.index.shards
    assert search.missing == shards
    for shard in shards[1::2]:
        search_shard(search, pool, queries["aa"], shard)
    assert search.missing == shards[::2]
    for shard in shards[::2]:
        search_shard(search, pool, queries["aa"], shard)
    assert search.missing == []
    searched: list[Any] = []
    monkeypatch.setattr(searching, "read_vectors", searched.append)
    for shard in shards:
        search_shard(search, pool, queries["aa"], shard)
    assert searched == []


def test_memory_holds_blocks_not_shards(
    tmp_path: Path, clustered: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exact search asks for no more rows at a time than a block."""
    benchmark, queries, candidates = clustered
    search = Search(written(tmp_path, candidates, 300), "Flat", "", 5, sample=1)
    asked: list[int] = []
    get: Callable[..., Any] = store.Stored.__getitem__
    monkeypatch.setattr(
        store.Stored,
        "__getitem__",
        lambda self, rows: (asked.append(len(get(self, rows))), get(self, rows))[1],
    )
    monkeypatch.setattr(searching, "BLOCK", 64)
    monkeypatch.setattr(searching, "CHUNK", 16 * 50)
    found(search, benchmark, queries)
    assert max(asked) == 64


def test_an_index_is_of_what_it_is_made_of(tmp_path: Path) -> None:
    layout = Layout({"aa": 3}, 8, "float16", 20, {"model": "one"})
    assert Index.create(tmp_path, layout) == Index.create(tmp_path, layout) == Index.open(tmp_path)
    with pytest.raises(ValueError, match="holds an index of other model: choose another"):
        Index.create(tmp_path, Layout({"aa": 3}, 8, "float16", 20, {"model": "other"}))
    with pytest.raises(ValueError, match="of other shard, storage: choose another"):
        Index.create(tmp_path, Layout({"aa": 3}, 8, "int8", 10, {"model": "one"}))
    with pytest.raises(FileNotFoundError, match="holds no index: `hybridnb index` makes one"):
        Index.open(tmp_path / "none")
    (tmp_path / "index.json").write_text('{"sizes": {}}')
    with pytest.raises(ValueError, match=r"index.json is damaged"):
        Index.open(tmp_path)


def test_faiss_s_refusals_are_lines(tmp_path: Path, clustered: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        ValueError, match=r"'Flatt' is no FAISS factory string for 384 dimensions \(.*\): write"
    ):
        check_factory("Flatt", 384)
    with pytest.raises(ValueError, match="'PQ7' is no FAISS factory string"):
        check_factory("PQ7", 384)
    check_factory("IVF256,PQ48", 384)
    with pytest.raises(ValueError, match="does not take the parameters 'nprob=3'"):
        set_parameters(faiss.index_factory(8, "IVF4,Flat"), "nprob=3")
    monkeypatch.setattr(build, "SMALL", 100)
    index = written(tmp_path, clustered[2], 250)
    with pytest.raises(ValueError, match="IVF999,Flat cannot be trained on 250 vectors"):
        build_index(index, index.shards[0], "IVF999,Flat")
    search = Search(index, "SQ8", "", 5, sample=1)
    with pytest.raises(FileNotFoundError, match="with --factory 'SQ8'"):
        search_shard(search, Pool.of(clustered[0]), clustered[1]["aa"], index.shards[0])
    build_index(index, index.shards[0], "SQ8")
    index.faiss(index.shards[0], "SQ8").write_bytes(b"no index")
    with pytest.raises(ValueError, match=r"is damaged .*: delete it and index again"):
        search_shard(search, Pool.of(clustered[0]), clustered[1]["aa"], index.shards[0])
