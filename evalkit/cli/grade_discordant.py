"""`evalkit grade --discordant`: which items people are asked to grade, so that a gate needs a judge's word no more."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from evalkit.cli.terminal import say
from evalkit.errors import UsageError

if TYPE_CHECKING:
    from evalkit.cli.grade_wishes import ForPeople
    from evalkit.rubric import Rubric
    from evalkit.store import RunFile

SHARE = 0.2


def queued(file: "RunFile", rubric: "Rubric", people: "ForPeople", *, blind: bool) -> Mapping[str, Any]:
    """Settings of the round by which those items alone are graded; none where this was not asked for.

    UsageError beside --calibrate, and for a share of nothing.
    """
    from evalkit.discordant import discordant_items
    from evalkit.planning import settled_trials
    from evalkit.wording import plural

    if not people.discordant:
        if people.concordant_share is not None:
            raise UsageError("--concordant-share has no meaning without --discordant; leave it out")
        return {}
    if people.calibrate is not None:
        raise UsageError("--calibrate and --discordant exclude each other; run the command once for each")
    share = SHARE if people.concordant_share is None else people.concordant_share
    snapshot = file.snapshot()
    found = discordant_items(snapshot, rubric, share, blind=blind)
    if (left := len(snapshot.trials) - len(settled_trials(snapshot))) > 0:
        say(
            f"warning: {plural(left, 'trial')} without an answer yet; repeat `evalkit run` before people grade, since"
            " what is answered later takes a round of its own",
            err=True,
        )
    say(
        f"to grade: all outputs of {plural(len(found.apart), 'item')} that the judge tells apart, and of "
        f"{len(found.drawn)} drawn from {found.alike} that it grades alike"
        + (f", all at {found.size:,} tokens, the size that a gate decides by" if found.size is not None else ""),
        err=True,
    )
    return {"items": found.items, "apart": found.apart}
