"""How often a judge errs against a human: sensitivity, specificity, J, leniency, and replacing a human."""

import math
from collections.abc import Sequence

import numpy as np

from evalkit.frozen import dataclass
from evalkit.stats import distributions as stats
from evalkit.stats.clusters import Codes, ItemNames, effective_units, item_codes, item_sums, renumbered
from evalkit.stats.estimate import Estimate, no_estimate
from evalkit.stats.gradings import Grades, grade_table
from evalkit.stats.inputs import (
    FloatArray,
    Values,
    check_confidence,
    check_same_length,
    check_share,
    check_within,
    numbers,
)
from evalkit.stats.multiplicity import benjamini_yekutieli
from evalkit.stats.plain import Plain
from evalkit.stats.rates import rate, rate_clustered, two_sided_t, wilson_limits

YOUDEN = "Wilson limits of both shares, joined (MOVER)"
LEANING = "Student's t of paired differences"
FEWEST_HUMANS, FEWEST_ITEMS = 3, 30


@dataclass(frozen=True, slots=True)
class JudgeAccuracy(Plain):
    """A judge against a human on the same outputs.

    `sensitivity` and `specificity` in [0, 1]: share the judge passes of what the human passes, and fails of
    what the human fails. `youden` in [-1, 1]: J = sensitivity + specificity - 1, 0 for a judge that knows
    nothing. `youden_low_80`: lower end of its 80 % interval, which a margin is multiplied with; None where J
    is unknown.
    """

    sensitivity: Estimate
    specificity: Estimate
    youden: Estimate
    youden_low_80: float | None


def judge_accuracy(judge: Values, human: Values, confidence: float = 0.95, *, items: ItemNames = None) -> JudgeAccuracy:
    """Sensitivity, specificity (Wilson) and J of a judge's flags against a human's, 0 or 1 in the same order.

    The limits of J join those of the two shares (MOVER; Newcombe 1998, Zou and Donner 2008). `items`
    names each output's item where some have several (epochs): Wilson's n is then the effective one; every n counts
    items. No output of a kind: that share and J have no value and a reason. 0/n and n/n work. Raises ValueError for
    other values than 0 and 1 and for different lengths.
    """
    check_confidence(confidence)
    check_same_length(judge=judge, human=human)
    j, h = numbers("judge", judge, 0, 1), numbers("human", human, 0, 1)
    for name, flags in (("judge", j), ("human", h)):
        if (wrong := np.flatnonzero((flags != 0) & (flags != 1))).size:
            raise ValueError(f"{name}[{wrong[0]}] = {flags[wrong[0]]} is neither 0 nor 1")
    codes, sizes = item_codes(items, h), (int((h == 1).sum()), int((h == 0).sum()))
    right = [((j == kind)[h == kind].astype(np.float64), renumbered(codes[h == kind])) for kind in (1, 0)]
    sensitivity, specificity = (_share_right(flags, of_item, confidence) for flags, of_item in right)
    count = int(codes.max(initial=-1)) + 1
    if not all(sizes):
        kind = "passes" if not sizes[0] else "fails"
        youden = no_estimate(f"the human {kind} nothing, so J is unknown", confidence, YOUDEN, count)
        return JudgeAccuracy(sensitivity, specificity, youden, None)
    shares, n_eff = [float(flags.mean()) for flags, _ in right], [effective_units(*one) for one in right]
    value = shares[0] + shares[1] - 1
    low, high = _youden_limits(shares, n_eff, confidence)
    youden = Estimate(value, low, high, confidence, count, YOUDEN)
    return JudgeAccuracy(sensitivity, specificity, youden, _youden_limits(shares, n_eff, 0.80)[0])


def _share_right(flags: FloatArray, codes: Codes, confidence: float) -> Estimate:
    if not len(flags):
        return rate(0, 0, confidence)
    units = item_sums(np.ones(len(flags)), codes)
    return rate_clustered(item_sums(flags, codes), units, confidence, small_sample=False)


def _youden_limits(shares: Sequence[float], n_eff: Sequence[float], confidence: float) -> tuple[float, float]:
    limits = [wilson_limits(share, n, confidence) for share, n in zip(shares, n_eff, strict=True)]
    down = math.hypot(*(share - low for share, (low, _) in zip(shares, limits, strict=True)))
    up = math.hypot(*(high - share for share, (_, high) in zip(shares, limits, strict=True)))
    return max(-1.0, sum(shares) - 1 - down), min(1.0, sum(shares) - 1 + up)


def leniency_midp(errors_a: int, n_a: int, errors_b: int, n_b: int) -> float:
    """Two-sided mid-p in (0, 1] that a judge's error rates on two sides' outputs are equal (Fisher's mid-p).

    `errors_*` of `n_*` outputs of each side. No output on a side, or all or no errors: 1, nothing can be told.
    Swapping the sides keeps p. Raises ValueError for counts that are negative, broken or over n. Source: mid-p
    (Lancaster 1961) of the exact test of Fisher (1935).
    """
    check_within(n_a, errors_a=errors_a)
    check_within(n_b, errors_b=errors_b)
    total, errors = int(n_a + n_b), int(errors_a + errors_b)
    counts = np.arange(max(0, errors - int(n_b)), min(errors, int(n_a)) + 1)
    chances = stats.hypergeom.pmf(counts, total, errors, int(n_a))
    seen = float(chances[int(errors_a) - max(0, errors - int(n_b))])
    if len(chances) == 1:
        return 1.0
    p = float(chances[chances <= seen * (1 + 1e-7)].sum()) - seen / 2
    return min(1.0, p)


def judge_leaning(errors_a: Values, errors_b: Values, confidence: float = 0.95) -> Estimate:
    """How much more of side b than of side a a judge passes beyond what people pass, in [-2, 2]: 0 where it errs alike.

    `errors_*`: each labelled item's mean of judge less human (1, 0 or -1 an output) on that side's outputs, same items
    in the same order. Student's interval of the paired differences, with no less spread than that of n + 2 items, the
    two more of which it errs on, once towards either side: where errors are rare, a sample of few has too little
    spread as well. Without any error of n the one-sided 95 % limit is some 2.3 / n so, of the exact 2.5 to 3 / n.
    One item: no limits; none: no value. Raises ValueError for values outside [-1, 1] and for different lengths. Source:
    Student (1908).
    """
    check_confidence(confidence)
    check_same_length(errors_a=errors_a, errors_b=errors_b)
    apart = numbers("errors_b", errors_b, -1, 1) - numbers("errors_a", errors_a, -1, 1)
    n = len(apart)
    if not n:
        return no_estimate("no item with labels on both sides", confidence, LEANING)
    mean = float(apart.mean())
    if n == 1:
        return Estimate(mean, None, None, confidence, n, LEANING, ("one item gives no interval",))
    smoothed = (float((apart**2).sum()) + 2) / (n + 2) - (n * mean / (n + 2)) ** 2
    spread = max(float(apart.var(ddof=1)), smoothed)
    half = two_sided_t(confidence, n - 1) * math.sqrt(spread / n)
    return Estimate(mean, mean - half, mean + half, confidence, n, LEANING)


def loss_p(difference: float, error: float, leaning: Estimate, share: float = 1.0) -> float | None:
    """One-sided p in (0, 1) that a difference which a judge sees is no loss, once its leaning is taken off.

    `difference`, with its standard `error` >= 0: side b less side a, `share` of which rests on the judge's word alone
    (or what a unit of it is worth on the scale of the difference). Student's t with the degrees of freedom of the
    labels. None without limits of the leaning. Raises ValueError for an error below 0. The difference estimator of
    two-phase sampling (Cochran 1977, chapter 12), as in prediction-powered inference (Angelopoulos et al. 2023) with
    the judge taken at its full word.
    """
    if not error >= 0:
        raise ValueError(f"error = {error} is not a number from 0 on")
    if leaning.value is None or leaning.high is None:
        return None
    of_leaning = (leaning.high - leaning.value) / two_sided_t(leaning.confidence, leaning.n - 1)
    spread = math.hypot(error, share * of_leaning)
    left = difference - share * leaning.value
    return float(stats.t.cdf(left / spread, leaning.n - 1)) if spread else 0.5


@dataclass(frozen=True, slots=True)
class AltTest(Plain):
    """Whether a judge may stand in for a human annotator.

    `winning_rate` in [0, 1]: share of humans whom the judge is shown to match; `advantage` in [0, 1]: mean
    share of items where it is at least as close to the other humans; `p_values`: one for each human, adjusted;
    `replaces`: winning_rate >= 1/2. All None, with a `reason`, where the test does not apply.
    """

    winning_rate: float | None
    advantage: float | None
    p_values: tuple[float, ...]
    replaces: bool | None
    reason: str | None = None


def alt_test(judge: Sequence[float | None], humans: Grades, epsilon: float = 0.15, alpha: float = 0.05) -> AltTest:
    """May a judge replace a human? The alternative annotator test (Calderon, Reichart and Dror 2025).

    `judge`: one label per item; `humans`: labels, humans x items; nan or None = missing. Each human is left
    out in turn; the judge and that human are compared by agreement with the other humans, item by item, and
    the judge must be shown not worse by `epsilon` or more (.2 against experts, .15 skilled, .1 crowd), a
    one-sided t-test with the Benjamini-Yekutieli correction at `alpha`. Fewer than 3 humans or 30 items that
    judge, human and another human share: a reason instead. Raises ValueError for ragged labels and for
    epsilon or alpha outside (0, 1).
    """
    for name, share in (("epsilon", epsilon), ("alpha", alpha)):
        check_share(name, share)
    table = grade_table(humans)
    machine = grade_table([judge])[0]
    if len(table) < FEWEST_HUMANS:
        return _not_applicable(f"{len(table)} humans: the test needs at least {FEWEST_HUMANS}")
    check_same_length(judge=machine, humans=table[0])
    pairs = [_closeness(machine, table, human) for human in range(len(table))]
    fewest = min(len(machine_score) for machine_score, _ in pairs)
    if fewest < FEWEST_ITEMS:
        return _not_applicable(f"a human shares {fewest} items with judge and others: {FEWEST_ITEMS} are needed")
    wins = [(ours >= theirs, theirs >= ours) for ours, theirs in pairs]
    raw = [_one_sided_p(theirs.astype(float) - ours.astype(float), epsilon) for ours, theirs in wins]
    adjusted = benjamini_yekutieli(raw)
    winning = sum(p <= alpha for p in adjusted) / len(adjusted)
    advantage = sum(float(ours.mean()) for ours, _ in wins) / len(wins)
    return AltTest(winning, advantage, tuple(adjusted), winning >= 0.5)


def _not_applicable(reason: str) -> AltTest:
    return AltTest(None, None, (), None, reason)


def _closeness(machine: FloatArray, table: FloatArray, human: int) -> tuple[FloatArray, FloatArray]:
    """Share of the other humans that judge and human agree with, on the items that all three kinds labelled."""
    others = np.delete(table, human, axis=0)
    there = ~np.isnan(others)
    shared = ~np.isnan(machine) & ~np.isnan(table[human]) & there.any(axis=0)
    sizes = there.sum(axis=0)[shared]
    return (
        (others == machine).sum(axis=0)[shared] / sizes,
        (others == table[human]).sum(axis=0)[shared] / sizes,
    )


def _one_sided_p(difference: FloatArray, epsilon: float) -> float:
    """p of H0: the human's advantage is at least epsilon."""
    gap, error = float(difference.mean()) - epsilon, float(difference.std(ddof=1)) / math.sqrt(len(difference))
    if error <= 1e-12:
        return 0.0 if gap < 0 else 1.0
    return float(stats.t.cdf(gap / error, len(difference) - 1))
