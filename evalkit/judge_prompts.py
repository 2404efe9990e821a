"""Which prompt a judge was asked with: what is known of its errors holds for that one alone."""

from collections.abc import Mapping

from evalkit.grader_names import judge_of
from evalkit.panel import JudgeContext
from evalkit.records import Snapshot

RECORDED_AS = "judge_prompt_sha256"
"""Where a judge's joining says how it is asked."""
_CONTEXT = "judge_context"


def content(prompt_sha256: str, context: JudgeContext) -> Mapping[str, str]:
    """What a judge's joining says of how it is asked."""
    return {RECORDED_AS: prompt_sha256, _CONTEXT: context}


def context_of(snapshot: Snapshot, round_id: int) -> JudgeContext | None:
    """What the judges of a round read beside an output; None where that is not on record."""
    joined = [e.content for e in snapshot.events if (e.kind, e.round_id) == ("joined", round_id)]
    return next((content[_CONTEXT] for content in joined if _CONTEXT in content), None)


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
