"""What a routing policy is."""

from collections.abc import Callable

from evalkit.analysis.routing import PolicyKind
from evalkit.frozen import dataclass
from evalkit.router import Rule
from evalkit.routing.flows import Flow
from evalkit.routing.outcomes import BoolArray


@dataclass(frozen=True)
class Fitted:
    """A policy with its numbers set: what it does with every item, and its rule for `evalkit.router`.

    `rule` None: it cannot be exported. `told`: the numbers that were set, in words.
    """

    flow: Flow
    rule: Rule | None = None
    told: str = ""


@dataclass(frozen=True)
class Policy:
    """One way to send requests to models. `name` is what users type; `what` says in a sentence what it does.

    `fit(train)` sets its numbers on the items that are True (all of the outcomes' items have a place) and says what it
    then does with every item. `tuned`: how many numbers that sets; 0 for a policy whose numbers are fixed beforehand.
    `check`: in words, what makes a cascade's first output escalate; empty for a policy that looks at none.
    """

    name: str
    title: str
    what: str
    kind: PolicyKind
    fit: Callable[[BoolArray], Fitted]
    tuned: int = 0
    check: str = ""


def fixed(name: str, title: str, what: str, kind: PolicyKind, flow: Flow, rule: Rule | None = None) -> Policy:
    """A policy without numbers to set."""
    return Policy(name, title, what, kind, lambda _: Fitted(flow, rule))
