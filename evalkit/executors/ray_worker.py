"""One process of a cluster that sends requests: it opens the ordinary provider, and has a clock of its own.

What runs on the cluster's machines; it knows nothing of Ray.
"""

import os
import platform
import time
from collections.abc import Callable, Mapping

import evalkit
from evalkit.errors import UsageError
from evalkit.executors.lag import Believed, watched
from evalkit.frozen import dataclass
from evalkit.providers import Provider
from evalkit.records import Reply, Request

_PAYERS = frozenset(
    {"AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK"}
)
"""Of these one that is left over from the machine would pay, or spoil what the driver says."""

_OURS = ("ANTHROPIC_", "AWS_")
"""How the variables begin that say where requests go and who pays. Proxies and certificates are the machine's own."""


def own_settings() -> dict[str, str]:
    """What this process's environment says of endpoints and credentials, for workers to have the same."""
    return {name: value for name, value in os.environ.items() if name.startswith(_OURS)}


@dataclass(frozen=True)
class Place:
    """Where a worker is: the machine's own name for itself, and the process."""

    host: str
    pid: int


@dataclass(frozen=True)
class Told:
    """A worker's wall clock, in seconds since 1970, and how late its event loop has been, in seconds."""

    clock_s: float
    lag_p99_s: float | None
    lag_max_s: float | None


class Sender:
    """Sends requests, each exactly once, in the process that it lives in."""

    async def open(self, version: str, opened: Callable[[], Provider], settings: Mapping[str, str]) -> Place:
        """Make ready to send, under the driver's settings. UsageError where they are none here, or evalkit is another.

        They come by this call since Ray keeps and shows what an actor is made with.
        """
        if version != evalkit.__version__:
            raise UsageError(f"evalkit {evalkit.__version__} is installed there, {version} here; install one version")
        foreign = _PAYERS if _PAYERS.intersection(settings) else frozenset()
        for name in own_settings():
            if name.startswith("ANTHROPIC_") or name in foreign:
                del os.environ[name]
        os.environ.update(settings)
        self._provider: Provider = opened()
        self._watch = watched()  # for as long as the process
        self._lag = self._watch.__enter__()
        self._sends = Believed(self._provider, self._lag)
        return Place(platform.node(), os.getpid())

    async def attempt(self, request: Request) -> Reply:
        """Send one request, once, and say how it ended."""
        return await self._sends.attempt(request)

    async def tell(self) -> Told:
        """What time it is here, and how well the clock is kept."""
        return Told(time.time(), self._lag.p99_s, self._lag.max_s)
