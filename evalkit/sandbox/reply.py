"""A finished reply: what a draft becomes under the request's own limits."""

from __future__ import annotations

from evalkit.frozen import dataclass
from evalkit.sandbox import tokens


@dataclass(frozen=True)
class Draft:
    """What a model would like to say. `stop_reason` is end_turn, or refusal with an explanation.

    With a `tool`, the text is the JSON of a call to it.
    """

    text: str
    stop_reason: str = "end_turn"
    explanation: str | None = None
    tool: str | None = None


@dataclass(frozen=True)
class Thinking:
    """Thinking before the reply: the text to show (may be empty) and what is billed for it."""

    text: str
    tokens: int


@dataclass(frozen=True)
class Reply:
    """What is sent; `output_tokens` includes the thinking. With a `tool`, the text is the JSON of a call to it."""

    text: str
    stop_reason: str
    output_tokens: int
    stop_sequence: str | None = None
    explanation: str | None = None
    thinking: Thinking | None = None
    tool: str | None = None

    @property
    def thinking_tokens(self) -> int:
        """Tokens billed for thinking; 0 without thinking."""
        return self.thinking.tokens if self.thinking else 0


def finish(
    draft: Draft, thinking: Thinking | None, max_tokens: int, stop_sequences: tuple[str, ...], factor: float
) -> Reply:
    """The draft cut at its first stop sequence and at `max_tokens`, thinking included; then counted."""
    text, stop_sequence = (draft.text, None) if draft.tool else _stop(draft.text, stop_sequences)
    stop_reason = "stop_sequence" if stop_sequence else "tool_use" if draft.tool else draft.stop_reason
    thought = thinking.tokens if thinking else 0
    room = max(0, max_tokens - thought)
    output_tokens = thought + tokens.count(text, factor)
    if output_tokens > max_tokens:
        text, stop_sequence, stop_reason = tokens.cut(text, room, factor), None, "max_tokens"
        # A word that no longer fits is cut in the middle by a real tokenizer; the bill is the limit.
        output_tokens = max_tokens
    return Reply(text, stop_reason, output_tokens, stop_sequence, draft.explanation, thinking, draft.tool)


def _stop(text: str, stop_sequences: tuple[str, ...]) -> tuple[str, str | None]:
    found = [(text.find(sequence), sequence) for sequence in stop_sequences if sequence and sequence in text]
    if not found:
        return text, None
    place, sequence = min(found)
    return text[:place], sequence
