"""How much a test set can show, and how much more it would take: the answer before any money is spent."""

from bisect import bisect_left
from collections.abc import Sequence

from evalkit import stats
from evalkit.frozen import dataclass
from evalkit.stats import Estimate
from evalkit.stats.gate_power import expected_n_eff, reaches
from evalkit.stats.rates import WILSON_CLUSTERED, two_sided_t, two_sided_z, wilson_limits

TARGET_POWER = 0.80
MOST_ITEMS = 1000
MOST_EPOCHS = 10
GAINS = tuple(range(9))


@dataclass(frozen=True)
class Assumptions:
    """What is known or guessed before the run. Shares in (0, 1); `margin` and `alpha` are the gate's."""

    items: int
    epochs: int = 1
    rate: float = 0.90
    discordance: float = 0.10
    margin: float = 0.10
    alpha: float = 0.05


@dataclass(frozen=True)
class Sizing:
    """What these assumptions imply.

    `rate`: how well one model's rate will be known. `detectable`: smallest difference of two models that shows with
    80 % power, None if none does. `gate_power`: chance that a candidate just as good passes.
    `losses_allowed`: for 0, 1, 2, ... gains, the most losses with which a gate still passes, None where it cannot;
    empty for several epochs, where it decides by an interval and counts no items. `least_items`: items below which a
    gate cannot pass when nothing differs. `items_needed` at these epochs and `epochs_needed` at these items reach 80
    % power; None if over 1,000 items or 10 epochs.
    """

    assumed: Assumptions
    rate: Estimate
    detectable: float | None
    gate_power: float
    losses_allowed: tuple[int | None, ...]
    least_items: int | None
    items_needed: int | None
    epochs_needed: int | None

    @property
    def can_pass_without_difference(self) -> bool:
        """Whether a gate can pass when both sides get the same verdict on every item."""
        return self.least_items is not None and self.assumed.items >= self.least_items


def likely_discordance(rate: float, seen: float) -> float:
    """The share of items that two equal sides differ on: what was seen, but less than independence would give.

    Two independent sides with one rate differ on 2 rate (1 - rate) of the items; real ones share what makes items
    hard and differ on fewer. `rate` and `seen` are shares.
    """
    return max(0.001, min(seen, 0.9 * 2 * rate * (1 - rate)))


def size_up(assumed: Assumptions) -> Sizing:
    """Work out what a set can show. Raises ValueError for shares outside their range, and without an item."""
    n, a = assumed.items, assumed
    if n < 1:
        raise ValueError(f"items = {n}: at least one item is needed")
    power = _power(a, n, a.epochs)
    return Sizing(
        assumed=assumed,
        rate=_rate(a),
        detectable=stats.detectable_difference(n, a.discordance, TARGET_POWER, epochs=a.epochs, rate=a.rate),
        gate_power=power,
        losses_allowed=tuple(stats.losses_allowed(n, a.margin, GAINS, a.alpha)) if a.epochs == 1 else (),
        least_items=stats.smallest_passing_n(a.margin, a.alpha, score_only=a.epochs > 1),
        items_needed=n if power >= TARGET_POWER else _items_needed(assumed),
        epochs_needed=a.epochs if power >= TARGET_POWER else _epochs_needed(assumed),
    )


def _rate(a: Assumptions) -> Estimate:
    """As the analysis will give it, if the rate comes out as assumed."""
    if a.epochs == 1 or a.items == 1:
        return stats.rate(round(a.rate * a.items), a.items)
    n_eff = expected_n_eff(a.items, a.rate, a.discordance, a.epochs)
    n_eff *= (two_sided_z(0.95) / two_sided_t(0.95, a.items - 1)) ** 2
    return Estimate(a.rate, *wilson_limits(a.rate, n_eff, 0.95), 0.95, a.items, WILSON_CLUSTERED)


def _items_needed(a: Assumptions) -> int | None:
    """More items than there are: power does not rise evenly, so that a smaller set can have what these lack."""
    found = stats.noninferiority_items(a.margin, a.rate, a.discordance, a.epochs, power=TARGET_POWER, alpha=a.alpha)
    if found is None or found > a.items:
        return found
    return next((n for n in range(a.items + 1, MOST_ITEMS + 1) if _power(a, n, a.epochs) >= TARGET_POWER), None)


def _epochs_needed(a: Assumptions) -> int | None:
    """Bisection: every epoch averages out more of what is chance, so power rises with them."""
    more = range(a.epochs + 1, MOST_EPOCHS + 1)
    found = bisect_left(
        more, True, key=lambda m: reaches(TARGET_POWER, a.items, a.margin, a.rate, a.discordance, m, a.alpha)
    )
    return more[found] if found < len(more) else None


def _power(a: Assumptions, items: int, epochs: int) -> float:
    return stats.noninferiority_power(items, a.margin, a.rate, a.discordance, epochs, alpha=a.alpha)


def sentences(sizing: Sizing, cost_per_trial_usd: Sequence[float] = ()) -> list[str]:
    """The answer for people, one sentence a line; costs are added where an earlier run gives them."""
    a = sizing.assumed
    low, high = sizing.rate.low, sizing.rate.high
    shown = "no difference" if sizing.detectable is None else f"a difference of {sizing.detectable * 100:.1f} points"
    lines = [
        f"{_items(a)}, {a.epochs} epoch{'s' * (a.epochs > 1)}; assumed: {a.rate:.0%} satisfactory, "
        f"{a.discordance:.0%} of the items differ between two runs by chance.",
        f"One model's rate will be known to within {low:.0%} to {high:.0%} (95 %).",
        f"Between two models {shown} shows with 80 % power.",
        _gate_line(sizing),
        _losses_line(sizing),
    ]
    return [*lines, *_more(sizing, cost_per_trial_usd)]


def _items(a: Assumptions) -> str:
    return f"{a.items} item{'s' * (a.items > 1)}"


def _gate_line(sizing: Sizing) -> str:
    a = sizing.assumed
    line = f"A gate at {a.margin * 100:g} points passes an equally good candidate {sizing.gate_power:.0%} of the time."
    if sizing.can_pass_without_difference:
        return line
    least = "more than 1,000" if sizing.least_items is None else str(sizing.least_items)
    return f"{line} {_items(a)} cannot pass when nothing differs; {least} can."


def _losses_line(sizing: Sizing) -> str:
    allowed = sizing.losses_allowed
    if not allowed:
        return "With several epochs a gate decides by an interval over all of them: no count of lost items settles it."
    said = ", ".join(f"{gain} won: {'none can pass' if k is None else k}" for gain, k in enumerate(allowed[:5]))
    return f"Items it can afford to lose, by items won: {said}."


def _more(sizing: Sizing, cost_per_trial_usd: Sequence[float]) -> list[str]:
    """What would reach the power, and its price; nothing where it is there already."""
    a = sizing.assumed
    if sizing.gate_power >= TARGET_POWER:
        return []
    items, epochs, per_trial_usd = sizing.items_needed, sizing.epochs_needed, sum(cost_per_trial_usd)
    return [
        _way("items", items, f"{MOST_ITEMS:,}", per_trial_usd * a.epochs * ((items or 0) - a.items)),
        _way("epochs", epochs, f"{max(MOST_EPOCHS, a.epochs)}", per_trial_usd * a.items * ((epochs or 0) - a.epochs)),
    ]


def _way(what: str, needed: int | None, most: str, extra_usd: float) -> str:
    if needed is None:
        return f"80 % power by {what} alone takes more than {most} {what}."
    cost = f", about ${extra_usd:,.2f} more" if extra_usd else ""
    return f"80 % power by {what} alone takes {needed} {what}{cost}."
