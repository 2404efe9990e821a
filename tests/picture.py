"""A picture of a report's first screen, for the README: `python tests/picture.py report.html report.png`."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from browsers import chromium

WIDTH, HEIGHT = 1280, 800


def take(report: Path, picture: Path) -> None:
    """Write the picture, with few colours where pngquant is installed."""
    with tempfile.TemporaryDirectory() as home, chromium(Path(home)) as browser:
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(report.resolve().as_uri())
        page.screenshot(path=picture)
    smaller = shutil.which("pngquant")
    if smaller:
        subprocess.run([smaller, "--force", "--strip", "--output", str(picture), "64", str(picture)], check=True)


if __name__ == "__main__":
    take(Path(sys.argv[1]), Path(sys.argv[2]))
