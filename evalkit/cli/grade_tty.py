"""`evalkit grade --tty`: one person grades in this terminal, by the keys of the page."""

import sys
from time import monotonic
from typing import TYPE_CHECKING

from evalkit.cli.terminal import in_shell, say
from evalkit.errors import InterruptedRunError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.cli.grade_people import PeopleSession
    from evalkit.store import RunFile


def grade_here(file: "RunFile", session: "PeopleSession", names: "Sequence[str]") -> None:
    """Let one person grade until they are through; InterruptedRunError where they stop before."""
    from evalkit.desk import close_round
    from evalkit.web.turnout import Turnout

    if len(names) > 1:
        raise UsageError("one person at a time grades in a terminal; name one with --grader")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("--tty needs a terminal to read keys from; leave it out for the page, or use --export")
    if sys.platform == "win32":
        raise UsageError("--tty cannot read single keys on Windows; leave it out for the page, or use --export")
    from evalkit.cli.grade_people import default_grader
    from evalkit.tty.session import Session

    name = names[0] if names else default_grader()
    with file.only_writer("grade people"):
        desk = session.desk_for([name])
        turnout = Turnout(desk)
        handed_in = Session(desk, name, monotonic).grade(sys.stdin.fileno(), sys.stdout)
        left = desk.outputs_left(name)
        if not handed_in and not desk.is_through(name):
            what = f"{left} outputs left" if left else "who wrote them has not been answered"
            raise InterruptedRunError(
                f"stopped; {what}; go on with `evalkit grade {in_shell(file.path)} --tty --grader {name}`"
            )
        say(f"graded: {file.path}")
        if handed_in and turnout.hand_in(name) and turnout.all_in():
            close_round(file, desk.round.id, "everybody has graded")
            say(f"everybody has graded, and the round is closed\nnext: evalkit report {in_shell(file.path)}")
