"""What production sees of each output once it is there: everything but its grade."""

from collections.abc import Mapping

import numpy as np

from evalkit.analysis.results import OutputResult
from evalkit.records import Outcome
from evalkit.router import Output
from evalkit.routing.outcomes import Outcomes

CHECK_USD, CHECK_S = "cost_usd", "latency_s"
"""Names among `Outcomes.scores` under which stands what coming by the others cost and took."""
_STOP_REASONS: Mapping[Outcome, str] = {"refused": "refusal", "truncated": "max_tokens"}


def output_of(outcomes: Outcomes, item: int, model: int, epoch: int) -> Output:
    """One output as `evalkit.router` takes it; a call that failed for good has no text."""
    result = outcomes.outputs[item][model][epoch]
    known = {name: float(values[item, model, epoch]) for name, values in outcomes.scores.items()}
    return Output(
        model=result.model,
        text=_text(result),
        stop_reason=_STOP_REASONS.get(result.outcome) if result.outcome else None,
        scores={name: value for name, value in known.items() if np.isfinite(value)},
    )


def _text(result: OutputResult) -> str:
    return "" if result.outcome == "errored" else result.text


def own_scores(outcomes: Outcomes) -> list[str]:
    """Names of the numbers that the team brings for each output."""
    return sorted(set(outcomes.scores) - {CHECK_USD, CHECK_S})
