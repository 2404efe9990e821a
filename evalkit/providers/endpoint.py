"""Addresses of servers: which can be used, which are this machine, and how a run records them."""

import ipaddress
from urllib.parse import urlsplit

from evalkit.errors import UsageError


def is_loopback(url: str) -> bool:
    """Whether a URL points at this machine, where nothing is billed."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def checked(url: str) -> str:
    """A base URL that can be used; UsageError for anything else."""
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return url
        why = "is not an http(s) URL"
    except ValueError as error:
        why = f"cannot be read ({error})"
    raise UsageError(f"base URL {url!r} {why}; write e.g. http://127.0.0.1:8765")


def endpoint_of(url: str, *, simulated: bool = False) -> str:
    """What a run records of a base URL: scheme, host, port and path, without credentials.

    The sandbox has no port of its own, so that a run against it can be resumed on another.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port and not simulated else ""
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"
