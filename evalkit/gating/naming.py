"""What a policy names of a test set and its rubric: slices by difficulty or tag, criteria by id."""

from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Protocol

from evalkit.errors import UsageError
from evalkit.frozen import dataclass
from evalkit.rubric import Criterion

_TOLD = 8
"""Names that a message lists: a test set may have a tag for each item."""


class Placed(Protocol):
    """An item, of a dataset or of a run."""

    @property
    def id(self) -> str: ...
    @property
    def difficulty(self) -> str | None: ...
    @property
    def tags(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Planned:
    """What a gate will look at, before there is a run: `foresee` of a check says what it makes of it.

    `criteria` None: those of a rubric that is not known yet, so that nothing can be said of them. `streamed`: items
    that are, where the others go in batches, which claim no latency; None for all.
    """

    items: Sequence[Placed]
    criteria: Sequence[Criterion] | None
    streamed: int | None = None


class NotThereError(UsageError):
    """A policy names what the test set or its rubric does not have; `place`: where it does, keys from its root."""

    def __init__(self, message: str, *place: str | int) -> None:
        super().__init__(message)
        self.place = place


def part_of(items: Sequence[Placed], name: str) -> frozenset[str]:
    """The items of a slice, named by difficulty or tag; NotThereError if there are none."""
    found = frozenset(item.id for item in items if item.difficulty == name or name in item.tags)
    if not found:
        levels = sorted({item.difficulty for item in items if item.difficulty})
        tags = Counter(tag for item in items for tag in sorted(item.tags))
        remedy = one_of(
            [*levels, *(t for t, _ in tags.most_common())], name, "no item has a difficulty or a tag, so take it out"
        )
        raise NotThereError(f"the gate names a slice {name!r} that no item is in; {remedy}", "quality", "slices", name)
    return found


def one_of(known: Iterable[str], name: str, none: str) -> str:
    """The remedy for a name that is not there: the nearest that is, or the first of those that are, or what to do where
    there are `none`."""
    listed = list(dict.fromkeys(known))
    if near := get_close_matches(name, listed, n=1):
        return f"did you mean {near[0]!r}?"
    more = f" and {len(listed) - _TOLD:,} more" if len(listed) > _TOLD else ""
    return f"use one of: {', '.join(listed[:_TOLD])}{more}" if listed else none
