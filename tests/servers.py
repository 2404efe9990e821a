"""Servers to test against: the sandbox with a request log, an independent implementation, raw TCP scripts."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evalkit.sandbox.server import SandboxSettings, create_app

FAST = SandboxSettings(speed=0)
"""The sandbox without any delay."""

BATCHES = "/v1/messages/batches"

Fault = Callable[[int, dict[str, Any]], str | None]
"""From the number (from 0) and the body of a message or batch request to the fault it meets, if any."""

Spoil = Callable[[str, str], Callable[[bytes], tuple[str, bytes]] | None]
"""From the method and path of a request to what makes another answer of its answer, as (content type, body), if any."""


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Recorded:
    """A running server and everything it was sent, in order of arrival."""

    url: str
    requests: list[Seen] = field(default_factory=list)

    def messages(self) -> list[dict[str, Any]]:
        """Bodies of the requests that cost money."""
        return [json.loads(r.body) for r in list(self.requests) if r.method == "POST" and r.path == "/v1/messages"]

    def batches(self) -> list[list[dict[str, Any]]]:
        """The entries of each batch that was submitted, refused ones included."""
        posts = [r for r in list(self.requests) if r.method == "POST" and r.path == BATCHES]
        return [json.loads(post.body)["requests"] for post in posts]

    def paths(self) -> set[str]:
        """Every path that was asked for."""
        return {request.path for request in self.requests}

    def wait_for(self, count: int, what: Callable[[dict[str, Any]], bool] = lambda _: True) -> None:
        """Block until so many messages have arrived; AssertionError if they never do."""
        end = time.monotonic() + 60
        while sum(map(what, self.messages())) < count:
            if time.monotonic() > end:
                raise AssertionError(f"{count} messages never arrived")
            time.sleep(0.005)


class _Log:
    """Passes requests on and writes them down, with a fault put into those that are to meet one."""

    def __init__(self, app: ASGIApp, record: Recorded, fault: Fault | None, spoil: Spoil | None) -> None:
        self._app, self._record, self._fault, self._count, self._spoil = app, record, fault, 0, spoil

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return  # the client died while it was still sending: the request never arrived
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        self._record.requests.append(Seen(scope["method"], scope["path"], headers, body))
        if scope["method"] == "POST" and scope["path"] in ("/v1/messages", BATCHES):
            number, self._count = self._count, self._count + 1
            fault = self._fault(number, json.loads(body)) if self._fault else None
            if fault is not None:
                scope = {**scope, "headers": [*scope["headers"], (b"evalkit-fault", fault.encode())]}
        whole = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def replayed() -> Message:
            return next(whole, None) or await receive()

        spoilt = self._spoil(scope["method"], scope["path"]) if self._spoil else None
        await self._app(scope, replayed, send if spoilt is None else _instead(spoilt, send))


def _instead(spoilt: Callable[[bytes], tuple[str, bytes]], send: Send) -> Send:
    """What sends another answer than the application's, with status 200, once that is whole."""
    whole = b""

    async def sent(message: Message) -> None:
        nonlocal whole
        whole += message.get("body", b"")
        if message["type"] == "http.response.body" and not message.get("more_body"):
            kind, body = spoilt(whole)
            headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    return sent


def retired(models: Collection[str]) -> Spoil:
    """What the server says of models, but that these are retired, from when on they are named there."""

    def spoil(_method: str, path: str) -> Callable[[bytes], tuple[str, bytes]] | None:
        if path.rpartition("/")[2] not in models:
            return None
        return lambda told: ("application/json", json.dumps({**json.loads(told), "lifecycle": "retired"}).encode())

    return spoil


class Brisk(uvicorn.Server):
    """Stops at once: uvicorn looks for its end, and then waits for others, a tenth of a second each."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._stopped = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    async def main_loop(self) -> None:
        await self.on_tick(0)  # sets the headers that all answers have
        await self._stopped.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await asyncio.sleep(0.005)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0.005)

    def stop(self) -> None:
        """From another thread."""
        self._loop.call_soon_threadsafe(self._stopped.set)


@contextlib.contextmanager
def recorded(
    settings: SandboxSettings = FAST, fault: Fault | None = None, spoil: Spoil | None = None
) -> Iterator[Recorded]:
    """The sandbox in a thread of this process, with its log; some of its answers may be spoilt on their way."""
    app, record = create_app(settings), Recorded("")
    server = Brisk(
        uvicorn.Config(
            _Log(app, record, fault, spoil), port=0, http="h11", ws="none", lifespan="off", access_log=False,
            log_level="critical", timeout_graceful_shutdown=1,
        )
    )  # fmt: skip
    app.state.connections = server.server_state
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.002)
    record.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield record
    finally:
        server.stop()
        thread.join(10)


# --- raw HTTP ------------------------------------------------------------------------------------------------

STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
"""Head of a stream that ends when the connection does: a cut cannot be told from an end."""
CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(content: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(content), content)


def whole(status: int, body: bytes, **headers: str) -> bytes:
    """A complete response."""
    lines = [f"HTTP/1.1 {status} Status", f"content-length: {len(body)}", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def event(kind: str, **data: Any) -> bytes:
    """One server-sent event."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()


def delta(text: str, kind: str = "text_delta", index: int = 0) -> bytes:
    """A piece of text."""
    return event("content_block_delta", index=index, delta={"type": kind, kind.removesuffix("_delta"): text})


def opening(model: str = "served-model", **usage: Any) -> bytes:
    """The first event of an answer."""
    counts = {"input_tokens": 11, "output_tokens": 1, **usage}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": []}
    return event("message_start", message={**message, "stop_reason": None, "usage": counts})


def block(index: int = 0) -> bytes:
    """The beginning of a text block."""
    return event("content_block_start", index=index, content_block={"type": "text", "text": ""})


def closing(stop_reason: str | None = "end_turn", **usage: Any) -> bytes:
    """The last events of an answer."""
    ending = {"stop_reason": stop_reason, "stop_sequence": None}
    return event("message_delta", delta=ending, usage={"output_tokens": 5, **usage}) + event("message_stop")


def answer(text: str = "Hi", stop_reason: str = "end_turn") -> bytes:
    """All events of a short answer."""
    stop = event("content_block_stop", index=0)
    return opening() + block() + delta(text) + stop + closing(stop_reason)


async def read_request(reader: asyncio.StreamReader) -> tuple[str, str, bytes] | None:
    """Method, path and body of one request; None at the end of the connection."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    method, path, _ = head.split(" ", 2)
    length = next((int(x.split(":")[1]) for x in head.split("\r\n") if x.lower().startswith("content-length")), 0)
    return method, path.split("?")[0], await reader.readexactly(length)


RESET = "reset"
HANG = "hang"
Step = bytes | str
"""Bytes to send, RESET to break the connection, HANG to say nothing more until the client goes."""


@contextlib.asynccontextmanager
async def scripted(*scripts: Sequence[Step]) -> AsyncIterator[str]:
    """A TCP server that plays one script a connection, the last one for all that follow; yields its URL."""
    waiting, writers = list(scripts), list[asyncio.StreamWriter]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        script = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        with contextlib.suppress(ConnectionError):
            await read_request(reader)
            await _play(script, reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0.005)


async def _play(script: Sequence[Step], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for step in script:
        if isinstance(step, bytes):
            writer.write(step)
            await writer.drain()
        elif step == HANG:
            await reader.read()
        else:
            writer.transport.abort()


# --- an independent implementation ----------------------------------------------------------------------------

LOCAL_MODEL = "tiny-local-1b"
"""What the independent server says answered, whatever was asked for."""


class _Independent:
    """Messages only, as a small local server has them: no counting, no batches, no limits, no request ids."""

    def __init__(self, record: Recorded, lists_models: bool) -> None:
        self._record, self._lists_models = record, lists_models

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await read_request(reader)) is not None:
                self._record.requests.append(Seen(request[0], request[1], {}, request[2]))
                response, keeps = self._response(*request)
                writer.write(response)
                await writer.drain()
                if not keeps:
                    break
        finally:
            writer.transport.abort() if reader.at_eof() else writer.close()

    def _response(self, method: str, path: str, body: bytes) -> tuple[bytes, bool]:
        if (method, path) == ("POST", "/v1/messages"):
            return STREAM_HEAD + self._stream(json.loads(body)), False
        if self._lists_models and (method, path) == ("GET", "/v1/models"):
            listed = {"object": "list", "data": [{"id": LOCAL_MODEL, "object": "model", "created": 1}]}
            return self._json(200, listed), True
        return self._json(404, {"error": {"code": 404, "message": "Not here", "type": "not_found_error"}}), True

    @staticmethod
    def _json(status: int, content: Any) -> bytes:
        body = json.dumps(content).encode()
        return f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body

    @staticmethod
    def _stream(body: dict[str, Any]) -> bytes:
        asked = body["messages"][-1]["content"]
        words = f"I am {LOCAL_MODEL}. You wrote {len(asked)} characters, and that is all I know.".split(" ")
        used = {"input_tokens": len(asked) // 4, "output_tokens": 0}
        stream = opening(LOCAL_MODEL, **used) + block()
        stream += b"".join(delta(word + " ") for word in words)
        return stream + event("content_block_stop", index=0) + closing(output_tokens=len(words))


@contextlib.contextmanager
def independent(lists_models: bool = False) -> Iterator[Recorded]:
    """The independent server in a thread of this process; its model list, if any, has OpenAI's shape."""
    record = Recorded("")
    with in_thread(_Independent(record, lists_models).serve, record):
        yield record


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.contextmanager
def in_thread(serve: Serve, record: Recorded) -> Iterator[None]:
    """A TCP server that has a thread of this process; its URL goes into the record."""
    ready, ending = threading.Event(), list[Callable[[], object]]()
    served = dict[asyncio.Future[None], asyncio.StreamWriter]()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served[asyncio.ensure_future(serve(reader, writer))] = writer

    async def run() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
            record.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            ending.append(lambda: loop.call_soon_threadsafe(stop.set))
            ready.set()
            await stop.wait()
        await asyncio.sleep(0.01)  # what was accepted last is handed over
        for one, writer in served.items():
            one.cancel()
            await asyncio.gather(one, return_exceptions=True)
            writer.transport.abort()  # one that was ended before it began could not close it
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    thread = threading.Thread(target=asyncio.run, args=(run(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield
    finally:
        ending[0]()
        thread.join(10)
