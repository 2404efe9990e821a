"""Rates corrected for a judge's errors, with the labels of a human on a random part."""

import math

import numpy as np

from evalkit.stats.clusters import Codes, ItemNames, effective_units, item_codes
from evalkit.stats.estimate import Estimate, no_estimate
from evalkit.stats.inputs import FloatArray, Values, check_confidence, check_same_length, numbers
from evalkit.stats.judge_errors import judge_accuracy
from evalkit.stats.rates import two_sided_t, two_sided_z
from evalkit.stats.sample_quantiles import percentile_interval

DOUBLE_SAMPLING = "double sampling, Beta posteriors"
ROGAN_GLADEN = "Rogan-Gladen, Lang-Reiczigel limits"
DRAWS = 4000
FEW_LABELS = 30


def double_sampling(
    judge_all: Values,
    judge_labelled: Values,
    human_labelled: Values,
    seed: int,
    confidence: float = 0.95,
    *,
    items_all: ItemNames = None,
    items_labelled: ItemNames = None,
    usable: Values | None = None,
    items_usable: ItemNames = None,
) -> Estimate:
    """The rate a human would find, in [0, 1], from many judged and some doubly graded outputs (Tenenbein 1970).

    `judge_all`: the judge's flags (0 or 1) on all outputs, the labelled ones too; `judge_labelled` and
    `human_labelled`: both flags on a random part, in the same order. P(J+) PPV + P(J-) (1 - NPV), each share
    drawn from Beta(x + 1/2, n - x + 1/2), 4000 draws from `seed`; the limits always hold the value. Where
    items have several outputs (epochs), `items_all` and `items_labelled` name each output's, and x and n are scaled
    to the effective number of outputs (`cluster_design`). `usable`: flags of all trials, 0 for one that brought no
    output to judge, whose items `items_usable` names: the rate is that of outputs times their share. n counts labelled
    outputs. No judged or no labelled output: no value. A judge's grade without any label: its share is taken as 1/2
    with the full range as doubt, and a warning. Fewer than 30 labels: a warning. 0/n and n/n work. Raises ValueError
    for other values than 0 and 1, different lengths, or more labels than outputs.
    """
    check_confidence(confidence)
    everyone, judge, human = _flags(judge_all, judge_labelled, human_labelled)
    n = len(judge)
    if not len(everyone) or n == 0:
        return no_estimate("no judged outputs" if not len(everyone) else "no labels", confidence, DOUBLE_SAMPLING)
    rng, warnings = np.random.default_rng(seed), _few_labels(n)
    share_passed, codes = float(everyone.mean()), item_codes(items_labelled, judge)
    weight, value = _draws(rng, everyone, item_codes(items_all, everyone)), 0.0
    theta = np.zeros(DRAWS)
    for grade, share, drawn in (
        (1, share_passed, weight),
        (0, 1 - share_passed, 1 - weight),
    ):
        labels = human[judge == grade]
        theta += drawn * _draws(rng, labels, codes[judge == grade])
        value += share * (float(labels.mean()) if len(labels) else 0.5)
        if not len(labels) and share > 0:
            warnings += (f"no label where the judge said {grade}: its share there is unknown",)
    if usable is not None and 0 in (ended := numbers("usable", usable, 0, 1)):
        value *= float(ended.mean())
        theta *= _draws(rng, ended, item_codes(items_usable, ended))
    low, high = percentile_interval(theta, confidence)
    return Estimate(value, min(low, value), max(high, value), confidence, n, DOUBLE_SAMPLING, warnings)


def _draws(rng: np.random.Generator, flags: FloatArray, codes: Codes) -> FloatArray:
    n = effective_units(flags, codes)
    successes = n * float(flags.mean()) if n else 0.0
    return rng.beta(successes + 0.5, n - successes + 0.5, DRAWS)


def _flags(judge_all: Values, judge_labelled: Values, human_labelled: Values) -> tuple[FloatArray, ...]:
    check_same_length(judge_labelled=judge_labelled, human_labelled=human_labelled)
    named = {"judge_all": judge_all, "judge_labelled": judge_labelled, "human_labelled": human_labelled}
    arrays = tuple(numbers(name, values, 0, 1) for name, values in named.items())
    for name, array in zip(named, arrays, strict=True):
        if (wrong := np.flatnonzero((array != 0) & (array != 1))).size:
            raise ValueError(f"{name}[{wrong[0]}] = {array[wrong[0]]} is neither 0 nor 1")
    if len(arrays[1]) > len(arrays[0]):
        raise ValueError(f"{len(arrays[1])} labels for {len(arrays[0])} judged outputs: judge_all must hold them all")
    return arrays


def _few_labels(n: int) -> tuple[str, ...]:
    return (f"only {n} labels: at least {FEW_LABELS} are needed",) if n < FEW_LABELS else ()


def rogan_gladen(
    judge_all: Values, judge_labelled: Values, human_labelled: Values, confidence: float = 0.95
) -> Estimate:
    """The rate a human would find, in [0, 1], from sensitivity and specificity measured on other outputs.

    (judged rate + specificity - 1) / J, clipped to [0, 1], with the limits of Lang and Reiczigel (2014).
    `judge_all`: flags (0 or 1) on the outputs in question; the labelled pairs come from a different set (for
    a part of the same set `double_sampling` is half as wide). No value when either list is empty, when labels
    of one kind are missing, or when the lower limit of J = sensitivity + specificity - 1 is not above 0: the
    judge may then know nothing. n counts `judge_all`. Raises ValueError as `double_sampling`, except for the
    number of labels.
    """
    check_confidence(confidence)
    check_same_length(judge_labelled=judge_labelled, human_labelled=human_labelled)
    everyone = _flags(judge_all, [], [])[0]
    judge, human = _flags(judge_labelled, judge_labelled, human_labelled)[1:]
    n = len(everyone)
    accuracy = judge_accuracy(judge, human, confidence)
    if n == 0:
        return no_estimate("no judged outputs", confidence, ROGAN_GLADEN)
    j = accuracy.youden
    if j.value is None or j.low is None or j.low <= 0:
        reason = j.reason or f"the lower limit of sensitivity + specificity - 1 is {j.low or 0:.2f}, not above 0"
        return no_estimate(reason, confidence, ROGAN_GLADEN, n)
    right = [float((judge[human == kind] == kind).sum()) for kind in (1, 0)]
    sizes = [int((human == kind).sum()) for kind in (1, 0)]
    return _lang_reiczigel(float(everyone.sum()), n, right, sizes, confidence)


def _lang_reiczigel(positive: float, n: int, right: list[float], sizes: list[int], confidence: float) -> Estimate:
    z = two_sided_z(confidence)
    plain_se, plain_sp = right[0] / sizes[0], right[1] / sizes[1]
    value = float(np.clip((positive / n + plain_sp - 1) / (plain_se + plain_sp - 1), 0, 1))
    judged, total = (positive + z * z / 2) / (n + z * z), n + z * z
    se, sp = (right[0] + 1) / (sizes[0] + 2), (right[1] + 1) / (sizes[1] + 2)
    theta = (judged + sp - 1) / (se + sp - 1)
    noise_se, noise_sp = se * (1 - se) / (sizes[0] + 2), sp * (1 - sp) / (sizes[1] + 2)
    shift = 2 * z * z * (theta * noise_se - (1 - theta) * noise_sp)
    variance = judged * (1 - judged) / total + theta**2 * noise_se + (1 - theta) ** 2 * noise_sp
    half = z * math.sqrt(variance) / (se + sp - 1)
    low, high = (float(np.clip(theta + shift + side * half, 0, 1)) for side in (-1, 1))
    return Estimate(value, min(low, value), max(high, value), confidence, n, ROGAN_GLADEN)


def ppi_mean(
    judge_unlabelled: Values,
    judge_labelled: Values,
    human_labelled: Values,
    confidence: float = 0.95,
    *,
    lam: float = 1.0,
    small_sample: bool = True,
) -> Estimate:
    """Mean human score from a judge's scores, in their unit (Angelopoulos 2023), unbiased for any judge.

    lam * mean(judge_unlabelled) + mean(human - lam * judge) on the labelled part, which is not in
    `judge_unlabelled`. `lam` in [0, 1] must not be tuned on the same labels: tuned on fewer than 100 it makes
    the interval too narrow. t with labels - 1 degrees of freedom and variances by n - 1, or the published
    normal form with `small_sample=False`. n counts labels. No label or nothing unlabelled: no value. One label
    or one unlabelled output: no bounds. Limits may leave the scale of the scores. Raises ValueError for nan,
    lam outside [0, 1], different lengths.
    """
    check_confidence(confidence)
    check_same_length(judge_labelled=judge_labelled, human_labelled=human_labelled)
    if not 0 <= lam <= 1:
        raise ValueError(f"lam = {lam} is not from 0 to 1")
    many = numbers("judge_unlabelled", judge_unlabelled)
    rest = numbers("human_labelled", human_labelled) - lam * numbers("judge_labelled", judge_labelled)
    n, ddof = len(rest), int(small_sample)
    method = "prediction-powered mean, " + ("t" if small_sample else "normal")
    if not n or not len(many):
        return no_estimate("no labels" if not n else "no unlabelled outputs", confidence, method, n)
    value = lam * float(many.mean()) + float(rest.mean())
    if min(n, len(many)) < 2:
        return Estimate(value, None, None, confidence, n, method, ("one output gives no interval",))
    error = math.sqrt(lam**2 * float(many.var(ddof=ddof)) / len(many) + float(rest.var(ddof=ddof)) / n)
    half = error * (two_sided_t(confidence, n - 1) if small_sample else two_sided_z(confidence))
    warnings = _few_labels(n)
    if half == 0:
        return Estimate(value, None, None, confidence, n, method, (*warnings, "no spread: no interval"))
    return Estimate(value, value - half, value + half, confidence, n, method, warnings)


def worth_extra_labels(human_only: Estimate, corrected: Estimate) -> float | None:
    """How many more labels would have narrowed the human-only interval as much as the judge did; may be < 0.

    labels * ((width of human_only / width of corrected)^2 - 1), with labels = n of `human_only`. None where
    a bound is missing or the corrected interval has no width. Raises ValueError for different confidences.
    """
    if human_only.confidence != corrected.confidence:
        raise ValueError(f"confidences differ: {human_only.confidence} and {corrected.confidence}")
    if human_only.low is None or human_only.high is None or corrected.low is None or corrected.high is None:
        return None
    width = corrected.high - corrected.low
    ratio = (human_only.high - human_only.low) / width if width > 1e-12 else 0.0
    return human_only.n * (ratio**2 - 1) if width > 1e-12 else None
