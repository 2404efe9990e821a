"""One model's figures: rate, score, money, clocks, denominators, each with its doubt."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from statistics import median

import pandas as pd

from evalkit import stats
from evalkit.analysis.corrections import CorrectionCost
from evalkit.analysis.repeats import retries
from evalkit.analysis.results import Clock, Context, Counts, CriterionResult, ModelResult, Slice
from evalkit.analysis.trials import TrialResult, has_unpriced
from evalkit.cut_streams import cut_streams
from evalkit.models import display_name, known
from evalkit.records import PromptSize
from evalkit.rubric import Rubric
from evalkit.stats import Estimate
from evalkit.stats.estimate import no_estimate
from evalkit.stats.means import T_ON_ITEMS
from evalkit.stats.rates import FEW

QUANTILES = {"p50": 0.50, "p90": 0.90, "p95": 0.95}
CLOCKS = {"ttft": "ttft_s", "inter_token": "itl_s", "total": "latency_s", "felt": "felt_s"}
_UNPRICED = "a request is unpriced, so no total can be given"
_UNGRADED = "nothing is graded yet"
NOT_MEASURED = "latency not measured (batch)"


@dataclass(frozen=True)
class Counted:
    """The trials that a rate is made of, by item: whether each was satisfactory, and what it cost."""

    satisfied: tuple[tuple[float, ...], ...]
    costs: tuple[tuple[float, ...], ...] | None

    @property
    def repeated(self) -> bool:
        """Whether any item has more than one trial, so that trials are not independent."""
        return any(len(flags) > 1 for flags in self.satisfied)


def counted(frame: pd.DataFrame) -> Counted:
    """Trials with a verdict (satisfactory or not), grouped by item in a fixed order."""
    verdicts = frame[frame["satisfied"].notna()]
    flags: dict[str, list[float]] = defaultdict(list)
    costs: dict[str, list[float]] = defaultdict(list)
    for item, flag, cost in zip(verdicts["item_id"], verdicts["satisfied"], verdicts["cost_usd"], strict=True):
        flags[item].append(float(flag))
        costs[item].append(float(cost))
    satisfied = tuple(tuple(flags[item]) for item in sorted(flags))
    if has_unpriced(frame):
        return Counted(satisfied, None)
    return Counted(satisfied, tuple(tuple(costs[item]) for item in sorted(costs)))


def means(lists: Sequence[Sequence[float]]) -> list[float]:
    """One value an item: the item is the unit."""
    return [sum(values) / len(values) for values in lists]


def rate_of(trials: Counted) -> Estimate:
    """Share of satisfactory outputs for a new item: Wilson, on an effective n where items repeat; exact if few."""
    return _share(trials.satisfied)


def _share(flags: Sequence[Sequence[float]]) -> Estimate:
    if not flags:
        return no_estimate(_UNGRADED, 0.95, "Wilson")
    if all(len(values) == 1 for values in flags):
        few = len(flags) < FEW  # where Wilson's limits are narrower than the data allow
        return stats.rate(round(sum(map(sum, flags))), len(flags), method="clopper-pearson" if few else "wilson")
    return stats.rate_clustered([round(sum(values)) for values in flags], [len(values) for values in flags])


def cost_per_satisfactory(trials: Counted) -> Estimate:
    """Expected spend until one satisfactory output is there, if others are thrown away, USD."""
    if not trials.satisfied:
        return no_estimate(_UNGRADED, 0.95, "MOVER-log")
    if trials.costs is None:
        return no_estimate(_UNPRICED, 0.95, "MOVER-log")
    if trials.repeated:
        return stats.cost_per_satisfactory_clustered(trials.costs, trials.satisfied)
    return stats.cost_per_satisfactory(means(trials.costs), means(trials.satisfied))


def human_fix(trials: Counted, correction: CorrectionCost, review_usd: float) -> Estimate:
    """Expected total per request when every output is looked over and unsatisfactory ones put right, USD."""
    if not trials.satisfied:
        return no_estimate(_UNGRADED, 0.95, "log-t")
    if trials.costs is None:
        return no_estimate(_UNPRICED, 0.95, "log-t")
    return stats.human_fix_cost(means(trials.costs), means(trials.satisfied), correction.usd, review_usd)


def _item_means(frame: pd.DataFrame, column: str) -> list[float]:
    return [float(value) for value in frame.dropna(subset=[column]).groupby("item_id", sort=True)[column].mean()]


def score_of(frame: pd.DataFrame, column: str, low: float = 0.0, high: float = 1.0) -> Estimate:
    """Mean of a column between `low` and `high`, for a new item, on the 0 to 1 scale.

    Outputs that all stand at an end of the scale, as on a criterion of two levels, are counted as a rate: Student's t
    has too little width for zeros and ones.
    """
    graded = frame[column].notna()
    items, values = frame["item_id"][graded], (frame[column][graded] - low) / (high - low)
    if not values.isin((0, 1)).all():
        return mean_score([float(mean) for mean in values.groupby(items, sort=True).mean()])
    flags = defaultdict[str, list[float]](list)
    for item, value in zip(items, values, strict=True):
        flags[item].append(float(value))
    return _share([flags[item] for item in sorted(flags)])


def mean_score(values: Sequence[float]) -> Estimate:
    """Mean of item values in [0, 1] with a t interval, kept inside the scale."""
    if not values:
        return no_estimate(_UNGRADED, 0.95, T_ON_ITEMS)
    return stats.mean_share(values)


def clock(
    frame: pd.DataFrame, column: str, results: Sequence[TrialResult] = (), untimed: str = "no answer was timed"
) -> Clock:
    """Quantiles of a latency clock over answered trials, seconds; timeouts among `results` enter as censored.

    `untimed` is why there are none.
    The gap between tokens has no timeouts: an answer that never ended has no mean gap.
    """
    answered = frame.dropna(subset=[column])
    values, given_up = [float(value) for value in answered[column]], _given_up(results, column)
    if not values and not given_up:
        return Clock(dict.fromkeys(QUANTILES, no_estimate(untimed, 0.95, "order statistics")), ())
    items, out = list(answered["item_id"]), [item for item, _ in given_up]
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


def counts(frame: pd.DataFrame) -> Counts:
    """Denominators, in trials."""
    of = Counter(frame["outcome"].dropna())
    verdicts = frame["satisfied"]
    graded = int(verdicts[frame["outcome"] == "answered"].notna().sum())
    return Counts(
        planned=len(frame),
        answered=of["answered"],
        refused=of["refused"],
        truncated=of["truncated"],
        errored=of["errored"],
        pending=int(frame["outcome"].isna().sum()),
        graded=graded,
        ungraded=of["answered"] - graded,
        satisfactory=int((verdicts == 1).sum()),
    )


def _context(sizes: Sequence[PromptSize]) -> Context | None:
    tokens = sorted(size.tokens for size in sizes)
    if not tokens:
        return None
    return Context(tokens[0], round(median(tokens)), tokens[-1], all(size.counted for size in sizes))


def _cost_per_request(frame: pd.DataFrame) -> Estimate:
    tried = frame[frame["outcome"].notna()]
    if not len(tried):
        return no_estimate("nothing has been sent yet", 0.95, "log-t")
    if has_unpriced(frame):
        return no_estimate(_UNPRICED, 0.95, "log-t")
    return stats.mean_cost(_item_means(tried, "cost_usd"))


def model_result(
    model: str,
    results: Sequence[TrialResult],
    frame: pd.DataFrame,
    sizes: Sequence[PromptSize],
    rubric: Rubric,
    correction: CorrectionCost,
) -> ModelResult:
    """Everything about one model from its trials."""
    trials = counted(frame)
    rate = rate_of(trials)
    attempts = [attempt for result in results for attempt in result.attempts]
    unpriced = sum(a.cost_usd is None and a.outcome not in (None, "errored") for a in attempts)
    unknown = bool(attempts) and all(a.cost_usd is None for a in attempts)
    facts = known(model)
    answered = [r.last for r in results if r.last is not None and r.outcome == "answered"]
    untimed = NOT_MEASURED if any(a.usage.service_tier == "batch" for a in answered) else "no answer was timed"
    return ModelResult(
        model=model,
        name=display_name(model),
        tier=facts.tier if facts else None,
        counts=counts(frame),
        items=len(trials.satisfied),
        satisfied_items=sum(means(trials.satisfied)),
        pass_rate=rate,
        score=score_of(frame, "score"),
        cost_per_request=_cost_per_request(frame),
        cost_per_satisfactory=cost_per_satisfactory(trials),
        human_fix=human_fix(trials, correction, rubric.economics.review_usd),
        clocks={name: clock(frame, column, results, untimed) for name, column in CLOCKS.items()},
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
        failures=dict(sorted(Counter(a.error_type or "unknown" for a in attempts if a.outcome == "errored").items())),
        retries=retries(trials.satisfied, trials.costs),
        cut=cut_streams(attempts),
        items_to_clear=None if rate.value is None else stats.items_to_clear(rate.value, rubric.decision.bar),
    )


def _sum(values: Sequence[int | None]) -> int | None:
    known_values = [value for value in values if value is not None]
    return sum(known_values) if values and len(known_values) == len(values) else None


def slices(
    frames: Mapping[str, pd.DataFrame],
    groups: Mapping[tuple[str, str], frozenset[str]],
    correction: CorrectionCost,
    review_usd: float,
) -> tuple[Slice, ...]:
    """Each model's figures on parts of the items; `groups` maps (kind, name) to item ids."""
    return tuple(_slice(kind, name, ids, frames, correction, review_usd) for (kind, name), ids in groups.items())


def _slice(
    kind: str,
    name: str,
    ids: frozenset[str],
    frames: Mapping[str, pd.DataFrame],
    correction: CorrectionCost,
    review_usd: float,
) -> Slice:
    parts = {model: frame[frame["item_id"].isin(ids)] for model, frame in frames.items()}
    trials = {model: counted(part) for model, part in parts.items()}
    return Slice(
        kind,
        name,
        len(ids),
        pass_rate={model: rate_of(one) for model, one in trials.items()},
        score={model: score_of(part, "score") for model, part in parts.items()},
        cost_per_satisfactory={model: cost_per_satisfactory(one) for model, one in trials.items()},
        human_fix={model: human_fix(one, correction, review_usd) for model, one in trials.items()},
        counts={model: counts(part) for model, part in parts.items()},
        item_ids=tuple(sorted(ids)),
    )


def criteria(frames: Mapping[str, pd.DataFrame], rubric: Rubric) -> tuple[CriterionResult, ...]:
    """Each model's mean score on each criterion, over outputs that have a level on it."""
    found = []
    for criterion in rubric.criteria:
        column = f"level_{criterion.id}"
        low, high = min(criterion.scale), max(criterion.scale)
        found.append(
            CriterionResult(
                criterion.id,
                criterion.question,
                criterion.kind,
                criterion.critical,
                score={model: score_of(frame, column, low, high) for model, frame in frames.items()},
                graded={model: int(frame[column].notna().sum()) for model, frame in frames.items()},
            )
        )
    return tuple(found)
