"""Claude on Amazon Bedrock: both wires, both kinds of credentials, and every way in which they fail."""

import asyncio
import json
import re
import struct
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from servers import HANG, Recorded, Step, answer, closing, delta, opening, recorded, scripted, whole

from evalkit.cli import main
from evalkit.errors import EvalkitError, InfrastructureError, UsageError
from evalkit.executors.budget import Budget
from evalkit.executors.ending import Ending, raise_if_stopped
from evalkit.providers import Provider
from evalkit.providers.anthropic import AnthropicProvider
from evalkit.providers.bedrock import BedrockProvider, is_old, uses_messages_endpoint
from evalkit.providers.dispatch import open_provider
from evalkit.records import Reply, Request
from evalkit.sandbox.bedrock import frame, framed

PROFILE = "bedrock:us.anthropic.claude-opus-4-6-v1"
PLAIN = "bedrock:anthropic.claude-opus-5-5"
HAIKU = "bedrock:us.anthropic.claude-haiku-4-5-20251001-v1:0"
ARN = "bedrock:arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-6"
BEARER = {"AWS_BEARER_TOKEN_BEDROCK": "bedrock-api-key-test"}
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/EXAMPLEKEY"}
AUTHENTICATION = [pytest.param(BEARER, id="bearer"), pytest.param(KEYS, id="SigV4")]
FRAMES = b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\nconnection: close\r\n\r\n"
ANTHROPIC_URL, AWS_URL = "ANTHROPIC_BEDROCK_MANTLE_BASE_URL", "ANTHROPIC_BEDROCK_BASE_URL"


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """A region, and no credentials but those a test gives; nobody asks the machine's own metadata server."""
    for name in (*BEARER, *KEYS, "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_REGION", ANTHROPIC_URL, AWS_URL):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_REGION", "us-east-1")


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    """The sandbox in Bedrock's place, with a bearer key."""
    with recorded() as server:
        point_to(server.url, monkeypatch)
        yield server


def point_to(url: str, monkeypatch: pytest.MonkeyPatch, given: dict[str, str] = BEARER) -> None:
    monkeypatch.setenv(ANTHROPIC_URL, f"{url}/anthropic")
    monkeypatch.setenv(AWS_URL, url)
    for name, value in given.items():
        monkeypatch.setenv(name, value)


@asynccontextmanager
async def opened(*models: str, base_url: str | None = None) -> AsyncIterator[Provider]:
    provider = open_provider(models, base_url, connections=2)
    try:
        yield provider
    finally:
        await provider.close()


def asking(model: str, **params: Any) -> Request:
    return Request(model, ({"role": "user", "content": "Hello"},), 4096, params=params)


async def attempt(monkeypatch: pytest.MonkeyPatch, *script: Step, model: str = PROFILE) -> Reply:
    """What becomes of one request to a server that plays this script."""
    async with scripted(script) as url:
        point_to(url, monkeypatch)
        async with opened(model) as provider:
            return await provider.attempt(asking(model))


def as_frames(*events: bytes) -> bytes:
    """Server-sent events in AWS's frames."""

    async def each() -> AsyncIterator[bytes]:
        for sent in b"".join(events).split(b"\n\n"):
            if sent:
                yield sent

    async def collected() -> bytes:
        return b"".join([one async for one in framed(each())])

    return asyncio.run(collected())


@pytest.mark.parametrize(
    ("bedrock_id", "messages", "old"),
    [
        ("anthropic.claude-opus-5-5", True, False),
        ("anthropic.claude-opus-4-7", True, False),
        ("anthropic.claude-sonnet-5", True, False),
        ("anthropic.claude-sonnet-4-6", True, True),
        ("us.anthropic.claude-sonnet-4-6", False, True),
        ("us.anthropic.claude-opus-5-5", False, False),
        ("global.anthropic.claude-sonnet-5", False, False),
        ("anthropic.claude-opus-4-6-v1", False, True),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", False, True),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", False, True),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-4-8", False, False),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc123", False, True),
    ],
)
def test_the_form_of_an_id_decides_the_wire_and_its_version(bedrock_id: str, messages: bool, old: bool) -> None:
    assert (uses_messages_endpoint(bedrock_id), is_old(bedrock_id)) == (messages, old)


@pytest.mark.parametrize("given", AUTHENTICATION)
@pytest.mark.parametrize(
    ("model", "path", "version"),
    [
        (PLAIN, "/anthropic/v1/messages", None),
        (PROFILE, "/model/us.anthropic.claude-opus-4-6-v1/invoke-with-response-stream", "bedrock-2023-05-31"),
        (
            "bedrock:eu.anthropic.claude-haiku-4-5-20251001-v1:0",
            "/model/eu.anthropic.claude-haiku-4-5-20251001-v1:0/invoke-with-response-stream",
            "bedrock-2023-05-31",
        ),
        (
            "bedrock:global.anthropic.claude-opus-5-5",
            "/model/global.anthropic.claude-opus-5-5/invoke-with-response-stream",
            "2026-10-21",
        ),
    ],
)
async def test_either_wire_answers_with_either_kind_of_credentials(
    given: dict[str, str], model: str, path: str, version: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with recorded() as server:
        point_to(server.url, monkeypatch, given)
        async with opened(model) as provider:
            preflight = await provider.preflight([model])
            reply = await provider.attempt(asking(model))
            free = provider.bills_nothing(preflight)
    assert (reply.outcome, reply.stop_reason, reply.simulated) == ("answered", "end_turn", True)
    assert reply.text
    assert reply.usage.output_tokens is not None
    assert reply.request_id
    assert reply.ttft_s is not None
    assert (preflight.simulated, preflight.problems, preflight.facts, free) == (True, {}, {}, True)
    sent = next(request for request in server.requests if request.method == "POST")
    assert sent.path == path
    assert json.loads(sent.body).get("anthropic_version") == version
    assert sent.headers["authorization"].startswith("Bearer " if given is BEARER else "AWS4-HMAC-SHA256 ")


async def test_an_arn_is_one_part_of_the_address_and_signed_as_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with recorded() as server:
        point_to(server.url, monkeypatch, KEYS)
        async with opened(ARN) as provider:
            reply = await provider.attempt(asking(ARN))
    assert (reply.outcome, reply.served_model) == ("answered", "claude-sonnet-4-6")


async def test_without_the_old_version_an_old_model_would_be_refused(
    sandbox: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evalkit.providers.bedrock.is_old", lambda _: False)
    async with opened(PROFILE) as provider:
        reply = await provider.attempt(asking(PROFILE))
    assert (reply.status, "anthropic_version" in str(reply.error_message)) == (400, True)


# Bedrock's status and kind, retryable, stops the run
REFUSALS = [
    (400, "ValidationException", "validationException", False, False),
    (403, "AccessDeniedException", "accessDeniedException", False, True),
    (400, "ServiceQuotaExceededException", "serviceQuotaExceededException", False, True),
    (403, "ExpiredTokenException", "expiredTokenException", False, True),
    (400, "ExpiredTokenException", "expiredTokenException", False, True),
    (404, "ResourceNotFoundException", "resourceNotFoundException", False, True),
    (408, "ModelTimeoutException", "modelTimeoutException", True, False),
    (424, "ModelErrorException", "modelErrorException", True, False),
    (429, "ThrottlingException", "throttlingException", True, False),
    (429, "ModelNotReadyException", "modelNotReadyException", True, False),
    (500, "InternalServerException", "internalServerException", True, False),
    (503, "ServiceUnavailableException", "serviceUnavailableException", True, False),
]


@pytest.mark.parametrize(("status", "named", "kind", "retryable", "stops_run"), REFUSALS)
async def test_every_refusal_is_sorted_by_the_name_in_its_header(
    status: int, named: str, kind: str, retryable: bool, stops_run: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"x_amzn_errortype": f"{named}:http://internal.amazon.com/coral/", "x_amzn_requestid": "aws-1"}
    reply = await attempt(monkeypatch, whole(status, b'{"message": "No."}', content_type="application/json", **told))
    assert (reply.outcome, reply.status, reply.error_type) == ("errored", status, kind)
    assert (reply.retryable, reply.stops_run) == (retryable, stops_run)
    assert (reply.error_message, reply.request_id) == ("No.", "aws-1")


@pytest.mark.parametrize(
    ("status", "message", "kind", "stops_run"),
    [
        (400, "Input is too long for requested model.", "context_overflow", False),
        (429, "Too many tokens per day, please wait before trying again.", "throttlingException", True),
        (429, "Too many requests, please wait before trying again.", "throttlingException", False),
    ],
)
async def test_some_refusals_are_told_by_their_words(
    status: int, message: str, kind: str, stops_run: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = json.dumps({"message": message}).encode()
    reply = await attempt(monkeypatch, whole(status, body, x_amzn_errortype="ThrottlingException"))
    assert (reply.error_type, reply.stops_run) == (kind, stops_run)


EXCEPTIONS = [
    ("throttlingException", True),
    ("serviceUnavailableException", True),
    ("modelStreamErrorException", True),
    ("InternalError", True),
    ("modelTimeoutException", True),
    ("internalServerException", True),
    ("validationException", False),
    ("newException", False),
]


@pytest.mark.parametrize(("kind", "retryable"), EXCEPTIONS)
def test_an_exception_in_the_middle_fails_the_attempt_but_keeps_its_usage(
    kind: str, retryable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = as_frames(opening(), delta("Half"))
    broken = frame({":message-type": "exception", ":exception-type": kind}, {"message": "Sorry"})
    if kind[0].isupper():  # an error that the service's model does not name
        broken = frame({":message-type": "error", ":error-code": kind, ":error-message": "Sorry"}, {})
    reply = asyncio.run(attempt(monkeypatch, FRAMES, begun, broken))
    assert (reply.outcome, reply.error_type, reply.error_message, reply.retryable) == (
        "errored", kind, "Sorry", retryable,
    )  # fmt: skip
    assert (reply.status, reply.text, reply.usage.input_tokens) == (200, "Half", 11)


def with_headers(headers: bytes) -> bytes:
    """A frame with right checksums whose headers are these bytes."""
    head = struct.pack(">II", 16 + len(headers) + 2, len(headers))
    body = struct.pack(">I", zlib.crc32(head)) + headers + b"{}"
    return head + body + struct.pack(">I", zlib.crc32(head + body))


WHOLE = as_frames(answer("Good day"))
SPOILT = {
    "cut": (WHOLE[:-40], "stream_cut", True),
    "empty": (b"", "stream_cut", True),
    "a flipped bit": (WHOLE[:60] + bytes([WHOLE[60] ^ 1]) + WHOLE[61:], "connection_error", True),
    "a page": (b"<html>a page in place of a stream, long enough for a head</html>", "connection_error", True),
    "a header of no known kind": (with_headers(b"\x01a\x2a"), "connection_error", True),
    "a header cut": (with_headers(b"\x01a\x07\x00"), "connection_error", True),
    "a header that is no text": (with_headers(b"\x01\xff\x00"), "connection_error", True),
    "no bytes": (frame({":message-type": "event", ":event-type": "chunk"}, {"p": "a"}), "unreadable_answer", True),
    "no base64": (frame({":message-type": "event"}, {"bytes": "???"}), "unreadable_answer", True),
    "a list": (frame({":message-type": "event"}, []), "unreadable_answer", True),
    "text within": (frame({":message-type": "event"}, {"bytes": "ImhpIg=="}), "unreadable_answer", True),
    "silence": (None, "timeout", True),
}


@pytest.mark.parametrize(("sent", "kind", "retryable"), SPOILT.values(), ids=SPOILT.keys())
def test_a_spoilt_stream_is_a_failed_attempt(
    sent: bytes | None, kind: str, retryable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> Reply:
        async with scripted([FRAMES, HANG if sent is None else sent]) as url:
            point_to(url, monkeypatch)
            provider = BedrockProvider([PROFILE], deadline_s=0.3 if sent is None else 30)
            try:
                return await provider.attempt(asking(PROFILE))
            finally:
                await provider.close()

    reply = asyncio.run(run())
    assert (reply.outcome, reply.error_type, reply.retryable) == ("errored", kind, retryable)


def test_frames_cut_anywhere_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = [WHOLE[at : at + 7] for at in range(0, len(WHOLE), 7)]
    reply = asyncio.run(attempt(monkeypatch, FRAMES, *pieces))
    assert (reply.outcome, reply.text) == ("answered", "Good day")


def test_what_follows_the_end_of_an_answer_does_not_undo_it(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = as_frames(opening(), delta("All"), closing()) + b"and something that is no frame at all"
    assert asyncio.run(attempt(monkeypatch, FRAMES, sent)).outcome == "answered"


@pytest.mark.parametrize("payload", [{}, {"bytes": "???"}, []], ids=["empty", "bytes", "list"])
def test_an_event_of_a_kind_not_known_yet_is_passed_over(payload: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    other = frame({":message-type": "event", ":event-type": "initial-response"}, payload)
    sent = (other, as_frames(opening(), delta("All")), other, as_frames(closing()))
    reply = asyncio.run(attempt(monkeypatch, FRAMES, *sent))
    assert (reply.outcome, reply.text) == ("answered", "All")


async def test_tokens_are_counted_where_the_platform_can(sandbox: Recorded) -> None:
    async with opened(PLAIN, PROFILE) as provider:
        assert (await provider.count_tokens(asking(PLAIN))) is not None
        assert await provider.count_tokens(asking(PROFILE)) is None
    assert [request.path for request in sandbox.requests] == ["/anthropic/v1/messages/count_tokens"]


# --- before a run --------------------------------------------------------------------------------------------


def test_without_a_region_the_error_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    with pytest.raises(UsageError, match="AWS_REGION"):
        open_provider([PLAIN])


def test_the_older_name_of_the_region_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert isinstance(open_provider([PLAIN]), BedrockProvider)


@pytest.mark.parametrize(
    ("model", "given", "needed"), [(PROFILE, BEARER, True), (PLAIN, KEYS, True), (PLAIN, BEARER, False)]
)
def test_the_extra_is_asked_for_where_it_is_needed(
    model: str, given: dict[str, str], needed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("evalkit.providers.bedrock.find_spec", lambda _: None)
    if not needed:
        open_provider([model])
        return
    with pytest.raises(UsageError, match=r"pip install 'evalkit-claude\[bedrock\]'"):
        open_provider([model])


async def test_without_credentials_nothing_is_sent(sandbox: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK")
    monkeypatch.setenv("AWS_REGION", "eu-north-1")  # the SDK remembers credentials by region
    async with opened(PROFILE) as provider:
        with pytest.raises(UsageError, match="AWS_ACCESS_KEY_ID"):
            await provider.preflight([PROFILE])
        reply = await provider.attempt(asking(PROFILE))
    assert (reply.error_type, reply.retryable, reply.stops_run) == ("credentials_error", False, True)
    assert sandbox.requests == []


async def test_a_server_out_of_reach_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    point_to("http://127.0.0.1:9", monkeypatch)
    async with opened(PROFILE) as provider:
        with pytest.raises(InfrastructureError, match=f"cannot be reached.*{AWS_URL}"):
            await provider.preflight([PROFILE])


async def test_amazons_own_servers_are_asked_nothing_before_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "key")
    async with opened(PLAIN, PROFILE) as provider:
        preflight = await provider.preflight([PLAIN, PROFILE])
    hosts = "https://bedrock-mantle.us-east-1.api.aws/anthropic + https://bedrock-runtime.us-east-1.amazonaws.com"
    assert (preflight.endpoint, preflight.simulated) == (hosts, False)
    assert not provider.bills_nothing(preflight)


@pytest.mark.parametrize(
    ("models", "kind"),
    [(["claude-sonnet-4-6"], AnthropicProvider), ([PLAIN, PROFILE], BedrockProvider)],
)
def test_only_the_clients_that_are_needed_are_built(
    models: list[str], kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_REGION")
    if kind is BedrockProvider:
        monkeypatch.setenv("AWS_REGION", "us-east-1")
    else:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test")
    assert isinstance(open_provider(models), kind)


async def test_a_run_can_mix_platforms(sandbox: Recorded) -> None:
    models = ["claude-sonnet-4-6", PLAIN, PROFILE]
    async with opened(*models, base_url=sandbox.url) as provider:
        preflight = await provider.preflight(models)
        replies = [await provider.attempt(asking(model)) for model in models]
        free = provider.bills_nothing(preflight)
    assert [reply.served_model for reply in replies] == ["claude-sonnet-4-6", "claude-opus-5-5", "claude-opus-4-6"]
    assert (set(preflight.facts), preflight.simulated, free) == ({"claude-sonnet-4-6"}, True, True)
    assert preflight.endpoint == "http://127.0.0.1 + http://127.0.0.1/anthropic"


async def test_a_run_is_never_half_simulated(sandbox: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ANTHROPIC_URL)
    monkeypatch.delenv(AWS_URL)
    async with opened("claude-sonnet-4-6", PLAIN, base_url=sandbox.url) as provider:
        with pytest.raises(UsageError, match=r"is simulated and .* is not"):
            await provider.preflight(["claude-sonnet-4-6", PLAIN])


def test_a_run_on_bedrock_is_answered_and_priced(
    sandbox: Recorded, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = str(root / "datasets/ticket-routing.jsonl")
    models = ["-m", PLAIN, "-m", HAIKU]
    assert main(["run", dataset, "-n", "3", "--runs", str(tmp_path), "--yes", *models]) == 0
    assert "complete" in capsys.readouterr().out
    asked = {request.path for request in sandbox.requests if request.path.endswith(("/v1/messages", "-stream"))}
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("model", "settings", "why"),
    [
        (PLAIN, {"thinking": {"type": "disabled"}}, "'thinking' of type 'disabled' (it takes adaptive)"),
        (HAIKU, {"thinking": {"type": "adaptive"}}, "'thinking' of type 'adaptive' (it takes disabled, enabled)"),
        (HAIKU, {"output_config": {"effort": "low"}}, "it has no effort setting"),
        (HAIKU, {"max_tokens": 100_000}, "'max_tokens' 100,000 is over what it can write (64,000)"),
        (ARN, {"output_config": {"effort": "xhigh"}}, "it takes low, medium, high, max"),
    ],
)
def test_a_setting_that_a_model_on_bedrock_rejects_is_said_before_anything_is_sent(
    model: str, settings: dict[str, Any], why: str, sandbox: Recorded, root: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    made = tmp_path / "asked.jsonl"
    made.write_text(json.dumps({"id": "one", "input": "Hello", "params": settings}) + "\n")
    rubric = str(root / "rubrics/support-replies.yaml")
    assert main(["run", str(made), "--rubric", rubric, "--runs", str(tmp_path), "--yes", "-m", model]) == 2
    told = capsys.readouterr().err
    assert f"model {model!r} rejects this request: " in told
    assert why in told
    assert not [request for request in sandbox.requests if request.method == "POST"]


def test_a_size_over_the_window_of_a_model_on_bedrock_is_skipped(
    sandbox: Recorded, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset, sizes = str(root / "datasets/support-replies.jsonl"), "2k,250k"
    options = ["-n", "2", "--context", sizes, "--runs", str(tmp_path), "--dry-run", "-m", PROFILE, "-m", HAIKU]
    assert main(["run", dataset, *options]) == 0
    told = capsys.readouterr()
    assert f"tokens of context and answer do not fit {HAIKU!r} (200,000)" in told.err + told.out
    assert len(sandbox.requests) > 0


# --- what a user is told of it --------------------------------------------------------------------------------

LEGACY = "Access denied. This Model is marked by provider as Legacy and you have not used it in the last 30 days."
STOPS = [
    (404, "resourceNotFoundException", LEGACY, f"is refused by this server ({LEGACY}); correct -m"),
    (
        400,
        "validationException",
        "The model is invalid.",
        "is unknown to this server (The model is invalid.); correct -m",
    ),
    (403, "accessDeniedException", "No.", "have the credentials allowed to use the model"),
    (403, "expiredTokenException", "The token is expired.", "renew the credentials"),
    (429, "throttlingException", "Too many tokens per day.", "wait until it is renewed"),
    (400, "serviceQuotaExceededException", "Over quota.", "have the account's quota raised"),
]


@pytest.mark.parametrize(("status", "kind", "message", "told"), STOPS)
def test_what_stops_a_run_says_what_to_do(status: int, kind: str, message: str, told: str) -> None:
    reply = Reply("errored", 1.0, status=status, error_type=kind, error_message=message, stops_run=True)
    with pytest.raises(EvalkitError, match=re.escape(told)):
        raise_if_stopped(Ending(fatal=reply, fatal_model=PROFILE), Budget(None), "run")
