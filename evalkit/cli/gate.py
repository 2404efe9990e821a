"""`evalkit gate`: pass, fail or inconclusive for a new model version, on the team's own graded outputs."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from evalkit.cli import gate_options
from evalkit.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from evalkit.analysis import Analysis
    from evalkit.gating.evidence import Evidence
    from evalkit.gating.policy import Common
    from evalkit.gating.results import GateReport

DEFAULT_POLICY = Path("gate.yaml")
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
    from evalkit.files import write_whole

    paths = output or []
    for target in paths:
        if target.suffix not in FORMATS:
            raise UsageError(f"{str(target)!r}: unknown format; end it in .json, .xml or .md")
    if on_inconclusive not in (None, "fail", "warn", "pass"):
        raise UsageError(f"--on-inconclusive {on_inconclusive!r} is not fail, warn or pass; use one of them")
    if sensitivity_check and (aa or candidate is None):
        raise UsageError("--sensitivity-check needs a weaker model of the run as --candidate, and no --aa")
    asked = _policy(policy)
    evidence = _itself(run, baseline, candidate, asked) if aa else _evidence(run, baseline, candidate, asked)
    report = _report(evidence, asked, allow_simulated)
    texts = [_rendered(target.suffix, report) for target in paths]
    for target, text in zip(paths, texts, strict=True):
        write_whole(target, text)
    softened = on_inconclusive or (asked.on_inconclusive if asked else "fail")
    if as_json:
        typer.echo(_rendered(".json", report), nl=False)
    else:
        _print(report, paths)
    if aa:
        _tell_flips(evidence)
    raise typer.Exit(_noticed(report) if sensitivity_check else _code(report, softened))


def _policy(named: Path | None) -> "Common | None":
    from evalkit.files import read_text
    from evalkit.gating.policy import read_policy

    path = named or DEFAULT_POLICY
    if named is None and not path.exists():
        return None
    return read_policy(read_text(path, "policy"), str(path))


def _report(evidence: "Evidence", asked: "Common | None", allow_simulated: bool) -> "GateReport":
    from evalkit.gate import gate as run_gate
    from evalkit.gating.policy import default_policy

    policy = asked or default_policy(len(evidence.items), evidence.epochs)
    return run_gate(evidence, policy, allow_simulated=allow_simulated)


def _evidence(run: Path | None, baseline: str | None, candidate: str | None, asked: "Common | None") -> "Evidence":
    """Both sides, from one run file or from two."""
    from evalkit.cli.places import find_run
    from evalkit.gate import sides
    from evalkit.gating.evidence import evidence_of

    files = [name for name in (baseline, candidate) if name is not None and _is_file(name)]
    wanted = (asked.baseline, asked.candidate) if asked else (None, None)
    if len(files) == 2 and run is None:
        then, now = _analysed(Path(files[0])), _analysed(Path(files[1]))
        return evidence_of(then, now, _only(then, wanted[0], files[0]), _only(now, wanted[1], files[1]))
    if files:
        raise UsageError(f"{files[0]!r} is a run file; name two, --baseline A.db --candidate B.db, and no third")
    both = _analysed(find_run(run))
    then_model, now_model = sides(both.spec.models, baseline or wanted[0], candidate or wanted[1])
    return evidence_of(both, both, then_model, now_model)


def _itself(run: Path | None, baseline: str | None, candidate: str | None, asked: "Common | None") -> "Evidence":
    """The baseline against itself, from two epochs of one run file or from two."""
    from evalkit.cli.places import find_run
    from evalkit.gating.evidence import against_itself

    if candidate is not None:
        evidence = _evidence(run, baseline, candidate, asked)
        if evidence.baseline != evidence.candidate:
            raise UsageError(f"--aa compares a model with itself, not {evidence.baseline} with {evidence.candidate}")
        return evidence
    analysis = _analysed(find_run(run))
    wanted = baseline or (asked.baseline if asked else None) or analysis.spec.models[0]
    if wanted not in analysis.spec.models:
        raise UsageError(f"the run holds no model {wanted!r}; it holds {', '.join(analysis.spec.models)}")
    return against_itself(analysis, wanted)


def _tell_flips(evidence: "Evidence") -> None:
    from evalkit.gate import flip_rate
    from evalkit.wording import estimated

    typer.echo(f"items that {evidence.baseline} is graded otherwise on the second time: ", err=True, nl=False)
    typer.echo(estimated(flip_rate(evidence), "percent"), err=True)


def _noticed(report: "GateReport") -> int:
    """Whether the gate failed what is known to be worse, in a sentence and as an exit code."""
    from evalkit.gate import notices

    if notices(report):
        typer.echo(f"sensitivity: the gate notices that {report.candidate} is worse", err=True)
        return int(ExitCode.PASS)
    typer.echo(
        f"sensitivity: the gate would not notice that {report.candidate} is worse; it needs more items, a smaller "
        "margin, or better graders",
        err=True,
    )
    typer.echo(f"exit {int(ExitCode.REGRESSION)}: {ExitCode.REGRESSION.name.lower()}", err=True)
    return int(ExitCode.REGRESSION)


def _is_file(name: str) -> bool:
    return name.endswith(".db") or Path(name).is_file()


def _analysed(path: Path) -> "Analysis":
    from evalkit.analysis import analyze
    from evalkit.files import read_config
    from evalkit.pricing import Prices
    from evalkit.showing import snapshot_to_show

    return analyze(snapshot_to_show(path), None, Prices(read_config(Path("evalkit.yaml")).prices))


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

    if report.simulated:
        typer.echo("SIMULATED")
    typer.echo(report.headline)
    table = Table(box=None, pad_edge=False)
    for name in ("check", "outcome", "found", "asked"):
        table.add_column(name, overflow="fold")
    looks = {"pass": "green", "fail": "bold red", "inconclusive": "yellow"}
    for check in report.checks:
        outcome = Text(check.outcome, style=looks[check.outcome])
        table.add_row(Text(check.name), outcome, Text(check.finding), Text(check.limit))
    console().print(table)
    for check in report.checks:
        if check.needs:
            typer.echo(f"to settle {check.name}: {check.needs}")
    for note in report.notes:
        typer.echo(f"! {note}")
    for path in paths:
        typer.echo(str(path))


def _code(report: "GateReport", on_inconclusive: str) -> int:
    """The exit code, which is named last."""
    code = report.exit_code
    if code == ExitCode.INCONCLUSIVE and on_inconclusive != "fail":
        if on_inconclusive == "warn":
            typer.echo("warning: inconclusive, let through by --on-inconclusive warn", err=True)
        code = ExitCode.PASS
    if code != ExitCode.PASS:
        typer.echo(f"exit {int(code)}: {code.name.lower()}", err=True)
    return int(code)
