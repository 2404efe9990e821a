"""The errors a user can mend, each with the exit code that a script can rely on."""

import re
from collections.abc import Iterator, Sequence
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


_PLACED = re.compile(r"(?P<file>.+?):(?P<line>\d+): (?P<what>.*)", re.DOTALL)
_EACH_TOLD = 3
_MOST_RANGES = 10


def folded(problems: Sequence[str]) -> Iterator[str]:
    """`file:line: what; what to do`, each; what many lines of a file have is told once, with where the others are."""
    problems = list(dict.fromkeys(problems))
    places = [_PLACED.fullmatch(problem) for problem in problems]
    lines: dict[tuple[str, str], list[int]] = {}
    for found in filter(None, places):
        lines.setdefault((found["file"], found["what"]), []).append(int(found["line"]))
    for problem, place in zip(problems, places, strict=True):
        same = lines[place["file"], place["what"]] if place else []
        if place is None or len(same) <= _EACH_TOLD:
            yield problem
        elif int(place["line"]) == same[0]:
            yield f"{problem} (the same on {len(same) - 1:,} more lines: {_ranges(same[1:])})"


def _ranges(lines: Sequence[int]) -> str:
    """Line numbers in order, as `2 to 9, 12`; of very many pieces the first."""
    ranges: list[list[int]] = []
    for line in sorted(lines):
        if ranges and line <= ranges[-1][1] + 1:
            ranges[-1][1] = line
        else:
            ranges.append([line, line])
    told = [f"{first}" if first == last else f"{first} to {last}" for first, last in ranges[:_MOST_RANGES]]
    return ", ".join([*told, "..."] if len(ranges) > _MOST_RANGES else told)
