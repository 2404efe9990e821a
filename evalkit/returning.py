"""Outputs that come a second time, so that a person's consistency is known: which ones, where, and beside what.

An item that came back with the repeated output alone would say so itself. One after the other, an output of the item is
therefore held back at first and comes with the repeat, in an order that is drawn; side by side, all of them come again.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

FEWEST_REPEATS = 3
"""Repeats that a person gets at least, where any are asked for: fewer say nothing about consistency."""

Output = TypeVar("Output")
Draw = Callable[[str, Output], str]
"""A lot for an output and a purpose: one that says which output is repeated must not say where it stands, too."""


def with_repeats(
    screens: Sequence[Sequence[Output]], share: float, whole: bool, draw: Draw[Output]
) -> list[list[tuple[Output, bool]]]:
    """A person's screens with repeats among the later half; each output says whether it is one.

    `share`: of outputs (`whole`: of screens) that come twice, drawn from the first half, so that there is time to
    forget them.
    """
    early = screens[: (len(screens) + 1) // 2]
    units = len(screens) if whole else sum(map(len, screens))
    wanted = max(FEWEST_REPEATS, round(share * units)) if share > 0 else 0
    numbers = _numbers(early, wanted, whole, draw)
    stay, come_back = [[(output, False) for output in screen] for screen in screens], []
    for place, number in enumerate(numbers):
        if number > 0:
            stay[place], again = _parted(screens[place], number, draw)
            come_back.append(again)
    return _spread(stay, come_back, len(early))


def _numbers(screens: Sequence[Sequence[Output]], wanted: int, whole: bool, draw: Draw[Output]) -> list[int]:
    """How many outputs of each screen come again: of as many screens as can be, those with several outputs first."""
    drawn = sorted((n for n, screen in enumerate(screens) if screen), key=lambda n: draw("screen", screens[n][0]))
    drawn.sort(key=lambda n: len(screens[n]) < 2)
    if whole:
        return [len(screen) * (n in drawn[:wanted]) for n, screen in enumerate(screens)]
    numbers = [0] * len(screens)
    for turn in range(max(map(len, screens), default=0)):
        for n in drawn:
            if turn < len(screens[n]) and sum(numbers) < wanted:
                numbers[n] += 1
    return numbers


def _parted(
    screen: Sequence[Output], number: int, draw: Draw[Output]
) -> tuple[list[tuple[Output, bool]], list[tuple[Output, bool]]]:
    """What of a screen is shown at its place, and what comes later: so many repeats, and what was held back."""
    held = list(screen[-1:]) if number < len(screen) else []
    first = screen[: len(screen) - len(held)]
    repeats = sorted(first, key=lambda output: draw("repeat", output))[:number]
    later = [*((output, True) for output in repeats), *((output, False) for output in held)]
    return [(output, False) for output in first], sorted(later, key=lambda shown: draw("place", shown[0]))


def _spread(
    screens: Sequence[list[tuple[Output, bool]]], come_back: Sequence[list[tuple[Output, bool]]], half: int
) -> list[list[tuple[Output, bool]]]:
    """What comes back, evenly over the later half, in the order in which it was first seen."""
    step = (len(screens) - half + 1) / (len(come_back) + 1)
    placed = [(float(place), screen) for place, screen in enumerate(screens)]
    placed += [(half - 0.5 + step * (n + 1), screen) for n, screen in enumerate(come_back)]
    return [screen for _, screen in sorted(placed, key=lambda one: one[0])]
