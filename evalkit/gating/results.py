"""What a gate says: the result of each check, and one verdict of three."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from evalkit import stats
from evalkit.errors import ExitCode
from evalkit.frozen import dataclass
from evalkit.gating.looks import Look
from evalkit.stats import Estimate
from evalkit.wording import Format

Outcome = Literal["pass", "fail", "inconclusive"]
_CODES: Mapping[Outcome, ExitCode] = {
    "pass": ExitCode.PASS,
    "fail": ExitCode.REGRESSION,
    "inconclusive": ExitCode.INCONCLUSIVE,
}


LIKELY_LOSS = "a small real loss is likely"


@dataclass(frozen=True)
class CheckResult:
    """One check on one figure.

    `outcome` is pass where the figure is shown to keep to its limit, else inconclusive until the whole gate has been
    looked at (`settled`). `p_worse`: one-sided p that the candidate is no worse at all, None where nothing was tested;
    0 for what is plainly wrong. `within`: the figure is shown to keep to its limit, so it fails nothing, also where
    something else keeps it from passing. `finding` is a sentence; `limit` what was asked, in words; `needs` what would
    settle it. `regressed`: items that the candidate does worse on, worst first.
    """

    name: str
    outcome: Outcome
    finding: str
    limit: str
    estimate: Estimate | None = None
    style: Format = "points"
    p_worse: float | None = None
    p_holm: float | None = None
    needs: str | None = None
    regressed: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    within: bool = False

    @property
    def likely_loss(self) -> bool:
        """Whether a difference that passes is shown to lie below 0 all the same."""
        high = self.estimate.high if self.estimate is not None and self.style == "points" else None
        return self.outcome == "pass" and high is not None and high < 0


@dataclass(frozen=True)
class Flips:
    """Items whose verdict changes between the two models, both ways; `rate`: their share, with its interval.

    With epochs, of one trial of each side: so the share of a model against itself is what a difference must stand out
    from.
    """

    better: float
    worse: float
    rate: Estimate


@dataclass(frozen=True)
class GateReport:
    """A gate's verdict with all that it rests on. `reason` is the headline's second half; `notes` are sentences.

    `look`: which of the planned looks it is, None where none were planned; `alpha` is that of all of them together.
    `known_worse`: that the candidate is, so that the gate has to fail it; `noticed`: whether it did, None where that is
    open until a later look, or was not asked.
    """

    verdict: Outcome
    baseline: str
    candidate: str
    items: int
    epochs: int
    alpha: float
    checks: tuple[CheckResult, ...]
    reason: str
    notes: tuple[str, ...]
    simulated: bool
    provenance: Mapping[str, Any]
    look: Look | None = None
    flips: Flips | None = None
    noticed: bool | None = None
    known_worse: bool = False

    @property
    def tested_alpha(self) -> float:
        """The one-sided error that the intervals go with: that of the look."""
        return self.alpha if self.look is None else self.look.alpha

    @property
    def headline(self) -> str:
        """The verdict in one line, after whether it is the right one of a candidate known to be worse."""
        seen = {
            None: "NOT TOLD YET: it is open whether the gate notices that",
            True: "NOTICED: the gate notices that",
            False: "NOT NOTICED: the gate would not notice that",
        }
        known = f"{seen[self.noticed]} {self.candidate} is worse; " if self.known_worse else ""
        return f"{known}{self.verdict.upper()}: {self.candidate} in place of {self.baseline}: {self.reason}"

    @property
    def as_asked(self) -> Outcome:
        """How a sensitivity check went: inconclusive while the gate may yet notice."""
        return "inconclusive" if self.noticed is None else "pass" if self.noticed else "fail"

    @property
    def exit_code(self) -> ExitCode:
        """What the command ends with, where the policy does not soften an inconclusive one."""
        if self.known_worse:
            return _CODES[self.as_asked]
        return _CODES[self.verdict]


@dataclass(frozen=True)
class Settled:
    """All checks with their final outcomes, and what follows from them."""

    verdict: Outcome
    checks: tuple[CheckResult, ...]


def settled(checks: Sequence[CheckResult], alpha: float, overall_p: Callable[[float], float] = lambda p: p) -> Settled:
    """Pass if every check passes (intersection-union test, Berger 1982: no correction); fail if one that is not within
    its limit is significantly worse after Holm's adjustment over all that were tested, those that pass among them (left
    out, chance would pick the others); else, and without any check, inconclusive.
    `overall_p` turns a p-value of a look into one of all looks (Maurer and Bretz 2013).
    """
    tested = [overall_p(check.p_worse) for check in checks if check.p_worse is not None]
    adjusted = iter(stats.holm(tested))
    with_p = [c if c.p_worse is None else replace(c, p_holm=next(adjusted)) for c in checks]
    final = tuple(
        replace(c, outcome="fail", needs=None)  # which nothing more can settle
        if c.outcome != "pass" and not c.within and c.p_holm is not None and c.p_holm <= alpha
        else c
        for c in with_p
    )
    outcomes = {check.outcome for check in final}
    if "fail" in outcomes:
        return Settled("fail", final)
    return Settled("pass" if outcomes == {"pass"} else "inconclusive", final)
