"""What retrying until success, at most k attempts, would bring and cost."""

import math
from collections.abc import Sequence

from evalkit.stats.inputs import Values, check_same_length, check_whole, numbers, trial_lists, whole_numbers

MOST_TRIES = 10_000


def _check_tries(k: int) -> None:
    check_whole(k=k)
    if k > MOST_TRIES:
        raise ValueError(f"k = {k} is more than {MOST_TRIES:,} tries")


def retry_success(successes: int | Values, epochs: int | Values, k: int) -> float:
    """Share of items solved within `k` attempts, in [0, 1].

    `successes` of `epochs` trials per item (one number serves all items). With k <= epochs the mean of the
    unbiased per-item values 1 - C(epochs - successes, k) / C(epochs, k) (Chen 2021). With k > epochs of some
    item it is an extrapolation from a beta-binomial moment fit, and should be labelled so; that needs 2
    epochs per item. k = 0 gives 0. Raises ValueError for no items, successes > epochs, counts that are
    negative or broken.
    """
    x, m = _counts(successes, epochs)
    _check_tries(k)
    if k <= min(m):
        return math.fsum(retry_success_items(x, m, k)) / len(x)
    return 1 - _beta_all_fail(x, m, k)[k]


def retry_success_items(successes: int | Values, epochs: int | Values, k: int) -> list[float]:
    """The per-item values of `retry_success`, each in [0, 1]; raises ValueError for k above an item's epochs.

    Source: Chen (2021).
    """
    x, m = _counts(successes, epochs)
    _check_tries(k)
    if k > min(m):
        raise ValueError(f"k = {k} is more than the {min(m)} epochs of an item")
    return [1 - math.comb(total - good, int(k)) / math.comb(total, int(k)) for good, total in zip(x, m, strict=True)]


def retry_cost(costs: Sequence[Values], satisfied: Sequence[Values], k: int) -> float:
    """Mean cost of an item in USD when it is retried until success, at most `k` attempts.

    `costs` (>= 0) and `satisfied` (0 or 1): one list of trials per item. With k <= epochs it is the mean of the
    unbiased per-item values, averaged over all orders of the trials. With k > epochs of some item the extra
    attempts come from the beta-binomial fit of `retry_success`, each at the mean cost of a failed trial: an
    extrapolation, to be labelled so. k = 0 costs 0. Raises ValueError for bad values, no items, or items without
    trials. Source: the orders of the trials that Chen (2021) counts.
    """
    c, s = trial_lists(costs, satisfied)
    if not c:
        raise ValueError("costs is empty: at least one item is needed")
    _check_tries(k)
    sizes = [len(row) for row in c]
    within = min(int(k), *sizes)
    cost = math.fsum(retry_cost_items(c, s, within)) / len(c)
    failed = [price for row, flags in zip(c, s, strict=True) for price, ok in zip(row, flags, strict=True) if not ok]
    if k <= within or not failed:
        return cost
    all_fail = _beta_all_fail([int(sum(flags)) for flags in s], sizes, int(k))
    return cost + math.fsum(all_fail[within : int(k)]) * math.fsum(failed) / len(failed)


def retry_cost_items(costs: Sequence[Values], satisfied: Sequence[Values], k: int) -> list[float]:
    """The per-item values of `retry_cost` in USD; raises ValueError for k above an item's epochs.

    Source: as `retry_cost`, Chen (2021).
    """
    c, s = trial_lists(costs, satisfied)
    if not c:
        raise ValueError("costs is empty: at least one item is needed")
    _check_tries(k)
    shortest = min(len(row) for row in c)
    if k > shortest:
        raise ValueError(f"k = {k} is more than the {shortest} epochs of an item")
    return [_one_item_cost(row, flags, int(k)) for row, flags in zip(c, s, strict=True)]


def _one_item_cost(costs: list[float], flags: list[float], k: int) -> float:
    m, failures = len(costs), flags.count(0)
    expected = 0.0
    for cost, ok in zip(costs, flags, strict=True):
        other_failures = failures - (not ok)
        reached = sum(math.comb(other_failures, position) / math.comb(m - 1, position) for position in range(k))
        expected += cost * reached / m
    return expected


def beta_retry(a: float, b: float, k: int) -> tuple[float, float]:
    """Share solved within `k` attempts and mean number of attempts when items' success rates are Beta(a, b).

    a, b > 0; k whole, >= 0. The closed form E[(1-p)^j] = product of (b+i)/(a+b+i) over i < j. k = 0 gives (0, 0).
    Source: beta-binomial moments (Skellam 1948). Raises ValueError for a shape of 0 or below and a bad `k`.
    """
    numbers("shape", [a, b], 1e-12)
    _check_tries(k)
    all_fail = [1.0]
    for i in range(int(k)):
        all_fail.append(all_fail[-1] * (b + i) / (a + b + i))
    return 1 - all_fail[-1], math.fsum(all_fail[:-1])


def _beta_all_fail(x: Sequence[int], m: Sequence[int], k: int) -> list[float]:
    """P(the first j attempts all fail) for j = 0..k, from the first two moments of the items' success rates."""
    if min(m) < 2:
        raise ValueError(f"k = {k} needs at least 2 epochs per item, since one has {min(m)}")
    first = math.fsum(good / total for good, total in zip(x, m, strict=True)) / len(x)
    pairs = [good * (good - 1) / (total * (total - 1)) for good, total in zip(x, m, strict=True)]
    between = max(0.0, math.fsum(pairs) / len(x) - first * first)
    within = max(0.0, first - math.fsum(pairs) / len(x))
    all_fail = [1.0, 1 - first]
    for i in range(1, int(k)):
        # (b + i) / (a + b + i) with a + b = within / between, multiplied out: between = 0 is plain independence
        step = ((1 - first) * within + i * between) / (within + i * between) if within + between > 0 else 1.0
        all_fail.append(all_fail[-1] * step)
    return all_fail


def _counts(successes: int | Values, epochs: int | Values) -> tuple[list[int], list[int]]:
    x = whole_numbers("successes", [successes] if isinstance(successes, int) else successes)
    m = whole_numbers("epochs", [epochs] * len(x) if isinstance(epochs, int) else epochs)
    check_same_length(successes=x, epochs=m)
    if not len(x):
        raise ValueError("successes is empty: at least one item is needed")
    for i, (good, total) in enumerate(zip(x, m, strict=True)):
        if good > total or total < 1:
            raise ValueError(f"successes[{i}] = {good:g} does not fit {total:g} epochs")
    return [int(good) for good in x], [int(total) for total in m]
