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
                "input_usd_per_mtok": round(priced[0], 4) if priced else None,
                "output_usd_per_mtok": round(priced[1], 4) if priced else None,
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
    from rich.table import Table

    from evalkit.cli.terminal import console

    table = Table(box=None, pad_edge=False, header_style="dim", caption=f"* in the line-up · prices: {prices}")
    table.add_column("model", no_wrap=True)
    table.add_column("tier")
    for name in ("in $/M", "out $/M", "context"):
        table.add_column(name, justify="right", overflow="fold")
    for name in ("lifecycle", "newer in its tier"):
        table.add_column(name, overflow="fold")
    for row in rows:
        name = row["id"] + (" *" if row["in_line_up"] else "") + ("" if row["pinned"] else " (alias)")
        price = ["unpriced" if row[k] is None else f"{row[k]:g}" for k in ("input_usd_per_mtok", "output_usd_per_mtok")]
        more = f" and {len(row['newer']) - 1} more" if len(row["newer"]) > 1 else ""
        newer = row["newer"][0] + more if row["newer"] else "–"
        table.add_row(name, row["tier"], *price, f"{row['context_tokens']:,}", row["lifecycle"], newer)
    console().print(table)
