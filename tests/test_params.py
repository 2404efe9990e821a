"""Request settings: what the API accepts is read and sent as written, all else is refused with its remedy."""

import json

import pytest

from evalkit.dataset import Card, parse_item
from evalkit.params import Params, conflicts
from evalkit.strict import read_strict
from tests.builders import item

OBJECT = {"type": "object"}


def tool(name: str = "book", **more: object) -> dict[str, object]:
    return {"name": name, "input_schema": OBJECT, **more}


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"thinking": {"type": "enabled"}},
         "'params.thinking' of type 'enabled' has no 'budget_tokens'; add it, or use adaptive"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1023}},
         "'params.thinking.budget_tokens' is 1023; it must be greater than or equal to 1024"),
        ({"thinking": {"type": "adaptive", "budget_tokens": 1024}},
         "'params.thinking' of type 'adaptive' takes no 'budget_tokens'; remove it"),
        ({"thinking": {"type": "disabled", "display": "omitted"}},
         "'params.thinking' of type 'disabled' takes no 'display'; remove it"),
        ({"thinking": {"type": "on"}},
         "'params.thinking.type' is 'on'; use 'adaptive', 'enabled', 'disabled' or 'between_tools'"),
        ({"thinking": {"type": "adaptive", "budget": 5}}, "unknown key 'budget'; did you mean 'budget_tokens'?"),
        ({"output_config": {"effort": "maximum"}},
         "'params.output_config.effort' is 'maximum'; use 'low', 'medium', 'high', 'xhigh' or 'max'"),
        ({"output_config": {"effrt": "low"}}, "unknown key 'effrt'; did you mean 'effort'?"),
        ({"output_config": {"format": {"type": "json_schema"}}},
         "key 'params.output_config.format.schema' is missing; add it"),
        ({"output_config": {"format": {"type": "json_schema", "schema": {"type": "objct"}}}},
         "'params.output_config.format.schema' is not a JSON schema"),
        ({"tools": []}, "'params.tools' is []; it must not be empty"),
        ({"tools": [tool("two words")]}, "'params.tools.0.name' is 'two words'; it must match pattern"),
        ({"tools": [{"name": "book"}]}, "key 'params.tools.0.input_schema' is missing; add it"),
        ({"tools": [tool(input_schema={"type": "strng"})]}, "'input_schema of tool book' is not a JSON schema"),
        ({"tools": [tool(input_schema={"$ref": "#/$defs/x"})]},
         "'input_schema of tool book' has a '$ref' (/$defs/x) that leads nowhere in it; correct it"),
        ({"tools": [tool(input_schema={"type": "string"})]},
         "'input_schema' of tool 'book' is not of type object; write \"type\": \"object\""),
        ({"tools": [tool(), tool()]}, "tool 'book' stands twice; name it once"),
        ({"tools": [tool(cache_control={})]}, "unknown key 'cache_control'; use one of: "),
        ({"tools": [tool(descripton="x")]}, "unknown key 'descripton'; did you mean 'description'?"),
        ({"tools": [{"type": "web_search_20260209", "name": "web_search"}]}, "is missing; add it"),
        ({"tool_choice": {"type": "tool"}}, "'params.tool_choice' of type 'tool' has no 'name'; name the tool"),
        ({"tool_choice": {"type": "any", "name": "book"}},
         "'params.tool_choice' of type 'any' takes no 'name'; use type tool, or remove it"),
        ({"tool_choice": {"type": "force"}},
         "'params.tool_choice.type' is 'force'; use 'auto', 'any', 'tool' or 'none'"),
        ({"service_tier": "batch"}, "'params.service_tier' is 'batch'; use 'auto' or 'standard_only'"),
        ({"inference_geo": "eu"}, "'params.inference_geo' is 'eu'; use 'global' or 'us'"),
        ({"speed": "quick"}, "'params.speed' is 'quick'; use 'standard' or 'fast'"),
        ({"speed": None}, "'params.speed' is null; leave it out instead"),
        ({"top_p": 0.9}, "'params.top_p' is not a setting of the API any more; remove it; use --epochs for repeats"),
        ({"tool": []}, "unknown key 'tool'; did you mean 'tools'?"),
        ({"metadata": {"user_id": "x"}}, "unknown key 'metadata'; use one of: "),
    ],
)  # fmt: skip
def test_what_the_api_does_not_take_is_refused(params: dict[str, object], problem: str) -> None:
    found = parse_item(json.dumps({"id": "a", "input": "x", "params": params}))
    assert isinstance(found, list), found
    assert any(f"{what}; {remedy}".startswith(problem) or problem in f"{what}; {remedy}" for what, remedy in found)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"thinking": {"type": "adaptive", "display": "summarized"}},
        {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000},
        {"thinking": {"type": "between_tools"}},
        {"output_config": {"format": {"type": "json_schema", "schema": {"properties": {"x": {"default": None}}}}}},
        {"tools": [tool(type="custom", description="Books.", strict=True), tool("other")],
         "tool_choice": {"type": "any"}},
        {"service_tier": "standard_only", "inference_geo": "global", "speed": "standard", "stop_sequences": ["a"]},
    ],
)  # fmt: skip
def test_what_is_set_is_sent_as_written(params: dict[str, object]) -> None:
    made = item(params=params)
    assert made.params.chosen() == params
    assert json.loads(json.dumps(made.params.chosen())) == params


def test_a_null_format_is_none() -> None:
    assert item(params={"output_config": {"effort": "low", "format": None}}).params.chosen() == {
        "output_config": {"effort": "low"}
    }


@pytest.mark.parametrize(
    ("settings", "problems"),
    [
        ({}, []),
        ({"tools": [tool()]}, []),
        ({"tools": [tool()], "tool_choice": {"type": "tool", "name": "book"}}, []),
        ({"tool_choice": {"type": "auto"}}, [("'params.tool_choice' without 'params.tools'",
                                              "add the tools, or remove it")]),
        ({"tools": [tool()], "tool_choice": {"type": "tool", "name": "bok"}},
         [("'params.tool_choice' names the unknown tool 'bok'", "did you mean 'book'?")]),
    ],
)  # fmt: skip
def test_choice_and_tools_go_together(settings: dict[str, object], problems: list[tuple[str, str]]) -> None:
    assert list(conflicts(Params.model_validate_json(json.dumps(settings)).chosen())) == problems


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("cache: {}", "c:1: 'cache' marks nothing; set system, tools, documents or turns to true, or remove it"),
        ("cache: {ttl: 1h}", "c:1: 'cache' marks nothing; set system, tools, documents or turns to true, or remove it"),
        ("cache: {system: yes please}", "c:1: 'cache.system' is 'yes please'; it must be true or false"),
        ("cache: {system: true, ttl: 10m}", "c:1: 'cache.ttl' is '10m'; use '5m' or '1h'"),
        ("cache: {sistem: true}", "c:1: unknown key 'sistem'; did you mean 'system'?"),
        ("params:\n  temperature: 0",
         "c:2: 'params.temperature' is not a setting of the API any more; remove it; use --epochs for repeats"),
        ("params:\n  thinking: {type: on}",
         "c:2: 'params.thinking.type' is true; use 'adaptive', 'enabled', 'disabled' or 'between_tools'"),
        ("template: ' '", "c:1: 'template' is blank; write something"),
        ("templte: x", "c:1: unknown key 'templte'; did you mean 'template'?"),
    ],
)  # fmt: skip
def test_a_card_is_read_strictly(text: str, problem: str) -> None:
    found = read_strict(Card, text, "c")
    assert isinstance(found, list)
    assert list(map(str, found)) == [problem]
