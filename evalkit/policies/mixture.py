"""Random mixture of two models: what half the requests on each would come to, chosen without looking at them."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from evalkit.models import display_name
from evalkit.routing.flows import Flow, Path
from evalkit.routing.outcomes import Outcomes
from evalkit.routing.policy import Policy, fixed

ORDER = 20


def policies(outcomes: Outcomes) -> Iterator[Policy]:
    """Half and half of each two neighbours in cost. Not exported: a router that draws lots is worth nothing."""
    half = np.full((len(outcomes), outcomes.epochs), 0.5)
    for place, (a, b) in enumerate(pairwise(outcomes.models)):
        one, other = (display_name(model, outcomes.models) for model in (a, b))
        title = f"{one} or {other} by lot"
        flow = Flow((Path((place,), half), Path((place + 1,), half)))
        what = f"half of the requests to {one}, half to {other}, whatever they are"
        yield fixed(f"mixture-{place + 1}", title, what, "mixture", flow)
