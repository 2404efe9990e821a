"""The gate: three outcomes by one rule, each check on its own figure, and nothing that passes for want of data."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as xml

import numpy as np
import pytest
from analysis_builders import JUDGE, Book, answered, ended, failed, round_, spec, write_run
from gates import BASELINE, CANDIDATE, PERSON, evidence, run, table, without

from evalkit import stats
from evalkit.analysis import Analysis, analyze
from evalkit.cli import main
from evalkit.errors import IntegrityError, ProblemsError, UsageError
from evalkit.gate import gate, sides
from evalkit.gating.evidence import evidence_of, satisfied
from evalkit.gating.foreseen import afford
from evalkit.gating.graders import refuse_other_graders
from evalkit.gating.not_worse import share_result
from evalkit.gating.policy import NO_QUALITY, check_modules, default_policy, read_policy
from evalkit.gating.results import CheckResult, GateReport, settled
from evalkit.gating.rules import Assay, Rules
from evalkit.grader_names import CHECKS
from evalkit.pins.scan import pins_in
from evalkit.records import Attempt, Batch, Snapshot
from evalkit.rendering.gate import to_json, to_junit, to_markdown


def policy(text: str) -> Any:
    return read_policy(text, "gate.yaml")


def outcomes(text: str, *sides_: Any, **changes: Any) -> dict[str, str]:
    return {c.name: c.outcome for c in gate(evidence(*sides_, **changes), policy(text)).checks}


# --- one verdict of three ---


def result(outcome: str, p_worse: float | None = None) -> CheckResult:
    return CheckResult("quality", outcome, "found", "asked", p_worse=p_worse)


@pytest.mark.parametrize(
    ("checks", "verdict"),
    [
        ([], "inconclusive"),
        ([("pass", 0.9)], "pass"),
        ([("pass", 0.9), ("pass", None)], "pass"),
        ([("pass", 0.9), ("inconclusive", None)], "inconclusive"),
        ([("pass", 0.9), ("inconclusive", 0.2)], "inconclusive"),
        ([("inconclusive", 0.049)], "fail"),
        ([("inconclusive", 0.03), ("inconclusive", 0.5)], "inconclusive"),  # Holm: 2 x 0.03
        ([("inconclusive", 0.02), ("inconclusive", 0.5)], "fail"),
        ([("pass", 0.001), ("inconclusive", 0.5)], "inconclusive"),  # a real loss within the margin still passes
        ([("inconclusive", 0.0), ("pass", 0.5), ("pass", None)], "fail"),
        ([("inconclusive", 0.03), ("pass", 0.5)], "inconclusive"),  # those that pass are among the tested
    ],
)
def test_every_check_must_pass_and_any_shown_loss_fails(checks: list[tuple[str, float | None]], verdict: str) -> None:
    assert settled([result(*check) for check in checks], 0.05).verdict == verdict


@pytest.mark.long
def test_equal_models_fail_no_more_often_for_five_checks_than_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices of 100 items, discordance .10: adjusted over those alone that do not pass, 32 of them would fail."""
    monkeypatch.setattr(
        "evalkit.gating.not_worse._items_needed", lambda *_: "more items"
    )  # a search that no verdict rests on
    rng, counts, failed = np.random.default_rng(3), [0.05, 0.05, 0.9], 0
    tested: dict[tuple[int, int], CheckResult] = {}
    whole = evidence(*table(0, 0, 100)).shares(satisfied)
    for _ in range(150):
        checks = []
        for gain, loss, _both in rng.multinomial(100, counts, size=5).tolist():
            if (gain, loss) not in tested:
                then, now = ([float(row[0]) for row in side] for side in table(gain, loss, 100 - gain - loss))
                pairs = replace(whole, baseline=tuple(then), candidate=tuple(now))  # as analysed, without analysing
                found = share_result("quality", "satisfactory outputs", pairs, 0.10, Rules(0.05, 0, Assay()))
                tested[gain, loss] = replace(found, outcome="pass" if found.within else "inconclusive")
            checks.append(tested[gain, loss])
        failed += settled(checks, 0.05).verdict == "fail"
    assert failed <= 12


@pytest.mark.long
@pytest.mark.parametrize(
    ("sides_", "margin", "said"),
    [
        (table(0, 0, 56), 0.05, "a loss of 5 points is not excluded, by the exact test beside the interval"),
        (([[True] * 10] * 52, [[True] * 10] * 52), 0.05, "by the test, which reckons with items like none of these,"),
        (table(0, 2, 53), 0.05, None),
    ],
)  # fmt: skip
def test_an_interval_above_the_margin_that_does_not_pass_is_explained(
    sides_: Any, margin: float, said: str | None
) -> None:
    check = gate(evidence(*sides_), policy(f"quality: {{margin: {margin}}}")).checks[0]
    low = check.estimate.low if check.estimate else None
    assert check.outcome == "inconclusive"
    assert low is not None
    assert (low > -margin) == (said is not None)
    assert (said or "is not excluded") in check.finding
    assert ("beside the interval" in check.finding) == (said is not None)


def test_no_limit_reads_as_the_margin_by_rounding_alone() -> None:
    """1 gained and 4 lost of 80: the lower limit is -9.6 points, which passes a margin of 10."""
    check = gate(evidence(*table(1, 4, 75)), policy("quality: {margin: 0.10}")).checks[0]
    assert check.outcome == "pass"
    assert "−4 points (−9.6 to +1)" in check.finding
    assert "a loss of 10 points is excluded" in check.finding
    assert "(−10 to +1)" in gate(evidence(*table(1, 4, 75)), policy("quality: {margin: 0.20}")).checks[0].finding


def test_what_the_interval_shows_and_the_exact_test_does_not_is_likely_and_no_failure() -> None:
    """2 gained and 7 lost: by the interval alone, two equal models of 52 items fail in up to 6.3 % of all runs."""
    found = gate(evidence(*table(2, 7, 43)), policy("quality: {margin: 0.05}"))
    assert found.verdict == "inconclusive"
    estimate = found.checks[0].estimate
    assert estimate is not None
    assert estimate.high is not None
    assert estimate.high < 0
    assert found.checks[0].finding.endswith("a loss is likely")


@pytest.mark.parametrize(("good", "outcome"), [(0, "inconclusive"), (6, "inconclusive"), (7, "pass")])
def test_a_baseline_with_nothing_to_lose_lets_nothing_pass(good: int, outcome: str) -> None:
    """Both sides alike: a key that was refused, or a prompt that nobody can follow, is no evidence."""
    side: list[Any] = [[True]] * good + [[ended("errored")]] * (60 - good)
    check = gate(evidence(side, side), default_policy(60, 1)).checks[0]
    assert check.outcome == outcome
    assert ("too few items to lose 10 points" in check.finding) == (outcome != "pass")
    assert ("items that it does well on, or a smaller margin" in (check.needs or "")) == (outcome != "pass")


@pytest.mark.parametrize(("good", "items", "margin"), [(0, 5, 0.3), (1, 20, 0.1), (1, 25, 0.05)])
def test_no_items_are_advised_where_any_number_of_such_has_too_little_to_lose(
    good: int, items: int, margin: float
) -> None:
    """On so few items the test does not show it either, and more of the same would show it and pass nothing."""
    side: list[Any] = [[True]] * good + [[False]] * (items - good)
    (check,) = gate(evidence(side, side), policy(f"quality: {{margin: {margin}}}")).checks
    assert check.outcome == "inconclusive"
    assert str(check.needs).endswith("items that it does well on, or a smaller margin")
    assert "more item" not in str(check.needs)
    assert f"the baseline has satisfactory outputs on too few items to lose {100 * margin:g} points" in str(check.needs)


def test_a_baseline_of_which_little_is_graded_may_have_enough_to_lose() -> None:
    side: list[Any] = [[False]] * 3 + [[None]] * 57
    (check,) = gate(evidence(side, side), policy("quality: {margin: 0.10}")).checks
    assert "figures for 57 items without one" in str(check.needs)
    assert "smaller margin" not in str(check.needs)


PRICE = re.compile(r", for about \$([\d.]+) \(a set that has grown is run whole\)")


def priced_needs(text: str, *sides_: Any, **changes: Any) -> tuple[str, float]:
    """What settles the last check of models at 20 cents a trial, and its price."""
    sent = answered(cost_usd=0.2)
    found = evidence(*sides_, attempt=lambda model, item: replace(sent, served_model=model), **changes)
    needs = str(gate(found, policy(text)).checks[-1].needs)
    price = PRICE.search(needs)
    assert price is not None, needs
    return needs, float(price[1])


def test_what_would_settle_it_has_its_price() -> None:
    """More items are another dataset, of whose run nothing is there yet: all of it is paid for again."""
    needs, usd = priced_needs("quality: {margin: 0.05}", *table(0, 2, 48))
    more = re.search(r"about (\d+) more items \((\d+) in all\), .*\), pass four times in five", needs)
    assert more is not None
    assert int(more[2]) == 50 + int(more[1])
    assert usd == pytest.approx(int(more[2]) * 2 * 0.2, abs=0.01)
    unpriced = answered(cost_usd=None)
    found = gate(evidence(*table(0, 2, 48), attempt=lambda *_: unpriced), policy("quality: {margin: 0.05}"))
    assert "at a cost that is not known, pass" in str(found.checks[0].needs)


def test_items_of_a_slice_are_paid_for_with_all_others() -> None:
    def hard(item: int) -> str | None:
        return "hard" if item < 25 else None

    needs, usd = priced_needs("quality: {margin: 0.5, slices: {hard: 0.05}}", *table(0, 0, 50), difficulty=hard)
    more = re.search(r"about (\d+) more items \((\d+) in all\)", needs)
    assert more is not None
    assert int(more[2]) == 25 + int(more[1])
    assert usd == pytest.approx((50 + int(more[1])) * 2 * 0.2, abs=0.01)


def test_as_many_again_or_epochs_cost_twice_the_run() -> None:
    wavering = [[True, False]] * 30
    sides_ = [[True, True]] * 70 + wavering, [[True, True]] * 60 + [[True, False]] * 10 + wavering
    needs, usd = priced_needs("quality: {margin: 0.1}", *sides_)
    assert "this many items of 2 epochs pass four times in five if the two are equal: add as many, or epochs" in needs
    assert usd == pytest.approx(2 * 100 * 2 * 2 * 0.2)


def test_items_that_settle_a_cost_are_paid_for_whole() -> None:
    needs, usd = priced_needs("cost_per_request: {}", *table(0, 0, 10))
    assert needs.startswith("at least 5 more items (15 in all), for about $")
    assert usd == pytest.approx(15 * 2 * 0.2)


@pytest.mark.parametrize("n", [50, 58, 59, 100])
def test_two_models_that_never_differ_pass_only_from_59_items_at_5_points(n: int) -> None:
    found = gate(evidence(*table(0, 0, n)), policy("quality: {margin: 0.05}"))
    assert found.verdict == ("pass" if n >= 59 else "inconclusive")
    assert any("cannot pass when the two never differ; 59 can" in note for note in found.notes) == (n < 59)


@pytest.mark.long
@pytest.mark.parametrize(("n", "margin"), [(50, 0.10), (100, 0.05)])
def test_it_passes_with_as_many_losses_as_it_says_and_no_more(n: int, margin: float) -> None:
    for gain in (0, 2, 5):
        most = stats.losses_allowed(n, margin, [gain])[0]
        for loss in (0,) if most is None else (most, most + 1):
            found = gate(evidence(*table(gain, loss, n - gain - loss)), policy(f"quality: {{margin: {margin}}}"))
            assert (found.verdict == "pass") == (most is not None and loss <= most), (gain, loss)


def test_a_shown_loss_fails_and_says_which_items() -> None:
    found = gate(evidence(*table(1, 15, 44)), policy("quality: {margin: 0.10}"))
    assert found.verdict == "fail"
    assert found.headline == f"FAIL: {CANDIDATE} in place of {BASELINE}: worse in quality"
    assert found.checks[0].regressed == tuple(f"item-{i:03d}" for i in range(1, 16))


def test_a_small_real_loss_within_the_margin_passes_and_is_told() -> None:
    found = gate(evidence(*table(0, 8, 192)), policy("quality: {margin: 0.10}"))
    assert found.verdict == "pass"
    assert "a small real loss is likely" in found.headline


def test_trials_without_an_output_are_failures_and_dropping_them_would_pass() -> None:
    then, now = [[True]] * 60, [[True]] * 50 + [[ended("refused")]] * 5 + [[ended("truncated")]] * 5
    assert gate(evidence(then, now), policy("quality: {margin: 0.10}")).verdict == "fail"
    assert gate(evidence(then[:50], now[:50]), policy("quality: {margin: 0.10}")).verdict == "pass"


def test_swapping_the_sides_mirrors_the_difference() -> None:
    then, now = table(3, 9, 48)
    one = gate(evidence(then, now), policy("quality: {margin: 0.10}")).checks[0].estimate
    other = gate(evidence(now, then), policy("quality: {margin: 0.10}")).checks[0].estimate
    assert one is not None
    assert other is not None
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))


def test_epochs_are_repeats_of_an_item_and_not_items() -> None:
    then, now = [[True, True, False]] * 30, [[True, False, False]] * 30
    found = gate(evidence(then, now), policy("quality: {margin: 0.10}")).checks[0].estimate
    assert found is not None
    assert (found.n, found.value) == (30, pytest.approx(-1 / 3))


# --- what is checked ---

EQUAL = table(2, 2, 96)


def priced(then: float, now: float) -> Any:
    return lambda model, item: answered((then if model == BASELINE else now) * (1 + item % 7 / 10), served_model=model)


def timed(then: float, now: float) -> Any:
    def attempt(model: str, item: int) -> Any:
        s = (then if model == BASELINE else now) * (1 + item % 9 / 10 + (0.01 if model == BASELINE else 0) * (item % 3))
        return replace(answered(served_model=model), felt_s=s, ttft_s=s / 4)

    return attempt


@pytest.mark.parametrize(
    ("check", "changes", "outcome"),
    [
        ("cost_per_request: {at_most: 1.1}", {"attempt": priced(0.01, 0.01)}, "pass"),
        ("cost_per_request: {at_most: 1.1}", {"attempt": priced(0.01, 0.02)}, "fail"),
        ("cost_per_request: {}", {"attempt": lambda m, i: answered(None, served_model=m)}, "inconclusive"),
        ("cost_per_satisfactory: {at_most: 1.1}", {"attempt": priced(0.01, 0.009)}, "pass"),
        ("cost_per_satisfactory: {at_most: 1.1}", {"attempt": priced(0.01, 0.03)}, "fail"),
        ("cost_per_satisfactory: {at_most: 1.001}", {"attempt": priced(0.01, 0.01)}, "inconclusive"),
        ("felt_latency: {p90: 1.2}", {"attempt": timed(1, 1)}, "pass"),
        ("felt_latency: {p50: 1.2}", {"attempt": timed(1, 2)}, "fail"),
        ("ttft: {p50: 1.2}", {"attempt": timed(1, 1)}, "pass"),
        ("ttft: {p50: 1.2}", {"attempt": timed(1, 1.6)}, "fail"),
        ("ttft: {p50: 1.2}", {"attempt": lambda m, i: replace(answered(), ttft_s=None)}, "inconclusive"),
        ("served_model: {}", {}, "pass"),
        ("served_model: {}", {"attempt": lambda m, i: answered(served_model="claude-opus-5")}, "fail"),
        (
            "served_model: {}",
            {"attempt": lambda m, i: answered(served_model="claude-opus-5" if m == CANDIDATE else m)},
            "fail",
        ),
        (
            "served_model: {}",  # which says nothing against the candidate
            {"attempt": lambda m, i: answered(served_model="claude-opus-5" if m == BASELINE else m)},
            "inconclusive",
        ),
        ("served_model: {}", {"attempt": lambda m, i: answered()}, "inconclusive"),
        ("served_model: {}", {"attempt": lambda m, i: answered(served_model=m if i > 5 else None)}, "inconclusive"),
        ("served_model: {}", {"attempt": lambda m, i: answered(served_model=m if i > 2 else None)}, "pass"),
        ("served_model: {}", {"attempt": lambda m, i: answered(served_model=f"{m}-20260101")}, "inconclusive"),
        (
            "cost_per_request: {at_most: 1.1}",
            {"attempt": lambda m, i: answered(0.01 if m == BASELINE else 0.01 * 1.1)},
            "fail",
        ),
        ("cost_per_request: {}", {"attempt": lambda m, i: answered(0.01)}, "pass"),  # every item has the same ratio
        ("cost_per_request: {at_most: 1}", {"attempt": lambda m, i: answered(0.01)}, "inconclusive"),
        ("cost_per_request: {}", {"attempt": lambda m, i: answered(0.01 if m == BASELINE else 0.02)}, "fail"),
        (
            "felt_latency: {p50: 1.2}",
            {"attempt": lambda m, i: replace(answered(), felt_s=2.0 if i > 5 else None)},
            "inconclusive",
        ),
        ("completeness: {}", {}, "pass"),
        ("agreement: {}", {}, "inconclusive"),
        ("refusals: {margin: 0.05}", {}, "pass"),
        ("truncations: {margin: 0.05}", {}, "pass"),
    ],
)
def test_each_check_on_its_own_figure(check: str, changes: Any, outcome: str) -> None:
    assert set(outcomes(check, *EQUAL, **changes).values()) == {outcome}


def test_a_ratio_below_its_limit_never_reads_as_the_limit() -> None:
    """1.096 is shown to be below 1.1, which `1.1x` is not."""
    found = gate(evidence(*EQUAL, attempt=priced(0.01, 0.01096)), policy("cost_per_request: {at_most: 1.1}"))
    assert found.checks[0].outcome == "pass"
    assert "cost per request: 1.096× the baseline's" in found.checks[0].finding


@pytest.mark.parametrize(
    ("twice", "alike", "needs"),
    [
        (1, 1, "about 18 more outputs graded by two (at least 20, and a lower limit of 0.40, are needed)"),
        (9, 9, "about 2 more outputs graded by two"),
        (10, 10, None),
        (60, 60, None),
        (60, 20, "a clearer rubric, or graders who talk over what they disagree on"),
    ],
)
def test_agreement_on_few_outputs_is_not_shown_whatever_they_say(twice: int, alike: int, needs: str | None) -> None:
    """One output alike is an AC1 of 1, and where all that two have graded pass, alpha is not known."""
    book = Book(spec((BASELINE, CANDIDATE)), rounds=[round_(graders=())])
    for item in range(60):
        for model in (BASELINE, CANDIDATE):
            level = int(item >= 2)
            trial = book.trial(f"item-{item:02d}", answered(served_model=model), model=model, level=None)
            book.grade(trial, level, grader="ann")
            if item >= 60 - twice:
                book.grade(trial, level if item < 60 - twice + alike else 1 - level, grader="ben")
    analysis = analyze(book.snapshot())
    found = gate(evidence_of(analysis, analysis, BASELINE, CANDIDATE), policy("agreement: {}")).checks[0]
    assert found.outcome == ("pass" if needs is None else "inconclusive"), found
    assert (found.needs or "").startswith(needs or "")


def test_no_number_of_outputs_brings_a_low_agreement_above_what_is_needed() -> None:
    book, lot = Book(spec((BASELINE, CANDIDATE)), rounds=[round_(graders=())]), np.random.default_rng(2)
    for item in range(60):
        for model in (BASELINE, CANDIDATE):
            trial = book.trial(f"item-{item:02d}", answered(served_model=model), model=model, level=None)
            for grader in ("ann", "ben"):
                book.grade(trial, int(lot.random() < 0.5), grader=grader)
    analysis = analyze(book.snapshot())
    asked = policy("agreement: {at_least: -0.5}")
    found = gate(evidence_of(analysis, analysis, BASELINE, CANDIDATE), asked).checks[0]
    assert (found.outcome, found.needs) == (
        "inconclusive", "a clearer rubric, or graders who talk over what they disagree on",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("apart", "failing", "needs"),
    [(1, 1, "outputs that fail among those that two grade"), (8, 24, "more outputs that two grade (120 here)")],
)
def test_a_low_agreement_that_more_outputs_may_raise_asks_for_them(apart: int, failing: int, needs: str) -> None:
    """Of 120 outputs two people fail some each, which are the same but for `apart`."""
    book = Book(spec((BASELINE, CANDIDATE)), rounds=[round_(graders=())])
    for n in range(120):
        trial = book.trial(f"item-{n // 2:02d}", answered(served_model=(BASELINE, CANDIDATE)[n % 2]),
                           model=(BASELINE, CANDIDATE)[n % 2], level=None)  # fmt: skip
        for grader, first in (("ann", 0), ("ben", apart)):
            book.grade(trial, int(not first <= n < first + failing), grader=grader)
    analysis = analyze(book.snapshot())
    found = gate(evidence_of(analysis, analysis, BASELINE, CANDIDATE), policy("agreement: {at_least: 0.667}")).checks[0]
    assert found.outcome == "inconclusive"
    assert str(found.needs).startswith(needs), (found.finding, found.needs)
    assert str(found.needs).endswith("; or a clearer rubric, or graders who talk over what they disagree on")


def test_agreement_without_an_output_that_fails_asks_for_one() -> None:
    book = Book(spec((BASELINE, CANDIDATE)), rounds=[round_(graders=())])
    for item in range(60):
        for model in (BASELINE, CANDIDATE):
            trial = book.trial(f"item-{item:02d}", answered(served_model=model), model=model)
            for grader in ("ann", "ben"):
                book.grade(trial, 1, grader=grader)
    analysis = analyze(book.snapshot())
    found = gate(evidence_of(analysis, analysis, BASELINE, CANDIDATE), policy("agreement: {}")).checks[0]
    assert found.outcome == "inconclusive"
    assert str(found.needs).startswith("outputs that fail among those that two have graded")


@pytest.mark.parametrize(
    ("check", "n", "lacks"),
    [
        ("cost_per_request", 1, "at least 14 more items (15 in all), for about "),
        ("cost_per_request", 14, "at least 1 more item (15 in all), for about "),
        ("cost_per_request", 15, None),
        ("cost_per_satisfactory", 1, "at least 14 more items (15 in all), for about "),
        ("cost_per_satisfactory", 2, "at least 13 more items (15 in all), for about "),
        ("cost_per_satisfactory", 15, "about 14 more items (29 in all), for about "),
        ("cost_per_satisfactory", 28, "about 1 more item (29 in all), for about "),
        ("cost_per_satisfactory", 29, None),
    ],
)
def test_a_ratio_on_too_few_items_says_how_many_it_lacks(check: str, n: int, lacks: str | None) -> None:
    """A price that never varies is known after a few; that no success is ever lost takes as many as it would show."""
    asked = evidence(*table(0, 0, n), attempt=priced(0.01, 0.01))
    found = gate(asked, policy(f"{check}: {{}}")).checks[0]
    assert found.outcome == ("inconclusive" if lacks else "pass")
    assert (found.needs or "").startswith(lacks or "")
    dear = gate(asked, policy(f"{check}: {{at_most: 1}}"))
    assert dear.checks[0].needs == "no number of items, while the estimate stays at the limit or above it"


@pytest.mark.parametrize("check", ["felt_latency", "ttft"])
@pytest.mark.parametrize(("label", "fewest"), [("p50", 8), ("p90", 40)])
@pytest.mark.parametrize(("slower", "outcome"), [(1, "pass"), (4, "fail")])
def test_a_quantile_of_few_items_neither_passes_nor_fails(
    check: str, label: str, fewest: int, slower: int, outcome: str
) -> None:
    for n in (2, fewest - 1, fewest):
        sides_ = evidence(*table(0, 0, n), attempt=timed(1, slower))
        found = gate(sides_, policy(f"{check}: {{{label}: 1.2}}")).checks[0]
        assert found.outcome == ("inconclusive" if n < fewest else outcome)
        assert (f"too few for a {label}" in found.finding) == (n < fewest)
        told = f"at least {fewest - n} more item{'s' if n < fewest - 1 else ''} ({fewest} in all), for about"
        assert (told in str(found.needs)) == (n < fewest)


@pytest.mark.parametrize(("kind", "check"), [("refused", "refusals"), ("truncated", "truncations")])
def test_more_trials_that_end_otherwise_fail(kind: Any, check: str) -> None:
    then, now = [[True]] * 60, [[True]] * 50 + [[ended(kind)]] * 10
    assert outcomes("refusals: {}\ntruncations: {}", then, now) == {
        **dict.fromkeys(("refusals", "truncations"), "pass"), check: "fail",
    }  # fmt: skip


@pytest.mark.parametrize(("asked", "said"), [("refusals:", True), ("quality: {margin: 0.1}", False)])
def test_a_gate_that_does_not_look_at_quality_says_so(asked: str, said: bool) -> None:
    found = gate(evidence(*EQUAL), policy(asked))
    assert (found.verdict, NO_QUALITY in found.notes) == ("pass", said)


def test_what_is_not_graded_is_incomplete_and_never_a_pass() -> None:
    snapshot = run(*table(0, 0, 60))
    fewer = replace(snapshot, grades=snapshot.grades[: len(snapshot.grades) - 10])
    analysis = analyze(fewer)
    found = gate(evidence_of(analysis, analysis, BASELINE, CANDIDATE), policy("completeness: {}"))
    assert [c.outcome for c in found.checks] == ["inconclusive"]
    nothing = analyze(replace(snapshot, grades=()))
    found = gate(evidence_of(nothing, nothing, BASELINE, CANDIDATE), policy("quality: {margin: 0.10}"))
    assert found.verdict == "inconclusive"


def test_a_failure_of_unknown_cost_is_no_free_one() -> None:
    then, now = [[True]] * 60, [[True]] * 58 + [[ended("errored", None)]] * 2
    assert outcomes("cost_per_satisfactory: {}\ncost_per_request: {}", then, now) == {
        "cost_per_satisfactory": "pass", "cost_per_request": "pass",
    }  # fmt: skip
    many = [[True]] * 50 + [[ended("errored", None)]] * 10
    assert set(outcomes("cost_per_satisfactory: {}\ncost_per_request: {}", then, many).values()) == {"inconclusive"}
    found = gate(evidence(then, many), policy("cost_per_request: {}"))
    assert str(found.checks[0].needs).endswith("trials of the baseline lack the figure on one side or both: repeat"
                                               " `evalkit run` and `evalkit grade`")  # fmt: skip


def test_what_failed_asks_for_nothing_that_could_settle_it() -> None:
    found = gate(evidence(*EQUAL, attempt=priced(0.01, 0.02)), policy("cost_per_request: {}"))
    assert [(check.outcome, check.needs) for check in found.checks] == [("fail", None)]


# --- calls that were given up, and calls that went in a batch ---


def alike(model: str, item: int) -> Any:
    """Both sides wait from 1 s on ordinary items to 3 s on every tenth, with a little noise of their own."""
    s = (3 if item % 10 == 9 else 1 + item % 7 / 20) * (1 + (0.004 if model == BASELINE else 0.003) * (item % 5))
    return replace(answered(served_model=model), felt_s=s, ttft_s=s / 4)


def timed_out(**changes: Any) -> Any:
    made = replace(failed(), final=True, error_type="timeout", latency_s=20.0, felt_s=60.0, ttft_s=None)
    return replace(made, **changes)


def hard(item: int) -> bool:
    """Four of a hundred items: some of the slowest, which a slow model loses first."""
    return item in (9, 29, 49, 69)


@pytest.mark.parametrize(
    ("check", "lost"),
    [
        ("felt_latency: {p90: 1.1}", timed_out()),
        ("felt_latency: {p90: 1.1}", timed_out(error_type="api_error", latency_s=0.1, felt_s=0.2)),  # gives up fast
        ("ttft: {p90: 1.1}", timed_out()),
        ("ttft: {p90: 1.1}", timed_out(latency_s=0.01)),
    ],
)
def test_a_candidate_that_gives_up_its_slowest_calls_looks_no_faster(check: str, lost: Any) -> None:
    then = [[True]] * 100
    now = [[lost] if hard(i) else [True] for i in range(100)]
    whole, given_up = (gate(evidence(then, side, attempt=alike), policy(check)).checks[0] for side in (then, now))
    assert whole.outcome == "pass"
    assert whole.estimate is not None
    assert given_up.estimate is not None
    assert (given_up.estimate.n, whole.estimate.n) == (100, 100)
    assert (given_up.estimate.value or 0) >= (whole.estimate.value or 0) - 0.01
    assert "(4 calls given up, each as slow as the slowest or slower)" in given_up.finding
    ordinary = [[lost] if hard(i + 1) else [True] for i in range(100)]
    slower = gate(evidence(then, ordinary, attempt=alike), policy(check)).checks[0].estimate
    assert slower is not None
    assert (slower.value or 0) > (whole.estimate.value or 0) + 0.05, "dropped, they would leave it as it is"


def test_one_in_eight_calls_that_time_out_fail_the_upper_quantile_and_leave_the_median() -> None:
    now = [[timed_out()] if i % 8 == 0 else [True] for i in range(96)]
    found = outcomes("felt_latency: {p50: 1.2, p90: 1.2}", [[True]] * 96, now, attempt=alike)
    assert found == {"felt_latency: p50": "pass", "felt_latency: p90": "fail"}


@pytest.mark.parametrize(("lost", "p90"), [(0, "pass"), (3, "pass"), (8, "inconclusive"), (20, "inconclusive")])
def test_a_quantile_that_lies_among_calls_given_up_is_not_known(lost: int, p90: str) -> None:
    """All waits are nearly the same, so that the slowest of all is no slower than the baseline's own p90."""
    now = [[timed_out(error_type="api_error", latency_s=0.1, felt_s=0.2)] if i < lost else [True] for i in range(100)]

    def even(model: str, item: int) -> Any:
        return replace(
            answered(served_model=model), felt_s=1 + item / 10_000 + (model == BASELINE) * (item % 3) / 10_000
        )

    asked = policy("felt_latency: {p50: 1.1, p90: 1.1}")
    median, upper = gate(evidence([[True]] * 100, now, attempt=even), asked).checks
    assert (median.outcome, upper.outcome) == ("pass", p90)
    assert (f"{lost} of 100 calls of the candidate were given up, so its p90" in upper.finding) == (p90 != "pass")


def test_a_token_that_came_before_a_stream_broke_off_counts_as_it_is() -> None:
    now = [[timed_out(ttft_s=0.3)] if hard(i) else [True] for i in range(100)]
    found = gate(evidence([[True]] * 100, now, attempt=alike), policy("ttft: {p90: 1.1}")).checks[0]
    assert "given up" not in found.finding


def test_a_truncated_answer_took_as_long_as_it_took_and_a_refusal_no_time_worth_comparing() -> None:
    lost_ones = (ended("truncated"), 100), (ended("refused"), 96)
    for ending, n in lost_ones:
        lost = replace(ending, felt_s=9.0, latency_s=9.0)
        now = [[lost] if hard(i) else [True] for i in range(100)]
        found = gate(evidence([[True]] * 100, now, attempt=alike), policy("felt_latency: {p90: 9}")).checks[0]
        assert found.estimate is not None
        assert found.estimate.n == n


def test_waits_that_refusals_leave_out_are_settled_by_more_items_and_by_no_repeat() -> None:
    now = [[replace(ended("refused"), latency_s=1.0, felt_s=1.0)] if i < 8 else [True] for i in range(80)]
    found = gate(evidence([[True]] * 80, now, attempt=alike), policy("felt_latency: {p50: 1.5}")).checks[0]
    assert found.outcome == "inconclusive"
    assert str(found.needs).endswith("more items that both models answer, since a refusal has no wait to compare")


def test_waits_that_lines_of_an_import_lack_are_asked_of_those() -> None:
    now = [[answered(ttft_s=None)] if i < 8 else [True] for i in range(80)]
    found = evidence([[True]] * 80, now, attempt=alike)
    text = policy("ttft: {p50: 1.5}")
    assert "ttft_s" not in str(gate(found, text).checks[0].needs)
    elsewhere = replace(found.of_candidate, spec=replace(found.of_candidate.spec, outputs_sha256="0" * 64))
    needs = str(gate(replace(found, of_candidate=elsewhere), text).checks[0].needs)
    assert needs.endswith("`ttft_s` on every line of the imports that has an output")


def varied(model: str, item: int) -> Any:
    """A wait of its own for every trial, of one distribution."""
    seconds = 1.0 + ((item * 7 + (3 if model == CANDIDATE else 0)) % 10) / 50
    return replace(answered(served_model=model), felt_s=seconds, ttft_s=seconds / 2, latency_s=seconds)


def in_batch(snapshot: Any, streamed: int) -> Any:
    """The same run with all but so many items from a batch, whose answers have no times."""
    sampled = {f"item-{i:03d}" for i in range(streamed)}
    batched = {t.id for t in snapshot.trials if t.key.item_id not in sampled}
    attempts = tuple(
        replace(a, felt_s=None, latency_s=None, ttft_s=None) if a.trial_id in batched else a for a in snapshot.attempts
    )
    ids = tuple(a.id for a in attempts if a.trial_id in batched)
    return replace(snapshot, attempts=attempts, batches=(Batch(1, "n", "2026-11-02T10:00:00+00:00", "b", ids),))


@pytest.mark.parametrize(
    ("streamed", "outcome", "n"), [(0, "inconclusive", None), (30, "pass", 30), (100, "pass", 100)]
)
def test_latency_of_a_run_in_batches_is_that_of_its_streamed_sample(streamed: int, outcome: str, n: int | None) -> None:
    analysis = analyze(in_batch(run([[True]] * 100, [[True]] * 100, attempt=alike), streamed))
    found = gate(evidence_of(analysis, analysis, BASELINE, CANDIDATE), policy("felt_latency: {p50: 1.3}")).checks[0]
    assert found.outcome == outcome
    assert (found.estimate.n if found.estimate else None) == n
    if not streamed:
        assert "no item was streamed on both sides, and a batch claims no latency" in found.finding
        assert "--latency-sample 30" in (found.needs or "")


@pytest.mark.parametrize("quantile", ["p50", "p90"])
def test_of_a_streamed_sample_a_larger_one_is_advised_and_no_more_items(quantile: str) -> None:
    """More items of a batch bring no wait, however many they are."""
    analysis = analyze(in_batch(run([[True]] * 60, [[True]] * 60, attempt=varied), 10))
    policy_ = policy(f"felt_latency: {{{quantile}: 1.02}}")
    needs = str(gate(evidence_of(analysis, analysis, BASELINE, CANDIDATE), policy_).checks[0].needs)
    assert needs.startswith("a new run that streams "), needs
    assert "more item" not in needs


@pytest.mark.parametrize("check", ["felt_latency", "ttft"])
def test_where_nobody_timed_anything_that_is_said(check: str) -> None:
    untimed = replace(answered(), felt_s=None, ttft_s=None, latency_s=None)
    found = gate(evidence(*EQUAL, attempt=lambda _m, _i: untimed), policy(f"{check}: {{p50: 1.2}}")).checks[0]
    assert (found.outcome, "no item was timed on both sides" in found.finding) == ("inconclusive", True)
    assert "`evalkit run`" in (found.needs or "")


@pytest.mark.long
@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_handful_of_items_passes_nothing(n: int) -> None:
    text = "quality: {margin: 0.5}\ncost_per_request: {at_most: 2}\nfelt_latency: {p50: 2}\nrefusals: {}"
    assert set(outcomes(text, *table(0, 0, n)).values()) == {"inconclusive"}


@pytest.mark.long
def test_items_without_a_verdict_are_told_and_many_of_them_pass_nothing() -> None:
    snapshot = run(*table(0, 0, 120))
    for dropped, outcome in ((6, "pass"), (7, "inconclusive")):  # of 120 items: 5 % at most
        analysis = analyze(replace(snapshot, grades=snapshot.grades[: len(snapshot.grades) - 2 * dropped]))
        found = gate(evidence_of(analysis, analysis, BASELINE, CANDIDATE), policy("quality: {margin: 0.10}")).checks[0]
        assert found.outcome == outcome
        assert ("without a figure could overturn it" in found.finding) == (outcome == "inconclusive")


def test_ragged_epochs_are_means_of_what_there_is() -> None:
    then, now = [[True, True, True]] * 20 + [[True]] * 20, [[True, False]] * 20 + [[True, True, True]] * 20
    found = gate(evidence(then, now), policy("quality: {margin: 0.10}")).checks[0]
    assert found.estimate is not None
    assert (found.estimate.n, found.estimate.value) == (40, pytest.approx(-0.25))
    assert found.outcome == "inconclusive", "60 trials are missing, and what they are is not known"


def test_a_slice_is_tested_on_its_own_items() -> None:
    then, now = table(0, 20, 80)
    found = outcomes(
        "quality: {margin: 0.5, slices: {hard: 0.10, easy: 0.10}}", then, now,
        difficulty=lambda item: "hard" if item < 40 else "easy",
    )  # fmt: skip
    assert found == {"quality": "pass", "quality: hard": "fail", "quality: easy": "pass"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("quality: {margin: 0.1, slices: {nope: 0.1}}", "no item is in; use one of: easy"),
        ("quality: {margin: 0.1, criteria: {right: 0.1}}", "not critical in the rubric"),
        ("output_format: {}", "finds no check of form"),
        ("output_format: {criteria: [right]}", "no check of the rubric"),
    ],
)
def test_a_policy_that_names_what_is_not_there_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        gate(evidence(*EQUAL, difficulty=lambda item: "easy"), policy(text))


# --- the grammar ---


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("quality: {margn: 0.1}", "margn"),
        ("qualty: {margin: 0.1}", "quality"),
        ("quality: {margin: 1.5}", "gate.yaml:1"),
        ("quality: {}", "margin"),
        ("alpha: 0.05", "asks for no check"),
        ("alpha: 0.9\nquality: {margin: 0.1}", "gate.yaml:1"),
        ("on_inconclusive: maybe\nquality: {margin: 0.1}", "gate.yaml:1"),
        ("felt_latency: {}", "p50"),
        ("- quality", "gate.yaml:1"),
        ("", "gate.yaml:1"),
    ],
)
def test_a_policy_is_read_strictly_and_every_problem_has_its_place(text: str, told: str) -> None:
    with pytest.raises(ProblemsError) as caught:
        policy(text)
    assert told in str(caught.value)
    assert all(problem.startswith("gate.yaml:") for problem in caught.value.problems)


def test_the_policy_in_the_documentation_is_read_and_asks_for_every_check() -> None:
    page = (Path(__file__).parents[1] / "docs" / "gate.md").read_text(encoding="utf-8")
    shown = policy(page.partition("```yaml\n")[2].partition("```")[0])
    assert [module.__name__.rpartition(".")[2] for module, _ in shown.asked] == list(check_modules())


def test_every_problem_of_a_policy_is_told_at_once() -> None:
    with pytest.raises(ProblemsError) as caught:
        policy("alpha: 2\nquality: {margin: 3}\nttft: {p50: 0}\n")
    assert len(caught.value.problems) == 3


def test_layout_and_comments_leave_the_hash_and_limits_change_it() -> None:
    plain = policy("quality: {margin: 0.1}")
    assert policy("# why\nquality:\n  margin: 0.10\n").sha256 == plain.sha256
    assert policy("quality: {margin: 0.2}").sha256 != plain.sha256
    named = policy("baseline: claude-a\ncandidate: claude-b\nquality: {margin: 0.10}")
    assert named.sha256 == plain.sha256, "which models it is of changes with every bump, and what is asked does not"


def test_every_check_of_the_folder_can_be_asked_for_and_says_what_it_is() -> None:
    assert set(check_modules()) >= {
        "quality", "cost_per_request", "cost_per_satisfactory", "felt_latency", "ttft", "refusals", "truncations",
        "output_format", "agreement", "completeness", "served_model",
    }  # fmt: skip
    assert all(module.__doc__ and module.check.__doc__ for module in check_modules().values())


@pytest.mark.parametrize(("items", "epochs", "margin"), [(50, 1, 0.10), (100, 1, 0.10), (100, 3, 0.05), (99, 3, 0.10)])
def test_without_a_policy_the_margin_goes_with_the_size(items: int, epochs: int, margin: float) -> None:
    assert default_policy(items, epochs).model_dump()["quality"]["margin"] == margin


# --- a judge that errs ---


def test_an_uncalibrated_judge_cannot_pass_but_a_shown_loss_fails() -> None:
    assert gate(evidence(*table(0, 0, 100), grader=JUDGE), policy("quality: {margin: 0.10}")).verdict == "inconclusive"
    assert gate(evidence(*table(1, 25, 74), grader=JUDGE), policy("quality: {margin: 0.10}")).verdict == "fail"


def test_what_the_judge_lacks_is_told_beside_what_the_figures_lack() -> None:
    """Else people would grade 30 outputs for a gate that is as inconclusive as before."""
    needs = gate(evidence(*table(2, 5, 43), grader=JUDGE), policy("quality: {margin: 0.05}")).checks[0].needs
    assert needs is not None
    assert re.fullmatch(
        r"about \d+ more items .*, .* pass four times in five .*; and the judge is uncalibrated: .*", needs
    )
    enough = gate(evidence(*table(0, 0, 100), grader=JUDGE), policy("quality: {margin: 0.10}")).checks[0]
    assert (enough.needs or "").startswith("the judge is uncalibrated")
    assert "the judge is uncalibrated" in enough.finding


@pytest.mark.parametrize(("blind", "grader", "verdict"), [
    (False, PERSON, "inconclusive"), (True, PERSON, "pass"), (None, PERSON, "pass"), (False, CHECKS, "pass"),
])  # fmt: skip
def test_who_could_know_the_models_passes_none(blind: bool | None, grader: str, verdict: str) -> None:
    """Imported grades, of which nobody knows, are taken as they come; a check knows no model."""
    equal, lost = (run(*table(*counts), grader=grader) for counts in ((0, 0, 60), (0, 30, 30)))
    shown, failed = (
        analyze(replace(one, rounds=tuple(replace(r, blind=blind) for r in one.rounds))) for one in (equal, lost)
    )
    asked = policy("quality: {margin: 0.10}")
    found = gate(evidence_of(shown, shown, BASELINE, CANDIDATE), asked)
    assert found.verdict == verdict
    apart = gate(evidence_of(shown, analyze(equal), BASELINE, CANDIDATE), asked)
    assert apart.verdict == ("pass" if grader == CHECKS else "inconclusive"), "in two files"
    assert gate(evidence_of(failed, failed, BASELINE, CANDIDATE), asked).verdict == "fail"
    if verdict == "inconclusive":
        assert found.reason == "graded with --no-blind"
        assert any("have both sides graded anew with `evalkit grade --blind`" in note for note in found.notes)


# --- which runs may be compared ---


@pytest.mark.parametrize("name", ["dataset_sha256", "rubric_sha256", "prompt_sha256"])
def test_runs_of_something_else_are_refused(name: str) -> None:
    snapshot = run(*EQUAL)
    with pytest.raises(IntegrityError, match=f"another {name.removesuffix('_sha256')}"):
        evidence_of(analyze(snapshot), analyze(without(snapshot, **{name: "e" * 64})), BASELINE, CANDIDATE)


@pytest.mark.parametrize("filled", [{"context_tokens": 4000}, {"contexts": (4000, 8000)}, {}])
def test_another_seed_is_another_prompt_where_it_fills_the_context(filled: Any) -> None:
    snapshot = without(run(*EQUAL), **{name: value for name, value in filled.items() if name == "context_tokens"})
    then, now = analyze(snapshot), analyze(without(snapshot, seed=5))
    then, now = (replace(one, spec=replace(one.spec, **filled)) for one in (then, now))
    if not filled:
        assert evidence_of(then, now, BASELINE, CANDIDATE).of_candidate.spec.seed == 5
        return
    with pytest.raises(IntegrityError, match=r"another seed \(7, 5\); run both on the same one"):
        evidence_of(then, now, BASELINE, CANDIDATE)


@pytest.mark.parametrize("other", [{"documents": ("a", "c")}, {"evidence_positions": (1,)}])
def test_other_documents_beside_an_item_are_refused(other: Any) -> None:
    """Each run of one model fills the context up to what fits that model."""
    snapshot = run(*EQUAL)
    given = replace(
        snapshot, items=tuple(replace(i, documents=("a", "b"), evidence_positions=(0,)) for i in snapshot.items)
    )
    fewer = replace(given, items=(replace(given.items[0], **other), *given.items[1:]))
    with pytest.raises(IntegrityError, match="given other documents with item 'item-000'; run both models in one run"):
        evidence_of(analyze(given), analyze(fewer), BASELINE, CANDIDATE)


def test_items_in_another_order_are_the_same_items() -> None:
    then = run(*table(1, 3, 96))
    now = replace(then, items=then.items[::-1])
    found = [
        gate(evidence_of(analyze(then), analyze(side), BASELINE, CANDIDATE), policy("quality: {margin: 0.10}"))
        for side in (then, now)
    ]
    assert found[0].checks[0].estimate == found[1].checks[0].estimate
    fewer = analyze(run(*table(1, 3, 95)))
    with pytest.raises(IntegrityError, match="run on other items"):
        evidence_of(analyze(then), fewer, BASELINE, CANDIDATE)


def test_sides_graded_by_others_are_refused() -> None:
    one, other = analyze(run(*EQUAL)), analyze(run(*EQUAL, grader=JUDGE))
    with pytest.raises(IntegrityError, match="graded by others"):
        evidence_of(one, other, BASELINE, CANDIDATE)


def graded_by(who: Callable[[int, str], Sequence[str]], epochs: int = 1, items: int = 60) -> Snapshot:
    """Items on which the models do not differ, each output graded by those whom `who` names."""
    book = Book(spec((BASELINE, CANDIDATE), epochs=epochs), rounds=[round_(graders=())])
    for item in range(items):
        for model in (BASELINE, CANDIDATE):
            for epoch in range(1, epochs + 1):
                trial = book.trial(f"item-{item:02d}", answered(served_model=model), model=model, epoch=epoch)
                for grader in who(item, model):
                    book.grade(trial, 1, grader=grader)
    return book.snapshot()


def by_side(baseline: str, candidate: str) -> Callable[[int, str], Sequence[str]]:
    return lambda item, model: [baseline if model == BASELINE else candidate]


def in_shares(baseline: int, candidate: int) -> Callable[[int, str], Sequence[str]]:
    """Of all items ann graded so many of each model, as far apart as can be, and ben the rest."""
    return lambda item, model: ["ann" if (item < baseline if model == BASELINE else item >= 60 - candidate) else "ben"]


@pytest.mark.parametrize(
    ("who", "told"),
    [
        (by_side("ann", "ben"), f"outputs of {BASELINE} were graded by ann, who graded hardly any of {CANDIDATE}"),
        (by_side("judge a", "judge b"), "graded by judge a, who"),
        (by_side("ann", "judge b"), "graded by ann, who"),
        (lambda item, model: [JUDGE, *by_side("ann", "ben")(item, model)], "graded by ann, who"),
        (lambda item, model: ["ann"] if item == 0 else by_side("ann", "ben")(item, model), "graded by ann, who"),
        (lambda item, model: ["ann", *(["ben"] if model == CANDIDATE else [])], "graded by ben, who"),
        (lambda item, model: [JUDGE, *(["ann"] if model == BASELINE else [])], "ann graded 60 of 60 items' outputs of"),
        (
            lambda item, model: [JUDGE, *(["ann"] if (item < 40 if model == BASELINE else item >= 51) else [])],
            f"ann graded 40 of 49 items' outputs of {BASELINE} and 9 of {CANDIDATE}, so that",
        ),
        (
            lambda item, model: [JUDGE, *([f"p{item % 12}"] if model == BASELINE else [])],
            f"people graded 60 of 60 items' outputs of {BASELINE} and 0 of",
        ),
        (lambda item, model: [JUDGE, *(["ann"] if item < 3 and model == BASELINE else [])], None),  # ann has begun
        (in_shares(48, 12), f"ann graded 48 of 60 items' outputs of {BASELINE} and 12 of {CANDIDATE}, so that being"),
        (in_shares(18, 42), f"ann graded 18 of 60 items' outputs of {BASELINE} and 42 of {CANDIDATE}, so that"),
        (in_shares(36, 24), None),
        (by_side("judge a", "judge a #2"), None),
        (lambda item, model: ["ann" if item % 2 else "ben"], None),
        (lambda item, model: ["ann", *(["ben"] if item < 3 and model == BASELINE else [])], None),  # ben gave up
        (lambda item, model: [JUDGE, *(["ann"] if item < 30 else [])], None),
        (lambda item, model: ["ann"] if model == BASELINE else [], None),  # nothing to grade there
    ],
)  # fmt: skip
def test_graders_of_one_side_alone_are_refused_in_one_run_as_in_two(
    who: Callable[[int, str], Sequence[str]], told: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_run(tmp_path / "run.db", graded_by(who))
    code = main(["gate", str(path), "--baseline", BASELINE, "--candidate", CANDIDATE])
    assert (code == 6) == (told is not None)
    assert (told or "") in capsys.readouterr().err


@pytest.mark.parametrize(("of_baseline", "of_candidate", "refused"), [(3, 1, True), (1, 3, True), (2, 2, False)])
def test_a_share_of_the_epochs_is_a_share_of_a_side(of_baseline: int, of_candidate: int, refused: bool) -> None:
    book = Book(spec((BASELINE, CANDIDATE), epochs=3), rounds=[round_(graders=())])
    for item in range(60):
        for model, most in ((BASELINE, of_baseline), (CANDIDATE, of_candidate)):
            for epoch in (1, 2, 3):
                trial = book.trial(f"i{item:02d}", answered(served_model=model), model=model, epoch=epoch, level=1)
                if epoch <= most:
                    book.grade(trial, 1, grader="ann")
    snapshot = book.snapshot()
    told = f"ann graded {20 * of_baseline} of 60 items' outputs of {BASELINE} and {20 * of_candidate} of {CANDIDATE}"
    with pytest.raises(IntegrityError, match=told) if refused else nullcontext():
        refuse_other_graders(snapshot, BASELINE, snapshot, CANDIDATE)


def test_a_sample_that_many_share_may_be_half_done() -> None:
    """Each of 20 has items of their own, and has graded two or three outputs, often of one side alone."""
    refused = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        whose = {int(item): f"p{rng.integers(20)}" for item in rng.permutation(100)[:50]}

        def who(
            item: int, model: str, rng: np.random.Generator = rng, whose: Mapping[int, str] = whose
        ) -> Sequence[str]:
            return [JUDGE, *([whose[item]] if item in whose and rng.random() < 0.5 else [])]

        snapshot = graded_by(who, items=100)
        try:
            refuse_other_graders(snapshot, BASELINE, snapshot, CANDIDATE)
        except IntegrityError:
            refused += 1
    assert refused <= 4  # 1 expected


def test_a_side_with_fewer_epochs_is_told_and_judged_by_what_there_is() -> None:
    found = gate(evidence([[True] * 3] * 60, [[True]] * 60), policy("quality: {margin: 0.10}\ncompleteness:"))
    assert found.verdict == "pass"
    assert "3 trials of an item of the baseline and 1 trial of the candidate: which there are must" in str(found.notes)
    assert "trials of an item" not in str(gate(evidence(*EQUAL), policy("completeness:")).notes)


def test_a_limited_run_is_told_and_a_limit_beyond_the_items_is_none() -> None:
    for limit, told in ((60, True), (61, False), (None, False)):
        notes = gate(evidence(*table(0, 0, 60), limit=limit), policy("quality: {margin: 0.10}")).notes
        assert any("limited to 60 items (--limit)" in note for note in notes) == told


def test_a_report_is_dated_by_the_candidates_first_request(tmp_path: Path) -> None:
    """A merged file holds the outputs of a pinned model that may be a year old, and are as good as new ones."""

    def sent(model: str, item: int) -> Attempt:
        return answered(sent_at=f"2026-1{'0' if model == BASELINE else '1'}-0{9 - item % 5}T10:00:00+00:00")

    path = write_run(tmp_path / "run.db", run(*EQUAL, attempt=sent, created_at="2026-10-01T10:00:00+00:00"))
    main(["gate", str(path), "-o", str(tmp_path / "gate.json")])
    gated = json.loads((tmp_path / "gate.json").read_text(encoding="utf-8"))["gate"]
    assert gated["provenance"]["created_at"] == "2026-11-05T10:00:00+00:00"


def test_a_gate_names_the_servers_that_answered() -> None:
    """A change that bumps a pin may also say who answers for it."""

    def of(then: str, now: str) -> GateReport:
        then_run, now_run = (analyze(run(*EQUAL, endpoint=endpoint)) for endpoint in (then, now))
        return gate(evidence_of(then_run, now_run, BASELINE, CANDIDATE), policy("refusals:"))

    found = of("https://api.anthropic.com", "http://127.0.0.1")
    assert found.provenance["baseline_endpoint"] == "https://api.anthropic.com"
    assert found.provenance["candidate_endpoint"] == "http://127.0.0.1"
    assert re.search(r"Outputs from https:\S*//api.anthropic.com \(baseline\) and .*127.0.0.1", to_markdown(found))
    assert "Outputs imported.\n" in to_markdown(of("imported", "imported"))
    same = of("https://api.anthropic.com", "https://api.anthropic.com")
    assert re.search(r"Outputs from https:\S*//api.anthropic.com\.\n", to_markdown(same))


@pytest.mark.parametrize("graders", [(PERSON,), (JUDGE, PERSON)])
def test_people_who_graded_the_sides_apart_may_have_known_them_and_cannot_pass_them(graders: tuple[str, ...]) -> None:
    def graded() -> Analysis:
        one = run(*EQUAL, grader=graders[0])
        more = [replace(g, grader=name) for name in graders[1:] for g in one.grades]
        return analyze(replace(one, grades=(*one.grades, *more)))

    one, other, asked = graded(), graded(), policy("quality: {margin: 0.5}")
    assert gate(evidence_of(one, one, BASELINE, CANDIDATE), asked).verdict == "pass"
    found = gate(evidence_of(one, other, BASELINE, CANDIDATE), asked)
    assert found.verdict == "inconclusive"
    assert "; people graded the two sides apart and may have known which model they graded" in found.checks[0].finding
    assert "`evalkit merge`" in (found.checks[0].needs or "")
    assert gate(evidence_of(one, other, BASELINE, CANDIDATE), policy("refusals:")).verdict == "pass"


def test_a_shown_loss_fails_and_another_person_is_refused_however_people_graded() -> None:
    one, other = analyze(run(*table(1, 25, 74))), analyze(run(*table(1, 25, 74)))
    assert gate(evidence_of(one, other, BASELINE, CANDIDATE), policy("quality: {margin: 0.1}")).verdict == "fail"
    with pytest.raises(IntegrityError, match="graded by others"):
        evidence_of(one, analyze(run(*table(1, 25, 74), grader="human:somebody else")), BASELINE, CANDIDATE)


def test_a_judge_that_graded_the_sides_apart_cannot_pass_them() -> None:
    one, other = analyze(run(*EQUAL, grader=JUDGE)), analyze(run(*EQUAL, grader=JUDGE))
    found = gate(evidence_of(one, other, BASELINE, CANDIDATE), policy("quality: {margin: 0.5}"))
    assert found.verdict == "inconclusive"
    assert "graded the two sides apart" in found.checks[0].finding


def test_latencies_of_two_runs_are_told_to_compare_hours_as_well() -> None:
    then, now = analyze(run(*EQUAL)), analyze(run(*EQUAL))
    both, text = evidence_of(then, now, BASELINE, CANDIDATE), "felt_latency: {p50: 1.2}"
    assert any("differ by the hour" in note for note in gate(both, policy(text)).notes)
    assert not any("differ by the hour" in note for note in gate(both, policy("completeness:")).notes)
    assert not any("differ by the hour" in note for note in gate(evidence(*EQUAL), policy(text)).notes)


@pytest.mark.parametrize(
    ("models", "named", "found"),
    [
        (("a", "b"), (None, None), ("a", "b")),
        (("a", "b"), (None, "a"), ("b", "a")),
        (("a", "b"), ("b", None), ("b", "a")),
        (("a", "b", "c"), ("b", "c"), ("b", "c")),
        (("a", "b", "c"), ("b", None), None),
        (("a", "b", "c"), (None, None), None),
        (("a",), (None, None), None),
        (("a", "b"), ("x", None), None),
    ],
)
def test_which_model_is_which(models: tuple[str, ...], named: tuple[Any, Any], found: tuple[str, str] | None) -> None:
    if found is None:
        with pytest.raises(UsageError):
            sides(models, *named)
    else:
        assert sides(models, *named) == found


def test_what_a_set_can_afford_is_the_statistics_own() -> None:
    assert afford(50, 1, 0.10, 0.05) == [
        "to pass at 10 points it can lose at most 1 with 0 gained, 2 with 1, 2 with 2, 3 with 3, 3 with 4"
    ]
    assert afford(50, 1, 0.05, 0.05) == [
        "at 5 points, 50 items cannot pass when the two never differ; 59 can",
        "to pass at 5 points it can lose at most 0 with 1 gained, 0 with 2, 1 with 3, 1 with 4",
    ]
    assert afford(50, 3, 0.05, 0.05) == ["at 5 points, 50 items cannot pass when the two never differ; 54 can"]


# --- the command ---


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Run files that pass, fail, and leave it open; the first again as the sandbox's."""
    folder = tmp_path_factory.mktemp("runs")
    made = {"pass": (1, 1, 58), "fail": (1, 25, 34), "open": (4, 9, 47)}
    found = {name: write_run(folder / f"{name}.db", run(*table(*counts))) for name, counts in made.items()}
    found["simulated"] = write_run(folder / "simulated.db", run(*table(*made["pass"]), simulated=True))
    return found


@pytest.mark.parametrize(
    ("name", "code", "word"), [("pass", 0, "PASS"), ("fail", 1, "FAIL"), ("open", 3, "INCONCLUSIVE")]
)
def test_each_verdict_has_its_exit_code(
    name: str, code: int, word: str, files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gate", str(files[name])]) == code
    assert capsys.readouterr().out.startswith(word)


@pytest.mark.parametrize(("said", "code"), [("fail", 3), ("warn", 0), ("pass", 0)])
def test_an_inconclusive_gate_can_be_let_through_and_a_failed_one_cannot(
    said: str, code: int, files: dict[str, Path]
) -> None:
    assert main(["gate", str(files["open"]), "--on-inconclusive", said]) == code
    assert main(["gate", str(files["fail"]), "--on-inconclusive", said]) == 1


def test_simulated_evidence_passes_no_real_gate(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gate", str(files["simulated"])]) == 3
    assert "SIMULATED" in capsys.readouterr().out
    assert main(["gate", str(files["simulated"]), "--allow-simulated"]) == 0
    assert capsys.readouterr().out.startswith("SIMULATED")


def test_outputs_are_written_as_asked_and_agree(files: dict[str, Path], tmp_path: Path) -> None:
    base = tmp_path / "gate"
    assert main(["gate", str(files["fail"]), *(f"-o{base}{end}" for end in (".json", ".xml", ".md"))]) == 1
    content = json.loads(base.with_suffix(".json").read_text(encoding="utf-8"))
    suite = xml.parse(base.with_suffix(".xml")).getroot()[0]  # noqa: S314  we wrote it
    summary = base.with_suffix(".md").read_text(encoding="utf-8")
    assert (content["exit"], content["gate"]["verdict"]) == ("regression", "fail")
    assert (suite.get("failures"), suite.get("tests")) == ("1", str(1 + 2 + 25))
    assert summary.splitlines()[1].startswith("### FAIL: ")
    assert "25 items worse than before" in summary


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["gate", "nowhere.db"], 2, "nowhere.db"),
        (["gate", "{run}", "-o", "x.pdf"], 2, "unknown format"),
        (["gate", "{run}", "--policy", "none.yaml"], 2, "none.yaml"),
        (["gate", "{run}", "--baseline", "claude-x"], 2, "holds no model 'claude-x'"),
        (["gate", "{run}", "--on-inconclusive", "maybe"], 2, "is not fail, warn or pass"),
        (["gate", "--baseline", "{run}"], 2, "name two"),
    ],
)
def test_a_wrong_command_is_one_line(
    arguments: list[str], code: int, told: str, files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([part.replace("{run}", str(files["pass"])) for part in arguments]) == code
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 2
    assert told in errors[0]


def test_a_slice_that_is_not_there_is_told_with_its_file(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = tmp_path / "asked.yaml"
    asked.write_text("quality: {margin: 0.1, slices: {nope: 0.1}}", encoding="utf-8")
    assert main(["gate", str(files["pass"]), "--policy", str(asked)]) == 2
    assert capsys.readouterr().err.startswith(f"error: {asked}:1: the gate names a slice 'nope' that no item is in")


@pytest.mark.parametrize(("kind", "open_"), [("pass", 0), ("simulated", 1)])
def test_what_bars_a_verdict_is_in_the_test_report_too(
    files: dict[str, Path], tmp_path: Path, kind: str, open_: int
) -> None:
    """Each check is kept by the sandbox's evidence, which passes nothing all the same."""
    out = tmp_path / "gate.xml"
    assert main(["gate", str(files[kind]), "-o", str(out)]) == 3 * open_
    suite = xml.parse(out).getroot()[0]  # noqa: S314  we wrote it
    verdict = suite[0]
    assert (suite.get("errors"), suite.get("failures")) == (str(open_), "0")
    assert suite.get("tests") == str(len(suite))
    assert verdict.get("name") == "verdict"
    told = verdict.findtext("system-out") or ""
    assert ("SIMULATED" in told, verdict.find("error") is not None) == (bool(open_), bool(open_))


def test_hostile_names_stay_text_in_every_form() -> None:
    found = gate(evidence(*table(0, 12, 48)), policy("quality: {margin: 0.10}"))
    bad = replace(
        found, candidate="<b>|`@x`\x1b[31m]]>\ufffe\U0001ffff", checks=(replace(found.checks[0], finding="a|b\x00<c>"),)
    )
    xml.fromstring(to_junit(bad).encode())  # noqa: S314  we wrote it
    assert not list(pins_in("gate.xml", to_junit(bad).encode()))
    assert "a\\|b" in to_markdown(bad)
    json.loads(to_json(bad))


def test_a_comment_keeps_its_size_with_whole_rows_and_says_how_many_are_left_out() -> None:
    found = gate(evidence(*table(0, 12, 48)), policy("quality: {margin: 0.10}"))
    check = replace(found.checks[0], finding="x" * 90, needs="y" * 90, regressed=tuple(f"{n}" * 40 for n in range(999)))
    many = [replace(check, name=f"quality:{n}", outcome="pass") for n in range(999)]
    whole = replace(found, checks=(*many, check), notes=("z" * 100,) * 999, reason="r" * 99_999)
    text = to_markdown(whole)
    assert 50_000 < len(text) < 60_000
    assert re.match(r"<!-- evalkit:[\w.:-]+ -->\n### FAIL: ", text)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert "**fail**" in rows[1]
    assert all(row.count(" | ") == 3 for row in rows[:-1])
    assert len(re.findall(r"^(?:\| |- |> )and \d+ more", text, re.MULTILINE)) == 4
    told = re.search(r"\| and (\d+) more", text)
    assert told is not None
    assert int(told[1]) + len(rows) - 2 == 1000


@pytest.mark.long
def test_the_same_evidence_gives_the_same_bytes() -> None:
    made = [gate(evidence(*table(3, 5, 52)), policy("quality: {margin: 0.1}\nfelt_latency: {p90: 2}")) for _ in "ab"]
    for write in (to_json, to_junit, to_markdown):
        assert write(made[0]) == write(made[1])
