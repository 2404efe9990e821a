"""Caching: how much of the input came from the cache, and what the requests cost without and with its full help."""

from evalkit.analysis.caching import CacheUse
from evalkit.analysis.results import Analysis
from evalkit.blocks import (
    Cell,
    Column,
    Paragraph,
    Row,
    Section,
    strong,
    table,
    words,
)
from evalkit.chart_blocks import (
    Series,
)
from evalkit.series import lineup
from evalkit.wording import UNKNOWN, money, percent, plural

ORDER = 46


def build(analysis: Analysis) -> Section | None:
    """None for a run in which nothing was read from a cache or written to one."""
    uses = {use.model: use for use in analysis.caching}
    lines = [(series, uses[series.key]) for series in lineup(analysis) if series.key in uses]
    if not lines:
        return None
    columns = (Column("Option"), *(Column(head, "end") for head in _HEADS))
    reasons = [f"{use.name}: cold and warm costs unknown, since {use.reason}." for _, use in lines if use.reason]
    return Section(
        name="caching",
        label="Caching",
        heading=_heading([use for _, use in lines]),
        lede=words(
            "Costs are means per answered request: as billed in this run, cold (nothing cached), and warm (every "
            "marked prefix in the cache already). The hit rate is this run's; production's follows from its own "
            "traffic, so its cost lies between cold and warm, or above cold where prefixes are written and never read."
        ),
        blocks=(
            table("Input from the cache, and its worth", columns, [_row(series, use) for series, use in lines]),
            *((Paragraph(words(" ".join(reasons))),) if reasons else ()),
        ),
    )


_HEADS = ("Hit rate", "Written", "As billed", "Cold", "Warm")


def _heading(uses: list[CacheUse]) -> str:
    rates = sorted(use.hit_rate for use in uses if use.hit_rate is not None)
    if not rates:
        return "Prefixes were written to the cache; how much was read is unknown"
    low, high = percent(rates[0]), percent(rates[-1])
    return f"{low if low == high else f'{low} to {high}'} of the input came from the cache"


def _row(series: Series, use: CacheUse) -> Row:
    written = UNKNOWN if use.written_tokens is None else percent(use.written_tokens / max(1, use.input_tokens))
    return Row(
        (
            Cell(words(use.name), plural(use.requests, "request")),
            Cell((strong(percent(use.hit_rate)),), f"of {use.input_tokens:,} tokens"),
            Cell(words(written)),
            *(Cell(words(_each(usd, use.requests))) for usd in (use.cost_usd, use.cold_usd, use.warm_usd)),
        ),
        series,
    )


def _each(usd: float | None, requests: int) -> str:
    return money(None if usd is None else usd / requests)
