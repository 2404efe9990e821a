"""`evalkit plan`: what a test set of this size can show, before any money is spent."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalkit.cli import urls
from evalkit.cli.terminal import say
from evalkit.errors import UsageError
from evalkit.frozen import dataclass
from evalkit.grader_names import kind_of

if TYPE_CHECKING:
    from evalkit.records import Snapshot
    from evalkit.sizing import Assumptions


_ALPHAS = 1e-4, 0.4


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("plan")(plan)


def plan(
    dataset: Annotated[
        Path | None,
        typer.Argument(
            parser=urls.readable_dataset, help="Test set to plan for (default: --items).", show_default=False
        ),
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
        Path | None,
        typer.Option("--run", parser=urls.readable, help="Earlier run to take rate, discordance and costs from."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what difference a set can show, what a gate at a margin needs, and what more would cost.

    Examples:

      evalkit plan datasets/support-replies.jsonl --epochs 3

      evalkit plan --items 50 --margin 0.05

      evalkit plan --items 100 --run runs/support-replies-1a2b3c4d.db

    Costs come from the earlier run or, for a dataset without one, from the length of its prompts, answers of 400
    tokens and the published prices (or evalkit.yaml's). Nothing is sent.
    """
    from evalkit.sizing import Assumptions, likely_discordance, sentences, size_up

    seen = _Seen() if run is None else _seen(run)
    costs = seen.costs if run is not None or dataset is None else _foreseen(dataset)
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
        money = {"cost_per_trial_usd": costs.models_usd, "judge_per_output_usd": costs.judge_usd}
        typer.echo(json.dumps({**asdict(sizing), **money, "cost_basis": costs.basis}, indent=2))
        return
    notes = [f"{costs.note}."] if costs.note else []
    for line in (*sentences(sizing, costs.per_item_usd), *_cost_lines(costs, assumed), *notes):
        say(line)


@dataclass(frozen=True)
class _Costs:
    """USD of one request of each model, and of judging one output; `basis` says where they come from.

    `models_usd` is empty where any is unknown. `judge_usd` None: unknown; 0: no judge. `note`: what they cannot hold.
    """

    models_usd: tuple[float, ...] = ()
    judge_usd: float | None = None
    basis: str = ""
    note: str = ""

    @property
    def per_item_usd(self) -> tuple[float, ...]:
        """One epoch of one item: each model's request, and the judging of all their outputs."""
        return (*self.models_usd, (self.judge_usd or 0.0) * len(self.models_usd))


def _cost_lines(costs: _Costs, assumed: "Assumptions") -> list[str]:
    from evalkit.cli.spending import dollars

    if not costs.models_usd:
        return [f"What it costs is not known: {costs.basis}."] if costs.basis else []
    trials = assumed.items * assumed.epochs
    models_usd, judge_usd = sum(costs.models_usd) * trials, costs.judge_usd
    judging = (
        "judging not known" if judge_usd is None else f"judging {dollars(judge_usd * len(costs.models_usd) * trials)}"
    )
    total_usd = sum(costs.per_item_usd) * trials
    requests = f"{trials * len(costs.models_usd):,} requests {dollars(models_usd)}"
    return [f"This set costs about {dollars(total_usd)}: {requests}, {judging} ({costs.basis})."]


def _foreseen(dataset: Path) -> _Costs:
    """The bill of a dataset that nobody has run: its own prompts, typical answers, list prices."""
    from evalkit.bill import TYPICAL_OUTPUT_TOKENS, total
    from evalkit.dataset_files import read_dataset
    from evalkit.files import find_rubric, read_config, read_rubric
    from evalkit.planning import Options, foreseen_bill
    from evalkit.pricing import Prices
    from evalkit.prompt_notes import naming

    config, loaded = read_config(Path("evalkit.yaml")), read_dataset(dataset)
    try:
        rubric = read_rubric(find_rubric(dataset, config))
    except UsageError:
        rubric = None
    bill = foreseen_bill(loaded, rubric, Options(config.models, prices=Prices(config.prices)), config.panel)
    models = [line.expected_usd / line.requests for line in bill.lines if line.expected_usd is not None]
    if len(models) < len(bill.lines):
        return _Costs(basis="a model of the line-up has no price; evalkit.yaml can name it")
    judging = total([line.expected_usd for line in bill.judges])
    judge = None if rubric is None or judging is None else judging / sum(line.requests for line in bill.lines)
    basis = f"foreseen: prompts estimated from characters, answers of {TYPICAL_OUTPUT_TOKENS} tokens"
    named = naming(loaded.items)
    return _Costs(tuple(models), judge, basis, f"{named}: each is one page in what is foreseen" if named else "")


@dataclass(frozen=True)
class _Seen:
    """What is known before: defaults, or an earlier run's items, rate, discordance and cost of a trial per model."""

    items: int | None = None
    rate: float = 0.90
    discordance: float = 0.10
    costs: _Costs = _Costs()


def _seen(path: Path) -> _Seen:
    from evalkit.analysis import analyze
    from evalkit.conditional import refuse
    from evalkit.showing import refuse_while_graded
    from evalkit.store import RunFile

    with RunFile(path, read_only=True) as file:
        snapshot = file.snapshot()
    refuse(snapshot.spec, "planned from")
    refuse_while_graded(snapshot)
    analysis = analyze(snapshot)
    costs = [m.cost_per_request.value for m in analysis.models if m.cost_per_request.value is not None]
    rates = [m.pass_rate.value for m in analysis.models if m.pass_rate.value is not None]
    if not rates:
        raise UsageError(f"{path} has no grades to plan from; `evalkit grade --blind` comes first")
    differ = [(pair.gain + pair.loss) / pair.items for pair in analysis.pairs if pair.items]
    return _Seen(
        items=analysis.items,
        rate=min(max(rates), 0.99),
        discordance=min(differ, default=_Seen.discordance),
        costs=_Costs(
            tuple(costs) if len(costs) == len(analysis.models) else (),
            _judging_usd(snapshot),
            "as the earlier run cost"
            if len(costs) == len(analysis.models)
            else "the earlier run has unpriced requests",
        ),
    )


def _judging_usd(snapshot: "Snapshot") -> float | None:
    """What judging one output cost, by all judges of a round and with retries.

    0 where only people graded, None where a price is missing.
    """
    attempts = [attempt for attempt in snapshot.attempts if attempt.grader is not None]
    graded = [grade for grade in snapshot.grades if kind_of(grade.grader) == "judge"]
    judged = {(a.round_id, a.trial_id) for a in attempts} | {(g.round_id, g.trial_id) for g in graded}
    if any(a.cost_usd is None and a.outcome not in (None, "errored") for a in attempts):
        return None
    if not attempts:
        return None if graded else 0.0
    return sum(attempt.cost_usd or 0.0 for attempt in attempts) / len(judged)


def _items(dataset: Path | None, items: int | None, seen: _Seen) -> int:
    if dataset is not None:
        from evalkit.dataset_files import read_dataset

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
