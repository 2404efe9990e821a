"""Known Claude models: tier, order within the tier, context window, lifecycle. Data, not judgement."""

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from evalkit.frozen import dataclass

Tier = Literal["opus", "sonnet", "haiku"]
Lifecycle = Literal["active", "deprecated", "retired"]
Rejected = Literal["forced_tool", "prefill", "high_effort_unthinking", "forced_tool_thinking", "us_only"]
"""Settings by which models differ: a tool that must be called, an answer begun for the model, an effort above high with
thinking switched off, a tool that must be called after thinking, and processing in the US alone."""

LINE_UP: tuple[str, ...] = ("claude-opus-4-6", "claude-sonnet-4-6", "claude-haiku-4-5-20251001")
"""The models a run compares unless told otherwise: the three tiers, pinned."""

BEDROCK = "bedrock:"
"""What the ids of models on Amazon Bedrock begin with; the rest is Bedrock's own id, profile or ARN."""

_BEDROCKS_OWN = re.compile(r"(?:[a-z-]+\.)?anthropic\.claude-|arn:aws[a-z-]*:bedrock:")

BEDROCK_URLS = ("ANTHROPIC_BEDROCK_MANTLE_BASE_URL", "ANTHROPIC_BEDROCK_BASE_URL")
"""What names another server for them: of the Messages endpoint, and of InvokeModel."""

DEFAULT_MAX_TOKENS = 1024
"""Of an answer, unless a user or an item says otherwise."""

DEFAULT_JUDGE = "claude-sonnet-5-5"
"""A model outside the line-up, so that no model grades its own outputs."""


@dataclass(frozen=True)
class Model:
    """What is known about a model id. `pinned` is False for an alias that can change under its user.

    `thinking` and `efforts`: the kinds and levels it accepts, None where that is not known. `rejects`: what it is
    known to turn down; what is not named there may be turned down as well. `price_cliff`: tokens of a prompt, and how
    many times as dear every token of a request is, the answer's too, where the prompt has more; None where it has one
    price. It stands here since the price data take too long to load for a report, which needs no other price of them.
    """

    id: str
    tier: Tier
    generation: tuple[int, int]
    context_tokens: int
    max_output_tokens: int
    lifecycle: Lifecycle = "active"
    retires: str | None = None
    pinned: bool = True
    thinking: frozenset[str] | None = None
    efforts: frozenset[str] | None = None
    rejects: frozenset[Rejected] = frozenset()
    price_cliff: tuple[int, float] | None = None

    @property
    def tokens_per_text(self) -> float:
        """About how many tokens the same text has, over the 4.6 generation: newer tokenizers count some 30 % more.

        Source: the vendor's model pages, November 2026 (Opus from 4.7, Sonnet and Haiku from 5).
        """
        newer = self.generation >= ((4, 7) if self.tier == "opus" else (5, 0))
        return 1.3 if newer else 1.0

    @property
    def smallest_cached_tokens(self) -> int:
        """The shortest beginning of a prompt that is cached at all; what is marked below it costs as if it were not.

        Source: the vendor's caching page, November 2026, and for Sonnet 4.6 what the API does (anthropic-sdk-python
        issue 1194). Of generations that the page does not name the one before is supposed.
        """
        if self.generation >= (5, 5):
            return 512
        if self.tier == "sonnet":
            return 2048 if self.generation >= (4, 6) else 1024
        return 4096 if self.generation >= (4, 5) else 1024

    @property
    def turns_down(self) -> frozenset[Rejected]:
        """What it rejects of its own and of its generation.

        Source of a forced tool after thinking, which models take from 4.8 on: the vendor's page on extended thinking,
        and langchain-aws pull request 1141 for the newer ones.
        """
        found = set(self.rejects)
        if self.generation < (4, 8):
            found.add("forced_tool_thinking")
        if self.generation < (4, 6):
            found.add("us_only")
        return frozenset(found)


_MILLION = 1_000_000
_MOST_NAMED = 4
_ADAPTIVE = frozenset({"adaptive"})
_SWITCHABLE = frozenset({"adaptive", "disabled"})
_ANY_THINKING = frozenset({"adaptive", "enabled", "disabled"})
_BUDGETED = frozenset({"enabled", "disabled"})
_UP_TO_HIGH = frozenset({"low", "medium", "high"})
_UP_TO_MAX = _UP_TO_HIGH | {"max"}
_OF_5_5: frozenset[Rejected] = frozenset({"forced_tool", "prefill"})
_NO_PREFILL: frozenset[Rejected] = frozenset({"prefill", "high_effort_unthinking"})
_THINKS_HARD: frozenset[Rejected] = frozenset({"high_effort_unthinking"})

# State of November 2026, from the SDK's model list and the vendor's deprecation pages; when Opus 4.5 retires (announced
# on 2026-11-23, and tentative) from what Modelpin's release 0.5.7 read there on 2026-11-26.
KNOWN: tuple[Model, ...] = (
    Model("claude-opus-5-5", "opus", (5, 5), _MILLION, 128_000, thinking=_ADAPTIVE, rejects=_OF_5_5),
    Model("claude-opus-5", "opus", (5, 0), _MILLION, 128_000, thinking=_SWITCHABLE, rejects=_THINKS_HARD),
    Model("claude-opus-4-8", "opus", (4, 8), _MILLION, 128_000),
    Model("claude-opus-4-7", "opus", (4, 7), _MILLION, 128_000),
    Model("claude-opus-4-6", "opus", (4, 6), _MILLION, 128_000, thinking=_ANY_THINKING, efforts=_UP_TO_MAX),
    Model("claude-opus-4-5-20251101", "opus", (4, 5), 200_000, 64_000, "deprecated", "2027-01-22"),
    Model("claude-opus-4-5", "opus", (4, 5), 200_000, 64_000, "deprecated", "2027-01-22", pinned=False),
    Model("claude-opus-4-1-20250805", "opus", (4, 1), 200_000, 32_000, "retired", "2026-08-05"),
    Model("claude-opus-4-1", "opus", (4, 1), 200_000, 32_000, "retired", "2026-08-05", pinned=False),
    Model(
        "claude-sonnet-5-5",
        "sonnet",
        (5, 5),
        _MILLION,
        128_000,
        thinking=_ADAPTIVE | {"between_tools"},
        rejects=_OF_5_5,
    ),
    Model("claude-sonnet-5", "sonnet", (5, 0), _MILLION, 128_000, thinking=_SWITCHABLE),
    Model("claude-sonnet-4-6", "sonnet", (4, 6), _MILLION, 64_000, thinking=_ANY_THINKING, efforts=_UP_TO_MAX),
    Model("claude-sonnet-4-5-20250929", "sonnet", (4, 5), 200_000, 64_000, "deprecated", "2026-11-30"),
    Model("claude-sonnet-4-5", "sonnet", (4, 5), 200_000, 64_000, "deprecated", "2026-11-30", pinned=False),
    Model(
        "claude-haiku-5-5",
        "haiku",
        (5, 5),
        _MILLION,
        64_000,
        thinking=_SWITCHABLE,
        rejects=_NO_PREFILL,
        price_cliff=(100_000, 5.0),
    ),
    Model("claude-haiku-4-5-20251001", "haiku", (4, 5), 200_000, 64_000, thinking=_BUDGETED, efforts=frozenset()),
    Model("claude-haiku-4-5", "haiku", (4, 5), 200_000, 64_000, pinned=False, thinking=_BUDGETED, efforts=frozenset()),
)
_BY_ID = {model.id: model for model in KNOWN}


def known(model_id: str) -> Model | None:
    """What is known about the model of an id, on whatever platform; None if this version has never heard of it.

    Bedrock dates the ids of some models that Anthropic does not date, and they are the same models.
    """
    if not model_id.startswith(BEDROCK):
        return _BY_ID.get(model_id)
    if "anthropic." not in model_id:
        return None
    return _BY_ID.get(plain_id(model_id)) or _BY_ID.get(re.sub(r"-\d{8}$", "", plain_id(model_id)))


def smallest_cached_tokens(model_id: str) -> int:
    """As of the model, on whatever platform; the most of an unknown one, lest a saving be foreseen in vain."""
    model = known(_bare(model_id))
    return max(m.smallest_cached_tokens for m in KNOWN) if model is None else model.smallest_cached_tokens


def newer_in_tier(model_id: str) -> tuple[str, ...]:
    """Pinned, active ids of the same tier that came later, newest first; never adopted silently."""
    model = known(model_id)
    if model is None:
        return ()
    later = [m for m in KNOWN if m.tier == model.tier and m.generation > model.generation]
    usable = [m for m in later if m.lifecycle == "active" and m.pinned]
    return tuple(m.id for m in sorted(usable, key=lambda m: m.generation, reverse=True))


def pin_of(alias: str) -> str | None:
    """The known id that an alias stands for, which never changes; None if none is known, or for no alias."""
    model = _BY_ID.get(alias.removesuffix("-latest"))
    if model is None or (model.pinned and model.id == alias):
        return None
    return next((m.id for m in KNOWN if m.pinned and (m.tier, m.generation) == (model.tier, model.generation)), None)


def alias_warning(model_id: str) -> str | None:
    """What to say of an id that can change under its user, with the pin to use instead; None for any other id."""
    base = model_id.removesuffix("-latest")
    model = _BY_ID.get(base)
    if base == model_id and (model is None or model.pinned):
        return None
    pin = pin_of(model_id)
    remedy = f"use its pin {pin!r}" if pin else "name a pinned id, see `evalkit models`"
    return f"model {model_id!r} is an alias and may change between runs; {remedy}"


def display_name(model_id: str, among: Iterable[str] = ()) -> str:
    """A short name for people: `Haiku 4.5` for a known id; else the id itself, as on Bedrock, where it says the region.

    An alias and its pin have the same short name: where both are `among` the models shown, each goes by its id.
    """
    name = _short_name(model_id)
    return model_id if any(other != model_id and _short_name(other) == name for other in among) else name


def _short_name(model_id: str) -> str:
    model = _BY_ID.get(model_id)
    if model is None:
        return model_id
    major, minor = model.generation
    return f"{model.tier.capitalize()} {major}.{minor}" if minor else f"{model.tier.capitalize()} {major}"


def few(ids: Sequence[str]) -> str:
    """Ids in a row, of many the first and their number: a gateway may answer under one for each request."""
    rest = len(ids) - _MOST_NAMED
    return ", ".join(ids) if rest <= 1 else f"{', '.join(ids[:_MOST_NAMED])} and {rest:,} more"


def same_model(one: str, other: str) -> bool:
    """Whether two ids name one model: an alias and its pin, or Bedrock's id and Anthropic's."""
    return _bare(one) == _bare(other)


def _bare(model_id: str) -> str:
    """An id without its date, and Bedrock's without platform, region and revision."""
    return re.sub(r"(?:-latest|[-@]\d{8})$", "", plain_id(model_id.lower()).replace(".", "-"))


def with_platform(model_id: str) -> str:
    """An id as evalkit names it: with `bedrock:` before what is Bedrock's own, a model, profile or ARN."""
    return f"{BEDROCK}{model_id}" if _BEDROCKS_OWN.match(model_id) else model_id


def plain_id(model_id: str) -> str:
    """Anthropic's own id, with its date: what Bedrock's says beside platform, region and revision."""
    if not model_id.startswith(BEDROCK):
        return model_id
    return re.sub(r"-v\d+(?::\d+)?$", "", model_id.removeprefix(BEDROCK).rpartition("anthropic.")[2])
