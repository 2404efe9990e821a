"""Posting a body through one of the SDK's clients; further ones as it has sent the first, which costs a third."""

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

from evalkit.providers.transport import CONNECT_S

if TYPE_CHECKING:
    import httpx2
    from anthropic import AsyncAnthropic, AsyncAnthropicBedrock, AsyncAnthropicBedrockMantle, RequestOptions

    Client = AsyncAnthropic | AsyncAnthropicBedrock | AsyncAnthropicBedrockMantle

FAST_MODE = "fast-mode-2026-02-01"
"""The beta that some models want to be named with `speed: fast`; those that do not pass over it."""

Body = dict[str, Any] | bytes
"""What is posted; bytes where the client need not look into it."""

Post = Callable[[str, Body, bool], Awaitable["httpx2.Response"]]
"""Posts a body to a path, in fast mode or not: a response whose body is still to be read, or one of the SDK's errors.

No deadline is kept but that for connecting.
"""


def through(client: "Client") -> Post:
    """Each request as the client makes it."""

    async def post(path: str, body: Body, fast: bool) -> "httpx2.Response":
        import httpx2
        from anthropic import AsyncStream

        options: RequestOptions = {
            "timeout": httpx2.Timeout(None, connect=CONNECT_S),
            "headers": beta_headers(client, fast=fast),
        }
        content: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"body": body}
        # The SDK's general call, for its own `create` builds a model of every request and takes no setting it lacks.
        sent = client.post(
            path, cast_to=httpx2.Response, **content, options=options, stream=True, stream_cls=AsyncStream
        )
        return cast("httpx2.Response", await sent)  # as `cast_to` says; the signature knows streams of models only

    return post


def beta_headers(client: "Client", *, fast: bool) -> dict[str, str]:
    """What a request in fast mode has to name, besides what the environment names for every request."""
    if not fast:
        return {}
    own = {name.lower(): value for name, value in client.default_headers.items()}.get("anthropic-beta")
    return {"anthropic-beta": f"{own},{FAST_MODE}" if own else FAST_MODE}


class Repeated:
    """A `Post` that sends the headers which the client has made for the first request with the others too.

    For the first-party client with a key, whose headers are the same for every request; credentials that are renewed
    go through the client each time.
    """

    def __init__(self, client: "AsyncAnthropic", http: "httpx2.AsyncClient") -> None:
        self._client, self._http = client, http
        self._through = through(client)
        self._headers: dict[bool, httpx2.Headers] = {}
        self._urls: dict[str, httpx2.URL] = {}

    async def __call__(self, path: str, body: Body, fast: bool) -> "httpx2.Response":
        """Post it; raises what the client would."""
        headers = self._headers.get(fast)
        if headers is not None and isinstance(body, bytes):
            return await self._again(path, body, headers)
        response = await self._through(path, body, fast)
        if self._client.credentials is None:
            self._headers[fast] = response.request.headers
        return response

    async def _again(self, path: str, body: bytes, headers: "httpx2.Headers") -> "httpx2.Response":
        import anthropic
        import httpx2

        if path not in self._urls:
            base = self._client.base_url
            self._urls[path] = base.copy_with(raw_path=base.raw_path + path.lstrip("/").encode())
        request = httpx2.Request(
            "POST",
            self._urls[path],
            headers=headers,
            stream=httpx2.ByteStream(body),
            extensions={"timeout": {"connect": CONNECT_S}},
        )
        request.headers["content-length"] = str(len(body))
        try:
            response = await self._http.send(request, stream=True)
        except httpx2.TimeoutException as error:
            raise anthropic.APITimeoutError(request=request) from error
        except Exception as error:
            raise anthropic.APIConnectionError(request=request) from error
        if not response.is_success:
            await response.aread()
            raise _status_error(response)
        return response


def _status_error(response: "httpx2.Response") -> Exception:
    """The SDK's error for a response, as it words it."""
    import anthropic

    text = response.text.strip()
    body: object = text
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return anthropic.APIStatusError(text or f"Error code: {response.status_code}", response=response, body=body)
    return anthropic.APIStatusError(f"Error code: {response.status_code} - {body}", response=response, body=body)
