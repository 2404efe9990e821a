"""Short names: what stands for names that are wider than their room, so that no two of a chart read alike."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from itertools import takewhile

from evalkit.charts.labels import text_width

_TAILS = (0.5, 0.7, 0.3)
"""Shares of what is kept that are taken from a name's end: versions stand there, makers at the start."""

_Fits = Callable[[str], bool]


def short_names(names: Sequence[str], size: float, room: float, *, bold: bool = False) -> dict[str, str]:
    """Each name with its label of at most `room` px: the name itself, else cut in the middle, else down to the part
    that tells it from the others, else numbered in their order. Distinct names have distinct labels."""
    fits: _Fits = partial(_fits, size=size, room=room, bold=bold)
    distinct = list(dict.fromkeys(names))
    for tail in (*_TAILS, _TAILS[0]):  # the first again, where none tells all names apart
        labels = {name: _middle(name, tail, fits) for name in distinct}
        if _unlike(labels):
            break
    alike = [n for n in distinct if list(labels.values()).count(labels[n]) > 1]
    labels |= {name: _window(name, alike, fits) for name in alike}
    if not _unlike(labels):
        labels |= {n: _numbered(n, i, fits) for i, n in enumerate(distinct, start=1) if n in alike}
    return labels


def _fits(text: str, size: float, room: float, bold: bool) -> bool:
    return text_width(text, size, bold=bold) <= room


def _unlike(labels: dict[str, str]) -> bool:
    return len(set(labels.values())) == len(labels)


def _middle(name: str, tail: float, fits: _Fits) -> str:
    """The name with as little as possible left out of its middle."""
    if fits(name):
        return name
    for kept in range(len(name) - 1, 0, -1):
        end = round(kept * tail)
        label = f"{name[: kept - end].rstrip()}…{name[len(name) - end :].lstrip()}"
        if fits(label):
            return label
    return "…"


def _window(name: str, others: Sequence[str], fits: _Fits) -> str:
    """The part in which names differ, with as many of the words around it as there is room for."""
    start = _shared(others)
    end = len(name) - min(_shared([o[::-1] for o in others]), min(map(len, others)) - start)
    if start >= end:  # a name that is the beginning or the end of another differs by what it lacks
        start, end = max(start - 1, 0), min(end + 1, len(name))
    label = _marked(name, start, end)
    edges = sorted({0, len(name), *(m.end() for m in re.finditer(r"[-/_.:@ ]+", name))})
    left, right = [e for e in reversed(edges) if e < start], [e for e in edges if e > end]
    while left or right:
        for side in (left, right):
            if side:
                edge = side.pop(0)
                low, high = (edge, end) if side is left else (start, edge)
                if fits(_marked(name, low, high)):
                    start, end, label = low, high, _marked(name, low, high)
                else:
                    side.clear()
    return label if fits(label) else _middle(label, 0.5, fits)


def _shared(names: Sequence[str]) -> int:
    """How many first characters all names have in common."""
    return len(list(takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))))


def _marked(name: str, start: int, end: int) -> str:
    return ("…" if start else "") + name[start:end].strip() + ("…" if end < len(name) else "")


def _numbered(name: str, place: int, fits: _Fits) -> str:
    """The name's beginning and its place among the names, for names that no short part tells apart."""
    return _middle(name, 0.0, lambda text: fits(f"{text} {place}")) + f" {place}"
