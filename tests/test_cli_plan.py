"""`evalkit plan`: what a set can show, said before anything is spent."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from analysis_builders import OPUS, SONNET, Book, answered, run_of, spec, write_run

from evalkit.bill import TYPICAL_OUTPUT_TOKENS, request_usd
from evalkit.cli import main
from evalkit.cli.spending import dollars
from evalkit.dataset_files import read_dataset
from evalkit.panel import Panel
from evalkit.planning import Options, foreseen_bill


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["plan", *arguments]) == 0
    return capsys.readouterr().out


@pytest.mark.long
def test_fifty_items_cannot_pass_a_five_point_gate_without_gains(capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "--items", "50", "--margin", "0.05")
    assert "50 items cannot pass when nothing differs; 59 can" in out
    assert "0 won: none can pass" in out


def test_three_epochs_of_fifty_items_pass_a_ten_point_gate_most_of_the_time(capsys: pytest.CaptureFixture[str]) -> None:
    sizing = json.loads(said(capsys, "--items", "50", "--epochs", "3", "--json"))
    assert 0.85 <= sizing["gate_power"] <= 0.97
    assert sizing["items_needed"] == 50


@pytest.mark.long
def test_a_dataset_says_its_own_size(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    assert said(capsys, str(root / "datasets" / "support-replies.jsonl")).startswith("60 items, 1 epoch")


@pytest.mark.long
def test_an_earlier_run_gives_rate_discordance_and_costs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    write_run(path, run_of({OPUS: [[n % 10 != 0] for n in range(40)], SONNET: [[n % 10 != 5] for n in range(40)]}))
    sizing = json.loads(said(capsys, "--run", str(path), "--json"))
    assert sizing["assumed"]["items"] == 40
    assert sizing["assumed"]["rate"] == pytest.approx(0.9)
    assert sizing["assumed"]["discordance"] == pytest.approx(0.9 * 2 * 0.9 * 0.1)  # seen: 0.2, more than chance gives
    assert len(sizing["cost_per_trial_usd"]) == 2
    assert "$" in said(capsys, "--run", str(path))


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ([], "nothing to plan for"),
        (["--items", "50", "--rate", "1"], "--rate is 1"),
        (["--items", "50", "--margin", "0"], "--margin is 0"),
        (["--items", "50", "--alpha", "0.6"], "--alpha is 0.6"),
        (["--items", "50", "--alpha", "0.45"], "must lie from 0.0001 to 0.4"),
        (["--items", "50", "--alpha", "1e-12"], "--alpha is 1e-12, but must lie from 0.0001 to 0.4"),
        (["--items", "50", "--epochs", "3", "--rate", "0.99", "--discordance", "0.5"], "do not go together"),
        (["missing.jsonl"], "does not exist"),
    ],
)
def test_nonsense_is_refused_in_one_line(arguments: list[str], what: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", *arguments]) == 2
    err = capsys.readouterr().err
    assert what in err
    assert err.count("error: ") == 1


def test_a_run_without_grades_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    book = Book(spec())
    book.trial("a", answered())
    write_run(path, book.snapshot())
    assert main(["plan", "--run", str(path)]) == 2
    assert "has no grades to plan from" in capsys.readouterr().err


@pytest.mark.long
def test_a_dataset_that_nobody_has_run_has_its_price_said_before_any_money(
    capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    dataset = str(root / "datasets" / "support-replies.jsonl")
    told = json.loads(said(capsys, dataset, "--epochs", "2", "--json"))
    assert len(told["cost_per_trial_usd"]) == 3
    assert all(usd > 0 for usd in told["cost_per_trial_usd"])
    assert told["judge_per_output_usd"] > 0
    per_item = sum(told["cost_per_trial_usd"]) + 3 * told["judge_per_output_usd"]
    out = said(capsys, dataset, "--epochs", "2")
    assert f"This set costs about {dollars(per_item * 120)}: 360 requests" in out
    assert "answers of 400 tokens" in out
    assert "This set costs" not in said(capsys, "--items", "50")


def test_a_foreseen_price_is_that_of_the_same_prompts_in_a_run(root: Path) -> None:
    """A dry run against a server that cannot count gives the same bill."""
    dataset = read_dataset(root / "datasets" / "support-replies.jsonl")
    bill = foreseen_bill(dataset, None, Options((OPUS,)), Panel(("judge",)))
    assert bill.judges == ()
    (line,) = bill.lines
    when = datetime.now(UTC)
    one = request_usd(OPUS, line.input_tokens // line.requests, TYPICAL_OUTPUT_TOKENS, when)
    assert one is not None
    assert line.expected_usd == pytest.approx(one * line.requests, rel=0.01)
    assert line.uncounted == line.requests


@pytest.mark.long
def test_dearer_context_of_the_card_is_in_the_price(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "small.jsonl"
    path.write_text(json.dumps({"id": "a", "input": "Say it."}) + "\n", encoding="utf-8")
    short = json.loads(said(capsys, str(path), "--json"))
    assert short["judge_per_output_usd"] is None  # no rubric: whether there is anything to judge is not known
    path.write_text(json.dumps({"id": "a", "input": "Say it. " * 5000}) + "\n", encoding="utf-8")
    long = json.loads(said(capsys, str(path), "--json"))
    assert sum(long["cost_per_trial_usd"]) > 3 * sum(short["cost_per_trial_usd"])
    assert "judging not known" in said(capsys, str(path))


def test_judging_of_an_earlier_run_is_in_what_more_would_cost(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    book = Book(spec((OPUS, SONNET)))
    for n in range(40):
        for model in (OPUS, SONNET):
            trial = book.trial(f"i{n}", answered(0.01), model=model, level=int(n % 10 > 0))
            book.judging(trial, answered(0.05))
    path = write_run(tmp_path / "run.db", book.snapshot())
    told = json.loads(said(capsys, "--run", str(path), "--json"))
    assert told["judge_per_output_usd"] == pytest.approx(0.05)
    assert "This set costs about $4.80" in said(capsys, "--run", str(path))  # 80 requests, 80 judgements
