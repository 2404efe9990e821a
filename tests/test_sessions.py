"""What the engine recorded of each session: three clocks, queueing apart, and whether our own clock kept up."""

import re
from dataclasses import replace

import pytest
from analysis_builders import JUDGE, OPUS, Book, answered, failed, lost, round_, spec

from evalkit.analysis import Analysis, analyze
from evalkit.analysis.sessions import clock_warnings, kept_time, lateness, standstill
from evalkit.cli.compare import _of_this_page
from evalkit.cli.report import _print_summary
from evalkit.records import Snapshot
from evalkit.redaction import Redaction
from evalkit.report import render_html, render_markdown
from evalkit.session_records import Session, Worker

SESSION = Session(
    1, "2026-11-02T10:00:00+00:00", "host", "local", 8, "2026-11-02T10:01:00+00:00", lag_p99_s=0.003, lag_max_s=0.02
)


def page(analysis: Analysis) -> str:
    return re.sub(r"<[^>]+>", " ", render_html(analysis)).replace("\N{NO-BREAK SPACE}", " ")


def two_sessions(**second: object) -> Snapshot:
    """A killed session with a lost attempt, and one that brought the answers; a judge's session beside them."""
    book = Book(spec((OPUS,)), rounds=[round_()])
    book.trial(
        "a",
        replace(lost(), session_id=1, in_flight=1, queued_s=0.5),
        answered(latency_s=2.0, session_id=2, in_flight=2, queued_s=9.0, reused=True),
        level=1,
    )
    book.trial(
        "b",
        replace(failed(), session_id=2, in_flight=4, queued_s=1.0, reused=False),
        answered(latency_s=4.0, session_id=2, in_flight=6, queued_s=2.0, reused=True),
        level=1,
    )
    book.judging(1, replace(answered(), session_id=3, queued_s=100.0, latency_s=50.0, in_flight=64), grader=JUDGE)
    killed = replace(SESSION, ended_at=None, lag_p99_s=None, lag_max_s=None)
    ended = replace(SESSION, id=2, concurrency=32, **second)
    judge = replace(SESSION, id=3, lag_p99_s=0.9)
    return book.snapshot(sessions=(killed, ended, judge))  # fmt: skip


def test_each_session_has_its_own_figures_and_no_judges_request_in_them() -> None:
    first, second, third = analyze(two_sessions()).sessions
    assert (first.attempts, first.lost, first.failed, first.ended, first.service_s) == (1, 1, 0, False, None)
    assert first.lag_p99_s is None
    assert (second.attempts, second.lost, second.failed, second.concurrency) == (3, 0, 1, 32)
    assert (second.in_flight, second.reused, second.connections) == (4.0, 2, 3)
    assert (second.service_s, second.felt_s, second.queued_s) == (3.0, 4.5, 2.0)  # medians, queueing in neither
    assert (third.attempts, third.judging, third.in_flight, third.late) == (0, 1, None, False)


def test_queueing_on_our_side_changes_no_latency_of_the_model() -> None:
    slow = two_sessions()
    quick = replace(slow, attempts=tuple(replace(a, queued_s=0.0) for a in slow.attempts))
    assert analyze(slow).models == analyze(quick).models
    assert analyze(slow).sessions != analyze(quick).sessions


def test_the_report_shows_every_session_with_its_clocks() -> None:
    text = page(analyze(two_sessions()))
    for words in (
        "Clocks by session", "Attempts by session", "2 of 3", "3.0 s", "4.5 s", "2.0 s", "3.0 ms",
        "never counted as the model", "local executor, at most 32 requests at once", "3 attempts of production",
        "1 request to judges", "not ended: under way, or killed",
    ):  # fmt: skip
        assert words in text, words
    assert "not recorded" not in text.replace("not recorded in this run file", ""), "which has no prices"


@pytest.mark.parametrize(("lag_s", "late"), [(None, False), (0.0099, False), (0.010, False), (0.0141, True)])
def test_a_loop_late_by_more_than_ten_milliseconds_is_warned_about(lag_s: float | None, late: bool) -> None:
    analysis = analyze(two_sessions(lag_p99_s=lag_s))
    said = lateness(analysis.sessions)
    assert ("own clock was late by" in render_markdown(analysis)) is late
    shown = render_html(analysis)
    assert bool(re.search(r"<li data-measured><span[^>]*>This machine", shown)) is late, "before you rely on this"
    assert (said is not None) is late
    assert ("latencies are partly this machine's own" in page(analysis).replace("&#39;", "'")) is late
    if late:
        assert "14 ms (p99, session 2)" in str(said)


def test_a_late_loop_says_nothing_of_latencies_that_nobody_measured() -> None:
    run = two_sessions(lag_p99_s=0.061)
    bare = {"latency_s": None, "ttft_s": None, "felt_s": None}
    untimed = replace(run, attempts=tuple(replace(a, **bare) if a.outcome == "answered" else a for a in run.attempts))
    analysis = analyze(untimed)
    assert any(session.late for session in analysis.sessions)
    assert lateness(analysis.sessions) is None
    assert "this machine's own" not in page(analysis).replace("&#39;", "'")
    assert "on time" not in page(analysis)


def stopped(untimed: int, **changes: object) -> Snapshot:
    """Three answers of one session, so many of which were under way while the process was stopped."""
    book, bare = Book(spec((OPUS,)), rounds=[round_()]), {"latency_s": None, "ttft_s": None, "felt_s": None}
    for number in range(3):
        answer = answered(latency_s=1.0, session_id=1)
        book.trial(f"i{number}", replace(answer, **bare) if number < untimed else answer, level=1)
    return book.snapshot(sessions=(replace(SESSION, **{"lag_max_s": 3.04, **changes}),))


def test_a_process_that_stood_still_is_not_called_on_time() -> None:
    """Its p99 shows nothing of one pause, and the answers under way count by all but their latency."""
    analysis = analyze(stopped(2))
    (session,), model = analysis.sessions, analysis.model(OPUS)
    assert (session.stood_s, session.left_out, session.timed, session.late) == (3.04, 2, 1, False)
    assert (model.counts.answered, model.counts.graded, len(model.clocks["felt"].values_s)) == (3, 3, 1)
    text = page(analysis)
    assert "on time" not in text
    told = (
        "A process that timed requests stood still for up to 3.0 s (session 1), stopped, suspended or starved: the"
        " latencies of 2 trials under way then are left out, their answers, costs and grades are not."
    )
    assert kept_time(analysis.sessions) == standstill(analysis.sessions) == told
    assert text.count(told) == 3, "by the verdict, beside the clocks by session, and in the record of the run"
    assert "without 2 answered but not timed" in text


def test_a_standstill_that_left_latencies_out_is_told_wherever_a_late_clock_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    analysis = analyze(stopped(2), stopped(3))
    told = standstill(analysis.sessions) or ""
    later = standstill(analyze(stopped(3)).sessions) or ""
    _print_summary(analysis, Redaction())
    assert f"! {told}" in capsys.readouterr().out.splitlines()
    assert f"> {told}" in render_markdown(analysis)
    compared = _of_this_page(analysis, "evalkit compare a.db b.db").baseline
    assert compared is not None
    assert {f"Later run: {told}", f"Earlier run: {later}"} <= set(compared.warnings)
    assert clock_warnings(analyze(stopped(0)).sessions) == (), "of one that left none out nothing hangs"


def test_latencies_are_left_out_for_the_session_that_stood_still_and_for_no_other() -> None:
    """A trial whose first attempt was under way then is answered by the next command, and timed; what its user felt
    is known of neither. The attempt of a process that died is no standstill."""
    book = Book(spec((OPUS,)))
    book.trial("a", failed(session_id=1), answered(session_id=2, felt_s=None))
    book.trial("b", replace(lost(), session_id=1), answered(session_id=2, felt_s=None))
    book.trial("c", failed(session_id=3), answered(session_id=2, felt_s=None))
    sessions = (SESSION, replace(SESSION, id=2), replace(SESSION, id=3, executor="batch"))
    first, second, batch = analyze(book.snapshot(sessions=sessions)).sessions
    assert (first.left_out, second.left_out, batch.left_out) == (1, 0, 0)
    assert (second.timed, second.felt_s) == (3, None)


@pytest.mark.parametrize(
    ("untimed", "changes", "said"),
    [
        (0, {"lag_max_s": 0.25}, "Our own loop was on time."),
        (0, {}, "the latencies of 0 trials under way"),
        (3, {}, "the latencies of 3 trials under way"),
        (1, {"lag_max_s": None}, "stood still (session 1)"),
        (1, {"lag_p99_s": 0.4}, "clock was late by 400 ms (p99, session 1)"),
        (3, {"lag_p99_s": 0.4}, "Our own loop was late, but no latency rests on it. A process"),
        (3, {"executor": "batch"}, "Our own loop was on time."),
        (0, {"lag_max_s": None, "lag_p99_s": None}, "Nothing was measured of our own loop"),
    ],
)
def test_what_is_said_of_our_own_clock(untimed: int, changes: dict[str, object], said: str) -> None:
    assert said in kept_time(analyze(stopped(untimed, **changes)).sessions)


def test_of_a_cluster_it_is_the_workers_standstill_that_counts() -> None:
    worker = Worker(1, 1, SESSION.started_at, "host", "node", 7, 0.0, 0.0, lag_max_s=1.5)
    seen = replace(stopped(1, executor="ray"), workers=(worker, replace(worker, id=2, session_id=9, lag_max_s=7.0)))
    assert analyze(seen).sessions[0].stood_s == 1.5
    assert analyze(replace(seen, workers=(replace(worker, lag_max_s=0.1),))).sessions[0].stood_s is None


def test_answers_without_a_clock_are_not_measured_and_never_zero() -> None:
    book = Book(spec((OPUS,)), rounds=[round_()])
    untimed = replace(answered(), latency_s=None, ttft_s=None, felt_s=None, queued_s=None, session_id=1)
    book.trial("a", untimed, level=1)
    batch = replace(SESSION, executor="batch", lag_p99_s=None)
    analysis = analyze(book.snapshot(sessions=(batch,)))
    (found,) = analysis.sessions
    assert (found.service_s, found.felt_s, found.queued_s, found.in_flight, found.timed) == (None, None, None, None, 0)
    text = page(analysis)
    assert "Latency was not measured" in text
    latency = text.partition("Latency was not measured")[2]
    assert latency.count("not measured") >= 5
    assert "not known" in latency  # whether the connection was open


def test_a_file_from_before_sessions_were_recorded_says_so() -> None:
    book = Book(spec((OPUS,)))
    book.trial("a", answered(), level=1)
    assert "not recorded" in page(analyze(book.snapshot()))
