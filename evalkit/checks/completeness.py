"""Completeness: nearly all planned trials of both sides have ended, and nearly all outputs have a verdict."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from evalkit.gating.evidence import Evidence
from evalkit.gating.results import CheckResult
from evalkit.gating.rules import Rules
from evalkit.strict import StrictModel

ORDER = 50


class Settings(StrictModel):
    """`at_least`: share of the planned trials of each side that must count, as a success or as a failure."""

    at_least: Annotated[float, Field(gt=0, le=1)] = 0.95


def check(evidence: Evidence, asked: Settings, _rules: Rules) -> Iterator[CheckResult]:
    """What is missing is inconclusive: it says nothing about the candidate yet."""
    told, enough = [], True
    for model, outputs, planned in zip(evidence.sides, evidence.outputs(), evidence.planned(), strict=True):
        counted = sum(output.satisfied is not None for of_item in outputs.values() for output in of_item)
        told.append(f"{counted:,} of {planned:,} trials of {model.name} count")
        enough = enough and planned > 0 and counted >= asked.at_least * planned
    yield CheckResult(
        "completeness",
        "pass" if enough else "inconclusive",
        "; ".join(told),
        f"at least {asked.at_least * 100:g}%",
        needs=None if enough else evidence.remedy,
    )
