"""Checks of an output that production can make without a grade, on every output of the models that may be asked first.

Each is `evalkit.router`'s own: what escalates here is what escalates there.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.frozen import dataclass
from evalkit.models import display_name
from evalkit.router import accepts, is_json, length_ratio
from evalkit.routing.outcomes import BoolArray, FloatArray, Outcomes
from evalkit.routing.seen import CHECK_S, CHECK_USD, output_of, own_scores
from evalkit.stats.sample_quantiles import values_reached
from evalkit.wording import plural, significant

Accept = Mapping[str, Mapping[str, Any]]
LEVELS = 11
"""Levels of a number that a threshold is chosen from: its deciles on the items."""
_ENDED: Accept = {"ended_well": {}}
_FEW = 5


@dataclass(frozen=True)
class Setting:
    """One setting of a check: what an output must pass, and which trials (items x epochs) escalate by it."""

    accept: Accept
    escalates: BoolArray
    told: str = ""


@dataclass(frozen=True)
class Check:
    """A check of one model's outputs in every setting worth trying; the first escalates least.

    `fails`: in words, what an output does that fails it. `tuned`: numbers that choosing a setting sets. `usd`,
    `seconds` (items x epochs): what checking an output costs and takes, None where nobody says; `note` tells so.
    """

    fails: str
    settings: tuple[Setting, ...]
    tuned: int = 0
    usd: FloatArray | None = None
    seconds: FloatArray | None = None
    note: str = ""


def checks_of(outcomes: Outcomes) -> Mapping[str, Mapping[int, Check | str]]:
    """Every check by name, and by the place of each model but the dearest; where there is none, the reason."""
    places = range(len(outcomes.models) - 1)
    ended = {place: _escalates(outcomes, place, _ENDED) for place in places}
    found: dict[str, Mapping[int, Check | str]] = {
        "ended": {place: _ended(outcomes, place, ended[place]) for place in places},
        "hedges": {place: _hedges(outcomes, place, ended[place]) for place in places},
        "json": {place: _json(outcomes, place, ended[place]) for place in places}
        if _meant_to_be_json(outcomes)
        else {},
        "length": {place: _length(outcomes, place, ended[place]) for place in places},
    }
    for name in own_scores(outcomes):
        by_place = {place: _score(outcomes, place, ended[place], name) for place in places}
        found[f"score-{name}"] = {place: check for place, check in by_place.items() if check is not None}
    return found


def _escalates(outcomes: Outcomes, place: int, accept: Accept) -> BoolArray:
    return np.array([
        [not accepts(accept, request, output_of(outcomes, i, place, epoch)) for epoch in range(outcomes.epochs)]
        for i, request in enumerate(outcomes.requests)
    ])  # fmt: skip


def _name(outcomes: Outcomes, place: int) -> str:
    return display_name(outcomes.models[place], outcomes.models)


def _ended(outcomes: Outcomes, place: int, ended: BoolArray) -> Check | str:
    if not ended.any():
        return f"every output of {_name(outcomes, place)} is all there"
    return Check("is refused, cut, empty or an error", (Setting(_ENDED, ended),))


def _hedges(outcomes: Outcomes, place: int, ended: BoolArray) -> Check | str:
    accept = {**_ENDED, "no_hedge": {}}
    escalates = _escalates(outcomes, place, accept)
    if (escalates == ended).all():
        return f"no whole output of {_name(outcomes, place)} hedges or gives up"
    return Check("hedges, gives up or is not all there", (Setting(accept, escalates),))


def _json(outcomes: Outcomes, place: int, ended: BoolArray) -> Check | str:
    accept = {**_ENDED, "json": {}}
    escalates = _escalates(outcomes, place, accept)
    if (escalates == ended).all():
        return f"every whole output of {_name(outcomes, place)} is JSON"
    return Check("is not JSON", (Setting(accept, escalates),))


def _meant_to_be_json(outcomes: Outcomes) -> bool:
    """Whether most answers of all models are JSON: then that is what requests ask for."""
    answers = [
        output.text for item in outcomes.outputs for row in item for output in row if output.outcome == "answered"
    ]
    return 2 * sum(map(is_json, answers)) > len(answers)


def _length(outcomes: Outcomes, place: int, ended: BoolArray) -> Check | str:
    """Two thresholds on the length against what is usual for such a request; no grade enters what is usual."""
    texts = [[output_of(outcomes, i, place, e).text for e in range(outcomes.epochs)] for i in range(len(outcomes))]
    typical = _typical(outcomes, texts, ended)
    if typical is None:
        return f"too few whole outputs of {_name(outcomes, place)} to say what length is usual"
    ratios = np.array([
        [length_ratio(request, text, typical) for text in row]
        for request, row in zip(outcomes.requests, texts, strict=True)
    ])  # fmt: skip
    levels = _levels(ratios[~ended])
    if len(levels) < 2:
        return f"all outputs of {_name(outcomes, place)} are as long as is usual"
    settings = tuple(
        Setting(
            {**_ENDED, "length": {"typical": typical} | _given(least=least, most=most)},
            ended | _below(ratios, least) | _above(ratios, most),
            _told_length(least, most),
        )
        for least in (None, *levels[1:])
        for most in (None, *reversed(levels[:-1]))
        if least is None or most is None or least < most
    )
    return Check("is unusually short or long for the request, or not all there", settings, tuned=2)


def _typical(outcomes: Outcomes, texts: list[list[str]], ended: BoolArray) -> list[float] | None:
    """Least squares of the logarithm of an answer's words on that of the request's."""
    words = np.log1p(np.array([[len(text.split()) for text in row] for row in texts], dtype=np.float64))
    asked = np.log1p(np.repeat(outcomes.features["words"][:, None], outcomes.epochs, axis=1))
    y, x = words[~ended], asked[~ended]
    if len(y) < _FEW:
        return None
    told_apart = bool(np.ptp(x) and np.ptp(y))  # else the slope is rounding, and tells apart what is alike
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()) if told_apart else 0.0
    return [float(y.mean()) - slope * float(x.mean()), slope]


def _levels(values: FloatArray) -> list[float]:
    """Thresholds worth trying, rising: values that are there, so that both sides read them alike."""
    return sorted(values_reached(values, np.arange(LEVELS) / (LEVELS - 1)))


def _given(**limits: float | None) -> dict[str, float]:
    return {name: limit for name, limit in limits.items() if limit is not None}


def _below(values: FloatArray, least: float | None) -> BoolArray | np.bool_:
    return np.bool_(False) if least is None else values < least


def _above(values: FloatArray, most: float | None) -> BoolArray | np.bool_:
    return np.bool_(False) if most is None else values > most


def _told_length(least: float | None, most: float | None) -> str:
    limits = [f"{word} {significant(x)}" for word, x in (("under", least), ("over", most)) if x is not None]
    return f"answers {' or '.join(limits)} times the usual length on" if limits else "no answer on for its length"


def _score(outcomes: Outcomes, place: int, ended: BoolArray, name: str) -> Check | str | None:
    """One threshold on the team's own score, higher being better; None where the model has none at all.

    What is not all there needs no score: it escalates.
    """
    values = outcomes.scores[name][:, place]
    known = np.isfinite(values)
    if not known.any():
        return None
    lacking = sorted({outcomes.items[i].id for i in np.nonzero((~known & ~ended).any(axis=1))[0]})
    if lacking:
        return f"{name} is not known of {plural(len(lacking), 'item')} of {_name(outcomes, place)}: {_some(lacking)}"
    levels = _levels(values[~ended])
    if len(levels) < 2:
        return f"{name} is the same for all outputs of {_name(outcomes, place)}"
    settings = tuple(
        Setting(
            {**_ENDED, "score": {"name": name, "least": least}},
            ended | (values < least),
            f"answers with {name} under {significant(least)} on",
        )
        for least in (*levels, levels[-1] + max(1.0, abs(levels[-1])))
    )
    usd, seconds = (_of_checking(outcomes, place, ended, each) for each in (CHECK_USD, CHECK_S))
    lacks = [what for what, found in (("costs", usd), ("takes", seconds)) if found is None]
    note = f"; what the score itself {' and '.join(lacks)} is not known, and left out" if lacks else ""
    return Check(f"has {name} under a threshold, or is not all there", settings, 1, usd, seconds, note)


def _of_checking(outcomes: Outcomes, place: int, ended: BoolArray, name: str) -> FloatArray | None:
    """What checking each output took; None unless it is known of all that were checked."""
    values = outcomes.scores.get(name)
    if values is None:
        return None
    checked: npt.NDArray[np.float64] = np.where(ended, np.nan_to_num(values[:, place]), values[:, place])
    return checked if np.isfinite(checked).all() else None


def _some(names: list[str], most: int = 5) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
