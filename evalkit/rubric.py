"""The rubric: what makes an output satisfactory, fixed before the first output exists."""

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, field_validator, model_validator

from evalkit.json_schemas import check_schema
from evalkit.strict import StrictModel, content_sha256

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
    "json_schema": frozenset({"schema_"}),
    "numeric": frozenset({"value", "field", "tolerance"}),
}
"""What each type of check looks at; a setting it would pass over in silence is refused."""


class Check(StrictModel):
    """A deterministic test of an output; what it compares with is `value`, else the item's reference."""

    type: Literal["exact", "contains", "regex", "json_schema", "numeric"]
    value: str | Annotated[float, Field(allow_inf_nan=False)] | None = None
    field: Annotated[str, Field(min_length=1)] | None = None
    pattern: Annotated[str, Field(min_length=1)] | None = None
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    ignore_case: bool = False
    schema_: dict[str, JsonValue] | None = Field(default=None, alias="schema")

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> "Check":
        for name in sorted(self.model_fields_set - {"type"} - _SETTINGS[self.type]):
            raise ValueError(f"a check of type {self.type!r} does not use {name.rstrip('_')!r}; remove it")
        if self.type == "regex":
            if self.pattern is None:
                raise ValueError("a regex check has no 'pattern'; add one")
            _check_pattern(self.pattern)
        if self.type == "json_schema":
            if self.schema_ is None:
                raise ValueError("a json_schema check has no 'schema'; add one")
            check_schema(self.schema_)
        return self

    @property
    def compares(self) -> bool:
        """Whether an output is held against an expected text: `value`, else the item's reference."""
        return self.type in ("exact", "contains", "numeric")

    @property
    def needs_reference(self) -> bool:
        """Whether an item without a reference cannot be checked."""
        return self.compares and self.value is None


def _check_pattern(pattern: str) -> None:
    import regex

    try:
        regex.compile(pattern)
    except (regex.error, OverflowError, RecursionError) as error:
        raise ValueError(f"'pattern' is not a regular expression ({error}); correct it") from error


class Criterion(StrictModel):
    """One question about an output, with its levels from worst to best and an anchor text for each.

    `critical` is a floor: an output below this level is not satisfactory whatever its overall score.
    """

    id: _Name
    question: Annotated[str, Field(min_length=1)]
    weight: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)] = 1.0
    kind: Literal["judged", "check"] = "judged"
    levels: dict[int, str] = Field(default_factory=dict)
    critical: int | None = None
    check: Check | None = None

    @field_validator("levels", mode="before")
    @classmethod
    def _keys_are_levels(cls, levels: Any) -> Any:
        if not isinstance(levels, Mapping):
            return levels
        for key in levels:
            if not re.fullmatch(r"0|-?[1-9]\d{0,8}", str(key), re.ASCII):
                raise ValueError(f"{str(key)!r} is no level; use whole numbers such as 0, 1 and 2")
        return {int(key): anchor for key, anchor in levels.items()}

    @model_validator(mode="after")
    def _is_coherent(self) -> "Criterion":
        if self.kind == "check" and self.check is None:
            raise ValueError(f"criterion {self.id!r} is a check without 'check'; add it")
        if self.kind == "judged" and self.check is not None:
            raise ValueError(f"criterion {self.id!r} has 'check' but kind 'judged'; set kind: check")
        if self.kind == "check" and self.levels:
            raise ValueError(f"criterion {self.id!r} is a check and has 'levels'; remove them (0 fails, 1 passes)")
        if self.kind == "judged" and len(self.levels) < 2:
            raise ValueError(f"criterion {self.id!r} has fewer than two levels; add an anchor text for each level")
        if not all(anchor.strip() for anchor in self.levels.values()):
            raise ValueError(f"criterion {self.id!r} has a level without an anchor text; write one")
        if self.critical is not None and self.critical not in self.scale:
            allowed = ", ".join(map(str, self.scale))
            raise ValueError(f"criterion {self.id!r}: 'critical' {self.critical} is no level; use {allowed}")
        return self

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
    def correction_usd(self) -> float:
        """Cost of putting one unsatisfactory output right, USD."""
        return self.correction_minutes / 60 * self.hourly_rate_usd


class Decision(StrictModel):
    """The rule that picks an option: its satisfactory rate's lower limit must clear `bar`."""

    bar: Annotated[float, Field(gt=0, lt=1)] = 0.80


class Rubric(StrictModel):
    """Criteria, the rule for satisfactory, the economics, and the decision rule.

    `aggregate` makes one level of what several graders say on a criterion: the lower median, the most frequent
    (of two, the lower), the mean, or the lowest (all must be content).
    """

    name: _Name
    description: str | None = None
    criteria: Annotated[tuple[Criterion, ...], Field(min_length=1)]
    satisfactory: Satisfactory
    economics: Economics = Economics()
    decision: Decision = Decision()
    aggregate: Aggregate = "median"

    @model_validator(mode="after")
    def _ids_are_unique(self) -> "Rubric":
        ids = [criterion.id for criterion in self.criteria]
        for name in ids:
            if ids.count(name) > 1:
                raise ValueError(f"criterion id {name!r} stands twice; rename one")
        return self

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
        if any(criterion.id not in levels for criterion in self.criteria):
            return None
        total = sum(criterion.weight for criterion in self.criteria)
        return sum(c.weight * c.score(levels[c.id]) for c in self.criteria) / total

    def satisfied(self, levels: Mapping[str, float]) -> bool | None:
        """The satisfactory rule; None while missing levels could still change the answer."""
        if any(c.critical is not None and levels.get(c.id, c.critical) < c.critical for c in self.criteria):
            return False
        score = self.score(levels)
        if score is not None:
            return score >= self.satisfactory.score - 1e-9
        best = self.score({c.id: max(c.scale) for c in self.criteria} | dict(levels))
        return False if best is not None and best < self.satisfactory.score - 1e-9 else None

    def content(self) -> dict[str, Any]:
        """The rubric as plain JSON, from which it can be read back."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
