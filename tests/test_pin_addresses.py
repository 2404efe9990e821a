"""A place is known by what its keys, services, functions and constants are called, however its file is written."""

import json

import pytest

from evalkit.pins.bumps import bumps
from evalkit.pins.scan import pins_in

O, S, H = "claude-opus-4-6", "claude-sonnet-4-6", "claude-haiku-4-5-20251001"  # noqa: E741
EXCHANGED = [(O, H), (H, O)]


def told(path: str, then: str, now: str, other: str = "") -> list[tuple[str | None, str | None]]:
    found = bumps(pins_in(path, then.encode()), pins_in(other or path, now.encode()))
    return sorted(((b.then.model if b.then else None, b.now.model if b.now else None) for b in found), key=str)


def services(models: dict[str, str], order: tuple[str, ...] = ("name", "team", "model")) -> str:
    """A list in YAML, with the keys of its parts in this order."""
    lines = []
    for name, model in models.items():
        of_part = {"name": name, "team": "core", "model": model}
        lines += [f"{'  ' if n else '- '}{key}: {of_part[key]}" for n, key in enumerate(order)]
    return "\n".join(lines) + "\n"


SORTED = ("model", "name", "team")


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        ({"chat": O, "tags": H}, {"chat": O, "tags": H}, []),
        ({"chat": O, "tags": H}, {"chat": H, "tags": O}, EXCHANGED),
        ({"chat": O, "tags": H, "sum": S}, {"sum": S, "tags": H, "chat": O}, []),
        ({"chat": O, "tags": S, "sum": H}, {"chat": H, "tags": S}, [(O, H), (H, None)]),
        ({"chat": S, "tags": S, "old": O, "sum": H}, {"chat": S, "tags": H, "old": O}, [(S, H), (H, None)]),
    ],
)
def test_parts_of_a_list_are_known_by_name_when_their_keys_are_sorted(
    then: dict[str, str], now: dict[str, str], expected: list[tuple[str | None, str | None]]
) -> None:
    found = told("routes.yaml", services(then), services(now, SORTED))
    assert sorted(found, key=str) == sorted(expected, key=str)


def wrapped(a: str, b: str, depth: int) -> dict[str, object]:
    data: dict[str, object] = {"chat": {"model": a}, "tags": {"model": b}}
    for level in range(depth):
        data = {f"level-{level}": data}
    return data


@pytest.mark.parametrize("depths", [(0, 1), (1, 0), (1, 2), (0, 0)])
@pytest.mark.parametrize("path", ["c.json", "c.yaml"])
def test_blocks_that_move_a_level_are_the_same_blocks(path: str, depths: tuple[int, int]) -> None:
    before, after = depths
    then, same, exchanged = (json.dumps(wrapped(*pair)) for pair in ((O, H, before), (O, H, after), (H, O, after)))
    assert told(path, then, same) == []
    assert told(path, then, exchanged) == sorted(EXCHANGED, key=str)


@pytest.mark.parametrize(
    ("path", "then", "now"),
    [
        ("c.py", "CHAT: Final[str] = '{0}'\nTAGS: Final[str] = '{1}'\n", "TAGS = '{1}'\nCHAT = '{0}'\n"),
        (
            "c.py",
            "def chat(t):\n    return call(\n        tokens=400, model='{0}', t=t\n    )\n\n"
            "def tags(t):\n    return call(\n        tokens=400, model='{1}', t=t\n    )\n",
            "class All:\n    def chat(self, t):\n        return call(tokens=477, model='{0}', t=t)\n\n"
            "    def tags(self, t):\n        return call(tokens=400, model='{1}', t=t)\n",
        ),
        ("c.py", "M = {{'chat': '{0}', 'tags': '{1}'}}\n", "M = {{\n    'tags': '{1}',\n    'chat': '{0}',\n}}\n"),
        ("Dockerfile", "FROM a\nENV CHAT={0} TAGS={1}\n", "FROM a\nENV TAGS={1} CHAT={0}\n"),
        ("c.toml", "[chat]\nmodel = '{0}'\n[tags]\nmodel = '{1}'\n", "tags.model = '{1}'\nchat.model = '{0}'\n"),
        (
            "d.yaml",
            "env:\n- name: CHAT\n  value: {0}\n- name: TAGS\n  value: {1}\n",
            "env:\n- value: {1}\n  name: TAGS\n- value: {0}\n  name: CHAT\n",
        ),
        (
            "k.yaml",
            "kind: A\nmetadata: {{name: chat}}\nmodel: {0}\n---\nkind: A\nmetadata: {{name: tags}}\nmodel: {1}\n",
            "model: {1}\nkind: A\nmetadata:\n  name: tags\n---\nmodel: {0}\nkind: A\nmetadata:\n  name: chat\n",
        ),
        ("c.ts", "const CHAT = '{0}';\nconst TAGS = '{1}';\n", "const M = {{\n  TAGS: '{1}',\n  CHAT: '{0}',\n}};\n"),
    ],
)
def test_what_is_called_the_same_is_compared_with_itself(path: str, then: str, now: str) -> None:
    assert told(path, then.format(O, H), now.format(O, H)) == []
    assert told(path, then.format(O, H), now.format(H, O)) == sorted(EXCHANGED, key=str)


def test_another_format_has_the_same_addresses() -> None:
    data = {"services": [{"name": "chat", "model": O}, {"name": "tags", "model": H}]}
    toml = "[[services]]\nmodel = '{1}'\nname = 'tags'\n[[services]]\nmodel = '{0}'\nname = 'chat'\n"
    assert told("c.json", json.dumps(data), toml.format(O, H), "c.toml") == []
    assert told("c.json", json.dumps(data), toml.format(H, O), "c.toml") == sorted(EXCHANGED, key=str)


def test_the_order_of_a_list_of_models_is_theirs() -> None:
    lists = [json.dumps({"fallbacks": models}) for models in ([O, S, H], [O, H, S], [O, H])]
    assert told("c.json", lists[0], lists[1]) == [(H, S), (S, H)]
    assert told("c.json", lists[0], lists[2]) == [(S, None)]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("c.yaml", "a: &x\n  model: {0}\nb: *x\n"),
        ("c.yaml", "a: !Custom\n  model: {0}\n"),
        ("c.yaml", "a: &x\n  self: *x\n  model: {0}\n"),
        ("c.yaml", "{{{{ helm }}}}: [\nmodel: {0}\n"),
        ("c.json", '{{"a": {{"model": "{0}"}}, // note\n}}'),
        ("c.json", "[" * 100_000 + '"{0}"'),
        ("c.py", "def broken(:\n    model='{0}'\n"),
        ("c.toml", "[a\nmodel = '{0}'\n"),
        ("c.yaml", ""),
        ("c.yaml", "# now {0}\n"),
        ("c.yaml", "a: \ue00099\ue001\nmodel: {0}\n"),
        (
            "c.yaml",
            "a0: &a0 {{model: {0}}}\n"
            + "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(40)),
        ),
    ],
)
def test_a_file_that_no_parser_takes_or_that_is_odd_is_compared_all_the_same(path: str, text: str) -> None:
    then, now = (text.replace("{0}", model).replace("{{", "{").replace("}}", "}") for model in (O, H))
    assert told(path, then, then) == []
    assert told(path, then, now) == ([(O, H)] if "{0}" in text and not text.startswith("#") else [])


P, T = "claude-opus-4-5-20251101", "claude-sonnet-4-5-20250929"
FALLBACKS = {
    "c.yaml": ("fallbacks:\n", "  {0}:\n    then: {1}\n", ""),
    "c.json": ('{{"fallbacks": {{"x": []', ', "{0}": ["{1}"]', "}}}}"),
    "c.py": ("F = {{\n", "    '{0}': '{1}',\n", "}}\n"),
    "d.py": ("F = {{}}\n", "F['{0}'] = '{1}'\n", ""),
    "l.yaml": ("router:\n", "  - {0}: [{1}]\n", ""),
}
"""A fallback for each model: ids are keys of ids."""


def fallbacks(path: str, pairs: list[tuple[str, str]]) -> str:
    before, each, after = FALLBACKS[path]
    return before.format() + "".join(each.format(*pair) for pair in pairs) + after.format()


@pytest.mark.parametrize("path", FALLBACKS)
def test_ids_that_are_keys_are_what_their_places_are_called(path: str) -> None:
    then = fallbacks(path, [(S, P), (O, T)])
    assert told(path, then, fallbacks(path, [(O, T), (S, P)])) == []
    assert sorted(told(path, then, fallbacks(path, [(H, P), (S, P), (O, T)])), key=str) == sorted(
        [(None, H), (None, P)], key=str
    )
    found = told(path, then, fallbacks(path, [(O, P)]))
    assert (T, P) in found, "one is dropped, and the other takes over its fallback"
    assert (S, None) in found


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("deep.yaml", "model: {0}\nx: " + "[" * 50_000 + "]" * 50_000 + "\n"),
        ("deep.yaml", "model: {0}\nx: " + "- " * 50_000 + "a\n"),
        (
            "alias.yaml",
            "model: {0}\nb: &b {{" + ", ".join(f"k{n}: " for n in range(9_000)) + "}}\nl: [" + "*b, " * 9_000 + "]\n",
        ),
        ("dotted.toml", "model = '{0}'\n" + ".".join(["x"] * 60_000) + " = 1\n"),
        ("deep.py", "model = '{0}'\nx = " + "(" * 50_000 + ")" * 50_000 + "\n"),
    ],
    ids=["lists", "dashes", "aliases", "dots", "brackets"],
)
def test_what_parsers_fall_over_is_compared_all_the_same(path: str, text: str) -> None:
    then, now = (text.replace("{0}", model).replace("{{", "{").replace("}}", "}") for model in (O, H))
    assert told(path, then, now) == [(O, H)]


def routes(*parts: tuple[str, str, str]) -> str:
    """A list whose parts have a task, a setting that goes with the model, and the model."""
    return "".join(f"- effort: {effort}\n  model: {model}\n  task: {task}\n" for task, effort, model in parts)


TWO = routes(("chat", "high", O), ("tags", "low", H))


@pytest.mark.parametrize(
    ("path", "then", "now", "expected"),
    [
        ("l.yaml", TWO, routes(("chat", "low", H), ("tags", "high", O)), EXCHANGED),
        ("l.yaml", TWO, routes(("chat", "low", O), ("tags", "high", H)), []),
        ("l.yaml", TWO, routes(("chat", "low", H)), [(O, H), (H, None)]),
        (
            "s.yaml",
            f"chat:\n  llm:\n    model: {P}\ntags:\n  model: {O}\n",
            f"chat:\n  cfg:\n    model: {O}\nmod:\n  llm:\n    model: {P}\ntags:\n  model: {O}\n",
            [(P, O), (None, P)],
        ),
        (
            "a.py",
            f"R = [\n    {{'name': 'chat', 'model': '{O}'}},\n    {{'name': 'tags', 'model': '{H}'}},\n]\n",
            f"R = [\n    {{'model': '{O}', 'name': 'tags'}},\n    {{'model': '{H}', 'name': 'chat'}},\n]\n",
            EXCHANGED,
        ),
        (
            "a.py",
            f"R = [Route(name='chat', model='{O}'), Route(name='tags', model='{H}')]\n",
            f"R = (\n    Route(model='{H}', name='tags'),\n    Route(model='{O}', name='chat'),\n)\n",
            [],
        ),
        ("a.py", f"FAST, SMART = '{H}', '{O}'\n", f"SMART, FAST = '{H}', '{O}'\n", EXCHANGED),
        (  # a name may be the model's own, which changes with it
            "l.yaml",
            f"- name: Opus\n  task: chat\n  model: {O}\n- name: Haiku\n  task: tags\n  model: {H}\n",
            f"- name: Haiku\n  task: chat\n  model: {H}\n- name: Opus\n  task: tags\n  model: {O}\n",
            EXCHANGED,
        ),
        (
            "s.yaml",
            f"services:\n  chat:\n    llm:\n      model: {P}\n  tags:\n    model: {O}\n",
            f"services:\n  chat:\n    cfg:\n      model: {O}\n  mod:\n    llm:\n      model: {P}\n"
            f"  tags:\n    model: {O}\n",
            [(P, O), (None, P)],
        ),
        (
            "Dockerfile",
            f"FROM a AS chat\nENV MODEL={O}\nFROM a AS tags\nENV MODEL={H}\n",
            f"FROM a AS tags\nENV MODEL={O}\nFROM a AS chat\nENV MODEL={H}\n",
            EXCHANGED,
        ),
        ("l.yaml", f"m:\n- {P}\n- {H}\n", f"m:\n- {H}\n- {O}\n", [(P, O)]),
        ("a.py", f"FAST, SMART = '{H}', '{O}'\n", f"SMART, FAST = '{O}', '{H}'\n", []),
        (
            "d.json",
            json.dumps([{"name": "chat", "model": O}, {"name": "tags", "model": H}]),
            json.dumps([{"model": O, "name": "tags"}], indent=0),
            [(H, O), (O, None)],
        ),
    ],
)  # fmt: skip
def test_parts_of_lists_are_told_by_names_and_not_by_settings(
    path: str, then: str, now: str, expected: list[tuple[str | None, str | None]]
) -> None:
    assert told(path, then, now) == sorted(expected, key=str)


LISTS = [
    ("l.yaml", "env:\n- {a}={0}\n- LOG=1\n- {b}={1}\n"),
    ("l.yaml", "args:\n- --{a}={0}\n- --{b}={1}\n"),
    ("l.yaml", "args:\n- --{a}\n- {0}\n- --{b}\n- {1}\n"),
    ("l.yaml", "args: ['--{a}', '{0}', '--{b}', '{1}']\n"),
    ("l.yaml", "args: [--set, '{a}.model={0}', --set, '{b}.model={1}']\n"),
    ("l.yaml", "script:\n- export {a}={0}\n- export {b}={1}\n"),
    ("l.yaml", "script:\n- run --{a} {0}\n- run --{b} {1}\n"),
    ("l.yaml", "script:\n- ./deploy.sh {a} {0}\n- ./deploy.sh {b} {1}\n"),
    ("helm.yaml", "[[ if .x ]]\nargs:\n  - --{a}\n  - {0}\n  - --{b}\n  - {1}\n"),
    ("l.json", '["--{a}", "{0}", "--{b}", "{1}"]'),
    ("l.json", '["--{a}={0}", "--{b}={1}"]'),
    ("l.json", '["{a}={0}",\n"{b}={1}"]'),
    ("l.toml", "args = ['--{a}', '{0}', '--{b}', '{1}']\n"),
    ("l.toml", "env = ['{a}={0}', '{b}={1}']\n"),
    ("l.py", "ARGS = ['--{a}', '{0}', '--{b}', '{1}']\n"),
    ("l.py", "run(\n    '--{a}',\n    '{0}',\n    '--{b}',\n    '{1}',\n)\n"),
    ("l.py", "run(('x', '--{a}={0}', '--{b}={1}'))\n"),
    ("Dockerfile", 'FROM x\nCMD ["run", "--{a}", "{0}", "--{b}", "{1}"]\n'),
    ("Dockerfile", 'FROM x\nENTRYPOINT ["run", "--{a}={0}", "--{b}={1}"]\n'),
    ("Dockerfile", 'FROM x\nCMD ["run", \\\n  "--{a}", \\\n  "{0}", \\\n  "--{b}", \\\n  "{1}"]\n'),
    ("l.sh", "run --{a} {0} --{b} {1}\n"),
    ("l.ts", 'run("x", [\n  "--{a}",\n  "{0}",\n  "--{b}",\n  "{1}",\n]);\n'),
]
"""Settings in a list of texts, or in a command: each has a name, and no key."""


@pytest.mark.parametrize(("path", "text"), LISTS)
def test_texts_of_a_list_are_called_by_what_they_give_their_id_to(path: str, text: str) -> None:
    def written(a: str, one: str, b: str, two: str) -> str:
        whole = text.replace("[[", "{{").replace("]]", "}}")
        for name, value in {"{a}": a, "{0}": one, "{b}": b, "{1}": two}.items():
            whole = whole.replace(name, value)
        return whole

    then = written("chat", O, "tags", H)
    assert told(path, then, written("tags", O, "chat", H)) == sorted(EXCHANGED, key=str), "their names change places"
    assert told(path, then, written("chat", H, "tags", O)) == sorted(EXCHANGED, key=str), "their models do"
    assert told(path, then, written("tags", H, "chat", O)) == [], "both do, which changes nothing"
    assert told(path, then, written("tags", H, "chat", S)) == [(O, S)]


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        ([f"--m {O}", f"--m {H}"], [f"--m {H}", f"--m {O}"], EXCHANGED),
        ([f"--m {O}", f"--m {H}"], [f"--m {H}"], [(O, H), (H, None)]),
        ([f"--m {O}"], [f"--id {H}"], [(O, H)]),
        ([f"--m {O}"], [f"--m={H}"], [(O, H)]),
        ([f"--m {O}"], [f"--m={O}"], []),
    ],
)
def test_a_flag_that_is_given_more_than_once_keeps_its_order(
    then: list[str], now: list[str], expected: list[tuple[str | None, str | None]]
) -> None:
    lists = [json.dumps([word for part in parts for word in part.split()]) for parts in (then, now)]
    assert told("c.json", *lists) == sorted(expected, key=str)


def test_settings_of_a_list_that_become_a_mapping_are_the_same() -> None:
    then, now = "env:\n- CHAT={0}\n- TAGS={1}\n", "env:\n  TAGS: {1}\n  CHAT: {0}\n"
    assert told("c.yaml", then.format(O, H), now.format(O, H)) == []
    assert told("c.yaml", then.format(O, H), now.format(H, O)) == sorted(EXCHANGED, key=str)
