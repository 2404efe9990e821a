"""What a dataset declares is what the server receives: tools, files, formats, thinking, turns, from run to report."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from servers import Recorded, recorded
from test_run import run_files, snapshot

from evalkit.cli import main

OPUS, HAIKU = "claude-opus-4-6", "claude-haiku-4-5-20251001"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))
PDF = b"%PDF-1.7\n" + bytes(range(64))
SCHEMA = {
    "type": "object",
    "properties": {"team": {"enum": ["billing", "repair"]}, "note": {"type": "string"}},
    "required": ["team", "note"],
    "additionalProperties": False,
}
TOOL = {"name": "route", "description": "Send a ticket to a team.", "input_schema": SCHEMA}
CALL = {
    "type": "object",
    "properties": {"tool": {"const": "route"}, "input": SCHEMA},
    "required": ["tool", "input"],
}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    monkeypatch.chdir(tmp_path)
    with recorded() as running:
        yield running


def write(rows: list[dict[str, Any]], schema: dict[str, Any] | None = None, **card: Any) -> str:
    """A dataset `made.jsonl` with its card and a rubric of one check."""
    check = {"type": "json_schema", "schema": schema} if schema else {"type": "regex", "pattern": "."}
    criterion = {"id": "form", "question": "Is it of the form asked for?", "weight": 1, "kind": "check", "check": check}
    rubric = {"name": "made", "criteria": [criterion], "satisfactory": {"score": 1}}
    Path("rubrics").mkdir()
    Path("rubrics/made.yaml").write_text(yaml.safe_dump(rubric))
    Path("made.jsonl").write_text("".join(json.dumps({"id": f"i{n}"} | row) + "\n" for n, row in enumerate(rows)))
    if card:
        Path("made.yaml").write_text(yaml.safe_dump(card))
    return "made.jsonl"


def sent(server: Recorded, dataset: str, model: str = OPUS) -> list[dict[str, Any]]:
    """What a run sends, in the order of its items' questions."""
    assert main(["run", dataset, "-q", "-m", model, "--base-url", server.url]) == 0
    assert {attempt.outcome for attempt in snapshot().attempts} == {"answered"}
    return sorted(server.messages(), key=lambda body: json.dumps(body["messages"]))


def test_tools_go_the_whole_way_from_the_dataset_to_the_report(server: Recorded) -> None:
    choice = {"type": "tool", "name": "route"}
    rows = [{"input": f"Ticket {n}: the kettle leaks."} for n in range(4)]
    dataset = write(rows, CALL, params={"tools": [TOOL], "tool_choice": choice})
    for body in sent(server, dataset):
        assert body["tools"] == [TOOL]
        assert body["tool_choice"] == choice
    seen = snapshot()
    assert {attempt.stop_reason for attempt in seen.attempts} == {"tool_use"}
    assert all(json.loads(attempt.text)["tool"] == "route" for attempt in seen.attempts)
    assert all(attempt.ttft_s is not None for attempt in seen.attempts)
    (path,) = run_files()
    assert main(["grade", str(path), "-q"]) == 0
    assert [grade.level for grade in snapshot().grades] == [1] * 4
    assert main(["report", str(path), "-q", "-o", "r.md", "-o", "r.json"]) == 0
    assert "4 items" in Path("r.md").read_text()


def test_a_forced_tool_is_told_of_models_that_take_none(server: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = write([{"input": "Ticket"}], CALL, params={"tools": [TOOL], "tool_choice": {"type": "any"}})
    assert main(["run", dataset, "-q", "-m", "claude-opus-5-5", "--base-url", server.url]) == 2
    assert "'tool_choice' of type 'any' forces a tool" in capsys.readouterr().err
    assert server.messages() == []


@pytest.mark.parametrize(
    ("model", "thinking", "taken"),
    [
        ("claude-opus-4-6", {"type": "enabled", "budget_tokens": 2000}, False),
        ("claude-opus-4-6", {"type": "adaptive"}, False),
        ("claude-opus-4-6", {"type": "disabled"}, True),
        ("claude-haiku-4-5-20251001", {"type": "enabled", "budget_tokens": 2000}, False),
        ("claude-opus-5", {"type": "adaptive"}, True),
    ],
)
def test_a_tool_that_is_forced_on_a_model_that_thinks_is_told_before_anything_is_sent(
    model: str, thinking: dict[str, Any], taken: bool, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    params = {"tools": [TOOL], "tool_choice": {"type": "any"}, "thinking": thinking, "max_tokens": 4000}
    dataset = write([{"input": "Ticket"}], CALL, params=params)
    assert main(["run", dataset, "-q", "-y", "-m", model, "--base-url", server.url]) == (0 if taken else 2)
    assert ("'tool_choice' of type 'any' forces a tool, which it does not take" in capsys.readouterr().err) == (
        not taken
    )
    assert len(server.messages()) == taken


def test_images_and_pdfs_arrive_byte_by_byte(server: Recorded) -> None:
    Path("photo.png").write_bytes(PNG)
    Path("invoice.pdf").write_bytes(PDF)
    (body,) = sent(server, write([{"input": "What is shown?", "attachments": ["photo.png", "invoice.pdf"]}]))
    blocks = body["messages"][0]["content"]
    files = [
        (block["type"], block["source"]["media_type"], base64.b64decode(block["source"]["data"]))
        for block in blocks
        if block["type"] != "text"
    ]
    assert files == [("image", "image/png", PNG), ("document", "application/pdf", PDF)]
    assert [block["text"] for block in blocks if block["type"] == "text"] == ["What is shown?"]


def test_stop_sequences_arrive_and_what_stopped_is_an_answer(server: Recorded) -> None:
    (body,) = sent(server, write([{"input": "Write three sentences.", "params": {"stop_sequences": [" the ", "."]}}]))
    assert body["stop_sequences"] == [" the ", "."]
    (attempt,) = snapshot().attempts
    assert attempt.stop_reason == "stop_sequence"
    assert "." not in attempt.text


def test_a_format_arrives_and_the_answer_has_it(server: Recorded) -> None:
    form = {"type": "json_schema", "schema": SCHEMA}
    dataset = write([{"input": "Where to?"}], SCHEMA, params={"output_config": {"format": form}})
    (body,) = sent(server, dataset)
    assert body["output_config"] == {"format": form}
    (path,) = run_files()
    assert main(["grade", str(path), "-q"]) == 0
    assert [grade.level for grade in snapshot().grades] == [1]


@pytest.mark.parametrize(
    ("model", "thinking", "effort"),
    [
        (OPUS, {"type": "adaptive", "display": "summarized"}, "low"),
        (HAIKU, {"type": "enabled", "budget_tokens": 1024}, None),
        ("claude-sonnet-5-5", {"type": "between_tools"}, "high"),
    ],
)
def test_thinking_and_effort_arrive_and_are_billed_but_no_output(
    model: str, thinking: dict[str, Any], effort: str | None, server: Recorded
) -> None:
    params = {"thinking": thinking, "max_tokens": 4000} | ({"output_config": {"effort": effort}} if effort else {})
    (body,) = sent(server, write([{"input": "Think of a number.", "params": params}]), model)
    assert {name: body.get(name) for name in params} == params
    (attempt,) = snapshot().attempts
    assert bool(attempt.usage.thinking_tokens) == (thinking["type"] != "between_tools")


TURNS = [
    {"role": "user", "content": "My kettle leaks."},
    {"role": "assistant", "content": "Since when?"},
    {"role": "user", "content": "Since Monday."},
]
PREFILL = {"role": "assistant", "content": '{"team": "'}


TOOL_TURNS: list[dict[str, Any]] = [
    {"role": "user", "content": "Where is order 17?"},
    {"role": "assistant", "content": [
        {"type": "thinking", "thinking": "The shop knows.", "signature": "c2ln"},
        {"type": "text", "text": "I will look."},
        {"type": "tool_use", "id": "toolu_1", "name": "route", "input": {"team": "repair", "note": "17"}},
    ]},
    {"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "In Lyon."}]},
        {"type": "text", "text": "And now?"},
    ]},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_2", "name": "route", "input": {}}]},
    {"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "toolu_2", "content": "No answer.", "is_error": True},
    ]},
]  # fmt: skip


@pytest.mark.parametrize(
    "turns", [TURNS, [*TURNS, PREFILL], TOOL_TURNS], ids=["several turns", "a prefill", "calls and results"]
)
def test_turns_arrive_as_they_were_written(turns: list[dict[str, Any]], server: Recorded) -> None:
    (body,) = sent(server, write([{"input": turns, "system": "Be brief."}]), HAIKU)
    assert body["messages"] == turns
    assert body["system"] == "Be brief."


def test_an_items_settings_win_over_the_datasets(server: Recorded) -> None:
    rows = [{"input": "a"}, {"input": "b", "params": {"max_tokens": 4000}}]
    first, second = sent(server, write(rows, params={"max_tokens": 5000, "stop_sequences": ["END"]}, system="Be kind."))
    assert (first["max_tokens"], second["max_tokens"]) == (5000, 4000)
    assert first["stop_sequences"] == second["stop_sequences"] == ["END"]
    assert first["system"] == second["system"] == "Be kind."
