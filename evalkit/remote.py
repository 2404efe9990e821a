"""Files at URLs, through fsspec: fetched whole to a local path, and sent so that the old or the new one is there."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError, InfrastructureError, UsageError

_USERINFO = re.compile(r"(?<=://)(?:[^/@\s]*@|[^/@:\s]+:(?!\d+(?:/|$))[^@\s]*@)")
"""Where URLs carry credentials: before the host, also with slashes in them."""
_SIGNATURE = re.compile(r"(https?://[^?\s]*)\?\S*|\?(?=\S*=)\S*", re.IGNORECASE)
"""And after the path. In an object store `?` may be part of a name, so there only what has the form of a query."""
_WITH_QUERIES = ("http", "https")
_SILENT_S = 60.0
"""A server of http(s) that sends nothing for so long has failed, however long a file takes that comes."""
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s'\")]+", re.IGNORECASE)
_S3 = ("s3", "s3a")
_SERVERS_CODE = re.compile(r"<Code>(\w+)</Code>")
_SERVER = re.compile(r"https?://[^/\s]+")
_NO_PERMISSION = (
    "PermissionDenied", "Unauthenticated", "Unauthorized", "Forbidden", "AccessDenied", "SignatureDoesNotMatch",
    "InvalidAccessKeyId",
)  # fmt: skip


def fetch(url: str, target: Path) -> None:
    """Bring a file here, whole or not at all; UsageError if there is none."""
    with _said_plainly(url, "fetched"):
        files, place = _opened(url)
        part = target.with_name(f".{target.name}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            files.get_file(place, str(part))
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)


def send(source: Path, url: str) -> None:
    """Put a finished file there. Until it is there whole, whatever was there before stays."""
    with _said_plainly(url, "written"):
        files, place = _opened(url)
        with files.transaction:
            files.put_file(str(source), place)


def exists(url: str, *, readable: bool = False) -> bool:
    """Whether there is a file; `readable`: one that may be read, since S3 refuses to say so to who may not list."""
    with _said_plainly(url, "looked for"):
        files, place = _opened(url)
        try:
            return bool(files.info(place)["type"] == "file")
        except FileNotFoundError as error:
            _refuse_missing_bucket(error)
            return False
        except Exception as error:
            if readable and _is_refused(error):
                return False
            raise


def names_in(url: str, *, deep: bool = False) -> list[str]:
    """Names of the files in a folder, sorted, or in all folders below as well; none where there is no folder."""
    with _said_plainly(url, "listed"):
        files, place = _opened(url.rstrip("/"))
        try:
            found = files.find(place, maxdepth=None if deep else 1)
        except FileNotFoundError as error:
            _refuse_missing_bucket(error)
            return []
        within = f"{place.strip('/')}/"
        paths = [path.lstrip("/") for path in found]
        return sorted(path.removeprefix(within) for path in paths if path.startswith(within))


def place_of(url: str) -> str:
    """A URL without what is no part of the file's name: queries and fragments, which http(s) alone has.

    In an object store `?` and `#` are characters of a key like others, where it is written and where it is looked for.
    """
    return re.split("[?#]", url, maxsplit=1)[0] if _protocol(url) in _WITH_QUERIES else url


def _protocol(url: str) -> str:
    return url.partition("://")[0].lower()


def _refuse_missing_bucket(error: FileNotFoundError) -> None:
    """An absent file is an answer; an absent bucket is none."""
    if "NoSuchBucket" in _SERVERS_CODE.findall(str(error)):
        raise error


def shown_in(text: str) -> str:
    """A text with every URL in it as it may be shown."""
    return _URL.sub(lambda found: shown(found[0]), text)


def shown(url: str) -> str:
    """A URL as messages may show it: without the credentials in it."""
    return _SIGNATURE.sub(r"\1", _USERINFO.sub("***@", url))


def _opened(url: str) -> tuple[Any, str]:
    """What speaks the URL's protocol, and the place in it."""
    try:
        import fsspec
    except ImportError as error:
        raise UsageError(f"{shown(url)} needs fsspec; install evalkit-claude[s3]") from error
    protocol, rest = _protocol(url), url.partition("://")[2]
    if protocol in _S3:
        if "://***@" in shown(url):
            raise UsageError(
                f"{shown(url)}: credentials do not go into s3:// URLs; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and"
                " AWS_SECRET_ACCESS_KEY"
            )
        try:
            from evalkit.remote_s3 import filesystem
        except ImportError:
            pass  # then another implementation of it may be there
        else:
            return filesystem(), rest
    try:
        files, place = fsspec.url_to_fs(url, skip_instance_cache=protocol != "memory", **_patience(protocol))
    except ImportError as error:
        what = "evalkit-claude[s3]" if protocol in _S3 else f"what fsspec names for it ({_first_line(error)})"
        raise UsageError(f"{shown(url)} cannot be spoken to here; install {what}") from error
    except ValueError as error:
        raise UsageError(
            f"{shown(url)}: {_first_line(error)}; use s3://, gs://, az:// or another of fsspec's"
        ) from error
    name = url.rpartition("/")[2]
    if protocol not in _WITH_QUERIES and "::" not in url and re.search("[?#]", url) and not place.endswith(name):
        raise UsageError(f"{shown(url)}: {protocol}:// has no file of the name {name!r}; use one without ? and #")
    return files, place


def _patience(protocol: str) -> dict[str, Any]:
    """Options of what speaks http(s): of itself aiohttp ends whatever takes five minutes."""
    if protocol not in _WITH_QUERIES:
        return {}
    import aiohttp

    waits = aiohttp.ClientTimeout(total=None, sock_connect=_SILENT_S, sock_read=_SILENT_S)
    return {"client_kwargs": {"timeout": waits}}


@contextmanager
def _said_plainly(url: str, done: str) -> Iterator[None]:
    """What a store, a network or a disk refuses, as one line without credentials.

    Each store has errors of its own, so those are told by kind where it is known, and by name where it is not.
    """
    try:
        yield
    except EvalkitError:
        raise
    except Exception as error:
        raise _told(shown(url), done, error) from error


def _told(url: str, done: str, error: Exception) -> EvalkitError:
    code = next(iter(_SERVERS_CODE.findall(str(error))), "")
    if code == "NoSuchBucket" or (done == "written" and isinstance(error, FileNotFoundError)):
        return UsageError(f"{url} cannot be {done}: there is no such bucket; create it, or correct the URL")
    if isinstance(error, FileNotFoundError):
        return UsageError(f"{url} does not exist; correct the URL")
    if "Could not parse path" in str(error):
        return UsageError(f"{url} cannot be {done}: a part of its path is empty, '.' or '..'; correct the URL")
    return InfrastructureError(f"{url} cannot be {done}{_refusal(error, code, done)}")


def _is_refused(error: Exception) -> bool:
    code = next(iter(_SERVERS_CODE.findall(str(error))), "")
    return isinstance(error, PermissionError) or any(n in f"{type(error).__name__} {code}" for n in _NO_PERMISSION)


def _refusal(error: Exception, code: str, done: str) -> str:
    """What refused, and what to do."""
    if _is_refused(error):
        listing = ", s3:ListBucket too: S3 says the same of what is not there" if done == "looked for" else ""
        return f": no permission{f' ({code})' if code else ''}; check the credentials and their rights{listing}"
    if "error sending request" in str(error):
        return f": {next(iter(_SERVER.findall(str(error))), 'the server')} does not answer; check the network"
    if "redirect without LOCATION" in str(error):
        return ": its bucket is in another region; set AWS_REGION to that"
    if isinstance(error, TimeoutError) and not error.strerror:
        return f": nothing has come for {_SILENT_S:g} s; check the network and the server, then do it again"
    if isinstance(error, OSError) and error.strerror:
        return f" ({error.strerror}); check network, disk and rights"
    what = code or f"{type(error).__name__}: {_first_line(error)}"
    return f" ({what}); check network and settings, then do it again"


def _first_line(error: Exception) -> str:
    line = shown(next(iter(str(error).splitlines()), ""))
    return line if len(line) <= 200 else f"{line[:200]}..."
