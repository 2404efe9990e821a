"""What Python itself says of a file: which lines are docstrings, and which are the inside of other texts."""

import ast
import warnings
from collections.abc import Iterator


def text_lines(text: str) -> tuple[frozenset[int], frozenset[int]]:
    """Lines, from 0, of docstrings, and of texts over several lines that are none; nothing where it is no Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset(), frozenset()
    lines = text.split("\n")
    docs = set(_docstrings(tree))
    noted = {line for node in docs for line in _whole_lines(node, lines)}
    others = [node for node in ast.walk(tree) if isinstance(node, ast.Constant | ast.JoinedStr) and node not in docs]
    within = {line for node in others for line in range(node.lineno, node.end_lineno or node.lineno)}
    return frozenset(noted), frozenset(within)


def _docstrings(tree: ast.AST) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            text = first.value if isinstance(first, ast.Expr) else None
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                yield text


def _whole_lines(node: ast.Constant, lines: list[str]) -> Iterator[int]:
    """The lines that hold nothing else."""
    for line in range(node.lineno - 1, node.end_lineno or node.lineno):
        data = lines[line].encode() if line < len(lines) else b""
        before = data[: node.col_offset] if line == node.lineno - 1 else b""
        after = data[node.end_col_offset :] if line + 1 == node.end_lineno else b""
        if not before.strip() and not after.strip():
            yield line
