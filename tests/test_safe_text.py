"""Untrusted text as a tree: what is shown, that nothing of it is lost, and that nothing in it can act."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.web.safe_text import LONGEST_RENDERED, TAGS, Node, plain, rendered


def words(nodes: Sequence[Node]) -> str:
    return "".join(node if isinstance(node, str) else words(node[2]) for node in nodes)


def parts(nodes: Sequence[Node]) -> Iterator[list[Any]]:
    for node in nodes:
        if not isinstance(node, str):
            yield node
            yield from parts(node[2])


def tags(text: str) -> list[str]:
    return [part[0] for part in parts(rendered(text))]


@pytest.mark.parametrize(
    ("text", "tag", "shown"),
    [
        ("**bold** and `code`", "strong", "bold and code"),
        ("- a\n- b", "li", "ab"),
        ("| a | b |\n|-|-|\n| 1 | 2 |", "td", "ab12"),
        ("```python\nx = 1\n```", "pre", "pythonx = 1"),
        ("> said", "blockquote", "said"),
        ("one\ntwo", "br", "onetwo"),
        ('{"b": [1, {}], "a": 1.0, "a": "x, {y}"}', "pre",
         '{\n  "b": [\n    1,\n    {}\n  ],\n  "a": 1.0,\n  "a": "x, {y}"\n}'),
    ],
)  # fmt: skip
def test_markdown_code_and_json_read_as_they_were_meant(text: str, tag: str, shown: str) -> None:
    assert tag in tags(text)
    assert words(rendered(text)) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
        ("![i](http://x.example/p.png)", "!i (http://x.example/p.png)"),
        ("[here](javascript:alert(1))", "here (javascript:alert(1))"),
        ('[here](http://x.example/ "why")', 'here (http://x.example/ "why")'),
        ("[a]: http://x.example", "[a]: http://x.example"),
        ("&lt;b&gt; &#x202E;", "&lt;b&gt; &#x202E;"),
        ("a\u202eb\u200bc\x00d\x1b[0m\ufeff", "a⟦U+202E⟧b⟦U+200B⟧c⟦U+0000⟧d⟦U+001B⟧[0m⟦U+FEFF⟧"),
        ("| a | b |\n|-|-|\n| 1 | 2 | more |", "| a | b |\n|-|-|\n| 1 | 2 | more |"),
        ("> " * 40 + "deep", "> " * 40 + "deep"),
        ("[" * 9000, "[" * 9000),
    ],
)
def test_what_could_act_or_hide_stands_there_in_plain_sight(text: str, shown: str) -> None:
    assert words(rendered(text)) == shown
    assert {"mark"} >= {part[0] for part in parts(plain(text))} - {"span"}


def test_numbers_of_a_list_and_order_of_headings_are_kept() -> None:
    numbers = [part[1].get("value") for part in parts(rendered("13. LIMITS\n14. MORE\n")) if part[0] == "li"]
    assert numbers == [13, 14]
    assert [tag for tag in tags("#### deep\n\n# top\n\n### under\n") if tag[0] == "h"] == ["h3", "h3", "h4"]


@pytest.mark.parametrize("text", ["x" * 1_000_000, "word " * 100_000, "", " \n "])
def test_a_huge_or_empty_text_is_shown_as_it_stands(text: str) -> None:
    assert len(text) < 10 or len(text) > LONGEST_RENDERED
    assert words(rendered(text)) == text


@pytest.mark.long
@settings(max_examples=150)
@given(st.text(alphabet=st.sampled_from("ab1 \n\t*_`#>-+|[]()<>!&;:~\\/\"'{}.,\u202e\u200d\x00é漢"), max_size=120))
def test_no_letter_is_lost_and_only_known_tags_are_made(text: str) -> None:
    tree = rendered(text)
    assert sum(map(str.isalpha, words(tree).replace("⟦U", "⟦"))) >= sum(map(str.isalpha, text))
    assert {part[0] for part in parts(tree)} <= TAGS
    assert all(set(part[1]) <= {"class", "value"} for part in parts(tree))
    assert not {"\u202e", "\u200d", "\x00"} & set(words(tree))
    json.dumps(tree)
