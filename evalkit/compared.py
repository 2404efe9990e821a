"""What a check compares: the expected side, JSON fields and numbers read from texts."""

import json
import re
from typing import Any

from evalkit.rubric import Check

_SEPARATOR = r"[,'’\u00a0\u2009\u202f]"
_CURRENCY = "$€£¥"
_NUMBER = re.compile(
    rf"(?:(?<![\w.,)])[-+−][{_CURRENCY}]?)?"  # a hyphen after a word or a number is no sign
    rf"(?:\d{{1,3}}(?:{_SEPARATOR}\d{{3}})+(?!\d)|\d+|(?<!\d)(?=\.\d))(?:\.\d+)?(?:[eE][-+−]?\d+)?"
)
_NOT_DIGITS = re.compile(rf"{_SEPARATOR}|[{_CURRENCY}]")
_FENCE = re.compile(r"\A\s*```[a-zA-Z0-9_-]*[ \t]*\r?\n(.*?)\s*```\s*\Z", re.DOTALL)


class CannotCompareError(ValueError):
    """The expected side of a check makes no comparison possible: the item's fault, not the output's."""


def json_of(text: str) -> Any:
    """A JSON value, also from inside one code fence. Raises ValueError for anything else."""
    fenced = _FENCE.match(text)
    try:
        return json.loads(fenced.group(1) if fenced else text, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("nested too deeply to be read") from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def field_of(text: str, name: str) -> str | None:
    """A field of the JSON object that a text is; None if it is none or has no such field."""
    try:
        return _text(json_of(text)[name])
    except (ValueError, KeyError, TypeError):
        return None


def expected_of(check: Check, reference: str | None) -> str:
    """What an output is compared with: the check's own value, else the reference or its field.

    Raises CannotCompareError if there is nothing that an output could be compared with.
    """
    expected = _text(check.value) if check.value is not None else reference
    if expected is None:
        raise CannotCompareError("the item has no reference to check against")
    if check.value is None and check.field is not None:
        expected = field_of(expected, check.field)
    if expected is None:
        raise CannotCompareError(f"the item's reference has no JSON field {check.field!r}")
    if check.type == "contains" and not expected.strip():
        raise CannotCompareError("the expected text is empty, which every output contains")
    if check.type == "numeric" and number_of(expected) is None:
        raise CannotCompareError(f"the expected value {expected!r} is not a number")
    return expected


def _text(value: Any) -> str:
    """A value as an output would spell it: 5.0 as `5`."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def number_of(text: str) -> float | None:
    """The last number of a text, which is where answers end; None if there is none.

    Reads thousands separators (comma, apostrophe, narrow and non-breaking space), a sign before a currency mark,
    and the typographic minus. A decimal comma is not read: `1,5` could be two numbers.
    """
    numbers = _NUMBER.findall(text)
    return float(_NOT_DIGITS.sub("", numbers[-1]).replace("−", "-")) if numbers else None
