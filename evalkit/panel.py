"""The judges of a run, and how they are asked: all that decides what judging costs."""

from collections.abc import Iterator, Sequence
from typing import Literal

from evalkit.frozen import dataclass
from evalkit.grader_names import judge_name

JudgeContext = Literal["full", "evidence", "reference"]
"""What a judge reads beside the output: input and reference; also the documents that are marked as evidence, where an
item has any; or also all its documents."""


@dataclass(frozen=True)
class Panel:
    """One or more judges, asked `repeats` times each, about outputs one by one or two of an item side by side."""

    judges: tuple[str, ...]
    repeats: int = 1
    context: JudgeContext = "evidence"
    side_by_side: bool = False

    @property
    def views(self) -> Iterator[tuple[str, int, str]]:
        """Each judge's model and each of its repeats (from 1), with the name under which its answers are kept."""
        for model in self.judges:
            for repeat in range(1, self.repeats + 1):
                yield model, repeat, judge_name(model, repeat)

    def asked(
        self,
        judges: Sequence[str] | None,
        repeats: int | None,
        context: JudgeContext | None,
        side_by_side: bool | None,
    ) -> "Panel":
        """This panel with what was asked for instead; None leaves a part as it is."""
        return Panel(
            judges=tuple(dict.fromkeys(judges)) if judges else self.judges,
            repeats=repeats or self.repeats,
            context=context or self.context,
            side_by_side=self.side_by_side if side_by_side is None else side_by_side,
        )
