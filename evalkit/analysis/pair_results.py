"""What two models' figures say beside each other: within a run, and against an earlier one."""

from evalkit.frozen import dataclass
from evalkit.stats import Estimate


@dataclass(frozen=True)
class Pair:
    """Model `b` against model `a` on the same items: `difference` = rate(b) - rate(a), paired.

    `gain` items only b satisfied, `loss` only a. `p_holm` is adjusted over all pairs of models.
    `cost_ratio` = cost per satisfactory output of b over a. `extra_cost`: how much more a request of b costs, USD,
    on the same items, paired; negative where b costs less. `break_even`: above this cost (USD) of putting an
    unsatisfactory output right, the dearer and better of the two is the cheaper choice; it has no upper limit
    where the data do not show that one is better, and no value where one is never overtaken. `saving`: what b saves
    against a on a request (USD) once failures are put right, prices, corrections and the doubt of all of them included.
    `items_to_separate`: items of as many epochs at which the difference would show beside the other pairs if it stayed;
    None if there is none. `worth`: pairs of one trial each that an item carries the evidence of.
    `cost_p_holm`: that costs are equal, two-sided, from the limits of `cost_ratio`, adjusted over all pairs.
    """

    a: str
    b: str
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
    cost_p_holm: float | None
    worth: float


@dataclass(frozen=True)
class Against(Pair):
    """Model `b` of this run against model `a` of an earlier one, whose pass rate was `then` and is `now` on the items
    that both have a verdict on.

    `latency_ratio`: one attempt's time here over that there, geometric mean over the items that both answered.
    `improved` and `regressed`: ids of items of which `b` satisfied more, or fewer, epochs than `a`.
    `priced_alike`: whether both were priced by one list, and alike by region, mode and way of sending; else a cost
    ratio may be theirs.
    """

    then: Estimate
    now: Estimate
    latency_ratio: Estimate
    improved: tuple[str, ...]
    regressed: tuple[str, ...]
    priced_alike: bool = True


@dataclass(frozen=True)
class Baseline:
    """The earlier run. `differs`: sentences on what else is not the same, which a difference may come from; `warnings`:
    what a reader must know before believing the figures of a run, each after which run it is of. `prompt_sha256` is
    null where the outputs were `imported`. `simulated`: the sandbox wrote or graded its outputs. `command` makes the
    same page or document again, by the names that run files have by default.
    """

    name: str
    sha256: str
    created_at: str
    imported: bool
    dataset_sha256: str
    rubric_sha256: str
    prompt_sha256: str | None
    models: tuple[str, ...]
    prices_version: str
    command: str
    differs: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    simulated: bool = False
