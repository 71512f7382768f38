"""Which questions of a benchmark belong together: those of one paragraph, which are no independent evidence."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import pandas as pd

from hybridnb.places import SHIPPED

FILE = SHIPPED / "data" / "paragraphs.csv"


def paragraphs(benchmark: str, file: Path = FILE) -> Mapping[str, str]:
    """The paragraph of every question that shares one with another.

    Args:
        benchmark: by name; of one that is not in the file every question stands by itself.
        file: data/paragraphs.csv, made by `tools/paragraphs.py`.

    Returns:
        Question id -> paragraph.

    Raises:
        ValueError: the file is damaged.

    Example:
        >>> of = paragraphs("xquad-r")
        >>> len(of), len(set(of.values()))
        (1187, 237)
    """
    return {question: paragraph for name, question, paragraph in _rows(file) if name == benchmark}


@lru_cache(maxsize=2)
def _rows(file: Path) -> tuple[tuple[str, str, str], ...]:
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
    except ValueError as error:
        raise ValueError(
            f"{file}: not a table ({' '.join(str(error).split())}): run tools/paragraphs.py"
        ) from None
    if (
        list(table) != ["benchmark", "question", "paragraph"]
        or table.duplicated(["benchmark", "question"]).any()
    ):
        raise ValueError(
            f"{file}: columns are not benchmark, question, paragraph, or a question is there twice: "
            "run tools/paragraphs.py"
        )
    return tuple(table.itertuples(index=False, name=None))
