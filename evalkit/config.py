"""`evalkit.yaml`: a project's own defaults for models, judges and rubric. Everything in it is optional."""

from typing import Annotated, Any

from pydantic import Field, field_validator

from evalkit import in_flight
from evalkit.models import DEFAULT_JUDGE, LINE_UP, with_platform
from evalkit.panel import JudgeContext, Panel
from evalkit.patterns import hiding
from evalkit.strict import StrictModel

_Text = Annotated[str, Field(min_length=1)]
_Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class OwnRates(StrictModel):
    """What a team pays for a model by its own contract, USD per million tokens.

    A kind of token that is left out has no known price, which is not the same as free.
    """

    input: _Rate
    output: _Rate
    cache_read: _Rate | None = None
    cache_write_5m: _Rate | None = None
    cache_write_1h: _Rate | None = None
    batch_factor: Annotated[float, Field(gt=0, le=1)] | None = None


class Config(StrictModel):
    """Settings of a project; a command's own options win over them.

    `judge_repeats`, `judge_context` and `judge_side_by_side` are as in `Panel`; `run` and `plan` estimate by them.
    `budget_usd` is what each run file may cost in all, production and judging together. `redact`: regular expressions
    that no file or summary of `report` and `compare`, and no exported table, may show a match of; a gate, signals and
    routes name models and items as they are.
    """

    models: Annotated[tuple[_Text, ...], Field(min_length=1)] = LINE_UP
    judges: Annotated[tuple[_Text, ...], Field(min_length=1)] = (DEFAULT_JUDGE,)
    judge: Any = Field(default=None, exclude=True, repr=False)
    judge_repeats: Annotated[int, Field(ge=1, le=20)] = 1
    judge_context: JudgeContext = "evidence"
    judge_side_by_side: bool = False
    rubric: _Text | None = None
    concurrency: Annotated[int, Field(ge=1, le=in_flight.MOST)] = 8
    epochs: Annotated[int, Field(ge=1, le=100)] = 1
    seed: int = 1
    budget_usd: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    base_url: _Text | None = None
    prices: dict[_Text, OwnRates] = Field(default_factory=dict)
    redact: tuple[_Text, ...] = ()

    @property
    def panel(self) -> Panel:
        """Who judges, and how."""
        return Panel(self.judges, self.judge_repeats, self.judge_context, self.judge_side_by_side)

    @field_validator("judge")
    @classmethod
    def _is_a_list_now(cls, judge: object) -> None:
        raise ValueError(f"key 'judge' is now a list; write `judges: [{judge}]`")

    @field_validator("prices")
    @classmethod
    def _are_named_as_in_runs(cls, prices: dict[str, OwnRates]) -> dict[str, OwnRates]:
        return {with_platform(model): rates for model, rates in prices.items()}

    @field_validator("redact")
    @classmethod
    def _are_patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                hiding(pattern)
            except ValueError as error:
                raise ValueError(f"pattern {pattern!r} {error}") from error
        return patterns

    @field_validator("models", "judges")
    @classmethod
    def _are_different(cls, models: tuple[str, ...]) -> tuple[str, ...]:
        for model in models:
            if models.count(model) > 1:
                raise ValueError(f"model {model!r} stands twice; name it once")
        return models
