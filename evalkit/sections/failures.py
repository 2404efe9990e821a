"""Failures: what became of every trial, and what retries and lost attempts there were."""

from evalkit.analysis.results import Analysis, ModelResult
from evalkit.analysis.sessions import SessionResult
from evalkit.blocks import (
    Cell,
    Column,
    Row,
    Section,
    Table,
    table,
    words,
)
from evalkit.chart_blocks import (
    Bar,
    Bars,
    Part,
    Series,
)
from evalkit.cut_streams import CutStreams
from evalkit.models import few
from evalkit.series import lineup
from evalkit.wording import listing, money, plural, tokens

ORDER = 115
_KINDS = ("refused", "truncated", "errored")


def _of_one_size(analysis: Analysis) -> str:
    """What of a sweep's other sizes failed, which the figures here leave out."""
    sweep = analysis.sweep
    if sweep is None:
        return ""
    failed = sum(p.counts.failed for p in sweep.points if p.context_tokens != sweep.analysed)
    return f" Trials at {tokens(sweep.analysed)} tokens; of those at other sizes {failed:,} failed."


def build(analysis: Analysis) -> Section | None:
    """None for a run without planned trials."""
    series = tuple(s for s in lineup(analysis) if analysis.model(s.key).counts.planned)
    if not series:
        return None
    heading = _heading(analysis)
    return Section(
        name="failures",
        label="Failures",
        heading=heading,
        lede=words(
            "Every planned trial, by what became of it. A refused, truncated or errored trial stays in the denominator "
            "as not satisfactory; an ungraded one is left out until it is graded"
            + (
                ", and of the failures as large a share as of the outputs, or the graded sample would bear them all."
                if any(analysis.model(s.key).counts.failed_undecided for s in series)
                else "."
            )
            + (
                " An imported trial counts as one attempt: earlier ones are not known."
                if analysis.spec.imported
                else ""
            )
            + _of_one_size(analysis)
        ),
        blocks=(
            Bars(heading, tuple(_bar(analysis.model(s.key), s) for s in series), "trials"),
            _attempts(analysis, series),
            *(
                (_by_session(sent, analysis.sweep is not None),)
                if (sent := [s for s in analysis.sessions if s.attempts])
                else ()
            ),
        ),
    )


def _heading(analysis: Analysis) -> str:
    counts = [m.counts for m in analysis.models]
    planned, pending = sum(c.planned for c in counts), sum(c.pending for c in counts)
    ended = planned - pending
    kinds = {kind: sum(getattr(c, kind) for c in counts) for kind in _KINDS}
    failed = sum(kinds.values())
    if not ended:
        tried = any(m.attempts for m in analysis.models)
        return f"None of the {plural(planned, 'planned trial')} has {'an outcome yet' if tried else 'run'}"
    waiting = f"; {pending:,} have no outcome yet" if pending else ""
    if not failed:
        return f"{'The one trial' if ended == 1 else f'All {ended:,} trials'} brought an output{waiting}"
    parts = listing([f"{count:,} {kind}" for kind, count in kinds.items() if count])
    if failed == ended:
        return f"None of {plural(ended, 'trial')} brought a usable output: {parts}{waiting}"
    return f"{failed:,} of {plural(ended, 'trial')} brought no usable output: {parts}{waiting}"


def _bar(model: ModelResult, series: Series) -> Bar:
    c = model.counts
    bad = c.graded - c.satisfactory
    return Bar(
        series,
        (
            Part("satisfactory", "satisfactory", c.satisfactory),
            Part("unsatisfactory", "not satisfactory", bad),
            *(Part("failed", kind, getattr(c, kind)) for kind in _KINDS),
            Part("ungraded", "ungraded", c.ungraded),
            Part("pending", "no outcome yet", c.pending),
        ),
    )


def _attempts(analysis: Analysis, series: tuple[Series, ...]) -> Table:
    heads = ("Attempts", "Failed attempts", "Without an end", "Unpriced attempts")
    models = [analysis.model(s.key) for s in series]
    kinds = (Column("Failed by kind"),) if any(model.failures for model in models) else ()
    cut = (Column("Cut in the middle", "end"),) if any(model.cut.attempts for model in models) else ()
    columns = (Column("Option"), *(Column(head, "end") for head in heads), *kinds, *cut, Column("Answered by"))
    rows = [_row(model, s, bool(kinds), bool(cut)) for model, s in zip(models, series, strict=True)]
    return table("Attempts, failed and lost ones too", columns, rows)


def _by_session(sessions: list[SessionResult], swept: bool) -> Table:
    """Failures beside how many requests were allowed at once, which they often follow."""
    heads = ("Most at once", "Attempts", "Failed attempts", "Without an end")
    rows = []
    for session in sessions:
        counts = (session.concurrency, session.attempts, session.failed, session.lost)
        cells = (Cell(words(f"{count:,}")) for count in counts)
        rows.append(
            Row(
                (
                    Cell(
                        words(f"Session {session.id}"), f"{session.executor} executor{', all sizes' if swept else ''}"
                    ),
                    *cells,
                )
            )
        )
    columns = (Column("Session"), *(Column(head, "end") for head in heads))
    return table("Attempts by session", columns, rows, folded="Attempts by session")


def _cut(cut: CutStreams) -> Cell:
    """Streams that broke off: the server may bill more output than it had told by then."""
    if not cut.attempts:
        return Cell(words("0"))
    received = "" if cut.received_tokens is None else f", about {cut.received_tokens:,} received"
    told = (
        f"{cut.input_tokens:,} tokens in, {cut.output_tokens:,} out reported{received}; {money(cut.cost_usd)} at least"
    )
    return Cell(words(f"{cut.attempts:,}"), told)


def _row(model: ModelResult, series: Series, by_kind: bool, with_cut: bool) -> Row:
    numbers = (model.attempts, model.failed_attempts, model.lost_attempts, model.unpriced_attempts)
    served = few(model.served_models) or "unknown"
    cells = [Cell(words(model.name)), *(Cell(words(f"{n:,}")) for n in numbers)]
    if by_kind:
        most = sorted(model.failures.items(), key=lambda pair: (-pair[1], pair[0]))
        cells.append(Cell(words(", ".join(f"{kind} ×{count:,}" for kind, count in most) or "none")))
    if with_cut:
        cells.append(_cut(model.cut))
    return Row((*cells, Cell(words(served))), series)
