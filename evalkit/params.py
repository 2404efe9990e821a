"""Request settings that production uses: what the API accepts at all, checked as it stands in a dataset."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, JsonValue, ValidationInfo, field_validator

from evalkit.json_schemas import check_schema
from evalkit.strict import NOT_BLANK, CoherentModel, Incoherence, StrictModel, did_you_mean, repeats

_SAMPLING = ("temperature", "top_p", "top_k")
_SAMPLING_REMEDY = "is not a setting of the API any more; remove it; use --epochs for repeats"
_Text = Annotated[str, Field(min_length=1, pattern=NOT_BLANK)]


class Thinking(CoherentModel):
    """Whether and how a model thinks before it answers."""

    type: Literal["adaptive", "enabled", "disabled", "between_tools"]
    budget_tokens: Annotated[int, Field(ge=1024)] | None = None
    display: Literal["summarized", "omitted"] | None = None

    @classmethod
    def incoherences(cls, content: Mapping[str, Any]) -> Iterator[Incoherence]:
        kind, budget, display = (content.get(name) for name in ("type", "budget_tokens", "display"))
        if kind == "enabled" and budget is None:
            message = "'params.thinking' of type 'enabled' has no 'budget_tokens'; add it, or use adaptive"
            yield Incoherence(("budget_tokens",), message)
        if kind in ("adaptive", "disabled", "between_tools") and budget is not None:
            message = f"'params.thinking' of type {kind!r} takes no 'budget_tokens'; remove it"
            yield Incoherence(("budget_tokens",), message)
        if kind in ("disabled", "between_tools") and display is not None:
            yield Incoherence(("display",), f"'params.thinking' of type {kind!r} takes no 'display'; remove it")


class Format(StrictModel):
    """The form an answer must have."""

    type: Literal["json_schema"]
    schema_: dict[str, JsonValue] = Field(alias="schema")

    @field_validator("schema_")
    @classmethod
    def _is_a_schema(cls, schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
        check_schema(schema, "params.output_config.format.schema")
        return schema


class OutputConfig(StrictModel):
    """The form of the answer, and how much work goes into it."""

    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: Format | None = None


class Tool(StrictModel):
    """A tool of the user's own that a model may call; its call is the output."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,128}$")]
    description: _Text | None = None
    input_schema: dict[str, JsonValue]
    type: Literal["custom"] | None = None
    strict: bool | None = None

    @field_validator("input_schema")
    @classmethod
    def _takes_an_object(cls, schema: dict[str, JsonValue], info: ValidationInfo) -> dict[str, JsonValue]:
        name = info.data.get("name", "without a name")
        check_schema(schema, f"input_schema of tool {name}")
        if schema.get("type") != "object":
            raise ValueError(f'\'input_schema\' of tool {name!r} is not of type object; write "type": "object"')
        return schema


class ToolChoice(CoherentModel):
    """Whether a model may, must or must not call a tool, or which one it must."""

    type: Literal["auto", "any", "tool", "none"]
    name: _Text | None = None
    disable_parallel_tool_use: bool | None = None

    @classmethod
    def incoherences(cls, content: Mapping[str, Any]) -> Iterator[Incoherence]:
        kind, name = content.get("type"), content.get("name")
        if kind == "tool" and name is None:
            yield Incoherence(("name",), "'params.tool_choice' of type 'tool' has no 'name'; name the tool")
        if kind in ("auto", "any", "none") and name is not None:
            message = f"'params.tool_choice' of type {kind!r} takes no 'name'; use type tool, or remove it"
            yield Incoherence(("name",), message)


class Params(CoherentModel):
    """Request settings that production uses and the API accepts; an item's own win over the dataset's."""

    model_config = ConfigDict(json_schema_extra={"retired": dict.fromkeys(_SAMPLING, _SAMPLING_REMEDY)})

    max_tokens: Annotated[int, Field(gt=0)] | None = None
    stop_sequences: Annotated[tuple[_Text, ...], Field(strict=False)] | None = None  # a JSON list becomes a tuple
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    inference_geo: Literal["global", "us"] | None = None
    tools: Annotated[tuple[Tool, ...], Field(strict=False, min_length=1)] | None = None
    tool_choice: ToolChoice | None = None
    service_tier: Literal["auto", "standard_only"] | None = None
    speed: Literal["standard", "fast"] | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _is_sent_as_written(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None:
            raise ValueError(f"'params.{info.field_name}' is null; leave it out instead")
        return value

    @classmethod
    def incoherences(cls, content: Mapping[str, Any]) -> Iterator[Incoherence]:
        for position, name in repeats(content.get("tools"), "name"):
            yield Incoherence(("tools", position, "name"), f"tool {name!r} stands twice; name it once")

    def chosen(self) -> dict[str, Any]:
        """Only what was set, as the API spells it."""
        given = self.model_fields_set
        return {name: _sent(getattr(self, name)) for name in type(self).model_fields if name in given} if given else {}


def _sent(value: Any) -> Any:
    """A setting as JSON. A null inside a schema is a value; one of a setting of ours means that it was not set."""
    if isinstance(value, StrictModel):
        fields = type(value).model_fields
        set_ = {fields[name].alias or name: getattr(value, name) for name in fields if name in value.model_fields_set}
        return {name: _sent(inner) for name, inner in set_.items() if inner is not None}
    return [_sent(inner) for inner in value] if isinstance(value, tuple) else value


class CacheMarks(CoherentModel):
    """Which parts of a prompt production marks for caching, each at its end, and for how long.

    `turns`: the blocks that are marked in a dataset's own turns.
    """

    system: bool = False
    tools: bool = False
    documents: bool = False
    turns: bool = False
    ttl: Literal["5m", "1h"] = "5m"

    @classmethod
    def incoherences(cls, content: Mapping[str, Any]) -> Iterator[Incoherence]:
        if not any(content.get(part, False) for part in ("system", "tools", "documents", "turns")):
            message = "'cache' marks nothing; set system, tools, documents or turns to true, or remove it"
            yield Incoherence((), message)


def conflicts(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What of an item's settings and its dataset's does not go together, as (what, remedy)."""
    choice, names = settings.get("tool_choice"), [tool["name"] for tool in settings.get("tools", ())]
    if choice is None:
        return
    if not names:
        yield "'params.tool_choice' without 'params.tools'", "add the tools, or remove it"
    elif choice["type"] == "tool" and choice["name"] not in names:
        yield f"'params.tool_choice' names the unknown tool {choice['name']!r}", did_you_mean(choice["name"], names)
