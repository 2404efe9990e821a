"""The HTTP client under the SDK, with a clock that goes from a request's writing to the arrival of what answers it.

aiohttp needs half the processor time of the SDK's default and keeps its answers on time in a busy process. Its
connections are opened before the clock starts: building a request, waiting for a connection and opening one are
no part of a model's latency. Nor is the time that bytes wait for their turn in a busy loop, once they are read.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from contextvars import ContextVar
from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies

import httpx2

from evalkit.errors import UsageError
from evalkit.providers.endpoint import is_loopback
from evalkit.providers.environment import certificates, check_proxies

if TYPE_CHECKING:
    import aiohttp

CONNECT_S = 10.0

_LONGEST_HEADER_BYTES = 64 * 1024
"""As the SDK's own client takes them; an answer that is refused for its headers is paid for all the same."""


class Clock:
    """When things happened to one request, by `perf_counter`; None until they do. `arrived`: its latest bytes."""

    __slots__ = ("arrived", "begun", "headers", "reused", "sent")

    def __init__(self) -> None:
        self.begun = perf_counter()
        self.sent: float | None = None
        self.headers: float | None = None
        self.arrived: float | None = None
        self.reused: bool | None = None

    def since_sent(self, moment: float | None = None) -> float:
        """Seconds from when the request was written (begun, if it never was) to a moment, or to now."""
        return (moment or perf_counter()) - (self.sent or self.begun)


_CLOCK: ContextVar[Clock | None] = ContextVar("clock", default=None)


def start_clock() -> Clock:
    """The clock of the request that this task is about to make."""
    clock = Clock()
    _CLOCK.set(clock)
    return clock


def _let_open(files: int) -> None:
    """Allow this process so many open files, as far as its machine does: some begin with 256, of which each connection
    is one.
    """
    with suppress(ImportError, OSError, ValueError):  # no limit can be set there
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = files if hard == resource.RLIM_INFINITY else min(files, hard)
        if soft != resource.RLIM_INFINITY and soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def http_client(connections: int, url: str | None = None) -> httpx2.AsyncClient:
    """The client for all requests of a run to a base URL (None: the vendor's); no proxy leads to this machine.

    Behind a proxy, or where aiohttp cannot be imported, it is the SDK's own: slower, but knowing both. No redirect
    is followed: whoever sends one has been reached by a wrong address. Raises UsageError, which names the variable,
    for proxies or certificates in the environment that cannot be used.
    """
    import anthropic

    _let_open(connections + 128)
    room, local = connections + 8, url is not None and is_loopback(url)
    limits = httpx2.Limits(max_connections=room, max_keepalive_connections=room)
    # Reading all authorities takes 30 ms, which a server that is spoken to in plain text can spare.
    tls = None if url is not None and url.startswith("http:") else certificates()
    common: dict[str, Any] = {"limits": limits, "follow_redirects": False}
    proxied = not local and any(scheme != "no" for scheme in getproxies())
    if proxied:
        check_proxies()
    else:
        with suppress(ImportError):  # the other client is as good, if slower
            return anthropic.DefaultAsyncHttpxClient(transport=_AiohttpTransport(room, tls), **common)
    common["event_hooks"] = {"request": [_watch]}
    if not proxied:
        own = httpx2.AsyncHTTPTransport(limits=limits, verify=tls or False)
        return anthropic.DefaultAsyncHttpxClient(transport=own, **common)
    try:
        return anthropic.DefaultAsyncHttpxClient(verify=tls or True, **common)
    except (ValueError, httpx2.InvalidURL) as error:
        raise UsageError(f"the proxy settings cannot be used ({type(error).__name__}); check NO_PROXY") from error


async def _watch(request: httpx2.Request) -> None:
    """Have the SDK's own transport tell the clock; it names what it does while it does it."""
    if (clock := _CLOCK.get()) is None:
        return

    async def trace(name: str, _: Any) -> None:
        if name == "connection.connect_tcp.started":
            clock.reused = False
        elif name.endswith("send_request_headers.started"):
            clock.sent, clock.reused = perf_counter(), clock.reused is None
        elif name.endswith("receive_response_headers.complete"):
            clock.headers = perf_counter()

    request.extensions["trace"] = trace


def _trace_config() -> "aiohttp.TraceConfig":
    import aiohttp

    async def reused(*_: Any) -> None:
        if (clock := _CLOCK.get()) is not None:
            clock.reused = True

    async def created(*_: Any) -> None:
        if (clock := _CLOCK.get()) is not None:
            clock.reused = False

    async def sent(*_: Any) -> None:
        if (clock := _CLOCK.get()) is not None and clock.sent is None:
            clock.sent = perf_counter()

    config = aiohttp.TraceConfig()
    config.on_connection_reuseconn.append(reused)
    config.on_connection_create_end.append(created)
    config.on_request_chunk_sent.append(sent)  # the headers only go out with the body's first piece, a task later
    return config


def _connector(connections: int) -> "aiohttp.TCPConnector":
    """Connections that note when bytes were read from them: by when their reader is woken, others may have had a turn.

    aiohttp has no name for this; where it makes its connections in another way, the clock goes by the waking.
    """
    import aiohttp
    from aiohttp.client_proto import ResponseHandler

    class Noting(ResponseHandler):
        arrived: float | None = None

        def data_received(self, data: bytes) -> None:
            if data:  # without any it goes on with what it has
                self.arrived = perf_counter()
            super().data_received(data)

    connector = aiohttp.TCPConnector(limit=connections)
    inside: Any = connector
    loop = asyncio.get_running_loop()
    inside._factory = lambda: Noting(loop)
    return connector


class _AiohttpTransport(httpx2.AsyncBaseTransport):
    """Sends httpx2's requests by aiohttp; its failures become httpx2's."""

    def __init__(self, connections: int, tls: ssl.SSLContext | None) -> None:
        """Raises ImportError where aiohttp is not installed."""
        import aiohttp
        import yarl

        self._aiohttp, self._url = aiohttp, yarl.URL
        self._connections = connections
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    def _opened(self) -> "aiohttp.ClientSession":
        if self._session is None:  # it belongs to the loop that it is made in
            self._session = self._aiohttp.ClientSession(
                connector=_connector(self._connections),
                cookie_jar=self._aiohttp.DummyCookieJar(),
                trace_configs=[_trace_config()],
                auto_decompress=False,
                max_line_size=_LONGEST_HEADER_BYTES,
                max_field_size=_LONGEST_HEADER_BYTES,
            )
        return self._session

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; returns once the response headers are in."""
        limits = request.extensions.get("timeout", {})
        timeout = self._aiohttp.ClientTimeout(
            total=None, connect=limits.get("pool"), sock_connect=limits.get("connect"), sock_read=limits.get("read")
        )
        try:
            response = await self._opened().request(
                request.method,
                self._url(str(request.url), encoded=True),  # as it was signed
                headers=[(name.decode(), value.decode("latin-1")) for name, value in request.headers.raw],
                data=await _outgoing(request),
                allow_redirects=False,
                timeout=timeout,
                ssl=self._tls or True,
            )
        except (self._aiohttp.ClientError, OSError) as error:
            raise self._translated(error) from error
        body = _Body(self, response)
        if (clock := _CLOCK.get()) is not None:
            clock.headers, body.clock = body.arrived() or perf_counter(), clock
        return httpx2.Response(response.status, headers=list(response.raw_headers), stream=body, request=request)

    def _translated(self, error: Exception) -> httpx2.TransportError:
        told = error.os_error if isinstance(error, self._aiohttp.ClientConnectorError) else error
        said = str(told) or type(error).__name__
        if isinstance(error, self._aiohttp.ConnectionTimeoutError):
            return httpx2.ConnectTimeout(said)
        if isinstance(error, asyncio.TimeoutError):
            return httpx2.ReadTimeout(said)
        if isinstance(error, self._aiohttp.ClientConnectorError):
            return httpx2.ConnectError(said)
        return httpx2.ReadError(said)

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()


async def _outgoing(request: httpx2.Request) -> Any:
    """The body of a request: whole, as most are, or piece by piece where it is made so, being large."""
    if isinstance(request.stream, httpx2.ByteStream) or "content-length" not in request.headers:
        return await request.aread() or None
    return request.stream


class _Body(httpx2.AsyncByteStream):
    """The bytes of a response as they arrive."""

    def __init__(self, transport: _AiohttpTransport, response: "aiohttp.ClientResponse") -> None:
        self._transport, self._response = transport, response
        self._connection = getattr(response.content, "_protocol", None)
        self.clock: Clock | None = None

    def arrived(self) -> float | None:
        """When the latest bytes were read from the connection, if it tells."""
        return getattr(self._connection, "arrived", None)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._response.content.iter_any():
                if self.clock is not None:
                    self.clock.arrived = self.arrived()
                yield piece
        except (self._transport._aiohttp.ClientError, OSError) as error:
            raise self._transport._translated(error) from error

    async def aclose(self) -> None:
        """Give the connection back if all was read, else close it."""
        self._response.close()
