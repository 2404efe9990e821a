"""Staged gates: the evidence of the last planned look that is whole, and the fail-fast process beside it."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from evalkit import stats
from evalkit.analysis.results import Analysis, OutputResult
from evalkit.gating.evidence import Evidence, satisfied
from evalkit.gating.labels import is_mixed, labels_of
from evalkit.gating.looks import Look, Sequential, look_of, order_of, up_to
from evalkit.gating.not_worse import beyond_leaning
from evalkit.gating.pairs import Paired
from evalkit.gating.results import CheckResult
from evalkit.gating.rules import assay_of
from evalkit.records import Snapshot
from evalkit.rounds import left_at_closing
from evalkit.stats.paired import tested_at
from evalkit.wording import plural

FAIL_FAST = "quality: fail fast"
_TOLD_MOST = 1e6
_Left = Sequence[Collection[int]]
"""Trials of each side, by id, that people left ungraded when they closed their round."""
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
    left = _left(whole, snapshots)
    waiting = _ungraded(whole, left) if verdicts else []
    look = look_of(((baseline, whole.baseline), (candidate, whole.candidate)), asked, alpha, waiting)
    if asked.fail_fast:
        look, pairs = replace(look, wealth_needed=SHARED / alpha), whole.shares(satisfied)
        if not is_mixed(whole, pairs):
            differences = _differences(whole, order_of(candidate), left)
            most, made_up = max(stats.worse_wealth(differences), default=1.0), _made_up(whole, pairs, alpha / SHARED)
            look = replace(look, wealth=most, watched=len(differences), made_up=made_up)
    if look.number == 0 or look.is_last:
        return whole, look
    then = analysed(up_to(baseline, look))
    now = then if baseline is candidate else analysed(up_to(candidate, look))
    return replace(whole, of_baseline=then, of_candidate=now), look


def _differences(whole: Evidence, order: Sequence[str], left: _Left) -> list[float]:
    """Candidate less baseline of each item in the order of the looks, up to the first that is not run and graded.

    An output that its graders could not grade is taken at its best, as everywhere; an item that nobody has looked at
    says nothing.
    """
    then, now = whole.outputs()
    found = []
    for item in order:
        sides = then.get(item, ()), now.get(item, ())
        outputs = [output for side in sides for output in side]
        over = (_is_over(o) or o.trial_id in shut for side, shut in zip(sides, left, strict=True) for o in side)
        if not all(sides) or not all(over):
            break
        if any(output.satisfied is not None or output.people_unsure for output in outputs):
            found.append(_mean(now[item], 1.0) - _mean(then[item], 0.0))
    return found


def _ungraded(whole: Evidence, left: _Left) -> list[str]:
    """The item of each output that a look waits for: graders have still to say something of it, and can."""
    if whole.unheard:
        return []
    return [
        item
        for side, shut in zip(whole.outputs(), left, strict=True)
        for item, outputs in side.items()
        for output in outputs
        if output.outcome == "answered" and not _is_over(output) and output.trial_id not in shut
    ]


def _left(whole: Evidence, snapshots: Sequence[Snapshot]) -> _Left:
    return tuple(map(_left_of, (whole.of_baseline, whole.of_candidate), snapshots))


def _left_of(analysis: Analysis, snapshot: Snapshot) -> frozenset[int]:
    round_ = analysis.grading.round
    left = frozenset() if round_ is None else left_at_closing(snapshot, round_.id)
    return frozenset(trial.id for trial in snapshot.trials if trial.key in left)


def _is_over(output: OutputResult) -> bool:
    return output.satisfied is not None or bool(output.ungraded or output.people_unsure)


def _mean(outputs: Sequence[OutputResult], missing: float) -> float:
    flags = [missing if (flag := satisfied(output)) is None else flag for output in outputs]
    return sum(flags) / len(flags)


def _made_up(whole: Evidence, pairs: Paired, alpha: float) -> bool:
    """Whether a judge may have made up a loss of all verdicts so far: its errors are known to differ, or the loss does
    not exceed its leaning at `alpha`, a part of the gate's since the process is looked at again and again."""
    assay, labels = assay_of(whole), labels_of(whole, pairs)
    if labels.reach == "all":
        return False
    p = beyond_leaning(pairs, assay, labels)
    return assay.skewed or p is None or p > alpha


def failed_fast(look: Look, checks: Sequence[CheckResult]) -> CheckResult | None:
    """The failure that the process has shown; None if it has not, or may not: graders who err more on one side may have
    made a loss up, and a loss that is shown to lie within the margin fails nothing."""
    barred = look.made_up or any(check.name == "quality" and check.within for check in checks)
    if look.wealth is None or look.wealth_needed is None or look.wealth < look.wealth_needed or barred:
        return None
    odds = f"{min(look.wealth, _TOLD_MOST):,.0f} to 1 at its highest; {look.wealth_needed:g} to 1 is enough at any time"
    of = f"satisfactory outputs of the first {plural(look.watched, 'item')}"
    return CheckResult(
        FAIL_FAST, "fail", f"{of}: the betting process against a loss stood {odds}", "no clear loss at any time",
        p_worse=1 / look.wealth,
    )  # fmt: skip
