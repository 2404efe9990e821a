"""Fills a JSON schema: a value that satisfies it, made of a given text and of the reply's draws."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from evalkit.sandbox.seeds import Draws

DEEPEST = 12
"""Optional parts below this depth are left out, so that a schema that contains itself comes to an end."""

_FORMATS = {
    "date": "2026-03-16", "date-time": "2026-03-16T09:30:00Z", "time": "09:30:00Z", "duration": "P1D",
    "email": "someone@example.com", "uri": "https://example.com/", "hostname": "example.com",
    "uuid": "00000000-0000-4000-8000-000000000000", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1",
}  # fmt: skip

Schema = Mapping[str, Any]


def fill_schema(schema: Schema, text: str, draws: Draws) -> Any:
    """A value for the schema; free strings get the text."""
    return _Filler(schema, text, draws).fill(schema, "$", 0)


class _Filler:
    def __init__(self, root: Schema, text: str, draws: Draws) -> None:
        self._root, self._text, self._draws = root, text, draws

    def fill(self, schema: Schema, path: str, depth: int) -> Any:
        schema = self._resolve(schema if isinstance(schema, Mapping) else {}, path)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._draws.choose(path, schema["enum"])
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kind = next((name for name in kind if name != "null"), "null")
        if kind == "object":
            return self._object(schema, path, depth)
        if kind == "array":
            return self._array(schema, path, depth)
        return self._scalar(kind, schema, path)

    def _resolve(self, schema: Schema, path: str) -> Schema:
        for _ in range(DEEPEST):
            if "$ref" in schema:
                target: Any = self._root
                for step in str(schema["$ref"]).lstrip("#/").split("/"):
                    target = target.get(step, {}) if isinstance(target, Mapping) else {}
                schema = target
            elif schema.get("anyOf") or schema.get("oneOf"):
                schema = (schema.get("anyOf") or schema["oneOf"])[0]
            elif schema.get("allOf"):
                merged: dict[str, Any] = {name: value for name, value in schema.items() if name != "allOf"}
                for part in schema["allOf"]:
                    merged |= self._resolve(part, path)
                schema = merged
            else:
                break
        return schema

    def _object(self, schema: Schema, path: str, depth: int) -> dict[str, Any]:
        required = set(schema.get("required") or ())
        return {
            name: self.fill(part, f"{path}.{name}", depth + 1)
            for name, part in (schema.get("properties") or {}).items()
            if name in required or depth < DEEPEST
        }

    def _array(self, schema: Schema, path: str, depth: int) -> list[Any]:
        least = int(schema.get("minItems", 0))
        length = least if depth >= DEEPEST else min(max(1, least), int(schema.get("maxItems", max(1, least))))
        part = schema.get("items") or {"type": "string"}
        return [self.fill(part, f"{path}[{index}]", depth + 1) for index in range(length)]

    def _scalar(self, kind: str, schema: Schema, path: str) -> Any:
        if kind == "null":
            return None
        if kind == "boolean":
            return self._draws.chance(path, 0.5)
        if kind in ("integer", "number"):
            return self._number(kind, schema, path)
        text = str(_FORMATS.get(str(schema.get("format")), self._text))
        text = text[: int(schema.get("maxLength", len(text)))]
        return text.ljust(int(schema.get("minLength", 0)), ".")

    def _number(self, kind: str, schema: Schema, path: str) -> int | float:
        floor, ceiling = schema.get("minimum"), schema.get("maximum")
        high = float(ceiling if ceiling is not None else schema.get("exclusiveMaximum", math.inf))
        low = float(floor if floor is not None else schema.get("exclusiveMinimum", min(0.0, high - 10)))
        high = min(high, low + 10)
        value = low + (0.25 + 0.5 * self._draws.uniform(path)) * (high - low)
        if kind == "number":
            return value
        least = math.ceil(low) if floor is not None or low != math.ceil(low) else math.ceil(low) + 1
        return max(least, min(round(value), math.floor(high)))
