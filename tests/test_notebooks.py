"""The notebooks as papermill meets them: parameters checked before any work, a clean shape in the repository."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
import pytest
from toy import write_study, write_xquad_r

from hybridnb.notebooks import cells_for, check_parameters, steps
from hybridnb.places import NOTEBOOKS
from hybridnb.report.published import REPORTED
from hybridnb.study.settings import Study

TYPES = {"study": str, "alpha": float, "seed": int, "languages": list}
GIVEN = {"study": "quick", "alpha": 0.5, "seed": 0, "languages": ["en"]}


@pytest.mark.parametrize("value", [0.25, 1])
def test_good_parameters_pass(value):
    injected = f"# Parameters\nalpha = {value}\n"
    check_parameters({**GIVEN, "alpha": value, "In": ["", "alpha = 0.5", injected]}, **TYPES)
    check_parameters(GIVEN, **TYPES)


def test_an_unknown_parameter_is_an_error():
    with pytest.raises(ValueError, match="unknown parameter 'aplha'; did you mean 'alpha'"):
        check_parameters({**GIVEN, "aplha": 1, "In": ["", "# Parameters\naplha = 1\n"]}, **TYPES)


@pytest.mark.parametrize(
    ("name", "value"), [("alpha", "0.5"), ("seed", 0.5), ("seed", True), ("languages", "en,de"), ("study", 3)]
)
def test_a_mistyped_parameter_is_an_error(name, value):
    with pytest.raises(ValueError, match=f"parameter {name} is"):
        check_parameters({**GIVEN, name: value}, **TYPES)


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
class TestCommitted:
    def test_opens_anywhere(self, path):
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        assert notebook.metadata.kernelspec.name == "python3"
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert sum("parameters" in cell.metadata.get("tags", []) for cell in code) == 1
        assert all(len(cell.source.splitlines()) <= 20 for cell in code)
        assert notebook.cells[0].source.startswith("# ")
        assert "?" in notebook.cells[0].source.splitlines()[0], "a notebook starts with its question"

    def test_is_committed_executed_without_errors(self, path):
        outputs = [o for c in json.loads(path.read_text())["cells"] for o in c.get("outputs", [])]
        assert outputs
        assert not [o for o in outputs if o["output_type"] == "error"]

    def test_papermill_stops_at_an_unknown_parameter(self, path, tmp_path):
        with pytest.raises(papermill.PapermillExecutionError, match="unknown parameter 'sede'"):
            papermill.execute_notebook(
                path,
                tmp_path / "out.ipynb",
                {"sede": 1},
                kernel_name="python3",
                cwd=NOTEBOOKS,
                progress_bar=False,
            )


@pytest.mark.parametrize("number", ["01", "02", "03", "04"])
def test_of_another_study_nothing_is_said_that_is_about_a_built_in_one(number):
    (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
    cells = nbformat.read(path, as_version=4).cells
    built_in = Study.load("quick" if number < "03" else REPORTED)
    assert cells_for(built_in, cells) == cells
    others = cells_for(built_in.only(seeds=[5]), cells)
    about = f"about-{built_in.name}"
    assert (
        others == [cell for cell in cells if about not in cell.metadata.get("tags", ())] and others != cells
    )
    told = " ".join(cell.source for cell in others if cell.cell_type == "markdown")
    assert not re.search("XQuAD|MLQA|CLDR|e5|default study|recorded study", told)


def test_a_study_runs_every_notebook_with_parameters_it_has():
    study = Study.load("quick").only(seeds=[0, 1])
    planned = list(steps(study, "quick"))
    assert [s.notebook for s in planned].count("02_finetune") == 2 * len(study.strategies)
    assert len({s.output_name for s in planned}) == len(planned)
    for step in planned:
        known = papermill.inspect_notebook(NOTEBOOKS / f"{step.notebook}.ipynb")
        assert set(step.parameters) <= set(known)


def test_a_study_is_executed_once_and_again_where_something_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_study(tmp_path)
    monkeypatch.setenv("HYBRIDNB_HOME", str(tmp_path))
    monkeypatch.setenv("HYBRIDNB_DATA", str(write_xquad_r(tmp_path / "sets")))

    def run(*more: str) -> list[str]:
        """The titles of what was executed."""
        command = [
            sys.executable,
            "-m",
            "hybridnb.cli",
            "run",
            str(tmp_path / "toy.toml"),
            "--strategy",
            "X-Y",
        ]
        done = subprocess.run([*command, *more], capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "IPKernelApp" not in done.stderr
        assert "Mul mAP" in done.stdout
        return re.findall(r"^\[\d+/\d+\] (.*) \.\.\.$", done.stdout, re.MULTILINE)

    everything = ["01_data_exploration", "02_finetune X-Y seed0"]
    everything += ["03_retrieval_evaluation", "04_language_bias", "07_which_languages_gain"]
    assert run() == everything
    assert run() == []
    made = tmp_path / "runs" / "toy"
    notebook = tmp_path / "runs" / "toy+X-Y" / "notebooks" / "04_language_bias.ipynb"
    notebook.write_text(notebook.read_text(encoding="utf-8")[:1000], encoding="utf-8")
    (run_directory,) = made.glob("X-Y-*")
    shutil.rmtree(run_directory)
    assert run() == everything[1:]


def test_ctrl_c_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hybridnb.cli", "run", "quick"]
    environment = {**os.environ, "HYBRIDNB_HOME": str(tmp_path)}
    # as from a terminal; what is started in the background ignores it
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    started = subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    )
    signal.signal(signal.SIGINT, before)
    assert started.stdout is not None
    while "languages" not in started.stdout.readline():  # the notebook's first output
        assert started.poll() is None
    started.send_signal(signal.SIGINT)
    _, told = started.communicate()
    assert told == "hybridnb: stopped by SIGINT; the same command goes on from here\n"
