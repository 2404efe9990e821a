"""What a real browser makes of the grading page: graded by keyboard alone, safe, blind, and nothing lost."""

import contextlib
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, expect

from evalkit.desk import close_round
from evalkit.listening import listen
from evalkit.models import LINE_UP
from evalkit.store import RunFile
from tests import people
from tests.browsers import ELSEWHERE
from tests.grading_pages import SECRETS, Served, serving

LAYOUTS = ("point", pytest.param("side", marks=pytest.mark.slow))
"""The second one costs seconds of a browser's work, and differs little in what is looked at."""

Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serves the page of a run of so many items until the test ends."""
    with contextlib.ExitStack() as stack:

        def started(items: int = 2, names: tuple[str, ...] = ("ann",), output: Any = None, **settings: Any) -> Served:
            more = {} if output is None else {"output": output}
            path = people.write(tmp_path / "run.db", items, **more)
            return stack.enter_context(serving(path, *names, **{"layout": "point", **settings}))

        yield started


class Seat:
    """A grader's window, with what it asked for and complained about."""

    def __init__(self, context: BrowserContext, link: str) -> None:
        self.page: Page = context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", self._dismiss)
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.goto(link)
        expect(self.page.locator(".output .text").first).to_be_attached()

    def _dismiss(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog {dialog.type} {dialog.message}".strip())
        dialog.dismiss()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def saved(self) -> None:
        expect(self.page.locator("#saved")).to_have_text("Saved", timeout=15_000)

    @property
    def where(self) -> str:
        return self.page.locator("#where").inner_text()

    def is_at(self, where: str) -> None:
        expect(self.page.locator("#where")).to_have_text(where)
        expect(self.page.locator("#marks .go")).to_be_visible()


@pytest.fixture
def sit(browser: Browser) -> Iterator[Callable[..., Seat]]:
    """Sits a grader down before the page, in a browser of their own."""
    contexts: list[BrowserContext] = []

    def seated(served: Served, grader: str = "ann", width: int = 1440, height: int = 900, **options: Any) -> Seat:
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, **options))
        return Seat(contexts[-1], served.link(grader))

    yield seated
    for context in contexts:
        context.close()


def grades(served: Served, grader: str = "ann") -> Counter[int | None]:
    return Counter(grade.level for grade in served.run.snapshot().grades if grade.grader == grader)


@pytest.mark.long
@pytest.mark.parametrize(("layout", "screens", "keys"), [("point", 30, "21"), ("side", 10, "210120123")])
def test_ten_items_are_graded_by_keyboard_alone(
    layout: str, screens: int, keys: str, serve: Serve, sit: Callable[..., Seat]
) -> None:
    served = serve(10, layout=layout)
    seat = sit(served)
    unit = "Item" if layout == "side" else "Output"
    for screen in range(screens):
        seat.is_at(f"{unit} {screen + 1} of {screens}")
        seat.press(*keys, "Enter")
    expect(seat.page.locator("#finished h2")).to_have_text("That was the last one.")
    expect(seat.page.locator("#finished dl")).to_contain_text("Your time on one output")
    seat.saved()
    seat.press("Enter")
    expect(seat.page.locator("#finished h2")).to_have_text("Handed in. Thank you.")
    snapshot = served.run.snapshot()
    assert len(snapshot.grades) == 60
    assert [event.content["why"] for event in snapshot.events if event.kind == "closed"] == ["everybody has graded"]
    assert Counter(p.choice for p in snapshot.preferences) == (
        {"first": 10, "tie": 10, "second": 10} if layout == "side" else {}
    )
    timed = [m.active_s for m in snapshot.markings if m.kind == "level"]
    assert all(seconds is not None and 0 <= seconds < 60 for seconds in timed)
    assert seat.complaints == []


@pytest.mark.long
def test_every_key_does_what_it_says(serve: Serve, sit: Callable[..., Seat]) -> None:
    served = serve(2)
    seat = sit(served)
    chip = seat.page.locator(".row .said b")
    seat.press("2")
    expect(chip).to_have_text(["2", "–"])
    seat.press("u")
    expect(chip).to_have_text(["–", "–"])
    seat.press("ArrowDown", "c", "Enter")
    expect(chip).to_have_text(["–", "?"])
    assert seat.where == "Output 1 of 6"
    seat.page.evaluate(
        "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: '&', code: 'Digit1', bubbles: true}))"
    )
    seat.page.evaluate(
        "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'а', code: 'KeyF', bubbles: true}))"
    )
    expect(chip).to_have_text(["1", "?"])
    seat.press("n")
    seat.page.keyboard.type("says 2 fees, U")
    seat.press("Escape")
    expect(seat.page.locator(".written")).to_have_text("says 2 fees, U")
    seat.press("s")
    seat.is_at("Output 2 of 6")
    seat.press("2", "2", "Enter", "u")
    seat.is_at("Output 2 of 6")
    expect(chip).to_have_text(["2", "–"])
    seat.press("2", "Enter", "l")
    expect(seat.page.locator("#entries li")).to_have_count(6)
    seat.page.locator("#only").click()
    expect(seat.page.locator("#entries .signs")).to_have_text("flagnoteskipped")
    seat.press("Tab", "Tab", "Enter")
    seat.is_at("Output 1 of 6")
    seat.press("r")
    expect(seat.page.locator(".text.raw")).to_be_visible()
    seat.saved()
    label = seat.page.locator(".output").get_attribute("data-label")
    stands = served.app.desk.standing("ann")[str(label)]
    assert (dict(stands.levels), stands.flagged, stands.note, stands.skipped) == (
        {"correct": 1, "tone": None}, True, "says 2 fees, U", 1,
    )  # fmt: skip
    assert seat.complaints == []


def test_preferences_are_taken_back_and_outputs_switched_by_key(serve: Serve, sit: Callable[..., Seat]) -> None:
    served = serve(1, layout="side")
    seat = sit(served)
    seat.press("ArrowRight", "ArrowRight", "2")
    expect(seat.page.locator(".head").first.locator("b")).to_have_text(["–", "–", "2"])
    for _ in range(2):
        seat.press("ArrowDown")
    seat.press("1", "u")
    expect(seat.page.locator(".head .said").nth(2)).to_have_text("–")
    seat.saved()
    assert [p.choice for p in served.run.snapshot().preferences] == ["first", None]
    assert [s.preferred for s in served.app.desk.standing("ann").values()] == [{}, {}, {}]


@pytest.mark.long
def test_an_edit_is_kept_with_its_own_time(serve: Serve, sit: Callable[..., Seat]) -> None:
    served = serve(1)
    seat = sit(served)
    seat.press("e")
    seat.page.keyboard.type("Better: ")
    seat.press("Escape", "2", "2", "Enter")
    seat.is_at("Output 2 of 3")
    seat.saved()
    edits = [m for m in served.run.snapshot().markings if m.kind == "edit"]
    assert [m.content["text"][:15] for m in edits] == ["Better: As [nam"]
    assert 0 < edits[0].content["changed"] < 0.5
    assert [c.minutes for c in served.run.snapshot().corrections] == [(edits[0].active_s or 0) / 60]


@pytest.mark.long
def test_edits_of_long_outputs_are_sent_in_parts_that_fit_and_one_that_cannot_is_said(
    serve: Serve, sit: Callable[..., Seat]
) -> None:
    lengths = iter([39_000, 39_000, 41_000])
    served = serve(1, output=lambda *_: "x" * next(lengths), repeat_share=0.0)
    seat, kept = sit(served), 0
    seat.page.route("**/api/marks", lambda route: route.abort())
    for n in (1, 2, 3):
        seat.is_at(f"Output {n} of 3")
        seat.press("e")
        if seat.page.locator("textarea").count():
            seat.page.keyboard.insert_text("Better. ")
            kept += 1
            seat.press("Escape")
        else:
            expect(seat.page.locator("#said")).to_have_text("Only outputs of up to 40 kB can be edited here")
        seat.press("2", "2", "Enter")
    seat.page.unroute("**/api/marks")
    seat.saved()
    edits = [m.content["text"] for m in served.run.snapshot().markings if m.kind == "edit"]
    assert (kept, [text[:9] for text in edits]) == (2, ["Better. x"] * 2)
    seat.page.locator("#finished").wait_for()


@pytest.mark.long
def test_pauses_and_hidden_time_are_left_out(serve: Serve, sit: Callable[..., Seat]) -> None:
    served = serve(1)
    seat = sit(served)
    seat.press("2", "2", "Enter")
    seat.is_at("Output 2 of 3")
    seat.saved()
    seat.page.clock.install()
    seat.page.reload()
    seat.is_at("Output 2 of 3")
    seat.page.clock.fast_forward(20_000)
    seat.press("Shift")
    seat.page.clock.fast_forward(600_000)
    seat.press("2")
    hide = "(hidden) => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});" \
        " document.dispatchEvent(new Event('visibilitychange')) }"  # fmt: skip
    seat.page.clock.fast_forward(5_000)
    seat.page.evaluate(hide, True)
    seat.page.clock.fast_forward(30_000)
    seat.page.evaluate(hide, False)
    seat.page.clock.fast_forward(7_000)
    seat.press("1")
    seat.saved()
    label = seat.page.locator(".output").get_attribute("data-label")
    trial = served.app.desk.pile("ann").trials[str(label)].id
    spent = [(m.kind, round(m.active_s or 0)) for m in served.run.snapshot().markings if m.trial_id == trial]
    assert [kind for kind, _ in spent] == ["level", "time", "level"]
    assert [seconds for _, seconds in spent] == pytest.approx([80, 5, 7], abs=3)


@pytest.mark.long
def test_two_graders_at_once_see_their_own_marks_alone(serve: Serve, sit: Callable[..., Seat]) -> None:
    served = serve(1, names=("ann", "ben"))
    seats = {name: sit(served, name) for name in ("ann", "ben")}
    for _ in range(3):
        for key in ("2", "1", "Enter"):
            seats["ann"].press(key)
            seats["ben"].press("0" if key != "Enter" else key)
    for name, seat in seats.items():
        expect(seat.page.locator("#finished")).to_be_visible()
        seat.saved()
        assert seat.page.evaluate("document.body.innerText").count("ben" if name == "ann" else "ann") == 0
    assert (grades(served, "ann"), grades(served, "ben")) == ({2: 3, 1: 3}, {0: 6})


@pytest.mark.long
def test_a_reload_in_the_middle_goes_on_where_it_was(serve: Serve, sit: Callable[..., Seat]) -> None:
    served = serve(2)
    seat = sit(served)
    seat.press("2", "2", "Enter", "1")
    seat.saved()
    text = seat.page.locator(".output .text").inner_text()
    seat.page.reload()
    seat.is_at("Output 2 of 6")
    expect(seat.page.locator(".row .said b")).to_have_text(["1", "–"])
    expect(seat.page.locator(".output .text")).to_have_text(text)


@pytest.mark.long
def test_the_newer_tab_takes_over_and_the_older_one_says_so(serve: Serve, sit: Callable[..., Seat]) -> None:
    served = serve(1)
    older = sit(served)
    newer = Seat(older.page.context, served.link("ann"))
    expect(older.page.locator("#stop")).to_contain_text("opened the page again elsewhere")
    older.press("0")
    newer.press("2")
    newer.saved()
    assert grades(served) == {2: 1}
    older.page.locator("#stop-go").click()
    expect(newer.page.locator("#stop")).to_be_visible()
    expect(older.page.locator(".row .said b").first).to_have_text("2")


@pytest.mark.long
def test_a_round_closed_in_the_middle_is_explained(serve: Serve, sit: Callable[..., Seat]) -> None:
    served = serve(1)
    seat = sit(served)
    seat.press("2")
    seat.saved()
    close_round(served.run, served.app.desk.round.id, "closed by hand")
    seat.press("1")
    expect(seat.page.locator("#stop")).to_contain_text("This round has been closed")
    expect(seat.page.locator("#stop")).to_contain_text("The last mark came too late")
    assert grades(served) == {2: 1}


@pytest.mark.long
@pytest.mark.parametrize("layout", ["point", "side"])
def test_the_author_is_asked_for_only_when_everything_is_graded(
    layout: str, serve: Serve, sit: Callable[..., Seat]
) -> None:
    served = serve(2, layout=layout, ask_author=True)
    said: list[str] = []
    seat = sit(served)
    seat.page.on("response", lambda got: said.append(f"{got.url} {got.all_headers()} {got.text()}"))
    seat.page.reload()
    side, marks = layout == "side", "210120123" if layout == "side" else "22"
    unit, screens = ("Item", 2) if side else ("Output", 6)
    for screen in range(screens):
        seat.is_at(f"{unit} {screen + 1} of {screens}")
        said.append(seat.page.content())
        seat.press(*marks, "Enter")
    expect(seat.page.locator("#finished")).to_contain_text("your grades stand as they are from then on")
    seat.saved()
    said.append(seat.page.content())
    assert [name for name in LINE_UP if name in "".join(said)] == []
    seat.press("Enter")
    guesses = {}
    for screen in range(screens):
        seat.is_at(f"{unit} {screen + 1} of {screens}")
        expect(seat.page.locator("#marks .question").first).to_contain_text("Which model do you think")
        for label in [str(one.get_attribute("data-label")) for one in seat.page.locator(".output").all()]:
            key = len(guesses) % 4
            guesses[label] = [*sorted(LINE_UP), None][key]
            seat.press("123c"[key])
        seat.press("e", "s", "Enter")
        if screen == 0:
            seat.saved()
            seat.page.reload()
    expect(seat.page.locator("#finished")).to_contain_text("Hand in when you are through")
    seat.saved()
    assert {label: stands.author for label, stands in served.app.desk.standing("ann").items()} == guesses
    seat.press("Enter")
    expect(seat.page.locator("#finished h2")).to_have_text("Handed in. Thank you.")
    assert seat.complaints == []


def _start(run: Path, port: int) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-m", "evalkit", "grade", run, "--grader", "ann", "--no-browser", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    with process.stdout:
        found = re.search(r"http://\S+", process.stdout.readline())
    assert found is not None
    return process, found[0]


@pytest.mark.long
def test_a_killed_server_loses_nothing_and_gets_what_was_marked_meanwhile_once(
    browser: Browser, tmp_path: Path
) -> None:
    run = people.write(tmp_path / "run.db", 3)
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    process, link = _start(run, port)
    context = browser.new_context()
    try:
        seat = Seat(context, link)
        seat.press("2")
        seat.saved()
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        seat.press("1", "Enter", "0")
        expect(seat.page.locator("#saved")).to_have_text("Not saved, retrying")
        seat.is_at("Output 2 of 12")
        seat.page.close(run_before_unload=True)
        seat.page.wait_for_timeout(300)
        assert "dialog beforeunload" in seat.complaints
        process, _ = _start(run, port)
        seat.saved()
        seat.page.reload()
        seat.is_at("Output 2 of 12")
        expect(seat.page.locator(".row .said b")).to_have_text(["0", "–"])
    finally:
        context.close()
        process.send_signal(signal.SIGINT)
        process.wait(10)
    assert process.returncode == 130
    with RunFile(run, read_only=True) as file:
        snapshot = file.snapshot()
    assert [(g.criterion, g.level) for g in snapshot.grades if g.grader == "ann"] == [
        ("correct", 2),
        ("tone", 1),
        ("correct", 0),
    ]
    assert [m.kind for m in snapshot.markings if m.kind != "time"] == ["level", "level", "done", "level"]


HOSTILE = (
    "<script>alert(1)</script></script><!-- ]]> {{7*7}} <img src=x onerror=alert(2)>",
    "![x](http://attack.example/x.png) [click](javascript:alert(3)) <http://attack.example>",
    "x" * 30_000,
    "abc\u202edcba\u2066 \u200bzero\u200dwidth\ufeff \x00nul \x1b[31mred \x07",
    '{"a": "<svg onload=alert(4)>", "b": ["' + "y" * 5000 + '"]}',
    "```\n" + "z" * 9000 + "\n```\n\n| a | " + "w" * 900 + " |\n|-|-|\n| 1 | 2 |",
)


@pytest.mark.long
def test_outputs_that_are_read_from_the_right_are_set_from_the_right(serve: Serve, sit: Callable[..., Seat]) -> None:
    arabic = "نعم! يمكنك إرجاع Breeze L خلال 14 يوما.\n\n1. بند"
    seat = sit(serve(1, output=lambda *_: arabic))
    for _ in ("rendered", "raw"):
        text = seat.page.locator(".output .text").first
        assert text.evaluate("(e) => getComputedStyle(e).direction") == "rtl"
        seat.press("r")
    assert seat.complaints == []


@pytest.mark.long
def test_hostile_outputs_stand_there_as_text(serve: Serve, sit: Callable[..., Seat]) -> None:
    served = serve(2, output=lambda item, model: HOSTILE[3 * item + LINE_UP.index(model)])
    seat = sit(served, width=390, height=844)
    seen = ""
    for _ in HOSTILE:
        for raw in (False, True):
            assert seat.page.evaluate("document.documentElement.scrollWidth") <= 390
            wide = "[...document.querySelectorAll('.pane')].filter((e) => e.scrollWidth > e.clientWidth + 1).length"
            assert seat.page.evaluate(wide) == 0
            seen += str(seat.page.locator(".output .text").text_content()) if not raw else ""
            assert seat.page.locator("#main :is(script, img, svg, iframe, a)").count() == 0
            seat.press("r")
        before = seat.where
        seat.press("1", "1", "Enter")
        expect(seat.page.locator("#where")).not_to_have_text(before)
    for told in (
        "<script>alert(1)</script>",
        "(http://attack.example/x.png)",
        "⟦U+202E⟧",
        "⟦U+200B⟧",
        "⟦U+0000⟧",
        "⟦U+001B⟧",
    ):
        assert told in seen
    assert seat.complaints == []
    assert {url for url in seat.requests if not url.startswith(served.url)} == set()


@pytest.mark.long
@pytest.mark.parametrize("layout", LAYOUTS)
def test_everyone_can_use_the_page(layout: str, serve: Serve, sit: Callable[..., Seat]) -> None:
    served = serve(2, layout=layout, output=lambda *_: "# Title\n\n- one\n- **two**\n\n| a | b |\n|-|-|\n| 1 | 2 |")
    seat = sit(served, bypass_csp=True)
    look = partial(Axe().run, seat.page, options={"resultTypes": ["violations"]})
    seat.press("2", "n")
    seat.page.keyboard.type("a note")
    seat.press("Escape", "f")
    for width, height in ((1440, 900), (390, 844)):
        seat.page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            seat.page.emulate_media(color_scheme=scheme)
            found = look()
            assert found.violations_count == 0, (width, scheme, found.generate_report())
        assert seat.page.evaluate("document.documentElement.scrollWidth") <= width
    small = """() => [...document.querySelectorAll("button, input, summary, .option")].filter((e) => {
        const box = e.getBoundingClientRect()
        const seen = e.checkVisibility({visibilityProperty: true}) && box.width && !e.matches(".option input")
        return seen && Math.min(box.height, box.width) < 44
    }).map((e) => e.outerHTML)"""
    assert seat.page.evaluate(small) == []
    for key in ("l", "?"):
        seat.press(key)
        assert look().violations_count == 0
        seat.press("Escape")


@pytest.mark.long
@pytest.mark.parametrize("layout", ["point", "side"])
def test_on_a_phone_no_name_stands_twice_and_cannot_tell_looks_like_an_answer(
    layout: str, serve: Serve, sit: Callable[..., Seat]
) -> None:
    seat = sit(serve(1, layout=layout), width=390, height=844)
    seen = """(e) => e.checkVisibility({visibilityProperty: true}) && e.getBoundingClientRect().height > 2"""
    assert [one.evaluate(seen) for one in seat.page.locator(".pane.shown .bar h2").all()] == [False]
    expect(seat.page.locator("#tabs button").first).to_have_text("Item")
    for width in (390, 1440):
        seat.page.set_viewport_size({"width": width, "height": 844})
        border = "(e) => getComputedStyle(e).borderTopColor"
        colours = {one.evaluate(border) for one in seat.page.locator(".cell.current .option").all()}
        assert len(colours) == 1, (width, colours)


@pytest.mark.long
@pytest.mark.parametrize("layout", ["point", "side"])
def test_the_questions_stay_in_sight_and_lines_stay_short(layout: str, serve: Serve, sit: Callable[..., Seat]) -> None:
    served = serve(1, layout=layout, output=lambda *_: "word " * 3000)
    seat = sit(served)
    for width, height in ((1440, 900), (1280, 720), (1920, 1080)):
        seat.page.set_viewport_size({"width": width, "height": height})
        expect(seat.page.locator("#marks .go")).to_be_in_viewport(ratio=1)
        expect(seat.page.locator("#marks .cell").first).to_be_in_viewport(ratio=1)
        column = "(e) => e.getBoundingClientRect().width / parseFloat(getComputedStyle(e).fontSize)"
        assert seat.page.locator(".output .text").first.evaluate(column) < 75 * 0.62
        assert seat.page.evaluate("document.documentElement.scrollHeight") <= height


@pytest.mark.long
def test_a_document_of_fifty_thousand_tokens_is_searched_and_evidence_found(
    tmp_path: Path, sit: Callable[..., Seat]
) -> None:
    long = "\n\n".join(f"Paragraph {n} tells of fees and of nothing else." for n in range(4500))
    path = people.write(tmp_path / "run.db", 1, documents={"a.md": long, "b.md": "Fees: the NEEDLE is ten EUR."})
    with serving(path, "ann", layout="point") as served:
        seat = sit(served)
        details = seat.page.locator("#item-text details")
        assert [details.nth(n).get_attribute("open") is not None for n in range(2)] == [False, True]
        seat.press("/")
        seat.page.keyboard.type("paragraph 4321")
        expect(seat.page.locator("#found")).to_have_text("1 of 1")
        expect(seat.page.get_by_text("Paragraph 4321 ")).to_be_in_viewport()
        seat.page.locator("#find").fill("fees")
        expect(seat.page.locator("#found")).to_have_text(re.compile("1 of 45"))
        seat.press("Enter", "Enter", "Shift+Enter")
        expect(seat.page.locator("#found")).to_have_text(re.compile("2 of 45"))
        seat.press("Escape", "j")
        expect(seat.page.get_by_text("NEEDLE")).to_be_in_viewport()
        seat.press("2")
        expect(seat.page.locator(".row .said b").first).to_have_text("2")


FORGED = """<!doctype html>
<form method=post enctype=text/plain action="{url}/api/marks">
<input name='{{"tab":"t","marks":[' value='{mark}]}}'></form>
<iframe id=frame src="{url}/"></iframe><script>
const body = '{{"tab":"t","marks":[{mark}]}}', tries = []
const attempt = (name, path, options) =>
  tries.push(fetch("{url}" + path, {{credentials: "include", ...options}})
    .then(() => name + " sent", () => name + " blocked"))
const json = {{"content-type": "application/json", "x-evalkit-csrf": "0"}}
attempt("simple", "/api/marks", {{method: "POST", body, mode: "no-cors", headers: {{"content-type": "text/plain"}}}})
attempt("json", "/api/marks", {{method: "POST", body, headers: json}})
attempt("read", "/api/pile", {{}})
attempt("script", "/grade.js", {{mode: "no-cors"}})
Promise.all(tries).then((all) => {{ document.title = all.join(", ") }})
</script>"""


@contextlib.contextmanager
def another_site(html: str) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.mark.long
@pytest.mark.parametrize("host", ["127.0.0.1", ELSEWHERE])
def test_another_page_in_the_same_browser_can_neither_write_nor_read_nor_frame(
    host: str, serve: Serve, sit: Callable[..., Seat]
) -> None:
    served = serve(1)
    seat = sit(served)
    label = served.app.desk.pile("ann").sittings[0][0].label
    mark = f'{{"nonce":"x","label":"{label}","kind":"level","content":{{"criterion":"tone","level":0}}}}'
    page = seat.page.context.new_page()
    with another_site(FORGED.format(url=served.url, mark=mark)) as port:
        page.goto(f"http://{host}:{port}/")
        expect(page).to_have_title(re.compile("json blocked, read blocked, script blocked"))
        inside = page.frames[1].content()
        assert "grade.js" not in inside
        assert "data-csrf" not in inside
        page.evaluate("document.querySelector('form').submit()")
        expect(page.locator("body")).to_contain_text("not from this page")
        rebound = page.goto(f"http://{ELSEWHERE}:{served.url.rpartition(':')[2]}/")
        assert rebound is not None
        assert rebound.status == 421
    assert served.run.snapshot().markings == ()


@pytest.mark.long
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_whole_session_tells_nothing_of_who_wrote_what(layout: str, serve: Serve, sit: Callable[..., Seat]) -> None:
    served = serve(1, layout=layout)
    said: list[str] = []
    seat = sit(served)
    seat.page.on("response", lambda got: said.append(f"{got.url} {got.all_headers()} {got.text()}"))
    seat.page.on("request", lambda sent: said.append(f"{sent.url} {sent.all_headers()} {sent.post_data}"))
    seat.page.reload()
    screens = 1 if layout == "side" else 3
    keys = "210120123" if layout == "side" else "21"
    for screen in range(screens):
        seat.is_at(f"{'Item' if layout == 'side' else 'Output'} {screen + 1} of {screens}")
        said.append(seat.page.content())
        seat.press(*keys, "Enter")
    expect(seat.page.locator("#finished")).to_be_visible()
    seat.saved()
    seat.press("l")
    said.append(seat.page.content())
    whole = "\n".join(said).lower()
    assert len(said) > 8
    assert [secret for secret in SECRETS if re.search(rf"(?<![a-z]){secret}", whole)] == []
    assert not re.search(r'"(i0|i1|item_id|trial_id|model|epoch)"', whole)
