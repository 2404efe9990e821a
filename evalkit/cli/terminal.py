"""Where tables are printed: as wide as the terminal, and uncut where there is none."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 200


def console() -> "Console":
    """The console of stdout; a file or a pipe has no edge, so nothing is folded there."""
    from rich.console import Console

    found = Console()
    return found if found.is_terminal else Console(width=WIDE)
