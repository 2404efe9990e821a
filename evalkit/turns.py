"""The turns of a conversation as production sends it: texts, and blocks such as a tool's call and its result."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, model_validator

from evalkit.strict import NOT_BLANK, StrictModel

_BLOCKS: Mapping[str, Mapping[str, Mapping[str, type]]] = {
    "user": {
        "text": {"text": str},
        "image": {"source": dict},
        "document": {"source": dict},
        "tool_result": {"tool_use_id": str},
    },
    "assistant": {
        "text": {"text": str},
        "tool_use": {"id": str, "name": str, "input": dict},
        "thinking": {"thinking": str, "signature": str},
        "redacted_thinking": {"data": str},
    },
    "system": {"text": {"text": str}},
}
"""By role: the types of block that the API takes, each with what it must have. Whatever else stands in it is sent."""

_Text = Annotated[str, Field(min_length=1, pattern=NOT_BLANK)]
_Block = dict[str, JsonValue]


class Message(StrictModel):
    """One turn of the conversation that production sends."""

    role: Literal["user", "assistant", "system"]
    content: _Text | Annotated[tuple[_Block, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _has_blocks_that_can_be_sent(self) -> "Message":
        known = _BLOCKS[self.role]
        for number, block in enumerate(self.blocks):
            kind = block.get("type")
            if not isinstance(kind, str) or kind not in known:
                of = "an instruction of the system" if self.role == "system" else f"a turn of the {self.role}"
                what = f"block {number} of {of}'s is of type {json.dumps(kind)}"
                raise ValueError(f"{what}; use one of: {', '.join(known)}")
            for name, form in known[kind].items():
                if not isinstance(block.get(name), form):
                    word = "text" if form is str else "an object"
                    what = f"block {number}, a {kind}, has no {name!r} that is {word}"
                    raise ValueError(f"{what}; add it")  # noqa: TRY004  pydantic reports ValueErrors alone
            if kind == "text" and not str(block["text"]).strip():
                raise ValueError(f"block {number}, a text, is blank, which the API refuses; write something or drop it")
            if kind == "text" and self.role == "user" and block.get("citations"):
                raise ValueError(
                    f"block {number}, a text of the user's, has 'citations', which the API refuses; drop them"
                )
            if kind == "tool_result" and not _is_content(block.get("content")):
                raise ValueError(
                    f"block {number}, a tool_result, has a 'content' of neither text nor blocks; correct it"
                )
        return self

    @property
    def blocks(self) -> tuple[_Block, ...]:
        """Its blocks; none where it is plain text."""
        return () if isinstance(self.content, str) else self.content

    @property
    def text(self) -> str:
        """What a person reads of it: texts, calls and results; of an image or a document only that there is one."""
        return self.content if isinstance(self.content, str) else "\n".join(filter(None, map(_read, self.content)))

    @property
    def sent(self) -> dict[str, Any]:
        """The turn as the API takes it, blocks as they were written."""
        content = self.content if isinstance(self.content, str) else [dict(block) for block in self.content]
        return {"role": self.role, "content": content}


def _is_content(value: JsonValue) -> bool:
    return (
        value is None or isinstance(value, str) or (isinstance(value, list) and all(isinstance(x, dict) for x in value))
    )


def _read(block: Mapping[str, Any]) -> str:
    match block["type"]:
        case "text":
            return str(block.get("text") or "")
        case "tool_use":
            return json.dumps({"tool": block["name"], "input": block["input"]}, sort_keys=True, ensure_ascii=False)
        case "tool_result":
            content = block.get("content") or ""
            parts = [content] if isinstance(content, str) else [_read({"type": "part", **part}) for part in content]
            return f"result: {' '.join(parts)}"
        case "thinking" | "redacted_thinking":
            return ""
        case kind:
            return f"[{kind}]"


def check_turns(turns: Sequence[Message]) -> None:
    """What the API demands of a conversation; ValueError with the remedy otherwise.

    Documents, attachments and the template's text go into the first turn, which is therefore plain text.
    """
    if not turns or turns[0].role != "user":
        raise ValueError("'input' must begin with a user message; correct the roles")
    if turns[0].blocks:
        raise ValueError("'input' must begin with plain text; use attachments, or put blocks into later turns")
    called: list[str] = []
    for turn in turns:
        answered = [str(block["tool_use_id"]) for block in turn.blocks if block["type"] == "tool_result"]
        if missing := [name for name in called if name not in answered]:
            raise ValueError(f"tool_use {missing[0]!r} has no result in the turn after it; add a tool_result block")
        if unknown := [name for name in answered if name not in called]:
            raise ValueError(f"tool_result of {unknown[0]!r} does not follow its tool_use; correct the 'tool_use_id'")
        called = list(_calls(turn))
    if called:
        raise ValueError(f"'input' ends with the tool_use {called[0]!r}; add its result as a user's turn")


def _calls(turn: Message) -> Iterator[str]:
    return (str(block["id"]) for block in turn.blocks if block["type"] == "tool_use")
