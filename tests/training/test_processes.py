"""The environment and what accelerate has started."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from hybridnb.training.processes import (
    LAUNCHED,
    check_shared,
    first_says,
    is_first,
    leave,
    my_share,
    training_processes,
)


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


def test_one_process_of_a_launcher_is_the_first_until_it_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setattr("accelerate.PartialState.is_main_process", False)
    assert not is_first()
    assert first_says(lambda: 1) is None
    leave()
    assert is_first()
    assert first_says(lambda: 1) == 1


def test_each_of_several_processes_has_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(range(8))[my_share()] == list(range(8))
    monkeypatch.setenv("LOCAL_RANK", "0")
    shares = []
    for number in range(3):
        state = SimpleNamespace(num_processes=3, process_index=number)
        monkeypatch.setattr("accelerate.PartialState", lambda state=state, **_: state)
        shares.append(list(range(8))[my_share()])
    assert shares == [[0, 3, 6], [1, 4, 7], [2, 5]]


def test_a_directory_that_a_machine_does_not_see_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_RANK", "0")
    check_shared(tmp_path)
    assert not list(tmp_path.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(Path, "is_dir", lambda _: False)
        patch.setattr("socket.gethostname", lambda: "node2")
        with pytest.raises(
            ValueError, match=r"not the same directory on every machine \(another on node2\): set HYB"
        ):
            check_shared(tmp_path)
    assert not list(tmp_path.iterdir())
