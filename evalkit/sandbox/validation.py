"""The rules by which the API turns requests down, with its statuses and its words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from evalkit.sandbox.catalog import ModelSpec, find_model
from evalkit.sandbox.request import Body, MessageRequest
from evalkit.sandbox.wire import ApiError

STRICT_VERSION = "2026-10-21"
"""From this API version on, sampling parameters are unknown fields."""

MAX_MESSAGE_BYTES = 32 * 1024 * 1024
MAX_BATCH_BYTES = 256 * 1024 * 1024

_SAMPLING = {"temperature": 1.0, "top_p": None, "top_k": None}
_FIELD_NAMES = """
model messages max_tokens cache_control container diagnostics inference_geo metadata output_config
service_tier speed stop_sequences stream system thinking tool_choice tools user_profile_id workspace_id
temperature top_p top_k
"""
_FIELDS = frozenset(_FIELD_NAMES.split())
_BLOCKS = frozenset({
    "text", "image", "document", "thinking", "redacted_thinking", "search_result", "tool_use", "tool_result",
})  # fmt: skip


_TOOL_NAME = re.compile(r"^[a-zA-Z0-9_-]{1,128}$")
_SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 Credential=[^/,\s]+/\d{8}/[a-z0-9-]+/bedrock(?:-mantle)?/aws4_request,"
    r" ?SignedHeaders=[a-z0-9;-]+, ?Signature=[0-9a-f]{64}"
)


def is_signed(authorization: str) -> bool:
    """Whether a header is an AWS signature by its form; the sandbox knows no secrets to check it with."""
    return _SIGNED.fullmatch(authorization) is not None


def check_headers(headers: Mapping[str, str]) -> str:
    """The API version asked for. 401 without a valid key or a signature, 400 without a version."""
    bearer = headers.get("authorization", "")
    key = bearer[7:].strip() if bearer.lower().startswith("bearer ") else headers.get("x-api-key", "").strip()
    if not key and not is_signed(bearer):
        raise ApiError(401, "x-api-key header is required")
    if key == "invalid" or key.startswith("sk-ant-invalid"):
        raise ApiError(401, "invalid x-api-key")
    version = headers.get("anthropic-version", "")
    if not version:
        raise ApiError(400, "anthropic-version: header is required")
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", version):
        raise ApiError(400, f'anthropic-version: "{version}" is not a valid version.')
    return version


def parse_json(data: bytes) -> dict[str, Any]:
    """The body as an object; 400 for anything else."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"The request body is not valid JSON: {error}") from error
    if not isinstance(body, dict):
        raise ApiError(400, "The request body must be a JSON object.")
    return body


def check_body(body: Body, version: str, *, counting: bool = False) -> ModelSpec:
    """The model of a valid body; 400 or 404 otherwise. A body for counting needs no max_tokens."""
    for name in body:
        if name not in _FIELDS or (version >= STRICT_VERSION and name in _SAMPLING):
            raise ApiError(400, f"{name}: Extra inputs are not permitted")
    for name in ("model", "messages") if counting else ("model", "max_tokens", "messages"):
        if name not in body:
            raise ApiError(400, f"{name}: Field required")
    spec = _check_model(body["model"])
    if not counting:
        _check_max_tokens(body["max_tokens"], spec)
    _check_shapes(body)
    _check_messages(body["messages"], spec)
    _check_sampling(body, spec)
    _check_thinking(body, spec)
    _check_output(body.get("output_config"), spec)
    _check_tools(body, spec)
    if body.get("inference_geo") not in (None, "global") and spec.generation < 4.6:
        raise ApiError(400, f"inference_geo: not supported by {spec.id}")
    return spec


def check_window(request: MessageRequest) -> None:
    """400 for a prompt that does not fit into the model's context window."""
    if request.input_tokens > request.spec.window:
        raise ApiError(400, f"prompt is too long: {request.input_tokens} tokens > {request.spec.window} maximum")


def _check_model(model: Any) -> ModelSpec:
    spec = find_model(model) if isinstance(model, str) else None
    if spec is None or spec.lifecycle == "retired":
        raise ApiError(404, f"model: {model}")
    return spec


def _check_max_tokens(max_tokens: Any, spec: ModelSpec) -> None:
    if not isinstance(max_tokens, int) or isinstance(max_tokens, bool):
        raise ApiError(400, "max_tokens: Input should be a valid integer")
    if max_tokens < 0:
        raise ApiError(400, "max_tokens: Input should be greater than or equal to 0")
    if max_tokens > spec.max_output:
        raise ApiError(
            400,
            f"max_tokens: {max_tokens} > {spec.max_output}, which is the maximum allowed number of output "
            f"tokens for {spec.id}",
        )


def _check_messages(messages: Any, spec: ModelSpec) -> None:
    if not isinstance(messages, list):
        raise ApiError(400, "messages: Input should be a valid list")
    if not messages:
        raise ApiError(400, "messages: at least one message is required")
    for index, message in enumerate(messages):
        _check_message(f"messages.{index}", message)
    _check_calls(messages)
    spoken = [message["role"] for message in messages if message["role"] != "system"]
    if not spoken or spoken[0] != "user":
        raise ApiError(400, 'messages: first message must use the "user" role')
    if spoken[-1] == "assistant" and not spec.accepts_prefill:
        raise ApiError(
            400,
            "This model does not support assistant message prefill. The conversation must end with a user message.",
        )


def _check_calls(messages: list[Any]) -> None:
    """Each tool that was called has its result in the very next message, and each result its call before it."""
    called: list[str] = []
    for index, message in enumerate(messages):
        blocks = message["content"] if isinstance(message["content"], list) else []
        answered = [block.get("tool_use_id") for block in blocks if block["type"] == "tool_result"]
        if missing := [call for call in called if call not in answered]:
            raise ApiError(
                400,
                f"messages.{index - 1}: `tool_use` ids were found without `tool_result` blocks immediately after:"
                f" {', '.join(missing)}.",
            )
        if any(call not in called for call in answered):
            raise ApiError(400, f"messages.{index}: unexpected `tool_use_id` found in `tool_result` blocks")
        called = [str(block.get("id")) for block in blocks if block["type"] == "tool_use"]
    if called:
        raise ApiError(400, f"messages.{len(messages) - 1}: `tool_use` ids were found without `tool_result` blocks")


def _check_shapes(body: Body) -> None:
    for name in ("thinking", "output_config", "tool_choice", "metadata", "cache_control"):
        if not isinstance(body.get(name, {}), dict | None):
            raise ApiError(400, f"{name}: Input should be a valid object")
    for name in ("tools", "stop_sequences"):
        if not isinstance(body.get(name, []), list | None):
            raise ApiError(400, f"{name}: Input should be a valid list")
    if not all(isinstance(text, str) for text in body.get("stop_sequences") or ()):
        raise ApiError(400, "stop_sequences: Input should be a list of strings")
    system = body.get("system")
    if not isinstance(system, str | list | None):
        raise ApiError(400, "system: Input should be a valid string or list")
    for place, block in enumerate(system if isinstance(system, list) else ()):
        _check_block(f"system.{place}", block, "system")


def _check_message(where: str, message: Any) -> None:
    if not isinstance(message, dict):
        raise ApiError(400, f"{where}: Input should be a valid object")
    if message.get("role") not in ("user", "assistant", "system"):
        raise ApiError(400, f"{where}.role: Input should be 'user', 'assistant' or 'system'")
    content = message.get("content")
    if not content:
        raise ApiError(400, f"{where}: all messages must have non-empty content")
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise ApiError(400, f"{where}.content: Input should be a valid string or list")
    for place, block in enumerate(content):
        _check_block(f"{where}.content.{place}", block, message["role"])


def _check_block(where: str, block: Any, role: str) -> None:
    if not isinstance(block, dict) or block.get("type") not in _BLOCKS:
        kind = block.get("type") if isinstance(block, dict) else block
        raise ApiError(400, f"{where}: block type {kind!r} is not supported here")
    if block["type"] == "text" and (not isinstance(block.get("text"), str) or not block["text"]):
        raise ApiError(400, f"{where}.text: text content blocks must be non-empty")
    if block["type"] == "text" and role == "user" and block.get("citations"):
        raise ApiError(400, f"{where}.citations: not permitted on text blocks of user messages")
    if block["type"] == "document" and role == "assistant":
        raise ApiError(400, f"{where}: document blocks are not permitted in assistant messages")


def _check_sampling(body: Body, spec: ModelSpec) -> None:
    for name, default in _SAMPLING.items():
        value = body.get(name, default)
        if value != default and not spec.accepts_sampling:
            raise ApiError(400, f"{name}: only the default is supported by {spec.id}")
    temperature = body.get("temperature", 1.0)
    if not isinstance(temperature, int | float) or not 0 <= temperature <= 1:
        raise ApiError(400, "temperature: range: 0..1")


def _check_thinking(body: Body, spec: ModelSpec) -> None:
    thinking = body.get("thinking")
    if thinking is None:
        return
    kind = thinking.get("type")
    if not isinstance(kind, str) or kind not in spec.thinking:
        raise ApiError(400, f'thinking.type: "{kind}" is not supported by {spec.id}')
    effort = (body.get("output_config") or {}).get("effort")
    if kind == "disabled" and spec.generation >= 5 and effort in ("xhigh", "max"):
        raise ApiError(400, f'output_config.effort: "{effort}" needs thinking on {spec.id}')
    if kind == "enabled":
        budget = thinking.get("budget_tokens")
        if not isinstance(budget, int) or budget < 1024:
            raise ApiError(400, "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
        if "max_tokens" in body and budget >= body["max_tokens"]:
            raise ApiError(400, "max_tokens: must be greater than thinking.budget_tokens")


def _check_output(config: Any, spec: ModelSpec) -> None:
    if config is None:
        return
    effort, wanted = config.get("effort"), config.get("format")
    if effort is not None and effort not in spec.efforts:
        raise ApiError(400, f'output_config.effort: "{effort}" is not supported by {spec.id}')
    if wanted is None:
        return
    if (
        not isinstance(wanted, dict)
        or wanted.get("type") != "json_schema"
        or not isinstance(wanted.get("schema"), dict)
    ):
        raise ApiError(400, "output_config.format: Input should be a json_schema with a schema")


def _check_tools(body: Body, spec: ModelSpec) -> None:
    choice = body.get("tool_choice") or {}
    if choice.get("type") in ("any", "tool") and not spec.accepts_forced_tools:
        raise ApiError(400, f'tool_choice: "{choice["type"]}" is not supported by {spec.id}')
    thinks = (body.get("thinking") or {}).get("type") in ("enabled", "adaptive")
    if choice.get("type") in ("any", "tool") and thinks and not spec.forces_tools_after_thinking:
        raise ApiError(400, f'tool_choice: "{choice["type"]}" is not supported with thinking by {spec.id}')
    names = [_tool_name(f"tools.{index}", tool) for index, tool in enumerate(body.get("tools") or ())]
    if len(set(names)) < len(names):
        raise ApiError(400, "tools: Tool names must be unique.")
    if not choice:
        return
    if choice.get("type") not in ("auto", "any", "tool", "none"):
        raise ApiError(400, "tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'")
    if not names:
        raise ApiError(400, "tool_choice: may only be specified while providing tools")
    if choice["type"] == "tool" and choice.get("name") not in names:
        raise ApiError(400, f"tool_choice.name: Tool {choice.get('name')!r} not found in provided tools")


def _tool_name(where: str, tool: Any) -> str:
    """The name of a tool of the client's own; the sandbox has none that a server runs."""
    if not isinstance(tool, dict) or tool.get("type") not in (None, "custom"):
        raise ApiError(400, f"{where}: only tools of type 'custom' are supported here")
    name, schema = tool.get("name"), tool.get("input_schema")
    if not isinstance(name, str) or not _TOOL_NAME.fullmatch(name):
        raise ApiError(400, f"{where}.custom.name: String should match pattern '{_TOOL_NAME.pattern}'")
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise ApiError(400, f"{where}.custom.input_schema.type: Input should be 'object'")
    return name
