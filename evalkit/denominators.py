"""Of how many trials the figures are, and which of a model's counts of them are worth a column."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import fields

from evalkit.analysis.results import Analysis, Counts
from evalkit.analysis.trials import DecidedBy
from evalkit.wording import plural


def epochs_of(analysis: Analysis) -> str:
    """How often each item was tried by a model: `3 epochs`, or `up to 3 epochs` of outputs that came so."""
    spec, planned = analysis.spec, sum(model.counts.planned for model in analysis.models)
    uneven = spec.imported and planned < analysis.items * len(analysis.models) * spec.epochs
    return f"{'up to ' * uneven}{plural(spec.epochs, 'epoch')}"


def decided_by(analysis: Analysis, model: str | None = None) -> Counter[DecidedBy]:
    """How many outputs, of one model or all, have their verdict of people, of judges and of checks."""
    outputs = (o for item in analysis.outputs for o in item.outputs if model in (None, o.model))
    return Counter(output.decided_by for output in outputs if output.decided_by is not None)


def shown_counts(counts: Iterable[Counts]) -> list[str]:
    """Names of the counts to show: how many are decided only where these are not all that were graded or failed."""
    names = [field.name for field in fields(Counts)]
    return names if any(each.failed_undecided for each in counts) else [name for name in names if name != "decided"]
