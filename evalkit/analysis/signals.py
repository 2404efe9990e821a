"""Signals that the model in use is the wrong one: upgrade, downgrade, or a mix, each with what it rests on."""

from dataclasses import replace

from evalkit.analysis.downgrade import downgrades
from evalkit.analysis.evidence import Signal
from evalkit.analysis.mix import mixes
from evalkit.analysis.results import Analysis, ItemResult
from evalkit.analysis.sides import Standing, standing
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
    found = _around(around)
    if all(output.settled or output.satisfied is None for item in analysis.outputs for output in item.outputs):
        return found
    missing = replace(analysis, outputs=tuple(map(_answered, analysis.outputs)))
    return tuple(map(_either_way, found, _around(standing(missing, around.current))))


def _around(around: Standing) -> tuple[Signal, ...]:
    return (*upgrades(around), *downgrades(around), *mixes(around))


def _answered(item: ItemResult) -> ItemResult:
    """An item without a verdict on what nobody has answered yet, which may be an outage's doing."""
    return replace(item, outputs=tuple(o if o.settled else replace(o, satisfied=None) for o in item.outputs))


def _either_way(failed: Signal, missing: Signal) -> Signal:
    """What is known only if unanswered trials count as failures, or only if they do not, is not known."""
    if failed.state == missing.state:
        return failed
    settles = "repeat `evalkit run`: trials that failed on every attempt so far decide it"
    return replace(failed, state="not enough data", settles=settles, toward=None, parts=())
