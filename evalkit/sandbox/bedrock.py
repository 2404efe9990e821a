"""Amazon Bedrock's InvokeModel: the same replies in its own addresses, errors and event-stream frames."""

from __future__ import annotations

import base64
import json
import re
import struct
import uuid
import zlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from evalkit.sandbox import wire
from evalkit.sandbox.catalog import ModelSpec, find_model
from evalkit.sandbox.validation import STRICT_VERSION, is_signed
from evalkit.sandbox.wire import ApiError

REQUEST_ID = "x-amzn-requestid"
STREAM_TYPE = "application/vnd.amazon.eventstream"
_LEGACY_VERSION = "bedrock-2023-05-31"
_PROFILES = r"(?:(?:us|eu|apac|jp|au|us-gov|global)\.)?"
_MODEL_ID = re.compile(rf"(?:arn:aws[\w-]*:bedrock:[^/]+/)?{_PROFILES}anthropic\.(claude-[\w.-]+?)(?:-v\d+(?::\d+)?)?")
_ERRORS = {
    400: (400, "ValidationException"), 401: (403, "UnrecognizedClientException"), 403: (403, "AccessDeniedException"),
    404: (404, "ResourceNotFoundException"), 408: (408, "ModelTimeoutException"), 424: (424, "ModelErrorException"),
    429: (429, "ThrottlingException"), 500: (500, "InternalServerException"),
    503: (503, "ServiceUnavailableException"), 529: (503, "ServiceUnavailableException"),
}  # fmt: skip


def plain_model(model_id: Any) -> Any:
    """The vendor's own id of a Bedrock id, profile or ARN; anything else as it is."""
    found = _MODEL_ID.fullmatch(model_id) if isinstance(model_id, str) else None
    return found[1] if found else model_id


def check_key(headers: Mapping[str, str]) -> None:
    """401 for a request that is neither signed nor has a bearer key."""
    given = headers.get("authorization", "")
    if not is_signed(given) and not (given.startswith("Bearer ") and given[7:].strip() not in ("", "invalid")):
        raise ApiError(401, "The security token included in the request is invalid.")


def message_body(model_id: str, body: dict[str, Any], *, streams: bool) -> tuple[dict[str, Any], str]:
    """The body as the Messages API has it, and its API version; 400 for what InvokeModel turns down."""
    for name in ("model", "stream"):
        if name in body:
            raise ApiError(400, f"{name}: Extra inputs are not permitted")
    version = body.pop("anthropic_version", None)
    body.pop("anthropic_beta", None)
    spec = find_model(plain_model(model_id))
    if version is None:
        raise ApiError(400, "anthropic_version: Field required")
    if version not in _versions(spec):
        raise ApiError(400, f"anthropic_version: {version!r} is not supported by this model")
    plain = "2023-06-01" if version == _LEGACY_VERSION else str(version)
    return {**body, "model": plain_model(model_id), "stream": streams}, plain


def _versions(spec: ModelSpec | None) -> tuple[str, ...]:
    newer = spec is not None and spec.generation > 4.6
    return (_LEGACY_VERSION, STRICT_VERSION) if newer else (_LEGACY_VERSION,)


def error_response(error: ApiError) -> Response:
    """An error as AWS words it: its kind stands in a header only."""
    status, kind = _ERRORS.get(error.status, (error.status, "InternalServerException"))
    headers = {"x-amzn-errortype": f"{kind}:http://internal.amazon.com/coral/com.amazon.bedrock/", **error.headers}
    return JSONResponse({"message": error.message}, status, headers=headers)


def new_request_id() -> str:
    """An id as AWS makes them."""
    return str(uuid.uuid4())


async def framed(events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Server-sent events as event-stream frames: without pings, errors as exceptions."""
    async for sent in events:
        event = json.loads(sent.partition(b"data: ")[2])
        if event["type"] == "error":
            yield _exception(event["error"]["type"], event["error"]["message"])
        elif event["type"] != "ping":
            yield _chunk(event)


def _chunk(event: wire.Json) -> bytes:
    payload = {"bytes": base64.b64encode(wire.dump(event).encode()).decode(), "p": "abcdefgh"}
    return frame({":event-type": "chunk", ":message-type": "event"}, payload)


_MID_STREAM = {
    "overloaded_error": "serviceUnavailableException", "rate_limit_error": "throttlingException",
    "api_error": "internalServerException", "timeout_error": "modelTimeoutException",
    "invalid_request_error": "validationException",
}  # fmt: skip


def _exception(kind: str, message: str) -> bytes:
    return frame({":exception-type": _MID_STREAM.get(kind, kind), ":message-type": "exception"}, {"message": message})


def frame(headers: Mapping[str, str], payload: Any) -> bytes:
    """One frame of an AWS event stream with its two checksums."""
    told = b"".join(
        struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", 7, len(value)) + value.encode()
        for name, value in {**headers, ":content-type": "application/json"}.items()
    )
    body = wire.dump(payload).encode()
    prelude = struct.pack(">II", 16 + len(told) + len(body), len(told))
    begun = prelude + struct.pack(">I", zlib.crc32(prelude)) + told + body
    return begun + struct.pack(">I", zlib.crc32(begun))
