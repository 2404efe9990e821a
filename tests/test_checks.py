"""Deterministic checks: what passes, what fails, and what cannot be compared and is therefore ungraded."""

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.blind import GradingTask
from evalkit.compared import CannotCompareError, expected_of, number_of
from evalkit.graders import Finding, checks
from evalkit.graders.checks import NAME, check
from evalkit.rubric import Check
from tests.builders import checked, judged, task


def found(output: str, reference: str | None = "yes", **settings: Any) -> Finding:
    subject = task(output, [checked("c", Check(**settings))], reference)
    return check(subject)["c"]


def test_only_check_criteria_are_found() -> None:
    subject = task("yes", [judged("a"), checked("b"), checked("c", Check(type="exact", value="no"))])
    assert {id: finding.level for id, finding in check(subject).items()} == {"b": 1, "c": 0}
    assert NAME == "checks"


EXACT = [
    ("yes", {}, 1),
    (" yes\r\n", {}, 1),
    ("Yes", {"ignore_case": True}, 1),
    ("STRASSE", {"value": "straße", "ignore_case": True}, 1),
    ("cafe\u0301", {"value": "café"}, 1),
    ("a  b\nc", {"value": "a b c"}, 1),
    ("5", {"value": 5}, 1),
    ("5.5", {"value": 5.5}, 1),
    ('{"q": "yes"}', {"value": "yes", "field": "q"}, 1),
    ('```json\n{"q": "yes"}\n```', {"value": "yes", "field": "q"}, 1),
    ('```\r\n{"q": "yes"}\r\n```\r\n', {"value": "yes", "field": "q"}, 1),
    ('{"q": 5}', {"value": 5, "field": "q"}, 1),
    ('{"q": 5.0}', {"value": "5", "field": "q"}, 1),
    ('{"q": true}', {"value": "true", "field": "q"}, 1),
    ('{"q": null}', {"value": "null", "field": "q"}, 1),
    ("Yes", {}, 0),
    ("yes.", {}, 0),
    ("", {}, 0),
    ("5.0", {"value": 5}, 0),
    ("yes", {"value": "yes", "field": "q"}, 0),
    ('{"r": "yes"}', {"value": "yes", "field": "q"}, 0),
    ('["yes"]', {"value": "yes", "field": "q"}, 0),
    ('"q"', {"value": "yes", "field": "q"}, 0),
    ('Here: ```json\n{"q": "yes"}\n```', {"value": "yes", "field": "q"}, 0),
    ('```\n{"q": "yes"}\n```\n```\n{"q": "no"}\n```', {"value": "yes", "field": "q"}, 0),
    ('{"q": NaN}', {"value": "NaN", "field": "q"}, 0),
    ("[" * 100_000, {"value": "yes", "field": "q"}, 0),
]


@pytest.mark.parametrize(("output", "settings", "level"), EXACT)
def test_exact(output: str, settings: dict[str, Any], level: int) -> None:
    assert found(output, **({"type": "exact"} | settings)).level == level


@pytest.mark.parametrize(
    ("output", "settings", "level"),
    [
        ("oh yes, sir", {}, 1),
        ("Oh YES", {"ignore_case": True}, 1),
        ("line one\n  two", {"value": "one two"}, 1),
        ("costs 42 EUR", {"value": 42}, 1),
        ('{"q": "oh yes"}', {"value": "yes", "field": "q"}, 1),
        ("oh YES", {}, 0),
        ("", {}, 0),
        ("ye s", {}, 0),
        ("no json: yes", {"value": "yes", "field": "q"}, 0),
    ],
)
def test_contains(output: str, settings: dict[str, Any], level: int) -> None:
    assert found(output, **({"type": "contains"} | settings)).level == level


@pytest.mark.parametrize(
    ("output", "settings", "level"),
    [
        ("order 123", {"pattern": r"\d{3}"}, 1),
        ("ORDER", {"pattern": "order", "ignore_case": True}, 1),
        ('{"q": "x1"}', {"pattern": r"^x\d$", "field": "q"}, 1),
        ('{"q": 12}', {"pattern": r"^12$", "field": "q"}, 1),
        ("order 12", {"pattern": r"\d{3}"}, 0),
        ("ORDER", {"pattern": "order"}, 0),
        ("x1", {"pattern": r"^x\d$", "field": "q"}, 0),
        ("", {"pattern": "."}, 0),
    ],
)
def test_regex_needs_no_reference(output: str, settings: dict[str, Any], level: int) -> None:
    for reference in (None, "not JSON"):
        assert found(output, reference, type="regex", **settings).level == level


ENDLESS = r"^(?:\w|\w\w)+$"


@pytest.mark.parametrize(
    "settings",
    [
        {"type": "regex", "pattern": r"(?:\w|\w\w)+$"},
        {"type": "regex", "pattern": r"^(?:\w|\w\w)+$", "field": "q"},
        {"type": "json_schema", "schema": {"properties": {"q": {"pattern": ENDLESS}}}},
        {"type": "json_schema", "schema": {"patternProperties": {ENDLESS: {"type": "string"}}}},
        {"type": "json_schema", "schema": {"patternProperties": {"^q$": {}, ENDLESS: {}}, "type": "object"}},
        {"type": "json_schema", "schema": {"additionalProperties": False, "patternProperties": {ENDLESS: {}}}},
        {"type": "json_schema", "schema": {"propertyNames": {"pattern": ENDLESS}}},
    ],
)
def test_a_search_without_end_is_given_up_and_grades_nothing(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "SEARCH_LIMIT_S", 0.05)
    endless = "a" * 60 + "!"
    finding = found(json.dumps({"q": endless, endless: 1}), **settings)
    assert finding.level is None
    assert "takes over 0.05 s here; simplify it" in str(finding.reason)


SCHEMA = {
    "type": "object",
    "required": ["n"],
    "additionalProperties": False,
    "properties": {"n": {"$ref": "#/$defs/count"}, "unit": {"pattern": "^[a-z]+$"}},
    "$defs": {"count": {"type": "integer", "minimum": 0}},
}


@pytest.mark.parametrize(
    ("output", "level", "comment"),
    [
        ('{"n": 3}', 1, ""),
        (' ```json\n{"n": 0}\n``` \n', 1, ""),
        ('{"n": -1}', 0, "-1 is less than the minimum of 0"),
        ('{"n": "3"}', 0, "'3' is not of type 'integer'"),
        ('{"n": 3, "unit": "kg"}', 1, ""),
        ('{"n": 3, "unit": "KG"}', 0, "'KG' does not match '^[a-z]+$'"),
        ("{}", 0, "'n' is a required property"),
        ("[]", 0, "[] is not of type 'object'"),
        ('{"n": 3} Done!', 0, "not JSON (Extra data: line 1 column 10 (char 9))"),
        ("", 0, "not JSON (Expecting value: line 1 column 1 (char 0))"),
        ('{"n": NaN}', 0, "not JSON (NaN is not JSON)"),
        ("[" * 100_000, 0, "not JSON (nested too deeply to be read)"),
    ],
)
def test_json_schema(output: str, level: int, comment: str) -> None:
    assert found(output, None, type="json_schema", schema=SCHEMA) == Finding(level, comment)


NAMED = {
    "properties": {"id": {"type": "integer"}},
    "patternProperties": {"_s$": {"type": "number"}},
    "additionalProperties": {"type": "string"},
}


@pytest.mark.parametrize(
    ("schema", "content", "level", "comment"),
    [
        (NAMED, {"id": 1, "wait_s": 2.5, "who": "Ann"}, 1, ""),
        (NAMED, {"wait_s": "2"}, 0, "'2' is not of type 'number'"),
        (NAMED, {"who": 5}, 0, "5 is not of type 'string'"),
        (NAMED | {"additionalProperties": False}, {"wait_s": 1}, 1, ""),
        (NAMED | {"additionalProperties": False}, {"who": 1}, 0, "additional property 'who' is not allowed"),
        (NAMED | {"additionalProperties": True}, {"who": 1}, 1, ""),
        (NAMED, [5], 1, ""),
    ],
)
def test_properties_are_told_apart_by_name_by_pattern_and_as_others(
    schema: dict[str, Any], content: Any, level: int, comment: str
) -> None:
    assert found(json.dumps(content), None, type="json_schema", schema=schema) == Finding(level, comment)


def test_what_would_be_searched_without_limit_grades_nothing() -> None:
    schema = {"allOf": [{"patternProperties": {ENDLESS: {}}}], "unevaluatedProperties": False}
    assert "use 'additionalProperties'" in str(found("{}", None, type="json_schema", schema=schema).reason)


def test_schema_that_refers_to_itself_without_end_grades_nothing() -> None:
    finding = found("{}", None, type="json_schema", schema={"$ref": "#"})
    assert finding == Finding.ungraded("the schema refers to itself without end")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12),
        ("The total is 1,234.50 EUR.", 1234.5),
        ("1\u202f234\u202f567", 1_234_567),
        ("1\u00a0234", 1234),
        ("1’234", 1234),
        ("first 3, then 4", 4),
        ("-7", -7),
        ("\u22127", -7),
        ("+7", 7),
        ("(-7)", -7),
        ("x=-7", -7),
        ("-$1,234.50", -1234.5),
        ("−€5", -5),
        ("$5", 5),
        (".5", 0.5),
        ("-.5", -0.5),
        ("5.", 5),
        ("1e-3", 0.001),
        ("1E+3", 1000),
        ("85 %", 85),
        ("2020-2024", 2024),
        ("item-7", 7),
        ("2026-11-22", 22),
        ("3 - 4", 4),
        ("1,2345", 2345),
        ("", None),
        ("none", None),
        ("seven", None),
        ("-", None),
        (".", None),
    ],
)
def test_last_number_of_a_text(text: str, number: float | None) -> None:
    assert number_of(text) == number


@given(st.integers(-(10**15), 10**15), st.sampled_from([",", "'", "\u202f", ""]), st.sampled_from(["-", "−"]))
def test_number_written_with_separators_is_read_back(number: int, separator: str, minus: str) -> None:
    written = f"{number:,}".replace(",", separator).replace("-", minus)
    assert number_of(f"It is {written}, I think.") == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_float_is_read_back(number: float) -> None:
    assert number_of(repr(number)) == number


@given(st.text(max_size=60))
def test_any_text_has_a_number_or_none(text: str) -> None:
    number = number_of(text)
    assert number is None or abs(number) <= sys.float_info.max * 2


@pytest.mark.parametrize(
    ("output", "reference", "settings", "level"),
    [
        ("The answer is 12.", "12", {}, 1),
        ("12.0", "twelve: 12", {}, 1),
        ("12.4", "12", {"tolerance": 0.5}, 1),
        ("1.1", "1.0", {"tolerance": 0.1}, 1),
        ('{"n": 12}', None, {"value": 12, "field": "n"}, 1),
        ('{"n": "12 EUR"}', '{"n": 12}', {"field": "n"}, 1),
        ("0", "0", {}, 1),
        ("-12", "12", {}, 0),
        ("12.6", "12", {"tolerance": 0.5}, 0),
        ("12 or 13", "12", {}, 0),
        ("twelve", "12", {}, 0),
        ("", "12", {}, 0),
        ("12", "12", {"field": "n", "value": 12}, 0),
        ("9e999", "12", {}, 0),
    ],
)
def test_numeric(output: str, reference: str | None, settings: dict[str, Any], level: int) -> None:
    assert found(output, reference, type="numeric", **settings).level == level


@pytest.mark.parametrize(
    ("settings", "reference", "reason"),
    [
        ({"type": "exact"}, None, "the item has no reference to check against"),
        ({"type": "numeric"}, None, "the item has no reference to check against"),
        ({"type": "contains"}, " ", "the expected text is empty, which every output contains"),
        ({"type": "contains", "value": ""}, None, "the expected text is empty, which every output contains"),
        ({"type": "numeric"}, "twelve", "the expected value 'twelve' is not a number"),
        ({"type": "exact", "field": "q"}, "yes", "the item's reference has no JSON field 'q'"),
        ({"type": "exact", "field": "q"}, '{"r": 1}', "the item's reference has no JSON field 'q'"),
        ({"type": "exact", "field": "q"}, "[" * 100_000, "the item's reference has no JSON field 'q'"),
    ],
)
def test_what_cannot_be_compared_is_ungraded_never_failed(
    settings: dict[str, Any], reference: str | None, reason: str
) -> None:
    assert found("yes", reference, **settings) == Finding(None, "", reason)
    with pytest.raises(CannotCompareError):
        expected_of(Check(**settings), reference)


def test_empty_reference_is_a_reference_for_exact() -> None:
    assert found("", "", type="exact").level == 1


@given(st.text(), st.text(), st.sampled_from(["exact", "contains", "numeric"]), st.none() | st.text(min_size=1))
def test_any_output_is_graded_or_ungraded_with_a_reason(
    output: str, reference: str, kind: str, field: str | None
) -> None:
    finding = found(output, reference, type=kind, field=field) if field else found(output, reference, type=kind)
    assert (finding.level in (0, 1)) != (finding.reason is not None)


@given(st.text())
def test_output_equal_to_its_reference_is_exact(text: str) -> None:
    assert found(text, text, type="exact").level == 1


@given(st.dictionaries(st.text(min_size=1), st.integers() | st.text() | st.booleans() | st.none(), min_size=1))
def test_field_of_the_output_is_compared_with_the_field_of_the_reference(content: dict[str, Any]) -> None:
    name = next(iter(content))
    subject: GradingTask = task(f"```json\n{json.dumps(content)}\n```", [
        checked("c", Check(type="exact", field=name))
    ], json.dumps(content, indent=2))  # fmt: skip
    assert check(subject)["c"].level == 1
