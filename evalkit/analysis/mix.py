"""Signals that no single model fits: the work spreads from easy to hard, or parts of it have different winners."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

from evalkit import stats
from evalkit.analysis.compare import adjust
from evalkit.analysis.decide import decide
from evalkit.analysis.downgrade import evidence_of, on
from evalkit.analysis.evidence import Evidence, Signal, State, by_interval
from evalkit.analysis.results import Slice
from evalkit.analysis.sides import (
    ALPHA,
    Standing,
    both,
    difference_p,
    paired_difference,
    request_cost_ratio,
)
from evalkit.analysis.sweep import HARDLY_WORSE, MARGIN
from evalkit.analysis.upgrade import hard_part
from evalkit.frozen import dataclass
from evalkit.stats import Estimate

_NAMED = 3
"""Parts without a pick that are named, of more."""


def mixes(standing: Standing) -> tuple[Signal, ...]:
    """All signals for more than one model."""
    return _spread(standing), _winners(standing), _holds_and_fails(standing)


def _spread(standing: Standing) -> Signal:
    """How far the cheapest model's rate falls from easy to hard items: what it does well need not go further."""
    side = standing.cheaper[0] if standing.cheaper else standing.side
    made = partial(Signal, "wide-spread", "mix", "The work spreads from easy to hard", standing.current)
    easy, hard = hard_part(standing.analysis, "easy"), hard_part(standing.analysis)
    if easy is None or hard is None:
        missing = "easy" if easy is None else "hard"
        return made("not enough data", reason=f"no item is marked {missing}", settles="give the items a difficulty")
    rates = easy.pass_rate[side.model], hard.pass_rate[side.model]
    gap = stats.rate_gap(*rates)
    state = by_interval(gap, 0.0, MARGIN)
    evidence = (
        Evidence(f"{side.name} on easy items", rates[0], "percent"),
        Evidence(f"{side.name} on hard items", rates[1], "percent"),
        Evidence("Easy against hard", gap, "points", "different items"),
    )
    settles = "more easy and hard items" if state == "not enough data" else ""
    return made(state, evidence, settles, reason=gap.reason)


@dataclass(frozen=True)
class _Contrast:
    """Two parts that share no item and have different picks: the cheap one's, and the dear one's, a dearer model."""

    cheap_part: Slice
    cheap: str
    dear_part: Slice
    dear: str


def _winners(standing: Standing) -> Signal:
    """Whether the declared rule picks different models on different parts, and the data bear the difference out."""
    made = partial(Signal, "winners-differ", "mix", "Parts of the items have different winners", standing.current)
    picks = _picks(standing)
    if len(picks) < 2:
        reason = f"the rule picks a model on {len(picks)} of {len(standing.parts)} parts of the items"
        settles = "; ".join(_without(standing, picks)) or "more items in each part"
        return made("not enough data", reason=reason, settles=settles)
    contrasts = list(_contrasts(standing, picks))
    if not contrasts:
        picked = tuple(_picked(standing, part, model) for part, model in picks)
        if standing.is_open:
            return made("not enough data", picked, "the same `evalkit run`: trials failed on every attempt so far")
        if len({model for _, model in picks}) > 1:
            apart = "parts of one kind that share no item, with picks that are shown to differ in cost"
            return made("not enough data", picked, apart)
        without = list(_without(standing, picks))
        if without:  # another model may win there
            return made("not enough data", picked, "; ".join(without))
        return made("not shown", picked)
    tested = {(c.dear_part.name, c.dear, c.cheap): c for c in contrasts}
    sides = {key: both(standing.sides[c.dear], standing.sides[c.cheap], c.dear_part.item_ids)
             for key, c in tested.items()}  # fmt: skip
    seed = standing.analysis.spec.seed
    p_values = adjust([difference_p(shared, seed) for shared in sides.values()])
    evidence: list[Evidence] = []
    parts: list[str] = []
    toward, better = None, False
    for (key, c), p in zip(tested.items(), p_values, strict=True):
        gain = paired_difference(sides[key], 0.95)
        evidence += _contrast_evidence(standing, c, gain, p)
        gains = p is not None and p <= ALPHA and gain.low is not None and gain.low > 0
        better = better or gains
        failing = c.dear_part.pass_rate[c.cheap]  # a part of few items keeps a good model from its bar too
        if gains and failing.high is not None and failing.high < standing.analysis.decision.bar:
            parts += [c.cheap_part.name, c.dear_part.name]
            toward = toward or (c.dear if c.dear != standing.current else c.cheap)
    lacking = "the cheaper model is not shown to miss the bar there" if better else "the models are not shown to"
    settles = "" if parts else f"more items in these parts: the pick differs, {lacking}"
    state: State = "shown" if parts else "not enough data"
    return made(state, tuple(dict.fromkeys(evidence)), settles, toward=toward, parts=tuple(dict.fromkeys(parts)))


def _without(standing: Standing, picks: list[tuple[Slice, str]]) -> Iterator[str]:
    """What it takes for a pick on the parts that have none: more of their items, or where every model is shown to be
    below the bar another one."""
    bar, told = standing.analysis.decision.bar, {(part.kind, part.name) for part, _ in picks}
    left = [part for part in standing.parts if (part.kind, part.name) not in told]
    hopeless = [part for part in left if all((rate.high or 1.0) < bar for rate in part.pass_rate.values())]
    for parts, what in (
        ([part for part in left if part not in hopeless], "more of the items where the rule picks no model"),
        (hopeless, "a model that clears the bar where none does"),
    ):
        names = [on(part.name) for part in parts]
        more = [f"{len(names) - _NAMED} more"] if len(names) > _NAMED else []
        if names:
            yield f"{what} ({', '.join([*names[:_NAMED], *more])})"


def _picks(standing: Standing) -> list[tuple[Slice, str]]:
    """The declared rule on each part by itself, where it picks a model."""
    analysis, found = standing.analysis, []
    for part in standing.parts:
        models = [
            replace(m, pass_rate=part.pass_rate[m.model], cost_per_satisfactory=part.cost_per_satisfactory[m.model])
            for m in analysis.models
        ]
        option = decide(models, analysis.decision.bar).option
        if option is not None:
            found.append((part, option))
    return found


def _contrasts(standing: Standing, picks: list[tuple[Slice, str]]) -> Iterator[_Contrast]:
    for part, cheap in picks:
        for other, dear in picks:
            apart = part.kind == other.kind and set(part.item_ids).isdisjoint(other.item_ids)
            if apart and cheap != dear and _is_cheaper(standing, cheap, dear):
                yield _Contrast(part, cheap, other, dear)


def _is_cheaper(standing: Standing, cheap: str, dear: str) -> bool:
    """By a request's cost over all items, where that is shown; the bounds of equal ratios are their value."""
    ratio = request_cost_ratio(standing.sides[cheap], standing.sides[dear])
    high = ratio.value if ratio.high is None and ratio.n > 1 else ratio.high
    return high is not None and high < 1


def _picked(standing: Standing, part: Slice, model: str) -> Evidence:
    what = f"{standing.sides[model].name} picked on {on(part.name)}"
    return Evidence(what, part.pass_rate[model], "percent")


def _contrast_evidence(standing: Standing, c: _Contrast, gain: Estimate, p: float | None) -> list[Evidence]:
    dear, cheap = standing.sides[c.dear].name, standing.sides[c.cheap].name
    return [
        _picked(standing, c.cheap_part, c.cheap),
        _picked(standing, c.dear_part, c.dear),
        Evidence(f"{cheap} on {on(c.dear_part.name)}", c.dear_part.pass_rate[c.cheap], "percent"),
        Evidence(f"{dear} against {cheap} on {on(c.dear_part.name)}", gain, "points", "same items", p),
    ]


def _holds_and_fails(standing: Standing) -> Signal:
    """Whether a cheaper model is hardly worse on one part of the items and significantly worse on another."""
    name = "A cheaper model holds on some parts and falls behind on others"
    made = partial(Signal, "holds-and-fails", "mix", name, standing.current)
    if not standing.cheaper or not standing.parts:
        reason = standing.unordered or "no cheaper model, or no parts of the items, to look at"
        return made("not enough data", reason=reason, settles="run a cheaper model, and give the items difficulties")
    fails = _falls_behind(standing)
    for side in standing.cheaper:
        held = [h for h in standing.on_parts if h.model == side.model and h.shown]
        if held and fails[side.model]:
            evidence = (*(evidence_of(h, standing) for h in held), *fails[side.model])
            return made("shown", evidence, toward=side.model, parts=tuple(h.part for h in held))
    known = all(h.shown or h.refuted for h in standing.on_parts)
    settles = "" if known else f"the same that settles on which parts a cheaper model is {HARDLY_WORSE}"
    evidence = tuple(found for side in standing.cheaper for found in fails[side.model])
    return made("not shown" if known else "not enough data", evidence, settles)


def _falls_behind(standing: Standing) -> Mapping[str, list[Evidence]]:
    """By model, the parts on which it is significantly worse than the current one; Holm over all of them."""
    tests = list(standing.on_parts)
    sides = [both(side, standing.side, part.item_ids) for side in standing.cheaper for part in standing.parts]
    seed = standing.analysis.spec.seed
    p_values = adjust([difference_p(shared, seed) for shared in sides])
    found: dict[str, list[Evidence]] = {side.model: [] for side in standing.cheaper}
    for h, shared, p in zip(tests, sides, p_values, strict=True):
        if p is None or p > ALPHA:
            continue
        loss = paired_difference(shared, 0.95)
        if loss.high is not None and loss.high < 0:
            what = f"{standing.sides[h.model].name} against {standing.side.name} on {on(h.part)}"
            found[h.model].append(Evidence(what, loss, "points", "same items", p))
    return found
