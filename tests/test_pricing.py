"""Prices: the published figures to the cent, and nothing where nobody can say."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.config import Config, OwnRates
from evalkit.pricing import LIST_PRICES, US_ONLY_FACTOR, Prices, as_asked, price, prices_version, rates
from evalkit.rates import Rates
from evalkit.records import Request, Usage
from evalkit.strict import read_strict

NOW = datetime(2026, 11, 22, tzinfo=UTC)
COLUMNS = {
    "50k in": Usage(input_tokens=50_000),
    "2k + 48k written for 5 min": Usage(input_tokens=2_000, cache_write_5m_tokens=48_000),
    "2k + 48k written for 1 h": Usage(input_tokens=2_000, cache_write_1h_tokens=48_000),
    "2k + 48k read": Usage(input_tokens=2_000, cache_read_tokens=48_000),
    "250k in": Usage(input_tokens=250_000),
    "10k + 240k read": Usage(input_tokens=10_000, cache_read_tokens=240_000),
}
WORKED = {
    "claude-opus-4-6": (0.2700, 0.3300, 0.5100, 0.0540, 1.2700, 0.1900),
    "claude-sonnet-4-6": (0.1620, 0.1980, 0.3060, 0.0324, 0.7620, 0.1140),
    "claude-haiku-4-5": (0.0540, 0.0660, 0.1020, 0.0108, 0.2540, 0.0380),
    "claude-haiku-4-5-20251001": (0.0540, 0.0660, 0.1020, 0.0108, 0.2540, 0.0380),
    "claude-opus-5-5": (0.2160, 0.2640, 0.4080, 0.0336, 1.0160, 0.1040),
    "claude-sonnet-5-5": (0.1080, 0.1320, 0.2040, 0.0168, 0.5080, 0.0520),
    "claude-haiku-5-5": (0.0054, 0.0066, 0.0102, 0.00108, 0.1270, 0.0190),
}
CELLS = [
    pytest.param(model, usage, usd, id=f"{model} {column}")
    for model, row in WORKED.items()
    for (column, usage), usd in zip(COLUMNS.items(), row, strict=True)
]


def with_output(usage: Usage, output_tokens: int | None = 800, **more: str) -> Usage:
    return Usage(
        usage.input_tokens, output_tokens, usage.cache_read_tokens, usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens, **more,
    )  # fmt: skip


@pytest.mark.parametrize(("model", "usage", "usd"), CELLS)
def test_worked_price(model: str, usage: Usage, usd: float) -> None:
    assert price(model, with_output(usage), NOW).usd == pytest.approx(usd, rel=1e-9)


@pytest.mark.parametrize(("model", "usage", "usd"), CELLS)
def test_batch_costs_half(model: str, usage: Usage, usd: float) -> None:
    assert price(model, with_output(usage, service_tier="batch"), NOW).usd == pytest.approx(usd / 2, rel=1e-9)


@pytest.mark.parametrize(("model", "usage", "usd"), CELLS)
def test_us_only_processing_costs_a_tenth_more(model: str, usage: Usage, usd: float) -> None:
    factor = 1.0 if "-4-5" in model else US_ONLY_FACTOR
    assert price(model, with_output(usage, inference_geo="us"), NOW).usd == pytest.approx(usd * factor, rel=1e-9)
    assert price(model, with_output(usage, inference_geo="global"), NOW).usd == pytest.approx(usd, rel=1e-9)


@pytest.mark.parametrize(
    ("model", "offered"),
    [
        ("claude-opus-4-6", True), ("claude-opus-4-6@20260101", True), ("claude-sonnet-5", True),
        ("claude-haiku-5-5", True), ("claude-haiku-4-5-20251001", False), ("claude-opus-4-1-20250805", False),
        ("claude-opus-4-0", False), ("claude-3-5-haiku-latest", False),
    ],
)  # fmt: skip
def test_older_models_cannot_be_kept_in_the_us_and_cost_the_same(model: str, offered: bool) -> None:
    there, anywhere = (price(model, Usage(1000, 1000, inference_geo=geo), NOW).usd for geo in ("us", None))
    assert there is not None
    assert anywhere is not None
    assert there == pytest.approx(anywhere * (1.1 if offered else 1.0))


def test_batch_in_the_us_is_both() -> None:
    usage = with_output(COLUMNS["50k in"], service_tier="batch", inference_geo="us")
    assert price("claude-opus-4-6", usage, NOW).usd == pytest.approx(0.27 / 2 * 1.1)


def test_step_in_the_rates_reprices_the_whole_request() -> None:
    below = price("claude-haiku-5-5", Usage(input_tokens=100_000, output_tokens=800), NOW)
    above = price("claude-haiku-5-5", Usage(input_tokens=100_001, output_tokens=800), NOW)
    assert below.usd == pytest.approx(0.0104)
    assert above.usd == pytest.approx(0.0520, rel=1e-4)


def test_step_counts_cached_tokens_too() -> None:
    cached = price("claude-haiku-5-5", Usage(input_tokens=1, output_tokens=0, cache_read_tokens=100_000), NOW)
    assert cached.usd == pytest.approx(0.5e-6 + 100_000 * 0.05e-6)


def test_standard_tier_and_standard_speed_cost_the_list_price() -> None:
    usage = with_output(COLUMNS["50k in"], service_tier="standard", speed="standard")
    assert price("claude-opus-4-6", usage, NOW).usd == pytest.approx(0.27)


def test_fast_mode_costs_more_than_standard() -> None:
    fast = price("claude-opus-5-5", with_output(COLUMNS["50k in"], speed="fast"), NOW).usd
    assert fast is not None
    assert fast > 0.2160


def test_date_decides_the_rate() -> None:
    old = price("claude-opus-4-6", with_output(COLUMNS["250k in"]), datetime(2026, 3, 1, tzinfo=UTC)).usd
    assert old is not None
    assert old > 1.27


@pytest.mark.parametrize("model", [*WORKED, "claude-opus-4-5", "claude-opus-4-8"])
def test_batches_cost_half_before_the_price_data_know_it(model: str) -> None:
    early, usage = datetime(2026, 9, 1, tzinfo=UTC), Usage(2_000, 800, 3_000, 4_000, 5_000)
    alone = price(model, usage, early).usd
    batch = price(model, replace(usage, service_tier="batch"), early).usd
    assert alone is not None
    assert batch == pytest.approx(alone / 2)


@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "claude-haiku-5-5", "claude-sonnet-5-5"])
def test_fast_mode_has_no_price_where_the_data_have_none(model: str) -> None:
    found = price(model, Usage(1000, 1000, speed="fast"), NOW)
    assert (found.usd, found.reason) == (None, f"no fast-mode price is known for {model!r}")


@pytest.mark.parametrize(("tier", "factor"), [(None, 1.0), ("batch", 0.5)])
def test_a_cut_of_cache_reads_that_the_data_do_not_date(tier: str | None, factor: float) -> None:
    usage = Usage(2_000, 800, cache_read_tokens=48_000, service_tier=tier)
    before, after = (price("claude-sonnet-5-5", usage, datetime(2026, 10, day, tzinfo=UTC)).usd for day in (6, 7))
    assert after == pytest.approx(0.0168 * factor)
    assert before == pytest.approx((0.0168 + 48_000 * 0.10e-6) * factor)


@pytest.mark.parametrize(
    ("model", "rates_usd"),
    [("claude-sonnet-4-20250514", (3, 15)), ("claude-opus-4-20250514", (15, 75)), ("claude-sonnet-4-0", (3, 15)),
     ("claude-3-5-haiku-20241022", (0.8, 4)), ("claude-3-5-haiku-latest", (0.8, 4)),
     ("claude-3-opus-20240229", (15, 75)), ("claude-3-7-sonnet-20250219", (3, 15))],
)  # fmt: skip
def test_a_dated_id_is_priced_where_the_data_name_its_alias(model: str, rates_usd: tuple[float, float]) -> None:
    assert rates(model, NOW) == pytest.approx(rates_usd)


@pytest.mark.parametrize(
    "model",
    ["claude-sonnet-4-00", "claude-3-opus-2024", "claude-3-opus-20240229-x",
     "claude-opus-4-60", "claude-opus-4-6-fast", "claude-opus-4-6-2026", "claude-opus-4-6-latest", "claude-opus-9",
     "claude-mythos-preview", "claude-opus-4-6[1m]", "gpt-5", "my-model", "claude", "", "anthropic.claude-opus-4-6"],
)  # fmt: skip
def test_unknown_model_is_unpriced_never_free(model: str) -> None:
    found = price(model, Usage(input_tokens=10, output_tokens=10), NOW)
    assert found.usd is None
    assert found.reason == f"no price is known for {model!r}"
    assert rates(model, NOW) is None


@pytest.mark.parametrize(
    ("usage", "reason"),
    [
        (Usage(), "the API did not report token counts"),
        (Usage(input_tokens=5), "the API did not report token counts"),
        (Usage(output_tokens=5), "the API did not report token counts"),
        (Usage(output_tokens=5, cache_read_tokens=5), "the API did not report token counts"),
        (Usage(5, 5, service_tier="priority"), "priority-tier prices are not published"),
        (Usage(5, 5, service_tier="flex"), "no price is known for the service tier 'flex'"),
        (Usage(5, 5, inference_geo="mars"), "no price is known for processing in 'mars'"),
    ],
)
def test_what_was_not_reported_is_unpriced(usage: Usage, reason: str) -> None:
    found = price("claude-opus-4-6", usage, NOW)
    assert (found.usd, found.reason) == (None, reason)


def test_counts_that_the_price_data_refuse_are_unpriced() -> None:
    found = price("claude-opus-4-6", Usage(input_tokens=-10, output_tokens=5, cache_read_tokens=5), NOW)
    assert found.usd is None
    assert "cannot price this request" in (found.reason or "")


def test_no_tokens_cost_nothing_and_are_priced() -> None:
    assert price("claude-opus-4-6", Usage(input_tokens=0, output_tokens=0), NOW).usd == 0.0


@pytest.mark.parametrize("model", ["claude-opus-4-6-20260101", "claude-opus-4-6@20260101", "CLAUDE-OPUS-4-6"])
def test_dated_or_upper_case_spelling_is_the_same_model(model: str) -> None:
    assert price(model, with_output(COLUMNS["50k in"]), NOW).usd == pytest.approx(0.27)


def test_rates_are_per_million_tokens() -> None:
    assert rates("claude-sonnet-4-6", NOW) == pytest.approx((3.0, 15.0))


def test_all_rates_of_a_model_are_told_by_size_of_prompt() -> None:
    small, large = LIST_PRICES.tiers("claude-haiku-5-5", NOW)
    assert small == Rates(0.1, 0.5, 0.01, 0.125, 0.2, batch_factor=0.5)
    assert large == Rates(0.5, 2.5, 0.05, 0.625, 1.0, batch_factor=0.5, above_tokens=100_000)
    assert LIST_PRICES.tiers("nobody-knows-it", NOW) == ()
    prices = Prices({"mine": BARE, "free": OwnRates(input=0, output=0, batch_factor=0.5)})
    assert prices.tiers("mine", NOW) == (Rates(3.0, 15.0, own=True),)
    assert prices.tiers("free", NOW) == (Rates(0.0, 0.0, batch_factor=1.0, own=True),)


def test_version_of_the_price_data_is_told() -> None:
    assert prices_version().startswith("genai-prices 0.")


OWN = OwnRates(input=3.0, output=15.0, cache_read=0.3, cache_write_5m=3.75, cache_write_1h=6, batch_factor=0.5)
BARE = OwnRates(input=3, output=15)


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        (Usage(1_000_000, 0), 3.0),
        (Usage(0, 1_000_000), 15.0),
        (Usage(0, 0, cache_read_tokens=1_000_000), 0.3),
        (Usage(0, 0, cache_write_5m_tokens=1_000_000), 3.75),
        (Usage(0, 0, cache_write_1h_tokens=1_000_000), 6.0),
        (Usage(1_000_000, 1_000_000, service_tier="batch"), 9.0),
        (Usage(1_000_000, 1_000_000, service_tier="standard", speed="standard"), 18.0),
        (Usage(0, 0), 0.0),
    ],
)
def test_own_rates_price_every_kind(usage: Usage, usd: float) -> None:
    assert Prices({"my-model": OWN}).price("my-model", usage, NOW).usd == pytest.approx(usd)


def test_own_rates_win_over_the_published_ones_for_their_model_alone() -> None:
    prices, usage = Prices({"claude-opus-4-6": BARE}), Usage(1_000_000, 0)
    assert prices.price("claude-opus-4-6", usage, NOW).usd == 3.0
    assert prices.price("claude-opus-4-7", usage, NOW) == price("claude-opus-4-7", usage, NOW)
    assert price("claude-opus-4-6", usage, NOW).usd == 5.0
    assert prices.rates("claude-opus-4-6", NOW) == pytest.approx((3.0, 15.0))
    in_us = replace(usage, inference_geo="us")
    assert prices.price("claude-opus-4-6", in_us, NOW).usd == pytest.approx(3.3)


@pytest.mark.parametrize(
    ("usage", "reason"),
    [
        (Usage(1, 1, cache_read_tokens=1), "the own prices of 'm' lack 'cache_read'; add it in evalkit.yaml"),
        (Usage(1, 1, None, 1), "the own prices of 'm' lack 'cache_write_5m'; add it in evalkit.yaml"),
        (Usage(1, 1, None, None, 1), "the own prices of 'm' lack 'cache_write_1h'; add it in evalkit.yaml"),
        (Usage(1, 1, service_tier="batch"), "the own prices of 'm' lack 'batch_factor'; add it in evalkit.yaml"),
        (Usage(1, 1, speed="fast"), "the own prices of 'm' say nothing of fast mode"),
        (Usage(1, 1, service_tier="priority"), "priority-tier prices are not published"),
        (Usage(1, -1), "a token count is below 0"),
        (Usage(1, None), "the API did not report token counts"),
    ],
)
def test_a_rate_that_is_not_stated_is_unknown_never_free(usage: Usage, reason: str) -> None:
    found = Prices({"m": BARE}).price("m", usage, NOW)
    assert (found.usd, found.reason) == (None, reason)


def test_kinds_that_do_not_occur_need_no_rate() -> None:
    assert Prices({"m": BARE}).price("m", Usage(1_000_000, 0, 0, 0, 0), NOW).usd == 3.0


def test_version_names_own_rates() -> None:
    assert Prices().version() == prices_version()
    assert Prices({"m": BARE}).version().startswith(f"{prices_version()}, own rates ")
    assert Prices({"m": BARE}).version() != Prices({"m": OWN}).version() != Prices({"n": OWN}).version()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("prices: {m: {input: 3}}", "c:1: key 'prices.m.output' is missing; add it"),
        ("prices: {m: {input: 3, output: x}}", "c:1: 'prices.m.output' is 'x'; it must be a number"),
        ("prices: {m: {input: 3, output: -1}}", "c:1: 'prices.m.output' is -1; it must be greater than or equal to 0"),
        ("prices: {m: {input: 3, output: 1, cache_reed: 1}}",
         "c:1: unknown key 'cache_reed'; did you mean 'cache_read'?"),
        ("prices: {m: {input: 3, output: 1, batch_factor: 50}}",
         "c:1: 'prices.m.batch_factor' is 50; it must be less than or equal to 1"),
    ],
)  # fmt: skip
def test_own_rates_are_read_strictly(text: str, problem: str) -> None:
    found = read_strict(Config, text, "c")
    assert isinstance(found, list)
    assert list(map(str, found)) == [problem]


def test_own_rates_are_read_as_they_are_documented() -> None:
    text = (
        "prices: {my-model: {input: 3.0, output: 15.0, cache_read: .3, cache_write_5m: 3.75, cache_write_1h: 6, "
        "batch_factor: 0.5}}"
    )
    found = read_strict(Config, text, "c")
    assert isinstance(found, Config)
    assert found.prices == {"my-model": OWN}


tokens = st.integers(0, 90_000)


@given(tokens, tokens, tokens, tokens, st.sampled_from(sorted(WORKED)))
def test_more_tokens_never_cost_less(plain: int, read: int, written: int, output: int, model: str) -> None:
    def usd(more_input: int = 0, more_output: int = 0) -> float:
        found = price(model, Usage(plain + more_input, output + more_output, read, written), NOW).usd
        assert found is not None
        return found

    assert usd() <= usd(1) <= usd(1, 1)


SMALL = Usage(input_tokens=100_000, output_tokens=1_000)
PROFILES = "arn:aws:bedrock:us-east-1:123456789012:inference-profile"


@pytest.mark.parametrize(
    ("model", "usd"),
    [
        ("bedrock:global.anthropic.claude-sonnet-4-6", 0.3150),
        ("bedrock:us.anthropic.claude-sonnet-4-6", 0.3465),
        ("bedrock:anthropic.claude-sonnet-4-6", 0.3465),
        (f"bedrock:{PROFILES}/eu.anthropic.claude-sonnet-4-6", 0.3465),
        ("bedrock:us.anthropic.claude-opus-4-6-v1", 0.5775),
        ("bedrock:eu.anthropic.claude-haiku-4-5-20251001-v1:0", 0.1155),
        ("bedrock:anthropic.claude-opus-5-5", 0.4620),
        ("bedrock:arn:aws:bedrock:us-east-1:1:application-inference-profile/abc", None),
        ("bedrock:us.anthropic.claude-sonnet-9", None),
        ("bedrock:us.anthropic.claude-opus-4-60", None),
        ("bedrock:us-gov.anthropic.claude-sonnet-4-6", None),
        ("bedrock:claude-sonnet-4-6", None),
        ("us.anthropic.claude-sonnet-4-6", None),
        ("bedrock:", None),
    ],
)
def test_models_on_bedrock_have_amazons_regional_prices_or_none(model: str, usd: float | None) -> None:
    priced = price(model, SMALL, NOW)
    assert priced.usd == (None if usd is None else pytest.approx(usd, rel=1e-9))
    assert (priced.reason is None) == (usd is not None)


def test_on_bedrock_a_region_is_paid_for_once_and_other_modes_have_no_price() -> None:
    model = "bedrock:us.anthropic.claude-sonnet-4-6"
    assert price(model, Usage(100_000, 1_000, inference_geo="us"), NOW).usd == pytest.approx(0.3465)
    for mode in ({"service_tier": "batch"}, {"speed": "fast"}):
        assert price(model, Usage(100_000, 1_000, **mode), NOW).usd is None


HOUR = {"type": "ephemeral", "ttl": "1h"}
MARKED = ({"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": HOUR}]},)


@pytest.mark.parametrize(
    ("asked", "told", "reckoned"),
    [
        (Request("m", (), 9, params={"inference_geo": "us"}), Usage(1, 2), Usage(1, 2, inference_geo="us")),
        (Request("m", (), 9, params={"inference_geo": "us"}), Usage(1, 2, inference_geo="global"), None),
        (Request("m", (), 9, params={"speed": "fast"}), Usage(1, 2), Usage(1, 2, speed="fast")),
        (Request("m", (), 9, params={"speed": "fast"}), Usage(1, 2, speed="standard"), None),
        (Request("m", MARKED, 9), Usage(1, 2, 3, 400), Usage(1, 2, 3, 0, 400)),
        (Request("m", (), 9, (*MARKED[0]["content"],)), Usage(1, 2, 3, 400), Usage(1, 2, 3, 0, 400)),
        (Request("m", MARKED, 9), Usage(1, 2, 3, 300, 100), None),
        (Request("m", ({"role": "user", "content": "Hi"},), 9), Usage(1, 2, 3, 400), None),
    ],
)
def test_what_an_answer_is_silent_about_is_priced_as_it_was_asked_for(
    asked: Request, told: Usage, reckoned: Usage | None
) -> None:
    """A gateway that repeats nothing would be paid by the cheapest reading, and a budget passed."""
    assert as_asked(told, asked) == (reckoned or told)
