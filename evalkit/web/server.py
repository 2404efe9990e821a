"""The grading page's server: on this machine only, until everybody has handed in or it is interrupted."""

import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp


class PageServer(uvicorn.Server):
    """Serves an app on a listening socket; `ready` is called once requests are answered."""

    def __init__(self, app: ASGIApp, ready: Callable[[], None] = lambda: None) -> None:
        super().__init__(
            uvicorn.Config(
                app, http="h11", ws="none", lifespan="off", access_log=False, log_level="critical",
                server_header=False, date_header=False, timeout_keep_alive=75, timeout_graceful_shutdown=2,
            )
        )  # fmt: skip
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, and say so."""
        await super().startup(sockets)
        self._ready()

    def end(self) -> None:
        """Let what has begun be answered, then stop."""
        self.should_exit = True
