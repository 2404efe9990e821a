"""What judging will cost: every request of a panel, an item's context paid for once and then read from the cache."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from evalkit.bill import Bill, request_usd
from evalkit.config import OwnRates
from evalkit.judge_bill import JudgeSize, foreseen_lines, judge_lines, judges_seen
from evalkit.panel import Panel
from evalkit.pricing import Prices
from evalkit.records import ItemRecord, TrialKey, Usage
from evalkit.rubric import Rubric
from tests.analysis_builders import PASS_OR_FAIL, Book, answered, spec
from tests.memory import traced_peak

NOW = datetime(2026, 11, 22, tzinfo=UTC)
JUDGE, OTHER = "claude-sonnet-5-5", "claude-opus-5-5"
RUBRIC = Rubric.model_validate_json(json.dumps(PASS_OR_FAIL))
LONG = ItemRecord("a", 0, "What is due?", None, "12 EUR", None, (), documents=("d.md", "e.md"), evidence_positions=(1,))
SHORT = replace(LONG, id="b", position=1, documents=(), evidence_positions=())
ITEMS = {"a": LONG, "b": SHORT}
DOCUMENTS = {"d.md": "x" * 30_000, "e.md": "x" * 6_000}
MODELS = ("one", "two", "three")
Output = tuple[TrialKey, float, int]


def outputs(*items: str, epochs: int = 1, tokens: float = 100.0, most: int = 100) -> list[Output]:
    return [
        (TrialKey(i, model, epoch), tokens, most) for i in items for model in MODELS for epoch in range(1, epochs + 1)
    ]


@pytest.mark.parametrize(
    ("panel", "requests"),
    [
        (Panel((JUDGE,)), 12),
        (Panel((JUDGE,), 3), 36),
        (Panel((JUDGE,), side_by_side=True), 24),
        (Panel((JUDGE,), 2, side_by_side=True), 48),
    ],
)
def test_repeats_and_orders_are_requests(panel: Panel, requests: int) -> None:
    (line,) = foreseen_lines(panel, RUBRIC, ITEMS, DOCUMENTS, outputs("a", "b", epochs=2), NOW)
    assert (line.model, line.requests, line.uncounted) == (JUDGE, requests, requests)


def test_every_judge_has_a_line_and_all_are_in_the_total() -> None:
    lines = foreseen_lines(Panel((JUDGE, OTHER)), RUBRIC, ITEMS, DOCUMENTS, outputs("a", "b"), NOW)
    assert [line.model for line in lines] == [JUDGE, OTHER]
    assert Bill((), lines).total_usd("worst") == sum(line.worst_usd or 0.0 for line in lines)
    unpriced = foreseen_lines(Panel((JUDGE, "unheard-of")), RUBRIC, ITEMS, DOCUMENTS, outputs("a"), NOW)
    assert Bill((), unpriced).total_usd("worst") is None


IN_THE_US = 1.1
"""How many times the price a request may cost that does not say where it is to be processed."""


@pytest.mark.parametrize(("context", "least"), [("reference", 0), ("evidence", 2_000), ("full", 12_000)])
def test_the_context_is_in_the_tokens(context: str, least: int) -> None:
    panel = Panel((JUDGE,), context=context)
    (line,) = foreseen_lines(panel, RUBRIC, ITEMS, DOCUMENTS, outputs("a"), NOW)
    assert least * 3 <= line.input_tokens <= (least + 700) * 3


def test_a_shared_context_is_paid_for_once_and_then_read() -> None:
    (line,) = foreseen_lines(Panel((JUDGE,), context="full"), RUBRIC, ITEMS, DOCUMENTS, outputs("a"), NOW)
    assert line.expected_usd is not None
    assert line.worst_usd is not None
    shared = 12_000 + 400  # documents, and the rest, at 2.5 USD to write and 0.10 USD to read a million tokens
    assert line.expected_usd == pytest.approx((shared * 2.7 + 3 * 400 * 10 + 3 * 250 * 2) / 1e6, rel=0.1)
    written = 36_000 + 1_200  # at most a token a byte, and each request may have to write all of it
    assert line.worst_usd == pytest.approx(IN_THE_US * (3 * written * 2.5 + 3 * 4096 * 10) / 1e6, rel=0.05)


def test_the_most_a_judge_can_cost_is_for_outputs_as_long_as_allowed() -> None:
    most = 30_000
    (short,), (long,) = (
        foreseen_lines(Panel((JUDGE,)), RUBRIC, ITEMS, {}, outputs("b", most=longest), NOW) for longest in (100, most)
    )
    assert short.expected_usd == long.expected_usd
    assert (long.worst_usd or 0.0) - (short.worst_usd or 0.0) >= 3 * (most - 100) * 2 / 1e6
    (pairs,) = foreseen_lines(Panel((JUDGE,), side_by_side=True), RUBRIC, ITEMS, {}, outputs("b", most=most), NOW)
    assert (pairs.worst_usd or 0.0) >= 6 * 2 * most * 2 / 1e6
    (beyond,) = foreseen_lines(Panel((JUDGE,)), RUBRIC, ITEMS, {}, outputs("b", most=10**7), NOW)
    at_most = IN_THE_US * (3 * 1.1e6 * 2.5 / 1e6 + 3 * 4096 * 10 / 1e6)
    assert (beyond.worst_usd or 0.0) < at_most, "no prompt is beyond the window"


@pytest.mark.parametrize(
    ("asked", "prices"),
    [
        ([(TrialKey("a", "one", 1), 100.0, 100)], Prices()),
        (outputs("b"), Prices()),
        (outputs("a"), Prices({JUDGE: OwnRates(input=2, output=10)})),
    ],
)
def test_nothing_is_cached_for_one_alone_for_a_short_context_or_without_a_price(
    asked: list[Output], prices: Prices
) -> None:
    (line,) = foreseen_lines(Panel((JUDGE,), context="full"), RUBRIC, ITEMS, DOCUMENTS, asked, NOW, prices)
    assert line.worst_usd is not None
    most_tokens = (line.worst_usd / IN_THE_US * 1e6 - line.requests * 4096 * 10) / 2
    assert most_tokens == pytest.approx(round(most_tokens))
    assert line.input_tokens < most_tokens < 6 * line.input_tokens


def test_where_a_request_stands_decides_what_it_costs() -> None:
    alone, first, later = (JudgeSize(JUDGE, 10_000, 500, 30_000, place) for place in ("alone", "first", "later"))
    costs = [size.expected_usd(NOW) or 0.0 for size in (alone, first, later)]
    assert costs[1] > costs[0] > costs[2]
    assert alone.worst_usd(NOW) < first.worst_usd(NOW) == later.worst_usd(NOW)


def test_a_rubric_of_checks_alone_has_no_judge_to_pay() -> None:
    check = {"id": "right", "question": "?", "kind": "check", "check": {"type": "exact"}}
    rubric = Rubric.model_validate_json(json.dumps({**PASS_OR_FAIL, "criteria": [check]}))
    assert foreseen_lines(Panel((JUDGE,)), rubric, ITEMS, DOCUMENTS, outputs("a"), NOW) == ()


@pytest.mark.long
def test_foreseeing_many_outputs_takes_little_memory_for_each() -> None:
    """A run of 100,000 trials is foreseen before it starts; what that takes would stay with the process."""

    def peak(items: int) -> int:
        records = {f"i{n}": replace(SHORT, id=f"i{n}", position=n) for n in range(items)}
        asked = [(TrialKey(name, model, 1), 100.0, 100) for name in records for model in MODELS]
        return traced_peak(lambda: foreseen_lines(Panel((JUDGE,)), RUBRIC, records, {}, asked, NOW))

    peak(10)  # what is loaded once
    assert (peak(1500) - peak(500)) / 1000 < 350


def test_what_judges_have_taken_is_expected_of_the_rest() -> None:
    """A judge that thinks writes six times what is supposed, of prompts half as long as they may be."""
    book = Book(spec((JUDGE,)))
    trial = book.trial("a", answered(), model=JUDGE, level=1)
    usage = Usage(input_tokens=1500, output_tokens=2400)
    for _ in range(3):
        answer = replace(answered(0.03, usage=usage), most_tokens=3000, cached=False)
        book.judging(trial, answer, grader=f"judge {JUDGE}")
    size = JudgeSize(JUDGE, 500, 500, 3000)
    (line,) = judge_lines([size] * 4, NOW, seen=judges_seen(book.snapshot()))
    each_usd = request_usd(JUDGE, 1500, 2400, NOW)
    assert each_usd is not None
    assert line.expected_usd == pytest.approx(4 * each_usd)
    (before,) = judge_lines([size] * 4, NOW)
    assert before.expected_usd is not None
    assert before.expected_usd < line.expected_usd / 4
    assert line.worst_usd == before.worst_usd, "no prompt was longer than it might be"
