"""Which pins may stand: each with what speaks against it, and what to know of it although it may."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import date, datetime

from evalkit.errors import UsageError
from evalkit.frozen import dataclass
from evalkit.models import BEDROCK, pin_of
from evalkit.pins.bumps import Bump
from evalkit.pins.facts import PinFacts, facts_of
from evalkit.pins.lock import Approval, Lock, faults, same_baseline
from evalkit.pins.places import place
from evalkit.pins.scan import Pin
from evalkit.pins.spelling import is_open, may_be, meant_by
from evalkit.strict import shown
from evalkit.wording import listing

_EVIDENCE = "run the gate and approve its report with `evalkit pins approve`"
_SETTLE = "its report says what would settle it: gate it again and approve that report"
_WORSE = "its report says in what it is worse: take another model"
_BACK = ", or go back to the pin before"
_GONE = (
    "; the pin before has retired: where a server still answers for it, make the evidence at once; else what is left of"
    " it is a run file that was kept (`evalkit merge`), of the same dataset, rubric, prompt and epochs, or the same"
    " model at a provider that still serves it (`baseline` of the CI job)"
)
_GONE_FOR = "; the pin before has retired, so there is no way back to it"
_RENEW = "its age is all: run it anew into another file (`evalkit run -o`), grade and gate that, and approve the report"
_CLOCK = "set the clock of this machine, or of the one that made it, right; evidence of such a day is to be made anew"
_NEW = "gate it against a pin that ran before, and approve the report with `evalkit pins approve`"
_FIRST = "none ran here before, so gate it against any other, and approve the report with `evalkit pins approve`"


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
        return place(self.asked.pin)


@dataclass(frozen=True)
class Terms:
    """What evidence is held against: the moment, and the hashes that the files of an approval have as of then.

    `stood_before`: those of some pins whose model once ran in their place; `models_before`: the models that run where a
    change begins, None where there is no change. `files`: those that evidence must be of, by kind and from the lock's
    folder, None for a policy that is no file.
    """

    lock: Lock
    now: datetime
    hashes_of: Callable[[Approval], Mapping[str, str]]
    stood_before: Callable[[Collection[Pin]], Collection[Pin]] = lambda _: ()
    models_before: Callable[[], Collection[str] | None] = lambda: None
    allow_simulated: bool = False
    files: Mapping[str, str | None] = field(default_factory=dict)

    def misfits(self, held: Approval) -> list[str]:
        """Which files an approval is of though others are asked for."""
        return [
            f"its evidence is of {_of_kind(kind, getattr(held, kind))}, and {_of_kind(kind, asked)} is asked for"
            for kind, asked in self.files.items()
            if getattr(held, kind) != asked
        ]

    def faults(self, held: Approval, wanted: Mapping[str, str], day: date | None = None) -> list[str]:
        """Why an approval does not count now, or did not on a `day` before."""
        at, most = day or self.now.date(), self.lock.max_age_days
        return list(faults(held, wanted, at, most, allow_simulated=self.allow_simulated))


def asked_by(found: Iterable[Bump], terms: Terms) -> list[Asked]:
    """The pins that a change brings; one that says more exactly what ran, goes back, or is one more use is settled."""
    found = list(found)
    brought = [(bump.now, bump.then) for bump in found if bump.now is not None]
    gone = {bump.then.model for bump in found if bump.now is None and bump.then is not None}
    back = terms.stood_before([now for now, then in brought if then is not None and _led_here(then, now, terms)])

    def settled(now: Pin, then: Pin | None) -> bool:
        if then is None:  # where another model goes, this one may take its place
            return gone <= {now.model} and now.model in (terms.models_before() or ())
        return now in back or _is_pin_of(now, then)

    return sorted((Asked(now, then, settled(now, then)) for now, then in brought), key=lambda one: one.pin)


def _is_pin_of(now: Pin, then: Pin) -> bool:
    """Whether it only says more exactly what an alias stood for, or has a variable where the other has its value."""
    if now.kind == then.kind == "hidden":
        return may_be(then.model, now.model) or may_be(now.model, then.model)
    return now.kind == "pin" and then.kind == "alias" and pin_of(then.model) == now.model


def _led_here(then: Pin, now: Pin, terms: Terms) -> bool:
    """Whether valid evidence led from the model that comes back to the one that goes."""
    held = (one for one in terms.lock.approvals if one.is_of(then.model, now.model))
    return any(not (terms.misfits(one) or terms.faults(one, {})) for one in held)


def verdicts(asked: Sequence[Asked], terms: Terms) -> Iterator[Verdict]:
    """One verdict a pin."""
    for one in asked:
        pin, facts = one.pin, facts_of(one.pin.model, terms.now)
        held, lacking = _best(one, terms)
        problems = [f"{', '.join(lacking)}; {_remedy(one, held, terms)}"] if lacking else []
        problems += [f"an alias may change under you; {_pinned(pin.model)}"] if pin.kind == "alias" else []
        if facts.lifecycle == "retired":
            problems.append(f"the model was retired on {facts.retires}; name one that is active, see `evalkit models`")
        warnings = (*warnings_of(pin, facts, terms.now), *_warnings_about(held))
        yield Verdict(one, tuple(problems), warnings, bool(lacking))


def _of_kind(kind: str, path: str | None) -> str:
    """The dataset, rubric or policy that evidence is of or should be of."""
    return f"a {kind} that is no file" if path is None else f"the {kind} {shown(path)}"


def _remedy(asked: Asked, held: Approval | None, terms: Terms) -> str:
    """What to do about evidence that lacks something."""
    running = terms.models_before()
    new = _NEW if running or running is None else _FIRST
    back = ""
    if asked.replaces is not None:
        back = _GONE if facts_of(asked.replaces.model, terms.now).lifecycle == "retired" else _BACK
    if held is not None and terms.misfits(held):
        return f"{_EVIDENCE}{back}" if asked.replaces is not None else new
    if held is not None and not terms.faults(held, terms.hashes_of(held), date.fromisoformat(held.approved_on)):
        return _CLOCK if held.made_on > terms.now.date() else _RENEW
    if asked.replaces is None:
        return new
    if held is None or held.verdict == "pass":
        return f"{_EVIDENCE}{back}"
    if held.verdict == "fail":
        return f"{_WORSE}{back if back != _GONE else _GONE_FOR}"
    return f"{_SETTLE}{back}"


def _best(asked: Asked, terms: Terms) -> tuple[Approval | None, list[str]]:
    """The approval with the least against it, and what that is; where a gate of the same two models failed on another
    dataset that is asked for as well, that one."""
    model, replaces = asked.pin.model, asked.replaces.model if asked.replaces else None
    if asked.settled or (asked.pin.kind == "unknown" and replaces is None):
        return None, []
    about_it = [one for one in terms.lock.approvals if one.is_of(model, None)]
    if not about_it:
        return None, ["no evidence"]
    others = listing(sorted({one.replaces for one in about_it}))
    if replaces is not None:
        fitting = [one for one in about_it if one.is_of(model, replaces)]
        misfit = f"its evidence is against {others}, not {replaces}"
    else:
        running = terms.models_before()
        known = not running or model in running
        fitting = [one for one in about_it if known or any(one.is_of(model, other) for other in running or ())]
        misfit = f"its evidence is against {others}, which did not run here before"
    if not fitting:
        return None, [misfit]
    found = [(one, [*terms.misfits(one), *terms.faults(one, terms.hashes_of(one))]) for one in fitting]
    best, lacking = min(found, key=lambda pair: len(pair[1]))
    failed = [one for one, _ in found if same_baseline(one.replaces, best.replaces) and _still_fails(one, terms)]
    if lacking or not failed:
        return best, lacking
    changed = len(terms.faults(failed[0], terms.hashes_of(failed[0]))) > 1
    since = "; what that was of has changed since, so gate it again" if changed else ""
    return failed[0], [f"its gate ended fail on {_of_kind('dataset', failed[0].dataset)}, though another passed{since}"]


def _still_fails(held: Approval, terms: Terms) -> bool:
    """Whether a gate failed, and nothing but that speaks against its evidence, or that a file of it has changed."""
    return held.verdict == "fail" and not terms.misfits(held) and len(terms.faults(held, {})) == 1


def _warnings_about(held: Approval | None) -> Iterator[str]:
    if held is not None and held.expires_on is not None and held.dataset is None:
        yield "its evidence is of imported outputs, which no dataset here is compared with"


def warnings_of(pin: Pin, facts: PinFacts, now: datetime) -> Iterator[str]:
    """What to know of a pin beside its evidence."""
    if facts.lifecycle != "retired" and facts.retires_soon(now.date()):
        newest = f"; {facts.newer[-1].model} is the next of its tier" if facts.newer else ""
        yield f"the model retires on {facts.retires}{newest}"
    if pin.kind == "hidden":
        name = "its whole ARN" if is_open(pin.model) else "this name"
        yield f"it does not say which model it is; gate it by {name}, or mark the line `evalkit: ignore`"
    if pin.kind == "unknown":
        yield "it looks like a model id of a tier or spelling that is not known here; nothing is known of it"


def _pinned(model: str) -> str:
    pin = pin_of(model)
    return f"use its pin {pin!r}" if pin else "name an id that is pinned, see `evalkit models`"


def unproven_pairs(found: Iterable[Verdict]) -> list[tuple[str, str]]:
    """The models to run a gate on, baseline and candidate, each pair once; an alias by its pin where that is known. A
    name with variables in it cannot be run."""
    asked = [one.asked for one in found if one.unproven]
    pairs = [(one.replaces, one.pin) for one in asked if one.replaces is not None]
    runs = [(then, now) for then, now in pairs if not (is_open(then.model) or is_open(now.model))]
    return list(dict.fromkeys((_runnable(then), _runnable(now)) for then, now in runs))


def refuse_others(pairs: Iterable[tuple[str, str]], baseline: str | None, candidate: str | None) -> None:
    """UsageError for a model to run in place of a pin that is another one: no evidence on it counts for that pin."""
    for then, now in pairs:
        if baseline is not None and not same_baseline(meant_by(then), meant_by(baseline)):
            raise UsageError(_other("baseline", baseline, then))
        if candidate is not None and meant_by(candidate) != meant_by(now):
            raise UsageError(_other("candidate", candidate, now))


def _other(side: str, named: str, pin: str) -> str:
    return (
        f"--{side} {shown(named)} means another model than {pin}, whose evidence is asked for, so what it costs would"
        f" count for nothing; name {pin} as your provider spells it"
    )


def _runnable(pin: Pin) -> str:
    return f"{BEDROCK}{pin.model}" if pin.kind == "hidden" else pin_of(pin.model) or pin.model
