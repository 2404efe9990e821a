"""Whether the quantiles of a clock are shown to keep to their limits, told as checks' results."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pydantic import model_validator

from evalkit import stats
from evalkit.analysis.results import OutputResult
from evalkit.frozen import dataclass
from evalkit.gating.evidence import Evidence, Measure
from evalkit.gating.naming import Planned
from evalkit.gating.pairs import gap
from evalkit.gating.ratio_asked import Ratio
from evalkit.gating.ratios import fewest_items, ratio_limit, ratio_result
from evalkit.gating.results import CheckResult
from evalkit.gating.rules import Rules
from evalkit.stats import Estimate
from evalkit.strict import StrictModel
from evalkit.wording import plural

Side = Mapping[str, list[OutputResult]]
_BATCHED = (
    "no item was streamed on both sides, and a batch claims no latency",
    "items that are streamed: a new run with `--executor batch --latency-sample 30`",
)
_ANSWERED = "more items that both models answer, since a refusal has no wait to compare"
_ANSWERED_STREAMED = f"{_ANSWERED}: a new run with a larger `--latency-sample`"
_TIMED = "`ttft_s` on every line of the imports that has an output"
_STOOD_STILL = (
    "a new run into another file (`evalkit run -o`), with fewer requests at once (`-j`), since this one lost waits to a"
    " machine that stood still"
)
_UNTIMED = (
    "no item was timed on both sides",
    "waits that `evalkit run` measures; an import knows the time to first token at most",
)


_FEWEST = {"p50": 8, "p90": 40}
"""Items without which a quantile neither passes nor fails: four lie beyond it. At its very limit a p90 passes in 8 to
11 % of all runs on 20 items, and in 4 to 6 % on 40; equal models fail in 8 to 10 % and 4 to 5 %."""


class Quantiles(StrictModel):
    """The ratio, candidate over baseline, that each quantile named must be shown to stay below."""

    p50: Ratio | None = None
    p90: Ratio | None = None

    @model_validator(mode="after")
    def _names_one(self) -> "Quantiles":
        if self.p50 is None and self.p90 is None:
            raise ValueError("names neither 'p50' nor 'p90'; name at least one with its ratio")
        return self


@dataclass(frozen=True)
class Clock:
    """`measure`: what it read, seconds, None where it did not stop; `waited`: how long it ran in vain."""

    name: str
    what: str
    measure: Measure
    waited: Measure


def slower_results(clock: Clock, evidence: Evidence, asked: Quantiles, rules: Rules) -> Iterator[CheckResult]:
    """One result for each quantile asked for.

    A call that was given up counts as no faster than the slowest that was not, on either side: dropping it would make
    a model that times out look fast. One that failed on every attempt so far, as in an outage, counts so against
    passing alone: its wait is mostly that of our own retries, and shows no model slower. Items that went in
    batches, by the seed and not by outcome, have no latency.
    """
    streamed = _streamed(evidence)
    sides = evidence.outputs(streamed)
    then, now, given_up = _waits(clock, *sides)
    both = [item for item in then if item in now]
    outage = sum(not output.settled for item in both for output in sides[0][item])  # which made it no slower a baseline
    counted = sum(len(then[item]) for item in both) - outage, sum(len(now[item]) for item in both)
    missing = gap(counted, evidence.planned(streamed))
    if missing and (remedy := _remedy(clock, evidence, sides, len(streamed))) is not None:
        rules = replace(rules, remedy=remedy)
    rules = replace(rules, sampled=len(streamed) < len(evidence.items))
    limits = (("p50", 0.5, asked.p50), ("p90", 0.9, asked.p90))
    wanted = [(label, q, at_most) for label, q, at_most in limits if at_most is not None]
    quantiles = [q for _, q, _ in wanted]
    ratios = _ratios(then, now, quantiles, rules)
    answered = {item: [output for output in of_item if output.settled] for item, of_item in sides[1].items()}
    shown = ratios
    if answered != sides[1]:
        then, now, _ = _waits(clock, sides[0], answered)
        shown = _ratios(then, now, quantiles, rules)
    for (label, q, at_most), (ratio, _), (_, p_worse) in zip(wanted, ratios, shown, strict=True):
        name, what = f"{clock.name}: {label}", f"{clock.what} {label}"
        if evidence.items and not streamed:
            yield _not_measured(name, what, at_most, *_BATCHED)
        elif not both:
            yield _not_measured(name, what, at_most, *_UNTIMED)
        else:
            unknown = missing or _beyond(clock, sides[1], label, q, rules.confidence)
            found = ratio_result(name, f"{what}{_vain(given_up)}", ratio, at_most, p_worse, unknown, rules)
            yield found if ratio.n >= _FEWEST[label] else _too_few(found, label, ratio, rules)


def _remedy(clock: Clock, evidence: Evidence, sides: Sequence[Side], streamed: int) -> str | None:
    """What brings the waits that are lacking, where another sitting of the run brings none."""
    untimed = [o for side in sides for of_item in side.values() for o in of_item if _read(clock, o) is None]
    if any(output.outcome == "answered" for output in untimed):
        imported = any(analysis.spec.imported for analysis in (evidence.of_baseline, evidence.of_candidate))
        return _TIMED if imported else _STOOD_STILL
    if not all(output.settled for output in untimed):
        return None
    return _ANSWERED if streamed == len(evidence.items) else _ANSWERED_STREAMED


def _ratios(
    then: Mapping[str, list[float]], now: Mapping[str, list[float]], quantiles: list[float], rules: Rules
) -> list[tuple[Estimate, float | None]]:
    both = [item for item in then if item in now]
    return stats.quantile_ratios(
        [now[item] for item in both], [then[item] for item in both], quantiles, rules.seed, rules.confidence
    )


def few_foreseen(name: str, asked: Quantiles, planned: Planned) -> Iterator[str]:
    """Each quantile that takes more items than there are."""
    have = len(planned.items) if planned.streamed is None else planned.streamed
    how = "" if planned.streamed is None else " streamed (`--latency-sample`)"
    for label, at_most in (("p50", asked.p50), ("p90", asked.p90)):
        if at_most is not None and have < _FEWEST[label]:
            yield f"{name}: {label}: {plural(have, 'item')}{how} cannot pass; {_FEWEST[label]} can"


def _too_few(found: CheckResult, label: str, ratio: Estimate, rules: Rules) -> CheckResult:
    return replace(
        found,
        outcome="inconclusive",
        finding=f"{found.finding}; too few for a {label}",
        p_worse=None,
        needs=rules.next_look or fewest_items(_FEWEST[label], ratio, rules),
        within=False,
    )


def _streamed(evidence: Evidence) -> frozenset[str]:
    """Items of which no trial went in a batch."""
    batched = {item for side in evidence.outputs() for item, of_item in side.items() if any(o.batched for o in of_item)}
    return frozenset(item.id for item in evidence.items) - batched


def _waits(clock: Clock, then: Side, now: Side) -> tuple[dict[str, list[float]], dict[str, list[float]], int]:
    """Each side's waits by item, and how many calls were given up; nothing where no call of either side was timed."""
    sides = (then, now)
    read = [s for side in sides for of_item in side.values() for o in of_item if (s := _read(clock, o)) is not None]
    if not read:
        return {}, {}, 0
    slowest = max(read)
    found = [{item: _of_item(clock, of_item, slowest) for item, of_item in side.items()} for side in sides]
    vain = sum(_is_vain(clock, o) for side in sides for of_item in side.values() for o in of_item)
    known = [{item: waits for item, waits in side.items() if waits} for side in found]
    return known[0], known[1], vain


def _of_item(clock: Clock, outputs: list[OutputResult], slowest_s: float) -> list[float]:
    waits = [max(slowest_s, clock.waited(o) or 0.0) if _is_vain(clock, o) else _read(clock, o) for o in outputs]
    return [s for s in waits if s is not None]


def _is_vain(clock: Clock, output: OutputResult) -> bool:
    return (output.outcome == "errored" or output.failed_so_far) and _read(clock, output) is None


def _read(clock: Clock, output: OutputResult) -> float | None:
    seconds = clock.measure(output)
    return seconds if seconds is not None and seconds > 0 else None


def _beyond(clock: Clock, now: Side, label: str, q: float, confidence: float) -> str | None:
    """That the candidate's quantile may lie among calls that were given up, whose waits had no end; None if it does
    not."""
    trials = [_is_vain(clock, output) for outputs in now.values() for output in outputs]
    lost = sum(trials)
    high = stats.rate(round(lost * len(now) / len(trials)), len(now), confidence).high if lost else None
    if high is None or high <= 1 - q:
        return None
    return (
        f"{lost:,} of {plural(len(trials), 'call')} of the candidate were given up, so its {label} may be one of those"
    )


def _vain(calls: int) -> str:
    return f" ({plural(calls, 'call')} given up, each as slow as the slowest or slower)" if calls else ""


def _not_measured(name: str, what: str, at_most: float, why: str, needs: str) -> CheckResult:
    return CheckResult(name, "inconclusive", f"{what}: {why}", ratio_limit(at_most), needs=needs)
