"""What it takes to put an output right: as measured where anybody did, else as the team states."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import fmean

from evalkit import stats
from evalkit.analysis.trials import TrialResult
from evalkit.frozen import dataclass
from evalkit.grader_names import is_again
from evalkit.records import Correction
from evalkit.rubric import Economics
from evalkit.stats import Estimate


@dataclass(frozen=True)
class CorrectionCost:
    """Mean `minutes` to put an unsatisfactory output right, and what that costs in `usd`.

    Measured on so many `outputs` (n counts items), with the interval of the mean, or stated, or the default: 0 outputs,
    no interval.
    `source` says which, in words.
    """

    minutes: Estimate
    usd: Estimate
    outputs: int
    source: str


def correction_cost(
    corrections: Iterable[Correction],
    results: Sequence[TrialResult],
    economics: Economics,
    *,
    said: bool | None = None,
) -> CorrectionCost:
    """The mean over unsatisfactory outputs: first over graders, then over an item's outputs, since items are the unit.

    A grader's later measurement replaces the earlier. What was spent on satisfactory outputs does not count.
    """
    latest = {(c.trial_id, c.grader): c.minutes for c in corrections if not is_again(c.grader)}
    of_trial: dict[int, list[float]] = defaultdict(list)
    for (trial_id, _), minutes in latest.items():
        of_trial[trial_id].append(minutes)
    of_item: dict[str, list[float]] = defaultdict(list)
    for result in results:
        if result.satisfied is False and result.trial_id in of_trial:
            of_item[result.key.item_id].append(fmean(of_trial[result.trial_id]))
    if not of_item:
        return stated(economics, said=said)
    mean = stats.mean_cost([fmean(minutes) for minutes in of_item.values()])
    outputs = sum(map(len, of_item.values()))
    source = f"measured on {outputs} output{'s' * (outputs > 1)}"
    return CorrectionCost(mean, _in_usd(mean, economics), outputs, source)


def stated(economics: Economics, *, said: bool | None = None) -> CorrectionCost:
    """The minutes of the rubric, which may be those that hold where it says nothing.

    `said`: whether the rubric has them written down; None where that was not kept, and what is usual counts as unsaid.
    """
    minutes = Estimate(economics.correction_minutes, None, None, 0.95, 0, "stated")
    own = economics.correction_minutes, economics.hourly_rate_usd
    usual = own == (Economics().correction_minutes, Economics().hourly_rate_usd)
    return CorrectionCost(minutes, _in_usd(minutes, economics), 0, "the default" if usual and not said else "stated")


def _in_usd(minutes: Estimate, economics: Economics) -> Estimate:
    value, low, high = (
        None if x is None else x / 60 * economics.hourly_rate_usd for x in (minutes.value, minutes.low, minutes.high)
    )
    return replace(minutes, value=value, low=low, high=high)
