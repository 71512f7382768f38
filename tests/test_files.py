"""Files written whole or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hybridnb.files import NO_ROOM, atomic, locked, named_if_full


def test_what_does_not_fit_leaves_the_old_and_names_it(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError) as caught, atomic(target) as part:
            part.write_bytes(bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(target))
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (
            RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
            errno.ENOSPC,
        ),
        (
            RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 5248 vs 5140"),
            errno.ENOSPC,
        ),
        (RuntimeError("PytorchStreamWriter failed writing file data/1: file write failed"), errno.ENOSPC),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), errno.EDQUOT),
    ],
    ids=str,
)
def test_no_room_is_told_whichever_library_says_so(tmp_path: Path, error: Exception, number: int) -> None:
    with pytest.raises(OSError, match=os.strerror(number)) as caught, named_if_full(tmp_path):
        raise error
    assert caught.value.errno == number and number in NO_ROOM
    assert caught.value.filename == str(tmp_path)


@pytest.mark.parametrize(
    "error", [OSError(errno.EACCES, "Permission denied"), RuntimeError("something (os error 13)")]
)
def test_other_errors_stay_as_they_are(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(type(error)) as caught, named_if_full(tmp_path):
        raise error
    assert caught.value is error


HOLD = """
import sys
from pathlib import Path
from hybridnb.files import locked

with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds a directory until its input is closed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process


def test_who_will_not_wait_is_told_who_holds_the_directory(tmp_path: Path) -> None:
    with held(tmp_path) as process:
        with (
            pytest.raises(OSError, match=rf"in use by process {process.pid} on .+: wait for it, or stop it"),
            locked(tmp_path, wait=False),
        ):
            pass
        assert (tmp_path / ".holder").is_file(), "it is the other's"
        process.communicate()
    with locked(tmp_path, wait=False):
        assert f"process {os.getpid()} " in (tmp_path / ".holder").read_text()
    assert list(tmp_path.iterdir()) == []


def test_who_waits_says_for_whom_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with held(tmp_path) as process:
        assert process.stdin is not None
        threading.Timer(0.2, process.stdin.close).start()
        with locked(tmp_path):
            assert process.wait() == 0
            assert f"process {os.getpid()} " in (tmp_path / ".holder").read_text()
    assert f"in use by process {process.pid} on " in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="kills by signal")
def test_a_holder_that_was_killed_hinders_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with held(tmp_path) as process:
        (tmp_path / "ranks" / ".writing-1").mkdir(parents=True)
        process.kill()
        process.wait()
    assert f"process {process.pid} " in (tmp_path / ".holder").read_text()
    with locked(tmp_path, wait=False):
        assert f"process {os.getpid()} " in (tmp_path / ".holder").read_text()
        assert not list(tmp_path.rglob(".writing-*")), "what it left half written"
    assert capsys.readouterr().err == ""
