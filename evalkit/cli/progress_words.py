"""A run under way in words and in fields: the same figures below the live table, in plain lines and in JSON."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalkit.cli.tally import Tally


def state(tally: "Tally", elapsed_s: float) -> str:
    """Where it stands, as one line."""
    return f"{tally.done}/{tally.total} done, {money(tally)}, {left(tally, elapsed_s)}"


def standing(tally: "Tally", elapsed_s: float) -> dict[str, Any]:
    """The same for machines, with every model; what is unknown is null."""
    left_s, projected_usd = tally.left_s(elapsed_s), tally.projected_usd()
    return {
        "done": tally.done,
        "total": tally.total,
        "elapsed_s": round(elapsed_s, 3),
        "left_s": None if left_s is None else round(left_s, 3),
        "spent_usd": tally.spent_usd,
        "unpriced": tally.unpriced,
        "projected_usd": projected_usd,
        "budget_usd": tally.budget_usd,
        "models": {
            model: {
                "done": row.done, "total": row.total, "failed": row.failed, "retries": row.retries,
                "spent_usd": None if row.unpriced else row.spent_usd,
                "p50_s": row.quantile_s(50), "p95_s": row.quantile_s(95),
            }
            for model, row in tally.rows.items()
        },
    }  # fmt: skip


def footer(tally: "Tally", elapsed_s: float, wide: bool) -> list[str]:
    """Total, time and money in one line, or in two where it is narrow."""
    time = f"{tally.done}/{tally.total}  {duration(elapsed_s)} elapsed  {left(tally, elapsed_s)}"
    if tally.waiting is not None:
        time += f"  stopping, {tally.waiting} in flight"
    return [f"{time}  {money(tally)}"] if wide else [time, money(tally)]


def left(tally: "Tally", elapsed_s: float) -> str:
    """Time left in words."""
    left_s = tally.left_s(elapsed_s)
    return "time left unknown" if left_s is None else f"about {duration(left_s)} left"


def money(tally: "Tally") -> str:
    """Spend of budget and what it is heading for."""
    of = "" if tally.budget_usd is None else f" of ${tally.budget_usd:,.2f} budget"
    if tally.budget_usd is not None and tally.charged.aside_usd:
        of += f", {dollars(tally.charged.aside_usd)} more set aside"
    plus = " and what is unpriced" if tally.unpriced else ""
    projected = tally.projected_usd()
    heading = "" if projected is None else f", heading for {dollars(projected)}"
    return f"{dollars(tally.spent_usd)}{plus}{of if of else ' spent'}{heading}"


def dollars(usd: float) -> str:
    """A sum under way: `$0.431`, `$12.40`."""
    return f"${usd:,.2f}" if usd >= 10 else f"${usd:.3f}"


def duration(seconds: float) -> str:
    """`9 s`, `2:05`, `1:02:05`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
