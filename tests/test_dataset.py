"""Items and datasets: every bad line is refused with its line and remedy, every good one is read as written."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.dataset import Attachment, Card, Dataset, Item, TemplateText, parse_item, parse_items
from evalkit.params import CacheMarks, Params
from evalkit.strict import read_strict
from tests.builders import dataset, item

ASKED = {"role": "user", "content": "x"}
CALLED = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {"a": 1}}]}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "12"}]}
GOOD = '{"id": "a", "input": "What is due?"}'


def row(**fields: object) -> str:
    return json.dumps({"id": "a", "input": "What is due?", **fields})


def problems_of(line: str) -> list[str]:
    found = parse_item(line)
    assert isinstance(found, list), found
    return [f"{what}; {remedy}" for what, remedy in found]


def test_malformed_line_37_is_named() -> None:
    lines = [row(id=f"i{number}") for number in range(1, 61)]
    lines[36] = '{"id": "i37", "input": "x",}'
    items, problems = parse_items(lines, "set.jsonl")
    what = "not JSON (Expecting property name enclosed in double quotes at column 28)"
    assert [str(problem) for problem in problems] == [f"set.jsonl:37: {what}; write one JSON object per line"]
    assert len(items) == 59


JSON = "write one JSON object per line"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"id": "a", "id": "b", "input": "x"}', f"key 'id' stands twice in one object; {JSON}"),
        ('{"id": "a", "input": "x", "params": {"max_tokens": 1, "max_tokens": 2}}',
         f"key 'max_tokens' stands twice in one object; {JSON}"),
        ('{"id": "a", "input": NaN}', f"NaN is not JSON; {JSON}"),
        ('{"id": "a", "input": "x", "params": {"thinking": {"a": -Infinity}}}', f"-Infinity is not JSON; {JSON}"),
        ('{"id": "a", "input": "x", "params": {"thinking": {"a": 1e999}}}', f"1e999 is too large a number; {JSON}"),
        ('{"id": "a", "input": ' + "9" * 5000 + "}", f"a whole number has too many digits; {JSON}"),
        ('{"id": "a", "input": ' + "[" * 100_000 + "]" * 100_000 + "}", f"nested too deeply to be read; {JSON}"),
        ('{"id": "a", "input": ' + "[" * 250 + "]" * 250 + "}", "nested too deeply to be read; use fewer levels"),
        ("[1]", f"not a JSON object but [1]; {JSON}"),
        ('"a"', f"not a JSON object but 'a'; {JSON}"),
        ("null", f"not a JSON object but null; {JSON}"),
        (f"{GOOD} {GOOD}", f"not JSON (Extra data at column 38); {JSON}"),
        ("{'id': 'a'}", f"not JSON (Expecting property name enclosed in double quotes at column 2); {JSON}"),
        ('{"id": "a", "input": "x\ty"}', f"not JSON (Invalid control character at column 24); {JSON}"),
        ('{"id": "a", "input": "\\ud800"}', "a character is half of a surrogate pair; write the text as UTF-8"),
        ('{"id": "a", "input": "\ud800"}', "a character is half of a surrogate pair; write the text as UTF-8"),
        ('{"id": "a", "input": "x", "\\udc00": 1}', "a character is half of a surrogate pair; write the text as UTF-8"),
        ('{"id": "a"}', "key 'input' is missing; add it"),
        (row(id=1), "'id' is 1; it must be text"),
        (row(id=""), "'id' is ''; it must not be empty"),
        (row(id=" "), "'id' is blank; write something"),
        (row(input=" \n"), "'input' is blank; write something"),
        (row(input=5), "'input' is 5; it must be text or a list"),
        (row(input=None), "'input' is null; it must be text or a list"),
        (row(input=[]), "'input' must begin with a user message; correct the roles"),
        (row(input=[{"role": "assistant", "content": "x"}]),
         "'input' must begin with a user message; correct the roles"),
        (row(input=[{"role": "system", "content": "x"}, ASKED]),
         "'input' must begin with a user message; correct the roles"),
        (row(input=[ASKED, {"role": "system", "content": [{"type": "text", "text": " "}]}]),
         "block 0, a text, is blank, which the API refuses; write something or drop it"),
        (row(input=[ASKED, {"role": "developer", "content": "x"}]),
         "'input.1.role' is 'developer'; use 'user', 'assistant' or 'system'"),
        (row(input=[ASKED, {"role": "system", "content": [{"type": "image", "source": {}}]}]),
         "block 0 of an instruction of the system's is of type \"image\"; use one of: text"),
        (row(input=[ASKED, CALLED, {"role": "system", "content": "x"}, RESULT]),
         "tool_use 't' has no result in the turn after it; add a tool_result block"),
        (row(input=[{"role": "user", "contnt": "x"}]), "key 'input.0.content' is missing; add it"),
        (row(input=[ASKED, {"role": "assistant", "content": []}]), "'input.1.content' is []; it must not be empty"),
        (row(input=[{"role": "user", "content": [{"type": "text", "text": "x"}]}]),
         "'input' must begin with plain text; use attachments, or put blocks into later turns"),
        (row(input=[ASKED, {"role": "assistant", "content": "a"},
                    {"role": "user", "content": [{"type": "text", "text": "x", "citations": [{}]}]}]),
         "block 0, a text of the user's, has 'citations', which the API refuses; drop them"),
        (row(input=[ASKED, {"role": "assistant", "content": [{"type": "image", "source": {}}]}]),
         'block 0 of a turn of the assistant\'s is of type "image";'
         " use one of: text, tool_use, thinking, redacted_thinking"),
        (row(input=[ASKED, {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "n"}]}]),
         "block 0, a tool_use, has no 'input' that is an object; add it"),
        (row(input=[ASKED, CALLED, {"role": "user", "content": [RESULT["content"][0] | {"content": 5}]}]),
         "block 0, a tool_result, has a 'content' of neither text nor blocks; correct it"),
        (row(input=[ASKED, CALLED]), "'input' ends with the tool_use 't'; add its result as a user's turn"),
        (row(input=[ASKED, CALLED, ASKED]),
         "tool_use 't' has no result in the turn after it; add a tool_result block"),
        (row(input=[ASKED, CALLED, RESULT, RESULT]),
         "tool_result of 't' does not follow its tool_use; correct the 'tool_use_id'"),
        (row(refernce="x"), "unknown key 'refernce'; did you mean 'reference'?"),
        (row(documents=[{"name": "n", "text": "t", "txt": "t"}]), "unknown key 'txt'; did you mean 'text'?"),
        (row(documents=["a.md", 5]), "'documents.1' is 5; it must be text or a mapping of keys to values"),
        (row(documents=[{"name": "n", "text": ""}]), "'documents.0.text' is ''; it must not be empty"),
        (row(documents="a.md"), "'documents' is 'a.md'; it must be a list"),
        (row(tags="x"), "'tags' is 'x'; it must be a list"),
        (row(tags=[1]), "'tags.0' is 1; it must be text"),
        (row(difficulty="Hard"), "'difficulty' is 'Hard'; use 'easy', 'medium' or 'hard'"),
        (row(reference=5), "'reference' is 5; it must be text"),
        (row(params={"temperature": 0}),
         "'params.temperature' is not a setting of the API any more; remove it; use --epochs for repeats"),
        (row(params={"top_k": None}),
         "'params.top_k' is not a setting of the API any more; remove it; use --epochs for repeats"),
        (row(params={"max_tokens": None}), "'params.max_tokens' is null; leave it out instead"),
        (row(params={"max_tokens": 0}), "'params.max_tokens' is 0; it must be greater than 0"),
        (row(params={"max_tokens": 5.0}), "'params.max_tokens' is 5.0; it must be a whole number"),
        (row(params={"max_tokns": 5}), "unknown key 'max_tokns'; did you mean 'max_tokens'?"),
        (row(params={"stop_sequences": "END"}), "'params.stop_sequences' is 'END'; it must be a list"),
        (row(params=[]), "'params' is []; it must be a mapping of keys to values"),
    ],
)  # fmt: skip
def test_bad_line_is_refused_with_its_remedy(line: str, problem: str) -> None:
    assert problem in problems_of(line)


@pytest.mark.parametrize(
    "line",
    [
        GOOD,
        GOOD + "\r",
        "  " + GOOD + "\t",
        row(system=None, reference=None, difficulty=None),
        row(input="two\u2028lines\u2029and\x85more"),
        '{"id": "a", "input": "two\u2028lines"}',
        '{"id": "a", "input": "\\ud83d\\ude00 \\u0000"}',
        row(input="null", reference=""),
        row(input=[{"role": "user", "content": "x"}]),
        row(input=[{"role": "user", "content": "x"}, {"role": "assistant", "content": "{"}]),
        row(documents=["a.md", {"name": "b", "text": "t"}]),
        row(params={"max_tokens": 1, "stop_sequences": ["END"], "thinking": {"type": "adaptive"}}),
        row(params={"output_config": {"effort": "low", "format": None}}),
        row(params={}),
    ],
)
def test_good_line_is_read(line: str) -> None:
    assert isinstance(parse_item(line), Item)


def test_all_problems_of_a_line_are_told_together() -> None:
    assert len(problems_of(row(id=1, inptu=2, difficulty="x"))) == 3


def test_what_is_no_json_does_not_hide_what_else_is_wrong() -> None:
    line = '{"id": "a", "id": "b", "inptu": "x", "params": {"max_tokens": 1e999, "top_p": 1, "speed": "quick"}}'
    assert set(problems_of(line)) == {
        f"1e999 is too large a number; {JSON}",
        f"key 'id' stands twice in one object; {JSON}",
        "key 'input' is missing; add it",
        "'params.max_tokens' is Infinity; it must be a whole number",
        "'params.speed' is 'quick'; use 'standard' or 'fast'",
        "'params.top_p' is not a setting of the API any more; remove it; use --epochs for repeats",
        "unknown key 'inptu'; did you mean 'input'?",
    }


def test_a_repeated_id_is_told_of_lines_that_have_other_problems_too() -> None:
    _, problems = parse_items(['{"id": "a"}', GOOD, '{"id": "a", "input": 5}'], "f")
    assert [(problem.line, problem.what[:24]) for problem in problems] == [
        (1, "key 'input' is missing"),
        (2, "id 'a' stands already on"),
        (3, "id 'a' stands already on"),
        (3, "'input' is 5"),
    ]


def test_blank_lines_are_passed_over_and_still_counted() -> None:
    items, problems = parse_items(["", GOOD, "  \r", "\u2028", row(id="b")], "f")
    assert ([number for number, _ in items], problems) == ([2, 5], [])


def test_repeated_id_names_the_first_line() -> None:
    _, problems = parse_items([GOOD, row(id="b"), GOOD, GOOD], "f")
    said = "id 'a' stands already on line 1; give every item its own id"
    assert list(map(str, problems)) == [f"f:3: {said}", f"f:4: {said}"]


@pytest.mark.parametrize("lines", [[], ["", " "]])
def test_file_without_items_is_a_problem(lines: list[str]) -> None:
    assert list(map(str, parse_items(lines, "f")[1])) == ["f:1: no items; write one JSON object per line"]


def test_file_of_bad_lines_only_tells_of_the_lines() -> None:
    assert len(parse_items(["{"], "f")[1]) == 1


@given(st.text(max_size=80))
def test_any_line_is_an_item_or_has_problems(line: str) -> None:
    found = parse_item(line)
    assert isinstance(found, Item) or (found and all(what and remedy for what, remedy in found))


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: text.strip())


@given(texts, texts, st.none() | texts)
def test_item_written_as_json_is_read_back(id: str, text: str, reference: str | None) -> None:
    line = json.dumps({"id": id, "input": text, "reference": reference}, ensure_ascii=False)
    assert parse_item(line) == Item(id=id, input=text, reference=reference)


@pytest.mark.parametrize(
    ("turns", "task"),
    [
        ("Hello", "Hello"),
        ([("user", "Hello")], "Hello"),
        ([("user", "a"), ("assistant", "b"), ("user", "c")], "user: a\n\nassistant: b\n\nuser: c"),
        ([("user", "a"), ("system", "b"), ("user", "c")], "user: a\n\nsystem: b\n\nuser: c"),
    ],
)
def test_task_is_the_input_as_one_text(turns: str | list[tuple[str, str]], task: str) -> None:
    given_input = turns if isinstance(turns, str) else [{"role": r, "content": c} for r, c in turns]
    assert item(input=given_input).task == task


def test_task_tells_calls_and_results_of_tools() -> None:
    said = {"type": "text", "text": "See:"}
    looked = {"role": "user", "content": [*RESULT["content"], said, {"type": "image", "source": {"type": "url"}}]}
    thought = {"type": "thinking", "thinking": "Hm", "signature": "s"}
    called = {"role": "assistant", "content": [thought, *CALLED["content"]]}
    assert item(input=[ASKED, called, looked]).task == (
        'user: x\n\nassistant: {"input": {"a": 1}, "tool": "n"}\n\nuser: result: 12\nSee:\n[image]'
    )


def test_task_names_what_the_prompt_is_filled_with() -> None:
    asked = item(input="Reply to this.", vars={"name": "Ada", "order": {"id": 7}})
    assert asked.task == 'Reply to this.\n\nname: Ada\n\norder: {"id": 7}'


def test_items_settings_and_system_win_over_the_cards() -> None:
    card = Card(system="card", params=Params(max_tokens=10, stop_sequences=("END",)))
    own, bare = item("a", system="", params={"max_tokens": 5}), item("b")
    both = dataset(own, bare, card=card)
    assert both.params(own) == {"max_tokens": 5, "stop_sequences": ["END"]}
    assert both.params(bare) == {"max_tokens": 10, "stop_sequences": ["END"]}
    assert (both.system(own), both.system(bare)) == ("", "card")


def test_card_refuses_sampling_like_an_item() -> None:
    found = read_strict(Card, "system: x\nparams:\n  temperature: 0\n", "set.yaml")
    assert isinstance(found, list)
    what = "'params.temperature' is not a setting of the API any more"
    assert list(map(str, found)) == [f"set.yaml:3: {what}; remove it; use --epochs for repeats"]


def attached(data: bytes) -> Dataset:
    return dataset(attachments={"a.png": Attachment("a.png", "image/png", data.hex(), data)})


BASE = dataset(item("a"), item("b"), documents={"d": "text"}, card=Card(system="s"))
SAME = [
    Dataset("other-name", BASE.items, BASE.card, BASE.documents, {"a": ("d",)}, lines={"a": 7}),
    dataset(item("a", params={}, tags=[], system=None), item("b"), documents={"d": "text"}, card=Card(system="s")),
    dataset(*BASE.items, documents={"d": "text"}, card=Card(system="s", description="x", documents="folder")),
    dataset(*BASE.items, documents={"d": "text"}, card=Card(system="s", template="its/path.j2")),
]
OTHER = [
    dataset(item("a"), documents={"d": "text"}, card=Card(system="s")),
    dataset(item("b"), item("a"), documents={"d": "text"}, card=Card(system="s")),
    dataset(item("a", reference="r"), item("b"), documents={"d": "text"}, card=Card(system="s")),
    dataset(item("a", reference=""), item("b"), documents={"d": "text"}, card=Card(system="s")),
    dataset(item("a", system=""), item("b"), documents={"d": "text"}, card=Card(system="s")),
    dataset(item("a", params={"max_tokens": 5}), item("b"), documents={"d": "text"}, card=Card(system="s")),
    dataset(*BASE.items, documents={"d": "text "}, card=Card(system="s")),
    dataset(*BASE.items, documents={"e": "text"}, card=Card(system="s")),
    dataset(*BASE.items, documents={"d": "text"}, card=Card(system="t")),
    dataset(*BASE.items, documents={"d": "text"}, card=Card(system="s", context_tokens=5)),
    dataset(*BASE.items, documents={"d": "text"}, card=Card(system="s", params=Params(max_tokens=5))),
    dataset(*BASE.items, documents={"d": "text"}, card=Card(system="s", cache=CacheMarks(system=True))),
    dataset(*BASE.items, documents={"d": "text"}, card=Card(system="s"), template=TemplateText("{{ x }}", "f")),
    dataset(item("a", vars={"n": 1}), item("b"), documents={"d": "text"}, card=Card(system="s")),
]


@pytest.mark.parametrize("same", SAME)
def test_hash_is_insensitive_to_layout(same: Dataset) -> None:
    assert same.sha256 == BASE.sha256


@pytest.mark.parametrize("other", OTHER)
def test_hash_is_sensitive_to_meaning(other: Dataset) -> None:
    assert other.sha256 != BASE.sha256


def test_hash_is_sensitive_to_an_attachments_bytes() -> None:
    assert len({attached(b"1").sha256, attached(b"2").sha256, dataset().sha256}) == 3


def test_attachment_never_prints_its_bytes() -> None:
    assert "secret" not in repr(Attachment("a", "image/png", "00", b"secret"))
