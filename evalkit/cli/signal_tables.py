"""Signals and a production log on the terminal."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from evalkit.analysis.sweep import HARDLY_WORSE
from evalkit.models import display_name
from evalkit.sections.signals import figures, ordered
from evalkit.wording import UNKNOWN, estimated, interval, listing, money, number, percent, plural, sentence, value

if TYPE_CHECKING:
    from evalkit.analysis.evidence import Signal
    from evalkit.analysis.moves import Move
    from evalkit.analysis.production import Production
    from evalkit.stats import Estimate


_ROOM = 100
"""Characters that four columns take; with fewer, what a signal has stands one below the other."""


def signal_table(signals: "Sequence[Signal]", width: int) -> Table:
    """One row a signal, what is shown first; `width` of the terminal."""
    beside = width >= _ROOM
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1, 1, 0), show_header=beside)
    for name in ("signal", "state", "figures", "to settle it") if beside else ("signal",):
        table.add_column(name, overflow="fold")
    for signal in ordered(signals):
        told = "\n".join([signal.reason] if signal.reason else figures(signal))
        name, settles = f"{signal.direction}: {signal.name}", sentence(signal.settles)
        if beside:
            table.add_row(name, signal.state, told, settles)
        else:
            table.add_row("\n".join([name, signal.state, told] + [f"To settle it: {settles}"] * bool(settles)))
    return table


def production_lines(logged: "Production") -> Iterator[str]:
    """What the log says, a line a finding."""
    users = "users not all named" if logged.users is None else plural(logged.users, "user")
    spent = "not all requests priced" if logged.spend_usd is None else money(logged.spend_usd, plain=True)
    yield (
        f"Production: {plural(logged.requests, 'request')}, {logged.first[:10]} to {logged.last[:10]}"
        f" ({plural(logged.weeks, 'whole week')}), {users}, {spent}"
    )
    if logged.twice:
        yield (
            f"  ! {plural(logged.twice, 'request')} like an earlier one in every field: if lines of this log stand"
            " twice, they are counted twice"
        )
    for name, count in logged.unpriced.items():
        yield f"  ! {plural(count, 'request')} of {name} unpriced: name its tokens, or set `prices` in evalkit.yaml"
    yield f"  cost grows faster than users: {logged.state}"
    for name, estimate in logged.growth.items():
        yield f"    {name} a week: {estimated(estimate, 'ratio')}"
    for model in logged.models:
        yield f"  {model.name}: {plural(model.requests, 'request')}"
        yield f"    escalated {estimated(model.escalated, 'percent')} of {model.told:,} that say"
        yield f"    feedback negative {estimated(model.negative, 'percent')} of {model.rated:,} that have any"
        latency = [f"p{q} {estimated(e, 'seconds')}" for q, e in ((50, model.latency_p50), (95, model.latency_p95))]
        yield f"    latency {', '.join(latency)} of {model.timed:,} that have one"
    yield from _moves(logged)


def _moves(logged: "Production") -> Iterator[str]:
    found, of = logged.moved, plural(logged.requests, "request")
    cheaper = "model that the run's rates make cheaper" if logged.by_other_rates else "cheaper model"
    yield f"  a {cheaper} is shown to be {HARDLY_WORSE} on {percent(found.share.value)} of {of}"
    models = {model for move in found.moves for model in (move.current, move.toward)}
    together: dict[tuple[object, ...], list[Move]] = defaultdict(list)
    for move in found.moves:
        together[move.current, move.toward, move.parts, move.beyond, move.at_log_mix].append(move)
    for moves in together.values():
        yield from _alike(moves, models, by_other_rates=logged.by_other_rates)
    yield f"    {found.kept:,} not shown"
    if found.worse:
        yield (
            f"    {found.worse:,} on parts where one is, and looks worse on items with several of the things they say"
        )
    if found.no_cheaper:
        yield f"    {found.no_cheaper:,} on parts where one is, and is not shown to cost less for them"
    for reason, count in found.unmapped.items():
        yield f"    {count:,} unmapped: {reason}"
    yield f"    ({found.mapping})"
    saving = logged.saving
    month = "" if saving.value is None else " a month"
    yield f"  moving them would save {value(saving, 'money')}{month} ({_why(saving)})"
    if saving.low is not None:
        yield from (f"  ! {warning}" for warning in saving.warnings)
    for model, count in {move.toward: move.escalated for move in found.moves if move.escalated}.items():
        yield (
            f"  ! {display_name(model, models)} was escalated {plural(count, 'time')} in this log: requests to it above"
            " may be those that it could not do"
        )


def _alike(moves: "Sequence[Move]", models: Collection[str], *, by_other_rates: bool) -> Iterator[str]:
    """Moves from one model to another on the same parts, which may differ by what else their requests say."""
    one, requests = moves[0], plural(sum(move.requests for move in moves), "request")
    current, toward = display_name(one.current, models), display_name(one.toward, models)
    names = listing([display_name(model, models) for model in one.beyond])
    beyond = f"beyond the price cliff of {names}, " if names else ""
    mix = "at this log's mix of input and output" if one.at_log_mix else "in the run"
    mix += ", by the rates of the run" * by_other_rates
    began = f"; began on {min(m.first for m in moves)}" if all(move.began for move in moves) else ""
    ended = f"; ended, the last on {max(m.last for m in moves)}" if all(move.ended for move in moves) else ""
    ratio, else_ = estimated(one.cost_ratio, "ratio"), ""
    if len({(move.cost_ratio.value, move.nearest) for move in moves}) > 1:
        ratios = sorted(move.cost_ratio.value for move in moves if move.cost_ratio.value is not None)
        ratio, else_ = " to ".join(number(r, "ratio") for r in (ratios[0], ratios[-1])), ", by what else they say"
    yield (
        f"    {requests} of {current} on {listing(one.parts)} items to {toward}, {beyond}at {ratio} the cost"
        f" {mix}{else_}{began}{ended}"
    )
    kinds = listing([listing(names) for names in one.nearest], "or") if not else_ else ""
    near = f"on the {plural(one.items, 'item')} with {kinds}" if kinds else "there"
    now, then = (_shares([getattr(move, of) for move in moves]) for of in ("satisfied", "satisfied_now"))
    yield f"      {near} {toward} satisfied {now} and {current} {then}"


def _shares(rates: Sequence[float | None]) -> str:
    """One share, or from the least to the most of several."""
    told = [_share(rate) for rate in sorted(rates, key=lambda rate: -1.0 if rate is None else rate)]
    return told[0] if told[0] == told[-1] else f"{told[0]} to {told[-1]}"


def _share(rate: float | None) -> str:
    return UNKNOWN if rate is None else percent(rate)


def _why(saving: "Estimate") -> str:
    """The interval of a saving, or why there is none; request costs alone."""
    if saving.reason is not None:
        return saving.reason
    known = saving.low is not None or saving.high is not None
    doubt = interval(saving, "money") if known else "; ".join(saving.warnings) or "no interval"
    return f"{doubt}, requests alone, before corrections"
