"""Whether a Ray cluster wants a token, which Ray itself finds out too late: what it does then takes it minutes."""

import os
import secrets
from importlib import import_module
from typing import Any

from evalkit.errors import InfrastructureError

MODE, _TOKEN, _OFF = "RAY_AUTH_MODE", "token", "disabled"
_HERE = "RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token"
_THERE = "use that of the machine where `ray start --head` ran"


def keep_no_token() -> None:
    """Give an instance of this machine's own a token of its own, before Ray is loaded: Ray would leave one in the home
    folder, by which `ray start` then authenticates clusters."""
    os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    os.environ.pop("RAY_AUTH_TOKEN_PATH", None)
    os.environ[MODE] = os.environ.get(MODE) or _TOKEN


def be_admitted(where: str) -> set[str]:
    """The ids of a cluster's nodes, once Ray is set to show it a token exactly if it wants one: a driver with a token
    finds no worker on a cluster without authentication, and without one it gets no further than its head.

    Raises InfrastructureError where what the environment says of it keeps a run from the cluster, or its head does not
    answer.
    """
    asked = os.environ.get(MODE, "").lower()
    authentication_error = import_module("ray.exceptions").AuthenticationError
    try:
        _show(_OFF)
        nodes = _nodes(where)
    except authentication_error as error:
        if asked not in ("", _TOKEN):
            raise _refused(where, f"wants a token, and {MODE} is {asked}; unset that") from error
        return _shown(where)
    if asked == _TOKEN:
        raise _refused(where, f"has no authentication, and {MODE} is {_TOKEN}; unset that")
    return nodes


def _shown(where: str) -> set[str]:
    """The ids of the nodes of a cluster that wants a token."""
    loader = import_module("ray._raylet").AuthenticationTokenLoader.instance()
    authentication_error = import_module("ray.exceptions").AuthenticationError
    try:
        there = loader.has_token(ignore_auth_mode=True)
    except authentication_error as error:
        raise _refused(where, f"wants a token: {str(error).partition('. ')[0]}; {_THERE}") from error
    if not there:  # Ray would end this process
        raise _refused(where, f"wants a token, and there is none in {_HERE}; {_THERE}")
    if not _can_be_sent(loader):  # that would end it as well
        raise _refused(where, f"wants a token, and that of {_HERE} has characters that no token has; {_THERE}")
    try:
        _show(_TOKEN)
        return _nodes(where)
    except authentication_error as error:
        raise _refused(where, f"does not take the token of {_HERE}; {_THERE}") from error


def _can_be_sent(loader: Any) -> bool:
    """Whether the token is one by its characters: a file may begin with a mark of its encoding, or hold other text."""
    try:
        token: str = loader.get_raw_token(ignore_auth_mode=True)
    except UnicodeDecodeError:
        return False
    return token.isascii() and token.isprintable()


def _show(mode: str) -> None:
    """Have Ray, which looks but when it is loaded, go by a mode from now on."""
    os.environ[MODE] = mode
    import_module("ray._raylet").Config.initialize("")


def _nodes(where: str) -> set[str]:
    raylet, exceptions = import_module("ray._raylet"), import_module("ray.exceptions")
    try:
        return {node.hex() for node in raylet.GcsClient(address=where).get_all_node_info(timeout=5)}
    except exceptions.RpcError as error:
        raise _refused(
            where, f"does not answer ({' '.join(str(error).split())}); check it with `ray status`"
        ) from error


def _refused(where: str, why: str) -> InfrastructureError:
    return InfrastructureError(f"the Ray cluster at {where} {why}")
