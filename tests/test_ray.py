"""A run that a Ray cluster sends is the run that this machine would have sent, whatever dies meanwhile."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clusters import Cluster, cluster
from processes import Process
from servers import Recorded, recorded
from test_kill import Paced, settled_keys, trials_asked
from test_run import MODELS, run_files, snapshot, write_tiny

from evalkit.cli import main
from evalkit.records import LOST, Snapshot

ITEMS = 20
AT_ONCE = 4
KEY = "sk-ant-a-secret-of-no-value-0123456789"
EVERYTHING = {(f"item-{n}", model) for n in range(ITEMS) for model in MODELS}


@pytest.fixture(scope="module")
def two() -> Iterator[Cluster]:
    """A cluster of two nodes; whoever takes one away puts another in its place."""
    with cluster() as running:
        running.add()
        yield running


@pytest.fixture
def pace() -> Paced:
    return Paced()


@pytest.fixture
def server(pace: Paced) -> Iterator[Recorded]:
    with recorded(fault=pace) as running:
        yield running


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_tiny(tmp_path, ITEMS)


def on(where: Cluster | None, tiny: Path, server: Recorded, *more: str) -> list[str]:
    """`evalkit run` over two models, sent by a cluster or, without one, from here."""
    models = [part for model in MODELS for part in ("-m", model)]
    ray = ["--executor", "ray", "--address", where.address] if where else []
    return ["run", str(tiny), "--base-url", server.url, "-q", "-j", str(AT_ONCE), "--yes", *models, *ray, *more]


def carried_out(arguments: list[str]) -> int:
    """The exit code of a command in a process of its own."""
    with Process(arguments) as process:
        return process.wait()


def until(true: Callable[[], bool], process: Process) -> None:
    """Block while a command works until something is so; AssertionError if it never is."""
    end = time.monotonic() + 120
    while not true():
        assert process.returncode is None, f"it ended too early: {process.errors()}"
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.01)


def outputs(seen: Snapshot) -> dict[Any, Any]:
    """What each trial came to, and what it took and cost."""
    keys = {trial.id: trial.key for trial in seen.trials}
    return {keys[a.trial_id]: (a.outcome, a.text, a.usage, a.cost_usd) for a in seen.attempts if a.final}


def lost(seen: Snapshot) -> list[Any]:
    return [attempt for attempt in seen.attempts if attempt.error_type == LOST]


def assert_each_answered_once(seen: Snapshot, server: Recorded) -> None:
    """Every trial is settled by one attempt; what went with a worker is in the ledger, and was sent once more."""
    assert settled_keys(seen) == EVERYTHING
    tried = Counter(attempt.trial_id for attempt in seen.attempts)
    gone = Counter(attempt.trial_id for attempt in lost(seen))
    never = Counter(attempt.trial_id for attempt in seen.attempts if attempt.outcome is None)
    assert tried == Counter(trial.id for trial in seen.trials) + gone + never
    assert all(attempt.cost_usd is None and attempt.latency_s is None for attempt in lost(seen))
    unheard = len(seen.attempts) - len(server.messages())
    assert 0 <= unheard <= len(lost(seen)) + never.total(), "sent without being recorded, or the other way round"


def test_two_nodes_send_the_run_that_this_machine_would(
    two: Cluster, tiny: Path, server: Recorded, pace: Paced, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    assert carried_out(on(two, tiny, server)) == 0
    seen, asked = snapshot(), len(server.messages())
    assert len(seen.attempts) == asked == len(EVERYTHING)
    with recorded() as afresh:  # to one that was asked before, it would answer otherwise
        assert main(on(None, tiny, afresh, "-o", "here.db")) == 0
    assert outputs(seen) == outputs(snapshot_of("here.db"))
    assert [trial.key for trial in seen.trials] == [trial.key for trial in snapshot_of("here.db").trials]
    (session,) = seen.sessions
    assert (session.executor, session.concurrency) == ("ray", AT_ONCE)
    assert all(worker.session_id == session.id and worker.lost is None for worker in seen.workers)
    assert len({worker.node for worker in seen.workers}) == len(seen.workers) == 2
    assert all(worker.lag_p99_s is not None and abs(worker.clock_offset_s) < 1 for worker in seen.workers)
    sent = Counter(attempt.worker_id for attempt in seen.attempts)
    assert set(sent) == {worker.id for worker in seen.workers}, "one worker did nothing"
    assert all(r.headers["authorization"] == f"Bearer {KEY}" for r in server.requests if r.path == "/v1/messages")
    assert KEY.encode() not in run_files()[0].read_bytes()


def snapshot_of(name: str) -> Snapshot:
    from evalkit.store import RunFile

    with RunFile(Path(name)) as run:
        return run.snapshot()


def kill_a_worker(two: Cluster, tiny: Path, server: Recorded, pace: Paced, moment: int) -> None:
    with Process(on(two, tiny, server)) as process:
        until(lambda: len(server.messages()) >= moment, process)
        victim = random.Random().choice(snapshot().workers)  # noqa: S311  no secret
        os.kill(victim.pid, signal.SIGKILL)
        assert process.wait() == 0
    seen = snapshot()
    assert_each_answered_once(seen, server)
    assert {attempt.worker_id for attempt in lost(seen)} <= {victim.id}
    assert len(lost(seen)) <= AT_ONCE
    (told,) = [worker for worker in seen.workers if worker.lost is not None]
    assert told.id == victim.id


def test_a_worker_that_is_killed_takes_nothing_with_it_but_what_it_had_under_way(
    two: Cluster, tiny: Path, server: Recorded, pace: Paced
) -> None:
    kill_a_worker(two, tiny, server, pace, moment=6)


def kill_the_driver(two: Cluster, tiny: Path, server: Recorded, pace: Paced, moment: int) -> None:
    with Process(on(two, tiny, server)) as process:
        until(lambda: len(server.messages()) >= moment, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    since, done = len(server.messages()), settled_keys(snapshot())
    pace.slow = lambda: False
    assert carried_out(on(two, tiny, server)) == 0
    assert_each_answered_once(snapshot(), server)
    assert not done & set(trials_asked(server, since)), "a settled trial was sent again"


def test_a_driver_that_is_killed_goes_on_with_what_is_left(
    two: Cluster, tiny: Path, server: Recorded, pace: Paced
) -> None:
    kill_the_driver(two, tiny, server, pace, moment=9)
