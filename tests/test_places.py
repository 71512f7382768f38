"""The cache: where it is, and what happens where it cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from hybridnb import places

ROOT = Path(__file__).parents[1]


def test_cache_is_made_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "c \u00e4"))
    with warnings.catch_warnings(action="error"):
        assert places.cache_directory() == tmp_path / "c \u00e4" / "hybridnb"
    assert places.cache_directory().is_dir()
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert places.cache_directory() == tmp_path / ".cache" / "hybridnb"


def test_cache_that_cannot_be_made_is_a_warning_and_a_directory_for_now(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code = "from hybridnb.places import cache_directory as c; print(c(), c() == c(), c().is_dir())"
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "file")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    directory, *rest = done.stdout.split()
    assert rest == ["True", "True"]
    assert (
        done.stderr.count(f"the cache {tmp_path}/file/hybridnb cannot be written: what is made is not kept")
        == 1
    )
    assert not Path(directory).exists()


def test_no_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(places.Path, "home", staticmethod(no_home))
    assert places.user_cache() is None
    places._temporary.cache_clear()
    with pytest.warns(UserWarning, match="there is no home directory for the cache"):
        assert places.cache_directory().is_dir()
