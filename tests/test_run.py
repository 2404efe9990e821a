"""A run fills every gap of its file and nothing else, and refuses before it spends."""

import asyncio
import json
import os
import re
import shlex
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import typer
from analysis_builders import OPUS, Book, answered, failed, lost, spec
from servers import FAST, LOCAL_MODEL, Recorded, independent, recorded, retired

from evalkit.cli import main, spending
from evalkit.commands import command_of_run
from evalkit.dataset_files import read_dataset
from evalkit.errors import BudgetError, ExitCode, InfrastructureError, InterruptedRunError, UsageError
from evalkit.executors.ending import Ending, unknown_model
from evalkit.executors.local import Limits
from evalkit.files import read_rubric
from evalkit.models import BEDROCK_URLS
from evalkit.planning import Options, Prepared, prepare, start
from evalkit.providers.anthropic import AnthropicProvider
from evalkit.records import Attempt, AttemptStart, Reply, Snapshot
from evalkit.run import attempts_so_far, carry_out, felt_so_far
from evalkit.sandbox.server import SandboxSettings
from evalkit.store import RunFile

MODELS = ("claude-sonnet-4-6", "claude-haiku-4-5-20251001")
RUBRIC = """\
name: tiny
criteria:
  - id: number
    question: Does the answer name the order?
    weight: 1
    kind: check
    check: {type: contains}
  - id: right
    question: Does the answer say what the reference says?
    weight: 2
    critical: 1
    kind: judged
    levels: {0: It contradicts the reference., 1: It leaves something out., 2: It says all of it.}
satisfactory: {score: 0.7}
"""


def write_tiny(folder: Path, items: int = 6) -> Path:
    """A dataset with its rubric beside it."""
    (folder / "rubrics").mkdir(exist_ok=True)
    (folder / "rubrics" / "tiny.yaml").write_text(RUBRIC)
    rows = [
        {
            "id": f"item-{n}",
            "input": f"Where is order {1000 + n}? Sent on {n + 1} March.",
            "reference": f"order {1000 + n}",
        }
        for n in range(items)
    ]
    path = folder / "tiny.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_tiny(tmp_path)


@pytest.fixture
def server() -> Iterator[Recorded]:
    with recorded() as running:
        yield running


def command(dataset: Path, url: str, *more: str) -> list[str]:
    """`evalkit run` over two models."""
    models = [part for model in MODELS for part in ("-m", model)]
    return ["run", str(dataset), "--base-url", url, "-q", *models, *more]


def run_files(folder: Path = Path("runs")) -> list[Path]:
    return [path for path in folder.glob("*.db") if not path.name.startswith(".")]


def snapshot() -> Snapshot:
    """What the only run file says."""
    (path,) = run_files()
    with RunFile(path) as run:
        return run.snapshot()


def trial_of(body: dict[str, Any]) -> tuple[str, str]:
    """What tells one trial's request from another's where each item is run once."""
    return body["model"], str(body["messages"])


def settled(seen: Snapshot) -> set[int]:
    return {attempt.trial_id for attempt in seen.attempts if attempt.final}


# --- the whole way --------------------------------------------------------------------------------------------


def test_a_run_asks_every_model_about_every_item_once_and_keeps_all_it_heard(tiny: Path, server: Recorded) -> None:
    assert main(command(tiny, server.url)) == 0
    seen = snapshot()
    assert len(seen.trials) == 12
    assert settled(seen) == {trial.id for trial in seen.trials}
    assert len({trial_of(body) for body in server.messages()}) == len(server.messages()) == 12
    assert seen.spec.simulated
    for attempt in seen.attempts:
        assert attempt.simulated
        assert attempt.served_model in MODELS
        assert attempt.usage.input_tokens
        assert attempt.cost_usd is not None
        assert attempt.cost_usd > 0
        assert attempt.felt_s is not None
        assert attempt.latency_s is not None
        assert attempt.felt_s >= attempt.latency_s


@pytest.mark.parametrize(("stall_s", "left_out"), [(-1.0, True), (60.0, False)])
def test_a_run_says_at_its_end_how_many_latencies_are_left_out(
    stall_s: float, left_out: bool, tiny: Path, server: Recorded, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("evalkit.executors.lag.STALL_S", stall_s)
    assert main([part for part in command(tiny, server.url) if part != "-q"]) == 0
    attempts = snapshot().attempts
    told = (
        f"warning: the latencies of {len(attempts)} trials are left out: this process stood still (stopped, suspended"
        " or starved) while they were under way; their answers count\n"
    )
    assert (told in capsys.readouterr().err) is left_out
    assert all((attempt.latency_s is None) is left_out for attempt in attempts)


def test_the_same_command_again_sends_nothing(tiny: Path, server: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command(tiny, server.url)) == 0
    before, sent = snapshot(), len(server.messages())
    capsys.readouterr()
    loud = [part for part in command(tiny, server.url) if part != "-q"]
    assert main(loud) == 0
    assert "complete already, nothing to send" in capsys.readouterr().out
    assert (snapshot(), len(server.messages())) == (before, sent)


def test_a_run_is_repeated_with_the_file_of_its_rubric_whatever_that_calls_itself(tiny: Path, server: Recorded) -> None:
    (tiny.parent / "mine").mkdir()
    for n, name in enumerate(("rubrics/tiny.yaml", "mine/tiny.yaml", "mine/other.yml"), start=1):
        copy = tiny.parent / name
        copy.write_text(RUBRIC)
        for given in (name, str(copy)):
            shutil.rmtree("runs", ignore_errors=True)
            assert main(command(tiny, server.url, "-n", str(n), "--rubric", given)) == 0
            spec = snapshot().spec
            assert command_of_run(spec)[3:5] == ["--rubric", name]
            assert main(command(tiny, server.url, "-n", str(n), *command_of_run(spec)[3:5])) == 0
            assert snapshot().spec == spec, "the same run"
    shutil.rmtree("runs")
    with TemporaryDirectory() as elsewhere:
        outer = Path(elsewhere) / "outer.yaml"
        outer.write_text(RUBRIC)
        for n, given in enumerate((outer, Path(os.path.relpath(outer))), start=4):
            assert main(command(tiny, server.url, "-n", str(n), "--rubric", str(given))) == 0
            assert command_of_run(snapshot().spec)[3:5] == ["--rubric", "PATH/outer.yaml"], "no folder of this machine"
            shutil.rmtree("runs")
    link = tiny.parent.parent / "link"
    link.symlink_to(tiny.parent)
    assert main(command(tiny, server.url, "-n", "6", "--rubric", str(link / "mine" / "tiny.yaml"))) == 0
    assert command_of_run(snapshot().spec)[3:5] == ["--rubric", "mine/tiny.yaml"], "the folder by another name"
    shutil.rmtree("runs")
    assert main(command(tiny, server.url, "-n", "1")) == 0
    found = command_of_run(snapshot().spec)
    assert found[3:5] == ["--rubric", "rubrics/tiny.yaml"], "found by the dataset's name, named for another folder"


def test_a_run_is_repeated_with_the_dataset_that_it_took(tiny: Path, server: Recorded) -> None:
    """A dataset may lie anywhere; a run of older outputs names none, and is taken for one of the usual place."""
    assert main(command(tiny, server.url, "-n", "1")) == 0
    spec = snapshot().spec
    assert spec.dataset_files == ("tiny.jsonl",)
    assert command_of_run(spec)[:3] == ["evalkit", "run", "tiny.jsonl"]
    older = replace(spec, dataset_files=())
    assert older.sha256 == spec.sha256
    assert command_of_run(older)[2] == "datasets/tiny.jsonl"


def test_another_seed_epoch_or_model_is_another_run(tiny: Path, server: Recorded) -> None:
    for more in ([], ["--seed", "2"], ["--epochs", "2"], ["-m", "claude-opus-4-6"], ["--max-tokens", "9"]):
        assert main(command(tiny, server.url, "-n", "1", *more)) == 0
    assert len(run_files()) == 5


@pytest.mark.parametrize("name", ["ticket-routing", "contract-clauses", "support-replies"])
def test_the_shipped_datasets_run(name: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with recorded() as server:
        assert main(["run", str(root / f"datasets/{name}.jsonl"), "-n", "2", "--base-url", server.url, "-q"]) == 0
    seen = snapshot()
    assert len(settled(seen)) == len(seen.trials) == 6
    if name == "support-replies":
        assert all(40_000 < size.tokens <= 50_000 for size in seen.sizes)


@pytest.mark.parametrize(
    "without", [{"models"}, {"count_tokens"}, {"rate_headers"}, {"models", "count_tokens", "rate_headers", "batches"}]
)
def test_a_server_without_the_optional_parts_will_do(without: set[str], tiny: Path) -> None:
    with recorded(SandboxSettings(speed=0, without=frozenset(without))) as server:
        assert main(command(tiny, server.url)) == 0
    seen = snapshot()
    assert len(settled(seen)) == 12
    assert all(size.counted == ("count_tokens" not in without) for size in seen.sizes)


@pytest.mark.parametrize("lists_models", [True, False])
def test_an_independent_server_will_do_and_is_not_taken_for_the_sandbox(
    lists_models: bool, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with independent(lists_models) as server:
        assert main(["run", str(tiny), "--base-url", server.url, "-m", "my-model"]) == 0
        seen = snapshot()
        assert not seen.spec.simulated
        assert {a.served_model for a in seen.attempts} == {LOCAL_MODEL}
        assert {a.cost_usd for a in seen.attempts} == {None}, "an unknown price is not 0"
        assert "unpriced" in capsys.readouterr().err


def test_failures_that_pass_are_tried_again_and_stay_in_the_ledger(tiny: Path) -> None:
    faults = {2: "status=529", 5: "drop_after=1", 7: "error_after=1"}
    with recorded(fault=lambda number, _: faults.get(number)) as server:
        assert main(command(tiny, server.url)) == 0
        assert len(server.messages()) == 15
    seen = snapshot()
    failed = [attempt for attempt in seen.attempts if not attempt.final]
    assert sorted(str(attempt.error_type) for attempt in failed) == [
        "connection_error", "overloaded_error", "overloaded_error",
    ]  # fmt: skip
    assert len(settled(seen)) == 12
    numbers = sorted(a.number for a in seen.attempts if a.trial_id == failed[0].trial_id)
    assert numbers == list(range(1, len(numbers) + 1))


def test_refused_and_truncated_answers_are_settled(tiny: Path) -> None:
    outcomes = {0: "outcome=refused", 1: "outcome=truncated"}
    with recorded(fault=lambda number, _: outcomes.get(number)) as server:
        assert main(command(tiny, server.url)) == 0
        assert len(server.messages()) == 12
    assert {a.outcome for a in snapshot().attempts} == {"answered", "refused", "truncated"}


# --- stopping and going on ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "said", "remedy"),
    [
        ("status=401", "authentication_error", "check the key"),
        ("status=402", "billing_error", "credit or payment"),
        ("status=402;error-type=api_error", "api_error", "credit or payment"),
        ("status=403", "permission_error", "allowed to use the model"),
        (
            "status=429;error-code=enforced_spend_limit_reached;retry-after=3600",
            "rate_limit_error",
            "limit raised",
        ),
    ],
)
def test_a_fatal_refusal_in_the_middle_is_exit_5_and_the_same_command_goes_on(
    fault: str, said: str, remedy: str, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with recorded(fault=lambda number, _: fault if number == 4 else None) as server:
        assert main(command(tiny, server.url, "-j", "1")) == ExitCode.PROVIDER
        errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
        assert len(errors) == 1
        assert said in errors[0]
        assert remedy in errors[0]
        done = settled(snapshot())
        assert (len(done), len(server.messages())) == (4, 5)
        assert main(command(tiny, server.url)) == 0
        sent = [trial_of(body) for body in server.messages()]
    assert len(sent) == 13
    assert sent.count(sent[4]) == 2, "only the refused one was sent again"
    assert len(settled(snapshot())) == 12


def test_a_budget_is_never_passed_and_a_higher_one_goes_on(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with recorded() as server:
        assert main(command(tiny, server.url, "--budget-usd", "0.02")) == ExitCode.BUDGET
        assert "raise --budget-usd" in capsys.readouterr().err
        seen, sent = snapshot(), len(server.messages())
        assert 0 < len(settled(seen)) < 12
        assert sum(attempt.cost_usd or 0.0 for attempt in seen.attempts) <= 0.02
        assert main(command(tiny, server.url, "--budget-usd", "0.02")) == ExitCode.BUDGET
        assert len(server.messages()) <= 12
        assert main(command(tiny, server.url, "--budget-usd", "5")) == 0
        assert len(server.messages()) == 12
    assert sent < 12
    assert len(settled(snapshot())) == 12


def spent_in(path: str) -> float:
    with RunFile(Path(path)) as run:
        return sum(attempt.cost_usd or 0.0 for attempt in run.snapshot().attempts)


def test_a_budget_may_be_for_another_run_file_as_well(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As where each model has a file of its own, and both are merged."""
    with recorded() as server:
        one, other = (command(tiny, server.url, "-o", f"{name}.db") for name in ("one", "other"))
        assert main(one) == 0
        spent = spent_in("one.db")
        beside, budget = ("--budget-beside", "one.db"), f"{spent + 0.02:.9f}"
        assert main([*other, *beside, "--budget-usd", budget]) == ExitCode.BUDGET
        assert 0 < spent_in("other.db") <= 0.02
        assert main([*other, *beside, "--budget-usd", f"{spent / 2:.9f}"]) == ExitCode.BUDGET
        assert "is left beside one.db" in capsys.readouterr().err
        count = len(server.messages())
        assert main([*other, "--budget-beside", "gone.db", "--budget-usd", "5"]) == ExitCode.USAGE
        assert main([*other, *beside, "--with-router", MODELS[1]]) == ExitCode.USAGE
        assert len(server.messages()) == count
        assert main([*other, *beside]) == 0, "without a budget there is nothing to share"


def prepared(dataset: Path, url: str, *, budget_usd: float | None, before: Callable[[Prepared], None]) -> None:
    """A run through the library, with something done between its plan and its first request."""

    async def go() -> None:
        provider = AnthropicProvider(url)
        try:
            loaded, rubric = read_dataset(dataset), read_rubric(dataset.parent / "rubrics/tiny.yaml")
            plan = await prepare(loaded, rubric, Options(MODELS), provider, Path("runs"), lambda *_: None)
            start(plan, loaded)
            before(plan)
            limits = Limits(attempts=2, backoff_s=0.0, backoff_cap_s=0.0)
            await carry_out(plan, loaded, provider, limits, budget_usd, lambda _: None)
        finally:
            await provider.close()

    asyncio.run(go())


@pytest.mark.parametrize("text", ["请问订单在哪里我想知道它什么时候会到", "zq;(!)x-9 "], ids=["Chinese", "marks"])
def test_a_budget_holds_where_no_prompt_can_be_counted(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Estimates go wrong by half and more; sixteen requests at once must not pass the budget for that."""
    monkeypatch.chdir(tmp_path)
    dataset = write_tiny(tmp_path, 40)
    rows = [json.loads(line) for line in dataset.read_text().splitlines()]
    changed = ({**row, "input": row["input"] + text * 400, "params": {"max_tokens": 1}} for row in rows)
    dataset.write_text("".join(json.dumps(row) + "\n" for row in changed))
    with recorded(SandboxSettings(speed=0, without=frozenset({"count_tokens"}))) as server:
        assert main(command(dataset, server.url, "-j", "32", "--budget-usd", "0.15")) == ExitCode.BUDGET
    assert 0.05 < sum(attempt.cost_usd or 0.0 for attempt in snapshot().attempts) <= 0.15


def test_attempts_that_may_have_been_billed_weigh_on_the_budget_of_the_next_run(tiny: Path, server: Recorded) -> None:
    """A process that dies leaves attempts whose cost nobody knows: they count at their worst."""

    def die_often(plan: Prepared) -> None:
        with RunFile(plan.path) as run:
            for number in range(200):
                run.start_attempt(AttemptStart(1, number + 1, "2026-11-22T14:00:00+00:00", 0.0, None, None))

    with pytest.raises(BudgetError):
        prepared(tiny, server.url, budget_usd=0.5, before=die_often)
    assert server.messages() == []


def test_attempts_of_the_next_run_go_on_counting(tiny: Path, server: Recorded) -> None:
    def die_once(plan: Prepared) -> None:
        with RunFile(plan.path) as run:
            run.start_attempt(AttemptStart(3, 1, "2026-11-22T14:00:00+00:00", 0.0, None, None))

    prepared(tiny, server.url, budget_usd=None, before=die_once)
    assert [a.number for a in snapshot().attempts if a.trial_id == 3] == [1, 2]


def test_attempts_of_judges_are_no_attempts_of_the_run() -> None:
    book = Book(spec((OPUS,)))
    book.trial("a", failed(), answered(), level=1)
    seen = book.snapshot()
    judged = replace(seen.attempts[-1], id=9, number=7, grader="judge m")
    assert attempts_so_far(replace(seen, attempts=(*seen.attempts, judged))) == {1: 2}


@pytest.mark.parametrize(
    ("attempts", "felt_s"),
    [
        ((failed(felt_s=3.0), failed(felt_s=5.0)), 5.0),
        ((failed(felt_s=None), failed(felt_s=5.0)), None),
        ((failed(felt_s=3.0), failed(felt_s=None)), None),
        ((failed(felt_s=3.0), lost()), None),  # the process died, and nobody knows when
    ],
)
def test_what_an_earlier_attempt_made_a_user_wait_is_unknown_and_not_nothing(
    attempts: tuple[Attempt, ...], felt_s: float | None
) -> None:
    book = Book(spec((OPUS,)))
    book.trial("a", *attempts)
    assert felt_so_far(book.snapshot()) == {1: felt_s}


def test_trials_that_failed_on_every_attempt_stay_open_and_are_tried_again(tiny: Path) -> None:
    broken = {"is": True}

    def fault(number: int, body: dict[str, Any]) -> str | None:
        return "status=529" if broken["is"] and "order 1003" in str(body["messages"]) else None

    with recorded(fault=fault) as server:
        with pytest.raises(InfrastructureError, match="2 requests failed on every attempt") as raised:
            prepared(tiny, server.url, budget_usd=None, before=lambda _: None)
        assert raised.value.exit_code == ExitCode.PROVIDER
        assert len(settled(snapshot())) == 10
        broken["is"] = False
        assert main(command(tiny, server.url)) == 0
    assert len(settled(snapshot())) == 12
    assert len(snapshot().attempts) == 10 + 2 * 2 + 2
    for model in MODELS:
        *_, failed, again = (a for a in snapshot().attempts if a.number > 1 and _model_of(a) == model)
        assert again.final
        assert again.felt_s == pytest.approx((failed.felt_s or 0) + (again.latency_s or 0)), "a user waited for all"


def _model_of(attempt: Attempt) -> str:
    return next(trial.key.model for trial in snapshot().trials if trial.id == attempt.trial_id)


def test_a_run_that_another_process_planned_in_the_meantime_is_gone_on_with(tiny: Path, server: Recorded) -> None:
    def plan_again(plan: Prepared) -> None:
        start(plan, read_dataset(tiny))

    prepared(tiny, server.url, budget_usd=None, before=plan_again)
    assert len(server.messages()) == len(settled(snapshot())) == 12


def test_a_run_file_under_the_name_of_another_is_refused(
    tiny: Path, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(tiny, server.url, "-n", "1")) == 0
    (first,) = run_files()
    assert main(command(tiny, server.url, "-n", "2")) == 0
    (second,) = set(run_files()) - {first}
    second.unlink()
    first.rename(second)
    sent = len(server.messages())
    assert main(command(tiny, server.url, "-n", "2")) == ExitCode.INTEGRITY
    assert len(server.messages()) == sent
    assert "another run" in capsys.readouterr().err


# --- refusals before anything is spent ------------------------------------------------------------------------


def refused(arguments: list[str], server: Recorded, code: ExitCode, capsys: pytest.CaptureFixture[str]) -> str:
    """The error of a command that must fail, write nothing and send nothing that costs."""
    assert main(arguments) == code
    assert server.messages() == []
    assert not Path("runs").exists()
    error = capsys.readouterr().err
    assert error.splitlines()[-1] == f"exit {int(code)}: {code.name.lower()}"
    assert "Traceback" not in error
    return error


@pytest.mark.parametrize(
    ("model", "why"), [("claude-sonnet-9", "unknown"), ("claude-opus-4-1-20250805", "retired"), ("..", "unknown")]
)
def test_an_unknown_or_retired_model_is_exit_2(
    model: str, why: str, tiny: Path, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    error = refused(command(tiny, server.url, "-m", model), server, ExitCode.USAGE, capsys)
    assert f"model {model!r} is {why}" in error


def test_a_malformed_line_is_exit_2_and_named(tiny: Path, server: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    lines = write_tiny(tiny.parent, 50).read_text().splitlines()
    lines[36] = lines[36].replace('"id":', '"id"')
    tiny.write_text("\n".join(lines))
    error = refused(command(tiny, server.url), server, ExitCode.USAGE, capsys)
    assert f"{tiny}:37:" in error


def test_weights_of_0_are_exit_2(tiny: Path, server: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    rubric = tiny.parent / "rubrics/tiny.yaml"
    rubric.write_text(RUBRIC.replace("weight: 1", "weight: 0").replace("weight: 2", "weight: 0"))
    error = refused(command(tiny, server.url), server, ExitCode.USAGE, capsys)
    assert "weight" in error
    assert str(rubric) in error


@pytest.mark.parametrize(
    ("more", "word"),
    [
        (["--budget-usd", "nan"], "budget"),
        (["--budget-usd", "inf"], "budget"),
        (["--timeout", "inf"], "--timeout"),
        (["--timeout", "nan"], "--timeout"),
        (["--timeout", "1e300"], "--timeout"),
        (["--context", "lots"], "--context"),
        (["--context", "0"], "--context"),
        (["--context", "900k", "-m", "claude-opus-4-5-20251101"], "do not fit"),
        (["-m", MODELS[0]], "named twice"),
        (["-m", " "], "empty"),
        (["--base-url", "http://127.0.0.1:99999"], "base URL"),
        (["--rubric", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_an_option_that_makes_no_sense_is_exit_2(
    more: list[str], word: str, tiny: Path, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    assert word in refused(command(tiny, server.url, *more), server, ExitCode.USAGE, capsys)


def test_a_budget_for_a_model_without_a_price_is_exit_2(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with independent() as server:
        arguments = ["run", str(tiny), "--base-url", server.url, "-m", "my-model", "--budget-usd", "5"]
        for more in ([], ["--dry-run"]):
            assert "my-model has no known price" in refused([*arguments, *more], server, ExitCode.USAGE, capsys)


def test_a_server_out_of_reach_is_exit_5(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nobody = Recorded("http://127.0.0.1:9")
    assert "cannot be reached" in refused(command(tiny, nobody.url), nobody, ExitCode.PROVIDER, capsys)


def test_a_folder_that_cannot_hold_runs_is_exit_5_and_nothing_is_spent(
    tiny: Path, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("occupied").touch()
    arguments = command(tiny, server.url, "--runs", "occupied/runs")
    assert "cannot be written" in refused(arguments, server, ExitCode.PROVIDER, capsys)


@pytest.mark.parametrize("begun", [False, True])
def test_a_dry_run_writes_nothing_and_only_counts(begun: bool, tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with recorded() as server:
        if begun:
            assert main(command(tiny, server.url, "--budget-usd", "0.02")) == ExitCode.BUDGET
        files = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
        before = len(server.requests)
        assert main(command(tiny, server.url, "--dry-run")) == 0
        asked = {request.path for request in server.requests[before:]}
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == files
    assert all(path == "/v1/messages/count_tokens" or path.startswith("/v1/models") for path in asked)
    out = capsys.readouterr().out
    assert ("going on with" if begun else "new run") in out
    assert "together about $" in out


def test_the_estimate_has_the_models_alone_and_with_the_judges(
    tiny: Path, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(tiny, server.url, "--dry-run")) == 0
    lines = capsys.readouterr().out.splitlines()
    most = {
        line.split()[0]: float(line.partition("at most $")[2].split()[0].rstrip(","))
        for line in lines
        if "at most $" in line
    }
    own = sum(most[f"{model}:"] for model in MODELS)
    judges = sum(usd for name, usd in most.items() if name.endswith(":")) - own
    assert judges > 0
    assert (most["together"], most["with"]) == pytest.approx((own, own + judges), abs=0.01)
    Path("evalkit.yaml").write_text("judges: [unheard-of]\n")
    assert main(command(tiny, server.url, "--dry-run")) == 0
    assert "with judging unpriced" in capsys.readouterr().out


def test_an_occupied_port_of_the_sandbox_is_exit_5(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert main(["sandbox", "--port", str(port)]) == ExitCode.PROVIDER
    error = capsys.readouterr().err
    assert f"127.0.0.1:{port}" in error
    assert "Traceback" not in error


# --- consent --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("yes", "free", "capped"), [(True, False, False), (False, True, False), (False, False, True)])
def test_money_is_spent_unasked_only_with_consent(yes: bool, free: bool, capped: bool) -> None:
    assert spending.confirm("what", yes, free, capped) is None


def test_concurrency_and_pinned_limits_reach_the_executor(
    tiny: Path, server: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Limits] = []

    async def stop(_prepared: Prepared, _dataset: Any, _provider: Any, limits: Limits, *_: Any) -> None:
        given.append(limits)
        raise UsageError("enough")

    monkeypatch.setattr("evalkit.run.carry_out", stop)
    assert main(command(tiny, server.url, "-j", "7", "--rpm", "30", "--tpm", "40000")) == ExitCode.USAGE
    assert [(limits.concurrency, dict(limits.pinned)) for limits in given] == [
        (7, {"requests": 30, "input_tokens": 40000})
    ]


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ("template: '{{ item.nothing }}'", "no attribute 'nothing'"),
        ("template: '{% for x in range(10**9) %}x{% endfor %}'", "more than 100,000 steps"),
        ("template: '{{ item.input'", "template"),
        ("params: {tool_choice: {type: any}}", "'params.tool_choice' without 'params.tools'"),
    ],
)
def test_requests_that_cannot_be_made_stop_a_run_before_anything_is_asked(
    card: str, said: str, tiny: Path, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny.with_suffix(".yaml").write_text(card, encoding="utf-8")
    assert main(command(tiny, server.url)) == ExitCode.USAGE
    told = capsys.readouterr().err
    assert said in told
    assert "Traceback" not in told
    assert server.requests == []


@pytest.mark.long
def test_a_pinned_limit_holds_for_a_run_that_goes_on_as_well(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    minute_s = 0.8
    monkeypatch.setattr("evalkit.executors.pace.MINUTE_S", minute_s)
    with recorded(fault=lambda number, _: "status=401" if number == 4 else None) as server:
        line = command(tiny, server.url, "--rpm", "2")
        assert main(line) == ExitCode.PROVIDER
        assert main(line) == 0
    seen = snapshot()
    models = {trial.id: trial.key.model for trial in seen.trials}
    for model in MODELS:
        sent = sorted(datetime.fromisoformat(a.sent_at) for a in seen.attempts if models[a.trial_id] == model)
        assert len(sent) >= 6
        third = [(later - earlier).total_seconds() for earlier, later in zip(sent, sent[2:], strict=False)]
        assert min(third) > minute_s - 0.2, "it is noted a little after it was decided"


GOING: dict[str, Callable[[Path], object]] = {
    "removed": Path.unlink,
    "moved": lambda path: path.rename("moved.db"),
    "its folder removed": lambda path: shutil.rmtree(path.parent),
    "its folder moved": lambda path: path.parent.rename("moved"),
}


@pytest.mark.long
@pytest.mark.parametrize("at_once", [1, 4])
@pytest.mark.parametrize("going", GOING.values(), ids=GOING)
def test_a_run_whose_file_goes_stops_and_loses_no_answer(
    going: Callable[[Path], object], at_once: int, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def goes(number: int, _: dict[str, Any]) -> None:
        if number == 4:
            going(run_files()[0])

    with recorded(SandboxSettings(speed=20), fault=goes) as server:
        assert main(command(tiny, server.url, "-j", str(at_once))) == ExitCode.INTEGRITY
        assert "was moved or removed while it was written on" in capsys.readouterr().err
        assert 5 <= len(server.messages()) == len(settled(snapshot())) < 12
        assert main(command(tiny, server.url)) == 0
        assert len(server.messages()) == len(settled(snapshot())) == 12


@pytest.mark.long
def test_what_stands_now_where_a_runs_file_was_is_left_whole(tiny: Path, server: Recorded) -> None:
    assert main([*command(tiny, server.url), "-o", "sound.db"]) == 0
    sound = Path("sound.db").read_bytes()

    def goes(number: int, _: dict[str, Any]) -> None:
        if number == 4:
            Path("x.db").rename("moved.db")
            Path("x.db").write_bytes(sound)

    with recorded(fault=goes) as other:
        assert main([*command(tiny, other.url, "-o", "x.db")]) == ExitCode.INTEGRITY
    assert Path("x.db").read_bytes() == sound
    assert main(["report", "x.db", "-q", "-o", "x.html"]) == 0
    for path in (Path("x.rescued.db"), Path("moved.db")):
        assert len(settled(RunFile(path, read_only=True).snapshot())) == len(other.messages())


def test_the_time_foreseen_is_that_of_the_pinned_limit(
    tiny: Path, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command(tiny, server.url, "--rpm", "1", "--dry-run")]) == 0
    assert re.search(r"about 5 min at -j \d+ --rpm 1, assuming", capsys.readouterr().out)


def test_where_nobody_can_be_asked_nothing_is_spent() -> None:
    with pytest.raises(UsageError, match="--yes"):
        spending.confirm("what", yes=False, free=False, capped=False)


@pytest.mark.parametrize("answer", [True, False, "ctrl-c"])
def test_on_a_terminal_the_answer_decides(answer: bool | str, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object, **__: object) -> bool:
        if answer == "ctrl-c":
            raise typer.Abort
        return bool(answer)

    monkeypatch.setattr(spending.sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(spending.sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(spending.typer, "confirm", asked)
    refusal = {True: None, False: typer.Exit, "ctrl-c": InterruptedRunError}[answer]
    if refusal is None:
        spending.confirm("what", yes=False, free=False, capped=False)
        return
    with pytest.raises(refusal):
        spending.confirm("what", yes=False, free=False, capped=True)


def test_fast_is_the_sandbox_without_delays() -> None:
    assert FAST.scaled_s(10.0) == 0


# --- what a model would turn down ---------------------------------------------------------------------------------

ITEM_PARAMS = {
    "answer longer than a model writes": ({"max_tokens": 99_999_999_999}, "'max_tokens' 99,999,999,999 is over"),
    "thinking of a kind it has not": ({"thinking": {"type": "adaptive"}}, "'thinking' of type 'adaptive'"),
    "thinking without room": (
        {"thinking": {"type": "enabled", "budget_tokens": 2048}, "max_tokens": 2048},
        "'thinking.budget_tokens' 2,048 is not below 'max_tokens'",
    ),
    "effort it has not": ({"output_config": {"effort": "low"}}, "'output_config.effort' 'low'"),
    "a place it is not served from": ({"inference_geo": "us"}, "'inference_geo' 'us'"),
}
HAIKU = "claude-haiku-4-5-20251001"


def with_item(dataset: Path, **more: Any) -> Path:
    """The dataset with another item at its end."""
    row = {"id": "odd", "input": "Where is order 99?", "reference": "order 99", **more}
    dataset.write_text(dataset.read_text() + json.dumps(row) + "\n")
    return dataset


@pytest.mark.parametrize("name", ITEM_PARAMS)
def test_an_items_settings_that_a_model_rejects_are_told_before_anything_is_sent(
    name: str, tiny: Path, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    params, said = ITEM_PARAMS[name]
    dataset = with_item(tiny, params=params)
    assert main(["run", str(dataset), "-q", "-m", HAIKU, "--base-url", server.url]) == ExitCode.USAGE
    told = capsys.readouterr()
    assert said in told.err
    assert "'odd'" in told.err
    assert "$" not in told.err + told.out
    assert server.messages() == []
    assert run_files() == []
    assert main(["check", str(dataset)]) == 0
    assert said in capsys.readouterr().out
    assert main(["run", str(dataset), "-q", "-n", "6", "-m", HAIKU, "--base-url", server.url]) == 0


def test_a_prompt_over_a_models_window_is_told_before_anything_is_sent(
    tiny: Path, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = with_item(tiny, input="The parcel came late and the box was wet. " * 24_000)
    assert main(["run", str(dataset), "-q", "-m", HAIKU, "--base-url", server.url]) == ExitCode.USAGE
    error = capsys.readouterr().err
    assert error.startswith(f"error: item 'odd': model '{HAIKU}' rejects this request: ")
    assert "do not fit its window (200,000)" in error
    assert server.messages() == []
    assert run_files() == []


def test_a_model_that_has_retired_meanwhile_is_refused_only_while_something_is_left_to_ask_it(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its outputs are the baseline of the one that replaces it."""
    gone: list[str] = []
    with recorded(spoil=retired(gone)) as server:
        line = ["run", str(tiny), "-q", "-m", MODELS[0], "--base-url", server.url]
        assert main([*line, "--share", "0.5"]) == 0
        sent = len(server.messages())
        gone.append(MODELS[0])
        assert main(line) == ExitCode.USAGE
        assert f"error: model {MODELS[0]!r} is retired" in capsys.readouterr().err
        assert main([*line, "--share", "0.5"]) == 0
        assert main([*line, "-o", "runs/other.db"]) == ExitCode.USAGE
        assert len(server.messages()) == sent


# --- an unknown model on a server that lists none -------------------------------------------------------------

LISTLESS = SandboxSettings(speed=0, without=frozenset({"models"}))


def test_a_model_that_only_its_first_request_shows_to_be_unknown_leaves_nothing(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with recorded(LISTLESS) as server:
        assert main(["run", str(tiny), "-q", "-m", "claude-opus-9", "--base-url", server.url]) == ExitCode.USAGE
        assert len(server.messages()) <= 8
    assert "error: model 'claude-opus-9' is unknown to this server; correct -m\n" in capsys.readouterr().err
    assert list(Path("runs").iterdir()) == []


def test_what_other_models_answered_stays_when_one_is_unknown(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = ["-m", MODELS[0], "-m", "claude-opus-9", "-j", "1", "--seed", "2"]
    with recorded(LISTLESS) as server:
        line = ["run", str(tiny), "-q", "--base-url", server.url, *models]
        codes, answered = [], []
        for _ in range(2):
            codes.append(main(line))
            answered.append({a.trial_id for a in snapshot().attempts if a.outcome == "answered"})
        (path,) = run_files()
        said = f"is unknown to this server; correct -m; what other models have answered stays in {path}"
        assert codes == [ExitCode.USAGE] * 2
        assert capsys.readouterr().err.count(said) == 2
        assert answered[0]
        assert answered[0] <= answered[1]
        asked = [trial_of(body) for body in server.messages() if body["model"] == MODELS[0]]
        assert len(asked) == len(set(asked)) == len(answered[1])


def test_a_model_that_has_answered_and_is_gone_is_the_servers_doing(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = {"now": False}
    with recorded(LISTLESS, fault=lambda number, _: "status=404" if missing["now"] or number == 3 else None) as server:
        line = ["run", str(tiny), "-q", "-j", "1", "-m", MODELS[0], "--base-url", server.url]
        assert main(line) == ExitCode.PROVIDER
        missing["now"] = True
        assert main(line) == ExitCode.PROVIDER
    assert "unknown to this server" not in capsys.readouterr().err
    assert sum(attempt.outcome == "answered" for attempt in snapshot().attempts) == 3


def test_an_address_without_this_api_is_no_unknown_model(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with independent() as server:
        line = ["run", str(tiny), "-q", "-m", "local", "--base-url", f"{server.url}/elsewhere"]
        assert main(line) == ExitCode.PROVIDER
    assert "not_found_error (Not here)" in capsys.readouterr().err
    assert list(Path("runs").iterdir()) == []


def test_a_key_that_is_refused_with_the_first_request_leaves_nothing(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with recorded(LISTLESS, fault=lambda *_: "status=401") as server:
        line = ["run", str(tiny), "-q", "-m", MODELS[0], "--base-url", server.url]
        assert main(line) == ExitCode.PROVIDER
    assert "authentication_error" in capsys.readouterr().err
    assert list(Path("runs").iterdir()) == []


@pytest.mark.parametrize(
    ("status", "message", "unknown"),
    [
        (404, "model: gpt", True),
        (404, "The model `gpt` does not exist.", True),
        (404, "'gpt' not found, try pulling it first", True),
        (400, "Invalid model name passed in model=gpt", True),
        (400, "The provided model identifier is invalid.", True),
        (400, "this model takes no image", False),
        (404, "Not Found", False),
        (404, "/models/v1/messages: Not Found", False),
        (403, "model: gpt", False),
        (404, None, False),
    ],
)
def test_servers_say_in_their_own_words_that_a_model_is_unknown(
    status: int, message: str | None, unknown: bool
) -> None:
    reply = Reply("errored", 1.0, status=status, error_type="x", error_message=message, stops_run=True)
    assert unknown_model(Ending(fatal=reply, fatal_model="gpt"), ()) == ("gpt" if unknown else None)
    assert unknown_model(Ending(fatal=reply, fatal_model="gpt"), {"gpt"}) is None


def test_a_server_that_no_request_would_go_to_is_refused(
    tiny: Path, server: Recorded, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in BEDROCK_URLS:
        monkeypatch.delenv(name, raising=False)
    on_bedrock = "bedrock:us.anthropic.claude-haiku-4-5-20251001-v1:0"
    assert main(["run", str(tiny), "--base-url", server.url, "-m", on_bedrock, "--dry-run"]) == ExitCode.USAGE
    assert "ANTHROPIC_BEDROCK_BASE_URL" in capsys.readouterr().err
    assert server.requests == []
    assert main(command(tiny, server.url)) == 0
    judged = ["grade", str(run_files()[0]), "--by", "judges", "--judge", on_bedrock, "--base-url", server.url]
    asked = len(server.requests)
    assert main([*judged, "--dry-run"]) == ExitCode.USAGE
    assert "ANTHROPIC_BEDROCK_BASE_URL" in capsys.readouterr().err
    assert len(server.requests) == asked


def test_a_run_through_a_link_to_no_file_yet_makes_the_file_that_it_names(tiny: Path, server: Recorded) -> None:
    Path("latest.db").symlink_to("here.db")
    for name in ("latest.db", "here.db"):
        assert main([*command(tiny, server.url), "-o", name]) == 0
    assert Path("latest.db").is_symlink()
    assert len(server.messages()) == 12


@pytest.mark.long
@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&- >&- 2>&-"])
def test_no_file_takes_the_place_of_a_stream_that_is_closed(
    closed: str, tmp_path: Path, tiny: Path, server: Recorded
) -> None:
    """What is printed would be written into the run file."""
    models = shlex.join(["run", str(tiny), "--base-url", server.url, "--yes", "-m", "claude-haiku-4-5", "-o", "x.db"])
    done = subprocess.run(
        ["/bin/sh", "-c", f"exec {shlex.quote(sys.executable)} -m evalkit {models} {closed}"],
        capture_output=True, text=True, check=False, cwd=tmp_path, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(tmp_path / "x.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("SELECT count(*) FROM attempt").fetchone()[0] > 0
