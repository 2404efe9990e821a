"""Where tables are printed: as wide as the terminal, uncut where there is none, and plain where that is asked for."""

import os
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 200


def colour_system() -> Literal["auto"] | None:
    """What rich may style with: nothing where NO_COLOR is set, and in CI or on a dumb terminal only if forced."""
    plain = os.environ.get("CI") or os.environ.get("TERM") == "dumb"
    return None if os.environ.get("NO_COLOR") or (plain and not os.environ.get("FORCE_COLOR")) else "auto"


def console() -> "Console":
    """The console of stdout; a file or a pipe has no edge, so nothing is folded there."""
    from rich.console import Console

    found = Console(color_system=colour_system())
    return found if found.file.isatty() else Console(width=WIDE, color_system=colour_system())
