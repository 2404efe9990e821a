"""From the run file's rows to the records they were written from."""

import json
import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from sys import intern
from typing import Any

from evalkit.grading_records import Marking, Preference, RoundEvent
from evalkit.records import Attempt, Grade, ItemRecord, PromptSize, Round, Trial, TrialKey, Usage
from evalkit.session_records import Session


def _shared(word: Any) -> Any:
    """The one text of all that say the same: what a run has many of should not be in memory as often."""
    return word if word is None else intern(word)


@lru_cache(maxsize=1024)
def _usage(content: str) -> Usage:
    return Usage(**json.loads(content))


def item_of(row: sqlite3.Row) -> ItemRecord:
    """A row of `item` as the record."""
    content = json.loads(row["content"])
    lists = {name: tuple(content[name]) for name in ("tags", "documents", "evidence_positions")}
    return ItemRecord(**{**content, **lists})


def size_of(row: sqlite3.Row) -> PromptSize:
    """A row of `prompt_size` as the record."""
    counted = bool(row["counted"])
    return PromptSize(intern(row["item_id"]), intern(row["model"]), row["tokens"], counted, row["most_tokens"])


def trial_of(row: sqlite3.Row) -> Trial:
    """A row of `trial` as the record."""
    return Trial(row["id"], TrialKey(intern(row["item_id"]), intern(row["model"]), row["epoch"]), row["position"])


def attempt_of(columns: sqlite3.Row) -> Attempt:
    """A row of `attempt` as the record."""
    row = dict(zip(columns.keys(), columns, strict=True))  # which finds a name without looking through all of them
    lost = row["outcome"] is None
    return Attempt(
        id=row["start_id"], trial_id=row["trial_id"], grader=_shared(row["grader"]), round_id=row["round_id"],
        number=row["number"], sent_at=row["sent_at"], outcome=_shared(row["outcome"]), final=bool(row["final"]),
        text="" if lost else row["text"], stop_reason=_shared(row["stop_reason"]),
        served_model=_shared(row["served_model"]), request_id=row["request_id"],
        usage=_usage("{}" if lost else row["usage"]), cost_usd=row["cost_usd"],
        ttft_s=row["ttft_s"], latency_s=row["latency_s"], felt_s=row["felt_s"],
        queued_s=row["queued_s"], status=row["status"], error_type=row["error_type"],
        error_message=row["error_message"], simulated=bool(row["simulated"]),
        headers_s=row["headers_s"], reused=None if row["reused"] is None else bool(row["reused"]),
        session_id=row["session_id"], in_flight=row["in_flight"], subject=row["subject"],
        worker_id=row["worker_id"], most_tokens=row["most_tokens"],
        cached=None if row["cached"] is None else bool(row["cached"]),
    )  # fmt: skip


def session_of(row: sqlite3.Row) -> Session:
    """A row of `session` as the record."""
    return Session(id=row["id"], **json.loads(row["content"]), **json.loads(row["ended"] or "{}"))


def round_of(row: sqlite3.Row, joined: Sequence[str]) -> Round:
    """A row of `round` as the record, with those who joined later after those who opened it."""
    content = json.loads(row["content"])
    opened = content["graders"]
    later = dict.fromkeys(grader for grader in joined if grader not in opened)
    return Round(**{**content, "graders": (*opened, *later)})


def grade_of(row: sqlite3.Row, before_results: float) -> Grade:
    """A row of `grade` as the record; `before_results`: the newest grade's id when results were first shown."""
    return Grade(
        row["round_id"], intern(row["grader"]), row["trial_id"], intern(row["criterion"]), row["level"],
        _shared(row["ungraded_reason"]), row["comment"], row["identity_marks"], row["id"] > before_results,
    )  # fmt: skip


def event_of(row: sqlite3.Row) -> RoundEvent:
    """A row of `round_event` as the record."""
    return RoundEvent(
        row["kind"], row["round_id"], row["grader"], json.loads(row["content"]), row["grades_before"], row["at"]
    )


def marking_of(row: sqlite3.Row) -> Marking:
    """A row of `marking` as the record."""
    return Marking(
        row["round_id"], row["grader"], row["trial_id"], row["kind"], json.loads(row["content"]), row["active_s"],
        row["at"],
    )  # fmt: skip


def preference_of(row: sqlite3.Row) -> Preference:
    """A row of `preference` as the record."""
    return Preference(
        row["round_id"], row["grader"], row["first_trial_id"], row["second_trial_id"], row["choice"], row["comment"]
    )
