"""Claude model ids as code spells them, for any provider, and the one id that each of them means."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from evalkit.models import known

Kind = Literal["pin", "alias"]
Provider = Literal["anthropic", "bedrock", "vertex", "gateway"]

_TIERS = "opus|sonnet|haiku|instant|fable|mythos"
_ID = re.compile(
    rf"""
    (?<![A-Za-z0-9_-])claude-
    (?:
        (?:(?P<old>\d(?:[.-]\d)?)-)?(?P<tier>{_TIERS})
        (?:-v?(?P<new>\d{{1,2}}(?:[.-]\d{{1,2}}(?!\d))?))?
      | v?(?P<early>[12](?:[.]\d)?)
    )
    (?:[-@](?P<date>\d{{8}}|latest|default))?
    (?:-v\d+(?::\d+)?)?
    (?![A-Za-z0-9_-])
    """,
    re.VERBOSE,
)
_BEFORE = re.compile(r"[A-Za-z0-9_.:/-]{0,200}[./:]\Z")
"""What stands before an id that a provider or a gateway puts a name, a region or a path to."""
_FIRST_DATELESS_PIN = 4, 6
"""From this generation on, an id without a date never changes; before, it is an alias for the newest snapshot."""


@dataclass(frozen=True)
class Spelling:
    """One id in a text. `written`: as it stands there; `model`: Anthropic's own id for the same model.

    `column` counts characters from 1. `kind`: an alias may change under its user, a pin may not.
    """

    written: str
    model: str
    kind: Kind
    provider: Provider
    column: int


def spellings(line: str) -> Iterator[Spelling]:
    """All ids in a line, from left to right."""
    if "claude-" not in line:
        return
    for found in _ID.finditer(line):
        before = _BEFORE.search(line, max(0, found.start() - 201), found.start())
        prefix = before[0] if before else ""
        yield Spelling(prefix + found[0], *_meant(found), _provider(prefix, found[0]), found.start() - len(prefix) + 1)


def _meant(found: re.Match[str]) -> tuple[str, Kind]:
    old, tier, new, early, date = (found[name] for name in ("old", "tier", "new", "early", "date"))
    parts = [early] if early else [part.replace(".", "-") for part in (old, tier, new) if part]
    stem = "-".join(("claude", *parts))
    if date and date.isdigit():
        return f"{stem}-{date}", "pin"
    facts = known(stem)
    if date or (facts is not None and not facts.pinned):
        return stem, "alias"
    if facts is not None or early or (tier == "instant" and new):
        return stem, "pin"
    return stem, "pin" if new and _generation(new) >= _FIRST_DATELESS_PIN else "alias"


def _generation(version: str) -> tuple[int, int]:
    major, _, minor = version.replace(".", "-").partition("-")
    return int(major), int(minor or 0)


def _provider(prefix: str, name: str) -> Provider:
    if prefix.endswith("anthropic."):
        return "bedrock"
    if "@" in name or "publishers/" in prefix or prefix.startswith("vertex"):
        return "vertex"
    return "gateway" if prefix.rstrip("/:.") else "anthropic"
