"""What the mock server does with a request: delays, length and faults, in a one-line language."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from hashlib import blake2b

STATUS_FAULTS = {"429": "rate_limit_error", "529": "overloaded_error", "500": "api_error"}
STREAM_FAULTS = ("drop", "sse_error", "cut", "stall")
"""After half of the deltas: a closed connection, an error event, a clean end too early, or silence for good."""

_DIRECTIVE = re.compile(rb"<<mock ([^<>]*)>>")


@dataclass(frozen=True)
class Script:
    """Delays in milliseconds: to the first delta, and between deltas. `jitter` is the share by which each may vary.

    `faults` are shares of requests by kind, `fault` one that always happens. `lacking`: the server has neither
    count_tokens nor a model list. `criterion`: answers differ by item and model, and a judge gives a level, 0 to 2, on
    it. `item` is the id that a directive in the prompt gives.
    """

    ttft: float = 0.0
    itl: float = 0.0
    tokens: int = 20
    jitter: float = 0.0
    seed: int = 1
    retry_after: float = 1.0
    fault: str = ""
    faults: Mapping[str, float] = field(default_factory=dict)
    lacking: bool = False
    criterion: str = ""
    item: str = ""

    def fault_of(self, item: str, model: str, attempt: int) -> str:
        """Which fault meets an attempt, empty for none: the same whatever the order of requests."""
        if self.fault or not self.faults:
            return self.fault
        left = chance(self.seed, item, model, attempt)
        for kind, share in self.faults.items():
            left -= share
            if left < 0:
                return kind
        return ""

    def offsets_ms(self, item: str, model: str, attempt: int) -> list[float]:
        """When each delta is due after the request came in."""
        due, offsets = 0.0, []
        for number in range(self.tokens):
            pause = self.itl if number else self.ttft
            if self.jitter:
                pause *= 1 + self.jitter * (2 * chance(self.seed, item, model, attempt, number) - 1)
            due += pause
            offsets.append(due)
        return offsets


def chance(*parts: object) -> float:
    """A number in [0, 1) that depends on its arguments alone."""
    digest = blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


_KINDS = {f.name: f.type for f in fields(Script) if f.name not in ("faults", "item")}


def parsed(text: str, start: Script | None = None) -> Script:
    """A script from `ttft=300 itl=10 tokens=50 429=0.1 drop=0.02`; ValueError for a word that is none of its words."""
    script, faults = start or Script(), dict(start.faults if start else {})
    for word in text.split():
        name, _, value = word.partition("=")
        if name == "id":
            script = replace(script, item=value)
        elif name in (*STATUS_FAULTS, *STREAM_FAULTS):
            faults[name] = float(value)
        elif name in _KINDS:
            convert = {float: float, int: int, str: str, bool: lambda word: word == "1"}[_KINDS[name]]
            script = replace(script, **{name: convert(value)})
        else:
            raise ValueError(f"{name!r} is not a word of the mock's scripts")
    return replace(script, faults=faults)


def directed(body: bytes, script: Script) -> Script:
    """The script as a directive in the prompt changes it."""
    found = _DIRECTIVE.search(body)
    return parsed(found[1].decode("ascii", "replace"), script) if found else script
