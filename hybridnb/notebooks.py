"""Running the notebooks headless, and checking what they are given."""

from __future__ import annotations

import ast
import difflib
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hybridnb.files import write_text
from hybridnb.places import FIGURES, HOME, NOTEBOOKS, RUNS
from hybridnb.report import published, tables
from hybridnb.study.plan import claim_name, planned, run_of, study_runs
from hybridnb.study.settings import Study
from hybridnb.training.strategies import Strategy


def check_parameters(namespace: Mapping[str, Any], **types: type) -> None:
    """Raise on an unknown parameter or one of another type, before any work is done.

    namespace: the notebook's globals(). papermill only warns of an unknown parameter and sets it all the same;
    it writes its values into a cell of their own, which is looked up in the history of executed cells.
    """
    cells = reversed(namespace.get("In", ()))  # the last one: a corrected cell may be run again
    injected = next((cell for cell in cells if cell.startswith("# Parameters\n")), "")
    for node in ast.parse(injected).body:
        for target in node.targets if isinstance(node, ast.Assign) else ():
            name = ast.unparse(target)
            if name not in types:
                close = difflib.get_close_matches(name, types, 1)
                hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(types)}"
                raise ValueError(f"unknown parameter {name!r}; {hint}")
    for name, kind in types.items():
        value = namespace[name]
        fits = isinstance(value, (int, float) if kind is float else kind)
        if not fits or (isinstance(value, bool) and kind is not bool):
            raise ValueError(f"parameter {name} is {value!r}; it must be of type {kind.__name__}")


@dataclass(frozen=True)
class Step:
    """One execution of a notebook in a study."""

    notebook: str
    parameters: Mapping[str, Any]
    label: str = ""

    @property
    def title(self) -> str:
        return f"{self.notebook} {self.label}".strip()

    @property
    def output_name(self) -> str:
        return f"{self.title.replace(' ', '_').replace('(', '-').replace(')', '')}.ipynb"


def steps(study: Study, study_file: str) -> Iterator[Step]:
    """What a study executes, in order."""
    for benchmark in study.benchmarks:
        label = benchmark if len(study.benchmarks) > 1 else ""
        yield Step("01_data_exploration", {"study": study_file, "benchmark": benchmark}, label)
    for seed in study.seeds:
        for text in study.strategies:
            strategy = Strategy.parse(text)
            alpha = {} if strategy.alpha is None else {"alpha": strategy.alpha}
            values = {"study": study_file, "strategy": strategy.name, **alpha, "seed": seed}
            yield Step("02_finetune", values, f"{text} seed{seed}")
    for name in ("03_retrieval_evaluation", "04_language_bias"):
        for benchmark in study.benchmarks:
            label = benchmark if len(study.benchmarks) > 1 else ""
            yield Step(name, {"study": study_file, "benchmark": benchmark}, label)
    if published.compares_with(study):
        yield Step("05_report", {"study": study_file})


def run_study(study: Study) -> None:
    """Execute a study's notebooks; what is done already is kept.

    Executed copies go to runs/STUDY/notebooks, figures to figures/STUDY. A step is done when the same notebook
    was executed with the same settings by the same package; its runs are found finished in any case.
    """
    if data := os.environ.get("HYBRIDNB_DATA"):
        # kernels inherit it and start in another directory
        os.environ["HYBRIDNB_DATA"] = str(Path(data).expanduser().resolve())
    claim_name(study)
    directory = RUNS / study.name
    study_file = directory / "study.json"
    write_text(study_file, study.to_json())
    done_file = directory / "done.json"
    done = json.loads(done_file.read_text()) if done_file.is_file() else {}
    everything = list(steps(study, str(study_file)))
    for number, step in enumerate(everything, 1):
        head = f"[{number}/{len(everything)}] {step.title}"
        output = directory / "notebooks" / step.output_name
        digest = _digest(step, study)
        if done.get(step.title) == digest and output.is_file() and _results_exist(step, study):
            print(f"{head}: done before")
            continue
        print(f"{head} ...", flush=True)
        started = time.monotonic()
        execute(step, output)
        done[step.title] = digest
        write_text(done_file, json.dumps(done, indent=1))
        print(f"{head}: {time.monotonic() - started:.0f} s", flush=True)
    for benchmark in study.benchmarks:
        scores = tables.scores(study_runs(study), benchmark)
        write_text(directory / "tables" / f"{benchmark}.csv", scores.to_csv(index=False))
        print(f"\n{benchmark}\n{tables.with_spread(scores).to_string()}")
    print(f"\nTables: {_shown(directory / 'tables')}")
    print(f"Executed notebooks: {_shown(directory / 'notebooks')}")
    print(f"Runs (encoders, ranks, metrics): {_shown(directory)}")
    print(f"Figures: {_shown(FIGURES / study.name)}")


def _results_exist(step: Step, study: Study) -> bool:
    """Whether the runs that a done step made or showed are still there."""
    runs = study_runs(study)
    if step.notebook == "02_finetune":
        alpha, name = step.parameters.get("alpha"), step.parameters["strategy"]
        runs = [run_of(study, str(Strategy(name, alpha)), step.parameters["seed"])]
    elif step.notebook == "05_report":
        return all(
            run.is_trained and all(map(run.is_evaluated, benchmarks))
            for run, benchmarks in planned(study).items()
        )
    elif step.notebook == "01_data_exploration":
        runs = []
    shown = step.parameters.get("benchmark")
    return all(run.is_trained and (shown is None or run.is_evaluated(shown)) for run in runs)


def execute(step: Step, output: Path) -> None:
    """Run one notebook by papermill; a failed one is kept beside as NAME.failed.ipynb."""
    import papermill

    source = NOTEBOOKS / f"{step.notebook}.ipynb"
    if not source.is_file():
        raise FileNotFoundError(
            f"{source} is missing: install from a checkout with `pip install -e .`, or set HYBRIDNB_HOME to one"
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    part = output.with_suffix(".failed.ipynb")
    try:
        papermill.execute_notebook(
            source,
            part,
            parameters=dict(step.parameters),
            kernel_name="python3",
            cwd=NOTEBOOKS,
            progress_bar=False,
            stdout_file=sys.stdout,
            stderr_file=sys.stderr,
        )
    except papermill.PapermillExecutionError as error:
        raise RuntimeError(
            f"{step.title} failed: {error.ename}: {error.evalue}\n  see {_shown(part)}"
        ) from None
    part.replace(output)


def _digest(step: Step, study: Study) -> str:
    """Changes when the notebook's cells, its parameters, the settings or the package's code change."""
    notebook = NOTEBOOKS / f"{step.notebook}.ipynb"
    cells = [c["source"] for c in json.loads(notebook.read_text())["cells"]] if notebook.is_file() else []
    files = sorted(path for kind in ("py", "toml") for path in Path(__file__).parent.rglob(f"*.{kind}"))
    code = [path.read_text(encoding="utf-8") for path in files]
    text = json.dumps([cells, dict(step.parameters), study.to_json(), code], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _shown(path: Path) -> str:
    return str(path.relative_to(HOME)) if path.is_relative_to(HOME) else str(path)
