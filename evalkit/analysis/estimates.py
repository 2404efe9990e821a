"""Every figure of an analysis that has an interval, wherever it stands."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

from evalkit.analysis.results import Analysis
from evalkit.stats import Estimate

_WITHOUT = {"spec", "outputs", "documents", "sessions", "workers"}
"""What has none, and is long."""


def estimates_of(analysis: Analysis) -> Iterator[Estimate]:
    """All of them, as they come."""
    for one in fields(analysis):
        if one.name not in _WITHOUT:
            yield from _inside(getattr(analysis, one.name))


def _inside(value: object) -> Iterator[Estimate]:
    if isinstance(value, Estimate):
        yield value
    elif is_dataclass(value):
        for one in fields(value):
            yield from _inside(getattr(value, one.name))
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _inside(one)
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _inside(one)
