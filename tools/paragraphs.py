"""Write data/paragraphs.csv: which questions of XQuAD-R, MLQA-R and Belebele share a paragraph.

    python tools/paragraphs.py

A paragraph of XQuAD-R and MLQA-R is one of SQuAD's JSON; those of two languages are one where they share a question. A
passage of Belebele is one. Questions that share none with another are left out. The benchmarks' files are looked for as
`hybridnb` does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from hybridnb.corpora.lines import RAISE, json_lines
from hybridnb.corpora.sets import belebele, lareqa
from hybridnb.corpora.source import locate
from hybridnb.corpora.squad import paragraphs
from hybridnb.files import write_text
from hybridnb.report.paragraphs import FILE


def of_lareqa(name: str, directory: str | Path | None = None) -> dict[str, str]:
    """Question -> paragraph of one of LAReQA's benchmarks."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    questions: dict[str, None] = {}
    for path in locate(lareqa.SOURCES[name], directory):
        for place, _, paragraph in paragraphs(path, RAISE):
            for question in paragraph["qas"]:
                questions[question["id"]] = None
                parent[root(question["id"])] = root(f"{path.stem} {place}")
    return {question: root(question) for question in questions}


def of_belebele(directory: str | Path | None = None) -> dict[str, str]:
    """Question -> passage."""
    (path,) = locate(belebele.SOURCE, directory)
    return {row["id"]: row["pid"] for _, row in json_lines(path, RAISE)}


def shared(paragraph_of: Mapping[str, str]) -> dict[str, str]:
    """Those that share a paragraph with another, the paragraphs numbered as they first come."""
    counts = Counter(paragraph_of.values())
    several = {question: name for question, name in paragraph_of.items() if counts[name] > 1}
    number = {name: str(n) for n, name in enumerate(dict.fromkeys(several.values()))}
    return {question: number[name] for question, name in several.items()}


def table(directory: str | Path | None = None) -> pd.DataFrame:
    """benchmark, question, paragraph."""
    found = {name: of_lareqa(name, directory) for name in lareqa.SOURCES}
    found["belebele"] = of_belebele(directory)
    rows = [(name, *pair) for name, paragraph_of in found.items() for pair in shared(paragraph_of).items()]
    return pd.DataFrame(rows, columns=["benchmark", "question", "paragraph"])


if __name__ == "__main__":
    write_text(FILE, table().to_csv(index=False))
