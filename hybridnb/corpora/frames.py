"""A benchmark of pandas tables; see `Benchmark.from_frames`."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from typing import Any

import pandas as pd

from hybridnb.corpora.languages import canonical, say_mapped
from hybridnb.corpora.lines import BadRow, check_text
from hybridnb.corpora.relevance import Relevance

TEXTS = ("id", "language", "text")
JUDGED = ("query_id", "candidate_id", "grade", "language")


Texts = dict[str, dict[str, str]]
"""Language -> id -> text."""


def read_frames(
    name: str, queries: pd.DataFrame, candidates: pd.DataFrame, qrels: pd.DataFrame, threshold: float
) -> tuple[Texts, Texts, dict[str, dict[str, list[int]]]]:
    """(queries, candidates, query id -> language -> rows of the relevant candidates) of three tables."""
    mapped: dict[str, str] = {}
    asked = _texts("queries", queries, mapped)
    answers = _texts("candidates", candidates, mapped)
    rows_of: dict[str, dict[str, int]] = {}
    for language, texts in answers.items():
        for row, candidate_id in enumerate(texts):
            rows_of.setdefault(candidate_id, {})[language] = row
    known = {query_id for texts in asked.values() for query_id in texts}
    relevance = Relevance(threshold)
    judged: set[tuple[str, str, str]] = set()
    for at, query, candidate, given, code in _judgements(qrels):
        query_id = _id(query, at, "query_id")
        candidate_id = _id(candidate, at, "candidate_id")
        if query_id not in known:
            raise _bad(at, "query_id", f"{query_id!r} is no id of queries", "add the query or remove the row")
        if candidate_id not in rows_of:
            problem = f"{candidate_id!r} is no id of candidates"
            raise _bad(at, "candidate_id", problem, "add the candidate or remove the row")
        rows = rows_of[candidate_id]
        language = "" if pd.isna(code) or code == "" else _language(code, at, mapped)
        if language:
            if language not in rows:
                problem = f"{candidate_id!r} is not there in {language}"
                raise _bad(at, "language", problem, f"write one of {', '.join(sorted(rows))}, or none")
            rows = {language: rows[language]}
        if (query_id, candidate_id, language) in judged:
            problem = f"{candidate_id!r} is judged twice for {query_id!r}"
            raise _bad(at, "candidate_id", problem, "remove one")
        judged.add((query_id, candidate_id, language))
        relevance.add(query_id, _grade(given, at), rows)
    for at, query, *_ in _cells("queries", queries, TEXTS):
        if str(query) not in relevance:
            problem = f"{str(query)!r} has no candidate of grade {threshold:g} or more in qrels"
            raise _bad(at, "id", problem, "judge it or remove the row")
    say_mapped(name, mapped)
    relevance.say_grades(name)
    return asked, answers, relevance.rows()


def _texts(table: str, frame: pd.DataFrame, mapped: dict[str, str]) -> Texts:
    texts: Texts = {}
    for at, given, code, text in _cells(table, frame, TEXTS):
        of_language = texts.setdefault(_language(code, at, mapped), {})
        text_id = _id(given, at, "id")
        if text_id in of_language:
            raise _bad(at, "id", f"{text_id!r} is there already in this language", "give every row its own")
        of_language[text_id] = check_text(text, f"{at}, column text", None, None)
    if not texts:
        raise ValueError(f"{table} has no row")
    return dict(sorted(texts.items()))


def _judgements(qrels: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    if unknown := [column for column in qrels.columns if column not in JUDGED]:
        raise ValueError(f"qrels has a column {unknown[0]!r} that is not known; it takes {', '.join(JUDGED)}")
    given = {"grade": 1, "language": None} | {column: qrels[column] for column in qrels.columns}
    return _cells("qrels", qrels.assign(**given), JUDGED)


def _cells(table: str, frame: pd.DataFrame, columns: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    """(place, value, ...) of every row."""
    if missing := [column for column in columns if column not in frame.columns]:
        raise ValueError(f"{table} has no column {missing[0]!r}; it takes {', '.join(columns)}")
    for label, *values in zip(frame.index, *(frame[column] for column in columns), strict=True):
        yield f"{table}, row {label}", *values


def _id(value: Any, at: str, column: str) -> str:
    if isinstance(value, Integral) and not isinstance(value, bool):
        return str(value)
    return check_text(value, f"{at}, column {column}", None, None)


def _language(value: Any, at: str, mapped: dict[str, str]) -> str:
    code = check_text(value, f"{at}, column language", None, None)
    try:
        mapped[code] = canonical(code)
    except ValueError:
        raise _bad(at, "language", f"{code!r} is no language code", 'write one like "en"') from None
    return mapped[code]


def _grade(value: Any, at: str) -> float:
    try:
        grade = float(value)
    except (TypeError, ValueError):
        grade = float("nan")
    if not abs(grade) < float("inf"):
        raise _bad(at, "grade", f"{value!r} is no number", "write a number, 1 for what is relevant")
    return grade


def _bad(at: str, column: str, problem: str, remedy: str) -> BadRow:
    return BadRow(f"{at}, column {column}", None, None, problem, remedy)
