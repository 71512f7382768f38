"""Progress in a log: a line now and then, and nothing of what is short."""

from __future__ import annotations

import time

import pytest

from hybridnb import progress


def test_a_log_gets_whole_lines_that_tell_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "FIRST", 0)
    monkeypatch.setattr(progress, "EVERY", 0)
    with progress.progress(3, "counting", "texts", start=1) as bar:
        bar.update()
        bar.update()
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines[-2:]] == ["counting: 2/3 texts", "counting: 3/3 texts"]
    assert all(line.startswith("counting: ") and "\r" not in line for line in lines)


def test_the_first_line_of_a_log_comes_sooner_than_the_others(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "FIRST", 0.01)
    monkeypatch.setattr(progress, "EVERY", 60)
    with progress.progress(3, "counting", "texts") as bar:
        for _ in range(3):
            time.sleep(0.02)
            bar.update()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("counting: 1/3 texts")


@pytest.mark.parametrize("show", [True, False])
def test_what_is_short_says_nothing(show: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with progress.progress(2, "counting", "texts", show=show) as bar:
        bar.update(2)
    assert capsys.readouterr().err == ""
