"""What a run with production's cache marks is expected to cost: prefixes written once, then read."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from servers import recorded
from test_run import snapshot, write_tiny

from evalkit.cached_prefixes import ExpectedCache, Prefix, marked_prefixes
from evalkit.cli import main
from evalkit.models import KNOWN, smallest_cached_tokens
from evalkit.records import Request
from evalkit.sandbox.caching import minimum_tokens
from evalkit.sandbox.catalog import MODELS
from evalkit.sandbox.server import SandboxSettings

HAIKU, SONNET = "claude-haiku-4-5-20251001", "claude-sonnet-4-6"
RULES = "Say what the order is, when it was sent, and where it waits. " * 900
SHARED, OWN = Prefix(b"shared", 0.5), Prefix(b"own", 0.75)


@pytest.mark.parametrize(
    ("at_once", "request_s", "prefixes", "written"),
    [
        (1, 1.0, [(SHARED,)] * 4, [0]),
        (3, 1.0, [(SHARED,)] * 6, [0, 1, 2]),
        (1, 200.0, [(SHARED,), (), (SHARED,), (SHARED,)], [0, 2]),
        (2, 200.0, [(SHARED,), (), (SHARED,), (SHARED,)], [0]),
        (1, 1.0, [(Prefix(bytes([n]), 0.5),) for n in range(3)], [0, 1, 2]),
    ],
    ids=["one by one", "three at once", "past its time", "used in time", "each its own"],
)
def test_a_prefix_is_written_by_those_that_go_before_it_can_be_read(
    at_once: int, request_s: float, prefixes: list[tuple[Prefix, ...]], written: list[int]
) -> None:
    cache = ExpectedCache("5m", at_once)
    shares = [cache.shares(place, "m", marked, request_s) for place, marked in enumerate(prefixes)]
    assert [place for place, (_, writes) in enumerate(shares) if writes] == written
    assert all(read + writes == (0.5 if marked else 0) for (read, writes), marked in zip(shares, prefixes, strict=True))


def test_the_longest_prefix_that_is_there_is_read_and_the_rest_written_by_model() -> None:
    cache = ExpectedCache("1h", 1)
    asked: list[tuple[str, tuple[Prefix, ...]]] = [
        ("m", (SHARED, OWN)),
        ("m", (SHARED, Prefix(b"other", 0.8))),
        ("n", (SHARED,)),
    ]
    found = [cache.shares(place, model, prefixes, 1.0) for place, (model, prefixes) in enumerate(asked)]
    assert found == [(0.0, 0.75), (0.5, pytest.approx(0.3)), (0.0, 0.5)]


def test_prefixes_are_told_by_all_that_stands_before_their_mark() -> None:
    def asking(system: str, text: str, **tool: Any) -> Request:
        control = {"cache_control": {"type": "ephemeral"}}
        message = {
            "role": "user",
            "content": [{"type": "text", "text": "D" * 100, **control}, {"type": "text", "text": text}],
        }
        tools = [{"name": "get", "input_schema": {}, **control, **tool}]
        return Request("m", (message,), 1, ({"type": "text", "text": system, **control},), {"tools": tools})

    one, other = marked_prefixes(asking("S" * 100, "a")), marked_prefixes(asking("S" * 100, "b" * 100))
    assert [prefix.sha256 for prefix in one] == [prefix.sha256 for prefix in other]
    assert one[2].share > 0.95 > other[2].share > other[1].share > other[0].share > 0
    changed = marked_prefixes(asking("T" * 100, "a"))
    assert [a.sha256 == b.sha256 for a, b in zip(one, changed, strict=True)] == [True, False, False]
    assert all(
        a.sha256 != b.sha256 for a, b in zip(one, marked_prefixes(asking("S" * 100, "a", name="g")), strict=True)
    )
    assert marked_prefixes(Request("m", ({"role": "user", "content": "x"},), 1)) == ()


@pytest.mark.parametrize("without", [frozenset[str](), frozenset({"count_tokens"})], ids=["counted", "uncounted"])
def test_the_cost_that_is_foreseen_with_a_cache_is_about_what_is_billed(
    without: frozenset[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    dataset = write_tiny(tmp_path, 20)
    card = {"system": RULES, "cache": {"system": True, "ttl": "5m"}, "params": {"max_tokens": 20}}
    dataset.with_suffix(".yaml").write_text(json.dumps(card))
    with recorded(SandboxSettings(speed=0, without=without)) as server:
        command = ["run", str(dataset), "--base-url", server.url, "-m", HAIKU, "-m", SONNET, "-j", "2", "--epochs", "2"]
        assert main([*command, "--cache", "as-production", "-y"]) == 0
    told = re.search(r"together about \$([\d.]+), at most \$([\d.]+)", said := capsys.readouterr().err)
    assert told is not None, said
    assert "marked prefixes being read once the first request with them is over" in said
    about, most = map(float, told.groups())
    cost = sum(attempt.cost_usd or 0.0 for attempt in snapshot().attempts)
    assert cost / 2 < about < 2 * cost < most


def test_what_batches_write_to_a_cache_each_time_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    dataset = write_tiny(tmp_path, 20)
    card = {"system": RULES, "cache": {"system": True, "ttl": "5m"}, "params": {"max_tokens": 20}}
    dataset.with_suffix(".yaml").write_text(json.dumps(card))
    read, written = "read once the first request with them is over", "written by each request of a batch"
    with recorded(SandboxSettings(speed=0)) as server:
        command = ["run", str(dataset), "--base-url", server.url, "-m", SONNET, "--cache", "as-production", "--dry-run"]
        for sample, expected in (("0", [False, True]), ("5", [True, True])):
            assert main([*command, "--executor", "batch", "--latency-sample", sample]) == 0
            said = capsys.readouterr().out
            assert [read in said, written in said] == expected


def test_what_a_model_does_not_cache_is_foreseen_and_billed_as_if_it_were_not_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    dataset = write_tiny(tmp_path, 12)
    card = {"system": RULES[:9000], "cache": {"system": True, "ttl": "5m"}, "params": {"max_tokens": 20}}
    dataset.with_suffix(".yaml").write_text(json.dumps(card))
    found = {}
    with recorded(SandboxSettings(speed=0)) as server:
        command = ["run", str(dataset), "--base-url", server.url, "-m", HAIKU, "-m", SONNET, "-j", "1"]
        for cache in ("off", "as-production"):
            assert main([*command, "--cache", cache, "-y", "-o", f"{cache}.db"]) == 0
            said = capsys.readouterr().err
            found[cache] = {m: float(c) for m, c in re.findall(r"(claude-\S+): 12 requests.*about \$([\d.]+)", said)}
    assert found["as-production"][HAIKU] == found["off"][HAIKU], "it caches from 4,096 tokens"
    assert found["as-production"][SONNET] < 0.6 * found["off"][SONNET]


def test_the_sandbox_caches_what_the_models_table_says() -> None:
    theirs = {spec.id: minimum_tokens(spec) for spec in MODELS}
    ours = {model.id: model.smallest_cached_tokens for model in KNOWN if model.id in theirs}
    assert ours == {model: theirs[model] for model in ours}
    assert len(ours) > 10
    assert smallest_cached_tokens("bedrock:eu.anthropic.claude-sonnet-4-6") == 2048
    assert smallest_cached_tokens("claude-of-tomorrow") == 4096
