"""Price cliffs: said where a run's prompts come near or pass one, told with its costs in a sweep, and never crossed."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from analysis_builders import HAIKU, OPUS, SONNET, Book, answered, spec
from report_pages import plain_text, section
from sweep_builders import at_size, together
from test_signals import planted
from test_usage_log import line, read

from evalkit.analysis import analyze
from evalkit.analysis.movable import moved
from evalkit.analysis.places import Place
from evalkit.analysis.price_cliffs import cliff_warnings, price_cliffs
from evalkit.analysis.production import production
from evalkit.analysis.prompt_sizes import sides_of
from evalkit.analysis.results import Analysis, PriceCliff
from evalkit.blocks import Note
from evalkit.chart_blocks import Lines
from evalkit.charts.lines import _pieces
from evalkit.cli.signal_tables import production_lines
from evalkit.config import OwnRates
from evalkit.pricing import Prices, price
from evalkit.records import PromptSize, Usage
from evalkit.report import build_report, render_markdown

CHEAP = "claude-haiku-5-5"
RULE = "Haiku 5.5 bills every token 5 times as dear where a prompt has more than 100,000"


def of(*sizes: int, prices: str = "genai-prices 0.2", own: tuple[str, ...] = ()) -> tuple[PriceCliff, ...]:
    """Of one item whose prompts had these sizes, of both models."""
    item = planted().outputs[0]
    outputs = tuple(replace(item.outputs[0], model=m, input_tokens=size) for m in (CHEAP, SONNET) for size in sizes)
    item = replace(item, outputs=outputs)
    return price_cliffs([item], replace(spec((CHEAP, SONNET)), prices_version=prices), own)


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ([1_000, 79_999], None),
        ([1_000, 80_000], f"{RULE}: the longest here has 80,000, and a somewhat longer one costs 5 times as much."),
        ([1_000, 100_000], f"{RULE}: the longest here has 100,000, and a somewhat longer one costs 5 times as much."),
        ([99_000, 100_001], f"{RULE}, as some here have: costs of its requests are of two prices."),
        ([100_001, 140_000], f"{RULE}, as all here have: one that keeps to it costs 20% of that at most."),
        ([], None),
    ],
)
def test_a_cliff_is_said_where_prompts_come_near_it(sizes: list[int], told: str | None) -> None:
    assert list(cliff_warnings(of(*sizes))) == ([told] if told else [])


@pytest.mark.parametrize(
    ("prices", "own", "cliffs"),
    [
        ("genai-prices 0.2", (CHEAP,), 1),  # the rates where the report is made are not those of the run
        ("genai-prices 0.2, own rates 0a1b", (CHEAP,), 0),
        ("genai-prices 0.2, own rates 0a1b", (SONNET,), 1),
        ("genai-prices 0.2, own rates 0a1b", (), 0),  # nobody knows whose
        (f"as imported: {CHEAP}, {SONNET}", (), 0),
        (f"as imported: {SONNET}; genai-prices 0.2 from tokens: {CHEAP}", (), 1),
    ],
)
def test_a_cliff_is_one_of_the_prices_that_the_run_was_made_by(prices: str, own: tuple[str, ...], cliffs: int) -> None:
    assert len(of(90_000, prices=prices, own=own)) == cliffs


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


def swept() -> Analysis:
    """Costs as the price data have them, at 50,000, 95,000 and 105,000 tokens."""
    when, parts = datetime(2026, 11, 22, tzinfo=UTC), {}
    for size in (50_000, 95_000, 105_000):
        part = at_size(size, {CHEAP: [[i % 5 > 0] for i in range(30)], SONNET: [[True]] * 30})
        cost = {m: price(m, Usage(input_tokens=size, output_tokens=100), when).usd for m in (CHEAP, SONNET)}
        model = {trial.id: trial.key.model for trial in part.trials}
        parts[size] = replace(
            part,
            attempts=tuple(
                a
                if a.grader
                else replace(a, cost_usd=cost[model[a.trial_id]], usage=Usage(input_tokens=size, output_tokens=100))
                for a in part.attempts
            ),
        )
    return analyze(together(parts, 50_000))


def test_a_sweep_shows_what_requests_cost_on_either_side_of_a_cliff() -> None:
    analysis = swept()
    assert f"{RULE}, as those of the larger sizes here have: see 'Context length'." in analysis.warnings
    assert sum("bills every token" in line for line in analysis.warnings) == 1
    shown = section(analysis, "context-sweep")
    rates, costs = (block for block in shown.blocks if isinstance(block, Lines))
    assert (rates.x.reference, costs.x.reference) == (None, 100_000.0)
    assert costs.y.log, "a step of the cheapest model is seen beside the dearest"
    assert {each.series.key: each.steps for each in costs.lines} == {CHEAP: (100_000.0,), SONNET: ()}
    strokes = [_pieces(each, list(each.points)) for each in costs.lines]
    assert [[len(piece) for piece in each] for each in strokes] == [[2], [3]], "none crosses the cliff"
    by_model = {each.series.key: [y for _, y in each.points] for each in costs.lines}
    assert by_model[CHEAP][2] / by_model[CHEAP][1] == pytest.approx(5 * 105 / 95, rel=0.01)
    assert by_model[SONNET][2] / by_model[SONNET][1] == pytest.approx(105 / 95, rel=0.01)
    (note,) = (block for block in shown.blocks if isinstance(block, Note) and block.title == "Price cliff")
    assert plain_text(note.sentences[0]) == (
        f"{RULE}: 0.95¢ a request with prompts of 94,986 to 94,990 tokens and 5.3¢ a request with prompts of"
        " 104,986 to 104,990 tokens."
    )


def test_a_sweep_of_models_of_one_price_has_no_chart_of_costs() -> None:
    part = {size: at_size(size, {SONNET: [[True]] * 20}) for size in (50_000, 105_000)}
    shown = next(each for each in build_report(analyze(together(part))).sections if each.name == "context-sweep")
    assert len([block for block in shown.blocks if isinstance(block, Lines)]) == 1


def taking(tokens: dict[str, int | None]) -> Analysis:
    """As `planted`, with prompts of so many tokens, by model."""
    found = planted()
    items = tuple(
        replace(i, outputs=tuple(replace(o, input_tokens=tokens[o.model]) for o in i.outputs)) for i in found.outputs
    )
    return replace(found, outputs=items)


@pytest.mark.parametrize(
    ("tried", "logged", "moves"),
    [
        ((1_000, 1_000), 1_250, True),
        ((1_000, 1_000), 1_251, False),
        ((1_000, 1_000), 320_000, False),
        ((170_000, 170_000), 200_000, True),
        ((170_000, 170_000), 200_001, False),  # beyond Haiku's window
        ((100_000, 130_000), 125_000, True),
        ((100_000, 170_000), 120_000, False),  # Haiku makes 204,000 of it
        ((None, None), 200_000, True),
        ((None, None), 320_000, False),
    ],
)
def test_a_request_longer_than_what_was_tried_is_no_one_s(
    tried: tuple[int | None, int | None], logged: int, moves: bool
) -> None:
    analysis = taking({SONNET: tried[0], HAIKU: tried[1], OPUS: tried[0]})
    found = moved(read(line(difficulty="easy", input_tokens=logged)), analysis)
    assert [move.requests for move in found.moves] == ([1] if moves else [])
    assert found.unmapped == ({} if moves else {"a prompt longer than the run's on its part": 1})


@pytest.mark.parametrize(
    ("tried", "of_cheap", "tokens", "beyond"),
    [
        (76_000, 98_800, 76_923, False),  # which are the 100,000 of its cliff
        (76_000, 98_800, 76_924, True),
        (90_000, 117_000, 76_924, True),
        (90_000, None, 76_923, False),  # by what is known of the two tokenizers
    ],
)
def test_the_cliff_of_the_cheaper_model_is_met_by_its_own_tokens(
    tried: int, of_cheap: int | None, tokens: int, beyond: bool
) -> None:
    """Haiku 5.5 makes 1.3 tokens of one of Sonnet 4.6's."""
    longest = {SONNET: {"i": tried}, CHEAP: {} if of_cheap is None else {"i": of_cheap}}
    part = replace(planted().slices[0], item_ids=("i",))
    assert Place(SONNET, CHEAP, (), (part,), longest, {}).side(tokens) == (False, beyond)
    assert sides_of(SONNET, CHEAP, "i", longest) == (False, tried > 80_000)
    assert sides_of(SONNET, CHEAP, "another", longest) == (False, None)


def test_what_a_cache_held_counts_as_length_too() -> None:
    cached = line(difficulty="easy", input_tokens=100, cache_read_tokens=5_000)
    assert not moved(read(cached), planted()).moves


NEWER, NEWEST = "claude-sonnet-5-5", "claude-haiku-5-5"  # of which the latter costs 5 times as much from 100,000 on


def around_a_cliff(beyond: int, of: int = 60) -> Analysis:
    """Two models that both pass all, on prompts of 90,000 tokens and, of so many items, 110,000."""
    book = Book(spec((NEWER, NEWEST)))
    for item in range(of):
        size = 110_000 if item < beyond else 90_000
        book.item(f"i{item:02d}", difficulty="easy")
        for model, usd in ((NEWER, 2e-6), (NEWEST, 5e-7 if size > 100_000 else 1e-7)):
            usage = Usage(input_tokens=size + item, output_tokens=10)
            book.trial(f"i{item:02d}", answered(usd * size, usage=usage), model=model, level=1)
    return analyze(book.snapshot())


@pytest.mark.parametrize(
    ("beyond", "logged", "ratio"),
    [
        (0, 95_000, 0.05),
        (0, 105_000, None),  # nobody tried what costs five times as much
        (1, 105_000, None),
        (1, 95_000, 0.05),
        (20, 105_000, 0.25),
        (20, 95_000, 0.05),
        (60, 105_000, 0.25),
        (60, 95_000, None),
        (20, None, None),
        (60, None, 0.25),
    ],
)
def test_requests_cost_what_prompts_on_their_side_of_a_price_cliff_do(
    beyond: int, logged: int | None, ratio: float | None
) -> None:
    rows = [line(model=NEWER, difficulty="easy", input_tokens=logged)]
    found = moved(read(*rows), around_a_cliff(beyond))
    assert [move.cost_ratio.value for move in found.moves] == ([] if ratio is None else [pytest.approx(ratio)])
    assert [move.beyond for move in found.moves] == ([] if ratio is None else [(NEWEST,) if logged == 105_000 else ()])
    reason = "a prompt on a side of a price cliff that the run hardly tried on its part"
    assert found.unmapped == ({reason: 1} if ratio is None else {})


@pytest.mark.parametrize(
    ("rates", "logged", "ratio"),
    [
        ((1.2,), 82_000, 0.05),  # 98,400 tokens of the cheaper model, by what it made of the run's prompts
        ((1.2,), 84_000, 0.25),
        ((1.4,), 71_000, 0.05),
        ((1.4,), 72_000, 0.25),
        ((1.2, 1.4), 78_000, None),  # 93,600 to 109,200
        ((1.2, 1.4), 71_000, 0.05),
    ],
)
def test_a_prompt_has_the_tokens_that_the_run_was_billed_for_such(
    rates: tuple[float, ...], logged: int, ratio: float | None
) -> None:
    book = Book(spec((NEWER, NEWEST)))
    for item in range(60):
        size, rate = (60_000 if item < 30 else 95_000), rates[item % len(rates)]
        book.item(f"i{item:02d}", difficulty="easy")
        for model, usd, tokens in ((NEWER, 2e-6, size), (NEWEST, 1e-7, int(size * rate))):
            cost = usd * size * (5 if model == NEWEST and tokens > 100_000 else 1)
            usage = Usage(input_tokens=tokens, output_tokens=10)
            book.trial(f"i{item:02d}", answered(cost, usage=usage), model=model, level=1)
    found = moved(read(line(model=NEWER, difficulty="easy", input_tokens=logged)), analyze(book.snapshot()))
    assert [move.cost_ratio.value for move in found.moves] == ([] if ratio is None else [pytest.approx(ratio)])
    near = "a prompt so near a price cliff that the run does not tell its side"
    assert found.unmapped == ({near: 1} if ratio is None else {})


def test_a_part_by_size_is_known_by_the_tokens_of_the_requests_own_model() -> None:
    """The cheaper model fails the larger half, and makes 1.3 tokens of one."""
    book = Book(spec((SONNET, CHEAP)))
    for item in range(180):
        size = 10_000 + 250 * item
        for model, usd, tokens in ((SONNET, 3e-6, size), (CHEAP, 1e-7, int(1.3 * size))):
            usage = Usage(input_tokens=tokens, output_tokens=10)
            level = int(model == SONNET or item < 60)
            book.trial(f"i{item:03d}", answered(usd * size, usage=usage), model=model, level=level)
    run = analyze(book.snapshot())
    tried = moved(read(*(line(input_tokens=size) for size in (12_000, 24_000, 26_000, 45_000))), run)
    assert [move.requests for move in tried.moves] == [2]
    assert tried.kept == 2, "26,000 are of the middle third, though 20,000 of these make as many of the other model's"


def test_requests_on_either_side_of_a_price_cliff_are_told_apart() -> None:
    sizes = [95_000, 105_000, 106_000]
    logged = production(
        read(*(line(day, model=NEWER, difficulty="easy", input_tokens=size) for day in range(42) for size in sizes)),
        around_a_cliff(20),
        Prices(),
    )
    told = " ".join(production_lines(logged))
    assert "42 requests of Sonnet 5.5 on easy items to Haiku 5.5, at 0.050×" in told
    assert "84 requests of Sonnet 5.5 on easy items to Haiku 5.5, beyond the price cliff of Haiku 5.5, at 0.25×" in told


@pytest.mark.parametrize("own", [True, False])
def test_a_model_by_flat_rates_of_the_teams_own_has_no_cliff_that_sets_requests_aside(own: bool) -> None:
    when = datetime(2026, 11, 2, tzinfo=UTC)
    flat = {NEWEST: OwnRates(input=0.2, output=1.0), NEWER: OwnRates(input=2, output=10)}
    prices = Prices(flat if own else {})
    rates = {model: prices.tiers(model, when) for model in (NEWER, NEWEST)}
    book = Book(spec((NEWER, NEWEST), rates=rates, prices_version=prices.version()))
    for item in range(60):
        book.item(f"i{item:02d}", difficulty="easy")
        for model in rates:
            usage = Usage(input_tokens=90_000 + item, output_tokens=10 + item % 7)
            usd = prices.price(model, usage, when).usd
            book.trial(f"i{item:02d}", answered(usd, usage=usage), model=model, level=1)
    run = analyze(book.snapshot(), prices=prices)
    rows = [line(d, model=NEWER, difficulty="easy", input_tokens=105_000, output_tokens=d % 9) for d in range(42)]
    logged = production(read(*rows), run, prices)
    assert [move.requests for move in logged.moved.moves] == ([42] if own else [])
    assert (logged.saving.value is not None) == own
    if not own:
        aside = "no request but 42 set aside by the size of their prompt belongs to a part on which a cheaper model"
        assert (logged.saving.reason or "").startswith(aside)
