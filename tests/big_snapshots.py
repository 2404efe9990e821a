"""Large snapshots for benchmarks: seeded outcomes, every record as a real run would have it."""

import json
import random

from evalkit.analysis.trials import TrialResult
from evalkit.records import Attempt, Grade, ItemRecord, Round, Snapshot, Spec, Trial, TrialKey, Usage
from evalkit.rubric import Rubric

CRITERIA = ("correct", "complete", "tone")
MODELS = ("claude-opus-4-6", "claude-sonnet-4-6", "claude-haiku-4-5-20251001")
_RUBRIC = {
    "name": "bench",
    "criteria": [{"id": c, "question": "?", "levels": {"0": "bad", "1": "fair", "2": "good"}} for c in CRITERIA],
    "satisfactory": {"score": 0.6},
}


def big_snapshot(items: int, epochs: int = 1, graders: tuple[str, ...] = ("judge j",), seed: int = 1) -> Snapshot:
    """`items` x three models x `epochs` answered trials, each graded by every grader on three criteria."""
    rng = random.Random(seed)  # noqa: S311  sampling, not secrets
    rubric = Rubric.model_validate_json(json.dumps(_RUBRIC))
    names = [f"item-{number:06d}" for number in range(items)]
    keys = [TrialKey(name, model, epoch) for name in names for model in MODELS for epoch in range(1, epochs + 1)]
    trials = tuple(Trial(number, key, number) for number, key in enumerate(keys, start=1))
    return Snapshot(
        spec=_spec(rubric, epochs, seed),
        items=tuple(_item(name, number, rng) for number, name in enumerate(names)),
        sizes=(),
        trials=trials,
        attempts=tuple(_attempt(trial, rng) for trial in trials),
        rounds=(Round(1, rubric.sha256, graders, True, seed, "2026-11-22T00:00:00+00:00"),),
        grades=tuple(
            Grade(1, grader, trial.id, criterion, rng.choice((0, 1, 2, 2, 2)))
            for trial in trials
            for grader in graders
            for criterion in CRITERIA
        ),
    )


def rated(
    outputs: int, raters: int, criteria: int, seed: int = 1
) -> tuple[dict[str, dict[int, dict[str, int]]], tuple[TrialResult, ...], Rubric]:
    """Levels 1 to 5 by so many people on eleven models' outputs, somewhat alike; the trials, and the rubric."""
    rng, names = random.Random(seed), [f"c{n}" for n in range(criteria)]  # noqa: S311  sampling, not secrets
    scale = {str(level): "anchor" for level in range(1, 6)}
    content = {
        "name": "stories",
        "criteria": [{"id": name, "question": "?", "levels": scale} for name in names],
        "satisfactory": {"score": 0.5},
    }
    truth = [[rng.randint(1, 5) for _ in names] for _ in range(outputs)]
    levels = {
        f"rater {rater}": {
            trial: {name: min(5, max(1, t + rng.choice((-1, 0, 0, 1)))) for name, t in zip(names, row, strict=True)}
            for trial, row in enumerate(truth, start=1)
        }
        for rater in range(raters)
    }
    keys = [TrialKey(f"prompt-{n // 11}", f"system-{n % 11}", 1) for n in range(outputs)]
    results = (TrialResult(n, key, "answered", (), None, 0.0, False, 0) for n, key in enumerate(keys, start=1))
    return levels, tuple(results), Rubric.model_validate_json(json.dumps(content))


def _spec(rubric: Rubric, epochs: int, seed: int) -> Spec:
    return Spec(
        name="bench", dataset_sha256="d", rubric_sha256=rubric.sha256, prompt_sha256="p", models=MODELS, epochs=epochs,
        seed=seed, context_tokens=None, limit=None, endpoint="http://127.0.0.1", simulated=True, max_tokens=1024,
        rubric=rubric.content(), package_version="0", prices_version="0", created_at="2026-11-22T00:00:00+00:00",
    )  # fmt: skip


def _item(name: str, number: int, rng: random.Random) -> ItemRecord:
    difficulty = rng.choice(("easy", "medium", "hard"))
    return ItemRecord(name, number, "A task.", None, "- a fact", difficulty, (f"tag-{number % 7}",))


def _attempt(trial: Trial, rng: random.Random) -> Attempt:
    latency_s = rng.lognormvariate(1, 0.4)
    return Attempt(
        id=trial.id, trial_id=trial.id, grader=None, round_id=None, number=1, sent_at="2026-11-22T00:00:00+00:00",
        outcome="answered", final=True, text="An answer.", stop_reason="end_turn", served_model=trial.key.model,
        request_id="req", usage=Usage(input_tokens=1000, output_tokens=100), cost_usd=rng.uniform(0.01, 0.02),
        ttft_s=latency_s / 4, latency_s=latency_s, felt_s=latency_s * 1.1, queued_s=0.0, status=200, error_type=None,
        error_message=None, simulated=True,
    )  # fmt: skip
