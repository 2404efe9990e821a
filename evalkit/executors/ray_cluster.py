"""A connection to a Ray cluster, under which this process stays its own: Ray neither blocks it nor ends it.

Whatever becomes of a cluster, a run has to say how it ended. Of itself Ray ends a process whose cluster has lost its
head, or waits for that without an end.
"""

import asyncio
import logging
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from filelock import FileLock, Timeout

from evalkit.errors import InfrastructureError, UsageError
from evalkit.executors.local import ENDING
from evalkit.executors.ray_access import be_admitted, keep_no_token

T = TypeVar("T")

NO_RAY = "--executor ray needs an extra; pip install 'evalkit-claude[ray]'"

_END_S = 15.0
"""How long Ray may take to disconnect. Without its head it would never be done."""

_AFTER_A_RUN_S = 7 * 86_400
"""How long Ray may look for a head that has gone before it ends this process; the run itself ends long before."""

_ANSWER_S = 5.0
"""How long who listens at an address has to take a connection, and then to answer."""

_SETTINGS = bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""An empty frame of settings in HTTP/2."""

_TAKEN_FOR_OUTER = ("127.0.0.1", "localhost", "::1") if sys.platform == "linux" else ()
"""By these Ray means the outer address of the machine."""

_LOOPBACK = "127.0.0.2" if sys.platform == "linux" else "127.0.0.1"
"""Where an instance of this machine's own listens: nothing outside it can reach that."""

_LAST_PORT = 65_535
_LATE_S = 3600.0
"""Longer than a folder of ours is without a lock."""

_FOLDERS, _HELD = "evalkit-", "held.lock"
_ADDRESS = re.compile(r"auto|(?P<host>[^\s/:]+|\[[0-9a-fA-F:]+\]):(?P<port>\d{1,5})")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_LOGGED = re.compile(rb"\[[-\d]+ [:,\d]+ [DIWE] \d+ \d+\] |\*\*\* SIG|\[failure_signal|(?:PC:)? *@ +0x")
"""How a line begins that Ray's library logs, unless that is what it ends this process for, and one of a stack that its
own handler of a signal prints."""

_RAISED = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception): .+", re.MULTILINE)


@contextmanager
def connected(address: str | None, workers: int = 1) -> Iterator[None]:
    """A connection to a cluster; without an address to one of this machine alone, with room for so many workers, which
    ends with it.

    Raises UsageError where Ray is not installed or the address is none, InfrastructureError where no cluster answers.
    """
    _settle(address)
    with ExitStack() as held:
        held.enter_context(_ended_as_interrupted())
        with _put_off():
            _connect(address, workers, held)
        yield


def _connect(address: str | None, workers: int, held: ExitStack) -> None:
    """Load Ray and connect; `held` ends what was begun, also after a failure."""
    ray, where = installed(), "local"
    more: dict[str, Any] = {"include_dashboard": False, "_node_ip_address": _LOOPBACK}
    if address is None:
        more["_temp_dir"] = held.enter_context(_folder())
        more["num_cpus"] = min(workers, os.cpu_count() or 1)  # Ray starts a process for each
    else:
        where, more = answering(address)
    held.callback(_disconnected, ray)
    _keep_handlers()
    try:
        with _unsaid():
            ray.init(where, log_to_driver=False, logging_level=logging.CRITICAL, **more)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise InfrastructureError(f"Ray at {where} cannot be used ({reason}); check it with `ray status`") from error
    _keep_stdout()


def _settle(address: str | None) -> None:
    """Say in the environment what Ray is to go by, before it is loaded, which is when it looks."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # else it writes into stderr; what counts we say
    os.environ.setdefault("RAY_gcs_rpc_server_reconnect_timeout_s", str(_AFTER_A_RUN_S))
    if address is not None:  # to a cluster that is gone each attempt takes Ray half a minute, and it would make twenty
        os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "2")
    else:
        keep_no_token()


def answering(address: str) -> tuple[str, dict[str, Any]]:
    """The address that one stands for, `auto` too, and what else to connect with, once something answers there.

    Raises as `connected` does, within seconds.
    """
    _settle(address)
    where = _running() if address == "auto" else address
    check_address(where)
    host, port = _reachable(where)
    with _unsaid():
        nodes = be_admitted(f"{host}:{port}")
    if not nodes & _services().find_node_ids():  # Ray itself would look for a minute
        raise InfrastructureError(
            f"no node of the Ray cluster at {where} runs on this machine; run evalkit on one of its machines, or make"
            f" this one a node with `ray start --address={where}`"
        )
    return where, {"_node_ip_address": host} if host.startswith("127.") else {}


def installed() -> Any:
    """The library; UsageError where it is not there."""
    try:
        import ray
    except ImportError as error:
        raise UsageError(NO_RAY) from error
    return ray


def check_address(address: str) -> None:
    """UsageError for what is no address of a cluster that a run can use."""
    if address.startswith("ray://"):
        raise UsageError(
            f"--address {address} is for Ray's remote client; run evalkit on a machine of the cluster, with --address"
            " auto"
        )
    parts = _ADDRESS.fullmatch(address)
    if parts is None or int(parts["port"] or 0) > _LAST_PORT:
        raise UsageError(f"--address {address!r} is no address; write auto, or host:port as `ray start` prints it")


async def aside(call: Callable[[], T], most_s: float) -> T:
    """What a call into Ray returns, which may block; TimeoutError after `most_s`, when nobody waits for it any more."""
    done: Future[T] = Future()
    done.set_running_or_notify_cancel()

    def work() -> None:
        try:
            done.set_result(call())
        except Exception as error:  # it is raised where it is awaited
            done.set_exception(error)

    threading.Thread(target=work, name="ray call", daemon=True).start()
    async with asyncio.timeout(most_s):
        return await asyncio.wrap_future(done)


def reason(error: BaseException) -> str:
    """Why a worker could not be had, in a line: of a long story with a traceback what was raised in the end."""
    cause = getattr(error, "cause", None) or error
    text = _COLOURS.sub("", str(cause))
    raised = _RAISED.findall(text)
    if raised and "No module named 'evalkit" in raised[-1]:
        return "evalkit is not installed there; install the version that is here"
    return " ".join((raised[-1] if raised else text).split())[:300] or type(cause).__name__


def _reachable(address: str) -> tuple[str, str]:
    """The host and port that one stands for; InfrastructureError if no cluster answers: Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    if host.strip("[]") in _TAKEN_FOR_OUTER:
        host = installed().util.get_node_ip_address()
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _ANSWER_S) as line:
            if os.environ.get("RAY_USE_TLS", "0").lower() not in ("1", "true"):  # what is encrypted Ray has to ask
                _greet(line)
    except (OSError, OverflowError) as error:
        raise InfrastructureError(f"no Ray cluster at {address} ({error}); check it with `ray status`") from error
    return host, port


def _greet(line: socket.socket) -> None:
    """OSError unless who listens speaks HTTP/2, as a cluster does: its first frame is of settings (RFC 9113, 3.4).

    Ray waits for a minute and a half for anything else that listens.
    """
    line.settimeout(_ANSWER_S)
    try:
        line.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _SETTINGS)
        heard = b""
        while len(heard) < len(_SETTINGS) and (part := line.recv(len(_SETTINGS) - len(heard))):
            heard += part
    except TimeoutError as error:
        raise OSError(f"who listens there says nothing for {_ANSWER_S:g} s") from error
    if heard[3:5] != _SETTINGS[3:5]:
        raise OSError("who listens there is no Ray cluster")


def _running() -> str:
    """The address of the cluster that `auto` means: RAY_ADDRESS, or that of this machine; as Ray finds it."""
    services = _services()
    logging.getLogger(services.__name__).setLevel(logging.CRITICAL)  # of several the last one, as Ray would say
    try:
        found: str = services.get_ray_address_from_environment("auto", None)
    except ConnectionError as error:
        raise InfrastructureError(
            "no Ray cluster runs on this machine; start one with `ray start`, or name another by --address HOST:PORT"
        ) from error
    return found


def _services() -> Any:
    """Where Ray keeps how it finds its own processes."""
    return import_module("ray._private.services")


@contextmanager
def _folder() -> Iterator[str]:
    """Where this machine's own instance has its logs, and its sockets, which need short names; Ray leaves both.

    What a run that was killed has left is removed by the next one.
    """
    short = "/tmp" if os.name == "posix" else None  # noqa: S108
    place = os.environ.get("RAY_TMPDIR") or short
    _remove_abandoned(Path(place or tempfile.gettempdir()))
    try:
        folder = Path(tempfile.mkdtemp(prefix=_FOLDERS, dir=place))
    except OSError as error:
        raise UsageError(
            f"RAY_TMPDIR={place} takes no folder ({error.strerror}); name one that can be written"
        ) from error
    try:
        with FileLock(folder / _HELD):  # which goes with this process, however that ends
            yield str(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(place: Path) -> None:
    """Remove folders of ours that no process holds any more. One without a lock is just being made, or what a process
    of Ray's has written into after it was removed, if nothing else is in it and it is old."""
    if os.name != "posix":
        return
    for folder in place.glob(f"{_FOLDERS}*"):
        with suppress(OSError, Timeout):
            if folder.lstat().st_uid != os.getuid() or not ((folder / _HELD).exists() or _is_late(folder)):
                continue
            with FileLock(folder / _HELD, blocking=False):
                shutil.rmtree(folder, ignore_errors=True)


def _is_late(folder: Path) -> bool:
    """Whether it holds sessions of Ray alone, of long ago: a folder of anybody else's may be called as ours are."""
    names = [path.name for path in folder.iterdir()]
    old = time.time() - folder.lstat().st_mtime > _LATE_S
    return old and bool(names) and all(name.startswith("session_") for name in names)


@contextmanager
def _ended_as_interrupted() -> Iterator[None]:
    """Have what ends a process from outside end a run as Ctrl-C does, before requests are sent too."""
    before = _handlers(ENDING)
    for number in before:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _put_off() -> Iterator[None]:
    """Heed Ctrl-C and its like only afterwards, unless they come twice: what is raised while Ray forks a process, amid
    Python's own hooks, is lost, and leaves a lock held.

    Their handlers are set anew in the end, since Ray's library sets its own below Python, which prints a stack.
    """
    told, aloud = 0, os.dup(2)  # what is written to the other one while Ray connects is kept back (`_unsaid`)

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal told
        told += 1
        if told > 1:
            signal.default_int_handler(number, frame)
        os.write(aloud, b"stopping once Ray is there; Ctrl-C again breaks off\n")

    before = _handlers((signal.SIGINT, *ENDING))
    for number in before:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(aloud)
        if told:
            raise KeyboardInterrupt


def _handlers(numbers: Iterable[signal.Signals]) -> dict[signal.Signals, Any]:
    """What each does now; none that is ignored, nor any outside the main thread, which may not set them."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    found = {number: signal.getsignal(number) or signal.SIG_DFL for number in numbers}
    return {number: handler for number, handler in found.items() if handler != signal.SIG_IGN}


def _keep_handlers() -> None:
    """Have Ray leave the handlers alone: its own prints a stack, and leaves by a 15."""
    inside: Any = import_module("ray._private.utils")
    inside.set_sigterm_handler = lambda _: None


def _disconnected(ray: Any) -> None:
    """Leave the cluster, or end that of this machine with all its processes; or give that up in time."""
    leaving = threading.Thread(target=partial(ray.shutdown, wait_for_processes=True), daemon=True)
    leaving.start()
    leaving.join(_END_S)


@contextmanager
def _unsaid() -> Iterator[None]:
    """Keep from stderr what Ray's library logs there, past Python's streams, before it knows its level; whatever else
    comes there comes after.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            rest = b"".join(line for line in file if not _LOGGED.match(line))
            if rest:
                os.write(2, rest)


def _keep_stdout() -> None:
    """Keep what Ray says of lost workers off stdout, whatever its log level: that is ours, and what counts we say."""
    inside: Any = sys.modules["ray._private.worker"]
    inside.print_to_stdstream = lambda *_, **__: None
