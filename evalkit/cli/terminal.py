"""What is printed for people: text as it is, never as markup; tables as wide as the terminal, and plain on request."""

import codecs
import os
import shlex
from typing import TYPE_CHECKING, Any, Literal

import typer

from evalkit.wording import visible

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


def say(line: str, *, err: bool = False) -> None:
    """A line to read on stdout or stderr, in which nothing of a name or a file can steer the terminal."""
    typer.echo(visible(line), err=err)


def in_shell(path: object) -> str:
    """A path as it is to be typed in a command: none is taken for an option."""
    text = str(path)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)


def console(**settings: Any) -> "Console":
    """The console of stdout, or as `settings` of rich's say; a file or a pipe has no edge, so nothing is folded there.

    Its text is text: brackets and colons of a name are no markup and no emoji, and what is invisible is spelled out.
    """
    from rich.console import Console
    from rich.text import Text

    class Plain(Console):
        def render_str(self, text: str, **how: Any) -> Text:
            return super().render_str(visible(text), **how)

    found = Plain(color_system=colour_system(), markup=False, emoji=False, **settings)
    if not found.file.isatty() and not found.stderr:
        found.width = WIDE
    return found
