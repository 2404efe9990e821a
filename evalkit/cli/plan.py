"""`evalkit plan`: what a test set of this size can show, before any money is spent."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalkit.errors import UsageError

if TYPE_CHECKING:
    from evalkit.sizing import Assumptions


_ALPHAS = 1e-4, 0.4


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("plan")(plan)


def plan(
    dataset: Annotated[
        Path | None, typer.Argument(help="Test set to plan for (default: --items).", show_default=False)
    ] = None,
    items: Annotated[int | None, typer.Option("--items", min=1, max=1000, help="Number of items.")] = None,
    epochs: Annotated[int, typer.Option(min=1, max=10, help="Repetitions of each item.")] = 1,
    rate: Annotated[
        float | None, typer.Option(help="Satisfactory rate that is expected (default: 0.90, or the run's).")
    ] = None,
    discordance: Annotated[
        float | None,
        typer.Option(help="Share of items that two equal models differ on (default: 0.10, or the run's)."),
    ] = None,
    margin: Annotated[float, typer.Option(help="Loss that a gate may not overlook, as a share.")] = 0.10,
    alpha: Annotated[float, typer.Option(help="One-sided error of the gate.")] = 0.05,
    run: Annotated[
        Path | None, typer.Option("--run", help="Earlier run to take rate, discordance and costs from.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what difference a set can show, what a gate at a margin needs, and what more would cost.

    Examples:

      evalkit plan datasets/support-replies.jsonl --epochs 3

      evalkit plan --items 50 --margin 0.05

      evalkit plan --items 100 --run runs/support-replies-1a2b3c4d.db
    """
    from evalkit.sizing import Assumptions, likely_discordance, sentences, size_up

    seen = _Seen() if run is None else _seen(run)
    expected = seen.rate if rate is None else rate
    if discordance is None:
        discordance = likely_discordance(expected, seen.discordance)
    assumed = Assumptions(_items(dataset, items, seen), epochs, expected, discordance, margin, alpha)
    _refuse_nonsense(assumed)
    try:
        sizing = size_up(assumed)
    except ValueError as error:
        raise UsageError(f"these assumptions do not go together: {error}; change them") from error
    if as_json:
        typer.echo(json.dumps({**asdict(sizing), "cost_per_trial_usd": seen.costs_usd}, indent=2))
        return
    for line in sentences(sizing, seen.costs_usd):
        typer.echo(line)


@dataclass(frozen=True)
class _Seen:
    """What is known before: defaults, or an earlier run's items, rate, discordance and cost of a trial per model."""

    items: int | None = None
    rate: float = 0.90
    discordance: float = 0.10
    costs_usd: tuple[float, ...] = ()


def _seen(path: Path) -> _Seen:
    from evalkit.analysis import analyze
    from evalkit.store import RunFile

    with RunFile(path, read_only=True) as file:
        analysis = analyze(file.snapshot())
    costs = [m.cost_per_request.value for m in analysis.models if m.cost_per_request.value is not None]
    rates = [m.pass_rate.value for m in analysis.models if m.pass_rate.value is not None]
    if not rates:
        raise UsageError(f"{path} has no grades to plan from; `evalkit grade --blind` comes first")
    differ = [(pair.gain + pair.loss) / pair.items for pair in analysis.pairs if pair.items]
    return _Seen(
        items=analysis.items,
        rate=min(max(rates), 0.99),
        discordance=min(differ, default=_Seen.discordance),
        costs_usd=tuple(costs) if len(costs) == len(analysis.models) else (),
    )


def _items(dataset: Path | None, items: int | None, seen: _Seen) -> int:
    if dataset is not None:
        from evalkit.files import read_dataset

        return items or len(read_dataset(dataset).items)
    if items is None and seen.items is None:
        raise UsageError("nothing to plan for; name a dataset, --items or --run")
    return items or seen.items or 0


def _refuse_nonsense(assumed: "Assumptions") -> None:
    for name in ("rate", "discordance", "margin", "alpha"):
        value = getattr(assumed, name)
        if not 0 < value < 1:
            raise UsageError(f"--{name} is {value:g}, but must lie between 0 and 1; write e.g. 0.10")
    least, most = _ALPHAS  # less takes minutes to enumerate and thousands of items to reach; more is no error rate
    if not least <= assumed.alpha <= most:
        raise UsageError(f"--alpha is {assumed.alpha:g}, but must lie from {least:g} to {most:g}; 0.05 is usual")
    if assumed.items > 1000:
        raise UsageError(f"{assumed.items:,} items are more than can be planned for; use --items 1000")
