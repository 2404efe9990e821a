"""Cascades: what their checks see, what asking in vain costs, and how often the checks err."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from analysis_builders import HAIKU, OPUS, SONNET
from hypothesis import given, settings
from hypothesis import strategies as st
from routing_builders import Said, outcomes, run
from routing_worlds import GRADUAL

from evalkit.analysis.routing import NotValued, PolicyValue
from evalkit.policies.cascade import Setting, policies
from evalkit.providers.stream import _ENDINGS
from evalkit.route import Asked, route
from evalkit.router import Output, Request, accepts, ended_well, gives_up, is_json, length_ratio, model_for, review
from evalkit.routing.crossfit import folds_of, on_all, out_of_fold
from evalkit.routing.flows import cascade, worth
from evalkit.routing.outcomes import Outcomes
from evalkit.routing.output_checks import checks_of
from evalkit.routing.policy import Policy
from evalkit.routing.seen import output_of

GOLD = {case["id"]: case for case in json.loads((Path(__file__).parent / "stats/gold.json").read_text())["cases"]}
HEDGE = "I cannot find that in the contract."
VARIED = (
    Said(), Said(False, HEDGE), Said(True, HEDGE), Said(False, "It is 9."), Said(False, "It is", "errored"),
    Said(False, "The fee", "truncated"), Said(False, "No.", "refused"), Said(True, "word " * 60),
)  # fmt: skip
"""Haiku's outputs: a good one, a hedge that is bad and one that is good, a bad one, three bad ends and a long one."""


def found(seen: Outcomes) -> dict[str, Policy]:
    return {each.name: each for each in policies(seen) if isinstance(each, Policy)}


def not_valued(seen: Outcomes) -> dict[str, NotValued]:
    return {each.name: each for each in policies(seen) if isinstance(each, NotValued)}


def varied(repeats: int = 3, **asked: Any) -> Outcomes:
    rows = list(VARIED) * repeats
    plain = [Said(i % 4 != 0, f"Answer {'and more ' * (i % 5)}") for i in range(len(rows))]
    return outcomes(run({HAIKU: rows, SONNET: plain, OPUS: [Said()] * len(rows)}), **asked)


def scored(seen: Outcomes, name: str = "self_check", seed: int = 3) -> Outcomes:
    """The same with a score of every output: higher for good ones, with noise."""
    noise = np.random.default_rng(seed).random(seen.satisfied.shape)
    return replace(seen, scores={name: np.round(seen.satisfied * 0.3 + noise, 3)})


@pytest.mark.parametrize(
    "text",
    [
        "I don't know.", "I do not know which.", "I\u2019m not sure.", "**I cannot\n find** it.",
        "The fee is not mentioned in the documents.", "The contract does not specify a date.",
        "It is not possible to determine the amount.", "There is no information about this.", "I am afraid I must pass",
        "It cannot be determined from the text.", "Not enough information.", "It is unclear whether it applies.",
        "(I was unable to find it)", "As an AI, I have no opinion.", "I couldn't locate the clause.",
    ],
)  # fmt: skip
def test_an_answer_that_gives_up_is_seen(text: str) -> None:
    assert gives_up(text)
    assert gives_up(f"Thank you.\n\n{text.upper()}")


@pytest.mark.parametrize(
    "text",
    [
        "", "The fee is 12 EUR.", "You cannot return it after 30 days.", "We are unable to refund shipping.",
        "Do not hesitate to ask.", "If you do not find your parcel, tell us.", "I know the answer: 12.",
        "No details are needed from you.", "Knowing this is not hard.", "It is not included in the price.",
    ],
)  # fmt: skip
def test_an_answer_that_says_no_is_no_hedge(text: str) -> None:
    assert not gives_up(text)


@pytest.mark.parametrize(
    ("text", "reason", "well"),
    [
        ("Yes.", "end_turn", True), ("Yes.", None, True), ("Yes.", "stop_sequence", True), ("{}", "tool_use", True),
        ("", "end_turn", False), (" \n", None, False), *(("Yes.", reason, False) for reason in _ENDINGS),
    ],
)  # fmt: skip
def test_what_ends_badly_here_ends_badly_there(text: str, reason: str | None, well: bool) -> None:
    assert ended_well(text, reason) is well


@pytest.mark.parametrize(
    ("text", "json_"),
    [
        ('{"a": 1}', True), (" [1, 2]\n", True), ('```json\n{"a": 1}\n```', True), ("```\n[]\n```\n", True),
        ("12", False), ('"text"', False), ("", False), ("```", False), ("``````", False), ('{"a": NaN}', False),
        ('{"a": 1', False), ('Here: {"a": 1}', False), ("[" * 100_000, False), ("[" + "9" * 5000 + "]", False),
    ],
)  # fmt: skip
def test_json_is_an_object_or_a_list_and_nothing_else(text: str, json_: bool) -> None:
    assert is_json(text) is json_


def test_length_is_held_against_what_is_usual_for_such_a_request() -> None:
    short, long = Request("word " * 10), Request("word " * 1000)
    usual = [0.5, 0.5]
    assert length_ratio(short, "word " * 50, usual) > length_ratio(long, "word " * 50, usual)
    assert length_ratio(short, "word " * 50, [0.5, 0.0]) == length_ratio(long, "word " * 50, [0.5, 0.0])
    for limits, taken in (({}, True), ({"least": 99.0}, False), ({"most": 0.01}, False), ({"most": 99.0}, True)):
        assert accepts({"length": {"typical": usual, **limits}}, short, Output(HAIKU, "word " * 50)) is taken


LADDER: Mapping[str, Any] = {
    "kind": "cascade", "first": HAIKU, "accept": {"ended_well": {}, "score": {"name": "sure", "least": 0.5}},
    "then": {"kind": "cascade", "first": SONNET, "accept": {"ended_well": {}}, "then": OPUS},
}  # fmt: skip


@pytest.mark.parametrize(
    ("output", "next_"),
    [
        (Output(HAIKU, "Yes.", "end_turn", {"sure": 0.5}), None),
        (Output(HAIKU, "Yes.", "end_turn", {"sure": 0.49}), SONNET),
        (Output(HAIKU, "", None), SONNET),
        (Output(SONNET, "Yes.", "max_tokens"), OPUS),
        (Output(SONNET, "Yes.", "end_turn"), None),
        (Output(OPUS, "", "refusal"), None),
    ],
)
def test_a_review_says_who_is_asked_next(output: Output, next_: str | None) -> None:
    assert model_for(LADDER, Request("?")) == HAIKU
    assert review(LADDER, Request("?"), output) == next_
    assert review({"kind": "fixed", "model": HAIKU}, Request("?"), output) is None


def test_a_review_needs_what_its_rule_names() -> None:
    with pytest.raises(KeyError, match="sure"):
        review(LADDER, Request("?"), Output(HAIKU, "Yes.", "end_turn"))
    with pytest.raises(ValueError, match="does not ask 'claude-9'"):
        review(LADDER, Request("?"), Output("claude-9", "Yes."))


@pytest.mark.parametrize("epochs", [1, 2])
def test_exported_cascades_decide_as_evaluated_on_every_item(epochs: int) -> None:
    rows: list[Any] = list(VARIED) * 4
    both = rows if epochs == 1 else [[a, b] for a, b in zip(rows, rows[3:] + rows[:3], strict=True)]
    good: list[Any] = [Said(text=f"Fine {'so ' * (i % 7)}") for i in range(len(rows))]
    many = good if epochs == 1 else [[one, one] for one in good]
    seen = scored(outcomes(run({HAIKU: both, SONNET: many[::-1], OPUS: many})))
    names = found(seen)
    assert {"cascade-haiku-sonnet-ended", "cascade-haiku-opus-hedges", "cascade-haiku-sonnet-length",
            "cascade-haiku-sonnet-opus-score-self_check"} <= set(names)  # fmt: skip
    for policy in names.values():
        fitted = on_all(seen, policy)
        rule = json.loads(json.dumps(fitted.rule))
        for i, request in enumerate(seen.requests):
            for epoch in range(epochs):
                asked = [seen.place(model_for(rule, request))]
                while (model := review(rule, request, output_of(seen, i, asked[-1], epoch))) is not None:
                    asked.append(seen.place(model))
                taken = {path.asked for path in fitted.flow.paths if path.weight[i, epoch] == 1}
                assert taken == {tuple(asked)}, (policy.name, i, epoch)


def test_the_gold_case_comes_out_through_the_products_own_path() -> None:
    given_ = GOLD["route.cascade"]["inputs"]
    said = {HAIKU: [Said(bool(ok)) for ok in given_["cheap_ok"]], OPUS: [Said(bool(ok)) for ok in given_["strong_ok"]]}
    analysis = run(said, usd={HAIKU: given_["cheap_cost"][0], OPUS: given_["strong_cost"][0]})
    scores = {(f"item-{i:02d}", HAIKU, 1): {"sure": score} for i, score in enumerate(given_["judge"])}
    seen = outcomes(analysis, scores=scores)
    rule = {
        "kind": "cascade", "first": HAIKU, "accept": {"score": {"name": "sure", "least": given_["tau"]}}, "then": OPUS,
    }  # fmt: skip
    up = np.array(
        [[review(rule, seen.requests[i], output_of(seen, i, 0, 0)) is not None] for i in range(len(seen))], dtype=bool
    )
    its = worth(seen, cascade((0, 1), (up,)))
    assert [its.satisfied.mean(), its.cost_usd.mean(), up.mean()] == pytest.approx(
        GOLD["route.cascade"]["expected"], abs=1e-12
    )
    (check,) = [checks_of(seen)["score-sure"][0]]
    assert not isinstance(check, str)
    tau = [each.accept["score"]["least"] for each in check.settings]
    same = Setting((0, 1), (check,), (next(k for k, least in enumerate(tau) if least > 0.4),))
    assert worth(seen, same.flow).cost_usd == pytest.approx(its.cost_usd)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_cascade_pays_for_all_it_asks(data: st.DataObject) -> None:
    epochs = data.draw(st.integers(1, 3))
    seen = GRADUAL.draw(data.draw(st.integers(0, 99)), data.draw(st.integers(1, 12)), epochs=epochs)
    flags = st.lists(st.booleans(), min_size=len(seen) * epochs, max_size=len(seen) * epochs)
    first, then = (np.array(data.draw(flags)).reshape(len(seen), epochs) for _ in range(2))
    its = worth(seen, cascade((0, 1, 2), (first, then)))
    cost = seen.cost_usd[:, 0] + first * (seen.cost_usd[:, 1] + then * seen.cost_usd[:, 2])
    assert its.cost_usd == pytest.approx(cost.mean(axis=1))
    assert (its.cost_usd >= seen.cost_usd[:, 0].mean(axis=1) - 1e-12).all()
    waits = seen.felt_s[:, 0] + first * (seen.felt_s[:, 1] + then * seen.felt_s[:, 2])
    assert sorted(its.felt_s) == pytest.approx(sorted(waits.ravel()))
    assert its.shares.sum(axis=1) == pytest.approx(1)
    never, always = np.zeros_like(first), np.ones_like(first)
    alone, both = worth(seen, cascade((0, 2), (never,))), worth(seen, cascade((0, 2), (always,)))
    assert alone.cost_usd == pytest.approx(seen.cost_usd[:, 0].mean(axis=1))
    assert alone.satisfied == pytest.approx(seen.satisfied[:, 0].mean(axis=1))
    assert both.satisfied == pytest.approx(seen.satisfied[:, 2].mean(axis=1))
    assert both.cost_usd == pytest.approx((seen.cost_usd[:, 0] + seen.cost_usd[:, 2]).mean(axis=1))


def value_of(seen_run: Any, name: str, **asked: Any) -> PolicyValue:
    return route(seen_run, Asked(**asked)).value_of(name)


def test_the_errors_of_a_check_are_counted_against_the_grades() -> None:
    """Of eight kinds of output a hedge check escalates five: one of three good ones, and four of five bad ones."""
    rows = list(VARIED) * 5
    its = value_of(run({HAIKU: rows, OPUS: [Said()] * len(rows)}), "cascade-haiku-opus-hedges")
    assert its.verifier is not None
    shares = (its.verifier.escalated, its.verifier.good_escalated, its.verifier.bad_accepted)
    assert [each.value for each in shares] == pytest.approx([5 / 8, 1 / 3, 1 / 5])
    assert [each.n for each in shares] == [40, 15, 25]
    assert all(each.low is not None and each.low < (each.value or 0) < (each.high or 0) for each in shares)
    assert its.asked == pytest.approx({HAIKU: 1, OPUS: 5 / 8})
    assert its.verifier.check == "an output of Haiku 4.5 hedges, gives up or is not all there"
    assert value_of(run({HAIKU: rows, OPUS: rows}), f"always-{OPUS}").verifier is None


def test_a_check_without_bad_outputs_has_no_rate_of_passing_them() -> None:
    rows = [Said(True, HEDGE if i < 4 else "Yes.") for i in range(20)]
    verifier = value_of(run({HAIKU: rows, OPUS: rows}), "cascade-haiku-opus-hedges").verifier
    assert verifier is not None
    assert verifier.good_escalated.value == pytest.approx(0.2)
    assert (verifier.bad_accepted.value, verifier.bad_accepted.reason) == (None, "there is no such output")


def test_a_mix_weighs_the_errors_of_a_check_too() -> None:
    """Hedges stand on hard items alone, half of which are bad: production with more of those escalates more."""
    rows = [Said(i % 6 != 5, HEDGE if i % 3 == 2 else "Yes.") for i in range(60)]
    made = run({HAIKU: rows, OPUS: [Said()] * 60})
    verifier = value_of(made, "cascade-haiku-opus-hedges", mix={"easy": 0.1, "medium": 0.1, "hard": 0.8}).verifier
    assert verifier is not None
    assert verifier.escalated.value == pytest.approx(0.8)
    assert verifier.good_escalated.value == pytest.approx(0.4 / 0.6)
    assert verifier.bad_accepted.value == pytest.approx(0)
    assert max(verifier.escalated.high or 9, verifier.good_escalated.high or 9, verifier.bad_accepted.high or 9) <= 1


def test_the_wait_for_an_answer_that_was_cut_counts() -> None:
    rows = [Said(False, "The", "truncated") if i % 4 == 0 else Said() for i in range(40)]
    its = value_of(run({HAIKU: rows, OPUS: [Said()] * 40}), "cascade-haiku-opus-ended")
    assert (its.felt["p50"].value, its.felt["p90"].value) == (pytest.approx(1.0), pytest.approx(5.0))
    assert its.cost_per_request.value == pytest.approx(1 + 10 / 4)


@pytest.mark.parametrize("name", ["cascade-haiku-opus-score-self_check", "cascade-haiku-opus-length"])
def test_a_tuned_threshold_is_not_set_by_the_items_it_is_valued_on(name: str) -> None:
    seen = scored(varied(8, failure_usd=16))
    folds = folds_of(seen)
    before, all_alike = worth(seen, out_of_fold(seen, found(seen)[name], folds)).shares, True
    for fold in range(5):
        mine = (folds == fold)[:, None, None]
        other = replace(seen, satisfied=np.where(mine, 1 - seen.satisfied, seen.satisfied))
        after = worth(other, out_of_fold(other, found(other)[name], folds)).shares
        assert (after[folds == fold] == before[folds == fold]).all()
        all_alike &= bool((after == before).all())
    assert not all_alike, "other items' thresholds have to follow"


@pytest.mark.parametrize(
    ("name", "tuned"),
    [
        ("cascade-haiku-opus-ended", 0), ("cascade-haiku-sonnet-opus-hedges", 0), ("cascade-haiku-opus-length", 2),
        ("cascade-haiku-opus-score-self_check", 1), ("cascade-haiku-sonnet-opus-score-self_check", 2),
    ],
)  # fmt: skip
def test_no_cascade_sets_more_than_two_numbers(name: str, tuned: int) -> None:
    policy_ = found(scored(outcomes(run({m: list(VARIED) * 3 for m in (HAIKU, SONNET, OPUS)}))))
    assert policy_[name].tuned == tuned
    assert max(each.tuned for each in policy_.values()) == 2


def test_a_score_that_tells_good_from_bad_is_worth_its_price() -> None:
    rng = np.random.default_rng(5)
    rows = [Said(i % 3 > 0, f"Answer {i}.") for i in range(120)]
    scores = {
        (f"item-{i:02d}", HAIKU, 1): {"sure": float(np.clip(0.7 * row.good + rng.normal(0.1, 0.1), 0, 1))}
        for i, row in enumerate(rows)
    }
    made = run({HAIKU: rows, OPUS: [Said()] * 120}, usd={HAIKU: 0.01, OPUS: 1.0})
    its = value_of(made, "cascade-haiku-opus-score-sure", scores={**scores, ("item-00", HAIKU, 1): {"sure": 0.9}})
    assert its.shown
    assert its.verifier is not None
    assert (its.verifier.good_escalated.value or 0) < 0.2
    assert (its.verifier.bad_accepted.value or 0) < 0.1


def test_what_a_check_costs_and_takes_is_paid_and_waited_for() -> None:
    rows = [Said(i % 3 > 0) for i in range(30)]
    made = run({HAIKU: rows, OPUS: [Said()] * 30})
    sure = {(f"item-{i:02d}", HAIKU, 1): {"sure": float(i % 4)} for i in range(30)}
    priced = {key: {**numbers, "cost_usd": 0.5, "latency_s": 0.25} for key, numbers in sure.items()}
    name = "cascade-haiku-opus-score-sure"
    without, with_ = (value_of(made, name, scores=scores) for scores in (sure, priced))
    assert with_.cost_per_request.value == pytest.approx((without.cost_per_request.value or 0) + 0.5)
    assert with_.felt["p50"].value == pytest.approx((without.felt["p50"].value or 0) + 0.25)
    assert "is not known, and left out" in without.what
    assert "left out" not in with_.what


def test_what_cannot_be_checked_is_named_with_the_reason() -> None:
    alike = outcomes(run({HAIKU: [Said()] * 8, OPUS: [Said()] * 8}))
    assert {name: each.reason for name, each in not_valued(alike).items()} == {
        "cascade-ended": "every output of Haiku 4.5 is all there",
        "cascade-hedges": "no whole output of Haiku 4.5 hedges or gives up",
        "cascade-length": "all outputs of Haiku 4.5 are as long as is usual",
    }
    some = {(f"item-{i:02d}", HAIKU, 1): {"sure": i / 10} for i in range(6)}
    lacking = outcomes(run({HAIKU: [Said()] * 8, OPUS: [Said()] * 8}), scores=some)
    assert not_valued(lacking)["cascade-score-sure"].reason == (
        "sure is not known of 2 items of Haiku 4.5: item-06, item-07"
    )


def test_an_output_that_is_not_there_needs_no_score() -> None:
    rows = [Said(False, "", "errored") if i == 7 else Said() for i in range(8)]
    scores = {(f"item-{i:02d}", HAIKU, 1): {"sure": i / 10} for i in range(7)}
    seen = outcomes(run({HAIKU: rows, OPUS: [Said()] * 8}), scores=scores)
    flow = found(seen)["cascade-haiku-opus-score-sure"].fit(np.ones(8, dtype=bool)).flow
    assert worth(seen, flow).asked[7].tolist() == [1, 1]


def test_json_is_asked_for_where_most_answers_are_json() -> None:
    jsons = [Said(i % 3 > 0, '{"a": 1}' if i % 3 else '{"a": ') for i in range(9)]
    asked = found(outcomes(run({HAIKU: jsons, OPUS: [Said(text="{}")] * 9})))
    assert "cascade-haiku-opus-json" in asked
    assert "cascade-haiku-opus-json" not in found(outcomes(run({HAIKU: jsons, OPUS: [Said()] * 9})))


def test_models_of_one_tier_are_told_apart_by_their_rank_in_cost() -> None:
    rows = [Said(i % 2 == 0, HEDGE if i % 2 else "Yes.") for i in range(8)]
    analysis = run({HAIKU: rows, "another": rows}, usd={HAIKU: 1.0, "another": 2.0})
    assert "cascade-1-2-hedges" in found(outcomes(analysis))
