"""The plain records of who sent requests: the invocations of a command, and the workers of a cluster."""

from evalkit.frozen import dataclass

TRUSTED_LAG_S = 0.010
"""Past this p99 of our own event loop's lag, latencies measured beside it are partly our own."""


@dataclass(frozen=True)
class Session:
    """One invocation of a command that sent requests: where, how, and how well it could keep time.

    `lag_p99_s` and `lag_max_s`: how late our own event loop was; None while it runs, or if it was killed.
    """

    id: int
    started_at: str
    host: str
    executor: str
    concurrency: int
    ended_at: str | None = None
    lag_p99_s: float | None = None
    lag_max_s: float | None = None


@dataclass(frozen=True)
class Worker:
    """One process of a cluster that sent requests for a session: where, and how well it kept time.

    `node` is the cluster's name for the machine. `clock_offset_s`: how far its wall clock was ahead of that of the
    process which ran the session, known to within `clock_error_s`; latencies are durations, and do not depend on it.
    `lost`: why it went before the session had ended; None if it did not, or while it is there. Lags as in `Session`.
    """

    id: int
    session_id: int
    started_at: str
    host: str
    node: str
    pid: int
    clock_offset_s: float
    clock_error_s: float
    ended_at: str | None = None
    lost: str | None = None
    lag_p99_s: float | None = None
    lag_max_s: float | None = None
