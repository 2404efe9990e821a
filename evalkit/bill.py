"""What the rest of a run will cost and how long it will take: counted where it can be, said where it is assumed."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from math import ceil
from statistics import fmean
from time import perf_counter
from typing import Protocol

from evalkit.cached_prefixes import ExpectedCache, Prefix
from evalkit.executors.pace import MINUTE_S
from evalkit.frozen import dataclass
from evalkit.grader_names import judge_model
from evalkit.graders import judge
from evalkit.models import smallest_cached_tokens
from evalkit.plan import Plan
from evalkit.pricing import DEAREST_REGION, LIST_PRICES, Prices
from evalkit.records import PromptSize, Snapshot, TrialKey, Usage
from evalkit.sent_lately import sent_lately
from evalkit.uncounted import ShownSizes

TYPICAL_OUTPUT_TOKENS = 400
"""Length of an answer before any has been seen; an assumption, and called one."""

_TYPICAL_FIRST_S, _TYPICAL_TOKENS_PER_S = 2.0, 60.0
_CHARACTERS_PER_TOKEN = 3.0
"""For judges' requests, which are not counted by the API: on the safe side."""

COUNTED_MARGIN = 1.1
"""How many times its count a prompt may have: the vendor calls what its API counts an estimate."""

_UNNOTED_MARGIN = 2.0
"""How many times its estimate a prompt that nobody has counted may have, in run files that do not say the most."""


@dataclass(frozen=True)
class Line:
    """What one model's requests may cost, USD; None where its price is unknown.

    `expected_usd` supposes `output_tokens` an answer, `worst_usd` answers as long as allowed. `uncounted`: requests of
    whose input the API has said nothing. `seen`: answers whose length and duration are supposed of the rest, 0 if both
    are assumed. `batched` of the requests go in batches, at their prices; `seconds`: what one that is streamed takes.
    `lately`: how long ago something was sent to the model in the last minute, s, the longest first.
    """

    model: str
    requests: int
    input_tokens: int
    uncounted: int
    output_tokens: float
    expected_usd: float | None
    worst_usd: float | None
    seconds: float
    seen: int = 0
    batched: int = 0
    lately: tuple[float, ...] = ()

    @property
    def streamed(self) -> int:
        """Requests that do not go in batches."""
        return self.requests - self.batched

    def paced_s(self, pinned: Mapping[str, int]) -> float:
        """When the last streamed request may go under these limits a minute, s: so many a minute, what went lately
        included."""
        if not pinned:
            return 0.0
        tokens_each = max(1.0, self.input_tokens / self.requests)
        each = {"requests": 1.0, "input_tokens": tokens_each}
        a_minute = min(max(1, int(most / each[kind])) for kind, most in pinned.items())
        place, minutes = len(self.lately) + self.streamed, 0
        while place > max(a_minute, len(self.lately)):
            place, minutes = place - a_minute, minutes + 1
        before_s = self.lately[place - 1] if place <= len(self.lately) else 0.0
        return max(0.0, minutes * MINUTE_S - before_s)


@dataclass(frozen=True)
class Bill:
    """One line a model, and one a judge for judging every output; `judges` empty if nothing is judged."""

    lines: tuple[Line, ...]
    judges: tuple[Line, ...] = ()

    def total_usd(self, kind: str) -> float | None:
        """Sum of `expected` or `worst`, the judges' included; None if any price is unknown: that makes no total."""
        amounts = [getattr(line, f"{kind}_usd") for line in (*self.lines, *self.judges)]
        return None if None in amounts else sum(amounts)

    def seconds(self, concurrency: int, pinned: Mapping[str, int] | None = None) -> float:
        """How long the models' streamed requests take with so many in flight, and `pinned` requests or input tokens a
        minute and model (as in `Limits.pinned`)."""
        freely = sum(line.seconds * line.streamed for line in self.lines) / concurrency
        return max([freely, *(line.paced_s(pinned or {}) for line in self.lines if line.streamed)])


def request_usd(
    model: str,
    input_tokens: int,
    output_tokens: int,
    when: datetime,
    prices: Prices = LIST_PRICES,
    inference_geo: str | None = None,
    cache: str = "off",
    *,
    in_batch: bool = False,
    speed: str | None = None,
) -> float | None:
    """What a request of this size costs, all of its input written to the cache if there is one; None if unpriced."""
    tier = "batch" if in_batch else None
    usage = Usage(input_tokens, output_tokens, inference_geo=inference_geo, service_tier=tier, speed=speed)
    if cache == "5m":
        usage = replace(usage, input_tokens=0, cache_write_5m_tokens=input_tokens)
    elif cache == "1h":
        usage = replace(usage, input_tokens=0, cache_write_1h_tokens=input_tokens)
    return prices.price(model, usage, when).usd


class WorstCase(Protocol):
    """The most one request of a trial can cost, USD; `shown`: the most tokens its prompt has by what answers showed.

    At the price of processing in the US where the request leaves the place to its account, whose default may be that.
    """

    def __call__(self, key: TrialKey, shown: int | None = None, /) -> float | None: ...


def most_tokens(size: PromptSize) -> int:
    """The most tokens that a prompt can have, before answers to others have shown more."""
    if size.counted:
        return ceil(size.tokens * COUNTED_MARGIN)
    return ceil(size.tokens * _UNNOTED_MARGIN) if size.most_tokens is None else size.most_tokens


def worst_cases(plan: Plan, when: datetime, prices: Prices = LIST_PRICES, batched: Collection[str] = ()) -> WorstCase:
    """The most one request of a trial can cost, USD: its input, and an answer as long as allowed; None if unpriced.

    `batched` are the items that go in batches.
    """
    spec = plan.spec

    def worst_usd(key: TrialKey, shown: int | None = None) -> float | None:
        item = plan.records[key.item_id]
        cap, in_batch = item.max_tokens or spec.max_tokens, item.id in batched
        try:
            size = plan.sizes.of(key.item_id, key.model)
        except KeyError:
            return None
        return request_usd(
            key.model,
            most_tokens(size) if shown is None else shown,
            cap,
            when,
            prices,
            item.inference_geo or DEAREST_REGION,
            spec.cache,
            in_batch=in_batch,
            speed=item.speed,
        )

    return worst_usd


def judge_worst_usd(model: str, when: datetime, prices: Prices, cached: bool, most_tokens: int, /) -> float | None:
    """The most that a request to a judge can cost, whose prompt has so many tokens at most; None if unpriced."""
    cache = "5m" if cached else "off"
    return request_usd(model, most_tokens, judge.MAX_TOKENS, when, prices, DEAREST_REGION, cache)


def shown_by(snapshot: Snapshot, plan: Plan) -> ShownSizes:
    """What earlier answers have shown of the sizes of those prompts that are planned."""
    keys, shown = {trial.id: trial.key for trial in snapshot.trials}, ShownSizes()
    for attempt in snapshot.attempts:
        if attempt.grader is None and (size := _size_of(keys[attempt.trial_id], plan)) is not None:
            shown.hear(keys[attempt.trial_id].model, most_tokens(size), attempt.usage)
    return shown


def shown_by_judges(snapshot: Snapshot) -> ShownSizes:
    """What judges' answers have shown of the sizes of their prompts."""
    shown = ShownSizes()
    for attempt in snapshot.attempts:
        if attempt.grader is not None and attempt.most_tokens is not None:
            shown.hear(judge_model(attempt.grader), attempt.most_tokens, attempt.usage)
    return shown


def _size_of(key: TrialKey, plan: Plan) -> PromptSize | None:
    try:
        return plan.sizes.of(key.item_id, key.model)
    except KeyError:
        return None


def as_shown(plan: Plan, worst_usd: WorstCase, shown: ShownSizes) -> Callable[[TrialKey], float | None]:
    """The most that a request of a trial can cost by what answers to others have shown of its prompt."""

    def most_usd(key: TrialKey) -> float | None:
        size = _size_of(key, plan)
        return None if size is None else worst_usd(key, shown.most_tokens(key.model, most_tokens(size)))

    return most_usd


def run_bill(
    plan: Plan,
    keys: Collection[TrialKey],
    when: datetime,
    seen: Snapshot | None = None,
    prices: Prices = LIST_PRICES,
    batched: Collection[str] = (),
    prefixes: Callable[[str], Sequence[Prefix]] = lambda _: (),
    at_once: int = 1,
) -> tuple[Line, ...]:
    """A line a model for the trials in `keys`; `seen` is what the run file holds, `batched` items go in batches.

    `prefixes` are marked for caching in an item's prompt. They are expected to be read once the first request with them
    is over, `at_once` being in flight; in batches, whose requests come in no order, to be written each time.
    """
    shown = ShownSizes() if seen is None else shown_by(seen, plan)
    worst_usd = as_shown(plan, worst_cases(plan, when, prices, batched), shown)
    longer = {} if seen is None else _longer(seen, plan)
    cache = None if plan.spec.cache == "off" else ExpectedCache(plan.spec.cache, at_once)
    lately, here = {} if seen is None else sent_lately(seen, when), perf_counter()
    ages = {model: tuple(here - moment for moment, _ in sent) for model, sent in lately.items()}
    sums = {model: _Sum(*_supposed(seen, model), lately=ages.get(model, ())) for model in plan.spec.models}
    for place, key in enumerate(keys):
        line, item, size = sums[key.model], plan.records[key.item_id], plan.sizes.of(key.item_id, key.model)
        output_tokens = ceil(min(item.max_tokens or plan.spec.max_tokens, line.output_tokens))
        line.requests += 1
        line.input_tokens += size.tokens
        line.uncounted += not size.counted
        line.batched += item.id in batched
        line.worst_usd = _more(line.worst_usd, worst_usd(key))
        tokens = round(size.tokens * longer.get(key.model, 1.0))
        usage = Usage(tokens, output_tokens, inference_geo=item.inference_geo, speed=item.speed)
        if item.id in batched:
            usage = replace(usage, service_tier="batch")
        if cache is not None:
            usage = _with_cache(usage, cache, place, key.model, prefixes(key.item_id), line.seconds, item.id in batched)
        expected_usd = prices.price(key.model, usage, when).usd
        line.expected_usd = _more(line.expected_usd, expected_usd)
    return tuple(Line(model, **asdict(line)) for model, line in sums.items())


def _with_cache(
    usage: Usage,
    cache: ExpectedCache,
    place: int,
    model: str,
    prefixes: Sequence[Prefix],
    request_s: float,
    in_batch: bool,
) -> Usage:
    """What of a request's input is expected to be read from the cache, and written to it."""
    tokens = usage.input_tokens or 0
    shortest = smallest_cached_tokens(model)
    long = [prefix for prefix in prefixes if prefix.share * tokens >= shortest]
    read, written = cache.shares(place, model, long, request_s)
    if in_batch:
        read, written = 0.0, read + written
    read_tokens, written_tokens = round(read * tokens), round(written * tokens)
    return replace(
        usage,
        input_tokens=tokens - read_tokens - written_tokens,
        cache_read_tokens=read_tokens or None,
        cache_write_5m_tokens=written_tokens if cache.ttl == "5m" else None,
        cache_write_1h_tokens=written_tokens if cache.ttl == "1h" else None,
    )


def _longer(seen: Snapshot, plan: Plan) -> dict[str, float]:
    """How many times what was planned the prompts of a model have had that were answered."""
    keys, sums = {trial.id: trial.key for trial in seen.trials}, dict[str, tuple[int, int]]()
    for attempt in seen.attempts:
        tokens, key = attempt.usage.total_input_tokens, keys[attempt.trial_id]
        size = _size_of(key, plan)
        if attempt.grader is None and attempt.outcome == "answered" and tokens is not None and size is not None:
            had, planned = sums.get(key.model, (0, 0))
            sums[key.model] = (had + tokens, planned + size.tokens)
    return {model: had / planned for model, (had, planned) in sums.items() if planned}


@dataclass
class _Sum:
    """A line while it is summed up."""

    output_tokens: float
    seconds: float
    seen: int
    requests: int = 0
    input_tokens: int = 0
    uncounted: int = 0
    expected_usd: float | None = 0.0
    worst_usd: float | None = 0.0
    batched: int = 0
    lately: tuple[float, ...] = ()


def _supposed(seen: Snapshot | None, model: str) -> tuple[float, float, int]:
    """Output tokens and seconds that a model's next answers are supposed to take, and by how many there have been."""
    answers = [] if seen is None else _answers(seen, model)
    length = fmean(tokens for tokens, _ in answers) if answers else TYPICAL_OUTPUT_TOKENS
    felt = [s for _, s in answers if s is not None]
    lasting = fmean(felt) if felt else answer_s(length)
    return length, lasting, len(answers)


def _answers(seen: Snapshot, model: str) -> list[tuple[int, float | None]]:
    """Output tokens and seconds of the answers there are; None where nobody measured (a batch)."""
    trials = {trial.id for trial in seen.trials if trial.key.model == model}
    return [
        (a.usage.output_tokens, a.felt_s)
        for a in seen.attempts
        if a.final and a.grader is None and a.trial_id in trials and a.usage.output_tokens
    ]


def text_tokens(*texts: str) -> int:
    """About how many tokens texts have that nobody has counted; rather too many than too few."""
    return round(sum(map(_ample_tokens, texts)))


def _ample_tokens(text: str) -> float:
    """Of ASCII text one for every few characters; a token of other scripts has two bytes or more."""
    if text.isascii():
        return len(text) / _CHARACTERS_PER_TOKEN
    plain = len(text.encode("ascii", "ignore"))
    return plain / _CHARACTERS_PER_TOKEN + (len(text.encode("utf-8", "surrogatepass")) - plain) / 2


def answer_s(tokens: float) -> float:
    """How long an answer of so many tokens takes before any has been seen, seconds."""
    return _TYPICAL_FIRST_S + tokens / _TYPICAL_TOKENS_PER_S


def total(amounts: Iterable[float | None]) -> float | None:
    """The sum of amounts; None if any is unknown."""
    sum_usd: float | None = 0.0
    for amount in amounts:
        sum_usd = _more(sum_usd, amount)
    return sum_usd


def _more(total_usd: float | None, amount: float | None) -> float | None:
    return None if total_usd is None or amount is None else total_usd + amount
