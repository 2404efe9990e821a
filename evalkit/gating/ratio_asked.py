"""The ratio of candidate over baseline that a policy allows."""

from typing import Annotated

from pydantic import AfterValidator, Field

_MOST = 10


def _no_percentage(ratio: float) -> float:
    if ratio > _MOST:
        raise ValueError(f"{ratio:g} is more than {_MOST} times the baseline; write 1.10 for 10 % more")
    return ratio


Ratio = Annotated[float, Field(gt=0, allow_inf_nan=False), AfterValidator(_no_percentage)]
