"""Jobs go out in planned order, except that no model waits for another's limits."""

from collections.abc import Iterator
from math import inf

from evalkit.executors.pace import Pace
from evalkit.executors.schedule import Call, Job, Schedule
from evalkit.records import Request


def calls(models: str) -> list[Call]:
    return [Call(f"{n}", n, Request(model, (), 10), 0.0) for n, model in enumerate(models)]


def schedule(models: str, ceiling: int = 2, window: int = 8) -> Schedule:
    return Schedule(iter(calls(models)), lambda _: Pace(ceiling), window)


def take(of: Schedule, now: float = 0.0) -> str:
    """All that may go at one moment, in order."""
    taken = ""
    while isinstance(job := of.next(now), Job):
        of.pace(job.call.request.model).sent(job.call.need, now)
        taken += job.call.subject
    return taken


def test_planned_order_is_kept_while_nothing_is_in_the_way() -> None:
    assert take(schedule("abcabc")) == "012345"


def test_a_model_without_a_free_place_is_passed_by_the_others() -> None:
    assert take(schedule("aaaabab")) == "0146"


def test_no_model_runs_ahead_of_another_by_more_than_the_window() -> None:
    of = schedule("a" * 10 + "b", window=4)
    assert take(of) == "01", "the window holds nothing but calls to a"
    assert of.next(0.0) == inf


def test_a_job_put_back_comes_before_new_ones_once_it_is_due() -> None:
    of = schedule("aaaa", ceiling=9)
    first = of.next(0.0)
    assert isinstance(first, Job)
    of.put_back(first, 5.0)
    assert take(of, 1.0) == "123"
    assert of.next(1.0) == 4.0
    assert of.put_off == 1
    again = of.next(5.0)
    assert again is first
    assert again.since == 5.0, "the pause before an attempt is not our queue"
    assert of.next(6.0) is None


def test_calls_are_drawn_only_as_they_are_needed() -> None:
    drawn: list[int] = []

    def one_by_one() -> Iterator[Call]:
        for call in calls("a" * 1000):
            drawn.append(call.trial_id)
            yield call

    of = Schedule(one_by_one(), lambda _: Pace(2), window=4)
    assert take(of) == "01"
    assert len(drawn) <= 6


def led(*pairs: tuple[str, str | None]) -> list[Call]:
    return [Call(name, n, Request("m", (), 10), 0.0, after=after) for n, (name, after) in enumerate(pairs)]


def test_what_finds_its_prompt_in_the_cache_waits_for_the_first_and_then_goes_before_all_later() -> None:
    order = led(("a", None), ("b", "a"), ("c", "a"), ("d", None), ("e", "d"), ("f", "gone"))
    of = Schedule(iter(order), lambda _: Pace(9), window=8)
    assert take(of) == "adf", "one that waits for nobody in the order waits for nobody"
    assert of.next(0.0) == inf, "b, c and e are left"
    of.asked("a")
    assert take(of) == "bc"
    of.asked("b")
    of.asked("d")
    assert take(of) == "e"
    assert of.next(0.0) is None


def test_those_that_waited_stand_before_what_was_planned_after_them() -> None:
    of = Schedule(iter(led(("a", None), ("b", "a"), ("c", None), ("d", None))), lambda _: Pace(1), window=4)
    first = of.next(0.0)
    assert isinstance(first, Job)
    of.asked("a")
    assert take(of) == "b"
