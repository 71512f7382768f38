"""Files written whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from hybridnb.files import NO_ROOM, atomic, named_if_full


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
