"""Runs over items that were chosen by what a model did with them: how they are marked, and what they are refused."""

from collections.abc import Mapping
from typing import Any

from evalkit.errors import UsageError
from evalkit.models import display_name
from evalkit.records import Spec

RULE = "unsatisfactory"


def condition(model: str, run_sha256: str, items: int, of: int) -> Mapping[str, Any]:
    """What a run's spec keeps of the choice: `items` of the `of` judged ones of a run (by its spec's hash)."""
    return {"rule": RULE, "model": model, "run": run_sha256, "items": items, "of": of}


def mark(spec: Spec) -> str | None:
    """What stands wherever such a run is shown; None for a run that took its items as they are."""
    chosen = spec.condition
    if chosen is None:
        return None
    if chosen.get("rule") != RULE:
        return f"conditional: items chosen by the rule {chosen.get('rule')!r}; rates here are not rates of the workload"
    return (
        f"conditional: only the {chosen['items']:,} of {chosen['of']:,} items on which {display_name(chosen['model'])}"
        " was not satisfactory in any epoch; rates here are not rates of the workload"
    )


def refuse(spec: Spec, what: str) -> None:
    """UsageError for a conditional run where a rate of the workload is needed, since the two are never pooled."""
    text = mark(spec)
    if text is not None:
        raise UsageError(f"run {spec.name!r} cannot be {what} ({text}); name a run of all items")
