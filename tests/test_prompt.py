"""Prompts: evidence always in, never more than fits, the same bytes every time."""

import base64
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.dataset import Attachment, Card, TemplateText
from evalkit.params import Params
from evalkit.plan import assemble_item
from evalkit.prompt import assemble, build_request, document_text, prompt_sha256
from evalkit.template import TemplateError
from tests.builders import dataset, item


@st.composite
def rooms(draw: st.DrawFn) -> tuple[list[str], dict[str, str], dict[str, float], float, str]:
    names = [f"d{n}" for n in range(draw(st.integers(0, 12)))]
    sizes = {name: float(draw(st.integers(1, 50))) for name in names}
    evidence = draw(st.lists(st.sampled_from(names), unique=True, max_size=4)) if names else []
    pool = dict.fromkeys(draw(st.lists(st.sampled_from(names), unique=True)), "text") if names else {}
    return evidence, pool, sizes, float(draw(st.integers(0, 400))), draw(st.text(max_size=3))


@given(rooms())
def test_evidence_is_always_in_and_the_rest_only_while_it_fits(
    case: tuple[list[str], dict[str, str], dict[str, float], float, str],
) -> None:
    evidence, pool, sizes, room, seed = case
    made = assemble(evidence, pool, sizes, room, seed)
    assert len(set(made.documents)) == len(made.documents)
    assert set(evidence) <= set(made.documents) <= set(evidence) | set(pool)
    assert [made.documents[place] for place in made.evidence_positions] == evidence
    total = sum(sizes[name] for name in made.documents)
    assert total <= max(room, sum(sizes[name] for name in evidence))
    left_out = [sizes[name] for name in pool if name not in made.documents]
    assert all(total + size > room for size in left_out), "what still fits belongs in"


@given(rooms())
def test_same_arguments_give_the_same_prompt(
    case: tuple[list[str], dict[str, str], dict[str, float], float, str],
) -> None:
    evidence, pool, sizes, room, seed = case
    turned = dict(reversed(pool.items()))
    assert assemble(evidence, pool, sizes, room, seed) == assemble(evidence, turned, sizes, room, seed)


def test_evidence_stands_anywhere_over_the_seeds() -> None:
    pool = {f"d{n}": "" for n in range(9)}
    sizes = dict.fromkeys([*pool, "e"], 1.0)
    places = Counter(assemble(["e"], pool, sizes, 10, str(seed)).evidence_positions[0] for seed in range(1000))
    assert set(places) == set(range(10))
    assert min(places.values()) > 60, "each place is expected 100 times in 1000"
    assert max(places.values()) < 145


def test_seeds_choose_different_distractors() -> None:
    pool = {f"d{n}": "" for n in range(20)}
    sizes = dict.fromkeys(pool, 1.0)
    assert len({assemble([], pool, sizes, 5, str(seed)).documents for seed in range(50)}) > 45


def test_document_text_is_this_layout() -> None:
    text = document_text(["a.md", 'b "q" <x>.md'], {"a.md": "\none\n", 'b "q" <x>.md': "two"})
    assert text == (
        '<documents>\n<document index="1" name="a.md">\none\n</document>\n'
        '<document index="2" name="b &quot;q&quot; &lt;x&gt;.md">\ntwo\n</document>\n</documents>\n\n'
    )
    assert document_text([], {}) == ""


@given(st.integers(0, 3000), st.integers(0, 40), st.text("ab ", max_size=100))
def test_whole_prompt_never_passes_the_room_unless_evidence_alone_does(room: int, count: int, text: str) -> None:
    documents = {f"doc-{n}": f"{n} {text}" for n in range(count)}
    row = item(documents=list(documents)[:2])
    made = dataset(row, documents=documents, evidence={"a": tuple(documents)[:2]}, card=Card(system="Be brief."))
    assembly = assemble_item(row, made, float(room), 1)
    request = build_request("m", row, made, assembly.documents, 10)
    length = len(request.messages[0]["content"]) + len(request.system or "")
    assert length <= room or set(assembly.documents) == set(documents and list(documents)[:2])


def test_no_room_given_means_evidence_alone() -> None:
    made = dataset(item(), documents={"e": "x", "d": "y"}, evidence={"a": ("e",)})
    assert assemble_item(made.items[0], made, None, 1).documents == ("e",)
    assert set(assemble_item(made.items[0], made, 1e6, 1).documents) == {"e", "d"}


def test_request_of_a_plain_item() -> None:
    made = dataset(item(params={"stop_sequences": ["END"]}), card=Card(system="Be brief.", params=Params(max_tokens=7)))
    request = build_request("m", made.items[0], made, (), 100)
    assert request.messages == ({"role": "user", "content": "What is due?"},)
    assert (request.model, request.max_tokens, request.system) == ("m", 7, "Be brief.")
    assert request.params == {"stop_sequences": ["END"]}


def test_request_without_a_cap_of_its_own_takes_the_runs() -> None:
    made = dataset()
    assert build_request("m", made.items[0], made, (), 100).max_tokens == 100


def test_documents_and_attachments_come_before_the_first_users_text() -> None:
    turns = [("user", "a"), ("assistant", "b"), ("user", "c")]
    row = item(input=[{"role": r, "content": c} for r, c in turns], attachments=["p.pdf", "i.png"])
    files = {
        "p.pdf": Attachment("p.pdf", "application/pdf", "", b"PDF"),
        "i.png": Attachment("i.png", "image/png", "", b"PNG"),
    }
    made = dataset(row, documents={"d": "text"}, attachments=files)
    first, second, third = build_request("m", row, made, ("d",), 100).messages
    assert first["content"] == [
        {"type": "document", "source": _source("application/pdf", b"PDF")},
        {"type": "image", "source": _source("image/png", b"PNG")},
        {"type": "text", "text": document_text(["d"], {"d": "text"}) + "a"},
    ]
    assert (second["content"], third["content"]) == ("b", "c")


def _source(media_type: str, data: bytes) -> dict[str, str]:
    return {"type": "base64", "media_type": media_type, "data": base64.b64encode(data).decode()}


def template(text: str) -> TemplateText:
    return TemplateText(text, "set.yaml", 1)


@given(st.sampled_from(["What is due?", " {{ x }}\n", "<b>&"]), st.lists(st.sampled_from("abc"), unique=True))
def test_the_usual_layout_as_a_template_is_the_same_bytes(text: str, names: list[str]) -> None:
    texts = {name: f"Text of {name}." for name in names}
    plain, filled = (
        dataset(item(input=text), documents=texts, template=made)
        for made in (None, template("{{ documents }}{{ item.input }}"))
    )
    one, other = (build_request("m", made.items[0], made, names, 100) for made in (plain, filled))
    assert one == other
    assert one.messages[0]["content"] == document_text(names, texts) + text


def test_a_template_makes_the_first_message_from_item_documents_and_vars() -> None:
    text = (
        "{{ vars.greeting }} {{ item.id }} {{ item.tags|join('+') }} {{ item.difficulty }}: {{ item.input }}"
        "{% for d in documents %} [{{ d.name }}={{ d.text }}]{% endfor %} {{ documents|length }}"
    )
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b {{ x }}"}]
    row = item(input=turns, tags=["t", "u"], difficulty="hard", vars={"greeting": "Hi"})
    made = dataset(row, documents={"d": "text"}, template=template(text))
    first, second = build_request("m", row, made, ("d",), 100).messages
    assert first == {"role": "user", "content": "Hi a t+u hard: a [d=text] 1"}
    assert second == turns[1], "only the first message is made by the template"


@pytest.mark.parametrize("name", ["reference", "params", "system", "vars", "attachments"])
def test_no_template_reaches_the_answer_key(name: str) -> None:
    row = item(reference="the key", difficulty="easy", vars={"x": 1})
    made = dataset(row, template=template("{{ item." + name + " }}"))
    with pytest.raises(TemplateError, match=f"no attribute '{name}'; offered are item"):
        build_request("m", row, made, (), 100)


def test_what_an_item_does_not_state_is_undefined() -> None:
    made = dataset(item(), template=template("{{ item.difficulty }}"))
    with pytest.raises(TemplateError, match="no attribute 'difficulty'"):
        build_request("m", made.items[0], made, (), 100)


def test_everything_production_sends_is_in_the_request() -> None:
    tool = {"name": "book", "input_schema": {"type": "object", "properties": {"x": {"enum": [None, 1]}}}}
    settings = {
        "stop_sequences": ["END"], "thinking": {"type": "enabled", "budget_tokens": 1024, "display": "omitted"},
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {"default": None}}},
        "tools": [tool], "tool_choice": {"type": "tool", "name": "book", "disable_parallel_tool_use": True},
        "service_tier": "auto", "inference_geo": "us", "speed": "fast",
    }  # fmt: skip
    made = dataset(item(params=settings), card=Card(params=Params(max_tokens=7)))
    assert build_request("m", made.items[0], made, (), 100).params == settings


def test_prompt_hash_follows_the_output_cap_and_the_template() -> None:
    hashes = [prompt_sha256(10), prompt_sha256(11), prompt_sha256(10, template("a")), prompt_sha256(10, template("b"))]
    assert len(set(hashes)) == 4
    assert prompt_sha256(10, template("a")) == prompt_sha256(10, TemplateText("a", "elsewhere.j2", 9))
    assert prompt_sha256(1024) == ("c6057b02cb564e54ef813bc98b056c9f259b74af249376dfb274821aee427467"), (
        "runs without a template keep their hash"
    )
