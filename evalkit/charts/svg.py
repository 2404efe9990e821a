"""Writing SVG: elements with escaped text, rounded coordinates, and colours that CSS can override."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from html import escape
from itertools import groupby

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


PRINTED = 13.9
"""Size of all text of the wide drawing on paper, as `report.css` has it; room is kept for it on the screen too."""


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


def course(points: Sequence[tuple[float, float]]) -> str:
    """What a path through the points draws: each step from the point before, and from the edge where that is shorter.

    Points are rounded first, so that no error of rounding adds up along the way.
    """
    drawn, last, before = "", (0, 0), ""
    for x, y in ((_tenths(x), _tenths(y)) for x, y in points):
        if not drawn:
            drawn = f"M{_listed(x, y)}"
        elif (x, y) != last:
            across, down = x - last[0], y - last[1]
            kind, to, by = ("L", (x, y), (across, down)) if across and down else ("H", (x,), (across,))
            if not across:
                kind, to, by = "V", (y,), (down,)
            steps = [(name, _listed(*way)) for name, way in ((kind, to), (kind.lower(), by))]
            written = [f"{name}{way}" if name != before else way if way[0] == "-" else f" {way}" for name, way in steps]
            place = min((0, 1), key=lambda i: len(written[i]))
            drawn, before = drawn + written[place], steps[place][0]
        last = (x, y)
    return drawn


def _tenths(x: float) -> int:
    return round(float(px(x)) * 10)


def _listed(*tenths: int) -> str:
    """Numbers in tenths as a path has them: without a zero before the point, nor a space before a minus."""
    text = ""
    for number in tenths:
        whole, part = divmod(abs(number), 10)
        said = f"{'-' if number < 0 else ''}{whole or '' if part else whole}{f'.{part}' if part else ''}"
        text += said if not text or said[0] == "-" else f" {said}"
    return text


_SIZE, _INK = 12.0, "dim"
"""Of text that states no other: px, and its colour."""


Element = tuple[str, dict[str, str], str | None]
"""An element that holds no others: its name, its attributes, and its text if there is any."""
_INHERITED = frozenset(
    (
        "fill", "font-size", "font-weight", "stroke", "stroke-dasharray", "stroke-linecap", "stroke-linejoin",
        "stroke-width", "text-anchor",
    )
)  # fmt: skip
"""Attributes that an element takes from the group it stands in."""


class Svg:
    """A drawing in the making; elements appear in the order in which they are added.

    What is painted alike takes least room where it is added together: lines become one path, and all else a group.
    """

    def __init__(self, width: float, height: float, label: str, *, links: bool = False) -> None:
        self.width, self.height = width, height
        self._label, self._role = label, "group" if links else "img"
        self._parts: list[Element | str] = []

    def add(self, tag: str, attributes: dict[str, str], text: str | None = None) -> None:
        """An element, closed, with text if there is any."""
        self._parts.append((tag, attributes, text))

    def open(self, tag: str, attributes: dict[str, str]) -> None:
        """The start of an element that holds others; `close` ends it."""
        self._parts.append(f"<{tag}{_listing(attributes)}>")

    def close(self, tag: str) -> None:
        """The end of an element."""
        self._parts.append(f"</{tag}>")

    def line(self, x1: float, y1: float, x2: float, y2: float, paint: dict[str, str], **more: str) -> None:
        """A straight line; `more` attributes have `_` for `-`."""
        inside = {"fill"}  # a line has none
        outside = {name: paint[name] for name in paint if name not in inside}
        self.add("path", {"d": course(((x1, y1), (x2, y2)))} | outside | _dashed(more))

    def rect(self, x: float, y: float, width: float, height: float, paint: dict[str, str], **more: str) -> None:
        """A rectangle; a negative size is drawn as none."""
        box = {"x": px(x), "y": px(y), "width": px(max(width, 0)), "height": px(max(height, 0))}
        self.add("rect", box | paint | _dashed(more))

    def path(self, points: list[tuple[float, float]], paint: dict[str, str], **more: str) -> None:
        """A polyline through the points."""
        self.add("path", {"d": course(points)} | paint | _dashed(more))

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

    def finish(self, variant: str, *, decoration: bool = False, shrinks: bool = True) -> str:
        """The whole drawing; the narrow variant stays hidden where no style sheet decides.

        One that never `shrinks` with the page needs no box that says what of it is to be seen.
        """
        wide, high = px(self.width), px(self.height)
        size = f'class="{"chart " * shrinks}{variant}" width="{wide}" height="{high}"'
        size += f' viewBox="0 0 {wide} {high}"' if shrinks else ""
        hidden = ' display="none"' if "narrow" in variant.split() else ""
        drawn, font = "".join(_written(self._parts)), f'font-size="{px(_SIZE)}" fill="{INKS[_INK]}"'
        if decoration:
            return f'<svg {size}{hidden} aria-hidden="true"{f" {font}" if "<text" in drawn else ""}>{drawn}</svg>'
        name = f'role="{self._role}" aria-label="{_clean(self._label)}" font-family="{FONT}"'
        return f"<svg {size}{hidden} {name} {font}>{drawn}</svg>"


def _written(parts: Sequence[Element | str]) -> Iterator[str]:
    """The elements as text; neighbours that are painted alike in a group that says how, where that is shorter."""
    for look, alike in groupby(_joined(parts), key=_look):
        elements, shared = list(alike), _listing(dict(look))
        grouped = len(shared) * (len(elements) - 1) > len("<g></g>")
        if grouped:
            yield f"<g{shared}>"
        for element in elements:
            yield element if isinstance(element, str) else _closed(element, _INHERITED if grouped else frozenset())
        if grouped:
            yield "</g>"


def _joined(parts: Sequence[Element | str]) -> Iterator[Element | str]:
    """The parts, with neighbouring paths of one look in one path; filled and framed ones would hide each other."""
    look: dict[str, str] = {}
    drawn: list[str] = []
    for part in parts:
        path = {} if isinstance(part, str) or part[0] != "path" or part[2] is not None else part[1]
        own = {name: value for name, value in path.items() if name != "d"}
        joins = bool(path) and ("stroke" not in own or own.get("fill", "none") == "none")
        if drawn and not (joins and own == look):
            yield "path", {"d": "".join(drawn)} | look, None
            drawn = []
        if joins:
            look, drawn = own, [*drawn, path["d"]]
        else:
            yield part
    if drawn:
        yield "path", {"d": "".join(drawn)} | look, None


def _look(part: Element | str) -> tuple[tuple[str, str], ...]:
    """How an element is painted, as far as a group can say it for several."""
    return () if isinstance(part, str) else tuple((n, value) for n, value in part[1].items() if n in _INHERITED)


def _closed(element: Element, but: frozenset[str]) -> str:
    tag, attributes, text = element
    own = _listing({name: value for name, value in attributes.items() if name not in but})
    return f"<{tag}{own}/>" if text is None else f"<{tag}{own}>{_clean(text)}</{tag}>"


def _listing(attributes: dict[str, str]) -> str:
    return "".join([f' {name}="{_clean(value)}"' for name, value in attributes.items()])


def variant(width: int) -> str:
    """The name of the page width a drawing is for."""
    return "narrow" if width < 600 else "wide"


@lru_cache(maxsize=1024)  # colours, classes and sizes are the same in most elements
def _clean(text: str) -> str:
    return escape(visible(text), quote=True)


def _dashed(more: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in more.items()}
