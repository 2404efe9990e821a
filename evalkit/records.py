"""The plain records that every stage writes and every reader reads; those that a run has many of have slots."""

from collections.abc import Mapping
from dataclasses import asdict, field
from typing import Any, Literal, NamedTuple

from evalkit.frozen import dataclass
from evalkit.grading_records import Marking, Preference, RoundEvent
from evalkit.rates import Rates
from evalkit.session_records import Session, Worker
from evalkit.strict import content_sha256

Outcome = Literal["answered", "refused", "truncated", "errored"]
"""How a trial or an attempt ended. Only an answered one has an output that can be graded."""


class TrialKey(NamedTuple):
    """What a trial is: one item, one model, one repetition (from 1)."""

    item_id: str
    model: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Trial:
    """One planned trial; `position` is its place in the seeded, interleaved order."""

    id: int
    key: TrialKey
    position: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request as the API billed them; None where the API did not say, never 0 instead.

    `input_tokens` excludes what was read from or written to the cache; `thinking_tokens` are inside `output_tokens`.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_5m_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    thinking_tokens: int | None = None

    @property
    def total_input_tokens(self) -> int | None:
        """All input tokens, cached ones included; None if the API did not say."""
        cached = (self.cache_read_tokens, self.cache_write_5m_tokens, self.cache_write_1h_tokens)
        return None if self.input_tokens is None else self.input_tokens + sum(tokens or 0 for tokens in cached)


@dataclass(frozen=True)
class Request:
    """What is sent: the same for every provider. `system` is a text, or blocks where a part is marked for caching."""

    model: str
    messages: tuple[Mapping[str, Any], ...]
    max_tokens: int
    system: str | tuple[Mapping[str, Any], ...] | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelFacts:
    """What a server says of a model: tokens it takes and gives, and the settings it accepts; None where it is silent.

    `thinking`: the types of thinking it takes; `efforts`: the levels; `lifecycle`: active, deprecated or retired.
    """

    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    thinking: frozenset[str] | None = None
    efforts: frozenset[str] | None = None
    image_input: bool | None = None
    pdf_input: bool | None = None
    structured_outputs: bool | None = None
    lifecycle: str | None = None


@dataclass(frozen=True)
class Allowance:
    """One rate limit as a server's headers tell it: so many a minute, so many left, full again in `resets_s`."""

    limit: int | None
    remaining: int | None
    resets_s: float | None


@dataclass(frozen=True)
class Reply:
    """How one attempt ended. Times in seconds from the moment the request reached the connection.

    `retryable` says that the same request may succeed later; `stops_run` that no request can (credentials,
    billing). `ttft_s` is the time to the first output text, None if there was none; `headers_s` to the response
    headers; `latency_s` None where no latency can be claimed (a batch). `reused`: the connection was open already.
    `allowances` by what they limit, as input_tokens. `worker_id`: a cluster's worker that sent it, None if none did.
    """

    outcome: Outcome
    latency_s: float | None
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
    headers_s: float | None = None
    reused: bool | None = None
    allowances: Mapping[str, Allowance] = field(default_factory=dict)
    worker_id: int | None = None


@dataclass(frozen=True)
class AttemptStart:
    """What the ledger knows of an attempt before it is sent. Fields as in `Attempt`."""

    trial_id: int
    number: int
    sent_at: str
    queued_s: float | None = None
    grader: str | None = None
    round_id: int | None = None
    session_id: int | None = None
    in_flight: int | None = None
    most_tokens: int | None = None
    cached: bool | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One API request in the ledger, a failed one too.

    `grader` is None for production and names the judge otherwise. `outcome` is None when the process died
    before the answer was recorded: it may have been billed, nobody can know. `final` marks the attempt that
    settles its trial. `felt_s` runs from the trial's first request, retries and waits included, also the wait after
    it if it is to be followed by another; `queued_s` is the wait on our side before it. `cost_usd` is None where the
    price or the tokens are unknown; times are None where nobody measured them. `in_flight` requests, this one included,
    were under way when it was sent. `subject` names what an attempt that has ended settles, if it is final. `worker_id`
    as in `Reply`. Of a judge's, `most_tokens` is the most its prompt was taken for before any was answered, `cached`
    whether it was to be written to a cache; of production's the plan says both.
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
    headers_s: float | None = None
    reused: bool | None = None
    session_id: int | None = None
    in_flight: int | None = None
    subject: str | None = None
    worker_id: int | None = None
    most_tokens: int | None = None
    cached: bool | None = None


@dataclass(frozen=True)
class Batch:
    """A batch of requests, recorded before it was submitted; `attempts` are the ids of its entries in the ledger.

    `nonce` begins the custom id of every entry. `server_id` None: nobody knows whether the server has it.
    """

    id: int
    nonce: str
    created_at: str
    server_id: str | None
    attempts: tuple[int, ...]


@dataclass(frozen=True)
class Spec:
    """What a run is, fixed before its first request. The same spec means the same run file.

    `contexts`: the sizes of a sweep, in tokens. `cache`: off, or how long a prompt is kept. `condition`: how the items
    were chosen, if not all were taken; what such a run shows holds under it only. `outputs_sha256`: content hash of
    outputs made elsewhere; such a run sends nothing (`max_tokens` 0). `context_tokens`: as asked for, in a sweep as the
    card has it. `economics_stated`: whether the rubric says what a correction costs. `rates`: what each model was
    priced by when the run began, by size of prompt, if known. `dataset_files`, `rubric_file`: where they were read
    from, seen from the working folder, empty or None where that was not kept; several datasets are of imports merged.
    `kept_sha256`: of a spec with words hidden, the hash that it had.
    """

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
    contexts: tuple[int, ...] = ()
    cache: str = "off"
    condition: Mapping[str, Any] | None = None
    outputs_sha256: str | None = None
    economics_stated: bool | None = None
    rates: Mapping[str, tuple[Rates, ...]] = field(default_factory=dict)
    dataset_files: tuple[str, ...] = ()
    rubric_file: str | None = None
    kept_sha256: str | None = None

    @property
    def imported(self) -> bool:
        """Whether the outputs were made elsewhere: nobody here knows how they were asked for, or when."""
        return self.outputs_sha256 is not None

    @property
    def sha256(self) -> str:
        """Hash of what makes a run this run; not of when it began or with which package version.
        A field that came later and says nothing is left out, so that older run files keep their hash."""
        if self.kept_sha256 is not None:
            return self.kept_sha256
        content = {name: value for name, value in asdict(self).items() if name not in _CIRCUMSTANCES}
        silent = {name for name, default in _CAME_LATER.items() if content[name] == default}
        return content_sha256({name: content[name] for name in sorted(set(content) - silent)})


_CIRCUMSTANCES = {
    "created_at", "package_version", "prices_version", "economics_stated", "rates", "dataset_files", "rubric_file",
    "kept_sha256",
}  # fmt: skip
_CAME_LATER: Mapping[str, object] = {"contexts": (), "cache": "off", "condition": None, "outputs_sha256": None}


@dataclass(frozen=True, slots=True)
class ItemRecord:
    """An item as it was run: enough to grade, to report and to say what it may cost without the dataset file.

    `max_tokens` is its own output cap, None for the run's; `inference_geo` and `speed` are None where none was asked
    for. In a context sweep there is one record an item and size: `variant_of` then names the dataset's item.
    """

    id: str
    position: int
    task: str
    system: str | None
    reference: str | None
    difficulty: str | None
    tags: tuple[str, ...]
    documents: tuple[str, ...] = ()
    evidence_positions: tuple[int, ...] = ()
    variant_of: str | None = None
    context_tokens: int | None = None
    max_tokens: int | None = None
    inference_geo: str | None = None
    speed: str | None = None


@dataclass(frozen=True, slots=True)
class PromptSize:
    """Input tokens of an item's prompt for one model; `counted` by the API, else estimated, `most_tokens` at most."""

    item_id: str
    model: str
    tokens: int
    counted: bool
    most_tokens: int | None = None


@dataclass(frozen=True)
class Round:
    """One grading round: the rubric it was graded by, who grades, and whether it was blind.

    `blind` None: the grades were given elsewhere, and nobody here knows; never taken for blind.
    """

    id: int
    rubric_sha256: str
    graders: tuple[str, ...]
    blind: bool | None
    seed: int
    created_at: str


@dataclass(frozen=True, slots=True)
class Grade:
    """One grader's level on one criterion of one trial's output; `level` None means ungraded, with the reason.

    `after_results`: it was given when results of this run had been shown already.
    """

    round_id: int
    grader: str
    trial_id: int
    criterion: str
    level: int | None
    ungraded_reason: str | None = None
    comment: str = ""
    identity_marks: int = 0
    after_results: bool = False


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
    sessions: tuple[Session, ...] = ()
    workers: tuple[Worker, ...] = ()
    corrections: tuple[Correction, ...] = ()
    batches: tuple[Batch, ...] = ()
    events: tuple[RoundEvent, ...] = ()
    markings: tuple[Marking, ...] = ()
    preferences: tuple[Preference, ...] = ()

    @property
    def in_batches(self) -> frozenset[int]:
        """Attempts that a server has, or may have, in a batch: not lost, but to be fetched."""
        ended = {attempt.id for attempt in self.attempts if attempt.outcome is not None}
        return frozenset(id_ for batch in self.batches for id_ in batch.attempts if id_ not in ended)
