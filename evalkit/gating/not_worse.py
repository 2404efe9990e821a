"""Whether a share is shown to be no lower than the baseline's by a margin, told as a check's result."""

import math
import re
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace
from statistics import fmean, stdev
from typing import Annotated, Literal

from pydantic import Field

from evalkit import stats
from evalkit.frozen import dataclass
from evalkit.gating.labels import ALIKE, BETTER, KNOWN, WORSE, Labels
from evalkit.gating.pairs import Paired
from evalkit.gating.results import LIKELY_LOSS, CheckResult
from evalkit.gating.rules import Assay, Rules
from evalkit.rounds import FEWEST_ALIKE
from evalkit.stats import Estimate
from evalkit.wording import interval, plural, sum_of_shares, value

Margin = Annotated[float, Field(ge=0.001, le=0.5)]
"""A loss that may not be overlooked, as a share: less takes thousands of items to see, more allows nearly anything."""
_MOST_ITEMS = 1000
_NO_MORE_EPOCHS = 0.9
"""Share of the discordance that no epoch averages out, from which on more epochs are no advice."""
_LENT = (
    "the judge may make a gain as large as the margin up, since so many fewer of the baseline's outputs rest on its"
    " word; let people grade what it told apart (`evalkit grade --discordant`)"
)
_MADE_UP = "the judge may have made the loss up"
_PART = "people have graded only a part of what the judge tells apart"


def share_result(
    name: str,
    what: str,
    pairs: Paired,
    margin: float,
    rules: Rules,
    assay: Assay = Assay(),  # noqa: B008
    labels: Callable[[Paired], Labels] | None = None,
) -> CheckResult:
    """Whether a share (`what`, of good outputs) is not lower than the baseline's by `margin`, as graders see it.

    `labels` tells who decided pairs. Where people decided all of them, or all that a judge tells apart and a sample of
    the others, the judge's errors (`assay`) no longer matter; of a sample not where the judge may be used itself.
    """
    if not len(pairs):
        finding, needs = f"no item has {what} on both sides", rules.unheard or "a verdict on both sides"
        return CheckResult(name, "inconclusive", finding, _limit(margin), needs=needs)
    tested = _tested(pairs, margin, rules, assay, labels)
    if pairs.worst is not None and tested.passes and not _tested(pairs.worst, margin, rules, assay, labels).passes:
        tested = replace(tested, cap=could_overturn(pairs.worst, "against", rules))
    if pairs.best is not None and tested.worse is not None and tested.worse <= rules.alpha:
        tested = _at_best(tested, _tested(pairs.best, margin, rules, assay, labels).worse, pairs.best, rules)
    why, at_best = _nothing_to_lose(what, margin), pairs.worst or pairs  # of which the baseline lacks no success
    if tested.passes and sum(pairs.baseline) <= margin * len(pairs):
        tested = replace(tested, cap=why)
    elif not tested.shown and sum(at_best.baseline) <= margin * len(at_best):
        tested = replace(tested, needs=lambda: rules.next_look or why)
    return _told(name, what, margin, tested)


def _nothing_to_lose(what: str, margin: float) -> str:
    too_few = f"the baseline has {what} on too few items to lose {_points(margin)}"
    return f"{too_few}: items that it does well on, or a smaller margin"


def _at_best(tested: "_Tested", at_best: float | None, best: Paired, rules: Rules) -> "_Tested":
    """What a loss comes to with what is missing at its best, which may be missing for what it is."""
    if at_best is None or at_best > rules.alpha:
        needs = could_overturn(best, "for", rules)
        return replace(tested, worse=at_best, needs=lambda: needs, doubt=_in_short(needs))
    return replace(tested, worse=max(at_best, tested.worse or 0.0))


def could_overturn(pairs: Paired, side: Literal["for", "against"], rules: Rules) -> str:
    """That what is missing decides, and what brings it."""
    lacking = plural(pairs.lacking, "trial")
    return f"{lacking} without a figure could overturn it, taken {side} the candidate: {rules.remedy}"


@dataclass(frozen=True)
class _Tested:
    """How a share came out. `basis`: in words, what it rests on; `cap`: why it may not pass although `shown`;
    `needs`: what would settle it where the figures do not, asked for only then since it takes a search; `left`: the
    margin that the judge's errors leave; `leans`: a loss is less sure for what the judge may make up of it; `doubt`:
    in words, why a loss that the figures show is not shown."""

    estimate: Estimate
    shown: bool
    worse: float | None
    basis: str
    cap: str | None
    pairs: Paired
    needs: Callable[[], str | None]
    left: float
    margin: str = ""
    leans: bool = False
    doubt: str | None = None

    @property
    def passes(self) -> bool:
        return self.shown and self.cap is None


def _tested(
    pairs: Paired, margin: float, rules: Rules, assay: Assay, labels_of: Callable[[Paired], Labels] | None
) -> _Tested:
    labels = None if labels_of is None else labels_of(pairs)
    reach = None if labels is None else labels.reach
    if labels is not None and reach == "sampled" and assay.by_people:
        return _by_labels(pairs, labels, margin, rules)
    if reach == "all":
        return _by_graders(pairs, margin, rules, Assay(cap=labels.cap if labels else None))
    return _by_graders(pairs, margin, rules, assay, labels)


def _by_graders(pairs: Paired, margin: float, rules: Rules, assay: Assay, labels: Labels | None = None) -> _Tested:
    """From all pairs, at the part of the margin that the judge's errors leave of it. Where people decided some of those
    that the judge tells apart, and it the others (`mixed`), that may make a loss up, or hide one."""
    left = assay.left(margin, labels.lent if labels is not None else 0.0)
    mixed = assay.picked and labels is not None and labels.reach == "few"
    sides, epochs = (pairs.candidate, pairs.baseline), pairs.epochs
    estimate = stats.paired_rates_clustered(*sides, rules.confidence, epochs)
    found = stats.discordance(*sides)
    worse = None if assay.skewed or mixed else stats.worse_p(*sides, rules.alpha, epochs)
    made_up = 0.0 if labels is None or worse is None else beyond_leaning(pairs, assay, labels)
    beyond = None if worse is None or made_up is None else max(worse, made_up)
    leans = worse is not None and worse <= rules.alpha and (beyond is None or beyond > worse)

    def needs() -> str | None:
        if pairs.worst is not None and rules.unheard:
            return rules.unheard
        if mixed:
            return f"people's grades of all items that the judge tells apart and {FEWEST_ALIKE} others of these"
        if assay.skewed:
            return None  # a loss may be the graders' own: what rids it of their errors comes first
        if not left:
            return None
        if leans and labels is not None:
            told = None if assay.cap else _doubted(labels, assay)  # which asks for the same people
            return "; or else ".join(filter(None, (rules.next_look, told))) or None
        errors = " and the judge never errs" if assay.judged and assay.cap else ""
        return rules.next_look or _without_figure(pairs) + _items_needed(pairs, estimate, left, rules, errors)

    return _Tested(
        estimate,
        left > 0 and stats.shows_noninferiority(*sides, left, rules.alpha, epochs),
        beyond,
        f"{sum_of_shares(found.gain)} gained and {sum_of_shares(found.loss)} lost of {plural(found.n, 'item')}",
        assay.cap or (_PART if mixed else None if left else _LENT),
        pairs,
        needs,
        left,
        f" (tested at {left * 100:.3g} points, since the judge errs)" if 0 < left < margin else "",
        leans=leans,
        doubt=_MADE_UP if leans and (beyond is None or beyond > rules.alpha) else None,
    )


def beyond_leaning(pairs: Paired, assay: Assay, labels: Labels) -> float | None:
    """The p that what a judge may make up leaves no loss of these pairs, as far as people have checked it on both
    models; 0 where nothing rests on its word, or nobody has. None where they checked too little to tell."""
    if assay.leaning is None or not labels.alone:
        return 0.0
    differences = [c - b for b, c in zip(pairs.baseline, pairs.candidate, strict=True)]
    error = stdev(differences) / math.sqrt(len(differences)) if len(differences) > 1 else 0.0
    return stats.loss_p(fmean(differences), error, assay.leaning, labels.alone)


def _doubted(labels: Labels, assay: Assay) -> str:
    """What settles a loss that the judge may have made up."""
    apart = labels.sizes[WORSE] + labels.sizes[BETTER]
    more = "of more outputs" if assay.leaning and assay.leaning.n > 1 else "of the same items on both models"
    return (
        f"people's grades of the {plural(apart, 'item')} that the judge tells apart (`evalkit grade --discordant`), or"
        f" {more} (`--calibrate`): as far as they have checked it, it may make the loss up"
    )


def _by_labels(pairs: Paired, labels: Labels, margin: float, rules: Rules) -> _Tested:
    """From the items that people decided, each for its share of those that the judge sees alike."""
    taken = [i for i, decided in enumerate(labels.decided) if decided]
    strata = [labels.strata[i] for i in taken]
    then, now = (tuple(side[i] for i in taken) for side in (pairs.baseline, pairs.candidate))
    estimate = stats.paired_rates_stratified(now, then, strata, labels.sizes, rules.confidence)
    others = plural(labels.sizes[ALIKE] + labels.untold, "item")
    alike = f"{labels.alike:,} of the {others} that the judge graded alike"
    return _Tested(
        estimate,
        stats.shows_noninferiority_stratified(now, then, strata, labels.sizes, margin, rules.alpha, pairs.epochs),
        stats.worse_p_stratified(now, then, strata, labels.sizes, rules.alpha, pairs.epochs),
        f"by people's grades of all items that the judge told apart and {alike}",
        labels.cap,
        replace(pairs, items=tuple(pairs.items[i] for i in taken), baseline=then, candidate=now),
        lambda: rules.next_look or _labels_needed(pairs, labels, margin, rules),
        margin,
    )


def _labels_needed(pairs: Paired, labels: Labels, margin: float, rules: Rules) -> str:
    """How many more grades of people would pass, or else items, all graded by people, if the difference stays."""
    total, alike = sum(labels.sizes), labels.sizes[ALIKE]
    by_stratum = [
        [(b, c) for b, c, s, known in zip(pairs.baseline, pairs.candidate, labels.strata, labels.decided, strict=True)
         if known and s == stratum]
        for stratum in range(len(labels.sizes))
    ]  # fmt: skip

    def passes(items: int, share: float) -> bool:
        """Whether so many items like these would, with this share of what the judge grades alike decided by people."""
        sizes = [round(size * items / total) for size in labels.sizes]
        wanted = [max(1, round(size * share)) if s == ALIKE and size else size for s, size in enumerate(sizes)]
        like = [[of[i * len(of) // n] for i in range(n)] for of, n in zip(by_stratum, wanted, strict=True)]
        then, now = ([pair[side] for of in like for pair in of] for side in (0, 1))
        strata = [s for s, of in enumerate(like) for _ in of]
        return stats.shows_noninferiority_stratified(now, then, strata, sizes, margin, rules.alpha, pairs.epochs)

    more = range(labels.alike + 1, alike + 1)
    grades = bisect_left(more, True, key=lambda n: passes(total, n / alike))
    if grades < len(more):
        share = (math.floor(100 * (more[grades] - 1) / alike) + 1) / 100  # the least that draws so many
        apart = f" all {total - alike - labels.sizes[KNOWN]:,} that the judge tells apart and" if total > alike else ""
        return (
            f"people's grades of{apart} {more[grades]:,} of the {alike:,} items that it graded alike"
            f" ({labels.alike:,} so far), in a new round (`evalkit grade --blind --by judges`, which pays for no answer"
            f" that is known, then `--discordant --concordant-share {share:g}`), if the difference stays"
        )
    larger = range(total + 1, max(_MOST_ITEMS, 2 * total) + 1)
    items = bisect_left(larger, True, key=lambda n: passes(n, 1.0))
    if items == len(larger):
        return f"no number of grades, nor of items up to {larger[-1]:,}, while the difference stays as it is"
    return (
        f"about {plural(items + 1, 'more item')} ({larger[items]:,} in all), {rules.cost_of_more(items + 1)},"
        " all graded by people, if the difference stays"
    )


def _told(name: str, what: str, margin: float, tested: _Tested) -> CheckResult:
    passed = tested.passes
    estimate, excluded = tested.estimate, "is excluded" if tested.shown else "is not excluded"
    limits = interval(estimate, "points", -tested.left)
    result = CheckResult(
        name,
        "pass" if passed else "inconclusive",
        f"{what}: {value(estimate, 'points')} points ({limits}), {tested.basis}; "
        f"a loss of {_points(margin)} {excluded}{tested.margin}{_beside(tested)}",
        _limit(margin),
        estimate,
        "points",
        tested.worse,
        needs=None if passed else _needs(tested),
        regressed=regressed(tested.pairs),
        warnings=estimate.warnings,
        within=tested.shown,
    )
    told = tested.shown or not tested.left
    more = LIKELY_LOSS if result.likely_loss else _in_short(tested.cap) if told and tested.cap else None
    if tested.doubt and not tested.shown:
        more = tested.doubt
    elif not tested.shown and tested.worse is not None and estimate.high is not None and estimate.high < 0:
        beyond = estimate.high < -margin and not tested.leans
        more = "the loss is beyond the margin" if beyond else "a loss is likely"
    if more and not tested.shown and tested.cap and tested.worse is not None:
        more = f"{more}; {_in_short(tested.cap)}"
    return replace(result, finding=f"{result.finding}; {more}") if more else result


def _in_short(cap: str) -> str:
    """The reason without what to do about it, which stands under what would settle it."""
    return re.split(r"[:;] ", cap, maxsplit=1)[0]


def _needs(tested: _Tested) -> str:
    """What would settle it: more figures where these do not, and what keeps any figures from passing."""
    parts = (None if tested.shown else tested.needs(), tested.cap)
    return "; and ".join(part for part in parts if part)


def _beside(tested: _Tested) -> str:
    """Why a loss is not excluded whose interval ends above it: the test asks for more than the interval shows."""
    low = tested.estimate.low
    if tested.shown or low is None or low <= -tested.left:
        return ""
    more = "exact test" if tested.pairs.epochs == 1 else "test, which reckons with items like none of these,"
    return f", by the {more} beside the interval"


def _limit(margin: float) -> str:
    return f"not {_points(margin)} worse"


def _points(margin: float) -> str:
    points = f"{margin * 100:g}"
    return f"{points} point" if points == "1" else f"{points} points"


def regressed(pairs: Paired) -> tuple[str, ...]:
    """Items whose mean fell, the largest fall first."""
    falls = [(c - b, i) for i, b, c in zip(pairs.items, pairs.baseline, pairs.candidate, strict=True) if c < b]
    return tuple(item for _, item in sorted(falls))


def _without_figure(pairs: Paired) -> str:
    """What to do first: items that are there and say nothing yet cost less than new ones."""
    lacking = 0 if pairs.worst is None else len(pairs.worst) - len(pairs)
    if lacking <= 0:
        return ""
    figures, them = ("a figure", "it") if lacking == 1 else ("figures", "them")
    who = f"grade {them}, by people or another judge where a judge could not"
    return f"{figures} for {plural(lacking, 'item')} without one ({who}); or else "


def _items_needed(pairs: Paired, estimate: Estimate, margin: float, rules: Rules, errors: str = "") -> str:
    """How many items would pass with a probability of 80 % if the two models were equal; `errors`: and what else."""
    if estimate.high is not None and estimate.high < -margin:
        return "nothing: the loss is beyond the margin"
    if estimate.high is not None and estimate.high < 0:
        return f"a loss is likely: {_items_to_tell(estimate, margin, rules)}"
    rate = min(0.99, max(0.01, sum(pairs.baseline) / len(pairs)))
    share = stats.discordance(pairs.candidate, pairs.baseline).share or 0.0
    most = 2 * min(rate, 1 - rate)  # on which two models of this rate can differ
    share = max(share, min(1 / len(pairs), most))  # what never differed on few items may yet
    lasting = stats.lasting_share(pairs.candidate, pairs.baseline, pairs.epochs)
    share, epochs = min(share, most) if pairs.epochs > 1 else share, min(pairs.epochs, 10)
    needed = stats.noninferiority_items(margin, rate, share, epochs, alpha=rules.alpha, lasting=lasting)
    each = f" of {pairs.epochs} epochs" if pairs.epochs > 1 else ""
    if needed is None:
        return f"more than {_MOST_ITEMS:,} items{each}, if the two are equal{errors}: widen the margin"
    more = max(0, needed - len(pairs))
    if not more:
        more_epochs = ", or epochs" if lasting < _NO_MORE_EPOCHS else ""
        again = f"add as many{more_epochs}, {rules.cost_of_more(len(pairs))}"
        return f"this many items{each} pass four times in five if the two are equal{errors}: {again}"
    told = f"about {plural(more, 'more item')} ({needed:,} in all){each}, {rules.cost_of_more(more)},"
    return f"{told} pass four times in five if the two are equal{errors}"


def _items_to_tell(estimate: Estimate, margin: float, rules: Rules) -> str:
    """How many items would tell whether a loss lies within the margin, by the root of their number."""
    value, low, high = (x or 0.0 for x in (estimate.value, estimate.low, estimate.high))
    beyond, half = value + margin, value - low if value > -margin else high - value
    needed = _MOST_ITEMS + 1 if not beyond else min(_MOST_ITEMS + 1, math.ceil(estimate.n * (half / beyond) ** 2))
    if needed > _MOST_ITEMS:
        return f"more than {_MOST_ITEMS:,} items would tell whether it lies within the margin, if it stays"
    more = max(1, needed - estimate.n)
    told = f"about {plural(more, 'more item')} ({estimate.n + more:,} in all), {rules.cost_of_more(more)},"
    return f"{told} tell whether it lies within the margin, if it stays"
