"""Production logs: read strictly, mapped to parts of a run without guessing, and what moving requests would save."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from analysis_builders import HAIKU, OPUS, SONNET, Book, answered, spec, write_run
from test_signals import planted

from evalkit import stats
from evalkit.analysis import analyze
from evalkit.analysis.production import Production, production, whole_weeks
from evalkit.analysis.results import Analysis
from evalkit.cli import main
from evalkit.cli.signal_tables import production_lines
from evalkit.config import Config, OwnRates
from evalkit.pricing import LIST_PRICES, Prices
from evalkit.records import Usage
from evalkit.usage_log import UsageLine, parse_usage

MONDAY = datetime(2026, 8, 31, 9, tzinfo=UTC)


def line(day: float = 0, **fields: Any) -> Mapping[str, Any]:
    at = (MONDAY + timedelta(days=day)).isoformat()
    return {"timestamp": at, "model": SONNET, "input_tokens": 1000, "output_tokens": 100, **fields}


def read(*rows: Mapping[str, Any]) -> tuple[UsageLine, ...]:
    lines, problems = parse_usage([json.dumps(row) for row in rows], "usage.jsonl")
    assert not problems
    return lines


def said(*rows: Mapping[str, Any]) -> Production:
    return production(read(*rows), planted(), Prices())


def weekly(weeks: int, users: int = 5, grow: float = 1.0, **fields: Any) -> list[Mapping[str, Any]]:
    """One request of each user on every Monday and every Sunday; tokens grow by the week."""
    return [
        line(7 * w + day, user=f"u{u}", output_tokens=round(1000 * grow**w) + 7 * (w % 3), **fields)
        for w in range(weeks)
        for day in (0, 6)
        for u in range(users)
    ]


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        ('{"timestamp": "2026-09-01T10:00:00Z", "modell": "x"}', "unknown key 'modell'", "did you mean 'model'?"),
        ('{"model": "x"}', "key 'timestamp' is missing", "add it"),
        ('{"timestamp": "yesterday", "model": "x"}', "'timestamp' is 'yesterday'", "write ISO 8601"),
        ('{"timestamp": 1756720000, "model": "x"}', "'timestamp' is 1756720000", "write ISO 8601"),
        ('{"timestamp": "2026-09-01T10:00:00", "model": "x"}', "has no time zone", "end it in Z"),
        ('{"timestamp": "0001-01-01T00:00:00+14:00", "model": "x"}', "'timestamp' is", "the year"),
        ('{"timestamp": "2026-09-01T10:00:00Z", "model": " "}', "is blank", "write something"),
        ('{"timestamp": "2026-09-01T10:00:00Z", "model": "a\\u001b[2J"}', "control character", "take it out"),
        ('{"timestamp": "2026-09-01T10:00:00Z", "model": "x", "input_tokens": -1}', "'input_tokens' is -1", "greater"),
        ('{"timestamp": "2026-09-01T10:00:00Z", "model": "x", "output_tokens": "5"}', "is '5'", "whole number"),
        ('{"timestamp": "2026-09-01T10:00:00Z", "model": "x", "latency_s": NaN}', "NaN is not JSON", "one JSON object"),
        ('{"timestamp": "2026-09-01T10:00:00Z", "model": "x", "feedback": "meh"}', "'feedback' is 'meh'", "'up'"),
        ('{"timestamp": "2026-09-01T10:00:00Z", "model": "x", "escalated": 1}', "'escalated' is 1", "true or false"),
        ('{"timestamp": "2026-09-01T10:00:00Z", "model": "x", "difficulty": "tough"}', "'tough'", "'easy'"),
        ("[1]", "not a JSON object", "one JSON object"),
        ("{", "not JSON", "one JSON object"),
        ("", "no lines", "one JSON object"),
    ],
)
def test_a_bad_line_is_named_with_its_remedy(text: str, what: str, remedy: str) -> None:
    lines, problems = parse_usage([text], "usage.jsonl")
    assert not lines
    assert {(problem.file, problem.line) for problem in problems} == {("usage.jsonl", 1)}
    assert any(what in problem.what and remedy in problem.remedy for problem in problems)


def test_every_bad_line_is_named_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (path := tmp_path / "usage.jsonl").write_text('{"model": "x"}\n\n{\n' + json.dumps(line()) + "\n")
    assert main(["signals", "--usage", str(path)]) == 2
    errors = capsys.readouterr().err
    assert f"{path}:1: key 'timestamp' is missing" in errors
    assert f"{path}:3: not JSON" in errors


@pytest.mark.long
def test_a_million_mistakes_are_told_twenty_times_and_the_same_one_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (path := tmp_path / "usage.jsonl").write_text("".join(f'{{"k{n}": 1}}\n' for n in range(510)))
    assert main(["signals", "--usage", str(path)]) == 2
    told = capsys.readouterr().err.splitlines()
    unknown = [line for line in told if "unknown key" in line]
    missing = [line for line in told if "key 'timestamp' is missing" in line]
    assert 5 < len(unknown) <= 20
    assert len(missing) == 1, "each line lacks it"
    assert "the same on " in missing[0]
    assert told[-2].startswith(f"error: {path}: ")
    assert " problems more; correct what writes the log" in told[-2]


def test_moments_of_all_time_zones_stand_in_order() -> None:
    late, early = line(timestamp="2026-09-01T10:00:00Z"), line(timestamp="2026-09-01T11:00:00+02:00")
    assert [one.at.hour for one in read(late, early)] == [9, 10]


def test_absent_is_unknown_and_never_no() -> None:
    logged = said(line(), line(escalated=True), line(feedback="down"), line(feedback=None))
    (use,) = logged.models
    assert (use.requests, use.told, use.escalated.value, use.rated, use.negative.value) == (4, 1, 1.0, 1, 1.0)
    assert logged.users is None
    assert said(line()).models[0].escalated.reason == "no request says whether it was escalated"


@pytest.mark.parametrize(
    ("rows", "name", "reason"),
    [
        (weekly(5), "cost per user", "5 whole weeks, fewer than 6"),
        ([*weekly(8), line(9)], "cost per user", "1 of 81 requests name no user"),
        ([*weekly(8), line(9, user="u", model="unheard-of")], "cost", "1 of 81 requests are unpriced"),
        ([*weekly(8), line(9, user="u", output_tokens=None)], "cost", "1 of 81 requests are unpriced"),
    ],
)
def test_growth_is_refused_with_a_reason(rows: list[Mapping[str, Any]], name: str, reason: str) -> None:
    logged = said(*rows)
    assert logged.growth[name].reason == reason
    if "unpriced" in reason:
        assert logged.spend_usd is None


def test_users_are_known_in_a_week_whose_costs_are_not() -> None:
    rows = weekly(8)
    unpriced = said(*({**row, "output_tokens": None} for row in rows[:10]), *rows[10:])
    assert unpriced.growth["users"].value == pytest.approx(1.0)
    assert unpriced.growth["cost"].reason == "10 of 80 requests are unpriced"
    idle = said(*rows[:20], *rows[30:])
    assert {estimate.reason for estimate in idle.growth.values()} == {"no request in the week of 2026-09-14"}


def test_lines_that_stand_twice_are_told_and_still_counted() -> None:
    """A log may have been joined with itself; two requests of one second may be two."""
    rows = weekly(6)
    assert said(*rows).twice == 0
    logged = said(*rows, *rows[:7], rows[0])
    assert (logged.requests, logged.twice) == (68, 8)
    told = [text for text in production_lines(logged) if "in every field" in text]
    assert told == [
        "  ! 8 requests like an earlier one in every field: if lines of this log stand twice, they are counted twice"
    ]


@pytest.mark.parametrize(("grow", "state"), [(1.1, "shown"), (1.0, "not enough data"), (0.9, "not shown")])
def test_cost_that_grows_faster_than_users_is_found(grow: float, state: str) -> None:
    logged = said(*weekly(8, grow=grow))
    assert logged.state == state
    assert logged.growth["users"].value == pytest.approx(1.0)


def test_latencies_are_those_of_requests_that_have_one() -> None:
    seconds = [0.1 * (n + 1) for n in range(200)]
    rows = [line(n / 10, latency_s=s, user=f"u{n}") for n, s in enumerate(seconds)]
    logged = said(*rows, line(20), line(21, model=HAIKU, user="one"))
    sonnet, haiku = logged.models[1], logged.models[0]
    assert (sonnet.timed, haiku.timed) == (200, 0)
    assert sonnet.latency_p50 == stats.quantile(seconds, 0.5)  # one request a user: each is its own cluster
    assert sonnet.latency_p95.value == pytest.approx(19.05, abs=0.05)
    assert haiku.latency_p50.reason == "no request has a latency"
    nine_users = said(*(line(n / 10, latency_s=s, user=f"u{n // 25}") for n, s in enumerate(seconds))).models[0]
    assert nine_users.latency_p50.low is None or nine_users.latency_p50.low < (sonnet.latency_p50.low or 0)
    told = " ".join(production_lines(logged))
    assert "latency p50 10 s (8.6–12 s), p95 19 s" in told
    assert "of 200 that have one" in told


def test_weeks_that_the_log_does_not_span_do_not_count() -> None:
    assert said(*weekly(8)).weeks == 8
    assert said(*weekly(8)[5:]).weeks == 7  # begins on a Sunday
    assert said(*weekly(8)[:-5]).weeks == 7  # ends on a Monday


@pytest.mark.parametrize(
    ("fields", "toward", "unmapped"),
    [
        ({"difficulty": "easy"}, HAIKU, ""),
        ({"difficulty": "hard"}, None, ""),
        ({"difficulty": "hard", "tags": ["easy"]}, None, ""),
        ({"model": OPUS, "difficulty": "hard"}, None, ""),
        ({"model": "claude-haiku-4-5", "difficulty": "easy"}, None, ""),  # an alias of the run's; nothing is cheaper
        ({}, None, "no difficulty, tag or input size"),
        ({"tags": ["unheard-of"]}, None, "a tag that no item of the run has"),
        ({"model": "claude-opus-5", "difficulty": "easy"}, None, "Opus 5 is not in the run"),
    ],
)
def test_a_request_is_mapped_by_what_it_says_or_not_at_all(
    fields: Mapping[str, Any], toward: str | None, unmapped: str
) -> None:
    found = said(line(**fields)).moved
    assert [move.toward for move in found.moves] == ([toward] if toward else [])
    assert sum(found.unmapped.values()) == bool(unmapped)
    assert found.kept + sum(found.unmapped.values()) + sum(move.requests for move in found.moves) == 1
    assert all(unmapped in reason for reason in found.unmapped)


def test_a_saving_is_the_weeks_cost_times_one_less_the_ratio() -> None:
    rows = [*weekly(6, difficulty="easy"), *weekly(6, difficulty="hard")]
    logged = said(*rows)
    (move,) = logged.moved.moves
    assert move.requests == 60
    assert move.cost_ratio.value == pytest.approx(1 / 3, rel=0.05)
    dollars = said(*weekly(6, difficulty="easy")).spend_usd
    assert dollars is not None
    month = dollars / 6 * 365.25 / 12 / 7
    saving = logged.saving
    assert saving.value == pytest.approx(month * (1 - (move.cost_ratio.value or 0)))
    assert saving.low is not None
    assert saving.high is not None
    assert saving.low < saving.value < saving.high


def test_a_ratio_that_is_the_same_on_every_item_leaves_a_saving_the_doubt_of_its_weeks() -> None:
    book = Book(spec((SONNET, HAIKU)))
    for i in range(60):
        book.item(f"i{i:02d}", difficulty="easy")
        for model, usd in ((SONNET, 0.03), (HAIKU, 0.01)):
            book.trial(f"i{i:02d}", answered(usd), model=model, level=1)
    run = analyze(book.snapshot())
    logged = production(read(*weekly(6, difficulty="easy")), run, Prices())
    (move,) = logged.moved.moves
    assert (move.cost_ratio.value, move.cost_ratio.low) == (pytest.approx(1 / 3), None)
    assert logged.saving.value is not None
    assert logged.saving.low is not None
    assert logged.saving.low < logged.saving.value
    told = " ".join(production_lines(logged))
    assert "at 0.33× (no interval, all 60 alike) the cost" in told
    alike = production(read(*(line(day, difficulty="easy") for day in range(42))), run, Prices())
    assert "(no interval: all 6 weeks save the same, requests alone" in " ".join(production_lines(alike))


def test_a_log_is_held_to_the_prices_of_the_names_that_it_uses() -> None:
    """An alias may have rates of its own in evalkit.yaml, and a run that went on by others has no ratio of one list."""
    pin, alias = "claude-sonnet-4-5-20250929", "claude-sonnet-4-5"
    book = Book(spec((pin, HAIKU), rates={model: LIST_PRICES.tiers(model, MONDAY) for model in (pin, HAIKU)}))
    for i in range(60):
        book.item(f"i{i:02d}", difficulty="easy")
        for model in (pin, HAIKU):
            usage = Usage(input_tokens=1000, output_tokens=100 + i)
            book.trial(
                f"i{i:02d}", answered(LIST_PRICES.price(model, usage, MONDAY).usd, usage=usage), model=model, level=1
            )
    run, rows = analyze(book.snapshot()), weekly(6, difficulty="easy", model=alias)

    def refused(run: Analysis, *more: Mapping[str, Any], **own: OwnRates) -> bool:
        prices = Prices({name.replace("_", "-"): rates for name, rates in own.items()})
        saving = production(read(*rows, *more), run, prices).saving
        assert (saving.value is None) == ("Sonnet 4.5 than the run did" in (saving.reason or ""))
        return saving.value is None

    assert not refused(run)
    assert refused(run, claude_sonnet_4_5=OwnRates(input=0.3, output=1.5))
    assert refused(replace(run, priced_otherwise={pin: {"by other rates": 3}}))
    kept, by_own = OwnRates(input=3, output=15), f"{LIST_PRICES.version()}, own rates 0123456789ab"
    before = replace(run, spec=replace(run.spec, rates={}, prices_version=by_own))
    assert refused(before), "which says by what version of own rates"
    now = Prices({alias: kept}).version()
    assert not refused(replace(run, spec=replace(run.spec, rates={}, prices_version=now)), claude_sonnet_4_5=kept)
    tiers = tuple(replace(tier, cache_read=0.7) for tier in run.spec.rates[pin])
    cut = replace(run, spec=replace(run.spec, rates={**run.spec.rates, pin: tiers}))
    assert not refused(cut), "of a price that no line pays"
    assert refused(cut, line(41, model=alias, difficulty="easy", cache_read_tokens=50))


@pytest.mark.parametrize(
    "name",
    ["us.anthropic.claude-sonnet-4-6", "anthropic.claude-sonnet-4-6", "bedrock:global.anthropic.claude-sonnet-4-6"],
)
def test_bedrocks_own_ids_are_known_as_the_api_was_asked(name: str) -> None:
    logged = said(*weekly(6, difficulty="easy", model=name))
    assert not logged.unpriced
    assert logged.moved.share.value == 1


@pytest.mark.parametrize(
    ("cut", "whole"),
    [
        ((), 6),
        (("2026-08-31T00:00", "2026-08-31T20:00"), 5),  # begins on a Monday evening
        (("2026-10-11T04:00", "2026-10-12T00:00"), 5),  # ends on a Sunday morning
        (("2026-08-31T00:00", "2026-09-01T00:00"), 5),
        (("2026-08-31T00:00", "2026-08-31T02:00"), 6),  # what may as well not have been sent
    ],
)
def test_a_week_that_a_log_begins_or_ends_in_the_midst_of_a_day_of_is_not_whole(
    cut: tuple[str, ...], whole: int
) -> None:
    """A week with a part of its Monday would look like growth from there on."""
    hours = [datetime(2026, 8, 31, tzinfo=UTC) + timedelta(hours=n, minutes=n % 7) for n in range(6 * 7 * 24)]
    gone = [datetime.fromisoformat(f"{at}:00+00:00") for at in cut] or [hours[0], hours[0]]
    assert len(whole_weeks([at for at in hours if not gone[0] <= at < gone[1]])) == whole


@pytest.mark.parametrize(("days", "hours", "whole"), [(5, range(9, 18), 6), (7, range(24), 6), (7, [13], 6)])
def test_weeks_without_weekends_or_nights_are_whole_and_those_that_are_cut_are_not(
    days: int, hours: Sequence[int], whole: int
) -> None:
    """By when the requests of other weeks come, not by the calendar's first hour and last day."""
    monday = datetime(2026, 8, 31, tzinfo=UTC)
    rows = [monday + timedelta(days=7 * w + d, hours=h) for w in range(6) for d in range(days) for h in hours]
    assert len(whole_weeks(rows)) == whole
    assert len(whole_weeks(rows[days * len(hours) // 2 :])) == whole - 1
    assert len(whole_weeks(rows[: -days * len(hours) // 2])) == whole - 1


def test_a_job_of_every_night_that_begins_a_little_later_or_earlier_is_of_whole_weeks() -> None:
    rng, monday = random.Random(3), datetime(2026, 8, 31, 2, tzinfo=UTC)  # noqa: S311  invented data, not a secret
    for _ in range(40):
        starts = [monday + timedelta(days=day, minutes=30 * rng.random()) for day in range(42)]
        assert len(whole_weeks([start + timedelta(seconds=n) for start in starts for n in range(20)])) == 6
    weekly_job = [monday + timedelta(days=7 * week, seconds=30 * n) for week in range(7) for n in range(100)]
    assert len(whole_weeks(weekly_job)) == 7
    assert len(whole_weeks(weekly_job[90:])) == 6, "most of its first night is cut off"


def test_own_rates_of_a_bedrock_id_are_found_by_the_name_that_a_log_has() -> None:
    own = {"input": 3.0, "output": 15.0}
    config = Config.model_validate({"prices": {"us.anthropic.claude-sonnet-4-6": own, "claude-opus-4-6": own}})
    assert set(config.prices) == {"bedrock:us.anthropic.claude-sonnet-4-6", "claude-opus-4-6"}


def test_names_of_one_model_that_are_priced_apart_are_told_to_be_read_apart() -> None:
    """No run is made by two price lists for one model."""
    rows, other = weekly(6, difficulty="easy"), "bedrock:us.anthropic.claude-sonnet-4-6"
    saving = said(*rows, *({**row, "model": other} for row in rows)).saving
    assert saving.reason == "the log has Sonnet 4.6 under names of different rates: read it in parts, one for each name"


@pytest.mark.parametrize(
    ("own", "ran", "refused"),
    [
        ({}, {}, False),
        ({SONNET: OwnRates(input=0.3, output=1.5)}, {}, True),  # a run file that does not keep its rates
        ({}, {SONNET: (3.0, 15.0), HAIKU: (1.0, 5.0)}, False),
        ({SONNET: OwnRates(input=0.3, output=1.5)}, {SONNET: (3.0, 15.0)}, True),
        ({SONNET: OwnRates(input=3, output=15)}, {SONNET: (0.3, 1.5)}, True),
        ({OPUS: OwnRates(input=3, output=15)}, {SONNET: (3.0, 15.0)}, False),  # nothing moves from or to it
    ],
)
def test_a_run_by_other_prices_says_nothing_of_what_moving_would_save(
    own: Mapping[str, OwnRates], ran: Mapping[str, tuple[float, float]], refused: bool
) -> None:
    found = planted()
    rates = {m: tuple(replace(t, input=ran[m][0], output=ran[m][1]) for t in LIST_PRICES.tiers(m, MONDAY)) for m in ran}
    run = replace(found, spec=replace(found.spec, rates=rates))
    logged = production(read(*weekly(6, difficulty="easy")), run, Prices(own))
    saving, told = logged.saving, "\n".join(production_lines(logged))
    assert (saving.value is None) == refused
    assert ("a cheaper model is shown to be less than 10 points worse on 100% of 60" in told) != refused
    assert ("the cost in the run, by the rates of the run" in told) == refused
    assert ("would save unknown (the log goes by other rates" in told) == refused
    assert ("the log goes by other rates of Sonnet 4.6 than the run did" in (saving.reason or "")) == refused


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (weekly(6), "no request belongs to a part"),
        (weekly(3, difficulty="easy"), "3 whole weeks, fewer than 4"),
        ([*weekly(6, difficulty="easy"), line(3, difficulty="easy", output_tokens=None)], "1 of the requests"),
    ],
)
def test_no_saving_is_made_up(rows: list[Mapping[str, Any]], reason: str) -> None:
    saving = said(*rows).saving
    assert saving.value is None
    assert reason in (saving.reason or "")


@pytest.mark.long
def test_the_command_prints_signals_and_log_and_the_same_as_json(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book = Book(spec((SONNET, HAIKU)))
    for i in range(60):
        book.item(f"i{i:02d}", difficulty="easy" if i % 2 else "hard")
        for k, model in enumerate((SONNET, HAIKU)):
            book.trial(f"i{i:02d}", answered(0.03 / (1 + k + i % 3 / 9)), model=model, level=int(i > 9 * k))
    path = write_run(tmp_path / "run.db", book.snapshot())
    usage = ["--usage", str(root / "datasets" / "usage-example.jsonl")]
    assert main(["signals", str(path), *usage]) == 0
    out = capsys.readouterr().out
    for words in ("signals shown", "Production: 397 requests", "41 users", "unmapped", "would save"):
        assert words in out
    assert main(["signals", str(path), *usage, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["current"] == SONNET
    assert len(content["signals"]) == 10
    assert content["production"]["requests"] == 397
    assert main(["signals", str(path), "--current", "claude-haiku-4-5"]) == 0
    assert main(["signals", str(path), "--current", "claude-sonet-4-6"]) == 2
    assert "did you mean 'claude-sonnet-4-6'?" in capsys.readouterr().err
