"""`evalkit run`: send every item to every model, and record every attempt."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from evalkit.cli import options
from evalkit.cli.choice import Asked, Choice
from evalkit.cli.spending import warn_of_aliases
from evalkit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.bill import Line
    from evalkit.config import Config
    from evalkit.panel import Panel
    from evalkit.planning import Prepared
    from evalkit.run import Done
    from evalkit.way import Way


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


def run(
    dataset: options.TestSet = None,
    rubric: options.Rubric = None,
    model: options.Models = None,
    concurrency: options.Concurrency = None,
    epochs: options.Epochs = None,
    limit: options.Limit = None,
    seed: options.Seed = None,
    context: options.Context = None,
    budget_usd: options.BudgetUsd = None,
    max_tokens: options.MaxTokens = None,
    only_unsatisfactory: options.OnlyUnsatisfactory = None,
    source: options.Source = None,
    with_router: options.WithRouter = None,
    base_url: options.BaseUrl = None,
    cache: options.Cache = "off",
    rpm: options.Rpm = None,
    tpm: options.Tpm = None,
    timeout: options.Timeout = 600.0,
    executor: options.Executor = "local",
    latency_sample: options.LatencySample = 0,
    output: options.RunOutput = None,
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    quiet: options.Quiet = False,
    folder: options.RunsFolder = Path("runs"),
) -> Path:
    """Run a dataset through every model. The same command again fills what is missing, and nothing else.

    Examples:

      evalkit run datasets/support-replies.jsonl --dry-run

      evalkit run datasets/support-replies.jsonl --budget-usd 40 --yes

      evalkit run my.jsonl --rubric my.yaml -m claude-sonnet-4-6 -m claude-haiku-4-5-20251001

      evalkit run my.jsonl --executor batch --latency-sample 30 --yes

      evalkit run my.jsonl --context 2k,10k,50k --epochs 3 -j 32 --tpm 400000

      evalkit run my.jsonl --with-router claude-haiku-4-5-20251001 --budget-usd 40

      evalkit run my.jsonl --only-unsatisfactory claude-sonnet-4-6 -m claude-opus-4-6 --from runs/my-1a2b3c4d.db
    """
    from evalkit.cli.with_router import run_with_router
    from evalkit.files import read_config
    from evalkit.pricing import Prices

    config = read_config(Path("evalkit.yaml"))
    asked = Asked(
        dataset, rubric, model, epochs, limit, seed, context, max_tokens, cache, only_unsatisfactory, source
    )  # fmt: skip
    chosen = asked.choice(config)
    if chosen is None:
        return source or Path()
    _refuse_errors(chosen)
    warn_of_aliases(chosen.options.models)
    pinned = {kind: most for kind, most in (("requests", rpm), ("input_tokens", tpm)) if most is not None}
    session = Session(config, budget_usd, concurrency, base_url, timeout, pinned, dry_run, yes, quiet)
    settings = replace(chosen.options, prices=Prices(config.prices), way=_way(executor, latency_sample))
    chosen = replace(chosen, options=settings)
    if with_router is None:
        return asyncio.run(session.run(chosen, _place(output, folder))).path
    return asyncio.run(run_with_router(session, chosen, _place(output, folder), with_router))


def _way(executor: str, latency_sample: int) -> "Way":
    from evalkit.way import Way

    if latency_sample and executor != "batch":
        raise UsageError("--latency-sample goes with --executor batch; all is streamed as it is, leave it out")
    return Way(executor, latency_sample)


def _place(output: Path | None, folder: Path) -> Path:
    if output is not None and output.suffix != ".db":
        raise UsageError(f"--output {str(output)!r} is no name of a run file; let it end in .db")
    return output or folder


def _refuse_errors(chosen: Choice) -> None:
    """What `check` calls an error stops a run before it costs anything; warnings are for `check` to tell."""
    from evalkit.dataset_check import errors
    from evalkit.errors import ProblemsError

    if found := errors(chosen.path, chosen.dataset, chosen.rubric.criteria):
        raise ProblemsError([str(problem) for problem in found])


class Session:
    """One invocation of `run`: its settings, and its talk with the user."""

    def __init__(
        self,
        config: "Config",
        budget_usd: float | None,
        concurrency: int | None,
        base_url: str | None,
        timeout_s: float,
        pinned: "Mapping[str, int]",
        dry_run: bool,
        yes: bool,
        quiet: bool,
    ) -> None:
        self.panel: Panel | None = config.panel
        self.timeout_s, self.pinned = timeout_s, pinned
        self.budget_usd = config.budget_usd if budget_usd is None else budget_usd
        self.concurrency = concurrency or config.concurrency
        self.base_url = base_url or config.base_url
        self.dry_run, self.yes, self.quiet = dry_run, yes, quiet

    async def run(self, chosen: Choice, place: Path, then: str = "") -> "Prepared":
        """Carry out what is pending; `then` is what to do next, unless it is to grade."""
        from evalkit.cli.only_unsatisfactory import refuse_unlike
        from evalkit.cli.progress import Board, counting
        from evalkit.cli.spending import confirm
        from evalkit.executors.local import Limits
        from evalkit.planning import check_writable, prepare, start
        from evalkit.providers import Preflight
        from evalkit.providers.dispatch import open_provider
        from evalkit.run import carry_out, check_budget

        if not self.dry_run:
            check_writable(place)
        dataset, options = chosen.dataset, chosen.options
        provider = open_provider(options.models, self.base_url, self.concurrency, self.timeout_s)
        try:
            with counting("counting tokens", self.quiet) as counter:
                prepared = await prepare(dataset, chosen.rubric, options, provider, place, counter, self.panel)
            if chosen.source is not None:
                refuse_unlike(chosen.source, prepared.plan.spec)
            if self.dry_run or not prepared.left:
                typer.echo(describe(prepared, self.budget_usd, self.concurrency))
                return prepared
            check_budget(prepared, self.budget_usd)
            confirm(
                describe(prepared, self.budget_usd, self.concurrency),
                self.yes,
                free=provider.bills_nothing(Preflight(prepared.plan.spec.endpoint, prepared.plan.spec.simulated)),
                capped=self.budget_usd is not None,
            )
            start(prepared, dataset)
            totals = {line.model: line.requests for line in prepared.bill.lines}
            with Board(totals, self.quiet).shown() as board:
                limits = Limits(self.concurrency, pinned=self.pinned)
                done = await carry_out(prepared, dataset, provider, limits, self.budget_usd, board.tell, board.say)
            then = then or f"{'grade --blind' if done.outcomes.get('answered') else 'runs'} {prepared.path}"
            typer.echo(f"{completed(done)}: {prepared.path}\nnext: evalkit {then}")
            return prepared
        finally:
            await provider.close()


def completed(done: "Done") -> str:
    """The end of a run in words: what the trials came to, and whether our own clock could keep up."""
    from evalkit.records import TRUSTED_LAG_S

    if done.lag_p99_s is not None and done.lag_p99_s > TRUSTED_LAG_S:
        late = f"this machine was late by {done.lag_p99_s * 1000:.0f} ms (p99), so latencies are partly its own"
        typer.echo(f"warning: {late}; lower -j for truer ones", err=True)
    failed = [f"{count} {outcome}" for outcome, count in sorted(done.outcomes.items()) if outcome != "answered"]
    answered = done.outcomes.get("answered", 0)
    return f"complete, {answered} answered, {', '.join(failed)} for good" if failed else "complete"


def describe(prepared: "Prepared", budget_usd: float | None, concurrency: int) -> str:
    """What a run is about to do, what it may cost, and how long it takes."""
    from evalkit.cli.spending import capped, dollars
    from evalkit.conditional import mark

    spec, bill = prepared.plan.spec, prepared.bill
    if not prepared.left:
        return f"complete already, nothing to send: {prepared.path}\nnext: evalkit grade --blind {prepared.path}"
    lines = [f"new run {prepared.path}"]
    if prepared.exists:
        lines = [f"going on with {prepared.path}: {prepared.done} of {len(prepared.plan.order)} trials done, kept"]
    if spec.simulated:
        lines.append("SIMULATED: this server is evalkit's sandbox")
    condition = mark(spec)
    lines += [f"  {note}" for note in (*prepared.notes, *((condition,) if condition else ()))]
    lines += [_bill_line(line) for line in bill.lines if line.requests]
    lines += [f"{_bill_line(line)} (for `evalkit grade`, apart)" for line in bill.judges]
    lines += _context_lines(prepared)
    worst = [line.worst_usd for line in bill.lines]
    total = None if None in worst else sum(usd or 0.0 for usd in worst)
    lines.append(f"  together at most {dollars(total)}, each request sent once{capped(budget_usd, prepared.spent_usd)}")
    batched, requests = (sum(getattr(line, name) for line in bill.lines) for name in ("batched", "requests"))
    if batched:
        lines.append(
            f"  {batched} of them in batches, at batch prices: most done in 1 h, all in 24 h, latency not measured"
        )
    if batched < requests:
        lines.append(f"  about {_duration(bill.seconds(concurrency))} at -j {concurrency}, {_basis(prepared)}")
    return "\n".join(lines)


def _bill_line(line: "Line") -> str:
    from evalkit.cli.spending import dollars

    mean = line.input_tokens // max(1, line.requests)
    size = f"{mean:,} tokens each" + ("" if line.counted else " (estimated)")
    costs = f"about {dollars(line.expected_usd)}, at most {dollars(line.worst_usd)}"
    way = f", {line.batched} batch-priced" if line.batched else ""
    return f"  {line.model}: {line.requests} requests, {size}, {costs}{way}"


def _basis(prepared: "Prepared") -> str:
    from evalkit.bill import TYPICAL_OUTPUT_TOKENS

    seen = sum(line.seen for line in prepared.bill.lines)
    return f"going by the {seen} answers there are" if seen else f"assuming {TYPICAL_OUTPUT_TOKENS} tokens an answer"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1.0, seconds):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _context_lines(prepared: "Prepared") -> list[str]:
    """What is odd about the prompt sizes: production's context is missed, or overshot by evidence alone."""
    spec = prepared.plan.spec
    asked = {item.id: item.context_tokens if spec.contexts else spec.context_tokens for item in prepared.plan.items}
    largest: dict[int, int] = {}
    for size in prepared.plan.sizes:
        context = asked[size.item_id]
        if context is not None:
            largest[context] = max(largest.get(context, 0), size.tokens)
    return [line for context, reached in sorted(largest.items()) for line in _missed(context, reached)]


def _missed(asked: int, largest: int) -> list[str]:
    if largest > asked:
        return [f"  warning: prompts of up to {largest:,} tokens, over the {asked:,} asked for: evidence is sent whole"]
    if largest < 0.8 * asked:
        return [f"  warning: prompts reach {largest:,} of the {asked:,} tokens asked for; add documents to fill them"]
    return []
