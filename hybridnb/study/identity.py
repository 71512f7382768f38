"""What a run depends on: every setting that acts, and the content of its model and data; never a name or a path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hybridnb import corpora, encoders
from hybridnb.corpora.settings import CorpusSettings
from hybridnb.encoders.settings import EncoderSettings
from hybridnb.files import sha256_of
from hybridnb.study.settings import NOT_TRAINED, Study
from hybridnb.training.settings import TrainingSettings

SCHEMA = 1
"""To be raised when the same settings and data begin to mean another run."""

RENAMED = {"corpus.share": "corpus.fraction", "training.mined_negatives": "training.hard_negatives"}
"""What settings were called in run.json files recorded earlier."""

NAMES = {"settings.corpus.training", "settings.corpus.validation", "settings.encoder.model"}
"""Names and paths of what identities hold the content of."""

SECTIONS = {"corpus": CorpusSettings, "encoder": EncoderSettings, "training": TrainingSettings}


def identity(study: Study, strategy: str, seed: int) -> dict[str, Any]:
    """All that decides what a run is, for JSON.

    Args:
        strategy: as `Strategy` writes it, or NOT_TRAINED, which no training setting and no seed acts on.
        seed: of the run.

    Returns:
        schema, strategy, seed, languages, settings by section, content: hashes of corpora and model.

    Raises:
        ValueError: a name of a corpus or model that there is not.
        FileNotFoundError: a file or directory that there is not.

    Example:
        >>> quick = Study.load("quick")
        >>> warm = quick.model_copy(update={"training": quick.training.model_copy(update={"warmup": 0.2})})
        >>> sorted(differences(identity(quick, "X-Y", 0), identity(warm, "X-Y", 0)))
        ['settings.training.warmup: 0.1 and 0.2']
    """
    settings = _settings(study, strategy)
    return {
        "schema": SCHEMA,
        "strategy": strategy,
        "seed": seed,
        "languages": sorted(study.languages) if strategy != NOT_TRAINED else [],
        "settings": settings,
        "content": {
            "training": corpora.content_sha256(study.corpus.training),
            "validation": corpora.content_sha256(study.corpus.validation) if study.corpus.validation else "",
            "model": encoders.content_sha256(study.encoder),
        },
    }


def fingerprint(of: Mapping[str, Any]) -> str:
    """Eight characters that change with everything in an identity but the names and paths of what it hashes."""
    return sha256_of({key: value for key, value in _flat(of).items() if key not in NAMES})[:8]


def recorded_identity(info: Mapping[str, Any]) -> dict[str, Any]:
    """The identity that a run.json states; of earlier ones, which had none, what their settings say of it."""
    if "identity" in info:
        return dict(info["identity"])
    # a setting that was not known then acted as its default does
    settings = {
        section: settings_class().model_dump(mode="json") for section, settings_class in SECTIONS.items()
    }
    for section, values in info["settings"].items():
        for key, value in values.items():
            place, _, name = RENAMED.get(f"{section}.{key}", f"{section}.{key}").partition(".")
            settings[place][name] = value
    if info["strategy"] == NOT_TRAINED:
        settings.pop("training")
    stated = {"strategy": info["strategy"], "seed": info["seed"], "settings": settings}
    # of the languages of the study, En-En's says one
    return stated if info["strategy"] == "En-En" else {**stated, "languages": sorted(info["languages"])}


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """What two identities say differently of the same thing, one line each; what only one of them knows is no
    difference, nor are names where both know the content.
    """
    a, b = _flat(one), _flat(other)
    named = NAMES if "content.training" in a.keys() & b.keys() else set()
    return [
        f"{key}: {a[key]} and {b[key]}" for key in a if key in b and a[key] != b[key] and key not in named
    ]


def _settings(study: Study, strategy: str) -> dict[str, dict[str, Any]]:
    return {
        section: getattr(study, section).model_dump(mode="json")
        for section in SECTIONS
        if section != "training" or strategy != NOT_TRAINED
    }


def _flat(table: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{before}{key}.")
        else:
            flat[f"{before}{key}"] = value
    return flat
