"""`dataclass` of the standard library, but that making a frozen class takes a tenth of the time.

The standard decorator compiles six functions a class, one at a time until Python 3.13, which for the records that a
report needs was a quarter of its time. Here a class has five of them in common with all others, and its `__init__` is
compiled when a few instances are made. To type checkers, `fields`, `replace`, `asdict` and pydantic it is the standard
one; a frozen class that inherits from one made here has to be made here as well.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any

_SET = object.__setattr__
_ABSENT: Any = object()
FEW = 4
"""Instances from which on compiling `__init__` pays."""

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: PLC0414  so it is this module's own as well
else:

    def dataclass(cls=None, /, *, frozen=False, slots=False, **further):
        """A frozen class, with slots or without, is made here; any other by the standard decorator."""
        if not frozen or further:
            return dataclasses.dataclass(cls, frozen=frozen, slots=slots, **further)
        return partial(_frozen, slots=slots)


def _frozen(cls: type, *, slots: bool) -> Any:
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
    fields = dataclasses.fields(made)
    if any(field.kw_only or (not field.init and field.default_factory is not dataclasses.MISSING) for field in fields):
        raise TypeError(f"{cls.__name__} has a field of a kind that only the standard decorator knows")
    made._compared = staticmethod(_values_of([field.name for field in fields if field.compare]))
    made._shown = tuple(field.name for field in fields if field.repr)
    made.__init__ = _first_init(made)
    for method in (__eq__, __hash__, __repr__, __setattr__, __delattr__, *((__getstate__, __setstate__) * slots)):
        if method.__name__ not in cls.__dict__:
            setattr(made, method.__name__, method)
    return made


def _values_of(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """What gives the named attributes of a record as a tuple; `attrgetter` does so for two and more."""
    return attrgetter(*names) if len(names) > 1 else lambda record: tuple(getattr(record, name) for name in names)


def _first_init(cls: Any) -> Callable[..., None]:
    """What stands for `__init__` until a few instances are made: of many records there are none, or one or two."""
    fields = [field for field in dataclasses.fields(cls) if field.init]
    checks, left = hasattr(cls, "__post_init__"), FEW

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        nonlocal left
        left -= 1
        values = _all_values(fields, args, kwargs) if left > 0 else None
        if values is None:
            cls.__init__ = _compiled_init(cls)
            cls.__init__(self, *args, **kwargs)
            return
        for field, value in zip(fields, values, strict=True):
            _SET(self, field.name, value)
        if checks:
            self.__post_init__()

    return __init__


def _all_values(
    fields: Sequence[dataclasses.Field[Any]], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> list[Any] | None:
    """The value of every field; None where the arguments do not fit, which is for the compiled `__init__` to say."""
    values = list(args)
    for field in fields[len(args) :]:
        if field.name in kwargs:
            values.append(kwargs[field.name])
        elif field.default is not dataclasses.MISSING:
            values.append(field.default)
        elif field.default_factory is not dataclasses.MISSING:
            values.append(field.default_factory())
        else:
            return None
    known = sum(field.name in kwargs for field in fields[len(args) :])
    return values if len(values) == len(fields) and known == len(kwargs) else None


def _compiled_init(cls: Any) -> Callable[..., None]:
    """`__init__(self, ...)` that sets every field, and then calls `__post_init__` where there is one."""
    known: dict[str, Any] = {"_set": _SET, "_absent": _ABSENT}
    parameters, lines = ["self"], []
    for field in dataclasses.fields(cls):
        if not field.init:
            continue
        name = value = field.name
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            known[f"_new_{name}"], default = field.default_factory, _ABSENT
            value = f"_new_{name}() if {name} is _absent else {name}"
        known[f"_default_{name}"] = default
        parameters.append(name if default is dataclasses.MISSING else f"{name}=_default_{name}")
        lines.append(f" _set(self, '{name}', {value})")
    if hasattr(cls, "__post_init__"):
        lines.append(" self.__post_init__()")
    exec(f"def __init__({', '.join(parameters)}):\n" + "\n".join(lines or [" pass"]), known)  # noqa: S102
    made: Callable[..., None] = known["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made


def __eq__(self: Any, other: Any) -> Any:
    return self._compared(self) == self._compared(other) if other.__class__ is self.__class__ else NotImplemented


def __hash__(self: Any) -> int:
    return hash(self._compared(self))


def __repr__(self: Any) -> str:
    return f"{type(self).__qualname__}({', '.join([f'{name}={getattr(self, name)!r}' for name in self._shown])})"


def __setattr__(_self: Any, name: str, _value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def __delattr__(_self: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def __getstate__(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def __setstate__(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        _SET(self, field.name, value)
