"""Pins in a repository: what a change names, what is printed of it, and that no bump passes without evidence."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from gate_reports import DATASET, RUBRIC, SONNET_45, approve, write_evidence_files

from evalkit.cli import main
from evalkit.dataset_files import read_dataset
from evalkit.gating.policy import read_policy
from evalkit.pins.lock import read_lock
from evalkit.pins.places import one_line
from evalkit.strict import content_sha256, sealed

SCRIPT = Path(__file__).parents[1] / "ci" / "model-bump.sh"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/ab12cd34ef56"
OPEN = "arn:aws:bedrock:${AWS::Region}:${AWS::AccountId}:application-inference-profile/%s"


pytestmark = pytest.mark.usefixtures("while_sonnet_4_5_runs")
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
    assert approve() == 0
    assert main(["pins", "verify", "--changed", "main...HEAD"]) == 0
    assert main(["pins", "verify"]) == 0


def test_a_branch_that_only_touches_prose_changes_no_pin(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    commit(git, "README.md", "We may use claude-sonnet-4-6 one day.\n")
    assert main(["pins", "diff", "main...HEAD", "--exit-code"]) == 0
    assert main(["pins", "verify", "--changed", "main...HEAD"]) == 0
    assert "no pin changed" in capsys.readouterr().out


def test_a_scan_sees_new_files_and_names_what_git_ignores(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    Path(".gitignore").write_text("secret/\n.env\n", encoding="utf-8")
    for name in ("new file.py", "secret/x.py", "ünï.py", ".env"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("m = 'claude-opus-4-6'\n", encoding="utf-8")
    assert main(["pins", "scan", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {pin["path"] for pin in told["pins"]} == {"app.py", "new file.py", "ünï.py"}
    assert told["ignored"] == [".env", "secret"]
    assert main(["pins", "scan", ".", "app.py"]) == 0
    found = capsys.readouterr()
    assert found.err == "warning: not looked into, since git ignores them: .env, secret; name one to look into it\n"
    assert found.out.endswith("3 ids in code and configuration, 0 mentioned in text, comments or data\n"), "each once"
    assert main(["pins", "scan", ".env", "secret"]) == 0
    found = capsys.readouterr()
    assert (found.err, "2 ids in code" in found.out) == ("", True)


def test_renamed_and_deleted_files_are_compared_by_what_they_named(git: Git) -> None:
    git("mv", "app.py", "main.py")
    git("commit", "-qm", "rename")
    assert main(["pins", "diff", "main..HEAD", "--exit-code"]) == 0


def test_a_report_on_a_platform_approves_the_model_however_it_is_spelled(git: Git) -> None:
    commit(git, "app.py", 'MODEL = "eu.anthropic.claude-sonnet-4-6-v1"\n')
    assert approve(candidate="bedrock:us.anthropic.claude-sonnet-4-6") == 0
    assert main(["pins", "verify", "--changed", "main...HEAD"]) == 0


def test_a_hidden_model_is_approved_by_its_name(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    commit(git, "app.py", f'MODEL = "{PROFILE}"\n')
    assert main(["pins", "unproven", "main...HEAD"]) == 0
    assert capsys.readouterr().out == f"{SONNET_45} bedrock:{PROFILE}\n"
    assert approve(candidate=f"bedrock:{PROFILE}") == 0
    assert main(["pins", "verify", "--changed", "main...HEAD"]) == 0
    assert "does not say which model it is" in capsys.readouterr().err


def verified(revisions: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit code of a check of a change, and its first error without place and remedy."""
    capsys.readouterr()
    code = main(["pins", "verify", "--changed", revisions])
    return code, capsys.readouterr().err.partition("\n")[0].split("; ")[0].split(": ")[-1]


def test_going_back_to_what_was_replaced_needs_no_evidence_but_a_model_that_runs(
    git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    for then, code in (("claude-opus-4-6", 0), ("claude-opus-4-1", 6)):
        commit(git, "app.py", f'MODEL = "{then}"\n')
        commit(git, "app.py", 'MODEL = "claude-opus-4-8"\n')
        assert approve(candidate="claude-opus-4-8", baseline=then) == 0
        commit(git, "app.py", f'MODEL = "{then}"\n')
        assert verified("HEAD~1..HEAD", capsys)[0] == code
    commit(git, "app.py", 'MODEL = "claude-haiku-5-5"\n')
    assert verified("HEAD~1..HEAD", capsys) == (6, "no evidence")
    assert main(["pins", "verify", "--lock", "other.lock", "--changed", "HEAD~1..HEAD"]) == 6
    assert "other.lock is not here; --lock names the file of approvals" in capsys.readouterr().err


@pytest.mark.parametrize("verdict", ["fail", "inconclusive"])
def test_a_gate_that_did_not_pass_lets_neither_model_stand_in_for_the_other(
    verdict: str, git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(git, "app.py", 'MODEL = "claude-sonnet-4-6"\n')
    assert approve(verdict) == 0
    assert verified("main...HEAD", capsys) == (6, f"its gate ended {verdict}")
    main(["pins", "verify", "--changed", "main...HEAD"])
    remedy = {
        "fail": "its report says in what it is worse: take another model, or go back",
        "inconclusive": "what would settle it: gate it again",
    }
    assert remedy[verdict] in capsys.readouterr().err
    assert approve(verdict, candidate=SONNET_45, baseline="claude-sonnet-4-6") == 0
    assert verified("main...HEAD", capsys) == (6, f"its gate ended {verdict}"), "and in the other direction"


def test_a_way_back_leads_only_to_what_ran(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    assert approve(candidate=SONNET_45, baseline="claude-haiku-5-5") == 0
    commit(git, "app.py", 'MODEL = "claude-haiku-5-5"\n')
    assert verified("main...HEAD", capsys) == (6, "no evidence"), "it passed against Haiku, which never ran here"
    assert approve(candidate=SONNET_45, baseline="claude-haiku-5-5", simulated=True) == 0
    commit(git, "app.py", f'MODEL = "{SONNET_45}"\n')
    commit(git, "app.py", 'MODEL = "claude-haiku-5-5"\n')
    assert verified("HEAD~1..HEAD", capsys) == (6, "no evidence"), "it ran here, but that evidence is simulated"
    assert approve(candidate=SONNET_45, baseline="claude-haiku-5-5") == 0
    assert verified("HEAD~1..HEAD", capsys)[0] == 0


@pytest.mark.parametrize("folder", ["src", "moved"])
def test_a_way_back_costs_no_more_calls_of_git_however_many_files_go_it(
    folder: str, git: Git, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert approve(candidate="claude-sonnet-4-6") == 0
    calls: dict[int, int] = {}
    for many in (3, 12):
        for model in (SONNET_45, "claude-sonnet-4-6", SONNET_45):
            for n in range(many):
                file = Path(f"src/{many}/{n}.py")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(f'MODEL = "{model}"\n' + f"# {n}\n" * 9, encoding="utf-8")
            commit(git, "other.txt", f"{many} {model}\n")
        if folder == "moved":
            git("reset", "-q", "--hard", "HEAD~1")
            git("mv", f"src/{many}", f"moved{many}")
            git("commit", "-qm", "move")
            for file in Path(f"moved{many}").iterdir():
                change(file, "claude-sonnet-4-6", SONNET_45)
            git("commit", "-qam", "back")
        calls[many] = 0
        real = subprocess.Popen

        def counted(*arguments: Any, many: int = many, real: Any = real, **options: Any) -> Any:
            calls[many] += 1
            return real(*arguments, **options)

        with monkeypatch.context() as patched:
            patched.setattr(subprocess, "Popen", counted)
            assert verified("HEAD~1..HEAD", capsys)[0] == 0
    more = {"src": 0, "moved": 2 * (12 - 3)}[folder]
    assert calls[12] == calls[3] + more, "a moved file is followed by itself, once"


def test_evidence_must_be_against_the_pin_that_is_replaced(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    commit(git, "app.py", 'MODEL = "claude-sonnet-4-6"\n')
    assert approve(baseline="claude-haiku-4-5-20251001") == 0
    told = f"its evidence is against claude-haiku-4-5-20251001, not {SONNET_45}"
    assert verified("main...HEAD", capsys) == (6, told)
    assert approve() == 0
    assert verified("main...HEAD", capsys)[0] == 0
    held = read_lock(Path("evalkit.lock").read_text(encoding="utf-8"), "evalkit.lock")
    assert [one.replaces for one in held.approvals] == ["claude-haiku-4-5-20251001", SONNET_45]


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


def test_the_first_pin_of_a_repository_needs_evidence_against_any_other(
    git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    git("rm", "-q", "app.py")
    git("commit", "-qm", "no pin")
    git("branch", "-f", "main")
    commit(git, "new.py", 'A = "claude-sonnet-4-6"\n')
    assert main(["pins", "verify", "--changed", "main...HEAD"]) == 6
    assert "no evidence; none ran here before, so gate it against any other, and approve" in capsys.readouterr().err
    assert main(["pins", "unproven", "main...HEAD"]) == 0
    assert capsys.readouterr().out == ""


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


@pytest.mark.parametrize(("before", "back"), [("claude-opus-4-1-20250805", False), ("claude-opus-4-6", True)])
def test_no_pin_that_has_retired_is_a_way_back(
    before: str, back: bool, git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(git, "old.py", f'MODEL = "{before}"\n')
    commit(git, "old.py", 'MODEL = "claude-opus-4-7"\n')
    assert main(["pins", "verify", "--changed", "HEAD~1..HEAD"]) == 6
    errors = " ".join(capsys.readouterr().err.split())
    assert ("or go back to the pin before" in errors) == back
    assert (
        "the pin before has retired: where a server still answers for it, make the evidence at once" in errors
    ) != back


@pytest.mark.long
def test_evidence_for_a_pin_that_replaces_none_must_be_against_one_that_runs(
    git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(git, "src/new.py", 'MODEL = "claude-sonnet-4-6"\n')
    assert approve(baseline="claude-haiku-4-5-20251001") == 0
    told = "its evidence is against claude-haiku-4-5-20251001, which did not run here before"
    assert verified("main...HEAD", capsys) == (6, told)
    assert approve() == 0
    assert verified("main...HEAD", capsys)[0] == 0
    commit(git, "app.py", "MODEL = 'claude-sonnet-4-6'\n")
    commit(git, "src/newer.py", 'MODEL = "claude-sonnet-4-6"\n')
    assert verified("HEAD~1..HEAD", capsys)[0] == 0, "the new one runs already, the old one no more"


def test_one_more_use_of_what_runs_already_needs_no_evidence_but_one_in_place_of_another_does(
    git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(git, "src/more.py", f'MODEL = "{SONNET_45}"\n')
    assert verified("main...HEAD", capsys)[0] == 0
    assert main(["pins", "unproven", "main...HEAD"]) == 0
    commit(git, "src/new.py", 'MODEL = "claude-haiku-4-5-20251001"\n')
    assert verified("HEAD~1..HEAD", capsys) == (6, "no evidence"), "nobody has seen that one run"
    Path("app.py").unlink()
    commit(git, "other.yaml", "least:\n  name: claude-haiku-4-5-20251001\n")
    assert verified("HEAD~1..HEAD", capsys) == (6, "no evidence"), "it may do what the other did"


def change(path: Path, written: str, instead: str) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace(written, instead), encoding="utf-8")


@pytest.mark.parametrize("kind", ["dataset", "rubric", "policy"])
def test_evidence_is_of_what_the_gate_used_and_ends_with_it(
    kind: str, git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(git, "app.py", 'MODEL = "claude-sonnet-4-6"\n')
    assert approve() == 0, "without a word of which files"
    assert verified("main...HEAD", capsys)[0] == 0
    if kind == "dataset":
        change(DATASET, "Where", "When")
    elif kind == "rubric":
        change(RUBRIC, "a word", "anything")
    else:
        Path("gate.yaml").write_text("quality: {margin: 0.3}\n", encoding="utf-8")
    assert verified("main...HEAD", capsys) == (6, f"its evidence is of another {kind}")


@pytest.mark.parametrize(
    ("then", "now", "told"),
    [
        ("quality: {margin: 0.05}", "quality: {margin: 0.3}", "quality.margin 0.05 -> 0.3;"),
        ("quality: {margin: 0.05}", "quality: {margin: 0.05}\nalpha: 0.2", "alpha 0.05 -> 0.2;"),
        ("quality: {margin: 0.1}\nserved_model:", "quality: {margin: 0.1}", "served_model asked -> not asked;"),
        (
            "quality: {margin: 0.1, slices: {hard: 0.1}}",
            "quality: {margin: 0.1}",
            "quality.slices.hard 0.1 -> not asked;",
        ),
        ("", "quality: {margin: 0.1}", "quality not asked -> asked, quality.margin not asked -> 0.1"),
        ("qualm: 3", "quality: {margin: 0.1}", "policy not readable -> not asked, "),
        ("quality: {margin: 0.1}", "# wider\ncandidate: x\nquality: {margin: 0.10}", None),
    ],
)
def test_a_policy_that_changes_with_the_pin_is_told_to_its_reviewer(
    then: str, now: str, told: str | None, git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(git, "gate.yaml", f"{then}\n")
    commit(git, "gate.yaml", f"{now}\n")
    commit(git, "app.py", 'MODEL = "claude-sonnet-4-6"\n')
    assert approve("pass", policy_sha256=read_policy(now, "gate.yaml").sha256) == 0
    capsys.readouterr()
    assert main(["pins", "verify", "--changed", "HEAD~2..HEAD"]) == 0
    warned = capsys.readouterr().err
    assert (told or "") in warned
    assert ("warning: gate.yaml changes with the pin: " in warned) == (told is not None)
    assert main(["pins", "verify", "--changed", "HEAD~1..HEAD"]) == 0
    assert "gate.yaml" not in capsys.readouterr().err, "it was there before"
    with tempfile.TemporaryDirectory() as elsewhere:
        kept = shutil.copy("evalkit.lock", elsewhere)
        assert main(["pins", "verify", "--changed", "HEAD~2..HEAD", "--lock", kept]) == 6, "its files are not there"


@pytest.mark.long
def test_evidence_on_what_a_change_brings_along_is_none_of_the_teams_own(
    git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever bumps a pin could else choose items that any model does well on, and a rubric that takes anything."""
    commit(git, "app.py", 'MODEL = "claude-sonnet-4-6"\n')
    assert approve() == 0
    asked = ["pins", "verify", "--changed", "main...HEAD", "--dataset"]
    assert main([*asked, str(DATASET)]) == 0
    for option, path in (("--dataset", Path("datasets/own.jsonl")), ("--rubric", Path("rubrics/own.yaml"))):
        shutil.copy(DATASET if option == "--dataset" else RUBRIC, path)
        capsys.readouterr()
        asked_for = [*asked, str(path)] if option == "--dataset" else [*asked, str(DATASET), option, str(path)]
        rubric = () if option == "--rubric" else ("--rubric", str(RUBRIC))
        assert main([*asked_for, *rubric]) == 6
        told = capsys.readouterr().err
        kind, here = option.removeprefix("--"), DATASET if option == "--dataset" else RUBRIC
        assert f"its evidence is of the {kind} '{here}', and the {kind} '{path}' is asked for; run the gate" in told
        command = ["pins", "unproven", "main...HEAD", *asked_for[4:], *rubric]
        assert main(command) == 0
        assert capsys.readouterr().out == f"{SONNET_45} claude-sonnet-4-6\n"
    assert main([*asked, "datasets/none.jsonl"]) == 2
    Path("gate.yaml").write_text("quality: {margin: 0.1}\n", encoding="utf-8")
    capsys.readouterr()
    assert main([*asked, str(DATASET)]) == 6
    assert "of a policy that is no file, and the policy 'gate.yaml' is asked for" in capsys.readouterr().err
    assert approve("pass", "--imported", dataset_sha256="0" * 64, policy_sha256=read_policy(
        "quality: {margin: 0.1}\n", "gate.yaml").sha256) == 0  # fmt: skip
    assert main(["pins", "verify", "--changed", "main...HEAD"]) == 0
    capsys.readouterr()
    assert main([*asked, str(DATASET)]) == 6
    assert f"of a dataset that is no file, and the dataset '{DATASET}' is asked for" in capsys.readouterr().err


BEDROCK = "bedrock:us.anthropic.claude-sonnet-4-5-20250929-v1:0"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--baseline", BEDROCK, "--candidate", "bedrock:us.anthropic.claude-sonnet-4-6"], ""),
        (["--baseline", "claude-sonnet-4-5"], ""),  # that is what this alias stands for
        (["--baseline", "claude-haiku-4-5-20251001"], f"means another model than {SONNET_45}"),
        (["--baseline", "claude-sonnet-4-6"], f"means another model than {SONNET_45}"),
        (["--candidate", "claude-opus-4-6"], "means another model than claude-sonnet-4-6"),
        (["--candidate", f"bedrock:{PROFILE}"], "means another model than claude-sonnet-4-6"),
    ],
)
def test_a_model_in_place_of_a_pin_must_be_the_same_for_its_evidence_to_count(
    options: list[str], told: str, git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(git, "app.py", 'MODEL = "claude-sonnet-4-6"\n')
    assert main(["pins", "unproven", "main...HEAD", *options]) == (2 if told else 0)
    said = capsys.readouterr()
    assert told in said.err
    assert said.out == ("" if told else f"{SONNET_45} claude-sonnet-4-6\n")


def test_one_model_cannot_be_run_in_place_of_two_pins(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    git("checkout", "-q", "main")
    commit(git, "other.py", 'MODEL = "claude-opus-4-6"\n')
    git("checkout", "-q", "-B", "bump")
    commit(git, "app.py", 'MODEL = "claude-sonnet-4-6"\n')
    commit(git, "other.py", 'MODEL = "claude-opus-5-5"\n')
    assert main(["pins", "unproven", "main...HEAD", "--baseline", BEDROCK]) == 2
    assert "means another model than claude-opus-4-6" in capsys.readouterr().err


def test_two_datasets_each_have_evidence_for_one_bump(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    commit(git, "app.py", 'MODEL = "claude-sonnet-4-6"\n')
    write_evidence_files()
    letters = DATASET.with_name("letters.jsonl")
    letters.write_text('{"id": "b", "input": "Who wrote it?"}\n', encoding="utf-8")
    assert approve("pass", "--dataset", str(DATASET)) == 0
    of_letters = {"dataset_sha256": read_dataset(letters).sha256}
    assert approve("pass", "--dataset", str(letters), "--rubric", str(RUBRIC), **of_letters) == 0
    for dataset in (DATASET, letters):
        asked = ["pins", "verify", "--changed", "main...HEAD", "--dataset", str(dataset), "--rubric", str(RUBRIC)]
        assert main(asked) == 0
    capsys.readouterr()
    assert approve("inconclusive", "--dataset", str(DATASET)) == 0
    day = f"{datetime.now(UTC).date()}"
    assert capsys.readouterr().out == (
        f"evalkit.lock: claude-sonnet-4-6: inconclusive on 60 items, in place of its pass of {day} on '{DATASET}'\n"
    )
    everywhere = ["pins", "verify", "--changed", "main...HEAD"]
    assert main(everywhere) == 0, "one dataset is inconclusive, on the other it passed"
    assert approve("fail", "--dataset", str(DATASET)) == 0
    capsys.readouterr()
    assert main(everywhere) == 6
    assert f"its gate ended fail on the dataset '{DATASET}', though another passed" in capsys.readouterr().err
    assert main([*everywhere, "--dataset", str(letters), "--rubric", str(RUBRIC)]) == 0, "that alone is asked for"
    DATASET.write_text('{"id": "a", "input": "Where was it?"}\n', encoding="utf-8")
    for _ in ("changed", "gone"):
        capsys.readouterr()
        assert main(everywhere) == 6, "an edit settles nothing"
        assert "though another passed; what that was of has changed since, so gate it again" in capsys.readouterr().err
        DATASET.unlink(missing_ok=True)


def test_a_fail_against_the_alias_stands_beside_a_pass_against_its_pin(
    git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(git, "app.py", 'MODEL = "claude-sonnet-4-6"\n')
    write_evidence_files()
    letters = DATASET.with_name("letters.jsonl")
    letters.write_text('{"id": "b", "input": "Who wrote it?"}\n', encoding="utf-8")
    of_letters = {"dataset_sha256": read_dataset(letters).sha256}
    assert approve("fail", "--dataset", str(DATASET), baseline="claude-sonnet-4-5") == 0
    assert approve("pass", "--dataset", str(letters), "--rubric", str(RUBRIC), **of_letters) == 0
    capsys.readouterr()
    assert main(["pins", "verify", "--changed", "main...HEAD"]) == 6
    assert f"its gate ended fail on the dataset '{DATASET}', though another passed" in capsys.readouterr().err


def test_a_way_back_by_evidence_on_what_a_change_brings_along_is_none(
    git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    git("checkout", "-q", "main")
    commit(git, "app.py", 'MODEL = "claude-sonnet-4-6"\n')
    git("checkout", "-q", "-B", "bump")
    commit(git, "app.py", f'MODEL = "{SONNET_45}"\n')
    assert approve() == 0
    asked = ["pins", "verify", "--changed", "main...HEAD", "--dataset"]
    assert main([*asked, str(DATASET)]) == 0
    shutil.copy(DATASET, "datasets/own.jsonl")
    capsys.readouterr()
    assert main([*asked, "datasets/own.jsonl", "--rubric", str(RUBRIC)]) == 6
    assert "no evidence" in capsys.readouterr().err


def test_a_rubric_that_a_run_finds_is_the_one_that_is_recorded_and_asked_for(git: Git) -> None:
    commit(git, "app.py", 'MODEL = "claude-sonnet-4-6"\n')
    write_evidence_files()
    shutil.copy(RUBRIC, RUBRIC.with_name("a-new.yaml"))
    assert approve("pass", "--dataset", str(DATASET)) == 0
    named = ["pins", "verify", "--changed", "main...HEAD", "--dataset"]
    assert main([*named, str(DATASET)]) == main([*named, str(DATASET.resolve())]) == 0


def test_settings_of_git_hide_nothing_and_block_nothing(git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(git, "lib/other.py", f'MODEL = "{SONNET_45}"\n')
    git("config", "color.ui", "always")
    git("config", "diff.relative", "true")
    assert main(["pins", "verify", "--changed", "main...HEAD"]) == 0, "one more use of what runs already"
    commit(git, "app.py", 'MODEL = "claude-sonnet-4-6"\n')
    monkeypatch.chdir("lib")
    assert main(["pins", "diff", "main...HEAD", "--exit-code"]) == 1


def test_a_dataset_and_a_rubric_that_come_or_change_with_the_pin_are_told_to_its_reviewer(
    git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(git, "app.py", 'MODEL = "claude-sonnet-4-6"\n')
    assert approve() == 0
    git("add", "-A")
    git("commit", "-qm", "evidence")
    capsys.readouterr()
    assert main(["pins", "verify", "--changed", "main...HEAD"]) == 0
    told = capsys.readouterr().err
    for path in (DATASET, RUBRIC):
        assert f"warning: {path} is new and comes with the pin that it speaks for" in told
    assert main(["pins", "verify", "--changed", "HEAD~1...HEAD"]) == 0
    assert "speaks for" not in capsys.readouterr().err, "no pin changed here"


def test_the_settings_that_say_which_server_answers_are_told_to_the_reviewer_of_a_pin(
    git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    def warned(revisions: str) -> str:
        capsys.readouterr()
        assert main(["pins", "verify", "--changed", revisions]) == 0
        return "".join(line for line in capsys.readouterr().err.splitlines(keepends=True) if "evalkit.yaml" in line)

    commit(git, "app.py", 'MODEL = "claude-sonnet-4-6"\n')
    assert approve() == 0
    commit(git, "evalkit.yaml", "base_url: http://a:secret@example.com\nprices: {m: {input: 1, output: 2}}\n")
    told = warned("main...HEAD")
    assert told.startswith(
        "warning: evalkit.yaml changes with the pin (base_url, prices): it says which server answers"
    )
    assert "secret" not in told
    assert not warned("HEAD~1...HEAD"), "no pin changed here"
    git("checkout", "-q", "main")
    commit(git, "evalkit.yaml", "# ours\nepochs: 2\n")
    git("checkout", "-qb", "other")
    commit(git, "evalkit.yaml", "epochs: 2\n")
    git("checkout", "-q", "bump", "--", "app.py", "evalkit.lock", "datasets", "rubrics")
    git("commit", "-qm", "bump")
    assert not warned("main...HEAD"), "only a comment changed"
    commit(git, "evalkit.yaml", "epoch: 2\n")
    assert "(" in warned("main...HEAD"), "one that nobody can read"


@pytest.mark.parametrize(("kind", "path"), [("dataset", DATASET), ("rubric", RUBRIC), ("policy", Path("gate.yaml"))])
def test_evidence_ends_with_the_files_that_it_is_of_and_can_be_made_anew(
    kind: str, path: Path, git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that was renamed is missing evidence (6), not a wrong command (2), after which CI would make none."""
    commit(git, "app.py", 'MODEL = "claude-sonnet-4-6"\n')
    Path("gate.yaml").write_text("completeness: {}\nquality: {margin: 0.1}\n", encoding="utf-8")
    assert approve() == 0
    path.rename(path.with_name("other.yaml"))
    code, told = verified("main...HEAD", capsys)
    assert (code, told) == (6, f"the {kind} of its evidence, '{path}', is not here any more")


@pytest.mark.parametrize(
    ("hashes", "options", "told"),
    [
        ({"dataset_sha256": "0" * 64}, (), "no dataset here is the one that the report is of"),
        ({"dataset_sha256": "0" * 64}, ("--dataset", str(DATASET)), "is not the dataset that the report is of"),
        ({"rubric_sha256": "0" * 64}, (), "no rubric here is the one that the report is of"),
        ({"rubric_sha256": "0" * 64}, ("--rubric", str(RUBRIC)), "is not the rubric that the report is of"),
        ({"policy_sha256": "0" * 64}, (), "what `evalkit gate` asks by itself is not the policy"),
    ],
)
def test_a_report_of_other_files_is_not_approved(
    hashes: dict[str, str], options: tuple[str, ...], told: str, git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    assert approve("pass", *options, **hashes) == 2
    assert told in capsys.readouterr().err
    assert not Path("evalkit.lock").exists()


@pytest.mark.parametrize("verdict", ["pass", "fail"])
def test_a_gate_that_did_not_look_at_quality_approves_no_pin(
    verdict: str, git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("gate.yaml").write_text("completeness:\nserved_model:\n", encoding="utf-8")
    asked = read_policy("completeness:\nserved_model:\n", "gate.yaml")
    assert approve(verdict, policy_sha256=asked.sha256) == 2
    assert "'gate.yaml' approves no pin: the policy does not ask for quality" in capsys.readouterr().err
    assert not Path("evalkit.lock").exists()


def test_an_approval_that_rests_on_no_quality_lets_no_pin_stand(
    git: Git, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    """As `pins approve` refuses it, a lock file from elsewhere holds it to no avail."""
    commit(git, "app.py", 'MODEL = "claude-sonnet-4-6"\n')
    assert approve() == 0
    Path("gate.yaml").write_text("completeness:\nserved_model:\n", encoding="utf-8")
    content = json.loads(Path("evalkit.lock").read_text(encoding="utf-8"))
    (one,) = content["approvals"]
    one |= {"policy": "gate.yaml", "policy_sha256": read_policy("completeness:\nserved_model:\n", "gate.yaml").sha256}
    one["sha256"] = content_sha256({name: value for name, value in one.items() if name != "sha256"})
    Path("evalkit.lock").write_text(json.dumps(content), encoding="utf-8")
    assert verified("main...HEAD", capsys) == (6, "the policy of its evidence, 'gate.yaml', does not ask for quality")


@pytest.mark.parametrize(
    "written", ['MODEL = "claude-" "sonnet-4-6"', r'MODEL = "\u0063laude-sonnet-4-6"', "MODEL = None"]
)
def test_a_pin_that_is_gone_is_told_since_another_may_be_spelled_so_that_nobody_sees_it(
    written: str, git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(git, "app.py", f"{written}\n")
    assert main(["pins", "verify", "--changed", "main...HEAD"]) == 0
    told = capsys.readouterr()
    assert told.out == "no pin to verify\n"
    assert told.err == f"warning: app.py:1: {SONNET_45}: removed, and no model id that can be read replaces it\n"


@pytest.mark.parametrize("text", ["[]", "3", '{"gate": NaN}', '{"gate": {}}', '{"gate": {"candidate": 1}}'])
def test_json_that_is_no_report_is_called_so(text: str, git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    Path("gate.json").write_text(text, encoding="utf-8")
    assert main(["pins", "approve", "gate.json"]) == 2
    assert capsys.readouterr().err.startswith("error: 'gate.json' is no gate report; write one with `evalkit gate")


def test_what_no_lock_could_hold_is_not_approved(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    assert approve() == 0
    held = Path("evalkit.lock").read_text(encoding="utf-8")
    report = json.loads(Path("gate.json").read_text(encoding="utf-8"))
    Path("gate.json").write_text(json.dumps(sealed(report | {"headline": "PASS \ud83d"})), encoding="utf-8")
    assert main(["pins", "approve", "gate.json"]) == 2
    assert "this is no gate report" in capsys.readouterr().err
    assert Path("evalkit.lock").read_text(encoding="utf-8") == held


def test_evidence_of_a_day_to_come_is_a_clock_that_is_wrong(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    commit(git, "app.py", 'MODEL = "claude-sonnet-4-6"\n')
    assert approve() == 0
    content = json.loads(Path("evalkit.lock").read_text(encoding="utf-8"))
    (one,) = content["approvals"]
    one |= dict.fromkeys(("approved_on", "evidence_on", "expires_on"), "2099-01-01")
    one["sha256"] = content_sha256({name: value for name, value in one.items() if name != "sha256"})
    Path("evalkit.lock").write_text(json.dumps(content), encoding="utf-8")
    capsys.readouterr()
    assert main(["pins", "verify", "--changed", "main...HEAD"]) == 6
    assert "in the future (2099-01-01); set the clock of this machine, or of the one" in capsys.readouterr().err


@pytest.mark.parametrize("verdict", ["pass", "fail"])
def test_evidence_that_is_old_alone_is_to_be_made_anew(
    verdict: str, git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(git, "app.py", 'MODEL = "claude-sonnet-4-6"\n')
    assert approve(verdict) == 0
    content = json.loads(Path("evalkit.lock").read_text(encoding="utf-8"))
    (one,) = content["approvals"]
    one |= {name: "2025-01-01" for name in ("approved_on", "evidence_on") if name in one}
    one["sha256"] = content_sha256({name: value for name, value in one.items() if name != "sha256"})
    Path("evalkit.lock").write_text(json.dumps(content), encoding="utf-8")
    assert main(["pins", "verify", "--changed", "main...HEAD"]) == 6
    said = capsys.readouterr().err
    assert " days old, 180 are allowed; " in said
    assert ("run it anew into another file (`evalkit run -o`)" in said) == (verdict == "pass")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"items": 2}, 2),
        ({"items": 3}, 0),
        ({"items": 2, "planned_items": 2}, 2),
        ({"items": 2, "planned_items": 3}, 0),
    ],
)
def test_a_part_of_a_dataset_is_no_evidence_of_it_but_a_look_at_all_of_it_is(
    changes: dict[str, int], code: int, git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    write_evidence_files()
    DATASET.write_text("".join(f'{{"id": "{n}", "input": "Where is {n}?"}}\n' for n in range(3)), encoding="utf-8")
    assert approve(**changes) == code
    told = f"the report is of 2 of the 3 items of '{DATASET}', and evidence is of a dataset whole; run without --limit"
    assert (told in capsys.readouterr().err) == (code == 2)
    assert Path("evalkit.lock").exists() == (code == 0)


def test_imported_outputs_have_no_dataset_and_that_is_said(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    commit(git, "app.py", 'MODEL = "claude-sonnet-4-6"\n')
    assert approve("pass", "--imported", dataset_sha256="0" * 64) == 0
    assert main(["pins", "verify", "--changed", "main...HEAD"]) == 0
    assert "its evidence is of imported outputs" in capsys.readouterr().err


def test_paths_in_the_lock_are_seen_from_its_folder(git: Git, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    commit(git, "src/app.py", 'MODEL = "claude-sonnet-4-6"\n')
    commit(git, "app.py", 'MODEL = "claude-sonnet-4-6"\n')
    assert approve() == 0
    assert approve(candidate="claude-opus-4-6") == 0
    monkeypatch.chdir(tmp_path / "src")
    assert main(["pins", "verify", "--changed", "main...HEAD", "--lock", "../evalkit.lock"]) == 0


@pytest.mark.parametrize("name", ["a\n::warning title=hi::W.py", "::error::x.py", " ::error::x.py", "##[error]x.py"])
def test_no_path_is_a_command_to_the_ci(name: str, git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    commit(git, name, 'A = "claude-sonnet-4-6"\nB = "claude-nova-5"\nC = "claude-sonnet-4-5"\n')
    for command in (["diff", "main...HEAD"], ["verify"], ["verify", "--changed", "main...HEAD"], ["scan"]):
        main(["pins", *command])
    told = capsys.readouterr()
    assert "W.py" in told.out or "x.py" in told.out
    for line in (told.out + told.err).splitlines():
        assert not re.match(r"\s*(error: )?\s*::", line)
        assert "##[" not in line
    assert ("⟦U+000A⟧" in told.out) == ("\n" in name)


def test_an_arn_is_printed_as_it_is() -> None:
    arn = "arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0"
    assert one_line(arn) == arn
    assert one_line(OPEN) == OPEN
    assert "⟦" in one_line("${AWS::error}")
    assert "⟦" in one_line("${x::Region}")


@pytest.mark.long
def test_what_is_not_looked_into_is_said(git: Git, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commit(git, "big.json", '"claude-opus-4-6"' + " " * 20_000_000)
    commit(git, "core.bin", "\0claude-opus-4-6")
    other = tmp_path / "other"
    other.mkdir()
    for arguments in (["init", "-q"], ["commit", "-qm", "x", "--allow-empty"]):
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false", *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd=other)
    git("add", "other")
    git("commit", "-qm", "submodule")
    capsys.readouterr()
    for command, count in ((["diff", "main...HEAD"], 3), (["verify", "--changed", "main...HEAD"], 3), (["scan"], 2)):
        assert main(["pins", *command]) == 0
        warnings = [line for line in capsys.readouterr().err.splitlines() if "is not looked into" in line]
        assert (
            warnings
            == [
                "warning: big.json is not looked into: 20 MB, more than 20 MB",
                "warning: core.bin is not looked into: no text, neither UTF-8 nor marked as UTF-16",
                "warning: other is not looked into: a submodule, which changed",
            ][:count]
        )


def test_where_a_link_leads_is_a_pin_in_a_change_and_in_a_scan(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    Path("current.yaml").symlink_to("models/claude-opus-4-8.yaml")
    commit(git, "x.txt", "x")
    assert main(["pins", "diff", "main...HEAD", "--exit-code"]) == 1
    assert main(["pins", "scan", "--json"]) == 0
    assert '"models/claude-opus-4-8"' in capsys.readouterr().out


def test_an_id_of_an_unknown_tier_is_warned_about_and_asked_for_where_it_replaces_a_pin(
    git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(git, "new.py", 'MODEL = "claude-nova-5"\n')
    assert main(["pins", "verify", "--changed", "main...HEAD"]) == 0
    assert "looks like a model id of a tier or spelling that is not known here" in capsys.readouterr().err
    assert main(["pins", "scan"]) == 0
    assert "! claude-nova-5 looks like a model id" in capsys.readouterr().out
    commit(git, "app.py", 'MODEL = "claude-nova-5"\n')
    assert verified("HEAD~1..HEAD", capsys)[0] == 6


OPUS = "claude-opus-4-6"
_CODE = '{{"cell_type": "code", "source": [\n"M = \'{}\'"\n]}}'
_YAML = "{}:\n  most: 1\n  least: 2\n  model: {}\n"


@pytest.mark.parametrize(
    ("path", "then", "now", "told"),
    [
        ("a.ts", f"/*\nM = '{OPUS}'\n*/\nM = '{SONNET_45}'\n", f"M = '{OPUS}'\n/*\nM = '{SONNET_45}'\n*/\n", "->"),
        ("a.xml", f"<!--\n<m>{OPUS}</m>\n-->\n<m>{SONNET_45}</m>\n",
         f"<m>{OPUS}</m>\n<!--\n<m>{SONNET_45}</m>\n-->\n", "->"),
        ("a.py", f'"""\nM = "{OPUS}"\n"""\n', f'""" """\nM = "{OPUS}"\n', "added"),
        ("a.yaml", _YAML.format("prod", SONNET_45) + _YAML.format("test", OPUS),
         _YAML.format("test", SONNET_45) + _YAML.format("prod", OPUS), "->"),
        ("a.ipynb", '{"cells": [\n' + _CODE.format(OPUS).replace('"code"', '"raw"') + "]}\n",
         '{"cells": [\n' + _CODE.format(OPUS) + "]}\n", "added"),
    ],
)  # fmt: skip
def test_what_begins_to_run_is_a_change_though_no_line_with_an_id_is_touched(
    path: str, then: str, now: str, told: str, git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(git, path, then)
    commit(git, path, now)
    touched = git("diff", "-U0", "HEAD~1..HEAD").splitlines()
    assert not [line for line in touched if line[0] in "+-" and "claude" in line]
    capsys.readouterr()
    assert main(["pins", "diff", "HEAD~1..HEAD", "--exit-code"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(OPUS in line and told in line for line in lines)
    assert main(["pins", "verify", "--changed", "HEAD~1..HEAD"]) == 6
    answered = subprocess.run(
        ["sh", str(SCRIPT), "mentioned"],
        env={**os.environ, "EVALKIT_RANGE": "HEAD~1..HEAD"}, capture_output=True, check=True,
    )  # fmt: skip
    assert answered.stdout == b"mentioned=true\n"


def test_values_that_are_exchanged_are_bumps_though_their_lines_are_spaced_otherwise(git: Git) -> None:
    commit(git, "a.yaml", _YAML.format("prod", SONNET_45) + _YAML.format("test", OPUS))
    exchanged = _YAML.format("test", SONNET_45) + _YAML.format("prod", OPUS)
    commit(git, "a.yaml", exchanged.replace("model: ", "model:  "))
    assert main(["pins", "diff", "HEAD~1..HEAD", "--exit-code"]) == 1
    commit(git, "a.yaml", exchanged)
    assert main(["pins", "diff", "HEAD~1..HEAD", "--exit-code"]) == 0


def test_a_content_that_was_not_fetched_is_named(git: Git, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commit(git, "app.py", "MODEL = None\n")
    blob = git("rev-parse", "HEAD:app.py").strip()
    (tmp_path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    assert main(["pins", "diff", "main...HEAD"]) == 2
    assert f"git has no content {blob[:12]} here" in capsys.readouterr().err


@pytest.mark.long
def test_a_place_goes_back_only_to_what_this_place_ran(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    """Another key of the same file may have run the older model: that is no way back for this one."""

    def state(chat: str, tags: str, before: str = "") -> None:
        route = '{{\n  "name": "{}",\n  "model": "{}"\n }}'
        routes = ",\n ".join(route.format(*one) for one in (("chat", chat), ("tags", tags)))
        Path("routes.json").write_text(f"[\n {routes}\n]\n", encoding="utf-8")
        commit(git, "b.py", f'{before}CHAT = "{chat}"\nTAGS = "{tags}"\n')

    new = "claude-sonnet-4-6"
    assert approve(candidate=new) == 0
    state(new, SONNET_45)
    state(new, new)
    state(new, SONNET_45, "import a\n")
    assert verified("HEAD~1..HEAD", capsys)[0] == 0, "as these places were"
    state(new, new)
    state(SONNET_45, new)
    assert verified("HEAD~1..HEAD", capsys)[0] == 6
    main(["pins", "verify", "--changed", "HEAD~1..HEAD"])
    told = re.findall(r"(\S+): claude-[0-9a-z-]+: no evidence", capsys.readouterr().err)
    assert told == ["b.py:1", "routes.json:4"]


@pytest.mark.long
def test_a_profile_with_variables_in_its_arn_is_approved_by_the_whole_one(
    git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(git, "t.yaml", f'modelId: !Sub "{OPEN % "zz99"}"\n')
    commit(git, "t.yaml", f'modelId: !Sub "{OPEN % "ab12cd34ef56"}"\n')
    assert verified("HEAD~1..HEAD", capsys)[0] == 6
    main(["pins", "verify", "--changed", "HEAD~1..HEAD"])
    assert "gate it by its whole ARN" in capsys.readouterr().err
    assert main(["pins", "unproven", "HEAD~1..HEAD"]) == 0
    assert capsys.readouterr().out == "", "nothing can be run by such a name"
    for then, code in (("yy88", 6), ("zz99", 0)):
        other = PROFILE.replace("ab12cd34ef56", then)
        assert approve(candidate=f"bedrock:{PROFILE}", baseline=f"bedrock:{other}") == 0
        assert verified("HEAD~1..HEAD", capsys)[0] == code
    for text in (PROFILE, OPEN.replace("AWS::Region", "Where") % "ab12cd34ef56"):
        commit(git, "t.yaml", f'modelId: !Sub "{text}"\n')
        assert verified("HEAD~1..HEAD", capsys)[0] == 0, "the same profile"


def test_what_a_variable_is_by_default_is_a_pin_like_any_other(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    commit(git, "run.sh", f"MODEL=${{MODEL:-{SONNET_45}}}\nJUDGE=${{JUDGE-{SONNET_45}}}\n")
    commit(git, "run.sh", "MODEL=${MODEL:-claude-sonnet-4-6}\nJUDGE=${JUDGE-claude-sonnet-4-6}\n")
    assert verified("HEAD~1..HEAD", capsys) == (6, "no evidence")
    assert main(["pins", "unproven", "HEAD~1..HEAD"]) == 0
    assert capsys.readouterr().out == f"{SONNET_45} claude-sonnet-4-6\n"
    assert approve(candidate="claude-sonnet-4-6") == 0
    assert verified("HEAD~1..HEAD", capsys)[0] == 0


def test_a_bump_is_one_though_the_block_that_held_the_new_model_goes(
    git: Git, capsys: pytest.CaptureFixture[str]
) -> None:
    block = '  {{\n    "name": "{}",\n    "model": "{}"\n  }}'
    main_then, main_now = block.format("main", SONNET_45), block.format("main", "claude-sonnet-4-6")
    pilot, legacy = block.format("pilot", "claude-sonnet-4-6"), block.format("legacy", SONNET_45)
    commit(git, "routes.json", f"[\n{main_then},\n{pilot}\n]\n")
    commit(git, "routes.json", f"[\n{main_now}\n]\n")
    assert verified("HEAD~1..HEAD", capsys)[0] == 6
    commit(git, "routes.json", f"[\n{main_then}\n]\n")
    commit(git, "routes.json", f"[\n{main_now},\n{legacy}\n]\n")
    assert main(["pins", "unproven", "HEAD~1..HEAD"]) == 0
    assert capsys.readouterr().out == f"{SONNET_45} claude-sonnet-4-6\n"
