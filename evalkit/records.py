"""The plain records that every stage writes and every reader reads."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple

from evalkit.strict import content_sha256

Outcome = Literal["answered", "refused", "truncated", "errored"]
"""How a trial or an attempt ended. Only an answered one has an output that can be graded."""


class TrialKey(NamedTuple):
    """What a trial is: one item, one model, one repetition (from 1)."""

    item_id: str
    model: str
    epoch: int


@dataclass(frozen=True)
class Trial:
    """One planned trial; `position` is its place in the seeded, interleaved order."""

    id: int
    key: TrialKey
    position: int


@dataclass(frozen=True)
class Usage:
    """Tokens of one request as the API billed them; None where the API did not say, never 0 instead.

    `input_tokens` excludes what was read from or written to the cache.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_5m_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None

    @property
    def total_input_tokens(self) -> int | None:
        """All input tokens, cached ones included; None if the API did not say."""
        if self.input_tokens is None:
            return None
        cached = (self.cache_read_tokens, self.cache_write_5m_tokens, self.cache_write_1h_tokens)
        return self.input_tokens + sum(tokens or 0 for tokens in cached)


@dataclass(frozen=True)
class Request:
    """What is sent: the same for every provider."""

    model: str
    messages: tuple[Mapping[str, Any], ...]
    max_tokens: int
    system: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """How one attempt ended. Times in seconds from the moment the request was sent.

    `retryable` says that the same request may succeed later; `stops_run` that no request can (credentials,
    billing). `ttft_s` is the time to the first output text, None if there was none.
    """

    outcome: Outcome
    latency_s: float
    text: str = ""
    ttft_s: float | None = None
    stop_reason: str | None = None
    served_model: str | None = None
    request_id: str | None = None
    usage: Usage = Usage()
    status: int | None = None
    error_type: str | None = None
    error_message: str | None = None
    retryable: bool = False
    stops_run: bool = False
    retry_after_s: float | None = None
    simulated: bool = False


@dataclass(frozen=True)
class Attempt:
    """One API request in the ledger, a failed one too.

    `grader` is None for production and names the judge otherwise. `outcome` is None when the process died
    before the answer was recorded: it may have been billed, nobody can know. `final` marks the attempt that
    settles its trial. `felt_s` runs from the trial's first request, retries and waits included; `queued_s` is
    the wait on our side before that. `cost_usd` is None where the price or the tokens are unknown.
    """

    id: int
    trial_id: int
    grader: str | None
    round_id: int | None
    number: int
    sent_at: str
    outcome: Outcome | None
    final: bool
    text: str
    stop_reason: str | None
    served_model: str | None
    request_id: str | None
    usage: Usage
    cost_usd: float | None
    ttft_s: float | None
    latency_s: float | None
    felt_s: float | None
    queued_s: float | None
    status: int | None
    error_type: str | None
    error_message: str | None
    simulated: bool


@dataclass(frozen=True)
class Spec:
    """What a run is, fixed before its first request. The same spec means the same run file."""

    name: str
    dataset_sha256: str
    rubric_sha256: str
    prompt_sha256: str
    models: tuple[str, ...]
    epochs: int
    seed: int
    context_tokens: int | None
    limit: int | None
    endpoint: str
    simulated: bool
    max_tokens: int
    rubric: Mapping[str, Any]
    package_version: str
    prices_version: str
    created_at: str

    @property
    def sha256(self) -> str:
        """Hash of what makes a run this run; not of when it began or with which package version."""
        content = asdict(self)
        return content_sha256({name: content[name] for name in sorted(set(content) - _CIRCUMSTANCES)})


_CIRCUMSTANCES = frozenset({"created_at", "package_version", "prices_version"})


@dataclass(frozen=True)
class ItemRecord:
    """An item as it was run: enough to grade and to report without the dataset file."""

    id: str
    position: int
    task: str
    system: str | None
    reference: str | None
    difficulty: str | None
    tags: tuple[str, ...]
    documents: tuple[str, ...] = ()
    evidence_positions: tuple[int, ...] = ()


@dataclass(frozen=True)
class PromptSize:
    """Input tokens of an item's prompt for one model; `counted` by the API, else estimated here."""

    item_id: str
    model: str
    tokens: int
    counted: bool


@dataclass(frozen=True)
class Round:
    """One grading round: the rubric it was graded by, who grades, and whether it was blind."""

    id: int
    rubric_sha256: str
    graders: tuple[str, ...]
    blind: bool
    seed: int
    created_at: str


@dataclass(frozen=True)
class Grade:
    """One grader's level on one criterion of one trial's output; `level` None means ungraded, with the reason."""

    round_id: int
    grader: str
    trial_id: int
    criterion: str
    level: int | None
    ungraded_reason: str | None = None
    comment: str = ""
    identity_marks: int = 0


@dataclass(frozen=True)
class Correction:
    """How many minutes a grader took to put a trial's output right; a later one by the same grader replaces it."""

    trial_id: int
    grader: str
    minutes: float


@dataclass(frozen=True)
class Snapshot:
    """Everything a run file says at one moment; what every reader starts from."""

    spec: Spec
    items: tuple[ItemRecord, ...]
    sizes: tuple[PromptSize, ...]
    trials: tuple[Trial, ...]
    attempts: tuple[Attempt, ...]
    rounds: tuple[Round, ...]
    grades: tuple[Grade, ...]
    documents: Mapping[str, str] = field(default_factory=dict)
    corrections: tuple[Correction, ...] = ()
