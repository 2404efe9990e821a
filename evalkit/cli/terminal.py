"""Where tables are printed: as wide as the terminal, uncut where there is none, and plain where that is asked for."""

import codecs
import os
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 200
PLAINLY = "evalkit.plainly"
"""The error handler of streams that cannot write every character."""
_PLAIN = {
    "¢": "c", "–": "-", "—": "-", "−": "-", "×": "x", "…": "...", "·": "|", "“": '"', "”": '"', "‘": "'", "’": "'",
    "\N{NO-BREAK SPACE}": " ", "→": "->",
}  # fmt: skip


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """What stands in place of characters that an encoding lacks: our own signs in ASCII, others as an escape."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    plain = (_PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode("ascii") for c in lacking)
    return "".join(plain), error.end


codecs.register_error(PLAINLY, _plainly)


def colour_system() -> Literal["auto"] | None:
    """What rich may style with: nothing where NO_COLOR is set, and in CI or on a dumb terminal only if forced."""
    plain = os.environ.get("CI") or os.environ.get("TERM") == "dumb"
    return None if os.environ.get("NO_COLOR") or (plain and not os.environ.get("FORCE_COLOR")) else "auto"


def console() -> "Console":
    """The console of stdout; a file or a pipe has no edge, so nothing is folded there."""
    from rich.console import Console

    found = Console(color_system=colour_system())
    return found if found.file.isatty() else Console(width=WIDE, color_system=colour_system())
