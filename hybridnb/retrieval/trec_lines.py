"""The lines of a TREC run file: read whole, or an error that names the file, the line and the column."""

from __future__ import annotations

import csv
import gzip
import zlib
from pathlib import Path
from typing import Any, NoReturn, TextIO, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

COLUMNS = ("query", "Q0", "candidate", "rank", "score", "tag")
TOO_MANY = "beyond"


def read_lines(path: Path) -> pd.DataFrame:
    """query and candidate (categories) and score (float32) of every line that is not blank."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    names = [*COLUMNS, TOO_MANY]
    try:
        table = pd.read_csv(
            path,
            sep=r"\s+",
            header=None,
            names=names,
            index_col=False,
            # ids of digits stay texts; as categories they would be read as numbers
            dtype=cast(Any, {**dict.fromkeys(names, "str"), "score": np.float64}),
            quoting=csv.QUOTE_NONE,
            na_filter=False,
        )
    except (ValueError, OSError, EOFError, zlib.error) as error:  # pandas' errors of parsing are ValueErrors
        _check_lines(path)
        raise ValueError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    if len(table) == 0:
        raise ValueError(f"{path} is empty: a line is `{' '.join(COLUMNS)}`")
    with np.errstate(over="ignore"):
        table["score"] = table["score"].astype(np.float32)  # as trec_eval holds them
    if (table[TOO_MANY] != "").any() or (table["tag"] == "").any() or not np.isfinite(table["score"]).all():
        _check_lines(path)
    return table[["query", "candidate", "score"]].astype({"query": "category", "candidate": "category"})


def refuse(path: Path, wrong: NDArray[np.bool_], lines: pd.DataFrame, column: str, what: str) -> None:
    """ValueError: a line is wrong; the first is told, what its column holds, and what of it."""
    if wrong.any():
        row = int(wrong.argmax())
        complain(path, row, column, f"{lines[column].iloc[row]!r} {what}")


def complain(path: Path, row: int, column: str, what: str) -> NoReturn:
    """Tell what is wrong in the row-th line that is not blank."""
    with _opened(path) as file:
        number = [n for n, line in enumerate(file, start=1) if line.strip()][row]
    raise ValueError(f"{path}, line {number}, column {column}: {what}")


def _check_lines(path: Path) -> None:
    """ValueError: the first line that is none."""
    try:
        with _opened(path) as file:
            for number, line in enumerate(file, start=1):
                fields = line.split()
                if fields and len(fields) != len(COLUMNS):
                    raise ValueError(
                        f"{path}, line {number}: {len(fields)} columns; a line is `{' '.join(COLUMNS)}`"
                    )
                if fields and not _is_score(fields[4]):
                    raise ValueError(
                        f"{path}, line {number}, column score: {fields[4]!r} is not a finite number (as float32)"
                    )
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text") from None
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is damaged ({error}): write it again") from None


def _is_score(text: str) -> bool:
    try:
        return abs(float(text)) <= float(np.finfo(np.float32).max)
    except ValueError:
        return False


def _opened(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")
