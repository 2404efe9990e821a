"""Labels that do not collide: how wide text is, where a name fits, how to spread a stack of names."""

from collections.abc import Sequence
from functools import lru_cache
from math import hypot

from evalkit.frozen import dataclass

_EM = {
    c: em
    for chars, em in (
        (":", 0.38),
        ("il|'", 0.3),
        (" jftIJ.,;!()[]/·-", 0.38),
        ("rs–", 0.5),
        ("mwM%×→−+<>=~", 0.96),
        ("W@…—", 1.0),
    )
    for c in chars
}
_UPPER, _OTHER, _WIDE, _BOLD = 0.72, 0.64, 1.1, 1.11
"""Em widths of DejaVu Sans, the widest of the faces that the page asks for, and how much wider its bold is."""


_IDEOGRAPHS = "\u2e80"
"""From here on characters are mostly as wide as they are high."""


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """About how wide text is in a sans-serif face, px; on the safe side, since the reader's font is unknown."""
    return _em(text) * size * (_BOLD if bold else 1.0)


@lru_cache(maxsize=1024)  # names and ticks are tried in many places
def _em(text: str) -> float:
    return sum(_EM.get(c, _WIDE if c >= _IDEOGRAPHS else _UPPER if c.isupper() else _OTHER) for c in text)


def fit(text: str, size: float, room: float, *, bold: bool = False) -> str:
    """The text, cut with an ellipsis if it is wider than the room in px."""
    if text_width(text, size, bold=bold) <= room:
        return text
    while text and text_width(text + "…", size, bold=bold) > room:
        text = text[:-1]
    return text.rstrip() + "…"


@dataclass(frozen=True)
class Box:
    """A rectangle that is taken, px."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: "Box") -> bool:
        """Whether two rectangles overlap."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom

    def within(self, other: "Box") -> bool:
        """Whether no part of it is outside the other."""
        across = self.left >= other.left and self.right <= other.right
        return across and self.top >= other.top and self.bottom <= other.bottom

    def overlap(self, other: "Box") -> float:
        """The area they share, px²."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(width, 0) * max(height, 0)

    def distance(self, other: "Box") -> float:
        """How far apart they are at the nearest, px; 0 where they touch."""
        across = max(self.left - other.right, other.left - self.right, 0)
        return hypot(across, max(self.top - other.bottom, other.top - self.bottom, 0))


@dataclass(frozen=True)
class Placed:
    """Where a name goes: baseline point, anchor, and the box it takes."""

    x: float
    y: float
    anchor: str
    box: Box


@dataclass(frozen=True)
class Marks:
    """What is drawn of the point that a name is for, and of the others that it must not seem to be for."""

    own: Sequence[Box]
    others: Sequence[Box] = ()

    def owned(self, name: Box) -> bool:
        """Whether a reader sees whose name it is: nothing of another point is about as near."""
        if not self.others:
            return True
        near = min((name.distance(box) for box in self.own), default=0.0)
        return all(name.distance(box) >= near + _APART for box in self.others)


def place(
    text: str,
    size: float,
    at: tuple[float, float],
    marks: Marks,
    frame: Box,
    names: Sequence[Box] = (),
    lines: Sequence[Box] = (),
) -> Placed:
    """The best place for a bold name near a point: of those nearest to its own marks the first that touches nothing,
    else the one that hides least, of other `names` before all else that is drawn."""
    candidates = [_candidate(text, size, at, side, gap) for gap in _GAPS for side in _SIDES]
    inside = [c for c in candidates if c.box.within(frame)] or candidates
    inside = [c for c in inside if marks.owned(c.box)] or inside
    taken = [*marks.own, *marks.others, *lines]
    for candidate in inside:
        if not any(candidate.box.meets(box) for box in (*taken, *names)):
            return candidate
    return min(inside, key=lambda c: [sum(c.box.overlap(box) for box in boxes) for boxes in (names, taken)])


_APART = 3.0
"""By how much nearer a name is to its own point than to any other, px."""
_GAPS = (10.0, 20.0, 34.0, 52.0, 70.0, 88.0)
_SIDES = ((1, -1), (1, 1), (-1, -1), (-1, 1), (0, -1), (0, 1))


def _candidate(text: str, size: float, at: tuple[float, float], side: tuple[int, int], gap: float) -> Placed:
    width, (across, down) = text_width(text, size, bold=True), side
    x = at[0] + across * gap
    y = at[1] + (size + gap - 4 if down > 0 else -gap + 2)
    left = x if across > 0 else x - width if across < 0 else x - width / 2
    anchor = {1: "start", -1: "end", 0: "middle"}[across]
    return Placed(x, y, anchor, Box(left - 2, y - size, left + width + 2, y + 4))


def spread(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """The positions moved apart to at least `gap`, as little as needed, in their order, within low..high if it fits."""
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    moved = [min(max(positions[i], low), high) for i in order]
    for i in range(1, len(moved)):
        moved[i] = max(moved[i], moved[i - 1] + gap)
    if moved and moved[-1] > high:
        moved[-1] = high
        for i in range(len(moved) - 2, -1, -1):
            moved[i] = min(moved[i], moved[i + 1] - gap)
    result = [0.0] * len(positions)
    for place_, i in zip(moved, order, strict=True):
        result[i] = place_
    return result
