"""What a page shows of a run that is too large for it: what tells most, a draw of the rest, and all of it said."""

import re
import shlex
from collections import Counter
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import pytest
from analysis_builders import run_of as graded_run
from analysis_builders import write_run
from big_snapshots import big_snapshot
from hypothesis import given
from hypothesis import strategies as st
from report_fixtures import HAIKU, HOSTILE, OPUS, SONNET, analysis

from evalkit.analysis import analyze
from evalkit.analysis.remarks import Remark
from evalkit.analysis.results import Analysis, ItemResult
from evalkit.blocks import TEXT_LIMIT
from evalkit.cli import main
from evalkit.item_marks import state_of
from evalkit.report import render_html
from evalkit.shown_items import (
    NAMED,
    REST,
    _bytes,
    anchors,
    is_failed,
    parts_models,
    shown_items,
    states,
)

WHOLE = analysis(12)
MODELS = (HAIKU, SONNET, OPUS)


def run_of(*verdicts: tuple[bool | None, ...], seed: int = 1, text: str = "An answer.") -> Analysis:
    """A run whose items have these verdicts, a model each, and answers of this text; no list names any of them."""
    found = [_item(f"i{n}", each, text) for n, each in enumerate(verdicts)]
    spec = replace(WHOLE.spec, seed=seed)
    return replace(WHOLE, spec=spec, outputs=tuple(found), disputes=(), against=(), item_quality=None)


def _item(name: str, verdicts: tuple[bool | None, ...], text: str) -> ItemResult:
    outputs = [
        replace(output, satisfied=satisfied, outcome="answered", text=text, error=None, remarks=())
        for output, satisfied in zip(WHOLE.outputs[0].outputs, verdicts, strict=True)
    ]
    return replace(WHOLE.outputs[0], id=name, outputs=tuple(outputs))


def of_size(items: int, text: str = "An answer.", seed: int = 1) -> Analysis:
    """A run in which models part on a third of the items, all fail a ninth, and all pass the others."""
    kinds = ((True, True, True), (True, False, True), (True, True, True), (False,) * 3)
    return run_of(*(kinds[1 if n % 3 == 0 else 3 if n % 9 == 1 else 0] for n in range(items)), seed=seed, text=text)


verdicts = st.lists(st.tuples(*[st.sampled_from((True, False, None))] * 3), min_size=1, max_size=60)


@given(verdicts, st.integers(0, 400_000), st.integers(0, 99))
def test_what_is_shown_fits_counts_up_and_is_the_same_again(
    made: list[tuple[bool | None, ...]], most: int, seed: int
) -> None:
    run = run_of(*made, seed=seed, text="word " * 300)
    shown = shown_items(run, most)
    assert shown == shown_items(run, most)
    assert list(shown.places) == sorted(set(shown.places))
    if shown.counts:
        assert (sum(here for here, _ in shown.counts.values()), sum(of for _, of in shown.counts.values())) == (
            len(shown.places), len(made),
        )  # fmt: skip
        kinds = [kind(run.outputs[place]) for place in shown.places]
        assert Counter(kinds) == Counter({name: here for name, (here, _) in shown.counts.items() if here})
        assert len(shown.places) * 3 * 1500 <= most, "the texts alone fit"
    else:
        assert len(shown.places) == len(made)
        assert shown.all_of_them


def kind(item: ItemResult) -> str:
    found = states(item, MODELS)
    return "parting" if parts_models(found) else "failing" if is_failed(found) else "rest"


def test_a_larger_page_goes_on_with_the_same_draw() -> None:
    run, before = of_size(900, "word " * 100), set[int]()
    for most in (300_000, 600_000, 900_000, 1_200_000):
        shown = set(shown_items(run, most).places)
        assert before < shown
        before = shown


@pytest.mark.long
def test_the_draw_is_another_with_another_seed_and_favours_no_place() -> None:
    drawn = [shown_items(of_size(300, seed=seed), 100_000).places for seed in range(30)]
    assert len(set(drawn)) == 30
    early = sum(place < 150 for places in drawn for place in places)
    assert 0.45 < early / sum(map(len, drawn)) < 0.55


@pytest.mark.long
def test_where_all_that_tells_something_fits_what_room_is_left_has_a_draw_of_the_rest() -> None:
    passed, parting, failed = (True,) * 3, (True, False, True), (False,) * 3
    run = run_of(*[passed] * 2000, *[parting] * 20, *[failed] * 10)
    shown = shown_items(run, 1_000_000)
    rest = shown.counts["rest"][0]
    assert shown.counts == {"named": (0, 0), "parting": (20, 20), "failing": (10, 10), "rest": (rest, 2000)}
    assert REST < rest < 300
    taken = sum(_bytes(run.outputs[place], shown.limit) for place in shown.places)
    assert taken <= 1_000_000 < taken + _bytes(run.outputs[0], shown.limit), "one more would not fit"
    text = render_html_of(run, 1_000_000)
    assert f"{rest + 30} of 2,030 items are shown" in text
    assert (
        "all 20 on which the models part and all 10 more that some model fails;"
        f" {rest} of 2,000 others, drawn at random"
    ) in text
    assert f"Read {rest + 30} of 2,030 items for yourself" in text
    assert "Every model satisfies 2,000 of 2,030 items, none satisfies 10; 20 tell them apart" in text
    assert "20 items on which the models part, 30 items that some model fails" in text
    assert "evalkit export RUN.db trials.jsonl" in text
    assert "evalkit report RUN.db -o items.json" in text


def render_html_of(run: Analysis, most: int, *, as_it_is: bool = False) -> str:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("evalkit.shown_items.MOST_BYTES", most)
        page = render_html(run)
        return page if as_it_is else re.sub(r'</?span( class="held")?>', "", page).replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.long
def test_texts_are_cut_shorter_before_an_item_is_left_out() -> None:
    run = of_size(300, "word " * 1_000)
    for most, limit in ((10**8, TEXT_LIMIT), (5_000_000, 3_000), (2_500_000, 1_000), (1_800_000, 400)):
        shown = shown_items(run, most)
        assert (shown.all_of_them, shown.limit, len(shown.places)) == (True, limit, 300)
    assert not shown_items(run, 500_000).all_of_them
    text = render_html_of(run, 2_500_000)
    assert "Read all 300 items for yourself" in text
    assert "texts are shown to 1,000 characters: 900 of 1,500 are cut" in text
    assert "Cut here: 4,000 more characters" in text


@pytest.mark.long
def test_what_the_report_names_is_shown_before_anything_else() -> None:
    run = of_size(900)
    remark = Remark("ann", flagged=True, note="look at this", put_off=0, graded=True)
    flagged = replace(run.outputs[500], outputs=tuple(replace(o, remarks=(remark,)) for o in run.outputs[500].outputs))
    quality = replace(WHOLE.item_quality, floor_ids=tuple(f"i{n}" for n in range(1, 900, 9)), doubtful_ids=("i300",))
    run = replace(run, outputs=(*run.outputs[:500], flagged, *run.outputs[501:]), item_quality=quality)
    shown = shown_items(run, 600_000)
    assert shown.counts["named"] == (NAMED + 2, NAMED + 2)
    assert {500, 300, *range(1, 9 * NAMED, 9)} <= set(shown.places)
    text = render_html_of(run, 600_000)
    assert f"all {NAMED + 2} that this report names elsewhere" in text
    assert '<a href="#item-501">' in text


@pytest.mark.parametrize("most", [0, 40_000, 400_000])
def test_no_link_leads_nowhere_and_the_map_shows_what_the_list_does(most: int) -> None:
    run = replace(of_size(400), item_quality=replace(WHOLE.item_quality, floor_ids=("i1", "i10"), doubtful_ids=("i3",)))
    text = render_html_of(run, most)
    ids = set(re.findall(r'\bid="([^"]+)"', text))
    links = set(re.findall(r'href="#([^"]+)"', text))
    assert links <= ids
    listed = re.findall(r'<details class="item[^"]*" id="([^"]+)"', text)
    assert len(listed) < 400
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("evalkit.shown_items.MOST_BYTES", most)
        assert listed == list(anchors(run).values())
    assert {link for link in links if link.startswith("item-") and link != "item-map"} == set(listed)


TEXTS = {
    "plain": "Dear customer, thank you for writing. " * 60,
    "quotes": '"it\'s" <b>&amp;</b> ' * 100,
    "other scripts": "\u8a55\u4fa1 " * 700,
    "hidden": "\u200b\u202e" * 500,
    "hostile": HOSTILE * 10,
    "cut": "words\n" * 9_000,
}


@pytest.mark.long
@pytest.mark.parametrize("name", TEXTS)
def test_items_take_what_they_may_and_no_more_whatever_they_say(name: str) -> None:
    run, most = of_size(200, TEXTS[name]), 300_000
    bare, filled = (len(render_html_of(run, limit).encode()) for limit in (0, most))
    assert 0.5 * most < filled - bare < most


REMARK = Remark("a grader <by name>", flagged=True, note="look at this " * 9, put_off=2, graded=True)
KINDS: dict[str, dict[str, Any]] = {
    "satisfactory": {"satisfied": True},
    "not satisfactory": {"satisfied": False},
    "errored": {"outcome": "errored", "text": "", "error": "prompt is too long: 210000 tokens > 200000 maximum"},
    "errored at length": {"outcome": "errored", "text": "", "error": "m<'>" * 8_000},
    "refused": {"outcome": "refused", "text": ""},
    "not run yet": {"outcome": None, "text": "", "levels": {}, "comments": {}, "ungraded": {}},
    "ungraded": {"levels": {}, "comments": {}, "ungraded": {}},
    "not gradable": {"levels": {}, "comments": {}, "ungraded": {"correct": "the judge's answer was none " * 9}},
    "remarked on": {"remarks": (REMARK,) * 3},
}
PARTS: dict[str, dict[str, Any]] = {
    "long id": {"id": "<x>" * 150},
    "tags": {"tags": tuple(f"tag-{n}" for n in range(40))},
    "documents": {"documents": tuple(f"document-{n}.md" for n in range(90)), "evidence_positions": ()},
    "documents that fill up": {"documents": tuple(f"document-{n}.md" for n in range(90)), "evidence_positions": (7,)},
}


@pytest.mark.long
@pytest.mark.parametrize("name", [*KINDS, *PARTS])
def test_what_an_item_takes_is_foreseen_whatever_became_of_its_trials(name: str) -> None:
    run = of_size(50)
    changes = {"satisfied": None} | KINDS.get(name, {"satisfied": False})
    items = (
        replace(item, **PARTS.get(name, {}), outputs=tuple(replace(o, **changes) for o in item.outputs))
        for item in run.outputs
    )
    run = replace(run, outputs=tuple(items))
    bare, whole = (len(render_html_of(run, limit, as_it_is=True).encode()) for limit in (0, 10**9))
    assert 0.75 < (whole - bare) / sum(_bytes(item, TEXT_LIMIT) for item in run.outputs) < 1


def test_a_page_of_a_part_names_the_run_file_in_its_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("evalkit.shown_items.MOST_BYTES", 0)
    run = write_run(Path("team's run.db"), graded_run({OPUS: [[True]] * 9 + [[False]], SONNET: [[True]] * 10}))
    assert main(["report", str(run), "-o", "page.html", "-q"]) == 0
    name = escape(shlex.quote("team's run.db")).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")
    page = Path("page.html").read_text(encoding="utf-8")
    assert f"<code>evalkit export {name} trials.jsonl</code>" in page
    assert f"<code>evalkit report {name} -o items.json</code>" in page


@pytest.mark.slow
@pytest.mark.parametrize("graded", [True, False])
def test_a_page_of_thousands_of_errors_is_small(graded: bool) -> None:
    run = big_snapshot(4000)
    error = {"outcome": "errored", "text": "", "error_type": "invalid_request_error", "error_message": "too long " * 6}
    run = replace(run, attempts=tuple(replace(a, **error) for a in run.attempts))
    run = run if graded else replace(run, grades=(), rounds=())
    assert 6_000_000 < len(render_html(analyze(run)).encode()) < 9_000_000


@pytest.mark.long
def test_a_page_of_thousands_of_items_is_small_and_always_the_same() -> None:
    run = of_size(4000, TEXTS["plain"])
    text = render_html(run)
    assert 6_000_000 < len(text.encode()) < 10_000_000
    assert text == render_html(run)


def test_what_some_model_fails_is_no_more_where_nothing_comes_before_it() -> None:
    run = of_size(300)
    failed = [replace(item, outputs=tuple(replace(o, **KINDS["refused"], satisfied=None) for o in item.outputs))
              for item in run.outputs[:20]]  # fmt: skip
    ungraded = [replace(item, outputs=tuple(replace(o, **KINDS["ungraded"], satisfied=None) for o in item.outputs))
                for item in run.outputs[20:]]  # fmt: skip
    text = render_html_of(replace(run, outputs=(*failed, *ungraded), warnings=()), 40_000)
    assert re.search(r"(all 20|\d+ of 20) that some model fails", text)


def test_a_small_run_is_shown_whole_and_says_nothing_of_it() -> None:
    assert shown_items(WHOLE).places == tuple(range(12))
    text = render_html_of(WHOLE, 8_000_000)
    assert "Read all 12 items for yourself" in text
    assert "items are shown" not in text
    assert set(anchors(WHOLE)) == {item.id for item in WHOLE.outputs}


@pytest.mark.long
def test_items_on_which_the_models_part_are_not_crowded_out_by_those_that_all_fail() -> None:
    passed, parting, failed = (True,) * 3, (True, False, True), (False,) * 3
    run = run_of(*[failed] * 1500, *[parting] * 40, *[passed] * 300)
    shown = shown_items(run, 700_000).counts
    assert shown["parting"] == (40, 40)
    assert min(shown["rest"][0], shown["failing"][0]) > 10
    assert shown["failing"][0] < 1500
    assert shown_items(run_of(*[parting] * 1500, *[failed] * 900), 2_200_000).counts["failing"] == (REST, 900)
    long = shown_items(
        run_of(*[parting] * 300, *[failed] * 300, *[passed] * 300, text="word " * 2000), 2_000_000
    ).counts
    assert long["parting"][0] > 2 * (long["failing"][0] + long["rest"][0]) > 0


@pytest.mark.parametrize(
    ("verdicts", "state"),
    [
        ((True, True), "satisfactory"),
        ((True, None), "ungraded"),  # which is no word of a failure
        ((True, False), "mixed"),
        ((True, False, None), "mixed"),
        ((False, None), "unsatisfactory"),
        ((None, None), "ungraded"),
    ],
)
def test_an_items_mark_says_what_its_verdicts_do(verdicts: tuple[bool | None, ...], state: str) -> None:
    output = analysis().outputs[0].outputs[0]
    outputs = [replace(output, outcome="answered", satisfied=satisfied) for satisfied in verdicts]
    assert state_of(outputs) == state
