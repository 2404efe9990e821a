"""Which items a page shows: all, in full or cut shorter; of too many those that tell most and a draw of the others."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from evalkit.analysis.results import Analysis, ItemResult
from evalkit.blocks import TEXT_LIMIT
from evalkit.chart_blocks import MapState
from evalkit.frozen import dataclass
from evalkit.item_marks import anchor, state_of
from evalkit.series import lineup
from evalkit.wording import visible

MOST_BYTES = 9_200_000
"""What all items of a page may take, so that mail and browsers take the whole of it, which is refused past 10 MB."""
LIMITS = (TEXT_LIMIT, 8_000, 3_000, 1_000, 400, 200)
"""Characters that a page shows of a text: the first of these at which it has room for every item, the rest of a text
being in a side file."""
REST = 50
"""Items that are drawn before all others of their kind, so that a reader sees what an ordinary one looks like."""
NAMED = 60
"""Items that each list of a report may name and lead to, at most."""
_ITEM_BYTES, _NAME_BYTES, _OUTPUT_BYTES, _LINE_BYTES, _CUT_BYTES = 560, 18, 360, 60, 180
"""Markup around the texts: of an item, of its tags and documents, of an output, of a line below it, of a cut."""
_CELL_BYTES: Mapping[MapState, int] = {
    "satisfactory": 100, "mixed": 140, "unsatisfactory": 115, "ungraded": 100, "failed": 110,
}  # fmt: skip
"""Markup of an item's cell in the item map, of both of its drawings."""

Kind = Literal["named", "parting", "failing", "rest"]
_KINDS: tuple[Kind, ...] = ("named", "parting", "failing", "rest")
_TURNS: tuple[tuple[Kind, int | None, float], ...] = (
    ("named", None, 1), ("rest", REST, 1 / 8), ("failing", REST, 1 / 8),
    ("parting", None, 1), ("failing", None, 1), ("rest", None, 1),
)  # fmt: skip
"""Which kind has its turn when, with how many items of how much of the page at most: a few of each, then what models
part on before what all of them fail alike, and what room is left for the rest."""


@dataclass(frozen=True)
class ShownItems:
    """The places (from 0) of the items that are shown, in the run's order; and of each kind how many of how many.

    `named` by another part of the report; then those on which the models part, those that some model fails, the rest.
    `limit`: characters that are shown of a text.
    """

    places: tuple[int, ...]
    counts: Mapping[Kind, tuple[int, int]]
    limit: int = TEXT_LIMIT

    @property
    def all_of_them(self) -> bool:
        """Whether nothing is left out."""
        return all(shown == of for shown, of in self.counts.values())


_latest: list[tuple[Analysis, int, ShownItems]] = []
"""The last answer, since several parts of one page ask the same."""


def shown_items(analysis: Analysis, most_bytes: int | None = None) -> ShownItems:
    """The items to show; the same for the same run, whoever asks. Draws are fixed by the run's seed."""
    most = MOST_BYTES if most_bytes is None else most_bytes
    for asked, room, found in _latest:
        if asked is analysis and room == most:
            return found
    _latest[:] = [(analysis, most, _shown(analysis, most))]
    return _latest[0][2]


def _shown(analysis: Analysis, most: int) -> ShownItems:
    items = analysis.outputs
    for limit in LIMITS:
        if _as_many_as_fit(range(len(items)), items, most, limit)[1]:
            return ShownItems(tuple(range(len(items))), {}, limit)
    kinds = _kinds(analysis)
    drawn: dict[Kind, list[int]] = {kind: [] for kind in _KINDS}
    for place in _drawn(analysis):
        drawn[kinds[place]].append(place)
    shown: list[int] = []
    left = most
    for kind, count, share in _TURNS:
        fitting, _ = _as_many_as_fit(drawn[kind][:count], items, min(left, int(share * most)), limit)
        del drawn[kind][: len(fitting)]
        shown += fitting
        left -= sum(_bytes(items[place], limit) for place in fitting)
    counts = {kind: (sum(kinds[place] == kind for place in shown), kinds.count(kind)) for kind in _KINDS}
    return ShownItems(tuple(sorted(shown)), counts, limit)


def anchors(analysis: Analysis) -> Mapping[str, str]:
    """The fragment of each item that the page shows, by its id: nothing leads to where nothing is."""
    return {analysis.outputs[place].id: anchor(place) for place in shown_items(analysis).places}


def states(item: ItemResult, models: Sequence[str]) -> tuple[MapState, ...]:
    """What became of an item under each model."""
    return tuple(state_of([output for output in item.outputs if output.model == model]) for model in models)


def is_settled(item: ItemResult, models: Sequence[str]) -> bool:
    """Whether every output of every model on an item has a verdict: only then can be said what all of them do."""
    verdicts = [output.satisfied for output in item.outputs]
    return {output.model for output in item.outputs} >= set(models) and None not in verdicts


def parts_models(found: Sequence[MapState]) -> bool:
    """Whether models part on an item, by its states. What is ungraded says nothing, and a trial that failed is as
    little satisfactory as one that is not.
    """
    return len({"unsatisfactory" if state == "failed" else state for state in found if state != "ungraded"}) > 1


def is_failed(found: Sequence[MapState]) -> bool:
    """Whether some model fails an item, in some epoch at least."""
    return any(state in ("unsatisfactory", "failed", "mixed") for state in found)


def _kinds(analysis: Analysis) -> list[Kind]:
    models, named = [series.key for series in lineup(analysis)], _named(analysis)

    def kind(item: ItemResult) -> Kind:
        if item.id in named:
            return "named"
        found = states(item, models)
        return "parting" if parts_models(found) else "failing" if is_failed(found) else "rest"

    return [kind(item) for item in analysis.outputs]


def _named(analysis: Analysis) -> set[str]:
    """Items that other parts of the report may name: flagged, disputed, changed since a baseline, odd, out of reach."""
    flagged = [item.id for item in analysis.outputs if any(r.flagged for o in item.outputs for r in o.remarks)]
    lists: list[Sequence[str]] = [flagged, [dispute.item_id for dispute in analysis.disputes]]
    lists += [ids for pair in analysis.against for ids in (pair.regressed, pair.improved)]
    if analysis.item_quality is not None:
        lists += [analysis.item_quality.floor_ids, analysis.item_quality.doubtful_ids]
    return {id_ for ids in lists for id_ in ids[:NAMED]}


def _drawn(analysis: Analysis) -> list[int]:
    """Places in the order of the draw."""
    seed, ids = analysis.spec.seed, [item.id for item in analysis.outputs]

    def lot(place: int) -> bytes:
        return hashlib.sha256(f"shown:{seed}\x1f{ids[place]}".encode("utf-8", "surrogatepass")).digest()

    return sorted(range(len(ids)), key=lot)


def _as_many_as_fit(
    places: Iterable[int], items: Sequence[ItemResult], most: int, limit: int
) -> tuple[list[int], bool]:
    """The first of these places whose items fit together, and whether those are all.

    It ends with the first that does not: going on with smaller ones would be a draw no more.
    """
    fitting: list[int] = []
    for place in places:
        most -= _bytes(items[place], limit)
        if most < 0:
            return fitting, False
        fitting.append(place)
    return fitting, True


def _bytes(item: ItemResult, limit: int) -> int:
    """What an item takes on the page, about, with `limit` characters of a text: in the list, and in the item map, which
    says id and models twice.
    """
    models = {output.model for output in item.outputs}
    bearing = [name for place, name in enumerate(item.documents) if place in item.evidence_positions]
    names, lines = (*item.tags, *(bearing or item.documents)), 0
    texts, excerpts = [*names, item.id * 3, item.task[:80]], [item.task, item.reference or ""]
    for output in item.outputs:
        excerpts.append(output.text)
        texts += (output.model, output.error or "", *output.levels, *output.comments.values())
        texts += (part for reason in output.ungraded.items() for part in reason)
        texts += (part for remark in output.remarks for part in (remark.grader, remark.note))
        lines += len(output.levels) + len(output.ungraded) + len(output.remarks) + (output.error is not None)
    size = _ITEM_BYTES + _NAME_BYTES * len(names) + _OUTPUT_BYTES * len(item.outputs) + _LINE_BYTES * lines
    size += sum(_CELL_BYTES[state] for state in states(item, list(models))) + sum(map(len, models)) * 2
    size += _CUT_BYTES * sum(len(text) > limit for text in excerpts)
    return size + _text_bytes("".join([*texts, *(text[:limit] for text in excerpts)]))


def _text_bytes(shown: str) -> int:
    """Of text as it stands on the page: with hidden characters spelled out, and escaped."""
    if not shown.replace("\n", "").isprintable():
        shown = visible(shown)
    plain = len(shown) if shown.isascii() else len(shown.encode())
    return plain + 4 * sum(map(shown.count, "&<>'\""))
