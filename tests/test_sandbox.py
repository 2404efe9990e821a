"""The simulated API keeps the real one's contract, and is as good and as bad as it says it is."""

import asyncio
import contextlib
import itertools
import json
import math
import socket
import statistics
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import jsonschema
import pytest
from anthropic import Anthropic, AsyncAnthropic, DefaultAsyncHttpxClient, DefaultHttpxClient
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from evalkit.errors import InfrastructureError, UsageError
from evalkit.sandbox import faults, keycheck, tokens
from evalkit.sandbox.answer_keys import input_sha256, load_keys
from evalkit.sandbox.answers import NAMES_ITSELF
from evalkit.sandbox.author import write_reply
from evalkit.sandbox.caching import PromptCache
from evalkit.sandbox.catalog import MODELS, find_model
from evalkit.sandbox.facts import stated_points
from evalkit.sandbox.jsonfill import fill_schema
from evalkit.sandbox.judge import JUDGE_FALSE_FAIL, JUDGE_FALSE_PASS, MALFORMED, covers, judge, read_judging
from evalkit.sandbox.latency import draw_pace
from evalkit.sandbox.plausible import plausible_answer
from evalkit.sandbox.quality import REFUSED, TRUNCATED
from evalkit.sandbox.ratelimits import LIMITS, RateMeter
from evalkit.sandbox.repeats import Repeats
from evalkit.sandbox.request import MessageRequest, read_request
from evalkit.sandbox.seeds import Draws, digest
from evalkit.sandbox.server import SandboxSettings, running
from evalkit.sandbox.validation import check_body
from evalkit.sandbox.wire import ApiError

OPUS, SONNET, HAIKU = "claude-opus-4-6", "claude-sonnet-4-6", "claude-haiku-4-5-20251001"
ITEM_COUNT = 60
PLAIN: dict[str, Any] = {"mounts": {"all://127.0.0.1": None}, "verify": False}
"""For clients of plain HTTP: no proxy, and no authorities, which take 30 ms to read."""
USABLE = [spec for spec in MODELS if spec.lifecycle == "active"]


def make_item(index: int) -> dict[str, Any]:
    """One of 20 easy, 25 medium and 15 hard items, with the pairs of facts its answers are made of."""
    thing = ("kettle", "filter jug", "grinder", "purifier", "machine")[index % 5]
    facts = [
        (
            f"The {thing} can be returned within {10 + index} days of delivery",
            f"You can return the {thing} within {10 + index} days of delivery.",
            f"You can return the {thing} within {80 + index} days of delivery.",
        ),
        (
            f"The refund of £{200 + index} goes back to the original card",
            f"The refund of £{200 + index} goes to your original card.",
            f"The refund of £{300 + index} goes to your original card.",
        ),
        (
            "Collection by courier is not free of charge",
            "Collection by our courier is not free of charge.",
            "Collection by our courier is free of charge.",
        ),
    ]
    return {
        "id": f"item-{index}",
        "input": f"Hello,  may I return the {thing} of order {5000 + index}?\nIt is unused.\n\nThanks, Bo",
        "difficulty": "easy" if index < 20 else "medium" if index < 45 else "hard",
        "reference": "\n".join(f"- {line}" for line, _, _ in facts),
        "facts": [{"right": right, "wrong": wrong} for _, right, wrong in facts],
    }


ITEMS = [make_item(index) for index in range(ITEM_COUNT)]
LABEL_ITEM = {
    "id": "label", "input": "Which queue?", "difficulty": "easy", "reference": '{"queue": "billing"}',
    "answers": {"correct": '{"queue": "billing"}', "partial": '{"queue": "sales"}', "wrong": '{"queue": "labels"}'},
}  # fmt: skip


@pytest.fixture(scope="module")
def keys_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    keys = [
        {name: item[name] for name in ("id", "difficulty", "facts", "answers") if name in item}
        | {"input_sha256": input_sha256(item["input"])}
        for item in [*ITEMS, LABEL_ITEM]
    ]
    (folder / "made-up.jsonl").write_text("\n".join(map(json.dumps, keys)), "utf-8")
    return folder


@pytest.fixture(scope="module")
def settings(keys_dir: Path) -> SandboxSettings:
    return SandboxSettings(speed=0, keys_dir=keys_dir)


@pytest.fixture(scope="module")
def url(settings: SandboxSettings) -> Iterator[str]:
    with running(settings) as base_url:
        yield base_url


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[Anthropic]:
    with connect(url) as sdk:
        yield sdk


def connect(url: str, **options: Any) -> Anthropic:
    http = DefaultHttpxClient(**PLAIN)
    given = {"max_retries": 0, "_strict_response_validation": True, "open_telemetry": False} | options
    return Anthropic(api_key="test", base_url=url, http_client=http, **given)


def ask(text: str, model: str = OPUS, **more: Any) -> dict[str, Any]:
    return {"model": model, "max_tokens": 600, "messages": [{"role": "user", "content": text}]} | more


def text_of(message: anthropic.types.Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def with_fault(fault: str) -> dict[str, str]:
    return {"evalkit-fault": fault}


def post(url: str, body: Any, path: str = "/v1/messages", **headers: str) -> httpx2.Response:
    sent = {"x-api-key": "test", "anthropic-version": "2026-10-21"} | headers
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with httpx2.Client(**PLAIN, timeout=300) as http:
        return http.post(url + path, content=data, headers={k: v for k, v in sent.items() if v})


# ---- shapes, as the SDK's strict validation reads them


def test_create_answers_with_every_field_and_header(client: Anthropic) -> None:
    raw = client.messages.with_raw_response.create(**ask(ITEMS[0]["input"]))
    message = raw.parse()
    assert message.type == "message"
    assert message.model == OPUS
    assert message.stop_reason == "end_turn"
    assert message.usage.output_tokens == tokens.count(text_of(message))
    assert message.usage.service_tier == "standard"
    assert message._request_id == raw.headers["request-id"]
    assert raw.headers["evalkit-simulated"] == "true"
    limits = [name for name in raw.headers if name.startswith("anthropic-ratelimit-")]
    assert len(limits) == 12
    assert int(raw.headers["anthropic-ratelimit-requests-limit"]) == LIMITS["requests"] * 1000, "no delays"


def test_everything_stands_under_a_prefix_too(url: str) -> None:
    with connect(f"{url}/anthropic") as sdk:
        assert sdk.messages.create(**ask("Say something.")).stop_reason == "end_turn"
        assert sdk.models.retrieve(HAIKU).id == HAIKU


def test_stream_has_the_events_of_the_api_in_their_order(client: Anthropic) -> None:
    with client.messages.create(**ask(ITEMS[1]["input"]), stream=True) as stream:
        events = list(stream)
    kinds = [event.type for event in events]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(kinds[2:-3]) == {"content_block_delta"}
    start, delta = events[0], events[-2]
    assert start.type == "message_start"
    assert delta.type == "message_delta"
    assert start.message.usage.input_tokens == delta.usage.input_tokens
    # About eight tokens a delta keeps the number of events modest.
    assert delta.usage.output_tokens / 16 < kinds.count("content_block_delta") < delta.usage.output_tokens / 4


def test_streamed_and_whole_replies_are_the_same(settings: SandboxSettings) -> None:
    with running(settings) as one, connect(one) as sdk:
        whole = sdk.messages.create(**ask(ITEMS[2]["input"]))
    with (
        running(settings) as other,
        connect(other) as sdk,
        sdk.messages.stream(**ask(ITEMS[2]["input"])) as stream,
    ):
        streamed = stream.get_final_message()
    assert text_of(whole) == text_of(streamed)
    assert whole.id == streamed.id
    assert whole.usage == streamed.usage


def test_count_tokens_agrees_with_the_bill_and_grows_with_the_tokenizer(client: Anthropic) -> None:
    text = "The return was accepted because the parcel had been damaged on its way to the shop. " * 40
    messages: Any = [{"role": "user", "content": text}]
    counted = client.messages.count_tokens(model=SONNET, messages=messages).input_tokens
    assert counted == client.messages.create(**ask(text, SONNET)).usage.input_tokens
    assert len(text) / counted == pytest.approx(4.2, abs=0.4)
    newer = client.messages.count_tokens(model="claude-sonnet-5-5", messages=messages).input_tokens
    assert newer / counted == pytest.approx(1.3, abs=0.01)


def test_models_are_listed_in_pages_and_by_lifecycle(client: Anthropic) -> None:
    ids = [model.id for model in client.models.list(limit=4)]
    assert ids == [spec.id for spec in MODELS if spec.lifecycle != "retired"]
    first = client.models.list(limit=4)
    assert first.has_more
    assert [model.id for model in client.models.list(limit=4, before_id=ids[4])] == ids[:4]
    retired = list(client.models.list(lifecycle=["retired"]))
    assert {model.id for model in retired} == {"claude-mythos-preview", "claude-opus-4-1-20250805"}
    assert all(model.deprecated_at and model.retires_at for model in retired)
    with pytest.raises(anthropic.BadRequestError, match="limit"):
        client.models.list(limit=5000)


def test_an_alias_is_answered_by_its_snapshot(client: Anthropic) -> None:
    assert client.models.retrieve("claude-haiku-4-5").id == HAIKU
    assert client.messages.create(**ask("Hello", "claude-haiku-4-5")).model == HAIKU
    with pytest.raises(anthropic.NotFoundError, match="model: claude-nothing"):
        client.models.retrieve("claude-nothing")


@pytest.mark.parametrize("spec", USABLE, ids=lambda spec: spec.id)
def test_capabilities_say_exactly_what_is_turned_down(spec: Any, client: Anthropic, url: str) -> None:
    told = client.models.retrieve(spec.id).capabilities
    assert told is not None
    for kind in ("adaptive", "enabled", "disabled", "between_tools"):
        thinking = {"type": kind} | ({"budget_tokens": 1024} if kind == "enabled" else {})
        status = post(url, ask("Hi", spec.id, max_tokens=2000, thinking=thinking)).status_code
        assert (status == 200) is getattr(told.thinking.types, kind).supported, (kind, status)
    for level in ("low", "medium", "high", "xhigh", "max"):
        status = post(url, ask("Hi", spec.id, output_config={"effort": level})).status_code
        assert (status == 200) is getattr(told.effort, level).supported, (level, status)


# ---- batches


def wait_for(client: Anthropic, batch_id: str) -> anthropic.types.messages.MessageBatch:
    for _ in range(200):
        batch = client.messages.batches.retrieve(batch_id)
        if batch.processing_status == "ended":
            return batch
        threading.Event().wait(0.02)
    raise AssertionError("the batch did not end")


def batch_of(count: int, **more: Any) -> list[Any]:
    return [{"custom_id": f"c-{index}", "params": ask(ITEMS[index]["input"], SONNET, **more)} for index in range(count)]


def test_batch_answers_every_request_in_an_order_of_its_own(client: Anthropic) -> None:
    requests = [*batch_of(12), {"custom_id": "bad", "params": ask("Hi", "claude-nothing")}]
    created = client.messages.batches.create(requests=requests)
    assert created.request_counts.processing == 13
    ended = wait_for(client, created.id)
    assert (ended.request_counts.succeeded, ended.request_counts.errored) == (12, 1)
    results = list(client.messages.batches.results(created.id))
    assert [row.custom_id for row in results] != [request["custom_id"] for request in requests]
    by_id = {row.custom_id: row.result for row in results}
    assert set(by_id) == {request["custom_id"] for request in requests}
    for request in requests[:12]:
        result = by_id[request["custom_id"]]
        assert result.type == "succeeded"
        assert result.message.usage.service_tier == "batch"
    bad = by_id["bad"]
    assert bad.type == "errored"
    assert bad.error.error.type == "not_found_error"
    assert created.id in [batch.id for batch in client.messages.batches.list(limit=1)]
    assert client.messages.batches.delete(created.id).type == "message_batch_deleted"
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.retrieve(created.id)


def test_batch_requests_can_be_made_to_fail_and_to_expire(client: Anthropic) -> None:
    fault = with_fault("batch-expired=2;batch-errored=1")
    created = client.messages.batches.create(requests=batch_of(4), extra_headers=fault)
    wait_for(client, created.id)
    kinds = {row.custom_id: row.result.type for row in client.messages.batches.results(created.id)}
    assert kinds == {"c-0": "expired", "c-1": "expired", "c-2": "errored", "c-3": "succeeded"}


def test_batch_in_progress_can_be_cancelled_but_not_read_or_deleted(keys_dir: Path) -> None:
    with running(SandboxSettings(speed=1, keys_dir=keys_dir)) as url, connect(url) as sdk:
        created = sdk.messages.batches.create(requests=batch_of(3))
        assert created.processing_status == "in_progress"
        assert created.results_url is None
        with pytest.raises(anthropic.AnthropicError, match="results_url"):
            sdk.messages.batches.results(created.id)
        with pytest.raises(anthropic.BadRequestError, match="in progress"):
            sdk.messages.batches.delete(created.id)
        assert sdk.messages.batches.cancel(created.id).cancel_initiated_at is not None
        assert wait_for(sdk, created.id).request_counts.canceled == 3


def test_a_stream_cannot_be_batched_and_results_wait_for_the_end(keys_dir: Path) -> None:
    with running(SandboxSettings(speed=1, keys_dir=keys_dir)) as url, connect(url) as sdk:
        batch_id = sdk.messages.batches.create(requests=batch_of(1, stream=True)).id
        key = {"x-api-key": "test", "anthropic-version": "2026-10-21"}
        with httpx2.Client(**PLAIN, headers=key) as http:
            assert http.get(f"{url}/v1/messages/batches/{batch_id}/results").status_code == 404
    with running(SandboxSettings(speed=0, keys_dir=keys_dir)) as url, connect(url) as sdk:
        ended = wait_for(sdk, sdk.messages.batches.create(requests=batch_of(1, stream=True)).id)
        assert ended.request_counts.errored == 1


@pytest.mark.parametrize("ids", [["a", "a"], [""], ["two words"], ["x" * 65], [None], []])
def test_batch_ids_must_be_unique_and_plain(ids: list[Any], url: str) -> None:
    requests = [{"custom_id": custom_id, "params": ask("Hi")} for custom_id in ids]
    assert post(url, {"requests": requests}, "/v1/messages/batches").status_code == 400


# ---- what is turned down

USER = [{"role": "user", "content": "Hi"}]
ASSISTANT_LAST = [*USER, {"role": "assistant", "content": "The answer is"}]
DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}
ADAPTIVE = {"type": "adaptive"}
REJECTED: list[tuple[dict[str, Any], int, str]] = [
    ({"model": "claude-3-nothing"}, 404, "model: claude-3-nothing"),
    ({"model": "claude-opus-4-1"}, 404, "model: claude-opus-4-1"),
    ({"model": 5}, 404, "model: 5"),
    ({"max_tokens": None}, 400, "max_tokens: Field required"),
    ({"max_tokens": "many"}, 400, "max_tokens"),
    ({"max_tokens": True}, 400, "max_tokens"),
    ({"max_tokens": -1}, 400, "max_tokens"),
    ({"max_tokens": 128_001}, 400, "max_tokens: 128001 > 128000"),
    ({"messages": None}, 400, "messages: Field required"),
    ({"messages": []}, 400, "messages: at least one message is required"),
    ({"messages": "Hi"}, 400, "messages"),
    ({"messages": ["Hi"]}, 400, "messages.0"),
    ({"messages": [{"role": "robot", "content": "Hi"}]}, 400, "messages.0.role"),
    ({"messages": [{"role": "user", "content": ""}]}, 400, "non-empty content"),
    ({"messages": [{"role": "user", "content": 7}]}, 400, "messages.0.content"),
    ({"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]}, 400, "non-empty"),
    ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, 400, "messages.0.content.0"),
    ({"messages": [{"role": "assistant", "content": "Hi"}, *USER]}, 400, "first message"),
    ({"messages": [*USER, {"role": "assistant", "content": [DOCUMENT]}, *USER]}, 400, "document blocks"),
    ({"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "citations": [{}]}]}]}, 400, "citations"),
    ({"messages": ASSISTANT_LAST, "model": "claude-opus-5"}, 400, "prefill"),
    ({"messages": ASSISTANT_LAST, "model": "claude-haiku-5-5"}, 400, "prefill"),
    ({"temperature": 1.0}, 400, "temperature: Extra inputs are not permitted"),
    ({"top_p": 0.9}, 400, "top_p: Extra inputs are not permitted"),
    ({"top_k": 5}, 400, "top_k: Extra inputs are not permitted"),
    ({"prompt": "Hi"}, 400, "prompt: Extra inputs are not permitted"),
    ({"system": 7}, 400, "system"),
    ({"stop_sequences": [7]}, 400, "stop_sequences"),
    ({"stop_sequences": "end"}, 400, "stop_sequences"),
    ({"thinking": "adaptive"}, 400, "thinking"),
    ({"thinking": {"type": "enabled", "budget_tokens": 100}}, 400, "budget_tokens"),
    ({"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 1024}, 400, "budget_tokens"),
    ({"thinking": {"type": "disabled"}, "model": "claude-opus-5-5"}, 400, "thinking.type"),
    ({"thinking": ADAPTIVE, "model": HAIKU}, 400, "thinking.type"),
    (
        {"thinking": {"type": "disabled"}, "model": "claude-opus-5", "output_config": {"effort": "max"}},
        400,
        "effort",
    ),
    ({"output_config": {"effort": "low"}, "model": HAIKU}, 400, "effort"),
    ({"output_config": {"effort": "utmost"}}, 400, "effort"),
    ({"output_config": {"format": {"type": "json"}}}, 400, "output_config.format"),
    ({"tools": [{"name": "t", "input_schema": {}}]}, 400, "tools"),
    ({"tool_choice": {"type": "any"}, "model": "claude-opus-5-5"}, 400, "tool_choice"),
    ({"inference_geo": "us", "model": HAIKU}, 400, "inference_geo"),
]


@pytest.mark.parametrize(("change", "status", "words"), REJECTED, ids=lambda value: str(value)[:40])
def test_requests_the_api_turns_down(change: dict[str, Any], status: int, words: str, url: str) -> None:
    body = {name: value for name, value in (ask("Hi") | change).items() if value is not None}
    answer = post(url, body)
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]
    assert answer.json()["type"] == "error"
    assert answer.json()["request_id"] == answer.headers["request-id"]
    assert answer.headers["evalkit-simulated"] == "true"


@pytest.mark.parametrize(
    ("headers", "status", "kind"),
    [
        ({"x-api-key": ""}, 401, "authentication_error"),
        ({"x-api-key": "invalid"}, 401, "authentication_error"),
        ({"x-api-key": "", "authorization": "Bearer sk-ant-invalid-1"}, 401, "authentication_error"),
        ({"anthropic-version": ""}, 400, "invalid_request_error"),
        ({"anthropic-version": "latest"}, 400, "invalid_request_error"),
        ({"x-api-key": "", "authorization": "Bearer good"}, 200, None),
    ],
)
def test_requests_need_a_key_and_a_version(headers: dict[str, str], status: int, kind: str | None, url: str) -> None:
    answer = post(url, ask("Hi"), **headers)
    assert answer.status_code == status
    assert kind is None or answer.json()["error"]["type"] == kind


@pytest.mark.parametrize(
    ("model", "change", "status"),
    [
        (SONNET, {"temperature": 0.2}, 200),
        (SONNET, {"temperature": 1.5}, 400),
        ("claude-opus-4-7", {"temperature": 1.0}, 200),
        ("claude-opus-4-7", {"temperature": 0.2}, 400),
        (SONNET, {"messages": ASSISTANT_LAST}, 200),
    ],
)
def test_the_older_version_takes_sampling_where_the_model_does(
    model: str, change: dict[str, Any], status: int, url: str
) -> None:
    assert post(url, ask("Hi", model) | change, **{"anthropic-version": "2023-06-01"}).status_code == status


def test_every_kind_of_content_counts(url: str) -> None:
    def counted(*blocks: dict[str, Any], **more: Any) -> int:
        content = [*blocks, {"type": "text", "text": "What is this?"}]
        body = ask("", **more) | {"messages": [{"role": "user", "content": content}]}
        del body["max_tokens"]
        return int(post(url, body, "/v1/messages/count_tokens").json()["input_tokens"])

    plain = counted()
    pdf = {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": "A" * 130_000},
    }
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 1000}}
    result = {
        "type": "search_result",
        "title": "A title",
        "source": "shop",
        "content": [{"type": "text", "text": "x"}],
    }
    assert counted(pdf) == plain + 3 * 1800
    assert counted(image) == plain + 1500
    assert counted(DOCUMENT | {"source": DOCUMENT["source"] | {"data": "word " * 100}}) > plain + 100
    assert counted(result) > plain
    assert counted(system="Be brief and kind.") > plain
    assert counted(system=[{"type": "text", "text": "Be brief and kind."}]) > plain
    assert counted(tools=[{"name": "look_up", "input_schema": {"type": "object"}}]) > plain
    assert counted(cache_control={"type": "ephemeral"}) == plain


def test_malformed_and_oversized_bodies(url: str) -> None:
    assert post(url, b"{not json").status_code == 400
    assert post(url, b"[1, 2]").status_code == 400
    large = post(url, b" " * (32 * 2**20 + 1))
    assert large.status_code == 413
    assert large.json()["error"]["type"] == "request_too_large"


def test_a_prompt_beyond_the_window_is_too_long_for_the_small_model_only(client: Anthropic) -> None:
    text = "word and more " * 70_000
    with pytest.raises(anthropic.BadRequestError, match=r"prompt is too long: \d+ tokens > 200000 maximum"):
        client.messages.create(**ask(text, HAIKU))
    assert client.messages.create(**ask(text, SONNET)).usage.input_tokens > 200_000


def test_unknown_paths_and_methods_are_errors_of_the_api(url: str) -> None:
    answer = post(url, {}, "/v1/nothing")
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found_error")
    assert post(url, {}, "/v1/models").status_code == 405


WORDS = ["type", "role", "content", "text", "effort", "format", "schema", "source", "data", "cache_control"]
FIELDS = [
    "messages",
    "system",
    "thinking",
    "output_config",
    "max_tokens",
    "tools",
    "tool_choice",
    "stop_sequences",
]
LEAVES = st.none() | st.booleans() | st.integers(-5, 5000) | st.sampled_from(["", "x", "adaptive"])
ANY_JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=8,
)

KINDS = st.sampled_from(["text", "image", "document", "thinking", "search_result", "video"])
BLOCKS = st.builds(lambda block, kind: block | {"type": kind}, st.dictionaries(st.sampled_from(WORDS), ANY_JSON), KINDS)
CONTENT = ANY_JSON | st.lists(BLOCKS, max_size=2)
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": CONTENT}), max_size=2
)


@pytest.mark.long
@hypothesis_settings(max_examples=120)
@given(st.dictionaries(st.sampled_from(FIELDS), ANY_JSON | MESSAGES | BLOCKS, max_size=3))
def test_any_body_is_either_read_or_turned_down(change: dict[str, Any]) -> None:
    body = ask("Hi") | change
    with contextlib.suppress(ApiError):
        assert read_request(body, check_body(body, "2026-10-21")).input_tokens > 0


# ---- faults

STATUS_CLASSES = [
    (400, anthropic.BadRequestError), (401, anthropic.AuthenticationError), (402, anthropic.APIStatusError),
    (403, anthropic.PermissionDeniedError), (404, anthropic.NotFoundError), (408, anthropic.APIStatusError),
    (409, anthropic.ConflictError), (413, anthropic.APIStatusError), (422, anthropic.UnprocessableEntityError),
    (429, anthropic.RateLimitError), (500, anthropic.InternalServerError), (503, anthropic.InternalServerError),
    (504, anthropic.InternalServerError), (529, anthropic.InternalServerError),
]  # fmt: skip


@pytest.mark.parametrize(("status", "kind"), STATUS_CLASSES)
def test_every_status_becomes_the_exception_of_the_sdk(status: int, kind: type[Exception], client: Anthropic) -> None:
    fault = with_fault(f"status={status};retry-after=7;error-code=some_code")
    with pytest.raises(anthropic.APIStatusError) as caught:
        client.messages.create(**ask("Hi"), extra_headers=fault)
    assert isinstance(caught.value, kind)
    assert caught.value.status_code == status
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.error_code == "some_code"


def test_a_fault_ends_after_its_times_and_the_sdk_gets_through(url: str) -> None:
    fault = with_fault("status=529;retry-after=0;times=2")
    with connect(url, max_retries=2) as sdk:
        raw = sdk.messages.with_raw_response.create(**ask("Patience."), extra_headers=fault)
        assert raw.retries_taken == 2
        stop = with_fault("status=529;should-retry=false")
        with pytest.raises(anthropic.InternalServerError) as caught:
            sdk.messages.create(**ask("Impatience."), extra_headers=stop)
    assert caught.value.response.request.headers["x-stainless-retry-count"] == "0"


def streamed(client: Anthropic, fault: str, text: str = ITEMS[3]["input"]) -> tuple[anthropic.types.Message, str]:
    with client.messages.stream(**ask(text), extra_headers=with_fault(fault)) as stream:
        seen = "".join(stream.text_stream)
        return stream.current_message_snapshot, seen


def test_an_error_in_the_middle_of_a_stream(client: Anthropic) -> None:
    with pytest.raises(anthropic.APIStatusError) as caught:
        streamed(client, "error-after=2")
    assert (caught.value.status_code, caught.value.type) == (200, "overloaded_error")
    with pytest.raises(anthropic.APIStatusError) as caught:
        streamed(client, "error-after=0;status=500")
    assert caught.value.type == "api_error"
    with pytest.raises(anthropic.InternalServerError):
        client.messages.create(**ask("Hi"), extra_headers=with_fault("error-after=2"))


def test_a_stream_that_just_ends_has_no_stop_reason(client: Anthropic) -> None:
    message, seen = streamed(client, "truncate-after=2")
    assert message.stop_reason is None
    assert 0 < tokens.count(seen) < 40


def test_dropped_connections(client: Anthropic) -> None:
    with pytest.raises(httpx2.TransportError):
        streamed(client, "drop-after=2")
    for send in (
        lambda f: streamed(client, f),
        lambda f: client.messages.create(**ask("Hi"), extra_headers=with_fault(f)),
    ):
        with pytest.raises(anthropic.APIConnectionError):
            send("drop-after=0")
    assert client.messages.create(**ask("Hi")).stop_reason == "end_turn"


def test_slow_starts_and_slow_tokens_meet_the_timeouts(client: Anthropic) -> None:
    with pytest.raises(anthropic.APITimeoutError):
        client.messages.create(**ask("Hi"), extra_headers=with_fault("slow-headers=5"), timeout=0.2)
    hasty = client.with_options(timeout=1.5)
    with pytest.raises(httpx2.ReadTimeout):
        streamed(hasty, "slow-first=5")
    message, _ = streamed(hasty, "slow-tokens=0.02")
    assert message.stop_reason == "end_turn"


def test_pings_and_another_model_and_a_chosen_outcome(url: str, client: Anthropic) -> None:
    raw = post(url, ask("Hi", stream=True), **with_fault("pings=3"))
    assert raw.text.count("event: ping") == 4
    assert streamed(client, "served-model=claude-other")[0].model == "claude-other"
    refused, _ = streamed(client, "outcome=refused")
    assert refused.stop_reason == "refusal"
    assert refused.stop_details is not None
    assert refused.stop_details.explanation
    truncated, seen = streamed(client, "outcome=truncated")
    assert truncated.stop_reason == "max_tokens"
    assert truncated.usage.output_tokens == 600
    assert tokens.count(seen) == pytest.approx(600, abs=10)


@pytest.mark.parametrize("fault", ["speed=9", "status=many", "status=200", "outcome=brilliant"])
def test_switches_that_mean_nothing_are_turned_down(fault: str, client: Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError, match="evalkit-fault"):
        client.messages.create(**ask("Hi"), extra_headers=with_fault(fault))


@pytest.mark.long
def test_drawn_faults_come_at_their_rate_and_spare_the_retry(keys_dir: Path) -> None:
    rates = {"overloaded": 0.2, "rate_limited": 0.1, "server_error": 0.1}
    settings = SandboxSettings(speed=0, fault_rates=rates, keys_dir=keys_dir)
    rounds: list[list[int]] = []
    for _ in range(2):
        with running(settings) as url, httpx2.Client(**PLAIN) as http:
            headers = {"x-api-key": "test", "anthropic-version": "2026-10-21"}
            send = [ask(f"Question {index}") for index in range(150)]
            first = [http.post(f"{url}/v1/messages", json=body, headers=headers).status_code for body in send]
            again = {http.post(f"{url}/v1/messages", json=body, headers=headers).status_code for body in send[:40]
                     if first[send.index(body)] != 200}  # fmt: skip
            rounds.append(first)
            assert again == {200}
    assert rounds[0] == rounds[1]
    assert rounds[0].count(200) / 150 == pytest.approx(0.8 * 0.9 * 0.9, abs=0.1)
    assert {429, 500, 529} < set(rounds[0])


@pytest.mark.parametrize("name", sorted(faults.AT_RATE))
def test_every_drawn_fault_shows(name: str, keys_dir: Path) -> None:
    settings = SandboxSettings(speed=200, fault_rates={name: 1.0}, keys_dir=keys_dir)
    with running(settings) as url, connect(url) as sdk:
        if name == "slow":
            assert streamed(sdk, "")[0].stop_reason == "end_turn"
            return
        try:
            with sdk.messages.stream(**ask(ITEMS[3]["input"])) as stream:
                assert stream.get_final_message().stop_reason is None
                assert name == "truncated"
        except (anthropic.APIError, httpx2.TransportError):
            assert name != "truncated"
        with sdk.messages.stream(**ask(ITEMS[3]["input"])) as stream:
            assert stream.get_final_message().stop_reason == "end_turn"


# ---- the same request, again and elsewhere


def texts(settings: SandboxSettings, count: int, model: str = SONNET) -> list[str]:
    with running(settings) as url, connect(url) as sdk:
        return [text_of(sdk.messages.create(**ask(ITEMS[30]["input"], model))) for _ in range(count)]


def test_the_same_seed_gives_the_same_replies_and_repeats_differ(settings: SandboxSettings) -> None:
    first = texts(settings, 6)
    assert texts(settings, 6) == first
    assert len(set(first)) > 3
    assert texts(replace(settings, seed=2), 6) != first
    assert texts(settings, 6, OPUS) != first


def test_a_retry_gets_the_reply_that_failed_to_arrive(settings: SandboxSettings) -> None:
    undisturbed = texts(settings, 2)
    with running(settings) as url, connect(url) as sdk:
        for fault in ("drop-after=1", "error-after=1", "status=529"):
            with (
                pytest.raises((anthropic.APIError, httpx2.TransportError)),
                sdk.messages.stream(**ask(ITEMS[30]["input"], SONNET), extra_headers=with_fault(fault)) as stream,
            ):
                stream.until_done()
        assert [text_of(sdk.messages.create(**ask(ITEMS[30]["input"], SONNET))) for _ in range(2)] == undisturbed


def test_numbers_are_taken_while_running_and_given_back_on_failure() -> None:
    repeats = Repeats()
    first, second = repeats.begin("m", "sha"), repeats.begin("m", "sha")
    assert (first.number, second.number, repeats.begin("m", "other").number) == (0, 1, 0)
    repeats.end(first)
    second.succeeded = True
    repeats.end(second)
    again = repeats.begin("m", "sha")
    assert (again.number, again.attempt) == (0, 1)
    assert repeats.begin("m", "sha").number == 2


@pytest.mark.long
async def test_fifty_large_streams_at_once_get_the_replies_they_get_alone(url: str, settings: SandboxSettings) -> None:
    page = "A page of background about returns, parcels and couriers, in plain words. " * 3400
    assert len(page) > 250_000
    http = DefaultAsyncHttpxClient(**PLAIN)

    async def answer(sdk: AsyncAnthropic, index: int) -> anthropic.types.Message:
        prompt = f"<documents>{index}\n{page}</documents>\n\n{ITEMS[index]['input']}"
        async with sdk.messages.stream(**ask(prompt, OPUS)) as stream:
            return await stream.get_final_message()

    async with AsyncAnthropic(api_key="test", base_url=url, max_retries=0, http_client=http) as sdk:
        messages = await asyncio.gather(*(answer(sdk, index) for index in range(50)))
    for index, message in enumerate(messages):
        prompt = f"<documents>{index}\n{page}</documents>\n\n{ITEMS[index]['input']}"
        assert message.usage.input_tokens == request_for(prompt, OPUS).input_tokens
        assert text_of(message) == reply_to(settings, prompt, OPUS, 0).text
    assert sum(message.stop_reason == "end_turn" for message in messages) >= 45


def test_a_large_prompt_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = list[int]()
    measure = tokens._measure
    monkeypatch.setattr(tokens, "_measure", lambda text: measured.append(len(text)) or measure(text))
    prompt = "Once upon a time there was a prompt of some length. " * 5000
    first = request_for(prompt, OPUS)
    assert sum(measured) == len(prompt)
    assert request_for(prompt, HAIKU).plain_tokens == first.plain_tokens
    assert sum(measured) == len(prompt)
    assert tokens.weigh(prompt * 3) == pytest.approx(3 * tokens.weigh(prompt))


@given(st.text(alphabet=st.sampled_from("ab Zé,.9\n\t\u00a0漢"), max_size=80), st.integers(0, 40))
def test_tokens_add_up_and_cuts_keep_their_limit(text: str, limit: int) -> None:
    kept = tokens.cut(text, limit)
    assert text.startswith(kept)
    assert tokens.count(kept) <= limit
    parts = list(tokens.pieces(text, 8))
    assert "".join(part for part, _ in parts) == text
    assert sum(size for _, size in parts) == pytest.approx(tokens.weigh(text))


# ---- replies and their quality


def request_for(text: str, model: str, **more: Any) -> MessageRequest:
    body = ask(text, model, **more)
    return read_request(body, check_body(body, "2026-10-21"))


def reply_to(settings: SandboxSettings, text: str, model: str, number: int, **more: Any) -> Any:
    request = request_for(text, model, **more)
    key = digest(settings.seed, request.spec.id, request.content_sha256, number)
    return write_reply(settings, request, Draws(key), None)


def judged_replies(settings: SandboxSettings, model: str, repeats: int, plain_tokens: int) -> dict[str, list[bool]]:
    right: dict[str, list[bool]] = {"easy": [], "medium": [], "hard": []}
    for item in ITEMS:
        request = replace(request_for(item["input"], model), plain_tokens=plain_tokens)
        for number in range(repeats):
            key = digest(settings.seed, request.spec.id, request.content_sha256, number)
            reply = write_reply(settings, request, Draws(key), None)
            is_whole = reply.stop_reason == "end_turn"
            right[item["difficulty"]].append(is_whole and all(stated_points(item["reference"], reply.text)))
    return right


def share(values: list[bool]) -> float:
    return sum(values) / len(values)


@pytest.fixture(scope="module")
def quality(settings: SandboxSettings) -> dict[str, dict[str, list[bool]]]:
    # Several seeds, since an item's own ease is shared by all its repeats.
    merged: dict[str, dict[str, list[bool]]] = {}
    for model in (OPUS, SONNET, HAIKU):
        rounds = [judged_replies(replace(settings, seed=seed), model, 5, 50_000) for seed in range(8)]
        merged[model] = {kind: [value for one in rounds for value in one[kind]] for kind in rounds[0]}
    return merged


@pytest.mark.long
def test_success_at_full_context_is_as_documented(quality: dict[str, dict[str, list[bool]]]) -> None:
    overall = {model: share([*itertools.chain(*kinds.values())]) for model, kinds in quality.items()}
    assert overall[OPUS] == pytest.approx(0.965, abs=0.02)
    assert overall[SONNET] == pytest.approx(0.95, abs=0.02)
    assert overall[HAIKU] == pytest.approx(0.75, abs=0.04)


def test_the_small_model_fails_mostly_on_hard_items_and_on_long_inputs(
    quality: dict[str, dict[str, list[bool]]], settings: SandboxSettings
) -> None:
    haiku = quality[HAIKU]
    assert haiku["hard"].count(False) > haiku["medium"].count(False) + haiku["easy"].count(False)
    short = judged_replies(settings, HAIKU, 5, 2_000)
    assert share([*itertools.chain(*short.values())]) > share([*itertools.chain(*haiku.values())]) + 0.08


@pytest.mark.long
def test_refusals_and_truncations_are_rare(settings: SandboxSettings) -> None:
    replies = [reply_to(settings, ITEMS[n % 60]["input"], SONNET, n) for n in range(4000)]
    reasons = [reply.stop_reason for reply in replies]
    assert reasons.count("refusal") / 4000 == pytest.approx(REFUSED, abs=0.004)
    assert reasons.count("max_tokens") / 4000 == pytest.approx(TRUNCATED, abs=0.005)
    cut = next(reply for reply in replies if reply.stop_reason == "max_tokens")
    assert cut.output_tokens == 600
    named = [reply.text for reply in replies if "Claude" in reply.text]
    assert len(named) / 4000 == pytest.approx(NAMES_ITSELF, abs=0.005)
    assert all(text.startswith("As Claude Sonnet,") for text in named)


def test_the_larger_the_tier_the_longer_the_reply(settings: SandboxSettings) -> None:
    def length(model: str) -> float:
        return statistics.fmean(len(reply_to(settings, item["input"], model, 0).text) for item in ITEMS)

    assert length(OPUS) > length(SONNET) > length(HAIKU)


def test_a_short_answer_is_given_verbatim(client: Anthropic) -> None:
    for outcome, name in (("correct", "correct"), ("partly_wrong", "partial"), ("wrong", "wrong")):
        fault = with_fault(f"outcome={outcome}")
        message = client.messages.create(**ask(LABEL_ITEM["input"], HAIKU), extra_headers=fault)
        assert text_of(message) == LABEL_ITEM["answers"][name]


def test_an_item_is_recognised_behind_its_documents_and_in_blocks(settings: SandboxSettings) -> None:
    task = ITEMS[0]["input"]
    for text in (f"<documents>\nx\n</documents>\n\n{task}", task.replace("\n", "  ")):
        assert "returned" in ITEMS[0]["reference"]
        assert "kettle" in reply_to(settings, text, OPUS, 0).text
    blocks = [{"type": "text", "text": "<documents>x</documents>"}, {"type": "text", "text": task}]
    body = ask("") | {"messages": [{"role": "user", "content": blocks}]}
    request = read_request(body, check_body(body, "2026-10-21"))
    assert "10 days" in write_reply(settings, request, Draws("a"), "correct").text


def test_limits_of_the_request_are_kept(client: Anthropic) -> None:
    fault = with_fault("outcome=correct")
    whole = client.messages.create(**ask(ITEMS[5]["input"]), extra_headers=fault)
    short = client.messages.create(**ask(ITEMS[5]["input"], max_tokens=12), extra_headers=fault)
    assert (short.stop_reason, short.usage.output_tokens) == ("max_tokens", 12)
    assert 0 < len(text_of(short)) < len(text_of(whole))
    stopped = client.messages.create(**ask(ITEMS[5]["input"], stop_sequences=["days", "zzz"]), extra_headers=fault)
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "days")
    assert text_of(stopped).endswith("within 15 ")
    warm = client.messages.create(**ask(ITEMS[5]["input"], max_tokens=0), extra_headers=fault)
    assert (warm.content, warm.stop_reason, warm.usage.output_tokens) == ([], "max_tokens", 0)


@pytest.mark.parametrize(
    ("model", "thinking", "shown"),
    [
        ("claude-opus-5-5", None, False),
        ("claude-opus-5-5", {"type": "adaptive", "display": "summarized"}, True),
        (OPUS, {"type": "adaptive"}, True),
        (OPUS, {"type": "adaptive", "display": "omitted"}, False),
        (HAIKU, {"type": "enabled", "budget_tokens": 1024}, True),
    ],
)
def test_thinking_comes_first_and_is_billed(model: str, thinking: Any, shown: bool, client: Anthropic) -> None:
    more = {"thinking": thinking} if thinking else {}
    with client.messages.stream(**ask(ITEMS[6]["input"], model, max_tokens=2000, **more)) as stream:
        message = stream.get_final_message()
    block = message.content[0]
    assert block.type == "thinking"
    assert bool(block.thinking) is shown
    assert block.signature
    details = message.usage.output_tokens_details
    assert details is not None
    factor = find_model(model).token_factor
    assert message.usage.output_tokens == details.thinking_tokens + tokens.count(text_of(message), factor)
    assert 0 < details.thinking_tokens <= 1024


def test_without_thinking_there_is_no_thinking_block(client: Anthropic) -> None:
    for model, more in ((OPUS, {}), ("claude-opus-5", {"thinking": {"type": "disabled"}})):
        message = client.messages.create(**ask(ITEMS[6]["input"], model, **more))
        assert [block.type for block in message.content] == ["text"]


def test_what_is_not_recognised_gets_a_modest_answer_in_its_own_words(settings: SandboxSettings) -> None:
    task = "Explain why lighthouse keepers trusted foghorns more than lanterns during storms at sea."
    for model in (OPUS, SONNET, HAIKU):
        text = plausible_answer(task, find_model(model), Draws(model))
        assert "lighthouse" in text
        assert "claude" not in text.lower()
    assert plausible_answer("?", MODELS[0], Draws("x"))
    assert reply_to(settings, task, OPUS, 0).text != reply_to(settings, task, OPUS, 1).text


SCHEMAS: list[dict[str, Any]] = [
    {"type": "object", "properties": {"label": {"enum": ["a", "b"]}, "why": {"type": "string", "maxLength": 20}},
     "required": ["label", "why"], "additionalProperties": False},
    {"type": "array", "items": {"type": "integer", "minimum": 3, "maximum": 4}, "minItems": 2, "maxItems": 2},
    {"type": "object", "properties": {"score": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
     "count": {"type": "integer", "exclusiveMinimum": 4}, "last": {"type": "integer", "maximum": -3}}},
    {"$defs": {"node": {"type": "object", "required": ["next"], "properties": {"name": {"type": ["null", "string"]},
     "next": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/node"}]}, "more": {"$ref": "#/$defs/node"}}}},
     "$ref": "#/$defs/node"},
    {"type": "object", "properties": {"on": {"type": "string", "format": "date"}, "ok": {"type": "boolean"},
     "kind": {"const": "x"}, "any": {"oneOf": [{"type": "null"}, {"type": "string"}]}},
     "allOf": [{"required": ["on", "ok"]}]},
    {"type": "string", "minLength": 400},
    {"properties": {"list": {"items": True}}},
]  # fmt: skip


@pytest.mark.parametrize("schema", SCHEMAS, ids=range(len(SCHEMAS)))
def test_json_on_request_satisfies_its_schema(schema: dict[str, Any], settings: SandboxSettings) -> None:
    for number in range(5):
        jsonschema.validate(fill_schema(schema, "Some words.", Draws(str(number))), schema)
    config = {"format": {"type": "json_schema", "schema": schema}}
    reply = reply_to(settings, "Tell me about herons.", HAIKU, 0, output_config=config, max_tokens=4000)
    jsonschema.validate(json.loads(reply.text), schema)


# ---- the judge

LEVELS = {"correct": (0, 1, 2), "complete": (0, 1, 2), "tone": (0, 1, 2), "accurate": (0, 1)}


def judging_request(
    reference: str | None, output: str, criteria: tuple[str, ...] = ("correct", "complete", "tone")
) -> tuple[str, dict[str, Any]]:
    rubric = "".join(
        f'<criterion id="{name}">\n<question>Is it {name}?</question>\n'
        + "".join(f'<level value="{value}">anchor</level>\n' for value in LEVELS[name])
        + "</criterion>\n"
        for name in criteria
    )
    known = f"<reference>{reference}</reference>\n" if reference else ""
    text = f"<rubric>\n{rubric}</rubric>\n<input>May I return the kettle?</input>\n{known}<output>{output}</output>"
    grades = {
        name: {
            "type": "object",
            "properties": {
                "reason": {"type": "string"},
                "level": {"type": "integer", "enum": list(LEVELS[name])},
            },
            "required": ["reason", "level"],
            "additionalProperties": False,
        }
        for name in criteria
    }
    inner = {
        "type": "object",
        "properties": grades,
        "required": list(criteria),
        "additionalProperties": False,
    }
    return text, {
        "type": "object",
        "properties": {"grades": inner},
        "required": ["grades"],
        "additionalProperties": False,
    }


def level(output: str, criterion: str, reference: str | None = ITEMS[0]["reference"], **more: Any) -> int:
    text, schema = judging_request(reference, output, **more)
    judging = read_judging(text, schema)
    assert judging is not None
    for attempt in range(3):
        verdict = judge(judging, schema, 1, Draws(f"{output} {attempt}"))
        if verdict.endswith("}}}"):
            return int(json.loads(verdict)["grades"][criterion]["level"])
    raise AssertionError("three malformed verdicts")


def test_judging_over_http_answers_in_json(client: Anthropic) -> None:
    right = " ".join(fact["right"] for fact in ITEMS[0]["facts"])
    text, schema = judging_request(ITEMS[0]["reference"], right)
    config: Any = {"format": {"type": "json_schema", "schema": schema}}
    with client.messages.stream(**ask(text, "claude-sonnet-5-5", output_config=config)) as stream:
        message = stream.get_final_message()
    verdict = json.loads(text_of(message))
    jsonschema.validate(verdict, schema)
    assert verdict["grades"]["correct"]["level"] == 2


def outputs_of(quality: str, count: int) -> Iterator[tuple[str, str]]:
    for index in range(count):
        item = ITEMS[index % ITEM_COUNT]
        facts = item["facts"]
        told = [fact["right"] for fact in facts]
        if quality == "wrong":
            told[0] = facts[0]["wrong"]
        elif quality == "partly wrong":
            told[1 + index % 2] = facts[1 + index % 2]["wrong"]
        elif quality == "incomplete":
            del told[2]
        yield item["reference"], f"Hello customer {index}. {' '.join(told)} Bye."


@pytest.mark.long
@pytest.mark.parametrize(
    ("quality", "criterion", "expected", "rate"),
    [
        ("right", "correct", 2, JUDGE_FALSE_FAIL),
        ("right", "complete", 2, JUDGE_FALSE_FAIL),
        ("wrong", "correct", 0, JUDGE_FALSE_PASS),
        ("partly wrong", "correct", 1, JUDGE_FALSE_PASS),
        ("incomplete", "correct", 1, JUDGE_FALSE_PASS),
        ("incomplete", "complete", 1, JUDGE_FALSE_PASS),
    ],
)
def test_the_judge_errs_at_its_documented_rates(quality: str, criterion: str, expected: int, rate: float) -> None:
    count = 1200
    levels = [level(output, criterion, reference) for reference, output in outputs_of(quality, count)]
    missed = sum(found != expected for found in levels)
    tolerance = 4 * math.sqrt(rate * (1 - rate) / count)
    assert missed / count == pytest.approx(rate, abs=tolerance)
    if expected < 2:
        assert {found for found in levels if found != expected} == {2}


def test_a_yes_or_no_criterion_asks_for_everything() -> None:
    for quality, expected in (("right", 1), ("wrong", 0), ("incomplete", 0)):
        found = [
            level(output, "accurate", reference, criteria=("accurate",))
            for reference, output in outputs_of(quality, 60)
        ]
        assert statistics.mode(found) == expected


def test_the_judge_ignores_the_order_of_criteria_and_marks_emptiness_down() -> None:
    for reference, output in outputs_of("wrong", 100):
        assert level(output, "correct", reference) == level(
            output, "correct", reference, criteria=("tone", "complete", "correct")
        )
    assert level("No.", "tone") == 0
    assert {level(output, "tone", reference) for reference, output in outputs_of("right", 100)} == {1, 2}


def test_the_judge_reads_escaped_text_and_does_without_a_reference() -> None:
    reference = "- Collection isn't free & takes 3 days"
    escaped = judging_request(reference, "Collection isn&#x27;t free &amp; takes 3 days.", ("correct",))
    judging = read_judging(*escaped)
    assert judging is not None
    assert stated_points(judging.reference or "", judging.output) == [True]
    plain = [level(f"You may return the kettle in case {n} of many.", "correct", None) for n in range(50)]
    assert set(plain) <= {0, 1, 2}
    assert len(set(plain)) > 1
    assert read_judging("<rubric></rubric><output></output>", {}) is None
    assert read_judging("Hello", {"type": "object"}) is None
    assert read_judging("<rubric></rubric><output>unfinished", {"type": "object"}) is None


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ('{"queue": "billing", "priority": "low"}', [True, True]),
        ('```json\n{"queue": "billing", "priority": "urgent"}\n```', [True, False]),
        ('{"queue": billing}', [False, False]),
        ("billing, low", [False, False]),
    ],
)
def test_a_json_reference_is_compared_field_by_field(output: str, expected: list[bool]) -> None:
    assert stated_points('{"queue": "billing", "priority": "low"}', output) == expected


@pytest.mark.long
def test_now_and_then_a_verdict_is_malformed() -> None:
    text, schema = judging_request(ITEMS[0]["reference"], "Fine.", ("correct",))
    judging = read_judging(text, schema)
    assert judging is not None
    verdicts = [judge(judging, schema, 1, Draws(str(index))) for index in range(6000)]
    broken = sum(not verdict.endswith("}}}") for verdict in verdicts)
    assert broken / 6000 == pytest.approx(MALFORMED, abs=0.003)


@pytest.mark.parametrize(
    ("line", "text", "expected"),
    [
        (
            "- Returns are accepted within 30 days of delivery",
            "You can return it within 30 days of its delivery.",
            True,
        ),
        (
            "Returns are accepted within 30 days of delivery",
            "Thirty days after delivery a return is accepted.",
            True,
        ),
        (
            "Returns are accepted within 30 days of delivery",
            "Returns are accepted within 14 days of delivery.",
            False,
        ),
        (
            "Returns are accepted within 30 days of delivery",
            "Returns aren’t accepted within 30 days of delivery.",
            False,
        ),
        ("The fee is not refundable", "The fee is refundable. We do not charge postage.", False),
        ("The fee of £1,250.00 is not refundable", "I'm afraid the £1250 fee isn't refundable.", True),
        ("Refund of £45 within 5 days", "You get a refund of £45. It arrives within 5 days.", True),
        ("Refund of £45 within 5 days", "You get a refund of £45.\n\nIt arrives within 5 days.", False),
        ("category: billing", "category: delivery", False),
        ("30 days", "It takes 30 days, e.g. in May.", True),
        ("The fee is 2.5 percent", "The fee is 2 percent, or 5 for some.", False),
        ("- ", "Anything", False),
        ("Anything", "", False),
    ],
)
def test_covers(line: str, text: str, expected: bool) -> None:
    assert covers(line, text) is expected


# ---- the clock, the cache, the meters


@pytest.mark.parametrize(("model", "first_s", "per_s"), [(HAIKU, 0.6, 120), (SONNET, 1.1, 75), (OPUS, 1.9, 45)])
def test_times_have_the_scale_of_the_real_thing(model: str, first_s: float, per_s: float) -> None:
    spec = find_model(model)
    assert spec is not None
    paces = [draw_pace(SandboxSettings(), spec, 50_000, Draws(str(n))) for n in range(800)]
    assert statistics.median(pace.first_token_s for pace in paces) == pytest.approx(first_s, rel=0.05)
    assert 1 / statistics.median(pace.per_token_s for pace in paces) == pytest.approx(per_s, rel=0.03)
    gaps = [paces[0].gap_s(index, 8) for index in range(800)]
    assert statistics.fmean(gaps) == pytest.approx(8 * paces[0].per_token_s, rel=0.05)
    short = draw_pace(SandboxSettings(), spec, 500, Draws("0"))
    fast = draw_pace(SandboxSettings(speed=10), spec, 50_000, Draws("0"))
    assert short.first_token_s < paces[0].first_token_s == pytest.approx(10 * fast.first_token_s)
    for speed in (0, math.inf):
        still = draw_pace(SandboxSettings(speed=speed), spec, 50_000, Draws("0"))
        assert (still.total_s(1000), still.gap_s(3, 8)) == (0, 0)


def test_marked_prompts_are_written_to_the_cache_and_read_from_it(client: Anthropic) -> None:
    document = {
        "type": "text",
        "text": "Background on couriers. " * 1200,
        "cache_control": {"type": "ephemeral"},
    }
    uses = []
    for question in ("Why?", "When?"):
        content: Any = [document, {"type": "text", "text": question}]
        uses.append(client.messages.create(**ask("") | {"messages": [{"role": "user", "content": content}]}).usage)
    written, read = uses[0].cache_creation_input_tokens or 0, uses[1].cache_read_input_tokens
    assert written > 4096
    assert uses[0].cache_creation is not None
    assert uses[0].cache_creation.ephemeral_5m_input_tokens == written
    assert (read, uses[1].cache_creation_input_tokens) == (written, 0)
    assert uses[0].input_tokens < 20


def test_cached_prompts_expire_and_short_ones_are_not_cached() -> None:
    now = [0.0]
    cache = PromptCache(lambda: now[0])

    def use(words: int, ttl: str) -> Any:
        block = {"type": "text", "text": "word " * words, "cache_control": {"type": "ephemeral", "ttl": ttl}}
        body = ask("") | {"messages": [{"role": "user", "content": [block]}]}
        return cache.use(read_request(body, check_body(body, "2026-10-21")))

    assert use(100, "5m").write_5m == 0
    assert use(5000, "5m").write_5m > 5000
    now[0] = 299
    assert use(5000, "5m").read > 5000
    now[0] = 700
    hour = use(5000, "1h")
    assert (hour.read, hour.write_5m) == (0, 0)
    assert hour.write_1h + hour.uncached == request_for("word " * 5000, OPUS).input_tokens


def test_rate_limits_are_pooled_by_family_and_renewed_each_minute() -> None:
    now = [1_000_000.0]
    meter = RateMeter(lambda: now[0])
    meter.charge("opus", 500, 100)
    told = meter.headers("opus")
    assert told["anthropic-ratelimit-input-tokens-remaining"] == str(LIMITS["input-tokens"] - 500)
    assert told["anthropic-ratelimit-output-tokens-remaining"] == str(LIMITS["output-tokens"] - 100)
    assert told["anthropic-ratelimit-requests-reset"] == "1970-01-12T13:47:40Z"
    assert meter.headers("haiku")["anthropic-ratelimit-requests-remaining"] == str(LIMITS["requests"])
    now[0] += 60
    assert meter.headers("opus")["anthropic-ratelimit-tokens-remaining"] == str(LIMITS["tokens"])


# ---- settings, keys, and running


@pytest.mark.parametrize(
    ("part", "path"),
    [
        ("models", "/v1/models"),
        ("batches", "/v1/messages/batches"),
        ("count_tokens", "/v1/messages/count_tokens"),
    ],
)
def test_a_server_can_lack_parts(part: str, path: str) -> None:
    with running(SandboxSettings(speed=0, without=frozenset({part, "rate_headers"}))) as url:
        for prefix in ("", "/anthropic"):
            answer = post(url, ask("Hi"), prefix + path)
            assert answer.status_code == 404
            assert not [name for name in answer.headers if name.startswith("anthropic-ratelimit")]
        assert post(url, ask("Hi")).status_code == 200


@pytest.mark.parametrize(
    "wrong", [{"speed": -1.0}, {"speed": math.nan}, {"fault_rates": {"fire": 0.1}}, {"fault_rates": {"slow": 2.0}},
              {"without": frozenset({"messages"})}],
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="sandbox"):
        SandboxSettings(**wrong)


def test_an_occupied_port_is_said_to_be(url: str) -> None:
    from evalkit.sandbox.server import serve

    with pytest.raises(InfrastructureError, match=r"cannot listen on 127\.0\.0\.1:"):
        serve(SandboxSettings(), port=int(url.rpartition(":")[2]))


def test_a_stopped_server_is_gone_even_with_a_stream_open() -> None:
    with running(SandboxSettings(speed=1)) as url, connect(url) as sdk:
        port = int(url.rpartition(":")[2])
        stream = sdk.messages.create(**ask("Hi"), stream=True, extra_headers=with_fault("slow-first=60"))
    stream.close()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.long
def test_serve_tells_its_url_and_ends_on_a_signal() -> None:
    code = (
        "from evalkit.sandbox.server import SandboxSettings, serve\n"
        "serve(SandboxSettings(speed=0), ready=lambda url: print(url, flush=True))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert post(url, ask("Hi")).status_code == 200
        process.terminate()
        assert process.wait(10) in (0, -15)


def test_keys_that_are_no_keys_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no answer keys at"):
        load_keys(tmp_path / "nowhere")
    (tmp_path / "bad.jsonl").write_text('\n{"id": "x"}\n{"id": "y", "input_sha256": "0", "difficulty": "easy"}\n')
    with pytest.raises(UsageError, match=r"bad\.jsonl:3: not an answer key"):
        load_keys(tmp_path)


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return path


def check_keys(folder: Path, items: list[dict[str, Any]], keys: list[dict[str, Any]], *options: str) -> int:
    paths = [write_rows(folder / "items.jsonl", items), write_rows(folder / "keys.jsonl", keys)]
    return keycheck.main([*map(str, paths), *options])


def key_of(item: dict[str, Any], **change: Any) -> dict[str, Any]:
    key = {name: item[name] for name in ("id", "difficulty", "facts", "answers") if name in item}
    return key | {"input_sha256": input_sha256(item["input"])} | change


def test_keycheck_passes_good_keys_and_stamps_their_hashes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    items = [ITEMS[0], ITEMS[1], LABEL_ITEM]
    bare = [{name: value for name, value in key_of(item).items() if name != "input_sha256"} for item in items]
    assert check_keys(tmp_path, items, bare) == 1
    assert capsys.readouterr().out.count("has no input_sha256") == 3
    assert check_keys(tmp_path, items, bare, "--stamp") == 0
    assert json.loads((tmp_path / "keys.jsonl").read_text().splitlines()[0])["input_sha256"] == input_sha256(
        ITEMS[0]["input"]
    )


FACTS = ITEMS[0]["facts"]
ANSWERS = LABEL_ITEM["answers"]


@pytest.mark.parametrize(
    ("item", "change", "words"),
    [
        (ITEMS[0], {"difficulty": "hard"}, "difficulty is easy in the dataset but hard"),
        (ITEMS[0], {"difficulty": "odd"}, "'odd' is not one of"),
        (ITEMS[0], {"input_sha256": "0"}, "does not belong to this input"),
        (ITEMS[0], {"facts": FACTS[:2]}, "2 facts for 3 reference lines"),
        (ITEMS[0], {"facts": [FACTS[0] | {"right": FACTS[0]["wrong"]}, *FACTS[1:]]}, "numbers missing: 10"),
        (ITEMS[0], {"facts": [FACTS[0] | {"wrong": FACTS[0]["right"]}, *FACTS[1:]]}, "wrong is covered"),
        (ITEMS[0], {"facts": [FACTS[0], FACTS[1] | {"right": FACTS[1]["right"] + " " + FACTS[0]["right"]}, FACTS[2]]},
         "still covered when only this fact is wrong"),
        (ITEMS[0], {"facts": None, "answers": ANSWERS | {"wrong": " "}}, "answers.wrong is missing"),
        (LABEL_ITEM, {"answers": ANSWERS | {"correct": "sales"}}, "does not state"),
        (LABEL_ITEM, {"answers": ANSWERS | {"wrong": ANSWERS["correct"]}}, "answers.wrong states the core"),
        (LABEL_ITEM, {"answers": ANSWERS | {"partial": ANSWERS["correct"]}}, "answers.partial states all"),
        (LABEL_ITEM, {"id": "other"}, "item without a key"),
        (LABEL_ITEM, {"id": "other"}, "other: key without an item"),
    ],
    ids=range(13),
)  # fmt: skip
def test_keycheck_names_each_problem(
    item: dict[str, Any],
    change: dict[str, Any],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert check_keys(tmp_path, [item], [key_of(item, **change)]) == 1
    assert words in capsys.readouterr().out


def test_keycheck_wants_one_key_an_item_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_keys(tmp_path, [ITEMS[0]], [key_of(ITEMS[0]), key_of(ITEMS[0])]) == 1
    assert "occurs twice in the keys" in capsys.readouterr().out
    (tmp_path / "broken.jsonl").write_text("{")
    with pytest.raises(SystemExit, match=r"broken\.jsonl:1: not JSON"):
        keycheck.main([str(tmp_path / "items.jsonl"), str(tmp_path / "broken.jsonl")])


KEYS = sorted((Path(keycheck.__file__).parent / "keys").glob("*.jsonl"))


@pytest.mark.parametrize("path", KEYS, ids=lambda path: path.stem)
def test_shipped_keys_fit_their_datasets(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = Path(__file__).parent.parent / "datasets" / path.name
    assert keycheck.main([str(dataset), str(path)]) == 0, capsys.readouterr().out
