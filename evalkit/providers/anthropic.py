"""The Anthropic API, or any server that speaks its Messages API, through the official SDK."""

import asyncio
import ipaddress
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from evalkit.errors import InfrastructureError, UsageError
from evalkit.providers import Preflight
from evalkit.records import Outcome, Reply, Request, Usage

if TYPE_CHECKING:
    import anthropic

SIMULATED_HEADER = "evalkit-simulated"
_MID_STREAM_RETRYABLE = {"overloaded_error", "api_error", "rate_limit_error", "timeout_error"}
_SPEND_LIMITS = {"enforced_spend_limit_reached", "contract_spend_limit_reached"}
_OUT_OF_MONEY = re.compile(r"credit balance|(?:spend|usage) limit", re.IGNORECASE)
"""An account's own limit comes as a plain 400, which would else settle every trial that is left as failed."""
_NOT_IMPLEMENTED = 501
_OUTCOMES: dict[str, Outcome] = {
    "refusal": "refused",
    "max_tokens": "truncated",
    "model_context_window_exceeded": "truncated",
}


def is_loopback(url: str) -> bool:
    """Whether a URL points at this machine, where nothing is billed."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _checked(url: str) -> str:
    """A base URL that can be used; UsageError for anything else."""
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return url
        why = "is not an http(s) URL"
    except ValueError as error:
        why = f"cannot be read ({error})"
    raise UsageError(f"base URL {url!r} {why}; write e.g. http://127.0.0.1:8765")


def endpoint_of(url: str, *, simulated: bool = False) -> str:
    """What a run records of a base URL: scheme, host, port and path, without credentials.

    The sandbox has no port of its own, so that a run against it can be resumed on another.
    """
    parts = urlsplit(url)
    host = _bracketed(parts.hostname or "")
    port = f":{parts.port}" if parts.port and not simulated else ""
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"


class AnthropicProvider:
    """One client for all models of a run. `deadline_s` bounds a whole attempt, from send to last byte."""

    def __init__(self, base_url: str | None = None, deadline_s: float = 600.0, connections: int = 64) -> None:
        """Raises UsageError without credentials (none are needed on loopback) or for a URL that is none."""
        import anthropic
        import httpx2

        url = base_url or os.environ.get("ANTHROPIC_BASE_URL")
        host = "" if url is None else _bracketed(urlsplit(_checked(url)).hostname or "")
        local = url is not None and is_loopback(url)
        has_key = any(os.environ.get(name) for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"))
        limits = httpx2.Limits(max_connections=connections + 8, max_keepalive_connections=connections + 8)
        mounts = {f"all://{host}": None} if local else {}  # no proxy between this machine and itself
        self.deadline_s = deadline_s
        self._client = anthropic.AsyncAnthropic(
            base_url=url,
            api_key="local" if local and not has_key else None,
            max_retries=0,
            timeout=httpx2.Timeout(deadline_s, connect=10.0),
            open_telemetry=False,
            http_client=anthropic.DefaultAsyncHttpxClient(limits=limits, mounts=mounts),
        )
        if not (self._client.api_key or self._client.auth_token or self._client.credentials):
            raise UsageError("no API key; set ANTHROPIC_API_KEY, or try `evalkit demo`, which needs none")
        self.base_url = str(self._client.base_url)
        self._keyless = local and not has_key

    def bills_nothing(self, server: Preflight) -> bool:
        """Whether requests cost nobody anything: the sandbox, or a server on this machine that is given no key."""
        return server.simulated or self._keyless

    async def close(self) -> None:
        """Release connections."""
        await self._client.close()

    async def attempt(self, request: Request) -> Reply:
        """Stream one answer. Whatever the server or the network does becomes a Reply."""
        heard = _Heard(request.model, perf_counter())
        try:
            async with asyncio.timeout(self.deadline_s):
                stream = await self._client.messages.create(**_arguments(request), stream=True)
                heard.headers(stream.response.headers)
                async with stream:
                    async for event in stream:
                        heard.event(event)
        except TimeoutError:
            return heard.failure("timeout", f"no complete answer within {self.deadline_s:g} s", retryable=True)
        except Exception as error:
            return _failed(heard, error)
        return heard.reply()

    async def count_tokens(self, request: Request) -> int | None:
        """Input tokens as the server counts them; None if it has no such endpoint or is out of reach."""
        import anthropic

        arguments = _arguments(request)
        del arguments["max_tokens"]
        arguments.pop("stop_sequences", None)
        for pause_s in (0.5, 2.0, 8.0, None):
            try:
                counted = await self._client.messages.count_tokens(**arguments)
                return _count_or_none(getattr(counted, "input_tokens", None))
            except (anthropic.RateLimitError, anthropic.InternalServerError, anthropic.APIConnectionError) as error:
                if pause_s is None or getattr(error, "status_code", None) == _NOT_IMPLEMENTED:
                    return None
                await asyncio.sleep(pause_s)
            except (anthropic.APIError, ValueError):
                return None
        return None

    async def preflight(self, models: Sequence[str]) -> Preflight:
        """Ask for the model list: is the key good, does each model exist, is this the sandbox?

        A server without a model list is taken at its word. Raises InfrastructureError if it cannot be reached
        or refuses the credentials.
        """
        import anthropic

        endpoint = endpoint_of(self.base_url)
        try:
            response = await self._client.models.with_raw_response.list(limit=1)
        except (anthropic.AuthenticationError, anthropic.PermissionDeniedError) as error:
            raise InfrastructureError(
                f"{endpoint} does not accept the API key ({_message(error)}); check ANTHROPIC_API_KEY"
            ) from error
        except anthropic.PaymentRequiredError as error:
            what = f"{endpoint} refuses to bill ({_message(error)})"
            raise InfrastructureError(f"{what}; check the account") from error
        except anthropic.APIConnectionError as error:
            raise InfrastructureError(
                f"{endpoint} cannot be reached ({_cause(error)}); check the network and --base-url"
            ) from error
        except anthropic.APIStatusError as error:
            simulated = SIMULATED_HEADER in error.response.headers
            return Preflight(endpoint_of(self.base_url, simulated=simulated), simulated)
        simulated = SIMULATED_HEADER in response.headers
        endpoint = endpoint_of(self.base_url, simulated=simulated)
        if not await _is_model_list(response):
            return Preflight(endpoint, simulated)
        problems = [line for model in models if (line := await self._problem_with(model)) is not None]
        return Preflight(endpoint, simulated, tuple(problems))

    async def _problem_with(self, model: str) -> str | None:
        import anthropic

        try:
            info = await self._client.models.retrieve(model)
        except (anthropic.NotFoundError, ValueError):
            return f"model {model!r} is unknown to {endpoint_of(self.base_url)}; `evalkit models` lists known ids"
        except anthropic.APIError:
            return None
        if getattr(info, "lifecycle", None) == "retired":
            return f"model {model!r} is retired; `evalkit models` lists active ids"
        return None


async def _is_model_list(response: Any) -> bool:
    """Whether an answer to GET /v1/models has the vendor's shape; other servers send lists of their own."""
    try:
        page = await response.parse()
        return bool(page.data) and page.data[0].type == "model" and page.data[0].display_name is not None
    except (AttributeError, TypeError, ValueError, IndexError):
        return False


def _arguments(request: Request) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.max_tokens,
        "messages": list(request.messages),
        **request.params,
    }
    if request.system is not None:
        arguments["system"] = request.system
    return arguments


def _count_or_none(value: Any) -> int | None:
    """A count of tokens; the SDK passes on whatever a server sends in its place."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None


def _text_or_none(value: Any) -> str | None:
    return _whole_characters(value) if isinstance(value, str) else None


def _whole_characters(text: str) -> str:
    """Servers that count UTF-16 units can cut a character between two deltas; half of one cannot be stored."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@dataclass
class _Heard:
    """What has arrived of one answer so far."""

    asked_model: str
    sent: float
    texts: list[str] = field(default_factory=list)
    usage: dict[str, Any] = field(default_factory=dict)
    served_model: str | None = None
    request_id: str | None = None
    stop_reason: str | None = None
    ttft_s: float | None = None
    complete: bool = False
    simulated: bool = False

    def headers(self, headers: Any) -> None:
        self.request_id = headers.get("request-id")
        self.simulated = SIMULATED_HEADER in headers

    def event(self, event: Any) -> None:
        """Take in one streaming event; unknown kinds are passed over.

        The SDK does not validate events: one that lacks a field is the server's fault, not a bug of ours.
        """
        try:
            self._take(event)
        except (AttributeError, TypeError) as error:
            raise ValueError(f"malformed event ({error})") from error

    def _take(self, event: Any) -> None:
        if event.type == "message_start":
            self.served_model = _text_or_none(event.message.model)
            self._count(event.message.usage)
        elif event.type == "content_block_start" and event.content_block.type == "text" and event.content_block.text:
            self._hear(event.content_block.text)  # the vendor sends it empty, other servers may not
        elif event.type == "content_block_delta" and event.delta.type in ("text_delta", "input_json_delta"):
            self._hear(event.delta.text if event.delta.type == "text_delta" else event.delta.partial_json)
        elif event.type == "message_delta":
            self.stop_reason = _text_or_none(event.delta.stop_reason)
            self._count(event.usage)
        elif event.type == "message_stop":
            self.complete = True

    def _hear(self, text: Any) -> None:
        if not isinstance(text, str):
            raise TypeError(f"an event whose text is {text!r}")
        if self.ttft_s is None:
            self.ttft_s = perf_counter() - self.sent
        self.texts.append(text)

    def _count(self, usage: Any) -> None:
        """Later counts replace earlier ones; what a later event leaves out stays."""
        for name in ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"):
            count = _count_or_none(getattr(usage, name, None))
            if count is not None:
                self.usage[name] = count
        for name in ("service_tier", "speed", "inference_geo"):
            if isinstance(getattr(usage, name, None), str):
                self.usage[name] = getattr(usage, name)
        hour = _count_or_none(getattr(getattr(usage, "cache_creation", None), "ephemeral_1h_input_tokens", None))
        if hour is not None:
            self.usage["write_1h"] = hour

    def _usage(self) -> Usage:
        counts = self.usage
        written, hour = counts.get("cache_creation_input_tokens"), counts.get("write_1h")
        return Usage(
            input_tokens=counts.get("input_tokens"),
            output_tokens=counts.get("output_tokens"),
            cache_read_tokens=counts.get("cache_read_input_tokens"),
            cache_write_5m_tokens=None if written is None else max(0, written - (hour or 0)),
            cache_write_1h_tokens=hour,
            service_tier=counts.get("service_tier"),
            speed=counts.get("speed"),
            inference_geo=counts.get("inference_geo"),
        )

    def reply(self) -> Reply:
        """The answer, if it arrived whole: a stream may end cleanly and still be cut."""
        if not self.complete or self.stop_reason is None:
            return self.failure("stream_cut", "the stream ended before the answer did", retryable=True)
        return self._reply(_OUTCOMES.get(self.stop_reason, "answered"))

    def failure(self, kind: str, message: str, **facts: Any) -> Reply:
        """A failed attempt, with what had arrived."""
        told = _whole_characters(message[:500])
        return self._reply("errored", error_type=_whole_characters(kind), error_message=told, **facts)

    def _reply(self, outcome: Outcome, **facts: Any) -> Reply:
        return Reply(
            outcome=outcome,
            latency_s=perf_counter() - self.sent,
            text=_whole_characters("".join(self.texts)),
            ttft_s=self.ttft_s,
            stop_reason=self.stop_reason,
            served_model=self.served_model,
            request_id=facts.pop("request_id", None) or self.request_id,
            usage=self._usage(),
            simulated=facts.pop("simulated", False) or self.simulated,
            **facts,
        )


def _failed(heard: _Heard, error: Exception) -> Reply:
    """Sort an exception: the server's and the network's become replies, ours keep their traceback."""
    import anthropic
    import httpx2

    if isinstance(error, anthropic.APIStatusError):
        return _status_failure(heard, error)
    if isinstance(error, anthropic.APITimeoutError | httpx2.TimeoutException):
        return heard.failure("timeout", str(error) or "timed out", retryable=True)
    if isinstance(error, anthropic.APIConnectionError | httpx2.RequestError):
        return heard.failure("connection_error", _cause(error), retryable=True)
    if isinstance(error, anthropic.APIError | ValueError | AssertionError):
        return heard.failure("unreadable_answer", f"{type(error).__name__}: {error}", retryable=False)
    raise error


def _status_failure(heard: _Heard, error: "anthropic.APIStatusError") -> Reply:
    status, kind = error.status_code, str(error.type or f"http_{error.status_code}")
    spend_limit = str(error.error_code or "") in _SPEND_LIMITS or (
        status == 400 and _OUT_OF_MONEY.search(_message(error)) is not None
    )
    mid_stream = status == 200 and kind in _MID_STREAM_RETRYABLE
    return heard.failure(
        kind,
        _message(error),
        status=status,
        retryable=not spend_limit and (mid_stream or status in (408, 409, 429) or status >= 500),
        stops_run=spend_limit or status in (401, 402, 403, 404),  # none of these gets better with the next item
        retry_after_s=_retry_after(error.response.headers),
        request_id=error.request_id,
        simulated=SIMULATED_HEADER in error.response.headers,
    )


def _retry_after(headers: Any) -> float | None:
    """The wait a server asks for, in seconds; dates and nonsense are left to our own back-off."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            wait = float(headers.get(name)) * scale
        except (TypeError, ValueError):
            continue
        if 0 <= wait < float("inf"):
            return wait
    return None


def _message(error: Any) -> str:
    body = error.body
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        return str(body["error"].get("message", error.message))
    return str(error.message)


def _cause(error: Exception) -> str:
    cause = error.__cause__
    return str(cause or error) or type(cause or error).__name__
