"""Whether paying for corrections would turn the pick around, as a fact for the first screen."""

from evalkit.analysis.results import Analysis, ModelResult
from evalkit.blocks import Fact, words
from evalkit.pairing import compare
from evalkit.wording import estimated, in_cents, listing, money, plural, value


def corrections(analysis: Analysis) -> Fact | None:
    """Whether paying for corrections would turn the order around."""
    priced = [m for m in analysis.models if m.human_fix.value is not None]
    if analysis.decision.option is None or len(priced) < 2 or not analysis.correction_usd:
        return None
    pick = analysis.model(analysis.decision.option)
    best = min(priced, key=lambda m: m.human_fix.value or 0.0)
    at = f"At {money(analysis.correction_usd)} to put right each unsatisfactory output"
    cents = in_cents([m.human_fix for m in priced])
    level = value(pick.human_fix, "money", cents=cents)
    if value(best.human_fix, "money", cents=cents) == level:
        rest = [m for m in priced if value(m.human_fix, "money", cents=cents) != level]
        least = len(rest) == len(priced) - 1
        known = "" if len(priced) == len(analysis.models) else " that have one"
        lowest = f"has the lowest total of the models{known}" if least else "has no higher total than another model"
        total = f"{estimated(pick.human_fix, 'money', cents=cents)} a request"
        return Fact(
            "Paying for corrections keeps the pick",
            words(f"{at}, {pick.name} {lowest}: {total}{_ahead(analysis, pick, rest)}."),
        )
    return Fact(
        f"Corrections {'favour' if _saves(analysis, best, pick) else 'could favour'} {best.name}",
        words(f"{at}, {_saving(analysis, best, pick, cents)}."),
    )


def _saving(analysis: Analysis, best: ModelResult, pick: ModelResult, cents: bool) -> str:
    """What a request costs with each, and how much less it is item by item: the interval is of that."""
    pair = compare(analysis, best.model, pick.model)
    if pair is None or pair.saving.value is None:
        ours, theirs = (estimated(m.human_fix, "money", cents=cents) for m in (pick, best))
        return f"a request costs {theirs} with {best.name} and {ours} with {pick.name}"
    ours, theirs = (value(m.human_fix, "money", cents=cents) for m in (pick, best))
    fewer = pair.items < max(best.items, pick.items)
    shared = f" on the {plural(pair.items, 'item')} that both have a verdict on" if fewer else ""
    return (
        f"a request costs {theirs} with {best.name} and {ours} with {pick.name}; item by item{shared} that is"
        f" {estimated(pair.saving, 'money', cents=cents)} less"
    )


def _saves(analysis: Analysis, first: ModelResult, second: ModelResult) -> bool:
    """Whether the first is shown to cost less in total, item by item."""
    pair = compare(analysis, first.model, second.model)
    return pair is not None and pair.saves


def _ahead(analysis: Analysis, pick: ModelResult, rest: list[ModelResult]) -> str:
    """Whose totals are shown to be higher than the pick's, and whose only look so."""
    shown = [m.name for m in rest if _saves(analysis, pick, m)]
    seen = [m.name for m in rest if m.name not in shown]
    told = [
        *([f"shown to be ahead of {listing(shown)}"] if shown else []),
        *([f"ahead of {listing(seen)} by the estimates"] if seen else []),
    ]
    return f", {' and '.join(told)}" if told else ""
