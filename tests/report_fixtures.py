"""An invented analysis for the report tests: its figures follow from invented outputs."""

import hashlib
import itertools
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from evalkit.analysis.columns import OUTCOMES, Columns
from evalkit.analysis.compare import adjusted
from evalkit.analysis.compare import pairs as pairs_of_tables
from evalkit.analysis.corrections import stated
from evalkit.analysis.decide import decide
from evalkit.analysis.graded_by import HowAsked
from evalkit.analysis.pair_results import Pair
from evalkit.analysis.per_model import cost_per_satisfactory as price_of
from evalkit.analysis.per_model import counted, mean_score, means, rate_of
from evalkit.analysis.per_model import slices as slices_of_tables
from evalkit.analysis.repeats import retries
from evalkit.analysis.results import (
    Analysis,
    Clock,
    Context,
    Counts,
    CriterionResult,
    Grading,
    ItemResult,
    ModelResult,
    OutputResult,
)
from evalkit.analysis.robust import item_quality, stability
from evalkit.analysis.signals import find_signals
from evalkit.models import display_name, known
from evalkit.rates import Rates
from evalkit.records import Outcome, Round, Spec
from evalkit.rubric import Economics
from evalkit.stats import (
    cost_per_satisfactory,
    cost_ratio,
    human_fix_cost,
    mcnemar_midp,
    mean_cost,
    paired_means,
    paired_rates,
    quantile,
    rate,
    with_failures,
)
from evalkit.stats.cost import break_even
from evalkit.stats.estimate import no_estimate
from evalkit.stats.power import items_to_clear

RATES = {
    "claude-opus-4-6": (Rates(5.0, 25.0, 0.5, 6.25, 10.0, 0.5),),
    "claude-sonnet-4-6": (Rates(3.0, 15.0, 0.3, 3.75, 6.0, 0.5),),
    "claude-haiku-4-5-20251001": (Rates(1.0, 5.0, 0.1, 1.25, 2.0, 0.5),),
}
HAIKU, SONNET, OPUS = "claude-haiku-4-5-20251001", "claude-sonnet-4-6", "claude-opus-4-6"
HOSTILE = (
    "<script>alert(1)</script></script><!-- ]]> {{7*7}} {% raw %}"
    "\u202egnp.exe\u202c zero\u200bwidth \x00 \x1b[31mred ![x](http://evil.example/a.png) "
    "<img src=http://evil.example/b.png onerror=alert(1)> | `code` @team #123\r\nend"
)
CORRECTION = stated(Economics())
RUBRIC: Mapping[str, object] = {
    "name": "support-replies",
    "criteria": [
        {
            "id": "correct",
            "question": "Does the reply state the right decision, amounts and dates?",
            "weight": 2.0,
            "critical": 2,
            "levels": {"1": "Wrong decision.", "2": "Right decision, a detail is off.", "3": "All right."},
        },
        {
            "id": "complete",
            "question": "Does it answer everything the customer asked?",
            "levels": {"1": "Misses a question.", "2": "Touches on all.", "3": "Answers all."},
        },
        {
            "id": "tone",
            "question": "Is it calm, polite and free of filler?",
            "levels": {"1": "Off.", "2": "Fine.", "3": "Just right."},
        },
    ],
    "satisfactory": {"score": 0.7},
    "economics": {"correction_minutes": 5.0, "hourly_rate_usd": 60.0},
    "decision": {"bar": 0.8},
}
_SUBJECTS = (
    "A steam valve that hisses after descaling",
    "Refund for a kettle returned on day 31",
    "Bean Club parcel lost on the way to Orkney",
    "Care+ after a move to Ireland",
    "Trade invoice without a VAT number",
    "Promotion code refused at the checkout",
    "Filter Plan paused and charged all the same",
    "A recall notice for the wrong serial number",
)
_TAGS = ("refunds", "delivery", "warranty", "subscriptions", "trade", "billing", "precedence", "multi-question")


@dataclass(frozen=True)
class Profile:
    """How an invented model behaves: satisfaction by difficulty, price and speed."""

    model: str
    ease: Mapping[str, float]
    usd: float
    first_s: float
    total_s: float


PROFILES = (
    Profile(OPUS, {"easy": 0.99, "medium": 0.95, "hard": 0.85}, 0.0610, 1.6, 8.4),
    Profile(SONNET, {"easy": 0.99, "medium": 0.94, "hard": 0.78}, 0.0372, 1.1, 5.7),
    Profile(HAIKU, {"easy": 0.93, "medium": 0.70, "hard": 0.32}, 0.0118, 0.6, 2.2),
)


def analysis(
    items: int = 60,
    seed: int = 47,
    profiles: tuple[Profile, ...] = PROFILES,
    simulated: bool = False,
    epochs: int = 1,
) -> Analysis:
    """A finished, graded run with sensible numbers; the same arguments give the same analysis."""
    rng = random.Random(seed)  # noqa: S311  # invented data, not a secret
    outputs = tuple(_item(rng, i, profiles, epochs) for i in range(items))
    return assemble(outputs, tuple(p.model for p in profiles), simulated=simulated)


def _item(rng: random.Random, i: int, profiles: tuple[Profile, ...], epochs: int) -> ItemResult:
    difficulty = ("easy", "medium", "hard")[min(i * 3 // 57, 2)] if i < 57 else "hard"
    luck, size = rng.random(), rng.lognormvariate(0, 0.45)
    subject = _SUBJECTS[i % len(_SUBJECTS)]
    outputs = tuple(
        replace(_output(rng, i * epochs + epoch, k, p, difficulty, luck, size), epoch=epoch + 1)
        for k, p in enumerate(profiles)
        for epoch in range(epochs)
    )
    return ItemResult(
        id=f"support-{i + 1:03d}",
        task=f"{subject}\n\nHello, I wrote on {1 + i % 28} March and nobody has answered. What happens now, and "
        "by when do I hear from you? I have kept the box and the receipt.\n\nThank you\nA customer",
        reference="- The return window is 30 days from delivery.\n- The refund is £49 and goes to the card.",
        difficulty=difficulty,
        tags=tuple(sorted(rng.sample(_TAGS, 1 + i % 2))),
        documents=("support-replies/ret-010-returns-2026.md", "support-replies/ret-000-precedence.md"),
        evidence_positions=(0, 1),
        outputs=outputs,
    )


def _output(
    rng: random.Random, i: int, k: int, profile: Profile, difficulty: str, luck: float, size: float
) -> OutputResult:
    draw = 0.6 * luck + 0.4 * rng.random()
    satisfied = draw < profile.ease[difficulty] * 0.97
    outcome: Outcome = "answered"
    if difficulty == "hard" and not satisfied and rng.random() < 0.18:
        outcome = rng.choice(("truncated", "refused", "errored"))
    attempts = 2 if rng.random() < 0.05 else 1
    slow = rng.lognormvariate(0, 0.33) * (4.0 if rng.random() < 0.02 else 1.0)
    levels = {
        "correct": 3 if satisfied else 1,
        "complete": 3 if satisfied else rng.choice((1, 2)),
        "tone": 3 - i % 2,
    }
    graded = outcome == "answered"
    comment = "Gives the window of the superseded policy." if not satisfied else "States the window and the amount."
    return OutputResult(
        trial_id=i * 3 + k + 1,
        model=profile.model,
        epoch=1,
        outcome=outcome,
        text="" if outcome in ("refused", "errored") else _reply(i, satisfied),
        satisfied=satisfied if graded else False,
        decided_by="judge" if graded else "check",
        score=(2 * (levels["correct"] - 1) + levels["complete"] - 1 + levels["tone"] - 1) / 8 if graded else None,
        levels=levels if graded else {},
        comments={"correct": comment} if graded else {},
        ungraded={},
        cost_usd=profile.usd * size * rng.lognormvariate(0, 0.15) * attempts,
        latency_s=profile.total_s * slow,
        ttft_s=profile.first_s * rng.lognormvariate(0, 0.4) if graded else None,
        attempts=attempts,
        input_tokens=round(10_400 * size),
        output_tokens=120 + i % 80,
        error="overloaded_error: the service is busy (529)" if outcome == "errored" else None,
    )


def _reply(i: int, satisfied: bool) -> str:
    days = 30 if satisfied else 14
    return (
        "Dear customer,\n\nthank you for your patience. You can return the item within "
        f"{days} days of delivery; yours arrived on {1 + i % 28} March, so you are in time. We refund £49 to the "
        "card you paid with within five working days of receiving the parcel.\n\n"
        "Please use the prepaid label attached to this message and keep the posting receipt.\n\n"
        "Kind regards\nQuillmere Care"
    )


def assemble(outputs: tuple[ItemResult, ...], models: tuple[str, ...], *, simulated: bool = False) -> Analysis:
    """An analysis whose figures follow from the outputs."""
    spec = replace(_spec(models, len(outputs), simulated), epochs=max(_epochs(outputs), 1))
    tables, ids = tables_of(outputs, models), [item.id for item in outputs]
    results = tuple(_model(outputs, model, tables[model]) for model in models)
    repeated = spec.epochs > 1
    parts = slices_of_tables(tables, _parts(outputs), CORRECTION, 0.0)
    made = Analysis(
        spec=spec,
        items=len(outputs),
        models=results,
        pairs=_pairs(outputs, models) if not repeated else pairs_of_tables(tables, spec.seed, CORRECTION.usd),
        slices=parts if repeated else tuple(replace(part, counts={}) for part in parts),
        criteria=_criteria(outputs, models),
        decision=decide(results, 0.8),
        grading=Grading(
            round=Round(1, spec.rubric_sha256, ("claude-sonnet-5-5",), True, 7, "2026-11-22T10:31:00Z"),
            judges=("claude-sonnet-5-5",),
            judge_usd=1.84,
            round_usd=1.84,
            judge_attempts=len(outputs) * 3,
            judge_failed_attempts=2,
            grades=len(outputs) * 9,
            ungraded={},
            identity_marks=1,
            judged=(HowAsked(("claude-sonnet-5-5",)),),
        ),
        outputs=outputs,
        warnings=("The judge is uncalibrated: no person has graded a sample of these outputs.",),
        review_usd=0.0,
        correction=CORRECTION,
        documents={"support-replies/ret-010-returns-2026.md": "# Returns\n" * 300},
        stability=stability(tables, 0.8, spec.seed),
        item_quality=item_quality(tables, ids),
    )
    return replace(made, signals=find_signals(made))


def _epochs(outputs: tuple[ItemResult, ...]) -> int:
    return max((output.epoch for item in outputs for output in item.outputs), default=1)


def _parts(outputs: tuple[ItemResult, ...]) -> dict[tuple[str, str], frozenset[str]]:
    found = {
        ("difficulty", name): frozenset(item.id for item in outputs if item.difficulty == name)
        for name in ("easy", "medium", "hard")
    }
    found |= {("tag", tag): frozenset(item.id for item in outputs if tag in item.tags) for tag in _TAGS}
    return {part: ids for part, ids in found.items() if ids}


def tables_of(outputs: tuple[ItemResult, ...], models: tuple[str, ...]) -> dict[str, Columns]:
    """Each model's outputs as the columns that the analysis computes from."""
    items = sorted(outputs, key=lambda item: item.id)
    return {
        model: _table([(item.id, o) for item in items for o in item.outputs if o.model == model]) for model in models
    }


def _table(rows: list[tuple[str, OutputResult]]) -> Columns:
    items = list(dict.fromkeys(name for name, _ in rows))
    numbers = {
        name: np.array([getattr(o, name) for _, o in rows], dtype=np.float64)
        for name in ("satisfied", "score", "cost_usd", "latency_s")
    }
    numbers["at_worst"] = numbers["satisfied"]  # nothing is left to try
    return Columns(
        tuple(items),
        np.array([items.index(name) for name, _ in rows], dtype=np.int64),
        np.array([o.epoch for _, o in rows], dtype=np.int64),
        np.array([-1 if o.outcome is None else OUTCOMES.index(o.outcome) for _, o in rows], dtype=np.int64),
        numbers,
    )


def _spec(models: tuple[str, ...], items: int, simulated: bool) -> Spec:
    return Spec(
        name="support-replies",
        dataset_sha256=hashlib.sha256(b"dataset").hexdigest(),
        rubric_sha256=hashlib.sha256(b"rubric").hexdigest(),
        prompt_sha256=hashlib.sha256(b"prompt").hexdigest(),
        models=models,
        epochs=1,
        seed=7,
        context_tokens=10_000,
        limit=None,
        endpoint="http://127.0.0.1:8021" if simulated else "https://api.anthropic.com",
        simulated=simulated,
        max_tokens=1024,
        rubric=RUBRIC,
        package_version="0.1.0",
        prices_version="0.2.3 (2026-11-20)",
        created_at="2026-11-22T10:02:11Z",
        rates={model: RATES.get(model, ()) for model in models},
    )


def _of(outputs: tuple[ItemResult, ...], model: str) -> list[OutputResult]:
    return [output for item in outputs for output in item.outputs if output.model == model]


def _model(items: tuple[ItemResult, ...], model: str, table: Columns) -> ModelResult:
    mine, trials = _of(items, model), counted(table)
    satisfied = [1.0 if o.satisfied else 0.0 for o in mine]
    costs = [o.cost_usd or 0.0 for o in mine]
    tally = {kind: sum(o.outcome == kind for o in mine) for kind in ("answered", "refused", "truncated", "errored")}
    known_model = known(model)
    repeated = trials.repeated
    passed = rate_of(trials) if repeated else rate(int(sum(satisfied)), len(mine))
    if repeated:
        costs, shares = means(trials.costs or ()), means(trials.satisfied)
    else:
        shares = satisfied
    failed = sum(o.attempts - 1 for o in mine)
    return ModelResult(
        model=model,
        name=display_name(model),
        tier=known_model.tier if known_model else None,
        counts=Counts(
            planned=len(mine),
            pending=0,
            graded=tally["answered"],
            ungraded=0,
            decided=len(mine),
            satisfactory=int(sum(satisfied)),
            **tally,
        ),
        items=len(items),
        satisfied_items=sum(shares),
        pass_rate=passed,
        items_to_clear=None if passed.value is None else items_to_clear(passed.value, 0.8),
        score=mean_score([o.score for o in mine if o.score is not None]),
        cost_per_request=mean_cost(costs),
        cost_per_satisfactory=price_of(trials) if repeated else cost_per_satisfactory(costs, satisfied),
        human_fix=human_fix_cost(costs, shares, 5.0, 0.0),
        clocks=_clocks(mine),
        spend_usd=sum(o.cost_usd or 0.0 for o in mine),
        attempts=sum(o.attempts for o in mine),
        failed_attempts=failed,
        lost_attempts=0,
        unpriced_attempts=0,
        unknown_cost_attempts=0,
        input_tokens=10_240 * len(mine),
        output_tokens=212 * len(mine),
        identity_marks=0,
        context=Context(9_310, 10_180, 11_020, True),
        served_models=(model,),
        failures=_kinds(failed),
        retries=retries(trials.satisfied, trials.costs),
    )


def _kinds(failed: int) -> dict[str, int]:
    """Most failed attempts met a busy server, the rest a limit."""
    limited = failed // 3
    return {kind: n for kind, n in (("overloaded_error", failed - limited), ("rate_limit_error", limited)) if n}


def _clocks(trials: list[OutputResult]) -> dict[str, Clock]:
    outputs = [o for o in trials if o.outcome == "answered"]
    readings = {
        "ttft": [o.ttft_s for o in outputs if o.ttft_s is not None],
        "inter_token": [max(o.latency_s - o.ttft_s, 0.0) / 211 for o in outputs if None not in (o.latency_s, o.ttft_s)],
        "total": [o.latency_s for o in outputs if o.latency_s is not None],
        "felt": [o.latency_s * (1 + 0.8 * (o.attempts - 1)) for o in outputs if o.latency_s is not None],
    }
    levels, untimed = {"p50": 0.5, "p90": 0.9, "p95": 0.95}, no_estimate("no answer was timed", 0.95, "none")
    return {
        name: Clock(
            {label: quantile(values, q) if values else untimed for label, q in levels.items()}, tuple(sorted(values))
        )
        for name, values in readings.items()
    }


def _pairs(items: tuple[ItemResult, ...], models: tuple[str, ...]) -> tuple[Pair, ...]:
    """Pairs run from the smaller model (a) to the larger (b): the line-up lists the larger first."""
    drafts = []
    for b, a in itertools.combinations(models, 2):
        of_a, of_b = _of(items, a), _of(items, b)
        sat_a, sat_b = ([1.0 if o.satisfied else 0.0 for o in side] for side in (of_a, of_b))
        cost_a, cost_b = ([o.cost_usd or 0.0 for o in side] for side in (of_a, of_b))
        gain = sum(x > y for x, y in zip(sat_b, sat_a, strict=True))
        loss = sum(x < y for x, y in zip(sat_b, sat_a, strict=True))
        difference = paired_rates(gain, loss, len(of_a))
        extra = paired_means(cost_b, cost_a)
        drafts.append(
            Pair(
                a=a,
                b=b,
                items=len(of_a),
                gain=gain,
                loss=loss,
                difference=difference,
                p_value=mcnemar_midp(gain, loss),
                p_holm=None,
                cost_ratio=cost_ratio(cost_b, sat_b, cost_a, sat_a),
                extra_cost=extra,
                break_even=break_even(extra, difference),
                saving=with_failures(paired_means(cost_a, cost_b), difference, CORRECTION.usd),
                items_to_separate=None,
                cost_p_holm=None,
                worth=1.0,
            )
        )
    return adjusted(drafts)


def _criteria(items: tuple[ItemResult, ...], models: tuple[str, ...]) -> tuple[CriterionResult, ...]:
    found = []
    for name, critical in (("correct", 2), ("complete", None), ("tone", None)):
        scores = {m: mean_score([(o.levels[name] - 1) / 2 for o in _of(items, m) if name in o.levels]) for m in models}
        question = {
            "correct": "States the right decision",
            "complete": "Answers everything",
            "tone": "Calm and polite",
        }
        found.append(CriterionResult(name, question[name], "judged", critical, scores))
    return tuple(found)
