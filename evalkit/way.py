"""Which way a run's trials go: streamed, or in batches at half the price and without a latency."""

from collections.abc import Sequence

from evalkit.frozen import dataclass
from evalkit.records import ItemRecord
from evalkit.staging import name_of, staged_order


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

        The sample is of the items that come first where a run is sent in parts, so that the first part has it; in a
        context sweep it has all sizes of each.
        """
        if self.executor != "batch":
            return frozenset()
        sample = set(staged_order(items, seed)[: self.latency_sample])
        return frozenset(item.id for item in items if name_of(item) not in sample)


LOCAL = Way()
"""Everything streamed."""
