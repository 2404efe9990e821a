"""Deterministic checks of an output: exact, contains, regex, JSON schema, numeric tolerance."""

import json
import re
from collections.abc import Callable
from typing import Any

from jsonschema.validators import validator_for

from evalkit.blind import GradingTask
from evalkit.graders import Finding
from evalkit.rubric import Check, Criterion

NAME = "checks"
_NUMBER = re.compile(r"[-+−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?")
_FENCE = re.compile(r"\A\s*```[a-zA-Z0-9_-]*\n(.*?)\n?```\s*\Z", re.DOTALL)


def check(task: GradingTask) -> dict[str, Finding]:
    """A finding for each check criterion of the task, by the criterion's id."""
    return {c.id: _find(c, task) for c in task.criteria if c.kind == "check"}


def _find(criterion: Criterion, task: GradingTask) -> Finding:
    check_ = criterion.check
    assert check_ is not None, "the rubric guarantees a check"  # noqa: S101
    if check_.needs_reference and task.reference is None:
        return Finding.ungraded("the item has no reference to check against")
    try:
        passed, comment = _TESTS[check_.type](check_, task)
    except _CannotCompareError as error:
        return Finding.ungraded(str(error))
    return Finding(int(passed), comment)


class _CannotCompareError(ValueError):
    """The expected side of a check makes no comparison possible: the item's fault, not the output's."""


def _json(text: str) -> Any:
    """A JSON value, also from inside one code fence. Raises ValueError for anything else."""
    fenced = _FENCE.match(text)
    return json.loads(fenced.group(1) if fenced else text)


def _sides(check_: Check, task: GradingTask) -> tuple[str | None, str]:
    """What to compare: the output's text or field (None if it has no such field), and the expected text."""
    expected = check_.value if check_.value is not None else task.reference
    if check_.field is None:
        return task.output, _text(expected)
    if check_.value is None:
        try:
            expected = _json(str(task.reference))[check_.field]
        except (ValueError, KeyError, TypeError) as error:
            raise _CannotCompareError(f"the item's reference has no JSON field {check_.field!r}") from error
    try:
        found = _json(task.output)[check_.field]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None, _text(expected)
    return _text(found), _text(expected)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _folded(text: str, check_: Check) -> str:
    text = " ".join(text.split())
    return text.casefold() if check_.ignore_case else text


def _exact(check_: Check, task: GradingTask) -> tuple[bool, str]:
    found, expected = _sides(check_, task)
    if found is None:
        return False, f"no JSON field {check_.field!r} in the output"
    return _folded(found, check_) == _folded(expected, check_), f"expected {expected!r}"


def _contains(check_: Check, task: GradingTask) -> tuple[bool, str]:
    found, expected = _sides(check_, task)
    if found is None:
        return False, f"no JSON field {check_.field!r} in the output"
    return _folded(expected, check_) in _folded(found, check_), f"expected to contain {expected!r}"


def _regex(check_: Check, task: GradingTask) -> tuple[bool, str]:
    found = _sides(check_, task)[0] if check_.field else task.output
    flags = re.IGNORECASE if check_.ignore_case else 0
    hit = found is not None and re.search(check_.pattern or "", found, flags) is not None
    return hit, f"expected to match {check_.pattern!r}"


def _json_schema(check_: Check, task: GradingTask) -> tuple[bool, str]:
    try:
        value = _json(task.output)
    except (ValueError, RecursionError) as error:
        return False, f"not JSON ({error})"
    schema = check_.schema_ or {}
    validator = validator_for(schema)(schema)
    problem = next(iter(validator.iter_errors(value)), None)
    return problem is None, "" if problem is None else problem.message[:200]


def _number(text: str) -> float | None:
    """The number of a text: the whole text, or the last number in it, which is where answers end."""
    numbers = _NUMBER.findall(text)
    return float(numbers[-1].replace(",", "").replace("−", "-")) if numbers else None


def _numeric(check_: Check, task: GradingTask) -> tuple[bool, str]:
    found, expected = _sides(check_, task)
    target = _number(expected)
    if target is None:
        raise _CannotCompareError(f"the expected value {expected!r} is not a number")
    value = None if found is None else _number(found)
    if value is None:
        return False, "no number in the output"
    return abs(value - target) <= check_.tolerance + 1e-12 * abs(target), f"found {value:g}, expected {target:g}"


_TESTS: dict[str, Callable[[Check, GradingTask], tuple[bool, str]]] = {
    "exact": _exact,
    "contains": _contains,
    "regex": _regex,
    "json_schema": _json_schema,
    "numeric": _numeric,
}
