"""An import reads outputs made elsewhere by the letter: absent is unknown, and what is wrong is named at once."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from builders import checked, judged, rubric
from hypothesis import given
from hypothesis import strategies as st

from evalkit.grader_names import CHECKS, GraderKind, grader_name, judge_name, kind_of
from evalkit.graders import checks
from evalkit.import_lines import ENDPOINT, Numbered, TrialLine, grade_problems, parse_lines
from evalkit.importing import Imported, build, only_criterion, satisfactory_rubric
from evalkit.pricing import LIST_PRICES, price
from evalkit.records import Attempt, Usage

WHEN = datetime(2026, 11, 26, tzinfo=UTC)
TWO = rubric(judged("correct"), judged("tone"))


def line(item_id: str = "a", model: str = "m", **fields: Any) -> str:
    return json.dumps({"item_id": item_id, "model": model, **fields})


def grade(level: int | None, grader: str = "ann", kind: str = "human", criterion: str = "correct") -> dict[str, Any]:
    return {"grader": grader, "kind": kind, "criterion": criterion, "level": level}


def read(*texts: str) -> list[TrialLine]:
    found, problems = parse_lines(texts, "r.jsonl")
    assert not problems
    return [one.line for one in found]


def problems(*texts: str) -> list[str]:
    found, wrong = parse_lines(texts, "r.jsonl")
    return [str(problem) for problem in sorted([*wrong, *grade_problems(found, TWO, "r.jsonl")])]


def made(*texts: str) -> Imported:
    return build("results", read(*texts), TWO, WHEN)


def attempt(**fields: Any) -> Attempt:
    return made(line(**fields)).attempts[0]


def test_every_field_of_the_format_arrives() -> None:
    full = line(
        epoch=2, prompt="Q?", reference="R", difficulty="hard", tags={"lang": "de", "rag": True}, output="A.",
        input_tokens=1200, output_tokens=80, cost_usd=0.25, latency_s=3.5, ttft_s=0.5, served_model="m-2",
        grades=[grade(1)],
    )  # fmt: skip
    found = made(full)
    (item,), (key,), (one,), (given_,) = found.items, found.order, found.attempts, found.grades
    assert (item.id, item.task, item.reference, item.difficulty, item.tags) == (
        "a",
        "Q?",
        "R",
        "hard",
        ("lang=de", "rag"),
    )
    assert key == ("a", "m", 2)
    assert (one.outcome, one.text, one.final, one.cost_usd, one.latency_s, one.ttft_s, one.served_model) == (
        "answered", "A.", True, 0.25, 3.5, 0.5, "m-2",
    )  # fmt: skip
    assert one.usage == Usage(input_tokens=1200, output_tokens=80)
    assert (given_.grader, given_.criterion, given_.level, given_.ungraded_reason) == ("ann", "correct", 1, None)


def test_absent_and_null_are_unknown_and_never_zero() -> None:
    names = (
        "epoch", "prompt", "reference", "difficulty", "tags", "error", "input_tokens", "output_tokens", "cost_usd",
        "latency_s", "ttft_s", "served_model", "grades",
    )  # fmt: skip
    absent, null = made(line(output="x")), made(line(output="x", **dict.fromkeys(names)))
    assert absent == null
    one, item = absent.attempts[0], absent.items[0]
    assert (one.usage, one.cost_usd, one.latency_s, one.ttft_s, one.felt_s, one.queued_s, one.served_model) == (
        Usage(), None, None, None, None, None, None,
    )  # fmt: skip
    assert (item.reference, item.difficulty, item.tags, absent.order[0].epoch) == (None, None, (), 1)
    assert (absent.rounds, absent.grades) == ((), ())


@pytest.mark.parametrize(
    ("fields", "outcome", "error"),
    [
        ({"output": "x"}, "answered", None),
        ({"output": ""}, "answered", None),
        ({"output": "x", "error": " "}, "answered", None),
        ({"error": "HTTP 500"}, "errored", "HTTP 500"),
        ({"output": "half an ans", "error": "cut off"}, "errored", "cut off"),
        ({}, "errored", "no output and no error was recorded"),
        ({"output": None}, "errored", "no output and no error was recorded"),
    ],
)
def test_what_became_of_a_trial(fields: dict[str, Any], outcome: str, error: str | None) -> None:
    one = attempt(**fields)
    assert (one.outcome, one.error_message, one.text) == (outcome, error, fields.get("output") or "")
    assert (one.error_type is None) == (outcome == "answered")


@pytest.mark.long
@given(st.text(st.characters()), st.text())
def test_an_output_arrives_whole(text: str, prompt: str) -> None:
    """Half of a surrogate pair, which no database can keep, arrives as its escape; all else as it is."""
    found = made(line(output=text, prompt=prompt))
    assert found.attempts[0].text == text.encode("utf-8", "backslashreplace").decode("utf-8")
    assert found.items[0].task == prompt


def test_half_a_surrogate_pair_in_a_list_arrives_as_its_escape_and_numbers_stay() -> None:
    found = made(line(output="x", tags=["\ud800"], cost_usd=0.5))
    assert (found.items[0].tags, found.attempts[0].cost_usd) == (("\\ud800",), 0.5)


@pytest.mark.parametrize(
    ("tags", "kept"),
    [
        ({"a": "x", "b": 1, "c": 1.5, "d": True, "e": False, "f": None}, ("a=x", "b=1", "c=1.5", "d", "e=false")),
        (["x", "y", "x"], ("x", "y")),
        ({}, ()),
    ],
)
def test_tags_become_words(tags: Any, kept: tuple[str, ...]) -> None:
    assert made(line(tags=tags)).items[0].tags == kept


BAD_LINES = [
    ("{", "not JSON"),
    ("[]", "not a JSON object"),
    ('{"item_id": "a", "item_id": "b", "model": "m"}', "key 'item_id' stands twice"),
    (json.dumps({"model": "m"}), "key 'item_id' is missing"),
    (json.dumps({"item_id": "a"}), "key 'model' is missing"),
    (line(item_id=" "), "'item_id' is blank"),
    (line(model="m\x1b[31m"), "control character U+001B"),
    (line(outptu="x"), "unknown key 'outptu'; did you mean 'output'"),
    (line(output={"a": 1}), "'output' is"),
    (line(item_id=17), "'item_id' is 17"),
    (line(epoch=0), "'epoch' is 0"),
    (line(epoch=1.5), "'epoch' is 1.5"),
    (line(input_tokens=-1), "'input_tokens' is -1"),
    (line(output_tokens=True), "'output_tokens' is true"),
    (line(cost_usd=-0.1), "'cost_usd' is -0.1"),
    (line(cost_usd="0.1"), "'cost_usd' is '0.1'"),
    (line(cost_usd=1e308), "'cost_usd' is 1e+308; it must be less than or equal to 1000000000"),
    (line(latency_s=1e300), "'latency_s' is 1e+300"),
    (line(latency_s=1, ttft_s=9), "'ttft_s' 9 is over 'latency_s' 1; correct or drop one"),
    (line().replace("}", ', "latency_s": NaN}'), "NaN is not JSON"),
    (line(difficulty="tricky"), "use 'easy', 'medium' or 'hard'"),
    (line(tags={"a": ["x"]}), "'tags.a' is"),
    (line(tags={" ": "x"}), "'tags' has a blank key; name it"),
    (line(grades=[{**grade(1), "kind": "robot"}]), "use 'human', 'judge' or 'check'"),
    (line(grades=[{**grade(1), "level": 1.5}]), "level"),
    (line(grades=[{**grade(1), "level": True}]), "level"),
    (line(grades=[grade(7)]), "grader 'ann' gives 'correct' level 7, which it lacks; use 0, 1, 2 or null"),
    (line(grades=[grade(1, criterion="corect")]), "no criterion of the rubric; did you mean 'correct'?"),
    (line(grades=[grade(1), grade(2)]), "grader 'ann' grades 'correct' twice"),
]


@pytest.mark.parametrize(("text", "said"), BAD_LINES, ids=[said[:30] for _, said in BAD_LINES])
def test_a_bad_line_is_named_with_its_place_and_a_remedy(text: str, said: str) -> None:
    (problem,) = problems(line("ok", output="x"), text)
    assert problem.startswith("r.jsonl:2: ")
    assert said in problem
    assert "; " in problem


def test_every_bad_line_is_named_at_once() -> None:
    found = problems(*(text for text, _ in BAD_LINES))
    assert {int(problem.split(":")[1]) for problem in found} >= set(range(1, len(BAD_LINES) + 1))


@pytest.mark.parametrize("texts", [(), ("", "  ", "\r\n")])
def test_a_file_without_lines_is_none(texts: Sequence[str]) -> None:
    assert problems(*texts) == ["r.jsonl:1: no lines; write one JSON object per line"]


def test_blank_lines_and_carriage_returns_are_passed_over() -> None:
    assert [one.item_id for one in read("", line("a") + "\r\n", "\r\n", line("b"))] == ["a", "b"]


def test_a_trial_stands_once_and_both_lines_are_named() -> None:
    (problem,) = problems(line("a"), line("a", epoch=2), line("a", model="n"), line("a", epoch=1))
    assert problem.startswith("r.jsonl:4: item 'a', model 'm', epoch 1 stands already on line 1; ")


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("prompt", "Q", "R"), ("reference", "Q", "R"), ("difficulty", "easy", "hard"),
        ("tags", {"a": "x"}, {"a": "y"}), ("tags", ["a"], []), ("prompt", "Q", ""),
    ],
)  # fmt: skip
def test_lines_of_one_item_agree_or_leave_it_out(field: str, one: Any, other: Any) -> None:
    (problem,) = problems(line("a", **{field: one}), line("b", **{field: other}), line("a", "n", **{field: other}))
    assert problem.startswith(f"r.jsonl:3: '{field}' of item 'a' is another than on line 1; ")
    silent, both = made(line("a"), line("a", "n", **{field: one})), made(line("a", **{field: one}), line("a", "n"))
    assert silent.items == both.items


def test_the_same_tags_in_another_order_are_the_same() -> None:
    assert not problems(line(tags={"a": 1, "b": 2}), line("a", "n", tags={"b": 2, "a": 1}))


def test_the_spec_follows_from_the_content_alone() -> None:
    lines = (line("a", "m2", output="x", epoch=3), line("b", "m1", prompt="Q"))
    first, again = made(*lines).spec, build("results", read(*lines), TWO, datetime.now(UTC)).spec
    assert first.sha256 == again.sha256
    assert (first.models, first.epochs, first.endpoint, first.simulated) == (("m2", "m1"), 3, ENDPOINT, False)
    assert first.imported
    for other in (lines[:1], (lines[0], line("b", "m1", prompt="Q", cost_usd=0.1)), (lines[0], line("b", "m1"))):
        assert made(*other).spec.sha256 != first.sha256


def test_the_dataset_is_the_items_whatever_was_answered() -> None:
    """So that a candidate's outputs can be held against a baseline's."""
    one, other = (
        made(line("a", prompt="Q", output="x"), line("b")),
        made(line("b", "n", output="y"), line("a", "n", prompt="Q")),
    )
    assert one.spec.dataset_sha256 == other.spec.dataset_sha256
    assert made(line("a", prompt="R"), line("b")).spec.dataset_sha256 != one.spec.dataset_sha256


def test_only_the_trials_of_the_file_are_planned() -> None:
    found = made(line("a", "m"), line("b", "n"), line("b", "n", epoch=4))
    assert found.order == (("a", "m", 1), ("b", "n", 1), ("b", "n", 4))
    assert [item.position for item in found.items] == [0, 1]


KNOWN = "claude-sonnet-4-6"


@pytest.mark.parametrize(
    ("fields", "priced_as", "source"),
    [
        ({"cost_usd": 0.5, "input_tokens": 1000, "output_tokens": 10}, 0.5, "as imported: m"),
        ({"cost_usd": 0.0}, 0.0, "as imported: m"),
        ({"model": KNOWN, "input_tokens": 1000, "output_tokens": 10}, KNOWN, f"from tokens: {KNOWN}"),
        ({"served_model": KNOWN, "input_tokens": 1000, "output_tokens": 10}, KNOWN, "from tokens: m"),
        ({"model": KNOWN, "input_tokens": 1000}, None, f"unpriced: {KNOWN}"),
        ({"input_tokens": 1000, "output_tokens": 10}, None, "unpriced: m"),
        ({}, None, "unpriced: m"),
    ],
)
def test_a_cost_is_given_or_priced_or_unknown(fields: dict[str, Any], priced_as: Any, source: str) -> None:
    found = made(line(output="x", **fields))
    expected = priced_as
    if isinstance(priced_as, str):
        expected = price(priced_as, Usage(input_tokens=1000, output_tokens=10), WHEN).usd
        assert expected
    assert found.attempts[0].cost_usd == expected
    assert found.spec.prices_version.endswith(source)
    model = found.spec.models[0]
    if isinstance(priced_as, str):
        assert found.spec.rates == {model: LIST_PRICES.tiers(priced_as, WHEN)}
    else:
        assert found.spec.rates == ({model: ()} if source.startswith("unpriced") else {})


def test_a_rubric_from_one_criterion() -> None:
    made_ = satisfactory_rubric("is_right")
    assert list(made_.criteria[0].scale) == [0, 1]
    assert [made_.satisfied({"is_right": level}) for level in (0, 1)] == [False, True]


def test_other_criteria_are_left_out_and_counted() -> None:
    text = line(grades=[grade(1), grade(5, criterion="length"), grade(2, "bo", criterion="length")])
    lines, left_out = only_criterion([Numbered(1, one) for one in read(text)], "correct")
    assert [given_.criterion for given_ in lines[0].line.grades] == ["correct"]
    assert left_out == {"length": 2}


@pytest.mark.parametrize(
    ("name", "kind", "called"),
    [
        ("ann", "human", "ann"),
        ("judge 1", "human", "human judge 1"),
        ("checks", "human", "human checks"),
        ("human judge 1", "human", "human human judge 1"),
        ("judgemental", "human", "judgemental"),
        ("gpt", "judge", "judge gpt"),
        ("judge gpt", "judge", "judge gpt"),
        ("checks", "check", "checks"),
        ("unit", "check", "check unit"),
    ],
)
def test_a_graders_name_tells_its_kind(name: str, kind: GraderKind, called: str) -> None:
    assert (grader_name(name, kind), kind_of(called)) == (called, kind)


@given(st.text(min_size=1), st.sampled_from(["human", "judge", "check"]))
def test_no_name_hides_the_kind(name: str, kind: GraderKind) -> None:
    assert kind_of(grader_name(name, kind)) == kind


def test_the_names_of_our_own_graders_tell_their_kind_too() -> None:
    assert judge_name("x") == grader_name("x", "judge")
    assert checks.NAME == CHECKS


def test_one_kind_of_grader_counts_on_a_criterion_and_people_come_first() -> None:
    ann, bo = grade(2), grade(1, "bo")
    llm, unit = grade(0, "gpt", "judge"), grade(1, "unit", "check", "tone")
    found = made(line("a", output="x", grades=[llm, ann, unit]), line("b", output="y", grades=[bo, llm]))
    assert [round_.graders for round_ in found.rounds] == [("judge gpt",), ("ann", "check unit", "bo")]
    assert all(round_.blind is None for round_ in found.rounds)
    sample = made(line("a", output="x", grades=[llm, ann]), line("b", output="y", grades=[llm]))
    assert [round_.graders for round_ in sample.rounds] == [("ann",), ("judge gpt",)]


def test_ungraded_is_kept_with_a_reason() -> None:
    (one,) = made(line(output="x", grades=[grade(None)])).grades
    assert (one.level, one.ungraded_reason) == (None, "ungraded in the imported file")


def test_a_graded_failure_is_counted() -> None:
    assert made(line("a", grades=[grade(2)]), line("b", output="x", grades=[grade(2)])).graded_failures == 1


def test_a_check_may_grade_what_the_rubric_checks() -> None:
    ours = rubric(judged("correct"), checked("format"))
    texts = [
        line("a", grades=[grade(1, "unit", "check", "format")]),
        line("b", grades=[grade(2, "unit", "check", "format")]),
    ]
    found, _ = parse_lines(texts, "r.jsonl")
    (problem,) = grade_problems(found, ours, "r.jsonl")
    assert (problem.line, problem.remedy) == (2, "use 0, 1 or null")
