"""The report as JSON: records as plain values, missing numbers as null."""

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any


def plain(value: object) -> Any:
    """A record as dicts, lists and scalars. Raises ValueError for a number that JSON does not have."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {_name(key): plain(value[key]) for key in value}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is not a number in JSON; use None for what is missing")
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise ValueError(f"{value!r} has no plain form")


def _name(key: object) -> str:
    if isinstance(key, (str, int)):
        return str(key)
    raise ValueError(f"{key!r} is no name of a JSON object; give the entries a record of their own")


def dump(value: object) -> str:
    """Indented JSON in ASCII, with a final line feed; the same value gives the same bytes."""
    return json.dumps(plain(value), indent=1, ensure_ascii=True, allow_nan=False) + "\n"
