"""What a reference asks for, point by point, and which of the points an output states."""

from __future__ import annotations

import json
from typing import Any

from evalkit.sandbox.matching import covers


def reference_lines(reference: str) -> list[str]:
    """The points of a reference: its "- " lines without the dash; without such lines, all its lines."""
    lines = [line.strip() for line in reference.splitlines() if line.strip()]
    return [line[2:].strip() for line in lines if line.startswith("- ")] or lines


def stated_points(reference: str, output: str) -> list[bool]:
    """For each point of the reference, the core first, whether the output states it.

    A reference that is a JSON object has its fields as points, each stated by an equal field of the output.
    """
    wanted = _json_object(reference)
    if wanted is not None:
        given = _json_object(output) or {}
        return [name in given and given[name] == value for name, value in wanted.items()]
    return [covers(line, output) for line in reference_lines(reference)]


def _json_object(text: str) -> dict[str, Any] | None:
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        return None
    try:
        value = json.loads(text[start : end + 1])
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
