"""What routing between the models saves, or might, as a fact beside the verdict."""

from evalkit.analysis.results import Analysis
from evalkit.analysis.routing import PolicyValue
from evalkit.blocks import Fact, words
from evalkit.pairing import reserve
from evalkit.series import clears, routed
from evalkit.wording import NO_NUMBER, doubt, estimated, money

_OF_ALL = "with all routers looked at together"


def savings(analysis: Analysis) -> Fact | None:
    """None where routing was valued and would change nothing that could be shown, or could not be valued."""
    routing, found = analysis.routing, routed(analysis)
    if routing is None or found is None or routing.decision.verdict == "keep":
        return None
    policy, single = found[1], routing.value_of(routing.decision.single).phrase
    if not policy.pass_rate.value or (policy.gain_usd.value or 0.0) <= 0:
        return None
    if routing.decision.settles.startswith(NO_NUMBER):  # so small a gain is no first thing to know
        return None
    if routing.decision.single != f"always-{analysis.decision.option}":
        single = f"{single} (the lowest total of one model)"
    saves, both = f"saves {estimated(policy.gain_usd, 'money')}", ""
    rate, bar = policy.pass_rate, analysis.decision.bar
    if not policy.shown and policy.gain_limits is not None:
        rate, both = policy.rate_together, f", both {_OF_ALL}"
        saves = f"might save {estimated(policy.gain_limits, 'money')}"
    told = (
        f"{policy.opening} {saves} a request over {single}, unsatisfactory answers at {money(routing.failure_usd)}"
        f" included; {estimated(rate, 'percent', bar)} satisfactory{both}{_beside_the_bar(analysis, policy)}"
    )
    if routing.decision.verdict == "route":
        return Fact("Routing costs less", words(f"{told}{reserve(policy)}."))
    settles = f" To settle it: {routing.decision.settles}." if routing.decision.settles else ""
    misses = rate.high is not None and rate.high < bar
    title = "Routing might cost less, below your bar" if misses else "Routing could change this"
    return Fact(title, words(f"{told}.{settles}"))


def _beside_the_bar(analysis: Analysis, policy: PolicyValue) -> str:
    """What has to be said of a router that is shown to save and not to clear the bar."""
    rate, bar = policy.rate_together, analysis.decision.bar
    if not policy.shown:
        return ""
    if rate.low is None or rate.low < bar:
        state = "below your bar" if rate.high is not None and rate.high < bar else "not shown to clear"
        return f", {state} ({doubt(rate, 'percent', bar)} {_OF_ALL})"
    return "" if clears(analysis, policy) else ", not shown to clear since the judge overrates its outputs"
