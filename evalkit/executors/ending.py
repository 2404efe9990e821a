"""How an execution came to its end, and what a user is told of it."""

from dataclasses import dataclass

from evalkit.errors import BudgetError, InfrastructureError, InterruptedRunError
from evalkit.executors.budget import Budget
from evalkit.records import Reply


@dataclass
class Ending:
    """Why the calls came to an end: all done, or stopped, and how many calls were given up unsettled.

    `at_server`: requests that were left in batches, to be fetched another time.
    `unheard`: a model never answered, in all the attempts of the first calls to it.
    """

    fatal: Reply | None = None
    out_of_budget: bool = False
    interrupted: bool = False
    unheard: bool = False
    unsettled: int = 0
    last_failure: Reply | None = None
    at_server: int = 0

    @property
    def stopped(self) -> bool:
        """Whether no further call may start."""
        return self.fatal is not None or self.out_of_budget or self.interrupted or self.unheard


def raise_if_stopped(ending: Ending, budget: Budget, command: str) -> None:
    """Turn an early ending into the error that says what to do next."""
    if ending.interrupted and ending.at_server:
        raise InterruptedRunError(
            f"interrupted; {ending.at_server} requests stay in batches at the server, which works on and bills them;"
            f" the same `evalkit {command}` command fetches their answers and goes on from here"
        )
    if ending.interrupted:
        raise InterruptedRunError(f"interrupted; the same `evalkit {command}` command goes on from here")
    if ending.fatal is not None:
        reply = ending.fatal
        raise InfrastructureError(
            f"the API stopped the run: {reply.error_type} ({reply.error_message});"
            f" put it right, then the same `evalkit {command}` command goes on from here"
        )
    if ending.out_of_budget:
        raise BudgetError(
            f"the budget of ${budget.limit_usd:g} leaves no room for the next request"
            f" (${budget.spent_usd:.4f} spent on this run file by run and grade);"
            " raise --budget-usd and run the same command to go on"
        )
    if ending.unsettled:
        last = ending.last_failure
        why = f"{last.error_type}: {last.error_message}" if last else "no answer"
        raise InfrastructureError(
            f"{ending.unsettled} requests failed on every attempt (last: {why});"
            f" the same `evalkit {command}` command tries them again"
        )
