"""Reading drawings back: their elements as they are painted, and where their lines run."""

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from evalkit.charts.labels import Box


def parse(drawing: str) -> ElementTree.Element:
    """A drawing of ours as XML: it must be well-formed."""
    return ElementTree.fromstring(drawing)  # noqa: S314  # written a line before


def painted(drawing: ElementTree.Element, **inherited: str) -> Iterator[tuple[str, str | None, dict[str, str]]]:
    """All elements with their texts, and with what they take from the groups that they stand in."""
    for element in drawing:
        own = inherited | element.attrib
        yield element.tag, element.text, own
        yield from painted(element, **{name: value for name, value in own.items() if name not in ("d", "id")})


def points(path: str) -> list[list[tuple[float, float]]]:
    """The corners of each of a path's pieces, from the edge of the drawing."""
    pieces: list[list[tuple[float, float]]] = []
    x = y = 0.0
    for kind, numbers in re.findall(r"([MLHVlhvZ])([^MLHVlhvZ]*)", path):
        found = [float(n) for n in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", numbers)]
        steps = list(zip(found[::2], found[1::2], strict=True)) if kind in "MLl" else [(n, n) for n in found]
        for across, down in steps:
            x = x if kind in "Vv" else x + across if kind.islower() else across
            y = y if kind in "Hh" else y + down if kind.islower() else down
            pieces += [[]] if kind == "M" else []
            pieces[-1].append((x, y))
    return pieces


def lines_of(drawing: ElementTree.Element) -> list[tuple[str, Box]]:
    """The straight lines that are not dashed: the colour of each, and where it is."""
    return [
        (own["stroke"], Box(min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1])))
        for tag, _, own in painted(drawing)
        if tag == "path" and "fill" not in own and "stroke-dasharray" not in own
        for a, b in points(own["d"])
    ]
