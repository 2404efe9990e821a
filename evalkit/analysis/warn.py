"""What a reader must know before believing the figures, in sentences, the most serious first."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from evalkit.analysis.agreements import OVERALL, Agreement
from evalkit.analysis.columns import Columns
from evalkit.analysis.corrected import corrected_rate
from evalkit.analysis.graded_by import Grading
from evalkit.analysis.reliability import PANEL, JudgeValidity
from evalkit.analysis.results import ModelResult
from evalkit.analysis.trials import TrialResult, graded_by_sandbox
from evalkit.analysis.views import FEWEST_LABELS, why_dropped
from evalkit.import_costs import on_two_bases
from evalkit.models import few, same_model
from evalkit.records import Snapshot
from evalkit.rubric import Rubric
from evalkit.stats import Estimate
from evalkit.stats.cost import ONE_ITEM
from evalkit.stats.rates import FEW

CEILING = 0.95
ADVISED_ITEMS = (50, 100)
_ENOUGH_FOR_ONE = 10
"""Items of which one that carries a fifth of the cost is out of the ordinary."""


def warnings_for(
    snapshot: Snapshot,
    models: Sequence[ModelResult],
    grading: Grading,
    rubric: Rubric,
    tables: Mapping[str, Columns],
    judges: Sequence[JudgeValidity] = (),
    agreement: Sequence[Agreement] = (),
    shared_items: int = 0,
    results: Sequence[TrialResult] = (),
) -> tuple[str, ...]:
    """Warnings of a run but for its origin; `judges` as people found them that graded the same outputs.

    `agreement` of the graders with each other; `shared_items` have a verdict under every model; `tables` hold the
    trials of each, which `results` are as they came out.
    """
    return (
        *_about_corrected(models, judges, rubric.decision.bar, results),
        *_about_trust(snapshot, grading, judges, agreement),
        *_about_picked(grading, results, judges),
        *_about_gaps(models, grading, tables, results),
        *_about_ends(models, shared_items),
        *_about_money(snapshot, models, grading),
        *_about_models(snapshot, models),
        *_about_import(snapshot),
        *_about_latency(snapshot),
        *_about_hours(snapshot),
        *_about_size(snapshot, models, rubric),
    )


_NO_OUTPUT = "There is no output to grade: no request so far was answered in full; the failures say how each ended."


def _answered(snapshot: Snapshot) -> Iterator[int]:
    """The trials with an output."""
    return (a.trial_id for a in snapshot.attempts if a.grader is None and a.final and a.outcome == "answered")


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun if number == 1 else noun + 's'}"


def disagreement(agreement: Sequence[Agreement]) -> str | None:
    """That grades which another grader would not give carry no verdict; None where they are not that far apart."""
    overall = next((a for a in agreement if a.criterion == OVERALL), None)
    if overall is None or overall.flag.colour != "red":
        return None
    alpha = overall.alpha
    known = "unknown" if alpha.value is None else _signed(alpha.value)
    limits = alpha.reason or "no interval"
    if alpha.low is not None and alpha.high is not None:
        limits = f"{_signed(alpha.low)} to {_signed(alpha.high)}"
    return (
        f"The graders are not shown to agree on what is satisfactory: alpha {known} ({limits})."
        " Other graders could turn this verdict."
    )


def _signed(x: float) -> str:
    return f"{x + 0.0:.2f}".replace("-0.00", "0.00").replace("-", "\N{MINUS SIGN}")


def about_origin(snapshot: Snapshot) -> Iterator[str]:
    """That the sandbox stood in for a model, which comes before all else."""
    if snapshot.spec.simulated:
        yield "SIMULATED: the sandbox wrote these outputs; they say nothing about any real model."
    elif graded_by_sandbox(snapshot):
        yield "SIMULATED: the sandbox graded these outputs; the grades say nothing about any real model."


def _about_trust(
    snapshot: Snapshot, grading: Grading, judges: Sequence[JudgeValidity], agreement: Sequence[Agreement]
) -> Iterator[str]:
    if grading.round is None and not any(_answered(snapshot)):
        ended = any(attempt.grader is None and attempt.outcome is not None for attempt in snapshot.attempts)
        yield _NO_OUTPUT if ended else "Nothing has run yet: `evalkit run` comes next."
        return
    if grading.round is None:
        compared = "Outputs were only compared in pairs, so there is no rate yet" if snapshot.preferences else ""
        yield f"{compared or 'Nothing is graded yet'}: `evalkit grade --blind` comes next."
        return
    apart = disagreement(agreement)
    if apart is not None:
        yield apart
    if len(snapshot.rounds) > 1:
        yield (
            f"{len(snapshot.rounds)} rounds of grading exist; the figures rest on round {grading.round.id}"
            f" ({', '.join(grading.graders)}){_idle(grading)}."
        )
    if grading.round.blind is None:
        yield "Grades imported; blinding not known: nobody here can say whether the graders knew who wrote what."
    elif not grading.round.blind:
        yield "NOT BLIND: these outputs were graded with --no-blind; the grades are for debugging only."
    elif any(round_.blind is False for round_ in snapshot.rounds):
        yield "A round was graded with --no-blind as well: whoever has seen it is not blind any more."
    yield from _about_judges(snapshot, grading, judges)
    if grading.merged:
        yield "Files were merged since these grades were given: outputs of the others have none; grade all together."
    yield from _about_showing(grading)
    if grading.identity_marks:
        yield f"{_plural(grading.identity_marks, 'mention')} of a model's or maker's name hidden from the graders."


def _idle(grading: Grading) -> str:
    return f"; {', '.join(grading.idle)} joined it and graded nothing" if grading.idle else ""


def _about_judges(snapshot: Snapshot, grading: Grading, judges: Sequence[JudgeValidity]) -> Iterator[str]:
    calibrated = {one.judge: one.outputs for one in judges if not one.judge.startswith(PANEL)}
    uncalibrated = [judge for judge in grading.judges if judge not in {*calibrated, *grading.dropped}]
    if uncalibrated:
        yield (
            f"Graded by an uncalibrated judge ({', '.join(uncalibrated)}): its error rates are unknown until"
            " people have graded a sample of the same outputs."
        )
    for judge, labels in calibrated.items():
        if labels < FEWEST_LABELS:
            yield f"Judge {judge} is checked on {_plural(labels, 'label')} of people only; {FEWEST_LABELS} are needed."
    inside = [judge for judge in grading.judges if any(same_model(judge, model) for model in snapshot.spec.models)]
    if inside:
        yield f"The judge {inside[0]} is one of the models under test and may favour its own outputs."
    for judge, of_model in grading.answered_by.items():
        answers = sum((Counter(served) for served in of_model.values()), Counter())
        named = few([f"{served} {count:,} times" for served, count in answers.most_common()])
        yield f"Judge {judge} was answered by several models ({named}): its errors are those of all of them."
    for judge, why in grading.dropped.items():
        yield f"Judge {judge} is dropped ({why}): its grades decide nothing, even where nobody else graded."


def _about_corrected(
    models: Sequence[ModelResult], judges: Sequence[JudgeValidity], bar: float, results: Sequence[TrialResult]
) -> Iterator[str]:
    """Where a judge, or all as one, errs so far that what its grades show of the bar is not shown of what people say.

    With few labels the corrected rates show nothing, which is said of the labels; where people decided most outputs,
    no judge's errors matter much.
    """
    decided = Counter((r.key.model, r.decided_by) for r in results)
    for model in models:
        found = corrected_rate(judges, model.model, decided[model.model, "judge"], decided[model.model, "people"])
        shown = _side(model.pass_rate, bar)
        if found is None or shown == (corrected := _side(found[1], bar)):
            continue
        judge, rate = found
        value, low, high = (_beside(share or 0.0, bar) for share in (rate.value, rate.low, rate.high))
        yield (
            f"Corrected for what {judge} got wrong beside people, {model.name} is at {value} ({low} to {high}), which"
            f" {corrected or f'does not show that it {shown}'} the {bar * 100:.10g}% bar: see Graders."
        )


def _about_picked(grading: Grading, results: Sequence[TrialResult], judges: Sequence[JudgeValidity]) -> Iterator[str]:
    """That people saw what a judge had told apart, and others were left to its word, however little that is worth."""
    if not grading.picked or not any(r.decided_by == "judge" for r in results):
        return
    yield (
        "People were asked about outputs for what a judge had said of them (`--discordant`), and the judge alone"
        " decided others: rates and differences here mix the two. A gate does not, once people's reach far enough."
    )
    for one in judges:
        why = None if one.judge.startswith(PANEL) else why_dropped(one.accuracy, one.outputs)
        if why:
            yield (
                f"Judge {one.judge} hardly tells good outputs from bad ones ({why}), and decides those that people were"
                " not asked about: have people grade all before you rely on a rate."
            )


def _beside(share: float, bar: float) -> str:
    """In percent, with as many digits as tell it from the bar."""
    return f"{share:.2%}" if share != bar and f"{share:.0%}" == f"{bar:.0%}" else f"{share:.0%}"


def _side(rate: Estimate, bar: float) -> str | None:
    """What a rate shows of the bar; None where it shows nothing."""
    if rate.low is None or rate.high is None:
        return None
    return "clears" if rate.low >= bar else "is below" if rate.high < bar else None


def _about_showing(grading: Grading) -> Iterator[str]:
    if grading.open:
        yield "PEEK: people are still grading; these figures will change, and whoever has seen them is not blind."
    elif grading.peeks:
        yield f"Results were looked at {_times(len(grading.peeks))} while people were grading (--peek)."
    if grading.after_results:
        yield (
            f"{_plural(grading.after_results, 'grade')} by people came after results of this run had been shown;"
            " whoever saw them may have known who wrote an output, or which model was ahead."
        )


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _about_gaps(
    models: Sequence[ModelResult], grading: Grading, tables: Mapping[str, Columns], results: Sequence[TrialResult]
) -> Iterator[str]:
    pending = sum(model.counts.pending for model in models)
    planned = sum(model.counts.planned for model in models)
    unanswered = sum(result.unanswered for result in results)
    timed_out = sum(result.timed_out and not result.settled for result in results)
    if pending:
        more = "the same command goes on, with a larger --share or --budget-usd if that ended it"
        failed = f" ({unanswered} of them failed on every attempt so far)" if unanswered else ""
        told = f"{pending:,} of {_plural(planned, 'trial')} {'has' if pending == 1 else 'have'} no outcome yet{failed}"
        yield f"Incomplete: {told} and {'is' if pending == 1 else 'are'} left out; {more}."
    if timed_out:
        told = _plural(timed_out, "trial")
        yield f"{told} that timed out on every attempt so far count as failures; the same command tries them again."
    for model in models:
        if (worst := model.at_worst) is not None and worst.value is not None and model.pass_rate.value is not None:
            yield (
                f"{model.name}: counted as not satisfactory, the trials that failed on every attempt so far would make"
                f" its rate {worst.value:.0%}, not {model.pass_rate.value:.0%}."
            )
    for model in models:
        if model.counts.ungraded and not model.counts.graded and grading.round is not None:
            yield f"{model.name}: no grade of its {_plural(model.counts.ungraded, 'output')} counts: it has no rate."
        beside = model.counts.failed_undecided
        failed = f"{beside} of its {_plural(model.counts.failed, 'failure')}" if beside and model.items else ""
        if model.counts.ungraded and model.counts.graded:
            low, high = (tables[model.model].rate_if(passed) for passed in (0.0, 1.0))
            value = model.pass_rate.value or 0.0  # of a sample, whose failures are not quite those of the run
            low, high = min(low, value), max(high, value)
            too = f", as are {failed}, in proportion" if failed else ""
            yield (
                f"{model.name}: {_plural(model.counts.ungraded, 'output')} ungraded and left out of its rate{too};"
                f" with {'it' if model.counts.ungraded + beside == 1 else 'them'} the rate would lie between {low:.0%}"
                f" and {high:.0%}."
            )
        elif failed:
            yield f"{model.name}: {failed} are left out of its rate, in proportion to the ungraded outputs of the run."


def _about_money(snapshot: Snapshot, models: Sequence[ModelResult], grading: Grading) -> Iterator[str]:
    for model in models:
        if model.items >= _ENOUGH_FOR_ONE:
            heavy = [told for told in model.cost_per_request.warnings if told.startswith(ONE_ITEM)]
            yield from (f"{model.name}: {told}." for told in heavy)
        if model.unpriced_attempts:
            yield f"{model.name}: {_plural(model.unpriced_attempts, 'request')} unpriced: no money figure."
        if model.unknown_cost_attempts and model.spend_usd is None and not model.unpriced_attempts:
            yield f"{model.name}: no cost of its {_plural(model.unknown_cost_attempts, 'request')} is known."
        elif model.unknown_cost_attempts:
            yield (
                f"{model.name}: {_plural(model.unknown_cost_attempts, 'failed or lost attempt')} may have been"
                " billed without the API saying so; its costs are a lower bound."
            )
        if model.cut.attempts:
            yield (
                f"{model.name}: {_plural(model.cut.attempts, 'answer')} broke off, of which a server may bill more than"
                " it told; its costs are a lower bound."
            )
    if grading.judge_usd is None and not grading.judge_attempts:
        yield "A judge's grades were imported; what they cost is not known."
    elif grading.judge_usd is None:
        known = "grading costs more than is known" if grading.judge_known_usd else "the cost of grading is unknown"
        yield f"{_plural(grading.judge_unpriced_attempts, 'request')} of the judge unpriced; {known}."
    elif any(a.grader is not None and a.cost_usd is None for a in snapshot.attempts):
        yield "Failed or lost requests of the judge may have been billed; the cost of grading is a lower bound."


def _about_models(snapshot: Snapshot, models: Sequence[ModelResult]) -> Iterator[str]:
    for model in models:
        others = [served for served in model.served_models if served != model.model]
        if others:
            yield f"{model.name}: asked for {model.model}, but {few(others)} answered."
        if model.context is not None and not model.context.counted:
            yield _about_counting(model.name, [s.counted for s in snapshot.sizes if s.model == model.model])
        asked = snapshot.spec.context_tokens
        if asked is not None and model.context is not None and model.context.largest_tokens > asked:
            yield (
                f"{model.name}: prompts of up to {model.context.largest_tokens:,} tokens, over the {asked:,} asked"
                " for, since evidence is always sent whole."
            )


def _about_counting(name: str, counted: Sequence[bool]) -> str:
    """Why prompt sizes are estimates: no server counted any, or of so many only a sample was asked about."""
    if not any(counted):
        return f"{name}: its prompt sizes are estimates, since the server does not count tokens."
    some = f"{counted.count(False):,} of its {len(counted):,} prompts"
    return f"{name}: the sizes of {some} are estimates from the others' counts."


def _about_import(snapshot: Snapshot) -> Iterator[str]:
    if not snapshot.spec.imported:
        return
    yield "Outputs imported: made elsewhere, so how they were asked for, when, and with what retries is not known."
    bases = on_two_bases((snapshot.spec, model) for model in snapshot.spec.models)
    if bases:
        yield f"{bases[0].upper()}{bases[1:]}: they may differ by caches, batches or discounts alone."
    missing = sum(not item.task for item in snapshot.items)
    if missing:
        yield f"{_plural(missing, 'item')} without a prompt: a grader sees no task for it."
    repeated = sum(often - 1 for task, often in Counter(item.task for item in snapshot.items).items() if task)
    if repeated:
        yield (
            f"Items with the prompt of another: {repeated} of {len(snapshot.items)}. They count as different ones,"
            " which makes intervals too narrow; import repetitions as epochs of one item."
        )
    uneven = len({trial.key.item_id for trial in snapshot.trials}) * len(snapshot.spec.models)
    if len({(trial.key.item_id, trial.key.model) for trial in snapshot.trials}) < uneven:
        yield "Not every model has every item: models are compared on the items they share, rates are over their own."


def _about_latency(snapshot: Snapshot) -> Iterator[str]:
    """Batches tell no latency: whose it is must be said."""
    keys = {trial.id: trial.key for trial in snapshot.trials}
    answered = [a for a in snapshot.attempts if a.grader is None and a.final and a.outcome == "answered"]
    batched = {keys[a.trial_id] for a in answered if a.usage.service_tier == "batch"}
    timed = {keys[a.trial_id] for a in answered if a.latency_s is not None}
    of_none = {key.model for key in batched} - {key.model for key in timed}
    if of_none:
        whose = ", ".join(model for model in snapshot.spec.models if model in of_none)
        yield f"Latency not measured (batch): every answer of {whose} came from a batch, and a batch tells none."
    sampled = {key.model for key in batched} - of_none
    if sampled:
        streamed = {key.item_id for key in timed if key.model in sampled}
        items = streamed | {key.item_id for key in batched if key.model in sampled}
        yield (
            f"Latency comes from {_plural(len(streamed), 'streamed item')} of {len(items)};"
            " for the others it was not measured (batch)."
        )


def _about_hours(snapshot: Snapshot) -> Iterator[str]:
    """Models of merged files were not sent side by side, so that their latencies differ by more than the model."""
    models = {trial.id: trial.key.model for trial in snapshot.trials}
    sessions: dict[str, set[int]] = {}
    for attempt in snapshot.attempts:
        if attempt.grader is None and attempt.latency_s is not None and attempt.session_id is not None:
            sessions.setdefault(models[attempt.trial_id], set()).add(attempt.session_id)
    apart = [f"{one} and {other}" for one, other in combinations(sessions, 2) if not sessions[one] & sessions[other]]
    if apart:
        yield (
            f"Not sent side by side: {'; '.join(apart)}. Their latencies differ by the hour they were measured at as"
            " well as by the model."
        )


def _about_ends(models: Sequence[ModelResult], shared_items: int) -> Iterator[str]:
    """Rates at an end of the scale, where nothing can be told apart; nothing of the few that are graded of many."""
    if any(2 * model.counts.decided < model.counts.planned for model in models):
        return
    rates = [model.pass_rate.value for model in models if model.pass_rate.value is not None]
    at_worst = [model.at_worst.value for model in models if model.at_worst and model.at_worst.value is not None]
    enough = max((model.items for model in models), default=0) >= FEW
    alike = enough and len(rates) > 1 and min(rates + at_worst) > CEILING
    if alike and 2 * shared_items >= max(model.items for model in models):  # else it is not easy items that hide it
        yield (
            f"Ceiling: every model passes more than {CEILING:.0%} of these items, so they cannot tell the models"
            " apart; add harder ones."
        )
    if rates and max(rates) == 0 and any(model.counts.graded for model in models):
        yield "Floor: no model passes any item; look at the rubric and the references first."


def _about_size(snapshot: Snapshot, models: Sequence[ModelResult], rubric: Rubric) -> Iterator[str]:
    number, judged = len(snapshot.items), max((model.items for model in models), default=0)
    if number < ADVISED_ITEMS[0]:
        few, many = ADVISED_ITEMS
        some = f"{judged:,} of " if 0 < judged < number else ""
        only = f"{some}{_plural(number, 'item')}{' with a verdict' if some else ''}"
        yield f"Only {only}: intervals are wide; {few} to {many} are advised."
    if any(c.check and c.check.needs_reference for c in rubric.criteria):
        missing = sum(item.reference is None for item in snapshot.items)
        if missing:
            yield f"{_plural(missing, 'item')} without the reference that a check needs: it stays ungraded."
