"""A folder as a benchmark: each layout beside an independent reading, round trips, and what is wrong with one."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybridnb import corpora
from hybridnb.corpora import tables
from hybridnb.corpora.benchmark import Benchmark, Queries
from hybridnb.corpora.describe import examples, to_dict
from hybridnb.corpora.leaks import leaks
from hybridnb.corpora.lines import BadRow, BadRowsWarning
from hybridnb.corpora.parallel import Item, ParallelCorpus


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def jsonl(rows: Iterable[Any]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def relevant(benchmark: Benchmark) -> set[tuple[str, str, str]]:
    """(query id, language, candidate id)"""
    return {
        (query_id, language, benchmark.candidate_id(language, row))
        for query_id, by_language in benchmark.relevance.items()
        for language, rows in by_language.items()
        for row in rows
    }


def content(benchmark: Benchmark) -> Any:
    """All that a benchmark holds, whatever holds it."""
    return (
        {c: dict(zip(q.ids, q.texts, strict=True)) for c, q in benchmark.queries.items()},
        {c: list(zip(benchmark.candidate_ids[c], t, strict=True)) for c, t in benchmark.candidates.items()},
        {q: {c: sorted(rows) for c, rows in of.items()} for q, of in benchmark.relevance.items()},
    )


# ---------------------------------------------------------------- BEIR

CORPUS = [
    {
        "_id": "d1",
        "title": "Kenya",
        "text": "Mombasa has a harbour.",
        "metadata": {"url": "u"},
        "language": "en",
    },
    {"_id": "d1", "title": "Kenia", "text": "Mombasa hat einen Hafen.", "language": "de"},
    {"_id": "d2", "title": "", "text": "Nairobi is the capital.", "language": "en"},
    {"_id": "d3", "text": "内罗毕", "lang": "zh-CN"},
]
QUESTIONS = [
    {"_id": "q1", "text": "Which harbour?", "language": "en"},
    {"_id": "q1", "text": "Welcher Hafen?", "language": "de-DE"},
    {"_id": "q2", "text": "Which capital?", "language": "en"},
    {"_id": "q9", "text": "Of another split?", "language": "en"},
]
HEADER = "query-id\tcorpus-id\tscore\n"
TEST = HEADER + "q1\td1\t1\nq2\td2\t2\nq2\td3\t1\nq2\td1\t0\n"


def beir(
    folder: Path, *, corpus: Any = CORPUS, queries: Any = QUESTIONS, qrels: str = TEST, gz: str = ""
) -> Path:
    put(folder / f"corpus.jsonl{gz}", jsonl(corpus))
    put(folder / f"queries.jsonl{gz}", jsonl(queries))
    put(folder / "qrels/test.tsv", qrels)
    return folder


@pytest.mark.parametrize("gz", ["", ".gz"])
def test_beir(tmp_path: Path, gz: str) -> None:
    folder = beir(tmp_path / "my beir", gz=gz)
    put(folder / "qrels/train.tsv", HEADER + "q9\td1\t1\n")
    with pytest.warns(UserWarning) as told:
        benchmark = corpora.load_benchmark(folder)
    assert sorted(str(w.message).removeprefix(f"{folder}: ") for w in told) == [
        "1 of 4 queries have no relevant candidate and are left out",
        "languages read in one form: de-DE as de",
        "queries of one id in several languages (1) are taken as translations of one question; where they are not, "
        "write their ids as LANG:ID",
        "relevance is graded, up to 2: candidates of grade 1 or more count as relevant (set by `threshold`)",
    ]
    assert benchmark.name == "my_beir"
    assert content(benchmark) == (
        {"de": {"q1": "Welcher Hafen?"}, "en": {"q1": "Which harbour?", "q2": "Which capital?"}},
        {
            "de": [("d1", "Kenia\nMombasa hat einen Hafen.")],
            "en": [("d1", "Kenya\nMombasa has a harbour."), ("d2", "Nairobi is the capital.")],
            "zh": [("d3", "内罗毕")],
        },
        {"q1": {"de": [0], "en": [0]}, "q2": {"en": [1], "zh": [0]}},
    )


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_threshold_and_a_second_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = beir(tmp_path / "b")
    first = corpora.load_benchmark(folder)
    monkeypatch.setattr(tables, "_Table", None)  # reading the candidates again would fail
    assert corpora.load_benchmark(folder).sha256 == first.sha256
    strict = corpora.load_benchmark(folder, threshold=2)
    assert relevant(strict) == {("q2", "en", "d2")}
    assert strict.sha256 != first.sha256


@pytest.mark.filterwarnings("ignore:.*translations of one question")
def test_beir_with_a_folder_for_each_language(tmp_path: Path) -> None:
    """Judgements of a folder are of its candidates; a language without questions has candidates alone."""
    for code, text in {"de": "Eins", "en": "One", "th": "หนึ่ง"}.items():
        folder = tmp_path / "many" / code
        put(folder / "corpus.jsonl", jsonl([{"_id": "d1", "text": text}, {"_id": "d2", "text": f"{text} 2"}]))
        if code != "th":
            put(folder / "queries.jsonl", jsonl([{"_id": "q1", "text": f"{code}?"}]))
        put(folder / "qrels/dev.tsv", HEADER + f"q1\t{'d1' if code == 'en' else 'd2'}\t1\n")
    (tmp_path / "many" / "notes").mkdir()
    benchmark = corpora.load_benchmark(tmp_path / "many")
    assert {c: list(q.ids) for c, q in benchmark.queries.items()} == {"de": ["q1"], "en": ["q1"]}
    assert relevant(benchmark) == {("q1", "de", "d2"), ("q1", "en", "d1"), ("q1", "th", "d2")}
    alone = corpora.load_benchmark(tmp_path / "many" / "de")
    assert (alone.name, alone.languages, alone.relevance) == ("de", ("de",), {"q1": {"de": [1]}})


def test_a_language_column_restricts_a_judgement(tmp_path: Path) -> None:
    qrels = "query-id\tcorpus-id\tscore\tlanguage\nq2\td1\t1\tde\nq2\td2\t1\t\n"
    folder = beir(tmp_path / "b", queries=QUESTIONS[2:3], corpus=CORPUS[:3], qrels=qrels)
    assert relevant(corpora.load_benchmark(folder)) == {("q2", "de", "d1"), ("q2", "en", "d2")}


# ---------------------------------------------------------------- MIRACL and TREC


def test_topics_number_two_questions_alike_in_two_languages(tmp_path: Path) -> None:
    for code in ("sw", "yo"):
        folder = tmp_path / "m" / code
        put(folder / f"topics.miracl-v1.0-{code}-dev.tsv", f"6\t{code} six?\n7\t{code} seven?\n")
        put(folder / f"qrels.miracl-v1.0-{code}-dev.tsv", "6 Q0 1#0 1\n6 Q0 2#0 0\n7 Q0 2#0 1\n")
        docs = [{"docid": f"{n}#0", "title": "T", "text": f"{code} {n}"} for n in range(1, 13)]
        for shard in range(12):  # docs-10 comes after docs-9
            put(folder / f"docs-{shard}.jsonl.gz", jsonl(docs[shard : shard + 1]))
    benchmark = corpora.load_benchmark(str(tmp_path / "m"))
    assert list(benchmark.candidates["sw"]) == [f"T\nsw {n}" for n in range(1, 13)]
    assert list(benchmark.queries["yo"].ids) == ["yo:6", "yo:7"]
    assert relevant(benchmark) == {
        (f"{code}:{topic}", code, docid)
        for code in ("sw", "yo")
        for topic, docid in (("6", "1#0"), ("7", "2#0"))
    }
    elsewhere = shutil.copytree(tmp_path / "m" / "sw", tmp_path / "copied here")
    assert corpora.load_benchmark(elsewhere).languages == ("sw",)  # the names of the files say so


TOPS = """<top>
<num> Number: 301
<title> International
 organized crime

<desc> Description:
Identify.
</top>
<top>
<num>302</num>
<title>Poliomyelitis</title>
</top>
"""


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("topics.miracl-v1.0-sw-dev.tsv.gz", "sw"),
        ("topics.zh-Hant.tsv", "zh-Hant"),
        ("topics-yo.test.txt", "yo"),
        ("topics.msmarco-doc.dev.txt", "el"),
        ("topics.dev.tsv", "el"),
        ("topics.tsv", "el"),
    ],
)
def test_the_language_in_a_file_s_name_or_its_folder_s(tmp_path: Path, name: str, language: str) -> None:
    put(tmp_path / "el" / name, "1\tWho?\n")
    put(tmp_path / "el" / "qrels.txt", "1 0 d 1\n")
    put(tmp_path / "el" / "corpus.jsonl", jsonl([{"_id": "d", "text": "D.", "title": None}]))
    assert corpora.load_benchmark(tmp_path / "el").languages == (language,)


@pytest.mark.parametrize("topics", [TOPS, "301\tInternational organized crime\nen:302\tPoliomyelitis\n"])
def test_trec(tmp_path: Path, topics: str) -> None:
    folder = tmp_path / "t" / "en"
    put(folder / "topics.txt", topics)
    put(folder / "qrels.txt", "301 0 FT-1 1\n301 0 FT-2 -1\n302 0 FT-2 1\n")
    put(folder / "collection.tsv.gz", "FT-1\tCrime\tpays.\nFT-2\tPolio.\n")
    assert content(corpora.load_benchmark(folder.parent)) == (
        {"en": {"en:301": "International organized crime", "en:302": "Poliomyelitis"}},
        {"en": [("FT-1", "Crime\tpays."), ("FT-2", "Polio.")]},
        {"en:301": {"en": [0]}, "en:302": {"en": [1]}},
    )


def test_miracl_judged_is_such_a_folder(real_data: Path) -> None:
    folder = real_data / "miracl_judged"
    if not folder.is_dir():
        pytest.skip(f"no miracl_judged in {real_data}")
    assert (
        corpora.load_benchmark(folder).sha256
        == corpora.load_benchmark("miracl-judged", directory=real_data).sha256
    )
    docs = pd.read_json(folder / "yo" / "docs-0.jsonl.gz", lines=True, dtype=False)
    assert list(corpora.load_benchmark(folder / "yo").candidate_ids["yo"]) == docs["docid"].tolist()


# ---------------------------------------------------------------- round trips

LANGUAGES = ["de", "en", "zh-Hant"]
words = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=8)


@st.composite
def benchmarks(draw: st.DrawFn, *, parallel: bool) -> Benchmark:
    """Ids of queries are shared by languages (parallel), or begin with theirs."""
    candidates = {
        code: draw(st.dictionaries(words, words.map("  {} ".format), min_size=1, max_size=4))
        for code in LANGUAGES
    }
    queries, relevance = {}, {}
    for code in LANGUAGES:
        ids = draw(st.lists(st.sampled_from("abc"), unique=True, max_size=3))
        names = [name if parallel else f"{code}:{name}" for name in ids]
        if names:
            queries[code] = Queries(names, [draw(words) for _ in names])
        for name in names:
            into = LANGUAGES if parallel else [code]
            rows = {c: draw(st.sets(st.integers(0, len(candidates[c]) - 1))) for c in into}
            rows = {c: sorted(of) for c, of in rows.items() if of} or {code: [0]}
            relevance[name] = {**relevance.get(name, {}), **rows}
    return Benchmark(
        "toy",
        queries,
        {code: list(texts.values()) for code, texts in candidates.items()},
        relevance,
        candidate_ids={code: list(texts) for code, texts in candidates.items()},
    )


def write_beir(folder: Path, benchmark: Benchmark) -> None:
    rows = [
        {"_id": row_id, "text": text, "language": code}
        for code, texts in benchmark.candidates.items()
        for row_id, text in zip(benchmark.candidate_ids[code], texts, strict=True)
    ]
    asked = [
        {"_id": row_id, "text": text, "language": code}
        for code, queries in benchmark.queries.items()
        for row_id, text in zip(queries.ids, queries.texts, strict=True)
    ]
    judged = "".join(f"{q}\t{d}\t1\t{c}\n" for q, c, d in sorted(relevant(benchmark)))
    put(folder / "corpus.jsonl", jsonl(rows))
    put(folder / "queries.jsonl", jsonl(asked))
    put(folder / "qrels/test.tsv", f"{HEADER.strip()}\tlanguage\n{judged}")


def write_miracl(folder: Path, benchmark: Benchmark) -> None:
    for code, texts in benchmark.candidates.items():
        rows = [
            {"docid": row_id, "title": "", "text": text}
            for row_id, text in zip(benchmark.candidate_ids[code], texts, strict=True)
        ]
        put(folder / code / "docs-0.jsonl.gz", jsonl(rows))
        _write_topics(folder / code, code, benchmark)


def write_trec(folder: Path, benchmark: Benchmark) -> None:
    for code, texts in benchmark.candidates.items():
        rows = zip(benchmark.candidate_ids[code], texts, strict=True)
        put(folder / code / "corpus.tsv", "".join(f"{row_id}\t{text}\n" for row_id, text in rows))
        _write_topics(folder / code, code, benchmark)


def _write_topics(folder: Path, code: str, benchmark: Benchmark) -> None:
    if code in benchmark.queries:
        asked = zip(benchmark.queries[code].ids, benchmark.queries[code].texts, strict=True)
        topics = "".join(f"{row_id.removeprefix(f'{code}:')}\t{text}\n" for row_id, text in asked)
        put(folder / "topics.dev.tsv", topics)
        mine = sorted((q, d) for q, c, d in relevant(benchmark) if c == code)
        put(folder / "qrels.dev.tsv", "".join(f"{q.partition(':')[2]} Q0 {d} 1\n" for q, d in mine))


@pytest.mark.filterwarnings("ignore:.*translations of one question")
@pytest.mark.parametrize("write", [write_beir, write_miracl, write_trec])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_is_written_is_read(
    write: Callable[[Path, Benchmark], None], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    benchmark = data.draw(benchmarks(parallel=write is write_beir).filter(lambda drawn: bool(drawn.queries)))
    folder = tmp_path_factory.mktemp("written") / "toy"
    write(folder, benchmark)
    assert content(corpora.load_benchmark(folder)) == content(benchmark)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.dictionaries(st.sampled_from(LANGUAGES), st.tuples(words, words), min_size=1),
        min_size=1,
        max_size=5,
    )
)
def test_pairs_that_are_written_are_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, tuple[str, str]]]
) -> None:
    items = [
        {
            "id": f"i{n}",
            "src": "s",
            "q": {c: q for c, (q, _) in of.items()},
            "p": {c: p for c, (_, p) in of.items()},
        }
        for n, of in enumerate(rows)
    ]
    file = put(tmp_path_factory.mktemp("written") / "mine.jsonl", jsonl(items))
    benchmark = corpora.load_benchmark(file)
    made = corpora.pairs.benchmark_of("mine", [Item(i["id"], "s", i["id"], i["q"], i["p"]) for i in items])
    assert content(benchmark) == content(made)
    assert benchmark.sha256 == made.sha256


# ---------------------------------------------------------------- one's own files


def test_captions_and_csv(tmp_path: Path) -> None:
    image = {"image/key": "i", "en": {"caption": ["a", "b"]}, "iw": {"caption": ["c"]}}
    benchmark = corpora.load_benchmark(put(tmp_path / "mine.jsonl.gz", jsonl([image])))
    assert (benchmark.name, benchmark.languages) == ("mine", ("en", "he"))
    assert relevant(benchmark) == {
        ("i@en", "en", "i@en#1"),
        ("i@en", "he", "i@he#0"),
        ("i@he", "en", "i@en#0"),
    } | {("i@he", "en", "i@en#1")}
    pairs = corpora.load_benchmark(
        put(tmp_path / "faq.csv", "id,query_en,passage_en\na,Why?,So.\nb,Why?,No.\n")
    )
    assert (pairs.name, relevant(pairs)) == ("faq", {(q, "en", p) for q in "ab" for p in "ab"})


def test_a_file_of_another_layout_says_which_there_are(tmp_path: Path) -> None:
    file = put(tmp_path / "mine.jsonl", jsonl([{"text": "x"}]))
    with pytest.raises(
        ValueError, match=r"mine\.jsonl: no benchmark, its rows have text; a benchmark is a folder"
    ):
        corpora.load_benchmark(file)
    with pytest.raises(
        FileNotFoundError, match="nowhere/x: no such file; give a file or folder, or one of belebele"
    ):
        corpora.load_benchmark("nowhere/x")


def test_of_candidates_on_disk_only_answers_are_looked_for_in_a_corpus(tmp_path: Path) -> None:
    folder = beir(tmp_path / "b", queries=QUESTIONS[2:3], corpus=CORPUS[:3], qrels=HEADER + "q2\td2\t1\n")
    texts = {"en": "Nairobi is the capital."}, {"en": "Kenya\nMombasa has a harbour."}
    corpus = ParallelCorpus("c", [Item(str(n), "s", str(n), {"en": "?"}, p) for n, p in enumerate(texts)])
    found = leaks(corpus, corpora.load_benchmark(folder))
    assert found[["item_id", "benchmark_id"]].to_numpy().tolist() == [["0", "d2"]]


# ---------------------------------------------------------------- what is wrong

Change = Callable[[Path], object]
ROW = {"_id": "d9", "text": "x", "language": "en"}


def append(name: str, *rows: Any) -> Change:
    """Rows of JSONL, or text, after what is there."""

    def change(folder: Path) -> None:
        text = jsonl(rows) if name.endswith("jsonl") else "".join(rows)
        (folder / name).write_text((folder / name).read_text() + text)

    return change


BAD: dict[str, tuple[Change, str, int, str | None]] = {
    "candidate without id": (
        append("corpus.jsonl", {"text": "x", "language": "en"}),
        "corpus.jsonl",
        5,
        "_id",
    ),
    "id that is a number": (append("corpus.jsonl", {**ROW, "_id": 9}), "corpus.jsonl", 5, "_id"),
    "id with a space": (append("corpus.jsonl", {**ROW, "_id": "d 9"}), "corpus.jsonl", 5, "_id"),
    "repeated candidate": (append("corpus.jsonl", {**ROW, "_id": "d1"}), "corpus.jsonl", 5, "id"),
    "no text": (append("corpus.jsonl", {"_id": "d9", "language": "en"}), "corpus.jsonl", 5, "text"),
    "empty text": (append("corpus.jsonl", {**ROW, "text": " "}), "corpus.jsonl", 5, "text"),
    "title that is a list": (append("corpus.jsonl", {**ROW, "title": []}), "corpus.jsonl", 5, "title"),
    "no language": (append("corpus.jsonl", {"_id": "d9", "text": "x"}), "corpus.jsonl", 5, "language"),
    "unknown language": (append("corpus.jsonl", {**ROW, "language": "?"}), "corpus.jsonl", 5, "language"),
    "not JSON": (append("corpus.jsonl", "d9"), "corpus.jsonl", 5, None),
    "empty query": (append("queries.jsonl", {**ROW, "text": ""}), "queries.jsonl", 5, "text"),
    "repeated query": (append("queries.jsonl", {**ROW, "_id": "q1"}), "queries.jsonl", 5, "_id"),
    "query of no language": (
        append("queries.jsonl", {"_id": "q3", "text": "x"}),
        "queries.jsonl",
        5,
        "language",
    ),
    "judgement of no query": (append("qrels/test.tsv", "q3\td1\t1\n"), "qrels/test.tsv", 6, "query-id"),
    "judgement of no candidate": (append("qrels/test.tsv", "q1\td9\t1\n"), "qrels/test.tsv", 6, "corpus-id"),
    "judged twice": (append("qrels/test.tsv", "q1\td1\t1\n"), "qrels/test.tsv", 6, "docid"),
    "grade in words": (append("qrels/test.tsv", "q1\td2\tyes\n"), "qrels/test.tsv", 6, "grade"),
    "two columns": (append("qrels/test.tsv", "q1\td2\n"), "qrels/test.tsv", 6, None),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("case", BAD)
def test_bad_rows_are_named_and_may_be_skipped(tmp_path: Path, case: str) -> None:
    change, name, line, field = BAD[case]
    folder = beir(tmp_path / "b")
    good = corpora.load_benchmark(folder)
    change(folder)
    with pytest.raises(BadRow) as raised:
        corpora.load_benchmark(folder)
    assert (raised.value.path, raised.value.line, raised.value.field) == (str(folder / name), line, field)
    with pytest.warns(BadRowsWarning, match=f"1 bad row skipped:\n  {folder / name}, line {line}"):
        assert content(corpora.load_benchmark(folder, skip_bad=True)) == content(good)


def without(name: str) -> Change:
    return lambda folder: (folder / name).unlink()


def moved(name: str, to: str) -> Change:
    return lambda folder: (folder / name).rename(folder / to)


LACKING: dict[str, tuple[Change, str]] = {
    "corpus": (without("corpus.jsonl"), r"b: no file corpus\* or docs\* in it; a benchmark is"),
    "queries": (without("queries.jsonl"), r"b: no file queries\* or topics\* in it; a benchmark is"),
    "qrels": (without("qrels/test.tsv"), r"b: no file qrels\* in it; a benchmark is"),
    "everything": (shutil.rmtree, "b: no such file; give a file or folder"),
    "a split": (
        lambda folder: (
            [put(folder / f"qrels/{name}.tsv", TEST) for name in "xy"] and without("qrels/test.tsv")(folder)
        ),
        r"qrels: which of x\.tsv, y\.tsv, \.\.\. \(2\) is to be read\? name one test or dev",
    ),
    "a language": (
        moved("queries.jsonl", "topics.tsv"),
        "topics.tsv: nothing says its language; put the files into",
    ),
    "relevance": (
        lambda f: put(f / "qrels/test.tsv", HEADER + "q1\td1\t0\n"),
        "no query has a relevant candidate",
    ),
    "the header": (
        lambda f: put(f / "qrels/test.tsv", "q1\td1\t1\n"),
        r"test\.tsv, line 1: 3 columns; write `topic",
    ),
    "a column": (
        lambda f: put(f / "qrels/test.tsv", "query-id\tscore\n"),
        "line 1: the columns are query-id, score",
    ),
}


@pytest.mark.parametrize("case", LACKING)
def test_what_is_lacking_is_told(tmp_path: Path, case: str) -> None:
    change, message = LACKING[case]
    folder = beir(tmp_path / "b")
    change(folder)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        corpora.load_benchmark(folder)


def test_a_language_without_candidates(tmp_path: Path) -> None:
    beir(tmp_path / "b" / "de", corpus=[{"_id": "d", "text": "D."}], queries=[{"_id": "q", "text": "?"}])
    put(tmp_path / "b" / "en" / "queries.jsonl", jsonl([{"_id": "q", "text": "?"}]))
    with pytest.raises(ValueError, match=r"b/en: no file corpus\* or docs\* in it"):
        corpora.load_benchmark(tmp_path / "b")


def test_two_folders_with_candidates_of_one_language(tmp_path: Path) -> None:
    for code in ("de", "en"):
        beir(tmp_path / "b" / code, queries=[{"_id": "q", "text": "?", "language": code}], qrels=HEADER)
    with pytest.raises(ValueError, match="candidates in de stand in two of its folders; put them into one"):
        corpora.load_benchmark(tmp_path / "b")


TREC_BAD = {
    "<top>\n<title> x\n</top>\n": "line 1: a topic without <num>",
    "<top>\n<num> 1\n</top>\n": "line 1: a topic without <title>",
    "<topic>\n</top>\n": "line 2: a topic without <top>",
    f"{TOPS}<top>\n<num>302\n<title>x\n</top>\n": "line 13, field num: '302' is there already",
    "<top>\n<num>1\n<title> \n</top>\n": "line 1, field title: is empty",
    "1 2\tWho?\n": "line 1, field id: '1 2' has a space in it",
}


@pytest.mark.parametrize("topics", TREC_BAD)
def test_topics_that_are_none(tmp_path: Path, topics: str) -> None:
    put(tmp_path / "en" / "topics.txt", topics)
    put(tmp_path / "en" / "qrels.txt", "302 0 d 1\n")
    put(tmp_path / "en" / "corpus.tsv", "d\tD.\n")
    with pytest.raises(BadRow, match=f"topics.txt, {TREC_BAD[topics]}"):
        corpora.load_benchmark(tmp_path)


def test_candidates_without_a_tab(tmp_path: Path) -> None:
    put(tmp_path / "en" / "topics.txt", "1\tWho?\n")
    put(tmp_path / "en" / "qrels.txt", "1 0 d 1\n")
    put(tmp_path / "en" / "corpus.tsv", "no tab\nd\tD.\n")
    with pytest.raises(BadRow, match=r"corpus\.tsv, line 1: 'no tab' has no tab; write `id TAB text`"):
        corpora.load_benchmark(tmp_path)


def test_opening_and_describing_walk_no_candidates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a million of them it would be minutes, and all of their pages in memory."""
    folder = tmp_path / "b" / "en"
    put(folder / "corpus.jsonl", jsonl({"_id": f"d{n}", "text": f"text {n}"} for n in range(1000)))
    put(folder / "queries.jsonl", jsonl({"_id": f"q{n}", "text": "?"} for n in range(5)))
    put(folder / "qrels/test.tsv", HEADER + "".join(f"q{n}\td{n}\t1\n" for n in range(5)))
    corpora.load_benchmark(folder.parent)
    read: list[Any] = []
    monkeypatch.setattr(tables.Strings, "__iter__", None)
    get = tables.Strings.__getitem__
    monkeypatch.setattr(tables.Strings, "__getitem__", lambda self, row: read.append(row) or get(self, row))
    benchmark = corpora.load_benchmark(folder.parent)
    described = to_dict(benchmark)
    assert described["all"]["candidate_characters"] == sum(len(f"text {n}") for n in range(1000)) / 1000
    assert len(examples(benchmark, 2)) == 2
    assert len(read) <= 10  # the ids that are judged, and what is shown
