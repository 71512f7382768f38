"""The computed answer: who leads, by more than chance or not, and what is advised."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from hybridnb.report.answer import Lead, Leads, advice, answer
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED


def lead(label: str, ahead: float, is_sure: bool) -> tuple[Lead, Lead]:
    p = 0.001 if is_sure else 0.5
    reach = abs(ahead) / 2 if is_sure else 2 * abs(ahead)
    forward = Lead(label, ahead, ahead - reach, ahead + reach, p)
    return forward, Lead(label, -ahead, -ahead - reach, -ahead + reach, p)


def made(*differences: tuple[str, str, str, float, bool]) -> Leads:
    """Of (one, other, label, ahead, whether it is sure)."""
    found: dict[tuple[str, str], list[Lead]] = {}
    for one, other, label, ahead, is_sure in differences:
        forward, back = lead(label, ahead, is_sure)
        found.setdefault((one, other), []).append(forward)
        found.setdefault((other, one), []).append(back)
    return found


@pytest.mark.parametrize(
    ("differences", "said"),
    [
        (
            [
                ("A", "B", "Mo mAP", 0.1, True),
                ("A", "C", "Mo mAP", 0.1, False),
                ("B", "C", "Mo mAP", -0.1, True),
            ],
            r"Undecided: between A or C no difference.*; B lost to one of them",
        ),
        (
            [
                ("A", "B", "Mo mAP", 0.1, True),
                ("A", "C", "Mo mAP", 0.1, True),
                ("B", "C", "Mo mAP", 0.1, False),
            ],
            "Train with A: better than B in Mo mAP; than C in Mo mAP, and worse in nothing",
        ),
        (
            [
                ("A", "B", "Mo mAP", 0.1, True),
                ("A", "B", "Mul mAP", -0.1, True),
                ("A", "C", "Mo mAP", 0.1, True),
                ("B", "C", "Mo mAP", 0.1, True),
            ],
            "Train with A or B, by what you need: A is better than B in Mo mAP; B is better than A in Mul mAP",
        ),
        (
            [
                ("A", "B", "Mo mAP", 0.1, False),
                ("A", "C", "Mo mAP", 0.1, False),
                ("B", "C", "Mo mAP", 0.1, False),
            ],
            "Undecided: between A, B or C no difference is more than chance",
        ),
        (
            [
                ("A", "B", "Mo mAP", 0.1, True),
                ("A", "C", "Mo mAP", 0.1, False),
                ("B", "C", "Mo mAP", 0.1, False),
            ],
            "Undecided: between A or C no difference is more than chance.*; B lost to one of them",
        ),
    ],
)
def test_what_is_advised(differences: list[tuple[str, str, str, float, bool]], said: str) -> None:
    assert re.match(said, advice(["A", "B", "C"], made(*differences)))


def test_a_clear_case(draw_run: Callable[..., Run]) -> None:
    runs = [
        draw_run(NOT_TRAINED, spread=900),
        draw_run("X-X-mono", spread=700, draw=3),
        draw_run("X-Y", spread=20, draw=1),
    ]
    said = "\n".join(answer(runs, "toy"))
    first = said.replace("\n  ", " ").splitlines()
    assert first[0].startswith(
        "Train with X-Y: better than X-X-mono in Mo mAP, Cr mAP, Mul mAP, rank distance"
    )
    assert "12 questions of toy and one seed" in said
    assert sum(line.startswith(("Mo mAP: X-Y", "Cr mAP: X-Y", "Mul mAP: X-Y")) for line in first) == 3
    assert "may be chance" not in first[2]
    assert any(line.startswith(f"X-Y against {NOT_TRAINED} (+ is better): Mo mAP +") for line in first)
    assert "% own language among the first ten" in said


def test_an_undecided_case(draw_run: Callable[..., Run]) -> None:
    runs = [draw_run(name, seed, spread=100, draw=7) for name in ("X-X-mono", "X-Y") for seed in (0, 1)]
    said = answer(runs, "toy")
    assert said[0].startswith("Undecided: between X-X-mono or X-Y no difference is more than chance")
    assert "2 seeds" in said[1]


@pytest.mark.parametrize(
    "tasks", [("monolingual",), ("crosslingual", "multilingual"), ("monolingual", "multilingual")]
)
def test_only_what_is_defined_is_spoken_of(draw_run: Callable[..., Run], tasks: tuple[str, ...]) -> None:
    languages = ("de",) if tasks == ("monolingual",) else ("de", "en")
    runs = [
        draw_run(name, spread=50, tasks=tasks, languages=languages, draw=n)
        for n, name in enumerate(("X-X", "X-Y"))
    ]
    said = "\n".join(answer(runs, "toy"))
    assert ("Mo mAP:" in said) == ("monolingual" in tasks)
    assert ("Cr mAP:" in said) == ("crosslingual" in tasks)
    assert ("Language bias: none" in said) == (languages == ("de",))


def test_one_strategy_has_nothing_to_be_compared_with(draw_run: Callable[..., Run]) -> None:
    said = answer([draw_run("X-Y", spread=50)], "toy")
    assert said[0] == "Train with X-Y: it is the only strategy here."
