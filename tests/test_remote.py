"""Files by URL: the same bytes as by path, whole or not at all, and nothing left behind or given away."""

import asyncio
import gc
import json
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import fsspec
import pytest
from analysis_builders import OPUS, SONNET, Book, answered, round_, run_of, spec, write_run
from processes import Process
from servers import Recorded, in_thread, read_request, whole
from stores import KEY, SECRET, Bucket
from test_run import RUBRIC, write_tiny

from evalkit import remote, remote_s3
from evalkit.cli import main, urls
from evalkit.dataset_files import load_dataset
from evalkit.errors import InfrastructureError
from evalkit.records import AttemptStart, Snapshot
from evalkit.store import RunFile

VERDICTS = {OPUS: [[True]] * 9 + [[False]], SONNET: [[True]] * 7 + [[False]] * 3}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder, and a place for temporary files of which nothing may be left."""
    temporary, work = tmp_path / "temporary", tmp_path / "work"
    temporary.mkdir()
    work.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.chdir(work)
    yield work
    assert not list(temporary.iterdir())


@pytest.fixture
def run(folder: Path) -> Path:
    """A graded run of two models."""
    return write_run(folder / "runs" / "support.db", run_of(VERDICTS))


def read(path: Path) -> Snapshot:
    with RunFile(path, read_only=True) as file:
        return file.snapshot()


def said(capfd: pytest.CaptureFixture[str], *argv: str, code: int = 0) -> str:
    """What a command prints, stdout and stderr; it must end with that code."""
    capfd.readouterr()
    ended = main(list(argv))
    printed = capfd.readouterr()
    assert ended == code, printed.err
    assert "Traceback" not in printed.err
    return printed.out + printed.err


# --- the same by URL as by path ---------------------------------------------------------------------------------


@pytest.mark.long
def test_a_report_by_url_has_the_same_bytes(run: Path, bucket: Bucket, capfd: pytest.CaptureFixture[str]) -> None:
    copy = bucket.put("runs/support.db", run.read_bytes())
    forms = ["r.html", "r.md", "r.json", "r.csv", "r.xlsx"]
    run.chmod(0o400)  # so that neither is a record made in
    said(capfd, "report", str(run), *(part for form in forms for part in ("-o", form)))
    printed = said(capfd, "report", copy, *(part for form in forms for part in ("-o", f"{bucket.url}/out/{form}")))
    assert f"{bucket.url}/out/r.html (" in printed
    for form in forms:
        assert bucket.get(f"out/{form}") == Path(form).read_bytes(), form
    assert bucket.get("runs/support.db") == run.read_bytes()


COMMANDS: list[tuple[str, ...]] = [
    ("compare", "{at}/a.db", "{at}/support.db", "-o", "{at}/change.html"),
    (
        "gate",
        "{at}/support.db",
        "--candidate",
        SONNET,
        "--baseline",
        OPUS,
        "-o",
        "{at}/gate.json",
        "-o",
        "{at}/gate.md",
    ),
    ("gate", "--baseline", "{at}/a.db", "--candidate", "{at}/b.db", "-o", "{at}/gate.xml"),
    ("report", "{at}/support.db", "--baseline", "{at}/a.db", "-o", "{at}/report.html"),
    ("runs", "{at}/support.db"),
    ("signals", "{at}/support.db", "--current", OPUS),
    ("plan", "--run", "{at}/support.db"),
    ("route", "{at}/support.db"),
    ("route", "export", "{at}/support.db", "--policy", "oracle", "-o", "{at}/router.json"),
    ("merge", "{at}/a.db", "{at}/b.db", "-o", "{at}/both.db"),
    ("merge", "{at}/a.db", "{at}/b.db", "-o", "{at}/support.db"),
    ("export", "{at}/support.db", "{at}/trials.csv"),
    ("export", "{at}/support.db", "{at}/a.db"),
]


@pytest.mark.long
@pytest.mark.parametrize("argv", COMMANDS, ids=lambda argv: f"{argv[0]} {argv[-1]}")
def test_commands_do_the_same_by_url_as_by_path(
    argv: tuple[str, ...], run: Path, bucket: Bucket, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, models in (("a", [OPUS]), ("b", [SONNET])):
        write_run(run.with_name(f"{name}.db"), run_of({model: VERDICTS[model] for model in models}))
    for file in run.parent.iterdir():
        file.chmod(0o400)
        bucket.put(f"x/{file.name}", file.read_bytes())
    ended, printed = [], []
    for at in (str(run.parent), f"{bucket.url}/x"):
        ended.append(main([part.format(at=at) for part in argv]))
        out, err = capfd.readouterr()
        told = (out + err).replace(at, "AT").replace(", or replace it with --force", "")
        printed.append(told.partition("next: ")[0])
    assert ended[1] == ended[0]
    assert printed[1] == printed[0]
    for key in bucket.listed():
        mine, theirs = Path("runs", key.removeprefix("x/")), bucket.get(key)
        if mine.suffix == ".db":
            Path("copy.db").write_bytes(theirs)
            assert read(Path("copy.db")).attempts == read(mine).attempts
        else:
            assert theirs == mine.read_bytes(), key
    assert len(bucket.listed()) == len([file for file in run.parent.iterdir() if file.is_file()])


@pytest.mark.long
def test_datasets_bring_what_they_name(folder: Path, bucket: Bucket, capfd: pytest.CaptureFixture[str]) -> None:
    card = "template: prompts/ask.j2\ndocuments: library\n"
    row = {
        "id": "a",
        "input": "Why?",
        "reference": "So.",
        "documents": ["notes/a.md", {"name": "b", "text": "B"}],
        "attachments": ["x.png"],
    }
    parts = {
        "set.jsonl": json.dumps(row).encode(), "set.yaml": card.encode(),
        "prompts/ask.j2": b"{{ documents }}{{ item.input }}",
        "library/one.md": b"One.", "library/deep/two.txt": b"Two.", "notes/a.md": b"A.", "x.png": b"\x89PNG\r\n\x1a\n",
        "rubrics/set.yaml": RUBRIC.encode(),
    }  # fmt: skip
    for name, content in parts.items():
        bucket.put(f"sets/{name}", content)
        Path(name).parent.mkdir(exist_ok=True, parents=True)
        Path(name).write_bytes(content)
    here, problems = load_dataset(Path("set.jsonl"))
    assert not problems
    there, problems = load_dataset(urls.readable_dataset(f"{bucket.url}/sets/set.jsonl"))
    urls.forget()
    assert not problems
    assert there == here.__class__(**{**vars(here), "template": there.template})
    assert there.sha256 == here.sha256
    by_path = said(capfd, "check", "set.jsonl", code=0)
    assert said(capfd, "check", f"{bucket.url}/sets/set.jsonl").replace(f"{bucket.url}/sets/", "") == by_path

    bucket.put("sets/set.jsonl", b'{"id": "a", "input": "Why?", "documents": ["../secret.md", "none.md"]}')
    bucket.put("secret.md", b"S")
    printed = said(capfd, "check", f"{bucket.url}/sets/set.jsonl", code=2)
    assert f"{bucket.url}/sets/set.jsonl:1: document '../secret.md' lies outside" in printed
    assert f"{bucket.url}/sets/set.jsonl:1: document 'none.md' does not exist" in printed


def test_a_dataset_by_url_is_the_same_run(
    folder: Path, bucket: Bucket, sandbox: Recorded, capfd: pytest.CaptureFixture[str]
) -> None:
    dataset = write_tiny(folder, 3)
    copy, rubric = bucket.put("d/tiny.jsonl", dataset.read_bytes()), bucket.put("r/tiny.yaml", RUBRIC.encode())
    common = ["-m", "claude-haiku-4-5-20251001", "--base-url", sandbox.url, "--yes", "-o", "runs/x.db"]
    said(capfd, "run", copy, "--rubric", rubric, *common)
    assert len(sandbox.messages()) == 3
    assert "nothing to send" in said(capfd, "run", str(dataset), *common), "it is the run of the local dataset too"


@pytest.mark.parametrize("rubric", ["sets/new/rubrics/tiny.yaml", "sets/rubrics/tiny.yaml", "sets/new/rubrics/no.yaml"])
def test_a_dataset_by_url_finds_its_rubric_where_it_would_by_path(
    rubric: str, folder: Path, bucket: Bucket, capfd: pytest.CaptureFixture[str]
) -> None:
    dataset, other = write_tiny(folder, 3), folder / "sets" / "new"
    (folder / "rubrics" / "tiny.yaml").unlink()
    for path in (other / dataset.name, folder / rubric):
        path.parent.mkdir(parents=True, exist_ok=True)
    dataset.rename(other / dataset.name)
    (folder / rubric).write_text(RUBRIC)
    bucket.put("sets/new/tiny.jsonl", (other / dataset.name).read_bytes())
    bucket.put(rubric, RUBRIC.encode())
    by_path = said(capfd, "check", "sets/new/tiny.jsonl")
    assert (", rubric " in by_path) == rubric.endswith("tiny.yaml")
    assert said(capfd, "check", f"{bucket.url}/sets/new/tiny.jsonl").replace(f"{bucket.url}/", "") == by_path
    bucket.put(rubric, b"criteria: 7")
    if rubric.endswith("tiny.yaml"):
        assert f"{bucket.url}/{rubric}:1: " in said(capfd, "check", f"{bucket.url}/sets/new/tiny.jsonl", code=2)


def test_outputs_by_url_find_the_rubric_beside_them(bucket: Bucket, capfd: pytest.CaptureFixture[str]) -> None:
    bucket.put("in/rubrics/results.yaml", b"criteria: 7")
    printed = said(capfd, "import", bucket.put("in/results.jsonl", LINE), code=2)
    assert f"{bucket.url}/in/rubrics/results.yaml:1: " in printed


@pytest.fixture
def sandbox() -> Iterator[Recorded]:
    from servers import recorded

    with recorded() as running:
        yield running


GRADE = b'{"grader": "ann", "kind": "human", "criterion": "ok", "level": 1}'
LINE = b'{"item_id": "a", "model": "m", "output": "yes", "grades": [%s]}\n' % GRADE


@pytest.mark.long
def test_imports_by_url_are_made_once(bucket: Bucket, capfd: pytest.CaptureFixture[str]) -> None:
    results = bucket.put("in/results.jsonl", LINE)
    argv = ["import", results, "--satisfactory-from", "ok", "-o", f"{bucket.url}/runs/x.db"]
    printed = said(capfd, *argv)
    assert f"imported: {bucket.url}/runs/x.db\n" in printed
    assert f"next: evalkit report {bucket.url}/runs/x.db" in printed
    first = bucket.get("runs/x.db")
    assert "imported already, nothing to do" in said(capfd, *argv)
    bucket.put("in/results.jsonl", LINE.replace(b"yes", b"no"))
    assert f"'{bucket.url}/runs/x.db' exists already and is not this import" in said(capfd, *argv, code=2)
    assert bucket.get("runs/x.db") == first
    bucket.put("in/results.jsonl", b"{}\n")
    assert f"error: {results}:1: " in said(capfd, *argv, code=2)


def test_what_a_router_said_goes_with_its_run(run: Path, bucket: Bucket, capfd: pytest.CaptureFixture[str]) -> None:
    write_run(run.parent / "routers" / run.name, run_of({OPUS: [[True]]}))
    said(capfd, "export", str(run), f"{bucket.url}/runs/")
    assert bucket.listed() == ["runs/routers/support.db", "runs/support.db"]
    said(capfd, "export", f"{bucket.url}/runs/support.db", "back/")
    assert read(Path("back/routers/support.db")) == read(run.parent / "routers" / run.name)


# --- export -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["{s3}/runs/", "file://{here}/far%20off/", "far/"])
def test_a_run_file_is_copied_as_it_stands_while_it_is_written(
    place: str, folder: Path, run: Path, bucket: Bucket, capfd: pytest.CaptureFixture[str]
) -> None:
    target = place.format(s3=bucket.url, here=folder)
    with RunFile(run) as writer:
        writer.start_attempt(AttemptStart(1, 2, "2026-11-02T12:00:00+00:00", 0.0))
        assert run.with_name("support.db-wal").stat().st_size, "what was written last is in the log alone"
        assert "exported: " in said(capfd, "export", str(run), target)
        wanted = writer.snapshot()
    said(capfd, "export", f"{target}support.db", "back.db")
    assert read(Path("back.db")) == wanted
    assert sorted(Path().rglob("*.db*")) == sorted(
        {Path("back.db"), Path("runs/support.db"), *Path().glob("far*/support.db")}
    )


@pytest.mark.long
def test_folders_are_copied_whole_and_what_is_there_is_kept(
    run: Path, bucket: Bucket, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(run, run.with_name("other.db"))
    Path("runs/.support.db.run.lock").touch()
    assert "no run file in" in said(capfd, "export", f"{bucket.url}/none/", "here/")
    said(capfd, "export", "runs/", f"{bucket.url}/all/")
    assert bucket.listed() == ["all/other.db", "all/support.db"]
    assert "exists already; name another, or replace it with --force" in said(
        capfd, "export", "runs", f"{bucket.url}/all/", code=2
    )
    with RunFile(run) as file:
        file.start_attempt(AttemptStart(1, 2, "2026-11-02T12:00:00+00:00", 0.0))
    said(capfd, "export", "runs/", f"{bucket.url}/all/", "--force")
    Path("there.db").write_bytes(bucket.get("all/support.db"))
    assert read(Path("there.db")) == read(run)

    run.with_name("other.db").unlink()
    Path("runs/.support.db.run.lock").unlink()
    before = run.read_bytes()
    assert "kept: runs/support.db is here already" in said(capfd, "export", f"{bucket.url}/all/", "runs/", "--force")
    assert run.read_bytes() == before
    assert Path("runs/other.db").is_file()
    for argv in (("runs/", "x.db"), ("runs/", "x.csv"), ("runs/support.db", "runs/other.db", "--force")):
        said(capfd, "export", *argv, code=2)


def test_tables_hold_every_trial_with_its_texts(run: Path, bucket: Bucket, capfd: pytest.CaptureFixture[str]) -> None:
    import pandas as pd

    book = Book(spec((OPUS,)), rounds=[round_()])
    for number, text in enumerate(["=1+1", "Write to ann@example.org, please."]):
        book.grade(book.trial(f"item-{number}", answered(text=text)), 1)
    write_run(Path("runs/x.db"), book.snapshot())
    Path("evalkit.yaml").write_text('redact: ["[a-z]+@[a-z.]+"]\n')
    for ending in ("jsonl", "csv"):
        said(capfd, "export", "runs/x.db", f"{bucket.url}/t.{ending}")
        assert "exists already" in said(capfd, "export", "runs/x.db", f"{bucket.url}/t.{ending}", code=2)
    lines = [json.loads(line) for line in bucket.get("t.jsonl").splitlines()]
    assert [line["output"] for line in lines] == ["=1+1", "Write to ⟦redacted⟧, please."]
    assert lines[0] | {"item_id": "item-0", "model": OPUS, "satisfied": True, "simulated": False} == lines[0]
    Path("t.csv").write_bytes(bucket.get("t.csv"))
    assert list(pd.read_csv("t.csv")["output"]) == ["'=1+1", "Write to ⟦redacted⟧, please."], "no text is a formula"
    assert "unknown format; end it in .db, .jsonl, .csv or .parquet" in said(
        capfd, "export", "runs/x.db", "t.doc", code=2
    )


def test_a_damaged_run_file_is_not_passed_on(run: Path, bucket: Bucket, capfd: pytest.CaptureFixture[str]) -> None:
    content = bytearray(run.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    run.write_bytes(content)
    assert "restore it from a copy" in said(capfd, "export", str(run), f"{bucket.url}/x.db", code=6)
    assert not bucket.listed()


# --- what is refused --------------------------------------------------------------------------------------------

ELSEWHERE = "is elsewhere, and what is worked on must be here; name a file on this machine (`evalkit export` copies"
REFUSED: list[tuple[tuple[str, ...], int, str]] = [
    (("grade", "{s3}/support.db"), 2, ELSEWHERE),
    (("run", "tiny.jsonl", "-o", "{s3}/new.db"), 2, ELSEWHERE),
    (("grade", "runs/support.db", "--export", "{s3}/sheet.xlsx"), 2, ELSEWHERE),
    (("report", "{s3}/none.db"), 2, "{s3}/none.db does not exist; correct the URL"),
    (("report", "{s3}/"), 2, "{s3}/ names no file; write one after the bucket and its folders"),
    (("report", "s3://x.db"), 2, "s3://x.db names no file"),
    (("report", "{s3}/text.db"), 6, "{s3}/text.db is not a run file"),
    (("report", "s3://no-such-bucket/x.db"), 2, "s3://no-such-bucket/x.db cannot be fetched: there is no such bucket"),
    (("report", "{s3}/support.db", "-o", "s3://no-such-bucket/r.md"), 2, "r.md cannot be written: there is no such"),
    (("export", "runs/", "s3://no-such-bucket/x/"), 2, "there is no such bucket"),
    (("export", "s3://no-such-bucket/x/", "runs/"), 2, "no-such-bucket/x/ cannot be listed: there is no"),
    (("report", "{s3}/secret/support.db"), 5, "cannot be fetched: no permission; check the credentials"),
    (("report", "{s3}/support.db", "-o", "{s3}/locked/r.md"), 5, "{s3}/locked/r.md cannot be written: no permission"),
    (("report", "{s3}/support.db", "-o", "{s3}/r.doc"), 2, "{s3}/r.doc': unknown format"),
    (("report", "{s3}/support.db", "--peek"), 5, "{s3}/support.db is read-only, so a peek cannot be recorded in it"),
    (("report", "s3://ann:pass/word-abc@b/x.db"), 2, "s3://***@b/x.db: credentials do not go into s3:// URLs"),
    (("report", "{s3}/a//b.db"), 2, "{s3}/a//b.db cannot be fetched: a part of its path is empty"),
    (("report", "foo://b/x.db"), 2, "foo://b/x.db: Protocol not known: foo; use s3://, gs://, az:// or another"),
    (("report", "gs://b/x.db"), 2, "gs://b/x.db cannot be spoken to here; install"),
    (("report", "memory://b/x.db"), 2, "memory://b/x.db does not exist"),
    (("report", "http://ann:pass-word@127.0.0.1:{free}/x.db?X-Amz-Signature=abc"), 5, "http://***@127.0.0.1:{free}/x.db"),
    (("export", "runs/support.db", "{s3}/x.db", "--redact", "x"), 2, "--redact holds for tables"),
    (("runs", "{s3}/support.db", "s3://ann:pass-word@b/x?y=abc"), 2, "argument(s) (s3://***@b/x)"),
    (("import", "{s3}/support.db", "--rubric", "{s3}/none.yaml"), 2, "{s3}/none.yaml does not exist"),
    (("compare", "{s3}/support.db", "{s3}/support.db", "--pair", "x=y"), 2, "the earlier run has no model 'x'"),
]  # fmt: skip


@pytest.mark.parametrize("store", ["{s3}/odd", "memory://odd"])
@pytest.mark.parametrize("name", ["a.db?x.db", "a.db#x.db", "what?/why?.db"])
def test_marks_in_a_key_are_part_of_its_name(
    store: str, name: str, run: Path, bucket: Bucket, capfd: pytest.CaptureFixture[str]
) -> None:
    store = store.format(s3=bucket.url)
    other = write_run(Path("other.db"), run_of({OPUS: [[True]] * 3}))
    said(capfd, "export", str(other), f"{store}/a.db", "--force")
    remote.fetch(f"{store}/a.db", Path("before.db"))
    assert f"exported: {store}/{name} (20 trials)" in said(capfd, "export", str(run), f"{store}/{name}", "--force")
    printed = said(capfd, "export", str(other), f"{store}/{name}", code=2)
    assert f"{store}/{name} exists already" in printed
    said(capfd, "report", f"{store}/{name}", "-o", f"{store}/{name}.md")
    assert remote.exists(f"{store}/{name}.md")
    remote.fetch(f"{store}/a.db", Path("after.db"))
    assert Path("after.db").read_bytes() == Path("before.db").read_bytes()
    assert len(read(Path("after.db")).trials) == 3


def test_a_name_that_a_store_would_cut_is_refused(run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    printed = said(capfd, "export", str(run), "webhdfs://127.0.0.1/a?b.db", code=2)
    assert "webhdfs:// has no file of the name 'a?b.db'; use one without ? and #" in printed


@pytest.mark.parametrize(
    ("argv", "code", "message"), REFUSED, ids=lambda one: " ".join(one) if isinstance(one, tuple) else ""
)
def test_what_cannot_be_done_is_one_line_without_credentials(
    argv: tuple[str, ...], code: int, message: str, run: Path, bucket: Bucket, capfd: pytest.CaptureFixture[str]
) -> None:
    write_tiny(Path())
    for key in ("support.db", "secret/support.db"):
        bucket.put(key, run.read_bytes())
    bucket.put("text.db", b"no run file at all" * 100)
    bucket.put("locked/r.md", b"old")
    for action, key in (("s3:GetObject", "secret/*"), ("s3:PutObject", "locked/*")):
        if key.removesuffix("*") in " ".join(argv):
            bucket.deny(action, key)
    before, free = bucket.listed(), _free_port()
    printed = said(capfd, *(part.format(s3=bucket.url, free=free) for part in argv), code=code)
    assert message.format(s3=bucket.url, free=free) in printed
    lines = [line for line in printed.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert len(lines[0]) < 400
    for secret in (KEY, SECRET, "pass-word", "word-abc", "abc", "evalkit-"):
        assert secret not in lines[0].replace("evalkit-claude", ""), "nor a temporary path"
    assert bucket.listed() == before
    assert bucket.get("locked/r.md") == b"old"
    assert {path.name for path in Path().iterdir()} <= {"runs", "rubrics", "tiny.jsonl"}


def _free_port() -> int:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.mark.parametrize(
    ("changes", "absent", "code", "message"),
    [
        ({}, "fsspec", 2, "s3://b/x.db needs fsspec; install evalkit-claude[s3]"),
        ({}, "obstore", 2, "s3://b/x.db cannot be spoken to here; install evalkit-claude[s3]"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "", 2, "no AWS credentials found for s3://; set AWS_"),
        ({"AWS_PROFILE": "nobody"}, "", 5, "AWS credentials cannot be used: The config profile (nobody) could"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:{free}"}, "", 5, "http://127.0.0.1:{free} does not answer; check"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(
    changes: dict[str, str],
    absent: str,
    code: int,
    message: str,
    bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    free = _free_port()
    for name, value in changes.items():
        monkeypatch.setenv(name, value.format(free=free)) if value else monkeypatch.delenv(name)
    if absent:
        for module in [absent, "evalkit.remote_s3"]:
            monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.setitem(sys.modules, absent, None)
        monkeypatch.setitem(sys.modules, "obstore.fsspec", None)
    assert message.format(free=free) in said(capfd, "report", "s3://b/x.db", code=code)


def test_a_profile_of_aws_and_a_public_bucket_are_enough(
    run: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    copy = bucket.put("x.db", run.read_bytes())
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.delenv(name)
    credentials = Path.home() / ".aws" / "credentials"
    credentials.parent.mkdir()
    credentials.write_text(f"[team]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\nregion = us-east-1\n")
    monkeypatch.setenv("AWS_PROFILE", "team")
    said(capfd, "runs", copy)
    monkeypatch.delenv("AWS_PROFILE")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    bucket.client.put_object_acl(Bucket=bucket.name, Key="x.db", ACL="public-read")
    said(capfd, "runs", copy)


def test_a_bucket_in_another_region_is_told(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    async def moved(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(whole(301, b"", x_amz_bucket_region="eu-west-1"))
        writer.close()

    record = Recorded("")
    with in_thread(moved, record):
        monkeypatch.setenv("AWS_ENDPOINT_URL", record.url)
        printed = said(capfd, "report", f"{bucket.url}/x.db", code=5)
    assert f"{bucket.url}/x.db cannot be fetched: its bucket is in another region; set AWS_REGION to that" in printed


@pytest.mark.parametrize("code", ["SignatureDoesNotMatch", "InvalidAccessKeyId", "AccessDenied"])
def test_a_wrong_key_is_told_as_that(
    code: str, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    async def refusing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(whole(403, f"<Error><Code>{code}</Code><Message>No.</Message></Error>".encode()))
        writer.close()

    record = Recorded("")
    with in_thread(refusing, record):
        monkeypatch.setenv("AWS_ENDPOINT_URL", record.url)
        for command in (("report", f"{bucket.url}/x.db"), ("export", f"{bucket.url}/runs/", "there/")):
            printed = said(capfd, *command, code=5)
            assert f": no permission ({code}); check the credentials and their rights" in printed


def test_who_may_read_objects_but_not_list_them_reads_a_run_file(
    run: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    there = {"x.db": run.read_bytes(), "tiny.jsonl": b'{"id": "a", "input": "Why?"}\n'}

    async def grudging(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, path, _ = await read_request(reader) or ("", "", b"")
        found = there.get(path.rpartition("/")[2]) if "routers" not in path else None
        facts = {"last_modified": "Tue, 21 Oct 2025 07:28:00 GMT", "etag": '"e"'}
        writer.write(whole(403, b"") if found is None else whole(200, b"" if method == "HEAD" else found, **facts))
        writer.close()

    record = Recorded("")
    with in_thread(grudging, record):
        monkeypatch.setenv("AWS_ENDPOINT_URL", record.url)
        said(capfd, "report", f"{bucket.url}/x.db", "-o", "r.md")
        printed = said(capfd, "check", f"{bucket.url}/tiny.jsonl", code=5)
    assert f"{bucket.url}/tiny.yaml cannot be looked for: no permission" in printed, (
        "a card is never left out in silence"
    )
    assert "s3:ListBucket too" in printed


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://bucket/a/b.db", "s3://bucket/a/b.db"),
        ("https://ann:pw@host/x.db", "https://***@host/x.db"),
        ("https://host/x.db?X-Amz-Credential=AKIA&X-Amz-Signature=abc", "https://host/x.db"),
        ("https://host/x.db?secret", "https://host/x.db"),
        ("az://box/x.db?sv=1&sig=abc", "az://box/x.db"),
        ("s3://bucket/what?/why?.db", "s3://bucket/what?/why?.db"),
        ("s3://AKIA:secret@bucket/mail@home.db", "s3://***@bucket/mail@home.db"),
        ("s3://AKIA:sec/ret+/key@bucket/x.db", "s3://***@bucket/x.db"),
        ("http://127.0.0.1:9000/mail@home.db", "http://127.0.0.1:9000/mail@home.db"),
    ],
)
def test_credentials_in_a_url_are_not_shown(url: str, shown: str) -> None:
    assert remote.shown(url) == shown
    assert remote.shown_in(f"again: evalkit run '{url}' --yes") == f"again: evalkit run '{shown}' --yes"


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT"])
@pytest.mark.parametrize("value", ["localhost:9000", "http://", "http://a b", "ftp://x", "http://x:port", "a@b"])
def test_an_endpoint_that_is_no_server_is_named(
    name: str, value: str, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    printed = said(capfd, "report", f"{bucket.url}/x.db", code=2)
    told = "" if "@" in value else f" {value!r}"
    assert f"error: {name}{told} is no http(s)://host[:port]; correct it" in printed
    assert "panicked" not in printed


def test_an_empty_endpoint_is_none(
    run: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "")
    monkeypatch.setenv("AWS_ENDPOINT", "")
    said(capfd, "report", bucket.put("x.db", run.read_bytes()), "-o", "r.md")


@pytest.mark.parametrize(
    "config",
    [
        "[default]\nendpoint_url = {url}\n",
        "[default]\nendpoint_url = http://[::1]\nservices = ours\n[services ours]\ns3 =\n  endpoint_url = {url}\n",
    ],
    ids=["profile", "services"],
)
def test_an_endpoint_of_the_configuration_file_is_used(
    config: str, run: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    copy = bucket.put("x.db", run.read_bytes())
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv("AWS_CONFIG_FILE", "awsconf")
    Path("awsconf").write_text(config.format(url=bucket.endpoint))
    said(capfd, "report", copy, "-o", "r.md")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert remote_s3._configured_endpoint() is None, "a variable goes before it"
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    Path("awsconf").write_text(config.format(url="localhost:9"))
    assert "endpoint_url in AWS's configuration file 'localhost:9' is no http" in said(capfd, "report", copy, code=2)


def test_a_server_is_given_up_for_its_silence_not_for_a_long_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    files, _ = remote._opened("http://127.0.0.1:9/x.db")
    assert files.client_kwargs["timeout"].total is None, "aiohttp would end it after five minutes"
    monkeypatch.setattr(remote, "_SILENT_S", 0.3)

    async def stalls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\nten bytes.")
            await writer.drain()
            await reader.read()  # until the other side gives up
        finally:
            writer.transport.abort()

    record = Recorded("")
    with in_thread(stalls, record):
        printed = said(capfd, "report", f"{record.url}/x.db", code=5)
    assert f"{record.url}/x.db cannot be fetched: nothing has come for 0.3 s; check the network" in printed


# --- whole or not at all ----------------------------------------------------------------------------------------


@pytest.mark.long
def test_side_files_lie_beside_the_report(bucket: Bucket, capfd: pytest.CaptureFixture[str]) -> None:
    book = Book(spec((OPUS,)), rounds=[round_()])
    book.grade(book.trial("long", answered(text="x" * 30_000)), 1)
    copy = bucket.put("runs/x.db", write_run(Path("x.db"), book.snapshot()).read_bytes())
    said(capfd, "report", copy, "-o", f"{bucket.url}/r/x.html", "-o", f"{bucket.url}/r/x.md")
    side = [key for key in bucket.listed() if key.startswith("r/x-outputs/")]
    assert len(side) == 1
    assert bucket.get(side[0]) == b"x" * 30_000
    assert side[0].removeprefix("r/").encode() in bucket.get("r/x.html")
    printed = said(capfd, "report", copy, "-o", f"{bucket.url}/r/x.html", "--no-outputs")
    assert f"! {bucket.url}/r/x-outputs has 1 text of an earlier report; delete what may not be seen" in printed


@pytest.mark.long
@pytest.mark.parametrize("place", ["memory", "s3"])
def test_an_upload_that_fails_leaves_what_was_there(place: str, bucket: Bucket, folder: Path) -> None:
    source = folder / "new"
    source.write_bytes(b"n" * 12_000_000)
    if place == "memory":
        fsspec.filesystem("memory").pipe_file("/box/old", b"old")
        with pytest.MonkeyPatch.context() as broken:
            broken.setattr(fsspec.callbacks.NoOpCallback, "relative_update", _full)
            with pytest.raises(InfrastructureError, match="No space left"):
                remote.send(source, "memory://box/old")
        assert fsspec.filesystem("memory").cat_file("/box/old") == b"old"
        return
    url = bucket.put("old", b"old")
    with narrow(bucket.endpoint, up=5_000_000) as endpoint, pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", endpoint)
        with pytest.raises(InfrastructureError, match="does not answer; check the network"):
            remote.send(source, url)
    assert bucket.get("old") == b"old"


def _full(*_: Any) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.long
def test_a_download_that_is_cut_leaves_nothing_or_all(bucket: Bucket, folder: Path) -> None:
    url = bucket.put("large", b"0123456789" * 100_000)
    with narrow(bucket.endpoint, down=300_000) as endpoint, pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", endpoint)
        with suppress(InfrastructureError):
            remote.fetch(url, folder / "here")
    assert [file.read_bytes() for file in folder.iterdir()] in ([], [b"0123456789" * 100_000])


@pytest.mark.long
def test_a_process_that_is_killed_while_it_sends_leaves_what_was_there(
    run: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    book = Book(spec((OPUS,)), rounds=[round_()])
    book.grade(book.trial("long", answered(text="x" * 12_000_000)), 1)
    write_run(Path("large.db"), book.snapshot())
    bucket.put("large.db", b"old")
    monkeypatch.setattr(tempfile, "tempdir", None)
    with narrow(bucket.endpoint, up=5_000_000, stall=True) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        with Process(["export", "large.db", f"{bucket.url}/large.db", "--force"], first=temporary_here) as process:
            end = time.monotonic() + 60
            while not bucket.client.list_multipart_uploads(Bucket=bucket.name).get("Uploads"):
                assert time.monotonic() < end
                time.sleep(0.02)
            process.send_signal(9)
            process.wait()
    assert bucket.get("large.db") == b"old"


def temporary_here() -> None:
    """Leave what a killed process leaves where the test's own folder is removed."""
    tempfile.tempdir = str(Path.cwd())


@contextmanager
def narrow(endpoint: str, up: int = 1 << 40, down: int = 1 << 40, stall: bool = False) -> Iterator[str]:
    """The server behind a line on which each connection is cut, or stalls, after so many bytes."""
    host, port = endpoint.removeprefix("http://").split(":")
    record = Recorded("")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        ways = (_pass(reader, far_writer, up, stall), _pass(far_reader, writer, down, stall))
        passing = [asyncio.ensure_future(way) for way in ways]
        try:
            await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in passing:
                way.cancel()
            await asyncio.gather(*passing, return_exceptions=True)
            for end in (far_writer, writer):
                end.transport.abort()
                with suppress(OSError):
                    await end.wait_closed()  # or the loop could end before it is

    with in_thread(serve, record):
        yield record.url
    gc.collect()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int, stall: bool) -> None:
    while data := await reader.read(65_536):
        most -= len(data)
        if most < 0:
            await asyncio.sleep(60 if stall else 0)
            return
        writer.write(data)
        await writer.drain()
