"""Whether a cost is shown to stay below a ratio, told as a check's result."""

from collections.abc import Callable
from functools import partial

from evalkit import stats
from evalkit.analysis.caching import warmed_apart
from evalkit.analysis.results import OutputResult
from evalkit.gating.evidence import Evidence, Measure
from evalkit.gating.ratio_asked import Ratio
from evalkit.gating.ratios import ratio_limit, ratio_result
from evalkit.gating.results import CheckResult
from evalkit.gating.rules import Rules
from evalkit.import_costs import on_two_bases
from evalkit.stats import Estimate
from evalkit.strict import StrictModel
from evalkit.wording import plural

_ONE_WAY = "both models sent the same way: new runs of both with `--executor batch`, or both without"


_ONE_BASIS = "`cost_usd` on every line of the imports, or on none"
_ONE_RUN = "both models in one run, so that neither finds what an earlier run has left in the cache"


class Dearest(StrictModel):
    """`at_most`: the ratio, candidate over baseline, that the cost must be shown to stay below."""

    at_most: Ratio = 1.10


def dearer_result(
    name: str,
    what: str,
    evidence: Evidence,
    asked: Dearest,
    rules: Rules,
    compared: Callable[[Measure], tuple[Estimate, str | None]],
    of_more: Callable[[Measure, int], Estimate] | None = None,
) -> CheckResult:
    """`compared` gives the ratio of a measure of costs, and why it may not pass (None if it may); it is asked for only
    where both sides are priced, since a side with an unpriced request has no total. `of_more`: the ratio of so many
    items like these, where its limits do not come nearer by the root of their number.

    Where one side went in batches and the other did not, bills would compare their prices: so the one that both
    models would have without batches is taken. What the candidate's calls cost that failed on every attempt so far is
    no part of the ratio, but it may not pass unless it would with that as well: streams that break are billed.
    """
    apart = _priced_apart(evidence)
    nowhere = apart and _unknown(evidence)  # then nothing has a price without batches, which is another thing to mend
    for model in evidence.sides:
        if model.cost_per_request.value is None and not nowhere:
            finding = f"{what}: {model.name} {model.cost_per_request.reason}"
            return CheckResult(name, "inconclusive", finding, ratio_limit(asked.at_most), needs="prices")
    if (warmed := _warmed_apart(evidence)) is not None:
        return CheckResult(name, "inconclusive", f"{what}: {warmed}", ratio_limit(asked.at_most), needs=_ONE_RUN)
    if (bases := _on_two_bases(evidence)) is not None:
        return CheckResult(name, "inconclusive", f"{what}: {bases}", ratio_limit(asked.at_most), needs=_ONE_BASIS)
    if nowhere:
        finding = (
            f"{what}: {apart}, and what these would cost outside of one is not known (caches, fast mode, own prices)"
        )
        return CheckResult(name, "inconclusive", finding, ratio_limit(asked.at_most), needs=_ONE_WAY)
    usd = _unbatched if apart else _billed
    ratio, gap = compared(usd)
    gap = gap or _spent_in_vain(evidence, usd, ratio, asked.at_most)
    at = f"{what} at the price without batches" if apart else what
    more = None if of_more is None else partial(of_more, usd)
    return ratio_result(name, at, ratio, asked.at_most, stats.above_one_p(ratio), gap, rules, more)


def _spent_in_vain(evidence: Evidence, usd: Measure, ratio: Estimate, at_most: float) -> str | None:
    """That what the candidate's unanswered calls cost would take the ratio to its limit; None if it would not."""
    outputs = [output for of_item in evidence.outputs()[1].values() for output in of_item]
    vain = [cost for output in outputs if not output.settled and (cost := usd(output))]
    whole = sum(usd(output) or 0.0 for output in outputs if output.settled)
    high = ratio.value if ratio.high is None else ratio.high
    if not vain or high is None or not whole or high * (1 + sum(vain) / whole) < at_most:
        return None
    calls = f"{plural(len(vain), 'call')} of the candidate that failed on every attempt so far"
    return f"{calls} cost {sum(vain) / whole:.0%} on top, which would take it to its limit"


def _on_two_bases(evidence: Evidence) -> str | None:
    sides = (evidence.of_baseline.spec, evidence.baseline), (evidence.of_candidate.spec, evidence.candidate)
    return on_two_bases(sides) if any(spec.imported for spec, _ in sides) else None


def _warmed_apart(evidence: Evidence) -> str | None:
    """That the sides were sent in runs of their own, and found their prompts in a cache to different degrees; None if
    not: what differs in one run would differ in production."""
    sides = ((evidence.of_baseline, evidence.baseline), (evidence.of_candidate, evidence.candidate))
    then, now = (next((use for use in a.caching if use.model == model), None) for a, model in sides)
    merged = then and now and then.sessions and {*then.sessions}.isdisjoint(now.sessions)
    rates = None if evidence.together and not merged else warmed_apart(then, now)
    if rates is None:
        return None
    return (
        f"a cache gave {rates[0]:.0%} of the baseline's and {rates[1]:.0%} of the candidate's input, each in a run of"
        " its own"
    )


def _priced_apart(evidence: Evidence) -> str | None:
    """That the sides had batches' price for different shares of an item's trials, with these shares; None if not."""
    shares = evidence.paired(_batched)
    if shares.baseline == shares.candidate:
        return None
    then, now = (sum(side) / len(shares) for side in (shares.baseline, shares.candidate))
    return f"{then:.0%} of the baseline's and {now:.0%} of the candidate's requests went in batches"


def price_note(evidence: Evidence) -> str | None:
    """That costs are compared at another price than was billed, if so."""
    apart = _priced_apart(evidence)
    if apart is None or _unknown(evidence):
        return None
    return f"{apart}: costs of both sides are compared at the price without batches"


def _unknown(evidence: Evidence) -> bool:
    outputs = (output for side in evidence.outputs() for of_item in side.values() for output in of_item)
    return any(output.cost_usd is not None and output.unbatched_usd is None for output in outputs)


def _batched(output: OutputResult) -> float | None:
    return None if output.cost_usd is None else float(output.cost_usd != output.unbatched_usd)


def _billed(output: OutputResult) -> float | None:
    return output.cost_usd


def _unbatched(output: OutputResult) -> float | None:
    return output.unbatched_usd
