"""`evalkit gate`: pass, fail or inconclusive for a new model version, on the team's own graded outputs."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from evalkit.cli import gate_options, urls
from evalkit.cli.terminal import say
from evalkit.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from evalkit.analysis import Analysis
    from evalkit.gating.evidence import Evidence
    from evalkit.gating.policy import Common
    from evalkit.gating.results import GateReport
    from evalkit.records import Snapshot

FORMATS = (".json", ".xml", ".md")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("gate")(gate)


def gate(
    run: gate_options.RunFile = None,
    baseline: gate_options.Baseline = None,
    candidate: gate_options.Candidate = None,
    policy: gate_options.Policy = None,
    output: gate_options.Output = None,
    on_inconclusive: gate_options.OnInconclusive = None,
    as_json: gate_options.AsJson = False,
    aa: gate_options.Aa = False,
    sensitivity_check: gate_options.SensitivityCheck = False,
    allow_simulated: gate_options.AllowSimulated = False,
) -> None:
    """Say whether a new model version may replace the pinned one: exit 0 pass, 1 fail, 3 inconclusive.

    Examples:

      evalkit gate runs/support-replies-1a2b3c4d.db --baseline claude-sonnet-4-5-20250929 --candidate claude-sonnet-4-6

      evalkit gate --baseline runs/old.db --candidate runs/new.db -o gate.xml -o gate.md

    Nothing is sent. The policy is no part of the rubric, so that moving a limit leaves grades as they are.
    """
    from evalkit.cli.gate_policy import place_in, policy_file, read
    from evalkit.files import write_whole
    from evalkit.gate import notices
    from evalkit.gating.naming import NotThereError

    paths = output or []
    for target in paths:
        if target.suffix not in FORMATS:
            raise UsageError(f"{str(target)!r}: unknown format; end it in .json, .xml or .md")
        if paths.count(target) > 1:
            raise UsageError(f"-o {str(target)!r} stands twice; name each file once")
    if on_inconclusive not in (None, "fail", "warn", "pass"):
        raise UsageError(f"--on-inconclusive {on_inconclusive!r} is not fail, warn or pass; use one of them")
    if sensitivity_check and (aa or candidate is None):
        raise UsageError("--sensitivity-check needs a weaker model of the run as --candidate, and no --aa")
    file = policy_file(policy)
    asked = None if file is None else read(file)
    compared = _itself(run, baseline, candidate, asked) if aa else _compared(run, baseline, candidate, asked)
    try:
        report = _report(compared, asked, allow_simulated)
        report = replace(report, known_worse=True, noticed=notices(report)) if sensitivity_check else report
    except NotThereError as error:
        raise UsageError(f"{place_in(file, error) if file else 'the policy'}: {error}") from error
    texts = [_rendered(target.suffix, report) for target in paths]
    for target, text in zip(paths, texts, strict=True):
        write_whole(target, text)
    urls.deliver(*paths)
    softened = on_inconclusive or (asked.on_inconclusive if asked else "fail")
    if as_json:
        typer.echo(_rendered(".json", report), nl=False)
    else:
        _print(report, paths)
    raise typer.Exit(_code(report, softened))


class _Run(NamedTuple):
    """A run file as it is shown, and what it comes to."""

    snapshot: "Snapshot"
    analysis: "Analysis"


class _Compared(NamedTuple):
    """Both sides, with the runs that they come from: twice the same for one run file."""

    evidence: "Evidence"
    baseline: "Snapshot"
    candidate: "Snapshot"


def _report(compared: _Compared, asked: "Common | None", allow_simulated: bool) -> "GateReport":
    from evalkit.gate import gate as run_gate
    from evalkit.gating.policy import default_policy
    from evalkit.gating.staged import staged

    evidence, look = compared.evidence, None
    policy = asked or default_policy(len(evidence.items), evidence.epochs)
    if policy.sequential is not None:
        snapshots = (compared.baseline, compared.candidate)
        evidence, look = staged(
            evidence, snapshots, policy.sequential, policy.alpha, _analysis, verdicts=policy.asks_for_verdicts
        )
    return run_gate(evidence, policy, allow_simulated=allow_simulated, look=look)


def _compared(run: Path | None, baseline: str | None, candidate: str | None, asked: "Common | None") -> _Compared:
    """Both sides, from one run file or from two."""
    from evalkit.cli.places import find_run
    from evalkit.gate import sides

    files = [name for name in (baseline, candidate) if name is not None and _is_file(name)]
    wanted = (asked.baseline, asked.candidate) if asked else (None, None)
    if len(files) == 2 and run is None:
        if Path(files[0]).resolve() == Path(files[1]).resolve():
            raise UsageError(
                f"baseline and candidate are both {files[0]!r}; name the run file first and models of it as --baseline "
                "and --candidate, or --aa to compare a model with itself"
            )
        then, now = _read(Path(files[0])), _read(Path(files[1]))
        models = _only(then.analysis, wanted[0], files[0]), _only(now.analysis, wanted[1], files[1])
        return _held_together(then, now, *models, asked)
    if files:
        if missing := [name for name in files if not Path(name).is_file()]:
            raise UsageError(f"no run file {missing[0]!r}")
        raise UsageError(f"{files[0]!r} is a run file; name two, --baseline A.db --candidate B.db, and no third")
    both = _read(find_run(run))
    models = sides(both.snapshot.spec.models, baseline or wanted[0], candidate or wanted[1])
    return _held_together(both, both, *models, asked)


def _held_together(then: _Run, now: _Run, baseline: str, candidate: str, asked: "Common | None") -> _Compared:
    """Both sides, once it is sure that they may be compared, with the day that the candidate's outputs were begun."""
    from evalkit.gating.evidence import evidence_of, refuse_shared_requests
    from evalkit.gating.graders import refuse_other_graders

    evidence = evidence_of(then.analysis, now.analysis, baseline, candidate)
    if then is not now:
        refuse_shared_requests(then.snapshot, baseline, now.snapshot, candidate)
    slices = asked.slices if asked else ()
    refuse_other_graders(then.snapshot, baseline, now.snapshot, candidate, slices=slices)
    of_candidate = {trial.id for trial in now.snapshot.trials if trial.key.model == candidate}
    sent = (a.sent_at for a in now.snapshot.attempts if a.grader is None and a.trial_id in of_candidate)
    return _Compared(replace(evidence, begun_at=min(sent, default=None), slices=slices), then.snapshot, now.snapshot)


def _itself(run: Path | None, baseline: str | None, candidate: str | None, asked: "Common | None") -> _Compared:
    """The baseline against itself, from two epochs of one run file or from two."""
    from evalkit.cli.places import find_run
    from evalkit.gating.evidence import against_itself
    from evalkit.gating.graders import refuse_other_graders

    if candidate is not None and (candidate != baseline or _is_file(candidate)):
        compared = _compared(run, baseline, candidate, asked)
        then, now = compared.evidence.baseline, compared.evidence.candidate
        if then != now:
            raise UsageError(f"--aa compares a model with itself, not {then} with {now}")
        return compared
    one = _read(find_run(run))
    models = one.snapshot.spec.models
    wanted = baseline or (asked.baseline if asked else None) or models[0]
    if wanted not in models:
        raise UsageError(f"the run holds no model {wanted!r}; it holds {', '.join(models)}")
    evidence = against_itself(one.analysis, wanted)
    refuse_other_graders(one.snapshot, wanted, one.snapshot, wanted, evidence.epochs_of, asked.slices if asked else ())
    return _Compared(evidence, one.snapshot, one.snapshot)


def _is_file(name: str) -> bool:
    return name.endswith(".db") or Path(name).is_file()


def _read(path: Path) -> _Run:
    from evalkit.showing import snapshot_to_show

    snapshot = snapshot_to_show(path)
    return _Run(snapshot, _analysis(snapshot))


def _analysis(snapshot: "Snapshot") -> "Analysis":
    from evalkit.analysis import analyze
    from evalkit.files import read_config
    from evalkit.pricing import Prices

    return analyze(snapshot, None, Prices(read_config(Path("evalkit.yaml")).prices))


def _only(analysis: "Analysis", wanted: str | None, file: str) -> str:
    models = analysis.spec.models
    if wanted is not None and wanted in models:
        return wanted
    if len(models) != 1:
        raise UsageError(
            f"{file!r} holds {', '.join(models)}; say in gate.yaml which is the baseline and the candidate"
        )
    return models[0]


def _rendered(suffix: str, report: "GateReport") -> str:
    from evalkit.rendering.gate import to_json, to_junit, to_markdown

    return {".json": to_json, ".xml": to_junit, ".md": to_markdown}[suffix](report)


def _print(report: "GateReport", paths: list[Path]) -> None:
    from rich.table import Table
    from rich.text import Text

    from evalkit.cli.terminal import console
    from evalkit.rendering.gate import flips_told

    if report.simulated:
        say("SIMULATED")
    say(report.headline)
    if report.noticed is False:
        say("to have it noticed: what its checks need, more items, or better graders")
    table = Table(box=None, pad_edge=False)
    for name in ("check", "outcome", "found", "asked"):
        table.add_column(name, overflow="fold")
    looks = {"pass": "green", "fail": "bold red", "inconclusive": "yellow"}
    for check in report.checks:
        outcome = Text(check.outcome, style=looks[check.outcome])
        table.add_row(check.name, outcome, check.finding, check.limit)
    console().print(table)
    if report.flips is not None:
        say(f"flip rate: {flips_told(report.flips)}")
    for check in report.checks:
        if check.needs:
            say(f"to settle {check.name}: {check.needs}")
    for note in report.notes:
        say(f"! {note}")
    for path in paths:
        say(urls.as_given(path))


def _code(report: "GateReport", on_inconclusive: str) -> int:
    """The exit code, which is named last."""
    code = report.exit_code
    if code == ExitCode.INCONCLUSIVE and on_inconclusive != "fail" and not report.known_worse:
        if on_inconclusive == "warn":
            say("warning: inconclusive, let through by --on-inconclusive warn", err=True)
        code = ExitCode.PASS
    if code != ExitCode.PASS:
        say(f"exit {int(code)}: {code.name.lower()}", err=True)
    return int(code)
