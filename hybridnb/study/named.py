"""A run, found by its directory or by the name that people call it by."""

from __future__ import annotations

from pathlib import Path

from hybridnb.places import RESULTS, RUNS, shipped
from hybridnb.study.identity import recorded_identity
from hybridnb.study.runs import Run
from hybridnb.study.settings import BUILT_IN, NOT_TRAINED


def _places() -> list[Path]:
    """Where runs are, those here before recorded ones."""
    return list(dict.fromkeys((RUNS, RESULTS, shipped(RESULTS))))


def run_at(directory: Path) -> Run:
    """The finished run in a directory.

    Raises:
        FileNotFoundError: there is no run.json.
        ValueError: it is damaged.
    """
    stated = recorded_identity(Run(directory, "", 0).info)
    return Run(directory, stated["strategy"], stated["seed"], stated["settings"]["corpus"]["fraction"])


def named_run(name: str) -> Run:
    """The finished run of a name: one here (runs/), or else a recorded one (data/results).

    Args:
        name: its directory; or the study and, as tables and directories name the run, strategy and seed:
            "quick/X-Y seed 0" or "quick/X-Y-seed0".

    Raises:
        FileNotFoundError: there is none; those that there are are named.
        ValueError: several are of this name.

    Example:
        >>> named_run("e5/X-Y seed 0").directory.name
        'X-Y-seed0-a058b956'
    """
    if (Path(name).expanduser() / "run.json").is_file():
        return run_at(Path(name).expanduser())
    study, _, label = name.partition("/")
    known: list[str] = []
    for place in _places():
        runs = [run_at(file.parent) for file in sorted(place.glob(f"{study}/*/run.json"))] if label else []
        found = [run for run in runs if label in (run.label, run.slug)]
        if len(found) > 1:
            several = ", ".join(str(run.directory) for run in found)
            raise ValueError(f"{name} is the name of several runs: give one of the directories {several}")
        if found:
            return found[0]
        known += [f"{study}/{run.slug}" for run in runs]
    there = f"of study {study} there are {', '.join(dict.fromkeys(known))}" if known else "none of that study"
    raise FileNotFoundError(
        f"no run {name!r} ({there}): give a run's directory, or STUDY/STRATEGY-seedN of one that is trained, such as "
        "quick/X-Y-seed0"
    )


def encoder_of(run: Run) -> Path:
    """The directory of a run's encoder.

    Raises:
        FileNotFoundError: it has none, as recorded runs have; the command that trains it is told.
    """
    if run.encoder_directory.is_dir():
        return run.encoder_directory
    study = run.info["study"]
    which = "" if run.strategy == NOT_TRAINED else f" --strategy '{run.strategy}' --seed {run.seed}"
    if run.fraction != 1:
        which += f" --set corpus.fraction={run.fraction:g}"
    file = study if (BUILT_IN / f"{study}.toml").is_file() else f"{study}.toml"
    raise FileNotFoundError(
        f"{run.directory} has results and no encoder: `hybridnb train {file}{which} --set name=mine` trains it, as "
        f"mine/{run.slug}"
    )


def system_of(name: str) -> str:
    """What `load_encoder` takes, of the name of a run or a model.

    Args:
        name: of a run, as `named_run` takes it, where the part before the slash is a study that has runs; else a model.

    Raises:
        FileNotFoundError: the run is none, or has no encoder.
    """
    study = name.partition("/")[0]
    is_run = (Path(name).expanduser() / "run.json").is_file()
    of_study = "/" in name and not Path(name).exists() and study not in ("", ".", "..", "~")
    if is_run or (of_study and any(any(place.glob(f"{study}/*/run.json")) for place in _places())):
        return str(encoder_of(named_run(name)))
    return name
