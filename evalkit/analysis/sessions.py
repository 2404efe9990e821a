"""Sessions: where and how fast each invocation sent its requests, and whether its own clock can be believed."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from statistics import median

from evalkit.frozen import dataclass
from evalkit.records import Attempt, Snapshot
from evalkit.session_records import TRUSTED_LAG_S, Session, Worker
from evalkit.standstill import STALL_S, is_unclocked


@dataclass(frozen=True)
class SessionResult:
    """One invocation of a command that sent requests. Times are medians in seconds; None where nobody measured them.

    `attempts` of production, `failed`, `lost` and `waiting` ones (in a batch that is not back) among them; `judging`
    ones are apart and in no other figure.
    `in_flight`: median of the requests under way when one was sent, itself included. `reused` of the `connections`
    that are known were open already. `service_s` is one answering attempt's own time, `felt_s` a user's, retries and
    waits included, `queued_s` the wait on our side before a request: in neither of the others. `lag_p99_s`: how late
    this machine's own loop was. `stood_s`: the longest that a process which timed its requests stood still, None if not
    for long; `left_out`: trials whose latencies are not claimed for that.
    """

    id: int
    started_at: str
    executor: str
    concurrency: int
    ended: bool
    attempts: int
    failed: int
    lost: int
    waiting: int
    judging: int
    in_flight: float | None
    reused: int
    connections: int
    timed: int
    service_s: float | None
    felt_s: float | None
    queued_s: float | None
    lag_p99_s: float | None
    lag_max_s: float | None
    stood_s: float | None
    left_out: int

    @property
    def late(self) -> bool:
        """Whether this machine was so late that latencies of this session are partly its own.

        Not where a cluster's workers have measured them, each by its own clock.
        """
        return self.attempts > 0 and _lagged(self)


def _lagged(session: SessionResult) -> bool:
    """Whether our own loop was late, whatever it sent meanwhile."""
    return session.executor != "ray" and session.lag_p99_s is not None and session.lag_p99_s > TRUSTED_LAG_S


def session_results(snapshot: Snapshot) -> tuple[SessionResult, ...]:
    """Every recorded session, in order; none for a run file from before they were recorded."""
    made: dict[int | None, list[Attempt]] = defaultdict(list)
    for attempt in snapshot.attempts:
        made[attempt.session_id].append(attempt)
    unfelt = frozenset(a.trial_id for a in snapshot.attempts if _is_unfelt(a))
    in_order = sorted(snapshot.sessions, key=lambda s: s.id)
    return tuple(
        _result(session, made[session.id], _stood_s(session, snapshot), unfelt, snapshot.in_batches)
        for session in in_order
    )


def _stood_s(session: Session, snapshot: Snapshot) -> float | None:
    """Of a cluster's session its workers have timed the requests, of a batch nobody."""
    own = [worker for worker in snapshot.workers if worker.session_id == session.id]
    loops: Sequence[Session | Worker] = {"ray": own, "batch": ()}.get(session.executor, (session,))
    longest = max((loop.lag_max_s or 0.0 for loop in loops), default=0.0)
    return longest if longest > STALL_S else None


def _result(
    session: Session,
    attempts: Sequence[Attempt],
    stood_s: float | None,
    unfelt: Collection[int],
    in_batches: Collection[int],
) -> SessionResult:
    """`unfelt`: trials of which nobody can say what their user felt, for an attempt of this or another session."""
    own = [attempt for attempt in attempts if attempt.grader is None]
    answers = [a for a in own if a.outcome == "answered"]
    reused = [a.reused for a in own if a.reused is not None]
    return SessionResult(
        id=session.id,
        started_at=session.started_at,
        executor=session.executor,
        concurrency=session.concurrency,
        ended=session.ended_at is not None,
        attempts=len(own),
        failed=sum(a.outcome == "errored" for a in own),
        lost=sum(a.outcome is None and a.id not in in_batches for a in own),
        waiting=sum(a.id in in_batches for a in own),
        judging=len(attempts) - len(own),
        in_flight=_median(a.in_flight for a in own),
        reused=sum(reused),
        connections=len(reused),
        timed=sum(a.latency_s is not None for a in answers),
        service_s=_median(a.latency_s for a in answers),
        felt_s=_median(a.felt_s for a in answers),
        queued_s=_median(a.queued_s for a in own),
        lag_p99_s=session.lag_p99_s,
        lag_max_s=session.lag_max_s,
        stood_s=stood_s,
        left_out=len({a.trial_id for a in own if a.trial_id in unfelt and a.outcome is not None and is_unclocked(a)})
        if session.executor != "batch"
        else 0,
    )


def _is_unfelt(attempt: Attempt) -> bool:
    own = attempt.grader is None and attempt.final
    return own and attempt.outcome not in (None, "errored") and attempt.felt_s is None


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(median(known)) if known else None


def lateness(sessions: Sequence[SessionResult]) -> str | None:
    """What to say if this machine could not keep up; None if it could, if nobody measured it, or if no latency of
    an answer rests on that clock."""
    late = [session for session in sessions if session.late and session.timed]
    if not late:
        return None
    worst = max(late, key=lambda session: session.lag_p99_s or 0.0)
    return (
        f"This machine's own clock was late by {(worst.lag_p99_s or 0.0) * 1000:.0f} ms (p99, session {worst.id}), so"
        " latencies are partly this machine's own; lower -j for truer ones."
    )


def standstill(sessions: Sequence[SessionResult]) -> str | None:
    """What to say if a process that timed requests stood still, and of their latencies; None if none did."""
    stood = [session for session in sessions if session.attempts and (session.stood_s is not None or session.left_out)]
    if not stood:
        return None
    longest, left_out = max(session.stood_s or 0.0 for session in stood), sum(session.left_out for session in stood)
    where = f" (session {', '.join(str(session.id) for session in stood)})"
    known = f" for up to {longest:.1f} s" if longest else ""
    trials = f"{left_out:,} trial{'s' * (left_out != 1)}"
    lost = " or was lost" if any(session.executor == "ray" for session in stood) else ""
    return (
        f"A process that timed requests stood still{known}{lost}{where}, stopped, suspended or starved: the latencies"
        f" of {trials} under way then are left out, their answers, costs and grades are not."
    )


def clock_warnings(sessions: Sequence[SessionResult]) -> tuple[str, ...]:
    """What our own clocks have done to the latencies, a sentence each; of a standstill only if any are left out."""
    stood = standstill(sessions) if any(session.left_out for session in sessions) else None
    return tuple(text for text in (lateness(sessions), stood) if text)


def _on_time(sessions: Sequence[SessionResult]) -> str:
    measured = [session.lag_p99_s is not None for session in sessions]
    if not any(measured):
        return "Nothing was measured of our own loop, so nobody knows whether it was on time."
    return f"Our own loop was on time{'' if all(measured) else ' wherever that was measured'}."


def kept_time(sessions: Sequence[SessionResult]) -> str:
    """Whether our own clocks can be believed, in a sentence or two."""
    stood, late = standstill(sessions), any(_lagged(session) for session in sessions)
    kept = "Our own loop was late, but no latency rests on it." if late else _on_time(sessions)
    return " ".join(filter(None, (lateness(sessions) or (None if stood and not late else kept), stood)))
