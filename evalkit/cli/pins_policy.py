"""What a change does to the files that its evidence rests on: a bump may pass by what came with it."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from evalkit.errors import ProblemsError
from evalkit.pins.lock import Approval

_NAMES = {"baseline", "candidate"}
"""They change with every bump, and ask for nothing."""
_CONFIG = "evalkit.yaml"


def policy_changes(named: str, held: Collection[Approval], folder: Path) -> Iterator[str]:
    """One line for each policy of these approvals that BASE..HEAD changes, with the settings then and now. `folder`:
    that of the lock, from which paths are seen; outside the repository there is nothing to compare.

    Whether a limit that moved is a looser one is the reviewer's to say: fewer losses may stand beside more cost.
    """
    from evalkit.cli.gate_policy import DEFAULT_POLICY
    from evalkit.pins.places import one_line
    from evalkit.pins.repository import content_at, revisions

    commits = revisions(named, Path())
    for path in sorted({one.policy or str(DEFAULT_POLICY) for one in held}):
        contents = [content_at(commit, f"./{path}", folder) for commit in commits]
        then, now = (_settings(content, path) for content in contents)
        moved = [name for name in sorted({*then, *now}) if then.get(name) != now.get(name)]
        if moved:
            told = ", ".join(f"{name} {then.get(name, 'not asked')} -> {now.get(name, 'not asked')}" for name in moved)
            yield f"{one_line(path)} changes with the pin: {one_line(told)}; review it as you do the evidence"


def file_changes(named: str, held: Collection[Approval], folder: Path) -> Iterator[str]:
    """One line for each dataset and rubric of these approvals that BASE..HEAD brings or changes. `folder` as above."""
    from evalkit.pins.places import one_line
    from evalkit.pins.repository import content_at, revisions

    commits = revisions(named, Path())
    for path in sorted({path for one in held for path in (one.dataset, one.rubric) if path is not None}):
        then, now = (content_at(commit, f"./{path}", folder) for commit in commits)
        if then != now:
            does = "changes" if then.strip() else "is new and comes"
            yield f"{one_line(path)} {does} with the pin that it speaks for; review it as you do the evidence"


def config_changes(named: str) -> Iterator[str]:
    """A line if BASE..HEAD changes the settings here that evidence is made by, which it names, without their values: an
    address may hold a password."""
    from evalkit.pins.places import one_line
    from evalkit.pins.repository import content_at, revisions

    then, now = (_config(content_at(commit, f"./{_CONFIG}", Path())) for commit in revisions(named, Path()))
    moved = [name for name in sorted({*then, *now}) if then.get(name) != now.get(name)]
    if moved:
        yield (
            f"{_CONFIG} changes with the pin ({one_line(', '.join(moved))}): it says which server answers, at which"
            " prices, and who judges; review it as you do the evidence"
        )


def _config(content: bytes) -> Mapping[str, object]:
    """Each setting of a config, or what it is without it."""
    from evalkit.config import Config
    from evalkit.strict import read_strict

    config = read_strict(Config, content.decode(errors="replace"), _CONFIG)
    return {_CONFIG: "not readable"} if isinstance(config, list) else config.model_dump(mode="json")


def _settings(content: bytes, path: str) -> Mapping[str, object]:
    """Each setting of a policy by its name with dots; nothing of none."""
    from evalkit.gating.policy import read_policy

    if not content.strip():
        return {}
    try:
        policy = read_policy(content.decode(errors="replace"), path)
    except ProblemsError:
        return {"policy": "not readable"}
    return dict(_flat(policy.model_dump(mode="json", exclude=_NAMES)))


def _flat(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, object]]:
    for name, value in settings.items():
        if isinstance(value, dict):
            if not above:
                yield name, "asked"
            yield from _flat(value, f"{above}{name}.")
        elif value is not None:
            yield f"{above}{name}", value
