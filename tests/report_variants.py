"""Invented runs that go wrong, or try to: every case that the report must handle."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from analysis_builders import HAIKU as SMALL
from analysis_builders import OPUS as LARGE
from analysis_builders import run_of
from report_fixtures import HAIKU, HOSTILE, OPUS, PROFILES, analysis, assemble, tables_of
from report_graders import VARIANTS as GRADED
from report_graders import people_and_judge, with_baseline
from sweep_builders import three_sizes

from evalkit.analysis import analyze
from evalkit.analysis.decide import decide
from evalkit.analysis.results import (
    Analysis,
    Counts,
    Decision,
    Grading,
    ItemResult,
    ModelResult,
    OutputResult,
    Stability,
)
from evalkit.analysis.robust import item_quality
from evalkit.analysis.robust_results import Items as ItemQuality
from evalkit.conditional import condition
from evalkit.route import with_routing
from evalkit.stats import (
    Estimate,
)


def _nothing(reason: str) -> Estimate:
    return Estimate(None, None, None, 0.95, 0, "none", reason=reason)


_NO_QUALITY = ItemQuality(None, None, None, (), (), (), ())


def _no_stability(analysis: Analysis) -> Stability:
    return Stability(dict.fromkeys(analysis.spec.models), None, 0, 0)


def nothing_graded() -> Analysis:
    """All outputs exist, no grade does."""
    whole = analysis()
    blank = tuple(_ungrade(item) for item in whole.outputs)
    models = tuple(
        replace(
            m,
            counts=replace(m.counts, graded=0, ungraded=m.counts.answered, decided=0, satisfactory=0),
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
        stability=_no_stability(whole),
        item_quality=_NO_QUALITY,
        warnings=("No output is graded: run the grading step before reading anything into this report.",),
    )


def _ungrade(item: ItemResult) -> ItemResult:
    return _each(
        item,
        lambda o: replace(o, satisfied=None, score=None, levels={}, comments={}, ungraded={"correct": "not graded"}),
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
            output,
            outcome="errored",
            text="",
            satisfied=False,
            score=None,
            levels={},
            comments={},
            ttft_s=None,
            error="not_found_error: no such model (404)",
            attempts=3,
        )

    outputs = tuple(_each(item, break_haiku) for item in whole.outputs)
    return assemble(outputs, whole.spec.models)


def all_refused() -> Analysis:
    """Every request was refused by every model."""
    whole = analysis()

    def refuse(output: OutputResult) -> OutputResult:
        return replace(
            output, outcome="refused", text="", satisfied=False, score=None, levels={}, comments={}, error=None
        )

    return assemble(tuple(_each(item, refuse) for item in whole.outputs), whole.spec.models)


def unpriced() -> Analysis:
    """No price is known for the largest model."""
    whole = analysis()
    reason = "60 attempts have no known price"
    money = _nothing(reason)

    def blank(model: ModelResult) -> ModelResult:
        if model.model != OPUS:
            return model
        return replace(
            model,
            cost_per_request=money,
            cost_per_satisfactory=money,
            human_fix=money,
            spend_usd=None,
            unpriced_attempts=60,
        )

    pairs = tuple(
        replace(p, cost_ratio=money, extra_cost=money, break_even=money, saving=money) if OPUS in (p.a, p.b) else p
        for p in whole.pairs
    )
    outputs = tuple(
        _each(item, lambda o: replace(o, cost_usd=None) if o.model == OPUS else o) for item in whole.outputs
    )
    models = tuple(blank(m) for m in whole.models)
    return replace(
        whole,
        models=models,
        pairs=pairs,
        outputs=outputs,
        decision=decide(models, 0.8),
        stability=_no_stability(whole),
    )


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


def hostile(longest: int = 1_000_000) -> Analysis:
    """Outputs, tasks, names and comments that try to break out of the page; one output has so long a word."""
    whole = analysis(items=12)

    def poison(output: OutputResult) -> OutputResult:
        long = "A" * longest if output.trial_id == 1 else ""
        return replace(output, text=HOSTILE + long, comments={"correct": HOSTILE}, error=HOSTILE)

    outputs = tuple(
        replace(_each(item, poison), id=f"{item.id}<b>{HOSTILE}", task=HOSTILE, reference=HOSTILE, tags=(HOSTILE,))
        for item in whole.outputs
    )
    models = tuple(
        replace(m, name=f"{m.name}<i>|`x`", failures={HOSTILE: 2, "<b>rate_limit_error": 1}) for m in whole.models
    )
    tables, ids = tables_of(outputs, whole.spec.models), [item.id for item in outputs]
    quality = item_quality(tables, ids)
    graded, compared = people_and_judge(), with_baseline()
    return replace(
        whole,
        outputs=outputs,
        models=models,
        item_quality=replace(quality, doubtful_ids=tuple(ids[:3]), warnings=(HOSTILE,)),
        agreement=tuple(
            replace(
                a,
                criterion=a.criterion if a.criterion == "satisfactory" else HOSTILE,
                graders=tuple(HOSTILE + g for g in a.graders),
                severity={HOSTILE + g: e for g, e in a.severity.items()},
                deviating=dict.fromkeys([HOSTILE + a.graders[0]], HOSTILE),
            )
            for a in graded.agreement
        ),
        judges=tuple(replace(j, judge=HOSTILE) for j in graded.judges),
        against=tuple(replace(p, a=HOSTILE) for p in compared.against),
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
        stability=Stability({}, None, 0, 0),
        item_quality=_NO_QUALITY,
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
    counts = Counts(60, 0, 0, 0, 0, 60, 0, 0, 0, 0)
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
        )
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
            ),
        )
        for item in whole.outputs
    )
    return replace(
        whole,
        models=models,
        pairs=(),
        slices=(),
        criteria=(),
        decision=decide(models, 0.8),
        outputs=pending,
        stability=_no_stability(whole),
        item_quality=_NO_QUALITY,
        warnings=(),
        grading=Grading(None, (), None, 0, 0, 0, {}, 0),
    )


def conditional() -> Analysis:
    """A larger model on the items that a smaller one failed."""
    made = run_of({LARGE: [[i % 3 > 0] for i in range(12)]})
    return analyze(replace(made, spec=replace(made.spec, condition=condition(SMALL, "5" * 64, 12, 40))))


VARIANTS: Mapping[str, Callable[[], Analysis]] = {
    "whole": analysis,
    "nothing_graded": nothing_graded,
    "one_model_failed": one_model_failed,
    "all_refused": all_refused,
    "unpriced": unpriced,
    "one_item": one_item,
    "no_option": no_option,
    "tie": tie,
    "hostile": hostile,
    "empty": empty,
    "empty_with_models": empty_with_models,
    "simulated": lambda: analysis(simulated=True),
    "graded_by_sandbox": lambda: replace(analysis(), simulated_grades=True),
    "sweep": lambda: analyze(three_sizes()),
    "conditional": conditional,
    "routed": lambda: with_routing(analysis()),
    **GRADED,
}
