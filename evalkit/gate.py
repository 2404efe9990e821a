"""The gate: may the candidate replace the baseline? Checks over one evidence, and a verdict of three."""

from typing import Any

from evalkit import __version__, stats
from evalkit.errors import UsageError
from evalkit.gating.evidence import Evidence, satisfied
from evalkit.gating.policy import Common
from evalkit.gating.results import LIKELY_LOSS, CheckResult, GateReport, Outcome, settled
from evalkit.gating.rules import Rules, assay_of
from evalkit.wording import listing, plural

SIMULATED = "the sandbox made this evidence, which cannot pass a real gate; --allow-simulated lets it, for a trial"


def gate(evidence: Evidence, policy: Common, *, allow_simulated: bool = False) -> GateReport:
    """Run every check that the policy asks for; UsageError where it names a slice or criterion that is not there."""
    rules = Rules(policy.alpha, evidence.of_candidate.spec.seed, assay_of(evidence))
    results = [result for module, asked in policy.asked for result in module.check(evidence, asked, rules)]
    found = settled(results, policy.alpha)
    verdict, simulated = found.verdict, evidence.simulated
    if verdict == "pass" and simulated and not allow_simulated:
        verdict = "inconclusive"
    return GateReport(
        verdict=verdict,
        baseline=evidence.baseline,
        candidate=evidence.candidate,
        items=len(evidence.items),
        epochs=evidence.epochs,
        alpha=policy.alpha,
        checks=found.checks,
        reason=_reason(verdict, found.checks, simulated),
        notes=tuple(_notes(evidence, policy, simulated)),
        simulated=simulated,
        provenance=_provenance(evidence, policy),
    )


def _reason(verdict: Outcome, checks: tuple[CheckResult, ...], simulated: bool) -> str:
    if verdict == "pass":
        kept = f"every limit is kept ({plural(len(checks), 'check')})"
        return f"{kept}; but {LIKELY_LOSS}" if any(check.likely_loss for check in checks) else kept
    named = listing([check.name for check in checks if check.outcome == verdict])
    if verdict == "fail":
        return f"worse in {named}"
    return f"not shown for {named}" if named else "SIMULATED evidence" if simulated else "nothing was checked"


def _notes(evidence: Evidence, policy: Common, simulated: bool) -> list[str]:
    notes = [SIMULATED] if simulated else []
    quality = getattr(policy, "quality", None)
    if quality is not None:
        notes += afford(len(evidence.items), evidence.epochs, quality.margin, policy.alpha)
    return [*notes, *evidence.of_candidate.warnings]


def afford(items: int, epochs: int, margin: float, alpha: float) -> list[str]:
    """What a gate at this margin asks of a set of this size, before any money is spent."""
    least = stats.smallest_passing_n(margin, alpha, score_only=epochs > 1)
    points = f"{margin * 100:g} points"
    if least is not None and items < least:
        said = [f"at {points}, {plural(items, 'item')} cannot pass when the two never differ; {least} can"]
    else:
        said = []
    if epochs > 1 or not 1 <= items <= 1000:
        return said
    losses = stats.losses_allowed(items, margin, range(min(items, 5)), alpha)
    told = ", ".join("cannot pass" if most is None else str(most) for most in losses)
    return [*said, f"at {points} it can afford so many losses with 0, 1, 2, ... gains: {told}"]


def _provenance(evidence: Evidence, policy: Common) -> dict[str, Any]:
    spec = evidence.of_candidate.spec
    return {
        "dataset_sha256": spec.dataset_sha256,
        "rubric_sha256": spec.rubric_sha256,
        "prompt_sha256": spec.prompt_sha256,
        "policy_sha256": policy.sha256,
        "baseline_run_sha256": evidence.of_baseline.spec.sha256,
        "candidate_run_sha256": spec.sha256,
        "against_itself": evidence.baseline == evidence.candidate,
        "created_at": spec.created_at,
        "evalkit": __version__,
    }


def flip_rate(evidence: Evidence) -> stats.Estimate:
    """Share of items on which two tries of one model are not graded alike: what a difference must stand out from."""
    pairs = evidence.paired(satisfied)
    differing = [b * (1 - c) + c * (1 - b) for b, c in zip(pairs.baseline, pairs.candidate, strict=True)]
    if pairs.epochs == 1:
        return stats.rate(round(sum(differing)), len(differing))
    return stats.mean_share(differing)


def notices(report: GateReport) -> bool:
    """Whether the gate fails a candidate that is known to be worse, and for its quality if it looks at that."""
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
