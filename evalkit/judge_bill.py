"""What judging costs: requests about one item share its context, which the first of them writes to the cache."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain, permutations, repeat
from math import ceil, inf
from typing import Literal

from evalkit.bill import TYPICAL_OUTPUT_TOKENS, Line, answer_s, judge_worst_usd, shown_by_judges, text_tokens, total
from evalkit.blind import GradingTask, passages
from evalkit.frozen import dataclass
from evalkit.grader_names import judge_model
from evalkit.graders import judge
from evalkit.models import smallest_cached_tokens
from evalkit.panel import Panel
from evalkit.pricing import LIST_PRICES, Prices
from evalkit.records import ItemRecord, Request, Snapshot, TrialKey, Usage
from evalkit.rubric import Rubric
from evalkit.uncounted import MARGIN, ShownSizes, measured, window_of

_Output = tuple[int, float, int]
"""Epoch of an output that is still to come, its expected tokens, and the most it can have."""

Place = Literal["alone", "first", "later"]
"""Where a request stands among those that share its context; one that is alone has nothing to gain by caching."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a request to a judge says what it takes: the text that others may share, tokens of its own, and at most.

    `most_tokens`: of the whole prompt, which no server has counted.
    """

    model: str
    system: str
    shared: str
    own_tokens: int
    most_tokens: int


def asked_by(request: Request) -> Asked:
    """The same of a request."""
    shared, own = judge.parts_of(request)
    own_tokens = text_tokens(own, str(request.params))
    return Asked(request.model, str(request.system), shared, own_tokens, measured(request).most_of(request.model))


@dataclass(frozen=True, slots=True)
class JudgeSize:
    """Tokens of a request to a judge as far as they can be told: what it shares with its item's others, and its own.

    `most_tokens`: what both together have at most.
    """

    model: str
    shared_tokens: int
    own_tokens: int
    most_tokens: int
    place: Place = "alone"

    @property
    def tokens(self) -> int:
        """All of its input."""
        return self.shared_tokens + self.own_tokens

    def expected_usd(self, when: datetime, prices: Prices = LIST_PRICES, heard: "Heard | None" = None) -> float | None:
        """What it costs with an answer like those of its judge so far, else a typical one, where the cache serves as it
        should."""
        longer = 1.0 if heard is None else heard.share_of_most * self.most_tokens / max(1, self.tokens)
        shared, own, alone = round(self.shared_tokens * longer), round(self.own_tokens * longer), self.place == "alone"
        usage = Usage(
            shared + own if alone else own,
            TYPICAL_OUTPUT_TOKENS if heard is None else round(heard.output_tokens),
            cache_read_tokens=shared if self.place == "later" else None,
            cache_write_5m_tokens=shared if self.place == "first" else None,
        )
        return prices.price(self.model, usage, when).usd

    @property
    def is_cached(self) -> bool:
        """Whether its context is written to a cache, or read from there."""
        return self.place != "alone"

    def worst_usd(self, when: datetime, prices: Prices = LIST_PRICES, shown: ShownSizes | None = None) -> float | None:
        """The most it can cost: an answer as long as allowed, and a prompt that has to be written once more, as long as
        answers to others have `shown` that it may be."""
        most = self.most_tokens if shown is None else shown.most_tokens(self.model, self.most_tokens)
        return judge_worst_usd(self.model, when, prices, self.is_cached, most)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a judge's answers have taken: `output_tokens` in the mean, and of input the `share_of_most` that was
    supposed."""

    output_tokens: float
    share_of_most: float


@dataclass(frozen=True)
class JudgesSeen:
    """What a run file's judges have taken, by model: in the mean, and at most."""

    heard: Mapping[str, Heard]
    shown: ShownSizes


def judges_seen(snapshot: Snapshot) -> JudgesSeen:
    """The same of the answers that are recorded with what was supposed of them."""
    answers: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for a in snapshot.attempts:
        had, wrote = a.usage.total_input_tokens, a.usage.output_tokens
        if a.grader is not None and a.outcome == "answered" and a.most_tokens and had is not None and wrote is not None:
            answers[judge_model(a.grader)].append((a.most_tokens, had, wrote))
    heard = {}
    for model, of_one in answers.items():
        most, had, wrote = (sum(column) for column in zip(*of_one, strict=True))
        heard[model] = Heard(wrote / len(of_one), had / most)
    return JudgesSeen(heard, shown_by_judges(snapshot))


def sizes(requests: Sequence[Asked], when: datetime, prices: Prices = LIST_PRICES) -> Iterator[JudgeSize]:
    """The size of each request and its place among those with the same context, in order.

    A context too short for a cache, or whose caching has no known price, is not cached.
    """
    sharing, begun = Counter(map(_context, requests)), set[object]()
    for request in requests:
        context, shared_tokens = _context(request), text_tokens(request.system, request.shared)
        place: Place = "later" if context in begun else "first"
        if sharing[context] < 2 or not cacheable(request.model, shared_tokens, when, prices):
            place = "alone"
        begun.add(context)
        yield JudgeSize(request.model, shared_tokens, request.own_tokens, request.most_tokens, place)


def _context(request: Asked) -> tuple[str, str, str]:
    return request.model, request.system, request.shared


def cacheable(model: str, shared_tokens: int, when: datetime, prices: Prices = LIST_PRICES) -> bool:
    """Whether a context is long enough to be cached, and can be without making a request unpriced that has a price.

    Our estimates are on the long side, so what is estimated below the shortest that is cached is below it.
    """
    cached = JudgeSize(model, shared_tokens, 0, shared_tokens, "first").worst_usd(when, prices)
    priced = cached is not None or JudgeSize(model, shared_tokens, 0, shared_tokens).worst_usd(when, prices) is None
    return shared_tokens >= smallest_cached_tokens(model) and priced


def judge_lines(
    asked: Iterable[JudgeSize], when: datetime, prices: Prices = LIST_PRICES, seen: JudgesSeen | None = None
) -> tuple[Line, ...]:
    """A line a judge. Sizes are counted: a large run asks for very many, of which most are alike. `seen`: what judges
    have taken so far."""
    heard, shown = ({}, None) if seen is None else (seen.heard, seen.shown)
    by_model: dict[str, Counter[JudgeSize]] = defaultdict(Counter)
    for size in asked:
        by_model[size.model][size] += 1
    return tuple(
        Line(
            model=model,
            requests=of_one.total(),
            input_tokens=sum(size.tokens * times for size, times in of_one.items()),
            uncounted=of_one.total(),
            output_tokens=TYPICAL_OUTPUT_TOKENS,
            expected_usd=total(_each(of_one, lambda size: size.expected_usd(when, prices, heard.get(size.model)))),
            worst_usd=total(_each(of_one, lambda size: size.worst_usd(when, prices, shown))),
            seconds=answer_s(TYPICAL_OUTPUT_TOKENS),
        )
        for model, of_one in by_model.items()
    )


def _each(of_one: Counter[JudgeSize], usd: Callable[[JudgeSize], float | None]) -> Iterator[float | None]:
    """What every request costs, each size priced once."""
    return chain.from_iterable(repeat(usd(size), times) for size, times in of_one.items())


def foreseen_lines(
    panel: Panel,
    rubric: Rubric,
    items: Mapping[str, ItemRecord],
    documents: Mapping[str, str],
    outputs: Iterable[tuple[TrialKey, float, int]],
    when: datetime,
    prices: Prices = LIST_PRICES,
    seen: JudgesSeen | None = None,
) -> tuple[Line, ...]:
    """A line a judge for outputs that are still to come, given with their expected and most tokens; none if nothing is
    judged. `seen`: what judges have taken so far.

    Equal outputs, which are judged once, cannot be foreseen.
    """
    if not rubric.judged:
        return ()
    by_item: dict[str, list[_Output]] = defaultdict(list)
    alike: dict[_Output, _Output] = {}
    for key, tokens, most_tokens in outputs:
        output = (key.epoch, tokens, most_tokens)
        by_item[key.item_id].append(alike.setdefault(output, output))
    asked = (
        size
        for item_id, its_outputs in by_item.items()
        for size in _of_item(panel, rubric, items[item_id], documents, its_outputs, when, prices)
    )
    return judge_lines(asked, when, prices, seen)


def _of_item(
    panel: Panel,
    rubric: Rubric,
    item: ItemRecord,
    documents: Mapping[str, str],
    outputs: Sequence[_Output],
    when: datetime,
    prices: Prices,
) -> Iterator[JudgeSize]:
    """What each judge is sent about one item's outputs: one after the other, or every two in both orders."""
    task = GradingTask("", rubric.criteria, item.task, item.reference, "", passages(item, documents))
    shared = judge.shared_text(task, panel.context)
    empty = (
        judge.build_comparison("", task, task, shared) if panel.side_by_side else judge.build_request("", task, shared)
    )
    fixed, frame = text_tokens(str(empty.system), shared), text_tokens(judge.parts_of(empty)[1], str(empty.params))
    shown = [(tokens, longest) for _, tokens, longest in outputs]
    if panel.side_by_side:
        shown = [
            (one[1] + other[1], one[2] + other[2]) for one, other in permutations(outputs, 2) if one[0] == other[0]
        ]
    most = measured(empty).most
    for model in panel.judges:
        is_cached = len(shown) * panel.repeats > 1 and cacheable(model, fixed, when, prices)
        place: Place = "first" if is_cached else "alone"
        window = window_of(model) or inf
        for tokens, longest in shown * panel.repeats:
            most_tokens = min(most + ceil(longest * MARGIN), window)
            yield JudgeSize(model, fixed, frame + round(tokens), int(most_tokens), place)
            place = "later" if is_cached else "alone"
