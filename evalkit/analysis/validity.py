"""What each judge has been shown to be worth, and for what: judge, prompt, rubric and dataset."""

from collections.abc import Iterable
from typing import Literal

from evalkit.analysis.reliability import PANEL, JudgeValidity
from evalkit.analysis.views import FEWEST_LABELS
from evalkit.frozen import dataclass
from evalkit.grader_names import JUDGE
from evalkit.judge_prompts import prompts_of
from evalkit.records import Snapshot
from evalkit.stats import Estimate


@dataclass(frozen=True)
class Validity:
    """A judge's standing. It holds for these hashes alone: where one of them differs, it has expired.

    `state`: uncalibrated without `labels` of people, few_labels below 30, dropped where J's lower limit is not above
    .3, else calibrated. `judge_prompt_sha256` None: how the judge was asked is not on record, so this carries over to
    no other run.
    """

    judge: str
    judge_prompt_sha256: str | None
    rubric_sha256: str
    dataset_sha256: str
    state: Literal["calibrated", "few_labels", "dropped", "uncalibrated"]
    labels: int
    youden: Estimate | None


def validities(snapshot: Snapshot, judges: Iterable[str], found: Iterable[JudgeValidity]) -> tuple[Validity, ...]:
    """One record for each of the `judges` (models) that graded, and each that people graded beside."""
    of_judge = {one.judge: one for one in found if not one.judge.startswith(PANEL)}
    prompts = {judge.removeprefix(JUDGE): prompt for (judge, _), prompt in prompts_of(snapshot).items()}
    return tuple(
        _record(judge, prompts.get(judge), snapshot, of_judge.get(judge)) for judge in sorted({*judges, *of_judge})
    )


def _record(judge: str, prompt: str | None, snapshot: Snapshot, found: JudgeValidity | None) -> Validity:
    spec, labels = snapshot.spec, found.outputs if found else 0
    state: Literal["calibrated", "few_labels", "dropped", "uncalibrated"] = "calibrated"
    if found is None:
        state = "uncalibrated"
    elif found.dropped:
        state = "dropped"
    elif labels < FEWEST_LABELS:
        state = "few_labels"
    youden = found.accuracy.youden if found else None
    return Validity(judge, prompt, spec.rubric_sha256, spec.dataset_sha256, state, labels, youden)
