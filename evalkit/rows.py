"""From the run file's rows to the records they were written from."""

import json
import sqlite3

from evalkit.records import Attempt, Grade, ItemRecord, Round, Session, Trial, TrialKey, Usage


def item_of(row: sqlite3.Row) -> ItemRecord:
    """A row of `item` as the record."""
    content = json.loads(row["content"])
    lists = {name: tuple(content[name]) for name in ("tags", "documents", "evidence_positions")}
    return ItemRecord(**{**content, **lists})


def trial_of(row: sqlite3.Row) -> Trial:
    """A row of `trial` as the record."""
    return Trial(row["id"], TrialKey(row["item_id"], row["model"], row["epoch"]), row["position"])


def attempt_of(row: sqlite3.Row) -> Attempt:
    """A row of `attempt` as the record."""
    lost = row["outcome"] is None
    return Attempt(
        id=row["start_id"], trial_id=row["trial_id"], grader=row["grader"], round_id=row["round_id"],
        number=row["number"], sent_at=row["sent_at"], outcome=row["outcome"], final=bool(row["final"]),
        text="" if lost else row["text"], stop_reason=row["stop_reason"], served_model=row["served_model"],
        request_id=row["request_id"], usage=Usage() if lost else Usage(**json.loads(row["usage"])),
        cost_usd=row["cost_usd"], ttft_s=row["ttft_s"], latency_s=row["latency_s"], felt_s=row["felt_s"],
        queued_s=row["queued_s"], status=row["status"], error_type=row["error_type"],
        error_message=row["error_message"], simulated=bool(row["simulated"]),
        headers_s=row["headers_s"], reused=None if row["reused"] is None else bool(row["reused"]),
        session_id=row["session_id"], in_flight=row["in_flight"],
    )  # fmt: skip


def session_of(row: sqlite3.Row) -> Session:
    """A row of `session` as the record."""
    return Session(id=row["id"], **json.loads(row["content"]), **json.loads(row["ended"] or "{}"))


def round_of(row: sqlite3.Row) -> Round:
    """A row of `round` as the record."""
    content = json.loads(row["content"])
    return Round(**{**content, "graders": tuple(content["graders"])})


def grade_of(row: sqlite3.Row) -> Grade:
    """A row of `grade` as the record."""
    return Grade(
        row["round_id"], row["grader"], row["trial_id"], row["criterion"], row["level"], row["ungraded_reason"],
        row["comment"], row["identity_marks"],
    )  # fmt: skip
