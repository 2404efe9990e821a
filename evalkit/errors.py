"""The errors a user can mend, each with the exit code that a script can rely on."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process's exit status means; the name is printed last and stands in every JSON answer."""

    PASS = 0
    REGRESSION = 1
    USAGE = 2
    INCONCLUSIVE = 3
    BUDGET = 4
    PROVIDER = 5
    INTEGRITY = 6
    BUG = 70
    INTERRUPTED = 130


class EvalkitError(Exception):
    """Something the user can put right: printed as one line `error: what; what to do`, without a traceback."""

    exit_code = ExitCode.USAGE


class UsageError(EvalkitError):
    """The command, a file or a value it was given is not valid."""


class ProblemsError(EvalkitError):
    """An input file has problems; all of them, in file order, as `file:line: what; what to do`."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class BudgetError(EvalkitError):
    """The next request could pass the budget, so it was not sent; the run can be resumed."""

    exit_code = ExitCode.BUDGET


class InfrastructureError(EvalkitError):
    """The provider, the network, the disk or a port refused."""

    exit_code = ExitCode.PROVIDER


class NoRoomError(InfrastructureError):
    """A file cannot grow."""


class IntegrityError(EvalkitError):
    """A hash, a lock or the blinding does not hold."""

    exit_code = ExitCode.INTEGRITY


class InUseError(IntegrityError):
    """Another process holds the run file for the same kind of work."""


class InterruptedRunError(EvalkitError):
    """Stopped by the user; what was finished is on disk and the same command goes on from there."""

    exit_code = ExitCode.INTERRUPTED
