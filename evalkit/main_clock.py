"""The clock that waits are told by: what a user felt, or one attempt's where that alone is known."""

from collections.abc import Mapping
from typing import Literal

from evalkit.analysis.results import Analysis, ModelResult

MainClock = Literal["felt", "total"]
NAMES: Mapping[MainClock, str] = {"felt": "Felt latency", "total": "Latency of one attempt"}


def timed(model: ModelResult, name: str) -> int:
    """How many trials a clock of a model holds: whole answers, and calls that timed out."""
    clock = model.clocks.get(name)
    return len(clock.values_s) + len(clock.censored_s) if clock is not None else 0


def main_clock(analysis: Analysis) -> MainClock:
    """`felt` unless no answer of any model has it and some have their own latency, as imported ones do."""
    known = [name for model in analysis.models for name, clock in model.clocks.items() if clock.values_s]
    return "total" if "total" in known and "felt" not in known else "felt"
