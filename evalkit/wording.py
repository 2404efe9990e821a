"""How numbers, intervals and untrusted text read, in the report and in the terminal alike."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # the statistics load scipy, which a progress line does not need
    from evalkit.stats import Estimate

Format = Literal[
    "percent", "points", "money", "ratio", "seconds", "milliseconds", "minutes", "score", "coefficient", "shift",
    "tokens",
]  # fmt: skip
MOST_ITEMS = 100_000
"""More than anybody grades: where more items than these would settle something, no number of them is named."""
NO_NUMBER = f"no number of items below {MOST_ITEMS:,}"
UNKNOWN = "unknown"
UNPRICED = "unpriced"
NOT_MEASURED = "not measured"
_MINUS = "\N{MINUS SIGN}"
_DASH = "\N{EN DASH}"


def about(count: int) -> str:
    """A count that rests on estimates, rounded up to two digits: `about 30,000` for 29,949."""
    step = 10 ** max(0, len(str(count)) - 2)
    return f"about {-(-count // step) * step:,}"


def significant(x: float, digits: int = 2) -> str:
    """A number with so many significant digits, without an exponent: 0.042, 4.4, 120."""
    if x == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(x))))
    rounded = round(x, places)
    if rounded and math.floor(math.log10(abs(rounded))) > math.floor(math.log10(abs(x))):
        places = max(0, places - 1)  # 9.96 becomes 10, not 10.0
    return f"{rounded:,.{places}f}"


def money(usd: float | None, *, cents: bool | None = None, plain: bool = False, digits: int = 2) -> str:
    """USD to read: `4.4¢` below a dollar, `$12.40` from there; None is `unpriced`.

    `cents` fixes the unit, so that an interval has the unit of its estimate. `plain` gives `$0.044` for places where
    the cent sign may not print. `digits` are the significant ones below a dollar.
    """
    if usd is None:
        return UNPRICED
    if usd < 0:
        return _MINUS + money(-usd, cents=cents, plain=plain, digits=digits)
    if cents is None:
        cents = 0 < usd < 0.9995
    if plain and cents:
        return "$" + significant(usd, digits)
    if cents:
        return significant(usd * 100, digits) + "¢"
    return f"${abs(usd):,.2f}" if usd == 0 or usd >= 0.1 else "$" + significant(usd, digits)


def percent(share: float | None, bar: float | None = None) -> str:
    """A share as whole per cent; never 0 % or 100 % unless it is, and never equal to `bar` by rounding alone.

    A saving, which may be negative, is one too.
    """
    if share is None:
        return UNKNOWN
    if share < 0:
        return _MINUS + percent(-share)
    text = f"{abs(share) * 100:.0f}%"
    if text == "100%" and share < 1:
        return ">99%"
    if text == "0%" and share > 0:
        return "<1%"
    return text if bar is None else _beside(share, bar)


def _beside(share: float, bar: float) -> str:
    """As many decimals as it takes to stand on the share's own side of the bar, at most three."""
    if abs(share - bar) <= 1e-9:
        return stated(bar)
    for digits in range(4):
        text = f"{share * 100:.{digits}f}"
        if abs(float(text) - bar * 100) > 1e-7 and (float(text) > bar * 100) == (share > bar):
            return f"{text}%"
    return f"just {'above' if share > bar else 'below'} {stated(bar)}"


def allowed_for(tests: int) -> str:
    """What a finding that is not shown adds where it was looked for in many places: how many comparisons that took."""
    return f" ({tests:,} comparisons allowed for)" if tests > 1 else ""


def stated(share: float) -> str:
    """A share that somebody chose, as a bar is, with all its decimals: `91.4%`."""
    return f"{share * 100:.10g}%"


def points(difference: float | None) -> str:
    """A difference of two shares in percentage points, signed: `+3`, `−0.4`, `0`."""
    if difference is None:
        return UNKNOWN
    hundredths = difference * 100
    if abs(hundredths) < 0.05:
        return "0" if hundredths == 0 else ("+<0.1" if hundredths > 0 else f"{_MINUS}<0.1")
    digits = 1 if abs(hundredths) < 0.95 else 0
    return f"{'+' if hundredths > 0 else _MINUS}{abs(hundredths):.{digits}f}"


def ratio(times: float | None, digits: int = 2) -> str:
    """A ratio: `2.3×`; three digits near 1, where two would hide a difference."""
    if times is None:
        return UNKNOWN
    return significant(times, 3 if 0.95 < times < 1.05 and times != 1 else digits) + "×"


def seconds(s: float | None) -> str:
    """A duration in seconds: `0.42 s`, `5.8 s`, `13 s`."""
    return UNKNOWN if s is None else significant(s) + " s"


def score(x: float | None) -> str:
    """A score between 0 and 1: `0.87`."""
    return UNKNOWN if x is None else f"{x:.2f}"


def milliseconds(s: float | None) -> str:
    """A short duration, given in seconds: `18 ms`, `4.2 ms`."""
    return UNKNOWN if s is None else significant(s * 1000) + " ms"


def coefficient(x: float | None) -> str:
    """A coefficient between -1 and 1: `0.87`, `−0.12`."""
    return UNKNOWN if x is None else f"{x + 0.0:.2f}".replace("-0.00", "0.00").replace("-", _MINUS)


def shift(x: float | None) -> str:
    """A signed number of levels: `+0.25`, `−0.10`, `0.00`."""
    text = coefficient(x)
    return text if x is None or text.startswith(_MINUS) or text == "0.00" else f"+{text}"


def minutes(x: float | None) -> str:
    """A duration given in minutes: `5 min`, `2.4 min`."""
    return UNKNOWN if x is None else significant(x) + " min"


def tokens(count: float | None) -> str:
    """A token count: `12,340`; None is `unknown`."""
    return UNKNOWN if count is None else f"{count:,.0f}"


_WRITERS: Mapping[Format, Callable[[float | None], str]] = {
    "percent": percent,
    "points": points,
    "money": money,
    "ratio": ratio,
    "seconds": seconds,
    "milliseconds": milliseconds,
    "score": score,
    "coefficient": coefficient,
    "shift": shift,
    "tokens": tokens,
    "minutes": minutes,
}


_FINER: Mapping[Format, Callable[[float, int], str]] = {
    "points": lambda x, more: f"{'+' if x > 0 else _MINUS}{abs(x) * 100:.{more}f}",
    "ratio": lambda x, more: f"{significant(x, 2 + more)}×",
}
"""With so many digits more than usual."""


def number(x: float | None, style: Format, bar: float | None = None, digits: int = 2) -> str:
    """A number in its format; `unknown` or `unpriced` if it is missing. Shares, points and ratios never equal `bar` by
    rounding alone."""
    if style == "percent":
        return percent(x, bar)
    write = partial(ratio, digits=digits) if style == "ratio" else _WRITERS[style]
    text, finer = write(x), _FINER.get(style)
    if x is None or bar is None or finer is None or abs(x - bar) <= 1e-9 or text != write(bar):
        return text
    return next((told for more in (1, 2, 3) if (told := finer(x, more)) != finer(bar, more)), text)


def interval(estimate: Estimate, style: Format, bar: float | None = None, cents: bool | None = None) -> str:
    """The interval alone: `81–94%`, `−4 to +10`, `from 11¢, no upper limit`, or `no interval` with the reason."""
    if estimate.low is None and estimate.high is None:
        return f"no interval, {_why_no_interval(estimate)}"
    cents = _unit(estimate, cents)
    low, high = (
        None if x is None else _figure(x, style, cents, bar, _digits(estimate)) for x in (estimate.low, estimate.high)
    )
    if low is None:
        return f"up to {high}, no lower limit"
    if high is None:
        return f"from {low}, no upper limit"
    return _range(low, high, style)


_ALIKE = ("contribute equally", "are equal", "no spread", "same difference")
"""What the statistics say of values that do not differ."""


def _why_no_interval(estimate: Estimate) -> str:
    """Values without spread, where that is the reason; else how many there were."""
    if any(words in warning for warning in estimate.warnings for words in _ALIKE):
        return f"all {estimate.n:,} alike"
    return f"n = {estimate.n:,}"


def _unit(estimate: Estimate, cents: bool | None) -> bool:
    """Whether an estimate is told in cents, its zeros too; not where it is nothing but zeros."""
    cents = in_cents([estimate]) if cents is None else cents
    return cents and any((estimate.value, estimate.low, estimate.high))


def in_cents(estimates: Sequence[Estimate]) -> bool:
    """Whether all these sums and their limits lie below a dollar, so that cents serve them all."""
    known = [abs(x) for e in estimates for x in (e.value, e.low, e.high) if x is not None]
    return bool(known) and max(known) < 0.9995


def _figure(x: float, style: Format, cents: bool, bar: float | None, digits: int) -> str:
    """One of an estimate's three numbers, in the unit and with the digits that the three of them share."""
    if style == "money":
        return money(x, cents=cents, digits=digits)
    return number(x, style, bar, digits)


def _digits(estimate: Estimate) -> int:
    """Two significant digits, or three where the interval is so narrow that two would hide it."""
    value_, low, high = estimate.value, estimate.low, estimate.high
    narrow = value_ and low is not None and high is not None and (high - low) < 0.15 * abs(value_)
    return 3 if narrow else 2


def _range(low: str, high: str, style: Format) -> str:
    if (
        style in ("points", "shift")
        or low.startswith(_MINUS)
        or "<" in low + high
        or ">" in low + high
        or "just" in low + high
    ):
        return f"{low} to {high}"
    for unit in ("¢", "%", "×", " s", " ms", " min"):
        if low.endswith(unit) and high.endswith(unit):
            return f"{low.removesuffix(unit)}{_DASH}{high}"
    return f"{low}{_DASH}{high}"


def value(estimate: Estimate, style: Format, bar: float | None = None, cents: bool | None = None) -> str:
    """The estimate alone, or in a word why there is none. `cents` fixes the unit of money, as for `money`."""
    if estimate.value is None:
        if estimate.low is not None:
            return "none"
        if "never overtaken" in (estimate.reason or ""):
            return "none"
        if style in ("seconds", "milliseconds"):
            return NOT_MEASURED
        return UNPRICED if "price" in (estimate.reason or "") else UNKNOWN
    cents = _unit(estimate, cents)
    return _figure(estimate.value, style, cents, bar, _digits(estimate))


def doubt(estimate: Estimate, style: Format, bar: float | None = None, cents: bool | None = None) -> str:
    """What stands beside an estimate: its interval, or the reason why there is no number."""
    if estimate.value is not None:
        return interval(estimate, style, bar, cents)
    known = "" if not estimate.low else f"; at least {number(estimate.low, style)}"
    return (estimate.reason or "no reason recorded") + known


def estimated(estimate: Estimate, style: Format, bar: float | None = None, cents: bool | None = None) -> str:
    """Estimate with its doubt: `89% (81–94%)`; `none (no success in 20 items; at least 11¢)`."""
    return f"{value(estimate, style, bar, cents)} ({doubt(estimate, style, bar, cents)})"


def p_value(p: float | None) -> str:
    """A p-value: `0.031`, `<0.001`."""
    if p is None:
        return UNKNOWN
    return "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def plural(count: int, noun: str, more: str | None = None) -> str:
    """A count with its noun: `1 item`, `60 items`, `2 retries`."""
    return f"{count:,} {noun if count == 1 else more or noun + 's'}"


def sum_of_shares(count: float) -> str:
    """A number of items that may count in part, as with epochs: whole from 100 on."""
    return f"{count:,.0f}" if count >= 100 else f"{count:.3g}"


def listing(names: Sequence[str], last: str = "and") -> str:
    """Names in a row: `A`, `A and B`, `A, B and C`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"


def sentence(text: str) -> str:
    """The text with a capital first letter and a full stop; a name at its head (`gpt-x: ...`) stays as it is."""
    text = text.strip()
    if not text:
        return ""
    named = text.split(maxsplit=1)[0].endswith((":", ","))
    return (text if named else text[0].upper() + text[1:]) + ("" if text.endswith((".", "!", "?", "…")) else ".")


def shorten(text: str, limit: int) -> str:
    """The text on one line, cut with an ellipsis at a word where it is too long."""
    line = " ".join(text.split())
    if len(line) <= limit:
        return line
    cut = line[: limit - 1]
    head = cut.rsplit(" ", 1)[0] if " " in cut[limit // 2 :] else cut
    return head.rstrip(" ,;:.") + "…"


def visible(text: str) -> str:
    """Untrusted text with every invisible or direction-changing character spelled out, as `⟦U+202E⟧`.

    Line feeds and tabs stay, CR LF becomes a line feed. A joiner (U+200C, U+200D) stays where it is alone between two
    letters beyond ASCII or emoji, which may need it. Control, format, surrogate, private-use and line separator
    characters are spelled out, and what Unicode keeps no character at, which no XML may hold.
    """
    text = text.replace("\r\n", "\n")
    if text.isprintable():
        return text
    return "".join(
        c if c in "\n\t" or not _hidden(c) or _joins(text, place) else f"⟦U+{ord(c):04X}⟧"
        for place, c in enumerate(text)
    )


_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"


def _joins(text: str, place: int) -> bool:
    """Whether a character is a joiner alone between two others that it can join, as in Persian, Hindi and emoji."""
    if text[place] not in _JOINERS or not 0 < place < len(text) - 1:
        return False
    return _joinable(text[place - 1]) and _joinable(text[place + 1])


def _joinable(character: str) -> bool:
    """Letters and marks beyond ASCII, emoji and their skin tones; among the emoji's signs one is of mathematics."""
    kind = unicodedata.category(character)
    return not character.isascii() and (kind[0] in "LM" or kind in ("So", "Sk") or character == "↔")


def _hidden(character: str) -> bool:
    is_none = ord(character) & 0xFFFE == 0xFFFE or "\ufdd0" <= character <= "\ufdef"
    return is_none or unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
