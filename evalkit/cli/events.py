"""How a command speaks: in words, in JSON for machines (one object a line, the last says how it ended), or not."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field
from typing import Any

import typer

from evalkit.cli.terminal import say
from evalkit.errors import EvalkitError, ExitCode
from evalkit.frozen import dataclass


def emit(event: str, **fields: Any) -> None:
    """One line: what happened, and what is known of it; what is unknown is null."""
    typer.echo(json.dumps({"event": event, **fields}))


@dataclass(frozen=True)
class Talk:
    """What one command says. `ending` are fields of its last event, put in on the way."""

    quiet: bool = False
    as_json: bool = False
    ending: dict[str, Any] = field(default_factory=dict)

    def tell(self, line: str) -> None:
        """A result in words, on stdout, unless JSON is asked for."""
        if not self.as_json:
            say(line)

    def note(self, line: str) -> None:
        """What a user may know as well, on stdout, unless only errors are wanted."""
        if not self.quiet:
            self.tell(line)


@contextmanager
def talking(quiet: bool, as_json: bool) -> Iterator[Talk]:
    """With JSON, have `done` be the last line, with the exit code and its name, however the command ends."""
    talk = Talk(quiet, as_json)
    code, error = ExitCode.BUG, None
    try:
        yield talk
        code = ExitCode.PASS
    except EvalkitError as problem:
        code, error = problem.exit_code, str(problem)
        raise
    except typer.Exit as left:
        code = ExitCode(left.exit_code)
        raise
    except (KeyboardInterrupt, typer.Abort):
        code = ExitCode.INTERRUPTED
        raise
    finally:
        if as_json:
            emit("done", exit=code.name.lower(), exit_code=int(code), error=error, **talk.ending)
