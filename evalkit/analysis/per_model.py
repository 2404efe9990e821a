"""One model's figures: rate, score, money, clocks, denominators, each with its doubt."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import fsum
from statistics import median

import numpy as np
import numpy.typing as npt

from evalkit import stats
from evalkit.analysis.columns import LEVEL, OUTCOMES, Columns, FloatArray
from evalkit.analysis.corrections import CorrectionCost
from evalkit.analysis.hedge import dearer_by, reaching, scaled, up_to
from evalkit.analysis.repeats import retries
from evalkit.analysis.results import Clock, Context, Counts, CriterionResult, ModelResult, Slice
from evalkit.analysis.trials import TrialResult
from evalkit.cut_streams import cut_streams
from evalkit.frozen import dataclass
from evalkit.models import display_name, known
from evalkit.records import PromptSize
from evalkit.rubric import Rubric
from evalkit.stats import Estimate
from evalkit.stats.estimate import no_estimate
from evalkit.stats.means import T_ON_ITEMS
from evalkit.stats.rates import FEW

QUANTILES = {"p50": 0.50, "p90": 0.90, "p95": 0.95}
_UNFELT = "retries and waits were not recorded"
CLOCKS = {"ttft": "ttft_s", "inter_token": "itl_s", "total": "latency_s", "felt": "felt_s"}
_UNPRICED = "a request is unpriced, so no total can be given"
_UNGRADED = "nothing is graded yet"
_NO_OUTPUT = "there is no output to grade"
_ALL_FAILED = "every attempt so far failed"
NOT_MEASURED = "latency not measured (batch)"


@dataclass(frozen=True)
class Counted:
    """The trials that a rate is made of, by item: whether each was satisfactory, and what it cost."""

    satisfied: tuple[tuple[float, ...], ...]
    costs: tuple[tuple[float, ...], ...] | None
    missing: str = _UNGRADED
    """Why there are none, where there are none."""

    @property
    def repeated(self) -> bool:
        """Whether any item has more than one trial, so that trials are not independent."""
        return any(len(flags) > 1 for flags in self.satisfied)

    @property
    def worth(self) -> float:
        """Trials of one an item that an item carries the evidence of."""
        if not self.repeated:
            return 1.0
        passed, tried = [round(sum(flags)) for flags in self.satisfied], [len(flags) for flags in self.satisfied]
        return stats.cluster_design(passed, tried, unit="item").worth


def counted(trials: Columns) -> Counted:
    """Trials with a verdict (satisfactory or not), grouped by item in a fixed order."""
    decided = ~np.isnan(trials.numbers["satisfied"])
    costs = None if trials.unpriced else trials.by_item("cost_usd", decided)
    return Counted(trials.by_item("satisfied", decided), costs, _why_none(trials))


def _why_none(trials: Columns) -> str:
    """Why trials have no grade: those that all ended without an output, or failed so far, wait for none."""
    ended = trials.outcome >= 0
    if trials.is_open and not ended.any():
        return _ALL_FAILED
    return _NO_OUTPUT if ended.all() and len(trials) and not _answered(trials).any() else _UNGRADED


def _told(trials: Counted, failures: Counter[str], attempts: int) -> Counted:
    """The same, saying of what kinds the attempts failed where all so far did."""
    if trials.missing != _ALL_FAILED:
        return trials
    each = sorted(failures.items())
    kinds = ", ".join(f"{count:,} {kind}" if len(each) > 1 else kind for kind, count in each)
    return replace(trials, missing=f"{failures.total():,} of {attempts:,} attempts so far failed: {kinds}")


def _answered(trials: Columns) -> npt.NDArray[np.bool_]:
    return np.asarray(trials.outcome == OUTCOMES.index("answered"))


def means(lists: Sequence[Sequence[float]]) -> list[float]:
    """One value an item: the item is the unit."""
    return [sum(values) / len(values) for values in lists]


def rate_of(trials: Counted) -> Estimate:
    """Share of satisfactory outputs for a new item: Wilson, on an effective n where items repeat; exact if few."""
    return _share(trials.satisfied, trials.missing)


def hedged_rate(trials: Columns) -> Estimate:
    """The pass rate, with limits out to where open trials could put it."""
    return reaching(rate_of(counted(trials)), _if_open(trials, "at_worst"), _if_open(trials, "at_best"))


def _if_open(trials: Columns, column: str) -> Estimate | None:
    if not trials.is_open:
        return None
    return _share(trials.by_item(column, ~np.isnan(trials.numbers[column])), _UNGRADED)


def _share(flags: Sequence[Sequence[float]], missing: str) -> Estimate:
    if not flags:
        return no_estimate(missing, 0.95, "Wilson")
    if all(len(values) == 1 for values in flags):
        few = len(flags) < FEW  # where Wilson's limits are narrower than the data allow
        return stats.rate(round(sum(map(sum, flags))), len(flags), method="clopper-pearson" if few else "wilson")
    passed, tried = [round(sum(values)) for values in flags], [len(values) for values in flags]
    return stats.rate_clustered(passed, tried, unit="item")


def cost_per_satisfactory(trials: Counted) -> Estimate:
    """Expected spend until one satisfactory output is there, if others are thrown away, USD."""
    if not trials.satisfied:
        return no_estimate(trials.missing, 0.95, "MOVER-log")
    if trials.costs is None:
        return no_estimate(_UNPRICED, 0.95, "MOVER-log")
    if trials.repeated:
        return stats.cost_per_satisfactory_clustered(trials.costs, trials.satisfied)
    return stats.cost_per_satisfactory(means(trials.costs), means(trials.satisfied))


def _hedged_cost(trials: Counted, hedged: Estimate) -> Estimate:
    return scaled(cost_per_satisfactory(trials), dearer_by(rate_of(trials).low, hedged.low))


def human_fix(
    trials: Counted, correction: CorrectionCost, review_usd: float, hedged: Estimate | None = None
) -> Estimate:
    """Expected total per request when every output is looked over and unsatisfactory ones put right, USD.

    `hedged`: the pass rate with open trials allowed for.
    """
    if not trials.satisfied:
        return no_estimate(trials.missing, 0.95, "log-t")
    if trials.costs is None:
        return no_estimate(_UNPRICED, 0.95, "log-t")
    costs, satisfied = means(trials.costs), means(trials.satisfied)
    rate = rate_of(trials)
    total = stats.human_fix_cost(costs, satisfied, correction.usd, review_usd, rate=rate)
    return total if hedged is None else up_to(total, rate, hedged, correction.usd)


def score_of(trials: Columns, column: str, low: float = 0.0, high: float = 1.0) -> Estimate:
    """Mean of a column between `low` and `high`, for a new item, on the 0 to 1 scale.

    Outputs that all stand at an end of the scale, as on a criterion of two levels, are counted as a rate: Student's t
    has too little width for zeros and ones.
    """
    scaled = replace(trials, numbers={column: (trials.numbers[column] - low) / (high - low)})
    graded = ~np.isnan(scaled.numbers[column])
    if np.isin(scaled.numbers[column][graded], (0, 1)).all():
        return _share(scaled.by_item(column, graded), _why_none(trials))
    return mean_score(scaled.means(column, graded))


def mean_score(values: Sequence[float] | FloatArray) -> Estimate:
    """Mean of item values in [0, 1] with a t interval, kept inside the scale."""
    if not len(values):
        return no_estimate(_UNGRADED, 0.95, T_ON_ITEMS)
    return stats.mean_share(values)


def clock(
    trials: Columns, column: str, results: Sequence[TrialResult] = (), untimed: str = "no answer was timed"
) -> Clock:
    """Quantiles of a latency clock over answered trials, seconds; timeouts among `results` enter as censored.

    `untimed` is why there are none.
    The gap between tokens has no timeouts: an answer that never ended has no mean gap.
    """
    timed, given_up = ~np.isnan(trials.numbers[column]), _given_up(results, column)
    values = trials.numbers[column][timed].tolist()
    if not values and not given_up:
        return Clock(dict.fromkeys(QUANTILES, no_estimate(untimed, 0.95, "order statistics")), ())
    items, out = [trials.items[place] for place in trials.item[timed].tolist()], [item for item, _ in given_up]
    limits, repeated = [wait for _, wait in given_up], len({*items, *out}) < len(items) + len(out)
    quantile: Callable[[float], Estimate] = lambda q: (  # noqa: E731
        stats.quantile_clustered(values, items, q, censored=limits, censored_items=out)
        if repeated
        else stats.quantile(values, q, censored=limits)
    )
    return Clock({name: quantile(q) for name, q in QUANTILES.items()}, tuple(sorted(values)), tuple(sorted(limits)))


def _given_up(results: Sequence[TrialResult], column: str) -> list[tuple[str, float]]:
    """Item and seconds waited of each trial that timed out before this clock could stop."""
    waits = []
    for result in results:
        last = result.last
        if last is None or not result.timed_out or (column == "ttft_s" and last.ttft_s is not None):
            continue
        wait = {"ttft_s": last.latency_s, "latency_s": last.latency_s, "felt_s": last.felt_s}.get(column)
        if wait is not None:
            waits.append((result.key.item_id, wait))
    return waits


def counts(trials: Columns) -> Counts:
    """Denominators, in trials."""
    ended = np.bincount(trials.outcome[trials.outcome >= 0], minlength=len(OUTCOMES)).tolist()
    of, verdicts = dict(zip(OUTCOMES, ended, strict=True)), trials.numbers["satisfied"]
    graded = int((~np.isnan(verdicts[_answered(trials)])).sum())
    return Counts(
        planned=len(trials),
        answered=of["answered"],
        refused=of["refused"],
        truncated=of["truncated"],
        errored=of["errored"],
        pending=len(trials) - sum(ended),
        graded=graded,
        ungraded=of["answered"] - graded,
        decided=int((~np.isnan(verdicts)).sum()),
        satisfactory=int((verdicts == 1).sum()),
    )


def _context(sizes: Sequence[PromptSize]) -> Context | None:
    tokens = sorted(size.tokens for size in sizes)
    if not tokens:
        return None
    return Context(tokens[0], round(median(tokens)), tokens[-1], all(size.counted for size in sizes))


def _cost_per_request(trials: Columns, attempted: bool) -> Estimate:
    tried = trials.outcome >= 0
    if not tried.any():
        return no_estimate("no attempt has succeeded yet" if attempted else "nothing has been sent yet", 0.95, "log-t")
    if trials.unpriced:
        return no_estimate(_UNPRICED, 0.95, "log-t")
    return stats.mean_cost(trials.means("cost_usd", tried))


def model_result(
    model: str,
    results: Sequence[TrialResult],
    columns: Columns,
    sizes: Sequence[PromptSize],
    rubric: Rubric,
    correction: CorrectionCost,
    among: Sequence[str],
) -> ModelResult:
    """Everything about one model from its trials; `among` are all models of the run, which it is told from by name."""
    attempts = [attempt for result in results for attempt in result.attempts]
    failures = Counter(a.error_type or "unknown" for a in attempts if a.outcome == "errored")
    trials = _told(counted(columns), failures, len(attempts))
    at_worst, rate = _if_open(columns, "at_worst"), hedged_rate(columns)
    rate = rate_of(trials) if rate.value is None else rate
    unpriced = sum(a.cost_usd is None and a.outcome not in (None, "errored") for a in attempts)
    unknown = bool(attempts) and all(a.cost_usd is None for a in attempts)
    facts = known(model)
    answered = [r.last for r in results if r.last is not None and r.outcome == "answered"]
    untimed = NOT_MEASURED if any(a.usage.service_tier == "batch" for a in answered) else "no answer was timed"
    timed = any(a.latency_s is not None for a in answered)
    return ModelResult(
        model=model,
        name=display_name(model, among),
        tier=facts.tier if facts else None,
        counts=counts(columns),
        items=len(trials.satisfied),
        satisfied_items=sum(means(trials.satisfied)),
        pass_rate=rate,
        score=score_of(columns, "score"),
        cost_per_request=_cost_per_request(columns, bool(attempts)),
        cost_per_satisfactory=_hedged_cost(trials, rate),
        human_fix=human_fix(trials, correction, rubric.economics.review_usd, rate),
        clocks={
            name: clock(columns, column, results, _UNFELT if timed and name == "felt" else untimed)
            for name, column in CLOCKS.items()
        },
        spend_usd=None if unpriced or unknown else fsum(a.cost_usd or 0.0 for a in attempts),
        attempts=len(attempts),
        failed_attempts=sum(a.outcome == "errored" for a in attempts),
        lost_attempts=sum(a.outcome is None for a in attempts),
        unpriced_attempts=unpriced,
        unknown_cost_attempts=sum(r.unknown_cost_attempts for r in results),
        input_tokens=_sum([a.usage.total_input_tokens for a in answered]),
        output_tokens=_sum([a.usage.output_tokens for a in answered]),
        identity_marks=sum(r.identity_marks for r in results),
        context=_context(sizes),
        served_models=tuple(sorted({a.served_model for a in attempts if a.served_model})),
        failures=dict(sorted(failures.items())),
        retries=() if at_worst else retries(trials.satisfied, trials.costs),
        cut=cut_streams(attempts),
        at_worst=at_worst,
        items_to_clear=_items_to_clear(rate, trials, rubric) if at_worst is None else None,
        unnamed_answers=sum(attempt.served_model is None for attempt in answered),
    )


def _items_to_clear(rate: Estimate, trials: Counted, rubric: Rubric) -> int | None:
    """With as many epochs an item as here."""
    return None if rate.value is None else stats.items_to_clear(rate.value, rubric.decision.bar, worth=trials.worth)


def _sum(values: Sequence[int | None]) -> int | None:
    known_values = [value for value in values if value is not None]
    return sum(known_values) if values and len(known_values) == len(values) else None


def slices(
    tables: Mapping[str, Columns],
    groups: Mapping[tuple[str, str], frozenset[str]],
    correction: CorrectionCost,
    review_usd: float,
) -> tuple[Slice, ...]:
    """Each model's figures on parts of the items; `groups` maps (kind, name) to item ids."""
    return tuple(_slice(kind, name, ids, tables, correction, review_usd) for (kind, name), ids in groups.items())


def _slice(
    kind: str,
    name: str,
    ids: frozenset[str],
    tables: Mapping[str, Columns],
    correction: CorrectionCost,
    review_usd: float,
) -> Slice:
    parts = {model: table.of(ids) for model, table in tables.items()}
    trials = {model: counted(part) for model, part in parts.items()}
    rates = {model: hedged_rate(part) for model, part in parts.items()}
    return Slice(
        kind,
        name,
        len(ids),
        pass_rate=rates,
        score={model: score_of(part, "score") for model, part in parts.items()},
        cost_per_satisfactory={model: _hedged_cost(one, rates[model]) for model, one in trials.items()},
        human_fix={m: human_fix(one, correction, review_usd, rates[m]) for m, one in trials.items()},
        counts={model: counts(part) for model, part in parts.items()},
        item_ids=tuple(sorted(ids)),
    )


def criteria(tables: Mapping[str, Columns], rubric: Rubric) -> tuple[CriterionResult, ...]:
    """Each model's mean score on each criterion, over outputs that have a level on it."""
    found = []
    for criterion in rubric.criteria:
        column = f"{LEVEL}{criterion.id}"
        low, high = min(criterion.scale), max(criterion.scale)
        found.append(
            CriterionResult(
                criterion.id,
                criterion.question,
                criterion.kind,
                criterion.critical,
                score={model: score_of(table, column, low, high) for model, table in tables.items()},
                graded={model: int((~np.isnan(table.numbers[column])).sum()) for model, table in tables.items()},
            )
        )
    return tuple(found)
