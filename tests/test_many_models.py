"""Reports of many models with long names: labels apart and distinct, pairs grouped, pages of paper few."""

import random
import re
from functools import cache
from pathlib import Path

import pytest
from drawings import painted, parse
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser
from report_fixtures import Profile, analysis
from report_pages import plain_text, section
from test_charts import A, B
from test_report_browser import MISPLACED

from evalkit.analysis.results import Analysis
from evalkit.blocks import Table
from evalkit.chart_blocks import Axis, Crossing, Ecdf, Line, Lines, Series, Shares, Steps, Stretch
from evalkit.charts import NARROW, WIDE, draw
from evalkit.charts.labels import Box, text_width
from evalkit.charts.marks import shape
from evalkit.charts.short_names import short_names
from evalkit.charts.svg import INKS, Svg
from evalkit.rendering.chart_table import table_of
from evalkit.report import render_html

LONG = tuple(f"organisation-with-long-name/model-family-{i}-instruct-2026-01-01-preview" for i in range(9))
WORDS = ("claude-opus-4-6", "claude-haiku-4-5-20251001", "gpt-4o-mini", "mistral-large", "eu.vendor.some-model-v4-6",
         "WWWWWWWWWWWWWWWWWWWWWWWWWWW", "模型模型模型模型模型模型", "x")  # fmt: skip
MONEY = Axis("price", "money", 0.01, 10.0, log=True)


@cache
def many(count: int = 9, items: int = 40, seed: int = 1) -> Analysis:
    """A run of models with long or odd names, prices over a random number of decades, and rates anywhere."""
    rng = random.Random(seed)  # noqa: S311  # invented data
    names = LONG if seed % 2 else tuple(f"{rng.choice(WORDS)}-{i}" for i in range(9))
    unit = 10 ** rng.uniform(-4, 0)
    ease = [rng.uniform(0.4, 1.0) for _ in range(count)]
    profiles = tuple(
        Profile(name, {"easy": e, "medium": e, "hard": e * 0.9}, unit * rng.uniform(1, 30), rng.uniform(0.2, 3), 5.0)
        for name, e in zip(names, ease, strict=False)
    )
    return analysis(items, seed, profiles)


@given(st.lists(st.text("abW-/.0 ", min_size=1, max_size=40), max_size=9, unique=True), st.floats(60, 300))
def test_short_names_are_as_distinct_as_the_names_and_fit(names: list[str], room: float) -> None:
    labels = short_names(names, 12, room, bold=True)
    assert len(set(labels.values())) == len(names)
    assert all(text_width(label, 12, bold=True) <= room for label in labels.values())


@pytest.mark.parametrize(
    ("names", "room", "labels"),
    [
        (("Opus 4.6", "Haiku"), 200, ("Opus 4.6", "Haiku")),
        (LONG[:2], 110, ("…family-0-…", "…family-1-…")),
        (("maker/" + "a" * 40 + "-v1", "maker/" + "a" * 40 + "-v2"), 100, ("maker…aa-v1", "maker…aa-v2")),
    ],
)
def test_a_long_name_keeps_what_tells_it_from_the_others(
    names: tuple[str, ...], room: float, labels: tuple[str, ...]
) -> None:
    assert tuple(short_names(names, 12, room, bold=True).values()) == labels


def crossing_chart(values: list[float]) -> Lines:
    crossings = tuple(Crossing(x, 0.5, f"${x:.3f}", shown=False) for x in values)
    return Lines("f", MONEY, MONEY, (Line(A, ((0.01, 0.1), (10.0, 5.0))), Line(B, ((0.01, 0.2), (10.0, 4.0)))),
                 crossings=crossings)  # fmt: skip


@pytest.mark.parametrize("width", [NARROW, WIDE])
@given(values=st.lists(st.floats(0.01, 10.0), min_size=2, max_size=9, unique=True))
def test_values_of_crossings_stand_apart_and_each_is_in_the_table(values: list[float], width: int) -> None:
    chart = crossing_chart(values)
    said = [(text or "", own) for tag, text, own in painted(parse(draw(chart, width)))
            if tag == "text" and own.get("font-size") == "11.5" and "aria-hidden" not in own
            and (text or "").startswith("$")]  # fmt: skip
    boxes = []
    for text, own in said:
        left, bottom = float(own["x"]), float(own["y"])
        boxes.append(Box(left, bottom - 11, left + text_width(text, 11.5, bold=True), bottom + 3))
    assert not any(a.meets(b) for i, a in enumerate(boxes) for b in boxes[:i])
    rows: dict[float, list[tuple[float, str]]] = {}
    for box, (text, _) in zip(boxes, said, strict=True):
        rows.setdefault(box.bottom, []).append((box.left, text))
    for row in rows.values():
        ordered = [float(text[1:]) for _, text in sorted(row)]
        assert ordered == sorted(ordered), "a value to the right is none of a crossing to the left"
    figures = table_of(chart)
    assert figures is not None
    told = [plain_text(row.cells[0].text) for row in figures.rows if row.cells[0].doubt]
    assert sorted(told) == sorted(c.label for c in chart.crossings)


def test_the_table_gives_the_height_of_curves_where_they_cross() -> None:
    flat, steep = Line(A, ((0.01, 1.0), (10.0, 1.0))), Line(B, ((0.01, 0.01), (10.0, 2.0)))
    figures = table_of(Lines("f", MONEY, MONEY, (flat, steep), crossings=(Crossing(5.005, 1.0, "$5.01", shown=True),)))
    assert figures is not None
    (row,) = [row for row in figures.rows if row.cells[0].doubt]
    assert [plain_text(cell.text) for cell in row.cells] == ["$5.01", "$1.00", "$1.00"]


def test_curves_of_one_colour_differ_in_their_dashes_and_the_strip_in_its_shapes() -> None:
    """The seventh model has the first one's colour again."""
    models = [Series(f"m{i}", f"M{i}", i) for i in range(18)]
    lines = Lines("f", MONEY, MONEY, tuple(Line(m, ((0.01, 0.1), (10.0, 5.0))) for m in models))
    curves = Ecdf("f", Axis("s", "seconds", 1.0, 10.0), tuple(Steps(m, (2.0, 3.0)) for m in models))
    for chart, stroke in ((lines, "2.2"), (curves, "2")):
        drawn = re.findall(rf'<path d="[^"]+" stroke="([^"]+)" stroke-width="{stroke}"([^>]*)', draw(chart, WIDE))
        looks = {(ink, re.sub(".*dasharray", "dasharray", rest) if "dasharray" in rest else "") for ink, rest in drawn}
        assert len(looks) == len(models), type(chart)
    strips = [draw(Lines("f", MONEY, MONEY, (), (Stretch(m, 0.01, 0.012),)), WIDE) for m in (models[1], models[7])]
    assert strips[0] != strips[1]
    assert re.search(
        rf'fill="{INKS["m1"]}"[^>]* stroke="{INKS["paper"]}"|stroke="{INKS["paper"]}"[^>]* fill="{INKS["m1"]}"',
        strips[1],
    )


def test_marks_of_eighteen_models_all_differ() -> None:
    marks = set()
    for slot in range(18):
        svg = Svg(20, 20, "f")
        shape(svg, Series("m", "M", slot), 10, 10)
        marks.add(svg.finish("wide"))
    assert len(marks) == 18


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_names_that_begin_alike_are_distinct_in_a_chart(width: int) -> None:
    names = [f"organisation-with-a-very-long-name/model-family-{i}-instruct-2026-01-01-preview" for i in range(9)]
    chart = Shares("f", "of all", tuple((Series(name, name, i), 0.1) for i, name in enumerate(names)))
    said = {e.text for e in parse(draw(chart, width)).iter() if e.tag.endswith("text")}
    assert len(said - {"10%", "of all"}) == len(names)


@pytest.mark.long
def test_of_many_pairs_the_heading_and_the_tables_speak_by_model() -> None:
    beside, price, sure = (section(many(), name) for name in ("side-by-side", "price-of-a-failure", "how-sure"))
    assert beside.heading.count("organisation") <= 3
    assert re.search(r"\d+ of all 36 pairs show a difference$|^No difference|all pairs differ$", beside.heading)
    for shown, most in ((beside, 9), (price, 16), (sure, 9)):
        tables = [block for block in shown.blocks if isinstance(block, Table)]
        assert [bool(table.folded) for table in tables] == [False, True], shown.name
        assert len(tables[0].rows) <= most
        assert len(tables[1].rows) == 36


def test_the_counts_by_model_are_those_of_the_pairs() -> None:
    by_model, pairs = (b for b in section(many(), "side-by-side").blocks if isinstance(b, Table))
    results = [plain_text(row.cells[2].text) for row in pairs.rows]
    better = {plain_text(row.cells[0].text): int(plain_text(row.cells[1].text)) for row in by_model.rows}
    assert better == {name: results.count(f"{name} is better") for name in better}
    assert sum(better.values()) > 0


def test_few_pairs_are_listed_whole() -> None:
    for name in ("side-by-side", "price-of-a-failure", "how-sure"):
        tables = [block for block in section(analysis(), name).blocks if isinstance(block, Table)]
        assert [table.folded for table in tables] == [""], name


def misplaced(browser: Browser, file: Path, html: str) -> list[str]:
    file.write_text(html, encoding="utf-8")
    shown, found = browser.new_page(), []
    shown.goto(file.as_uri())
    shown.evaluate("document.querySelectorAll('.item').forEach((e) => e.remove())")
    shown.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true })")
    for width in (1440, 390):
        shown.set_viewport_size({"width": width, "height": 1000})
        found += shown.evaluate(MISPLACED)
        if shown.evaluate("document.documentElement.scrollWidth") > width:
            found.append(f"wider than {width} px")
    shown.close()
    return found


@pytest.mark.long
def test_nine_long_names_neither_collide_nor_are_cut_off(browser: Browser, tmp_path: Path) -> None:
    assert misplaced(browser, tmp_path / "report.html", render_html(many(items=12))) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 22))
def test_no_set_of_models_makes_labels_collide(seed: int, browser: Browser, tmp_path: Path) -> None:
    made = many(1 + seed % 9, (1, 5, 20, 40)[seed % 4], seed)
    assert misplaced(browser, tmp_path / "report.html", render_html(made)) == []


@pytest.mark.long
def test_nine_models_print_on_nine_pages_that_say_what_is_left_out(browser: Browser, tmp_path: Path) -> None:
    file, profiles = tmp_path / "report.html", [f"model-{i}" for i in range(9)]
    ease = {"easy": 0.99, "medium": 0.9, "hard": 0.8}
    made = analysis(60, profiles=tuple(Profile(m, ease, 0.01 * (i + 1), 1.0, 5.0) for i, m in enumerate(profiles)))
    file.write_text(render_html(made), encoding="utf-8")
    shown = browser.new_page(color_scheme="dark")
    shown.goto(file.as_uri())
    assert not shown.get_by_text("Not printed for so many models").is_visible()
    assert len(re.findall(rb"/Type\s*/Page\b", shown.pdf(format="A4"))) <= 9
    shown.emulate_media(media="print")
    assert shown.get_by_text("Not printed for so many models").is_visible()
    assert shown.locator("#scorecard table").first.is_visible()
    for left_out in ("#scorecard table >> nth=1", "#how-sure table >> nth=0", "#failures table >> nth=0"):
        assert not shown.locator(left_out).is_visible(), left_out
    for finding in shown.query_selector_all("section:not(#items) > h1, section:not(#items) > h2, figure:first-of-type"):
        assert finding.is_visible()
    shown.close()
