"""What a sandbox server is told at its start."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from evalkit.errors import UsageError
from evalkit.frozen import dataclass

ABSENT_PARTS = frozenset({"models", "batches", "count_tokens", "rate_headers"})
"""Parts a server can be without: three groups of endpoints (then 404) and the rate-limit headers."""

RATE_NAMES = frozenset({"overloaded", "rate_limited", "server_error", "stream_error", "truncated", "dropped", "slow"})
"""Faults that can happen at a rate."""


@dataclass(frozen=True)
class SandboxSettings:
    """Seed of all draws, speed (1 = real time, 50 = fifty times faster, 0 or inf = no delays), faults, gaps.

    `fault_rates` gives the share (0-1) of replies whose first attempt fails, by the names of RATE_NAMES.
    `keys_dir` is a folder with further answer keys (*.jsonl), for items of one's own; `bills` a file that gets a line
    for each request that would be billed.
    Raises UsageError for a name or a number that means nothing.
    """

    seed: int = 1
    speed: float = 1.0
    fault_rates: Mapping[str, float] = field(default_factory=dict)
    without: frozenset[str] = frozenset()
    keys_dir: Path | None = None
    bills: Path | None = None

    def __post_init__(self) -> None:
        if math.isnan(self.speed) or self.speed < 0:
            raise UsageError(f"sandbox speed is {self.speed}; give 1 for real time, more for faster, 0 for no delays")
        _require_known("fault", set(self.fault_rates), RATE_NAMES)
        _require_known("part", set(self.without), ABSENT_PARTS)
        for name, rate in self.fault_rates.items():
            if not 0 <= rate <= 1:
                raise UsageError(f"sandbox fault rate {name} is {rate}; give a share from 0 to 1")

    def scaled_s(self, seconds: float) -> float:
        """Real seconds as seconds of this server's clock."""
        return 0.0 if self.speed == 0 or math.isinf(self.speed) else seconds / self.speed


def _require_known(kind: str, names: set[str], known: frozenset[str]) -> None:
    for name in sorted(names - known):
        raise UsageError(f"unknown sandbox {kind} {name!r}; choose from {', '.join(sorted(known))}")
