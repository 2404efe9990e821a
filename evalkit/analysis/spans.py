"""When requests of a log began and when they ended, where chance does not leave so long a time without any."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from datetime import date, timedelta
from math import log
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

    It has ended where the last whole week has none, nor the days after, though so many days with some were to be
    expected since its last that chance leaves one of all kinds without any in one of twenty logs; it began likewise. By
    days, since requests of one day come together, as those of a job at the end of each month.
    """
    enough = -log(_CHANCE / (2 * max(1, len(days))))
    found = {}
    for kind, of_kind in days.items():
        begin, end = min(of_kind), max(of_kind)
        before, after = (begin - first).days, (last - end).days
        per_day_then, per_day_since = (len(of_kind) / max(1, n) for n in ((end - first).days, (last - begin).days))
        began = bool(weeks) and begin >= weeks[0] + timedelta(days=7) and per_day_since * before >= enough
        ended = bool(weeks) and end < weeks[-1] and per_day_then * after >= enough
        found[kind] = Span(begin, end, began, ended)
    return found


def settled_since(found: Mapping[_Kind, Span], counts: Mapping[_Kind, int], total: int) -> str:
    """The day from which on each kind that is a good part of all requests is what it is now; empty if none began or
    ended within the log."""
    large = [span for kind, span in found.items() if counts[kind] >= _LARGE * total]
    days = [span.first for span in large if span.began] + [
        span.last + timedelta(days=1) for span in large if span.ended
    ]
    return max(days).isoformat() if days else ""
