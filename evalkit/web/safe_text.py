"""Untrusted text as a tree that a page can build without ever reading markup: Markdown, JSON, or as it stands.

A node is a string, or `[tag, attributes, children]` with a tag of `TAGS`. Nothing in it loads or runs: images are
off, a link is its text with the address behind it, raw HTML is text. Nothing is lost either: hidden characters are
spelled out, and a text of which the rendering would swallow a letter is shown as it stands.
"""

import json
import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from evalkit.blind import HIDDEN
from evalkit.wording import visible

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

Node = str | list[Any]
TAGS = frozenset({
    "p", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code", "em", "strong", "s", "br", "hr",
    "table", "thead", "tbody", "tr", "th", "td", "span", "mark",
})  # fmt: skip
"""Every tag that a tree can hold."""

LONGEST_RENDERED = 200_000
"""Characters of a text that is rendered at most; a longer one is shown as it stands."""
_DEEPEST = 20
_MARKED = re.compile(rf"(⟦U\+[0-9A-F]{{4,6}}⟧|{re.escape(HIDDEN)})")
_OFF = ("image", "reference", "code", "html_block", "html_inline", "lheading", "entity", "autolink")
_JSON_PARTS = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


@lru_cache(maxsize=256)
def rendered(text: str) -> tuple[Node, ...]:
    """An output or a Markdown document as its author meant it to be read."""
    shown = visible(text)
    if not text.strip() or len(shown) > LONGEST_RENDERED:
        return plain(text)
    pretty = _pretty_json(shown)
    if pretty is not None:
        return (["pre", {}, marked(pretty)],)
    tree = _from_markdown(shown)
    return plain(text) if tree is None else tuple(tree)


@lru_cache(maxsize=256)
def plain(text: str) -> tuple[Node, ...]:
    """Text as it stands, in one piece whose white space counts."""
    return (["span", {"class": "plain"}, marked(text)],)


def marked(text: str) -> list[Node]:
    """Text with each spelled-out character and each hidden name as a node of its own, to be seen at a glance."""
    parts = _MARKED.split(visible(text))
    return [["mark", {}, [part]] if i % 2 else part for i, part in enumerate(parts) if part]


def _pretty_json(text: str) -> str | None:
    """A JSON object or list on several lines, its tokens as they stand; None if it is none."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return None
    lines, depth, before = [""], 0, ""
    for part in _JSON_PARTS.findall(text):
        if part in ("}", "]"):
            depth -= 1
            if before not in ("{", "["):
                lines.append("  " * depth)
        elif before in ("{", "[", ","):
            lines.append("  " * depth)
        lines[-1] += part + (" " if part == ":" else "")
        depth += part in ("{", "[")
        before = part
    return "\n".join(lines)


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": _DEEPEST})
    parser.enable(["table", "strikethrough"]).disable(list(_OFF))
    setattr(parser, "validateLink", lambda _: True)  # noqa: B010  any address is shown, as it stands, and none followed
    setattr(parser, "normalizeLink", lambda url: url)  # noqa: B010
    return parser


def _from_markdown(text: str) -> list[Node] | None:
    """The tree of a Markdown text; None if it nests too deep or if a letter of it would not be shown."""
    tokens = _parser().parse(text)
    if any(token.level >= _DEEPEST - 2 for token in tokens):
        return None
    tree = _Builder(tokens).tree
    return tree if _letters(_text_of(tree)) == _letters(text) else None


def _text_of(nodes: Sequence[Node]) -> str:
    return "".join(node if isinstance(node, str) else _text_of(node[2]) for node in nodes)


def _letters(text: str) -> int:
    return sum(map(str.isalpha, text))


class _Builder:
    """Walks the tokens of a Markdown parser and nests them."""

    def __init__(self, tokens: "Sequence[Token]") -> None:
        self.tree: list[Node] = []
        self._open: list[list[Node]] = [self.tree]
        self._links: list[str] = []
        self._heading = 2
        self._walk(tokens)

    def _walk(self, tokens: "Sequence[Token]") -> None:
        for token in tokens:
            if token.type == "inline":
                self._walk(token.children or [])
            elif token.type == "link_close":
                self._open[-1].extend(marked(f" ({self._links.pop()})"))
                self._open.pop()
            elif token.nesting < 0:
                self._open.pop()
            elif token.nesting > 0:
                self._begin(token)
            else:
                self._open[-1].extend(_leaf(token))

    def _begin(self, token: "Token") -> None:
        tag = token.tag
        attributes: dict[str, int] = {}
        if token.type == "heading_open":
            self._heading = min(int(tag[1]) + 2, self._heading + 1, 6)
            tag = f"h{self._heading}"
        elif token.type == "list_item_open" and token.info.isdigit():
            attributes = {"value": int(token.info[:9])}
        elif token.type == "link_open":
            self._links.append(_address(token))
            tag = "span"
        children: list[Node] = []
        self._open[-1].append([tag if tag in TAGS else "span", attributes, children])
        self._open.append(children)


def _address(token: "Token") -> str:
    title = token.attrGet("title")
    return str(token.attrGet("href")) + (f' "{title}"' if title else "")


def _leaf(token: "Token") -> list[Node]:
    match token.type:
        case "fence":
            said = [["span", {"class": "language"}, marked(token.info)]] if token.info.strip() else []
            return [*said, ["pre", {}, marked(token.content.rstrip("\n"))]]
        case "code_inline":
            return [["code", {}, marked(token.content)]]
        case "hardbreak" | "softbreak":
            return [["br", {}, []]]
        case "hr":
            return [["hr", {}, []]]
        case _:
            return marked(token.content)
