"""Benchmark.from_frames: three pandas tables, and what is wrong with them."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.corpora.lines import BadRow

QUERIES = [("q1", "en", "Who?"), ("q1", "de", "Wer?"), ("q2", "de", "Wo?")]
CANDIDATES = [("a", "en", "She."), ("a", "de", "Sie."), ("b", "de", "Dort."), ("c", "zh-CN", "那里。")]
QRELS: list[tuple[Any, ...]] = [
    ("q1", "a", 2, None),
    ("q1", "b", 0, None),
    ("q2", "b", 1, "de"),
    ("q2", "a", 1, "de"),
]


def frames(**changes: list[tuple[Any, ...]]) -> dict[str, pd.DataFrame]:
    rows = {"queries": QUERIES, "candidates": CANDIDATES, "qrels": QRELS} | changes
    columns = {"qrels": ["query_id", "candidate_id", "grade", "language"]}
    return {
        name: pd.DataFrame(of, columns=columns.get(name, ["id", "language", "text"]), dtype=object)
        for name, of in rows.items()
    }


def test_translations_share_what_is_relevant_and_a_language_restricts_it() -> None:
    with pytest.warns(UserWarning) as told:
        benchmark = Benchmark.from_frames("toy", **frames())
    assert sorted(str(w.message) for w in told) == [
        "toy: languages read in one form: zh-CN as zh",
        "toy: relevance is graded, up to 2: candidates of grade 1 or more count as relevant (set by `threshold`)",
    ]
    assert {code: (list(q.ids), list(q.texts)) for code, q in benchmark.queries.items()} == {
        "de": (["q1", "q2"], ["Wer?", "Wo?"]),
        "en": (["q1"], ["Who?"]),
    }
    assert benchmark.candidates == {"de": ["Sie.", "Dort."], "en": ["She."], "zh": ["那里。"]}
    assert benchmark.candidate_ids == {"de": ["a", "b"], "en": ["a"], "zh": ["c"]}
    assert benchmark.relevance == {"q1": {"de": [0], "en": [0]}, "q2": {"de": [0, 1]}}


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_threshold() -> None:
    with pytest.raises(BadRow, match=r"queries, row 2, column id: 'q2' has no candidate of grade 2 or more"):
        Benchmark.from_frames("toy", **frames(), threshold=2)
    loose = Benchmark.from_frames("toy", **frames(), threshold=0)
    assert loose.relevance["q1"] == {"de": [0, 1], "en": [0]}


def test_grades_and_languages_may_be_left_out_and_ids_be_numbers() -> None:
    benchmark = Benchmark.from_frames(
        "toy",
        pd.DataFrame({"id": [7], "language": "en", "text": "Who?", "note": "not read"}),
        pd.DataFrame({"id": [1, 2], "language": "en", "text": ["She.", "He."]}, index=[5, 6]),
        pd.DataFrame({"query_id": [7], "candidate_id": [2]}),
    )
    assert (benchmark.queries["en"].ids, benchmark.relevance) == (["7"], {"7": {"en": [1]}})


WRONG: dict[str, tuple[str, int, int, Any, str]] = {
    "empty query": ("queries", 1, 2, " ", "queries, row 1, column text: is empty"),
    "query that is no text": ("queries", 1, 2, math.nan, "queries, row 1, column text: is float, not text"),
    "id that is a fraction": ("queries", 1, 0, 1.5, "queries, row 1, column id: is float"),
    "no language": ("candidates", 2, 1, "mandarin!", "candidates, row 2, column language: 'mandarin!' is no"),
    "empty language": ("candidates", 2, 1, None, "candidates, row 2, column language: is NoneType"),
    "repeated candidate": ("candidates", 2, 0, "a", "candidates, row 2, column id: 'a' is there already"),
    "qrel of no query": ("qrels", 3, 0, "q9", "qrels, row 3, column query_id: 'q9' is no id of queries"),
    "qrel of no candidate": ("qrels", 3, 1, "z", "qrels, row 3, column candidate_id: 'z' is no id of"),
    "grade in words": ("qrels", 3, 2, "high", "qrels, row 3, column grade: 'high' is no number"),
    "grade that is missing": ("qrels", 3, 2, None, "qrels, row 3, column grade: None is no number"),
    "another language": ("qrels", 3, 3, "th", "qrels, row 3, column language: 'a' is not there in th"),
    "judged twice": ("qrels", 3, 1, "b", "qrels, row 3, column candidate_id: 'b' is judged twice for 'q2'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_the_table_the_row_and_the_column_are_named(case: str) -> None:
    table, row, column, value, message = WRONG[case]
    tables = frames()
    tables[table].iat[row, column] = value
    with pytest.raises(BadRow) as raised:
        Benchmark.from_frames("toy", **tables)
    assert str(raised.value).startswith(message)


def test_columns() -> None:
    tables = frames()
    with pytest.raises(ValueError, match="qrels has a column 'score' that is not known; it takes query_id"):
        Benchmark.from_frames(
            "toy", **{**tables, "qrels": tables["qrels"].rename(columns={"grade": "score"})}
        )
    with pytest.raises(ValueError, match="candidates has no column 'text'; it takes id, language, text"):
        Benchmark.from_frames("toy", **{**tables, "candidates": tables["candidates"].drop(columns="text")})
    with pytest.raises(ValueError, match="queries has no row"):
        Benchmark.from_frames("toy", **{**tables, "queries": tables["queries"].head(0)})


@given(st.data())
def test_every_judgement_is_found_by_its_ids(data: st.DataObject) -> None:
    """What is relevant, in ids, is what a join of the three tables says."""
    queries = data.draw(
        st.lists(st.tuples(st.sampled_from("pqr"), st.sampled_from(["de", "en"])), unique=True, min_size=1)
    )
    answers = data.draw(
        st.lists(
            st.tuples(st.sampled_from("abc"), st.sampled_from(["de", "en", "th"])), unique=True, min_size=1
        )
    )
    asked, known = sorted({q for q, _ in queries}), sorted({a for a, _ in answers})
    judged = {(q, data.draw(st.sampled_from(known))): 1 for q in asked}
    judged |= data.draw(
        st.dictionaries(st.tuples(st.sampled_from(asked), st.sampled_from(known)), st.just(1))
    )
    tables = {
        "queries": pd.DataFrame([(q, c, f"{q} {c}") for q, c in queries], columns=["id", "language", "text"]),
        "candidates": pd.DataFrame(
            [(a, c, f"{a} {c}") for a, c in answers], columns=["id", "language", "text"]
        ),
        "qrels": pd.DataFrame(list(judged), columns=["query_id", "candidate_id"]),
    }
    benchmark = Benchmark.from_frames("toy", **tables)
    found = {
        (query_id, benchmark.candidate_id(language, row), language)
        for query_id, by_language in benchmark.relevance.items()
        for language, rows in by_language.items()
        for row in rows
    }
    joined = tables["qrels"].merge(tables["candidates"], left_on="candidate_id", right_on="id")
    assert found == set(joined[["query_id", "candidate_id", "language"]].itertuples(index=False, name=None))
