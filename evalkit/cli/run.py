"""`evalkit run`: send every item to every model, and record every attempt."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalkit.errors import UsageError

if TYPE_CHECKING:
    from evalkit.config import Config
    from evalkit.dataset import Dataset
    from evalkit.rubric import Rubric
    from evalkit.run import Options, Prepared


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


def tokens(text: str) -> int:
    """A size as people write it: 50000, 50_000, 50k, 1.5k."""
    found = re.fullmatch(r"(\d[\d_]*(?:\.\d+)?)\s*([kKmM]?)", text.strip())
    size = 0 if found is None else float(found[1].replace("_", "")) * {"": 1, "k": 1e3, "m": 1e6}[found[2].lower()]
    if size < 1:
        raise UsageError(f"--context {text!r} is not a number of tokens; write e.g. 50000 or 50k")
    return round(size)


def run(
    dataset: Annotated[Path, typer.Argument(help="Test set, one JSON object a line.", show_default=False)],
    rubric: Annotated[
        Path | None, typer.Option("--rubric", help="Rubric [default: rubrics/<dataset>.yaml].", show_default=False)
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("-m", "--model", help="Model id, repeatable [default: the line-up].", show_default=False),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option("-j", "--concurrency", min=1, max=256, help="Requests in flight [default: 8].")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, max=100, help="Repetitions of each item [default: 1].")] = None,
    limit: Annotated[int | None, typer.Option("-n", "--limit", min=1, help="Only the first N items.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of order and context [default: 1].")] = None,
    context: Annotated[
        str | None, typer.Option(help="Fill prompts up to N tokens, e.g. 50k [default: the dataset card's].")
    ] = None,
    budget_usd: Annotated[float | None, typer.Option(min=0.0, help="Never spend more than this on the run.")] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, where the dataset says nothing.")] = 1024,
    base_url: Annotated[str | None, typer.Option(help="Another server with the same API.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count and estimate; send and write nothing.")] = False,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask before spending.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
    folder: Annotated[Path, typer.Option("--runs", help="Folder of the run files.")] = Path("runs"),
) -> Path:
    """Run a dataset through every model. The same command again fills what is missing, and nothing else.

    Examples:

      evalkit run datasets/support-replies.jsonl --dry-run

      evalkit run datasets/support-replies.jsonl --budget-usd 40 --yes

      evalkit run my.jsonl --rubric my.yaml -m claude-sonnet-4-6 -m claude-haiku-4-5-20251001
    """
    from evalkit.files import find_rubric, read_config, read_dataset, read_rubric
    from evalkit.run import Options

    config = read_config(Path("evalkit.yaml"))
    loaded = read_dataset(dataset)
    options = Options(
        models=_distinct(model or config.models),
        epochs=epochs or config.epochs,
        limit=limit,
        seed=config.seed if seed is None else seed,
        context_tokens=None if context is None else tokens(context),
        max_tokens=max_tokens,
    )
    criteria = read_rubric(rubric or find_rubric(dataset, config))
    _refuse_errors(dataset, loaded, criteria)
    session = _Session(config, budget_usd, concurrency, base_url, dry_run=dry_run, yes=yes, quiet=quiet)
    return asyncio.run(session.run(loaded, criteria, options, folder))


def _distinct(models: Sequence[str]) -> tuple[str, ...]:
    for name in models:
        if not name.strip():
            raise UsageError("a model id is empty; name a model, see `evalkit models`")
        if list(models).count(name) > 1:
            raise UsageError(f"model {name!r} is named twice; name it once and use --epochs for repeats")
    return tuple(models)


def _refuse_errors(path: Path, dataset: "Dataset", rubric: "Rubric") -> None:
    """What `check` calls an error stops a run before it costs anything; warnings are for `check` to tell."""
    from evalkit.dataset_check import doubts
    from evalkit.errors import ProblemsError

    errors = [str(problem) for problem in doubts(path, dataset, rubric) if problem.severity == "error"]
    if errors:
        raise ProblemsError(errors)


class _Session:
    """One invocation of `run`: its settings, and its talk with the user."""

    def __init__(
        self,
        config: "Config",
        budget_usd: float | None,
        concurrency: int | None,
        base_url: str | None,
        *,
        dry_run: bool,
        yes: bool,
        quiet: bool,
    ) -> None:
        self.budget_usd = config.budget_usd if budget_usd is None else budget_usd
        self.concurrency = concurrency or config.concurrency
        self.base_url = base_url or config.base_url
        self.dry_run, self.yes, self.quiet = dry_run, yes, quiet

    async def run(self, dataset: "Dataset", rubric: "Rubric", options: "Options", folder: Path) -> Path:
        from evalkit.cli.progress import Board, counting
        from evalkit.cli.spending import confirm
        from evalkit.executors.local import Limits
        from evalkit.providers import Preflight
        from evalkit.providers.dispatch import open_provider
        from evalkit.run import carry_out, check_budget, prepare, start

        provider = open_provider(options.models, self.base_url, self.concurrency)
        try:
            with counting("counting tokens", self.quiet) as counter:
                prepared = await prepare(dataset, rubric, options, provider, folder, counter)
            if self.dry_run or not prepared.pending:
                typer.echo(describe(prepared, self.budget_usd))
                return prepared.path
            check_budget(prepared, self.budget_usd)
            confirm(
                describe(prepared, self.budget_usd),
                self.yes,
                free=provider.bills_nothing(Preflight(prepared.plan.spec.endpoint, prepared.plan.spec.simulated)),
                capped=self.budget_usd is not None,
            )
            start(prepared, dataset)
            totals = {estimate.model: estimate.requests for estimate in prepared.estimates}
            with Board(totals, self.quiet).shown() as board:
                limits = Limits(self.concurrency)
                await carry_out(prepared, dataset, provider, limits, self.budget_usd, board.tell)
            typer.echo(f"complete: {prepared.path}\nnext: evalkit grade --blind {prepared.path}")
            return prepared.path
        finally:
            await provider.close()


def describe(prepared: "Prepared", budget_usd: float | None) -> str:
    """What a run is about to do, and what it may cost."""
    from evalkit.cli.spending import dollars

    spec = prepared.plan.spec
    if not prepared.pending:
        return f"complete already, nothing to send: {prepared.path}\nnext: evalkit grade --blind {prepared.path}"
    lines = [f"{'going on with' if prepared.exists else 'new run'} {prepared.path}"]
    if spec.simulated:
        lines.append("SIMULATED: this server is evalkit's sandbox")
    for estimate in prepared.estimates:
        if not estimate.requests:
            continue
        mean = estimate.input_tokens // estimate.requests
        size = f"{mean:,} tokens each" + ("" if estimate.counted else " (estimated)")
        low, high = dollars(estimate.input_usd), dollars(estimate.worst_usd)
        lines.append(f"  {estimate.model}: {estimate.requests} requests, {size}, {low} for input, at most {high}")
    lines += _context_lines(prepared)
    worst = [estimate.worst_usd for estimate in prepared.estimates]
    total = None if None in worst else sum(usd or 0.0 for usd in worst)
    cap = f", budget ${budget_usd:,.2f} ({dollars(prepared.spent_usd)} spent)" if budget_usd is not None else ""
    lines.append(f"  together at most {dollars(total)}, each request sent once{cap}")
    return "\n".join(lines)


def _context_lines(prepared: "Prepared") -> list[str]:
    """What is odd about the prompt sizes: production's context is missed, or overshot by evidence alone."""
    asked = prepared.plan.spec.context_tokens
    tokens = [size.tokens for size in prepared.plan.sizes]
    if asked is None or not tokens:
        return []
    if max(tokens) > asked:
        return [
            f"  warning: prompts of up to {max(tokens):,} tokens, over the {asked:,} asked for: evidence is sent whole"
        ]
    if max(tokens) < 0.8 * asked:
        return [
            f"  warning: prompts reach {max(tokens):,} of the {asked:,} tokens asked for; add documents to fill them"
        ]
    return []
