"""Two models compared from whichever side is asked, and what the comparison shows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from evalkit.analysis.pair_results import Against, Pair
from evalkit.analysis.results import Analysis
from evalkit.analysis.routing import PolicyValue
from evalkit.analysis.sides import differs_from
from evalkit.analysis.sweep import HARDLY_WORSE, MARGIN
from evalkit.chart_blocks import (
    Series,
)
from evalkit.frozen import dataclass
from evalkit.stats import Estimate
from evalkit.stats.ratios import ONE_FREE
from evalkit.wording import p_value

_ALPHA = 0.05
MANY_PAIRS = 6
"""Pairs that can still be listed; of more, sections say model by model what they come to."""

Change = Literal["better", "worse", "level", "open"]
SINCE: Mapping[Change, str] = {
    "better": "now better",
    "worse": "now worse",
    "level": f"no change in the pass rate (within {MARGIN * 100:.0f} points)",
    "open": "not enough data to tell",
}
"""What a comparison with an earlier run is called."""


@dataclass(frozen=True)
class Comparison:
    """`first` against `second` on the same items: positive `difference` and large `gain` speak for the first.

    `cost_ratio` is the first's cost per satisfactory output over the second's; `extra_cost` (USD) how much more one of
    its requests costs, corrections left out, and `saving` (USD) how much less with them. `priced_alike`: whether the
    prices are those of one list, so that what differs is what the models used.
    """

    first: str
    second: str
    items: int
    gain: float
    loss: float
    difference: Estimate
    p_value: float | None
    p_holm: float | None
    cost_ratio: Estimate
    extra_cost: Estimate
    break_even: Estimate
    saving: Estimate
    items_to_separate: int | None
    cost_p_holm: float | None = None
    priced_alike: bool = True

    @property
    def better(self) -> bool:
        """Whether the first is shown to be better: its interval lies above zero, after Holm's adjustment too."""
        return self._settled and self.difference.low is not None and self.difference.low > 0

    @property
    def worse(self) -> bool:
        """Whether the first is shown to be worse."""
        return self._settled and self.difference.high is not None and self.difference.high < 0

    @property
    def level(self) -> bool:
        """Whether the two are shown to lie within MARGIN of each other."""
        low, high = self.difference.low, self.difference.high
        return low is not None and high is not None and low > -MARGIN and high < MARGIN

    @property
    def change(self) -> Change:
        """What is shown of the first against the second."""
        return "better" if self.better else "worse" if self.worse else "level" if self.level else "open"

    @property
    def dearer(self) -> bool:
        """Whether the first is shown to cost more per satisfactory output, after Holm's adjustment too; beside what is
        free, all else does."""
        shown = (self.cost_ratio.low is not None and self.cost_ratio.low > 1) or self._beside_free > 0
        return shown and self._price_settled

    @property
    def cheaper(self) -> bool:
        """Whether the first is shown to cost less per satisfactory output."""
        shown = (self.cost_ratio.high is not None and self.cost_ratio.high < 1) or self._beside_free < 0
        return shown and self._price_settled

    @property
    def cost_undone(self) -> str:
        """That costs are not shown to differ although the ratio's interval excludes 1; empty for any other."""
        apart = differs_from(self.cost_ratio, 1.0) and self.priced_alike and not self._price_settled
        return f", not shown after Holm (p {p_value(self.cost_p_holm)})" if apart else ""

    @property
    def _price_settled(self) -> bool:
        return self.priced_alike and (self.cost_p_holm is None or self.cost_p_holm < _ALPHA)

    @property
    def _beside_free(self) -> float:
        """What more the first costs a request where one of the two is free and the other shown not to be; else 0."""
        free = self.cost_ratio.reason == ONE_FREE and differs_from(self.extra_cost, 0.0)
        return (self.extra_cost.value or 0.0) if free else 0.0

    @property
    def saves(self) -> bool:
        """Whether the first is shown to cost less in total: by its price alone, or by a gain that is settled too."""
        by_price = (self.extra_cost.value or 0.0) < 0 and differs_from(self.extra_cost, 0.0)
        by_gain = self.difference.low is not None and self.difference.low > 0
        shown = self.saving.low is not None and self.saving.low > 0
        return shown and (by_price or not by_gain or self._settled)

    @property
    def overtaken(self) -> bool:
        """Whether a break-even point is shown: else the dearer of the two may not be better at all."""
        return self.break_even.high is not None and (self.better or self.worse)

    @property
    def corrected_away(self) -> bool:
        """Whether the interval of the difference excludes 0, and Holm's adjustment undoes what it shows."""
        return differs_from(self.difference, 0.0) and not self._settled

    @property
    def _settled(self) -> bool:
        return self.p_holm is None or self.p_holm < _ALPHA


def compare(analysis: Analysis, first: str, second: str) -> Comparison | None:
    """The pair of two models with `first` as its first side; None if the analysis has no such pair."""
    for pair in analysis.pairs:
        if (pair.b, pair.a) == (first, second):
            return _as_is(pair)
        if (pair.a, pair.b) == (first, second):
            return _turned(_as_is(pair))
    return None


def corrected(analysis: Analysis, pair: Comparison) -> str:
    """Why a difference whose interval excludes 0 is yet not shown; empty for any other."""
    if not pair.corrected_away or pair.p_holm is None:
        return ""
    if len(analysis.pairs) == 1:
        return f" by the test of what they differ on (p {p_value(pair.p_holm)})"
    return f" after Holm's correction for {len(analysis.pairs)} comparisons (p {p_value(pair.p_holm)})"


def reserve(policy: PolicyValue) -> str:
    """What a claim that a policy saves has to add where it may be worse by MARGIN."""
    low = policy.quality_gain.low
    return "" if low is not None and low > -MARGIN else f", but is not shown to be {HARDLY_WORSE}"


def all_pairs(analysis: Analysis, series: Sequence[Series]) -> list[Comparison]:
    """Every pair with the later model of the line-up as its first side, in the line-up's order."""
    found = [compare(analysis, later.key, earlier.key) for i, later in enumerate(series) for earlier in series[:i]]
    return [comparison for comparison in found if comparison is not None]


def against_baseline(analysis: Analysis, series: Sequence[Series]) -> list[Comparison]:
    """Each model (`first`) against its counterpart in the baseline run (`second`), in the line-up's order."""
    return [replace(_as_is(pair), priced_alike=pair.priced_alike) for pair in in_order(analysis, series)]


def in_order(analysis: Analysis, series: Sequence[Series]) -> list[Against]:
    """The pairs with models of the baseline run, in the line-up's order."""
    return [pair for one in series for pair in analysis.against if pair.b == one.key]


def _as_is(pair: Pair) -> Comparison:
    return Comparison(
        first=pair.b,
        second=pair.a,
        items=pair.items,
        gain=pair.gain,
        loss=pair.loss,
        difference=pair.difference,
        p_value=pair.p_value,
        p_holm=pair.p_holm,
        cost_ratio=pair.cost_ratio,
        extra_cost=pair.extra_cost,
        break_even=pair.break_even,
        saving=pair.saving,
        items_to_separate=pair.items_to_separate,
        cost_p_holm=pair.cost_p_holm,
    )


def _turned(c: Comparison) -> Comparison:
    return replace(
        c,
        first=c.second,
        second=c.first,
        gain=c.loss,
        loss=c.gain,
        difference=c.difference.mirrored,
        cost_ratio=_inverted(c.cost_ratio),
        extra_cost=c.extra_cost.mirrored,
        saving=c.saving.mirrored,
    )


def _inverted(e: Estimate) -> Estimate:
    """1 / x; a bound of 0 has no inverse and becomes open."""
    value, low, high = (None if not x else 1 / x for x in (e.value, e.high, e.low))
    reason = e.reason if e.value is None or value is not None else "the ratio is 0"
    return replace(e, value=value, low=low, high=high, reason=reason)
