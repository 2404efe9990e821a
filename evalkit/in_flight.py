"""How many requests may be in flight at once, and how many processes of a cluster send them."""

from collections.abc import Mapping
from math import ceil

MOST = 4096
"""Past what one driver can keep busy (docs/scaling.md). One process alone is late before that, and says by how much."""

PER_WORKER = 64
"""Requests in flight that one process can have and still keep its clock true; past that a node gets more workers."""


def workers_for(concurrency: int) -> int:
    """Processes that so many requests in flight are worth."""
    return ceil(concurrency / PER_WORKER)


def workers_on(cpus: Mapping[str, int], concurrency: int) -> dict[str, int]:
    """How many of them each node has, by how many CPUs each node has: the same everywhere, up to its CPUs."""
    usable = {node: count for node, count in cpus.items() if count}
    each = ceil(concurrency / PER_WORKER / max(1, len(usable)))
    return {node: min(count, each) for node, count in usable.items()}
