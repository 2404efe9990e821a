"""Judges' biases: for a place, for length, and for a tier's outputs, each with its doubt."""

from collections.abc import Iterable

from evalkit.analysis.judge_biases import JudgeBias
from evalkit.analysis.results import Analysis
from evalkit.blocks import Cell, Column, Row, Section, strong, table, words
from evalkit.stats import Estimate
from evalkit.wording import Format, doubt, estimated, listing, number, plural, value

ORDER = 82

_Fair = tuple[float, float]
"""Between what a judge without bias would be, in either order; the same twice for one value."""
_EVEN, _SAME_ODDS = (0.5, 0.5), (1.0, 1.0)


def build(analysis: Analysis) -> Section | None:
    """None without a judge that people graded beside, or that compared in both orders."""
    if not analysis.judge_biases:
        return None
    columns = (Column("Judge"), Column("Bias"), Column("Found", "end"), Column("Without bias", "end"), Column("Shown?"))
    rows = [row for bias in analysis.judge_biases for row in _rows(bias)]
    return Section(
        name="judge-bias",
        label="Judge bias",
        heading=_heading(analysis.judge_biases),
        lede=words(
            "What sways a judge beside the quality of an output. Length and tier are held against people's verdict on "
            "the same outputs; the place is looked at where pairs were judged in both orders. A bias counts as shown "
            "when its interval excludes what a judge without bias would have. A judge that errs treats the worse "
            "models better than people do without favouring anybody, so favour is held against that as well. Each "
            "figure is looked at by itself: of twenty of judges without bias, about one counts as shown by chance."
        ),
        blocks=(table("Biases of the judges", columns, rows),),
    )


def shown(estimate: Estimate, fair: _Fair) -> bool:
    """Whether the interval excludes all that there may be without bias."""
    low, high = estimate.low, estimate.high
    return (low is not None and low > max(fair)) or (high is not None and high < min(fair))


def _heading(biases: tuple[JudgeBias, ...]) -> str:
    found = [f"Judge {bias.judge} {listing(leanings)}" for bias in biases if (leanings := list(_leanings(bias)))]
    return "; ".join(found) or "No leaning of a judge by length, place or tier is shown"


def _leanings(bias: JudgeBias) -> Iterable[str]:
    """What it is shown to lean to, each by its direction."""
    if bias.position is not None and shown(bias.position.first, _EVEN):
        yield f"prefers the place shown {'first' if (bias.position.first.value or 0) > max(_EVEN) else 'second'}"
    if shown(bias.length, _SAME_ODDS):
        yield f"prefers {'long' if (bias.length.value or 0) > max(_SAME_ODDS) else 'short'} outputs"
    for tier, estimate in bias.favour.items():
        fair = (0.0, bias.by_errors[tier])
        if shown(estimate, fair):
            yield f"{'favours' if (estimate.value or 0) > max(fair) else 'disfavours'} {tier}{_own(bias, tier)}"


def _own(bias: JudgeBias, tier: str) -> str:
    return " (its own tier)" if tier == bias.own_tier else ""


_Figure = tuple[str, Estimate, _Fair | None, Format, str]
"""What it is, how much, what it would be without bias, how it is written, and over what."""


def _figures(bias: JudgeBias) -> Iterable[_Figure]:
    if bias.position is not None:
        apart = round(bias.pairs * (1 - (bias.position.consistent.value or 0.0)))
        yield "Same answer in both orders", bias.position.consistent, None, "percent", plural(bias.pairs, "pair")
        what, over = "The place shown first, where orders differ", plural(apart, "pair")
        yield what, bias.position.first, _EVEN, "percent", over
    yield "Length: odds of a pass for each doubling", bias.length, _SAME_ODDS, "ratio", plural(bias.length.n, "item")
    for tier, estimate in bias.favour.items():
        fair = (0.0, bias.by_errors[tier])
        over = plural(estimate.n, "item") + _knows_nothing(bias.youden, noise=not shown(estimate, fair))
        yield f"Favour for {tier}{_own(bias, tier)}, in points", estimate, fair, "points", over


def _knows_nothing(youden: Estimate, *, noise: bool) -> str:
    """Where J may be 0, so that noise is not read as favour."""
    if youden.low is None or youden.low > 0:
        return ""
    told = f"; J {estimated(youden, 'coefficient')}: it is not shown to know good from bad"
    return f"{told}, so this may be noise" if noise else told


def _rows(bias: JudgeBias) -> Iterable[Row]:
    for name, estimate, fair, style, over in _figures(bias):
        told = "not a bias by itself" if fair is None else "yes" if shown(estimate, fair) else "no"
        yield Row(
            (
                Cell(words(bias.judge)),
                Cell(words(name), over),
                Cell((strong(value(estimate, style)),), doubt(estimate, style)),
                _without(fair, style),
                Cell(words(told)),
            )
        )


def _without(fair: _Fair | None, style: Format) -> Cell:
    if fair is None:
        return Cell(words("100%"))
    fairly, by_errors = (number(end, style) for end in fair)
    return Cell(words(fairly), "" if by_errors == fairly else f"to {by_errors} by its errors alone")
