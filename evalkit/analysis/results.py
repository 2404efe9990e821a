"""What an analysis says: frozen results that report, gate and routing all read."""

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from evalkit.analysis.agreements import Agreement
from evalkit.analysis.blinding import Blinding
from evalkit.analysis.caching import CacheUse
from evalkit.analysis.consistency import Consistency
from evalkit.analysis.corrections import CorrectionCost, stated
from evalkit.analysis.criterion_gaps import CriterionGap
from evalkit.analysis.disputes import Dispute
from evalkit.analysis.evidence import Signal
from evalkit.analysis.graded_by import Grading
from evalkit.analysis.grading_time import GradingTime
from evalkit.analysis.judge_biases import JudgeBias
from evalkit.analysis.leanings import Leaning
from evalkit.analysis.pair_results import Against, Baseline, Pair
from evalkit.analysis.preferred import Preferred
from evalkit.analysis.reliability import JudgeValidity
from evalkit.analysis.remarks import Remark
from evalkit.analysis.repeats import Retry
from evalkit.analysis.robust_results import Items, Stability
from evalkit.analysis.routing import Routing
from evalkit.analysis.sessions import SessionResult
from evalkit.analysis.trials import DecidedBy
from evalkit.analysis.validity import Validity
from evalkit.analysis.workers import WorkerResult
from evalkit.cut_streams import CutStreams
from evalkit.frozen import dataclass
from evalkit.records import Outcome, Spec
from evalkit.rubric import Economics
from evalkit.stats import Estimate

Verdict = Literal["pick", "no_option", "not_enough_data", "conditional"]
"""`conditional`: the items were chosen by what a model did with them, so no option is judged for the workload."""


@dataclass(frozen=True)
class Counts:
    """Denominators, in trials. planned = answered + refused + truncated + errored + pending;
    answered = graded + ungraded. `decided` have a verdict: graded ones, and the failures (a share of them, where only
    a share of the outputs is graded); `satisfactory` is out of these."""

    planned: int
    answered: int
    refused: int
    truncated: int
    errored: int
    pending: int
    graded: int
    ungraded: int
    decided: int
    satisfactory: int

    @property
    def failed(self) -> int:
        """Trials that ended without a usable output."""
        return self.refused + self.truncated + self.errored

    @property
    def failed_undecided(self) -> int:
        """Failures left out of the rate, as the ungraded outputs are."""
        return self.graded + self.failed - self.decided


@dataclass(frozen=True)
class Clock:
    """One latency clock of one model: quantile estimates by name (p50, p90, p95) and its sorted values, s.

    It holds whole answers: refused, truncated and errored trials have no value, but for the timeouts in `censored_s`.
    `censored_s`: how long calls had been waited for, sorted, when they were given up; they rank above all values.
    """

    quantiles: Mapping[str, Estimate]
    values_s: tuple[float, ...]
    censored_s: tuple[float, ...] = ()


@dataclass(frozen=True)
class Context:
    """Input tokens that prompts really had; `counted` is False if any had to be estimated."""

    smallest_tokens: int
    median_tokens: int
    largest_tokens: int
    counted: bool


@dataclass(frozen=True)
class PriceCliff:
    """Prompts of more than `above_tokens` have every token billed `factor` times as dear, the answer's too: a step of
    the model's published price that the run's prompts, from `smallest_tokens` to `largest_tokens`, come near or pass.
    """

    model: str
    name: str
    above_tokens: int
    factor: float
    smallest_tokens: int
    largest_tokens: int

    @property
    def rule(self) -> str:
        """What it is, as the main clause of a sentence."""
        return (
            f"{self.name} bills every token {self.factor:g} times as dear where a prompt has more than"
            f" {self.above_tokens:,}"
        )


@dataclass(frozen=True)
class ModelResult:
    """Everything about one model. Money in USD; None where a price or a token count is unknown.

    `cost_per_request` includes every attempt of a trial, failed ones too. `cost_per_satisfactory` is the
    abandon view (unsatisfactory outputs are thrown away); `human_fix` adds review, and correction of what was
    not satisfactory. `unpriced_attempts` > 0 means that the money figures are None. `unknown_cost_attempts` are
    failed or lost ones that may have been billed: the money figures are a lower bound then. `lost_attempts` have no end
    on record, as of a process that was killed; those that went with a worker of a cluster failed. `failures` counts
    failed attempts by kind, `cut` holds those of them that had begun to answer; `items_to_clear`: items at which the
    bar would be cleared if the rate stayed, with as many epochs. `at_worst`: the pass rate if every trial that failed
    on every attempt so far were a failure for good; None where there is no such trial. `unnamed_answers`: those of
    which nobody recorded what model gave them.
    """

    model: str
    name: str
    tier: str | None
    counts: Counts
    items: int
    satisfied_items: float
    pass_rate: Estimate
    score: Estimate
    cost_per_request: Estimate
    cost_per_satisfactory: Estimate
    human_fix: Estimate
    clocks: Mapping[str, Clock]
    spend_usd: float | None
    attempts: int
    failed_attempts: int
    lost_attempts: int
    unpriced_attempts: int
    unknown_cost_attempts: int
    input_tokens: int | None
    output_tokens: int | None
    identity_marks: int
    context: Context | None
    served_models: tuple[str, ...]
    failures: Mapping[str, int] = field(default_factory=dict)
    retries: tuple[Retry, ...] = ()
    items_to_clear: int | None = None
    at_worst: Estimate | None = None
    cut: CutStreams = field(default_factory=CutStreams)
    unnamed_answers: int = 0


@dataclass(frozen=True)
class Slice:
    """A part of the items (`kind` difficulty, context or tag): each model's figures on it, as for the whole.

    `item_ids` are those items, sorted.
    """

    kind: str
    name: str
    items: int
    pass_rate: Mapping[str, Estimate]
    score: Mapping[str, Estimate] = field(default_factory=dict)
    cost_per_satisfactory: Mapping[str, Estimate] = field(default_factory=dict)
    human_fix: Mapping[str, Estimate] = field(default_factory=dict)
    counts: Mapping[str, Counts] = field(default_factory=dict)
    item_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class CriterionResult:
    """Each model's mean score (0 to 1) on one criterion, over so many `graded` outputs (a rate on two levels)."""

    id: str
    question: str
    kind: str
    critical: int | None
    score: Mapping[str, Estimate]
    graded: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class OutputResult:
    """One trial as the report shows it. `satisfied` and `score` are None while it is not fully graded.

    `remarks`: what people left on it beside grades. `judge_satisfied` is the verdict without people's grades, None
    where it needs them. `by_people`: criteria that they gave a level; `people_unsure`: those that they were asked of,
    and none of them could tell. `given`: each grader's level of criteria that several gave one. `felt_s`: a user's wait
    until the trial ended, however it did; None where nobody can say, as in a batch (`batched`). `unbatched_usd` is
    `cost_usd` without the discount of batches, None where that is not known. `in_sample`: False for a failure that is
    left out of rates, of which only a share has a verdict beside a graded sample. `settled`: False while no attempt has
    ended the trial for good, so that the same command would try it, or try it again.
    """

    trial_id: int
    model: str
    epoch: int
    outcome: Outcome | None
    text: str
    satisfied: bool | None
    score: float | None
    levels: Mapping[str, float]
    comments: Mapping[str, str]
    ungraded: Mapping[str, str]
    cost_usd: float | None
    latency_s: float | None
    ttft_s: float | None
    attempts: int
    error: str | None
    remarks: tuple[Remark, ...] = ()
    input_tokens: int | None = None
    output_tokens: int | None = None
    felt_s: float | None = None
    decided_by: DecidedBy | None = None
    judge_satisfied: bool | None = None
    people_unsure: tuple[str, ...] = ()
    by_people: tuple[str, ...] = ()
    given: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    batched: bool = False
    unbatched_usd: float | None = None
    settled: bool = True
    in_sample: bool = True

    @property
    def failed_so_far(self) -> bool:
        """Whether every attempt so far has failed, also by time, so that the same command tries again."""
        return self.error is not None and not self.settled


@dataclass(frozen=True)
class ItemResult:
    """One item with all its outputs, in the order of the models."""

    id: str
    task: str
    reference: str | None
    difficulty: str | None
    tags: tuple[str, ...]
    documents: tuple[str, ...]
    evidence_positions: tuple[int, ...]
    outputs: tuple[OutputResult, ...]


@dataclass(frozen=True)
class Decision:
    """The declared rule's outcome: the cheapest option per satisfactory output among those whose pass rate's
    lower limit clears `bar`. `reasons` says for each model why it is or is not eligible."""

    verdict: Verdict
    option: str | None
    bar: float
    eligible: tuple[str, ...]
    reasons: Mapping[str, str]


@dataclass(frozen=True)
class AtSize:
    """One model at one size of a context sweep, over all items; money in USD, None where unknown.

    `context_tokens` were asked for, `reached` is what the prompts had. `latency_p50`: one attempt, seconds.
    `difference` = rate here - rate at the model's shortest size, paired by item, with the 90 % interval that goes with
    a one-sided test at 5 %; None at that size itself.
    `missed`: in words, how the prompts fell short of the size or went beyond it; empty if they kept to it.
    """

    model: str
    context_tokens: int
    items: int
    counts: Counts
    pass_rate: Estimate
    cost_per_request: Estimate
    cost_per_satisfactory: Estimate
    latency_p50: Estimate
    reached: Context | None
    difference: Estimate | None
    spend_usd: float | None
    missed: str = ""


@dataclass(frozen=True)
class ContextRange:
    """How far one model holds its rate: to `holds_tokens`, the longest size shown not to be `margin` worse.

    Sizes are tested in turn against the shortest, on the `items` that have a verdict at all of them; `open_at` is the
    first that does not pass, None if all do. `odds_per_doubling` of the size: odds ratio of a satisfactory output.
    `reason` says why nothing is known.
    """

    model: str
    name: str
    margin: float
    items: int
    holds_tokens: int | None
    open_at: int | None
    odds_per_doubling: Estimate
    reason: str | None = None


@dataclass(frozen=True)
class Lacking:
    """A model that was not run at a size, and why."""

    model: str
    name: str
    context_tokens: int
    reason: str


@dataclass(frozen=True)
class Sweep:
    """The same items at several context sizes. Every other figure of the analysis is of the size `analysed` alone.

    `basis` says why that size. `points` by model, then by rising size. `pending`: trials of any size not run yet.
    """

    sizes: tuple[int, ...]
    analysed: int
    basis: str
    points: tuple[AtSize, ...]
    ranges: tuple[ContextRange, ...]
    lacking: tuple[Lacking, ...] = ()
    pending: int = 0

    def of(self, model: str) -> tuple[AtSize, ...]:
        """One model's sizes, rising."""
        return tuple(point for point in self.points if point.model == model)


@dataclass(frozen=True)
class Analysis:
    """One run, analysed. `warnings` are sentences for people, most important first.

    `against`: each model (b) against the `baseline` run's that was named, is the same by its id, or of its tier (a).
    `sweep`: a context sweep's sizes, else None. `routing`: what policies are worth, once valued. `priced_otherwise`:
    answers by model and reason that cost otherwise than `spec.rates` say. `without_batches`: costs are as if without.
    """

    spec: Spec
    items: int
    models: tuple[ModelResult, ...]
    pairs: tuple[Pair, ...]
    slices: tuple[Slice, ...]
    criteria: tuple[CriterionResult, ...]
    decision: Decision
    grading: Grading
    outputs: tuple[ItemResult, ...]
    warnings: tuple[str, ...] = ()
    review_usd: float = 0.0
    correction: CorrectionCost = field(default_factory=lambda: stated(Economics(correction_minutes=0)))
    documents: Mapping[str, str] = field(default_factory=dict)
    simulated_grades: bool = False
    stability: Stability | None = None
    item_quality: Items | None = None
    criterion_gaps: tuple[CriterionGap, ...] = ()
    agreement: tuple[Agreement, ...] = ()
    judges: tuple[JudgeValidity, ...] = ()
    against: tuple[Against, ...] = ()
    baseline: Baseline | None = None
    caching: tuple[CacheUse, ...] = ()
    price_cliffs: tuple[PriceCliff, ...] = ()
    priced_otherwise: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    without_batches: bool = False

    @property
    def correction_usd(self) -> float:
        """Mean cost of putting one unsatisfactory output right, USD, measured or stated."""
        return self.correction.usd.value or 0.0

    sessions: tuple[SessionResult, ...] = ()
    workers: tuple[WorkerResult, ...] = ()
    sweep: Sweep | None = None
    consistency: tuple[Consistency, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    blinding: Blinding | None = None
    preferred: tuple[Preferred, ...] = ()
    judge_biases: tuple[JudgeBias, ...] = ()
    leanings: tuple[Leaning, ...] = ()
    grading_time: GradingTime = field(default_factory=GradingTime)
    validity: tuple[Validity, ...] = ()
    signals: tuple[Signal, ...] = ()
    routing: Routing | None = None

    @property
    def simulated(self) -> bool:
        """Whether outputs or grades came from the sandbox: then this says nothing about any real model."""
        return self.spec.simulated or self.simulated_grades

    def model(self, model_id: str) -> ModelResult:
        """The result of one model; KeyError for an unknown id."""
        for result in self.models:
            if result.model == model_id:
                return result
        raise KeyError(model_id)
