"""Where data is found: a given directory, HYBRIDNB_DATA, the user's cache, the public home.

A data set names its files once, as a `Home`; `locate` returns where each of them lies, downloading the ones
that are in no directory into the cache. Every directory has the same layout (`lareqa/xquad-r/ar.json`, ...).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.client import IncompleteRead
from pathlib import Path

from filelock import FileLock
from tqdm.auto import tqdm

VARIABLE = "HYBRIDNB_DATA"
CHUNK = 1 << 20
TIMEOUT = 30  # seconds without a byte


class MissingData(FileNotFoundError):
    """A data set is in none of the places where data is looked for."""


class DamagedData(ValueError):
    """A downloaded file is not the one that was pinned."""


@dataclass(frozen=True)
class Remote:
    """One file of a data set.

    path: where it lies below a data directory, with "/".
    url: https://..., or hf://datasets/OWNER/NAME@REVISION/FILE for the hub (`path` then ends with FILE);
        None where the file has no public home.
    size: bytes. digest: "sha256:..." or "md5:..." of the file, checked after the download.
    """

    path: str
    url: str | None
    size: int | None = None
    digest: str | None = None


@dataclass(frozen=True)
class Home:
    """The files of a data set, and its public home in words ("github OWNER/NAME, commit ...").

    name: what `python -m hybridnb.corpora NAME` fetches it by.
    """

    name: str
    about: str
    files: tuple[Remote, ...]


def github(repository: str, commit: str, path: str) -> str:
    """Address of a file of a public GitHub repository at a commit (full or abbreviated hash)."""
    return f"https://raw.githubusercontent.com/{repository}/{commit}/{path}"


def cache_directory() -> Path:
    """The user's cache: $XDG_CACHE_HOME/hybridnb, or ~/.cache/hybridnb."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "hybridnb"


def directories(directory: str | Path | None = None) -> list[tuple[str, Path]]:
    """(why, where) of the directories data is looked for in, in order.

    FileNotFoundError: a directory was given, by argument or HYBRIDNB_DATA, and does not exist.
    """
    places = []
    named = os.environ.get(VARIABLE)
    for why, where in (("given directory", directory), (VARIABLE, named)):
        if where:
            path = Path(where).expanduser()
            if not path.is_dir():
                raise FileNotFoundError(f"{why}: {path} is no directory; name the one that holds the data")
            places.append((why, path))
    return [*places, ("cache", cache_directory())]


def find(path: str, directory: str | Path | None = None) -> Path | None:
    """The first of `directories` that has the file or folder at this relative path, or None."""
    candidates = (where / path for _, where in directories(directory))
    return next((found for found in candidates if found.exists()), None)


def locate(home: Home, directory: str | Path | None = None) -> list[Path]:
    """Where each file of the set lies, in the order of `home.files`.

    What no directory has is downloaded into the cache: its number and size are told first (stderr), then
    file by file with a progress bar; an interrupted download goes on where it stopped.
    MissingData: a file that is nowhere and cannot be fetched; the message says what was tried.
    DamagedData: a download that is not the pinned file.
    """
    found = [find(file.path, directory) for file in home.files]
    missing = [file for file, path in zip(home.files, found, strict=True) if path is None]
    if missing:
        try:
            fetch(missing, cache_directory(), name=home.name)
        except (OSError, ValueError) as error:
            if isinstance(error, DamagedData):
                raise
            raise MissingData(_nowhere(home, missing, directory, error)) from error
    return [path or cache_directory() / file.path for file, path in zip(home.files, found, strict=True)]


def _nowhere(home: Home, missing: Sequence[Remote], directory: str | Path | None, error: Exception) -> str:
    """What is missing, what was tried, and the one command that gets it."""
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    places = directories(directory)
    tried = [f"{why} {where}" for why, where in places]
    if VARIABLE not in (why for why, _ in places):
        tried.insert(-1, f"{VARIABLE} (not set)")
    command = f"python -m hybridnb.corpora {home.name} --to DIR"
    remedy = (
        f"run `{command}` where that home can be reached and set {VARIABLE}=DIR"
        if all(file.url for file in missing)
        else f"set {VARIABLE} to the directory that holds {missing[0].path}"
    )
    return (
        f"{home.name}: no {missing[0].path}{more}. Tried: {'; '.join(tried)}; "
        f"public home {home.about} ({type(error).__name__}: {error}). To get it: {remedy}."
    )


def fetch(files: Sequence[Remote], to: Path, *, name: str = "data") -> None:
    """Download files below `to`, told beforehand, one by one, atomically; those already there are kept.

    Errors of the connection are OSError; a file that is not the pinned one is DamagedData.
    """
    files = [file for file in files if not (to / file.path).exists()]
    if homeless := [file.path for file in files if file.url is None]:
        raise FileNotFoundError(f"{homeless[0]} has no public home")
    if not files:
        return
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        raise OSError("HF_HUB_OFFLINE is set: nothing is downloaded")
    size = sum(file.size or 0 for file in files)
    about = f"{size / 1e6:,.1f} MB" + ("" if all(file.size for file in files) else " or more")
    print(f"{name}: downloading {len(files)} files, {about}, to {to}", file=sys.stderr, flush=True)
    to.mkdir(parents=True, exist_ok=True)
    if (free := shutil.disk_usage(to).free) < size:
        raise OSError(f"{to} has {free / 1e6:,.0f} MB free, {about} are needed")
    with FileLock(to / ".lock"):  # several processes of one run may want the same files
        for file in files:
            target = to / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                continue
            if str(file.url).startswith("hf://"):
                _from_hub(file, target)
            else:
                _from_web(file, target)


def _from_hub(file: Remote, target: Path) -> None:
    from huggingface_hub import hf_hub_download

    assert file.url is not None
    owner, name_revision, filename = file.url.removeprefix("hf://datasets/").split("/", 2)
    name, revision = name_revision.split("@")
    if not file.path.endswith(filename):
        raise ValueError(f"{file.path} does not end with the hub's {filename}")
    # the hub's own layout below this folder; it resumes and renames by itself
    folder = target.parents[filename.count("/")]
    hf_hub_download(f"{owner}/{name}", filename, repo_type="dataset", revision=revision, local_dir=folder)
    try:
        _check(file, target)
    except DamagedData:
        target.unlink()
        raise


def _from_web(file: Remote, target: Path) -> None:
    """Download into TARGET.part, going on with what is there, check it, and give it its name."""
    part = target.with_name(target.name + ".part")
    done = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(str(file.url), headers={"User-Agent": "hybridnb"})
    if done:
        request.add_header("Range", f"bytes={done}-")
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.URLError as error:
        # 416, "range not satisfiable": the part is whole already
        if not isinstance(error, urllib.error.HTTPError) or error.code != 416:
            raise ConnectionError(f"{file.url}: {error}") from error
    else:
        with response:
            if response.status != 206:  # a file: address, or a server that begins again
                done = 0
            length = response.headers.get("Content-Length")
            total = done + int(length) if length else file.size
            bar = tqdm(total=total, initial=done, unit="B", unit_scale=True, desc=target.name)
            # an early end shows in the size of the part, whether or not this Python raises for it
            with suppress(IncompleteRead), bar, part.open("ab" if done else "wb") as out:
                while chunk := response.read(CHUNK):
                    out.write(chunk)
                    bar.update(len(chunk))
            if length and part.stat().st_size != total:
                raise ConnectionError(
                    f"the connection to {file.url} ended at {part.stat().st_size:,} of {total:,} bytes; "
                    "run it again to go on"
                )
    try:
        _check(file, part)
    except DamagedData:
        part.unlink()
        raise
    part.replace(target)


def _check(file: Remote, path: Path) -> None:
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        raise DamagedData(f"{file.url} has {size:,} bytes, not {file.size:,}; its public home has changed")
    if file.digest is not None:
        algorithm, expected = file.digest.split(":")
        with path.open("rb") as stream:
            actual = hashlib.file_digest(stream, algorithm).hexdigest()
        if actual != expected:
            raise DamagedData(
                f"{file.url} has {algorithm} {actual}, not {expected}; fetch it again, and if that "
                "does not help its public home has changed"
            )
