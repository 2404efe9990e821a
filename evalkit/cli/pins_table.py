"""How pins are printed: where each stands, what is known of its model, and what a newer one costs."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from evalkit.cli.terminal import say
from evalkit.pins.places import one_line
from evalkit.wording import plural, ratio

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.pins.bumps import Bump
    from evalkit.pins.facts import PinFacts, PriceChange
    from evalkit.pins.scan import Pin

_COLUMNS = ("place", "id", "kind", "lifecycle", "retires", "newest of its tier")


def print_pins(pins: "Sequence[Pin]", facts: "Mapping[str, PinFacts]", today: date) -> None:
    """A table of the pins, and a line for each alias and each model that retires soon or has retired."""
    from rich.table import Table

    from evalkit.cli.terminal import console

    if not pins:
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in _COLUMNS:
        table.add_column(name, overflow="fold")
    for pin in pins:
        known = facts[pin.model]
        newest = f"{known.newer[0].model} ({priced(known.newer[0])})" if known.newer else "–"
        cells = (f"{pin.path}:{pin.line}", pin.written, pin.kind, known.lifecycle, known.retires or "–", newest)
        table.add_row(*map(one_line, cells))
    console().print(table)
    for model, known in facts.items():
        _warn(model, known, {pin.kind for pin in pins if pin.model == model}, today)


def _warn(model: str, facts: "PinFacts", kinds: set[str], today: date) -> None:
    from evalkit.models import pin_of

    if facts.retires_soon(today):
        verb = "was retired" if facts.lifecycle == "retired" else "retires"
        others = ", ".join(change.model for change in facts.newer)
        say(f"! {model} {verb} on {facts.retires}" + (f"; newer: {others}" if others else ""))
    if "alias" in kinds:
        pin = pin_of(model)
        say(f"! {model} is an alias and may change under you" + (f"; its pin is {pin}" if pin else ""))
    if "hidden" in kinds:
        say(f"! {one_line(model)} does not say which model it is")
    if "unknown" in kinds:
        say(f"! {one_line(model)} looks like a model id of a tier or spelling that is not known here")


def priced(change: "PriceChange") -> str:
    """What a newer model costs over the older one, for a token and for the same text."""
    if change.input_ratio is None or change.output_ratio is None:
        return "price change unknown"
    tokens_in, tokens_out = ratio(change.input_ratio), ratio(change.output_ratio)
    token = tokens_in if tokens_in == tokens_out else f"{tokens_in} in and {tokens_out} out"
    said = "the same price a token" if change.input_ratio == change.output_ratio == 1 else f"price {token} a token"
    if change.input_per_text is not None and change.input_per_text != change.input_ratio:
        said = f"{said}, about {ratio(change.input_per_text)} the same text"
    if change.price_cliff is None:
        return said
    above, factor = change.price_cliff
    return f"{said}; {factor:g} times as much in prompts of more than {above:,} tokens"


def print_bump(bump: "Bump", change: "PriceChange | None") -> None:
    """One line: the place, the id before and after, and what that does to the price."""
    pin = bump.now or bump.then
    if pin is None:
        return
    if bump.then is None or change is None:
        written = f"{one_line(pin.written)} {bump.change}"
    else:
        written = f"{one_line(bump.then.written)} -> {one_line(pin.written)}; {priced(change)}"
    say(f"{one_line(pin.path)}:{pin.line}: {written}")


def counted(in_code: int, mentioned: int) -> str:
    """The last line of a scan."""
    return f"{plural(in_code, 'id')} in code and configuration, {mentioned} mentioned in text, comments or data"
