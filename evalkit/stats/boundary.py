"""The boundary of the package: arguments have the kind that their annotation names, results are plain Python."""

import inspect
import types
from collections.abc import Callable, Sequence
from functools import cache, wraps
from typing import Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from evalkit.stats.estimate import Estimate
from evalkit.stats.plain import plain

P = ParamSpec("P")
R = TypeVar("R")

NAMES = {
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    types.NoneType: "None",
    Estimate: "an Estimate",
    Sequence: "a list",
}


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """`function`, whose arguments are checked against its annotations and whose result is made plain.

    ValueError names the argument, its value and what is wanted. A whole number may come as a float, and any number as
    numpy's; True and False are no numbers, and a text is no list. What a list holds is for the function to check.
    """

    @cache  # worked out by the first call: most programs call few of all functions
    def declared() -> tuple[inspect.Signature, dict[str, list[Any]]]:
        kinds = {name: _kinds(hint) for name, hint in get_type_hints(function).items()}
        return inspect.signature(function), kinds

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        signature, kinds = declared()
        given = signature.bind(*args, **kwargs)
        for name, value in given.arguments.items():
            given.arguments[name] = _fitted(name, value, kinds[name])
        result: R = plain(function(*given.args, **given.kwargs))
        return result

    return call


def _kinds(hint: Any) -> list[Any]:
    """What an annotation allows: keys of NAMES and literals; whatever else it says is some list."""
    alternatives = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    return [kind if kind in NAMES or get_origin(kind) is Literal else Sequence for kind in alternatives]


def _fitted(name: str, value: Any, kinds: Sequence[Any]) -> Any:
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        value = value.item()
    for kind in kinds:
        if _fits(value, kind):
            return int(value) if kind is int else value
    wanted = dict.fromkeys(NAMES.get(kind) or f"one of {', '.join(get_args(kind))}" for kind in kinds)
    raise ValueError(f"{name} = {value!r} is not {' or '.join(wanted)}")


def _fits(value: Any, kind: Any) -> bool:
    if kind in (int, float):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and (kind is float or value == value // 1)
    if kind is Sequence:  # a column of a table of pandas is one too
        return (isinstance(value, Sequence) or hasattr(value, "__array__")) and not isinstance(value, str | bytes)
    if get_origin(kind) is Literal:
        return isinstance(value, str) and value in get_args(kind)
    return isinstance(value, kind)
