"""Deterministic checks of an output: exact, contains, regex, JSON schema, numeric tolerance."""

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import regex
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend, validator_for
from referencing import Registry

from evalkit.blind import GradingTask
from evalkit.compared import CannotCompareError, expected_of, field_of, json_of, number_of
from evalkit.graders import Finding
from evalkit.rubric import Check, Criterion

NAME = "checks"

SEARCH_LIMIT_S = 1.0
"""How long one pattern may be searched for in one output: some patterns would take years on some texts."""


def check(task: GradingTask) -> dict[str, Finding]:
    """A finding for each check criterion of the task, by the criterion's id."""
    return {c.id: _find(c, task) for c in task.criteria if c.kind == "check"}


def _find(criterion: Criterion, task: GradingTask) -> Finding:
    check_ = criterion.check
    assert check_ is not None, "the rubric guarantees a check"  # noqa: S101
    try:
        passed, comment = _TESTS[check_.type](check_, task)
    except CannotCompareError as error:
        return Finding.ungraded(str(error))
    return Finding(int(passed), comment)


def _found(check_: Check, task: GradingTask) -> str | None:
    """What to look at: the output's text, or its field (None if it has no such field)."""
    return task.output if check_.field is None else field_of(task.output, check_.field)


def _folded(text: str, check_: Check) -> str:
    text = unicodedata.normalize("NFC", " ".join(text.split()))
    return text.casefold() if check_.ignore_case else text


def _exact(check_: Check, task: GradingTask) -> tuple[bool, str]:
    expected, found = expected_of(check_, task.reference), _found(check_, task)
    if found is None:
        return False, f"no JSON field {check_.field!r} in the output"
    return _folded(found, check_) == _folded(expected, check_), f"expected {expected!r}"


def _contains(check_: Check, task: GradingTask) -> tuple[bool, str]:
    expected, found = expected_of(check_, task.reference), _found(check_, task)
    if found is None:
        return False, f"no JSON field {check_.field!r} in the output"
    return _folded(expected, check_) in _folded(found, check_), f"expected to contain {expected!r}"


def _regex(check_: Check, task: GradingTask) -> tuple[bool, str]:
    found = _found(check_, task)
    pattern, flags = check_.pattern or "", regex.IGNORECASE if check_.ignore_case else 0
    return found is not None and _matches(pattern, found, flags), f"expected to match {pattern!r}"


def _matches(pattern: str, text: str, flags: int = 0) -> bool:
    try:
        return regex.search(pattern, text, flags, timeout=SEARCH_LIMIT_S) is not None
    except TimeoutError as error:
        raise CannotCompareError(f"pattern {pattern!r} takes over {SEARCH_LIMIT_S:g} s here; simplify it") from error


def _schema_pattern(_: Validator, pattern: str, text: Any, __: Any) -> Iterator[ValidationError]:
    """JSON schema's `pattern`, within the same limit."""
    if isinstance(text, str) and not _matches(pattern, text):
        yield ValidationError(f"{text!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, by_pattern: Mapping[str, Any], content: Any, _: Any
) -> Iterator[ValidationError]:
    if isinstance(content, dict):
        for pattern, below in by_pattern.items():
            for name, value in content.items():
                if _matches(pattern, name):
                    yield from validator.descend(value, below, path=name, schema_path=pattern)


def _additional_properties(validator: Any, below: Any, content: Any, schema: Any) -> Iterator[ValidationError]:
    if not isinstance(content, dict):
        return
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name, value in content.items():
        if name in named or any(_matches(pattern, name) for pattern in patterns):
            continue
        if below is False:
            yield ValidationError(f"additional property {name!r} is not allowed")
        else:
            yield from validator.descend(value, below, path=name)


def _keywords(schema: Any) -> Iterator[str]:
    """Every key of a schema, at any depth."""
    if isinstance(schema, dict):
        yield from schema
    for below in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from _keywords(below)


_BOUNDED = {
    "pattern": _schema_pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
}
"""Keywords that search for patterns, all within the same limit."""
_extend: Callable[..., type[Validator]] = extend


def _json_schema(check_: Check, task: GradingTask) -> tuple[bool, str]:
    schema = check_.schema_ or {}
    if {"patternProperties", "unevaluatedProperties"} <= set(_keywords(schema)):  # which the library looks up unbounded
        raise CannotCompareError(
            "'unevaluatedProperties' and 'patternProperties' cannot be checked together; use 'additionalProperties'"
        )
    bounded = _extend(validator_for(schema), _BOUNDED)
    validator = bounded(schema, registry=Registry())  # an empty registry fetches nothing
    try:
        content = json_of(task.output)
    except ValueError as error:
        return False, f"not JSON ({error})"
    try:
        problem = next(iter(validator.iter_errors(content)), None)
    except RecursionError as error:
        raise CannotCompareError("the schema refers to itself without end") from error
    return problem is None, "" if problem is None else problem.message[:200]


def _numeric(check_: Check, task: GradingTask) -> tuple[bool, str]:
    expected, found = expected_of(check_, task.reference), _found(check_, task)
    target = number_of(expected)
    assert target is not None, "expected_of refuses what is not a number"  # noqa: S101
    value = None if found is None else number_of(found)
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
