"""What sways each judge beside the quality of an output: its place, its length, the tier that wrote it."""

from collections.abc import Mapping, Sequence

from evalkit import stats
from evalkit.analysis.preferred import BothOrders, both_orders
from evalkit.analysis.trials import TrialResult
from evalkit.analysis.views import Levels, accuracy, people_verdicts, verdicts_of
from evalkit.frozen import dataclass
from evalkit.grader_names import JUDGE, kind_of
from evalkit.models import known
from evalkit.records import Snapshot
from evalkit.rubric import Rubric
from evalkit.stats import Estimate, PositionBias
from evalkit.stats.estimate import no_estimate

_NO_LABELS = "no output is graded by people as well"


@dataclass(frozen=True)
class JudgeBias:
    """One judge. `position` None where it compared no pair in both orders, else over so many `pairs`.

    `length`: odds ratio that it passes an output twice as long, at the same verdict of people. `favour`: by tier, how
    much better it treats that tier's outputs than the others', people's verdict taken off, in share of outputs;
    `own_tier` is its own. `youden`: its J on the outputs that people graded as well. `by_errors`: by tier, what its
    errors alone may make of `favour`, at the lower limit of J: a judge that errs treats a worse tier's outputs better
    than people do, and one that answers at random does so as far as people find the tiers apart.
    """

    judge: str
    pairs: int
    position: PositionBias | None
    length: Estimate
    favour: Mapping[str, Estimate]
    own_tier: str | None
    youden: Estimate
    by_errors: Mapping[str, float]


def judge_biases(
    snapshot: Snapshot, levels: Levels, results: Sequence[TrialResult], rubric: Rubric
) -> tuple[JudgeBias, ...]:
    """Every judge that has graded or compared; empty without judges."""
    pairs, people = both_orders(snapshot), people_verdicts(levels, rubric)
    graded = {grader.removeprefix(JUDGE) for grader in levels if kind_of(grader) == "judge"}
    found = []
    for judge in sorted(graded | set(pairs)):
        said = verdicts_of(levels, JUDGE + judge, rubric)
        both = [r for r in results if r.trial_id in said and r.trial_id in people]
        if both or judge in pairs:
            found.append(_bias(judge, pairs.get(judge, []), both, said, people))
    return tuple(found)


def _bias(
    judge: str,
    pairs: Sequence[BothOrders],
    both: Sequence[TrialResult],
    said: Mapping[int, bool],
    people: Mapping[int, bool],
) -> JudgeBias:
    mine, theirs = ([float(one[r.trial_id]) for r in both] for one in (said, people))
    items, lengths = [r.key.item_id for r in both], [float(len(r.last.text) if r.last else 0) or 1.0 for r in both]
    tiers = [model.tier if (model := known(r.key.model)) else r.key.model for r in both]
    own, youden = known(judge), accuracy(said, people, dict(zip([r.trial_id for r in both], items, strict=True))).youden
    sides = {tier: [float(t == tier) for t in tiers] for tier in dict.fromkeys(tiers) if len(set(tiers)) > 1}
    return JudgeBias(
        judge=judge,
        pairs=len(pairs),
        position=_position(pairs) if pairs else None,
        length=stats.length_effect(mine, theirs, lengths, items=items)
        if both
        else no_estimate(_NO_LABELS, 0.95, "logistic GEE"),
        favour={tier: stats.self_preference(mine, theirs, side, items=items) for tier, side in sides.items()},
        own_tier=own.tier if own else None,
        youden=youden,
        by_errors={tier: _by_errors(theirs, side, items, youden) for tier, side in sides.items()},
    )


def _by_errors(people: Sequence[float], side: Sequence[float], items: Sequence[str], youden: Estimate) -> float:
    """(J - 1) times how much better people find the side's outputs: 0 where J is unknown."""
    ahead = stats.self_preference(people, [0.0] * len(people), side, items=items).value
    return 0.0 if youden.low is None or ahead is None else (youden.low - 1) * ahead + 0.0


def _position(pairs: Sequence[BothOrders]) -> PositionBias:
    return stats.position_bias(
        [pair.forth for pair in pairs], [pair.back for pair in pairs], items=[pair.item_id for pair in pairs]
    )
