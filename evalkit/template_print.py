"""What has a place in a prompt: text, numbers, and lists and objects of them, never what prints as nonsense."""

import re
from collections.abc import Callable, ItemsView, Iterable, Iterator, Mapping
from functools import wraps
from typing import Any

import jinja2
from jinja2.exceptions import SecurityError
from jinja2.filters import make_attrgetter

_MAKE_TEXT = {
    "capitalize", "center", "e", "escape", "forceescape", "format", "indent", "lower", "pprint", "replace", "safe",
    "string", "striptags", "title", "trim", "truncate", "upper", "urlize", "wordcount", "wordwrap",
}  # fmt: skip
"""Filters that make a text of whatever they are given."""
MOST_PARTS = 1_000_000
"""Of a list or an object, with those of all within it."""
_NAMED = re.compile(r"%\(([^)]*)\)")


class UnprintableError(SecurityError):
    """A value that has no place in a prompt."""


def printable(value: Any) -> Any:
    """The same value; UnprintableError for a null, a function or an iterator, also within a list or an object.

    They print as what nobody meant, some as another text in every process. Something undefined is left to raise its
    own error, in a list as well.
    """
    if not isinstance(value, str | int | float | jinja2.Undefined):
        check_each((value,))
    return value


def check_each(values: Iterable[Any]) -> None:
    """The same for each of several; something undefined raises its error, since a list would print `Undefined`."""
    for value in parts_of(values):
        _check(value)


def parts_of(values: Iterable[Any]) -> Iterator[Any]:
    """What lists and objects hold in the end, but for plain texts, of which there may be a million.

    A list that holds another twice, and so on, is made by few steps and has no end: UnprintableError past MOST_PARTS.
    """
    left, seen = [value for value in values if type(value) is not str], 0
    while left:
        value = left.pop()
        if isinstance(value, Mapping):
            parts: list[Any] = [*value, *value.values()]
        elif isinstance(value, list | tuple):
            parts = list(value)
        else:
            yield value
            continue
        seen += len(parts)
        if seen > MOST_PARTS:
            raise UnprintableError(f"a list of more than {MOST_PARTS:,} parts")
        left += reversed([part for part in parts if type(part) is not str])


def _check(value: Any) -> None:
    if isinstance(value, jinja2.Undefined):
        str(value)  # which raises
    elif value is None:
        raise UnprintableError("a null")
    elif callable(value):
        raise UnprintableError(f"a function ({getattr(value, '__name__', 'unnamed')})")
    elif not isinstance(value, str | int | float):
        more = ": join it, or make it a list" if isinstance(value, Iterable) else ""
        raise UnprintableError(f"what is no text ({type(value).__name__}{more})")


def check_values(text: str, values: Any) -> None:
    """The same for all that a text shows by `%`."""
    if isinstance(values, Mapping) and (names := _NAMED.findall(text)):
        values = tuple(values[name] for name in names if name in values)
    check_each(values if isinstance(values, tuple) else (values,))


def printing_filters(filters: Mapping[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    """The same filters, of which those that make a text refuse what has no place in one."""
    made = {name: _printing(one) if name in _MAKE_TEXT else one for name, one in filters.items()}
    made["format"] = _formatting(filters["format"])
    made["join"] = _joining(filters["join"])
    made["replace"] = _replacing(made["replace"])
    made["tojson"] = _ending(filters["tojson"])
    made["urlencode"] = _of_pairs(filters["urlencode"])
    made["xmlattr"] = _of_attributes(filters["xmlattr"])
    return made


def _printing(made: Callable[..., Any]) -> Callable[..., Any]:
    place = 1 if hasattr(made, "jinja_pass_arg") else 0

    @wraps(made)
    def within(*args: Any, **kwargs: Any) -> Any:
        for value in args[place : place + 1]:
            printable(value)
        return made(*args, **kwargs)

    return within


def _replacing(made: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(made)
    def within(context: Any, text: Any, old: Any, new: Any, *count: Any, **more: Any) -> Any:
        check_each((old, new))
        return made(context, text, old, new, *count, **more)

    return within


def _ending(made: Callable[..., Any]) -> Callable[..., Any]:
    """For what prints a null as one: a value without end is refused alone."""

    @wraps(made)
    def within(context: Any, value: Any, *args: Any, **kwargs: Any) -> Any:
        for _ in parts_of((value,)):
            pass
        return made(context, value, *args, **kwargs)

    return within


def _of_pairs(made: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(made)
    def within(value: Any) -> Any:
        pairs = list(value) if isinstance(value, ItemsView) else value
        return made(printable(pairs))

    return within


def _of_attributes(made: Callable[..., Any]) -> Callable[..., Any]:
    """It leaves out what is null or undefined, which is what it is for."""

    @wraps(made)
    def within(context: Any, attributes: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(attributes, Mapping):
            check_each(one for one in attributes.values() if one is not None and not isinstance(one, jinja2.Undefined))
        return made(context, attributes, *args, **kwargs)

    return within


def _formatting(made: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(made)
    def within(text: Any, *args: Any, **kwargs: Any) -> Any:
        check_values(str(printable(text)), args or kwargs)
        return made(text, *args, **kwargs)

    return within


def _joining(made: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(made)
    def within(context: Any, value: Any, d: str = "", attribute: str | int | None = None) -> Any:
        if isinstance(value, jinja2.Undefined):
            return made(context, value, d, attribute)  # which says what it is
        parts = list(value)
        if attribute is not None:
            parts = list(map(make_attrgetter(context.environment, attribute), parts))
        check_each(parts)
        return made(context, parts, d)

    return within
