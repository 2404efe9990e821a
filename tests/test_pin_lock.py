"""`evalkit.lock`: what is approved, until when, and what makes an approval void."""

import json
from datetime import date
from typing import Any

import pytest
from gate_reports import SONNET_45, gate_report

from evalkit.errors import IntegrityError, ProblemsError, UsageError
from evalkit.pins.lock import Approval, Lock, approval_of, faults, read_lock, with_approval, write_lock
from evalkit.strict import content_sha256, sealed

TODAY = date(2026, 11, 26)


def approval(verdict: str = "pass", *, simulated: bool = False) -> Approval:
    report = gate_report(verdict, simulated=simulated, created_at=TODAY.isoformat())
    return approval_of(report, "claude-sonnet-4-6", SONNET_45, TODAY, dataset="d.jsonl")


@pytest.mark.parametrize(
    ("held", "wanted", "day", "told"),
    [
        (approval(), {}, TODAY, []),
        (approval("fail"), {}, TODAY, ["its gate ended fail"]),
        (approval("inconclusive"), {}, TODAY, ["its gate ended inconclusive"]),
        (approval(simulated=True), {}, TODAY, ["its evidence is simulated"]),
        (approval(), {"dataset_sha256": "d" * 64}, TODAY, []),
        (approval(), {"dataset_sha256": "e" * 64}, TODAY, ["its evidence is of another dataset"]),
        (approval(), {"rubric_sha256": "e" * 64}, TODAY, ["its evidence is of another rubric"]),
        (approval(), {"policy_sha256": "e" * 64}, TODAY, ["its evidence is of another policy"]),
        (approval(), {}, date(2027, 5, 25), []),
        (approval(), {}, date(2027, 5, 26), ["its evidence is 181 days old, 180 are allowed"]),
        (approval(), {}, date(2026, 11, 25), ["its evidence is dated in the future (2026-11-26)"]),
    ],
)
def test_evidence_must_be_passed_fresh_and_of_the_same(
    held: Approval, wanted: dict[str, str], day: date, told: list[str]
) -> None:
    assert list(faults(held, wanted, day, 180)) == told


def test_a_longer_term_in_the_lock_prolongs_no_evidence_that_is_there() -> None:
    assert list(faults(approval(), {}, date(2027, 5, 26), 3650)) == ["its evidence held until 2027-05-25"]


def test_evidence_ages_from_the_day_of_its_outputs_whenever_it_is_approved() -> None:
    report = gate_report(created_at="2026-06-01T08:00:00+00:00")
    held = approval_of(report, "claude-sonnet-4-6", SONNET_45, TODAY)
    assert (held.approved_on, held.evidence_on, held.expires_on) == ("2026-11-26", "2026-06-01", "2026-11-28")
    assert list(faults(held, {}, date(2026, 11, 28), 180)) == []
    assert list(faults(held, {}, date(2026, 11, 29), 180)) == ["its evidence is 181 days old, 180 are allowed"]
    with pytest.raises(IntegrityError, match="of outputs of 2026-06-01, 181 days old, 180 are allowed; run claude-son"):
        approval_of(report, "claude-sonnet-4-6", SONNET_45, date(2026, 11, 29))
    assert approval_of(report, "claude-sonnet-4-6", SONNET_45, date(2026, 11, 29), 365).expires_on == "2027-06-01"


def test_an_approval_that_kept_no_day_of_its_evidence_ages_from_its_own() -> None:
    content = json.loads(write_lock(with_approval(Lock(), approval())))
    one = content["approvals"][0]
    del one["evidence_on"], one["sha256"]
    one["sha256"] = content_sha256(one)
    held = read_lock(json.dumps(content), "evalkit.lock").approvals[0]
    assert list(faults(held, {}, date(2027, 5, 25), 180)) == []
    assert list(faults(held, {}, date(2027, 5, 26), 180)) == ["its evidence is 181 days old, 180 are allowed"]


@pytest.mark.parametrize(
    ("written", "instead"),
    [('"verdict": "fail"', '"verdict": "pass"'), ('"dataset": "d.jsonl",', ""), ('"2027-05-25"', '"2028-05-25"')],
)
def test_an_edit_by_hand_shows(written: str, instead: str) -> None:
    text = write_lock(with_approval(Lock(), approval("fail")))
    assert written in text
    held = read_lock(text.replace(written, instead), "evalkit.lock").approvals[0]
    assert next(faults(held, {}, TODAY, 180)) == "its evidence was edited by hand"


def test_a_report_that_was_edited_by_hand_approves_nothing() -> None:
    report = gate_report("fail")
    report["gate"]["verdict"] = "pass"
    with pytest.raises(IntegrityError, match="edited by hand"):
        approval_of(report, "claude-sonnet-4-6", SONNET_45, TODAY)


def test_simulated_evidence_counts_only_where_it_is_asked_for() -> None:
    assert list(faults(approval(simulated=True), {}, TODAY, 180, allow_simulated=True)) == []


def test_a_lock_reads_back_as_it_was_and_holds_one_approval_a_pair() -> None:
    held = with_approval(Lock(), approval())
    assert read_lock(write_lock(held), "evalkit.lock") == held
    again = with_approval(held, approval("fail"))
    assert [a.verdict for a in again.approvals] == ["fail"]
    other = gate_report(created_at=TODAY.isoformat())
    both = with_approval(again, approval_of(other, "claude-sonnet-4-6", "claude-opus-4-6", TODAY))
    assert [a.replaces for a in read_lock(write_lock(both), "evalkit.lock").approvals] == ["claude-opus-4-6", SONNET_45]
    twice = json.loads(write_lock(held))
    twice["approvals"] *= 2
    with pytest.raises(ProblemsError, match="approved twice in place of"):
        read_lock(json.dumps(twice), "evalkit.lock")


def test_evidence_on_another_dataset_takes_no_approval_away() -> None:
    report = gate_report("fail", created_at=TODAY.isoformat(), dataset_sha256="e" * 64)
    other = approval_of(report, "claude-sonnet-4-6", SONNET_45, TODAY, dataset="letters.jsonl")
    both = read_lock(write_lock(with_approval(with_approval(Lock(), other), approval())), "evalkit.lock")
    assert [(one.dataset, one.verdict) for one in both.approvals] == [("d.jsonl", "pass"), ("letters.jsonl", "fail")]
    again = with_approval(both, approval("inconclusive"))
    assert sorted(one.verdict for one in again.approvals) == ["fail", "inconclusive"], "one a dataset"


@pytest.mark.parametrize("held", [{"dataset": "old.jsonl"}, {"dataset": "d.jsonl", "dataset_sha256": "e" * 64}])
def test_a_dataset_that_moved_or_grew_is_the_same_to_its_approval(held: dict[str, str]) -> None:
    before = approval().model_copy(update=held)
    assert with_approval(with_approval(Lock(), before), approval()).approvals == (approval(),)


def test_evidence_of_the_first_version_is_read_and_must_be_approved_again() -> None:
    content = json.loads(write_lock(with_approval(Lock(), approval()))) | {"version": 1}
    one = content["approvals"][0]
    for name in ("expires_on", "evidence_on", "dataset", "sha256"):
        del one[name]
    one["sha256"] = content_sha256(one)
    held = read_lock(json.dumps(content), "evalkit.lock").approvals[0]
    assert list(faults(held, {}, TODAY, 180)) == [
        "its evidence does not say of which dataset and rubric it is; approve the gate's report again"
    ]
    with pytest.raises(ProblemsError, match=r"lock:\d+: 'dataset' is kept with each approval now; delete this line"):
        read_lock(json.dumps(content | {"dataset": "d.jsonl"}, indent=1), "evalkit.lock")


def dated(day: str) -> str:
    return write_lock(with_approval(Lock(), approval())).replace('"2026-11-26"', f'"{day}"')


@pytest.mark.parametrize(
    "text",
    ["{}x", '{"approvals": [{}]}', '{"version": 3}', '{"max_age_days": 0}', '{"max_age_days": 99999999999999}',
     dated("2026-13-45"), dated("0000-01-01")],
)  # fmt: skip
def test_a_broken_lock_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(ProblemsError, match=r"evalkit\.lock:\d+: "):
        read_lock(text, "evalkit.lock")


def test_a_model_against_itself_approves_nothing() -> None:
    with pytest.raises(UsageError, match="against itself"):
        approval_of(gate_report(candidate=SONNET_45), SONNET_45, SONNET_45, TODAY)


@pytest.mark.parametrize("noticed", [True, False, None])
def test_a_sensitivity_check_approves_nothing(noticed: bool | None) -> None:
    """Whoever made it says that its candidate is worse."""
    report = gate_report()
    report["gate"] |= {"known_worse": noticed is None, "noticed": noticed}
    with pytest.raises(UsageError, match="sensitivity check"):
        approval_of(sealed(report), "claude-sonnet-4-6", SONNET_45, TODAY)


@pytest.mark.parametrize("content", [{}, {"gate": {}}, {"gate": {"verdict": "pass"}}, [], {"gate": 3}])
def test_what_is_no_gate_report_approves_nothing(content: Any) -> None:
    with pytest.raises(UsageError, match="no gate report"):
        approval_of(content, "claude-sonnet-4-6", SONNET_45, TODAY)


def test_a_lock_file_that_a_merge_left_undecided_says_what_to_do() -> None:
    text = '{\n  "version": 2,\n<<<<<<< HEAD\n  "approvals": []\n=======\n  "approvals": [1]\n>>>>>>> other\n}\n'
    with pytest.raises(ProblemsError) as told:
        read_lock(text, "evalkit.lock")
    assert str(told.value).splitlines()[0].startswith("evalkit.lock:3: two branches changed it")
    assert "git checkout --ours -- evalkit.lock" in str(told.value)
    assert "once that is committed `git checkout COMMIT -- evalkit.lock`" in str(told.value)


def test_a_lock_that_is_no_json_is_to_be_corrected_as_such() -> None:
    with pytest.raises(ProblemsError, match="correct the JSON"):
        read_lock('{"version": 2, "approvals": [}', "evalkit.lock")
