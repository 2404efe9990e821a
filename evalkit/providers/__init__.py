"""Providers: one attempt in, one reply out."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Protocol

from evalkit.frozen import dataclass
from evalkit.records import ModelFacts, Reply, Request


@dataclass(frozen=True)
class Preflight:
    """What a server said before any money was spent. `problems`: a line for the user by model that it does not serve.

    `facts` by model id; a model of which the server says nothing is absent.
    """

    endpoint: str
    simulated: bool
    problems: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, ModelFacts] = field(default_factory=dict)


class Sends(Protocol):
    """What makes attempts: each exactly one request, and never an error for what a server does."""

    async def attempt(self, request: Request) -> Reply:
        """Send one request, once, and say how it ended."""
        ...


class Provider(Sends, Protocol):
    """A way to reach models."""

    async def count_tokens(self, request: Request) -> int | None:
        """Input tokens of a request as the server counts them; None where it cannot."""
        ...

    async def preflight(self, models: Sequence[str]) -> Preflight:
        """Check credentials and model ids without spending anything."""
        ...

    def bills_nothing(self, server: Preflight) -> bool:
        """Whether requests cost nobody anything: in the sandbox, say."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
