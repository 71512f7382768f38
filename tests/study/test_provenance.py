"""What made a result is told as it is."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from hybridnb.study import provenance


def git(directory: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=directory, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_revision_is_that_of_the_package_and_says_where_files_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package"
    (package / "study").mkdir(parents=True)
    monkeypatch.setattr(provenance, "__file__", str(package / "study" / "provenance.py"))
    outside = f"hybridnb {version('hybridnb')}"
    assert provenance.code_revision() == outside
    git(tmp_path, "init", "-q")
    code = package / "__init__.py"
    code.write_text("a = 1\n", encoding="utf-8")
    assert provenance.code_revision() == outside  # a checkout around it is not one of it
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    one = provenance.code_revision()
    assert one == git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "notes.txt").write_text("a", encoding="utf-8")
    assert provenance.code_revision() == one
    code.write_text("a = 2\n", encoding="utf-8")
    assert provenance.code_revision() == f"{one}+"
    git(tmp_path, "commit", "-q", "-a", "-m", "two")
    assert provenance.code_revision() == git(tmp_path, "rev-parse", "HEAD") != one


def test_machine_and_libraries() -> None:
    told = provenance.provenance()
    assert told["versions"]["torch"] == version("torch") and told["threads"] == torch.get_num_threads()
    assert told["device"] == provenance.device_name() and told["device"].strip()
