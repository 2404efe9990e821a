"""Every policy's value on the same items, cross-fitted where it has numbers to set, against the best single model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evalkit.analysis.routing import NotValued, PolicyValue
from evalkit.routing import figures
from evalkit.routing.crossfit import IntArray, folds_of, on_all, out_of_fold
from evalkit.routing.figures import Level
from evalkit.routing.flows import Worth, worth
from evalkit.routing.found import policies_of
from evalkit.routing.line import Line, line_of
from evalkit.routing.outcomes import Outcomes
from evalkit.routing.policy import Fitted, Policy

MOST_TUNED = 2
"""Numbers that few items may set: intervals of cross-fitted values were found to hold for no more."""
FEW = 100
"""Items up to which that limit holds."""


@dataclass(frozen=True)
class Valued:
    """A policy with what it comes to out of fold, and what it is when set on all items."""

    policy: Policy
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


def field_of(outcomes: Outcomes) -> Field:
    """Every policy there is, valued; those that these items cannot bear are named with the reason."""
    folds = folds_of(outcomes)
    found = [_valued(outcomes, policy, folds) for policy in policies_of(outcomes)]
    valued = tuple(each for each in found if isinstance(each, Valued))
    singles = [i for i, each in enumerate(valued) if each.policy.kind == "single"]
    best = max(singles, key=lambda i: outcomes.mean(valued[i].worth.utility_usd))
    return Field(outcomes, valued, tuple(each for each in found if isinstance(each, NotValued)), best)


def _valued(outcomes: Outcomes, policy: Policy | NotValued, folds: IntArray) -> Valued | NotValued:
    if isinstance(policy, NotValued):
        return policy
    if policy.tuned > MOST_TUNED and len(outcomes) <= FEW:
        reason = f"it sets {policy.tuned} numbers, which takes more than {FEW} items; there are {len(outcomes)}"
        return NotValued(policy.name, policy.title, reason)
    if policy.tuned and len(outcomes) < 2:
        return NotValued(policy.name, policy.title, "setting its numbers and valuing it take at least two items")
    return Valued(policy, worth(outcomes, out_of_fold(outcomes, policy, folds)), on_all(outcomes, policy))


def values_of(field: Field) -> tuple[PolicyValue, ...]:
    """The figures of every policy."""
    line = line_of(field.outcomes, [each.worth for each in field.valued if each.policy.kind == "single"])
    return tuple(_value(field, each, line) for each in field.valued)


def _value(field: Field, each: Valued, line: Line) -> PolicyValue:
    policy, its, epochs = each.policy, each.worth, field.outcomes.epochs
    level = Level(tuned=policy.tuned > 0)
    best = field.single.worth
    return PolicyValue(
        name=policy.name,
        title=policy.title,
        what=policy.what,
        kind=policy.kind,
        tuned=policy.tuned,
        told=each.fitted.told,
        pass_rate=figures.rate(its.satisfied, epochs, level),
        cost_per_request=figures.cost(its.cost_usd, level),
        cost_per_satisfactory=figures.cost_per_satisfactory(its, epochs, level),
        expected_usd=figures.cost(-its.utility_usd, level),
        felt=figures.felt(its, level),
        shares={m: figures.rate(its.shares[:, i], epochs, level) for i, m in enumerate(field.outcomes.models)},
        asked={m: float(its.asked[:, i].mean()) for i, m in enumerate(field.outcomes.models)},
        gain_usd=figures.difference(its.utility_usd, best.utility_usd, level),
        quality_gain=figures.quality_difference(its.satisfied, best.satisfied, epochs, level),
        over_line=line.above(its, level) if policy.kind == "router" else None,
        exportable=each.fitted.rule is not None,
    )


def looked_at_together(values: Sequence[PolicyValue], field: Field, alpha: float = 0.05) -> tuple[PolicyValue, ...]:
    """With each router's gain at a level that holds for all routers at once (Bonferroni)."""
    routers = len(field.routers)
    found = []
    for value, each in zip(values, field.valued, strict=True):
        if value.kind == "router":
            level = Level(1 - alpha / routers, tuned=value.tuned > 0)
            limits = figures.difference(each.worth.utility_usd, field.single.worth.utility_usd, level)
            shown = limits.low is not None and limits.low > 0
            found.append(replace(value, gain_limits=limits, shown=shown))
        else:
            found.append(value)
    return tuple(found)
