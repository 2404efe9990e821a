"""Faults on demand: by the header `evalkit-fault` of one request, or by rates in the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any, get_args

from evalkit.frozen import dataclass
from evalkit.sandbox.quality import Outcome
from evalkit.sandbox.seeds import uniform
from evalkit.sandbox.settings import SandboxSettings
from evalkit.sandbox.wire import ApiError

HEADER = "evalkit-fault"
"""Switches as `name=value`, separated by `;`, such as `status=529;retry-after=1;times=2`."""


@dataclass(frozen=True)
class Fault:
    """The switches; each is off by default. Counts are of text deltas, times are in seconds.

    `times`: for how many attempts at equal requests the fault holds (None: all of them).
    `status`, `error_type`, `error_code`, `retry_after`, `should_retry`: an error instead of a reply; with
    `error_after` the error comes as an event after so many deltas. `truncate_after`: the stream closes
    without its end. `drop_after`: the connection breaks after so many deltas, 0 before the headers.
    `slow_headers`, `slow_first`, `slow_tokens`: a delay before the headers, before the first delta, before
    every delta. `pings`: more ping events. `served_model`: the model the reply names. `outcome`: the quality
    of the reply. `batch_errored`, `batch_expired`: how many requests of a batch end so; `status` and
    `drop_after` refuse a batch, or break the connection once it has been taken in.
    """

    times: int | None = None
    status: int | None = None
    error_type: str | None = None
    error_code: str | None = None
    retry_after: str | None = None
    should_retry: str | None = None
    error_after: int | None = None
    truncate_after: int | None = None
    drop_after: int | None = None
    slow_headers: float = 0.0
    slow_first: float = 0.0
    slow_tokens: float = 0.0
    pings: int = 0
    served_model: str | None = None
    outcome: Outcome | None = None
    batch_errored: int = 0
    batch_expired: int = 0

    def error(self) -> ApiError:
        """The error this fault answers with; an overload unless it says otherwise."""
        headers = {"retry-after": self.retry_after, "x-should-retry": self.should_retry}
        status = self.status or 529
        told = {name: value for name, value in headers.items() if value is not None}
        return ApiError(status, f"Simulated fault with status {status}", self.error_type, self.error_code, told)


NO_FAULT = Fault()
AT_RATE = {
    "overloaded": Fault(status=529),
    "rate_limited": Fault(status=429, retry_after="1"),
    "server_error": Fault(status=500),
    "stream_error": Fault(error_after=2),
    "truncated": Fault(truncate_after=2),
    "dropped": Fault(drop_after=2),
    "slow": Fault(slow_first=20.0),
}
"""What the names in `SandboxSettings.fault_rates` stand for, in real time."""

_PARSERS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("times", "status", "error_after", "truncate_after", "drop_after", "pings"), int),
    **dict.fromkeys(("batch_errored", "batch_expired"), int),
    **dict.fromkeys(("slow_headers", "slow_first", "slow_tokens"), float),
}
_NAMES = frozenset(switch.name for switch in fields(Fault))


def parse_fault(header: str) -> Fault:
    """The switches of a header; 400 for one that does not exist or a value that cannot be read."""
    switches: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in header.split(";"))):
        written, _, value = part.partition("=")
        name = written.strip().replace("-", "_")
        if name not in _NAMES:
            raise ApiError(400, f"{HEADER}: unknown switch '{written.strip()}'")
        try:
            switches[name] = _PARSERS.get(name, str)(value.strip())
        except ValueError as error:
            raise ApiError(400, f"{HEADER}: cannot read '{part}'") from error
    if switches.get("outcome", get_args(Outcome)[0]) not in get_args(Outcome):
        raise ApiError(400, f"{HEADER}: outcome is one of {', '.join(get_args(Outcome))}")
    if not 400 <= switches.get("status", 400) <= 599:
        raise ApiError(400, f"{HEADER}: status is an error status, 400 to 599")
    return Fault(**switches)


def choose_fault(settings: SandboxSettings, headers: Mapping[str, str], key: str, attempt: int) -> Fault:
    """The fault of one attempt: the header's if there is one, else the one drawn for this reply's key.

    A drawn fault hits the first attempt only, so that a retry succeeds; its times follow the server's speed.
    """
    if HEADER in headers:
        fault = parse_fault(headers[HEADER])
        return NO_FAULT if fault.times is not None and attempt >= fault.times else fault
    if attempt > 0:
        return NO_FAULT
    for name, rate in sorted(settings.fault_rates.items()):
        if uniform("fault", name, key) < rate:
            return _scaled(AT_RATE[name], settings)
    return NO_FAULT


def _scaled(fault: Fault, settings: SandboxSettings) -> Fault:
    wait = fault.retry_after and f"{settings.scaled_s(float(fault.retry_after)):.3g}"
    return replace(fault, slow_first=settings.scaled_s(fault.slow_first), retry_after=wait)
