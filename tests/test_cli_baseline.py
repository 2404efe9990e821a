"""`evalkit report --baseline`: a run beside an earlier one."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from analysis_builders import OPUS, run_of, write_run

from evalkit.cli import main


def written(path: Path, passes: list[list[bool]], **spec: str) -> Path:
    made = run_of({OPUS: passes})
    write_run(path, replace(made, spec=replace(made.spec, **spec)))
    return path


def test_the_report_compares_with_the_baseline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = written(tmp_path / "now.db", [[True]] * 30)
    then = written(tmp_path / "then.db", [[n % 2 == 0] for n in range(30)], name="then")
    target = tmp_path / "report.html"
    assert main(["report", str(now), "--baseline", str(then), "-o", str(target)]) == 0
    assert 'id="against' in target.read_text(encoding="utf-8")
    assert main(["report", str(now), "-o", str(target)]) == 0
    assert 'id="against' not in target.read_text(encoding="utf-8")


@pytest.mark.parametrize("command", ["report", "compare"])
def test_a_simulated_baseline_is_marked_before_anything_is_said_of_it(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = written(tmp_path / "now.db", [[True]] * 30)
    made = run_of({OPUS: [[n % 2 == 0] for n in range(30)]})
    then = write_run(tmp_path / "then.db", replace(made, spec=replace(made.spec, name="then", simulated=True)))
    files = [str(tmp_path / f"r{ending}") for ending in (".md", ".html", ".json")]
    outputs = [part for file in files for part in ("-o", file)]
    runs = [str(now), "--baseline", str(then)] if command == "report" else [str(then), str(now)]
    assert main([command, *runs, *outputs]) == 0
    markdown, page, document = (Path(file).read_text(encoding="utf-8") for file in files)
    assert "SIMULATED baseline: Opus 4.6 is better than in the baseline run" in markdown
    assert "SIMULATED: SIMULATED" not in markdown
    assert json.loads(document)["simulated"] is (command == "compare")
    if command == "report":
        assert "Since the baseline run, SIMULATED: " in page
    else:
        assert capsys.readouterr().out.startswith("SIMULATED")
        assert "<title>SIMULATED baseline: " in page


def test_a_baseline_without_a_counterpart_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a page without a comparison would read as one that found nothing."""
    now = written(tmp_path / "now.db", [[True]] * 30)
    then = write_run(tmp_path / "then.db", run_of({"acme-1": [[True]] * 30}))
    target = tmp_path / "r.md"
    assert main(["report", str(now), "--baseline", str(then), "-o", str(target)]) == 0
    for text in (capsys.readouterr().out, target.read_text(encoding="utf-8")):
        assert "No model of this run has a counterpart in the baseline run" in " ".join(text.split())


def test_a_run_is_no_baseline_of_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = written(tmp_path / "now.db", [[True, False]] * 30)
    copy = tmp_path / "copy.db"
    shutil.copy(now, copy)
    for other in (now, copy):
        assert main(["report", str(now), "--baseline", str(other), "-o", str(tmp_path / "r.md")]) == 2
        assert "hold the same outputs and grades; name two runs" in capsys.readouterr().err


def test_a_baseline_of_another_dataset_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = written(tmp_path / "now.db", [[True]] * 5)
    then = written(tmp_path / "then.db", [[True]] * 5, dataset_sha256="e" * 64)
    assert main(["report", str(now), "--baseline", str(then), "-o", str(tmp_path / "r.html")]) == 6
    assert "the baseline has another dataset" in capsys.readouterr().err
    assert not (tmp_path / "r.html").exists()
