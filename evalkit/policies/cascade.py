"""Cascades: a cheap model first, a dearer one as well where the first output fails a check that production can make."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from evalkit.analysis.routing import NotValued
from evalkit.frozen import dataclass
from evalkit.models import display_name, known
from evalkit.router import Rule
from evalkit.routing.flows import Flow, cascade, worth
from evalkit.routing.outcomes import BoolArray, Outcomes
from evalkit.routing.output_checks import Check, checks_of
from evalkit.routing.policy import Fitted, Policy

ORDER = 60
_WHEN = {
    "ended": "on a bad ending", "hedges": "on hedging", "json": "on broken JSON", "length": "on unusual length",
}  # fmt: skip


def policies(outcomes: Outcomes) -> Iterator[Policy | NotValued]:
    """For each check, the ladders of models whose lower ones it can judge."""
    for name, found in checks_of(outcomes).items():
        for ladder in _ladders(len(outcomes.models)):
            checks = [found.get(place) for place in ladder[:-1]]
            usable = [check for check in checks if isinstance(check, Check)]
            if len(usable) == len(checks) and (len(ladder) == 2 or all(check.tuned <= 1 for check in usable)):
                yield _policy(outcomes, name, ladder, usable)
        reasons = [reason for reason in found.values() if isinstance(reason, str)]
        if reasons:
            yield NotValued(f"cascade-{name}", f"Cascade {_when(name)}", "; ".join(reasons))


def _ladders(models: int) -> Iterator[tuple[int, ...]]:
    """Each model and the next in cost, the cheapest and each other one, and with three models all in turn."""
    for low in range(models - 1):
        yield (low, low + 1)
    for high in range(2, models):
        yield (0, high)
    if models == 3:
        yield (0, 1, 2)


def _short(outcomes: Outcomes) -> list[str]:
    """What models are called in names of policies: their tier where that tells them apart, else their rank in cost."""
    tiers = [model.tier if (model := known(name)) else "" for name in outcomes.models]
    apart = len(set(tiers)) == len(tiers) and all(tiers)
    return [str(tier) for tier in tiers] if apart else [str(place + 1) for place in range(len(tiers))]


@dataclass(frozen=True)
class Setting:
    """A cascade with its numbers set: the models it asks, and which setting of each one's check it uses."""

    ladder: tuple[int, ...]
    checks: Sequence[Check]
    chosen: tuple[int, ...]

    @property
    def flow(self) -> Flow:
        """What it does with every trial, with what its checks themselves cost and take."""
        ups = [check.settings[k].escalates for check, k in zip(self.checks, self.chosen, strict=True)]
        made = cascade(self.ladder, ups)
        reached, usd, took = np.ones(ups[0].shape), None, None
        for check, up in zip(self.checks, ups, strict=True):
            usd = usd if check.usd is None else (0.0 if usd is None else usd) + reached * check.usd
            took = took if check.seconds is None else (0.0 if took is None else took) + reached * check.seconds
            reached = reached * up
        return Flow(made.paths, usd, took)

    def rule(self, models: Sequence[str]) -> Rule:
        """The same as JSON for `evalkit.router`."""
        then: Any = models[self.ladder[-1]]
        for place, check, k in reversed(list(zip(self.ladder[:-1], self.checks, self.chosen, strict=True))):
            accept = check.settings[k].accept
            then = {"kind": "cascade", "first": models[place], "accept": accept, "then": then}
        rule: Mapping[str, Any] = then
        return rule

    @property
    def told(self) -> str:
        """The numbers that were set, in words; empty where there are none."""
        told = [check.settings[k].told for check, k in zip(self.checks, self.chosen, strict=True)]
        return "; then ".join(filter(None, told))


def _policy(outcomes: Outcomes, name: str, ladder: tuple[int, ...], checks: Sequence[Check]) -> Policy:
    settings = [Setting(ladder, checks, k) for k in product(*(range(len(check.settings)) for check in checks))]
    tuned = sum(check.tuned for check in checks)
    weighed = np.zeros((len(outcomes), 1))
    if tuned:
        weighed = np.stack([worth(outcomes, each.flow).utility_usd for each in settings], axis=1)
        weighed *= outcomes.weights[:, None]

    def fit(train: BoolArray) -> Fitted:
        best = settings[int(np.argmax(weighed[train].sum(axis=0)))]
        return Fitted(best.flow, best.rule(outcomes.models), best.told)

    names = [display_name(outcomes.models[place], outcomes.models) for place in ladder]
    short, fails = [_short(outcomes)[place] for place in ladder], checks[0].fails
    where = "as well where that" if len(ladder) == 2 else "as well, each where the one before"
    return Policy(
        name=f"cascade-{'-'.join(short)}-{name}",
        title=f"{', then '.join(names)} {_when(name)}",
        what=f"an output of {names[0]} first; of {', then of '.join(names[1:])} {where} {fails}{checks[0].note}",
        kind="router",
        fit=fit,
        tuned=tuned,
        check=f"an output of {names[0]} {fails}" + (f" (before {names[1]})" if tuned else ""),
    )


def _when(name: str) -> str:
    return _WHEN.get(name, f"by {name.removeprefix('score-')}")
