"""Request settings that production uses: what the API accepts at all, checked as it stands in a dataset."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, model_validator

from evalkit.json_schemas import check_schema
from evalkit.strict import NOT_BLANK, StrictModel, did_you_mean

_SAMPLING = ("temperature", "top_p", "top_k")
_SAMPLING_REMEDY = "remove it; use --epochs for repeats"
_Text = Annotated[str, Field(min_length=1, pattern=NOT_BLANK)]


class Thinking(StrictModel):
    """Whether and how a model thinks before it answers."""

    type: Literal["adaptive", "enabled", "disabled", "between_tools"]
    budget_tokens: Annotated[int, Field(ge=1024)] | None = None
    display: Literal["summarized", "omitted"] | None = None

    @model_validator(mode="after")
    def _is_coherent(self) -> "Thinking":
        if self.type == "enabled" and self.budget_tokens is None:
            raise ValueError("'params.thinking' of type 'enabled' has no 'budget_tokens'; add it, or use adaptive")
        if self.type != "enabled" and self.budget_tokens is not None:
            raise ValueError(f"'params.thinking' of type {self.type!r} takes no 'budget_tokens'; remove it")
        if self.type not in ("adaptive", "enabled") and self.display is not None:
            raise ValueError(f"'params.thinking' of type {self.type!r} takes no 'display'; remove it")
        return self


class Format(StrictModel):
    """The form an answer must have."""

    type: Literal["json_schema"]
    schema_: dict[str, JsonValue] = Field(alias="schema")

    @model_validator(mode="after")
    def _is_a_schema(self) -> "Format":
        check_schema(self.schema_, "params.output_config.format.schema")
        return self


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

    @model_validator(mode="after")
    def _takes_an_object(self) -> "Tool":
        check_schema(self.input_schema, f"input_schema of tool {self.name}")
        if self.input_schema.get("type") != "object":
            raise ValueError(f'\'input_schema\' of tool {self.name!r} is not of type object; write "type": "object"')
        return self


class ToolChoice(StrictModel):
    """Whether a model may, must or must not call a tool, or which one it must."""

    type: Literal["auto", "any", "tool", "none"]
    name: _Text | None = None
    disable_parallel_tool_use: bool | None = None

    @model_validator(mode="after")
    def _names_what_it_forces(self) -> "ToolChoice":
        if self.type == "tool" and self.name is None:
            raise ValueError("'params.tool_choice' of type 'tool' has no 'name'; name the tool")
        if self.type != "tool" and self.name is not None:
            raise ValueError(f"'params.tool_choice' of type {self.type!r} takes no 'name'; use type tool, or remove it")
        return self


class Params(StrictModel):
    """Request settings that production uses and the API accepts; an item's own win over the dataset's."""

    max_tokens: Annotated[int, Field(gt=0)] | None = None
    stop_sequences: Annotated[tuple[_Text, ...], Field(strict=False)] | None = None  # a JSON list becomes a tuple
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    inference_geo: Literal["global", "us"] | None = None
    tools: Annotated[tuple[Tool, ...], Field(strict=False, min_length=1)] | None = None
    tool_choice: ToolChoice | None = None
    service_tier: Literal["auto", "standard_only"] | None = None
    speed: Literal["standard", "fast"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _is_sent_as_written(cls, settings: Any) -> Any:
        for name, value in settings.items() if isinstance(settings, Mapping) else ():
            if name in _SAMPLING:
                raise ValueError(f"'params.{name}' is not a setting of the API any more; {_SAMPLING_REMEDY}")
            if value is None:
                raise ValueError(f"'params.{name}' is null; leave it out instead")
        return settings

    @model_validator(mode="after")
    def _tools_differ(self) -> "Params":
        names = [tool.name for tool in self.tools or ()]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"tool {name!r} stands twice; name it once")
        return self

    def chosen(self) -> dict[str, Any]:
        """Only what was set, as the API spells it."""
        return {name: _sent(getattr(self, name)) for name in type(self).model_fields if name in self.model_fields_set}


def _sent(value: Any) -> Any:
    """A setting as JSON. A null inside a schema is a value; one of a setting of ours means that it was not set."""
    if isinstance(value, StrictModel):
        fields = type(value).model_fields
        set_ = {fields[name].alias or name: getattr(value, name) for name in fields if name in value.model_fields_set}
        return {name: _sent(inner) for name, inner in set_.items() if inner is not None}
    return [_sent(inner) for inner in value] if isinstance(value, tuple) else value


class CacheMarks(StrictModel):
    """Which parts of a prompt production marks for caching, each at its end, and for how long."""

    system: bool = False
    tools: bool = False
    documents: bool = False
    ttl: Literal["5m", "1h"] = "5m"

    @model_validator(mode="after")
    def _marks_something(self) -> "CacheMarks":
        if not (self.system or self.tools or self.documents):
            raise ValueError("'cache' marks nothing; set system, tools or documents to true, or remove it")
        return self


def conflicts(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What of an item's settings and its dataset's does not go together, as (what, remedy)."""
    choice, names = settings.get("tool_choice"), [tool["name"] for tool in settings.get("tools", ())]
    if choice is None:
        return
    if not names:
        yield "'params.tool_choice' without 'params.tools'", "add the tools, or remove it"
    elif choice["type"] == "tool" and choice["name"] not in names:
        yield f"'params.tool_choice' names the unknown tool {choice['name']!r}", did_you_mean(choice["name"], names)
