"""Items needed to show a difference of two means."""

from evalkit.stats import distributions as stats
from evalkit.stats.inputs import LARGEST, SMALLEST, check_confidence, check_share, numbers, whole_numbers


def miller_items(
    difference: float,
    between_variance: float,
    within_variances: tuple[float, float] = (0.0, 0.0),
    epochs: tuple[int, int] = (1, 1),
    *,
    power: float = 0.80,
    confidence: float = 0.95,
) -> float:
    """Items for a paired two-sided test of a mean `difference` (Miller 2024); to be rounded up.

    (z + z_power)^2 (omega^2 + s_a^2 / m_a + s_b^2 / m_b) / difference^2. `between_variance` omega^2: of the
    items' true differences; `within_variances` s^2: of one trial around its item's mean, each side; `epochs`
    m: trials per item. All in squared units of `difference`, which is not 0. Normal approximation: for 0/1
    outcomes near a margin use `noninferiority_items`. 0 without any variance. Raises ValueError for values
    out of range.
    """
    check_share("power", power)
    check_confidence(confidence)
    numbers("variances", [between_variance, *within_variances], 0)
    trials = [float(count) for count in whole_numbers("epochs", epochs)]
    numbers("difference", [difference])
    if abs(difference) < SMALLEST or min(trials) < 1:
        raise ValueError(f"difference = {difference} with {epochs} epochs: not 0, and one or more, are needed")
    z = float(stats.norm.isf((1 - confidence) / 2) + stats.norm.isf(1 - power))
    variance = between_variance + sum(s / m for s, m in zip(within_variances, trials, strict=True))
    items = variance / difference**2 * z * z
    if items > LARGEST:
        raise ValueError(f"difference = {difference} is too small to be found")
    return items
