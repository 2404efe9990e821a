"""Cache costs: hit rates by hand, cold and warm to the cent, and nothing said that nobody can know."""

from dataclasses import replace
from datetime import datetime

import pytest
from analysis_builders import HAIKU, OPUS, SONNET, Book, answered, failed, spec

from evalkit.analysis import analyze
from evalkit.analysis.caching import cache_costs, cache_warnings
from evalkit.config import OwnRates
from evalkit.pricing import Prices
from evalkit.records import Attempt, Usage
from evalkit.report import build_report, render_html, render_json, render_markdown
from evalkit.sections import caching

WRITES = Usage(2_000, 800, 0, 48_000, 0)
READS = Usage(2_000, 800, 48_000, 0, 0)
PLAIN = Usage(50_000, 800, 0, 0, 0)


def made(usage: Usage, model: str = OPUS, prices: Prices | None = None) -> Attempt:
    """An answered request, billed at these prices."""
    when = "2026-11-22T00:00:00+00:00"
    usd = (prices or Prices()).price(model, usage, datetime.fromisoformat(when)).usd
    return answered(usd, sent_at=when, usage=usage)


def test_worked_costs_of_one_write_and_three_reads() -> None:
    (use,) = cache_costs({OPUS: [made(WRITES), *[made(READS)] * 3]})
    assert (use.requests, use.input_tokens, use.read_tokens, use.written_tokens) == (4, 200_000, 144_000, 48_000)
    assert use.hit_rate == pytest.approx(0.72)
    assert use.cost_usd == pytest.approx(0.3300 + 3 * 0.0540)
    assert use.cold_usd == pytest.approx(4 * 0.2700)
    assert use.warm_usd == pytest.approx(4 * 0.0540)
    assert use.reason is None


def test_a_step_in_the_rates_counts_for_cold_and_warm_alike() -> None:
    (use,) = cache_costs({"claude-haiku-5-5": [made(Usage(10_000, 800, 240_000), "claude-haiku-5-5")]})
    assert (use.cold_usd, use.warm_usd) == (pytest.approx(0.1270), pytest.approx(0.0190))


def test_batches_are_half_of_everything() -> None:
    (use,) = cache_costs({OPUS: [made(replace(WRITES, service_tier="batch"))]})
    assert (use.cold_usd, use.warm_usd) == (pytest.approx(0.1350), pytest.approx(0.0270))


def test_nothing_is_said_where_no_cache_was_touched() -> None:
    assert cache_costs({OPUS: [made(PLAIN)], SONNET: []}) == ()
    assert cache_costs({}) == ()


def test_failed_requests_are_left_out() -> None:
    (use,) = cache_costs({OPUS: [made(READS), failed(usage=READS), failed()]})
    assert use.requests == 1


def test_what_the_server_did_not_report_is_unknown() -> None:
    silent = replace(PLAIN, cache_read_tokens=None, cache_write_5m_tokens=None)
    one, other = cache_costs({OPUS: [made(READS)], SONNET: [made(silent, SONNET)]})
    assert one.hit_rate == pytest.approx(0.96)
    assert (other.hit_rate, other.read_tokens, other.written_tokens) == (None, None, None)


def test_an_unpriced_request_leaves_no_cost() -> None:
    (use,) = cache_costs({"my-model": [made(READS, "my-model")]})
    assert (use.cost_usd, use.cold_usd, use.warm_usd, use.reason) == (None, None, None, "a request is unpriced")


def test_costs_by_other_rates_than_the_runs_are_not_invented() -> None:
    own = Prices({OPUS: OwnRates(input=1, output=1, cache_read=0.1, cache_write_5m=1)})
    billed = [made(READS, prices=own)]
    (stranger,), (same,) = cache_costs({OPUS: billed}), cache_costs({OPUS: billed}, own)
    assert stranger.cost_usd is not None
    assert (stranger.cold_usd, stranger.reason) == (None, "the run was priced by other rates than these")
    assert same.cold_usd == pytest.approx(50_000e-6 + 800e-6)
    bare = Prices({OPUS: OwnRates(input=1, output=1, cache_write_5m=1)})
    (partly,) = cache_costs({OPUS: [made(WRITES, prices=bare)]}, bare)
    assert (partly.cold_usd, partly.warm_usd, partly.reason) == (None, None, "a rate is not known")


@pytest.mark.parametrize(
    ("opus", "haiku", "warned"),
    [
        ([READS], [READS], False),
        ([READS, READS], [READS, PLAIN], True),
        ([Usage(90, 1, 10, 0)], [Usage(100, 1, 0, 1)], False),
        ([Usage(89, 1, 11, 0)], [Usage(100, 1, 0, 0)], True),
        ([READS], [replace(PLAIN, cache_read_tokens=None)], False),
    ],
)
def test_models_more_than_ten_points_apart_are_warned_about(
    opus: list[Usage], haiku: list[Usage], warned: bool
) -> None:
    uses = cache_costs({OPUS: [made(u) for u in opus], HAIKU: [made(u, HAIKU) for u in haiku]})
    said = cache_warnings(uses)
    assert len(said) == warned
    assert not warned or said[0].startswith("Cache hit rates differ: Opus 4.6 read ")


def test_that_nothing_was_cached_is_said_where_it_was_asked_for() -> None:
    assert cache_warnings((), marked=False) == ()
    assert cache_warnings((), marked=True)[0].startswith("Sent with `--cache as-production`, and nothing was written")
    for cache, told in (("5m", True), ("off", False)):
        book = Book(spec((OPUS,), cache=cache))
        book.trial("a", answered())
        assert ("nothing was written to a cache" in " ".join(analyze(book.snapshot()).warnings)) is told


def run_with(*usages: Usage) -> Book:
    book = Book(spec((OPUS, SONNET)))
    for place, usage in enumerate(usages):
        for model in (OPUS, SONNET):
            book.trial(f"i{place}", made(usage, model), model=model, level=1)
    return book


def test_the_report_shows_caching_only_where_there_was_any() -> None:
    with_cache, without = (analyze(run_with(*u).snapshot()) for u in ((WRITES, READS, READS), (PLAIN, PLAIN)))
    assert without.caching == ()
    assert caching.build(without) is None
    section = caching.build(with_cache)
    assert section is not None
    assert section.heading == "64% of the input came from the cache"
    assert "caching" in [s.name for s in build_report(with_cache).sections]
    page = render_html(with_cache)
    assert "64%" in page
    assert "27¢" in page, "cold cost of a request to Opus"
    assert "5.4¢" in page, "warm cost of a request to Opus"
    assert "64% of the input came from the cache" in render_json(with_cache)
    assert render_markdown(with_cache)


def test_a_warning_reaches_the_report() -> None:
    book = Book(spec((OPUS, SONNET)))
    book.trial("a", made(READS), level=1)
    book.trial("a", made(PLAIN, SONNET), model=SONNET, level=1)
    assert any("Cache hit rates differ" in line for line in analyze(book.snapshot()).warnings)
