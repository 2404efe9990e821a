"""How well guessers know which arm is which: Bang's blinding index, for any number of arms."""

from collections.abc import Hashable, Sequence

import numpy as np

from evalkit.frozen import dataclass
from evalkit.stats.clusters import Codes, ItemNames, item_codes, item_sums, renumbered
from evalkit.stats.estimate import Estimate, no_estimate
from evalkit.stats.inputs import FloatArray, check_confidence, check_same_length
from evalkit.stats.jackknife import RARE, jackknife_error, left_out_sums
from evalkit.stats.plain import Plain
from evalkit.stats.rates import two_sided_t, wilson_limits

BANG = "Bang's index, leave-one-item-out jackknife, t, joined with Wilson where few items differ"


@dataclass(frozen=True, slots=True)
class BlindingIndex(Plain):
    """Bang's index in [-1 / (K - 1), 1] of each of K arms, in the order they were named, and their mean `overall`."""

    arms: tuple[Estimate, ...]
    overall: Estimate


def bang_index(
    arms: Sequence[Hashable],
    guesses: Sequence[Hashable | None],
    options: Sequence[Hashable],
    confidence: float = 0.95,
    *,
    items: ItemNames = None,
) -> BlindingIndex:
    """Bang's blinding index of each arm (Bang, Ni and Davis 2004), generalised to K arms, and the mean over them.

    `arms`: the arm of each unit; `guesses`: the arm it was taken for, None for "do not know"; `options`: the K arms
    that were offered. P(said) is the share of an arm's units for which an arm was named, P(right | said) that of right
    ones among these: index = (K P(right | said) - 1) / (K - 1) * P(said), the share of right guesses less 1 / (K - 1)
    of the share of wrong ones. At K = 2 it is Bang's (2 P(right | said) - 1) P(said). It is 1 when all are right, 0 at
    the chance level 1 / K, -1 / (K - 1) when all are wrong.

    One arm's index is not knowledge: whoever always names the same arm has 1 there and -1 / (K - 1) elsewhere. The mean
    over arms is 0 on average for every guesser whose guesses do not depend on the arm, whatever they prefer.

    Interval: all units of an item are left out together (t, items - 1); where fewer than 5 items differ from the
    others it is joined with Wilson on the items, for the index carried to [0, 1], since a score in [0, 1] varies no
    more than a flag of the same mean. n counts items. No unit of an arm: no value for it, nor for the mean. Raises
    ValueError for fewer than two options, an arm or a guess that is none of them, and lists of different lengths.
    """
    check_confidence(confidence)
    check_same_length(arms=arms, guesses=guesses)
    if not all(isinstance(name, Hashable) for name in (*options, *arms, *guesses)):
        raise ValueError("something cannot name an arm: texts or numbers are needed")
    place = {option: n for n, option in enumerate(dict.fromkeys(options))}
    if len(place) < 2:
        raise ValueError(f"options = {list(place)}: at least two arms are needed")
    for name in (*arms, *(guess for guess in guesses if guess is not None)):
        if name not in place:
            raise ValueError(f"{name!r} is none of the options {list(place)}")
    lowest, codes = -1 / (len(place) - 1), item_codes(items, arms)
    pairs = zip(arms, guesses, strict=True)
    scores = np.array([0.0 if guess is None else 1.0 if guess == arm else lowest for arm, guess in pairs])
    of_arm = np.array([place[arm] for arm in arms], dtype=np.int64)
    table = np.where(of_arm[:, None] == np.arange(len(place)), scores[:, None], np.nan)
    each = tuple(_index(table[of_arm == n, n : n + 1], codes[of_arm == n], lowest, confidence) for n in place.values())
    return BlindingIndex(each, _index(table, codes, lowest, confidence))


def _index(table: FloatArray, codes: Codes, lowest: float, confidence: float) -> Estimate:
    """The mean over arms (columns, nan where a unit is of another arm) of each arm's mean score."""
    there = ~np.isnan(table)
    if not there.any(axis=0).all():
        return no_estimate("nobody was asked about some arm", confidence, BANG)
    codes, scores = renumbered(codes), np.nan_to_num(table)
    sums, sizes = left_out_sums(scores, codes), left_out_sums(there.astype(np.float64), codes)
    n, means = len(sums) - 1, (sums / np.maximum(sizes, 1)).mean(axis=1)
    value = float(np.clip(means[0], lowest, 1))
    low, high = value, value
    whole = n > 1 and bool((sizes > 0).all())
    if whole:
        half = two_sided_t(confidence, n - 1) * float(jackknife_error(means[1:]))
        low, high = value - half, value + half
    usual = np.unique(np.round(item_sums(scores, codes).sum(axis=1), 9), return_counts=True)[1].max()
    if not whole or n - usual < RARE:
        least, most = (lowest + x * (1 - lowest) for x in wilson_limits((value - lowest) / (1 - lowest), n, confidence))
        low, high = min(low, least), max(high, most)
    return Estimate(value, max(lowest, low), min(1.0, high), confidence, n, BANG)
