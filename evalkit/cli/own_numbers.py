"""Options that bring a team's own numbers to routing: features of requests, and scores of outputs."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from evalkit.cli import urls

if TYPE_CHECKING:
    from evalkit.analysis import Analysis
    from evalkit.routing.own import Features, Scores

FEATURES = typer.Option(
    parser=urls.readable, metavar="FILE.jsonl", show_default=False,
    help="Your own numbers known before a call, an item a line as {\"item_id\": ..., \"clauses\": 3}; never a grade.",
)  # fmt: skip
SCORES = typer.Option(
    parser=urls.readable, metavar="FILE.jsonl", show_default=False,
    help="Your own numbers known of an output before any grade, higher for better, an output a line as"
    " {\"item_id\": ..., \"model\": ..., \"epoch\": 1, \"self_check\": 0.9}; \"cost_usd\" and \"latency_s\" say what"
    " coming by them took.",
)  # fmt: skip


def own_numbers(
    analysis: "Analysis", features: Path | None, scores: Path | None
) -> "tuple[Features | None, Scores | None]":
    """What the files hold; ProblemsError with everything that is wrong in both."""
    from evalkit.errors import ProblemsError
    from evalkit.files import read_lines
    from evalkit.routing.own import parse_features, parse_scores

    own = known = None
    problems: list[str] = []
    try:
        if features is not None:
            own = parse_features(read_lines(features, "features file"), str(features), analysis)
    except ProblemsError as error:
        problems += error.problems
    try:
        if scores is not None:
            known = parse_scores(read_lines(scores, "scores file"), str(scores), analysis)
    except ProblemsError as error:
        problems += error.problems
    if problems:
        raise ProblemsError(problems)
    return own, known
