"""A study's settings: which strategies are compared, on what, and how; a TOML file, read strictly."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from hybridnb.corpora import BENCHMARKS, benchmark_name, is_path, sentences_in
from hybridnb.corpora.languages import canonical
from hybridnb.corpora.settings import CorpusSettings
from hybridnb.debiasing.settings import DebiasingSettings
from hybridnb.encoders.settings import EncoderSettings
from hybridnb.files import sha256_of
from hybridnb.settings import Settings
from hybridnb.training.settings import TrainingSettings
from hybridnb.training.strategies import Strategy

NOT_TRAINED = "no fine-tuning"
"""In the place of a strategy: the encoder as it is."""

BUILT_IN = Path(__file__).parent / "studies"

_IN_NAMES = frozenset("=._-")


def _spelled(strategies: tuple[str, ...]) -> tuple[str, ...]:
    """One spelling of each strategy, so that hybrid(.5) and hybrid(0.5) are one run."""
    return tuple(dict.fromkeys(str(Strategy.parse(text)) for text in strategies))


def _once(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(values))


def _known(benchmarks: tuple[str, ...]) -> tuple[str, ...]:
    """ValueError: there is no such benchmark, or two have one name; it must not be wrong only after the training."""
    spec_of: dict[str, str] = {}
    for spec in benchmarks:
        if not is_path(spec):
            BENCHMARKS[spec]
        name = benchmark_name(spec)
        if (other := spec_of.setdefault(name, spec)) != spec:
            raise ValueError(f"benchmarks: {other} and {spec} are both named {name}; rename one of them")
    return _once(benchmarks)


def _one_form(languages: tuple[str, ...]) -> tuple[str, ...]:
    return _once(tuple(map(canonical, languages)))


Strategies = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_spelled)]
Seeds = Annotated[
    tuple[Annotated[int, Field(ge=0, lt=2**32)], ...], Field(min_length=1), AfterValidator(_once)
]


class Sweep(Settings):
    """Further runs of a study: other strategies or seeds, or a fraction of the data.

    Args:
        strategies, seeds: every combination is a run.
        fraction: of the training documents.
        benchmarks: fewer of the study's; empty means all.
    """

    strategies: Strategies
    seeds: Seeds = (0,)
    fraction: float = Field(1.0, gt=0, le=1)
    benchmarks: tuple[str, ...] = ()


class Tuning(Settings):
    """How training settings are chosen; see `tuning`.

    Args:
        grid: tables of training settings, each with a list of values: of each table every combination is a trial.
        sets: what trials are ranked on: "held-out" (the study's own held-out documents), validation corpora, parallel
            sentences.
        limit: items of each set that are used.
        seeds: of the trials.
    """

    grid: Annotated[tuple[dict[str, tuple[Any, ...]], ...], Field(min_length=1)]
    sets: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_once)]
    limit: int = Field(500, ge=2)
    seeds: Seeds = (0,)


class Recording(Settings):
    """Of which runs `hybridnb record` keeps ranks tables, which are large; verdicts need none.

    Those of the encoder as it is are always kept: examples are shown with them.

    Args:
        ranks_of_seeds: those of main runs of these seeds, without debiasing, and of the encoder as it is with it; left
            out, those of all.
        ranks_of: on which of the study's benchmarks; left out, all; empty, none is kept of any run.
    """

    ranks_of_seeds: tuple[int, ...] | None = None
    ranks_of: Annotated[tuple[str, ...], AfterValidator(_once)] | None = None


class Study(Settings):
    """Which strategies are compared, on what, and how.

    Args:
        name: of its directories under runs/ and figures/: letters, digits, "=", ".", "_" and "-".
        title: of its tables and figures.
        strategies, seeds: every combination is a run.
        benchmarks: what all runs are evaluated on, by name or path.
        languages: of training; empty means all of the corpus. A benchmark language outside them is reported as
            unseen.
        baseline: whether the encoder is also evaluated as it is, without fine-tuning.
        sweeps: runs beside the main ones.
        tuning: how training settings were chosen.
        part: what `only` chose of the study, set by it.
        debiasing: what is also put on the vectors of every run, without training; no part of what a run is.
        recording: of which runs ranks are kept with the results.
    """

    name: str
    title: str
    strategies: Strategies
    seeds: Seeds
    benchmarks: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_known)]
    languages: Annotated[tuple[str, ...], AfterValidator(_one_form)] = ()
    baseline: bool = False
    sweeps: tuple[Sweep, ...] = ()
    tuning: Tuning | None = None
    part: Annotated[str, Field(pattern="^[A-Za-z0-9.+-]{0,150}$")] = ""
    corpus: CorpusSettings = CorpusSettings()
    encoder: EncoderSettings = EncoderSettings()
    training: TrainingSettings = TrainingSettings()
    debiasing: DebiasingSettings = DebiasingSettings()
    recording: Recording = Recording()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        name = self.name
        if not name or name.startswith(".") or _slug(name) != name or len(name.encode()) > 150:
            raise ValueError(
                f"name is {name!r}; it must be up to 150 letters, digits and any of '=._-', no path: "
                "--set name=NEW"
            )
        named = [("sweeps: one", sweep.benchmarks) for sweep in self.sweeps]
        named += [("debiasing.curve", self.debiasing.curve.benchmarks)]
        for what, names in (*named, ("recording.ranks_of", self.recording.ranks_of or ())):
            if unknown := sorted(set(names) - set(self.benchmarks)):
                raise ValueError(
                    f"{what} names benchmark {unknown[0]!r}; the study has {', '.join(self.benchmarks)}"
                )
        for benchmark in self.benchmarks:
            if seen := sorted(sentences_in(benchmark) & set(self.debiasing.sentences)):
                raise ValueError(
                    f"debiasing.sentences: {seen[0]} is in the benchmark {benchmark}; fit to others, or leave that out"
                )
        curve = self.debiasing.curve
        for benchmark in curve.benchmarks or self.benchmarks[:1]:
            if seen := sorted(sentences_in(benchmark) & set(curve.sentences)):
                raise ValueError(f"debiasing.curve.sentences: {seen[0]} is in the benchmark {benchmark}")
        return self

    @classmethod
    def load(cls, study: str | Path, overrides: Mapping[str, Any] | None = None) -> Study:
        """A built-in study by name, or a TOML or JSON file.

        Args:
            study: "quick", "e5" or a path that ends with .toml or .json.
            overrides: dotted names -> values ("training.steps": 100). The study's name then says so, and with it
                its directories: what the plain study made is left alone.

        Raises:
            ValueError: a setting that is unknown or wrong, with the file and what it must be.
            FileNotFoundError: no such file.

        Example:
            >>> Study.load("quick", {"training.steps": 100}).name
            'quick-steps=100'
        """
        path = _find(str(study))
        try:
            text = path.read_text(encoding="utf-8-sig")
            table = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}: {error}") from None
        if not isinstance(table, dict):
            raise ValueError(f"{path}: it must hold a table of settings")
        table = {"name": _slug(path.stem), **table}
        for dotted, value in (overrides or {}).items():
            _set(table, dotted, value, path)
        if overrides and "name" not in overrides and isinstance(table["name"], str):
            table["name"] = changed_name(table["name"], overrides)
        _make_paths_absolute(table)
        return cls.read(table, str(path))

    @property
    def output_name(self) -> str:
        """Of what is drawn of it: the name, and the part of the study where it is not all of it.

        Example:
            >>> Study.load("quick").only(strategies=["hybrid(.5)"], seeds=[1]).output_name
            'quick+hybrid-0.5+seed1'
        """
        return f"{self.name}+{self.part}" if self.part else self.name

    def with_fraction(self, fraction: float) -> Study:
        """The same study on a fraction of the training documents."""
        return self.model_copy(update={"corpus": self.corpus.model_copy(update={"fraction": fraction})})

    def only(self, *, strategies: Sequence[str] = (), seeds: Sequence[int] = ()) -> Study:
        """The same study with fewer or other strategies and seeds: the same runs, but tables and figures of its own.

        Args:
            strategies, seeds: left out, all of the study's.

        Raises:
            ValueError: a strategy or seed that there cannot be.
        """
        asked = {"strategies": list(strategies) or self.strategies, "seeds": list(seeds) or self.seeds}
        chosen = Study.read({**self.model_dump(), **asked}, f"study {self.name}")
        if (chosen.strategies, chosen.seeds) == (self.strategies, self.seeds):
            return self
        words = [text.replace("(", "-").replace(")", "") for text in chosen.strategies if strategies]
        words += [f"seed{seed}" for seed in chosen.seeds if seeds]
        part = "+".join(words)
        return chosen.model_copy(update={"part": part if len(part) <= 60 else sha256_of(words)[:8]})

    def to_json(self) -> str:
        """The settings as a JSON file that `load` reads."""
        return self.model_dump_json(indent=1)


def _find(study: str) -> Path:
    if study.endswith((".toml", ".json")):
        path = _expanded(study)
        if path.is_file():
            return path
        raise FileNotFoundError(f"there is no study file {path.absolute()}")
    built_in = BUILT_IN / f"{study}.toml"
    if _slug(study) == study and built_in.is_file():
        return built_in
    names = sorted(p.stem for p in BUILT_IN.glob("*.toml"))
    raise ValueError(f"there is no study {study!r}: name one of {', '.join(names)}, or a .toml file")


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # "~" without a home directory, "~x" without a user x
        return Path(text)


def _set(table: dict[str, Any], dotted: str, value: Any, file: Path) -> None:
    *outer, last = dotted.split(".")
    for name in outer:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise ValueError(f"{file}: setting {dotted}: {name} is no table of settings")
    table[last] = value


def _make_paths_absolute(table: dict[str, Any]) -> None:
    """Notebooks run in a directory of their own: files and directories named in settings must not depend on it."""
    for section, key in (("corpus", "training"), ("corpus", "validation"), ("encoder", "model")):
        part = table.get(section)
        if isinstance(part, dict) and key in part:
            part[key] = _absolute(part[key])
    sweeps = table.get("sweeps")
    lists = [(part, "benchmarks") for part in (table, *(sweeps if isinstance(sweeps, list) else ()))]
    for part, key in (*lists, (table.get("debiasing"), "sentences"), (table.get("recording"), "ranks_of")):
        if isinstance(part, dict) and isinstance(part.get(key), (list, tuple)):
            part[key] = [_absolute(spec) for spec in part[key]]


def _absolute(value: Any) -> Any:
    """The absolute path of what is there by this path; anything else as it is."""
    if not isinstance(value, str):
        return value
    path = _expanded(value)
    return str(path.absolute()) if path.exists() and is_path(value) else value


def changed_name(name: str, overrides: Mapping[str, Any]) -> str:
    """The name of a study with settings overridden.

    Example:
        >>> changed_name("quick", {"training.steps": 100, "benchmarks": ["data/faq.jsonl", "xquad-r"]})
        'quick-steps=100-faq-xquad-r'
    """
    return "-".join([name, *(_changed(dotted, value) for dotted, value in overrides.items() if value != "")])


def _changed(dotted: str, value: Any) -> str:
    """What an override adds to the name: "xquad-r", "steps=100"."""
    values = value if isinstance(value, (list, tuple)) else [value]
    text = "-".join(Path(str(v)).name.split(".jsonl")[0] for v in values)
    return _slug(text if any(c.isalpha() for c in text) else f"{dotted.split('.')[-1]}={text}")


def _slug(text: str) -> str:
    return "".join(c if c.isalnum() or c in _IN_NAMES else "_" for c in text)
