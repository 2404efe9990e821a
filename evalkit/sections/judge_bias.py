"""Judges' biases: for a place, for length, and for a tier's outputs, each with its doubt."""

from collections.abc import Iterable

from evalkit.analysis.judge_biases import JudgeBias
from evalkit.analysis.results import Analysis
from evalkit.blocks import Cell, Column, Row, Section, strong, table, words
from evalkit.stats import Estimate
from evalkit.wording import Format, doubt, listing, plural, value

ORDER = 82


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
            "when its interval excludes what a judge without bias would have."
        ),
        blocks=(table("Biases of the judges", columns, rows),),
    )


def shown(estimate: Estimate, fair: float) -> bool:
    """Whether the interval excludes what there would be without bias."""
    low, high = estimate.low, estimate.high
    return (low is not None and low > fair) or (high is not None and high < fair)


def _heading(biases: tuple[JudgeBias, ...]) -> str:
    found = []
    for bias in biases:
        kinds = [name for name, estimate, fair, _, _ in _figures(bias) if fair is not None and shown(estimate, fair)]
        if kinds:
            found.append(f"Judge {bias.judge} is swayed by {listing([kind.lower() for kind in kinds])}")
    return "; ".join(found) or "No bias of a judge is shown"


_Figure = tuple[str, Estimate, float | None, Format, str]
"""What it is, how much, what it would be without bias, how it is written, and over what."""


def _figures(bias: JudgeBias) -> Iterable[_Figure]:
    if bias.position is not None:
        over = plural(bias.pairs, "pair")
        yield "Same answer in both orders", bias.position.consistent, None, "percent", over
        yield "The place shown first, where orders differ", bias.position.first, 0.5, "percent", over
    yield "Length: odds of a pass for each doubling", bias.length, 1.0, "ratio", plural(bias.length.n, "item")
    for tier, estimate in bias.favour.items():
        own = " (its own tier)" if tier == bias.own_tier else ""
        yield f"Favour for {tier}{own}, in points", estimate, 0.0, "points", plural(estimate.n, "item")


def _rows(bias: JudgeBias) -> Iterable[Row]:
    for name, estimate, fair, style, over in _figures(bias):
        told = "not a bias by itself" if fair is None else "yes" if shown(estimate, fair) else "no"
        unbiased = {None: "100%", 0.5: "50%", 1.0: "1×", 0.0: "0"}[fair]
        yield Row(
            (
                Cell(words(bias.judge)),
                Cell(words(name), over),
                Cell((strong(value(estimate, style)),), doubt(estimate, style)),
                Cell(words(unbiased)),
                Cell(words(told)),
            )
        )
