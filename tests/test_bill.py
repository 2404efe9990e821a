"""The bill: what is left to pay, expected and at worst, by what has been seen; unknown prices make no total."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from evalkit.bill import TYPICAL_OUTPUT_TOKENS, Bill, Line, request_usd, run_bill, worst_cases
from evalkit.claims import charged
from evalkit.compact import PromptSizes
from evalkit.config import OwnRates
from evalkit.dataset import Card, Dataset, Params
from evalkit.executors.pace import MINUTE_S
from evalkit.graders.judge import MAX_TOKENS
from evalkit.plan import Plan, record, trial_order
from evalkit.pricing import Prices, price
from evalkit.prompt import Assembly
from evalkit.records import Attempt, Batch, ItemRecord, PromptSize, Spec, TrialKey, Usage
from tests.analysis_builders import Book, answered, failed, lost
from tests.analysis_builders import spec as run_spec
from tests.builders import dataset, item

NOW = datetime(2026, 11, 22, tzinfo=UTC)
OPUS, HAIKU, SONNET = "claude-opus-4-6", "claude-haiku-4-5", "claude-sonnet-4-6"


def spec(*models: str, max_tokens: int = 1000) -> Spec:
    return Spec(
        name="r", dataset_sha256="", rubric_sha256="", prompt_sha256="", models=models, epochs=1, seed=1,
        context_tokens=None, limit=None, endpoint="", simulated=True, max_tokens=max_tokens, rubric={},
        package_version="", prices_version="", created_at="",
    )  # fmt: skip


def plan_of(made: Dataset, *models: str, sizes: Sequence[PromptSize] = ()) -> Plan:
    items = tuple(record(row, n, made, Assembly((), ()), row.id, None) for n, row in enumerate(made.items))
    return Plan(spec(*models), items, PromptSizes(sizes), ())


def records(made: Dataset) -> dict[str, ItemRecord]:
    return {item.id: item for item in plan_of(made).items}


def test_worst_case_is_a_full_answer() -> None:
    assert request_usd(OPUS, 50_000, 800, NOW) == pytest.approx(0.27)
    assert request_usd(OPUS, 50_000, 800, NOW, inference_geo="us") == pytest.approx(0.27 * 1.1)
    assert request_usd(OPUS, 50_000, 800, NOW, cache="5m") == pytest.approx(0.3325)
    assert request_usd(OPUS, 50_000, 800, NOW, cache="1h") == pytest.approx(0.52)
    assert request_usd(OPUS, 50_000, 800, NOW, Prices({OPUS: OwnRates(input=1, output=10)})) == pytest.approx(0.058)
    assert request_usd("nobody", 50_000, 800, NOW) is None


@pytest.mark.parametrize(
    ("own", "card", "output_usd"),
    [
        ({}, {}, 1000 * 25e-6 * 1.1),
        ({"max_tokens": 5}, {}, 5 * 25e-6 * 1.1),
        ({}, {"max_tokens": 7}, 7 * 25e-6 * 1.1),
        ({"max_tokens": 5}, {"max_tokens": 7}, 5 * 25e-6 * 1.1),
        ({"inference_geo": "global"}, {}, 1000 * 25e-6),
        ({"inference_geo": "us"}, {}, 1000 * 25e-6 * 1.1),
        ({}, {"inference_geo": "us"}, 1000 * 25e-6 * 1.1),
        ({"inference_geo": "global"}, {"inference_geo": "us"}, 1000 * 25e-6),
        ({"speed": "standard"}, {"speed": "fast"}, 1000 * 25e-6 * 1.1),
    ],
)
def test_worst_case_follows_the_items_settings_then_the_cards_then_the_runs(
    own: dict[str, Any], card: dict[str, Any], output_usd: float
) -> None:
    made = dataset(item(params=own), card=Card(params=Params(**card)))
    plan = plan_of(made, OPUS, sizes=[PromptSize("a", OPUS, 0, True)])
    assert worst_cases(plan, NOW)(TrialKey("a", OPUS, 1)) == pytest.approx(output_usd)
    (only,) = run_bill(plan, [TrialKey("a", OPUS, 1)], NOW)
    assert only.worst_usd == pytest.approx(output_usd)


@pytest.mark.parametrize("settings", [{"own": {"speed": "fast"}}, {"card": {"speed": "fast"}}])
def test_fast_mode_is_foreseen_at_its_own_price_and_in_a_batch_at_the_batchs(settings: dict[str, Any]) -> None:
    model, when = "claude-opus-5-5", datetime(2026, 11, 22, tzinfo=UTC)
    own, card = settings.get("own", {}), settings.get("card", {})
    made = dataset(item(params=own), card=Card(params=Params(**card)))
    plan = plan_of(made, model, sizes=[PromptSize("a", model, 5000, True)])
    fast, plain, batch = (
        price(model, Usage(5500, 1000, speed=speed, service_tier=tier, inference_geo="us"), when).usd
        for speed, tier in (("fast", None), (None, None), (None, "batch"))
    )
    assert fast is not None
    assert plain is not None
    assert fast > plain
    key = TrialKey("a", model, 1)
    assert worst_cases(plan, when)(key) == pytest.approx(fast)
    assert worst_cases(plan, when, batched=["a"])(key) == pytest.approx(batch)
    (line,) = run_bill(plan, [key], when)
    assert line.worst_usd == pytest.approx(fast)
    assert line.expected_usd is not None
    assert line.expected_usd > plain / 2


def test_fast_mode_of_a_model_without_a_price_for_it_is_unknown() -> None:
    made = dataset(item(params={"speed": "fast"}))
    plan = plan_of(made, OPUS, sizes=[PromptSize("a", OPUS, 5000, True)])
    assert worst_cases(plan, NOW)(TrialKey("a", OPUS, 1)) is None


def test_a_line_sums_the_trials_of_its_model() -> None:
    made = dataset(item("a"), item("b", params={"max_tokens": 200}))
    keys = tuple(trial_order(["a", "b"], [OPUS, HAIKU], 2, 1))
    sizes = [PromptSize(i, m, 10_000 if i == "a" else 20_000, m == OPUS) for i in "ab" for m in (OPUS, HAIKU)]
    opus, haiku = run_bill(plan_of(made, OPUS, HAIKU, sizes=sizes), keys, NOW)
    assert (opus.model, opus.requests, opus.input_tokens, opus.uncounted, opus.seen) == (OPUS, 4, 60_000, 0, 0)
    assert opus.worst_usd == pytest.approx(1.1 * (1.1 * 60_000 * 5e-6 + 2 * 1200 * 25e-6), rel=1e-4)
    assert opus.expected_usd == pytest.approx(60_000 * 5e-6 + 2 * (TYPICAL_OUTPUT_TOKENS + 200) * 25e-6)
    assert haiku.uncounted


def test_an_unpriced_model_is_unknown_not_free_and_makes_no_total() -> None:
    sizes = [PromptSize("a", model, 10, True) for model in ("nobody", HAIKU)]
    plan = plan_of(dataset(item("a")), "nobody", HAIKU, sizes=sizes)
    nobody, haiku = run_bill(plan, [TrialKey("a", "nobody", 1), TrialKey("a", HAIKU, 1)], NOW)
    assert (nobody.requests, nobody.input_tokens, nobody.expected_usd, nobody.worst_usd) == (1, 10, None, None)
    assert Bill((nobody, haiku)).total_usd("worst") is None
    assert Bill((haiku,)).total_usd("worst") == haiku.worst_usd


def test_no_trials_cost_nothing() -> None:
    (only,) = run_bill(plan_of(dataset(), OPUS), [], NOW)
    assert (only.requests, only.expected_usd, only.worst_usd) == (0, 0, 0)


def test_what_the_run_file_has_seen_replaces_the_assumption() -> None:
    book = Book(run_spec((OPUS, HAIKU)))
    for name in "ab":
        book.trial(name, answered(latency_s=4.0), model=OPUS)  # 100 tokens, felt 6 s
    sizes = [PromptSize("a", model, 1000, True) for model in (OPUS, HAIKU)]
    plan = plan_of(dataset(item("a")), OPUS, HAIKU, sizes=sizes)
    opus, haiku = run_bill(plan, [TrialKey("a", OPUS, 2), TrialKey("a", HAIKU, 2)], NOW, book.snapshot())
    assert (opus.seen, opus.output_tokens, opus.seconds) == (2, 100, 6.0)
    assert opus.expected_usd == pytest.approx(1000 * 5e-6 + 100 * 25e-6)
    assert (haiku.seen, haiku.output_tokens) == (0, TYPICAL_OUTPUT_TOKENS)
    assert Bill((opus, haiku)).seconds(2) == pytest.approx((6.0 + haiku.seconds) / 2)


@pytest.mark.parametrize(
    ("pinned", "minutes"),
    [
        ({}, 0),
        ({"requests": 1}, 79),
        ({"requests": 10}, 7),
        ({"requests": 80}, 0),
        ({"input_tokens": 100_000}, 39),  # two of 49,000 a minute
        ({"input_tokens": 10_000}, 79),  # larger than the limit: one a minute
        ({"requests": 1, "input_tokens": 100_000}, 79),
    ],
)
def test_pinned_limits_take_their_time(pinned: dict[str, int], minutes: int) -> None:
    names = [f"i{n}" for n in range(80)]
    sizes = [PromptSize(name, HAIKU, 49_000, True) for name in names]
    plan = plan_of(dataset(*map(item, names)), HAIKU, sizes=sizes)
    bill = Bill(run_bill(plan, [TrialKey(name, HAIKU, 1) for name in names], NOW))
    assert bill.seconds(64, pinned) == pytest.approx(max(MINUTE_S * minutes, bill.seconds(64)))


@pytest.mark.parametrize(
    ("ages", "left", "rpm", "last_s"),
    [
        ([8.0] * 10, 2, 10, 53),  # none may go before those count no more
        ([8.0] * 10, 20, 10, 114),
        ([40.0, 8.0], 3, 4, 21),  # two at once, the third once the first counts no more
        ([8.0] * 3, 7, 10, 0),
        ([8.0] * 10, 5, 3, 114),  # more than the limit, which another command did not have
    ],
)
def test_what_went_just_before_takes_its_time_too(ages: list[float], left: int, rpm: int, last_s: float) -> None:
    line = Line(OPUS, left, 0, 0, 1.0, 0.0, 0.0, 1.0, lately=tuple(ages))
    assert line.paced_s({"requests": rpm}) == pytest.approx(last_s)
    assert line.paced_s({}) == 0


def test_a_bill_knows_what_its_run_has_just_sent() -> None:
    book = Book(run_spec((OPUS,)))
    book.trial("a", answered(latency_s=4.0), model=OPUS)
    sizes = (PromptSize("a", OPUS, 1000, True),)
    plan, seen = plan_of(dataset(item("a")), OPUS, sizes=sizes), replace(book.snapshot(), sizes=sizes)
    sent = datetime.fromisoformat(seen.attempts[0].sent_at)
    (line,) = run_bill(plan, [TrialKey("a", OPUS, 2)], sent + timedelta(seconds=9), seen)
    assert line.lately == pytest.approx((9.0,), abs=0.1)
    (later,) = run_bill(plan, [TrialKey("a", OPUS, 2)], sent + timedelta(seconds=90), seen)
    assert later.lately == ()


def test_what_answers_showed_of_prompts_is_remembered_of_what_is_set_aside_and_of_what_is_to_come() -> None:
    """A server counts 1,000 tokens and bills ten times as many: so may the attempt that broke off, and the next."""
    book = Book(run_spec((OPUS,), max_tokens=300), sizes=[PromptSize(name, OPUS, 1000, True) for name in "ab"])
    book.trial("a", lost(), answered(0.05, usage=Usage(input_tokens=10_000, output_tokens=100)), level=1)
    book.trial("b", lost())
    seen = book.snapshot()
    most_usd = 1.1 * (10_000 * 5e-6 + 300 * 25e-6)
    assert charged(seen, NOW).aside_usd == pytest.approx(2 * most_usd, rel=1e-3)
    plan = Plan(seen.spec, seen.items, PromptSizes(seen.sizes), ())
    (line,) = run_bill(plan, [TrialKey("b", OPUS, 1)], NOW, seen)
    assert line.worst_usd == pytest.approx(most_usd, rel=1e-3)
    assert line.expected_usd == pytest.approx(10_000 * 5e-6 + 100 * 25e-6), "and so it is expected to take"
    assert line.input_tokens == 1000, "what was counted is told as it was counted"


def test_what_is_in_a_batch_is_set_aside_at_its_price_and_has_not_broken_off() -> None:
    """As by `grade` under a budget, while a batch of the run is at the server."""
    book = Book(run_spec((OPUS,), max_tokens=300), sizes=[PromptSize(name, OPUS, 1000, True) for name in "ab"])
    book.trial("a", lost())
    book.trial("b", lost())
    batch = Batch(1, "n", "2026-11-22T00:00:00+00:00", "msgbatch_1", (1,))
    found = charged(book.snapshot(batches=(batch,)), NOW)
    most_usd = 1.1 * (1.1 * 1000 * 5e-6 + 300 * 25e-6)
    assert found.aside_usd == pytest.approx(1.5 * most_usd, rel=1e-3), "half the price in the batch"
    assert (found.broken, found.in_batches) == (1, 1)
    assert found.aside(lambda usd: f"${usd:.4f}").endswith("for 1 answer that broke off and 1 request in batches")
    assert found.plus(0.1, 0.05).in_batches == 1


LOST_USD = 1.1 * (1.1 * 1000 * 5e-6 + 300 * 25e-6)
"""At its worst: a tenth more tokens than counted, and an answer as long as allowed, processed in the US."""


JUDGED = Usage(input_tokens=2000, output_tokens=100)


def asked(attempt: Attempt, most_tokens: int | None, cached: bool | None = False) -> Attempt:
    """A judge's attempt with what was known of its prompt when it began."""
    return replace(attempt, most_tokens=most_tokens, cached=cached)


def judged_usd(tokens: float, cache: float = 1.0) -> float:
    """The most that a request to the judge can cost, a Sonnet processed in the US."""
    return 1.1 * (tokens * 3e-6 * cache + MAX_TOKENS * 15e-6)


@pytest.mark.parametrize(
    ("judging", "judges_usd"),
    [
        ([], 0.0),
        ([asked(answered(0.02), 3000)], 0.02),
        ([asked(lost(), 3000)], judged_usd(3000)),
        ([asked(lost(), 3000, True)], judged_usd(3000, 1.25)),
        ([asked(answered(0.02), 3000), asked(lost(), 3000)], 0.02 + judged_usd(3000)),
        ([asked(failed(0.006, usage=Usage(input_tokens=2000, output_tokens=1)), 3000)], judged_usd(3000)),
        # an answer to one prompt showed twice as many tokens as were taken for the most
        ([asked(answered(0.02, usage=JUDGED), 1000), asked(lost(), 3000)], 0.02 + judged_usd(6000)),
        # a file that does not say how long the prompt may be: all that the model takes
        ([asked(lost(), None, None)], judged_usd(1_000_000, 1.25)),
    ],
)
def test_a_budget_bears_production_and_judging_and_what_may_have_been_billed_at_its_worst(
    judging: list[Attempt], judges_usd: float
) -> None:
    book = Book(run_spec((OPUS,), max_tokens=300), sizes=[PromptSize("a", OPUS, 1000, True)])
    told = Usage(input_tokens=1000, output_tokens=1)
    cut = failed(0.005025, usage=told)  # perhaps billed to its end
    trial = book.trial("a", lost(), cut, answered(0.04), level=1)
    for attempt in judging:
        book.judging(trial, attempt, grader=f"judge {SONNET} #2")
    found = charged(book.snapshot(), NOW)
    assert found.borne_usd == pytest.approx(0.04 + 2 * LOST_USD + judges_usd, rel=1e-3)
    known_usd = 0.04 + 0.005025 + sum(attempt.cost_usd or 0.0 for attempt in judging)
    broken = 2 + sum(attempt.outcome != "answered" for attempt in judging)
    assert (found.spent_usd, found.broken) == (pytest.approx(known_usd), broken)
