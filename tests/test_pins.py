"""Pins: found however a provider spells them, told apart from prose, and not bumped without evidence."""

import json
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.cli import main
from evalkit.errors import ProblemsError, UsageError
from evalkit.pins.bumps import bumps
from evalkit.pins.facts import facts_of, price_change
from evalkit.pins.lock import Lock, approval_of, faults, read_lock, with_approval, write_lock
from evalkit.pins.mentions import is_prose
from evalkit.pins.scan import in_code, pins_in
from evalkit.pins.spelling import SOUGHT, spellings

SONNET_45 = "claude-sonnet-4-5-20250929"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/ab12cd34ef56"
TODAY = date(2026, 11, 26)


@pytest.mark.parametrize(
    ("text", "model", "kind", "provider"),
    [
        ('model="claude-sonnet-4-5-20250929"', SONNET_45, "pin", "anthropic"),
        ("claude-sonnet-4-5", "claude-sonnet-4-5", "alias", "anthropic"),
        ("claude-opus-4-6.", "claude-opus-4-6", "pin", "anthropic"),
        ("MODEL=claude-opus-4-8;", "claude-opus-4-8", "pin", "anthropic"),
        ("claude-opus-4-20250514", "claude-opus-4-20250514", "pin", "anthropic"),
        ("claude-3-5-sonnet-20241022", "claude-3-5-sonnet-20241022", "pin", "anthropic"),
        ("claude-3-opus-latest", "claude-3-opus", "alias", "anthropic"),
        ("claude-3-haiku", "claude-3-haiku", "alias", "anthropic"),
        ("claude-sonnet-latest", "claude-sonnet", "alias", "anthropic"),
        ("claude-2.1", "claude-2.1", "pin", "anthropic"),
        ("claude-instant-1.2", "claude-instant-1-2", "pin", "anthropic"),
        ("claude-haiku-7", "claude-haiku-7", "pin", "anthropic"),
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", SONNET_45, "pin", "bedrock"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", SONNET_45, "pin", "bedrock"),
        ("global.anthropic.claude-opus-4-6-v1", "claude-opus-4-6", "pin", "bedrock"),
        ("arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0",
         "claude-3-haiku-20240307", "pin", "bedrock"),
        ("bedrock/anthropic.claude-v2:1", "claude-2", "pin", "bedrock"),
        ("claude-sonnet-4-5@20250929", SONNET_45, "pin", "vertex"),
        ("publishers/anthropic/models/claude-opus-4-6", "claude-opus-4-6", "pin", "vertex"),
        ("anthropic/claude-sonnet-4.5", "claude-sonnet-4-5", "alias", "gateway"),
        ("openrouter/anthropic/claude-3.5-sonnet:beta", "claude-3-5-sonnet", "alias", "gateway"),
        ("anthropic/claude-4.5-sonnet", "claude-sonnet-4-5", "alias", "gateway"),
        ("claude-3-5-sonnet-v2@20241022", "claude-3-5-sonnet-20241022", "pin", "vertex"),
        ("vertex_ai/claude-sonnet-4@20250514", "claude-sonnet-4-20250514", "pin", "vertex"),
        ('ChatAnthropic(model="claude-sonnet-4-5-20250929")', SONNET_45, "pin", "anthropic"),
        ("bedrock/converse/eu.anthropic.claude-sonnet-4-5-20250929-v1:0", SONNET_45, "pin", "bedrock"),
        ("/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke", SONNET_45, "pin", "bedrock"),
        ("${var.region}.anthropic.claude-sonnet-4-5-20250929-v1:0", SONNET_45, "pin", "bedrock"),
        ("arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-4-6-v1",
         "claude-opus-4-6", "pin", "bedrock"),
        ("claude-opus-4-6[1m]", "claude-opus-4-6", "pin", "anthropic"),
        ("claude-sonnet-4-5-20250929-thinking", SONNET_45, "pin", "anthropic"),
        ("anthropic.ModelClaudeSonnet4_5_20250929", SONNET_45, "pin", "anthropic"),
        ("anthropic.ModelClaudeOpus4_6", "claude-opus-4-6", "pin", "anthropic"),
        ("Model.CLAUDE_SONNET_4_5", "claude-sonnet-4-5", "alias", "anthropic"),
        ("FoundationModelIdentifier.ANTHROPIC_CLAUDE_3_5_SONNET_20241022_V2_0",
         "claude-3-5-sonnet-20241022", "pin", "bedrock"),
        (PROFILE, PROFILE, "hidden", "bedrock"),
    ],
)  # fmt: skip
def test_every_spelling_means_one_model(text: str, model: str, kind: str, provider: str) -> None:
    assert [(s.model, s.kind, s.provider) for s in spellings(text)] == [(model, kind, provider)]


@pytest.mark.parametrize(
    "text",
    ["claude-code", "claude-desktop", "my-claude-opus-4-6", "claude-sonnet-4-5-notes.md", "Claude Sonnet 4.5",
     "claude_sonnet_4_5", "CLAUDE_SONNET_4_5 = os.environ", "CLAUDE_HAIKU_MODEL", "arn:aws:bedrock:x:y",
     "xclaude-opus-4-6", "claude-3", "claude-", "claude-opus-4-6x"],
)  # fmt: skip
def test_what_is_no_model_id_is_left_alone(text: str) -> None:
    assert list(spellings(text)) == []


def test_all_ids_of_a_line_are_found_with_their_columns() -> None:
    line = '{"a": "claude-opus-4-6", "b": "us.anthropic.claude-sonnet-4-6-v1"}'
    assert [(s.written, s.column) for s in spellings(line)] == [
        ("claude-opus-4-6", 8),
        ("us.anthropic.claude-sonnet-4-6-v1", 32),
    ]


@given(st.text(max_size=200))
def test_no_text_breaks_the_search_and_what_is_found_stands_there(text: str) -> None:
    for line in (text, f"claude-{text}", f"claude-opus-{text}", f"Model.CLAUDE_{text}", f"{PROFILE}{text}"):
        for found in spellings(line):
            assert line[found.column - 1 :].startswith(found.written)
            assert re.search(SOUGHT, line)


def test_a_line_of_any_length_is_searched_once_through() -> None:
    long = "a/" * 200_000
    assert [s.model for s in spellings(f"{long} {long}claude-opus-4-6")] == ["claude-opus-4-6"]


@pytest.mark.parametrize(
    ("path", "prose"),
    [("README.md", True), ("docs/models.rst", True), ("prompts/system.md", False), ("app/prompt.txt", False),
     ("notes.txt", True), ("main.py", False), ("infra/main.tf", False), (".github/workflows/ci.yml", False),
     (".claude/agents/reviewer.md", False), ("logs/calls.jsonl", True), ("prompts/calls.jsonl", True)],
)  # fmt: skip
def test_documentation_is_told_from_what_runs(path: str, prose: bool) -> None:
    assert is_prose(path) == prose


@pytest.mark.parametrize(
    ("path", "content", "count"),
    [
        ("a.py", b"m = 'claude-opus-4-6'\n", 1),
        ("a.py", b"m = 'claude-opus-4-6'  # evalkit: ignore\n", 0),
        ("a.bin", b"\0claude-opus-4-6", 0),
        ("evalkit.lock", b'"claude-opus-4-6"', 0),
        ("a.py", b"'claude-opus-4-6'\n" + b" " * 2_000_000, 0),
        ("gate.yaml", b"baseline: claude-opus-4-6", 0),
        ("app.min.js", b"m='claude-opus-4-6'", 0),
        ("gate.json", b'{"candidate": "claude-opus-4-6", "rubric_sha256": "0"}', 0),
        ("latin.py", b"# caf\xe9\nm = 'claude-opus-4-6'\n", 1),
    ],
)
def test_files_are_read_for_what_they_are(path: str, content: bytes, count: int) -> None:
    assert len(list(pins_in(path, content))) == count


@pytest.mark.parametrize(
    ("path", "line", "runs"),
    [
        ("app.py", "m = 'claude-opus-4-6'", True),
        ("app.py", "# m = 'claude-opus-4-6'", False),
        ("app.py", "m = x  # once claude-opus-4-6", False),
        ("app.py", "m = '# claude-opus-4-6'", True),
        ("app.py", "m = 'it\\'s # claude-opus-4-6'", True),
        ("a.yaml", "url: http://x/#claude-opus-4-6", True),
        ("a.yaml", "model: claude-opus-4-6  # was claude-opus-4-5", True),
        (".env.production", "# MODEL=claude-opus-4-6", False),
        ("Dockerfile", "# ENV MODEL=claude-opus-4-6", False),
        ("Dockerfile", "ENV MODEL=claude-opus-4-6", True),
        ("Jenkinsfile", "    // claude-opus-4-6", False),
        ("Jenkinsfile", "  MODEL = 'claude-opus-4-6'", True),
        ("a.ts", "call('https://x//claude-opus-4-6')", True),
        ("a.ts", "/* claude-opus-4-6 */", False),
        ("a.ts", " * claude-opus-4-6", False),
        ("a.ts", "/* x */ m = 'claude-opus-4-6'", True),
        ("main.tf", "model = \"claude-opus-4-6\" // fine", True),
        ("main.tf", "  # model = \"claude-opus-4-6\"", False),
        ("prompts/a.md", "# claude-opus-4-6", True),
        ("a.json", "// claude-opus-4-6", True),
    ],
)  # fmt: skip
def test_a_comment_only_mentions_and_in_doubt_it_is_none(path: str, line: str, runs: bool) -> None:
    assert next(pins_in(path, f"first\n{line}\n".encode())).prose != runs


def test_in_a_notebook_code_runs_and_notes_and_results_do_not() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["We use claude-opus-4-6\n", "daily"]},
        {"cell_type": "code", "source": ['m = "claude-opus-4-8"\n', "m"], "outputs": [{"text": ["claude-opus-5\n"]}]},
        {"cell_type": "code", "source": "n = 'claude-sonnet-4-6' # ü", "outputs": []},
    ]
    notebook = {"cells": cells, "nbformat": 4}
    for ascii_ in (True, False):
        text = json.dumps(notebook, indent=1, ensure_ascii=ascii_)
        found = {pin.model for pin in in_code(pins_in("a.ipynb", text.encode()))}
        assert found == {"claude-opus-4-8", "claude-sonnet-4-6"}
    assert len(in_code(pins_in("a.ipynb", json.dumps(notebook).encode()))) == 4  # on one line nothing is told apart
    assert len(in_code(pins_in("a.ipynb", b"{claude-opus-4-6"))) == 1


# --- what a change does ---


def changed(then: str, now: str, path: str = "app.py") -> list[tuple[str, str | None, str | None]]:
    found = bumps(pins_in(path, then.encode()), pins_in(path, now.encode()))
    return [(b.change, b.then.model if b.then else None, b.now.model if b.now else None) for b in found]


@pytest.mark.parametrize(
    ("then", "now", "found"),
    [
        (SONNET_45, "claude-sonnet-4-6", [("bump", SONNET_45, "claude-sonnet-4-6")]),
        (f"a\n{SONNET_45}", f"{SONNET_45}\nb", []),
        (f"us.anthropic.{SONNET_45}-v1:0", SONNET_45, []),
        ("", "claude-opus-4-6", [("added", None, "claude-opus-4-6")]),
        ("claude-opus-4-6", "", [("removed", "claude-opus-4-6", None)]),
        ("claude-opus-4-6\nclaude-haiku-4-5-20251001", "claude-haiku-5-5\nclaude-opus-4-8",
         [("bump", "claude-haiku-4-5-20251001", "claude-haiku-5-5"), ("bump", "claude-opus-4-6", "claude-opus-4-8")]),
        ("claude-opus-4-6", "claude-opus-4-6\nclaude-opus-4-6", [("added", None, "claude-opus-4-6")]),
    ],
)  # fmt: skip
def test_a_bump_is_a_new_id_in_place_of_a_gone_one(then: str, now: str, found: list[Any]) -> None:
    assert changed(then, now) == found


def test_prose_changes_no_pin() -> None:
    assert changed("claude-opus-4-6", "claude-opus-4-8", "README.md") == []


# --- what is known ---


def test_facts_tell_retirement_and_the_price_of_the_same_text() -> None:
    facts = facts_of(SONNET_45, datetime(2026, 11, 26, tzinfo=UTC))
    assert (facts.lifecycle, facts.retires) == ("deprecated", "2026-11-30")
    change = next(c for c in facts.newer if c.model == "claude-sonnet-5-5")
    assert change.input_ratio is not None
    assert change.input_per_text == pytest.approx(1.3 * change.input_ratio)


@pytest.mark.parametrize(
    ("model", "lifecycle", "retires"),
    [
        ("claude-opus-4-1-20250805", "retired", "2026-08-05"),
        ("claude-3-7-sonnet-20250219", "retired", "2026-02-19"),
        ("claude-3-7-sonnet", "retired", "2026-02-19"),
        ("claude-opus-4-6", "active", None),
        (PROFILE, "unknown", None),
    ],
)
def test_earlier_models_are_known_by_their_retirement(model: str, lifecycle: str, retires: str | None) -> None:
    facts = facts_of(model, datetime(2026, 11, 26, tzinfo=UTC))
    assert (facts.lifecycle, facts.retires) == (lifecycle, retires)
    assert bool(facts.newer) == (facts.tier is not None)


@pytest.mark.parametrize(
    ("day", "lifecycle", "soon"),
    [("2026-09-30", "deprecated", False), ("2026-10-01", "deprecated", True), ("2026-11-29", "deprecated", True),
     ("2026-11-30", "retired", True)],
)  # fmt: skip
def test_a_pin_retires_on_its_day_and_is_warned_about_60_days_before(day: str, lifecycle: str, soon: bool) -> None:
    then = datetime.fromisoformat(day).replace(tzinfo=UTC)
    facts = facts_of(SONNET_45, then)
    assert (facts.lifecycle, facts.retires_soon(then.date())) == (lifecycle, soon)


def test_an_unknown_model_has_no_price_change() -> None:
    change = price_change("claude-sonnet-9", "claude-sonnet-4-6", datetime(2026, 11, 26, tzinfo=UTC))
    assert (change.input_ratio, change.input_per_text) == (None, None)
    assert facts_of("claude-sonnet-9", datetime(2026, 11, 26, tzinfo=UTC)).lifecycle == "unknown"


# --- evidence ---


def report(verdict: str = "pass", *, simulated: bool = False, candidate: str = "claude-sonnet-4-6") -> dict[str, Any]:
    names = ("dataset", "rubric", "prompt", "policy", "baseline_run", "candidate_run")
    hashes = {f"{name}_sha256": name[0] * 64 if name[0] in "abcdef" else "0" * 64 for name in names}
    return {
        "headline": "PASS: so it is",
        "gate": {
            "verdict": verdict, "candidate": candidate, "baseline": SONNET_45, "items": 60, "epochs": 3,
            "simulated": simulated, "provenance": {**hashes, "evalkit": "0.1"},
        },
    }  # fmt: skip


def lock(**changes: Any) -> Lock:
    made = approval_of(report(**changes), "claude-sonnet-4-6", SONNET_45, TODAY)
    return with_approval(Lock(), made)


@pytest.mark.parametrize(
    ("held", "wanted", "day", "told"),
    [
        (lock(), {}, TODAY, []),
        (Lock(), {}, TODAY, ["no evidence"]),
        (lock(verdict="fail"), {}, TODAY, ["its gate ended fail"]),
        (lock(verdict="inconclusive"), {}, TODAY, ["its gate ended inconclusive"]),
        (lock(simulated=True), {}, TODAY, ["its evidence is simulated"]),
        (lock(), {"dataset_sha256": "d" * 64}, TODAY, []),
        (lock(), {"dataset_sha256": "e" * 64}, TODAY, ["its evidence is of another dataset"]),
        (lock(), {"rubric_sha256": "e" * 64}, TODAY, ["its evidence is of another rubric"]),
        (lock(), {"policy_sha256": "e" * 64}, TODAY, ["its evidence is of another policy"]),
        (lock(), {}, date(2027, 5, 25), []),
        (lock(), {}, date(2027, 5, 26), ["its evidence is 181 days old, 180 are allowed"]),
        (lock(), {}, date(2026, 11, 25), ["its evidence is dated in the future (2026-11-26)"]),
    ],
)
def test_evidence_must_be_there_whole_fresh_and_of_the_same(
    held: Lock, wanted: dict[str, str], day: date, told: list[str]
) -> None:
    assert list(faults(held, "claude-sonnet-4-6", wanted, day)) == told


def test_an_edit_by_hand_shows() -> None:
    text = write_lock(lock(verdict="fail")).replace('"verdict": "fail"', '"verdict": "pass"')
    assert list(faults(read_lock(text, "evalkit.lock"), "claude-sonnet-4-6", {}, TODAY)) == [
        "its evidence was edited by hand"
    ]


def test_simulated_evidence_counts_only_where_it_is_asked_for() -> None:
    assert list(faults(lock(simulated=True), "claude-sonnet-4-6", {}, TODAY, allow_simulated=True)) == []


def test_a_lock_reads_back_as_it_was_and_holds_one_approval_a_model() -> None:
    held = lock()
    assert read_lock(write_lock(held), "evalkit.lock") == held
    again = with_approval(held, replace_verdict(held))
    assert [a.verdict for a in again.approvals] == ["fail"]


def replace_verdict(held: Lock) -> Any:
    return held.approvals[0].model_copy(update={"verdict": "fail"})


@pytest.mark.parametrize("text", ["{}x", '{"approvals": [{}]}', '{"version": 2}', '{"max_age_days": 0}'])
def test_a_broken_lock_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(ProblemsError, match=r"evalkit\.lock:\d+: "):
        read_lock(text, "evalkit.lock")


def test_a_model_against_itself_approves_nothing() -> None:
    with pytest.raises(UsageError, match="against itself"):
        approval_of(report(candidate=SONNET_45), SONNET_45, SONNET_45, TODAY)


@pytest.mark.parametrize("content", [{}, {"gate": {}}, {"gate": {"verdict": "pass"}}, [], {"gate": 3}])
def test_what_is_no_gate_report_approves_nothing(content: Any) -> None:
    with pytest.raises(UsageError, match="no gate report"):
        approval_of(content, "claude-sonnet-4-6", SONNET_45, TODAY)


# --- in a real repository ---

Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """A repository whose main branch pins Sonnet 4.5."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> str:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path).stdout

    run("init", "-q", "-b", "main")
    Path("app.py").write_text(f'MODEL = "{SONNET_45}"\n', encoding="utf-8")
    Path("README.md").write_text("We use it.\n", encoding="utf-8")
    run("add", "-A")
    run("commit", "-qm", "start")
    run("checkout", "-qb", "bump")
    return run


def commit(git: Git, path: str, text: str) -> None:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    git("add", "-A")
    git("commit", "-qm", "change")


def test_a_branch_that_bumps_a_pin_is_blocked_until_it_has_evidence(
    git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(git, "app.py", 'MODEL = "claude-sonnet-4-6"\n')
    assert main(["pins", "diff", "main...HEAD", "--exit-code"]) == 1
    assert f"app.py:1: {SONNET_45} -> claude-sonnet-4-6" in capsys.readouterr().out
    assert main(["pins", "verify", "--changed", "main...HEAD"]) == 6
    assert "app.py:1: claude-sonnet-4-6: no evidence; run the gate" in capsys.readouterr().err
    Path("gate.json").write_text(json.dumps(report()), encoding="utf-8")
    assert main(["pins", "approve", "gate.json"]) == 0
    assert main(["pins", "verify", "--changed", "main...HEAD"]) == 0
    assert main(["pins", "verify"]) == 0


def test_a_branch_that_only_touches_prose_changes_no_pin(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    commit(git, "README.md", "We may use claude-sonnet-4-6 one day.\n")
    assert main(["pins", "diff", "main...HEAD", "--exit-code"]) == 0
    assert main(["pins", "verify", "--changed", "main...HEAD"]) == 0
    assert "no pin changed" in capsys.readouterr().out


def test_a_scan_sees_new_files_and_not_what_git_ignores(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    Path(".gitignore").write_text("secret/\n", encoding="utf-8")
    for name in ("new file.py", "secret/x.py", "ünï.py"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("m = 'claude-opus-4-6'\n", encoding="utf-8")
    assert main(["pins", "scan", "--json"]) == 0
    found = {pin["path"] for pin in json.loads(capsys.readouterr().out)["pins"]}
    assert found == {"app.py", "new file.py", "ünï.py"}


def test_renamed_and_deleted_files_are_compared_by_what_they_named(git: Git) -> None:
    git("mv", "app.py", "main.py")
    git("commit", "-qm", "rename")
    assert main(["pins", "diff", "main..HEAD", "--exit-code"]) == 0


def approve_by(content: dict[str, Any]) -> None:
    Path("gate.json").write_text(json.dumps(content), encoding="utf-8")
    assert main(["pins", "approve", "gate.json"]) == 0


def test_a_report_on_a_platform_approves_the_model_however_it_is_spelled(git: Git) -> None:
    commit(git, "app.py", 'MODEL = "eu.anthropic.claude-sonnet-4-6-v1"\n')
    approve_by(report(candidate="bedrock:us.anthropic.claude-sonnet-4-6"))
    assert main(["pins", "verify", "--changed", "main...HEAD"]) == 0


def test_a_hidden_model_is_approved_by_its_name(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    commit(git, "app.py", f'MODEL = "{PROFILE}"\n')
    assert main(["pins", "unproven", "main...HEAD"]) == 0
    assert capsys.readouterr().out == f"{SONNET_45} bedrock:{PROFILE}\n"
    approve_by(report(candidate=f"bedrock:{PROFILE}"))
    assert main(["pins", "verify", "--changed", "main...HEAD"]) == 0
    assert "does not say which model it is" in capsys.readouterr().err


def test_going_back_to_what_was_replaced_needs_no_evidence_but_a_model_that_runs(
    git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    for then, code in (("claude-opus-4-6", 0), ("claude-opus-4-1", 6)):
        commit(git, "app.py", 'MODEL = "claude-opus-4-8"\n')
        content = report(candidate="claude-opus-4-8")
        content["gate"]["baseline"] = then
        approve_by(content)
        commit(git, "app.py", f'MODEL = "{then}"\n')
        capsys.readouterr()
        assert main(["pins", "verify", "--changed", "HEAD~1..HEAD"]) == code
    assert capsys.readouterr().err.splitlines()[:-1] == [
        "error: app.py:1: claude-opus-4-1: the model was retired on 2026-08-05; name one that is active, see"
        " `evalkit models`"
    ]
    commit(git, "app.py", 'MODEL = "claude-haiku-5-5"\n')
    assert main(["pins", "verify", "--changed", "HEAD~1..HEAD"]) == 6


def test_no_attribute_hides_a_bump(git: Git) -> None:
    commit(git, ".gitattributes", "*.py binary -diff\n")
    commit(git, "app.py", 'MODEL = "claude-sonnet-4-6"\n')
    assert main(["pins", "diff", "main...HEAD", "--exit-code"]) == 1


def test_to_pin_what_an_alias_stands_for_needs_no_evidence_but_another_does(
    git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(git, "app.py", 'MODEL = "claude-haiku-4-5"\n')
    commit(git, "app.py", 'MODEL = "claude-haiku-4-5-20251001"\n')
    assert main(["pins", "verify", "--changed", "HEAD~1..HEAD"]) == 0
    commit(git, "app.py", 'MODEL = "claude-haiku-5-5"\n')
    capsys.readouterr()
    assert main(["pins", "unproven", "HEAD~2..HEAD"]) == 0
    assert capsys.readouterr().out == "claude-haiku-4-5-20251001 claude-haiku-5-5\n"


def test_lines_of_a_change_are_marked_and_a_path_cannot_forge_a_mark(
    git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(git, "a\n::error::b.py", 'A = "claude-sonnet-4-6"\n')
    assert main(["pins", "verify", "--changed", "main...HEAD", "--annotate"]) == 6
    told = capsys.readouterr()
    assert told.out.startswith("::error file=a%0A%3A%3Aerror%3A%3Ab.py,line=1,title=evalkit::claude-sonnet-4-6: no ev")
    assert not [line for line in (told.out + told.err).splitlines() if line.startswith("::error::")]
    assert "gate it against a pin that ran before" in told.err


def test_a_scan_is_a_table_with_what_to_know_below_it(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    commit(git, "app.py", f'A = "claude-sonnet-4-5"  # was claude-3-opus-20240229\nB = "{PROFILE}"\n')
    assert main(["pins", "scan"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("  ")[0] == "place"
    assert re.match(r"app.py:1 +claude-sonnet-4-5 +alias +\w+ +2026-11-30 +claude-sonnet-5-5 \(price 0.67× a", lines[1])
    assert "! claude-sonnet-4-5 is an alias and may change under you; its pin is claude-sonnet-4-5-20250929" in lines
    assert f"! {PROFILE} does not say which model it is" in lines
    assert lines[-1] == "2 ids in code and configuration, 1 mentioned in text, comments or data"


@pytest.mark.parametrize("named", ["main", "nope..HEAD", "..HEAD", "--x..HEAD", "main..-x"])
def test_what_is_no_range_is_refused(named: str, git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pins", "diff", "--", named]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 2


def test_an_alias_and_a_retired_model_have_no_valid_evidence(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    commit(git, "app.py", 'A, B = "claude-sonnet-4-5", "claude-opus-4-1"\n')
    assert main(["pins", "verify"]) == 6
    errors = capsys.readouterr().err
    assert "an alias may change under you" in errors
    assert "the model was retired on 2026-08-05" in errors


def test_lines_of_a_dataset_that_the_lock_names_must_still_be_the_same(
    git: Git, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(git, "app.py", 'MODEL = "claude-sonnet-4-6"\n')
    rubric = Path("rubric.yaml")
    rubric.write_text((root / "rubrics" / "ticket-routing.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    Path("gate.json").write_text(json.dumps(report()), encoding="utf-8")
    assert main(["pins", "approve", "gate.json", "--rubric", "rubric.yaml"]) == 0
    assert main(["pins", "verify"]) == 6
    assert "its evidence is of another rubric" in capsys.readouterr().err
