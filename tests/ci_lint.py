"""Lints what CI runs: the action, the ready workflows and each shell script, also those inside steps and documents."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
COMMIT = "0" * 40
"""Stands where whoever copies a workflow names the commit that they trust."""


def schema_of(path: Path) -> str:
    """The grammar of a file, as check-jsonschema names the ones that it brings along."""
    if path.name == "action.yml":
        return "vendor.github-actions"
    return "vendor.gitlab-ci" if "gitlab" in path.name else "vendor.github-workflows"


def findings(path: Path, text: str) -> Iterator[str]:
    """What linters say against a file of CI: its grammar, its rights and expressions, and its shell."""
    kind = schema_of(path)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, ".github", "workflows", path.name) if "workflows" in kind else Path(folder, path.name)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(text.replace("@COMMIT", f"@{COMMIT}"), encoding="utf-8")
        yield from _said("check-jsonschema", "--builtin-schema", kind, str(copy))
        if "github" in kind:
            yield from _said("zizmor", "--offline", "--no-config", "--strict-collection", "--no-progress", str(copy))
    for shell, script in scripts(yaml.safe_load(text)):
        yield from shell_findings(shell, script)


def scripts(content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Shell and text of every step of an action or workflow, or of every job of GitLab."""
    jobs = [content["runs"]] if "runs" in content else list(content.get("jobs", content).values())
    for job in jobs:
        yield from (("bash", step["run"]) for step in job.get("steps", ()) if "run" in step)
        yield from (("sh", line) for line in job.get("script", ()))


def shell_findings(shell: str, script: str) -> Iterator[str]:
    """What shellcheck says against a script of `sh` or `bash`."""
    yield from _said("shellcheck", "--shell", shell, "--color=never", "-", script=script)


def _said(tool: str, *arguments: str, script: str = "") -> Iterator[str]:
    """What a tool says if it finds anything; a warning of zizmor, say of an expression, leaves its exit code at 0."""
    done = subprocess.run([BIN / tool, *arguments], input=script, capture_output=True, text=True, check=False)
    if done.returncode or re.search(r"\bWARN\b", done.stderr):
        yield f"{tool}: {(done.stdout + done.stderr).strip()}"


def all_findings() -> Iterator[str]:
    """What linters say against all that the repository has for CI, each with the file's name."""
    for path in (ROOT / "action.yml", *sorted((ROOT / "examples" / "ci").glob("*.yml"))):
        yield from (f"{path.relative_to(ROOT)}: {said}" for said in findings(path, path.read_text(encoding="utf-8")))
    for path in sorted((ROOT / "ci").glob("*.sh")):
        said = shell_findings("sh", path.read_text(encoding="utf-8"))
        yield from (f"{path.relative_to(ROOT)}: {one}" for one in said)
    for block in re.findall(r"^```sh\n(.*?)^```", (ROOT / "docs" / "ci.md").read_text(encoding="utf-8"), re.M | re.S):
        yield from (f"docs/ci.md: {one}" for one in shell_findings("sh", block))


def main() -> int:
    """Print what the linters say; 1 if anything."""
    found = list(all_findings())
    print("\n".join(found) or "ci: the action, workflows and scripts pass their linters")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
