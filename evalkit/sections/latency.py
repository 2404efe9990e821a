"""Latency: how long answers take, on three clocks, with intervals that say where they are open."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from evalkit.analysis.results import Analysis, ModelResult
from evalkit.analysis.sessions import SessionResult, clock_warnings
from evalkit.analysis.workers import SLOW_P, SLOW_RATIO, WorkerResult, worker_warnings
from evalkit.blocks import (
    Block,
    Cell,
    Column,
    Note,
    Paragraph,
    Row,
    Section,
    table,
    words,
)
from evalkit.chart_blocks import (
    Axis,
    Ecdf,
    Forest,
    ForestRow,
    Mark,
    Series,
    Steps,
)
from evalkit.main_clock import NAMES, MainClock, main_clock, timed
from evalkit.series import lineup
from evalkit.stats import Estimate, dkw_epsilon, values_needed
from evalkit.wording import NOT_MEASURED, Format, listing, milliseconds, plural, seconds, sentence

ORDER = 50
_ONE_IN_TWENTY = 20
_FEW = 3
"""Models that a sentence names one by one even where the same holds for all."""
"""Calls below which no twentieth of them was seen."""
_CLOCKS = (
    ("ttft", "First text", "until the first text"),
    ("total", "Whole answer", "until the last text, one attempt"),
    ("felt", "Felt", "retries and waits included"),
)
_PER_TOKEN = (("inter_token", "Per token", "mean gap, after the first"),)
_Clocks = tuple[tuple[str, str, str], ...]


def build(analysis: Analysis) -> Section | None:
    """None while no call has ended."""
    series = tuple(s for s in lineup(analysis) if any(c.values_s for c in analysis.model(s.key).clocks.values()))
    if not series:
        return _untimed(analysis)
    name, lede = _main_clock(analysis)
    heading = _heading(analysis, series, name)
    open_ends = " ".join(
        filter(
            None,
            (
                _held(analysis, name),
                _band(analysis, series, name),
                _given_up(analysis, series),
                _open_ends(analysis, series, name),
            ),
        )
    )
    return Section(
        name="latency",
        label="Latency",
        heading=heading,
        lede=words(
            f"The curves show the share of answers that had arrived after a time {lede} (log scale). Below: quantiles "
            "of the clocks there are, and of the time a token takes once text flows. They are smoothed (Harrell and "
            "Davis), so one may lie where no answer did; intervals come from order statistics and assume no shape. "
            "Calls that timed out are in curves and clocks, as longer than all others."
        ),
        blocks=(
            *((chart,) if (chart := _curves(analysis, series, heading, name)) else ()),
            _quantiles(analysis, series, heading, _CLOCKS, ("p50", "p90", "p95")),
            *_per_token(analysis, series, heading),
            *((Paragraph(words(open_ends)),) if open_ends else ()),
            *_sessions(analysis),
            *_workers(analysis),
        ),
        measured=True,
    )


def _untimed(analysis: Analysis) -> Section | None:
    """What is said of answers that nobody timed: a batch's, or outputs made elsewhere."""
    if not any(m.counts.answered for m in analysis.models):
        return None
    return Section(
        name="latency",
        label="Latency",
        heading="Latency was not measured",
        lede=words("The answers came without a clock beside them, as a batch's do, so no latency is claimed for them."),
        blocks=tuple(_sessions(analysis)),
        measured=True,
    )


def _sessions(analysis: Analysis) -> Iterable[Block]:
    """The three clocks of each session beside what it asked of the server and of this machine."""
    sessions = [session for session in analysis.sessions if session.attempts]
    if not sessions:
        return
    columns = (
        Column("Session"),
        Column("Most at once", "end"),
        Column("In flight when sent, median", "end"),
        Column("Connection open already", "end"),
        Column("One attempt, median", "end"),
        Column("Felt, median", "end"),
        Column("Queued on our side, median", "end"),
        Column("Lag of our own loop, p99", "end"),
    )
    rows = [_session(session, analysis.sweep is not None) for session in sessions]
    yield table("Clocks by session", columns, rows, folded="Clocks by session")
    yield Paragraph(
        words(
            "One attempt is the server's own time for the attempt that answered; felt adds the failed attempts and "
            "pauses before it. What a request waited on our side before it was sent is queueing: it is in neither, and "
            "never counted as the model's."
        )
    )
    said = tuple(words(text) for text in clock_warnings(analysis.sessions))
    if said:
        yield Note("Our own clock", said)


def _session(session: SessionResult, swept: bool) -> Row:
    flight, lag = session.in_flight, session.lag_p99_s
    reuse = f"{session.reused:,} of {session.connections:,}" if session.connections else "not known"
    return Row(
        (
            Cell(
                words(str(session.id)),
                f"{session.executor}, {plural(session.attempts, 'attempt')}{' at all sizes' if swept else ''}",
            ),
            Cell(words(f"{session.concurrency:,}")),
            Cell(words(NOT_MEASURED if flight is None else f"{flight:g}")),
            Cell(words(reuse)),
            Cell(words(_time(session.service_s)), plural(session.timed, "answer") if session.timed else ""),
            Cell(words(_time(session.felt_s))),
            Cell(words(_time(session.queued_s))),
            Cell(words(NOT_MEASURED if lag is None else milliseconds(lag)), "late" if session.late else ""),
        )
    )


def _workers(analysis: Analysis) -> Iterable[Block]:
    """A cluster's workers side by side, where there were several, and what is wrong with one."""
    warned = worker_warnings(analysis.workers)
    if len(analysis.workers) > 1:
        columns = (
            Column("Worker"),
            Column("Attempts", "end"),
            Column("Model"),
            Column("One attempt, median", "end"),
            Column("The others meanwhile", "end"),
            Column("Slower by chance, p", "end"),
            Column("Lag of its loop, p99", "end"),
            Column("Its clock ahead by", "end"),
        )
        names = {model.model: model.name for model in analysis.models}
        rows = [row for worker in analysis.workers for row in _worker(worker, names)]
        yield table("Clocks by worker", columns, rows, folded="Clocks by worker")
        yield Paragraph(
            words(
                "Each worker times what it sends by its own clock. It is held against the others while it was at work, "
                "by a one-sided Mann-Whitney test, Holm over workers and models, and called slow where p is below "
                f"{SLOW_P:g} and its median at least {SLOW_RATIO:g} times theirs."
            )
        )
    if warned:
        yield Note("Workers", tuple(words(sentence(text)) for text in warned))


def _worker(worker: WorkerResult, names: Mapping[str, str]) -> Iterable[Row]:
    """A line a model, or one line for a worker that brought no answer."""
    lag = NOT_MEASURED if worker.lag_p99_s is None else milliseconds(worker.lag_p99_s)
    ahead = f"{worker.clock_offset_s * 1000:+,.0f} ± {worker.clock_error_s * 1000:,.0f} ms"
    lost = f"{plural(worker.lost_attempts, 'attempt')} lost with it" if worker.lost is not None else ""
    for model in worker.models or (None,):
        yield Row(
            (
                Cell(words(f"{worker.id}, {worker.host}"), f"lost: {worker.lost}" if worker.lost is not None else ""),
                Cell(words(f"{worker.attempts:,}"), lost),
                Cell(words(names.get(model.model, model.model) if model else "none answered")),
                Cell(
                    words(_time(model.service_s if model else None)), plural(model.answers, "answer") if model else ""
                ),
                Cell(words(_time(model.other_service_s if model else None))),
                Cell(words(NOT_MEASURED if model is None or model.p_holm is None else f"{model.p_holm:.3f}")),
                Cell(words(lag), "late" if worker.late else ""),
                Cell(words(ahead), "wrong" if worker.skewed else ""),
            )
        )


def _time(s: float | None) -> str:
    return NOT_MEASURED if s is None else seconds(s)


def _main_clock(analysis: Analysis) -> tuple[MainClock, str]:
    """The clock that a user feels, or one attempt's where that alone is known; and how the text calls it."""
    name = main_clock(analysis)
    if name == "felt":
        return name, "as a user feels it, retries and waits included"
    return name, "as one attempt took it, since what a user felt, retries and waits included, was not measured"


def _quantile(analysis: Analysis, series: Series, name: str, quantile: str) -> Estimate | None:
    clock = analysis.model(series.key).clocks.get(name)
    return clock.quantiles.get(quantile) if clock else None


def _heading(analysis: Analysis, series: tuple[Series, ...], name: str) -> str:
    key = analysis.decision.option
    chosen = next((s for s in series if s.key == key), series[0])
    half, slow = (_quantile(analysis, chosen, name, quantile) for quantile in ("p50", "p95"))
    if half is None or half.value is None:
        return "How long answers take"
    taken = analysis.model(chosen.key).clocks[name].values_s
    if len(taken) == 1:
        return f"{chosen.name}'s only call took {seconds(taken[0])}"
    if half.n == 1:
        return f"{chosen.name}'s {len(taken)} calls took {seconds(min(taken))} to {seconds(max(taken))}"
    if slow is None or slow.value is None or slow.n < _ONE_IN_TWENTY:
        return f"{chosen.name}'s median answer takes about {seconds(half.value)}"
    if seconds(slow.value) == seconds(half.value):
        return f"{chosen.name}'s answers take about {seconds(half.value)}, median and p95 alike"
    return f"{chosen.name}'s median answer takes about {seconds(half.value)}, its p95 is about {seconds(slow.value)}"


def _bounds(analysis: Analysis, series: tuple[Series, ...], clocks: tuple[str, ...]) -> tuple[float, float]:
    models = [analysis.model(s.key) for s in series]
    values = [v for m in models for name in clocks if name in m.clocks for v in m.clocks[name].values_s if v > 0]
    return min(values, default=0.1), max(values, default=10.0)


def _curves(analysis: Analysis, series: tuple[Series, ...], finding: str, name: MainClock) -> Ecdf | None:
    steps = tuple(
        Steps(s, clock.values_s, len(clock.censored_s))
        for s in series
        if (clock := analysis.model(s.key).clocks.get(name)) is not None and clock.values_s
    )
    if not steps:
        return None
    low, high = _bounds(analysis, series, (name,))
    return Ecdf(finding, Axis(f"{NAMES[name].lower()}, log scale", "seconds", low / 1.25, high * 1.15, log=True), steps)


def _per_token(analysis: Analysis, series: tuple[Series, ...], finding: str) -> tuple[Forest, ...]:
    """A scale of its own, in ms: beside whole answers it would squeeze both."""
    chart = _quantiles(analysis, series, finding, _PER_TOKEN, ("p50", "p95"), "milliseconds")
    return (chart,) if chart.rows else ()


def _quantiles(
    analysis: Analysis,
    series: tuple[Series, ...],
    finding: str,
    clocks: _Clocks,
    quantiles: tuple[str, ...],
    unit: Format = "seconds",
) -> Forest:
    low, high = _bounds(analysis, series, tuple(name for name, _, _ in clocks))
    rows = []
    for name, label, note in clocks:
        for quantile in quantiles:
            marks = tuple(
                Mark(s, clock.quantiles[quantile])
                for s in series
                if (clock := analysis.model(s.key).clocks.get(name)) is not None and clock.values_s
            )
            if marks:
                rows.append(ForestRow(f"{label}, {quantile}", marks, note))
    return Forest(finding, Axis(f"{unit}, log scale", unit, low / 1.25, high * 1.25, log=True), tuple(rows))


def _band(analysis: Analysis, series: tuple[Series, ...], name: str) -> str:
    """How far the whole of a curve may be from that of all answers like these, on the fewest items of any."""
    counts = [e.n for s in series if (e := _quantile(analysis, s, name, "p50")) is not None and e.n]
    if not counts:
        return ""
    reach = dkw_epsilon(min(counts))
    if reach >= 0.5:
        return ""  # it would say that the curve may be any other
    return f"The whole of each curve holds to within {100 * reach:.0f} points up or down (95%, {min(counts):,} items)."


def _held(analysis: Analysis, name: MainClock) -> str:
    """How many trials of each model its curve holds, what is left out and why."""
    models = [analysis.model(s.key) for s in lineup(analysis)]
    trials = " trial" if models and models[0].counts.planned == 1 else " trials"
    alike = {_kept(replace(model, name="every model"), name, trials) for model in models}
    each = [_kept(model, name, trials * (model is models[0])) for model in models]
    held = listing(sorted(alike) if len(alike) == 1 and len(models) > _FEW else each)
    unended = any(m.counts.failed for m in models)
    why = " Without a whole answer there is no latency here; the gate counts a truncated one with its wait."
    return f"The curves hold {held}.{why if unended else ''}"


def _kept(model: ModelResult, name: MainClock, noun: str) -> str:
    counts, clock = model.counts, model.clocks.get(name)
    values, given_up = (len(clock.values_s), len(clock.censored_s)) if clock is not None else (0, 0)
    out = {
        "refused": counts.refused,
        "truncated": counts.truncated,
        "errored": counts.errored - given_up,
        "answered but not timed": counts.answered - values,
        "pending": counts.pending,
    }
    left = listing([f"{count:,} {what}" for what, count in out.items() if count > 0])
    held = f"{timed(model, name):,} of {counts.planned:,}{noun} of {model.name}"
    return f"{held} (without {left})" if left else held


def _given_up(analysis: Analysis, series: tuple[Series, ...]) -> str:
    """How many calls of each clock were cut off by the time limit, and what that does to the figures."""
    found = []
    for name, label, _ in _CLOCKS:
        cut = [(s.name, c.censored_s) for s in series if (c := analysis.model(s.key).clocks.get(name)) and c.censored_s]
        found += [
            f"{label}, {who}: {plural(len(waits), 'call')} given up after {seconds(waits[0])} or more"
            for who, waits in cut
        ]
    if not found:
        return ""
    return f"{'; '.join(found)}. They count as longer than all others: a quantile or limit among them is open."


def _open_ends(analysis: Analysis, series: tuple[Series, ...], name: str) -> str:
    """One sentence per quantile of the main clock whose upper limit no number of these calls can give."""
    found, felt = [], "Felt " if name == "felt" else ""
    for quantile, share in (("p90", 0.9), ("p95", 0.95)):
        estimates = [(s.name, e) for s in series if (e := _quantile(analysis, s, name, quantile)) is not None]
        open_ = [(who, e) for who, e in estimates if e.value is not None and e.high is None]
        if open_:
            each = [f"{e.n:,}" for _, e in open_]
            sizes = listing(each if len(set(each)) > 1 else each[:1])
            unit = "item" if analysis.spec.epochs > 1 else "call"
            calls = unit if sizes == "1" else f"{unit}s"
            needed = values_needed(share, open_[0][1].confidence)
            every = len(open_) == len(analysis.models) > _FEW
            names = "every model" if every else listing([who for who, _ in open_])
            need = (
                f"need {needed}"
                if analysis.spec.epochs == 1
                else f"with their repeats worth fewer than the {needed} calls that it takes"
            )
            found.append(f"{felt}{quantile} of {names}: open, no upper limit from {sizes} {calls} ({need}).")
    return " ".join(found)
