"""A reader with the report: the first screen, no script, a build server's policy, themes, a phone, paper, the items."""

import re
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

import pytest
from analysis_builders import HAIKU, OPUS, run_of
from playwright.sync_api import Browser, Page
from report_fixtures import PROFILES, Profile, analysis
from report_graders import people_and_judge
from report_pages import made, page

from evalkit.analysis import analyze
from evalkit.analysis.results import Analysis
from evalkit.report import render_html
from evalkit.route import with_routing

DESK, PHONE = (1440, 900), (390, 844)
BUILD_SERVER = "sandbox allow-same-origin; default-src 'none'; style-src 'self'"
"""What Jenkins allows an artifact by default: no script, no style inside the page."""
LIGHT, DARK = "rgb(252, 252, 250)", "rgb(19, 20, 22)"
GROUND = "getComputedStyle(document.body).backgroundColor"


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """A report of sixty items under three models."""
    file = tmp_path / "report.html"
    file.write_text(page("whole"), encoding="utf-8")
    return file


@pytest.fixture
def opened(browser: Browser, report: Path) -> Iterator[Page]:
    """The report in a window on a desk."""
    shown = browser.new_page(viewport={"width": DESK[0], "height": DESK[1]}, color_scheme="light")
    shown.goto(report.as_uri())
    yield shown
    shown.close()


@pytest.fixture
def unscripted(browser: Browser, report: Path) -> Iterator[Page]:
    """The report in a browser that runs no script."""
    context = browser.new_context(java_script_enabled=False, viewport={"width": DESK[0], "height": DESK[1]})
    shown = context.new_page()
    shown.goto(report.as_uri())
    yield shown
    context.close()


@pytest.mark.long
@pytest.mark.parametrize("name", ["simulated", "one_item", "no_option", "people_at_odds"])
def test_the_first_screen_has_the_answer_with_its_interval(name: str, browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(page(name), encoding="utf-8")
    shown = browser.new_page()
    shown.goto(file.as_uri())
    for width, height in (DESK, PHONE):
        shown.set_viewport_size({"width": width, "height": height})
        answer, lede = shown.locator("h1"), shown.locator("#verdict .lede")
        assert re.match("Use .+|No option clears the bar|Not enough data", answer.inner_text())
        assert re.search(r"\(\d+(–\d+|% to >\d+)%", lede.inner_text())
        for part in (answer, lede):
            box = part.bounding_box()
            assert box is not None
            assert 0 <= box["x"] <= box["x"] + box["width"] <= width, width
            assert 0 <= box["y"] <= box["y"] + box["height"] <= height, width
    shown.close()


@pytest.mark.long
@pytest.mark.parametrize("window", [DESK, PHONE], ids=["desk", "phone"])
def test_two_clicks_lead_from_the_verdict_to_any_output(window: tuple[int, int], opened: Page) -> None:
    opened.set_viewport_size({"width": window[0], "height": window[1]})
    contents = opened.locator("nav.contents a")
    assert 0 <= (contents.first.bounding_box() or {"y": -1})["y"] < window[1] / 2, "beside the answer"
    opened.locator("nav.contents a[href='#items']").click()
    item = opened.locator(".item").last
    assert not item.locator(".answer").first.is_visible()
    item.locator("summary").click()
    assert item.locator(".answer").first.is_visible()


class _Guarded(SimpleHTTPRequestHandler):
    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", BUILD_SERVER)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.long
def test_a_build_servers_policy_leaves_the_answer_the_charts_and_the_tables(browser: Browser, report: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Guarded, directory=str(report.parent)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    shown = browser.new_page()
    try:
        answer = shown.goto(f"http://127.0.0.1:{server.server_port}/report.html")
        assert answer is not None
        assert answer.headers["content-security-policy"] == BUILD_SERVER
        assert shown.evaluate("getComputedStyle(document.querySelector('h1')).fontSize") == "32px", "no style may apply"
        assert shown.locator("h1").is_visible()
        for chart in ("#frontier svg.wide", "#latency svg.wide", "#scorecard svg.cell", "#item-map svg.wide"):
            box = shown.locator(chart).first.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) > 10, chart
        assert not shown.locator("svg.narrow >> visible=true").count(), "each chart stands once"
        rows = shown.locator("#scorecard table").first.locator("tbody tr")
        assert rows.count() == len(made("whole").models)
        assert all(row.is_visible() for row in rows.all())
        assert not shown.locator("details:not([open])").count()
        (report.parent / "long.html").write_text(page("hostile"), encoding="utf-8")
        shown.goto(f"http://127.0.0.1:{server.server_port}/long.html")
        wide = shown.evaluate("document.documentElement.scrollWidth")
        assert wide <= (shown.viewport_size or {"width": 0})["width"], "a line of 20,000 characters can be broken"
    finally:
        shown.close()
        server.shutdown()
        server.server_close()


@pytest.mark.long
def test_without_script_everything_is_open_and_the_map_leads_to_its_items(unscripted: Page) -> None:
    assert not unscripted.locator("details:not([open])").count()
    assert unscripted.locator(".item").count() == 60
    hidden = "[...document.querySelectorAll('.answer, .grades, .figures table')].filter((e) => !e.offsetHeight).length"
    assert unscripted.evaluate(hidden) == 0
    assert unscripted.locator(".item .answer").count() > 150
    assert not unscripted.locator("#theme, #search").locator("visible=true").count(), "they would do nothing"
    link = unscripted.locator("#item-map svg.wide a").last
    target = unscripted.locator(str(link.get_attribute("href")))
    assert (target.bounding_box() or {"y": 0})["y"] > DESK[1]
    link.click()
    assert 0 <= (target.bounding_box() or {"y": -1})["y"] < DESK[1]


def test_the_page_follows_the_reader_into_the_dark_and_the_button_overrules_both(opened: Page) -> None:
    seen = {}
    for scheme in ("light", "dark"):
        opened.emulate_media(color_scheme=scheme)
        seen[scheme, "auto"] = opened.evaluate(GROUND)
        for theme in ("light", "dark", "auto"):
            opened.locator("#theme").click()
            assert opened.locator("#theme").inner_text() == f"Theme: {theme}"
            if theme != "auto":
                seen[scheme, theme] = opened.evaluate(GROUND)
    assert seen == {
        ("light", "auto"): LIGHT, ("light", "light"): LIGHT, ("light", "dark"): DARK,
        ("dark", "auto"): DARK, ("dark", "light"): LIGHT, ("dark", "dark"): DARK,
    }  # fmt: skip


SMALL_TEXT = """() => [...document.querySelectorAll("svg text")].filter((text) => {
  const svg = text.ownerSVGElement, box = svg.getBoundingClientRect()
  const size = parseFloat(getComputedStyle(text).fontSize) * box.width / svg.viewBox.baseVal.width
  return box.width && size < 10
}).map((text) => text.textContent)"""


@pytest.mark.parametrize("name", ["routed", "sweep"])
def test_a_phone_shows_all_of_it_large_enough_to_read(name: str, browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(page(name), encoding="utf-8")
    shown = browser.new_page(viewport={"width": PHONE[0], "height": PHONE[1]})
    shown.goto(file.as_uri())
    assert shown.evaluate(SMALL_TEXT) == []
    assert shown.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    assert shown.locator("#scorecard tbody svg.scale >> visible=true").count() == 2, "both columns have a scale"
    shown.close()


SMALL_PRINT = """(least) => [...document.querySelectorAll("body *")].filter((node) => {
  if (![...node.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) || !node.getClientRects().length) {
    return false
  }
  const svg = node.ownerSVGElement
  const scale = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : node.currentCSSZoom
  return parseFloat(getComputedStyle(node).fontSize) * scale < least - 0.01
}).map((node) => node.textContent)"""
"""Words that are smaller than so many px."""
PAPER_PX = (718, 1062)
"""A4 without its margins of 10 and 8 mm, at 96 px an inch."""
SPLIT = """(most) => [...document.querySelectorAll("figure")].filter((figure) => {
  return getComputedStyle(figure).breakInside !== "avoid" || figure.getBoundingClientRect().height > most
}).length"""
TOUCHING = """(least) => [...document.querySelectorAll("tbody tr")].flatMap((row) => {
  const boxes = [...row.cells].flatMap((cell, place) => {
    const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT, (n) => n.data.trim() ? 1 : 3)
    const found = []
    while (texts.nextNode()) {
      const range = document.createRange()
      range.selectNodeContents(texts.currentNode)
      found.push(...[...range.getClientRects()].map((box) => ({place, box, said: texts.currentNode.data})))
    }
    return found
  })
  return boxes.flatMap((one) => boxes.filter((two) => two.place > one.place
    && Math.min(one.box.bottom, two.box.bottom) - Math.max(one.box.top, two.box.top) > 2
    && two.box.left - one.box.right < least).map((two) => `${one.said} | ${two.said}`))
})"""
"""Words of neighbouring cells on one line with so few px between them that they read as one."""


def routed(items: int) -> Analysis:
    return with_routing(analysis(items))


def with_all(items: int) -> Analysis:
    return with_routing(people_and_judge(items))


FOUR = (*PROFILES, Profile("claude-opus-5-5", {"easy": 0.98, "medium": 0.95, "hard": 0.9}, 0.08, 1.8, 9.0))


@pytest.mark.long
@pytest.mark.parametrize(
    "made_up",
    [
        partial(analysis, 100),
        partial(people_and_judge, 100),
        partial(routed, 100),
        partial(with_all, 100),
        partial(analysis, 100, 47, FOUR, epochs=3),
    ],
    ids=["plain", "graders", "routed", "all of it", "four models"],
)
def test_a_hundred_items_print_on_eight_light_pages_without_a_chart_in_two(
    made_up: Callable[[], Analysis], browser: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    file.write_text(render_html(made_up()), encoding="utf-8")
    shown = browser.new_page(viewport={"width": PAPER_PX[0], "height": PAPER_PX[1]}, color_scheme="dark")
    shown.goto(file.as_uri())
    for paper in ("A4", "Letter"):
        assert len(re.findall(rb"/Type\s*/Page\b", shown.pdf(format=paper, print_background=True))) <= 8, paper
    shown.emulate_media(media="print", color_scheme="dark")
    assert shown.evaluate(GROUND) == "rgb(255, 255, 255)"
    assert shown.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(0, 0, 0)"
    assert shown.evaluate(SPLIT, PAPER_PX[1]) == 0
    assert shown.evaluate(TOUCHING, 4) == []
    told, part = shown.get_by_text("On the screen only, to keep paper short"), shown.locator(".screen-only")
    assert told.count() == (part.count() > 0), "what paper does without is named"
    assert part.count() <= 3
    assert not any(one.is_visible() for one in part.all())
    assert shown.evaluate("document.documentElement.scrollWidth") <= PAPER_PX[0], "wider, and all of it is shrunk"
    assert shown.evaluate(SMALL_PRINT, 7 / 72 * 96) == []
    shown.close()


OVER_ROWS = """() => [...document.querySelectorAll("table")].flatMap((table) => {
  const seen = (cell) => [...(cell?.querySelectorAll("svg") || [])].find((svg) => svg.getBoundingClientRect().width)
  return [...table.querySelectorAll("thead th")].flatMap((heading, i) => {
    const drawn = [...table.querySelectorAll("tbody tr")].map((row) => seen(row.children[i])).filter((svg) => svg)
    const axis = seen(heading)
    return axis ? drawn.map((svg) => axis.getBoundingClientRect().x - svg.getBoundingClientRect().x) : []
  })
})"""


@pytest.mark.long
@pytest.mark.parametrize("styled", [True, False], ids=["styled", "unstyled"])
@pytest.mark.parametrize("name", ["with_baseline", "routed"])
@pytest.mark.parametrize("media", ["screen", "print"])
def test_the_axis_of_a_column_stands_over_what_its_rows_draw(
    media: Literal["screen", "print"], name: str, *, styled: bool, browser: Browser, tmp_path: Path
) -> None:
    """Also on a build server that allows no style: there figures are read off what HTML alone sets where."""
    text, file = render_html(made(name)), tmp_path / "report.html"
    file.write_text(text if styled else re.sub("<style>.*?</style>", "", text, flags=re.DOTALL), encoding="utf-8")
    for width in (1920, 1440, 1280, 1100):
        shown = browser.new_page(viewport={"width": width, "height": 900})
        shown.goto(file.as_uri())
        shown.emulate_media(media=media)
        apart = shown.evaluate(OVER_ROWS)
        assert len(apart) >= 6
        assert max(map(abs, apart)) <= 1, width
        shown.close()


TOLD = """() => [...document.querySelectorAll("#items *")].filter((node) => node.checkVisibility()).flatMap((node) => {
  const own = [...node.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data).join("")
  const attributes = ["aria-label", "title", "alt"].map((name) => node.getAttribute(name) || "")
  return [own, ...attributes]
}).join("\\n")"""
COLOURS = """() => new Set([...document.querySelectorAll("#items .item *")].filter((n) => n.checkVisibility())
  .flatMap((n) => [getComputedStyle(n).color, getComputedStyle(n).borderTopColor, getComputedStyle(n).fill])
  .filter((colour) => INKS.includes(colour))).size"""
PLACES = """() => [...document.querySelectorAll(".item")].slice(0, 9).map((item) =>
  [...item.querySelectorAll(".output")].map((o) => o.getBoundingClientRect().left).join())"""


def test_hidden_names_are_told_by_nothing_and_every_item_has_its_own_order(opened: Page) -> None:
    opened.evaluate("document.querySelectorAll('.item').forEach((item, i) => { item.open = i < 9 })")
    inks = opened.evaluate("""() => [0, 1, 2].map((slot) => {
      const probe = document.body.appendChild(document.createElement("i"))
      probe.className = "c" + slot
      return getComputedStyle(probe).color
    })""")
    colours = COLOURS.replace("INKS", str(inks))
    assert opened.evaluate(colours) == 3
    assert "Haiku" in opened.evaluate(TOLD)
    assert len(set(opened.evaluate(PLACES))) == 1
    read = """() => [...document.querySelectorAll(".item")].slice(0, 9).map((item) =>
      [...item.querySelectorAll(".output")].map((o) => o.className).join())"""
    named = opened.evaluate(read)
    opened.locator("#blind").check()
    places = [re.findall(r"\bp(\d+)", order) for order in opened.evaluate(read)]
    assert all(order == sorted(order, key=int) for order in places), "copied and read aloud in that order too"
    told = opened.evaluate(TOLD)
    assert "Output 1" in told
    for name in ("Haiku", "Sonnet", "Opus", "claude", "¢"):
        assert name not in told
    assert not re.search(r"\d (s|ms)\b", told)
    assert opened.evaluate(colours) == 0
    opened.locator("#blind").uncheck()
    assert opened.evaluate(read) == named


@pytest.mark.long
def test_the_filters_count_what_they_show_and_a_link_opens_what_they_hide(opened: Page) -> None:
    items = opened.locator(".item >> visible=true")
    for choice in ("differs", "failing", "all"):
        label = opened.locator(f"label[for=show-{choice}]")
        label.click()
        assert int(label.inner_text().split()[-1]) == items.count() > 0
    opened.locator("label[for=show-differs]").click()
    hidden = opened.locator(".item:not(.differs)").first
    assert not hidden.is_visible()
    opened.evaluate("(id) => { location.hash = id }", hidden.get_attribute("id"))
    hidden.locator(".answer").first.wait_for(state="visible")
    opened.locator("label[for=show-all]").click()
    opened.locator("#search input").fill(str(opened.locator(".item .id").last.inner_text()))
    assert items.count() == 2, "the one that is looked for, and the one that the address names"
    for choice in ("differs", "failing", "all"):
        label = opened.locator(f"label[for=show-{choice}]")
        label.click()
        counted = [item for item in items.all() if choice in ("all", *str(item.get_attribute("class")).split())]
        assert int(label.inner_text().split()[-1]) == len(counted), "of those that are shown"
    assert not opened.locator("#unfound").is_visible()
    opened.evaluate("location.hash = ''")
    opened.locator("#search input").fill("no item says this")
    assert items.count() == 0
    assert opened.locator("label[for=show-all]").inner_text().split()[-1] == "0"
    assert opened.locator("#unfound").is_visible()
    opened.locator("#search input").fill("")
    assert items.count() == int(opened.locator("label[for=show-all]").inner_text().split()[-1]) > 2
    assert not opened.locator("#unfound").is_visible()


@pytest.mark.long
@pytest.mark.parametrize("width", [320, PHONE[0]])
def test_many_models_and_long_sums_do_not_widen_a_phone(width: int, browser: Browser, tmp_path: Path) -> None:
    names = [f"acme-{i}" for i in range(25)]
    many = run_of({name: [[i % 3 > 0] for i in range(4)] for name in names})
    sums = run_of({OPUS: [[i > 2] for i in range(20)], HAIKU: [[True]] * 20}, {OPUS: 135_747.5, HAIKU: 1e-4})
    shown = browser.new_page(viewport={"width": width, "height": PHONE[1]})
    for place, snapshot in enumerate((many, sums)):
        file = tmp_path / f"{place}.html"
        file.write_text(render_html(analyze(snapshot)), encoding="utf-8")
        shown.goto(file.as_uri())
        assert shown.evaluate("document.documentElement.scrollWidth") == width
    shown.close()
