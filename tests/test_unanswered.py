"""What failed on every attempt so far, as in an outage, is left out, and keeps a model from a bar that it hangs on."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from analysis_builders import OPUS, SONNET, Book, answered, ended, failed, round_, spec

from evalkit.analysis import analyze
from evalkit.analysis.signals import find_signals
from evalkit.blocks import Items
from evalkit.pairing import against_baseline, compare
from evalkit.records import Attempt, Snapshot
from evalkit.routing.outcomes import outcomes_of
from evalkit.sections import failures, how_sure, item_map, items, verdict
from evalkit.series import lineup

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
    assert (out.decision.verdict, refused.decision.verdict) == ("not_enough_data", "no_option")
    rate = out.models[0].pass_rate
    assert (rate.value, rate.high) == (1.0, 1.0), "of what was answered"
    assert rate.low == refused.models[0].pass_rate.low, "if what is open failed for good"
    assert out.models[0].items_to_clear is None
    assert out.models[0].at_worst == refused.models[0].pass_rate
    assert (out.models[0].counts.pending, refused.models[0].counts.errored) == (40, 40)
    assert [signal(one, "hard-under-bar", OPUS) for one in runs] == ["not enough data", "shown"]
    assert any("(40 of them failed on every attempt so far) and are left out" in told for told in out.warnings)
    assert any("would make its rate 60%, not 100%" in told for told in out.warnings)


def test_hard_items_that_are_refused_are_no_reason_to_see_why_and_a_wrong_request_is() -> None:
    """A refusal is what a user would meet; a request that no server takes says nothing of how hard items are."""
    states = {how.outcome: signal(run([how] * 20, difficulty="hard"), "hard-under-bar", OPUS)
              for how in (ended("refused"), FOR_GOOD)}  # fmt: skip
    assert states == {"refused": "shown", "errored": "not enough data"}


def test_what_timed_out_is_said_to_be_tried_again_and_only_while_it_is() -> None:
    told = "2 trials that timed out on every attempt so far count as failures; the same command tries them again."
    late = replace(failed(), error_type="timeout")
    assert told in analyze(run(share(8, 0, late, late))).warnings
    assert not any("timed out" in warning for warning in analyze(run(share(8, 0, DOWN, FOR_GOOD))).warnings)
    assert not any("timed out" in warning for warning in analyze(run(share(9, 0, replace(late, final=True)))).warnings)


def test_where_everything_timed_out_a_model_has_a_rate_and_after_an_expired_key_none() -> None:
    late = replace(failed(), error_type="timeout")
    slow, refused = (analyze(run([how] * 20)).models[0].pass_rate for how in (late, DOWN))
    assert (slow.value, slow.n) == (0.0, 20)
    assert refused.value is None


def test_parts_are_hedged_like_the_whole_and_picked_by_no_signal() -> None:
    book = Book(spec((OPUS, SONNET)), rounds=[round_(graders=("ann",))])
    for place in range(64):
        book.item(f"item-{place:03d}", difficulty="easy" if place < 32 else "medium")
        for model, usd in ((OPUS, 0.03), (SONNET, 0.01)):
            down = model == SONNET and place % 2
            trial = book.trial(f"item-{place:03d}", DOWN if down else answered(usd), model=model)
            if not down:
                book.grade(trial, int(model == SONNET or place % 8 > 2), grader="ann")
    whole = analyze(book.snapshot())
    for part in whole.slices:
        rate = part.pass_rate[SONNET]
        assert (rate.value, rate.n) == (1.0, 16)
        assert rate.low is not None
        assert rate.low < 0.5, "if what is open failed for good"
    (found,) = (one for one in find_signals(whole, OPUS) if one.id == "winners-differ")
    assert (found.state, found.reason) == (
        "not enough data", "the rule picks a model on 0 of 2 parts of the items",
    )  # fmt: skip


def test_an_outage_clears_no_bar_either() -> None:
    """With the unanswered left out 60 of 60 would clear 80 %; nobody knows that they are like the others."""
    assert analyze(run(share(60, 0))).decision.verdict == "pick"
    open_ = analyze(run(share(60, 0, *[DOWN] * 15)))
    assert (open_.decision.verdict, open_.decision.option, open_.stability) == ("not_enough_data", None, None)
    assert "hangs on trials that failed on every attempt so far" in open_.decision.reasons[OPUS]
    section = how_sure.build(open_)
    assert section is not None
    assert "may hang on trials that failed on every attempt so far" in str(section.blocks)
    assert "first the trials that failed on every attempt so far" in str(section.blocks)
    assert "First come the trials that failed" in str(verdict.build(open_).lede)
    failures_ = failures.build(open_)
    assert failures_ is not None
    assert failures_.heading == "All 60 trials brought an output; 15 have no outcome yet"
    assert analyze(run(share(60, 0, DOWN))).decision.verdict == "pick", "it clears it even if that fails"


def test_a_model_that_answered_nothing_has_no_rate_and_costs_nothing() -> None:
    analysis = analyze(run(share(50, 0), [DOWN] * 50))
    silent = analysis.models[1]
    said = "50 of 50 attempts so far failed: overloaded_error"
    assert {silent.pass_rate.reason, silent.cost_per_satisfactory.reason, silent.human_fix.reason} == {said}
    assert analysis.decision.reasons[silent.model] == said
    assert f"{silent.name} cannot be judged" in str(verdict.build(analysis).blocks)
    short = analyze(run(share(3, 0), [DOWN] * 3))
    assert "Only 3 items: intervals are wide; 50 to 100 are advised." in short.warnings
    some = analyze(run(share(3, 0, DOWN), [DOWN] * 4))
    assert "Only 3 of 4 items with a verdict: intervals are wide; 50 to 100 are advised." in some.warnings
    assert (silent.pass_rate.value, silent.cost_per_request.value) == (None, None)
    assert silent.cost_per_request.reason == "no attempt has succeeded yet"
    assert analysis.pairs[0].items == 0
    assert analysis.decision.option == OPUS


@pytest.mark.parametrize(("how", "worse"), [(DOWN, False), (FOR_GOOD, True)])
def test_an_outage_makes_no_model_worse_than_another_nor_cheaper(how: Attempt, worse: bool) -> None:
    analysis = analyze(run(share(80, 0), share(60, 0, *[how] * 20)))
    found = compare(analysis, SONNET, OPUS)
    assert found is not None
    assert (found.worse, found.better) == (worse, False)
    usd = [model.cost_per_request.value for model in analysis.models]
    assert usd == pytest.approx([0.01, 0.0075 if worse else 0.01])


OUT, WHOLE = share(60, 0, *[DOWN] * 20), share(80, 0)


@pytest.mark.parametrize("sides", [(OUT, WHOLE), (WHOLE, OUT)])
def test_no_change_since_an_earlier_run_comes_of_an_outage(sides: tuple[list[Any], list[Any]]) -> None:
    then, now = (run(side) for side in sides)
    found = analyze(now, then).against[0]
    assert (found.items, found.gain, found.loss, found.improved, found.regressed) == (60, 0, 0, (), ())


@pytest.mark.parametrize(("how", "state"), [(DOWN, "not enough data"), (FOR_GOOD, "shown")])
def test_a_signal_does_not_rest_on_an_outage(how: Attempt, state: str) -> None:
    """Sonnet fails a third of what both answered, and looks no worse for what Opus's server never answered."""
    snapshot = run(share(60, 0, *[how] * 40), [*[True] * 40, *[False] * 20, *[True] * 40], usd=(0.05, 0.01))
    assert signal(snapshot, "cheaper-no-worse", current=OPUS) == state


def test_nothing_is_shown_to_be_alike_that_an_outage_could_undo() -> None:
    """60 of 80 answered as well as ever: no change and no worse, if what failed so far does not fail for good."""
    for rest, level in ((share(20, 0), True), ([DOWN] * 20, False)):
        then, now = run(WHOLE), run(share(60, 0, *rest))
        (found,) = against_baseline(analyze(now, then), lineup(analyze(now)))
        assert (found.level, found.change) == (level, "level" if level else "open")
        cheap = run(WHOLE, share(60, 0, *rest), usd=(0.05, 0.01))
        assert signal(cheap, "cheaper-no-worse", current=OPUS) == ("shown" if level else "not enough data")
        assert any(text.startswith("Ceiling") for text in analyze(cheap).warnings) == level
        high = analyze(cheap).models[1].human_fix.high
        assert high is not None
        assert (high > 5.0 * 0.25) == (not level)  # a quarter of the outputs may have to be put right at $5
        low = analyze(cheap).pairs[0].difference.low
        assert low is not None
        assert (low < -0.2) == (not level)


def test_what_neither_answered_could_part_them_all_the_same() -> None:
    """25 of 80 items are open under both: one may pass them all and the other none."""
    both = run(share(55, 0, *[DOWN] * 25), share(55, 0, *[DOWN] * 25), usd=(0.05, 0.01))
    assert signal(both, "cheaper-no-worse", current=OPUS) == "not enough data"
    difference = analyze(both).pairs[0].difference
    assert (difference.value, difference.n) == (0.0, 55)
    assert difference.low == pytest.approx(-(difference.high or 0.0))
    assert (difference.high or 0.0) > 25 / 80


def test_a_model_is_below_no_bar_that_its_open_trials_could_still_clear() -> None:
    """Half of 60 answers are good, and 140 are open, which may all be."""
    found = analyze(run(share(30, 30, *[DOWN] * 140))).models[0]
    assert found.pass_rate.value == 0.5
    assert (found.pass_rate.high or 0.0) > 170 / 200
    assert analyze(run(share(30, 30, *[DOWN] * 140))).decision.verdict == "not_enough_data"
    assert analyze(run(share(30, 30))).decision.verdict == "no_option"


def test_items_without_every_answer_are_routed_by_no_policy_and_told_apart_on_the_page() -> None:
    analysis = analyze(run(share(70, 0), share(60, 0, *[DOWN] * 10)))
    outcomes = outcomes_of(analysis, 1.0)
    assert (len(outcomes.items), outcomes.left_out) == (60, {"not run by every model": 10})
    section = item_map.build(analysis)
    assert section is not None
    assert section.heading == "Every model satisfies 60 of 70 items; none tells them apart; 10 lack a verdict"
    listed = items.build(analysis)
    assert listed is not None
    assert "0 items on which the models part, 0 items that some model fails" in str(listed.lede)
    views = next(block for block in listed.blocks if isinstance(block, Items))
    assert [output.result for output in views.items[-1].outputs] == [
        "failed on every attempt so far",
        "satisfactory, score 1.00",
    ]
