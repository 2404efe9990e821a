"""A judge's biases, each as a number with its doubt: for a place, for length, and for one side's outputs."""

from collections.abc import Sequence

import numpy as np

from evalkit.frozen import dataclass
from evalkit.stats.clusters import Codes, ItemNames, item_codes, item_sums, renumbered
from evalkit.stats.estimate import Estimate, no_estimate
from evalkit.stats.gee import FARTHEST, logistic
from evalkit.stats.inputs import FloatArray, Values, check_confidence, check_same_length, numbers
from evalkit.stats.logscale import scaled
from evalkit.stats.paired import paired_means
from evalkit.stats.plain import Plain
from evalkit.stats.rates import rate, rate_clustered, two_sided_t

LENGTH = "logistic GEE beside the human's verdict, t"
NO_SLIPS = "the judge's verdicts follow the human's alone, or are all alike: no effect of length can be told"
ONE_LENGTH = "the outputs of an item are of one length each: no effect of length can be told"
UNSETTLED = "the verdicts leave the effect of length unsettled"
_SURELY_FULL = 1e-6
"""Part of the largest eigenvalue of columns' products above which their rank is out of question."""


@dataclass(frozen=True, slots=True)
class PositionBias(Plain):
    """What the order of two outputs does to a judge, from pairs judged in both orders.

    `consistent` in [0, 1]: share of pairs on which both orders say the same. `first`: of the others, the share in which
    the place shown first was favoured; an interval off 1/2 is a bias.
    """

    consistent: Estimate
    first: Estimate


def position_bias(
    one_way: Sequence[float], other_way: Sequence[float], confidence: float = 0.95, *, items: ItemNames = None
) -> PositionBias:
    """Position bias of a judge that has seen pairs in both orders.

    `one_way`, `other_way`: 1 where the output shown first was chosen, -1 for the second, 0 for a tie, in the same order
    of pairs; they say the same when their sum is 0. Shares: Wilson (1927), with `items` on an effective number of
    pairs; of inconsistent pairs the exact limits (Clopper and Pearson 1934), or, where `items` has several pairs of an
    item, those of `rate_clustered`; each estimate's method says which. No pair: no value. Raises ValueError for other
    numbers and lists of different lengths.
    """
    check_confidence(confidence)
    check_same_length(one_way=one_way, other_way=other_way)
    lean = np.zeros(len(one_way))
    for name, values in (("one_way", one_way), ("other_way", other_way)):
        array = numbers(name, values, -1, 1)
        if (wrong := np.flatnonzero(array != np.round(array))).size:
            raise ValueError(f"{name}[{wrong[0]}] = {array[wrong[0]]} is none of 1, 0 and -1")
        lean += array
    codes, apart = item_codes(items, lean), lean != 0
    return PositionBias(
        _share((~apart).astype(np.float64), codes, confidence),
        _share((lean[apart] > 0).astype(np.float64), renumbered(codes[apart]), confidence, exact=True),
    )


def _share(flags: FloatArray, codes: Codes, confidence: float, *, exact: bool = False) -> Estimate:
    if len(np.unique(codes)) == len(codes):
        return rate(int(flags.sum()), len(flags), confidence, method="clopper-pearson" if exact else "wilson")
    return rate_clustered(item_sums(flags, codes), item_sums(np.ones(len(flags)), codes), confidence)


def length_effect(
    judge: Values, human: Values, lengths: Values, confidence: float = 0.95, *, items: ItemNames = None
) -> Estimate:
    """Odds ratio that a judge passes an output twice as long as its item's others, the human's verdict held equal.

    `judge`, `human`: flags, 0 or 1; `lengths` > 0, in the same order; `items` names each output's item. Length enters
    as log2 of its ratio to the geometric mean of the item's outputs. Generalised estimating equations (`gee.logistic`),
    exchangeable within items, with the variance of Mancl and DeRouen (2001), t with items - terms degrees of freedom.
    Outputs of a human verdict on which the judge never differs tell nothing of length and are left out. 1: none; above
    1 a liking for long outputs. No value where nothing is left, lengths do not differ, all rests on one item, or no
    finite fit exists. Raises ValueError for other flags, lengths that are not above 0, and lists of different lengths.
    """
    check_confidence(confidence)
    check_same_length(judge=judge, human=human, lengths=lengths)
    y, h, size = numbers("judge", judge, 0, 1), numbers("human", human, 0, 1), numbers("lengths", lengths, 0)
    for name, flags in (("judge", y), ("human", h)):
        if (wrong := np.flatnonzero((flags != 0) & (flags != 1))).size:
            raise ValueError(f"{name}[{wrong[0]}] = {flags[wrong[0]]} is neither 0 nor 1")
    if (size <= 0).any():
        raise ValueError(f"lengths has {size.min()}: every length must be above 0")
    codes = item_codes(items, y)
    logs = np.log2(size)
    x = logs - (item_sums(logs, codes) / np.maximum(item_sums(np.ones(len(logs)), codes), 1))[codes]
    varied = [kind for kind in (0, 1) if len(set(y[h == kind].tolist())) > 1]
    keep = np.isin(h, varied)
    y, h, x, codes = y[keep], h[keep], x[keep], renumbered(codes[keep])
    terms, n = 1 + len(varied), int(codes.max(initial=-1)) + 1
    if not varied:
        return no_estimate(NO_SLIPS, confidence, LENGTH, n)
    if n <= terms:
        return no_estimate(f"{n} items: too few for an effect of length", confidence, LENGTH, n)
    if np.ptp(x) < 1e-9:
        return no_estimate(ONE_LENGTH, confidence, LENGTH, n)
    design = np.column_stack([np.ones(len(x)), x, *([h] if len(varied) == 2 else [])])
    fitted = None if _rests_on_one_item(design, codes) else _fit(y, design, codes)
    ratio = None if fitted is None else scaled(1.0, fitted[0])
    if fitted is None or ratio is None:
        return no_estimate(UNSETTLED, confidence, LENGTH, n)
    half = two_sided_t(confidence, n - terms) * fitted[1]
    return Estimate(ratio, scaled(ratio, -half), scaled(ratio, half), confidence, n, LENGTH)


def _rests_on_one_item(design: FloatArray, codes: Codes) -> bool:
    """Whether without some item no length differs, or no human verdict: no variance of Mancl and DeRouen exists."""
    products = item_sums(design[:, :, None] * design[:, None, :], codes)
    least, *_, most = np.moveaxis(np.linalg.eigvalsh(products.sum(axis=0) - products), -1, 0)
    suspects = np.flatnonzero(~(least > _SURELY_FULL * most))
    return any(np.linalg.matrix_rank(design[codes != item]) < design.shape[1] for item in suspects)


def _fit(y: FloatArray, design: FloatArray, codes: Codes) -> tuple[float, float] | None:
    """Log odds per doubling, the second column, and its error; None where the fit does not settle."""
    found = logistic(y, design, codes)
    if found is None or found.covariance[1, 1] <= 0:
        return None
    beta, error = float(found.beta[1]), float(np.sqrt(found.covariance[1, 1]))
    return (beta, error) if max(abs(beta), error) < FARTHEST else None


def self_preference(
    judge: Values, human: Values, own: Values, confidence: float = 0.95, *, items: ItemNames = None
) -> Estimate:
    """How much better a judge treats one side's outputs than the others', the human's verdict taken off.

    `judge`, `human`: verdicts or scores in [0, 1]; `own`: 1 for an output of that side, 0 for others; `items` names
    each output's item. Mean over items with outputs of both kinds of (judge - human on own) - (judge - human on
    others), in [-2, 2], with Student's t (1908). No such item: no value; one, or no spread: no bounds. Raises
    ValueError for values outside [0, 1] and for lists of different lengths.
    """
    check_confidence(confidence)
    check_same_length(judge=judge, human=human, own=own)
    gap = numbers("judge", judge, 0, 1) - numbers("human", human, 0, 1)
    mine, codes = numbers("own", own, 0, 1), item_codes(items, gap)
    sides = []
    for side in (mine, 1 - mine):
        number = item_sums(side, codes)
        sides.append((item_sums(gap * side, codes) / np.maximum(number, 1), number > 0))
    both = sides[0][1] & sides[1][1]
    return paired_means(sides[0][0][both], sides[1][0][both], confidence)
