"""What a policy comes to on a test set that nobody has run: names that are not there, and what can never pass."""

from collections.abc import Callable, Iterator
from functools import partial

from evalkit import stats
from evalkit.errors import ProblemsError
from evalkit.gating.naming import NotThereError, Planned
from evalkit.gating.policy import NO_QUALITY, Common
from evalkit.staging import first
from evalkit.stats.paired import tested_at
from evalkit.wording import plural

_MOST_ENUMERATED = 1000


def foreseen(policy: Common, place_of: Callable[[NotThereError], str], planned: Planned, epochs: int) -> list[str]:
    """What each share that the policy limits asks of a set of this size, and of graders, before any money is spent.

    ProblemsError with every check that names a slice or a criterion that is not there, after its file and line
    (`place_of`).
    """
    problems, told = list[str](), [] if policy.asks_for_quality else [NO_QUALITY]
    for module, settings in policy.asked:
        try:
            shares = list(module.foresee(settings, planned)) if hasattr(module, "foresee") else []
            asks = list(module.asks(settings, planned)) if hasattr(module, "asks") else []
            if hasattr(module, "takes"):
                asks += module.takes(settings, planned, partial(_alpha, policy, epochs))
        except NotThereError as error:
            problems.append(f"{place_of(error)}: {error}")
            continue
        for name, items, margin in shares:
            told += _of(name, items, margin, epochs, partial(_alpha, policy, epochs))
        told += asks
    if policy.sequential is not None:
        told.append(
            f"looks at these shares of the items: {' '.join(f'{share:g}' for share in policy.sequential.looks)}"
        )
    if problems:
        raise ProblemsError(problems)
    return told


def _of(name: str, items: int, margin: float, epochs: int, alpha: Callable[[int], float]) -> list[str]:
    """That it cannot pass; of the quality of all items, also how many losses it can afford."""
    if name == "quality":
        return afford(items, epochs, margin, alpha)
    return [f"{name}: {line}" for line in hopeless(items, epochs, margin, alpha)]


def _alpha(policy: Common, epochs: int, items: int) -> float:
    """What the last of the planned looks at so many items is tested at."""
    if policy.sequential is None:
        return policy.alpha
    shares = sorted({first(share, items) / items for share in policy.sequential.looks})
    return stats.look_alphas(shares, tested_at(policy.alpha, epochs))[-1]


def hopeless(items: int, epochs: int, margin: float, alpha: float | Callable[[int], float]) -> Iterator[str]:
    """That even two models that never differ cannot pass, if so. `alpha`: what so many items are tested at."""
    least = _enough(items, epochs, margin, alpha if callable(alpha) else lambda _: alpha)
    if least is None or items < least:
        enough = f"more than {_MOST_ENUMERATED:,} can" if least is None else f"{least:,} can"
        yield f"at {margin * 100:.3g} points, {plural(items, 'item')} cannot pass when the two never differ; {enough}"


def _enough(items: int, epochs: int, margin: float, alpha: Callable[[int], float]) -> int | None:
    """So many items, or more, of which two models that never differ pass; None beyond what is enumerated. Looks at
    another number of items may leave the last of them another error."""
    enough = items
    while True:
        least = stats.smallest_passing_n(margin, alpha(enough), score_only=epochs > 1)
        if least is None or least <= enough:
            return least and enough
        enough = least


def afford(items: int, epochs: int, margin: float, alpha: float | Callable[[int], float]) -> list[str]:
    """What a gate at this margin asks of a set of this size."""
    said = list(hopeless(items, epochs, margin, alpha))
    if epochs > 1 or not 1 <= items <= _MOST_ENUMERATED:
        return said
    losses = stats.losses_allowed(items, margin, range(min(items, 5)), alpha(items) if callable(alpha) else alpha)
    told = [(gains, most) for gains, most in enumerate(losses) if most is not None]
    if told:
        (gains, most), *more = told
        rest = "".join(f", {others} with {won}" for won, others in more)
        said.append(f"to pass at {margin * 100:.3g} points it can lose at most {most} with {gains} gained{rest}")
    return said
