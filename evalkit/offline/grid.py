"""Cells as a spreadsheet gives them back, and how a person finds one of them."""

from collections.abc import Sequence
from typing import Any

from evalkit.frozen import dataclass

Grid = Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Formula:
    """A cell that computes something, which is no answer of a person."""

    text: str


def address(row: int, column: int) -> str:
    """How a spreadsheet calls a cell; row and column from 0."""
    letters = ""
    place = column + 1
    while place:
        place, digit = divmod(place - 1, 26)
        letters = chr(ord("A") + digit) + letters
    return f"{letters}{row + 1}"


def is_blank(value: Any) -> bool:
    """Whether a cell has nothing in it that a person would see."""
    return value is None or (isinstance(value, str) and not value.strip())
