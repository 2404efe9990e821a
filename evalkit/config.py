"""`evalkit.yaml`: a project's own defaults for models, judge and rubric. Everything in it is optional."""

from typing import Annotated

from pydantic import Field, field_validator

from evalkit.models import DEFAULT_JUDGE, LINE_UP
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

    `budget_usd` is what each run file may cost in all, production and judging together.
    """

    models: Annotated[tuple[_Text, ...], Field(min_length=1)] = LINE_UP
    judge: _Text = DEFAULT_JUDGE
    rubric: _Text | None = None
    concurrency: Annotated[int, Field(ge=1, le=256)] = 8
    epochs: Annotated[int, Field(ge=1, le=100)] = 1
    seed: int = 1
    budget_usd: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    base_url: _Text | None = None
    prices: dict[_Text, OwnRates] = Field(default_factory=dict)

    @field_validator("models")
    @classmethod
    def _are_different(cls, models: tuple[str, ...]) -> tuple[str, ...]:
        for model in models:
            if models.count(model) > 1:
                raise ValueError(f"model {model!r} stands twice; name it once")
        return models
