"""What is known of a batch under way: its entries, and what a result makes of them."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import field, replace
from datetime import datetime

from evalkit.charged import Claim
from evalkit.error_kinds import UNREADABLE
from evalkit.executors.local import SAME_REFUSALS, completed, cost_of
from evalkit.executors.schedule import Call
from evalkit.frozen import dataclass
from evalkit.pricing import Prices, cache_controls
from evalkit.providers.batches import Result
from evalkit.records import Reply

RESULTS_MISSING = "results_missing"
"""The kind of a failure where an ended batch shows no results."""

ENTRY_BYTES = 100
"""More than an entry takes besides its request."""


@dataclass(frozen=True)
class Terms:
    """Sizes of a batch and times in seconds.

    The next look is after a tenth of the time waited so far, within `look_s` and `look_cap_s`. Once it is unknown
    whether a batch arrived, the server's list has `appear_s` to show it. Looks may fail for `patience_s`.
    """

    requests: int = 100_000
    bytes: int = 256 * 2**20
    look_s: float = 5.0
    look_cap_s: float = 300.0
    appear_s: float = 30.0
    patience_s: float = 1800.0


@dataclass(frozen=True)
class Entry:
    """One request of a batch; of its call all but the prompt is kept."""

    attempt_id: int
    call: Call
    number: int
    claim: Claim


@dataclass
class OpenBatch:
    """A batch with entries to come. `since`: when its arrival became doubtful, or its looks began to fail (s)."""

    id: int
    nonce: str
    created_at: datetime
    server_id: str | None
    requests: int
    entries: dict[int, Entry]
    doubted_since: float
    failing_since: float | None = None
    submissions: int = 0
    others: set[str] = field(default_factory=set)


Settled = tuple[Entry, Reply, bool, float | None]
"""An entry, its reply, whether that is final, and its cost in USD."""


def without_prompt(call: Call) -> Call:
    """A call as it is kept while the server works: prompts may be megabytes. The marks for a cache remain, since an
    answer that does not say for how long it was written is priced by them."""
    marks = tuple({"cache_control": control} for control in cache_controls(call.request))
    return replace(call, request=replace(call.request, messages=(), system=marks or None))


def attempt_of(result: Result, nonce: str) -> int:
    """The attempt that a result belongs to; 0, which no attempt is, for one that is not ours."""
    name = result.custom_id.removeprefix(f"{nonce}_")
    return int(name) if name != result.custom_id and name.isascii() and name.isdigit() else 0


def settled(entry: Entry, result: Result, when: datetime, prices: Prices) -> Settled:
    """What a result makes of its entry: reply, whether it is final, and its cost at the moment `when`."""
    reply = completed(result.reply, entry.call.request)
    cost_usd = cost_of(entry.call.request, reply, when, prices) if result.billed else 0.0
    return entry, reply, not (reply.retryable or reply.stops_run), cost_usd


def missing(told: str) -> Reply:
    """That results which should be there are not, which may pass."""
    return Reply("errored", None, error_type=RESULTS_MISSING, error_message=told, retryable=True)


def is_doubtful(one: Settled) -> bool:
    """Whether an entry failed in a way that may be a mistake in the settings, or another kind of server."""
    _, reply, final, _ = one
    return reply.outcome == "errored" and (final or reply.error_type == UNREADABLE)


def judged(failed: Iterable[Settled], heard: Collection[str]) -> tuple[list[Settled], dict[str, Reply]]:
    """Failures as they are recorded, and what stops the run, by model: so many requests refused for good of one that
    has answered nothing (it is not `heard`) are a mistake in the settings, and settle nothing."""
    told: list[Settled] = []
    refused: dict[str, list[Settled]] = defaultdict(list)
    for one in failed:
        model = one[0].call.request.model
        (refused[model] if is_doubtful(one) and model not in heard else told).append(one)
    wrong = {model: of_one[0][1] for model, of_one in refused.items() if len(of_one) >= SAME_REFUSALS}
    for model, of_one in refused.items():
        told += [(entry, reply, final and model not in wrong, usd) for entry, reply, final, usd in of_one]
    return told, wrong
