"""What is doubtful about a dataset before money is spent on it: size, mix, repeats, references, context, requests."""

import json
import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from evalkit.compared import CannotCompareError, expected_of
from evalkit.dataset import Dataset, Item
from evalkit.models import known
from evalkit.request_check import request_doubts
from evalkit.rubric import Criterion
from evalkit.strict import Problem
from evalkit.turns import Message
from evalkit.wording import plural

ADVISED_ITEMS = (50, 100)
EASY_SHARE = 0.60
NEAR_DUPLICATE = 0.80
_CHARACTERS_PER_TOKEN = 4.2
_COMMON_WORDS = 50
"""Word triples that stand in more items than this are phrases of the trade, not signs of copying."""


def errors(path: Path, dataset: Dataset, criteria: Sequence[Criterion]) -> list[Problem]:
    """What would spoil a run of a dataset that could be read."""
    found = [
        *_repeats(path, dataset),
        *_references(path, dataset, criteria),
        *_context(path, dataset),
        *request_doubts(path, dataset),
    ]
    return sorted(problem for problem in found if problem.severity == "error")


def doubts(path: Path, dataset: Dataset, criteria: Sequence[Criterion], unread: int = 0) -> list[Problem]:
    """Every problem of a dataset that could be read: errors that spoil a run, and warnings.

    `unread`: further items that stand in the file and have errors. Without the whole card, nobody knows what
    requests are like.
    """
    found = [
        *_repeats(path, dataset),
        *_near_repeats(path, dataset),
        *_references(path, dataset, criteria),
        *_size(path, len(dataset.items) + unread),
        *_mix(path, dataset),
        *_context(path, dataset),
        *(request_doubts(path, dataset) if dataset.card_is_whole else ()),
    ]
    return sorted(found)


def beyond_windows(path: Path, dataset: Dataset, models: Sequence[str]) -> Iterator[Problem]:
    """Models whose context window is too small for a prompt, by the length of what is always in it (estimated)."""
    sizes = {item.id: _least_tokens(item, dataset) for item in dataset.items}
    for model in models:
        facts = known(model)
        over = [name for name, tokens in sizes.items() if facts is not None and tokens > facts.context_tokens]
        if facts is not None and over:
            more = f" and {plural(len(over) - 1, 'other item')}" if len(over) > 1 else ""
            what = f"item {over[0]!r}{more}: about {sizes[over[0]]:,} tokens do not fit the window of model {model!r}"
            remedy = "shorten the prompt or leave the model out"
            yield Problem(
                str(path), dataset.lines.get(over[0], 1), f"{what} ({facts.context_tokens:,})", remedy, "warning"
            )


def _least_tokens(item: Item, dataset: Dataset) -> int:
    own = sum(len(dataset.documents[name]) for name in dataset.evidence.get(item.id, ()))
    return round((own + len(item.task)) / _CHARACTERS_PER_TOKEN)


def effect_line(dataset: Dataset) -> str:
    """In one sentence, what a set of this size can and cannot show."""
    from evalkit import stats
    from evalkit.stats.rates import wilson_limits

    n = len(dataset.items)
    low, high = wilson_limits(0.8, n, 0.95)
    effect = stats.detectable_difference(n, 0.10)
    known = f"{plural(n, 'item')}: a satisfactory rate of 80 % is known to within {low:.0%} to {high:.0%}"
    if effect is None:
        return f"{known}; no difference between two models, however large, shows with 80 % power"
    return (
        f"{known}; the smallest difference between two models that shows with 80 % power is {effect * 100:.1f} points"
        " (10 % of items differing by chance)"
    )


def _triples(item: Item) -> frozenset[tuple[str, ...]]:
    words = re.findall(r"\w+", item.task.lower())
    if len(words) < 3:
        return frozenset([tuple(words)] if words else [])
    return frozenset(zip(words, words[1:], words[2:], strict=False))


def _around(item: Item, dataset: Dataset) -> tuple[object, ...]:
    """What an item's task is asked about: the same question over another document is another item."""
    return dataset.system(item), dataset.evidence.get(item.id, ()), item.attachments, tuple(_shown(item.turns))


def _shown(turns: Iterable[Message]) -> Iterator[str]:
    """Hashes of the images and documents inside turns, results of tools too: a task's text says only that they are."""
    blocks: list[Any] = [block for turn in turns for block in turn.blocks]
    for block in blocks:
        if isinstance(block, Mapping) and block.get("type") in ("image", "document"):
            yield sha256(json.dumps(block, sort_keys=True).encode()).hexdigest()
        elif isinstance(block, Mapping) and isinstance(content := block.get("content"), list | tuple):
            blocks += content


def _by_material(dataset: Dataset) -> list[list[Item]]:
    groups: dict[tuple[object, ...], list[Item]] = defaultdict(list)
    for item in dataset.items:
        groups[_around(item, dataset)].append(item)
    return list(groups.values())


def _same_text(item: Item) -> str:
    return " ".join(item.task.split()).lower()


def _repeats(path: Path, dataset: Dataset) -> Iterator[Problem]:
    """Items whose inputs are the same, around the same material."""
    for items in _by_material(dataset):
        ends = array("q", map(_ends, items))
        often = Counter(ends)
        first: dict[str, Item] = {}
        for item in (item for item, end in zip(items, ends, strict=True) if often[end] > 1):
            same = first.setdefault(_same_text(item), item)
            if same is not item:
                what = f"item {item.id!r} has the same input as {same.id!r}"
                yield Problem(str(path), dataset.lines.get(item.id, 1), what, "remove one of them")


def _ends(item: Item) -> int:
    """Of the first and the last words of a task: whole texts are compared only where these are the same."""
    task = item.task
    return hash(tuple(word.lower() for word in (*task.split(None, 9)[:9], *task.rsplit(None, 9)[-9:])))


def _near_repeats(path: Path, dataset: Dataset) -> Iterator[Problem]:
    """Items whose inputs differ, but share most of their word triples, around the same material."""
    for items in _by_material(dataset):
        seen: set[str] = set()
        by_triple: dict[tuple[str, ...], list[int]] = defaultdict(list)
        triples = [_triples(item) for item in items]
        for number, item in enumerate(items):
            text = _same_text(item)
            if text not in seen and (near := _nearest(number, triples, by_triple)) is not None:
                other = items[near]
                what = f"item {item.id!r} is nearly the same as {other.id!r} (line {dataset.lines.get(other.id, 1)})"
                remedy = "remove or vary one; repeats count as one item"
                yield Problem(str(path), dataset.lines.get(item.id, 1), what, remedy, "warning")
            seen.add(text)
            for triple in triples[number]:
                if len(by_triple[triple]) < _COMMON_WORDS:
                    by_triple[triple].append(number)


def _nearest(
    number: int, triples: list[frozenset[tuple[str, ...]]], by_triple: dict[tuple[str, ...], list[int]]
) -> int | None:
    """An earlier item that shares at least NEAR_DUPLICATE of the two items' triples (Jaccard)."""
    shared: dict[int, int] = defaultdict(int)
    for triple in triples[number]:
        for other in by_triple.get(triple, ()):
            shared[other] += 1
    for other, common in sorted(shared.items(), key=lambda pair: (-pair[1], pair[0])):
        if common / len(triples[number] | triples[other]) >= NEAR_DUPLICATE:
            return other
    return None


def _references(path: Path, dataset: Dataset, criteria: Sequence[Criterion]) -> Iterator[Problem]:
    for item in dataset.items:
        line = dataset.lines.get(item.id, 1)
        reasons = dict.fromkeys(_ungradable(item, criteria))
        for reason in reasons:
            yield Problem(str(path), line, f"item {item.id!r} cannot be checked: {reason}", "correct 'reference'")
        if item.reference is None and not reasons:
            what = f"item {item.id!r} has no reference"
            yield Problem(str(path), line, what, "add one, so that graders judge by the same facts", "warning")


def _ungradable(item: Item, criteria: Sequence[Criterion]) -> Iterator[str]:
    """Why checks of a rubric could grade no output of this item."""
    for criterion in criteria:
        if criterion.check is not None and criterion.check.compares:
            try:
                expected_of(criterion.check, item.reference)
            except CannotCompareError as error:
                yield str(error)


def _size(path: Path, n: int) -> Iterator[Problem]:
    few, many = ADVISED_ITEMS
    if n < few:
        remedy = f"{few} to {many} are advised; intervals are wide"
        yield Problem(str(path), 1, f"only {plural(n, 'item')}", remedy, "warning")
    if n > many:
        remedy = "fine for statistics; mind cost and grading time, or use --limit"
        yield Problem(str(path), 1, f"{n} items, more than the advised {many}", remedy, "warning")


def _mix(path: Path, dataset: Dataset) -> Iterator[Problem]:
    rated = [item.difficulty for item in dataset.items if item.difficulty is not None]
    if not rated:
        yield Problem(str(path), 1, "no item states its difficulty", "add easy, medium or hard", "warning")
        return
    if len(rated) < len(dataset.items):
        what = f"no difficulty is stated for {plural(len(dataset.items) - len(rated), 'item')}"
        yield Problem(str(path), 1, what, "add easy, medium or hard", "warning")
    easy, hard = rated.count("easy") / len(rated), rated.count("hard")
    if easy > EASY_SHARE:
        remedy = "add medium and hard ones, or every model will look good"
        yield Problem(str(path), 1, f"{easy:.0%} of the items are easy", remedy, "warning")
    if not hard:
        yield Problem(str(path), 1, "no item is hard", "add the cases that break models", "warning")


def _context(path: Path, dataset: Dataset) -> Iterator[Problem]:
    """Whether the documents there are can fill the context that production has (sizes estimated)."""
    asked = dataset.card.context_tokens
    if asked is None or not dataset.items:
        return
    fixed = min(len(dataset.system(item) or "") + len(item.task) for item in dataset.items)
    have = round((sum(map(len, dataset.documents.values())) + fixed) / _CHARACTERS_PER_TOKEN)
    if have < 0.9 * asked:
        what = f"production context is {asked:,} tokens, but all documents together make about {have:,}"
        remedy = "add documents to the card's folder, or correct context_tokens"
        yield Problem(str(path), 1, what, remedy, "warning")
    for item in dataset.items:
        if (tokens := _least_tokens(item, dataset)) > asked:
            what = f"item {item.id!r} alone makes about {tokens:,} tokens, over the context of {asked:,}"
            yield Problem(str(path), dataset.lines.get(item.id, 1), what, "shorten it or raise context_tokens")
