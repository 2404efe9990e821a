"""Settings that a model rejects, said before anything is spent: from what its server says, else from what is known."""

from collections.abc import Iterator, Mapping
from typing import Any

from evalkit.frozen import dataclass
from evalkit.models import known
from evalkit.records import ModelFacts, Request

MAX_REQUEST_BYTES = 32 * 1024 * 1024
"""The API takes no larger request, whatever the model."""

_HIGH_EFFORTS = ("xhigh", "max")
_SILENT = ModelFacts()


@dataclass(frozen=True)
class _Limits:
    """What one model takes, as far as anyone says: None where nobody does."""

    window_tokens: int | None
    output_tokens: int | None
    thinking: frozenset[str] | None
    efforts: frozenset[str] | None
    rejects: frozenset[str]


def rejected_settings(request: Request, facts: ModelFacts | None = None, input_tokens: int | None = None) -> list[str]:
    """Every reason why the model would turn this request down, each one line: what; what to do.

    `facts` are the server's and win over what is known; `input_tokens` is the prompt's size where it is counted.
    Of a model that nobody knows, nothing is claimed.
    """
    if facts is None and known(request.model) is None:
        return []
    limits = _limits(request.model, facts or _SILENT)
    found = [
        *_thinking(request, limits),
        *_effort(request, limits),
        *_refused(request, limits),
        *_sizes(request, limits, input_tokens),
        *_inputs(request, facts or _SILENT),
    ]
    return [f"model {request.model!r} rejects this request: {line}" for line in found]


def _limits(model_id: str, facts: ModelFacts) -> _Limits:
    model = known(model_id)
    if model is None:
        return _Limits(facts.max_input_tokens, facts.max_output_tokens, facts.thinking, facts.efforts, frozenset())
    return _Limits(
        window_tokens=facts.max_input_tokens or model.context_tokens,
        output_tokens=facts.max_output_tokens or model.max_output_tokens,
        thinking=model.thinking if facts.thinking is None else facts.thinking,
        efforts=model.efforts if facts.efforts is None else facts.efforts,
        rejects=model.turns_down,
    )


def _thinking(request: Request, limits: _Limits) -> Iterator[str]:
    thinking = request.params.get("thinking")
    if thinking is None:
        return
    if limits.thinking is not None and thinking["type"] not in limits.thinking:
        accepted = ", ".join(sorted(limits.thinking)) or "none"
        yield f"'thinking' of type {thinking['type']!r} (it takes {accepted}); change it or leave the model out"
    budget = thinking.get("budget_tokens")
    if budget is not None and budget >= request.max_tokens:
        yield (
            f"'thinking.budget_tokens' {budget:,} is not below 'max_tokens' {request.max_tokens:,}, which holds"
            " thinking and answer together; raise max_tokens or lower the budget"
        )


def _effort(request: Request, limits: _Limits) -> Iterator[str]:
    effort = (request.params.get("output_config") or {}).get("effort")
    if effort is None:
        return
    thinks_not = (request.params.get("thinking") or {}).get("type") == "disabled"
    if limits.efforts is not None and effort not in limits.efforts:
        accepted = f"it takes {', '.join(_ordered(limits.efforts))}" if limits.efforts else "it has no effort setting"
        yield f"'output_config.effort' {effort!r} ({accepted}); change it or leave the model out"
    elif thinks_not and effort in _HIGH_EFFORTS and "high_effort_unthinking" in limits.rejects:
        yield f"'output_config.effort' {effort!r} with thinking disabled; use high at most, or let it think"


def _ordered(efforts: frozenset[str]) -> list[str]:
    order = ("low", "medium", "high", *_HIGH_EFFORTS)
    return sorted(efforts, key=lambda effort: (order.index(effort) if effort in order else len(order), effort))


def _refused(request: Request, limits: _Limits) -> Iterator[str]:
    choice = (request.params.get("tool_choice") or {}).get("type")
    if choice in ("any", "tool") and "forced_tool" in limits.rejects:
        yield f"'tool_choice' of type {choice!r} forces a tool; use auto, or output_config.format for a fixed form"
    elif choice in ("any", "tool") and _thinks(request) and "forced_tool_thinking" in limits.rejects:
        yield f"'tool_choice' of type {choice!r} forces a tool, which it does not take with thinking; leave one of them"
    spoken = [message["role"] for message in request.messages if message["role"] != "system"]
    if spoken[-1] == "assistant" and "prefill" in limits.rejects:
        yield "the last message is the assistant's (a prefill); end with the user, or leave the model out"
    if request.params.get("inference_geo") == "us" and "us_only" in limits.rejects:
        yield "'inference_geo' 'us' came with the 4.6 models; leave it or the model out"


def _thinks(request: Request) -> bool:
    return (request.params.get("thinking") or {}).get("type") in ("enabled", "adaptive")


def _sizes(request: Request, limits: _Limits, input_tokens: int | None) -> Iterator[str]:
    if limits.output_tokens is not None and request.max_tokens > limits.output_tokens:
        yield f"'max_tokens' {request.max_tokens:,} is over what it can write ({limits.output_tokens:,}); lower it"
    needed = (input_tokens or 0) + request.max_tokens
    if input_tokens is not None and limits.window_tokens is not None and needed > limits.window_tokens:
        yield (
            f"{input_tokens:,} tokens of prompt and {request.max_tokens:,} of answer do not fit its window"
            f" ({limits.window_tokens:,}); lower --context or max_tokens, or leave the model out"
        )


def _inputs(request: Request, facts: ModelFacts) -> Iterator[str]:
    kinds = {block["type"] for message in request.messages for block in _blocks(message)}
    if "image" in kinds and facts.image_input is False:
        yield "it takes no images; leave the attachment or the model out"
    if "document" in kinds and facts.pdf_input is False:
        yield "it takes no PDFs; leave the attachment or the model out"
    if (request.params.get("output_config") or {}).get("format") and facts.structured_outputs is False:
        yield "it has no structured outputs; remove output_config.format, or leave the model out"


def _blocks(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [] if isinstance(message["content"], str) else list(message["content"])


def request_bytes(request: Request) -> int:
    """Size of what is sent, bytes, without the escapes and names of JSON: never more than it really is."""
    return _bytes([request.system, list(request.messages), dict(request.params)])


def _bytes(value: Any) -> int:
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, Mapping):
        return sum(_bytes(inner) for inner in value.values())
    return sum(_bytes(inner) for inner in value) if isinstance(value, list | tuple) else 0
