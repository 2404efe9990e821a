"""Strict reading of the files people write: every problem at once, each with its place and its remedy."""

import difflib
import hashlib
import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

Path = tuple[str | int, ...]
"""Where a value stands inside a document: keys and list positions from the root."""


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong with an input file; prints as `file:line: what; what to do`."""

    file: str
    line: int
    what: str
    remedy: str
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        mark = "" if self.severity == "error" else "warning: "
        return f"{self.file}:{self.line}: {mark}{self.what}; {self.remedy}"


class StrictModel(BaseModel):
    """A frozen record read from a user's file: no unknown keys, no silent conversion of types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def content_sha256(content: object) -> str:
    """SHA-256 of a JSON-able value in canonical form: independent of key order and white space."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


_PLAIN = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "missing": "is missing",
    "finite_number": "must be a finite number",
}


def shown(value: object, limit: int = 60) -> str:
    """A value as a person can recognise it in a one-line message."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = repr(text) if isinstance(value, str) else text
    return text if len(text) <= limit else text[: limit - 1] + "…"


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """The remedy for a word nobody knows: the nearest known one, or all of them."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else f"use one of: {', '.join(known)}"


def _fields_at(model: type[BaseModel], path: Path) -> list[str]:
    """The keys that `model` knows at the place `path` points into."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    candidates = [schema]
    for step in path:
        following: list[Any] = []
        for node in _resolved(candidates, definitions):
            if isinstance(step, int):
                following.append(node.get("items", {}))
            elif step in node.get("properties", {}):
                following.append(node["properties"][step])
            elif isinstance(node.get("additionalProperties"), dict):
                following.append(node["additionalProperties"])
            elif "properties" in node:
                following.append(node)  # a tag of a union, not a key
        candidates = following or candidates
    names = {name for node in _resolved(candidates, definitions) for name in node.get("properties", {})}
    return sorted(names)


def _resolved(nodes: Sequence[Any], definitions: Mapping[str, Any]) -> list[dict[str, Any]]:
    """JSON-schema nodes with references followed and unions opened."""
    found: list[dict[str, Any]] = []
    for node in nodes:
        if "$ref" in node:
            found += _resolved([definitions[node["$ref"].rsplit("/", 1)[1]]], definitions)
        elif "anyOf" in node or "oneOf" in node:
            found += _resolved(node.get("anyOf") or node["oneOf"], definitions)
        else:
            found.append(node)
    return found


def explain(error: ValidationError, model: type[BaseModel]) -> list[tuple[Path, str, str]]:
    """Every problem of a failed validation as (path, what, remedy), said once per place."""
    told: dict[Path, tuple[Path, str, str]] = {}
    for detail in error.errors(include_url=False):
        path: Path = tuple(detail["loc"])
        kind = detail["type"]
        name = ".".join(str(step) for step in path) or "the value"
        if kind == "extra_forbidden":
            known = _fields_at(model, path[:-1])
            what, remedy = f"unknown key {str(path[-1])!r}", did_you_mean(str(path[-1]), known)
        elif kind == "missing":
            what, remedy = f"key {name!r} is missing", "add it"
        elif kind == "value_error":
            what, _, remedy = str(detail["ctx"]["error"]).partition("; ")
            remedy = remedy or "correct it"
        elif kind == "literal_error":
            expected = str(detail["ctx"]["expected"])
            what, remedy = f"{name!r} is {shown(detail['input'])}", f"use {expected}"
        else:
            rule = _PLAIN.get(kind, detail["msg"].replace("Input should", "must").replace("String should", "must"))
            what, remedy = f"{name!r} is {shown(detail['input'])}", f"it {rule}"
        told.setdefault(path, (path, what, remedy))
    return list(told.values())


class YamlError(ValueError):
    """YAML that cannot be read at all; `line` counts from 1."""

    def __init__(self, line: int, what: str) -> None:
        self.line = line
        super().__init__(what)


def parse_yaml(text: str) -> tuple[Any, dict[Path, int]]:
    """YAML text to plain values, and the line (from 1) on which each key or list entry stands.

    Raises YamlError for broken syntax, duplicate keys, aliases to themselves and anything but plain values.
    """
    loader = yaml.SafeLoader(text)
    lines: dict[Path, int] = {(): 1}
    try:
        node = loader.get_single_node()
        data = None if node is None else _plain(loader, node, (), lines, frozenset())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError(mark.line + 1 if mark else 1, error.problem or "not readable as YAML") from error
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, YamlError):
            raise
        raise YamlError(1, str(error).splitlines()[0]) from error
    finally:
        loader.dispose()
    return data, lines


def _plain(loader: yaml.SafeLoader, node: yaml.Node, path: Path, lines: dict[Path, int], above: frozenset[int]) -> Any:
    if id(node) in above:
        raise YamlError(node.start_mark.line + 1, "an alias contains itself")
    above |= {id(node)}
    if isinstance(node, yaml.MappingNode):
        loader.flatten_mapping(node)
        mapping: dict[Hashable, Any] = {}
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable) or isinstance(key, tuple):
                raise YamlError(key_node.start_mark.line + 1, f"{shown(key)} cannot be a key")
            if key in mapping:
                raise YamlError(key_node.start_mark.line + 1, f"key {shown(key)} stands twice")
            at = (*path, key if isinstance(key, int) else str(key))
            lines[at] = key_node.start_mark.line + 1
            mapping[key] = _plain(loader, value_node, at, lines, above)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        entries = []
        for index, entry in enumerate(node.value):
            lines[(*path, index)] = entry.start_mark.line + 1
            entries.append(_plain(loader, entry, (*path, index), lines, above))
        return entries
    return loader.construct_object(node, deep=True)


def line_of(path: Path, lines: Mapping[Path, int]) -> int:
    """The line of `path`, or of the nearest place above it that has one."""
    for length in range(len(path), -1, -1):
        place = path[:length]
        if place in lines:
            return lines[place]
        if length and str(place[-1]).lstrip("-").isdigit():
            as_key = (*place[:-1], int(place[-1]))
            if as_key in lines:
                return lines[as_key]
    return 1


Model = TypeVar("Model", bound=StrictModel)


def read_strict(model: type[Model], text: str, file: str) -> Model | list[Problem]:
    """A YAML file as a `model`, or every problem it has."""
    try:
        data, lines = parse_yaml(text)
    except YamlError as error:
        return [Problem(file, error.line, str(error), "correct the YAML")]
    try:
        return model.model_validate_json(json.dumps(data if data is not None else {}, default=str))
    except ValidationError as error:
        return [Problem(file, line_of(path, lines), what, remedy) for path, what, remedy in explain(error, model)]
    except (TypeError, ValueError) as error:
        return [Problem(file, 1, f"not a mapping of plain values ({error})", "use keys and plain values")]
