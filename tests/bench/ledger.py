"""What a run file says, read in a process of its own so that the rig stays small."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.rig import environment


def read(path: Path) -> dict[str, list[dict[str, Any]]]:
    """The attempts (each with its `item_id` and `model`) and the sessions of a run file."""
    command = [sys.executable, "-m", "bench.ledger", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment())
    told: dict[str, list[dict[str, Any]]] = json.loads(done.stdout)
    return told


def main(path: str) -> None:
    """Print them as JSON."""
    from evalkit.store import RunFile

    with RunFile(Path(path)) as file:
        snapshot = file.snapshot()
    keys = {trial.id: trial.key for trial in snapshot.trials}
    attempts = [
        asdict(attempt) | {"item_id": keys[attempt.trial_id].item_id, "model": keys[attempt.trial_id].model}
        for attempt in snapshot.attempts
    ]
    json.dump({"attempts": attempts, "sessions": [asdict(session) for session in snapshot.sessions]}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
