"""Looks before the end: a plan fixed beforehand, what each may say, and nothing that arrival or outcome can choose."""

import json
from collections.abc import Collection
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as xml

import pytest
from analysis_builders import JUDGE, answered, ended, write_run
from gates import BASELINE, CANDIDATE, run
from servers import recorded
from test_run import command, run_files, snapshot, tiny

from evalkit import stats
from evalkit.analysis import analyze
from evalkit.cli import main
from evalkit.errors import IntegrityError, ProblemsError, UsageError
from evalkit.gate import flip_rate, gate
from evalkit.gating.evidence import evidence_of
from evalkit.gating.looks import up_to
from evalkit.gating.policy import Common, read_policy
from evalkit.gating.results import GateReport
from evalkit.gating.staged import FAIL_FAST, staged
from evalkit.grading_records import RoundEvent
from evalkit.records import Snapshot
from evalkit.rendering.gate import to_json, to_markdown
from evalkit.rounds import LEFT
from evalkit.staging import first, first_items, staged_order

__all__ = ["tiny"]  # a fixture

POLICY = "quality: {margin: 0.10}\nsequential: {looks: [0.5, 0.75, 1.0]}\n"
FAST = "quality: {margin: 0.10}\nsequential: {looks: [1.0], fail_fast: true}\n"
N = 100


def policy(text: str = POLICY) -> Common:
    return read_policy(text, "gate.yaml")


def order() -> tuple[str, ...]:
    """The items of every run here in the order of its looks."""
    return staged_order(run([[True]] * N, [[True]] * N).items, 7)


def run_so_far(shown: int, losses: Collection[int] = (), gains: Collection[int] = (), **changes: Any) -> Snapshot:
    """A run of 100 items of which the first so many of the order are run and graded; losses and gains by place."""
    places = {item: place for place, item in enumerate(order())}
    rows = [places[f"item-{i:03d}"] for i in range(N)]
    whole = run([[p not in gains] for p in rows], [[p not in losses] for p in rows], **changes)
    return _cut(whole, {t.id for t in whole.trials if places[t.key.item_id] < shown})


def _cut(whole: Snapshot, kept: Collection[int]) -> Snapshot:
    """The same plan, of which only some trials have been run."""
    attempts = tuple(a for a in whole.attempts if a.trial_id in kept)
    return replace(whole, attempts=attempts, grades=tuple(g for g in whole.grades if g.trial_id in kept))


@cache
def judged_so_far(shown: int) -> GateReport:
    """The gate's report on so many items, of which some that come late are lost."""
    return report(run_so_far(shown, range(30, 45), [1, 2, 3]))


def report(*snapshots: Snapshot, text: str = POLICY) -> GateReport:
    asked = policy(text)
    assert asked.sequential is not None
    then, now = (*snapshots, *snapshots)[:2]
    one = analyze(then)
    whole = evidence_of(one, one if now is then else analyze(now), BASELINE, CANDIDATE)
    evidence, look = staged(
        whole, (then, now), asked.sequential, asked.alpha, analyze, verdicts=asked.asks_for_verdicts
    )
    return gate(evidence, asked, look=look)


# --- the order ---


def test_the_order_is_the_seeds_and_shares_nest() -> None:
    items = run([[True]] * N, [[True]] * N).items
    assert staged_order(items, 7) == staged_order(tuple(reversed(items)), 7)
    assert staged_order(items, 7) != staged_order(items, 8)
    assert sorted(staged_order(items, 7)) == sorted(item.id for item in items)
    taken = [first_items(items, 7, share) for share in (0.1, 0.5, 0.75, 1.0)]
    assert [len(some) for some in taken] == [10, 50, 75, 100]
    assert all(one < other for one, other in pairwise(taken))


@pytest.mark.parametrize(
    ("share", "items", "count"), [(0.5, 25, 13), (0.75, 4, 3), (1, 9, 9), (0.01, 1, 1), (0.07, 100, 7)]
)
def test_a_share_of_the_items_is_rounded_up(share: float, items: int, count: int) -> None:
    assert first(share, items) == count


# --- which look ---


@pytest.mark.parametrize(
    ("shown", "number", "judged"),
    [(0, 0, 0), (49, 0, 0), (50, 1, 50), (74, 1, 50), (75, 2, 75), (99, 2, 75), (100, 3, 100)],
)  # fmt: skip
def test_a_gate_judges_whole_looks_alone_whenever_it_is_called(shown: int, number: int, judged: int) -> None:
    found = judged_so_far(shown)
    assert found.look is not None
    assert found.look.number == number
    assert (found.flips is None) == (number == 0)
    estimate = found.checks[0].estimate if found.checks else None
    assert (estimate.n if estimate else 0) == judged
    again = judged_so_far({0: 0, 50: 50, 75: 75}.get(judged, shown))
    assert (again.verdict, again.checks) == (found.verdict, found.checks), "more than the look changes nothing"


def test_what_failed_for_now_or_was_not_tried_keeps_a_look_from_being_reached() -> None:
    whole = run_so_far(60)
    place = {item: p for p, item in enumerate(order())}
    within = next(t.id for t in whole.trials if place[t.key.item_id] == 10 and t.key.model == CANDIDATE)
    waiting = replace(
        whole,
        attempts=tuple(
            replace(a, final=False, outcome="errored") if a.trial_id == within else a for a in whole.attempts
        ),
    )
    found = report(waiting)
    assert found.look is not None
    assert (found.look.number, found.look.open_trials) == (0, 1)
    assert found.headline.endswith("no look is reached yet; go on to look 1")
    assert found.checks == ()
    assert any("--share 0.5" in note and "1 trial still to run" in note for note in found.notes)


# --- what a look may say ---


@pytest.mark.parametrize("look", [0, 1, 2])
def test_each_look_passes_with_as_many_losses_as_its_error_allows_and_no_more(look: int) -> None:
    at = [50, 75, 100]
    alpha = stats.look_alphas([0.5, 0.75, 1])[look]
    gains = [0, 1, 2]
    most = stats.losses_allowed(at[look], 0.10, 3, alpha)[0]
    assert most is not None
    for losses, verdict in ((most, "pass"), (most + 1, "inconclusive")):
        found = report(run_so_far(at[look], range(5, 5 + losses), gains))
        assert found.verdict == verdict
        assert found.tested_alpha == pytest.approx(alpha)
    assert most < (stats.losses_allowed(at[look], 0.10, 3)[0] or 0) or look == 2, "the fixed test would allow more"


def test_an_early_pass_says_that_it_is_early_and_what_is_spent() -> None:
    found = report(run_so_far(50, gains=[1, 2, 3, 4, 5, 6]))
    assert found.headline.endswith("every limit is kept (1 check), at look 1 of 3 (50 of 100 items)")
    text = to_markdown(found)
    assert "intervals at 98.89 %, one-sided alpha 0.00557." in text
    assert "alpha spent 0.0056, 0.0236 and 0.0500, never more than 0.05 in all" in text
    assert "stopped early: the estimates lean away from no difference" in text
    told = json.loads(to_json(found))["gate"]
    kept = told["look"]
    assert (kept["number"], kept["items"], kept["wealth"]) == (1, [50, 75, 100], None)
    assert (told["items"], told["provenance"]["planned_items"]) == (50, 100), "of the dataset whole"


def test_an_open_look_ends_with_3_and_says_how_to_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "gate.yaml").write_text(POLICY, encoding="utf-8")
    path = write_run(tmp_path / "run.db", run_so_far(50, [10, 20]))
    assert main(["gate", str(path), "--policy", str(tmp_path / "gate.yaml")]) == 3
    said = capsys.readouterr().out
    assert "not shown yet, at look 1 of 3 (50 of 100 items); go on to look 2" in said
    assert "look 2: the same `evalkit run` with --share 0.75, `evalkit grade`, this gate" in said
    assert "(50 trials still to run, for about 50¢)" in said
    assert "more items" not in said, "the plan says how many, not a search"


@pytest.mark.long
@pytest.mark.parametrize(
    ("shown", "losses", "code", "told"),
    [
        (49, 6, 3, "NOT TOLD YET: it is open whether the gate notices that"),
        (50, 6, 3, "NOT TOLD YET: it is open whether the gate notices that"),
        (50, 20, 0, "NOTICED: the gate notices that"),
        (100, 3, 1, "NOT NOTICED: the gate would not notice that"),
    ],
)
def test_a_loss_that_may_be_noticed_at_a_later_look_is_not_told_yet(
    shown: int, losses: int, code: int, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, asked = write_run(tmp_path / "run.db", run_so_far(shown, range(losses))), tmp_path / "gate.yaml"
    asked.write_text(POLICY, encoding="utf-8")
    files = [tmp_path / f"out.{suffix}" for suffix in ("json", "xml", "md")]
    command = ["gate", str(path), "--policy", str(asked), "--candidate", CANDIDATE, "--sensitivity-check"]
    command += [part for file in files for part in ("-o", str(file))]
    assert main(command) == code
    printed = capsys.readouterr().out
    assert printed.startswith(told)
    assert ("go on to look" in printed) == (code == 3)
    assert ("to have it noticed" in printed) == (code == 1)
    as_json, junit, markdown = (file.read_text(encoding="utf-8") for file in files)
    report = json.loads(as_json)
    assert report["exit"] == {0: "pass", 1: "regression", 3: "inconclusive"}[code]
    assert report["gate"]["noticed"] is {0: True, 1: False, 3: None}[code]
    suite = xml.fromstring(junit)[0]  # noqa: S314  our own
    counts = [suite.get(name) for name in ("tests", "failures", "errors")]
    assert counts == ["1", str(int(code == 1)), str(int(code == 3))]
    assert len(suite.findall("testcase/error")) == int(code == 3)
    assert markdown.splitlines()[1].startswith(f"### {told}")
    assert main([*command[:-6], "--on-inconclusive", "pass"]) == code, "no more than where it would not notice"


def test_a_failure_at_a_look_is_held_to_the_error_of_all_looks_together() -> None:
    """One check: fails where its p is at most the look's; two: Holm at half of all, not at half of the look's."""
    alpha = stats.look_alphas([0.5, 0.75, 1])[0]
    worse = {n: stats.worse_p([0] * n + [1] * (50 - n), [1] * 50, alpha, 1) for n in range(5, 12)}
    least = min(n for n, p in worse.items() if p is not None and p <= alpha)
    assert report(run_so_far(50, range(least))).verdict == "fail"
    assert report(run_so_far(50, range(least - 1))).verdict == "inconclusive"
    both = report(run_so_far(50, range(least)), text=f"{POLICY}refusals: {{margin: 0.01}}\n")
    tested = [check for check in both.checks if check.p_holm is not None]
    assert tested[0].p_holm == pytest.approx(2 * stats.looks_p(worse[least] or 1, 1, [0.5, 0.75, 1]))


def test_two_run_files_are_judged_at_the_look_that_both_have_reached() -> None:
    found = report(run_so_far(80), run_so_far(55))
    assert found.look is not None
    assert (found.look.number, found.items) == (1, 50)
    other = run_so_far(100)
    with pytest.raises(IntegrityError, match="other seeds"):
        report(other, replace(other, spec=replace(other.spec, seed=8)))


def test_a_sweep_has_no_looks() -> None:
    swept = run_so_far(100)
    swept = replace(swept, spec=replace(swept.spec, contexts=(1000, 2000)))
    look = report(run_so_far(50)).look
    assert look is not None
    with pytest.raises(UsageError, match="context sweep"):
        up_to(swept, look)


def test_a_tiny_set_has_as_many_looks_as_it_has_room_for() -> None:
    two = run([[True]] * 2, [[True]] * 2)
    found = report(two)
    assert found.look is not None
    assert (found.look.items, found.look.shares, found.look.is_last) == ((1, 2), (0.5, 1.0), True)


def test_a_judge_in_the_look_is_measured_on_the_look() -> None:
    found = report(run_so_far(50, gains=range(6), grader=JUDGE))
    assert found.verdict == "inconclusive"
    assert "uncalibrated" in (found.checks[0].needs or "")


# --- fail fast ---


def test_a_clear_loss_ends_the_gate_between_looks() -> None:
    found = report(run_so_far(30, range(15)), text=FAST)
    assert (found.verdict, [check.name for check in found.checks]) == ("fail", [FAIL_FAST])
    assert "worse in quality: fail fast" in found.headline
    slow = report(run_so_far(30, range(3)), text=FAST)
    assert slow.verdict == "inconclusive"
    assert any(note.startswith("fail fast: ") and "40 to 1 ends the gate" in note for note in slow.notes)


def test_fail_fast_takes_the_items_in_order_up_to_the_first_that_is_open() -> None:
    """Losses that arrived first do not count before what comes before them in the order."""
    whole = run_so_far(100, range(10, 40))
    place = {item: p for p, item in enumerate(order())}
    only_losses = _cut(whole, {t.id for t in whole.trials if 10 <= place[t.key.item_id] < 40})
    found = report(only_losses, text=FAST)
    assert found.look is not None
    assert (found.verdict, found.look.wealth) == ("inconclusive", 1.0)


def test_fail_fast_stops_at_an_item_that_one_side_was_never_asked() -> None:
    """As an import may have it, which plans what it brings and no more."""
    whole, first_lost = run_so_far(100, range(100)), order()[3]
    lost = {t.id for t in whole.trials if t.key.item_id == first_lost and t.key.model == CANDIDATE}
    kept = _cut(whole, {t.id for t in whole.trials} - lost)
    kept = replace(kept, trials=tuple(t for t in kept.trials if t.id not in lost))
    look, of_three = report(kept, text=FAST).look, report(run_so_far(3, range(100)), text=FAST).look
    assert look is not None
    assert of_three is not None
    assert look.wealth == of_three.wealth


def test_fail_fast_takes_half_of_the_error_from_the_looks() -> None:
    """A loss whose p lies between half of alpha and alpha fails at the end without the process alone."""
    text = "quality: {margin: 0.01}\nsequential: {looks: [1.0]%s}\n"
    losses, gains = [90, 91, 92, 93, 94, 95, 96, 97], [10, 20]
    p = stats.worse_p([0] * 8 + [1] * 92, [1] * 8 + [0] * 2 + [1] * 90, 0.05, 1)
    assert p is not None
    assert 0.025 < p < 0.05
    assert report(run_so_far(100, losses, gains), text=text % "").verdict == "fail"
    assert report(run_so_far(100, losses, gains), text=text % ", fail_fast: true").verdict == "inconclusive"


def test_a_stop_before_the_first_look_says_what_it_rests_on() -> None:
    text = "quality: {margin: 0.10}\nsequential: {looks: [0.5, 1.0], fail_fast: true}\n"
    found = report(run_so_far(30, range(25)), text=text)
    assert found.verdict == "fail"
    assert "before look 1 of 2 (50 of 100 items)" in found.headline
    assert found.checks[0].finding.startswith("satisfactory outputs of the first 30 items: the betting process")


def test_a_look_waits_for_the_verdicts_on_its_outputs_where_the_policy_asks_for_any() -> None:
    whole = run_so_far(60, range(5))
    place = {item: p for p, item in enumerate(order())}
    first_look = {t.id for t in whole.trials if place[t.key.item_id] < 50}
    last = [g for g in whole.grades if g.trial_id in first_look][-2:]
    waiting = replace(whole, grades=tuple(g for g in whole.grades if g not in last))
    found = report(waiting)
    assert found.look is not None
    assert (found.verdict, found.look.number, found.look.ungraded) == ("inconclusive", 0, 2)
    assert found.headline.endswith("no look is reached yet; grade the rest of look 1")
    assert any("go on to look 1: `evalkit grade`, for 2 outputs" in note for note in found.notes)
    assert not [note for note in found.notes if "evalkit run" in note]
    costs = report(waiting, text="cost_per_request: {at_most: 1.5}\nsequential: {looks: [0.5, 1.0]}\n")
    assert costs.look is not None
    assert costs.look.number == 1
    told = tuple(replace(g, level=None, ungraded_reason="cannot tell") for g in last)
    unsure = report(replace(whole, grades=(*waiting.grades, *told)))
    assert unsure.look is not None
    assert unsure.look.number == 1, "no grader can say more of them"


def test_a_look_waits_for_nothing_once_people_have_closed_their_round() -> None:
    """A clear loss must not hide behind outputs that nobody will grade any more."""
    whole = run_so_far(100, range(80))
    kept = {t.id for t in whole.trials if int(t.key.item_id[-3:]) % 3}
    part = replace(whole, grades=tuple(g for g in whole.grades if g.trial_id in kept))
    assert "no look is reached yet" in report(part).headline
    left = [list(t.key) for t in whole.trials if t.id not in kept]
    shut = replace(part, events=(RoundEvent("closed", 1, None, {LEFT: left}, at="2026-11-03T10:00:00+00:00"),))
    assert report(shut).verdict == "fail"
    fast = report(shut, text=FAST)
    assert fast.look is not None
    assert (fast.look.wealth or 0) > 40


def test_what_nobody_was_asked_about_before_a_round_was_closed_waits_for_another_one() -> None:
    """Else the same verdicts would be tested again, at a larger share of the error each time that more is run."""
    whole = run_so_far(75, range(0))
    place = {item: p for p, item in enumerate(order())}
    first = {t.id for t in whole.trials if place[t.key.item_id] < 50}
    lost = {t.id for t in whole.trials if t.id in first and t.key.model == CANDIDATE and place[t.key.item_id] < 8}
    graded = tuple(replace(g, level=0 if g.trial_id in lost else g.level) for g in whole.grades if g.trial_id in first)
    events = (RoundEvent("closed", 1, None, {LEFT: []}, at="2026-11-03T10:00:00+00:00"),)
    for text in (POLICY, FAST):
        then = report(replace(_cut(whole, first), grades=graded, events=events), text=text)
        now = report(replace(whole, grades=graded, events=events), text=text)
        assert then.look is not None
        assert now.look is not None
        assert (now.look.number, now.look.ungraded) == (then.look.number, 50)
        assert (now.verdict, now.alpha, now.look.wealth) == (then.verdict, then.alpha, then.look.wealth)


def test_with_epochs_all_looks_together_spend_no_more_than_a_share_may_be_tested_at() -> None:
    """At .2, three looks at .05 each would pass a loss of the margin in 8 to 11 % of runs."""
    rows = [[True] * 3] * N
    found = report(run(rows, rows), text="alpha: 0.2\n" + POLICY)
    assert found.look is not None
    assert (found.alpha, found.look.spent[-1]) == (0.05, pytest.approx(0.05))
    assert any("all looks together spend as much" in note for note in found.notes)
    one = report(run_so_far(100), text="alpha: 0.2\n" + POLICY)
    assert one.alpha == 0.2


def test_a_gate_that_has_ended_waits_for_no_look() -> None:
    text = POLICY + "cost_per_request: {at_most: 1.5}\n"
    dear = run_so_far(60, attempt=lambda model, _: answered(0.01 if model == BASELINE else 0.05, served_model=model))
    found = report(dear, text=text)
    assert found.verdict == "fail"
    assert not [check.needs for check in found.checks if "look 2" in str(check.needs)]
    assert [check.needs for check in report(run_so_far(60), text=text).checks if "look 2" in str(check.needs)]


def test_a_loss_shown_to_lie_within_the_margin_fails_nothing_fast() -> None:
    text = "quality: {margin: 0.5}\nsequential: {looks: [1.0], fail_fast: true}\n"
    found = report(run_so_far(100, range(15)), text=text)
    assert found.look is not None
    assert (found.look.wealth or 0) > 40
    assert found.verdict == "pass"
    assert "small real loss" in found.headline


# --- the grammar ---


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sequential: {looks: [0.5]}", "ascend to 1"),
        ("sequential: {looks: [0.75, 0.5, 1.0]}", "ascend to 1"),
        ("sequential: {looks: [1.0, 1.0]}", "ascend to 1"),
        ("sequential: {looks: []}", "ascend to 1"),
        ("sequential: {looks: [0.01, 1.0]}", "looks"),
        ("sequential: {looks: [0.2, 0.3, 0.4, 0.5, 0.6, 1.0]}", "names 6 shares, and 5 are the most"),
        ("sequential: {look: [0.5, 1.0]}", "look"),
        ("sequential: obf", "sequential"),
        ("sequential: {fail_fast: perhaps}", "fail_fast"),
    ],
)
def test_looks_are_read_strictly(text: str, told: str) -> None:
    with pytest.raises(ProblemsError) as caught:
        policy(f"quality: {{margin: 0.1}}\n{text}\n")
    assert told in str(caught.value)
    assert str(caught.value).startswith("gate.yaml:2")


def test_fail_fast_without_quality_has_nothing_to_look_at() -> None:
    with pytest.raises(ProblemsError, match="looks at quality alone"):
        policy("completeness: {}\nsequential: {fail_fast: true}\n")


def test_the_usual_looks_come_by_themselves_and_none_without_the_key() -> None:
    asked = policy("quality: {margin: 0.1}\nsequential: {}\n")
    assert asked.sequential is not None
    assert asked.sequential.looks == (0.5, 0.75, 1.0)
    plain = policy("quality: {margin: 0.1}")
    assert plain.sequential is None
    assert plain.sha256 != asked.sha256


def test_policies_of_before_keep_their_hash() -> None:
    """Approvals name it: a key that they do not have must not take them back."""
    assert policy("quality: {margin: 0.1}").sha256.startswith("f7f2f601291193fb")


# --- flips ---


def test_how_many_items_change_their_verdict_both_ways_is_told() -> None:
    snapshot_ = run_so_far(100, range(5), range(20, 23))
    analysis = analyze(snapshot_)
    found = gate(evidence_of(analysis, analysis, BASELINE, CANDIDATE), policy("quality: {margin: 0.1}"))
    assert found.flips is not None
    assert (found.flips.better, found.flips.worse, found.flips.rate.value) == (3, 5, pytest.approx(0.08))
    assert "Flip rate: 8% (4" in to_markdown(found)
    assert "of 100 items change their verdict (3 for the better, 5 for the worse)." in to_markdown(found)
    kept = json.loads(to_json(found))["gate"]["flips"]
    assert kept["rate"]["low"] < 0.08 < kept["rate"]["high"]
    alike = analyze(run([[True, True]] * 40, [[True, True]] * 40))
    rate = flip_rate(evidence_of(alike, alike, BASELINE, CANDIDATE))
    assert rate.value == 0
    assert (rate.high or 0) > 0.05, "two epochs of 40 items that never differ still leave a doubt"


# --- the whole way ---


def test_a_run_in_parts_sends_each_trial_once_into_one_file(
    tiny: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with recorded() as server:
        sent = []
        for more in (["--share", "0.5"], ["--share", "0.5"], ["--share", "0.3"], ["--share", "1"], []):
            assert main([part for part in command(tiny, server.url, *more) if part != "-q"]) == 0
            sent.append(len(server.messages()))
            said = capsys.readouterr().out
            assert ("the same command with a larger --share goes on" in said) == (len(sent) < 4), said
            if len(sent) in (1, 4):
                (path,) = run_files()
                assert main(["grade", str(path), "--blind", "--by", "checks", "-q"]) == 0
        assert sent == [6, 6, 6, 12, 12]
    seen = snapshot()
    assert len({a.trial_id for a in seen.attempts}) == 12
    half = first_items(seen.items, seen.spec.seed, 0.5)
    asked = [
        t.key.item_id for a in sorted(seen.attempts, key=lambda a: a.id) for t in seen.trials if t.id == a.trial_id
    ]
    assert set(asked[:6]) == half


def test_refused_and_truncated_trials_settle_a_look() -> None:
    whole = run_so_far(50)
    some = [a.id for a in whole.attempts[:2]]
    endings = dict(zip(some, (ended("refused"), ended("truncated")), strict=True))
    attempts = tuple(
        replace(endings[a.id], id=a.id, trial_id=a.trial_id) if a.id in endings else a for a in whole.attempts
    )
    found = report(replace(whole, attempts=attempts))
    assert found.look is not None
    assert found.look.number == 1
    assert answered().final
