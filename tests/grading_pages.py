"""The grading page served for tests: a run file, its people, and a server in a thread of this process."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.desk import Desk, close_round, open_for_people
from evalkit.listening import listen
from evalkit.models import LINE_UP
from evalkit.rounds import Settings
from evalkit.store import RunFile
from evalkit.web.app import GradingApp
from evalkit.web.entrance import Entrance
from evalkit.web.server import PageServer
from tests.servers import Brisk

SECRETS = (
    *LINE_UP,
    "claude",
    "opus",
    "sonnet",
    "haiku",
    "anthropic",
    "_usd",
    "price",
    "cost",
    "token",
    "latency",
    "ttft",
)
"""What would tell a grader who wrote an output."""


class _Server(Brisk, PageServer):
    """The page's server, stopped at once."""


@dataclass
class Served:
    """A page that is being served."""

    url: str
    app: GradingApp
    run: RunFile

    def link(self, grader: str) -> str:
        return f"{self.url}/login?t={self.app.entrance.link(grader)}"


@contextlib.contextmanager
def serving(path: Path, *names: str, port: int = 0, **settings: Any) -> Iterator[Served]:
    """The page of a run file's round, for these people."""
    with RunFile(path) as run, listen("127.0.0.1", port) as listener:
        port = listener.getsockname()[1]
        desk = Desk(run, open_for_people(run, True, Settings(**settings) if settings else None))
        for name in names:
            desk.join(name)
        entrance = Entrance(desk.secret("page"), desk.people, port)

        def end() -> None:
            close_round(run, desk.round.id, "everybody has graded")

        app, ready = GradingApp(desk, entrance, lambda: None, end), threading.Event()
        server = _Server(app.asgi(port), ready.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        assert ready.wait(10)
        try:
            yield Served(f"http://127.0.0.1:{port}", app, run)
        finally:
            server.stop()
            thread.join(10)
