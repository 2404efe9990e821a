"""What is said of how far a decision holds, and of what its items are worth."""

from collections.abc import Mapping

from evalkit.frozen import dataclass


@dataclass(frozen=True)
class Stability:
    """How the decision rule would fall on other items like these: share of paired resamples that each option wins,
    and in which `none` does. All None when there is nothing to resample."""

    shares: Mapping[str, float | None]
    none: float | None
    items: int
    resamples: int


@dataclass(frozen=True)
class Items:
    """What the items are worth: shares of them that every output passes (`ceiling`), none passes (`floor`), or that
    tell outputs apart (`discriminating`, ids). `doubtful` ids: hard outputs pass them and good ones fail."""

    ceiling: float | None
    floor: float | None
    discriminating: float | None
    discriminating_ids: tuple[str, ...]
    floor_ids: tuple[str, ...]
    doubtful_ids: tuple[str, ...]
    warnings: tuple[str, ...]
