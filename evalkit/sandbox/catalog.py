"""The models the sandbox knows, and what each accepts (state of November 2026)."""

from __future__ import annotations

from typing import Literal

from evalkit.frozen import dataclass

Tier = Literal["opus", "sonnet", "haiku", "fable", "mythos"]

_MILLION = 1_000_000
_ADAPTIVE = frozenset({"adaptive"})
_SWITCHABLE = frozenset({"adaptive", "disabled"})
_BUDGETED = frozenset({"enabled", "disabled"})
_MEDIUM = "medium"
_SOON = "2026-11-30T00:00:00Z"
_LOW_TO_HIGH = ("low", "medium", "high")
_LOW_TO_MAX = (*_LOW_TO_HIGH, "max")
_ALL_EFFORTS = (*_LOW_TO_HIGH, "xhigh", "max")


@dataclass(frozen=True)
class ModelSpec:
    """One model: its limits (tokens), its lifecycle, and the request options it takes.

    `token_factor` is how many tokens its tokenizer counts for one of the 4.6 generation's.
    `thinks_unasked`: thinking is on unless a request turns it off.
    """

    id: str
    tier: Tier
    generation: float
    window: int = _MILLION
    max_output: int = 128_000
    token_factor: float = 1.3
    lifecycle: Literal["active", "deprecated", "retired"] = "active"
    deprecated: str | None = None
    retires: str | None = None
    thinking: frozenset[str] = _ADAPTIVE
    thinks_unasked: bool = True
    efforts: tuple[str, ...] = _ALL_EFFORTS
    default_effort: str = "high"

    @property
    def name(self) -> str:
        """The name people use, such as "Claude Haiku 4.5"."""
        if self.id == "claude-mythos-preview":
            return "Claude Mythos Preview"
        if self.id in BIASED_JUDGES:
            return self.id
        return f"Claude {self.tier.capitalize()} {self.generation:g}"

    @property
    def accepts_prefill(self) -> bool:
        """Whether the last message may be the beginning of the assistant's answer."""
        return self.generation < 5

    @property
    def accepts_forced_tools(self) -> bool:
        """Whether tool_choice may force a tool."""
        return (self.generation < 5.5 or self.tier == "haiku") and self.tier not in ("fable", "mythos")

    @property
    def forces_tools_after_thinking(self) -> bool:
        """Whether tool_choice may force a tool where the model thinks first."""
        return self.generation >= 4.8

    @property
    def accepts_sampling(self) -> bool:
        """Whether temperature and its kin may differ from their defaults under the older API version."""
        return self.generation <= 4.6 and self.tier != "mythos"

    @property
    def created_at(self) -> str:
        """Release time (RFC 3339) as the id dates it; the epoch where the id bears no date."""
        stamp = self.id.rpartition("-")[2]
        if len(stamp) != 8 or not stamp.isdigit():
            return "1970-01-01T00:00:00Z"
        return f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:]}T00:00:00Z"


def _of_4_5(
    model_id: str,
    tier: Tier,
    efforts: tuple[str, ...] = (),
    *,
    deprecated: str | None = None,
    retires: str | None = None,
) -> ModelSpec:
    return ModelSpec(
        model_id, tier, 4.5, 200_000, 64_000, 1.0, "deprecated" if retires else "active", deprecated, retires,
        _BUDGETED, False, efforts,
    )  # fmt: skip


def _of_4_6(model_id: str, tier: Tier, max_output: int) -> ModelSpec:
    accepted = frozenset({"adaptive", "enabled", "disabled"})
    return ModelSpec(
        model_id, tier, 4.6, max_output=max_output, token_factor=1.0, thinking=accepted, thinks_unasked=False,
        efforts=_LOW_TO_MAX,
    )  # fmt: skip


MODELS: tuple[ModelSpec, ...] = (
    ModelSpec("claude-fable-5-2", "fable", 5.2),
    ModelSpec("claude-mythos-5-2", "mythos", 5.2),
    ModelSpec(
        "claude-haiku-5-5", "haiku", 5.5, max_output=64_000, thinking=_SWITCHABLE, default_effort=_MEDIUM
    ),
    ModelSpec("claude-sonnet-5-5", "sonnet", 5.5, thinking=frozenset({"adaptive", "between_tools"})),
    ModelSpec("claude-fable-5-1", "fable", 5.1),
    ModelSpec("claude-opus-5-5", "opus", 5.5, default_effort=_MEDIUM),
    ModelSpec("claude-mythos-5-1", "mythos", 5.1),
    ModelSpec("claude-sonnet-5", "sonnet", 5.0, thinking=_SWITCHABLE),
    ModelSpec("claude-fable-5", "fable", 5.0),
    ModelSpec("claude-mythos-5", "mythos", 5.0),
    ModelSpec("claude-opus-5", "opus", 5.0, thinking=_SWITCHABLE),
    ModelSpec("claude-opus-4-8", "opus", 4.8, thinking=_SWITCHABLE, thinks_unasked=False),
    ModelSpec("claude-opus-4-7", "opus", 4.7, thinking=_SWITCHABLE, thinks_unasked=False),
    _of_4_6("claude-opus-4-6", "opus", 128_000),
    _of_4_6("claude-sonnet-4-6", "sonnet", 64_000),
    _of_4_5("claude-haiku-4-5-20251001", "haiku"),
    _of_4_5("claude-opus-4-5-20251101", "opus", _LOW_TO_HIGH),
    _of_4_5("claude-sonnet-4-5-20250929", "sonnet", deprecated="2026-09-30T00:00:00Z", retires=_SOON),
    ModelSpec(
        "claude-mythos-preview", "mythos", 4.6, lifecycle="retired",
        deprecated="2026-05-31T00:00:00Z", retires="2026-06-30T00:00:00Z",
    ),
    ModelSpec(
        "claude-opus-4-1-20250805", "opus", 4.1, 200_000, 32_000, 1.0, "retired",
        "2026-06-05T00:00:00Z", "2026-08-05T00:00:00Z", _BUDGETED, False, (),
    ),
)  # fmt: skip
BIASED_JUDGES = {
    "sandbox-judge-position": "prefers the output that stands first",
    "sandbox-judge-verbosity": "likes long outputs",
    "sandbox-judge-partial": "passes what is written in the manner of the opus tier and marks the rest down",
    "sandbox-judge-lenient": "passes most of what should fail",
    "sandbox-judge-random": "grades by chance",
}
"""Models of the sandbox's own that judge with a bias, to see whether it is found out. They are not listed."""

ALIASES = {
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
    "claude-opus-4-5": "claude-opus-4-5-20251101",
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
    "claude-opus-4-1": "claude-opus-4-1-20250805",
}
"""Undated ids of dated snapshots: replies name the snapshot."""

_BY_ID = {
    **{spec.id: spec for spec in MODELS},
    **{model_id: ModelSpec(model_id, "sonnet", 5.5, thinks_unasked=False) for model_id in BIASED_JUDGES},
}


def find_model(model_id: str) -> ModelSpec | None:
    """The model of an id or of its alias; None for an id the sandbox does not know."""
    return _BY_ID.get(ALIASES.get(model_id, model_id))
