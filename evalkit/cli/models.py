"""`evalkit models`: known model ids with tier, price, context window, lifecycle, and what is newer."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("models")(models)


def models(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List known models. Prices are USD per million tokens for a small request, today.

    Example: evalkit models
    """
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
                "input_usd_per_mtok": priced and round(priced[0], 4),
                "output_usd_per_mtok": priced and round(priced[1], 4),
                "context_tokens": model.context_tokens,
                "lifecycle": model.lifecycle + (f", retires {model.retires}" if model.retires else ""),
                "pinned": model.pinned,
                "in_line_up": model.id in LINE_UP,
                "newer": list(newer_in_tier(model.id)),
            }
        )
    if as_json:
        typer.echo(json.dumps({"prices": prices_version(), "models": rows}, indent=2))
        return
    _print_table(rows, prices_version())


def _print_table(rows: list[dict[str, Any]], prices: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim", caption=f"* in the line-up · prices: {prices}")
    for name, justify in (
        ("model", "left"), ("tier", "left"), ("in $/M", "right"), ("out $/M", "right"), ("context", "right"),
        ("lifecycle", "left"), ("newer in its tier", "left"),
    ):  # fmt: skip
        table.add_column(name, justify="right" if justify == "right" else "left", overflow="fold")
    for row in rows:
        name = row["id"] + (" *" if row["in_line_up"] else "") + ("" if row["pinned"] else " (alias)")
        price = [f"{row[k]:g}" if row[k] else "unpriced" for k in ("input_usd_per_mtok", "output_usd_per_mtok")]
        more = f" and {len(row['newer']) - 1} more" if len(row["newer"]) > 1 else ""
        newer = row["newer"][0] + more if row["newer"] else "–"
        table.add_row(name, row["tier"], *price, f"{row['context_tokens']:,}", row["lifecycle"], newer)
    Console().print(table)
