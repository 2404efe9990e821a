"""Item map: every item under every model at a glance, a click away from its outputs."""

from evalkit.analysis.results import Analysis, ItemResult, OutputResult
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
from evalkit.item_marks import anchor, state_of
from evalkit.series import lineup
from evalkit.wording import plural

ORDER = 100
_DIFFICULTIES = ("easy", "medium", "hard")
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
    columns = [_column(item, i, series) for i, item in enumerate(analysis.outputs)]
    heading = _heading(columns, series[0].name if len(series) == 1 else "")
    order = sorted(range(len(columns)), key=lambda i: (_rank(analysis.outputs[i]), -_satisfied(columns[i]), i))
    return Section(
        name="item-map",
        label="Item map",
        heading=heading,
        lede=words("One column an item, one row a model; inside a difficulty the items that fail most stand last. "
                   "Follow a column to read its outputs."),
        blocks=(Heatmap(heading, series, tuple(columns[i] for i in order)),),
    )  # fmt: skip


def _rank(item: ItemResult) -> int:
    return _DIFFICULTIES.index(item.difficulty) if item.difficulty in _DIFFICULTIES else len(_DIFFICULTIES)


def _satisfied(column: MapColumn) -> float:
    return sum({"satisfactory": 1.0, "mixed": 0.5}.get(cell.state, 0.0) for cell in column.cells)


def _column(item: ItemResult, index: int, series: tuple[Series, ...]) -> MapColumn:
    cells = []
    for s in series:
        mine: list[OutputResult] = [output for output in item.outputs if output.model == s.key]
        state = state_of(mine)
        cells.append(MapCell(s, state, _LABELS[state]))
    return MapColumn(item.id, anchor(index), item.difficulty or "no difficulty", tuple(cells))


def _heading(columns: list[MapColumn], alone: str = "") -> str:
    """Over the items that every model has a verdict on; the others are counted apart. `alone`: the only model."""
    states = [{cell.state for cell in column.cells} for column in columns]
    settled = [s for s in states if "ungraded" not in s]
    if not settled:
        return f"None of {plural(len(columns), 'item')} has a verdict under every model"
    every = sum(s == {"satisfactory"} for s in settled)
    none = sum(s <= {"unsatisfactory", "failed"} for s in settled)
    apart = len(settled) - every - none
    waiting = f"; {len(columns) - len(settled)} have no verdict yet" if len(settled) < len(columns) else ""
    size = plural(len(columns), "item")
    if alone:
        return f"{alone} satisfies {every or 'none'} of {size}{f', {apart} in some epochs' if apart else ''}{waiting}"
    if not every + apart:
        return f"No model satisfies any of {size}{waiting}"
    parting = f"; {apart or 'none'} {'tell' if apart > 1 else 'tells'} them apart"
    never = f", none satisfies {none}" if none else ""
    if not every:
        return f"No item of {len(columns):,} is satisfied by every model{never}{parting}{waiting}"
    return f"Every model satisfies {every} of {size}{never}{parting}{waiting}"
