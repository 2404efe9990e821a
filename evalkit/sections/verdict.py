"""Verdict: the answer in words, what it rests on, and what stands against it."""

from math import isclose

from evalkit.analysis.results import Analysis, ModelResult
from evalkit.analysis.sessions import clock_warnings
from evalkit.analysis.sides import differs_from
from evalkit.analysis.warn import disagreement
from evalkit.blocks import (
    MOST_WARNINGS,
    Fact,
    Facts,
    Note,
    Paragraph,
    Section,
    Span,
    Text,
    doubt,
    prose,
    strong,
    words,
)
from evalkit.chart_blocks import Series
from evalkit.conditional import mark
from evalkit.correction_fact import corrections
from evalkit.models import display_name
from evalkit.pairing import SINCE, Comparison, against_baseline, compare, corrected
from evalkit.routing_fact import savings
from evalkit.series import as_graded, below_once_corrected, clearing_router, level_with, lineup, rank, routing_may_clear
from evalkit.stats import Estimate
from evalkit.wording import MOST_ITEMS, about, estimated, listing, percent, plural, sentence, stated, value
from evalkit.wording import doubt as doubt_words

ORDER = 10


def build(analysis: Analysis) -> Section:
    """The first thing a reader sees; present in every report."""
    facts = () if analysis.decision.verdict == "conditional" else _facts(analysis)
    late = [_warning(text) for text in clock_warnings(analysis.sessions)]
    banners = ("simulated", (mark(analysis.spec) or "simulated").lower())  # which say it
    said = [text for text in analysis.warnings if not text.lower().startswith(banners)]
    apart = disagreement(analysis.agreement)
    warnings = [_parting(text) if text == apart else _warning(text) for text in said]
    warnings[MOST_WARNINGS:MOST_WARNINGS] = late
    room = MOST_WARNINGS + len(late)  # or those that a page shows would differ by what a clock made
    note = Note("Before you rely on this", tuple(warnings), rest="method", room=room)
    return Section(
        name="verdict",
        label="Verdict",
        heading=headline(analysis),
        lede=_lede(analysis),
        blocks=(
            Paragraph(_rule(analysis)),
            *((Facts(facts),) if facts else ()),
            *((note,) if warnings else ()),
        ),
        summary=True,
    )


def headline(analysis: Analysis) -> str:
    """The verdict in one sentence; of a conditional run, why it has none."""
    decision, condition = analysis.decision, mark(analysis.spec)
    if condition is not None:
        return sentence(condition[0].upper() + condition[1:].partition(";")[0])
    if decision.verdict == "pick" and decision.option is not None:
        return f"Use {analysis.model(decision.option).name}."
    if decision.verdict != "no_option":
        return "Not enough data."
    router = clearing_router(analysis)
    if router is not None:
        return f"No model alone clears the bar; {router.phrase} does."
    return f"No {'model alone' if routing_may_clear(analysis) else 'option'} clears the bar."


def _warning(text: str) -> Text:
    """A warning as a sentence; one about latency derives from a clock."""
    return prose(sentence(text), measured="latenc" in text.lower())


def _parting(text: str) -> Text:
    """The warning of graders who are at odds, which leads to what they are at odds about."""
    return words(f"{text.removesuffix('.')}; ", Span("see where they part", link="graders"), ".")


def _rule(analysis: Analysis) -> Text:
    bar = stated(analysis.decision.bar)
    if analysis.decision.verdict == "conditional":
        return words(
            "No option is picked: the declared rule is about the workload, and these items were chosen by what a model "
            "did with them. Such a run is never pooled or compared with runs of all items."
        )
    when = "" if analysis.spec.imported else ", fixed before the run"
    return words(
        f"The rule{when}: the lower limit of an option's {_confidence(analysis)} interval for its "
        f"pass rate must reach {bar}; of those that do, the one with the lowest cost per satisfactory output."
    )


def _confidence(analysis: Analysis) -> str:
    return percent(analysis.models[0].pass_rate.confidence if analysis.models else 0.95)


def _lede(analysis: Analysis) -> Text:
    decision = analysis.decision
    if decision.verdict == "conditional":
        return _on_these(analysis)
    if decision.verdict == "pick" and decision.option is not None:
        return words(*_pick(analysis, analysis.model(decision.option)), *_by_routing(analysis))
    if decision.verdict == "no_option":
        return words(*_none(analysis), *_by_routing(analysis))
    return words(*_too_little(analysis), *_by_routing(analysis))


def _by_routing(analysis: Analysis) -> tuple[Span | str, ...]:
    """The router that clears the bar where no model does, or for less: the rule picks among models alone."""
    router = clearing_router(analysis)
    if router is None:
        return ()
    rate, bar = router.rate_together, analysis.decision.bar
    several = " with all routers looked at together" if router.rate_limits is not None else ""
    return (
        f" {router.opening} clears it{', for less by the estimates' if analysis.decision.option else ''}: ",
        strong(value(rate, "percent", bar)),
        " of its outputs are satisfactory ",
        doubt(f"({doubt_words(rate, 'percent', bar)}{several}, {plural(rate.n, 'item')})"),
        f", at {value(router.cost_per_satisfactory, 'money')} per satisfactory output. The rule picks among models; ",
        Span("see what routing would change", link="routing"),
        ".",
    )


def _pick(analysis: Analysis, model: ModelResult) -> Text:
    bar, clearing = stated(analysis.decision.bar), len(analysis.decision.eligible)
    why = "is the only model shown to clear" if clearing == 1 else f"{_cost_rank(analysis, model)} shown to clear"
    priced, cost = model.cost_per_satisfactory.value is not None, strong(value(model.cost_per_satisfactory, "money"))
    return words(
        f"It {why} your {bar} bar{as_graded(analysis, model.model)}: ",
        *_rate(model, analysis.decision.bar),
        *((", at ", cost, " per satisfactory output ") if priced else (", cost per satisfactory output ", cost, " ")),
        doubt(f"({doubt_words(model.cost_per_satisfactory, 'money')})"),
        ".",
    )


def _cost_rank(analysis: Analysis, model: ModelResult) -> str:
    """What the data say of the cost of the pick beside the other models that clear the bar."""
    clearing = analysis.decision.eligible
    if model.cost_per_satisfactory.value is None:
        return f"is one of {len(clearing)} models"
    rest = [analysis.model(other) for other in clearing if other != model.model]
    if any(_as_dear(model.cost_per_satisfactory, other.cost_per_satisfactory) for other in rest):
        return f"costs no more than the other {'model' if len(rest) == 1 else f'{len(rest)} models'}"
    against = [compare(analysis, model.model, other.model) for other in rest]
    if all(found is not None and found.cheaper for found in against):
        return f"is the cheapest of {len(clearing)} models"
    return f"costs least, by the estimates alone, of {len(clearing)} models"


def _as_dear(one: Estimate, other: Estimate) -> bool:
    """Whether two costs are the same but for the order in which they were added up."""
    return one.value is not None and other.value is not None and isclose(one.value, other.value, rel_tol=1e-9)


def _on_these(analysis: Analysis) -> Text:
    """What a conditional run shows: rates and costs on its own items."""
    parts: list[Span | str] = []
    for model in analysis.models:
        rate, price = model.pass_rate, model.cost_per_request
        parts += [f"{model.name}: ", strong(value(rate, "percent")), " of its outputs on these items are satisfactory "]
        parts += [doubt(f"({doubt_words(rate, 'percent')}, {plural(model.items, 'item')})"), ", at "]
        parts += [strong(value(price, "money")), " a request ", doubt(f"({doubt_words(price, 'money')})"), ". "]
    return words(*parts, "Rates here are not rates of the workload.")


def _rate(model: ModelResult, bar: float, whose: str = "its") -> tuple[Span | str, ...]:
    rate = model.pass_rate
    return (
        strong(value(rate, "percent", bar)),
        f" of {whose} outputs are satisfactory ",
        doubt(f"({doubt_words(rate, 'percent', bar)}, {plural(model.items, 'item')})"),
    )


def _none(analysis: Analysis) -> Text:
    """Every option is shown to be below the bar."""
    bar = stated(analysis.decision.bar)
    judged = [m for m in analysis.models if m.pass_rate.value is not None]
    if not judged:
        return words(sentence(_reasons(analysis)))
    best = max(judged, key=lambda m: (m.pass_rate.value or 0.0, m.pass_rate.low or 0.0))
    if not best.pass_rate.value:
        failed = any(m.counts.failed for m in judged)
        told = ("See what became of them", "failures") if failed else ("Read the outputs and their grades", "items")
        return words(
            "No option brought a single satisfactory output: ",
            strong("0%"),
            f" of {'its trials' if len(judged) == 1 else 'the trials of each'} are satisfactory, where {bar} is your "
            "bar ",
            doubt(f"({doubt_words(best.pass_rate, 'percent', analysis.decision.bar)}, {plural(best.items, 'item')})"),
            ". ",
            Span(told[0], link=told[1]),
            " before you compare anything.",
        )
    if len(analysis.models) == 1:
        rate = _rate(best, analysis.decision.bar, "its")
        return words(strong(best.name), f" is shown to be below your {bar} bar: ", *rate, ".")
    level = level_with(analysis, judged, best)
    alone = "model alone" if routing_may_clear(analysis) else "option"
    return words(
        f"Every {alone} is shown to be below your {bar} bar. The best {'is' if len(level) == 1 else 'are'} ",
        strong(listing(level)),
        ": " if len(level) == 1 else ", level: of each, ",
        *_rate(best, analysis.decision.bar, "its" if len(level) == 1 else "the"),
        ".",
    )


def _open(analysis: Analysis, judged: list[ModelResult]) -> Text:
    """An option may clear the bar, and these items cannot show it."""
    bar = analysis.decision.bar
    best = max(judged, key=lambda m: m.pass_rate.low or 0.0)
    level = level_with(analysis, judged, best)
    needed = best.items_to_clear
    who = "it clears" if len(level) == 1 else "each clears"
    more = " First come the trials that failed on every attempt so far: repeat the run." if best.at_worst else ""
    below = [m.name for m in judged if m.name in level and below_once_corrected(analysis, m.model)]
    if below:
        are = "is" if len(below) == 1 else "are"
        more = f" Corrected for what the judge got wrong beside people, {listing(below)} {are} below that: see Graders."
    elif needed and needed <= MOST_ITEMS:
        more = f" If that rate holds, {about(needed)} items would show that {who} the bar, with a chance of 80%."
    elif needed:
        more = f" If that rate holds, fewer than {MOST_ITEMS:,} items would not show that {who} the bar."
    return words(
        strong(best.name if len(level) == 1 else listing(level)),
        (" comes closest: " if len(judged) > 1 else ": ") if len(level) == 1 else " come equally close: of each, ",
        *_rate(best, bar, "its" if len(level) == 1 else "the"),
        f", but the lower limit must reach {stated(bar)}.{more}",
    )


def _too_little(analysis: Analysis) -> Text:
    if not analysis.models:
        return words("The run has no model, so there is nothing to compare.")
    counts = [m.counts for m in analysis.models]
    if sum(c.pending for c in counts) == sum(c.planned for c in counts):
        none = "has an outcome yet" if any(m.attempts for m in analysis.models) else "has run yet"
        return words(f"No trial {none}. Start or resume the run, then build this report again.")
    waiting = sum(c.ungraded for c in counts)
    if waiting and not sum(c.graded for c in counts):
        return words(
            f"{plural(waiting, 'output')} {'is' if waiting == 1 else 'are'} waiting for grades, so no pass rate exists "
            f"yet. Grade {'it' if waiting == 1 else 'them'}, then build this report again."
        )
    if analysis.decision.eligible:
        return _unpriced(analysis)
    judged = [m for m in analysis.models if m.pass_rate.low is not None]
    return _open(analysis, judged) if judged else words(sentence(_reasons(analysis)))


def _unpriced(analysis: Analysis) -> Text:
    clearing = [analysis.model(s.key) for s in lineup(analysis) if s.key in analysis.decision.eligible]
    missing = [m.name for m in clearing if m.cost_per_satisfactory.value is None]
    return words(
        f"{listing([m.name for m in clearing])} {'clears' if len(clearing) == 1 else 'clear'} your "
        f"{stated(analysis.decision.bar)} bar, but {listing(missing)} {'is' if len(missing) == 1 else 'are'} "
        "unpriced, so the cheapest cannot be named."
    )


def _reasons(analysis: Analysis) -> str:
    reasons = analysis.decision.reasons
    return (
        "; ".join(f"{m.name}: {reasons[m.model]}" for m in analysis.models if m.model in reasons) or "no reason given"
    )


def _facts(analysis: Analysis) -> tuple[Fact, ...]:
    if all(m.pass_rate.value is None for m in analysis.models):
        return ()
    others = [s for s in lineup(analysis) if s.key != analysis.decision.option]
    room = _TOLD + (len(others) == _TOLD + 1)  # one more takes no more of it than that it is there
    told = sorted(others, key=lambda s: rank(analysis, s.key)) if len(others) > room else others
    facts = [_fact(analysis, analysis.model(s.key), s) for s in told[:room]]
    found = (_since(analysis), *facts, _more(len(others) - room), corrections(analysis), savings(analysis))
    return tuple(fact for fact in found if fact is not None)


_TOLD = 3
"""Models beside the pick that the first screen has room for."""


def _more(count: int) -> Fact | None:
    """That there are models which the first screen does not name."""
    if count <= 0:
        return None
    text = words("They stand in the ", Span("scorecard", link="scorecard"), ".")
    return Fact(plural(count, "more model"), text)


def _since(analysis: Analysis) -> Fact | None:
    """The change since the baseline run: of the pick, or else of every model, and of what is now better or worse."""
    picked, of_all = analysis.decision.option, against_baseline(analysis, lineup(analysis))
    moved = sorted((c for c in of_all if c.better or c.worse), key=lambda c: c.better)[:_TOLD]
    found = [c for c in of_all if picked in (None, c.first)]
    found += [c for c in moved if c not in found]
    if not found:
        return None
    latency = {pair.b: pair.latency_ratio for pair in analysis.against}
    told: list[str | Span] = []
    for c in found:
        told.append(
            f"{'; ' * bool(told)}{analysis.model(c.first).name} against "
            f"{'the same model' if c.first == c.second else display_name(c.second, analysis.spec.models)}: "
            f"{estimated(c.difference, 'points')} points{_cost_since(c)}"
        )
        if differs_from(latency[c.first], 1.0):
            took = f", answers took {estimated(latency[c.first], 'ratio')} as long"
            told.append(Span(took, measured=True))
    mark = ", SIMULATED" if analysis.baseline and analysis.baseline.simulated else ""
    return Fact(f"Since the baseline run{mark}: {_changes(analysis, found)}", words(*told, "."))


def _changes(analysis: Analysis, found: list[Comparison]) -> str:
    """What the changes come to: one for all, or whose they are, the worse first."""
    names: dict[str, list[str]] = {}
    for c in sorted(found, key=lambda c: ("worse", "better").index(c.change) if c.better or c.worse else 2):
        change = f"{SINCE[c.change]}{', at more cost' * c.dearer}{', at less cost' * c.cheaper}"
        names.setdefault(change, []).append(analysis.model(c.first).name)
    if len(names) == 1:
        return next(iter(names))
    return "; ".join(f"{listing(of)}: {change}" for change, of in names.items())


def _cost_since(c: Comparison) -> str:
    if c.cost_ratio.value is None:
        return f", costs not compared ({c.cost_ratio.reason})"
    by = "" if c.priced_alike else ", each priced in its own way"
    return f", at {estimated(c.cost_ratio, 'ratio')} the cost per satisfactory output{by}{c.cost_undone}"


def _fact(analysis: Analysis, model: ModelResult, series: Series) -> Fact:
    title, text = _standing(analysis, model)
    return Fact(f"{model.name} {title}", words(text), series)


def _standing(analysis: Analysis, model: ModelResult) -> tuple[str, str]:
    """What speaks for or against a model that was not picked."""
    rate, bar, counts = model.pass_rate, analysis.decision.bar, model.counts
    if rate.value is None:
        return "cannot be judged", sentence(rate.reason or "no pass rate")
    if counts.satisfactory == 0:
        kinds = {kind: getattr(counts, kind) for kind in ("refused", "truncated", "errored")}
        bad = "" if counts.failed_undecided else listing([f"{n:,} {kind}" for kind, n in kinds.items() if n])
        ended = plural(counts.decided, "trial")
        return "produced nothing satisfactory", (
            f"0 of {ended}{f', {bad}' if bad else ''} ({doubt_words(rate, 'percent', bar)})."
        )
    against = compare(analysis, model.model, analysis.decision.option or "")
    if model.model not in analysis.decision.eligible:
        misses = rate.high is not None and rate.high < bar
        return (
            "misses the bar" if misses else "is not shown to clear the bar",
            f"{estimated(rate, 'percent', bar)} satisfactory{_at_cost(model, against)}.",
        )
    if against is None or against.difference.value is None:
        return "clears the bar", f"{estimated(rate, 'percent', bar)} satisfactory{_at_cost(model, None)}."
    undone = corrected(analysis, against)
    points = f"{estimated(against.difference, 'points')} points{undone and f', not shown{undone}'}"
    return _beside_the_pick(against), f"{points}{_at_cost(model, against)}."


def _beside_the_pick(against: Comparison) -> str:
    if against.better:
        return "is better, at a higher cost" if against.dearer else "is better"
    if against.worse:
        return "is worse"
    return "costs more, no gain shown" if against.dearer else "is not shown to differ"


def _at_cost(model: ModelResult, against: Comparison | None) -> str:
    if against is not None and against.cost_ratio.value is not None:
        shared = f" on the {plural(against.items, 'item')} that both have a verdict on" * (against.items < model.items)
        ratio = f"{estimated(against.cost_ratio, 'ratio')} the cost per satisfactory output"
        return f", at {ratio}{shared}{against.cost_undone}"
    cost = estimated(model.cost_per_satisfactory, "money")
    if model.cost_per_satisfactory.value is None:
        return f", cost per satisfactory output {cost}"
    return f", at {cost} per satisfactory output"
