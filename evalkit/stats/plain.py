"""Plain Python values instead of numpy's, in every result."""

from dataclasses import fields
from typing import Any

import numpy as np

from evalkit.frozen import dataclass


def plain(value: Any) -> Any:
    """Numpy scalars as float, int or bool, arrays as lists, inside lists and tuples too; anything else as it is."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if type(value) in (list, tuple):
        return type(value)(map(plain, value))
    return value


@dataclass(frozen=True, slots=True)
class Plain:
    """A frozen dataclass whose fields are made plain when it is constructed."""

    def __post_init__(self) -> None:
        """Replace numpy values by plain ones."""
        for field in fields(self):
            object.__setattr__(self, field.name, plain(getattr(self, field.name)))
