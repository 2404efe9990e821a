"""A model's pace grows with answers, shrinks with refusals for load, and keeps to its limits a minute."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.executors.pace import MINUTE_S, START, Bucket, Need, Pace, Window
from evalkit.records import Allowance, Reply

GOOD = Reply("answered", 1.0, "Hi", status=200)
BUSY = Reply("errored", 1.0, status=529, error_type="overloaded_error", retryable=True)
LIMITED = Reply("errored", 1.0, status=429, error_type="rate_limit_error", retryable=True, retry_after_s=7.0)
ONE = Need(input_tokens=100, output_tokens=20)


def fill(pace: Pace, now: float, need: Need = ONE) -> int:
    """Send as many as may go at one moment."""
    sent = 0
    while pace.wait_s(need, now) == 0.0:
        pace.sent(need, now)
        sent += 1
    return sent


def test_it_starts_modestly_and_doubles_a_round_trip_up_to_the_ceiling() -> None:
    pace, seen = Pace(ceiling=100), []
    for trip in range(5):
        seen.append(fill(pace, now=float(trip)))
        for _ in range(seen[-1]):
            pace.ended(GOOD, sent_at=float(trip), now=trip + 0.5)
    assert seen == [START, 2 * START, 4 * START, 8 * START, 100]


def test_a_low_ceiling_is_never_passed() -> None:
    pace = Pace(ceiling=3)
    assert fill(pace, 0.0) == 3
    for _ in range(3):
        pace.ended(GOOD, 0.0, 1.0)
    assert fill(pace, 1.0) == 3


IN_STREAM = ["overloaded_error", "rate_limit_error", "throttlingException", "serviceUnavailableException"]


@pytest.mark.parametrize(
    "refusal",
    [
        BUSY,
        LIMITED,
        replace(BUSY, status=503, error_type="http_503"),
        *(replace(BUSY, status=200, error_type=kind) for kind in IN_STREAM),
        replace(BUSY, status=None, error_type="ServiceUnavailable"),
    ],
)
def test_requests_refused_together_shrink_it_once_and_later_ones_again(refusal: Reply) -> None:
    pace = Pace(ceiling=64, limit=16)
    fill(pace, 0.0)
    for _ in range(4):
        pace.ended(refusal, sent_at=0.0, now=1.0)
    assert pace.limit == 12
    pace.sent(ONE, 10.0)
    pace.ended(refusal, sent_at=10.0, now=11.0)
    assert (pace.limit, pace.throttled) == (9, 5)


def test_after_a_refusal_it_grows_by_two_a_round_trip() -> None:
    pace = Pace(ceiling=64, limit=16)
    pace.sent(ONE, 0.0)
    pace.ended(BUSY, 0.0, 1.0)
    assert pace.limit == 12
    for _ in range(12):
        pace.sent(ONE, 2.0)
        pace.ended(GOOD, 2.0, 3.0)
    assert pace.limit == pytest.approx(14.0, abs=0.2)


def test_it_never_falls_below_one() -> None:
    pace = Pace(ceiling=4)
    for trip in range(10):
        pace.sent(ONE, float(trip))
        pace.ended(BUSY, float(trip), trip + 0.5)
    assert pace.wait_s(ONE, 100.0) == 0.0


@pytest.mark.parametrize(
    "reply", [replace(GOOD, outcome="errored", status=400), replace(BUSY, status=500, error_type="x")]
)
def test_other_errors_say_nothing_about_the_pace(reply: Reply) -> None:
    pace = Pace(ceiling=64)
    pace.sent(ONE, 0.0)
    pace.ended(reply, 0.0, 1.0)
    assert pace.limit == START


@pytest.mark.parametrize(
    "limited",
    [LIMITED, *(replace(LIMITED, status=200, error_type=kind) for kind in ("rate_limit_error", "throttlingException"))],
)
def test_what_comes_too_fast_holds_back_the_whole_model_and_an_overload_does_not(limited: Reply) -> None:
    pace = Pace(ceiling=8)
    fill(pace, 0.0)
    pace.ended(BUSY, 0.0, 1.0, hold_s=7.0)
    for _ in range(7):
        pace.ended(GOOD, 0.0, 1.0)
    assert pace.wait_s(ONE, 1.0) == 0.0
    pace.sent(ONE, 1.0)
    pace.ended(limited, 1.0, 2.0, hold_s=7.0)
    assert pace.wait_s(ONE, 2.0) == 7.0
    assert pace.wait_s(ONE, 9.0) == 0.0


@pytest.mark.parametrize(
    ("kind", "per_minute", "sent_at_once"),
    [("requests", 5, 5), ("input_tokens", 350, 3), ("output_tokens", 60, 3), ("tokens", 240, 2)],
)
def test_a_pinned_limit_is_kept_whatever_the_server_says(kind: str, per_minute: int, sent_at_once: int) -> None:
    pace = Pace(ceiling=50, pinned={kind: per_minute})
    assert fill(pace, 0.0) == sent_at_once
    pace.ended(replace(GOOD, allowances={kind: Allowance(10**9, 10**9, 0.0)}), 0.0, 0.0)
    wait_s = pace.wait_s(ONE, 0.0)
    assert wait_s == MINUTE_S
    assert pace.wait_s(ONE, wait_s) == 0.0


def test_what_earlier_processes_sent_within_the_minute_counts_against_a_pinned_limit() -> None:
    pace = Pace(ceiling=50, pinned={"requests": 4, "input_tokens": 350}, lately=[(-10.0, ONE), (-40.0, ONE)])
    assert fill(pace, 0.0) == 1, "300 of 350 tokens"
    assert pace.wait_s(ONE, 0.0) == pytest.approx(MINUTE_S - 40)


@given(
    per_minute=st.integers(1, 1000),
    asked=st.lists(st.tuples(st.integers(1, 1500), st.floats(0, 90)), min_size=1, max_size=40),
)
def test_no_minute_has_more_than_a_pinned_limit_wherever_it_begins(
    per_minute: int, asked: list[tuple[int, float]]
) -> None:
    window, now = Window(per_minute), 0.0
    sent: list[tuple[float, int]] = []
    for amount, pause in asked:
        now += pause
        waited = window.wait_s(amount, now)
        assert 0 <= waited <= MINUTE_S + 1e-6
        now += waited
        assert window.wait_s(amount, now) == pytest.approx(0.0, abs=1e-6)
        window.take(amount, now)
        sent.append((now, amount))
    for begin, _ in sent:
        within = [amount for moment, amount in sent if begin <= moment < begin + 60]
        assert sum(within) <= per_minute or len(within) == 1, "one that is larger than the limit goes alone"


def test_limits_told_in_headers_are_kept_even_where_others_use_the_account() -> None:
    pace = Pace(ceiling=50)
    pace.sent(ONE, 0.0)
    pace.ended(replace(GOOD, allowances={"input_tokens": Allowance(6000, 250, 57.0)}), 0.0, 0.0)
    assert fill(pace, 0.0) == 2
    pace.ended(replace(GOOD, allowances={"input_tokens": Allowance(6000, 0, 60.0)}), 0.0, 0.0)
    assert pace.wait_s(ONE, 0.0) == pytest.approx(1.0)


@pytest.mark.parametrize("told", [Allowance(None, 5, 1.0), Allowance(0, 0, 1.0), Allowance(100, None, 1.0)])
def test_half_told_limits_are_no_limits(told: Allowance) -> None:
    pace = Pace(ceiling=9)
    pace.sent(ONE, 0.0)
    pace.ended(replace(GOOD, allowances={"requests": told}), 0.0, 0.0)
    assert fill(pace, 0.0) == 9


@given(
    per_minute=st.integers(1, 10**6),
    amounts=st.lists(st.integers(1, 10**6), min_size=1, max_size=30),
)
def test_a_bucket_lets_through_no_more_than_its_rate_and_its_size(per_minute: int, amounts: list[int]) -> None:
    bucket, now, taken = Bucket(per_minute, per_minute, 0.0), 0.0, 0.0
    for amount in amounts:
        now += bucket.wait_s(amount, now)
        bucket.take(amount, now)
        taken += amount
        assert taken <= per_minute * (1 + now / 60) + max(amounts) + 1e-3
    assert bucket.wait_s(10**9, now) < float("inf"), "a request larger than the bucket goes when it is full"
