"""The connection under the provider: its clock, its rate limits, and the client it falls back on."""

import asyncio
import builtins
import re
import resource
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_writer import StreamWriter
from anthropic.lib.credentials import AccessToken
from servers import (
    CHUNKED_HEAD,
    HANG,
    RESET,
    STREAM_HEAD,
    answer,
    block,
    chunk,
    closing,
    delta,
    opening,
    recorded,
    scripted,
    whole,
)
from test_provider import connected

from evalkit.providers.anthropic import AnthropicProvider
from evalkit.providers.headers import allowances, retry_after_s
from evalkit.providers.posting import Repeated
from evalkit.providers.transport import Clock, http_client
from evalkit.records import Allowance, Reply, Request

REQUEST = Request("claude-sonnet-4-6", ({"role": "user", "content": "Hello"},), 512)
DELAY_S = 0.2
PARTS = [pytest.param("aiohttp", id="aiohttp"), pytest.param("httpx2", id="without aiohttp")]


@pytest.fixture(params=PARTS)
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With aiohttp, and on a machine where it cannot be imported."""
    if request.param == "httpx2":
        real = builtins.__import__

        def without(name: str, *rest: Any) -> Any:
            if name == "aiohttp":
                raise ImportError(name)
            return real(name, *rest)

        monkeypatch.setattr(builtins, "__import__", without)
    return request.param


async def ask(*script: Any, deadline_s: float = 30.0) -> Reply:
    async with scripted(script) as url, connected(url, deadline_s) as provider:
        return await provider.attempt(REQUEST)


async def test_either_client_is_the_one_that_is_meant(transport: str) -> None:
    async with connected("http://127.0.0.1:9") as provider:
        assert (type(provider._client._client._transport).__name__ == "_AiohttpTransport") is (transport == "aiohttp")


@pytest.mark.parametrize(
    "script", [[STREAM_HEAD, answer("Good day")], [CHUNKED_HEAD, chunk(answer("Good day")), b"0\r\n\r\n"]]
)
async def test_either_client_reads_an_answer(transport: str, script: list[Any]) -> None:
    reply = await ask(*script)
    assert (reply.outcome, reply.text, reply.usage.output_tokens) == ("answered", "Good day", 5)
    assert reply.headers_s is not None
    assert reply.ttft_s is not None
    assert reply.latency_s is not None
    assert 0 < reply.headers_s <= reply.ttft_s <= reply.latency_s


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ([RESET], "connection_error"),
        ([CHUNKED_HEAD, chunk(opening()), RESET], "connection_error"),
        ([b"SSH-2.0-OpenSSH_9.6\r\n"], "connection_error"),
        ([STREAM_HEAD, opening(), HANG], "timeout"),
        ([HANG], "timeout"),
    ],
)
async def test_either_client_fails_alike(transport: str, script: list[Any], kind: str) -> None:
    reply = await ask(*script, deadline_s=0.3 if kind == "timeout" else 30)
    assert (reply.outcome, reply.error_type, reply.retryable) == ("errored", kind, True)
    assert reply.error_message


async def test_the_first_request_opens_a_connection_and_the_next_uses_it_again(transport: str) -> None:
    with recorded() as server:
        async with connected(server.url) as provider:
            replies = [await provider.attempt(REQUEST) for _ in range(3)]
    assert [reply.reused for reply in replies] == [False, True, True]


async def test_the_clock_does_not_run_while_a_request_is_built_and_its_connection_opened(
    transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that takes long to resolve is no fault of the model's."""
    loop = asyncio.get_running_loop()
    look_up = loop.getaddrinfo

    async def slow(*args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(DELAY_S)
        return await look_up(*args, **kwargs)

    monkeypatch.setattr(loop, "getaddrinfo", slow)
    async with scripted([STREAM_HEAD, answer()]) as url:
        port = url.rpartition(":")[2]
        async with connected(f"http://localhost:{port}") as provider:
            begun = Clock()
            reply = await provider.attempt(REQUEST)
            felt_s = begun.since_sent()
    assert reply.outcome == "answered"
    assert reply.latency_s is not None
    assert felt_s - reply.latency_s >= DELAY_S


async def test_a_request_that_never_reached_a_server_has_no_headers_and_no_first_token() -> None:
    async with connected("http://127.0.0.1:9") as provider:
        reply = await provider.attempt(REQUEST)
    assert (reply.headers_s, reply.ttft_s, reply.reused) == (None, None, None)


@pytest.mark.parametrize("ending", [[HANG], [chunk(b"event: error\ndata: {}\n\n")]])
async def test_what_happens_after_the_end_of_an_answer_does_not_undo_it(transport: str, ending: list[Any]) -> None:
    async with asyncio.timeout(20):  # a guard: without its own end this would take the whole deadline
        reply = await ask(CHUNKED_HEAD, chunk(answer("All of it")), *ending, deadline_s=60.0)
    assert (reply.outcome, reply.text) == ("answered", "All of it")
    assert reply.latency_s is not None
    assert reply.latency_s < 1.0  # the wait for the server to hang up is not the model's


async def test_an_address_is_sent_as_it_was_signed(transport: str) -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.write(whole(200, b""))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with http_client(1, url) as client:
            await client.get(f"{url}/model/arn%3Aa%2Fb%28c%29/invoke")
    assert asked == [b"GET /model/arn%3Aa%2Fb%28c%29/invoke HTTP/1.1\r\n"]


async def test_only_text_counts_as_the_first_token() -> None:
    script = [CHUNKED_HEAD, chunk(opening() + block() + delta("") + delta("Hm", "thinking_delta")), chunk(closing())]
    assert (await ask(*script, b"0\r\n\r\n")).ttft_s is None


@pytest.mark.parametrize("name", ["https_proxy", "ALL_PROXY"])
def test_behind_a_proxy_the_client_that_knows_proxies_is_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test")
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    http = AnthropicProvider()._client._client
    assert type(http._transport_for_url(http.base_url.join("https://api.anthropic.com"))._pool).__name__.endswith(
        "Proxy"
    )


async def test_bytes_that_wait_for_their_turn_in_a_busy_loop_are_not_the_models_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1.0
    receive = ResponseHandler.data_received

    def be_busy() -> None:
        nonlocal now
        now += 100.0

    def received(self: ResponseHandler, data: bytes) -> None:
        asyncio.get_running_loop().call_soon(be_busy)  # before whoever waits for these bytes has been called
        receive(self, data)

    monkeypatch.setattr("evalkit.providers.transport.perf_counter", lambda: now)
    monkeypatch.setattr(ResponseHandler, "data_received", received)
    reply = await ask(CHUNKED_HEAD + chunk(answer()) + b"0\r\n\r\n")
    assert now > 100.0
    assert (reply.headers_s, reply.ttft_s, reply.latency_s) == (0.0, 0.0, 0.0)


async def test_a_request_that_waits_in_a_busy_loop_for_its_writing_has_not_been_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """aiohttp makes the headers first, and has a task of its own write them with the body."""
    now = 1.0
    write = StreamWriter.write

    async def when_others_are_done(self: StreamWriter, piece: bytes, **how: Any) -> None:
        nonlocal now
        now += 100.0
        await write(self, piece, **how)

    monkeypatch.setattr("evalkit.providers.transport.perf_counter", lambda: now)
    monkeypatch.setattr(StreamWriter, "write", when_others_are_done)
    reply = await ask(CHUNKED_HEAD + chunk(answer()) + b"0\r\n\r\n")
    assert now > 100.0
    assert (reply.headers_s, reply.ttft_s, reply.latency_s) == (0.0, 0.0, 0.0)


# --- requests like an earlier one ----------------------------------------------------------------------------


async def test_further_requests_carry_all_headers_of_the_first(transport: str) -> None:
    with recorded() as server:
        async with connected(server.url) as provider:
            for text in ("Hello", "Hello", "Hello, and more"):
                asked = Request("claude-sonnet-4-6", ({"role": "user", "content": text},), 512)
                assert await provider.count_tokens(asked)
                assert (await provider.attempt(asked)).outcome == "answered"
    heard = [{**request.headers, "content-length": str(len(request.body))} for request in server.requests]
    assert [request.headers for request in server.requests] == heard
    assert len({frozenset(headers.items() - {("content-length", headers["content-length"])}) for headers in heard}) == 1
    assert [request.path for request in server.requests] == ["/v1/messages/count_tokens", "/v1/messages"] * 3


PAGE = b"<html>not here</html>"
TOLD = b'{"type": "error", "error": {"type": "some_error", "message": "No"}}'
FAILURES = [
    *([whole(status, TOLD, retry_after="7")] for status in (400, 401, 402, 403, 404, 413, 429, 500, 501, 529)),
    [whole(400, b"")], [whole(502, PAGE)], [whole(302, b"", location="http://127.0.0.1:9/")], [whole(304, b"")],
    [whole(200, PAGE, content_type="text/html")], [RESET], [b"SSH-2.0-OpenSSH_9.6\r\n"], [HANG], [STREAM_HEAD, RESET],
]  # fmt: skip


def plain(reply: Reply) -> Reply:
    """Without its times, and the port that its server had."""
    message = re.sub(r":\d{4,5}/", "/", reply.error_message or "")
    return replace(reply, latency_s=0.0, headers_s=None, error_message=message)


@pytest.mark.parametrize("failure", FAILURES, ids=lambda script: str(script[0][:30]))
async def test_further_requests_fail_as_the_first_does(transport: str, failure: list[Any]) -> None:
    deadline_s = 0.5 if HANG in failure else 30.0
    first = await ask(*failure, deadline_s=deadline_s)
    async with scripted([STREAM_HEAD, answer()], failure) as url, connected(url, deadline_s) as provider:
        assert (await provider.attempt(REQUEST)).outcome == "answered"
        later = await provider.attempt(REQUEST)
    assert first.outcome == "errored"
    assert plain(later) == plain(first)


async def test_credentials_that_are_renewed_are_asked_for_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with recorded() as server:
        async with connected(server.url) as provider:
            tokens = iter(["one", "two"])
            provider._client = provider.client.copy(api_key=None, credentials=lambda **_: AccessToken(next(tokens), 0))
            provider._post = Repeated(provider.client, provider.client._client)
            for _ in range(2):
                assert (await provider.attempt(REQUEST)).outcome == "answered"
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer one", "Bearer two"]


# --- what the headers say ------------------------------------------------------------------------------------


def limits(name: str, limit: str | None, remaining: str | None, reset: str | None) -> dict[str, str]:
    told = {"limit": limit, "remaining": remaining, "reset": reset}
    return {f"anthropic-ratelimit-{name}-{part}": text for part, text in told.items() if text is not None}


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_every_limit_is_told_by_what_it_limits() -> None:
    names = ("requests", "tokens", "input-tokens", "output-tokens")
    told = allowances({k: v for n in names for k, v in limits(n, "4000", "17", in_seconds(30)).items()})
    assert set(told) == {"requests", "tokens", "input_tokens", "output_tokens"}
    assert {(a.limit, a.remaining) for a in told.values()} == {(4000, 17)}
    assert all(a.resets_s is not None and 25 < a.resets_s <= 30 for a in told.values())


@pytest.mark.parametrize(
    ("told", "read"),
    [
        (("10", "4", None), Allowance(10, 4, None)),
        ((None, "0", None), Allowance(None, 0, None)),
        (("10", "soon", None), Allowance(10, None, None)),
        (("10", "-1", "tomorrow"), Allowance(10, None, None)),
        (("10", "4", "2026-11-22T14:00:00"), Allowance(10, 4, None)),  # no time zone: no moment
        (("10", "4", "2020-01-01T00:00:00Z"), Allowance(10, 4, 0.0)),
        (("١٢", "²", None), None),
        (("9" * 40, None, None), None),
        (("", "", ""), None),
        ((None, None, in_seconds(9)), None),
    ],
)
def test_limits_that_make_no_sense_are_passed_over(told: tuple[str | None, ...], read: Allowance | None) -> None:
    assert allowances(limits("tokens", *told)).get("tokens") == read


@pytest.mark.parametrize("status", [200, 429, 529])
async def test_limits_are_told_on_answers_and_on_errors(status: int) -> None:
    told = limits("requests", "50", "3", in_seconds(60))
    if status == 200:
        lines = "".join(f"{name}: {text}\r\n" for name, text in told.items()).encode()
        reply = await ask(STREAM_HEAD[:-2] + lines + b"\r\n", answer())
    else:
        reply = await ask(whole(status, b"{}", **told))
    assert (reply.allowances["requests"].limit, reply.allowances["requests"].remaining) == (50, 3)


@pytest.mark.parametrize(
    ("ahead_s", "form"),
    [(60, "%a, %d %b %Y %H:%M:%S GMT"), (60, "%a, %d %b %Y %H:%M:%S +0000"), (60, "%a, %d %b %Y %H:%M:%S")],
)
def test_a_wait_until_a_date_is_read_against_now(ahead_s: int, form: str) -> None:
    wait_s = retry_after_s({"retry-after": (datetime.now(UTC) + timedelta(seconds=ahead_s)).strftime(form)})
    assert wait_s == pytest.approx(ahead_s, abs=5)


@pytest.mark.parametrize("text", ["Sun, 22 Nov 2020 14:00:00 GMT", "someday", "", "Sun, 99 Nov 2026 14:00:00 GMT"])
def test_a_date_that_has_passed_or_is_none_is_left_to_our_own_back_off(text: str) -> None:
    assert retry_after_s({"retry-after": text}) is None


async def test_a_run_may_have_as_many_connections_as_it_was_told() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        async with http_client(1024, "http://127.0.0.1:9"):
            assert 1024 < resource.getrlimit(resource.RLIMIT_NOFILE)[0] <= before[1]
            assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] == before[1]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
