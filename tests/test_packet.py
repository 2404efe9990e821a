"""Packets: one offline page opened from disk in a real browser, its answers brought back; and all ways agree."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from evalkit.desk import Desk, open_for_people
from evalkit.marks import Mark
from evalkit.models import LINE_UP
from evalkit.rounds import Settings
from evalkit.store import RunFile
from tests import people
from tests.sheets import Rows, edit, grade, grades, told_of_authors
from tests.terminals import terminal


class Opened:
    """A packet opened from disk without a network."""

    def __init__(self, context: BrowserContext, path: Path) -> None:
        self.page: Page = context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: dialog.dismiss())
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.goto(path.as_uri())
        expect(self.page.locator("#who")).not_to_be_empty()

    def is_at(self, where: str) -> None:
        expect(self.page.locator("#where")).to_have_text(where)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def download(self, start: Callable[[], Any], to: Path) -> Path:
        with self.page.expect_download() as coming:
            start()
        coming.value.save_as(to / coming.value.suggested_filename)
        return to / coming.value.suggested_filename


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(offline=True, viewport={"width": 1440, "height": 900}, accept_downloads=True)
    yield made
    made.close()


def exported(run: Path, *more: str) -> Path:
    packet = run.parent / "packet.html"
    assert grade(run, "--export", packet, "--grader", "ann", "--repeat-share", "0", *more) == 0
    return packet


@pytest.mark.long
def test_a_packet_is_graded_by_keyboard_without_a_network_and_its_answers_come_back(
    tmp_path: Path, context: BrowserContext, capsys: pytest.CaptureFixture[str]
) -> None:
    run = people.write(tmp_path / "run.db", 2)
    packet = exported(run)
    opened = Opened(context, packet)
    for number in range(1, 6):
        opened.is_at(f"Output {number} of 6")
        opened.press("2", "c", "Enter")
    opened.is_at("Output 6 of 6")
    opened.press("1")
    some = opened.download(lambda: opened.page.get_by_role("button", name="Download").click(), tmp_path)
    assert some.name == "packet-answers.json"
    assert grade(run, "--import", some) == 0
    opened.page.reload()
    opened.is_at("Output 6 of 6")
    expect(opened.page.locator(".row .said b")).to_have_text(["1", "–"])
    opened.press("ArrowUp", "0", "1", "Enter")
    expect(opened.page.locator("#finished h2")).to_have_text("That was the last one.")
    whole = opened.download(lambda: opened.press("Enter"), tmp_path)
    expect(opened.page.locator("#finished")).to_contain_text("packet-answers.json. Send it back")
    assert opened.complaints == []
    assert {url.split(":")[0] for url in opened.requests} <= {"file", "blob"}
    capsys.readouterr()
    assert grade(run, "--import", whole) == 0
    assert "everybody has graded" in (said := capsys.readouterr().out)
    assert "correct: 1 becomes 0" in said
    mine = [row for row in grades(run) if row[0] == "ann"]
    assert sorted((c, str(level)) for _, _, c, level, _ in mine) == sorted(
        [("correct", "2"), ("tone", "None")] * 5 + [("correct", "0"), ("tone", "1")]
    )
    with RunFile(run, read_only=True) as file:
        before = file.snapshot().markings
    assert all(m.active_s is not None for m in before if m.kind == "level")
    assert grade(run, "--import", whole, "--grader", "ann") == 0
    assert "nothing to do" in capsys.readouterr().out
    with RunFile(run, read_only=True) as file:
        assert file.snapshot().markings == before


LOST = {
    "localStorage": "localStorage.clear()",
    "IndexedDB": "key => new Promise(done => { indexedDB.open(key).onsuccess = ({target}) => {"
    " target.result.transaction('answers', 'readwrite').objectStore('answers').clear().onsuccess = done; }; })",
}


@pytest.mark.long
@pytest.mark.parametrize("lost", LOST)
def test_what_one_of_the_browsers_places_loses_the_other_one_has(
    tmp_path: Path, context: BrowserContext, lost: str
) -> None:
    """Of a page from disk, Chromium shows a reloaded one an empty localStorage once in some fifty times."""
    opened = Opened(context, exported(people.write(tmp_path / "run.db", 2)))
    opened.press("2", "c", "Enter")
    opened.is_at("Output 2 of 6")
    key = opened.page.evaluate("Object.keys(localStorage).find(key => key.startsWith('evalkit-packet-'))")
    opened.page.evaluate(LOST[lost], key)
    opened.page.reload()
    opened.is_at("Output 2 of 6")
    opened.press("2", "1", "Enter")
    opened.is_at("Output 3 of 6")
    opened.page.reload()
    opened.is_at("Output 3 of 6")
    answers = json.loads(
        opened.download(lambda: opened.page.get_by_role("button", name="Download").click(), tmp_path).read_text()
    )
    levels = [mark["nonce"] for mark in answers["marks"] if mark["kind"] == "level"]
    assert len(levels) == len(set(levels)) == 4
    assert opened.complaints == []


@pytest.mark.long
def test_a_browser_that_keeps_nothing_is_named(tmp_path: Path, context: BrowserContext) -> None:
    context.add_init_script(
        "for (const name of ['localStorage', 'indexedDB', 'sessionStorage'])"
        " Object.defineProperty(window, name, { get() { throw new Error('kept from it'); } });"
    )
    opened = Opened(context, exported(people.write(tmp_path / "run.db", 2)))
    opened.press("2")
    expect(opened.page.locator("#said")).to_contain_text("This browser keeps nothing: download your answers")
    opened.press("c", "Enter")
    opened.is_at("Output 2 of 6")
    assert opened.complaints == []


@pytest.mark.long
def test_a_damaged_file_of_answers_takes_nothing_from_what_is_there(tmp_path: Path, context: BrowserContext) -> None:
    opened = Opened(context, exported(people.write(tmp_path / "run.db", 2)))
    opened.press("2", "c", "Enter")
    opened.is_at("Output 2 of 6")
    whole = opened.download(lambda: opened.page.get_by_role("button", name="Download").click(), tmp_path)
    for marks in ([{}], [{"nonce": "n", "label": "l", "kind": "level"}], "none", None):
        (tmp_path / "bad.json").write_text(json.dumps({**json.loads(whole.read_text()), "marks": marks}))
        opened.page.set_input_files("input[type=file]", tmp_path / "bad.json")
        expect(opened.page.locator("#said")).to_have_text("This file has no answers to this packet.")
        opened.page.evaluate("document.getElementById('said').textContent = ''")
    opened.page.reload()
    opened.is_at("Output 2 of 6")
    assert opened.complaints == []


@pytest.mark.long
def test_answers_go_on_in_another_browser_from_the_downloaded_file(
    tmp_path: Path, browser: Browser, context: BrowserContext
) -> None:
    packet = exported(people.write(tmp_path / "run.db", 2))
    opened = Opened(context, packet)
    opened.press("2", "c", "Enter")
    answers = opened.download(lambda: opened.page.get_by_role("button", name="Download").click(), tmp_path)
    elsewhere = browser.new_context(offline=True)
    other = Opened(elsewhere, packet)
    other.is_at("Output 1 of 6")
    other.page.set_input_files("input[type=file]", answers)
    other.is_at("Output 2 of 6")
    elsewhere.close()


@pytest.mark.long
def test_a_packet_is_accessible_and_runs_nothing_that_a_text_brings(tmp_path: Path, context: BrowserContext) -> None:
    hostile = (
        "</script><script>document.title='owned'</script><!--<script><img src=x onerror=\"document.title='owned'\">"
    )
    packet = exported(people.write(tmp_path / "run.db", 1, output=lambda item, model: hostile + "\u2028\u202e"))
    text = packet.read_text(encoding="utf-8")
    assert len(re.findall(r"</script>", text)) == 3
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    assert "default-src &#39;none&#39;" in policy[1]
    assert "unsafe" not in policy[1]
    assert re.findall(r'(?:src|href)="[^"]+"', re.sub(r"(?s)<(script|style).*?</\1>", "", text)) == []
    opened = Opened(context, packet)
    expect(opened.page.locator(".output .text")).to_contain_text("<script>document.title='owned'</script>")
    assert opened.page.title() == "Output 1 of 3"
    assert Axe().run(opened.page).response["violations"] == []
    assert opened.complaints == []


def test_no_byte_of_a_packet_or_its_answers_tells_who_wrote_what(tmp_path: Path, context: BrowserContext) -> None:
    run = people.write(tmp_path / "run.db", 2)
    packet = exported(run)
    opened = Opened(context, packet)
    opened.press("2")
    answers = opened.download(lambda: opened.page.get_by_role("button", name="Download").click(), tmp_path)
    seen = packet.read_bytes() + answers.read_bytes()
    assert b"[name hidden]" in seen
    assert told_of_authors(seen, run) == []


@pytest.mark.long
def test_who_wrote_what_comes_in_a_second_packet_once_the_first_is_imported(
    tmp_path: Path, context: BrowserContext, capsys: pytest.CaptureFixture[str]
) -> None:
    run = people.write(tmp_path / "run.db", 1)
    packet = exported(run, "--ask-author")
    assert "without the question who wrote them" in capsys.readouterr().out
    opened = Opened(context, packet)
    for _ in range(3):
        opened.press("2", "1", "Enter")
    answers = opened.download(lambda: opened.press("Enter"), tmp_path)
    assert told_of_authors(packet.read_bytes() + answers.read_bytes(), run) == []
    assert grade(run, "--import", answers) == 0
    assert "who wrote them is still to be asked of ann" in capsys.readouterr().out
    second = tmp_path / "second.html"
    assert grade(run, "--export", second, "--grader", "ann") == 0
    assert "the grades of ann stand from now on" in capsys.readouterr().out
    assert grade(run, "--import", answers) == 0  # what was imported before does not change them
    assert "nothing to do" in capsys.readouterr().out
    asked = Opened(context, second)
    for key in "1c2":
        asked.press(key, "Enter")
    expect(asked.page.locator("#finished h2")).to_have_text("That was the last one.")
    guesses = asked.download(lambda: asked.press("Enter"), tmp_path)
    assert grade(run, "--import", guesses) == 0
    assert "next: evalkit grade" in capsys.readouterr().out
    with RunFile(run, read_only=True) as file:
        said = [m.content["guess"] for m in file.snapshot().markings if m.kind == "author"]
    models = sorted(LINE_UP)
    assert said == [models[0], None, models[1]]
    assert opened.complaints == asked.complaints == []


GOOD: dict[str, Any] = {
    "evalkit": "answers",
    "version": 1,
    "packet": "p",
    "round": 1,
    "grader": "ann",
    "handed_in": False,
}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", ["is no JSON"]),
        ("[]", ["a.json: the whole of it is []; it must be a mapping"]),
        ({**GOOD, "marks": [{"nonce": "1", "label": "x" * 16, "kind": "flag"}] * 9}, ["answers no packet of 'ann'"]),
        ({**GOOD, "marks": []}, ["answers no packet of 'ann'"]),
        ({**GOOD, "round": 2, "marks": []}, ["belongs to round 2"]),
        ({**GOOD, "grader": "ben", "marks": []}, ["'ben' does not take part"]),
        (
            {**GOOD, "marks": [
                {"nonce": "1", "label": "ok", "kind": "level", "content": {"criterion": "correct", "level": 1}},
                {"nonce": "2", "label": "ok", "kind": "level", "content": {"criterion": "correct", "level": 9}},
                {"nonce": "3", "label": "zzz", "kind": "level", "content": {"criterion": "correct", "level": 1}},
                {"nonce": "4", "label": "ok", "kind": "done"},
                {"nonce": "5", "label": "ok", "kind": "level", "content": {"criterion": "correct", "level": 7**2000}},
            ]},
            ["mark 2 on", "9 is no level", "mark 3 on 'zzz'", "mark 4 on", "criteria without a level"],
        ),
        ({**GOOD, "marks": [{"nonce": "1", "label": "ok", "kind": "bribe"}]}, ["marks.0.kind"]),
    ],
)  # fmt: skip
def test_answers_that_cannot_be_right_are_named_and_none_is_taken(
    tmp_path: Path, content: Any, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run = people.write(tmp_path / "run.db", 1)
    exported(run)
    with RunFile(run) as file:
        label = Desk(file, open_for_people(file, True)).pile("ann").sittings[0][0].label
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / "a.json").write_text(text.replace('"ok"', json.dumps(label)), encoding="utf-8")
    capsys.readouterr()
    assert grade(run, "--import", tmp_path / "a.json") == 2
    told = capsys.readouterr().err
    assert [word for word in words if word not in told] == []
    assert max(map(len, told.splitlines())) < 1000  # a value is cut, however long
    with RunFile(run, read_only=True) as file:
        assert file.snapshot().markings == ()


def test_answers_go_to_the_round_they_were_handed_out_in(tmp_path: Path) -> None:
    run = people.write(tmp_path / "run.db", 1)
    exported(run)
    assert grade(run, "--export", tmp_path / "open.html", "--grader", "ann", "--no-blind") == 0
    with RunFile(run) as file:
        label = Desk(file, open_for_people(file, True)).pile("ann").sittings[0][0].label
    marks = [{"nonce": "1", "label": label, "kind": "level", "content": {"criterion": "correct", "level": 1}}]
    (tmp_path / "a.json").write_text(json.dumps({**GOOD, "marks": marks}), encoding="utf-8")
    assert grade(run, "--import", tmp_path / "a.json") == 0
    with RunFile(run, read_only=True) as file:
        assert [mark.round_id for mark in file.snapshot().markings] == [1]


def wanted(trial: int, criterion: str) -> int | None:
    """What everybody says of an output, whichever way they grade."""
    return None if (trial + len(criterion)) % 4 == 3 else (trial + len(criterion)) % 3


@pytest.mark.slow
def test_the_same_marks_give_the_same_grades_whichever_way_they_come(tmp_path: Path, context: BrowserContext) -> None:
    first = people.write(tmp_path / "run.db", 2)
    with RunFile(first) as file:
        desk = Desk(file, open_for_people(file, True, Settings()))
        desk.join("ann")
        trials = {label: trial.id for label, trial in desk.pile("ann").trials.items()}
        labels = [task.label for sitting in desk.pile("ann").sittings for task in sitting]
    levels = {label: [wanted(trials[label], name) for name in ("correct", "tone")] for label in labels}
    runs = {way: Path(shutil.copy(first, tmp_path / f"{way}.db")) for way in ("desk", "xlsx", "csv", "tty", "packet")}

    with RunFile(runs["desk"]) as file:
        desk = Desk(file, open_for_people(file, True))
        for label, said in levels.items():
            for name, level in zip(("correct", "tone"), said, strict=True):
                desk.take("ann", Mark(label + name, label, "level", {"criterion": name, "level": level}))

    for kind in ("xlsx", "csv"):
        sheet = tmp_path / f"sheet.{kind}"
        assert grade(runs[kind], "--export", sheet, "--grader", "ann") == 0

        def fill(rows: Rows) -> Rows:
            for row in rows[1:]:
                for heading, level in zip(("correct", "tone"), levels[row[1]], strict=True):
                    row[rows[0].index(heading)] = "cannot tell" if level is None else level
            return [rows[0], *reversed(rows[1:])]

        edit(sheet, fill)
        assert grade(runs[kind], "--import", sheet) == 0

    keys = [["c" if level is None else str(level) for level in levels[label]] for label in labels]
    with terminal("grade", runs["tty"], "--tty", "--grader", "ann", cwd=tmp_path) as t:
        for number, pressed in enumerate(keys, start=1):
            t.until(rf"^Output {number} of 6")
            t.press("".join(pressed) + "\r")
        t.until("That was the last one")
        t.press("q")
        assert t.end() == 0

    packet = tmp_path / "packet.html"
    assert grade(runs["packet"], "--export", packet, "--grader", "ann") == 0
    opened = Opened(context, packet)
    for number, pressed in enumerate(keys, start=1):
        opened.is_at(f"Output {number} of 6")
        opened.press(*pressed, "Enter")
    expect(opened.page.locator("#finished h2")).to_be_visible()
    answers = opened.download(lambda: opened.press("Enter"), tmp_path)
    assert grade(runs["packet"], "--import", answers) == 0

    found = {way: {row for row in grades(path) if row[0] == "ann"} for way, path in runs.items()}
    assert len(found["desk"]) == 12
    assert {way: rows for way, rows in found.items() if rows != found["desk"]} == {}
