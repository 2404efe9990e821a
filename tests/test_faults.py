"""The fault matrix: every error at the start, in the middle and at the end of a stream ends as documented.

And what the ledger says was paid is what the server says it bills, to the cent.
"""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from servers import FAST, recorded
from test_run import run_files, snapshot, write_tiny

from evalkit.cli import main
from evalkit.errors import ExitCode
from evalkit.executors import local
from evalkit.records import Snapshot
from evalkit.sandbox.server import SandboxSettings

HAIKU = "claude-haiku-4-5-20251001"
ITEMS = 5
HIT = 2
"""The request that meets the fault: the model has answered before, and there are more to come."""

AGAIN, SETTLED, STOPPED = "again", "settled", "stopped"
"""Tried again and answered; settled as errored, for good; the run stops and can go on."""

AT_START = [
    ("status=400", SETTLED, "invalid_request_error"),
    ("status=401", STOPPED, "authentication_error"),
    ("status=402", STOPPED, "billing_error"),
    ("status=403", STOPPED, "permission_error"),
    ("status=404", STOPPED, "not_found_error"),
    ("status=408", AGAIN, "timeout_error"),
    ("status=409", AGAIN, "conflict_error"),
    ("status=413", SETTLED, "request_too_large"),
    ("status=422", SETTLED, "invalid_request_error"),
    ("status=429;retry-after=0", AGAIN, "rate_limit_error"),
    ("status=429;error-code=ramp_limit_exceeded;retry-after=0", AGAIN, "rate_limit_error"),
    ("status=429;error-code=enforced_spend_limit_reached", STOPPED, "rate_limit_error"),
    ("status=429;error-code=contract_spend_limit_reached", STOPPED, "rate_limit_error"),
    ("status=500", AGAIN, "api_error"),
    ("status=503", AGAIN, "api_error"),
    ("status=504", AGAIN, "timeout_error"),
    ("status=529", AGAIN, "overloaded_error"),
    ("drop-after=0", AGAIN, "connection_error"),
    ("status=500;should-retry=false", AGAIN, "api_error"),
    ("status=400;should-retry=true", AGAIN, "invalid_request_error"),
]
IN_STREAM = [
    ("error-after={n}", AGAIN, "overloaded_error"),
    ("error-after={n};error-type=api_error", AGAIN, "api_error"),
    ("error-after={n};error-type=rate_limit_error", AGAIN, "rate_limit_error"),
    ("error-after={n};error-type=timeout_error", AGAIN, "timeout_error"),
    ("error-after={n};error-type=invalid_request_error", SETTLED, "invalid_request_error"),
    ("error-after={n};error-type=authentication_error", STOPPED, "authentication_error"),
    ("error-after={n};error-type=billing_error", STOPPED, "billing_error"),
    ("error-after={n};error-type=permission_error", STOPPED, "permission_error"),
    ("truncate-after={n}", AGAIN, "stream_cut"),
    ("drop-after={n}", AGAIN, "connection_error"),
]
PLACES = {"after the first delta": 1, "in the middle": 3, "at the end": 10_000}


def matrix() -> list[Any]:
    rows = [pytest.param(*row, id=f"{row[0]} at the start") for row in AT_START]
    for where, n in PLACES.items():
        rows += [
            pytest.param(fault.format(n=n), ending, kind, id=f"{fault.split(';')[-1].split('=')[0]} {kind} {where}")
            for fault, ending, kind in IN_STREAM
        ]
    return rows


@pytest.mark.parametrize(("fault", "ending", "kind"), matrix())
def test_every_fault_ends_as_documented_and_the_ledger_agrees_with_the_bill(
    fault: str, ending: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(local.random, "uniform", lambda *_: 0.0)  # no back-off: only the order of things counts here
    dataset, bills = write_tiny(tmp_path, ITEMS), tmp_path / "bills.jsonl"
    command = ["run", str(dataset), "-q", "-j", "1", "-m", HAIKU, "--base-url"]
    settings = SandboxSettings(speed=0, bills=bills)
    with recorded(settings, fault=lambda number, _: fault if number == HIT else None) as server:
        code = main([*command, server.url])
        seen = snapshot()
        (hit,) = [attempt for attempt in seen.attempts if attempt.outcome == "errored"]
        assert hit.error_type == kind
        assert code == (ExitCode.PROVIDER if ending == STOPPED else ExitCode.PASS)
        assert len(server.messages()) == {AGAIN: ITEMS + 1, SETTLED: ITEMS, STOPPED: HIT + 1}[ending]
        assert hit.final == (ending == SETTLED)
        if ending == STOPPED:
            assert f"{kind}" in capsys.readouterr().err
            assert main([*command, server.url]) == 0
    assert_whole(snapshot(), answered=ITEMS - (ending == SETTLED))
    assert ledger_usd(snapshot()) == billed_usd(bills)


def assert_whole(seen: Snapshot, answered: int) -> None:
    """Every trial is settled once."""
    final = [attempt for attempt in seen.attempts if attempt.final]
    assert len(final) == len({attempt.trial_id for attempt in final}) == len(seen.trials)
    assert sum(attempt.outcome == "answered" for attempt in final) == answered


RATES = {
    "claude-opus-4-6": (5, 25),
    "claude-sonnet-4-6": (3, 15),
    HAIKU: (1, 5),
}
"""Published USD a million input and output tokens."""


def billed_usd(bills: Path) -> Decimal:
    """What the server bills, by its own log and the published rates."""
    total = Decimal(0)
    for line in map(json.loads, bills.read_text().splitlines()):
        rate_in, rate_out = RATES[line["model"]]
        usage = line["usage"]
        total += Decimal(usage["input_tokens"] * rate_in + usage["output_tokens"] * rate_out) / 1_000_000
    return total.quantize(Decimal("0.000001"))


def ledger_usd(seen: Snapshot) -> Decimal:
    """What the run file says was paid: all attempts of known cost."""
    known = [Decimal(repr(a.cost_usd)) for a in seen.attempts if a.cost_usd is not None]
    return sum(known, Decimal(0)).quantize(Decimal("0.000001"))


@pytest.mark.long
def test_an_answer_that_does_not_come_in_time_is_a_timeout_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dataset = write_tiny(tmp_path, ITEMS)
    slow = {0: "slow-headers=30", 3: "slow-first=30"}
    with recorded(FAST, fault=lambda number, _: slow.get(number)) as server:
        assert main(["run", str(dataset), "-q", "-m", HAIKU, "--timeout", "1.5", "--base-url", server.url]) == 0
    failed = [attempt for attempt in snapshot().attempts if attempt.outcome == "errored"]
    assert [attempt.error_type for attempt in failed] == ["timeout", "timeout"]
    assert all(attempt.latency_s is not None and attempt.latency_s >= 1.4 for attempt in failed)
    assert_whole(snapshot(), answered=ITEMS)


def test_what_cannot_pass_is_left_unsettled_and_tried_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(local.random, "uniform", lambda *_: 0.0)
    command = ["run", str(write_tiny(tmp_path, 2)), "-q", "-m", HAIKU, "--base-url"]
    busy = {"so": True}
    with recorded(FAST, fault=lambda *_: "status=529" if busy["so"] else None) as server:
        assert main([*command, server.url]) == ExitCode.PROVIDER
        assert "2 requests failed on every attempt" in capsys.readouterr().err
        busy["so"] = False
        assert main([*command, server.url]) == 0
    assert len(run_files()) == 1
    assert_whole(snapshot(), answered=2)
    tries = [sum(a.trial_id == trial.id for a in snapshot().attempts) for trial in snapshot().trials]
    assert tries == [7, 7]
