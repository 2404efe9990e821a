"""Signals of the wrong model: what speaks for a stronger one, a cheaper one or several, and what would settle it."""

from collections.abc import Iterator, Sequence
from functools import partial

from evalkit.analysis.downgrade import on
from evalkit.analysis.evidence import Evidence, Signal, State
from evalkit.analysis.leaks import leaks_of_tags
from evalkit.analysis.results import Analysis
from evalkit.analysis.sides import TOO_FEW, tested_tags
from evalkit.analysis.sweep import HARDLY_WORSE
from evalkit.blocks import Cell, Column, Fact, Facts, Note, Row, Section, Span, table, words
from evalkit.models import display_name
from evalkit.wording import estimated, listing, p_value, plural, points, sentence

ORDER = 95
OF_WORKLOAD = True
_STATES: tuple[State, ...] = ("shown", "not enough data", "not shown")
_MOST_FIGURES = 4
_TIMED = "faster-no-worse"
_BOUNDED = "bounded-work"
"""Says something of the work, and nothing of how another model does it."""
_SETTLED = "Settled."
_FOR = {"upgrade": "a stronger model", "downgrade": "a cheaper model", "mix": "several models"}


def build(analysis: Analysis) -> Section | None:
    """None while nothing is graded."""
    if not analysis.signals or all(model.pass_rate.value is None for model in analysis.models):
        return None
    columns = Column("Signal"), Column("State"), Column("Figures", "prose"), Column("What would settle it", "prose")
    rows = [_row(s) for s in ordered(analysis.signals)]
    current = display_name(analysis.signals[0].current, analysis.spec.models)
    return Section(
        name="signals",
        label="Signals",
        heading=heading(analysis.signals, analysis.spec.models),
        lede=words(
            f"Whether {current} is the wrong model for this work. A signal is shown where the "
            "interval of its figure lies on its side, not shown where it lies on the other, and without enough data "
            "where it covers both; different winners also take the cheaper model shown below the bar where another is "
            "picked. Costs are those of requests."
        ),
        blocks=(
            *_facts(analysis.signals),
            *_beside_verdicts(analysis),
            table("Signals of the wrong model", columns, rows, folded=_folded(analysis.signals)),
        ),
        summary=any(signal.state == "shown" and signal.id != _BOUNDED for signal in analysis.signals),
    )


def told_by_verdicts(analysis: Analysis) -> tuple[str, ...]:
    """A sentence on each tag that signals were looked for on and that repeats verdicts, as one given after grading."""
    tested = {part.name for part in tested_tags(analysis)}
    return tuple(
        f"The tag {tag} {why}: what a signal says of its items holds for items to come only if the tag was given before"
        " anything was graded."
        for tag, why in leaks_of_tags(analysis).items()
        if tag in tested
    )


def _beside_verdicts(analysis: Analysis) -> Iterator[Note]:
    told = told_by_verdicts(analysis)
    if told:
        yield Note("Before you rely on a signal", tuple(words(line) for line in told))


def _folded(signals: Sequence[Signal]) -> str:
    counts = [(sum(signal.state == state for signal in signals), state) for state in _STATES]
    told = ", ".join(f"{count} {state}" for count, state in counts if count)
    return f"All {plural(len(signals), 'signal')}, each with its figures and what would settle it: {told}"


def _facts(signals: Sequence[Signal]) -> Iterator[Facts]:
    """What is shown, with its foremost figure."""
    shown = [signal for signal in signals if signal.state == "shown"]
    facts = (Fact(signal.name, (Span(f"{_foremost(signal)}.", measured=signal.id == _TIMED),)) for signal in shown)
    if shown:
        yield Facts(tuple(facts))


def _foremost(signal: Signal) -> str:
    """The figure that was tested against the other model, else the last one, which compares."""
    tested = [e for e in signal.evidence if e.p_value is not None and e.p_value <= 0.05]
    return figure(tested[0] if tested else signal.evidence[0 if signal.id == _BOUNDED else -1])


def ordered(signals: Sequence[Signal]) -> list[Signal]:
    """What is shown first, what is not last; otherwise in the order given."""
    return sorted(signals, key=lambda signal: _STATES.index(signal.state))


def heading(signals: Sequence[Signal], models: Sequence[str] = ()) -> str:
    """What the signals of a run of `models` come to, in one line: the cheapest that will do, what is too weak."""
    shown = [signal for signal in signals if signal.state == "shown"]
    if not shown:
        open_ = sum(signal.state == "not enough data" for signal in signals)
        rest = f"; {open_} of {len(signals)} lack data" if open_ else ""
        if open_ == len(signals):
            return f"No signal can be read: {plural(open_, 'signal')} lack data"
        about = f"for another model than {display_name(signals[0].current, models)}{rest}"
        if len(signals) - open_ == 1:
            return f"The one signal that can be read does not speak {about}"
        readable = " that can be read" if open_ else ""
        return f"None of the {len(signals) - open_} signals{readable} speaks {about}"
    count = f"{len(shown)} of {plural(len(signals), 'signal')}"
    found = next(_findings(shown, models), None)
    if found is not None:
        return f"{found}: {count} shown"
    return f"{count} {'speaks' if len(shown) == 1 else 'speak'} for {_directions(shown)}"


def _findings(shown: Sequence[Signal], models: Sequence[str]) -> Iterator[str]:
    """The shown signals as findings, the most telling first."""
    found = {signal.id: signal for signal in shown}
    name = partial(display_name, among=models)
    if (s := found.get("cheaper-no-worse")) and s.toward:
        yield f"{name(s.toward)} is {HARDLY_WORSE} than {name(s.current)}"
    if (s := found.get("cheaper-no-worse-on-parts")) and s.toward:
        parts = listing([on(part) for part in s.parts[:3]])
        yield f"{name(s.toward)} is {HARDLY_WORSE} than {name(s.current)} on {parts}"
    if (s := found.get("dearer-gains")) and s.toward:
        yield f"{name(s.toward)} gains on hard items over {name(s.current)}"
    if s := found.get("hard-under-bar"):
        yield f"{name(s.current)} is under the bar on hard items"
    if s := found.get("winners-differ"):
        yield "Parts of the items have different winners"
    if set(found) == {_BOUNDED}:
        yield "Most of the work is short or structured"


def _directions(shown: Sequence[Signal]) -> str:
    return listing(list(dict.fromkeys(_FOR[s.direction] for s in shown)), "or")


def figures(signal: Signal) -> list[str]:
    """The figures that carry a signal: those that tests bear out first, some of many."""
    told = sorted(
        (e for e in signal.evidence if e.estimate.value is not None or e.estimate.reason != TOO_FEW),
        key=lambda e: (e.p_value or 0.0) > 0.05,
    )
    lines = [figure(evidence) for evidence in told[:_MOST_FIGURES]]
    if len(told) > len(lines):
        lines.append(f"{len(told) - len(lines):,} more in the JSON report")
    untested = len(signal.evidence) - len(told)
    return [*lines, f"{plural(untested, 'part')} with too few items to test"] if untested else lines


def figure(evidence: Evidence) -> str:
    """One figure with its doubt and what it was counted on."""
    style, estimate = evidence.unit, evidence.estimate
    unit = " points" if style == "points" and estimate.value is not None else ""
    value = estimated(estimate, style)
    if unit:
        value = value.replace(points(estimate.value), points(estimate.value) + unit, 1)
    tested = "" if evidence.p_value is None else f"p = {p_value(evidence.p_value)}".replace("= <", "< ")
    notes = [plural(estimate.n, "item"), evidence.note, tested]
    return f"{evidence.what}: {value}; {', '.join(note for note in notes if note)}"


def _row(signal: Signal) -> Row:
    measured = signal.id == _TIMED
    told = sentence(signal.reason) if signal.reason else " ".join(f"{line}." for line in figures(signal))
    return Row(
        (
            Cell(words(signal.name), f"speaks for {_FOR[signal.direction]}"),
            Cell((Span(signal.state, "strong" if signal.state == "shown" else "plain", measured=measured),)),
            Cell(words(told), measured=measured),
            Cell(words(sentence(signal.settles) or _SETTLED), measured=measured),
        ),
        picked=signal.state == "shown",
    )
