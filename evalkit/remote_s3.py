"""S3 for fsspec, by obstore: what `aws configure` and the environment say holds here too."""

import os
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from obstore.fsspec import FsspecStore

from evalkit.errors import InfrastructureError, UsageError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

_CLIENT: "ClientConfig" = {
    "allow_http": True,  # only where another server is named so
    "connect_timeout": "10s",
    "read_timeout": "60s",
    "timeout": "6h",  # of one whole file, which is as large as it is
}
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
"""Variables that name another server, the first one that is set."""
_RETRIES: "RetryConfig" = {"max_retries": 4, "retry_timeout": timedelta(seconds=60)}


class _Store(FsspecStore):
    """Writes what arrives to disk at once, where obstore's own keeps the whole file in memory."""

    cachable = False

    async def _get_file(self, rpath: str, lpath: str, **_: Any) -> None:
        bucket, key = self._split_path(rpath)
        reply = await self._construct_store(bucket).get_async(key)
        with Path(lpath).open("wb") as file:
            async for part in reply.stream():
                file.write(part)


def filesystem() -> FsspecStore:
    """S3, or the server that is named in its place, with the credentials that AWS's own tools would find."""
    _check_endpoint()
    credentials = _credentials()
    config: S3Config = {} if (url := _configured_endpoint()) is None else {"endpoint": url}
    return _Store("s3", config=config, client_options=_CLIENT, retry_config=_RETRIES, credential_provider=credentials)


def _check_endpoint() -> None:
    """UsageError for variables that name no server: obstore panics at them. An empty one is none, as to AWS's tools."""
    for name in _ENDPOINTS:
        value = os.environ.get(name)
        if value == "":
            del os.environ[name]  # or obstore takes it for a server
        elif value is not None:
            _check_server(name, value)


def _configured_endpoint() -> str | None:
    """Another server by AWS's configuration file, for S3 alone or for all; None where a variable names one."""
    ignored = os.environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true"
    if ignored or any(name in os.environ for name in _ENDPOINTS):
        return None
    try:
        from botocore.exceptions import BotoCoreError
        from botocore.session import Session
    except ImportError:
        return None
    try:
        session = Session()
        profile = session.get_scoped_config()
        services = session.full_config.get("services", {}).get(profile.get("services"), {})
    except BotoCoreError as error:
        raise UsageError(f"AWS's configuration cannot be used: {error}; correct it") from error
    url: str | None = services.get("s3", {}).get("endpoint_url") or profile.get("endpoint_url")
    if url is not None:
        _check_server("endpoint_url in AWS's configuration file", url)
    return url


def _check_server(name: str, value: str) -> None:
    if not _is_server(value):
        told = "" if "@" in value else f" {value!r}"
        raise UsageError(f"{name}{told} is no http(s)://host[:port]; correct it, or unset it for AWS's own servers")


def _is_server(url: str) -> bool:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  raises for what is none
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and url.isprintable() and " " not in url


def _credentials() -> Any:
    """From AWS's own chain where boto3 is there (profiles, single sign-on, roles); None for a public bucket."""
    if os.environ.get("AWS_SKIP_SIGNATURE", "").lower() in ("1", "true"):
        return None
    with suppress(ImportError):
        from botocore.exceptions import BotoCoreError
        from obstore.auth.boto3 import Boto3CredentialProvider

        try:
            return Boto3CredentialProvider()
        except ValueError as error:
            raise UsageError(
                "no AWS credentials found for s3://; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY,"
                " or AWS_SKIP_SIGNATURE=true for a public bucket"
            ) from error
        except BotoCoreError as error:
            raise InfrastructureError(f"AWS credentials cannot be used: {error}; correct them") from error
    return None
