"""Kinds of errors that we name ourselves: what a failed attempt is where no server has said it."""

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

CANCELED = "batch_canceled"
"""Somebody has canceled an entry of a batch at the server, as evalkit never does."""

GONE = "batch_gone"
"""The server has had the answer to an entry of a batch, perhaps billed, and keeps it no more."""

NOT_AGAIN = frozenset({CANCELED, GONE})
"""What comes back so is not submitted again unasked: somebody does not want it, or would pay for it a second time."""
