"""SQuADShifts new_wiki (arXiv 2004.14444): English questions, the validation set of arXiv 2408.10536.

Read from the published JSON or from one paragraph a line (`title, context, qas`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hybridnb.corpora.catalogue import VALIDATION, DataSet
from hybridnb.corpora.lines import BadRow, BadRows, check_fields, check_text, json_lines
from hybridnb.corpora.parallel import Item, ParallelCorpus
from hybridnb.corpora.source import RemoteFile, Source, github, locate
from hybridnb.corpora.squad import member, paragraphs

REPOSITORY = "modestyachts/squadshifts-website"
COMMIT = "016d41ce7fee5a818b68ecf5cbabb0a86291ceef"

SOURCE = Source(
    "squadshifts",
    f"github {REPOSITORY}, commit {COMMIT[:8]}",
    (
        RemoteFile(
            "squadshifts/new_wiki_v1.0.json",
            github(REPOSITORY, COMMIT, "datasets/new_wiki_v1.0.json"),
            3_607_393,
            "sha256:1d50a0ca4cdab88d038b52ea8a2d0510af6038d7f41a0a256b9659237769d0ee",
        ),
    ),
    instead=RemoteFile(
        "squadshifts/new_wiki.jsonl.gz",
        digest="sha256:54787e21699ac5a46c65f6599a1b16d4ea6e44a7adec08a708f09e3175a317b7",
    ),
)


def load(directory: str | Path | None = None, *, skip_bad: bool = False) -> ParallelCorpus:
    """The questions (queries) and the paragraphs they were asked about (passages); document = article.

    Args:
        directory: Where to look before HYBRIDNB_DATA, the cache and the public home.
        skip_bad: Leave bad paragraphs and questions out, with a BadRowsWarning.

    Raises:
        BadRow: The first bad paragraph or question (a ValueError).
    """
    (path,) = locate(SOURCE, directory)
    bad = BadRows(skip=skip_bad)
    items: list[Item] = []
    seen: set[str] = set()
    for line, where, title, paragraph in _rows(path, bad):
        try:
            context = member(paragraph, "context", str, path, where, line)
            check_text(context, path, line, f"{where}.context".lstrip("."))
            questions = member(paragraph, "qas", list, path, where, line)
        except BadRow as error:
            bad.add(error)
            continue
        for q, question in enumerate(questions):
            at = f"{where}.qas[{q}]".lstrip(".")
            try:
                query_id = check_text(member(question, "id", str, path, at, line), path, line, f"{at}.id")
                if query_id in seen:
                    raise BadRow(path, line, f"{at}.id", f"{query_id!r} is there already", "remove one")
                text = member(question, "question", str, path, at, line)
                check_text(text, path, line, f"{at}.question")
            except BadRow as error:
                bad.add(error)
            else:
                seen.add(query_id)
                items.append(Item(query_id, "squadshifts", title, {"en": text}, {"en": context}))
    bad.warn()
    if not items:
        raise ValueError(f"{path}: no question in it; fetch it again")
    return ParallelCorpus("squadshifts", items)


def _rows(path: Path, bad: BadRows) -> Iterator[tuple[int | None, str, str, dict[str, Any]]]:
    """(line, place, title, paragraph) of every paragraph, of either form."""
    if path.name.endswith(".json"):
        for where, article, paragraph in paragraphs(path, bad):
            try:
                yield None, where, member(article, "title", str, path, where), paragraph
            except BadRow as error:
                bad.add(error)
        return
    for line, row in json_lines(path, bad):
        try:
            check_fields(row, {"title", "context", "qas"}, set(), path, line)
            title = check_text(row["title"], path, line, "title")
        except BadRow as error:
            bad.add(error)
        else:
            yield line, "", title, row


VALIDATION.register(
    "squadshifts",
    DataSet(
        "SQuADShifts new_wiki (arXiv 2004.14444): 7,938 English questions and their paragraphs",
        load,
        SOURCE,
        licence="CC-BY-4.0",
    ),
)
