"""Progress: a live table that fits its terminal, plain lines elsewhere, JSON for machines, and true projections."""

import json
import re
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from servers import Recorded, recorded
from terminals import Terminal, terminal
from test_run import MODELS, write_tiny

from evalkit.charged import Charged
from evalkit.cli import main
from evalkit.cli.progress import MOST_NOTES, Board, Counter, counting
from evalkit.cli.progress_words import duration, footer, state
from evalkit.cli.tally import Ahead, Tally
from evalkit.errors import BudgetError, ExitCode
from evalkit.executors.local import Progress
from evalkit.executors.schedule import Call
from evalkit.records import Reply, Request, Usage

LIVE = {"CI": "", "NO_COLOR": "", "FORCE_COLOR": ""}
ANSI = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def progress(
    model: str, *, final: bool = True, cost_usd: float | None = 0.01, outcome: Any = "answered", limit: int = 0,
    felt_s: float | None = 1.5, waiting: int | None = None, left: bool | None = False, **reply: Any,
) -> Progress:  # fmt: skip
    call = Call("trial/1", 1, Request(model, (), 1), 0.1)
    return Progress(call, Reply(outcome, 1.0, **reply), final, cost_usd, felt_s, limit, waiting, left)


def tally(*ended: Progress, budget_usd: float | None = None, spent_usd: float = 0.0, **totals: int) -> Tally:
    made = Tally({name: Ahead(total) for name, total in totals.items()}, budget_usd, Charged(spent_usd))
    charged = Charged(spent_usd)
    for one in ended:
        charged = charged.plus(0.1, one.cost_usd)
        made.count(replace(one, charged=charged))
    return made


def failing(
    status: int | None, error_type: str, *, final: bool = False, limit: int = 0, model: str = "a",
    left: bool | None = False,
) -> Progress:  # fmt: skip
    return progress(
        model, final=final, outcome="errored", cost_usd=0.0, status=status, error_type=error_type, limit=limit,
        left=left,
    )  # fmt: skip


# --- projections ----------------------------------------------------------------------------------------------


def test_projections_are_made_for_each_model_since_the_fast_and_cheap_one_ends_first() -> None:
    ended = [progress("cheap", cost_usd=0.01)] * 9 + [progress("dear", cost_usd=0.10)]
    seen = tally(*ended, cheap=10, dear=10)
    assert seen.projected_usd() == pytest.approx(0.10 + 1.00), "not 20 times the mean of ten that ended, $0.38"
    assert seen.left_s(10.0) == pytest.approx(90.0), "the slow model's, not the 10 s that the pooled rate gives"


def test_a_model_that_has_ended_nothing_goes_by_its_estimate_and_has_no_time() -> None:
    seen = Tally({"a": Ahead(10, 5.0), "b": Ahead(10, 2.0), "none": Ahead(0)})
    seen.count(progress("a", cost_usd=0.1))
    assert seen.projected_usd() == pytest.approx(1.0 + 2.0)
    assert seen.left_s(1.0) is None
    assert "time left unknown" in state(seen, 1.0)


def test_what_is_unpriced_is_never_projected() -> None:
    seen = tally(progress("a", cost_usd=None), progress("b"), a=2, b=2)
    assert seen.projected_usd() is None
    assert "heading" not in state(seen, 1.0)
    assert "and what is unpriced" in state(seen, 1.0)


def test_earlier_spending_counts_for_the_budget() -> None:
    seen = tally(progress("a", cost_usd=0.5), budget_usd=5.0, spent_usd=2.0, a=4)
    assert footer(seen, 125.0, wide=True) == [
        "1/4  2:05 elapsed  about 6:15 left  $2.500 of $5.00 budget, heading for $4.000"
    ]
    assert len(footer(seen, 125.0, wide=False)) == 2
    assert seen.missing() == "3 of 4 requests are left, about $1.5 by what they cost so far"


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1:00"), (3725, "1:02:05")])
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_errors_stand_once_with_their_count_and_what_was_done() -> None:
    seen = tally(
        *[failing(429, "rate_limit_error", limit=limit) for limit in (8, 6, 4)],
        failing(429, "rate_limit_error", limit=2, model="b"),
        failing(None, "timeout"),
        failing(404, "not_found_error", final=True),
        failing(200, "overloaded_error"),
        a=9, b=9,
    )  # fmt: skip
    assert seen.troubles() == [
        "429 rate_limit_error ×4, slowed to 2 at a time",
        "timeout ×1, tried again",
        "404 not_found_error ×1, for good",
        "overloaded_error ×1, tried again",
    ]


def test_what_is_left_is_not_called_tried_again() -> None:
    seen = tally(
        *[failing(None, "no_worker", left=True)] * 4,
        *[failing(None, "worker_lost", left=left) for left in (False, False, True)],
        *[failing(404, "not_found_error", left=None)] * 2,
        a=9,
    )  # fmt: skip
    assert seen.troubles() == [
        "no_worker ×4, left",
        "worker_lost ×3, 1 left, 2 tried again",
        "404 not_found_error ×2",
    ]
    assert seen.rows["a"].retries == 2


def test_many_kinds_of_errors_are_counted_after_the_fifth() -> None:
    assert tally(*[failing(500, f"kind-{n}") for n in range(8)], a=9).troubles()[-1] == "3 more kinds of errors"


# --- the lines ------------------------------------------------------------------------------------------------


def test_where_nothing_can_be_redrawn_it_is_a_line_every_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    with Board({"a": Ahead(30), "b": Ahead(10), "none": Ahead(0)}).shown() as board:
        for number in range(40):
            one = progress("b" if number % 4 == 0 else "a")
            board.tell(replace(one, charged=Charged(0.01 * (number + 1))))
    told = capsys.readouterr()
    assert told.out == ""
    lines = told.err.splitlines()
    assert len(lines) == 10
    assert lines[-1].startswith("40/40 done, $0.400 spent, heading for $0.400")


def test_it_gives_a_sign_of_life_while_nothing_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("evalkit.cli.progress.FIRST_WAIT_S", 0.001)
    monkeypatch.setattr("evalkit.cli.progress.LONGER", 1.0)
    heard = ""
    with Board({"a": Ahead(3)}).shown():
        while "0/3 done" not in heard:
            heard += capsys.readouterr().err


def test_a_run_takes_forty_lines_at_most(capsys: pytest.CaptureFixture[str]) -> None:
    with Board({"a": Ahead(1000)}).shown() as board:
        for number in range(1000):
            board.say(f"note {number}")
            board.tell(progress("a") if number % 2 else failing(500, f"kind-{number}", final=True))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == MOST_NOTES + 10 + 6 == 40


def test_quiet_is_silent_whatever_happens(capsys: pytest.CaptureFixture[str]) -> None:
    with Board({"a": Ahead(1)}, quiet=True, budget_usd=0.01).shown() as board:
        board.tell(progress("a"))
        board.say("a note")
    with counting("counting", quiet=True) as counter:
        counter(1, 2)
    assert capsys.readouterr() == ("", "")


def test_four_fifths_of_the_budget_are_warned_of_once(capsys: pytest.CaptureFixture[str]) -> None:
    with Board({"a": Ahead(10)}, budget_usd=1.0, charged=Charged(0.5)).shown() as board:
        for number in range(1, 5):
            board.tell(replace(progress("a", cost_usd=0.1), charged=Charged(0.5 + number / 10)))
    warned = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning")]
    assert warned == [
        "warning: $0.800 of the budget of $1 is spent; 7 of 10 requests are left, about $0.7 by what they cost so far"
    ]


def test_what_a_budget_only_sets_aside_is_not_called_spent(capsys: pytest.CaptureFixture[str]) -> None:
    """An answer that broke off is known to have cost a cent, and may have cost ten."""
    cut = progress("a", final=False, outcome="errored", cost_usd=0.01, usage=Usage(input_tokens=9, output_tokens=1))
    with Board({"a": Ahead(10)}, budget_usd=1.0, charged=Charged(0.5, 0.1, 1)).shown() as board:
        board.tell(replace(cut, charged=Charged(0.51, 0.19, 2)))
        lost = progress("a", final=False, outcome="errored", cost_usd=None)
        board.tell(replace(lost, charged=Charged(0.51, 0.29, 3)))
        board.tell(replace(progress("a", cost_usd=0.1), charged=Charged(0.61, 0.29, 3)))
        assert board.tally.spent_usd == pytest.approx(0.61)
        assert footer(board.tally, 1.0, wide=False)[1].startswith("$0.610 of $1.00 budget, $0.290 more set aside")
    (warned,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("warning"))
    aside = ", $0.290 more set aside at worst case for 3 answers that broke off;"
    assert warned.startswith(f"warning: $0.510 of the budget of $1 is spent{aside}")


def test_a_budget_that_ends_the_work_says_what_is_missing() -> None:
    board = Board({"a": Ahead(10, 0.5)})
    with pytest.raises(BudgetError, match=r"10 of 10 requests are left, about \$0.5 by the estimate"), board.missing():
        raise BudgetError("no room")
    board.tell(replace(progress("a", cost_usd=0.1), charged=Charged(0.1)))
    with pytest.raises(BudgetError, match=r"^no room \(9 of 10 requests are left, about \$0.9 by"), board.missing():
        raise BudgetError("no room")


def test_the_board_counts_also_while_it_is_quiet() -> None:
    board = Board({"a": Ahead(3), "b": Ahead(2)}, quiet=True)
    board.tell(progress("a", final=False, outcome="errored", cost_usd=None))
    board.tell(progress("a"))
    board.tell(progress("a", outcome="refused", felt_s=None))
    board.tell(progress("b", cost_usd=None))
    a, b = board.tally.rows["a"], board.tally.rows["b"]
    assert (a.done, a.failed, a.retries, a.spent_usd, len(a.felt_s)) == (2, 1, 1, 0.02, 1)
    assert (a.unpriced, b.unpriced) == (False, True)


# --- on a real terminal ---------------------------------------------------------------------------------------


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_tiny(tmp_path)


def troubled(number: int, body: dict[str, Any]) -> str | None:
    """The first request of all is turned down, as a busy server does."""
    return "status=529" if number == 1 else None


@pytest.fixture
def server() -> Iterator[Recorded]:
    with recorded(fault=troubled) as running:
        yield running


def run(dataset: Path, server: Recorded, *more: str) -> list[str]:
    return ["run", str(dataset), "--base-url", server.url, *(p for m in MODELS for p in ("-m", m)), *more]


def last_table(seen: Terminal) -> list[str]:
    """The lines of the table that is left on the terminal, be it the only one drawn, and what stands below it."""
    lines = ANSI.sub("", re.split(r"\x1b\[2K|\x1b\[\?25l", seen.seen)[-1]).replace("\r", "").split("\n")
    return [line.rstrip() for line in lines if line.strip()]


@pytest.mark.parametrize(
    ("columns", "heads"),
    [
        (110, "model done rate p50 p95 spend retries failed"),
        pytest.param(95, "model done p50 p95 spend failed", marks=pytest.mark.slow),
        pytest.param(60, "model done p50 p95 spend failed", marks=pytest.mark.slow),
        pytest.param(50, "model done p50 p95 spend failed", marks=pytest.mark.slow),
    ],
)
def test_the_table_has_a_row_a_model_and_fits(columns: int, heads: str, tiny: Path, server: Recorded) -> None:
    with terminal(*run(tiny, server, "--budget-usd", "5"), columns=columns, cwd=tiny.parent, env=LIVE) as opened:
        assert opened.end() == 0
    table = last_table(opened)
    assert max(map(cell_len, table[: table.index(next(x for x in table if "529" in x))])) <= columns
    assert table[0].split() == heads.split()
    assert [line.split()[0] for line in table[1:3]] == ["Sonnet", "Haiku"]
    assert all("6/6" in line and "$0.0" in line for line in table[1:3])
    footer = " ".join(table[3 : 4 if columns >= 96 else 5])
    assert re.fullmatch(
        r"12/12  \d+ s elapsed  about 0 s left +\$0\.\d+ of \$5\.00 budget, heading for \$0\.\d+", footer
    )
    assert ("━" in table[1]) is (columns >= 56)
    assert sum("529 overloaded_error ×1, slowed to" in line for line in table) == 1
    assert "\x1b[36m" in opened.seen, "models have colours"


@pytest.mark.parametrize(
    ("env", "live"),
    [
        ({"NO_COLOR": "1"}, True),
        pytest.param({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, marks=pytest.mark.slow),
        ({"CI": "true"}, False),
        pytest.param({"TERM": "dumb"}, False, marks=pytest.mark.slow),
    ],
)
def test_no_colour_has_no_styles_and_ci_no_redrawing(
    env: dict[str, str], live: bool, tiny: Path, server: Recorded
) -> None:
    with terminal(*run(tiny, server), columns=100, cwd=tiny.parent, env={**LIVE, **env}) as opened:
        assert opened.end() == 0
    assert not re.search(r"\x1b\[[0-9;]*m", opened.seen)
    assert ("\x1b[?25l" in opened.seen) is live, "the cursor is hidden while a table is renewed"
    if live:
        assert [line.split()[0] for line in last_table(opened)[1:3]] == ["Sonnet", "Haiku"], "names tell rows apart"
    else:
        assert "\x1b" not in opened.seen
        assert "\r" not in opened.seen.replace("\r\n", "\n")
        assert "12/12 done" in opened.seen


@pytest.mark.long
def test_a_terminal_without_utf8_gets_ascii(tiny: Path, server: Recorded) -> None:
    env = {**LIVE, "PYTHONIOENCODING": "ascii"}
    with terminal(*run(tiny, server), columns=110, cwd=tiny.parent, env=env) as opened:
        assert opened.end() == 0
    assert opened.seen.isascii()
    assert "\\u" not in opened.seen
    table = last_table(opened)
    assert "----" in table[1], "bars"
    assert any("529 overloaded_error x1" in line for line in table)


def test_forced_colours_go_into_a_pipe_too(
    tiny: Path, server: Recorded, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for force, coloured in (("1", True), ("", False)):
        monkeypatch.setenv("FORCE_COLOR", force)
        assert main(["models"]) == 0
        assert ("\x1b[" in capsys.readouterr().out) is coloured


# --- stopping -------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_ctrl_c_counts_down_what_is_in_flight_and_prints_the_command_that_goes_on(tiny: Path) -> None:
    with (
        recorded(fault=lambda number, body: "slow-headers=0.3") as slow,
        terminal(*run(tiny, slow, "-j", "4"), columns=120, cwd=tiny.parent, env=LIVE) as opened,
    ):
        slow.wait_for(4)
        opened.process.send_signal(signal.SIGINT)
        assert opened.end() == ExitCode.INTERRUPTED
    words = ANSI.sub("", opened.seen)
    assert re.search(r"stopping: waiting for \d in flight; Ctrl-C again gives them up", words)
    assert "stopping, 0 in flight" in words, words[-900:]
    *_, again, last = words.strip().splitlines()
    assert again.startswith(f"again: evalkit run {tiny} --base-url")
    assert last == "exit 130: interrupted"


# --- for machines ---------------------------------------------------------------------------------------------


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_json_is_one_object_a_line_and_nothing_else(
    tiny: Path, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(run(tiny, server, "--json")) == 0
    told = capsys.readouterr()
    assert told.err == ""
    first, *middle, last = events(told.out)
    assert (first["event"], first["trials"]) == ("plan", 12)
    assert {line["requests"] for line in first["models"]} == {6}
    states = [event for event in middle if event["event"] == "progress"]
    assert [event["done"] for event in states][-1] == 12
    assert states[-1]["models"][MODELS[0]]["done"] == 6
    assert next(event["text"] for event in middle if event["event"] == "note").startswith("529 overloaded_error ×1")
    assert (last["event"], last["exit"], last["exit_code"], last["error"]) == ("done", "pass", 0, None)
    assert last["outcomes"] == {"answered": 12}
    assert Path(last["run"]).exists()


@pytest.mark.parametrize(
    ("more", "name", "words"),
    [
        (["--budget-usd", "0.0000001"], "BUDGET", "12 of 12 requests are left"),
        (["--latency-sample", "3"], "USAGE", "--executor batch"),
        (["--only-unsatisfactory", "x"], "USAGE", "go together"),
    ],
)
def test_the_last_event_is_done_however_it_ends(
    more: list[str], name: str, words: str, tiny: Path, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    code = ExitCode[name]
    assert main(run(tiny, server, "--json", *more)) == code
    told = capsys.readouterr()
    last = events(told.out)[-1]
    assert (last["event"], last["exit"], last["exit_code"]) == ("done", name.lower(), code)
    assert words in last["error"]
    assert told.err.splitlines()[-1] == f"exit {code:d}: {name.lower()}"


def test_a_dry_run_and_a_complete_one_are_told_to_machines_too(
    tiny: Path, server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(run(tiny, server, "--json", "--dry-run")) == 0
    assert [event["event"] for event in events(capsys.readouterr().out)] == ["plan", "done"]
    assert main(run(tiny, server, "-q")) == 0
    assert capsys.readouterr() == ("", "")
    assert main(run(tiny, server, "--json")) == 0
    plan, done = events(capsys.readouterr().out)
    assert (plan["done"], done["exit"]) == (12, "pass")
    assert main(run(tiny, server, "-q")) == 0
    assert capsys.readouterr() == ("", ""), "errors only"


# --- counting without money -----------------------------------------------------------------------------------


@pytest.mark.parametrize("interactive", [True, False])
def test_counting_says_something_only_when_it_takes_long(
    interactive: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr("evalkit.cli.progress.monotonic", lambda: now[0])
    monkeypatch.setattr("evalkit.cli.progress.is_interactive", lambda: interactive)
    counter = Counter("counting", quiet=False)
    counter(1, 9)
    assert capsys.readouterr().err == ""
    now[0] = 11.0
    counter(2, 9)
    assert capsys.readouterr().err.startswith("counting: 2/9")
    counter.close()
    assert bool(capsys.readouterr().err) == interactive
