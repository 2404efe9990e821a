"""`evalkit models`: known model ids with tier, price, context window, lifecycle, and what is newer."""

import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from evalkit.models import Model

_COLUMNS = ("model", "tier", "in $/M", "out $/M", "context", "lifecycle", "newer in its tier")
_FOLDED = ("lifecycle",)
_LEAST_FIRST = ("context", "tier", "newer in its tier", "lifecycle")
"""What a terminal that is too narrow for all columns leaves out."""
_CLIFF = ("above_tokens", "factor")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("models")(models)


def models(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List known models. Prices are USD per million tokens for a small request, today.

    Example: evalkit models
    """
    from evalkit.cli.terminal import console
    from evalkit.models import KNOWN, LINE_UP, newer_in_tier
    from evalkit.pricing import prices_version, rates

    now = datetime.now(UTC)
    rows: list[dict[str, Any]] = []
    for model in KNOWN:
        priced = rates(model.id, now)
        rows.append(
            {
                "id": model.id,
                "tier": model.tier,
                "input_usd_per_mtok": round(priced[0], 4) if priced else None,
                "output_usd_per_mtok": round(priced[1], 4) if priced else None,
                "context_tokens": model.context_tokens,
                "price_cliff": model.price_cliff and dict(zip(_CLIFF, model.price_cliff, strict=True)),
                "lifecycle": _lifecycle(model, now.date()),
                "pinned": model.pinned,
                "in_line_up": model.id in LINE_UP,
                "newer": list(newer_in_tier(model.id)),
            }
        )
    if as_json:
        typer.echo(json.dumps({"prices": prices_version(), "models": rows}, indent=2))
        return
    terminal = console()
    terminal.print(models_table(rows, prices_version(), terminal.width))


def _lifecycle(model: "Model", today: date) -> str:
    """Where a model stands, and since when or until when."""
    if model.retires is None:
        return model.lifecycle
    gone = model.lifecycle == "retired" or date.fromisoformat(model.retires) <= today
    return f"retired {model.retires}" if gone else f"{model.lifecycle}, retires {model.retires}"


def models_table(rows: list[dict[str, Any]], prices: str, width: int) -> "Table":
    """A line a model, with as many columns as there is room for."""
    from evalkit.cli.fitted import fitted, fitting
    from evalkit.wording import listing

    columns: dict[str, list[str]] = {name: [] for name in _COLUMNS}
    for row in rows:
        name = row["id"] + (" *" if row["in_line_up"] else "") + ("" if row["pinned"] else " (alias)")
        price = ["unpriced" if row[k] is None else f"{row[k]:g}" for k in ("input_usd_per_mtok", "output_usd_per_mtok")]
        more = f" and {len(row['newer']) - 1} more" if len(row["newer"]) > 1 else ""
        newer = row["newer"][0] + more if row["newer"] else "–"
        cells = (name, row["tier"], *price, f"{row['context_tokens']:,}", row["lifecycle"], newer)
        for column, cell in zip(columns.values(), cells, strict=True):
            column.append(cell)
    shown = fitting(columns, _FOLDED, width, _LEAST_FIRST)
    left_out = [name for name in columns if name not in shown]
    wider = f"\nA wider terminal shows {listing(left_out)}, too." if left_out else ""
    cliffs = [
        f"\n{row['id']}: every token {factor:g} times as dear where a prompt has more than {above:,}"
        for row in rows
        if row["price_cliff"]
        for above, factor in [row["price_cliff"].values()]
    ]
    told = f"* in the line-up · prices: {prices}{''.join(cliffs)}{wider}"
    return fitted(shown, _FOLDED, width, told, whole=("model", "tier", "newer in its tier"))
