"""The rate-limit headers: one budget a minute for each family of models, told and never enforced."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

LIMITS = {"requests": 40_000, "tokens": 24_000_000, "input-tokens": 20_000_000, "output-tokens": 4_000_000}
"""Budget a minute of each family: a large account's, so that nobody who tries things out waits for it."""

WINDOW_S = 60.0

NO_DELAYS = 1000.0
"""How much faster a server without delays counts as."""


@dataclass
class _Window:
    started: float
    used: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LIMITS, 0))


class RateMeter:
    """What each family has used in its current minute."""

    def __init__(self, clock: Callable[[], float] = time.time, speed: float = 1.0) -> None:
        """`speed`: how many times faster than real time the server is; its limits are as much higher."""
        self._clock = clock
        self._limits = {name: round(limit * min(speed or NO_DELAYS, NO_DELAYS)) for name, limit in LIMITS.items()}
        self._windows: dict[str, _Window] = {}

    def charge(self, family: str, input_tokens: int, max_tokens: int) -> None:
        """Counts a request when it starts; output is judged by its limit."""
        used = self._window(family).used
        used["requests"] += 1
        used["tokens"] += input_tokens + max_tokens
        used["input-tokens"] += input_tokens
        used["output-tokens"] += max_tokens

    def headers(self, family: str) -> dict[str, str]:
        """The twelve headers as they stand now."""
        window = self._window(family)
        reset = datetime.fromtimestamp(window.started + WINDOW_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        told: dict[str, str] = {}
        for name, limit in self._limits.items():
            prefix = f"anthropic-ratelimit-{name}"
            told[f"{prefix}-limit"] = str(limit)
            told[f"{prefix}-remaining"] = str(max(0, limit - window.used[name]))
            told[f"{prefix}-reset"] = reset
        return told

    def _window(self, family: str) -> _Window:
        now = self._clock()
        window = self._windows.get(family)
        if window is None or now - window.started >= WINDOW_S:
            window = self._windows[family] = _Window(now)
        return window
