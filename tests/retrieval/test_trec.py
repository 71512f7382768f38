"""TREC runs out and in: other tools find our numbers in what is written, and what is read gives the ranks again."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import pytrec_eval
import ranx
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from toy import random_benchmark, score_vectors

from hybridnb.corpora import load_benchmark
from hybridnb.corpora.benchmark import Benchmark, Queries
from hybridnb.measures.metrics import per_query
from hybridnb.retrieval.ranks_table import POOL, TASKS
from hybridnb.retrieval.trec_ids import outside
from hybridnb.retrieval.trec_read import read_runs
from hybridnb.retrieval.trec_write import strictly_falling
from hybridnb.study.evaluation import evaluate
from hybridnb.study.runs import Run, read_evaluations
from hybridnb.study.systems import as_system

TREC_EVAL = {
    "map": "map", "recall@1": "recall_1", "recall@10": "recall_10", "recall@100": "recall_100",
    "ndcg@10": "ndcg_cut_10", "mrr": "recip_rank",
}  # fmt: skip


class Trigrams:
    """Counts of hashed trigrams: a real ranking of real text, with ties."""

    def encode(self, texts: list[str]) -> np.ndarray[Any, Any]:
        vectors = np.zeros((len(texts), 96), dtype=np.float32)
        for row, text in enumerate(texts):
            codes = np.frombuffer(f"{text}  ".encode("utf-32-le"), dtype=np.uint32)
            hashes = (codes[:-2] + 31 * codes[1:-1] + 961 * codes[2:]) % 96
            vectors[row] = np.bincount(hashes, minlength=96)
        return vectors


def exported(benchmark: Benchmark, out: Path, depth: int, system: Any = None, **options: Any) -> pd.DataFrame:
    """Evaluated and exported by way of vectors in a file, or as a system; its ranks table."""
    evaluate(system, benchmark, out, trec=depth, **options)
    return Run(out, "", 0).ranks(benchmark.name)


def with_ties(seed: int, out: Path) -> tuple[Benchmark, Path]:
    """A benchmark, and vectors that tie many of its candidates."""
    rng = np.random.default_rng(seed)
    benchmark = random_benchmark(rng, partly=seed > 0, several=True, excluded=True)
    queries, candidates = score_vectors(benchmark, rng)
    # whole numbers, made of one length by a column of their own
    rough = {code: np.floor(vectors * 6) for code, vectors in candidates.items()}
    longest = max(float((v**2).sum(axis=1).max()) for v in rough.values())
    arrays = {f"queries/{c}": np.pad(v, ((0, 0), (0, 1))) for c, v in queries.items()}
    for code, vectors in rough.items():
        rest = np.sqrt(longest + 1 - (vectors**2).sum(axis=1, keepdims=True))
        arrays[f"candidates/{code}"] = np.concatenate([vectors, rest], axis=1)
    out.mkdir(exist_ok=True)
    np.savez(out / "vectors.npz", **arrays)
    return benchmark, out / "vectors.npz"


def read_trec(path: Path, column: int, kind: type) -> dict[str, dict[str, Any]]:
    table: dict[str, dict[str, Any]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        fields = line.split(" ")
        table.setdefault(fields[0], {})[fields[2]] = kind(fields[column])
    return table


def by_trec_eval(out: Path, name: str, task: str) -> pd.DataFrame:
    qrels = read_trec(out / "trec" / f"{name}.{task}.qrels", 3, int)
    run = read_trec(out / "trec" / f"{name}.{task}.run", 4, float)
    evaluator = pytrec_eval.RelevanceEvaluator(qrels, {"map", "recall.1,10,100", "ndcg_cut.10", "recip_rank"})
    return pd.DataFrame.from_dict(evaluator.evaluate(run), orient="index").sort_index()


def ours(ranks: pd.DataFrame, task: str) -> pd.DataFrame:
    values = per_query(ranks[ranks["task"] == task])
    names = [
        f"{asked}>{among}:{i}" if task == "crosslingual" else outside(asked, i)
        for asked, among, i in values[["query_language", "candidate_language", "query_id"]]
        .astype(str)
        .to_numpy()
    ]
    return values.set_index(pd.Index(names)).sort_index()


def cut(ranks: pd.DataFrame, depth: int) -> pd.DataFrame:
    rank = ranks["rank"].astype(float)
    return ranks.assign(rank=rank.where(rank <= depth))


def in_order(ranks: pd.DataFrame) -> pd.DataFrame:
    columns = [*POOL, "query_id", "relevant_language"]
    table = ranks.astype({**dict.fromkeys(columns, str), "rank": float})
    return table.sort_values([*columns, "rank"], ignore_index=True)


@pytest.mark.parametrize("seed", [0, 1])
def test_pytrec_eval_finds_our_numbers_at_full_depth(seed: int, tmp_path: Path) -> None:
    benchmark, vectors = with_ties(seed, tmp_path)
    ranks = exported(benchmark, tmp_path / "out", 10_000, vectors)
    for task in TASKS:
        theirs, values = by_trec_eval(tmp_path / "out", "random", task), ours(ranks, task)
        assert list(theirs.index) == list(values.index)
        for name, their_name in TREC_EVAL.items():
            assert_allclose(values[name], theirs[their_name], atol=1e-6, err_msg=f"{task} {name}")


def test_ranx_finds_our_numbers_at_full_depth(tmp_path: Path) -> None:
    benchmark, vectors = with_ties(1, tmp_path)
    ranks = exported(benchmark, tmp_path / "out", 10_000, vectors)
    for task in TASKS:
        path = tmp_path / "out" / "trec" / f"random.{task}"
        qrels = ranx.Qrels.from_file(f"{path}.qrels", kind="trec")
        run = ranx.Run.from_file(f"{path}.run", kind="trec")
        names = [*TREC_EVAL]
        theirs = ranx.evaluate(qrels, run, names, return_mean=False)
        order = np.argsort(list(qrels.keys()))
        for name, values in theirs.items():
            assert_allclose(ours(ranks, task)[name], values[order], atol=1e-6, err_msg=f"{task} {name}")


@pytest.mark.parametrize("depth", [1, 3, 10_000])
@pytest.mark.parametrize("seed", [0, 1])
def test_what_was_exported_gives_the_same_ranks_again(seed: int, depth: int, tmp_path: Path) -> None:
    benchmark, vectors = with_ties(seed, tmp_path)
    ranks = exported(benchmark, tmp_path / "out", depth, vectors)
    files = [tmp_path / "out" / "trec" / f"random.{task}.run" for task in TASKS]
    again, parts = read_runs(files[:2], benchmark)
    # of a query whose first candidates are of one language only its name does not tell the task
    merged, (whole,) = read_runs(files[2:], benchmark, task="multilingual")
    pd.testing.assert_frame_equal(in_order(pd.concat([again, merged])), in_order(cut(ranks, depth)))
    assert [part.task for part in parts] == ["monolingual", "crosslingual"]
    assert whole.depth <= depth and not any(part.tied or part.left_out for part in (*parts, whole))


def test_bm25_is_exported_too(tmp_path: Path) -> None:
    texts = {"de": ["der see", "am see", "see see", "berg", "tal"], "en": ["lake", "the lake", "a", "b"]}
    queries = {
        "de": Queries(["1", "2", "3"], ["see am", "berg", "nichts"]),
        "en": Queries(["1"], ["the lake"]),
    }
    relevance = {"1": {"de": [0, 1], "en": [0]}, "2": {"de": [3]}, "3": {"de": [4]}}
    toy = Benchmark("toy", queries, texts, relevance, excluded={"1": {"de": [2]}})
    ranks = exported(toy, tmp_path, 100, "bm25")
    files = sorted(path.name for path in (tmp_path / "trec").iterdir())
    assert files == [
        f"toy.{task}.{kind}" for task in ("monolingual", "multilingual") for kind in ("qrels", "run")
    ]
    again, parts = read_runs([tmp_path / "trec" / "toy.monolingual.run"], toy)
    expected = ranks[ranks["task"] == "monolingual"]
    pd.testing.assert_frame_equal(in_order(again), in_order(expected), check_dtype=False)
    assert parts[0].left_out == 1 and "1 queries are not in it and retrieve nothing" in parts[0].said(
        ["de", "en"]
    )
    assert "de:1 Q0 de:1 1 " in (tmp_path / "trec" / "toy.monolingual.run").read_text().splitlines()[0]
    assert "de:2 " not in (tmp_path / "trec" / "toy.monolingual.qrels").read_text().splitlines()[0]


def test_real_text_at_depth_100(real_data: Path, tmp_path: Path) -> None:
    benchmark = load_benchmark("xquad-r", directory=real_data).in_languages(["en", "zh"])
    ranks = exported(benchmark, tmp_path, 100, Trigrams(), name="trigrams")
    for task in TASKS:
        theirs, values = by_trec_eval(tmp_path, benchmark.name, task), ours(cut(ranks, 100), task)
        assert list(theirs.index) == list(values.index)
        path = tmp_path / "trec" / f"{benchmark.name}.{task}"
        qrels, run = (
            kind.from_file(f"{path}.{end}", kind="trec")
            for kind, end in ((ranx.Qrels, "qrels"), (ranx.Run, "run"))
        )
        names = ["ndcg@10", "recall@10", "recall@100", "mrr"]
        by_ranx = ranx.evaluate(qrels, run, names, return_mean=False)
        order = np.argsort(list(qrels.keys()))
        for name in names:
            assert_allclose(values[name], theirs[TREC_EVAL[name]], atol=1e-6, err_msg=f"{task} {name}")
            assert_allclose(values[name], by_ranx[name][order], atol=1e-6, err_msg=f"{task} {name}")
    files = [tmp_path / "trec" / f"{benchmark.name}.{task}.run" for task in TASKS]
    again, parts = read_runs(files, benchmark)
    pd.testing.assert_frame_equal(in_order(again), in_order(cut(ranks, 100)))
    assert [(part.task, part.depth) for part in parts] == [(task, 100) for task in TASKS]


@given(st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=30))
def test_scores_fall_strictly_and_as_little_as_needed(scores: list[float]) -> None:
    made = strictly_falling(np.array([sorted(scores, reverse=True)], dtype=np.float32))[0]
    assert (np.diff(made) < 0).all()
    if len(set(scores)) == len(scores) and all(scores):
        assert made.tolist() == sorted(scores, reverse=True)
    assert [np.float32(f"{score:.9g}") for score in made] == made.tolist()


TOY = Benchmark(
    "toy",
    {"de": Queries(["q1", "q 2"], ["a", "b"]), "en": Queries(["q1"], ["c"])},
    {"de": ["x", "y", "z"], "en": ["x", "y"]},
    {"q1": {"de": [0], "en": [1]}, "q 2": {"de": [2]}},
    candidate_ids={"de": ["d1", "d2", "de:d3"], "en": ["d1", "e2"]},
)


def run_file(path: Path, text: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in text.split("; ")))
    return path


def ranked(path: Path, text: str, **options: Any) -> dict[tuple[str, ...], float]:
    table, _ = read_runs([run_file(path / "a.run", text)], TOY, **options)
    columns = ["task", "query_language", "query_id", "relevant_language"]
    keys = zip(*(table[column].astype(str) for column in columns), strict=True)
    return dict(zip(keys, table["rank"].tolist(), strict=True))


def test_the_order_is_that_of_trec_eval_whatever_the_rank_column_says(tmp_path: Path) -> None:
    text = "de:q1 Q0 de:d1 1 0.5 t; de:q1 Q0 de:d2 2 0.5 t; de:q1 Q0 de:d3 3 9e-1 t"
    found = ranked(tmp_path, text)
    qrels, run = {"de:q1": {"de:d1": 1}}, read_trec(tmp_path / "a.run", 4, float)
    theirs = pytrec_eval.RelevanceEvaluator(qrels, {"recip_rank"}).evaluate(run)["de:q1"]["recip_rank"]
    assert found["monolingual", "de", "q1", "de"] == 3 == round(1 / theirs)
    # the other question of the language is not in the file, and English is not in it at all
    assert np.isnan(found["monolingual", "de", "q 2", "de"]) and len(found) == 2
    said = read_runs([tmp_path / "a.run"], TOY)[1][0].said(TOY.languages)
    assert "monolingual, 1 queries (de), depth 3" in said and "1 queries are not in it" in said
    assert "equal scores in 1 queries" in said


def test_scores_that_are_equal_as_float32_are_equal(tmp_path: Path) -> None:
    text = "de:q1 Q0 de:d2 1 0.50000000001 t; de:q1 Q0 de:d3 2 0.5 t; de:q1 Q0 de:d1 3 0.1 t"
    assert (
        ranked(tmp_path, text.replace("d3", "d1", 1).replace("de:d1 3", "de:d3 3"))[
            "monolingual", "de", "q1", "de"
        ]
        == 2
    )
    assert (
        ranked(tmp_path, text.replace("de:d2", "de:d1", 1).replace("de:d1 3", "de:d2 3"))[
            "monolingual", "de", "q1", "de"
        ]
        == 2
    )


def test_names_bare_ids_and_pairs(tmp_path: Path) -> None:
    text = "q%202 Q0 de:d3 1 2 t; de:q1 Q0 d2 1 2 t; de:q1 Q0 de:d1 2 1 t; de>en:q1 Q0 e2 1 1 t"
    assert ranked(tmp_path, text) == {
        ("monolingual", "de", "q1", "de"): 2,
        ("monolingual", "de", "q 2", "de"): 1,
        ("crosslingual", "de", "q1", "en"): 1,
    }
    assert ranked(tmp_path, "en:q1 Q0 de:d1 1 1 t")["crosslingual", "en", "q1", "de"] == 1
    # an id that has its language in it is called so with it and without
    assert ranked(tmp_path, "q%202 Q0 d3 1 1 t")["monolingual", "de", "q 2", "de"] == 1
    several = ranked(tmp_path, "en:q1 Q0 de:d1 1 1 t; en:q1 Q0 e2 1 3 t")
    assert several["multilingual", "en", "q1", "de"] == 2
    assert ranked(tmp_path, "en:q1 Q0 e2 1 1 t", task="multilingual")["multilingual", "en", "q1", "en"] == 1


def test_ids_of_digits_are_texts(tmp_path: Path) -> None:
    ids = ["7", "07", "NA", "1e3", "None"]
    digits = Benchmark(
        "digits",
        {"sw": Queries(["1", "01"], ["a", "b"])},
        {"sw": ids},
        {"1": {"sw": [0]}, "01": {"sw": [2]}},
        candidate_ids={"sw": ids},
    )
    lines = [f"{q} Q0 {c} 1 {10 - n} 7" for q in ("1", "01") for n, c in enumerate(["07", *ids[2:], "7"])]
    table, _ = read_runs([run_file(tmp_path / "a.run", "; ".join(lines))], digits)
    assert dict(zip(table["query_id"], table["rank"], strict=True)) == {"1": 5, "01": 2}


def test_excluded_candidates_are_passed_over(tmp_path: Path) -> None:
    file = run_file(tmp_path / "a.run", "de:q1 Q0 d2 1 3 t; de:q1 Q0 de:d1 2 2 t")
    table, _ = read_runs([file], replace(TOY, excluded={"q1": {"de": [1]}}))
    assert table.loc[table["query_id"] == "q1", "rank"].tolist() == [1]


def test_gzip_and_several_files(tmp_path: Path) -> None:
    one, other = tmp_path / "mono.run", tmp_path / "cross.run.gz"
    run_file(one, "de:q1 Q0 de:d1 1 1 t")
    other.write_bytes(gzip.compress(b"\nde>en:q1 Q0 en:e2 1 1 t\n"))
    table, parts = read_runs([one, other], TOY)
    assert sorted(set(table["task"])) == ["crosslingual", "monolingual"]
    assert [part.task for part in parts] == ["monolingual", "crosslingual"]
    with pytest.raises(ValueError, match=r"mono.run and .*again.run both hold monolingual results for de"):
        read_runs([one, run_file(tmp_path / "again.run", "de:q1 Q0 de:d1 1 1 t")], TOY)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("de:q1 Q0 de:d1 1 1 t; de:q9 Q0 de:d1 1 1 t", "line 2, column query: 'de:q9' is not in toy"),
        ("q1 Q0 de:d1 1 1 t", "line 1, column query: 'q1' is not in toy, or in several languages"),
        ("fr>de:q1 Q0 de:d1 1 1 t", "line 1, column query: 'fr>de:q1'"),
        ("de:q1 Q0 d1 1 1 t", "line 1, column candidate: 'd1' is not in toy, or in several languages"),
        ("; de:q1 Q0 de:d9 1 1 t", "line 2, column candidate: 'de:d9'"),
        (
            "de:q1 Q0 de:d1 1 1 t; de:q1 Q0 de:d1 2 0 t",
            "line 2, column candidate: 'de:d1' stands there twice",
        ),
        ("de:q1 Q0 de:d1 1 high t", "line 1, column score: 'high' is not a finite number"),
        (
            "de:q1 Q0 de:d1 1 1 t; de:q1 Q0 de:d2 1 nan t",
            "line 2, column score: 'nan' is not a finite number",
        ),
        ("de:q1 Q0 de:d1 1 1e39 t", "line 1, column score: '1e39' is not a finite number"),
        ("de:q1 Q0 de:d1 1 1", "line 1: 5 columns; a line is `query Q0 candidate rank score tag`"),
        ("de:q1 Q0 de:d1 1 1 t; de:q1 Q0 de:d1 1 1 t x", "line 2: 7 columns"),
        ("de:q1 Q0 de:d1 1 1 t; de:q1 Q0 de:d1 1 1 t x y z", "line 2: 9 columns"),
        ("", "is empty"),
        (
            "de>en:q1 Q0 de:d1 1 1 t",
            "line 1, column candidate: 'de:d1' is not in the language of its query's pool",
        ),
        ("de:q1 Q0 de:d1 1 1 t; en:q1 Q0 de:d1 1 1 t", "say which task it is"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=rf"a\.run.*{message}"):
        ranked(tmp_path, text)


def test_a_task_that_the_candidates_speak_against(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match="'q1' has candidates in de, which is not the crosslingual task of de"
    ):
        ranked(tmp_path, "de:q1 Q0 de:d1 1 1 t", task="crosslingual")
    with pytest.raises(ValueError, match="in de and en, which is not the monolingual task of de"):
        ranked(tmp_path, "de:q1 Q0 de:d1 1 1 t; de:q1 Q0 e2 1 1 t", task="monolingual")
    with pytest.raises(ValueError, match="queries of pairs of languages, which is not the multilingual task"):
        ranked(tmp_path, "de>en:q1 Q0 e2 1 1 t", task="multilingual")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.run: no such file"):
        read_runs([tmp_path / "nowhere.run"], TOY)
    whole = gzip.compress(b"de:q1 Q0 de:d1 1 1 t\n" * 1000)
    for damaged in (whole[:-20], b"de:q1 Q0 de:d1 1 1 t\n", whole[:30] + b"x" * 9 + whole[39:]):
        (tmp_path / "a.run.gz").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"a\.run\.gz is damaged"):
            read_runs([tmp_path / "a.run.gz"], TOY)
    (tmp_path / "latin.run").write_bytes("de:q1 Q0 de:ä 1 1 t\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"latin.run is not UTF-8"):
        read_runs([tmp_path / "latin.run"], TOY)


def test_ids_that_would_be_written_alike_are_refused(tmp_path: Path) -> None:
    twice = replace(TOY, candidate_ids={"de": ["d1", "de:d1", "d3"], "en": ["d1", "e2"]})
    with pytest.raises(ValueError, match="toy: two ids are 'de:d1' in a TREC file"):
        evaluate("bm25", twice, tmp_path, trec=10)


def test_a_run_is_a_system(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = run_file(tmp_path / "mine.run", "de:q1 Q0 de:d1 1 1 t; de:q%202 Q0 d2 1 1 t")
    metrics = evaluate([file], TOY, tmp_path / "out")
    assert set(metrics) == {"monolingual"} and metrics["monolingual"]["map"] == 0.5
    assert "mine.run: monolingual, 2 queries (de), depth 1" in capsys.readouterr().err
    made = read_evaluations(tmp_path / "out")["toy"].model_dump()
    part = {"file": "mine.run", "task": "monolingual", "depth": 1, "queries": 2, "left_out": 0, "tied": 0}
    assert made["runs"] == [part] and made["encoder"]["model"] == "mine"
    run_file(file, "de:q1 Q0 de:d1 1 2 t")
    with pytest.raises(ValueError, match="other files, or their content is another"):
        evaluate([file], TOY, tmp_path / "out")
    with pytest.raises(ValueError, match="is a TREC run already"):
        evaluate(file, TOY, tmp_path / "other", trec=5)
    with pytest.raises(ValueError, match="trec is 0"):
        evaluate("bm25", TOY, tmp_path / "other", trec=0)
    with pytest.raises(ValueError, match="task monolingual is for TREC runs"):
        as_system("bm25x", task="monolingual")
