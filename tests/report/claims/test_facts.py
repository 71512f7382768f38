"""Facts about the data."""

from __future__ import annotations

from collections.abc import Callable

from hybridnb.report.claims import facts
from hybridnb.study.runs import Run

Draw = Callable[..., Run]


def test_settings_are_counted(draw_run: Draw) -> None:
    runs = [
        draw_run(
            "X-Y", spread=20, fraction=count, benchmarks=[benchmark],
            languages=[f"l{n}" for n in range(count)], tasks=["crosslingual", "multilingual"],
        )
        for benchmark, count in (("xquad-r", 11), ("mlqa-r", 6))
    ]  # fmt: skip
    table = facts.checks(runs, ["xquad-r", "mlqa-r", "toy"], {})
    assert table[table.index.str.contains("merged")].to_numpy().tolist() == [
        ["yes", "110 and 11"],
        ["no", "30 and 6"],
    ]


def test_duplicates_are_counted() -> None:
    leaked = {"xquad-r": {"exact": 0, "near": 2}, "mlqa-r": {"exact": 1, "near": 0}}
    table = facts.checks([], ["xquad-r", "mlqa-r", "toy"], leaked)
    assert table.to_numpy().tolist() == [
        ["yes", "0 exact and 2 near duplicates"],
        ["no", "1 exact and 0 near duplicates"],
        ["not checked", ""],
    ]
