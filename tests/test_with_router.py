"""A small model that classifies requests: asked in a run of its own, paid, waited for, and never asked twice."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from analysis_builders import OPUS, Book, answered, spec
from routing_builders import Said, run
from routing_worlds import GRADUAL, MODELS
from servers import Recorded, recorded
from test_run import write_tiny

from evalkit.cli import main
from evalkit.policies import classifier
from evalkit.records import AttemptStart
from evalkit.report import render_html
from evalkit.route import Asked, outcomes_for, with_routing
from evalkit.router import CLASSIFIER_SYSTEM, LONGEST_CLASSIFIED, Request, classification, level_of, model_for_level
from evalkit.routing.flows import worth
from evalkit.routing.outcomes import Classified, Outcomes
from evalkit.routing.policy import Policy
from evalkit.store import RunFile

SONNET, HAIKU = "claude-sonnet-4-6", "claude-haiku-4-5-20251001"


@pytest.fixture(scope="module")
def server() -> Iterator[Recorded]:
    with recorded() as running:
        yield running


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Recorded) -> list[str]:
    monkeypatch.chdir(tmp_path)
    return ["run", str(write_tiny(tmp_path)), "--base-url", server.url, "-q", "-m", SONNET, "-m", HAIKU, "--yes"]


def rated(server: Recorded, before: int) -> list[dict[str, object]]:
    return [body for body in server.messages()[before:] if "<attached>" in json.dumps(body["messages"])]


@pytest.mark.long
def test_every_request_is_classified_once_and_its_price_and_wait_are_the_policys(
    arguments: list[str], server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    before = len(server.messages())
    assert main([*arguments, "--with-router", HAIKU, "--epochs", "2"]) == 0
    (path,) = Path("runs").glob("*.db")
    assert len(rated(server, before)) == 12
    assert len(server.messages()) - before == 6 * 2 * 2 + 12
    assert main([*arguments, "--with-router", HAIKU, "--epochs", "2"]) == 0  # the same command sends nothing again
    assert len(rated(server, before)) == 12
    assert main(["grade", str(path), *arguments[2:5]]) == 0
    capsys.readouterr()
    assert main(["route", str(path), "--json"]) == 0
    routing = json.loads(capsys.readouterr().out)["routing"]
    value = next(each for each in routing["values"] if each["name"] == "classifier")
    with RunFile(Path("runs/routers") / path.name, read_only=True) as run:
        spent = [attempt.cost_usd for attempt in run.snapshot().attempts]
    answered = sum(value["asked"][m] * next(
        each["cost_per_request"]["value"] for each in routing["values"] if each["name"] == f"always-{m}"
    ) for m in value["asked"])  # fmt: skip
    assert value["cost_per_request"]["value"] >= sum(usd or 0 for usd in spent) / 12
    assert value["cost_per_request"]["value"] == pytest.approx(sum(usd or 0 for usd in spent) / 12 + answered, rel=0.5)
    assert routing["classifier"] == HAIKU
    assert main(["report", str(path), "-o", "page.html", "--peek"]) == 0
    assert re.search(rf"evalkit run \S+ .*--with-router {HAIKU}", Path("page.html").read_text())
    capsys.readouterr()


def test_a_router_that_the_server_lacks_is_refused_before_anything_is_spent(
    arguments: list[str], server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    before = len(server.messages())
    assert main([*arguments, "--with-router", "claude-haiku-9"]) == 2
    assert "claude-haiku-9" in capsys.readouterr().err
    assert len(server.messages()) == before


def test_a_budget_covers_both_runs(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, "-o", "x.db"]) == 0
    with RunFile(Path("x.db"), read_only=True) as run:
        spent = sum(attempt.cost_usd or 0 for attempt in run.snapshot().attempts)
    assert main([*arguments, "-o", "x.db", "--with-router", HAIKU, "--budget-usd", f"{spent + 1e-7:.9f}"]) == 4
    assert "budget" in capsys.readouterr().err


def test_nobody_else_spends_of_the_budget_while_the_router_does(
    arguments: list[str], server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "-o", "x.db"]) == 0
    before = len(server.messages())
    budget = ["--with-router", HAIKU, "--budget-usd", "5"]
    with RunFile(Path("x.db")) as run, run.only_writer("grade"):
        assert main([*arguments, "-o", "x.db", *budget]) == 6
    assert "in use" in capsys.readouterr().err
    assert len(server.messages()) == before
    assert main([*arguments, "-o", "x.db", *budget]) == 0


def test_what_the_router_has_spent_is_held_against_the_rest_of_the_run(
    arguments: list[str], server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "-o", "x.db", "--with-router", HAIKU, "--share", "0.5"]) == 0
    spent = 0.0
    for path in (Path("x.db"), Path("routers/x.db")):
        with RunFile(path, read_only=True) as run:
            spent += sum(attempt.cost_usd or 0 for attempt in run.snapshot().attempts)
    before = len(server.messages())
    again = [*arguments, "-o", "x.db", "--with-router", HAIKU, "--budget-usd", f"{spent - 1e-9:.12f}"]
    assert main(again) == 4
    assert "budget" in capsys.readouterr().err
    assert len(server.messages()) == before


def test_a_router_has_what_is_left_once_lost_attempts_are_set_aside(
    arguments: list[str], server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    """A killed run may have been billed for what it had in flight: nobody knows, so the worst is taken."""
    assert main([*arguments, "-o", "my run.db"]) == 0
    with RunFile(Path("my run.db")) as run:
        spent = sum(attempt.cost_usd or 0 for attempt in run.snapshot().attempts)
        for number in range(1, 30):
            run.start_attempt(AttemptStart(number % 6 + 1, 9, "2026-11-03T10:00:00+00:00"))
    before, budget = len(server.messages()), f"{spent + 0.02:.9f}"
    assert main([*arguments, "-o", "my run.db", "--with-router", HAIKU, "--budget-usd", budget]) == 4
    said = capsys.readouterr().err
    assert "is left beside my run.db" in said
    assert "more set aside at worst case for 29 answers that broke off" in said
    assert len(server.messages()) == before
    loud = [part for part in arguments if part != "-q"]
    assert main([*loud, "-o", "my run.db", "--with-router", HAIKU]) == 0
    assert "next: evalkit grade --blind 'my run.db'" in "".join(capsys.readouterr())


def test_another_router_is_told_to_have_the_first_ones_file_moved_away(
    arguments: list[str], server: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "-o", "x.db", "--with-router", HAIKU]) == 0
    before = len(server.messages())
    assert main([*arguments, "-o", "x.db", "--with-router", SONNET]) == 6
    assert f"routers/x.db holds what {HAIKU} said of these requests; move it away" in capsys.readouterr().err
    assert len(server.messages()) == before


def test_a_dry_run_tells_both_bills_and_writes_nothing(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--with-router", HAIKU, "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert told.count("new run") == 2
    assert not list(Path().rglob("*.db"))


def test_a_router_run_is_neither_graded_nor_reported(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    again = [*(part for part in arguments if part != "-q"), "--with-router", HAIKU, "-o", "x.db"]
    assert main(again) == 0
    assert main(again) == 0
    told = capsys.readouterr().out
    assert "evalkit grade --blind routers/x.db" not in told
    for command in (["grade", "routers/x.db", *arguments[2:4]], ["report", "routers/x.db"], ["route", "routers/x.db"]):
        assert main(command) == 2
        assert "name the run beside it" in capsys.readouterr().err
    assert not Path("reports").exists()
    assert main([*again, "--budget-usd", "0.00001"]) == 0, "all is done, so nothing has to be paid for"


def test_a_router_run_that_asked_something_else_is_not_used(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--with-router", HAIKU, "-o", "x.db"]) == 0
    assert main(["grade", "x.db", *arguments[2:5]]) == 0
    Path("routers/x.db").unlink()
    assert main([*arguments[:-5], "-m", HAIKU, "--yes", "-o", "routers/x.db"]) == 0
    capsys.readouterr()
    assert main(["route", "x.db"]) == 6
    assert "asked something else" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "level"),
    [
        ('{"intent": "refund", "complexity": "simple"}', "simple"),
        ('```json\n{"intent":"x","complexity" : "complex"}\n```', "complex"),
        ('"complexity": "hard"', None),
        ("complex", None),
        ("", None),
    ],
)
def test_a_level_is_read_from_an_answer_or_is_none(answer: str, level: str | None) -> None:
    assert level_of(answer) == level


def test_a_long_request_is_shown_by_its_ends() -> None:
    text = classification(Request("a" * 5000 + "middle" + "z" * 5000, ("d" * 10, "e")))
    assert "middle" not in text
    assert "2 documents, 11 characters" in text
    assert len(text) < LONGEST_CLASSIFIED + 200


def with_levels(outcomes: Outcomes, levels: list[str | None], usd: float = 0.001) -> Outcomes:
    n, e = len(outcomes), outcomes.epochs
    found = Classified(MODELS[0], tuple((level,) * e for level in levels), np.full((n, e), usd), np.full((n, e), 0.2))
    return replace(outcomes, classified=found)


def test_levels_rise_with_models_and_what_is_not_classified_goes_to_the_top() -> None:
    outcomes = with_levels(GRADUAL.draw(1, 4, epochs=2), ["simple", "standard", "complex", None])
    (policy,) = classifier.policies(outcomes)
    assert isinstance(policy, Policy)
    fitted = policy.fit(np.ones(4, dtype=bool))
    its = worth(outcomes, fitted.flow)
    assert its.shares.argmax(axis=1).tolist() == [0, 1, 2, 2]
    assert its.cost_usd == pytest.approx([outcomes.cost_usd[i, m].mean() + 0.001 for i, m in enumerate([0, 1, 2, 2])])
    assert fitted.rule is not None
    assert [model_for_level(fitted.rule, level) for level in ("simple", "standard", "complex", None)] == [
        *MODELS, MODELS[2]
    ]  # fmt: skip


def test_a_call_without_a_price_is_not_free() -> None:
    outcomes = with_levels(GRADUAL.draw(1, 4), ["simple"] * 4, float("nan"))
    (found,) = classifier.policies(outcomes)
    assert not isinstance(found, Policy)
    assert "no known price" in found.reason


@pytest.mark.parametrize(
    ("unknown", "median"),
    [(0, 0.1), (2, 0.1), (4, "the time of 10% of its calls is not known"), (40, "no time of its calls was measured")],
)
def test_a_router_whose_calls_went_in_a_batch_or_broke_off_still_has_a_value(unknown: int, median: float | str) -> None:
    """Of a call in a batch, or one that was in flight when the run was killed, nobody knows how long it took."""
    hard = [i % 4 == 0 for i in range(40)]
    models = {HAIKU: 0.001, SONNET: 0.003, OPUS: 0.03}
    good = {HAIKU: [Said(not h) for h in hard], SONNET: [Said(not h) for h in hard], OPUS: [Said()] * 40}
    analysis = run(good, usd=models)
    book = Book(spec((HAIKU,)))
    for i, (item, request) in enumerate(zip(analysis.outputs, outcomes_for(analysis, Asked()).requests, strict=True)):
        book.item(item.id, task=classification(request), system=CLASSIFIER_SYSTEM)
        said = f'{{"complexity": "{"complex" if hard[i] else "simple"}"}}'
        book.trial(item.id, answered(1e-6, text=said, felt_s=None if i < unknown else 0.1), model=HAIKU)
    whole = with_routing(analysis, Asked(router_run=book.snapshot()))
    assert whole.routing is not None
    found = whole.routing.claims[-1]
    assert found.policy.startswith(classifier.TITLE)
    assert found.measured.n == (40 - unknown if isinstance(median, float) else 0)
    assert (found.measured.value, found.measured.reason) == (
        (pytest.approx(median), None) if isinstance(median, float) else (None, median)
    )
    assert found.holds is (True if isinstance(median, float) else None)
    assert "Time to decide" in render_html(whole)


@pytest.mark.long
def test_a_pinned_limit_holds_for_the_run_and_its_router_together(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    minute_s = 1.5
    monkeypatch.setattr("evalkit.executors.pace.MINUTE_S", minute_s)
    monkeypatch.setattr("evalkit.sent_lately.MINUTE_S", minute_s)
    assert main([*arguments, "-o", "x.db", "--with-router", HAIKU, "--rpm", "6"]) == 0
    sent = []
    for path in (Path("x.db"), Path("routers/x.db")):
        with RunFile(path, read_only=True) as run:
            seen = run.snapshot()
        models = {trial.id: trial.key.model for trial in seen.trials}
        sent += [datetime.fromisoformat(a.sent_at) for a in seen.attempts if models[a.trial_id] == HAIKU]
    sent.sort()
    seventh = [(later - earlier).total_seconds() for earlier, later in zip(sent, sent[6:], strict=False)]
    assert len(sent) == 12
    assert min(seventh) > minute_s - 0.3, "it is noted a little after it was decided"
