"""One request and what is sent back for it: the server's memory, and all that precedes the first byte."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from evalkit.frozen import dataclass
from evalkit.sandbox.author import write_reply
from evalkit.sandbox.bills import Bills, Tab
from evalkit.sandbox.caching import PromptCache
from evalkit.sandbox.faults import Fault, choose_fault
from evalkit.sandbox.latency import Pace, draw_pace
from evalkit.sandbox.ratelimits import RateMeter
from evalkit.sandbox.repeats import Repeats, Turn
from evalkit.sandbox.reply import Reply
from evalkit.sandbox.request import MessageRequest, read_request
from evalkit.sandbox.seeds import Draws, digest
from evalkit.sandbox.settings import SandboxSettings
from evalkit.sandbox.validation import check_body, check_window
from evalkit.sandbox.wire import Envelope


@dataclass(frozen=True)
class Exchange:
    """A reply with its frame, its pace, and the fault that befalls it."""

    request: MessageRequest
    turn: Turn
    fault: Fault
    reply: Reply
    envelope: Envelope
    pace: Pace
    tab: Tab = field(default_factory=Tab)


class Sandbox:
    """What a server remembers while it runs: repeats, cached prompts, rate-limit windows."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.settings = settings
        self.meter = RateMeter(speed=settings.speed)
        self.bills = Bills(settings.bills)
        self._repeats = Repeats()
        self._cache = PromptCache()

    def read(self, body: Mapping[str, Any], version: str) -> MessageRequest:
        """The request in a body; ApiError if the API would turn it down."""
        request = read_request(body, check_body(body, version))
        check_window(request)
        return request

    def open(self, request: MessageRequest, headers: Mapping[str, str], *, in_batch: bool = False) -> Exchange:
        """Takes a turn and prepares the reply; to be closed. Raises ApiError for a fault with a status."""
        turn = self._repeats.begin(request.spec.id, request.content_sha256)
        try:
            return self._prepare(request, turn, headers, in_batch)
        except BaseException:
            self._repeats.end(turn)
            raise

    def close(self, exchange: Exchange) -> None:
        """Ends the turn and bills it: if it succeeded, the next equal request gets another reply."""
        self._repeats.end(exchange.turn)
        self.bills.add(exchange.tab, exchange.request.spec.id, exchange.envelope)

    def _prepare(self, request: MessageRequest, turn: Turn, headers: Mapping[str, str], in_batch: bool) -> Exchange:
        key = digest(self.settings.seed, request.spec.id, request.content_sha256, turn.number)
        fault = choose_fault(self.settings, headers, key, turn.attempt)
        if fault.status is not None and fault.error_after is None:
            raise fault.error()
        draws = Draws(key)
        self.meter.charge(request.spec.tier, request.input_tokens, request.max_tokens)
        used = self._cache.use(request)
        geo, speed = request.body.get("inference_geo"), request.body.get("speed")
        envelope = Envelope(
            f"msg_01{key[:22]}", fault.served_model or request.spec.id, used.uncached, used.read,
            used.write_5m, used.write_1h, "batch" if in_batch else "standard",
            geo or "global", speed or "standard",
        )  # fmt: skip
        reply = write_reply(self.settings, request, draws, fault.outcome)
        pace = draw_pace(self.settings, request.spec, request.plain_tokens, draws)
        return Exchange(request, turn, fault, reply, envelope, pace)
