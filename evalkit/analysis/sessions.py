"""Sessions: where and how fast each invocation sent its requests, and whether its own clock can be believed."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import median

from evalkit.frozen import dataclass
from evalkit.records import TRUSTED_LAG_S, Attempt, Session, Snapshot


@dataclass(frozen=True)
class SessionResult:
    """One invocation of a command that sent requests. Times are medians in seconds; None where nobody measured them.

    `attempts` of production, `failed` and `lost` ones among them; `judging` ones are apart and in no other figure.
    `in_flight`: median of the requests under way when one was sent, itself included. `reused` of the `connections`
    that are known were open already. `service_s` is one answering attempt's own time, `felt_s` a user's, retries and
    waits included, `queued_s` the wait on our side before a request: in neither of the others. `lag_p99_s`: how late
    this machine's own loop was.
    """

    id: int
    started_at: str
    executor: str
    concurrency: int
    ended: bool
    attempts: int
    failed: int
    lost: int
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

    @property
    def late(self) -> bool:
        """Whether this machine was so late that latencies of this session are partly its own.

        Not where a cluster's workers have measured them, each by its own clock.
        """
        here = self.attempts > 0 and self.executor != "ray"
        return here and self.lag_p99_s is not None and self.lag_p99_s > TRUSTED_LAG_S


def session_results(snapshot: Snapshot) -> tuple[SessionResult, ...]:
    """Every recorded session, in order; none for a run file from before they were recorded."""
    made: dict[int | None, list[Attempt]] = defaultdict(list)
    for attempt in snapshot.attempts:
        made[attempt.session_id].append(attempt)
    return tuple(_result(session, made[session.id]) for session in sorted(snapshot.sessions, key=lambda s: s.id))


def _result(session: Session, attempts: Sequence[Attempt]) -> SessionResult:
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
        lost=sum(a.outcome is None for a in own),
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
    )


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
