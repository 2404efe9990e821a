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
    from obstore.store import ClientConfig, RetryConfig

_CLIENT: "ClientConfig" = {
    "allow_http": True,  # only where AWS_ENDPOINT_URL says so
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
    """S3, or what AWS_ENDPOINT_URL names, with the credentials that AWS's own tools would find."""
    _check_endpoint()
    return _Store("s3", client_options=_CLIENT, retry_config=_RETRIES, credential_provider=_credentials())


def _check_endpoint() -> None:
    """UsageError for variables that name no server: obstore panics at them. An empty one is none, as to AWS's tools."""
    for name in _ENDPOINTS:
        value = os.environ.get(name)
        if value == "":
            del os.environ[name]  # or obstore takes it for a server
        elif value is not None and not _is_server(value):
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
