"""Graders: how far they agree, who is strict or lenient, and how a judge fares against people."""

import re
from collections.abc import Iterable

from evalkit.analysis.agreements import OVERALL, Agreement
from evalkit.analysis.reliability import PANEL, JudgeValidity
from evalkit.analysis.results import Analysis
from evalkit.blocks import (
    Block,
    Cell,
    Column,
    Paragraph,
    Row,
    Section,
    Span,
    Table,
    Text,
    strong,
    table,
    words,
)
from evalkit.chart_blocks import (
    Axis,
    Series,
)
from evalkit.grader_names import JUDGE, judge_of, kind_of
from evalkit.series import lineup
from evalkit.stats import Estimate, JudgeAccuracy
from evalkit.wording import Format, doubt, estimated, listing, p_value, plural, sentence, value

ORDER = 80
_VERDICT = "The verdict"


def build(analysis: Analysis) -> Section | None:
    """None with one grader alone: then nothing can be said about the grades."""
    if not analysis.agreement and not analysis.judges:
        return None
    return Section(
        name="graders",
        label="Graders",
        heading=_heading(analysis),
        lede=words(
            f"{_compared(analysis)} Intervals rest on the items, since outputs of one item are not independent."
        ),
        blocks=tuple(_blocks(analysis)),
    )


def _compared(analysis: Analysis) -> str:
    if not analysis.agreement:
        return "Verdicts of judges, held against those of people on the outputs that both graded."
    named = dict.fromkeys(grader for a in analysis.agreement for grader in a.graders)
    graders = plural(max(len(a.graders) for a in analysis.agreement), _whom(named)[:-1])
    counted = {judge_of(grader) for grader in analysis.grading.graders}
    others = sorted(set(named) - counted) if counted else []
    apart = f" {listing(others)} graded in a round that does not count, and agreement is of all." if others else ""
    if analysis.grading.picked and (people := [name for name in analysis.grading.people if name not in named]):
        apart += f" Not of {listing(people)}, who graded outputs for what a judge had said of them."
    return (
        f"{graders.capitalize()}, on the outputs that at least two of them graded. Alpha (Krippendorff) and AC (Gwet) "
        "are agreement beyond chance, 1 at most and 0 for guessing; raw agreement is not corrected and can be high by "
        f"chance alone where nearly every grade is the same.{apart}"
    )


def _blocks(analysis: Analysis) -> Iterable[Block]:
    ordered = sorted(analysis.agreement, key=lambda a: a.criterion != OVERALL)
    if ordered:
        yield _agreement(ordered)
        yield _severity(ordered)
    panel = [judge for judge in analysis.judges if judge.judge.startswith(PANEL)]
    for judge in (*panel, *(one for one in analysis.judges if one not in panel)):
        alone = f"{judge.judge} alone: " if panel and judge not in panel else ""
        yield _accuracy(analysis, judge, alone and f"{alone}against people")
        if judge.dropped:
            yield Paragraph((Span(alone), *_dropped(judge)))
        yield _corrected(analysis, judge, alone and f"{alone}pass rates corrected for its errors")
        yield Paragraph((Span(alone), *_leniency(analysis, judge)))


def _heading(analysis: Analysis) -> str:
    overall = next((a for a in analysis.agreement if a.criterion == OVERALL), None)
    if overall is None:
        return "; ".join(_judge_finding(judge) for judge in analysis.judges) or "How far graders agree"
    alpha = overall.alpha
    if alpha.value is None:
        return f"How far the {_whom(overall.graders)} agree on the verdict cannot be said"
    whom, seen = _whom(overall.graders), f"alpha {estimated(alpha, 'coefficient')}"
    return {
        "green": f"The {whom} agree on the verdict: {seen}",
        "amber": f"Agreement on the verdict allows tentative conclusions only: {seen}",
        "red": f"The {whom} are not shown to agree on the verdict: {seen}",
    }[overall.flag.colour]


def _whom(graders: Iterable[str]) -> str:
    return "judges" if all(kind_of(grader) == "judge" for grader in graders) else "graders"


def _judge_finding(judge: JudgeValidity) -> str:
    if judge.dropped:
        return f"Judge {judge.judge} is dropped: {_minus(judge.dropped)}"
    passes, fails = (estimated(e, "percent") for e in (judge.accuracy.sensitivity, judge.accuracy.specificity))
    return f"Judge {judge.judge} passes {passes} of what people pass and fails {fails} of what they fail"


def _named(agreement: Agreement) -> str:
    return _VERDICT if agreement.criterion == OVERALL else agreement.criterion


def _figure(estimate: Estimate, style: Format) -> Cell:
    return Cell((strong(value(estimate, style)),), doubt(estimate, style))


def _agreement(found: list[Agreement]) -> Table:
    two = all(a.kappa is not None for a in found)
    columns = (
        Column("Grades of"),
        Column("Reliable?"),
        Column("Alpha", "end"),
        Column("AC", "end"),
        *((Column("Weighted kappa", "end"),) if two else ()),
        Column("Raw agreement", "end"),
        Column("Why"),
    )
    rows = [
        Row(
            (
                Cell(words(_named(a)), f"{plural(a.outputs, 'output')} of {plural(a.alpha.n, 'item')}"),
                Cell((Span(a.flag.colour, a.flag.colour),)),
                _figure(a.alpha, "coefficient"),
                _figure(a.ac, "coefficient"),
                *((_figure(a.kappa, "coefficient"),) if two and a.kappa else ()),
                _figure(a.raw, "percent"),
                Cell(words(" ".join(sentence(_minus(reason)) for reason in a.flag.reasons))),
            )
        )
        for a in found
    ]
    return table("Agreement of the graders", columns, rows)


def _severity(found: list[Agreement]) -> Table:
    """Each grader beside the average one; whom to ask about what."""
    graders = list(dict.fromkeys(grader for a in found for grader in a.graders))
    columns = (
        Column("Grader"),
        Column("Passes more or fewer, in points", "end"),
        Column("Furthest from the average, in levels", "end"),
        Column("Ask about"),
    )
    return table("Severity of each grader", columns, [_grader(found, grader) for grader in graders])


def _grader(found: list[Agreement], grader: str) -> Row:
    overall = next((a.severity[grader] for a in found if a.criterion == OVERALL and grader in a.severity), None)
    criteria = [(a.criterion, a.severity[grader]) for a in found if a.criterion != OVERALL and grader in a.severity]
    known = [(name, e) for name, e in criteria if e.value is not None]
    asked = [f"{_named(a)}: {_minus(a.deviating[grader])}" for a in found if grader in a.deviating]
    furthest = max(known, key=lambda pair: abs(pair[1].value or 0.0), default=None)
    if furthest is None:
        far = Cell(words("unknown"), criteria[0][1].reason or "" if criteria else "no criterion is judged")
    else:
        name, estimate = furthest
        far = Cell((strong(value(estimate, "shift")),), f"{name}, {doubt(estimate, 'shift')}")
    return Row(
        (
            Cell(words(_person(grader))),
            Cell(words("unknown"), "no verdict") if overall is None else _figure(overall, "points"),
            far,
            Cell(words("; ".join(asked) or "nothing stands out")),
        )
    )


def _minus(reason: str) -> str:
    """A reason with its negative numbers as the rest of the report writes them."""
    return re.sub(r"(?<![\w.])-(?=\d)", "\N{MINUS SIGN}", reason)


def _person(grader: str) -> str:
    return f"Judge {grader.removeprefix(JUDGE)}" if grader.startswith(JUDGE) else grader


def _accuracy(analysis: Analysis, judge: JudgeValidity, folded: str) -> Table:
    columns = (
        Column("Judge against people"),
        Column("Sensitivity: passes of what people pass", "end"),
        Column("Specificity: fails of what people fail", "end"),
        Column("J: both together, 0 knows nothing", "end"),
        Column("Kappa", "end"),
    )
    whole = Cell(words(judge.judge), f"{plural(judge.outputs, 'output')} graded by both")
    rows = [_errors(whole, judge.accuracy, _figure(judge.kappa, "coefficient"))]
    for s in lineup(analysis):
        if s.key in judge.by_model:
            rows.append(_errors(Cell(words(f"on {s.name}")), judge.by_model[s.key], Cell(words("")), s))
    return table(f"Judge {judge.judge} against people", columns, rows, folded)


def _errors(name: Cell, accuracy: JudgeAccuracy, kappa: Cell, series: Series | None = None) -> Row:
    shares = _counted(accuracy.sensitivity), _counted(accuracy.specificity)
    return Row((name, *shares, _figure(accuracy.youden, "coefficient"), kappa), series)


def _dropped(judge: JudgeValidity) -> Text:
    return words(strong("Dropped: "), f"its grades decide nothing in this report, since {_minus(judge.dropped or '')}.")


def _counted(share: Estimate) -> Cell:
    return Cell((strong(value(share, "percent")),), f"{doubt(share, 'percent')}, {plural(share.n, 'item')}")


def _corrected(analysis: Analysis, judge: JudgeValidity, folded: str) -> Table:
    """The pass rate that people would have found, beside the one in this report."""
    series = [s for s in lineup(analysis) if s.key in judge.corrected]
    rates = [e for s in series for e in (analysis.model(s.key).pass_rate, judge.corrected[s.key])]
    axis = _axis(rates, analysis.decision.bar)
    columns = (
        Column("Option"),
        Column("Pass rate as reported", axis=axis),
        Column("Corrected for the judge's errors", axis=axis),
        Column("The judge was worth, in more human labels", "end"),
    )
    rows = []
    for s in series:
        raw, corrected = analysis.model(s.key).pass_rate, judge.corrected[s.key]
        rows.append(Row((Cell(words(s.name)), _drawn(raw, axis), _drawn(corrected, axis), _worth(judge, s.key)), s))
    return table("Pass rates corrected for the judge's errors", columns, rows, folded)


def _drawn(rate: Estimate, axis: Axis) -> Cell:
    return Cell((strong(value(rate, "percent", axis.reference)),), doubt(rate, "percent", axis.reference), rate)


def _worth(judge: JudgeValidity, model: str) -> Cell:
    worth = judge.worth_labels.get(model)
    if worth is None:
        return Cell(words("unknown"), "an interval is missing")
    labels = f"beside {plural(judge.corrected[model].n, 'label')}"
    return Cell(words("none" if worth < 0.5 else f"about {worth:,.0f}"), labels)


def _leniency(analysis: Analysis, judge: JudgeValidity) -> Text:
    """Whether the judge errs more on one model's outputs than on another's, which would bend the comparison."""
    names = {s.key: s.name for s in lineup(analysis)}
    order = list(names)
    pairs = [
        (f"{names[max(one.a, one.b, key=order.index)]} and {names[min(one.a, one.b, key=order.index)]}", one.p_holm)
        for one in judge.leniency_p
        if {one.a, one.b} <= set(names)
    ]
    if not pairs:
        return words("One option alone was graded by the judge, so leniency between options cannot be looked at.")
    suspect = [name for name, p in pairs if p is not None and p < 0.05]
    said = (
        f"It seems to err at different rates on the outputs of {', and of '.join(suspect)}, so a comparison of them"
        " by this judge is not to be trusted. "
        if suspect
        else f"No different error rates are shown, which {plural(judge.outputs, 'output')} may be too few for. "
    )
    values = "; ".join(f"{name} {'not tested' if p is None else p_value(p)}" for name, p in pairs)
    how = (
        "Mid-p of equal error rates, the smallest of three: on all outputs, on those that people pass, and on those "
        "that they fail; adjusted by Holm for all that are tested"
    )
    return words(f"Does the judge favour an option? {said}", Span(f"{how}: {values}.", "doubt"))


def _axis(rates: list[Estimate], bar: float) -> Axis:
    lows = [x for rate in rates for x in (rate.low, rate.value) if x is not None]
    return Axis("", "percent", max(0.0, int(min([*lows, bar - 0.1]) * 10) / 10), 1.0, reference=bar)
