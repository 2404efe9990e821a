"""Who graded a run, as results say it."""

from collections.abc import Mapping
from dataclasses import field

from evalkit.frozen import dataclass
from evalkit.panel import JudgeContext
from evalkit.records import Round
from evalkit.rubric import Aggregate


@dataclass(frozen=True)
class HowAsked:
    """How judges were asked in a round: how often each the same, what it read beside an output and by which server;
    None where that is not on record."""

    judges: tuple[str, ...]
    repeats: int = 1
    context: JudgeContext | None = None
    endpoint: str | None = None


@dataclass(frozen=True)
class Grading:
    """Who graded, whether blind, and what it took. `judge_usd` is kept apart from production cost, None where one of
    the requests is unpriced; `judge_known_usd` is that of the others. `round_usd` is that of one round, the one that
    counts if a judge was asked there, else the newest in which one was.

    `aggregate` is the rule that makes one level of several graders'. `dropped`: judges whose grades decide nothing,
    with the reason; `drifted`: judges that have since been asked otherwise, so that their errors here are not known.
    `answered_by`: of judges that more than one model answered for, answers by model graded and by which it was.
    `open`: people are still at work in the round, `closed_at` when they were not any more, None where no people were.
    `peeks`: when results were looked at while people graded; `after_results`: grades that people gave when results had
    been shown. `graders` gave the round's grades, `idle` ones joined it and have given none. `merged`: the run file was
    merged with others since, whose outputs the round never saw. `picked`: people were asked about outputs for what a
    judge had said of them, so that verdicts of theirs and of the judge's together are no fair sample of either;
    `told_apart`: the items of which the judge had told any models apart by then, and none that was drawn from others.
    `sample`: about how many outputs people were asked to grade, `overlap`: how many of them an item; None for all.
    `repeat_share`: the share that came to them a second time, None where nothing was declared; `asked_author`: whether
    they were to say who wrote it, `side_by_side`: whether they saw an item's outputs together. `rounds` were opened in
    all; people are `at_work` in one of them. `judged`, `compared`: how judges were asked for the round's grades, and
    for what they prefer, each in its newest round.
    """

    round: Round | None
    judges: tuple[str, ...]
    judge_usd: float | None
    judge_attempts: int
    judge_failed_attempts: int
    grades: int
    ungraded: Mapping[str, int]
    identity_marks: int
    round_usd: float | None = None
    aggregate: Aggregate = "median"
    people: tuple[str, ...] = ()
    dropped: Mapping[str, str] = field(default_factory=dict)
    drifted: tuple[str, ...] = ()
    closed_at: str | None = None
    open: bool = False
    peeks: tuple[str, ...] = ()
    after_results: int = 0
    graders: tuple[str, ...] = ()
    idle: tuple[str, ...] = ()
    merged: bool = False
    answered_by: Mapping[str, Mapping[str, Mapping[str, int]]] = field(default_factory=dict)
    picked: bool = False
    told_apart: tuple[str, ...] = ()
    sample: int | None = None
    overlap: int | None = None
    repeat_share: float | None = None
    asked_author: bool = False
    side_by_side: bool = False
    rounds: int = 0
    at_work: bool = False
    judge_known_usd: float = 0.0
    judge_unpriced_attempts: int = 0
    judge_lost_attempts: int = 0
    judged: tuple[HowAsked, ...] = ()
    compared: tuple[HowAsked, ...] = ()
