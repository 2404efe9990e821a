"""Time and peak memory of what reads a graded run, and how both grow with its trials: nothing faster than n log n."""

import sys
from collections.abc import Callable, Iterator
from math import log
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

from bench.rig import QUICK, Row, spend
from evalkit.analysis.results import Analysis
from evalkit.records import Snapshot

PEOPLE = ("ann", "bob", "cem", "dee", "judge j")
SIZES = (334, 3_334, 33_334)
"""Items under three models: about 1,000, 10,000 and 100,000 trials."""
WORK = ("read", "analyse", "gate", "route")
MOST_POWER = 1.2
"""What n log n comes to between 10,000 and 100,000, and what the machine's caches add."""
POLICY = """quality: {margin: 0.05}
completeness: {}
cost_per_request: {at_most: 1.2}
cost_per_satisfactory: {at_most: 1.2}
felt_latency: {p50: 1.2, p90: 1.3}
ttft: {p50: 1.2, p90: 1.3}
refusals: {margin: 0.05}
truncations: {margin: 0.05}
"""


def growth() -> Iterator[Row]:
    """Each case in a process of its own; CPU seconds, and the peak with all that the work needs."""
    cost = spend([sys.executable, "-m", "bench.analysis", "analyse", "100", "5", *PEOPLE], Path.cwd())
    what = f"analyse, 100 items x 3 x 5 epochs, {len(PEOPLE)} graders"
    yield Row("analysis", what, f"{float(cost.output):.2f} CPU s, {cost.rss_mb:.0f} MB", "", "", "", None)
    for work in WORK[:2] if QUICK else WORK:
        took: list[float] = []
        for items in SIZES[:1] if QUICK else SIZES:
            cost = spend([sys.executable, "-m", "bench.analysis", work, str(items), "1", "judge j"], Path.cwd())
            took.append(float(cost.output))
            told = f"{took[-1]:.2f} CPU s, {cost.rss_mb:.0f} MB"
            yield Row("analysis", f"{work}, {3 * items:,} trials", told, "", "", "", None)
        if not QUICK:
            power = log(took[-1] / took[-2]) / log(SIZES[-1] / SIZES[-2])
            what = f"{work}: its time grows with the trials to the power"
            yield Row("analysis", what, f"{power:.2f}", "", "", f"≤ {MOST_POWER:g}", power <= MOST_POWER)


HANNA = (1056, 3, 6)
"""Stories, raters and criteria of the study whose size is the bar."""


def agreement() -> Iterator[Row]:
    """Agreement on every criterion and on the verdict, in a process of its own."""
    command = [sys.executable, "-m", "bench.analysis", "agreement", *map(str, HANNA)]
    cost = spend(command, Path.cwd())
    took, (outputs, raters, criteria) = float(cost.output), HANNA
    what = f"agreement, {outputs:,} outputs x {raters} graders x {criteria} criteria"
    yield Row("agreement", what, f"{took:.2f} s", "", "", "5 s", took < 5)


def agree(outputs: str, raters: str, criteria: str) -> None:
    """Print the seconds that it takes to say how far so many graders agree."""
    from big_snapshots import rated

    from evalkit.analysis.agreements import agreements

    levels, results, rubric = rated(int(outputs), int(raters), int(criteria))
    began = perf_counter()
    agreements(levels, results, rubric)
    print(perf_counter() - began)


def main(work: str, items: str, epochs: str, *graders: str) -> None:
    """Print the CPU seconds of one piece of work; what it needs is made before."""
    from big_snapshots import big_snapshot

    with TemporaryDirectory() as folder:
        done = _WORK[work](big_snapshot(int(items), int(epochs), graders), Path(folder))
        began = process_time()
        done()
        print(process_time() - began)


def _read(snapshot: Snapshot, folder: Path) -> Callable[[], object]:
    from evalkit.outcome_rows import outcome_rows
    from evalkit.store import RunFile

    outcomes = outcome_rows(snapshot.attempts, snapshot.rounds, snapshot.grades, snapshot.spec.created_at)
    order = [trial.key for trial in snapshot.trials]
    run = RunFile.create(folder / "r.db", snapshot.spec, snapshot.items, {}, order, outcomes=outcomes)
    return run.snapshot


def _analyse(snapshot: Snapshot, _: Path) -> Callable[[], Analysis]:
    from evalkit.analysis import analyze

    return lambda: analyze(snapshot)


def _gate(snapshot: Snapshot, folder: Path) -> Callable[[], object]:
    from evalkit.gate import gate
    from evalkit.gating.evidence import Evidence
    from evalkit.gating.policy import read_policy

    analysis = _analyse(snapshot, folder)()
    first, second, *_ = snapshot.spec.models
    evidence = Evidence(of_baseline=analysis, baseline=first, of_candidate=analysis, candidate=second)
    return lambda: gate(evidence, read_policy(POLICY, "gate.yaml"), allow_simulated=True)


def _route(snapshot: Snapshot, folder: Path) -> Callable[[], object]:
    from evalkit.route import route

    analysis = _analyse(snapshot, folder)()
    return lambda: route(analysis)


_WORK = {"read": _read, "analyse": _analyse, "gate": _gate, "route": _route}


if __name__ == "__main__":
    agree(*sys.argv[2:]) if sys.argv[1] == "agreement" else main(*sys.argv[1:])
