"""Side by side: whose outputs are preferred where two of one item were compared."""

from evalkit.analysis.preferred import PEOPLE, Preferred
from evalkit.analysis.results import Analysis
from evalkit.blocks import Cell, Column, Row, Section, strong, table, words
from evalkit.series import lineup
from evalkit.wording import doubt, percent, plural, value

ORDER = 66
_ALPHA = 0.05


def build(analysis: Analysis) -> Section | None:
    """None where no two outputs were compared."""
    if not analysis.preferred:
        return None
    names = {s.key: s.name for s in lineup(analysis)}
    columns = (
        Column("Compared"), Column("By"), Column("First preferred", "end"), Column("Second preferred", "end"),
        Column("Tied", "end"), Column("Difference, in points", "end"),
    )  # fmt: skip
    return Section(
        name="preferred",
        label="Preferences",
        heading=_heading(analysis.preferred, names),
        lede=words(
            "Each item counts once, for the side that more of its comparisons prefer, ties aside."
            f"{_how(analysis.preferred)}"
        ),
        blocks=(
            table("Outputs preferred, side by side", columns, [_row(found, names) for found in analysis.preferred]),
        ),
    )


def _how(found: tuple[Preferred, ...]) -> str:
    """What counts as one comparison of those that were made."""
    people = (
        " People see all of an item's outputs at once, in an order that balances places, and say it once; of several"
        " rounds, the one that the figures rest on counts, or else the one in which they compared most."
    )
    judges = (
        " What a judge prefers counts only where it says so in both orders; a preference that does not survive the "
        "swap is a tie."
    )
    by_people = {one.grader == PEOPLE for one in found}
    return f"{people if True in by_people else ''}{judges if False in by_people else ''}"


def _heading(found: tuple[Preferred, ...], names: dict[str, str]) -> str:
    clear = [p for p in found if p.p_holm < _ALPHA and not (p.difference.low or 0) <= 0 <= (p.difference.high or 0)]
    if not clear:
        return "Side by side no model's outputs are shown to be preferred"
    best = max(clear, key=lambda p: (p.grader == PEOPLE, abs(p.difference.value or 0.0)))
    won, lost = (best.b, best.a) if (best.difference.value or 0) > 0 else (best.a, best.b)
    share = percent((best.won_by_b if won == best.b else best.won_by_a) / best.items)
    return f"{_by(best)} {names.get(won, won)} to {names.get(lost, lost)} on {share} of {plural(best.items, 'item')}"


def _by(found: Preferred) -> str:
    return "People prefer" if found.grader == PEOPLE else f"Judge {found.grader} prefers"


def _row(found: Preferred, names: dict[str, str]) -> Row:
    a, b = (names.get(model, model) for model in (found.b, found.a))
    cells = [
        Cell((strong(percent(count / found.items)),), f"{count} of {plural(found.items, 'item')}")
        for count in (found.won_by_b, found.won_by_a, found.tied)
    ]
    return Row(
        (
            Cell(words(f"{a} and {b}")),
            Cell(words(PEOPLE if found.grader == PEOPLE else f"Judge {found.grader}")),
            *cells,
            Cell((strong(value(found.difference, "points")),), doubt(found.difference, "points")),
        )
    )
