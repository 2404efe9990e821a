"""The simulated Claude API as a server: the app, and two ways to run it."""

from __future__ import annotations

import contextlib
import socket
import threading
import uuid
from collections.abc import Callable, Iterator

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.server import ServerState

from evalkit.errors import InfrastructureError
from evalkit.listening import listen
from evalkit.sandbox import bedrock
from evalkit.sandbox.exchange import Sandbox
from evalkit.sandbox.routes import build_routes
from evalkit.sandbox.settings import SandboxSettings
from evalkit.sandbox.wire import ApiError

__all__ = ["SandboxSettings", "create_app", "running", "serve"]

SIMULATED_HEADER = "evalkit-simulated"
"""Every response carries it with the value `true`, so that no number from here passes for a real one."""

STOP_S = 5.0
"""How long a stopping server may take."""


def create_app(settings: SandboxSettings) -> Starlette:
    """The app; the same endpoints stand under `/` and under `/anthropic`."""
    sandbox = Sandbox(settings)
    routes = build_routes(sandbox)
    app = Starlette(
        routes=[*routes, Mount("/anthropic", routes=routes)],
        middleware=[Middleware(_MarkedResponses, sandbox=sandbox)],
        exception_handlers={ApiError: _api_error, HTTPException: _http_error, Exception: _unexpected},
    )
    app.state.connections = ServerState()
    return app


def serve(
    settings: SandboxSettings,
    host: str = "127.0.0.1",
    port: int = 0,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serves until interrupted; `ready` gets the base URL once requests are answered.

    Raises InfrastructureError if the port cannot be had.
    """
    listener = listen(host, port)
    with listener:
        _Server(settings, listener, ready or (lambda _: None)).run(sockets=[listener])


@contextlib.contextmanager
def running(settings: SandboxSettings) -> Iterator[str]:
    """A server on a free port of 127.0.0.1 in a background thread: yields its URL, stops it at the end."""
    started, urls = threading.Event(), list[str]()

    def ready(url: str) -> None:
        urls.append(url)
        started.set()

    with listen("127.0.0.1", 0) as listener:
        server = _Server(settings, listener, ready)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            if not started.wait(STOP_S):
                raise InfrastructureError("the sandbox server did not start; see whether the machine is overloaded")
            yield urls[0]
        finally:
            server.should_exit = True
            thread.join(STOP_S)


class _Server(uvicorn.Server):
    def __init__(self, settings: SandboxSettings, listener: socket.socket, ready: Callable[[str], None]) -> None:
        app = create_app(settings)
        super().__init__(
            uvicorn.Config(
                app, http="h11", ws="none", lifespan="off", access_log=False, log_level="critical",
                timeout_keep_alive=75, timeout_graceful_shutdown=1,
            )
        )  # fmt: skip
        app.state.connections = self.server_state
        host, port = listener.getsockname()[:2]
        self._url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready(self._url)


class _MarkedResponses:
    def __init__(self, app: ASGIApp, sandbox: Sandbox) -> None:
        self._app, self._sandbox = app, sandbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state |= {"request_id": f"req_{uuid.uuid4().hex[:24]}", "family": "all"}

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[SIMULATED_HEADER] = "true"
                if "aws_request_id" in state:  # Amazon tells neither the vendor's ids nor its rate limits
                    headers[bedrock.REQUEST_ID] = state["aws_request_id"]
                    await send(message)
                    return
                headers["request-id"] = state["request_id"]
                headers["anthropic-organization-id"] = "00000000-0000-0000-0000-000000000000"
                if "rate_headers" not in self._sandbox.settings.without:
                    headers.update(self._sandbox.meter.headers(state["family"]))
            await send(message)

        await self._app(scope, receive, send_marked)


async def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)  # noqa: S101  the type the handler is registered for
    return JSONResponse(error.body(request.state.request_id), error.status, headers=error.headers)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  the type the handler is registered for
    return await _api_error(request, ApiError(error.status_code, f"{request.url.path}: {error.detail}"))


async def _unexpected(request: Request, error: Exception) -> Response:
    return await _api_error(request, ApiError(500, f"Internal error of the simulated API: {error!r}"))
