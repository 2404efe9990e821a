"""Where the `evalkit` command starts, also as `python -m evalkit`: Ctrl-C ends it quietly while it still loads."""

# `signal` would first load enums for some milliseconds, in which Ctrl-C would be a traceback
import _signal  # type: ignore[import-not-found]  # typeshed leaves it out
import os

_INTERRUPTED = 130
"""`ExitCode.INTERRUPTED`, without loading that either."""


def _end(_number: int, _frame: object) -> None:
    """Nothing has been begun that would have to be finished; an exception would surface in whatever is being loaded."""
    os.write(2, f"error: interrupted\nexit {_INTERRUPTED}: interrupted\n".encode())
    os._exit(_INTERRUPTED)


def start() -> None:
    """Entry point of the `evalkit` command."""
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:  # else ignored, as a shell has its background
        _signal.signal(_signal.SIGINT, _end)
    from evalkit.cli import run_and_exit

    run_and_exit()


if __name__ == "__main__":
    start()
