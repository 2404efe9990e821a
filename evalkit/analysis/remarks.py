"""What people leave on an output beside grades: a flag, a note, and that they put it off."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from evalkit.frozen import dataclass
from evalkit.grader_names import first_of
from evalkit.grading_records import Marking
from evalkit.records import Snapshot


@dataclass(frozen=True)
class Remark:
    """One person's, on one output. `note` is in their own words, empty where they wrote none.

    `put_off`: how often they skipped it; `graded` whether they finished it all the same.
    """

    grader: str
    flagged: bool
    note: str
    put_off: int
    graded: bool


def remarks(snapshot: Snapshot) -> Mapping[int, tuple[Remark, ...]]:
    """By trial, what each person left there, over all rounds; a flag or a note that was taken back is gone.

    An output that came to a person again is the same output: what they said of it either time stands.
    """
    of_sitting: dict[tuple[int, str], dict[tuple[int, str], list[Marking]]] = defaultdict(lambda: defaultdict(list))
    for mark in snapshot.markings:
        of_sitting[mark.trial_id, first_of(mark.grader)][mark.round_id, mark.grader].append(mark)
    found: dict[int, list[Remark]] = defaultdict(list)
    for (trial_id, person), sittings in of_sitting.items():
        remark = _remark(person, list(sittings.values()))
        if remark.flagged or remark.note or remark.put_off:
            found[trial_id].append(remark)
    return {trial_id: tuple(sorted(said, key=lambda r: r.grader)) for trial_id, said in found.items()}


def _remark(person: str, sittings: list[list[Marking]]) -> Remark:
    notes = dict.fromkeys(_last(marks, "note", "text", "") for marks in sittings)
    return Remark(
        grader=person,
        flagged=any(_last(marks, "flag", "on", False) for marks in sittings),
        note="\n".join(note for note in notes if note),
        put_off=sum(mark.kind == "skip" for marks in sittings for mark in marks),
        graded=any(_is_done(marks) for marks in sittings),
    )


def _last(marks: list[Marking], kind: str, name: str, default: Any) -> Any:
    said = [mark.content[name] for mark in marks if mark.kind == kind]
    return said[-1] if said else default


def _is_done(marks: list[Marking]) -> bool:
    """Whether the last word is that it is done: a level taken back later opens it again."""
    ends = [m.kind == "done" for m in marks if m.kind == "done" or (m.kind == "level" and "level" not in m.content)]
    return bool(ends) and ends[-1]
