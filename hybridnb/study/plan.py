"""Which runs a study asks for, and where each of them is."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from hybridnb.files import write_text
from hybridnb.places import RESULTS, RUNS, shipped
from hybridnb.study.identity import SECTIONS, differences, fingerprint, identity, recorded_identity
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED, Study


def study_runs(study: Study) -> list[Run]:
    """The main runs that a study asks for, trained or not."""
    baseline = [run_of(study, NOT_TRAINED, 0)] if study.baseline else []
    return baseline + [run_of(study, strategy, seed) for strategy in study.strategies for seed in study.seeds]


def sweep_runs(study: Study, benchmark: str) -> list[Run]:
    """The runs of the study's sweeps that are evaluated on a benchmark."""
    return [
        run_of(study, strategy, seed, sweep.fraction)
        for sweep in study.sweeps
        if benchmark in (sweep.benchmarks or study.benchmarks)
        for strategy in sweep.strategies
        for seed in sweep.seeds
    ]


def methods_by_run(study: Study) -> dict[Run, tuple[str, ...]]:
    """The debiasings that are put on the vectors of the baseline, and of other main runs; of sweeps, on none."""
    settings = study.debiasing
    of_trained = settings.methods if settings.of_trained is None else settings.of_trained
    methods = {
        run: settings.methods if run.strategy == NOT_TRAINED else of_trained for run in study_runs(study)
    }
    return {run: of_run for run, of_run in methods.items() if of_run}


def curve_runs(study: Study) -> list[tuple[Run, str]]:
    """The run whose debiasings are tried on fewer sentences and languages, with each benchmark that this is done on."""
    curve = study.debiasing.curve
    if not curve.counts or not study.debiasing.methods:
        return []
    first = study_runs(study)[0]
    return [(first, name) for name in curve.benchmarks or study.benchmarks[:1]]


def planned(study: Study) -> dict[Run, list[str]]:
    """Every run of a study -> its benchmarks, what matters most first: a seed of all main strategies, the next,
    then the sweeps.

    Example:
        >>> [run.label for run in planned(Study.load("quick").only(seeds=[0]))][:2]
        ['X-X-mono seed 0', 'X-Y seed 0']
    """
    plan = {run: list(study.benchmarks) for run in sorted(study_runs(study), key=lambda run: run.seed)}
    for benchmark in study.benchmarks:
        for run in sweep_runs(study, benchmark):
            benchmarks = plan.setdefault(run, [])
            if benchmark not in benchmarks:
                benchmarks.append(benchmark)
    return plan


def run_of(study: Study, strategy: str, seed: int, fraction: float | None = None) -> Run:
    """The run of one strategy and seed: the one here, or else the recorded one (data/results), or else one to make.

    A run is known by what made it. Here that is part of its directory's name; a recorded run's run.json states it.

    Args:
        fraction: of the training documents; left out, the study's.

    Raises:
        ValueError: run.json is damaged or of another run, or the study names a corpus that there is not.
        FileNotFoundError: a file that the study names is not there.

    Example:
        >>> run_of(Study.load("e5"), "X-Y", 0).directory.name
        'X-Y-seed0-a058b956'
    """
    if fraction is not None:
        study = study.with_fraction(fraction)
    here, wanted = run_here(study, strategy, seed), identity(study, strategy, seed)
    if here.is_trained:
        stated = recorded_identity(here.info)
        if fingerprint(stated) != fingerprint(wanted):
            found = "; ".join(differences(stated, wanted)[:3]) or "what it says of itself is not whole"
            raise ValueError(
                f"{here.directory / 'run.json'} is of another run ({found}): remove the directory and train again"
            )
        return here
    recorded = _recorded_runs(study)
    same = [place for place, stated in recorded.items() if not differences(stated, wanted)]
    return replace(here, directory=same[0]) if same else here


def run_here(study: Study, strategy: str, seed: int) -> Run:
    """The run as it is, or would be, under runs/."""
    run = Run(Path(), strategy, seed, study.corpus.fraction)
    name = f"{run.slug}-{fingerprint(identity(study, strategy, seed))}"
    return replace(run, directory=RUNS / study.name / name)


def recorded_otherwise(study: Study, run: Run) -> str:
    """How the recorded run of the same strategy, seed and fraction differs from the one asked for; "" without one."""
    wanted = identity(study.with_fraction(run.fraction), run.strategy, run.seed)
    for stated in _recorded_runs(study).values():
        found = differences(stated, wanted)
        mine = ("strategy: ", "seed: ", "settings.corpus.fraction: ")
        if found and not any(line.startswith(mine) for line in found):
            return f"the recorded {run.label} was made otherwise ({'; '.join(found[:3])}: there and here)"
    return ""


def claim_name(study: Study) -> None:
    """Have runs/NAME belong to this study's settings, so that two studies never share tables and figures.

    More seeds, strategies, benchmarks or sweeps are the same study.

    Raises:
        ValueError: the name is taken by a study of other settings; the message says in what they differ.
    """
    file = RUNS / study.name / "study.json"
    if not file.is_file():
        write_text(file, study.to_json())
        return
    other = Study.load(file)
    if found := differences(_acting(other), _acting(study)):
        raise ValueError(
            f"the name {study.name!r} belongs to a study of other settings ({'; '.join(found[:3])}: there and "
            f"here): give this one another, --set name=NEW, or remove {file.parent}"
        )


def _acting(study: Study) -> dict[str, Any]:
    """The settings that act on runs."""
    return study.model_dump(mode="json", include={"languages", *SECTIONS})


def _recorded_runs(study: Study) -> dict[Path, dict[str, Any]]:
    """Directory -> stated identity of every recorded run of a study, those that came with the package last."""
    here = RESULTS / study.name
    files = [
        file for place in dict.fromkeys([here, shipped(here)]) for file in sorted(place.glob("*/run.json"))
    ]
    return _identities(tuple((file, file.stat().st_mtime_ns) for file in files))


@lru_cache(maxsize=8)
def _identities(files: tuple[tuple[Path, int], ...]) -> dict[Path, dict[str, Any]]:
    return {file.parent: recorded_identity(Run(file.parent, "", 0).info) for file, _ in files}
