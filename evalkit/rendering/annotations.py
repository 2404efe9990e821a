"""Messages that GitHub shows beside a line of a change."""

from typing import Literal


def annotation(level: Literal["error", "warning"], path: str, line: int, message: str) -> str:
    """A workflow command; what a path or message holds can neither end it nor begin another."""
    return f"::{level} file={_property(path)},line={line},title=evalkit::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
