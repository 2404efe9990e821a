"""The Message Batches API through the official SDK: submit, look, and read results as they stream in."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from evalkit.error_kinds import UNREADABLE
from evalkit.errors import InfrastructureError, UsageError
from evalkit.frozen import dataclass
from evalkit.providers.attempt import body_of
from evalkit.providers.failures import StreamError, failed
from evalkit.providers.headers import SIMULATED
from evalkit.providers.posting import beta_headers
from evalkit.providers.stream import Heard, count_or_none
from evalkit.providers.transport import Clock
from evalkit.records import Reply, Request

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

NO_BATCHES = "this server has no Message Batches; use --executor local"
NOT_A_BATCH = "not_a_batch"
"""The kind of a failure where a server succeeds with something else than a batch."""

_Read = TypeVar("_Read")
_SEND_BYTES = 256 * 1024
_ABSENT = (404, 405, 501)


@runtime_checkable
class HasClient(Protocol):
    """A provider that can be asked for the official client it sends through (made with `max_retries=0`)."""

    @property
    def client(self) -> "AsyncAnthropic":
        """The client; closed by its owner."""
        ...


@dataclass(frozen=True)
class ServerBatch:
    """A batch as the server shows it. `requests`: how many entries it has, of whatever state; `archived`: its results
    are kept no more."""

    id: str
    created_at: datetime | None
    ended: bool
    requests: int
    has_results: bool
    archived: bool


@dataclass(frozen=True)
class Result:
    """What became of one entry. `billed`: whether it may have cost anything; only an answer does."""

    custom_id: str
    reply: Reply
    billed: bool


class BatchError(Exception):
    """A call to the Batches API that failed, sorted as single requests are."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"{reply.error_type}: {reply.error_message}")
        self.reply = reply

    @property
    def refused(self) -> bool:
        """Whether the server has said no, so that nothing came of it; else it may have had its effect unheard."""
        status = self.reply.status
        return status is not None and 400 <= status < 500 and status not in (408, 409)


class NotABatchError(Exception):
    """A server answered with success, and with something else than was asked of its Batches API."""

    def __init__(self, answer: object) -> None:
        what = f"text that begins {answer.strip()[:40]!r}" if isinstance(answer, str) else type(answer).__name__
        super().__init__(
            f"the answer is {what}, nothing of a Batches API; is a proxy or a login page between, or the address wrong?"
        )


@contextmanager
def _sorting() -> Iterator[None]:
    try:
        yield
    except NotABatchError as error:
        reply = Heard(Clock()).failure(NOT_A_BATCH, str(error), status=200, retryable=True)
        raise BatchError(_timeless(reply)) from error
    except Exception as error:
        raise BatchError(_timeless(failed(Heard(Clock()), error))) from error


async def require(provider: object) -> HasClient:
    """The provider, if its server has batches; UsageError with what to do instead. Costs nothing.

    Raises InfrastructureError if what answers is no Batches API.
    """
    import anthropic

    if not isinstance(provider, HasClient):
        raise UsageError(NO_BATCHES)
    try:
        _batches_of(await _read(provider.client.messages.batches.list(limit=1)))
    except NotABatchError as error:
        raise InfrastructureError(str(error)) from error
    except anthropic.APIStatusError as error:
        if error.status_code in _ABSENT:
            raise UsageError(NO_BATCHES) from error
    except anthropic.APIConnectionError:
        pass  # the network may be back when the batch is submitted, where failures are retried
    return provider


def encoded(request: Request) -> bytes:
    """A request as it stands in a batch."""
    return json.dumps(body_of(request), ensure_ascii=False, separators=(",", ":")).encode()


async def create(provider: HasClient, entries: Sequence[tuple[str, bytes]]) -> ServerBatch:
    """Submit a batch of (custom id, encoded request), each sent from where it lies. Raises BatchError."""
    from anthropic.types.messages import MessageBatch

    length, fast = sum(map(len, _pieces(entries))), any(b'"speed":"fast"' in body for _, body in entries)
    headers = {"content-type": "application/json", "content-length": str(length)}
    with _sorting():
        batch = await provider.client.post(
            "/v1/messages/batches",
            cast_to=MessageBatch,
            content=_body(entries),
            options={"headers": headers | beta_headers(provider.client, fast=fast), "max_retries": 0},
        )
        return _server_batch(batch)


def _pieces(entries: Sequence[tuple[str, bytes]]) -> Iterator[bytes]:
    for number, (custom_id, params) in enumerate(entries):
        yield b'%s{"custom_id":"%s","params":' % (b"," if number else b'{"requests":[', custom_id.encode())
        yield params
        yield b"}"
    yield b"]}"


async def _body(entries: Sequence[tuple[str, bytes]]) -> AsyncIterator[bytes]:
    """The JSON of a batch bit by bit, so that there is never a second copy of all of it."""
    waiting = bytearray()
    for piece in _pieces(entries):
        waiting += piece
        if len(waiting) >= _SEND_BYTES:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting)


async def retrieve(provider: HasClient, batch_id: str) -> ServerBatch:
    """A batch as it is now. Raises BatchError."""
    with _sorting():
        return _server_batch(await provider.client.messages.batches.retrieve(batch_id))


async def created_since(provider: HasClient, moment: datetime) -> list[ServerBatch]:
    """Batches of this workspace that are not older than `moment`, newest first. Raises BatchError."""
    found: list[ServerBatch] = []
    with _sorting():
        page = await _read(provider.client.messages.batches.list(limit=100))
        while True:
            for shown in map(_server_batch, _batches_of(page)):
                if shown.created_at is not None and shown.created_at < moment:
                    return found
                found.append(shown)
            if not page.has_next_page():
                return found
            page = await _read(page.get_next_page())


async def begins_with(provider: HasClient, batch_id: str, nonce: str) -> bool:
    """Whether an ended batch is the one whose custom ids begin so. Raises BatchError."""
    async with aclosing(results(provider, batch_id)) as found:
        async for result in found:
            return result.custom_id.startswith(nonce)
    return False


async def results(provider: HasClient, batch_id: str) -> AsyncGenerator[Result]:
    """What became of each entry of an ended batch, in the server's order, one at a time. Raises BatchError.

    The lines are read here: where one is no JSON, the SDK reads none of those after it.
    """
    with _sorting():
        stream = await _read(provider.client.messages.batches.results(batch_id))
        simulated = SIMULATED in stream.http_response.headers
        try:
            async for line in _lines(stream.http_response.aiter_bytes()):
                if (row := _row(line)) is not None:
                    yield _result(row, simulated)
        finally:
            await stream.close()


def _row(line: bytes) -> dict[str, Any] | None:
    """A line of the results; None where it is none, and so nobody can say whose it is: its entry has no result."""
    with suppress(ValueError, RecursionError):
        row = json.loads(line)
        return row if isinstance(row, dict) else None
    return None


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    waiting = bytearray()
    async for piece in pieces:
        *ended, rest = piece.split(b"\n")
        for end in ended:
            yield bytes(waiting + end)
            waiting.clear()
        waiting += rest
    yield bytes(waiting)


async def _read(asked: Awaitable[_Read]) -> _Read:
    """What the SDK makes of an answer. It takes whatever comes for what it asked, and looks into some of it itself."""
    try:
        return await asked
    except AttributeError as error:
        raise NotABatchError(error.obj) from error


def _batches_of(page: Any) -> Sequence[Any]:
    """The batches on a page of the server's list; NotABatchError for what is no such page."""
    from anthropic.pagination import AsyncPage

    if not isinstance(page, AsyncPage) or not isinstance(page.data, list):
        raise NotABatchError(page)
    return page.data


def _server_batch(batch: Any) -> ServerBatch:
    """The SDK does not validate: NotABatchError for an answer that is no batch."""
    from anthropic.types.messages import MessageBatch

    is_batch = isinstance(batch, MessageBatch) and isinstance(batch.id, str) and batch.id
    if not is_batch or batch.request_counts is None:
        raise NotABatchError(batch)
    kinds = ("processing", "succeeded", "errored", "canceled", "expired")
    created = batch.created_at if isinstance(batch.created_at, datetime) else None
    return ServerBatch(
        id=batch.id,
        created_at=created and (created if created.tzinfo else created.replace(tzinfo=UTC)),
        ended=batch.processing_status == "ended",
        requests=sum(count_or_none(getattr(batch.request_counts, kind, None)) or 0 for kind in kinds),
        has_results=bool(batch.results_url),
        archived=bool(batch.archived_at),
    )


def _result(row: Mapping[str, Any], simulated: bool) -> Result:
    """One line of the results; one that cannot be read is a failure of its entry, which may have been billed."""
    heard, custom_id = Heard(Clock()), str(row.get("custom_id"))
    heard.simulated = simulated
    result = row.get("result")
    result = result if isinstance(result, dict) else {}
    kind = str(result.get("type"))
    if kind == "succeeded":
        return Result(custom_id, _answer(heard, result.get("message")), billed=True)
    if kind == "errored":
        return Result(custom_id, _timeless(failed(heard, StreamError(json.dumps(result.get("error"))))), billed=False)
    if kind in ("expired", "canceled"):
        told = f"the request was {kind} before the batch came to it"
        return Result(custom_id, _timeless(heard.failure(f"batch_{kind}", told, retryable=True)), billed=False)
    return Result(custom_id, _unreadable(heard, f"a result of type {kind}"), billed=True)


def _answer(heard: Heard, message: Any) -> Reply:
    """A whole message, read as if it had been streamed, so that equal answers are equal outputs either way."""
    try:
        heard.event(json.dumps({"type": "message_start", "message": message}))
        for index, block in enumerate(message["content"]):
            heard.event(json.dumps({"type": "content_block_start", "index": index, "content_block": block}))
        ending = {"delta": {"stop_reason": message["stop_reason"]}, "usage": message.get("usage")}
        heard.event(json.dumps({"type": "message_delta", **ending}))
        heard.event(json.dumps({"type": "message_stop"}))
    except (KeyError, TypeError, ValueError) as error:
        return _unreadable(heard, f"a message that cannot be read ({error})")
    reply = heard.reply()
    tier = reply.usage.service_tier or "batch"
    return _timeless(replace(reply, usage=replace(reply.usage, service_tier=tier)))


def _unreadable(heard: Heard, what: str) -> Reply:
    return _timeless(heard.failure(UNREADABLE, what, retryable=True))


def _timeless(reply: Reply) -> Reply:
    """Nobody can say how long an entry of a batch took."""
    return replace(reply, latency_s=None, ttft_s=None, headers_s=None, reused=None)
