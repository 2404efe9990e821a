"""Scales and ticks: from values to pixels, and which values to name on an axis."""

import math
from collections.abc import Callable, Mapping
from decimal import Decimal

from evalkit.chart_blocks import (
    Axis,
)
from evalkit.charts.labels import text_width
from evalkit.frozen import dataclass
from evalkit.wording import Format


@dataclass(frozen=True)
class Scale:
    """Maps `low`..`high` to pixels `start`..`end` (which may run downwards); values beyond are held at the end."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        share = self._share(min(max(value, self.low), self.high))
        return self.start + share * (self.end - self.start)

    def holds(self, value: float) -> bool:
        """Whether a value lies within the axis."""
        return self.low <= value <= self.high

    def _share(self, value: float) -> float:
        if self.high <= self.low:
            return 0.5
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def scale_of(axis: Axis, start: float, end: float) -> Scale:
    """The scale of an axis over a stretch of pixels."""
    return Scale(axis.low, axis.high, start, end, axis.log)


def ticks(axis: Axis, count: int = 6) -> list[float]:
    """Round values on the axis: about `count` of them on a linear axis, 1-2-5 or decades on a logarithmic one."""
    return _log_ticks(axis.low, axis.high, count) if axis.log else _linear_ticks(axis.low, axis.high, count)


def _linear_ticks(low: float, high: float, count: int) -> list[float]:
    if high <= low:
        return [low]
    rough = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)]


def _log_ticks(low: float, high: float, count: int) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for multiples in ((1, 2, 5), (1, 3), (1,)):
        found = [m * 10.0**e for e in range(first, last + 1) for m in multiples]
        inside = [x for x in found if low * (1 - 1e-9) <= x <= high * (1 + 1e-9)]
        if len(inside) <= max(count, 3):
            return inside
    return inside


def named_ticks(axis: Axis, place: Callable[[float], float], count: int = 6) -> list[tuple[float, str]]:
    """Tick values with their names, without those that would run into the one before or the axis's reference."""
    taken: list[tuple[float, float]] = []
    if axis.reference is not None and axis.low <= axis.reference <= axis.high:
        name = axis.reference_label or tick_name(axis.reference, axis)
        taken.append(_extent(place(axis.reference), name))
    named = []
    for value in ticks(axis, count):
        name = tick_name(value, axis)
        low, high = _extent(place(value), name)
        if all(high < a or low > b for a, b in taken):
            taken.append((low, high))
            named.append((value, name))
    return named


def tick_name(value: float, axis: Axis) -> str:
    """What stands at a tick: all digits that the value has, and no more; zero of money without a unit."""
    before, factor, after = _UNITS[axis.format]
    if axis.format == "money":
        before, factor, after = ("", 100, "¢") if 0 < abs(value) < 1 - 1e-9 else ("$" if value else "", 1, "")
    digits = f"{Decimal(f'{abs(value) * factor:.12g}'):,f}"
    digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
    sign = "\N{MINUS SIGN}" if value < 0 else "+" if value > 0 and axis.format in ("points", "shift") else ""
    return f"{sign}{before}{digits}{after}"


_UNITS: Mapping[Format, tuple[str, int, str]] = {
    "percent": ("", 100, "%"), "points": ("", 100, ""), "money": ("$", 1, ""), "ratio": ("", 1, "×"),
    "seconds": ("", 1, " s"), "milliseconds": ("", 1000, " ms"), "minutes": ("", 1, " min"), "tokens": ("", 1, ""),
    "score": ("", 1, ""), "coefficient": ("", 1, ""), "shift": ("", 1, ""),
}  # fmt: skip
"""What stands before the number, what multiplies it, and what stands behind it."""


def name_width(axis: Axis, count: int = 6) -> float:
    """About how wide the widest name of an upright axis is, px, with that of its reference."""
    names = [tick_name(value, axis) for value in ticks(axis, count)]
    marked = [] if axis.reference is None else [tick_name(axis.reference, axis)]
    widths = [text_width(name, 12) for name in names] + [text_width(name, 12, bold=True) for name in marked]
    return max(widths, default=0.0)


def _extent(center: float, name: str) -> tuple[float, float]:
    half = text_width(name, 12) / 2 + 5
    return center - half, center + half
