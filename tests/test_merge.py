"""Merging loses nothing, makes nothing up, and lets no grades that were given apart decide."""

import resource
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, replace
from functools import partial
from math import fsum
from operator import contains
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from analysis_builders import OPUS, PASS_OR_FAIL, SONNET, Book, answered, ended, failed, lost, round_, spec, write_run
from hypothesis import given, settings
from hypothesis import strategies as st
from processes import Process
from servers import Recorded, recorded
from test_run import write_tiny

from evalkit import carried_rows
from evalkit.analysis import analyze
from evalkit.blind import label_for
from evalkit.cli import main
from evalkit.errors import EvalkitError
from evalkit.graders.checks import NAME as CHECKS
from evalkit.grading_records import RoundEvent
from evalkit.judging import known_answers
from evalkit.merging import merge
from evalkit.plan import trial_order
from evalkit.rates import Rates
from evalkit.records import AttemptStart, Reply, Snapshot
from evalkit.rubric import Rubric
from evalkit.schema import MIGRATIONS, TABLES
from evalkit.store import RunFile

HAIKU = "claude-haiku-4-5-20251001"
CHECKED = {
    "name": "checked",
    "criteria": [{"id": "right", "question": "Right?", "kind": "check", "check": {"type": "contains"}}],
    "satisfactory": {"score": 1.0},
}
Changed = Callable[[Path], object]


def read(path: Path) -> Snapshot:
    with RunFile(path, read_only=True) as run:
        return run.snapshot()


def booked(path: Path, model: str = OPUS, items: int = 3, **changes: Any) -> Path:
    """A run file of one model; every item answered and found right by the checks."""
    book = Book(spec((model,), **{"rubric": CHECKED, **changes}), rounds=[round_(graders=(CHECKS,))])
    for item in range(items):
        book.grade(book.trial(f"item-{item}", answered(0.01 * (item + 1)), model=model), 1, grader=CHECKS)
    return write_run(path, book.snapshot())


def refused(paths: list[Path], target: Path) -> str:
    """What a merge says that is refused, without a trace of it and with its files as they were."""
    before = {path: path.read_bytes() for path in paths if path.is_file()}
    kept = set(target.parent.iterdir()) if target.parent.is_dir() else set()
    with pytest.raises(EvalkitError) as error:
        merge(paths, target)
    assert {path: path.read_bytes() for path in before} == before
    assert not target.parent.is_dir() or set(target.parent.iterdir()) == kept
    said = str(error.value)
    assert "\n" not in said
    return said


# --- parts make the whole -------------------------------------------------------------------------------------

ENDS = (answered(0.02), answered(None), ended("refused"), ended("truncated"), failed(None), lost())
Parts = dict[tuple[str, str, int], int]


def written(path: Path, whole: Snapshot, mine: Callable[[Any], bool], models: tuple[str, ...]) -> Path:
    """The part of a run that `mine` chooses by trial, as the file in which it was run."""
    trials = [trial for trial in whole.trials if trial.key.model in models]
    numbers = {trial.id: number for number, trial in enumerate(trials, start=1)}
    chosen = {trial.id for trial in trials if mine(trial.key)}
    return write_run(
        path,
        replace(
            whole,
            spec=replace(whole.spec, models=models),
            trials=tuple(trials),
            attempts=tuple(replace(a, trial_id=numbers[a.trial_id]) for a in whole.attempts if a.trial_id in chosen),
            grades=tuple(replace(g, trial_id=numbers[g.trial_id]) for g in whole.grades if g.trial_id in chosen),
        ),
    )


def facts(seen: Snapshot) -> dict[Any, Any]:
    """What is known of each trial, whatever its rows are numbered."""
    numbering = dict.fromkeys(("id", "trial_id", "round_id", "subject", "session_id"))
    found: dict[Any, Any] = {trial.key: [] for trial in seen.trials}
    keys = {trial.id: trial.key for trial in seen.trials}
    for attempt in seen.attempts:
        found[keys[attempt.trial_id]].append({**asdict(attempt), **numbering})
    for grade in seen.grades:
        found[keys[grade.trial_id]].append({**asdict(grade), **numbering})
    return found


@settings(max_examples=10)
@given(data=st.data())
@pytest.mark.parametrize(
    "by", ["model", *(pytest.param(each, marks=pytest.mark.slow) for each in ("trial", "item", "epoch"))]
)
def test_the_parts_of_a_run_are_the_run(by: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("parts")
    models = (OPUS, SONNET, HAIKU)
    book = Book(spec(models, CHECKED, epochs=2), rounds=[round_(graders=(CHECKS,))])
    items = [f"item-{n}" for n in range(data.draw(st.integers(1, 4)))]
    for name in items:
        book.item(name)
    for item, model, epoch in trial_order(items, models, 2, 7):
        attempts = data.draw(st.lists(st.sampled_from((failed(), lost())), max_size=2))
        trial = book.trial(item, *attempts, data.draw(st.sampled_from(ENDS)), model=model, epoch=epoch)
        if book.attempts[-1].outcome == "answered":
            book.grade(trial, data.draw(st.integers(0, 1)), grader=CHECKS)
    whole = read(write_run(folder / "whole.db", book.snapshot()))
    parts = data.draw(st.integers(2, 3))
    drawn = {key: data.draw(st.integers(0, parts - 1)) for key in book.trials} if by == "trial" else {}
    place = {
        "model": lambda key: models.index(key.model) % parts,
        "item": lambda key: items.index(key.item_id) % parts,
        "epoch": lambda key: key.epoch % parts,
        "trial": lambda key: drawn[key],
    }[by]

    def part(number: int) -> Path:
        own = tuple(m for m in models if by != "model" or models.index(m) % parts == number)
        return written(folder / f"{number}.db", whole, lambda key: place(key) == number, own)

    files = [part(number) for number in range(parts)]
    merge(files, folder / "merged.db")
    found = read(folder / "merged.db")
    assert [trial.key.item_id for trial in found.trials] == [trial.key.item_id for trial in whole.trials]
    assert facts(found) == facts(whole)
    assert found.items == whole.items
    assert set(found.spec.models) == set(models)
    order = {model: found.spec.models.index(model) for model in models}
    then, now = analyze(whole), analyze(found)
    assert sorted(then.models, key=lambda m: order[m.model]) == list(now.models)
    sums = [fsum(a.cost_usd or 0.0 for path in files for a in read(path).attempts)]
    assert sums == pytest.approx([fsum(a.cost_usd or 0.0 for a in found.attempts)])


def test_merging_what_was_merged_is_merging_all_at_once(tmp_path: Path) -> None:
    a, b, c = (booked(tmp_path / f"{m}.db", m) for m in (OPUS, SONNET, HAIKU))
    merge([a, b, c], tmp_path / "once.db")
    merge([a, b], tmp_path / "ab.db")
    merge([tmp_path / "ab.db", c], tmp_path / "twice.db")
    once, twice = read(tmp_path / "once.db"), read(tmp_path / "twice.db")
    assert (once.spec, once.trials, facts(once)) == (twice.spec, twice.trials, facts(twice))


def test_prices_stay_where_every_file_of_a_model_has_the_same(tmp_path: Path) -> None:
    now, then = Rates(1.0, 5.0), Rates(2.0, 10.0)
    models = (OPUS, SONNET)
    book = Book(spec(models, CHECKED), rounds=[round_(graders=(CHECKS,))])
    for model in models:
        book.grade(book.trial("item", answered(0.01), model=model), 1, grader=CHECKS)
    files = []
    for model, rates in ((OPUS, {OPUS: (now,), SONNET: (now,)}), (SONNET, {OPUS: (now,), SONNET: (then,)})):
        part = book.snapshot(spec=replace(book.snapshot().spec, rates=rates))
        files.append(written(tmp_path / f"{model}.db", part, lambda key, own=model: key.model == own, models))
    merge(files, tmp_path / "c.db")
    assert read(tmp_path / "c.db").spec.rates == {OPUS: (now,)}


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ((None, "strict.yaml"), "strict.yaml"),
        (("strict.yaml", None), "strict.yaml"),
        (("a.yaml", "b.yaml"), "a.yaml"),
        (("PATH/a.yaml", "b.yaml"), "b.yaml"),
        ((None, None), None),
    ],
)
def test_a_dataset_and_a_rubric_that_any_file_was_run_by_are_named_for_all(
    files: tuple[str | None, str | None], named: str | None, tmp_path: Path
) -> None:
    """A file that an older version wrote does not say which it was; one that lay elsewhere cannot be found."""
    for name, model, file in zip("ab", (OPUS, SONNET), files, strict=True):
        book = Book(spec((model,)))
        book.trial("i", answered(), model=model)
        kept = replace(book.snapshot().spec, rubric_file=file, dataset_files=(f"{file}.jsonl",) if file else ())
        write_run(tmp_path / f"{name}.db", book.snapshot(spec=kept))
    merge([tmp_path / "a.db", tmp_path / "b.db"], tmp_path / "c.db")
    made = read(tmp_path / "c.db").spec
    assert (made.rubric_file, made.dataset_files) == (named, (f"{named}.jsonl",) if named else ())


def test_files_of_one_choice_or_of_imports_stay_what_they_were(tmp_path: Path) -> None:
    choice = {"rule": "unsatisfactory", "model": HAIKU, "run": "r" * 64, "items": 3, "of": 9}
    merge([booked(tmp_path / f"{m}.db", m, condition=choice) for m in (OPUS, SONNET)], tmp_path / "chosen.db")
    assert read(tmp_path / "chosen.db").spec.condition == choice
    imports = [
        booked(tmp_path / f"i-{m}.db", m, outputs_sha256=f"{n}" * 64, endpoint="imported", name=m, epochs=n)
        for n, m in enumerate((OPUS, SONNET), start=1)
    ]
    merge(imports, tmp_path / "imported.db")
    found = read(tmp_path / "imported.db").spec
    assert found.imported
    assert found.outputs_sha256 == "3" * 64, "their sum, as in whatever steps they are merged"


def test_files_that_others_write_or_nobody_may_write_are_read(tmp_path: Path) -> None:
    a, b = booked(tmp_path / "a.db"), booked(tmp_path / "b.db", SONNET)
    b.chmod(0o444)
    with RunFile(a) as run, run.only_writer("run", "grade"), run.together():
        run.start_attempt(AttemptStart(1, 9, "2026-11-03T10:00:00+00:00"))
        made = merge([a, b], tmp_path / "c.db")
    assert len(read(tmp_path / "c.db").attempts) == 6, "what is not durable yet is no fact"
    assert made.growing == (a,)


@pytest.mark.parametrize("role", ["run", "grade"])
def test_a_file_that_requests_are_still_sent_for_is_named(
    role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    booked(Path("a.db"))
    booked(Path("b.db"), SONNET)
    with RunFile(Path("b.db")) as run, run.only_writer(role):
        assert main(["merge", "a.db", "b.db", "-o", "c.db"]) == 0
    assert "requests are still being sent for b.db; what comes of them is not in c.db" in (capsys.readouterr().out)
    assert main(["merge", "a.db", "b.db", "-o", "d.db"]) == 0
    assert "still being sent" not in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.db", "b.db", "c.db", "d.db"]


# --- grades ---------------------------------------------------------------------------------------------------


def judged_file(path: Path, models: tuple[str, ...], mine: Callable[[str], bool]) -> Path:
    """Items a, b, c for these models, of which this file holds some; a judge has been asked about each output."""
    book = Book(spec(models), rounds=[round_()])
    for item in ("a", "b", "c"):
        for model in models:
            book.trial(item, *([answered()] if mine(item) else []), model=model, level=1 if mine(item) else None)
    made = book.snapshot()
    write_run(path, made)
    with RunFile(path) as run:
        for trial in made.trials:
            if mine(trial.key.item_id):
                start = AttemptStart(trial.id, 1, "2026-11-02T11:00:00+00:00", 0.0, "judge j", 1)
                subject = f"judge/1/{trial.key.item_id}-{trial.key.model}"
                run.finish_attempt(run.start_attempt(start), subject, Reply("answered", 1.0, "said"), True, 1.0, 0.5)
    return path


BOTH = (OPUS, SONNET)


@pytest.mark.parametrize(
    ("files", "held"),
    [
        ([((OPUS,), "abc"), ((SONNET,), "abc")], ""),
        ([(BOTH, "a"), (BOTH, "bc")], "abc"),
        ([((OPUS,), "ab"), ((SONNET,), "")], ""),  # the other side may come later, and must be graded with this one
    ],
)
def test_a_judges_answers_hold_only_where_it_had_all_outputs_of_an_item(
    files: list[tuple[tuple[str, ...], str]], held: str, tmp_path: Path
) -> None:
    paths = [
        judged_file(tmp_path / f"{n}.db", models, partial(contains, items)) for n, (models, items) in enumerate(files)
    ]
    merge(paths, tmp_path / "merged.db")
    found = read(tmp_path / "merged.db")
    keys = known_answers(found, replace(round_(9), created_at="2026-11-04T10:00:00+00:00"))
    assert set(keys) == {f"{item}-{model}" for item in held for model in BOTH}
    judging = [a for a in found.attempts if a.grader is not None]
    assert len(judging) == sum(len(models) * len(items) for models, items in files), "paid for, and in the ledger"


def test_whoever_graded_before_results_were_shown_is_not_said_to_have_known_them(tmp_path: Path) -> None:
    for name, model, shown in (("a", OPUS, True), ("b", SONNET, False), ("c", HAIKU, True)):
        path = booked(tmp_path / f"{name}.db", model)
        with RunFile(path) as run:
            if shown:
                run.add_event(RoundEvent("shown", 1, content={"how": "report"}, at="2026-11-03T10:00:00+00:00"))
                run.add_grades([replace(run.snapshot().grades[0], level=0)], "2026-11-03T11:00:00+00:00")
    paths = [tmp_path / f"{name}.db" for name in "abc"]
    merge(paths, tmp_path / "d.db")

    def marks(seen: Snapshot) -> dict[Any, list[tuple[int | None, bool]]]:
        keys: dict[int, Any] = {trial.id: trial.key for trial in seen.trials}
        found: dict[Any, list[tuple[int | None, bool]]] = {key: [] for key in keys.values()}
        for grade in seen.grades:
            found[keys[grade.trial_id]].append((grade.level, grade.after_results))
        return found

    expected: dict[Any, Any] = {}
    for path in paths:
        expected |= marks(read(path))
    assert marks(read(tmp_path / "d.db")) == expected
    assert sum(after for of_trial in expected.values() for _, after in of_trial) == 2


@pytest.fixture
def server() -> Iterator[Recorded]:
    with recorded() as running:
        yield running


JUDGED = """\
name: tiny
criteria:
  - {id: right, question: "Does it say what the reference says?", levels: {0: "no", 1: "yes"}}
satisfactory: {score: 1.0}
"""


@pytest.mark.long
def test_two_files_judged_apart_are_gated_only_when_graded_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Recorded, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    tiny = write_tiny(tmp_path, 4)
    Path("rubrics/tiny.yaml").write_text(JUDGED)
    to_server = ["--base-url", server.url, "-q"]
    for name, model in (("a.db", SONNET), ("b.db", HAIKU)):
        assert main(["run", str(tiny), "-m", model, "-o", name, *to_server]) == 0
        assert main(["grade", name, "--blind", "--by", "judges", "-y", *to_server]) == 0
    before = {name: Path(name).read_bytes() for name in ("a.db", "b.db")}
    assert main(["merge", "a.db", "b.db", "-o", "c.db"]) == 0
    assert {name: Path(name).read_bytes() for name in before} == before
    assert [path.name for path in tmp_path.glob("*c.db*")] == ["c.db"]
    a, b, c = (read(Path(name)) for name in ("a.db", "b.db", "c.db"))
    assert c.spec.simulated
    assert all(attempt.simulated for attempt in c.attempts)
    assert [session.host for session in c.sessions] == [s.host for s in (*a.sessions, *b.sessions)]
    assert {s.id for s in c.sessions} == {x.session_id for x in c.attempts}

    gate = ["gate", "c.db", "--baseline", SONNET, "--candidate", HAIKU, "--allow-simulated"]
    capfd.readouterr()
    assert main(gate) == 6
    assert "were in another file when round" in capfd.readouterr().err

    count = len(server.messages())
    assert main(["grade", "c.db", "--blind", "--by", "judges", "-y", *to_server]) == 0
    assert len(server.messages()) == count + 8, "the judge is asked about both sides anew"
    assert main(gate) in (0, 1, 3)
    assert "quality" in capfd.readouterr().out
    assert main(["report", "c.db", "-q", "-o", "c.md"]) == 0
    assert "Not sent side by side" in Path("c.md").read_text()

    with RunFile(Path("c.db")) as run:
        rounds = {r.id: run.sealed_key(r.id) for r in run.snapshot().rounds}
    assert len(set(rounds.values())) == 3
    labels = sealed(Path("c.db"))
    olds = [(label, round_, key) for name in ("a.db", "b.db") for label, (round_, key) in sealed(Path(name)).items()]
    assert {label: labels[label][1] for label, _, _ in olds} == {label: key for label, _, key in olds}
    trials = {trial.id: trial.key for trial in c.trials}
    newest = max(rounds)
    fresh = {label for label, (round_, _) in labels.items() if round_ == newest}
    assert fresh >= {label_for(rounds[newest], "judge claude-sonnet-5-5", trial) for trial in trials}
    assert not fresh & {label for label, _, _ in olds}

    assert main(["run", str(tiny), "-m", SONNET, "-m", HAIKU, "-o", "c.db", "--base-url", server.url]) == 0
    assert "complete already, nothing to send" in capfd.readouterr().out


def sealed(path: Path) -> dict[str, tuple[int, Any]]:
    """What each label stands for: its round, and the trial by name."""
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute(
            "SELECT label, round_id, grader, item_id, model, epoch FROM sealed JOIN trial t ON t.id = trial_id"
        )
        return {row[0]: (row[1], row[2:]) for row in rows}


# --- what is refused ------------------------------------------------------------------------------------------

SPECS: list[tuple[dict[str, Any], str]] = [
    ({"dataset_sha256": "e" * 64}, "dataset differs"),
    ({"rubric_sha256": "e" * 64}, "rubric differs"),
    ({"prompt_sha256": "e" * 64, "max_tokens": 7}, "output cap differs"),
    ({"epochs": 2, "seed": 8}, "epochs, seed differ"),
    ({"limit": 3}, "limit differs"),
    ({"context_tokens": 5000}, "context differs"),
    ({"contexts": (10, 20)}, "contexts differ"),
    ({"cache": "5m"}, "cache differs"),
    ({"endpoint": "127.0.0.1", "simulated": True}, "endpoint, simulated differ"),
    (
        {"condition": {"rule": "unsatisfactory", "model": HAIKU, "run": "r", "items": 3, "of": 9}},
        "never pooled with other items",
    ),
    ({"outputs_sha256": "o" * 64}, "were imported"),
]


@pytest.mark.parametrize(("changes", "said"), SPECS)
@pytest.mark.parametrize("turned", [False, True])
def test_files_of_another_spec_are_refused_by_what_differs(
    changes: dict[str, Any], said: str, turned: bool, tmp_path: Path
) -> None:
    paths = [booked(tmp_path / "a.db"), booked(tmp_path / "b.db", SONNET, **changes)]
    assert said in refused(paths[::-1] if turned else paths, tmp_path / "c.db")


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")


def unguarded(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TRIGGER grade_no_update")


def other_spec(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        (guard,) = db.execute("SELECT sql FROM sqlite_master WHERE name = 'spec_no_update'").fetchone()
        db.execute("DROP TRIGGER spec_no_update")
        db.execute("UPDATE spec SET content = json_set(content, '$.seed', 8)")
        db.execute(guard)
        db.commit()


def torn(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:8192] + b"\xff" * 4096 * 8 + data[8192 + 4096 * 8 :])


def batched(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO attempt_start VALUES (NULL, 1, NULL, NULL, 2, 'now', NULL, NULL, NULL, NULL, NULL)")
        db.execute("INSERT INTO batch VALUES (1, 'nonce', 'now')")
        db.execute("INSERT INTO batch_entry SELECT max(id), 1 FROM attempt_start")
        db.commit()


def people_at_work(path: Path) -> None:
    with RunFile(path) as run:
        round_id = run.add_round(round_(graders=("ann",)), b"x" * 32).id
        run.add_event(RoundEvent("joined", round_id, "ann", at="2026-11-03T10:00:00+00:00"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (newer, "was written by a newer evalkit"),
        (unguarded, "has been altered"),
        (other_spec, "the spec does not match its hash"),
        (torn, "restore it from a copy"),
        (lambda path: path.write_bytes(b""), "is not a run file"),
        (lambda path: path.write_text("hello " * 999), "is not a run file"),
        (Path.unlink, "does not exist"),
        (lambda path: (path.unlink(), path.mkdir()), "is a folder"),
        (batched, "1 request of {b} may be in batches at the server; fetch them first"),
        (people_at_work, "{b}: round 2 is still being graded by people"),
    ],
)
def test_a_file_that_cannot_be_joined_is_named(change: Changed, said: str, tmp_path: Path) -> None:
    known = {"rubric": PASS_OR_FAIL, "rubric_sha256": Rubric.read_back(PASS_OR_FAIL).sha256}
    a, b = booked(tmp_path / "a.db", **known), booked(tmp_path / "b.db", SONNET, **known)
    change(b)
    found = refused([a, b], tmp_path / "c.db")
    assert said.format(b=b) in found
    assert str(b) in found


def test_numbers_that_differ_are_told(tmp_path: Path) -> None:
    a, b = booked(tmp_path / "a.db"), booked(tmp_path / "b.db", SONNET, limit=3, seed=9)
    said = refused([a, b], tmp_path / "c.db")
    assert "seed, limit differ (seed 9 and 7; limit 3 and none); merge runs of one spec" in said


def test_a_trial_is_taken_from_one_file_only(tmp_path: Path) -> None:
    a = booked(tmp_path / "a.db")
    copy = Path(shutil.copy(a, tmp_path / "copy.db"))
    (tmp_path / "link.db").symlink_to(a)
    target = tmp_path / "c.db"
    assert "both hold requests for 3 trials, first item 'item-" in refused([a, copy], target)
    assert "is named twice" in refused([a, a], target)
    assert "is named twice" in refused([a, tmp_path / "link.db"], target)
    assert "nothing to merge" in refused([a], target)
    assert "exists already" in refused([a, booked(tmp_path / "b.db", SONNET)], copy)


@pytest.mark.parametrize(
    ("item", "text", "said"),
    [
        ({"documents": ("x", "y")}, "X", "item 'i' had other documents"),
        ({"task": "Other?", "documents": ("x",)}, "X", "item 'i' had another content"),
        ({"documents": ("x",)}, "Z", "document 'x' of"),
    ],
)
def test_items_that_were_put_otherwise_are_refused(item: dict[str, Any], text: str, said: str, tmp_path: Path) -> None:
    def made(name: str, model: str, fields: dict[str, Any], documents: dict[str, str]) -> Path:
        book = Book(spec((model,)))
        book.item("i", **fields)
        book.trial("i", answered(), model=model)
        return write_run(tmp_path / name, book.snapshot(documents=documents))

    a = made("a.db", OPUS, {"documents": ("x",)}, {"x": "X"})
    b = made("b.db", SONNET, item, {"x": text, "y": "Y"})
    assert said in refused([a, b], tmp_path / "c.db")


# --- whatever happens meanwhile -------------------------------------------------------------------------------


def die_in_the_middle() -> None:
    """Be killed while rows are written."""
    rows_of = carried_rows._Carrier.rows

    def rows(self: Any, table: str) -> Iterator[tuple[Any, ...]]:
        for row in rows_of(self, table):
            if table == "grade":
                signal.raise_signal(signal.SIGKILL)
            yield row

    patch.object(carried_rows._Carrier, "rows", rows).start()  # for good: this process is about to die


def test_a_merge_that_is_killed_leaves_no_file_and_is_made_again(tmp_path: Path) -> None:
    a, b, target = booked(tmp_path / "a.db"), booked(tmp_path / "b.db", SONNET), tmp_path / "c.db"
    before = a.read_bytes(), b.read_bytes()
    with Process(["merge", str(a), str(b), "-o", str(target)], die_in_the_middle) as process:
        assert process.wait() == -signal.SIGKILL
    assert not target.exists()
    assert (a.read_bytes(), b.read_bytes()) == before
    merge([a, b], target)
    assert len(read(target).attempts) == 6
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    a, b = booked(tmp_path / "a.db", items=200), booked(tmp_path / "b.db", SONNET, items=200)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (a.stat().st_size, limits[1]))
    try:
        said = refused([a, b], tmp_path / "c.db")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert said.startswith(f"{tmp_path / 'c.db'} cannot grow (")
    merge([a, b], tmp_path / "c.db")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    a, b = booked(tmp_path / "a.db"), booked(tmp_path / "b.db", SONNET)
    (tmp_path / "file").write_text("")
    assert f"{tmp_path / 'file' / 'c.db'} cannot be written" in refused([a, b], tmp_path / "file" / "c.db")


@pytest.mark.parametrize("name", ["c.html", "c"])
def test_a_run_file_gets_a_name_by_which_commands_find_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    booked(Path("a.db"))
    booked(Path("b.db"), SONNET)
    Path("r.jsonl").write_text('{"item_id": "a", "model": "m", "output": "yes"}\n')
    for argv in (["merge", "a.db", "b.db"], ["import", "r.jsonl", "--satisfactory-from", "ok"]):
        assert main([*argv, "-o", name]) == 2
        assert f"'{name}' is no name of a run file; let it end in .db" in capsys.readouterr().err
        assert not Path(name).exists()


def test_every_table_is_carried_or_planned_anew() -> None:
    planned = {"spec", "item", "document", "prompt_size", "trial"}
    assert planned | set(carried_rows._TABLES) == set(TABLES)


def test_a_target_by_way_of_a_folder_that_is_not_there_is_the_file_that_it_names(tmp_path: Path) -> None:
    a, b = booked(tmp_path / "a.db", OPUS), booked(tmp_path / "b.db", SONNET)
    around = tmp_path / "missing" / ".."
    with pytest.raises(EvalkitError, match="exists already; name a new file with -o"):
        merge([a, b], around / "a.db")
    merge([a, b], around / "both.db")
    assert (tmp_path / "both.db").exists()
    assert not (tmp_path / "missing").exists()
