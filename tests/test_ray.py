"""A run that a Ray cluster sends is the run that this machine would have sent, whatever dies meanwhile."""
# ruff: noqa: S311  chance is no secret here

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from clusters import Cluster, cluster, head
from processes import Process
from servers import Recorded, recorded
from test_kill import Paced, pace, server, settled_keys, tiny, trials_asked  # noqa: F401  fixtures
from test_run import MODELS, run_files, settled, snapshot

import evalkit
from evalkit.cli import main
from evalkit.error_kinds import LOST
from evalkit.errors import ExitCode
from evalkit.executors import ray_cluster
from evalkit.records import Snapshot
from evalkit.session_records import Worker

ITEMS = 20
AT_ONCE = 4
TOKEN = "0123456789abcdef" * 2
KEY = "sk-ant-a-secret-of-no-value-0123456789"
EVERYTHING = {(f"item-{n}", model) for n in range(ITEMS) for model in MODELS}


@pytest.fixture(scope="module")
def two() -> Iterator[Cluster]:
    """A cluster of two nodes; whoever takes one away puts another in its place."""
    with cluster() as running:
        running.add()
        yield running


def on(where: Cluster | None, tiny: Path, server: Recorded, *more: str) -> list[str]:
    """`evalkit run` over two models, sent by a cluster or, without one, from here."""
    models = [part for model in MODELS for part in ("-m", model)]
    ray = ["--executor", "ray", "--address", where.address] if where else []
    return ["run", str(tiny), "--base-url", server.url, "-q", "-j", str(AT_ONCE), "--yes", *models, *ray, *more]


def aloud(where: Cluster, tiny: Path, server: Recorded) -> list[str]:
    """The same, saying what it does."""
    return [argument for argument in on(where, tiny, server) if argument != "-q"]


def carried_out(arguments: list[str]) -> int:
    """The exit code of a command in a process of its own."""
    with Process(arguments) as process:
        return process.wait()


def until(true: Callable[[], bool], process: Process) -> None:
    """Block while a command works until something is so; AssertionError if it never is."""
    end = time.monotonic() + 400  # a loaded machine needs minutes for a worker to come up
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


@pytest.mark.long
def test_two_nodes_send_the_run_that_this_machine_would(
    two: Cluster, tiny: Path, server: Recorded, pace: Paced, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    pace.delay_s = 1.5
    with Process(on(two, tiny, server)) as process:
        until(lambda: bool(run_files()) and len(snapshot().workers) == 2, process)
        pace.slow = lambda: False
        assert process.wait() == 0
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


def kill_a_worker(two: Cluster, tiny: Path, server: Recorded, moment: int) -> None:
    with Process(on(two, tiny, server)) as process:
        until(lambda: len(server.messages()) >= moment, process)
        victim = killed_worker()
        assert process.wait() == 0
    seen = snapshot()
    assert_each_answered_once(seen, server)
    assert_only_its_own_is_lost(seen, victim)


def killed_worker(number: int = signal.SIGKILL) -> Worker:
    """One of the workers that are there, after kill -9 or another signal."""
    victim = random.Random().choice([one for one in snapshot().workers if one.ended_at is None])
    os.kill(victim.pid, number)
    return victim


def assert_only_its_own_is_lost(seen: Snapshot, victim: Worker) -> None:
    assert {attempt.worker_id for attempt in lost(seen)} <= {victim.id}
    assert len(lost(seen)) <= AT_ONCE
    (told,) = [worker for worker in seen.workers if worker.lost is not None]
    assert told.id == victim.id


def assert_it_goes_on(two: Cluster, tiny: Path, server: Recorded, pace: Paced) -> None:
    since, done = len(server.messages()), settled_keys(snapshot())
    pace.slow = lambda: False
    assert carried_out(on(two, tiny, server)) == 0
    assert_each_answered_once(snapshot(), server)
    assert not done & set(trials_asked(server, since)), "a settled trial was sent again"


def kill_the_driver(two: Cluster, tiny: Path, server: Recorded, pace: Paced, moment: int) -> None:
    with Process(on(two, tiny, server)) as process:
        until(lambda: len(server.messages()) >= moment, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert_it_goes_on(two, tiny, server, pace)


@pytest.mark.long
def test_neither_a_killed_worker_nor_a_killed_driver_costs_an_answer(
    two: Cluster, tiny: Path, server: Recorded, pace: Paced
) -> None:
    with Process(on(two, tiny, server)) as process:
        until(lambda: len(server.messages()) >= 6, process)
        victim = killed_worker()
        until(lambda: len(server.messages()) >= 14, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert_it_goes_on(two, tiny, server, pace)
    assert_only_its_own_is_lost(snapshot(), victim)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(20))
def test_a_worker_killed_at_any_moment_takes_nothing_with_it_but_what_it_had_under_way(
    number: int, two: Cluster, tiny: Path, server: Recorded
) -> None:
    kill_a_worker(two, tiny, server, random.Random().randint(1, 25))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(20))
def test_a_driver_killed_at_any_moment_goes_on_with_what_is_left(
    number: int, two: Cluster, tiny: Path, server: Recorded, pace: Paced
) -> None:
    kill_the_driver(two, tiny, server, pace, random.Random().randint(1, 25))


@pytest.mark.slow
def test_a_node_that_goes_is_done_without_and_one_that_comes_is_used(tiny: Path, server: Recorded, pace: Paced) -> None:
    pace.delay_s = 0.5
    with cluster() as own:
        leaving = own.add()
        with Process(on(own, tiny, server, "--epochs", "8")) as process:
            until(lambda: len(server.messages()) >= 10, process)
            gone = next(one for one in snapshot().workers if one.node == leaving.node_id)
            own.remove(leaving)
            until(lambda: any(one.lost for one in snapshot().workers), process)
            come = own.add()
            until(lambda: any(one.node == come.node_id for one in snapshot().workers), process)
            new = next(one for one in snapshot().workers if one.node == come.node_id)
            until(lambda: any(a.worker_id == new.id and a.final for a in snapshot().attempts), process)
            pace.slow = lambda: False
            assert process.wait() == 0
    seen = snapshot()
    assert {attempt.worker_id for attempt in lost(seen)} == {gone.id}
    assert {one.id for one in seen.workers if one.lost} == {gone.id}
    assert settled(seen) == {trial.id for trial in seen.trials}
    assert len(seen.attempts) == len(seen.trials) + len(lost(seen))
    assert 0 <= len(seen.attempts) - len(server.messages()) <= len(lost(seen))


@pytest.mark.slow
def test_without_a_node_that_has_room_the_run_says_so(
    tiny: Path, server: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cluster(cpus=0) as own, Process(aloud(own, tiny, server), first=impatient) as process:
        said = process.errors()
        assert "no worker yet, waiting for one for up to 8 s: none has come up; is a CPU free for one?" in said
        assert "no worker has been there for 8 s (none has come up; is a CPU free for one?)" in said
        assert process.returncode == ExitCode.PROVIDER
    assert snapshot().attempts == ()


@pytest.mark.slow
def test_a_cluster_that_loses_its_head_ends_a_run_that_goes_on_elsewhere(
    tiny: Path, server: Recorded, pace: Paced, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as brief:
        brief.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "5")  # of the nodes; the driver has its own patience
        with cluster() as own:
            own.add()
            brief.delenv("RAY_gcs_rpc_server_reconnect_timeout_s")
            pace.delay_s = 0.5
            with Process(on(own, tiny, server, "--epochs", "8"), first=rather_patient) as process:
                until(lambda: len(server.messages()) >= 10, process)
                own.lose_head()
                said = process.errors()
    assert process.returncode == ExitCode.PROVIDER
    assert "no worker has been there for 40 s" in said
    assert "then the same `evalkit run` command goes on from here" in said
    assert "Failed to connect" not in said
    done, since = settled(snapshot()), len(server.messages())
    pace.slow = lambda: False
    assert carried_out(on(None, tiny, server, "--epochs", "8")) == 0
    everything = {trial.id for trial in snapshot().trials}
    assert settled(snapshot()) == everything
    assert len(server.messages()) - since == len(everything - done), "a settled trial was sent again"


@pytest.mark.slow
def test_a_cluster_that_cannot_be_reached_any_more_ends_a_run_and_nothing_waits_for_its_answers(
    tiny: Path, server: Recorded, pace: Paced
) -> None:
    pace.delay_s = 0.5
    with cluster() as own, Process(on(own, tiny, server, "--epochs", "8"), first=rather_patient) as process:
        until(lambda: len(server.messages()) >= 6, process)
        halted = own.processes() | {worker.pid for worker in snapshot().workers}
        try:
            for pid in halted:
                os.kill(pid, signal.SIGSTOP)  # as by a broken network: no connection is closed
            assert process.wait() == ExitCode.PROVIDER
        finally:
            for pid in halted:
                os.kill(pid, signal.SIGCONT)
    seen = snapshot()
    assert 0 < len(lost(seen)) <= AT_ONCE
    assert all(attempt.outcome is not None for attempt in seen.attempts)
    assert {worker.lost for worker in seen.workers} == {"silent for 20 s"}


@pytest.mark.slow
def test_a_node_with_another_evalkit_is_named_and_done_without(tiny: Path, server: Recorded, tmp_path: Path) -> None:
    other = tmp_path / "other" / "evalkit"
    other.mkdir(parents=True)
    here = str(Path(evalkit.__file__).parent)
    (other / "__init__.py").write_text(f"__path__ = [{here!r}]\n__version__ = '0.0.1'\n")
    with cluster() as own:
        own.add(PYTHONPATH=str(other.parent))
        with Process(aloud(own, tiny, server)) as process:
            said = process.errors()
    assert process.returncode == 0
    assert "evalkit 0.0.1 is installed there, " in said
    assert len({worker.node for worker in snapshot().workers}) == 1


@pytest.fixture
def emptied(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Where Ray's folders go, of which nothing may be left, nor a process of them, nor anything in the home folder."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with tempfile.TemporaryDirectory(prefix="rt", dir="/tmp") as folder:
        monkeypatch.setenv("RAY_TMPDIR", folder)
        yield Path(folder)
        assert not list(Path(folder).iterdir())
        assert not [line for line in command_lines() if folder in line]
    assert not (tmp_path / "home" / ".ray").exists(), "no token for whatever cluster is started next"


@pytest.mark.slow
@pytest.mark.parametrize(("ends", "code"), [(None, 0), (signal.SIGTERM, ExitCode.INTERRUPTED)])
def test_a_cluster_of_this_machine_alone_leaves_nothing_behind(
    ends: signal.Signals | None,
    code: int,
    tiny: Path,
    server: Recorded,
    emptied: Path,
) -> None:
    with Process([*on(None, tiny, server), "--executor", "ray"]) as process:
        until(lambda: len(server.messages()) >= 6, process)
        assert list(emptied.iterdir())
        if ends is not None:
            process.send_signal(ends)
        said = process.errors()
    assert process.returncode == code
    assert "SIGTERM" not in said
    assert all(worker.ended_at for worker in snapshot().workers)


@pytest.mark.slow
def test_a_run_that_is_ended_while_its_cluster_starts_says_so_and_leaves_nothing(
    tiny: Path, server: Recorded, emptied: Path
) -> None:
    with Process([*on(None, tiny, server), "--executor", "ray"]) as process:
        until(lambda: any(emptied.glob("*/session_*/logs/gcs_server*")), process)
        process.send_signal(signal.SIGTERM)
        said = process.errors()
    assert process.returncode == ExitCode.INTERRUPTED, said
    assert said.endswith("exit 130: interrupted\n")
    assert server.messages() == []


def terminate_at_the_first_fork() -> None:
    """Have SIGTERM come while Ray forks a process of its own: what is raised in a hook like this one is lost."""
    once = iter([signal.SIGTERM])
    os.register_at_fork(after_in_parent=lambda: [os.kill(os.getpid(), number) for number in once])


@pytest.mark.slow
def test_a_run_that_is_ended_while_ray_forks_sends_nothing(tiny: Path, server: Recorded, emptied: Path) -> None:
    with Process([*on(None, tiny, server), "--executor", "ray"], first=terminate_at_the_first_fork) as process:
        said = process.errors()
    assert process.returncode == ExitCode.INTERRUPTED, said
    assert said.endswith("exit 130: interrupted\n")
    assert "ignored" not in said, said
    assert said.startswith("stopping once Ray is there; Ctrl-C again breaks off\n")
    assert server.messages() == []


@pytest.mark.slow
@pytest.mark.parametrize("number", range(16))
def test_a_run_that_is_ended_at_any_moment_of_its_start_ends_without_a_stack(
    number: int, tiny: Path, server: Recorded, pace: Paced, emptied: Path
) -> None:
    pace.delay_s = 1.0
    ends = random.choice([signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
    with Process([*on(None, tiny, server), "--executor", "ray"]) as process:
        until(lambda: any(emptied.glob("*/held.lock")), process)
        time.sleep(random.uniform(0, 6))
        process.send_signal(ends)
        said = process.errors()
    assert process.returncode == ExitCode.INTERRUPTED, f"{ends}: {said}"
    assert said.endswith("exit 130: interrupted\n")
    assert "@ 0x" not in said, said
    assert "SIG" not in said, said
    assert len(server.messages()) < len(EVERYTHING)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(8))
def test_a_run_that_is_ended_before_its_first_worker_is_there_ends_without_a_stack(
    number: int, two: Cluster, tiny: Path, server: Recorded, pace: Paced
) -> None:
    pace.delay_s = 1.0
    ends = random.choice([signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
    with Process(on(two, tiny, server)) as process:
        until(lambda: bool(run_files()), process)
        time.sleep(random.uniform(0, 5))
        process.send_signal(ends)
        said = process.errors()
    assert process.returncode == ExitCode.INTERRUPTED, f"{ends}: {said}"
    assert said.endswith("exit 130: interrupted\n")
    assert "@ 0x" not in said, said
    assert "SIG" not in said, said
    assert len(server.messages()) < len(EVERYTHING)


@pytest.fixture(scope="module")
def heads() -> Iterator[dict[str | None, str]]:
    """The address of a cluster that wants a token, and of one that wants none."""
    with head(TOKEN) as guarded, head() as unguarded:
        yield {TOKEN: guarded, None: unguarded}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wanted", "here", "mode", "said"),
    [
        (TOKEN, TOKEN, None, ""),
        (TOKEN, TOKEN, "token", ""),
        (None, TOKEN, None, ""),
        (None, None, None, ""),
        (TOKEN, None, None, "wants a token, and there is none in"),
        (TOKEN, None, "token", "wants a token, and there is none in"),
        (TOKEN, "1" * 32, None, "does not take the token of"),
        (TOKEN, TOKEN, "disabled", "wants a token, and RAY_AUTH_MODE is disabled"),
        (None, TOKEN, "token", "has no authentication, and RAY_AUTH_MODE is token"),
    ],
)
def test_a_cluster_that_authenticates_is_used_with_its_token_or_refused_in_a_line(
    wanted: str | None,
    here: str | None,
    mode: str | None,
    said: str,
    heads: dict[str | None, str],
    tiny: Path,
    server: Recorded,
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    (home / ".ray").mkdir(parents=True)
    if here:
        (home / ".ray" / "auth_token").write_text(here)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment |= {"HOME": str(home)} | ({"RAY_AUTH_MODE": mode} if mode else {})
    command = [sys.executable, "-m", "evalkit", *on(None, tiny, server), "--executor", "ray"]
    done = subprocess.run(
        [*command, "--address", heads[wanted]],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if said:
        assert (done.returncode, len(server.messages())) == (ExitCode.PROVIDER, 0)
        first, last = done.stderr.splitlines()
        assert said in first
        assert last == "exit 5: provider"
    else:
        assert (done.returncode, done.stderr) == (0, "")
        assert settled_keys(snapshot()) == EVERYTHING


def command_lines() -> list[str]:
    """How the processes of this machine were called."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended meanwhile
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


def impatient(silent_s: float = 4.0) -> None:
    """Have a run wait for workers for seconds, not for minutes."""
    from evalkit.executors import ray

    ray.SILENT_S, ray.WAITING_S, ray.PATIENCE_S = silent_s, silent_s, 2 * silent_s


def rather_patient() -> None:
    """Long enough for a busy machine to start one."""
    impatient(20.0)


def only(address: str) -> None:
    """Have Ray find no other cluster on this machine, where other tests have theirs."""
    from ray._private import services

    services.find_gcs_addresses = cache(lambda: {address})


@pytest.mark.slow
def test_auto_uses_a_cluster_as_its_address_does(two: Cluster, tiny: Path, server: Recorded) -> None:
    arguments = ["auto" if part == two.address else part for part in on(two, tiny, server)]
    assert arguments != on(two, tiny, server)
    with Process(arguments, first=partial(only, two.address)) as process:
        assert process.errors() == ""
    assert process.returncode == 0
    assert_each_answered_once(snapshot(), server)


@pytest.mark.slow
def test_a_worker_that_hangs_is_taken_for_lost(two: Cluster, tiny: Path, server: Recorded) -> None:
    with Process(on(two, tiny, server), first=rather_patient) as process:
        until(lambda: len(server.messages()) >= 6, process)
        victim = killed_worker(signal.SIGSTOP)
        assert process.wait() == 0
    assert_each_answered_once(snapshot(), server)
    assert_only_its_own_is_lost(snapshot(), victim)


@pytest.mark.slow
def test_ctrl_c_lets_end_what_workers_have_under_way(two: Cluster, tiny: Path, server: Recorded) -> None:
    with Process(on(two, tiny, server)) as process:
        until(lambda: len(server.messages()) >= 6, process)
        process.send_signal(signal.SIGINT)
        assert process.wait() == ExitCode.INTERRUPTED
    seen = snapshot()
    assert len(server.messages()) == len(seen.attempts) < len(EVERYTHING)
    assert all(attempt.final for attempt in seen.attempts)
    assert all(one.ended_at and one.lost is None for one in seen.workers)


@pytest.mark.slow
def test_limits_and_the_budget_are_the_runs_not_each_workers(two: Cluster, tiny: Path) -> None:
    arrivals: dict[str, list[float]] = {model: [] for model in MODELS}

    def noted(number: int, body: dict[str, Any]) -> None:
        arrivals[body["model"]].append(time.monotonic())

    with recorded(fault=noted) as server:
        assert carried_out(on(two, tiny, server, "--budget-usd", "0.02")) == ExitCode.BUDGET
        assert 0 < sum(attempt.cost_usd or 0.0 for attempt in snapshot().attempts) <= 0.02
        for times in arrivals.values():
            times.clear()
        rpm = 16
        assert carried_out(on(two, tiny, server, "--rpm", str(rpm), "-o", "paced.db")) == 0
    assert {len(times) for times in arrivals.values()} == {ITEMS}
    for times in arrivals.values():
        assert all(later - at > 60 for at, later in zip(times, times[rpm:], strict=False))


def hold_a_folder_and_die() -> None:
    with ray_cluster._folder() as folder:
        Path(folder, "logs").write_text("much")
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.long
def test_the_folder_of_a_killed_run_is_removed_by_the_next_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    (tmp_path / "evalkit-just-being-made").mkdir()
    late = tmp_path / "evalkit-written-into-after-it-was-removed"
    (late / "session_2026" / "logs").mkdir(parents=True)
    theirs = {tmp_path / "evalkit-claude" / "runs", tmp_path / "evalkit-empty", tmp_path / "evalkit-mine" / "session_1"}
    for folder in theirs:
        folder.mkdir(parents=True)
    (tmp_path / "evalkit-mine" / "x.db").write_text("precious")
    for folder in (late, *(tmp_path / f"evalkit-{name}" for name in ("claude", "empty", "mine"))):
        os.utime(folder, (time.time() - 2 * 3600,) * 2)
    others = {"evalkit-claude", "evalkit-empty", "evalkit-mine", "evalkit-just-being-made"}
    with ray_cluster._folder() as held:
        killed = multiprocessing.get_context("fork").Process(target=hold_a_folder_and_die)
        killed.start()
        killed.join(30)
        (left,) = set(tmp_path.glob("evalkit-*/logs"))
        with ray_cluster._folder() as next_one:
            assert not left.parent.exists()
            assert {path.name for path in tmp_path.iterdir()} == {*others, Path(held).name, Path(next_one).name}
    assert {path.name for path in tmp_path.iterdir()} == others
    assert (tmp_path / "evalkit-mine" / "x.db").read_text() == "precious"
