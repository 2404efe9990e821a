"""The Anthropic API, or any server that speaks its Messages API: credentials, and what is asked before a run."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from evalkit.error_kinds import PROXY_REMEDY
from evalkit.errors import InfrastructureError, UsageError
from evalkit.providers import Preflight
from evalkit.providers.attempt import attempt, body_of, count, counted_body, is_fast
from evalkit.providers.encoding import encoded
from evalkit.providers.endpoint import checked, endpoint_of, is_loopback
from evalkit.providers.environment import check_keys, has_key, redacted
from evalkit.providers.failures import cause, proxy_refuses, redirected, refusal, said
from evalkit.providers.headers import SIMULATED
from evalkit.providers.model_facts import read_facts
from evalkit.providers.posting import Repeated
from evalkit.providers.transport import CONNECT_S, http_client
from evalkit.records import ModelFacts, Reply, Request

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
_REMEDY = "set ANTHROPIC_API_KEY, or correct ANTHROPIC_PROFILE and ANTHROPIC_CONFIG_DIR"


class AnthropicProvider:
    """One client for all models of a run. `deadline_s` bounds a whole attempt, from its call to its last byte."""

    def __init__(self, base_url: str | None = None, deadline_s: float = 600.0, connections: int = 64) -> None:
        """Raises UsageError without credentials (none are needed on loopback) or for a URL that is none."""
        import anthropic
        import httpx2

        check_keys()
        url = base_url or os.environ.get("ANTHROPIC_BASE_URL")
        local = url is not None and is_loopback(checked(url))
        self.deadline_s = deadline_s
        self._keyless = local and not has_key()
        http = http_client(connections, url)
        try:
            self._client = anthropic.AsyncAnthropic(
                base_url=url,
                api_key="local" if self._keyless else None,
                max_retries=0,
                timeout=httpx2.Timeout(deadline_s, connect=CONNECT_S),
                open_telemetry=False,
                http_client=http,
            )
        except anthropic.CredentialsError as error:
            raise UsageError(f"{redacted(str(error)).rstrip('.')}; {_REMEDY}") from error
        if not (self._client.api_key or self._client.auth_token or self._client.credentials):
            raise UsageError("no API key; set ANTHROPIC_API_KEY, or try `evalkit demo`, which needs none")
        self._post = Repeated(self._client, http)
        self.base_url = str(self._client.base_url)

    @property
    def client(self) -> "AsyncAnthropic":
        """The official client that everything goes through."""
        return self._client

    def bills_nothing(self, server: Preflight) -> bool:
        """Whether requests cost nobody anything: the sandbox, or a server on this machine that is given no key."""
        return server.simulated or self._keyless

    async def close(self) -> None:
        """Release connections."""
        await self._client.close()

    async def attempt(self, request: Request) -> Reply:
        """Stream one answer."""
        body = encoded({**body_of(request), "stream": True})
        return await attempt(self._post, body, self.deadline_s, fast=is_fast(request))

    async def count_tokens(self, request: Request) -> int | None:
        """Input tokens as the server counts them; None if it has no such endpoint or is out of reach."""
        return await count(self._post, encoded(counted_body(request)), fast=is_fast(request))

    async def preflight(self, models: Sequence[str]) -> Preflight:
        """Ask for the model list: is the key good, does each model exist, is this the sandbox?

        A server without a model list is taken at its word. Raises InfrastructureError if it cannot be reached
        or refuses the credentials.
        """
        import anthropic

        endpoint = endpoint_of(self.base_url)
        try:
            response = await self._client.models.with_raw_response.list(limit=1)
        except (anthropic.AuthenticationError, anthropic.PermissionDeniedError) as error:
            raise InfrastructureError(
                f"{endpoint} does not accept the API key ({said(error)}); check ANTHROPIC_API_KEY"
            ) from error
        except anthropic.PaymentRequiredError as error:
            raise InfrastructureError(f"{endpoint} refuses to bill ({said(error)}); check the account") from error
        except anthropic.APIConnectionError as error:
            _raise_if_proxied(endpoint, error)
            _raise_if_named_twice(self.base_url, error)
            raise InfrastructureError(
                f"{endpoint} cannot be reached ({cause(error)}); check the network and --base-url"
            ) from error
        except anthropic.APIStatusError as error:
            _raise_if_proxied(endpoint, error)
            if error.response.is_redirect:
                raise InfrastructureError(f"{endpoint} {redirected(error.response)}") from error
            simulated = SIMULATED in error.response.headers
            return Preflight(endpoint_of(self.base_url, simulated=simulated), simulated)
        except anthropic.AnthropicError as error:  # nothing was asked: a profile or an identity token failed
            raise InfrastructureError(f"no credentials ({redacted(str(error)).rstrip('.')}); {_REMEDY}") from error
        simulated = SIMULATED in response.headers
        endpoint = endpoint_of(self.base_url, simulated=simulated)
        if not await _is_model_list(response):
            return Preflight(endpoint, simulated)
        told = {model: await self._look_up(model) for model in models}
        problems = {model: answer for model, answer in told.items() if isinstance(answer, str)}
        facts = {model: answer for model, answer in told.items() if isinstance(answer, ModelFacts)}
        return Preflight(endpoint, simulated, problems, facts)

    async def _look_up(self, model: str) -> ModelFacts | str | None:
        """What the server says of a model; a line for the user if it cannot be used; None if it says nothing."""
        import anthropic

        try:
            response = await self._client.models.with_raw_response.retrieve(model)
        except (anthropic.NotFoundError, ValueError):
            return f"model {model!r} is unknown to {endpoint_of(self.base_url)}; `evalkit models` lists known ids"
        except anthropic.APIError:
            return None
        try:
            facts = read_facts(response.http_response.json())
        except (ValueError, RecursionError):
            return None
        if facts is not None and facts.lifecycle == "retired":
            return f"model {model!r} is retired; `evalkit models` lists active ids"
        return facts


def _raise_if_proxied(endpoint: str, error: Exception) -> None:
    if proxy_refuses(error):
        raise InfrastructureError(
            f"a proxy lets nothing through to {endpoint} ({refusal(error)}); {PROXY_REMEDY}"
        ) from error


def _raise_if_named_twice(url: str, error: Exception) -> None:
    """An address with a name in it is refused before anything is sent where the credentials take the same header."""
    if urlsplit(url).username is not None and isinstance(error.__cause__, ValueError):
        raise InfrastructureError(
            f"{endpoint_of(url)} cannot be asked: a name and a password in --base-url do not go with the credentials"
            " that are sent; take them out of it"
        ) from error


async def _is_model_list(response: Any) -> bool:
    """Whether an answer to GET /v1/models has the vendor's shape; other servers send lists of their own."""
    try:
        page = await response.parse()
        return bool(page.data) and page.data[0].type == "model" and page.data[0].display_name is not None
    except (AttributeError, TypeError, ValueError, IndexError):
        return False
