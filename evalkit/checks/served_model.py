"""Served model: what the API says answered is the model that was pinned."""

from collections.abc import Iterator

from evalkit.gating.evidence import Evidence
from evalkit.gating.pairs import LEAST_KNOWN
from evalkit.gating.results import CheckResult
from evalkit.gating.rules import Rules
from evalkit.models import BEDROCK, few, plain_id, same_model
from evalkit.strict import StrictModel

ORDER = 60


class Settings(StrictModel):
    """Nothing to set: `served_model: {}` asks for it."""


def check(evidence: Evidence, _asked: Settings, _rules: Rules) -> Iterator[CheckResult]:
    """Another model than the candidate's pin fails outright: what was asked for was not shown. Another than the
    baseline's, one that nobody recorded, or behind an alias, says nothing against the candidate."""
    wrong, unknown, failed = [], [], False
    for side, model in zip(("baseline", "candidate"), evidence.sides, strict=True):
        others = [served for served in model.served_models if not _is_pin(served, model.model)]
        if others and all(same_model(served, model.model) for served in others):
            unknown.append(f"{few(others)} answered for {model.model}, which is no pin")
        elif others:
            wrong.append(f"{few(others)} answered for {model.model}")
            failed = failed or side == "candidate"
        if not model.served_models:
            unknown.append(f"nobody recorded what answered for {model.model}")
        elif model.unnamed_answers > (1 - LEAST_KNOWN) * model.counts.answered:
            missing = f"{model.unnamed_answers:,} of {model.counts.answered:,}"
            unknown.append(f"nobody recorded what gave {missing} answers for {model.model}")
    finding = "; ".join(wrong or unknown) or "both sides were answered by the model that was asked for"
    yield CheckResult(
        "served_model",
        "inconclusive" if wrong or unknown else "pass",
        finding,
        "equals the pin",
        p_worse=0.0 if failed else None,
        needs="a run against the pinned model itself" if wrong or unknown else None,
    )


def _is_pin(served: str, asked: str) -> bool:
    """Whether the model that answered is the one asked for; on Bedrock its id carries a vendor, a region, a version."""
    return served == asked or (asked.startswith(BEDROCK) and served in (asked.removeprefix(BEDROCK), plain_id(asked)))
