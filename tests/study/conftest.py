"""A toy study and one finished run of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from toy import write_study, write_xquad_r

from hybridnb.study import plan
from hybridnb.study.finetuning import finetune
from hybridnb.study.runs import Run
from hybridnb.study.settings import Study


@pytest.fixture(scope="module")
def trained(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a study, its benchmark and one finished run, which no test changes."""
    directory = tmp_path_factory.mktemp("toy")
    write_xquad_r(directory / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hybridnb.study.plan.RUNS", directory / "runs")
        finetune(Study.load(write_study(directory)), "hybrid(0.5)", 0)
    return directory


@pytest.fixture
def study(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """The study, with runs of its own to change: a copy of the finished one."""
    shutil.copytree(trained / "runs", tmp_path / "runs")
    monkeypatch.setattr("hybridnb.study.plan.RUNS", tmp_path / "runs")
    monkeypatch.setenv("HYBRIDNB_DATA", str(trained / "data"))
    return Study.load(trained / "toy.toml")


@pytest.fixture
def run(study: Study) -> Run:
    return plan.run_of(study, "hybrid(0.5)", 0)
