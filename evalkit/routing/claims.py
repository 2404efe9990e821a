"""What is claimed of routing in general, beside what was measured with one router on this data."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from evalkit import stats
from evalkit.analysis.routing import Claim, PolicyValue
from evalkit.models import display_name
from evalkit.routing.figures import LEAST_TIMED, Figures
from evalkit.routing.flows import Worth
from evalkit.routing.value import Field, Valued
from evalkit.stats import Estimate
from evalkit.stats.estimate import no_estimate
from evalkit.wording import points

SPLIT = (0.70, 0.25, 0.05)
"""Share of requests said to stay with the cheapest model, the middle one, the top one."""
FIRST_LAYER_S = 0.200
_NEAR = 0.10
"""A share is said to be as claimed if its interval lies no further from the claim."""
_DECIDING = "Time to decide which model answers, median"


def claims(values: tuple[PolicyValue, ...], field: Field) -> tuple[Claim, ...]:
    """The claims of a three-layer architecture, where there are three models, held against the best router."""
    routers = [value for value in values if value.kind == "router" and value.gain_usd.value is not None]
    if not routers or len(field.outcomes.models) != len(SPLIT):
        return ()
    best = max(routers, key=lambda value: value.gain_usd.value or 0.0)
    its = next(each for each in field.valued if each.policy.name == best.name)
    return (*_split(best, field), *_savings(its, field), _first_layer(its))


def _split(best: PolicyValue, field: Field) -> Iterator[Claim]:
    for model, claimed in zip(field.outcomes.models, SPLIT, strict=True):
        share = best.shares[model]
        holds = _is_near(share, claimed)
        what = f"Requests answered by {display_name(model, field.outcomes.models)}"
        yield Claim(what, f"{claimed:.0%}", best.title, share, "percent", holds)


def _savings(its: Valued, field: Field) -> Iterator[Claim]:
    """Of the price of a request; what it costs in quality is in the note."""
    singles = [each for each in field.valued if each.policy.kind == "single"]
    for place, low, high in ((1, 0.50, 0.75), (2, 0.80, 0.90)):
        single, model = singles[place], field.outcomes.models[place]
        saved = _saving(its, single.worth, field)
        rates = field.outcomes.mean(its.worth.satisfied) - field.outcomes.mean(single.worth.satisfied)
        what = f"Saved against {display_name(model, field.outcomes.models)} alone"
        note = _at_rate(rates)
        yield Claim(what, f"{low:.0%} to {high:.0%}", its.policy.title, saved, "percent", _reaches(saved, low), note)


def _at_rate(difference: float) -> str:
    if not difference:
        return "with the same pass rate"
    told = points(abs(difference)).lstrip("+")
    unit = "point" if told == "1" else "points"
    return f"with a pass rate {told} {unit} {'higher' if difference > 0 else 'lower'}"


def _saving(its: Valued, single: Worth, field: Field) -> Estimate:
    ratio = Figures(field.outcomes, its.policy.tuned > 0).cost_ratio(its.worth.cost_usd, single.cost_usd)
    if ratio.value is None:
        return ratio
    low, high = (None if bound is None else 1 - bound for bound in (ratio.high, ratio.low))
    return replace(ratio, value=1 - ratio.value, low=low, high=high)


def _is_near(share: Estimate, claimed: float) -> bool | None:
    """Whether a share is about what is claimed; None where the interval holds that as well as something else."""
    if share.low is None or share.high is None:
        return None
    if claimed - _NEAR <= share.low and share.high <= claimed + _NEAR:
        return True
    return None if share.low <= claimed <= share.high else False


def _reaches(saved: Estimate, least: float) -> bool | None:
    """Whether as much as the claim's lower end is saved; None where the interval lies on both sides of it."""
    if saved.low is None or saved.high is None:
        return None
    return True if saved.low >= least else False if saved.high < least else None


def _first_layer(its: Valued) -> Claim:
    median, holds = _deciding_s(its), None
    if median.low is not None and median.high is not None:
        holds = True if median.high < FIRST_LAYER_S else False if median.low >= FIRST_LAYER_S else None
    return Claim(_DECIDING, "under 200 ms", its.policy.title, median, "seconds", holds)


def _deciding_s(its: Valued) -> Estimate:
    """The median of what deciding takes, as far as it was timed: a call in a batch is not, nor one that broke off."""
    extra = its.fitted.flow.extra_s
    known = np.zeros(0) if extra is None else np.isfinite(extra)
    share = float(known.mean()) if known.size else 0.0
    reason = ""
    if extra is None:
        reason = "it decides without a call; evalkit run --with-router MODEL measures one"
    elif share < LEAST_TIMED:
        reason = (
            f"the time of {1 - share:.0%} of its calls is not known" if share else "no time of its calls was measured"
        )
    if extra is None or reason:
        return no_estimate(reason, 0.95, "order statistics")
    return stats.quantile_clustered(extra[known], np.nonzero(known)[0].tolist(), 0.5)
