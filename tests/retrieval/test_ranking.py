"""Exact ranks: against a naive sort, the tie rule, pools of every shape, bad input."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import LANGUAGES, Vectors, random_benchmark, score_vectors

from hybridnb import progress
from hybridnb.corpora.benchmark import Benchmark, Queries
from hybridnb.retrieval import ranking
from hybridnb.retrieval.ranking import exact_ranks
from hybridnb.retrieval.ranks_table import COLUMNS
from hybridnb.retrieval.vectors import Parted

KEYS = ["task", "query_language", "candidate_language", "query_id", "relevant_language", "rank", "pool_size"]


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def small_integers(benchmark: Benchmark, rng: np.random.Generator) -> tuple[Vectors, Vectors]:
    """Vectors whose scores are exact small integers: most candidates tie with others."""

    def draw(rows: int) -> np.ndarray:
        return rng.integers(-2, 3, (rows, 3)).astype(np.float32)

    return (
        {c: draw(len(q)) for c, q in benchmark.queries.items()},
        {c: draw(len(texts)) for c, texts in benchmark.candidates.items()},
    )


def naive_ranks(benchmark: Benchmark, queries: Mapping, candidates: Mapping) -> set[tuple]:
    """The rows of the ranks table by sorting every pool in full, straight from the definition."""
    rows = set()
    for asked, of_language in benchmark.queries.items():
        for number, query_id in enumerate(of_language.ids):
            relevant = benchmark.relevance[query_id]
            excluded = benchmark.excluded.get(query_id, {})
            pools = {"*": sorted(candidates)} | {c: [c] for c in candidates if c in relevant}
            for pool_name, pool_languages in pools.items():
                pool = []
                for language in pool_languages:
                    for row, vector in enumerate(candidates[language].astype(np.float64)):
                        if row in excluded.get(language, ()):
                            continue
                        score = float(vector @ queries[asked][number].astype(np.float64))
                        pool.append((-score, row not in relevant.get(language, ()), language, row))
                task = "multilingual" if pool_name == "*" else "crosslingual"
                task = "monolingual" if pool_name == asked else task
                for rank, (_, irrelevant, language, _) in enumerate(sorted(pool), start=1):
                    if not irrelevant:
                        rows.add((task, asked, pool_name, query_id, language, rank, len(pool)))
    return rows


def as_set(ranks: pd.DataFrame) -> set[tuple]:
    rows = [tuple(row) for row in ranks[KEYS].itertuples(index=False)]
    assert len(rows) == len(set(rows))
    return set(rows)


@pytest.mark.filterwarnings("ignore:.*collapsed")
@pytest.mark.parametrize("tile", [ranking.CPU_TILE, (5, 4)])
@given(seed=st.integers(0, 2**32), shape=st.tuples(st.booleans(), st.booleans(), st.booleans()))
@settings(max_examples=25)
def test_ranks_agree_with_sorting_every_pool(tile, seed, shape):
    rng = np.random.default_rng(seed)
    partly, several, excluded = shape
    benchmark = random_benchmark(rng, partly=partly, several=several, excluded=excluded)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "CPU_TILE", tile)
        for vectors in (small_integers, score_vectors):
            queries, candidates = vectors(benchmark, rng)
            found = exact_ranks(benchmark, queries, candidates)
            assert as_set(found) == naive_ranks(benchmark, queries, candidates)


def drawn(seed: int, shape: tuple[bool, bool, bool]) -> tuple[Benchmark, Vectors, Vectors]:
    """A benchmark with scores that do not tie."""
    rng = np.random.default_rng(seed)
    partly, several, excluded = shape
    benchmark = random_benchmark(rng, partly=partly, several=several, excluded=excluded)
    return benchmark, *score_vectors(benchmark, rng)


SHAPES = st.tuples(st.booleans(), st.booleans(), st.booleans())


@given(seed=st.integers(0, 2**32), shape=SHAPES)
@settings(max_examples=15)
def test_the_order_of_candidates_does_not_matter(seed: int, shape: tuple[bool, bool, bool]):
    benchmark, queries, candidates = drawn(seed, shape)
    rng = np.random.default_rng(seed)
    order = {c: rng.permutation(len(texts)) for c, texts in benchmark.candidates.items()}
    place = {c: np.argsort(rows) for c, rows in order.items()}

    def moved(named: Mapping) -> dict:
        return {i: {c: [int(place[c][r]) for r in rows] for c, rows in of.items()} for i, of in named.items()}

    other = replace(
        benchmark,
        candidates={c: [texts[row] for row in order[c]] for c, texts in benchmark.candidates.items()},
        relevance=moved(benchmark.relevance),
        excluded=moved(benchmark.excluded),
    )
    shuffled = {c: vectors[order[c]] for c, vectors in candidates.items()}
    assert as_set(exact_ranks(other, queries, shuffled)) == as_set(
        exact_ranks(benchmark, queries, candidates)
    )


@given(seed=st.integers(0, 2**32), shape=SHAPES, codes=st.permutations(["zz", "yy", "mm", "bb"]))
@settings(max_examples=15)
def test_the_names_and_order_of_languages_do_not_matter(
    seed: int, shape: tuple[bool, bool, bool], codes: list[str]
):
    benchmark, queries, candidates = drawn(seed, shape)
    name = dict(zip(LANGUAGES, codes, strict=True)) | {"*": "*"}

    def renamed(by_language: Mapping) -> dict:
        return {name[c]: by_language[c] for c in reversed(by_language)}

    other = Benchmark(
        "random",
        renamed(benchmark.queries),
        renamed(benchmark.candidates),
        {i: renamed(of) for i, of in benchmark.relevance.items()},
        {i: renamed(of) for i, of in benchmark.excluded.items()},
    )
    expected = {
        (task, name[asked], name[pool], query, name[answer], rank, size)
        for task, asked, pool, query, answer, rank, size in as_set(
            exact_ranks(benchmark, queries, candidates)
        )
    }
    assert as_set(exact_ranks(other, renamed(queries), renamed(candidates))) == expected


@given(seed=st.integers(0, 2**32), shape=SHAPES, language=st.sampled_from(LANGUAGES))
@settings(max_examples=15)
def test_one_more_irrelevant_candidate_moves_down_what_it_beats(
    seed: int, shape: tuple[bool, bool, bool], language: str
):
    benchmark, queries, candidates = drawn(seed, shape)
    rows = len(benchmark.candidates[language])
    axes = candidates[language].shape[1]
    new = np.random.default_rng(seed).random(axes, dtype=np.float32)
    other = replace(benchmark, candidates=benchmark.candidates | {language: [""] * (rows + 1)})
    more = candidates | {language: np.vstack([candidates[language], new])}
    before, after = exact_ranks(benchmark, queries, candidates), exact_ranks(other, queries, more)
    assert before[KEYS[:5]].equals(after[KEYS[:5]])
    concerned = before["candidate_language"].isin([language, "*"]).to_numpy()
    assert ((after["pool_size"] - before["pool_size"]).to_numpy() == concerned).all()
    moved = (after["rank"] - before["rank"]).to_numpy()
    assert set(moved) <= {0, 1} and not moved[~concerned].any()
    for asked, of_language in benchmark.queries.items():
        for number, query_id in enumerate(of_language.ids):
            query = queries[asked][number]
            scores = [candidates[c][r] @ query for c, of in benchmark.relevance[query_id].items() for r in of]
            here = ((before["query_language"] == asked) & (before["query_id"] == query_id)).to_numpy()
            merged = here & (before["candidate_language"] == "*").to_numpy()
            assert moved[merged].sum() == sum(new @ query > score for score in scores)


def test_table_is_tidy_and_compact(tmp_path: Path):
    benchmark = random_benchmark(np.random.default_rng(0), partly=False, several=False, excluded=False)
    ranks = exact_ranks(benchmark, *score_vectors(benchmark, np.random.default_rng(0)))
    assert list(ranks.columns) == COLUMNS
    assert ranks["task"].value_counts().to_dict() == {
        "monolingual": 12 * 4,
        "crosslingual": 12 * 4 * 3,
        "multilingual": 12 * 4 * 4,
    }
    assert set(ranks["dataset"]) == {"random"}
    assert all(isinstance(ranks[c].dtype, pd.CategoricalDtype) for c in COLUMNS[:6])
    assert ranks["rank"].dtype == ranks["pool_size"].dtype == np.int32
    ranks.to_parquet(tmp_path / "ranks.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "ranks.parquet"), ranks)


@pytest.mark.filterwarnings("ignore:100% of the bb candidates")
@pytest.mark.parametrize("query_count", [1, 7, 300])
@pytest.mark.parametrize("dimension", [1, 17, 384])
def test_copies_of_a_relevant_vector_never_come_before_it(query_count: int, dimension: int):
    """A matrix product may score one vector differently from column to column; the tie rule holds anyway."""
    rng = np.random.default_rng(1)
    size = 1001
    vector = unit(rng.standard_normal((1, dimension)))
    candidates = {"aa": np.repeat(vector, size, axis=0), "bb": np.repeat(vector, size, axis=0)}
    ids = [f"q{i}" for i in range(query_count)]
    relevance = {i: {"aa": [n % size], "bb": [(7 * n + 3) % size]} for n, i in enumerate(ids)}
    texts = {c: [str(row) for row in range(size)] for c in candidates}
    benchmark = Benchmark("copies", {"aa": Queries(ids, ids)}, texts, relevance)
    queries = {"aa": unit(rng.standard_normal((query_count, dimension)))}
    with pytest.warns(UserWarning, match=r"100% of the aa candidates tie .* collapsed"):
        ranks = exact_ranks(benchmark, queries, candidates)
    expected = {"aa": 1, "bb": 2}
    merged = ranks[ranks["task"] == "multilingual"]
    assert (merged["rank"].to_numpy() == [expected[c] for c in merged["relevant_language"]]).all()
    assert (ranks[ranks["task"] != "multilingual"]["rank"] == 1).all()


def test_copies_elsewhere_in_the_pool_tie_in_every_tile(monkeypatch: pytest.MonkeyPatch):
    """Each vector stands twice in each language: half of the candidates before a relevant one are copies."""
    monkeypatch.setattr(ranking, "CPU_TILE", (2, 5))
    rng = np.random.default_rng(2)
    vectors = unit(rng.standard_normal((40, 24)))
    benchmark = Benchmark(
        "copies",
        {"aa": Queries([f"q{i}" for i in range(40)], [""] * 40)},
        {c: [""] * 80 for c in ("aa", "bb")},
        {f"q{i}": {"aa": [i + 40], "bb": [i]} for i in range(40)},
    )
    ranks = exact_ranks(
        benchmark,
        {"aa": unit(rng.standard_normal((40, 24)))},
        {"aa": np.tile(vectors, (2, 1)), "bb": np.tile(vectors, (2, 1))},
    )
    rank = ranks["rank"].to_numpy()
    one_language = (ranks["task"] != "multilingual").to_numpy()
    assert (rank[one_language] % 2 == 1).all()  # pairs before it, then itself before its copy
    by_language = ranks[~one_language].pivot(index="query_id", columns="relevant_language", values="rank")
    assert (by_language["aa"] % 4 == 1).all()
    assert (by_language["bb"] == by_language["aa"] + 1).all()


@pytest.mark.parametrize("tile", [ranking.CPU_TILE, (5, 4)])
def test_an_encoder_that_knows_no_thai_is_reported_and_a_good_one_is_not(
    tile: tuple[int, int], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ranking, "CPU_TILE", tile)
    benchmark = random_benchmark(np.random.default_rng(3), partly=False, several=False, excluded=False)
    queries, candidates = score_vectors(benchmark, np.random.default_rng(3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exact_ranks(benchmark, queries, candidates)
    candidates["cc"][:] = candidates["cc"][0]
    with pytest.warns(UserWarning, match="100% of the cc candidates tie") as caught:
        exact_ranks(benchmark, queries, candidates)
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("scores", "reported"),
    [([1], False), ([1, 1], True), ([1, 1, 2, 3, 4, 5], False), ([1, 1, 1, 3, 4, 5], True)],
)
def test_collapsed_is_where_more_than_a_fifth_of_the_others_tie(scores: list[int], reported: bool):
    benchmark = Benchmark("b", {"aa": Queries(["q"], [""])}, {"aa": [""] * len(scores)}, {"q": {"aa": [0]}})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        exact_ranks(benchmark, {"aa": np.ones((1, 1))}, {"aa": np.array(scores, dtype=float)[:, None]})
    assert ["collapsed" in str(warning.message) for warning in caught] == [True] * reported


def test_queries_without_an_answer_in_a_language_do_not_say_that_it_is_sound():
    benchmark = Benchmark(
        "b",
        {"aa": Queries(["q1", "q2"], ["", ""])},
        {"aa": [""] * 5, "bb": ["", ""]},
        {"q1": {"aa": [2]}, "q2": {"bb": [0]}},
    )
    candidates = {"aa": np.ones((5, 1)), "bb": np.array([[2.0], [3.0]])}
    with pytest.warns(UserWarning, match="100% of the aa candidates tie"):
        exact_ranks(benchmark, {"aa": np.ones((2, 1))}, candidates)


def test_a_log_tells_how_many_candidates_of_the_pools_are_ranked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    for name in ("FIRST", "EVERY"):
        monkeypatch.setattr(progress, name, 0)
    monkeypatch.setattr(ranking, "CPU_TILE", (5, 4))
    rng = np.random.default_rng(4)
    sizes = {"aa": 8, "bb": 4}
    texts = {language: [""] * size for language, size in sizes.items()}
    vectors = {language: rng.random((size, 2)) for language, size in sizes.items()}
    benchmark = Benchmark("b", {"aa": Queries(["q"], [""])}, texts, {"q": {"aa": [1]}})
    exact_ranks(benchmark, {"aa": np.ones((1, 2))}, vectors)
    told = [line.split(",")[0] for line in capsys.readouterr().err.splitlines()]
    assert told[-3:] == [f"ranking: {count}/12 candidates" for count in (4, 8, 12)]


def test_what_is_warned_of_points_at_the_callers_line():
    benchmark = random_benchmark(np.random.default_rng(3), partly=False, several=False, excluded=False)
    queries, candidates = score_vectors(benchmark, np.random.default_rng(3))
    candidates["cc"][:] = candidates["cc"][0]
    with pytest.warns(UserWarning) as caught:
        exact_ranks(benchmark, queries, candidates)
    assert caught[0].filename == __file__


def test_relevance_in_the_own_language_only_has_no_crosslingual_rows():
    """MIRACL: query ids differ per language; one language has no queries of its own."""
    rng = np.random.default_rng(4)
    benchmark = Benchmark(
        "own",
        {"aa": Queries(["a1", "a2"], ["", ""]), "bb": Queries(["b1"], [""]), "dd": Queries([], [])},
        {"aa": [""] * 5, "bb": [""] * 4, "cc": [""] * 3},
        {"a1": {"aa": [0, 3]}, "a2": {"aa": [4]}, "b1": {"bb": [2]}},
    )
    queries = {"aa": rng.random((2, 6)), "bb": rng.random((1, 6)), "dd": np.empty((0, 6))}
    candidates = {"aa": rng.random((5, 6)), "bb": rng.random((4, 6)), "cc": rng.random((3, 6))}
    ranks = exact_ranks(benchmark, queries, candidates)
    assert as_set(ranks) == naive_ranks(benchmark, queries, candidates)
    assert ranks["task"].value_counts().to_dict() == {"monolingual": 4, "multilingual": 4, "crosslingual": 0}


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_vectors_on_disk_are_streamed(dtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ranking, "CPU_TILE", (5, 3))
    rng = np.random.default_rng(5)
    benchmark = random_benchmark(rng, partly=True, several=True, excluded=True)
    queries, candidates = score_vectors(benchmark, rng)
    candidates = {c: vectors.astype(dtype) for c, vectors in candidates.items()}
    on_disk = {}
    for language, vectors in candidates.items():
        vectors.tofile(tmp_path / language)
        on_disk[language] = np.memmap(tmp_path / language, dtype=dtype, mode="r", shape=vectors.shape)
    found = exact_ranks(benchmark, queries, on_disk)
    assert as_set(found) == naive_ranks(benchmark, queries, candidates)


def test_what_was_changed_in_a_map_without_its_file_stays_changed(tmp_path: Path):
    benchmark = random_benchmark(np.random.default_rng(5), partly=True, several=True, excluded=True)
    queries, candidates = score_vectors(benchmark, np.random.default_rng(6))
    changed = {}
    for language, vectors in candidates.items():
        np.zeros_like(vectors).tofile(tmp_path / language)
        changed[language] = np.memmap(tmp_path / language, vectors.dtype, mode="c", shape=vectors.shape)
        changed[language][:] = vectors
    for _ in range(2):
        assert as_set(exact_ranks(benchmark, queries, changed)) == naive_ranks(benchmark, queries, candidates)


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="asks Linux what is resident")
def test_what_was_read_of_vectors_on_disk_does_not_stay_in_memory(tmp_path: Path):
    count, path = 200_000, tmp_path / "vectors"
    np.ones((count, 16), np.float32).tofile(path)
    vectors = np.memmap(path, np.float32, mode="r", shape=(count, 16))
    benchmark = Benchmark("large", {"de": Queries(["q"], ["q"])}, {"de": range(count)}, {"q": {"de": [5]}})
    queries = {"de": np.ones((1, 16), np.float32)}
    with pytest.warns(UserWarning, match="collapsed"):
        assert exact_ranks(benchmark, queries, {"de": vectors})["rank"].eq(1).all()
    about = Path("/proc/self/smaps").read_text().partition(f"{path}\n")[2].splitlines()
    resident = next(int(line.split()[1]) for line in about if line.startswith("Rss:"))
    assert resident < vectors.nbytes / 1024 / 4


@pytest.mark.filterwarnings("ignore:.*collapsed")
@given(seed=st.integers(0, 2**32), shape=SHAPES, size=st.integers(1, 9))
@settings(max_examples=20)
def test_vectors_in_parts_give_the_same_ranks(seed: int, shape: tuple[bool, bool, bool], size: int):
    rng = np.random.default_rng(seed)
    partly, several, excluded = shape
    benchmark = random_benchmark(rng, partly=partly, several=several, excluded=excluded)
    queries, candidates = small_integers(benchmark, rng)
    whole = np.concatenate(list(candidates.values()))
    place = rng.permutation(len(whole))
    shuffled = np.empty_like(whole)
    shuffled[place] = whole
    parts = [lambda at=at: shuffled[at : at + size] for at in range(0, len(whole), size)]
    ends = np.cumsum([len(vectors) for vectors in candidates.values()])[:-1]
    in_parts = {
        language: Parted(parts, rows, size, whole.shape[1])
        for language, rows in zip(candidates, np.split(place, ends), strict=True)
    }
    pd.testing.assert_frame_equal(
        exact_ranks(benchmark, queries, in_parts), exact_ranks(benchmark, queries, candidates)
    )


def test_bad_vectors_are_named():
    rng = np.random.default_rng(6)
    benchmark = random_benchmark(rng, partly=False, several=False, excluded=False)
    queries, candidates = score_vectors(benchmark, rng)

    threads = torch.get_num_threads()

    def fails(match: str, queries: Vectors = queries, candidates: Vectors = candidates) -> None:
        with pytest.raises(ValueError, match=match):
            exact_ranks(benchmark, queries, candidates)
        assert torch.get_num_threads() == threads

    broken = queries["bb"].copy()
    broken[7, 0] = np.nan
    fails("query vectors of 'bb': row 7 is not finite", queries={**queries, "bb": broken})
    for row in range(len(candidates["cc"])):  # whether relevant or not
        broken = candidates["cc"].copy()
        broken[row, -1] = np.inf
        fails(f"candidate vectors of 'cc': row {row} is not finite", candidates={**candidates, "cc": broken})
    fails("candidate vectors of 'dd' have shape", candidates={**candidates, "dd": candidates["dd"][1:]})
    fails("query vectors of 'cc' have shape", queries={**queries, "cc": queries["cc"][:, 1:]})
    fails("query vectors of 'aa' have shape", queries={**queries, "aa": queries["aa"][0]})
    fails("no query vectors for 'aa'", queries={c: v for c, v in queries.items() if c != "aa"})


def test_bad_exclusions_and_empty_benchmarks_are_named():
    ones = np.ones((2, 2), dtype=np.float32)
    parts = ({"aa": Queries(["q"], [""])}, {"aa": ["", ""]}, {"q": {"aa": [1]}})
    with pytest.raises(ValueError, match=r"'q' excludes row 1 in aa, which is relevant"):
        exact_ranks(Benchmark("b", *parts, {"q": {"aa": [0, 1]}}), {"aa": ones[:1]}, {"aa": ones})
    with pytest.raises(ValueError, match=r"'q' excludes row 2 in aa, which has rows 0\.\.1"):
        exact_ranks(Benchmark("b", *parts, {"q": {"aa": [2]}}), {"aa": ones[:1]}, {"aa": ones})
    with pytest.raises(ValueError, match="b has no queries"):
        exact_ranks(
            Benchmark("b", {"aa": Queries([], [])}, {"aa": [""]}, {}), {"aa": ones[:0]}, {"aa": ones[:1]}
        )
