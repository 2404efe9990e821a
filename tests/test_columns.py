"""Columns of trials: what is taken out of them is what a plain loop over the trials takes out."""

import numpy as np
import pytest
from analysis_builders import OPUS, SONNET, run_of
from hypothesis import given
from hypothesis import strategies as st

from evalkit.analysis.columns import OUTCOMES, Columns, columns_of, in_all
from evalkit.analysis.trials import trial_results
from evalkit.rubric import Rubric

ROWS = st.lists(
    st.tuples(st.sampled_from("abcde"), st.none() | st.booleans(), st.none() | st.floats(0.01, 9)), max_size=14
)


def table(rows: list[tuple[str, bool | None, float | None]]) -> Columns:
    """Answered trials of the items that are named, by item."""
    rows = sorted(rows, key=lambda row: row[0])
    items = sorted({name for name, _, _ in rows})
    numbers = {
        name: np.array([row[place] for row in rows], dtype=np.float64)
        for place, name in ((1, "satisfied"), (2, "cost_usd"))
    }
    item = np.array([items.index(name) for name, _, _ in rows], dtype=np.int64)
    return Columns(tuple(items), item, np.ones(len(rows), dtype=np.int64), np.zeros(len(rows), dtype=np.int64), numbers)


@given(ROWS)
def test_items_with_a_verdict_have_the_means_of_their_trials(rows: list[tuple[str, bool | None, float | None]]) -> None:
    found = table(rows).decided
    decided = {name: [row for row in rows if row[0] == name and row[1] is not None] for name, _, _ in rows}
    expected = {name: kept for name, kept in sorted(decided.items()) if kept}
    assert found.items == tuple(expected)
    assert found.trials.tolist() == [len(kept) for kept in expected.values()]
    assert found.satisfied == pytest.approx(
        [sum(bool(row[1]) for row in kept) / len(kept) for kept in expected.values()]
    )
    costs = [np.mean([np.nan if row[2] is None else row[2] for row in kept]) for kept in expected.values()]
    assert found.cost_usd == pytest.approx(costs, nan_ok=True)


@given(ROWS, st.sets(st.sampled_from("abcxyz")))
def test_some_items_are_a_table_of_their_own(
    rows: list[tuple[str, bool | None, float | None]], wanted: set[str]
) -> None:
    some, own = table(rows).of(wanted), table([row for row in rows if row[0] in wanted])
    assert (some.items, some.item.tolist(), len(some)) == (own.items, own.item.tolist(), len(own))
    for name, column in own.numbers.items():
        assert some.numbers[name] == pytest.approx(column, nan_ok=True)
    everything = np.ones(len(own), dtype=np.bool_)
    assert str(some.by_item("cost_usd", everything)) == str(own.by_item("cost_usd", everything))  # nan as well
    assert some.unpriced == any(cost is None for name, _, cost in rows if name in wanted)


@given(ROWS, ROWS)
def test_sides_meet_on_the_items_that_both_decided(
    ours: list[tuple[str, bool | None, float | None]], theirs: list[tuple[str, bool | None, float | None]]
) -> None:
    sides = table(ours).decided, table(theirs).decided
    both = in_all(sides)
    assert both[0].items == both[1].items == tuple(sorted(set(sides[0].items) & set(sides[1].items)))
    for side, kept in zip(sides, both, strict=True):
        known = dict(zip(side.items, side.satisfied.tolist(), strict=True))
        assert kept.satisfied.tolist() == [known[name] for name in kept.items]


def test_a_models_trials_stand_by_item_in_the_order_they_were_planned_in() -> None:
    snapshot = run_of({OPUS: [[True, False], [False, False]], SONNET: [[True, True], [True, False]]})
    rubric = Rubric.read_back(snapshot.spec.rubric)
    results = [r for r in trial_results(snapshot, rubric) if r.key.model == OPUS]
    found = columns_of(results[::-1], [c.id for c in rubric.criteria])
    assert found.items == ("item-000", "item-001")
    assert found.epoch.tolist() == [2, 1, 2, 1]
    assert found.numbers["satisfied"].tolist() == [0, 1, 0, 0]
    assert {OUTCOMES[code] for code in found.outcome} == {"answered"}
    assert f"level_{rubric.criteria[0].id}" in found.numbers
