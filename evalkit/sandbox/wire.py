"""The shapes on the wire: messages, streaming events, errors, models and token usage."""

from __future__ import annotations

import json
from dataclasses import field
from typing import Any

from evalkit.frozen import dataclass
from evalkit.sandbox.catalog import ModelSpec
from evalkit.sandbox.reply import Reply

Json = dict[str, Any]

ERROR_TYPES = {
    400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error",
    404: "not_found_error", 408: "timeout_error", 409: "conflict_error", 413: "request_too_large",
    422: "invalid_request_error", 429: "rate_limit_error", 500: "api_error", 503: "api_error",
    504: "timeout_error", 529: "overloaded_error",
}  # fmt: skip


@dataclass
class ApiError(Exception):
    """An answer with an error status. `error_type` None means the usual type of that status."""

    status: int
    message: str
    error_type: str | None = None
    error_code: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def body(self, request_id: str) -> Json:
        """The JSON body of this error."""
        kind = self.error_type or ERROR_TYPES.get(self.status, "api_error")
        error: Json = {"type": kind, "message": self.message}
        if self.error_code:
            error["details"] = {"error_code": self.error_code}
        return {"type": "error", "error": error, "request_id": request_id}


@dataclass(frozen=True)
class Envelope:
    """What a message says besides its reply: ids and everything billed on the input side (tokens)."""

    message_id: str
    served_model: str
    input_tokens: int
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    service_tier: str = "standard"
    inference_geo: str = "global"
    speed: str = "standard"

    def usage(self, output_tokens: int, thinking_tokens: int) -> Json:
        """The full usage object."""
        return {
            **self.delta_usage(output_tokens, thinking_tokens),
            "cache_creation": {
                "ephemeral_5m_input_tokens": self.cache_write_5m_tokens,
                "ephemeral_1h_input_tokens": self.cache_write_1h_tokens,
            },
            "service_tier": self.service_tier,
            "inference_geo": self.inference_geo,
            "speed": self.speed,
        }

    def delta_usage(self, output_tokens: int, thinking_tokens: int) -> Json:
        """The cumulative usage at the end of a stream, which lacks the settings that the start has."""
        return {
            "input_tokens": self.input_tokens,
            "cache_creation_input_tokens": self.cache_write_5m_tokens + self.cache_write_1h_tokens,
            "cache_read_input_tokens": self.cache_read_tokens,
            "output_tokens": output_tokens,
            "output_tokens_details": {"thinking_tokens": thinking_tokens},
            "server_tool_use": None,
        }


def message(envelope: Envelope, reply: Reply) -> Json:
    """A whole message, as a request without streaming gets it."""
    content: list[Json] = []
    if reply.thinking is not None:
        signature = signature_of(envelope)
        content.append({"type": "thinking", "thinking": reply.thinking.text, "signature": signature})
    if reply.tool is not None:
        content.append(tool_block(envelope, reply.tool) | {"input": _input(reply.text)})
    elif reply.text:
        content.append({"type": "text", "text": reply.text, "citations": None})
    usage = envelope.usage(reply.output_tokens, reply.thinking_tokens)
    return _message(envelope, content, ending(reply), usage)


def tool_block(envelope: Envelope, tool: str) -> Json:
    """A call to a tool whose input is not told yet."""
    return {"type": "tool_use", "id": envelope.message_id.replace("msg", "toolu"), "name": tool, "input": {}}


def _input(text: str) -> Json:
    """The input of a call; one that was cut at the token limit is no JSON, and left out."""
    try:
        return dict(json.loads(text))
    except ValueError:
        return {}


def started_message(envelope: Envelope) -> Json:
    """The message at the start of a stream: without content, with the input side of its usage."""
    return _message(
        envelope, [], {"stop_reason": None, "stop_sequence": None, "stop_details": None}, envelope.usage(1, 0)
    )


def _message(envelope: Envelope, content: list[Json], end: Json, usage: Json) -> Json:
    return {
        "id": envelope.message_id, "type": "message", "role": "assistant", "model": envelope.served_model,
        "content": content, **end, "container": None, "diagnostics": None, "usage": usage,
    }  # fmt: skip


def ending(reply: Reply) -> Json:
    """Why and how a reply ended."""
    details = None
    if reply.stop_reason == "refusal":
        details = {"type": "refusal", "category": None, "explanation": reply.explanation}
    return {"stop_reason": reply.stop_reason, "stop_sequence": reply.stop_sequence, "stop_details": details}


def signature_of(envelope: Envelope) -> str:
    """The opaque signature of a thinking block."""
    return f"simulated-{envelope.message_id}"


def sse(event: Json) -> bytes:
    """One server-sent event, named by its type."""
    return f"event: {event['type']}\ndata: {dump(event)}\n\n".encode()


def dump(value: object) -> str:
    """Compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def model_info(spec: ModelSpec) -> Json:
    """A model with its capabilities, as the models endpoint describes it."""
    return {
        "type": "model", "id": spec.id, "display_name": spec.name, "created_at": spec.created_at,
        "lifecycle": spec.lifecycle, "deprecated_at": spec.deprecated, "retires_at": spec.retires,
        "line": spec.tier, "max_input_tokens": spec.window, "max_tokens": spec.max_output,
        "capabilities": _capabilities(spec),
    }  # fmt: skip


def _capabilities(spec: ModelSpec) -> Json:
    def supported(yes: bool) -> Json:
        return {"supported": yes}

    # What this server turns down is said to be unsupported: a client that asks first is not misled.
    efforts = {level: supported(level in spec.efforts) for level in ("low", "medium", "high", "xhigh", "max")}
    kinds = ("adaptive", "enabled", "disabled", "between_tools")
    return {
        **{name: supported(True) for name in ("batch", "image_input", "pdf_input", "structured_outputs")},
        **{name: supported(False) for name in ("citations", "code_execution", "context_management")},
        "server_tools": {
            "supported": False,
            "web_search": supported(False),
            "code_execution": supported(False),
        },
        "effort": {"supported": bool(spec.efforts), **efforts},
        "thinking": {"supported": True, "types": {kind: supported(kind in spec.thinking) for kind in kinds}},
    }
