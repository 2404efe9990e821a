"""The models of a run as sides to compare on any part of its items: which costs less, which is hardly worse."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property
from math import exp, fsum, log

from evalkit import stats
from evalkit.analysis.compare import Adjustment, adjust, equal_costs_p
from evalkit.analysis.evidence import Evidence
from evalkit.analysis.hedge import reaching
from evalkit.analysis.results import Analysis, Slice
from evalkit.analysis.sweep import MARGIN
from evalkit.analysis.without_batches import compared_usd
from evalkit.frozen import dataclass
from evalkit.models import display_name
from evalkit.stats import Estimate
from evalkit.stats.estimate import no_estimate

ALPHA = 0.05
ALL_ITEMS = "all items"
TOO_FEW = "too few items to test"
NOTHING_TO_LOSE = f"neither model satisfies more than {MARGIN:.0%} there, so that nothing could be lost"
MOST_TAGS = 8
"""Tags that are tested, the most frequent ones: every further test makes all of them harder to pass."""
_EXACT_MOST = 200
"""Items up to which non-inferiority is enumerated, which takes long for more; the score limit decides beyond."""


@dataclass(frozen=True)
class Side:
    """One model's trials by item. `satisfied`: 0 or 1 a trial; `at_worst` and `at_best`: the same with trials that
    failed on every attempt so far as failures, or as satisfactory; `costs`: mean USD a trial; `latency_s`: of answers,
    the geometric mean. `unpriced`: a trial that ended has no price. `among`: all models that are shown.
    """

    model: str
    satisfied: Mapping[str, tuple[float, ...]]
    at_worst: Mapping[str, tuple[float, ...]]
    at_best: Mapping[str, tuple[float, ...]]
    costs: Mapping[str, float]
    latency_s: Mapping[str, float]
    unpriced: bool
    among: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """For people."""
        return display_name(self.model, self.among)


@dataclass(frozen=True)
class Challenge:
    """Two sides on some items, which are a part of a kind."""

    candidate: Side
    baseline: Side
    kind: str
    part: str
    items: Sequence[str]


@dataclass(frozen=True)
class Holds:
    """Whether a cheaper model is no worse than another by the margin on a part of the items (its kind and name).

    `difference`: paired, with the 90 % interval that goes with a one-sided test at 5 %. `p_value`: one-sided, adjusted
    over the family of tests it belongs to; None where there are too few items to test. `p_worse`: the same of
    no loss at all.
    """

    model: str
    kind: str
    part: str
    difference: Estimate
    p_value: float | None
    epochs: int = 1
    p_worse: float | None = None

    @property
    def shown(self) -> bool:
        """Not inferior by the margin: by the adjusted test, and so that the printed interval says the same."""
        low = self.difference.low
        return self.p_value is not None and self.p_value <= ALPHA and low is not None and low > -MARGIN

    @property
    def worse(self) -> bool:
        """Significantly worse, whatever the margin: by the adjusted test, and so that the interval says the same."""
        high = self.difference.high
        return self.p_worse is not None and self.p_worse <= ALPHA and high is not None and high < 0

    @property
    def refuted(self) -> bool:
        """Worse by more than the margin."""
        return self.difference.high is not None and self.difference.high < -MARGIN


@dataclass(frozen=True)
class Standing:
    """The run's models around the `current` one."""

    analysis: Analysis
    sides: Mapping[str, Side]
    current: str

    @property
    def side(self) -> Side:
        """The current model."""
        return self.sides[self.current]

    @cached_property
    def cheaper(self) -> tuple[Side, ...]:
        """Models shown to cost less a request than the current one, the cheapest first."""
        return tuple(side for side, ratio in self._by_cost if ratio < 1)

    @cached_property
    def dearer(self) -> tuple[Side, ...]:
        """Models shown to cost more a request than the current one."""
        return tuple(side for side, ratio in self._by_cost if ratio > 1)

    @cached_property
    def does_any(self) -> bool:
        """Whether the current model or a cheaper one satisfies enough for a difference of the margin to be lost."""
        sides = (self.side, *self.cheaper)
        return any(_does_any([sum(flags) / len(flags) for flags in side.at_best.values()]) for side in sides)

    @cached_property
    def is_open(self) -> bool:
        """Whether trials failed on every attempt so far, so that any model may still turn out otherwise."""
        return any(side.at_worst != side.satisfied for side in self.sides.values())

    @property
    def unordered(self) -> str:
        """Why no model can be told to be cheaper or dearer, as far as prices are the cause; empty otherwise."""
        names = [side.name for side in self.sides.values() if side.unpriced]
        named = " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
        return f"requests of {named} are unpriced" if names else ""

    @property
    def unplaced(self) -> tuple[Evidence, ...]:
        """Models left out of comparisons by cost, for want of a price."""
        why = no_estimate("unpriced, so neither cheaper nor dearer", 0.95, "Tango score")
        others = (side for side in self.sides.values() if side.unpriced and side.model != self.current)
        return tuple(Evidence(f"{side.name} against {self.side.name}", why, "points") for side in others)

    @cached_property
    def _by_cost(self) -> list[tuple[Side, float]]:
        others = [side for side in self.sides.values() if side.model != self.current]
        ratios = [request_cost_ratio(side, self.side) for side in others]
        settled = [p is None or p <= ALPHA for p in adjust([equal_costs_p(ratio) for ratio in ratios])]
        found = [
            (side, ratio.value)
            for side, ratio, shown in zip(others, ratios, settled, strict=True)
            if ratio.value is not None and shown and differs_from(ratio, 1.0)
        ]
        return sorted(found, key=lambda pair: (pair[1], pair[0].model))

    @cached_property
    def parts(self) -> tuple[Slice, ...]:
        """The parts of the items that are tested: difficulties, thirds by size, and the most frequent tags."""
        return (*(part for part in self.analysis.slices if part.kind != "tag"), *tested_tags(self.analysis))

    @cached_property
    def overall(self) -> tuple[Holds, ...]:
        """Each cheaper model against the current one on all items."""
        everything = [item.id for item in self.analysis.outputs]
        return holding([Challenge(side, self.side, "", ALL_ITEMS, everything) for side in self.cheaper])

    @cached_property
    def on_parts(self) -> tuple[Holds, ...]:
        """Each cheaper model against the current one on each part of the items."""
        return holding(
            [Challenge(s, self.side, part.kind, part.name, part.item_ids) for s in self.cheaper for part in self.parts]
        )


def tested_tags(analysis: Analysis) -> list[Slice]:
    """The parts by tag that are tested."""
    return [part for part in analysis.slices if part.kind == "tag"][:MOST_TAGS]


def standing(analysis: Analysis, current: str | None = None) -> Standing:
    """The models around `current`: unless given, the pick, else the one with the highest pass rate (the cheaper)."""
    sides = {model.model: _side(analysis, model.model) for model in analysis.models}
    return Standing(analysis, sides, current or analysis.decision.option or _best(analysis))


def _best(analysis: Analysis) -> str:
    def rank(i: int) -> tuple[float, float]:
        rate, cost = analysis.models[i].pass_rate.value, analysis.models[i].cost_per_request.value
        return (-1.0 if rate is None else rate, float("-inf") if cost is None else -cost)

    return analysis.models[max(range(len(analysis.models)), key=rank)].model


def _side(analysis: Analysis, model: str) -> Side:
    satisfied, at_worst, at_best, costs, times = (defaultdict[str, list[float]](list) for _ in range(5))
    unpriced = False
    for item in analysis.outputs:
        for output in (o for o in item.outputs if o.model == model):
            if output.satisfied is not None:
                satisfied[item.id].append(float(output.satisfied))
            for flags, if_open in ((at_worst, 0.0), (at_best, 1.0)):
                open_ = output.failed_so_far and output.outcome is None and output.in_sample
                if output.satisfied is not None or open_:
                    flags[item.id].append(if_open if output.satisfied is None else float(output.satisfied))
            usd = compared_usd(analysis, output)
            if usd is not None and output.outcome is not None:
                costs[item.id].append(usd)
            unpriced |= usd is None and output.outcome not in (None, "errored")  # of an error, costs are a lower bound
            if output.outcome == "answered" and output.latency_s:
                times[item.id].append(log(output.latency_s))
    return Side(
        model,
        _flags(satisfied),
        _flags(at_worst),
        _flags(at_best),
        {item: fsum(values) / len(values) for item, values in costs.items()},
        {item: exp(fsum(values) / len(values)) for item, values in times.items()},
        unpriced,
        analysis.spec.models,
    )


def _flags(of_items: Mapping[str, Sequence[float]]) -> dict[str, tuple[float, ...]]:
    return {item: tuple(flags) for item, flags in of_items.items()}


def request_cost_ratio(candidate: Side, baseline: Side, items: Iterable[str] | None = None) -> Estimate:
    """Cost of a request of one side over the other's, paired on the items (all, unless given)."""
    if candidate.unpriced or baseline.unpriced:
        return no_estimate("a request is unpriced, so no ratio can be given", 0.95, "log-ratio t")
    ids = sorted(i for i in (candidate.costs if items is None else items) if i in candidate.costs)
    ids = [i for i in ids if i in baseline.costs]
    return stats.mean_cost_ratio([candidate.costs[i] for i in ids], [baseline.costs[i] for i in ids])


def differs_from(estimate: Estimate, value: float) -> bool:
    """Whether a value is shown to be another one; of several items that all say exactly the same, it is."""
    if estimate.low is None and estimate.high is None:
        return estimate.n > 1 and estimate.value is not None and abs(estimate.value - value) > 1e-9 * abs(value)
    return (estimate.low is not None and estimate.low > value) or (estimate.high is not None and estimate.high < value)


@dataclass(frozen=True)
class Shared:
    """Item means of two sides on the items that both have a verdict on, and the most trials that one of them has.

    `at_worst` and `at_best`: the same if the open trials of both sides end against the candidate, or for it; None
    without any.
    """

    candidate: Sequence[float]
    baseline: Sequence[float]
    epochs: int
    at_worst: "Shared | None" = None
    at_best: "Shared | None" = None


def both(a: Side, b: Side, items: Iterable[str]) -> Shared:
    """Candidate `a` and baseline `b` on those of the items that they share."""
    ids = sorted(items)
    known = _shared(a.satisfied, b.satisfied, ids)
    if a.at_worst == a.satisfied and b.at_worst == b.satisfied:
        return known
    at_worst, at_best = _shared(a.at_worst, b.at_best, ids), _shared(a.at_best, b.at_worst, ids)
    return replace(known, at_worst=at_worst, at_best=at_best)


def _shared(a: Mapping[str, tuple[float, ...]], b: Mapping[str, tuple[float, ...]], items: Sequence[str]) -> Shared:
    ids = [i for i in items if i in a and i in b]
    epochs = max((len(side[i]) for i in ids for side in (a, b)), default=1)
    of_a, of_b = ([sum(side[i]) / len(side[i]) for i in ids] for side in (a, b))
    return Shared(of_a, of_b, epochs)


def paired_difference(sides: Shared, confidence: float) -> Estimate:
    """Rate of the candidate minus the baseline's, paired by item; Tango's score interval, hedged for open trials."""
    if_open = (_difference(one, confidence) for one in (sides.at_worst, sides.at_best) if one is not None)
    return reaching(_difference(sides, confidence), *if_open)


def _difference(sides: Shared, confidence: float) -> Estimate:
    if sides.epochs > 1:
        return stats.paired_rates_clustered(sides.candidate, sides.baseline, confidence, sides.epochs)
    counts = stats.discordance(sides.candidate, sides.baseline)
    return stats.paired_rates(round(counts.gain), round(counts.loss), counts.n, confidence)


def difference_p(sides: Shared, seed: int) -> float | None:
    """Two-sided p of no difference: McNemar's mid-p, by flipped signs with several epochs; None without items."""
    if sides.epochs > 1 or not sides.candidate:
        return stats.sign_flip_p(sides.candidate, sides.baseline, seed) if sides.candidate else None
    counts = stats.discordance(sides.candidate, sides.baseline)
    return stats.mcnemar_midp(round(counts.gain), round(counts.loss))


def holding(family: Sequence[Challenge], by: Adjustment = stats.holm) -> tuple[Holds, ...]:
    """Non-inferiority in each test, one-sided, adjusted over the whole family, by Holm unless told otherwise.

    Parts that equal models could not pass alone (`least_items`), or of which neither satisfies more than the margin,
    are not tested, so as not to burden the others. The enumeration, which takes long, is done for those alone that the
    score test shows: it never shows more. Both p and
    the printed interval, which `Holds.shown` asks as well, allow for open trials.
    """
    sides = [both(test.candidate, test.baseline, test.items) for test in family]
    quick = [_worst_p(s, exact=False) if _is_testable(s) else None for s in sides]
    p_values = [
        p if adjusted is None or adjusted > ALPHA or len(s.candidate) > _EXACT_MOST else _worst_p(s)
        for s, p, adjusted in zip(sides, quick, adjust(quick, by), strict=True)
    ]
    losses = adjust([None if p is None else _least_loss_p(s) for s, p in zip(sides, p_values, strict=True)], by)
    return tuple(
        Holds(test.candidate.model, test.kind, test.part, _tested(s, p), p, s.epochs, loss)
        for test, s, p, loss in zip(family, sides, adjust(p_values, by), losses, strict=True)
    )


def _is_testable(sides: Shared) -> bool:
    """Whether there are enough items, and something that could be lost."""
    does_any = _does_any(sides.baseline) or _does_any(sides.candidate)
    return len(sides.candidate) >= least_items(sides.epochs) and does_any


def _does_any(rates: Sequence[float]) -> bool:
    """Whether a side satisfies more than the margin: of less no loss by the margin could be seen."""
    return fsum(rates) > MARGIN * len(rates)


def _worst_p(sides: Shared, *, exact: bool = True) -> float | None:
    """One-sided p of a loss of MARGIN, or the larger one if open trials end against the candidate; None without any."""
    of_both = [one for one in (sides, sides.at_worst) if one is not None]
    found = [stats.noninferiority_p(s.candidate, s.baseline, MARGIN, s.epochs, exact=exact) for s in of_both]
    return max((p for p in found if p is not None), default=None)


def _least_loss_p(sides: Shared) -> float | None:
    """One-sided p of no loss, or the larger one if open trials end for the candidate; None without any."""
    of_both = [one for one in (sides, sides.at_best) if one is not None]
    found = [stats.worse_p(s.candidate, s.baseline, ALPHA, s.epochs) for s in of_both]
    return max((p for p in found if p is not None), default=None)


def _tested(sides: Shared, p_value: float | None) -> Estimate:
    if p_value is None:
        why = NOTHING_TO_LOSE if len(sides.candidate) >= least_items(sides.epochs) else TOO_FEW
        return no_estimate(why, 1 - 2 * ALPHA, "Tango score", len(sides.candidate))
    return paired_difference(sides, 1 - 2 * ALPHA)


@cache
def least_items(epochs: int, tests: int = 1) -> int:
    """Items with which two models that never differ are shown to be no worse than each other, in one of `tests`."""
    found = stats.smallest_passing_n(MARGIN, ALPHA / tests, score_only=epochs > 1)
    return found or 1001  # beyond what the exact test is asked for
