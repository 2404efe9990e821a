"""The one place that knows prices: what a request cost, per request, or that nobody can say."""

import re
import warnings
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from importlib.metadata import version

from evalkit.models import BEDROCK, known
from evalkit.records import Usage

US_ONLY_FACTOR = 1.1
"""Processing restricted to the US costs this much more on every kind of token; the price data lack it."""


@dataclass(frozen=True)
class Price:
    """Cost of one request in USD; None with the reason where it is unknown, which is not the same as free."""

    usd: float | None
    reason: str | None = None


def prices_version() -> str:
    """Name and version of the price data, to be kept with every priced result."""
    return f"genai-prices {version('genai-prices')}"


def price(model_id: str, usage: Usage, when: datetime) -> Price:
    """What one request cost at the moment `when`: on Anthropic's own API, or on Bedrock by AWS's prices.

    Priced per request and never on summed tokens, since rates change above a context size. Unknown models and
    unknown token counts are unpriced.
    """
    total = usage.total_input_tokens
    if total is None or usage.output_tokens is None:
        return Price(None, "the API did not report token counts")
    written = (usage.cache_write_5m_tokens or 0) + (usage.cache_write_1h_tokens or 0)
    counts = {
        "input_tokens": total,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_tokens or 0,
        "cache_write_tokens": written,
        "cache_write_5m_tokens": usage.cache_write_5m_tokens or 0,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens or 0,
    }
    context = {}
    if usage.service_tier == "batch":
        context["processing"] = "batch"
    elif usage.speed == "fast":
        context["speed"] = "fast"
    if usage.service_tier == "priority":
        return Price(None, "priority-tier prices are not published")
    return _calculated(model_id, counts, context, when, usage.inference_geo)


def _calculated(
    model_id: str, counts: dict[str, int], context: dict[str, str], when: datetime, geo: str | None
) -> Price:
    from genai_prices import Usage as Tokens
    from genai_prices import calc_price

    on_bedrock = model_id.startswith(BEDROCK)
    if on_bedrock and (context or "us-gov." in model_id):
        return Price(None, f"no price is known for {model_id!r} in this region or mode")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            result = calc_price(
                Tokens(**{name: count for name, count in counts.items() if count}),
                model_ref=model_id.removeprefix(BEDROCK),
                provider_id="aws" if on_bedrock else "anthropic",
                genai_request_timestamp=when,
                price_context=context or None,
            )
        except LookupError:
            return Price(None, f"no price is known for {model_id!r}")
        except (UserWarning, ValueError) as error:
            return Price(None, f"the price data cannot price this request ({error})")
    plain = _bedrock_model if on_bedrock else str
    if not _is_same_model(plain(model_id), plain(result.model.id)):
        return Price(None, f"no price is known for {model_id!r}")
    factor = US_ONLY_FACTOR if geo == "us" and not on_bedrock else 1.0  # Bedrock's regional prices are in the data
    return Price(float(result.total_price) * factor)


def _bedrock_model(bedrock_id: str) -> str:
    """The model of a Bedrock id, without its region, account and version."""
    return re.sub(r"-v\d+(:\d+)?$", "", bedrock_id.rpartition("anthropic.")[2])


def _is_same_model(asked: str, priced: str) -> bool:
    """Price data match some ids by prefix: `claude-opus-4-60` must not be priced as `claude-opus-4-6`."""
    rest = asked.lower().replace(".", "-").removeprefix(priced.lower().replace(".", "-"))
    return rest == "" or (len(rest) == 9 and rest[0] in "-@" and rest[1:].isdigit()) or known(asked) is not None


@lru_cache(maxsize=256)
def rates(model_id: str, when: datetime) -> tuple[float, float] | None:
    """USD per million input and output tokens for a small request; None if unknown."""
    per_input = price(model_id, Usage(input_tokens=1000, output_tokens=0), when)
    per_output = price(model_id, Usage(input_tokens=0, output_tokens=1000), when)
    if per_input.usd is None or per_output.usd is None:
        return None
    return per_input.usd * 1000, per_output.usd * 1000
