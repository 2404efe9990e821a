"""Calibrating a judge by people: the figures of the report, from marks at the desk to a recount by hand."""

import random
from pathlib import Path
from statistics import fmean

import pytest

from evalkit.analysis import analyze
from evalkit.desk import Desk, open_for_people
from evalkit.grade import open_round
from evalkit.grader_names import is_again
from evalkit.marks import Mark
from evalkit.records import Grade
from evalkit.rounds import Settings
from evalkit.store import RunFile
from tests import builders, people

JUDGE = "judge claude-sonnet-5-5"
GOOD, BAD = 2, 0


def _level(label: str, nonce: str, level: int | None) -> Mark:
    return Mark(f"{label}{nonce}", label, "level", {"criterion": "right"} | ({} if level is None else {"level": level}))


def test_a_judge_is_held_against_what_people_said_last_of_the_sample_alone(tmp_path: Path) -> None:
    rng = random.Random(3)  # noqa: S311  invented data
    rubric = builders.rubric(builders.judged("right"))
    with RunFile(people.write(tmp_path / "run.db", 40, rubric)) as run:
        round_ = open_round(run, (JUDGE,), blind=True)
        truth = {trial.id: rng.choice((GOOD, BAD)) for trial in run.snapshot().trials}
        said = {trial: level if rng.random() < 0.9 else GOOD - level for trial, level in truth.items()}
        for trial, level in said.items():
            run.add_grades([Grade(round_.id, JUDGE, trial, "right", level, None, "", 0)], "2026-11-02T10:00:00+00:00")
        desk = Desk(run, open_for_people(run, True, Settings(sample=60, repeat_share=0.1)))
        for name in ("ann", "idle"):
            desk.join(name)
        pile = desk.pile("ann")
        for label, key in pile.trials.items():
            desk.take("ann", _level(label, "first", GOOD - truth[key.id]))
            desk.take("ann", _level(label, "back", None))
            second = is_again(pile.graders[label])  # second grades are wrong, and must not count
            desk.take("ann", _level(label, "last", GOOD - truth[key.id] if second else truth[key.id]))
            desk.take("ann", Mark(f"{label}flag", label, "flag", {"on": True}))
        snapshot = run.snapshot()
    analysis = analyze(snapshot)
    sample = {trial.id for trial in pile.trials.values()}
    (found,) = analysis.judges
    assert (desk.round.id, found.outputs, len(sample), found.dropped) == (round_.id, 60, 60, None)
    passed = [trial for trial in sample if truth[trial] == GOOD]
    failed = [trial for trial in sample if truth[trial] == BAD]
    assert found.accuracy.sensitivity.value == fmean(said[trial] == GOOD for trial in passed)
    assert found.accuracy.specificity.value == fmean(said[trial] == BAD for trial in failed)
    assert analysis.grading.idle == ("idle",)
    assert (analysis.grading.sample, analysis.grading.overlap) == (60, None)
    for model in snapshot.spec.models:
        everyone = [trial.id for trial in snapshot.trials if trial.key.model == model]
        by_hand = 0.0
        for level in (GOOD, BAD):  # what people pass of what the judge passes, and of what it fails
            share = fmean(said[trial] == level for trial in everyone)
            labels = [truth[trial] == GOOD for trial in everyone if trial in sample and said[trial] == level]
            by_hand += share * fmean(labels)
        assert found.corrected[model].value == pytest.approx(by_hand)
        counted = [(truth if trial in sample else said)[trial] == GOOD for trial in everyone]
        assert analysis.model(model).pass_rate.value == fmean(counted)
        outputs = [o for item in analysis.outputs for o in item.outputs if o.model == model]
        assert sum(bool(output.remarks) for output in outputs) == 20
