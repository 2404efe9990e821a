"""Columns that give the evaluation's grade away, by their name or by what stands in them: no router may see those."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from math import lgamma, log

import numpy as np
import numpy.typing as npt

from evalkit.analysis.columns import FloatArray, IntArray
from evalkit.analysis.results import Analysis, OutputResult
from evalkit.grader_names import JUDGE

BoolArray = npt.NDArray[np.bool_]
LEAST_VALUES = 5
"""Values below which a column and a grade may well agree by chance, so that names alone are looked at."""
BY_CHANCE = log(1e-6)
"""How often a shuffled column may order outputs as a grade does, where the two are not one to one."""
_ANY_BY_CHANCE = log(1e-4)
"""How often any of all tags may be on one verdict's items alone: many are on an item or two, as odd verdicts are."""
_GLANCE = 200
"""Values that mostly tell already that a column and a grade go apart."""
_LEAST_TOLD, _TOLD, _ALIKE, _FEW = 30, 0.97, 0.90, 12
"""Items, share told right, largest share of one verdict, and values, for `nearly`."""
_ALWAYS = frozenset({
    "satisfied", "unsatisfied", "satisfactory", "unsatisfactory", "grade", "grades", "graded", "verdict", "verdicts",
})  # fmt: skip
_ALONE = frozenset({"score", "scores", "level", "levels", "difficulty"})
"""Words that name a grade, or a label of those who know the answer, unless another word says whose they are."""
_BESIDE = frozenset({"mean", "median", "overall", "final", "total", "rubric", "value"})


def leaks_of_features(analysis: Analysis, own: Mapping[str, Mapping[str, float]]) -> Mapping[str, str]:
    """Columns that may not be features, with the reason; values by item id, then by name."""
    rows = [own.get(item.id, {}) for item in analysis.outputs]
    return _leaks(analysis, {name: np.array([_column(rows, name)]) for name in _names(own.values())})


def leaks_of_scores(
    analysis: Analysis, scores: Mapping[tuple[str, str, int], Mapping[str, float]]
) -> Mapping[str, str]:
    """Columns that may not be scores of outputs, with the reason; values by item id, model and epoch, then by name."""
    rows = [
        [scores.get((item.id, model.model, epoch), {}) for item in analysis.outputs]
        for model in analysis.models
        for epoch in range(1, analysis.spec.epochs + 1)
    ]
    names = _names(scores.values())
    return _leaks(analysis, {name: np.array([_column(part, name) for part in rows]) for name in names})


def leaks_of_tags(analysis: Analysis) -> Mapping[str, str]:
    """Tags that may not be features, with the reason. There may be as many as items: a column of each is never made."""
    tags = sorted({tag for item in analysis.outputs for tag in item.tags})
    if not tags:
        return {}
    number = {tag: i for i, tag in enumerate(tags)}
    pairs = [(number[tag], i) for i, item in enumerate(analysis.outputs) for tag in set(item.tags)]
    tag_of, item_of = np.array(pairs, dtype=np.int64).T
    grades = _by_item(analysis, _grades(analysis))
    said = [(what, TaggedGrade(tag_of, item_of, grade, len(tags))) for what, grade in grades]
    found: dict[int, str] = {}
    for what, tagged in said:
        for i in np.flatnonzero(tagged.relabelled):
            found.setdefault(int(i), f"repeats the {what} under another name")
    for what, tagged in said:
        for i in np.flatnonzero(tagged.nearly):
            found.setdefault(int(i), f"tells the {what}, but for a few items at most")
    return {tags[i]: found[i] for i in sorted(found)}


def _names(rows: Iterable[Mapping[str, float]]) -> list[str]:
    return sorted({name for numbers in rows for name in numbers})


def _column(rows: Sequence[Mapping[str, float]], name: str) -> list[float]:
    return [row.get(name, np.nan) for row in rows]


def _leaks(analysis: Analysis, columns: Mapping[str, FloatArray]) -> Mapping[str, str]:
    """`columns`: parts (one, or one for each model and epoch) x items."""
    grades = _grades(analysis) if columns else {}
    found = {
        name: named_like_a_grade(analysis, name) or _by_content(analysis, columns[name], grades) for name in columns
    }
    return {name: reason for name, reason in found.items() if reason}


def named_like_a_grade(analysis: Analysis, name: str) -> str:
    """What a column's name says that no router may know; empty if nothing."""
    spelled = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower())
    models = {word for model in analysis.models for word in re.findall(r"[a-z]+", model.model)}
    rest = "".join(word for word in spelled if word not in _ALONE | _BESIDE | models)
    for criterion in analysis.criteria:
        if _plain(criterion.id) in (_plain(name), rest if _ALONE & set(spelled) else None):
            return f"is named like criterion {criterion.id!r} of the rubric, a grade"
    if _ALWAYS & set(spelled) or (_ALONE & set(spelled) and not rest):
        label = "difficulty" in spelled
        return "is a label of those who know the answer" if label else "is named like a grade"
    grading = analysis.grading
    graders = {*grading.graders, *grading.judges, *grading.people, *grading.idle, *grading.dropped}
    if _plain(name) in {_plain(each) for grader in graders for each in (grader, grader.removeprefix(JUDGE))}:
        return "is named like a grader"
    return ""


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _grades(analysis: Analysis) -> Mapping[str, FloatArray]:
    """Everything that grading says, by what it is called: models x epochs x items, nan where it says nothing."""
    models, epochs = [model.model for model in analysis.models], analysis.spec.epochs
    kinds = ["verdicts", "judges' verdicts", "scores", *(f"levels of {one.id!r}" for one in analysis.criteria)]
    found = {kind: np.full((len(models), epochs, len(analysis.outputs)), np.nan) for kind in kinds}
    for i, item in enumerate(analysis.outputs):
        for output in item.outputs:
            for kind, value in zip(kinds, _said(analysis, output), strict=True):
                if value is not None:
                    found[kind][models.index(output.model), output.epoch - 1, i] = round(float(value), 9)
    return found


def _said(analysis: Analysis, output: OutputResult) -> list[float | None]:
    levels = [output.levels.get(one.id) for one in analysis.criteria]
    return [output.satisfied, output.judge_satisfied, output.score, *levels]


def _by_content(analysis: Analysis, column: FloatArray, grades: Mapping[str, FloatArray]) -> str:
    for kind, values in grades.items():
        if len(column) > 1 and relabels(column.ravel(), values.ravel()):
            return f"repeats the {kind} of the outputs under another name"
    said = list(_by_item(analysis, grades))
    for what, grade in said:
        if any(relabels(part, grade) for part in column):
            return f"repeats the {what} under another name"
    for what, grade in said if len(column) == 1 else ():
        if nearly(column[0], grade):
            return f"tells the {what}, but for a few items at most"
    return ""


def _by_item(analysis: Analysis, grades: Mapping[str, FloatArray]) -> Iterator[tuple[str, FloatArray]]:
    """What grading says of each item: of each model's output, on average, and which models satisfied."""
    for kind, values in grades.items():
        for model, by_epoch in zip(analysis.models, values, strict=True):
            for grade in by_epoch if len(by_epoch) == 1 else [*by_epoch, by_epoch.mean(axis=0)]:
                yield f"{kind} on {model.name}", grade
        yield f"mean {kind} of all models", values.mean(axis=(0, 1))
    passed = grades["verdicts"].mean(axis=1)
    yield "verdict whether any model satisfied", passed.max(axis=0)
    yield "verdict whether all models satisfied", passed.min(axis=0)
    costs = [model.cost_per_request.value or 0.0 for model in analysis.models]
    known = np.nan_to_num(passed[np.argsort(costs, kind="stable")])
    yield "cheapest model that satisfied", np.where(known.any(axis=0), (known > 0).argmax(axis=0), len(known))
    for a, of_a in zip(analysis.models, passed, strict=True):
        for b, of_b in zip(analysis.models, passed, strict=True):
            if a is not b:
                yield f"verdicts on {a.name} against {b.name}", of_a - of_b
                yield f"verdict whether {a.name} alone of the two satisfied", of_a * (1 - of_b)


def relabels(column: FloatArray, grade: FloatArray) -> bool:
    """Whether a column says what a grade says, with other numbers: one is a function of the other, wherever both are.

    One to one and in order (or in the reverse order): always. Else only where chance would not do it: in order, but
    one of them finer; or one to one in another order. Few values, or all alike, say nothing.
    """
    both = np.isfinite(column) & np.isfinite(grade)
    c, g = column[both], grade[both]
    if len(c) < LEAST_VALUES or np.ptp(c) == 0 or np.ptp(g) == 0 or _by_luck(c[:_GLANCE], g[:_GLANCE]) is None:
        return False
    luck = _by_luck(c, g)
    return luck is not None and luck < BY_CHANCE


def nearly(column: FloatArray, grade: FloatArray) -> bool:
    """Whether something known before the call tells a verdict better than any honest sign of it could.

    Each value of a column of few, or the best threshold of one of many, gets at least 97 of 100 verdicts right, of
    which no more than 90 are alike; also on the rest alone, where most items have one value that says nothing.
    """
    both = np.isfinite(column) & np.isfinite(grade)
    c, g = column[both], grade[both]
    if not len(c) or not np.isin(g, (0.0, 1.0)).all():
        return False
    values, counts = np.unique(c, return_counts=True)
    rest = c != values[counts.argmax()]
    return _tells(c, g) or (len(values) > 2 and _tells(c[rest], g[rest]))


def _tells(column: FloatArray, verdict: FloatArray) -> bool:
    n = len(column)
    if n < _LEAST_TOLD or max(verdict.mean(), 1 - verdict.mean()) > _ALIKE:
        return False
    values, codes = np.unique(column, return_inverse=True)
    if len(values) <= _FEW:
        passed, all_ = np.bincount(codes, weights=verdict), np.bincount(codes)
        return bool(np.maximum(passed, all_ - passed).sum() >= _TOLD * n)
    passed = np.cumsum(verdict[np.argsort(column, kind="stable")])
    right = passed + (n - np.arange(1, n + 1)) - (passed[-1] - passed)  # verdicts 1 up to a threshold, 0 above it
    return bool(max(right.max(), n - right.min()) >= _TOLD * n)


class TaggedGrade:
    """A grade of items beside their tags, of which `tag_of[k]` is on item `item_of[k]`; nan where it says nothing.

    For each tag what `relabels` and `nearly` say of its column, 1 on the items that have it and 0 on the others.
    """

    def __init__(self, tag_of: IntArray, item_of: IntArray, grade: FloatArray, tags: int) -> None:
        known = np.isfinite(grade[item_of])
        self.grade, self.tags = grade[np.isfinite(grade)], tags
        self._tag, self._on = tag_of[known], grade[item_of[known]]

    @cached_property
    def _items(self) -> IntArray:
        """How many items with a grade have each tag."""
        return np.bincount(self._tag, minlength=self.tags)

    @property
    def relabelled(self) -> BoolArray:
        """Tags that are a function of the grade, and no lucky one."""
        n, k = len(self.grade), self._items
        values, counts = np.unique(self.grade, return_counts=True)
        if n < LEAST_VALUES or len(values) < 2:
            return np.zeros(self.tags, dtype=np.bool_)
        pairs = np.unique(self._tag * len(values) + np.searchsorted(values, self._on))
        tag, code = pairs // len(values), pairs % len(values)
        alone = np.bincount(tag, weights=counts[code], minlength=self.tags) == k  # their values stand nowhere else
        kinds = np.bincount(tag, minlength=self.tags)
        lowest, highest = np.full(self.tags, len(values)), np.full(self.tags, -1)
        np.minimum.at(lowest, tag, code)
        np.maximum.at(highest, tag, code)
        last = len(values) - 1
        at_an_end = ((lowest == 0) & (highest == kinds - 1)) | ((highest == last) & (lowest == last - kinds + 1))
        found: BoolArray = (k > 0) & (k < n) & alone & at_an_end
        enough = BY_CHANCE if len(values) > 2 else _ANY_BY_CHANCE - log(max(1, self.tags))
        for i in np.flatnonzero(found):
            ways = lgamma(k[i] + 1) + lgamma(n - k[i] + 1) - lgamma(n + 1) + log(2)
            found[i] = ways < enough
        return found

    @property
    def nearly(self) -> BoolArray:
        """Tags that tell a verdict but for a few items."""
        n, k, passed = len(self.grade), self._items, float(self.grade.sum())
        if n < _LEAST_TOLD or not np.isin(self.grade, (0.0, 1.0)).all() or max(passed, n - passed) > _ALIKE * n:
            return np.zeros(self.tags, dtype=np.bool_)
        told = np.bincount(self._tag, weights=self._on, minlength=self.tags)
        right = np.maximum(told, k - told) + np.maximum(passed - told, n - k - (passed - told))
        return np.asarray(right >= _TOLD * n)


def _by_luck(column: FloatArray, grade: FloatArray) -> float | None:
    """Logarithm of how often shuffled values say the same, minus infinity for a copy; None if these do not."""
    c, g = (np.unique(values, return_inverse=True)[1] for values in (column, grade))
    kinds = [int(codes.max()) + 1 for codes in (c, g)]
    if len(np.unique(c * kinds[1] + g)) > max(kinds):
        return None
    fine, coarse = (c, g) if kinds[0] >= kinds[1] else (g, c)
    ordered, one_to_one = _in_order(fine, coarse), kinds[0] == kinds[1]
    if not ordered and not one_to_one:
        return None
    if ordered and one_to_one:
        return -np.inf
    ways = log(2) if ordered else lgamma(min(kinds) + 1)
    return sum(lgamma(size + 1) for size in np.bincount(coarse)) - lgamma(len(c) + 1) + ways


def _in_order(fine: IntArray, coarse: IntArray) -> bool:
    """Whether the coarser codes rise, or fall, with the finer ones."""
    of_each = np.zeros(int(fine.max()) + 1, dtype=np.int64)
    of_each[fine] = coarse
    steps = np.diff(of_each)
    return bool((steps >= 0).all() or (steps <= 0).all())
