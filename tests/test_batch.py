"""Batches: every request is submitted once, whatever dies in between, and paid for at the batch price."""

import asyncio
import json
import os
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import anthropic
import pytest
from processes import Process
from report_pages import plain_text, section
from servers import BATCHES, FAST, Fault, Recorded, Spoil, independent, recorded, retired
from test_run import MODELS, run_files, settled, snapshot, trial_of, write_tiny

from evalkit.analysis import analyze
from evalkit.blocks import Definitions
from evalkit.cli import main
from evalkit.errors import ExitCode
from evalkit.executors import batch
from evalkit.executors.batch_entry import Terms
from evalkit.pricing import price
from evalkit.records import Attempt, Snapshot, Usage
from evalkit.sandbox.server import SandboxSettings

ITEMS = 6
TRIALS = ITEMS * len(MODELS)
QUICK = {"look_s": 0.02, "look_cap_s": 0.05, "appear_s": 0.2, "patience_s": 5.0}


@pytest.fixture(autouse=True)
def terms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "TERMS", Terms(**QUICK))


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_tiny(tmp_path, ITEMS)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Recorded]:
    with recorded(SandboxSettings(speed=200, bills=tmp_path / "bills.jsonl")) as running:
        yield running


def command(tiny: Path, server: Recorded, *more: str) -> list[str]:
    named = [part for model in MODELS for part in ("-m", model)]
    return ["run", str(tiny), "--base-url", server.url, "-q", "--executor", "batch", *named, *more]


def aloud(tiny: Path, server: Recorded, *more: str) -> list[str]:
    """The same, saying what it does."""
    return [part for part in command(tiny, server, *more) if part != "-q"]


def submitted(server: Recorded) -> Counter[tuple[str, str]]:
    """How often each trial was submitted."""
    return Counter(trial_of(entry["params"]) for entries in server.batches() for entry in entries)


def billed_usd(folder: Path) -> float:
    """What the sandbox bills, by its own file."""
    path, total = folder / "bills.jsonl", 0.0
    for bill in map(json.loads, path.read_text().splitlines() if path.exists() else []):
        usage = bill["usage"]
        assert usage["cache_creation_input_tokens"] == usage["cache_read_input_tokens"] == 0
        tier = Usage(usage["input_tokens"], usage["output_tokens"], service_tier=usage["service_tier"])
        total += price(bill["model"], tier, datetime.now(UTC)).usd or 0.0
    return total


def check_complete(seen: Snapshot, folder: Path) -> None:
    """Every trial is settled, every attempt has its end, and the ledger says what the server bills."""
    assert settled(seen) == {trial.id for trial in seen.trials}
    assert not seen.in_batches
    assert all(attempt.outcome is not None for attempt in seen.attempts)
    assert len({(a.trial_id, a.number) for a in seen.attempts}) == len(seen.attempts)
    assert sum(a.cost_usd or 0.0 for a in seen.attempts) == pytest.approx(billed_usd(folder), abs=1e-9)
    assert billed_usd(folder) > 0


# --- the whole way --------------------------------------------------------------------------------------------


def test_a_run_in_batches_is_answered_once_at_half_the_price_and_claims_no_latency(
    tiny: Path, server: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(aloud(tiny, server)) == 0
    assert "12 of them in batches, at batch prices" in capsys.readouterr().err
    seen = snapshot()
    check_complete(seen, tmp_path)
    assert len(server.batches()) == 1
    assert server.messages() == []
    assert submitted(server) == Counter(dict.fromkeys(submitted(server), 1))
    models = {trial.id: trial.key.model for trial in seen.trials}
    for attempt in seen.attempts:
        assert attempt.simulated
        assert attempt.usage.service_tier == "batch"
        assert (attempt.latency_s, attempt.ttft_s, attempt.felt_s) == (None, None, None)
        full = Usage(attempt.usage.input_tokens, attempt.usage.output_tokens)
        whole = price(models[attempt.trial_id], full, datetime.now(UTC)).usd
        assert whole is not None
        assert attempt.cost_usd == pytest.approx(whole / 2)
    assert [s.executor for s in seen.sessions] == ["batch"]
    assert main(command(tiny, server)) == 0
    assert len(server.batches()) == 1


def test_answers_belong_to_the_trials_that_asked_for_them(tiny: Path, server: Recorded) -> None:
    """The sandbox returns results in an order of its own; each names the order that its item asks about."""
    assert main(command(tiny, server)) == 0
    seen = snapshot()
    streamed = {(e["params"]["model"], str(e["params"]["messages"])): e["custom_id"] for e in server.batches()[0]}
    numbers = {trial.id: trial for trial in seen.trials}
    for (model, messages), custom_id in streamed.items():
        (attempt,) = [a for a in seen.attempts if str(a.id) == custom_id.split("_")[1]]
        trial = numbers[attempt.trial_id]
        assert trial.key.model == model == attempt.served_model
        order = f"order {1000 + int(trial.key.item_id.split('-')[1])}"
        assert order in messages
        if attempt.outcome == "answered":
            assert "order 10" not in attempt.text or order in attempt.text


@pytest.mark.parametrize("size", [{"requests": 5}, {"bytes": 900}])
def test_large_runs_go_in_several_batches(
    size: dict[str, int], tiny: Path, server: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "TERMS", Terms(**QUICK, **size))
    assert main(command(tiny, server)) == 0
    check_complete(snapshot(), tmp_path)
    assert len(server.batches()) == -(-TRIALS // size["requests"]) if "requests" in size else len(server.batches()) > 2
    posts = [r for r in server.requests if r.method == "POST" and r.path.endswith("/batches")]
    assert all(len(post.body) <= size.get("bytes", 10**9) for post in posts)
    assert set(submitted(server).values()) == {1}


def first_batch(fault: str) -> Fault:
    return lambda number, body: fault if number == 0 else None


FAULTS = [
    ("batch-errored=3", {"api_error": 3}, 2, 15),
    ("batch-expired=4", {"batch_expired": 4}, 2, 16),
    ("batch-expired=2;batch-errored=2", {"batch_expired": 2, "api_error": 2}, 2, 16),
    ("status=429;retry-after=0", {}, 2, 24),
    ("drop-after=0", {}, 1, 12),
    ("status=529", {}, 2, 24),
]


@pytest.mark.parametrize(("fault", "kinds", "posts", "entries"), FAULTS)
def test_what_may_pass_is_tried_again_and_what_arrived_unheard_is_found(
    fault: str, kinds: dict[str, int], posts: int, entries: int, tiny: Path, tmp_path: Path
) -> None:
    settings = SandboxSettings(speed=200, bills=tmp_path / "bills.jsonl")
    with recorded(settings, first_batch(fault)) as server:
        assert main(command(tiny, server)) == 0
        seen = snapshot()
        check_complete(seen, tmp_path)
        assert len(server.batches()) == posts
        assert sum(map(len, server.batches())) == entries
    assert Counter(a.error_type for a in seen.attempts if a.error_type) == kinds
    assert all(a.cost_usd == 0.0 for a in seen.attempts if a.error_type)
    assert len(seen.attempts) == TRIALS + sum(kinds.values())
    assert max(a.number for a in seen.attempts) == (2 if kinds else 1)


def spoiling(method: str, path: str, spoilt: Callable[[bytes], tuple[str, bytes]], times: int) -> Spoil:
    """Spoil the first answers to such requests, of which the server has done what was asked."""
    left = iter(range(times))

    def spoil(its_method: str, its_path: str) -> Callable[[bytes], tuple[str, bytes]] | None:
        is_meant = its_method == method and re.fullmatch(path, its_path) is not None
        return spoilt if is_meant and next(left, None) is not None else None

    return spoil


def page(_: bytes) -> tuple[str, bytes]:
    return "text/html", b"<html>please log in"


def halved(body: bytes) -> tuple[str, bytes]:
    return "application/json", body[: len(body) // 2]


def as_json(value: object) -> Callable[[bytes], tuple[str, bytes]]:
    return lambda _: ("application/json", json.dumps(value).encode())


def a_line_spoilt(body: bytes) -> tuple[str, bytes]:
    first, *rest = body.splitlines(keepends=True)
    return "application/x-jsonl", b"".join([b'{"custom_id": \n', *rest, first[:50]])


def without_results(body: bytes) -> tuple[str, bytes]:
    return "application/json", json.dumps(json.loads(body) | {"results_url": None}).encode()


def failed_first(body: bytes) -> tuple[str, bytes]:
    """Each answer after a failure of the same request: it is billed, whatever stands before it."""
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    return "application/x-jsonl", b"".join(
        json.dumps({"custom_id": json.loads(line)["custom_id"], "result": {"type": "errored", "error": error}}).encode()
        + b"\n" + line
        for line in body.splitlines(keepends=True)
    )  # fmt: skip


ONE_BATCH, RESULTS = rf"{BATCHES}/\w+", rf"{BATCHES}/\w+/results"
SPOILT = {
    "creation, a page": ("POST", BATCHES, page, ExitCode.PROVIDER),
    "creation, null": ("POST", BATCHES, as_json(None), ExitCode.PROVIDER),
    "creation, a list": ("POST", BATCHES, as_json([1]), ExitCode.PROVIDER),
    "creation, half of it": ("POST", BATCHES, halved, 0),
    "look, a page": ("GET", ONE_BATCH, page, 0),
    "look, null": ("GET", ONE_BATCH, as_json(None), 0),
    "look, odd counts": ("GET", ONE_BATCH, as_json({"id": "b", "request_counts": {"processing": "5"}}), 0),
    "look, half of it": ("GET", ONE_BATCH, halved, 0),
    "results, a page": ("GET", RESULTS, page, 0),
    "results, half of them": ("GET", RESULTS, halved, 0),
    "results, a line spoilt": ("GET", RESULTS, a_line_spoilt, 0),
    "results, empty lines": ("GET", RESULTS, lambda body: ("application/x-jsonl", body.replace(b"\n", b"\n\n")), 0),
    "look, ended without results yet": ("GET", ONE_BATCH, without_results, 0),
    "results, other lines too": ("GET", RESULTS, lambda body: ("application/x-jsonl", b'null\n[]\n5\n"x"\n' + body), 0),
    "results, each twice": ("GET", RESULTS, lambda body: ("application/x-jsonl", body + body), 0),
    "results, each twice, failed and answered": ("GET", RESULTS, failed_first, 0),
    "results, each twice together": (
        "GET",
        RESULTS,
        lambda body: ("application/x-jsonl", b"".join(line + line for line in body.splitlines(keepends=True))),
        0,
    ),
}


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("what", SPOILT)
def test_an_answer_that_is_none_of_a_batch_is_waited_out_or_told_and_nothing_is_submitted_twice(
    what: str, times: int, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    method, path, spoilt, code = SPOILT[what]
    settings = SandboxSettings(speed=200, bills=tmp_path / "bills.jsonl")
    with recorded(settings, spoil=spoiling(method, path, spoilt, times)) as server:
        assert main(aloud(tiny, server)) == code
        said = capsys.readouterr().err
        assert "Traceback" not in said
        if code:
            assert "nothing of a Batches API" in said
            assert "goes on from here" in said
            assert main(command(tiny, server)) == 0
        assert len(server.batches()) == 1
        assert ("answers of 12 stand twice" in said) == ("twice" in what)
    check_complete(snapshot(), tmp_path)
    assert len(snapshot().attempts) == TRIALS


def test_a_batch_whose_results_are_kept_no_more_is_submitted_anew_only_by_another_command(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def archived(body: bytes) -> tuple[str, bytes]:
        shown = json.loads(body) | {"processing_status": "ended", "results_url": None}
        return "application/json", json.dumps(shown | {"archived_at": shown["created_at"]}).encode()

    with recorded(SandboxSettings(speed=200), spoil=spoiling("GET", ONE_BATCH, archived, 1)) as server:
        assert main(command(tiny, server)) == ExitCode.PROVIDER
        assert len(server.batches()) == 1
        told = capsys.readouterr().err
        assert f"{TRIALS} answers are not kept by the server any more, of msgbatch_" in told
        assert "may have been billed, and would be billed again" in told
        assert main(command(tiny, server)) == 0
        assert len(server.batches()) == 2
    assert Counter(a.error_type for a in snapshot().attempts) == {"batch_gone": TRIALS, None: TRIALS}


def test_what_can_be_read_of_results_is_recorded_though_a_line_never_can(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "TERMS", Terms(**QUICK | {"patience_s": 0.1}))
    settings = SandboxSettings(speed=200, bills=tmp_path / "bills.jsonl")
    with recorded(settings, spoil=spoiling("GET", RESULTS, a_line_spoilt, 99)) as server:
        assert main(command(tiny, server)) == ExitCode.PROVIDER
        assert len(server.batches()) == 1
    assert len(settled(snapshot())) == TRIALS - 1


def test_a_server_whose_list_of_batches_is_a_page_is_told_before_anything_is_sent(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with recorded(spoil=spoiling("GET", BATCHES, page, 99)) as server:
        assert main(command(tiny, server)) == ExitCode.PROVIDER
        assert "begins '<html>please log in'" in capsys.readouterr().err
        assert server.batches() == []


def cancelling(monkeypatch: pytest.MonkeyPatch, *numbers: int) -> list[str]:
    """Have the console cancel the batches of these numbers as soon as they are submitted; fills with all their ids."""
    create, made = batch.batches.create, list[str]()

    async def cancelled(provider: Any, entries: Any) -> Any:
        shown = await create(provider, entries)
        if len(made) in numbers:
            await provider.client.messages.batches.cancel(shown.id)
        made.append(shown.id)
        return shown

    monkeypatch.setattr(batch.batches, "create", cancelled)
    return made


def test_what_somebody_cancels_is_left_open_until_the_same_command_is_given_again(
    tiny: Path, server: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = cancelling(monkeypatch, 0)
    assert main(command(tiny, server)) == ExitCode.INTERRUPTED
    told = capsys.readouterr().err
    assert f"{TRIALS} requests were canceled at the server by somebody, in {made[0]}: they are left open" in told
    assert "the same `evalkit run` command submits them again, if they are wanted after all" in told
    seen = snapshot()
    assert len(made) == 1
    assert (settled(seen), seen.in_batches, billed_usd(tmp_path)) == (set(), frozenset(), 0)
    assert {(a.outcome, a.error_type, a.cost_usd) for a in seen.attempts} == {("errored", "batch_canceled", 0.0)}
    assert main(command(tiny, server)) == 0
    check_complete(snapshot(), tmp_path)
    assert Counter(a.error_type for a in snapshot().attempts) == {"batch_canceled": TRIALS, None: TRIALS}
    assert len(made) == 2


def test_of_a_batch_that_is_canceled_half_way_all_answers_are_kept_and_nothing_else_is_sent(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where they come in several groups, and where others would be tried again."""
    monkeypatch.setattr(batch, "_TOGETHER", 2)

    def every_third(body: bytes) -> tuple[str, bytes]:
        rows = [json.loads(line) for line in body.splitlines()]
        for number, row in enumerate(rows):
            if number % 3 != 2:
                row["result"] = {"type": ("canceled", "expired")[number % 3]}
        return "application/x-jsonl", "\n".join(map(json.dumps, rows)).encode()

    with recorded(SandboxSettings(speed=200), spoil=spoiling("GET", RESULTS, every_third, 1)) as server:
        assert main(command(tiny, server)) == ExitCode.INTERRUPTED
        seen = snapshot()
        assert len(settled(seen)) == TRIALS // 3
        assert not seen.in_batches
        assert len(server.batches()) == 1
        assert main(command(tiny, server)) == 0
        assert [len(entries) for entries in server.batches()] == [TRIALS, TRIALS * 2 // 3]


def test_batches_canceled_together_are_told_together_and_others_are_fetched_later(
    tiny: Path, server: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(batch, "TERMS", Terms(**QUICK, requests=5))
    made = cancelling(monkeypatch, 0, 1)
    look, looked = batch.BatchExecution._look_at, Counter[str]()

    async def slowly(execution: Any, one: Any) -> None:
        """The third is never found ended by the first command."""
        looked[one.server_id] += 1
        if one.server_id != made[2] or len(made) > 3:
            await look(execution, one)

    async def until_ended(execution: Any, one: Any) -> None:
        while not (await batch.batches.retrieve(execution.provider, one.server_id)).ended:
            await asyncio.sleep(0.01)
        await slowly(execution, one)

    monkeypatch.setattr(batch.BatchExecution, "_look_at", until_ended)
    assert main(command(tiny, server)) == ExitCode.INTERRUPTED
    told = capsys.readouterr().err
    assert f"10 requests were canceled at the server by somebody, in {made[0]}, {made[1]}: " in told
    assert f"{TRIALS - 10} more are in other batches there, which works on and bills them; the same" in told
    assert len(snapshot().in_batches) == TRIALS - 10
    assert main(command(tiny, server)) == 0
    check_complete(snapshot(), tmp_path)
    assert submitted(server).total() == TRIALS + 10


@pytest.mark.parametrize("fault", ["status=401", "status=404", "status=400"])
def test_a_refusal_of_the_whole_batch_stops_the_run_and_the_same_command_goes_on(
    fault: str, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with recorded(SandboxSettings(speed=200, bills=tmp_path / "bills.jsonl"), first_batch(fault)) as server:
        assert main(command(tiny, server)) == ExitCode.PROVIDER
        assert "the same `evalkit run` command goes on" in capsys.readouterr().err
        assert not settled(snapshot())
        assert main(command(tiny, server)) == 0
    check_complete(snapshot(), tmp_path)


def test_attempts_have_an_end(tiny: Path, server: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    with recorded(SandboxSettings(speed=200), lambda number, body: "batch-expired=1") as failing:
        assert main(command(tiny, failing)) == ExitCode.PROVIDER
        seen = snapshot()
        assert len(settled(seen)) == TRIALS - 1
        assert len(seen.attempts) == TRIALS - 1 + 6
        assert len(failing.batches()) == 6


def test_settings_that_a_model_refuses_stop_the_run_before_they_spoil_it(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    encoded = batch.batches.encoded

    def wrong(request: Any) -> bytes:
        params = json.loads(encoded(request))
        return json.dumps(params | ({"temperature": 1.0} if params["model"] == MODELS[0] else {})).encode()

    with recorded(SandboxSettings(speed=200, bills=tmp_path / "bills.jsonl")) as server:
        monkeypatch.setattr(batch.batches, "encoded", wrong)
        assert main(command(tiny, server)) == ExitCode.PROVIDER
        assert "temperature" in capsys.readouterr().err
        assert len(settled(snapshot())) == ITEMS
        monkeypatch.setattr(batch.batches, "encoded", encoded)
        assert main(command(tiny, server)) == 0
    check_complete(snapshot(), tmp_path)
    assert len(server.batches()) == 2
    assert len(server.batches()[1]) == ITEMS


# --- money ----------------------------------------------------------------------------------------------------


def worst_usd(model: str) -> float:
    """The most one of the tiny requests can cost."""
    in_the_us = Usage(17, 1024, service_tier="batch", inference_geo="us")
    return price(model, in_the_us, datetime.now(UTC)).usd or 0.0


def test_a_budget_cuts_the_batch_to_what_fits_and_the_run_can_go_on(
    tiny: Path, server: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    budget = 1.02 * max(worst_usd(model) for model in MODELS)
    assert main(command(tiny, server, "--budget-usd", str(budget))) == ExitCode.BUDGET
    assert "raise --budget-usd" in capsys.readouterr().err
    seen = snapshot()
    assert all(len(entries) < TRIALS for entries in server.batches())
    assert 0 < len(settled(seen)) < TRIALS
    assert billed_usd(tmp_path) <= budget
    assert not seen.in_batches
    assert main(command(tiny, server, "--budget-usd", "1")) == 0
    check_complete(snapshot(), tmp_path)
    assert set(submitted(server).values()) == {1}


def test_room_that_cheaper_answers_leave_is_used(tiny: Path, server: Recorded, tmp_path: Path) -> None:
    assert main(command(tiny, server, "--budget-usd", str(2.5 * sum(map(worst_usd, MODELS))))) == 0
    check_complete(snapshot(), tmp_path)
    assert len(server.batches()) > 1


@pytest.mark.long
def test_own_rates_without_a_batch_factor_leave_batches_unpriced(
    tiny: Path, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    own = "".join(f"  {model}: {{input: 3, output: 15}}\n" for model in MODELS)
    Path("evalkit.yaml").write_text(f"prices:\n{own}")
    assert main(command(tiny, server, "--budget-usd", "1")) == ExitCode.USAGE
    assert "has no known price" in capsys.readouterr().err
    assert main(aloud(tiny, server)) == 0
    told = capsys.readouterr().err
    assert "tokens each, unpriced" in told
    assert "together unpriced" in told
    assert {attempt.cost_usd for attempt in snapshot().attempts} == {None}


def test_a_batch_is_priced_by_own_rates(tiny: Path, server: Recorded) -> None:
    own = "".join(f"  {model}: {{input: 3, output: 15, batch_factor: 0.4}}\n" for model in MODELS)
    Path("evalkit.yaml").write_text(f"prices:\n{own}")
    assert main(command(tiny, server)) == 0
    for attempt in snapshot().attempts:
        sent, written = attempt.usage.input_tokens or 0, attempt.usage.output_tokens or 0
        assert attempt.cost_usd == pytest.approx((3 * sent + 15 * written) * 0.4 / 1e6)


# --- servers without, commands that differ --------------------------------------------------------------------


def test_a_server_without_batches_is_told_before_anything_is_sent(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with recorded(SandboxSettings(speed=0, without=frozenset({"batches"}))) as server:
        assert main(command(tiny, server)) == ExitCode.USAGE
    assert "this server has no Message Batches; use --executor local" in capsys.readouterr().err
    with independent() as other:
        assert main(command(tiny, other)) == ExitCode.USAGE
    assert "use --executor local" in capsys.readouterr().err
    assert run_files() == []
    assert server.messages() == other.messages() == []


def test_a_sample_is_streamed_for_its_latency_the_same_items_for_every_model(
    tiny: Path, server: Recorded, tmp_path: Path
) -> None:
    assert main(command(tiny, server, "--latency-sample", "2")) == 0
    seen = snapshot()
    check_complete(seen, tmp_path)
    keys = {trial.id: trial.key for trial in seen.trials}
    measured = [keys[a.trial_id] for a in seen.attempts if a.latency_s is not None]
    assert len(measured) == len(server.messages()) == 4
    assert len({key.item_id for key in measured}) == 2
    assert Counter(key.model for key in measured) == dict.fromkeys(MODELS, 2)
    assert all((a.latency_s is None) == (a.usage.service_tier == "batch") for a in seen.attempts)
    assert [s.executor for s in seen.sessions] == ["local", "batch"]


@pytest.mark.parametrize("share", ["0.4", "1"])
def test_a_part_of_a_run_has_the_whole_sample(share: str, tiny: Path, server: Recorded) -> None:
    assert main(command(tiny, server, "--latency-sample", "2", "--share", share)) == 0
    assert len(server.messages()) == 4


def test_a_larger_sample_of_a_later_part_is_of_items_that_went_in_no_batch(
    tiny: Path, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(tiny, server, "--latency-sample", "1", "--share", "0.5")) == 0
    assert len(server.messages()) == 2
    assert main(aloud(tiny, server, "--latency-sample", "3", "--share", "1")) == 0
    assert len(server.messages()) == 6, "two items more of each model"
    assert "2 of them in batches" in capsys.readouterr().err
    items = {trial.id: trial.key.item_id for trial in snapshot().trials}
    assert len({items[a.trial_id] for a in snapshot().attempts if a.latency_s is not None}) == 3


def test_a_sample_of_all_items_says_that_nothing_goes_in_a_batch(
    tiny: Path, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(aloud(tiny, server, "--latency-sample", "30")) == 0
    assert "none of them in batches: --latency-sample streams all of these items" in capsys.readouterr().err
    assert server.batches() == []


def test_a_sample_without_batches_is_a_mistake(
    tiny: Path, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [x for x in command(tiny, server, "--latency-sample", "2") if x not in ("--executor", "batch")]
    assert main(arguments) == ExitCode.USAGE
    assert "--latency-sample goes with --executor batch" in capsys.readouterr().err


# --- what the report says of latency --------------------------------------------------------------------------


def report(tiny: Path, server: Recorded, *more: str) -> str:
    """The report of a run in batches, as Markdown."""
    assert main(command(tiny, server, *more)) == 0
    (path,) = run_files()
    assert main(["grade", "--blind", str(path), "--base-url", server.url, "-q"]) == 0
    assert main(["report", str(path), "-o", "r.md"]) == 0
    assert main(["report", str(path), "-o", "r.html"]) == 0
    return Path("r.md").read_text()


@pytest.mark.long
def test_a_report_of_batches_alone_says_that_no_latency_was_measured(tiny: Path, server: Recorded) -> None:
    text = report(tiny, server)
    assert "latency not measured (batch)" in text
    seen = snapshot()
    one, other = seen.spec.models
    assert f"Latency not measured (batch): every answer of {one}, {other} came from a batch" in text
    assert "median answer" not in text
    for model in analyze(seen).models:
        assert all(not clock.values_s for clock in model.clocks.values())
    streamed = {trial.id for trial in seen.trials if trial.key.model == one}
    attempts = [
        replace(a, latency_s=1.0, usage=replace(a.usage, service_tier="standard")) if a.trial_id in streamed else a
        for a in seen.attempts
    ]
    warnings = [line for line in analyze(replace(seen, attempts=attempts)).warnings if "(batch)" in line]
    assert warnings == [
        f"Latency not measured (batch): every answer of {other} came from a batch, and a batch tells none."
    ]


@pytest.mark.long
def test_a_report_with_a_sample_says_which_items_its_latency_is_of(tiny: Path, server: Recorded) -> None:
    text = report(tiny, server, "--latency-sample", "3")
    (repeat,) = re.findall(r"<code>(evalkit run [^<]+)", Path("r.html").read_text())
    assert repeat.endswith("--executor batch --latency-sample 3")
    assert "Latency comes from 3 streamed items of 6" in text
    assert "not measured (batch): every" not in text
    seen = snapshot()
    streamed = Counter(t.key.model for t in seen.trials for a in seen.attempts if a.trial_id == t.id and a.latency_s
                       and a.outcome == "answered" and a.grader is None)  # fmt: skip
    for model in analyze(seen).models:
        assert len(model.clocks["felt"].values_s) == streamed[model.model] > 0


@pytest.mark.long
def test_what_waits_in_batches_is_pending_and_not_lost(tiny: Path, server: Recorded) -> None:
    kill_at("while fetching", command(tiny, server))
    waiting = len(snapshot().in_batches)
    models = analyze(snapshot()).models
    assert 0 < waiting < TRIALS
    assert sum(model.counts.pending for model in models) == waiting
    assert sum(model.lost_attempts + model.unknown_cost_attempts for model in models) == 0
    analysis = analyze(snapshot())
    assert sum(session.waiting for session in analysis.sessions) == waiting
    assert sum(session.lost for session in analysis.sessions) == 0
    method = section(analysis, "method").blocks[0]
    assert isinstance(method, Definitions)
    told = {term: plain_text(text) for term, text in method.rows}
    assert f"{waiting} more in batches that are not back; " in told["Attempts"]
    assert told["To repeat"].count("--executor batch") == 1


# --- killed at every stage ------------------------------------------------------------------------------------

create, retrieve, results = batch.batches.create, batch.batches.retrieve, batch.batches.results
made = count(1)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def dies(*_: Any) -> None:
    die()


async def creates_and_dies(*what: Any) -> None:
    await create(*what)
    die()


async def creates_one_and_dies(*what: Any) -> Any:
    if next(made) > 1:
        die()
    return await create(*what)


async def retrieves_and_dies(*what: Any) -> None:
    await retrieve(*what)
    die()


async def results_and_dies(*what: Any) -> AsyncIterator[Any]:
    arrived = 0
    async for result in results(*what):
        if (arrived := arrived + 1) > 3:
            die()
        yield result


STAGES: dict[str, tuple[str, Callable[..., Any]]] = {
    "before the submission": ("create", dies),
    "before the id is known": ("create", creates_and_dies),
    "while waiting": ("retrieve", retrieves_and_dies),
    "while fetching": ("results", results_and_dies),
    "after the first of several": ("create", creates_one_and_dies),
}


def hasten(stage: str | None = None, **size: int) -> None:
    """In the process of a command: look often, and die at a stage."""
    batch.TERMS, batch._TOGETHER = Terms(**QUICK | size), 2
    if stage is not None:
        setattr(batch.batches, *STAGES[stage])


def kill_at(stage: str, arguments: list[str], **size: int) -> None:
    with Process(arguments, partial(hasten, stage, **size)) as process:
        errors = process.errors()
    assert process.returncode == -signal.SIGKILL, errors


def lost(seen: Snapshot) -> list[Attempt]:
    return [attempt for attempt in seen.attempts if attempt.outcome is None]


@pytest.mark.long
@pytest.mark.parametrize("size", [100, 5])
@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_run_goes_on_without_submitting_anything_twice(
    stage: str, size: int, tiny: Path, server: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if stage == "after the first of several" and size == 100:
        size = 4
    monkeypatch.setattr(batch, "TERMS", Terms(**QUICK, requests=size))
    kill_at(stage, command(tiny, server), requests=size)
    before = lost(snapshot())
    assert before
    assert {a.id for a in before} == snapshot().in_batches
    assert main(command(tiny, server)) == 0
    seen = snapshot()
    check_complete(seen, tmp_path)
    assert len(submitted(server)) == TRIALS
    assert set(submitted(server).values()) == {1}
    assert len(seen.attempts) == TRIALS
    assert len(server.batches()) == len(seen.batches)


@pytest.mark.long
def test_what_a_batch_has_answered_is_fetched_though_its_models_have_retired_meanwhile(
    tiny: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "TERMS", Terms(**QUICK, requests=100))
    gone: list[str] = []
    with recorded(SandboxSettings(speed=0), spoil=retired(gone)) as server:
        kill_at("while waiting", command(tiny, server), requests=100)
        gone += snapshot().spec.models
        assert main(command(tiny, server)) == 0
        assert (len(settled(snapshot())), snapshot().in_batches) == (TRIALS, frozenset())
        assert set(submitted(server).values()) == {1}
        assert main([*command(tiny, server), "--seed", "9"]) == 2
    assert "is retired" in capsys.readouterr().err


@pytest.mark.long
def test_killed_again_and_again_it_still_submits_everything_once(
    tiny: Path, server: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "TERMS", Terms(**QUICK, requests=5))
    for stage in ("before the submission", "before the id is known", "while waiting", "while fetching"):
        kill_at(stage, command(tiny, server), requests=5)
    assert main(command(tiny, server)) == 0
    check_complete(snapshot(), tmp_path)
    assert set(submitted(server).values()) == {1}


async def submit_stranger(url: str, count: int) -> None:
    async with anthropic.AsyncAnthropic(base_url=url, api_key="k") as client:
        params: Any = {"model": MODELS[1], "max_tokens": 5, "messages": [{"role": "user", "content": "Hello"}]}
        await client.messages.batches.create(requests=[{"custom_id": f"x{n}", "params": params} for n in range(count)])


@pytest.mark.long
@pytest.mark.parametrize(("stage", "posts"), [("before the submission", 2), ("before the id is known", 2)])
def test_a_batch_of_the_same_size_is_not_taken_for_ours(stage: str, posts: int, tiny: Path, server: Recorded) -> None:
    kill_at(stage, command(tiny, server))
    asyncio.run(submit_stranger(server.url, TRIALS))
    assert main(command(tiny, server)) == 0
    seen = snapshot()
    assert len(settled(seen)) == TRIALS
    assert len(seen.attempts) == TRIALS
    assert len(server.batches()) == posts
    assert all(attempt.served_model for attempt in seen.attempts)


def late_results(are_late: Callable[[], bool]) -> Spoil:
    """For so long the server's list shows no results of batches that have ended."""

    def none_yet(body: bytes) -> tuple[str, bytes]:
        shown = json.loads(body)
        rows = [row | {"results_url": None, "archived_at": None} for row in shown["data"]]
        return "application/json", json.dumps(shown | {"data": rows}).encode()

    return lambda method, path: none_yet if (method, path) == ("GET", BATCHES) and are_late() else None


@pytest.mark.long
@pytest.mark.parametrize("killed", [True, False])
def test_a_batch_of_doubtful_arrival_whose_results_are_late_is_waited_for_and_not_submitted_again(
    killed: bool, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, looks = SandboxSettings(speed=200, bills=tmp_path / "bills.jsonl"), iter(range(40))
    lost = None if killed else first_batch("drop-after=0")
    with recorded(settings, lost, late_results(lambda: next(looks, None) is not None)) as server:
        if killed:
            kill_at("before the id is known", command(tiny, server))
        assert main(aloud(tiny, server)) == 0
        assert "may be the one that was submitted, has ended, and there are no results" in capsys.readouterr().err
        check_complete(snapshot(), tmp_path)
        assert len(server.batches()) == 1
    assert len(snapshot().attempts) == TRIALS


def test_the_wait_for_late_results_has_an_end_and_the_same_command_fetches_them(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "TERMS", Terms(**QUICK | {"patience_s": 0.5}))
    settings, there = SandboxSettings(speed=200, bills=tmp_path / "bills.jsonl"), Event()
    with recorded(settings, first_batch("drop-after=0"), late_results(lambda: not there.is_set())) as server:
        assert main(command(tiny, server)) == ExitCode.PROVIDER
        assert len(snapshot().in_batches) == TRIALS
        there.set()
        assert main(command(tiny, server)) == 0
        check_complete(snapshot(), tmp_path)
        assert len(server.batches()) == 1


def test_streaming_does_not_pay_for_what_is_in_batches(
    tiny: Path, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    kill_at("while waiting", command(tiny, server))
    streamed = [x for x in command(tiny, server) if x not in ("--executor", "batch")]
    assert main(streamed) == ExitCode.USAGE
    assert "12 requests" in (line := capsys.readouterr().err)
    assert "fetch them with --executor batch" in line
    assert server.messages() == []
    assert main(command(tiny, server, "--latency-sample", "2")) == 0
    assert server.messages() == []
    assert len(server.batches()) == 1


@pytest.mark.long
def test_what_is_at_the_server_counts_for_the_budget_and_counts_once(
    tiny: Path, server: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Room for five requests, of which five are under way: the next may go when answers turn out cheaper."""
    budget = str(5.2 * max(map(worst_usd, MODELS)))
    monkeypatch.setattr(batch, "TERMS", Terms(**QUICK, requests=4))
    kill_at("after the first of several", command(tiny, server, "--budget-usd", budget), requests=4)
    nonces, since = {recorded.nonce for recorded in snapshot().batches}, len(server.requests)
    assert main(command(tiny, server, "--budget-usd", budget)) == 0
    check_complete(snapshot(), tmp_path)
    fetched = False
    for request in server.requests[since:]:
        fetched = fetched or request.path.endswith("/results")
        if request.method == "POST" and request.path.endswith("/batches"):
            nonce = json.loads(request.body)["requests"][0]["custom_id"].split("_")[0]
            assert fetched or nonce in nonces
    assert fetched


@pytest.mark.long
def test_ctrl_c_leaves_batches_at_the_server_and_the_same_command_fetches_them(tiny: Path, tmp_path: Path) -> None:
    with recorded(SandboxSettings(speed=8, bills=tmp_path / "bills.jsonl")) as server:
        arguments = aloud(tiny, server)
        with Process(arguments, hasten) as process:
            said = []
            for line in process.stderr:
                said.append(line)
                if "Ctrl-C leaves them there" in line:
                    break
            process.send_signal(signal.SIGINT)
            rest = process.stderr.read()
            process.wait(60)
        assert process.returncode == ExitCode.INTERRUPTED, rest
        assert "12 requests stay in batches at the server" in rest
        assert len(snapshot().in_batches) == TRIALS
        assert main(command(tiny, server)) == 0
        check_complete(snapshot(), tmp_path)
        assert len(server.batches()) == 1


def test_a_batch_of_another_key_is_not_submitted_again(
    tiny: Path, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    kill_at("while waiting", command(tiny, server))
    with recorded(FAST) as other:
        assert main(command(tiny, other)) == ExitCode.PROVIDER
        assert "use the key it was submitted with" in capsys.readouterr().err
        assert other.batches() == []
