"""`evalkit import`: whole or not at all, and a run file that every later command takes for what it is."""

import html
import json
import random
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from analysis_builders import JUDGE, Book, answered, round_, spec
from builders import rubric_yaml
from servers import recorded

from evalkit import rounds
from evalkit.analysis import Analysis, analyze
from evalkit.analysis.counting_round import current_round
from evalkit.cli import main
from evalkit.commands import commands_of_import, run_file
from evalkit.records import Snapshot
from evalkit.store import RunFile

FORMATS = (".html", ".md", ".json", ".csv")
CHECKED = """\
name: both
criteria:
  - {id: ok, question: "Is it right?", levels: {0: "no", 1: "yes"}}
  - {id: short, question: "Is it short?", kind: check, check: {type: regex, pattern: "^.{1,9}$"}}
satisfactory: {score: 1.0}
"""


class Project:
    """An empty folder with the command in it."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capfd, self.out, self.err = folder, capfd, "", ""

    def run(self, *argv: object) -> int:
        """One command; what it says is kept."""
        self.capfd.readouterr()
        code = main([str(word) for word in argv])
        self.out, self.err = self.capfd.readouterr()
        return code

    def write(self, rows: list[dict[str, Any]], name: str = "results.jsonl") -> Path:
        """A file of lines."""
        path = self.folder / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    def imported(self, rows: list[dict[str, Any]], *options: object) -> Path:
        """A run file of these lines, by one criterion unless the options say otherwise."""
        path = self.folder / "runs" / "x.db"
        options = options or ("--satisfactory-from", "ok")
        assert self.run("import", self.write(rows), *options, "-o", path) == 0, self.err
        return path

    def analysis(self, path: Path) -> Analysis:
        return analyze(snapshot(path))

    def files(self) -> set[str]:
        """Everything in the folder, hidden files and locks too."""
        return {file.relative_to(self.folder).as_posix() for file in self.folder.rglob("*") if file.is_file()}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Project:
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path, capfd)


def snapshot(path: Path) -> Snapshot:
    with RunFile(path) as run:
        return run.snapshot()


@pytest.mark.parametrize(
    ("options", "file"),
    [
        (["--satisfactory-from", "ok"], "rubrics/other.yaml"),
        (["--rubric", "mine/ok.yaml"], "mine/ok.yaml"),
        ([], "rubrics/results.yaml"),
    ],
)
def test_an_import_is_repeated_by_the_rubric_that_it_was_made_by(
    options: list[str], file: str, project: Project
) -> None:
    path = project.folder / file
    path.parent.mkdir()
    path.write_text(CHECKED.replace("name: both", "name: ok"))
    project.write([{"item_id": "a", "model": "m", "output": "short"}])
    assert project.run("import", "results.jsonl", *options) == 0, project.err
    (made,) = project.folder.glob("runs/*.db")
    ((program, *again),) = commands_of_import(snapshot(made).spec)
    named = options or ["--rubric", file]
    assert (program, again) == ("evalkit", ["import", "results.jsonl", *named])
    assert project.run(*again) == 0, project.err
    assert "imported already, nothing to do" in project.out


def test_merged_imports_are_repeated_by_all_their_files(project: Project) -> None:
    """Each by its own command, and put together into the file that the report is of."""
    (project.folder / "rubrics").mkdir()
    (project.folder / "rubrics" / "team.yaml").write_text(CHECKED)
    for name in ("a", "b"):
        (project.folder / f"{name}.jsonl").write_text(
            json.dumps({"item_id": "i", "model": f"m-{name}", "output": "short"}) + "\n"
        )
        assert project.run("import", f"{name}.jsonl", "--rubric", "rubrics/team.yaml", "-o", f"{name}.db") == 0
    assert project.run("merge", "a.db", "b.db", "-o", "c.db") == 0, project.err
    merged = snapshot(project.folder / "c.db").spec
    assert merged.dataset_files == ("a.jsonl", "b.jsonl")
    for _, *again in commands_of_import(merged):
        assert project.run(*again) == 0, project.err
    assert snapshot(project.folder / run_file(merged)).spec.sha256 == merged.sha256
    older = replace(merged, dataset_files=())
    assert len(commands_of_import(older)) == 1
    (project.folder / "d.jsonl").write_text(json.dumps({"item_id": "i", "model": "m-d", "output": "short"}) + "\n")
    assert project.run("import", "d.jsonl", "--rubric", "rubrics/team.yaml", "-o", "d.db") == 0
    for step in (("c.db", "d.db", "-o", "in-steps.db"), ("a.db", "b.db", "d.db", "-o", "at-once.db")):
        assert project.run("merge", *step) == 0, project.err
    steps, once = (snapshot(project.folder / f"{name}.db").spec for name in ("in-steps", "at-once"))
    assert (steps.sha256, steps.dataset_files) == (once.sha256, once.dataset_files)
    assert steps.sha256 != merged.sha256


def grade(level: int | None, grader: str = "ann", kind: str = "human", criterion: str = "ok") -> dict[str, Any]:
    return {"grader": grader, "kind": kind, "criterion": criterion, "level": level}


def rows(
    items: int, models: str = "m1 m2", seed: int = 1, **fields: Callable[[int, random.Random], Any]
) -> list[dict[str, Any]]:
    """Lines of every item by every model; a field whose function gives None is left out."""
    rng = random.Random(seed)  # noqa: S311  chance is no secret here
    made = [
        {"item_id": f"i{n}", "model": m, **{k: f(n, rng) for k, f in fields.items()}}
        for n in range(items)
        for m in models.split()
    ]
    return [{key: value for key, value in row.items() if value is not None} for row in made]


def text(n: int, rng: random.Random) -> str:
    return f"output {n}"


def some(share: float) -> Callable[[int, random.Random], list[dict[str, Any]]]:
    """One person's grades, of which about this share are satisfactory."""
    return lambda n, rng: [grade(int(rng.random() < share))]


SHAPES: dict[str, list[dict[str, Any]]] = {
    "failures alone": rows(3, "m1"),
    "no grades": rows(5, output=text),
    "one item": rows(1, "m1", output=lambda n, r: "", grades=some(1)),
    "one failing item": rows(1, "m1", output=text, grades=some(0)),
    "grades and nothing else": rows(20, output=text, grades=some(0.8)),
    "some ungraded": rows(
        20, output=text, cost_usd=lambda n, r: 0.01, grades=lambda n, r: [grade(None if n % 4 == 0 else 1)]
    ),
    "all ungraded": rows(6, output=text, grades=lambda n, r: [grade(None)]),
    "free and instant": rows(
        30, output=text, cost_usd=lambda n, r: 0, latency_s=lambda n, r: 0, ttft_s=lambda n, r: 0,
        input_tokens=lambda n, r: 0, output_tokens=lambda n, r: 0, grades=some(0.9),
    ),
    "latency of one clock": rows(30, output=text, latency_s=lambda n, r: 1 + n / 10, grades=some(0.9)),
    "latency of some": rows(30, output=text, ttft_s=lambda n, r: 0.5 if n % 2 else None, grades=some(0.9)),
    "costs of some": rows(20, output=text, cost_usd=lambda n, r: 0.01 if n % 2 else None, grades=some(0.9)),
    "other items": rows(10, "m1", output=text, grades=some(0.9)) + [
        {**row, "item_id": f"other-{row['item_id']}"} for row in rows(9, "m2", output=text, grades=some(0.9))
    ],
    "shared items": rows(20, "m1", output=text, grades=some(0.9)) + rows(12, "m2", output=text, grades=some(0.9)),
    "failures of every kind": rows(
        12, output=lambda n, r: None if n % 2 else "x", error=lambda n, r: "boom" if n % 3 == 0 else None,
        grades=some(0.9),
    ),
    "epochs": [
        {**row, "epoch": epoch} for epoch in (1, 2, 5)
        for row in rows(12, seed=epoch, output=text, cost_usd=lambda n, r: 0.01 * (n % 3), grades=some(0.7))
    ],
    "large texts": rows(
        1, "m1", prompt=lambda n, r: "p" * 100_000, reference=lambda n, r: "r" * 100_000,
        output=lambda n, r: "o" * 100_000, grades=some(1),
    ),
    "strange texts": [{
        "item_id": "<b>|\n&\u202e", "model": "<script>|`x`", "prompt": "a|b\n# c", "output": "\ud800\x00\x1b[31m\u2028",
        "tags": {"<i>": "=1+1"}, "grades": [grade(1, "judge 1"), grade(1, "<i>", "judge"), grade(0, "unit", "check")],
    }],
    "many graders": rows(
        40, output=text, prompt=text, cost_usd=lambda n, r: 0.01,
        grades=lambda n, r: [
            grade(int(r.random() < 0.8), who, kind)
            for who, kind in (("ann", "human"), ("bo", "human"), ("gpt", "judge"), ("unit", "check"))
        ],
    ),
    "a judge alone": rows(10, "m1", output=text, grades=lambda n, r: [grade(1, "gpt", "judge")]),
    "far apart": rows(
        25, output=text, cost_usd=lambda n, r: 10.0 ** (n % 12 - 6), latency_s=lambda n, r: 10.0 ** (n % 12 - 6),
        grades=some(0.9),
    ),
}  # fmt: skip


def _page_text(page: str) -> str:
    """What a reader of the page sees, drawings included."""
    bare = re.sub(r"<(style|script).*?</\1>", "", page, flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]*>", "\n", bare))


@pytest.mark.parametrize("shape", SHAPES)
def test_every_form_of_the_report_takes_what_an_import_may_lack(shape: str, project: Project) -> None:
    path = project.imported(SHAPES[shape])
    assert project.run("report", path, *(word for end in FORMATS for word in ("-o", f"r{end}"))) == 0, project.err
    texts = [project.out, _page_text(Path("r.html").read_text()), Path("r.md").read_text(), Path("r.csv").read_text()]
    assert project.run("runs", path) == 0
    for said in (*texts, project.out):
        assert not re.search(r"\bnan\b|\binf\b|\bNone\b(?! of)|NaN|Infinity", said)
    told = json.loads(Path("r.json").read_text())["analysis"]
    given = [row for row in SHAPES[shape] if "cost_usd" in row]
    if not given:
        assert all(model["spend_usd"] is None for model in told["models"])
        assert all(output["cost_usd"] is None for item in told["outputs"] for output in item["outputs"])
        assert "$0" not in texts[2].replace("at $5.00", "")
    assert all(model["clocks"]["felt"]["values_s"] == [] for model in told["models"])
    timed = any("latency_s" in row for row in SHAPES[shape])
    assert ("Latency of one attempt" if timed else "not measured") in texts[2]


def test_the_same_import_again_changes_nothing(project: Project) -> None:
    path = project.imported(rows(3, output=text))
    before = path.read_bytes()
    assert project.run("import", "results.jsonl", "--satisfactory-from", "ok", "-o", path) == 0
    assert project.out.startswith("imported already, nothing to do: ")
    assert path.read_bytes() == before


@pytest.mark.parametrize("other", ["lines", "rubric", "a run of something else", "a text", "a folder"])
def test_any_other_file_is_left_alone(other: str, project: Project) -> None:
    path, source = project.folder / "runs" / "x.db", project.write(rows(3, output=text))
    path.parent.mkdir()
    if other == "a folder":
        path.mkdir()
    elif other == "a text":
        path.write_text("mine")
    elif other == "a run of something else":
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE mine (x)")
    else:
        project.imported(rows(4 if other == "lines" else 3, output=text), "--satisfactory-from", "other")
        project.write(rows(3, output=text))
    before = None if path.is_dir() else path.read_bytes()
    assert project.run("import", source, "--satisfactory-from", "ok", "-o", path) == 2
    assert "exists already and is not this import; choose another name with -o" in project.err
    assert path.is_dir() or path.read_bytes() == before


def test_a_bad_file_is_named_line_by_line_and_leaves_nothing(project: Project) -> None:
    path = project.folder / "results.jsonl"
    good = json.dumps({"item_id": "a", "model": "m", "output": "x"})
    bad = json.dumps({"item_id": "b", "model": "m", "grades": [grade(7)]})
    path.write_text("\n".join([good, "{", bad, good, '{"item_id": "c"}']))
    assert project.run("import", "results.jsonl", "--satisfactory-from", "ok", "-o", "runs/x.db") == 2
    places = [line.split(": ")[1] for line in project.err.splitlines() if line.startswith("error: ")]
    assert places == [f"results.jsonl:{number}" for number in (2, 3, 4, 5)]
    assert project.files() == {"results.jsonl"}
    assert not (project.folder / "runs").exists()


def test_a_file_from_another_system_is_read(project: Project) -> None:
    lines = "".join(
        json.dumps(row, ensure_ascii=False) + "\r\n\r\n" for row in rows(3, output=lambda n, r: "Grüße\u2028😀")
    )
    Path("results.jsonl").write_bytes(b"\xef\xbb\xbf" + lines.encode())
    assert project.run("import", "results.jsonl", "--satisfactory-from", "ok", "-o", "x.db") == 0
    assert {attempt.text for attempt in snapshot(Path("x.db")).attempts} == {"Grüße\u2028😀"}


def test_what_is_not_utf8_is_named_by_its_line(project: Project) -> None:
    Path("results.jsonl").write_bytes(b'{"item_id": "a", "model": "m"}\n{"item_id": "\xe4", "model": "m"}\n')
    assert project.run("import", "results.jsonl", "--satisfactory-from", "ok") == 2
    assert "error: results.jsonl:2: not UTF-8 text" in project.err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["missing.jsonl", "--satisfactory-from", "ok"], "results 'missing.jsonl' does not exist"),
        ([".", "--satisfactory-from", "ok"], "results '.' is a folder"),
        (["results.jsonl"], "or name the criterion that says it all with --satisfactory-from"),
        (["results.jsonl", "--rubric", "r.yaml", "--satisfactory-from", "ok"], "exclude each other"),
        (["results.jsonl", "--satisfactory-from", "Is it OK?"], "cannot name a criterion"),
        (["results.jsonl", "--satisfactory-from", "okay"], "no line has a grade on it, but on ok; name one"),
        (["results.jsonl", "--rubric", "missing.yaml"], "rubric 'missing.yaml' does not exist"),
    ],
)
def test_what_a_user_can_mend_is_one_line(argv: list[str], said: str, project: Project) -> None:
    project.write(rows(2, output=text, grades=some(1)))
    assert project.run("import", *argv) == 2
    assert said in project.err
    assert "Traceback" not in project.err
    assert project.files() == {"results.jsonl"}


def test_a_rubric_is_found_and_the_run_is_named_after_both(project: Project) -> None:
    Path("rubrics").mkdir()
    Path("rubrics/results.yaml").write_text(rubric_yaml())
    project.write(rows(2, output=text, grades=lambda n, r: [grade(1, criterion="correct")]))
    assert project.run("import", "results.jsonl") == 0
    (path,) = Path("runs").glob("*.db")
    assert re.fullmatch(r"results-[0-9a-f]{8}\.db", path.name)
    assert snapshot(path).spec.sha256.startswith(path.stem.removeprefix("results-"))


def test_an_import_says_what_it_lacks(project: Project) -> None:
    lines = [*rows(2, output=text, grades=lambda n, r: [grade(1), grade(3, criterion="tone")])]
    lines.append({"item_id": "z", "model": "m1", "grades": [grade(1)]})
    project.imported(lines)
    assert "3 items without a prompt" in project.out
    assert "1 graded trial without an output: failed, whatever the grade says" in project.out
    assert "grades on other criteria left out: tone (4)" in project.out
    assert "unpriced: m1, m2" in project.out


def test_people_and_judges_are_told_apart(project: Project) -> None:
    found = project.analysis(project.imported(SHAPES["many graders"]))
    assert found.grading.round is not None
    assert found.grading.round.graders == ("ann", "bo")
    assert [judge.judge for judge in found.judges] == ["gpt"]
    assert set(found.grading.dropped) == {"gpt"}, "a judge that grades at random has no say"
    assert {grader for agreement in found.agreement for grader in agreement.graders} == {"ann", "bo"}


def test_imported_grades_are_never_claimed_to_be_blind(project: Project) -> None:
    path = project.imported(SHAPES["a judge alone"])
    found = project.analysis(path)
    assert found.warnings[0].startswith("Grades imported; blinding not known")
    assert found.grading.judge_usd is None
    assert project.run("report", path, "-o", "r.html") == 0
    page = _page_text(Path("r.html").read_text())
    assert "imported, blinding not known" in page
    assert "not looked for: the grades were given elsewhere" in page
    assert "not known: the grades were imported" in page
    assert "NOT BLIND" not in page
    assert project.run("runs", path) == 0
    assert "1 by judge gpt (blinding not known)" in project.out


def test_a_judge_that_people_were_graded_beside_is_not_called_uncalibrated(project: Project) -> None:
    lines = rows(6, "m1", output=text, grades=lambda n, r: [grade(1, "gpt", "judge"), *([grade(1)] if n else [])])
    found = project.analysis(project.imported(lines))
    assert found.grading.judges == ("gpt",)
    assert not any("uncalibrated" in warning for warning in found.warnings)


def test_a_failure_of_unknown_cost_leaves_a_lower_bound_beside_known_ones(project: Project) -> None:
    lines = [*rows(6, "m1", output=text, cost_usd=lambda n, r: 0.5), {"item_id": "z", "model": "m1", "error": "boom"}]
    path = project.imported(lines)
    (model,) = project.analysis(path).models
    assert model.spend_usd == 3.0
    assert any("its costs are a lower bound" in warning for warning in project.analysis(path).warnings)
    assert project.run("report", path, "-o", "r.csv") == 0
    failed = next(line.split(",") for line in Path("r.csv").read_text().splitlines() if line.startswith("z,"))
    head = Path("r.csv").read_text().splitlines()[0].split(",")
    assert failed[head.index("cost_usd")] == ""


def test_two_imports_of_the_same_items_can_be_compared(project: Project) -> None:
    then = project.imported(rows(30, "m1", prompt=text, output=text, grades=some(0.5)))
    now = project.folder / "now.db"
    project.write(rows(30, "m1", seed=2, prompt=text, output=text, grades=some(1)))
    assert project.run("import", "results.jsonl", "--satisfactory-from", "ok", "-o", now) == 0
    assert project.run("report", now, "--baseline", then, "-o", "r.html") == 0, project.err
    assert 'id="against' in Path("r.html").read_text()


@pytest.fixture
def sandbox() -> Iterator[str]:
    with recorded() as server:
        yield server.url


def test_checks_and_a_judge_grade_an_import(project: Project, sandbox: str) -> None:
    Path("both.yaml").write_text(CHECKED)
    lines = rows(4, "m1", output=text, prompt=lambda n, r: "What?" if n else None)
    path = project.imported([*lines, {"item_id": "z", "model": "m1"}], "--rubric", "both.yaml")
    assert project.run("grade", "--blind", path, "--base-url", sandbox, "--yes", "-q") == 0, project.err
    found = snapshot(path)
    graded = {(g.trial_id, g.criterion) for g in found.grades}
    assert graded == {(trial, criterion) for trial in rounds.answered(found) for criterion in ("ok", "short")}
    assert project.run("report", path) == 0, project.err
    assert "2 items without a prompt: a grader sees no task for it." in project.out
    assert "Items with the prompt of another: 2 of 5." in " ".join(project.out.split())


def test_checks_of_our_own_complete_imported_grades(project: Project) -> None:
    """The verdict needs both; people's grades stay the round that counts."""
    Path("both.yaml").write_text(CHECKED)
    path = project.imported(rows(10, "m1", output=text, grades=some(1)), "--rubric", "both.yaml")
    assert project.analysis(path).models[0].counts.graded == 0
    assert project.run("grade", path, "--by", "checks", "-q") == 0, project.err
    found = project.analysis(path)
    assert (found.models[0].counts.graded, found.models[0].counts.satisfactory) == (10, 10)
    assert found.grading.round is not None
    assert found.grading.round.graders == ("ann",)


@pytest.mark.parametrize(
    ("rounds", "counts"),
    [
        ([("ann", True, 3), ("ann", None, 9)], 2),
        ([("ann", True, 9), ("ann", None, 9)], 1),
        ([("ann", False, 9), ("ann", None, 1)], 2),
        ([("ann", None, 9), (JUDGE, True, 9)], 1),
        ([("ann", None, 8), (JUDGE, True, 9)], 2),
        ([("ann", None, 9), ("ann", None, 9)], 2),
    ],
)
def test_which_round_counts(rounds: list[tuple[str, bool | None, int]], counts: int) -> None:
    book = Book(spec(), rounds=[round_(n, (who,), blind) for n, (who, blind, _) in enumerate(rounds, start=1)])
    trials = [book.trial(f"i{n}", answered()) for n in range(9)]
    for number, (who, _, graded) in enumerate(rounds, start=1):
        for trial in trials[:graded]:
            book.grade(trial, 1, grader=who, round_id=number)
    found = current_round(book.snapshot())
    assert found is not None
    assert found.id == counts


CRITERIA = ("relevance", "coherence", "empathy", "surprise", "engagement", "complexity")


@pytest.mark.long
def test_stories_rated_by_three_people_on_six_criteria(project: Project) -> None:
    """The shape of HANNA with 24 of its 96 prompts: 11 systems, each story rated 1 to 5 by 3 people on 6 criteria."""
    head = "name: stories\nsatisfactory: {score: 0.5}\ncriteria:\n"
    levels = "{1: a, 2: b, 3: c, 4: d, 5: e}"
    Path("stories.yaml").write_text(
        head + "".join(f'  - {{id: {name}, question: "How much?", levels: {levels}}}\n' for name in CRITERIA)
    )
    lines = rows(
        24, " ".join(f"system-{n}" for n in range(11)), prompt=text, output=text,
        grades=lambda n, r: [grade(r.randint(1, 5), f"rater {w}", criterion=c) for w in range(3) for c in CRITERIA],
    )  # fmt: skip
    path = project.imported(lines, "--rubric", "stories.yaml")
    found = snapshot(path)
    assert (len(found.attempts), len(found.grades)) == (264, 264 * 18)
    analysis = analyze(found)
    assert all(model.counts.graded == 24 and model.pass_rate.value for model in analysis.models)
    assert [agreement.outputs for agreement in analysis.agreement] == [264] * 7


@pytest.mark.long
def test_scores_without_outputs_of_eleven_models(project: Project) -> None:
    """The shape of RouterBench: costs and 0 or 1 for each, and no text kept."""
    lines = rows(
        60, " ".join(f"vendor/model-{n}" for n in range(11)), output=lambda n, r: "", cost_usd=lambda n, r: r.random(),
        tags=lambda n, r: {"set": "mmlu" if n % 2 else "gsm8k"},
        grades=lambda n, r: [grade(int(r.random() < 0.7), "exact match", "check")],
    )  # fmt: skip
    analysis = project.analysis(project.imported(lines))
    assert all(m.counts.graded == 60 and m.cost_per_satisfactory.value for m in analysis.models)
    assert {part.name for part in analysis.slices} == {"set=gsm8k", "set=mmlu"}
    assert not analysis.agreement


@pytest.mark.long
def test_a_large_import_is_one_transaction(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row is in, in order, and the file is whole."""
    lines = rows(3000, "m1", output=text, grades=some(0.5))
    found = snapshot(project.imported(lines))
    assert [a.text for a in found.attempts] == [row["output"] for row in lines]
    assert [g.level for g in found.grades] == [row["grades"][0]["level"] for row in lines]
    with closing(sqlite3.connect(project.folder / "runs" / "x.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []


def test_a_full_disk_leaves_no_half_import(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    source = project.write(rows(3, output=text, grades=some(1)))
    rename = Path.replace

    def full(self: Path, target: Path) -> Path:
        if self.name.endswith(".new"):
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", full)
    assert project.run("import", source, "--satisfactory-from", "ok", "-o", "runs/x.db") == 5
    assert "No space left" in project.err
    assert {name for name in project.files() if not name.endswith(".lock")} == {"results.jsonl"}
