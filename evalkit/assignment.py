"""Who grades which item: every item by the same number of people, and to each as many items as to the others."""

import hashlib
from collections.abc import Mapping, Sequence


def assign(
    items: Sequence[str], graders: Sequence[str], begun: Mapping[str, Sequence[str]], overlap: int | None
) -> dict[str, tuple[str, ...]]:
    """The items of each grader, in the order of `items`.

    All outputs of an item go to the same people, so that a strict one is strict with every model. `overlap` people
    grade an item, all of them if None. Whoever has `begun` an item (item -> graders) keeps it, so that a person who
    joins later takes over only what nobody has looked at. Numbers of items differ by one at most, unless work that
    had begun already makes it otherwise.
    """
    wanted = len(graders) if overlap is None else min(overlap, len(graders))
    given = {item: [grader for grader in begun.get(item, ()) if grader in graders] for item in items}
    load = {grader: sum(grader in had for had in given.values()) for grader in graders}
    for item in items:
        free = sorted(
            (grader for grader in graders if grader not in given[item]),
            key=lambda grader: (load[grader], _draw(item, grader)),
        )
        for grader in free[: max(0, wanted - len(given[item]))]:
            given[item].append(grader)
            load[grader] += 1
    return {grader: tuple(item for item in items if grader in given[item]) for grader in graders}


def _draw(item: str, grader: str) -> str:
    """So that every two people meet on some items, not always the same two."""
    return hashlib.sha256(f"{item}\x1f{grader}".encode()).hexdigest()
