"""Side by side: models compared on the same items, so that hard items do not count as a difference."""

from collections import Counter

from evalkit.analysis.results import Analysis
from evalkit.blocks import (
    Block,
    Cell,
    Column,
    Row,
    Section,
    Table,
    Text,
    strong,
    table,
    words,
)
from evalkit.chart_blocks import (
    Axis,
    Series,
)
from evalkit.pairing import MANY_PAIRS, Comparison, all_pairs
from evalkit.series import lineup
from evalkit.wording import doubt, interval, listing, p_value, plural, value

ORDER = 64


def build(analysis: Analysis) -> Section | None:
    """None for a run with fewer than two models that share items."""
    comparisons = [c for c in all_pairs(analysis, lineup(analysis)) if c.difference.value is not None]
    if not comparisons:
        return None
    return Section(
        name="side-by-side",
        label="Side by side",
        heading=_heading(analysis, comparisons),
        lede=_lede(comparisons),
        blocks=_blocks(analysis, comparisons),
    )


def _blocks(analysis: Analysis, comparisons: list[Comparison]) -> tuple[Block, ...]:
    """The pairs, a row each; of many, what they come to for each model, and the pairs folded."""
    columns = (
        Column("Comparison"),
        Column("Difference in points", axis=_axis(comparisons)),
        Column("Result"),
        Column("Only the first satisfies", "end"),
        Column("Only the second", "end"),
        Column("p after Holm", "end"),
        Column("Cost ratio", "end"),
    )
    rows = [_row(analysis, c) for c in comparisons]
    if len(comparisons) <= MANY_PAIRS:
        return (table("Paired comparisons", columns, rows),)
    return (
        _by_model(analysis, comparisons),
        table("Paired comparisons", columns, rows, folded=f"All {len(comparisons)} pairs with their differences"),
    )


def _by_model(analysis: Analysis, comparisons: list[Comparison]) -> Table:
    columns = (Column("Model"), Column("Better than"), Column("Worse than"), Column("No difference shown", "end"))
    rows = [_model_row(analysis, comparisons, series) for series in lineup(analysis)]
    return table("Pairs by model", columns, rows)


def _model_row(analysis: Analysis, comparisons: list[Comparison], series: Series) -> Row:
    own = [c for c in comparisons if series.key in (c.first, c.second)]
    beaten = [loser for winner, loser in _shown(own) if winner == series.key]
    better = [winner for winner, loser in _shown(own) if loser == series.key]
    return Row(
        (
            Cell(words(series.name)),
            *(Cell((strong(str(len(keys))),), listing([analysis.model(k).name for k in keys]) if keys else "")
              for keys in (beaten, better)),
            Cell(words(f"{len(own) - len(beaten) - len(better)} of {len(own)}")),
        ),
        series,
    )  # fmt: skip


def _shown(comparisons: list[Comparison]) -> list[tuple[str, str]]:
    """Winner and loser of every pair whose difference is shown."""
    return [(c.first, c.second) if c.better else (c.second, c.first) for c in comparisons if c.better or c.worse]


def _heading(analysis: Analysis, comparisons: list[Comparison]) -> str:
    pairs_shown = _shown(comparisons)
    if len(comparisons) > MANY_PAIRS and pairs_shown:
        return _summary(analysis, pairs_shown, len(comparisons))
    winners: dict[str, list[str]] = {}
    for winner, loser in pairs_shown:
        winners.setdefault(analysis.model(loser).name, []).append(analysis.model(winner).name)
    shown = [
        f"{listing(names)} {'is' if len(names) == 1 else 'are'} better than {loser}" for loser, names in winners.items()
    ]
    level = [c for c in comparisons if not (c.better or c.worse)]
    if not shown:
        return "No difference in the pass rate between the models is shown"
    if not level:
        return "; ".join(shown)
    pairs = listing(
        [f"{analysis.model(c.second).name} and {analysis.model(c.first).name}" for c in level], "or between"
    )
    return f"{'; '.join(shown)}; between {pairs} no difference is shown"


def _summary(analysis: Analysis, shown: list[tuple[str, str]], pairs: int) -> str:
    """Who is better than most others, and how many of all pairs show a difference."""
    wins = Counter(winner for winner, _ in shown)
    most = max(wins.values())
    best = [analysis.model(series.key).name for series in lineup(analysis) if wins[series.key] == most]
    who = (
        f"{listing(best)} {'is' if len(best) == 1 else 'are each'}"
        if len(best) <= 3
        else f"{len(best)} models are each"
    )
    rest = f"{len(shown)} of all {pairs} pairs show a difference" if len(shown) < pairs else "all pairs differ"
    return f"{who} better than {plural(most, 'other model')}; {rest}"


def _lede(comparisons: list[Comparison]) -> Text:
    sizes = sorted({c.items for c in comparisons})
    few = f"{sizes[0]:,} to " * (len(sizes) > 1)
    return words(
        f"Both models of a row have a verdict on the same {few}{plural(sizes[-1], 'item')}. The line is the Tango "
        "interval of the paired difference; a difference counts as shown only if its interval excludes zero and Holm's "
        "adjustment over all pairs agrees. Cost ratio: per satisfactory output, first over second; a cost is called "
        "more or less by the same rule."
    )


def _row(analysis: Analysis, c: Comparison) -> Row:
    first, second = analysis.model(c.first).name, analysis.model(c.second).name
    result = f"{first} is better" if c.better else f"{second} is better" if c.worse else "no difference shown"
    return Row(
        (
            Cell(words(first), f"against {second}"),
            Cell((strong(value(c.difference, "points")),), interval(c.difference, "points"), c.difference),
            Cell(words(result)),
            Cell(words(_count(c.gain)), f"of {c.items}"),
            Cell(words(_count(c.loss)), f"of {c.items}"),
            Cell(words(p_value(c.p_holm)), f"p {p_value(c.p_value)}"),
            Cell((strong(value(c.cost_ratio, "ratio")),), f"{doubt(c.cost_ratio, 'ratio')}{c.cost_undone}"),
        )
    )


def _count(items: float) -> str:
    """Items, with a decimal only where epochs make them fractional."""
    return f"{items:.1f}".removesuffix(".0")


def _axis(comparisons: list[Comparison]) -> Axis:
    bounds = [x for c in comparisons for x in (c.difference.low, c.difference.high) if x is not None]
    low, high = min([*bounds, -0.05]), max([*bounds, 0.05])
    pad = (high - low) * 0.05
    return Axis("", "points", max(low - pad, -1.0), min(high + pad, 1.0), reference=0.0)
