"""What a policy names of a test set and its rubric: slices by difficulty or tag, criteria by id."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from evalkit.errors import UsageError
from evalkit.frozen import dataclass
from evalkit.rubric import Criterion


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

    `criteria` None: those of a rubric that is not known yet, so that nothing can be said of them.
    """

    items: Sequence[Placed]
    criteria: Sequence[Criterion] | None


def part_of(items: Sequence[Placed], name: str) -> frozenset[str]:
    """The items of a slice, named by difficulty or tag; UsageError if there are none."""
    found = frozenset(item.id for item in items if item.difficulty == name or name in item.tags)
    if not found:
        known = {i.difficulty for i in items if i.difficulty} | {t for i in items for t in i.tags}
        remedy = one_of(sorted(known), "no item has a difficulty or a tag, so take it out")
        raise UsageError(f"the gate names a slice {name!r} that no item is in; {remedy}")
    return found


def one_of(known: Iterable[str], none: str) -> str:
    """The remedy for a name that is not there: those that are, or what to do where there are `none`."""
    listed = ", ".join(known)
    return f"use one of: {listed}" if listed else none
