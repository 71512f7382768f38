"""MIRACL: real topics and qrels; the whole path on a small collection in the published layout."""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridnb import corpora
from hybridnb.corpora import tables, trec
from hybridnb.corpora.lines import BadRow, BadRows, BadRowsWarning
from hybridnb.corpora.sets import miracl
from hybridnb.corpora.source import MissingData
from hybridnb.corpora.tables import Texts, texts_by_language
from hybridnb.measures import metrics
from hybridnb.retrieval.ranking import exact_ranks

TOPICS = "6\tWhich harbour?\n8\tWhich capital?\n"
QRELS = "6\tQ0\t1#0\t1\n6\tQ0\t2#0\t0\n8\tQ0\t2#0\t1\n8\tQ0\t1#1\t1\n"
PASSAGES = [
    {"docid": "1#0", "title": "Kenya", "text": "Mombasa has\na harbour."},
    {"docid": "1#1", "title": "Kenya", "text": "Nairobi is the capital."},
    {"docid": "2#0", "title": "", "text": "Canberra is a capital."},
]
COUNTS = {
    **{"ar": 2896, "bn": 411, "de": 305, "en": 799, "es": 648, "fa": 632, "fi": 1271, "fr": 343, "hi": 350},
    **{"id": 960, "ja": 860, "ko": 213, "ru": 1252, "sw": 482, "te": 828, "th": 733, "yo": 119, "zh": 393},
}


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("HYBRIDNB_DATA", raising=False)


def path_of(language: str, kind: str) -> str:
    return f"miracl/miracl-v1.0-{language}/{kind}/{kind}.miracl-v1.0-{language}-dev.tsv"


def shard_of(language: str, number: int) -> str:
    return f"miracl/miracl-corpus-v1.0-{language}/docs-{number}.jsonl.gz"


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def jsonl(rows: Sequence[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def collection(
    directory: Path,
    *,
    language: str = "hi",
    topics: str = TOPICS,
    qrels: str = QRELS,
    passages: Sequence[Any] = PASSAGES,
) -> Path:
    """A small collection in the layout of the hub; hi is published in two files."""
    put(directory / path_of(language, "topics"), topics)
    put(directory / path_of(language, "qrels"), qrels)
    put(directory / shard_of(language, 0), jsonl(passages[:2]))
    put(directory / shard_of(language, 1), jsonl(passages[2:]))
    return directory


def test_the_whole_path(tmp_path: Path) -> None:
    benchmark = corpora.load_benchmark("miracl-hi", directory=collection(tmp_path))
    assert benchmark.name == "miracl-hi"
    assert list(benchmark.queries["hi"].ids) == ["hi:6", "hi:8"]
    assert list(benchmark.queries["hi"].texts) == ["Which harbour?", "Which capital?"]
    assert list(benchmark.candidates["hi"]) == [
        "Kenya\nMombasa has\na harbour.",
        "Kenya\nNairobi is the capital.",
        "Canberra is a capital.",
    ]
    assert benchmark.relevance == {"hi:6": {"hi": [0]}, "hi:8": {"hi": [1, 2]}}
    assert [benchmark.candidate_id("hi", row) for row in range(3)] == ["1#0", "1#1", "2#0"]


def test_languages_that_are_asked_for_share_a_pool_and_no_other_is_read(tmp_path: Path) -> None:
    collection(tmp_path)
    for kind in ("topics", "qrels"):
        put(tmp_path / path_of("yo", kind), {"topics": "6\tIbo?\n", "qrels": "6\tQ0\t2#0\t1\n"}[kind])
    put(tmp_path / shard_of("yo", 0), jsonl(PASSAGES))
    pool = corpora.load_benchmark("miracl", directory=tmp_path, languages=["yo", "hi"])
    assert (pool.name, pool.languages) == ("miracl-hi-yo", ("hi", "yo"))
    assert pool.relevance == {"hi:6": {"hi": [0]}, "hi:8": {"hi": [1, 2]}, "yo:6": {"yo": [2]}}
    assert isinstance(pool.candidates["yo"], Texts)  # still on disk
    assert [pool.candidate_id("yo", row) for row in range(3)] == ["1#0", "1#1", "2#0"]
    # one of them is the benchmark of that language
    alone = corpora.load_benchmark("miracl", directory=tmp_path, languages=["hi"])
    known = corpora.load_benchmark("miracl-hi", directory=tmp_path)
    assert (alone.name, alone.sha256) == (known.name, known.sha256)
    with pytest.raises(ValueError, match="MIRACL has no 'xx'"):
        corpora.load_benchmark("miracl", directory=tmp_path, languages=["xx"])
    with pytest.raises(MissingData, match=r"^miracl: no miracl/miracl-v1\.0-ar/topics.* and 250 more"):
        corpora.load_benchmark("miracl", directory=tmp_path)


def test_topics_and_qrels_may_lie_flat(tmp_path: Path) -> None:
    nested = miracl.load_benchmark("hi", collection(tmp_path / "nested"))
    flat = collection(tmp_path / "flat")
    for kind in ("topics", "qrels"):
        path = flat / path_of("hi", kind)
        put(flat / f"miracl/{path.name}.gz", path.read_text())
        path.unlink()
    assert miracl.load_benchmark("hi", flat).sha256 == nested.sha256


def test_passages_are_unpacked_once_and_again_when_a_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection(tmp_path)
    before = miracl.load_benchmark("hi", tmp_path)
    assert before.candidates["hi"][1:] == ["Kenya\nNairobi is the capital.", "Canberra is a capital."]
    assert before.candidates["hi"][-1] == before.candidates["hi"][2]
    with pytest.raises(IndexError):
        before.candidates["hi"][3]
    with monkeypatch.context() as patch:
        patch.setattr(tables, "_Table", None)  # reading the files again would fail
        assert miracl.load_benchmark("hi", tmp_path).sha256 == before.sha256
    put(tmp_path / shard_of("hi", 1), jsonl([{**PASSAGES[2], "text": "Sydney is none."}]))
    after = miracl.load_benchmark("hi", tmp_path)
    assert after.candidates["hi"][2] == "Sydney is none."
    assert after.sha256 != before.sha256


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


@given(st.lists(st.tuples(st.one_of(st.just(""), texts), texts), min_size=1, max_size=5))
@settings(max_examples=30, deadline=None)
def test_passages_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, pairs: Any) -> None:
    directory = tmp_path_factory.mktemp("passages")
    rows = [{"docid": f"{n}#0", "title": title, "text": text} for n, (title, text) in enumerate(pairs)]
    shard = put(directory / "docs-0.jsonl.gz", jsonl(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(directory))
        read = functools.partial(trec.passages, "en")
        passages = texts_by_language("toy", [shard], read, BadRows(skip=False))["en"]
    assert list(passages) == [f"{title}\n{text}" if title else text for title, text in pairs]
    assert list(passages.ids) == [row["docid"] for row in rows]
    assert passages.rows(["0#0", "absent"]) == {"0#0": 0}


def test_ndcg_and_recall_are_those_of_the_official_evaluation(real_data: Path, tmp_path: Path) -> None:
    """Real topics and qrels (sw), over a made collection of all judged passages and 200 others."""
    judged = {}
    with gzip.open(flat(real_data, "sw", "qrels"), "rt", encoding="utf-8") as file:
        for line in file:
            topic, _, docid, grade = line.split()
            judged.setdefault(f"sw:{topic}", {})[docid] = int(grade)
    docids = sorted({d for of_topic in judged.values() for d in of_topic}) + [f"x{n}#0" for n in range(200)]
    rows = [{"docid": docid, "title": "t", "text": f"text of {docid}"} for docid in docids]
    put(tmp_path / shard_of("sw", 0), jsonl(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HYBRIDNB_DATA", str(real_data))
        benchmark = miracl.load_benchmark("sw", tmp_path)
    assert len(benchmark.queries["sw"]) == 482

    rng = np.random.default_rng(0)
    unit = rng.standard_normal((len(docids) + 482, 16)).astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    candidates, queries = unit[: len(docids)], unit[len(docids) :]
    for number, query_id in enumerate(benchmark.queries["sw"].ids):  # so that some are found near the top
        queries[number] += 0.7 * candidates[benchmark.relevance[query_id]["sw"][0]]
    found = metrics.per_query(exact_ranks(benchmark, {"sw": queries}, {"sw": candidates}))
    found = found[found["task"] == "monolingual"].set_index("query_id")

    passages = benchmark.candidates["sw"]
    assert isinstance(passages, Texts)
    names = list(benchmark.candidate_ids["sw"])
    run = {
        query_id: dict(zip(names, scores.tolist(), strict=True))
        for query_id, scores in zip(benchmark.queries["sw"].ids, queries @ candidates.T, strict=True)
    }
    official = pytrec_eval.RelevanceEvaluator(judged, {"ndcg_cut.10", "recall.100"}).evaluate(run)
    assert found["recall@100"].between(0.01, 0.99).any()
    for query_id, values in official.items():
        assert found.loc[query_id, "ndcg@10"] == pytest.approx(values["ndcg_cut_10"], abs=1e-6)
        assert found.loc[query_id, "recall@100"] == pytest.approx(values["recall_100"], abs=1e-6)


def flat(real_data: Path, language: str, kind: str) -> Path:
    path = real_data / f"miracl/{kind}.miracl-v1.0-{language}-dev.tsv.gz"
    if not path.is_file():
        pytest.skip(f"no {path.name} in the data directory")
    return path


@pytest.mark.parametrize("language", COUNTS)
def test_real_topics_and_qrels(real_data: Path, language: str) -> None:
    files = {kind: flat(real_data, language, kind) for kind in ("topics", "qrels")}
    bad = BadRows(skip=False)
    topics = trec.topics(files["topics"], bad)
    positives = miracl._positives(files["qrels"], topics, bad)
    assert len(topics) == COUNTS[language]
    assert positives.keys() == topics.keys()
    with gzip.open(files["qrels"], "rt", encoding="utf-8") as file:
        assert {line.split()[3] for line in file} == {"0", "1"}
    # they are byte for byte the files that are pinned
    for kind, remote in zip(("topics", "qrels"), miracl.source(language).files, strict=False):
        data = gzip.decompress(files[kind].read_bytes())
        assert (len(data), f"sha256:{hashlib.sha256(data).hexdigest()}") == (remote.size, remote.digest)


def test_source_is_pinned_and_tells_its_size() -> None:
    files = miracl.source("ar").files
    assert [file.path for file in files[:2]] == [path_of("ar", "topics"), path_of("ar", "qrels")]
    assert [file.path for file in files[2:]] == [shard_of("ar", n) for n in range(5)]
    for file, (repository, revision) in zip(
        files, [miracl.JUDGEMENTS] * 2 + [miracl.CORPUS] * 5, strict=True
    ):
        assert len(revision) == 40
        assert file.url == f"hf://datasets/{repository}@{revision}/{file.path.removeprefix('miracl/')}"
    assert sum(file.size or 0 for file in files[2:]) == 319_972_345
    assert sum(file.size or 0 for file in miracl.source("en").files[2:]) == 5_060_264_106
    with pytest.raises(ValueError, match="MIRACL has no 'xx'; its languages are ar, bn"):
        miracl.source("xx")


def test_missing_passages_say_what_was_tried(tmp_path: Path) -> None:
    collection(tmp_path)
    (tmp_path / shard_of("hi", 1)).unlink()
    expected = r"no miracl/miracl-corpus-v1.0-hi/docs-1.jsonl.gz. Tried: given directory .*revision d921ec7e"
    with pytest.raises(MissingData, match=expected):
        miracl.load_benchmark("hi", tmp_path)


BAD = {
    "topic without a tab": ({"topics": "6 Which?\n8\tWhich capital?\n"}, "topics", 1, None),
    "topic of three columns": ({"topics": "6\tWhich\tharbour?\n8\tWhich capital?\n"}, "topics", 1, None),
    "empty topic": ({"topics": "6\t \n8\tWhich capital?\n"}, "topics", 1, "question"),
    "repeated topic": ({"topics": TOPICS + "6\tAgain?\n"}, "topics", 3, "id"),
    "unjudged topic": ({"topics": TOPICS + "9\tWhat else?\n"}, "topics", 3, "id"),
    "qrel of three columns": ({"qrels": QRELS + "6\tQ0\t1#0\n"}, "qrels", 5, None),
    "qrel of no topic": ({"qrels": QRELS + "7\tQ0\t1#0\t1\n"}, "qrels", 5, "topic"),
    "repeated qrel": ({"qrels": QRELS + "8\tQ0\t2#0\t1\n"}, "qrels", 5, "docid"),
    "grade in words": ({"qrels": QRELS + "8\tQ0\t1#0\tyes\n"}, "qrels", 5, "grade"),
    "passage without a title": (
        {"passages": [*PASSAGES, {"docid": "3#0", "text": "t"}]},
        "docs",
        2,
        "title",
    ),
    "field that is not known": ({"passages": [*PASSAGES, {**PASSAGES[0], "url": "u"}]}, "docs", 2, "url"),
    "empty text": ({"passages": [*PASSAGES, {**PASSAGES[0], "docid": "3#0", "text": ""}]}, "docs", 2, "text"),
    "docid with a space": ({"passages": [*PASSAGES, {**PASSAGES[0], "docid": "3 0"}]}, "docs", 2, "docid"),
    "repeated docid": ({"passages": [*PASSAGES, PASSAGES[1]]}, "docs", 2, "id"),
    "not an object": ({"passages": [*PASSAGES, ["1#0"]]}, "docs", 2, None),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_rows_are_named_and_may_be_skipped(tmp_path: Path, case: str) -> None:
    changes, kind, line, field = BAD[case]
    collection(tmp_path, **changes)
    path = tmp_path / (shard_of("hi", 1) if kind == "docs" else path_of("hi", kind))
    with pytest.raises(BadRow) as raised:
        miracl.load_benchmark("hi", tmp_path)
    assert (raised.value.path, raised.value.line, raised.value.field) == (str(path), line, field)
    for _ in range(2):  # the second time from the cache
        with pytest.warns(BadRowsWarning, match=f"{path}, line {line}"):
            skipped = miracl.load_benchmark("hi", tmp_path, skip_bad=True)
        assert list(skipped.candidates["hi"])[:1] == ["Kenya\nMombasa has\na harbour."]
        assert len(skipped.candidates["hi"]) == 3
        assert skipped.relevance["hi:8"] == {"hi": [1, 2]}


def test_truncated_gzip(tmp_path: Path) -> None:
    path = collection(tmp_path) / shard_of("hi", 1)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BadRow, match=f"{path}, line .*the gzip ends too early"):
        miracl.load_benchmark("hi", tmp_path)


def test_a_relevant_passage_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    collection(tmp_path, passages=[PASSAGES[0], PASSAGES[2]])
    for skip_bad in (False, True):
        with pytest.raises(ValueError, match=r"1 relevant passages, '1#1' for one, are not among the 2"):
            miracl.load_benchmark("hi", tmp_path, skip_bad=skip_bad)
