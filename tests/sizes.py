"""Size alarm: a module over 400 lines or a function over 60 is usually two things in one room."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

MODULE_LINES = 400
FUNCTION_LINES = 60
IN_ONE_PIECE = {"evalkit/router.py": 560}
"""What people copy as a single file has more room."""


def too_long(path: Path, root: Path) -> Iterator[str]:
    """Everything in one file that is over a limit."""
    name, text = path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")
    room = IN_ONE_PIECE.get(name, MODULE_LINES)
    if text.count("\n") > room:
        yield f"{name}: {text.count(chr(10))} lines, over {room}"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield f"{name}:{node.lineno}: {node.name} has {lines} lines, over {FUNCTION_LINES}"


def main() -> int:
    """Print what is too long; 1 if anything is."""
    root = Path(__file__).parent.parent
    found = [line for path in sorted((root / "evalkit").rglob("*.py")) for line in too_long(path, root)]
    print("\n".join(found) or "sizes: all modules and functions within limits")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
