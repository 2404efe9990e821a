"""A mark as a page sends it: what it must look like before anything of it is believed."""

from typing import Annotated

from pydantic import Field, JsonValue

from evalkit.grading_records import MarkKind
from evalkit.marks import Mark
from evalkit.strict import StrictModel

SHORT = Field(min_length=1, max_length=100)


class SentMark(StrictModel):
    """One mark, by a served page or out of a packet."""

    nonce: Annotated[str, SHORT]
    label: Annotated[str, Field(max_length=400)]
    kind: MarkKind
    content: dict[str, JsonValue] = Field(default_factory=dict)
    active_s: float | None = None

    def mark(self) -> Mark:
        """The mark it stands for; the desk says whether it can be one."""
        return Mark(self.nonce, self.label, self.kind, self.content, self.active_s)
