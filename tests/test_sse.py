"""Events of a stream and bytes of a request: the same as by the SDK's own decoder and encoder."""

import asyncio
import base64
import gc
import itertools
import json
import weakref
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from anthropic import AsyncStream
from hypothesis import given
from hypothesis import strategies as st

from evalkit.base64_text import base64_of
from evalkit.dataset import Attachment
from evalkit.providers import encoding
from evalkit.providers.encoding import encoded
from evalkit.providers.sse import sse

STREAM = (
    'event: message_start\ndata: {"a": 1}\n\n: a comment\n\nevent: ping\ndata: {}\n\n\n'
    "event: content_block_delta\nid: 7\nretry: 3\ndata: first\ndata:second\ndata\nother: x\n\n"
    "data: Größe 🙂\n\nevent: error\n\nevent: cut\ndata: no blank line"
).encode()
ENDS = (b"\n", b"\r\n", b"\r")


async def _pieces(data: bytes, cuts: list[int]) -> AsyncIterator[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(places):
        yield data[start:end]


async def _read(decode: object, data: bytes, cuts: list[int]) -> list[tuple[str | None, str]]:
    response = httpx2.Response(200, content=_pieces(data, cuts))
    return [(event.event, event.data) async for event in decode(response)]


@pytest.mark.parametrize("end", ENDS)
@given(cuts=st.lists(st.integers(0, 400), max_size=30))
def test_events_are_those_of_the_sdk_wherever_the_stream_is_cut(end: bytes, cuts: list[int]) -> None:
    data = STREAM.replace(b"\n", end)
    found = asyncio.run(_read(sse, data, cuts))
    assert found == asyncio.run(_read(AsyncStream.raw_events, data, []))
    assert [name for name, _ in found] == ["message_start", "ping", "content_block_delta", None, "error"]


@pytest.mark.parametrize("end", ENDS)
@given(cuts=st.lists(st.integers(0, 9), max_size=5))
def test_a_byte_order_mark_is_no_part_of_the_first_event(end: bytes, cuts: list[int]) -> None:
    data = b"\xef\xbb\xbf" + STREAM.replace(b"\n", end)
    assert asyncio.run(_read(sse, data, cuts)) == asyncio.run(_read(sse, data[3:], []))


@pytest.mark.parametrize("end", ENDS)
@given(cuts=st.lists(st.integers(0, 400), max_size=30))
def test_the_last_event_is_there_once_its_blank_line_is(end: bytes, cuts: list[int]) -> None:
    data = b"event: a\ndata: 1\n\nevent: b\ndata: 2\n\n".replace(b"\n", end)
    assert asyncio.run(_read(sse, data, cuts)) == [("a", "1"), ("b", "2")]


def test_the_work_for_an_event_grows_as_it_does() -> None:
    """Bytes that are looked at for each piece of one event: its own, not all that came before."""
    looked_at = 0

    class Piece(bytes):
        def __contains__(self, what: Any) -> bool:
            nonlocal looked_at
            looked_at += len(self)
            return super().__contains__(what)

    async def pieces() -> AsyncIterator[bytes]:
        yield b"data: "
        for _ in range(1000):
            yield Piece(b"x" * 1000)
        yield b"\n\n"

    async def read() -> list[str]:
        return [event.data async for event in sse(httpx2.Response(200, content=pieces()))]

    assert asyncio.run(read()) == ["x" * 1_000_000]
    assert 0 < looked_at <= 2 * 1_000_000


@given(
    texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=4),
    times=st.sampled_from([1, 3_000]),
)
def test_a_request_is_the_json_of_its_parts_however_long_its_texts_are(texts: list[str], times: int) -> None:
    blocks = [{"type": "text", "text": texts[0] * times}]
    messages = [{"role": "user", "content": text * times} for text in texts] + [{"role": "user", "content": blocks}]
    body = {"model": 'm"', "max_tokens": 3, "messages": messages, "stop_sequences": texts, "system": texts[0] * times}
    data = encoded(body)
    assert json.loads(data) == body
    assert data == json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def pdf(data: bytes) -> Attachment:
    return Attachment("a.pdf", "application/pdf", "", data)


@pytest.mark.parametrize("more", [{}, {"cache_control": {"type": "ephemeral"}, "title": 'A "title"'}])
def test_an_attachment_goes_into_a_request_as_it_is(more: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON of 20 MB takes 0.3 s, for which the whole process would stand still."""
    data = base64_of(pdf(bytes(range(256)) * 40))
    source = {"type": "base64", "media_type": "application/pdf", "data": data}
    block = {"type": "document", "source": source, **more}
    pages = {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "Page"}]}}
    content = [block, pages, {"type": "text", "text": "What is it?"}, block]
    messages = [{"role": "user", "content": content}, {"role": "assistant", "content": "A table"}]
    body = {"model": "m", "messages": messages, "stream": True}
    whole, written = json.dumps(body, separators=(",", ":")).encode(), list[int]()

    def dumps(value: Any, **options: Any) -> str:
        written.append(len(text := real(value, **options)))
        return text

    real = json.dumps
    monkeypatch.setattr(encoding.json, "dumps", dumps)
    assert encoded(body) == whole
    assert max(written) < 1000 < len(data)


def test_requests_with_the_same_attachment_have_one_text_of_it_between_them_and_none_stays() -> None:
    first = base64_of(pdf(b"%PDF one"))
    assert base64_of(pdf(b"%PDF one")) is first
    assert base64_of(pdf(b"%PDF two")) != first == base64.b64encode(b"%PDF one").decode()
    gone = weakref.ref(first)
    del first
    gc.collect()
    assert gone() is None
