"""Items: every task with its outputs side by side, their grades, comments, cost and time."""

import hashlib

from evalkit.analysis.remarks import Remark
from evalkit.analysis.results import Analysis, ItemResult, OutputResult
from evalkit.blocks import (
    Excerpt,
    GradeLine,
    Items,
    ItemView,
    OutputView,
    RemarkLine,
    Section,
    words,
)
from evalkit.chart_blocks import (
    MapState,
    Series,
)
from evalkit.item_marks import anchor, state_of
from evalkit.rubric import Rubric
from evalkit.series import lineup
from evalkit.wording import NOT_MEASURED, money, plural, score, seconds, shorten

ORDER = 110
_TITLE_LIMIT, _TITLE_LEAST = 78, 15
_FAILS: dict[MapState, MapState] = {"failed": "unsatisfactory"}
"""Two ways of not being satisfactory, between which models do not part."""


def build(analysis: Analysis) -> Section | None:
    """None for a run without items."""
    if not analysis.outputs:
        return None
    series = lineup(analysis)
    rubric = _rubric(analysis)
    marked = any(item.evidence_positions for item in analysis.outputs)  # else nothing says which bear an answer
    views = tuple(_item(analysis, item, i, series, rubric, marked) for i, item in enumerate(analysis.outputs))
    differing = f"{plural(sum(view.differs for view in views), 'item')} on which the models part, "
    differing, who = (differing, "some model") if len(series) > 1 else ("", series[0].name)
    failing = plural(sum(view.failing for view in views), "item")
    graded = any(output.state != "ungraded" for view in views for output in view.outputs)
    found = f"{differing}{failing} that {who} fails." if graded else "Nothing is graded yet."
    return Section(
        name="items",
        label="Every item",
        heading=f"Read {'the item' if len(views) == 1 else f'all {len(views):,} items'} for yourself",
        lede=words(
            f"{found} Open one to see the task, the "
            "reference and every output with its grades. Hide the names to judge for yourself first."
        ),
        blocks=(Items(views, len(series)),),
    )


def _rubric(analysis: Analysis) -> Rubric | None:
    """The rubric of the run; None where it has none, as in a run that was never graded."""
    return Rubric.read_back(analysis.spec.rubric) if analysis.spec.rubric else None


def _item(
    analysis: Analysis, item: ItemResult, index: int, series: tuple[Series, ...], rubric: Rubric | None, marked: bool
) -> ItemView:
    look = {s.key: (i, s) for i, s in enumerate(series)}
    outputs = sorted((o for o in item.outputs if o.model in look), key=lambda o: (o.epoch, look[o.model][0]))
    number = anchor(index).removeprefix("item-")
    places = _blind_places(analysis.spec.seed, item.id, len(outputs))
    states = [state_of([o for o in outputs if o.model == s.key]) for s in series]
    bearing = [name for place, name in enumerate(item.documents) if place in item.evidence_positions]
    return ItemView(
        id=item.id,
        anchor=anchor(index),
        title=_title(item.task) or item.id,
        task=Excerpt(item.task, f"{number}-task.txt"),
        reference=None if item.reference is None else Excerpt(item.reference, f"{number}-reference.txt"),
        difficulty=item.difficulty,
        tags=item.tags,
        documents=tuple(_sized(analysis, name) for name in (bearing if marked else item.documents)),
        bearing=marked,
        filling=len(item.documents) - len(bearing) if marked else 0,
        outputs=tuple(
            _output(o, look[o.model][1], place, side_file(number, place), rubric)
            for o, place in zip(outputs, places, strict=True)
        ),
        differs=len({_FAILS.get(s, s) for s in states if s != "ungraded"}) > 1,
        failing=any(s in ("unsatisfactory", "failed", "mixed") for s in states),
    )


def _title(task: str) -> str:
    """The first line if it says something, else the beginning of the whole."""
    first = task.strip().partition("\n")[0]
    return shorten(first if len(first) >= _TITLE_LEAST else task, _TITLE_LIMIT)


def _sized(analysis: Analysis, name: str) -> str:
    text = analysis.documents.get(name)
    return name if text is None else f"{name} ({plural(len(text), 'character')})"


def side_file(number: str, place: int) -> str:
    """The name of an output's side file: `017-a.txt`, after its place while names are hidden, so that it tells none."""
    letters = ""
    while place >= 0:
        place, letter = divmod(place, 26)
        letters, place = chr(ord("a") + letter) + letters, place - 1
    return f"{number}-{letters}.txt"


def _blind_places(seed: int, item_id: str, count: int) -> list[int]:
    """A place for each output while names are hidden: a permutation that depends on the item and the seed alone."""

    def draw(i: int) -> bytes:
        return hashlib.sha256(f"{seed}\n{item_id}\n{i}".encode("utf-8", "surrogatepass")).digest()

    order = sorted(range(count), key=draw)
    places = [0] * count
    for place, i in enumerate(order):
        places[i] = place
    return places


def _output(output: OutputResult, series: Series, place: int, file: str, rubric: Rubric | None) -> OutputView:
    state = state_of([output])
    return OutputView(
        series=series,
        epoch=output.epoch,
        blind_place=place,
        result=_result(output, state),
        state=state,
        text=Excerpt(output.text, file),
        grades=_grades(output, rubric),
        cost=money(output.cost_usd),
        time=NOT_MEASURED if output.latency_s is None else seconds(output.latency_s),
        error=output.error,
        remarks=tuple(RemarkLine(remark.grader, _did(remark), remark.note) for remark in output.remarks),
    )


def _did(remark: Remark) -> str:
    put_off = "put off" if remark.graded else "put off, never graded"
    return ", ".join([*(["flagged"] if remark.flagged else []), *([put_off] if remark.put_off else [])])


def _result(output: OutputResult, state: MapState) -> str:
    if output.outcome is None:
        return "not run yet"
    if output.outcome != "answered":
        return f"{output.outcome}: not satisfactory"
    words_ = {"satisfactory": "satisfactory", "unsatisfactory": "not satisfactory"}.get(state, "ungraded")
    return words_ if output.score is None else f"{words_}, score {score(output.score)}"


def _level(level: float) -> str:
    """A level as the rubric names it; a mean of several with its decimals."""
    return f"{level:.2f}".rstrip("0").rstrip(".")


def _grades(output: OutputResult, rubric: Rubric | None) -> tuple[GradeLine, ...]:
    names = [c.id for c in rubric.criteria] if rubric else sorted({*output.levels, *output.ungraded})
    scales = {c.id: c for c in rubric.criteria} if rubric else {}
    lines = []
    for name in names:
        comment = output.comments.get(name, "")
        if name not in output.levels:
            if name in output.ungraded:
                lines.append(GradeLine(name, f"ungraded: {output.ungraded[name]}", None, comment))
            continue
        level, criterion = output.levels[name], scales.get(name)
        floor = criterion.critical if criterion else None
        top = f" of {max(criterion.scale)}" if criterion else ""
        lines.append(GradeLine(name, f"{_level(level)}{top}", None if floor is None else level >= floor, comment))
    return tuple(lines)
