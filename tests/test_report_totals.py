"""What models cost once people put right what they got wrong: one interval everywhere, and words that keep to it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from analysis_builders import HAIKU, OPUS, PASS_OR_FAIL, SONNET, Book, answered, ended, spec
from report_pages import plain_text, section

from evalkit.analysis import analyze
from evalkit.analysis.results import Analysis
from evalkit.blocks import Facts, Table
from evalkit.pairing import compare, reserve
from evalkit.report import build_report, render_html
from evalkit.route import with_routing
from evalkit.stats import Estimate

Side = tuple[Sequence[float], Sequence[int]]


def of(sides: Mapping[str, Side], correction_minutes: float = 5.0, easy: int = 0) -> Analysis:
    """A run of models with a cost (USD) and a level for each item, the first few `easy`, and what routing is worth."""
    economics = {"review_minutes": 0.0, "correction_minutes": correction_minutes, "hourly_rate_usd": 60.0}
    book = Book(spec(tuple(sides), {**PASS_OR_FAIL, "economics": economics}))
    for i in range(max(len(levels) for _, levels in sides.values())):
        task = "What is it?" if i < easy else "Compare in detail, step by step, and explain why. " * 20
        book.item(f"item-{i:03}", task=task, difficulty="easy" if i < easy else "hard")
    for model, (costs, levels) in sides.items():
        for i, (cost, level) in enumerate(zip(costs, levels, strict=True)):
            book.trial(f"item-{i:03}", answered(cost), model=model, level=level)
    return with_routing(analyze(book.snapshot()))


def varied(seed: int, mean: float, n: int, spread: float = 0.2) -> list[float]:
    return list(mean * np.exp(spread * np.random.default_rng(seed).normal(size=n)))


def failing(n: int, *places: int) -> list[int]:
    return [int(i not in places) for i in range(n)]


def like_priced() -> Analysis:
    """Rates alike, prices that may be alike, and corrections that cost little."""
    sonnet = varied(1, 0.016, 60, 1.0), failing(60, *range(6))
    haiku = varied(2, 0.018, 60, 1.0), failing(60, *range(3, 9))
    return of({SONNET: sonnet, HAIKU: haiku}, correction_minutes=0.02)


def nearly_better() -> Analysis:
    """Sonnet passes five items more than Haiku: after Holm's adjustment over three pairs no difference is shown."""
    return of(
        {
            SONNET: (varied(1, 0.012, 80), failing(80)),
            HAIKU: (varied(2, 0.01, 80), failing(80, *range(5))),
            OPUS: (varied(3, 0.05, 80), failing(80, *range(5, 80, 10))),
        }
    )


def test_the_doubt_of_prices_is_in_the_saving_and_in_the_words() -> None:
    analysis = like_priced()
    pair = compare(analysis, SONNET, HAIKU)
    assert pair is not None
    assert pair.extra_cost.low is not None
    assert pair.extra_cost.high is not None
    assert pair.extra_cost.low < 0 < pair.extra_cost.high
    assert pair.saving.low is not None
    assert pair.saving.high is not None
    assert pair.saving.high - pair.saving.low >= pair.extra_cost.high - pair.extra_cost.low
    assert not pair.saves
    assert section(analysis, "price-of-a-failure").heading.endswith("but the data leave it open")


@pytest.mark.parametrize("make", [like_priced, nearly_better])
def test_one_quantity_has_one_interval_on_the_page(make: Callable[[], Analysis]) -> None:
    analysis = make()
    assert analysis.routing is not None
    best = analysis.routing.best.removeprefix("always-")
    singles = [v for v in analysis.routing.values if v.kind == "single" and v.name != f"always-{best}"]
    assert singles
    for value in singles:
        pair = compare(analysis, value.name.removeprefix("always-"), best)
        assert pair is not None
        for one, other in ((value.gain_usd, pair.saving), (value.expected_usd, analysis.model(pair.first).human_fix)):
            assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high), abs=1e-12)


def test_what_the_paired_section_does_not_show_is_not_shown_in_money_either() -> None:
    analysis = nearly_better()
    pair = compare(analysis, SONNET, HAIKU)
    assert pair is not None
    assert pair.saving.low is not None
    assert pair.saving.low > 0
    assert not pair.better
    assert (pair.saves, pair.overtaken) == (False, False)
    shown = section(analysis, "price-of-a-failure")
    assert "looks the least costly" in shown.heading
    (points,) = (block for block in shown.blocks if isinstance(block, Table))
    (row,) = (row for row in points.rows if plain_text(row.cells[0].text) == "Sonnet 4.6")
    assert "not shown by the data after Holm's correction for 3 comparisons" in row.cells[2].doubt
    assert "Corrections could favour Sonnet 4.6" in render_html(analysis).replace("\N{NO-BREAK SPACE}", " ")


def test_a_settled_gain_and_a_lower_price_are_shown() -> None:
    settled = of({SONNET: (varied(1, 0.01, 80), failing(80)), HAIKU: (varied(2, 0.01, 80), failing(80, *range(9)))})
    assert "Sonnet 4.6 is the least costly model in total" in section(settled, "price-of-a-failure").heading
    flat = of({SONNET: ([9.0] * 40, failing(40)), HAIKU: ([1.0] * 40, failing(40))})
    pair = compare(flat, HAIKU, SONNET)
    assert pair is not None
    assert pair.saves


def test_a_perfect_small_sample_does_not_make_a_certain_total() -> None:
    analysis = of({SONNET: (varied(1, 0.01, 4), failing(4)), HAIKU: (varied(2, 0.01, 4), failing(4))})
    total, rate = analysis.model(SONNET).human_fix, analysis.model(SONNET).pass_rate
    assert total.high is not None
    assert rate.low is not None
    assert total.high >= 5.0 * (1 - rate.low)


def test_routing_is_not_said_to_save_what_its_quality_may_cost() -> None:
    """Easy items that both pass: a loss that 30 items cannot rule out costs far more than the price saves."""
    sides = {
        HAIKU: (varied(1, 0.01, 60), failing(60, *range(30, 60, 2))),
        SONNET: (varied(2, 0.03, 60), failing(60)),
    }
    analysis = of(sides, easy=30)
    assert analysis.routing is not None
    assert any(value.kind == "router" and value.quality_gain.value == 0 for value in analysis.routing.values)
    assert analysis.routing.decision.verdict != "route"
    assert "Routing costs less" not in render_html(analysis)
    assert not any(value.shown for value in analysis.routing.values)


@pytest.mark.parametrize(
    ("low", "said"), [(-0.2, ", but is not shown to be less than 10 points worse"), (-0.05, ""), (None, "not")]
)
def test_a_saving_says_where_no_worse_is_not_shown(low: float | None, said: str) -> None:
    analysis = nearly_better()
    assert analysis.routing is not None
    value = replace(analysis.routing.values[0], quality_gain=Estimate(0.0, low, 0.1, 0.95, 60, "Tango score"))
    assert said in reserve(value)
    assert bool(said) == bool(reserve(value))
    decision = replace(analysis.routing.decision, verdict="route", policy=value.name, single=analysis.routing.best)
    routed = replace(analysis.routing, decision=decision, values=(value, *analysis.routing.values[1:]))
    assert section(replace(analysis, routing=routed), "routing").heading.endswith(reserve(value))


def test_a_failed_model_of_unknown_cost_leaves_the_others_to_be_drawn() -> None:
    """It is never picked, so the choice between the others is as steady as if its failures had been free."""
    found = []
    for cost_usd in (None, 0.0):
        book = Book(spec((OPUS, SONNET, HAIKU)))
        for i in range(40):
            book.trial(f"item-{i:03}", ended("errored", cost_usd), model=OPUS)
            book.trial(f"item-{i:03}", answered(varied(i, 0.03, 1)[0]), model=SONNET, level=int(i != 3))
            book.trial(f"item-{i:03}", answered(varied(i + 50, 0.01, 1)[0]), model=HAIKU, level=int(i not in (5, 6)))
        found.append(analyze(book.snapshot()))
    unknown, free = found
    assert unknown.model(OPUS).cost_per_request.value is None
    assert unknown.stability == free.stability
    assert unknown.stability is not None
    assert unknown.stability.resamples
    assert "No item has a verdict" not in render_html(unknown)


def test_an_unpriced_model_that_could_be_picked_is_why_nothing_is_drawn() -> None:
    book = Book(spec((SONNET, HAIKU)))
    for i in range(20):
        book.trial(f"item-{i:03}", answered(None), model=SONNET, level=1)
        book.trial(f"item-{i:03}", answered(0.01), model=HAIKU, level=1)
    page = render_html(analyze(book.snapshot())).replace("\N{NO-BREAK SPACE}", " ")
    assert "not every attempt has a price: Sonnet 4.6" in page
    assert "No item has a verdict" not in page


def test_models_without_a_shared_item_are_not_called_level() -> None:
    book = Book(spec((OPUS, SONNET)))
    for i in range(40):
        book.trial(f"opus-{i:03}", answered(0.05), model=OPUS, level=1)
        book.trial(f"sonnet-{i:03}", answered(0.05), model=SONNET, level=1)
    (first, *_) = build_report(analyze(book.snapshot())).sections
    (facts,) = (block for block in first.blocks if isinstance(block, Facts))
    (other,) = (fact for fact in facts.facts if fact.series is not None)
    assert "level" not in other.title
    assert "unknown" not in plain_text(other.text)


def test_a_run_in_which_everything_is_free_and_passes_has_a_page() -> None:
    analysis = of({SONNET: ([0.0] * 40, failing(40)), HAIKU: ([0.0] * 40, failing(40))})
    shown = section(analysis, "price-of-a-failure")
    assert "all models cost the same in total" in shown.heading
    assert "<h1" in render_html(analysis)
