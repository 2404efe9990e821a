"""JSON objects, one a line, as people and programs write them."""

import json
import math
from collections import Counter
from typing import Any

from evalkit.strict import shown


class NotAnObjectError(ValueError):
    """A line is not one well-formed JSON object: `problems` says why; `partly` is what it holds, if anything."""

    def __init__(self, *problems: str, partly: dict[str, Any] | None = None) -> None:
        self.problems, self.partly = problems, partly
        super().__init__(problems[0])


def json_object(line: str) -> dict[str, Any]:
    """One line's JSON object, in which nothing stands twice; NotAnObjectError says why it is none."""
    notes: list[str] = []

    def once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        repeated = [key for key, times in Counter(key for key, _ in pairs).items() if times > 1]
        notes.extend(f"key {key!r} stands twice in one object" for key in repeated)
        return dict(pairs)

    def no_constant(name: str) -> float:
        notes.append(f"{name} is not JSON")
        return float(name)

    def finite(digits: str) -> float:
        if not math.isfinite(number := float(digits)):
            notes.append(f"{digits[:40]} is too large a number")
        return number

    try:
        content = json.loads(line, object_pairs_hook=once_each, parse_constant=no_constant, parse_float=finite)
    except json.JSONDecodeError as error:
        raise NotAnObjectError(f"not JSON ({error.msg.removesuffix(' at')} at column {error.colno})") from error
    except RecursionError as error:
        raise NotAnObjectError("nested too deeply to be read") from error
    except ValueError as error:
        raise NotAnObjectError("a whole number has too many digits") from error
    if not isinstance(content, dict):
        raise NotAnObjectError(f"not a JSON object but {shown(content)}")
    if notes:
        raise NotAnObjectError(*notes, partly=content)
    return content
