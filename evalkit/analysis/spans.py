"""When requests of a log began and when they ended, where chance does not leave so long a time without any."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from datetime import date, timedelta
from typing import TypeVar

from evalkit.frozen import dataclass

_CHANCE = 0.05
_LARGE = 0.1
"""Share of all requests; what is less says little of what comes."""
_Kind = TypeVar("_Kind", bound=Hashable)


@dataclass(frozen=True)
class Span:
    """The first and the last day (UTC) of requests of a kind; whether they `began` and `ended` within the log."""

    first: date
    last: date
    began: bool
    ended: bool


def spans(
    days: Mapping[_Kind, Collection[date]], weeks: Sequence[date], first: date, last: date
) -> Mapping[_Kind, Span]:
    """Of each kind, by the days that have any of its requests; `first`, `last`: the log's days, `weeks`: the Mondays of
    its whole ones.

    It has ended where the last whole week has none, nor the days after, and so long a time without would be left by
    chance, were its days spread evenly, for one of all kinds in one of twenty logs; it began likewise. By days, since
    requests of one day come together, as those of a job at the end of each month.
    """
    enough, whole = _CHANCE / (2 * max(1, len(days))), (last - first).days + 1
    found = {}
    for kind, of_kind in days.items():
        begin, end = min(of_kind), max(of_kind)
        before, after = ((1 - gap / whole) ** len(of_kind) for gap in ((begin - first).days, (last - end).days))
        began = bool(weeks) and begin >= weeks[0] + timedelta(days=7) and before <= enough
        ended = bool(weeks) and end < weeks[-1] and after <= enough
        found[kind] = Span(begin, end, began, ended)
    return found


def settled_since(
    found: Mapping[_Kind, Span], counts: Mapping[_Kind, int], total: int, ends: Collection[_Kind] = ()
) -> str:
    """The day from which on each kind that is a good part of all requests is what it is; empty if none changed.

    What has ended is no part of what comes, so its weeks say nothing against those of the others; but of `ends`, whose
    requests went over to others, they do.
    """
    large = {kind: span for kind, span in found.items() if counts[kind] >= _LARGE * total}
    days = [span.first for span in large.values() if span.began and not span.ended]
    days += [span.last + timedelta(days=1) for kind, span in large.items() if kind in ends and span.ended]
    return max((day.isoformat() for day in days), default="")
