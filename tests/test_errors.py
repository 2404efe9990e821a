"""What is printed of many problems: each of them is found in it, and none floods the terminal."""

from pathlib import Path

import pytest

from evalkit.cli import main
from evalkit.errors import folded

SAME = "unknown key 'ok'; use one of: item_id"


def problems(file: str, lines: list[int], what: str = SAME) -> list[str]:
    return [f"{file}:{line}: {what}" for line in lines]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], []),
        (problems("a.jsonl", [1, 2, 3]), problems("a.jsonl", [1, 2, 3])),
        (problems("a.jsonl", [1, 2, 3, 4]), [f"a.jsonl:1: {SAME} (the same on 3 more lines: 2 to 4)"]),
        (problems("a.jsonl", [9, 3, 4, 5, 12]), [f"a.jsonl:9: {SAME} (the same on 4 more lines: 3 to 5, 12)"]),
        (
            problems("a.jsonl", list(range(2, 1002, 2))),
            [f"a.jsonl:2: {SAME} (the same on 499 more lines: 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, ...)"],
        ),
        (
            [p for n in range(1, 6) for p in (f"a.jsonl:{n}: {SAME}", f"a.jsonl:{n}: {n} is no text; quote it")],
            [f"a.jsonl:1: {SAME} (the same on 4 more lines: 2 to 5)"]
            + [f"a.jsonl:{n}: {n} is no text; quote it" for n in range(1, 6)],
        ),
        (
            problems("a.jsonl", [1, 2, 3]) + problems("C:\\b.jsonl", [1, 2, 3, 4]),
            [*problems("a.jsonl", [1, 2, 3]), f"C:\\b.jsonl:1: {SAME} (the same on 3 more lines: 2 to 4)"],
        ),
        (["no place at all; do this"] * 5, ["no place at all; do this"]),
        (problems("a.jsonl", [7] * 9), problems("a.jsonl", [7])),
    ],
)
def test_what_many_lines_have_is_told_once(given: list[str], told: list[str]) -> None:
    assert list(folded(given)) == told


def test_a_mistake_of_every_line_is_one_line_of_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = tmp_path / "o.jsonl"
    outputs.write_text('{"item_id": "a", "model": "m", "output": "yes", "ok": true}\n' * 200)
    assert main(["import", str(outputs), "--satisfactory-from", "ok", "-o", str(tmp_path / "o.db")]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) < 5, said
    assert said[0].startswith(f"error: {outputs}:1: unknown key 'ok'; use one of: ")
    assert said[0].endswith("(the same on 199 more lines: 2 to 200)")


def test_an_item_whose_id_repeats_is_one_item(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f'{{"id": "i{n if n < 40 else 0}", "input": "Question {n}?"}}\n' for n in range(49)]
    (tmp_path / "d.jsonl").write_text("".join(rows))
    assert main(["check", str(tmp_path / "d.jsonl")]) == 2
    assert "only 49 items; 50 to 100 are advised" in "".join(capsys.readouterr())
