"""Costs of a gate where batches are in play: models are compared at one price, never a bargain with a list price."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from analysis_builders import answered, failed
from gates import BASELINE, CANDIDATE, run, table

from evalkit.analysis import analyze
from evalkit.config import OwnRates
from evalkit.gate import gate
from evalkit.gating.evidence import evidence_of
from evalkit.gating.policy import read_policy
from evalkit.gating.results import GateReport
from evalkit.pricing import LIST_PRICES, Prices
from evalkit.records import Attempt, Usage

COSTS = "cost_per_request: {at_most: 1.1}\ncost_per_satisfactory: {at_most: 1.1}"
WHEN = datetime(2026, 11, 2, 10, tzinfo=UTC)
Way = Callable[[int], bool]
"""Whether the request of an item goes in a batch."""


def by_one(_item: int) -> bool:
    return False


def in_batch(_item: int) -> bool:
    return True


def sent(usd: float, item: int, *, batched: bool, **usage: Any) -> Attempt:
    """A request of that price outside of batches, and half of it in one; a little more for some items."""
    used = Usage(input_tokens=1000, output_tokens=100, service_tier="batch" if batched else "standard", **usage)
    return replace(answered(usd * (1 + item % 7 / 10) * (0.5 if batched else 1)), usage=used)


def gated(dearer: float, then: Way, now: Way, prices: Prices = LIST_PRICES, **changes: Any) -> GateReport:
    """A gate on costs alone: the candidate's requests cost `dearer` times as much outside of batches."""
    made = {
        "attempt": lambda model, item: (
            sent(0.01, item, batched=then(item)) if model == BASELINE else sent(0.01 * dearer, item, batched=now(item))
        ),
        **changes,
    }
    analysis = analyze(run(*table(2, 2, 96), **made), prices=prices)
    return gate(evidence_of(analysis, analysis, BASELINE, CANDIDATE), read_policy(COSTS, "gate.yaml"))


@pytest.mark.parametrize(
    ("then", "now", "apart"),
    [
        (by_one, in_batch, "0% of the baseline's and 100% of the candidate's"),
        (in_batch, by_one, "100% of the baseline's and 0% of the candidate's"),
        (in_batch, lambda item: item >= 30, "100% of the baseline's and 70% of the candidate's"),
        (lambda item: item < 50, lambda item: item >= 50, "50% of the baseline's and 50% of the candidate's"),
        (in_batch, in_batch, None),
        (by_one, by_one, None),
    ],
)
@pytest.mark.parametrize(("dearer", "verdict"), [(1.66, "fail"), (1.0, "pass")])
def test_half_a_price_makes_no_dearer_model_cheap_and_no_cheap_one_dear(
    then: Way, now: Way, apart: str | None, dearer: float, verdict: str
) -> None:
    found = gated(dearer, then, now)
    assert {check.outcome for check in found.checks} == {verdict}
    for check in found.checks:
        assert check.estimate is not None
        assert check.estimate.value == pytest.approx(dearer)
        assert ("at the price without batches" in check.finding) == (apart is not None)
    told = [note for note in found.notes if "requests went in batches:" in note]
    assert told == (
        [f"{apart} requests went in batches: costs of both sides are compared at the price without batches"]
        if apart
        else []
    )


def test_attempts_that_were_streamed_beside_a_batch_keep_their_price() -> None:
    """A batch whose entry was billed and not answered, and a streamed request after it."""
    book = run([[True]] * 20, [[True]] * 20, attempt=lambda m, i: sent(0.01, i, batched=False))
    first = {trial.id: trial for trial in book.trials if trial.key.model == CANDIDATE}
    billed = [
        replace(failed(0.004), id=1000 + trial, trial_id=trial, usage=Usage(1, 1, service_tier="batch"))
        for trial in first
    ]
    analysis = analyze(replace(book, attempts=(*book.attempts, *billed)))
    outputs = [o for item in analysis.outputs for o in item.outputs if o.model == CANDIDATE]
    assert [(o.unbatched_usd or 0) - (o.cost_usd or 0) for o in outputs] == pytest.approx([0.004] * 20)


@pytest.mark.parametrize("way", [in_batch, by_one])
@pytest.mark.parametrize("usage", [{"cache_read_tokens": 900}, {"cache_write_5m_tokens": 900}, {"speed": "fast"}])
def test_what_works_otherwise_in_a_batch_is_compared_with_its_like_alone(way: Way, usage: Any) -> None:
    def attempt(model: str, item: int) -> Attempt:
        return sent(0.01, item, batched=model == CANDIDATE or way(item), **usage)

    found = gated(1.0, by_one, by_one, attempt=attempt)
    outcome = "pass" if way is in_batch else "inconclusive"
    assert {check.outcome for check in found.checks} == {outcome}
    for check in found.checks:
        assert ("is not known (caches, fast mode, own prices)" in check.finding) == (outcome != "pass")
        assert not any("requests went in batches:" in note for note in found.notes)
        assert ("new runs of both with `--executor batch`" in (check.needs or "")) == (outcome != "pass")


OWN = {model: OwnRates(input=2.0, output=10.0, batch_factor=0.8) for model in (BASELINE, CANDIDATE)}
OTHER = {model: OwnRates(input=1.0, output=10.0, batch_factor=0.8) for model in (BASELINE, CANDIDATE)}
SILENT = {model: OwnRates(input=2.0, output=10.0) for model in (BASELINE, CANDIDATE)}


@pytest.mark.parametrize(
    ("prices", "outcome"),
    [(Prices(OWN), "pass"), (Prices(OTHER), "inconclusive"), (LIST_PRICES, "inconclusive")],
)
def test_own_prices_have_a_discount_of_their_own(prices: Prices, outcome: str) -> None:
    """Those of today may be others than the run was priced by."""

    def attempt(model: str, _item: int) -> Attempt:
        made = sent(0.01, 0, batched=model == CANDIDATE)
        return replace(made, cost_usd=Prices(OWN).price(model, made.usage, WHEN).usd)

    found = gated(1.0, by_one, in_batch, prices, attempt=attempt, prices_version=Prices(OWN).version())
    assert {check.outcome for check in found.checks} == {outcome}
    if outcome == "pass":
        assert [check.estimate.value for check in found.checks if check.estimate] == pytest.approx([1.0, 1.0])


def test_own_prices_without_a_discount_price_no_batch() -> None:
    used = Usage(input_tokens=1000, output_tokens=100, service_tier="batch")
    own = Prices(SILENT)
    assert own.price(BASELINE, used, WHEN).usd is None
    assert own.unbatched_usd(BASELINE, used, 0.001, WHEN, own.version()) is None


@pytest.mark.parametrize(
    ("read", "outcome"), [((0, 0), "pass"), ((0, 900), "inconclusive"), ((900, 0), "inconclusive")]
)
def test_costs_of_two_runs_are_not_compared_where_one_found_its_prompts_in_a_cache(
    read: tuple[int, int], outcome: str
) -> None:
    def attempt(model: str, item: int) -> Attempt:
        tokens = read[model == CANDIDATE]
        usage = Usage(1000 - tokens, 100, cache_read_tokens=tokens, cache_write_5m_tokens=10)
        return replace(answered(0.01 * (1 + item % 7 / 10)), usage=usage)

    seen = run(*table(2, 2, 96), attempt=attempt)
    models = {trial.id: trial.key.model for trial in seen.trials}
    parts = tuple(replace(a, session_id=1 + (models[a.trial_id] == CANDIDATE)) for a in seen.attempts)
    one, another, merged = analyze(seen), analyze(seen), analyze(replace(seen, attempts=parts))
    for then, now, expected in ((one, another, outcome), (merged, merged, outcome), (one, one, "pass")):
        found = gate(evidence_of(then, now, BASELINE, CANDIDATE), read_policy(COSTS, "gate.yaml"))
        assert {check.outcome for check in found.checks} == {expected}, [check.finding for check in found.checks]
