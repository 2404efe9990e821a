"""Showing results: not while people are grading, unless somebody says so; and every showing is on record."""

from datetime import UTC, datetime
from pathlib import Path

from evalkit.analysis.counting_round import current_round
from evalkit.analysis.grading import PEEK
from evalkit.desk import close_round
from evalkit.errors import InfrastructureError, UsageError
from evalkit.grading_records import RoundEvent
from evalkit.queues import rubric_of
from evalkit.records import Round, Snapshot
from evalkit.rounds import answered, being_graded, left_to_grade, settings_of, shares
from evalkit.routing.classified import is_classifying
from evalkit.store import RunFile

REPORT = "report"


def snapshot_to_show(path: Path, peek: bool = False, command: str = REPORT) -> Snapshot:
    """What a report may rest on, with the showing of it on record; a round that everybody has finished is closed.

    UsageError for a run of a router, and while people are grading, unless they are to be looked over the shoulder
    (`peek`); it names the `command` with which that is done. A file that cannot be written is shown without a record;
    InfrastructureError if that was to be a peek.
    """
    if not _marked_read_only(path):
        try:
            with RunFile(path) as run:
                return _shown(run, peek, command)
        except InfrastructureError:
            if peek:
                raise
    elif peek:
        raise InfrastructureError(f"{path} is read-only, so a peek cannot be recorded in it; check its rights")
    with RunFile(path, read_only=True) as run:
        snapshot = run.snapshot()
    refuse_router_run(snapshot, path)
    refuse_while_graded(snapshot, command)
    return snapshot


def refuse_itself(then: Snapshot, now: Snapshot, earlier: Path, later: Path) -> None:
    """UsageError where both are one run, or copies of one: of several epochs it would find changes where none are."""
    sides = [
        (s.spec, [(a.trial_id, a.request_id, a.text) for a in s.attempts if a.final], s.grades) for s in (then, now)
    ]
    if sides[0] == sides[1]:
        raise UsageError(f"{str(earlier)!r} and {str(later)!r} hold the same outputs and grades; name two runs")


def refuse_router_run(snapshot: Snapshot, path: Path) -> None:
    """UsageError for the run beside another in which a small model classified its requests: it holds no answers."""
    if is_classifying(snapshot):
        raise UsageError(f"{path} holds what a router said of requests, and no answers to them; name the run beside it")


def _marked_read_only(path: Path) -> bool:
    """Whether nobody is meant to write the file: somebody who may write anything leaves it alone as well."""
    return path.is_file() and not path.stat().st_mode & 0o222


def _shown(run: RunFile, peek: bool, command: str) -> Snapshot:
    snapshot = run.snapshot()
    refuse_router_run(snapshot, run.path)
    while (round_ := being_graded(snapshot)) and not _unfinished(snapshot, round_):
        close_round(run, round_.id, "everybody has finished")
        snapshot = run.snapshot()
    if round_ is not None and not peek:
        refuse_while_graded(snapshot, command)
    seen = round_ or current_round(snapshot)
    event = RoundEvent("shown", seen.id if seen else None, content={"how": PEEK if round_ else REPORT}, at=_now())
    if _is_news(snapshot, event):
        run.add_event(event)
        snapshot = run.snapshot()
    return snapshot


def _is_news(snapshot: Snapshot, event: RoundEvent) -> bool:
    """Whether the same grades have not been shown in the same way just before. Grades are numbered from 1 on."""
    shown = [e for e in snapshot.events if e.kind == "shown"]
    state = (len(snapshot.grades), event.round_id, event.content)
    return not shown or (shown[-1].grades_before, shown[-1].round_id, dict(shown[-1].content)) != state


def refuse_while_graded(snapshot: Snapshot, command: str = REPORT) -> None:
    """UsageError while people are grading: whoever sees results could work out who wrote what."""
    round_ = being_graded(snapshot)
    left = _unfinished(snapshot, round_) if round_ is not None else ""
    if round_ is not None and left:
        raise UsageError(
            f"round {round_.id} is still being graded by people ({left}); close it with `evalkit grade --close`,"
            f" or look now with `evalkit {command} --peek`, which is recorded"
        )


def _unfinished(snapshot: Snapshot, round_: Round) -> str:
    """What people have not done yet, in words; empty if everybody has finished."""
    left = sum(left_to_grade(snapshot, round_.id, rubric_of(snapshot)).values())
    share = shares(snapshot, round_.id)
    wanted = sum(len(_outputs(snapshot, items)) for items in share.values())
    if left:
        return f"{left:,} of {wanted:,} outputs left"
    if settings_of(snapshot, round_.id).ask_author:
        said = {(m.grader, m.trial_id) for m in snapshot.markings if (m.round_id, m.kind) == (round_.id, "author")}
        asked = {(grader, trial) for grader, items in share.items() for trial in _outputs(snapshot, items)}
        if asked - said:
            return f"who wrote them has not been answered for {len(asked - said):,} of {wanted:,} outputs"
    return ""


def _outputs(snapshot: Snapshot, items: tuple[str, ...]) -> list[int]:
    texts, wanted = answered(snapshot), set(items)
    return [trial.id for trial in snapshot.trials if trial.id in texts and trial.key.item_id in wanted]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
