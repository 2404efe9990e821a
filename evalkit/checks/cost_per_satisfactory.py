"""Cost per satisfactory output: not higher by more than a ratio."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import inf, log

from evalkit import stats
from evalkit.gating.dearer import Dearest, dearer_result
from evalkit.gating.evidence import Evidence, Measure, satisfied
from evalkit.gating.labels import is_mixed, labels_of
from evalkit.gating.naming import Planned
from evalkit.gating.not_worse import could_overturn
from evalkit.gating.pairs import Paired
from evalkit.gating.results import CheckResult
from evalkit.gating.rules import Rules
from evalkit.stats import Estimate
from evalkit.stats.rates import two_sided_z
from evalkit.wording import estimated, plural

ORDER = 21
_MIXED = "people decided some outputs for what the judge had said of them, and the judge the others"
_NEEDS = "more labels (`evalkit grade --calibrate`), people's grades of all, or cost_per_request in its place"
Settings = Dearest
_MOST = 1000


def check(evidence: Evidence, asked: Dearest, rules: Rules) -> Iterator[CheckResult]:
    """Over the items with a verdict on both sides; spend on unsatisfactory outputs included."""

    def with_mistakes(share: float, best: Paired | None = None) -> CheckResult:
        def compared(usd: Measure, items: int | None = None) -> tuple[Estimate, str | None]:
            costs, flags = _sides(evidence, usd, best)
            off = evidence.paired(
                lambda o: None if o.satisfied is None else share * (o.decided_by == "judge"), frozenset(costs.items)
            )

            def like(side: Sequence[float]) -> tuple[float, ...]:
                """As many items as are asked for, each again about equally often, wherever it stands."""
                return tuple(side[i * len(side) // items] for i in range(items)) if items else tuple(side)

            now, then = ((like(costs.candidate), like(flags.candidate)), (like(costs.baseline), like(flags.baseline)))
            mistaken = (like(off.candidate), like(off.baseline)) if share else None
            return stats.cost_ratio(*now, *then, rules.confidence, mistaken=mistaken), costs.gap

        what, name = "cost per satisfactory output", "cost_per_satisfactory"
        return dearer_result(name, what, evidence, asked, rules, compared, lambda *more: compared(*more)[0])

    found, best = _as_far_as_graded(with_mistakes, evidence, rules, asked.at_most), evidence.shares(satisfied).best
    if best is None or found.outcome == "pass" or found.p_worse is None or found.p_worse > rules.alpha:
        yield found
    else:
        yield _at_best(found, with_mistakes(0.0, best).p_worse, best, rules)


def _sides(evidence: Evidence, usd: Measure, best: Paired | None) -> tuple[Paired, Paired]:
    """Costs and verdicts of the items that have both; where verdicts are taken at their `best`, all costs count."""
    if best is None:
        costs = evidence.paired(lambda output: usd(output) if output.satisfied is not None else None)
        return costs, evidence.paired(satisfied, frozenset(costs.items))
    costs = evidence.paired(usd, frozenset(best.items))
    return costs, best.of(costs.items)


def _at_best(found: CheckResult, at_best: float | None, best: Paired, rules: Rules) -> CheckResult:
    """A higher ratio as far as it stays one with what is missing at its best, as in the shares."""
    if at_best is not None and at_best <= rules.alpha:
        return replace(found, p_worse=max(found.p_worse or 0.0, at_best))
    needs = could_overturn(best, "for", rules)
    return replace(found, p_worse=at_best, finding=f"{found.finding}; {needs.partition(',')[0]}", needs=needs)


def takes(asked: Dearest, planned: Planned, alpha: Callable[[int], float]) -> Iterator[str]:
    """That two models that cost the same and are always satisfactory cannot pass, if so; `alpha`: what so many items
    are tested at."""

    def passes(items: int) -> bool:
        alike = [1.0] * items
        return (stats.cost_ratio(alike, alike, alike, alike, 1 - 2 * alpha(items)).high or inf) < asked.at_most

    have = len(planned.items)
    if asked.at_most <= 1 or not have or passes(have):
        return
    least = have + 1 + bisect_left(range(have + 1, _MOST), True, key=passes)
    enough = f"{least:,} can" if least < _MOST else f"more than {_MOST:,} can"
    what = f"at {asked.at_most:g}× {plural(have, 'item')} cannot pass when the two cost the same and never fail"
    yield f"cost_per_satisfactory: {what}; {enough}"


def _as_far_as_graded(
    with_mistakes: Callable[[float], CheckResult], evidence: Evidence, rules: Rules, at_most: float
) -> CheckResult:
    """The result as far as the verdicts carry it: what a judge makes up, or sees as nobody knows, decides nothing."""
    pairs, found, assay = evidence.shares(satisfied), with_mistakes(0.0), rules.assay
    labels = labels_of(evidence, pairs)
    if not assay.judged or labels.reach == "all":
        return found
    if is_mixed(evidence, pairs):
        why, needs = _MIXED, "people's grades of all outputs, or cost_per_request in its place"
    elif assay.cap:
        why, _, needs = assay.cap.partition("; ")
        needs = _NEEDS if "--discordant" in needs else needs or assay.cap  # by which people's grades would be no sample
    else:
        either = _with_either(found, with_mistakes(assay.mistaken), assay.mistaken, _direction(pairs, rules), at_most)
        return _beyond_leaning(either, labels.alone * len(pairs) / (sum(pairs.candidate) or inf), rules)
    finding = f"{found.finding}; {why}"
    return replace(found, outcome="inconclusive", finding=finding, p_worse=None, needs=needs)


def _beyond_leaning(found: CheckResult, of_rate: float, rules: Rules) -> CheckResult:
    """The result where a higher ratio has to exceed what the judge's leaning makes up of it; `of_rate`: what a point of
    it is worth of the candidate's rate, as far as that rests on the judge's word."""
    ratio, leaning = found.estimate, rules.assay.leaning
    if found.p_worse is None or leaning is None or ratio is None or not ratio.value:
        return found
    error = inf if ratio.high is None else log(ratio.high / ratio.value) / two_sided_z(ratio.confidence)
    p = stats.loss_p(-log(ratio.value), error, leaning, of_rate)
    doubtful = found.p_worse <= rules.alpha and (p is None or p > rules.alpha) and found.outcome != "pass"
    worse = None if p is None else max(found.p_worse, p)
    if not doubtful:
        return replace(found, p_worse=worse)
    return replace(found, p_worse=worse, finding=f"{found.finding}; the judge may have made it up", needs=_NEEDS)


def _direction(pairs: Paired, rules: Rules) -> int:
    """-1 where the candidate is shown to have fewer satisfactory outputs, 1 where more, else 0."""
    p = stats.sign_flip_p(pairs.candidate, pairs.baseline, rules.seed)
    difference = sum(pairs.candidate) - sum(pairs.baseline)
    return 0 if p is None or p >= 2 * rules.alpha else 1 if difference > 0 else -1


def _with_either(
    found: CheckResult, other: CheckResult, mistaken: float, direction: int, at_most: float
) -> CheckResult:
    """What holds by the judge's verdicts as they are, and also if it passes so many unsatisfactory outputs.

    Sensitivity cancels in a ratio of rates, but each such pass takes it towards 1: of rates of .60 and .50 a judge that
    passes .25 of what is bad makes .67 and .60 at a sensitivity of .95. What holds at both ends holds in between. Where
    all of a side's successes may be such passes, there is no other end: the ratio is beyond any, up or down, by the
    `direction` of the difference of rates.
    """
    ratio = other.estimate
    if ratio is None or ratio.value is None:
        finding = f"{found.finding}; all that the judge passes on one side may be its mistakes"
        if direction != (1 if found.outcome == "pass" else -1):
            return replace(found, outcome="inconclusive", finding=finding, p_worse=None, needs=_NEEDS, within=False)
        return replace(found, finding=finding)
    told = f"{estimated(ratio, 'ratio')} the baseline's"
    finding = f"{found.finding}; {told} if the judge passes {mistaken:.0%} of unsatisfactory outputs, as it may"
    known = found.p_worse is not None and other.p_worse is not None
    worse = max(found.p_worse or 0.0, other.p_worse or 0.0) if known else None
    if found.within == other.within:
        both = replace(found, finding=finding, p_worse=worse)
        if other.outcome != found.outcome:
            return replace(both, outcome="inconclusive", needs=other.needs)
        if found.estimate is None or _below(found.estimate, at_most) != _below(ratio, at_most):
            return replace(both, needs=_NEEDS)
        return both if _lacks(found.estimate, at_most) > _lacks(ratio, at_most) else replace(both, needs=other.needs)
    return replace(found, outcome="inconclusive", finding=finding, p_worse=None, needs=_NEEDS, within=False)


def _lacks(ratio: Estimate, at_most: float) -> float:
    """How many times too wide a ratio's interval is to lie below the limit; that of more items is as much narrower."""
    if ratio.value is None or ratio.high is None or not _below(ratio, at_most):
        return inf
    return log(ratio.high / ratio.value) / log(at_most / ratio.value)


def _below(ratio: Estimate, at_most: float) -> bool:
    return ratio.value is not None and ratio.value < at_most
