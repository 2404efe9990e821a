"""Outcomes and grades as rows of a new run file, where they are known before the file exists."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from evalkit.records import Attempt, Grade, Round, Usage

Rows = Sequence[tuple[str, Iterable[tuple[Any, ...]]]]
"""Insert statements, each with its rows."""

_START = ("id", "trial_id", "round_id", "grader", "number", "sent_at", "queued_s")
_END = (
    "id", "outcome", "final", "text", "stop_reason", "served_model", "request_id", "cost_usd", "ttft_s", "latency_s",
    "felt_s", "status", "error_type", "error_message", "simulated",
)  # fmt: skip
_GRADE = ("round_id", "grader", "trial_id", "criterion", "level", "ungraded_reason", "comment", "identity_marks")


def outcome_rows(attempts: Sequence[Attempt], rounds: Sequence[Round], grades: Sequence[Grade], graded_at: str) -> Rows:
    """Settled production attempts, and grading rounds without a key: their labels were made elsewhere."""
    subjects = [(f"trial/{attempt.trial_id}", _known(attempt.usage)) for attempt in attempts]
    return [
        (
            "INSERT INTO round (id, content) VALUES (?, ?)",
            [(r.id, json.dumps(asdict(r), sort_keys=True)) for r in rounds],
        ),
        (_insert("attempt_start", _START), [_row(attempt, _START) for attempt in attempts]),
        (
            _insert("attempt", (*_END, "subject", "usage")),
            [_row(attempt, _END) + more for attempt, more in zip(attempts, subjects, strict=True)],
        ),
        (_insert("grade", (*_GRADE, "graded_at")), [(*_row(grade, _GRADE), graded_at) for grade in grades]),
    ]


def _insert(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608


def _row(record: Attempt | Grade, columns: Sequence[str]) -> tuple[Any, ...]:
    return tuple(getattr(record, column) for column in columns)


def _known(usage: Usage) -> str:
    return json.dumps({name: count for name, count in asdict(usage).items() if count is not None}, sort_keys=True)
