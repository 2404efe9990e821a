"""Shares: the same number of people an item, the same number of items a person, and nothing begun is taken away."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from evalkit.assignment import assign

PEOPLE = [f"p{n}" for n in range(6)]


def items_of(count: int) -> list[str]:
    return [f"i{n}" for n in range(count)]


@given(st.integers(0, 40), st.integers(1, 6), st.none() | st.integers(1, 8))
def test_shares_are_even_and_every_item_has_its_graders(count: int, people: int, overlap: int | None) -> None:
    shares = assign(items_of(count), PEOPLE[:people], {}, overlap)
    times = Counter(item for share in shares.values() for item in share)
    assert set(times.values()) <= {min(overlap or people, people)}
    assert len(times) == count
    sizes = [len(share) for share in shares.values()]
    assert max(sizes) - min(sizes) <= 1


@given(st.data())
def test_who_has_begun_an_item_keeps_it_when_others_come(data: st.DataObject) -> None:
    items, early = items_of(data.draw(st.integers(1, 30))), PEOPLE[: data.draw(st.integers(1, 3))]
    overlap = data.draw(st.none() | st.integers(1, 3))
    before = assign(items, early, {}, overlap)
    begun = {i: [g for g in early if i in before[g] and data.draw(st.booleans())] for i in items}
    after = assign(items, [*early, *PEOPLE[3 : data.draw(st.integers(3, 6))]], begun, overlap)
    assert all(item in after[grader] for item, had in begun.items() for grader in had)


def test_a_newcomer_takes_over_half_of_what_nobody_has_looked_at() -> None:
    items = items_of(20)
    shares = assign(items, ["ann", "ben"], {item: ["ann"] for item in items[:10]}, 1)
    assert {grader: len(share) for grader, share in shares.items()} == {"ann": 10, "ben": 10}
    assert set(shares["ann"]) == set(items[:10])


def test_every_two_people_meet_on_some_items() -> None:
    shares = assign(items_of(60), PEOPLE[:4], {}, 2)
    meetings = [len(set(shares[a]) & set(shares[b])) for a in PEOPLE[:4] for b in PEOPLE[:4] if a < b]
    assert min(meetings) > 3


def test_work_begun_beyond_the_overlap_stays_with_both() -> None:
    assert assign(["i"], ["ann", "ben"], {"i": ["ann", "ben"]}, 1) == {"ann": ("i",), "ben": ("i",)}
