"""Grading is blind in every byte, pays for no answer twice, and leaves nothing half-done."""

import asyncio
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from servers import Recorded, independent, recorded
from test_run import MODELS, command, run_files, snapshot, write_tiny

from evalkit.blind import HIDDEN, label_for
from evalkit.claims import spent_usd
from evalkit.cli import main
from evalkit.errors import ExitCode, IntegrityError
from evalkit.executors.local import Limits, Progress
from evalkit.files import read_rubric
from evalkit.grade import grade_by_judges, graders_for, judge_bill, open_round
from evalkit.grader_names import judge_name
from evalkit.graders import judge
from evalkit.judging import questions, subject
from evalkit.models import DEFAULT_JUDGE, KNOWN
from evalkit.panel import Panel
from evalkit.providers.anthropic import AnthropicProvider
from evalkit.queues import build_queue
from evalkit.records import Attempt, AttemptStart, ItemRecord, Reply, Request, Round, Spec, TrialKey, Usage
from evalkit.rounds import answered
from evalkit.standstill import STALL_S
from evalkit.store import RunFile

TIERS = ("opus", "sonnet", "haiku", "fable", "mythos")


@pytest.fixture
def server() -> Iterator[Recorded]:
    with recorded() as running:
        yield running


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_tiny(tmp_path, 4)


@pytest.fixture
def ran(tiny: Path, server: Recorded) -> Path:
    """A finished run of eight trials; its requests are forgotten."""
    assert main(command(tiny, server.url)) == 0
    server.requests.clear()
    (path,) = run_files()
    return path


def aloud(arguments: list[str]) -> list[str]:
    """The same command, saying what it does."""
    return [argument for argument in arguments if argument != "-q"]


def grade(path: Path, url: str, *more: str) -> int:
    return main(["grade", "--blind", str(path), "--base-url", url, "-q", *more])


def graded(grader: str) -> dict[int, set[str]]:
    """Trials with the criteria that a grader has dealt with."""
    found: dict[int, set[str]] = {}
    for one in snapshot().grades:
        if one.grader == grader:
            assert one.criterion not in found.setdefault(one.trial_id, set()), "graded twice"
            found[one.trial_id].add(one.criterion)
    return found


# --- the whole way --------------------------------------------------------------------------------------------


@pytest.mark.long
def test_checks_and_judge_grade_every_output_once(ran: Path, server: Recorded) -> None:
    assert grade(ran, server.url) == 0
    outputs = set(answered(snapshot()))
    assert len(outputs) == 8
    assert graded("checks") == {trial: {"number"} for trial in outputs}
    assert graded(judge_name(DEFAULT_JUDGE)) == {trial: {"right"} for trial in outputs}
    assert len(server.messages()) == 8
    assert main(["report", str(ran), "-o", "report.json", "-q"]) == 0


@pytest.mark.long
def test_an_edited_rubric_changes_no_run_and_that_is_said(
    ran: Path, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    assert grade(ran, server.url) == 0
    assert "not the rubric" not in capsys.readouterr().err
    rubric = Path("rubrics/tiny.yaml")
    for edited in (rubric.read_text().replace("weight: 2", "weight: 3"), "criteria: ["):
        rubric.write_text(edited)
        assert grade(ran, server.url) == 0
        assert "rubrics/tiny.yaml is not the rubric that this run was made with" in capsys.readouterr().err
        assert {one.rubric_sha256 for one in snapshot().rounds} == {snapshot().spec.rubric_sha256}


def test_the_same_command_again_asks_nothing(ran: Path, server: Recorded) -> None:
    assert grade(ran, server.url) == 0
    before, sent = snapshot(), len(server.requests)
    assert grade(ran, server.url) == 0
    assert (snapshot(), len(server.requests)) == (before, sent)


@pytest.mark.long
def test_outputs_that_come_later_are_graded_by_the_same_command(tiny: Path) -> None:
    broken = {"is": True}
    with recorded(fault=lambda number, _: "status=401" if number == 3 and broken["is"] else None) as server:
        assert main(command(tiny, server.url, "-j", "1")) == ExitCode.PROVIDER
        broken["is"] = False
        (path,) = run_files()
        assert grade(path, server.url) == 0
        assert len(graded("checks")) == 3
        assert main(command(tiny, server.url)) == 0
        assert grade(path, server.url) == 0
    assert len(graded("checks")) == len(graded(judge_name(DEFAULT_JUDGE))) == 8
    assert len(snapshot().rounds) == 1


def test_only_answers_are_graded(tiny: Path) -> None:
    outcomes = {"order 1000": "outcome=refused", "order 1001": "outcome=truncated", "order 1002": "status=400"}

    def fault(_: int, body: dict[str, Any]) -> str | None:
        asked = str(body["messages"])
        return next((f for order, f in outcomes.items() if order in asked and body["model"] == MODELS[0]), None)

    with recorded(fault=fault) as server:
        assert main(command(tiny, server.url)) == 0
        server.requests.clear()
        (path,) = run_files()
        assert grade(path, server.url) == 0
        assert len(server.messages()) == 5
    assert len(graded("checks")) == 5


@pytest.mark.long
def test_answers_that_are_no_grades_leave_everything_ungraded_with_reasons(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with independent() as server:
        assert main(["run", str(tiny), "--base-url", server.url, "-m", "my-model", "-q"]) == 0
        (path,) = run_files()
        assert grade(path, server.url, "--judge", "my-judge") == 0
        judged = [one for one in snapshot().grades if one.grader == "judge my-judge"]
        assert len(judged) == 4
        assert {one.level for one in judged} == {None}
        assert all("not JSON" in str(one.ungraded_reason) for one in judged)
        sent = len(server.messages())
        assert grade(path, server.url, "--judge", "my-judge") == 0
        assert len(server.messages()) == sent, "an unreadable answer is a result, not asked for again"
        capsys.readouterr()
        assert main(["grade", "--blind", str(path), "--base-url", server.url, "--judge", "my-judge", "--yes"]) == 0
        said = capsys.readouterr().err
        assert "warning: 4 outputs without a grade that a judge was asked for, which no repeat brings (" in said
        assert "not JSON" in said
        assert main(["report", str(path), "-o", "report.html", "-o", "report.json", "-o", "report.md", "-q"]) == 0
    assert json.loads(Path("report.json").read_text())


@pytest.mark.parametrize("fault", ["status=400", "status=413"])
def test_a_judge_that_fails_for_good_leaves_its_output_ungraded(fault: str, ran: Path) -> None:
    def fails(_: int, body: dict[str, Any]) -> str | None:
        return fault if "order 1001" in str(body["messages"]) else None

    with recorded(fault=fails) as server:
        assert grade(ran, server.url) == 0
    grades = [one for one in snapshot().grades if one.grader != "checks"]
    assert sorted(one.level is None for one in grades) == [False] * 6 + [True] * 2


def test_a_dry_run_sends_and_writes_nothing(ran: Path, server: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    files = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    assert grade(ran, server.url, "--dry-run") == 0
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == files
    assert server.requests == []
    assert "8 outputs" in capsys.readouterr().out


def test_without_a_judge_the_checks_grade_and_nothing_is_sent(ran: Path, server: Recorded) -> None:
    assert grade(ran, server.url, "--by", "checks") == 0
    assert (len(graded("checks")), server.requests) == (8, [])


# --- stopping and going on ------------------------------------------------------------------------------------


PANEL = Panel((DEFAULT_JUDGE,))


def pay(path: Path, trials: int, text: str) -> None:
    """Answers of a judge that were recorded by a process which died before it could read them."""
    with RunFile(path) as run:
        round_ = open_round(run, ("checks", judge_name(DEFAULT_JUDGE)), blind=True)
        asked = questions(run.snapshot(), round_, PANEL, run.sealed_key(round_.id))
        for question in sorted(asked, key=lambda question: question.trial_ids)[:trials]:
            start = AttemptStart(question.trial_ids[0], 1, "2026-11-22T14:00:00+00:00", 0.0, question.grader, round_.id)
            started = run.start_attempt(start)
            run.finish_attempt(started, subject(round_, question), Reply("answered", 1.0, text), True, 1.0, 0.01)


def test_an_answer_that_was_paid_for_is_read_and_not_asked_for_again(ran: Path, server: Recorded) -> None:
    text = json.dumps({"grades": {"right": {"reason": "As paid for.", "level": 1}}})
    pay(ran, 3, text)
    assert grade(ran, server.url) == 0
    assert len(server.messages()) == 5
    read = [one for one in snapshot().grades if one.comment == "As paid for."]
    assert [(one.trial_id, one.level) for one in sorted(read, key=lambda one: one.trial_id)] == [
        (trial_id, 1) for trial_id in sorted(answered(snapshot()))[:3]
    ]
    assert len(graded(judge_name(DEFAULT_JUDGE))) == 8


def test_when_everything_was_paid_for_nothing_is_asked(ran: Path, server: Recorded) -> None:
    pay(ran, 8, "not a grade")
    assert grade(ran, server.url) == 0
    assert server.messages() == []
    assert {one.level for one in snapshot().grades if one.grader != "checks"} == {None}


def test_a_fatal_refusal_in_the_middle_is_exit_5_and_the_same_command_goes_on(ran: Path) -> None:
    with recorded(fault=lambda number, _: "status=401" if number == 3 else None) as server:
        assert grade(ran, server.url, "-j", "1") == ExitCode.PROVIDER
        assert len(graded(judge_name(DEFAULT_JUDGE))) == 3
        assert grade(ran, server.url) == 0
        assert len(server.messages()) == 4 + 5
    assert len(graded(judge_name(DEFAULT_JUDGE))) == 8
    again = [a.number for a in snapshot().attempts if a.error_type is not None or a.number > 1]
    assert again == [1, 2], "the second attempt goes on counting"


@pytest.mark.long
def test_a_budget_is_never_passed_and_a_higher_one_goes_on(ran: Path, server: Recorded) -> None:
    run_usd = spent_usd(snapshot())
    assert grade(ran, server.url, "--budget-usd", f"{run_usd + 0.06}") == ExitCode.BUDGET
    assert run_usd < spent_usd(snapshot()) <= run_usd + 0.06
    assert grade(ran, server.url, "--budget-usd", "5") == 0
    assert len(server.messages()) == 8


@pytest.mark.long
def test_a_projects_budget_is_one_for_run_and_grade(
    tiny: Path, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    cap_usd = 0.045  # enough for one request to the judge, but for what the run has spent
    Path("evalkit.yaml").write_text(f"budget_usd: {cap_usd}\n")
    assert main(command(tiny, server.url)) == 0
    (path,), sent = run_files(), len(server.messages())
    capsys.readouterr()
    assert main(["grade", "--blind", str(path), "--base-url", server.url]) == ExitCode.BUDGET
    assert len(server.messages()) == sent
    said = capsys.readouterr().err
    assert "budget $0.045 for run and grade ($0.0055 spent)" in said
    assert "leaves no room for the next request ($0.0055 spent on this run file by run and grade)" in said
    assert grade(path, server.url, "--budget-usd", "5") == 0


@pytest.mark.long
def test_under_a_budget_a_run_and_a_grading_do_not_pay_side_by_side(
    ran: Path, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    with RunFile(ran) as other, other.only_writer("run"):
        assert grade(ran, server.url, "--budget-usd", "5") == ExitCode.INTEGRITY
        assert "in use by another evalkit command" in capsys.readouterr().err
        assert server.messages() == []
        assert grade(ran, server.url) == 0


@pytest.mark.long
def test_attempts_that_may_have_been_billed_weigh_on_the_budget(ran: Path, server: Recorded) -> None:
    grader = judge_name(DEFAULT_JUDGE)
    with RunFile(ran) as run:
        round_ = open_round(run, ("checks", grader), blind=True)
        for number in range(50):
            run.start_attempt(AttemptStart(1, number + 1, "2026-11-22T14:00:00+00:00", 0.0, grader, round_.id))
    assert grade(ran, server.url, "--budget-usd", "1.0") == ExitCode.BUDGET
    assert server.messages() == []


# --- refusals -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "code", "word"),
    [
        (["--judge", "claude-sonnet-9"], ExitCode.USAGE, "unknown"),
        (["--judge", "claude-opus-4-1-20250805"], ExitCode.USAGE, "retired"),
        (["--judge", "claude-mythos-5", "--budget-usd", "5"], ExitCode.USAGE, "no known price"),
        (["--budget-usd", "nan"], ExitCode.USAGE, "budget"),
        (["--base-url", "http://127.0.0.1:9"], ExitCode.PROVIDER, "cannot be reached"),
        (["--rubric", "other.yaml"], ExitCode.INTEGRITY, "not the one fixed before"),
        (["--judge", MODELS[0]], ExitCode.USAGE, f"judge '{MODELS[0]}' is one of the models compared"),
        (["--judge", "claude-opus-5-5", "--judge", "claude-haiku-4-5"], ExitCode.USAGE, "add --allow-own-judge"),
        (["--judge", "claude-opus-5-5", "--judge", "claude-sonnet-9"], ExitCode.USAGE, "unknown"),
    ],
)
def test_a_refusal_leaves_no_trace(
    more: list[str], code: ExitCode, word: str, ran: Path, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("other.yaml").write_text(Path("rubrics/tiny.yaml").read_text().replace("weight: 2", "weight: 3"))
    before = snapshot()
    assert grade(ran, server.url, *more) == code
    assert word in capsys.readouterr().err
    assert snapshot() == before
    assert server.messages() == []


def test_a_run_without_outputs_cannot_be_graded(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with recorded(fault=lambda *_: "outcome=refused") as server:
        assert main(aloud(command(tiny, server.url))) == 0
        (path,) = run_files()
        assert grade(path, server.url) == ExitCode.USAGE
    told = capsys.readouterr()
    assert "no outputs to grade: all trials ended without one, for good (8 refused); `evalkit runs" in told.err
    assert "next: evalkit runs" in told.out


def test_a_run_that_has_not_been_answered_yet_goes_on_before_it_is_graded(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with recorded(fault=lambda number, _: "status=400" if number else "outcome=refused") as server:
        assert main(command(tiny, server.url, "-j", "1")) == ExitCode.PROVIDER
        (path,) = run_files()
        assert grade(path, server.url) == ExitCode.USAGE
    assert "no outputs to grade yet; `evalkit run` comes first" in capsys.readouterr().err


def test_why_nothing_is_left_to_grade_is_told_by_kind(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with recorded(fault=lambda *_: "status=400") as server:
        assert main(aloud(command(tiny, server.url, "-n", "2"))) == 0
        told = capsys.readouterr().out
        assert "complete, 0 answered, 4 errored for good" in told
        (path,) = run_files()
        assert grade(path, server.url) == ExitCode.USAGE
    assert "(4 errored (invalid_request_error))" in capsys.readouterr().err


def test_a_rubric_that_only_a_judge_can_apply_needs_one(
    tiny: Path, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    rubric = Path("rubrics/tiny.yaml")
    text = rubric.read_text()
    checked = text[text.index("  - id: number") : text.index("  - id: right")]
    rubric.write_text(text.replace(checked, ""))
    assert main(command(tiny, server.url)) == 0
    (path,) = run_files()
    assert grade(path, server.url, "--by", "checks") == ExitCode.USAGE
    assert "which checks cannot grade" in capsys.readouterr().err


def test_two_gradings_at_once_are_refused(ran: Path, server: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    before = snapshot()
    with RunFile(ran) as first, first.only_writer("grade"):
        assert grade(ran, server.url) == ExitCode.INTEGRITY
    assert "in use by another evalkit command" in capsys.readouterr().err
    assert (snapshot(), server.messages()) == (before, [])


# --- blindness ------------------------------------------------------------------------------------------------


def texts_of(value: Any) -> Iterator[str]:
    """Every text in a JSON value, keys included."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from texts_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_of(inner)
    else:
        yield str(value)


@pytest.mark.long
def test_what_reaches_the_judge_names_no_model_tier_price_time_or_count(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a shipped dataset, whose simulated answers name themselves now and then."""
    monkeypatch.chdir(tmp_path)
    with recorded() as server:
        dataset = str(root / "datasets/contract-clauses.jsonl")
        assert main(["run", dataset, "-n", "12", "--base-url", server.url, "-q"]) == 0
        server.requests.clear()
        (path,) = run_files()
        judges = ["--judge", "claude-opus-5-5", "--judge", "sandbox-judge-lenient", "--judge-context", "full"]
        assert grade(path, server.url, *judges) == 0
        singles = len(server.messages())
        assert grade(path, server.url, *judges, "--side-by-side") == 0
    seen = snapshot()
    bodies = server.messages()
    assert singles == 2 * len(answered(seen)) > 60
    assert len(bodies) - singles == len(seen.preferences) > 120
    assert all(grade.identity_marks == 0 or HIDDEN in str(bodies) for grade in seen.grades)
    for body in bodies:
        assert body.pop("model") in ("claude-opus-5-5", "sandbox-judge-lenient")
        text = "\n".join(texts_of(body)).lower()
        for forbidden in (*seen.spec.models, *(model.id for model in KNOWN), *TIERS, "claude", "anthropic"):
            assert forbidden not in text
        for forbidden in ("latency", "cost_usd", "ttft", "input_tokens", "output_tokens", seen.spec.name + "-"):
            assert forbidden not in text
    every_byte = b"\n".join(r.path.encode() + repr(r.headers).encode() + r.body for r in server.requests)
    for attempt in seen.attempts:
        if attempt.grader is None:
            facts = (attempt.request_id, attempt.cost_usd, attempt.latency_s, attempt.felt_s, attempt.ttft_s)
            assert not any(str(fact).encode() in every_byte for fact in facts if fact)


def test_labels_never_leave_and_the_sealed_table_maps_them_back(ran: Path, server: Recorded) -> None:
    assert grade(ran, server.url) == 0
    with RunFile(ran) as run:
        (round_,) = run.snapshot().rounds
        key = run.sealed_key(round_.id)
        sealed = {row["label"]: (row["grader"], row["trial_id"]) for row in run._db.execute("SELECT * FROM sealed")}
        graders = ("checks", judge_name(DEFAULT_JUDGE))
        outputs = answered(run.snapshot())
        assert sealed == {label_for(key, g, trial): (g, trial) for g in graders for trial in outputs}
    every_byte = b"\n".join(repr(request.headers).encode() + request.body for request in server.requests)
    assert not any(label.encode() in every_byte for label in sealed)
    assert key not in every_byte
    assert key.hex().encode() not in every_byte


def copy_with_other_facts(path: Path, target: Path) -> None:
    """The same outputs, by other models at other prices, times, token counts and orders."""
    with RunFile(path) as run:
        seen = run.snapshot()
    other = {MODELS[0]: "claude-opus-4-8", MODELS[1]: "claude-haiku-5-5"}
    spec = replace(seen.spec, models=tuple(other.values()), seed=seen.spec.seed)
    order = [TrialKey(t.key.item_id, other[t.key.model], 1) for t in seen.trials]
    with RunFile.create(target, spec, seen.items, {}, order) as run:
        for attempt in seen.attempts:
            _record_otherwise(run, attempt, other)


def _record_otherwise(run: RunFile, attempt: Attempt, other: Mapping[str, str]) -> None:
    for number in (1, 2):
        started = run.start_attempt(
            AttemptStart(attempt.trial_id, number, "2027-01-01T00:00:00+00:00", 5.0, None, None)
        )
        good = number == 2
        reply = Reply(
            "answered" if good else "errored", 77.0, attempt.text if good else "", 33.0, "end_turn",
            other[str(attempt.served_model)], "req_other", Usage(9999, 8888, 7, 6, 5, "priority"),
            error_type=None if good else "overloaded_error",
        )  # fmt: skip
        run.finish_attempt(started, f"trial/{attempt.trial_id}", reply, good, 99.0, 12.34)


def test_the_judge_gets_the_same_bytes_whoever_wrote_at_whatever_price(ran: Path, server: Recorded) -> None:
    """No information flows: all that is not the output is changed, and not a byte of the requests changes."""
    copy_with_other_facts(ran, Path("other.db"))
    told = []
    for path in (ran, Path("other.db")):
        server.requests.clear()
        assert grade(path, server.url) == 0
        told.append(sorted(r.body for r in server.requests if r.path == "/v1/messages"))
    assert len(told[0]) == 8
    assert told[0] == told[1]


def test_a_request_to_the_judge_is_made_of_rubric_task_reference_and_scrubbed_output_only(
    ran: Path, server: Recorded
) -> None:
    assert grade(ran, server.url) == 0
    rubric = read_rubric(Path("rubrics/tiny.yaml"))
    with RunFile(ran) as run:
        seen = run.snapshot()
        fresh = replace(seen, grades=())
        queue = build_queue(fresh, seen.rounds[0], judge_name(DEFAULT_JUDGE), run.sealed_key(1))
    expected = []
    for task in queue.tasks:
        plain = replace(task, label="", criteria=rubric.criteria)
        request = judge.build_request(DEFAULT_JUDGE, plain, judge.shared_text(plain))
        expected.append(json.dumps([request.system, request.messages, request.params["output_config"]]))
    sent = [json.dumps([b["system"], b["messages"], b["output_config"]]) for b in server.messages()]
    assert sorted(sent) == sorted(expected)
    assert all(
        set(b) == {"model", "max_tokens", "system", "messages", "output_config", "stream"} for b in server.messages()
    )


SELF_PRAISE = "I am Claude Sonnet 4.6 (claude-sonnet-4-6), as tiny-local-1b would say. The order 1000 is on its way."


def confess(path: Path) -> None:
    """A run whose only output names its author in every way."""
    item = ItemRecord("i", 0, "Where is it?", None, "order 1000", None, ())
    rubric = read_rubric(Path("rubrics/tiny.yaml"))
    spec = Spec(
        "tiny", "d", rubric.sha256, "p", MODELS, 1, 1, None, None, "http://127.0.0.1", True, 64, rubric.content(),
        "0", "none", "2026-11-22T14:00:00+00:00",
    )  # fmt: skip
    with RunFile.create(path, spec, [item], {}, [TrialKey("i", MODELS[0], 1)]) as run:
        started = run.start_attempt(AttemptStart(1, 1, "2026-11-22T14:00:00+00:00", 0.0, None, None))
        reply = Reply("answered", 1.0, SELF_PRAISE, served_model="tiny-local-1b", usage=Usage(1, 1))
        run.finish_attempt(started, "trial/1", reply, True, 1.0, 0.1)


def test_an_output_that_names_its_author_is_scrubbed_and_counted(tiny: Path, server: Recorded) -> None:
    confess(Path("confession.db"))
    assert grade(Path("confession.db"), server.url) == 0
    (body,) = server.messages()
    text = str(body["messages"])
    assert HIDDEN in text
    assert not any(name in text for name in ("Claude", "Sonnet", "sonnet", "tiny-local"))
    with RunFile(Path("confession.db")) as run:
        assert all(one.identity_marks >= 3 for one in run.snapshot().grades)


def test_a_round_that_is_not_blind_is_stamped_and_kept_apart(tiny: Path, server: Recorded) -> None:
    path = Path("confession.db")
    confess(path)
    assert main(["grade", "--no-blind", str(path), "--base-url", server.url, "-q"]) == 0
    assert "Sonnet" in str(server.messages()[0]["messages"])
    assert grade(path, server.url) == 0
    with RunFile(path) as run:
        assert [round_.blind for round_ in run.snapshot().rounds] == [False, True]


# --- through the library --------------------------------------------------------------------------------------


def test_a_bill_is_an_upper_bound_and_opens_nothing(ran: Path, server: Recorded) -> None:
    before = snapshot()
    bill = judge_bill(before, Round(0, before.spec.rubric_sha256, (), True, 1, ""), PANEL)
    assert snapshot() == before
    assert grade(ran, server.url) == 0
    attempts = [a for a in snapshot().attempts if a.grader]
    assert bill.requests == len(attempts) == 8
    assert bill.worst_usd is not None
    assert sum(a.cost_usd or 0.0 for a in attempts) <= bill.worst_usd


def test_an_unpriced_judge_has_no_bill_but_can_work(ran: Path) -> None:
    seen = snapshot()
    bill = judge_bill(seen, Round(0, seen.spec.rubric_sha256, (), True, 1, ""), Panel(("my-judge",)))
    assert (bill.requests, bill.worst_usd) == (8, None)


def test_no_latency_is_claimed_of_a_judge_that_was_asked_while_our_own_process_stood_still(
    ran: Path, server: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, told = list[Request](), list[Progress]()
    send = AnthropicProvider.attempt

    async def attempt(self: AnthropicProvider, request: Request) -> Reply:
        asked.append(request)
        if len(asked) == 1:
            time.sleep(STALL_S + 0.05)
        return await send(self, request)

    async def go() -> None:
        provider = AnthropicProvider(server.url)
        try:
            with RunFile(ran) as run:
                round_ = open_round(run, graders_for(read_rubric(Path("rubrics/tiny.yaml")), PANEL), blind=True)
                await grade_by_judges(run, round_, PANEL, provider, Limits(concurrency=1), None, told.append)
        finally:
            await provider.close()

    monkeypatch.setattr(AnthropicProvider, "attempt", attempt)
    monkeypatch.setattr("evalkit.executors.lag.STALL_S", STALL_S)
    asyncio.run(go())
    first, *others = (attempt for attempt in snapshot().attempts if attempt.grader is not None)
    assert (first.outcome, first.latency_s, first.felt_s, told[0].felt_s) == ("answered", None, None, None)
    assert any(attempt.latency_s is not None for attempt in others)


def test_a_judge_holds_the_file_while_it_works(ran: Path, server: Recorded) -> None:
    async def go() -> None:
        provider = AnthropicProvider(server.url)
        try:
            with RunFile(ran) as run, RunFile(ran) as other, other.only_writer("grade"):
                graders = graders_for(read_rubric(Path("rubrics/tiny.yaml")), PANEL)
                round_ = open_round(run, graders, blind=True)
                await grade_by_judges(run, round_, PANEL, provider, Limits(), None, lambda _: None)
        finally:
            await provider.close()

    with pytest.raises(IntegrityError, match="in use"):
        asyncio.run(go())
    assert server.messages() == []
