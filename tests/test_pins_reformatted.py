"""A change that breaks a file's lines anew, or writes it in another format, hides no bump and makes none."""

import json
from collections.abc import Callable, Mapping
from itertools import permutations
from typing import Any

import pytest

from evalkit.pins.bumps import bumps
from evalkit.pins.scan import Pin, pins_in

SONNET, HAIKU, OPUS = "claude-sonnet-4-6", "claude-haiku-4-5-20251001", "claude-opus-4-6"
Services = Mapping[str, str]
"""The model of each service."""
Layout = Callable[[Services], tuple[str, str]]
"""A file's path, and its text."""


def _settings(services: Services) -> dict[str, Any]:
    return {"services": {name: {"tokens": 400, "model": model} for name, model in services.items()}}


def _list(services: Services) -> list[dict[str, str]]:
    return [{"name": name, "model": model} for name, model in services.items()]


def _yaml(services: Services) -> tuple[str, str]:
    return "c.yaml", "services:\n" + "".join(
        f"  {name}:\n    tokens: 400\n    model: {model}\n" for name, model in services.items()
    )


def _flow(services: Services) -> tuple[str, str]:
    return "c.yaml", "services:\n" + "".join(
        f"  {name}: {{tokens: 400, model: {model}}}\n" for name, model in services.items()
    )


def _typescript(between: str, end: str) -> Layout:
    def written(services: Services) -> tuple[str, str]:
        parts = (f'{{ name: "{name}", model: "{model}" }}' for name, model in services.items())
        return "c.ts", f"const R = [{between}{f',{between} '.join(parts)}{end}];\n"

    return written


def _json(indent: int | None, of: Callable[[Services], object]) -> Layout:
    return lambda services: ("c.json", json.dumps(of(services), indent=indent))


def _calls(before: str, between: str, end: str) -> Layout:
    def written(services: Services) -> tuple[str, str]:
        return "c.py", "".join(
            f'{name} = call({before}"{model}",{between}tokens=400{end})\n' for name, model in services.items()
        )

    return written


FAMILIES = {
    "JSON": [_json(None, _settings), _json(2, _settings)],
    "JSON list": [_json(None, _list), _json(4, _list)],
    "YAML and JSON": [_yaml, _flow, _json(2, _settings)],
    "TypeScript": [_typescript("", ""), _typescript("\n ", ",\n")],
    "Python": [_calls("", " ", ""), _calls("\n    ", "\n    ", ",\n"), _calls("\n    ", " ", "\n")],
}
LAYOUTS = [(f"{name} {n}", *two) for name, of in FAMILIES.items() for n, two in enumerate(permutations(of, 2))]
THEN = {"chat": OPUS, "tags": HAIKU, "plan": SONNET}


def _pins(layout: Layout, services: Services) -> list[Pin]:
    path, text = layout(services)
    return list(pins_in(path, text.encode()))


def _changes(one: Layout, two: Layout, now: Services) -> list[tuple[str | None, ...]]:
    found = bumps(_pins(one, THEN), _pins(two, now))
    models = [[None if pin is None else pin.model for pin in (bump.then, bump.now)] for bump in found]
    return [(bump.change, *pair) for bump, pair in zip(found, models, strict=True)]


@pytest.mark.parametrize(("one", "two"), [pair for _, *pair in LAYOUTS], ids=[name for name, *_ in LAYOUTS])
def test_lines_that_are_broken_anew_hide_no_bump_and_make_none(one: Layout, two: Layout) -> None:
    assert _changes(one, two, THEN) == []
    assert _changes(one, two, {**THEN, "plan": OPUS}) == [("bump", SONNET, OPUS)]
    exchanged = [("bump", OPUS, HAIKU), ("bump", HAIKU, OPUS)]
    assert _changes(one, two, {**THEN, "chat": HAIKU, "tags": OPUS}) == exchanged
    assert _changes(one, two, {"chat": HAIKU, "plan": SONNET}) == [("bump", OPUS, HAIKU), ("removed", HAIKU, None)]
    assert _changes(one, two, {"tags": HAIKU, "plan": SONNET}) == [("removed", OPUS, None)]
    assert _changes(one, two, {**THEN, "mail": HAIKU}) == [("added", None, HAIKU)]


@pytest.mark.parametrize(
    ("path", "one", "two"),
    [
        ("c.ts", "const models = ['{a}', '{b}'];\n", "export const MODELS = [\n  '{a}',\n  '{b}',\n];\n"),
        (
            "c.json",
            '{{"models": ["{a}", "{b}"], "n": 2}}\n',
            '{{\n  "models": [\n    "{a}",\n    "{b}"\n  ],\n  "n": 2\n}}\n',
        ),
        ("c.yaml", "models: [{a}, {b}]\nn: 2\n", "models:\n  - {a}\n  - {b}\nn: 2\n"),
        ("c.py", "pick('{a}', '{b}', n=2)\n", "pick(\n    '{a}',\n    '{b}',\n    n=2,\n)\n"),
        ("c.py", "FIRST, NEXT = '{a}', '{b}'\n", "FIRST, NEXT = (\n    '{a}',\n    '{b}',\n)\n"),
    ],
    ids=["TypeScript", "JSON", "YAML", "call", "tuple"],
)
def test_ids_of_one_list_that_are_exchanged_while_it_is_broken_anew_are_bumps(path: str, one: str, two: str) -> None:
    for then, now in ((one, two), (two, one)):
        before = list(pins_in(path, then.format(a=OPUS, b=HAIKU).encode()))
        same, turned = (pins_in(path, now.format(a=a, b=b).encode()) for a, b in ((OPUS, HAIKU), (HAIKU, OPUS)))
        assert bumps(before, same) == []
        assert [(b.then and b.then.model, b.now and b.now.model) for b in bumps(before, turned)] == [
            (OPUS, HAIKU), (HAIKU, OPUS),
        ]  # fmt: skip


def test_services_are_found_again_though_their_keys_are_sorted_while_lines_are_broken_anew() -> None:
    def written(indent: int | None, **models: str) -> list[Pin]:
        services = {
            name: {"model": model, "max_tokens": tokens, "region": "eu"}
            for (name, model), tokens in zip(models.items(), (4096, 256, 900), strict=True)
        }
        text = json.dumps({"services": services}, indent=indent, sort_keys=indent is not None)
        return list(pins_in("c.json", text.encode()))

    before = written(None, tags=HAIKU, chat=OPUS, plan=SONNET)
    assert bumps(before, written(2, tags=HAIKU, chat=OPUS, plan=SONNET)) == []
    turned = bumps(before, written(2, tags=OPUS, chat=HAIKU, plan=SONNET))
    assert {(b.then and b.then.model, b.now and b.now.model) for b in turned} == {(OPUS, HAIKU), (HAIKU, OPUS)}
