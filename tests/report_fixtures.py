"""Invented analyses for the report tests: a full run and the runs that go wrong."""

import hashlib
import itertools
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from evalkit.analysis.decide import decide
from evalkit.analysis.per_model import mean_score
from evalkit.analysis.results import (
    Analysis,
    Clock,
    Context,
    Counts,
    CriterionResult,
    Decision,
    Grading,
    ItemResult,
    ModelResult,
    OutputResult,
    Pair,
    Slice,
)
from evalkit.models import display_name, known
from evalkit.records import Outcome, Round, Spec
from evalkit.stats import (
    Estimate,
    cost_per_satisfactory,
    cost_ratio,
    holm,
    human_fix_cost,
    mcnemar_midp,
    mean_cost,
    paired_rates,
    quantile,
    rate,
)

HAIKU, SONNET, OPUS = "claude-haiku-4-5-20251001", "claude-sonnet-4-6", "claude-opus-4-6"
HOSTILE = (
    "<script>alert(1)</script></script><!-- ]]> {{7*7}} {% raw %}"
    "\u202egnp.exe\u202c zero\u200bwidth \x00 \x1b[31mred ![x](http://evil.example/a.png) "
    "<img src=http://evil.example/b.png onerror=alert(1)> | `code` @team #123\r\nend"
)
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
    items: int = 60, seed: int = 47, profiles: tuple[Profile, ...] = PROFILES, simulated: bool = False
) -> Analysis:
    """A finished, graded run with sensible numbers; the same arguments give the same analysis."""
    rng = random.Random(seed)
    outputs = tuple(_item(rng, i, profiles) for i in range(items))
    return assemble(outputs, tuple(p.model for p in profiles), simulated=simulated)


def _item(rng: random.Random, i: int, profiles: tuple[Profile, ...]) -> ItemResult:
    difficulty = ("easy", "medium", "hard")[min(i * 3 // 57, 2)] if i < 57 else "hard"
    luck, size = rng.random(), rng.lognormvariate(0, 0.45)
    subject = _SUBJECTS[i % len(_SUBJECTS)]
    outputs = tuple(_output(rng, i, k, p, difficulty, luck, size) for k, p in enumerate(profiles))
    return ItemResult(
        id=f"support-{i + 1:03d}",
        task=f"{subject}\n\nHello, I wrote on {1 + i % 28} March and nobody has answered. What happens now, and "
        "by when do I hear from you? I have kept the box and the receipt.\n\nThank you\nA customer",
        reference="- The return window is 30 days from delivery.\n- The refund is £49 and goes to the card.",
        difficulty=difficulty,
        tags=tuple(sorted(rng.sample(_TAGS, 1 + i % 2))),
        documents=("support-replies/ret-010-returns-2026.md", "support-replies/ret-000-precedence.md"),
        evidence_positions=(3, 17),
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
    comment = (
        "Gives the window of the superseded policy." if not satisfied else "States the window and the amount."
    )
    return OutputResult(
        trial_id=i * 3 + k + 1,
        model=profile.model,
        epoch=1,
        outcome=outcome,
        text="" if outcome in ("refused", "errored") else _reply(i, satisfied),
        satisfied=satisfied if graded else False,
        score=(2 * (levels["correct"] - 1) + levels["complete"] - 1 + levels["tone"] - 1) / 8
        if graded
        else None,
        levels=levels if graded else {},
        comments={"correct": comment} if graded else {},
        ungraded={},
        cost_usd=profile.usd * size * rng.lognormvariate(0, 0.15) * attempts,
        latency_s=profile.total_s * slow,
        ttft_s=profile.first_s * rng.lognormvariate(0, 0.4) if graded else None,
        attempts=attempts,
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
    spec = _spec(models, len(outputs), simulated)
    results = tuple(_model(outputs, model) for model in models)
    return Analysis(
        spec=spec,
        items=len(outputs),
        models=results,
        pairs=_pairs(outputs, models),
        slices=_slices(outputs, models),
        criteria=_criteria(outputs, models),
        decision=decide(results, 0.8),
        grading=Grading(
            round=Round(1, spec.rubric_sha256, ("claude-sonnet-5-5",), True, 7, "2026-11-22T10:31:00Z"),
            judges=("claude-sonnet-5-5",),
            judge_usd=1.84,
            judge_attempts=len(outputs) * 3,
            judge_failed_attempts=2,
            grades=len(outputs) * 9,
            ungraded={},
            identity_marks=1,
        ),
        outputs=outputs,
        warnings=("The judge is uncalibrated: no person has graded a sample of these outputs.",),
        review_usd=0.0,
        correction_usd=5.0,
        documents={"support-replies/ret-010-returns-2026.md": "# Returns\n" * 300},
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
    )


def _of(outputs: tuple[ItemResult, ...], model: str) -> list[OutputResult]:
    return [output for item in outputs for output in item.outputs if output.model == model]


def _model(items: tuple[ItemResult, ...], model: str) -> ModelResult:
    mine = _of(items, model)
    satisfied = [1.0 if o.satisfied else 0.0 for o in mine]
    costs = [o.cost_usd or 0.0 for o in mine]
    tally = {
        kind: sum(o.outcome == kind for o in mine) for kind in ("answered", "refused", "truncated", "errored")
    }
    known_model = known(model)
    return ModelResult(
        model=model,
        name=display_name(model),
        tier=known_model.tier if known_model else None,
        counts=Counts(
            planned=len(mine),
            pending=0,
            graded=tally["answered"],
            ungraded=0,
            satisfactory=int(sum(satisfied)),
            **tally,
        ),
        items=len(mine),
        satisfied_items=sum(satisfied),
        pass_rate=rate(int(sum(satisfied)), len(mine)),
        score=mean_score([o.score for o in mine if o.score is not None]),
        cost_per_request=mean_cost(costs),
        cost_per_satisfactory=cost_per_satisfactory(costs, satisfied),
        human_fix=human_fix_cost(costs, satisfied, 5.0, 0.0),
        clocks=_clocks(mine),
        spend_usd=sum(costs),
        attempts=sum(o.attempts for o in mine),
        failed_attempts=sum(o.attempts - 1 for o in mine),
        lost_attempts=0,
        unpriced_attempts=0,
        unknown_cost_attempts=0,
        input_tokens=10_240 * len(mine),
        output_tokens=212 * len(mine),
        identity_marks=0,
        context=Context(9_310, 10_180, 11_020, True),
        served_models=(model,),
    )


def _clocks(outputs: list[OutputResult]) -> dict[str, Clock]:
    readings = {
        "ttft": [o.ttft_s for o in outputs if o.ttft_s is not None],
        "total": [o.latency_s for o in outputs if o.latency_s is not None],
        "felt": [o.latency_s * (1 + 0.8 * (o.attempts - 1)) for o in outputs if o.latency_s is not None],
    }
    levels = {"p50": 0.5, "p90": 0.9, "p95": 0.95}
    return {
        name: Clock({label: quantile(values, q) for label, q in levels.items()}, tuple(sorted(values)))
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
        shown = difference.low is not None and difference.low > 0
        point = (sum(cost_b) - sum(cost_a)) / (sum(sat_b) - sum(sat_a)) if shown else None
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
                break_even_usd=point,
            )
        )
    adjusted = holm([pair.p_value or 0.0 for pair in drafts]) if drafts else []
    return tuple(replace(pair, p_holm=p) for pair, p in zip(drafts, adjusted, strict=True))


def _slices(items: tuple[ItemResult, ...], models: tuple[str, ...]) -> tuple[Slice, ...]:
    parts: list[tuple[str, str, list[ItemResult]]] = []
    for name in ("easy", "medium", "hard"):
        parts.append(("difficulty", name, [item for item in items if item.difficulty == name]))
    for tag in _TAGS:
        parts.append(("tag", tag, [item for item in items if tag in item.tags]))
    return tuple(
        Slice(
            kind=kind,
            name=name,
            items=len(members),
            pass_rate={
                m: rate(sum(bool(o.satisfied) for o in _of(tuple(members), m)), len(members)) for m in models
            },
        )
        for kind, name, members in parts
        if members
    )


def _criteria(items: tuple[ItemResult, ...], models: tuple[str, ...]) -> tuple[CriterionResult, ...]:
    found = []
    for name, critical in (("correct", 2), ("complete", None), ("tone", None)):
        scores = {
            m: mean_score([(o.levels[name] - 1) / 2 for o in _of(items, m) if name in o.levels]) for m in models
        }
        question = {
            "correct": "States the right decision",
            "complete": "Answers everything",
            "tone": "Calm and polite",
        }
        found.append(CriterionResult(name, question[name], "judged", critical, scores))
    return tuple(found)


def _nothing(reason: str) -> Estimate:
    return Estimate(None, None, None, 0.95, 0, "none", reason=reason)


def nothing_graded() -> Analysis:
    """All outputs exist, no grade does."""
    whole = analysis()
    blank = tuple(_ungrade(item) for item in whole.outputs)
    models = tuple(
        replace(
            m,
            counts=replace(m.counts, graded=0, ungraded=m.counts.answered, satisfactory=0),
            satisfied_items=0.0,
            pass_rate=_nothing("no output is graded yet"),
            score=_nothing("no output is graded yet"),
            cost_per_satisfactory=_nothing("no output is graded yet"),
            human_fix=_nothing("no output is graded yet"),
        )
        for m in whole.models
    )
    return replace(
        whole,
        outputs=blank,
        models=models,
        pairs=(),
        slices=(),
        criteria=(),
        decision=decide(models, 0.8),
        grading=Grading(None, (), None, 0, 0, 0, {"not graded": 540}, 0),
        warnings=("No output is graded: run the grading step before reading anything into this report.",),
    )


def _ungrade(item: ItemResult) -> ItemResult:
    return _each(
        item,
        lambda o: replace(
            o, satisfied=None, score=None, levels={}, comments={}, ungraded={"correct": "not graded"}
        ),
    )


def _each(item: ItemResult, change: Callable[[OutputResult], OutputResult]) -> ItemResult:
    return replace(item, outputs=tuple(change(output) for output in item.outputs))


def one_model_failed() -> Analysis:
    """Every request to the smallest model failed; the others are as usual."""
    whole = analysis()

    def break_haiku(output: OutputResult) -> OutputResult:
        if output.model != HAIKU:
            return output
        return replace(
            output, outcome="errored", text="", satisfied=False, score=None, levels={}, comments={}, ttft_s=None,
            error="not_found_error: no such model (404)", attempts=3,
        )  # fmt: skip

    outputs = tuple(_each(item, break_haiku) for item in whole.outputs)
    return assemble(outputs, whole.spec.models)


def unpriced() -> Analysis:
    """No price is known for the largest model."""
    whole = analysis()
    reason = "60 attempts have no known price"
    money = _nothing(reason)

    def blank(model: ModelResult) -> ModelResult:
        if model.model != OPUS:
            return model
        return replace(
            model, cost_per_request=money, cost_per_satisfactory=money, human_fix=money, spend_usd=None,
            unpriced_attempts=60,
        )  # fmt: skip

    pairs = tuple(
        replace(p, cost_ratio=money, break_even_usd=None) if OPUS in (p.a, p.b) else p for p in whole.pairs
    )
    outputs = tuple(
        _each(item, lambda o: replace(o, cost_usd=None) if o.model == OPUS else o) for item in whole.outputs
    )
    models = tuple(blank(m) for m in whole.models)
    return replace(whole, models=models, pairs=pairs, outputs=outputs, decision=decide(models, 0.8))


def one_item() -> Analysis:
    """A single item: almost nothing can be said."""
    return analysis(items=1)


def no_option() -> Analysis:
    """Every model is short of the bar."""
    weak = tuple(replace(p, ease={k: v * 0.6 for k, v in p.ease.items()}) for p in PROFILES)
    return analysis(profiles=weak)


def tie() -> Analysis:
    """Two models that clear the bar and cost about the same."""
    twin = replace(PROFILES[1], usd=PROFILES[0].usd)
    return analysis(profiles=(PROFILES[0], twin))


def hostile() -> Analysis:
    """Outputs, tasks, names and comments that try to break out of the page."""
    whole = analysis(items=12)

    def poison(output: OutputResult) -> OutputResult:
        long = "A" * 1_000_000 if output.trial_id == 1 else ""
        return replace(output, text=HOSTILE + long, comments={"correct": HOSTILE}, error=HOSTILE)

    outputs = tuple(
        replace(
            _each(item, poison), id=f"{item.id}<b>{HOSTILE}", task=HOSTILE, reference=HOSTILE, tags=(HOSTILE,)
        )
        for item in whole.outputs
    )
    models = tuple(replace(m, name=f"{m.name}<i>|`x`") for m in whole.models)
    return replace(
        whole,
        outputs=outputs,
        models=models,
        warnings=(HOSTILE,),
        spec=replace(whole.spec, name="<b>run|`x`</b>"),
        slices=tuple(replace(s, name=HOSTILE) for s in whole.slices[:2]),
    )


def empty() -> Analysis:
    """A run without items, models or grades."""
    whole = analysis()
    return replace(
        whole,
        spec=replace(whole.spec, models=()),
        items=0,
        models=(),
        pairs=(),
        slices=(),
        criteria=(),
        decision=Decision("not_enough_data", None, 0.8, (), {}),
        grading=Grading(None, (), None, 0, 0, 0, {}, 0),
        outputs=(),
        warnings=(),
        documents={},
    )


def empty_with_models() -> Analysis:
    """A run that was planned and never started."""
    return assemble_empty(analysis())


def assemble_empty(whole: Analysis) -> Analysis:
    """The models of a run with every trial pending."""
    none = _nothing("no trial has ended")
    counts = Counts(60, 0, 0, 0, 0, 60, 0, 0, 0)
    models = tuple(
        replace(
            m,
            counts=counts,
            items=0,
            satisfied_items=0.0,
            pass_rate=none,
            score=none,
            cost_per_request=none,
            cost_per_satisfactory=none,
            human_fix=none,
            clocks={},
            spend_usd=0.0,
            attempts=0,
            failed_attempts=0,
            input_tokens=None,
            output_tokens=None,
            context=None,
            served_models=(),
        )  # fmt: skip
        for m in whole.models
    )
    pending = tuple(
        _each(
            item,
            lambda o: replace(
                o,
                outcome=None,
                text="",
                satisfied=None,
                score=None,
                levels={},
                comments={},
                cost_usd=None,
                latency_s=None,
                ttft_s=None,
                attempts=0,
                error=None,
            ),  # fmt: skip
        )
        for item in whole.outputs
    )
    return replace(
        whole, models=models, pairs=(), slices=(), criteria=(), decision=decide(models, 0.8), outputs=pending, warnings=(),
        grading=Grading(None, (), None, 0, 0, 0, {}, 0),
    )  # fmt: skip


VARIANTS: Mapping[str, Callable[[], Analysis]] = {
    "whole": analysis,
    "nothing_graded": nothing_graded,
    "one_model_failed": one_model_failed,
    "unpriced": unpriced,
    "one_item": one_item,
    "no_option": no_option,
    "tie": tie,
    "hostile": hostile,
    "empty": empty,
    "empty_with_models": empty_with_models,
    "simulated": lambda: analysis(simulated=True),
}
