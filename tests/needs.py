"""What a machine may lack that a test needs."""

import os
from pathlib import Path
from typing import NoReturn

import pytest

DEV_FULL = pytest.mark.skipif(  # elsewhere a full disk takes rights to mount one; CI runs on Linux and never skips it
    not Path("/dev/full").exists(), reason="only Linux has /dev/full, which refuses every write"
)


def lacking(what: str) -> NoReturn:
    """Skip the test where a person runs it without `what`; fail it in CI, where a skip would go unseen."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(reason=what)  # a developer's machine may lack a browser, and the other tests are worth running there
