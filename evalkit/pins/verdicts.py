"""Which pins may stand: each with what speaks against it, and what to know of it although it may."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from evalkit.models import BEDROCK, pin_of
from evalkit.pins.bumps import Bump
from evalkit.pins.facts import PinFacts, facts_of
from evalkit.pins.lock import Lock, faults
from evalkit.pins.scan import Pin
from evalkit.wording import visible

_EVIDENCE = "run the gate and approve its report with `evalkit pins approve`, or go back to the pin before"
_NEW = "gate it against a pin that ran before, and approve the report with `evalkit pins approve`"


@dataclass(frozen=True)
class Asked:
    """One pin to look at, and the one that it replaces, if any. `settled`: it may stand without evidence of its own."""

    pin: Pin
    replaces: Pin | None = None
    settled: bool = False


@dataclass(frozen=True)
class Verdict:
    """What was found about one pin. `unproven`: evidence is what it lacks, as far as evidence can help it."""

    asked: Asked
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    unproven: bool

    @property
    def place(self) -> str:
        """Where it stands, and how it is written."""
        return f"{visible(self.asked.pin.path)}:{self.asked.pin.line}: {self.asked.pin.written}"


def asked_by(found: Iterable[Bump], lock: Lock) -> list[Asked]:
    """The pins that a change brings; one that only says more exactly what ran already, or goes back, is settled."""
    brought = [(bump.now, bump.then) for bump in found if bump.now is not None]
    return sorted((Asked(now, then, _settled(now, then, lock)) for now, then in brought), key=lambda one: one.pin)


def _settled(now: Pin, then: Pin | None, lock: Lock) -> bool:
    if then is None:
        return False
    if now.kind == "pin" and then.kind == "alias" and pin_of(then.model) == now.model:
        return True
    return any((one.model, one.replaces) == (then.model, now.model) and one.is_whole for one in lock.approvals)


def verdicts(
    asked: Sequence[Asked], lock: Lock, wanted: Mapping[str, str], now: datetime, *, allow_simulated: bool = False
) -> Iterator[Verdict]:
    """One verdict a pin. `wanted`: hash by name that evidence must be of, as of that moment."""
    for one in asked:
        pin, facts = one.pin, facts_of(one.pin.model, now)
        found = faults(lock, pin.model, wanted, now.date(), allow_simulated=allow_simulated)
        lacking = [] if one.settled else list(found)
        remedy = _NEW if one.replaces is None else _EVIDENCE
        problems = [f"{', '.join(lacking)}; {remedy}"] if lacking else []
        problems += [f"an alias may change under you; {_pinned(pin.model)}"] if pin.kind == "alias" else []
        if facts.lifecycle == "retired":
            problems.append(f"the model was retired on {facts.retires}; name one that is active, see `evalkit models`")
        yield Verdict(one, tuple(problems), tuple(warnings_of(pin, facts, now)), bool(lacking))


def warnings_of(pin: Pin, facts: PinFacts, now: datetime) -> Iterator[str]:
    """What to know of a pin beside its evidence."""
    if facts.lifecycle != "retired" and facts.retires_soon(now.date()):
        newest = f"; {facts.newer[-1].model} is the next of its tier" if facts.newer else ""
        yield f"the model retires on {facts.retires}{newest}"
    if pin.kind == "hidden":
        yield "it does not say which model it is; gate it by this name, or mark the line `evalkit: ignore`"


def _pinned(model: str) -> str:
    pin = pin_of(model)
    return f"use its pin {pin!r}" if pin else "name an id that is pinned, see `evalkit models`"


def unproven_pairs(found: Iterable[Verdict]) -> list[tuple[str, str]]:
    """The models to run a gate on, baseline and candidate, each pair once; an alias by its pin where that is known."""
    pairs = [(v.asked.replaces, v.asked.pin) for v in found if v.unproven and v.asked.replaces is not None]
    return list(dict.fromkeys((_runnable(then), _runnable(now)) for then, now in pairs if then is not None))


def _runnable(pin: Pin) -> str:
    return f"{BEDROCK}{pin.model}" if pin.kind == "hidden" else pin_of(pin.model) or pin.model
