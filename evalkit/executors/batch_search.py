"""Look for a batch among the server's: one of which nobody knows whether it arrived must not be paid for twice."""

from datetime import timedelta

from evalkit.executors.batch_entry import OpenBatch
from evalkit.frozen import dataclass
from evalkit.providers import batches
from evalkit.providers.batches import HasClient

_CLOCKS_APART = timedelta(hours=26)
"""So much the server's clock may differ from ours when a batch is looked for among its newest: a zone and more."""


@dataclass(frozen=True)
class Search:
    """What the server's list says of a batch: its id if it is there (`ours`), or others that may be it.

    `running`: one of those has not ended; `late`: one has, and there are no results yet to tell it by.
    """

    ours: str | None = None
    running: str | None = None
    late: str | None = None

    @property
    def is_absent(self) -> bool:
        """Whether the server does not have it, as far as its list shows by now."""
        return self.ours is None and self.running is None and self.late is None


async def look_for(provider: HasClient, batch: OpenBatch, known: set[str]) -> Search:
    """Look once, leaving out batches that are `known` by their ids. Raises BatchError.

    Custom ids are not in the server's list, so that batches of the same size are told apart by their results. One that
    ended is no candidate once its results are kept no more.
    """
    newest = await batches.created_since(provider, batch.created_at - _CLOCKS_APART)
    alike = [shown for shown in newest if shown.requests in (batch.requests, len(batch.entries))]
    strangers = [shown for shown in alike if shown.id not in known and shown.id not in batch.others]
    for stranger in (shown for shown in strangers if shown.has_results):
        if await batches.begins_with(provider, stranger.id, batch.nonce):
            return Search(ours=stranger.id)
        batch.others.add(stranger.id)
    undecided = [shown for shown in strangers if not (shown.has_results or shown.archived)]
    return Search(
        running=next((shown.id for shown in undecided if not shown.ended), None),
        late=next((shown.id for shown in undecided if shown.ended), None),
    )
