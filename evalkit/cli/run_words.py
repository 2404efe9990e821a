"""What `evalkit run` is about to do, what that may cost, and how it went, in words."""

from typing import TYPE_CHECKING, Any

from evalkit.cli.terminal import in_shell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.bill import Line
    from evalkit.planning import Prepared
    from evalkit.run import Done

PINNED_BY = {"requests": "--rpm", "input_tokens": "--tpm"}
"""The options that pin limits a minute, by what they limit."""


def late(done: "Done", who: str = "this machine") -> str:
    """What to say of a clock that could not keep up; empty if it could, or nobody knows."""
    from evalkit.session_records import TRUSTED_LAG_S

    if done.lag_p99_s is None or done.lag_p99_s <= TRUSTED_LAG_S:
        return ""
    by = f"{who} was late by {done.lag_p99_s * 1000:.0f} ms (p99), so latencies are partly its own"
    return f"{by}; lower -j for truer ones"


def left_out(done: "Done", who: str = "this process") -> str:
    """What to say of latencies that are not claimed; empty if there are none."""
    from evalkit.wording import plural

    if not done.untimed:
        return ""
    lost = " or was lost" if who != "this process" else ""
    why = f"{who} stood still (stopped, suspended or starved){lost} while they were under way"
    return f"the latencies of {plural(done.untimed, 'trial')} are left out: {why}; their answers count"


def planned(prepared: "Prepared") -> dict[str, Any]:
    """What is about to be sent, for machines; USD, and null where it is unpriced."""
    fields = ("model", "requests", "batched", "input_tokens", "expected_usd", "worst_usd")
    return {
        "run": str(prepared.path),
        "trials": len(prepared.plan.order),
        "done": prepared.done,
        "spent_usd": prepared.charged.spent_usd,
        "models": [{name: getattr(line, name) for name in fields} for line in prepared.bill.lines],
    }


def completed(done: "Done") -> str:
    """The end of a run in words."""
    failed = [f"{count} {outcome}" for outcome, count in sorted(done.outcomes.items()) if outcome != "answered"]
    answered = done.outcomes.get("answered", 0)
    return f"complete, {answered} answered, {', '.join(failed)} for good" if failed else "complete"


def staged(prepared: "Prepared") -> str:
    """That a part of the plan is left for later, and how to go on; empty if there is none."""
    if not prepared.later:
        return ""
    return f" for the first {prepared.options.share:g} of the items; the same command with a larger --share goes on"


def describe(
    prepared: "Prepared", budget_usd: float | None, concurrency: int, pinned: "Mapping[str, int]", then: str = ""
) -> str:
    """What a run is about to do, what it may cost, and how long it takes."""
    from evalkit.bill import total
    from evalkit.cli.spending import bound_lines, capped, foreseen
    from evalkit.conditional import mark

    spec, bill = prepared.plan.spec, prepared.bill
    if not prepared.left:
        done = f"complete already{staged(prepared)}, nothing to send: {prepared.path}"
        return f"{done}\nnext: evalkit {then or f'grade --blind {in_shell(prepared.path)}'}"
    lines = [f"new run {prepared.path}"]
    if prepared.exists:
        lines = [f"going on with {prepared.path}: {prepared.done} of {len(prepared.plan.order)} trials done, kept"]
    if spec.simulated:
        lines.append("SIMULATED: this server is evalkit's sandbox")
    condition = mark(spec)
    lines += [f"  {note}" for note in (*prepared.notes, *((condition,) if condition else ()))]
    lines += [_bill_line(line) for line in bill.lines if line.requests]
    lines += [f"{_bill_line(line)} (for `evalkit grade`, apart)" for line in bill.judges]
    lines += bound_lines(bill)
    lines += _context_lines(prepared)
    together = foreseen(total(line.expected_usd for line in bill.lines), total(line.worst_usd for line in bill.lines))
    lines.append(f"  together {together}, each request sent once{capped(budget_usd, prepared.charged)}")
    if bill.judges:
        lines.append(f"  with judging {foreseen(bill.total_usd('expected'), bill.total_usd('worst'))}")
    batched, requests = (sum(getattr(line, name) for line in bill.lines) for name in ("batched", "requests"))
    if batched:
        lines.append(
            f"  {batched} of them in batches, at batch prices: most done in 1 h, all in 24 h, latency not measured"
        )
    elif prepared.options.way.executor == "batch" and requests:
        lines.append("  none of them in batches: --latency-sample streams all of these items, at list price")
    if batched < requests:
        flags = [f"-j {concurrency}", *(f"{PINNED_BY[kind]} {most}" for kind, most in pinned.items())]
        takes = _duration(bill.seconds(concurrency, pinned))
        lines.append(f"  about {takes} at {' '.join(flags)}, {_basis(prepared)}")
    else:
        lines.append(f"  {_basis(prepared)}")
    return "\n".join(lines)


def _bill_line(line: "Line") -> str:
    from evalkit.cli.spending import foreseen

    mean = line.input_tokens // max(1, line.requests)
    size = f"{mean:,} tokens each" + (" (estimated)" if line.uncounted else "")
    costs = foreseen(line.expected_usd, line.worst_usd)
    way = f", {line.batched} batch-priced" if line.batched else ""
    return f"  {line.model}: {line.requests} requests, {size}, {costs}{way}"


def _basis(prepared: "Prepared") -> str:
    from evalkit.bill import TYPICAL_OUTPUT_TOKENS

    seen = sum(line.seen for line in prepared.bill.lines)
    assumed = f"assuming {TYPICAL_OUTPUT_TOKENS} tokens an answer, or as many as it may have where they are fewer"
    basis = f"going by the {seen} answers there are" if seen else assumed
    if prepared.plan.spec.cache == "off":
        return basis
    if any(line.streamed for line in prepared.bill.lines):
        basis += ", marked prefixes being read once the first request with them is over"
    if any(line.batched for line in prepared.bill.lines):
        basis += ", marked prefixes being written by each request of a batch"
    return basis


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1.0, seconds):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _context_lines(prepared: "Prepared") -> list[str]:
    """What is odd about the prompt sizes: production's context is missed, or overshot by evidence alone."""
    spec = prepared.plan.spec
    asked = {item.id: item.context_tokens if spec.contexts else spec.context_tokens for item in prepared.plan.items}
    largest: dict[int, int] = {}
    for size in prepared.plan.sizes:
        context = asked[size.item_id]
        if context is not None:
            largest[context] = max(largest.get(context, 0), size.tokens)
    return [line for context, reached in sorted(largest.items()) for line in _missed(context, reached)]


def _missed(asked: int, largest: int) -> list[str]:
    if largest > asked:
        return [f"  warning: prompts of up to {largest:,} tokens, over the {asked:,} asked for: evidence is sent whole"]
    if largest < 0.8 * asked:
        return [f"  warning: prompts reach {largest:,} of the {asked:,} tokens asked for; add documents to fill them"]
    return []
