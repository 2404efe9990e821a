"""What the rest of a run will cost and how long it will take: counted where it can be, said where it is assumed."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil
from statistics import fmean

from evalkit.plan import Plan
from evalkit.pricing import LIST_PRICES, Prices
from evalkit.records import ItemRecord, PromptSize, Snapshot, Spec, TrialKey, Usage

TYPICAL_OUTPUT_TOKENS = 400
"""Length of an answer before any has been seen; an assumption, and called one."""

_TYPICAL_FIRST_S, _TYPICAL_TOKENS_PER_S = 2.0, 60.0
_CHARACTERS_PER_TOKEN = 3.0
"""For judges' requests, which are not counted by the API: on the safe side."""

UNCOUNTED_MARGIN = 2.0
"""How many times its estimate a prompt that nobody has counted may have: what a budget sets aside has to last."""


@dataclass(frozen=True)
class Line:
    """What one model's requests may cost, USD; None where its price is unknown.

    `expected_usd` supposes `output_tokens` an answer, `worst_usd` answers as long as allowed. `counted`: the API
    counted the input. `seen`: answers whose length and duration are supposed of the rest; 0 if both are assumed.
    `batched` of the requests go in batches, at their prices; `seconds` is what one that is streamed takes.
    """

    model: str
    requests: int
    input_tokens: int
    counted: bool
    output_tokens: float
    expected_usd: float | None
    worst_usd: float | None
    seconds: float
    seen: int = 0
    batched: int = 0


@dataclass(frozen=True)
class Bill:
    """One line a model, and one a judge for judging every output; `judges` empty if nothing is judged."""

    lines: tuple[Line, ...]
    judges: tuple[Line, ...] = ()

    def total_usd(self, kind: str) -> float | None:
        """Sum of `expected` or `worst`, the judges' included; None if any price is unknown: that makes no total."""
        amounts = [getattr(line, f"{kind}_usd") for line in (*self.lines, *self.judges)]
        return None if None in amounts else sum(amounts)

    def seconds(self, concurrency: int) -> float:
        """How long the models' streamed requests take with so many in flight."""
        return sum(line.seconds * (line.requests - line.batched) for line in self.lines) / concurrency


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


def worst_cases(
    items: Iterable[ItemRecord],
    sizes: Iterable[PromptSize],
    spec: Spec,
    when: datetime,
    prices: Prices = LIST_PRICES,
    batched: Collection[str] = (),
) -> Callable[[TrialKey], float | None]:
    """The most one request of a trial can cost, USD: its input, and an answer as long as allowed; None if unpriced.

    `batched` are the items that go in batches.
    """
    records = {item.id: item for item in items}
    tokens = {
        (size.item_id, size.model): size.tokens if size.counted else ceil(size.tokens * UNCOUNTED_MARGIN)
        for size in sizes
    }

    def worst_usd(key: TrialKey) -> float | None:
        item, size = records[key.item_id], tokens.get((key.item_id, key.model))
        if size is None:
            return None
        cap, in_batch = item.max_tokens or spec.max_tokens, item.id in batched
        return request_usd(
            key.model, size, cap, when, prices, item.inference_geo, spec.cache, in_batch=in_batch, speed=item.speed
        )

    return worst_usd


def spent_usd(snapshot: Snapshot) -> float:
    """USD of all priced attempts so far, of production and of judges."""
    return sum(attempt.cost_usd or 0.0 for attempt in snapshot.attempts)


def charged_usd(
    snapshot: Snapshot,
    when: datetime,
    judging_usd: float = 0.0,
    prices: Prices = LIST_PRICES,
    besides: Collection[int] = (),
) -> float:
    """What a budget has borne, USD, of production and of judges, `besides` attempts that are set aside elsewhere.

    An attempt that may have been billed, nobody knows how much, counts at its trial's worst case; one of a judge
    like the dearest of its kind, seen or to come (`judging_usd`).
    """
    keys = {trial.id: trial.key for trial in snapshot.trials}
    worst_usd = worst_cases(snapshot.items, snapshot.sizes, snapshot.spec, when, prices)
    judged = max([judging_usd, *(a.cost_usd or 0.0 for a in snapshot.attempts if a.grader is not None)])
    unknown = [attempt for attempt in snapshot.attempts if attempt.cost_usd is None and attempt.id not in besides]
    return spent_usd(snapshot) + sum(
        (a.grader is not None and judged) or worst_usd(keys[a.trial_id]) or 0.0 for a in unknown
    )


def run_bill(
    plan: Plan,
    keys: Sequence[TrialKey],
    when: datetime,
    seen: Snapshot | None = None,
    prices: Prices = LIST_PRICES,
    batched: Collection[str] = (),
) -> tuple[Line, ...]:
    """A line a model for the trials in `keys`; `seen` is what the run file holds, `batched` items go in batches."""
    records = {item.id: item for item in plan.items}
    by_place = {(size.item_id, size.model): size for size in plan.sizes}
    worst_usd = worst_cases(plan.items, plan.sizes, plan.spec, when, prices, batched)
    lines = []
    for model in plan.spec.models:
        chosen = [key for key in keys if key.model == model]
        asked = [(records[key.item_id], by_place[(key.item_id, model)]) for key in chosen]
        worst = total([worst_usd(key) for key in chosen])
        lines.append(_line(model, asked, plan.spec, worst, when, prices, seen, batched))
    return tuple(lines)


def _line(
    model: str,
    asked: Sequence[tuple[ItemRecord, PromptSize]],
    spec: Spec,
    worst_usd: float | None,
    when: datetime,
    prices: Prices,
    seen: Snapshot | None,
    batched: Collection[str],
) -> Line:
    answers = [] if seen is None else _answers(seen, model)
    length = fmean(tokens for tokens, _ in answers) if answers else TYPICAL_OUTPUT_TOKENS
    felt = [s for _, s in answers if s is not None]
    lasting = fmean(felt) if felt else answer_s(length)
    expected = [
        request_usd(
            model, size.tokens, ceil(min(item.max_tokens or spec.max_tokens, length)), when, prices,
            item.inference_geo, spec.cache, in_batch=item.id in batched, speed=item.speed,
        )
        for item, size in asked
    ]  # fmt: skip
    return Line(
        model=model,
        requests=len(asked),
        input_tokens=sum(size.tokens for _, size in asked),
        counted=all(size.counted for _, size in asked),
        output_tokens=length,
        expected_usd=total(expected),
        worst_usd=worst_usd,
        seconds=lasting,
        seen=len(answers),
        batched=sum(item.id in batched for item, _ in asked),
    )


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
    return round(sum(map(len, texts)) / _CHARACTERS_PER_TOKEN)


def answer_s(tokens: float) -> float:
    """How long an answer of so many tokens takes before any has been seen, seconds."""
    return _TYPICAL_FIRST_S + tokens / _TYPICAL_TOKENS_PER_S


def total(amounts: Sequence[float | None]) -> float | None:
    """The sum of amounts; None if any is unknown."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None
