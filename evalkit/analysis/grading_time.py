"""How long people took for an output, by the attention that they gave it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import field

from evalkit import stats
from evalkit.frozen import dataclass
from evalkit.grader_names import is_again
from evalkit.records import Snapshot
from evalkit.stats import Estimate


@dataclass(frozen=True)
class GradingTime:
    """Median seconds of attention for an output, overall and by grader; None where nobody measured any.

    `outputs`: how many have a measured time. Outputs that came to a person again are left out.
    """

    overall: Estimate | None = None
    by_grader: Mapping[str, Estimate | None] = field(default_factory=dict)
    outputs: int = 0


def grading_time(snapshot: Snapshot) -> GradingTime:
    """From every mark that people made but guesses of authors, times of one output by one grader summed."""
    keys = {trial.id: trial.key for trial in snapshot.trials}
    spent: dict[str, dict[tuple[int, int], float]] = defaultdict(lambda: defaultdict(float))
    for mark in snapshot.markings:
        if is_again(mark.grader) or mark.trial_id not in keys or mark.kind == "author":
            continue
        of_grader = spent[mark.grader]
        if mark.active_s is not None:
            of_grader[mark.round_id, mark.trial_id] += mark.active_s

    def median(times: list[tuple[int, float]]) -> Estimate | None:
        if not times:
            return None
        return stats.quantile_clustered([s for _, s in times], [keys[trial].item_id for trial, _ in times], 0.5)

    by_grader = {grader: [(trial, s) for (_, trial), s in of_one.items()] for grader, of_one in spent.items()}
    everything = [one for times in by_grader.values() for one in times]
    return GradingTime(median(everything), {g: median(times) for g, times in by_grader.items()}, len(everything))
