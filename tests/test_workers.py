"""What is recorded and said of a cluster's workers, and what the engine does when they go; no cluster is needed."""
# ruff: noqa: S311  chance is no secret here

import asyncio
import itertools
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
from analysis_builders import HAIKU, OPUS, Book, answered, spec
from servers import recorded
from test_executor import AT_ONCE, GOOD, REQUEST, FakeProvider, always, calls, carry_out, in_turn
from test_executor import Book as Ledgered
from test_run import command, run_files, write_tiny
from test_sessions import page

from evalkit import __version__, worker_rows
from evalkit.analysis import analyze
from evalkit.analysis.sessions import session_results
from evalkit.analysis.workers import worker_results, worker_warnings
from evalkit.cli import main, report_files
from evalkit.cli.report import _print_summary
from evalkit.config import Config
from evalkit.error_kinds import LOST
from evalkit.errors import InfrastructureError, UsageError
from evalkit.executors import ray, ray_access, ray_cluster, ray_worker
from evalkit.executors.budget import Budget
from evalkit.executors.ending import NO_WORKER, raise_if_stopped
from evalkit.executors.local import cost_of
from evalkit.forms import files_of
from evalkit.in_flight import MOST, PER_WORKER, workers_for, workers_on
from evalkit.merging import merge
from evalkit.providers import Provider
from evalkit.records import AttemptStart, Reply, Request, Snapshot, TrialKey
from evalkit.redaction import Redaction
from evalkit.session_records import Session, Worker
from evalkit.standstill import STALL_S
from evalkit.stats import larger_p
from evalkit.store import RunFile

BEGUN = "2026-11-02T10:00:00+00:00"
SESSION = Session(1, BEGUN, "driver", "ray", 8, BEGUN, lag_p99_s=0.5, lag_max_s=0.9)
GONE = Reply("errored", None, error_type=LOST, error_message="worker 1 on a was lost", retryable=True, worker_id=1)


def worker(number: int, **changes: object) -> Worker:
    made = Worker(number, 1, BEGUN, f"host-{number}", f"node-{number}", 100, 0.002, 0.001, BEGUN, None, 0.001, 0.002)
    return replace(made, **changes)


def cluster_run(latencies_s: Sequence[Sequence[float]], model: str = OPUS, **changes: object) -> Snapshot:
    """A run by as many workers as there are lists, in turn, each answer with its latency."""
    book = Book(spec((model,)))
    for item, row in enumerate(itertools.zip_longest(*latencies_s)):
        for number, latency_s in enumerate(row, start=1):
            if latency_s is not None:
                sent = f"2026-11-02T10:{item // 60:02d}:{item % 60:02d}+00:00"
                attempt = answered(latency_s=latency_s, worker_id=number, session_id=1, sent_at=sent)
                book.trial(f"i{item}-{number}", attempt, model=model, level=1)
    workers = tuple(worker(number, **changes) for number in range(1, len(latencies_s) + 1))
    return book.snapshot(sessions=(SESSION,), workers=workers)


def spread(count: int, times: float, seed: int) -> list[float]:
    rng = random.Random(seed)
    return [times * rng.lognormvariate(0, 0.4) for _ in range(count)]


# --- which worker is named ------------------------------------------------------------------------------------


def test_a_slow_worker_is_named_with_the_figures_that_show_it() -> None:
    seen = cluster_run([spread(30, 2.0, 1), spread(30, 1.0, 2), spread(30, 1.0, 3)])
    slow, *others = worker_results(seen)
    assert slow.models[0].slow
    assert not any(m.slow for result in others for m in result.models)
    (warning,) = worker_warnings(worker_results(seen))
    assert warning.startswith("worker 1 on host-1 was slower with")
    text = page(analyze(seen))
    assert "Worker 1 on host-1 was slower" in text
    assert "Clocks by worker" in text
    assert "sent by 3 workers on 3 nodes" in text


def test_files_name_no_machine_of_a_cluster_and_the_terminal_does(capsys: pytest.CaptureFixture[str]) -> None:
    seen = cluster_run([spread(30, 2.0, 1), spread(30, 1.0, 2), spread(30, 1.0, 3)])
    analysis, hidden = analyze(seen), Redaction()
    shown = report_files.shown(analysis, seen, hidden, Path("r.db"))
    made = [
        str(text) for name in ("r.html", "r.md", "r.json", "r.csv") for text in files_of(Path(name), shown).values()
    ]
    assert len(made) >= 4
    assert not [text for text in made if "host-" in text]
    assert "Worker 1 on machine 1 was slower" in page(shown.analysis)
    _print_summary(replace(shown.analysis, workers=analysis.workers), hidden)
    assert "worker 1 on host-1 was slower with" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("latencies_s", "why"),
    [
        ([spread(30, 1.0, 4), spread(30, 1.0, 5)], "alike"),
        ([[9.0], [1.0, 1.1, 1.2]], "one answer proves nothing"),
        ([spread(400, 1.1, 6), spread(400, 1.0, 7)], "sure, and too little to matter"),
        ([spread(30, 3.0, 8)], "nobody to compare with"),
    ],
)
def test_no_worker_is_called_slow_for_chance_or_for_little(latencies_s: list[list[float]], why: str) -> None:
    assert worker_warnings(worker_results(cluster_run(latencies_s))) == (), why


def test_a_worker_is_held_against_the_others_while_it_was_there() -> None:
    """The server grew slow for all once the second worker had come: that is not its fault."""
    early = cluster_run([[*spread(40, 1.0, 1), *spread(40, 3.0, 2)], spread(80, 1.0, 3)])
    late_ones = [t for t in early.trials if t.key.item_id.endswith("-2")]
    cut = {t.id for t in late_ones if int(t.key.item_id[1:].partition("-")[0]) < 40}
    slow = {t.id: 3.0 for t in late_ones}
    attempts = tuple(
        replace(a, latency_s=(a.latency_s or 0) * slow.get(a.trial_id, 1.0))
        for a in early.attempts
        if a.trial_id not in cut
    )
    first, second = worker_results(replace(early, attempts=attempts))
    assert second.models[0].service_s > 2 * min(1.5, first.models[0].service_s)
    assert not second.models[0].slow
    assert second.models[0].other_answers == 40


def test_models_are_not_mixed() -> None:
    """A worker that happened to have more of the slower model is no slower."""
    book = Book(spec((OPUS, HAIKU)))
    for number, (model, item) in enumerate(itertools.product((OPUS, HAIKU), range(30))):
        by = 1 if (item % 3 == 0) == (model == HAIKU) else 2
        attempt = answered(latency_s=(9.0 if model == OPUS else 1.0) + number / 1000, worker_id=by, session_id=1)
        book.trial(f"i{item}", attempt, model=model, level=1)
    seen = book.snapshot(sessions=(SESSION,), workers=(worker(1), worker(2)))
    assert worker_warnings(worker_results(seen)) == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"clock_offset_s": 2.5}, "2.5 s ahead of"),
        ({"clock_offset_s": -61.0}, "61.0 s behind"),
        ({"lag_p99_s": 0.04}, "late by 40 ms"),
        ({"clock_offset_s": 1.5, "clock_error_s": 0.6}, None),
        ({"clock_offset_s": 0.9}, None),
        ({"lag_p99_s": None}, None),
    ],
)
def test_a_wrong_clock_and_a_late_loop_are_named(changes: dict[str, float], said: str | None) -> None:
    warnings = worker_warnings(worker_results(cluster_run([[1.0, 1.1]], **changes)))
    assert [said in warning for warning in warnings] == ([True] if said else []) if said else warnings == ()


def test_the_drivers_own_lag_is_no_reason_to_doubt_what_workers_timed() -> None:
    seen = cluster_run([[1.0, 1.1]])
    assert not session_results(seen)[0].late
    local = replace(seen, sessions=(replace(SESSION, executor="local"),))
    assert session_results(local)[0].late


def test_the_rank_test_is_exact_where_samples_are_small() -> None:
    rng = random.Random(5)
    for _ in range(20):
        a, b = [rng.random() for _ in range(3)], [rng.random() for _ in range(5)]
        pooled = a + b
        wins = sum(x > y for x in a for y in b)
        splits = list(itertools.combinations(range(8), 3))
        as_large = sum(
            sum(pooled[i] > pooled[j] for i in split for j in range(8) if j not in split) >= wins for split in splits
        )
        assert larger_p(a, b) == pytest.approx(as_large / len(splits))
    assert larger_p([], [1.0]) is None
    assert larger_p([2.0] * 9, [2.0] * 9) == 1.0


@pytest.mark.long
def test_alike_workers_are_seldom_called_slow() -> None:
    rng = random.Random(9)
    named = sum(
        bool(worker_warnings(worker_results(cluster_run([spread(8, 1.0, rng.getrandbits(32)) for _ in range(3)]))))
        for _ in range(200)
    )
    assert named <= 20  # 5 % of 200 are 10; more than 20 by chance are one in a thousand


# --- what the run file keeps ----------------------------------------------------------------------------------


def file_with_workers(path: Path, item: str) -> Path:
    made = Book(spec((OPUS,)))
    for name in ("a", "b"):
        made.item(name)
    order = [TrialKey(name, OPUS, 1) for name in ("a", "b")]
    with RunFile.create(path, made.spec, tuple(made.items.values()), {}, order) as run:
        session = run.start_session(SESSION)
        with run.together() as db:
            number = worker_rows.start(db, replace(worker(1, host=f"host-{item}"), session_id=session))
        trial = next(t for t in run.snapshot().trials if t.key.item_id == item)
        started = run.start_attempt(AttemptStart(trial.id, 1, BEGUN, 0.0, session_id=session))
        run.finish_attempt(started, f"trial/{trial.id}", replace(GOOD, worker_id=number), True, 1.0, 0.01)
        with run.together() as db:
            worker_rows.end(db, replace(worker(number), lost="killed", lag_p99_s=0.004))
    return path


def test_a_worker_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    with RunFile(file_with_workers(tmp_path / "a.db", "a")) as run:
        seen = run.snapshot()
    assert seen.workers == (replace(worker(1, host="host-a"), lost="killed", lag_p99_s=0.004),)
    assert [attempt.worker_id for attempt in seen.attempts] == [1]


def test_merging_keeps_each_workers_attempts(tmp_path: Path) -> None:
    paths = [file_with_workers(tmp_path / f"{item}.db", item) for item in ("a", "b")]
    merge(paths, tmp_path / "c.db")
    with RunFile(tmp_path / "c.db") as run:
        seen = run.snapshot()
    hosts = {one.id: one.host for one in seen.workers}
    items = {trial.id: trial.key.item_id for trial in seen.trials}
    assert {items[a.trial_id]: hosts[a.worker_id or 0] for a in seen.attempts} == {"a": "host-a", "b": "host-b"}
    assert {one.session_id for one in seen.workers} == {session.id for session in seen.sessions}


# --- what becomes of a call -----------------------------------------------------------------------------------


async def test_what_went_with_a_worker_is_sent_once_more() -> None:
    book = Ledgered()
    ending = await carry_out(FakeProvider(in_turn(GONE, GOOD)), calls(1), book)
    assert not ending.unsettled
    assert [row["reply"].error_type for row in book.finished.values()] == [LOST, None]
    assert book.finished[1]["cost_usd"] is None


async def test_what_has_taken_two_workers_with_it_is_left() -> None:
    book, provider = Ledgered(), FakeProvider(always(GONE))
    ending = await carry_out(provider, calls(1), book, replace(AT_ONCE, attempts=6))
    assert (ending.unsettled, len(provider.sent), book.settled()) == (1, 2, set())
    with pytest.raises(InfrastructureError, match="1 requests failed on every attempt"):
        raise_if_stopped(ending, Budget(None), "run")


async def test_a_lost_request_counts_at_its_worst_under_a_budget() -> None:
    budget = Budget(0.0015)
    ending = await carry_out(FakeProvider(always(GONE)), calls(3, 0.001), Ledgered(), budget=budget)
    assert ending.out_of_budget
    assert budget.charged.borne_usd == 0.001


async def test_without_any_worker_the_run_stops_and_pays_nothing() -> None:
    none = Reply("errored", None, error_type=NO_WORKER, error_message="no worker has been there", stops_run=True)
    ending = await carry_out(FakeProvider(always(none)), calls(9), Ledgered())
    with pytest.raises(InfrastructureError, match=r"^no worker has been there; then the same `evalkit run`"):
        raise_if_stopped(ending, Budget(None), "run")
    assert cost_of(calls(1)[0].request, none, datetime.now(UTC)) == 0.0


# --- what a user is told --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said", "code"),
    [
        (["--address", "auto"], "--address goes with --executor ray", 2),
        (["--executor", "batch", "--address", "auto"], "--address goes with --executor ray", 2),
        (["--executor", "ray", "--address", "ray://head:10001"], "run evalkit on a machine of the cluster", 2),
        (["--executor", "ray", "--address", "head"], "write auto, or host:port", 2),
        (["--executor", "ray", "--address", "127.0.0.2:99999"], "write auto, or host:port", 2),
        (["--executor", "ray", "--address", "127.0.0.2:1"], "no Ray cluster at 127.0.0.2:1", 5),
        (["--executor", "ray", "--latency-sample", "3"], "--latency-sample goes with --executor batch", 2),
    ],
)
def test_a_wrong_address_is_one_clear_line(
    options: list[str], said: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip

    monkeypatch.chdir(tmp_path)
    with recorded() as server:
        assert main(command(write_tiny(tmp_path), server.url, *options)) == code
        assert server.messages() == []
    assert said in " ".join(capsys.readouterr().err.split())
    assert not run_files()


def test_the_extra_is_asked_for_before_anything_is_sent_or_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(command(write_tiny(tmp_path), "http://127.0.0.1:9", "--executor", "ray")) == 2
    assert "pip install 'evalkit-claude[ray]'" in capsys.readouterr().err
    assert not run_files()
    with pytest.raises(UsageError, match=r"pip install 'evalkit-claude\[ray\]'"), ray_cluster.connected(None):
        pass


def test_an_address_of_the_environment_is_held_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")
    with pytest.raises(UsageError, match="ray://head:10001 is for Ray's remote client"), ray_cluster.connected("auto"):
        pass
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.2:1")
    with pytest.raises(InfrastructureError, match=r"no Ray cluster at 127\.0\.0\.2:1"), ray_cluster.connected("auto"):
        pass


@pytest.mark.parametrize("place", ["gone", "file"])
def test_a_folder_for_ray_that_takes_none_is_named(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path / place))
    with pytest.raises(UsageError, match=rf"RAY_TMPDIR=.*{place} takes no folder"), ray_cluster._folder():
        pass


LONG = (
    "The actor died because of an error raised in its creation task, \x1b[36mray::Sender.__init__()\x1b[39m (pid=1)\n"
)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError(f"{LONG}  File x.py, line 1\nModuleNotFoundError: No module named 'evalkit'"), "evalkit is not"),
        (
            RuntimeError(f"{LONG}ImportError: no\nevalkit.errors.UsageError: set a key"),
            "evalkit.errors.UsageError: set a",
        ),
        (RuntimeError("The actor died:\n\tits node has gone."), "The actor died: its node has gone."),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_why_a_worker_could_not_be_had_is_a_line(error: Exception, said: str) -> None:
    assert ray_cluster.reason(error).startswith(said)
    assert "\x1b" not in ray_cluster.reason(error)


def http(line: socket.socket) -> None:
    line.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


LISTENERS: list[tuple[Callable[[socket.socket], None], str]] = [
    (lambda line: None, "who listens there says nothing for 0.3 s"),
    (http, "who listens there is no Ray cluster"),
    (lambda line: line.shutdown(socket.SHUT_RDWR), "who listens there is no Ray cluster"),
]


@contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of something that takes one connection, and is what `auto` finds."""
    with socket.create_server((ray_cluster._LOOPBACK, 0)) as listener, pytest.MonkeyPatch.context() as patched:
        services: Any = pytest.importorskip("ray._private.services", reason="without the extra [ray]")
        address = ":".join(map(str, listener.getsockname()))
        patched.setattr(services, "find_gcs_addresses", cache(set))
        patched.setattr(services, "find_bootstrap_address", lambda _: address)
        patched.setattr(services, "find_node_ids", lambda: {"of this machine"})
        patched.setattr(ray_cluster, "be_admitted", lambda _: {"of this machine", "of another"})
        patched.delenv("RAY_ADDRESS", raising=False)
        over = threading.Event()

        def serve() -> None:
            line, _ = listener.accept()
            with line:
                answer(line)
                over.wait(60)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield address
        finally:
            over.set()
            thread.join()


@pytest.mark.parametrize("named", ["auto", "HOST:PORT"])
@pytest.mark.parametrize(("answer", "said"), LISTENERS, ids=["silent", "http", "closes"])
def test_who_listens_where_a_cluster_should_is_found_out_before_ray_waits_for_it(
    named: str, answer: Callable[[socket.socket], None], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_cluster, "_ANSWER_S", 0.3)
    with listening(answer) as address:
        expected = re.escape(f"no Ray cluster at {address} ({said})")
        where = "auto" if named == "auto" else address
        with pytest.raises(InfrastructureError, match=expected), ray_cluster.connected(where):
            pass


@pytest.mark.parametrize("named", ["auto", "HOST:PORT"])
def test_auto_is_used_as_the_address_that_it_means(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    library, asked = pytest.importorskip("ray", reason="without the extra [ray]"), []

    def init(where: str, **more: object) -> None:
        asked.append((where, more["_node_ip_address"]))
        assert os.environ["RAY_BACKEND_LOG_LEVEL"] == "fatal", "else its log lines reach stderr"
        raise ConnectionError("enough")

    monkeypatch.setattr(library, "init", init)
    monkeypatch.delenv("RAY_BACKEND_LOG_LEVEL", raising=False)
    with listening(lambda line: line.sendall(ray_cluster._SETTINGS)) as address:
        where = "auto" if named == "auto" else address
        with pytest.raises(InfrastructureError, match="enough"), ray_cluster.connected(where):
            pass
    assert asked == [(address, ray_cluster._LOOPBACK)]


def test_a_cluster_of_this_machine_alone_has_a_token_that_is_kept_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for there in ({}, {"RAY_AUTH_MODE": "disabled"}, {"RAY_AUTH_TOKEN": "the team's"}, {"RAY_AUTH_MODE": ""}):
        monkeypatch.setattr("os.environ", dict(there))
        ray_access.keep_no_token()
        assert os.environ["RAY_AUTH_MODE"] == (there.get("RAY_AUTH_MODE") or "token")
        assert len(os.environ["RAY_AUTH_TOKEN"]) == 64


ACCESS = [
    # what the environment says, which token is here, which one the cluster wants; the mode or the error that follows
    ("", None, None, "disabled"),
    ("", "a", None, "disabled"),
    ("disabled", "a", None, "disabled"),
    ("token", "a", None, "has no authentication, and RAY_AUTH_MODE is token; unset that"),
    ("", "a", "a", "token"),
    ("token", "a", "a", "token"),
    ("", "b", "a", "does not take the token of RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token; use that of"),
    ("", None, "a", "wants a token, and there is none in RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token"),
    ("token", None, "a", "wants a token, and there is none in"),
    ("disabled", "a", "a", "wants a token, and RAY_AUTH_MODE is disabled; unset that"),
    ("", "\N{ZERO WIDTH NO-BREAK SPACE}a", "a", "wants a token, and that of RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or"),
    ("", "a\nb", "a", "wants a token, and that of RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token has"),
]


@pytest.mark.parametrize(("asked", "here", "wanted", "expected"), ACCESS)
def test_a_cluster_is_shown_a_token_exactly_if_it_wants_one(
    asked: str, here: str | None, wanted: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    exceptions: Any = pytest.importorskip("ray.exceptions", reason="without the extra [ray]")
    monkeypatch.setattr("os.environ", {ray_access.MODE: asked} if asked else {})

    def nodes(_: str) -> set[str]:
        shown = here if os.environ[ray_access.MODE] == "token" else None
        if wanted not in (None, shown):
            raise exceptions.AuthenticationError("RPC error: InvalidAuthToken")
        return {"one"}

    class Loader:
        instance = classmethod(lambda cls: cls())

        def has_token(self, *, ignore_auth_mode: bool) -> bool:
            return here is not None

        def get_raw_token(self, *, ignore_auth_mode: bool) -> str:
            return str(here)

    monkeypatch.setattr("ray._raylet.AuthenticationTokenLoader", Loader)
    monkeypatch.setattr(ray_access, "_nodes", nodes)
    monkeypatch.setattr(ray_access, "_show", lambda mode: os.environ.update({ray_access.MODE: mode}))
    if expected in ("token", "disabled"):
        assert ray_access.be_admitted("head:6379") == {"one"}
        assert os.environ[ray_access.MODE] == expected
        return
    with pytest.raises(InfrastructureError, match=re.escape(f"the Ray cluster at head:6379 {expected}")):
        ray_access.be_admitted("head:6379")


def test_a_machine_that_is_no_node_is_told_so_before_ray_looks_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(lambda line: line.sendall(ray_cluster._SETTINGS)) as address:
        monkeypatch.setattr("ray._private.services.find_node_ids", set)
        monkeypatch.setattr("ray.init", lambda *_, **__: pytest.fail("it would take a minute"))
        expected = f"no node of the Ray cluster at {address} runs on this machine; run evalkit on one of its"
        with pytest.raises(InfrastructureError, match=re.escape(expected)), ray_cluster.connected(address):
            pass


def test_nothing_is_counted_for_a_cluster_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with recorded() as server:
        there = ["--executor", "ray", "--address", "127.0.0.2:1"]
        assert main(command(write_tiny(tmp_path), server.url, *there)) == 5
        assert server.requests == []
        assert main(command(write_tiny(tmp_path), server.url, *there, "--dry-run")) == 0, "it asks for no cluster"


def test_why_a_node_has_no_worker_is_said_once_whatever_it_is_numbered() -> None:
    pytest.importorskip("ray", reason="without the extra [ray]")
    said: list[str] = []
    nothing: Any = None
    workers = ray.Pool(nothing, nothing, nothing, 1, said.append)
    for actor in ("5e4320c2b4f1cf50a3a0be2f01000000", "0a91bd6e11f2aa31c0de55ab02000000"):
        workers._tell_once("no worker on a", f"The actor died. actor_id: {actor}, pid: {len(actor) + len(said)}")
    workers._tell_once("no worker on b", "The actor died. actor_id: 5e4320c2b4f1cf50a3a0be2f01000000, pid: 32")
    workers._tell_once("no worker on a", "evalkit is not installed there")
    assert [line[:14] for line in said] == ["no worker on a", "no worker on b", "no worker on a"]


def test_auto_names_what_a_dead_head_has_left_and_that_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    services: Any = pytest.importorskip("ray._private.services", reason="without the extra [ray]")
    monkeypatch.setattr(services, "find_gcs_addresses", cache(set))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(services, "find_bootstrap_address", lambda _: "127.0.0.2:1")
    with pytest.raises(InfrastructureError, match=r"no Ray cluster at 127\.0\.0\.2:1"), ray_cluster.connected("auto"):
        pass
    monkeypatch.setattr(services, "find_bootstrap_address", lambda _: None)
    with pytest.raises(InfrastructureError, match="no Ray cluster runs on this machine"), ray_cluster.connected("auto"):
        pass


async def test_what_ray_does_not_answer_holds_up_nothing() -> None:
    never = threading.Event()
    with pytest.raises(TimeoutError):
        await ray_cluster.aside(never.wait, 0.01)
    never.set()
    assert await ray_cluster.aside(lambda: 7, 60) == 7
    with pytest.raises(ZeroDivisionError):
        await ray_cluster.aside(lambda: 1 // 0, 60)


@pytest.mark.parametrize(
    ("here", "there", "then"),
    [
        (
            {"ANTHROPIC_API_KEY": "ours"},
            {"ANTHROPIC_AUTH_TOKEN": "theirs", "AWS_PROFILE": "theirs"},
            {"ANTHROPIC_API_KEY": "ours", "AWS_PROFILE": "theirs"},
        ),
        (
            {"AWS_ACCESS_KEY_ID": "ours", "AWS_SECRET_ACCESS_KEY": "ours"},
            {"AWS_ACCESS_KEY_ID": "theirs", "AWS_SESSION_TOKEN": "theirs", "AWS_REGION": "theirs"},
            {"AWS_ACCESS_KEY_ID": "ours", "AWS_SECRET_ACCESS_KEY": "ours", "AWS_REGION": "theirs"},
        ),
    ],
)
async def test_a_worker_pays_as_the_driver_would(
    here: dict[str, str], there: dict[str, str], then: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.environ", dict(there))
    sender, nobody = ray_worker.Sender(), cast(Provider, None)
    await sender.open(__version__, lambda: nobody, here)
    assert ray_worker.own_settings() == then
    sender._watch.__exit__(None, None, None)


async def test_a_worker_claims_no_latency_either_of_what_its_own_standstill_was_a_part_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("evalkit.executors.lag.STALL_S", STALL_S)

    async def behave(request: Request, number: int) -> Reply:
        time.sleep(0.0 if number else STALL_S + 0.05)
        return replace(GOOD, latency_s=0.3)

    sender, provider = ray_worker.Sender(), cast(Provider, FakeProvider(behave))
    await sender.open(__version__, lambda: provider, ray_worker.own_settings())
    await asyncio.sleep(0.05)
    replies = [await sender.attempt(REQUEST)]
    await asyncio.sleep(0.05)
    replies.append(await sender.attempt(REQUEST))
    sender._watch.__exit__(None, None, None)
    assert [(reply.text, reply.latency_s) for reply in replies] == [("Hi", None), ("Hi", 0.3)]


@pytest.mark.long
def test_nothing_loads_ray_that_does_not_use_it(tmp_path: Path) -> None:
    code = "import sys, evalkit.executors.ray, evalkit.cli.run, evalkit.run; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False, timeout=300).returncode == 0


SCALING = (Path(__file__).parent.parent / "docs" / "scaling.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("cpus", "in_flight", "workers"),
    [
        ({"a": 16}, 1024, {"a": 16}),
        ({"a": 64, "b": 64, "c": 0}, 1024, {"a": 8, "b": 8}),
        ({"a": 2, "b": 64}, 4096, {"a": 2, "b": 32}),
        ({"a": 64, "b": 64}, 8, {"a": 1, "b": 1}),
        ({}, 1024, {}),
    ],
)
def test_a_cluster_has_a_worker_for_each_64_requests(
    cpus: dict[str, int], in_flight: int, workers: dict[str, int]
) -> None:
    assert workers_on(cpus, in_flight) == workers


def test_as_many_workers_as_the_requests_are_worth_wherever_there_is_room() -> None:
    for in_flight, nodes in itertools.product((1, 64, 65, 1024, MOST), (1, 2, 8)):
        found = sum(workers_on(dict.fromkeys(map(str, range(nodes)), 64), in_flight).values())
        assert workers_for(in_flight) <= found < workers_for(in_flight) + nodes
        assert found * PER_WORKER >= in_flight


@pytest.mark.parametrize("line", re.findall(r"^evalkit run (.+)$", SCALING, re.MULTILINE))
def test_what_the_page_on_scaling_runs_is_accepted(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_tiny(tmp_path).rename("big.jsonl")
    (tmp_path / "rubrics" / "tiny.yaml").rename(tmp_path / "rubrics" / "big.yaml")
    with recorded() as server:
        assert main(["run", *line.split(), "--base-url", server.url, "--dry-run"]) == 0


def test_every_size_that_the_page_on_scaling_tells_can_be_run() -> None:
    sizes = [
        int(size.replace(",", "")) for size in re.findall(r"^\| `(?:local|ray)`, .*?([\d,]+) \|", SCALING, re.MULTILINE)
    ]
    assert len(sizes) == 5
    assert max(sizes) <= MOST
    assert Config(concurrency=max(sizes)).concurrency == max(sizes)
