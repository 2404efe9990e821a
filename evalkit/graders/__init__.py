"""Graders: a GradingTask in, a level or a reason for each criterion out."""

from evalkit.frozen import dataclass


@dataclass(frozen=True)
class Finding:
    """What a grader says on one criterion: a level with a comment, or None with the reason it gave none."""

    level: int | None
    comment: str = ""
    reason: str | None = None

    @classmethod
    def ungraded(cls, reason: str) -> "Finding":
        """No level could be given; never the same as the lowest level."""
        return cls(None, "", reason)
