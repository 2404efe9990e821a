"""Runs over items that one model failed: how they are chosen, and that nothing takes them for the workload."""

import csv
import io
import json
import re
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from analysis_builders import HAIKU, OPUS, SONNET, Book, answered, ended, round_, run_of, spec, write_run

from evalkit.analysis import analyze
from evalkit.analysis.trials_table import trials_csv, trials_table
from evalkit.cli import main
from evalkit.cli.only_unsatisfactory import refuse_unlike
from evalkit.cli.summary import verdict_lines
from evalkit.conditional import condition, mark
from evalkit.errors import IntegrityError, UsageError
from evalkit.records import Snapshot
from evalkit.report import build_report, render_html, render_json, render_markdown
from evalkit.selection import Selection, unsatisfactory

MARK = (
    "conditional: only the 12 of 40 items on which Haiku 4.5 was not satisfactory in any epoch;"
    " rates here are not rates of the workload"
)


def conditional(passes: Sequence[bool] = (True,) * 10 + (False,) * 2) -> Snapshot:
    """Two dearer models on twelve items that the usual one failed."""
    made = run_of({OPUS: [[passed] for passed in passes], SONNET: [[False]] * len(passes)})
    return replace(made, spec=replace(made.spec, condition=condition(HAIKU, "5" * 64, 12, 40)))


def test_the_model_that_chose_the_items_is_hidden_in_every_mark(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_run(tmp_path / "c.db", conditional())
    files = [tmp_path / f"r.{suffix}" for suffix in ("html", "md", "json", "xlsx", "csv")]
    argv = ["report", str(path), "--redact", "Haiku", "--redact", r"claude-haiku\S*"]
    assert main([*argv, *(part for file in files for part in ("-o", str(file)))]) == 0
    said = capsys.readouterr().out
    for file in files:
        if file.suffix == ".xlsx":
            with zipfile.ZipFile(file) as archive:
                said += "".join(archive.read(name).decode() for name in archive.namelist())
        else:
            said += file.read_text(encoding="utf-8")
    assert "haiku" not in said.lower()
    assert said.count("items on which ⟦redacted⟧") >= 4


@pytest.mark.parametrize(
    ("epochs", "failed", "judged"),
    [
        ([0, 0], True, True),
        ([0, 1], False, True),
        ([1, 1], False, True),
        ([0, None], False, False),
        ([None, None], False, False),
        ([0, "pending"], False, False),
        ([0, "refused"], True, True),
        (["refused", "errored"], True, True),
    ],
)
def test_an_item_is_chosen_if_every_epoch_failed_and_left_out_if_any_is_open(
    epochs: Sequence[int | str | None], failed: bool, judged: bool
) -> None:
    book = Book(spec((HAIKU, OPUS), epochs=2), rounds=[round_()])
    for number, end in enumerate(epochs, start=1):
        if end == "pending":
            book.trial("it", model=HAIKU, epoch=number)
        elif isinstance(end, str):
            book.trial("it", ended(end), model=HAIKU, epoch=number)
        else:
            book.trial("it", answered(), model=HAIKU, epoch=number, level=end)
        book.trial("it", answered(), model=OPUS, epoch=number, level=0)
    book.trial("other", answered(), model=HAIKU, epoch=1, level=1)
    found = unsatisfactory(analyze(book.snapshot()), HAIKU)
    assert found == Selection(HAIKU, frozenset({"it"} if failed else ()), judged + 1, 1 - judged)


def test_a_conditional_run_is_marked_wherever_it_is_shown() -> None:
    snapshot = conditional()
    analysis = analyze(snapshot)
    html = re.sub(r"<[^>]+>", "", render_html(analysis)).replace("\N{NO-BREAK SPACE}", " ")
    assert mark(snapshot.spec) == MARK
    assert html.count(MARK.removeprefix("conditional: ")) >= 2  # the banner, and the warnings
    assert "CONDITIONAL only the 12 of 40 items" in html
    assert render_markdown(analysis).startswith(
        "<!-- evalkit:by-hand -->\n### Conditional: only the 12 of 40 items on which Haiku 4.5 was not"
    )
    assert "Rates here are not rates of the workload" in render_markdown(analysis)
    data = json.loads(render_json(analysis))
    assert (data["conditional"], data["verdict"]) == (MARK, "conditional")
    assert MARK in verdict_lines(analysis)
    assert {row["condition"] for row in csv.DictReader(io.StringIO(trials_csv(trials_table(snapshot))))} == {MARK}
    full = run_of({OPUS: [[True]] * 3})
    assert {row["condition"] for row in csv.DictReader(io.StringIO(trials_csv(trials_table(full))))} == {""}
    assert "conditional" not in render_html(analyze(full)).partition("</style>")[2].partition("<script>")[0].lower()


def test_no_verdict_on_the_workload_is_drawn_from_it() -> None:
    passing = conditional((True,) * 12)
    free = analyze(replace(passing, spec=replace(passing.spec, condition=None)))
    analysis = analyze(passing)
    assert (analysis.decision.verdict, analysis.decision.option, analysis.stability) == ("conditional", None, None)
    assert analysis.models == free.models  # the figures themselves are as they are
    names = {section.name for section in build_report(analysis).sections}
    assert not names & {"how-sure", "price-of-a-failure", "frontier", "retries"}
    assert {"how-sure", "price-of-a-failure", "frontier"} <= {section.name for section in build_report(free).sections}
    words = re.sub(r"<[^>]+>", "", render_html(analysis))
    for claim in ("Use Opus", "clears the bar", "misses the bar", "No option clears", "Not enough data"):
        assert claim not in words


@pytest.mark.parametrize("which", ["now", "then"])
def test_it_is_never_compared_with_a_baseline(which: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {name: write_run(tmp_path / f"{name}.db", run_of({OPUS: [[True]] * 12})) for name in ("now", "then")}
    files[which].unlink()
    write_run(files[which], conditional())
    argv = ["report", str(files["now"]), "--baseline", str(files["then"]), "-o", str(tmp_path / "r.html")]
    assert main(argv) == 2
    assert f"baseline ({MARK})" in capsys.readouterr().err
    assert not (tmp_path / "r.html").exists()


def test_nothing_is_planned_or_chosen_from_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_run(tmp_path / "c.db", conditional())
    assert main(["plan", "--run", str(path)]) == 2
    assert f"cannot be planned from ({MARK})" in capsys.readouterr().err
    assert main(["run", "--only-unsatisfactory", SONNET, "-m", OPUS, "--from", str(path)]) == 2
    assert f"cannot be chosen from ({MARK})" in capsys.readouterr().err
    assert main(["runs", "--runs", str(tmp_path)]) == 0
    assert MARK in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"models": (OPUS,), "epochs": 3, "limit": 4, "endpoint": "x", "condition": {"rule": "x"}}, None),
        ({"prompt_sha256": "x"}, "prompt"),
        ({"simulated": True}, "simulated"),
        ({"seed": 3, "cache": "as-production"}, "seed, cache"),
        ({"context_tokens": 7}, "context"),
    ],
)
def test_all_but_models_items_and_epochs_must_be_as_in_the_source(change: dict[str, object], said: str | None) -> None:
    source = spec((HAIKU,))
    planned = replace(source, **change)
    if said is None:
        refuse_unlike(source, planned)
    else:
        with pytest.raises(IntegrityError, match=rf"\({said} differs?\)"):
            refuse_unlike(source, planned)


def test_a_rule_of_a_later_version_is_marked_as_well() -> None:
    assert "chosen by the rule 'newer'" in str(mark(spec(condition={"rule": "newer"})))
    with pytest.raises(UsageError):
        analyze(replace(run_of({OPUS: [[True]]}), spec=spec(condition={"rule": "newer"})), run_of({OPUS: [[True]]}))
