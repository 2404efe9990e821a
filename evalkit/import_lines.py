"""The lines of an import: outputs made elsewhere, one object a line, read strictly and checked against each other."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field, field_validator, model_validator

from evalkit.difficulty import Difficulty
from evalkit.frozen import dataclass
from evalkit.grader_names import GraderKind, grader_name
from evalkit.json_lines import NotAnObjectError, json_object
from evalkit.rubric import Rubric
from evalkit.strict import NOT_BLANK, Problem, StrictModel, did_you_mean, shown, validated, visible_name

ENDPOINT = "imported"
"""What the spec of an import calls the server that answered, which nobody here knows."""

_Text = Annotated[str, Field(min_length=1, pattern=NOT_BLANK)]
_Name = Annotated[_Text, AfterValidator(visible_name)]
_Tokens = Annotated[int, Field(ge=0, le=10**12)]
_Amount = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
_ONE_OBJECT = "write one JSON object per line"


class GradeLine(StrictModel):
    """One grader's level on one criterion; without a level it is ungraded."""

    grader: _Name
    kind: GraderKind
    criterion: _Text
    level: int | None = None

    @property
    def name(self) -> str:
        """The grader as the run file calls it."""
        return grader_name(self.grader, self.kind)


class TrialLine(StrictModel):
    """What became of one trial. Whatever is absent is unknown; with neither output nor error the trial failed."""

    item_id: _Text
    model: _Name
    epoch: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    prompt: str | None = None
    reference: str | None = None
    difficulty: Difficulty | None = None
    tags: tuple[str, ...] | None = None
    output: str | None = None
    error: str | None = None
    input_tokens: _Tokens | None = None
    output_tokens: _Tokens | None = None
    cost_usd: _Amount | None = None
    latency_s: _Amount | None = None
    ttft_s: _Amount | None = None
    served_model: _Name | None = None
    grades: tuple[GradeLine, ...] = ()

    @field_validator("tags", mode="before")
    @classmethod
    def _as_words(cls, tags: Any) -> Any:
        """An object's pairs as `key=value`, or `key` alone where it is true; what is null is left out."""
        if not isinstance(tags, Mapping):
            return tuple(tags) if isinstance(tags, list) else tags
        for key, value in tags.items():
            if not key.strip():
                raise ValueError("'tags' has a blank key; name it")
            if not isinstance(value, str | int | float | None):
                raise ValueError(f"'tags.{key}' is {shown(value)}; use text, a number, true or false")  # noqa: TRY004  pydantic reports ValueErrors alone
        return tuple(_tag(key, value) for key, value in tags.items() if value is not None)

    @model_validator(mode="after")
    def _has_possible_times(self) -> "TrialLine":
        if self.ttft_s is not None and self.latency_s is not None and self.ttft_s > self.latency_s:
            raise ValueError(f"'ttft_s' {self.ttft_s:g} is over 'latency_s' {self.latency_s:g}; correct or drop one")
        return self

    @property
    def failed(self) -> bool:
        """Whether the trial brought no output that can be graded."""
        return self.output is None or self.failure is not None

    @property
    def failure(self) -> str | None:
        """The error that was recorded; a blank one is none."""
        return self.error if self.error and self.error.strip() else None


def _tag(key: str, value: object) -> str:
    if isinstance(value, bool):
        return key if value else f"{key}=false"
    return f"{key}={value}"


@dataclass(frozen=True)
class Numbered:
    """A line with its number in the file."""

    number: int
    line: TrialLine


ITEM_FIELDS = ("prompt", "reference", "difficulty", "tags")
"""What belongs to the item: every line of one item that gives it gives the same."""


def parse_line(text: str) -> TrialLine | list[tuple[str, str]]:
    """One line, or its problems as (what, remedy). Null is the same as absent.

    Half of a surrogate pair, which JSON can spell and a database cannot keep, is kept as its escape.
    """
    try:
        content = json_object(text)
    except NotAnObjectError as error:
        return [(str(error), _ONE_OBJECT)]
    if "\\ud" in text or "\\uD" in text:
        content = _storable(content)
    found = validated(TrialLine, {key: value for key, value in content.items() if value is not None})
    return [(what, remedy) for _, what, remedy in found] if isinstance(found, list) else found


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_storable(key): _storable(inside) for key, inside in value.items()}
    return [_storable(inside) for inside in value] if isinstance(value, list) else value


def parse_lines(lines: Iterable[str], file: str) -> tuple[list[Numbered], list[Problem]]:
    """All lines that can be read, and all problems; blank lines are passed over."""
    found: list[Numbered] = []
    problems: list[Problem] = []
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        line = parse_line(text)
        if isinstance(line, list):
            problems += [Problem(file, number, what, remedy) for what, remedy in line]
        else:
            found.append(Numbered(number, line))
    if not found and not problems:
        problems.append(Problem(file, 1, "no lines", _ONE_OBJECT))
    problems += [Problem(file, number, what, remedy) for number, what, remedy in _conflicts(found)]
    return found, problems


_Finding = tuple[int, str, str]
"""Line, what is wrong with it, what to do."""


def _conflicts(lines: Sequence[Numbered]) -> Iterator[_Finding]:
    """Trials that stand twice, and lines that say different things of one item."""
    trials: dict[tuple[str, str, int], int] = {}
    said: dict[tuple[str, str], tuple[object, int]] = {}
    for number, line in ((one.number, one.line) for one in lines):
        key = (line.item_id, line.model, line.epoch)
        if key in trials:
            what = f"item {shown(key[0])}, model {shown(key[1])}, epoch {key[2]} stands already on line {trials[key]}"
            yield number, what, "give repeats their own 'epoch', or remove one"
        trials.setdefault(key, number)
        for name in ITEM_FIELDS:
            value = getattr(line, name)
            if value is None:
                continue
            value = frozenset(value) if name == "tags" else value
            before, where = said.setdefault((line.item_id, name), (value, number))
            if before != value:
                what = f"{name!r} of item {shown(line.item_id)} is another than on line {where}"
                yield number, what, "make them the same, or leave one out"


def grade_problems(lines: Sequence[Numbered], rubric: Rubric, file: str) -> list[Problem]:
    """Grades that do not go with the rubric: an unknown criterion, a level it lacks, two by one grader."""
    scales = {criterion.id: tuple(criterion.scale) for criterion in rubric.criteria}
    return [
        Problem(file, one.number, what, remedy)
        for one in lines
        if one.line.grades
        for what, remedy in _misgraded(one.line.grades, scales)
    ]


def _misgraded(grades: Sequence[GradeLine], scales: Mapping[str, tuple[int, ...]]) -> Iterator[tuple[str, str]]:
    seen: set[tuple[str, str]] = set()
    for grade in grades:
        who, scale = shown(grade.grader), scales.get(grade.criterion)
        if scale is None:
            what = f"grader {who} grades {shown(grade.criterion)}, which is no criterion of the rubric"
            yield what, did_you_mean(grade.criterion, list(scales))
        elif grade.level is not None and grade.level not in scale:
            allowed = ", ".join(map(str, scale))
            yield (
                f"grader {who} gives {grade.criterion!r} level {grade.level}, which it lacks",
                f"use {allowed} or null",
            )
        if (grade.name, grade.criterion) in seen:
            yield f"grader {who} grades {shown(grade.criterion)} twice", "keep one grade"
        seen.add((grade.name, grade.criterion))
