"""What a report withholds: passages that match a pattern, or all texts of items; the numbers of its data stay."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from evalkit.analysis.results import Analysis, ItemResult, OutputResult
from evalkit.analysis.routing import Routing
from evalkit.errors import UsageError
from evalkit.patterns import Pattern, hiding
from evalkit.wording import plural

if TYPE_CHECKING:
    import pandas as pd

_T = TypeVar("_T")
REDACTED, LEFT_OUT = "⟦redacted⟧", "⟦left out⟧"
SEARCH_LIMIT_S, ALL_SEARCHES_LIMIT_S = 10.0, 120.0
"""How long one pattern may be searched for in one text, and all patterns in all texts: some would take years."""
_TEXTS = ("output", "error", "comment", "ungraded_reason")
"""Columns of texts in the tables of trials and grades."""


@dataclass
class Redaction:
    """Takes out of texts what is to be withheld. `texts` False: nothing is left of any text.

    The same text gives the same text. Raises UsageError for a pattern that is none, that matches
    an empty text, or that takes too long.
    """

    patterns: Sequence[str] = ()
    texts: bool = True
    _compiled: list[Pattern] = field(init=False, repr=False)
    _known: dict[str, str] = field(default_factory=dict, repr=False)
    _ids: dict[str, str] = field(default_factory=dict, repr=False)
    _taken: set[str] = field(default_factory=set, repr=False)
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

    def name(self, text: str) -> str:
        """A short text that identifies something, such as a tag: without what matches."""
        if text not in self._known:
            found = self._known[text] = self._searched(text)
            self._known.setdefault(found, found)  # what is done stays as it is, its marks too
        return self._known[text]

    def text(self, text: str) -> str:
        """A text of an item, an output or a grader: without what matches, or a mark that it was left out."""
        return self.name(text) if self.texts or not text else LEFT_OUT

    def id(self, item_id: str) -> str:
        """An item's id without what matches, and still unlike every other."""
        if item_id not in self._ids:
            shown = self.name(item_id)
            number = len(self._ids) + 1
            self._ids[item_id] = f"{shown} {number}" if shown != item_id or shown in self._taken else shown
            self._taken.add(self._ids[item_id])
        return self._ids[item_id]

    def everywhere(self, document: _T) -> _T:
        """A document of records, without what matches in any string of it, names in mappings included.

        What a page refers to itself by stays, and so do the words of a fixed vocabulary (fields of a Literal type).
        """
        return _changed(document, self.name) if self._compiled else document

    def _searched(self, text: str) -> str:
        for pattern in self._compiled:
            left_s = min(SEARCH_LIMIT_S, ALL_SEARCHES_LIMIT_S - self._spent_s)
            begun_s = time.monotonic()
            try:
                text = _searched(text, pattern, max(left_s, 0.001))
            except TimeoutError as error:
                raise UsageError(
                    f"redact pattern {pattern.pattern!r} takes too long on these texts ({left_s:.1f} s); simplify it"
                ) from error
            self._spent_s += time.monotonic() - begun_s
        return text


def _searched(text: str, pattern: Pattern, timeout_s: float) -> str:
    """The text without what matches; a space that a page has no line break at is one like others."""
    held = "\N{NO-BREAK SPACE}" in text
    text, _ = pattern.subn(REDACTED, text, timeout=timeout_s)
    if not held:
        return text
    spaced, more = pattern.subn(REDACTED, text.replace("\N{NO-BREAK SPACE}", " "), timeout=timeout_s)
    return spaced if more else text


def _usable(pattern: str) -> Pattern:
    try:
        return hiding(pattern)
    except ValueError as error:
        raise UsageError(f"redact pattern {pattern!r} {error}") from error


_REFERENCES = frozenset(
    {"Section.name", "Span.link", "Series.key", "ItemView.anchor", "MapColumn.anchor", "Excerpt.file"}
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
        found.append(f"{name} {len(found) + 1}" if name in found else name)
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
    names = dict(
        zip((m.name for m in analysis.models), _apart([by.name(m.name) for m in analysis.models]), strict=True)
    )
    made = replace(
        analysis,
        spec=replace(analysis.spec, name=by.name(analysis.spec.name)),
        warnings=tuple(by.name(_renamed(warning, names)) for warning in analysis.warnings),
        routing=analysis.routing and _said_of(analysis.routing, lambda text: _renamed(text, names)),
        outputs=tuple(_item(item, by) for item in analysis.outputs),
        documents={by.name(name): by.text(text) for name, text in analysis.documents.items()},
        slices=tuple(
            replace(part, name=by.name(part.name), item_ids=tuple(map(by.id, part.item_ids)))
            for part in analysis.slices
        ),
        models=tuple(replace(m, name=names[m.name], failures=_merged(m.failures, by.name)) for m in analysis.models),
        grading=replace(
            analysis.grading,
            ungraded=_merged(analysis.grading.ungraded, by.text),
            told_apart=tuple(map(by.id, analysis.grading.told_apart)),
        ),
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


def _said_of(routing: Routing, say: Callable[[str], str]) -> Routing:
    """What routing says in words, changed; policies and models keep the ids by which a page finds them."""
    decision = routing.decision
    return replace(
        routing,
        values=tuple(
            replace(each, title=say(each.title), what=say(each.what), told=say(each.told)) for each in routing.values
        ),
        decision=replace(decision, reason=say(decision.reason), settles=say(decision.settles)),
        not_valued=tuple(replace(each, title=say(each.title), reason=say(each.reason)) for each in routing.not_valued),
        warnings=tuple(map(say, routing.warnings)),
    )


def _renamed(text: str, names: Mapping[str, str]) -> str:
    """A text with models called as everywhere else, so that several whose names become one stay apart."""
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, names[name])
    return text


def withheld_table(table: "pd.DataFrame", by: Redaction) -> "pd.DataFrame":
    """A table of trials or grades without what is to be withheld."""
    if by.texts and not by.patterns:
        return table
    rules = {"item_id": by.id, **dict.fromkeys(_TEXTS, by.text)}
    worded = {str(name): rules.get(str(name), by.name) for name in table if table[name].dtype.kind == "O"}
    changed = table.assign(**{name: table[name].map(_of_strings(rule)) for name, rule in worded.items()})
    return changed.set_axis(_apart([by.name(str(name)) for name in table]), axis=1)


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
