"""Strict reading of the files people write: every problem at once, each with its place and its remedy."""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import unicodedata
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, TypeAdapter, ValidationError, model_validator
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from evalkit.frozen import dataclass

if TYPE_CHECKING:
    from evalkit.yaml_text import Path

Model = TypeVar("Model")


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


STRICT = ConfigDict(extra="forbid", strict=True, defer_build=True)  # most commands read few of all files


class StrictModel(BaseModel):
    """A frozen record read from a user's file: no unknown keys, no silent conversion of types."""

    model_config = ConfigDict(**STRICT, frozen=True)


_ADAPTERS: dict[type, TypeAdapter[Any]] = {}
_SCHEMAS: dict[type, dict[str, Any]] = {}


def adapter(model: type[Model]) -> TypeAdapter[Model]:
    """What validates and describes a model, or a dataclass of the same strictness."""
    if model not in _ADAPTERS:
        _ADAPTERS[model] = TypeAdapter(model)
    return _ADAPTERS[model]


@dataclass(frozen=True)
class Incoherence:
    """What does not go together in a record: `what; what to do`, told at `place` in it.

    Problems of the single values at `in_place_of` are not told beside it.
    """

    place: Path
    message: str
    in_place_of: frozenset[Path] = frozenset()


class CoherentModel(StrictModel):
    """A strict record with rules across its keys, which are told beside what is wrong with single values.

    Its lists have to be `strict=False`: rules see plain values, in which a JSON list is no tuple yet.
    """

    @classmethod
    @abstractmethod
    def incoherences(cls, content: Mapping[str, Any]) -> Iterator[Incoherence]:
        """What does not go together in plain values, any of which may be missing or of a wrong type."""

    @model_validator(mode="wrap")
    @classmethod
    def _is_told_whole(cls, content: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        found = list(cls.incoherences(content)) if isinstance(content, Mapping) else []
        replaced = {place for one in found for place in one.in_place_of}
        errors: list[InitErrorDetails] = []
        try:
            made = handler(content)
        except ValidationError as error:
            errors = [_again(detail) for detail in error.errors(include_url=False) if detail["loc"] not in replaced]
        for one in found:
            told = PydanticCustomError("value_error", "{error}", {"error": one.message})
            errors.append(InitErrorDetails(type=told, loc=one.place, input=content))
        if errors:
            raise ValidationError.from_exception_data(cls.__name__, errors)
        return made


def _again(detail: ErrorDetails) -> InitErrorDetails:
    return InitErrorDetails(
        type=PydanticCustomError(detail["type"], detail["msg"], detail.get("ctx")),
        loc=detail["loc"],
        input=detail["input"],
    )


def value_in(entry: Any, key: str) -> Any:
    """What a mapping or a record holds under a key; None if it is neither, or has none."""
    return entry.get(key) if isinstance(entry, Mapping) else getattr(entry, key, None)


def repeats(entries: Any, key: str) -> Iterator[tuple[int, str]]:
    """Entries of a list whose `key` holds the same text as an earlier one's: position and text."""
    seen: set[str] = set()
    for position, entry in enumerate(entries if isinstance(entries, list | tuple) else ()):
        text = value_in(entry, key)
        if isinstance(text, str):
            if text in seen:
                yield position, text
            seen.add(text)


def content_sha256(content: object) -> str:
    """SHA-256 of a JSON-able value in canonical form: independent of key order and white space."""
    return hashlib.sha256(_canonical(content)).hexdigest()


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """JSON-able content with its own hash as `sha256`: a slip of the hand shows, no deceit."""
    bare = {name: value for name, value in content.items() if name != "sha256"}
    return {**bare, "sha256": content_sha256(bare)}


def mapping_sha256(content: Mapping[str, object]) -> str:
    """`content_sha256` of a mapping in which lists may be iterators: a long one is then never in memory as a whole."""
    digest = hashlib.sha256(b"{")
    for place, (name, value) in enumerate(sorted(content.items())):
        digest.update(b"," * (place > 0) + _canonical(name) + b":")
        if isinstance(value, Iterator):
            digest.update(b"[")
            for number, element in enumerate(value):
                digest.update(b"," * (number > 0) + _canonical(element))
            digest.update(b"]")
        else:
            digest.update(_canonical(value))
    digest.update(b"}")
    return digest.hexdigest()


def _canonical(content: object) -> bytes:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


NOT_BLANK = r"\S"
"""The pattern of a text that has to say something."""

_PLAIN = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping of keys to values",
    "dataclass_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "finite_number": "must be a finite number",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
}


def shown(value: object, limit: int = 60) -> str:
    """A value as a person can recognise it in a one-line message that can always be printed."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= limit else text[: limit - 1] + "…"


def visible_name(name: str) -> str:
    """A name that is printed on terminals has no line breaks and nothing that steers them."""
    steering = next((c for c in name if unicodedata.category(c) in ("Cc", "Zl", "Zp")), None)
    if steering is not None:
        raise ValueError(f"{shown(name)} has the control character U+{ord(steering):04X}; take it out")
    return name


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """The remedy for a word nobody knows: the nearest known one, or all of them."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if not known:
        return "nothing can be set here, so take it out"
    return f"did you mean {near[0]!r}?" if near else f"use one of: {', '.join(known)}"


def _resolved(nodes: Sequence[Any], definitions: Mapping[str, Any]) -> list[dict[str, Any]]:
    """JSON-schema nodes with references followed and unions opened."""
    found: list[dict[str, Any]] = []
    for node in nodes:
        if "$ref" in node:
            found += _resolved([definitions[node["$ref"].rsplit("/", 1)[1]]], definitions)
        elif "anyOf" in node:
            found += _resolved(node["anyOf"], definitions)
        else:
            found.append(node)
    return found


def _below(node: Mapping[str, Any], step: str | int) -> Any:
    """The JSON-schema node one step down; None if there is no such step, as for the tag of a union's branch."""
    if isinstance(step, int) and "items" in node:
        return node["items"]
    other = node.get("additionalProperties")
    return node.get("properties", {}).get(step, other if isinstance(other, dict) else None)


def _schema_of(model: type[Any]) -> dict[str, Any]:
    """What a model looks like, made once for however many bad lines."""
    if model not in _SCHEMAS:
        _SCHEMAS[model] = adapter(model).json_schema()
    return _SCHEMAS[model]


def _locate(model: type[Any], steps: Path) -> tuple[Path, list[dict[str, Any]]]:
    """The place that pydantic's `steps` point to, without the tags of unions, and the JSON-schema nodes there."""
    schema = _schema_of(model)
    definitions = schema.get("$defs", {})
    nodes, place = _resolved([schema], definitions), []
    for step in steps:
        below = [node for node in (_below(node, step) for node in nodes) if node is not None]
        if below:
            place.append(step if any("items" in node for node in nodes) else str(step))
            nodes = _resolved(below, definitions)
    return tuple(place), nodes


def explain(error: ValidationError, model: type[Any]) -> list[tuple[Path, str, str]]:
    """Every problem of a failed validation as (path, what, remedy), where a union's branches count as one.

    Where something is wrong inside a value, nothing is said of the value itself: it follows from the inside.
    """
    told: dict[Path, list[tuple[bool, str, str]]] = {}
    for detail in error.errors(include_url=False):
        place, what, remedy = _told(detail, model)
        told.setdefault(place, []).append((detail["type"].endswith("_type"), what, remedy))
    outer = {place[:length] for place in told for length in range(len(place))}
    return [(place, *said) for place, problems in told.items() if place not in outer for said in _apart(problems)]


def _told(detail: ErrorDetails, model: type[Any]) -> tuple[Path, str, str]:
    """One problem as pydantic reports it, in the project's words."""
    kind, steps = detail["type"], detail["loc"]
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return _unknown(*_locate(model, steps[:-1]), str(steps[-1]))
    place, _ = _locate(model, steps)
    name = repr(".".join(str(step) for step in place)) if place else "the whole of it"
    return place, *_what_and_remedy(detail, name)


def _unknown(inside: Path, nodes: Sequence[Mapping[str, Any]], key: str) -> tuple[Path, str, str]:
    """A key that is not known: one that was, once (`retired` in the model's JSON schema), or a mistake."""
    place = (*inside, key)
    for node in nodes:
        if key in node.get("retired", {}):
            what, _, remedy = str(node["retired"][key]).partition("; ")
            return place, f"{'.'.join(map(str, place))!r} {what}", remedy
    known = sorted({name for node in nodes for name in node.get("properties", {})})
    return place, f"unknown key {key!r}", did_you_mean(key, known)


def _what_and_remedy(detail: ErrorDetails, name: str) -> tuple[str, str]:
    kind, context = detail["type"], detail.get("ctx", {})
    is_shown = f"{name} is {shown(detail['input'])}"
    if kind == "missing":
        return f"key {name} is missing", "add it"
    if kind == "value_error":
        what, _, remedy = str(context["error"]).partition("; ")
        return what, remedy or "correct it"
    if kind == "json_invalid":
        return "nested too deeply to be read", "use fewer levels"
    if kind == "literal_error":
        return is_shown, f"use {context['expected']}"
    if context.get("pattern") == NOT_BLANK:
        return f"{name} is blank", "write something"
    plain = _PLAIN.get(kind, detail["msg"].replace("Input should", "must").replace("String should", "must"))
    if kind == "float_type" and _is_number(detail["input"]):
        plain += ", and this is text: leave quotes out, and write 1e-3 as 1.0e-3"
    return is_shown, f"it {plain}"


def _is_number(value: object) -> bool:
    """Whether a text would be a number to anybody but YAML."""
    try:
        return isinstance(value, str) and math.isfinite(float(value))
    except ValueError:
        return False


def _apart(problems: Sequence[tuple[bool, str, str]]) -> Iterable[tuple[str, str]]:
    """The problems of one place: where a union's branches differ in type only, what any of them would take."""
    if found := dict.fromkeys((what, remedy) for of_type, what, remedy in problems if not of_type):
        return found
    kinds = dict.fromkeys(remedy.removeprefix("it must be ") for _, _, remedy in problems)
    return [(problems[0][1], f"it must be {' or '.join(kinds)}")]


def validated(model: type[Model], content: object) -> Model | list[tuple[Path, str, str]]:
    """Plain values as a `model`, or every problem as (path, what, remedy)."""
    try:
        return adapter(model).validate_json(json.dumps(content, ensure_ascii=False).encode("utf-8"))
    except ValidationError as error:
        return explain(error, model)
    except UnicodeEncodeError:
        return [((), "a character is half of a surrogate pair", "write the text as UTF-8")]
    except RecursionError:
        return [((), "nested too deeply to be read", "use fewer levels")]


def line_of(path: Path, lines: Mapping[Path, int]) -> int:
    """The line of `path`, or of the nearest place above it that has one."""
    return next((lines[path[:length]] for length in range(len(path), -1, -1) if path[:length] in lines), 1)


def read_strict(model: type[Model], text: str, file: str, written_in: str = "YAML") -> Model | list[Problem]:
    """A YAML file as a `model`, or every problem it has. `written_in`: what its user calls its format."""
    from evalkit.yaml_text import YamlError, parse_yaml  # the library takes as long to load as pydantic

    problems: list[Problem] = []
    unread: frozenset[Path] = frozenset()
    try:
        data, lines = parse_yaml(text)
    except YamlError as error:
        problems = [Problem(file, line, what, f"correct the {written_in}") for line, what in error.problems]
        if error.partly is None:
            return problems
        data, lines, unread = error.partly.data, dict(error.partly.lines), error.partly.unread
    found = validated(model, {} if data is None else data)
    if not isinstance(found, list):
        return problems or found
    follows = {path for path, _, _ in found for length in range(len(path) + 1) if path[:length] in unread}
    problems += [
        Problem(file, line_of(path, lines), what, remedy) for path, what, remedy in found if path not in follows
    ]
    return sorted(problems)
