"""Processes that are killed, interrupted, starved of disk or doubled lose nothing and pay for nothing twice."""
# ruff: noqa: S311  chance is no secret here

import ctypes
import random
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from processes import Process
from servers import Recorded, recorded
from test_run import MODELS, run_files, settled, snapshot, write_tiny

from evalkit.cli import main
from evalkit.errors import ExitCode
from evalkit.grader_names import judge_name
from evalkit.models import DEFAULT_JUDGE
from evalkit.records import Snapshot
from evalkit.sandbox.server import SandboxSettings

ITEMS = 20
AT_ONCE = 4


class Paced:
    """The sandbox, answering slowly while `slow` says so, so that a moment in the middle can be hit."""

    def __init__(self) -> None:
        self.slow: Callable[[], bool] = lambda: True
        self.delay_s = 0.08

    def __call__(self, number: int, body: dict[str, Any]) -> str | None:
        return f"slow-headers={self.delay_s}" if self.slow() else None


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


def run_command(tiny: Path, server: Recorded, *models: str) -> list[str]:
    named = [part for model in models or MODELS for part in ("-m", model)]
    return ["run", str(tiny), "--base-url", server.url, "-q", "-j", str(AT_ONCE), *named]


def wait_for_messages(process: Process, server: Recorded, count: int) -> None:
    while len(server.messages()) < count:
        assert process.returncode is None, f"it ended too early: {process.errors()}"
        time.sleep(0.005)


def kill_after(arguments: list[str], server: Recorded, more: int) -> None:
    """Begin, and kill -9 as soon as so many more requests have arrived."""
    count = len(server.messages()) + more
    with Process(arguments) as process:
        wait_for_messages(process, server, count)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL


def item_of(body: dict[str, Any]) -> int:
    """Which item a request is about, also one to a judge."""
    return next(n for n in range(ITEMS) if f"Where is order {1000 + n}?" in str(body["messages"]))


def trials_asked(server: Recorded, since: int = 0) -> Counter[tuple[str, str]]:
    """(item, model) of every request for a trial, by the server's own log."""
    return Counter((f"item-{item_of(body)}", body["model"]) for body in server.messages()[since:])


def settled_keys(seen: Snapshot) -> set[tuple[str, str]]:
    keys = {trial.id: trial.key for trial in seen.trials}
    finals = [a.trial_id for a in seen.attempts if a.final and a.grader is None]
    assert len(finals) == len(set(finals)), "settled twice"
    return {(keys[trial].item_id, keys[trial].model) for trial in finals}


def killed_run(tiny: Path, server: Recorded, pace: Paced, moments: list[int]) -> None:
    """Kill the same command at each moment, let it finish, and compare file and log at every step."""
    known: list[tuple[int, set[tuple[str, str]]]] = []
    for more in moments:
        kill_after(run_command(tiny, server), server, more)
        known.append((len(server.messages()), settled_keys(snapshot()) if run_files() else set()))
    pace.slow = lambda: False
    assert main(run_command(tiny, server)) == 0
    seen = snapshot()
    everything = {(f"item-{n}", model) for n in range(ITEMS) for model in MODELS}
    assert settled_keys(seen) == everything
    assert set(trials_asked(server)) == everything
    for since, done in known:
        assert not done & set(trials_asked(server, since)), "a settled trial was sent again"
    lost = sum(attempt.outcome is None for attempt in seen.attempts)
    assert lost <= AT_ONCE * len(moments)
    assert len(server.messages()) <= len(seen.attempts) == len(everything) + lost, "sent without being recorded"


@pytest.mark.long
def test_a_run_killed_at_random_moments_sends_no_settled_trial_again_and_misses_none(
    tiny: Path, server: Recorded, pace: Paced
) -> None:
    moments = random.Random().sample(range(1, 12), 3)
    killed_run(tiny, server, pace, moments)


@pytest.mark.slow
def test_a_run_killed_a_dozen_times_still_ends_well(tiny: Path, server: Recorded, pace: Paced) -> None:
    killed_run(tiny, server, pace, [random.Random().randint(1, 4) for _ in range(12)])


@pytest.mark.long
def test_the_time_for_which_a_process_was_paused_is_in_no_latency(tiny: Path, server: Recorded) -> None:
    with Process(run_command(tiny, server, MODELS[0])) as process:
        wait_for_messages(process, server, ITEMS // 2)
        process.send_signal(signal.SIGSTOP)
        time.sleep(1.5)
        process.send_signal(signal.SIGCONT)
        said = process.errors()
    assert process.returncode == 0, said
    (session,), attempts = snapshot().sessions, snapshot().attempts
    untimed = [attempt for attempt in attempts if attempt.latency_s is None]
    assert session.lag_max_s is not None
    assert session.lag_max_s > 1
    assert len(attempts) == ITEMS
    assert 1 <= len(untimed) < ITEMS
    assert all(a.outcome == "answered" and a.text and a.cost_usd is not None and a.felt_s is None for a in untimed)
    assert all((a.latency_s or 0) < 1.5 and (a.felt_s or 0) < 1.5 for a in attempts)


def killed_grading(tiny: Path, server: Recorded, pace: Paced, moments: list[int]) -> None:
    pace.slow = lambda: False
    assert main(run_command(tiny, server, MODELS[0])) == 0
    server.requests.clear()
    pace.slow = lambda: True
    (path,) = run_files()
    command = ["grade", str(path), "--base-url", server.url, "-q", "-j", str(AT_ONCE)]
    known: list[tuple[int, set[str]]] = []
    for more in moments:
        kill_after(command, server, more)
        known.append((len(server.messages()), paid_items(snapshot())))
    pace.slow = lambda: False
    assert main(command) == 0
    seen = snapshot()
    outputs = {a.trial_id for a in seen.attempts if a.grader is None and a.outcome == "answered"}
    for since, paid in known:
        asked_again = {f"item-{item_of(body)}" for body in server.messages()[since:]}
        assert not paid & asked_again, "a paid answer was asked for again"
    grades = Counter((one.grader, one.trial_id, one.criterion) for one in seen.grades)
    judge = judge_name(DEFAULT_JUDGE)
    assert grades == Counter(
        [(judge, trial, "right") for trial in outputs] + [("checks", trial, "number") for trial in outputs]
    )
    assert len(seen.rounds) == 1


def paid_items(seen: Snapshot) -> set[str]:
    """Items whose output the judge has answered on."""
    keys = {trial.id: trial.key for trial in seen.trials}
    return {keys[a.trial_id].item_id for a in seen.attempts if a.grader is not None and a.final}


@pytest.mark.long
def test_a_grading_killed_at_random_moments_asks_for_no_paid_answer_again(
    tiny: Path, server: Recorded, pace: Paced
) -> None:
    killed_grading(tiny, server, pace, random.Random().sample(range(1, 9), 2))


@pytest.mark.slow
def test_a_grading_killed_many_times_still_ends_well(tiny: Path, server: Recorded, pace: Paced) -> None:
    killed_grading(tiny, server, pace, [random.Random().randint(1, 3) for _ in range(6)])


@pytest.mark.long
@pytest.mark.parametrize("begun", [False, True])
def test_of_two_equal_commands_at_once_one_is_refused_and_nothing_is_paid_twice(
    begun: bool, tiny: Path, server: Recorded, pace: Paced
) -> None:
    if begun:
        pace.slow = lambda: False
        assert main([*run_command(tiny, server), "--budget-usd", "0.016"]) == ExitCode.BUDGET
    pace.delay_s = 2.0  # the first is still at work when the second comes, however busy the machine is
    processes = [Process(run_command(tiny, server)) for _ in range(2)]
    pace.slow = lambda: all(process.returncode is None for process in processes)
    errors = "".join(process.errors() for process in processes)
    assert sorted(process.returncode for process in processes) == [0, ExitCode.INTEGRITY]
    assert "exit 6: integrity" in errors
    assert "Traceback" not in errors
    assert len(settled_keys(snapshot())) == 2 * ITEMS
    assert set(trials_asked(server).values()) == {1}


def not_under_nohup() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.mark.long
@pytest.mark.parametrize("ends", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_ends_a_run_lets_requests_in_flight_end_and_the_same_command_goes_on(
    ends: signal.Signals, tiny: Path, server: Recorded, pace: Paced
) -> None:
    with Process(run_command(tiny, server), first=not_under_nohup) as process:
        wait_for_messages(process, server, 6)
        process.send_signal(ends)
        errors = process.errors()
    assert process.returncode == ExitCode.INTERRUPTED
    assert errors.splitlines()[-1] == "exit 130: interrupted"
    assert "Traceback" not in errors
    seen = snapshot()
    assert all(attempt.outcome is not None for attempt in seen.attempts)
    assert len(seen.attempts) == len(server.messages()) < 2 * ITEMS
    pace.slow = lambda: False
    assert main(run_command(tiny, server)) == 0
    assert set(trials_asked(server).values()) == {1}
    assert len(trials_asked(server)) == 2 * ITEMS


# --- disk -----------------------------------------------------------------------------------------------------


def test_a_full_disk_is_exit_5_and_the_file_opens_and_goes_on_afterwards(
    tiny: Path, server: Recorded, pace: Paced
) -> None:
    pace.slow = lambda: False
    with Process(
        run_command(tiny, server), partial(resource.setrlimit, resource.RLIMIT_FSIZE, (260_000, 260_000))
    ) as process:
        errors = process.errors()
    assert process.returncode == ExitCode.PROVIDER
    (line,) = [line for line in errors.splitlines() if line.startswith("error")]
    assert "cannot grow" in line
    assert "free disk space and run the same command again" in line
    assert "Traceback" not in errors
    done, since = settled_keys(snapshot()), len(server.messages())
    assert 0 < len(done) < 2 * ITEMS
    assert main(run_command(tiny, server)) == 0
    assert len(settled_keys(snapshot())) == 2 * ITEMS
    assert not done & set(trials_asked(server, since))


def test_a_disk_without_room_for_a_plan_sends_nothing(tiny: Path, server: Recorded) -> None:
    with Process(
        run_command(tiny, server), partial(resource.setrlimit, resource.RLIMIT_FSIZE, (20_000, 20_000))
    ) as process:
        errors = process.errors()
    assert process.returncode == ExitCode.PROVIDER
    assert "cannot grow" in errors
    assert server.messages() == []
    assert run_files() == []


CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAPABILITY_VERSION_3 = 1, 2, 0x20080522


def obey_permissions() -> None:
    """Give up root's right to write anywhere; anybody else never had it."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    if libc.capget(header, sets) == 0:
        sets[0] &= ~(1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH)  # of those in effect
        if libc.capset(header, sets) == 0:
            return
    raise OSError(ctypes.get_errno(), "cannot give up a capability")


@pytest.mark.parametrize("begun", [False, True])
def test_a_folder_that_is_read_only_is_exit_5_and_nothing_is_sent(
    begun: bool, tiny: Path, server: Recorded, pace: Paced
) -> None:
    pace.slow = lambda: False
    folder = Path("runs")
    folder.mkdir()
    if begun:
        assert main([*run_command(tiny, server), "--budget-usd", "0.02"]) == ExitCode.BUDGET
        server.requests.clear()
    folder.chmod(0o555)
    try:
        with Process(run_command(tiny, server), obey_permissions) as process:
            errors = process.errors()
    finally:
        folder.chmod(0o755)
    assert process.returncode == ExitCode.PROVIDER
    assert "Traceback" not in errors
    assert str(folder) in errors
    assert server.messages() == []


# --- endurance ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_thousand_trials_with_every_kind_of_fault_all_settle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tiny = write_tiny(tmp_path, 1000)
    kinds = ("overloaded", "rate_limited", "server_error", "stream_error", "truncated", "dropped")
    settings = SandboxSettings(speed=50, fault_rates=dict.fromkeys(kinds, 0.03))
    with recorded(settings) as server:
        arguments = run_command(tiny, server)
        arguments[arguments.index("-j") + 1] = "48"
        assert main(arguments) == 0
        seen = snapshot()
        assert len(server.messages()) == len(seen.attempts)
    assert len(settled(seen)) == 2000
    kinds_seen = {attempt.error_type for attempt in seen.attempts if attempt.error_type}
    assert kinds_seen == {"overloaded_error", "rate_limit_error", "api_error", "stream_cut", "connection_error"}
