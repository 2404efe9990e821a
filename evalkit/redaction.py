"""What a report withholds: passages that match a pattern, or all texts of items; the numbers of its data stay."""

import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from evalkit.analysis.columns import LEVEL
from evalkit.analysis.reliability import FloorValidity, JudgeValidity, PairAccuracy
from evalkit.analysis.results import Analysis, ItemResult, OutputResult
from evalkit.difficulty import Difficulty
from evalkit.errors import UsageError
from evalkit.grader_names import judge_model
from evalkit.models import display_name
from evalkit.patterns import Pattern, hiding
from evalkit.records import Spec
from evalkit.wording import plural

if TYPE_CHECKING:
    import pandas as pd

_T = TypeVar("_T")
REDACTED, LEFT_OUT = "⟦redacted⟧", "⟦left out⟧"
_MARKS = re.compile(r"⟦redacted(?: \d+)?⟧|⟦left out⟧")
_OPENINGS = re.compile(r"(?:^|(?<=[.:;!?] )|(?<=\n))[^\W\d_]")
"""Capitals that a sentence may have given to what it begins with."""
SEARCH_LIMIT_S, ALL_SEARCHES_LIMIT_S = 10.0, 120.0
"""How long one pattern may be searched for in one text, and all patterns in all texts: some would take years."""
_TEXTS = ("output", "error", "comment", "ungraded_reason")
"""Columns of texts in the tables of trials and grades."""


@dataclass
class Redaction:
    """Takes out of texts what is to be withheld. `texts` False: nothing is left of any text.

    The same text gives the same text; names that were told apart (`tell_apart`) stay so wherever they stand. Raises
    UsageError for a pattern that is none, that matches an empty text, or that takes too long.
    """

    patterns: Sequence[str] = ()
    texts: bool = True
    _compiled: list[Pattern] = field(init=False, repr=False)
    _known: dict[str, str] = field(default_factory=dict, repr=False)
    _ids: dict[str, str] = field(default_factory=dict, repr=False)
    _taken: set[str] = field(default_factory=set, repr=False)
    _names: dict[str, str] = field(default_factory=dict, repr=False)
    _whole: re.Pattern[str] | None = field(default=None, repr=False)
    _anywhere: re.Pattern[str] | None = field(default=None, repr=False)
    _wherever: set[str] = field(default_factory=set, repr=False)
    _number: int = 0
    _spent_s: float = 0.0

    def __post_init__(self) -> None:
        self._compiled = [_usable(pattern) for pattern in self.patterns]

    @property
    def notes(self) -> list[str]:
        """What was withheld, as sentences; the patterns stay unnamed, since they may be what is to be hidden."""
        said = [] if self.texts else ["Texts of items, outputs and notes are left out of this report (--no-outputs)."]
        if self._compiled:
            said.append(f"What matches {plural(len(self._compiled), 'pattern')} is replaced by {REDACTED}.")
        return said

    def tell_apart(self, things: Sequence[Collection[str]], *, wherever: bool = False) -> None:
        """What each of several things is called, before any text that has it: where two would be called alike, or one
        as something told before, all that are hidden get a number, one a thing. What was told apart already stays as it
        is. `wherever`: such a name is hidden also where no pattern matches, as one that must be all of a text, and so
        is any that no pattern matches but for a name in it; not so a tag that is a common word."""
        hidden = [{name: self._searched(name) for name in names} for names in things]
        told = Counter(shown for found in hidden for shown in set(found.values()))
        alike = any(count > 1 for count in told.values()) or not told.keys().isdisjoint(self._names.values())
        for found in hidden:
            new = {name: shown for name, shown in found.items() if shown != name and name not in self._names}
            number = self._next() if alike and new else None
            self._names |= {name: shown if number is None else _numbered(shown, number) for name, shown in new.items()}
            self._wherever |= {name for name in new if wherever or not self._matches(name)}
        self._whole, self._anywhere = _any_of(self._names), _any_of(self._wherever)
        self._known.clear()

    def _matches(self, name: str) -> bool:
        return any(True for pattern in self._compiled for _ in self._spans(pattern, _readings(name)))

    def _next(self) -> int:
        """A number that nothing else is told by."""
        self._number += 1
        return self._number

    def name(self, text: str) -> str:
        """A short text that identifies something, such as a tag: without what matches."""
        if text not in self._known:
            self._known[text] = self._searched(text)
        return self._known[text]

    def text(self, text: str) -> str:
        """A text of an item, an output or a grader: without what matches, or a mark that it was left out."""
        return self.name(text) if self.texts or not text else LEFT_OUT

    def id(self, item_id: str) -> str:
        """An item's id without what matches, and still unlike every other."""
        if item_id not in self._ids:
            shown = self.name(item_id)
            apart = shown == item_id and shown not in self._taken
            self._ids[item_id] = shown if apart else _numbered(shown, self._next())
            self._taken.add(self._ids[item_id])
        return self._ids[item_id]

    def everywhere(self, document: _T) -> _T:
        """A document of records, without what matches in any string of it, names in mappings included.

        What a page refers to itself by stays, and so do the words of a fixed vocabulary (fields of a Literal type).
        """
        return _changed(document, self.name) if self._compiled else document

    def _searched(self, text: str) -> str:
        """The text without what matches. A name that was told apart is hidden as a whole, unless more than it matches;
        what is hidden already stays as it is."""
        readings = _readings(text)
        found = [span for pattern in self._compiled for span in self._spans(pattern, readings)]
        if not found and not self._names:
            return text
        kept = [(*match.span(), match.group()) for match in _MARKS.finditer(text)]
        kept += [
            (start, end, self._names[name])
            for (start, end), name in _places(self._whole, readings).items()
            if name in self._wherever or any(first < end and start < last for first, last in found)
        ]
        kept += [  # in a longer name, too, that stays
            (start, end, self._names[name])
            for (start, end), name in _places(self._anywhere, readings).items()
            if not any(first < end and start < last for first, last, _ in kept)
        ]
        matches = [(start, end, REDACTED) for start, end in _joined(found)]
        whole = [each for each in kept if not any(_reaches_beyond(match, each) for match in matches)]
        rest = [match for match in matches if not any(start <= match[0] and match[1] <= end for start, end, _ in whole)]
        return _with(text, sorted(whole + rest))

    def _spans(self, pattern: Pattern, readings: Sequence[str]) -> Iterable[tuple[int, int]]:
        for reading in readings:
            left_s = min(SEARCH_LIMIT_S, ALL_SEARCHES_LIMIT_S - self._spent_s)
            begun_s = time.monotonic()
            try:
                yield from [m.span() for m in pattern.finditer(reading, timeout=max(left_s, 0.001)) if m.group()]
            except TimeoutError as error:
                raise UsageError(
                    f"redact pattern {pattern.pattern!r} takes too long on these texts ({left_s:.1f} s); simplify it"
                ) from error
            self._spent_s += time.monotonic() - begun_s


def _any_of(names: Collection[str]) -> re.Pattern[str] | None:
    """Finds names as words of their own, the longest where several stand; None without any."""
    longest_first = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    return re.compile(rf"(?<!\w)(?:{longest_first})(?!\w)") if longest_first else None


def _places(names: re.Pattern[str] | None, readings: Sequence[str]) -> dict[tuple[int, int], str]:
    return {} if names is None else {m.span(): m.group() for text in readings for m in names.finditer(text)}


def _readings(text: str) -> list[str]:
    """A text as it is and as it was before a page held its words together and began its sentences with a capital."""
    spaced = text.replace("\N{NO-BREAK SPACE}", " ")
    return list(dict.fromkeys((text, spaced, _OPENINGS.sub(_lowered, spaced))))


def _lowered(match: re.Match[str]) -> str:
    lower = match.group().lower()
    return lower if len(lower) == 1 else match.group()  # so that all readings are as long as the text


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, those that overlap as one."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start < found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def _reaches_beyond(match: tuple[int, int, str], kept: tuple[int, int, str]) -> bool:
    """Whether a match overlaps what would be kept whole and has more than it."""
    overlaps = match[0] < kept[1] and kept[0] < match[1]
    return overlaps and (match[0] < kept[0] or match[1] > kept[1])


def _with(text: str, changes: Iterable[tuple[int, int, str]]) -> str:
    """The text with spans replaced, of those that overlap the first."""
    parts, at = [], 0
    for start, end, new in changes:
        if start >= at:
            parts += [text[at:start], new]
            at = end
    return "".join((*parts, text[at:]))


def _numbered(shown: str, number: int) -> str:
    """What is hidden with a number that tells it from others."""
    return shown.replace(REDACTED, f"⟦redacted {number}⟧", 1) if REDACTED in shown else f"{shown} {number}"


def _usable(pattern: str) -> Pattern:
    try:
        return hiding(pattern)
    except ValueError as error:
        raise UsageError(f"redact pattern {pattern!r} {error}") from error


_REFERENCES = frozenset(
    {"Section.name", "Note.rest", "Span.link", "Series.key", "ItemView.anchor", "MapColumn.anchor", "Excerpt.file"}
)


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    """A tree of records, lists and mappings with every string in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return dict(zip(_apart([_changed(key, change) for key in value]), _each(value.values(), change), strict=True))
    if isinstance(value, tuple | list):
        return tuple(_each(value, change))
    if not is_dataclass(value) or isinstance(value, type):
        return value
    found = {name: (getattr(value, name), _changed(getattr(value, name), change)) for name in _open_fields(type(value))}
    new = {name: made for name, (old, made) in found.items() if made != old}
    return replace(value, **new) if new else value


def _each(values: Iterable[Any], change: Callable[[str], str]) -> list[Any]:
    return [_changed(one, change) for one in values]


def _apart(names: list[Any]) -> list[Any]:
    """Names of a mapping, of which several may have become one: the later ones with a number."""
    found: list[Any] = []
    for name in names:
        found.append(f"{name} ({len(found) + 1})" if name in found else name)
    return found


@cache
def _open_fields(kind: Any) -> tuple[str, ...]:
    return tuple(
        each.name
        for each in fields(kind)
        if "Literal" not in str(each.type) and f"{kind.__name__}.{each.name}" not in _REFERENCES
    )


def withheld(analysis: Analysis, by: Redaction) -> Analysis:
    """The analysis without what is to be withheld, and with a warning that says so."""
    if by.texts and not by.patterns:
        return analysis
    quality, sweep = analysis.item_quality, analysis.sweep
    called = [(model, display_name(model, analysis.spec.models)) for model in models_of(analysis)]
    by.tell_apart(called, wherever=True)
    routers = () if analysis.routing is None else analysis.routing.values
    by.tell_apart([(value.name,) for value in routers if value.kind != "single"])
    by.tell_apart([(grader,) for grader in _graders(analysis)], wherever=True)
    criteria = [str(criterion["id"]) for criterion in analysis.spec.rubric.get("criteria", ())]
    by.tell_apart([(name,) for name in criteria], wherever=True)
    by.tell_apart([(tag,) for tag in dict.fromkeys(tag for item in analysis.outputs for tag in item.tags)])
    by.tell_apart([(level,) for level in get_args(Difficulty)])
    by.tell_apart([(name,) for name in analysis.documents])
    made = replace(
        analysis,
        spec=_spec(analysis.spec, by),
        warnings=tuple(map(by.name, analysis.warnings)),
        outputs=tuple(_item(item, by) for item in analysis.outputs),
        documents={by.name(name): by.text(text) for name, text in analysis.documents.items()},
        slices=tuple(
            replace(part, name=by.name(part.name), item_ids=tuple(map(by.id, part.item_ids)))
            for part in analysis.slices
        ),
        models=tuple(replace(m, name=by.name(m.name), failures=_merged(m.failures, by.name)) for m in analysis.models),
        grading=replace(
            analysis.grading,
            ungraded=_merged(analysis.grading.ungraded, by.text),
            told_apart=tuple(map(by.id, analysis.grading.told_apart)),
        ),
        judges=tuple(_validity(judge, by) for judge in analysis.judges),
        against=tuple(
            replace(p, improved=tuple(map(by.id, p.improved)), regressed=tuple(map(by.id, p.regressed)))
            for p in analysis.against
        ),
        disputes=tuple(replace(dispute, item_id=by.id(dispute.item_id)) for dispute in analysis.disputes),
        sweep=sweep
        and replace(
            sweep,
            ranges=tuple(replace(found, name=by.name(found.name)) for found in sweep.ranges),
            lacking=tuple(replace(found, name=by.name(found.name)) for found in sweep.lacking),
        ),
        item_quality=quality
        and replace(
            quality,
            discriminating_ids=tuple(map(by.id, quality.discriminating_ids)),
            floor_ids=tuple(map(by.id, quality.floor_ids)),
            doubtful_ids=tuple(map(by.id, quality.doubtful_ids)),
        ),
    )
    return replace(made, warnings=(*made.warnings, *by.notes))


def _validity(judge: JudgeValidity, by: Redaction) -> JudgeValidity:
    """With the ids of the items hidden on which it erred."""

    def pairs(of: JudgeValidity | FloorValidity) -> tuple[PairAccuracy, ...]:
        return tuple(
            replace(pair, errors=tuple(replace(one, item_id=by.id(one.item_id)) for one in pair.errors))
            for pair in of.by_pair
        )

    floors = {name: replace(floor, by_pair=pairs(floor)) for name, floor in judge.floors.items()}
    return replace(judge, by_pair=pairs(judge), floors=floors)


def models_of(analysis: Analysis) -> list[str]:
    """The ids of all models that an analysis speaks of: those of its run, of an earlier one, of other sizes, and the
    one that chose its items."""
    sizes = () if analysis.sweep is None else analysis.sweep.ranges
    earlier = () if analysis.baseline is None else analysis.baseline.models
    chose = [model for model in [(analysis.spec.condition or {}).get("model")] if model]
    return list(dict.fromkeys((*analysis.spec.models, *earlier, *(found.model for found in sizes), *chose)))


def _graders(analysis: Analysis) -> list[str]:
    """Everybody who graded, or was to, in any round; judges by their models."""
    grading = analysis.grading
    named = [*grading.graders, *grading.idle, *grading.people, *grading.judges, *grading.dropped]
    named += [judge.judge for judge in analysis.judges]
    named += [grader for found in analysis.agreement for grader in found.graders]
    return list(dict.fromkeys(judge_model(grader) for grader in named))


def _spec(spec: Spec, by: Redaction) -> Spec:
    """With its name hidden, and that of the model which chose its items: every mark of such a run names it."""
    chosen, shown = spec.condition, replace(spec, name=by.name(spec.name), kept_sha256=spec.sha256)
    if chosen is None or "model" not in chosen:
        return shown
    name = display_name(chosen["model"])
    return shown if by.name(name) == name else replace(shown, condition={**chosen, "model": by.name(name)})


def withheld_table(table: "pd.DataFrame", by: Redaction) -> "pd.DataFrame":
    """A table of trials or grades without what is to be withheld."""
    if by.texts and not by.patterns:
        return table
    rules = {"item_id": by.id, **dict.fromkeys(_TEXTS, by.text)}
    worded = {str(name): rules.get(str(name), by.name) for name in table if table[name].dtype.kind == "O"}
    changed = table.assign(
        **{name: table[name].map(_of_strings(rule)).astype(table[name].dtype) for name, rule in worded.items()}
    )
    return changed.set_axis(_apart([_column(str(name), by) for name in table]), axis=1)


def _column(name: str, by: Redaction) -> str:
    criterion = name.removeprefix(LEVEL)
    return by.name(name) if criterion == name else LEVEL + by.name(criterion)


def _of_strings(rule: Callable[[str], str]) -> Callable[[Any], Any]:
    return lambda value: rule(value) if isinstance(value, str) else value


def _item(item: ItemResult, by: Redaction) -> ItemResult:
    return replace(
        item,
        id=by.id(item.id),
        task=by.text(item.task),
        reference=None if item.reference is None else by.text(item.reference),
        tags=tuple(map(by.name, item.tags)),
        documents=tuple(map(by.name, item.documents)),
        outputs=tuple(_output(output, by) for output in item.outputs),
    )


def _output(output: OutputResult, by: Redaction) -> OutputResult:
    return replace(
        output,
        text=by.text(output.text),
        comments={criterion: by.text(comment) for criterion, comment in output.comments.items()},
        ungraded={criterion: by.text(reason) for criterion, reason in output.ungraded.items()},
        error=None if output.error is None else by.text(output.error),
        remarks=tuple(replace(remark, note=by.text(remark.note)) for remark in output.remarks),
    )


def _merged(counts: Mapping[str, int], name: Callable[[str], str]) -> dict[str, int]:
    """Counts by a name of which several may have become one."""
    found: dict[str, int] = {}
    for key, count in counts.items():
        found[name(key)] = found.get(name(key), 0) + count
    return found
