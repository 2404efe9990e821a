"""The provider turns whatever a server or the network does into one Reply, and counts what was used."""
# ruff: noqa: S311  chance is no secret here

import asyncio
import json
import random
import re
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from servers import (
    CHUNKED_HEAD,
    HANG,
    LOCAL_MODEL,
    RESET,
    STREAM_HEAD,
    Recorded,
    Step,
    answer,
    block,
    chunk,
    closing,
    delta,
    event,
    in_thread,
    independent,
    opening,
    read_request,
    recorded,
    scripted,
    whole,
)

from evalkit.cli import main
from evalkit.errors import InfrastructureError, UsageError
from evalkit.executors.budget import Budget
from evalkit.executors.ending import Ending, raise_if_stopped
from evalkit.executors.local import cost_of
from evalkit.providers import Preflight, batches
from evalkit.providers import attempt as one_attempt
from evalkit.providers.anthropic import AnthropicProvider
from evalkit.providers.endpoint import endpoint_of, is_loopback
from evalkit.providers.model_facts import read_facts
from evalkit.records import ModelFacts, Reply, Request, Usage

SONNET = "claude-sonnet-4-6"
REQUEST = Request(SONNET, ({"role": "user", "content": "Hello"},), 512)
UNREACHABLE = "http://127.0.0.1:9"  # the discard port: nobody listens there


@asynccontextmanager
async def connected(url: str | None, deadline_s: float = 30.0) -> AsyncIterator[AnthropicProvider]:
    provider = AnthropicProvider(url, deadline_s=deadline_s, connections=2)
    try:
        yield provider
    finally:
        await provider.close()


async def attempt(*script: Step, deadline_s: float = 30.0) -> Reply:
    """What becomes of one request to a server that plays this script."""
    async with scripted(script) as url, connected(url, deadline_s) as provider:
        return await provider.attempt(REQUEST)


def error_body(kind: str | None, message: str = "No", code: str | None = None) -> bytes:
    details = {"details": {"error_code": code}} if code else {}
    return json.dumps({"type": "error", "error": {"type": kind, "message": message, **details}}).encode()


async def test_a_streamed_answer_is_read_with_text_usage_and_the_model_that_served() -> None:
    reply = await attempt(STREAM_HEAD, answer("Good day"))
    assert (reply.outcome, reply.text, reply.stop_reason) == ("answered", "Good day", "end_turn")
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (11, 5)
    assert reply.served_model == "served-model"
    assert reply.ttft_s is not None
    assert 0 < reply.ttft_s <= reply.latency_s
    assert not reply.simulated


async def test_the_sandbox_is_recognised_and_its_request_id_kept() -> None:
    with recorded() as server:
        async with connected(server.url) as provider:
            reply = await provider.attempt(REQUEST)
            preflight = await provider.preflight([SONNET])
    assert (reply.outcome, reply.served_model, reply.simulated) == ("answered", SONNET, True)
    assert str(reply.request_id).startswith("req_")
    assert (preflight.simulated, preflight.problems) == (True, {})


async def test_headers_as_long_as_the_sdk_takes_them_are_taken() -> None:
    reply = await attempt(whole(200, answer("Hi"), content_type="text/event-stream", x_long="y" * 40_000))
    assert (reply.outcome, reply.text) == ("answered", "Hi")


# status, error type, retryable, stops the run
STATUSES = [
    (400, "invalid_request_error", False, False),
    (401, "authentication_error", False, True),
    (402, "billing_error", False, True),
    (403, "permission_error", False, True),
    (404, "not_found_error", False, True),
    (408, None, True, False),
    (409, "conflict_error", True, False),
    (413, "request_too_large", False, False),
    (422, "invalid_request_error", False, False),
    (429, "rate_limit_error", True, False),
    (500, "api_error", True, False),
    (503, None, True, False),
    (504, "timeout_error", True, False),
    (529, "overloaded_error", True, False),
]


@pytest.mark.parametrize(("status", "kind", "retryable", "stops_run"), STATUSES)
async def test_every_error_status_is_retryable_or_final_or_fatal(
    status: int, kind: str | None, retryable: bool, stops_run: bool
) -> None:
    body = error_body(kind) if kind else b"<html>upstream</html>"
    reply = await attempt(whole(status, body, content_type="application/json" if kind else "text/html"))
    assert (reply.outcome, reply.status) == ("errored", status)
    assert (reply.retryable, reply.stops_run) == (retryable, stops_run)
    assert reply.error_type == (kind or f"http_{status}")
    assert reply.usage == Usage()


@pytest.mark.parametrize("code", ["enforced_spend_limit_reached", "contract_spend_limit_reached"])
async def test_a_spend_limit_is_a_429_that_stops_the_run(code: str) -> None:
    reply = await attempt(whole(429, error_body("rate_limit_error", code=code), retry_after="3"))
    assert (reply.retryable, reply.stops_run) == (False, True)


async def test_a_ramp_limit_is_an_ordinary_429() -> None:
    reply = await attempt(whole(429, error_body("rate_limit_error", code="ramp_limit_exceeded"), retry_after="3"))
    assert (reply.retryable, reply.stops_run, reply.retry_after_s) == (True, False, 3.0)


@pytest.mark.parametrize(
    ("message", "stops_run"),
    [
        ("Your credit balance is too low to access the API", True),
        ("You have reached your specified API usage limits", True),
        ("This request would exceed your workspace's spend limit", True),
        ("You have reached your workspace limit for this month", True),
        ("This organization has been disabled.", True),
        ("Your workspace has been disabled by an administrator", True),
        ("thinking: type disabled takes no budget", False),
        ("max_tokens: must be at least 1", False),
        ("prompt is too long: 1200000 tokens", False),
    ],
)
async def test_a_400_that_is_about_money_stops_the_run(message: str, stops_run: bool) -> None:
    reply = await attempt(whole(400, error_body("invalid_request_error", message)))
    assert (reply.retryable, reply.stops_run, reply.error_message) == (False, stops_run, message)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry_after": "2"}, 2.0),
        ({"retry_after": "0"}, 0.0),
        ({"retry_after": "1.5"}, 1.5),
        ({"retry_after_ms": "250"}, 0.25),
        ({"retry_after_ms": "250", "retry_after": "9"}, 0.25),
        ({"retry_after_ms": "soon", "retry_after": "9"}, 9.0),
        ({"retry_after": "4294967"}, 4294967.0),
        ({}, None),
        ({"retry_after": "Sun, 22 Nov 2026 14:00:00 GMT"}, None),
        ({"retry_after": "-1"}, None),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "1e999"}, None),
        ({"retry_after": ""}, None),
    ],
)
async def test_retry_after_is_read_where_it_makes_sense(headers: dict[str, str], wait_s: float | None) -> None:
    reply = await attempt(whole(429, error_body("rate_limit_error"), **headers))
    assert reply.retry_after_s == wait_s


@pytest.mark.parametrize(
    ("kind", "retryable"),
    [
        ("overloaded_error", True),
        ("api_error", True),
        ("rate_limit_error", True),
        ("timeout_error", True),
        ("invalid_request_error", False),
    ],
)
async def test_an_error_in_the_middle_of_a_stream_fails_the_attempt_but_keeps_its_usage(
    kind: str, retryable: bool
) -> None:
    broken = event("error", error={"type": kind, "message": "Overloaded"})
    reply = await attempt(STREAM_HEAD, opening(), block(), delta("Half an ans"), broken)
    assert (reply.outcome, reply.error_type, reply.retryable) == ("errored", kind, retryable)
    assert (reply.status, reply.stops_run) == (200, False)
    assert (reply.text, reply.usage.input_tokens, reply.served_model) == ("Half an ans", 11, "served-model")


@pytest.mark.parametrize("kind", ["overloaded_error", "api_error", "invalid_request_error", "permission_error", "x"])
async def test_an_error_in_the_body_of_a_success_is_sorted_as_in_a_stream(kind: str) -> None:
    """Gateways answer 200 where the API would have sent an event; a shape of a server of its own has more beside it."""
    event_like = await attempt(STREAM_HEAD, event("error", error={"type": kind, "message": "Too busy"}))
    short = b' {"error": {"code": 1, "message": "Too busy", "type": "%b"}}\n' % kind.encode()
    for body in (error_body(kind, "Too busy"), short):
        reply = await attempt(whole(200, body, content_type="application/json; charset=utf-8"))
        for name in ("outcome", "error_type", "error_message", "retryable", "stops_run", "status", "usage"):
            assert getattr(reply, name) == getattr(event_like, name), name
    assert event_like.retryable is (kind in ("overloaded_error", "api_error"))


LONG = b"x" * 10_000
TYPES = ({}, {"content_type": "application/json"}, {"content_type": "text/event-stream"})


@pytest.mark.parametrize("headers", TYPES, ids=["without a type", "JSON", "event stream"])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (error_body("overloaded_error"), "overloaded_error"),
        (b'{"error": {"type": "overloaded_error", "message": "Busy"}, "x": "%b"}' % LONG, "overloaded_error"),
        (b'{"error": {"type": "api_error", "message": "\xc3\xa4%b"}}' % (LONG * 20), "api_error"),
        (b'{"error": {"message": "%b", "type": "api_error"}}' % LONG, "unreadable_answer"),
        (b'{"error":\n\n{"message": "upstream is away", "code": 503}}', "unreadable_answer"),
        (b'{"error": {"message": "upstream is away", "type": null}}', "unreadable_answer"),
        (b'[{"error": {"type": "overloaded_error", "message": "Busy"}}]', "overloaded_error"),
    ],
)
async def test_an_error_in_the_body_of_a_success_is_one_however_it_is_told(
    body: bytes, kind: str, headers: dict[str, str]
) -> None:
    reply = await attempt(whole(200, body, **headers))
    assert (reply.outcome, reply.error_type, reply.status) == ("errored", kind, 200)
    assert (reply.retryable, reply.stops_run) == (True, False)
    assert reply.error_message


async def test_an_error_in_an_event_without_a_name_is_one() -> None:
    told = b'data: {"error": {"message": "Too busy", "type": "overloaded_error"}}\n\ndata: [DONE]\n\n'
    reply = await attempt(STREAM_HEAD, opening(), block(), delta("Half"), told)
    assert (reply.error_type, reply.error_message, reply.text) == ("overloaded_error", "Too busy", "Half")
    other = await attempt(STREAM_HEAD, b'data: {"error": null}\n\n: a comment\n\n', answer())
    assert other.outcome == "answered"


async def test_a_page_without_a_type_is_quoted() -> None:
    reply = await attempt(whole(200, b"<html>Sign in</html>"))
    assert (reply.error_type, reply.stops_run) == ("not_an_event_stream", True)
    assert str(reply.error_message).startswith("the answer is of no type, not an event stream;")
    assert str(reply.error_message).endswith(" It says: <html>Sign in</html>")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<html>\n  <title>Sign\tin</title>", " It says: <html> <title>Sign in</title>"),
        (b'{"type": "message", "content": []}', ' It says: {"type": "message", "content": []}'),
        (b'{"error": "nothing with a type"}', ' It says: {"error": "nothing with a type"}'),
        (b'["\xff"]', ' It says: ["\ufffd"]'),
        (b"x" * 9999, " It says: " + "x" * 200),
        (b"[" * 100_000, " It says: " + "[" * 200),
        (b"", ""),
    ],
)  # fmt: skip
async def test_what_is_no_stream_and_no_error_stops_the_run_and_is_quoted_at_its_beginning(
    body: bytes, says: str
) -> None:
    reply = await attempt(whole(200, body, content_type="text/x"))
    assert (reply.error_type, reply.stops_run, reply.retryable) == ("not_an_event_stream", True, False)
    told = "the answer is of type 'text/x', not an event stream; is this the address of a Messages API?"
    assert reply.error_message == told + says


async def test_of_a_body_without_an_end_only_the_beginning_is_read() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    reply = await asyncio.wait_for(attempt(head, chunk(b"x" * 20_000), HANG), 10)
    assert reply.error_type == "not_an_event_stream"


@pytest.mark.parametrize(
    "sent",
    [
        opening() + block() + delta("Half"),
        opening(),
        b"",
        b"<html>a page in place of a stream</html>",
        opening() + block() + delta("Half") + b"event: message_delta\ndata: {'type': 'mess",
        opening() + block() + delta("All") + event("message_stop"),
        opening() + block() + delta("All") + closing(None),
        answer().replace(event("message_stop"), b""),
    ],
    ids=["in the text", "after the start", "empty", "a page", "in an event", "no delta", "no reason", "no stop"],
)
async def test_a_stream_that_ends_cleanly_without_its_end_is_cut(sent: bytes) -> None:
    reply = await attempt(STREAM_HEAD, sent)
    assert (reply.outcome, reply.error_type, reply.retryable) == ("errored", "stream_cut", True)


@pytest.mark.parametrize(
    "script",
    [
        [RESET],
        [],
        [b"HTTP/1.1 200 OK\r\ncontent-ty", RESET],
        [CHUNKED_HEAD, chunk(opening()), RESET],
        [CHUNKED_HEAD, chunk(opening() + block() + delta("Half"))],
        [CHUNKED_HEAD, b"zz\r\nnot a chunk"],
        [b"SSH-2.0-OpenSSH_9.6\r\n"],
    ],
    ids=["reset", "closed", "in the head", "in the body", "no last chunk", "no chunk", "not HTTP"],
)
async def test_a_dropped_connection_is_retryable(script: list[Step]) -> None:
    reply = await attempt(*script)
    assert (reply.outcome, reply.error_type) == ("errored", "connection_error")
    assert reply.retryable
    assert reply.error_message


async def test_a_body_that_cannot_be_decompressed_is_a_failed_attempt() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\n\r\n"
    reply = await attempt(head, b"this is not gzip")
    assert (reply.outcome, reply.error_type, reply.retryable) == ("errored", "connection_error", True)


@pytest.mark.parametrize("status", [101, 300, 304])
async def test_a_status_that_no_server_of_this_api_has_stops_the_run(status: int) -> None:
    head = f"HTTP/1.1 {status} Odd\r\nconnection: close\r\n"
    head += "upgrade: x\r\n" if status == 101 else ""
    reply = await attempt(f"{head}\r\n".encode())
    assert (reply.status, reply.error_type, reply.retryable, reply.stops_run) == (status, f"http_{status}", False, True)
    assert str(reply.error_message) == f"answers with status {status}; is this the address of a Messages API?"


async def test_of_a_huge_error_body_only_the_beginning_is_looked_at() -> None:
    body = error_body("odd_error", "x" * 50_000 + " credit balance")
    reply = await attempt(whole(400, body, content_type="application/json"))
    assert (reply.error_type, reply.stops_run, len(str(reply.error_message))) == ("odd_error", False, 500)


async def test_nobody_listening_is_retryable() -> None:
    async with connected(UNREACHABLE) as provider:
        reply = await provider.attempt(REQUEST)
    assert (reply.error_type, reply.retryable, reply.status) == ("no_connection", True, None)
    assert cost_of(REQUEST, reply, datetime.now(UTC)) == 0.0, "nothing was sent"


@pytest.mark.parametrize(
    "script",
    [[HANG], [STREAM_HEAD, HANG], [STREAM_HEAD, opening(), block(), delta("Half"), HANG]],
    ids=["before headers", "before events", "in the text"],
)
async def test_an_attempt_ends_at_its_deadline(script: list[Step]) -> None:
    reply = await attempt(*script, deadline_s=0.3)
    assert (reply.outcome, reply.error_type, reply.retryable) == ("errored", "timeout", True)
    assert 0.2 < reply.latency_s < 30  # a busy machine is late, and the server says nothing more for ever


@pytest.mark.parametrize("kind", [httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError])
async def test_who_finds_no_way_to_the_server_has_sent_nothing(kind: type[httpx2.TransportError]) -> None:
    async def fails(*_: object) -> Any:
        raise kind("503 Service Unavailable")

    reply = await one_attempt.attempt(fails, {}, 5.0, fast=False)
    assert (reply.error_type, reply.retryable) == ("no_connection", True)
    assert cost_of(REQUEST, reply, datetime.now(UTC)) == 0.0


PROXY_REFUSAL = whole(407, b"<html>Who are you?</html>", content_type="text/html", proxy_authenticate="Basic")


@pytest.mark.parametrize("scheme", ["http", "https"])  # without a tunnel through the proxy, and with one
async def test_a_proxy_that_wants_a_password_stops_the_run_as_a_bad_key_does(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scripted([PROXY_REFUSAL]) as proxy:
        monkeypatch.setenv(f"{scheme}_proxy", proxy)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test-only")
        async with connected(f"{scheme}://claude.example") as provider:
            reply = await provider.attempt(REQUEST)
            with pytest.raises(InfrastructureError, match=r"^a proxy lets nothing through .*407.*HTTPS_PROXY"):
                await provider.preflight([SONNET])
    assert (reply.error_type, reply.retryable, reply.stops_run) == ("proxy_authentication_error", False, True)
    assert cost_of(REQUEST, reply, datetime.now(UTC)) == 0.0
    with pytest.raises(InfrastructureError, match=r"^a proxy stopped the run: .*407.*; write the proxy's name"):
        raise_if_stopped(Ending(fatal=reply, fatal_model=SONNET), Budget(None), "run")


@pytest.mark.parametrize(
    ("told", "stops"),
    [
        ("Invalid username/password", True),
        ("Requested NO AUTHENTICATION REQUIRED from proxy server, but got NO ACCEPTABLE METHODS.", True),
        ("Proxy Server could not connect: Host unreachable.", False),
        ("502 Bad Gateway", False),
    ],
)
async def test_of_what_proxies_refuse_only_a_missing_password_stops_the_run(told: str, stops: bool) -> None:
    async def fails(*_: object) -> Any:
        raise httpx2.ProxyError(told)

    reply = await one_attempt.attempt(fails, {}, 5.0, fast=False)
    assert (reply.stops_run, reply.retryable) == (stops, not stops)


async def test_a_deadline_that_passes_before_a_request_was_written_is_no_timeout_of_the_model() -> None:
    async def connects_for_ever(*_: object) -> Any:
        await asyncio.sleep(60)

    reply = await one_attempt.attempt(connects_for_ever, {}, 0.05, fast=False)
    assert (reply.error_type, reply.retryable, reply.error_message) == (
        "no_connection", True, "no connection within 0.05 s",
    )  # fmt: skip


async def test_an_answer_that_came_while_our_own_process_stood_still_is_no_timeout() -> None:
    """As after Ctrl-Z or in a paused container: it lies in the socket, and would be paid for again."""
    asked, record = threading.Event(), Recorded("")

    async def takes_its_time(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        asked.set()
        await asyncio.sleep(0.3)
        writer.write(STREAM_HEAD + answer("Late"))
        await writer.drain()
        writer.close()

    with in_thread(takes_its_time, record):
        async with connected(record.url, deadline_s=1.0) as provider:
            attempting = asyncio.ensure_future(provider.attempt(REQUEST))
            while not asked.is_set():
                await asyncio.sleep(0.01)
            time.sleep(2.0)
            reply = await attempting
    assert (reply.outcome, reply.text) == ("answered", "Late")


MALFORMED = {
    "not JSON": b"event: message_start\ndata: {oops\n\n",
    "text for an object": b'event: message_start\ndata: "hello"\n\n',
    "a list for an object": b"event: message_start\ndata: []\n\n",
    "null for an object": b"event: message_start\ndata: null\n\n",
    "no message": event("message_start"),
    "a message that is text": event("message_start", message="hi"),
    "a delta without its text": opening() + event("content_block_delta", index=0, delta={"type": "text_delta"}),
    "a text that is a number": opening()
    + event("content_block_delta", index=0, delta={"type": "text_delta", "text": 7}),
    "no delta": opening() + event("content_block_delta", index=0),
    "an ending without its delta": opening() + event("message_delta"),
    "brackets without end": opening() + b"event: content_block_delta\ndata: " + b"[" * 100_000 + b"\n\n",
    "bytes that are not UTF-8": opening() + b"event: content_block_delta\ndata: \xff\xfe\n\n",
}


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED.keys())
async def test_a_malformed_event_is_an_unreadable_answer_and_no_bug_of_ours(sent: bytes) -> None:
    reply = await attempt(STREAM_HEAD, sent, closing())
    assert (reply.outcome, reply.error_type, reply.retryable) == ("errored", "unreadable_answer", True)


async def test_no_stream_whatever_makes_the_provider_raise() -> None:
    """Bytes of a good answer deleted, doubled and overwritten: always a Reply, and one that can be stored."""
    rng, good = random.Random(20261122), answer("Hello there")
    scripts = []
    for _ in range(120):
        spoiled = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            at, size = rng.randrange(len(spoiled)), rng.randint(0, 12)
            spoiled[at : at + size] = rng.choice([b"", b"null", b'"', b"-1e9", b"{}", b"\n\n", spoiled[at : at + 40]])
        scripts.append([STREAM_HEAD, bytes(spoiled)])
    async with scripted(*scripts) as url, connected(url) as provider:
        replies = [await provider.attempt(REQUEST) for _ in scripts]
    assert {"answered", "errored"} <= {reply.outcome for reply in replies}
    for reply in replies:
        reply.text.encode("utf-8")
        for value in (reply.stop_reason, reply.served_model, reply.error_type, reply.error_message):
            assert value is None or isinstance(value, str)
        counts = (reply.usage.input_tokens, reply.usage.output_tokens, reply.usage.cache_read_tokens)
        assert all(count is None or (type(count) is int and count >= 0) for count in counts)


@pytest.mark.parametrize("junk", [None, "many", 1.5, -3, [1], {"n": 1}, 2**70])
async def test_a_count_that_is_no_count_is_unknown_and_never_0(junk: Any) -> None:
    usage = {"input_tokens": junk, "output_tokens": junk, "cache_read_input_tokens": junk, "service_tier": 5}
    reply = await attempt(STREAM_HEAD, opening(**usage), block(), delta("Hi"), closing(output_tokens=junk))
    assert reply.outcome == "answered"
    assert reply.usage == Usage()


async def test_a_server_that_says_no_model_leaves_the_served_model_unknown() -> None:
    nameless = opening().replace(b'"served-model"', b"null")
    assert (await attempt(STREAM_HEAD, nameless, block(), delta("Hi"), closing())).served_model is None


async def test_a_character_cut_between_two_deltas_is_put_together_again() -> None:
    half = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "\ud83d"})
    rest = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "\ude00!"})
    reply = await attempt(STREAM_HEAD, opening(), block(), half, rest, closing())
    assert (reply.outcome, reply.text) == ("answered", "😀!")


async def test_half_a_character_becomes_a_visible_mark_that_can_be_stored() -> None:
    half = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "a\ud83d"})
    reply = await attempt(STREAM_HEAD, opening(), block(), half, closing())
    assert reply.text == "a\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    ("stop_reason", "outcome"),
    [
        ("end_turn", "answered"),
        ("stop_sequence", "answered"),
        ("tool_use", "answered"),
        ("a_reason_of_next_year", "answered"),
        ("refusal", "refused"),
        ("max_tokens", "truncated"),
        ("model_context_window_exceeded", "truncated"),
        ("pause_turn", "truncated"),  # the server waits to be asked for the rest: what is there is not all
    ],
)
async def test_the_stop_reason_decides_the_outcome(stop_reason: str, outcome: str) -> None:
    reply = await attempt(STREAM_HEAD, answer("Text", stop_reason))
    assert (reply.outcome, reply.stop_reason, reply.text) == (outcome, stop_reason, "Text")
    assert (reply.retryable, reply.stops_run) == (False, False)


@pytest.mark.parametrize(
    ("stop_reason", "kind"),
    [("max_tokens", None), ("model_context_window_exceeded", "context_overflow"), ("pause_turn", "pause_turn")],
)
async def test_why_an_answer_was_cut_is_told(stop_reason: str, kind: str | None) -> None:
    reply = await attempt(STREAM_HEAD, answer("Text", stop_reason))
    assert (reply.error_type, reply.error_message is not None) == (kind, kind is not None)


@pytest.mark.parametrize(
    ("status", "kind", "message", "overflows"),
    [
        (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum", True),
        (400, "invalid_request_error", "input length and `max_tokens` exceed context limit: 199000 + 4000", True),
        (400, "exceed_context_size_error", "the request exceeds the available context size", True),
        (400, "invalid_request_error", "messages: at least one message is required", False),
        (529, "overloaded_error", "prompt is too long", False),
    ],
)
async def test_a_prompt_that_does_not_fit_is_a_kind_of_its_own(
    status: int, kind: str, message: str, overflows: bool
) -> None:
    reply = await attempt(whole(status, error_body(kind, message)))
    assert reply.error_type == ("context_overflow" if overflows else kind)
    assert (reply.retryable, reply.stops_run) == (status == 529, False)


@pytest.mark.parametrize(
    ("status", "code", "advice", "retryable", "stops_run"),
    [
        (400, None, "true", True, False),
        (404, None, "true", True, False),
        (529, None, "false", True, False),
        (429, None, "false", True, False),
        (401, None, "false", False, True),
        (500, None, "perhaps", True, False),
        (429, "enforced_spend_limit_reached", "true", False, True),
    ],
)
async def test_what_the_server_says_of_trying_again_goes_before_what_its_status_means_unless_that_passes(
    status: int, code: str | None, advice: str, retryable: bool, stops_run: bool
) -> None:
    reply = await attempt(whole(status, error_body("api_error", code=code), x_should_retry=advice))
    assert (reply.retryable, reply.stops_run) == (retryable, stops_run)


def tool(*pieces: str, name: Any = "look_up", index: int = 1, given: Any = None) -> bytes:
    start = {"type": "tool_use", "id": "toolu_1", "name": name, "input": {} if given is None else given}
    deltas = [
        event("content_block_delta", index=index, delta={"type": "input_json_delta", "partial_json": piece})
        for piece in pieces
    ]
    return event("content_block_start", index=index, content_block=start) + b"".join(deltas)


@pytest.mark.parametrize(
    ("blocks", "text"),
    [
        ([tool("", '{"b": 1, ', '"a": "é"}')], '{"input": {"a": "é", "b": 1}, "tool": "look_up"}'),
        ([tool('{"a":"é","b":1}')], '{"input": {"a": "é", "b": 1}, "tool": "look_up"}'),
        ([block(), delta("Let me see"), tool("{}")], 'Let me see\n{"input": {}, "tool": "look_up"}'),
        ([tool("[1]", index=0), tool("[2]", name="b")],
         '{"input": [1], "tool": "look_up"}\n{"input": [2], "tool": "b"}'),
        ([tool(given={"q": 1})], '{"input": {"q": 1}, "tool": "look_up"}'),
        ([tool('{"a": ')], '{"input": "{\\"a\\": ", "tool": "look_up"}'),
        ([tool("{}", name=5)], '{"input": {}, "tool": null}'),
    ],
    ids=["in pieces", "other spelling", "after text", "two", "at once", "cut", "without a name"],
)  # fmt: skip
async def test_the_output_of_a_tool_call_is_its_json(blocks: list[bytes], text: str) -> None:
    reply = await attempt(STREAM_HEAD, opening(), *blocks, closing("tool_use"))
    assert (reply.outcome, reply.text) == ("answered", text)


async def test_the_first_token_of_a_tool_call_is_the_first_of_its_input() -> None:
    assert (await attempt(STREAM_HEAD, opening(), tool("", '{"a"', ": 1}"), closing("tool_use"))).ttft_s is not None
    assert (await attempt(STREAM_HEAD, opening(), tool(""), closing("tool_use"))).ttft_s is None


async def test_a_tool_that_the_server_runs_itself_is_no_output() -> None:
    search = tool('{"query": "x"}').replace(b'"tool_use"', b'"server_tool_use"')
    reply = await attempt(STREAM_HEAD, opening(), search, block(2), delta("Found", index=2), closing())
    assert reply.text == "Found"


async def test_thinking_tokens_are_counted() -> None:
    end = closing(output_tokens=90, output_tokens_details={"thinking_tokens": 64})
    usage = (await attempt(STREAM_HEAD, opening(), block(), delta("Hi"), end)).usage
    assert (usage.output_tokens, usage.thinking_tokens) == (90, 64)


@pytest.mark.parametrize("kind", ["authentication_error", "billing_error", "permission_error"])
async def test_credentials_that_are_lost_in_the_middle_stop_the_run(kind: str) -> None:
    reply = await attempt(STREAM_HEAD, opening(), event("error", error={"type": kind, "message": "No"}))
    assert (reply.error_type, reply.retryable, reply.stops_run) == (kind, False, True)


@pytest.mark.parametrize("data", [b"", b"oops", b"[]", b'{"error": 5}', b"[" * 100_000])
async def test_an_error_event_without_sense_is_unreadable_and_may_pass(data: bytes) -> None:
    reply = await attempt(STREAM_HEAD, opening(), b"event: error\ndata: " + data + b"\n\n")
    assert (reply.outcome, reply.error_type, reply.retryable) == ("errored", "unreadable_answer", True)


async def test_a_setting_that_the_client_does_not_know_reaches_the_server() -> None:
    """Which settings a model takes is for the server to say; the client's own signature would raise."""
    with recorded() as server:
        async with connected(server.url) as provider:
            reply = await provider.attempt(Request(SONNET, REQUEST.messages, 64, params={"temperature": 0}))
    assert (reply.status, reply.retryable) == (400, False)
    assert "temperature" in str(reply.error_message)


@pytest.mark.parametrize(
    ("params", "own", "sent"),
    [
        ({"speed": "fast"}, "", "fast-mode-2026-02-01"),
        ({"speed": "fast"}, "Anthropic-Beta: other-2026-01-01", "other-2026-01-01,fast-mode-2026-02-01"),
        ({"speed": "standard"}, "", None),
        ({}, "anthropic-beta: other-2026-01-01", "other-2026-01-01"),
    ],
)
async def test_fast_mode_is_asked_for_with_its_beta_header(
    params: dict[str, str], own: str, sent: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", own)
    asked = Request("claude-opus-5-5", REQUEST.messages, 64, params=params)
    with recorded() as server:
        async with connected(server.url) as provider:
            await provider.attempt(asked)
            await provider.count_tokens(asked)
            await batches.create(provider, [("a", batches.encoded(asked))])
    heard = {request.path: request.headers.get("anthropic-beta") for request in server.requests}
    assert heard == dict.fromkeys(("/v1/messages", "/v1/messages/count_tokens", "/v1/messages/batches"), sent)


async def test_thinking_before_the_text_is_not_part_of_the_output() -> None:
    thinking = event("content_block_start", index=0, content_block={"type": "thinking", "thinking": ""})
    thought = thinking + delta("Let me see", "thinking_delta") + event("content_block_stop", index=0)
    reply = await attempt(STREAM_HEAD, opening(), thought, block(1), delta("Done", index=1), closing())
    assert (reply.outcome, reply.text) == ("answered", "Done")


@pytest.mark.parametrize(
    ("events", "text"),
    [
        ([delta("Hello"), block(), delta(" world")], "Hello world"),
        ([block(), delta("Hello"), block(), delta(" world")], "Hello world"),
        ([block(), delta("See"), tool("[1]", index=0)], 'See\n{"input": [1], "tool": "look_up"}'),
        ([tool("[1]", index=0), tool("[2]", index=0)],
         '{"input": [1], "tool": "look_up"}\n{"input": [2], "tool": "look_up"}'),
    ],
    ids=["announced late", "announced again", "one index for two kinds", "one index for two calls"],
)  # fmt: skip
async def test_nothing_heard_is_lost_where_blocks_are_numbered_or_announced_badly(
    events: list[bytes], text: str
) -> None:
    reply = await attempt(STREAM_HEAD, opening(), *events, closing())
    assert (reply.outcome, reply.text) == ("answered", text)


async def test_text_that_a_block_begins_with_is_kept_and_ends_the_wait_for_the_first() -> None:
    begun = event("content_block_start", index=0, content_block={"type": "text", "text": "Do"})
    reply = await attempt(STREAM_HEAD, opening(), begun, delta("ne"), closing())
    assert (reply.outcome, reply.text) == ("answered", "Done")
    assert reply.ttft_s is not None


@pytest.mark.parametrize(
    ("url", "key", "simulated", "free"),
    [
        ("http://127.0.0.1:1", None, False, True),
        ("http://127.0.0.1:1", "sk-real", True, True),
        ("http://127.0.0.1:1", "sk-real", False, False),  # a gateway on this machine may bill for somebody
        ("https://api.example.com", "sk-real", False, False),
    ],
)
def test_only_the_sandbox_and_servers_without_a_key_bill_nothing(
    url: str, key: str | None, simulated: bool, free: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if key is not None:
        monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    assert AnthropicProvider(url).bills_nothing(Preflight(url, simulated)) is free


async def test_the_sandbox_thinks_first_and_only_its_text_is_kept() -> None:
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
    with recorded() as server:
        async with connected(server.url) as provider:
            reply = await provider.attempt(Request(SONNET, REQUEST.messages, 4096, params=thinking))
    assert reply.outcome == "answered"
    assert reply.text
    assert server.messages()[0]["thinking"] == thinking["thinking"]


async def test_pings_and_unknown_events_are_passed_over() -> None:
    ping = event("ping")
    news = event("weather_report", sky="blue")
    reply = await attempt(STREAM_HEAD, ping, opening(), ping, news, block(), ping, delta("Hi"), ping, closing())
    assert (reply.outcome, reply.text) == ("answered", "Hi")


async def test_usage_of_the_end_replaces_that_of_the_start_and_keeps_what_it_leaves_out() -> None:
    start = {
        "input_tokens": 40, "cache_read_input_tokens": 500, "cache_creation_input_tokens": 90, "output_tokens": 1,
        "cache_creation": {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 30},
        "service_tier": "standard", "inference_geo": "us", "speed": "fast",
    }  # fmt: skip
    end = closing(output_tokens=77, input_tokens=41, cache_read_input_tokens=501)
    reply = await attempt(STREAM_HEAD, opening(**start), block(), delta("Hi"), end)
    assert reply.usage == Usage(41, 77, 501, 60, 30, "standard", "fast", "us")
    assert reply.usage.total_input_tokens == 41 + 501 + 90


@pytest.mark.parametrize("usage", [b"null", b"{}", b'{"output_tokens": "many"}'])
async def test_the_running_count_of_the_start_is_not_taken_for_the_length_of_the_answer(usage: bytes) -> None:
    end = closing().replace(b'{"output_tokens": 5}', usage)
    reply = await attempt(STREAM_HEAD, opening(), block(), delta("Hi"), end)
    assert (reply.outcome, reply.usage.input_tokens, reply.usage.output_tokens) == ("answered", 11, None)


async def test_an_ending_told_in_two_events_is_one_ending() -> None:
    more = event("message_delta", delta={}, usage={"output_tokens": 7})
    first, last = closing().split(b"event: message_stop")
    reply = await attempt(STREAM_HEAD, opening(), block(), delta("Hi"), first, more, b"event: message_stop" + last)
    assert (reply.outcome, reply.stop_reason, reply.usage.output_tokens) == ("answered", "end_turn", 7)


async def test_what_follows_the_end_of_an_answer_is_no_part_of_it() -> None:
    reply = await attempt(STREAM_HEAD, answer("All"), delta(" and more"), answer("Another"))
    assert (reply.outcome, reply.text) == ("answered", "All")


async def test_a_server_that_does_not_speak_of_caches_leaves_them_unknown() -> None:
    reply = await attempt(STREAM_HEAD, answer())
    assert (reply.usage.cache_read_tokens, reply.usage.cache_write_5m_tokens) == (None, None)


async def test_the_request_is_sent_once_without_sampling_settings_and_with_the_system_prompt() -> None:
    with recorded(fault=lambda number, body: "status=529") as server:
        async with connected(server.url) as provider:
            await provider.attempt(Request(SONNET, REQUEST.messages, 64, "Be kind", {"stop_sequences": ["END"]}))
    (body,) = server.messages()
    assert body == {
        "model": SONNET, "max_tokens": 64, "messages": [{"role": "user", "content": "Hello"}], "stream": True,
        "system": "Be kind", "stop_sequences": ["END"],
    }  # fmt: skip


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_proxy_is_never_used_on_loopback(name: str, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for unset in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(unset, raising=False)
    monkeypatch.setenv(name, UNREACHABLE)
    with recorded() as server:
        async with connected(server.url.replace("127.0.0.1", host)) as provider:
            assert (await provider.attempt(REQUEST)).outcome == "answered"


def test_a_proxy_is_never_used_for_the_loopback_of_ip_version_6(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    http = AnthropicProvider("http://[::1]:8765")._client._client
    assert http._transport_for_url(httpx2.URL("http://[::1]:8765/v1/models")) is http._transport


def test_with_a_key_the_vendors_own_address_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test")
    assert AnthropicProvider().base_url.rstrip("/") == "https://api.anthropic.com"


def test_without_a_key_the_error_names_the_variable() -> None:
    with pytest.raises(UsageError, match="ANTHROPIC_API_KEY"):
        AnthropicProvider()


def test_an_empty_key_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "")
    with pytest.raises(UsageError, match="ANTHROPIC_API_KEY"):
        AnthropicProvider("https://api.example.com")


@pytest.mark.parametrize(
    "url",
    ["example.com", "ftp://example.com", "http://", "http://127.0.0.1:99999", "http://[::1", "http://h:port", ""],
)
def test_a_base_url_that_is_none_is_a_usage_error(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", url or "/v1")
    with pytest.raises(UsageError, match="base URL"):
        AnthropicProvider(url or None)


@pytest.mark.parametrize(
    ("url", "loopback", "recorded_as"),
    [
        ("http://127.0.0.1:8765", True, "http://127.0.0.1:8765"),
        ("http://127.0.0.9:1/x/", True, "http://127.0.0.9:1/x"),
        ("http://localhost:8765/", True, "http://localhost:8765"),
        ("http://[::1]:8765", True, "http://[::1]:8765"),
        ("https://user:secret@api.example.com:8443/v9/", False, "https://api.example.com:8443/v9"),
        ("https://localhost.example.com", False, "https://localhost.example.com"),
        ("https://127.0.0.1.example.com", False, "https://127.0.0.1.example.com"),
        ("http://10.0.0.1:80", False, "http://10.0.0.1:80"),
    ],
)
def test_an_endpoint_is_recorded_without_credentials(url: str, loopback: bool, recorded_as: str) -> None:
    assert (is_loopback(url), endpoint_of(url)) == (loopback, recorded_as)


def test_the_sandbox_is_recorded_without_its_port() -> None:
    assert endpoint_of("http://127.0.0.1:8765/anthropic/", simulated=True) == "http://127.0.0.1/anthropic"


@pytest.mark.parametrize(("status", "word"), [(401, "API key"), (403, "API key"), (402, "refuses to bill")])
async def test_credentials_that_are_refused_stop_before_anything_is_spent(status: int, word: str) -> None:
    refusal = whole(status, error_body("authentication_error", "invalid key"))
    async with scripted([refusal]) as url, connected(url) as provider:
        with pytest.raises(InfrastructureError, match=f"{word}.*invalid key"):
            await provider.preflight([SONNET])


async def test_a_server_out_of_reach_is_named() -> None:
    async with connected(UNREACHABLE) as provider:
        with pytest.raises(InfrastructureError, match=r"http://127\.0\.0\.1:\d+ cannot be reached"):
            await provider.preflight([SONNET])


async def test_a_password_in_the_address_is_the_reason_and_not_the_network() -> None:
    async with scripted([]) as url, connected(url.replace("http://", "http://user:secret@")) as provider:
        with pytest.raises(InfrastructureError, match="a name and a password in --base-url") as refused:
            await provider.preflight([SONNET])
    assert not re.search("secret|network", str(refused.value))


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        (SONNET, None),
        ("claude-haiku-4-5", None),
        ("claude-sonnet-9", "unknown"),
        ("claude-opus-4-1-20250805", "retired"),
        ("..", "unknown"),
        ("a/b?c#d", "unknown"),
    ],
)
async def test_preflight_knows_unknown_and_retired_models(model: str, problem: str | None) -> None:
    with recorded() as server:
        async with connected(server.url) as provider:
            problems = (await provider.preflight([model])).problems.values()
    assert [problem in line and repr(model) in line for line in problems] == [True] * (problem is not None)
    assert server.messages() == []


async def test_preflight_tells_what_each_model_takes() -> None:
    with recorded() as server:
        async with connected(server.url) as provider:
            facts = (await provider.preflight(["claude-haiku-4-5", "claude-opus-5-5", "claude-sonnet-9"])).facts
    assert set(facts) == {"claude-haiku-4-5", "claude-opus-5-5"}
    haiku, opus = facts["claude-haiku-4-5"], facts["claude-opus-5-5"]
    assert (haiku.max_input_tokens, haiku.max_output_tokens, haiku.lifecycle) == (200_000, 64_000, "active")
    assert (haiku.thinking, haiku.efforts) == ({"enabled", "disabled"}, frozenset())
    assert (opus.thinking, opus.efforts) == ({"adaptive"}, {"low", "medium", "high", "xhigh", "max"})
    assert (opus.image_input, opus.pdf_input, opus.structured_outputs) == (True, True, True)


@pytest.mark.parametrize(
    ("info", "facts"),
    [
        ({"type": "model"}, ModelFacts()),
        ({"type": "model", "capabilities": None, "max_tokens": "many", "lifecycle": "asleep"}, ModelFacts()),
        ({"type": "model", "capabilities": {"thinking": {"types": 5}, "effort": []}}, ModelFacts()),
        ({"type": "model", "capabilities": {"thinking": {"supported": False}}}, ModelFacts(thinking=frozenset())),
        ({"type": "model", "capabilities": {"effort": {"low": {"supported": True}, "max": {"supported": False}}}},
         ModelFacts(efforts=frozenset({"low"}))),
        ({"type": "model", "capabilities": {"pdf_input": {"supported": False}}}, ModelFacts(pdf_input=False)),
        ({"id": "x", "object": "model"}, None),
        ([], None),
        (None, None),
    ],
)  # fmt: skip
def test_what_a_server_does_not_say_of_a_model_stays_unknown(info: Any, facts: ModelFacts | None) -> None:
    assert read_facts(info) == facts


@pytest.mark.parametrize("lists_models", [True, False])
async def test_a_server_without_a_model_list_of_the_vendors_shape_is_taken_at_its_word(lists_models: bool) -> None:
    with independent(lists_models) as server:
        async with connected(server.url) as provider:
            preflight = await provider.preflight(["whatever-7b"])
            reply = await provider.attempt(REQUEST)
            counted = await provider.count_tokens(REQUEST)
    assert (preflight.problems, preflight.simulated) == ({}, False)
    assert (reply.outcome, reply.served_model, reply.request_id) == ("answered", LOCAL_MODEL, None)
    assert counted is None


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"data": [1]}', b'{"data": {}}', b'{"data": [{}]}'])
async def test_an_odd_model_list_is_no_model_list(body: bytes) -> None:
    async with scripted([whole(200, body, content_type="application/json")]) as url, connected(url) as provider:
        assert (await provider.preflight([SONNET])).problems == {}


async def test_tokens_are_counted_by_the_server_without_settings_that_do_not_count() -> None:
    with recorded() as server:
        async with connected(server.url) as provider:
            counted = await provider.count_tokens(
                Request(SONNET, REQUEST.messages, 9, "Be kind", {"stop_sequences": []})
            )
    assert counted is not None
    assert counted > 0
    assert server.paths() == {"/v1/messages/count_tokens"}


@pytest.mark.parametrize(
    "response",
    [
        whole(200, b"<html>", content_type="text/html"),
        whole(200, b"[]", content_type="application/json"),
        whole(200, b'{"input_tokens": "12"}', content_type="application/json"),
        whole(200, b'{"input_tokens": -1}', content_type="application/json"),
        whole(200, b"{oops", content_type="application/json"),
        whole(404, b""),
        whole(501, b""),
    ],
)
async def test_a_count_that_cannot_be_had_is_none(response: bytes) -> None:
    async with scripted([response]) as url, connected(url) as provider:
        assert await provider.count_tokens(REQUEST) is None


async def test_counting_is_tried_again_when_the_server_is_busy_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def at_once(seconds: float) -> None:
        waits.append(seconds)

    good = whole(200, b'{"input_tokens": 12}', content_type="application/json")
    async with scripted([whole(429, b"")], [whole(529, b"")], [RESET], [good]) as url, connected(url) as provider:
        with monkeypatch.context() as patched:
            patched.setattr("asyncio.sleep", at_once)
            assert await provider.count_tokens(REQUEST) == 12
    assert waits == sorted(waits)
    assert len(waits) == 3


async def test_counting_gives_up_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(seconds: float) -> None:
        return None

    async with scripted([whole(529, b"")]) as url, connected(url) as provider:
        with monkeypatch.context() as patched:
            patched.setattr("asyncio.sleep", at_once)
            assert await provider.count_tokens(REQUEST) is None


async def test_an_invalid_key_is_one_line_and_exit_code_5(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refusal = whole(401, error_body("authentication_error", "invalid bearer token"), content_type="application/json")
    async with scripted([refusal]) as url:
        arguments = ["run", str(root / "datasets/ticket-routing.jsonl"), "--base-url", url, "--runs", str(tmp_path)]
        code = await asyncio.to_thread(main, arguments)
    assert code == 5
    error, ending = capsys.readouterr().err.splitlines()
    assert error == (f"error: {url} does not accept the API key (invalid bearer token); check ANTHROPIC_API_KEY")
    assert ending == "exit 5: provider"
    assert list(tmp_path.iterdir()) == []
