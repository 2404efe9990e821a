"""Which items people decided, where a judge graded the rest: what is tested then needs no word of the judge."""

from dataclasses import replace
from statistics import fmean
from typing import Literal

from evalkit.analysis.results import OutputResult
from evalkit.frozen import dataclass
from evalkit.gating.evidence import Evidence
from evalkit.gating.pairs import Paired
from evalkit.rounds import FEWEST_ALIKE

_FEWEST_DECIDED = 2
"""Of these, since one label of a sample gives no interval."""
WORSE, BETTER, ALIKE, KNOWN, ELSEWHERE = range(5)
"""Strata: the judge sees the candidate worse, better, alike; nobody had to ask a judge; or it sees these two alike but
another model of the run otherwise, so that people were asked about all such items, and drew none of them."""


@dataclass(frozen=True)
class Labels:
    """The items of a comparison by what the judge says of them, and those that people decided.

    `strata`: of each item, in the order of the pairs; `decided`: whether no verdict of it is the judge's. `reach`: all
    where the judge decides nothing, sampled where people decided every item that the judge tells apart and a sample of
    the others, else few. `untold`: items of that sample beside these, which lack a verdict since people could not tell.
    `lent`: how much larger a share of the candidate's outputs than of the baseline's rests on the judge's word, in
    [-1, 1]: a trial that ended without an output does not, nor one that a check fails. `cap`: why nothing passes by
    people's grades, None if it may.
    """

    strata: tuple[int, ...]
    decided: tuple[bool, ...]
    untold: int = 0
    lent: float = 0.0
    cap: str | None = None

    @property
    def sizes(self) -> tuple[int, ...]:
        """Items of each stratum."""
        return tuple(self.strata.count(stratum) for stratum in range(ELSEWHERE + 1))

    @property
    def alike(self) -> int:
        """Items decided by people among those that the judge grades alike."""
        return sum(known and s == ALIKE for known, s in zip(self.decided, self.strata, strict=True))

    @property
    def alone(self) -> float:
        """The share of items that rest on the judge's word."""
        return self.decided.count(False) / max(1, len(self.decided))

    @property
    def reach(self) -> Literal["all", "sampled", "few"]:
        """How far people's grades carry."""
        if all(self.decided):
            return "all"
        apart = all(known for known, s in zip(self.decided, self.strata, strict=True) if s != ALIKE)
        alike, asked = self.sizes[ALIKE], self.alike + self.untold
        drawn = asked >= min(FEWEST_ALIKE, alike + self.untold) and self.alike >= min(_FEWEST_DECIDED, alike)
        return "sampled" if apart and drawn else "few"


def labels_of(evidence: Evidence, pairs: Paired, criterion: str | None = None) -> Labels:
    """Who decided the items of these pairs, by the verdict on their outputs; by their level on a judged `criterion`,
    which counts whatever a check says."""
    asked = pairs.items if pairs.worst is None else pairs.worst.items
    (then, now), runs = evidence.outputs(frozenset(asked)), (evidence.of_baseline, evidence.of_candidate)
    elsewhere = {item for run in runs for item in run.grading.told_apart}
    if criterion is not None:
        then, now = ({item: [_on(criterion, o) for o in of] for item, of in side.items()} for side in (then, now))
    found = {item: _label(then[item], now[item], item in elsewhere) for item in pairs.items}
    untold = sum(
        any(output.people_unsure for output in (*then[item], *now[item]))
        and _label(then[item], now[item], item in elsewhere)[0] == ALIKE
        for item in asked
        if item not in found
    )
    strata, decided = (tuple(each) for each in zip(*found.values(), strict=True)) if found else ((), ())
    lent = fmean(_lent(now[item]) - _lent(then[item]) for item in found) if found else 0.0
    return Labels(strata, decided, untold if evidence.picked else 0, lent, evidence.people_apart)


def is_mixed(evidence: Evidence, pairs: Paired) -> bool:
    """Whether people decided some of these pairs for what a judge had said of them, and the judge the others: all
    verdicts together are then a sample of nothing."""
    return evidence.picked and labels_of(evidence, pairs).reach != "all"


def _label(then: list[OutputResult], now: list[OutputResult], elsewhere: bool) -> tuple[int, bool]:
    known = [output for output in (*then, *now) if output.satisfied is not None]
    decided = all(output.decided_by != "judge" for output in known)
    if len(known) == len(_judged(then)) + len(_judged(now)) and all(output.decided_by == "check" for output in known):
        return KNOWN, decided
    before, after = ([output.judge_satisfied for output in _judged(side)] for side in (then, now))
    if not before or not after:
        return KNOWN, True  # a side that lacks every verdict is taken at its worst, whatever a judge says of the other
    if decided and (None in before or None in after):
        return KNOWN, decided
    difference = _share(after) - _share(before)
    alike = ELSEWHERE if elsewhere else ALIKE
    return (alike if abs(difference) < 1e-9 else BETTER if difference > 0 else WORSE), decided


def _on(criterion: str, output: OutputResult) -> OutputResult:
    """The output as decided by whoever gave it its level on a criterion; by people where they could not tell, and their
    not telling stands (`Evidence.outputs`)."""
    if output.decided_by != "check" or output.outcome != "answered":
        return output
    untold = output.people_unsure and criterion not in output.levels
    return replace(output, decided_by="people" if untold or criterion in output.by_people else "judge")


def _lent(side: list[OutputResult]) -> float:
    """The share of an item's verdicts that rest on a judge's word."""
    known = [output for output in side if output.satisfied is not None]
    return sum(output.decided_by == "judge" for output in known) / max(1, len(known))


def _judged(side: list[OutputResult]) -> list[OutputResult]:
    """Those with a verdict, or with a judge's alone where people could not tell: it told them apart all the same."""
    return [output for output in side if output.satisfied is not None or output.judge_satisfied is not None]


def _share(flags: list[bool | None]) -> float:
    return sum(map(bool, flags)) / max(1, len(flags))
