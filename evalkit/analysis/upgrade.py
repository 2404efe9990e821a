"""Signals that the current model is too weak: hard items under the bar, several documents, what a dearer one gains."""

from collections.abc import Mapping, Sequence
from functools import partial

from evalkit import stats
from evalkit.analysis.compare import adjust
from evalkit.analysis.evidence import Evidence, Signal, State, any_of, by_interval
from evalkit.analysis.hedge import reaching
from evalkit.analysis.per_model import Counted, rate_of
from evalkit.analysis.results import Analysis, ItemResult, Slice
from evalkit.analysis.sides import ALPHA, Shared, Side, Standing, both, difference_p, paired_difference
from evalkit.analysis.sweep import MARGIN
from evalkit.stats import Estimate

HARD, SEVERAL = "hard items", "items with several documents"


def upgrades(standing: Standing) -> tuple[Signal, ...]:
    """All signals for a stronger model."""
    return _hard_under_bar(standing), _several_documents(standing), _dearer_gains(standing)


def hard_part(analysis: Analysis, level: str = "hard") -> Slice | None:
    """The items of a difficulty; None where no item has it."""
    return next((s for s in analysis.slices if (s.kind, s.name) == ("difficulty", level)), None)


def _hard_under_bar(standing: Standing) -> Signal:
    made = partial(Signal, "hard-under-bar", "upgrade", f"Hard items under the {_bar(standing)} bar", standing.current)
    part, bar = hard_part(standing.analysis), standing.analysis.decision.bar
    if part is None:
        return made("not enough data", reason="no item is marked hard", settles="give the items a difficulty")
    rate = part.pass_rate[standing.current]
    state = by_interval(rate, bar, above=False)
    evidence = (Evidence(f"{standing.side.name} on {HARD}", rate, "percent"),)
    if rate.value is None:
        return made("not enough data", reason=rate.reason, settles="grade the hard items")
    counts = part.counts.get(standing.current)
    if counts is not None and not (counts.answered or counts.refused or counts.truncated):  # as of a wrong request
        return made("not enough data", evidence, "see why no request brought an output", reason="no output to judge")
    if len(part.counts) > 1 and not any(each.answered for each in part.counts.values()):  # nor of a stronger model
        return made("not enough data", evidence, "see why no model answers", reason="no model of the run answered any")
    settles = (
        "" if state != "not enough data" else _items_to_part(rate, bar, _on(standing.side.satisfied, part.item_ids))
    )
    return made(state, evidence, settles, parts=("hard",) if state == "shown" else ())


def _bar(standing: Standing) -> str:
    return f"{standing.analysis.decision.bar * 100:.10g}%"


def _items_to_part(rate: Estimate, bar: float, trials: Counted) -> str:
    """How many hard items, with as many epochs as here, would part the rate from the bar if it stayed as it is."""
    value = rate.value or 0.0
    share, limit = (value, bar) if value > bar else (1 - value, 1 - bar)
    needed = stats.items_to_clear(share, limit, worth=trials.worth)
    return "" if needed is None else f"{needed:,} hard items for an 80% chance, if the rate stays ({rate.n:,} now)"


def several(items: Sequence[ItemResult]) -> tuple[list[str], list[str]]:
    """Ids of items that rest on several documents, and of the others.

    Documents that answer a question count, not those that fill the prompt; where no item says which those are, all.
    """
    marked = any(item.evidence_positions for item in items)
    number = {item.id: len(item.evidence_positions if marked else item.documents) for item in items}
    return [i for i, n in number.items() if n > 1], [i for i, n in number.items() if n <= 1]


def rate_on(side: Side, items: Sequence[str]) -> Estimate:
    """A model's pass rate on named items, with limits out to where open trials could put it."""
    known, *if_open = (rate_of(_on(flags, items)) for flags in (side.satisfied, side.at_worst, side.at_best))
    return reaching(known, *if_open)


def _on(flags: Mapping[str, tuple[float, ...]], items: Sequence[str]) -> Counted:
    """The trials on some of the items."""
    return Counted(tuple(flags[i] for i in sorted(items) if i in flags), None)


def _several_documents(standing: Standing) -> Signal:
    name = "Items with several documents fail more often"
    made = partial(Signal, "several-documents", "upgrade", name, standing.current)
    many, few = several(standing.analysis.outputs)
    if not many or not few:
        reason = "no item has several documents" if not many else "every item has several documents"
        return made("not enough data", reason=reason, settles="run items of both kinds")
    side = standing.side
    rates = rate_on(side, many), rate_on(side, few)
    gap = stats.rate_gap(*rates)
    state = by_interval(gap, 0.0, -MARGIN, above=False)
    evidence = (
        Evidence(f"{side.name} on {SEVERAL}", rates[0], "percent"),
        Evidence(f"{side.name} on the others", rates[1], "percent"),
        Evidence("Several against others", gap, "points", "different items"),
    )
    return made(state, evidence, _wider(state), reason=gap.reason)


def _wider(state: State) -> str:
    return "more items of both kinds: the interval has to leave 0, or the margin" if state == "not enough data" else ""


def _dearer_gains(standing: Standing) -> Signal:
    made = partial(Signal, "dearer-gains", "upgrade", "A dearer model gains on the hard items", standing.current)
    if not standing.dearer:
        reason = standing.unordered or f"no model of this run is shown to cost more than {standing.side.name}"
        return made("not enough data", reason=reason, settles="run a dearer model on the same items")
    hard, many = hard_part(standing.analysis), several(standing.analysis.outputs)
    parts = [(HARD, list(hard.item_ids))] if hard else []
    parts += [(SEVERAL, many[0])] if many[0] and many[1] else []
    if not parts:
        reason = "no item is marked hard, and none stands out by several documents"
        return made("not enough data", reason=reason, settles="give the items a difficulty")
    sides = [(side, part, both(side, standing.side, ids)) for side in standing.dearer for part, ids in parts]
    seed = standing.analysis.spec.seed
    p_values = adjust([difference_p(shared, seed) for _, _, shared in sides])
    evidence, states, toward, needed = [], [], None, dict[str, int]()
    for (side, part, shared), p in zip(sides, p_values, strict=True):
        gain = paired_difference(shared, 0.95)
        what = f"{side.name} against {standing.side.name} on {part}"
        evidence.append(Evidence(what, gain, "points", "same items", p))
        states.append(_gained(gain, p))
        toward = toward or (side.model if states[-1] == "shown" else None)
        if (items := _to_separate(shared, len(sides))) is not None:
            needed[f"{part} for an 80% chance, if the difference stays ({len(shared.candidate):,} now)"] = items
    state = any_of(states)
    evidence += standing.unplaced
    settles = f"more {parts[0][0]}: those here show no gain, and cannot exclude one of {MARGIN * 100:.0f} points"
    if needed:
        nearest = min(needed, key=lambda what: needed[what])
        settles = f"about {needed[nearest]:,} {nearest}"
    return made(state, tuple(evidence), settles if state == "not enough data" else "", toward=toward)


def _gained(gain: Estimate, p_value: float | None) -> State:
    state = by_interval(gain, 0.0, MARGIN)
    tested = p_value is not None and p_value <= ALPHA
    return "not enough data" if state == "shown" and not tested else state


def _to_separate(sides: Shared, tests: int) -> int | None:
    """Items at which a gain would show that is seen here; None where none is."""
    counts = stats.discordance(sides.candidate, sides.baseline)
    worth = stats.paired_worth(sides.candidate, sides.baseline, sides.epochs)
    needed = stats.items_to_separate(counts.gain, counts.loss, counts.n, 1 - ALPHA / tests, worth)
    return None if needed is None or counts.gain <= counts.loss else max(needed, counts.n + 1)
