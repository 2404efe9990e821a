"""Consistency: whether a grader says the same of an output seen again, and what graders do not agree on."""

from collections.abc import Iterable, Mapping

from evalkit.analysis.consistency import VERDICT, Consistency
from evalkit.analysis.disputes import Dispute
from evalkit.analysis.results import Analysis
from evalkit.blocks import Block, Cell, Column, Row, Section, Span, strong, table, words
from evalkit.grader_names import JUDGE
from evalkit.shown_items import anchors
from evalkit.stats import Estimate
from evalkit.wording import Format, doubt, estimated, percent, plural, shorten, value

ORDER = 84
_MOST = 10
"""Disputed items that are listed; the JSON has them all."""


def build(analysis: Analysis) -> Section | None:
    """None where no output was graded twice, by one grader or by two."""
    if not analysis.consistency and not analysis.disputes:
        return None
    return Section(
        name="consistency",
        label="Consistency",
        heading=_heading(analysis),
        lede=words(
            "Some outputs come to a grader again, unannounced; second grades count for nothing else. Where graders "
            "differ with each other, look at the item first: the reference may be wrong, or the criterion unclear."
        ),
        blocks=tuple(_blocks(analysis)),
    )


def _heading(analysis: Analysis) -> str:
    verdicts = [c for c in analysis.consistency if c.criterion == VERDICT and c.exact.value is not None]
    if verdicts:
        least = min(verdicts, key=lambda c: c.exact.value or 0.0)
        return f"{_person(least.grader)} gives the same verdict again on {estimated(least.exact, 'percent')} of outputs"
    return f"Graders differ on {plural(len(analysis.disputes), 'item')} of those that two or more graded"


def _blocks(analysis: Analysis) -> Iterable[Block]:
    if analysis.consistency:
        yield table("Graders with themselves", _OWN, [_again(c) for c in analysis.consistency])
    if analysis.disputes:
        places = anchors(analysis)
        rows = [_disputed(analysis, d, places) for d in analysis.disputes[:_MOST]]
        more = f", {_MOST} of {len(analysis.disputes):,}" if len(analysis.disputes) > _MOST else ""
        yield table(f"Items that graders disagree on most{more}", _APART, rows)


_OWN = (
    Column("Grader"), Column("On"), Column("Same answer", "end"), Column("Weighted kappa", "end"), Column("AC", "end"),
)  # fmt: skip
_APART = (
    Column("Item"), Column("Distance of two graders", "end"), Column("Verdicts apart", "end"), Column("Most on"),
)  # fmt: skip


def _again(found: Consistency) -> Row:
    return Row(
        (
            Cell(words(_person(found.grader)), f"asked {found.views} times" if found.views > 2 else ""),
            Cell(
                words("The verdict" if found.criterion == VERDICT else found.criterion), plural(found.outputs, "output")
            ),
            _figure(found.exact, "percent"),
            _figure(found.kappa, "coefficient"),
            _figure(found.ac, "coefficient"),
        )
    )


def _figure(estimate: Estimate, style: Format) -> Cell:
    return Cell((strong(value(estimate, style)),), doubt(estimate, style))


def _disputed(analysis: Analysis, found: Dispute, places: Mapping[str, str]) -> Row:
    task = next((shorten(item.task, 60) for item in analysis.outputs if item.id == found.item_id), "")
    return Row(
        (
            Cell((Span(found.item_id, link=places.get(found.item_id, "")),), task),
            Cell((strong(percent(found.distance)),), "of the scale"),
            Cell(words(f"{found.split} of {plural(found.outputs, 'output')}")),
            Cell(words(found.criterion)),
        )
    )


def _person(grader: str) -> str:
    return f"Judge {grader.removeprefix(JUDGE)}" if grader.startswith(JUDGE) else grader
