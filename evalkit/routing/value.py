"""Every policy's value on the same items, cross-fitted where it has numbers to set, against the best single model."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isclose

from evalkit.analysis.routing import NotValued, PolicyValue
from evalkit.frozen import dataclass
from evalkit.routing.crossfit import folds_of, on_all, out_of_fold
from evalkit.routing.figures import Figures
from evalkit.routing.flows import Flow, Worth, worth
from evalkit.routing.found import policies_of
from evalkit.routing.line import Line, line_of
from evalkit.routing.outcomes import IntArray, Outcomes
from evalkit.routing.policy import Fitted, Policy
from evalkit.routing.verifier import verifier_of

MOST_TUNED = 2
"""Numbers that few items may set: intervals of cross-fitted values were found to hold for no more."""
FEW = 100
"""Items up to which that limit holds."""


@dataclass(frozen=True)
class Valued:
    """A policy with what it does out of fold, what that comes to, and what it is when set on all items."""

    policy: Policy
    flow: Flow
    worth: Worth
    fitted: Fitted


@dataclass(frozen=True)
class Field:
    """All policies on one set of outcomes; `best` is the place of the best single model in `valued`."""

    outcomes: Outcomes
    valued: tuple[Valued, ...]
    not_valued: tuple[NotValued, ...]
    best: int

    @property
    def single(self) -> Valued:
        """The best single model: what it costs in the end decides, and of equals the cheaper one."""
        return self.valued[self.best]

    @property
    def routers(self) -> tuple[Valued, ...]:
        """Policies that look at a request or an answer, and could be run."""
        return tuple(each for each in self.valued if each.policy.kind == "router")


def field_of(outcomes: Outcomes, picked: str | None = None) -> Field:
    """Every policy there is, valued; those that these items cannot bear are named with the reason.

    `picked`: the model that the run's rule picks, which is the best of single models that are equal in all else.
    """
    folds = folds_of(outcomes)
    found = [_valued(outcomes, policy, folds) for policy in policies_of(outcomes)]
    valued = tuple(each for each in found if isinstance(each, Valued))
    best = _best_single(outcomes, valued, picked)
    return Field(outcomes, valued, tuple(each for each in found if isinstance(each, NotValued)), best)


def _best_single(outcomes: Outcomes, valued: Sequence[Valued], picked: str | None) -> int:
    """The lowest cost in the end; of those that are level but for rounding the lowest price, of those the pick."""
    singles = {i: each.worth for i, each in enumerate(valued) if each.policy.kind == "single"}
    level = _lowest({i: -outcomes.mean(its.utility_usd) for i, its in singles.items()})
    level = _lowest({i: outcomes.mean(singles[i].cost_usd) for i in level})
    return next((i for i in level if valued[i].policy.name == f"always-{picked}"), level[0])


def _lowest(costs: Mapping[int, float]) -> list[int]:
    """The places of the lowest of these, all that are level with it but for rounding."""
    return [i for i, cost in costs.items() if isclose(cost, min(costs.values()), rel_tol=1e-9)]


def _valued(outcomes: Outcomes, policy: Policy | NotValued, folds: IntArray) -> Valued | NotValued:
    if isinstance(policy, NotValued):
        return policy
    if policy.tuned > MOST_TUNED and len(outcomes) <= FEW:
        reason = f"it sets {policy.tuned} numbers, which takes more than {FEW} items; there are {len(outcomes)}"
        return NotValued(policy.name, policy.title, reason)
    if policy.tuned and len(outcomes) < 2:
        return NotValued(policy.name, policy.title, "setting its numbers and valuing it take at least two items")
    flow = out_of_fold(outcomes, policy, folds)
    return Valued(policy, flow, worth(outcomes, flow), on_all(outcomes, policy))


def values_of(field: Field) -> tuple[PolicyValue, ...]:
    """The figures of every policy."""
    line = line_of(field.outcomes, [each.worth for each in field.valued if each.policy.kind == "single"])
    together = _level_together(field)
    return tuple(_value(field, each, line, together) for each in field.valued)


def _level_together(field: Field) -> float:
    """The confidence of one router's interval at which those of all hold (Bonferroni)."""
    return 1 - 0.05 / max(1, len(field.routers))


def _value(field: Field, each: Valued, line: Line, together: float) -> PolicyValue:
    policy, its, best = each.policy, each.worth, field.single.worth
    figures = Figures(field.outcomes, policy.tuned > 0)
    return PolicyValue(
        name=policy.name,
        title=policy.title,
        what=policy.what,
        kind=policy.kind,
        tuned=policy.tuned,
        told=each.fitted.told,
        pass_rate=figures.rate(its.satisfied),
        cost_per_request=figures.mean_usd(its.cost_usd),
        cost_per_satisfactory=figures.cost_per_satisfactory(its),
        expected_usd=figures.total_usd(its),
        felt=figures.felt(its),
        shares={m: figures.rate(its.shares[:, i]) for i, m in enumerate(field.outcomes.models)},
        asked={m: field.outcomes.mean(its.asked[:, i]) for i, m in enumerate(field.outcomes.models)},
        gain_usd=figures.saving_usd(its, best),
        quality_gain=figures.rate_difference(its.satisfied, best.satisfied),
        over_line=line.above(its, tuned=policy.tuned > 0, confidence=together) if policy.kind == "router" else None,
        exportable=each.fitted.rule is not None,
        verifier=verifier_of(field.outcomes, policy.check, each.flow, figures),
    )


def looked_at_together(values: Sequence[PolicyValue], field: Field) -> tuple[PolicyValue, ...]:
    """With each router's gain and pass rate at a level that holds for all routers at once (Bonferroni)."""
    found = []
    for value, each in zip(values, field.valued, strict=True):
        if value.kind == "router":
            figures = Figures(field.outcomes, value.tuned > 0, _level_together(field))
            limits = figures.saving_usd(each.worth, field.single.worth)
            shown = limits.low is not None and limits.low > 0
            rate = figures.rate(each.worth.satisfied)
            found.append(replace(value, gain_limits=limits, rate_limits=rate, shown=shown))
        else:
            found.append(value)
    return tuple(found)
