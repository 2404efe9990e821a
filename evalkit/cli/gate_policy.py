"""The policy of a gate: the file it is read from, and what it comes to before anything is spent."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.gating.naming import NotThereError, Placed
    from evalkit.gating.policy import Common
    from evalkit.rubric import Criterion

DEFAULT_POLICY = Path("gate.yaml")


def policy_file(named: Path | None) -> Path | None:
    """The file that is named, or gate.yaml of the working folder; None if there is none."""
    return named or (DEFAULT_POLICY if DEFAULT_POLICY.exists() else None)


def read(path: Path) -> "Common":
    """The policy in a file; ProblemsError with every problem it has."""
    from evalkit.files import read_text
    from evalkit.gating.policy import read_policy

    return read_policy(read_text(path, "policy"), str(path))


def outlook(
    path: Path,
    items: "Sequence[Placed]",
    criteria: "Sequence[Criterion] | None",
    epochs: int,
    streamed: int | None = None,
) -> list[str]:
    """What a gate by this policy can show on these items. `criteria` None: the rubric is not known yet; `streamed`: as
    of `Planned`.

    ProblemsError for a policy that is wrong, or names a slice or criterion that is not there.
    """
    from evalkit.gating.foreseen import foreseen
    from evalkit.gating.naming import Planned

    policy = read(path)
    if not items:
        return []
    planned = Planned(items, criteria, streamed)
    return [f"{path}: {line}" for line in foreseen(policy, partial(place_in, path), planned, epochs)]


def place_in(path: Path, error: "NotThereError") -> str:
    """The file and line of what a policy names and is not there."""
    from evalkit.files import read_text
    from evalkit.strict import line_of
    from evalkit.yaml_text import parse_readable

    return f"{path}:{line_of(error.place, parse_readable(read_text(path, 'policy'))[1])}"


def usual_outlook(items: int, epochs: int) -> list[str]:
    """That a gate without a policy can never pass on so few items, if so."""
    from evalkit.gating.foreseen import hopeless
    from evalkit.gating.policy import default_policy

    policy = default_policy(items, epochs)
    margin = policy.model_dump()["quality"]["margin"]
    return [f"a gate without {DEFAULT_POLICY}: {line}" for line in hopeless(items, epochs, margin, policy.alpha)]
