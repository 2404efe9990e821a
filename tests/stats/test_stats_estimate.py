"""The Estimate record and the checks of arguments."""

import dataclasses

import numpy as np
import pytest

from evalkit.stats import Estimate
from evalkit.stats.estimate import no_estimate
from evalkit.stats.inputs import check_same_length, numbers


def test_estimate_is_frozen() -> None:
    estimate = Estimate(0.5, 0.4, 0.6, 0.95, 10, "Wilson score")
    assert (estimate.warnings, estimate.reason) == ((), None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        estimate.value = 1.0


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("field", ["value", "low", "high"])
def test_estimate_refuses_what_is_not_finite(field: str, number: float) -> None:
    numbers_given: dict[str, float | None] = {"value": 0.5, "low": None, "high": None, field: number}
    with pytest.raises(ValueError, match=f"{field} = {number} is not finite"):
        Estimate(**numbers_given, confidence=0.95, n=1, method="m")


def test_estimate_refuses_crossed_bounds() -> None:
    with pytest.raises(ValueError, match=r"low = 0.6 is above high = 0.4"):
        Estimate(0.5, 0.6, 0.4, 0.95, 10, "m")


def test_estimate_needs_a_reason_exactly_when_there_is_no_value() -> None:
    assert no_estimate("no trials", 0.95, "m").reason == "no trials"
    with pytest.raises(ValueError, match="exactly one"):
        Estimate(None, None, None, 0.95, 0, "m")
    with pytest.raises(ValueError, match="exactly one"):
        Estimate(0.5, None, None, 0.95, 1, "m", reason="none")


def test_numbers_accepts_flat_lists_arrays_and_flags() -> None:
    assert numbers("x", [True, False]).tolist() == [1.0, 0.0]
    assert numbers("x", np.array([1, 2])).tolist() == [1.0, 2.0]
    assert numbers("x", []).tolist() == []


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), None, 1e101])
def test_numbers_names_the_first_offender(bad: float) -> None:
    with pytest.raises(ValueError, match=r"x\[1\] = "):
        numbers("x", [0.0, bad, bad])


def test_numbers_refuses_tables() -> None:
    with pytest.raises(ValueError, match="2 dimensions"):
        numbers("x", np.zeros((2, 2)))


def test_different_lengths_are_named() -> None:
    with pytest.raises(ValueError, match="a has 1, b has 2"):
        check_same_length(a=[1], b=[1, 2])
