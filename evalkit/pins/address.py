"""Where a file's own grammar puts an id: by what its keys, services, functions and constants are called.

An address stays the same where lines are broken anew, keys are sorted or blocks change their order, and when one data
format becomes another. Files are read by the parsers of their formats, with a mark in place of each id.
"""

import ast
import json
import re
import tomllib
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import yaml

from evalkit.pins.spelling import Spelling, between

Address = tuple[str, ...]
LISTED = "[]"
"""The last name of ids that stand in one list, in its order, or after one name that it has several times."""
_NAMELESS = "*"
"""What a part of a list is called that has no name of its own."""
_LARGEST = 1_000_000
"""Characters of a file that is read in this way."""
_MARK = re.compile("\ue000([0-9]+)\ue001")
_NAMES = (
    "task", "role", "agent", "use", "purpose", "service", "route", "path", "stage", "env", "environment", "key", "slug",
    "name", "id", "alias", "title", "model_name",
)  # fmt: skip
"""What a part of a list is called by, if no two parts of it are called the same: by what it is for before what it, or
its model, is called. Other texts are settings."""
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_DEEPEST = 100
"""Lists and mappings in each other that are followed: parsers of some formats fall over deep ones."""
_LONG_KEY = re.compile(r"(?:[\w\"'-]+\s*\.\s*){100}")
_KEY = "key"
"""The last name of an id that is a key itself, after the key."""
_ASSIGNED = re.compile(r"""([\w.-]+)["'`]?\s*(?::[^=:"'`]*=|:=|=>|=|:)\s*(?:[frb]?["'`])?[\w.:/@%-]*\Z""")
"""What stands before an id that is given to a name, whatever the language."""
_FLAG = re.compile(
    r"""(?<![\w.-])(--?[^\W\d][\w.-]*)["'`]?(?:\s*,\s*|\s+)(?:(?:\\|-)\s+)?(?:[frb]?["'`])?[\w.:/@%-]*\Z"""
)
"""What stands before an id that follows a flag, in a command or in a list of its words, also on the line above."""
_WORD = re.compile(r"([^\W\d][\w.-]*)\s+[\"'`]?\Z")
"""What stands before an id that follows a word, in a text of a list."""
_LOOKED_AT = 200
"""Characters before an id that are looked through for its name."""
_SECTION = re.compile(r"\s*(?:\[+\s*([^\[\]]+?)\s*\]+\s*(?:[#;].*)?|FROM\s.+\s(?:AS|as)\s+(\S+)\s*)\Z")
"""What the lines below are about, as in INI files, and in a Dockerfile of several stages."""


def addresses(path: str, lines: Sequence[str], ids: Sequence[Sequence[Spelling]]) -> Iterator[Address]:
    """The address of each id of a file, in order; empty where it has none, or shares it outside of a list of texts."""
    number = sum(map(len, ids))
    found = _parsed(path, lines, ids) if sum(map(len, lines)) <= _LARGEST else None
    found = dict(_assigned(lines, ids)) if found is None else found
    shared = Counter(found.values())
    for n in range(number):
        address = found.get(n, ())
        yield address if shared[address] == 1 or (address[-1:] == (LISTED,) and _NAMELESS not in address) else ()


def _parsed(path: str, lines: Sequence[str], ids: Sequence[Sequence[Spelling]]) -> dict[int, Address] | None:
    """By the parser of the file's format; None where it has none, or is not written in it."""
    read = _READERS.get(PurePosixPath(path).suffix.lower())
    if read is None or any("\ue000" in line for line in lines):  # as marks begin
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = list(read(_marked(lines, ids)))
    except (ValueError, SyntaxError, RecursionError, MemoryError, yaml.YAMLError):
        return None
    often = Counter(n for n, _ in found)
    models = [one.model for of_line in ids for one in of_line]
    return {n: tuple(_unmarked(name, models) for name in address) for n, address in found if often[n] == 1}


def _unmarked(name: str, models: Sequence[str]) -> str:
    """A name with models in place of their marks: some files have a key for each model."""
    return _MARK.sub(lambda mark: models[int(mark[1])], name)


def _marked(lines: Sequence[str], ids: Sequence[Sequence[Spelling]]) -> str:
    """The file's text with a mark for each id."""
    marked, n = list[str](), 0
    for line, of_line in zip(lines, ids, strict=True):
        first, *rest = between(line, of_line)
        marked.append(first + "".join(f"\ue000{n + place}\ue001{part}" for place, part in enumerate(rest)))
        n += len(of_line)
    return "\n".join(marked)


def _marks(text: str, at: Address) -> Iterator[tuple[int, Address]]:
    """One alone: of several in one text none has a place of its own."""
    numbers = _MARK.findall(text)
    if len(numbers) == 1:
        yield int(numbers[0]), at


def _in_data(value: Any, at: Address = ()) -> Iterator[tuple[int, Address]]:
    """Of mappings and lists in each other."""
    if isinstance(value, str):
        yield from _marks(value, at)
    elif isinstance(value, Mapping | list):
        named = [(key,) for key in value] if isinstance(value, Mapping) else _called(value)
        parts = value.values() if isinstance(value, Mapping) else value
        for called, part in zip(named, parts, strict=True):
            if isinstance(value, Mapping):
                yield from _marks(called[0], (*at, *called, _KEY))
            yield from _in_data(part, (*at, *called))


def _in_yaml(text: str) -> Iterator[tuple[int, Address]]:
    documents = list(_documents(text))
    return _in_data(documents[0] if len(documents) == 1 else documents)  # of comments alone there is none


def _documents(text: str) -> Iterator[Any]:
    """The documents of a YAML file: mappings, lists and texts, without tags and without what anchors repeat.

    Raises ValueError for deep ones, over which the library's own composer falls.
    """
    within: list[list[Any]] = []
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            within.append([])
            if len(within) > _DEEPEST:
                raise ValueError(f"more than {_DEEPEST} levels")
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            parts: Any = within.pop()
            if isinstance(event, yaml.MappingEndEvent):
                parts = {str(key): value for key, value in zip(parts[::2], parts[1::2], strict=True)}
        elif isinstance(event, yaml.NodeEvent):
            parts = event.value if isinstance(event, yaml.ScalarEvent) else None
        else:
            continue
        if within:
            within[-1].append(parts)
        else:
            yield parts


def _in_toml(text: str) -> Iterator[tuple[int, Address]]:
    if _LONG_KEY.search(text):
        raise ValueError(f"a key of more than {_DEEPEST} parts")
    return _in_data(tomllib.loads(text))


def _called(parts: Sequence[Any]) -> list[Address]:
    """What each part of a list is called: by its own name, since places change when a part is added."""
    if parts and all(isinstance(part, Mapping) for part in parts):
        for key in _NAMES:
            names = [_named(part, key) for part in parts]
            if all(map(_is_name, names)) and len(set(names)) == len(names):
                return [(f"{key}={name}",) for name in names]
        if all(len(part) == 1 for part in parts):
            return [(next(iter(part)),) for part in parts]
    given = [_given(part, before) for before, part in zip(("", *parts), parts, strict=False)]
    often = Counter(given)
    return [
        (_NAMELESS,) if isinstance(part, Mapping | list) else (*name, LISTED) if often[name] > 1 or not name else name
        for part, name in zip(parts, given, strict=True)
    ]


def _given(text: Any, before: Any) -> Address:
    """What a text of a list gives its id to: a variable or a flag in it, or the flag that the text before is."""
    found = _MARK.search(text) if isinstance(text, str) else None
    if found is None:
        return ()
    first = text[max(0, found.start() - _LOOKED_AT) : found.start()]
    if not first and isinstance(before, str):
        return _name_in(f"{before} ", _FLAG) if before.startswith("-") and " " not in before else ()
    return _name_in(first, _ASSIGNED, _FLAG, _WORD)


def _name_in(before: str, *patterns: re.Pattern[str]) -> Address:
    """By the first of these that fits what stands before an id."""
    for pattern in patterns:
        if (given := pattern.search(before)) is not None:
            return (given[1],)
    return ()


def _named(part: Mapping[str, Any], key: str) -> Any:
    """Of Kubernetes' objects what their metadata say."""
    data = part.get("metadata")
    return part.get(key, data.get(key) if isinstance(data, Mapping) else None)


def _is_name(value: Any) -> bool:
    """A text with a letter in it, and no id: numbers are settings, and change."""
    return isinstance(value, str) and re.search(r"[^\W\d]", value) is not None and not _MARK.search(value)


def _in_python(text: str) -> Iterator[tuple[int, Address]]:
    return _in_node(ast.parse(text), ())


def _in_node(node: ast.AST, at: Address) -> Iterator[tuple[int, Address]]:
    """`at`: the functions, classes, names, arguments and keys that lead to it."""
    if isinstance(node, ast.Constant):
        yield from _marks(node.value, at) if isinstance(node.value, str) else ()
    else:
        for child, called in _children(node):
            yield from _in_node(child, (*at, *called))


def _children(node: ast.AST) -> Iterator[tuple[ast.AST, Address]]:
    """What an expression or a statement is made of, each with what leads to it."""
    called: Address = ()
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            name = "**" if key is None else _written(key)
            if key is not None:
                yield key, (name, _KEY)
            yield value, (name,)
        return
    if isinstance(node, ast.Assign) and (pairs := _unpacked(node)):
        for target, value in pairs:
            yield target, (_written(target), _KEY)
            yield value, (_written(target),)
        return
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        called = tuple(map(_written, targets))
        yield from ((target, (*called, _KEY)) for target in targets)
        yield from ((value, called) for value in [node.value] if value is not None)
        return
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        called = (node.name,)
    elif isinstance(node, ast.keyword):
        called = (node.arg or "**",)
    elif isinstance(node, ast.Call):
        called = (_written(node.func),)
        texts = [_fields(part) for part in node.args]
        given = (_given(part, before) for before, part in zip(("", *texts), texts, strict=False))
        yield from ((part, (*called, *name)) for part, name in zip(node.args, given, strict=True))
        yield from ((part, called) for part in (node.func, *node.keywords))
        return
    elif isinstance(node, ast.List | ast.Tuple | ast.Set):
        names = _called([_fields(part) for part in node.elts])
        yield from zip(node.elts, names, strict=True)
        return
    yield from ((child, called) for child in ast.iter_child_nodes(node))


def _unpacked(node: ast.Assign) -> list[tuple[ast.expr, ast.expr]]:
    """The targets of `A, B = x, y`, each with its value."""
    sides = (*node.targets, node.value)
    if len(sides) != 2 or not all(isinstance(side, ast.List | ast.Tuple) for side in sides):
        return []
    targets, values = (side.elts for side in sides if isinstance(side, ast.List | ast.Tuple))
    return list(zip(targets, values, strict=True)) if len(targets) == len(values) else []


def _fields(node: ast.expr) -> Any:
    """A part of a list as a mapping, if it is one, or a call with keywords, or as what a literal is; else nothing."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Dict):
        pairs = [
            (key.value, value)
            for key, value in zip(node.keys, node.values, strict=True)
            if isinstance(key, ast.Constant)
        ]
    elif isinstance(node, ast.Call):
        pairs = [(keyword.arg, keyword.value) for keyword in node.keywords]
    else:
        return [] if isinstance(node, ast.List | ast.Tuple | ast.Set) else None
    return {str(key): value.value if isinstance(value, ast.Constant) else None for key, value in pairs}


def _written(node: ast.AST) -> str:
    """An expression as text, with its marks, which Python would spell out."""
    return ast.unparse(node).replace(r"\ue000", "\ue000").replace(r"\ue001", "\ue001")


def _assigned(lines: Sequence[str], ids: Sequence[Sequence[Spelling]]) -> Iterator[tuple[int, Address]]:
    """By the name that each is given to, and the section that it stands in."""
    section, above, n = "", "", 0
    for line, of_line in zip(lines, ids, strict=True):
        if not of_line and (headed := _SECTION.match(line)) is not None:
            section = headed[1] or headed[2]
        for _, before in zip(of_line, between(line, of_line), strict=False):
            near = before[-_LOOKED_AT:]
            if given := _name_in(near, _ASSIGNED) or _name_in(f"{above}\n{near}", _FLAG):
                yield n, (section, *given)
            n += 1
        above = "" if of_line else line[-_LOOKED_AT:]


_READERS: Mapping[str, Callable[[str], Iterator[tuple[int, Address]]]] = {
    ".json": lambda text: _in_data(json.loads(text)),
    ".toml": _in_toml,
    **dict.fromkeys((".yaml", ".yml"), _in_yaml),
    **dict.fromkeys((".py", ".pyi"), _in_python),
}
