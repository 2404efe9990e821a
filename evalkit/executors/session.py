"""One invocation that sends requests: its ledger, its place in the run file, and how well it kept time."""

import platform
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from evalkit.executors.kept_back import kept_back
from evalkit.executors.lag import Lag, watched
from evalkit.executors.ledger import Ledger
from evalkit.frozen import dataclass
from evalkit.session_records import Session
from evalkit.store import RunFile


@dataclass(frozen=True)
class OpenSession:
    """A session that goes on."""

    id: int
    ledger: Ledger
    lag: Lag


@asynccontextmanager
async def session(run: RunFile, executor: str, concurrency: int) -> AsyncIterator[OpenSession]:
    """Record a session in the run file, and its end with the lag of our own loop; writes are done when it is left.

    Space for the ends of all that is in flight is kept back meanwhile; InfrastructureError if there is none.
    """
    begun = Session(0, _now(), platform.node(), executor, concurrency)
    with kept_back(run.path, concurrency, _longest_answer(run)) as space:
        session_id = run.start_session(begun)
        ledger = Ledger(run, space)
        try:
            with watched() as lag:
                yield OpenSession(session_id, ledger, lag)
        finally:
            await ledger.close()
    run.end_session(session_id, _now(), lag.p99_s, lag.max_s)


def _longest_answer(run: RunFile) -> int:
    """The most tokens that an answer of a run may have."""
    with run.together() as db:
        (of_items,) = db.execute("SELECT max(json_extract(content, '$.max_tokens')) FROM item").fetchone()
    return max(run.spec().max_tokens, of_items or 0)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
