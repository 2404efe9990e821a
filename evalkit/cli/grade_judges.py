"""Grading by deterministic checks and an LLM judge: what it will cost, then the doing, with progress."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from evalkit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.grade import JudgeBill
    from evalkit.pricing import Prices
    from evalkit.records import Round, Snapshot
    from evalkit.store import RunFile


def _nothing_to_grade(path: Path, snapshot: "Snapshot") -> str:
    """Why there are no outputs; a run whose trials are all settled without one would not be helped by another."""
    from collections import Counter

    from evalkit.planning import settled_trials

    if len(settled_trials(snapshot)) < len(snapshot.trials):
        return f"{path} has no outputs to grade yet; `evalkit run` comes first"
    final = [attempt for attempt in snapshot.attempts if attempt.final and attempt.grader is None]
    kinds = Counter(f"{a.outcome} ({a.error_type})" if a.error_type else str(a.outcome) for a in final)
    told = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    return (
        f"{path} has no outputs to grade: all trials ended without one, for good ({told});"
        f" `evalkit runs {path}` shows them, then correct the dataset or the models and make a new run"
    )


class JudgeSession:
    """One invocation of `grade` by checks and judge."""

    def __init__(
        self,
        model: str | None,
        *,
        blind: bool,
        concurrency: int,
        budget_usd: float | None,
        base_url: str | None,
        dry_run: bool,
        yes: bool,
        quiet: bool,
        prices: "Prices",
    ) -> None:
        self.prices = prices
        self.model, self.blind, self.concurrency = model, blind, concurrency
        self.budget_usd, self.base_url = budget_usd, base_url
        self.dry_run, self.yes, self.quiet = dry_run, yes, quiet
        self.spent_usd = 0.0

    async def grade(self, file: "RunFile") -> None:
        from contextlib import nullcontext

        from evalkit.bill import spent_usd
        from evalkit.executors.budget import payers
        from evalkit.grade import graders_for, judge_bill, preview_round
        from evalkit.queues import rubric_of
        from evalkit.rounds import answered

        with nullcontext() if self.dry_run else file.only_writer(*payers("grade", self.budget_usd)):
            snapshot = file.snapshot()
            self.spent_usd = spent_usd(snapshot)
            if not answered(snapshot):
                raise UsageError(_nothing_to_grade(file.path, snapshot))
            graders = graders_for(rubric_of(snapshot), self.model)
            if not graders:
                raise UsageError("the rubric has judged criteria only and --no-judge leaves nobody to grade; drop it")
            bill = None
            if self.model is not None:
                bill = judge_bill(snapshot, preview_round(snapshot, graders, self.blind), self.model, self.prices)
            if self.dry_run:
                typer.echo(self._offer(bill) if bill else "checks only: nothing to send, nothing to pay")
            elif bill is None or not bill.requests:
                self._check(file, graders)
            else:
                await self._judge(file, graders, bill)
            if not self.dry_run:
                typer.echo(f"graded: {file.path}\nnext: evalkit report {file.path}")

    def _offer(self, bill: "JudgeBill") -> str:
        from evalkit.cli.spending import capped, dollars

        return (
            f"judge {self.model}: {bill.requests} outputs, about {bill.input_tokens:,} input tokens,"
            f" at most {dollars(bill.worst_usd)}{capped(self.budget_usd, self.spent_usd)}"
        )

    def _check(self, file: "RunFile", graders: "Sequence[str]") -> "Round":
        """Open the round, and let the checks do their part, which costs nothing."""
        from evalkit.cli.progress import counting
        from evalkit.grade import grade_by_checks, open_round
        from evalkit.queues import rubric_of

        round_ = open_round(file, graders, self.blind)
        if not self.blind:
            typer.echo("NOT BLIND: this round is stamped and its grades are for debugging only", err=True)
        if rubric_of(file.snapshot()).checked:
            with counting("checking", self.quiet) as counter:
                done = grade_by_checks(file, round_, counter)
            typer.echo(f"checks: {done} outputs graded", err=True)
        return round_

    async def _judge(self, file: "RunFile", graders: "Sequence[str]", bill: "JudgeBill") -> None:
        """Everything that can refuse comes before the round is opened: a judge that is none leaves no trace."""
        from evalkit.cli.progress import Board
        from evalkit.cli.spending import confirm
        from evalkit.executors.budget import Budget
        from evalkit.executors.local import Limits
        from evalkit.grade import grade_by_judge
        from evalkit.providers.dispatch import open_provider

        model = str(self.model)
        Budget(self.budget_usd)
        if self.budget_usd is not None and bill.worst_usd is None:
            raise UsageError(f"a budget cannot be kept: {model} has no known price; leave --budget-usd out")
        provider = open_provider([model], self.base_url, self.concurrency)
        try:
            server = await provider.preflight([model])
            if server.problems:
                raise UsageError("\n".join(server.problems))
            mark = "SIMULATED: this server is evalkit's sandbox\n" if server.simulated else ""
            free, capped = provider.bills_nothing(server), self.budget_usd is not None
            confirm(mark + self._offer(bill), self.yes, free=free, capped=capped)
            round_ = self._check(file, graders)
            with Board({model: bill.requests}, self.quiet).shown() as board:
                limits = Limits(self.concurrency)
                await grade_by_judge(file, round_, model, provider, limits, self.budget_usd, board.tell, self.prices)
        finally:
            await provider.close()
