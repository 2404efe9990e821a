"""A server that answers something else than the Messages API does stops the run before it has spoilt it."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers import STREAM_HEAD, Recorded, Seen, event, in_thread, read_request, recorded, whole
from test_run import write_tiny

from evalkit.cli import main
from evalkit.errors import ExitCode

HAIKU = "claude-haiku-4-5-20251001"
ITEMS = 12


@contextlib.contextmanager
def serving(response: bytes, *, everywhere: bool = False) -> Iterator[Recorded]:
    """A server that gives the same answer to every message request, or to all; else it has nothing."""
    record = Recorded("")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            request = await read_request(reader)
            if request is not None:
                record.requests.append(Seen(request[0], request[1], {}, request[2]))
                writer.write(response if everywhere or request[1] == "/v1/messages" else whole(404, b"{}"))
                await writer.drain()
        writer.close()

    with in_thread(answer, record):
        yield record


PAGE = b"<!doctype html><title>Sign in</title>"
RUBBISH = {
    "bytes": (STREAM_HEAD + b"\xff\xfe\x00\x01\n\n", "unreadable_answer", 3),
    "bytes as data": (STREAM_HEAD + b"event: message_start\ndata: \xff\xfe\x00\x01\n\n", "unreadable_answer", 3),
    "message that is a number": (STREAM_HEAD + event("message_start", message=5), "unreadable_answer", 3),
    "broken JSON": (STREAM_HEAD + b'event: message_start\ndata: {"type": "mess\n\n', "unreadable_answer", 3),
    "data that is a list": (STREAM_HEAD + b"event: message_start\ndata: [1, 2]\n\n", "unreadable_answer", 3),
    "web page": (whole(200, PAGE, content_type="text/html; charset=utf-8"), "not an event stream", 1),
    "JSON": (whole(200, b'{"ok": true}', content_type="application/json"), "not an event stream", 1),
    "nothing": (whole(200, b""), "not an event stream", 1),
    "nothing, as a stream": (STREAM_HEAD, "stream_cut", 18),
    "redirect": (whole(302, b"", location="https://sso.example.com/in"), "'https://sso.example.com/in'", 1),
    "permanent redirect": (whole(308, b"", location="/v2/messages"), "'/v2/messages'", 1),
}
"""What is sent, what the user reads of it, and after how many requests, one at a time, the run gives up."""


@pytest.mark.parametrize("name", RUBBISH)
def test_a_server_of_another_kind_settles_nothing_and_stops_the_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("random.uniform", lambda *_: 0.0)
    response, said, requests = RUBBISH[name]
    command = ["run", str(write_tiny(tmp_path, ITEMS)), "-q", "-j", "1", "-m", HAIKU, "-o", "x.db", "--base-url"]
    with serving(response) as server:
        code = main([*command, server.url])
        told = capsys.readouterr().err
        assert code == ExitCode.PROVIDER, told
        assert said in told
        assert len(server.messages()) == requests
    assert main(["report", "x.db", "-q", "-o", "r.json", "-o", "r.md"]) == 0
    assert "$0.00" not in Path("r.md").read_text()


def test_one_error_in_the_body_of_a_success_is_tried_again_and_ends_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("random.uniform", lambda *_: 0.0)
    left = [b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}']

    def spoil(method: str, path: str) -> Callable[[bytes], tuple[str, bytes]] | None:
        if (method, path) != ("POST", "/v1/messages") or not left:
            return None
        body = left.pop()
        return lambda _: ("application/json", body)

    with recorded(spoil=spoil) as server:
        command = ["run", str(write_tiny(tmp_path, ITEMS)), "-q", "-j", "1", "-m", HAIKU, "--base-url", server.url]
        assert main(command) == 0
    assert len(server.messages()) == ITEMS + 1


def test_a_redirect_is_told_before_anything_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    redirect = whole(301, b"", location="https://api.example.com/v1/models")
    with serving(redirect, everywhere=True) as server:
        assert main(["run", str(write_tiny(tmp_path, 1)), "-q", "--base-url", server.url]) == ExitCode.PROVIDER
        assert len(server.requests) == 1
    assert "sends requests on to 'https://api.example.com/v1/models'; correct --base-url" in capsys.readouterr().err
