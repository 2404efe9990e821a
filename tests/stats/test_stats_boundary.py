"""Every public function: the wrong kind of argument is named, and nothing of numpy comes out."""

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from typing import Any, get_type_hints

import numpy as np
import pytest
from test_stats_silence import EDGES

from evalkit import stats
from evalkit.stats import Estimate
from evalkit.stats.boundary import _fits, _kinds, checked

WRONG: tuple[Any, ...] = (
    "3", "", b"3", None, True, 2.5, [1], [], (1,), np.array([[1.0]]), {}, {1}, object(), 1j,
)  # fmt: skip
PLAIN = (float, int, bool, str, type(None))
ALPHA = Estimate(0.7, 0.5, 0.9, 0.95, 9, "m")
OTHERS = [
    (stats.agreement_flag, [(ALPHA, ALPHA, 0.95)]),
    (stats.worth_extra_labels, [(ALPHA, ALPHA)]),
    (stats.above_one_p, [(ALPHA,)]),
    (stats.cascade, [([1, 0], [1, 1], [0.5, 0.4], [0, 1], [3, 4], 0.5)]),
]
FUNCTIONS = [pytest.param(function, calls, id=function.__name__) for function, calls in (*EDGES, *OTHERS)]


def test_no_function_of_the_package_stays_outside_the_boundary() -> None:
    public = [getattr(stats, name) for name in stats.__all__]
    functions = [thing for thing in public if inspect.isfunction(thing)]
    assert {function.__name__ for function in functions} == {function.__name__ for function, _ in (*EDGES, *OTHERS)}
    assert all(inspect.unwrap(function) is not function for function in functions)


@pytest.mark.parametrize(("function", "calls"), FUNCTIONS)
def test_a_wrong_kind_of_argument_is_named(function: Callable[..., Any], calls: list[tuple[Any, ...]]) -> None:
    given = inspect.signature(function).bind(*calls[0])
    for name, hint in get_type_hints(function).items():
        if name == "return":
            continue
        for wrong in WRONG:
            if any(_fits(wrong, kind) for kind in _kinds(hint)):
                continue
            with pytest.raises(ValueError, match=rf"^{name} = .* is not "):
                function(**{**given.arguments, name: wrong})


@pytest.mark.parametrize(("function", "calls"), FUNCTIONS)
def test_wrong_things_inside_lists_are_refused(function: Callable[..., Any], calls: list[tuple[Any, ...]]) -> None:
    given = inspect.signature(function).bind(*max(calls, key=len))
    for name, value in given.arguments.items():
        if isinstance(value, list | np.ndarray):
            for wrong in ("3", {}, object(), 1j, 10**400):
                with pytest.raises(ValueError, match=r"\w"):
                    function(**{**given.arguments, name: [wrong] * max(1, len(value))})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stats.rate("3", 9), "successes = '3' is not a whole number"),
        (lambda: stats.rate(True, 9), "successes = True is not a whole number"),
        (lambda: stats.rate(3, [9]), r"n = \[9\] is not a whole number"),
        (lambda: stats.rate(2.5, 9), "successes = 2.5 is not a whole number"),
        (lambda: stats.rate(3, 9, None), "confidence = None is not a number"),
        (lambda: stats.rate(3, 9, method="wald"), "method = 'wald' is not one of wilson, clopper-pearson"),
        (lambda: stats.cascade([1], [1], [1], [1], [1], float("nan")), r"threshold\[0\] = nan is not a number"),
        (lambda: stats.mean_share([], 5), "confidence = 5 is not between 0 and 1"),
        (lambda: stats.rate(float("nan"), 9), "successes = nan is not a whole number"),
        (lambda: stats.rate(float("-inf"), 9), "successes = -inf is not a whole number"),
        (lambda: stats.sign_flip_p([1], [2], float("inf")), "seed = inf is not a whole number"),
        (lambda: stats.paired_means("ab", [1, 2]), "candidate = 'ab' is not a list"),
        (lambda: stats.human_fix_cost([1], [1], "5"), "correction_usd = '5' is not a number or an Estimate"),
        (lambda: stats.effective_length([[1]], [1], epochs="2"), "epochs = '2' is not a whole number or None"),
        (lambda: stats.break_even(0.5, 0.1), "extra_cost = 0.5 is not an Estimate"),
        (lambda: stats.logistic_per_doubling([[1]], [1], bias_reduced=1), "bias_reduced = 1 is not True or False"),
        (lambda: stats.krippendorff_alpha([[1], [2, "x"]], "nominal"), r"ratings\[1\] = \[2, 'x'\] is not made of"),
        (lambda: stats.krippendorff_alpha([1, 2], "nominal"), "ratings is not made of one flat list"),
        (lambda: stats.quantile_clustered([1, 2], [[1], [1]], 0.5), "items holds something that cannot name"),
    ],
)
def test_the_message_says_what_is_wanted(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


HUGE = 10**30


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (stats.mcnemar_midp, (HUGE, 9)),
        (stats.mcnemar_exact, (1, HUGE)),
        (stats.leniency_midp, (0, 0, 0, HUGE)),
        (stats.rate, (0, 10**400)),
        (stats.rate_clustered, ([1e30], [1e30])),
        (stats.paired_rates_clustered, ([1, 1], [0, 0], 0.95, HUGE)),
        (stats.paired_rates_clustered, ([0.5, 1], [0.5, 0], 0.95, 1001)),
        (stats.noninferiority_power, (9, 0.1, 0.5, 0.1, HUGE)),
        (stats.noninferiority_items, (0.9, 0.5, 0.5, HUGE)),
        (stats.retry_success, ([1], 3, HUGE)),
        (stats.retry_cost, ([[1, 2]], [[0, 0]], HUGE)),
        (stats.beta_retry, (1, 1, HUGE)),
        (stats.cost_per_satisfactory, ([1, 2], [0, 1], 0.95, 1e-320)),
        (stats.items_to_separate, (0.5, 10**400, 1)),
        (stats.items_to_clear, (0.8, 1e-320)),
        (stats.miller_items, (1e-320, 1.0)),
        (stats.sign_flip_p, ([1e99, 1], [0, 0], 0, -1)),
    ],
)
@pytest.mark.filterwarnings("error")
def test_numbers_that_nothing_can_be_counted_with_are_refused(
    function: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    with pytest.raises(ValueError, match="="):
        function(*arguments)


def test_whole_floats_and_numbers_of_numpy_are_as_good_as_plain_ones() -> None:
    plain = stats.paired_rates(9, 2, 50)
    assert plain == stats.paired_rates(9.0, np.int8(2), np.array(50), np.float64(0.95))
    assert stats.newcombe_paired(*np.array([100, 20, 10, 120], dtype=np.int8)) == stats.newcombe_paired(
        100, 20, 10, 120
    )


def test_what_python_itself_refuses_stays_its_own_error() -> None:
    @checked
    def broken(n: int) -> int:
        return n + "1"

    with pytest.raises(TypeError):
        broken(1)
    with pytest.raises(TypeError, match="missing"):
        stats.rate(3)  # wrong on purpose


def parts(result: Any) -> Iterator[Any]:
    """Everything a result is made of."""
    if dataclasses.is_dataclass(result):
        result = [getattr(result, field.name) for field in dataclasses.fields(result)]
    if type(result) in (list, tuple):
        for part in result:
            yield from parts(part)
    else:
        yield result


def in_numpy(argument: Any) -> Any:
    """The same argument as numpy has it."""
    if type(argument) in (float, int):
        return np.asarray(argument)[()]
    if isinstance(argument, list) and all(type(x) in (float, int) for x in argument):
        return np.asarray(argument)
    return argument


@pytest.mark.parametrize(("function", "calls"), FUNCTIONS)
def test_results_are_plain_python(function: Callable[..., Any], calls: list[tuple[Any, ...]]) -> None:
    for arguments in calls:
        for given in (arguments, tuple(map(in_numpy, arguments))):
            assert {type(part) for part in parts(function(*given))} <= set(PLAIN)


def test_results_are_plain_from_their_construction_on() -> None:
    made = Estimate(np.float64(0.5), np.float32(0), None, np.float64(0.95), np.int64(3), "m")
    assert {type(part) for part in parts(made)} <= set(PLAIN)
    shares = stats.WinnerShares((np.float64(0.5), None), np.float64(0.5), np.int32(9), 2)
    assert [type(part) for part in parts(shares)] == [float, type(None), float, int, int]


@pytest.mark.filterwarnings("error")
def test_narrow_numbers_of_numpy_give_what_plain_ones_give() -> None:
    assert stats.mcnemar_exact(1, np.int8(127)) == stats.mcnemar_exact(1, 127)
    assert stats.bonett_price(3, 1, np.int8(127)) == stats.bonett_price(3, 1, 127)
    assert stats.newcombe_paired(*map(np.int8, (100, 20, 3, 4))) == stats.newcombe_paired(100, 20, 3, 4)
    for kind in (np.int8, np.float16, np.float32):
        p, b = np.array([0, 1, 1, 1, 0, 1], dtype=kind), np.array([1, 1, 0, 1, 0, 1], dtype=kind)
        for function in (stats.paired_rates_clustered, stats.paired_means, stats.cost_per_satisfactory):
            assert function(p, b) == function(p.tolist(), b.tolist())
