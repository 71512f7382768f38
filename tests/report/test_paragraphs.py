"""Which questions belong together: the recorded table, and that it follows from the benchmarks' files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from hybridnb import corpora
from hybridnb.report.paragraphs import FILE, paragraphs
from tools.paragraphs import shared, table


def test_sizes_of_the_recorded_paragraphs() -> None:
    """XQuAD has 1,190 questions on 240 paragraphs, 3 of which have one question."""
    found = {name: paragraphs(name) for name in ("xquad-r", "mlqa-r", "belebele")}
    assert {name: (len(of), len(set(of.values()))) for name, of in found.items()} == {
        "xquad-r": (1187, 237), "mlqa-r": (383, 168), "belebele": (824, 412),
    }  # fmt: skip
    assert paragraphs("toy") == {}


def test_it_is_made_of_the_benchmarks_files(real_data: Path) -> None:
    pd.testing.assert_frame_equal(table(real_data), pd.read_csv(FILE, dtype=str))
    for name in ("xquad-r", "mlqa-r"):
        relevance = corpora.load_benchmark(name, directory=real_data).relevance
        assert paragraphs(name).keys() <= relevance.keys()


def test_questions_alone_are_left_out_and_paragraphs_numbered() -> None:
    assert shared({"a": "x", "b": "y", "c": "z", "d": "y", "e": "x"}) == {
        "a": "0",
        "b": "1",
        "d": "1",
        "e": "0",
    }


@pytest.mark.parametrize(
    "content", ["", "benchmark,question\na,b\n", "benchmark,question,paragraph\na,b,1\na,b,2\n"]
)
def test_a_damaged_file_is_named(content: str, tmp_path: Path) -> None:
    file = tmp_path / "paragraphs.csv"
    file.write_text(content)
    with pytest.raises(ValueError, match=r"paragraphs\.csv: .*run tools/paragraphs\.py"):
        paragraphs("a", file)
