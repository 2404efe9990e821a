"""The gate: may the candidate replace the baseline? Checks over one evidence, and a verdict of three."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from evalkit import __version__, stats
from evalkit.errors import UsageError
from evalkit.gating.dearer import price_note
from evalkit.gating.evidence import Evidence, satisfied
from evalkit.gating.foreseen import afford
from evalkit.gating.labels import is_mixed, labels_of
from evalkit.gating.looks import Look
from evalkit.gating.policy import NO_QUALITY, Common
from evalkit.gating.results import LIKELY_LOSS, CheckResult, Flips, GateReport, Outcome, Settled, settled
from evalkit.gating.rules import Rules, assay_of, cost_of
from evalkit.gating.staged import SHARED, failed_fast
from evalkit.stats.paired import tested_at
from evalkit.wording import listing, plural

NOT_BLIND = (
    "graders could know which model they graded (--no-blind), which passes nothing; have both sides graded anew with"
    " `evalkit grade --blind`"
)
SIMULATED = "the sandbox made this evidence, which cannot pass a real gate; --allow-simulated lets it, for a trial"


def gate(evidence: Evidence, policy: Common, *, allow_simulated: bool = False, look: Look | None = None) -> GateReport:
    """Run every check that the policy asks for; NotThereError where it names a slice or criterion that is not there.

    `look`: which of the policy's looks this evidence is of; before the first, nothing but a clear loss is looked for.
    """
    found = _settled(evidence, policy, look)
    verdict, simulated = found.verdict, evidence.simulated
    barred = _barred(evidence, allow_simulated) if verdict == "pass" else []
    verdict = "inconclusive" if barred else verdict
    return GateReport(
        verdict=verdict,
        baseline=evidence.baseline,
        candidate=evidence.candidate,
        items=len(evidence.items),
        epochs=evidence.epochs,
        alpha=_alpha(evidence, policy, look),
        checks=found.checks,
        reason=listing(barred) if barred else _reason(verdict, found.checks, look),
        notes=tuple(_notes(evidence, policy, simulated, look, verdict)),
        simulated=simulated,
        provenance=_provenance(evidence, policy, look),
        look=look,
        flips=flips(evidence) if look is None or look.number else None,
    )


def _settled(evidence: Evidence, policy: Common, look: Look | None) -> Settled:
    """The checks at the error that this look may spend; a clear loss ends the gate at any time."""
    alpha = _alpha(evidence, policy, look)
    rules = Rules(
        alpha if look is None else look.alpha,
        evidence.of_candidate.spec.seed,
        assay_of(evidence),
        None if look is None or look.next_share is None else _go_on(look, evidence),
        len(evidence.items),
        evidence.item_usd,
        evidence.unheard,
        evidence.remedy,
    )
    asked = () if look is not None and look.number == 0 else policy.asked
    results = [result for module, settings in asked for result in module.check(evidence, settings, rules)]
    if look is None:
        return settled(results, alpha)
    found = settled(results, alpha / (1 if look.wealth_needed is None else SHARED), look.overall_p)
    lost = failed_fast(look, found.checks)
    found = found if lost is None else Settled("fail", (lost, *found.checks))
    return found if found.verdict == "inconclusive" else _ended(found, rules.next_look)


def _ended(found: Settled, next_look: str | None) -> Settled:
    """The same at a look that ends the gate: nothing waits for the next one."""
    return replace(
        found, checks=tuple(replace(c, needs=None) if next_look and c.needs == next_look else c for c in found.checks)
    )


def _alpha(evidence: Evidence, policy: Common, look: Look | None) -> float:
    """The one-sided error of all looks together: with several epochs no more than their shares may be tested at."""
    return policy.alpha if look is None else tested_at(policy.alpha, evidence.epochs)


def _barred(evidence: Evidence, allow_simulated: bool) -> list[str]:
    """Why evidence passes nothing whatever it shows."""
    simulated = ["SIMULATED evidence"] if evidence.simulated and not allow_simulated else []
    return [*simulated, "graded with --no-blind"] if evidence.seen_through else simulated


def _go_on(look: Look, evidence: Evidence) -> str:
    """How the next look is reached; people are asked again as they were."""
    grade = "`evalkit grade --by judges`, `evalkit grade --discordant`" if evidence.picked else "`evalkit grade`"
    if look.ungraded and not look.open_trials:
        return f"look {look.number + 1}: {grade}, for {plural(look.ungraded, 'output')} of it without a verdict"
    return f"look {look.number + 1}: the same `evalkit run` with --share {look.next_share:g}, {grade}, this gate"


def _reason(verdict: Outcome, checks: tuple[CheckResult, ...], look: Look | None) -> str:
    at = "" if look is None or len(look.items) == 1 else f", {look}"
    if verdict == "pass":
        kept = f"every limit is kept ({plural(len(checks), 'check')}){at}"
        return f"{kept}; but {LIKELY_LOSS}" if any(check.likely_loss for check in checks) else kept
    named = listing([check.name for check in checks if check.outcome == verdict])
    if verdict == "fail":
        return f"worse in {named}{at}"
    if look is not None and not look.is_last:
        so_far = f"not shown yet{at}" if look.number else "no look is reached yet"
        if look.ungraded and not look.open_trials:
            return f"{so_far}; grade the rest of look {look.number + 1}"
        return f"{so_far}; go on to look {look.number + 1}"
    return f"not shown for {named}{at}" if named else "nothing was checked"


def _notes(evidence: Evidence, policy: Common, simulated: bool, look: Look | None, verdict: Outcome) -> Iterator[str]:
    if simulated:
        yield SIMULATED
    if evidence.seen_through:
        yield NOT_BLIND
    if evidence.of_candidate.spec.limit == (planned := _planned_items(evidence, look)):
        yield f"the run was limited to {plural(planned, 'item')} (--limit); of a dataset with more it is no evidence"
    if len(set(evidence.planned())) > 1:
        then, now = (plural(trials // len(evidence.items), "trial") for trials in evidence.planned())
        yield f"{then} of an item of the baseline and {now} of the candidate: which there are must have been no choice"
    if look is not None:
        yield from _look_notes(look, _alpha(evidence, policy, look), verdict, evidence)
    quality = getattr(policy, "quality", None)
    if quality is not None and (look is None or look.number):
        yield from _afforded(evidence, quality.margin, policy.alpha if look is None else look.alpha)
    if quality is None:
        yield NO_QUALITY
    if (tested := tested_at(policy.alpha, evidence.epochs)) < policy.alpha:
        others = f", other figures at {policy.alpha:g}" if look is None else ": all looks together spend as much"
        yield f"with several epochs no share is tested at more than {tested:g}{others}"
    yield from _price_notes(evidence, policy)
    for side, failed in zip(("baseline", "candidate"), evidence.unsettled, strict=True):
        if failed:
            trials = plural(failed, "trial")
            yield f"{trials} of the {side} failed on every attempt so far, and are missing here: repeat `evalkit run`"
    yield from dict.fromkeys((*evidence.of_baseline.warnings, *evidence.of_candidate.warnings))
    if not evidence.together and any(getattr(policy, clock, None) is not None for clock in ("felt_latency", "ttft")):
        yield "two runs: their latencies differ by the hour as well as by the model; to compare those, run both in one"


def _price_notes(evidence: Evidence, policy: Common) -> Iterator[str]:
    """At which price costs are compared, where the two sides were not sent alike."""
    costs = [getattr(policy, name, None) for name in ("cost_per_request", "cost_per_satisfactory")]
    note = price_note(evidence) if any(cost is not None for cost in costs) else None
    if note is not None:
        yield note


def _afforded(evidence: Evidence, margin: float, alpha: float) -> Iterator[str]:
    """What it may lose at the part of the margin that quality is tested at; unsaid where a sample of labels decides."""
    labels, assay = labels_of(evidence, evidence.shares(satisfied)), assay_of(evidence)
    if labels.reach != "sampled" or not assay.by_people:
        left = margin if labels.reach == "all" else assay.left(margin, labels.lent)
        yield from () if not left else afford(len(evidence.items), evidence.epochs, left, alpha)


def _look_notes(look: Look, alpha: float, verdict: Outcome, evidence: Evidence) -> Iterator[str]:
    """The plan of looks, what has been spent of it, and how to go on."""
    at = listing([f"{n:,}" for n in look.items])
    tested, spent = (listing([f"{one:.4f}" for one in errors]) for errors in (look.alphas, look.spent))
    yield f"looks at {at} items, tested one-sided at {tested}: alpha spent {spent}, never more than {alpha:g} in all"
    if look.wealth is not None:
        yield f"fail fast: {min(look.wealth, 1e6):,.3g} to 1 at its highest, {look.wealth_needed:g} to 1 ends the gate"
    elif look.wealth_needed is not None:
        yield "no fail fast: people decided items for what a judge had said of them, and the judge alone the others"
    if look.next_share is None:
        return
    if verdict != "inconclusive":
        yield "stopped early: the estimates lean away from no difference, so do not quote them as the size of it"
    else:
        cost = f", {cost_of(look.open_trials / (2 * evidence.epochs), evidence.item_usd)}" if look.number else ""
        left = f" ({plural(look.open_trials, 'trial')} still to run{cost})" if look.open_trials else ""
        yield f"go on to {_go_on(look, evidence)}{left}"


def _provenance(evidence: Evidence, policy: Common, look: Look | None) -> dict[str, Any]:
    spec = evidence.of_candidate.spec
    return {
        "dataset_sha256": spec.dataset_sha256,
        "rubric_sha256": spec.rubric_sha256,
        "prompt_sha256": spec.prompt_sha256,
        "policy_sha256": policy.sha256,
        "baseline_run_sha256": evidence.of_baseline.spec.sha256,
        "candidate_run_sha256": spec.sha256,
        "baseline_endpoint": evidence.of_baseline.spec.endpoint,
        "candidate_endpoint": spec.endpoint,
        "planned_items": _planned_items(evidence, look),
        "against_itself": evidence.baseline == evidence.candidate,
        "created_at": evidence.begun_at or spec.created_at,
        "evalkit": __version__,
    }


def _planned_items(evidence: Evidence, look: Look | None) -> int:
    """Those of the whole run, whichever look it is."""
    return len(evidence.items) if look is None else look.items[-1]


def flips(evidence: Evidence) -> Flips | None:
    """How many items change their verdict between the two sides, both ways; None where nothing is graded, and where
    people decided some items for what a judge had said of them."""
    pairs = evidence.shares(satisfied)
    if not len(pairs) or is_mixed(evidence, pairs):
        return None
    found = stats.discordance(pairs.candidate, pairs.baseline)
    return Flips(found.gain, found.loss, flip_rate(evidence))


def flip_rate(evidence: Evidence) -> stats.Estimate:
    """Share of items that one trial of each side is not graded alike on; of one model against itself: what a
    difference must stand out from."""
    pairs = evidence.shares(satisfied)
    differing = [b * (1 - c) + c * (1 - b) for b, c in zip(pairs.baseline, pairs.candidate, strict=True)]
    if pairs.epochs == 1 or not any(differing):
        return stats.rate(round(sum(differing)), len(differing))
    return stats.mean_share(differing)


def notices(report: GateReport) -> bool | None:
    """Whether the gate fails a candidate that is known to be worse, and for its quality if it looks at that; None where
    a later look may tell."""
    if report.verdict == "inconclusive" and report.look is not None and not report.look.is_last:
        return None
    quality = [check for check in report.checks if check.name.split(":")[0] == "quality"]
    return report.verdict == "fail" and (not quality or any(check.outcome == "fail" for check in quality))


def sides(models: tuple[str, ...], baseline: str | None, candidate: str | None) -> tuple[str, str]:
    """Which of a run's models are compared; those of a run of two are taken in the order they were named in.

    UsageError for a model that the run does not hold, and where more than two leave it open.
    """
    for named in (baseline, candidate):
        if named is not None and named not in models:
            raise UsageError(f"the run holds no model {named!r}; it holds {listing(models)}")
    if baseline is None and candidate is None and len(models) == 2:
        return models[0], models[1]
    baseline = baseline or _only_other(models, candidate)
    candidate = candidate or _only_other(models, baseline)
    if baseline is None or candidate is None:
        raise UsageError(
            f"the run holds {listing(models)}; say which is which with --baseline MODEL and --candidate MODEL,"
            " or in gate.yaml"
        )
    return baseline, candidate


def _only_other(models: tuple[str, ...], named: str | None) -> str | None:
    others = [model for model in models if model != named]
    return others[0] if named is not None and len(others) == 1 else None
