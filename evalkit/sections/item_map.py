"""Item map: every item under every model at a glance, a click away from its outputs."""

from collections.abc import Sequence
from itertools import compress

from evalkit.analysis.results import Analysis, ItemResult
from evalkit.blocks import (
    Section,
    words,
)
from evalkit.chart_blocks import (
    Heatmap,
    MapCell,
    MapColumn,
    MapState,
    Series,
)
from evalkit.difficulty import DIFFICULTIES
from evalkit.item_marks import anchor
from evalkit.series import lineup
from evalkit.shown_items import is_settled, parts_models, shown_items, states
from evalkit.wording import plural

ORDER = 100
_LABELS: dict[MapState, str] = {
    "satisfactory": "satisfactory",
    "mixed": "satisfactory in some epochs",
    "unsatisfactory": "not satisfactory",
    "failed": "no usable output",
    "ungraded": "ungraded",
}


def build(analysis: Analysis) -> Section | None:
    """None for a run without items or models."""
    series = lineup(analysis)
    if not series or not analysis.outputs:
        return None
    found = [states(item, [s.key for s in series]) for item in analysis.outputs]
    settled = [is_settled(item, [s.key for s in series]) for item in analysis.outputs]
    heading = (
        _heading(list(compress(found, settled)), len(found), series[0].name if len(series) == 1 else "")
        if any(settled)
        else _unsettled(analysis.outputs, {s.key for s in series})
    )
    places = shown_items(analysis).places
    columns = {i: _column(analysis.outputs[i], i, series, found[i]) for i in places}
    order = sorted(places, key=lambda i: (_rank(analysis.outputs[i]), -_satisfied(columns[i]), i))
    here = "" if len(places) == len(found) else f" of the {len(places):,} that are shown below"
    return Section(
        name="item-map",
        label="Item map",
        heading=heading,
        lede=words(f"One column an item{here}, one row a model; inside a difficulty the items that fail most stand "
                   "last. Follow a column to read its outputs."),
        blocks=(Heatmap(heading, series, tuple(columns[i] for i in order)),),
    )  # fmt: skip


def _rank(item: ItemResult) -> int:
    return DIFFICULTIES.index(item.difficulty) if item.difficulty in DIFFICULTIES else len(DIFFICULTIES)


def _satisfied(column: MapColumn) -> float:
    return sum({"satisfactory": 1.0, "mixed": 0.5}.get(cell.state, 0.0) for cell in column.cells)


def _column(item: ItemResult, index: int, series: tuple[Series, ...], found: Sequence[MapState]) -> MapColumn:
    cells = tuple(MapCell(s, state, _LABELS[state]) for s, state in zip(series, found, strict=True))
    return MapColumn(item.id, anchor(index), item.difficulty or "no difficulty", cells)


def _unsettled(outputs: Sequence[ItemResult], models: set[str]) -> str:
    """Where no item has all verdicts: some may have one under every model all the same, in some epochs."""
    items = plural(len(outputs), "item")
    part = sum({o.model for o in item.outputs if o.satisfied is not None} >= models for item in outputs)
    if not part:
        return f"None of {items} has a verdict under every model"
    return f"None of {items} has all its verdicts; {part:,} {'has' if part == 1 else 'have'} some under every model"


def _heading(settled: Sequence[Sequence[MapState]], items: int, alone: str = "") -> str:
    """Over the items that every model has all verdicts on; the others are counted apart. `alone`: the only model."""
    every = sum(set(found) == {"satisfactory"} for found in settled)
    none = sum({*found} <= {"unsatisfactory", "failed"} for found in settled)
    apart = sum(map(parts_models, settled))
    some = len(settled) - every - none
    missing = items - len(settled)
    waiting = f"; {missing:,} {'lacks' if missing == 1 else 'lack'} a verdict" if missing else ""
    size, satisfied = plural(items, "item"), f"{every:,}" if every else "none"
    if alone:
        return f"{alone} satisfies {satisfied} of {size}{f', {some:,} in some epochs' if some else ''}{waiting}"
    if none == len(settled):
        return f"No model satisfies any of {size}{waiting}"
    parting = f"; {f'{apart:,}' if apart else 'none'} {'tell' if apart > 1 else 'tells'} them apart"
    never = f", none satisfies {none:,}" if none else ""
    if not every:
        no_item = "The one item is not" if items == 1 else f"No item of {items:,} is"
        return f"{no_item} satisfied by every model{never}{parting}{waiting}"
    return f"Every model satisfies {every:,} of {size}{never}{parting}{waiting}"
