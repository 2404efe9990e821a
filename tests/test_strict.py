"""Strict reading of YAML and of validation errors: the right line, the right words, nothing read in silence."""

import contextlib
import json
import string
from typing import Annotated, Any, Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, field_validator

from evalkit.strict import (
    NOT_BLANK,
    Problem,
    StrictModel,
    content_sha256,
    did_you_mean,
    line_of,
    mapping_sha256,
    read_strict,
    repeats,
    shown,
    validated,
)
from evalkit.yaml_text import MOST_VALUES, YamlError, parse_readable, parse_yaml


class Leaf(StrictModel):
    weight: float = 1.0
    name: str | None = None


class Twig(StrictModel):
    end: Leaf


class Tree(StrictModel):
    leaves: tuple[Leaf, ...] = ()
    either: tuple[str | Leaf, ...] = ()
    scores: dict[str, float] = Field(default_factory=dict)
    size: int = 1
    twig: Twig | None = None
    anything: dict[str, Any] = Field(default_factory=dict)
    short: str = Field(default="abc", max_length=5)
    word: Annotated[str, Field(min_length=1, pattern=NOT_BLANK)] = "x"
    kind: Literal["a", "b"] = "a"

    @field_validator("size")
    @classmethod
    def _small(cls, size: int) -> int:
        if size > 9:
            raise ValueError(f"size {size} is too large; use less")
        return size


def told(text: str) -> list[str]:
    found = read_strict(Tree, text, "tree.yaml")
    assert isinstance(found, list), found
    return [str(problem) for problem in found]


def test_problem_prints_place_what_and_remedy() -> None:
    assert str(Problem("a.yaml", 3, "x is bad", "mend it")) == "a.yaml:3: x is bad; mend it"


def test_warning_says_that_it_is_one() -> None:
    assert str(Problem("a.yaml", 3, "x is odd", "look", "warning")) == "a.yaml:3: warning: x is odd; look"


def test_unknown_key_suggests_the_nearest() -> None:
    assert told("size: 2\nsiez: 3\n") == ["tree.yaml:2: unknown key 'siez'; did you mean 'size'?"]


def test_unknown_key_far_from_all_lists_them() -> None:
    assert told("zzz: 3\n") == [
        "tree.yaml:1: unknown key 'zzz'; use one of: anything, either, kind, leaves, scores, short, size, twig, word"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("leaves:\n  - weight: 1.0\n    nmae: x\n", "tree.yaml:3: unknown key 'nmae'; did you mean 'name'?"),
        ("leaves:\n  - name: a\n  - wieght: 2\n", "tree.yaml:3: unknown key 'wieght'; did you mean 'weight'?"),
        ("either:\n  - text\n  - wieght: 2\n", "tree.yaml:3: unknown key 'wieght'; did you mean 'weight'?"),
        ("either:\n  - 5\n", "tree.yaml:2: 'either.0' is 5; it must be text or a mapping of keys to values"),
        ("scores:\n  a: 1\n  b: x\n", "tree.yaml:3: 'scores.b' is 'x'; it must be a number"),
        ("scores:\n  1: x\n", "tree.yaml:2: 'scores.1' is 'x'; it must be a number"),
        ("scores: [1]\n", "tree.yaml:1: 'scores' is [1]; it must be a mapping of keys to values"),
        ("size: '2'\n", "tree.yaml:1: 'size' is '2'; it must be a whole number"),
        ("size: 2.0\n", "tree.yaml:1: 'size' is 2.0; it must be a whole number"),
        ("size: 2.5\n", "tree.yaml:1: 'size' is 2.5; it must be a whole number"),
        ("size: true\n", "tree.yaml:1: 'size' is true; it must be a whole number"),
        ("size:\n", "tree.yaml:1: 'size' is null; it must be a whole number"),
        ("short: abcdefg\n", "tree.yaml:1: 'short' is 'abcdefg'; it must have at most 5 characters"),
        ("size: 10\n", "tree.yaml:1: size 10 is too large; use less"),
        ("word: ' '\n", "tree.yaml:1: 'word' is blank; write something"),
        ("word: ''\n", "tree.yaml:1: 'word' is ''; it must not be empty"),
        ("size: 1\ntwig: {}\n", "tree.yaml:2: key 'twig.end' is missing; add it"),
        ("twig:\n  end: {nmae: x}\n", "tree.yaml:2: unknown key 'nmae'; did you mean 'name'?"),
        ("size: 1\nsize: 2\n", "tree.yaml:2: key 'size' stands twice; correct the YAML"),
        ("kind: c\n", "tree.yaml:1: 'kind' is 'c'; use 'a' or 'b'"),
        ("- a\n", 'tree.yaml:1: the whole of it is ["a"]; it must be a mapping of keys to values'),
        ("just text\n", "tree.yaml:1: the whole of it is 'just text'; it must be a mapping of keys to values"),
        ('short: "\\ud800"\n', "tree.yaml:1: a character is half of a surrogate pair; write the text as UTF-8"),
    ],
)
def test_each_problem_has_its_line_and_its_remedy(text: str, expected: str) -> None:
    assert told(text) == [expected]


def test_every_problem_is_told_at_once_in_file_order() -> None:
    assert [line.split(":")[1] for line in told("size: x\nleaves:\n  - weight: y\nnope: 1\n")] == ["1", "3", "4"]


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "size: 3\r\nshort: abc\r\n", "\ufeffsize: 3\n"])
def test_optional_file_may_be_empty_or_windows_made(text: str) -> None:
    assert isinstance(read_strict(Tree, text, "t"), Tree)


@pytest.mark.long
@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "key 'a' stands twice"),
        ("a: {x: 1, x: 2}\n", 1, "key 'x' stands twice"),
        ('0: a\n"0": b\n', 2, "key '0' stands twice"),
        ("true: a\nyes: b\n", 2, "key 'true' stands twice"),
        ("a: &a [*a]\n", 1, "an alias contains itself"),
        ("a: &a\n  b: {c: *a}\n", 1, "an alias contains itself"),
        ("a: &a\n  <<: *a\n", 1, "an alias contains itself"),
        ("a: 1\n\tb: 2\n", 2, "found character '\\t' that cannot start any token"),
        ("a: *nowhere\n", 1, "found undefined alias 'nowhere'"),
        ("a: 1\n---\nb: 2\n", 2, "but found another document"),
        ("a: [1, 2\n", 2, "expected ',' or ']', but got '<stream end>'"),
        ("x: 1\n!!python/object/apply:os.system ['true']: 1\n", 2, "a list or a mapping cannot be a key"),
        ("a:\n  - !!python/object/apply:os.system ['true']\n", 2, "tag 'python/object/apply:os.system' is not allowed"),
        ("!!python/object:os.system {a: 1}\n", 1, "tag 'python/object:os.system' is not allowed"),
        ("a: !!python/name:os.system x\n", 1, "tag 'python/name:os.system' is not allowed"),
        ("a: !!binary aGk=\n", 1, "tag 'binary' is not allowed"),
        ("a: !!set {x, y}\n", 1, "tag 'set' is not allowed"),
        ("a: !mine x\n", 1, "tag '!mine' is not allowed"),
        ("[1]: 2\n", 1, "a list or a mapping cannot be a key"),
        ("a: 1\nb: .nan\n", 2, "'.nan' is not a finite number"),
        ("a: -.inf\n", 1, "'-.inf' is not a finite number"),
        ("a: 1.0e+999\n", 1, "'1.0e+999' is not a finite number"),
        ("a: 1:30\n", 1, "'1:30' unquoted means the number 90"),
        ("a: 1:30.5\n", 1, "'1:30.5' unquoted means the number 90.5"),
        ("a: 010\n", 1, "'010' unquoted means the number 8"),
        ("a: -010\n", 1, "'-010' unquoted means the number -8"),
        ("b: 1\na: !!int x\n", 2, "'x' is not a number that can be read"),
        ("a: 1\nb: \x00\n", 2, "character '\\x00' is not allowed"),
        ("a: \ud800\n", 1, "character '\\ud800' is not allowed"),
        ("a: {<<: 5}\n", 1, "'<<' takes a mapping or a list of mappings"),
        ("[" * 3000, 1, "nested too deeply to be read"),
    ],
)
def test_unreadable_yaml_names_its_line(text: str, line: int, what: str) -> None:
    with pytest.raises(YamlError) as caught:
        parse_yaml(text)
    assert (caught.value.line, str(caught.value)) == (line, what)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("size: .inf\nkind: c\nsize: 3\nword: ' '\n",
         ["1: '.inf' is not a finite number", "2: 'kind' is 'c'", "3: key 'size' stands twice", "4: 'word' is blank"]),
        ("size: !x 3\nleaves: !y\n  - nmae: z\n", ["1: tag '!x' is not allowed", "2: tag '!y' is not allowed"]),
        ("leaves: [{nmae: x}, !y z]\n", ["1: tag '!y' is not allowed", "1: unknown key 'nmae'"]),
        ("[1]: 2\nnope: 3\n", ["1: a list or a mapping cannot be a key", "2: unknown key 'nope'"]),
        ("size: x\nanything: {<<: 5, <<: [{b: .nan}], c: &d {e: *d}}\n",
         ["1: 'size' is 'x'", "2: '.nan' is not a finite number", "2: '<<' takes a mapping or a list of mappings",
          "2: an alias contains itself"]),
        ("!x {size: 1}\n", ["1: tag '!x' is not allowed"]),
        ("size: x\nleaves: [1\n", ["3: expected ',' or ']', but got '<stream end>'"]),
    ],
)  # fmt: skip
def test_values_that_cannot_be_read_hide_nothing_else(text: str, lines: list[str]) -> None:
    assert [line.removeprefix("tree.yaml:").split("; ")[0] for line in told(text)] == lines


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 2026-11-22\n", {"a": "2026-11-22"}),
        ("a: =\n", {"a": "="}),
        ("a: <<\n", {"a": "<<"}),
        ('a: "1:30"\nb: "010"\n', {"a": "1:30", "b": "010"}),
        ("a: 0\nb: -0.5\nc: 0.5\nd: 1_000\n", {"a": 0, "b": -0.5, "c": 0.5, "d": 1000}),
        ("a: &x {p: 1}\nb: *x\n", {"a": {"p": 1}, "b": {"p": 1}}),
        ("a: &x [1]\nb: [*x, *x]\n", {"a": [1], "b": [[1], [1]]}),
        ("1: a\n-2: b\n1.5: c\nnull: d\nno: e\n", {"1": "a", "-2": "b", "1.5": "c", "null": "d", "false": "e"}),
        ("a: &x {p: 1, q: 2}\nb:\n  <<: *x\n  p: 3\n", {"a": {"p": 1, "q": 2}, "b": {"p": 3, "q": 2}}),
        ("a: &x {p: 1}\nb: &y {p: 2, q: 3}\nc: {<<: [*x, *y]}\n", {"a": {"p": 1}, "b": {"p": 2, "q": 3},
                                                                    "c": {"p": 1, "q": 3}}),
        ("a: |\n  one\n  two\n", {"a": "one\ntwo\n"}),
        ("", None),
    ],
)  # fmt: skip
def test_plain_yaml_reads_as_written(text: str, expected: object) -> None:
    assert parse_yaml(text)[0] == expected


@pytest.mark.long
def test_aliases_that_multiply_are_stopped_early() -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(YamlError, match=f"aliases make more than {MOST_VALUES:,} values"):
        parse_yaml("\n".join(rows))


def test_unmarked_yaml_error_is_on_line_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise yaml.MarkedYAMLError()

    monkeypatch.setattr(yaml, "compose", refuse)
    with pytest.raises(YamlError, match="not readable as YAML") as caught:
        parse_yaml("a: 1")
    assert caught.value.line == 1


def test_only_texts_repeat_and_what_has_another_problem_does_not() -> None:
    entries = [{"id": "a"}, {"id": 1}, {"id": 1}, "a", {}, {}, {"id": "a"}, Leaf(name="b")]
    assert list(repeats(entries, "id")) == [(6, "a")]
    assert list(repeats("aa", "id")) == []


def test_as_much_as_can_be_read_of_a_file_with_problems() -> None:
    assert parse_readable("a: 1\nb: 2\nb: 3\n")[0]["a"] == 1
    assert parse_readable("a: [") == (None, {})


def test_lines_of_keys_and_entries() -> None:
    _, lines = parse_yaml("a:\n  - x\n  - y: 1\n    z: 2\n")
    assert lines == {(): 1, ("a",): 1, ("a", 0): 2, ("a", 1): 3, ("a", 1, "y"): 3, ("a", 1, "z"): 4}


@pytest.mark.parametrize(
    ("path", "line"), [(("a",), 2), (("a", 0), 3), (("a", 0, "missing"), 3), (("gone", "x"), 1), ((), 1)]
)
def test_line_of_falls_back_to_what_stands_above(path: tuple[str | int, ...], line: int) -> None:
    assert line_of(path, {(): 1, ("a",): 2, ("a", 0): 3}) == line


def test_line_of_an_unknown_document_is_one() -> None:
    assert line_of(("a",), {}) == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "'a'"),
        ("a\nb\u2028c", "'a\\nb\\u2028c'"),
        ("\ud800", "'\\ud800'"),
        (["\ud800"], '["\\ud800"]'),
        ({"a": None}, '{"a": null}'),
        ("x" * 80, "'" + "x" * 58 + "…"),
    ],
)
def test_shown_value_is_short_and_printable(value: object, text: str) -> None:
    assert shown(value) == text
    assert len(shown(value).encode()) > 0


@pytest.mark.parametrize(("word", "said"), [("wieght", "did you mean 'weight'?"), ("zz", "use one of: weight, name")])
def test_did_you_mean(word: str, said: str) -> None:
    assert did_you_mean(word, ["weight", "name"]) == said


def test_deep_values_are_refused_with_a_remedy() -> None:
    deep: object = 1
    for _ in range(300):
        deep = [deep]
    assert validated(Tree, {"anything": {"a": deep}}) == [((), "nested too deeply to be read", "use fewer levels")]
    for _ in range(200_000):
        deep = [deep]
    assert validated(Tree, {"anything": {"a": deep}}) == [((), "nested too deeply to be read", "use fewer levels")]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.long
@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_hash_ignores_key_order_and_layout(content: dict[str, Any]) -> None:
    other = json.loads(json.dumps(dict(reversed(content.items())), indent=3))
    assert content_sha256(content) == content_sha256(other)


@given(json_values, json_values)
def test_hash_is_equal_only_for_equal_content(left: object, right: object) -> None:
    same = json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)
    assert (content_sha256(left) == content_sha256(right)) == same


def test_hash_takes_half_a_surrogate_pair() -> None:
    assert content_sha256("\ud800") != content_sha256("\ud801")


plain = st.text(string.ascii_letters + string.digits + " :-#'\"{}[]&*!|>%@`,", max_size=30)


@given(st.dictionaries(plain.filter(lambda key: key != "<<"), plain | st.integers() | st.booleans(), max_size=5))
def test_what_a_yaml_writer_wrote_is_read_back(content: dict[str, Any]) -> None:
    assert parse_yaml(yaml.safe_dump(content))[0] == content


@given(st.text(alphabet=st.characters(), max_size=60))
def test_any_text_is_read_or_refused_with_a_line(text: str) -> None:
    with contextlib.suppress(YamlError):
        _, lines = parse_yaml(text)
        assert all(1 <= line <= len(text) + 1 for line in lines.values())


@given(st.dictionaries(st.text(max_size=3), st.lists(st.integers() | st.text(max_size=3), max_size=3), max_size=4))
def test_a_list_hashed_element_by_element_has_the_same_hash(content: dict[str, list[Any]]) -> None:
    assert mapping_sha256({name: iter(value) for name, value in content.items()}) == content_sha256(content)
    assert mapping_sha256(content) == content_sha256(content)
