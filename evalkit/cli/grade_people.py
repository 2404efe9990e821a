"""Grading by people: who is asked, their links, the page while it is open, and how it ends."""

import getpass
import hashlib
import os
import shutil
import socket
import sys
import threading
import webbrowser
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from evalkit.cli.terminal import in_shell, say
from evalkit.errors import InterruptedRunError, InUseError, UsageError

if TYPE_CHECKING:
    from evalkit.desk import Desk
    from evalkit.records import Round
    from evalkit.rounds import Settings
    from evalkit.rubric import Rubric
    from evalkit.store import RunFile

Who = Literal["people", "judges", "checks"]
PORT = 8642
"""Where the page is served unless told otherwise; always the same, so that a page still open finds it again."""


def who_grades(by: Who | None, rubric: "Rubric", for_people: Mapping[str, Any], for_judges: Mapping[str, Any]) -> Who:
    """Who is to grade, by what was asked for; UsageError where options of both kinds were given."""
    people = [name for name, value in for_people.items() if value is not None]
    judges = [name for name, value in for_judges.items() if value is not None]
    if by is None:
        if people and judges:
            raise UsageError(f"{people[0]} is for people and {judges[0]} for judges; run the command once for each")
        on_terminal = sys.stdin.isatty() and sys.stdout.isatty() and bool(rubric.judged)
        by = "people" if people or (on_terminal and not judges) else "judges"
    wrong = judges if by == "people" else people
    if wrong:
        raise UsageError(f"{wrong[0]} has no meaning when {by} grade; leave it out")
    if by == "people" and not rubric.judged:
        raise UsageError("every criterion of the rubric is a check, so there is nothing for people to grade")
    return by


def close_by_hand(file: "RunFile", round_id: int | None = None) -> None:
    """End a round in which people are at work, whatever is left of it; UsageError where it is not clear which one."""
    from evalkit.desk import close_round
    from evalkit.queues import rubric_of
    from evalkit.rounds import left_to_grade, open_to_people, people_of

    snapshot = file.snapshot()
    open_ = open_to_people(snapshot)
    if not open_:
        raise UsageError(f"{file.path} has no open round of people; there is nothing to close")
    meant = [round_ for round_ in open_ if round_id in (None, round_.id)]
    if len(meant) != 1:
        what = (
            f"{len(open_)} rounds are open to people" if round_id is None else f"round {round_id} is not open to people"
        )
        told = [
            f"--round {r.id} ({'blind' if r.blind else 'not blind'}: {', '.join(people_of(snapshot, r.id))})"
            for r in open_
        ]
        raise UsageError(f"{what}; say which with --close {' or '.join(told)}")
    (round_,) = meant
    left = left_to_grade(snapshot, round_.id, rubric_of(snapshot))
    close_round(file, round_.id, "closed by hand")
    say(f"closed: round {round_.id} of {file.path}{_left(left, ' with ungraded outputs: ')}")
    still = [str(other.id) for other in open_ if other != round_]
    if still:
        say(f"still open to people: round {', '.join(still)}")
    else:
        say(f"next: evalkit report {in_shell(file.path)}")


def _left(left: Mapping[str, int], before: str = "") -> str:
    told = ", ".join(f"{grader} {count}" for grader, count in left.items() if count)
    return f"{before}{told}" if told else ""


class PeopleSession:
    """One invocation of `grade` by people. `wishes`: settings of the round that were asked for, None where not."""

    def __init__(self, file: "RunFile", blind: bool, wishes: Mapping[str, Any], quiet: bool) -> None:
        self._file, self._blind, self._quiet = file, blind, quiet
        self._wishes = {name: wish for name, wish in wishes.items() if wish is not None}
        self._line = ""

    def grade(self, names: Sequence[str], port: int | None, browser: bool) -> None:
        """Serve the page until everybody has handed in; InterruptedRunError at Ctrl-C."""
        from evalkit.listening import listen

        with self._file.only_writer("grade people"), listen("127.0.0.1", PORT if port is None else port) as listener:
            desk = self.desk_for(names)
            self._serve(desk, listener, names or desk.people, browser)

    def desk_for(self, names: Sequence[str]) -> "Desk":
        """The round's desk with these people at it, and the checks done; the caller holds the run file for people."""
        from evalkit.cli.grade_judges import nothing_to_grade
        from evalkit.rounds import answered

        snapshot = self._file.snapshot()
        if not answered(snapshot):
            raise UsageError(nothing_to_grade(self._file.path, snapshot))
        desk = self._desk(names)
        self._check(desk.round)
        return desk

    def desk_beside(self, names: Sequence[str]) -> "Desk":
        """A desk to read from while another process holds the run file for people, such as an open page.

        Nobody joins and nothing is dealt anew: the page would not know, and could close the round without them.
        """
        from evalkit.desk import Desk
        from evalkit.rounds import open_to_people

        open_ = [r for r in open_to_people(self._file.snapshot()) if r.blind == self._blind]
        desk = Desk(self._file, open_[-1]) if open_ else None
        new = [name for name in names if desk is None or name not in desk.people]
        changed = [name for name, wish in self._wishes.items() if desk and getattr(desk.settings, name) != wish]
        if desk is None or new or changed:
            what = (
                f"{new[0]!r} does not take part yet"
                if new
                else f"other {changed[0]} than the round's are asked for"
                if changed
                else "no round is open"
            )
            raise InUseError(
                f"{self._file.path} is in use by another `evalkit grade`, such as an open page, and {what};"
                " end that one (Ctrl-C, nothing is lost), export, and start it again"
            )
        return desk

    def _desk(self, names: Sequence[str]) -> "Desk":
        from evalkit.desk import Desk, open_for_people
        from evalkit.rounds import people_of

        before = self._file.snapshot().rounds
        round_ = open_for_people(self._file, self._blind)
        if before and round_ not in before:
            say(f"this is round {round_.id}, graded afresh: the rounds before it are closed", err=True)
        open_for_people(self._file, self._blind, self._settings(round_))
        desk = Desk(self._file, round_)
        for name in names or people_of(self._file.snapshot(), round_.id) or (default_grader(),):
            desk.join(name)
        return desk

    def _settings(self, round_: "Round") -> "Settings":
        """What the round had, or the defaults for a new one, with what was asked for now."""
        from evalkit.rounds import REPEAT_SHARE, Settings, people_of, settings_of

        snapshot = self._file.snapshot()
        declared = any((event.kind, event.round_id) == ("settings", round_.id) for event in snapshot.events)
        begun = declared or people_of(snapshot, round_.id)
        before = settings_of(snapshot, round_.id) if begun else Settings(repeat_share=REPEAT_SHARE)
        return replace(before, **self._wishes)

    def _check(self, round_: "Round") -> None:
        """Let the checks do their part, which costs nothing."""
        from evalkit.cli.progress import counting
        from evalkit.grade import grade_by_checks
        from evalkit.queues import rubric_of

        if not self._blind:
            say("NOT BLIND: this round is stamped and its grades are for debugging only", err=True)
        if rubric_of(self._file.snapshot()).checked:
            with counting("checking", self._quiet) as counter:
                grade_by_checks(self._file, round_, counter)

    def _serve(self, desk: "Desk", listener: Any, names: Sequence[str], browser: bool) -> None:
        from evalkit.cli.grade_links import new_link_at_enter
        from evalkit.desk import close_round
        from evalkit.web.app import GradingApp
        from evalkit.web.entrance import Entrance
        from evalkit.web.server import PageServer

        port = listener.getsockname()[1]
        entrance = Entrance(desk.secret("page"), desk.people, port)
        app = GradingApp(desk, entrance, lambda: self._tell(app), lambda: server.end())  # noqa: PLW0108  the server comes after

        def link(name: str) -> str:
            return f"http://127.0.0.1:{port}/login?t={entrance.link(name)}"

        links = {name: link(name) for name in names}

        def ready() -> None:
            self._announce(app, links, new_link_at_enter(desk.people, link))
            if browser and len(links) == 1 and _has_screen():
                threading.Thread(target=webbrowser.open, args=links.values(), daemon=True).start()

        server = PageServer(app.asgi(port), ready)
        if not app.turnout.all_in():
            try:
                server.run(sockets=[listener])
            except KeyboardInterrupt:
                self._interrupted(app, port)
            if not app.turnout.all_in():  # started in the background, it ends at SIGINT without KeyboardInterrupt
                self._interrupted(app, port)
        self._end_line()
        close_round(self._file, desk.round.id, "everybody has graded")
        say(f"everybody has graded, and the round is closed: {self._file.path}")
        say(f"next: evalkit report {in_shell(self._file.path)}")

    def _announce(self, app: Any, links: Mapping[str, str], has_keyboard: bool) -> None:
        wide = max(map(len, links), default=0)
        counts = app.turnout.counts()
        for name, link in links.items():
            done, total = counts[name]
            say(f"{name:<{wide}}  {link}  {total - done} of {total} outputs to grade")
        if "SSH_CONNECTION" in os.environ:
            port = app.entrance.cookie_name.rpartition("_")[2]
            say(f"from another machine: ssh -L {port}:127.0.0.1:{port} HOST, then open the link there", err=True)
        name = "a name and " if len(app.desk.people) > 1 else ""
        again = f"; {name}Enter prints a new one" if has_keyboard else ""
        stop = "Ctrl-C stops; every mark is saved, and the same command goes on."
        say(f"Each link works once{again}. {stop}", err=True)

    def _tell(self, app: Any) -> None:
        """How far everybody is, in numbers that say nothing of what they said."""
        from evalkit.cli.progress import is_interactive

        if self._quiet:
            return
        counts = app.turnout.counts()
        if is_interactive():
            line = " · ".join(f"{name} {done} of {total}" for name, (done, total) in counts.items())
            self._line = line[: shutil.get_terminal_size().columns - 1]
            sys.stderr.write(f"\r\x1b[K{self._line}")
            sys.stderr.flush()
            return
        done, total = map(sum, zip(*counts.values(), strict=True))
        tenth = f"graded: {10 * (10 * done // total) if total else 0} %"
        if tenth != self._line and done:
            self._line = tenth
            say(tenth, err=True)

    def _end_line(self) -> None:
        from evalkit.cli.progress import is_interactive

        if self._line and is_interactive():
            sys.stderr.write("\n")

    def _interrupted(self, app: Any, port: int) -> None:
        """Say how much is left and how to go on; a round closed meanwhile needs no going on."""
        self._end_line()
        if not app.desk.is_open:
            say(f"the round has been closed\nnext: evalkit report {in_shell(self._file.path)}")
            raise InterruptedRunError("stopped; nothing is left to do here")
        left = {name: total - done for name, (done, total) in app.turnout.counts().items()}
        again = "".join(
            [
                f"evalkit grade {in_shell(self._file.path)}",
                "" if self._blind else " --no-blind",
                f" --port {port}" * (port != PORT),
            ]
        )
        told = _left(left) or "nothing, but not everybody has handed in (--close ends the round)"
        raise InterruptedRunError(f"stopped; outputs left: {told}; go on with `{again} --by people`")


def default_grader() -> str:
    """A name for whoever gives none: the same of one login on one machine, which it does not tell and nobody who does
    not know both can guess, since it is in reports."""
    try:
        who = f"{getpass.getuser()}@{socket.gethostname()}"
        return f"grader-{hashlib.sha256(who.encode()).hexdigest()[:4]}"
    except (OSError, KeyError) as error:
        raise UsageError("your login has no name; say who grades with --grader") from error


def _has_screen() -> bool:
    """Whether a browser could be shown; without one, `webbrowser` may start something in this terminal."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
