"""Which way a run's trials go: streamed, or in batches at half the price and without a latency."""

import random
from collections.abc import Sequence

from evalkit.frozen import dataclass
from evalkit.records import ItemRecord


@dataclass(frozen=True)
class Way:
    """`executor`: local, ray, or batch; with that, `latency_sample` items are streamed even so, for their latency.

    `address`: of the Ray cluster; None for one of this machine's own.
    """

    executor: str = "local"
    latency_sample: int = 0
    address: str | None = None

    def batched(self, items: Sequence[ItemRecord], seed: int) -> frozenset[str]:
        """Ids of the records whose trials go in batches: all but the sample, the same for every model.

        The sample is drawn by `seed` among the dataset's items; in a context sweep it has all sizes of each.
        """
        if self.executor != "batch":
            return frozenset()
        names = sorted({item.variant_of or item.id for item in items})
        rng = random.Random(f"latency:{seed}")  # noqa: S311  sampling, not secrets
        sample = set(rng.sample(names, min(self.latency_sample, len(names))))
        return frozenset(item.id for item in items if (item.variant_of or item.id) not in sample)


LOCAL = Way()
"""Everything streamed."""
