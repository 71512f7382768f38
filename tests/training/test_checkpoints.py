"""Which checkpoint training goes on from."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from hybridnb.training.checkpoints import (
    PARTS,
    SEAL,
    is_whole,
    last_checkpoint,
    place,
    seal,
    step_of,
)


def checkpoint(directory: Path, step: int, best: int | None = None) -> Path:
    path = place(directory, step)
    path.mkdir(parents=True)
    for name in (*PARTS, "rng_state.pth"):
        (path / name).write_text(f"{name} of {step}")
    (path / "trainer_state.json").write_text(json.dumps({"best_global_step": best}))
    seal(path)
    return path


def test_checkpoints_are_ordered_by_number(tmp_path: Path) -> None:
    checkpoint(tmp_path, 900)
    newest = checkpoint(tmp_path, 1000)
    assert last_checkpoint(tmp_path, keep_best=False) == newest
    assert step_of(newest) == 1000
    assert last_checkpoint(tmp_path / "nothing", keep_best=True) is None


@pytest.mark.parametrize("part", [*sorted(PARTS), "rng_state.pth", SEAL])
@pytest.mark.parametrize("damage", ["gone", "cut", "longer"])
def test_what_is_not_whole_is_removed_and_the_one_before_is_taken(
    tmp_path: Path, part: str, damage: str
) -> None:
    before, newest = checkpoint(tmp_path, 4), checkpoint(tmp_path, 8)
    assert is_whole(newest)
    if damage == "gone":
        (newest / part).unlink()
    elif damage == "cut":
        os.truncate(newest / part, 3)
    else:
        with (newest / part).open("a") as file:
            file.write("}")
    assert last_checkpoint(tmp_path, keep_best=True) == before
    assert not newest.exists()


def test_a_seal_of_something_else_is_none(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, 4)
    for content in ("[]", "{}", "3", '{"model.safetensors": 3}'):
        (path / SEAL).write_text(content)
        assert not is_whole(path)


def test_a_checkpoint_needs_the_best_one_before_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    best = checkpoint(tmp_path, 4, best=4)
    last = checkpoint(tmp_path, 12, best=4)
    assert last_checkpoint(tmp_path, keep_best=True) == last
    assert capsys.readouterr().out == ""
    (best / "model.safetensors").unlink()
    assert last_checkpoint(tmp_path, keep_best=False) == last
    assert last_checkpoint(tmp_path, keep_best=True) is None
    assert capsys.readouterr().out == f"{tmp_path}: no checkpoint there is whole; training begins anew\n"
    assert not list(tmp_path.iterdir())
