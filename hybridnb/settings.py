"""Settings read strictly: an unknown, mistyped or impossible one is an error that names it and what is asked."""

from __future__ import annotations

import difflib
import json
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

_KINDS = {
    "string_type": "a text in quotes",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table of settings",
    "finite_number": "a finite number",
    "greater_than": "above {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "below {lt:g}",
    "less_than_equal": "at most {le:g}",
    "literal_error": "one of {expected}",
    "too_short": "a list of at least {min_length}",
    "string_pattern_mismatch": "a text of the form {pattern}",
}
"""pydantic's type of error -> what a setting must be."""


class Settings(BaseModel):
    """Frozen settings; "3" is no number and true is no 1, and numbers are finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @classmethod
    def read(cls, table: Mapping[str, Any], where: str) -> Self:
        """The settings of a table, as TOML or JSON gives it.

        Args:
            table: names -> values; lists stand for tuples.
            where: what the message begins with, a file.

        Raises:
            ValueError: the first setting that is wrong, by its dotted name, and what it must be.

        Example:
            >>> class Lamp(Settings):
            ...     watts: float = 40
            >>> Lamp.read({"wats": 60}, "lamp.toml")
            Traceback (most recent call last):
            ValueError: lamp.toml: unknown setting wats; did you mean watts?
        """
        try:
            # through JSON, where a list may stand for a tuple although types are strict
            return cls.model_validate_json(json.dumps(table, default=_of_no_setting))
        except ValidationError as error:
            why = _explain(cls, error)
        except RecursionError:
            why = "tables or lists stand in each other too deep"
        raise ValueError(f"{where}: {why}".replace("\n", "\\n"))


def _of_no_setting(value: Any) -> dict[str, str]:
    """What JSON cannot hold (a date of TOML) as a table, which stands for no date, and for no text either."""
    return {type(value).__name__: str(value)}


def _explain(cls: type[BaseModel], error: ValidationError) -> str:
    """One line on the first error; several complaints about one value (of a union) are put together."""
    errors = error.errors(include_url=False)
    first = errors[0]
    if not first["loc"] and first["type"] in ("json_invalid", "model_type"):
        return f"it must be a table of settings ({first['msg']})"
    if missing := [_dotted(e["loc"]) for e in errors if e["type"] == "missing"]:
        return f"setting {', '.join(missing)} is missing"
    if first["type"] == "extra_forbidden":
        return _unknown(cls, first["loc"])
    if first["type"] == "value_error":
        why, setting = str(first["ctx"]["error"]), _setting_of(cls, first["loc"])
        return why if setting in why else f"{setting}: {why}"
    setting, value = _setting_of(cls, first["loc"]), first["input"]
    asked = [
        _KINDS[e["type"]].format(**e.get("ctx", {})) if e["type"] in _KINDS else e["msg"]
        for e in errors
        if _setting_of(cls, e["loc"]) == setting
    ]
    return f"{setting} is {reprlib.repr(value)}; it must be {' or '.join(dict.fromkeys(asked))}"


def _unknown(cls: type[BaseModel], place: Sequence[int | str]) -> str:
    outer, known = place[:-1], list(_fields_at(cls, place[:-1]))
    close = difflib.get_close_matches(str(place[-1]), known, 1)
    hint = f"did you mean {_dotted((*outer, close[0]))}?" if close else f"known are {', '.join(known)}"
    return f"unknown setting {_dotted(place)}; {hint}"


def _fields_at(cls: type[BaseModel], place: Sequence[int | str]) -> Mapping[str, Any]:
    """The fields of the settings that stand at a place: ("training",), ("sweeps", 0)."""
    fields = cls.model_fields
    for name in place:
        if isinstance(name, str):
            kind: Any = fields[name].annotation
            (inner,) = [k for k in (kind, *get_args(kind)) if hasattr(k, "model_fields")]
            fields = inner.model_fields
    return fields


def _setting_of(cls: type[BaseModel], place: Sequence[int | str]) -> str:
    """The dotted name of a setting, without what pydantic adds for the members of a union."""
    known = cls.model_fields
    kept: list[int | str] = []
    for name in place:
        if isinstance(name, str):
            if name not in known:
                break
            kind: Any = known[name].annotation
            known = next((k.model_fields for k in (kind, *get_args(kind)) if hasattr(k, "model_fields")), {})
        kept.append(name)
    return _dotted(kept)


def _dotted(place: Sequence[int | str]) -> str:
    text = ""
    for name in place:
        text += f"[{name}]" if isinstance(name, int) else f".{name}" if text else name
    return text
