"""Files written whole or not at all, and read with an error that names them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic(target: Path) -> Iterator[Path]:
    """A path beside `target` to write a file or directory to; it takes the target's place at the end, and is on disk.

    After an error, or a kill, the target is what it was before.

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
