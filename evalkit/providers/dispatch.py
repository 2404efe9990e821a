"""From the ids of a run's models to the provider that reaches them all."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evalkit.errors import UsageError
from evalkit.models import BEDROCK
from evalkit.providers import Preflight, Provider
from evalkit.providers.anthropic import AnthropicProvider
from evalkit.records import Reply, Request

if TYPE_CHECKING:
    from evalkit.providers.bedrock import BedrockProvider


def open_provider(
    models: Sequence[str], base_url: str | None = None, connections: int = 64, deadline_s: float = 600.0
) -> Provider:
    """The provider for these models, with only the clients that they need.

    `base_url` is the Anthropic API's; `deadline_s` bounds a whole attempt.

    Raises UsageError where credentials, a region or an extra are missing.
    """
    on_bedrock = [model for model in models if model.startswith(BEDROCK)]
    if not on_bedrock:
        return AnthropicProvider(base_url, deadline_s, connections)
    from evalkit.providers.bedrock import BedrockProvider

    bedrock = BedrockProvider(on_bedrock, deadline_s=deadline_s, connections=connections)
    if len(on_bedrock) == len(models):
        return bedrock
    return _Both(AnthropicProvider(base_url, deadline_s, connections), bedrock)


class _Both:
    """Each request to the provider that its model's id names."""

    def __init__(self, first_party: AnthropicProvider, bedrock: "BedrockProvider") -> None:
        self._first_party, self._bedrock = first_party, bedrock

    def _of(self, model: str) -> "AnthropicProvider | BedrockProvider":
        return self._bedrock if model.startswith(BEDROCK) else self._first_party

    async def attempt(self, request: Request) -> Reply:
        """Send one request, once."""
        return await self._of(request.model).attempt(request)

    async def count_tokens(self, request: Request) -> int | None:
        """Input tokens of a request; None where its platform cannot count."""
        return await self._of(request.model).count_tokens(request)

    async def preflight(self, models: Sequence[str]) -> Preflight:
        """Check both platforms. Raises UsageError if only one of them is the sandbox: such a run would be neither."""
        first = await self._first_party.preflight([model for model in models if not model.startswith(BEDROCK)])
        second = await self._bedrock.preflight([model for model in models if model.startswith(BEDROCK)])
        if first.simulated != second.simulated:
            sandbox, real = (first, second) if first.simulated else (second, first)
            raise UsageError(
                f"{sandbox.endpoint} is simulated and {real.endpoint} is not; run their models in separate run files"
            )
        endpoints = sorted({first.endpoint, *second.endpoint.split(" + ")})
        problems, facts = {**first.problems, **second.problems}, {**first.facts, **second.facts}
        return Preflight(" + ".join(endpoints), first.simulated, problems, facts)

    def bills_nothing(self, server: Preflight) -> bool:
        """Whether requests cost nobody anything on either platform."""
        return self._first_party.bills_nothing(server) and self._bedrock.bills_nothing(server)

    async def close(self) -> None:
        """Release connections."""
        await self._first_party.close()
        await self._bedrock.close()
