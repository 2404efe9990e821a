"""Retries: what it brings, and costs, to ask again until an output is satisfactory."""

from evalkit.analysis.repeats import Retry
from evalkit.analysis.results import Analysis, ModelResult
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
    Axis,
    Series,
)
from evalkit.series import lineup
from evalkit.stats import Estimate
from evalkit.wording import doubt, estimated, in_cents, listing, money, plural, stated, value

ORDER = 43
OF_WORKLOAD = True
_SHOWN_TRIES = frozenset({1, 2, 3, 5, 10, 20, 50})


def build(analysis: Analysis) -> Section | None:
    """None for a run with one epoch, which cannot show what a second try would bring."""
    series = tuple(s for s in lineup(analysis) if analysis.model(s.key).retries)
    if not series:
        return None
    bar = analysis.decision.bar
    lines = [(s, retry) for s in series for retry in _shown(analysis.model(s.key))]
    prices = [r.cost_per_satisfactory for _, r in lines if r.cost_per_satisfactory is not None]
    columns = (
        Column("Option"),
        Column("Items solved", axis=_axis([r.success for _, r in lines], bar)),
        Column("Spend per item", "end"),
        Column("Cost per satisfactory output", "end"),
    )
    rows = [_row(analysis, s, retry, in_cents(prices)) for s, retry in lines]
    return Section(
        name="retries",
        label="Retries",
        heading=_heading(analysis, series),
        lede=words(
            f"Up to so many tries at an item, stopping at the first satisfactory output, from the "
            f"{plural(analysis.spec.epochs, 'epoch')} of this run, averaged over every order they could have come in. "
            "It presumes that the product can tell a bad output from a good one, and asks again only then."
        ),
        blocks=(
            table("Success and cost within so many tries", columns, rows),
            Paragraph(words(_waiting(analysis, series))),
        ),
    )


def _shown(model: ModelResult) -> list[Retry]:
    last = model.retries[-1].tries
    return [retry for retry in model.retries if retry.tries in _SHOWN_TRIES or retry.tries == last]


def _heading(analysis: Analysis, series: tuple[Series, ...]) -> str:
    """Who clears the bar only with retries, else what the last try brings the pick."""
    bar, eligible = analysis.decision.bar, analysis.decision.eligible
    lifted = [(s.name, retry) for s in series if s.key not in eligible and (retry := _clears(analysis, s, bar))]
    if lifted:
        within: dict[int, list[str]] = {}
        for name, retry in lifted:
            within.setdefault(retry.tries, []).append(name)
        said = [
            f"{listing(names)} clear{'s' * (len(names) == 1)} {stated(bar)} within {tries} tries"
            for tries, names in sorted(within.items())
        ]
        parts, retry = listing(said), lifted[0][1]
        of = f" of {plural(retry.success.n, 'item')}" if _is_part(analysis) else ""
        return f"{parts}: {estimated(retry.success, 'percent', bar)}{of}" if len(lifted) == 1 else parts
    key = next((s.key for s in series if s.key == analysis.decision.option), series[0].key)
    last = analysis.model(key).retries[-1]
    price = last.cost_per_satisfactory
    cost = f", at {value(price, 'money')} each" if price is not None and price.value is not None else ""
    solved = estimated(last.success, "percent")
    of = f"{plural(last.success.n, 'item')} tried so often" if _is_part(analysis) else "the items"
    return f"Within {last.tries} tries {analysis.model(key).name} solves {solved} of {of}{cost}"


def _is_part(analysis: Analysis) -> bool:
    """Whether some item of some model has fewer trials than the most, and no part in what is said here."""
    return any(model.retries and model.retries[0].success.n < model.items for model in analysis.models)


def _clears(analysis: Analysis, series: Series, bar: float) -> Retry | None:
    """The fewest tries, more than one, whose whole interval is above the bar."""
    found = (r for r in analysis.model(series.key).retries if r.success.low is not None and r.success.low >= bar)
    return next((r for r in found if r.tries > 1), None)


def _row(analysis: Analysis, series: Series, retry: Retry, cents: bool) -> Row:
    success, price, bar = retry.success, retry.cost_per_satisfactory, analysis.decision.bar
    unpriced = Cell(words(money(None)), "an attempt has no price")
    return Row(
        (
            Cell(words(series.name), "one try" if retry.tries == 1 else f"up to {retry.tries} tries"),
            Cell((strong(value(success, "percent", bar)),), doubt(success, "percent", bar), success),
            unpriced if retry.cost_usd is None
            else Cell(words(money(retry.cost_usd)), f"mean of {plural(success.n, 'item')}"),
            unpriced if price is None
            else Cell((strong(value(price, "money", cents=cents)),), doubt(price, "money", cents=cents)),
        ),
        series,
    )  # fmt: skip


def _waiting(analysis: Analysis, series: tuple[Series, ...]) -> str:
    counts = [analysis.model(s.key).retries[0].success.n for s in series]
    each = [f"{n:,} of {s.name}" for s, n in zip(series, counts, strict=True)]
    over = plural(counts[0], "item") if len(set(counts)) == 1 else listing(each)
    told = (
        "Each try also takes its time: a user waits for all of them. Tries are taken as independent given the item, as "
        f"epochs are; the intervals cover items, over {over}, and not grading errors."
    )
    if _is_part(analysis):
        told += (
            " Items that a model has fewer verdicts on than on others have no part in its rows, so that one try may "
            "differ from the scorecard."
        )
    return told


def _axis(shares: list[Estimate], bar: float) -> Axis:
    lows = [x for share in shares for x in (share.low, share.value) if x is not None]
    return Axis("", "percent", max(0.0, int(min([*lows, bar - 0.1]) * 10) / 10), 1.0, reference=bar)
