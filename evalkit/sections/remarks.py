"""What people left beside grades: outputs that they flagged, wrote a note on or put off, and on whose outputs."""

from collections.abc import Iterator, Sequence

from evalkit.analysis.remarks import Remark
from evalkit.analysis.results import Analysis, OutputResult
from evalkit.blocks import Block, Cell, Column, Row, Section, Span, table, words
from evalkit.chart_blocks import Series
from evalkit.series import lineup
from evalkit.shown_items import anchors
from evalkit.wording import listing, plural, shorten

ORDER = 83
_MOST = 30
"""Flagged outputs that are listed; the JSON has them all."""
_NOTE_LENGTH = 160
"""Characters of a note beside a flag; the whole of it stands with the item."""


def build(analysis: Analysis) -> Section | None:
    """None where nobody flagged, noted or put off anything."""
    outputs = [output for item in analysis.outputs for output in item.outputs]
    if not any(output.remarks for output in outputs):
        return None
    return Section(
        name="remarks",
        label="Flags and notes",
        heading=_heading(outputs),
        lede=words(
            "What people left beside their grades, in their own words; it enters no figure. Notes stand with the "
            "grades of their item, below."
        ),
        blocks=tuple(_blocks(analysis, outputs)),
    )


def _heading(outputs: Sequence[OutputResult]) -> str:
    flagged, noted, put_off = (_count(outputs, kind) for kind in ("flagged", "note", "put_off"))
    done = [
        *([f"flagged {plural(flagged, 'output')}"] if flagged else []),
        *([f"wrote notes on {noted:,}"] if noted else []),
        *([f"put off {put_off:,}"] if put_off else []),
    ]
    return f"People {listing(done)}, of {plural(len(outputs), 'output')}"


def _count(outputs: Sequence[OutputResult], kind: str) -> int:
    return sum(any(getattr(remark, kind) for remark in output.remarks) for output in outputs)


def _blocks(analysis: Analysis, outputs: Sequence[OutputResult]) -> Iterator[Block]:
    heads = ("Outputs", "Flagged", "With a note", "Put off", "Put off and never graded")
    columns = (Column("Written by"), *(Column(head, "end") for head in heads))
    rows = [_of_model(s, [output for output in outputs if output.model == s.key]) for s in lineup(analysis)]
    yield table("Whose outputs people remarked on", columns, rows)
    flagged = list(_flagged(analysis))
    if flagged:
        more = f", {_MOST} of {len(flagged):,}" if len(flagged) > _MOST else ""
        yield table(
            f"Outputs that people flagged{more}",
            (Column("Item"), Column("Written by"), Column("Flagged by"), Column("Note")),
            flagged[:_MOST],
        )


def _of_model(series: Series, outputs: Sequence[OutputResult]) -> Row:
    never = sum(any(r.put_off and not r.graded for r in output.remarks) for output in outputs)
    counts = (len(outputs), *(_count(outputs, kind) for kind in ("flagged", "note", "put_off")), never)
    return Row((Cell(words(series.name)), *(Cell(words(f"{count:,}")) for count in counts)), series)


def _flagged(analysis: Analysis) -> Iterator[Row]:
    names, places = {s.key: s for s in lineup(analysis)}, anchors(analysis)
    for item in analysis.outputs:
        for output in item.outputs:
            by = [remark for remark in output.remarks if remark.flagged]
            if by:
                yield Row(
                    (
                        Cell((Span(shorten(item.id, 48), link=places.get(item.id, "")),)),
                        Cell(words(names[output.model].name if output.model in names else output.model)),
                        Cell(words(listing([remark.grader for remark in by]))),
                        Cell(words(shorten(_notes(by), _NOTE_LENGTH))),
                    )
                )


def _notes(remarks: Sequence[Remark]) -> str:
    said = [remark for remark in remarks if remark.note]
    return "; ".join(f"{r.grader}: {r.note}" if len(remarks) > 1 else r.note for r in said)
