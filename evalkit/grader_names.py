"""What a grader's name says of its kind, so that every reader of a run file tells people, judges and checks apart."""

import re
from functools import cache
from typing import Literal

GraderKind = Literal["human", "judge", "check"]
CHECKS = "checks"
"""The grader that runs a rubric's own checks."""
JUDGE = "judge "
"""What the name of every judge begins with."""
_CHECK = "check "
_AGAIN = " (again)"
_REPEAT = re.compile(r" #(\d+)$")
_READS_AS_ANOTHER = re.compile(rf"(?:human )*(?:{JUDGE}|{_CHECK}|{CHECKS}$)")


def grader_name(name: str, kind: GraderKind) -> str:
    """How a grader of this kind is called in a run file; a person whose name would read as another kind is marked."""
    if kind == "human":
        return f"human {name}" if _READS_AS_ANOTHER.match(name) else name
    prefix = JUDGE if kind == "judge" else _CHECK
    return name if kind_of(name) == kind else prefix + name


@cache  # of a few names, asked for with every grade
def kind_of(grader: str) -> GraderKind:
    """The kind of the grader of that name."""
    if grader.startswith(JUDGE):
        return "judge"
    return "check" if grader == CHECKS or grader.startswith(_CHECK) else "human"


def again(grader: str) -> str:
    """How a person is called when they grade an output a second time without being told."""
    return grader + _AGAIN


def is_again(grader: str) -> bool:
    """Whether these are second grades, which count for a person's own consistency and for nothing else."""
    return grader.endswith(_AGAIN)


def judge_name(model: str, repeat: int = 1) -> str:
    """How a judge is called as a grader, and when it says the same again: from the second time on with a number."""
    return f"{JUDGE}{model}" if repeat == 1 else f"{JUDGE}{model} #{repeat}"


@cache
def judge_of(grader: str) -> str:
    """The judge that a repeat belongs to (`judge M #2` is `judge M` asked once more); any other name as it is."""
    return _REPEAT.sub("", grader) if grader.startswith(JUDGE) else grader


def repeat_of(grader: str) -> int:
    """The how manieth time a judge says its own under this name, from 1; 1 of any other grader."""
    again = _REPEAT.search(grader) if grader.startswith(JUDGE) else None
    return int(again[1]) if again else 1


def judge_model(grader: str) -> str:
    """The model that a judge's grader is, whichever repeat; any other name as it is."""
    return judge_of(grader).removeprefix(JUDGE)


def first_of(grader: str) -> str:
    """The person whose second grades these are; any other name as it is."""
    return grader.removesuffix(_AGAIN)
