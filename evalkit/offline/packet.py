"""Packets: a person's pile and the grading page in one file, and the answers that come back from it as JSON."""

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from evalkit.desk import Desk
from evalkit.errors import ProblemsError, UsageError
from evalkit.offline.incoming import Incoming
from evalkit.strict import StrictModel, validated
from evalkit.web.page import packet_page
from evalkit.web.pile_data import pile_data, sitting_data
from evalkit.web.sent_mark import SHORT, SentMark


class _Answers(StrictModel):
    evalkit: Literal["answers"]
    version: Literal[1]
    packet: Annotated[str, SHORT]
    round: int
    grader: Annotated[str, SHORT]
    handed_in: bool
    marks: Annotated[tuple[SentMark, ...], Field(max_length=1_000_000)]


def packet(desk: Desk, grader: str) -> str:
    """An HTML file in which a person grades their whole pile without a server, with what they have said so far."""
    pile = desk.pile(grader)
    data = {
        "id": packet_id(desk, grader),
        "round": desk.round.id,
        "pile": pile_data(desk, grader),
        "sittings": [sitting_data(sitting) for sitting in pile.sittings],
    }
    return packet_page(data)


def packet_id(desk: Desk, grader: str) -> str:
    """What a packet's answers are known by: its labels, which nobody else has, and whether it asks who wrote what."""
    parts = [*sorted(desk.pile(grader).trials), *desk.authors(grader)]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


def read_answers(desks: Sequence[Desk], grader: str | None, data: bytes, file: str) -> tuple[Desk, Incoming]:
    """A packet's answers as marks, with the desk of their round; UsageError or ProblemsError if they are of none."""
    try:
        content = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file} is no JSON; import the file that the packet's page wrote, as it is") from error
    found = validated(_Answers, content)
    if isinstance(found, list):
        raise ProblemsError(
            [
                f"{':'.join([file, *('.'.join(map(str, path)),) * bool(path)])}: {what}; {remedy}"
                for path, what, remedy in found
            ]
        )
    desk = next((desk for desk in desks if desk.round.id == found.round), None)
    if desk is None:
        raise UsageError(f"{file} belongs to round {found.round}, which is not open; export a new packet")
    if grader is not None and found.grader != grader:
        raise UsageError(f"{file} has the answers of {found.grader!r}, not of {grader!r}; leave --grader out")
    if found.grader not in desk.people:
        raise UsageError(f"{file}: {found.grader!r} does not take part in this round; check the run file")
    marks = tuple(sent.mark() for sent in found.marks)
    if found.packet != packet_id(desk, found.grader) and desk.pile(found.grader).trials.keys().isdisjoint(
        mark.label for mark in marks
    ):
        raise UsageError(
            f"{file} answers no packet of {found.grader!r} in this run; name the run file it was made from"
        )
    places_of = {mark.nonce: f"{file}: mark {number} on {mark.label!r}" for number, mark in enumerate(marks, start=1)}
    return desk, Incoming(found.grader, marks, places_of)
