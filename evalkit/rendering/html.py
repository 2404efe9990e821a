"""The report as one HTML file: Jinja2 with autoescape, charts inline, everything allowed by hash."""

import base64
import hashlib
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache, lru_cache
from importlib.util import cache_from_source
from itertools import pairwise
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket
from markupsafe import Markup, escape

from evalkit import __version__
from evalkit.blind import NAMING, names_in
from evalkit.blocks import (
    Block,
    ItemView,
    Section,
)
from evalkit.chart_blocks import (
    Axis,
    Chart,
    Series,
)
from evalkit.charts import NARROW, WIDE, draw
from evalkit.charts.cell import draw_cell, draw_head
from evalkit.charts.mark import legend_mark
from evalkit.rendering.chart_table import table_of
from evalkit.series import SLOTS
from evalkit.stats import Estimate
from evalkit.wording import visible

_TEMPLATES = Path(__file__).parent.parent / "templates"
"""By its path: `importlib.resources` would be loaded for nothing else."""


def render(sections: Sequence[Section], page: dict[str, Any]) -> str:
    """The whole document. `page` has title, simulated, run and facts: see the template's first lines."""
    style, script = _asset("report.css"), _asset("report.js")
    template = _environment().get_template("report.html.j2")
    return template.render(
        sections=sections,
        style=Markup(style),  # noqa: S704  # our own file, and its hash is in the policy
        script=Markup(script),  # noqa: S704
        policy=_policy(style, script),
        **page,
    )


def _asset(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8").replace("\r\n", "\n")


def _policy(style: str, script: str) -> str:
    """Nothing may load or run but the one style and the one script of this file."""
    return (
        f"default-src 'none'; style-src 'sha256-{_hash(style)}'; script-src 'sha256-{_hash(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


class _Compiled(FileSystemBytecodeCache):
    """Templates, compiled, where Python keeps our compiled modules: that takes longer than to fill them.

    Where Python may not write its own, these are not kept either.
    """

    def __init__(self) -> None:
        super().__init__(str(Path(cache_from_source(__file__)).parent), f"html-{__version__}-%s.jinja")

    def load_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError):
            super().load_bytecode(bucket)

    def dump_bytecode(self, bucket: Bucket) -> None:
        if not sys.dont_write_bytecode:
            with suppress(OSError):
                super().dump_bytecode(bucket)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        bytecode_cache=_Compiled(),
    )
    environment.filters.update(
        flow=_flow, named=_named, breakable=_breakable, mark=_mark, ink=_ink
    )  # of every text and figure: a call takes longer
    environment.globals.update(
        kind=_kind,
        shape=_shape,
        chart=_chart,
        figures=table_of,
        cell_chart=_cell_chart,
        head_chart=_head_chart,
    )
    return environment


def _finalize(value: object) -> object:
    """Every plain value that reaches the page has its hidden characters spelled out."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


_UNBROKEN = re.compile(r"(\S{0,20}\d\S{0,20}–\S{1,20}|−\S{1,20})")
_HELD_SPACE = re.compile(r"(?<=[A-Za-z]) (?=\d)|(?<=\d) (?=(?:s|items?|attempts?)\b)")


@lru_cache(maxsize=1024)  # figures and labels come again in charts' tables, and in cells
def _flow(text: str) -> Markup:
    """Text whose lines do not break inside an interval, after a minus, nor between a word and its number."""
    parts = _UNBROKEN.split(_HELD_SPACE.sub("\N{NO-BREAK SPACE}", visible(text)))
    held = Markup('<span class="held">{}</span>')
    return Markup("").join(held.format(part) if i % 2 else part for i, part in enumerate(parts))


_UNSPACED = re.compile(r"\S{200,}")
_STEP = 40


def _breakable(text: str) -> Markup:
    """Text in which long runs without a space can be broken, also where a build server's policy allows no style."""
    shown, parts, end = visible(text), [], 0
    for run in _UNSPACED.finditer(shown):
        places = range(run.start() + _STEP, run.end(), _STEP)
        for start, stop in pairwise((end, *places)):
            parts.append(escape(shown[start:stop]))
        end = places[-1]
    return Markup("<wbr>").join([*parts, escape(shown[end:])])


_NAME = Markup('<span class="own"><span>{}</span></span>')


def _named(text: str, item: ItemView) -> Markup:
    """What is said of an item's outputs, in which the style sheet can hide the names of models as graders' are hidden.

    `_looked_for` is asked first, since few texts have a name in them.
    """
    ids = tuple(dict.fromkeys(name for o in item.outputs for name in (o.series.key, o.series.name)))
    if text.isascii() and not _looked_for(ids).search(text):
        return _breakable(text)
    context = f"{item.task.whole}\n{item.reference.whole if item.reference else ''}"
    parts, end = [], 0
    for start, stop in names_in(text, ids, context):
        parts += [_breakable(text[end:start]), _NAME.format(visible(text[start:stop]))]
        end = stop
    return Markup("").join([*parts, _breakable(text[end:])])


@cache
def _looked_for(ids: tuple[str, ...]) -> re.Pattern[str]:
    """Words without one of which a plain text names nobody."""
    return re.compile("|".join(map(re.escape, (*NAMING, *ids))), re.IGNORECASE)


def _kind(block: Block) -> str:
    return "chart" if isinstance(block, Chart) else type(block).__name__.lower()


def _shape(chart: Chart) -> str:
    return type(chart).__name__.lower()


def _chart(chart: Chart) -> Markup:
    return Markup(draw(chart, WIDE) + draw(chart, NARROW))  # noqa: S704  # the drawing escapes its texts


def _cell_chart(axis: Axis, estimate: Estimate, series: Series | None) -> Markup:
    return Markup(draw_cell(axis, estimate, series))  # noqa: S704


def _head_chart(axis: Axis, narrow: bool = False) -> Markup:
    return Markup(draw_head(axis, narrow=narrow))  # noqa: S704


@cache
def _mark(series: Series) -> Markup:
    return Markup(legend_mark(series))  # noqa: S704


def _ink(series: Series | None) -> str:
    return "" if series is None or series.slot < 0 else f"c{series.slot % SLOTS}"
