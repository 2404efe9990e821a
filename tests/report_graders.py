"""Invented graders for the report tests: two people and a judge, with the errors that such have."""

import json
import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from report_fixtures import HAIKU, OPUS, RUBRIC, analysis, assemble, tables_of

from evalkit.analysis.against import against
from evalkit.analysis.agreements import agreements
from evalkit.analysis.reliability import judge_validity
from evalkit.analysis.results import Analysis, OutputResult
from evalkit.analysis.trials import TrialResult
from evalkit.analysis.warn import disagreement
from evalkit.grader_names import JUDGE
from evalkit.records import TrialKey
from evalkit.rubric import Rubric

ADA, BEN = "ada@example.com", "ben"
JUDGE_MODEL = "claude-sonnet-5-5"


def people_and_judge(items: int = 60) -> Analysis:
    """The judge graded everything; two people graded every other item, Ben strictly on tone."""
    return _graded(items, slips={ADA: 0.01, BEN: 0.02, JUDGE + JUDGE_MODEL: 0.04})


def people_at_odds() -> Analysis:
    """Two people who grade as if by lot: nothing should rest on such grades."""
    return _graded(slips={ADA: 0.5, BEN: 0.9}, judge=False)


def _graded(items: int = 60, *, slips: dict[str, float], judge: bool = True) -> Analysis:
    whole, rubric = analysis(items), Rubric.model_validate_json(json.dumps(RUBRIC))
    outputs = [(i, item.id, o) for i, item in enumerate(whole.outputs) for o in item.outputs if o.levels]
    levels = {
        grader: {o.trial_id: _levels(o, grader, slip) for i, _, o in outputs if grader.startswith(JUDGE) or i % 2 == 0}
        for grader, slip in slips.items()
    }
    trials = [
        TrialResult(o.trial_id, TrialKey(item, o.model, o.epoch), o.outcome, (), None, o.cost_usd, False, 0)
        for _, item, o in outputs
    ]
    agreement = agreements(levels, trials, rubric)
    people = {trial for grader, said in levels.items() if not grader.startswith(JUDGE) for trial in said}
    return replace(
        whole,
        outputs=tuple(
            replace(
                item,
                outputs=tuple(replace(o, decided_by="people") if o.trial_id in people else o for o in item.outputs),
            )
            for item in whole.outputs
        ),
        grading=replace(whole.grading, judges=whole.grading.judges if judge else (), people=(ADA, BEN)),
        agreement=agreement,
        judges=judge_validity(levels, trials, rubric, 7) if judge else (),
        warnings=tuple(filter(None, [disagreement(agreement)])),
    )


def _levels(output: OutputResult, grader: str, slip: float) -> dict[str, int]:
    rng = random.Random(f"{grader}/{output.trial_id}")  # noqa: S311  # invented data, not a secret
    levels = {name: rng.choice((1, 2, 3)) if rng.random() < slip else level for name, level in output.levels.items()}
    strict = grader == BEN and rng.random() < 0.4
    return levels | {"tone": max(levels["tone"] - strict, 1)}


def three_epochs() -> Analysis:
    """Every item three times under every model; one item is upside down: only the smallest model passes it."""
    whole = analysis(items=40, epochs=3)
    odd = whole.outputs[3]
    turned = replace(odd, outputs=tuple(replace(o, satisfied=o.model == HAIKU) for o in odd.outputs))
    return assemble((*whole.outputs[:3], turned, *whole.outputs[4:]), whole.spec.models)


def with_baseline() -> Analysis:
    """A run compared with an earlier one, in which the smallest model did worse and one model was another."""
    now, then = analysis(items=60), analysis(items=60, seed=48)
    tables, before = (tables_of(a.outputs, a.spec.models) for a in (now, then))
    haiku = before[HAIKU]
    even = np.array([int(haiku.items[place][-1]) % 2 == 0 for place in haiku.item])
    poor = replace(haiku, numbers={**haiku.numbers, "satisfied": haiku.numbers["satisfied"] * even})
    old = {"claude-opus-4-5-20251101" if m == OPUS else m: f for m, f in before.items()}
    return replace(now, against=against(tables, old | {HAIKU: poor}, now.spec.seed, now.correction.usd))


VARIANTS: dict[str, Callable[[], Analysis]] = {
    "people_and_judge": people_and_judge,
    "people_at_odds": people_at_odds,
    "three_epochs": three_epochs,
    "with_baseline": with_baseline,
}
