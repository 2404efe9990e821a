"""What an import brought and what it did not, in lines for people."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from evalkit.grader_names import kind_of
from evalkit.wording import listing, plural

if TYPE_CHECKING:
    from evalkit.importing import Imported

_KINDS = {"human": ("person", "people"), "judge": ("judge", None), "check": ("check", None)}


def notes(made: "Imported", left_out: Mapping[str, int]) -> Iterator[str]:
    """Sizes first, then everything a reader should know before relying on it."""
    failed = sum(attempt.outcome == "errored" for attempt in made.attempts)
    models, items = plural(len(made.spec.models), "model"), plural(len(made.items), "item")
    yield f"  {models}, {items}, {plural(len(made.order), 'trial')}, {failed:,} of them failed"
    yield f"  grades: {_grades(made)}"
    yield f"  costs: {made.spec.prices_version}"
    yield from (f"  ! {text}" for text in _doubts(made, left_out))


def _grades(made: "Imported") -> str:
    if not made.grades:
        return "none"
    names = dict.fromkeys(grade.grader for grade in made.grades)
    kinds = Counter(kind_of(name) for name in names)
    who = listing([plural(count, *_KINDS[kind]) for kind, count in kinds.items()])
    empty = sum(grade.level is None for grade in made.grades)
    return f"{len(made.grades):,} by {who}" + (f", {empty:,} of them ungraded" if empty else "")


def _doubts(made: "Imported", left_out: Mapping[str, int]) -> Iterator[str]:
    missing = sum(not item.task for item in made.items)
    if missing:
        yield f"{plural(missing, 'item')} without a prompt: graders will not see what was asked"
    if made.graded_failures:
        yield (
            f"{plural(made.graded_failures, 'graded trial')} without an output: failed, whatever the grade says;"
            ' write "output": "" where an output was not kept'
        )
    if left_out:
        parts = listing([f"{name} ({count:,})" for name, count in sorted(left_out.items())])
        yield f"grades on other criteria left out: {parts}"
