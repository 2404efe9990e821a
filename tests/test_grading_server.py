"""The grading page's server over HTTP: who is let in, what is refused, and that no mark is lost or told on."""

import http.client
import json
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from evalkit.models import LINE_UP
from evalkit.web.entrance import MOST_WRONG, Entrance
from evalkit.web.guard import BODY_BYTES, HEADERS
from tests import builders, people
from tests.grading_pages import SECRETS, Served, serving

ITEMS = 4


class Visitor:
    """A browser's worth of HTTP: one connection, its cookie, and the token that belongs to it."""

    def __init__(self, served: Served, grader: str | None = None) -> None:
        self.host = urlsplit(served.url).netloc
        self.connection = http.client.HTTPConnection(self.host, timeout=300)
        self.cookie = self.csrf = ""
        if grader is not None:
            cookie = served.app.entrance.exchange(served.app.entrance.link(grader))
            assert cookie is not None
            self.cookie = f"{served.app.entrance.cookie_name}={cookie}"
            self.csrf = served.app.entrance.csrf(grader)

    def __del__(self) -> None:
        self.connection.close()

    def send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str | None] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        usual: dict[str, str | None] = {
            "Cookie": self.cookie,
            "x-evalkit-csrf": self.csrf,
            "Sec-Fetch-Site": "same-origin",
        }
        if method == "POST":
            usual |= {"Origin": f"http://{self.host}", "Content-Type": "application/json"}
        sent = {name: value for name, value in {**usual, **(headers or {})}.items() if value}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        self.connection.request(method, path, data, sent)
        answer = self.connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()

    def json(self, method: str, path: str, body: Any = None) -> Any:
        status, _, content = self.send(method, path, body)
        assert status == 200, content
        return json.loads(content)

    def mark(self, nonce: str, label: str, kind: str = "level", **content: Any) -> Any:
        one = {"nonce": nonce, "label": label, "kind": kind, "content": content, "active_s": 1.5}
        return self.json("POST", "/api/marks", {"tab": "t", "marks": [one]})


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(people.write(tmp_path / "run.db", ITEMS), "ann", "ben") as running:
        yield running


def first_label(visitor: Visitor) -> str:
    return str(visitor.json("GET", "/api/pile?tab=t")["sittings"][0][0])


def test_a_link_works_once_and_its_cookie_is_for_this_page_alone(served: Served) -> None:
    visitor, link = Visitor(served), served.link("ann").removeprefix(served.url)
    assert visitor.send("HEAD", link)[0] == 503
    assert visitor.send("GET", link, headers={"Sec-Purpose": "prefetch;prerender"})[0] == 503
    status, headers, _ = visitor.send("GET", link, headers={"Sec-Fetch-Site": "none"})
    assert (status, headers["location"]) == (303, "/")
    cookie, *rest = headers["set-cookie"].split("; ")
    assert cookie.startswith(f"evalkit_{visitor.host.split(':')[1]}=")
    assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(rest)
    assert visitor.send("GET", link)[0] == 401
    visitor.cookie = cookie
    assert visitor.send("GET", "/")[0] == 200
    assert visitor.send("GET", link)[:2][0] == 303


def test_after_many_wrong_links_nobody_is_let_in_for_a_minute(served: Served) -> None:
    visitor, link = Visitor(served), served.link("ann").removeprefix(served.url)
    statuses = Counter(visitor.send("GET", f"/login?t=wrong{n}")[0] for n in range(MOST_WRONG + 5))
    assert statuses == {401: MOST_WRONG, 429: 5}
    assert visitor.send("GET", link)[0] == 429


def test_a_cookie_is_good_for_its_round_for_a_while_and_as_signed() -> None:
    now = [1e9]
    entrance = Entrance(b"k" * 32, ["ann"], 1, clock=lambda: now[0])
    cookie = entrance.exchange(entrance.link("ann"))
    assert cookie is not None
    assert entrance.who(cookie) == "ann"
    assert Entrance(b"k" * 32, ["ann"], 1, clock=lambda: now[0]).who(cookie) == "ann"
    assert Entrance(b"x" * 32, ["ann"], 1).who(cookie) is None
    for forged in ("", "a", "a.b", cookie[:-1], f"YmVu.{cookie.split('.', 1)[1]}", None):
        assert entrance.who(forged) is None
    now[0] += 15 * 86_400
    assert entrance.who(cookie) is None


MARKS: Any = {"tab": "t", "marks": []}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": None}, 200),
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1"}, 421),
        ({"Host": "evil.example:80"}, 421),
        ({"Origin": None}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"x-evalkit-csrf": None}, 403),
        ({"x-evalkit-csrf": "0" * 40}, 403),
        ({"x-evalkit-csrf": "é"}, 403),
        ({"Cookie": None}, 401),
        ({"Cookie": "evalkit_1=a.b.c"}, 401),
        ({"Content-Length": "99999999"}, 413),
    ],
)
def test_a_write_needs_host_origin_cookie_and_token_at_once(
    headers: dict[str, str | None], status: int, served: Served
) -> None:
    visitor = Visitor(served, "ann")
    assert visitor.send("POST", "/api/marks", MARKS, headers)[0] == status


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/api/pile", {"x-evalkit-csrf": None}, 403),
        ("/api/pile", {"Sec-Fetch-Site": "same-site"}, 403),
        ("/api/sitting/0", {"Cookie": None}, 401),
        ("/api/sitting/99", {}, 404),
        ("/grade.js", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("/", {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403),
        ("/", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200),
        ("/", {"Host": "rebound.example:80"}, 421),
        ("/nothing", {}, 404),
    ],
)
def test_a_read_is_for_the_page_itself(path: str, headers: dict[str, str | None], status: int, served: Served) -> None:
    got, sent, _ = Visitor(served, "ann").send("GET", path, headers=headers)
    assert got == status
    assert {name: sent[name] for name in HEADERS} == HEADERS
    assert not {"etag", "last-modified", "server", "date", "access-control-allow-origin"} & set(sent)


def test_bodies_beyond_the_limit_and_bodies_that_are_no_marks_are_refused(served: Served) -> None:
    visitor = Visitor(served, "ann")
    assert visitor.send("POST", "/api/marks", b"x" * (BODY_BYTES + 1))[0] == 413
    chunked = Visitor(served, "ann")
    usual = {"Cookie": chunked.cookie, "x-evalkit-csrf": chunked.csrf, "Origin": served.url}
    body = iter([b"x" * 40_000, b"x" * 40_000])
    chunked.connection.request(
        "POST", "/api/marks", body, {**usual, "Content-Type": "application/json"}, encode_chunked=True
    )
    assert chunked.connection.getresponse().status == 413
    for wrong in (b"", b"[]", b"{", {"tab": "t"}, {"tab": "t", "marks": [{}]}, {"tab": "t", "marks": [], "more": 1}):
        assert visitor.send("POST", "/api/marks", wrong)[0] == 400
    assert visitor.send("PUT", "/api/marks", b"")[0] == 405


def test_marks_are_taken_once_and_what_cannot_be_is_named(served: Served) -> None:
    ann, ben = Visitor(served, "ann"), Visitor(served, "ben")
    label = first_label(ann)
    for _ in range(2):
        assert ann.mark("a1", label, criterion="correct", level=2)["taken"] == ["a1"]
    assert ann.mark("a2", label, criterion="correct", level=9)["refused"][0]["nonce"] == "a2"
    other = first_label(ben)
    assert ben.mark("a1", other, criterion="tone", level=0)["taken"] == ["a1"]
    assert "none of the outputs" in ben.mark("b1", label, criterion="correct", level=2)["refused"][0]["why"]
    assert [(g.grader, g.level) for g in served.run.snapshot().grades] == [("ann", 2), ("ben", 0)]
    assert ann.json("GET", "/api/pile?tab=t")["standing"][label]["levels"] == {"correct": 2}


def test_the_older_of_two_tabs_is_told_and_its_marks_are_kept(served: Served) -> None:
    ann = Visitor(served, "ann")
    label = first_label(ann)
    ann.json("GET", "/api/pile?tab=other")
    answer = ann.mark("n", label, criterion="tone", level=1)
    assert (answer["taken"], answer["newest"]) == (["n"], False)


def test_a_round_ends_when_everybody_has_handed_in_and_says_so_afterwards(served: Served) -> None:
    visitors = {name: Visitor(served, name) for name in ("ann", "ben")}
    assert visitors["ann"].send("POST", "/api/hand-in", {})[0] == 409
    for name, visitor in visitors.items():
        for labels in visitor.json("GET", "/api/pile?tab=t")["sittings"]:
            for label in labels:
                for criterion in ("correct", "tone"):
                    visitor.mark(f"{label}{criterion}", label, criterion=criterion, level=1)
                visitor.mark(f"{label}done", label, "done")
        assert visitor.json("POST", "/api/hand-in", {}) == {"all_in": name == "ben"}
    assert [event.content["why"] for event in served.run.snapshot().events if event.kind == "closed"]
    assert "has been closed" in visitors["ben"].mark("late", label, "flag", on=True)["closed"]


@pytest.mark.parametrize("layout", ["point", "side"])
def test_nothing_that_is_served_tells_who_wrote_what(layout: str, tmp_path: Path) -> None:
    with serving(people.write(tmp_path / "run.db", ITEMS), "ann", layout=layout, repeat_share=0.1) as served:
        ann, seen = Visitor(served, "ann"), []
        sittings = len(served.app.desk.pile("ann").sittings)
        assert sittings > ITEMS
        for path in (
            "/",
            "/grade.js",
            "/grade.css",
            "/api/pile?tab=t",
            *(f"/api/sitting/{n}" for n in range(sittings)),
        ):
            status, headers, body = ann.send("GET", path)
            assert status == 200
            seen.append(f"{path} {headers} {body.decode()}".lower())
        whole = "\n".join(seen)
        assert [secret for secret in SECRETS if secret in whole] == []
        shown = served.run.snapshot()
        assert [i.id for i in shown.items if f'"{i.id}"' in whole] == []
        assert served.run.sealed_key(1).hex() not in whole
        assert "[name hidden]" in whole
        texts = {json.dumps(ann.json("GET", f"/api/sitting/{n}")["outputs"][0]) for n in range(sittings)}
        assert len(texts) == sittings


@pytest.mark.parametrize("asked", [True, False])
def test_authors_are_named_only_to_whoever_is_asked_for_them_and_has_graded_all(asked: bool, tmp_path: Path) -> None:
    path = people.write(tmp_path / "run.db", 1)
    with serving(path, "ann", ask_author=asked) as served:
        ann = Visitor(served, "ann")
        pile = ann.json("GET", "/api/pile?tab=t")
        assert (pile["ask_author"], pile["authors"]) == (asked, [])
        for labels in pile["sittings"]:
            for label in labels:
                status, _, body = ann.send("POST", "/api/ask", {})
                assert (status, [name for name in LINE_UP if name.encode() in body]) == (409, [])
                for criterion in ("correct", "tone"):
                    ann.mark(f"{label}{criterion}", label, criterion=criterion, level=1)
                ann.mark(f"{label}done", label, "done")
        if not asked:
            assert ann.send("POST", "/api/ask", {})[0] == 409
            return
        assert ann.send("POST", "/api/hand-in", {})[0] == 409
        assert ann.json("POST", "/api/ask", {}) == {"authors": sorted(LINE_UP)}
        assert ann.json("GET", "/api/pile?tab=t")["authors"] == sorted(LINE_UP)
        late = ann.mark("late", label, criterion="tone", level=0)
        assert "the grades stand" in late["refused"][0]["why"]
        for label in pile["standing"]:
            assert ann.mark(f"{label}who", label, "author", guess=LINE_UP[0])["taken"]
        assert ann.json("POST", "/api/hand-in", {}) == {"all_in": True}


@pytest.mark.slow  # 4,000 durable writes: some 20 s
def test_twenty_graders_at_once_lose_none_of_two_hundred_grades_each(tmp_path: Path) -> None:
    names = [f"g{n}" for n in range(20)]
    rubric = builders.rubric(builders.judged("correct"), builders.judged("tone"))
    with serving(people.write(tmp_path / "run.db", 34, rubric), *names) as served:
        failures: list[BaseException] = []

        def grade(name: str) -> None:
            try:
                visitor = Visitor(served, name)
                labels = [label for sitting in visitor.json("GET", "/api/pile?tab=t")["sittings"] for label in sitting]
                for n, label in enumerate(labels[:100]):
                    for criterion in ("correct", "tone"):
                        answer = visitor.mark(f"{name}{n}{criterion}", label, criterion=criterion, level=n % 3)
                        assert len(answer["taken"]) == 1
            except BaseException as error:
                failures.append(error)
                raise

        threads = [threading.Thread(target=grade, args=[name]) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(300)
        assert failures == []
        grades = served.run.snapshot().grades
    assert Counter(grade.grader for grade in grades) == dict.fromkeys(names, 200)
    assert len({(g.grader, g.trial_id, g.criterion) for g in grades}) == 4000
