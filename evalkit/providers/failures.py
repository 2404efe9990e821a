"""Sorting failures: what the server or the network did becomes a Reply, what is a bug of ours keeps its traceback."""

import json
import re
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from evalkit.error_kinds import NO_CONNECTION, NO_CREDENTIALS, PROXY_REFUSES, UNREADABLE
from evalkit.frozen import dataclass
from evalkit.providers.environment import redacted
from evalkit.providers.headers import Headers, read_headers, retry_after_s, should_retry
from evalkit.providers.sse import MOST_READ
from evalkit.providers.stream import Heard
from evalkit.records import Reply

if TYPE_CHECKING:
    import anthropic
    import httpx2

_RETRYABLE_STATUSES = frozenset({408, 409, 424, 429})
_FATAL_STATUSES = frozenset({401, 402, 403, 404})
"""None of these gets better with the next item."""

_PROXY_REFUSED = 407
_PROXY_REFUSALS = (f"{_PROXY_REFUSED}", "Invalid username/password", "Requested ")
"""How refusals of HTTP proxies begin, and, from the second on, of SOCKS proxies, which have no statuses."""

_RETRYABLE_KINDS = frozenset({
    UNREADABLE, "overloaded_error", "api_error", "rate_limit_error", "timeout_error",
    "throttlingException", "serviceUnavailableException", "modelStreamErrorException", "modelTimeoutException",
    "internalServerException", "modelNotReadyException", "InternalError", "InternalFailure", "InternalServerError",
    "ServiceUnavailable",
})  # fmt: skip
"""Errors in the middle of a stream, whose status was 200, that may pass. Those from the second row
on are Amazon Bedrock's, the last of them those of frames with an `:error-code`."""

_FATAL_KINDS = frozenset({
    "authentication_error", "billing_error", "permission_error",
    "accessDeniedException", "expiredTokenException", "unrecognizedClientException", "invalidSignatureException",
    "serviceQuotaExceededException",
})  # fmt: skip
_SPEND_LIMITS = frozenset({"enforced_spend_limit_reached", "contract_spend_limit_reached"})
_OUT_OF_MONEY = re.compile(
    r"credit balance|(?:spend|usage|workspace|monthly) limit|tokens per day"
    r"|(?:organi[sz]ation|account|workspace)\b[^.]{0,60}\bdisabled",
    re.IGNORECASE,
)
"""An account's own limit or end comes as a plain 400, which would else settle every trial that is left as failed."""

_TOO_LONG = re.compile(
    r"(?:prompt|input) is too long|exceeds? (?:the )?(?:available )?context|exceed_context_size", re.IGNORECASE
)

_MOST_QUOTED = 200


@dataclass(frozen=True)
class _Told:
    """An error as a server words it."""

    kind: str
    message: str
    code: str = ""

    @property
    def is_about_money(self) -> bool:
        return self.code in _SPEND_LIMITS


class NotAStreamError(Exception):
    """A server answered a streamed request, and with success, by something else: a page, a document, nothing."""

    def __init__(self, headers: Headers, body: bytes = b"") -> None:
        kind = headers.get("content-type")
        what = f"of type {kind!r}" if kind else "of no type" if body else "empty"
        words = " ".join(body.decode("utf-8", "replace").split())[:_MOST_QUOTED]
        quoted = f" It says: {words}" if words else ""
        super().__init__(f"the answer is {what}, not an event stream; is this the address of a Messages API?{quoted}")


class StreamError(Exception):
    """A server broke off a stream with an error event."""

    def __init__(self, data: str) -> None:
        super().__init__(data)
        try:
            body = json.loads(data)
        except (ValueError, RecursionError):
            body = None
        self.told = _told(body, UNREADABLE, data or "an error without words")


def unstreamed(headers: Headers, body: bytes) -> StreamError | NotAStreamError:
    """What to make of an answer that is no stream, by the beginning of its body."""
    return error_in(body) or NotAStreamError(headers, body)


def error_in(body: bytes | str) -> StreamError | None:
    """The error that a body begins with: gateways put into a 200 what the API would have sent as an event, and it is
    sorted like one. One without a type is unreadable, and may pass."""
    try:
        told = from_json(body, allow_partial="trailing-strings")  # of a long body this is the beginning
    except ValueError:
        return None
    told = told[0] if isinstance(told, list) and told else told
    error = told.get("error") if isinstance(told, dict) else None
    if not isinstance(error, dict):
        return None
    kind = {"type": str(error.get("type") or UNREADABLE)}
    return StreamError(json.dumps({**told, "error": {**error, **kind}}))


def failed(heard: Heard, error: Exception) -> Reply:
    """The Reply for what an attempt raised; raises it again if it is a bug of ours."""
    import anthropic
    import httpx2

    if isinstance(error, StreamError | NotAStreamError):
        return _no_stream(heard, error)
    if proxy_refuses(error):
        told = refusal(error)
        status = _PROXY_REFUSED if str(_PROXY_REFUSED) in told else None
        return heard.failure(PROXY_REFUSES, told, status=status, stops_run=True)
    if isinstance(error, anthropic.APIStatusError):
        return _refused(heard, error)
    if isinstance(error, anthropic.APIConnectionError | httpx2.RequestError):
        return _broken_off(heard, error)
    if isinstance(error, anthropic.AnthropicError) and not isinstance(error, anthropic.APIError):
        return heard.failure(NO_CREDENTIALS, str(error), stops_run=True)
    if isinstance(error, anthropic.APIError | ValueError):
        return heard.failure(UNREADABLE, f"{type(error).__name__}: {error}", retryable=True)
    raise error


def proxy_refuses(error: Exception) -> bool:
    """Whether a proxy on the way wants a name and a password: for the tunnel to a server, or for the request itself."""
    import anthropic
    import httpx2

    if isinstance(error, anthropic.APIStatusError):
        return error.status_code == _PROXY_REFUSED
    told = [str(one) for one in (error, error.__cause__) if isinstance(one, httpx2.ProxyError)]
    return any(text.startswith(_PROXY_REFUSALS) for text in told)


def refusal(error: Exception) -> str:
    """What a proxy says of wanting a password; of a page only that it does."""
    status = getattr(error, "status_code", None)
    return f"status {status} from a proxy" if status else cause(error)


def _broken_off(heard: Heard, error: Exception) -> Reply:
    import anthropic
    import httpx2

    unconnected = httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.ProxyError
    if any(isinstance(one, unconnected) for one in (error, error.__cause__)):
        return heard.failure(NO_CONNECTION, cause(error), retryable=True)
    if isinstance(error, anthropic.APITimeoutError | httpx2.TimeoutException):
        return heard.failure("timeout", str(error) or "timed out", retryable=True)
    return heard.failure("connection_error", cause(error), retryable=True)


def _no_stream(heard: Heard, error: StreamError | NotAStreamError) -> Reply:
    if isinstance(error, NotAStreamError):
        return heard.failure("not_an_event_stream", str(error), status=200, stops_run=True)
    told = error.told
    out_of_money = told.is_about_money or _OUT_OF_MONEY.search(told.message) is not None
    fatal = out_of_money or told.kind in _FATAL_KINDS
    retryable = told.kind in _RETRYABLE_KINDS and not fatal
    return heard.failure(told.kind, told.message, status=200, retryable=retryable, stops_run=fatal)


def _refused(heard: Heard, error: "anthropic.APIStatusError") -> Reply:
    """An answer with an error status. What the server says of trying again goes before what its status means, but for
    one that passes: that it is not to be tried at once makes no failure of the model's of it."""
    headers, status = read_headers(error.response), error.status_code
    heard.headers(headers)
    if status < 400:
        return heard.failure(f"http_{status}", redirected(error.response), status=status, stops_run=True)
    told = _told(error.body, _aws_kind(headers.get("x-amzn-errortype")) or f"http_{status}", str(error.message))
    out_of_money = told.is_about_money or (status in (400, 429) and _OUT_OF_MONEY.search(told.message) is not None)
    too_long = status in (400, 422) and _TOO_LONG.search(f"{told.kind} {told.message}") is not None
    advice = None if out_of_money else should_retry(headers)
    fatal = out_of_money or (not advice and (status in _FATAL_STATUSES or told.kind in _FATAL_KINDS))
    transient = status in _RETRYABLE_STATUSES or status >= 500
    return heard.failure(
        "context_overflow" if too_long else told.kind,
        told.message,
        status=status,
        retryable=not fatal and (transient or bool(advice)),
        stops_run=fatal,
        retry_after_s=retry_after_s(headers),
    )


def _told(body: Any, kind: str, message: str) -> _Told:
    """The kind, message and code in an error's body; `kind` and `message` where it has none.

    Of a message only the beginning: some send whole pages, and searching megabytes would keep the loop waiting.
    """
    if not isinstance(body, dict):
        return _Told(kind, message[:MOST_READ])
    error = body.get("error")
    if not isinstance(error, dict):
        return _Told(kind, str(body.get("message") or body.get("Message") or message)[:MOST_READ])  # AWS
    details = error.get("details")
    code = details.get("error_code") if isinstance(details, dict) else None
    told = str(error.get("message") or message)[:MOST_READ]
    return _Told(str(error.get("type") or kind), told, str(code or ""))


def _aws_kind(header: str | None) -> str | None:
    """`ThrottlingException:http://…` as event streams write it: `throttlingException`."""
    name = (header or "").split(":")[0].strip()
    return name[:1].lower() + name[1:] or None


def redirected(response: "httpx2.Response") -> str:
    """What to do about an answer that sends the request elsewhere, which no server of this API does."""
    location = response.headers.get("location")
    if location is None:
        return f"answers with status {response.status_code}; is this the address of a Messages API?"
    return f"sends requests on to {location!r}; correct --base-url"


def said(error: Any) -> str:
    """What a server says is wrong."""
    return redacted(_told(error.body, "", str(error.message)).message)


def cause(error: Exception) -> str:
    """What the network says is wrong: the SDK's own error is only `Connection error.`"""
    return redacted(str(error.__cause__ or error)) or type(error.__cause__ or error).__name__
