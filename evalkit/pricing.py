"""The one place that knows prices: what a request cost, per request, or that nobody can say."""

import re
import warnings
from collections.abc import Mapping
from dataclasses import field, replace
from datetime import UTC, date, datetime, time
from functools import lru_cache
from itertools import chain
from math import fsum, isclose
from typing import TYPE_CHECKING, Any

from evalkit.config import OwnRates
from evalkit.frozen import dataclass
from evalkit.models import BEDROCK, known
from evalkit.rates import Rates
from evalkit.records import Request, Usage
from evalkit.strict import content_sha256

if TYPE_CHECKING:
    from genai_prices.types import PriceCalculation

US_ONLY_FACTOR = 1.1
"""Processing restricted to the US costs this much more on every kind of token; the price data lack it."""

DEAREST_REGION = "us"
"""Where requests may be processed, and cost most, that do not say where: an account has a default of its own."""

BATCH_FACTOR = 0.5
"""Batches cost half of everything, cache included; the price data know it only from 2026-10-14 on."""

_LATER_CUTS: Mapping[str, tuple[date, float]] = {"claude-sonnet-5-5": (date(2026, 10, 7), 0.10)}
"""Cuts of the price of a cache read that the price data do not date: the day, and USD per million more before it."""

OWN_RATES = "own rates"
"""In the version of prices that are not all published ones."""
_ANYWHERE = (None, "global", "not_available")
_FIRST_US_ONLY = (4, 6)


@dataclass(frozen=True)
class Price:
    """Cost of one request in USD; None with the reason where it is unknown, which is not the same as free."""

    usd: float | None
    reason: str | None = None


@dataclass(frozen=True)
class Prices:
    """What requests cost: by the team's own rates for the models these name, by the published ones for all others."""

    own: Mapping[str, OwnRates] = field(default_factory=dict)

    def version(self) -> str:
        """Name and version of the price data, and a hash of own rates; to be kept with every priced result."""
        from importlib.metadata import version  # it loads all of `email`, for nothing where nothing is priced anew

        rates = {model: own.model_dump(mode="json") for model, own in self.own.items()}
        mine = f", {OWN_RATES} {content_sha256(rates)[:12]}" if rates else ""
        return f"genai-prices {version('genai-prices')}{mine}"

    def price(self, model_id: str, usage: Usage, when: datetime) -> Price:
        """What one request cost at the moment `when`: on Anthropic's own API, or on Bedrock by AWS's prices.

        Priced per request and never on summed tokens, since rates change above a context size. Unknown models,
        token counts, kinds of token, tiers and regions are unpriced.
        """
        if usage.total_input_tokens is None or usage.output_tokens is None:
            return Price(None, "the API did not report token counts")
        if usage.service_tier == "priority":
            return Price(None, "priority-tier prices are not published")
        if usage.service_tier not in (None, "standard", "batch"):
            return Price(None, f"no price is known for the service tier {usage.service_tier!r}")
        region = _region_factor(model_id, usage.inference_geo)
        if region is None:
            return Price(None, f"no price is known for processing in {usage.inference_geo!r}")
        own = self.own.get(model_id)
        found = (
            _published(model_id, usage, when.astimezone(UTC).date())
            if own is None
            else _by_own_rates(model_id, own, usage)
        )
        return found if found.usd is None else Price(found.usd * region)

    def unbatched_usd(self, model_id: str, usage: Usage, usd: float, when: datetime, version: str) -> float | None:
        """What a request that was billed `usd`, by prices of this `version`, costs outside a batch.

        None where nobody can say: of own rates that are not these, and of caches and fast mode, which work otherwise
        in a batch.
        """
        if usage.service_tier != "batch":
            return usd
        cached = usage.total_input_tokens != usage.input_tokens
        own = self.own.get(model_id) if OWN_RATES in version else None
        factor = BATCH_FACTOR if own is None else own.batch_factor
        if OWN_RATES in version and not isclose(self.price(model_id, usage, when).usd or 0.0, usd, rel_tol=1e-6):
            return None
        return None if cached or usage.speed == "fast" or factor is None else usd / factor

    def rates(self, model_id: str, when: datetime) -> tuple[float, float] | None:
        """USD per million input and output tokens for a small request; None if unknown."""
        per_input = self.price(model_id, Usage(input_tokens=1000, output_tokens=0), when)
        per_output = self.price(model_id, Usage(input_tokens=0, output_tokens=1000), when)
        if per_input.usd is None or per_output.usd is None:
            return None
        return per_input.usd * 1000, per_output.usd * 1000

    def tiers(self, model_id: str, when: datetime) -> tuple[Rates, ...]:
        """All rates of a model, outside any region: one for each size of prompt from which others hold, none if it has
        no price."""
        starts = (0,) if model_id in self.own else _tier_starts(model_id, when)
        return tuple(rates for start in starts if (rates := self._rates_above(model_id, start, when)) is not None)

    def _rates_above(self, model_id: str, start: int, when: datetime) -> Rates | None:
        """What requests of a size cost that only the rates above the `start` apply to."""
        size = start + 1000

        def usd(input_tokens: int = 0, output_tokens: int = 0, **further: Any) -> float | None:
            return self.price(model_id, Usage(input_tokens, output_tokens, **further), when).usd

        def rate(usd: float | None) -> float | None:
            return None if usd is None else round(usd * 1e6 / size, 6)

        read, answered, in_batch = usd(size), usd(size, size), usd(size, service_tier="batch")
        if read is None:
            return None
        return Rates(
            input=round(read * 1e6 / size, 6),
            output=rate(None if answered is None else answered - read),
            cache_read=rate(usd(cache_read_tokens=size)),
            cache_write_5m=rate(usd(cache_write_5m_tokens=size)),
            cache_write_1h=rate(usd(cache_write_1h_tokens=size)),
            batch_factor=None if in_batch is None else round(in_batch / read, 6) if read else 1.0,
            above_tokens=start,
            own=model_id in self.own,
        )


LIST_PRICES = Prices()
"""The published prices."""


def as_asked(usage: Usage, request: Request) -> Usage:
    """What an answer told, completed where it is silent by what was asked for: processing in the US, fast mode, a cache
    of an hour. A gateway need not repeat them, as the vendor's API does; the cheapest reading would be taken for known.
    So it is recorded, for what an attempt cost to be the price of its usage ever after.
    """
    geo, speed = request.params.get("inference_geo"), request.params.get("speed")
    if usage.inference_geo is None and geo is not None:
        usage = replace(usage, inference_geo=str(geo))
    if usage.speed is None and speed is not None:
        usage = replace(usage, speed=str(speed))
    if usage.cache_write_5m_tokens and usage.cache_write_1h_tokens is None and _for_an_hour(request):
        usage = replace(usage, cache_write_5m_tokens=0, cache_write_1h_tokens=usage.cache_write_5m_tokens)
    return usage


def _for_an_hour(request: Request) -> bool:
    """Whether it marks parts for a cache of an hour; a run's marks are all of one duration."""
    return any(control.get("ttl") == "1h" for control in cache_controls(request))


def cache_controls(request: Request) -> list[Mapping[str, Any]]:
    """The marks on parts that are to be cached."""
    contents = [request.system, request.params.get("tools"), *(message["content"] for message in request.messages)]
    blocks = chain.from_iterable(content for content in contents if content and not isinstance(content, str))
    controls = (block.get("cache_control") for block in blocks if isinstance(block, Mapping))
    return [control for control in controls if control is not None]


def prices_version() -> str:
    """Name and version of the published price data."""
    return LIST_PRICES.version()


def price(model_id: str, usage: Usage, when: datetime) -> Price:
    """What one request cost at the published prices; see `Prices.price`."""
    return LIST_PRICES.price(model_id, usage, when)


def rates(model_id: str, when: datetime) -> tuple[float, float] | None:
    """Published USD per million input and output tokens for a small request; None if unknown."""
    return LIST_PRICES.rates(model_id, when)


def _region_factor(model_id: str, geo: str | None) -> float | None:
    """How many times the price a region costs; None for one nobody has heard of.

    Models older than 4.6 cannot be restricted to the US, so nothing is added, whatever a server reports; and
    Bedrock's regional prices are in the price data.
    """
    if geo in _ANYWHERE or (geo == "us" and model_id.startswith(BEDROCK)):
        return 1.0
    if geo != "us":
        return None
    found = re.match(r"claude-[a-z]+-(\d+)(?:[-.](\d{1,2})(?!\d))?", model_id.lower())
    is_older = re.match(r"claude-(\d|v\d|instant)", model_id.lower()) is not None
    if found is not None:
        is_older = (int(found[1]), int(found[2] or 0)) < _FIRST_US_ONLY
    return 1.0 if is_older else US_ONLY_FACTOR


def _by_own_rates(model_id: str, own: OwnRates, usage: Usage) -> Price:
    """A request at the team's own rates; a rate that is needed and not stated makes it unpriced."""
    kinds = {
        "input": (usage.input_tokens, own.input),
        "output": (usage.output_tokens, own.output),
        "cache_read": (usage.cache_read_tokens, own.cache_read),
        "cache_write_5m": (usage.cache_write_5m_tokens, own.cache_write_5m),
        "cache_write_1h": (usage.cache_write_1h_tokens, own.cache_write_1h),
    }
    if any(tokens is not None and tokens < 0 for tokens, _ in kinds.values()):
        return Price(None, "a token count is below 0")
    is_batch = usage.service_tier == "batch"
    missing = [name for name, (tokens, rate) in kinds.items() if tokens and rate is None]
    missing += ["batch_factor"] if is_batch and own.batch_factor is None else []
    if missing:
        return Price(None, f"the own prices of {model_id!r} lack {missing[0]!r}; add it in evalkit.yaml")
    if usage.speed == "fast" and not is_batch:
        return Price(None, f"the own prices of {model_id!r} say nothing of fast mode")
    usd = fsum((tokens or 0) * (rate or 0.0) for tokens, rate in kinds.values()) / 1e6
    return Price(usd * (own.batch_factor or 1.0) if is_batch else usd)


@lru_cache(maxsize=10_000)
def _published(model_id: str, usage: Usage, day: date) -> Price:
    """A request at the published rates of a day (UTC). A batch has no fast mode, and costs half the standard price.

    Remembered, since the price data take a fifth of a millisecond a request, and estimates ask for the same again.
    """
    when = datetime.combine(day, time(), UTC)
    is_batch = usage.service_tier == "batch"
    context = {"speed": "fast"} if usage.speed == "fast" and not is_batch else {}
    on_bedrock = model_id.startswith(BEDROCK)
    if on_bedrock and (context or is_batch or "us-gov." in model_id):
        return Price(None, f"no price is known for {model_id!r} in this region or mode")
    result = _looked_up(model_id, usage, context, when)
    if isinstance(result, Price):
        return result
    plain = _bedrock_model if on_bedrock else str
    if not _is_same_model(plain(model_id), plain(result.model.id)):
        return Price(None, f"no price is known for {model_id!r}")
    if context and not any(variant.when == context for variant in result.model.price_variants or ()):
        return Price(None, f"no fast-mode price is known for {model_id!r}")
    usd = float(result.total_price)
    cut = _LATER_CUTS.get(result.model.id)
    if cut is not None and day < cut[0]:
        usd += (usage.cache_read_tokens or 0) * cut[1] / 1e6
    return Price(usd * BATCH_FACTOR if is_batch else usd)


def _tier_starts(model_id: str, when: datetime) -> tuple[int, ...]:
    """Sizes of prompt from which the published rates of a model are others, the first of them 0."""
    found = _looked_up(model_id, Usage(input_tokens=1, output_tokens=1), {}, when)
    tiers = () if isinstance(found, Price) else getattr(found.model_price.input_mtok, "tiers", ())
    return (0, *sorted(tier.start for tier in tiers))


def _looked_up(model_id: str, usage: Usage, context: dict[str, str], when: datetime) -> "PriceCalculation | Price":
    """What the price data say; a Price without a figure, but with the reason, where they say nothing."""
    from genai_prices import Usage as Tokens
    from genai_prices import calc_price

    counts = {
        "input_tokens": usage.total_input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": (usage.cache_write_5m_tokens or 0) + (usage.cache_write_1h_tokens or 0),
        "cache_write_5m_tokens": usage.cache_write_5m_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return calc_price(
                Tokens(**{name: count for name, count in counts.items() if count}),
                model_ref=model_id.removeprefix(BEDROCK),
                provider_id="aws" if model_id.startswith(BEDROCK) else "anthropic",
                genai_request_timestamp=when,
                price_context=context or None,
            )
        except LookupError:
            return Price(None, f"no price is known for {model_id!r}")
        except (UserWarning, ValueError) as error:
            return Price(None, f"the price data cannot price this request ({error})")


def _bedrock_model(bedrock_id: str) -> str:
    """The model of a Bedrock id, without its region, account and version."""
    return re.sub(r"-v\d+(:\d+)?$", "", bedrock_id.rpartition("anthropic.")[2])


def _is_same_model(asked: str, priced: str) -> bool:
    """Price data match some ids by prefix: `claude-opus-4-60` must not be priced as `claude-opus-4-6`. Some models they
    call by an alias, with `-latest` or `-0` at its end."""
    one, other = (model.lower().replace(".", "-") for model in (asked, priced))
    stem = re.escape(re.sub(r"-(?:latest|0)\Z", "", other))
    return one == other or known(asked) is not None or re.fullmatch(rf"{stem}(?:[-@]\d{{8}})?", one) is not None
