"""Kinds of errors: those that we name ourselves where no server has, and those that say a server has too much to do."""

UNREADABLE = "unreadable_answer"
"""An answer that breaks the protocol: the server's fault or a proxy's, and perhaps billed."""

NO_WORKER, NO_CONNECTION, NO_CREDENTIALS = "no_worker", "no_connection", "credentials_error"
PROXY_REFUSES = "proxy_authentication_error"
"""A proxy on the way wants a name and a password, for this request as for every other."""

PROXY_REMEDY = "write the proxy's name and password into its variable (HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT)"

NEVER_SENT = frozenset({NO_WORKER, NO_CONNECTION, NO_CREDENTIALS, PROXY_REFUSES})
"""No server has seen the request: it costs nothing."""

LOST = "worker_lost"
"""The attempt's worker went before it had told the answer: perhaps billed."""

TOO_FAST = frozenset({"rate_limit_error", "throttlingException"})
"""What a server or a stream says, with status 429 or without, of requests that come too fast."""

OVERLOADED = frozenset({"overloaded_error", "serviceUnavailableException", "ServiceUnavailable"})
"""The same of a server that cannot keep up, with status 529 or 503 or without."""

CANCELED = "batch_canceled"
"""Somebody has canceled an entry of a batch at the server, as evalkit never does."""

GONE = "batch_gone"
"""The server has had the answer to an entry of a batch, perhaps billed, and keeps it no more."""

NOT_AGAIN = frozenset({CANCELED, GONE})
"""What comes back so is not submitted again unasked: somebody does not want it, or would pay for it a second time."""


def is_for_load(status: int | None, kind: str | None) -> bool:
    """Whether a request failed since there are too many of them: fewer at a time is what helps."""
    return status in (429, 503, 529) or kind in TOO_FAST | OVERLOADED
