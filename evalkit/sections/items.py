"""Items: every task with its outputs side by side, their grades, comments, cost and time."""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence

from evalkit.analysis.pair_results import Baseline
from evalkit.analysis.remarks import Remark
from evalkit.analysis.results import Analysis, ItemResult, OutputResult
from evalkit.blocks import (
    TEXT_LIMIT,
    Excerpt,
    GradeLine,
    Items,
    ItemView,
    OutputView,
    Paragraph,
    RemarkLine,
    Section,
    Span,
    strong,
    words,
)
from evalkit.chart_blocks import (
    MapState,
    Series,
)
from evalkit.grader_names import judge_model, kind_of
from evalkit.item_marks import anchor, state_of
from evalkit.rubric import Rubric
from evalkit.series import lineup
from evalkit.shown_items import ShownItems, is_failed, parts_models, shown_items, states
from evalkit.wording import NOT_MEASURED, listing, money, plural, score, seconds, shorten, tokens

ORDER = 110
_TITLE_LIMIT, _TITLE_LEAST = 78, 15


def build(analysis: Analysis) -> Section | None:
    """None for a run without items."""
    if not analysis.outputs:
        return None
    series = lineup(analysis)
    rubric = _rubric(analysis)
    shown, of = shown_items(analysis), len(analysis.outputs)
    marked = any(item.evidence_positions for item in analysis.outputs)  # else nothing says which bear an answer
    views = tuple(_item(analysis, i, series, rubric, marked, shown.limit) for i in shown.places)
    items, changed = Items(views, len(series), of), _changed(analysis)
    found = [states(item, [s.key for s in series]) for item in analysis.outputs]
    differing = f"{plural(sum(map(parts_models, found)), 'item')} on which the models part, "
    differing, who = (differing, "some model") if len(series) > 1 else ("", series[0].name)
    failing = plural(sum(map(is_failed, found)), "item")
    graded = any(state != "ungraded" for item in found for state in item)
    said = f"{differing}{failing} that {who} fails." if graded else "Nothing is graded yet."
    return Section(
        name="items",
        label="Every item" if shown.all_of_them else "Items",
        heading=_heading(len(views), of, f" that changed, of {analysis.items:,}," if changed else ""),
        lede=words(
            *_then(changed),
            f"{said} Open one to see the task, the "
            "reference and every output with its grades. Hide the names to judge for yourself first.",
            *_of_one_size(analysis),
        ),
        blocks=(*_cut(shown, items), *_left_out(shown, who), items),
    )


def _of_one_size(analysis: Analysis) -> Iterator[str]:
    """Where the outputs of a sweep's other sizes are: there may be several times as many."""
    if (sweep := analysis.sweep) is not None:
        others = listing([tokens(size) for size in sweep.sizes if size != sweep.analysed])
        yield (
            f" These are the outputs at {tokens(sweep.analysed)} tokens; those at {others} are in the table of trials"
            " (`-o trials.xlsx`)."
        )


def _changed(analysis: Analysis) -> Baseline | None:
    """The earlier run, if the items are those alone that came out otherwise in it."""
    changed = {id_ for pair in analysis.against for id_ in (*pair.improved, *pair.regressed)}
    return analysis.baseline if all(item.id in changed for item in analysis.outputs) else None


def _then(earlier: Baseline | None) -> Iterator[Span]:
    """Where the other outputs of items that changed are: the page has only those of the later run."""
    if earlier is not None:
        yield Span("The outputs are this run's; those of the baseline run stand in that run's own report: ")
        yield strong(earlier.name)
        yield Span(f" of {earlier.created_at[:10]}", measured=True)
        yield Span(". ")


def _heading(shown: int, of: int, which: str = "") -> str:
    """`which`: after the word items, what sets these apart from others of the run."""
    if which and shown < of:
        return f"Read {shown:,} of the {of:,} items{which} for yourself"
    if which:
        return f"Read the {plural(of, 'item')}{which} for yourself"
    if shown < of:
        return f"Read {shown:,} of {of:,} items for yourself"
    return f"Read {'the item' if of == 1 else f'all {of:,} items'} for yourself"


def _cut(shown: ShownItems, items: Items) -> Iterator[Paragraph]:
    """That texts are cut for want of room, which the page says of each as well."""
    cut, of = sum(text.cut_characters > 0 for text in items.excerpts), len(items.excerpts)
    if shown.limit < TEXT_LIMIT and cut:
        yield Paragraph(
            words(
                f"For want of room on one page, texts are shown to {shown.limit:,} characters: {cut:,} of {of:,} are"
                " cut, each with the place of the whole of it."
            )
        )


def _left_out(shown: ShownItems, who: str) -> Iterator[Paragraph]:
    """What of a run too large for a page is shown, and what is not."""
    if shown.all_of_them:
        return
    earlier = any(shown.counts.get(kind, (0, 0))[1] for kind in ("named", "parting"))
    what = {
        "named": "that this report names elsewhere",
        "parting": "on which the models part",
        "failing": f"{'more ' * earlier}that {who} fails",
        "rest": "others",
    }
    counts = [(here, of, what[kind]) for kind, (here, of) in shown.counts.items() if of]
    whole = listing([f"all {of:,} {which}" for here, of, which in counts if here == of])
    drawn = listing([f"{here:,} of {of:,} {which}" for here, of, which in counts if here < of])
    yield Paragraph(
        words(
            strong(f"{len(shown.places):,} of {sum(of for _, of, _ in counts):,} items are shown: "),
            f"{f'{whole}; ' if whole else ''}{drawn}, drawn at random by the run's seed, so that every rendering shows "
            "the same. Each item counts once, where it comes first. All figures of this report are of all items.",
        )
    )


def _rubric(analysis: Analysis) -> Rubric | None:
    """The rubric of the run; None where it has none, as in a run that was never graded."""
    return Rubric.read_back(analysis.spec.rubric) if analysis.spec.rubric else None


def _item(
    analysis: Analysis, index: int, series: tuple[Series, ...], rubric: Rubric | None, marked: bool, limit: int
) -> ItemView:
    item, look, number = analysis.outputs[index], {s.key: s for s in series}, _number(index)
    found = states(item, [s.key for s in series])
    bearing = [name for place, name in enumerate(item.documents) if place in item.evidence_positions]
    return ItemView(
        id=item.id,
        anchor=anchor(index),
        title=_title(item.task) or item.id,
        task=Excerpt(item.task, f"{number}-task.txt", limit),
        reference=None if item.reference is None else Excerpt(item.reference, f"{number}-reference.txt", limit),
        difficulty=item.difficulty,
        tags=item.tags,
        documents=tuple(_sized(analysis, name) for name in (bearing if marked else item.documents)),
        bearing=marked,
        filling=len(item.documents) - len(bearing) if marked else 0,
        outputs=tuple(
            _output(
                o,
                look[o.model],
                place,
                Excerpt(o.text, side_file(number, place), limit),
                rubric,
                analysis.grading.dropped,
            )
            for o, place in _placed(analysis, item, series)
        ),
        differs=parts_models(found),
        failing=is_failed(found),
    )


def output_texts(analysis: Analysis) -> Iterator[Excerpt]:
    """Every output of a run with the name of its side file, those of items that a page leaves out as well."""
    series = lineup(analysis)
    for index, item in enumerate(analysis.outputs):
        for output, place in _placed(analysis, item, series):
            yield Excerpt(output.text, side_file(_number(index), place))


def _placed(analysis: Analysis, item: ItemResult, series: Sequence[Series]) -> list[tuple[OutputResult, int]]:
    """An item's outputs in the order of the line-up, each with its place while names are hidden."""
    rank = {s.key: i for i, s in enumerate(series)}
    outputs = sorted((o for o in item.outputs if o.model in rank), key=lambda o: (o.epoch, rank[o.model]))
    return list(zip(outputs, _blind_places(analysis.spec.seed, item.id, len(outputs)), strict=True))


def _number(index: int) -> str:
    return anchor(index).removeprefix("item-")


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


def _output(
    output: OutputResult, series: Series, place: int, text: Excerpt, rubric: Rubric | None, dropped: Collection[str]
) -> OutputView:
    state = state_of([output])
    return OutputView(
        series=series,
        epoch=output.epoch,
        blind_place=place,
        result=_result(output, state),
        state=state,
        text=text,
        grades=_grades(output, rubric, dropped),
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
        return "failed on every attempt so far" if output.failed_so_far else "not run yet"
    if output.outcome != "answered":
        return f"{output.outcome}: not satisfactory"
    words_ = {"satisfactory": "satisfactory", "unsatisfactory": "not satisfactory"}.get(state, "ungraded")
    return words_ if output.score is None else f"{words_}, score {score(output.score)}"


def _level(level: float) -> str:
    """A level as the rubric names it; a mean of several with its decimals."""
    return f"{level:.2f}".rstrip("0").rstrip(".")


def _grades(output: OutputResult, rubric: Rubric | None, dropped: Collection[str]) -> tuple[GradeLine, ...]:
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
        passed = None if floor is None else level >= floor
        lines.append(
            GradeLine(name, f"{_level(level)}{top}", passed, comment, _given(output.given.get(name, {}), dropped))
        )
    return tuple(lines)


def _given(views: Mapping[str, int], dropped: Collection[str]) -> str:
    """What each of several graders said, apart from whose word does not count: judges' beside people's, and that of
    judges who are dropped."""
    by_people = any(kind_of(grader) == "human" for grader in views)
    said: dict[bool, list[str]] = {True: [], False: []}
    for grader, level in sorted(views.items()):
        judged = kind_of(grader) == "judge"
        said[not judged or not (by_people or judge_model(grader) in dropped)].append(f"{grader} {level}")
    parts = (", ".join(said[True]), said[False] and f"not counted: {', '.join(said[False])}")
    return "; ".join(part for part in parts if part)
