"""How a path or an id of a change is printed: on one line, and as no command of the CI that shows it."""

import re

from evalkit.pins.scan import Pin
from evalkit.wording import visible

_COMMAND = re.compile(r"::(?![a-z-]+/|(?<=\$\{AWS::)(?:Region|AccountId|Partition)\})|##(?=\[)")
"""What begins a command to GitHub, at a line's start (which a table may make of any place) or anywhere; two colons of
an ARN, which a kind of resource follows, do not, nor those of CloudFormation's own variables in one."""


def one_line(text: str) -> str:
    """Untrusted text, with what steers a terminal or a CI spelled out."""
    shown = visible(text.replace("\r", "⟦U+000D⟧")).replace("\n", "⟦U+000A⟧").replace("\t", "⟦U+0009⟧")
    return _COMMAND.sub(lambda found: f"{found[0][0]}⟦U+{ord(found[0][1]):04X}⟧", shown)


def place(pin: Pin) -> str:
    """Where a pin stands, and how it is written."""
    return f"{one_line(pin.path)}:{pin.line}: {one_line(pin.written)}"
