"""Prompts that no server has counted: all that is sent has its size, and a budget holds whatever is sent."""

import base64
import json
import re
import zlib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from servers import Spoil, recorded
from test_bills import billed_usd
from test_run import snapshot, write_tiny

from evalkit.cli import main
from evalkit.errors import ExitCode
from evalkit.records import Request, Usage
from evalkit.sandbox import tokens
from evalkit.sandbox.server import SandboxSettings
from evalkit.uncounted import ShownSizes, measured

MODEL = "claude-sonnet-4-6"
TOOL = {
    "name": "get",
    "description": "Look up an order. " * 3000,
    "input_schema": {"type": "object", "properties": {"c": {"type": "string"}}},
}
SCHEMA = {"type": "object", "properties": {f"field_{n}": {"type": "string"} for n in range(800)}}
CHINESE = "请问订单在哪里我想知道它什么时候会到" * 300
ENGLISH = "The parcel left the warehouse on Monday and waits at the counter. " * 400
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PDF = b"%PDF-1.4\n1 0 obj <</Type /Page>> endobj\n" + b"%" + b" " * 20_000 + b"\n%%EOF\n"

WORKLOADS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "tools": ({"params": {"max_tokens": 50, "tools": [TOOL]}}, {}),
    "a format": (
        {"params": {"max_tokens": 50, "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}},
        {},
    ),
    "Chinese beside English": ({"system": ENGLISH}, {"input": CHINESE, "params": {"max_tokens": 5}}),
    "single letters": ({"system": ENGLISH}, {"input": "a b c d e f g h " * 700, "params": {"max_tokens": 5}}),
    "images": ({}, {"attachments": [f"p{n}.png" for n in range(4)], "params": {"max_tokens": 5}}),
    "long words, then digits": (
        {"system": "incomprehensibilities " * 200},
        {"input": "7 1 3 " * 4000, "params": {"max_tokens": 5}},
    ),
    "a PDF": ({}, {"attachments": ["a.pdf"], "params": {"max_tokens": 5}}),
}


def written(folder: Path, workload: str) -> Path:
    """Thirty items of a workload, of which every other one is as short as can be."""
    card, own = WORKLOADS[workload]
    dataset = write_tiny(folder, 30)
    rows = [json.loads(line) for line in dataset.read_text().splitlines()]
    for row in rows[1::2]:
        row.update({**own, "input": row["input"] + own.get("input", "")})
    rows = [{"params": {"max_tokens": 5}, **row} for row in rows]
    dataset.write_text("".join(json.dumps(row) + "\n" for row in rows))
    dataset.with_suffix(".yaml").write_text(json.dumps({"description": "A set", **card}))
    for n in range(4):
        (folder / f"p{n}.png").write_bytes(PNG)
    (folder / "a.pdf").write_bytes(PDF)
    return dataset


@pytest.mark.long
@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "bedrock:us.anthropic.claude-sonnet-4-6"])
def test_a_budget_holds_whatever_is_sent_uncounted(
    model: str, workload: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dataset = written(tmp_path, workload)
    with recorded(SandboxSettings(speed=0, without=frozenset({"count_tokens"}))) as server:
        for name, value in (("AWS_REGION", "us-east-1"), ("AWS_BEARER_TOKEN_BEDROCK", "t")):
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("ANTHROPIC_BEDROCK_BASE_URL", server.url)
        where = [] if model.startswith("bedrock") else ["--base-url", server.url]
        arguments = ["run", str(dataset), "-m", model, *where, "-q", "-j", "30", "-y"]
        assert main([*arguments, "--budget-usd", "0.4"]) in (0, ExitCode.BUDGET)
        first = snapshot()
        assert 0 < sum(attempt.cost_usd or 0.0 for attempt in first.attempts) <= 0.4
        assert main([*arguments, "--budget-usd", "9"]) == 0
    seen = snapshot()
    sizes = {size.item_id: size for size in seen.sizes}
    items = {trial.id: trial.key.item_id for trial in seen.trials}
    told = [(sizes[items[a.trial_id]], a.usage.total_input_tokens or 0) for a in seen.attempts if a.final]
    assert len(told) == 30
    assert all(not size.counted and tokens <= (size.most_tokens or 0) for size, tokens in told)
    assert sum(tokens for _, tokens in told) / 2 < sum(size.tokens for size, _ in told), "a wild guess"
    if workload != "a format":  # of which the sandbox takes no tokens
        assert sum(size.tokens for size, _ in told) < 3 * sum(tokens for _, tokens in told), "a wild guess"


@pytest.mark.parametrize("dense", ["请问订单在哪里" * 400, "\U0001f680\U0001f9ea" * 800, "a b c d e f g h " * 700])
def test_a_budget_holds_whatever_the_sample_looks_like(
    dense: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many prompts those that are counted are English, and all others have far more tokens for their length."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("evalkit.fitting.MOST_COUNTED", 5)
    dataset, bills = write_tiny(tmp_path, 60), tmp_path / "bills.jsonl"
    rows = [json.loads(line) for line in dataset.read_text().splitlines()]
    for place, row in enumerate(rows):
        text = dense if place % 12 else "incomprehensibilities " * (1 if place else 6000)  # all of the text's sample
        row.update(input=row["input"] + text, params={"max_tokens": 5})
    dataset.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with recorded(SandboxSettings(speed=0, bills=bills)) as server:
        arguments = ["run", str(dataset), "-m", MODEL, "--base-url", server.url, "-q", "-j", "60", "-y"]
        for budget_usd in ("0.06", "0.15", "0.25"):
            assert main([*arguments, "--budget-usd", budget_usd]) == ExitCode.BUDGET
            assert 0 < billed_usd(bills, "1") <= Decimal(budget_usd)
    assert sum(size.counted for size in snapshot().sizes) == 5


@pytest.mark.parametrize(
    ("without", "most_counted", "said"),
    [
        (frozenset({"count_tokens"}), 3000, "3 of 3 prompts are not counted and may have a token a byte"),
        (frozenset[str](), 1, "2 of 3 prompts are not counted and may have a token a byte"),
        (frozenset[str](), 3000, None),
    ],
)
def test_what_the_most_of_an_uncounted_prompt_is_is_said(
    without: frozenset[str],
    most_counted: int,
    said: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("evalkit.fitting.MOST_COUNTED", most_counted)
    dataset = write_tiny(tmp_path, 3)
    with recorded(SandboxSettings(speed=0, without=without)) as server:
        assert main(["run", str(dataset), "-m", MODEL, "--base-url", server.url, "--dry-run"]) == 0
    lines = [line for line in "".join(capsys.readouterr()).splitlines() if "prompts are not counted" in line]
    assert len(lines) == (said is not None)
    assert all(said is not None and said in line for line in lines)
    assert all(("this server counts none" in line) == bool(without) for line in lines)
    assert all(("one of the servers does not count them" in line) == (not without) for line in lines), "3 are few"


def ask(text: str) -> Request:
    return Request("m", ({"role": "user", "content": text},), 10)


@pytest.mark.parametrize("text", [ENGLISH, CHINESE, "a " * 900, "!?" * 900, "\U0001f600" * 500, "\udce4" * 500])
def test_no_text_has_more_tokens_than_the_most_it_can_have(text: str) -> None:
    most = measured(ask(text)).most
    assert tokens.count(text) <= most
    assert most <= len(text.encode("utf-8", "surrogatepass")) + 100


def test_more_than_was_set_aside_is_set_aside_for_the_next() -> None:
    shown, most = ShownSizes(), measured(ask(ENGLISH)).most
    assert shown.most_tokens("m", most) == most
    shown.hear("m", most, Usage())  # one that was cut off before it said anything
    shown.hear("m", most, Usage(most // 4))  # and one that had less, which says nothing of another kind of text
    assert shown.most_tokens("m", most) == most
    shown.hear("m", most, Usage(2 * most - 10, cache_read_tokens=10))
    assert shown.most_tokens("m", most) == 2 * most, "what was no bound is none for the next one"
    assert shown.most_tokens("other", most) == most


def test_what_comes_to_a_short_prompt_is_added_to_a_long_one_and_no_ratio_of_it() -> None:
    shown = ShownSizes()
    shown.hear("m", 20, Usage(320))
    assert shown.most_tokens("m", 20_000) == 20_300
    shown.hear("m", 400, Usage(100))
    assert shown.most_tokens("m", 20) == 320, "which a later one with less does not undo"
    shown.hear("m", 20_000, Usage(24_000))
    assert shown.most_tokens("m", 20_000) == 24_300
    shown.hear("m", 2**40, Usage(2**40))
    assert shown.most_tokens("m", 20) == 324


# --- files that a prompt only names ---------------------------------------------------------------------------

URL = {"type": "url", "url": "https://example.com/report.pdf"}
FILE = {"type": "file", "file_id": "file_1"}
NAMED: dict[str, list[dict[str, Any]]] = {
    "a URL": [{"type": "document", "source": URL}],
    "a file id": [{"type": "document", "source": FILE}],
    "in a tool's result": [
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "document", "source": FILE}]}
    ],
    "in a document in parts": [
        {"type": "document", "source": {"type": "content", "content": [{"type": "image", "source": URL}]}},
        {"type": "document", "source": URL},
    ],
}


def with_turns(folder: Path, items: int, blocks: list[dict[str, Any]]) -> Path:
    """Items whose last turn has these blocks before its question."""
    dataset = write_tiny(folder, items)
    call = {"type": "tool_use", "id": "t", "name": "fetch", "input": {}}
    said: Any = [call] if any(block["type"] == "tool_result" for block in blocks) else "Yes?"
    rows = [json.loads(line) for line in dataset.read_text().splitlines()]
    for n, row in enumerate(rows):
        asked = {"role": "user", "content": [*blocks, {"type": "text", "text": f"Sum up order {n}"}]}
        row["input"] = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": said}, asked]
        row["params"] = {"max_tokens": 5}
    dataset.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return dataset


@pytest.mark.parametrize("named", NAMED)
@pytest.mark.parametrize("counts", [True, False])
def test_a_document_that_is_only_named_may_fill_the_window_and_that_is_said(
    counts: bool, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where of many prompts a part is counted."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("evalkit.fitting.MOST_COUNTED", 4)
    dataset = with_turns(tmp_path, 12, NAMED[named])
    without = frozenset[str]() if counts else frozenset({"count_tokens"})
    with recorded(SandboxSettings(speed=0, without=without)) as server:
        arguments = ["run", str(dataset), "-m", MODEL, "--base-url", server.url, "-j", "12", "-y"]
        assert main([*arguments, "--dry-run"]) == 0
        uncounted = 8 if counts else 12
        told = f"{uncounted} uncounted prompts with documents named by URL or file id, whose length nobody knows"
        assert told in capsys.readouterr().out
        assert main(["plan", str(dataset)]) == 0
        assert "12 uncounted prompts with documents named by URL or file id" in capsys.readouterr().out
        assert main([*arguments, "-q", "--budget-usd", "0.05"]) == ExitCode.BUDGET
        assert f"all that its model takes is set aside for each of {told}" in capsys.readouterr().err
        seen = snapshot()
        assert sum(attempt.cost_usd or 0.0 for attempt in seen.attempts) <= 0.05
        assert len(server.messages()) <= 12 - uncounted, "one of them might cost more than that"
        assert main([*arguments, "-q", "--budget-usd", "7"]) == 0
    assert {size.most_tokens for size in seen.sizes if not size.counted} == {1_000_000}


def test_an_image_that_is_only_named_has_its_bound_and_is_guessed_like_any() -> None:
    def size(source: dict[str, str]) -> Any:
        return measured(Request("m", ({"role": "user", "content": [{"type": "image", "source": source}]},), 10))

    sent = size({"type": "base64", "media_type": "image/png", "data": "x" * 90_000})
    assert [size(source) for source in (URL, FILE)] == [sent, sent]
    assert sent.most < 6000


# --- prompts whose count is not what is billed ----------------------------------------------------------------


def spoilt(count: float, geo: str) -> Spoil:
    """A server that counts so many times the tokens that it bills, and processes requests there."""

    def spoil(_method: str, path: str) -> Callable[[bytes], tuple[str, bytes]] | None:
        def fewer(body: bytes) -> tuple[str, bytes]:
            return "application/json", json.dumps(
                {"input_tokens": int(json.loads(body)["input_tokens"] * count)}
            ).encode()

        def elsewhere(body: bytes) -> tuple[str, bytes]:
            return "text/event-stream", re.sub(
                rb'"inference_geo": ?"global"', b'"inference_geo": "%s"' % geo.encode(), body
            )

        return {"/v1/messages/count_tokens": fewer, "/v1/messages": elsewhere}.get(path)

    return spoil


@pytest.mark.parametrize(
    ("count", "geo", "at_once"), [(1 / 1.09, "global", 40), (1, "us", 40), (1 / 1.09, "us", 40), (0.6, "us", 8)]
)
def test_a_budget_holds_and_is_used_where_more_is_billed_than_was_counted(
    count: float, geo: str, at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tenth in tokens and the dearer region are foreseen; of more the first answer tells."""
    monkeypatch.chdir(tmp_path)
    dataset, bills = write_tiny(tmp_path, 40), tmp_path / "bills.jsonl"
    rows = [json.loads(line) for line in dataset.read_text().splitlines()]
    rows = [{**row, "input": row["input"] + ENGLISH[:2200], "params": {"max_tokens": 5}} for row in rows]
    dataset.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with recorded(SandboxSettings(speed=0, bills=bills), spoil=spoilt(count, geo)) as server:
        arguments = ["run", str(dataset), "-m", MODEL, "--base-url", server.url, "-q", "-j", str(at_once), "-y"]
        for budget_usd in (Decimal("0.03"), Decimal("0.05")):
            assert main([*arguments, "--budget-usd", str(budget_usd)]) == ExitCode.BUDGET
            spent = billed_usd(bills, "1.1" if geo == "us" else "1")
            assert budget_usd * 3 / 4 < spent <= budget_usd
        each = spent / len(bills.read_text().splitlines())
        assert main([*arguments, "--budget-usd", str(each * 42)]) == 0, "there is room for two more"


# --- pages of a PDF -------------------------------------------------------------------------------------------

PAGES = b"".join(b"<</Type/Page/Parent 1 0 R>>" for _ in range(40))


def object_stream(content: bytes, packed: bytes | None = None) -> bytes:
    data = zlib.compress(content) if packed is None else packed
    head = b"5 0 obj\n<</Type/ObjStm/N 40/First 9/Filter/FlateDecode/Length %d>>\nstream\r\n" % len(data)
    return head + data + b"\nendstream\nendobj\n"


UPDATE = b"9 0 obj <</Type /Page>> endobj\n%%EOF\n"
"""One page anew, as editors append it."""

MOST = 600
PDFS = {
    "plain": (b"1 0 obj <</Type /Page>> endobj", 1),
    "plain with a count": (b"<</Type/Pages/Count 7>>", 7),
    "packed": (object_stream(PAGES), 40),
    "packed with an update": (object_stream(PAGES) + UPDATE, 41),
    "two packed": (object_stream(PAGES) * 2, 80),
    "packed, counted": (object_stream(b"<</Type/Pages/Count 90>>" + PAGES), 90),
    "encrypted": (object_stream(PAGES) + b"<</Encrypt 3 0 R>>" + UPDATE, MOST),
    "spoilt": (object_stream(PAGES, b"no zlib") + UPDATE, MOST),
    "cut": (object_stream(PAGES, zlib.compress(PAGES)[:-9]) + UPDATE, MOST),
    "without an end": (object_stream(PAGES).replace(b"endstream", b"") + UPDATE, MOST),
    "huge": (object_stream(bytes(80_000_000)) + UPDATE, MOST),
    "packed in another way": (b"<</Type/ObjStm/Filter/LZWDecode>>" + UPDATE, MOST),
}


@pytest.mark.parametrize(("content", "most"), PDFS.values(), ids=PDFS.keys())
def test_as_many_pages_as_a_pdf_may_have_are_reckoned_with(content: bytes, most: int) -> None:
    source = {"type": "base64", "media_type": "application/pdf", "data": base64.b64encode(content).decode()}
    message = {"role": "user", "content": [{"type": "document", "source": source}]}
    assert measured(Request("claude-opus-4-6", (message,), 10)).most // 8000 == most
