"""The rules that every check of a gate shares: how sure it must be, and how much a judge's errors shrink a margin."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from evalkit.analysis.reliability import PANEL, FloorValidity, JudgeValidity, PairAccuracy, kinds_midp
from evalkit.analysis.views import FEWEST_LABELS
from evalkit.frozen import dataclass
from evalkit.gating.evidence import APART, REPEAT, Evidence
from evalkit.models import few
from evalkit.stats import Estimate, JudgeAccuracy
from evalkit.wording import listing, money, p_value

LEAST_YOUDEN_LOW = 0.5
_ROUNDING = 1e-9
_LEAST_LEFT = 0.001
DIFFERENT = 0.05
MOST_OTHERS = 0.05
"""Share of a judge's answers that may come from another model on one side than on the other."""
_PEOPLE = "let people grade what it told apart (`evalkit grade --discordant`)"
FEWEST_OF_A_SIDE = 10
"""Items of each model that people must have graded beside a judge: a third of all that it is measured on."""


@dataclass(frozen=True)
class Rules:
    """`alpha`: one-sided error of every check. `seed`: of resampling. `assay`: what the graders' errors allow.

    `next_look`: what settles a figure that is not known well enough, where there is more to come; None at the end.
    `items` of the whole set, and `item_usd`: what an item has cost here, None where that is not known. `unheard`,
    `remedy`: as of `Evidence`. `sampled`: only a sample of the items was streamed, and timed.
    """

    alpha: float
    seed: int
    assay: "Assay"
    next_look: str | None = None
    items: int = 0
    item_usd: float | None = None
    unheard: str | None = None
    remedy: str = REPEAT
    sampled: bool = False

    @property
    def confidence(self) -> float:
        """Of the two-sided interval whose limits are the one-sided tests at `alpha`."""
        return 1 - 2 * self.alpha

    def cost_of_more(self, items: int) -> str:
        """What a set with so many more items would cost, in words: it is another one, of which nothing is run yet."""
        cost = cost_of(self.items + items, self.item_usd)
        return cost if self.item_usd is None else f"{cost} (a set that has grown is run whole)"


def cost_of(items: float, item_usd: float | None) -> str:
    """What so many items cost, in words; `item_usd` as in `Rules`."""
    return "at a cost that is not known" if item_usd is None else f"for about {money(items * item_usd)}"


@dataclass(frozen=True)
class Assay:
    """What a difference of verdicts says about a difference of outputs.

    A judge with sensitivity + specificity - 1 = J shrinks every true difference to J times its size, so a margin is
    tested at `factor` times its size (the lower 80 % limit of J; 1 for people and checks). `cap`: why quality may not
    pass at all, None if it may. A loss that errors only make smaller is a loss all the same; `skewed` errors, more of
    them on one side, can make one up, so that quality may not fail either. `picked`: people were asked about outputs
    for what the judge had said of them, so that its verdicts and theirs are no one sample. `judged`: whether a judge's
    grades count at all; `mistaken`: the share of unsatisfactory outputs that it passes, at most (the upper 95 % limit),
    which is a gain of the side with more outputs to pass (`left`);
    `leaning`: how much more of the candidate's than of the baseline's it passes beyond people, as far as they checked
    it on both, which a loss has to exceed: None where they have not.
    """

    factor: float = 1.0
    cap: str | None = None
    skewed: bool = False
    picked: bool = False
    judged: bool = False
    mistaken: float = 0.0
    leaning: Estimate | None = None

    def left(self, margin: float, lent: float) -> float:
        """What its errors leave of a margin: 0 where that is too little to test at. `lent`: as of `Labels`. What ended
        without an output on one side fails without error, and the other's bad answers beside it pass now and then."""
        left = margin * self.factor - self.mistaken * max(0.0, lent)
        return left if left >= _LEAST_LEFT else 0.0

    @property
    def by_people(self) -> bool:
        """Whether people's grades decide once they carry far enough, and the judge's not."""
        return self.cap is not None or self.picked


def assay_of(evidence: Evidence, criterion: str | None = None, part: Collection[str] | None = None) -> Assay:
    """How far the graders of this evidence can be trusted to see a loss: of the verdict, or of a critical criterion,
    which a judge may see worse than what the verdict mostly fails for. `part`: of these items alone, whose labels say
    how far a judge leans on them; what J it has they are too few to say."""
    grading = evidence.of_candidate.grading
    judges = tuple(judge for judge in grading.judges if judge not in grading.dropped)
    if not judges:
        return Assay(cap=evidence.people_apart, picked=evidence.picked)
    return replace(_assay_of(evidence, judges, criterion, part), picked=evidence.picked, judged=True)


def _assay_of(
    evidence: Evidence, judges: tuple[str, ...], criterion: str | None, part: Collection[str] | None
) -> Assay:
    analysis = evidence.of_candidate
    overall, of = _validity(judges, analysis.judges), f" on {criterion}" if criterion else ""
    found = overall.floors.get(criterion) if overall is not None and criterion else overall
    served = _served_apart(evidence)
    if served is not None:
        return Assay(cap=served, skewed=True)
    unknown = _unknown(evidence, found, of)
    if found is None:
        return Assay(cap=unknown)
    accuracy, leaning = _accuracy(found, evidence), _leaning(found, evidence, part)
    if unknown is not None:  # what labels there are say all the same how far it leans
        return Assay(cap=unknown, leaning=None if leaning is None or leaning.value is None else leaning)
    low, p = (
        None if accuracy is None else accuracy.youden_low_80,
        _different_p(found, evidence.baseline, evidence.candidate),
    )
    if p < DIFFERENT:
        return Assay(
            cap=f"the judge errs otherwise{of} on one model than on the other (p {p_value(p)}); {_PEOPLE}", skewed=True
        )
    if accuracy is None or low is None or low < LEAST_YOUDEN_LOW:
        known = "unknown" if low is None else f"at least {low:.2f} only"
        cap = f"the judge's J{of} is {known}, under {LEAST_YOUDEN_LOW}; {_PEOPLE}, or a better judge"
        return Assay(cap=cap, leaning=leaning)
    return Assay(factor=min(1.0, low), mistaken=1.0 - (accuracy.specificity.low or 0.0), leaning=leaning)


def _accuracy(found: JudgeValidity | FloorValidity, evidence: Evidence) -> JudgeAccuracy | None:
    """The judge's on the outputs of these two models."""
    pair = _pair(found, evidence.baseline, evidence.candidate)
    if evidence.baseline == evidence.candidate:
        return found.by_model[evidence.candidate]
    return None if pair is None else pair.accuracy


def _leaning(
    found: JudgeValidity | FloorValidity, evidence: Evidence, part: Collection[str] | None = None
) -> Estimate | None:
    """The judge's towards the candidate, on a part of the items by the labels there; None of a model beside itself."""
    pair = _pair(found, evidence.baseline, evidence.candidate)
    if pair is None:
        return None
    leaning = pair.leaning if part is None else pair.leaning_on(part)
    return leaning if pair.b == evidence.candidate else leaning.mirrored


def _pair(found: JudgeValidity | FloorValidity | None, baseline: str, candidate: str) -> PairAccuracy | None:
    wanted = {baseline, candidate}
    return None if found is None else next((pair for pair in found.by_pair if {pair.a, pair.b} == wanted), None)


def _different_p(found: JudgeValidity | FloorValidity, baseline: str, candidate: str) -> float:
    """The smallest mid-p that its error rates are equal on both: all errors, and those on good and on bad outputs."""
    pair = _pair(found, baseline, candidate)
    leniency = found.leniency_p if isinstance(found, JudgeValidity) else ()
    by_model = found.by_model
    if pair is not None and pair.set_aside:  # the test of all errors is of these labels, too
        leniency, by_model = (), pair.by_model
    p = next((one.p_value for one in leniency if {one.a, one.b} == {baseline, candidate}), 1.0)
    kinds = kinds_midp(by_model.get(baseline), by_model.get(candidate))
    return min(p, *(one for one in kinds if one is not None), 1.0)


def _unknown(evidence: Evidence, found: JudgeValidity | FloorValidity | None, of: str) -> str | None:
    """Why nobody knows how the judge errs on these outputs: dataset and rubric are one, but its prompt may drift."""
    drifted = evidence.of_candidate.grading.drifted
    if not evidence.together and evidence.baseline == evidence.candidate:
        return f"a judge {APART}"
    if not evidence.together:
        return "a judge graded the two sides apart; put both models into one run and grade them together"
    if drifted:
        return f"{listing(drifted)} has since been asked otherwise, so its errors here are not known; grade anew"
    labels, pair = 0 if found is None else _labels(found, evidence), _pair(found, evidence.baseline, evidence.candidate)
    if found is not None and labels >= FEWEST_LABELS:
        return _unseen_side(evidence, found, of)
    aside = 0 if pair is None else pair.set_aside
    alone = f" ({aside} more are by people who labelled one of the two models alone)" if aside else ""
    return (
        f"the judge is uncalibrated{of}: people graded {labels} outputs that it decides{alone}, {FEWEST_LABELS} are"
        " needed; let them with `evalkit grade --calibrate`, or `--discordant` to need its word no more"
    )


def _labels(found: JudgeValidity | FloorValidity, evidence: Evidence) -> int:
    """Outputs of these two models that people graded as well."""
    pair = _pair(found, evidence.baseline, evidence.candidate)
    return found.outputs if pair is None else pair.outputs


def _served_apart(evidence: Evidence) -> str | None:
    """That the judge was another model on one side than on the other, which being stricter looks like a loss."""
    for judge, of_model in evidence.of_candidate.grading.answered_by.items():
        then, now = (of_model.get(model, {}) for model in (evidence.baseline, evidence.candidate))
        if _apart(then, now) > MOST_OTHERS + _ROUNDING:
            served = few(sorted({*then, *now}))
            return f"{judge} was answered by other models on one side than on the other ({served}); {_PEOPLE}"
    return None


def _apart(then: Mapping[str, int], now: Mapping[str, int]) -> float:
    """The share of one side's answers that came from other models than on the other side."""
    of_then, of_now = max(1, sum(then.values())), max(1, sum(now.values()))
    return sum(max(0.0, count / of_then - now.get(served, 0) / of_now) for served, count in then.items())


def _unseen_side(evidence: Evidence, found: JudgeValidity | FloorValidity, of: str) -> str | None:
    """That a judge was checked on one model's outputs alone: it may take the other's for better than they are."""
    pair = _pair(found, evidence.baseline, evidence.candidate)
    for model in (evidence.baseline, evidence.candidate):
        one = (pair.by_model if pair is not None and pair.set_aside else found.by_model).get(model)
        labels = 0 if one is None else one.youden.n
        if labels < FEWEST_OF_A_SIDE:
            outputs = FEWEST_OF_A_SIDE * evidence.epochs * len(evidence.of_candidate.models)
            return (
                f"the judge is uncalibrated{of} on {model}: people graded {labels} of the items that it graded there, "
                f"{FEWEST_OF_A_SIDE} are needed; let them with `evalkit grade --calibrate {outputs}`, or `--discordant`"
            )
    return None


def _validity(judges: tuple[str, ...], found: tuple[JudgeValidity, ...]) -> JudgeValidity | None:
    """The one judge's, or that of several taken as one."""
    for one in found:
        if one.judge.startswith(PANEL) if len(judges) > 1 else one.judge in judges:
            return one
    return None
