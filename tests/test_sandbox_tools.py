"""The sandbox calls tools as the API does: by the tool's schema, in the events and shapes that the SDK expects."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic
from jsonschema import validate
from servers import recorded
from test_sandbox import ask, connect

OPUS, SONNET, HAIKU = "claude-opus-4-6", "claude-sonnet-4-6", "claude-haiku-4-5-20251001"
ROUTE = {
    "name": "route_ticket",
    "description": "Send a ticket to a team.",
    "input_schema": {
        "type": "object",
        "properties": {
            "team": {"type": "string", "enum": ["billing", "repair"]},
            "urgent": {"type": "boolean"},
            "note": {"type": "string", "maxLength": 400},
        },
        "required": ["team", "urgent", "note"],
        "additionalProperties": False,
    },
}
CLOSE = {"name": "close_ticket", "input_schema": {"type": "object", "properties": {"id": {"type": "integer"}}}}
FORCED = {"type": "tool", "name": "route_ticket"}


@pytest.fixture(scope="module")
def client() -> Iterator[Anthropic]:
    with recorded() as server, connect(server.url) as sdk:
        yield sdk


def calls(message: anthropic.types.Message) -> list[anthropic.types.ToolUseBlock]:
    return [block for block in message.content if block.type == "tool_use"]


@pytest.mark.parametrize("model", [OPUS, HAIKU, "claude-haiku-5-5"])
@pytest.mark.parametrize("choice", [FORCED, {"type": "any"}])
def test_a_forced_tool_is_called_by_its_schema_streamed_or_not(
    model: str, choice: dict[str, Any], client: Anthropic
) -> None:
    asked = ask("My kettle leaks. Where does this ticket go?", model, tools=[ROUTE], tool_choice=choice)
    with client.messages.stream(**asked) as stream:
        streamed = stream.get_final_message()
    for message in (client.messages.create(**asked), streamed):
        (call,) = calls(message)
        assert message.stop_reason == "tool_use"
        assert (call.name, call.id[:8]) == ("route_ticket", "toolu_01")
        assert not [block for block in message.content if block.type == "text"]
        validate(call.input, ROUTE["input_schema"])


@pytest.mark.parametrize(
    ("model", "thinking"), [(OPUS, {"type": "adaptive"}), (HAIKU, {"type": "enabled", "budget_tokens": 1024})]
)
def test_no_tool_is_forced_after_thinking_before_the_models_that_take_it(
    model: str, thinking: dict[str, Any], client: Anthropic
) -> None:
    asked = ask("My kettle leaks.", model, tools=[ROUTE], tool_choice=FORCED, thinking=thinking, max_tokens=2000)
    with pytest.raises(anthropic.BadRequestError, match="not supported with thinking"):
        client.messages.create(**asked)
    free = ask("My kettle leaks.", model, tools=[ROUTE], thinking=thinking, max_tokens=2000)
    assert client.messages.create(**free).stop_reason in ("tool_use", "end_turn")
    newer = ask("My kettle leaks.", "claude-opus-5", tools=[ROUTE], tool_choice=FORCED, thinking={"type": "adaptive"})
    assert calls(client.messages.create(**newer))


def test_a_call_is_streamed_in_pieces_of_json(client: Anthropic) -> None:
    asked = ask("My kettle leaks. Where does this ticket go?", tools=[ROUTE], tool_choice=FORCED)
    events = list(client.messages.create(**asked, stream=True))
    start = next(event for event in events if event.type == "content_block_start")
    assert start.content_block.model_dump(include={"type", "name", "input"}) == {
        "type": "tool_use", "name": "route_ticket", "input": {},
    }  # fmt: skip
    deltas = [event.delta for event in events if event.type == "content_block_delta"]
    assert {delta.type for delta in deltas} == {"input_json_delta"}
    assert len(deltas) > 1
    pieces = "".join(delta.partial_json for delta in deltas if delta.type == "input_json_delta")
    validate(json.loads(pieces), ROUTE["input_schema"])


@pytest.mark.long
def test_a_tool_that_may_be_called_mostly_is_and_one_that_may_not_is_never(client: Anthropic) -> None:
    def called(choice: dict[str, Any] | None) -> list[str]:
        more = {} if choice is None else {"tool_choice": choice}
        answers = [client.messages.create(**ask(f"Ticket {n}?", tools=[ROUTE, CLOSE], **more)) for n in range(30)]
        assert all(message.content for message in answers)
        return [call.name for message in answers for call in calls(message)]

    assert 10 < len(called(None)) < 30
    assert 10 < len(called({"type": "auto"})) < 30
    assert called({"type": "none"}) == []
    assert set(called({"type": "any"})) == {"route_ticket", "close_ticket"}


def test_a_call_that_the_token_limit_cuts_is_truncated(client: Anthropic) -> None:
    message = client.messages.create(**ask("Ticket?", tools=[ROUTE], tool_choice=FORCED) | {"max_tokens": 3})
    assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 3)


CALLED = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "route", "input": {}}]}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "Done."}]}
HELLO = {"role": "user", "content": "Hello"}


def test_a_conversation_with_calls_and_results_is_gone_on_with(client: Anthropic) -> None:
    message = client.messages.create(**ask("Hi") | {"messages": [HELLO, CALLED, RESULT]})
    assert message.usage.input_tokens > client.messages.create(**ask("Hello")).usage.input_tokens


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"messages": [HELLO, CALLED]}, "without `tool_result` blocks"),
        ({"messages": [HELLO, CALLED, HELLO]}, "without `tool_result` blocks immediately after: t"),
        ({"messages": [HELLO, CALLED, RESULT, RESULT]}, "unexpected `tool_use_id`"),
        ({"tools": [ROUTE, ROUTE]}, "unique"),
        ({"tools": [{"name": "a b", "input_schema": {"type": "object"}}]}, "tools.0.custom.name"),
        ({"tools": [{"name": "a"}]}, "tools.0.custom.input_schema"),
        ({"tools": [{"name": "a", "input_schema": {"type": "array"}}]}, "input_schema"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools.0"),
        ({"tools": ["route"]}, "tools.0"),
        ({"tool_choice": {"type": "auto"}}, "tool_choice"),
        ({"tools": [ROUTE], "tool_choice": {"type": "must"}}, "tool_choice.type"),
        ({"tools": [ROUTE], "tool_choice": {"type": "tool", "name": "close"}}, "'close' not found"),
        *(
            ({"tools": [ROUTE], "tool_choice": choice, "model": model}, "is not supported by")
            for choice in (FORCED, {"type": "any"})
            for model in ("claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5-1")
        ),
    ],
)
def test_tools_that_the_api_turns_down(change: dict[str, Any], words: str, client: Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError, match=words):
        client.messages.create(**ask("Hi") | change)
