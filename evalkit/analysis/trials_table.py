"""Trials and grades as tables, for those who go on with other tools: one row a trial, one a grade."""

from collections.abc import Callable, Sequence

import pandas as pd

from evalkit.analysis.columns import LEVEL
from evalkit.analysis.contexts import at_context, sizes_of
from evalkit.analysis.counting_round import current_round
from evalkit.analysis.trials import MEASURES, TrialResult, counting_grades, trial_results
from evalkit.cells import guarded
from evalkit.conditional import mark
from evalkit.records import Snapshot
from evalkit.rubric import Rubric

_GRADE_COLUMNS = (
    "item_id", "model", "epoch", "context_tokens", "grader", "criterion", "level", "ungraded_reason", "comment",
    "after_results",
)  # fmt: skip
_KINDS = {"error_type": "string", "blind": "boolean", "cost_usd": "Float64", "score": "Float64"}
"""Of columns that a run may have no value in, or whole ones alone: else tables of two runs would not go together."""
_TEXTS = {"item_id", "model", "output", "error", "error_type"}


def trials_table(snapshot: Snapshot) -> pd.DataFrame:
    """One row a trial, those of a sweep by rising size; what is unknown is missing.

    `blind` says whether the round that counts was, `context_tokens` the size that was asked for, `condition` what
    marks a conditional run. Money in USD, times in seconds.
    """
    table = pd.concat([_trials(part) for part in _parts(snapshot)]).convert_dtypes()  # whole numbers without ".0"
    fixed = {name: kind for name, kind in _KINDS.items() if name in table}
    return table.astype(fixed | {name: "Float64" for name in map(str, table) if name.endswith("_s")})


def trials_csv(table: pd.DataFrame) -> str:
    """The trials as CSV in which no text is a formula."""
    safe = table.copy()
    for name in _TEXTS & set(table):
        safe[name] = table[name].map(guarded, na_action="ignore")
    return safe.to_csv(index=False, lineterminator="\r\n")  # else a lone CR in a text would not be quoted


def outputs_of(snapshot: Snapshot) -> pd.DataFrame:
    """What each row of the trials' table brought: the output's text, and the error if there was one."""
    results = [r for part in _parts(snapshot) for r in trial_results(part, _rubric(part))]
    rows = [(r.last.text if r.last else "", r.error) for r in results]
    return pd.DataFrame(rows, columns=["output", "error"], dtype="string")


def grades_table(snapshot: Snapshot) -> pd.DataFrame:
    """One row a grade that counts, by item, model and epoch; `level` is missing where a grader could give none."""
    rows = [
        (trial.key.item_id, trial.key.model, trial.key.epoch, part.spec.context_tokens, g.grader, g.criterion, g.level,
         g.ungraded_reason, g.comment, g.after_results)
        for part in _parts(snapshot)
        for found in [counting_grades(part)]
        for trial in part.trials
        for g in found[trial.id]
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=_GRADE_COLUMNS).convert_dtypes()


def _parts(snapshot: Snapshot) -> list[Snapshot]:
    """The run, or each size of a sweep as a run of its own."""
    return [at_context(snapshot, size) for size in sorted(sizes_of(snapshot))] if snapshot.spec.contexts else [snapshot]


def _rubric(snapshot: Snapshot) -> Rubric:
    return Rubric.read_back(snapshot.spec.rubric)


def _trials(snapshot: Snapshot) -> pd.DataFrame:
    rubric, round_ = _rubric(snapshot), current_round(snapshot)
    results = trial_results(snapshot, rubric)
    frame = pd.DataFrame(_words(results) | _numbers(results, [criterion.id for criterion in rubric.criteria]))
    frame["cost_usd"] = pd.array([result.known_usd for result in results], dtype="Float64")
    frame.insert(list(frame).index("simulated") + 1, "blind", None if round_ is None else round_.blind)
    return frame.assign(
        context_tokens=pd.array([snapshot.spec.context_tokens] * len(frame), dtype="Int64"),
        condition=pd.array([mark(snapshot.spec)] * len(frame), dtype="string"),
    )


def _words(results: Sequence[TrialResult]) -> dict[str, pd.Series]:
    columns: dict[str, list[object]] = {
        "item_id": [result.key.item_id for result in results],
        "model": [result.key.model for result in results],
        "outcome": [result.outcome for result in results],
        "error_type": [result.last and result.last.error_type for result in results],
        "simulated": [any(attempt.simulated for attempt in result.attempts) for result in results],
    }
    return {name: pd.Series(values) for name, values in columns.items()}


def _numbers(results: Sequence[TrialResult], criteria: Sequence[str]) -> dict[str, pd.Series]:
    reads: dict[str, Callable[[TrialResult], float | None]] = {
        "epoch": lambda trial: trial.key.epoch,
        **{name: MEASURES[name] for name in ("satisfied", "score", "cost_usd")},
        "attempts": lambda trial: len(trial.attempts),
        **{name: read for name, read in MEASURES.items() if name.endswith("_s")},
        "input_tokens": lambda trial: trial.last.usage.total_input_tokens if trial.last else None,
        "output_tokens": lambda trial: trial.last.usage.output_tokens if trial.last else None,
    }
    columns = {name: [read(result) for result in results] for name, read in reads.items()}
    columns |= {f"{LEVEL}{name}": [result.levels.get(name) for result in results] for name in criteria}
    return {name: pd.Series(values, dtype="float64") for name, values in columns.items()}
