"""Costs of a report where batches are in play: models and runs are compared, never half a price with a whole one."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from analysis_builders import HAIKU, OPUS, Book, answered, spec
from report_pages import plain_text, section

from evalkit.analysis import analyze
from evalkit.analysis.results import Analysis
from evalkit.analysis.sides import request_cost_ratio, standing
from evalkit.analysis.without_batches import NOT_AS_BILLED
from evalkit.blocks import MOST_WARNINGS
from evalkit.cli.summary import summary_table
from evalkit.models import display_name
from evalkit.pairing import Comparison, compare
from evalkit.pricing import LIST_PRICES
from evalkit.records import Snapshot, Usage
from evalkit.report import render_markdown
from evalkit.route import with_routing
from evalkit.routing.outcomes import outcomes_of
from evalkit.sections import against

WHEN = datetime(2026, 11, 2, 10, tzinfo=UTC)
ITEMS = 24
Way = Callable[[int], bool]
"""Whether the request of an item goes in a batch."""


def by_one(_item: int) -> bool:
    return False


def in_batch(_item: int) -> bool:
    return True


def ran(ways: dict[str, Way], tokens: dict[str, int], version: str = "", items: int = ITEMS, **usage: Any) -> Snapshot:
    """Each model with its way of sending and its length of answers; Opus passes all items, others fail one."""
    models = tuple(ways)
    rates = {model: LIST_PRICES.tiers(model, WHEN) for model in models}
    book = Book(spec(models, rates=rates, prices_version=version or LIST_PRICES.version()))
    for item in range(items):
        for model, way in ways.items():
            used = Usage(1000, tokens[model] + item, service_tier="batch" if way(item) else "standard", **usage)
            one = answered(LIST_PRICES.price(model, used, WHEN).usd, usage=used)
            if way(item):
                one = replace(one, latency_s=None, ttft_s=None)
            book.trial(f"i{item:02}", one, model=model, level=int(item > 0 or model == OPUS))
    return book.snapshot()


LONG = {OPUS: 100, HAIKU: 800}


def ratio(analysis: Analysis) -> float | None:
    sides = standing(analysis).sides
    return request_cost_ratio(sides[HAIKU], sides[OPUS]).value


@pytest.mark.parametrize(
    ("ways", "apart"),
    [
        ({OPUS: by_one, HAIKU: in_batch}, True),
        ({OPUS: in_batch, HAIKU: by_one}, True),
        ({OPUS: in_batch, HAIKU: lambda item: item > 3}, True),
        ({OPUS: lambda item: item < 12, HAIKU: lambda item: item >= 12}, True),
        ({OPUS: in_batch, HAIKU: in_batch}, False),
        ({OPUS: in_batch, HAIKU: lambda item: item > 0}, True),
        ({OPUS: lambda item: item > 3, HAIKU: lambda item: item > 3}, False),
    ],
)
def test_models_that_went_unlike_ways_are_compared_at_one_price(ways: dict[str, Way], apart: bool) -> None:
    plain = analyze(ran({OPUS: by_one, HAIKU: by_one}, LONG))
    mixed = analyze(ran(ways, LONG))
    assert mixed.without_batches == apart
    told = [line for line in mixed.warnings if "Not the same requests of each model and size went in batches" in line]
    assert len(told) == apart
    assert (NOT_AS_BILLED in plain_text(section(mixed, "scorecard").blocks[1].text)) == apart
    assert any(NOT_AS_BILLED in line for line in with_routing(mixed).routing.warnings) == apart
    if apart:
        assert ratio(mixed) == pytest.approx(ratio(plain))
        for one, other in zip(mixed.models, plain.models, strict=True):
            assert one.cost_per_request.value == pytest.approx(other.cost_per_request.value)
            assert one.cost_per_satisfactory.value == pytest.approx(other.cost_per_satisfactory.value)
        assert mixed.decision.option == plain.decision.option
        assert outcomes_of(mixed, 0.0).cost_usd.sum() == pytest.approx(outcomes_of(plain, 0.0).cost_usd.sum())
        billed = sum(o.cost_usd or 0.0 for item in mixed.outputs for o in item.outputs)
        assert sum(model.spend_usd or 0.0 for model in mixed.models) == pytest.approx(billed), "spend stays as billed"
        shares = (
            f"{sum(map(ways[m], range(ITEMS))) / ITEMS:.0%} of {display_name(m, mixed.spec.models)}" for m in ways
        )
        assert f"({', '.join(shares)})" in told[0]
        assert mixed.warnings.index(told[0]) < MOST_WARNINGS, "beside the verdict"


@pytest.mark.parametrize("usage", [{"cache_read_tokens": 900}, {"cache_write_5m_tokens": 900}])
def test_what_works_otherwise_in_a_batch_is_unpriced_beside_what_went_in_none(usage: Any) -> None:
    found = analyze(ran({OPUS: by_one, HAIKU: in_batch}, LONG, **usage))
    assert found.model(HAIKU).cost_per_request.value is None
    assert ratio(found) is None
    assert any(f"What {ITEMS} outputs would cost outside of a batch is not known" in line for line in found.warnings)
    alike = analyze(ran({OPUS: in_batch, HAIKU: in_batch}, LONG, **usage))
    assert alike.model(HAIKU).cost_per_request.value is not None


@pytest.mark.parametrize(("last", "apart"), [(100, False), (150_000, True)])
def test_a_few_requests_of_which_nobody_knows_the_price_outside_count_by_what_they_cost(last: int, apart: bool) -> None:
    """Of 60 cached requests one is sent by itself: a small one stays as billed, a large one is most of the bill."""
    models = (OPUS, HAIKU)
    book = Book(spec(models, rates={m: LIST_PRICES.tiers(m, WHEN) for m in models}))
    for item in range(60):
        for model in models:
            batched = model == OPUS or item > 0
            used = Usage(
                100 if item else last, 50, cache_read_tokens=900, service_tier="batch" if batched else "standard"
            )
            one = answered(LIST_PRICES.price(model, used, WHEN).usd, usage=used)
            book.trial(f"i{item:02}", one, model=model, level=1)
    found = analyze(book.snapshot())
    assert found.without_batches == apart
    assert (found.model(HAIKU).cost_per_request.value is None) == apart


def swept(way: Callable[[str, int, int], bool]) -> Snapshot:
    """Two models at two sizes; whether a model's request of a size and item goes in a batch."""
    models, sizes = (OPUS, HAIKU), (2_000, 50_000)
    rates = {model: LIST_PRICES.tiers(model, WHEN) for model in models}
    book = Book(spec(models, rates=rates, prices_version=LIST_PRICES.version(), contexts=sizes))
    for item in range(ITEMS):
        for size in sizes:
            for model in models:
                name = f"i{item:02}@{size}"
                batched = way(model, size, item)
                used = Usage(size - 900, 300, cache_read_tokens=900, service_tier="batch" if batched else "standard")
                one = answered(LIST_PRICES.price(model, used, WHEN).usd, usage=used)
                one = replace(one, latency_s=None, ttft_s=None) if batched else one
                book.item(name, variant_of=f"i{item:02}", context_tokens=size)
                book.trial(name, one, model=model, level=1)
    return book.snapshot()


@pytest.mark.parametrize(
    ("way", "apart"),
    [
        (lambda _model, size, _item: size == 2_000, True),
        (lambda model, _size, _item: model == OPUS, True),
        (lambda _model, _size, item: item > 1, False),
    ],
    ids=["one size", "one model", "the same sample"],
)
def test_models_of_a_sweep_that_were_sent_alike_are_compared_as_billed(
    way: Callable[[str, int, int], bool], apart: bool
) -> None:
    found = analyze(swept(way))
    assert found.without_batches == apart
    assert all((model.cost_per_request.value is None) <= apart for model in found.models)
    assert bool(found.warnings and any("went in batches" in line for line in found.warnings)) == apart


def test_pairs_of_which_nobody_knows_the_price_without_batches_say_so() -> None:
    """Caches work otherwise in a batch; the model that was sent alike in both runs keeps its ratio."""
    usage = {"cache_read_tokens": 900}
    then, now = (
        ran({OPUS: in_batch, HAIKU: in_batch}, LONG, **usage),
        ran({OPUS: by_one, HAIKU: in_batch}, LONG, **usage),
    )
    found = analyze(replace(now, spec=replace(now.spec, models=(OPUS, HAIKU))), then)
    pairs = {pair.b: pair for pair in found.against}
    known = "what requests cost outside of a batch is not known (caches, fast mode, own prices)"
    assert pairs[OPUS].cost_ratio.reason == known
    assert found.baseline is not None
    assert [line for line in found.baseline.differs if "batches" in line] == [
        f"Different: Opus 4.6: 100% of its requests went in batches then and 0% now; costs are not compared: {known}."
    ]
    alone = analyze(ran({OPUS: by_one}, LONG, **usage), ran({OPUS: in_batch, HAIKU: in_batch}, LONG, **usage))
    assert "a request is unpriced" not in render_markdown(alone)


@pytest.mark.parametrize(("then", "now"), [(in_batch, by_one), (by_one, in_batch), (in_batch, in_batch)])
def test_runs_that_went_unlike_ways_are_compared_at_one_price(then: Way, now: Way) -> None:
    found = analyze(ran({OPUS: now}, LONG), ran({OPUS: then}, LONG))
    (pair,) = found.against
    assert pair.cost_ratio.value == pytest.approx(1.0)
    assert found.baseline is not None
    apart = then is not now
    assert any("costs are compared at the price without batches" in line for line in found.baseline.differs) == apart
    assert not found.without_batches, "the figures of this run alone stay as billed"
    assert "at more cost" not in render_markdown(found)
    assert "at less cost" not in render_markdown(found)


CACHED = {"cache_read_tokens": 900}
NOT_KNOWN_OUTSIDE = "what requests cost outside of a batch is not known (caches, fast mode, own prices)"


def differing(analysis: Analysis) -> list[str]:
    assert analysis.baseline is not None
    return [line for line in analysis.baseline.differs if "batches" in line]


def test_a_few_requests_sent_another_way_are_told_and_no_change_of_costs_rests_on_them() -> None:
    """Ten of 300 cached requests are streamed now, as a sample of latency is: costs rise by 3% with nothing changed."""
    then, now = ({OPUS: in_batch}, {OPUS: lambda item: item >= 10})
    found = analyze(ran(now, LONG, items=300, **CACHED), ran(then, LONG, items=300, **CACHED))
    (pair,) = found.against
    assert pair.cost_ratio.value == pytest.approx(1.03, abs=0.01)
    assert pair.cost_ratio.low is not None
    assert pair.cost_ratio.low > 1
    assert not pair.priced_alike
    page = render_markdown(found)
    assert not any(claim in page for claim in ("at more cost", "costs more"))
    (line,) = differing(found)
    assert line == (
        "Different: Opus 4.6: 100% of its requests went in batches then and 97% now; costs are as billed and follow"
        f" that, since {NOT_KNOWN_OUTSIDE}."
    )
    alike = analyze(ran(then, LONG, items=300, **CACHED), ran(then, LONG, items=300, **CACHED))
    assert alike.against[0].priced_alike
    assert not differing(alike)


@pytest.mark.parametrize("cached", [0, 100])
def test_two_differences_of_one_model_do_not_contradict_each_other(cached: int) -> None:
    """In batches then, alone now, and far more out of a cache: what a cache gave is why costs are not compared."""
    then = ran({OPUS: in_batch, HAIKU: in_batch}, dict(LONG), cache_read_tokens=cached)
    now = ran({OPUS: by_one, HAIKU: by_one}, dict(LONG), cache_read_tokens=900)
    baseline = analyze(now, then).baseline
    assert baseline is not None
    said = [line for line in baseline.differs if "Opus" in line]
    assert said[0] == "Different: Opus 4.6: 100% of its requests went in batches then and 0% now."
    assert [("costs are" in line, "a cache gave" in line) for line in said[1:]] == [(True, True)]


def test_a_few_requests_sent_another_way_are_compared_at_one_price_where_that_is_known() -> None:
    """Of Opus it is, though nobody knows it of another model of the run."""
    then = ran({OPUS: in_batch, HAIKU: in_batch}, LONG, items=300)
    few = ran({OPUS: lambda item: item >= 10, HAIKU: in_batch}, LONG, items=300)
    cached = [t.id for t in few.trials if t.key.model == HAIKU]
    now = replace(few, attempts=tuple(
        replace(a, usage=replace(a.usage, **CACHED)) if a.trial_id in cached else a for a in few.attempts
    ))  # fmt: skip
    found = analyze(now, then)
    pair = next(pair for pair in found.against if pair.b == OPUS)
    assert pair.cost_ratio.value == pytest.approx(1.0)
    assert pair.priced_alike


def test_models_sent_alike_in_both_runs_are_compared_though_each_run_sent_its_models_apart() -> None:
    """Nobody knows what the cached requests of Haiku had cost outside of a batch; they were billed alike."""
    ways = {OPUS: by_one, HAIKU: in_batch}
    found = analyze(ran(ways, LONG, **CACHED), ran(ways, LONG, **CACHED))
    assert found.without_batches
    for pair in found.against:
        assert pair.cost_ratio.value == pytest.approx(1.0)
        assert pair.priced_alike
    assert not differing(found)
    unlike = analyze(ran(ways, LONG, **CACHED), ran({OPUS: by_one, HAIKU: by_one}, LONG, **CACHED))
    assert [pair.cost_ratio.reason for pair in unlike.against] == [None, NOT_KNOWN_OUTSIDE]


@pytest.mark.parametrize(
    ("then", "now", "shares", "besides"),
    [
        (in_batch, lambda item: item > 0, ("100%", "all but 1"), ""),
        (by_one, lambda item: item < 2, ("0%", "only 2"), ""),
        (lambda item: item % 2 == 0, lambda item: item % 2 == 1, ("50%", "50%"), ", of other items"),
    ],
)
def test_shares_are_told_apart_that_round_alike(then: Way, now: Way, shares: tuple[str, str], besides: str) -> None:
    found = analyze(ran({OPUS: now}, LONG, items=500), ran({OPUS: then}, LONG, items=500))
    told = f"{shares[0]} of its requests went in batches then and {shares[1]} now{besides}"
    assert differing(found) == [f"Different: Opus 4.6: {told}; costs are compared at the price without batches."]
    beside = analyze(ran({OPUS: now, HAIKU: then}, LONG, items=500))
    assert f"({shares[1]} of Opus 4.6, {shares[0]} of Haiku 4.5)" in beside.warnings[0]


@pytest.mark.parametrize(("ways", "share"), [(lambda item: item > 3, "83%"), (in_batch, "100%"), (by_one, None)])
def test_every_form_says_which_outputs_came_at_batches_price(ways: Way, share: str | None) -> None:
    """Of outputs, not of costs, of which a few long ones may be most."""
    found = analyze(ran({OPUS: ways, HAIKU: ways}, LONG))
    told = f"Costs are as billed, {share} of outputs at batches' price"
    forms = (
        plain_text(section(found, "scorecard").blocks[1].text),
        render_markdown(found),
        str(summary_table(found).caption),
    )
    for form in forms:
        assert told in form if share else "batches" not in form


def test_of_many_models_none_is_called_dearer_by_chance() -> None:
    """Six models of which one costs 15% more than another (p .017 by itself): not with 15 pairs allowed for."""
    models = tuple(f"model-{letter}" for letter in "abcdef")

    def costs(among: int) -> Comparison:
        book = Book(spec(models[:among]))
        for item in range(40):
            for place, model in enumerate(models[:among]):
                noise = ((item * 7 + place * 13) % 11 - 5) / 30
                book.trial(
                    f"i{item:02}", answered(0.01 * (1 + noise) * (1.15 if place == 1 else 1)), model=model, level=1
                )
        found = compare(analyze(book.snapshot()), models[1], models[0])
        assert found is not None
        return found

    two, six = costs(2), costs(6)
    assert two.cost_ratio == six.cost_ratio
    assert two.cost_p_holm is not None
    assert 0.01 < two.cost_p_holm < 0.05, "shown by itself"
    assert two.dearer
    assert not two.cost_undone
    assert not six.dearer
    assert re.fullmatch(r", not shown after Holm \(p 0?\.\d+\)", six.cost_undone)


def test_prices_are_no_change_of_a_model_since_the_baseline_run() -> None:
    """Of another list, or of a region of the one or the other run."""
    here, us = ran({OPUS: by_one}, LONG), ran({OPUS: by_one}, LONG, inference_geo="us")
    older = replace(here, attempts=tuple(replace(a, cost_usd=2 * (a.cost_usd or 0)) for a in here.attempts))
    older = replace(older, spec=replace(older.spec, prices_version="genai-prices 0.0.1", rates={}))
    for now, then in ((us, here), (here, us), (here, older)):
        found = analyze(now, then)
        section, (pair,) = against.build(found), found.against
        assert section is not None
        assert pair.cost_ratio.value != pytest.approx(1.0)
        assert not pair.priced_alike
        page = render_markdown(found)
        assert not any(claim in page for claim in ("at more cost", "at less cost", "costs more", "costs less"))
        assert "the cost per satisfactory output, each priced in its own way" in page
        assert found.baseline is not None
        differs = [line for line in found.baseline.differs if "price" in line or "region" in line]
        assert differs
    few = replace(
        us, attempts=(*here.attempts[1:], replace(us.attempts[0], id=999, trial_id=here.attempts[0].trial_id))
    )
    assert not analyze(few, here).against[0].priced_alike, "one of 24 answers in a region may be most of the cost"
    both = analyze(us, us)
    assert both.against[0].priced_alike, "a region of both is part of neither's change"
    same = replace(older, spec=replace(older.spec, rates=here.spec.rates), attempts=here.attempts)
    assert analyze(here, same).against[0].priced_alike, "another list of the same rates"
