"""Reading a rendered report: cached pages of the invented runs, their elements, sections and words."""

import re
from functools import cache
from html.parser import HTMLParser

from report_variants import VARIANTS

from evalkit.analysis.results import Analysis
from evalkit.blocks import (
    Section,
    Text,
)
from evalkit.report import build_report, render_html


@cache
def made(name: str) -> Analysis:
    return VARIANTS[name]()


@cache
def page(name: str) -> str:
    return render_html(made(name))


class Elements(HTMLParser):
    """Every start tag with its attributes, and whether each tag that opens also closes."""

    VOID = frozenset({"meta", "link", "input", "br", "wbr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.crossed: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.crossed.append(tag)


def section(analysis: Analysis, name: str) -> Section:
    return next(s for s in build_report(analysis).sections if s.name == name)


def plain_text(text: Text) -> str:
    """The words without their tones."""
    return "".join(span.text for span in text)


def all_words(name: str) -> str:
    """The text of a page, without markup."""
    return " ".join(re.sub(r"<(style|script)>.*?</\1>|<[^>]+>", " ", page(name), flags=re.S).split())
