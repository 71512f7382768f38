"""Files written whole or not at all, and read with an error that names them."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a system says where a disk, a quota or the largest size of a file is full."""


@contextmanager
def atomic(target: Path) -> Iterator[Path]:
    """A path beside `target` to write a file or directory to; it takes the target's place at the end, and is on disk.

    After an error, or a kill, the target is what it was before; where the disk is full, the error names the target.

    Args:
        target: the file or directory; the directories it lies in are made.

    Raises:
        OSError: it cannot be written; where the disk is full, what to free is said.

    Example:
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     with atomic(Path(directory) / "made" / "a.txt") as part:
        ...         _ = part.write_text("whole", encoding="utf-8")
        ...     (Path(directory) / "made" / "a.txt").read_text(encoding="utf-8")
        'whole'
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=".writing-"))
    try:
        with named_if_full(target):
            part = scratch / target.name
            yield part
            _sync(part)
            if target.is_dir():
                # a directory cannot be renamed over one that holds something
                target.rename(scratch / f"{target.name}.old")
            part.replace(target)
            _sync_directory(target.parent)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def named_if_full(target: Path) -> Iterator[None]:
    """Have an error say what was to be written where there was no room for it, whichever library found out.

    Raises:
        OSError: with a number of `NO_ROOM` and the target as its file name.
    """
    try:
        yield
    except Exception as error:
        number = error.errno if isinstance(error, OSError) else _number_in(str(error))
        if number not in NO_ROOM:
            raise
        raise OSError(number, os.strerror(number), str(target)) from error


def _number_in(text: str) -> int | None:
    """The number of a system's error that safetensors or torch put into words."""
    if found := re.search(r"\(os error (\d+)\)", text):
        return int(found[1])
    # "unexpected pos 5248 vs 5140", "PytorchStreamWriter failed writing file": the file could not grow
    return errno.ENOSPC if re.search("unexpected pos|PytorchStreamWriter failed", text) else None


@contextmanager
def locked(directory: Path, *, hold: bool = True, wait: bool = True) -> Iterator[None]:
    """Have `directory`, made if need be, to oneself: a second process waits, and is told for whom.

    Args:
        directory: gets the files .lock and .holder for this time; after a kill they stay, and hinder nobody.
        hold: False does nothing (the processes of one distributed run, of which one holds it for all).
        wait: False raises instead.

    Raises:
        OSError: the directory cannot be written, or is held and `wait` is off; the holder is named.

    Example:
        >>> with tempfile.TemporaryDirectory() as directory, locked(Path(directory)):
        ...     sorted(path.name for path in Path(directory).iterdir())
        ['.holder', '.lock']
    """
    if not hold:
        yield
        return
    directory.mkdir(parents=True, exist_ok=True)
    lock, holder = FileLock(directory / ".lock"), directory / ".holder"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        by = "another process"
        with suppress(OSError, ValueError):
            by = holder.read_text(encoding="utf-8")
        if not wait:
            raise OSError(f"{directory} is in use by {by}: wait for it, or stop it") from None
        print(f"{directory} is in use by {by}: waiting for it", file=sys.stderr, flush=True)
        lock.acquire()
    try:
        # of whoever was killed here
        for left in (*directory.glob(".writing-*"), *directory.glob("*/.writing-*")):
            shutil.rmtree(left, ignore_errors=True)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        holder.write_text(f"process {os.getpid()} on {socket.gethostname()} since {now}", encoding="utf-8")
        yield
    finally:
        holder.unlink(missing_ok=True)
        # whoever waits for the file that is removed here opens a new one: filelock looks
        with suppress(OSError):
            Path(lock.lock_file).unlink()
        lock.release()


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file whole or not at all."""
    with atomic(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file whole or not at all."""
    write_text(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def read_json(path: Path) -> Any:
    """The content of a JSON file. ValueError: it is not JSON, or not UTF-8; the file is named."""
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged, it is not JSON ({error}): delete it and run again") from None


def sha256_of(content: Any) -> str:
    """Hash of anything JSON can hold; the order of keys does not matter.

    Example:
        >>> sha256_of({"a": 1, "b": 2}) == sha256_of({"b": 2, "a": 1})
        True
    """
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """Hash of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync(part: Path) -> None:
    """Have the disk hold a file, or every file of a directory, before its name says that it is whole."""
    for path in [part, *part.rglob("*")] if part.is_dir() else [part]:
        if path.is_file():
            with path.open("rb+") as stream:
                os.fsync(stream.fileno())


def _sync_directory(directory: Path) -> None:
    if os.name == "posix":
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
