"""Models that cost nothing, or the same: nothing is said to cost less, or to meet, by a rounding."""

import pytest
from analysis_builders import HAIKU, OPUS, PASS_OR_FAIL, SONNET, Book, answered, spec
from report_pages import plain_text

from evalkit.analysis import analyze
from evalkit.analysis.results import Analysis
from evalkit.blocks import Paragraph
from evalkit.chart_blocks import Lines, Series
from evalkit.route import with_routing
from evalkit.sections import frontier, price_of_failure, routing, scorecard


def analysed(usd: dict[str, float], lost: dict[str, int]) -> Analysis:
    economics = {"review_minutes": 0.0, "correction_minutes": 5.0, "hourly_rate_usd": 60.0}
    book = Book(spec(tuple(usd), {**PASS_OR_FAIL, "economics": economics}))
    for item in range(60):
        for model, cost in usd.items():
            book.trial(f"i{item:03d}", answered(cost), model=model, level=int(item >= lost[model]))
    return analyze(book.snapshot())


@pytest.mark.parametrize(
    ("usd", "misses", "point"),
    [
        ((2.8e-17, 0.0), (0.10, 0.21), None),  # what sums of corrections leave of a price of nothing
        ((0.01, 0.01 + 1e-18), (0.10, 0.21), None),
        ((0.02, 0.01), (0.21, 0.21 + 1e-17), None),
        ((0.02, 0.01), (0.10, 0.20), 0.1),
        ((0.01, 0.02), (0.10, 0.20), None),
    ],
)
def test_curves_cross_where_money_does(
    usd: tuple[float, float], misses: tuple[float, float], point: float | None
) -> None:
    one, other = (
        price_of_failure._Cost(Series("m", "M", 0), cost, miss) for cost, miss in zip(usd, misses, strict=True)
    )
    assert price_of_failure._cross(one, other) == (None if point is None else pytest.approx(point))


def test_two_models_that_cost_nothing_meet_nowhere() -> None:
    found = price_of_failure.build(analysed({HAIKU: 0.0, SONNET: 0.0, OPUS: 0.05}, {HAIKU: 9, SONNET: 0, OPUS: 1}))
    assert found is not None
    (chart,) = (block for block in found.blocks if isinstance(block, Lines))
    assert chart.x.low > 1e-4, "its axis begins where real money does"
    assert all(crossing.x > 1e-4 for crossing in chart.crossings)


def test_models_that_are_never_the_least_costly_stretch_no_axis() -> None:
    """Two dear ones, a millionth of a dollar apart, cross near nothing, where a third is far cheaper."""
    found = price_of_failure.build(
        analysed({HAIKU: 0.001, SONNET: 0.05, OPUS: 0.050001}, {HAIKU: 9, SONNET: 3, OPUS: 1})
    )
    assert found is not None
    (chart,) = (block for block in found.blocks if isinstance(block, Lines))
    assert [round(crossing.x, 2) for crossing in chart.crossings] == [0.37]
    assert chart.x.low == 0.1


def test_what_costs_nothing_costs_less() -> None:
    found = scorecard.build(analysed({HAIKU: 0.01, OPUS: 0.0}, {HAIKU: 0, OPUS: 1}))
    assert found is not None
    assert found.heading == "Haiku 4.5 and Opus 4.6 clear 80%; Opus 4.6 does so for less"
    two = scorecard.build(analysed({HAIKU: 0.01, SONNET: 0.0, OPUS: 0.0}, {HAIKU: 0, SONNET: 2, OPUS: 1}))
    assert two is not None
    assert two.heading.endswith("clear 80%; Sonnet 4.6 and Opus 4.6 do so for less")


def test_a_total_that_is_the_same_for_all_is_lowest_for_none() -> None:
    """Every model fails the same twenty items of sixty, at the same price."""
    level = with_routing(analysed(dict.fromkeys((HAIKU, SONNET, OPUS), 0.01), dict.fromkeys((HAIKU, SONNET, OPUS), 12)))
    found = routing.build(level)
    assert found is not None
    said = " ".join(plain_text(block.text) for block in found.blocks if isinstance(block, Paragraph))
    assert "by the estimates" not in said
    assert "which is the same for all" in f"{said} {plain_text(found.lede)}"


def test_of_two_that_are_lowest_neither_is_named_alone() -> None:
    analysis = with_routing(analysed({HAIKU: 0.01, SONNET: 0.01, OPUS: 0.05}, {HAIKU: 15, SONNET: 15, OPUS: 15}))
    found = frontier.build(analysis)
    assert found is not None
    assert "Haiku 4.5 and Sonnet 4.6 cost least" in found.heading
    shown = routing.build(analysis)
    assert shown is not None
    told = " ".join(plain_text(block.text) for block in shown.blocks if isinstance(block, Paragraph))
    assert "which is lowest for Haiku 4.5 and Sonnet 4.6 by the estimates" in told
