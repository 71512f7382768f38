"""A study's settings: a TOML file, read strictly. An unknown or mistyped setting is an error."""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_type_hints

from hybridnb.corpora.settings import CorpusSettings
from hybridnb.encoders.settings import EncoderSettings
from hybridnb.training.batching import Strategy
from hybridnb.training.settings import TrainingSettings

NOT_TRAINED = "no fine-tuning"
"""In the place of a strategy: the encoder as it is."""

BUILT_IN = Path(__file__).parent / "studies"


@dataclass(frozen=True)
class Sweep:
    """Further runs of a study: other strategies or seeds, or a share of the data.

    benchmarks: fewer of the study's; empty means all.
    """

    strategies: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    share: float = 1.0
    benchmarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _spell(self)


@dataclass(frozen=True)
class Study:
    """Which strategies are compared, on what, and how.

    name: of its directory under runs/ and figures/. languages: of training; empty means all of the corpus.
    A benchmark language outside them is reported as unseen. baseline: whether the encoder is also evaluated as it
    is, without fine-tuning. sweeps: runs beside the main ones.
    """

    name: str
    title: str
    strategies: tuple[str, ...]
    seeds: tuple[int, ...]
    benchmarks: tuple[str, ...]
    languages: tuple[str, ...] = ()
    baseline: bool = False
    sweeps: tuple[Sweep, ...] = ()
    corpus: CorpusSettings = field(default_factory=CorpusSettings)
    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)

    def __post_init__(self) -> None:
        for name in ("strategies", "seeds", "benchmarks"):
            if not getattr(self, name):
                raise ValueError(f"{name} of study {self.name!r} is empty; name at least one")
        _spell(self)
        for sweep in self.sweeps:
            if unknown := set(sweep.benchmarks) - set(self.benchmarks):
                raise ValueError(
                    f"a sweep of study {self.name!r} names benchmark {min(unknown)!r}; the study has "
                    f"{', '.join(self.benchmarks)}"
                )

    @classmethod
    def load(cls, study: str | Path, overrides: Mapping[str, Any] | None = None) -> Study:
        """A built-in study by name, or a TOML or JSON file.

        overrides: dotted names -> values ("training.steps": 100). The study's name then says so, and with it
        its directories: what the plain study made is left alone.
        """
        path = _find(str(study))
        try:
            text = path.read_text(encoding="utf-8")
            table = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        if not isinstance(table, dict):
            raise ValueError(f"{path}: it must hold a table of settings")
        table = {"name": path.stem, **table}
        for dotted, value in (overrides or {}).items():
            _set(table, dotted, value)
        if overrides and "name" not in overrides:
            table["name"] += "".join(
                f"-{_slug(dotted, value)}" for dotted, value in overrides.items() if value != ""
            )
        _make_paths_absolute(table)
        return _read(cls, table, str(path), "")

    def fingerprint(self, strategy: str, seed: int) -> str:
        """Eight characters that change with every setting a run depends on, and with the content of its files.

        Settings at their defaults do not count, so that runs are still found when hybridnb has learned a new one.
        """
        parts: dict[str, Any] = {"languages": self.languages}
        for name in ("corpus", "encoder") if strategy == NOT_TRAINED else ("corpus", "encoder", "training"):
            settings = getattr(self, name)
            parts[name] = {
                f.name: getattr(settings, f.name)
                for f in fields(settings)
                if getattr(settings, f.name) != f.default
            }
        for side in ("training", "validation"):
            source = getattr(self.corpus, side)
            if Path(source).is_file():
                parts["corpus"][side] = hashlib.sha256(Path(source).read_bytes()).hexdigest()
            elif source == "cldr":
                parts["corpus"][side] = f"cldr of Babel {version('babel')}"
        text = json.dumps([parts, strategy, seed], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def with_share(self, share: float) -> Study:
        """The same study on a share of the training documents."""
        return replace(self, corpus=replace(self.corpus, share=share))

    def only(self, *, strategies: Sequence[str] = (), seeds: Sequence[int] = ()) -> Study:
        """The same study with fewer or other strategies and seeds: same name, same directories."""
        return replace(
            self, strategies=tuple(strategies) or self.strategies, seeds=tuple(seeds) or self.seeds
        )

    def to_json(self) -> str:
        """The settings as a JSON file that `load` reads."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1)


def _spell(runs: Study | Sweep) -> None:
    """One spelling of each strategy, so that hybrid(.5) and hybrid(0.5) are one run, and each seed once."""
    strategies = dict.fromkeys(str(Strategy.parse(text)) for text in runs.strategies)
    object.__setattr__(runs, "strategies", tuple(strategies))
    object.__setattr__(runs, "seeds", tuple(dict.fromkeys(runs.seeds)))


def _find(study: str) -> Path:
    path = Path(study)
    if path.suffix in (".toml", ".json"):
        if path.is_file():
            return path
        raise FileNotFoundError(f"there is no study file {study}")
    built_in = BUILT_IN / f"{study}.toml"
    if built_in.is_file():
        return built_in
    names = sorted(p.stem for p in BUILT_IN.glob("*.toml"))
    raise ValueError(f"there is no study {study!r}: name one of {', '.join(names)}, or a .toml file")


def _set(table: dict[str, Any], dotted: str, value: Any) -> None:
    *outer, last = dotted.split(".")
    for name in outer:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise ValueError(f"setting {dotted}: {name} is no table of settings")
    table[last] = value


def _make_paths_absolute(table: dict[str, Any]) -> None:
    """Notebooks run in a directory of their own: files and directories named in settings must not depend on it."""
    for section, key in (("corpus", "training"), ("corpus", "validation"), ("encoder", "model")):
        part = table.get(section)
        value = part.get(key) if isinstance(part, dict) else None
        is_path = isinstance(value, str) and (value.endswith((".jsonl", ".jsonl.gz")) or "/" in value)
        if (
            isinstance(part, dict)
            and isinstance(value, str)
            and is_path
            and Path(value).expanduser().exists()
        ):
            part[key] = str(Path(value).expanduser().resolve())


def _slug(dotted: str, value: Any) -> str:
    values = value if isinstance(value, (list, tuple)) else [value]
    text = "-".join(Path(str(v)).name.split(".jsonl")[0] for v in values)
    named = text if any(c.isalpha() for c in text) else f"{dotted.split('.')[-1]}={text}"
    return "".join(c if c.isalnum() or c in "=._-" else "_" for c in named)


def _read(cls: type[Any], table: Any, where: str, prefix: str) -> Any:
    """An instance of the dataclass `cls` from a table, checked name by name and type by type."""
    if not isinstance(table, Mapping):
        raise ValueError(f"{where}: {prefix.rstrip('.')} is {table!r}; it must be a table of settings")
    hints = get_type_hints(cls)
    known = [f.name for f in fields(cls)]
    values = {}
    for name, value in table.items():
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {prefix}{close[0]}?" if close else f"known are {', '.join(known)}"
            raise ValueError(f"{where}: unknown setting {prefix}{name}; {hint}")
        kind = hints[name]
        if is_dataclass(kind):
            values[name] = _read(kind, value, where, f"{prefix}{name}.")  # type: ignore[arg-type]
        else:
            values[name] = _typed(kind, value, f"{where}: {prefix}{name}")
    missing = [f for f in _required(cls) if f not in values]
    if missing:
        raise ValueError(f"{where}: setting {', '.join(missing)} is missing")
    try:
        return cls(**values)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _required(cls: type[Any]) -> list[str]:
    return [f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING]


_TYPES: dict[str, tuple[str, type | tuple[type, ...]]] = {
    "str": ("a text in quotes", str),
    "int": ("a whole number", int),
    "float": ("a number", (int, float)),
    "bool": ("true or false", bool),
    "str | None": ("a text in quotes", (str, type(None))),
    "int | None": ("a whole number", (int, type(None))),
    "float | None": ("a number", (int, float, type(None))),
    "str | float | dict[str, float]": ("a text, a number or a table of numbers", (str, int, float, dict)),
}


def _typed(kind: Any, value: Any, where: str) -> Any:
    name = kind.__name__ if isinstance(kind, type) and not hasattr(kind, "__args__") else str(kind)
    if name.startswith("tuple"):
        inner = kind.__args__[0]
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"{where} is {value!r}; it must be a list, such as [{value!r}]")
        if is_dataclass(inner):
            return tuple(_read(inner, v, where, f"[{n}].") for n, v in enumerate(value))  # type: ignore[arg-type]
        return tuple(_typed(inner, v, where) for v in value)
    what, accepted = _TYPES[name]
    if not isinstance(value, accepted) or (isinstance(value, bool) and name != "bool"):
        raise ValueError(f"{where} is {value!r}; it must be {what}")
    return float(str(value)) if name.startswith("float") and value is not None else value
