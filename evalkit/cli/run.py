"""`evalkit run`: send every item to every model, and record every attempt."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from evalkit.cli import options
from evalkit.cli.choice import Asked, Choice
from evalkit.cli.events import talking
from evalkit.cli.run_words import PINNED_BY, completed, describe, late, left_out, planned, staged
from evalkit.cli.spending import check_models, dollars
from evalkit.cli.terminal import in_shell, say
from evalkit.errors import BudgetError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evalkit.cli.events import Talk
    from evalkit.config import Config
    from evalkit.executors.ray import Cluster
    from evalkit.panel import Panel
    from evalkit.planning import Prepared
    from evalkit.providers import Provider
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
    budget_beside: options.BudgetBeside = None,
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
    address: options.Address = None,
    latency_sample: options.LatencySample = 0,
    share: options.Share = 1.0,
    output: options.RunOutput = None,
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
    folder: options.RunsFolder = Path("runs"),
) -> Path:
    """Run a dataset through every model. The same command again fills what is missing, and nothing else.

    Examples:

      evalkit run my.jsonl --with-router claude-haiku-4-5-20251001 --dry-run

      evalkit run my.jsonl --rubric my.yaml -m claude-sonnet-4-6 -m claude-opus-4-6 --budget-usd 40 --yes

      evalkit run my.jsonl --share 0.5 --executor batch --latency-sample 30 --yes

      evalkit run my.jsonl --context 2k,10k,50k --epochs 3 -j 256 --tpm 400000 --executor ray --address auto

      evalkit run my.jsonl --only-unsatisfactory claude-sonnet-4-6 -m claude-opus-4-6 --from runs/my-1a2b3c4d.db
    """
    from evalkit.files import read_config

    with talking(quiet, as_json) as talk:
        config = read_config(Path("evalkit.yaml"))
        asked = Asked(
            dataset, rubric, model, epochs, limit, seed, context, max_tokens, cache, only_unsatisfactory, source
        )  # fmt: skip
        if (chosen := asked.choice(config, talk.note)) is None:
            return source or Path()
        way = _way(executor, latency_sample, address, dry_run=dry_run)
        chosen = _sent_by(way, share, chosen, config)
        _refuse_errors(chosen, talk.note)
        check_models(chosen.options.models, with_router, base_url, config.prices, silent=quiet or as_json)
        session = Session(config, budget_usd, concurrency, base_url, timeout, _pinned(rpm, tpm), dry_run, yes, talk)
        return _carry_out(session, chosen, _place(output, folder), with_router, budget_beside)


def _carry_out(session: "Session", chosen: Choice, place: Path, router: str | None, beside: Path | None) -> Path:
    import asyncio  # a sixth of what `--help` takes

    from evalkit.cli.with_router import run_with_router

    session.shared_with = _shared_with(beside, router)
    if router is None:
        return asyncio.run(session.run(chosen, place)).path
    return asyncio.run(run_with_router(session, chosen, place, router))


def _shared_with(beside: Path | None, router: str | None) -> "Callable[[Path], Path] | None":
    from evalkit.store import RunFile

    if beside is None:
        return None
    if router is not None:
        raise UsageError("--with-router has a run file of its own beside; leave it or --budget-beside out")
    with RunFile(beside, read_only=True):  # one that is not there would lend all of the budget
        return lambda _: beside


def _pinned(rpm: int | None, tpm: int | None) -> "Mapping[str, int]":
    return {kind: most for kind, most in zip(PINNED_BY, (rpm, tpm), strict=True) if most is not None}


def _sent_by(way: "Way", share: float, chosen: Choice, config: "Config") -> Choice:
    from evalkit.pricing import Prices

    return replace(chosen, options=replace(chosen.options, prices=Prices(config.prices), way=way, share=share))


def _way(executor: str, latency_sample: int, address: str | None, *, dry_run: bool) -> "Way":
    from importlib.util import find_spec

    from evalkit.way import Way

    if address is not None:
        _check_address(executor, address)
    if executor == "ray" and find_spec("ray") is None:
        from evalkit.executors.ray_cluster import NO_RAY

        raise UsageError(NO_RAY)
    if address is not None and not dry_run:
        from evalkit.executors.ray_cluster import answering

        answering(address)  # before tokens are counted, which may take minutes
    if latency_sample and executor != "batch":
        raise UsageError("--latency-sample goes with --executor batch; all is streamed as it is, leave it out")
    return Way(executor, latency_sample, address)


def _check_address(executor: str, address: str) -> None:
    from evalkit.executors.ray_cluster import check_address

    if executor != "ray":
        raise UsageError("--address goes with --executor ray; leave it out, or add that")
    check_address(address)


def _place(output: Path | None, folder: Path) -> Path:
    from evalkit.cli.places import check_output

    if output is not None:
        check_output(output)
    return output or folder


def _refuse_errors(chosen: Choice, note: "Callable[[str], None]") -> None:
    """What `check` calls an error stops a run before it costs anything; warnings are for `check` to tell, and what a
    gate can show for both."""
    from evalkit.dataset_check import errors
    from evalkit.errors import ProblemsError

    if found := errors(chosen.path, chosen.dataset, chosen.rubric.criteria):
        raise ProblemsError([str(problem) for problem in found])
    for line in _gate_outlook(chosen):
        note(line)


def _gate_outlook(chosen: Choice) -> list[str]:
    """What a gate.yaml in this folder can show on these items; a policy that cannot be read stops the run.

    It may be another test set's, so slices and criteria that are not there are told and stop nothing.
    """
    from evalkit.cli.gate_policy import outlook, policy_file, read
    from evalkit.errors import ProblemsError

    path = policy_file(None)
    if path is None:
        return []
    read(path)
    try:
        items = chosen.dataset.items[: chosen.options.limit]
        way = chosen.options.way
        streamed = min(len(items), way.latency_sample) if way.executor == "batch" else None
        return outlook(path, items, chosen.rubric.criteria, chosen.options.epochs, streamed)
    except ProblemsError as error:
        return error.problems


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
        talk: "Talk",
    ) -> None:
        self.panel: Panel | None = config.panel
        self.timeout_s, self.pinned = timeout_s, pinned
        self.budget_usd = config.budget_usd if budget_usd is None else budget_usd
        self.concurrency = concurrency or config.concurrency
        self.base_url = base_url or config.base_url
        self.dry_run, self.yes, self.talk = dry_run, yes, talk
        self.shared_with: Callable[[Path], Path] | None = None
        """By a run file, the one that the budget is for as well."""

    async def run(self, chosen: Choice, place: Path, then: str = "", beside: Path | None = None) -> "Prepared":
        """Carry out what is pending; `then` is what to do next, unless it is to grade. `beside`: the run file whose
        requests go to the same account, that of the run's router unless it is named."""
        from evalkit.cli.events import emit
        from evalkit.cli.only_unsatisfactory import refuse_unlike
        from evalkit.cli.places import just_sent, router_file
        from evalkit.cli.progress import Board, counting
        from evalkit.cli.spending import confirm
        from evalkit.cli.tally import Ahead
        from evalkit.executors.local import Limits
        from evalkit.planning import check_writable, prepare, start
        from evalkit.providers import Preflight
        from evalkit.providers.dispatch import open_provider
        from evalkit.run import carry_out, check_budget

        if not self.dry_run:
            check_writable(place)
        dataset, options, talk = chosen.dataset, chosen.options, self.talk
        silent = talk.quiet or talk.as_json
        opened = partial(open_provider, options.models, self.base_url, self.concurrency, self.timeout_s)
        provider = opened()
        try:
            with counting("counting tokens", silent) as counter:
                prepared = await prepare(
                    dataset, chosen.rubric, options, provider, place, counter, self.panel, self.concurrency
                )
            if chosen.source is not None:
                refuse_unlike(chosen.source, prepared.plan.spec)
            talk.ending["run"] = str(prepared.path)
            if talk.as_json:
                emit("plan", **planned(prepared))
            budget_usd = self._budget_usd(prepared)
            if prepared.left:
                check_budget(prepared, budget_usd)
            if self.dry_run or not prepared.left:
                say = talk.tell if self.dry_run else talk.note
                say(describe(prepared, budget_usd, self.concurrency, self.pinned, then))
                return prepared
            confirm(
                describe(prepared, budget_usd, self.concurrency, self.pinned),
                self.yes,
                free=provider.bills_nothing(Preflight(prepared.plan.spec.endpoint, prepared.plan.spec.simulated)),
                capped=budget_usd is not None,
                quiet=silent,
            )
            start(prepared, dataset)
            budget_usd = self._budget_usd(prepared, told=True)  # others may have spent of it meanwhile
            ahead = {line.model: Ahead(line.requests, line.expected_usd) for line in prepared.bill.lines}
            board = Board(ahead, talk.quiet, as_json=talk.as_json, budget_usd=budget_usd, charged=prepared.charged)
            with board.shown(), board.missing():
                lately = just_sent(beside or router_file(prepared.path)) if self.pinned else {}
                limits = Limits(self.concurrency, pinned=self.pinned, lately=lately)
                cluster = _cluster(options.way, opened)
                done = await carry_out(prepared, dataset, provider, limits, budget_usd, board.tell, board.say, cluster)
            self._tell_end(done, prepared, then)
            return prepared
        finally:
            await provider.close()

    def _budget_usd(self, prepared: "Prepared", *, told: bool = False) -> float | None:
        """What is left of the budget for this run file beside the one that shares it; BudgetError if nothing is, and
        something is to be sent."""
        from evalkit.cli.with_router import charged_of

        other = None if self.budget_usd is None or self.shared_with is None else self.shared_with(prepared.path)
        if self.budget_usd is None or other is None or not other.exists():
            return self.budget_usd
        borne = charged_of(other, prepared.options.prices)
        if borne.borne_usd >= self.budget_usd and prepared.left and not self.dry_run:
            none = f"nothing of the budget of {dollars(self.budget_usd)} is left beside {other}"
            raise BudgetError(f"{none} ({borne.words(dollars)}); raise --budget-usd")
        if not told:
            self.talk.note(f"of the budget of {dollars(self.budget_usd)}: {borne.words(dollars)} in {other}")
        return max(self.budget_usd - borne.borne_usd, 0.0)

    def _tell_end(self, done: "Done", prepared: "Prepared", then: str) -> None:
        """What the trials came to, and whether our own clock could keep up."""
        self.talk.ending.update(outcomes=dict(done.outcomes), lag_p99_s=done.lag_p99_s, untimed=done.untimed)
        machine, process = (
            ("a worker", "a worker") if prepared.options.way.executor == "ray" else ("this machine", "this process")
        )
        for warning in filter(None, (late(done, machine), left_out(done, process))):
            if not (self.talk.quiet or self.talk.as_json):
                say(f"warning: {warning}", err=True)
        path = prepared.path
        then = then or f"{'grade --blind' if done.outcomes.get('answered') else 'runs'} {in_shell(path)}"
        self.talk.note(f"{completed(done)}{staged(prepared)}: {path}\nnext: evalkit {then}")


def _cluster(way: "Way", opened: "Callable[[], Provider]") -> "Cluster | None":
    """Whose workers send, if this process does not."""
    if way.executor != "ray":
        return None
    from evalkit.executors.ray import Cluster

    return Cluster(way.address, opened)
