"""Which prompt a judge was asked with: what is known of its errors holds for that one alone."""

from collections.abc import Mapping

from evalkit.grader_names import judge_of
from evalkit.panel import JudgeContext
from evalkit.records import Snapshot

RECORDED_AS = "judge_prompt_sha256"
"""Where a judge's joining says how it is asked."""
_CONTEXT, _ENDPOINT = "judge_context", "judge_endpoint"


def content(prompt_sha256: str, context: JudgeContext, endpoint: str | None) -> Mapping[str, str]:
    """What a judge's joining says of how it is asked, and of the server, as runs record one."""
    asked = {RECORDED_AS: prompt_sha256, _CONTEXT: context}
    return asked if endpoint is None else {**asked, _ENDPOINT: endpoint}


def asked_in(snapshot: Snapshot, round_id: int) -> tuple[JudgeContext | None, str | None]:
    """What the judges of a round read beside an output, and their server, else the last that any were asked by, as of a
    round whose answers were all there; None where that is not on record."""
    joined = [event for event in snapshot.events if event.kind == "joined" and _CONTEXT in event.content]
    context = next((event.content[_CONTEXT] for event in joined if event.round_id == round_id), None)
    places = sorted(joined, key=lambda event: (event.round_id == round_id, event.round_id or 0), reverse=True)
    return context, next((event.content[_ENDPOINT] for event in places if _ENDPOINT in event.content), None)


def prompts_of(snapshot: Snapshot) -> Mapping[tuple[str, int], str]:
    """The hash of the prompt of each judge in each round, where it is on record; the newest comes last."""
    return {
        (judge_of(event.grader), event.round_id): str(event.content[RECORDED_AS])
        for event in snapshot.events
        if event.kind == "joined" and event.grader and event.round_id is not None and RECORDED_AS in event.content
    }


def outdated(snapshot: Snapshot) -> frozenset[tuple[str, int]]:
    """Judges and rounds in which they were asked otherwise than they were asked last."""
    prompts = prompts_of(snapshot)
    newest = {judge: prompt for (judge, _), prompt in prompts.items()}
    return frozenset(place for place, prompt in prompts.items() if newest[place[0]] != prompt)
