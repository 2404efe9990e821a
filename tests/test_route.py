"""Routing policies: what each does with every trial, what that comes to, and what the declared rule says of it."""

import re
from dataclasses import replace
from functools import cache
from statistics import NormalDist

import numpy as np
import pytest
from analysis_builders import HAIKU, OPUS
from routing_builders import Said, run
from routing_worlds import GRADUAL, IDENTICAL, MODELS, PLANTED, World

from evalkit import stats
from evalkit.errors import UsageError
from evalkit.route import Asked, outcomes_for
from evalkit.router import model_for
from evalkit.routing import claims
from evalkit.routing.crossfit import folds_of, on_all, out_of_fold
from evalkit.routing.decide import decide
from evalkit.routing.figures import Figures
from evalkit.routing.flows import Flow, Path, cascade, chosen, joined, worth
from evalkit.routing.found import policies_of
from evalkit.routing.line import hull_area, hull_areas_of, line_of
from evalkit.routing.mix import read_mix, weighted
from evalkit.routing.outcomes import Outcomes
from evalkit.routing.parts import movable_parts
from evalkit.routing.policy import Policy
from evalkit.routing.value import Field, field_of, looked_at_together, values_of
from evalkit.stats import Estimate


def policy(outcomes: Outcomes, name: str) -> Policy:
    return next(p for p in policies_of(outcomes) if isinstance(p, Policy) and p.name == name)


def all_true(outcomes: Outcomes) -> np.ndarray:
    return np.ones(len(outcomes), dtype=bool)


def valued(outcomes: Outcomes) -> tuple[Field, tuple]:
    field = field_of(outcomes)
    return field, looked_at_together(values_of(field), field)


@cache
def paying() -> tuple[Outcomes, Field, tuple]:
    """A world where routing pays, valued: a failure costs little and the top model is dear."""
    outcomes = replace(PLANTED, costs=(0.01, 0.5, 1.0), failure_usd=3.0).draw(3, 300)
    return outcomes, *valued(outcomes)


def test_one_model_for_all_is_that_model() -> None:
    outcomes = GRADUAL.draw(1, 40, epochs=2)
    for place, model in enumerate(MODELS):
        its = worth(outcomes, policy(outcomes, f"always-{model}").fit(all_true(outcomes)).flow)
        assert its.satisfied == pytest.approx(outcomes.satisfied[:, place].mean(axis=1))
        assert its.cost_usd == pytest.approx(outcomes.cost_usd[:, place].mean(axis=1))
        assert its.shares[:, place] == pytest.approx(1)
        assert its.felt_s == pytest.approx(outcomes.felt_s[:, place].ravel())


def test_a_cascade_pays_and_waits_for_both_where_it_escalates() -> None:
    outcomes = GRADUAL.draw(2, 30, epochs=2)
    up = np.zeros((30, 2), dtype=bool)
    up[:10, 0] = True
    its = worth(outcomes, cascade((0, 2), (up,)))
    cost = outcomes.cost_usd[:, 0] + up * outcomes.cost_usd[:, 2]
    assert its.cost_usd == pytest.approx(cost.mean(axis=1))
    assert its.satisfied == pytest.approx(np.where(up, outcomes.satisfied[:, 2], outcomes.satisfied[:, 0]).mean(axis=1))
    assert its.shares[:, 2].mean() == pytest.approx(up.mean())
    assert its.asked[:, 0] == pytest.approx(1)
    waits = outcomes.felt_s[:, 0] + up * outcomes.felt_s[:, 2]
    assert sorted(its.felt_s) == pytest.approx(sorted(waits.ravel()))


def test_deciding_may_cost_money_and_time() -> None:
    outcomes = GRADUAL.draw(3, 20)
    plain = chosen(outcomes, [0] * 20)
    extra = np.full((20, 1), 0.5)
    its, without = worth(outcomes, replace(plain, extra_usd=extra, extra_s=2 * extra)), worth(outcomes, plain)
    assert its.cost_usd == pytest.approx(without.cost_usd + 0.5)
    assert its.felt_s == pytest.approx(without.felt_s + 1)
    assert its.utility_usd == pytest.approx(without.utility_usd - 0.5)


def test_joined_flows_take_each_item_from_its_fold() -> None:
    outcomes = GRADUAL.draw(4, 12)
    folds = [0, 1] * 6
    both = worth(outcomes, joined([chosen(outcomes, [0] * 12), chosen(outcomes, [2] * 12)], folds))
    assert both.shares[::2, 0] == pytest.approx(1)
    assert both.shares[1::2, 2] == pytest.approx(1)


def test_no_item_sets_the_numbers_it_is_valued_by() -> None:
    """Turning an item's own grades over changes nothing of where its request is sent."""
    outcomes = PLANTED.draw(5, 60)
    folds = folds_of(outcomes)
    before = worth(outcomes, out_of_fold(outcomes, policy(outcomes, "signals"), folds)).shares
    for item in (0, 17, 59):
        flipped = outcomes.satisfied.copy()
        flipped[item] = 1 - flipped[item]
        other = replace(outcomes, satisfied=flipped)
        after = worth(other, out_of_fold(other, policy(other, "signals"), folds)).shares
        mine = folds == folds[item]
        assert (after[mine] == before[mine]).all()


@pytest.mark.long
def test_every_flow_sends_every_trial_somewhere() -> None:
    outcomes = GRADUAL.draw(6, 30, epochs=3)
    for each in (each for each in policies_of(outcomes) if isinstance(each, Policy)):
        its = worth(outcomes, on_all(outcomes, each).flow)
        assert its.shares.sum(axis=1) == pytest.approx(1), each.name


@pytest.mark.parametrize("name", ["signals", "by-words", "by-conditionals"])
def test_the_exported_rule_decides_as_the_policy_did(name: str) -> None:
    outcomes = PLANTED.draw(7, 120)
    fitted = on_all(outcomes, policy(outcomes, name))
    assert fitted.rule is not None
    shares = worth(outcomes, fitted.flow).shares
    for place, request in enumerate(outcomes.requests):
        assert model_for(fitted.rule, request) == outcomes.models[int(shares[place].argmax())]


@pytest.mark.long
def test_oracle_on_one_epoch_is_inflated_and_says_so() -> None:
    """Three identical models at .8 seem to reach .992; chosen on one half and valued on the other they do not."""
    free = World(IDENTICAL.chances, costs=(1e-9, 1e-9, 1e-9))
    one, two = free.draw(8, 4000), free.draw(8, 4000, epochs=2)
    inflated = policy(one, "oracle")
    assert "inflated" in inflated.title
    assert worth(one, on_all(one, inflated).flow).satisfied.mean() == pytest.approx(0.992, abs=0.01)
    split = policy(two, "oracle")
    assert "inflated" not in split.title
    assert worth(two, on_all(two, split).flow).satisfied.mean() == pytest.approx(0.8, abs=0.02)


@pytest.mark.long
@pytest.mark.parametrize("usd", [0.0, 0.01])
@pytest.mark.parametrize(("models", "epochs"), [(9, 1), (11, 2), (18, 3), (25, 1)])
def test_many_models_that_are_level_share_a_trial_and_are_valued(models: int, epochs: int, usd: float) -> None:
    """Nine ninths sum to a little more than 1, and of what is free a little less than nothing would be left."""
    names = [f"model-{i:02d}" for i in range(models)]
    good = Said() if epochs == 1 else [Said()] * epochs
    bad = Said(good=False) if epochs == 1 else [Said(good=False)] * epochs
    analysis = run({name: [good, good, bad] * 4 for name in names}, usd=dict.fromkeys(names, usd))
    _, values = valued(outcomes_for(analysis, Asked()))
    (oracle,) = (value for value in values if value.kind == "oracle")
    assert oracle.pass_rate.value == pytest.approx(8 / 12)
    assert oracle.cost_per_request.value == pytest.approx(usd)


def test_a_mixture_by_lot_is_half_of_each_and_not_exported() -> None:
    outcomes = GRADUAL.draw(9, 50)
    fitted = on_all(outcomes, policy(outcomes, "mixture-1"))
    its = worth(outcomes, fitted.flow)
    assert fitted.rule is None
    assert its.satisfied == pytest.approx(outcomes.satisfied[:, :2].mean(axis=(1, 2)))
    assert its.cost_usd == pytest.approx(outcomes.cost_usd[:, :2].mean(axis=(1, 2)))


def test_line_is_met_exactly_by_a_mixture_and_flat_beyond_the_best() -> None:
    outcomes = GRADUAL.draw(10, 200)
    singles = [worth(outcomes, chosen(outcomes, [m] * 200)) for m in range(3)]
    line = line_of(outcomes, singles)
    mixed = worth(outcomes, on_all(outcomes, policy(outcomes, "mixture-1")).flow)
    met = line.above(mixed, tuned=False)
    assert met is not None
    assert met.value is not None
    assert met.value <= 1e-9
    dear = replace(singles[2], cost_usd=singles[2].cost_usd * 9)
    beyond = line.above(dear, tuned=False)
    assert beyond is not None
    best = max(float(one.satisfied.mean()) for one in singles)
    assert beyond.value == pytest.approx(float(dear.satisfied.mean()) - best)
    assert line.above(replace(singles[0], cost_usd=singles[0].cost_usd / 9), tuned=False) is None


def test_hull_area_of_policies_lies_between_worst_and_best() -> None:
    outcomes = GRADUAL.draw(11, 100)
    singles = [worth(outcomes, chosen(outcomes, [m] * 100)) for m in range(3)]
    area = hull_area(outcomes, singles)
    assert area is not None
    assert area.value is not None
    assert area.low is not None
    assert area.high is not None
    rates = [float(one.satisfied.mean()) for one in singles]
    assert min(rates) <= area.low <= area.value <= area.high <= 1
    assert area.value <= max(rates)
    assert hull_area(outcomes, singles[:1]) is None


def test_policies_that_always_satisfy_gain_nothing_by_rounding_and_have_no_interval() -> None:
    outcomes = GRADUAL.draw(11, 60)
    singles = [worth(outcomes, chosen(outcomes, [m] * 60)) for m in range(3)]
    right = [replace(one, satisfied=np.ones(60)) for one in singles]
    between = replace(right[0], cost_usd=(right[0].cost_usd + 2 * right[1].cost_usd) / 3)
    all_of_them, alone = hull_areas_of(outcomes, [[*right, between], right])
    assert all_of_them is not None
    assert alone is not None
    assert all_of_them.value == alone.value == 1
    assert (all_of_them.low, all_of_them.high, alone.low, alone.high) == (None,) * 4


@pytest.mark.long
def test_identical_models_give_no_router_a_shown_advantage() -> None:
    shown = 0
    for seed in range(30):
        field, values = valued(IDENTICAL.draw(seed, 60))
        shown += any(value.shown for value in values)
        assert decide(values, field, 0.8).verdict != "route" or any(value.shown for value in values)
    assert shown <= 2


@pytest.mark.long
def test_a_planted_signal_is_found_and_routed_by() -> None:
    """A failure that costs little and a dear top model: sending only long, conditional requests up must pay."""
    outcomes, field, values = paying()
    decision = decide(values, field, 0.8)
    assert decision.verdict == "route"
    rule = next(each.fitted.rule for each in field.valued if each.policy.name == decision.policy)
    assert rule is not None
    easy, hard = (outcomes.requests[int(i)] for i in _easiest_and_hardest(outcomes))
    assert model_for(rule, easy) == MODELS[0]
    assert model_for(rule, hard) != MODELS[0]


def _easiest_and_hardest(outcomes: Outcomes) -> tuple[int, int]:
    words, conditions = outcomes.features["words"], outcomes.features["conditionals"]
    return int(np.argmin(words + 1000 * conditions)), int(np.argmax(words + 1000 * conditions))


def test_a_gain_that_is_shown_to_be_small_is_not_worth_a_router() -> None:
    _, field, values = paying()
    small = tuple(
        replace(v, gain_limits=replace(v.gain_limits, low=1e-6, value=2e-6, high=3e-6)) if v.gain_limits else v
        for v in values
    )
    assert decide(values, field, 0.8).verdict == "route"
    assert decide(small, field, 0.8).verdict == "keep"


def test_too_few_items_decide_nothing() -> None:
    field, values = valued(PLANTED.draw(1, 15))
    decision = decide(values, field, 0.8)
    assert decision.verdict == "not_enough_data"
    assert "20 items" in decision.settles


def test_the_items_that_settle_a_gain_show_it_in_four_of_five_sets() -> None:
    _, field, values = paying()
    unsettled = tuple(
        replace(v, shown=False, gain_limits=replace(v.gain_limits, low=-0.1, value=0.1, high=0.3, n=60))
        if v.gain_limits
        else v
        for v in values
    )
    decision = decide(unsettled, field, 0.8)
    assert decision.verdict == "not_enough_data"
    confidence = next(v.gain_limits.confidence for v in unsettled if v.gain_limits)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    told = re.search(r"about ([\d,]+) items for an 80% chance", decision.settles)
    assert told is not None
    items = int(told[1].replace(",", ""))
    spread = 0.2 / z * 60**0.5  # of one item's gain
    chance = NormalDist().cdf(0.1 / (spread / items**0.5) - z)
    assert chance == pytest.approx(0.8, abs=0.02)


def test_a_router_below_the_bar_is_not_recommended_over_a_model_that_clears_it() -> None:
    _, field, values = paying()
    clearing = stats.rate(290, 300)
    raised = tuple(replace(v, pass_rate=clearing) if v.kind == "single" else v for v in values)
    lowered = tuple(replace(v, rate_limits=stats.rate(200, 300)) if v.kind == "router" else v for v in raised)
    assert decide(raised, field, 0.8).verdict == "route"
    kept = decide(lowered, field, 0.8)
    assert (kept.verdict, kept.short_of_bar, kept.settles) == ("keep", True, "")
    assert "but its pass rate is below your 80% bar, which " in kept.reason
    shown = [v.name for v in lowered if v.shown]
    other = tuple(
        replace(v, shown=False, rate_limits=stats.rate(280, 300)) if v.name == shown[0] else v for v in lowered
    )
    mixed = decide(other, field, 0.8)
    assert mixed.verdict == "not_enough_data", "one that is good enough may still be cheaper"
    assert (mixed.router, mixed.short_of_bar) == (shown[0], True)
    assert "is below your 80% bar" in mixed.reason
    assert mixed.reason.endswith(f"{next(v for v in other if v.name == shown[0]).phrase} is not shown to cost less")
    unshown = decide(tuple(replace(v, shown=False) for v in lowered), field, 0.8)
    assert (unshown.verdict, unshown.settles) == ("keep", ""), "no number of items makes one clear the bar"
    assert "may cost less than" in unshown.reason
    assert "is below your 80% bar" in unshown.reason
    worst, *rest = sorted(
        (v for v in lowered if v.kind == "router" and v.shown), key=lambda v: -(v.gain_usd.value or 0)
    )
    near_one = tuple(replace(v, rate_limits=stats.rate(250, 300)) if v.name == rest[0].name else v for v in lowered)
    about = decide(near_one, field, 0.8)
    assert about.router == rest[0].name, f"not {worst.name}, which gains more and is below the bar"
    assert "not shown to clear" in about.reason
    near = tuple(replace(v, rate_limits=stats.rate(250, 300)) if v.kind == "router" else v for v in raised)
    open_ = decide(near, field, 0.8)
    assert (open_.verdict, open_.short_of_bar) == ("not_enough_data", True)
    assert "costs" in open_.reason
    assert "not shown to clear your 80% bar" in open_.reason
    assert "with all routers looked at together" in open_.reason
    assert "an 80% chance to show that it clears the bar" in open_.settles
    for numbers, error in ((0, 0.05), (2, 0.025)):  # limits of tuned policies are worked out at half the error
        limits = replace(stats.rate(250, 300, 1 - error), confidence=0.95)
        routers = (replace(v, tuned=numbers, rate_limits=limits) if v.kind == "router" else v for v in near)
        told = decide(tuple(routers), field, 0.8).settles
        needed = stats.items_to_clear(250 / 300, 0.8, 1 - error)
        assert needed is not None
        assert told.startswith(f"about {round(needed, 2 - len(str(needed))):,} items")


def test_a_router_has_to_clear_the_bar_where_another_model_than_the_cheapest_one_does() -> None:
    """The report picks that model for clearing it; a policy below the bar would be no answer beside it."""
    _, field, values = paying()
    single = values[field.best]
    other = next(v for v in values if v.kind == "single" and v is not single)
    missing = tuple(replace(v, pass_rate=stats.rate(150, 300)) if v.kind == "single" else v for v in values)
    low = tuple(replace(v, rate_limits=stats.rate(190, 300)) if v.kind == "router" else v for v in missing)
    unasked = decide(low, field, 0.8)
    assert unasked.verdict == "route", "where no model clears the bar, none is asked"
    assert "; its pass rate is below your 80% bar (" in unasked.reason
    assert unasked.reason.endswith("), which no model is shown to clear")
    held = tuple(replace(v, pass_rate=stats.rate(290, 300)) if v.name == other.name else v for v in low)
    kept = decide(held, field, 0.8)
    assert (kept.verdict, kept.single, kept.short_of_bar) == ("keep", single.name, True)
    assert f"is below your 80% bar, which {other.title.removeprefix('Always ')} clears (" in kept.reason


def test_the_model_to_keep_is_the_one_that_the_run_s_rule_picks() -> None:
    _, field, values = paying()
    single = values[field.best]
    other = next(v for v in values if v.kind == "single" and v is not single).name.removeprefix("always-")
    assert decide(values, field, 0.8, other).policy == decide(values, field, 0.8).policy, "a router that pays is used"
    idle = tuple(
        replace(v, shown=False, gain_limits=replace(v.gain_limits, low=-0.2, value=-0.1, high=-0.05))
        if v.gain_limits
        else v
        for v in values
    )
    kept = decide(idle, field, 0.8, other)
    assert (kept.verdict, kept.policy, kept.single) == ("keep", f"always-{other}", single.name)
    assert decide(idle, field, 0.8).policy == single.name
    assert decide(idle, field, 0.8, "not-valued").policy == single.name


def test_a_router_that_clears_the_bar_and_may_be_cheaper_is_named_beside_one_that_costs_less_and_does_not() -> None:
    _, field, values = paying()
    raised = [replace(v, pass_rate=stats.rate(290, 300)) if v.kind == "single" else v for v in values]
    one, other = sorted((v for v in raised if v.kind == "router" and v.shown), key=lambda v: -(v.gain_usd.value or 0))[
        :2
    ]
    assert other.gain_limits is not None
    open_ = replace(
        other, shown=False, rate_limits=stats.rate(295, 300), gain_limits=replace(other.gain_limits, low=-0.01)
    )
    near = {one.name: replace(one, rate_limits=stats.rate(250, 300)), other.name: open_}
    two = tuple(near.get(v.name, v) for v in raised if v.kind != "router" or v.name in near)
    decision = decide(
        two, replace(field, best=next(i for i, v in enumerate(two) if v.name == values[field.best].name)), 0.8
    )
    assert (decision.verdict, decision.router, decision.short_of_bar) == ("not_enough_data", other.name, True)
    assert decision.reason.startswith(f"{one.phrase} costs ")
    assert decision.reason.endswith(f"; {other.phrase} clears it and is not shown to cost less")
    assert "items for an 80% chance to show it, if the gain is" in decision.settles


def test_no_router_is_named_where_none_is_seen_to_be_cheaper() -> None:
    _, field, values = paying()
    unseen = tuple(
        replace(v, shown=False, gain_usd=replace(v.gain_usd, value=-0.1), gain_limits=replace(v.gain_limits, high=9.0))
        if v.gain_limits
        else v
        for v in values
    )
    decision = decide(unseen, field, 0.8)
    assert (decision.verdict, decision.router) == ("not_enough_data", "")
    assert decision.reason.startswith("no router is seen to be cheaper")


def test_a_router_above_the_line_of_lots_is_shown_with_all_looked_at_together() -> None:
    field, values = valued(PLANTED.draw(3, 60))
    lines = {v.over_line.confidence for v in values if v.over_line is not None}
    assert lines == {1 - 0.05 / len(field.routers)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("easy=.7,medium=.2", "sum to 0.9"),
        ("easy=.7,medum=.3", "did you mean 'medium'"),
        ("easy=x,hard=.5", "'x' is not a share"),
        ("easy=-1,hard=2", "'-1' is not a share"),
        ("easy=nan,hard=1", "'nan' is not a share"),
        ("easy=.5,easy=.5", "easy stands twice"),
        ("easy", "'' is not a share"),
        ("", "unknown difficulty ''"),
    ],
)
def test_a_mix_that_is_none_is_named(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_mix(text)


@pytest.mark.parametrize("text", ["easy=.7,medium=.25,hard=.05", "easy=70%, medium=25%, hard=5%"])
def test_a_mix_reads_shares_and_per_cent(text: str) -> None:
    assert read_mix(text) == pytest.approx({"easy": 0.7, "medium": 0.25, "hard": 0.05})


def with_difficulties(outcomes: Outcomes, easy: int, medium: int) -> Outcomes:
    names = ["easy"] * easy + ["medium"] * medium + ["hard"] * (len(outcomes) - easy - medium)
    return replace(
        outcomes, items=tuple(replace(item, difficulty=name) for item, name in zip(outcomes.items, names, strict=True))
    )


def test_a_mix_as_in_the_items_changes_no_value() -> None:
    outcomes = with_difficulties(GRADUAL.draw(12, 90), 30, 30)
    same, mix = weighted(outcomes, read_mix("easy=.3333333,medium=.3333333,hard=.3333334"))
    assert mix.effective_items == pytest.approx(90)
    plain, figures = worth(outcomes, chosen(outcomes, [1] * 90)), Figures(outcomes)
    its, other = worth(same, chosen(same, [1] * 90)), Figures(same)
    assert other.rate(its.satisfied).value == pytest.approx(figures.rate(plain.satisfied).value)
    assert other.mean_usd(its.cost_usd).value == pytest.approx(figures.mean_usd(plain.cost_usd).value)


def test_a_mix_weights_what_it_names() -> None:
    outcomes = with_difficulties(GRADUAL.draw(13, 90), 30, 30)
    mixed, mix = weighted(outcomes, read_mix("easy=.9,hard=.1"))
    assert (len(mixed), mixed.left_out) == (60, {"of a difficulty that --mix leaves out": 30})
    assert mix.effective_items == pytest.approx(60**2 / (30 * 1.8**2 + 30 * 0.2**2))
    rate = Figures(mixed).rate(worth(mixed, chosen(mixed, [0] * 60)).satisfied)
    easy, hard = outcomes.satisfied[:30, 0].mean(), outcomes.satisfied[60:, 0].mean()
    assert rate.value == pytest.approx(0.9 * easy + 0.1 * hard)


def test_a_mix_that_leaves_too_little_is_refused() -> None:
    outcomes = with_difficulties(GRADUAL.draw(14, 60), 55, 2)
    with pytest.raises(UsageError, match="3 of the graded items are hard"):
        weighted(outcomes, read_mix("easy=.5,hard=.5"))
    few = with_difficulties(GRADUAL.draw(14, 60), 49, 6)
    with pytest.raises(UsageError, match="items in effect"):
        weighted(few, read_mix("easy=.02,medium=.08,hard=.9"))


def test_waits_that_are_not_known_are_not_left_out_in_silence() -> None:
    outcomes = GRADUAL.draw(15, 40)
    felt = outcomes.felt_s.copy()
    felt[:5] = np.nan
    its = worth(outcomes, chosen(outcomes, [0] * 40))
    unknown = worth(replace(outcomes, felt_s=felt), chosen(outcomes, [0] * 40))
    assert Figures(outcomes).felt(its)["p50"].value is not None
    found = Figures(outcomes).felt(unknown)["p50"]
    assert found.value is None
    assert "12%" in (found.reason or "")


def test_a_flow_of_lots_has_no_quantiles_unless_lots_are_even() -> None:
    outcomes = GRADUAL.draw(17, 30)
    uneven = Flow((Path((0,), np.full((30, 1), 0.2)), Path((1,), np.full((30, 1), 0.8))))
    assert Figures(outcomes).felt(worth(outcomes, uneven))["p50"].reason == "its paths have unequal chances"


@pytest.mark.parametrize(("losses", "state"), [(3, "no shown loss"), (15, "loss")])
def test_a_cheaper_model_is_called_worse_on_a_part_by_the_adjusted_test_alone(losses: int, state: str) -> None:
    """Three losses and no gain on 30 items have a p of .125; their 90 % interval ends below 0 all the same."""
    said = {OPUS: [Said()] * 90, HAIKU: [Said(i % 3 != 2 or i >= 3 * losses) for i in range(90)]}
    found = {part.part: part for part in movable_parts(run(said), OPUS)}
    assert found["hard"].state == state
    high = found["hard"].difference.high
    assert high is not None
    assert high < 0
    assert found["easy"].state == "no shown loss" if losses == 3 else found["easy"].state != "loss"


@pytest.mark.parametrize(
    ("low", "high", "holds"), [(0.62, 0.78, True), (0.33, 1.0, None), (0.72, 0.9, False), (0.59, 0.8, None)]
)
def test_a_share_is_as_claimed_where_the_interval_lies_about_it(low: float, high: float, holds: bool | None) -> None:
    share = Estimate((low + high) / 2, low, high, 0.95, 50, "Wilson")
    assert claims._is_near(share, 0.7) is holds
