"""A table of figures that a terminal shows whole: columns as wide as their figures, names folded where need be."""

from collections.abc import Collection, Mapping, Sequence

from rich.cells import cell_len
from rich.table import Table

from evalkit.wording import visible

_GAP = 2
_NAME = 12
"""Width below which a name is not folded further."""


def least_width(columns: Mapping[str, Sequence[str]], names: Collection[str]) -> int:
    """Characters that a line needs so that no figure and no word of a heading is broken; `names`: columns that fold."""
    return sum(_least(columns, names).values()) + _GAP * (len(columns) - 1)


def fitting(
    columns: Mapping[str, Sequence[str]], names: Collection[str], width: int, least_first: Sequence[str]
) -> dict[str, Sequence[str]]:
    """The columns without as many of `least_first`, by how their headings begin, as `width` has no room for."""
    kept = dict(columns)
    for begins in least_first:
        if least_width(kept, names) <= width:
            break
        kept = {name: cells for name, cells in kept.items() if not name.startswith(begins)}
    return kept


def fitted(
    columns: Mapping[str, Sequence[str]], names: Collection[str], width: int, caption: str, whole: Collection[str] = ()
) -> Table:
    """The columns with their cells, within `width` if `least_width` is. A file or a pipe has no edge, and no folds.

    `whole`: columns of words, such as ids, that are not to be broken either.
    """
    table = Table(
        box=None, pad_edge=False, header_style="dim", caption=caption, caption_justify="left", caption_style=""
    )
    spare = max(0, width - least_width(columns, names))
    for name, least in _least(columns, names).items():
        more = min(spare, max(map(_longest_line, (name, *columns[name]))) - least)
        table.add_column(
            name, justify="left" if name in names or name in whole else "right", overflow="fold", width=least + more
        )
        spare -= more
    for row in zip(*columns.values(), strict=True):
        table.add_row(*row)
    return table


def _least(columns: Mapping[str, Sequence[str]], names: Collection[str]) -> dict[str, int]:
    found = {name: max(map(_longest_word, (name, *cells))) for name, cells in columns.items()}
    return {name: min(width, max(_NAME, len(name))) if name in names else width for name, width in found.items()}


def _longest_word(text: str) -> int:
    return max((cell_len(word) for word in visible(text).replace("\n", " ").split(" ")), default=0)


def _longest_line(text: str) -> int:
    return max(map(cell_len, visible(text).split("\n")))
