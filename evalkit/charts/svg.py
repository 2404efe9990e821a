"""Writing SVG: elements with escaped text, rounded coordinates, and colours that CSS can override."""

from functools import lru_cache
from html import escape

from evalkit.wording import visible

FONT = "Inter, system-ui, sans-serif"
INKS = {
    "ink": "#16181c",
    "dim": "#5a5d66",
    "line": "#dddcd5",
    "tint": "#f1f0ea",
    "paper": "#fcfcfa",
    "fail": "#b3261e",
    "m0": "#00757a",
    "m1": "#b0500a",
    "m2": "#5a3fb8",
    "m3": "#9b1d64",
    "m4": "#2b5fc7",
    "m5": "#5f6b00",
}
"""Colours of the light theme by name: what shows where no style sheet is allowed.

One that is knows them by their values, in `report.css`: a class beside each would be a tenth of a page.
"""


def fill(ink: str) -> dict[str, str]:
    """Attributes of a shape filled with a named colour."""
    return {"fill": INKS[ink]}


def stroke(ink: str, width: float = 1.0) -> dict[str, str]:
    """Attributes of a line drawn in a named colour."""
    return {"stroke": INKS[ink], **({"stroke-width": px(width)} if width != 1 else {}), "fill": "none"}


@lru_cache(maxsize=1024)  # rows and columns share theirs
def px(x: float) -> str:
    """A coordinate to a tenth of a pixel, written as briefly as possible."""
    text = f"{x:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


_SIZE, _INK = 12.0, "dim"
"""Of text that states no other: px, and its colour."""


class Svg:
    """A drawing in the making; elements appear in the order in which they are added."""

    def __init__(self, width: float, height: float, label: str, *, links: bool = False) -> None:
        self.width, self.height = width, height
        self._label, self._role = label, "group" if links else "img"
        self._parts: list[str] = []

    def add(self, tag: str, attributes: dict[str, str], text: str | None = None) -> None:
        """An element, closed, with text if there is any."""
        self.open(tag, attributes)
        self._parts[-1] = self._parts[-1][:-1] + ("/>" if text is None else f">{_clean(text)}</{tag}>")

    def open(self, tag: str, attributes: dict[str, str]) -> None:
        """The start of an element that holds others; `close` ends it."""
        inner = "".join([f' {name}="{_clean(value)}"' for name, value in attributes.items()])
        self._parts.append(f"<{tag}{inner}>")

    def close(self, tag: str) -> None:
        """The end of an element."""
        self._parts.append(f"</{tag}>")

    def line(self, x1: float, y1: float, x2: float, y2: float, paint: dict[str, str], **more: str) -> None:
        """A straight line; `more` attributes have `_` for `-`."""
        ends = {"x1": px(x1), "y1": px(y1), "x2": px(x2), "y2": px(y2)}
        inside = {"fill"}  # a line has none
        self.add("line", ends | {name: paint[name] for name in paint if name not in inside} | _dashed(more))

    def rect(self, x: float, y: float, width: float, height: float, paint: dict[str, str], **more: str) -> None:
        """A rectangle; a negative size is drawn as none."""
        box = {"x": px(x), "y": px(y), "width": px(max(width, 0)), "height": px(max(height, 0))}
        self.add("rect", box | paint | _dashed(more))

    def path(self, points: list[tuple[float, float]], paint: dict[str, str], **more: str) -> None:
        """A polyline through the points."""
        drawn, last = "", ("", "")
        for x, y in ((px(x), px(y)) for x, y in points):
            across = "" if x == last[0] else f"H{x}"
            drawn += (f"V{y}" if not across else across if y == last[1] else f"L{x} {y}") if drawn else f"M{x} {y}"
            last = (x, y)
        self.add("path", {"d": drawn} | paint | _dashed(more))

    def text(
        self,
        x: float,
        y: float,
        words: str,
        ink: str = _INK,
        *,
        size: float = 12,
        anchor: str = "start",
        bold: bool = False,
    ) -> None:
        """A line of text with its baseline at y."""
        place = {"x": px(x), "y": px(y)}
        if size != _SIZE:
            place["font-size"] = px(size)
        if anchor != "start":
            place["text-anchor"] = anchor
        if bold:
            place["font-weight"] = "600"
        self.add("text", place if ink == _INK else place | fill(ink), words)

    def halo(self, x: float, y: float, words: str, ink: str, *, size: float = 12, anchor: str = "start") -> None:
        """A bold line of text that stays readable on top of lines."""
        back = {"fill": INKS["paper"], "stroke": INKS["paper"], "stroke-width": "4"}
        place = {"x": px(x), "y": px(y), "font-size": px(size), "font-weight": "600", "text-anchor": anchor}
        self.add("text", place | back | {"stroke-linejoin": "round", "aria-hidden": "true"}, words)
        self.add("text", place | fill(ink), words)

    def finish(self, variant: str, *, decoration: bool = False) -> str:
        """The whole drawing; the narrow variant stays hidden where no style sheet decides."""
        wide, high = px(self.width), px(self.height)
        size = f'class="chart {variant}" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}"'
        hidden = ' display="none"' if "narrow" in variant.split() else ""
        drawn, font = "".join(self._parts), f'font-size="{px(_SIZE)}" fill="{INKS[_INK]}"'
        if decoration:
            return f'<svg {size}{hidden} aria-hidden="true"{f" {font}" if "<text" in drawn else ""}>{drawn}</svg>'
        name = f'role="{self._role}" aria-label="{_clean(self._label)}" font-family="{FONT}"'
        return f"<svg {size}{hidden} {name} {font}>{drawn}</svg>"


def variant(width: int) -> str:
    """The name of the page width a drawing is for."""
    return "narrow" if width < 600 else "wide"


@lru_cache(maxsize=1024)  # colours, classes and sizes are the same in most elements
def _clean(text: str) -> str:
    return escape(visible(text), quote=True)


def _dashed(more: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in more.items()}
