"""A fast loopback server of the Messages API that scripts its answers and keeps the true times of every request."""

import argparse
import asyncio
import gc
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from time import monotonic_ns
from urllib.parse import urlsplit

from bench.script import STATUS_FAULTS, Script, chance, directed, parsed

MODELS = ("claude-opus-4-6", "claude-sonnet-4-6", "claude-haiku-4-5-20251001")
_MODEL = re.compile(rb'"model":\s*"([^"\\]*)"')
_STREAMED = re.compile(rb'"stream":\s*true')
_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:\s*chunked", re.IGNORECASE)
_YES = {"supported": True}


@dataclass
class Truth:
    """One request as the server saw it. Times are CLOCK_MONOTONIC ns, stamped just before each write.

    `t_rx` first byte in, `t_req` whole request in, `t_head` headers and message_start out, `t_first` and `t_last`
    first and last delta out, `t_end` the end of the answer out; None where that never happened.
    """

    request_id: str
    path: str
    t_rx: int
    t_req: int
    item: str = ""
    model: str = ""
    attempt: int = 0
    fault: str = ""
    status: int = 200
    input_tokens: int = 0
    deltas: int = 0
    t_head: int | None = None
    t_first: int | None = None
    t_last: int | None = None
    t_end: int | None = None


class Api:
    """What all connections share: the script in force, the log, and how often each trial was asked."""

    def __init__(self, script: Script, by_model: dict[str, str] | None = None) -> None:
        self.by_model = by_model or {}
        self.begin(script)
        self._count = 0

    def begin(self, script: Script) -> None:
        """Answer by another script from now on, with an empty log."""
        self.script = script
        self.log: list[Truth] = []
        self.ended = 0
        self._asked: dict[tuple[str, str], int] = defaultdict(int)

    def next_id(self) -> str:
        """A request id that no other request has."""
        self._count += 1
        return f"req_{self._count:010d}"

    def enter(self, truth: Truth, body: bytes) -> Script:
        """Log a request for an answer; returns the script that holds for it."""
        model = _MODEL.search(body)
        truth.model = model[1].decode() if model else ""
        script = self.script
        if truth.model in self.by_model:
            script = parsed(self.by_model[truth.model], script)
        script = directed(body, script)
        truth.item = script.item
        self._asked[truth.item, truth.model] += 1
        truth.attempt = self._asked[truth.item, truth.model]
        truth.fault = script.fault_of(truth.item, truth.model, truth.attempt)
        truth.input_tokens = max(1, len(body) // 4)
        return script


def sse(event: dict[str, object]) -> bytes:
    """One server-sent event, as its HTTP chunk."""
    return _chunk(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _delta(text: str) -> bytes:
    return sse({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})


def _of_its_own(script: Script, truth: Truth, body: bytes) -> tuple[Script, bytes]:
    """An answer that no other item or model has, without any name, which judges do not see; to a judge's request a
    level, mostly the best, in one piece."""
    if b'"json_schema"' not in body:
        return script, _delta(f"{truth.item} {chance(truth.model):.4f} ")
    level = 2 if chance(script.seed, body) < 0.7 else 1 if chance(script.seed, body) < 0.85 else 0
    grades = {script.criterion: {"reason": "as the reference says", "level": level}}
    return replace(script, tokens=1), _delta(json.dumps({"grades": grades}))


_START_BLOCK = sse({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
_DELTA_CHUNK = _delta("word ")
_STOP_BLOCK = sse({"type": "content_block_stop", "index": 0})
_STOP = sse({"type": "message_stop"})
_PING = sse({"type": "ping"})
_LAST_CHUNK = b"0\r\n\r\n"


def _usage(input_tokens: int, output_tokens: int) -> dict[str, object]:
    return {
        "input_tokens": input_tokens, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
        "output_tokens": output_tokens, "output_tokens_details": {"thinking_tokens": 0}, "server_tool_use": None,
    }  # fmt: skip


def message(truth: Truth, tokens: int, text: str | None) -> dict[str, object]:
    """A whole message, or the empty one that opens a stream (`text` None)."""
    content = [] if text is None else [{"type": "text", "text": text, "citations": None}]
    created = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}
    facts = {"service_tier": "standard", "inference_geo": "global", "speed": "standard", "cache_creation": created}
    return {
        "id": f"msg_{truth.request_id[4:]}", "type": "message", "role": "assistant", "model": truth.model,
        "content": content, "stop_reason": None if text is None else "end_turn", "stop_sequence": None,
        "stop_details": None, "container": None, "diagnostics": None,
        "usage": _usage(truth.input_tokens, tokens) | facts,
    }  # fmt: skip


@lru_cache(maxsize=2)
def _rate_limits(second: int) -> str:
    """The headers of an account that is far from its limits."""
    reset = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    kinds = {"requests": 100_000, "tokens": 1_000_000_000, "input-tokens": 900_000_000, "output-tokens": 100_000_000}
    lines = [
        f"anthropic-ratelimit-{kind}-{what}: {value}\r\n"
        for kind, most in kinds.items()
        for what, value in (("limit", most), ("remaining", most), ("reset", reset))
    ]
    return "".join(lines)


def _head(status: int, request_id: str, kind: str, extra: str) -> bytes:
    now = datetime.now(UTC)
    return (
        f"HTTP/1.1 {status} -\r\ndate: {now:%a, %d %b %Y %H:%M:%S GMT}\r\ncontent-type: {kind}\r\n"
        f"request-id: {request_id}\r\nanthropic-organization-id: mock\r\n{_rate_limits(int(now.timestamp()))}"
        f"{extra}\r\n"
    ).encode()


def model_info(name: str) -> dict[str, object]:
    """A model as GET /v1/models describes it; every capability is there."""
    efforts = dict.fromkeys(("low", "medium", "high", "xhigh", "max"), _YES)
    kinds = dict.fromkeys(("adaptive", "enabled", "disabled", "between_tools"), _YES)
    plain = ("batch", "citations", "code_execution", "image_input", "pdf_input", "structured_outputs")
    tools = {"web_search": _YES, "code_execution": _YES}
    return {
        "type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": "active", "deprecated_at": None, "retires_at": None, "line": None,
        "max_input_tokens": 1_000_000, "max_tokens": 128_000,
        "capabilities": {
            **dict.fromkeys(plain, _YES), "context_management": _YES, "effort": _YES | efforts,
            "server_tools": _YES | tools, "thinking": _YES | {"types": kinds},
        },
    }  # fmt: skip


class _Answer:
    """One streamed answer on its way out: a chain of timers, so that any number may be under way at once."""

    def __init__(
        self, transport: asyncio.Transport, api: Api, truth: Truth, script: Script, delta: bytes = _DELTA_CHUNK
    ) -> None:
        self.transport, self.api, self.truth, self.script, self.delta = transport, api, truth, script, delta
        self.timer: asyncio.TimerHandle | None = None
        self.breaks = False
        self._began = truth.t_rx / 1e9  # the loop's clock is the same one, in seconds
        self._steps = self._plan()

    def run(self) -> None:
        """Write what is due, and wait for the rest; answers without delays leave in one piece."""
        out: list[bytes] = []
        for due_ms, step in self._steps:
            at = self._began + due_ms / 1000
            if at > asyncio.get_running_loop().time() + 0.0001:
                self._write(out)
                self.timer = asyncio.get_running_loop().call_at(at, self._resume, step)
                return
            out.append(step())
        self._write(out)

    def _resume(self, step: Callable[[], bytes]) -> None:
        self._write([step()])
        if not self.transport.is_closing():
            self.run()

    def _write(self, parts: list[bytes]) -> None:
        data = b"".join(parts)
        if data and not self.transport.is_closing():
            self.transport.write(data)
        if self.breaks:
            self.transport.close()  # not abort(): a reset would take back what the client has not read yet

    def _plan(self) -> Iterator[tuple[float, Callable[[], bytes]]]:
        truth = self.truth
        offsets = self.script.offsets_ms(truth.item, truth.model, truth.attempt)
        broken = truth.fault if truth.fault in ("drop", "sse_error", "cut", "stall") else ""
        whole = len(offsets) // 2 if broken else len(offsets)
        yield offsets[0] / 2, self._opening
        for number, due_ms in enumerate(offsets[:whole]):
            ends = number == len(offsets) - 1
            yield due_ms, self._first if not number else self._ending if ends else self._delta
        if broken and broken != "stall":
            yield offsets[whole], {"drop": self._drop, "sse_error": self._error, "cut": self._cut}[broken]

    def _opening(self) -> bytes:
        self.truth.t_head = monotonic_ns()
        kind = "text/event-stream; charset=utf-8"
        head = _head(200, self.truth.request_id, kind, "cache-control: no-cache\r\ntransfer-encoding: chunked\r\n")
        return head + sse({"type": "message_start", "message": message(self.truth, 1, None)})

    def _first(self) -> bytes:
        self.truth.t_first = monotonic_ns()
        rest = self._ending() if self.script.tokens == 1 else self._delta()
        return _START_BLOCK + _PING + rest

    def _delta(self) -> bytes:
        self.truth.deltas += 1
        self.truth.t_last = monotonic_ns()
        return self.delta

    def _ending(self) -> bytes:
        last = self._delta()
        ended = {"stop_reason": "end_turn", "stop_sequence": None, "stop_details": None}
        usage = _usage(self.truth.input_tokens, self.script.tokens)
        tail = sse({"type": "message_delta", "delta": ended, "usage": usage})
        return last + _STOP_BLOCK + tail + _STOP + self._end()

    def _end(self) -> bytes:
        self.truth.t_end = self.truth.t_last
        self.api.ended += 1
        return _LAST_CHUNK

    def _error(self) -> bytes:
        told = {"type": "overloaded_error", "message": "Overloaded"}
        return sse({"type": "error", "error": told, "request_id": self.truth.request_id}) + _LAST_CHUNK

    def _cut(self) -> bytes:
        return _LAST_CHUNK

    def _drop(self) -> bytes:
        self.breaks = True
        return b""


class _Connection(asyncio.Protocol):
    """One keep-alive connection: a request, its answer, the next request."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.buffer = bytearray()
        self.body_at = self.until = self.t_rx = 0
        self.answer: _Answer | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self.answer is not None and self.answer.timer is not None:
            self.answer.timer.cancel()

    def data_received(self, data: bytes) -> None:
        if not self.buffer:
            self.t_rx = monotonic_ns()
        self.buffer += data
        if not self.body_at and not self._read_head():
            return
        if self.until < 0:
            if not self.buffer.endswith(_LAST_CHUNK):
                return
            body = _dechunked(bytes(self.buffer[self.body_at :]))
        elif len(self.buffer) < self.until:
            return
        else:
            body = bytes(self.buffer[self.body_at : self.until])
        method, path, _ = bytes(self.buffer[: self.buffer.find(b"\r\n")]).decode().split(" ", 2)
        self.buffer, self.body_at = bytearray(), 0
        self._take(method, urlsplit(path).path, body)

    def _read_head(self) -> bool:
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self.buffer[: end + 2])
        length = _LENGTH.search(head)
        self.body_at = end + 4
        self.until = -1 if _CHUNKED.search(head) else self.body_at + (int(length[1]) if length else 0)
        return True

    def _take(self, method: str, path: str, body: bytes) -> None:
        truth = Truth(self.api.next_id(), path, self.t_rx, monotonic_ns())
        if path.startswith("/mock/"):
            self._control(path, body)
        elif path == "/v1/messages" and method == "POST":
            self.api.log.append(truth)
            self._answer(truth, body)
        else:
            self.api.log.append(truth)
            self._other(truth, method, path, body)

    def _answer(self, truth: Truth, body: bytes) -> None:
        script = self.api.enter(truth, body)
        if truth.fault in STATUS_FAULTS:
            truth.status = int(truth.fault)
            wait = f"retry-after: {script.retry_after:g}\r\n" if truth.fault == "429" else ""
            self._fail(truth, STATUS_FAULTS[truth.fault], "Scripted fault", wait)
        elif _STREAMED.search(body):
            script, delta = _of_its_own(script, truth, body) if script.criterion else (script, _DELTA_CHUNK)
            self.answer = _Answer(self.transport, self.api, truth, script, delta)
            self.answer.run()
        else:
            due_ms = script.offsets_ms(truth.item, truth.model, truth.attempt)[-1]
            asyncio.get_running_loop().call_later(due_ms / 1000, self._whole, truth, script.tokens)

    def _whole(self, truth: Truth, tokens: int) -> None:
        truth.deltas = tokens
        truth.t_head = truth.t_first = truth.t_last = truth.t_end = monotonic_ns()
        self.api.ended += 1
        self._json(200, truth, message(truth, tokens, "word " * tokens))

    def _other(self, truth: Truth, method: str, path: str, body: bytes) -> None:
        parts = path.strip("/").split("/")
        if path == "/v1/messages/count_tokens" and method == "POST" and not self.api.script.lacking:
            self._json(200, truth, {"input_tokens": max(1, len(body) // 4)})
        elif parts[:2] == ["v1", "models"] and method == "GET" and not self.api.script.lacking:
            page = {"data": [model_info(name) for name in MODELS], "has_more": False}
            listed = page | {"first_id": MODELS[0], "last_id": MODELS[-1]}
            self._json(200, truth, listed if len(parts) == 2 else model_info(parts[2]))
        else:
            truth.status = 404
            self._fail(truth, "not_found_error", f"no such address: {path}", "")

    def _fail(self, truth: Truth, kind: str, told: str, extra: str) -> None:
        error = {"type": "error", "error": {"type": kind, "message": told}, "request_id": truth.request_id}
        truth.t_head = truth.t_end = monotonic_ns()
        self._json(truth.status, truth, error, extra)

    def _json(self, status: int, truth: Truth, content: object, extra: str = "") -> None:
        self._send(status, truth.request_id, json.dumps(content).encode(), "application/json", extra)

    def _send(self, status: int, request_id: str, body: bytes, kind: str, extra: str = "") -> None:
        if not self.transport.is_closing():
            self.transport.write(_head(status, request_id, kind, f"{extra}content-length: {len(body)}\r\n") + body)

    def _control(self, path: str, body: bytes) -> None:
        """What the rig asks: another script, the log, or how many answers have ended."""
        told = b""
        if path == "/mock/script":
            self.api.begin(parsed(body.decode()))
        elif path == "/mock/log":
            told = log_text(self.api).encode()
        elif path == "/mock/ended":
            told = str(self.api.ended).encode()
        self._send(200, self.api.next_id(), told, "text/plain")


def _dechunked(data: bytes) -> bytes:
    parts, at = [], 0
    while size := int(data[at : (line := data.index(b"\r\n", at))].split(b";")[0], 16):
        parts.append(data[line + 2 : line + 2 + size])
        at = line + 2 + size + 2
    return b"".join(parts)


def log_text(api: Api) -> str:
    """The log as JSON lines."""
    return "".join(json.dumps(asdict(truth)) + "\n" for truth in api.log)


async def serve(api: Api, port: int = 0) -> asyncio.Server:
    """Listen on loopback; port 0 takes any that is free."""
    return await asyncio.get_running_loop().create_server(lambda: _Connection(api), "127.0.0.1", port, backlog=1024)


async def _main(options: argparse.Namespace) -> None:
    by_model = dict(pair.split(":", 1) for pair in options.model)
    api = Api(parsed(options.script), by_model)
    server = await serve(api, options.port)
    print(server.sockets[0].getsockname()[1], flush=True)
    gc.collect()
    gc.disable()  # a collection would stop every stream at once; nothing here makes cycles that matter
    try:
        await server.serve_forever()
    finally:
        if options.log:
            options.log.write_text(log_text(api), encoding="utf-8")


def main() -> None:
    """Serve until interrupted; the port is the first line printed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--script", default="", help='e.g. "ttft=300 itl=10 tokens=50 429=0.1"')
    parser.add_argument(
        "--model", action="append", default=[], help='one model\'s own, e.g. "claude-opus-4-6:ttft=900"'
    )
    parser.add_argument("--log", type=Path, help="write the log here at the end")
    try:
        asyncio.run(_main(parser.parse_args()))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
