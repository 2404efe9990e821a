"""Settings that a model rejects: said before anything is spent, never of a model or setting that would do."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from servers import Recorded, recorded

from evalkit.models import KNOWN
from evalkit.providers.anthropic import AnthropicProvider
from evalkit.records import ModelFacts, Request
from evalkit.settings_check import rejected_settings, request_bytes

OPUS, SONNET, HAIKU = "claude-opus-4-6", "claude-sonnet-4-6", "claude-haiku-4-5-20251001"
USER, ASSISTANT = {"role": "user", "content": "Hello"}, {"role": "assistant", "content": "{"}
SYSTEM = {"role": "system", "content": "Be brief from here on."}
TOOL = {"name": "book", "input_schema": {"type": "object"}}


def request(model: str, messages: Sequence[dict[str, Any]] = (USER,), max_tokens: int = 4000, **params: Any) -> Request:
    return Request(model, tuple(messages), max_tokens, None, params)


def thinking(type: str, **more: Any) -> dict[str, Any]:
    return {"thinking": {"type": type, **more}}


FORCED = {"tools": [TOOL], "tool_choice": {"type": "any"}}
NAMED = {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "book"}}


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        (request("claude-opus-5-5", **thinking("disabled")),
         "'thinking' of type 'disabled' (it takes adaptive); change it or leave the model out"),
        (request("claude-sonnet-5-5", **thinking("enabled", budget_tokens=2000)),
         "'thinking' of type 'enabled' (it takes adaptive, between_tools); change it or leave the model out"),
        (request(HAIKU, **thinking("adaptive")),
         "'thinking' of type 'adaptive' (it takes disabled, enabled); change it or leave the model out"),
        (request(OPUS, **thinking("between_tools")),
         "'thinking' of type 'between_tools' (it takes adaptive, disabled, enabled); change it or leave the model out"),
        (request(OPUS, max_tokens=2048, **thinking("enabled", budget_tokens=2048)),
         "'thinking.budget_tokens' 2,048 is not below 'max_tokens' 2,048, which holds thinking and answer together;"
         " raise max_tokens or lower the budget"),
        (request(HAIKU, output_config={"effort": "low"}),
         "'output_config.effort' 'low' (it has no effort setting); change it or leave the model out"),
        (request(SONNET, output_config={"effort": "xhigh"}),
         "'output_config.effort' 'xhigh' (it takes low, medium, high, max); change it or leave the model out"),
        (request("claude-haiku-5-5", output_config={"effort": "max"}, **thinking("disabled")),
         "'output_config.effort' 'max' with thinking disabled; use high at most, or let it think"),
        (request("claude-sonnet-5-5", **FORCED),
         "'tool_choice' of type 'any' forces a tool; use auto, or output_config.format for a fixed form"),
        (request("claude-opus-5-5", **NAMED),
         "'tool_choice' of type 'tool' forces a tool; use auto, or output_config.format for a fixed form"),
        (request("claude-haiku-5-5", (USER, ASSISTANT)),
         "the last message is the assistant's (a prefill); end with the user, or leave the model out"),
        (request(HAIKU, inference_geo="us"),
         "'inference_geo' 'us' came with the 4.6 models; leave it or the model out"),
        (request(SONNET, max_tokens=64_001),
         "'max_tokens' 64,001 is over what it can write (64,000); lower it"),
    ],
)  # fmt: skip
def test_what_is_rejected_is_one_line(asked: Request, problem: str) -> None:
    assert rejected_settings(asked) == [f"model {asked.model!r} rejects this request: {problem}"]


@pytest.mark.parametrize(
    "asked",
    [
        request(OPUS),
        request(OPUS, (USER, ASSISTANT)),
        request(SONNET, **FORCED),
        request(HAIKU, **NAMED),
        request("claude-haiku-5-5", **NAMED),
        request("claude-opus-5-5", tools=[TOOL], tool_choice={"type": "auto"}),
        request("claude-haiku-5-5", output_config={"effort": "high"}, **thinking("disabled")),
        request("claude-opus-5-5", output_config={"effort": "max"}, **thinking("adaptive")),
        request(OPUS, **thinking("enabled", budget_tokens=2000)),
        request(OPUS, inference_geo="us"),
        request(HAIKU, inference_geo="global"),
        request("my-model", (USER, ASSISTANT), 10**9, **FORCED, **thinking("enabled", budget_tokens=10**9 + 1)),
        request("claude-opus-4-60", output_config={"effort": "low"}, **thinking("nonsense")),
    ],
)
def test_what_may_do_is_not_claimed_to_be_rejected(asked: Request) -> None:
    assert rejected_settings(asked) == []


@pytest.mark.parametrize(("tokens", "fits"), [(None, True), (196_000, True), (196_001, False), (10**6, False)])
def test_prompt_and_answer_share_the_window(tokens: int | None, fits: bool) -> None:
    found = rejected_settings(request(HAIKU), input_tokens=tokens)
    assert (found == []) == fits
    assert fits or "do not fit its window (200,000)" in found[0]


PICTURE = {"role": "user", "content": [{"type": "image", "source": {}}, {"type": "text", "text": "x"}]}
PAPER = {"role": "user", "content": [{"type": "document", "source": {}}, {"type": "text", "text": "x"}]}
FORMAT = {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}


@pytest.mark.parametrize("model", [OPUS, "my-model"])
@pytest.mark.parametrize(
    ("facts", "asked", "words"),
    [
        (ModelFacts(max_output_tokens=100), {"max_tokens": 101}, "'max_tokens' 101 is over"),
        (ModelFacts(thinking=frozenset({"disabled"})), thinking("adaptive"), "(it takes disabled)"),
        (ModelFacts(thinking=frozenset()), thinking("adaptive"), "(it takes none)"),
        (ModelFacts(efforts=frozenset({"max", "low"})), {"output_config": {"effort": "high"}}, "(it takes low, max)"),
        (ModelFacts(image_input=False), {"messages": (PICTURE,)}, "it takes no images"),
        (ModelFacts(pdf_input=False), {"messages": (PAPER,)}, "it takes no PDFs"),
        (ModelFacts(structured_outputs=False), FORMAT, "it has no structured outputs"),
    ],
)
def test_the_servers_facts_decide(model: str, facts: ModelFacts, asked: dict[str, Any], words: str) -> None:
    made = request(model, **asked)
    found = rejected_settings(made, facts)
    assert len(found) == 1
    assert words in found[0]
    assert "; " in found[0]
    assert rejected_settings(made, ModelFacts(image_input=True, pdf_input=True, structured_outputs=True)) == []


def test_facts_win_over_what_is_known_and_silence_does_not() -> None:
    xhigh = request(OPUS, output_config={"effort": "xhigh"})
    assert rejected_settings(xhigh, ModelFacts(efforts=frozenset({"xhigh"}))) == []
    assert len(rejected_settings(xhigh, ModelFacts(max_input_tokens=5))) == 1
    assert rejected_settings(request(HAIKU), ModelFacts(max_input_tokens=5), 10)[0].endswith("leave the model out")


CASES: dict[str, dict[str, Any]] = {
    **{f"thinking {kind}": thinking(kind) for kind in ("adaptive", "disabled", "between_tools")},
    "budget": thinking("enabled", budget_tokens=1024),
    "budget over": thinking("enabled", budget_tokens=4000),
    **{f"effort {level}": {"output_config": {"effort": level}} for level in ("low", "high", "xhigh", "max")},
    "no thought, max": {"output_config": {"effort": "max"}, **thinking("disabled")},
    "no thought, high": {"output_config": {"effort": "high"}, **thinking("disabled")},
    "forced": {"tool_choice": {"type": "any"}},
    "prefill": {"messages": (USER, ASSISTANT)},
    "prefill, system": {"messages": (USER, ASSISTANT, SYSTEM)},
    "system amid": {"messages": (USER, SYSTEM, ASSISTANT, USER)},
    "system last": {"messages": (USER, ASSISTANT, USER, SYSTEM)},
    "us": {"inference_geo": "us"},
    "128k": {"max_tokens": 128_000},
    "64k": {"max_tokens": 64_000},
}
SETTLED = [model for model in KNOWN if model.lifecycle == "active" and model.thinking is not None]


@pytest.fixture(scope="module")
def server() -> Iterator[Recorded]:
    with recorded() as running:
        yield running


STRICTER = {"forced", "prefill", "prefill, system", "no thought, max"}
"""What the simulated server refuses to models of which the vendor's table does not say so."""


@pytest.mark.filterwarnings("ignore:Using Claude with .* 'thinking.type=enabled' is deprecated")
@pytest.mark.parametrize("model", [model.id for model in SETTLED])
async def test_a_server_with_the_vendors_rules_rejects_what_is_said_to_be_rejected(
    model: str, server: Recorded
) -> None:
    provider = AnthropicProvider(server.url)
    try:
        replies = await asyncio.gather(*(provider.attempt(request(model, **case)) for case in CASES.values()))
    finally:
        await provider.close()
    refused = {name for name, reply in zip(CASES, replies, strict=True) if reply.status == 400}
    said = {name for name, case in CASES.items() if rejected_settings(request(model, **case))}
    assert said <= refused
    assert refused - said <= STRICTER


@pytest.mark.parametrize(("text", "least"), [("x" * 1000, 1000), ("ü" * 1000, 2000), ("", 0), ("\ud800", 3)])
def test_size_is_never_more_than_what_is_sent(text: str, least: int) -> None:
    made = replace(request(OPUS, ({"role": "user", "content": [{"type": "text", "text": text}]},)), system="sys")
    assert least <= request_bytes(made) <= least + 20
