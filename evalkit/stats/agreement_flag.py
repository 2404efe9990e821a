"""Green, amber or red: whether grades are reliable enough to decide on, and who to ask."""

from typing import Literal

import numpy as np

from evalkit.frozen import dataclass
from evalkit.stats.agreement import gwet_ac
from evalkit.stats.clusters import ItemNames
from evalkit.stats.estimate import Estimate
from evalkit.stats.gradings import Grades, grade_table
from evalkit.stats.inputs import FloatArray, numbers
from evalkit.stats.plain import Plain
from evalkit.stats.severity import grader_severity

Colour = Literal["green", "amber", "red"]


@dataclass(frozen=True, slots=True)
class AgreementFlag(Plain):
    """A colour and the reasons for it, as whole sentences for the reader; never without a reason."""

    colour: Colour
    reasons: tuple[str, ...]


def agreement_flag(alpha: Estimate, ac: Estimate, pass_rate: float | None = None) -> AgreementFlag:
    """Judge alpha by Krippendorff's .800 and .667, with its interval, and rare failures by AC.

    Green: alpha >= .80 with low >= .60. Red: alpha < .667 or low < .40. Amber: the rest; also what would be red but
    has AC >= .80 and more than 90 % passes (`pass_rate`, None = not a flag), since alpha then measures prevalence;
    and what cannot be assessed. Source: thresholds of Krippendorff (2004).
    """
    if alpha.value is None:
        reasons: tuple[str, ...] = (f"{alpha.reason}.",)
        if ac.n == 0:
            reasons += ("One grader alone: let the grader grade 20 random items again.",)
        return AgreementFlag("amber", reasons)
    low = -1.0 if alpha.low is None else alpha.low
    seen = f"alpha {alpha.value:.2f}, lower limit {low:z.2f}"
    if alpha.value >= 0.80 and low >= 0.60:
        return AgreementFlag("green", (f"{seen}: at least .80 and .60.",))
    if alpha.value >= 0.667 and low >= 0.40:
        return AgreementFlag("amber", (f"{seen}: enough for tentative conclusions only (.80 and .60 are needed).",))
    if ac.value is not None and ac.value >= 0.80 and pass_rate is not None and pass_rate > 0.90:
        effect = f"prevalence effect: {pass_rate:.0%} pass, so alpha misleads; AC {ac.value:.2f}"
        return AgreementFlag("amber", (f"{seen}; {effect}.",))
    found = "grades are not shown to be reliable" if alpha.value >= 0.667 else "grades unreliable"
    return AgreementFlag("red", (f"{seen}: {found} (.667 and .40 are needed).",))


def deviating_graders(
    ratings: Grades, tolerance: float, least_ac: float = 0.40, *, items: ItemNames = None
) -> list[tuple[int, str]]:
    """Graders to ask: index and reason, where one departs from the others' majority or in severity.

    `ratings`: graders x items, nan or None = missing. A grader is named when AC1 with the most frequent grade of
    the others (ties left out) is below `least_ac`, or when the whole severity interval lies more than `tolerance`
    rating units (.10 for a flag, .25 for rubric points) from 0. Both need at least three graders for a majority,
    two for severity, whose interval is on `items`. Raises ValueError as `grader_severity`. No grader: an empty
    list. Source: AC1 of Gwet (2008).
    """
    numbers("tolerance and least_ac", [tolerance, least_ac])
    table, found = grade_table(ratings), []
    severities = grader_severity(ratings, items=items)
    for grader, severity in enumerate(severities):
        ac = _with_majority(table, grader) if len(table) > 2 else None
        if ac is not None and ac < least_ac:
            found.append((grader, f"AC1 with the others' majority is {ac:.2f}, below {least_ac:.2f}"))
        low, high = severity.low, severity.high
        if low is not None and high is not None and (low > tolerance or high < -tolerance):
            found.append((grader, f"severity {severity.value:+.2f} ({low:+.2f} to {high:+.2f})"))
    return found


def _with_majority(table: FloatArray, grader: int) -> float | None:
    return gwet_ac(np.array([table[grader], _majority(np.delete(table, grader, axis=0))])).value


def _majority(table: FloatArray) -> FloatArray:
    """The most frequent grade of each item, nan where two are equally frequent or none is given."""
    values = np.unique(table[~np.isnan(table)])
    if not values.size:
        return np.full(table.shape[1], np.nan)
    counts = (table[:, :, None] == values).sum(axis=0)
    top = counts.max(axis=1)
    alone = (counts == top[:, None]).sum(axis=1) == 1
    return np.where(alone, values[counts.argmax(axis=1)], np.nan)
