"""What became of a log's requests: those that may move to a cheaper model, and why the others may not."""

from collections.abc import Mapping
from dataclasses import field

from evalkit.analysis.sides import MOST_TAGS
from evalkit.analysis.sweep import HARDLY_WORSE
from evalkit.frozen import dataclass
from evalkit.stats import Estimate

MAPPING = (
    "a request belongs to the part of its difficulty; without one, to the parts of its tags, if the run tests each;"
    " without those, to the part of its input size; to none where its prompt is much longer than its model had there;"
    f" it counts where a cheaper model is shown to be {HARDLY_WORSE} on every part it belongs to, looks worse (each at"
    " 5%, not adjusted) or costs more on no items that have any of the things it says (of its difficulty, or of any"
    " where that has too few), and costs less there and by the items that have most of them (of its difficulty), at"
    " what prompts on its side of both models' price cliffs cost and at the log's own mix of input and output; where"
    " the run's rates are not known, at the run's mix, and to no part where its prompt is much shorter than any that"
    " its model had there"
)


NOT_SHOWN = "no cheaper model is shown to be hardly worse"
NONE_KNOWN = ", so none is known to be cheaper"
NO_CHEAPER = "none that is shown to be hardly worse is shown to cost less"
WORSE = "one is, but looks worse on items with several of the things that it says"
NO_PART = "no difficulty, tag or input size that the run has a part for"
NO_DIFFICULTY = "a difficulty that no item of the run has: add items of it"
UNKNOWN_TAG = "a tag that no item of the run has: add items with it, or log the test set's tags alone"
UNTESTED_TAG = (
    f"a tag of which the run has too few items (it tests the {MOST_TAGS} most frequent): add some, or log difficulties"
)
FEW = "a part of too few items to show anything of, fewer than"
TOO_LONG = "a prompt longer than the run's on its part"
TOO_SHORT = "a prompt shorter than the run's on its part, whose input and output the run has no rates of"
NEAR_CLIFF = "a prompt so near a price cliff that the run does not tell its side"
HARDLY_TRIED = "a prompt on a side of a price cliff that the run hardly tried on its part"
_SET_ASIDE = (TOO_SHORT, NEAR_CLIFF, HARDLY_TRIED)
"""Why a request does not move though its parts would let it."""


@dataclass(frozen=True)
class Move:
    """Requests of a model on parts of the items, and a cheaper one that is shown to be hardly worse on all of them.

    `cost_ratio`: what one of its requests costs there over one of the current model's, in the run, of prompts on the
    same side of their price cliffs; `at_log_mix`: with input and output in the proportion that these requests have, not
    the run's. `beyond`: the models whose cliff these are beyond. `escalated`: requests of the cheaper one in this log
    that were: what the current model has taken over from it may be among those that move. `first` and `last`: the
    days of the first and the last of the requests, UTC; whether they `began` and `ended` within the log (`spans`).
    `nearest`: where some items have several of the things that these requests say, what they have of it, or one set of
    them or another; the costs, and what share of their outputs the cheaper and the current model satisfied
    (`satisfied`, `satisfied_now`), are of these `items`, else of all of the parts.
    """

    current: str
    toward: str
    parts: tuple[str, ...]
    requests: int
    cost_ratio: Estimate
    nearest: tuple[tuple[str, ...], ...] = ()
    items: int = 0
    beyond: tuple[str, ...] = ()
    escalated: int = 0
    at_log_mix: bool = False
    first: str = ""
    last: str = ""
    began: bool = False
    ended: bool = False
    satisfied: float | None = None
    satisfied_now: float | None = None


@dataclass(frozen=True)
class Moved:
    """Every request in one place. `unmapped`: by reason; `kept`: mapped, but no cheaper model is shown to be hardly
    worse; `worse`: one is on their parts, but is shown to be worse on items with some of what they say; `no_cheaper`:
    one is, but is not shown to cost less for them. `lines`: the move of each.

    `share`: of all requests, those that can move; a description of this log, without interval. `since`: the day from
    which on all that would move is made as at the end, empty where nothing that counts changed within the log.
    """

    requests: int
    moves: tuple[Move, ...]
    kept: int
    worse: int
    no_cheaper: int
    unmapped: Mapping[str, int]
    share: Estimate
    since: str = ""
    mapping: str = MAPPING
    lines: tuple[int | None, ...] = field(default=(), repr=False)

    @property
    def unordered(self) -> str:
        """Why no model is known to be cheaper, if that keeps any request; else empty."""
        return next((reason for reason in self.unmapped if reason.endswith(NONE_KNOWN)), "")

    @property
    def few(self) -> int:
        """Requests on parts of too few items for a test."""
        return sum(count for reason, count in self.unmapped.items() if reason.startswith(FEW))

    @property
    def set_aside(self) -> int:
        """Requests of an unfit size on parts where a cheaper model is shown to be hardly worse."""
        return sum(self.unmapped.get(reason, 0) for reason in _SET_ASIDE)
