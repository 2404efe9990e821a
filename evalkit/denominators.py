"""Which of a model's counts of trials are worth a column."""

from collections.abc import Iterable
from dataclasses import fields

from evalkit.analysis.results import Counts


def shown_counts(counts: Iterable[Counts]) -> list[str]:
    """Names of the counts to show: how many are decided only where these are not all that were graded or failed."""
    names = [field.name for field in fields(Counts)]
    return names if any(each.failed_undecided for each in counts) else [name for name in names if name != "decided"]
