"""Blinding: whether graders could tell who wrote what, and what in the outputs would have told them."""

from collections.abc import Iterable

from evalkit.analysis.blinding import Blinding
from evalkit.analysis.results import Analysis
from evalkit.blocks import Block, Cell, Column, Row, Section, strong, table, words
from evalkit.chart_blocks import Series
from evalkit.series import lineup
from evalkit.wording import coefficient, doubt, estimated, percent, plural, value

ORDER = 86


def build(analysis: Analysis) -> Section | None:
    """None where nobody was asked who wrote an output, and no output named its author."""
    if analysis.blinding is None and not analysis.grading.identity_marks:
        return None
    return Section(
        name="blinding",
        label="Blinding",
        heading=_heading(analysis),
        lede=words(
            "Names of models and makers are replaced by a visible mark before anybody grades. Style cannot be hidden: "
            f"{_whether_asked(analysis)}"
        ),
        blocks=tuple(_blocks(analysis)),
    )


def _whether_asked(analysis: Analysis) -> str:
    if analysis.blinding is None:
        if analysis.grading.asked_author:
            return "whether it gave authors away is asked in the end, and nobody has said so far."
        return "whether it gave authors away was not asked (`evalkit grade --ask-author`)."
    return (
        "whether it gave authors away was asked in the end, and is told by Bang's index, 1 if every guess is right, "
        "0 at chance."
    )


def _heading(analysis: Analysis) -> str:
    found = analysis.blinding
    if found is None:
        marks = analysis.grading.identity_marks
        return f"{plural(marks, 'mention')} of a model's or maker's name {'was' if marks == 1 else 'were'} hidden"
    told = estimated(found.overall, "coefficient")
    if found.overall.low is not None and found.overall.low > 0:
        return f"Graders could tell authors better than chance: Bang's index {told}"
    if found.overall.value is None:
        return "How well authors could be told is not known for every model"
    return f"It is not shown that graders could tell who wrote what: Bang's index {told}"


def _blocks(analysis: Analysis) -> Iterable[Block]:
    series, found = lineup(analysis), analysis.blinding
    if found is not None:
        chance = coefficient(-1 / max(1, len(series) - 1))
        columns = (
            Column("Written by"), Column(f"Bang's index, {chance} to 1", "end"), Column("Taken for itself", "end"),
            Column("Taken for another", "end"), Column("Do not know", "end"),
        )  # fmt: skip
        rows = [*(_row(found, s) for s in series), _overall(found)]
        yield table(f"Who graders thought wrote it, {plural(found.graders, 'grader')}", columns, rows)
    marks = [Row((Cell(words(s.name)), Cell(words(f"{analysis.model(s.key).identity_marks:,}"))), s) for s in series]
    yield table("Names hidden in the outputs", (Column("Written by"), Column("Mentions", "end")), marks)


def _row(found: Blinding, series: Series) -> Row:
    own = {one.guess: one.times for one in found.guesses if one.author == series.key}
    asked, right, unknown = sum(own.values()), own.get(series.key, 0), own.get(None, 0)
    index = found.index[series.key]
    return Row(
        (
            Cell(words(series.name), plural(asked, "answer")),
            Cell((strong(value(index, "coefficient")),), doubt(index, "coefficient")),
            *(_share(count, asked) for count in (right, asked - right - unknown, unknown)),
        ),
        series,
    )


def _share(count: int, asked: int) -> Cell:
    return Cell(words(percent(count / asked) if asked else "nobody was asked"), f"{count:,}" if asked else "")


def _overall(found: Blinding) -> Row:
    """The mean over models: a liking for one model's name cancels out in it."""
    right = sum(one.times for one in found.guesses if one.author == one.guess)
    return Row(
        (
            Cell(words("All, the mean of the above"), plural(found.asked, "answer")),
            Cell((strong(value(found.overall, "coefficient")),), doubt(found.overall, "coefficient")),
            _share(right, found.asked),
            _share(found.said - right, found.asked),
            _share(found.asked - found.said, found.asked),
        )
    )
