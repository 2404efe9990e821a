"""Where the `evalkit` command starts, also as `python -m evalkit`: Ctrl-C ends it quietly while it still loads."""

import os
import signal

from evalkit.errors import ExitCode


def _end(_number: int, _frame: object) -> None:
    """Nothing has been begun that would have to be finished; an exception would surface in whatever is being loaded."""
    code = ExitCode.INTERRUPTED
    os.write(2, f"error: interrupted\nexit {int(code)}: {code.name.lower()}\n".encode())
    os._exit(code)


def start() -> None:
    """Entry point of the `evalkit` command."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else ignored, as a shell has its background
        signal.signal(signal.SIGINT, _end)
    from evalkit.cli import run_and_exit

    run_and_exit()


if __name__ == "__main__":
    start()
