"""The page itself and its assets, read once: one template, one style, one script, nothing inline."""

from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined


@cache
def asset(name: str) -> bytes:
    """A file of the page, as it is sent."""
    return files("evalkit").joinpath("templates", name).read_bytes()


def grading_page(csrf: str) -> str:
    """The page a grader works in; it fetches its pile itself."""
    return _environment().get_template("grade.html.j2").render(csrf=csrf)


def message_page(title: str, text: str) -> str:
    """A page that says one thing, to somebody who is not let in."""
    return _environment().get_template("grade_message.html.j2").render(title=title, text=text)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("evalkit", "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=StrictUndefined,
    )  # fmt: skip
