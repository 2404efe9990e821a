"""Production logs: one request a line, read strictly; what is absent is unknown."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from evalkit.difficulty import Difficulty
from evalkit.json_lines import NotAnObjectError, json_object
from evalkit.models import with_platform
from evalkit.records import Usage
from evalkit.strict import NOT_BLANK, Problem, StrictModel, validated, visible_name

_Name = Annotated[str, Field(min_length=1, pattern=NOT_BLANK), AfterValidator(visible_name)]
_Tokens = Annotated[int, Field(ge=0, le=10**12)]
_ONE_OBJECT = "write one JSON object per line"


class UsageLine(StrictModel):
    """One request in production.

    `input_tokens` excludes what was read from or written to the cache, as the API bills it. `user` is any stable
    name, best a hash. `escalated`: whether a person or a stronger model had to take over.
    """

    timestamp: str
    model: _Name
    input_tokens: _Tokens | None = None
    output_tokens: _Tokens | None = None
    cache_read_tokens: _Tokens | None = None
    cache_write_5m_tokens: _Tokens | None = None
    cache_write_1h_tokens: _Tokens | None = None
    latency_s: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] | None = None
    feedback: Literal["up", "down"] | None = None
    escalated: bool | None = None
    user: _Name | None = None
    difficulty: Difficulty | None = None
    tags: tuple[_Name, ...] | None = None

    @field_validator("timestamp", mode="before")
    @classmethod
    def _is_a_moment(cls, text: object) -> object:
        try:
            moment = datetime.fromisoformat(str(text) if isinstance(text, str) else "")
        except ValueError as error:
            raise ValueError(f"'timestamp' is {text!r}; write ISO 8601, as 2026-11-02T10:00:00Z") from error
        if moment.tzinfo is None:
            raise ValueError(f"'timestamp' {text!r} has no time zone; end it in Z or in +01:00")
        if not datetime(2, 1, 1, tzinfo=UTC) < moment < datetime(9998, 1, 1, tzinfo=UTC):
            raise ValueError(f"'timestamp' is {text!r}; write the year of the request")
        return text

    @field_validator("model")
    @classmethod
    def _is_as_in_runs(cls, name: str) -> str:
        return with_platform(name)

    @property
    def at(self) -> datetime:
        """The moment of the request, UTC."""
        return datetime.fromisoformat(self.timestamp).astimezone(UTC)

    @property
    def usage(self) -> Usage:
        """The tokens, as prices take them."""
        return Usage(
            self.input_tokens,
            self.output_tokens,
            self.cache_read_tokens,
            self.cache_write_5m_tokens,
            self.cache_write_1h_tokens,
        )


def parse_usage(lines: Iterable[str], file: str) -> tuple[tuple[UsageLine, ...], list[Problem]]:
    """All requests, by time, and all problems; blank lines are passed over."""
    found: list[UsageLine] = []
    problems: list[Problem] = []
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        line = _parsed(text)
        if isinstance(line, UsageLine):
            found.append(line)
        else:
            problems += [Problem(file, number, what, remedy) for what, remedy in line]
    if not found and not problems:
        problems.append(Problem(file, 1, "no lines", _ONE_OBJECT))
    return tuple(sorted(found, key=lambda line: line.at)), problems


def _parsed(text: str) -> UsageLine | list[tuple[str, str]]:
    try:
        content, problems = json_object(text), []
    except NotAnObjectError as error:
        problems = [(what, _ONE_OBJECT) for what in error.problems]
        if error.partly is None:
            return problems
        content = error.partly
    line = validated(UsageLine, content)
    if isinstance(line, list):
        return problems + [(what, remedy) for _, what, remedy in line]
    return problems or line
