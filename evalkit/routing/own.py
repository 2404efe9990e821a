"""A team's own numbers: features known before a call, and scores known once an output is there, read line by line."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from evalkit.analysis.leaks import leaks_of_features, leaks_of_scores, leaks_of_tags, named_like_a_grade
from evalkit.analysis.results import Analysis
from evalkit.errors import ProblemsError, UsageError
from evalkit.json_lines import NotAnObjectError, json_object
from evalkit.router import FEATURES
from evalkit.routing.outcomes import FloatArray, Outcomes
from evalkit.routing.seen import CHECK_S, CHECK_USD
from evalkit.strict import Problem, did_you_mean, shown
from evalkit.wording import plural

Features = Mapping[str, Mapping[str, float]]
"""By item id, then by name."""
Scores = Mapping[tuple[str, str, int], Mapping[str, float]]
"""By item id, model and epoch, then by name; `CHECK_USD` and `CHECK_S` are what coming by a line's scores took."""

LARGEST = 1e100
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,60}")
_ONE_OBJECT = "write one JSON object per line"
_LEAVE_OUT = "leave it out: nobody knows that when a request is routed"
_SHOWN = 10


def parse_features(lines: Iterable[str], file: str, analysis: Analysis) -> Features:
    """Each item's numbers; ProblemsError with everything that is wrong, a feature that copies grades included."""
    reading = _Reading(file, analysis, place_keys=("item_id",))
    found = {key[0]: numbers for key, numbers in reading.rows(lines)}
    problems = [*reading.problems, *reading.alike(FEATURES, "evalkit computes it")]
    for name, line in reading.first_line.items():
        without = [item.id for item in analysis.outputs if name not in found.get(item.id, {})]
        if without and not reading.problems:
            what = f"{plural(len(without), 'item')} of the run {_have(without)} no {name!r}: {_some(without)}"
            problems.append(Problem(file, line, what, "give each item a number, or take it out of all lines"))
    problems += reading.told(leaks_of_features(analysis, found))
    _refuse(problems)
    return found


def parse_scores(lines: Iterable[str], file: str, analysis: Analysis) -> Scores:
    """Each output's numbers; ProblemsError with everything that is wrong, a score that copies grades included."""
    reading = _Reading(file, analysis, place_keys=("item_id", "model", "epoch"))
    found = {(key[0], key[1], int(key[2])): numbers for key, numbers in reading.rows(lines)}
    problems = [*reading.problems, *reading.alike((), ""), *reading.told(leaks_of_scores(analysis, found))]
    if set(reading.first_line) <= {CHECK_USD, CHECK_S} and not problems:
        problems.append(Problem(file, 1, "no line has a score", "add a number under a name of your own"))
    _refuse(problems)
    return found


def refuse_grades(analysis: Analysis, features: Features, scores: Scores) -> None:
    """UsageError if any column gives the grade away, whoever brings it."""
    if tags := leaks_of_tags(analysis):
        told = "; ".join(f"tag {tag!r} {reason}" for tag, reason in tags.items())
        raise UsageError(f"{told}; {_LEAVE_OUT}")
    leaks = {**leaks_of_features(analysis, features), **leaks_of_scores(analysis, scores)}
    if leaks:
        told = "; ".join(f"column {name!r} {reason}" for name, reason in leaks.items())
        raise UsageError(f"{told}; {_LEAVE_OUT}")


def scores_of(outcomes: Outcomes, scores: Scores) -> Mapping[str, FloatArray]:
    """The scores as arrays, nan where there is none."""
    names = sorted({name for numbers in scores.values() for name in numbers})
    found = {name: np.full(outcomes.satisfied.shape, np.nan) for name in names}
    rows = {item.id: place for place, item in enumerate(outcomes.items)}
    for (item, model, epoch), numbers in scores.items():
        if item in rows:
            for name, number in numbers.items():
                found[name][rows[item], outcomes.place(model), epoch - 1] = number
    return found


@dataclass
class _Reading:
    """One file as it is read: what is wrong with it, and on which line each name came first."""

    file: str
    analysis: Analysis
    place_keys: tuple[str, ...]
    problems: list[Problem] = field(default_factory=list)
    first_line: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._items = {item.id for item in self.analysis.outputs}
        self._models = [model.model for model in self.analysis.models]

    def rows(self, lines: Iterable[str]) -> Iterator[tuple[tuple[str, ...], dict[str, float]]]:
        """What each line is about (item, model, epoch), and its numbers; lines with problems are passed over."""
        seen: dict[tuple[str, ...], int] = {}
        any_line = False
        for number, text in enumerate(lines, start=1):
            if not text.strip():
                continue
            any_line = True
            before = len(self.problems)
            content = self._content(text, number)
            key = self._place(content, number)
            numbers = self._numbers(content, number)
            if key is not None and seen.setdefault(key, number) != number:
                what = f"{' of '.join(map(shown, key[:2]))} stands already on line {seen[key]}"
                self._bad(number, what, "keep one line")
            if key is not None and len(self.problems) == before:
                yield key, numbers
        if not any_line:
            self._bad(1, "no lines", _ONE_OBJECT)

    def _bad(self, line: int, what: str, remedy: str) -> None:
        self.problems.append(Problem(self.file, line, what, remedy))

    def _content(self, text: str, line: int) -> dict[str, object]:
        try:
            return json_object(text)
        except NotAnObjectError as error:
            for what in error.problems:
                self._bad(line, what, _ONE_OBJECT)
            return error.partly or {}

    def _place(self, content: Mapping[str, object], line: int) -> tuple[str, ...] | None:
        if not content:
            return None
        item, found = content.get("item_id"), [True]
        if not isinstance(item, str) or item not in self._items:
            what = f"item_id {shown(item)} is no item of the run" if "item_id" in content else "'item_id' is missing"
            self._bad(line, what, "name an item of the run")
            found.append(False)
        if "model" not in self.place_keys:
            return (str(item),) if all(found) else None
        model, epoch = content.get("model"), content.get("epoch", 1)
        if model not in self._models:
            what = f"model {shown(model)} is not in the run" if "model" in content else "'model' is missing"
            self._bad(line, what, did_you_mean(str(model), self._models))
            found.append(False)
        epochs = self.analysis.spec.epochs
        if "epoch" not in content and epochs > 1:
            self._bad(line, f"'epoch' is missing, and the run has {epochs}", "say which output it is")
            found.append(False)
        elif isinstance(epoch, bool) or not isinstance(epoch, int) or not 1 <= epoch <= epochs:
            self._bad(line, f"epoch {shown(epoch)} is not in the run", f"use a whole number from 1 to {epochs}")
            found.append(False)
        return (str(item), str(model), str(epoch)) if all(found) else None

    def _numbers(self, content: Mapping[str, object], line: int) -> dict[str, float]:
        found: dict[str, float] = {}
        for name in content:
            if name in self.place_keys:
                continue
            value = content[name]
            new = name not in self.first_line
            self.first_line.setdefault(name, line)
            if not _NAME.fullmatch(name):
                if new:
                    self._bad(
                        line, f"{shown(name)} is no name", "use letters, digits, '_', '.' and '-', a letter first"
                    )
            elif isinstance(value, bool) or not isinstance(value, int | float):
                self._bad(line, f"{name!r} is {shown(value)}", "write a number")
            elif not abs(value) <= LARGEST:
                self._bad(line, f"{name!r} is {shown(str(value))}, no finite number of use", f"stay within {LARGEST:g}")
            elif name in (CHECK_USD, CHECK_S) and value < 0:
                self._bad(line, f"{name!r} is {value:g}", "write what the check cost and took, 0 or more")
            else:
                found[name] = float(value)
        if content and not set(content) - set(self.place_keys):
            self._bad(line, "no number", f"add one beside {' and '.join(self.place_keys)}")
        return found

    def alike(self, taken: Iterable[str], why: str) -> Iterator[Problem]:
        """Names that policies could not be told apart by."""
        known = {_plain(name): (name, why) for name in taken}
        for name, line in self.first_line.items():
            if _plain(name) in known:
                other, reason = known[_plain(name)]
                yield Problem(self.file, line, f"{name!r} reads as {other!r}: {reason}", "use another name")
            else:
                known[_plain(name)] = (name, "both are in the file")

    def told(self, leaks: Mapping[str, str]) -> Iterator[Problem]:
        """Columns that give the grade away."""
        for name, line in self.first_line.items():
            reason = named_like_a_grade(self.analysis, name) or leaks.get(name)
            if reason:
                yield Problem(self.file, line, f"column {name!r} {reason}", _LEAVE_OUT)


def _plain(name: str) -> str:
    return re.sub(r"[_.-]", "", name).lower()


def _have(items: list[str]) -> str:
    return "has" if len(items) == 1 else "have"


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(map(shown, names[:_SHOWN])) + (f" and {more} more" if more > 0 else "")


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise ProblemsError([str(problem) for problem in sorted(problems)])
