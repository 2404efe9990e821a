"""Uniform, normal and categorical draws that depend on nothing but the words they are named by."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from statistics import NormalDist
from typing import TypeVar

from evalkit.frozen import dataclass

T = TypeVar("T")

_STANDARD_NORMAL = NormalDist()
_SEPARATOR = "\x1f"


def digest(*parts: object) -> str:
    """SHA-256 (hex) of the parts in order."""
    return hashlib.sha256(_SEPARATOR.join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()


def uniform(*parts: object) -> float:
    """A number in the open interval (0, 1) fixed by the parts."""
    return (int(digest(*parts)[:13], 16) + 0.5) / 16**13


def normal(*parts: object) -> float:
    """A standard normal number fixed by the parts."""
    return _STANDARD_NORMAL.inv_cdf(uniform(*parts))


@dataclass(frozen=True)
class Draws:
    """All draws of one reply: the same key and the same name always give the same number."""

    key: str

    def uniform(self, name: str) -> float:
        """A number in (0, 1)."""
        return uniform(self.key, name)

    def normal(self, name: str) -> float:
        """A standard normal number."""
        return normal(self.key, name)

    def chance(self, name: str, probability: float) -> bool:
        """True with this probability."""
        return self.uniform(name) < probability

    def choose(self, name: str, options: Sequence[T]) -> T:
        """One of the options, each as likely as the others."""
        return options[int(self.uniform(name) * len(options))]
