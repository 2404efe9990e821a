"""The whole way over the sandbox: a context sweep, and a dearer model where the usual one failed."""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from analysis_builders import write_run
from servers import Recorded, recorded
from test_run import write_tiny

from evalkit.cli import main
from evalkit.records import Snapshot
from evalkit.store import RunFile

SONNET, HAIKU, OPUS = "claude-sonnet-4-6", "claude-haiku-4-5-20251001", "claude-opus-4-6"


@pytest.fixture(scope="module")
def server() -> Iterator[Recorded]:
    with recorded() as running:
        yield running


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six items with a folder of documents to fill their prompts with."""
    monkeypatch.chdir(tmp_path)
    path = write_tiny(tmp_path)
    (tmp_path / "pool").mkdir()
    for n in range(40):
        (tmp_path / "pool" / f"{n:02d}.md").write_text(f"# Note {n}\n" + f"Parcel {n} went out on time. " * 25)
    path.with_suffix(".yaml").write_text("documents: pool\ncontext_tokens: 3000\n")
    return path


def read(path: Path) -> Snapshot:
    with RunFile(path) as run:
        return run.snapshot()


def bodies(server: Recorded, before: int) -> list[dict[str, object]]:
    """What models under test were sent since there were so many messages."""
    return [body for body in server.messages()[before:] if body["model"] in (SONNET, HAIKU, OPUS)]


@pytest.mark.long
def test_a_sweep_is_run_graded_and_reported_in_one_file(
    dataset: Path, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["run", str(dataset), "--base-url", server.url, "-m", SONNET, "-m", HAIKU, "-o", "sweep.db"]
    assert main([*argv, "--context", "1k,3k,250k"]) == 0
    told = capsys.readouterr()
    assert "skipped" in told.err
    assert "of the 250,000 tokens asked for; add documents to fill them" in told.err
    assert main(["grade", "sweep.db", "--base-url", server.url, "-q"]) == 0
    snapshot = read(Path("sweep.db"))
    answered = {a.trial_id for a in snapshot.attempts if a.grader is None and a.outcome == "answered"}
    assert {grade.trial_id for grade in snapshot.grades} == answered
    assert len(snapshot.trials) == 6 * (3 + 2)
    capsys.readouterr()
    targets = ["r.html", "r.md", "r.json", "r.csv"]
    assert main(["report", "sweep.db", *(part for name in targets for part in ("-o", name))]) == 0
    terminal = capsys.readouterr().out
    assert "against shortest" in terminal
    assert "Context sweep: all figures outside 'Context length' are of the prompts at 3,000 tokens" in terminal
    texts = {name: Path(name).read_text(encoding="utf-8") for name in targets}
    assert not [name for name, text in texts.items() if re.search(r"item-\d@", text)]
    assert {row["context_tokens"] for row in csv.DictReader(io.StringIO(texts["r.csv"]))} == {"1000", "3000", "250000"}
    analysis = json.loads(texts["r.json"])["analysis"]
    assert analysis["items"] == 6
    assert analysis["sweep"]["analysed"] == 3000  # the card's
    assert [(p["model"], p["context_tokens"]) for p in analysis["sweep"]["points"]] == [
        (SONNET, 1000), (SONNET, 3000), (SONNET, 250_000), (HAIKU, 1000), (HAIKU, 3000),
    ]  # fmt: skip
    assert [lacking["model"] for lacking in analysis["sweep"]["lacking"]] == [HAIKU]
    (production, judging) = analysis["sessions"]
    assert (production["executor"], production["attempts"], production["judging"]) == ("local", len(answered), 0)
    assert judging["judging"] > 0
    assert production["in_flight"] >= 1
    assert production["service_s"] > 0
    assert main([*argv, "--context", "1k,3k,250k"]) == 0
    assert "nothing to send" in capsys.readouterr().out


@pytest.fixture
def graded(dataset: Path, server: Recorded) -> Path:
    """A run of the smaller model, graded."""
    argv = ["run", str(dataset), "--base-url", server.url, "-q", "-m", HAIKU, "-o", "usual.db"]
    assert main([*argv, "--seed", "3", "--max-tokens", "300", "--epochs", "2"]) == 0
    assert main(["grade", "usual.db", "--base-url", server.url, "-q"]) == 0
    return Path("usual.db")


def spoil(path: Path, failing: int) -> set[str]:
    """Regrade by hand so that the first items failed in every epoch and the others did not; returns the failed ones."""
    snapshot = read(path)
    chosen = {item.id for item in snapshot.items[:failing]}
    trials = {t.id: t.key.item_id for t in snapshot.trials}
    newest = {(g.trial_id, g.criterion, g.grader): g for g in snapshot.grades}
    tops = {"number": 1, "right": 2}
    with RunFile(path) as run:
        for (trial_id, criterion, _), grade in newest.items():
            level = 0 if trials[trial_id] in chosen else tops[criterion]
            made = replace(grade, level=level, ungraded_reason=None)
            run.add_grades([made], "2026-11-02T12:00:00+00:00")
    return chosen


@pytest.mark.long
def test_a_dearer_model_is_tried_on_the_failed_items_alone_and_all_else_is_as_it_was(
    dataset: Path, graded: Path, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = spoil(graded, 2)
    before, source = len(server.messages()), read(graded)
    argv = ["run", str(dataset), "--only-unsatisfactory", HAIKU, "-m", OPUS, "--from", str(graded)]
    argv += ["--base-url", server.url, "-o", "dearer.db"]
    capsys.readouterr()
    assert main(argv) == 0
    told = capsys.readouterr()
    assert "Haiku 4.5 was not satisfactory in any epoch on 2 of 6 items" in told.out
    assert "conditional: only the 2 of 6 items" in told.err
    made = read(Path("dearer.db"))
    assert {item.id for item in made.items} == chosen
    assert {body["model"] for body in bodies(server, before)} == {OPUS}
    assert len(bodies(server, before)) == len(made.trials) == 2 * 2
    for field in ("dataset_sha256", "rubric_sha256", "prompt_sha256", "seed", "context_tokens", "max_tokens"):
        assert getattr(made.spec, field) == getattr(source.spec, field)
    documents = {item.id: item.documents for item in source.items}
    assert all(item.documents == documents[item.id] for item in made.items)
    assert made.spec.condition == {
        "rule": "unsatisfactory", "model": HAIKU, "run": source.spec.sha256, "items": 2, "of": 6,
    }  # fmt: skip
    assert main(["grade", "dearer.db", "--base-url", server.url, "-q"]) == 0
    assert main(["report", "dearer.db", "-o", "d.html"]) == 0
    assert "conditional: only the 2 of 6 items on which Haiku 4.5" in capsys.readouterr().out
    command = re.search(r"<code>(evalkit run [^<]*tiny.jsonl[^<]*)</code>", Path("d.html").read_text(encoding="utf-8"))
    assert command is not None
    assert (
        f"--only-unsatisfactory {HAIKU} --from runs/tiny-{source.spec.sha256[:8]}.db -m {OPUS} --epochs 2" in command[1]
    )


def test_where_no_item_failed_nothing_is_spent(
    dataset: Path, graded: Path, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(graded, 0)
    before = len(server.requests)
    assert main(["run", str(dataset), "--only-unsatisfactory", HAIKU, "-m", OPUS, "--from", str(graded)]) == 0
    assert "Haiku 4.5 failed none of the 6 items" in capsys.readouterr().out
    assert len(server.requests) == before
    assert not Path("runs").exists()


@pytest.mark.long
def test_another_dataset_rubric_or_choice_is_refused_before_anything_is_sent(
    dataset: Path, graded: Path, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(graded, 2)
    before = len(server.requests)
    other = Path("other.jsonl")
    other.write_text(dataset.read_text().replace("Where is order", "Where on earth is order"))
    rubric = Path("edited.yaml")
    rubric.write_text(Path("rubrics/tiny.yaml").read_text().replace("weight: 2", "weight: 3"))
    choose = ["--only-unsatisfactory", HAIKU, "--from", str(graded)]
    cases: list[tuple[list[str], int, str]] = [
        ([str(other), *choose, "-m", OPUS], 6, "the dataset is another than that of usual.db"),
        (
            [str(dataset), *choose, "-m", OPUS, "--rubric", str(rubric)],
            6,
            "the rubric is another than that of usual.db",
        ),
        ([str(dataset), *choose, "-m", OPUS, "--context", "9k"], 2, "--context is taken from usual.db"),
        ([str(dataset), *choose, "-m", OPUS, "--seed", "3"], 2, "--seed is taken from usual.db"),
        ([str(dataset), *choose], 2, "needs the dearer model"),
        ([str(dataset), *choose, "-m", HAIKU], 2, "is the one that failed"),
        ([str(dataset), "--only-unsatisfactory", OPUS, "-m", SONNET, "--from", str(graded)], 2, "has no model"),
        ([str(dataset), "--only-unsatisfactory", HAIKU, "-m", OPUS], 2, "go together"),
        ([str(dataset), "--from", str(graded), "-m", OPUS], 2, "go together"),
        ([*choose, "-m", OPUS], 2, "name the dataset of usual.db"),
        ([], 2, "no dataset is named"),
    ]
    for argv, code, words in cases:
        assert main(["run", *argv]) == code, argv
        assert words in capsys.readouterr().err
    assert len(server.requests) == before
    assert not Path("runs").exists()


@pytest.mark.long
def test_a_source_of_another_prompt_is_refused_before_anything_is_spent(
    dataset: Path, graded: Path, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(graded, 2)
    source = read(graded)
    older = write_run(Path("older.db"), replace(source, spec=replace(source.spec, prompt_sha256="0" * 64)))
    before = len(server.messages())
    argv = ["run", str(dataset), "--only-unsatisfactory", HAIKU, "-m", OPUS, "--from", str(older)]
    assert main([*argv, "--base-url", server.url]) == 6
    assert "(prompt differs)" in capsys.readouterr().err
    assert len(server.messages()) == before
    assert not Path("runs").exists()


def test_ungraded_items_are_counted_and_left_out(
    dataset: Path, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(dataset), "--base-url", server.url, "-q", "-m", HAIKU, "-o", "usual.db"]) == 0
    argv = ["run", str(dataset), "--only-unsatisfactory", HAIKU, "-m", OPUS, "--from", "usual.db", "--dry-run"]
    capsys.readouterr()
    assert main([*argv, "--base-url", server.url]) == 2
    assert "`evalkit grade --blind` first" in capsys.readouterr().err
    assert main(["grade", "usual.db", "--base-url", server.url, "-q"]) == 0
    spoil(Path("usual.db"), 2)
    snapshot = read(Path("usual.db"))
    with RunFile(Path("usual.db")) as run:  # the judge's grade of one trial could not be read after all
        last = next(t.id for t in snapshot.trials if t.key.item_id == snapshot.items[-1].id)
        for grade in (g for g in snapshot.grades if g.trial_id == last):
            made = replace(grade, level=None, ungraded_reason="not readable")
            run.add_grades([made], "2026-11-02T13:00:00+00:00")
    capsys.readouterr()
    assert main([*argv, "--base-url", server.url]) == 0
    told = capsys.readouterr().out
    assert "on 2 of 5 items of usual.db; 1 not judged in every epoch, left out" in told
    assert "claude-opus-4-6: 2 requests" in told
