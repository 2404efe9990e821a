"""How sure: how the rule would fall on other items like these, what more data would settle, what the items can tell."""

from collections.abc import Iterable, Sequence
from math import fsum

from evalkit.analysis.results import Analysis, ItemResult, ModelResult
from evalkit.analysis.robust_results import Items, Stability
from evalkit.blocks import (
    Block,
    Cell,
    Column,
    Fact,
    Facts,
    Paragraph,
    Row,
    Section,
    Span,
    Table,
    table,
    words,
)
from evalkit.chart_blocks import (
    Series,
    Shares,
)
from evalkit.pairing import MANY_PAIRS, Comparison, all_pairs
from evalkit.series import NEUTRAL, lineup
from evalkit.shown_items import anchors, is_settled
from evalkit.wording import MOST_ITEMS, about, doubt, listing, percent, plural, sentence, shorten, stated, value

ORDER = 75
OF_WORKLOAD = True
NO_OPTION = "no option"
_MOST_LINKS = 12


_EPOCHS = ", and how far an item's epochs agree as it is on all items"
"""Else each resample would have to estimate that anew."""


def build(analysis: Analysis) -> Section | None:
    """None while no output has a verdict."""
    if all(m.pass_rate.value is None for m in analysis.models):
        return None
    heading = _heading(analysis)
    return Section(
        name="how-sure",
        label="How sure",
        heading=heading,
        lede=words(
            "The declared rule, applied again to items drawn anew from these, the same draw for every option. A share "
            "near 100% means that the choice does not hang on a few items; it speaks of items like these, and takes "
            f"every grade as right{_EPOCHS if analysis.spec.epochs > 1 else ''}."
        ),
        blocks=(*_stability(analysis, heading), *_needed(analysis), *_items(analysis)),
    )


def rule_shares(analysis: Analysis) -> list[tuple[str, float]]:
    """How often the rule picks each option, and none, on resampled items: most often first, what never wins left out.

    Empty where nothing could be resampled.
    """
    found = analysis.stability
    if found is None or found.none is None:
        return []
    shares = [(s.name, found.shares.get(s.key) or 0.0) for s in lineup(analysis)]
    return sorted(((n, x) for n, x in [*shares, (NO_OPTION, found.none)] if x > 0), key=lambda pair: -pair[1])


def _heading(analysis: Analysis) -> str:
    shares = rule_shares(analysis)
    if not shares:
        return "How steady the choice is cannot be said"
    (first, share), *rest = shares
    found = analysis.stability
    if found is not None and found.items == 1:
        return "One item cannot say how steady the choice is"
    on = f" of the {found.items:,} items that all options share" if found and _in_part(analysis, found) else ""
    if not rest:
        return f"In every resample{on} the rule picks {first}"
    more = "; ".join(f"{name} in {percent(x)}" for name, x in rest[:2])
    return f"The rule picks {first} in {percent(share)} of resamples{on}; {more}"


def _in_part(analysis: Analysis, found: Stability) -> bool:
    """Whether the resamples are of fewer items than the verdict, which takes every option by its own."""
    return found.items < max((m.items for m in analysis.models), default=0)


def _stability(analysis: Analysis, heading: str) -> Iterable[Block]:
    found = analysis.stability
    if found is None or found.none is None:
        yield Paragraph(words(_why_none(analysis)))
        return
    shares = [(s, found.shares.get(s.key) or 0.0) for s in lineup(analysis)]
    none = (Series("", NO_OPTION.capitalize(), NEUTRAL.slot), found.none)
    yield Shares(heading, resampled(analysis, found), (*shares, none))
    if _in_part(analysis, found):
        own = listing([f"{m.items:,} with {m.name}" for m in analysis.models if m.items])
        yield Paragraph(
            words(
                f"The draws are of the {plural(found.items, 'item')} on which every option has a verdict. The answer at"
                f" the top takes each option by all items that it has a verdict on, {own}, so the two may differ."
            )
        )
    if analysis.decision.option is None:
        yield Paragraph(words("On the items as they are, the rule picks no option."))


def _why_none(analysis: Analysis) -> str:
    unpriced = [m.name for m in analysis.models if m.cost_per_request.value is None and m.satisfied_items]
    if unpriced:
        return f"The rule compares costs, and not every attempt has a price: {', '.join(unpriced)}."
    if any(model.at_worst for model in analysis.models):
        return "The pick may hang on trials that failed on every attempt so far: the same command tries again."
    return "No item has a verdict under every option, so there is nothing to draw from."


def _needed(analysis: Analysis) -> Iterable[Table]:
    """What is open, and how many items would settle it with a chance of 80 % if every figure is the true one.

    Many pairs are folded.
    """
    columns = (
        Column("What more items would settle"),
        Column("Now"),
        Column("Items now", "end"),
        Column("Items needed for an 80% chance, if it stays so", "end"),
    )
    pairs = [c for c in all_pairs(analysis, lineup(analysis)) if c.difference.value is not None]
    rows = [_clearing(analysis, analysis.model(s.key)) for s in lineup(analysis)]
    more = [_separating(analysis, c) for c in pairs]
    if len(pairs) <= MANY_PAIRS:
        yield table("What more data would settle", columns, [*rows, *more])
        return
    yield table("What more data would settle", columns, rows)
    told = f"What more items would settle of {len(pairs)} pairs"
    yield table("What more data would settle between two models", columns, more, folded=told)


def _clearing(analysis: Analysis, model: ModelResult) -> Row:
    rate, bar = model.pass_rate, analysis.decision.bar
    if rate.value is None:
        needed = words("unknown")
    elif rate.low is not None and rate.low >= bar:
        needed = words("settled: it does")
    elif rate.high is not None and rate.high < bar:
        needed = words("settled: it does not")
    elif model.at_worst is not None:
        needed = words("first the trials that failed on every attempt so far")
    else:
        needed = words(_number(model.items_to_clear, model.items, "no number: the rate is not above it"))
    series = next(s for s in lineup(analysis) if s.key == model.model)
    return Row(
        (
            Cell(words(model.name), f"clears {stated(bar)}?"),
            Cell(words(value(rate, "percent", bar)), doubt(rate, "percent", bar)),
            Cell(words(f"{model.items:,}")),
            Cell(needed),
        ),
        series,
    )


def _separating(analysis: Analysis, c: Comparison) -> Row:
    names = [analysis.model(key).name for key in (c.first, c.second)]
    settled = c.better or c.worse
    needed = (
        "settled: they do" if settled else _number(c.items_to_separate, c.items, "no number: no difference is seen")
    )
    return Row(
        (
            Cell(words(f"{names[0]} and {names[1]}"), "differ?"),
            Cell(words(f"{value(c.difference, 'points')} points"), doubt(c.difference, "points")),
            Cell(words(f"{c.items:,}")),
            Cell(words(needed)),
        )
    )


def _number(needed: int | None, items: int, never: str) -> str:
    """Items needed; a formula that asks for no more than there are is short of what the stricter interval asks for."""
    if needed is None:
        return never
    if needed > MOST_ITEMS:
        return f"no number below {MOST_ITEMS:,}: too close to tell"
    return about(needed) if needed > items else f"a few more than {items:,}"


def _items(analysis: Analysis) -> Iterable[Block]:
    quality = analysis.item_quality
    if quality is None or quality.discriminating is None or len(analysis.models) * analysis.spec.epochs < 2:
        return
    models = [model.model for model in analysis.models]
    rated, items = sum(is_settled(item, models) for item in analysis.outputs), len(analysis.outputs)
    if rated < items:
        yield Paragraph(
            words(f"What is said of items is of the {rated:,} of {items:,} with a verdict on every output.")
        )
    facts = [
        Fact(
            f"{percent(quality.discriminating)} of the items tell outputs apart"
            if quality.discriminating
            else "No item tells outputs apart",
            words(
                f"{len(quality.discriminating_ids):,} of {plural(rated or items, 'item')}: some outputs pass, "
                f"some fail.{_of_those_that_answered(analysis, models)}"
            ),
        ),
        Fact(
            f"{percent(quality.ceiling)} are passed by every output",
            words(_ceiling([item for item in analysis.outputs if is_settled(item, models)])),
        )
        if quality.ceiling
        else Fact("No item is passed by every output", words("No item is too easy for all options.")),
        Fact(
            f"{percent(quality.floor)} are passed by none" if quality.floor else "No item is out of reach",
            (Span(_floor(quality, analysis)), *_links(quality.floor_ids, analysis)),
        ),
    ]
    if quality.doubtful_ids:
        facts.append(_doubtful(quality, analysis))
    yield Facts(tuple(facts))
    if quality.warnings and 2 * rated >= items:  # of fewer, they are no word on the set
        yield Paragraph(words(" ".join(sentence(text) for text in quality.warnings)))


def _of_those_that_answered(analysis: Analysis, models: Sequence[str]) -> str:
    """On how many items the others part where a model never answered, which alone tells its outputs from theirs."""
    silent = [model for model in analysis.models if not model.counts.answered]
    if not silent or len(silent) == len(models):
        return ""
    mute = {model.model for model in silent}
    rated = [item for item in analysis.outputs if is_settled(item, models)]
    part = sum(len({o.satisfied for o in item.outputs if o.model not in mute}) > 1 for item in rated)
    names = listing([model.name for model in silent])
    return f" {names} answered nothing; of the others some pass and some fail on {plural(part, 'item')}."


def _ceiling(rated: Sequence[ItemResult]) -> str:
    """What the items that every output passes took of the spend, where it is known and there are others."""
    easy = [all(output.satisfied for output in item.outputs) for item in rated]
    costs = [[output.cost_usd for output in item.outputs] for item in rated]
    total = fsum(usd or 0.0 for of_item in costs for usd in of_item)
    if all(easy) or not total or any(None in of_item for of_item in costs):
        return "They cannot set options apart by quality."
    spent = fsum(usd or 0.0 for of_item, passed in zip(costs, easy, strict=True) if passed for usd in of_item)
    return f"They took {percent(spent / total)} of the spend on these items, and cannot set options apart by quality."


def _floor(quality: Items, analysis: Analysis) -> str:
    if not quality.floor_ids:
        return "Each is passed by some output."
    never = [item for item in analysis.outputs if item.id in set(quality.floor_ids)]
    answered = [output.outcome == "answered" for item in never for output in item.outputs]
    if never and not any(answered):
        return "No model brought a usable output for them: "
    cut = "" if all(answered) else ", refused or cut"
    return f"Too hard for all of them{cut}, or the reference is wrong: "


def _doubtful(quality: Items, analysis: Analysis) -> Fact:
    return Fact(
        f"{plural(len(quality.doubtful_ids), 'item')} to look at",
        (
            Span("Outputs of options and epochs that fail elsewhere pass here, and the other way round; look at "
                 "reference and rubric: "),
            *_links(quality.doubtful_ids, analysis),
        ),
    )  # fmt: skip


def _links(ids: Sequence[str], analysis: Analysis) -> Iterable[Span]:
    """Item ids in a row, each leading to its item where the report has it."""
    places = anchors(analysis)
    for i, name in enumerate(ids[:_MOST_LINKS]):
        if i:
            yield Span(", ")
        yield Span(shorten(name, 48), link=places.get(name, ""))
    if ids:
        yield Span(f" and {len(ids) - _MOST_LINKS:,} more." if len(ids) > _MOST_LINKS else ".")


def resampled(analysis: Analysis, found: Stability) -> str:
    """What the shares rest on: `2,000 resamples of 60 items`."""
    shared = " that all options share" if _in_part(analysis, found) else ""
    return f"{found.resamples:,} resamples of {plural(found.items, 'item')}{shared}"
