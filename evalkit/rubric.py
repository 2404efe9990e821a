"""The rubric: what makes an output satisfactory, fixed before the first output exists."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, JsonValue, field_validator

from evalkit.json_schemas import check_schema
from evalkit.patterns import compiled
from evalkit.strict import NOT_BLANK, CoherentModel, Incoherence, StrictModel, content_sha256, repeats, value_in

_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,40}$")]
_Money = Annotated[float, Field(ge=0, allow_inf_nan=False)]
CHECK_LEVELS: Mapping[int, str] = {0: "fails the check", 1: "passes the check"}
Aggregate = Literal["median", "majority", "mean", "all"]
_CAME_LATER: Mapping[str, object] = {"aggregate": "median"}
"""Fields that rubrics did not always have: at these values they are left out of the hash, so that it stays."""


_SETTINGS: Mapping[str, frozenset[str]] = {
    "exact": frozenset({"value", "field", "ignore_case"}),
    "contains": frozenset({"value", "field", "ignore_case"}),
    "regex": frozenset({"pattern", "field", "ignore_case"}),
    "json_schema": frozenset({"schema"}),
    "numeric": frozenset({"value", "field", "tolerance"}),
}
"""What each type of check looks at; a setting it would pass over in silence is refused."""


class Check(CoherentModel):
    """A deterministic test of an output; what it compares with is `value`, else the item's reference."""

    type: Literal["exact", "contains", "regex", "json_schema", "numeric"]
    value: str | Annotated[float, Field(allow_inf_nan=False)] | None = None
    field: Annotated[str, Field(min_length=1)] | None = None
    pattern: Annotated[str, Field(min_length=1)] | None = None
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    ignore_case: bool = False
    schema_: dict[str, JsonValue] | None = Field(default=None, alias="schema")

    @classmethod
    def incoherences(cls, content: Mapping[str, Any]) -> Iterator[Incoherence]:
        kind = content.get("type")
        used = _SETTINGS.get(kind) if isinstance(kind, str) else None
        if used is None:
            return
        for name in sorted(frozenset[str]().union(*_SETTINGS.values()) - used):
            if name in content:
                yield Incoherence((name,), f"a check of type {kind!r} does not use {name!r}; remove it")
        if kind == "regex" and content.get("pattern") is None:
            yield Incoherence(("pattern",), "a regex check has no 'pattern'; add one")
        if kind == "json_schema" and content.get("schema") is None:
            yield Incoherence(("schema",), "a json_schema check has no 'schema'; add one")

    @field_validator("pattern")
    @classmethod
    def _is_a_pattern(cls, pattern: str | None) -> str | None:
        try:
            compiled(pattern or "")
        except ValueError as error:
            raise ValueError(f"'pattern' {error}") from error
        return pattern

    @field_validator("schema_")
    @classmethod
    def _is_a_schema(cls, schema: dict[str, JsonValue] | None) -> dict[str, JsonValue] | None:
        if schema is not None:
            check_schema(schema)
        return schema

    @property
    def compares(self) -> bool:
        """Whether an output is held against an expected text: `value`, else the item's reference."""
        return self.type in ("exact", "contains", "numeric")

    @property
    def needs_reference(self) -> bool:
        """Whether an item without a reference cannot be checked."""
        return self.compares and self.value is None


def _level(written: Any) -> Any:
    if not re.fullmatch(r"0|-?[1-9]\d{0,8}", str(written), re.ASCII):
        raise ValueError(f"{str(written)!r} is no level; use whole numbers such as 0, 1 and 2")
    return int(written)


class Criterion(CoherentModel):
    """One question about an output, with its levels from worst to best and an anchor text for each.

    `critical` is a floor: an output below this level is not satisfactory whatever its overall score.
    """

    id: _Name
    question: Annotated[str, Field(min_length=1)]
    weight: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)] = 1.0
    kind: Literal["judged", "check"] = "judged"
    levels: dict[Annotated[int, BeforeValidator(_level)], Annotated[str, Field(pattern=NOT_BLANK)]] = Field(
        default_factory=dict
    )
    critical: int | None = None
    check: Check | None = None

    @classmethod
    def incoherences(cls, content: Mapping[str, Any]) -> Iterator[Incoherence]:
        who = f"criterion {content.get('id')!r}"
        kind, levels, check = content.get("kind", "judged"), content.get("levels", {}), content.get("check")
        if kind == "check" and check is None:
            yield Incoherence(("check",), f"{who} is a check without 'check'; add it")
        if kind == "judged" and check is not None:
            yield Incoherence(("check",), f"{who} has 'check' but kind 'judged'; set kind: check")
        if kind == "check" and levels:
            yield Incoherence(("levels",), f"{who} is a check and has 'levels'; remove them (0 fails, 1 passes)")
        if kind == "judged" and isinstance(levels, Mapping) and len(levels) < 2:
            yield Incoherence(("levels",), f"{who} has fewer than two levels; add an anchor text for each level")
        scale = CHECK_LEVELS if kind == "check" else levels
        critical = content.get("critical")
        if type(critical) is int and isinstance(scale, Mapping) and str(critical) not in map(str, scale):
            allowed = ", ".join(map(str, scale)) or "one of its levels"
            yield Incoherence(("critical",), f"{who}: 'critical' {critical} is no level; use {allowed}")

    @property
    def scale(self) -> Mapping[int, str]:
        """Levels in ascending order with their anchor texts."""
        return CHECK_LEVELS if self.kind == "check" else dict(sorted(self.levels.items()))

    def score(self, level: float) -> float:
        """A level on the common 0 to 1 scale: 0 at the lowest, 1 at the highest."""
        low, high = min(self.scale), max(self.scale)
        return (level - low) / (high - low)


class Satisfactory(StrictModel):
    """The rule: overall score at least `score`, and every critical criterion at least its floor."""

    score: Annotated[float, Field(ge=0, le=1)]


class Economics(StrictModel):
    """What people cost when an output is looked over and, if need be, put right (stated by the team)."""

    review_minutes: _Money = 0.0
    correction_minutes: _Money = 5.0
    hourly_rate_usd: _Money = 60.0

    @property
    def review_usd(self) -> float:
        """Cost of looking over one output, USD."""
        return self.review_minutes / 60 * self.hourly_rate_usd

    @property
    def correction_stated(self) -> bool:
        """Whether the rubric says what a correction takes, even where that is what holds by default."""
        return not self.model_fields_set.isdisjoint({"correction_minutes", "hourly_rate_usd"})

    @property
    def correction_usd(self) -> float:
        """Cost of putting one unsatisfactory output right, USD."""
        return self.correction_minutes / 60 * self.hourly_rate_usd


class Decision(StrictModel):
    """The rule that picks an option: its satisfactory rate's lower limit must clear `bar`."""

    bar: Annotated[float, Field(gt=0, lt=1)] = 0.80


class Rubric(CoherentModel):
    """Criteria, the rule for satisfactory, the economics, and the decision rule.

    `aggregate` makes one level of what several graders say on a criterion: the lower median, the most frequent
    (of two, the lower), the mean, or the lowest (all must be content).
    """

    name: _Name
    description: str | None = None
    criteria: Annotated[tuple[Criterion, ...], Field(min_length=1, strict=False)]
    satisfactory: Satisfactory
    economics: Economics = Economics()
    decision: Decision = Decision()
    aggregate: Aggregate = "median"

    @classmethod
    def incoherences(cls, content: Mapping[str, Any]) -> Iterator[Incoherence]:
        criteria = content.get("criteria")
        for position, name in repeats(criteria, "id"):
            yield Incoherence(("criteria", position, "id"), f"criterion id {name!r} stands twice; rename one")
        if isinstance(criteria, list) and len(criteria) > 1 and all(value_in(c, "weight") == 0 for c in criteria):
            places = [("criteria", position, "weight") for position in range(len(criteria))]
            message = "every criterion has weight 0, so no output has a score; give each a weight above 0"
            yield Incoherence(places[0], message, in_place_of=frozenset(places))

    @cached_property
    def sha256(self) -> str:
        """Content hash; comments and layout of the file do not change it, any other edit does."""
        content = self.model_dump(mode="json", by_alias=True)
        silent = {name for name, default in _CAME_LATER.items() if content[name] == default}
        return content_sha256({name: content[name] for name in sorted(set(content) - silent)})

    @property
    def judged(self) -> tuple[Criterion, ...]:
        """Criteria that a person or a judge grades."""
        return tuple(c for c in self.criteria if c.kind == "judged")

    @property
    def checked(self) -> tuple[Criterion, ...]:
        """Criteria that a deterministic check grades."""
        return tuple(c for c in self.criteria if c.kind == "check")

    def score(self, levels: Mapping[str, float]) -> float | None:
        """Weighted mean of the levels on the 0 to 1 scale; None if a criterion has no level."""
        return self._found(levels)[0]

    def satisfied(self, levels: Mapping[str, float]) -> bool | None:
        """The satisfactory rule; None while missing levels could still change the answer."""
        return self._found(levels)[1]

    def _found(self, levels: Mapping[str, float]) -> tuple[float | None, bool | None]:
        """Score and verdict; of many outputs few have levels that no other has."""
        key = tuple(levels.get(name) for name in self._ids)
        if key not in self._known:
            self._known[key] = self._score(levels), self._satisfied(levels)
        return self._known[key]

    @cached_property
    def _ids(self) -> tuple[str, ...]:
        return tuple(criterion.id for criterion in self.criteria)

    @cached_property
    def _known(self) -> dict[tuple[float | None, ...], tuple[float | None, bool | None]]:
        return {}

    def _score(self, levels: Mapping[str, float]) -> float | None:
        if any(criterion.id not in levels for criterion in self.criteria):
            return None
        total = sum(criterion.weight for criterion in self.criteria)
        return sum(c.weight * c.score(levels[c.id]) for c in self.criteria) / total

    def _satisfied(self, levels: Mapping[str, float]) -> bool | None:
        if any(c.critical is not None and levels.get(c.id, c.critical) < c.critical for c in self.criteria):
            return False
        score = self._score(levels)
        if score is not None:
            return score >= self.satisfactory.score - 1e-9
        best = self._score({c.id: max(c.scale) for c in self.criteria} | dict(levels))
        return False if best is not None and best < self.satisfactory.score - 1e-9 else None

    @classmethod
    def read_back(cls, content: Mapping[str, Any], *, correction_stated: bool = False) -> Self:
        """The rubric that a run file keeps as `content`; its lists have become tuples and its levels texts there, and
        it no longer says whether a correction's cost was stated where that is the default."""
        read = cls.model_validate_json(json.dumps(content))
        if not correction_stated:
            return read
        stated = read.economics.model_copy(update={"correction_minutes": read.economics.correction_minutes})
        return read.model_copy(update={"economics": stated})

    def content(self) -> dict[str, Any]:
        """The rubric as plain JSON, from which it can be read back."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
