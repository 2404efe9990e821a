"""The control for latency: a hand-written client, as near to the socket as Python gets. Arguments as naive.py."""

import asyncio
import gc
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

RAMP_S = 0.004
_ENDED, _DELTA = b"event: message_stop", b'"text_delta"'


class _Client(asyncio.Protocol):
    """One connection; one answer at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def ask(self, request: bytes) -> "asyncio.Future[dict[str, object]]":
        """Send a request; the future holds what was measured."""
        self.done = asyncio.get_running_loop().create_future()
        self.seen, self.ttft, self.began = bytearray(), None, perf_counter()
        self.transport.write(request)
        return self.done

    def data_received(self, data: bytes) -> None:
        now = perf_counter()
        self.seen += data
        if self.ttft is None and _DELTA in data:
            self.ttft = now - self.began
        if _ENDED in data:
            request_id = bytes(self.seen).split(b"request-id: ", 1)[1].split(b"\r\n", 1)[0].decode()
            self.done.set_result({"request_id": request_id, "ttft_s": self.ttft, "latency_s": now - self.began})


def _request(item: dict[str, str], model: str) -> bytes:
    turns = [{"role": "user", "content": item["input"]}]
    body = json.dumps({"model": model, "max_tokens": 1024, "stream": True, "messages": turns}).encode()
    return b"POST /v1/messages HTTP/1.1\r\nhost: mock\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


async def main(dataset: str, base_url: str, in_flight: str, output: str, *models: str) -> None:
    """Send every item to every model by a pool of workers that start one after another."""
    items = [json.loads(line) for line in Path(dataset).read_text().splitlines()]
    calls: Iterator[bytes] = (_request(item, model) for item in items for model in models)
    rows: list[dict[str, object]] = []

    async def work(number: int) -> None:
        await asyncio.sleep(RAMP_S * number)
        port = int(base_url.rpartition(":")[2])
        _, client = await asyncio.get_running_loop().create_connection(_Client, "127.0.0.1", port)
        for request in calls:
            rows.append(await client.ask(request))

    gc.freeze()
    await asyncio.gather(*(work(number) for number in range(int(in_flight))))
    Path(output).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


asyncio.run(main(*sys.argv[1:]))
