"""Which way a run's trials go: streamed, or in batches at half the price and without a latency."""

from collections.abc import Collection, Sequence

from evalkit.frozen import dataclass
from evalkit.records import ItemRecord, Snapshot
from evalkit.staging import name_of, staged_order


@dataclass(frozen=True)
class Way:
    """`executor`: local, ray, or batch; with that, `latency_sample` items are streamed even so, for their latency.

    `address`: of the Ray cluster; None for one of this machine's own.
    """

    executor: str = "local"
    latency_sample: int = 0
    address: str | None = None

    def batched(self, items: Sequence[ItemRecord], seed: int, earlier: Collection[str] = ()) -> frozenset[str]:
        """Ids of the records whose trials go in batches: all but the sample, the same for every model.

        The sample is of the items that come first where a run is sent in parts, so that the first part has it, but for
        those that went in a batch `earlier` (`sent_in_batches`); in a context sweep it has all sizes of each.
        """
        if self.executor != "batch":
            return frozenset()
        left = [name for name in staged_order(items, seed) if name not in earlier]
        sample = set(left[: self.latency_sample])
        return frozenset(item.id for item in items if name_of(item) not in sample)


def sent_in_batches(snapshot: Snapshot) -> frozenset[str]:
    """The dataset's items of which a request is or was in a batch."""
    attempts = {id_ for batch in snapshot.batches for id_ in batch.attempts}
    trials = {attempt.trial_id for attempt in snapshot.attempts if attempt.id in attempts}
    items = {trial.key.item_id for trial in snapshot.trials if trial.id in trials}
    return frozenset(name_of(item) for item in snapshot.items if item.id in items)


LOCAL = Way()
"""Everything streamed."""
