"""Workers: how a cluster's processes compare, and which of them is slow, late or has a clock that is wrong."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import median

from evalkit.error_kinds import LOST
from evalkit.frozen import dataclass
from evalkit.records import Attempt, Snapshot
from evalkit.session_records import TRUSTED_LAG_S, Worker
from evalkit.stats import holm, larger_p

SLOW_RATIO = 1.2
"""A worker's median latency over that of the others from which on it may be called slow."""

SLOW_P = 0.05
"""Holm-adjusted p below which it is: over all workers and models of the run."""

SKEWED_S = 1.0
"""A wall clock that is surely further off than this is called wrong."""


@dataclass(frozen=True)
class ModelOnWorker:
    """One model's answers by one worker beside those by all others in the same stretch of time. Medians in seconds.

    `p`: one-sided, Mann-Whitney, that this worker is no slower; None where either has no answer. `p_holm` is adjusted.
    """

    model: str
    answers: int
    service_s: float
    other_answers: int
    other_service_s: float | None
    p: float | None
    p_holm: float | None = None

    @property
    def slow(self) -> bool:
        """Whether the worker is slower than the others by more than chance, and by enough to matter."""
        if self.p_holm is None or self.other_service_s is None:
            return False
        return self.p_holm < SLOW_P and self.service_s >= SLOW_RATIO * self.other_service_s


@dataclass(frozen=True)
class WorkerResult:
    """One process of a cluster. `lost`: why it went before its session; `lost_attempts` went with it.

    `clock_offset_s`: how far its wall clock was ahead, to within `clock_error_s`. `lag_p99_s`: how late its loop was.
    """

    id: int
    session_id: int
    host: str
    node: str
    attempts: int
    lost_attempts: int
    lost: str | None
    clock_offset_s: float
    clock_error_s: float
    lag_p99_s: float | None
    models: tuple[ModelOnWorker, ...]

    @property
    def name(self) -> str:
        """How it is called in texts."""
        return f"worker {self.id} on {self.host}"

    @property
    def skewed(self) -> bool:
        """Whether its wall clock is wrong, or ours."""
        return abs(self.clock_offset_s) - self.clock_error_s > SKEWED_S

    @property
    def late(self) -> bool:
        """Whether it was so late that the latencies it measured are partly its own."""
        return self.attempts > 0 and self.lag_p99_s is not None and self.lag_p99_s > TRUSTED_LAG_S


def worker_results(snapshot: Snapshot) -> tuple[WorkerResult, ...]:
    """Every recorded worker, in order; none where no cluster was used."""
    if not snapshot.workers:
        return ()
    models = {trial.id: trial.key.model for trial in snapshot.trials}
    by_model: dict[str, list[Attempt]] = defaultdict(list)
    made: dict[int | None, list[Attempt]] = defaultdict(list)
    for attempt in snapshot.attempts:
        made[attempt.worker_id].append(attempt)
        if attempt.worker_id is not None and attempt.outcome == "answered" and attempt.latency_s is not None:
            by_model[models[attempt.trial_id]].append(attempt)
    results = [_result(worker, made[worker.id], by_model) for worker in snapshot.workers]
    return _adjusted(results)


def without_hosts(workers: Sequence[WorkerResult]) -> tuple[WorkerResult, ...]:
    """The same with their machines numbered, for whoever is to learn nothing of what these are called."""
    hosts = list(dict.fromkeys(worker.host for worker in workers))
    return tuple(replace(worker, host=f"machine {hosts.index(worker.host) + 1}") for worker in workers)


def _result(worker: Worker, own: Sequence[Attempt], by_model: Mapping[str, Sequence[Attempt]]) -> WorkerResult:
    return WorkerResult(
        id=worker.id,
        session_id=worker.session_id,
        host=worker.host,
        node=worker.node,
        attempts=len(own),
        lost_attempts=sum(attempt.error_type == LOST for attempt in own),
        lost=worker.lost,
        clock_offset_s=worker.clock_offset_s,
        clock_error_s=worker.clock_error_s,
        lag_p99_s=worker.lag_p99_s,
        models=tuple(
            found for model, answers in by_model.items() if (found := _beside(worker.id, model, answers)) is not None
        ),
    )


def _beside(worker_id: int, model: str, answers: Sequence[Attempt]) -> ModelOnWorker | None:
    """A worker beside the others while it was at work: a server that grew slower later on is no worker's fault."""
    own = [attempt for attempt in answers if attempt.worker_id == worker_id]
    if not own:
        return None
    first, last = min(attempt.sent_at for attempt in own), max(attempt.sent_at for attempt in own)
    others = [a for a in answers if a.worker_id != worker_id and first <= a.sent_at <= last]
    these_s, those_s = _latencies(own), _latencies(others)
    middle = median(those_s) if those_s else None
    return ModelOnWorker(model, len(own), median(these_s), len(others), middle, larger_p(these_s, those_s))


def _latencies(attempts: Iterable[Attempt]) -> list[float]:
    return [attempt.latency_s for attempt in attempts if attempt.latency_s is not None]


def _adjusted(results: Sequence[WorkerResult]) -> tuple[WorkerResult, ...]:
    """With p-values that allow for how many were looked at."""
    found = iter(holm([m.p for result in results for m in result.models if m.p is not None]))
    return tuple(
        replace(result, models=tuple(replace(m, p_holm=None if m.p is None else next(found)) for m in result.models))
        for result in results
    )


def worker_warnings(workers: Sequence[WorkerResult]) -> tuple[str, ...]:
    """What to say of workers that were slow, late, or whose clock was wrong."""
    said = []
    for worker in workers:
        said += [
            f"{worker.name} was slower with {m.model}: median latency {m.service_s:.2f} s, {m.other_service_s:.2f} s on"
            f" the others at the same time (p {m.p_holm:.3f}, Mann-Whitney, Holm); look at its machine and network"
            for m in worker.models
            if m.slow
        ]
        if worker.late:
            said.append(
                f"{worker.name} was late by {(worker.lag_p99_s or 0.0) * 1000:.0f} ms (p99), so latencies are partly"
                " its own; lower -j for truer ones"
            )
        if worker.skewed:
            ahead = "ahead of" if worker.clock_offset_s > 0 else "behind"
            said.append(
                f"the clock of {worker.name} was {abs(worker.clock_offset_s):.1f} s {ahead} that of the machine which"
                " ran the session; set it right (no latency depends on it, times in logs do)"
            )
    return tuple(said)
