"""How an execution came to its end, and what a user is told of it."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from evalkit.error_kinds import CANCELED, GONE, NO_WORKER, PROXY_REFUSES, PROXY_REMEDY, TOO_FAST
from evalkit.errors import BudgetError, InfrastructureError, InterruptedRunError, UsageError
from evalkit.executors.budget import Budget
from evalkit.records import Reply

_NO_SUCH_MODEL = re.compile(
    r"not found|not exist|unknown|no such|invalid model|is invalid|not supported", re.IGNORECASE
)
_BILLING = "billing_error"
_REMEDIES = {
    "authentication_error": "check the key or the credentials",
    _BILLING: "see to the account's credit or payment",
    "permission_error": "have the key allowed to use the model",
    PROXY_REFUSES: PROXY_REMEDY,
    **dict.fromkeys(TOO_FAST, "have the account's limit raised, or wait until it is renewed"),
    "accessDeniedException": "have the credentials allowed to use the model",
    "expiredTokenException": "renew the credentials",
    "unrecognizedClientException": "check the credentials",
    "invalidSignatureException": "check the credentials and this machine's clock",
    "serviceQuotaExceededException": "have the account's quota raised",
}
"""What to do about an error that stops a run. A rate limit that does is one on spending or a day: others pass."""

_OPTIONS = {"run": "-m", "grade": "--judge"}


@dataclass
class Ending:
    """Why the calls came to an end: all done, or stopped, and how many calls were given up unsettled.

    `fatal_model` is the model that was asked when `fatal` came.
    `back`: requests that came back from batches and are not submitted again unasked, by kind and batch: somebody has
    canceled them, or the server keeps their answers no more.
    `at_server`: requests that were left in batches, to be fetched another time.
    `unheard`: a model did not answer, in all the attempts of several calls to it.
    `untimed`: calls whose latency is left out, since our own process stood still while they were under way.
    """

    fatal: Reply | None = None
    fatal_model: str | None = None
    out_of_budget: bool = False
    interrupted: bool = False
    unheard: bool = False
    unsettled: int = 0
    last_failure: Reply | None = None
    at_server: int = 0
    back: Mapping[tuple[str, str], int] = field(default_factory=dict)
    untimed: int = 0

    @property
    def stopped(self) -> bool:
        """Whether no further call may start."""
        return bool(self.fatal or self.out_of_budget or self.interrupted or self.unheard or self.back)


def unknown_model(ending: Ending, answered: Collection[str]) -> str | None:
    """The model that a server does not know, if that stopped the calls; none that has `answered` is such a one.

    Servers without a list of models say so only when the first request comes, and each in its own words. A 404 that
    does not speak of a model is about the address.
    """
    reply, model = ending.fatal, ending.fatal_model
    if reply is None or model is None or model in answered or reply.status not in (400, 404):
        return None
    message = reply.error_message or ""
    if model not in message and not re.search(r"\bmodel\b", message, re.IGNORECASE):
        return None
    return model if reply.status == 404 or _NO_SUCH_MODEL.search(message) else None


def raise_if_stopped(ending: Ending, budget: Budget, command: str, answered: Collection[str] = ()) -> None:
    """Turn an early ending into the error that says what to do next. `answered`: models that have, at any time."""
    if ending.interrupted and ending.at_server:
        raise InterruptedRunError(
            f"interrupted; {ending.at_server} requests stay in batches at the server, which works on and bills them;"
            f" the same `evalkit {command}` command fetches their answers and goes on from here"
        )
    if ending.interrupted:
        raise InterruptedRunError(f"interrupted; the same `evalkit {command}` command goes on from here")
    if (model := unknown_model(ending, answered)) is not None:
        raise UsageError(f"model {model!r} {_of_model(ending, model)}; correct {_OPTIONS[command]}")
    if ending.fatal is not None:
        reply = ending.fatal
        if reply.error_type == NO_WORKER:
            raise InfrastructureError(
                f"{reply.error_message}; then the same `evalkit {command}` command goes on from here"
            )
        kind = _BILLING if reply.status == 402 else reply.error_type
        remedy = _REMEDIES.get(kind or "", "put it right")
        who = "a proxy" if reply.error_type == PROXY_REFUSES else "the API"
        raise InfrastructureError(
            f"{who} stopped the run: {reply.error_type} ({reply.error_message});"
            f" {remedy}, then the same `evalkit {command}` command goes on from here"
        )
    if ending.back:
        canceled = any(kind == CANCELED for kind, _ in ending.back)
        raise (InterruptedRunError if canceled else InfrastructureError)(_told_of_back(ending, command))
    if ending.out_of_budget:
        raise BudgetError(
            f"the budget of ${budget.limit_usd:,.10g} leaves no room for the next request"
            f" ({budget.charged.words(lambda usd: f'${usd:.4f}')} on this run file by run and grade);"
            " raise --budget-usd and run the same command to go on"
        )
    if ending.unsettled:
        last = ending.last_failure
        why = f"{last.error_type}: {last.error_message}" if last else "no answer"
        raise InfrastructureError(
            f"{ending.unsettled} requests failed on every attempt (last: {why});"
            f" the same `evalkit {command}` command tries them again"
        )


def _of_model(ending: Ending, model: str) -> str:
    """What a server has to say against a model: that it has none of this name, or something of its own."""
    message = (ending.fatal and ending.fatal.error_message) or ""
    if not message.replace("model:", "").replace(model, "").strip():
        return "is unknown to this server"
    return f"is {'unknown to' if _NO_SUCH_MODEL.search(message) else 'refused by'} this server ({message})"


def _told_of_back(ending: Ending, command: str) -> str:
    """What became of requests that came back from batches, and what to do for it to go on."""
    others = f"; {ending.at_server} more are in other batches there, which works on and bills them"
    told = []
    for kind, what in _BACK.items():
        counts = {batch: count for (of, batch), count in ending.back.items() if of == kind}
        if counts:
            told.append(f"{sum(counts.values())} {what.format(', '.join(counts))}")
    return (
        f"{'; '.join(told)}{others if ending.at_server else ''};"
        f" the same `evalkit {command}` command submits them again, if they are wanted after all"
    )


_BACK = {
    CANCELED: "requests were canceled at the server by somebody, in {}: they are left open and cost nothing",
    GONE: "answers are not kept by the server any more, of {}: they may have been billed, and would be billed again",
}
