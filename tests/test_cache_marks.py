"""Cache marks: on the last block of what production marks, nowhere else, and understood by a server."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from servers import recorded
from test_bills import billed_usd
from test_run import snapshot, write_tiny

from evalkit.cache_marks import CacheMode, check_marks, chosen_marks
from evalkit.cli import main
from evalkit.dataset import Attachment, Card, Dataset, TemplateText
from evalkit.errors import ExitCode, UsageError
from evalkit.params import CacheMarks, Params
from evalkit.prompt import build_request, document_text
from evalkit.providers.anthropic import AnthropicProvider
from evalkit.sandbox.server import SandboxSettings
from tests.builders import dataset, item

ALL = CacheMarks(system=True, tools=True, documents=True, ttl="1h")
CONTROL = {"type": "ephemeral", "ttl": "1h"}
TOOLS = [{"name": name, "input_schema": {"type": "object"}} for name in ("one", "two")]
BLOCK = document_text(["d"], {"d": "text"})
LONG = "The fee is due on the first day of each month. " * 300


def whole(text: Any = "What?", template: str | None = None, **more: Any) -> Dataset:
    """A dataset with every part that can be marked."""
    params = Params.model_validate_json(json.dumps({"tools": TOOLS}))
    made = None if template is None else TemplateText(template, "p.j2")
    card = Card(system="Be brief.", params=params, cache=ALL)
    return dataset(item(input=text, **more), documents={"d": "text"}, card=card, template=made)


def test_each_part_is_marked_at_its_end() -> None:
    made = whole()
    sent = build_request("m", made.items[0], made, ("d",), 10, ALL)
    assert sent.system == ({"type": "text", "text": "Be brief.", "cache_control": CONTROL},)
    assert sent.params["tools"] == [TOOLS[0], {**TOOLS[1], "cache_control": CONTROL}]
    assert sent.messages[0]["content"] == [
        {"type": "text", "text": BLOCK, "cache_control": CONTROL},
        {"type": "text", "text": "What?"},
    ]


@pytest.mark.parametrize(("marked", "fits"), [(1, True), (2, False)])
def test_an_item_with_more_marks_than_the_api_takes_stops_a_run(marked: int, fits: bool) -> None:
    block = {"type": "text", "text": "More.", "cache_control": CONTROL}
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    made = whole([*turns, {"role": "user", "content": [block] * marked}])
    marks = CacheMarks(system=True, tools=True, documents=True, turns=True, ttl="1h")
    made = replace(made, card=made.card.model_copy(update={"cache": marks}))
    check_marks(made, "a", build_request("m", made.items[0], made, (), 10, marks))  # nothing of documents is sent here
    request = build_request("m", made.items[0], made, ("d",), 10, marks)
    if fits:
        check_marks(made, "a", request)
        return
    with pytest.raises(UsageError, match="has 5 marks for caching, and the API takes 4 a request; mark fewer parts in"):
        check_marks(made, "a", request)


@pytest.mark.parametrize("marks", [CacheMarks(system=True), CacheMarks(tools=True), CacheMarks(documents=True)])
def test_what_is_not_marked_stays_as_it_was(marks: CacheMarks) -> None:
    made = whole()
    plain, sent = (build_request("m", made.items[0], made, ("d",), 10, m) for m in (None, marks))
    assert (sent.system == plain.system) == (not marks.system)
    assert (sent.params == plain.params) == (not marks.tools)
    assert (sent.messages == plain.messages) == (not marks.documents)
    assert json.dumps([sent.system, sent.params, sent.messages]).count("cache_control") == 1


@pytest.mark.parametrize(
    ("template", "parts"),
    [
        (None, [BLOCK, "What?"]),
        ("Read:\n{{ documents }}{{ item.input }}", ["Read:\n" + BLOCK, "What?"]),
        ("{{ item.input }} {{ documents }}", ["What? " + BLOCK]),
        ("{{ documents|trim }}{{ item.input }}", [BLOCK.rstrip(), "What?"]),
        ("{{ item.input }}{{ documents[0].text }}", None),
    ],
)
def test_the_first_message_is_cut_after_its_documents(template: str | None, parts: list[str] | None) -> None:
    made = whole(template=template)
    plain = build_request("m", made.items[0], made, ("d",), 10).messages[0]["content"]
    sent = build_request("m", made.items[0], made, ("d",), 10, CacheMarks(documents=True)).messages[0]["content"]
    if parts is None:
        assert sent == plain
        return
    assert [block["text"] for block in sent] == parts
    assert "".join(parts) == plain, "cutting changes no character"
    assert ["cache_control" in block for block in sent] == [True, *[False] * (len(parts) - 1)]


@pytest.mark.parametrize(("documents", "marked"), [(("d",), 1), ((), 0)])
def test_attachments_are_marked_where_no_document_follows(documents: tuple[str, ...], marked: int) -> None:
    files = {"a.png": Attachment("a.png", "image/png", "", b"PNG")}
    made = dataset(item(attachments=["a.png"]), documents={"d": "text"}, attachments=files)
    content = build_request("m", made.items[0], made, documents, 10, CacheMarks(documents=True)).messages[0]["content"]
    assert [place for place, block in enumerate(content) if "cache_control" in block] == [marked]
    assert content[marked]["cache_control"] == {"type": "ephemeral", "ttl": "5m"}


def test_a_request_without_the_marked_parts_is_sent_as_it_is() -> None:
    made = dataset()
    assert build_request("m", made.items[0], made, (), 10, ALL) == build_request("m", made.items[0], made, (), 10)


@pytest.mark.parametrize(
    ("mode", "made", "words"),
    [
        ("as-production", dataset(), "the card set.yaml does not say what production marks; write e.g. `cache: {"),
        ("as-production", dataset(card=Card(cache=CacheMarks(system=True, tools=True))),
         "no item has what 'cache' in set.yaml marks (system, tools); mark a part that is sent"),
    ],
)  # fmt: skip
def test_nothing_to_mark_says_what_to_write(mode: CacheMode, made: Dataset, words: str) -> None:
    with pytest.raises(UsageError, match="--cache as-production") as caught:
        chosen_marks(mode, made)
    assert words in str(caught.value)


def test_off_marks_nothing_and_as_production_what_the_card_says() -> None:
    assert chosen_marks("off", whole()) is None
    assert chosen_marks("as-production", whole()) == ALL
    half = dataset(card=Card(system="s", cache=CacheMarks(system=True, tools=True)))
    assert chosen_marks("as-production", half) == half.card.cache


async def test_a_server_reads_on_the_second_call_what_it_wrote_on_the_first() -> None:
    card = Card(system="Be brief.", cache=ALL)
    made = dataset(item("a", "One?"), item("b", "Two?"), documents={"d": LONG}, card=card)
    with recorded() as server:
        provider = AnthropicProvider(server.url)
        try:
            usages = []
            for marks in (None, ALL):
                for row in made.items:
                    asked = build_request("claude-sonnet-4-6", row, made, ("d",), 64, marks)
                    usages.append((await provider.attempt(asked)).usage)
        finally:
            await provider.close()
        bodies = [json.dumps(body) for body in server.messages()]
    assert ["cache_control" in body for body in bodies] == [False, False, True, True]
    off, again, first, second = usages
    assert (off.cache_read_tokens, again.cache_read_tokens, first.cache_read_tokens) == (0, 0, 0)
    assert (off.cache_write_1h_tokens or 0, off.cache_write_5m_tokens or 0) == (0, 0)
    assert first.cache_write_1h_tokens is not None
    assert first.cache_write_1h_tokens > 1000
    assert first.cache_write_5m_tokens == 0
    assert second.cache_read_tokens == first.cache_write_1h_tokens
    assert off.total_input_tokens == first.total_input_tokens


# --- marks in a dataset's own turns ---------------------------------------------------------------------------


def marked_turns(ttl: str | None = None) -> list[dict[str, Any]]:
    """A conversation with marks wherever a turn can have them, and what is no mark though it is called so."""
    mark = {"cache_control": {"type": "ephemeral"} | ({"ttl": ttl} if ttl else {})}
    data = {"cache_control": "no-store"}
    parts = {"type": "content", "content": [{"type": "text", "text": "Part", **mark}]}
    return [
        {"role": "user", "content": "What?"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "fetch", "input": data, **mark}]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": LONG, **mark}]},
                {"type": "document", "source": parts},
                {"type": "text", "text": LONG, **mark},
            ],
        },
    ]


def test_marks_in_turns_are_sent_only_where_the_card_says_that_they_are_productions() -> None:
    made = dataset(item(input=marked_turns()), card=Card(system="Be brief."))
    turns = marked_turns()

    def sent(cache: CacheMarks | None) -> list[Any]:
        return list(build_request("m", made.items[0], made, (), 10, cache).messages)

    assert sent(CacheMarks(turns=True)) == turns
    plain = json.dumps(turns).replace(', "cache_control": {"type": "ephemeral"}', "")
    assert sent(None) == sent(CacheMarks(system=True)) == json.loads(plain)
    assert plain.count("cache_control") == 1, "a tool's own input stays as it is"


@pytest.mark.parametrize("ttl", ["5m", "1h"])
@pytest.mark.parametrize("mode", ["off", "as-production"])
def test_a_budget_knows_what_is_written_to_the_cache_for_marks_in_turns(
    mode: CacheMode, ttl: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    dataset, bills = write_tiny(tmp_path, 12), tmp_path / "bills.jsonl"
    rows = [json.loads(line) for line in dataset.read_text().splitlines()]
    for n, row in enumerate(rows):
        turns = marked_turns(ttl)
        turns[0]["content"] = f"Order {n}?"
        row.update(input=turns, params={"max_tokens": 5})
    dataset.write_text("".join(json.dumps(row) + "\n" for row in rows))
    dataset.with_suffix(".yaml").write_text(json.dumps({"description": "A set", "cache": {"turns": True, "ttl": ttl}}))
    with recorded(SandboxSettings(speed=0, bills=bills)) as server:
        arguments = ["run", str(dataset), "-m", "claude-sonnet-4-6", "--base-url", server.url, "-j", "12", "-y"]
        arguments += ["--cache", mode]
        assert main([*arguments, "--dry-run"]) == 0
        told = capsys.readouterr().out
        assert ("turns of 12 items are not sent; --cache as-production with" in told) == (mode == "off")
        budget_usd = Decimal("0.16") if mode == "off" else Decimal("0.3")
        assert main([*arguments, "-q", "--budget-usd", str(budget_usd)]) == ExitCode.BUDGET
        assert budget_usd / 2 < billed_usd(bills, "1") <= budget_usd
        assert main([*arguments, "-q", "--budget-usd", "9"]) == 0
    written = [json.loads(line)["usage"]["cache_creation_input_tokens"] for line in bills.read_text().splitlines()]
    assert all(written) if mode == "as-production" else not any(written)
    paid = sum(Decimal(repr(attempt.cost_usd)) for attempt in snapshot().attempts)
    assert paid == pytest.approx(billed_usd(bills, "1"), abs=Decimal("0.000001"))


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (dataset(item(input=marked_turns("1h")), card=Card(cache=CacheMarks(turns=True))),
         "turns have marks for 1h and 'cache' in set.yaml says 5m, for which a run is priced; give all of them one"),
        (dataset(card=Card(cache=CacheMarks(turns=True))), "no item has what 'cache' in set.yaml marks (turns)"),
    ],
)  # fmt: skip
def test_marks_in_turns_that_the_card_does_not_know_are_named(made: Dataset, words: str) -> None:
    with pytest.raises(UsageError, match="--cache as-production") as caught:
        chosen_marks("as-production", made)
    assert words in str(caught.value)
