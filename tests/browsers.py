"""The Chromium of the browser tests: a home of its own, and no network but this machine."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from needs import lacking
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
ELSEWHERE = "elsewhere.test"
"""A name that the browser resolves to this machine, as one does that an attacker rebinds."""
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--in-process-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1",
)  # fmt: skip


@contextlib.contextmanager
def chromium(home: Path) -> Iterator[Browser]:
    """A running browser; without one the test is lacking it."""
    if not CHROMIUM.exists():
        lacking(f"{CHROMIUM} is missing; install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM, args=FLAGS, env={**os.environ, "HOME": str(home)}
        )
        yield launched
        launched.close()
