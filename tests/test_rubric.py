"""The rubric: refused unless coherent; its rule never takes back what it has said."""

import json
from collections.abc import Mapping
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.rubric import Check, Criterion, Economics, Rubric
from evalkit.strict import read_strict
from tests.builders import check_yaml, checked, judged, rubric, rubric_yaml


def read(text: str) -> Rubric:
    found = read_strict(Rubric, text, "r.yaml")
    assert isinstance(found, Rubric), found
    return found


def told(text: str) -> list[str]:
    found = read_strict(Rubric, text, "r.yaml")
    assert isinstance(found, list), found
    return [str(problem) for problem in found]


QUOTED = ", and this is text: leave quotes out, and write 1e-3 as 1.0e-3"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (rubric_yaml("weight: 0"), "r.yaml:5: 'criteria.0.weight' is 0; it must be greater than 0"),
        (rubric_yaml("weight: -1"), "r.yaml:5: 'criteria.0.weight' is -1; it must be greater than 0"),
        (rubric_yaml("weight: 1e400"), "r.yaml:5: 'criteria.0.weight' is '1e400'; it must be a number"),
        (rubric_yaml("weight: .nan"), "r.yaml:5: '.nan' is not a finite number; correct the YAML"),
        (rubric_yaml("weight: '3'"), "r.yaml:5: 'criteria.0.weight' is '3'; it must be a number" + QUOTED),
        (rubric_yaml("wieght: 3"), "r.yaml:5: unknown key 'wieght'; did you mean 'weight'?"),
        (rubric_yaml("levels: {no: bad, yes: good}"),
         "r.yaml:5: 'false' is no level; use whole numbers such as 0, 1 and 2\n"
         "r.yaml:5: 'true' is no level; use whole numbers such as 0, 1 and 2"),
        (rubric_yaml("levels: {a: bad, 1: good}"), "r.yaml:5: 'a' is no level; use whole numbers such as 0, 1 and 2"),
        (rubric_yaml('levels: {"01": bad, 2: good}'),
         "r.yaml:5: '01' is no level; use whole numbers such as 0, 1 and 2"),
        (rubric_yaml("levels: {0.5: bad, 1: good}"),
         "r.yaml:5: '0.5' is no level; use whole numbers such as 0, 1 and 2"),
        (rubric_yaml('levels: {0: bad, "0": good, 1: best}'), "r.yaml:5: key '0' stands twice; correct the YAML"),
        (rubric_yaml("levels:\n  0: bad\n  1: no"), "r.yaml:7: 'criteria.0.levels.1' is false; it must be text"),
        (rubric_yaml("levels: [bad, good]"),
         'r.yaml:5: \'criteria.0.levels\' is ["bad", "good"]; it must be a mapping of keys to values'),
        (rubric_yaml("levels: {0: bad}"),
         "r.yaml:5: criterion 'correct' has fewer than two levels; add an anchor text for each level"),
        (rubric_yaml("levels: {0: bad, 1: ' '}"),
         "r.yaml:5: 'criteria.0.levels.1' is blank; write something"),
        (rubric_yaml("critical: 2"), "r.yaml:5: criterion 'correct': 'critical' 2 is no level; use 0, 1"),
        (rubric_yaml("kind: check"), "r.yaml:3: criterion 'correct' is a check without 'check'; add it"),
        (rubric_yaml("check: {type: exact}"),
         "r.yaml:5: criterion 'correct' has 'check' but kind 'judged'; set kind: check"),
        (rubric_yaml("kind: check\ncheck: {type: exact}\nlevels: {0: a, 1: b}"),
         "r.yaml:7: criterion 'correct' is a check and has 'levels'; remove them (0 fails, 1 passes)"),
        (rubric_yaml("kind: guess"), "r.yaml:5: 'criteria.0.kind' is 'guess'; use 'judged' or 'check'"),
        (rubric_yaml("", "economics:\n  hourly_rate: 3"),
         "r.yaml:8: unknown key 'hourly_rate'; did you mean 'hourly_rate_usd'?"),
        (rubric_yaml("", "economics:\n  review_minutes: -1"),
         "r.yaml:8: 'economics.review_minutes' is -1; it must be greater than or equal to 0"),
        (rubric_yaml("", "decision: {bar: 1}"), "r.yaml:7: 'decision.bar' is 1; it must be less than 1"),
        (rubric_yaml("", "satisfactoyr: {score: 1}"),
         "r.yaml:7: unknown key 'satisfactoyr'; did you mean 'satisfactory'?"),
        (rubric_yaml().replace("correct", "Correct!"),
         "r.yaml:3: 'criteria.0.id' is 'Correct!'; it must match pattern '^[a-z][a-z0-9_-]{0,40}$'"),
        ("name: q\ncriteria: []\nsatisfactory: {score: 1}\n", "r.yaml:2: 'criteria' is []; it must not be empty"),
        (rubric_yaml().replace("satisfactory:", "  - {id: correct, question: q, levels: {0: a, 1: b}}\nsatisfactory:"),
         "r.yaml:6: criterion id 'correct' stands twice; rename one"),
        (check_yaml("{type: regex}"), "r.yaml:6: a regex check has no 'pattern'; add one"),
        (check_yaml("{type: regex, pattern: '('}"),
         "r.yaml:6: 'pattern' is not a regular expression (missing ) at position 1); correct it"),
        (check_yaml("{type: regex, pattern: 'a{99999999999999}'}"),
         "r.yaml:6: 'pattern' is not a regular expression (repeat count too big at position 2); correct it"),
        (check_yaml("{type: regex, pattern: ''}"), "r.yaml:6: 'criteria.0.check.pattern' is ''; it must not be empty"),
        (check_yaml("{type: regex, pattern: a, value: b}"),
         "r.yaml:6: a check of type 'regex' does not use 'value'; remove it"),
        (check_yaml("{type: exact, tolerance: 0.1}"),
         "r.yaml:6: a check of type 'exact' does not use 'tolerance'; remove it"),
        (check_yaml("{type: exact, schema: {}}"), "r.yaml:6: a check of type 'exact' does not use 'schema'; remove it"),
        (check_yaml("{type: json_schema, field: a, schema: {}}"),
         "r.yaml:6: a check of type 'json_schema' does not use 'field'; remove it"),
        (check_yaml("{type: exact, schema: null}"),
         "r.yaml:6: a check of type 'exact' does not use 'schema'; remove it"),
        (check_yaml("{type: json_schema}"), "r.yaml:6: a json_schema check has no 'schema'; add one"),
        (check_yaml("{type: json_schema, schema: {type: 5}}"),
         "r.yaml:6: 'schema' is not a JSON schema (5 is not valid under any of the given schemas); correct it"),
        (check_yaml("{type: json_schema, schema: {pattern: '('}}"),
         "r.yaml:6: 'schema' is not a JSON schema ('(' is not a 'regex'); correct it"),
        (check_yaml("{type: json_schema, schema: {anyOf: [{$ref: '#/nope'}]}}"),
         "r.yaml:6: 'schema' has a '$ref' (/nope) that leads nowhere in it; correct it"),
        (check_yaml("{type: json_schema, schema: {$ref: 'http://127.0.0.1:9/a.json'}}"),
         "r.yaml:6: 'schema' has a '$ref' (http://127.0.0.1:9/a.json) that leads nowhere in it; correct it"),
        (check_yaml("{type: exact, value: yes}"),
         "r.yaml:6: 'criteria.0.check.value' is true; it must be text or a number"),
        (check_yaml("{type: numeric, tolerance: -1}"),
         "r.yaml:6: 'criteria.0.check.tolerance' is -1; it must be greater than or equal to 0"),
        (check_yaml("{type: exect}"),
         "r.yaml:6: 'criteria.0.check.type' is 'exect'; use 'exact', 'contains', 'regex', 'json_schema' or 'numeric'"),
    ],
)  # fmt: skip
def test_incoherent_rubric_is_refused_with_line_and_remedy(text: str, problem: str) -> None:
    assert told(text) == problem.split("\n")


def test_every_problem_is_told_at_once_each_on_its_line() -> None:
    text = """\
name: Quality
criteria:
  - id: a
    question: q
    weight: -1
    levels: {0: bad, 1: good}
    critical: 7
  - id: b
    question: q
    question: again
    levels: {0: ' ', 1: good, x: better}
    critical: 3
  - id: a
    qestion: q
    levels: {0: bad}
    weight: .inf
  - id: c
    question: q
    kind: check
    levels: {0: bad, 1: good}
    critical: 2
    check: {type: regex, value: x, pattern: '(', field: ''}
satisfactory: {score: 2}
"""
    places = [(line.split(":")[1], line.split(": ", 1)[1]) for line in told(text)]
    assert places == [
        ("1", "'name' is 'Quality'; it must match pattern '^[a-z][a-z0-9_-]{0,40}$'"),
        ("5", "'criteria.0.weight' is -1; it must be greater than 0"),
        ("7", "criterion 'a': 'critical' 7 is no level; use 0, 1"),
        ("10", "key 'question' stands twice; correct the YAML"),
        ("11", "'criteria.1.levels.0' is blank; write something"),
        ("11", "'x' is no level; use whole numbers such as 0, 1 and 2"),
        ("12", "criterion 'b': 'critical' 3 is no level; use 0, 1, x"),
        ("13", "criterion id 'a' stands twice; rename one"),
        ("13", "key 'criteria.2.question' is missing; add it"),
        ("14", "unknown key 'qestion'; did you mean 'question'?"),
        ("15", "criterion 'a' has fewer than two levels; add an anchor text for each level"),
        ("16", "'.inf' is not a finite number; correct the YAML"),
        ("20", "criterion 'c' is a check and has 'levels'; remove them (0 fails, 1 passes)"),
        ("21", "criterion 'c': 'critical' 2 is no level; use 0, 1"),
        ("22", "'criteria.3.check.field' is ''; it must not be empty"),
        ("22", "'pattern' is not a regular expression (missing ) at position 1); correct it"),
        ("22", "a check of type 'regex' does not use 'value'; remove it"),
        ("23", "'satisfactory.score' is 2; it must be less than or equal to 1"),
    ]


@pytest.mark.parametrize(
    ("weights", "lines"),
    [
        ((0, 0), ["r.yaml:3: every criterion has weight 0, so no output has a score; give each a weight above 0"]),
        ((0.0, 0, 0), ["r.yaml:3: every criterion has weight 0, so no output has a score; give each a weight above 0"]),
        ((0, 1), ["r.yaml:3: 'criteria.0.weight' is 0; it must be greater than 0"]),
        ((0, -1), ["r.yaml:3: 'criteria.0.weight' is 0; it must be greater than 0",
                   "r.yaml:4: 'criteria.1.weight' is -1; it must be greater than 0"]),
    ],
)  # fmt: skip
def test_weights_that_are_all_0_are_one_problem(weights: tuple[float, ...], lines: list[str]) -> None:
    rows = [f"  - {{id: c{n}, question: q, levels: {{0: a, 1: b}}, weight: {w}}}" for n, w in enumerate(weights)]
    assert told("\n".join(["name: q", "criteria:", *rows, "satisfactory: {score: 1}"])) == lines


def test_a_criterion_that_a_program_makes_is_held_to_the_same_rules() -> None:
    with pytest.raises(ValueError, match="'critical' 7 is no level"):
        judged(critical=7)
    with pytest.raises(ValueError, match="criterion id 'correct' stands twice"):
        rubric(judged(), judged())


@pytest.mark.parametrize(
    "text",
    [
        rubric_yaml(),
        rubric_yaml('levels: {"0": wrong, "1": right}'),
        rubric_yaml("levels: {-1: harmful, 0: wrong, 1: right}\ncritical: -1"),
        rubric_yaml("levels: {1: poor, 5: good}\ncritical: 5"),
        rubric_yaml("weight: 3\ncritical: 0"),
        check_yaml("{type: exact, value: 5, field: a, ignore_case: true}"),
        check_yaml("{type: numeric, tolerance: 0.1}"),
        check_yaml("{type: regex, pattern: 'a+', field: b}"),
        check_yaml("{type: json_schema, schema: {$defs: {a: {type: string}}, properties: {x: {$ref: '#/$defs/a'}}}}"),
        check_yaml("{type: json_schema, schema: {properties: {$ref: {type: string}}}}"),
        check_yaml("{type: json_schema, schema: {const: null}}"),
        rubric_yaml().replace("0: wrong", "&w 0: wrong"),
    ],
)
def test_coherent_rubric_is_read_and_survives_the_run_file(text: str) -> None:
    fixed = read(text)
    again = Rubric.model_validate_json(json.dumps(fixed.content()))
    assert (again, again.sha256) == (fixed, fixed.sha256)


def test_empty_file_names_what_is_missing() -> None:
    keys = ("criteria", "name", "satisfactory")
    assert told("") == [f"r.yaml:1: key '{key}' is missing; add it" for key in keys]


def test_levels_that_are_no_mapping_are_refused_from_code_too() -> None:
    with pytest.raises(ValueError, match="valid dictionary"):
        Criterion.model_validate({"id": "a", "question": "q", "levels": 5})


@pytest.mark.parametrize(
    ("check", "compares", "needs"),
    [
        (Check(type="exact"), True, True),
        (Check(type="numeric", value=5), True, False),
        (Check(type="contains", value=""), True, False),
        (Check(type="regex", pattern="a"), False, False),
        (Check(type="json_schema", schema={}), False, False),
    ],
)
def test_what_a_check_needs(check: Check, compares: bool, needs: bool) -> None:
    assert (check.compares, check.needs_reference) == (compares, needs)


def test_scale_runs_from_worst_to_best() -> None:
    criterion = judged(levels={5: "good", -1: "bad", 2: "fair"})
    assert list(criterion.scale) == [-1, 2, 5]
    assert [criterion.score(level) for level in criterion.scale] == [0.0, 0.5, 1.0]
    assert checked().scale == {0: "fails the check", 1: "passes the check"}


def test_judged_and_checked_part_the_criteria() -> None:
    both = rubric(judged("a"), checked("b"), judged("c"))
    assert [c.id for c in both.judged] == ["a", "c"]
    assert [c.id for c in both.checked] == ["b"]


def test_people_cost_what_their_minutes_cost() -> None:
    economics = Economics(review_minutes=2, correction_minutes=12, hourly_rate_usd=75)
    assert (economics.review_usd, economics.correction_usd) == (2.5, 15.0)


# correct: weight 3, floor 2 of 0-2; tone: weight 1, 0-2; format: weight 1, a check. Threshold 0.75.
THREE = rubric(judged("correct", weight=3.0, critical=2), judged("tone"), checked("format"))


@pytest.mark.parametrize(
    ("levels", "score", "satisfied"),
    [
        ({"correct": 2, "tone": 2, "format": 1}, 1.0, True),
        ({"correct": 2, "tone": 0, "format": 1}, 0.8, True),
        ({"correct": 2, "tone": 1, "format": 0}, 0.7, False),
        ({"correct": 2, "tone": 0, "format": 0}, 0.6, False),
        ({"correct": 1, "tone": 2, "format": 1}, 0.7, False),
        ({"correct": 1}, None, False),
        ({"correct": 0, "tone": 2}, None, False),
        ({"tone": 0, "format": 0}, None, False),
        ({"correct": 2}, None, None),
        ({"correct": 2, "tone": 2}, None, None),
        ({"format": 0}, None, None),
        ({}, None, None),
    ],
)
def test_satisfied_is_said_only_when_nothing_can_change_it(
    levels: Mapping[str, int], score: float | None, satisfied: bool | None
) -> None:
    assert THREE.score(levels) == (None if score is None else pytest.approx(score))
    assert THREE.satisfied(levels) is satisfied


def test_floor_fails_an_output_of_high_score() -> None:
    high = rubric(judged("a", weight=1.0, critical=1), judged("b", weight=99.0), score=0.9)
    assert high.score({"a": 0, "b": 2}) == pytest.approx(0.99)
    assert high.satisfied({"a": 0, "b": 2}) is False


def test_score_exactly_at_the_threshold_is_satisfactory_in_spite_of_rounding() -> None:
    quarters = rubric(judged("a", weight=0.1), judged("b", weight=0.3), score=0.75)
    assert quarters.score({"a": 0, "b": 2}) == 0.7499999999999999
    assert quarters.satisfied({"a": 0, "b": 2}) is True


def test_threshold_that_can_still_be_reached_exactly_is_left_open() -> None:
    quarters = rubric(judged("a", weight=0.1), judged("b", weight=0.3), score=0.75)
    assert quarters.satisfied({"a": 0}) is None


@st.composite
def rubrics_and_levels(draw: st.DrawFn) -> tuple[Rubric, dict[str, int]]:
    ids = [f"c{n}" for n in range(draw(st.integers(1, 5)))]
    criteria = []
    for id in ids:
        low, top = draw(st.integers(-2, 2)), draw(st.integers(1, 4))
        levels = {low + n: f"anchor {n}" for n in range(top + 1)}
        critical = draw(st.none() | st.sampled_from(sorted(levels)))
        criteria.append(judged(id, levels=levels, weight=draw(st.floats(0.01, 100)), critical=critical))
    built = rubric(*criteria, score=draw(st.floats(0, 1)))
    return built, {c.id: draw(st.sampled_from(sorted(c.scale))) for c in criteria}


@given(rubrics_and_levels(), st.randoms(use_true_random=False))
def test_adding_a_level_never_contradicts_an_earlier_answer(
    case: tuple[Rubric, dict[str, int]], random: Random
) -> None:
    built, levels = case
    order = sorted(levels)
    random.shuffle(order)
    said = [built.satisfied({id: levels[id] for id in order[:n]}) for n in range(len(order) + 1)]
    firm = next((n for n, answer in enumerate(said) if answer is not None), None)
    assert firm is not None, "a full set of levels always has an answer"
    assert len(set(said[firm:])) == 1


@given(rubrics_and_levels())
def test_a_better_level_never_makes_an_output_worse(case: tuple[Rubric, dict[str, int]]) -> None:
    built, levels = case
    before, score = built.satisfied(levels), built.score(levels)
    assert score is not None
    assert -1e-9 <= score <= 1 + 1e-9
    for criterion in built.criteria:
        better = levels | {criterion.id: max(criterion.scale)}
        assert (built.score(better) or 0.0) >= score - 1e-12
        assert built.satisfied(better) or not before


SAME = [
    "# a comment\n" + rubric_yaml(),
    rubric_yaml('"levels": {1: right, 0: wrong}'),
    rubric_yaml("weight: 1"),
    rubric_yaml("kind: judged", "economics: {hourly_rate_usd: 60}"),
    "satisfactory: {score: 0.75}\n" + rubric_yaml().replace("satisfactory: {score: 0.75}\n", ""),
]
OTHER = [
    rubric_yaml("weight: 2"),
    rubric_yaml("critical: 1"),
    rubric_yaml("levels: {0: wrong, 2: right}"),
    rubric_yaml("levels: {0: wrong, 1: right!}"),
    rubric_yaml().replace("Is it", "is it"),
    rubric_yaml().replace("0.75", "0.76"),
    rubric_yaml("", "decision: {bar: 0.81}"),
    rubric_yaml("", "economics: {hourly_rate_usd: 61}"),
    rubric_yaml("", "description: more"),
    check_yaml("{type: exact, value: a}"),
]


@pytest.mark.parametrize("text", SAME)
def test_hash_is_insensitive_to_layout(text: str) -> None:
    assert read(text).sha256 == read(rubric_yaml()).sha256


def test_hash_is_sensitive_to_meaning() -> None:
    hashes = {read(text).sha256 for text in [rubric_yaml(), *OTHER]}
    assert len(hashes) == len(OTHER) + 1
