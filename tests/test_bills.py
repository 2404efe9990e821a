"""Whatever is bought, the ledger's total is what the server bills at the published rates, to the cent and closer."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from servers import recorded
from test_run import RUBRIC, run_files, snapshot

from evalkit.cli import main
from evalkit.executors import local
from evalkit.sandbox.server import SandboxSettings

RATES = {
    "claude-opus-4-6": ("5", "25", "0.50", "6.25", "10"),
    "claude-sonnet-4-6": ("3", "15", "0.30", "3.75", "6"),
    "claude-opus-5-5": ("4", "20", "0.20", "5", "8"),
    "claude-sonnet-5-5": ("2", "10", "0.10", "2.50", "4"),
    "claude-haiku-5-5": ("0.10", "0.50", "0.01", "0.125", "0.20"),
}
"""Published USD a million tokens: input, output, cache read, cache write for 5 minutes and for an hour."""

CLIFF_TOKENS, BEYOND = 100_000, 5
"""Above so many input tokens every token of Haiku 5.5 costs five times as much."""

FAULTS = {"overloaded": 0.1, "rate_limited": 0.1, "dropped": 0.1, "stream_error": 0.1, "truncated": 0.1}
LONG = "The quick brown fox jumps over the lazy dog near the river bank. "
MODELS = ("claude-opus-4-6", "claude-sonnet-4-6", "claude-sonnet-5-5")


def billed_usd(bills: Path, factor: str) -> Decimal:
    """The sum of what the server bills, and whatever its region costs more."""
    return sum((_usd(json.loads(line)) for line in bills.read_text().splitlines()), Decimal(0)) * Decimal(factor)


def _usd(line: dict[str, Any]) -> Decimal:
    usage, rates = line["usage"], [Decimal(rate) for rate in RATES[line["model"]]]
    written = usage["cache_creation"]
    counts = [
        usage["input_tokens"], usage["output_tokens"], usage["cache_read_input_tokens"],
        written["ephemeral_5m_input_tokens"], written["ephemeral_1h_input_tokens"],
    ]  # fmt: skip
    usd = sum((count * rate for count, rate in zip(counts, rates, strict=True)), Decimal(0)) / 1_000_000
    over = line["model"] == "claude-haiku-5-5" and counts[0] + sum(counts[2:]) > CLIFF_TOKENS
    return usd * (BEYOND if over else 1) * (Decimal("1.1") if usage["inference_geo"] == "us" else 1)


def buy(folder: Path, models: tuple[str, ...], items: int, words: int, card: dict[str, Any], *more: str) -> Path:
    """A run of so many items, with faults on the way; returns what the server bills."""
    rows = ({"id": f"i{n}", "input": f"Where is order {n}? " + LONG * words, "reference": "x"} for n in range(items))
    (folder / "rubrics").mkdir()
    (folder / "rubrics" / "made.yaml").write_text(RUBRIC.replace("tiny", "made"))
    (folder / "made.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "made.yaml").write_text(json.dumps(card))
    named = [part for model in models for part in ("-m", model)]
    bills = folder / "bills.jsonl"
    with (
        recorded(SandboxSettings(speed=0, bills=bills, fault_rates=FAULTS)) as server,
        pytest.MonkeyPatch.context() as m,
    ):
        m.setenv("AWS_REGION", "us-east-1")
        m.setenv("AWS_BEARER_TOKEN_BEDROCK", "bedrock-key")
        m.setenv("ANTHROPIC_BEDROCK_BASE_URL", server.url)
        m.setenv("ANTHROPIC_BEDROCK_MANTLE_BASE_URL", f"{server.url}/anthropic")
        m.setattr(local.random, "uniform", lambda *_: 0.0)
        assert main(["run", "made.jsonl", "-q", "--base-url", server.url, *named, *more]) == 0
    return bills


CACHED = {"system": LONG * 300, "cache": {"system": True, "ttl": "1h"}}
BOUGHT: dict[str, tuple[tuple[str, ...], int, int, dict[str, Any], str, tuple[str, ...]]] = {
    "small prompts": (MODELS, 12, 0, {}, "1", ()),
    "a cache for 5 minutes": (MODELS, 12, 0, {**CACHED, "cache": {"system": True}}, "1", ("--cache", "as-production")),
    "a cache for an hour": (MODELS, 12, 0, CACHED, "1", ("--cache", "as-production")),
    "below the cliff": (("claude-haiku-5-5",), 3, 4900, {}, "1", ()),
    "beyond the cliff": (("claude-haiku-5-5",), 3, 5000, {}, "1", ()),
    "in the US": (MODELS, 8, 0, {"params": {"inference_geo": "us"}}, "1", ()),
    "Bedrock in a region": (("bedrock:us.anthropic.claude-sonnet-4-6",), 15, 0, {}, "1.1", ()),
    "Bedrock anywhere": (("bedrock:global.anthropic.claude-opus-4-6-v1",), 15, 0, {}, "1", ()),
    "Bedrock's Messages endpoint": (("bedrock:anthropic.claude-opus-5-5",), 15, 0, {}, "1.1", ()),
}


@pytest.mark.parametrize("what", BOUGHT)
def test_the_ledger_says_what_the_server_bills(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    models, items, words, card, factor, more = BOUGHT[what]
    bills = buy(tmp_path, models, items, words, card, *more)
    assert len(run_files()) == 1
    attempts = snapshot().attempts
    assert len({attempt.trial_id for attempt in attempts if attempt.final}) == items * len(models)
    known = sum(Decimal(repr(attempt.cost_usd)) for attempt in attempts if attempt.cost_usd is not None)
    assert known == pytest.approx(billed_usd(bills, factor), abs=Decimal("0.000001"))
    sizes = [attempt.usage.total_input_tokens or 0 for attempt in attempts if attempt.final]
    if "cliff" in what:
        assert (min(sizes) > CLIFF_TOKENS) == (what == "beyond the cliff")
        assert max(abs(size - CLIFF_TOKENS) for size in sizes) < 5000
