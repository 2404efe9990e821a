"""What the server would bill: one line a request that got an answer, or the beginning of one."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.sandbox.wire import Envelope


@dataclass
class Tab:
    """What has been told of one request's usage so far; a stream that breaks is billed for what it had told."""

    request_id: str = ""
    output_tokens: int | None = None
    closed: bool = False


@dataclass
class Bills:
    """All bills of a server: in memory, and as JSON lines in a file if there is one."""

    path: Path | None = None
    lines: list[dict[str, Any]] = field(default_factory=list)

    def add(self, tab: Tab, model: str, envelope: Envelope) -> None:
        """Bill a request once; one that was told nothing is free."""
        if tab.closed or tab.output_tokens is None:
            return
        tab.closed = True
        usage = envelope.usage(tab.output_tokens, 0)
        line = {"request_id": tab.request_id, "model": model, "usage": usage}
        self.lines.append(line)
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
