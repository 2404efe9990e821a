"""Breaks a client's TCP connection, which no HTTP response can do."""

from __future__ import annotations

from starlette.types import Scope
from uvicorn.server import ServerState


def drop_connection(scope: Scope) -> None:
    """Resets the connection a request came by; what is sent afterwards goes nowhere."""
    state: ServerState = scope["app"].state.connections
    client = tuple(scope["client"])
    for connection in list(state.connections):
        if getattr(connection, "client", None) == client and connection.transport is not None:
            connection.transport.abort()
