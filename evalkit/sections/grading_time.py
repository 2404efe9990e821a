"""Grading time: how long people took for an output."""

from evalkit.analysis.results import Analysis
from evalkit.blocks import Cell, Column, Row, Section, strong, table, words
from evalkit.stats import Estimate
from evalkit.wording import doubt, estimated, plural, value

ORDER = 88


def build(analysis: Analysis) -> Section | None:
    """None where no person made a mark."""
    times = analysis.grading_time
    if not times.by_grader:
        return None
    columns = (Column("Grader"), Column("Median seconds for an output", "end"))
    rows = [_row(grader, estimate) for grader, estimate in times.by_grader.items()]
    return Section(
        name="grading-time",
        label="Grading time",
        heading=_heading(analysis),
        lede=words(
            f"Attention alone, pauses left out, on {plural(times.outputs, 'output')}. "
            f"Correcting an output takes {estimated(analysis.correction.minutes, 'minutes')}, "
            f"{analysis.correction.source}{' in the rubric' if analysis.correction.source == 'stated' else ''}."
        ),
        blocks=(table("Time for an output", columns, rows),),
        measured=True,
    )


def _heading(analysis: Analysis) -> str:
    overall = analysis.grading_time.overall
    if overall is None:
        return "How long an output took to grade was not measured"
    return f"The median output took a person about {value(overall, 'seconds')}"


def _row(grader: str, estimate: Estimate | None) -> Row:
    if estimate is None:
        return Row((Cell(words(grader)), Cell(words("not measured"), "graded where time is not taken")))
    return Row((Cell(words(grader)), Cell((strong(value(estimate, "seconds")),), doubt(estimate, "seconds"))))
