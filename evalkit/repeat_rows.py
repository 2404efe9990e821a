"""The commands that make a report's run, its grades and the page itself once more, as terms of its method."""

import shlex
from collections.abc import Iterable

from evalkit.analysis.graded_by import HowAsked
from evalkit.analysis.results import Analysis
from evalkit.blocks import Text, code, words
from evalkit.commands import base_url, command_of_run, commands_of_import, run_file
from evalkit.models import same_model
from evalkit.rounds import REPEAT_SHARE


def repeat_rows(analysis: Analysis) -> Iterable[tuple[str, Text]]:
    """What to run for the same run, grades and page, with the names that run files have by default."""
    spec, earlier = analysis.spec, analysis.baseline
    yield from _rows("To repeat", _runs(analysis), _mixed(analysis))
    yield from _rows("To grade", _gradings(analysis, run_file(spec)))
    shown = earlier.command if earlier else shlex.join(["evalkit", "report", run_file(spec)])
    peek = " --peek" if analysis.grading.at_work and "--peek" not in shown else ""
    yield "This report", words(code(f"{shown}{peek}"))


def _rows(term: str, commands: Iterable[list[str]], remark: str = "") -> Iterable[tuple[str, Text]]:
    """A row a command, so that each can be copied alone."""
    for number, command in enumerate(commands):
        yield f"{term}, then" if number else term, words(code(shlex.join(command)), remark)


def _runs(analysis: Analysis) -> Iterable[list[str]]:
    if analysis.spec.imported:
        return commands_of_import(analysis.spec)
    classifier = None if analysis.routing is None else analysis.routing.classifier
    return [command_of_run(analysis.spec, _streamed(analysis), classifier)]


def _streamed(analysis: Analysis) -> int | None:
    """How many of the items that are back had nothing in a batch; None where no batch was made, or not of items."""
    waiting, batched = any(session.waiting for session in analysis.sessions), _batched(analysis)
    if not waiting and (not any(map(any, batched)) or _is_mixed(batched)):
        return None
    return sum(not any(of_item) for of_item in batched)


def _batched(analysis: Analysis) -> list[list[bool]]:
    """By item that anything is back of, which of its outputs came from batches."""
    back = ([o.batched for o in item.outputs if o.outcome is not None] for item in analysis.outputs)
    return [of_item for of_item in back if of_item]


def _is_mixed(batched: list[list[bool]]) -> bool:
    return any(len(set(of_item)) > 1 for of_item in batched)


def _mixed(analysis: Analysis) -> str:
    """That no one command sends an item's requests as they were sent, where some went in batches and others did not."""
    batched = _batched(analysis)
    if not _is_mixed(batched):
        return ""
    answers = [one for of_item in batched for one in of_item]
    return f" but {sum(answers):,} of {len(answers):,} answers came from batches, others of their items did not"


def _gradings(analysis: Analysis, file: str) -> Iterable[list[str]]:
    """The commands that have the outputs graded and compared as they were; none of what was done elsewhere."""
    grading = analysis.grading
    blind = None if grading.round is None else grading.round.blind
    here, seen = blind is not None, ["--no-blind"] if blind is False else []
    if here and grading.grades and not grading.judges and not grading.people:
        yield ["evalkit", "grade", file, "--by", "checks"]
    for asked_so, layout in ((grading.judged if here else (), "--one-by-one"), (grading.compared, "--side-by-side")):
        for how in asked_so:
            yield ["evalkit", "grade", file, "--by", "judges", *_asked(analysis, how), layout, *seen]
    if here and grading.people:
        pairs = ["--side-by-side"] if grading.side_by_side else []
        asked = ["--ask-author"] if grading.asked_author or analysis.blinding else []
        if grading.repeat_share not in (None, REPEAT_SHARE):
            asked = ["--repeat-share", f"{grading.repeat_share:g}", *asked]
        each = [] if grading.overlap is None else ["--overlap", str(grading.overlap)]
        sample = [] if grading.sample is None else ["--calibrate", str(grading.sample)]
        wished = [[*sample, *each]] if sample or not grading.picked else []
        people = [part for person in grading.people for part in ("--grader", person)]
        for wish in (*wished, *([["--discordant", *each]] if grading.picked else [])):
            yield ["evalkit", "grade", file, "--by", "people", *people, *wish, *pairs, *asked, *seen]


def _asked(analysis: Analysis, how: HowAsked) -> Iterable[str]:
    """Which judges were asked, how and where, as far as it is on record; else by the server of the outputs."""
    for judge in how.judges:
        yield from ("--judge", judge)
    yield from ("--judge-repeats", str(how.repeats))
    if how.context is not None:
        yield from ("--judge-context", how.context)
    if any(same_model(judge, model) for judge in how.judges for model in analysis.spec.models):
        yield "--allow-own-judge"
    if how.endpoint is not None or not analysis.spec.imported:
        yield from base_url(how.endpoint or analysis.spec.endpoint)
