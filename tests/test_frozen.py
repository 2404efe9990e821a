"""A frozen record made in the quick way is like one made by the standard decorator."""

import copy
import dataclasses
import itertools
import pickle
from collections.abc import Callable
from dataclasses import asdict, astuple, field, fields, replace
from typing import Any

import pytest

from evalkit import frozen

NAN = float("nan")


def made_by(decorator: Callable[..., Any], *, slots: bool) -> tuple[type, type, type]:
    """Three records: one with every kind of default, one that inherits and looks at itself, and one with no field."""

    @decorator(frozen=True, slots=slots)
    class Record:
        """A record."""

        number: float
        text: str = "none"
        lines: list[int] = field(default_factory=list, compare=False)
        secret: str = field(default="", repr=False)

    @decorator(frozen=True, slots=slots)
    class Checked(Record):
        """Looks at itself."""

        least: int = 0

        def __post_init__(self) -> None:
            if self.number < self.least:
                raise ValueError(f"{self.number} is below {self.least}")

        def __repr__(self) -> str:
            return f"<{self.number}>"

    @decorator(frozen=True, slots=slots)
    class Nothing:
        """Nothing."""

    return Record, Checked, Nothing


def told(act: Callable[[], Any]) -> Any:
    """What comes of something: its value, or its error."""
    try:
        return act()
    except Exception as error:
        return type(error), str(error).replace("made_by.<locals>.", "")


ACTS: dict[str, Callable[[type, type, type], Any]] = {
    "positions": lambda a, b, c: repr([a(1), a(1, "x", [2], "s"), b(1, "x", [2], "s", 0), c()]),
    "names": lambda a, b, c: repr([a(number=1, lines=[3]), b(number=1, least=1)]),
    "defaults are new": lambda a, b, c: a(1).lines is a(1).lines,
    "a value is missing": lambda a, b, c: a(),
    "a value is there twice": lambda a, b, c: a(1, number=2),
    "too many values": lambda a, b, c: a(1, 2, 3, 4, 5),
    "an unknown name": lambda a, b, c: a(1, other=2),
    "looks at itself": lambda a, b, c: b(1, least=2),
    "fields": lambda a, b, c: [[(f.name, f.type, f.default) for f in fields(cls)] for cls in (a, b, c)],
    "plain": lambda a, b, c: [asdict(a(1)), astuple(b(1)), asdict(c())],
    "replaced": lambda a, b, c: repr([replace(a(1), text="y"), replace(b(1), number=2)]),
    "replaced by what it refuses": lambda a, b, c: replace(b(1, least=1), number=0),
    "equal": lambda a, b, c: [a(1) == a(1), a(1) == a(2), a(1, lines=[1]) == a(1), a(1) == b(1), a(1) == 1, c() == c()],
    "not a number": lambda a, b, c: [a(NAN) == a(NAN), a(float("nan")) == a(NAN), a(NAN) != a(NAN)],
    "hashed": lambda a, b, c: [
        hash(a(1)) == hash(a(1, lines=[1])),
        hash(a(1)) == hash((1, "none", "")),
        len({c(), c()}),
    ],
    "hashed with a list": lambda a, b, c: hash(a([])),
    "set": lambda a, b, c: setattr(a(1), "number", 2),
    "deleted": lambda a, b, c: delattr(b(1), "number"),
    "copied": lambda a, b, c: [copy.copy(a(1)) == a(1), copy.deepcopy(b(1, lines=[4])).lines],
    "matched": lambda a, b, c: [cls.__match_args__ for cls in (a, b, c)],
    "slots": lambda a, b, c: [hasattr(a(1), "__dict__"), getattr(b, "__slots__", None)],
    "class": lambda a, b, c: [(cls.__name__, cls.__doc__, cls.__module__) for cls in (a, b, c)],
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
@pytest.mark.parametrize("slots", [False, True], ids=["dict", "slots"])
@pytest.mark.parametrize("made", [0, frozen.FEW], ids=["the first", "after some"])
def test_a_quick_record_is_like_a_standard_one(made, slots, act):
    """Values, texts and errors are the same, for the first instances and for later ones."""
    quick, standard = (made_by(one, slots=slots) for one in (frozen.dataclass, dataclasses.dataclass))
    for cls, few in itertools.product(quick, range(made)):
        cls(*[few] * (cls is not quick[2]))
    assert told(lambda: act(*quick)) == told(lambda: act(*standard))


def test_an_init_is_compiled_when_some_instances_are_made():
    """Not before, as most records are few; and then once."""
    record = made_by(frozen.dataclass, slots=True)[0]
    codes = [record(few).__init__.__code__.co_varnames for few in range(frozen.FEW + 1)]
    assert [("number" in names) for names in codes] == [False] * (frozen.FEW - 1) + [True] * 2


@frozen.dataclass(frozen=True)
class Kept:
    """A record that pickle finds."""

    number: int
    texts: tuple[str, ...] = ()


@frozen.dataclass(frozen=True, slots=True)
class Slotted(Kept):
    """The same with slots."""

    more: int = 0


@pytest.mark.parametrize("record", [Kept(1, ("a",)), Slotted(1, ("a",), 2)])
def test_a_record_is_pickled(record):
    """It comes back equal, and as frozen."""
    again = pickle.loads(pickle.dumps(record))  # noqa: S301
    assert again == record
    with pytest.raises(dataclasses.FrozenInstanceError):
        again.number = 2


@pytest.mark.parametrize("special", [field(kw_only=True), field(default_factory=list, init=False)])
def test_a_field_of_another_kind_is_refused(special):
    """Not silently made in another way than it says."""
    with pytest.raises(TypeError, match="Record has a field of a kind"):
        frozen.dataclass(frozen=True)(type("Record", (), {"__annotations__": {"x": "list"}, "x": special}))


@pytest.mark.parametrize("further", [{"order": True}, {"repr": False}, {"eq": False}, {"frozen": False}])
def test_other_classes_are_standard(further):
    """Whatever else the decorator is asked for, the standard one does."""
    made = frozen.dataclass(**{"frozen": True, **further})(type("Record", (), {"__annotations__": {"x": "int"}}))
    assert dataclasses.is_dataclass(made)
    assert made.__init__.__code__.co_varnames == ("self", "x")
