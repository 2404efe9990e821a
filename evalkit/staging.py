"""Staging: which items come first where a run is sent in parts, fixed by its seed before anything is known of them."""

import math
import random
from collections.abc import Sequence

from evalkit.records import ItemRecord


def staged_order(items: Sequence[ItemRecord], seed: int) -> tuple[str, ...]:
    """The dataset's items in the order in which parts of a run take them; of a context sweep each once."""
    names = sorted({name_of(item) for item in items})
    random.Random(f"stages:{seed}").shuffle(names)  # noqa: S311  sampling, not secrets
    return tuple(names)


def first(share: float, items: int) -> int:
    """How many of so many items the first `share` (0 to 1) of them is."""
    return min(items, math.ceil(share * items - 1e-9))


def first_items(items: Sequence[ItemRecord], seed: int, share: float) -> frozenset[str]:
    """Ids of the records that the first `share` of the items covers; in a context sweep at all sizes."""
    order = staged_order(items, seed)
    taken = set(order[: first(share, len(order))])
    return frozenset(item.id for item in items if name_of(item) in taken)


def name_of(item: ItemRecord) -> str:
    """The dataset's item behind a record."""
    return item.variant_of or item.id
