"""Requests that a cheaper model could have taken: only those of parts on which the run shows it, at less cost."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import numpy as np
import pytest
from analysis_builders import HAIKU, OPUS, SONNET, Book, answered, failed, spec
from test_usage_log import MONDAY, line, read, weekly

from evalkit.analysis import analyze
from evalkit.analysis.log_mix import InOut, ratio_at
from evalkit.analysis.movable import moved
from evalkit.analysis.production import production, whole_weeks
from evalkit.analysis.results import Analysis
from evalkit.analysis.sides import request_cost_ratio, standing
from evalkit.cli.signal_tables import production_lines
from evalkit.pricing import LIST_PRICES, Prices
from evalkit.records import Usage

TOO_FEW = "a tag of which the run has too few items (it tests the 8 most frequent): add some, or log difficulties"
NO_ITEM = "a difficulty that no item of the run has: add items of it"
SHORTER = "a prompt shorter than the run's on its part, whose input and output the run has no rates of"
FEW = "a part of too few items to show anything of, fewer than 29: add items"
UNKNOWN = "a tag that no item of the run has: add items with it, or log the test set's tags alone"


@cache
def tagged() -> Analysis:
    """Opus passes all, and Sonnet all but those of two rare tags, the longest; nothing is hard."""
    book = Book(spec((OPUS, SONNET)))

    def add(count: int, difficulty: str, *tags: str) -> None:
        for _ in range(count):
            number = len(book.items)
            book.item(name := f"i{number:03d}", difficulty=difficulty, tags=("all", *tags))
            hazard = difficulty == "medium"
            usage = Usage(input_tokens=6000 if hazard else 1000 + 5 * (number * 37 % 997), output_tokens=300)
            for model, usd in ((OPUS, 5e-6), (SONNET, 3e-6)):
                level = int(model == OPUS or not hazard)
                book.trial(name, answered(usd * (1000 + number), usage=usage), model=model, level=level)

    add(90, "easy", "a")
    for tag in "bcdefg":
        add(25, "easy", tag)
    add(25, "medium", "medical")
    add(20, "medium", "legal")
    add(3, "easy", "rare")
    return analyze(book.snapshot())


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"difficulty": "easy"}, "moves"),
        ({"difficulty": "easy", "tags": ["a", "rare", "customer-x"]}, "moves"),  # by its difficulty
        ({"difficulty": "easy", "tags": ["b"]}, "moves"),  # too few items to show anything of
        ({"difficulty": "easy", "tags": ["legal"]}, "worse"),  # on which Sonnet is shown to be worse
        ({"difficulty": "easy", "tags": ["a", "medical"]}, "worse"),
        ({"difficulty": "easy", "tags": ["customer-x", "medical"]}, "worse"),
        ({"difficulty": "hard"}, NO_ITEM),
        ({"difficulty": "hard", "tags": ["a"]}, NO_ITEM),
        ({"tags": ["a"]}, "moves"),
        ({"tags": ["a", "all"]}, "moves"),
        ({"tags": ["b"]}, FEW),
        ({"tags": ["a", "medical"]}, FEW),
        ({"tags": ["legal"]}, TOO_FEW),
        ({"tags": ["a", "legal"]}, TOO_FEW),
        ({"tags": ["a", "rare"]}, TOO_FEW),
        ({"tags": ["unheard-of"]}, UNKNOWN),
        ({"tags": ["a", "customer-x"]}, UNKNOWN),
        ({"tags": ["all"]}, "moves"),  # says no more than no tag
        ({"tags": []}, "moves"),
        ({}, "moves"),
    ],
)
def test_a_request_moves_only_where_the_run_has_shown_it_for_all_that_it_says(
    fields: Mapping[str, Any], outcome: str
) -> None:
    found = moved(read(line(model=OPUS, **{"input_tokens": 1200, **fields})), tagged())
    assert sum(move.requests for move in found.moves) == (outcome == "moves")
    assert found.kept == (outcome == "kept")
    assert found.worse == (outcome == "worse")
    assert found.unmapped == ({} if outcome in ("moves", "kept", "worse") else {outcome: 1})


def test_a_week_without_a_line_is_told_beside_the_saving() -> None:
    gap = timedelta(days=14), timedelta(days=21)
    lines = read(*weekly(8, model=OPUS, difficulty="easy", input_tokens=1200))
    left = tuple(one for one in lines if not gap[0] <= one.at - lines[0].at < gap[1])
    whole, gappy = (production(log, tagged(), Prices()).saving for log in (lines, left))
    assert not [text for text in whole.warnings if "no request in the week" in text]
    assert "no request in the week of 2026-09-14, which counts as one without spending" in gappy.warnings


def test_nothing_is_said_to_be_shown_of_parts_of_too_few_items() -> None:
    rows = [line(day, model=OPUS, input_tokens=1200, tags=["b"]) for day in range(42)]
    reason = production(read(*rows), tagged(), Prices()).saving.reason or ""
    assert reason.startswith("no request belongs to a part on which a cheaper model is shown to be less than")
    assert reason.endswith("; of parts of too few items, which 42 belong to, nothing is shown")


def test_what_free_tags_cost_a_log_is_counted_in_sight() -> None:
    rows = [line(day, model=OPUS, tags=["a", f"customer-{day}"]) for day in range(42)]
    told = "\n".join(production_lines(production(read(*rows), tagged(), Prices())))
    assert f"42 unmapped: {UNKNOWN}" in told
    assert "less than 10 points worse on 0% of 42 requests" in told


def test_a_difficulty_and_a_tag_of_one_name_are_two_parts() -> None:
    """Of the easy items Haiku costs a tenth, and of those tagged `easy` a half."""
    book = Book(spec((SONNET, HAIKU)))
    for i in range(120):
        book.item(f"i{i:03d}", difficulty="easy" if i < 60 else "hard", tags=("easy",) if i >= 60 else ())
        for model, usd in ((SONNET, 0.01), (HAIKU, 0.001 if i < 60 else 0.005)):
            book.trial(f"i{i:03d}", answered(usd), model=model, level=1)
    found = moved(read(line(difficulty="easy"), line(tags=["easy"])), analyze(book.snapshot()))
    assert sorted(move.cost_ratio.value or 0 for move in found.moves) == [pytest.approx(0.1), pytest.approx(0.5)]


BEFORE = "claude-opus-4-5-20251101"
DEAR, CHEAP = "claude-opus-5-5", "claude-sonnet-5-5"


@cache
def longer_on_hard_items(other: str | None = None) -> Analysis:
    """All pass all; Sonnet 5.5 costs less of all items and more of the hard ones, `other` is between the two."""
    book = Book(spec((DEAR, CHEAP, *filter(None, [other]))))
    for i in range(160):
        hard = i >= 120
        book.item(f"i{i:03d}", difficulty="hard" if hard else "easy")
        for model, usd in ((DEAR, 0.05), (CHEAP, 0.06 if hard else 0.02), (other, 0.045)):
            if model is not None:
                book.trial(f"i{i:03d}", answered(usd + i % 7 / 1000), model=model, level=1)
    return analyze(book.snapshot())


def test_what_would_cost_more_on_its_part_is_no_move_to_a_cheaper_model() -> None:
    rows = [*weekly(6, model=DEAR, difficulty="easy"), *weekly(6, model=DEAR, difficulty="hard")]
    logged = production(read(*rows), longer_on_hard_items(), Prices())
    (move,) = logged.moved.moves
    assert (move.parts, move.requests, logged.moved.share.value) == (("easy",), 60, 0.5)
    assert (logged.moved.no_cheaper, logged.moved.kept, logged.moved.unmapped) == (60, 0, {})
    assert logged.saving.value is not None
    assert logged.saving.value > 0
    told = "\n".join(production_lines(logged))
    assert "60 on parts where one is, and is not shown to cost less" in told


def test_a_tag_on_which_a_model_costs_more_is_not_hidden_by_another_that_a_request_has_as_well() -> None:
    book = Book(spec((DEAR, CHEAP)))
    for i in range(150):
        tags = ("a", "b") if i < 20 else ("a",) if i < 120 else ("b",)
        book.item(f"i{i:03d}", tags=tags)
        for model, usd in ((DEAR, 0.05), (CHEAP, 0.06 if "b" in tags else 0.02)):
            book.trial(f"i{i:03d}", answered(usd + i % 7 / 1000), model=model, level=1)
    rows = [line(model=DEAR, tags=tags) for tags in (["a"], ["b"], ["a", "b"])]
    found = moved(read(*rows), analyze(book.snapshot()))
    assert [move.parts for move in found.moves] == [("a",)]
    assert found.no_cheaper == 2


@pytest.mark.parametrize(("level", "usd", "outcome"), [(0, 0.02, "worse"), (1, 0.09, "no_cheaper"), (1, 0.02, "moves")])
@pytest.mark.parametrize(
    "said",
    [
        {"tags": ["a", "b"]},
        {"difficulty": "easy", "tags": ["a", "b"]},
        {"difficulty": "easy", "tags": ["a", "b", "customer-x"]},
        {"tags": ["a", "b", "c"]},  # which no item has with both
    ],
)
def test_what_the_run_tried_of_all_that_a_request_says_decides(
    said: Mapping[str, Any], level: int, usd: float, outcome: str
) -> None:
    """Ten items have both tags, and each tag by itself is shown to be handled, for less."""
    book = Book(spec((DEAR, CHEAP)))
    for i in range(610):
        tags = ("a", "b") if i < 10 else (("a",), ("b",), ("c",))[(i - 10) // 200]
        book.item(f"i{i:03d}", tags=tags, difficulty="easy")
        for model in (DEAR, CHEAP):
            here = i < 10 and model == CHEAP
            cost = usd if here else 0.05 if model == DEAR else 0.02
            book.trial(f"i{i:03d}", answered(cost + i % 7 / 1000), model=model, level=level if here else 1)
    found = moved(read(line(model=DEAR, **said)), analyze(book.snapshot()))
    moves = sum(move.requests for move in found.moves)
    told = {"kept": found.kept, "worse": found.worse, "no_cheaper": found.no_cheaper, "moves": moves}
    assert told == dict.fromkeys(told, 0) | {outcome: 1}


@cache
def combined(words: int) -> Analysis:
    """Both tags are handled, for less; on the 20 items with both of them Sonnet writes so many words."""
    book = Book(spec((OPUS, SONNET), rates={m: Prices().tiers(m, MONDAY) or () for m in (OPUS, SONNET)}))
    for i in range(420):
        tags = ("a", "b") if i < 20 else ("a",) if i < 220 else ("b",)
        book.item(f"i{i:03d}", tags=tags)
        for model in (OPUS, SONNET):
            out = (words if model == SONNET and i < 20 else 300) + i % 7
            usage = Usage(input_tokens=20_000 + i, output_tokens=out)
            cost = Prices().price(model, usage, MONDAY).usd
            assert cost is not None
            book.trial(f"i{i:03d}", answered(cost, usage=usage), model=model, level=1)
    return analyze(book.snapshot())


def test_what_a_request_costs_is_asked_of_the_items_most_like_it_at_the_logs_mix() -> None:
    """1,000 tokens in and 3,000 out: (1,000 * 3 + 3,000 * w / 300 * 15) over (1,000 * 5 + 3,000 * 25), of w words."""
    asked: Mapping[str, Any] = {"model": OPUS, "tags": ["a", "b"], "input_tokens": 1_000}
    rows = [line(day, output_tokens=3_000 + day % 5, **asked) for day in range(42)]
    assert moved(read(*rows), combined(750)).no_cheaper == len(rows), "1.44 times the cost"
    (move,) = moved(read(*rows), combined(400)).moves
    assert (move.nearest, move.items) == ((("a", "b"),), 20)
    assert move.cost_ratio.value == pytest.approx((3_000 + 60_000) / 80_000, rel=0.01)
    told = "\n".join(production_lines(production(read(*rows), combined(400), Prices())))
    assert "on the 20 items with a and b Sonnet 4.6 satisfied 100% and Opus 4.6 100%" in told


def test_the_costs_of_a_tag_are_asked_beside_a_difficulty() -> None:
    """Of 30 hard items with a tag Sonnet writes five times as much; no easy one has it."""
    book = Book(spec((OPUS, SONNET), rates={m: LIST_PRICES.tiers(m, MONDAY) for m in (OPUS, SONNET)}))
    for i in range(230):
        book.item(f"i{i:03d}", difficulty="easy" if i < 100 else "hard", tags=("legal",) if i >= 200 else ())
        for model in (OPUS, SONNET):
            usage = Usage(1000 + i, (1500 if model == SONNET and i >= 200 else 300) + i % 7)
            usd = LIST_PRICES.price(model, usage, MONDAY).usd
            book.trial(f"i{i:03d}", answered(usd, usage=usage), model=model, level=1)
    asked: Mapping[str, Any] = {"model": OPUS, "difficulty": "easy", "input_tokens": 1100, "output_tokens": 300}
    found = moved(read(line(**asked), line(1, tags=["legal"], **asked)), analyze(book.snapshot()))
    assert (sum(move.requests for move in found.moves), found.no_cheaper) == (1, 1)


@pytest.mark.parametrize("first", ["a", "c"])
def test_of_kinds_with_as_much_in_common_all_items_say_what_requests_cost(first: str) -> None:
    """Twenty items share two tags with the requests, and twenty others two; by whichever name."""
    last = "c" if first == "a" else "a"
    book = Book(spec((DEAR, CHEAP)))
    for i in range(340):
        tags = (first, "b") if i < 20 else ("b", last) if i < 40 else ("abc"[i % 3],)
        book.item(f"i{i:03d}", tags=tags)
        cheap = 0.01 if i < 20 else 0.03 if i < 40 else 0.025
        for model, usd in ((DEAR, 0.05), (CHEAP, cheap)):
            book.trial(f"i{i:03d}", answered(usd + i % 7 / 1e4), model=model, level=1)
    (move,) = moved(read(line(model=DEAR, tags=["a", "b", "c"])), analyze(book.snapshot())).moves
    assert (move.nearest, move.items) == ((("a", "b"), ("b", "c")), 40)
    assert move.cost_ratio.value == pytest.approx(0.4, rel=0.02)


@pytest.mark.parametrize(("items", "handled"), [(84, 0.0), (99, 1.0)])
def test_a_test_set_of_usual_size_shows_what_it_can(items: int, handled: float) -> None:
    """Three difficulties, tags and sizes, and two models that pass all: 29 items of a part show it."""
    book = Book(spec((DEAR, CHEAP)))
    for i in range(items):
        book.item(f"i{i:03d}", difficulty=("easy", "medium", "hard")[i % 3], tags=("abcde"[i % 5],))
        for model, usd in ((DEAR, 0.05), (CHEAP, 0.02)):
            book.trial(f"i{i:03d}", answered(usd + i % 7 / 1000), model=model, level=1)
    rows = [line(day, model=DEAR, difficulty=("easy", "hard")[day % 2], tags=["a"]) for day in range(10)]
    found = moved(read(*rows), analyze(book.snapshot()))
    assert found.share.value == handled
    assert found.unmapped == ({} if handled else {FEW: 10})


def test_requests_that_are_kept_for_what_else_they_say_are_told_as_that() -> None:
    rows = weekly(6, model=OPUS, difficulty="easy", tags=["legal"], input_tokens=1200)
    logged = production(read(*rows), tagged(), Prices())
    said = f"but {len(rows)} on which it looks worse by what else they say belongs to a part on which"
    assert said in (logged.saving.reason or "")
    assert f"{len(rows)} on parts where one is, and looks worse on items with several" in "\n".join(
        production_lines(logged)
    )


def test_what_the_models_satisfied_stands_beside_what_one_is_shown_to_handle() -> None:
    """A model that fails nearly all is hardly worse than another that does, too."""
    book = Book(spec((DEAR, CHEAP)))
    for i in range(60):
        book.item(f"i{i:02d}", difficulty="easy")
        for model, usd in ((DEAR, 0.05), (CHEAP, 0.02)):
            book.trial(
                f"i{i:02d}", answered(usd + i % 7 / 1000), model=model, level=int(i < 12 and (i > 0 or model == DEAR))
            )
    logged = production(read(*weekly(6, model=DEAR, difficulty="easy")), analyze(book.snapshot()), Prices())
    assert [(move.satisfied, move.satisfied_now) for move in logged.moved.moves] == [(pytest.approx(11 / 60), 0.2)]
    assert "there Sonnet 5.5 satisfied 18% and Opus 5.5 20%" in "\n".join(production_lines(logged))


def test_where_a_model_is_unpriced_that_is_why_none_is_known_to_be_cheaper() -> None:
    book = Book(spec((DEAR, CHEAP)))
    for i in range(60):
        book.item(f"i{i:02d}", difficulty="easy")
        for model, usd in ((DEAR, 0.05), (CHEAP, None)):
            book.trial(f"i{i:02d}", answered(usd), model=model, level=1)
    logged = production(read(*weekly(6, model=DEAR, difficulty="easy")), analyze(book.snapshot()), Prices())
    why = "requests of Sonnet 5.5 are unpriced, so none is known to be cheaper"
    assert logged.moved.unmapped == {why: 60}
    assert logged.saving.reason == why


def test_an_unpriced_model_does_not_hide_that_a_cheaper_one_is_not_shown_to_hold() -> None:
    book = Book(spec((DEAR, CHEAP, "unpriced")))
    for i in range(60):
        book.item(f"i{i:02d}", difficulty="easy")
        for model, usd in ((DEAR, 0.05), (CHEAP, 0.02), ("unpriced", None)):
            one = answered(usd if usd is None else usd + i % 7 / 1000)
            book.trial(f"i{i:02d}", one, model=model, level=int(model != CHEAP or i % 2))
    found = moved(read(line(model=DEAR, difficulty="easy")), analyze(book.snapshot()))
    assert (found.kept, found.unmapped) == (1, {})


def test_without_any_part_on_which_less_is_spent_there_is_no_saving() -> None:
    logged = production(read(*weekly(6, model=DEAR, difficulty="hard")), longer_on_hard_items(), Prices())
    assert not logged.moved.moves
    assert (logged.saving.value, logged.moved.no_cheaper) == (None, 60)
    assert (logged.saving.reason or "").startswith(
        "no request belongs to a part on which a model that costs less there"
    )


def test_where_the_cheapest_of_all_costs_more_another_may_take_requests() -> None:
    found = moved(read(line(model=DEAR, difficulty="hard")), longer_on_hard_items(OPUS))
    assert [move.toward for move in found.moves] == [OPUS]


@pytest.mark.parametrize("logged", [SONNET, "bedrock:us.anthropic.claude-sonnet-4-6-v1:0"])
def test_a_model_that_would_take_requests_and_was_escalated_itself_is_said_to_beside_them(logged: str) -> None:
    """What another took over from it may be in the log as the other's."""
    rows = [line(day / 2, model=logged, difficulty="easy", escalated=day % 4 > 0) for day in range(84)]
    rows += [line(day / 2, model=OPUS, difficulty="easy", escalated=False, output_tokens=90 + day) for day in range(84)]
    found = production(read(*rows), tagged(), Prices())
    (move,) = found.moved.moves
    assert (move.toward, move.escalated) == (SONNET, 63)
    note = "  ! Sonnet 4.6 was escalated 63 times in this log: requests to it above may be those that it could not do"
    assert list(production_lines(found))[-1] == note
    quiet = production(read(*(row for row in rows if row["model"] == OPUS)), tagged(), Prices())
    assert [move.escalated for move in quiet.moved.moves] == [0]
    assert not any("it could not do" in said for said in production_lines(quiet))


@cache
def wordy(prompt: int, cached: int = 0, before: str | None = None, **asked: Any) -> Analysis:
    """All pass all; Sonnet, at three fifths of Opus's prices, writes three times as much, `before` what Opus does."""
    models = (OPUS, SONNET, *filter(None, [before]))
    book = Book(spec(models, rates={model: LIST_PRICES.tiers(model, MONDAY) for model in models}))
    for i in range(60):
        book.item(f"i{i:02d}", difficulty="easy")
        for model in models:
            written = 810 + 3 * (i * 7 % 60) if model == SONNET else 270 + i
            read_anew = prompt + 10 * (i * 11 % 60) - cached
            usage = Usage(read_anew, written, cache_read_tokens=cached, **asked)
            usd = LIST_PRICES.price(model, usage, MONDAY).usd
            book.trial(f"i{i:02d}", answered(usd, usage=usage), model=model, level=1)
    return analyze(book.snapshot())


def lately(prompt: int, written: int = 300, **fields: Any) -> list[Mapping[str, Any]]:
    """Two requests a day of Opus for six weeks."""
    more: Mapping[str, Any] = {"model": OPUS, "difficulty": "easy", "input_tokens": prompt, **fields}
    return [line(day / 2, output_tokens=written + day % 5, **more) for day in range(84)]


def test_what_is_less_at_the_runs_long_prompts_and_more_at_the_logs_short_ones_is_no_saving() -> None:
    assert [model.model for model in standing(wordy(50_000), OPUS).cheaper] == [SONNET]
    logged = production(read(*lately(1_000)), wordy(50_000), Prices())
    assert (logged.moved.moves, logged.moved.no_cheaper, logged.saving.value) == ((), 84, None)


@pytest.mark.parametrize(("cached", "asked"), [(0, {}), (0, {"service_tier": "batch"}), (9_000, {})])
def test_a_ratio_is_that_of_the_logs_own_mix_of_input_and_output(cached: int, asked: Mapping[str, Any]) -> None:
    """Input costs 0.6 times as much, output 1.8 times."""
    rows = lately(5_000)
    logged = production(read(*rows), wordy(20_000, cached, **asked), Prices())
    (move,) = logged.moved.moves
    into, out = 5_000 * 5 * 84, 25 * sum(row["output_tokens"] for row in rows)
    ratio = (0.6 * into + 1.8 * out) / (into + out)
    assert move.at_log_mix
    assert move.cost_ratio.value == pytest.approx(ratio, rel=1e-6)
    assert move.cost_ratio.low is not None
    assert move.cost_ratio.high is not None
    assert move.cost_ratio.low < ratio < move.cost_ratio.high
    assert logged.spend_usd is not None
    assert logged.saving.value == pytest.approx(logged.spend_usd * (1 - ratio) / 6 * 365.25 / 12 / 7, rel=1e-6)
    assert "the cost at this log's mix of input and output" in "\n".join(production_lines(logged))


def test_of_a_cached_prompt_in_a_batch_input_is_what_the_output_leaves_of_the_bill() -> None:
    run = wordy(20_000, 9_000)
    outputs = [[replace(o, batched=True, cost_usd=(o.cost_usd or 0) / 2) for o in item.outputs] for item in run.outputs]
    halved = replace(
        run, outputs=tuple(replace(item, outputs=tuple(o)) for item, o in zip(run.outputs, outputs, strict=True))
    )
    ratios = [moved(read(*lately(5_000)), one).moves[0].cost_ratio.value for one in (run, halved)]
    assert ratios[1] == pytest.approx(ratios[0])


@pytest.mark.long
def test_an_interval_at_another_mix_holds_the_true_ratio_as_often_as_it_says() -> None:
    """Of items whose inputs and outputs vary, and are not alike on both sides, as answers are not."""
    rng, mix, covered = np.random.default_rng(3), InOut(5.0, 7.5), 0
    for _ in range(1_000):
        into, ours, theirs = 50 * np.exp(rng.normal(0, 0.05, 100)), *np.exp(rng.normal(0, 0.1, (2, 100)))
        own = [InOut(5 * i, 7.5 * o) for i, o in zip(into.tolist(), ours.tolist(), strict=True)]
        other = [InOut(3 * i, 13.5 * o) for i, o in zip(into.tolist(), theirs.tolist(), strict=True)]
        found = ratio_at(mix, other, own)
        covered += (found.low or 0) <= (0.6 * mix.into + 1.8 * mix.out) / mix.both <= (found.high or 0)
    assert 930 <= covered <= 970


def test_an_error_that_cost_nothing_takes_no_ratio_back_to_the_runs_mix() -> None:
    rates = {model: LIST_PRICES.tiers(model, MONDAY) for model in (OPUS, SONNET)}
    book = Book(spec((OPUS, SONNET), rates=rates))
    for i in range(150):
        book.item(f"i{i:03d}", difficulty="easy")
        for model, written in ((OPUS, 50), (SONNET, 100)):
            usage = Usage(3000 + 5 * (i * 37 % 97), written + i % 7)
            one = answered(LIST_PRICES.price(model, usage, MONDAY).usd, usage=usage)
            book.trial(f"i{i:03d}", failed(0.0, final=True) if (i, model) == (3, SONNET) else one, model=model, level=1)
    rows = [line(model=OPUS, difficulty="easy", input_tokens=3000, output_tokens=2000)]
    found = moved(read(*rows), analyze(book.snapshot()))
    assert (found.no_cheaper, found.moves) == (1, ()), "1.06 times the cost at the log's mix"


def test_of_a_log_of_the_runs_own_mix_the_ratio_is_the_runs() -> None:
    run = wordy(20_000)
    own = [output for item in run.outputs for output in item.outputs if output.model == OPUS]
    rows = [
        line(model=OPUS, difficulty="easy", input_tokens=output.input_tokens, output_tokens=output.output_tokens)
        for output in own
    ]
    (move,) = moved(read(*rows), run).moves
    sides = standing(run, OPUS).sides
    plain = request_cost_ratio(sides[SONNET], sides[OPUS])
    assert move.cost_ratio.value == pytest.approx(plain.value)


@pytest.mark.parametrize(
    "changed",
    [
        {"rates": {}},  # of a run file that does not keep them
        {"prices_version": f"as imported: {SONNET}"},
    ],
)
@pytest.mark.parametrize(("prompt", "outcome"), [(16_000, "moves"), (15_999, SHORTER)])
def test_where_the_runs_rates_are_not_known_its_ratio_is_of_prompts_like_its_own(
    changed: Mapping[str, Any], prompt: int, outcome: str
) -> None:
    run = wordy(20_000)
    run = replace(run, spec=replace(run.spec, **changed))
    found = moved(read(*lately(prompt)), run)
    assert [move.at_log_mix for move in found.moves] == ([False] if outcome == "moves" else [])
    assert found.unmapped == ({} if outcome == "moves" else {outcome: 84})


def test_answers_of_unknown_size_leave_the_runs_own_ratio() -> None:
    run = wordy(20_000)
    first, *others = run.outputs
    unsized = replace(first, outputs=tuple(replace(output, input_tokens=None) for output in first.outputs))
    found = moved(read(*lately(5_000), *lately(20_000)), replace(run, outputs=(unsized, *others)))
    assert [(move.at_log_mix, move.requests) for move in found.moves] == [(False, 84)]


@pytest.mark.parametrize("days", [35, 70])
def test_requests_that_are_made_no_more_save_nothing_to_come(days: int) -> None:
    """Ten weeks, of which Opus had all, or five."""
    rows = [
        line(
            n / 2,
            difficulty="easy",
            output_tokens=100 + n % 5,
            input_tokens=20_000,
            model=OPUS if n / 2 < days else SONNET,
        )
        for n in range(140)
    ]
    logged = production(read(*rows), wordy(20_000), Prices())
    (move,) = logged.moved.moves
    told = "\n".join(production_lines(logged))
    assert move.requests == days * 2
    assert move.ended == (days == 35)
    if days == 70:
        assert logged.saving.value is not None
        return
    assert (move.last, logged.saving.value) == ("2026-10-04", None)
    assert "the requests that would move have ended: the last was on 2026-10-04" in (logged.saving.reason or "")
    assert "input and output; ended, the last on 2026-10-04" in told


def test_of_requests_that_go_on_no_rare_kind_is_told_as_ended() -> None:
    """Some four a week, each of one of many kinds, so that many a kind is missing from the last week."""
    rows = [
        line(2 * n, model=OPUS, input_tokens=1200, **said)
        for n, said in enumerate(([{"difficulty": "easy"}] * 4 + [{"tags": ["a"]}, {}]) * 5 + [{"difficulty": "easy"}])
    ]
    rows += [line(62, model=OPUS, difficulty="hard")]
    found = production(read(*rows), tagged(), Prices()).moved
    assert len(found.moves) == 3
    assert not any(move.ended for move in found.moves)


def test_a_few_requests_that_are_missing_from_the_last_weeks_may_come_again() -> None:
    """One a week: none in the last two is nothing out of the ordinary."""
    rows = [line(7 * n, model=OPUS, difficulty="easy", input_tokens=1200) for n in range(8)]
    rows += [line(7 * n, model=OPUS, difficulty="hard") for n in range(10)]
    (move,) = production(read(*rows), tagged(), Prices()).moved.moves
    assert not move.ended


def test_a_part_that_was_moved_is_told_as_ended_while_another_goes_on() -> None:
    """Ten weeks of easy requests, and those with a tag went over to Sonnet after five."""
    rows = [line(day, model=OPUS, difficulty="easy", input_tokens=1200) for day in range(70)]
    rows += [line(day + 0.5, model=OPUS if day < 35 else SONNET, tags=["a"], input_tokens=1200) for day in range(70)]
    logged = production(read(*sorted(rows, key=lambda row: str(row["timestamp"]))), tagged(), Prices())
    assert {move.parts: move.ended for move in logged.moved.moves} == {("easy",): False, ("a",): True}
    rest = [row for row in rows if "tags" not in row]
    assert logged.saving.value == pytest.approx(production(read(*rest), tagged(), Prices()).saving.value)


@pytest.mark.parametrize("week", [0, 5, 7])
def test_a_bump_within_a_log_leaves_its_saving_what_it_is(week: int) -> None:
    """Ten weeks of one work, by Opus 4.5 and from some week on by Opus 4.6."""
    rows = [
        line(n / 3, difficulty="easy", output_tokens=100 + n % 5, input_tokens=20_000, model=BEFORE if early else OPUS)
        for n in range(210)
        for early in [n < 21 * week]
    ]
    logged = production(read(*rows), wordy(20_000, before=BEFORE), Prices())
    whole = production(read(*[{**row, "model": OPUS} for row in rows]), wordy(20_000, before=BEFORE), Prices()).saving
    assert [(move.current, move.began, move.ended) for move in logged.moved.moves] == [
        *[(BEFORE, False, True)] * bool(week), (OPUS, bool(week), False),
    ]  # fmt: skip
    assert whole.value is not None
    if week == 7:
        assert logged.saving.reason == "2 whole weeks since 2026-10-20, when what would move changed, fewer than 4"
    else:
        assert logged.saving.value == pytest.approx(whole.value, rel=0.01)


def test_a_bump_is_seen_though_each_kind_of_request_is_rare() -> None:
    """Two requests a day of some thirty combinations; Opus 4.5 for five weeks and then 4.6, or all by 4.6."""
    book, lot = Book(spec((BEFORE, OPUS, SONNET))), np.random.default_rng(3)
    for i in range(240):
        tags = tuple(lot.choice(list("abcde"), 1 + i % 2, replace=False))
        book.item(f"i{i:03d}", difficulty=("easy", "medium", "hard")[i % 3], tags=tags)
        for model, usd in ((BEFORE, 0.05), (OPUS, 0.05), (SONNET, 0.03)):
            book.trial(f"i{i:03d}", answered(usd + i % 7 / 1000), model=model, level=1)
    run = analyze(book.snapshot())
    asked: list[tuple[int, Mapping[str, Any]]] = [
        (n, {"difficulty": lot.choice(["easy", "medium", "hard"]), "tags": [*lot.choice([*"abcde"], 1 + n % 2, False)]})
        for n in range(140)
    ]
    bumped, whole = (
        production(read(*[line(n / 2, model=first if n < 70 else OPUS, **said) for n, said in asked]), run, Prices())
        for first in (BEFORE, OPUS)
    )
    assert len(bumped.moved.moves) > 20
    assert all(move.ended == (move.current == BEFORE) for move in bumped.moved.moves)
    assert bumped.saving.value == pytest.approx(whole.saving.value, rel=0.1)

    told = [text for text in production_lines(whole) if "requests of" in text and "to Sonnet" in text]
    assert len(told) == 3, "a line a part, however many kinds there are"
    assert all(", by what else they say" in text for text in told)


def test_what_is_hard_keeps_no_easy_request_for_its_tags() -> None:
    """Sonnet fails half of the hard items, of any tag, and none of the others."""
    book = Book(spec((OPUS, SONNET)))
    for i in range(240):
        book.item(f"i{i:03d}", difficulty=("easy", "medium", "hard")[i % 3], tags=("abcd"[i // 3 % 4],))
        for model, usd in ((OPUS, 0.05), (SONNET, 0.03)):
            level = int(model == OPUS or i % 3 != 2 or i // 12 % 2 == 0)
            book.trial(f"i{i:03d}", answered(usd + i % 7 / 1000), model=model, level=level)
    rows = [
        line(day, model=OPUS, difficulty=hard, tags=list(tags))
        for day, hard in enumerate(["easy", "medium", "hard"] * 4)
        for tags in ("a", "bc")
    ]
    found = moved(read(*rows), analyze(book.snapshot()))
    assert {move.parts: move.requests for move in found.moves if move.parts == ("hard",)} == {}
    assert (found.share.value, found.worse, found.kept) == (pytest.approx(2 / 3), 0, 8)


@pytest.mark.parametrize(("grow", "told"), [(1.1, True), (1.0, False)])
def test_a_saving_that_grows_is_said_to_be_no_level(grow: float, told: bool) -> None:
    rows = [
        line(7 * week + day, model=OPUS, difficulty="easy", input_tokens=1200, output_tokens=round(1000 * grow**week))
        for week in range(10)
        for day in range(week % 2, 7)
    ]
    logged = production(read(*rows), tagged(), Prices())
    assert any("times a week: the last 4 weeks alone come to $" in text for text in logged.saving.warnings) == told
    assert any("the last 4 weeks alone" in text for text in production_lines(logged)) == told


@pytest.mark.parametrize("advised", [True, False])
def test_a_part_that_was_moved_cuts_no_weeks_and_a_bump_in_steps_does(advised: bool) -> None:
    """Of 70 days, the requests with a tag went to Sonnet on day 49; or all to Opus 4.6 from day 21 on, in steps."""
    book = Book(spec((BEFORE, OPUS, SONNET)))
    for i in range(120):
        book.item(f"i{i:03d}", difficulty="easy", tags=("a",) if i < 60 else ())
        for one, usd in ((BEFORE, 0.05), (OPUS, 0.05), (SONNET, 0.03)):
            usage = Usage(input_tokens=1200 + i, output_tokens=100)
            book.trial(f"i{i:03d}", answered(usd + i % 7 / 1000, usage=usage), model=one, level=1)

    def model(day: int, tag: bool) -> str:
        if advised:
            return SONNET if tag and day >= 49 else OPUS
        return OPUS if day >= 21 and day % 3 < (day - 14) // 7 else BEFORE

    rows = [
        line(day + tag / 2, model=model(day, tag), difficulty=None if tag else "easy", tags=["a"] if tag else [],
             input_tokens=1200, output_tokens=100 + day % 5)
        for day in range(70)
        for tag in (False, True)
    ]  # fmt: skip
    lines = read(*rows)
    found = moved(lines, analyze(book.snapshot()), whole_weeks([one.at for one in lines]))
    assert found.since == ("" if advised else "2026-10-03")
    assert any(move.ended for move in found.moves)


@pytest.mark.parametrize(("days", "until"), [((29, 60), 84), ((7, 21, 35, 49, 63), 76)])
def test_what_comes_in_bursts_has_not_ended_between_two_of_them(days: tuple[int, ...], until: int) -> None:
    """Jobs at the end of each month, and every second Monday."""
    rows = [line(day + n / 100, model=OPUS, difficulty="easy", input_tokens=1200) for day in days for n in range(40)]
    rows += [line(day + 0.9, model=OPUS, difficulty="hard") for day in range(until)]
    found = production(read(*sorted(rows, key=lambda row: str(row["timestamp"]))), tagged(), Prices()).moved
    assert [move.ended for move in found.moves] == [False]


def test_a_region_that_a_log_does_not_name_is_no_other_list_of_prices() -> None:
    saving = production(read(*lately(20_000)), wordy(20_000, inference_geo="us"), Prices()).saving
    assert saving.reason == (
        "the log does not say whether it was as the run, where Opus 4.6, Sonnet 4.6 were answered in a region with a"
        " price of its own, which is dearer: repeat the run without"
    )
