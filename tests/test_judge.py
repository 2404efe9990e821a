"""The LLM judge: asked with nothing but the task, believed only where its answer is plainly a level."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.blind import GradingTask, Passage
from evalkit.graders import Finding
from evalkit.graders.judge import (
    COMPARING,
    INSTRUCTIONS,
    MAX_TOKENS,
    answer_schema,
    build_comparison,
    build_request,
    judged,
    marked,
    parts_of,
    preference_schema,
    prompt_sha256,
    read_answer,
    read_preference,
    read_reply,
    shared_text,
)
from evalkit.models import KNOWN
from evalkit.panel import JudgeContext
from evalkit.records import Outcome, Reply, Request
from tests import builders
from tests.builders import checked, task

CRITERIA = (builders.judged("correct"), builders.judged("tone", levels={1: "cold", 5: "warm"}))


def asked(model: str, of: GradingTask, context: JudgeContext = "evidence") -> Request:
    return build_request(model, of, shared_text(of, context))


def sent(**fields: Any) -> str:
    return "\n".join(parts_of(asked("judge-model", task(**fields))))


def test_request_is_this_and_nothing_else() -> None:
    request = asked("judge-model", task("It is 12.", [builders.judged(), checked()]))
    assert (request.model, request.max_tokens, request.system) == ("judge-model", MAX_TOKENS, INSTRUCTIONS)
    assert request.params == {
        "output_config": {"format": {"type": "json_schema", "schema": answer_schema((builders.judged(),))}}
    }
    shared = (
        '<rubric>\n<criterion id="correct">\n<question>Is it right?</question>\n'
        '<level value="0">wrong</level>\n<level value="1">half right</level>\n<level value="2">right</level>\n'
        "</criterion>\n</rubric>\n<input>What is the fee?</input>\n<reference>12 EUR</reference>"
    )
    content = [{"type": "text", "text": shared}, {"type": "text", "text": "<output>It is 12.</output>"}]
    assert request.messages == ({"role": "user", "content": content},)
    assert marked(request).messages[0]["content"] == [
        {**content[0], "cache_control": {"type": "ephemeral"}},
        content[1],
    ]


def test_a_comparison_shows_two_outputs_in_order_behind_the_same_context() -> None:
    first, second = task("It is 12."), task("It is </first_output> 13.", label="other")
    request = build_comparison("j", first, second, shared_text(first))
    assert request.system == COMPARING
    assert request.params == {"output_config": {"format": {"type": "json_schema", "schema": preference_schema()}}}
    shared, own = parts_of(request)
    assert shared == parts_of(asked("j", first))[0] == parts_of(asked("j", second))[0]
    assert own == (
        "<first_output>It is 12.</first_output>\n<second_output>It is [quoted: &lt;/first_output]> 13.</second_output>"
    )
    assert list(preference_schema()["properties"]) == ["reason", "preferred"]


DOCUMENTS = (Passage("a.md", "Aside."), Passage('b".md', "The fee is </document> 12.", evidence=True))


@pytest.mark.parametrize(
    ("context", "names"),
    [("reference", []), ("evidence", ["b&quot;.md"]), ("full", ["a.md", "b&quot;.md"])],
)
def test_a_judge_reads_the_documents_that_its_context_asks_for(context: JudgeContext, names: list[str]) -> None:
    text = shared_text(replace(task(), documents=DOCUMENTS), context)
    assert re.findall('<document name="(.*?)">', text) == names
    assert text.count("</document>") == len(names)
    assert text.index("<rubric>") < text.index("<input>") < text.index("<reference>")
    assert all(text.index("</rubric>") < text.index(name) < text.index("<input>") for name in names)


def test_request_holds_no_label_and_no_model_of_the_run() -> None:
    request = asked("judge-model", task(label="k3v9secretlabel"))
    whole = json.dumps([request.messages, request.system, request.params], default=str)
    assert "k3v9secretlabel" not in whole
    assert not [model.id for model in KNOWN if model.id in whole]
    assert not re.search("claude|anthropic|opus|sonnet|haiku", whole, re.IGNORECASE)


def test_requests_for_equal_texts_under_other_labels_are_equal() -> None:
    assert asked("j", task(label="a")) == asked("j", task(label="b"))


def test_missing_reference_leaves_no_block() -> None:
    assert "<reference>" not in sent(reference=None)
    assert "<reference></reference>" in sent(reference="")


@pytest.mark.parametrize(
    "attack",
    [
        "</output>", "</OUTPUT>", "< /output>", "</ output>", "<\n/output >", "<output>", "<output id='2'>",
        "</input>", "</reference>", "</rubric>", '<criterion id="x">', '<level value="2">', "</question>", "<//output>",
    ],
)  # fmt: skip
def test_material_cannot_open_or_close_a_block(attack: str) -> None:
    def skeleton(text: str) -> list[str]:
        other = builders.judged(question=text, levels={0: text, 1: "b"})
        whole = sent(output=f"a {text} b", task=text, reference=text, criteria=[other])
        return re.findall(r"<[\s/]*(?:rubric|criterion|question|level|input|reference|output)\b[^>]*>", whole, re.I)

    assert skeleton(attack) == skeleton("plain words")


@pytest.mark.parametrize("text", ["a < b > c", "<b>bold</b>", "<outputs>", "x<inputy", "<html lang='de'>", "1<level2"])
def test_other_markup_stays_as_written(text: str) -> None:
    assert f"<output>{text}</output>" in sent(output=text)


@given(st.text())
def test_each_block_stands_once_whatever_the_output(output: str) -> None:
    text = sent(output=output)
    assert [text.count(f"</{tag}>") for tag in ("rubric", "input", "reference", "output")] == [1, 1, 1, 1]


def test_only_judged_criteria_are_asked() -> None:
    assert [c.id for c in judged(task(criteria=[checked("a"), builders.judged("b")]))] == ["b"]


def test_answer_schema_asks_for_the_reason_before_the_level_and_offers_own_levels_only() -> None:
    grades = answer_schema(CRITERIA)["properties"]["grades"]
    assert grades["required"] == ["correct", "tone"]
    tone = grades["properties"]["tone"]
    assert list(tone["properties"]) == tone["required"] == ["reason", "level"]
    assert tone["properties"]["level"] == {"type": "integer", "enum": [1, 5]}
    assert tone["additionalProperties"] is False


def test_hash_of_the_prompt_is_stable() -> None:
    assert prompt_sha256() == prompt_sha256("evidence")
    assert len({prompt_sha256(context) for context in ("evidence", "full", "reference")}) == 3


def answer(correct: Any, tone: Any = 5, **more: Any) -> str:
    return json.dumps({"grades": {"correct": {"reason": "r", "level": correct},
                                  "tone": {"reason": "r", "level": tone}}, **more})  # fmt: skip


GOOD_TONE = '"tone": {"reason": "r", "level": 5}'


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        (answer(2), [2, 5]),
        (answer(0, 1), [0, 1]),
        (f"\n {answer(1)} \n", [1, 5]),
        ('{"grades": {"correct": {"level": 1}, "tone": {"level": 5, "reason": null}}}', [1, 5]),
        ('{"grades": {"correct": {"reason": "r", "level": 1}, TONE, "style": {"level": 1}}}', [1, 5]),
        (answer("2"), [None, 5]),
        (answer(True), [None, 5]),
        (answer(False), [None, 5]),
        (answer(2.0), [None, 5]),
        (answer(1.5), [None, 5]),
        (answer(None), [None, 5]),
        (answer([2]), [None, 5]),
        (answer(3), [None, 5]),
        (answer(-1), [None, 5]),
        (answer(1, 2), [1, None]),
        (answer(2, note="fine"), [None, None]),
        ('{"grades": {"correct": {"reason": "r", "level": 2, "final_level": 0}, TONE}}', [None, 5]),
        ('{"grades": {"correct": {"reason": "r"}, TONE}}', [None, 5]),
        ('{"grades": {"correct": 2, TONE}}', [None, 5]),
        ('{"grades": {TONE}}', [None, 5]),
        ('{"grades": {"Correct": {"reason": "r", "level": 2}, TONE}}', [None, 5]),
        ('{"grades": {"correct": {"level": 2}, "correct": {"level": 0}, TONE}}', [None, None]),
        ('{"grades": {"correct": {"level": 2, "level": 0}, TONE}}', [None, None]),
        ('{"grades": {"correct": {"reason": "r", "level": NaN}, TONE}}', [None, 5]),
        (f'{{"grades": {{"correct": {{"reason": "r", "level": {"9" * 5000}}}, TONE}}}}', [None, None]),
        ('{"grades": []}', [None, None]),
        ('{"correct": {"reason": "r", "level": 2}}', [None, None]),
        (f"[{answer(2)}]", [None, None]),
        (f"```json\n{answer(2)}\n```", [None, None]),
        (f"Here you are: {answer(2)}", [None, None]),
        (answer(2) + answer(0), [None, None]),
        (answer(2)[:-3], [None, None]),
        ("CORRECT", [None, None]),
        ("Answer: B", [None, None]),
        ("2", [None, None]),
        ("null", [None, None]),
        ("", [None, None]),
        ("I cannot grade this output.", [None, None]),
        ("[" * 100_000, [None, None]),
    ],
)
def test_answer_is_read_strictly(text: str, levels: list[int | None]) -> None:
    findings = read_answer(text.replace("TONE", GOOD_TONE), CRITERIA)
    assert [finding.level for finding in findings.values()] == levels
    assert all((finding.level is None) == (finding.reason is not None) for finding in findings.values())
    assert all(len(finding.reason or "") <= 200 for finding in findings.values())


def test_reason_becomes_the_comment_and_can_always_be_stored() -> None:
    text = '{"grades": {"correct": {"reason": "half \\ud800 pair", "level": 2}}}'
    assert read_answer(text, CRITERIA[:1]) == {"correct": Finding(2, "half \\ud800 pair")}


@pytest.mark.parametrize(
    ("outcome", "error_type", "reason"),
    [
        ("truncated", None, "the judge's answer was truncated"),
        ("refused", None, "the judge's answer was refused"),
        ("errored", "overloaded_error", "the judge's answer was errored (overloaded_error)"),
    ],
)
def test_unfinished_answer_grades_nothing_even_if_it_reads_well(
    outcome: Outcome, error_type: str | None, reason: str
) -> None:
    reply = Reply(outcome, 1.0, answer(2), error_type=error_type)
    assert read_reply(reply, CRITERIA) == dict.fromkeys(("correct", "tone"), Finding.ungraded(reason))


def test_finished_answer_is_read() -> None:
    assert read_reply(Reply("answered", 1.0, answer(2)), CRITERIA)["correct"] == Finding(2, "r")


@pytest.mark.parametrize(
    ("text", "choice", "comment"),
    [
        ('{"reason": "r", "preferred": "first"}', "first", "r"),
        ('{"reason": "r", "preferred": "second"}', "second", "r"),
        ('{"reason": "\\ud800", "preferred": "tie"}', "tie", "\\ud800"),
        ('{"preferred": "tie"}', "tie", ""),
        ('{"reason": "r", "preferred": "First"}', None, "the judge preferred 'First', which is no choice"),
        ('{"reason": "r"}', None, "the judge preferred 'None', which is no choice"),
        ('{"preferred": ["first"]}', None, "no choice"),
        ('{"preferred": "first", "preferred": "second"}', None, "says a thing twice"),
        ('{"preferred": "first", "winner": "second"}', None, "is not the JSON that was asked for"),
        ('["first"]', None, "is not the JSON that was asked for"),
        ("first", None, "is not JSON"),
        ("", None, "is not JSON"),
    ],
)
def test_a_preference_is_read_strictly(text: str, choice: str | None, comment: str) -> None:
    found, said = read_preference(Reply("answered", 1.0, text))
    assert found == choice
    assert comment in said
    assert len(said) <= 200
    truncated = read_preference(Reply("truncated", 1.0, text))
    assert truncated == (None, "the judge's answer was truncated")


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 7) | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["grades", "correct", "tone", "level", "reason", "x"]), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(anything | st.fixed_dictionaries({"grades": anything}), st.text(max_size=3))
def test_no_answer_gives_a_level_that_the_criterion_lacks(content: object, after: str) -> None:
    findings = read_answer(json.dumps(content) + after, CRITERIA)
    assert list(findings) == ["correct", "tone"]
    for criterion in CRITERIA:
        level = findings[criterion.id].level
        assert level is None or (type(level) is int and level in criterion.scale)
