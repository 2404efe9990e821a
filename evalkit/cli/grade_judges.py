"""Grading by deterministic checks and LLM judges: what it will cost, then the doing, with progress."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.charged import NOTHING
from evalkit.cli.terminal import in_shell, say
from evalkit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.grade import JudgeBill
    from evalkit.panel import Panel
    from evalkit.pricing import Prices
    from evalkit.records import Round, Snapshot
    from evalkit.store import RunFile


def nothing_to_grade(path: Path, snapshot: "Snapshot") -> str:
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
        f" `evalkit runs {in_shell(path)}` shows them, then correct the dataset or the models and make a new run"
    )


class JudgeSession:
    """One invocation of `grade` by checks and, if there is a panel, by its judges."""

    def __init__(
        self,
        panel: "Panel | None",
        *,
        blind: bool,
        concurrency: int,
        budget_usd: float | None,
        base_url: str | None,
        dry_run: bool,
        yes: bool,
        quiet: bool,
        prices: "Prices",
        allow_own: bool = False,
    ) -> None:
        self.prices, self.allow_own = prices, allow_own
        self.panel, self.blind, self.concurrency = panel, blind, concurrency
        self.budget_usd, self.base_url = budget_usd, base_url
        self.dry_run, self.yes, self.quiet = dry_run, yes, quiet
        self.charged = NOTHING

    async def grade(self, file: "RunFile") -> None:
        from contextlib import nullcontext

        from evalkit.executors.budget import payers

        with nullcontext() if self.dry_run else file.only_writer(*payers("grade", self.budget_usd)):
            graders, bill = self._foresee(file.path, file.snapshot())
            if self.dry_run:
                say(self._offer(bill) if bill else "checks only: nothing to send, nothing to pay")
            elif self.panel is None or bill is None or not (bill.requests or bill.reused):
                self._check(file, graders)
            else:
                await self._judge(file, graders, self.panel, bill)
            if not self.dry_run:
                self._tell_of_judging(file)
                if not self.quiet:
                    say(f"graded: {file.path}\nnext: evalkit report {in_shell(file.path)}")

    def _foresee(self, path: Path, snapshot: "Snapshot") -> "tuple[Sequence[str], JudgeBill | None]":
        """Who is to grade, and what the judges among them may cost; notes what the run file has cost so far."""
        from evalkit.claims import charged
        from evalkit.grade import graders_for, judge_bill, preview_round
        from evalkit.queues import rubric_of
        from evalkit.rounds import answered

        self.charged = charged(snapshot, datetime.now(UTC), self.prices)
        if not answered(snapshot):
            raise UsageError(nothing_to_grade(path, snapshot))
        graders = graders_for(rubric_of(snapshot), self.panel)
        if not graders:
            raise UsageError("the rubric has judged criteria only, which checks cannot grade; take another --by")
        if self.panel is None:
            return graders, None
        self._refuse_own(snapshot, self.panel)
        round_ = preview_round(snapshot, graders, self.blind, self.panel)
        return graders, judge_bill(snapshot, round_, self.panel, self.prices)

    def _refuse_own(self, snapshot: "Snapshot", panel: "Panel") -> None:
        """A judge that is one of the models compared favours its own outputs: not without being asked for."""
        from evalkit.grade import own_judges

        own = own_judges(snapshot, panel.judges)
        if own and not self.allow_own:
            raise UsageError(
                f"judge {own[0]!r} is one of the models compared and may favour its own outputs;"
                " name another with --judge, or add --allow-own-judge"
            )
        for model in own:
            say(f"warning: judge {model} is one of the models compared and may favour its own outputs", err=True)

    def _offer(self, bill: "JudgeBill") -> str:
        """What the judges are about to be asked, and what it may cost."""
        from evalkit.cli.spending import at_most, capped, foreseen

        lines = [
            f"judge {line.model}: {line.requests} requests, about {line.input_tokens:,} input tokens,"
            f" {foreseen(line.expected_usd, line.worst_usd)}"
            for line in bill.lines
        ]
        reused = f", {bill.reused} answers reused" if bill.reused else ""
        lines.append(
            f"judging {bill.outputs} outputs: {bill.requests} requests{reused},"
            f" {at_most(bill.worst_usd)}{capped(self.budget_usd, self.charged)}"
        )
        return "\n".join(lines)

    def _tell_of_judging(self, file: "RunFile") -> None:
        """What a user should know of it beside the grades: texts that spoke to the judge, and how comparing went."""
        from evalkit.injections import injections
        from evalkit.preferences import survivors
        from evalkit.rounds import answered
        from evalkit.standing_grades import counting
        from evalkit.wording import plural

        if self.panel is None or self.quiet:
            return
        snapshot = file.snapshot()
        counts = [count for count in map(injections, answered(snapshot).values()) if count]
        if counts:
            say(
                f"injections: {sum(counts)} places in {len(counts)} outputs speak to a grader or look like a verdict;"
                " they were quoted to the judges as part of the output",
                err=True,
            )
        names = {name for _, _, name in self.panel.views}
        failed = [g for g in counting(snapshot.grades) if g.grader in names and g.level is None]
        if failed:
            outputs = len({g.trial_id for g in failed})
            say(
                f"warning: {plural(outputs, 'output')} without a grade that a judge was asked for, which no repeat"
                f" brings ({failed[0].ungraded_reason}); let people grade, or another judge",
                err=True,
            )
        pairs = survivors(p for p in snapshot.preferences if p.grader in names)
        if self.panel.side_by_side and pairs:
            ties = sum(preferred is None for preferred in pairs.values())
            say(f"side by side: {len(pairs)} pairs in both orders, {ties} of them ties", err=True)

    def _check(self, file: "RunFile", graders: "Sequence[str]", endpoint: str | None = None) -> "Round":
        """Open the round, and let the checks do their part, which costs nothing."""
        from evalkit.cli.progress import counting
        from evalkit.grade import grade_by_checks, open_round
        from evalkit.graders import checks

        round_ = open_round(file, graders, self.blind, self.panel, endpoint)
        if not self.blind:
            say("NOT BLIND: this round is stamped and its grades are for debugging only", err=True)
        if checks.NAME in graders:
            with counting("checking", self.quiet) as counter:
                done = grade_by_checks(file, round_, counter)
            if not self.quiet:
                say(f"checks: {done} outputs graded", err=True)
        return round_

    async def _judge(self, file: "RunFile", graders: "Sequence[str]", panel: "Panel", bill: "JudgeBill") -> None:
        """Everything that can refuse comes before the round is opened: a judge that is none leaves no trace."""
        from evalkit.cli.progress import Board
        from evalkit.cli.spending import confirm
        from evalkit.cli.tally import Ahead
        from evalkit.executors.budget import Budget
        from evalkit.executors.local import Limits
        from evalkit.grade import grade_by_judges
        from evalkit.providers.dispatch import open_provider

        Budget(self.budget_usd)
        unpriced = [line.model for line in bill.lines if line.worst_usd is None]
        if self.budget_usd is not None and unpriced:
            raise UsageError(f"a budget cannot be kept: {unpriced[0]} has no known price; leave --budget-usd out")
        provider, endpoint = open_provider(panel.judges, self.base_url, self.concurrency), None
        try:
            if bill.requests:
                server = await provider.preflight(panel.judges)
                endpoint = server.endpoint
                if server.problems:
                    raise UsageError("\n".join(server.problems.values()))
                mark = "SIMULATED: this server is evalkit's sandbox\n" if server.simulated else ""
                free, capped = provider.bills_nothing(server), self.budget_usd is not None
                confirm(mark + self._offer(bill), self.yes, free=free, capped=capped, quiet=self.quiet)
            round_ = self._check(file, graders, endpoint)
            ahead = {line.model: Ahead(line.requests, line.expected_usd) for line in bill.lines}
            board = Board(ahead, self.quiet, budget_usd=self.budget_usd, charged=self.charged)
            with board.shown(), board.missing():
                limits = Limits(self.concurrency)
                await grade_by_judges(
                    file, round_, panel, provider, limits, self.budget_usd, board.tell, self.prices, board.say
                )
        finally:
            await provider.close()
