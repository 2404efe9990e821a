"""What the environment says of how to reach a server: keys, proxies and certificates, checked before they are used."""

import os
import ssl
from urllib.parse import urlsplit

from evalkit.errors import UsageError

KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
_SECRETS = (*KEYS, "AWS_BEARER_TOKEN_BEDROCK", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_SHORTEST_SECRET = 8
"""Shorter values are no keys but placeholders, and stand in messages by chance."""

_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
_SCHEMES = ("http", "https", "socks5", "socks5h")


def has_key() -> bool:
    """Whether a key for the Anthropic API is set."""
    return any(os.environ.get(name) for name in KEYS)


def check_keys() -> None:
    """UsageError, which does not show the value, for a key that cannot be sent in a header."""
    for name in _SECRETS:
        value = os.environ.get(name, "")
        if not all("!" <= character <= "~" for character in value):
            raise UsageError(
                f"{name} holds white space or another character that no key has; set it again without that"
            )


def redacted(text: str) -> str:
    """A message without the keys that a server or a library may have put into it."""
    for name in _SECRETS:
        value = os.environ.get(name, "").strip()
        if len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, f"[{name}]")
    return text


def check_proxies() -> None:
    """UsageError, which names the variable, for a proxy that cannot be used; its address may hold a password."""
    from importlib.util import find_spec

    for name, value in os.environ.items():
        if name.lower() not in _PROXIES or not value:
            continue
        scheme = _scheme(value)
        if scheme not in _SCHEMES:
            raise UsageError(f"{name} is no address of a proxy; write e.g. http://127.0.0.1:3128, or unset it")
        if scheme.startswith("socks") and find_spec("socksio") is None:
            raise UsageError(f"{name} names a SOCKS proxy, which needs a package; pip install socksio, or unset it")


def _scheme(proxy: str) -> str | None:
    """How a proxy is spoken to; None if that cannot be told."""
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts.scheme if usable else None


def certificates() -> ssl.SSLContext:
    """Which authorities to trust. UsageError where SSL_CERT_FILE or SSL_CERT_DIR leads to none that can be read."""
    import httpx2

    try:
        return httpx2.create_ssl_context()
    except OSError as error:  # SSLError is one: a file that holds no certificates
        name = "SSL_CERT_FILE" if os.environ.get("SSL_CERT_FILE") else "SSL_CERT_DIR"
        raise UsageError(
            f"{name} {os.environ.get(name)!r} cannot be read ({error.strerror or error}); correct or unset it"
        ) from error
