"""Benchmarks: whole processes, each as a ratio against a yardstick of the same run (machines are shared and noisy)."""

import os
import resource
import subprocess
import sys
import tempfile
from math import log
from pathlib import Path
from statistics import median
from time import perf_counter

from evalkit.sandbox.server import running
from evalkit.sandbox.settings import SandboxSettings

ROUNDS = 5
_TYPER_APP = """
import typer
app = typer.Typer()
@app.command()
def one(): "One."
@app.command()
def two(): "Two."
@app.command()
def three(): "Three."
app(["--help"])
"""
_NAIVE_RUN = """
import asyncio, json, sys, anthropic
from pathlib import Path
items = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
models = ["claude-opus-4-6", "claude-sonnet-4-6", "claude-haiku-4-5-20251001"]
async def main():
    client = anthropic.AsyncAnthropic(api_key="local", base_url=sys.argv[2])
    slots = asyncio.Semaphore(16)
    async def one(item, model):
        async with slots:
            message = [{"role": "user", "content": item["input"]}]
            stream = await client.messages.create(model=model, max_tokens=1024, messages=message, stream=True)
            return "".join([e.delta.text async for e in stream if e.type == "content_block_delta"])
    await asyncio.gather(*(one(item, model) for item in items for model in models))
asyncio.run(main())
"""


def seconds(command: list[str]) -> float:
    """Wall time of one process, which must succeed."""
    began = perf_counter()
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "NO_PROXY": "127.0.0.1"})
    return perf_counter() - began


def compare(name: str, ours: list[str], yardstick: list[str], prepare: list[str] | None = None) -> None:
    """Print the median ratio of two commands, run in turn."""
    pairs = []
    for _ in range(ROUNDS):
        if prepare:
            seconds(prepare)
        pairs.append((seconds(ours), seconds(yardstick)))
    ratio = median(a / b for a, b in pairs)
    print(f"{name:<42} {median(a for a, _ in pairs):7.2f} s {median(b for _, b in pairs):7.2f} s   x {ratio:.2f}")


def analysis() -> None:
    """Time and peak memory of the analysis alone, each in a process of its own, and how time grows with items."""
    people = ("ann", "bob", "cem", "dee", "judge j")
    took: dict[int, float] = {}
    for items, epochs, graders in (
        (100, 5, people),
        (1_000, 1, people[-1:]),
        (10_000, 1, people[-1:]),
        (1_000, 3, people[-1:]),
        (10_000, 3, people[-1:]),
    ):
        code = f"from bench import one_analysis; one_analysis({items}, {epochs}, {graders!r})"
        done = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=Path(__file__).parent
        )
        spent, megabytes = map(float, done.stdout.split())
        took[items] = spent
        what = f"analysis, {items:,} items x 3 x {epochs} epochs, {len(graders)} graders"
        print(f"{what:<60} {spent:6.2f} s {megabytes:6.0f} MB")
    print(f"time grows with items to the power {log(took[10_000] / took[1_000]) / log(10):.2f} (1,000 to 10,000)")


def one_analysis(items: int, epochs: int, graders: tuple[str, ...]) -> None:
    """Print seconds and peak megabytes of one analysis."""
    from big_snapshots import big_snapshot

    from evalkit.analysis import analyze

    snapshot = big_snapshot(items, epochs, graders)
    began = perf_counter()
    analyze(snapshot)
    print(perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)


def main() -> None:
    """Run all benchmarks."""
    python, root = sys.executable, Path(__file__).parent.parent
    evalkit = [python, "-m", "evalkit"]
    print(f"{'median of ' + str(ROUNDS):<42} {'evalkit':>9} {'yardstick':>9}   ratio")
    compare("--help / a Typer app of three commands", [*evalkit, "--help"], [python, "-c", _TYPER_APP])
    with tempfile.TemporaryDirectory() as folder, running(SandboxSettings(speed=0)) as url:
        dataset = str(root / "datasets" / "contract-clauses.jsonl")
        run = [*evalkit, "run", dataset, "--base-url", url, "--runs", f"{folder}/runs", "-j", "16", "-q"]
        compare(
            "run, 50 items x 3 models / naive script",
            run,
            [python, "-c", _NAIVE_RUN, dataset, url],
            ["rm", "-rf", f"{folder}/runs"],
        )
        (file,) = Path(folder, "runs").glob("*.db")
        seconds([*evalkit, "grade", str(file), "--base-url", url, "-q"])
        report = [*evalkit, "report", str(file), "-o", f"{folder}/r.html", "-q"]
        compare("report, 150 trials / import anthropic", report, [python, "-c", "import anthropic"])
    analysis()


if __name__ == "__main__":
    main()
