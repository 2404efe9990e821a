"""The benchmark's mock server speaks the API to the official SDK, and its log is joined with what clients reported."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest
from bench import ledger
from bench.__main__ import END, START, written
from bench.fidelity import errors
from bench.mock_api import MODELS, Truth
from bench.rig import Mock, Workload, mock
from bench.script import Script, chance, parsed

OPUS = MODELS[0]


@pytest.fixture(scope="module")
def server() -> Iterator[Mock]:
    with mock() as running:
        yield running


@pytest.fixture
def client(server: Mock) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(
        base_url=server.url, api_key="local", max_retries=0, _strict_response_validation=True
    ) as strict:
        yield strict


def asked(directive: str) -> dict[str, Any]:
    turns = [{"role": "user", "content": f"Hello <<mock id=q1 {directive}>>"}]
    return {"model": OPUS, "max_tokens": 100, "messages": turns}


def test_success_shapes_are_the_apis_own(server: Mock, client: anthropic.Anthropic) -> None:
    server.script("tokens=3")
    whole = client.messages.create(**asked(""))
    with client.messages.stream(**asked("itl=1")) as stream:
        streamed = stream.get_final_message()
    for message in (whole, streamed):
        assert (message.content[0].text, message.usage.output_tokens) == ("word word word ", 3)
        assert (message.stop_reason, message.model) == ("end_turn", OPUS)
    assert client.messages.count_tokens(model=OPUS, messages=asked("")["messages"]).input_tokens > 0
    assert [model.id for model in client.models.list()] == list(MODELS)
    assert client.models.retrieve(OPUS).capabilities is not None


@pytest.mark.parametrize(
    ("fault", "raised", "status"),
    [
        ("429", anthropic.RateLimitError, 429),
        ("529", anthropic.InternalServerError, 529),
        ("500", anthropic.InternalServerError, 500),
        ("drop", httpx2.RemoteProtocolError, 200),
        ("sse_error", anthropic.APIStatusError, 200),
    ],
)
def test_faults_reach_the_sdk_as_real_ones_do(
    fault: str, raised: type[Exception], status: int, server: Mock, client: anthropic.Anthropic
) -> None:
    server.script("tokens=4")
    with pytest.raises(raised) as caught, client.messages.stream(**asked(f"fault={fault}")) as stream:
        stream.get_final_message()
    (truth,) = server.log()
    assert (truth.fault, truth.status, truth.t_end is None) == (fault, status, status == 200)
    assert truth.deltas == (2 if status == 200 else 0)
    if fault == "429":
        assert caught.value.response.headers["retry-after"] == "1"


def test_faults_depend_on_the_attempt_and_not_on_the_order() -> None:
    script = parsed("429=0.1 529=0.05 drop=0.02 seed=7")
    trials = [(f"q{item}", model, attempt) for item in range(400) for model in MODELS for attempt in (1, 2)]
    first = {trial: script.fault_of(*trial) for trial in trials}
    assert first == {trial: script.fault_of(*trial) for trial in reversed(trials)}
    shares = {kind: count / len(trials) for kind, count in Counter(first.values()).items()}
    assert shares == pytest.approx({"": 0.83, "429": 0.1, "529": 0.05, "drop": 0.02}, abs=0.02)
    assert parsed("") == Script()
    with pytest.raises(ValueError, match="'429x' is not a word"):
        parsed("429x=1")


@pytest.mark.slow
def test_a_run_is_joined_with_the_servers_own_log(server: Mock, tmp_path: Path) -> None:
    """Every attempt of a real run has its truth, faults included, and no reported time is shorter than the true."""
    server.script("ttft=30 itl=2 tokens=10 529=0.3 retry_after=0")
    _, path = Workload(tmp_path, 4).evalkit(server, 4)
    attempts, log = ledger.read(path)["attempts"], server.log()
    sent = [truth for truth in log if truth.path == "/v1/messages"]
    assert Counter(a["request_id"] for a in attempts) == Counter(truth.request_id for truth in sent)
    assert {(a["item_id"], a["model"]) for a in attempts} == {(truth.item, truth.model) for truth in sent}
    told = errors([a for a in attempts if a["outcome"] == "answered"], log)
    assert len(told.ttft) == 12
    assert min(told.ttft + told.total) > -2


def test_errors_are_reported_less_true_and_need_a_truth() -> None:
    ms = 1_000_000
    truth = Truth("req_1", "/v1/messages", t_rx=5 * ms, t_req=5 * ms, t_first=105 * ms, t_end=205 * ms)
    told = errors([{"request_id": "req_1", "ttft_s": 0.103, "latency_s": 0.207}], [truth])
    assert (told.ttft, told.total, told.streaming) == ([pytest.approx(3)], [pytest.approx(7)], [pytest.approx(4)])
    with pytest.raises(ValueError, match="req_2 is not in the server's log"):
        errors([{"request_id": "req_2", "ttft_s": 0.1, "latency_s": 0.2}], [truth])


def test_the_table_goes_between_its_markers(root: Path) -> None:
    document = (root / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert "| new |" in written(document, ["| new |"])
    with pytest.raises(ValueError, match="once each"):
        written(document.replace(END, ""), [])
    assert written(f"a\n{START}\nold\n{END}\nb\n", ["new"]) == f"a\n{START}\nnew\n{END}\nb\n"


def test_answers_to_be_graded_differ_by_item_and_model_and_a_judge_gives_a_level(
    server: Mock, client: anthropic.Anthropic
) -> None:
    server.script("tokens=2 criterion=right")
    with client.messages.stream(**asked("")) as stream:
        assert stream.get_final_text() == f"q1 {chance(OPUS):.4f} " * 2
    schema = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    shape = {"format": {"type": "json_schema", "schema": schema}}
    with client.messages.stream(**asked(""), output_config=shape) as stream:
        grades = json.loads(stream.get_final_text())["grades"]
    assert grades["right"]["level"] in (0, 1, 2)
