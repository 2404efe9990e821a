"""Regular expressions that people write: valid, and searched for within a time."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import regex

    Pattern = regex.Pattern[str]
else:
    Pattern = Any


def compiled(pattern: str) -> Pattern:
    """The pattern, ready to search with a `timeout`; ValueError with the reason and the remedy if it is none."""
    import regex

    try:
        return regex.compile(pattern)
    except (regex.error, OverflowError, RecursionError) as error:
        raise ValueError(f"is not a regular expression ({error}); correct it") from error


def hiding(pattern: str) -> Pattern:
    """A pattern of what is to be hidden; ValueError if it is none, or matches where there is nothing to hide."""
    found = compiled(pattern)
    if found.search(""):
        raise ValueError("matches an empty text; make it match what is to be hidden")
    return found
