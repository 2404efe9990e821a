"""The CI job: its files are sound, and its own steps block a bump, make the evidence, and leave prose alone."""

import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as xml

import pytest
import yaml
from needs import DEV_FULL
from servers import recorded, retired
from stores import Bucket

from evalkit.errors import UsageError
from evalkit.pins.found import bumps_between
from evalkit.pins.spelling import SOUGHT
from evalkit.rendering.annotations import annotation

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "ci" / "model-bump.sh"
ACTION = ROOT / "action.yml"
WORKFLOW = ROOT / "examples" / "ci" / "model-bump.yml"
GITLAB = ROOT / "examples" / "ci" / "gitlab-ci.yml"
SONNET_45 = "claude-sonnet-4-5-20250929"
TRUSTED = {"actions/checkout", "actions/setup-python", "actions/cache/restore", "actions/cache/save",
           "actions/upload-artifact"}  # fmt: skip


def load(path: Path) -> dict[str, Any]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def steps_of(path: Path) -> list[dict[str, Any]]:
    content = load(path)
    jobs = [content["runs"]] if "runs" in content else content["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


# --- the files ---


@pytest.mark.parametrize("path", [ACTION, WORKFLOW], ids=lambda path: path.name)
def test_steps_pin_what_they_use_and_keep_untrusted_text_out_of_scripts(path: Path) -> None:
    for step in steps_of(path):
        if "uses" in step:
            name, _, version = step["uses"].partition("@")
            assert name == "./.evalkit-source" or (name in TRUSTED and re.fullmatch("[0-9a-f]{40}", version)), step[
                "uses"
            ]
        else:
            assert "${{" not in step["run"], "values reach a script by its environment"
            subprocess.run(["bash", "-n"], input=step["run"], text=True, check=True)
            assert path == WORKFLOW or step["shell"] == "bash"


@pytest.mark.parametrize(
    ("repository", "commit", "told"),
    [
        ("", "", "EVALKIT_REPOSITORY is ''; write OWNER/NAME"),
        ("our/evalkit", "main", "EVALKIT_COMMIT is 'main'; write the 40 digits"),
        ("our/evalkit", "0123456789abcdef0123456789abcdef01234567", ""),
    ],
)
def test_a_workflow_that_is_not_filled_in_says_what_is_missing(repository: str, commit: str, told: str) -> None:
    first, named, source, gate = steps_of(WORKFLOW)[:4]
    assert load(WORKFLOW)["env"].keys() == {"EVALKIT_REPOSITORY", "EVALKIT_COMMIT"}
    assert (source["with"]["path"], gate["uses"]) == (".evalkit-source", "./.evalkit-source"), "what is fetched is used"
    assert "repository" not in first["with"]
    env = {**os.environ, "EVALKIT_REPOSITORY": repository, "EVALKIT_COMMIT": commit}
    done = subprocess.run(["bash", "-e", "-c", named["run"]], env=env, text=True, capture_output=True, check=False)
    assert (done.returncode, told in done.stdout, bool(done.stdout)) == (2 if told else 0, True, bool(told))


def test_the_workflow_has_few_rights_and_no_secrets_for_strangers() -> None:
    content = load(WORKFLOW)
    assert set(content[True]) == {"pull_request", "merge_group"}  # `on` is a truth value in YAML 1.1
    assert content["permissions"] == {"contents": "read"}
    assert all(job["permissions"]["contents"] == "read" for job in content["jobs"].values())
    checkout = steps_of(WORKFLOW)[0]
    assert checkout["with"] == {"fetch-depth": 0, "persist-credentials": False}
    with_keys = [step for step in steps_of(WORKFLOW) if "secrets." in str(step)]
    assert [step["id"] for step in with_keys] == ["gate"]


def test_every_expression_names_what_there_is() -> None:
    action = load(ACTION)
    ids = {step["id"] for step in steps_of(ACTION) if "id" in step}
    text = ACTION.read_text(encoding="utf-8")
    assert set(re.findall(r"inputs\.([a-z-]+)", text)) <= set(action["inputs"])
    assert set(re.findall(r"steps\.([a-z-]+)\.", text)) <= ids
    assert set(next(step for step in steps_of(WORKFLOW) if step.get("id") == "gate")["with"]) <= set(action["inputs"])
    told = SCRIPT.read_text(encoding="utf-8").partition("set -eu")
    for name in re.findall(r"EVALKIT_[A-Z_]+", text + GITLAB.read_text(encoding="utf-8") + told[2]):
        assert name in told[0], f"{name} is not explained in the script"


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_script_is_portable_and_looks_for_what_the_scan_finds(shell: str) -> None:
    subprocess.run([shell, "-n", str(SCRIPT)], check=True)
    script = SCRIPT.read_text(encoding="utf-8")
    assert f"sought='{SOUGHT}'" in script
    assert not re.search(r"\bsed (-\w+ )*-\w*i|\bgrep (-\w+ )*-\w*P", script), "GNU's alone"


def test_gitlab_calls_the_same_script_with_the_whole_history() -> None:
    job = load(GITLAB)["model-bump"]
    assert job["variables"]["GIT_DEPTH"] == "0"
    assert job["script"][-1] == "sh ci/model-bump.sh"
    for line in job["script"]:
        subprocess.run(["bash", "-n"], input=line, text=True, check=True)


@pytest.mark.parametrize(
    ("path", "message", "written"),
    [
        ("app.py", "no evidence", "::error file=app.py,line=3,title=evalkit::no evidence"),
        ("a,b:c%.py", "100 %\nnext\r", "::error file=a%2Cb%3Ac%25.py,line=3,title=evalkit::100 %25%0Anext%0D"),
        ("a\n::warning::b", "x", "::error file=a%0A%3A%3Awarning%3A%3Ab,line=3,title=evalkit::x"),
    ],
)
def test_an_annotation_stays_one_command(path: str, message: str, written: str) -> None:
    assert annotation("error", path, 3, message) == written


# --- the steps, run as the runner runs them ---


@dataclass
class Runner:
    """As much of a runner as the action needs: its own run steps in a repository, in order, with their conditions."""

    folder: Path
    temporary: Path
    inputs: dict[str, str]
    job: dict[str, str] = field(default_factory=dict)
    """The environment that the job gives to all its steps."""
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    log: str = ""

    def run(self, **inputs: str) -> int:
        """The exit code of the first step that fails, else 0."""
        self.outputs, self.log = {}, ""
        (self.temporary / "summary.md").write_text("", encoding="utf-8")
        wanted = {name: one["default"] for name, one in load(ACTION)["inputs"].items()} | self.inputs | inputs
        for step in steps_of(ACTION):
            if "run" in step and step["name"] != "Install evalkit" and self._meets(step.get("if", "")):
                code = self._step(step, wanted)
                if code:
                    return code
        return 0

    @property
    def summary(self) -> str:
        return (self.temporary / "summary.md").read_text(encoding="utf-8")

    def _meets(self, condition: str) -> bool:
        named = re.fullmatch(r"steps\.(\w+)\.outputs\.(\w+) == 'true'", condition)
        assert named or not condition, condition
        return named is None or self.outputs.get(named[1], {}).get(named[2]) == "true"

    def _step(self, step: dict[str, Any], inputs: dict[str, str]) -> int:
        answers = self.temporary / "answers"
        answers.write_text("", encoding="utf-8")
        environment = {name: self._value(text, inputs) for name, text in step["env"].items()}
        environment |= self.job | {
            "PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "NO_PROXY": "127.0.0.1", "LANG": "C.UTF-8",
            "PYTHONPATH": str(ROOT), "RUNNER_TEMP": str(self.temporary), "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": str(answers),
            "GITHUB_STEP_SUMMARY": str(self.temporary / "summary.md"),
        }  # fmt: skip
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        done = subprocess.run(
            command, cwd=self.folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=300, check=False,
        )  # fmt: skip
        self.log += done.stdout
        lines = answers.read_text(encoding="utf-8").splitlines()
        self.outputs[step.get("id", "")] = dict(line.split("=", 1) for line in lines)
        return done.returncode

    @staticmethod
    def _value(text: str, inputs: dict[str, str]) -> str:
        named = re.fullmatch(r"\$\{\{ inputs\.([a-z-]+)( \|\| format\(.*\))? \}\}", text)
        assert named is not None, text
        return inputs[named[1]]


Commit = Callable[[str, str], None]


def git(folder: Path, *arguments: str) -> None:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false", *arguments]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)


@pytest.fixture(scope="module")
def pinned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose main branch pins Sonnet 4.5 and holds a test set, on another branch; to be copied."""
    folder = tmp_path_factory.mktemp("pinned") / "a repository"
    (folder / "sets").mkdir(parents=True)
    for path, text in {
        ".gitignore": "runs/\nevalkit-out/\n",
        "app.py": f'MODEL = "{SONNET_45}"\n',
        "README.md": "We use it.\n",
        "sets/tickets.jsonl": "".join(f'{{"id": "t{n}", "input": "Where is parcel {n}?"}}\n' for n in range(8)),
        "gate.yaml": "alpha: 0.1\nquality: {margin: 0.3}\ncompleteness: {}\n",
        "sets/rubric.yaml": "name: tickets\ncriteria:\n  - {id: says, question: Does it say a word, kind: check,"
        " check: {type: regex, pattern: '.'}}\nsatisfactory: {score: 1}\ndecision: {bar: 0.5}\n",
    }.items():
        (folder / path).write_text(text, encoding="utf-8")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "a test set")
    git(folder, "checkout", "-qb", "bump")
    return folder


@pytest.fixture
def commit(tmp_path: Path, pinned: Path) -> Commit:
    """A copy of that repository; commits go to its branch."""
    folder = shutil.copytree(pinned, tmp_path / pinned.name)

    def committed(path: str, text: str) -> None:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        git(folder, "add", "-A")
        git(folder, "commit", "-qm", path)

    return committed


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """A runner with a virtual environment that holds evalkit, as the action's install step leaves it."""
    temporary = tmp_path / "runner"
    (temporary / "evalkit" / "bin").mkdir(parents=True)
    command = temporary / "evalkit" / "bin" / "evalkit"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m evalkit "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    inputs = {
        "range": "main...HEAD", "dataset": "sets/tickets.jsonl", "rubric": "sets/rubric.yaml", "policy": "gate.yaml",
        "grade-by": "checks", "epochs": "1", "trial": "1",
    }  # fmt: skip
    return Runner(tmp_path / "a repository", temporary, inputs)


@pytest.mark.long
def test_a_bump_is_blocked_until_its_evidence_is_made_and_then_passes(commit: Commit, runner: Runner) -> None:
    commit("app.py", '# the model\nMODEL = "claude-sonnet-4-6"\n')
    assert runner.run() == 6
    assert "app.py:2: claude-sonnet-4-6: no evidence; run the gate and approve its report" in runner.log
    assert "::error file=app.py,line=2,title=evalkit::claude-sonnet-4-6: no evidence" in runner.log
    assert runner.summary.startswith("### BLOCKED: a pinned model changed without valid evidence\n")
    assert "    error: app.py:2: claude-sonnet-4-6: no evidence" in runner.summary
    assert not (runner.folder / "runs").exists()
    assert runner.outputs["changed"]["changed"] == "true"

    with recorded() as server:
        (runner.folder / "evalkit.yaml").write_text(f"base_url: {server.url}\n", encoding="utf-8")
        assert runner.run(evidence="always") == 0, runner.log
        assert len(server.messages()) == 16
    out = runner.folder / "evalkit-out"
    assert sorted(path.name for path in out.glob("*-claude-*")) == [
        f"{name}-{SONNET_45}-to-claude-sonnet-4-6.{ending}"
        for name, ending in (("gate", "json"), ("gate", "md"), ("gate", "xml"), ("report", "html"))
    ]
    xml.fromstring((out / f"gate-{SONNET_45}-to-claude-sonnet-4-6.xml").read_text(encoding="utf-8"))  # noqa: S314  we wrote it
    comment = (out / f"gate-{SONNET_45}-to-claude-sonnet-4-6.md").read_text(encoding="utf-8")
    assert comment.startswith(f"<!-- evalkit:{SONNET_45} -->\n### PASS: claude-sonnet-4-6 in place of {SONNET_45}")
    assert runner.summary == f"{comment}### Each pinned model that changed has valid evidence\n\n"
    told = (out / "comment.md").read_text(encoding="utf-8")
    assert told == f"<!-- evalkit:model-bump -->\n### Each pinned model that changed has valid evidence\n\n{comment}"

    commit("evalkit.lock", (runner.folder / "evalkit.lock").read_text(encoding="utf-8"))
    assert runner.run() == 0, "no server is left, so what passes now is the committed evidence"
    assert "1 pin that may stand" in runner.log
    assert runner.summary.startswith(
        "### Each pinned model that changed has valid evidence\n\n    evalkit.yaml changes"
    )


def test_a_new_pin_that_no_job_can_prove_says_who_can(commit: Commit, runner: Runner) -> None:
    commit("new.py", 'MODEL = "claude-sonnet-4-6"\n')
    assert runner.run(evidence="always") == 6, runner.log
    told = (runner.folder / "evalkit-out" / "comment.md").read_text(encoding="utf-8")
    assert "Somebody with a key makes the evidence on this branch" in told


@pytest.mark.parametrize("left", ["pick()", '"gpt-5"', 'f"claude-sonnet-{generation}"'])
def test_a_pin_that_is_gone_is_no_pin_with_evidence(left: str, commit: Commit, runner: Runner) -> None:
    commit("app.py", f"MODEL = {left}\n")
    assert runner.run() == 0, runner.log
    gone = f"app.py:1: {SONNET_45}: removed, and no model id that can be read replaces it"
    assert f"::warning file=app.py,line=1,title=evalkit::{gone.partition(' ')[2]}" in runner.log
    told = (runner.folder / "evalkit-out" / "comment.md").read_text(encoding="utf-8")
    for text in (told, runner.summary):
        assert "### A pinned model was removed, for which nothing is verified; any other that changed" in text
        assert f"    {gone}\n" in text


@pytest.mark.long
@pytest.mark.parametrize("reuse", ["auto", "never"])
def test_a_dataset_may_be_called_what_a_shell_would_have_quoted(reuse: str, commit: Commit, runner: Runner) -> None:
    name = 'sets/Prüfung it\'s (1) "new" $HOME.jsonl'
    commit(name, (runner.folder / "sets" / "tickets.jsonl").read_text(encoding="utf-8"))
    commit("app.py", 'MODEL = "claude-sonnet-4-6"\n')
    with recorded() as server:
        (runner.folder / "evalkit.yaml").write_text(f"base_url: {server.url}\n", encoding="utf-8")
        assert runner.run(evidence="always", dataset=name, reuse=reuse) == 0, runner.log
        assert runner.run(evidence="always", dataset=name, reuse=reuse, lock="other.lock") == 0, runner.log
        assert len(server.messages()) == 16, "what is complete already is found as well"


@pytest.mark.long
def test_a_model_that_is_not_there_is_told_before_anything_is_sent_for_any_pin(commit: Commit, runner: Runner) -> None:
    commit("app.py", 'MODEL = "claude-sonnet-4-6"\n')
    commit("other.py", 'MODEL = "claude-haiku-4-5-20251001"\n')
    git(runner.folder, "branch", "-f", "main")
    commit("app.py", 'MODEL = "claude-sonnet-5"\n')
    commit("other.py", 'MODEL = "claude-haiku-9-1"\n')
    with recorded() as server:
        (runner.folder / "evalkit.yaml").write_text(f"base_url: {server.url}\n", encoding="utf-8")
        assert runner.run(evidence="always") == 2, runner.log
        assert server.messages() == []
    told = (runner.folder / "evalkit-out" / "comment.md").read_text(encoding="utf-8")
    assert "    error: claude-haiku-4-5-20251001-to-claude-haiku-9-1: model 'claude-haiku-9-1' is unknown" in told


@pytest.mark.long
def test_one_budget_is_for_both_models_and_what_it_leaves_undone_is_told(commit: Commit, runner: Runner) -> None:
    commit("app.py", 'MODEL = "claude-sonnet-4-6"\n')
    with recorded() as server:
        (runner.folder / "evalkit.yaml").write_text(f"base_url: {server.url}\n", encoding="utf-8")
        assert runner.run(evidence="always", **{"budget-usd": "0.03"}) == 4, runner.log
        first = [body["model"] for body in server.messages()]
        assert first.count(SONNET_45) == 8
        assert 0 < first.count("claude-sonnet-4-6") < 8
        told = (runner.folder / "evalkit-out" / "comment.md").read_text(encoding="utf-8")
        assert f"    error: {SONNET_45}-to-claude-sonnet-4-6: the budget of $0.0" in told
        assert runner.run(evidence="always", **{"budget-usd": "1"}) == 0, runner.log
        assert len(server.messages()) == 16, "it goes on from there"


@pytest.mark.long
def test_a_pin_that_has_retired_meanwhile_is_the_baseline_by_the_outputs_that_it_left(
    commit: Commit, runner: Runner
) -> None:
    gone: list[str] = []
    with recorded(spoil=retired(gone)) as server:
        (runner.folder / "evalkit.yaml").write_text(f"base_url: {server.url}\n", encoding="utf-8")
        commit("app.py", 'MODEL = "claude-sonnet-4-6"\n')
        assert runner.run(evidence="always") == 0, runner.log
        first = len(server.messages())
        gone.append(SONNET_45)
        commit("app.py", 'MODEL = "claude-opus-4-6"\n')
        assert runner.run(evidence="always") == 0, runner.log
        assert [body["model"] for body in server.messages()[first:]] == ["claude-opus-4-6"] * 8


@pytest.mark.slow
def test_another_candidate_takes_the_baselines_outputs_over(commit: Commit, runner: Runner) -> None:
    with recorded() as server:
        (runner.folder / "evalkit.yaml").write_text(f"base_url: {server.url}\n", encoding="utf-8")
        commit("app.py", 'MODEL = "claude-sonnet-4-6"\n')
        assert runner.run(evidence="always") == 0, runner.log
        first = len(server.messages())
        commit("app.py", 'MODEL = "claude-opus-4-6"\n')
        assert runner.run(evidence="always") == 0, runner.log
        sent = [body["model"] for body in server.messages()]
        assert sent[:first].count(SONNET_45) == 8
        assert sent[first:] == ["claude-opus-4-6"] * 8, "nothing of the baseline is sent again"
        count = len(sent)
        assert runner.run(evidence="always") == 0, runner.log
        assert runner.run(evidence="always", lock="other.lock") == 0, runner.log
        assert len(server.messages()) == count, "the same bump finds what there is, and merges nothing anew"

        assert runner.run(evidence="always", lock="apart.lock", reuse="never") == 0, runner.log
        assert len(server.messages()) == count + 16
    approved = (runner.folder / "evalkit.lock").read_text(encoding="utf-8")
    assert '"claude-sonnet-4-6"' in approved
    assert '"claude-opus-4-6"' in approved


@pytest.mark.long
@pytest.mark.parametrize("side", ["baseline", "candidate"])
def test_a_model_in_place_of_another_pin_is_refused_before_anything_is_sent(
    side: str, commit: Commit, runner: Runner
) -> None:
    commit("app.py", 'MODEL = "claude-sonnet-4-6"\n')
    with recorded() as server:
        (runner.folder / "evalkit.yaml").write_text(f"base_url: {server.url}\n", encoding="utf-8")
        assert runner.run(evidence="always", **{side: "claude-haiku-4-5-20251001"}) == 2, runner.log
        assert not server.messages()
    assert f"--{side} 'claude-haiku-4-5-20251001' means another model than" in runner.log


@pytest.mark.slow
def test_a_candidate_that_is_run_anew_is_merged_anew(commit: Commit, runner: Runner) -> None:
    commit("app.py", 'MODEL = "claude-sonnet-4-6"\n')
    with recorded() as server:
        (runner.folder / "evalkit.yaml").write_text(f"base_url: {server.url}\n", encoding="utf-8")
        assert runner.run(evidence="always") == 0, runner.log
        merged = next((runner.folder / "runs").glob("*+*.db"))
        candidate = merged.with_name(merged.name.partition("+")[2])
        candidate.unlink()
        age(merged.parent, 1)
        assert runner.run(evidence="always", lock="other.lock") == 0, runner.log
        assert len(server.messages()) == 24
    sent = "SELECT max(sent_at) FROM attempt_start"
    newest = [sqlite3.connect(path).execute(sent).fetchone() for path in (merged, candidate)]
    assert newest[0] == newest[1]
    assert f"{merged.relative_to(runner.folder)} is of other outputs, and is kept as" in runner.log


@pytest.mark.parametrize(
    ("card", "policy"),
    [
        pytest.param("context_tokens: 2000\n", "", marks=pytest.mark.slow),
        pytest.param("", "felt_latency: {p50: 1.5}\n", marks=pytest.mark.slow),
        pytest.param("", "ttft: {p50: 1.5}\n", marks=pytest.mark.slow),
    ],
)
def test_models_run_side_by_side_where_that_matters(card: str, policy: str, commit: Commit, runner: Runner) -> None:
    commit("sets/tickets.yaml", card or "{}\n")
    commit("gate.yaml", f"alpha: 0.1\nquality: {{margin: 0.3}}\n{policy}")
    commit("app.py", 'MODEL = "claude-sonnet-4-6"\n')
    with recorded() as server:
        (runner.folder / "evalkit.yaml").write_text(f"base_url: {server.url}\n", encoding="utf-8")
        runner.run(evidence="always")
        assert len(server.messages()) == 16, runner.log
    assert len(list((runner.folder / "runs").glob("*.db"))) == 1


@pytest.mark.slow
def test_a_policy_with_looks_is_met_look_by_look(commit: Commit, runner: Runner) -> None:
    commit("app.py", 'MODEL = "claude-sonnet-4-6"\n')
    looks = "alpha: 0.1\non_inconclusive: warn\nquality: {margin: 0.3}\nsequential: {looks: [0.5, 1.0]}\n"
    commit("gate.yaml", looks)
    with recorded() as server:
        (runner.folder / "evalkit.yaml").write_text(f"base_url: {server.url}\n", encoding="utf-8")
        assert runner.run(evidence="always", looks="0.5 1") == 0, runner.log
        assert len(server.messages()) == 16
    assert "go on to look 2" in runner.log
    assert runner.summary.count("<!-- evalkit:") == 1, "the last look alone"
    assert "at look 2 of 2 (8 of 8 items)" in runner.summary


@pytest.mark.slow
def test_what_the_gate_used_is_bound_without_being_named(commit: Commit, runner: Runner) -> None:
    commit("rubrics/tickets.yaml", (runner.folder / "sets" / "rubric.yaml").read_text(encoding="utf-8"))
    commit("app.py", 'MODEL = "claude-sonnet-4-6"\n')
    with recorded() as server:
        (runner.folder / "evalkit.yaml").write_text(f"base_url: {server.url}\n", encoding="utf-8")
        assert runner.run(evidence="always", rubric="", policy="") == 0, runner.log
    held = json.loads((runner.folder / "evalkit.lock").read_text(encoding="utf-8"))["approvals"][0]
    assert {name: held[name] for name in ("dataset", "rubric", "policy")} == {
        "dataset": "sets/tickets.jsonl", "rubric": "rubrics/tickets.yaml", "policy": "gate.yaml"
    }  # fmt: skip
    commit("gate.yaml", "quality: {margin: 0.4}\n")
    assert runner.run(rubric="", policy="") == 6
    assert "its evidence is of another policy" in runner.log
    told = (runner.folder / "evalkit-out" / "comment.md").read_text(encoding="utf-8")
    assert told.startswith("<!-- evalkit:model-bump -->\n### BLOCKED: a pinned model changed without valid evidence\n")
    assert "PASS" not in told, "of an earlier push"


@pytest.mark.long
@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("quality: {marginn: 0.1}\n", "error: gate.yaml:1: "),
        ("alpha: 0.1\n", "error: gate.yaml:1: "),
        ("completeness:\n", "error: gate.yaml does not ask for quality, so it approves no pin; add "),
    ],
)
def test_a_policy_is_checked_before_anything_is_sent(policy: str, said: str, commit: Commit, runner: Runner) -> None:
    commit("gate.yaml", policy)
    commit("app.py", 'MODEL = "claude-sonnet-4-6"\n')
    with recorded() as server:
        (runner.folder / "evalkit.yaml").write_text(f"base_url: {server.url}\n", encoding="utf-8")
        assert runner.run(evidence="always", policy="") == 2, runner.log
        assert not server.messages()
    assert said in runner.log
    told = (runner.folder / "evalkit-out" / "comment.md").read_text(encoding="utf-8")
    assert "### No verdict on a pinned model that changed" in told


def test_a_bump_that_is_taken_back_leaves_no_verdict_and_a_lock_beside_it_stays(commit: Commit, runner: Runner) -> None:
    commit("app.py", f'MODEL = "{SONNET_45}"  # claude-sonnet-4-6 is next\n')
    told = runner.folder / "evalkit-out" / "comment.md"
    told.parent.mkdir()
    told.write_text("### BLOCKED", encoding="utf-8")
    commit("evalkit.lock", '{"schema_version": 1, "approvals": []}\n')
    assert runner.run() == 0, runner.log
    assert not told.exists()
    environment = {"PATH": f"{runner.temporary}/evalkit/bin:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    here = {"EVALKIT_RANGE": "main...HEAD", "EVALKIT_OUT": "."}
    subprocess.run(["sh", str(SCRIPT)], cwd=runner.folder, env=environment | here, capture_output=True, check=True)
    assert (runner.folder / "evalkit.lock").exists()


@pytest.mark.parametrize("step", ["mentioned", "changed", ""])
@pytest.mark.parametrize("named", ["...HEAD", "..", "main", "--output=x", "--output=x..HEAD", "main..HEAD --output=x"])
def test_a_range_without_a_base_passes_nothing(step: str, named: str, commit: Commit, runner: Runner) -> None:
    commit("app.py", 'MODEL = "claude-sonnet-4-6"\n')
    environment = {"PATH": os.environ["PATH"], "EVALKIT_RANGE": named}
    command = ["sh", str(SCRIPT), *([step] if step else [])]
    done = subprocess.run(command, cwd=runner.folder, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: EVALKIT_RANGE is no range of commits; write BASE...HEAD\n"
    assert not (runner.folder / "x").exists()


def test_a_submodule_that_changed_is_named(commit: Commit, runner: Runner) -> None:
    other = runner.folder / "other"
    other.mkdir()
    git(other, "init", "-q")
    git(other, "commit", "-qm", "x", "--allow-empty")
    commit("notes.txt", "x")
    assert runner.run() == 0
    assert "warning: a submodule changed, which is not looked into" in runner.log


def test_a_history_that_is_cut_off_is_named(commit: Commit, runner: Runner) -> None:
    assert runner.run(range="gone...HEAD") == 2
    assert "error: git does not know gone...HEAD; check the whole history out" in runner.log


@pytest.mark.long
def test_a_change_of_prose_alone_starts_nothing(commit: Commit, runner: Runner) -> None:
    commit("README.md", "We use it well.\n")
    first_line = load(GITLAB)["model-bump"]["script"][0].replace("ci/", f"{ROOT}/ci/")
    kept = {"PATH": "/usr/bin:/bin", "EVALKIT_RANGE": "main...HEAD"}
    done = subprocess.run(["sh", "-c", first_line], cwd=runner.folder, env=kept, capture_output=True, check=True)
    assert done.stdout == b"no changed file names a model\n", "known without evalkit"
    assert runner.run(evidence="always") == 0
    assert runner.outputs == {"mentioned": {"mentioned": "false"}}
    commit("README.md", "We may use claude-opus-5 one day.\n")
    commit("app.py", f'MODEL = "{SONNET_45}"  # claude-sonnet-4-6 is next\n')
    assert runner.run(evidence="always") == 0
    assert runner.outputs["mentioned"] == {"mentioned": "true"}
    assert runner.outputs["changed"]["changed"] == "false"
    assert not (runner.folder / "runs").exists()
    assert not (runner.folder / "evalkit-out").exists()


def age(folder: Path, days: int) -> None:
    """Has all outputs of these run files sent so many days earlier."""
    for path in folder.glob("*.db"):
        with closing(sqlite3.connect(path)) as file, file:
            triggers = file.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
            for name, _ in triggers:
                file.execute(f'DROP TRIGGER "{name}"')
            file.execute(
                "UPDATE attempt_start SET sent_at = strftime('%Y-%m-%dT%H:%M:%S+00:00', sent_at, ?)", (f"-{days} days",)
            )
            for _, made in triggers:
                file.execute(made)


@pytest.mark.slow
def test_a_candidate_whose_outputs_are_too_old_is_run_anew_and_passes(commit: Commit, runner: Runner) -> None:
    commit("app.py", 'MODEL = "claude-sonnet-4-6"\n')
    runs = runner.folder / "runs"
    with recorded() as server:
        (runner.folder / "evalkit.yaml").write_text(f"base_url: {server.url}\n", encoding="utf-8")
        assert runner.run(evidence="always") == 0, runner.log
        (runner.folder / "evalkit.lock").unlink()
        for merged in runs.glob("*+*.db"):
            merged.unlink()
        age(runs, 245)
        count = len(server.messages())
        assert runner.run(evidence="always") == 0, runner.log
        assert [body["model"] for body in server.messages()][count:] == ["claude-sonnet-4-6"] * 8, "the candidate alone"
    assert "the outputs of claude-sonnet-4-6 are too old to be evidence, so it is run anew" in runner.log
    assert len(list(runs.glob("*.db"))) == 3
    assert len(list(runs.glob("*.db.old"))) == 2, "what was paid for is kept"
    comment = (runner.folder / "evalkit-out" / "comment.md").read_text(encoding="utf-8")
    assert "### Each pinned model that changed has valid evidence" in comment
    assert "days old" not in comment
    assert comment.count("### PASS") == 1


# --- the script alone, with an evalkit that answers as told ---

FAKE = """#!/bin/sh
echo "$*" >>calls.txt
case "$1 $2" in
  "pins diff") exit 1 ;;
  "pins verify") yes "error: a.py:1: x: *no* evidence" | head -n "${PLACES:-1}" >&2; exit 6 ;;
  "pins unproven") echo "old-a new-a"; echo "old-b new-b" ;;
  run*) case $* in *--dry-run*) exit ;; esac
    [ "$RUN_CODE" = 0 ] || { echo "error: no *budget*" >&2; exit "$RUN_CODE"; }; echo "complete: runs/a file.db" ;;
  check*) [ -z "${LOOKS:-}" ] || echo "gate.yaml: looks at these shares of the items: $LOOKS" ;;
  gate*)
    [ -z "$SIZE" ] || for file; do case $file in *.json | *.xml | *.md) printf "%${SIZE}s" . >"$file" ;; esac; done
    case $* in *new-a*) exit "$GATE_CODE" ;; *) exit "${OTHER_CODE:-0}" ;; esac ;;
  "pins approve") echo lock >evalkit.lock ;;
esac
"""


@pytest.mark.parametrize(
    ("told", "code", "runs", "in_summary"),
    [
        ({}, 6, 0, "    error: a.py:1: x: *no* evidence"),
        ({"EVALKIT_EVIDENCE": "never", "ANTHROPIC_API_KEY": "k"}, 6, 0, "BLOCKED"),
        ({"PLACES": "5000"}, 6, 0, " more lines, which are among the files of this job"),
        ({"EVALKIT_EVIDENCE": "perhaps"}, 2, 0, ""),
        ({"EVALKIT_EVIDENCE": "always", "EVALKIT_GRADE_BY": "judge"}, 2, 0, ""),
        ({"EVALKIT_EVIDENCE": "always", "EVALKIT_GRADE_BY": "people"}, 2, 0, ""),
        ({"EVALKIT_EVIDENCE": "always", "EVALKIT_DATASET": ""}, 2, 0, ""),
        ({"EVALKIT_EVIDENCE": "always", "EVALKIT_LOCK": "bin/evalkit/evalkit.lock"}, 2, 0, ""),  # that is a file
        ({"ANTHROPIC_API_KEY": "k"}, 6, 2, "BLOCKED"),  # all gates pass, yet something remains
        ({"ANTHROPIC_API_KEY": "k", "GATE_CODE": "1"}, 1, 2, "."),
        ({"ANTHROPIC_API_KEY": "k", "GATE_CODE": "3"}, 3, 2, "BLOCKED"),
        ({"ANTHROPIC_API_KEY": "k", "GATE_CODE": "1", "OTHER_CODE": "3"}, 1, 2, "BLOCKED"),
        ({"ANTHROPIC_API_KEY": "k", "GATE_CODE": "3", "OTHER_CODE": "1"}, 1, 2, "BLOCKED"),
        ({"ANTHROPIC_API_KEY": "k", "RUN_CODE": "4"}, 4, 2, "BLOCKED"),
        ({"ANTHROPIC_API_KEY": "k", "GATE_CODE": "2", "SIZE": ""}, 2, 2, "BLOCKED"),  # nothing is written, nor approved
        ({"ANTHROPIC_API_KEY": "k", "GATE_CODE": "1", "SIZE": "600000"}, 1, 2, "did not fit here"),
    ],
)
def test_the_script_ends_with_the_worst_that_it_met(
    told: dict[str, str], code: int, runs: int, in_summary: str, tmp_path: Path
) -> None:
    fake = tmp_path / "bin" / "evalkit"
    fake.parent.mkdir()
    fake.write_text(FAKE, encoding="utf-8")
    fake.chmod(0o755)
    out, old = tmp_path / "evalkit-out", ["gate-a-to-b.xml", "report-a-to-b.html", "evalkit.lock", "comment.md"]
    out.mkdir()
    for name in (*old, "gate-old-a-to-new-a.json", "gate-notes.md", "report.html"):
        (out / name).write_text("of another day", encoding="utf-8")
    path, summary = f"{fake.parent}:{os.environ['PATH']}", tmp_path / "summary.md"
    usual = {"EVALKIT_DATASET": "my set.jsonl", "RUN_CODE": "0", "GATE_CODE": "0", "SIZE": "10"}
    environment = {"PATH": path, "GITHUB_STEP_SUMMARY": str(summary), **usual, **told}
    done = subprocess.run(["sh", str(SCRIPT)], cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert done.returncode == code, done.stderr
    kept = {path.name for path in out.iterdir() if path.read_text(encoding="utf-8") == "of another day"}
    assert kept == {"gate-notes.md", "report.html"}, "what is not of this script"
    calls = (tmp_path / "calls.txt").read_text(encoding="utf-8").splitlines()
    sent = [call for call in calls if call.startswith("run ") and "--dry-run" not in call]
    assert sum(call.startswith("run my set.jsonl -m old-") for call in sent) == runs
    plans = [call for call in calls if "--dry-run" in call]
    assert plans == [call for call in calls if call.startswith("run ")][: len(plans)], "before anything is sent"
    assert len(plans) == 2 * runs, "each model by itself, whose outputs may be there"
    assert [call for call in calls if call.startswith("grade")] == [
        "grade runs/a file+a file.db --blind --by judges --quiet"
    ] * (0 if "RUN_CODE" in told else runs)
    approved = [call.split()[2] for call in calls if call.startswith("pins approve")]
    assert approved == [
        f"evalkit-out/gate-{name}.json"
        for name in ("old-a-to-new-a", "old-b-to-new-b")
        if runs and told.get("SIZE") != "" and "RUN_CODE" not in told
    ]
    written = summary.read_text(encoding="utf-8") if summary.exists() else ""
    assert in_summary in written
    assert len(written) < 900_000
    if "PLACES" in told:
        comment = (tmp_path / "evalkit-out" / "comment.md").read_text(encoding="utf-8")
        assert 50_000 < len(comment) < 64_000
        assert comment.count("    error: a.py:1: x: *no* evidence\n") > 1_000
    if "BLOCKED" in in_summary and runs:
        comment = (out / "comment.md").read_text(encoding="utf-8")
        if "RUN_CODE" in told:
            assert "    error: old-b-to-new-b: no *budget*\n" in comment
            assert "What this job could not make or approve has its reasons above" in comment
        elif told.get("SIZE") == "":
            assert "No evidence could be made; the log" in comment
        else:
            assert "The gates of this job say why, and what would settle an inconclusive one." in comment


@pytest.mark.parametrize(
    ("told", "code", "runs", "reason"),
    [
        ("1 days old, of", 0, 6, ""),  # the first bump is made anew, and then approved
        (
            "9 days old, of",
            6,
            8,
            "What this job could not make or approve has its reasons above; its gates say the rest.",
        ),
        ("9 edited", 6, 4, "What this job could not make or approve has its reasons above; its gates say the rest."),
    ],
)
def test_what_is_not_approved_is_told_in_the_comment_and_run_anew_where_it_is_old_alone(
    told: str, code: int, runs: int, reason: str, tmp_path: Path
) -> None:
    fake = tmp_path / "bin" / "evalkit"
    fake.parent.mkdir()
    often, _, why = told.partition(" ")
    refuse = f"""left=$(cat left.txt); echo $((left - 1)) >left.txt
    [ "$left" -le 0 ] || {{ echo "error: this gate report is {why}" >&2; exit 6; }}; echo lock >evalkit.lock ;;"""
    known = '"pins verify") [ ! -f evalkit.lock ] || exit 0; '
    fake.write_text(
        FAKE.replace("echo lock >evalkit.lock ;;", refuse).replace('"pins verify") ', known), encoding="utf-8"
    )
    fake.chmod(0o755)
    (tmp_path / "left.txt").write_text(often, encoding="utf-8")
    environment = {
        "PATH": f"{fake.parent}:{os.environ['PATH']}", "EVALKIT_DATASET": "set.jsonl", "EVALKIT_EVIDENCE": "always",
        "RUN_CODE": "0", "GATE_CODE": "0", "SIZE": "1",
    }  # fmt: skip
    done = subprocess.run(["sh", str(SCRIPT)], cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert done.returncode == code, done.stderr
    calls = (tmp_path / "calls.txt").read_text(encoding="utf-8").splitlines()
    assert sum(call.startswith("run ") and "--dry-run" not in call for call in calls) == runs
    comment = (tmp_path / "evalkit-out" / "comment.md").read_text(encoding="utf-8")
    assert reason in comment
    for name in ("old-a-to-new-a", "old-b-to-new-b"):
        assert (f"    error: gate-{name}.json: this gate report is {why}\n" in comment) == (code == 6)


@pytest.mark.parametrize(
    ("planned", "merges"),
    [
        ("new run runs/new-a.db", 1),
        ("going on with runs/new-a.db: 3 of 8 trials done, kept", 1),
        ("complete already, nothing to send: runs/new-a.db", 0),
    ],
)
def test_a_merged_file_is_of_the_outputs_that_there_are_now(planned: str, merges: int, tmp_path: Path) -> None:
    fake = tmp_path / "bin" / "evalkit"
    fake.parent.mkdir()
    told = f'case $* in *--dry-run*) case $* in *new-a*) echo "{planned}" ;; esac; exit ;; esac'
    said = 'echo "complete: runs/$4.db"'
    text = FAKE.replace("case $* in *--dry-run*) exit ;; esac", told).replace('echo "complete: runs/a file.db"', said)
    fake.write_text(text, encoding="utf-8")
    fake.chmod(0o755)
    runs = tmp_path / "runs"
    runs.mkdir()
    for name in ("old-a.db", "old-a+new-a.db", "new-a+other.db", "old-b+new-b.db", "old-a+xnew-a.db"):
        (runs / name).write_text("of another day", encoding="utf-8")
    environment = {
        "PATH": f"{fake.parent}:{os.environ['PATH']}", "EVALKIT_DATASET": "set.jsonl", "EVALKIT_EVIDENCE": "always",
        "RUN_CODE": "0", "GATE_CODE": "0", "SIZE": "1",
    }  # fmt: skip
    done = subprocess.run(["sh", str(SCRIPT)], cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert done.returncode == 6, done.stderr
    calls = (tmp_path / "calls.txt").read_text(encoding="utf-8").splitlines()
    made = [call for call in calls if call.startswith("merge ")]
    assert made == ["merge runs/old-a.db runs/new-a.db -o runs/old-a+new-a.db"] * merges
    kept = {path.name for path in runs.glob("*.old")}
    assert kept == ({"old-a+new-a.db.old", "new-a+other.db.old"} if merges else set())


@DEV_FULL
@pytest.mark.parametrize(
    ("file", "fails", "said"),
    [
        ("comment.md", "0", "error: this job ended early, and no gate failed"),
        ("failed.txt", "2", "error: evalkit-out/failed.txt cannot be written"),
        ("failed.txt", "0", "error: evalkit-out/failed.txt cannot be written"),
        ("run.txt", "0", "error: evalkit-out/run.txt cannot be written"),
    ],
)
def test_a_full_disk_is_no_gate_that_failed_and_no_run_that_succeeded(
    file: str, fails: str, said: str, tmp_path: Path
) -> None:
    fake = tmp_path / "bin" / "evalkit"
    fake.parent.mkdir()
    full = f'"pins diff") mkdir -p evalkit-out; ln -sf /dev/full evalkit-out/{file}; exit 1 ;;'
    text = FAKE.replace('"pins diff") exit 1 ;;', full) if file != "run.txt" else FAKE.replace("complete: ", "")
    fake.write_text(text, encoding="utf-8")
    fake.chmod(0o755)
    environment = {
        "PATH": f"{fake.parent}:{os.environ['PATH']}", "EVALKIT_DATASET": "set.jsonl", "EVALKIT_EVIDENCE": "always",
        "RUN_CODE": fails, "GATE_CODE": "0", "SIZE": "1",
    }  # fmt: skip
    done = subprocess.run(["sh", str(SCRIPT)], cwd=tmp_path, env=environment, capture_output=True, text=True,
                          check=False, timeout=60)  # fmt: skip
    assert done.returncode == 5, done.stderr
    assert said in done.stderr
    calls = (tmp_path / "calls.txt").read_text(encoding="utf-8").splitlines()
    assert not any(call.startswith(("grade", "merge", "gate ")) for call in calls)


@pytest.mark.parametrize(
    "told", [{"EVALKIT_OUT": "."}, {"EVALKIT_LOCK": "evalkit-out/evalkit.lock"}, {"EVALKIT_LOCK": "ci/evalkit.lock"}]
)
def test_a_lock_that_lies_where_files_are_written_is_not_copied_onto_itself(
    told: dict[str, str], tmp_path: Path
) -> None:
    fake = tmp_path / "bin" / "evalkit"
    fake.parent.mkdir()
    lock = told.get("EVALKIT_LOCK", "evalkit.lock")
    known = f'"pins verify") [ ! -f {lock} ] || exit 0; '
    fake.write_text(
        FAKE.replace("echo lock >evalkit.lock", f"echo lock >{lock}").replace('"pins verify") ', known),
        encoding="utf-8",
    )
    fake.chmod(0o755)
    environment = {
        "PATH": f"{fake.parent}:{os.environ['PATH']}", "EVALKIT_DATASET": "set.jsonl", "EVALKIT_EVIDENCE": "always",
        "RUN_CODE": "0", "GATE_CODE": "0", "SIZE": "1",
    }  # fmt: skip
    done = subprocess.run(["sh", str(SCRIPT)], cwd=tmp_path, env=environment | told, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"same file" not in done.stderr
    assert (tmp_path / told.get("EVALKIT_OUT", "evalkit-out") / "evalkit.lock").read_text(encoding="utf-8") == "lock\n"


def test_two_pins_that_are_bumped_to_one_model_have_a_report_each(tmp_path: Path) -> None:
    """The one fails and the other passes: what fails must not vanish from the job's files."""
    fake = tmp_path / "bin" / "evalkit"
    fake.parent.mkdir()
    told = 'printf "%s" "$*" >"$file"'
    fake.write_text(
        FAKE.replace("old-b new-b", "old-b new-a").replace('printf "%${SIZE}s" . >"$file"', told).replace(
            "case $* in *new-a*)", "case $* in *old-a*)"
        ), encoding="utf-8",
    )  # fmt: skip
    fake.chmod(0o755)
    environment = {
        "PATH": f"{fake.parent}:{os.environ['PATH']}", "EVALKIT_DATASET": "set.jsonl", "EVALKIT_EVIDENCE": "always",
        "RUN_CODE": "0", "GATE_CODE": "1", "SIZE": "1",
    }  # fmt: skip
    done = subprocess.run(["sh", str(SCRIPT)], cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert done.returncode == 1, done.stderr
    for ending in ("json", "xml", "md"):
        written = {
            path.name: path.read_text(encoding="utf-8") for path in tmp_path.glob(f"evalkit-out/gate-*.{ending}")
        }
        assert sorted(written) == [f"gate-old-{one}-to-new-a.{ending}" for one in "ab"]
        assert all(f"--baseline old-{one} " in written[f"gate-old-{one}-to-new-a.{ending}"] for one in "ab")
    reports = [call for call in (tmp_path / "calls.txt").read_text(encoding="utf-8").splitlines() if "report" in call]
    assert [call.rpartition("/")[2] for call in reports] == [f"report-old-{one}-to-new-a.html" for one in "ab"]


def test_a_clone_without_contents_that_cannot_be_fetched_is_no_change_without_a_model(
    commit: Commit, runner: Runner, tmp_path: Path
) -> None:
    """As of a private repository, whose partial clone has lost its credentials."""
    commit("app.py", 'MODEL = "claude-sonnet-4-6"\n')
    git = ("git", "-c", "protocol.file.allow=always")
    subprocess.run([*git, "config", "uploadpack.allowFilter", "true"], cwd=runner.folder, check=True)
    lean = tmp_path / "lean"
    subprocess.run([*git, "clone", "-q", "--filter=blob:none", f"file://{runner.folder}", str(lean)], check=True)
    subprocess.run([*git, "remote", "set-url", "origin", f"file://{tmp_path}/gone"], cwd=lean, check=True)
    subprocess.run([*git, "branch", "-q", "main", "origin/main"], cwd=lean, check=True)
    kept = {"PATH": "/usr/bin:/bin", "EVALKIT_RANGE": "main...HEAD", "HOME": str(tmp_path)}
    asked = ["sh", str(SCRIPT), "mentioned"]
    done = subprocess.run(asked, cwd=lean, env=kept, capture_output=True, check=True)
    assert done.stdout == b"mentioned=true\n"
    with pytest.raises(UsageError, match=r"git has no content .* fetch the whole history"):
        bumps_between("main...HEAD", lean)


def test_what_a_step_says_stands_where_its_output_goes(commit: Commit, runner: Runner, tmp_path: Path) -> None:
    """A file that others write on as well, or a socket."""
    commit("app.py", 'MODEL = "claude-sonnet-4-6"\n')
    kept = {"PATH": "/usr/bin:/bin", "EVALKIT_RANGE": "main...HEAD", "STEP": str(SCRIPT)}
    script, file = 'echo before; sh "$STEP" mentioned; sh "$STEP" mentioned; echo after', tmp_path / "said.txt"
    with file.open("wb") as target:
        subprocess.run(["sh", "-c", script], cwd=runner.folder, env=kept, stdout=target, check=True)
    assert file.read_text(encoding="utf-8") == "before\nmentioned=true\nmentioned=true\nafter\n"
    ours, theirs = socket.socketpair()
    with ours, theirs:
        subprocess.run(["sh", str(SCRIPT), "mentioned"], cwd=runner.folder, env=kept, stdout=theirs, check=True)
        assert ours.recv(100) == b"mentioned=true\n"


@pytest.mark.parametrize(
    ("told", "runs"),
    [
        ({}, [""] * 4),
        ({"EVALKIT_REUSE": "never"}, [""] * 2),
        ({"EVALKIT_EXECUTOR": "batch"}, [" --executor batch"] * 4),
        (
            {"EVALKIT_EXECUTOR": "batch", "EVALKIT_LATENCY_SAMPLE": "30"},
            [" --executor batch --latency-sample 30"] * 4,
        ),
        ({"EVALKIT_LOOKS": "0.50 0.75 1.0", "LOOKS": "0.5 0.75 1"}, [" --share 0.50", " --share 0.50"]),
        (
            {"EVALKIT_LOOKS": "0.5 1", "LOOKS": "0.5 1", "VERDICT": "inconclusive"},
            [" --share 0.5", "", " --share 0.5", ""],
        ),
    ],
)
def test_a_run_costs_half_in_batches_and_less_in_looks(told: dict[str, str], runs: list[str], tmp_path: Path) -> None:
    fake = tmp_path / "bin" / "evalkit"
    fake.parent.mkdir()
    verdict = 'printf \'"verdict": "%s"\' "$VERDICT" >"$file"'
    fake.write_text(FAKE.replace('printf "%${SIZE}s" . >"$file"', verdict), encoding="utf-8")
    fake.chmod(0o755)
    usual = {"EVALKIT_DATASET": "set.jsonl", "RUN_CODE": "0", "GATE_CODE": "0", "SIZE": "1", "VERDICT": "pass"}
    kept = {"PATH": f"{fake.parent}:{os.environ['PATH']}", "EVALKIT_EVIDENCE": "always"}
    subprocess.run(["sh", str(SCRIPT)], cwd=tmp_path, env=kept | usual | told, capture_output=True, check=False)
    calls = (tmp_path / "calls.txt").read_text(encoding="utf-8").splitlines()
    asked = [call for call in calls if call.startswith("run ") and "--dry-run" not in call]
    assert [call.partition("--epochs 3")[2] for call in asked] == runs
    apart = len(runs) == 4 and "LOOKS" not in told
    assert ["--budget-beside runs/a file.db" in call for call in asked] == (
        [False, True] * 2 if apart else [False] * len(runs)
    )
    gates = len(runs) if "EVALKIT_LOOKS" in told else 2
    assert sum(call.startswith("gate ") for call in calls) == gates
    assert sum(call.startswith("pins approve") for call in calls) == 2, "once a pin, with the last look's report"


@pytest.mark.parametrize(
    ("looks", "planned", "code"),
    [
        ("0.5 0.75 1", "0.5 0.75 1", 0),
        ("0.50 0.75 1.0", "0.5 0.75 1", 0),
        ("0.7 1", "0.5 0.75 1", 2),
        ("1 0.5", "0.5 1", 2),
        (" ", "0.5 1", 2),
        ("0.5 1", None, 2),
        ("1", None, 0),
    ],
)
def test_looks_are_those_of_the_policy_or_nothing_is_run(
    looks: str, planned: str | None, code: int, commit: Commit, runner: Runner
) -> None:
    """Parts that nobody planned would each be tested at the full error."""
    policy = "quality: {margin: 0.30}\n# sequential:\n"
    if planned is not None:
        policy += f"sequential: {{looks: [{planned.replace(' ', ', ')}]}}\n"
    commit("app.py", 'MODEL = "claude-sonnet-4-6"\n')
    (runner.folder / "gate.yaml").write_text(policy, encoding="utf-8")
    with recorded() as server:
        (runner.folder / "evalkit.yaml").write_text(f"base_url: {server.url}\n", encoding="utf-8")
        done = runner.run(evidence="always", looks=looks)
        assert (done == 2) == (code == 2), runner.log
        assert ("EVALKIT_LOOKS needs the same shares" in runner.log) == (code == 2)
        assert bool(server.messages()) == (code == 0)


@pytest.mark.parametrize(
    ("body", "outcome", "found", "sent", "said"),
    [
        ("### PASS", "success", "", "POST repos/o/r/issues/7/comments", "### PASS"),
        ("### PASS", "failure", "41", "PATCH repos/o/r/issues/comments/41", "### PASS"),
        (None, "success", "", None, ""),
        (None, "success", "41", "PATCH repos/o/r/issues/comments/41", "No pinned model changes any more."),
        (None, "failure", "41", "PATCH repos/o/r/issues/comments/41", "No verdict; see the log of the job."),
    ],
)
def test_the_comment_is_made_once_and_then_always_renewed(
    body: str | None, outcome: str, found: str, sent: str | None, said: str, tmp_path: Path
) -> None:
    gh = tmp_path / "bin" / "gh"
    gh.parent.mkdir()
    gh.write_text(
        '#!/bin/sh\necho "$* $MARK" >>calls.txt\ncase "$*" in *--paginate*) echo $FOUND ;; esac\n', encoding="utf-8"
    )
    gh.chmod(0o755)
    file = tmp_path / "evalkit-out" / "comment.md"
    if body:
        file.parent.mkdir()
        file.write_text(f"<!-- evalkit:model-bump -->\n{body}\n", encoding="utf-8")
    environment = {
        "PATH": f"{gh.parent}:{os.environ['PATH']}", "REPO": "o/r", "PULL": "7", "FOUND": found, "OUTCOME": outcome
    }  # fmt: skip
    script = steps_of(WORKFLOW)[-1]["run"]
    subprocess.run(["bash", "-eo", "pipefail", "-c", script], cwd=tmp_path, env=environment, check=True)
    asked, *written = (tmp_path / "calls.txt").read_text(encoding="utf-8").splitlines()
    assert asked.endswith(" <!-- evalkit:model-bump -->")
    if sent is None:
        assert not written
    else:
        assert written[0].startswith(f"api --silent --method {sent} -F body=@evalkit-out/comment.md")
        assert file.read_text(encoding="utf-8") == f"<!-- evalkit:model-bump -->\n{said}\n"


@pytest.mark.slow
def test_run_files_kept_in_a_bucket_are_not_paid_for_twice(commit: Commit, runner: Runner, bucket: Bucket) -> None:
    runner.job = bucket.environment
    cache = {"evidence": "always", "cache": f"{bucket.url}/evalkit"}
    commit("app.py", 'MODEL = "claude-sonnet-4-6"\n')
    with recorded() as server:
        (runner.folder / "evalkit.yaml").write_text(f"base_url: {server.url}\n", encoding="utf-8")
        assert runner.run(**cache) == 0, runner.log
        assert len(server.messages()) == 16
        names = sorted(path.name for path in (runner.folder / "runs").glob("*.db"))
        assert len(names) == 3
        key = runner.outputs["changed"]["key"]
        assert bucket.listed() == sorted(f"evalkit/{key}/{name}" for name in names)

        shutil.rmtree(runner.folder / "runs")
        (runner.folder / "evalkit.lock").unlink()
        assert runner.run(**cache) == 0, runner.log
        assert len(server.messages()) == 16, "the next job, on another machine, sends nothing again"


@pytest.mark.long
def test_nothing_is_paid_for_where_what_was_paid_for_cannot_be_looked_up(
    commit: Commit, runner: Runner, bucket: Bucket
) -> None:
    runner.job = bucket.environment
    commit("app.py", 'MODEL = "claude-sonnet-4-6"\n')
    with recorded() as server:
        (runner.folder / "evalkit.yaml").write_text(f"base_url: {server.url}\n", encoding="utf-8")
        assert runner.run(evidence="always", cache="s3://no-such-bucket/evalkit") == 2
        assert not server.messages()
    assert "there is no such bucket" in runner.log
