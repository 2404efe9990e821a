"""Reports of gates, as `evalkit gate -o gate.json` writes them, and the files that they are of."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evalkit.cli import main
from evalkit.dataset_files import read_dataset
from evalkit.files import read_rubric
from evalkit.gating.policy import default_policy
from evalkit.strict import sealed

SONNET_45 = "claude-sonnet-4-5-20250929"
DATASET, RUBRIC = Path("datasets/tickets.jsonl"), Path("rubrics/tickets.yaml")
_RUBRIC = (
    "name: tickets\ncriteria:\n  - {id: says, question: Does it say a word, kind: check,"
    " check: {type: regex, pattern: '.'}}\nsatisfactory: {score: 1}\ndecision: {bar: 0.5}\n"
)


def gate_report(
    verdict: str = "pass",
    *,
    candidate: str = "claude-sonnet-4-6",
    baseline: str = SONNET_45,
    simulated: bool = False,
    created_at: str | None = None,
    items: int = 60,
    **told_of: str | int,
) -> dict[str, Any]:
    """A report whose hashes are of nothing, but for what is given. `created_at`: now, unless it is given."""
    names = ("dataset", "rubric", "prompt", "policy", "baseline_run", "candidate_run")
    told = {f"{name}_sha256": name[0] * 64 if name[0] in "abcdef" else "0" * 64 for name in names}
    told |= {"evalkit": "0.1", "created_at": created_at or datetime.now(UTC).isoformat(timespec="seconds")}
    return sealed({
        "schema_version": 1,
        "headline": "PASS: so it is",
        "exit": "pass",
        "gate": {
            "verdict": verdict, "candidate": candidate, "baseline": baseline, "items": items, "epochs": 3,
            "simulated": simulated, "provenance": {**told, **told_of},
        },
    })  # fmt: skip


def write_evidence_files() -> None:
    """A dataset and its rubric, where evalkit looks for them."""
    for path, text in ((DATASET, '{"id": "a", "input": "Where is it?"}\n'), (RUBRIC, _RUBRIC)):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


def approve(verdict: str = "pass", *options: str, **changes: Any) -> int:
    """Approve a report on the files of `write_evidence_files`, which are written unless they are there."""
    if not DATASET.exists():
        write_evidence_files()
    hashes = {
        "dataset_sha256": read_dataset(DATASET).sha256,
        "rubric_sha256": read_rubric(RUBRIC).sha256,
        "policy_sha256": default_policy(changes.get("items", 60), 3).sha256,
    }
    Path("gate.json").write_text(json.dumps(gate_report(verdict, **{**hashes, **changes})), encoding="utf-8")
    return main(["pins", "approve", "gate.json", *options])
