"""Charts: scales, ticks, labels that do not collide, and drawings that say what they show."""

import math
import re
from functools import cache
from itertools import pairwise
from typing import get_args

import pytest
from drawings import lines_of, painted, parse, points
from hypothesis import given
from hypothesis import strategies as st
from report_pages import made
from report_variants import VARIANTS

from evalkit.blocks import (
    Section,
)
from evalkit.chart_blocks import (
    Axis,
    Bar,
    Bars,
    Chart,
    Ecdf,
    Forest,
    ForestRow,
    Frontier,
    FrontierPoint,
    Heatmap,
    Line,
    Lines,
    MapCell,
    MapColumn,
    Mark,
    Part,
    Series,
    Steps,
)
from evalkit.charts import NARROW, WIDE, draw
from evalkit.charts.cell import draw_cell
from evalkit.charts.ecdf import _course, _spots
from evalkit.charts.labels import Box, Marks, fit, place, spread, text_width
from evalkit.charts.marks import shape
from evalkit.charts.scales import Scale, named_ticks, scale_of, tick_name, ticks
from evalkit.charts.svg import INKS, PRINTED, Svg, course, fill, px, stroke
from evalkit.rendering.chart_table import table_of
from evalkit.report import build_report
from evalkit.series import NEUTRAL, POLICY
from evalkit.stats import Estimate
from evalkit.wording import Format

A, B = Series("a", "Alpha", 0), Series("b", "Beta", 1)
PERCENT = Axis("share", "percent", 0.0, 1.0, reference=0.8)


def estimate(value: float | None, low: float | None, high: float | None) -> Estimate:
    return Estimate(value, low, high, 0.95, 20, "m", reason=None if value is not None else "none")


@given(st.lists(st.tuples(st.floats(-900, 900), st.floats(-900, 900)), min_size=1, max_size=30))
def test_a_path_written_briefly_runs_through_its_points(corners: list[tuple[float, float]]) -> None:
    rounded = [(float(px(x)), float(px(y))) for x, y in corners]
    without = [point for i, point in enumerate(rounded) if not i or point != rounded[i - 1]]
    (read,) = points(course(corners))
    assert read == [(pytest.approx(x, abs=1e-6), pytest.approx(y, abs=1e-6)) for x, y in without]


def test_what_is_painted_alike_is_said_once() -> None:
    svg = Svg(100, 100, "")
    for y in (10, 20, 30):
        svg.line(0, y, 50, y, stroke("line"))
    svg.rect(1, 1, 5, 5, fill("m0"))
    for y in (10, 20, 30):
        svg.text(60, y, "word", "m0", anchor="end", bold=True)
    drawn = svg.finish("wide")
    assert drawn.count("<path") == drawn.count("<g ") == 1
    assert len(lines_of(parse(drawn))) == 3
    said = [own for tag, text, own in painted(parse(drawn)) if text == "word"]
    assert [(own["text-anchor"], own["fill"]) for own in said] == 3 * [("end", INKS["m0"])]


def test_shapes_with_a_frame_stay_apart_or_they_would_hide_each_other() -> None:
    svg = Svg(100, 100, "")
    for x in (10, 14):
        shape(svg, Series("h", "Hotel", 7), x, 10)
    assert svg.finish("wide").count("<path") == 2


def charts(section: Section) -> list[Chart]:
    return [block for block in section.blocks if isinstance(block, Chart)]


@cache
def charts_of(case: str) -> tuple[Chart, ...]:
    """All charts of a run's report."""
    return tuple(chart for section in build_report(made(case)).sections for chart in charts(section))


@pytest.mark.parametrize("case", sorted(VARIANTS))
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_every_chart_of_every_run_keeps_its_promises(case: str, width: int) -> None:
    for chart in charts_of(case):
        keeps_its_promises(chart, width)


def keeps_its_promises(chart: Chart, width: int) -> None:
    text = draw(chart, width)
    root = parse(text)
    assert root.get("role") == ("group" if isinstance(chart, Heatmap) else "img")
    assert root.get("aria-label")
    assert (root.get("display") == "none") is (width == NARROW)
    assert "style=" not in text
    assert "nan" not in text
    assert not re.search(r"=\"-?inf", text)
    for element in root.iter():
        for attribute in ("x", "cx"):
            if attribute in element.attrib:
                assert -1 <= float(element.attrib[attribute]) <= width + 1
        if "d" in element.attrib:
            assert all(-1 <= x <= width + 1 for piece in points(element.attrib["d"]) for x, _ in piece)
    sizes = [float(own["font-size"]) for tag, _, own in painted(root, **root.attrib) if tag == "text"]
    assert min(sizes, default=11) >= 11
    assert draw(chart, width) == text


@pytest.mark.parametrize("case", sorted(VARIANTS))
def test_every_chart_but_the_map_has_its_figures_as_a_table(case: str) -> None:
    for chart in charts_of(case):
        figures = table_of(chart)
        if isinstance(chart, Heatmap):
            assert figures is None
        else:
            assert figures is not None
            assert all(len(row.cells) == len(figures.columns) for row in figures.rows)


def test_a_limit_that_does_not_exist_is_an_arrow_and_said_to_be_open() -> None:
    axis = Axis("s", "seconds", 1.0, 20.0)
    closed = draw(Forest("f", axis, (ForestRow("r", (Mark(A, estimate(5, 3, 8)),)),)), WIDE)
    opened = draw(Forest("f", axis, (ForestRow("r", (Mark(A, estimate(5, 3, None)),)),)), WIDE)
    assert opened.count("<path") == closed.count("<path") + 1
    assert "from 3.0 s, open" in opened


def test_an_estimate_without_value_or_limit_draws_no_mark() -> None:
    row = ForestRow("r", (Mark(A, estimate(None, None, None)),))
    drawn = draw(Forest("f", PERCENT, (row,)), WIDE)
    assert "<circle" not in drawn
    assert ">none<" in drawn


def test_shapes_double_the_colours() -> None:
    circle, square = (draw_cell(PERCENT, estimate(0.5, 0.4, 0.6), s) for s in (A, B))
    assert "<circle" in circle
    assert "<circle" not in square
    assert f'fill="{INKS["m0"]}"' in circle
    assert f'fill="{INKS["m1"]}"' in square
    assert f'fill="{INKS["ink"]}"' in draw_cell(PERCENT, estimate(0.5, 0.4, 0.6), NEUTRAL)


SLOTS = (*range(12), NEUTRAL.slot, POLICY)


@pytest.mark.parametrize("slot", SLOTS)
def test_each_slot_has_its_own_look(slot: int) -> None:
    looks = [draw_cell(PERCENT, estimate(0.5, 0.4, 0.6), Series("k", "k", i)) for i in SLOTS]
    assert looks.count(looks[SLOTS.index(slot)]) == 1


def test_only_the_picked_point_has_a_ring() -> None:
    x, y = Axis("cost", "money", 0.0, 0.1), PERCENT
    points = (
        FrontierPoint(A, estimate(0.02, 0.01, 0.03), estimate(0.7, 0.6, 0.8)),
        FrontierPoint(B, estimate(0.05, 0.04, 0.06), estimate(0.9, 0.85, 0.95), picked=True),
    )
    assert draw(Frontier("f", x, y, points), WIDE).count('r="13"') == 1


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("apart", [0.001, 0.0])
@pytest.mark.parametrize("models", [3, 4, 5])
def test_names_on_the_frontier_do_not_overlap(apart: float, models: int, width: int) -> None:
    close = [
        FrontierPoint(
            Series(f"m{i}", f"Model {i}.5", i),
            estimate(0.02 + i * apart, 0.02, 0.023),
            estimate(1.0, 0.91, 1.0),
            picked=i == 0,
        )
        for i in range(models)
    ]
    y = Axis("satisfactory", "percent", 0.7, 1.0, reference=0.8, reference_label="below your 80% bar")
    root = parse(draw(Frontier("f", Axis("c", "money", 0.0, 0.025), y, tuple(close)), width))
    names = [
        e
        for e in root.iter()
        if e.tag == "text" and (e.text or "").startswith("Model") and "aria-hidden" not in e.attrib
    ]
    boxes = []
    for e in names:
        width, x = text_width(e.text or "", 13, bold=True), float(e.attrib["x"])
        left = {"start": x, "middle": x - width / 2, "end": x - width}[e.attrib.get("text-anchor", "start")]
        boxes.append(Box(left, float(e.attrib["y"]) - 11, left + width, float(e.attrib["y"]) + 2))
    assert len(boxes) == models
    assert not any(a.meets(b) for i, a in enumerate(boxes) for b in boxes[:i])


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_a_name_on_the_frontier_stands_nearest_to_its_own_mark(width: int) -> None:
    """Four options of which two stand close: nothing may seem to be named by what names another."""
    figures = {"Haiku 4.5": (7.0, 72, 59, 81), "Sonnet 4.6": (16.2, 92, 82, 96), "Opus 4.6": (27.0, 92, 82, 96),
               "Routed": (21.8, 98, 89, 99.7)}  # fmt: skip
    options = tuple(
        FrontierPoint(
            Series(name, name, i if name != "Routed" else POLICY),
            estimate(cost / 100, cost / 100 * 0.94, cost / 100 * 1.12),
            estimate(rate / 100, low / 100, high / 100),
            picked=name == "Sonnet 4.6",
        )
        for i, (name, (cost, rate, low, high)) in enumerate(figures.items())
    )
    y = Axis("satisfactory", "percent", 0.5, 1.0, reference=0.8, reference_label="below your 80% bar")
    root = parse(draw(Frontier("f", Axis("cost", "money", 0.0, 0.34), y, options), width))
    lines = lines_of(root)
    for _, text, own in painted(root):
        if text not in figures or "aria-hidden" in own:
            continue
        wide, at, low = text_width(text, 13, bold=True), float(own["x"]), float(own["y"])
        left = {"start": at, "middle": at - wide / 2, "end": at - wide}[own.get("text-anchor", "start")]
        name = Box(left, low - 12, left + wide, low)
        apart: dict[str, float] = {}
        for ink, drawn in lines:
            apart[ink] = min(apart.get(ink, math.inf), name.distance(drawn))
        del apart[INKS["line"]]
        assert len(apart) == len(figures)
        assert min(apart, key=lambda ink: apart[ink]) == own["fill"], (text, apart)


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("costs", [(0.095,), (0.09, 0.05), (0.02, 0.095)])
def test_no_interval_runs_through_the_label_of_the_bar(costs: tuple[float, ...], width: int) -> None:
    options = tuple(
        FrontierPoint(Series(f"m{i}", f"M{i}", i), estimate(cost, cost - 0.004, cost + 0.004), estimate(0.8, 0.6, 0.9))
        for i, cost in enumerate(costs)
    )
    y = Axis("satisfactory", "percent", 0.5, 1.0, reference=0.8, reference_label="below your 80% bar")
    root = parse(draw(Frontier("f", Axis("c", "money", 0.0, 0.1), y, options), width))
    label = next(own for _, text, own in painted(root) if text == y.reference_label)
    left, bottom = float(label["x"]), float(label["y"])
    box = Box(left, bottom - 11, left + text_width(y.reference_label, 11.5, bold=True), bottom + 3)
    lines = [drawn for ink, drawn in lines_of(root) if ink in (INKS["m0"], INKS["m1"])]
    assert len(lines) >= 2 * len(costs)
    for line in lines:
        assert not box.meets(Box(line.left - 1, line.top - 1, line.right + 1, line.bottom + 1)), line


def test_bars_share_one_scale_and_leave_out_what_is_zero() -> None:
    parts = (Part("satisfactory", "satisfactory", 30), Part("failed", "refused", 0))
    drawn = draw(Bars("f", (Bar(A, parts), Bar(B, (Part("satisfactory", "satisfactory", 15),))), "trials"), WIDE)
    widths = sorted(float(w) for w in re.findall(r'width="([\d.]+)" height="26"', drawn))
    assert len(widths) == 2
    assert widths[1] / widths[0] == pytest.approx(2, abs=0.02)
    assert "refused: 0" not in drawn


def test_the_words_of_a_legend_do_not_touch_the_next_swatch_on_paper() -> None:
    parts = (Part("satisfactory", "s", 30), Part("unsatisfactory", "u", 9), Part("failed", "refused", 5))
    drawn = list(painted(parse(draw(Bars("f", (Bar(A, parts),), "trials"), WIDE))))
    swatches = [float(own["x"]) for tag, _, own in drawn if tag == "rect" and own["width"] == "12"]
    names = [(float(own["x"]), text) for tag, text, own in drawn if tag == "text" and own.get("font-size") == "11.5"]
    assert len(swatches) == len(names) == 3
    for (x, name), swatch in zip(names, swatches[1:], strict=False):
        assert x + text_width(name or "", PRINTED) + 8 < swatch, name


def test_the_map_links_every_item() -> None:
    from evalkit.sections.item_map import build

    section = build(VARIANTS["whole"]())
    assert section is not None
    links = re.findall(r'<a href="#(item-\d+)">', draw(charts(section)[0], WIDE))
    assert sorted(links) == [f"item-{i:03d}" for i in range(1, 61)]


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_each_row_of_each_band_of_the_map_is_told_by_more_than_its_colour(width: int) -> None:
    models = tuple(Series(f"m{i}", f"Model {i}", i) for i in range(9))
    columns = tuple(
        MapColumn(f"i{n}", f"item-{n}", "easy", tuple(MapCell(m, "satisfactory", "s") for m in models))
        for n in range(40)
    )
    drawing = parse(draw(Heatmap("f", models, columns), width))
    links = [part for part in drawing.iter() if part.tag.endswith("}a") or part.tag == "a"]
    (columns_drawn,) = {cell.get("href") for link in links for cell in link if cell.tag.endswith("use")}
    column = next(part for part in drawing.iter() if f"#{part.get('id')}" == columns_drawn)
    assert [float(cell.get("y", 0)) for cell in column] == [22.0 * row for row in range(len(models))]
    rows = {float(link[-1].get("y", 0)) + float(cell.get("y", 0)) for link in links for cell in column}
    marks = [part for part in drawing if part.tag.endswith(("circle", "path"))]
    told = {part.text for part in drawing.iter() if part.tag.endswith("text")}
    assert {m.name for m in models} <= told
    named = len(models) if width == NARROW else 0
    assert len(marks) == len(rows) + named
    assert len({(part.tag, part.get("stroke"), part.get("fill")) for part in marks}) == len(models)


@pytest.mark.parametrize("apart", [1.0, 1.1, 1.25, 2.0, 4.0])
def test_a_curve_is_named_beside_itself_or_in_a_legend(apart: float) -> None:
    """Beside another curve's mark a name reads as that curve's, which only its colour denies."""
    series = [Series(key, f"Model {key}", i) for i, key in enumerate("abc")]
    axis = Axis("s", "seconds", 0.1, 30.0, log=True)
    steps = tuple(
        Steps(one, tuple(0.3 * apart**i * math.exp(k / 12) for k in range(40))) for i, one in enumerate(series)
    )
    across, up = scale_of(axis, 44.0, WIDE - 14), Scale(0, 1, 264, 12)
    spots = _spots(list(steps), across, up, WIDE)
    drawn = parse(draw(Ecdf("f", axis, steps), WIDE))
    assert {one.name for one in series} <= {part.text for part in drawn.iter() if part.tag.endswith("text")}
    assert (spots is None) == (apart < 4.0)
    for i, spot in enumerate(spots or ()):
        near = [min(spot.box.distance(box) for box in _course(one, across, up)) for one in steps]
        assert near[i] == min(near) > 0


def test_a_staircase_ends_at_everything() -> None:
    chart = Ecdf("f", Axis("s", "seconds", 1.0, 10.0, log=True), (Steps(A, (2.0, 3.0, 5.0)),))
    figures = table_of(chart)
    assert figures is not None
    assert [cell.text[0].text for cell in figures.rows[0].cells] == [
        "Alpha", "2.0 s", "2.0 s", "3.0 s", "5.0 s", "5.0 s", "5.0 s", "3",
    ]  # fmt: skip


def test_a_staircase_ends_below_everything_where_calls_were_given_up() -> None:
    """Three answers of six: drawn to the top, they would say that nobody waits for more than five seconds."""
    axis = Axis("s", "seconds", 1.0, 10.0, log=True)
    whole, cut = (Ecdf("f", axis, (Steps(A, (2.0, 3.0, 5.0), given_up=n),)) for n in (0, 3))
    figures = table_of(cut)
    assert figures is not None
    assert [cell.text[0].text for cell in figures.rows[0].cells] == [
        "Alpha", "2.0 s", "3.0 s", "5.0 s", "open", "open", "open", "6",
    ]  # fmt: skip
    assert figures.rows[0].cells[-1].doubt == "3 given up"
    (whole_end, _), (cut_end, bottom) = (_stairs_of(draw(chart, WIDE)) for chart in (whole, cut))
    assert (bottom - cut_end) / (bottom - whole_end) == pytest.approx(0.5, abs=0.01)


def _stairs_of(drawn: str) -> tuple[float, float]:
    """Heights at which the staircase ends and begins."""
    (stairs,) = [own["d"] for tag, _, own in painted(parse(drawn)) if tag == "path" and "stroke-linejoin" in own]
    ((*_, (_, end)),) = pieces = points(stairs)
    return end, pieces[0][0][1]


def test_text_in_a_drawing_is_escaped_and_made_visible() -> None:
    svg = Svg(10, 10, 'a"<b>')
    svg.text(0, 0, "</svg><script>\u202e&")
    drawn = svg.finish("wide")
    assert "<script>" not in drawn
    assert "⟦U+202E⟧" in drawn
    assert parse(drawn).get("aria-label") == 'a"<b>'


@pytest.mark.parametrize(
    ("axis", "count", "expected"),
    [
        (Axis("", "percent", 0.0, 1.0), 5, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (Axis("", "percent", 0.5, 1.0), 6, [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]),
        (Axis("", "money", 0.0, 0.09), 4, [0, 0.025, 0.05, 0.075]),
        (Axis("", "seconds", 0.8, 40.0, log=True), 6, [1, 2, 5, 10, 20]),
        (Axis("", "seconds", 0.01, 1000.0, log=True), 6, [0.01, 0.1, 1, 10, 100, 1000]),
        (Axis("", "percent", 0.5, 0.5), 4, [0.5]),
    ],
)
def test_ticks_are_round(axis: Axis, count: int, expected: list[float]) -> None:
    assert ticks(axis, count) == pytest.approx(expected)


@given(st.floats(0, 1e6), st.floats(1e-6, 1e6), st.integers(2, 10))
def test_ticks_stay_on_the_axis_in_order(low: float, span: float, count: int) -> None:
    axis = Axis("", "money", low, low + span)
    found = ticks(axis, count)
    assert found == sorted(found)
    slack = span * 1e-6 + 2 * math.ulp(axis.high)  # a short axis far from 0 has few numbers
    assert all(axis.low - slack <= x <= axis.high + slack for x in found)
    assert len(found) <= count + 2


@given(st.floats(1e-6, 1e6), st.floats(0, 1))
def test_a_log_scale_is_monotone_and_holds_its_ends(low: float, share: float) -> None:
    scale = Scale(low, low * 1000, 10, 110, log=True)
    assert scale(low) == pytest.approx(10)
    assert scale(low * 1000) == pytest.approx(110)
    assert 10 <= scale(low * 1000**share) <= 110.0000001
    assert scale(low / 2) == 10


def test_tick_names_do_not_run_into_each_other_or_the_bar() -> None:
    axis = Axis("", "percent", 0.0, 1.0, reference=0.8)
    named = named_ticks(axis, scale_of(axis, 0, 100), 10)
    assert 0.8 not in [value for value, _ in named]
    assert len(named) < 11


@pytest.mark.parametrize(
    ("value", "style", "name"),
    [
        (0.9995, "percent", "99.95%"),
        (0, "money", "0"),
        (0.05, "money", "5¢"),
        (2.0, "money", "$2"),
        (0.3, "percent", "30%"),
        (10, "seconds", "10 s"),
        (0.00001, "money", "0.001¢"),
        (0.000005, "money", "0.0005¢"),
        (0.125, "money", "12.5¢"),
        (0.005, "seconds", "0.005 s"),
        (0.005, "ratio", "0.005×"),
        (1000.2, "seconds", "1,000.2 s"),
        (-0.025, "points", "−2.5"),
    ],
)
def test_tick_names_are_short(value: float, style: str, name: str) -> None:
    assert tick_name(value, Axis("", style, 0.0, 1.0)) == name


def read_back(name: str, style: str) -> float:
    """The value that a reader takes a tick's name for."""
    digits = re.sub(r"[^\d.−-]", "", name).replace("−", "-")
    hundredths = name.endswith(("¢", "%")) or style == "points"
    return float(digits) / (100 if hundredths else 1000 if name.endswith(" ms") else 1)


@given(st.sampled_from(get_args(Format)), st.floats(-9, 8), st.floats(-4, 4), st.booleans(), st.booleans())
def test_every_tick_reads_as_the_value_it_stands_at(
    style: Format, low: float, span: float, log: bool, below_zero: bool
) -> None:
    start = 10.0**low
    axis = Axis("", style, start, start * (1 + 10.0**span), log)
    if not log:
        axis = Axis("", style, -start if below_zero else 0.0 if span > 3 else start, start * (1 + 10.0**span))
    named = named_ticks(axis, scale_of(axis, 0, 5000), 8)
    for value, name in named:
        assert read_back(name, style) == pytest.approx(value, rel=1e-9, abs=(axis.high - axis.low) * 1e-9), name
    assert len({name for _, name in named}) == len(named)


@pytest.mark.parametrize("width", [NARROW, WIDE])
@pytest.mark.parametrize("high", [0.00004, 900.0, 1_400_000.0])
def test_names_of_an_upright_axis_are_never_cut(high: float, width: int) -> None:
    money, share = Axis("cost", "money", 0.0, high), Axis("share", "percent", 0.0, 1.0, reference=0.825)
    point = FrontierPoint(A, estimate(0.5, 0.4, 0.6), estimate(high / 2, high / 3, high))
    for chart in (
        Lines("f", money, money, (Line(A, ((0.0, 0.0), (high, high))),)),
        Frontier("f", share, money, (point,)),
    ):
        for tag, text, own in painted(parse(draw(chart, width))):
            if tag == "text" and own.get("text-anchor") == "end":
                assert float(own.get("x", 0)) >= text_width(text or "", float(own.get("font-size", 12)))


@given(st.lists(st.floats(0, 100), max_size=8))
def test_spread_keeps_the_gap_and_the_order(positions: list[float]) -> None:
    moved = spread(positions, 10, 0, 100)
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    gaps = [moved[b] - moved[a] for a, b in pairwise(order)]
    assert all(gap >= 10 - 1e-6 for gap in gaps)
    assert all(-1e-6 <= y <= 100 + 1e-6 for y in moved)


def test_a_label_avoids_what_is_taken() -> None:
    frame, at = Box(0, 0, 300, 300), (150.0, 150.0)
    free = place("name", 12, at, Marks([]), frame)
    second = place("name", 12, at, Marks([free.box]), frame)
    assert not second.box.meets(free.box)
    assert place("name", 12, at, Marks([frame]), frame).box.right <= 300


def test_text_that_does_not_fit_is_cut() -> None:
    assert fit("short", 12, 200) == "short"
    cut = fit("a very long label indeed", 12, 60)
    assert cut.endswith("…")
    assert text_width(cut, 12) <= 60


@pytest.mark.parametrize(("x", "text"), [(1.0, "1"), (-0.01, "0"), (1.25, "1.2"), (10.06, "10.1")])
def test_coordinates_are_brief(x: float, text: str) -> None:
    assert px(x) == text
