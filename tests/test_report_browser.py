"""What a real browser makes of the report: nothing loaded, nothing wrong, nothing cut off, readable by everyone."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from report_fixtures import analysis
from report_graders import people_and_judge
from report_pages import page
from report_variants import hostile

from evalkit.analysis.results import Analysis, ItemResult
from evalkit.report import render_html
from evalkit.route import with_routing

DESK, PHONE = 1280, 390

BROKEN = """() => {
  const box = (node) => {
    const range = document.createRange()
    range.selectNodeContents(node)
    return range.getBoundingClientRect()
  }
  const values = [...document.querySelectorAll("#scorecard td.drawn .value, #scorecard tbody th strong")]
  const names = [...document.querySelectorAll("#scorecard tbody th")].filter((head) => {
    const mark = head.querySelector("svg").getBoundingClientRect()
    const text = document.createTreeWalker(head, NodeFilter.SHOW_TEXT, (n) => n.data.trim() ? 1 : 3)
    const name = box(text.nextNode())
    return name.height > 30 || mark.bottom < name.top || mark.right > name.left
  })
  return [...values.filter((value) => box(value).height > 30), ...names].map((node) => node.innerText)
}"""
"""Figures of the scorecard that stand on two lines, and names that do, or that their mark does not stand before."""


MISPLACED = """() => {
  const seen = (node) => node.getClientRects().length > 0
  const found = []
  for (const drawing of [...document.querySelectorAll("svg.chart:not(.mark)")].filter(seen)) {
    const frame = drawing.getBoundingClientRect()
    const spare = drawing.classList.contains("cell") ? 3 : 1
    const texts = [...drawing.querySelectorAll("text:not([aria-hidden])")].map((text) => {
      const box = text.getBoundingClientRect()
      const leading = (box.height - parseFloat(getComputedStyle(text).fontSize) * frame.width
                      / drawing.viewBox.baseVal.width) / 2 + 1
      return {said: text.textContent, left: box.left, right: box.right, top: box.top + leading,
              bottom: box.bottom - leading}
    })
    texts.forEach((one, i) => {
      if (one.left < frame.left - spare || one.right > frame.right + spare) found.push(`cut off: ${one.said}`)
      for (const two of texts.slice(0, i)) {
        const wide = Math.min(one.right, two.right) - Math.max(one.left, two.left)
        const high = Math.min(one.bottom, two.bottom) - Math.max(one.top, two.top)
        if (wide > 0.5 && high > 0.5) found.push(`${one.said} on ${two.said}`)
      }
    })
  }
  return found
}"""
"""Words of drawings that reach beyond their drawing or stand on one another."""


class Opened:
    """A report as it stands in a window, with what it asked for and complained about since it was opened."""

    def __init__(self, browser: Browser, file: Path, html: str, scheme: str = "light") -> None:
        file.write_text(html, encoding="utf-8")
        self.page: Page = browser.new_page(viewport={"width": DESK, "height": 1600}, color_scheme=scheme, offline=True)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.goto(file.as_uri())

    def narrow(self, width: int) -> None:
        self.page.set_viewport_size({"width": width, "height": 1600})

    def open_items(self, most: int) -> None:
        """Unfold everything but the items after the first few, which go: they are all built alike."""
        self.page.evaluate("(n) => [...document.querySelectorAll('.item')].slice(n).forEach((e) => e.remove())", most)
        self.page.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true })")


@pytest.mark.long
@pytest.mark.parametrize("name", ["routed", "one_model_failed", "people_and_judge", "hostile", "empty_with_models"])
def test_a_report_stands_alone_and_fits_its_window(name: str, browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    opened = Opened(browser, file, render_html(hostile(3000)) if name == "hostile" else page(name))
    opened.open_items(3)
    for width in (DESK, PHONE):
        opened.narrow(width)
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
        assert opened.page.evaluate(MISPLACED) == []
    assert opened.complaints == []
    assert [url for url in opened.requests if not url.startswith("data:")] == [file.as_uri()]
    opened.page.close()


ARABIC = "نعم! يمكنك إرجاع Breeze L خلال 14 يوما.\nThe second line is English."
ENDS = """(node) => {
  const text = document.createTreeWalker(node, NodeFilter.SHOW_TEXT)
  const box = (from) => {
    for (let part = text.currentNode = node; (part = text.nextNode());) {
      const at = part.data.indexOf(from)
      if (at < 0) continue
      const range = document.createRange()
      range.setStart(part, at)
      range.setEnd(part, at + 1)
      return range.getBoundingClientRect().x
    }
  }
  return [box("نعم"), box("يوما."), box("The second"), box("English")]
}"""
"""Where the first and the last word of each line stand."""


@pytest.mark.long
def test_texts_that_are_read_from_the_right_are_set_from_the_right(browser: Browser, tmp_path: Path) -> None:
    made = analysis()
    first = made.outputs[0]
    outputs = (replace(first.outputs[0], text=ARABIC), *first.outputs[1:])
    shown = replace(made, outputs=(replace(first, task=ARABIC, outputs=outputs), *made.outputs[1:]))
    opened = Opened(browser, tmp_path / "report.html", render_html(shown))
    opened.open_items(len(shown.outputs))
    for where in (".context .text", ".answer"):
        texts = opened.page.locator(where, has_text="Breeze L")
        assert texts.count() == 1
        start, end, second, english = texts.evaluate(ENDS)
        assert start > end, "the sentence begins at the right"
        assert second < english, "and an English line at the left"
    opened.page.close()


@pytest.mark.long
@pytest.mark.parametrize("name", ["whole", "routed", "one_model_failed", "people_and_judge", "one_item"])
def test_nothing_in_a_drawing_is_cut_off_or_covered_on_paper(name: str, browser: Browser, tmp_path: Path) -> None:
    """The widths of A4 and of Letter within the margins of the page."""
    opened = Opened(browser, tmp_path / "report.html", page(name))
    opened.page.emulate_media(media="print")
    for width in (718, 722, 739, 740):
        opened.narrow(width)
        assert opened.page.evaluate(MISPLACED) == [], width
    opened.page.close()


FEW = 9
"""Items of a report that is looked through element by element: more add marks and rows like the others."""


def wordy(between: str, words: int) -> Analysis:
    """Items whose texts are higher than the panes that they stand in."""
    whole, text = analysis(FEW), between.join(["lengthy"] * words)

    def lengthen(item: ItemResult) -> ItemResult:
        outputs = tuple(replace(output, text=text) for output in item.outputs)
        return replace(item, task=text, reference=text, outputs=outputs)

    return replace(whole, outputs=tuple(map(lengthen, whole.outputs)))


@pytest.mark.long
@pytest.mark.parametrize(
    ("made", "width", "scheme"),
    [
        (partial(analysis, FEW, simulated=True), DESK, "light"),
        (partial(people_and_judge, FEW), PHONE, "dark"),
        (lambda: with_routing(analysis(FEW)), DESK, "dark"),
        (lambda: with_routing(analysis(FEW)), PHONE, "light"),
        (partial(wordy, " ", 120), PHONE, "light"),
        (partial(wordy, "\n", 40), DESK, "light"),
    ],
    ids=["simulated", "people_and_judge", "routed", "routed on a phone", "long texts on a phone", "many lines"],
)
def test_a_report_can_be_read_by_everyone(
    made: Callable[[], Analysis], width: int, scheme: str, browser: Browser, tmp_path: Path
) -> None:
    opened = Opened(browser, tmp_path / "report.html", render_html(made()), scheme)
    opened.narrow(width)
    opened.open_items(2)
    found = Axe().run(opened.page, options={"resultTypes": ["violations"]})
    assert found.violations_count == 0, found.generate_report()
    opened.page.close()


@pytest.mark.long
@pytest.mark.parametrize("name", ["one_model_failed", "unpriced"])
def test_the_scorecard_breaks_no_figure_and_no_mark_from_its_name(name: str, browser: Browser, tmp_path: Path) -> None:
    opened = Opened(browser, tmp_path / "report.html", page(name))
    for width in (1440, DESK, PHONE):
        opened.narrow(width)
        assert opened.page.evaluate(BROKEN) == [], width
    opened.page.close()


@pytest.mark.long
@pytest.mark.parametrize("name", ["with_baseline", "routed"])
def test_no_window_between_a_phone_and_a_desk_has_to_be_scrolled_sideways(
    name: str, browser: Browser, tmp_path: Path
) -> None:
    """The widths next to those at which the page is laid out anew, and some of tablets."""
    opened = Opened(browser, tmp_path / "report.html", page(name))
    for width in (320, PHONE, 600, 768, 900, 948, 949, 1024, 1100, 1150, 1208, 1209, DESK):
        opened.narrow(width)
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width, width
    opened.page.close()
