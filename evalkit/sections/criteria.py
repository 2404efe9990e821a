"""Criteria: which question of the rubric costs which model its points."""

from math import isclose

from evalkit.analysis.results import Analysis, CriterionResult
from evalkit.blocks import (
    Section,
    words,
)
from evalkit.chart_blocks import (
    Axis,
    Forest,
    ForestRow,
    Mark,
)
from evalkit.series import lineup
from evalkit.wording import allowed_for, plural

ORDER = 55


def build(analysis: Analysis) -> Section | None:
    """None while no criterion has a grade."""
    criteria = [c for c in analysis.criteria if any(e.value is not None for e in c.score.values())]
    if not criteria:
        return None
    heading = _heading(analysis, criteria)
    series = lineup(analysis)
    rows = tuple(
        ForestRow(c.id, tuple(Mark(s, c.score[s.key]) for s in series if s.key in c.score), _note(c)) for c in criteria
    )
    return Section(
        name="criteria",
        label="Criteria",
        heading=heading,
        lede=words(
            "Mean score of the graded outputs on each criterion, from 0 (lowest level) to 1 (highest). Outputs that do "
            "not exist have no score here; they count in the pass rate. A gap is named where paired tests of all "
            "criteria and models, adjusted by Holm, show one."
        ),
        blocks=(Forest(heading, Axis("mean score", "score", 0.0, 1.0), rows),),
    )


def _note(criterion: CriterionResult) -> str:
    kind = "" if criterion.kind == "judged" else "check"
    floor = "" if criterion.critical is None else f"floor {criterion.critical}"
    return ", ".join(part for part in (kind, floor) if part)


_SHOWN_P = 0.05


def _heading(analysis: Analysis, criteria: list[CriterionResult]) -> str:
    """The largest gap that paired tests show, else the criterion with the lowest estimate."""
    shown = {criterion.id: criterion for criterion in criteria}
    gaps = [gap for gap in analysis.criterion_gaps if gap.criterion in shown and gap.p_holm < _SHOWN_P]
    if not gaps:
        return _without_a_gap(analysis, criteria)
    most = max(gaps, key=lambda gap: (gap.difference, gap.criterion, gap.worse, gap.better))
    worse, best = analysis.model(most.worse).name, analysis.model(most.better).name
    among = max(shown[most.criterion].score[model].n for model in (most.worse, most.better))
    both = f", on the {plural(most.items, 'item')} that both have a level on" if most.items < among else ""
    if sum(isclose(gap.difference, most.difference) for gap in gaps) > 1:
        return f"{worse} loses as much ground to {best} on “{most.criterion}” as any model on any criterion{both}"
    return f"{worse} loses most ground to {best} on “{most.criterion}”{both}"


def _without_a_gap(analysis: Analysis, criteria: list[CriterionResult]) -> str:
    lowest = [
        (e.value, c.id, analysis.model(m).name) for c in criteria for m, e in c.score.items() if e.value is not None
    ]
    least, name, model = min(lowest)
    scored = len({of for _, _, of in lowest})
    if scored == 1 < len(analysis.models):
        return f"Only {model} has scores, so no criterion can set the models apart"
    models = "the models" if scored == len(analysis.models) else "the models that have scores"
    apart = f"No criterion is shown to set {models} apart{allowed_for(len(analysis.criterion_gaps))}"
    if len(analysis.models) > 1 and len({mean for mean, _, _ in lowest}) == 1:
        return f"{apart}: all means are the same"
    if len(analysis.models) == 1:
        return f"{model} scores lowest on “{name}”" if len(lowest) > 1 else f"{model} is graded on “{name}” alone"
    if sum(isclose(mean, least) for mean, _, _ in lowest) > 1:
        return f"{apart}; several share the lowest mean, {model} on “{name}” among them"
    return f"{apart}; the lowest mean is {model} on “{name}”"
