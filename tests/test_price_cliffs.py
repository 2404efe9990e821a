"""Price cliffs: said where a run's prompts come near or pass one, told with its costs in a sweep, and never crossed."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from analysis_builders import HAIKU, SONNET, Book, answered, spec
from report_pages import plain_text, section
from sweep_builders import at_size, together
from test_signals import planted
from test_usage_log import line, read

from evalkit.analysis import analyze
from evalkit.analysis.movable import moved
from evalkit.analysis.price_cliffs import cliff_warnings, price_cliffs
from evalkit.analysis.results import Analysis, Context, PriceCliff
from evalkit.blocks import Note
from evalkit.chart_blocks import Lines
from evalkit.config import OwnRates
from evalkit.pricing import Prices, price
from evalkit.records import PromptSize, Usage
from evalkit.report import build_report, render_markdown

CHEAP = "claude-haiku-5-5"
RULE = "Haiku 5.5 bills every token 5 times as dear where a prompt has more than 100,000"


def of(*spans: tuple[int, int], own: tuple[str, ...] = ()) -> tuple[PriceCliff, ...]:
    prompts = [(CHEAP, Context(low, low, high, counted=True)) for low, high in spans]
    return price_cliffs([*prompts, (SONNET, Context(90_000, 90_000, 150_000, counted=True))], (CHEAP, SONNET), own)


@pytest.mark.parametrize(
    ("spans", "told"),
    [
        ([(1_000, 79_999)], None),
        ([(1_000, 80_000)], f"{RULE}: the longest here has 80,000, and a somewhat longer one costs 5 times as much."),
        ([(1_000, 100_000)], f"{RULE}: the longest here has 100,000, and a somewhat longer one costs 5 times as much."),
        ([(99_000, 100_001)], f"{RULE}, as some here have: costs of its requests are of two prices."),
        (
            [(95_000, 99_000), (105_000, 109_000)],
            f"{RULE}, as some here have: costs of its requests are of two prices.",
        ),
        ([(100_001, 140_000)], f"{RULE}, as all here have: one that keeps to it costs 20% of that."),
    ],
)
def test_a_cliff_is_said_where_prompts_come_near_it(spans: list[tuple[int, int]], told: str | None) -> None:
    assert list(cliff_warnings(of(*spans))) == ([told] if told else [])


def test_a_model_paid_by_own_rates_has_no_cliff_nor_one_whose_prompts_nobody_knows() -> None:
    assert of((90_000, 120_000), own=(CHEAP,)) == ()
    assert price_cliffs([(CHEAP, None)], (CHEAP,)) == ()


def run_at(tokens: int) -> Book:
    book = Book(spec((CHEAP, HAIKU)))
    for i in range(20):
        for model in (CHEAP, HAIKU):
            usage = Usage(input_tokens=tokens + i, output_tokens=100)
            book.trial(f"i{i:02}", replace(answered(), usage=usage), model=model, level=i % 2)
            book.sizes.append(PromptSize(f"i{i:02}", model, tokens + i, counted=True))
    return book


def test_a_run_close_below_a_cliff_is_warned_of_in_every_form() -> None:
    near, far = analyze(run_at(95_000).snapshot()), analyze(run_at(50_000).snapshot())
    told = f"{RULE}: the longest here has 95,019, and a somewhat longer one costs 5 times as much."
    assert told in near.warnings
    assert told in render_markdown(near)
    assert not far.price_cliffs
    paid = Prices({CHEAP: OwnRates(input=1, output=5)})
    assert not analyze(run_at(95_000).snapshot(), prices=paid).price_cliffs


def swept() -> Analysis:
    """Costs as the price data have them, at 50,000, 95,000 and 105,000 tokens."""
    when, parts = datetime(2026, 11, 22, tzinfo=UTC), {}
    for size in (50_000, 95_000, 105_000):
        part = at_size(size, {CHEAP: [[i % 5 > 0] for i in range(30)], SONNET: [[True]] * 30})
        cost = {m: price(m, Usage(input_tokens=size, output_tokens=100), when).usd for m in (CHEAP, SONNET)}
        model = {trial.id: trial.key.model for trial in part.trials}
        parts[size] = replace(
            part,
            attempts=tuple(a if a.grader else replace(a, cost_usd=cost[model[a.trial_id]]) for a in part.attempts),
        )
    return analyze(together(parts, 50_000))


def test_a_sweep_shows_what_requests_cost_on_either_side_of_a_cliff() -> None:
    analysis = swept()
    assert f"{RULE}, as those of the larger sizes here have: see 'Context length'." in analysis.warnings
    assert sum("bills every token" in line for line in analysis.warnings) == 1
    shown = section(analysis, "context-sweep")
    rates, costs = (block for block in shown.blocks if isinstance(block, Lines))
    assert (rates.x.reference, costs.x.reference) == (None, 100_000.0)
    by_model = {each.series.key: [y for _, y in each.points] for each in costs.lines}
    assert by_model[CHEAP][2] / by_model[CHEAP][1] == pytest.approx(5 * 105 / 95, rel=0.01)
    assert by_model[SONNET][2] / by_model[SONNET][1] == pytest.approx(105 / 95, rel=0.01)
    (note,) = (block for block in shown.blocks if isinstance(block, Note) and block.title == "Price cliff")
    assert plain_text(note.sentences[0]) == (
        f"{RULE}: 0.95¢ a request at 95,000 tokens and 5.3¢ a request at 105,000 tokens."
    )


def test_a_sweep_of_models_of_one_price_has_no_chart_of_costs() -> None:
    part = {size: at_size(size, {SONNET: [[True]] * 20}) for size in (50_000, 105_000)}
    shown = next(each for each in build_report(analyze(together(part))).sections if each.name == "context-sweep")
    assert len([block for block in shown.blocks if isinstance(block, Lines)]) == 1


@pytest.mark.parametrize(
    ("tokens", "cliff", "moves"),
    [
        (1_000, None, True),
        (1_250, None, True),
        (1_251, None, False),  # the run's prompts have 1,000
        (320_000, None, False),
        (1_100, 1_100, True),
        (1_101, 1_100, False),
        (1_200, 900, True),  # which the run's prompts are beyond already
    ],
)
def test_a_request_longer_than_what_was_tried_is_no_one_s(tokens: int, cliff: int | None, moves: bool) -> None:
    analysis = planted()
    if cliff is not None:
        analysis = replace(analysis, price_cliffs=(PriceCliff(HAIKU, "Haiku 4.5", cliff, 5.0, 1000, 1000),))
    found = moved(read(line(difficulty="easy", input_tokens=tokens)), analysis)
    assert [move.requests for move in found.moves] == ([1] if moves else [])
    assert found.unmapped == ({} if moves else {"a prompt longer than the run's on its part": 1})


def test_what_a_cache_held_counts_as_length_too() -> None:
    cached = line(difficulty="easy", input_tokens=100, cache_read_tokens=5_000)
    assert not moved(read(cached), planted()).moves
