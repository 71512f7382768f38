"""Where things are: what comes with the package, what is made, and the user's cache."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import warnings
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
_IN_WHEEL = PACKAGE / "shipped"

SHIPPED = _IN_WHEEL if _IN_WHEEL.is_dir() else PACKAGE.parent
"""What comes with the package and is only read, notebooks/ and data/: in a wheel's folder, or the checkout."""

HOME = Path(os.environ.get("HYBRIDNB_HOME") or (Path() if SHIPPED == _IN_WHEEL else SHIPPED)).expanduser()
HOME = HOME.resolve()
"""Where what is made goes: HYBRIDNB_HOME, or else the checkout, or else (from a wheel) the current directory."""

if HOME.is_relative_to(PACKAGE):
    raise RuntimeError(
        f"{HOME} belongs to the installed package, where nothing is written: work in another directory "
        "(`hybridnb notebooks DIR` copies the notebooks), or set HYBRIDNB_HOME to one"
    )

NOTEBOOKS = SHIPPED / "notebooks"
RUNS = HOME / "runs"
FIGURES = HOME / "figures"
RESULTS = HOME / "data" / "results"
"""Recorded results that are written; read are those of `shipped(RESULTS)`, too."""


def shipped(path: Path) -> Path:
    """The same path among what comes with the package; in a checkout mostly the path itself.

    Args:
        path: under HOME; one elsewhere stays as it is.

    Example:
        >>> shipped(RESULTS / "e5").is_dir()
        True
    """
    return SHIPPED / path.relative_to(HOME) if path.is_relative_to(HOME) else path


def cache_directory() -> Path:
    """The user's cache, $XDG_CACHE_HOME/hybridnb or ~/.cache/hybridnb, made where it is not there.

    Where it cannot be written (a read-only home, no home at all): a directory that is gone when the process ends,
    with a warning. A cache saves time; no result may be lost for want of one.
    """
    wanted = user_cache()
    if wanted is not None and _writable(wanted):
        return wanted
    return _temporary(wanted)


def user_cache() -> Path | None:
    """Where the cache should be, be it there and writable or not; None where there is no home directory."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return Path(base) / "hybridnb" if base else Path.home() / ".cache" / "hybridnb"
    except RuntimeError:  # no HOME, and no entry of this user
        return None


def _writable(directory: Path) -> bool:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(directory, os.W_OK | os.X_OK)


@cache
def _temporary(instead_of: Path | None) -> Path:
    directory = Path(tempfile.mkdtemp(prefix="hybridnb-cache-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    what = (
        f"the cache {instead_of} cannot be written"
        if instead_of
        else "there is no home directory for the cache"
    )
    warnings.warn(
        f"{what}: what is made is not kept; set XDG_CACHE_HOME to a writable directory", stacklevel=3
    )
    return directory
