"""Endurance: ten thousand trials under faults and kill -9 end with every trial answered once, nothing paid twice."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from test_faults import RATES, billed_usd, ledger_usd
from test_run import RUBRIC, run_files, snapshot

ITEMS = 3334
KILL_EVERY = 1000
FAULTS = ("rate_limited=0.10", "overloaded=0.05", "dropped=0.02")
AT_ONCE = 16


def write_many(folder: Path) -> Path:
    (folder / "rubrics").mkdir()
    (folder / "rubrics" / "many.yaml").write_text(RUBRIC.replace("tiny", "many"))
    path = folder / "many.jsonl"
    rows = (
        {"id": f"i{n}", "input": f"Where is order {n * 7919 % 100_003}? Desk {n % 97}.", "reference": f"order {n}"}
        for n in range(ITEMS)
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@contextmanager
def sandbox(bills: Path) -> Iterator[str]:
    faults = [part for fault in FAULTS for part in ("--fault", fault)]
    command = [
        sys.executable,
        "-m",
        "evalkit",
        "sandbox",
        "--port",
        "0",
        "--speed",
        "0",
        "--bills",
        str(bills),
        *faults,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split(" at ")[1].split()[0]
        finally:
            process.send_signal(signal.SIGINT)


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.mark.slow
def test_ten_thousand_trials_under_faults_and_kills_are_each_answered_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dataset, bills = write_many(tmp_path), tmp_path / "bills.jsonl"
    models = [part for model in RATES for part in ("-m", model)]
    kills = 0
    with sandbox(bills) as url:
        command = [sys.executable, "-m", "evalkit", "run", str(dataset), "-q", "-j", str(AT_ONCE), *models]
        command += ["--base-url", url]
        environment = {**os.environ, "NO_PROXY": "127.0.0.1"}
        code: int | None = None
        for _ in range(40):
            end = lines(bills) + KILL_EVERY
            with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
                while (code := process.poll()) is None and lines(bills) < end:
                    time.sleep(0.05)
                if code is None:
                    process.kill()
                    kills += 1
            if code == 0:
                break
    assert code == 0
    assert kills >= ITEMS * len(RATES) // KILL_EVERY - 1
    assert len(run_files()) == 1
    seen = snapshot()
    final = [attempt for attempt in seen.attempts if attempt.final]
    assert len(final) == len({attempt.trial_id for attempt in final}) == ITEMS * len(RATES)
    assert {attempt.outcome for attempt in final} <= {"answered", "refused", "truncated"}
    lost = sum(attempt.outcome is None for attempt in seen.attempts)
    assert lost <= kills * AT_ONCE
    failed = Counter(str(a.error_type) for a in seen.attempts if a.outcome == "errored")
    assert {"rate_limit_error", "overloaded_error", "connection_error"} <= set(failed)
    known = {a.request_id for a in seen.attempts if a.request_id}
    told = [json.loads(line) for line in bills.read_text().splitlines()]
    unheard = [line for line in told if line["request_id"] not in known]
    assert len(unheard) <= lost, "only what a kill cut off was billed without being recorded"
    heard = tmp_path / "heard.jsonl"
    heard.write_text("".join(json.dumps(line) + "\n" for line in told if line["request_id"] in known))
    assert billed_usd(heard) == ledger_usd(seen)
