"""Fitting: every item at every size as a record of the run file, counted for each model."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from itertools import count
from typing import Protocol

from evalkit.compact import PromptSizes, TrialOrder
from evalkit.dataset import Dataset, Item
from evalkit.errors import UsageError
from evalkit.frozen import dataclass
from evalkit.plan import Plan, assemble_item, record, trial_order
from evalkit.prompt import build_request, document_text
from evalkit.records import ItemRecord, ModelFacts, PromptSize, Request, Spec, TrialKey
from evalkit.settings_check import rejected_settings
from evalkit.uncounted import guessed_tokens, measured

MOST_COUNTED = 3000
"""Prompts that are counted of twice as many or more; of fewer each is. Counting has a rate limit of its own."""
COUNTED_WHOLE = 2 * MOST_COUNTED - 1
"""Prompts of which each is counted, at most."""
_SAMPLE_CHARACTERS = 120_000
_COUNTING_AT_ONCE = 8
_MOST_TOLD = 10
_SURE_OF_ESTIMATE = 0.9
"""The part of an estimated size that a prompt surely has: servers refuse to count what is far too long."""


class Counter(Protocol):
    """What planning asks of a provider."""

    async def count_tokens(self, request: Request, /) -> int | None: ...


class NoServer:
    """Counts nothing, so that sizes are estimated from characters."""

    async def count_tokens(self, _request: Request, /) -> int | None:
        return None


@dataclass(frozen=True, slots=True)
class Variant:
    """An item at one size: what becomes one record of the run file."""

    item: Item
    position: int
    context_tokens: int | None
    models: tuple[str, ...]
    id: str = field(default="")


async def fitted_plan(
    dataset: Dataset,
    spec: Spec,
    variants: Sequence[Variant],
    provider: Counter,
    tell: Callable[[int, int], None],
    facts: Mapping[str, ModelFacts],
) -> Plan:
    planner = _Planner(dataset, spec, provider, await _texts(dataset, spec, provider), facts)
    planner.count_every = max(1, len(variants) * len(spec.models) // MOST_COUNTED)
    records: list[ItemRecord | None] = [None] * len(variants)
    sizes = PromptSizes()
    queue, done = enumerate(variants), count(1)

    async def work() -> None:
        for place, variant in queue:
            records[place], found = await planner.fit(variant)
            sizes.add(found)
            tell(next(done), len(variants))

    async with asyncio.TaskGroup() as group:
        for _ in range(_COUNTING_AT_ONCE):
            group.create_task(work())
    if planner.rejected:
        raise UsageError(_shortened(planner.rejected))
    order = TrialOrder(_order(variants, spec), [variant.id for variant in variants], spec.models)
    return Plan(spec, tuple(record for record in records if record is not None), sizes, order)


def _shortened(lines: Sequence[str]) -> str:
    """The first of many lines that say much the same, and how many there are."""
    left_out = len(lines) - _MOST_TOLD
    more = [f"and {left_out:,} more like these"] if left_out > 0 else []
    return "\n".join([*lines[:_MOST_TOLD], *more])


def _order(variants: Sequence[Variant], spec: Spec) -> Iterator[TrialKey]:
    fitting = {variant.id: variant.models for variant in variants}
    for key in trial_order([variant.id for variant in variants], spec.models, spec.epochs, spec.seed):
        if key.model in fitting[key.item_id]:
            yield key


@dataclass(frozen=True)
class _Text:
    """What a model makes of this dataset's text: characters a token, and `scale` times the tokens that are guessed."""

    characters_per_token: float
    scale: float


async def _texts(dataset: Dataset, spec: Spec, provider: Counter) -> Mapping[str, _Text]:
    """The same by model, as far as a sample of the text is counted."""
    sample = document_text(sorted(dataset.documents), dataset.documents)[:_SAMPLE_CHARACTERS]
    sample = sample or " ".join(_first_tasks(dataset))[:_SAMPLE_CHARACTERS]
    found, guessed = {}, guessed_tokens(sample) or 1.0
    for model in spec.models:
        request = Request(model, ({"role": "user", "content": sample},), 1)
        tokens = await provider.count_tokens(request)
        found[model] = _Text(len(sample) / (tokens or guessed), (tokens or guessed) / guessed)
    return found


def _first_tasks(dataset: Dataset) -> Iterator[str]:
    """Tasks until there are enough for a sample."""
    left = _SAMPLE_CHARACTERS
    for item in dataset.items:
        if left <= 0:
            return
        left -= len(item.task)
        yield item.task


@dataclass
class _Planner:
    """Fits items into their context; `count_every` prompt of those that need no fitting is counted."""

    dataset: Dataset
    spec: Spec
    provider: Counter
    texts: Mapping[str, _Text]
    facts: Mapping[str, ModelFacts]
    count_every: int = 1
    rejected: list[str] = field(default_factory=list)

    async def fit(self, variant: Variant) -> tuple[ItemRecord, list[PromptSize]]:
        """An item's prompt, counted for every model, with its room narrowed until none is over the context."""
        context = variant.context_tokens
        room = (
            None
            if context is None
            else context * min(self.texts[model].characters_per_token for model in variant.models)
        )
        while True:
            assembly = assemble_item(variant.item, self.dataset, room, self.spec.seed)
            sizes = [await self._size(variant, model, assembly.documents) for model in variant.models]
            largest = max(size.tokens for size in sizes)
            fits = room is None or context is None or largest <= context
            if fits or len(assembly.documents) == len(assembly.evidence_positions):
                for size in sizes:
                    self._check(variant, size, assembly.documents)
                return record(variant.item, variant.position, self.dataset, assembly, variant.id, context), sizes
            room = room * min(0.995, context / largest) if room and context else 0.0

    def _check(self, variant: Variant, size: PromptSize, documents: Sequence[str]) -> None:
        """Note a prompt that its model would turn down for its size."""
        request = build_request(size.model, variant.item, self.dataset, documents, self.spec.max_tokens)
        tokens = size.tokens
        if not size.counted:
            tokens = int((tokens - measured(request).attached) * _SURE_OF_ESTIMATE)
        lines = rejected_settings(request, self.facts.get(size.model), tokens)
        self.rejected += [f"item {variant.item.id!r}: {line}" for line in lines]

    async def _size(self, variant: Variant, model: str, documents: Sequence[str]) -> PromptSize:
        request = build_request(model, variant.item, self.dataset, documents, self.spec.max_tokens)
        if variant.context_tokens is not None or variant.position % self.count_every == 0:
            tokens = await self.provider.count_tokens(request)
            if tokens is not None:
                return PromptSize(variant.id, model, tokens, counted=True)
        size, text = measured(request), self.texts[model]
        tokens = round(size.about * text.scale + size.attached)
        most = max(tokens, size.most_of(model))
        return PromptSize(variant.id, model, tokens, counted=False, most_tokens=most)
