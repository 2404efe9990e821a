"""Message batches: accepted at once, answered after a short simulated time, results in any order."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from evalkit.sandbox import wire
from evalkit.sandbox.exchange import Sandbox
from evalkit.sandbox.faults import HEADER, NO_FAULT, Fault, parse_fault
from evalkit.sandbox.seeds import digest, uniform
from evalkit.sandbox.wire import ApiError, Json

PROCESSING_S = 20.0
"""How long a batch takes in real time."""

MOST_REQUESTS = 100_000
_CUSTOM_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_RESULT_TYPES = ("succeeded", "errored", "canceled", "expired")


@dataclass
class Batch:
    """A batch and how far it is; `results` by custom id are complete once it has ended."""

    id: str
    requests: Mapping[str, Any]
    version: str
    fault: Fault
    created_at: datetime
    ended_at: datetime | None = None
    cancel_initiated_at: datetime | None = None
    results: dict[str, Json] = field(default_factory=dict)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    def describe(self, base_url: str) -> Json:
        """The batch as the API shows it; `base_url` ends with a slash."""
        status = "ended" if self.ended_at else "canceling" if self.cancel_initiated_at else "in_progress"
        counts = dict.fromkeys(_RESULT_TYPES, 0) | {"processing": 0 if self.ended_at else len(self.requests)}
        for result in self.results.values() if self.ended_at else ():
            counts[result["type"]] += 1
        return {
            "id": self.id, "type": "message_batch", "processing_status": status, "request_counts": counts,
            "created_at": _rfc3339(self.created_at), "archived_at": None,
            "expires_at": _rfc3339(self.created_at + timedelta(days=1)), "ended_at": _rfc3339(self.ended_at),
            "cancel_initiated_at": _rfc3339(self.cancel_initiated_at),
            "results_url": f"{base_url}v1/messages/batches/{self.id}/results" if self.ended_at else None,
        }  # fmt: skip


class BatchDesk:
    """Takes batches in and works them off in the background."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._batches: dict[str, Batch] = {}
        self._workers: set[asyncio.Task[None]] = set()

    def create(self, body: Mapping[str, Any], version: str, headers: Mapping[str, str]) -> Batch:
        """A new batch; 400 if the body is not a list of requests with unique ids."""
        requests = _read_requests(body)
        fault = parse_fault(headers[HEADER]) if HEADER in headers else NO_FAULT
        batch_id = f"msgbatch_01{digest(self._sandbox.settings.seed, len(self._batches), *requests)[:22]}"
        batch = self._batches[batch_id] = Batch(batch_id, requests, version, fault, datetime.now(UTC))
        worker = asyncio.create_task(self._process(batch))
        self._workers.add(worker)
        worker.add_done_callback(self._workers.discard)
        return batch

    def newest_first(self) -> list[Batch]:
        """All batches."""
        return list(reversed(self._batches.values()))

    def find(self, batch_id: str) -> Batch:
        """The batch with this id; 404 if there is none."""
        if batch_id not in self._batches:
            raise ApiError(404, f"Batch {batch_id} not found.")
        return self._batches[batch_id]

    def cancel(self, batch_id: str) -> Batch:
        """Asks a batch to stop; what is not answered yet ends as canceled."""
        batch = self.find(batch_id)
        if batch.ended_at is None and batch.cancel_initiated_at is None:
            batch.cancel_initiated_at = datetime.now(UTC)
            batch.cancelled.set()
        return batch

    def delete(self, batch_id: str) -> Json:
        """Forgets a batch that has ended; 400 for one that has not."""
        if self.find(batch_id).ended_at is None:
            raise ApiError(400, f"Batch {batch_id} cannot be deleted while it is in progress.")
        del self._batches[batch_id]
        return {"id": batch_id, "type": "message_batch_deleted"}

    def results(self, batch_id: str) -> list[Json]:
        """One line for each request, in an order of the server's own; 404 before the batch has ended."""
        batch = self.find(batch_id)
        if batch.ended_at is None:
            raise ApiError(404, f"Batch {batch_id} has no results yet.")
        order = sorted(batch.results, key=lambda custom_id: uniform(batch.id, custom_id))
        return [{"custom_id": custom_id, "result": batch.results[custom_id]} for custom_id in order]

    async def _process(self, batch: Batch) -> None:
        with contextlib.suppress(TimeoutError):  # the usual case: nobody cancels the batch while it waits
            async with asyncio.timeout(self._sandbox.settings.scaled_s(PROCESSING_S)):
                await batch.cancelled.wait()
        for place, (custom_id, params) in enumerate(batch.requests.items()):
            batch.results[custom_id] = self._result(batch, place, params)
            await asyncio.sleep(0)  # between two replies, other requests get their turn
        batch.ended_at = datetime.now(UTC)

    def _result(self, batch: Batch, place: int, params: Any) -> Json:
        if batch.cancelled.is_set():
            return {"type": "canceled"}
        if place < batch.fault.batch_expired:
            return {"type": "expired"}
        try:
            must_fail = place < batch.fault.batch_expired + batch.fault.batch_errored
            return {"type": "succeeded", "message": self._answer(params, batch.version, must_fail)}
        except ApiError as error:
            return {"type": "errored", "error": error.body(f"req_{digest(batch.id, place)[:24]}")}

    def _answer(self, params: Any, version: str, must_fail: bool) -> Json:
        if must_fail:
            raise ApiError(500, "Simulated fault in a batch")
        if not isinstance(params, dict) or params.get("stream"):
            raise ApiError(400, "params: Input should be a request without stream")
        exchange = self._sandbox.open(self._sandbox.read(params, version), {}, in_batch=True)
        exchange.turn.succeeded = True
        exchange.tab.output_tokens = exchange.reply.output_tokens
        self._sandbox.close(exchange)
        return wire.message(exchange.envelope, exchange.reply)


def _read_requests(body: Mapping[str, Any]) -> dict[str, Any]:
    rows = body.get("requests")
    if not isinstance(rows, list) or not 1 <= len(rows) <= MOST_REQUESTS:
        raise ApiError(400, f"requests: Input should be a list of 1 to {MOST_REQUESTS} requests")
    requests: dict[str, Any] = {}
    for index, row in enumerate(rows):
        custom_id = row.get("custom_id") if isinstance(row, dict) else None
        if not isinstance(custom_id, str) or not _CUSTOM_ID.fullmatch(custom_id):
            raise ApiError(400, f"requests.{index}.custom_id: 1 to 64 of the characters A-Z a-z 0-9 _ -")
        if custom_id in requests:
            raise ApiError(400, f"requests.{index}.custom_id: {custom_id} is used twice")
        requests[custom_id] = row.get("params")
    return requests


def _rfc3339(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment else None
