"""What was asked of `grade`, parted by whom it concerns: people or judges."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from evalkit.frozen import dataclass
from evalkit.panel import JudgeContext


@dataclass(frozen=True)
class ForPeople:
    """Options that have a meaning for people alone; None or False where they were not given."""

    grader: list[str] | None
    overlap: int | None
    repeat_share: float | None
    ask_author: bool | None
    calibrate: int | None
    discordant: bool
    concordant_share: float | None
    port: int | None
    no_browser: bool
    tty: bool
    export: Path | None
    import_: Path | None
    close: bool
    round_: int | None

    @property
    def given(self) -> Mapping[str, Any]:
        """Those that were given, as they are typed."""
        return _given(self)

    def settings(self, side_by_side: bool | None) -> Mapping[str, Any]:
        """Settings of the round that were asked for, None where not."""
        return {
            "overlap": self.overlap, "repeat_share": self.repeat_share, "ask_author": self.ask_author,
            "sample": self.calibrate, "layout": {None: None, True: "side", False: "point"}[side_by_side],
        }  # fmt: skip


@dataclass(frozen=True)
class ForJudges:
    """Options that have a meaning for judges alone; None or False where they were not given."""

    judge: list[str] | None
    judge_repeats: int | None
    judge_context: JudgeContext | None
    allow_own_judge: bool
    concurrency: int | None
    budget_usd: float | None
    base_url: str | None
    dry_run: bool
    yes: bool

    @property
    def given(self) -> Mapping[str, Any]:
        """Those that were given, as they are typed."""
        return _given(self)


def _given(options: ForPeople | ForJudges) -> Mapping[str, Any]:
    values = {field.name: getattr(options, field.name) for field in fields(options)}
    return {
        f"--{name.rstrip('_').replace('_', '-')}": value
        for name, value in values.items()
        if value is not None and value is not False
    }
