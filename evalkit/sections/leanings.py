"""People's leanings: for a place and for length, and whether they took the time that reading takes."""

from collections.abc import Iterable

from evalkit.analysis.leanings import FASTEST_WORDS_S, Haste, Leaning
from evalkit.analysis.results import Analysis
from evalkit.blocks import Cell, Column, Row, Section, strong, table, words
from evalkit.stats import Estimate
from evalkit.stats.estimate import no_estimate
from evalkit.wording import doubt, estimated, plural, value

ORDER = 83
_NO_TIME = no_estimate("no time was measured", 0.95, "Wilson")


def build(analysis: Analysis) -> Section | None:
    """None where no person compared outputs, nor had their attention measured."""
    if not analysis.leanings:
        return None
    columns = (Column("Grader"), Column("Look"), Column("Found", "end"), Column("Without it", "end"), Column("Shown?"))
    rows = [row for leaning in analysis.leanings for row in _rows(leaning)]
    return Section(
        name="leanings",
        label="Attention",
        heading=_heading(analysis.leanings),
        lede=words(
            "What people may be swayed by beside the quality of an output. Places are balanced, so without a leaning "
            "half of the preferences go to the one shown first; that somebody favours a place is said with all who "
            "compared outputs allowed for (Bonferroni). Longer outputs may well be better ones. Attention is "
            f"checked against the fastest that anybody could read, {FASTEST_WORDS_S * 60:,.0f} words a minute."
        ),
        blocks=(table("People's leanings and attention", columns, rows),),
        measured=True,
    )


def _heading(leanings: tuple[Leaning, ...]) -> str:
    swayed = [f"{each.grader} prefers the output shown {_side(each.first)}" for each in leanings if each.sways]
    read = [
        f"{each.grader} {_did(haste)} {estimated(haste.share, 'percent')} of {_which(haste)} faster than they can be"
        " read"
        for each in leanings
        for haste in each.hasty
        if haste.share.value
    ]
    return "; ".join([*swayed, *read]) or f"{_nobody(leanings)} to favour a place or to grade faster than reading takes"


def _did(haste: Haste) -> str:
    return "compared" if haste.rests == "preferences" else "graded"


def _which(haste: Haste) -> str:
    """The items; where grades and preferences are of two rounds, those of the one."""
    return "items" if haste.rests == "both" else f"the items of round {haste.round_id}"


def _nobody(leanings: tuple[Leaning, ...]) -> str:
    return f"{leanings[0].grader} is not shown" if len(leanings) == 1 else "Nobody is shown"


def _side(first: Estimate) -> str:
    return "first" if (first.value or 0.0) > 0.5 else "second"


def _rows(leaning: Leaning) -> Iterable[Row]:
    shown = {True: "yes", False: "no"}
    if leaning.first.value is not None:
        yield _row(leaning.grader, "Prefers the output shown first", leaning.first, "50%", shown[leaning.sways])
        yield _row(leaning.grader, "Prefers the longer output", leaning.longer, "unknown", "not a bias by itself")
    for haste in leaning.hasty:
        of_round = "" if haste.rests == "both" else f" (round {haste.round_id})"
        what = f"{_did(haste).capitalize()} faster than it can be read{of_round}"
        yield _row(leaning.grader, what, haste.share, "0%", shown[bool(haste.share.value)])
    if not leaning.hasty:
        yield _row(leaning.grader, "Graded faster than it can be read", _NO_TIME, "0%", "unknown")


def _row(grader: str, what: str, found: Estimate, without: str, told: str) -> Row:
    return Row(
        (
            Cell(words(grader)),
            Cell(words(what), plural(found.n, "item")),
            Cell((strong(value(found, "percent")),), doubt(found, "percent")),
            Cell(words(without)),
            Cell(words(told)),
        )
    )
