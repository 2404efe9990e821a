"""The report as a workbook: scorecard, pairs, slices, criteria, trials, grades and method, a sheet each."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import pandas as pd

from evalkit.analysis.pair_results import Pair
from evalkit.analysis.results import Analysis, ModelResult
from evalkit.blocks import Definitions, Note, Section, Text
from evalkit.conditional import mark
from evalkit.main_clock import NAMES, main_clock
from evalkit.models import display_name
from evalkit.rendering.workbook import Sheet, Value, render
from evalkit.stats import Estimate
from evalkit.wording import sentence

Rows = tuple[tuple[Value, ...], ...]
Line = Mapping[str, Value | Estimate]
"""One row by heading; an estimate takes three columns, and one more says why any of them is empty."""


def workbook(
    analysis: Analysis,
    sections: Sequence[Section],
    trials: pd.DataFrame,
    grades: pd.DataFrame,
    whole: Mapping[str, str] = MappingProxyType({}),
    change: Callable[[Rows], Rows] = lambda rows: rows,
) -> bytes:
    """The workbook of an analysis. `trials` and `grades` are tables of the same run, with their texts.

    `whole` names, by the text, the files that have what is too long for a cell. `change`: what is done to rows
    before they are written.
    """
    names = {m.model: m.name for m in analysis.models}
    sheets = (
        _sheet("Scorecard", [_scores(analysis, m) for m in analysis.models]),
        _sheet("Pairs", [_pair(pair, names) for pair in (*analysis.pairs, *analysis.against)]),
        _sheet("Slices", list(_slices(analysis))),
        _sheet("Criteria", list(_criteria(analysis))),
        _framed("Trials", trials),
        _framed("Grades", grades),
        Sheet("Method", ("What", "How"), tuple(_method(sections))),
    )
    condition = mark(analysis.spec)
    marks = {"SIMULATED": "yes"} if analysis.simulated else {}
    shown = [replace(sheet, rows=change(sheet.rows)) for sheet in sheets]
    return render(analysis.spec.name, shown, marks | ({"Condition": condition} if condition else {}), whole)


def _sheet(name: str, lines: Sequence[Line]) -> Sheet:
    if not lines:
        return Sheet(name, ("Note",), (("This run has none.",),))
    triple = {heading for line in lines for heading, value in line.items() if isinstance(value, Estimate)}
    headings = dict.fromkeys(heading for line in lines for heading in line)
    columns = [c for h in headings for c in ((h, f"{h}, low", f"{h}, high") if h in triple else (h,))]
    rows = [tuple(cell for h in headings for cell in _cells(line.get(h), h in triple)) for line in lines]
    reasons = [_reasons(line) for line in lines]
    if any(reasons):
        columns.append("Why a figure is missing")
        rows = [(*row, reason) for row, reason in zip(rows, reasons, strict=True)]
    return Sheet(name, tuple(columns), tuple(rows))


def _cells(value: Value | Estimate, triple: bool) -> tuple[Value, ...]:
    if isinstance(value, Estimate):
        return value.value, value.low, value.high
    return (None, None, None) if triple else (value,)


def _reasons(line: Line) -> str | None:
    """What there is to say of figures without a value or a limit."""
    said = []
    for heading, value in line.items():
        if isinstance(value, Estimate) and value.reason:
            said.append(f"{heading}: {value.reason}")
        elif isinstance(value, Estimate) and None in (value.low, value.high):
            limit = "limits" if value.low is value.high else "upper limit" if value.high is None else "lower limit"
            said.append(f"{heading}: no {limit}")
    return "; ".join(said) or None


def _scores(analysis: Analysis, m: ModelResult) -> Line:
    clock = main_clock(analysis)
    waits = m.clocks[clock].quantiles if clock in m.clocks else {}
    counts = m.counts
    return {
        "Model": m.name,
        "Model id": m.model,
        "Standing": _standing(analysis, m.model),
        "Items": m.items,
        "Pass rate (share)": m.pass_rate,
        "Score (0 to 1)": m.score,
        "Cost per request (USD)": m.cost_per_request,
        "Cost per satisfactory output (USD)": m.cost_per_satisfactory,
        "Total with corrections (USD)": m.human_fix,
        **{f"{NAMES[clock]} {name} (s)": waits[name] for name in ("p50", "p90", "p95") if name in waits},
        "Trials planned": counts.planned,
        "Trials answered": counts.answered,
        "Trials refused": counts.refused,
        "Trials truncated": counts.truncated,
        "Trials errored": counts.errored,
        "Trials pending": counts.pending,
        "Trials graded": counts.graded,
        "Trials ungraded": counts.ungraded,
        "Trials decided": counts.decided,
        "Trials satisfactory": counts.satisfactory,
        "Attempts": m.attempts,
        "Attempts failed": m.failed_attempts,
        "Attempts lost": m.lost_attempts,
        "Spend (USD)": m.spend_usd,
        "Input (tokens)": m.input_tokens,
        "Output (tokens)": m.output_tokens,
    }


def _standing(analysis: Analysis, model: str) -> str | None:
    """What the rule says of a model, and of the pick that it is that."""
    reason = analysis.decision.reasons.get(model)
    return f"pick: {reason}" if reason and model == analysis.decision.option else reason


def _pair(pair: Pair, names: Mapping[str, str]) -> Line:
    return {
        "Model": names.get(pair.b, pair.b),
        "Against": names.get(pair.a) or display_name(pair.a, names),
        "Items": pair.items,
        "Difference in pass rate (share)": pair.difference,
        "Items only the model satisfied": pair.gain,
        "Items only the other satisfied": pair.loss,
        "p": pair.p_value,
        "p after Holm": pair.p_holm,
        "Cost ratio per satisfactory output": pair.cost_ratio,
        "p of costs after Holm": pair.cost_p_holm,
        "Break-even of a correction (USD)": pair.break_even,
        "Items to separate them (80 % power)": pair.items_to_separate,
    }


def _slices(analysis: Analysis) -> Iterator[Line]:
    for part in analysis.slices:
        for m in analysis.models:
            if m.model in part.pass_rate:
                yield {
                    "Kind": part.kind,
                    "Slice": part.name,
                    "Items": part.items,
                    "Model": m.name,
                    "Pass rate (share)": part.pass_rate[m.model],
                    "Cost per satisfactory output (USD)": part.cost_per_satisfactory.get(m.model),
                    "Total with corrections (USD)": part.human_fix.get(m.model),
                }


def _criteria(analysis: Analysis) -> Iterator[Line]:
    for criterion in analysis.criteria:
        for m in analysis.models:
            if m.model in criterion.score:
                yield {
                    "Criterion": criterion.id,
                    "Question": criterion.question,
                    "Kind": criterion.kind,
                    "Critical below": criterion.critical,
                    "Model": m.name,
                    "Outputs graded": criterion.graded.get(m.model),
                    "Score (0 to 1)": criterion.score[m.model],
                }


def _framed(name: str, frame: pd.DataFrame) -> Sheet:
    """A table as it is: its headings have their units in them."""
    columns = [frame[column].astype(object).where(frame[column].notna(), None) for column in frame]
    return Sheet(name, tuple(map(str, frame)), tuple(zip(*columns, strict=True)))


def _method(sections: Iterable[Section]) -> Iterator[tuple[Value, ...]]:
    """The answer, then everything it takes to check or repeat the figures."""
    for place, section in enumerate(sections):
        if place == 0:
            yield "Answer", f"{sentence(section.heading)} {_plain(section.lede)}".strip()
        if section.name == "method":
            for block in section.blocks:
                if isinstance(block, Definitions):
                    yield from ((term, _plain(text)) for term, text in block.rows)
                if isinstance(block, Note):
                    yield from ((block.title, _plain(line)) for line in block.sentences)


def _plain(text: Text) -> str:
    return "".join(span.text for span in text)
