"""What response headers say: who answered, how much may still be asked, and when to come again."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from evalkit.records import Allowance

if TYPE_CHECKING:
    import httpx2

Headers = Mapping[str, str]
"""Names in lower case."""

SIMULATED = "evalkit-simulated"
_LIMITS = ("requests", "tokens", "input-tokens", "output-tokens")


def read_headers(response: "httpx2.Response") -> Headers:
    """All headers in one pass: looking each up in the client's own type costs more than reading the answer."""
    pairs: Iterable[tuple[bytes, bytes]] = response.headers.raw
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in pairs}


def request_id(headers: Headers) -> str | None:
    """The server's name for a request: Anthropic's or AWS's."""
    return headers.get("request-id") or headers.get("x-amzn-requestid")


def allowances(headers: Headers) -> dict[str, Allowance]:
    """The rate limits a response tells, by what they limit; those it does not tell are absent."""
    told: dict[str, Allowance] = {}
    for name in _LIMITS:
        limit, remaining, reset = (
            headers.get(f"anthropic-ratelimit-{name}-{part}") for part in ("limit", "remaining", "reset")
        )
        if limit is None and remaining is None:
            continue
        allowance = Allowance(_count(limit), _count(remaining), _seconds_until(reset))
        if allowance.limit is not None or allowance.remaining is not None:
            told[name.replace("-", "_")] = allowance
    return told


def retry_after_s(headers: Headers) -> float | None:
    """The wait a server asks for; nonsense and moments that have passed are left to our own back-off."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            wait_s = float(headers[name]) * scale
        except (KeyError, ValueError):
            continue
        if 0 <= wait_s < float("inf"):
            return wait_s
    try:
        when = parsedate_to_datetime(headers["retry-after"])
    except (KeyError, ValueError, OverflowError):
        return None
    wait_s = (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return wait_s if wait_s > 0 else None


def should_retry(headers: Headers) -> bool | None:
    """What the server itself says of trying again; None if nothing."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", ""))


def _count(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 19 else None


def _seconds_until(moment: str | None) -> float | None:
    """From an RFC 3339 moment; one that has passed is now."""
    try:
        when = datetime.fromisoformat(moment or "")
        return max(0.0, (when - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):  # TypeError: a moment without a time zone
        return None
