"""The Chromium of the browser tests: a home of its own, and no network but this machine."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
ELSEWHERE = "elsewhere.test"
"""A name that the browser resolves to this machine, as one does that an attacker rebinds."""
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1",
)  # fmt: skip


@contextlib.contextmanager
def chromium(home: Path) -> Iterator[Browser]:
    """A running browser; without one the test is skipped, in CI failed."""
    if not CHROMIUM.exists():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"{CHROMIUM} is missing; install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM, args=FLAGS, env={**os.environ, "HOME": str(home)}
        )
        yield launched
        launched.close()
