"""The page and its assets, read once: one template, one style, one script, nothing inline where it is served."""

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


@cache
def asset(name: str) -> bytes:
    """A file of the page, as it is sent."""
    return files("evalkit").joinpath("templates", name).read_bytes()


def grading_page(csrf: str) -> str:
    """The page a grader works in; it fetches its pile itself."""
    return _environment().get_template("grade.html.j2").render(csrf=csrf)


def packet_page(data: Mapping[str, Any]) -> str:
    """The page in one file with all that it shows: nothing is loaded, and its policy lets no other script run."""
    style, *scripts = (asset(name).decode("utf-8") for name in ("grade.css", "grade_packet.js", "grade.js"))
    policy = (
        f"default-src 'none'; script-src {' '.join(map(_hash, scripts))}; style-src {_hash(style)};"
        " base-uri 'none'; form-action 'none'"
    )
    embedded = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    template = _environment().get_template("grade_packet.html.j2")
    return template.render(csrf="", policy=policy, style=style, scripts=scripts, data=embedded)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode()}'"


def message_page(title: str, text: str) -> str:
    """A page that says one thing, to somebody who is not let in."""
    return _environment().get_template("grade_message.html.j2").render(title=title, text=text)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("evalkit", "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=StrictUndefined,
    )  # fmt: skip
