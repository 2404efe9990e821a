"""Requests as they would be sent: what is wrong with them is said with its place before anything is sent."""

import json
from pathlib import Path
from typing import Any

import pytest

from evalkit.cli import main
from evalkit.dataset import Attachment, Card, Dataset, TemplateText
from evalkit.dataset_files import load_dataset
from evalkit.params import CacheMarks
from evalkit.records import ModelFacts
from evalkit.request_check import rejections, request_doubts
from tests.builders import dataset, item

PATH = Path("set.jsonl")
OPUS, HAIKU = "claude-opus-5-5", "claude-haiku-4-5-20251001"


def told(made: Dataset) -> list[str]:
    return [str(problem) for problem in request_doubts(PATH, made)]


def templated(text: str, *items: Any, **more: Any) -> Dataset:
    rows = items or (item("a", "First?"), item("b", "Second?"), item("c", "Third?"))
    return dataset(*rows, card=Card(template="p.j2"), template=TemplateText(text, "p.j2", 1), **more)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{{ item.input }}", None),
        ("ok\n{{ itm.input }}", "p.j2:2: the template cannot be filled in: 'itm' is undefined"
                                " (item 'a' and 2 other items); offered are item"),
        ("{{ item.input", "p.j2:1: not a template"),
        ("{{ item.input }}\n\n{% if item.id == 'b' %}{{ vars.x }}{% endif %}",
         "p.j2:3: the template cannot be filled in: 'dict object' has no attribute 'x' (item 'b'); offered"),
        ("{{ item.reference }}",
         "p.j2:1: the template cannot be filled in: 'dict object' has no attribute 'reference'"),
        ("{{ item.__class__ }}", "p.j2:1: the template reaches for what it may not"),
        ("{% for a in range(9**5) %}{% for b in range(9) %}{% endfor %}{% endfor %}",
         "p.j2:1: the template has no end that can be waited for"),
        ("Always the same.", "p.j2:1: the template makes the same prompt of several items"
                             " (item 'a' and 2 other items); print {{ item.input }}"),
    ],
)  # fmt: skip
def test_a_template_is_filled_in_for_every_item(text: str, problem: str | None) -> None:
    found = told(templated(text))
    assert len(found) == (problem is not None)
    assert problem is None or found[0].startswith(problem)


def test_the_line_of_a_template_in_the_card_is_the_cards(tmp_path: Path) -> None:
    (tmp_path / "set.jsonl").write_text('{"id": "a", "input": "x"}\n', encoding="utf-8")
    (tmp_path / "set.yaml").write_text("system: x\ntemplate: |\n  ok\n  {{ nope }}\n", encoding="utf-8")
    loaded, problems = load_dataset(tmp_path / "set.jsonl")
    found = request_doubts(tmp_path / "set.jsonl", loaded)
    assert problems == []
    assert str(found[0]).startswith(f"{tmp_path}/set.yaml:4: the template cannot be filled in: 'nope' is undefined")


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("{{ documents }}{{ item.input }}", True),
        ("{% for d in documents %}{{ d.text }}{% endfor %}{{ item.input }}", True),
        ("{{ item.input }}", False),
        ("{{ documents[0].name }}{{ item.input }}", False),
    ],
)
def test_evidence_that_the_template_leaves_out_is_an_error(text: str, complete: bool) -> None:
    made = templated(text, item("a", "First?"), documents={"d": " The fee is 12.\n"}, evidence={"a": ("d",)})
    what = "p.j2:1: the template leaves documents out (item 'a'); print {{ documents }}, or drop the items' documents"
    assert told(made) == ([] if complete else [what])


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("{% for d in documents %}{{ d.text | indent(2) }}{% endfor %}{{ item.input }}", True),
        ("{{ documents | map(attribute='text') | list | tojson }}{{ item.input }}", True),
        ("{% for d in documents %}<doc>{{ d.text | e }}</doc>{% endfor %}{{ item.input }}", True),
        ("{% for d in documents %}> {{ d.text.replace('\n', '\n> ') }}{% endfor %}{{ item.input }}", True),
        ("{% for d in documents %}{{ d.text.split() | join(' ') | upper }}{% endfor %}{{ item.input }}", True),
        ("{% for d in documents %}{{ d.text | urlencode }}{% endfor %}{{ item.input }}", True),
        ("{{ documents | map(attribute='text') | list }}{{ item.input }}", True),
        ("{% for d in documents %}{{ d.text | list }}{% endfor %}{{ item.input }}", True),
        ("{% for l in documents[0].text.splitlines() %}{{ loop.index }}: {{ l }}\n{% endfor %}{{ item.input }}", True),
        ("{% for d in documents %}{{ d.text | replace('fee', 'price') | title }}{% endfor %}{{ item.input }}", True),
        ("{% set m = {'# Fees': 'A list.'} %}{{ m[documents[0].text.split('\n')[0]] }}{{ item.input }}", True),
        ("{% for l in documents[0].text.splitlines()[1:] %}{{ l }}\n{% endfor %}{{ item.input }}", False),
        ("{% for d in documents %}{{ d.text[:20] }}{% endfor %}{{ item.input }}", False),
        ("{% for d in documents %}{{ d.text | truncate(30) | tojson }}{% endfor %}{{ item.input }}", False),
    ],
)
def test_evidence_may_be_put_as_production_puts_it(text: str, complete: bool) -> None:
    document = '# Fees\n\nA fee < 12 & > 3 is "due"\n\tby the 4th of März; it\'s final.\n'
    made = templated(text, item("a", "First?"), documents={"d": document}, evidence={"a": ("d",)})
    assert [problem for problem in told(made) if "leaves documents out" in problem] == (
        [] if complete else told(made)[:1]
    )


@pytest.mark.parametrize(
    ("template", "documents"),
    [
        ("{{ item.input }}", ["--- !!!"]),
        ("{{ item.input }}", ["\N{THUMBS UP SIGN}"]),
        ("{{ item.input }} nothing 35", ["No.", "3 5"]),
        ("{{ documents[0].text | indent }} {{ item.input }}", ["price 1.50\nEUR", "price 150\nEUR"]),
        ("{{ documents[1].text | e }} {{ item.input }}", ["\u0939\u093f<\u0928\u094d", "\u0939<\u0928"]),
    ],
)
def test_no_other_text_stands_for_a_document(template: str, documents: list[str]) -> None:
    texts = {f"d{number}": text for number, text in enumerate(documents)}
    made = templated(template, item("a", "First?"), documents=texts, evidence={"a": tuple(texts)})
    assert any("leaves documents out" in problem for problem in told(made))


@pytest.mark.parametrize(("megabytes", "fits"), [(23, True), (25, False)])
def test_requests_over_the_apis_size_are_errors(megabytes: int, fits: bool) -> None:
    big = Attachment("a.pdf", "application/pdf", "", bytes(megabytes * 2**20))
    made = dataset(item(attachments=["a.pdf"]), attachments={"a.pdf": big})
    what = "set.jsonl:1: item 'a' makes a request of 33.3 MB, over the 32 MB that the API takes"
    assert told(made) == ([] if fits else [f"{what}; use smaller attachments or documents"])


def test_what_could_not_be_read_is_not_told_twice() -> None:
    assert told(dataset(item(attachments=["gone.pdf"]))) == []
    assert told(dataset(item(vars={"x": 1}), card=Card(template="gone.j2"))) == []


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (dataset(item(params={"tool_choice": {"type": "auto"}})),
         "set.jsonl:1: item 'a': 'params.tool_choice' without 'params.tools'; add the tools, or remove it"),
        (dataset(item(vars={"x": 1}), item("b", "?", vars={"x": 2})),
         "set.jsonl:1: warning: 'vars' without a template (item 'a' and 1 other item);"
         " they are not sent; add 'template' to the card"),
        (dataset(item(), card=Card(cache=CacheMarks(tools=True))),
         "set.yaml:1: warning: 'cache.tools' is marked, but no item has any tools;"
         " remove the mark, or add what production sends"),
    ],
)  # fmt: skip
def test_settings_that_do_nothing_together(made: Dataset, problem: str) -> None:
    assert told(made) == [problem]


def test_rejections_name_models_and_items_once() -> None:
    rows = [item(name, name, params={"thinking": {"type": "disabled"}}) for name in "abc"]
    found = rejections(dataset(*rows), [OPUS, HAIKU], 1024, {})
    assert found == [
        f"model '{OPUS}' rejects this request: 'thinking' of type 'disabled' (it takes adaptive)"
        " (item 'a' and 2 other items); change it or leave the model out"
    ]
    facts = {OPUS: ModelFacts(thinking=frozenset({"disabled"})), HAIKU: None}
    assert rejections(dataset(*rows), [OPUS, HAIKU], 1024, facts) == []


def test_check_tells_of_templates_and_of_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    row = {"id": "a", "input": "What?", "params": {"thinking": {"type": "adaptive"}}}
    Path("set.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    Path("set.yaml").write_text("template: p.j2\n", encoding="utf-8")
    Path("p.j2").write_text("{{ item.input }}\n", encoding="utf-8")
    assert main(["check", "set.jsonl"]) == 0
    said = capsys.readouterr().out
    assert f"warning: model '{HAIKU}' rejects this request: 'thinking' of type 'adaptive'" in said
    Path("p.j2").write_text("\n{{ item.inptu }}\n", encoding="utf-8")
    assert main(["check", "set.jsonl"]) == 2
    assert "p.j2:2: the template cannot be filled in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "marks", "told_of"),
    [
        ("{{ documents }}{{ item.input }}", CacheMarks(documents=True), False),
        ("{{ documents|trim }}{{ item.input }}", CacheMarks(documents=True), False),
        ("{% for d in documents %}{{ d.text }}{% endfor %}{{ item.input }}", CacheMarks(documents=True), True),
        ("{% for d in documents %}{{ d.text }}{% endfor %}{{ item.input }}", CacheMarks(system=True), False),
    ],
)
def test_documents_that_a_template_takes_apart_cannot_be_marked(text: str, marks: CacheMarks, told_of: bool) -> None:
    made = dataset(
        item("a", "First?", documents=["d"]),
        documents={"d": "The text."},
        evidence={"a": ("d",)},
        card=Card(template="p.j2", system="Be brief.", cache=marks),
        template=TemplateText(text, "p.j2", 1),
    )
    expected = (
        "p.j2:1: warning: 'cache.documents' is marked, but the template does not print them as one block (item 'a')"
    )
    assert any(line.startswith(expected) for line in told(made)) is told_of
