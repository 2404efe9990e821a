"""Method and provenance: everything it takes to check or repeat the figures."""

from collections.abc import Iterable

from evalkit.analysis.estimates import estimates_of
from evalkit.analysis.graded_by import Grading
from evalkit.analysis.results import Analysis
from evalkit.analysis.sessions import SessionResult, kept_time
from evalkit.analysis.workers import worker_warnings
from evalkit.blocks import (
    MOST_WARNINGS,
    Definitions,
    Note,
    Section,
    Span,
    Text,
    code,
    prose,
    words,
)
from evalkit.conditional import mark
from evalkit.denominators import decided_by, epochs_of
from evalkit.models import known, newer_in_tier
from evalkit.price_rows import price_rows, priced
from evalkit.records import Spec
from evalkit.repeat_rows import repeat_rows
from evalkit.routing.figures import CROSS_FITTED
from evalkit.stats import Estimate
from evalkit.wording import estimated, listing, milliseconds, money, percent, plural, sentence, tokens

ORDER = 120


def build(analysis: Analysis) -> Section:
    """Present in every report."""
    caveats = [*analysis.warnings, *worker_warnings(analysis.workers), *_estimate_warnings(analysis)]
    told = caveats == list(analysis.warnings) and len(caveats) < MOST_WARNINGS  # beside the verdict
    notes = () if told else tuple(prose(sentence(text), measured=_timed(text)) for text in dict.fromkeys(caveats))
    return Section(
        name="method",
        label="Method",
        heading="How these figures were made",
        lede=words(
            "Intervals speak about further items of the same kind, not about items unlike these. A figure that could "
            "not be had is named as missing."
        ),
        blocks=(
            Definitions(
                (
                    *_run(analysis),
                    *_baseline(analysis),
                    *_sessions(analysis),
                    *_billed(analysis),
                    *_grading(analysis),
                    *_methods(analysis),
                    *repeat_rows(analysis),
                )
            ),
            *((Note("All warnings", notes),) if notes else ()),
        ),
    )


def _timed(text: str) -> bool:
    return any(word in text.lower() for word in ("latency", "limit from", "quantile"))


def _estimate_warnings(analysis: Analysis) -> list[str]:
    found = []
    for m in analysis.models:
        named = (
            ("pass rate", m.pass_rate),
            ("cost per request", m.cost_per_request),
            ("cost per satisfactory output", m.cost_per_satisfactory),
            ("total with corrections", m.human_fix),
        )
        found += [f"{m.name}, {what}: {warning}" for what, e in named for warning in e.warnings]
    return found


def _run(analysis: Analysis) -> Iterable[tuple[str, Text]]:
    spec = analysis.spec
    begun = " imported " if spec.imported else " started "
    yield "Run", (Span(spec.name, "strong"), Span(begun), Span(spec.created_at, measured=True))
    condition = mark(spec)
    if condition is not None and spec.condition is not None:
        yield "Items", words(f"{condition}; chosen from the run with spec ", code(str(spec.condition.get("run"))))
    yield (
        "Size",
        words(
            f"{plural(analysis.items, 'item')} × {plural(len(spec.models), 'model')} × {epochs_of(analysis)}"
            + (f" × {plural(len(analysis.sweep.sizes), 'context size')}" if analysis.sweep else "")
            + (f", limited to the first {spec.limit:,}" if spec.limit else "")
            + ("" if spec.imported else f", seed {spec.seed}")
        ),
    )
    yield "Context", words(_asked(analysis), *_contexts(analysis))
    for model in spec.models:
        yield f"Model {_name(analysis, model)}", words(code(model), *_lifecycle(model))
    yield "Endpoint", words(*_endpoint(spec))
    yield "Spec", words(code(spec.sha256))
    yield "Dataset", words(code(spec.dataset_sha256))
    yield "Rubric", words(code(spec.rubric_sha256))
    yield "Prompt", words("not known" if spec.imported else code(spec.prompt_sha256))
    yield "Versions", words(f"evalkit {spec.package_version}, prices {spec.prices_version}", *priced(spec))
    yield from price_rows(analysis)


def _baseline(analysis: Analysis) -> Iterable[tuple[str, Text]]:
    """The earlier run that the figures are compared with, if they are."""
    earlier = analysis.baseline
    if earlier is None:
        return
    begun = " imported " if earlier.imported else " started "
    yield "Baseline run", (Span(earlier.name, "strong"), Span(begun), Span(earlier.created_at, measured=True))
    yield "Baseline's dataset", words(code(earlier.dataset_sha256))
    yield "Baseline's rubric", words(code(earlier.rubric_sha256))
    yield "Baseline's prompt", words("not known" if earlier.prompt_sha256 is None else code(earlier.prompt_sha256))
    yield "Baseline's spec", words(code(earlier.sha256))


def _asked(analysis: Analysis) -> str:
    spec, sweep = analysis.spec, analysis.sweep
    if sweep is not None:
        sizes = listing([tokens(size) for size in spec.contexts])
        return f"{sizes} input tokens asked for; figures are at {tokens(sweep.analysed)}, {sweep.basis}"
    return f"{tokens(spec.context_tokens)} input tokens asked for" if spec.context_tokens else "as the items are"


def _sessions(analysis: Analysis) -> Iterable[tuple[str, Text]]:
    """Where and how fast requests were sent, one line an invocation."""
    if not analysis.sessions and any(m.attempts for m in analysis.models):
        yield "Sessions", words("not recorded")
    for session in analysis.sessions:
        yield f"Session {session.id}", (*_sent(session), *_by(analysis, session), *_kept_time(session))
    if analysis.sessions:  # whether it kept time is measured, that a line says so is not
        yield "Clock", (Span(kept_time(analysis.sessions), measured=True),)


def _billed(analysis: Analysis) -> Iterable[tuple[str, Text]]:
    """What became of every attempt, and that the failed ones are paid for in the figures."""
    counts = [
        (sum(getattr(m, name) for m in analysis.models), what)
        for name, what in (
            ("failed_attempts", "failed"),
            ("lost_attempts", "without an end"),
            ("unpriced_attempts", "without a price"),
            ("unknown_cost_attempts", "of unknown cost"),
        )
    ]
    waiting, sent = sum(session.waiting for session in analysis.sessions), sum(m.attempts for m in analysis.models)
    if sent or waiting:
        at = "" if analysis.sweep is None else f" at {tokens(analysis.sweep.analysed)} tokens"
        parts = [f"{sent:,} of production{at}", *(f"{count:,} {what}" for count, what in counts)]
        if waiting:
            parts.append(f"{waiting:,} more in batches that are not back{', at any size' if at else ''}")
        yield "Attempts", words(f"{', '.join(parts)}; known costs are in every cost above")


def _sent(session: SessionResult) -> Iterable[Span]:
    yield Span(f"{session.executor} executor, at most {plural(session.concurrency, 'request')} at once; ")
    parts = [f"{plural(session.attempts, 'attempt')} of production"] if session.attempts else []
    parts += [f"{plural(session.judging, 'request')} to judges"] if session.judging else []
    yield Span(listing(parts) or "no request sent")
    yield Span("" if session.ended else ", not ended: under way, or killed")


def _by(analysis: Analysis, session: SessionResult) -> Iterable[Span]:
    """How many workers of a cluster sent its requests, if any did."""
    own = [worker for worker in analysis.workers if worker.session_id == session.id]
    if own:
        nodes, gone = len({worker.node for worker in own}), sum(worker.lost is not None for worker in own)
        yield Span(
            f"; sent by {plural(len(own), 'worker')} on {plural(nodes, 'node')}{f', {gone} lost' if gone else ''}"
        )


def _kept_time(session: SessionResult) -> Iterable[Span]:
    lag = "not measured" if session.lag_p99_s is None else f"{milliseconds(session.lag_p99_s)} (p99)"
    reuse = f"{session.reused:,} of {session.connections:,} connections open already; " if session.connections else ""
    yield Span(f"; {reuse}began {session.started_at}; lag of our own loop {lag}", measured=True)


def _endpoint(spec: Spec) -> Iterable[str | Span]:
    if spec.imported:
        return ("not known: the outputs were imported, content ", code(str(spec.outputs_sha256)))
    return (code(spec.endpoint), f", at most {tokens(spec.max_tokens)} output tokens where the dataset says nothing")


def _name(analysis: Analysis, model_id: str) -> str:
    return next((m.name for m in analysis.models if m.model == model_id), model_id)


def _contexts(analysis: Analysis) -> Iterable[str]:
    for m in analysis.models:
        if m.context is not None:
            how = "counted by the API" if m.context.counted else "estimated"
            low, mid, high = (
                tokens(x) for x in (m.context.smallest_tokens, m.context.median_tokens, m.context.largest_tokens)
            )
            yield f"; {m.name} {low} to {high}, median {mid}, {how}"


def _lifecycle(model_id: str) -> Iterable[str]:
    model = known(model_id)
    if model is None:
        yield ", not in this version's model list"
        return
    if not model.pinned:
        yield ", an alias that can change under you"
    if model.lifecycle != "active":
        yield f", {model.lifecycle}" + (f" (retires {model.retires})" if model.retires else "")
    newer = newer_in_tier(model_id)
    if newer:
        yield f"; newer in its tier: {listing(newer)}"


_BLINDING = {
    True: "blind: graders saw no model name",
    False: "NOT blind",
    None: "imported, blinding not known",
}


def _grading(analysis: Analysis) -> Iterable[tuple[str, Text]]:
    grading = analysis.grading
    if grading.round is None:
        by = listing(list(dict.fromkeys(one.grader for one in analysis.preferred)))
        opened = f"no grades yet in {plural(grading.rounds, 'round')}" if grading.rounds else "no grading round yet"
        yield "Grading", words(f"{opened}; compared side by side by {by}" if by else opened)
    else:
        graders = listing(grading.graders) or "nobody"
        idle = f"; {listing(grading.idle)} joined and graded nothing" if grading.idle else ""
        blind = _BLINDING[grading.round.blind]
        yield (
            "Grading",
            words(f"round {grading.round.id}, {blind}, {plural(grading.grades, 'grade')} by {graders}{idle}"),
        )
        yield (
            "One level of several",
            words(f"{_RULES[grading.aggregate]} ({grading.aggregate}, as the rubric declares){_over(grading)}"),
        )
        if grading.people:
            yield "Shown", words(_shown(grading))
    if grading.judges:
        more = " Graders in the report has more." if analysis.agreement or analysis.judges else ""
        yield "Judge", words(f"{listing(grading.judges)}; {_calibrated(analysis)}. {_weight(analysis)}{more}")
    if grading.judges or grading.judge_attempts:
        yield "Judge's cost", words(_judge_cost(grading))
    outputs, ungraded = sum(m.counts.ungraded for m in analysis.models), sum(grading.ungraded.values())
    parts = listing([f"{reason}: {count:,}" for reason, count in sorted(grading.ungraded.items())])
    told = f"; {plural(ungraded, 'grade')} asked for and not given ({parts})" if ungraded else ""
    yield "Ungraded", words(f"{plural(outputs, 'output')}{told}")
    yield "Names in outputs", words(_marks(grading))


_RULES = {
    "median": "the lower median of the graders' levels on each criterion",
    "majority": "the most frequent of the graders' levels on each criterion, of equally frequent ones the lowest",
    "mean": "the mean of the graders' levels on each criterion",
    "all": "the lowest of the graders' levels on each criterion, so that all must be content",
}
"""How the rubric's rule reads; it was fixed with the rubric, before the first output."""


def _over(grading: Grading) -> str:
    return "; a person's level replaces those of judges" if grading.people and grading.judges else ""


def _shown(grading: Grading) -> str:
    """When people were done, and whether anybody looked before."""
    unpeeked = "; shown before they began, as of others' grades" if grading.after_results else "; nobody peeked before"
    peeked = f"; looked at before with --peek, {listing(grading.peeks)}" if grading.peeks else unpeeked
    if grading.open:
        return f"people are still grading, results looked at with --peek, {listing(grading.peeks) or 'not recorded'}"
    closed = f"after the round was closed, {grading.closed_at}" if grading.closed_at else "the round was never closed"
    after = (
        f"; {plural(grading.after_results, 'grade')} by people came after results had been shown"
        if grading.after_results
        else ""
    )
    return closed + peeked + after


def _marks(grading: Grading) -> str:
    if grading.round is not None and grading.round.blind is None:
        return "not looked for: the grades were given elsewhere"
    taken = ", taken out before grading" if grading.identity_marks else ""
    return f"{plural(grading.identity_marks, 'mark')} that could have told a grader the author{taken}"


def _calibrated(analysis: Analysis) -> str:
    seen = {judge.judge: judge.outputs for judge in analysis.judges}
    if set(seen) >= set(analysis.grading.judges):
        return f"checked against people on {plural(min(seen.values()), 'output')}"
    return "uncalibrated until people have graded a sample"


def _weight(analysis: Analysis) -> str:
    """How much of the figures rests on judges."""
    grading, decided = analysis.grading, decided_by(analysis)
    lost = [judge for judge in grading.judges if judge in grading.dropped]
    told = f" {listing(lost)} {'decides' if len(lost) == 1 else 'decide'} nothing." if lost else ""
    left = [judge for judge in grading.judges if judge not in lost]
    whose = "its" if len(left) == 1 else "their"
    if not left:
        return told.strip()
    if not decided["judge"]:
        return f"No verdict rests on {whose} grades: people's took their place.{told}"
    if not decided["people"]:
        return f"{whose.capitalize()} errors are in every figure above and not in the intervals.{told}"
    share = f"{decided['judge']:,} of {plural(sum(decided.values()), 'output')}"
    return (
        f"{whose.capitalize()} grades decide {share}, and {whose} errors are in the figures of these and not in the"
        f" intervals.{told}"
    )


def _judge_cost(grading: Grading) -> str:
    if grading.judge_usd is None and not grading.judge_attempts:
        return "not known: the grades were imported"
    usd = money(grading.judge_usd)
    if 0 < grading.judge_unpriced_attempts < grading.judge_attempts:
        usd = f"at least {money(grading.judge_known_usd)}, with {grading.judge_unpriced_attempts:,} unpriced,"
    rounds = f", in all {grading.rounds} rounds" if grading.rounds > 1 else ""
    lost = f", {grading.judge_lost_attempts:,} without an end" if grading.judge_lost_attempts else ""
    return (
        f"{usd} for {plural(grading.judge_attempts, 'attempt')}, "
        f"{grading.judge_failed_attempts:,} of them failed{lost}{rounds}; not part of any production cost above"
    )


def _methods(analysis: Analysis) -> Iterable[tuple[str, Text]]:
    models, pairs = analysis.models, analysis.pairs
    if not models:
        return
    felt = [q for m in models for clock in m.clocks.values() for q in clock.quantiles.values()]
    figures: list[tuple[str, list[Estimate]]] = [
        ("pass rate", [m.pass_rate for m in models]),
        ("paired difference", [pair.difference for pair in pairs]),
        ("cost per request", [m.cost_per_request for m in models]),
        ("cost per satisfactory output", [m.cost_per_satisfactory for m in models]),
        ("cost ratio", [pair.cost_ratio for pair in pairs]),
        ("total with corrections", [m.human_fix for m in models]),
        ("latency", felt),
    ]
    parts = [f"{name}: {used}" for name, estimates in figures if (used := _used(estimates))]
    yield "Intervals", words("; ".join([percent(models[0].pass_rate.confidence), *parts]))
    told = {method for _, estimates in figures for method in _methods_of(estimates)}
    every, tuned = list(_methods_of(estimates_of(analysis))), f", {CROSS_FITTED}"
    others = sorted({method.removesuffix(tuned) for method in every} - told)
    others += [f"of policies with numbers to set {CROSS_FITTED}"] * any(method.endswith(tuned) for method in every)
    if others:
        yield "Other intervals", words("; ".join(others))
    yield (
        "p-values",
        words(
            "McNemar mid-p" if analysis.spec.epochs == 1 else "sign-flip permutation of item means",
            ", adjusted after Holm over all pairs of models; those of cost ratios from their limits, adjusted alike",
        ),
    )
    yield "Draws", words(f"orders, resamples and permutations start from the run's seed, {analysis.spec.seed}")
    yield (
        "Correction",
        words(
            f"{_correction(analysis)} to put an output right; {money(analysis.review_usd)} to review one, by the rubric"
        ),
    )


def _used(estimates: Iterable[Estimate]) -> str:
    """The methods of the limits that are shown, each once: they go by what was seen, as a rate of 0 or 1."""
    return " or ".join(_methods_of(estimates))


def _methods_of(estimates: Iterable[Estimate]) -> Iterable[str]:
    return dict.fromkeys(e.method for e in estimates if e.method and (e.low is not None or e.high is not None))


def _correction(analysis: Analysis) -> str:
    cost = analysis.correction
    if not cost.outputs:
        where = " in the rubric" if cost.source == "stated" else ", which a rubric's economics may change"
        return f"{money(analysis.correction_usd)} ({cost.source}{where})"
    return f"{estimated(cost.usd, 'money')}, {cost.source} of {plural(cost.usd.n, 'item')},"
