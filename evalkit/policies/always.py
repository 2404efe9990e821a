"""Always one model: what every other policy is held against."""

from collections.abc import Iterator

import numpy as np

from evalkit.models import display_name
from evalkit.routing.flows import chosen
from evalkit.routing.outcomes import Outcomes
from evalkit.routing.policy import Policy, fixed

ORDER = 10


def policies(outcomes: Outcomes) -> Iterator[Policy]:
    """One for each model, the cheapest first."""
    for place, model in enumerate(outcomes.models):
        name, flow = display_name(model, outcomes.models), chosen(outcomes, np.full(len(outcomes), place))
        what = f"every request to {name}"
        yield fixed(f"always-{model}", f"Always {name}", what, "single", flow, {"kind": "fixed", "model": model})
