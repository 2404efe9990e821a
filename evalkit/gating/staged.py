"""Staged gates: the evidence of the last planned look that is whole, and the fail-fast process beside it."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from evalkit import stats
from evalkit.analysis.results import Analysis, OutputResult
from evalkit.gating.evidence import Evidence, satisfied
from evalkit.gating.labels import is_mixed
from evalkit.gating.looks import Look, Sequential, look_of, order_of, up_to
from evalkit.gating.results import CheckResult
from evalkit.records import Snapshot
from evalkit.stats.paired import tested_at
from evalkit.wording import plural

FAIL_FAST = "quality: fail fast"
_TOLD_MOST = 1e6
_Closed = Sequence[Collection[int]]
"""Trials of each side, by id, to whose outputs nobody adds a verdict any more."""
SHARED = 2
"""With a fail-fast process, looks may fail at alpha over this, and the process has the other half."""


def staged(
    whole: Evidence,
    snapshots: Sequence[Snapshot],
    asked: Sequential,
    alpha: float,
    analysed: Callable[[Snapshot], Analysis],
    *,
    verdicts: bool = True,
) -> tuple[Evidence, Look]:
    """What a gate with planned looks may judge now, and which look that is.

    `snapshots` of baseline and candidate, one object twice for one run; `analysed` analyses a part of them. `verdicts`:
    whether a look takes graded outputs. Raises IntegrityError and UsageError where looks cannot be told (`look_of`).
    """
    alpha = tested_at(alpha, whole.epochs)
    baseline, candidate = snapshots
    closed = _closed(whole, snapshots)
    waiting = _ungraded(whole, closed) if verdicts else []
    look = look_of(((baseline, whole.baseline), (candidate, whole.candidate)), asked, alpha, waiting)
    if asked.fail_fast:
        look = replace(look, wealth_needed=SHARED / alpha)
    if asked.fail_fast and not is_mixed(whole, whole.shares(satisfied)):
        differences = _differences(whole, order_of(candidate), closed)
        most = max(stats.worse_wealth(differences), default=1.0)
        look = replace(look, wealth=most, watched=len(differences))
    if look.number == 0 or look.is_last:
        return whole, look
    then = analysed(up_to(baseline, look))
    now = then if baseline is candidate else analysed(up_to(candidate, look))
    return replace(whole, of_baseline=then, of_candidate=now), look


def _differences(whole: Evidence, order: Sequence[str], closed: _Closed) -> list[float]:
    """Candidate less baseline of each item in the order of the looks, up to the first that is not run and graded.

    An output that its graders could not grade leaves its item out, as everywhere.
    """
    then, now = whole.outputs()
    found = []
    for item in order:
        sides = then.get(item, ()), now.get(item, ())
        outputs = [output for side in sides for output in side]
        over = (_is_over(o) or o.trial_id in shut for side, shut in zip(sides, closed, strict=True) for o in side)
        if not all(sides) or not all(over):
            break
        if all(output.satisfied is not None for output in outputs):
            found.append(_mean(now[item]) - _mean(then[item]))
    return found


def _ungraded(whole: Evidence, closed: _Closed) -> list[str]:
    """The item of each output that a look waits for: graders have still to say something of it, and can."""
    if whole.unheard:
        return []
    return [
        item
        for side, shut in zip(whole.outputs(), closed, strict=True)
        for item, outputs in side.items()
        for output in outputs
        if output.outcome == "answered" and not _is_over(output) and output.trial_id not in shut
    ]


def _closed(whole: Evidence, snapshots: Sequence[Snapshot]) -> _Closed:
    """The answers that were there when people closed their round; what came later waits for another one."""
    when = (evidence.grading.closed_at for evidence in (whole.of_baseline, whole.of_candidate))
    return tuple(
        frozenset() if at is None else _answered_by(snapshot, datetime.fromisoformat(at))
        for at, snapshot in zip(when, snapshots, strict=True)
    )


def _answered_by(snapshot: Snapshot, when: datetime) -> frozenset[int]:
    """Trials whose answer was there by then, as far as anyone timed it."""
    return frozenset(
        attempt.trial_id
        for attempt in snapshot.attempts
        if attempt.grader is None
        and attempt.outcome == "answered"
        and datetime.fromisoformat(attempt.sent_at) + timedelta(seconds=attempt.latency_s or 0.0) <= when
    )


def _is_over(output: OutputResult) -> bool:
    return output.satisfied is not None or bool(output.ungraded or output.people_unsure)


def _mean(outputs: Sequence[OutputResult]) -> float:
    flags = [satisfied(output) or 0.0 for output in outputs]
    return sum(flags) / len(flags)


def failed_fast(look: Look, checks: Sequence[CheckResult], *, skewed: bool) -> CheckResult | None:
    """The failure that the process has shown; None if it has not, or may not: graders who err more on one side can
    make a loss up, and a loss that is shown to lie within the margin fails nothing."""
    small = any(check.name == "quality" and check.within for check in checks)
    if look.wealth is None or look.wealth_needed is None or look.wealth < look.wealth_needed or skewed or small:
        return None
    odds = f"{min(look.wealth, _TOLD_MOST):,.0f} to 1 at its highest; {look.wealth_needed:g} to 1 is enough at any time"
    of = f"satisfactory outputs of the first {plural(look.watched, 'item')}"
    return CheckResult(
        FAIL_FAST, "fail", f"{of}: the betting process against a loss stood {odds}", "no clear loss at any time",
        p_worse=1 / look.wealth,
    )  # fmt: skip
