"""How large what a template makes may become: foreseen before it is made, since it could fill all memory."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sized
from functools import wraps
from typing import Any

from jinja2.exceptions import SecurityError
from jinja2.sandbox import SandboxedEscapeFormatter, SandboxedFormatter
from markupsafe import Markup

from evalkit.template_print import check_each, printable

MAX_CHARACTERS = 32 * 1024 * 1024
"""No request takes more, so no text on the way to one needs to be longer."""

_MAX_BITS = 4096
_SLOW = 32
"""Characters that are copied in the time in which a filter that looks at each handles one."""

_COPIED_AT_ONCE = 300
"""The same for what is cut off a long word again and again."""

_EACH_LIST = 300
"""In characters, about what a list takes for each of its elements."""

_LIST_ITEM = 8
"""In characters, what an element of a list takes."""

_PERCENT = re.compile(r"%(\([^)]*\))?[#0\- +]*(\*|\d+)?(?:\.(\*|\d+))?[hlL]?(%?)")
"""Name, width and precision of a conversion, and the sign of one that takes no value."""
_WIDENING = frozenset({"ljust", "rjust", "center", "zfill", "expandtabs", "to_bytes"})
_NUMBER = re.compile(r"\d+")


class NoEndError(SecurityError):
    """A template that makes more than any prompt could hold."""


def check(what: str, size: float) -> None:
    """NoEndError if `what` would make more than so many characters."""
    if size > MAX_CHARACTERS:
        raise NoEndError(f"a result of '{what}' that is too large")


def check_operator(operator: str, left: Any, right: Any) -> None:
    """The same for two operands."""
    if operator == "%":
        if isinstance(left, str):
            check(operator, _percent_width(left, right))
    elif isinstance(left, int) and isinstance(right, int):
        bits = left.bit_length() * (abs(right) if operator == "**" else 1) + right.bit_length()
        check(operator, MAX_CHARACTERS * bits // _MAX_BITS)
    elif operator == "*":
        for one, other in ((left, right), (right, left)):
            check(operator, len(one) * other if isinstance(one, Sized) and isinstance(other, int) else 0)
    elif isinstance(left, Sized) and isinstance(right, Sized):
        check(operator, len(left) + len(right))


def check_method(method: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """The same for a method of a text or a number whose numbers are widths, such as `ljust`."""
    owner, name = getattr(method, "__self__", None), getattr(method, "__name__", "")
    if isinstance(owner, str) and name == "replace":
        check(name, _replaced(owner, *map(str, args[:2])))
    if is_join(method) and args:
        check(name, _joined(args[0], str(owner)))
    if isinstance(owner, str) and name == "translate" and args and isinstance(args[0], Mapping):
        check(name, len(owner) * max((len(v) for v in args[0].values() if isinstance(v, str)), default=1))
    if name not in _WIDENING or not isinstance(owner, str | bytes | int):
        return
    times = 1 + owner.count("\t") if name == "expandtabs" and isinstance(owner, str) else 1
    check(name, times * _largest((*args, *kwargs.values())))


def is_join(method: Any) -> bool:
    """Whether it is the method of a text that joins others."""
    return getattr(method, "__name__", "") == "join" and isinstance(getattr(method, "__self__", None), str)


def _joined(parts: list[Any], between: str) -> int:
    size = len(between) * len(parts)
    for part in parts:
        if size > MAX_CHARACTERS:
            break
        size += len(str(part))
    return size


def _replaced(text: str, old: str = "", new: str = "") -> int:
    return len(text) + text.count(old) * len(new)


def _largest(values: Iterable[Any]) -> int:
    return max((abs(value) for value in values if isinstance(value, int)), default=0)


def _percent_width(text: str, values: Any) -> int:
    """The widths, precisions and texts that a text for `%` shows, together; a width that is a star stands before its
    value."""
    left, total = iter(values if isinstance(values, tuple) else (values,)), 0
    for name, width, precision, no_value in _PERCENT.findall(text):
        for size in filter(None, (width, precision)):
            total += _largest([next(left, 0)]) if size == "*" else _number(size)
        if not no_value:
            value = values.get(name[1:-1]) if name and isinstance(values, Mapping) else next(left, None)
            total += len(value) if isinstance(value, str) else 0
    return total


def _number(digits: str) -> int:
    """Digits as a number; too many of them would take long to read."""
    return int(digits[:12])


class _Bounded(SandboxedFormatter):
    left = MAX_CHARACTERS

    def format_field(self, value: Any, format_spec: str) -> str:
        check("format", sum(map(_number, _NUMBER.findall(format_spec))) + MAX_CHARACTERS - self.left)
        made = super().format_field(printable(value), format_spec)
        self.left -= len(made)
        check("format", MAX_CHARACTERS - self.left)
        return str(made)

    def convert_field(self, value: Any, conversion: Any) -> Any:
        if conversion:
            check_each((value,))
        return super().convert_field(value, conversion)


class _BoundedEscaping(_Bounded, SandboxedEscapeFormatter):
    pass


def bounded_format(environment: Any, method: Any) -> Callable[..., str]:
    """What `str.format` or `format_map` of a text does in the sandbox, within bounds."""
    text: str = method.__self__

    @wraps(method)
    def within(*args: Any, **kwargs: Any) -> str:
        if method.__name__ == "format_map":
            args, kwargs = (), *args
        formatter = _Bounded(environment)
        if isinstance(text, Markup):
            formatter = _BoundedEscaping(environment, escape=text.escape)
        return type(text)(formatter.vformat(text, args, kwargs))

    return within


def _center(_text: Any, width: int = 80) -> int:
    return width


def _indent(text: Any, width: int | str = 4, *_: Any, **__: Any) -> int:
    return (len(width) if isinstance(width, str) else width) * (1 + str(text).count("\n"))


def _wordwrap(_: Any, text: Any, width: int = 79, __: bool = True, wrapstring: str = "\n", **___: Any) -> float:
    if _SLOW * len(str(text)) > MAX_CHARACTERS:
        return math.inf
    words = str(text).split()
    longest = max(map(len, words), default=0)
    lines = len(words) + len(str(text)) / max(1, width)
    return _SLOW * len(str(text)) + longest**2 / (max(1, width) * _COPIED_AT_ONCE) + lines * len(wrapstring or "")


def _urlize(_: Any, text: Any, *__: Any, **___: Any) -> int:
    return _SLOW * len(str(text))


def _slow(text: Any, *_: Any, **__: Any) -> int:
    return _SLOW * len(str(text))


def _join(_: Any, parts: list[Any], between: str = "") -> int:
    return _joined(parts, str(between))


def _replace(_: Any, text: Any, old: Any, new: Any, *__: Any) -> int:
    return _replaced(str(text), str(old), str(new))


def _sum(_: Any, values: Any, attribute: Any = None, start: Any = 0) -> float:
    """Lists are copied once for each that is added to them."""
    if not isinstance(start, Sized) or not isinstance(values, list | tuple):
        return 0
    lengths = [len(value) for value in values if isinstance(value, Sized)] if attribute is None else [len(values)]
    return _LIST_ITEM * len(values) * sum(lengths) / _COPIED_AT_ONCE


def _tojson(_: Any, value: Any, indent: int | None = None) -> int:
    return (indent or 0) * (1 + sum(map(str(value).count, ",[{"))) if indent else 0


def _batch(_: Any, count: int, *__: Any) -> int:
    return _EACH_LIST * count


def _slice(_: Any, __: Any, count: int, *___: Any) -> int:
    return _EACH_LIST * count


def _format(text: Any, *args: Any, **kwargs: Any) -> int:
    return _percent_width(str(text), args or kwargs)


_SIZES: Mapping[str, Callable[..., float]] = {
    "center": _center,
    "indent": _indent,
    "wordwrap": _wordwrap,
    "urlize": _urlize,
    "tojson": _tojson,
    "batch": _batch,
    "slice": _slice,
    "format": _format,
    "join": _join,
    "replace": _replace,
    "striptags": _slow,
    "sum": _sum,
    "title": _slow,
    "urlencode": _slow,
    "wordcount": _slow,
}
"""By the name of a filter: about how many characters it makes, or could have copied meanwhile, of its arguments."""


def bounded_filters(filters: Mapping[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    """The same filters, of which those that take a width refuse what is too large."""
    return {name: _bounded(name, one, _SIZES[name]) if name in _SIZES else one for name, one in filters.items()}


def _bounded(name: str, made: Callable[..., Any], size: Callable[..., float]) -> Callable[..., Any]:
    @wraps(made)
    def within(*args: Any, **kwargs: Any) -> Any:
        try:
            about = size(*args, **kwargs)
        except TypeError:
            about = 0  # arguments that the filter itself will refuse
        check(name, about)
        return made(*args, **kwargs)

    return within
