"""Signals that the model in use is the wrong one: upgrade, downgrade, or a mix, each with what it rests on."""

from evalkit.analysis.downgrade import downgrades
from evalkit.analysis.evidence import Signal
from evalkit.analysis.mix import mixes
from evalkit.analysis.results import Analysis
from evalkit.analysis.sides import standing
from evalkit.analysis.upgrade import upgrades

__all__ = ["find_signals"]


def find_signals(analysis: Analysis, current: str | None = None) -> tuple[Signal, ...]:
    """Every signal about the model in use; none while nothing is graded.

    `current` is that model, by default what the run's rule picks, else the model with the highest pass rate. KeyError
    if the run has no such model.
    """
    if all(model.pass_rate.value is None for model in analysis.models):
        return ()
    around = standing(analysis, current)
    return (*upgrades(around), *downgrades(around), *mixes(around))
