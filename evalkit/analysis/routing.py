"""What routing policies are worth, as frozen results that the report, the terminal and the JSON show."""

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from evalkit.frozen import dataclass
from evalkit.stats import Estimate

PolicyKind = Literal["single", "mixture", "router", "oracle"]
"""`single`: one model for all. `mixture`: by lot, which every router must beat. `router`: looks at the request or an
answer. `oracle`: looks at the grades, which nobody can in production."""
RoutingVerdict = Literal["route", "keep", "not_enough_data"]


LEAST_ITEMS = 20
"""Items that all models answered, below which a value of routing says nothing."""


@dataclass(frozen=True)
class PolicyValue:
    """One policy on the items. Money in USD a request, rates from 0 to 1, times in seconds.

    `expected_usd` adds the review of an answer, and what unsatisfactory ones cost, to `cost_per_request`. `gain_usd`:
    how much lower that is than the best single model's, paired by item; `quality_gain`: how much higher the pass rate.
    `over_line`: pass rate above that of the random mixture of models that costs the same, all routers looked at
    together, None where there is no such mixture. `shares`: of requests, by the model whose output is used; `asked`:
    mean calls of each model a request.
    `tuned` numbers were set on other items than those they are valued on; `told` says what they are when set on all.
    `shown`: the gain is above 0 when all routers are looked at together, `gain_limits` being its interval then and
    `rate_limits` that of the pass rate; both are None for all but routers.
    """

    name: str
    title: str
    what: str
    kind: PolicyKind
    tuned: int
    told: str
    pass_rate: Estimate
    cost_per_request: Estimate
    cost_per_satisfactory: Estimate
    expected_usd: Estimate
    felt: Mapping[str, Estimate]
    shares: Mapping[str, Estimate]
    asked: Mapping[str, float]
    gain_usd: Estimate
    quality_gain: Estimate
    over_line: Estimate | None = None
    gain_limits: Estimate | None = None
    rate_limits: Estimate | None = None
    shown: bool = False
    exportable: bool = False
    verifier: "Verifier | None" = None

    @property
    def phrase(self) -> str:
        """What it is called within a sentence: `Opus 4.6 alone`, `the policy “By query length”`."""
        if self.kind == "single":
            return f"{self.title.removeprefix('Always ')} alone"
        return f"the policy \N{LEFT DOUBLE QUOTATION MARK}{self.title}\N{RIGHT DOUBLE QUOTATION MARK}"

    @property
    def mixes(self) -> bool:
        """Whether its answers come from more than one model; else it is that model, behind calls that bring nothing."""
        return sum((share.value or 0.0) > 0 for share in self.shares.values()) > 1

    @property
    def rate_together(self) -> Estimate:
        """The pass rate with all routers looked at together: a router that is shown is the best of them."""
        return self.rate_limits or self.pass_rate

    @property
    def opening(self) -> str:
        """The same at the beginning of a sentence, where an id stays as it is."""
        return self.phrase if self.kind == "single" else self.phrase[0].upper() + self.phrase[1:]


@dataclass(frozen=True)
class Verifier:
    """How often a cascade's check errs on the first model's outputs. `check`: in words, what escalates one.

    `good_escalated` is the share of satisfactory ones that it escalates, `bad_accepted` of others that it lets through.
    """

    check: str
    escalated: Estimate
    good_escalated: Estimate
    bad_accepted: Estimate


@dataclass(frozen=True)
class NotValued:
    """A policy that could not be valued, and why."""

    name: str
    title: str
    reason: str


@dataclass(frozen=True)
class RoutingDecision:
    """What the declared rule says. `policy` is the router to use, or the single model to keep (also while it is open):
    the one that the run's rule picks, else `single`, the one with the lowest total.

    `compared` routers were looked at together. `reason` in words; `settles`: what would decide it, empty if decided.
    `router`: the one that `reason` is about, which more items may settle; empty if there is none. `short_of_bar`:
    routers are, or may be, cheaper, and none of these is shown to clear the bar that a model clears.
    """

    verdict: RoutingVerdict
    policy: str
    single: str
    compared: int
    reason: str
    settles: str = ""
    short_of_bar: bool = False
    router: str = ""


@dataclass(frozen=True)
class Claim:
    """A claim of the method beside what was measured with `policy` here. `holds` None: that is open."""

    what: str
    claimed: str
    policy: str
    measured: Estimate
    unit: Literal["percent", "seconds"]
    holds: bool | None
    note: str = ""


@dataclass(frozen=True)
class PartMove:
    """Whether a cheaper model may take a part of the items from the best single one.

    `state`: `shown` to be no worse by the margin; `no shown loss`, which is less; or a `loss` that is shown.
    """

    kind: str
    part: str
    items: int
    toward: str
    difference: Estimate
    state: Literal["shown", "no shown loss", "loss"]


@dataclass(frozen=True)
class DifficultyMix:
    """Production's mix of difficulties that all figures are weighted to, and how many items that leaves in effect."""

    shares: Mapping[str, float]
    items: Mapping[str, int]
    effective_items: float


@dataclass(frozen=True)
class Routing:
    """Every policy, valued on the same `items`. `left_out` counts others by reason. `best` is the best single policy.

    `hull_area`: mean pass rate over the range of cost under the non-decreasing concave hull of all policies that can be
    run, `hull_area_single` of single models alone; area / (largest cost - smallest cost). `classifier`: the small model
    that was asked of every request how hard it is, None if none was. `failure_usd`: what an unsatisfactory answer
    costs; `review_usd`: what looking at any answer costs.
    """

    items: int
    epochs: int
    failure_usd: float
    failure_source: str
    best: str
    values: tuple[PolicyValue, ...]
    decision: RoutingDecision
    left_out: Mapping[str, int] = field(default_factory=dict)
    not_valued: tuple[NotValued, ...] = ()
    hull_area: Estimate | None = None
    hull_area_single: Estimate | None = None
    claims: tuple[Claim, ...] = ()
    parts: tuple[PartMove, ...] = ()
    mix: DifficultyMix | None = None
    classifier: str | None = None
    review_usd: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def verifiers(self) -> tuple["Verifier", ...]:
        """The checks of all cascades, each once."""
        return tuple(dict.fromkeys(value.verifier for value in self.values if value.verifier is not None))

    def value_of(self, name: str) -> PolicyValue:
        """One policy by its name; KeyError for an unknown one."""
        for value in self.values:
            if value.name == name:
                return value
        raise KeyError(name)
