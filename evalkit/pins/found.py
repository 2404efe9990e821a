"""Where pins are looked for: in the files as they are, and in what a change did to them."""

from collections.abc import Sequence
from pathlib import Path

from evalkit.pins.bumps import Bump, bumps
from evalkit.pins.repository import changed_files, content_at, files_of, revisions
from evalkit.pins.scan import Pin, pins_in
from evalkit.pins.spelling import SOUGHT


def pins_under(paths: Sequence[Path]) -> list[Pin]:
    """All ids in files and folders, in order."""
    return sorted(pin for path, content in files_of(paths) for pin in pins_in(path, content))


def bumps_between(named: str, folder: Path) -> list[Bump]:
    """What `BASE..HEAD` does to the pins of a repository; UsageError for what is no range of its commits."""
    base, head = revisions(named, folder)
    paths = changed_files(base, head, folder, SOUGHT)
    then, now = ([pin for p in paths for pin in pins_in(p, content_at(c, p, folder))] for c in (base, head))
    return bumps(then, now)
