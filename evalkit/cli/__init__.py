"""The `evalkit` command: one module per subcommand, and the one place where errors become exit codes."""

import errno
import gc
import io
import os
import shlex
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Annotated

import typer
from typer.core import TyperGroup
from typer.main import get_group

from evalkit import __version__, remote
from evalkit.cli import urls
from evalkit.cli.outlet import open_closed, unheard
from evalkit.cli.terminal import PLAINLY, say
from evalkit.errors import EvalkitError, ExitCode, InfrastructureError, InterruptedRunError, ProblemsError, folded

_FULL = (errno.ENOSPC, errno.EIO, errno.EDQUOT)
_NEVER_DONE = frozenset({"obstore", "ray"})
"""Packages whose threads may reach for Python while that is taken down, which aborts the process, or are never done."""

COMMANDS = {
    "check": "check", "plan": "plan", "run": "run", "import": "import_", "export": "export", "merge": "merge",
    "grade": "grade", "report": "report", "compare": "compare", "gate": "gate", "pins": "pins", "route": "route",
    "signals": "signals", "runs": "runs", "models": "models", "sandbox": "sandbox", "demo": "demo",
}  # fmt: skip
"""Every command, and the module of this package that has it."""


_BEFORE_LOADING = {
    "OPENBLAS_NUM_THREADS": "1",  # more wait for each other longer than they work, and may add up in another order
    "PYDANTIC_DISABLE_PLUGINS": "1",  # looking for them takes reading about every package that is installed
}
"""What libraries read from the environment when they are loaded, where the user has not said otherwise."""


def _print_version(wanted: bool) -> None:
    if wanted:
        say(f"evalkit {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Options of evalkit itself."""


def application(*names: str) -> typer.Typer:
    """The commands so named; all, if none is."""
    app = typer.Typer(
        name="evalkit",
        help="Which Claude model is right for your workload: run, grade blind, report.\n\n"
        "Try it without an API key: [bold]evalkit demo[/bold]",
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for name in names or COMMANDS:
        import_module(f"evalkit.cli.{COMMANDS[name]}").register(app)
    return app


@cache
def _command(*names: str) -> TyperGroup:
    """The commands so named, put together once a process; where none is, all, for the list of them alone."""
    app = application(*names)
    if not names:
        for command in app.registered_commands:
            command.callback = _listed(command.callback)
    return get_group(app)


def _listed(command: Callable[..., object] | None) -> Callable[[], None]:
    """A command's stand-in in the list of all: to work out their options takes longer than the rest of `--help`."""

    def nothing() -> None: ...

    nothing.__doc__ = command.__doc__
    return nothing


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns its exit code. Errors a user can mend are one line on stderr, bugs a traceback."""
    warnings.filterwarnings("ignore", category=UserWarning, module=r"evalkit\.(executors|providers)")  # the SDK's hints
    argv = sys.argv[1:] if argv is None else argv
    try:
        return _run(argv)
    finally:
        urls.forget()


def _named_in(argv: Sequence[str]) -> list[str]:
    """The command to load; no other is loaded, since that takes a while."""
    word = next((argument for argument in argv if not argument.startswith("-")), "")
    return [word] if word in COMMANDS else []


def _run(argv: Sequence[str]) -> int:
    try:
        ended = _command(*_named_in(argv)).main(args=list(argv), prog_name="evalkit", standalone_mode=False)
    except typer.TyperException as error:
        return _misused(error)
    except EvalkitError as error:
        return _told(error, argv)
    except (KeyboardInterrupt, typer.Abort):
        ended = ExitCode.INTERRUPTED
    except Exception as error:
        return _unexpected(error)
    if ended == ExitCode.INTERRUPTED:
        return _told(InterruptedRunError("interrupted; the same command goes on from here"))
    return ended if isinstance(ended, int) else ExitCode.PASS


def _unexpected(error: Exception) -> int:
    """A bug, with its traceback; but a full disk under our output is none (our own files are seen to elsewhere)."""
    if isinstance(error, OSError) and error.errno in _FULL and error.filename is None:
        return _told(InfrastructureError("the output cannot be written; free disk space, or send it elsewhere"))
    traceback.print_exception(error)
    say("error: a bug in evalkit; please report it with the lines above", err=True)
    return _named(ExitCode.BUG)


def _misused(error: typer.TyperException) -> int:
    """A command line that cannot be understood; without a message the help has been printed already."""
    message = " ".join(error.format_message().split()).rstrip(".")
    if message:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "evalkit"
        say(f"error: {remote.shown_in(message)}; see `{command} --help`", err=True)
    return _named(ExitCode.USAGE)


def _told(error: EvalkitError, argv: Sequence[str] = ()) -> int:
    """One line for each problem, then the command that goes on from an interruption, then the exit code's name."""
    if isinstance(error, ProblemsError):
        for problem in folded(error.problems):
            say(f"error: {urls.as_given(problem)}", err=True)
    else:
        for line in str(error).splitlines():
            say(f"error: {urls.as_given(line)}", err=True)
    if argv and isinstance(error, InterruptedRunError):
        say(f"again: {remote.shown_in(shlex.join(['evalkit', *argv]))}", err=True)
    return _named(error.exit_code)


def _named(code: ExitCode) -> int:
    say(f"exit {int(code)}: {code.name.lower()}", err=True)
    return int(code)


def _ended() -> int:
    """The exit code of the command. Ctrl-C does nothing any more: it would end the process by a signal instead."""
    code = int(ExitCode.INTERRUPTED)
    with suppress(KeyboardInterrupt):  # another one, while the first is being told
        _command(*_named_in(sys.argv[1:]))  # raised in the middle of loading it, the interrupt would be printed
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        code = main()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    exec("")  # noqa: S102  an interrupt in text that was executed would end `python -m` by a signal after all
    return code


def _spare_plugins() -> None:
    """Where pydantic is to have no plugins, keep it from loading what looks for them: all of `email` and `zipfile`."""
    if os.environ.get("PYDANTIC_DISABLE_PLUGINS") in ("__all__", "1", "true"):
        loader = ModuleType("pydantic.plugin._loader")
        loader.__dict__["get_plugins"] = tuple  # as it would answer then: none
        sys.modules.setdefault(loader.__name__, loader)


def run_and_exit() -> None:
    """Run the command that the process was started with, and end the process."""
    open_closed()
    gc.set_threshold(200_000)  # collecting while the SDK's thousands of modules load takes a tenth of their time
    for name, value in _BEFORE_LOADING.items():
        os.environ.setdefault(name, value)
    _spare_plugins()
    if os.environ.get("NO_COLOR"):
        os.environ["_TYPER_FORCE_DISABLE_TERMINAL"] = "1"  # its help: no bold or dim either, which rich would leave
    for name in ("stdout", "stderr"):
        if isinstance(stream := getattr(sys, name), io.TextIOWrapper):
            setattr(sys, name, unheard(stream, PLAINLY))  # a name that cannot be written is no reason to crash
    code = _ended()
    try:
        sys.stdout.flush()
    except OSError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  what cannot be written is let go
        code = _told(InfrastructureError("the output cannot be written; free disk space, or send it elsewhere"))
    if not _NEVER_DONE.isdisjoint(sys.modules):
        sys.stderr.flush()
        os._exit(code)
    gc.freeze()  # a last collection over the SDK's thousands of modules would take a tenth of a second, for nothing
    sys.exit(code)
