"""The environment and what accelerate has started."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from hybridnb.training.processes import LAUNCHED, training_processes


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*LAUNCHED, "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("announced", [None, "1"])
def test_one_process_is_alone(monkeypatch: pytest.MonkeyPatch, announced: str | None) -> None:
    if announced:
        monkeypatch.setenv("WORLD_SIZE", announced)
    state = training_processes()
    assert state.num_processes == 1 and state.is_main_process


@pytest.mark.parametrize("announced", ["2", "many"])
def test_processes_that_nobody_started_are_an_error(monkeypatch: pytest.MonkeyPatch, announced: str) -> None:
    monkeypatch.setenv("WORLD_SIZE", announced)
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(
        ValueError, match=f"WORLD_SIZE is {announced}, but no launcher has started this process: start"
    ):
        training_processes()


def test_fewer_processes_than_announced_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setattr("accelerate.PartialState", lambda **_: SimpleNamespace(num_processes=1))
    with pytest.raises(ValueError, match="WORLD_SIZE is 2, but 1 processes have started"):
        training_processes()
