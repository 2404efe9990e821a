"""Signals that the current model is more than is needed: a cheaper one is hardly worse, work is short, time counts."""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from statistics import median

from evalkit import stats
from evalkit.analysis.evidence import Evidence, Signal, State, any_of, by_interval
from evalkit.analysis.results import Analysis, ItemResult
from evalkit.analysis.sides import ALL_ITEMS, NOTHING_TO_LOSE, Holds, Side, Standing, least_items
from evalkit.analysis.sweep import HARDLY_WORSE, MARGIN
from evalkit.stats.rates import FEW

SHORT_INPUT_TOKENS, SHORT_OUTPUT_TOKENS = 1000, 100
"""Up to so many tokens in and out a request is short: a question about a paragraph, an answer of a few lines."""
_POINTS = f"{MARGIN * 100:.0f} points"


def downgrades(standing: Standing) -> tuple[Signal, ...]:
    """All signals for a cheaper model."""
    return _no_worse(standing), _no_worse_on_parts(standing), _bounded_work(standing), _faster(standing)


def _no_cheaper(standing: Standing) -> str:
    return standing.unordered or f"no model of this run is shown to cost less than {standing.side.name}"


_RUN_ONE = "run a cheaper model on the same items"
_SOME_WORK = "a model that does some of the work"


def _no_worse(standing: Standing) -> Signal:
    name = f"A cheaper model is {HARDLY_WORSE}"
    made = partial(Signal, "cheaper-no-worse", "downgrade", name, standing.current)
    if not standing.cheaper:
        return made("not enough data", reason=_no_cheaper(standing), settles=_RUN_ONE)
    if not standing.does_any:
        return made("not enough data", reason=NOTHING_TO_LOSE, settles=_SOME_WORK)
    found = standing.overall
    shown = [holds for holds in found if holds.shown]
    state = any_of([_state(holds) for holds in found])
    return made(
        state,
        (*(evidence_of(holds, standing) for holds in found), *standing.unplaced),
        _least(found) if state == "not enough data" else "",
        toward=shown[0].model if shown else None,
    )


def _no_worse_on_parts(standing: Standing) -> Signal:
    name = f"A cheaper model is {HARDLY_WORSE} on parts of the items"
    made = partial(Signal, "cheaper-no-worse-on-parts", "downgrade", name, standing.current)
    if not standing.cheaper:
        return made("not enough data", reason=_no_cheaper(standing), settles=_RUN_ONE)
    if not standing.does_any:
        return made("not enough data", reason=NOTHING_TO_LOSE, settles=_SOME_WORK)
    if not standing.parts:
        reason = "no item has a difficulty or a tag, and the prompts are of one size"
        return made("not enough data", reason=reason, settles="give the items difficulties or tags")
    found = standing.on_parts
    shown = [holds for holds in found if holds.shown]
    toward = shown[0].model if shown else None
    state = any_of([_state(holds) for holds in found])
    return made(
        state,
        tuple(evidence_of(holds, standing) for holds in found),
        _least(found) if state == "not enough data" else "",
        toward=toward,
        parts=tuple(holds.part for holds in shown if holds.model == toward),
    )


def _state(holds: Holds) -> State:
    return "shown" if holds.shown else "not shown" if holds.refuted else "not enough data"


def evidence_of(holds: Holds, standing: Standing) -> Evidence:
    """A test of non-inferiority as a figure: the paired difference, with its one-sided p."""
    what = f"{standing.sides[holds.model].name} against {standing.side.name} on {on(holds.part)}"
    return Evidence(what, holds.difference, "points", "same items, 90% interval", holds.p_value)


def on(part: str) -> str:
    """A part of the items in a sentence."""
    if part == ALL_ITEMS:
        return part
    return f"items of {part}" if part.endswith(" tokens") else f"{part} items"


def _least(found: Sequence[Holds]) -> str:
    """Items that a part needs before equal models can pass, where the largest has fewer; else more of them."""
    tests = max(1, sum(holds.p_value is not None for holds in found))
    # of several tests, the first to pass has to pass the strictest level
    needed = least_items(max(holds.epochs for holds in found), tests)
    most = max(holds.difference.n for holds in found)
    where = "" if found[0].part == ALL_ITEMS else " in a part"
    if most < needed:
        among = f" one of {tests} tests" if tests > 1 else ""
        return f"{needed:,} items{where} ({most:,} now): with fewer, even equal models cannot pass{among}"
    return f"more items{where} or epochs: losses of {_POINTS} cannot be excluded"


def _bounded_work(standing: Standing) -> Signal:
    """Whether most items are short, or ask for a form rather than a text."""
    name = "Most of the work is short or structured"
    made = partial(Signal, "bounded-work", "downgrade", name, standing.current)
    items = [item for item in standing.analysis.outputs if _answered(item, standing.current)]
    short = {item.id: _is_short(item, standing.current) for item in items}
    if not items or any(is_short is None for is_short in short.values()):
        reason = "token counts are missing" if items else f"{standing.side.name} has not answered any item"
        return made("not enough data", reason=reason, settles="a run whose answers report their tokens")
    checked = checks_decide(standing.analysis)
    structured = {item.id: checked or _is_structured(item, standing.current) for item in items}
    either = sum(bool(short[item.id]) or structured[item.id] for item in items)
    evidence = (
        _share("Short or structured items", either, len(items)),
        _share("Short items", sum(map(bool, short.values())), len(items),
               f"median up to {SHORT_INPUT_TOKENS:,} tokens in and {SHORT_OUTPUT_TOKENS:,} out"),
        _share("Structured items", sum(structured.values()), len(items),
               "checks carry most of the rubric" if checked else "all its answers are JSON"),
    )  # fmt: skip
    if not standing.cheaper:
        return made("not enough data", evidence, f"{_RUN_ONE}: {_no_cheaper(standing)}")
    state = by_interval(evidence[0].estimate, 0.5)
    return made(state, evidence, "more items of the workload" if state == "not enough data" else "")


def _share(what: str, count: int, n: int, note: str = "") -> Evidence:
    return Evidence(what, stats.rate(count, n, method="clopper-pearson" if n < FEW else "wilson"), "percent", note)


def _answered(item: ItemResult, model: str) -> bool:
    return any(o.model == model and o.outcome == "answered" for o in item.outputs)


def _is_short(item: ItemResult, model: str) -> bool | None:
    """By the median over epochs; None where a token count is missing."""
    tokens = [(o.input_tokens, o.output_tokens) for o in item.outputs if o.model == model and o.outcome == "answered"]
    known = [(i, o) for i, o in tokens if i is not None and o is not None]
    if not known or len(known) < len(tokens):
        return None
    return median(i for i, _ in known) <= SHORT_INPUT_TOKENS and median(o for _, o in known) <= SHORT_OUTPUT_TOKENS


def _is_structured(item: ItemResult, model: str) -> bool:
    return all(_is_json(o.text) for o in item.outputs if o.model == model and o.outcome == "answered")


def _is_json(text: str) -> bool:
    """Whether a text is one JSON object or list, fenced or not."""
    bare = text.strip().removeprefix("```json").removeprefix("```").removesuffix("```").strip()
    if not bare.startswith(("{", "[")):
        return False
    try:
        json.loads(bare)
    except (ValueError, RecursionError):
        return False
    return True


def checks_decide(analysis: Analysis) -> bool:
    """Whether deterministic checks carry more than half of the rubric's weight."""
    criteria = analysis.spec.rubric.get("criteria", ())
    weights = dict.fromkeys(("check", "judged"), 0.0)
    for criterion in criteria:
        weights[criterion.get("kind", "judged")] += float(criterion.get("weight", 1.0))
    return weights["check"] > weights["judged"]


def _faster(standing: Standing) -> Signal:
    """Whether a cheaper model saves time and is hardly worse: then depth is not what is waited for."""
    name = f"A cheaper model is faster, and {HARDLY_WORSE}"
    made = partial(Signal, "faster-no-worse", "downgrade", name, standing.current)
    if not standing.cheaper:
        return made("not enough data", reason=_no_cheaper(standing), settles=_RUN_ONE)
    evidence, states, toward, untimed = [], [], None, True
    unsettled: list[str] = []
    for holds, side in zip(standing.overall, standing.cheaper, strict=True):
        ratio = _latency_ratio(side, standing.side)
        untimed &= ratio.value is None
        evidence.append(Evidence(f"{side.name} latency over {standing.side.name}'s", ratio, "ratio", "same items"))
        evidence.append(evidence_of(holds, standing))
        fast = by_interval(ratio, 1.0, above=False)
        states.append(_both_shown(fast, _state(holds)))
        if states[-1] == "not enough data":
            unsettled += _unsettled(side.name, ratio, fast, _state(holds))
        toward = toward or (side.model if states[-1] == "shown" else None)
    if untimed:
        return made("not enough data", reason="latency was not measured", settles="a run without batches")
    state = any_of(states)
    settles = "; ".join(dict.fromkeys(unsettled)) if state == "not enough data" else ""
    return made(state, tuple(evidence), settles, toward=toward)


def _unsettled(name: str, ratio: stats.Estimate, fast: State, holds: State) -> Iterator[str]:
    """What would settle the half of the signal that is open, or both."""
    if fast == "not enough data":
        if ratio.value is None:
            yield f"answers of {name} and of the current model that were both timed: a run without batches"
        else:
            yield f"more items: whether {name} is faster is open"
    if holds == "not enough data":
        yield f"the same that settles whether it is {HARDLY_WORSE}"


def _both_shown(one: State, other: State) -> State:
    return "not shown" if "not shown" in (one, other) else one if other == "shown" else "not enough data"


def _latency_ratio(candidate: Side, baseline: Side) -> stats.Estimate:
    """Geometric mean of the items' latency ratios, on items that both answered."""
    ids = sorted(i for i in candidate.latency_s if i in baseline.latency_s)
    return stats.geometric_mean_ratio([candidate.latency_s[i] for i in ids], [baseline.latency_s[i] for i in ids])
