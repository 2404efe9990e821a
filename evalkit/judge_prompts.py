"""Which prompt a judge was asked with: what is known of its errors holds for that one alone."""

from collections.abc import Mapping

from evalkit.grader_names import judge_of
from evalkit.records import Snapshot

RECORDED_AS = "judge_prompt_sha256"
"""Where a judge's joining says how it is asked."""


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
