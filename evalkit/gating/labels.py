"""Which items people decided, where a judge graded the rest: what is tested then needs no word of the judge."""

from typing import Literal

from evalkit.analysis.results import OutputResult
from evalkit.frozen import dataclass
from evalkit.gating.evidence import Evidence, Paired

FEWEST_ALIKE = 10
"""Items that a judge grades alike which people must have graded as well, unless there are fewer."""
WORSE, BETTER, ALIKE, KNOWN = range(4)
"""Strata: the judge sees the candidate worse, better, alike; or nobody had to ask a judge."""


@dataclass(frozen=True)
class Labels:
    """The items of a comparison by what the judge says of them, and those that people decided.

    `strata`: of each item, in the order of the pairs; `decided`: whether no verdict of it is the judge's. `reach`: all
    where the judge decides nothing, sampled where people decided every item that the judge tells apart and a sample of
    the others, else few. `cap`: why nothing passes by people's grades, None if it may.
    """

    strata: tuple[int, ...]
    decided: tuple[bool, ...]
    cap: str | None = None

    @property
    def sizes(self) -> tuple[int, ...]:
        """Items of each stratum."""
        return tuple(self.strata.count(stratum) for stratum in range(KNOWN + 1))

    @property
    def alike(self) -> int:
        """Items decided by people among those that the judge grades alike."""
        return sum(known and s == ALIKE for known, s in zip(self.decided, self.strata, strict=True))

    @property
    def reach(self) -> Literal["all", "sampled", "few"]:
        """How far people's grades carry."""
        if all(self.decided):
            return "all"
        apart = all(known for known, s in zip(self.decided, self.strata, strict=True) if s != ALIKE)
        return "sampled" if apart and self.alike >= min(FEWEST_ALIKE, self.sizes[ALIKE]) else "few"


def labels_of(evidence: Evidence, pairs: Paired) -> Labels:
    """Who decided the items of these pairs, by the verdict on their outputs."""
    then, now = evidence.outputs(frozenset(pairs.items))
    found = [_label(then[item], now[item]) for item in pairs.items]
    return Labels(tuple(stratum for stratum, _ in found), tuple(known for _, known in found), evidence.people_apart)


def is_mixed(evidence: Evidence, pairs: Paired) -> bool:
    """Whether people decided some of these pairs for what a judge had said of them, and the judge the others: all
    verdicts together are then a sample of nothing."""
    return evidence.picked and labels_of(evidence, pairs).reach != "all"


def _label(then: list[OutputResult], now: list[OutputResult]) -> tuple[int, bool]:
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
    return (ALIKE if abs(difference) < 1e-9 else BETTER if difference > 0 else WORSE), decided


def _judged(side: list[OutputResult]) -> list[OutputResult]:
    """Those with a verdict, or with a judge's alone where people could not tell: it told them apart all the same."""
    return [output for output in side if output.satisfied is not None or output.judge_satisfied is not None]


def _share(flags: list[bool | None]) -> float:
    return sum(map(bool, flags)) / max(1, len(flags))
