"""What every test gets: no key, no home, no network but loopback."""

import gc
import os
import shutil
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from stores import Bucket

_LOCAL = ("127.0.0.1", "127.0.0.2", "::1", "localhost")
_IN_MEMORY, _ENOUGH_BYTES = Path("/dev/shm"), 2 * 1024**3  # noqa: S108  pytest makes a folder of its own in it


# speed is measured by benchmarks: on a busy machine an example takes what it takes; half the usual number of them
settings.register_profile("evalkit", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("evalkit")
if os.access(_IN_MEMORY, os.W_OK) and shutil.disk_usage(_IN_MEMORY).free > _ENOUGH_BYTES:
    # a run file waits for its disk at every commit, for milliseconds each; no test pulls the plug
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_IN_MEMORY))
_LAST_DAY = datetime(2026, 11, 29, tzinfo=UTC)
_MADE_BEFORE_A_COLLECTION = 50_000
"""Python's own 700 have a fourteenth of the tests' time go into collections that find next to nothing."""
gc.disable()  # until all tests are collected: what is made meanwhile stays


def pytest_xdist_auto_num_workers() -> int:
    """Two workers a core: a third of the tests' time is waiting for disks, timers and browsers."""
    return (os.cpu_count() or 1) * 2


def pytest_collection_finish() -> None:
    """Keep modules and tests out of later collections: statsmodels and pytest collect all of the heap, often."""
    gc.freeze()
    gc.set_threshold(_MADE_BEFORE_A_COLLECTION)
    gc.enable()


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for all tests, emptied before each: to make thousands takes longer and longer."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def a_busy_machine_takes_no_latency_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside other tests a process stands still for longer than one may that measures."""
    monkeypatch.setattr("evalkit.executors.lag.STALL_S", 300.0)


@pytest.fixture(autouse=True)
def nothing_leaves(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Tests have no credentials, an empty home, and cannot connect to anything but this machine."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "ANTHROPIC_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for left in home.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    connect = socket.socket.connect

    def only_local(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in _LOCAL:
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", only_local)


@pytest.fixture
def while_sonnet_4_5_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pins are verified as on its last day: to the tests of what a change is it matters which model a pin names, and to
    those of retirement which day it is."""
    from evalkit.pins import verdicts

    as_of = verdicts.facts_of
    monkeypatch.setattr(verdicts, "facts_of", lambda model, now: as_of(model, min(now, _LAST_DAY)))


@pytest.fixture(scope="module")  # while it runs, its thread has an event loop that others cannot have
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Browser"]:
    """A real browser."""
    from browsers import chromium

    with chromium(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of an S3 server on this machine."""
    from stores import s3_server

    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> Iterator["Bucket"]:
    """An empty bucket, and an environment that reaches it."""
    from stores import new_bucket

    made = new_bucket(s3)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    yield made
    made.client.close()


@pytest.fixture
def root() -> Path:
    """The project's folder, with its shipped datasets and rubrics."""
    return Path(__file__).parent.parent
