"""Where data is found: a given directory, HYBRIDNB_DATA, the user's cache, the public home.

A data set names its files once, as a `Source`; `locate` returns where each of them lies, downloading the ones
that are in no directory into the cache. Every directory has the same layout (`lareqa/xquad-r/ar.json`, ...).

What lies in the cache must be the pinned file. What a user puts into a directory of their own may be another (a
part, a newer release): that is said, and the hash of its content is what results are filed under.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import sys
import time
import warnings
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, cast

from filelock import FileLock

from hybridnb.files import sha256_of, write_text
from hybridnb.places import cache_directory, user_cache
from hybridnb.progress import progress

VARIABLE = "HYBRIDNB_DATA"
CHUNK = 1 << 22
TIMEOUT = 30  # seconds without a byte
JUST_NOW = 2  # seconds; a file changed so lately may change again without its times telling


class MissingData(FileNotFoundError):
    """A data set is in none of the places where data is looked for."""


class DamagedData(ValueError):
    """A downloaded file is not the one that was pinned."""


class ForeignDataWarning(UserWarning):
    """A file in a user's own data directory is not the one that was pinned."""


@dataclass(frozen=True)
class RemoteFile:
    """One file of a data set.

    Args:
        path: Where it lies below a data directory, with "/".
        url: https://..., or hf://datasets/OWNER/NAME@REVISION/FILE for the hub (`path` then ends with FILE);
            None where the file has no public home.
        size: Bytes.
        digest: "sha256:..." or "md5:..." of the file.
        also: Other paths at which it is taken; one that ends in .gz, where `path` does not, is unpacked.
    """

    path: str
    url: str | None = None
    size: int | None = None
    digest: str | None = None
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """The files of a data set, and its public home in words ("github OWNER/NAME, commit ...").

    Args:
        name: What `hybridnb fetch NAME` fetches it by.
        about: Its public home.
        files: In the order of `locate`.
        instead: One file that stands for all of them, where a data directory has it.
    """

    name: str
    about: str
    files: tuple[RemoteFile, ...]
    instead: RemoteFile | None = None


def github(repository: str, commit: str, path: str) -> str:
    """Address of a file of a public GitHub repository at a commit (full or abbreviated hash).

    Example:
        >>> github("o/r", "abc", "a.txt")
        'https://raw.githubusercontent.com/o/r/abc/a.txt'
    """
    return f"https://raw.githubusercontent.com/{repository}/{commit}/{path}"


def hub(repository: str, revision: str, path: str) -> str:
    """Address of a file of a data set on the hub at a revision."""
    return f"hf://datasets/{repository}@{revision}/{path}"


def directories(directory: str | Path | None = None) -> list[tuple[str, Path]]:
    """(why, where) of the directories data is looked for in, in order.

    Raises:
        FileNotFoundError: A directory was given, by argument or HYBRIDNB_DATA, and does not exist.
    """
    places = []
    for why, where in (("given directory", directory), (VARIABLE, os.environ.get(VARIABLE))):
        if where:
            path = Path(where).expanduser()
            if not path.is_dir():
                raise FileNotFoundError(f"{why}: {path} is no directory; name the one that holds the data")
            places.append((why, path))
    # a cache that can only be read still has its files
    caches = dict.fromkeys(cache for cache in (user_cache(), cache_directory()) if cache is not None)
    return [*places, *(("cache", cache) for cache in caches)]


def find(path: str, directory: str | Path | None = None) -> Path | None:
    """The first of `directories` that has the file or folder at this relative path, or None."""
    candidates = (where / path for _, where in directories(directory))
    return next((found for found in candidates if found.exists()), None)


def locate(source: Source, directory: str | Path | None = None) -> list[Path]:
    """Where each file of a source lies, or the one that stands for all of them; see `located`."""
    return [path for _, path in located(source, directory)]


def located(source: Source, directory: str | Path | None = None) -> list[tuple[str, Path]]:
    """Each file of a source, or the one that stands for all of them: its path in a data directory, and where it is.

    What no directory has is downloaded into the cache: its number and size are told first (stderr), then file
    by file with a progress bar.

    Args:
        source: What to find.
        directory: Where to look before HYBRIDNB_DATA, the cache and the public home.

    Returns:
        In the order of `source.files`, or `source.instead` alone.

    Raises:
        MissingData: A file that is nowhere and cannot be fetched; the message says what was tried.
        DamagedData: A file in the cache that is not the pinned one.
    """
    found = _found(source, directory)
    missing = tuple(file for file, path in found if path is None)
    if missing:
        try:
            fetch(replace(source, files=missing), cache_directory())
        except (OSError, ValueError) as error:
            if isinstance(error, DamagedData):
                raise
            raise MissingData(_nowhere(source, missing, directory, error)) from error
        found = _found(source, directory)
    paths = [(file, path) for file, path in found if path is not None]
    _verify(source, paths)
    names = (next(n for n in (f.path, *f.also) if path.as_posix().endswith(n)) for f, path in paths)
    return [(name, path) for name, (_, path) in zip(names, paths, strict=True)]


def fetch(source: Source, to: Path) -> None:
    """Download the files of a source below a directory, told beforehand, one by one; those there are kept.

    Raises:
        OSError: No connection, no room, no public home, or HF_HUB_OFFLINE is set.
        DamagedData: A downloaded file is not the pinned one.
    """
    files = [file for file in source.files if not (to / file.path).exists()]
    if homeless := [file.path for file in files if file.url is None]:
        raise FileNotFoundError(f"{homeless[0]} has no public home")
    if not files:
        return
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        raise OSError("HF_HUB_OFFLINE is set: nothing is downloaded")
    size = sum(file.size or 0 for file in files)
    about = f"{size / 1e6:,.1f} MB" + ("" if all(file.size for file in files) else " or more")
    print(f"{source.name}: downloading {len(files)} files, {about}, to {to}", file=sys.stderr, flush=True)
    to.mkdir(parents=True, exist_ok=True)
    if (free := shutil.disk_usage(to).free) < size:
        raise OSError(f"{to} has {free / 1e6:,.0f} MB free, {about} are needed")
    with FileLock(to / ".lock"):  # several processes of one run may want the same files
        for file in files:
            target = to / file.path
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                _download(file, target)


def digest(path: Path, algorithm: str = "sha256", *, unpacked: bool = False) -> str:
    """ "ALGORITHM:HEX" of a file's bytes, remembered in the cache while path, size and times stay.

    Args:
        path: A file.
        algorithm: As hashlib names it.
        unpacked: Of what is in a gzip file.
    """
    state = path.stat()
    # the time of the inode changes even where the time of the content is put back
    times = state.st_mtime_ns, state.st_ctime_ns
    key = sha256_of([str(path.resolve()), state.st_size, *times, state.st_ino, algorithm, unpacked])
    memory = cache_directory() / "digests" / key
    with suppress(OSError):
        return memory.read_text(encoding="utf-8")
    made = hashlib.new(algorithm)
    with (
        path.open("rb") as raw,
        progress(state.st_size, f"checking {path.name}", "B") as bar,
    ):
        stream = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if unpacked else raw
        while chunk := stream.read(CHUNK):
            made.update(chunk)
            bar.update(raw.tell() - bar.n)
    value = f"{algorithm}:{made.hexdigest()}"
    if time.time() - max(state.st_mtime, state.st_ctime) > JUST_NOW:
        with suppress(OSError):  # it only saves time
            write_text(memory, value)
    return value


def content_digests(source: Source, directory: str | Path | None = None) -> list[list[str]]:
    """[path, digest] of each file of a source: the pinned digest, or that of another file that lies there.

    The same whichever form a directory has. Nothing is downloaded: a file that is nowhere counts as the pinned
    one, and where nothing is pinned by the address it is fetched from.
    """
    found = _found(source, directory)
    if found[0][0] is source.instead and _difference(*cast(tuple[RemoteFile, Path], found[0])) is None:
        found = [(file, None) for file in source.files]
    return [[file.path, _content_digest(file, path)] for file, path in found]


def content_sha256_of_path(path: Path) -> str:
    """sha256 of a user's own file, as hex, or of a directory's files by their names; remembered as `digest` does."""
    if not path.is_dir():
        return digest(path).removeprefix("sha256:")
    files = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
    return sha256_of({file.relative_to(path).as_posix(): digest(file) for file in files})


def _content_digest(file: RemoteFile, path: Path | None) -> str:
    if path is None or (file.digest is not None and _difference(file, path) is None):
        return file.digest or f"{file.url} ({file.size} bytes)"
    return digest(path, unpacked=_packed(file, path))


def _found(source: Source, directory: str | Path | None) -> list[tuple[RemoteFile, Path | None]]:
    """Each file and where it lies, if anywhere; or the one that stands for all of them."""
    if source.instead is not None and (path := find(source.instead.path, directory)):
        return [(source.instead, path)]
    found = []
    for file in source.files:
        places = (find(path, directory) for path in (file.path, *file.also))
        found.append((file, next((path for path in places if path), None)))
    return found


def _packed(file: RemoteFile, path: Path) -> bool:
    return path.suffix == ".gz" and not file.path.endswith(".gz")


def _difference(file: RemoteFile, path: Path) -> str | None:
    """What a file that lies somewhere has other than the pinned one; None: nothing."""
    packed = _packed(file, path)
    size = path.stat().st_size
    if file.size is not None and size != file.size and not packed:
        return f"has {size:,} bytes, not {file.size:,}"
    if file.digest is not None:
        algorithm = file.digest.partition(":")[0]
        try:
            actual = digest(path, algorithm, unpacked=packed)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            return f"is no whole gzip ({error})"
        if actual != file.digest:
            return f"has {actual.replace(':', ' ')}, not {file.digest.partition(':')[2]}"
    return None


def _verify(source: Source, paths: Iterable[tuple[RemoteFile, Path]]) -> None:
    """DamagedData for a file in the cache that is not the pinned one; elsewhere it is the user's own: a warning."""
    other = []
    for file, path in paths:
        if difference := _difference(file, path):
            if any(path.is_relative_to(where) for why, where in directories() if why == "cache"):
                raise DamagedData(f"{path} {difference}; delete it and run again")
            other.append(f"{path} {difference}")
    if other:
        more = f" (and {len(other) - 1} more files)" if len(other) > 1 else ""
        message = f"{source.name} is not the published one, nor comparable with it: {other[0]}{more}"
        warnings.warn(ForeignDataWarning(message), stacklevel=4)


def _nowhere(
    source: Source, missing: tuple[RemoteFile, ...], directory: str | Path | None, error: Exception
) -> str:
    """What is missing, what was tried, and the one command that gets it."""
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    places = directories(directory)
    tried = [f"{why} {where}" for why, where in places]
    if VARIABLE not in (why for why, _ in places):
        tried.insert(len(places) - 1, f"{VARIABLE} (not set)")
    remedy = (
        f"run `hybridnb fetch {source.name} --to DIR` where that home can be reached and set {VARIABLE}=DIR"
        if all(file.url for file in missing)
        else f"set {VARIABLE} to the directory that holds {missing[0].path}"
    )
    return (
        f"{source.name}: no {missing[0].path}{more}. Tried: {'; '.join(tried)}; "
        f"public home {source.about} ({type(error).__name__}: {error}). To get it: {remedy}."
    )


def _download(file: RemoteFile, target: Path) -> None:
    """Download a file, whole and as it was pinned, or not at all."""
    if str(file.url).startswith("hf://"):
        _from_hub(file, target)
    else:
        _from_web(file, target)
    if difference := _difference(file, target):
        target.unlink()
        raise DamagedData(f"{file.url} {difference}; its public home has changed")


def _from_hub(file: RemoteFile, target: Path) -> None:
    """By the hub's own client, which goes on where an interrupted download stopped."""
    from huggingface_hub import hf_hub_download

    owner, name_revision, filename = str(file.url).removeprefix("hf://datasets/").split("/", 2)
    name, revision = name_revision.split("@")
    if not file.path.endswith(filename):
        raise ValueError(f"{file.path} does not end with the hub's {filename}")
    # the hub's own layout below this folder
    folder = target.parents[filename.count("/")]
    hf_hub_download(f"{owner}/{name}", filename, repo_type="dataset", revision=revision, local_dir=folder)


def _from_web(file: RemoteFile, target: Path) -> None:
    import pooch

    pooch.get_logger().setLevel("WARNING")  # what is downloaded was told already
    bar = progress(file.size or 1, target.name, "B")  # pooch sets the total to what the server says
    with_bar = pooch.HTTPDownloader(progressbar=bar, timeout=TIMEOUT)
    pooch.retrieve(file.url, known_hash=None, fname=target.name, path=target.parent, downloader=with_bar)
