"""What every request must pass before anything looks at it, and what every answer carries.

The page is open to everything that runs on this machine, other pages in the same browser included: a cookie alone
does not tell them apart, since ports share a site. So host, origin and the browser's own word are checked as well.
"""

from collections.abc import Iterable
from http.cookies import SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_BYTES = 64 * 1024
"""The longest body of a request."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
"""On every answer."""
_SAFE = ("GET", "HEAD")


class Guard:
    """Refuses what does not come from the page itself; `hosts` as browsers write them, port included."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self._app, self._hosts = app, frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = self._refusal(scope["method"], Headers(scope=scope))
        if refusal is None:
            limited = _Limited(receive)
            try:
                await self._app(scope, limited, guarded)
            except TooLongError:
                refusal = _told(413, f"the body is longer than {BODY_BYTES:,} bytes")
        if refusal is not None:
            await refusal(scope, receive, guarded)

    def _refusal(self, method: str, headers: Headers) -> Response | None:
        if headers.get("host") not in self._hosts:
            return PlainTextResponse("This page answers only at the address that was printed.\n", 421)
        origins = {f"http://{host}" for host in self._hosts}
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if method in _SAFE:
            opened = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
            return None if site in (None, "none", "same-origin") or opened else _told(403, "not from this page")
        if method != "POST":
            return _told(405, "only GET and POST")
        if origin not in origins or site not in (None, "same-origin"):
            return _told(403, "not from this page")
        if headers.get("content-type", "").split(";")[0].strip() != "application/json":
            return _told(415, "only application/json")
        length = headers.get("content-length", "0")
        return None if length.isdigit() and int(length) <= BODY_BYTES else _told(413, "the body is too long")


class TooLongError(Exception):
    """A body went on beyond its limit."""


class _Limited:
    """A request's body, up to the limit; what is announced wrongly or not at all is counted as it comes."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self._seen = receive, 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        if self._seen > BODY_BYTES:
            raise TooLongError
        return message


def _told(status: int, why: str) -> Response:
    return JSONResponse({"error": why}, status)


def cookie_of(headers: Headers, name: str) -> str | None:
    """One cookie of a request."""
    jar: SimpleCookie = SimpleCookie(headers.get("cookie", ""))
    return jar[name].value if name in jar else None
