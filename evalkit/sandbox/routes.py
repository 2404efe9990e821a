"""The endpoints: from an HTTP request to its response."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from evalkit.sandbox import bedrock, wire
from evalkit.sandbox.batches import BatchDesk
from evalkit.sandbox.catalog import MODELS, find_model
from evalkit.sandbox.connections import drop_connection
from evalkit.sandbox.exchange import Exchange, Sandbox
from evalkit.sandbox.paging import page
from evalkit.sandbox.request import read_request
from evalkit.sandbox.streaming import BEFORE_HEADERS, stream_events
from evalkit.sandbox.validation import (
    MAX_BATCH_BYTES,
    MAX_MESSAGE_BYTES,
    check_body,
    check_headers,
    check_window,
    parse_json,
)
from evalkit.sandbox.wire import ApiError


def build_routes(sandbox: Sandbox) -> list[Route]:
    """All routes but those the settings say this server is without."""
    desk, without = BatchDesk(sandbox), sandbox.settings.without
    invoke = _Invoke(sandbox)
    routes = [
        Route("/v1/messages", _Messages(sandbox).create, methods=["POST"]),
        Route("/model/{model_id:path}/invoke", invoke.whole, methods=["POST"]),
        Route("/model/{model_id:path}/invoke-with-response-stream", invoke.streamed, methods=["POST"]),
    ]
    if "count_tokens" not in without:
        routes.append(Route("/v1/messages/count_tokens", count_tokens, methods=["POST"]))
    if "batches" not in without:
        routes += _batch_routes(_Batches(desk))
    if "models" not in without:
        routes.append(Route("/v1/models", list_models))
        routes.append(Route("/v1/models/{model_id}", retrieve_model))
    return routes


def _batch_routes(batches: _Batches) -> list[Route]:
    one = "/v1/messages/batches/{batch_id}"
    return [
        Route("/v1/messages/batches", batches.create, methods=["POST"]),
        Route("/v1/messages/batches", batches.list),
        Route(one, batches.retrieve),
        Route(one, batches.delete, methods=["DELETE"]),
        Route(f"{one}/cancel", batches.cancel, methods=["POST"]),
        Route(f"{one}/results", batches.results),
    ]


async def read_body(request: Request, limit: int) -> bytes:
    """The body; 413 beyond `limit` bytes."""
    chunks, size = list[bytes](), 0
    async for chunk in request.stream():
        size += len(chunk)
        # A body that is too long is read on for a while: a client still sending would miss the answer.
        if size > 2 * limit:
            break
        if size <= limit:
            chunks.append(chunk)
    if size > limit:
        raise ApiError(413, f"Request exceeds the maximum size of {limit // 2**20} MB")
    return b"".join(chunks)


async def _message_body(request: Request) -> dict[str, Any]:
    """The body of a message; under a prefix this is Bedrock's Messages endpoint, whose models have other ids."""
    body = parse_json(await read_body(request, MAX_MESSAGE_BYTES))
    if request.scope.get("root_path") and "model" in body:
        body["model"] = bedrock.plain_model(body["model"])
    return body


class _Messages:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def create(self, request: Request) -> Response:
        version = check_headers(request.headers)
        return await self.answer(request, await _message_body(request), version)

    async def answer(self, request: Request, body: dict[str, Any], version: str) -> Response:
        """The response to a body that has the form of the Messages API."""
        parsed = self._sandbox.read(body, version)
        request.state.family = parsed.spec.tier
        exchange = self._sandbox.open(parsed, request.headers)
        exchange.tab.request_id = request.state.request_id
        if parsed.streams:
            return self._streamed(exchange, request)
        try:
            return await _whole_reply(exchange, request)
        finally:
            self._sandbox.close(exchange)

    def _streamed(self, exchange: Exchange, request: Request) -> Response:
        return _StreamedReply(self._sandbox, exchange, request)


class _Invoke(_Messages):
    """Amazon Bedrock's InvokeModel."""

    async def whole(self, request: Request) -> Response:
        return await self._invoke(request, streams=False)

    async def streamed(self, request: Request) -> Response:
        return await self._invoke(request, streams=True)

    async def _invoke(self, request: Request, *, streams: bool) -> Response:
        request.state.aws_request_id = bedrock.new_request_id()
        try:
            bedrock.check_key(request.headers)
            body = parse_json(await read_body(request, MAX_MESSAGE_BYTES))
            plain, version = bedrock.message_body(request.path_params["model_id"], body, streams=streams)
            return await self.answer(request, plain, version)
        except ApiError as error:
            return bedrock.error_response(error)

    def _streamed(self, exchange: Exchange, request: Request) -> Response:
        return _StreamedReply(self._sandbox, exchange, request, bedrock.framed, bedrock.STREAM_TYPE)


async def _whole_reply(exchange: Exchange, request: Request) -> Response:
    fault, reply = exchange.fault, exchange.reply
    if fault.error_after is not None:
        raise fault.error()
    await asyncio.sleep(fault.slow_headers + fault.slow_first + exchange.pace.total_s(reply.output_tokens))
    if fault.drop_after is not None or fault.truncate_after is not None:
        drop_connection(request.scope)
    # A client that gave up waiting will ask again, and must then get the same reply.
    exchange.turn.succeeded = not await request.is_disconnected()
    exchange.tab.output_tokens = reply.output_tokens
    return JSONResponse(wire.message(exchange.envelope, reply))


class _StreamedReply(StreamingResponse):
    def __init__(
        self,
        sandbox: Sandbox,
        exchange: Exchange,
        request: Request,
        encode: Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]] = lambda events: events,
        media_type: str = "text/event-stream",
    ) -> None:
        self._sandbox, self._exchange = sandbox, exchange
        events = stream_events(
            exchange,
            request.state.request_id,
            drop=lambda: drop_connection(request.scope),
            close=lambda: sandbox.close(exchange),
        )
        super().__init__(encode(events), headers={"cache-control": "no-cache"}, media_type=media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault, pace = self._exchange.fault, self._exchange.pace
        try:
            await asyncio.sleep(fault.slow_headers + pace.first_token_s * BEFORE_HEADERS)
            if fault.drop_after == 0:
                self._sandbox.close(self._exchange)
                drop_connection(scope)
                return
            await super().__call__(scope, receive, send)
        finally:
            self._sandbox.close(self._exchange)


async def count_tokens(request: Request) -> Response:
    """POST /v1/messages/count_tokens"""
    version = check_headers(request.headers)
    body = await _message_body(request)
    counted = read_request(body, check_body(body, version, counting=True))
    check_window(counted)
    return JSONResponse({"input_tokens": counted.input_tokens})


async def list_models(request: Request) -> Response:
    """GET /v1/models"""
    check_headers(request.headers)
    query = request.query_params
    wanted = set(query.getlist("lifecycle[]") + query.getlist("lifecycle")) or {"active", "deprecated"}
    rows = [wire.model_info(spec) for spec in MODELS if spec.lifecycle in wanted]
    return JSONResponse(page(rows, query))


async def retrieve_model(request: Request) -> Response:
    """GET /v1/models/{model_id}"""
    check_headers(request.headers)
    spec = find_model(request.path_params["model_id"])
    if spec is None:
        raise ApiError(404, f"model: {request.path_params['model_id']}")
    return JSONResponse(wire.model_info(spec))


class _Batches:
    def __init__(self, desk: BatchDesk) -> None:
        self._desk = desk

    async def create(self, request: Request) -> Response:
        version = check_headers(request.headers)
        body = parse_json(await read_body(request, MAX_BATCH_BYTES))
        return JSONResponse(self._desk.create(body, version, request.headers).describe(str(request.base_url)))

    async def list(self, request: Request) -> Response:
        check_headers(request.headers)
        rows = [batch.describe(str(request.base_url)) for batch in self._desk.newest_first()]
        return JSONResponse(page(rows, request.query_params))

    async def retrieve(self, request: Request) -> Response:
        check_headers(request.headers)
        return JSONResponse(self._desk.find(request.path_params["batch_id"]).describe(str(request.base_url)))

    async def cancel(self, request: Request) -> Response:
        check_headers(request.headers)
        return JSONResponse(self._desk.cancel(request.path_params["batch_id"]).describe(str(request.base_url)))

    async def delete(self, request: Request) -> Response:
        check_headers(request.headers)
        return JSONResponse(self._desk.delete(request.path_params["batch_id"]))

    async def results(self, request: Request) -> Response:
        check_headers(request.headers)
        lines = [wire.dump(row) + "\n" for row in self._desk.results(request.path_params["batch_id"])]
        return Response("".join(lines), media_type="application/x-jsonl")
