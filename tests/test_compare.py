"""`evalkit compare`: two runs of the same items, paired, by the report's own analysis."""

import html
import io
import json
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from analysis_builders import HAIKU, OPUS, SONNET, Book, answered, run_of, write_run
from rich.console import Console

from evalkit import stats
from evalkit.analysis import analyze
from evalkit.cli import main
from evalkit.cli.compare import _table
from evalkit.records import Snapshot, Usage
from evalkit.redaction import Redaction
from evalkit.wording import estimated
from evalkit.wording import value as shown

EARLIER = {OPUS: [[i % 3 > 0] for i in range(40)], HAIKU: [[i % 2 > 0] for i in range(40)]}
LATER = {OPUS: [[i % 7 > 0] for i in range(40)], SONNET: [[i % 4 > 0] for i in range(40)]}


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "a.db", run_of(EARLIER, {OPUS: 0.03}))
    write_run(tmp_path / "b.db", _named(run_of(LATER, {OPUS: 0.015})))
    return "a.db", "b.db"


def _named(snapshot: Snapshot, **changes: Any) -> Snapshot:
    return replace(snapshot, spec=replace(snapshot.spec, **{"name": "later", **changes}))


@pytest.mark.long
def test_it_is_the_analysis_of_the_report(runs: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *runs, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["analysis"]["against"]
    (pair,) = analyze(_named(run_of(LATER, {OPUS: 0.015})), run_of(EARLIER, {OPUS: 0.03})).against
    gain = sum(b[0] and not a[0] for a, b in zip(EARLIER[OPUS], LATER[OPUS], strict=True))
    loss = sum(a[0] and not b[0] for a, b in zip(EARLIER[OPUS], LATER[OPUS], strict=True))
    assert (pair.gain, pair.loss) == (gain, loss) == (len(pair.improved), len(pair.regressed))
    assert pair.difference == stats.paired_rates(gain, loss, 40)
    assert found["difference"]["low"] == pair.difference.low
    assert found["improved"] == [f"item-{i:03d}" for i in range(40) if i % 3 == 0 and i % 7]
    assert pair.cost_ratio.value == pytest.approx(0.5 * pair.then.value / pair.now.value)


def test_rates_are_of_the_items_that_the_difference_is_of() -> None:
    """A larger run has a lower rate in all, and a higher one on what both were tried on."""
    then = run_of({OPUS: [[i % 5 > 0] for i in range(20)]})
    now = run_of({OPUS: [[i % 10 > 0] if i < 20 else [i % 2 > 0] for i in range(40)]})
    now = replace(now, spec=replace(now.spec, limit=40))
    later = analyze(now, then)
    (pair,) = later.against
    assert (pair.then.n, pair.now.n, pair.items) == (20, 20, 20)
    assert (pair.now.value or 0) - (pair.then.value or 0) == pytest.approx(pair.difference.value) == 0.1
    assert later.model(OPUS).pass_rate.value == 0.7


def test_the_json_of_a_comparison_has_the_verdict_of_neither_run(
    runs: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *runs, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["verdict"] is None
    assert content["analysis"]["decision"]["verdict"] is not None
    assert "baseline run" in content["headline"]


def test_the_latency_ratio_is_paired_by_item() -> None:
    then, now = Book(), Book()
    for i in range(8):
        then.trial(f"i{i}", answered(latency_s=1.0 + i), level=1)
        now.trial(f"i{i}", answered(latency_s=(1.0 + i) * (2.0 if i % 2 else 2.2)), level=1)
    now.trial("only now", answered(latency_s=500.0), level=1)
    (pair,) = analyze(now.snapshot(), then.snapshot()).against
    assert pair.latency_ratio == stats.geometric_mean_ratio([2.0 if i % 2 else 2.2 for i in range(8)], [1.0] * 8)
    none = run_of({OPUS: [[True]]})
    untimed = replace(none, attempts=tuple(replace(a, latency_s=None) for a in none.attempts))
    assert analyze(none, untimed).against[0].latency_ratio.reason == "no pairs"


@pytest.mark.parametrize(("read", "compared"), [(0, True), (50, True), (900, False)])
def test_what_an_earlier_run_left_in_the_cache_is_no_lower_cost(read: int, compared: bool) -> None:
    then, now = run_of(EARLIER, {OPUS: 0.03}), run_of(EARLIER, {OPUS: 0.015})
    warm = Usage(input_tokens=1000 - read, cache_read_tokens=read, output_tokens=100)
    cold = Usage(input_tokens=1000, cache_read_tokens=0, output_tokens=100)
    then, now = (
        replace(one, attempts=tuple(replace(a, usage=usage) for a in one.attempts))
        for one, usage in ((then, cold), (now, warm))
    )
    found = analyze(now, then)
    assert [pair.cost_ratio.value is not None for pair in found.against] == [compared] * 2
    assert found.baseline is not None
    told = [line for line in found.baseline.differs if "a cache gave 0% of the input then and 90% now" in line]
    assert len(told) == (0 if compared else 2)


def test_a_named_pair_wins_over_id_and_tier(runs: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *runs, "--pair", f"{HAIKU}={SONNET}", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["analysis"]["against"]
    assert [(pair["a"], pair["b"]) for pair in found] == [(OPUS, OPUS), (HAIKU, SONNET)]
    assert main(["compare", *runs, "--pair", f"{HAIKU}={OPUS}", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["analysis"]["against"]
    assert [(pair["a"], pair["b"]) for pair in found] == [(HAIKU, OPUS)]


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (["x=y"], f"--pair 'x=y': the earlier run has no model 'x'; it has {OPUS}, {HAIKU}"),
        ([f"{OPUS}=y"], f"the later run has no model 'y'; it has {OPUS}, {SONNET}"),
        ([OPUS], "the later run has no model ''"),
        ([f"{OPUS}={SONNET}", f"{HAIKU}={SONNET}"], "is paired with 'claude-opus-4-6' already; name it once"),
    ],
)
def test_a_pair_of_what_is_not_there_is_one_line(
    pairs: list[str], said: str, runs: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    options = [part for pair in pairs for part in ("--pair", pair)]
    assert main(["compare", *runs, *options]) == 2
    first, *rest = capsys.readouterr().err.splitlines()
    assert said in first
    assert rest == ["exit 2: usage"]


@pytest.mark.long
def test_the_terminal_shows_both_runs_and_what_differs(
    runs: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("c.db").unlink(missing_ok=True)
    write_run(tmp_path / "c.db", _named(run_of(LATER), prompt_sha256="q" * 64, max_tokens=99))
    assert main(["compare", "a.db", "c.db"]) == 0
    said = capsys.readouterr().out
    assert "65%" in said
    assert "85%" in said
    assert "12 of 40" in said
    assert "! Different: the prompt template, pppppppppppp then and qqqqqqqqqqqq now." in said
    assert "! Different: the longest answer, 1024 then and 99 now." in said
    for run in ("Earlier", "Later"):
        assert f"! {run} run: Only 40 items: intervals are wide; 50 to 100 are advised." in said
    assert "Not compared with any model of the other run: Haiku 4.5 (then)." in said
    assert "Not compared with any model of the other run: Sonnet 4.6 (now)." in said
    assert main(["compare", *runs, "-o", "x.md"]) == 0
    assert "Different" not in capsys.readouterr().out
    for run in ("Earlier", "Later"):
        assert f"> {run} run: Only 40 items" in Path("x.md").read_text(encoding="utf-8")


def test_a_terminal_of_80_columns_breaks_no_figure_and_says_what_it_leaves_out() -> None:
    analysis, said = analyze(_named(run_of(LATER, {OPUS: 0.015})), run_of(EARLIER, {OPUS: 0.03})), {}
    for width in (44, 80, 200):
        out = io.StringIO()
        Console(width=width, file=out).print(_table(analysis, width, Redaction()))
        said[width] = out.getvalue()
    assert "shows latency ratio too" in " ".join(said[80].split())
    assert "latency ratio" in said[200].splitlines()[0]
    assert "shows latency ratio and cost ratio too" in " ".join(said[44].split())
    figures = [re.findall(r"\(\S+–\S+\)", said[width]) for width in (80, 200)]
    assert len(figures[0]) == 1
    assert set(figures[0]) <= set(figures[1])


@pytest.mark.parametrize(("name", "word"), [("dataset_sha256", "dataset"), ("rubric_sha256", "rubric")])
def test_another_dataset_or_rubric_is_refused(
    name: str, word: str, runs: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "c.db", _named(run_of(LATER), **{name: "e" * 64}))
    assert main(["compare", "a.db", "c.db", "-o", "c.html"]) == 6
    assert f"the baseline has another {word}" in capsys.readouterr().err
    assert not Path("c.html").exists()


def test_its_summary_says_both_rates_and_their_difference_before_how_they_were_made(
    runs: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *runs, "-q", "-o", "C.MD"]) == 0
    lines = [line for line in Path("C.MD").read_text(encoding="utf-8").splitlines() if line]
    (pair,) = analyze(_named(run_of(LATER, {OPUS: 0.015})), run_of(EARLIER, {OPUS: 0.03})).against
    now, then = (estimated(rate, "percent") for rate in (pair.now, pair.then))
    assert lines[1].startswith("### ")
    assert lines[2].replace("*", "").startswith(f"Opus 4.6: {shown(pair.now, 'percent')} satisfactory (")
    assert f"{then} then: {estimated(pair.difference, 'points')} points on 40 items" in lines[2]
    assert lines[2].endswith(".")
    assert now.partition(" (")[2].removesuffix(")") in "".join(lines[3:]), "the table has the interval too"


def test_a_run_is_not_compared_with_itself(
    runs: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of two epochs it would find changes where there are none."""
    shutil.copy("a.db", "copy.db")
    for other in ("a.db", "copy.db"):
        assert main(["compare", "a.db", other]) == 2
        assert f"'a.db' and '{other}' hold the same outputs and grades; name two runs" in capsys.readouterr().err


def test_what_a_comparison_warns_of_is_hidden_too(runs: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *runs]) == 0
    assert "Haiku 4.5 (then)" in capsys.readouterr().out
    assert main(["compare", *runs, "--redact", "Haiku"]) == 0
    said = capsys.readouterr().out
    assert "Haiku" not in said
    assert "⟦redacted⟧ 4.5 (then)" in said


def test_runs_without_a_common_model_are_refused(
    runs: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "c.db", run_of({HAIKU: [[True]] * 40}))
    assert main(["compare", "c.db", "b.db"]) == 2
    assert "no model of 'b.db' has a counterpart in 'c.db'; name one with --pair THEN=NOW" in capsys.readouterr().err


def test_its_files_lead_with_the_change_and_show_the_items_that_changed(
    runs: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *runs, "-q", "-o", "c.html", "-o", "c.md", "-o", "c.json"]) == 0
    page = Path("c.html").read_text(encoding="utf-8")
    assert '<h1 id="against-h">' in page
    assert 'href="#against">Skip to the comparison</a>' in page
    assert 'id="scorecard"' not in page
    assert page.count('<details class="item') == 16, "the items that changed and no others"
    told = " ".join(html.unescape(re.sub("<[^>]+>", "", page)).split())
    assert "Read the 16 items that changed, of 40, for yourself" in told
    assert "those of the baseline run stand in that run's own report: by-hand of 2026-11-02." in told
    assert '<a href="#item-001"><code>item-003</code></a>' in page, "a regressed or improved item is a click away"
    assert (
        Path("c.md")
        .read_text(encoding="utf-8")
        .startswith("<!-- evalkit:compare:later -->\n### Opus 4.6 is better than in the baseline run\n")
    )
    assert main(["compare", *runs, "-o", "c.xlsx"]) == 2
    assert "end it in .html, .md or .json" in capsys.readouterr().err


@pytest.mark.long
def test_the_markdown_of_a_report_with_a_baseline_has_the_change(runs: tuple[str, str]) -> None:
    assert main(["report", "b.db", "--baseline", "a.db", "-q", "-o", "r.md"]) == 0
    text = Path("r.md").read_text(encoding="utf-8")
    assert "**Opus 4.6 is better than in the baseline run**" in text
    lines = [line for line in text.splitlines() if line]
    assert lines[:2] == ["<!-- evalkit:later -->", lines[1]]
    assert lines[1].startswith("### ")
    assert lines[3].startswith("- **Since the baseline run: ")
    assert sum(line.startswith("|:--") for line in lines) == 1, "one table"
    assert "<details><summary>Opus 4.6, worse on " in text
    folded = text[text.index("<details>") : text.index("</details>")]
    assert "item-007" in folded
    assert main(["report", "b.db", "--baseline", "a.db", "-q", "-o", "r.md", "-o", "page.html"]) == 0
    assert "Full report: page.html" in Path("r.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("pairs", [[], ["--pair", f"{HAIKU}={SONNET}"]])
def test_the_page_names_the_earlier_run_and_the_command_that_makes_it(
    pairs: list[str], tmp_path: Path, runs: tuple[str, str]
) -> None:
    then = run_of(EARLIER, {OPUS: 0.03}).spec
    made = f"runs/{then.name}-{then.sha256[:8]}.db"
    file = f"runs/later-{_named(run_of(LATER, {OPUS: 0.015})).spec.sha256[:8]}.db"
    whole = [] if pairs else [(["report", "b.db", "--baseline", "a.db"], f"evalkit report {file} --baseline {made}")]
    asked = [(["compare", *runs, *pairs], shlex.join(["evalkit", "compare", made, file, *pairs])), *whole]
    for arguments, command in asked:
        forms = [part for end in ("html", "md", "json") for part in ("-o", f"x.{end}")]
        assert main([*arguments, "-q", *forms]) == 0
        page, text, read = (Path(f"x.{end}").read_text(encoding="utf-8") for end in ("html", "md", "json"))
        method = page[page.index('id="method"') :]
        for term in ("dataset", "rubric", "prompt", "spec"):
            assert f"Baseline&#39;s {term}" in method
        for value in (then.name, then.created_at, then.dataset_sha256, then.rubric_sha256, then.prompt_sha256):
            assert value in method
        assert then.sha256 in method
        assert html.unescape(method).count(f"<code>{command}</code>") == 1
        assert f"> Baseline: run **{then.name}** of {then.created_at[:10]}, spec {then.sha256[:12]}." in text
        found = json.loads(read)["analysis"]["baseline"]
        hashes = ("sha256", "dataset_sha256", "rubric_sha256", "prompt_sha256")
        assert [found[name] for name in hashes] == [getattr(then, name) for name in hashes]
        assert (found["command"], found["imported"]) == (command, False)
        assert not [said for said in (page, text, read) if str(tmp_path) in said]


def test_the_mark_of_a_comparison_is_not_that_of_the_runs_report(runs: tuple[str, str]) -> None:
    assert main(["compare", *runs, "-q", "-o", "c.md"]) == 0
    assert main(["report", "b.db", "--baseline", "a.db", "-q", "-o", "r.md"]) == 0
    marks = [Path(name).read_text(encoding="utf-8").partition("\n")[0] for name in ("c.md", "r.md")]
    assert marks == ["<!-- evalkit:compare:later -->", "<!-- evalkit:later -->"]


def test_a_report_with_a_baseline_has_every_item_and_says_so(runs: tuple[str, str]) -> None:
    assert main(["report", "b.db", "--baseline", "a.db", "-q", "-o", "r.html"]) == 0
    page = Path("r.html").read_text(encoding="utf-8")
    assert "Read all 40 items for yourself" in " ".join(re.sub("<[^>]+>", "", page).split())
