"""What a plan has of each of many trials, in a few bytes apiece."""

from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence

from evalkit.records import PromptSize, TrialKey


class TrialOrder(Collection[TrialKey]):
    """Trials in order, in a few bytes each: a run of many should not need memory for all of them."""

    def __init__(self, keys: Iterable[TrialKey], item_ids: Sequence[str], models: Sequence[str]) -> None:
        """`keys` are of these items and models alone."""
        self._item_ids, self._models = item_ids, models
        items, places = _places(item_ids), _places(models)
        self._codes = array("Q")
        for key in keys:
            self._codes.append(((key.epoch * len(item_ids)) + items[key.item_id]) * len(models) + places[key.model])

    def __len__(self) -> int:
        return len(self._codes)

    def __iter__(self) -> Iterator[TrialKey]:
        return map(self._key, self._codes)

    def __contains__(self, key: object) -> bool:
        return any(key == other for other in self)

    def _key(self, code: int) -> TrialKey:
        rest, model = divmod(code, len(self._models))
        epoch, item = divmod(rest, len(self._item_ids))
        return TrialKey(self._item_ids[item], self._models[model], epoch)


class PromptSizes(Collection[PromptSize]):
    """Sizes of prompts, in a few bytes each."""

    def __init__(self, sizes: Iterable[PromptSize] = ()) -> None:
        self._models: list[str] = []
        self._first: dict[str, int] = {}
        self._tokens, self._model, self._counted, self._begins = array("Q"), array("H"), bytearray(), bytearray()
        self._most = array("q")  # -1 for none
        self.add(sizes)

    def add(self, sizes: Iterable[PromptSize]) -> None:
        """More sizes; all of an item's together."""
        for size in sizes:
            if size.model not in self._models:
                self._models.append(size.model)
            self._begins.append(size.item_id not in self._first)
            self._first.setdefault(size.item_id, len(self._tokens))
            self._tokens.append(size.tokens)
            self._most.append(-1 if size.most_tokens is None else size.most_tokens)
            self._model.append(self._models.index(size.model))
            self._counted.append(size.counted)

    def of(self, item_id: str, model: str) -> PromptSize:
        """The size of an item's prompt for a model; KeyError if nobody knows it."""
        for size in self._row(item_id, self._first[item_id]):
            if size.model == model:
                return size
        raise KeyError(model)

    def __len__(self) -> int:
        return len(self._tokens)

    def __iter__(self) -> Iterator[PromptSize]:
        for item_id, first in self._first.items():
            yield from self._row(item_id, first)

    def __contains__(self, size: object) -> bool:
        return any(size == other for other in self)

    def _row(self, item_id: str, first: int) -> Iterator[PromptSize]:
        """The sizes of one item, which stand together."""
        for place in range(first, len(self)):
            if place > first and self._begins[place]:
                return
            model, counted = self._models[self._model[place]], bool(self._counted[place])
            most = None if self._most[place] < 0 else self._most[place]
            yield PromptSize(item_id, model, self._tokens[place], counted, most)


def _places(names: Sequence[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(names)}
