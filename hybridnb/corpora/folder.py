"""A folder as a benchmark: queries, candidates and judgements in the forms that published collections have.

    corpus.jsonl queries.jsonl qrels/test.tsv           BEIR; rows {_id, title, text}, with the language of each row
                                                        in `language` (or `lang`) where the folder's name is none
    topics*.tsv qrels*.tsv docs-*.jsonl                 MIRACL; rows {docid, title, text}; the language is that in the
                                                        names of the files (-sw-dev.tsv) or that of the folder
    topics* qrels* and corpus*.tsv or corpus*.jsonl     TREC; topics `id TAB text` or <top>, candidates `id TAB text`
    en/ de/ zh-Hant/                                    such a folder for each language

Each may be gzipped, and each part may be of another form than the others. Of several splits test is read, else dev.

Query ids of topics become "LANG:ID", for topics of two languages with one number are two questions. Those of
queries.jsonl stay as they are: of one that stands in several languages they are translations of one question, and in
a corpus of several languages a candidate that stands in several is one answer in translation. Queries without a
relevant candidate are left out. Candidates are read from disk on access.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from hybridnb.corpora.benchmark import Benchmark, Queries
from hybridnb.corpora.languages import canonical, is_code, say_mapped
from hybridnb.corpora.lines import BadRow, BadRows, check_text, json_lines, numbered_lines
from hybridnb.corpora.relevance import Relevance
from hybridnb.corpora.tables import Texts, texts_by_language
from hybridnb.corpora.trec import check_id, qrels, titled, top_topics, topics
from hybridnb.progress import progress

LAYOUTS = (
    "a benchmark is a folder with corpus.jsonl, queries.jsonl and qrels/test.tsv (BEIR), one with topics*.tsv, "
    "qrels*.tsv and docs-*.jsonl (MIRACL) or corpus*.tsv (TREC), one of such folders named by languages (en, de), "
    "a JSONL, CSV or Parquet file of pairs, or a JSONL file of captions in XM3600's layout"
)
QUERIES, JUDGED = ("queries", "topics"), ("qrels",)
CANDIDATES = ("corpus", "docs", "collection", "passages", "candidates")
ENDINGS = re.compile(r"\.(jsonl|tsv|txt|trec|xml|qrels)(\.gz)?$")
# two letters only: "doc" and "web" are languages, too
IN_NAME = re.compile(
    rf"[.-]([a-z]{{2}}(-[A-Z][a-z]{{3}})?)([.-](dev|test|train|testA|testB))?{ENDINGS.pattern}"
)


class Query(NamedTuple):
    """A query as it was read, and where."""

    path: Path
    line: int
    text: str


@dataclass(frozen=True)
class Part:
    """The files of one language, or of several.

    Args:
        language: Of all rows; None: each row says its own.
        queries, judgements: None where there are none.
        candidates: One or more files.
    """

    language: str | None
    queries: Path | None
    candidates: Sequence[Path]
    judgements: Path | None

    def query_id(self, given: str) -> str:
        """The id of a query that topics, or judgements of them, give."""
        if self.queries is None or _is_jsonl(self.queries) or given.startswith(f"{self.language}:"):
            return given
        return f"{self.language}:{given}"


def is_benchmark(folder: Path) -> bool:
    """Whether a folder has one of the layouts, at least in part."""
    return bool(_named(folder, (*CANDIDATES, *QUERIES)) or _languages(folder))


def read_folder(folder: Path, name: str, *, skip_bad: bool = False, threshold: float = 1) -> Benchmark:
    """The benchmark of a folder in one of the layouts above.

    Args:
        folder: The folder.
        name: Of the benchmark.
        skip_bad: Leave bad rows out, with a BadRowsWarning.
        threshold: The least grade that counts as relevant; said where there are grades above 1.

    Raises:
        BadRow: The first bad row (a ValueError), which a judgement of what is not there is too.
        ValueError: The folder has none of the layouts, or lacks a part of it.
    """
    mapped: dict[str, str] = {}
    parts = _parts(folder, mapped)
    benchmark = read_parts(parts, folder, name, mapped, skip_bad=skip_bad, threshold=threshold)
    say_mapped(folder, mapped)
    return benchmark


def read_parts(
    parts: Sequence[Part],
    folder: Path,
    name: str,
    mapped: dict[str, str],
    *,
    skip_bad: bool = False,
    threshold: float = 1,
) -> Benchmark:
    """The benchmark of parts that are known; the other arguments as of `read_folder`.

    Args:
        parts: All that it is made of.
        folder: What messages name.
        mapped: Gets code -> canonical code of rows that say their language.
    """
    bad = BadRows(skip=skip_bad)
    asked: dict[str, dict[str, Query]] = {}
    for part in parts:
        for language, query_id, query in _queries(part, mapped, bad):
            of_language = asked.setdefault(language, {})
            if query_id in of_language:
                problem = f"{query_id!r} is there already in {language}"
                bad.add(BadRow(query.path, query.line, "_id", problem, "give every query its own"))
            else:
                of_language[query_id] = query
    known = {query_id for of_language in asked.values() for query_id in of_language}
    relevance = Relevance(threshold)
    texts: dict[str, Texts] = {}
    for part in parts:
        kind = f"candidates in {part.language or 'the languages they say'}"
        found = texts_by_language(kind, part.candidates, partial(_candidates, part.language), bad)
        if twice := sorted(texts.keys() & found.keys()):
            raise ValueError(
                f"{folder}: candidates in {twice[0]} stand in two of its folders; put them into one"
            )
        texts |= found
        _judge(part, known, found, relevance, bad)
    bad.warn()
    relevance.say_grades(folder)
    return _benchmark(name, folder, asked, texts, relevance)


def _benchmark(
    name: str,
    folder: Path,
    asked: Mapping[str, Mapping[str, Query]],
    texts: Mapping[str, Texts],
    relevance: Relevance,
) -> Benchmark:
    queries: dict[str, Queries] = {}
    left_out = 0
    for language, of_language in sorted(asked.items()):
        kept = {query_id: query.text for query_id, query in of_language.items() if query_id in relevance}
        left_out += len(of_language) - len(kept)
        if kept:
            queries[language] = Queries(list(kept), list(kept.values()))
    if not queries:
        raise ValueError(f"{folder}: no query has a relevant candidate; {LAYOUTS}")
    if left_out:
        every = sum(map(len, asked.values()))
        _say(f"{folder}: {left_out:,} of {every:,} queries have no relevant candidate and are left out")
    ids = [query_id for of_language in queries.values() for query_id in of_language.ids]
    if shared := len(ids) - len(set(ids)):
        _say(
            f"{folder}: queries of one id in several languages ({shared:,}) are taken as translations of one "
            "question; where they are not, write their ids as LANG:ID"
        )
    languages = sorted(texts)
    return Benchmark(
        name,
        queries,
        {language: texts[language] for language in languages},
        relevance.rows(),
        candidate_ids={language: texts[language].ids for language in languages},
    )


def _say(message: str) -> None:
    warnings.warn(message, stacklevel=4)


# --- Which files there are -------------------------------------------------------------------------------


def _parts(folder: Path, mapped: dict[str, str]) -> list[Part]:
    """The parts of a folder. ValueError: it has none, or one lacks a kind of file."""
    places = [folder] if _named(folder, (*CANDIDATES, *QUERIES)) else _languages(folder)
    if not places:
        raise ValueError(f"{folder}: no benchmark in it; {LAYOUTS}")
    parts = []
    for place in places:
        candidates = _named(place, CANDIDATES)
        if not candidates:
            raise ValueError(f"{place}: no file corpus* or docs* in it; {LAYOUTS}")
        judged = _named(place / "qrels", ("",)) or _named(place, JUDGED)
        queries, judgements = _of_split(_named(place, QUERIES)), _of_split(judged)
        language = _language(place, queries, judgements)
        if language is not None:
            mapped[language] = canonical(language)
            language = mapped[language]
        elif silent := [file for file in (queries, *candidates) if file and not _is_jsonl(file)]:
            remedy = f"put the files into a folder named by it, such as {place.name}/en"
            raise ValueError(f"{silent[0]}: nothing says its language; {remedy}")
        parts.append(Part(language, queries, candidates, judgements))
    for kind, there in (("queries* or topics*", "queries"), ("qrels*", "judgements")):
        if not any(getattr(part, there) for part in parts):
            raise ValueError(f"{folder}: no file {kind} in it; {LAYOUTS}")
    return parts


def _languages(folder: Path) -> list[Path]:
    """The folders of one language each."""
    if not folder.is_dir():
        return []
    named = sorted(place for place in folder.iterdir() if place.is_dir() and is_code(place.name))
    return [place for place in named if _named(place, (*CANDIDATES, *QUERIES))]


def _named(folder: Path, beginnings: tuple[str, ...]) -> list[Path]:
    """The files of a folder whose name begins so, shards in the order of their numbers."""
    if not folder.is_dir():
        return []
    found = [
        path
        for path in folder.iterdir()
        if path.name.startswith(beginnings) and ENDINGS.search(path.name) and path.is_file()
    ]
    return sorted(
        found, key=lambda path: [int(n) if n.isdigit() else n for n in re.split(r"(\d+)", path.name)]
    )


def _of_split(files: Sequence[Path]) -> Path | None:
    """That of the test split, else of dev, else the only one; ValueError: there are several others."""
    if len(files) < 2:
        return files[0] if files else None
    for split in ("test", "dev"):
        named = [path for path in files if split in re.split(r"[._-]", path.name)]
        if len(named) == 1:
            return named[0]
    raise ValueError(
        f"{files[0].parent}: which of {files[0].name}, {files[1].name}, ... ({len(files)}) is to be read? name one "
        "test or dev, or keep one"
    )


def _language(place: Path, *files: Path | None) -> str | None:
    """The code in the names of files of one language, or in that of their folder; None: rows say theirs."""
    in_names = [found[1] for path in files if path and (found := IN_NAME.search(path.name))]
    return next((code for code in (*in_names, place.resolve().name) if is_code(code)), None)


def _is_jsonl(path: Path) -> bool:
    return ".jsonl" in path.name


# --- What is in them -------------------------------------------------------------------------------------


def _queries(part: Part, mapped: dict[str, str], bad: BadRows) -> Iterator[tuple[str, str, Query]]:
    """(language, id, query)"""
    path = part.queries
    if path is None:
        return
    if not _is_jsonl(path):
        assert part.language is not None
        first = next((text for _, text in numbered_lines(path, BadRows(skip=True)) if text.strip()), "")
        read = top_topics if first.lstrip().startswith("<") else topics
        for topic, (line, text) in read(path, bad).items():
            try:
                check_id(topic, path, line, "id")
            except BadRow as error:
                bad.add(error)
            else:
                yield part.language, part.query_id(topic), Query(path, line, text)
        return
    for line, row in json_lines(path, bad):
        try:
            _check_there(row, "text", path, line)
            query_id = _id(row, path, line)
            language = _language_of(row, part.language, path, line, mapped)
            yield language, query_id, Query(path, line, check_text(row["text"], path, line, "text"))
        except BadRow as error:
            bad.add(error)


def _candidates(language: str | None, path: Path, bad: BadRows) -> Iterator[tuple[int, str, str, str]]:
    """(line, language, id, text); of JSONL fields that are not known are passed over (BEIR has `metadata`)."""
    with progress(None, f"reading {path.name}", "candidates") as bar:
        for line, row in _rows(path, bad):
            bar.update()
            try:
                _check_there(row, "text", path, line)
                row_id = _id(row, path, line)
                yield line, _language_of(row, language, path, line, {}), row_id, titled(row, path, line)
            except BadRow as error:
                bad.add(error)


def _rows(path: Path, bad: BadRows) -> Iterator[tuple[int, Mapping[str, object]]]:
    """The rows of JSONL, or of lines `id TAB text`."""
    if _is_jsonl(path):
        yield from json_lines(path, bad)
        return
    for line, text in numbered_lines(path, bad):
        if text.strip():
            row_id, tab, rest = text.partition("\t")
            if tab:
                yield line, {"_id": row_id, "text": rest}
            else:
                bad.add(BadRow(path, line, None, f"{text[:40]!r} has no tab", "write `id TAB text`"))


def _judge(
    part: Part, known: Collection[str], texts: Mapping[str, Texts], relevance: Relevance, bad: BadRows
) -> None:
    """Add the judgements of a part."""
    if part.judgements is None:
        return
    path = part.judgements
    rows = list(qrels(path, bad))
    wanted = {docid for _, _, docid, _, _ in rows}
    row_of = {language: of_language.rows(wanted) for language, of_language in texts.items()}
    for line, given, docid, grade, language in rows:
        try:
            query_id = part.query_id(given)
            if query_id not in known:
                raise BadRow(
                    path, line, "query-id", f"{given!r} is no query", "add the query or remove the row"
                )
            found = {code: row[docid] for code, row in row_of.items() if docid in row}
            if language:
                found = {code: row for code, row in found.items() if code == _canonical(language, path, line)}
            if not found:
                where = f" in {language}" if language else ""
                problem = f"{docid!r} is no candidate{where}"
                raise BadRow(path, line, "corpus-id", problem, "add the candidate or remove the row")
        except BadRow as error:
            bad.add(error)
        else:
            relevance.add(query_id, grade, found)


def _check_there(row: Mapping[str, object], field: str, path: Path, line: int) -> None:
    if field not in row:
        raise BadRow(path, line, field, "missing", "give every row _id and text")


def _id(row: Mapping[str, object], path: Path, line: int) -> str:
    field = next((field for field in ("_id", "docid", "id") if field in row), "_id")
    _check_there(row, field, path, line)
    return check_id(row[field], path, line, field)


def _language_of(
    row: Mapping[str, object], language: str | None, path: Path, line: int, mapped: dict[str, str]
) -> str:
    field = "lang" if "lang" in row else "language"
    if field not in row:
        if language is None:
            remedy = 'write it into every row ("language": "en"), or put the files into a folder named by it'
            raise BadRow(path, line, field, "missing", remedy)
        return language
    code = check_text(row[field], path, line, field)
    mapped[code] = _canonical(code, path, line, field)
    return mapped[code]


def _canonical(code: str, path: Path, line: int, field: str = "language") -> str:
    try:
        return canonical(code)
    except ValueError:
        problem = f"{code!r} is no language code"
        raise BadRow(path, line, field, problem, 'write one like "en" or "zh-Hant"') from None
