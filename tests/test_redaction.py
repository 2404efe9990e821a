"""What a report withholds: in every form, with figures unchanged, and nothing of the machine in any."""

import getpass
import json
import re
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from analysis_builders import HAIKU, OPUS, PASS_OR_FAIL, SONNET, Book, answered, failed, round_, spec, write_run
from report_pages import made
from sweep_builders import at_size, together

from evalkit import snapshots
from evalkit.analysis import analyze
from evalkit.cli import main
from evalkit.commands import run_file
from evalkit.config import Config
from evalkit.rates import Rates
from evalkit.records import Snapshot
from evalkit.redaction import Redaction, withheld
from evalkit.report import render_json
from evalkit.store import RunFile

HIDDEN = "jane.doe@corp.example"
FORMS = ("r.html", "r.md", "r.json", "r.csv", "r.xlsx")


def with_secrets() -> Snapshot:
    """A run with the secret wherever a text can be: ids, tasks, tags, documents, outputs, errors, notes."""
    book = Book(spec((OPUS, SONNET)))
    for i in range(6):
        name = f"i{i}" if i else f"order of {HIDDEN}"
        book.item(name, task=f"Write to {HIDDEN} {i}.", reference=f"Ask {HIDDEN}.", tags=(f"of {HIDDEN}",) if i else (),
                  documents=(f"{HIDDEN}.md",), evidence_positions=(1,))  # fmt: skip
        for model in (OPUS, SONNET):
            trial = book.trial(
                name, answered(text=f"{HIDDEN} {'yyyyy ' * (5_000 if i == 1 else 2)} {HIDDEN}"), model=model
            )
            reason = f"could not read {HIDDEN}" if i == 5 else None
            book.grade(trial, None if i == 5 else int(i > 2), comment=f"says {HIDDEN}", ungraded_reason=reason)
    book.trial("i0", failed(error_message=f"no such user {HIDDEN}"))
    return book.snapshot(documents={f"{HIDDEN}.md": f"About {HIDDEN}."})


def report(folder: Path, *argv: str, code: int = 0) -> dict[str, str]:
    """Every form of the report and every side file, as texts by name."""
    outputs = [part for name in FORMS for part in ("-o", str(folder / name))]
    assert main(["report", str(folder / "r.db"), "-q", *outputs, *argv]) == code
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_dir() or path.suffix in (".db", ".lock", ".yaml"):
            continue
        if path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as archive:
                found[path.name] = "\n".join(archive.read(name).decode() for name in archive.namelist())
        else:
            found[str(path.relative_to(folder))] = path.read_text(encoding="utf-8")
    return found


def figures(text: str) -> Mapping[str, object]:
    """What of the JSON is no text."""
    analysis = json.loads(text)["analysis"]
    return {name: analysis[name] for name in ("models", "pairs", "decision", "stability", "criteria")}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "r.db", with_secrets())
    return tmp_path


@pytest.mark.parametrize("where", ["option", pytest.param("config", marks=pytest.mark.slow)])
def test_what_matches_is_in_no_form_and_figures_stay(
    folder: Path, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = report(folder)
    assert {name for name, text in before.items() if HIDDEN in text} >= {
        "r.html", "r.json", "r.csv", "r.xlsx", "r-outputs/002-a.txt",
    }  # fmt: skip
    pattern = r"[\w.]+@corp\.example"
    if where == "config":
        (folder / "evalkit.yaml").write_text(f"redact: ['{pattern}']\n")
    after = report(folder, *(("--redact", pattern) if where == "option" else ()))
    assert set(after) == set(before)
    assert {name for name, text in after.items() if HIDDEN in text or "corp.example" in text} == set()
    assert "⟦redacted⟧" in after["r.html"]
    assert "⟦redacted⟧" in after["r-outputs/002-a.txt"]
    assert figures(after["r.json"]) == figures(before["r.json"])
    page = after["r.html"].replace("\N{NO-BREAK SPACE}", " ")
    assert "What matches 1 pattern is replaced by ⟦redacted⟧." in page
    assert pattern not in "".join(after.values())


@pytest.mark.long
def test_no_outputs_leaves_no_text_in_any_form_and_figures_stay(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = report(folder)
    for path in (folder / "r-outputs").iterdir():
        path.unlink()
    after = report(folder, "--no-outputs")
    assert set(after) == {name for name in before if "/" not in name}, "nothing is cut, so nothing stands beside"
    for text in after.values():
        assert not re.search(r"yyyyy|Write to|Ask jane|says jane|no such user|About jane|could not read", text)
    assert "⟦left out⟧" in after["r.html"]
    assert "left out of this report (--no-outputs)" in after["r.html"]
    assert figures(after["r.json"]) == figures(before["r.json"])


@pytest.mark.long
def test_texts_of_an_earlier_report_are_pointed_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report(folder)
    report(folder, "--no-outputs")
    assert "r-outputs has 2 texts of an earlier report; delete what may not be seen" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pattern", "said"),
    [("(", "is not a regular expression (missing )"), ("x*", "matches an empty text")],
)
def test_a_pattern_that_hides_nothing_is_one_line(
    folder: Path, pattern: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "r.db", "--redact", pattern]) == 2
    first, *rest = capsys.readouterr().err.splitlines()
    assert first.startswith(f"error: redact pattern {pattern!r} {said}")
    assert rest == ["exit 2: usage"]
    (folder / "evalkit.yaml").write_text(f"redact: ['{pattern}']\n")
    assert main(["report", "r.db"]) == 2
    assert "evalkit.yaml:1" in capsys.readouterr().err
    assert not (folder / "reports").exists()


def test_a_pattern_without_end_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("evalkit.redaction.SEARCH_LIMIT_S", 0.2)
    book = Book()
    book.trial("a", answered(text="a" * 60 + "!"), level=1)
    write_run(tmp_path / "r.db", book.snapshot())
    assert main(["report", str(tmp_path / "r.db"), "--redact", r"^(?:\w|\w\w)+$", "-o", str(tmp_path / "r.html")]) == 2
    assert "takes too long on these texts" in capsys.readouterr().err
    assert not (tmp_path / "r.html").exists()


@pytest.mark.long
@pytest.mark.parametrize("pattern", ["(?i)ret-[0-9]+", "(?i)returns", "jane@corp", "project_x", "[0-9]{4}"])
def test_nothing_that_matches_stays_in_any_string_of_any_form(tmp_path: Path, pattern: str) -> None:
    """Ids in slices, tags in what a signal rests on, people's names, the rubric's words, and dates if asked for."""
    criterion = {"id": "project_x", "question": "Is it right?", "levels": {"0": "No.", "1": "Yes."}}
    book = Book(
        spec((OPUS, HAIKU), {**PASS_OR_FAIL, "criteria": [criterion]}),
        rounds=[round_(graders=("human jane@corp",), blind=True)],
    )
    for i in range(70):
        name = f"ret-{i:03}" if i % 2 else f"plain-{i}"
        book.item(name, tags=("returns",) if i % 2 else (), difficulty="easy" if i < 40 else "hard")
        for model in (OPUS, HAIKU):
            trial = book.trial(name, answered(0.05 if model == OPUS else 0.01), model=model)
            book.grade(trial, int(model == OPUS or i % 2 == 1), grader="human jane@corp", criterion="project_x")
    write_run(tmp_path / "r.db", book.snapshot())
    before, after = report(tmp_path), report(tmp_path, "--redact", pattern)
    for name, text in after.items():
        strings = "\n".join(strings_of(json.loads(text))) if name == "r.json" else text
        if name == "r.json" or pattern != "[0-9]{4}":  # styles, sheets and numbers have digits
            assert not re.search(pattern, strings), name
    assert re.search(pattern, before["r.json"])
    assert figures_only(after["r.json"]) == figures_only(before["r.json"])


def strings_of(value: object) -> Iterator[str]:
    """Every string in a JSON value, names of members that are no field's included."""
    if isinstance(value, str):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from strings_of(one)


def figures_only(text: str) -> list[float]:
    """Every number of a JSON text, in order."""
    found: list[float] = []
    json.loads(text, parse_float=lambda x: found.append(float(x)), parse_int=lambda x: found.append(float(x)))
    return found


@pytest.mark.long
@pytest.mark.parametrize("patterns", [["Opus", "Sonnet", "Haiku"], [r"(?i)claude\S*|(opus|sonnet|haiku) [\d.]+"]])
def test_models_whose_names_become_one_are_told_apart_wherever_they_stand(patterns: list[str]) -> None:
    """Every sentence, table and key of the report names the model that it named before, by one name."""
    by, analysis = Redaction(patterns), made("routed")
    hidden = withheld(analysis, by)
    names = {model.name: by.name(model.name) for model in analysis.models}
    ids = {model: by.name(model) for model in analysis.spec.models}
    assert len(set(names.values())) == len(names)
    assert len(set(ids.values())) == len(ids)
    before = json.loads(render_json(analysis))
    after = json.loads(render_json(hidden, change=by.everywhere))
    spaced = [text.replace("\N{NO-BREAK SPACE}", " ") for text in strings_of(after)]
    assert not [text for text in spaced if re.search("Opus|Sonnet|Haiku", text)]
    whole = [text.replace("\N{NO-BREAK SPACE}", " ") for text in strings_of(before)]
    for model, name in zip(ids, names, strict=True):
        told = sum(name in text or (ids[model] != model and model in text) for text in whole)
        shown = sum(names[name] in text or (ids[model] != model and ids[model] in text) for text in spaced)
        assert told == shown > 10, name
    rows = {value["name"]: value for value in after["analysis"]["routing"]["values"]}
    assert {f"always-{shown}" for shown in ids.values()} <= set(rows)
    assert set(rows[f"always-{ids[OPUS]}"]["shares"]) == set(ids.values())
    assert after["analysis"]["decision"]["option"] in after["analysis"]["decision"]["reasons"]


def test_models_that_are_called_by_their_ids_are_hidden_where_routing_is_valued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of an import that no price list knows: policies are found by ids, which no page shows."""
    monkeypatch.chdir(tmp_path)
    lines = [
        {"item_id": f"i{n}", "model": model, "prompt": "q" * (n + 1), "output": "a", "cost_usd": usd,
         "grades": [{"grader": "ann", "kind": "human", "criterion": "ok", "level": int(n % 10 < good)}]}
        for n in range(40)
        for model, usd, good in (("acme-small", 0.001, 6), ("acme-large", 0.05, 10))
    ]  # fmt: skip
    Path("made.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert main(["import", "made.jsonl", "--satisfactory-from", "ok", "-o", "made.db"]) == 0
    assert main(["report", "made.db", "--redact", "acme", *(part for form in FORMS for part in ("-o", form))]) == 0
    page = Path("r.html").read_text()
    assert "Routing" in page
    assert "acme" not in page.lower(), "nor with the capital that a sentence begins with"
    assert "acme" not in Path("r.md").read_text().lower()
    rows = [line.split(",") for line in Path("r.csv").read_text().splitlines()]
    assert {row[rows[0].index("model")] for row in rows[1:]} == {"⟦redacted⟧-small", "⟦redacted⟧-large"}
    capsys.readouterr()
    assert main(["report", "made.db", "--redact", r"acme-\w+", "-o", "r.html", "-o", "r.csv"]) == 0
    said = capsys.readouterr().out
    assert "acme" not in said.lower()
    rows = [line.split(",") for line in Path("r.csv").read_text().splitlines()]
    assert {row[rows[0].index("model")] for row in rows[1:]} == {"⟦redacted 1⟧", "⟦redacted 2⟧"}


@pytest.mark.parametrize(
    ("pattern", "text", "shown"),
    [
        ("ann", "Ann said so; ann did. Annual", "⟦redacted⟧ said so; ⟦redacted⟧ did. ⟦redacted⟧ual"),
        ("ann", "of Ann", "of Ann"),  # which no sentence made
        (
            "big model",
            "big\N{NO-BREAK SPACE}model, other\N{NO-BREAK SPACE}one",
            "⟦redacted⟧, other\N{NO-BREAK SPACE}one",
        ),
        (r"\w+", "a ⟦redacted 2⟧ b", "⟦redacted⟧ ⟦redacted 2⟧ ⟦redacted⟧"),
        ("[0-9]+", "⟦redacted 2⟧ of 2024", "⟦redacted 2⟧ of ⟦redacted⟧"),
        (r"m-\w+", "m-one is m-two, not m-one-b", "⟦redacted 1⟧ is ⟦redacted 2⟧, not ⟦redacted 1⟧-b"),
        (r"m-one.*", "M-one is here", "⟦redacted⟧"),
        (r"\b(m|q)-\w+\b", "am-one, m-ones, m-one", "am-one, ⟦redacted⟧, ⟦redacted 1⟧"),
        ("İx", "İx. İstanbul", "⟦redacted⟧. İstanbul"),
    ],
)
def test_what_is_hidden_is_hidden_once_and_as_a_whole(pattern: str, text: str, shown: str) -> None:
    by = Redaction([pattern])
    by.tell_apart([("m-one",), ("m-two",)])
    assert by.name(text) == shown
    assert by.name(shown) == shown


@pytest.mark.long
def test_criteria_that_are_hidden_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    criteria = [{"id": f"acme-{n}", "question": "Right?", "levels": {"0": "No.", "1": "Yes."}} for n in ("one", "two")]
    book = Book(spec((HAIKU, OPUS), {**PASS_OR_FAIL, "criteria": criteria}), rounds=[round_()])
    for i in range(30):
        for model in (HAIKU, OPUS):
            book.trial(f"i{i}", answered(), model=model, levels={"acme-one": 1, "acme-two": i % 2})
    write_run(tmp_path / "r.db", book.snapshot())
    after = report(tmp_path, "--redact", r"acme-\w+")
    assert not any("acme" in text for text in after.values())
    levels = json.loads(after["r.json"])["analysis"]["outputs"][0]["outputs"][0]["levels"]
    assert levels == {"⟦redacted 1⟧": 1, "⟦redacted 2⟧": 0}
    assert {"level_⟦redacted 1⟧", "level_⟦redacted 2⟧"} <= set(after["r.csv"].splitlines()[0].split(","))
    for name, text in report(tmp_path, "--redact", "^acme-one$").items():
        assert "acme-one" not in text, name


@pytest.mark.long
def test_whoever_graded_is_hidden_in_every_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = Book(spec((HAIKU, OPUS)), rounds=[round_(graders=("judge fair-one", "zoe"))])
    for i in range(30):
        for model in (HAIKU, OPUS):
            trial = book.trial(f"i{i}", answered(), model=model)
            for grader in ("judge fair-one", *(["zoe"] if i % 2 else [])):
                book.grade(trial, int(i % 3 > 0), grader=grader)
    write_run(tmp_path / "r.db", book.snapshot())
    assert "fair-one" in report(tmp_path)["r.md"]
    capsys.readouterr()
    for name, text in report(tmp_path, "--redact", "fair|zoe").items():
        assert not re.search("fair-|zoe", text, flags=re.IGNORECASE), name
    for name, text in report(tmp_path, "--redact", "^zoe$").items():
        assert "zoe" not in text, name
    second = json.loads(report(tmp_path, "--redact", r"fair-\w+|zoe")["r.json"])["analysis"]["outputs"][1]
    assert second["outputs"][0]["given"]["right"] == {"judge ⟦redacted 1⟧": 1, "⟦redacted 2⟧": 1}
    assert main(["report", str(tmp_path / "r.db"), "--redact", "fair|zoe", "-o", str(tmp_path / "r.md")]) == 0
    assert not re.search("fair-|zoe", "".join(capsys.readouterr()), flags=re.IGNORECASE)


@pytest.mark.parametrize(
    ("wherever", "text"), [(True, "no ⟦redacted⟧ beats ⟦redacted⟧"), (False, "no other beats other")]
)
def test_a_name_that_must_be_all_of_a_text_is_hidden_elsewhere_only_if_it_is_a_model_s(
    wherever: bool, text: str
) -> None:
    by = Redaction(["^other$"])
    by.tell_apart([("other",)], wherever=wherever)
    assert by.name("other") == "⟦redacted⟧"
    assert by.name("no other beats other") == text


def test_a_tag_that_only_holds_a_hidden_name_is_hidden_with_it() -> None:
    """Told apart by itself it would be the longest name at its place, and stay."""
    by = Redaction(["^Ann$"])
    by.tell_apart([("Ann",), ("Bob",)], wherever=True)
    by.tell_apart([("author=Ann",), ("author=Bob",)])
    assert by.name("author=Ann") == "author=⟦redacted⟧"
    assert by.name("on author=Ann items, not author=Bob") == "on author=⟦redacted⟧ items, not author=Bob"


def test_a_longer_name_that_stays_in_a_text_shadows_no_hidden_name_in_it() -> None:
    """A pattern matches the tag where it is all of a text, and nothing of it elsewhere."""
    by = Redaction(["^Ann$", "^author="])
    by.tell_apart([("Ann",)], wherever=True)
    by.tell_apart([("author=Ann",)])
    assert by.name("on author=Ann items") == "on author=⟦redacted⟧ items"
    assert "Ann" not in by.name("author=Ann")


def test_things_of_two_kinds_are_told_apart() -> None:
    """A model and a judge called alike would read as a model that judged itself."""
    by = Redaction(["acme|gpt"])
    by.tell_apart([("acme",), ("other",)], wherever=True)
    by.tell_apart([("gpt",)], wherever=True)
    by.tell_apart([("acme",)])
    assert by.name("acme judged by gpt") == "⟦redacted⟧ judged by ⟦redacted 1⟧"


def test_documents_and_difficulties_that_become_alike_stay_apart(tmp_path: Path) -> None:
    book = Book(spec((HAIKU, OPUS)), rounds=[round_()])
    for i in range(24):
        book.item(f"i{i}", documents=("acme-a.md", "acme-b.md"), difficulty=("easy", "hard")[i % 2])
        for model in (HAIKU, OPUS):
            book.trial(f"i{i}", answered(), model=model, level=i % 2)
    write_run(tmp_path / "r.db", book.snapshot(documents={"acme-a.md": "one", "acme-b.md": "other"}))
    found = json.loads(report(tmp_path, "--redact", r"acme-\w|easy|hard")["r.json"])["analysis"]
    assert sorted(found["documents"].values()) == ["one", "other"]
    assert set(found["documents"]) == set(found["outputs"][0]["documents"])
    named = [part["name"] for part in found["slices"] if part["kind"] == "difficulty"]
    assert len(set(named)) == 2
    assert not {"easy", "hard"} & set(named)


def test_ids_that_become_alike_stay_apart(tmp_path: Path) -> None:
    book = Book()
    for name in ("ann", "bob", "q ann", "q bob", "plain"):
        book.trial(name, answered(), level=1)
    write_run(tmp_path / "r.db", book.snapshot())
    after = report(tmp_path, "--redact", "ann|bob")
    ids = [item["id"] for item in json.loads(after["r.json"])["analysis"]["outputs"]]
    assert len(set(ids)) == 5
    assert ids[-1] == "plain"
    marks = re.findall(r"⟦redacted \d+⟧", "".join(ids))
    assert len(set(marks)) == 4
    rows = [line.split(",")[0] for line in after["r.csv"].splitlines()[1:]]
    assert rows == ids, "every form names an item alike"


@pytest.mark.parametrize("chosen", [None, {"rule": "unsatisfactory", "model": HAIKU, "run": "f" * 64}])
def test_a_run_keeps_its_hash_and_its_file_where_its_name_is_hidden(chosen: dict[str, Any] | None) -> None:
    """Hashes and files of a run that is called otherwise would be of no run."""
    made = with_secrets()
    made = replace(
        made, spec=replace(made.spec, name="acme-tickets", condition=chosen and {**chosen, "items": 3, "of": 6})
    )
    spec = withheld(analyze(made), Redaction(("acme|Haiku",))).spec
    assert spec.sha256 == made.spec.sha256
    assert "acme" not in spec.name
    assert run_file(spec).endswith(f"-{made.spec.sha256[:8]}.db")


def test_no_file_says_by_which_hash_its_spec_is_known() -> None:
    """Whoever wrote one in would have any content taken for that of the hash."""
    forged = {**asdict(spec((OPUS,))), "kept_sha256": "0" * 64}
    assert snapshots.spec(forged).sha256 == spec((OPUS,)).sha256


@pytest.mark.long
def test_nothing_of_machine_user_or_environment_is_in_any_form(tmp_path: Path) -> None:
    home = tmp_path / "home-of-zaphod"
    home.mkdir()
    made = with_secrets()
    write_run(home / "r.db", replace(made, spec=replace(made.spec, name="run")))
    environment = {
        "HOME": str(home), "USER": "zaphod", "LOGNAME": "zaphod", "HOSTNAME": "beeblebrox", "PATH": "/usr/bin:/bin",
        "ANTHROPIC_API_KEY": "sk-ant-zaphod-0123456789", "EVALKIT_SECRET": "zaphod-secret",
        "HTTPS_PROXY": "http://zaphod:pw@127.0.0.1:9",
    }  # fmt: skip
    outputs = [part for name in FORMS for part in ("-o", str(home / "out" / name))]
    write_run(home / "then.db", replace(made, spec=replace(made.spec, name="then")))
    argv = [
        sys.executable,
        "-m",
        "evalkit",
        "report",
        str(home / "r.db"),
        "--baseline",
        str(home / "then.db"),
        *outputs,
    ]
    subprocess.run(argv, cwd=home, env=environment, check=True, capture_output=True, timeout=300)
    forbidden = ("zaphod", "beeblebrox", str(tmp_path), sys.prefix, socket.gethostname(), f"/{getpass.getuser()}/")
    for path in sorted((home / "out").rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            if path.suffix == ".xlsx":
                with zipfile.ZipFile(path) as archive:
                    data = b"".join(archive.read(name) for name in archive.namelist())
            assert [word for word in forbidden if word.encode() in data] == [], path.name
    with RunFile(home / "r.db", read_only=True) as run:
        assert run.snapshot().trials, "the run was read, not missed"


def test_patterns_of_a_project_are_checked_as_its_file_is_read() -> None:
    assert Config(redact=(r"\d{4}", "Ann")).redact == (r"\d{4}", "Ann")
    with pytest.raises(ValueError, match=r"pattern '\('"):
        Config(redact=("Ann", "("))


def test_names_of_models_are_hidden_in_every_form_and_on_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page holds the name of whoever answers together, by spaces at which no line breaks."""
    book = Book(spec((HAIKU, OPUS), rates={HAIKU: (Rates(1, 5),), OPUS: (Rates(5, 25),)}))
    for i in range(40):
        for model, cost in ((HAIKU, 0.01), (OPUS, 0.05)):
            book.trial(f"i{i}", answered(cost), model=model, level=int(model == OPUS or i % 4 > 0))
    write_run(tmp_path / "r.db", book.snapshot())
    assert main(["report", str(tmp_path / "r.db"), "-o", str(tmp_path / "open.html")]) == 0
    assert "Opus 4.6" in capsys.readouterr().out
    page = (tmp_path / "open.html").read_text(encoding="utf-8")
    assert "Opus\N{NO-BREAK SPACE}4.6" in page
    for name, text in report(tmp_path, "--redact", r"(?i)opus 4\.6").items():
        if name != "open.html":
            assert not re.search(r"(?i)opus\s4\.6", text), name
    assert main(["report", str(tmp_path / "r.db"), "-o", str(tmp_path / "r.html"), "--redact", r"(?i)opus 4\.6"]) == 0
    said = capsys.readouterr().out
    assert not re.search(r"(?i)opus\s4\.6", said), said
    assert "⟦redacted⟧" in said
    write_run(tmp_path / "later.db", replace(book.snapshot(), spec=replace(book.snapshot().spec, name="later")))
    command = ["compare", str(tmp_path / "r.db"), str(tmp_path / "later.db")]
    assert main(command) == 0
    assert "Opus 4.6" in capsys.readouterr().out
    assert main([*command, "--redact", "(?i)opus"]) == 0
    assert "opus" not in "".join(capsys.readouterr()).lower().replace(str(tmp_path).lower(), "")


def test_names_of_models_are_hidden_in_the_table_of_a_sweep() -> None:
    parts = {size: at_size(size, {HAIKU: [[True]] * 20, OPUS: [[True]] * 20}) for size in (2_000, 6_000)}
    sweep = withheld(analyze(together(parts)), Redaction(("(?i)opus",)))
    assert sweep.sweep is not None
    assert [found.name for found in sweep.sweep.ranges if "pus" in found.name] == []
