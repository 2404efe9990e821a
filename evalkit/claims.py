"""What a run file has cost a budget: what is priced, and what is set aside since nobody knows what was billed."""

from collections.abc import Callable, Collection
from datetime import datetime
from functools import partial

from evalkit.bill import as_shown, judge_worst_usd, shown_by, shown_by_judges, worst_cases
from evalkit.charged import Charged, Claim
from evalkit.compact import PromptSizes
from evalkit.cut_streams import is_cut
from evalkit.grader_names import judge_model
from evalkit.plan import Plan
from evalkit.pricing import LIST_PRICES, Prices
from evalkit.records import Attempt, Snapshot
from evalkit.uncounted import ShownSizes, Unsure, window_of

_LARGEST_WINDOW = 1_000_000
"""Of any model whose window is known."""


def spent_usd(snapshot: Snapshot) -> float:
    """USD of all priced attempts so far, of production and of judges."""
    return sum(attempt.cost_usd or 0.0 for attempt in snapshot.attempts)


def charged(snapshot: Snapshot, when: datetime, prices: Prices = LIST_PRICES, besides: Collection[int] = ()) -> Charged:
    """What a budget has borne of production and of judges, `besides` attempts that are set aside elsewhere."""
    return borne(snapshot, claims(snapshot, when, prices, besides))


def borne(snapshot: Snapshot, aside: Collection[Claim]) -> Charged:
    """The same, with what is set aside as it stands."""
    in_batches = sum(claim.in_batch for claim in aside)
    aside_usd = sum(claim.aside_usd for claim in aside)
    return Charged(spent_usd(snapshot), aside_usd, len(aside) - in_batches, in_batches)


def claims(
    snapshot: Snapshot,
    when: datetime,
    prices: Prices = LIST_PRICES,
    besides: Collection[int] = (),
    shown: ShownSizes | None = None,
    to_judges: ShownSizes | None = None,
) -> list[Claim]:
    """What is set aside for attempts that may have been billed, nobody knows how much, and for answers that broke off:
    the worst case of their trial or their judge, by what is shown of prompts, now or later (`shown`, `to_judges`)."""
    keys = {trial.id: trial.key for trial in snapshot.trials}
    plan = Plan(snapshot.spec, snapshot.items, PromptSizes(snapshot.sizes), ())
    shown, to_judges = shown or shown_by(snapshot, plan), to_judges or shown_by_judges(snapshot)
    streamed_usd = as_shown(plan, worst_cases(plan, when, prices), shown)
    batched_usd = as_shown(plan, worst_cases(plan, when, prices, plan.records), shown)
    batched, waiting = {id_ for batch in snapshot.batches for id_ in batch.attempts}, snapshot.in_batches

    def worst_of(attempt: Attempt) -> Callable[[], float | None]:
        if attempt.grader is None:
            return partial(batched_usd if attempt.id in batched else streamed_usd, keys[attempt.trial_id])
        model = judge_model(attempt.grader)
        usd = partial(judge_worst_usd, model, when, prices, attempt.cached is not False)
        return Unsure(model, _most_of_judge(model, attempt), usd, to_judges).worst_usd

    unknown = (a for a in snapshot.attempts if a.id not in besides and (a.cost_usd is None or is_cut(a)))
    return [Claim(worst_of(a), known_usd=a.cost_usd or 0.0, in_batch=a.id in waiting).reckoned() for a in unknown]


def _most_of_judge(model: str, attempt: Attempt) -> int:
    """The most its prompt may have; all that its model takes in a run file that does not say it."""
    return attempt.most_tokens if attempt.most_tokens is not None else window_of(model) or _LARGEST_WINDOW
