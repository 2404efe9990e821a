"""Claude on Amazon Bedrock through the official SDK, by either of its wires.

Ids are written `bedrock:` and what Bedrock calls the model. A plain id (`anthropic.claude-opus-5-5`) is served in
its region by Bedrock's Messages endpoint, which speaks the vendor's own protocol. Ids with a version (`…-v1:0`),
inference profiles (`us.anthropic.…`) and ARNs exist only for InvokeModel, which answers in AWS event streams.
"""

import asyncio
import base64
import json
import os
import re
import struct
from collections.abc import AsyncIterator, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from evalkit.error_kinds import NO_CREDENTIALS
from evalkit.errors import InfrastructureError, UsageError
from evalkit.models import BEDROCK, BEDROCK_URLS
from evalkit.providers import Preflight
from evalkit.providers.attempt import Decode, attempt, body_of, count, counted_body, is_fast
from evalkit.providers.endpoint import checked, endpoint_of, is_loopback
from evalkit.providers.environment import check_keys
from evalkit.providers.failures import cause
from evalkit.providers.headers import SIMULATED
from evalkit.providers.posting import through
from evalkit.providers.sse import sse
from evalkit.providers.stream import Heard, MalformedEventError
from evalkit.providers.transport import CONNECT_S, Clock, http_client
from evalkit.records import Reply, Request

if TYPE_CHECKING:
    import httpx2

    from evalkit.providers.posting import Client

_PLAIN = re.compile(r"anthropic\.claude-(?:(?!-v\d+(?::\d+)?$)[\w.-])+")
_GENERATION = re.compile(r"claude-[a-z]+-(\d+)(?:-(\d{1,2}))?(?!\d)")
_OLD_VERSION = "bedrock-2023-05-31"
_LAST_OF_OLD = (4, 6)
"""Models up to this generation know InvokeModel's first API version only; so may an id that does not say."""


class _Event(NamedTuple):
    event: str | None
    data: str


def uses_messages_endpoint(bedrock_id: str) -> bool:
    """Whether a model is reached by Bedrock's Messages endpoint; by InvokeModel otherwise."""
    return _PLAIN.fullmatch(bedrock_id) is not None


def is_old(bedrock_id: str) -> bool:
    """Whether InvokeModel must be asked in its first API version."""
    found = _GENERATION.search(bedrock_id)
    return found is None or (int(found[1]), int(found[2] or 0)) <= _LAST_OF_OLD


class BedrockProvider:
    """The models of a run that are on Bedrock; a client for each wire that they need."""

    def __init__(self, models: Sequence[str], deadline_s: float = 600.0, connections: int = 64) -> None:
        """Raises UsageError without a region, or where the extra that is needed is not installed."""
        check_keys()
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        if not region:
            raise UsageError(f"no AWS region for {models[0]!r}; set AWS_REGION, e.g. to us-east-1")
        wires = {uses_messages_endpoint(model.removeprefix(BEDROCK)) for model in models}
        self._signs = not os.environ.get("AWS_BEARER_TOKEN_BEDROCK")
        if (self._signs or False in wires) and not (find_spec("boto3") and find_spec("botocore")):
            raise UsageError(f"{models[0]!r} needs an extra; pip install 'evalkit-claude[bedrock]'")
        self.deadline_s, self._region, self._connections = deadline_s, region, connections
        self._clients = {messages: self._open(messages) for messages in sorted(wires)}

    def _open(self, messages: bool) -> "Client":
        import anthropic
        import httpx2

        given = os.environ.get(BEDROCK_URLS[0 if messages else 1])
        url = None if given is None else checked(given)
        build = anthropic.AsyncAnthropicBedrockMantle if messages else anthropic.AsyncAnthropicBedrock
        return build(
            aws_region=self._region,
            max_retries=0,
            timeout=httpx2.Timeout(self.deadline_s, connect=CONNECT_S),
            open_telemetry=False,
            http_client=http_client(self._connections, url),
        )

    def bills_nothing(self, server: Preflight) -> bool:
        """Whether requests cost nobody anything: in the sandbox only."""
        return server.simulated

    async def close(self) -> None:
        """Release connections."""
        for client in self._clients.values():
            await client.close()

    async def attempt(self, request: Request) -> Reply:
        """Stream one answer. Credentials that are lost on the way stop the run."""
        bedrock_id = request.model.removeprefix(BEDROCK)
        messages = uses_messages_endpoint(bedrock_id)
        old = {"anthropic_version": _OLD_VERSION} if not messages and is_old(bedrock_id) else {}
        body = {**body_of(request), "model": bedrock_id, "stream": True, **old}
        decode: Decode = sse if messages else _frames
        try:
            return await attempt(through(self._clients[messages]), body, self.deadline_s, decode, fast=is_fast(request))
        except Exception as error:
            if not _is_about_credentials(error):
                raise
            return Heard(Clock()).failure(NO_CREDENTIALS, str(error), stops_run=True)

    async def count_tokens(self, request: Request) -> int | None:
        """Input tokens as the Messages endpoint counts them; InvokeModel cannot."""
        bedrock_id = request.model.removeprefix(BEDROCK)
        client = self._clients[uses_messages_endpoint(bedrock_id)]
        return await count(through(client), {**counted_body(request), "model": bedrock_id}, fast=is_fast(request))

    async def preflight(self, models: Sequence[str]) -> Preflight:  # noqa: ARG002  Bedrock has no free model list
        """Are there credentials, is this the sandbox? Bedrock tells of no model before it is paid for.

        Raises UsageError without credentials, InfrastructureError if a server on this machine is out of reach.
        """
        if self._signs:
            await asyncio.to_thread(_require_credentials)
        urls = [str(client.base_url) for client in self._clients.values()]
        simulated = [await self._is_sandbox(client) for client in self._clients.values()]
        if any(simulated) and not all(simulated):
            raise UsageError(f"one of {' and '.join(BEDROCK_URLS)} is the sandbox and the other is not; set both alike")
        endpoints = (endpoint_of(url, simulated=all(simulated)) for url in urls)
        return Preflight(" + ".join(sorted(set(endpoints))), all(simulated))

    async def _is_sandbox(self, client: "Client") -> bool:
        """Asked of servers on this machine only."""
        import anthropic
        import httpx2

        url = str(client.base_url)
        if not is_loopback(url):
            return False
        try:
            answer = await client.get("/v1/models", cast_to=httpx2.Response)
        except anthropic.APIStatusError as error:
            return SIMULATED in error.response.headers
        except anthropic.APIConnectionError as error:
            raise InfrastructureError(
                f"{endpoint_of(url)} cannot be reached ({cause(error)}); check {' and '.join(BEDROCK_URLS)}"
            ) from error
        return SIMULATED in answer.headers


def _require_credentials() -> None:
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        found = boto3.Session().get_credentials()
        why = "" if found is not None and found.get_frozen_credentials().access_key else "none were found"
    except BotoCoreError as error:
        why = str(error)
    if why:
        raise UsageError(
            f"no AWS credentials ({why}); set AWS_BEARER_TOKEN_BEDROCK, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )


def _is_about_credentials(error: Exception) -> bool:
    if find_spec("botocore") is None:
        return False
    from botocore.exceptions import BotoCoreError

    return isinstance(error, BotoCoreError) or "resolve AWS credentials" in str(error)


async def _frames(response: "httpx2.Response") -> AsyncIterator[_Event]:
    """The events of an AWS event stream, by botocore's own decoder, which checks their checksums."""
    from botocore.eventstream import EventStreamBuffer

    buffer = EventStreamBuffer()
    async for piece in response.aiter_bytes():
        buffer.add_data(piece)
        while (frame := _next_frame(buffer)) is not None:
            yield _event_of(frame)


def _next_frame(buffer: Any) -> Any:
    """The next frame that has arrived whole; None if there is none. Headers of no known kind are no event stream."""
    import httpx2
    from botocore.eventstream import ParserError

    try:
        return next(buffer, None)
    except (ParserError, LookupError, ValueError, struct.error) as error:
        raise httpx2.ReadError(f"not an event stream ({error!r})") from error


def _event_of(frame: Any) -> _Event:
    headers = frame.headers
    if headers.get(":message-type") == "event" and headers.get(":event-type", "chunk") != "chunk":
        return _Event("ping", "")  # of a kind that came later: to be passed over
    try:
        payload = json.loads(frame.payload or b"{}")
        if headers.get(":message-type") in ("exception", "error"):
            kind = headers.get(":exception-type") or headers.get(":error-code")
            told = payload.get("message") or headers.get(":error-message") or kind
            return _Event("error", json.dumps({"error": {"type": kind, "message": told}}))
        data = base64.b64decode(payload["bytes"]).decode()
        return _Event(json.loads(data).get("type"), data)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise MalformedEventError(f"malformed frame ({type(error).__name__}: {error})") from error
