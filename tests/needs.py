"""What a machine may lack that a test needs."""

import os
from typing import NoReturn

import pytest


def lacking(what: str) -> NoReturn:
    """Skip the test where a person runs it without `what`; fail it in CI, where a skip would go unseen."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    # A developer's machine may lack a browser or the like, and the other tests are worth running there all the same.
    pytest.skip(reason=what)
