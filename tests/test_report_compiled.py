"""Compiled templates of the page: kept where Python keeps modules, and never in the way."""

import sys
from collections.abc import Callable
from importlib.util import cache_from_source
from pathlib import Path

import pytest
from report_pages import made

from evalkit.rendering import html
from evalkit.report import render_html


def page_anew() -> str:
    """The page as another process would make it."""
    html._environment.cache_clear()
    try:
        return render_html(made("whole"))
    finally:
        html._environment.cache_clear()


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that Python keeps the compiled module in."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path))
    folder = Path(cache_from_source(html.__file__)).parent
    folder.mkdir(parents=True)
    return folder


def test_a_page_is_the_same_from_kept_templates(kept: Path) -> None:
    first = page_anew()
    written = {path: path.stat().st_mtime_ns for path in kept.iterdir()}
    assert [path.suffix for path in written] == [".jinja"] * 2
    assert page_anew() == first
    assert {path: path.stat().st_mtime_ns for path in kept.iterdir()} == written


def test_nothing_is_kept_where_python_keeps_nothing(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    page_anew()
    assert not list(kept.iterdir())


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def another_text(path: Path) -> None:
    path.write_bytes(b"not compiled at all")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.long
@pytest.mark.parametrize("spoil", [cut, another_text, folder])
def test_what_is_kept_badly_is_compiled_again(kept: Path, spoil: Callable[[Path], None]) -> None:
    first = page_anew()
    for path in list(kept.iterdir()):
        spoil(path)
    assert page_anew() == first


@pytest.mark.long
@pytest.mark.parametrize("where", ["nowhere", "a file/below"])
def test_a_folder_that_cannot_be_written_is_no_error(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    first = page_anew()
    (tmp_path / "a file").write_text("")
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / where))
    assert page_anew() == first
