"""What failed on every attempt so far, as in an outage, shows nothing that it would not show if it were left out."""

from collections.abc import Sequence
from typing import Any

import pytest
from analysis_builders import OPUS, SONNET, Book, answered, ended, failed, round_, spec

from evalkit.analysis import analyze
from evalkit.analysis.signals import find_signals
from evalkit.pairing import compare
from evalkit.records import Attempt, Snapshot
from evalkit.routing.outcomes import outcomes_of
from evalkit.sections import how_sure, item_map

DOWN = failed()
FOR_GOOD = ended("errored", 0.0, status=400, error_type="invalid_request_error")


def run(
    *sides: Sequence[bool | Attempt], difficulty: str | None = None, usd: Sequence[float] = (0.01, 0.01)
) -> Snapshot:
    """A run of one model or two with one epoch; an attempt stands for an item that it did not answer."""
    models = (OPUS, SONNET)[: len(sides)]
    book = Book(spec(models), rounds=[round_(graders=("ann",))])
    for place, fates in enumerate(zip(*sides, strict=True)):
        book.item(f"item-{place:03d}", difficulty=difficulty)
        for model, fate, cost in zip(models, fates, usd, strict=False):
            sent = fate if isinstance(fate, Attempt) else answered(cost)
            trial = book.trial(f"item-{place:03d}", sent, model=model)
            if isinstance(fate, bool):
                book.grade(trial, int(fate), grader="ann")
    return book.snapshot()


def share(passed: int, missed: int, *rest: Any) -> list[Any]:
    return [*[True] * passed, *[False] * missed, *rest]


def signal(snapshot: Snapshot, name: str, current: str) -> str:
    return next(found.state for found in find_signals(analyze(snapshot), current) if found.id == name)


def test_an_outage_puts_no_model_below_the_bar_and_a_refusal_for_good_does() -> None:
    runs = [run(share(60, 0, *[how] * 40), difficulty="hard") for how in (DOWN, FOR_GOOD)]
    out, refused = map(analyze, runs)
    assert out.models[0].pass_rate.value == refused.models[0].pass_rate.value == 0.6
    assert (out.decision.verdict, refused.decision.verdict) == ("not_enough_data", "no_option")
    low, high = out.models[0].pass_rate.low, out.models[0].pass_rate.high
    assert low == refused.models[0].pass_rate.low
    assert high == analyze(run(share(60, 0))).models[0].pass_rate.high
    assert out.slices[0].pass_rate[OPUS].high == high
    assert [signal(one, "hard-under-bar", OPUS) for one in runs] == ["not enough data", "shown"]
    assert any("intervals hold the figures without them too" in told for told in out.warnings)


def test_an_outage_clears_no_bar_either() -> None:
    """With the unanswered left out 60 of 60 would clear 80 %; nobody knows that they are like the others."""
    assert analyze(run(share(60, 0))).decision.verdict == "pick"
    assert analyze(run(share(60, 0, *[DOWN] * 15))).decision.option is None


def test_a_model_that_answered_nothing_may_have_any_rate() -> None:
    analysis = analyze(run(share(50, 0), [DOWN] * 50))
    rate = analysis.models[1].pass_rate
    assert (rate.value, rate.low, rate.high) == (0.0, 0.0, 1.0)
    pair = analysis.pairs[0]
    assert (pair.items, pair.difference.value, pair.p_holm) == (0, None, None)
    assert analysis.decision.option == OPUS


@pytest.mark.parametrize(("how", "worse"), [(DOWN, False), (FOR_GOOD, True)])
def test_an_outage_makes_no_model_worse_than_another(how: Attempt, worse: bool) -> None:
    analysis = analyze(run(share(80, 0), share(60, 0, *[how] * 20)))
    found = compare(analysis, SONNET, OPUS)
    assert found is not None
    assert (found.worse, found.better) == (worse, False)


def test_a_model_that_is_worse_on_what_it_answered_is_still_shown_to_be() -> None:
    found = compare(analyze(run(share(80, 0), share(40, 30, *[DOWN] * 10))), SONNET, OPUS)
    assert found is not None
    assert found.worse


OUT, WHOLE = share(60, 0, *[DOWN] * 20), share(80, 0)


@pytest.mark.parametrize("sides", [(OUT, WHOLE), (WHOLE, OUT)])
def test_no_change_since_an_earlier_run_comes_of_an_outage(sides: tuple[list[Any], list[Any]]) -> None:
    then, now = (run(side) for side in sides)
    found = analyze(now, then).against[0]
    assert found.difference.low is not None
    assert found.difference.high is not None
    assert found.difference.low <= 0 <= found.difference.high
    assert (found.improved, found.regressed) == ((), ())


@pytest.mark.parametrize(("how", "state"), [(DOWN, "not enough data"), (FOR_GOOD, "shown")])
def test_a_signal_that_rests_on_an_outage_is_not_known(how: Attempt, state: str) -> None:
    """Sonnet fails a third of what both answered, and looks no worse for what Opus's server never answered."""
    snapshot = run(share(60, 0, *[how] * 40), [*[True] * 40, *[False] * 20, *[True] * 40], usd=(0.05, 0.01))
    assert signal(snapshot, "cheaper-no-worse", current=OPUS) == state


def test_items_without_every_answer_are_routed_by_no_policy_and_told_apart_in_the_map() -> None:
    analysis = analyze(run(share(70, 0), share(60, 0, *[DOWN] * 10)))
    outcomes = outcomes_of(analysis, 1.0)
    assert len(outcomes.items) == 60
    assert outcomes.left_out == {"without an answer of every model yet": 10}
    section = item_map.build(analysis)
    assert section is not None
    assert section.heading == "Every model satisfies 60 of 70 items; none tells them apart; 10 lack a verdict"


def test_the_choice_is_not_resampled_where_unanswered_trials_decide_it() -> None:
    analysis = analyze(run(share(60, 0, *[DOWN] * 15), share(50, 25)))
    assert analysis.stability is None
    section = how_sure.build(analysis)
    assert section is not None
    assert "hangs on trials that failed on every attempt so far" in str(section.blocks)
