"""The report as JSON: records as plain values, missing numbers as null."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from json.encoder import encode_basestring_ascii as quoted

_CONSTANTS = {None: "null", True: "true", False: "false"}


def dump(value: object) -> str:
    """Indented JSON in ASCII, with a final line feed; the same value gives the same bytes.

    Raises ValueError for a number that JSON does not have. It is what `json.dumps(..., indent=1)` writes of the same
    values; that takes three times as long, since the standard library's C code does not indent.
    """
    return _written(value, "\n") + "\n"


def _written(value: object, margin: str) -> str:
    if isinstance(value, str):
        return quoted(value)
    if value is None or value is True or value is False:
        return _CONSTANTS[value]
    if isinstance(value, (int, float)):
        return _number(value)
    inner = margin + " "
    if isinstance(value, (list, tuple)):
        return _joined("[", [_written(entry, inner) for entry in value], "]", margin)
    kind: type = type(value)
    if names := _names_of(kind):
        members = [f'"{name}": {_written(getattr(value, name), inner)}' for name in names]
    elif isinstance(value, Mapping):
        members = [f"{quoted(_name(key))}: {_written(value[key], inner)}" for key in value]
    else:
        raise ValueError(f"{value!r} has no plain form")
    return _joined("{", members, "}", margin)


@cache
def _names_of(kind: type) -> tuple[str, ...]:
    """The fields of a kind of record; none of anything else."""
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else ()


def _joined(opening: str, parts: list[str], closing: str, margin: str) -> str:
    return f"{opening}{margin} {f',{margin} '.join(parts)}{margin}{closing}" if parts else opening + closing


def _number(value: float) -> str:
    if isinstance(value, int):
        return int.__repr__(value)
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a number in JSON; use None for what is missing")
    return float.__repr__(value)


def _name(key: object) -> str:
    if isinstance(key, (str, int)):
        return str(key)
    raise ValueError(f"{key!r} is no name of a JSON object; give the entries a record of their own")
