"""Intervals for a rate: one trial per item, or several (clusters)."""

import math
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from evalkit.frozen import dataclass
from evalkit.stats import distributions as stats
from evalkit.stats.estimate import Estimate, no_estimate
from evalkit.stats.inputs import FloatArray, Values, check_confidence, check_same_length, check_within, whole_numbers
from evalkit.stats.plain import Plain

WILSON = "Wilson score"
WILSON_CLUSTERED = "Wilson score, effective n"
WILSON_FEW = "Wilson score, effective n, joined with Clopper-Pearson on the items"
CLOPPER_PEARSON = "Clopper-Pearson"
Unit = Literal["trial", "item"]
FEW = 15  # below this, Wilson limits lean on too few trials to be shown without the exact ones beside them


@lru_cache(maxsize=64)
def two_sided_z(confidence: float) -> float:
    """The normal quantile that leaves (1 - confidence) / 2 in each tail."""
    return float(stats.norm.isf((1 - confidence) / 2))


@lru_cache(maxsize=256)
def two_sided_t(confidence: float, df: int) -> float:
    """The t quantile with `df` >= 1 degrees of freedom that leaves (1 - confidence) / 2 in each tail."""
    return float(stats.t.isf((1 - confidence) / 2, df))


def wilson_limits(share: float, n: float, confidence: float) -> tuple[float, float]:
    """Wilson (1927) score limits of a rate: `share` in [0, 1] of `n` > 0 trials, which need not be whole.

    A share of 0 has low exactly 0, a share of 1 has high exactly 1.
    """
    z2 = two_sided_z(confidence) ** 2
    centre, widening = share + z2 / (2 * n), 1 + z2 / n
    half = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n)))
    # the product of the two roots is known, which avoids the cancellation in centre - half
    low = share * share / (centre + half)
    high = 1 - (1 - share) ** 2 / (widening - centre + half)
    return min(low, share), max(high, share)


@lru_cache(maxsize=1024)  # parts of few items have few rates
def clopper_pearson_limits(successes: int, n: int, confidence: float) -> tuple[float, float]:
    """Exact (Clopper-Pearson) limits of a rate for 0 <= successes <= n, n >= 1."""
    tail, failures = (1 - confidence) / 2, n - successes
    low = float(stats.beta.ppf(tail, successes, failures + 1)) if successes else 0.0
    high = float(stats.beta.isf(tail, successes + 1, failures)) if failures else 1.0
    return low, high


def lower_limit(
    successes: npt.ArrayLike, n: npt.ArrayLike, confidence: float = 0.95, items: int | None = None
) -> FloatArray:
    """The lower limit of a rate that a bar is held against, element-wise; counts >= 0, n > 0, neither need be whole.

    Wilson's, and with fewer than 15 `items` (default n) the lower of it and the exact one on no more than the items:
    so few independent units are never worth more than they are, however often each was tried.
    """
    x, size = np.asarray(successes, dtype=np.float64), np.asarray(n, dtype=np.float64)
    share, z2 = x / size, two_sided_z(confidence) ** 2
    half = np.sqrt(z2 * (np.maximum(share * (1 - share), 0) / size + z2 / (4 * size * size)))
    wilson = share * share / (share + z2 / (2 * size) + half)
    few = (size if items is None else items) < np.full(share.shape, FEW)
    if not few.any():
        return np.asarray(wilson)
    units = size if items is None else np.minimum(size, items)
    passed = np.maximum(share * units, 1e-300)  # 0 of n has the limit 0
    exact = stats.beta.ppf((1 - confidence) / 2, passed, np.maximum(units - passed, 0) + 1)
    return np.asarray(np.where(few, np.minimum(wilson, exact), wilson))


def shown_limits(share: float, n_eff: float, confidence: float, items: int) -> tuple[float, float]:
    """The limits of a rate on `items` that carry the evidence of `n_eff` trials, as `lower_limit` gives the lower one.

    Whatever is worked out from a rate takes these, so that it never knows more of the rate than stands beside it.
    """
    if items >= FEW:
        return wilson_limits(share, n_eff, confidence)
    low = float(lower_limit(share * n_eff, n_eff, confidence, items))
    return low, 1 - float(lower_limit((1 - share) * n_eff, n_eff, confidence, items))


def rate(
    successes: int,
    n: int,
    confidence: float = 0.95,
    method: Literal["wilson", "clopper-pearson"] = "wilson",
) -> Estimate:
    """Rate of success with its Wilson (1927) score interval; a share in [0, 1].

    `method="clopper-pearson"` gives the exact, wider interval instead. n = 0: no value, no bounds. 0/n has
    low 0 and n/n has high 1, with a warning that gives the one-sided reading. n = 1 and 2 give a valid, wide
    interval; below 15 trials a warning quotes the exact limits. Raises ValueError for counts that are
    negative, broken or over n.
    """
    check_confidence(confidence)
    check_within(n, successes=successes)
    name = WILSON if method == "wilson" else CLOPPER_PEARSON
    if n == 0:
        return no_estimate("no trials", confidence, name)
    limits = wilson_limits(successes / n, n, confidence) if method == "wilson" else None
    low, high = limits or clopper_pearson_limits(successes, n, confidence)
    warnings = one_sided_reading(successes / n, low, high)
    if method == "wilson" and n < FEW:
        exact = clopper_pearson_limits(successes, n, confidence)
        warnings += (f"n = {n} is small: the exact interval is {exact[0]:.3f} to {exact[1]:.3f}",)
    return Estimate(successes / n, low, high, confidence, n, name, warnings)


def one_sided_reading(share: float, low: float, high: float) -> tuple[str, ...]:
    """The warning that a rate of 0 or 1 needs: only one limit says something. Empty for any other rate."""
    if share == 1:
        return (f"every trial succeeded: read as at least {low:.3f}",)
    if share == 0:
        return (f"no trial succeeded: read as at most {high:.3f}",)
    return ()


@dataclass(frozen=True, slots=True)
class ClusterDesign(Plain):
    """How much several trials per item are worth.

    `icc`: intraclass correlation in [0, 1], None where it cannot be estimated (all trials alike, or one
    item). `inflation`: the design effect, >= 1, None where icc is None. `n_eff`: trials of one per item that
    carry the same evidence, from the number of items to the number of trials; where every trial counts alike and
    some items have far more, from that of as many even ones (Kish 1965). Before the small-sample adjustment.
    `items`, `trials`: counts. `repeated`: whether any item has more than one trial. `share`: the rate that this is
    the evidence of.
    """

    icc: float | None
    inflation: float | None
    n_eff: float
    items: int
    trials: int
    repeated: bool
    share: float

    @property
    def worth(self) -> float:
        """Trials of one an item that an item carries the evidence of, as more of the same kind would: 1 or more."""
        return self.n_eff / self.items

    def adjusted_n_eff(self, confidence: float) -> float:
        """n_eff times (z/t)^2 with t on items - 1 degrees of freedom (Korn and Graubard 1998).

        Left alone where no variance between items was estimated: one trial per item, one item, or all trials
        alike.
        """
        if self.icc is None or not self.repeated:
            return self.n_eff
        return self.n_eff * (two_sided_z(confidence) / two_sided_t(confidence, self.items - 1)) ** 2


def cluster_design(successes_per_item: Values, trials_per_item: Values, unit: Unit = "trial") -> ClusterDesign:
    """Intraclass correlation (ANOVA form), design effect and effective n; Saha, Miller and Wang 2016.

    `unit` is what counts alike: every trial, or every item however often it was tried. Where all items have as many
    trials, both are the same.
    Every item needs at least one trial, and there must be at least one item: ValueError otherwise. All trials
    alike (or a single item): n_eff is the number of items, since repeats then add no evidence about new
    items.
    """
    x, sizes = _checked_counts(successes_per_item, trials_per_item)
    if not len(x):
        raise ValueError("trials_per_item is empty: at least one item is needed")
    if sizes.min() < 1:
        raise ValueError(f"trials_per_item[{int(np.argmin(sizes))}] = 0: every item needs at least one trial")
    items, trials, total = len(x), float(sizes.sum()), float(x.sum())
    repeated = bool(sizes.max() > 1)
    if items == 1 or total in (0, trials):
        return ClusterDesign(None, None, float(items), items, int(trials), repeated, total / trials)
    icc = _anova_icc(x, sizes)
    even = bool((sizes == sizes[0]).all())
    if unit == "trial" or even:
        share, inflation = total / trials, float((sizes * (1 + (sizes - 1) * icc)).sum()) / trials
    else:  # variance of the mean of item means, over that of one trial
        share = float((x / sizes).mean())
        inflation = trials * float(((1 + (sizes - 1) * icc) / sizes).sum()) / items**2
    least = items if unit == "item" or even else trials * trials / float((sizes * sizes).sum())
    n_eff = min(max(trials / inflation, least), trials)
    return ClusterDesign(icc, inflation, n_eff, items, int(trials), repeated, share)


def _anova_icc(x: FloatArray, sizes: FloatArray) -> float:
    items, trials, total = len(x), sizes.sum(), x.sum()
    if trials == items:
        return 0.0
    within_items = (x * x / sizes).sum()
    between = (within_items - total * total / trials) / (items - 1)
    within = (total - within_items) / (sizes - 1).sum()
    typical_size = (trials * trials - (sizes * sizes).sum()) / ((items - 1) * trials)
    return float(np.clip((between - within) / (between + (typical_size - 1) * within), 0, 1))


def _checked_counts(successes_per_item: Values, trials_per_item: Values) -> tuple[FloatArray, FloatArray]:
    check_same_length(successes_per_item=successes_per_item, trials_per_item=trials_per_item)
    x = whole_numbers("successes_per_item", successes_per_item)
    sizes = whole_numbers("trials_per_item", trials_per_item)
    over = np.flatnonzero(x > sizes)
    if over.size:
        raise ValueError(f"successes_per_item[{over[0]}] = {x[over[0]]:g} is more than its {sizes[over[0]]:g} trials")
    return x, sizes


def rate_clustered(
    successes_per_item: Values,
    trials_per_item: Values,
    confidence: float = 0.95,
    small_sample: bool = True,
    unit: Unit = "trial",
) -> Estimate:
    """Rate of success over items with several trials each; a share in [0, 1], `n` = items with a trial.

    The value is all successes over all trials; with the `unit` "item" the mean of the items' own rates, so that an
    item tried more often counts no more. The interval is Wilson on the effective n (ANOVA intraclass
    correlation; Saha, Miller and Wang 2016) with the small-sample adjustment of Korn and Graubard (1998), which
    `small_sample=False` leaves out; with one trial per item it is exactly `rate`. All trials alike: effective n =
    items. One item: effective n = 1. Below 15 items the interval is joined with the exact one on at most the items,
    unless `small_sample=False`. Items without a trial are left out with a warning; if none has any (or there is no
    item) there is no value. Raises ValueError for counts that are negative, broken or do not fit.
    """
    check_confidence(confidence)
    x, sizes = _checked_counts(successes_per_item, trials_per_item)
    present = sizes > 0
    if not present.any():
        return no_estimate("no trials", confidence, WILSON_CLUSTERED)
    design = cluster_design(x[present], sizes[present], unit)
    share = design.share
    if not design.repeated:
        estimate = rate(int(x.sum()), design.items, confidence)
        low, high, method, warnings = estimate.low, estimate.high, WILSON, estimate.warnings
    else:
        n_eff = design.adjusted_n_eff(confidence) if small_sample else design.n_eff
        low, high = wilson_limits(share, n_eff, confidence)
        if small_sample:
            low, high = shown_limits(share, n_eff, confidence, design.items)
        method = WILSON_FEW if small_sample and design.items < FEW else WILSON_CLUSTERED
        warnings = one_sided_reading(share, low, high)
        if design.items < FEW:
            warnings += (f"n = {design.items} is small: the interval leans on few independent items",)
    left_out = int((~present).sum())
    if left_out:
        warnings += (f"{left_out} of {len(sizes)} items have no trial and are left out",)
    return Estimate(share, low, high, confidence, design.items, method, warnings)
