"""`evalkit plan`: what a set can show, said before anything is spent."""

import json
from pathlib import Path

import pytest
from analysis_builders import OPUS, SONNET, Book, answered, run_of, spec, write_run

from evalkit.cli import main


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["plan", *arguments]) == 0
    return capsys.readouterr().out


def test_fifty_items_cannot_pass_a_five_point_gate_without_gains(capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "--items", "50", "--margin", "0.05")
    assert "50 items cannot pass when nothing differs; 59 can" in out
    assert "0 won: none can pass" in out


def test_three_epochs_of_fifty_items_pass_a_ten_point_gate_most_of_the_time(capsys: pytest.CaptureFixture[str]) -> None:
    sizing = json.loads(said(capsys, "--items", "50", "--epochs", "3", "--json"))
    assert 0.85 <= sizing["gate_power"] <= 0.97
    assert sizing["items_needed"] == 50


def test_a_dataset_says_its_own_size(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    assert said(capsys, str(root / "datasets" / "support-replies.jsonl")).startswith("60 items, 1 epoch")


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
