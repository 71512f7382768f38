"""Running the notebooks headless, and checking what they are given."""

from __future__ import annotations

import ast
import difflib
import logging
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock

from hybridnb.corpora import benchmark_name, content_sha256
from hybridnb.corpora.lines import SKIP_BAD
from hybridnb.files import file_sha256, read_json, sha256_of, write_json, write_text
from hybridnb.places import FIGURES, HOME, NOTEBOOKS, PACKAGE, RUNS, SHIPPED
from hybridnb.process import prepare
from hybridnb.report import published
from hybridnb.report.answer import answer
from hybridnb.report.tables import headline
from hybridnb.study import making
from hybridnb.study.plan import claim_name, planned, run_of, study_runs
from hybridnb.study.runs import Run
from hybridnb.study.settings import Study
from hybridnb.training.processes import is_first, launched, leave
from hybridnb.training.strategies import Strategy

ABOUT = "about-"


def check_parameters(namespace: Mapping[str, Any], **types: type) -> None:
    """Raise on an unknown parameter or one of another type, before any work is done.

    papermill only warns of an unknown parameter and sets it all the same; it writes its values into a cell of
    their own, which is looked up in the history of executed cells.

    Args:
        namespace: The notebook's globals().
        types: Of each parameter.

    Raises:
        ValueError: Which parameter is wrong, and what it should be.

    Example:
        >>> check_parameters({"seed": "1"}, seed=int)
        Traceback (most recent call last):
        ValueError: parameter seed is '1'; it must be of type int
    """
    prepare()  # a notebook that is opened by hand begins here
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
    """One execution of a notebook in a study.

    Args:
        notebook: Its name, without the ending.
        parameters: What papermill sets.
        shows: The runs that it makes or shows, each with the benchmarks whose results it shows.
        label: What tells it from other executions of the notebook.
    """

    notebook: str
    parameters: Mapping[str, Any]
    shows: Mapping[Run, Sequence[str]] = field(default_factory=dict)
    label: str = ""

    @property
    def title(self) -> str:
        return f"{self.notebook} {self.label}".strip()

    @property
    def output_name(self) -> str:
        return f"{self.title.replace(' ', '_').replace('(', '-').replace(')', '')}.ipynb"


def steps(study: Study, study_file: str) -> Iterator[Step]:
    """What a study executes, in order."""
    several = len(study.benchmarks) > 1
    values: dict[str, Any]
    labels = {benchmark: benchmark_name(benchmark) if several else "" for benchmark in study.benchmarks}
    for benchmark, label in labels.items():
        values = {"study": study_file, "benchmark": benchmark}
        yield Step("01_data_exploration", values, label=label)
    for seed in study.seeds:
        for text in study.strategies:
            strategy = Strategy.parse(text)
            alpha = {} if strategy.alpha is None else {"alpha": strategy.alpha}
            values = {"study": study_file, "strategy": strategy.name, **alpha, "seed": seed}
            yield Step("02_finetune", values, {run_of(study, text, seed): ()}, f"{text} seed{seed}")
    without_training = ("06_without_training",) if study.debiasing.methods else ()
    for name in ("03_retrieval_evaluation", "04_language_bias", *without_training, "07_which_languages_gain"):
        for benchmark, label in labels.items():
            values = {"study": study_file, "benchmark": benchmark}
            shows = dict.fromkeys(study_runs(study), (benchmark,))
            yield Step(name, values, shows, label)
    if study == Study.load(published.REPORTED):
        yield Step("05_report", {}, planned(study))


def run_study(study: Study, *, skip_bad: bool = False) -> None:
    """Execute a study's notebooks; what is done already is kept.

    Executed copies go to runs/STUDY/notebooks, figures to figures/STUDY; STUDY is the name, for a part of a study
    `Study.output_name`. A step is done when its executed copy says
    that it was made of what there is now: the same notebook, parameters, settings, package and results. Two
    processes may run one study: of each step, the second waits for the first. Those that a launcher started make the
    runs together, before the first of them executes the notebooks.

    Args:
        study: What is run.
        skip_bad: Leave bad rows of data files out, counted and listed, instead of stopping.

    Raises:
        RuntimeError: A notebook failed; the message names its error and the copy that shows where.
        ValueError: The study's name belongs to a study of other settings.
    """
    prepare()
    os.environ["HYBRIDNB_HOME"] = str(HOME)  # kernels start in another directory
    if data := os.environ.get("HYBRIDNB_DATA"):
        os.environ["HYBRIDNB_DATA"] = str(Path(data).expanduser().resolve())
    if skip_bad:
        os.environ[SKIP_BAD] = "1"
    claim_name(study)
    directory = RUNS / study.output_name
    study_file = directory / "study.json"
    write_text(study_file, study.to_json())
    everything = list(steps(study, str(study_file)))
    plan: dict[Run, list[str]] = {}
    for step in everything:
        for run, benchmarks in step.shows.items():
            plan.setdefault(run, []).extend(benchmarks)
    plan = {run: list(dict.fromkeys(benchmarks)) for run, benchmarks in plan.items()}
    if launched():
        making.make(study, plan, skip_bad=skip_bad)
        if not is_first():
            return
        leave()  # kernels are started by no launcher, and find everything made
    making.check(study, plan, skip_bad=skip_bad)  # before the first notebook, not in the second
    code = _code()
    for number, step in enumerate(everything, 1):
        head = f"[{number}/{len(everything)}] {step.title}"
        output = directory / "notebooks" / step.output_name
        output.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(output.with_suffix(".lock")):
            if _done(output, made_of(step, study, code)):
                print(f"{head}: done before")
                continue
            print(f"{head} ...", flush=True)
            started = time.monotonic()
            execute(step, output, study)
            _mark(output, made_of(step, study, code))
            print(f"{head}: {time.monotonic() - started:.0f} s", flush=True)
    for benchmark in study.benchmarks:
        name = benchmark_name(benchmark)
        scores = headline.scores(study_runs(study), benchmark)
        write_text(directory / "tables" / f"{name}.csv", scores.to_csv(index=False))
        print(f"\n{name}\n{headline.with_spread(scores).to_string()}")
        print("\n" + "\n".join(answer(study_runs(study), benchmark)))
    print(f"\nTables: {_shown(directory / 'tables')}")
    print(f"Executed notebooks: {_shown(directory / 'notebooks')}")
    print(f"Runs (encoders, ranks, metrics): {_shown(RUNS / study.name)}")
    print(f"Figures: {_shown(FIGURES / study.output_name)}")


def made_of(step: Step, study: Study, code: str) -> str:
    """Hash of all that an executed notebook depends on; another one where it has to be executed (again)."""
    results = {
        run.directory.name: [
            run.info if run.is_trained else None,
            {b: run.metrics[benchmark_name(b)] if run.is_evaluated(b) else None for b in benchmarks},
        ]
        for run, benchmarks in step.shows.items()
    }
    cells = [cell["source"] for cell in read_json(_notebook(step))["cells"]]
    data = filter(None, (study.corpus.training, study.corpus.validation, *study.benchmarks))
    contents = [content_sha256(name) for name in data]
    return sha256_of([cells, dict(step.parameters), study.to_json(), contents, code, results])


def _code() -> str:
    """Hash of the package's files, less what a wheel ships beside them."""
    files = sorted(path for kind in ("py", "toml", "json") for path in PACKAGE.rglob(f"*.{kind}"))
    if PACKAGE in SHIPPED.parents:
        files = [path for path in files if SHIPPED not in path.parents]
    return sha256_of({path.relative_to(PACKAGE).as_posix(): file_sha256(path) for path in files})


def _done(output: Path, made_of: str) -> bool:
    try:
        return bool(read_json(output)["metadata"]["hybridnb"]["made_of"] == made_of)
    except (OSError, ValueError, KeyError, TypeError):  # not executed, or damaged: executed anew
        return False


def _mark(output: Path, made_of: str) -> None:
    notebook = read_json(output)
    notebook["metadata"]["hybridnb"] = {"made_of": made_of}
    write_json(output, notebook)


def _notebook(step: Step) -> Path:
    return NOTEBOOKS / f"{step.notebook}.ipynb"


def copy_notebooks(directory: Path) -> list[Path]:
    """Copy the notebooks that come with the package, as they were executed, to be read and changed.

    Args:
        directory: Made where it is not there.

    Returns:
        The copies.

    Raises:
        FileExistsError: One of them is there already; nothing is copied.
    """
    sources = sorted(NOTEBOOKS.glob("*.ipynb"))
    copies = [directory / source.name for source in sources]
    for copy in copies:
        if copy.exists():
            raise FileExistsError(f"{copy} is there already: name another directory, or remove it")
    directory.mkdir(parents=True, exist_ok=True)
    for source, copy in zip(sources, copies, strict=True):
        shutil.copyfile(source, copy)
    return copies


def cells_for(study: Study, cells: Iterable[Any]) -> list[Any]:
    """The cells of a notebook that are not about another study: those that are have the tag about-NAME."""

    def is_for(cell: Any) -> bool:
        named = [tag.removeprefix(ABOUT) for tag in cell.metadata.get("tags", ()) if tag.startswith(ABOUT)]
        return all(study == Study.load(name) for name in named)

    return list(filter(is_for, cells))


def execute(step: Step, output: Path, study: Study) -> None:
    """Run one notebook by papermill; a failed one is kept beside as NAME.failed.ipynb."""
    import nbformat
    import papermill

    # what goes wrong is raised; what they, and kernels, log of a stop is no more than that it was one
    for name in ("papermill", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    notebook = nbformat.read(_notebook(step), as_version=4)
    notebook.cells = cells_for(study, notebook.cells)
    failed = output.with_suffix(".failed.ipynb")
    try:
        papermill.execute_notebook(
            notebook,
            failed,
            parameters=dict(step.parameters),
            kernel_name="python3",
            cwd=NOTEBOOKS,
            progress_bar=False,
            stdout_file=sys.stdout,
            stderr_file=sys.stderr,
            extra_arguments=["--log-level=CRITICAL"],
        )
    except papermill.PapermillExecutionError as error:
        raise RuntimeError(
            f"{step.title} failed: {error.ename}: {error.evalue}; see {_shown(failed)}"
        ) from None
    failed.replace(output)


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
